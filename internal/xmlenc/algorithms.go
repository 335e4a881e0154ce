package xmlenc

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rsa"
	_ "crypto/sha1" // registers the hash; in OAEP it is as good as another
	_ "crypto/sha256"
	_ "crypto/sha512"
	"fmt"

	"github.com/iomete/saml/internal/b64"
	"github.com/iomete/saml/internal/fault"
	"github.com/iomete/saml/internal/xmltree"
)

// A contentMethod is how the element was encrypted (XML Encryption 1.1 §5.2).
type contentMethod struct {
	keySize int // bytes
	open    func(key, ciphertext []byte) (plaintext []byte, ok bool)
}

func readContentMethod(e xmltree.Element) (contentMethod, error) {
	uri, _ := e.Attr("Algorithm")
	if err := noParameters(e); err != nil {
		return contentMethod{}, err
	}
	switch uri {
	case xmltree.NSXEnc11 + "aes128-gcm":
		return contentMethod{16, openGCM}, nil
	case xmltree.NSXEnc11 + "aes192-gcm":
		return contentMethod{24, openGCM}, nil
	case xmltree.NSXEnc11 + "aes256-gcm":
		return contentMethod{32, openGCM}, nil
	case xmltree.NSXEnc + "aes128-cbc":
		return contentMethod{16, openCBC}, nil
	case xmltree.NSXEnc + "aes192-cbc":
		return contentMethod{24, openCBC}, nil
	case xmltree.NSXEnc + "aes256-cbc":
		return contentMethod{32, openCBC}, nil
	}
	return contentMethod{}, notAllowed("the assertion is encrypted by an algorithm that is not allowed", uri, "AES with GCM or CBC")
}

// noParameters: these algorithms have none, but toolkits may state the size of the key, which the algorithm fixes.
func noParameters(e xmltree.Element) error {
	for c := range e.Children() {
		if !c.Is(xmltree.NSXEnc, "KeySize") {
			return structure("an algorithm has a parameter that is not allowed", c)
		}
	}
	return nil
}

const (
	gcmNonceSize = 12 // and a tag of 16 bytes (XML Encryption 1.1 §5.2.4)
	gcmTagSize   = 16
)

func openGCM(key, ciphertext []byte) ([]byte, bool) {
	if len(ciphertext) < gcmNonceSize+gcmTagSize {
		return nil, false
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, false
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, false
	}
	plaintext, err := aead.Open(nil, ciphertext[:gcmNonceSize], ciphertext[gcmNonceSize:], nil)
	return plaintext, err == nil
}

// openCBC removes the padding of XML Encryption 1.1 §5.2.2: the last octet tells how many, the others may be anything. CBC does not notice
// changes; the signature inside or around does.
func openCBC(key, ciphertext []byte) ([]byte, bool) {
	if len(ciphertext) < 2*aes.BlockSize || len(ciphertext)%aes.BlockSize != 0 {
		return nil, false
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, false
	}
	plaintext := make([]byte, len(ciphertext)-aes.BlockSize)
	cipher.NewCBCDecrypter(block, ciphertext[:aes.BlockSize]).CryptBlocks(plaintext, ciphertext[aes.BlockSize:])
	padding := int(plaintext[len(plaintext)-1])
	if padding < 1 || padding > aes.BlockSize {
		return nil, false
	}
	return plaintext[:len(plaintext)-padding], true
}

const (
	uriOAEPMGF1P = xmltree.NSXEnc + "rsa-oaep-mgf1p" // MGF1 with SHA-1, whatever the digest is
	uriOAEP      = xmltree.NSXEnc11 + "rsa-oaep"
)

// readTransport reads how a content key was encrypted: RSA-OAEP in one of its two names (XML Encryption 1.1 §5.5.2). Both default to SHA-1.
func readTransport(e xmltree.Element) (rsa.OAEPOptions, error) {
	options := rsa.OAEPOptions{Hash: crypto.SHA1, MGFHash: crypto.SHA1}
	uri, _ := e.Attr("Algorithm")
	if uri != uriOAEPMGF1P && uri != uriOAEP {
		return options, notAllowed("the key of the encryption is encrypted by an algorithm that is not allowed", uri, "RSA-OAEP")
	}
	var digest, mask, label bool
	for c := range e.Children() {
		var err error
		switch {
		case c.Is(xmltree.NSXEnc, "KeySize"):
		case c.Is(xmltree.NSXEnc, "OAEPparams") && !label:
			label = true
			options.Label, err = readLabel(c)
		case c.Is(xmltree.NSDSig, "DigestMethod") && !digest:
			digest = true
			options.Hash, err = hashOf(c, digests)
		case c.Is(xmltree.NSXEnc11, "MGF") && !mask && uri == uriOAEP:
			mask = true
			options.MGFHash, err = hashOf(c, masks)
		default:
			err = structure("an algorithm has a parameter that is not allowed", c)
		}
		if err != nil {
			return options, err
		}
	}
	return options, nil
}

var (
	digests = map[string]crypto.Hash{
		xmltree.NSDSig + "sha1":                         crypto.SHA1,
		xmltree.NSXEnc + "sha256":                       crypto.SHA256,
		"http://www.w3.org/2001/04/xmldsig-more#sha384": crypto.SHA384,
		xmltree.NSXEnc + "sha512":                       crypto.SHA512,
	}
	masks = map[string]crypto.Hash{
		xmltree.NSXEnc11 + "mgf1sha1":   crypto.SHA1,
		xmltree.NSXEnc11 + "mgf1sha256": crypto.SHA256,
		xmltree.NSXEnc11 + "mgf1sha384": crypto.SHA384,
		xmltree.NSXEnc11 + "mgf1sha512": crypto.SHA512,
	}
)

func hashOf(e xmltree.Element, allowed map[string]crypto.Hash) (crypto.Hash, error) {
	uri, _ := e.Attr("Algorithm")
	hash, ok := allowed[uri]
	if !ok {
		return 0, notAllowed("RSA-OAEP is used with an algorithm that is not allowed", uri, "SHA-256, SHA-1, SHA-384 or SHA-512")
	}
	return hash, nil
}

// maxLabel bounds the label of RSA-OAEP, in bytes. Toolkits leave it empty; each use of a key hashes it, or sends it to where the key is.
const maxLabel = 1 << 10

// readLabel reads OAEPparams, which may be empty.
func readLabel(e xmltree.Element) ([]byte, error) {
	text, ok := e.Text()
	if !ok {
		return nil, structure("there is an element where only text may stand", e)
	}
	if text == "" {
		return nil, nil
	}
	label, err := b64.Decode(text)
	if err != nil {
		return nil, structure("a value is not base64", e)
	}
	if len(label) > maxLabel {
		return nil, &fault.Fault{Code: fault.Decryption, Message: "the label of RSA-OAEP is too long", Got: fmt.Sprintf("%d bytes", len(label)),
			Want: fmt.Sprintf("at most %d bytes", maxLabel)}
	}
	return label, nil
}

func notAllowed(message, got, want string) error {
	return &fault.Fault{Code: fault.Decryption, Message: message, Got: got, Want: want,
		Hint: "Set the identity provider's encryption to AES-256 with GCM and RSA-OAEP."}
}

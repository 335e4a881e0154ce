package xmlenc

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rsa"
	_ "crypto/sha1" // registers the hash; OAEP does not need its collision resistance
	_ "crypto/sha256"
	_ "crypto/sha512"
	"fmt"

	"github.com/iomete/saml/internal/b64"
	"github.com/iomete/saml/internal/fault"
	"github.com/iomete/saml/internal/xmltree"
)

// A contentMethod is an algorithm for the content (XML Encryption 1.1 §5.2). The ciphertext begins
// with the nonce or the initialization vector.
type contentMethod struct {
	uri     string
	keySize int  // bytes
	cbc     bool // it does not notice a change
	open    func(key, ciphertext []byte) (plaintext []byte, ok bool)
}

// readContentMethod reads the EncryptionMethod of EncryptedData.
func readContentMethod(e xmltree.Element) (contentMethod, error) {
	uri, _ := e.Attr("Algorithm")
	if err := noParameters(e); err != nil {
		return contentMethod{}, err
	}
	m, ok := contentMethodOf(uri)
	if !ok {
		return m, notAllowed("the content is encrypted with an algorithm that is not allowed", uri, "AES with GCM or CBC")
	}
	return m, nil
}

func contentMethodOf(uri string) (m contentMethod, ok bool) {
	switch uri {
	case xmltree.NSXEnc11 + "aes128-gcm":
		return contentMethod{uri, 16, false, openGCM}, true
	case xmltree.NSXEnc11 + "aes192-gcm":
		return contentMethod{uri, 24, false, openGCM}, true
	case xmltree.NSXEnc11 + "aes256-gcm":
		return contentMethod{uri, 32, false, openGCM}, true
	case xmltree.NSXEnc + "aes128-cbc":
		return contentMethod{uri, 16, true, openCBC}, true
	case xmltree.NSXEnc + "aes192-cbc":
		return contentMethod{uri, 24, true, openCBC}, true
	case xmltree.NSXEnc + "aes256-cbc":
		return contentMethod{uri, 32, true, openCBC}, true
	}
	return contentMethod{}, false
}

// IsContentMethod reports whether an algorithm for the content can be allowed.
func IsContentMethod(uri string) bool {
	_, ok := contentMethodOf(uri)
	return ok
}

// IsTransport reports whether an algorithm for the content key can be allowed.
func IsTransport(uri string) bool { return uri == uriOAEPMGF1P || uri == uriOAEP }

// noParameters refuses parameters: the content algorithms have none. KeySize is skipped, because
// toolkits may write it; the algorithm decides the size.
func noParameters(e xmltree.Element) error {
	for c := range e.Children() {
		if !c.Is(xmltree.NSXEnc, "KeySize") {
			return structure("an algorithm has a parameter that is not allowed", c)
		}
	}
	return nil
}

const (
	gcmNonceSize = 12 // bytes (XML Encryption 1.1 §5.2.4)
	gcmTagSize   = 16 // bytes
)

// openGCM decrypts AES-GCM (XML Encryption 1.1 §5.2.4): nonce, ciphertext, tag.
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

// openCBC decrypts AES-CBC and removes the padding (XML Encryption 1.1 §5.2.1 and §5.2.2): the last
// byte is the number of padding bytes, the others may have any value. CBC does not detect changes;
// the signature inside or around it does. What prevents a padding oracle is that every failure
// looks the same (see Failed).
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
	uriOAEPMGF1P = xmltree.NSXEnc + "rsa-oaep-mgf1p" // always MGF1 with SHA-1, for any digest
	uriOAEP      = xmltree.NSXEnc11 + "rsa-oaep"
)

// readTransport reads the EncryptionMethod of EncryptedKey, which must be RSA-OAEP under one of its
// two names (XML Encryption 1.1 §5.5.2). The digest and the mask function default to SHA-1. RSA
// with PKCS #1 v1.5 padding is not allowed: it can be attacked (Bleichenbacher).
func readTransport(e xmltree.Element) (rsa.OAEPOptions, error) {
	options := rsa.OAEPOptions{Hash: crypto.SHA1, MGFHash: crypto.SHA1}
	uri, _ := e.Attr("Algorithm")
	if !IsTransport(uri) {
		return options, notAllowed("the content key is encrypted with an algorithm that is not allowed",
			uri, "RSA-OAEP")
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

// The algorithms of RSA-OAEP by URI.
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

// hashOf returns the hash for the Algorithm of a DigestMethod or MGF element.
func hashOf(e xmltree.Element, allowed map[string]crypto.Hash) (crypto.Hash, error) {
	uri, _ := e.Attr("Algorithm")
	hash, ok := allowed[uri]
	if !ok {
		return 0, notAllowed("RSA-OAEP has a digest or mask function that is not allowed",
			uri, "SHA-256, SHA-1, SHA-384 or SHA-512")
	}
	return hash, nil
}

// maxLabel is the maximum size of an RSA-OAEP label in bytes. Toolkits leave it empty. It is
// limited because each use of a key hashes it, or sends it to the service that holds the key.
const maxLabel = 1 << 10

// readLabel reads the label (OAEPparams), which may be empty.
func readLabel(e xmltree.Element) ([]byte, error) {
	text, ok := e.Text()
	if !ok {
		return nil, structure("there is an element where only text is allowed", e)
	}
	if text == "" {
		return nil, nil
	}
	label, err := b64.Decode(text)
	if err != nil {
		return nil, structure("a value is not base64", e)
	}
	if len(label) > maxLabel {
		return nil, &fault.Fault{
			Code:    fault.Decryption,
			Message: "the label of RSA-OAEP is too long",
			Got:     fmt.Sprintf("%d bytes", len(label)),
			Want:    fmt.Sprintf("at most %d bytes", maxLabel),
		}
	}
	return label, nil
}

func notAllowed(message, got, want string) error {
	return &fault.Fault{
		Code:    fault.Decryption,
		Message: message,
		Got:     got,
		Want:    want,
		Hint:    "Set the identity provider's encryption to AES-256 with GCM and RSA-OAEP.",
	}
}

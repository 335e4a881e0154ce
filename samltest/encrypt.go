package samltest

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1" // registers the default hash of RSA-OAEP
	_ "crypto/sha256"
	_ "crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	"github.com/iomete/saml/internal/rsaoaep"
)

const (
	nsXEnc   = "http://www.w3.org/2001/04/xmlenc#"
	nsXEnc11 = "http://www.w3.org/2009/xmlenc11#"
)

// ContentAlgorithm is the URI of the algorithm that encrypts the element itself (XML Encryption
// 1.1, section 5.2).
type ContentAlgorithm string

const (
	AES128CBC    ContentAlgorithm = nsXEnc + "aes128-cbc"
	AES192CBC    ContentAlgorithm = nsXEnc + "aes192-cbc"
	AES256CBC    ContentAlgorithm = nsXEnc + "aes256-cbc"
	AES128GCM    ContentAlgorithm = nsXEnc11 + "aes128-gcm"
	AES192GCM    ContentAlgorithm = nsXEnc11 + "aes192-gcm"
	AES256GCM    ContentAlgorithm = nsXEnc11 + "aes256-gcm"
	TripleDESCBC ContentAlgorithm = nsXEnc + "tripledes-cbc" // service providers must refuse it
)

// KeyTransport is the URI of the algorithm that encrypts the content key (XML Encryption 1.1,
// section 5.5).
type KeyTransport string

const (
	RSAOAEPMGF1P KeyTransport = nsXEnc + "rsa-oaep-mgf1p" // the mask always uses SHA-1
	RSAOAEP      KeyTransport = nsXEnc11 + "rsa-oaep"
	RSA15        KeyTransport = nsXEnc + "rsa-1_5" // service providers must refuse it
)

// Encryption describes how an answer is encrypted (SAML Core 2.0, section 2.2.4). A field that is
// not set has the value that Microsoft's products use.
type Encryption struct {
	Certificates [][]byte // of the receivers, in DER, with RSA keys; required

	Content   ContentAlgorithm // default AES256CBC
	Transport KeyTransport     // default RSAOAEPMGF1P
	Digest    crypto.Hash      // of RSA-OAEP: SHA-1 (default), SHA-256, SHA-384 or SHA-512
	Mask      crypto.Hash      // of RSAOAEP only: SHA-1 (default), SHA-256, SHA-384 or SHA-512

	// Beside puts each EncryptedKey beside the EncryptedData instead of inside, named by a
	// RetrievalMethod, like Okta and Shibboleth.
	Beside bool
	// OuterNamespaces leaves namespace declarations outside of the encrypted text, like toolkits in
	// PHP.
	OuterNamespaces bool
	// NameIDOnly encrypts only the NameID, as an EncryptedID, and not the assertion.
	NameIDOnly bool
}

// encryptAll encrypts each element, see encrypt.
func (o Encryption) encryptAll(elements []*etree.Element, name string) error {
	for _, e := range elements {
		if err := o.encrypt(e, name); err != nil {
			return err
		}
	}
	return nil
}

// encrypt replaces e in its parent with an element of this name that holds e encrypted.
func (o Encryption) encrypt(e *etree.Element, name string) error {
	alone := e.Copy()
	if !o.OuterNamespaces {
		alone = detach(e)
	}
	doc := etree.NewDocument()
	doc.WriteSettings = etree.WriteSettings{CanonicalText: true, CanonicalAttrVal: true}
	doc.SetRoot(alone)
	plaintext, err := doc.WriteToBytes()
	if err != nil {
		return fmt.Errorf("samltest: %w", err)
	}
	wrapper := etree.NewElement(name)
	wrapper.Space = e.Space
	if e.Space == "" {
		wrapper.CreateAttr("xmlns", nsAssertion)
	}
	if err := o.fill(wrapper, plaintext); err != nil {
		return err
	}
	parent, at := e.Parent(), e.Index()
	parent.RemoveChildAt(at)
	parent.InsertChildAt(at, wrapper)
	return nil
}

// fill adds EncryptedData and the keys to wrapper (SAML Core 2.0, section 2.2.4).
func (o Encryption) fill(wrapper *etree.Element, plaintext []byte) error {
	if len(o.Certificates) == 0 {
		return errors.New("samltest: Encryption.Certificates is empty, " +
			"want the certificate of the service provider in DER")
	}
	if o.Content == "" {
		o.Content = AES256CBC
	}
	if o.Transport == "" {
		o.Transport = RSAOAEPMGF1P
	}
	key, ciphertext, err := o.Content.seal(plaintext)
	if err != nil {
		return err
	}
	data := wrapper.CreateElement("xenc:EncryptedData")
	data.CreateAttr("xmlns:xenc", nsXEnc)
	data.CreateAttr("Type", nsXEnc+"Element")
	data.CreateElement("xenc:EncryptionMethod").CreateAttr("Algorithm", string(o.Content))
	info := data.CreateElement("ds:KeyInfo")
	info.CreateAttr("xmlns:ds", dsig.Namespace)
	cipherData(data, "xenc", ciphertext)
	for i, certificate := range o.Certificates {
		encrypted, err := o.encryptedKey(certificate, key)
		if err != nil {
			return err
		}
		if !o.Beside {
			info.AddChild(encrypted)
			continue
		}
		id := fmt.Sprintf("_key-%d", i)
		encrypted.CreateAttr("Id", id)
		method := info.CreateElement("ds:RetrievalMethod")
		method.CreateAttr("Type", nsXEnc+"EncryptedKey")
		method.CreateAttr("URI", "#"+id)
		wrapper.AddChild(encrypted)
	}
	return nil
}

func cipherData(e *etree.Element, prefix string, octets []byte) {
	value := e.CreateElement(prefix + ":CipherData").CreateElement(prefix + ":CipherValue")
	value.SetText(base64.StdEncoding.EncodeToString(octets))
}

// encryptedKey encrypts the content key for the owner of a certificate.
func (o Encryption) encryptedKey(certificate, key []byte) (*etree.Element, error) {
	c, err := x509.ParseCertificate(certificate)
	if err != nil {
		return nil, fmt.Errorf("samltest: a certificate in Encryption.Certificates cannot be read, "+
			"want X.509 in DER: %w", err)
	}
	public, ok := c.PublicKey.(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("samltest: a certificate in Encryption.Certificates has a key of type %T, want RSA",
			c.PublicKey)
	}
	e := etree.NewElement("e:EncryptedKey")
	e.CreateAttr("xmlns:e", nsXEnc)
	method := e.CreateElement("e:EncryptionMethod")
	method.CreateAttr("Algorithm", string(o.Transport))
	var wrapped []byte
	if o.Transport == RSA15 {
		// weak: tests check that service providers refuse it
		wrapped, err = rsa.EncryptPKCS1v15(rand.Reader, public, key)
	} else {
		hash, mask := cmpHash(o.Digest), cmpHash(o.Mask)
		algorithm(method, "ds:DigestMethod", "ds", dsig.Namespace, digestURIs[hash])
		if o.Transport == RSAOAEP {
			algorithm(method, "xenc11:MGF", "xenc11", nsXEnc11, maskURIs[mask])
		}
		seed := make([]byte, hash.Size())
		rand.Read(seed) // never fails
		wrapped, err = rsaoaep.Encrypt(public, key, nil, seed, hash, mask)
	}
	if err != nil {
		return nil, fmt.Errorf("samltest: %w", err)
	}
	info := e.CreateElement("ds:KeyInfo")
	info.CreateAttr("xmlns:ds", dsig.Namespace)
	holder := info.CreateElement("ds:X509Data").CreateElement("ds:X509Certificate")
	holder.SetText(base64.StdEncoding.EncodeToString(certificate))
	cipherData(e, "e", wrapped)
	return e, nil
}

func algorithm(parent *etree.Element, name, prefix, space, uri string) {
	e := parent.CreateElement(name)
	e.CreateAttr("xmlns:"+prefix, space)
	e.CreateAttr("Algorithm", uri)
}

func cmpHash(h crypto.Hash) crypto.Hash {
	if h == 0 {
		return crypto.SHA1
	}
	return h
}

var (
	digestURIs = map[crypto.Hash]string{
		crypto.SHA1:   dsig.Namespace + "sha1",
		crypto.SHA256: nsXEnc + "sha256",
		crypto.SHA384: "http://www.w3.org/2001/04/xmldsig-more#sha384",
		crypto.SHA512: nsXEnc + "sha512",
	}
	maskURIs = map[crypto.Hash]string{
		crypto.SHA1:   nsXEnc11 + "mgf1sha1",
		crypto.SHA256: nsXEnc11 + "mgf1sha256",
		crypto.SHA384: nsXEnc11 + "mgf1sha384",
		crypto.SHA512: nsXEnc11 + "mgf1sha512",
	}
	keySizes = map[ContentAlgorithm]int{ // in bytes
		AES128CBC:    16,
		AES192CBC:    24,
		AES256CBC:    32,
		AES128GCM:    16,
		AES192GCM:    24,
		AES256GCM:    32,
		TripleDESCBC: 24,
	}
)

// seal encrypts plaintext with a fresh key. The ciphertext begins with the nonce or initialization
// vector.
func (a ContentAlgorithm) seal(plaintext []byte) (key, ciphertext []byte, err error) {
	size, ok := keySizes[a]
	if !ok {
		return nil, nil, fmt.Errorf("samltest: Encryption.Content is %q, "+
			"want a constant of type ContentAlgorithm such as AES256CBC", a)
	}
	key = make([]byte, size)
	rand.Read(key)
	var block cipher.Block
	if a == TripleDESCBC {
		block, err = des.NewTripleDESCipher(key)
	} else {
		block, err = aes.NewCipher(key)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("samltest: %w", err)
	}
	if a == AES128GCM || a == AES192GCM || a == AES256GCM {
		aead, err := cipher.NewGCM(block)
		if err != nil {
			return nil, nil, fmt.Errorf("samltest: %w", err)
		}
		nonce := make([]byte, aead.NonceSize())
		rand.Read(nonce)
		return key, aead.Seal(nonce, nonce, plaintext, nil), nil
	}
	n := block.BlockSize() - len(plaintext)%block.BlockSize()
	padding := make([]byte, n)
	rand.Read(padding)     // random, because only the last byte has a meaning
	padding[n-1] = byte(n) // the length of the padding
	padded := slices.Concat(plaintext, padding)
	ciphertext = make([]byte, block.BlockSize()+len(padded))
	iv, rest := ciphertext[:block.BlockSize()], ciphertext[block.BlockSize():]
	rand.Read(iv)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(rest, padded)
	return key, ciphertext, nil
}

package bench

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/beevik/etree"

	"github.com/iomete/saml/samltest"
)

// encrypted is what nobody can avoid who opens an encrypted assertion: base64 of both ciphertexts,
// RSA-OAEP with SHA-1 for the content key, and AES for the content.
type encrypted struct {
	key              *rsa.PrivateKey
	wrapped, content string // base64: the content key, the assertion
	decrypt          func(block cipher.Block, content []byte) ([]byte, error)
}

// takeOutEncrypted finds the ciphertexts in a response, and gives the assertion in them.
func takeOutEncrypted(response *etree.Element, key *rsa.PrivateKey) (*encrypted, *etree.Element, error) {
	data := response.FindElement("EncryptedAssertion/EncryptedData")
	wrapped := response.FindElement("EncryptedAssertion//EncryptedKey/CipherData/CipherValue")
	if data == nil || wrapped == nil {
		return nil, nil, errors.New("nothing is encrypted")
	}
	e := &encrypted{key: key, wrapped: wrapped.Text(), content: data.FindElement("CipherData/CipherValue").Text()}
	switch algorithm := data.FindElement("EncryptionMethod").SelectAttrValue("Algorithm", ""); {
	case algorithm == string(samltest.AES256GCM):
		e.decrypt = openGCM
	case strings.HasSuffix(algorithm, "-cbc"):
		e.decrypt = openCBC
	default:
		return nil, nil, errors.New("the floor does not know " + algorithm)
	}
	plaintext, err := e.open()
	if err != nil {
		return nil, nil, err
	}
	assertion, err := parse(plaintext)
	return e, assertion, err
}

func (e *encrypted) open() ([]byte, error) {
	wrapped, err := base64.StdEncoding.DecodeString(e.wrapped)
	if err != nil {
		return nil, err
	}
	contentKey, err := rsa.DecryptOAEP(sha1.New(), nil, e.key, wrapped, nil)
	if err != nil {
		return nil, err
	}
	content, err := base64.StdEncoding.DecodeString(e.content)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(contentKey)
	if err != nil {
		return nil, err
	}
	return e.decrypt(block, content)
}

func openGCM(block cipher.Block, content []byte) ([]byte, error) {
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return aead.Open(nil, content[:12], content[12:], nil)
}

// openCBC takes the padding off as XML Encryption 1.1 (section 5.2) writes it: the last byte says how
// much there is.
func openCBC(block cipher.Block, content []byte) ([]byte, error) {
	plaintext := make([]byte, len(content)-aes.BlockSize)
	cipher.NewCBCDecrypter(block, content[:aes.BlockSize]).CryptBlocks(plaintext, content[aes.BlockSize:])
	padding := int(plaintext[len(plaintext)-1])
	if padding < 1 || padding > aes.BlockSize {
		return nil, errWrong
	}
	return plaintext[:len(plaintext)-padding], nil
}

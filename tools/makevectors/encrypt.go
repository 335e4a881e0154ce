package main

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/rsa"
	"crypto/sha256"
	_ "crypto/sha512"
	"encoding/base64"
	"fmt"
	"math/big"
	"path/filepath"
	"strings"

	"github.com/iomete/saml/internal/rsaoaep"
)

const (
	nsXEnc11 = "http://www.w3.org/2009/xmlenc11#"

	oaepMGF1P = nsXEnc + "rsa-oaep-mgf1p"
	oaep      = nsXEnc11 + "rsa-oaep"
	rsa15     = nsXEnc + "rsa-1_5"
	aes256CBC = nsXEnc + "aes256-cbc"
	aes256GCM = nsXEnc11 + "aes256-gcm"
)

// An encryption says how an element is encrypted. The zero value is what Microsoft's products send:
// AES-256-CBC, the key for spA by RSA-OAEP with SHA-1, inside the KeyInfo.
type encryption struct {
	element    string      // local name, "" for Assertion
	content    string      // algorithm, "" for AES-256-CBC
	keySize    int         // of the content key, 0 for that of the algorithm
	recipients []recipient // nil for spA
	beside     bool        // the EncryptedKeys stand beside EncryptedData
	retrieval  string      // URI of a RetrievalMethod in KeyInfo, "" for none
	bare       bool        // no Type
	prefix     string      // of EncryptedAssertion and the other names of SAML outside

	plaintext edit                // changes what is encrypted
	octets    func([]byte) []byte // changes the ciphertext
	padding   func(n int) []byte  // makes n bytes of padding for CBC, nil for the usual
	judged    bool                // xmlsec1 must decrypt it
}

// A recipient has the content key encrypted for it.
type recipient struct {
	key        string      // "" for spA
	transport  string      // "" for RSA-OAEP with MGF1 and SHA-1
	parameters string      // content of EncryptionMethod
	hash, mask crypto.Hash // 0 for SHA-1
	label      string
	id         string
	wrapped    func([]byte) []byte // changes the encrypted key
}

// drawn is n octets that are the same whenever they are drawn for the same purpose.
func drawn(n int, purpose string) []byte {
	var out []byte
	for i := 0; len(out) < n; i++ {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", purpose, i))
		out = append(out, sum[:]...)
	}
	return out[:n]
}

// encrypt replaces the element by EncryptedAssertion or EncryptedID.
func (b *builder) encrypt(text string, e encryption) (string, error) {
	element := e.element
	if element == "" {
		element = "Assertion"
	}
	start, end := "<"+e.prefix+element+" ", "</"+e.prefix+element+">"
	clear, err := part(text, start, end)
	if err != nil {
		return "", err
	}
	plaintext := clear
	if e.plaintext != nil {
		if plaintext, err = e.plaintext(plaintext); err != nil {
			return "", err
		}
	}
	encrypted, err := b.encrypted(plaintext, e)
	if err != nil {
		return "", err
	}
	name := e.prefix + map[string]string{"Assertion": "EncryptedAssertion", "NameID": "EncryptedID"}[element]
	declaration := ""
	if e.prefix == "" && element == "Assertion" {
		declaration = ` xmlns="` + nsAssertion + `"`
	}
	return strings.Replace(text, clear, "<"+name+declaration+">"+encrypted+"</"+name+">", 1), nil
}

// encrypted writes EncryptedData and what stands beside it.
func (b *builder) encrypted(plaintext string, e encryption) (string, error) {
	content := e.content
	if content == "" {
		content = aes256CBC
	}
	size := e.keySize
	if size == 0 {
		size = map[string]int{"128": 16, "192": 24, "256": 32,
			"led": 24}[content[strings.LastIndexByte(content, '#')+1:][3:6]]
		if strings.HasPrefix(content, nsXEnc+"tripledes") {
			size = 24
		}
	}
	contentKey := drawn(size, "content key for "+plaintext)
	octets, err := seal(content, contentKey, []byte(plaintext), e.padding)
	if err != nil {
		return "", err
	}
	if e.octets != nil {
		octets = e.octets(octets)
	}
	recipients := e.recipients
	if recipients == nil {
		recipients = []recipient{{}}
	}
	var keys strings.Builder
	for _, r := range recipients {
		text, err := b.encryptedKey(r, contentKey)
		if err != nil {
			return "", err
		}
		keys.WriteString(text)
	}
	kind := ` Type="` + nsXEnc + `Element"`
	if e.bare {
		kind = ""
	}
	inside, beside := keys.String(), ""
	if e.beside {
		inside, beside = "", inside
	}
	if e.retrieval != "" {
		inside += `<RetrievalMethod Type="` + nsXEnc + `EncryptedKey" URI="` + e.retrieval + `"/>`
	}
	info := ""
	if inside != "" {
		info = `<KeyInfo xmlns="` + nsDSig + `">` + inside + `</KeyInfo>`
	}
	return `<xenc:EncryptedData xmlns:xenc="` + nsXEnc + `"` + kind + `><xenc:EncryptionMethod Algorithm="` +
		content + `"/>` + info +
		`<xenc:CipherData><xenc:CipherValue>` + base64.StdEncoding.EncodeToString(octets) +
		`</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>` + beside, nil
}

func (b *builder) encryptedKey(r recipient, contentKey []byte) (string, error) {
	if r.key == "" {
		r.key = spA
	}
	if r.transport == "" {
		r.transport = oaepMGF1P
		if r.parameters == "" {
			r.parameters = `<DigestMethod xmlns="` + nsDSig + `" Algorithm="` + nsDSig + `sha1"/>`
		}
	}
	public, ok := b.keys[r.key].private.Public().(*rsa.PublicKey)
	if !ok {
		return "", fmt.Errorf("%s is not an RSA key", r.key)
	}
	var wrapped []byte
	if r.transport == rsa15 {
		wrapped = wrap15(public, contentKey)
	} else {
		hash := orSHA1(r.hash) // crypto/rsa would draw the seed itself, another one each time
		var err error
		wrapped, err = rsaoaep.Encrypt(public, contentKey, []byte(r.label),
			drawn(hash.Size(), "seed for "+string(contentKey)), hash, orSHA1(r.mask))
		if err != nil {
			return "", err
		}
	}
	if r.wrapped != nil {
		wrapped = r.wrapped(wrapped)
	}
	id := ""
	if r.id != "" {
		id = ` Id="` + r.id + `"`
	}
	return `<e:EncryptedKey xmlns:e="` + nsXEnc + `"` + id + `><e:EncryptionMethod Algorithm="` + r.transport + `">` +
		r.parameters + `</e:EncryptionMethod>` +
		`<KeyInfo xmlns="` + nsDSig + `"><X509Data><X509Certificate>` + b.keys[r.key].certificate +
		`</X509Certificate></X509Data></KeyInfo>` +
		`<e:CipherData><e:CipherValue>` + base64.StdEncoding.EncodeToString(wrapped) +
		`</e:CipherValue></e:CipherData></e:EncryptedKey>`, nil
}

func orSHA1(h crypto.Hash) crypto.Hash {
	if h == 0 {
		return crypto.SHA1
	}
	return h
}

// seal encrypts by XML Encryption 1.1 §5.2.
func seal(algorithm string, key, plaintext []byte, padding func(n int) []byte) ([]byte, error) {
	var block cipher.Block
	var err error
	if strings.Contains(algorithm, "tripledes") {
		block, err = des.NewTripleDESCipher(key)
	} else {
		block, err = aes.NewCipher(key)
	}
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(algorithm, "-gcm") {
		aead, err := cipher.NewGCM(block)
		if err != nil {
			return nil, err
		}
		nonce := drawn(aead.NonceSize(), "nonce under "+string(key))
		return aead.Seal(nonce, nonce, plaintext, nil), nil
	}
	n := block.BlockSize() - len(plaintext)%block.BlockSize()
	if padding == nil {
		padding = func(n int) []byte {
			p := drawn(n, "padding under "+string(key))
			p[n-1] = byte(n)
			return p
		}
	}
	iv := drawn(block.BlockSize(), "iv under "+string(key))
	padded := append(bytes.Clone(plaintext), padding(n)...)
	out := make([]byte, len(padded))
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(out, padded)
	return append(iv, out...), nil
}

// wrap15 is the padding of PKCS #1 v1.5 (RFC 8017 §7.2.1).
func wrap15(public *rsa.PublicKey, message []byte) []byte {
	padding := drawn(public.Size()-len(message)-3, "padding for "+string(message))
	for i := range padding {
		padding[i] |= 1 // none is zero
	}
	return raise(public, bytes.Join([][]byte{{0, 2}, padding, {0}, message}, nil))
}

func raise(public *rsa.PublicKey, encoded []byte) []byte {
	m := new(big.Int).SetBytes(encoded)
	return m.Exp(m, big.NewInt(int64(public.E)), public.N).FillBytes(make([]byte, public.Size()))
}

// decrypt asks xmlsec1 whether it finds in the message what was encrypted.
func (b *builder) decrypt(message, want string) error {
	out, err := b.xmlsecAlone("--decrypt", message, "--privkey-pem", filepath.Join(b.dir, keyFile(spA)),
		"--id-attr:Id", nsXEnc+":EncryptedKey")
	if err != nil {
		return err
	}
	if !strings.Contains(out, want) {
		return fmt.Errorf("xmlsec1 decrypted something else:\n%.300s", out)
	}
	return nil
}

// Package xmlenc decrypts what XML Encryption encrypted, in the profile that SAML needs (SAML Core 2.0 §6): one EncryptedData whose key is
// encrypted for us by RSA-OAEP. What comes out are hostile bytes again: that they could be decrypted proves nothing, since everybody has
// the public key.
//
// Whether a key fits, a padding is right or a plaintext makes sense must not show from outside: all of it is one Failed. What is wrong with
// the structure, and algorithms that are not allowed, can be read without a key, and is said.
package xmlenc

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"slices"
	"strings"

	"github.com/iomete/saml/internal/b64"
	"github.com/iomete/saml/internal/fault"
	"github.com/iomete/saml/internal/xmltree"
)

const (
	// maxEncryptedKeys is for how many recipients one content key may be encrypted. Each costs an RSA operation for each of our keys.
	maxEncryptedKeys = 2
)

// MaxCalls returns how often one message may use n private keys: each key for two EncryptedKeys of an assertion, and two calls more for a NameID in
// it, because the key that fitted the assertion is tried first. A key may live in a service that charges for each use, or allows few.
func MaxCalls(n int) int { return maxEncryptedKeys * (n + 1) }

// Keys are the private keys for one message, and how often they may still be used. Nil has none. It is not safe for concurrent use.
type Keys struct {
	list  []crypto.Decrypter
	calls int // that are left
}

// ForMessage returns the keys for one message. They hold RSA keys, and are tried in order.
func ForMessage(keys []crypto.Decrypter) *Keys {
	return &Keys{slices.Clone(keys), MaxCalls(len(keys))}
}

// None reports whether there is no key.
func (k *Keys) None() bool { return k == nil || len(k.list) == 0 }

// Failed is what went wrong once a key was used, whatever it was.
func Failed() error {
	return fault.New(fault.Decryption, "what is encrypted cannot be decrypted, or is not one element that a trusted certificate signed")
}

// Decrypt returns the octets that were encrypted in parent, a saml:EncryptedAssertion or saml:EncryptedID. Errors are *fault.Fault with the
// code Decryption.
func Decrypt(parent xmltree.Element, keys *Keys) ([]byte, error) {
	e, err := readEncrypted(parent)
	if err != nil {
		return nil, err
	}
	if keys.None() {
		return nil, Failed()
	}
	for i, key := range keys.list {
		if plaintext, ok := e.open(key, &keys.calls); ok {
			copy(keys.list[1:], keys.list[:i]) // what else is encrypted in the message is most likely for the same key
			keys.list[0] = key
			return plaintext, nil
		}
	}
	return nil, Failed()
}

// open decrypts the content with key, which it uses at most calls times.
func (e encrypted) open(key crypto.Decrypter, calls *int) ([]byte, bool) {
	public, ok := key.Public().(*rsa.PublicKey)
	if !ok {
		return nil, false
	}
	for _, wrapped := range e.keys {
		if len(wrapped.ciphertext) != public.Size() || *calls == 0 {
			continue
		}
		*calls--
		contentKey, err := key.Decrypt(rand.Reader, wrapped.ciphertext, &wrapped.transport)
		if err != nil || len(contentKey) != e.content.keySize {
			continue
		}
		if plaintext, ok := e.content.open(contentKey, e.ciphertext); ok {
			return plaintext, true
		}
	}
	return nil, false
}

// encrypted is an encrypted element taken apart.
type encrypted struct {
	content    contentMethod
	ciphertext []byte
	keys       []encryptedKey
}

// An encryptedKey is a content key, encrypted for somebody.
type encryptedKey struct {
	transport  rsa.OAEPOptions
	ciphertext []byte
}

// readEncrypted takes apart the children of an element of SAML's EncryptedElementType (SAML Core 2.0 §2.2.4): one EncryptedData, and the
// EncryptedKeys that stand beside it.
func readEncrypted(parent xmltree.Element) (e encrypted, err error) {
	var data xmltree.Element
	var keys []xmltree.Element
	for c := range parent.Children() {
		switch {
		case c.Is(xmltree.NSXEnc, "EncryptedData") && !data.Exists():
			data = c
		case c.Is(xmltree.NSXEnc, "EncryptedKey") && data.Exists():
			if len(keys) == maxEncryptedKeys {
				return e, numberOfKeys()
			}
			keys = append(keys, c)
		default:
			return e, structure("an element is repeated, out of order or not allowed", c)
		}
	}
	if !data.Exists() || !parent.OnlyElements() {
		return e, structure("there is not one EncryptedData and the keys for it", parent)
	}
	if kind, present := data.Attr("Type"); present && kind != xmltree.NSXEnc+"Element" {
		return e, &fault.Fault{Code: fault.Decryption, Message: "something else than an element is encrypted", Got: kind, Want: xmltree.NSXEnc + "Element"}
	}
	method, keyInfo, ciphertext, err := readEncryptedType(data)
	if err != nil {
		return e, err
	}
	if e.content, err = readContentMethod(method); err != nil {
		return e, err
	}
	e.ciphertext = ciphertext
	inside, err := keysInside(keyInfo, keys)
	if err != nil {
		return e, err
	}
	if keys = append(inside, keys...); len(keys) == 0 || len(keys) > maxEncryptedKeys {
		return e, numberOfKeys()
	}
	for _, k := range keys {
		if err := e.addKey(k); err != nil {
			return e, err
		}
	}
	return e, nil
}

func (e *encrypted) addKey(element xmltree.Element) error {
	method, _, ciphertext, err := readEncryptedType(element)
	if err != nil {
		return err
	}
	transport, err := readTransport(method)
	if err != nil {
		return err
	}
	e.keys = append(e.keys, encryptedKey{transport, ciphertext})
	return nil
}

func numberOfKeys() error {
	return &fault.Fault{Code: fault.Decryption, Message: "there is no EncryptedKey, or too many", Want: "one or two"}
}

// keysInside returns the EncryptedKeys in the ds:KeyInfo of EncryptedData. A RetrievalMethod there must point at one of those beside it;
// those are tried anyway. Anything else in KeyInfo only names the key.
//
// A stranger chooses how many RetrievalMethods there are and how long an Id is, so the few Ids are read once.
func keysInside(keyInfo xmltree.Element, beside []xmltree.Element) (list []xmltree.Element, err error) {
	if !keyInfo.Exists() {
		return nil, nil
	}
	ids := idsOf(beside)
	for c := range keyInfo.Children() {
		switch {
		case c.Is(xmltree.NSXEnc, "EncryptedKey"):
			if len(list) == maxEncryptedKeys {
				return nil, numberOfKeys()
			}
			list = append(list, c)
		case c.Is(xmltree.NSDSig, "RetrievalMethod"):
			uri, _ := c.Attr("URI")
			if id, local := strings.CutPrefix(uri, "#"); !local || !slices.Contains(ids, id) {
				return nil, &fault.Fault{Code: fault.Decryption, Message: "the key is to be fetched from another place than beside what it decrypts",
					Got: uri, Want: "# and the Id of an EncryptedKey in the same element"}
			}
		}
	}
	return list, nil
}

// idsOf returns the Ids of those elements that have one.
func idsOf(elements []xmltree.Element) (ids []string) {
	for _, e := range elements {
		if id, ok := e.Attr("Id"); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

// readEncryptedType reads what EncryptedData and EncryptedKey have in common (XML Encryption 1.1 §3.1): method, key, and the octets, which
// stand there and nowhere else.
func readEncryptedType(e xmltree.Element) (method, keyInfo xmltree.Element, ciphertext []byte, err error) {
	var data xmltree.Element
	for c := range e.Children() {
		switch {
		case c.Is(xmltree.NSXEnc, "EncryptionMethod") && !method.Exists() && !keyInfo.Exists() && !data.Exists():
			method = c
		case c.Is(xmltree.NSDSig, "KeyInfo") && !keyInfo.Exists() && !data.Exists():
			keyInfo = c
		case c.Is(xmltree.NSXEnc, "CipherData") && !data.Exists():
			data = c
		case data.Exists() && (c.Is(xmltree.NSXEnc, "EncryptionProperties") ||
			e.Local() == "EncryptedKey" && (c.Is(xmltree.NSXEnc, "ReferenceList") || c.Is(xmltree.NSXEnc, "CarriedKeyName"))):
		default:
			return method, keyInfo, nil, structure("an element is repeated, out of order or not allowed", c)
		}
	}
	if !method.Exists() || !data.Exists() || !e.OnlyElements() {
		return method, keyInfo, nil, structure("there is not one EncryptionMethod and one CipherData", e)
	}
	ciphertext, err = readCipherData(data)
	return method, keyInfo, ciphertext, err
}

func readCipherData(e xmltree.Element) ([]byte, error) {
	var value xmltree.Element
	for c := range e.Children() {
		if value.Exists() || !c.Is(xmltree.NSXEnc, "CipherValue") {
			return nil, structure("the octets stand elsewhere than in one CipherValue", c)
		}
		value = c
	}
	if !value.Exists() || !e.OnlyElements() {
		return nil, structure("the octets stand elsewhere than in one CipherValue", e)
	}
	text, _ := value.Text() // "", which is no base64, if there is an element
	octets, err := b64.Decode(text)
	if err != nil {
		return nil, structure("a value is not base64", value)
	}
	return octets, nil
}

func structure(message string, at xmltree.Element) error {
	return &fault.Fault{Code: fault.Decryption, Message: message, Got: at.Local()}
}

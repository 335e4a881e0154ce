// Package xmlenc decrypts XML Encryption 1.1 in the profile that SAML needs (SAML Core 2.0 §6): one
// EncryptedData whose content key is encrypted for us with RSA-OAEP. The plaintext is hostile input
// again. That it could be decrypted proves nothing, because anyone can encrypt with our public key.
//
// An attacker must not learn whether a key matches, a padding is right or a plaintext makes sense
// (padding oracle, chosen ciphertext attack). So all of these are the same error, Failed. A wrong
// structure and a forbidden algorithm can be seen without a key, so their errors say what is wrong.
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

// maxEncryptedKeys is the maximum number of recipients of one content key. Each one costs an RSA
// operation with each of our keys.
const maxEncryptedKeys = 2

// MaxCalls returns how often one message may use n private keys in total. An assertion can need
// every key for two EncryptedKeys. An encrypted NameID in it needs only two calls more, because the
// key that opened the assertion is tried first. The limit matters if a key is in a service that
// charges for each use or allows few.
func MaxCalls(n int) int { return maxEncryptedKeys * (n + 1) }

// Keys holds the private keys for one message, and how often they may still be used. A nil *Keys
// holds no key. It is not safe for concurrent use.
type Keys struct {
	list      []crypto.Decrypter
	calls     int // how many are left
	refuseCBC bool
	// the only algorithms to allow, out of those that are allowed anyway; empty: all of them
	contents, transports []string
}

// ForMessage returns the Keys for one message. keys are RSA keys; others never match. They are
// tried in order, at most MaxCalls(len(keys)) times in total. The slice is copied.
func ForMessage(keys []crypto.Decrypter) *Keys {
	return &Keys{list: slices.Clone(keys), calls: MaxCalls(len(keys))}
}

// RefuseCBC makes Decrypt refuse AES-CBC, without using a key. It is for messages in which anyone may
// have changed the ciphertext.
func (k *Keys) RefuseCBC() { k.refuseCBC = true }

// Only makes Decrypt refuse algorithms for the content and for the content key that are not among
// these, without using a key. An empty list refuses none.
func (k *Keys) Only(contents, transports []string) { k.contents, k.transports = contents, transports }

// None reports whether there is no key.
func (k *Keys) None() bool { return k == nil || len(k.list) == 0 }

// Failed returns the one error for everything that can go wrong after a key is used. It must not
// say more: an attacker could learn about the plaintext from it.
func Failed() error {
	return fault.New(fault.Decryption, "the encrypted content cannot be decrypted with our keys, "+
		"or it is not one element that a trusted certificate signed")
}

// Decrypt returns the bytes that were encrypted in parent, a saml:EncryptedAssertion or
// saml:EncryptedID. All errors are *fault.Fault with the code Decryption or, for AES-CBC where it is
// refused, CBCRefused. If a key was used, or there is none, the error is Failed.
func Decrypt(parent xmltree.Element, keys *Keys) ([]byte, error) {
	e, err := readEncrypted(parent)
	if err != nil {
		return nil, err
	}
	if keys.None() {
		return nil, Failed()
	}
	if keys.refuseCBC && e.content.cbc {
		return nil, &fault.Fault{
			Code:    fault.CBCRefused,
			Message: "the content is encrypted with AES-CBC, and the message around it is not signed",
			Want:    "AES-GCM, or a signature of the message itself (Config.RefuseCBC)",
		}
	}
	if err := keys.allow(e); err != nil {
		return nil, err
	}
	for i, key := range keys.list {
		if plaintext, ok := e.open(key, &keys.calls); ok {
			// Move the key to the front: anything else in the message is most likely encrypted for
			// it too.
			copy(keys.list[1:], keys.list[:i])
			keys.list[0] = key
			return plaintext, nil
		}
	}
	return nil, Failed()
}

// allow refuses the algorithms that Only leaves out. Both of two EncryptedKeys count: either may be
// the one for us.
func (k *Keys) allow(e encrypted) error {
	err := fault.NotAmong(k.contents, e.content.uri, fault.Decryption)
	for _, wrapped := range e.keys {
		if err == nil {
			err = fault.NotAmong(k.transports, wrapped.uri, fault.Decryption)
		}
	}
	return err
}

// open decrypts the content with key. Each use of the key takes one of calls; at zero it gives up.
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

// encrypted holds the parts of an encrypted element.
type encrypted struct {
	content    contentMethod
	ciphertext []byte
	keys       []encryptedKey
}

// An encryptedKey is a content key that is encrypted for one recipient, who may be us.
type encryptedKey struct {
	uri        string // of the algorithm
	transport  rsa.OAEPOptions
	ciphertext []byte
}

// readEncrypted reads an element of SAML's EncryptedElementType (SAML Core 2.0 §2.2.4): one
// EncryptedData, then the EncryptedKeys beside it. Keys may be inside EncryptedData too.
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
		return e, structure("there must be one EncryptedData, followed by the keys for it", parent)
	}
	if kind, present := data.Attr("Type"); present && kind != xmltree.NSXEnc+"Element" {
		return e, &fault.Fault{
			Code:    fault.Decryption,
			Message: "the encrypted content is not an element",
			Got:     kind,
			Want:    xmltree.NSXEnc + "Element",
		}
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

// addKey reads an EncryptedKey.
func (e *encrypted) addKey(element xmltree.Element) error {
	method, _, ciphertext, err := readEncryptedType(element)
	if err != nil {
		return err
	}
	transport, err := readTransport(method)
	if err != nil {
		return err
	}
	uri, _ := method.Attr("Algorithm")
	e.keys = append(e.keys, encryptedKey{uri, transport, ciphertext})
	return nil
}

func numberOfKeys() error {
	return &fault.Fault{
		Code:    fault.Decryption,
		Message: "there is no EncryptedKey, or there are too many",
		Want:    "one or two",
	}
}

// keysInside returns the EncryptedKeys in the ds:KeyInfo of EncryptedData. A RetrievalMethod must
// refer to one of the keys beside EncryptedData, which are tried anyway; nothing is ever fetched
// (SSRF). Anything else in KeyInfo only names the key.
//
// The sender decides how many RetrievalMethods there are and how long an Id is, so each Id is read
// only once.
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
				return nil, &fault.Fault{
					Code:    fault.Decryption,
					Message: "a RetrievalMethod does not refer to an EncryptedKey beside the EncryptedData",
					Got:     uri,
					Want:    "# followed by the Id of an EncryptedKey in the same element",
				}
			}
		}
	}
	return list, nil
}

// idsOf returns the Ids of the elements that have one.
func idsOf(elements []xmltree.Element) (ids []string) {
	for _, e := range elements {
		if id, ok := e.Attr("Id"); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

// readEncryptedType reads what EncryptedData and EncryptedKey have in common (XML Encryption 1.1
// §3.1): EncryptionMethod, KeyInfo (optional) and the bytes in CipherData. The bytes must be in the
// element itself; a CipherReference is refused.
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
			e.Local() == "EncryptedKey" &&
				(c.Is(xmltree.NSXEnc, "ReferenceList") || c.Is(xmltree.NSXEnc, "CarriedKeyName"))):
			// allowed by the schema, and not needed
		default:
			return method, keyInfo, nil, structure("an element is repeated, out of order or not allowed", c)
		}
	}
	if !method.Exists() || !data.Exists() || !e.OnlyElements() {
		return method, keyInfo, nil, structure("there must be one EncryptionMethod and one CipherData", e)
	}
	ciphertext, err = readCipherData(data)
	return method, keyInfo, ciphertext, err
}

// readCipherData returns the bytes of a CipherData.
func readCipherData(e xmltree.Element) ([]byte, error) {
	var value xmltree.Element
	for c := range e.Children() {
		if value.Exists() || !c.Is(xmltree.NSXEnc, "CipherValue") {
			return nil, structure("the encrypted bytes must be in exactly one CipherValue", c)
		}
		value = c
	}
	if !value.Exists() || !e.OnlyElements() {
		return nil, structure("the encrypted bytes must be in exactly one CipherValue", e)
	}
	text, _ := value.Text() // "" if there is a child element; Decode refuses that
	octets, err := b64.Decode(text)
	if err != nil {
		return nil, structure("a value is not base64", value)
	}
	return octets, nil
}

// structure returns the fault for an encrypted element that is not built as it must be; it names
// the element.
func structure(message string, at xmltree.Element) error {
	return &fault.Fault{Code: fault.Decryption, Message: message, Got: at.Local()}
}

// Package seal encrypts and authenticates values that others keep for us, such as the browser
// (cookies) or a database, with AES-256-GCM. Each seal has its own key, derived with HKDF-SHA256 (RFC 5869) from a
// long-lived key, the purpose and a random salt. So there is no limit on how many values one
// long-lived key may seal.
//
// A sealed value is, before the base64url of Seal: 1 byte version, 24 bytes salt, the ciphertext, 16 bytes tag.
package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
)

const (
	// KeySize is the length of a long-lived key, in bytes.
	KeySize = 32

	version  = 1
	saltSize = 24
	overhead = 1 + saltSize + 16
	maxText  = 32 << 10 // bytes of a sealed value: an address of 8 KiB, each byte of which JSON may double; cookies are smaller

	// TagSize is the length of a tag, in bytes.
	TagSize = 16
)

// WantKey is what a long-lived key must be, for messages.
const WantKey = "exactly 32 random bytes"

// KeyFault says what is wrong with a long-lived key, "" if nothing is: another length than KeySize,
// the same byte all over, such as zero, or text. The base64 or hexadecimal text of a key is not the
// key, and a pass phrase can be guessed. Of random keys, one in 10^13 is taken for text.
func KeyFault(key []byte) string {
	isText := true
	for _, c := range key {
		isText = isText && 0x20 <= c && c <= 0x7E
	}
	n := len(key)
	switch {
	case isText && (n == 43 || n == 44):
		return fmt.Sprintf("has %d bytes and looks like the base64 text of a key, which must be decoded first", n)
	case isText && n == 2*KeySize:
		return fmt.Sprintf("has %d bytes and looks like the hexadecimal text of a key, which must be decoded first", n)
	case n != KeySize:
		return fmt.Sprintf("has %d bytes", n)
	case isText:
		return "is text, which can be guessed more easily than random bytes"
	case bytes.Count(key, key[:1]) == n && key[0] == 0:
		return "has only zero bytes: it was never filled"
	case bytes.Count(key, key[:1]) == n:
		return "has the same byte all over"
	}
	return ""
}

// A Context is what a seal is bound to. A sealed value opens only with the Context that it was
// sealed with, so a value of one tenant, cookie or purpose is useless in another.
type Context struct {
	Purpose  string // what the value is for; it also goes into the derived key
	Name     string // of the cookie, or the key of the database's row
	Tenant   string // "" without tenants
	EntityID string // of the service provider
}

// associated returns the additional authenticated data: each field after its length, so that no two
// contexts give the same bytes.
func (c Context) associated() []byte {
	var b []byte
	for _, field := range []string{c.Purpose, c.Name, c.Tenant, c.EntityID} {
		b = binary.BigEndian.AppendUint64(b, uint64(len(field)))
		b = append(b, field...)
	}
	return b
}

// A Sealer holds the long-lived keys, KeySize random bytes each. The first one seals, all of them
// open; that is how keys are changed without losing what was sealed before.
type Sealer struct{ Keys [][]byte }

var text = base64.RawURLEncoding.Strict()

// Seal returns the sealed plaintext as base64url without padding. It panics if there is no key.
func (s Sealer) Seal(c Context, plaintext []byte) string {
	return text.EncodeToString(s.SealBytes(c, plaintext))
}

// SealBytes returns the sealed plaintext. It panics if there is no key.
func (s Sealer) SealBytes(c Context, plaintext []byte) []byte {
	box := make([]byte, 1+saltSize, overhead+len(plaintext))
	box[0] = version
	rand.Read(box[1:])
	return aead(s.Keys[0], box[1:], c).Seal(box, make([]byte, 12), plaintext, c.associated())
}

// Open returns the plaintext and true if sealed was made by Seal in the same Context with one of
// the keys. Otherwise it returns nil and false, for every reason alike.
func (s Sealer) Open(c Context, sealed string) ([]byte, bool) {
	if len(sealed) > maxText {
		return nil, false
	}
	for i := range len(sealed) {
		if sealed[i] == '\r' || sealed[i] == '\n' { // the decoder would skip these
			return nil, false
		}
	}
	box, err := text.DecodeString(sealed)
	if err != nil {
		return nil, false
	}
	return s.OpenBytes(c, box)
}

// OpenBytes is Open for what SealBytes made. The caller bounds its length.
func (s Sealer) OpenBytes(c Context, box []byte) ([]byte, bool) {
	if len(box) < overhead || box[0] != version {
		return nil, false
	}
	for _, key := range s.Keys {
		salt := box[1 : 1+saltSize]
		plaintext, err := aead(key, salt, c).Open(nil, make([]byte, 12), box[1+saltSize:], c.associated())
		if err == nil {
			return plaintext, true
		}
	}
	return nil, false
}

// aead returns the cipher of one seal. Its key encrypts exactly one message, so it is safe that the
// nonce is always zero.
func aead(key, salt []byte, c Context) cipher.AEAD {
	derived, err := hkdf.Key(sha256.New, key, salt, c.Purpose, 32)
	if err != nil {
		panic(err) // only if more bytes are asked for than HKDF has
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		panic(err) // only for key lengths other than 32
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // only for block sizes other than that of AES
	}
	return gcm
}

// Tag returns the first TagSize bytes of HMAC-SHA256 over data. Like a seal it is bound to c, but it
// hides nothing. It panics if there is no key.
func (s Sealer) Tag(c Context, data []byte) []byte { return tag(s.Keys[0], c, data) }

// Tagged reports whether t is the Tag of data, made in the same Context with one of the keys.
func (s Sealer) Tagged(c Context, data, t []byte) bool {
	for _, key := range s.Keys {
		if hmac.Equal(tag(key, c, data), t) {
			return true
		}
	}
	return false
}

// tag uses a key of its own for each purpose, which no seal has: the derivation has no salt.
func tag(key []byte, c Context, data []byte) []byte {
	derived, err := hkdf.Key(sha256.New, key, nil, "tag of "+c.Purpose, 32)
	if err != nil {
		panic(err) // only if more bytes are asked for than HKDF has
	}
	h := hmac.New(sha256.New, derived)
	h.Write(c.associated()) // fields with their lengths in front, so that data begins at one place only
	h.Write(data)
	return h.Sum(nil)[:TagSize]
}

// Package seal encrypts and authenticates small values that travel with the browser. Each seal has a key of its own, derived
// by HKDF-SHA256 from a long-lived key, the purpose and a random salt, so that no number of seals wears a key out.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
)

const (
	// KeySize is the length of a long-lived key in bytes.
	KeySize = 32

	version  = 1
	saltSize = 24
	overhead = 1 + saltSize + 16
	maxText  = 8 << 10 // cookies are smaller
)

// A Context is what a seal is bound to: it opens with exactly the Context that it was made with.
type Context struct {
	Purpose  string // what the value is for
	Name     string // the cookie
	Tenant   string
	EntityID string // of the service provider
}

// associated lists the fields with their lengths, so that no two contexts give the same bytes.
func (c Context) associated() []byte {
	var b []byte
	for _, field := range []string{c.Purpose, c.Name, c.Tenant, c.EntityID} {
		b = binary.BigEndian.AppendUint64(b, uint64(len(field)))
		b = append(b, field...)
	}
	return b
}

// A Sealer holds the long-lived keys: the first seals, all open.
type Sealer struct{ Keys [][]byte }

var text = base64.RawURLEncoding.Strict()

// Seal returns plaintext sealed, as base64url without padding.
func (s Sealer) Seal(c Context, plaintext []byte) string {
	box := make([]byte, 1+saltSize, overhead+len(plaintext))
	box[0] = version
	rand.Read(box[1:])
	box = aead(s.Keys[0], box[1:], c).Seal(box, make([]byte, 12), plaintext, c.associated())
	return text.EncodeToString(box)
}

// Open returns what was sealed in the same Context with one of the keys, and whether there was such a thing.
func (s Sealer) Open(c Context, sealed string) ([]byte, bool) {
	if len(sealed) > maxText {
		return nil, false
	}
	for i := range len(sealed) {
		if sealed[i] == '\r' || sealed[i] == '\n' { // which the decoder would skip
			return nil, false
		}
	}
	box, err := text.DecodeString(sealed)
	if err != nil || len(box) < overhead || box[0] != version {
		return nil, false
	}
	for _, key := range s.Keys {
		salt := box[1 : 1+saltSize]
		if plaintext, err := aead(key, salt, c).Open(nil, make([]byte, 12), box[1+saltSize:], c.associated()); err == nil {
			return plaintext, true
		}
	}
	return nil, false
}

// aead derives the key of one seal. It encrypts one message only, which is why the nonce can be fixed.
func aead(key, salt []byte, c Context) cipher.AEAD {
	derived, err := hkdf.Key(sha256.New, key, salt, c.Purpose, 32)
	if err != nil {
		panic(err) // only for lengths that HKDF cannot give
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		panic(err) // only for key lengths other than 32
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // only for other block sizes than that of AES
	}
	return gcm
}

// Package seal encrypts and authenticates values that others keep for us, such as the browser
// (cookies) or a database. It uses XAES-256-GCM (https://c2sp.org/XAES-256-GCM) with a random nonce of
// 192 bits, and for each purpose a key of its own: HKDF-SHA256 (RFC 5869) of a long-lived key.
//
// One long-lived key may make 2^48 seals and many more. Plain AES-GCM with random nonces stops at
// 2^32, because its nonce of 96 bits must never repeat. With 192 bits, two of 2^80 nonces are the same
// with a probability of 2^-33. And each first half of a nonce leads to another key of AES-GCM, so no
// such key seals more than a few values. See halves for a Sealer that keeps ciphers.
//
// A sealed value is, before the base64url of Seal: 1 byte version, 24 bytes nonce, the ciphertext, 16 bytes tag.
package seal

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

const (
	// KeySize is the length of a long-lived key, in bytes.
	KeySize = 32

	version  = 2
	overhead = 1 + nonceSize + 16
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

// appendTo appends the additional authenticated data: each field after its length, so that no two
// contexts give the same bytes.
func (c Context) appendTo(b []byte) []byte {
	for _, field := range [...]string{c.Purpose, c.Name, c.Tenant, c.EntityID} {
		b = binary.BigEndian.AppendUint64(b, uint64(len(field)))
		b = append(b, field...)
	}
	return b
}

// associatedSize is the length of what appendTo appends, in bytes.
func (c Context) associatedSize() int {
	return 4*8 + len(c.Purpose) + len(c.Name) + len(c.Tenant) + len(c.EntityID)
}

// A Sealer seals with the first of its long-lived keys and opens with all of them; that is how keys
// are changed without losing what was sealed before. It is safe for concurrent use.
//
// It derives the keys of a purpose once and keeps them: about 600 bytes for each long-lived key and
// each purpose that is in use. Long-lived keys come from the configuration and purposes are
// constants of this module, so nothing that arrives from outside makes it keep more.
type Sealer struct {
	keys  [][]byte
	seals kept[*xaes]
	tags  kept[[]byte]
}

// NewSealer returns the Sealer of long-lived keys, KeySize random bytes each. It keeps the slices.
func NewSealer(keys ...[]byte) *Sealer {
	return &Sealer{
		keys:  keys,
		seals: kept[*xaes]{derive: newSealCipher},
		tags:  kept[[]byte]{derive: newTagKey},
	}
}

// NewBusySealer is NewSealer for values that are opened again and again, such as the cookie of a
// session. It keeps ciphers too: up to 85 KiB for each key and purpose.
func NewBusySealer(keys ...[]byte) *Sealer {
	s := NewSealer(keys...)
	s.seals.derive = func(key []byte, purpose string) *xaes {
		x := newSealCipher(key, purpose)
		x.halves = &halves{}
		return x
	}
	return s
}

func newSealCipher(key []byte, purpose string) *xaes { return newXAES(derive(key, "seal of "+purpose)) }

func newTagKey(key []byte, purpose string) []byte { return derive(key, "tag of "+purpose) }

// kept is what was derived from the long-lived keys, one list for each purpose, in the order of the
// keys. Lists never change, so readers take no lock.
type kept[T any] struct {
	derive func(key []byte, purpose string) T

	adding sync.Mutex
	lists  atomic.Pointer[[]list[T]]
}

type list[T any] struct {
	purpose string
	derived []T
}

// of returns what is derived from the keys for a purpose.
func (k *kept[T]) of(keys [][]byte, purpose string) []T {
	if derived, ok := k.find(purpose); ok {
		return derived
	}
	k.adding.Lock()
	defer k.adding.Unlock()
	if derived, ok := k.find(purpose); ok { // another goroutine was faster
		return derived
	}
	derived := make([]T, len(keys))
	for i, key := range keys {
		derived[i] = k.derive(key, purpose)
	}
	var lists []list[T]
	if before := k.lists.Load(); before != nil {
		lists = *before
	}
	lists = append(slices.Clip(lists), list[T]{purpose, derived}) // a copy: others may be reading
	k.lists.Store(&lists)
	return derived
}

func (k *kept[T]) find(purpose string) ([]T, bool) {
	if lists := k.lists.Load(); lists != nil {
		for _, l := range *lists {
			if l.purpose == purpose {
				return l.derived, true
			}
		}
	}
	return nil, false
}

// derive returns a key for one use. The info names the kind of use too, so no key of a seal is that of a tag.
func derive(key []byte, info string) []byte {
	derived, err := hkdf.Key(sha256.New, key, nil, info, KeySize)
	if err != nil {
		panic(err) // only if more bytes are asked for than HKDF has
	}
	return derived
}

var text = base64.RawURLEncoding.Strict()

// Seal returns the sealed plaintext as base64url without padding. It panics if there is no key.
func (s *Sealer) Seal(c Context, plaintext []byte) string {
	return text.EncodeToString(s.SealBytes(c, plaintext))
}

// SealBytes returns the sealed plaintext. It panics if there is no key.
func (s *Sealer) SealBytes(c Context, plaintext []byte) []byte {
	box := make([]byte, 1+nonceSize, overhead+len(plaintext))
	box[0] = version
	return s.seals.of(s.keys, c.Purpose)[0].seal(box, box[1:], plaintext, c.appendTo(make([]byte, 0, c.associatedSize())))
}

// Open returns the plaintext and true if sealed was made by Seal in the same Context with one of
// the keys. Otherwise it returns nil and false, for every reason alike.
func (s *Sealer) Open(c Context, sealed string) ([]byte, bool) {
	if len(sealed) > maxText || strings.IndexByte(sealed, '\r') >= 0 || strings.IndexByte(sealed, '\n') >= 0 {
		return nil, false // the decoder would skip line breaks
	}
	size := text.DecodedLen(len(sealed))
	b := make([]byte, size+c.associatedSize()) // one piece of memory for both
	n, err := text.Decode(b, []byte(sealed))
	if err != nil {
		return nil, false
	}
	return s.open(c.Purpose, b[:n:n], c.appendTo(b[size:size]))
}

// OpenBytes is Open for what SealBytes made. The plaintext takes the place of the ciphertext in box,
// and without a match the box is spoiled. The caller bounds its length.
func (s *Sealer) OpenBytes(c Context, box []byte) ([]byte, bool) {
	return s.open(c.Purpose, box, c.appendTo(make([]byte, 0, c.associatedSize())))
}

func (s *Sealer) open(purpose string, box, associated []byte) ([]byte, bool) {
	if len(box) < overhead || box[0] != version {
		return nil, false
	}
	nonce, ciphertext := box[1:1+nonceSize], box[1+nonceSize:]
	ciphers := s.seals.of(s.keys, purpose)
	for i, x := range ciphers {
		var dst []byte
		if i == len(ciphers)-1 { // others still need the ciphertext, which a failure destroys
			dst = ciphertext[:0]
		}
		if plaintext, err := x.open(dst, nonce, ciphertext, associated); err == nil {
			return plaintext, true
		}
	}
	return nil, false
}

// Tag returns the first TagSize bytes of HMAC-SHA256 over data. Like a seal it is bound to c, but it
// hides nothing. It panics if there is no key.
func (s *Sealer) Tag(c Context, data []byte) []byte {
	return tag(s.tags.of(s.keys, c.Purpose)[0], c, data)
}

// Tagged reports whether t is the Tag of data, made in the same Context with one of the keys.
func (s *Sealer) Tagged(c Context, data, t []byte) bool {
	for _, key := range s.tags.of(s.keys, c.Purpose) {
		if hmac.Equal(tag(key, c, data), t) {
			return true
		}
	}
	return false
}

func tag(key []byte, c Context, data []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(c.appendTo(nil)) // fields with their lengths in front, so that data begins at one place only
	h.Write(data)
	return h.Sum(nil)[:TagSize]
}

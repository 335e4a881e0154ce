// Package storekey makes the keys of the Store, which prevents replay: a request is answered once,
// an assertion is used once, an ended session stays ended. It also makes the keys of the records
// of sessions, and of the marks of logouts and of signing keys. The keys are the same on every replica and in every
// release.
package storekey

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
)

// The prefixes of the kinds of keys. They keep the kinds apart: Entra's SessionIndex is
// the assertion ID, so without them two kinds would share a key.
const (
	Request   = "v1/req/"  // an answered request
	Assertion = "v1/ast/"  // a consumed assertion
	Session   = "v1/sess/" // an ended session
	Form      = "v1/form/" // a form that was kept over a sign-in and sent again
	Record    = "v1/rec/"  // what a session keeps on the server
	Logout    = "v1/out/"  // the latest LogoutRequest that names a session
	Key       = "v1/key/"  // a signing key whose sessions have ended
)

// tagSize is how many bytes of a digest stand for a tenant in a key: so many that no two tenants of
// a service share them, and so few that the longest key has 64 bytes.
const tagSize = 9

// OfTenant returns prefix, 12 characters that stand for the tenant, "/", and what Of appends for
// the tenant and the parts. The 12 characters are the base64url of the first 9 bytes of the SHA-256
// of the tenant. They are the same in all keys of a tenant, so a store can count what each tenant
// takes (Room).
func OfTenant(prefix, tenant string, parts ...string) string {
	var room [inputRoom]byte // on the stack, as in Of: sessions make keys for each request
	sum := sha256.Sum256(append(room[:0], tenant...))
	key := base64.RawURLEncoding.AppendEncode(append(room[:0], prefix...), sum[:tagSize])
	key = append(key, '/')
	var input [inputRoom]byte
	return finish(key, appendParts(appendPart(input[:0], tenant), parts))
}

// Of returns prefix followed by 43 characters: the base64url, without padding, of the SHA-256 of
// the parts. Each part is hashed after its length (8 bytes, big-endian), so that no two lists of
// parts give the same key.
func Of(prefix string, parts ...string) string {
	var key [64]byte
	var input [inputRoom]byte
	return finish(append(key[:0], prefix...), appendParts(input[:0], parts))
}

// inputRoom is enough for what is usually hashed, in bytes. More takes memory of its own.
const inputRoom = 512

func appendParts(b []byte, parts []string) []byte {
	for _, p := range parts {
		b = appendPart(b, p)
	}
	return b
}

func appendPart(b []byte, p string) []byte {
	return append(binary.BigEndian.AppendUint64(b, uint64(len(p))), p...)
}

// finish returns key and the digest of input.
func finish(key, input []byte) string {
	sum := sha256.Sum256(input)
	return string(base64.RawURLEncoding.AppendEncode(key, sum[:]))
}

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
	sum := sha256.Sum256([]byte(tenant))
	var room [64]byte
	b := base64.RawURLEncoding.AppendEncode(append(room[:0], prefix...), sum[:tagSize])
	return Of(string(append(b, '/')), append([]string{tenant}, parts...)...)
}

// Of returns prefix followed by 43 characters: the base64url, without padding, of the SHA-256 of
// the parts. Each part is hashed after its length (8 bytes, big-endian), so that no two lists of
// parts give the same key.
func Of(prefix string, parts ...string) string {
	var room [512]byte
	b := room[:0]
	for _, p := range parts {
		b = binary.BigEndian.AppendUint64(b, uint64(len(p)))
		b = append(b, p...)
	}
	sum := sha256.Sum256(b)
	return string(base64.RawURLEncoding.AppendEncode(append(room[:0], prefix...), sum[:]))
}

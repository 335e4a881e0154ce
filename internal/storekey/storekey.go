// Package storekey makes the keys under which used-up things and accounts are remembered. They are the same on every replica and in every
// release.
package storekey

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
)

// The kinds of Store keys. Entra's SessionIndex is the assertion ID, so the kinds must not share keys.
const (
	Request   = "v1/req/"  // an answered request
	Assertion = "v1/ast/"  // a consumed assertion
	Session   = "v1/sess/" // an ended session
)

// Of is prefix and base64url of the SHA-256 of the parts, each behind its length as 8 bytes big-endian.
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

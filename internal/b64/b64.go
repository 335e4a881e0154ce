// Package b64 decodes strict base64: the standard alphabet with padding (RFC 4648 §4). White space
// (CR, LF, space, tab) is skipped. The unused bits of the last character must be zero: apart from
// white space, one value has one spelling.
package b64

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
)

var strict = base64.StdEncoding.Strict()

// Decode returns the bytes that s encodes, at least one. It returns an error for any other
// character than base64 and white space, for wrong padding, and if nothing is encoded.
func Decode(s string) ([]byte, error) {
	// The standard decoder skips CR and LF itself.
	if strings.IndexByte(s, ' ') >= 0 || strings.IndexByte(s, '\t') >= 0 {
		s = strings.NewReplacer(" ", "", "\t", "").Replace(s)
	}
	b, err := strict.DecodeString(s)
	if err != nil {
		return nil, err
	}
	if len(b) == 0 {
		return nil, errEmpty
	}
	return b, nil
}

var errEmpty = errors.New("empty")

// DecodeBytes decodes like Decode, but overwrites s: it removes spaces and tabs in place, so that a
// large message is not copied.
func DecodeBytes(s []byte) ([]byte, error) {
	kept := s
	if bytes.IndexByte(s, ' ') >= 0 || bytes.IndexByte(s, '\t') >= 0 {
		kept = s[:0]
		for _, c := range s {
			if c != ' ' && c != '\t' {
				kept = append(kept, c)
			}
		}
	}
	b := make([]byte, strict.DecodedLen(len(kept)))
	n, err := strict.Decode(b, kept)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, errEmpty
	}
	return b[:n], nil
}

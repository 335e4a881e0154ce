// Package b64 decodes base64 as messages may carry it: the standard alphabet with padding (RFC 4648 §4), where only CR, LF,
// blanks and tabs between the characters are skipped and the unused bits of the last character are zero.
package b64

import (
	"encoding/base64"
	"errors"
	"strings"
)

var strict = base64.StdEncoding.Strict()

// Decode returns the bytes that s stands for. Nothing at all is an error.
func Decode(s string) ([]byte, error) {
	if strings.IndexByte(s, ' ') >= 0 || strings.IndexByte(s, '\t') >= 0 { // the standard decoder skips CR and LF by itself
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

// DecodeBytes is Decode for a buffer of the caller's, which it overwrites: blanks and tabs are left out in place, so that a large one is not copied.
func DecodeBytes(s []byte) ([]byte, error) {
	kept := s[:0]
	for _, c := range s {
		if c != ' ' && c != '\t' {
			kept = append(kept, c)
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

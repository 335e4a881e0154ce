package session

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"strings"
)

const (
	guidSize = 16 // bytes of a GUID
	guidText = 36 // and of its text
)

// shorten returns the kind that the encoder writes a text as, and what it writes for it. For a
// rawString that is nothing but the text itself.
func shorten(s string) (kind byte, short []byte) {
	switch len(s) { // each kind has its own
	case guidText:
		if guid, ok := parseGUID(s); ok {
			return guidString, guid[:]
		}
	case len("_") + guidText:
		if guid, ok := parseGUID(s[1:]); ok && s[0] == '_' {
			return nameString, guid[:]
		}
	case len(directory) + guidText + len("/"):
		if guid, ok := parseDirectory(s); ok {
			return hostString, guid[:]
		}
	case keySize:
		if digest, ok := parseKey(s, objectPrefix); ok {
			return objectKey, digest
		}
		if digest, ok := parseKey(s, nameIDPrefix); ok {
			return nameIDKey, digest
		}
	}
	return rawString, nil
}

// parseGUID reads a GUID exactly as formatGUID writes it, in lower case.
func parseGUID(s string) (guid [16]byte, ok bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return guid, false
	}
	if strings.ContainsAny(s, "ABCDEF") {
		return guid, false
	}
	_, err := hex.Decode(guid[:], []byte(s[:8]+s[9:13]+s[14:18]+s[19:23]+s[24:]))
	return guid, err == nil
}

// parseDirectory reads the GUID of an entity ID of Entra.
func parseDirectory(s string) (guid [16]byte, ok bool) {
	text, found := strings.CutPrefix(s, directory)
	text, closed := strings.CutSuffix(text, "/")
	if !found || !closed {
		return guid, false
	}
	return parseGUID(text)
}

func formatGUID(b []byte) string {
	var text [guidText]byte
	putGUID(text[:], b)
	return string(text[:])
}

// putGUID writes the text of a GUID of 16 bytes to text, which has room for 36. A session may have
// hundreds of them, and this takes a tenth of the time of encoding/hex.
func putGUID(text, b []byte) {
	text, b = text[:guidText], b[:guidSize] // one check of the bounds for all that follow
	binary.BigEndian.PutUint64(text[0:], hexOf(binary.BigEndian.Uint32(b[0:])))
	second, third := hexOf(binary.BigEndian.Uint32(b[4:])), hexOf(binary.BigEndian.Uint32(b[8:]))
	binary.BigEndian.PutUint32(text[9:], uint32(second>>32))
	binary.BigEndian.PutUint32(text[14:], uint32(second))
	binary.BigEndian.PutUint32(text[19:], uint32(third>>32))
	binary.BigEndian.PutUint32(text[24:], uint32(third))
	binary.BigEndian.PutUint64(text[28:], hexOf(binary.BigEndian.Uint32(b[12:])))
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
}

// hexOf returns the eight hexadecimal digits of v in lower case, the first digit in the highest byte.
// It computes all of them at once.
func hexOf(v uint32) uint64 {
	x := uint64(v)
	x = (x | x<<16) & 0x0000FFFF_0000FFFF // two digits further apart in each step,
	x = (x | x<<8) & 0x00FF00FF_00FF00FF
	x = (x | x<<4) & 0x0F0F0F0F_0F0F0F0F // until each byte is the value of a digit
	const each = 0x01010101_01010101
	letters := (x + 6*each) >> 4 & each // 1 for each digit above 9
	return x + '0'*each + letters*('a'-'9'-1)
}

const (
	objectPrefix = "v1/oid/"
	nameIDPrefix = "v1/nid/"
	keyDigest    = 32                                    // bytes
	keySize      = len(objectPrefix) + (keyDigest*8+5)/6 // bytes of the text of an account key
)

// keyText is strict, so that only the form that formatKey writes is accepted. The decoder would
// skip line breaks, but the exact length leaves no room for them.
var keyText = base64.RawURLEncoding.Strict()

// parseKey reads an account key exactly as formatKey writes it.
func parseKey(s, prefix string) ([]byte, bool) {
	text, ok := strings.CutPrefix(s, prefix)
	if !ok || len(text) != keyText.EncodedLen(keyDigest) {
		return nil, false
	}
	digest, err := keyText.DecodeString(text)
	return digest, err == nil && len(digest) == keyDigest
}

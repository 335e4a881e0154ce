package xmltree

import (
	"encoding/binary"
	"strconv"
	"strings"
	"unicode/utf8"
)

// attributeValue is the fourth way to decode raw characters, besides the three node kinds.
const attributeValue nodeKind = 0xff

// byteClass holds for each byte what it may be in a name, and whether it is special in an attribute
// value.
var byteClass = func() (class [256]uint8) {
	for c := range class {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '_', c >= utf8.RuneSelf:
			class[c] = nameStart | nameByte
		case '0' <= c && c <= '9', c == '-', c == '.':
			class[c] = nameByte
		case c == '<', c == '&', c == '"', c == '\t', c == '\n', c == '\r':
			class[c] = special
		}
	}
	return class
}()

const (
	nameStart = 1 << iota // may begin an NCName; a byte above ASCII may, or may not
	nameByte              // may continue an NCName; same
	special               // not written as it is in the canonical form of an attribute value
)

// isNCName reports whether s, which must be valid UTF-8, is a name without a colon (Namespaces in
// XML 1.0 §3). Characters above ASCII follow the ranges of XML 1.0 (fifth edition) §2.3.
func isNCName(s string) bool {
	if s == "" || byteClass[s[0]]&nameStart == 0 {
		return false
	}
	for i := 0; i < len(s); {
		if s[i] < utf8.RuneSelf {
			if byteClass[s[i]]&nameByte == 0 {
				return false
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if !isNameRune(r, i == 0) {
			return false
		}
		i += size
	}
	return true
}

// IsNCName reports whether s is a name without a colon (Namespaces in XML 1.0 §3). Any string may be
// passed.
func IsNCName(s string) bool { return utf8.ValidString(s) && isNCName(s) }

// IDForm says in words what IsID accepts, for error messages.
const IDForm = "1 to 256 ASCII letters, digits and . _ - : + = /"

// IsID reports whether s can be the ID of a SAML element that a signature refers to: 1 to 256 ASCII
// letters, digits and . _ - : + = /. The schema wants an NCName, which cannot begin with a digit, but
// several products send bare UUIDs. The reference of a signature is compared with the ID byte for
// byte. So no character is allowed that a reader of URIs or XPointers interprets: no quotes,
// brackets, #, % and &.
func IsID(s string) bool {
	if len(s) == 0 || len(s) > 256 { // IDForm
		return false
	}
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (c < '0' || c > '9') && strings.IndexByte("._-:+=/", c) < 0 {
			return false
		}
	}
	return true
}

func isNameRune(r rune, first bool) bool {
	switch {
	case 0xC0 <= r && r <= 0x2FF:
		return r != 0xD7 && r != 0xF7
	case 0x370 <= r && r <= 0x1FFF:
		return r != 0x37E
	case r == 0x200C, r == 0x200D,
		0x2070 <= r && r <= 0x218F, 0x2C00 <= r && r <= 0x2FEF, 0x3001 <= r && r <= 0xD7FF,
		0xF900 <= r && r <= 0xFDCF, 0xFDF0 <= r && r <= 0xFFFD, 0x10000 <= r && r <= 0xEFFFF:
		return true
	case r == 0xB7, 0x300 <= r && r <= 0x36F, r == 0x203F, r == 0x2040:
		return !first
	}
	return false
}

// isCharacter reports whether r may occur in a document: a Char of XML 1.0 §2.2 that is not a
// noncharacter of Unicode.
func isCharacter(r rune) bool {
	switch {
	case r < 0x20:
		return r == '\t' || r == '\n' || r == '\r'
	case 0xD800 <= r && r <= 0xDFFF, 0xFDD0 <= r && r <= 0xFDEF, r&0xFFFE == 0xFFFE:
		return false
	}
	return true
}

// badCharacter returns the offset of the first byte that is not part of a legal character in UTF-8,
// or -1 if there is none.
func badCharacter(b []byte) int {
	const high, low = 0x8080808080808080, 0x2020202020202020
	for i := 0; i < len(b); {
		// A fast path: eight bytes at once that are all between 0x20 and 0x7F.
		if i+8 <= len(b) {
			if x := binary.LittleEndian.Uint64(b[i:]); (x|(x-low))&high == 0 {
				i += 8
				continue
			}
		}
		if c := b[i]; c < utf8.RuneSelf {
			if !isCharacter(rune(c)) {
				return i
			}
			i++
			continue
		}
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 || !isCharacter(r) {
			return i
		}
		i += size
	}
	return -1
}

// plainPrefix returns how many bytes at the start of an attribute value are the same in the
// canonical form; usually all.
func plainPrefix(value string) int {
	for i := range len(value) {
		if byteClass[value[i]]&special != 0 {
			return i
		}
	}
	return len(value)
}

func isSpaceByte(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

func isSpace(s string) bool {
	for i := range len(s) {
		if !isSpaceByte(s[i]) {
			return false
		}
	}
	return true
}

// reference reads the entity or character reference at the start of s (s[0] is '&'; XML 1.0 §4.1
// and §4.6). It returns the character and the length of the reference in bytes. The length is 0 if
// it is neither one of the five predefined entities nor a legal character reference.
func reference(s string) (rune, int) {
	end := strings.IndexByte(s[:min(len(s), len("&#x0010FFFF;"))], ';')
	if end < 0 {
		return 0, 0
	}
	name := s[1:end]
	switch name {
	case "amp":
		return '&', end + 1
	case "lt":
		return '<', end + 1
	case "gt":
		return '>', end + 1
	case "quot":
		return '"', end + 1
	case "apos":
		return '\'', end + 1
	}
	digits, isNumber := strings.CutPrefix(name, "#")
	base := 10
	if hex, isHex := strings.CutPrefix(digits, "x"); isHex {
		digits, base = hex, 16
	}
	// ParseUint accepts no sign and, because the base is given, no underscores.
	n, err := strconv.ParseUint(digits, base, 32)
	if !isNumber || err != nil || n > utf8.MaxRune || !isCharacter(rune(n)) {
		return 0, 0
	}
	return rune(n), end + 1
}

// appendDecoded appends the characters that raw stands for: references are resolved, line ends
// become LF (XML 1.0 §2.11), and white space in attribute values becomes spaces (§3.3.3). The
// parser has already checked the references.
func appendDecoded(dst []byte, raw string, kind nodeKind) []byte {
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '&' && kind != cdataNode:
			r, size := reference(raw[i:])
			dst = utf8.AppendRune(dst, r)
			i += size - 1
		case c == '\r':
			if i+1 < len(raw) && raw[i+1] == '\n' {
				i++
			}
			if kind == attributeValue {
				dst = append(dst, ' ')
			} else {
				dst = append(dst, '\n')
			}
		case kind == attributeValue && (c == '\n' || c == '\t'):
			dst = append(dst, ' ')
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

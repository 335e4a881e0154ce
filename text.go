package saml

import (
	"reflect"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/iomete/saml/internal/address"
	"github.com/iomete/saml/internal/xmltree"
)

func isNCName(s string) bool { return xmltree.IsNCName(s) }

// isNil reports whether v is nil or holds a nil pointer, function or the like, which would panic
// when it is used.
func isNil(v any) bool {
	if v == nil {
		return true
	}
	switch p := reflect.ValueOf(v); p.Kind() {
	case reflect.Pointer, reflect.Func, reflect.Map, reflect.Slice, reflect.Chan:
		return p.IsNil()
	}
	return false
}

// trimSpace leaves out the white space of XML at both ends of s: space, tab, CR and LF (XML 1.0
// §2.3), and no other characters.
func trimSpace(s string) string { return strings.Trim(s, " \t\r\n") }

// trimInvisible leaves out white space and invisible characters at both ends of s.
func trimInvisible(s string) string { return address.Trimmed(s) }

func showTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// printable reports whether s is text that XML can carry in one line.
func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// visible reports whether s is printable and has no character that is invisible: with one, two
// names could look the same.
func visible(s string) bool { return address.Hidden(s) == "" }

func isVisible(r rune) bool { return address.Visible(r) }

// foldASCII returns s with A to Z as a to z. All other bytes stay, also those that are not UTF-8.
func foldASCII(s string) string {
	isUpper := func(c byte) bool { return 'A' <= c && c <= 'Z' }
	i := 0
	for i < len(s) && !isUpper(s[i]) {
		i++
	}
	if i == len(s) {
		return s
	}
	folded := []byte(s)
	for ; i < len(folded); i++ {
		if isUpper(folded[i]) {
			folded[i] += 'a' - 'A'
		}
	}
	return string(folded)
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// isEmail is the rule of Config.NameID: addresses that mail systems in use deliver to, without
// quoting, comments or routes. It lets characters beyond ASCII (RFC 6531) pass; emailFault decides
// about them.
func isEmail(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	if !ok || local == "" || len(local) > 64 || domain == "" || len(domain) > 253 || !utf8.ValidString(s) {
		return false
	}
	if strings.HasPrefix(domain, ".") || strings.HasSuffix(domain, ".") || strings.Contains(domain, "..") {
		return false
	}
	return !strings.Contains(domain, "@") &&
		!strings.ContainsFunc(s, func(r rune) bool {
			return unicode.IsSpace(r) || !isVisible(r) || strings.ContainsRune(`<>(),;:\"`, r)
		})
}

// emailFault says why s is not accepted as an e-mail address, "" if it is.
func emailFault(s string, international bool) string {
	switch {
	case !isEmail(s):
		return "is not an e-mail address"
	case !international && !isASCII(s):
		return "is an e-mail address with characters beyond ASCII, which can look like another person's"
	}
	return ""
}

// detach gives all the texts one new piece of memory together, in place. Texts that were read from a
// document are parts of it, and each of them alone would keep the whole document in memory.
func detach(texts ...*string) {
	size := 0
	for _, t := range texts {
		size += len(*t)
	}
	var b strings.Builder
	b.Grow(size)
	for _, t := range texts {
		b.WriteString(*t)
	}
	all := b.String()
	for _, t := range texts {
		*t, all = all[:len(*t)], all[len(*t):]
	}
}

// detachList is detach for a list.
func detachList(list []string) {
	size := 0
	for _, t := range list {
		size += len(t)
	}
	var b strings.Builder
	b.Grow(size)
	for i, t := range list {
		from := b.Len()
		b.WriteString(t)
		list[i] = b.String()[from:] // it never grows, so what String returned before stays
	}
}

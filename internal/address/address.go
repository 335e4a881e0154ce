// Package address says things about addresses that people type: which are on this machine, and how
// one is shown without the secrets that it may hold.
package address

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// IsLoopback reports whether a host name or IP address, without a port, is of this machine:
// "localhost", "x.localhost" (RFC 6761 §6.3), 127.0.0.0/8 or ::1. Nothing is looked up.
func IsLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}

// Visible reports whether a character can be seen. Not visible are those that show nothing (control
// and format characters, zero-width and bidirectional ones, the soft hyphen, the byte order mark,
// fillers, U+2800), and those that look like a space and are none, such as U+00A0.
func Visible(r rune) bool {
	if r < utf8.RuneSelf { // nearly all
		return ' ' <= r && r <= '~'
	}
	return unicode.IsPrint(r) && r != 0x2800 &&
		!unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// Hidden names the first character of s that cannot be seen ("U+200B"), or the first byte that is
// not UTF-8 ("the byte 0xFF"). It returns "" if there is none.
func Hidden(s string) string {
	for i, r := range s {
		if _, size := utf8.DecodeRuneInString(s[i:]); r == utf8.RuneError && size == 1 {
			return fmt.Sprintf("the byte 0x%02X", s[i])
		}
		if !Visible(r) {
			return fmt.Sprintf("U+%04X", r)
		}
	}
	return ""
}

// Trimmed returns s without what surrounds an address that was copied and pasted: white space, and
// characters that cannot be seen. What stands inside stays.
func Trimmed(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return r == ' ' || !Visible(r) })
}

// PortExists reports whether an address has no port, or one from 1 to 65535 (RFC 9293 §3.1; 0 is
// reserved). url.Parse takes any number. A colon without a number counts as no port (RFC 3986
// §3.2.3).
func PortExists(u *url.URL) bool {
	if u.Port() == "" {
		return true
	}
	n, err := strconv.ParseUint(u.Port(), 10, 16)
	return err == nil && n > 0
}

// HasUserInfo reports whether there may be a user name or password in an address. That includes an
// address that does not parse, or parses otherwise than meant, because the password holds a slash.
func HasUserInfo(address string) bool {
	return strings.Contains(address, "@") || strings.Contains(address, "%40")
}

// WithoutUserInfo replaces everything before the last @ of an address, except its scheme, by
// "xxxxx". It may hide too much, which harms nobody.
func WithoutUserInfo(address string) string {
	if !HasUserInfo(address) {
		return address
	}
	scheme := ""
	if before, _, ok := strings.Cut(address, "://"); ok && !HasUserInfo(before) {
		scheme = before + "://"
	}
	for _, at := range []string{"@", "%40"} {
		if i := strings.LastIndex(address, at); i >= 0 {
			address = address[i+len(at):]
		}
	}
	return scheme + "xxxxx@" + address
}

// Shown returns an address as an error may show it: without user name and password, and without the
// query and fragment, in which tokens stand. It returns "" for one that does not parse, and the
// scheme alone for one without host and path, because it is hard to say where the secrets are in
// these.
func Shown(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	if u.Opaque != "" { // "name:password", "name:password@host/path"
		return u.Scheme + ":…"
	}
	shown := WithoutUserInfo(address)
	if i := strings.IndexAny(shown, "?#"); i >= 0 {
		shown = shown[:i+1] + "…"
	}
	return shown
}

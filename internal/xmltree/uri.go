package xmltree

import "strings"

// isAbsoluteURI reports whether s is a URI with a scheme (RFC 3986 §3) in printable ASCII, without
// '&' and without an IPv6 host. These are the names that libxml2 accepts for canonicalization, and
// that all canonicalizers write in the same way.
func isAbsoluteURI(s string) bool {
	scheme, rest, _ := strings.Cut(s, ":")
	if !isScheme(scheme) || rest == "" || strings.Count(rest, "#") > 1 {
		return false
	}
	for i := range len(rest) {
		c := rest[i]
		if c >= 0x80 || !uriByte[c] ||
			c == '%' && !(i+2 < len(rest) && isHex(rest[i+1]) && isHex(rest[i+2])) {
			return false
		}
	}
	if authority, ok := strings.CutPrefix(rest, "//"); ok {
		if end := strings.IndexAny(authority, "/?#"); end >= 0 {
			authority = authority[:end]
		}
		return isAuthority(authority)
	}
	return true
}

var uriByte = func() (allowed [0x80]bool) {
	const others = "-._~:/?#@!$'()*+,;=%" // RFC 3986 §2.2 and §2.3, without '&' and brackets
	for c := range allowed {
		allowed[c] = isAlphanumeric(byte(c)) || strings.IndexByte(others, byte(c)) >= 0
	}
	return allowed
}()

func isScheme(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isLetter(c) && (i == 0 || !isAlphanumeric(c) && c != '+' && c != '-' && c != '.') {
			return false
		}
	}
	return s != ""
}

// isAuthority reports whether s is a host with an optional user before it and an optional port
// after it (RFC 3986 §3.2).
func isAuthority(s string) bool {
	if user, host, ok := strings.Cut(s, "@"); ok {
		s = host
		if strings.Contains(host, "@") || user == "" {
			return false
		}
	}
	host, port, ok := strings.Cut(s, ":")
	if ok && (port == "" || strings.Trim(port, "0123456789") != "" || len(port) > 5) {
		return false
	}
	return host != ""
}

func isLetter(c byte) bool       { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func isAlphanumeric(c byte) bool { return isLetter(c) || '0' <= c && c <= '9' }
func isHex(c byte) bool          { return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f' }

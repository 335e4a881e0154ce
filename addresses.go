package saml

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/iomete/saml/internal/address"
)

const maxReturnTo = 8 << 10 // bytes

// localPath reports whether s is a path on our own host, with a query and a fragment if it has them,
// that a browser cannot take for anything else.
func localPath(s string) bool {
	if s == "" || len(s) > maxReturnTo || s[0] != '/' || strings.HasPrefix(s, "//") || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if r < 0x20 || r == 0x7F || r == '\\' {
			return false
		}
	}
	s, _, _ = strings.Cut(s, "#") // it changes no host, and browsers leave % in it as it is
	u, err := url.Parse(s)
	return err == nil && u.Scheme == "" && u.Host == "" && u.User == nil
}

// localPart returns the path, query and fragment of an absolute address on the origin of base, and a
// local path as it is. It returns "" for anything else.
func localPart(s, base string) string {
	base = strings.TrimSuffix(base, "/")
	if rest, ok := strings.CutPrefix(s, base); ok && base != "" {
		if rest == "" || rest[0] == '?' || rest[0] == '#' {
			rest = "/" + rest
		}
		s = rest // a longer host or a port does not begin with "/"
	}
	if !localPath(s) {
		return ""
	}
	return s
}

// addQuery appends a query to an address that may have one.
func addQuery(address, query string) string {
	switch {
	case query == "":
		return address
	case strings.Contains(address, "?"):
		return address + "&" + query
	}
	return address + "?" + query
}

// isLoopback reports whether a host, without a port, is of this machine.
func isLoopback(host string) bool { return address.IsLoopback(host) }

// withoutUserInfo hides the user name and password that an address may hold.
func withoutUserInfo(s string) string { return address.WithoutUserInfo(s) }

// IsLocalPath reports whether s can be LoginOptions.ReturnTo: a path on the service's own host, with
// its query and fragment, of 1 to 8192 bytes, that no browser takes for another host ("//evil.example",
// "/\\evil.example"). It is for addresses that a request brought, before anything redirects to
// them.
func IsLocalPath(s string) bool { return localPath(s) }

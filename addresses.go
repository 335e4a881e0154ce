package saml

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/iomete/saml/internal/address"
)

const maxReturnTo = 1 << 10 // bytes

// localPath reports whether s is a path and query on our own host that a browser cannot take for
// anything else.
func localPath(s string) bool {
	if s == "" || len(s) > maxReturnTo || s[0] != '/' || strings.HasPrefix(s, "//") || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if r < 0x20 || r == 0x7F || r == '\\' || r == '#' {
			return false
		}
	}
	u, err := url.Parse(s)
	return err == nil && u.Scheme == "" && u.Host == "" && u.User == nil
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

// IsLocalPath reports whether s can be LoginOptions.ReturnTo: a path and query on the service's own
// host, of 1 to 1024 bytes, that no browser takes for another host ("//evil.example",
// "/\\evil.example"). It is for addresses that a request brought, before anything redirects to
// them.
func IsLocalPath(s string) bool { return localPath(s) }

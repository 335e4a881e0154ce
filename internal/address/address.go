// Package address says things about addresses that people type: which are on this machine, and how
// one is shown without the secrets that it may hold.
package address

import (
	"net"
	"net/url"
	"strings"
)

// IsLoopback reports whether a host name or IP address, without a port, is of this machine:
// "localhost", "x.localhost" (RFC 6761 §6.3), 127.0.0.0/8 or ::1. Nothing is looked up.
func IsLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
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

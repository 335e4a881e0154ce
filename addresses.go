package saml

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/iomete/saml/internal/address"
	"github.com/iomete/saml/internal/posted"
)

const maxReturnTo = posted.MaxReturnTo // bytes

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

// withoutLongFragment leaves out the fragment of an address that is too long because of it: the page
// is worth more.
func withoutLongFragment(address string) string {
	if len(address) > maxReturnTo {
		address, _, _ = strings.Cut(address, "#")
	}
	return address
}

// inASCII percent-encodes what is not ASCII, as browsers do with UTF-8 in an address. In a header some
// would take it for ISO 8859-1.
func inASCII(address string) string {
	if isASCII(address) {
		return address
	}
	var b strings.Builder
	for i := range len(address) {
		if c := address[i]; c < utf8.RuneSelf {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
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
	if s = withoutLongFragment(s); !localPath(s) {
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

// hostWarnings remembers the hosts that a Handler has warned about. Anyone can send any Host, so it
// holds a few only.
type hostWarnings struct {
	mu   sync.Mutex
	seen []string
}

const mostHostWarnings = 3

// first reports whether to warn about host: once for each, and not about more than a few.
func (h *hostWarnings) first(host string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.seen) >= mostHostWarnings || slices.Contains(h.seen, host) {
		return false
	}
	h.seen = append(h.seen, host)
	return true
}

// noticeHost warns once if a page is opened at another host than that of BaseURL. Cookies belong to
// one host, so a browser at the other one has no session. This decides nothing.
func (h *Handler) noticeHost(r *http.Request, sp *ServiceProvider) {
	u, err := url.Parse(sp.config.BaseURL)
	if err != nil || r.Host == "" {
		return
	}
	known := []string{hostOf(u.Host)}
	for _, former := range sp.config.FormerRedirectURLs {
		if u, err := url.Parse(former); err == nil {
			known = append(known, hostOf(u.Host))
		}
	}
	// a proxy that changes Host may say what it was
	if slices.Contains(known, hostOf(r.Host)) || slices.Contains(known, hostOf(r.Header.Get("X-Forwarded-Host"))) ||
		!h.hosts.first(hostOf(r.Host)) {
		return
	}
	sp.config.Logger.WarnContext(r.Context(), "saml: requests arrive for another host than that of Config.BaseURL, and cookies of one host do not count at the other",
		"got", quote(r.Host), "want", known[0], "tenant", sp.config.Tenant,
		"hint", "If people open the service at the host that arrived, set Config.BaseURL to it. If they open both, redirect one to the other. If a proxy changes the Host header, let it keep it (nginx: proxy_set_header Host $host), or ignore this.")
}

// hostOf returns a host without the usual ports, in lower case.
func hostOf(host string) string {
	host = strings.ToLower(host)
	return strings.TrimSuffix(strings.TrimSuffix(host, ":443"), ":80")
}

package saml

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// FetchOptions change how FetchMetadata connects. The zero value is right for addresses that your own administrators type, if certificates
// come from public authorities.
type FetchOptions struct {
	// RootCAs are the authorities that vouch for the server. nil: those of the system.
	RootCAs *x509.CertPool
	// PublicOnly is for addresses that strangers type, such as the administrators of your customers. Only https is fetched, and only from
	// public addresses: the first one and every redirect. All failures to connect give the same error, and none gives it sooner
	// than 5 seconds after the attempt began. So nobody can learn from FetchMetadata which names, addresses and ports exist in the network of the
	// service. A server that was reached, with a trusted certificate, is still described: its HTTP status, an answer that breaks off.
	//
	// An address counts as public by the registries of IANA for special addresses. A host of your own that has a public address, and a
	// NAT64 prefix of your own, cannot be told apart: block those in the firewall for outgoing connections.
	PublicOnly bool
}

const (
	fetchTimeout      = 10 * time.Second
	connectTimeout    = 5 * time.Second // with PublicOnly, for each server: also how long every failure takes
	fetchMaxRedirects = 5
)

// FetchMetadata gets the document at an address that an administrator typed, for ParseMetadata: https, or http on a loopback address; at most 4 MiB
// in at most 10 seconds. Nothing is cached. Errors are *Error with CodeMetadataFetch, or CodeTooLarge. They never show a user name or password of
// an address, nor its query, which may hold a token.
//
// The address comes from a person, and where it leads from a stranger, so it must not become a way into the network of the service: the address of
// every connection is looked at when it is dialed, redirects included. Link-local addresses, among them those of the clouds' metadata services, are
// never connected to; private and loopback ones only if the address that was typed leads to one by itself. A proxy of the environment is not
// used: behind one, it would be the proxy that dials. For addresses that strangers type see FetchOptions.PublicOnly.
func FetchMetadata(ctx context.Context, address string, o FetchOptions) ([]byte, error) {
	f := fetcher{publicOnly: o.PublicOnly, public: isPublic, timeout: fetchTimeout, connectTimeout: connectTimeout,
		tls: &tls.Config{RootCAs: o.RootCAs, MinVersion: tls.VersionTLS12}}
	data, err := f.fetch(ctx, address)
	if err != nil {
		return nil, err
	}
	return data, nil
}

func (f *fetcher) fetch(ctx context.Context, address string) ([]byte, *Error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, refuse(CodeMetadataFetch, "this is no address that metadata is fetched from: it is not a valid URL; look for a space or a wrong port", shownAddress(address), f.wanted())
	}
	if !f.fetchable(u) {
		return nil, refuse(CodeMetadataFetch, "this is no address that metadata is fetched from", shownAddress(address), f.wanted())
	}
	f.first, f.typed = u, u.Host
	if hasUserInfo(address) { // "https://name:1/2@host/" parses with the host "name:1"
		f.typed = shownAddress(address)
	}
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	transport := &http.Transport{
		DialContext:            f.dial,
		TLSClientConfig:        f.tls,
		DisableCompression:     true, // what is counted is what is read
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: 64 << 10,
	}
	if f.publicOnly {
		transport.DialTLSContext = f.dialPublic
	}
	client := &http.Client{Transport: transport, CheckRedirect: f.redirect}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, notFetched("this is no address", f.typed)
	}
	request.Header.Set("Accept", "application/samlmetadata+xml, application/xml, text/xml, */*;q=0.1")
	request.Header.Set("User-Agent", "iomete-saml")
	response, err := client.Do(request)
	if err != nil {
		return nil, f.failed(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, notFetched("the server does not give the document", response.Status)
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, maxMetadata+1))
	if err != nil {
		return nil, f.failed(err)
	}
	if len(data) > maxMetadata {
		e := refusef(CodeTooLarge, "what is found there has more than %d MiB, so it is not the metadata of one identity provider", maxMetadata>>20)
		e.Hint = hints[CodeMetadataFetch]
		return nil, e
	}
	return data, nil
}

// fetchable reports whether an address may be asked at all.
func (f *fetcher) fetchable(u *url.URL) bool {
	return u.Host != "" && u.User == nil && (u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()) && !f.publicOnly)
}

func (f *fetcher) wanted() string {
	if f.publicOnly {
		return "https://host/path"
	}
	return "https://host/path, or http on this machine"
}

// hasUserInfo reports whether there may be a user name or password in an address, also in one that does not parse or parses
// otherwise than meant, because the password holds a slash.
func hasUserInfo(address string) bool {
	return strings.Contains(address, "@") || strings.Contains(address, "%40")
}

// withoutUserInfo hides everything before the last @ of an address but its scheme: what is hidden too much harms nobody.
func withoutUserInfo(address string) string {
	if !hasUserInfo(address) {
		return address
	}
	scheme := ""
	if before, _, ok := strings.Cut(address, "://"); ok && !hasUserInfo(before) {
		scheme = before + "://"
	}
	for _, at := range []string{"@", "%40"} {
		if i := strings.LastIndex(address, at); i >= 0 {
			address = address[i+len(at):]
		}
	}
	return scheme + "xxxxx@" + address
}

// shownAddress is an address for an error: without user name and password, and without the query and fragment, in which tokens stand. Of one
// that does not parse, or has no host and path, it is hard to say where these are: nothing is shown then.
func shownAddress(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	if u.Opaque != "" { // "name:password", "name:password@host/path"
		return u.Scheme + ":…"
	}
	shown := withoutUserInfo(address)
	if i := strings.IndexAny(shown, "?#"); i >= 0 {
		shown = shown[:i+1] + "…"
	}
	return shown
}

func notFetched(message, got string) *Error {
	return refuse(CodeMetadataFetch, message, got, "")
}

// A fetcher follows one address that was typed.
type fetcher struct {
	publicOnly              bool
	public                  func(netip.Addr) bool // isPublic
	timeout, connectTimeout time.Duration
	tls                     *tls.Config

	first      *url.URL
	typed      string      // the host that was typed, for errors
	moved      atomic.Bool // a redirect was followed
	private    atomic.Bool // the address that was typed led to a private or loopback address
	connecting atomic.Bool // with publicOnly: there is no connection to the server that is asked now
}

// errForbidden is a connection that is not made. An address in our network is not named: the administrator did not type it.
type errForbidden struct{ why, redirect string }

func (e errForbidden) Error() string { return e.why }

// dial connects, and remembers whether the first connection went to an address of our own network. A dial that lost against another may still be
// under way at the next one.
func (f *fetcher) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := (&net.Dialer{Control: f.control}).DialContext(ctx, network, address)
	if err != nil || f.moved.Load() {
		return c, err
	}
	if a, err := netip.ParseAddrPort(c.RemoteAddr().String()); err == nil && inside(embedded(a.Addr().Unmap())) {
		f.private.Store(true)
	}
	return c, nil
}

// dialPublic connects to a public server that has a trusted certificate. Whatever fails, be it the look-up of the name, the address, the port or
// TLS, it fails at the same time after the beginning: how long it took tells nothing either.
func (f *fetcher) dialPublic(ctx context.Context, network, address string) (net.Conn, error) {
	f.connecting.Store(true)
	ctx, cancel := context.WithTimeout(ctx, f.connectTimeout)
	defer cancel()
	dialer := tls.Dialer{NetDialer: &net.Dialer{Control: f.control}, Config: f.tls}
	c, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		<-ctx.Done()
		return nil, err
	}
	f.connecting.Store(false)
	return c, nil
}

// control looks at each address when it is dialed: names that change between two look-ups change nothing.
func (f *fetcher) control(_, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return errForbidden{why: "it leads to an address that cannot be read"}
	}
	switch ip := embedded(a.Addr().Unmap().WithZone("")); {
	case f.publicOnly && !f.public(ip):
		return errForbidden{why: "it leads to an address that is not public"}
	case f.publicOnly:
		return nil
	case neverDialled(ip):
		return errForbidden{why: "it leads to a link-local address, or another that no server has"}
	case f.first.Scheme == "http" && !ip.IsLoopback():
		return errForbidden{why: "it is http, and leads to another machine"}
	case inside(ip) && f.moved.Load() && !f.private.Load():
		return errForbidden{why: "it redirects from a public to a private address"}
	}
	return nil
}

// redirect is the rule for where a server sends us.
func (f *fetcher) redirect(next *http.Request, via []*http.Request) error {
	f.moved.Store(true)
	next.Header.Del("Referer")
	switch {
	case len(via) > fetchMaxRedirects:
		return errForbidden{why: "it redirects too often"}
	case next.URL.Scheme != f.first.Scheme || !f.fetchable(next.URL):
		return errForbidden{"it redirects to an address that is not followed", shownAddress(next.URL.String())}
	}
	return nil
}

// failed says in one sentence what went wrong.
func (f *fetcher) failed(err error) *Error {
	var forbidden errForbidden
	var certificate *tls.CertificateVerificationError
	var name *net.DNSError
	e := notFetched("the server cannot be reached", f.typed)
	switch {
	case f.connecting.Load() && !errors.Is(err, context.Canceled):
		e.Message = "no public server could be reached there by https: the name must be in the public DNS, the address public, the port open, and the certificate from a trusted authority"
	case errors.As(err, &forbidden):
		e.Message = "this address is not fetched: " + forbidden.why
		if forbidden.redirect != "" {
			e.Got = quote(forbidden.redirect)
		}
	case errors.Is(err, context.Canceled):
		e.Message = "the request was given up"
		return e.withCause(context.Canceled)
	case errors.Is(err, context.DeadlineExceeded):
		e.Message = fmt.Sprintf("the server does not answer within %s", f.timeout)
	case errors.As(err, &certificate):
		e.Message = "the server's own certificate is not trusted"
		return e.withCause(certificate.Err)
	case errors.Is(err, syscall.ECONNREFUSED):
		e.Message = "the server refuses the connection"
	case errors.As(err, &name):
		e.Message = "there is no server of this name"
	}
	return e // without the cause, which names addresses in our network
}

// neverDialled are addresses that no identity provider is at: link-local (with the metadata services of the clouds), unspecified, multicast, and
// cloud metadata services elsewhere.
func neverDialled(ip netip.Addr) bool {
	return ip.IsLinkLocalUnicast() || ip.IsUnspecified() || ip.IsMulticast() || cloudMetadata[ip] ||
		slices.ContainsFunc(noServers, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// isPublic reports whether an address is one that servers on the Internet have. All of IPv6 that is given to anybody is in 2000::/3.
func isPublic(ip netip.Addr) bool {
	return !neverDialled(ip) && !inside(ip) && (ip.Is4() || internet.Contains(ip)) &&
		!slices.ContainsFunc(notPublic, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// inside are addresses that only our own network leads to.
func inside(ip netip.Addr) bool {
	return ip.IsPrivate() || ip.IsLoopback() || sharedSpace.Contains(ip) || siteLocal.Contains(ip)
}

var (
	noServers = []netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/8"),      // RFC 1122 §3.2.1.3
		netip.MustParsePrefix("240.0.0.0/4"),    // RFC 1112 §4, and the broadcast address
		netip.MustParsePrefix("64:ff9b:1::/48"), // local NAT64 (RFC 8215): an IPv4 address in one of several places
		netip.MustParsePrefix("2001::/32"),      // Teredo (RFC 4380): likewise
	}
	internet  = netip.MustParsePrefix("2000::/3") // RFC 4291 §2.4
	notPublic = []netip.Prefix{
		// https://www.iana.org/assignments/iana-ipv4-special-registry, beside those above
		netip.MustParsePrefix("192.0.0.0/24"),    // RFC 6890
		netip.MustParsePrefix("192.0.2.0/24"),    // examples, RFC 5737
		netip.MustParsePrefix("192.88.99.0/24"),  // 6to4 relays, RFC 7526
		netip.MustParsePrefix("198.18.0.0/15"),   // benchmarks, RFC 2544
		netip.MustParsePrefix("198.51.100.0/24"), // examples, RFC 5737
		netip.MustParsePrefix("203.0.113.0/24"),  // examples, RFC 5737
		// https://www.iana.org/assignments/iana-ipv6-special-registry
		netip.MustParsePrefix("2001::/23"),     // protocols, RFC 2928
		netip.MustParsePrefix("2001:db8::/32"), // examples, RFC 3849
		netip.MustParsePrefix("3fff::/20"),     // examples, RFC 9637
	}
	sharedSpace   = netip.MustParsePrefix("100.64.0.0/10") // RFC 6598
	siteLocal     = netip.MustParsePrefix("fec0::/10")     // RFC 3879
	translated    = netip.MustParsePrefix("64:ff9b::/96")  // NAT64, RFC 6052
	compatible    = netip.MustParsePrefix("::/96")         // RFC 4291 §2.5.5.1
	sixToFour     = netip.MustParsePrefix("2002::/16")     // RFC 3056
	cloudMetadata = map[netip.Addr]bool{
		netip.MustParseAddr("100.100.100.200"): true, // Alibaba Cloud
		netip.MustParseAddr("192.0.0.192"):     true, // Oracle Cloud
		netip.MustParseAddr("168.63.129.16"):   true, // Azure
		netip.MustParseAddr("fd00:ec2::254"):   true, // AWS
		netip.MustParseAddr("fd20:ce::254"):    true, // Google Cloud
	}
)

// embedded gives the IPv4 address that an IPv6 address of a translator stands for, else the address itself.
func embedded(ip netip.Addr) netip.Addr {
	b := ip.As16()
	switch {
	case ip.Is4():
	case translated.Contains(ip), compatible.Contains(ip) && !ip.IsLoopback() && !ip.IsUnspecified():
		return netip.AddrFrom4([4]byte(b[12:]))
	case sixToFour.Contains(ip):
		return netip.AddrFrom4([4]byte(b[2:6]))
	}
	return ip
}

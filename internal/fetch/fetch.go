// Package fetch gets a document from an address that a person typed, and does not become a way into
// the network of the service (server-side request forgery, SSRF).
//
// Where the address leads is up to strangers: DNS, redirects. So the IP address of every connection
// is looked at when it is dialed.
package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/iomete/saml/internal/address"
)

// Options change how Get connects.
type Options struct {
	RootCAs    *x509.CertPool // certificate authorities that vouch for the server; nil: those of the system
	PublicOnly bool           // https only, and public addresses only; all failures to connect look and last the same
	Proxy      string         // http://host:port or https://host:port of a forward proxy for https, perhaps with user:password@; "": none
	MaxBytes   int            // the largest document; required
}

// An Error says why there is no document. It shows neither a user name or password of an address,
// nor its query, nor an address of our own network that was not typed.
type Error struct {
	Message  string // one sentence without a final period
	Got      string // the host that was typed, or what the server answered; raw, "" if there is nothing to show
	Want     string // "" if the message says it
	Hint     string // what to change; "": what is always advised if metadata cannot be fetched
	Note     string // a second piece of advice, to be said behind the first
	AADSTS   string // an error number of Microsoft Entra ID in the answer, "AADSTS90002"; "" if there is none
	Setting  string // the field of Options that cannot be used; "" if the options are good
	TooLarge bool   // the document has more than MaxBytes
	Status   int    // of HTTP, if the server answered with one that has no document; else 0
	// RetryAfter is the header of that answer as it was sent (RFC 9110 §10.2.3), "" if there is none.
	RetryAfter string
	Cause      error // only context.Canceled, or why the server's certificate is not trusted; else nil
}

// Error returns the message for tests and logs of this package; users see the public error made
// from it.
func (e *Error) Error() string { return e.Message }

const (
	timeout        = 10 * time.Second
	connectTimeout = 5 * time.Second // with PublicOnly, for each server: also how long every failure takes
	maxRedirects   = 5
)

// Conditions are what an earlier Answer said about the document, so that the server need not send it
// again (RFC 9110 §13.1). The zero value asks for the document whatever it is.
type Conditions struct {
	ETag         string // of the earlier Answer, as it was sent; "": not asked by tag
	LastModified string // of the earlier Answer, as it was sent; "": not asked by date
	Fresh        bool   // caches on the way must ask the server (Cache-Control: no-cache)
}

// conditional reports whether the server may answer that nothing has changed.
func (c Conditions) conditional() bool { return c.ETag != "" || c.LastModified != "" }

// An Answer is what a server sent.
type Answer struct {
	Document     []byte // nil if NotModified
	NotModified  bool   // the document is the one that the Conditions are of (status 304)
	ETag         string // to be sent back as it is, at most 1 KiB; "" if there is none
	LastModified string // likewise
	MovedTo      string // where redirects led, as an error may show it; "" if there were none
}

const maxValidator = 1 << 10 // bytes of an ETag or a Last-Modified that is sent back

// Get returns the document at an address: https, or http on a loopback address unless PublicOnly is
// set. Blanks and invisible characters around the address are left out. It takes at most 10 seconds
// and follows 5 redirects. Link-local addresses and the metadata services of clouds are never
// connected to; private and loopback addresses only if the typed address itself leads to one. No
// proxy of the environment is used.
//
// With a proxy every https address is asked through it, also one of this machine; http never is. An
// IP address, and what a name resolves to here, is checked by the same rules. The proxy looks the
// name up for itself: a name that does not resolve here is its decision alone. All of this holds for
// redirects too.
func Get(ctx context.Context, typed string, o Options) ([]byte, *Error) {
	f, fault := newFetcher(o)
	if fault != nil {
		return nil, fault
	}
	return f.get(ctx, typed)
}

// GetIfChanged is Get for a document that is asked for again and again. An answer that nothing has
// changed is an error unless c has a condition.
func GetIfChanged(ctx context.Context, typed string, o Options, c Conditions) (*Answer, *Error) {
	f, fault := newFetcher(o)
	if fault != nil {
		return nil, fault
	}
	return f.ask(ctx, typed, c)
}

// Check returns what Get would find wrong with the address or the options before it connects, nil
// if nothing is.
func Check(typed string, o Options) *Error {
	f, fault := newFetcher(o)
	if fault != nil {
		return fault
	}
	return f.begin(typed)
}

func newFetcher(o Options) (*fetcher, *Error) {
	proxy, fault := parseProxy(o)
	if fault != nil {
		return nil, fault
	}
	return &fetcher{
		proxy:          proxy,
		lookup:         net.DefaultResolver.LookupNetIP,
		publicOnly:     o.PublicOnly,
		public:         isPublic,
		timeout:        timeout,
		connectTimeout: connectTimeout,
		maxBytes:       o.MaxBytes,
		tls:            &tls.Config{RootCAs: o.RootCAs, MinVersion: tls.VersionTLS12},
	}, nil
}

// begin reads the address that was typed.
func (f *fetcher) begin(typed string) *Error {
	const noAddress = "this is no address that metadata is fetched from"
	typed = address.Trimmed(typed)
	u, err := url.Parse(typed)
	if err != nil {
		message := noAddress + ": it is not a valid URL; look for a space or a wrong port"
		return &Error{Message: message, Got: address.Shown(typed), Want: f.wanted()}
	}
	if hidden := address.Hidden(typed); hidden != "" {
		message := noAddress + ": it has a character that cannot be seen, " + hidden
		return &Error{Message: message, Got: address.Shown(typed), Want: "the address without it"}
	}
	if !address.PortExists(u) {
		return &Error{Message: noAddress + ": it has a port that does not exist", Got: address.Shown(typed),
			Want: "a port from 1 to 65535, or none"}
	}
	if !f.fetchable(u) {
		return &Error{Message: noAddress, Got: address.Shown(typed), Want: f.wanted()}
	}
	f.first, f.typed = u, u.Host
	if address.HasUserInfo(typed) { // "https://name:1/2@host/" parses with the host "name:1"
		f.typed = address.Shown(typed)
	}
	return nil
}

func (f *fetcher) get(ctx context.Context, typed string) ([]byte, *Error) {
	answer, err := f.ask(ctx, typed, Conditions{})
	if err != nil {
		return nil, err
	}
	return answer.Document, nil
}

func (f *fetcher) ask(ctx context.Context, typed string, c Conditions) (*Answer, *Error) {
	if err := f.begin(typed); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, f.first.String(), nil)
	if err != nil {
		return nil, &Error{Message: "this is no address", Got: f.typed}
	}
	c.addTo(request.Header)
	response, err := f.client().Do(request)
	if err != nil {
		return nil, f.failed(err)
	}
	defer response.Body.Close()
	f.answered = true
	answer := &Answer{ETag: validator(response, "ETag"), LastModified: validator(response, "Last-Modified")}
	if f.moved.Load() {
		answer.MovedTo = address.Shown(response.Request.URL.String())
	}
	switch {
	case response.StatusCode == http.StatusNotModified && c.conditional():
		answer.NotModified = true
		return answer, nil
	case response.StatusCode != http.StatusOK:
		return nil, f.refused(response)
	}
	var fault *Error
	if answer.Document, fault = f.document(ctx, response); fault != nil {
		return nil, fault
	}
	return answer, nil
}

// addTo sets the headers of a request.
func (c Conditions) addTo(h http.Header) {
	h.Set("Accept", "application/samlmetadata+xml, application/xml, text/xml, */*;q=0.1")
	h.Set("Accept-Encoding", "gzip")
	h.Set("User-Agent", userAgent)
	if c.ETag != "" {
		h.Set("If-None-Match", c.ETag)
	}
	if c.LastModified != "" {
		h.Set("If-Modified-Since", c.LastModified)
	}
	if c.Fresh {
		h.Set("Cache-Control", "no-cache")
	}
}

// validator returns a header that is sent back with the next request, "" if it is too long.
func validator(response *http.Response, name string) string {
	if v := response.Header.Get(name); len(v) <= maxValidator {
		return v
	}
	return ""
}

// refused says why a status is not one with a document.
func (f *fetcher) refused(response *http.Response) *Error {
	e := &Error{Message: "the server does not give the document", Got: response.Status, AADSTS: f.aadsts(response),
		Hint: hintOfStatus(response.StatusCode), Status: response.StatusCode,
		RetryAfter: response.Header.Get("Retry-After")}
	if e.AADSTS != "" {
		e.Got += ", " + e.AADSTS
	}
	if e.Status == http.StatusNotModified {
		e.Message = "the server says that the document has not changed, though it was asked for the document itself"
	}
	return e
}

// client uses a proxy only for https, and http is on this machine: what connects, and to where, is
// decided once for all redirects, because none changes the scheme.
func (f *fetcher) client() *http.Client {
	transport := &http.Transport{
		DialContext:            f.dial,
		TLSClientConfig:        f.tls,
		DisableCompression:     true, // document unpacks, and counts
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: 64 << 10,
	}
	switch {
	case f.viaProxy():
		transport.Proxy = http.ProxyURL(f.proxy)
		transport.DialContext = f.dialProxy
		transport.GetProxyConnectHeader = f.beforeConnect
		transport.OnProxyConnectResponse = f.afterConnect
	case f.publicOnly:
		transport.DialTLSContext = f.dialPublic
	}
	return &http.Client{Transport: transport, CheckRedirect: f.redirect}
}

// fetchable reports whether an address may be asked at all.
func (f *fetcher) fetchable(u *url.URL) bool {
	local := u.Scheme == "http" && address.IsLoopback(u.Hostname()) && !f.publicOnly
	return u.Hostname() != "" && u.User == nil && (u.Scheme == "https" || local)
}

func (f *fetcher) wanted() string {
	if f.publicOnly {
		return "https://host/path"
	}
	return "https://host/path, or http on this machine"
}

// A fetcher follows one address that was typed.
type fetcher struct {
	publicOnly              bool
	public                  func(netip.Addr) bool // isPublic
	timeout, connectTimeout time.Duration
	tls                     *tls.Config
	maxBytes                int
	proxy                   *url.URL // nil: none
	lookup                  func(ctx context.Context, network, host string) ([]netip.Addr, error)

	first      *url.URL
	typed      string      // the host that was typed, for errors
	moved      atomic.Bool // a redirect was followed
	private    atomic.Bool // the address that was typed led to a private or loopback address
	connecting atomic.Bool // with publicOnly: there is no connection to the server that is asked now
	tunneled   atomic.Bool // the proxy has connected us to the server that is asked now
	answered   bool        // the server that has the document sent its header
}

// errForbidden is a connection that is not made. An address in our network is not named: the
// administrator did not type it.
type errForbidden struct{ why, redirect string }

func (e errForbidden) Error() string { return e.why }

// dial connects, and remembers whether the first connection went to an address of our own network.
// A dial that lost against another may still be under way at the next one.
func (f *fetcher) dial(ctx context.Context, network, target string) (net.Conn, error) {
	c, err := (&net.Dialer{Control: f.control}).DialContext(ctx, network, target)
	if err != nil || f.moved.Load() {
		return c, err
	}
	if a, err := netip.ParseAddrPort(c.RemoteAddr().String()); err == nil && inside(embedded(a.Addr().Unmap())) {
		f.private.Store(true)
	}
	return c, nil
}

// dialPublic connects to a public server that has a trusted certificate. Whatever fails, be it the
// look-up of the name, the address, the port or TLS, it fails at the same time after the beginning:
// how long it took tells nothing either.
func (f *fetcher) dialPublic(ctx context.Context, network, target string) (net.Conn, error) {
	f.connecting.Store(true)
	ctx, cancel := context.WithTimeout(ctx, f.connectTimeout)
	defer cancel()
	dialer := tls.Dialer{NetDialer: &net.Dialer{Control: f.control}, Config: f.tls}
	c, err := dialer.DialContext(ctx, network, target)
	if err != nil {
		<-ctx.Done()
		return nil, err
	}
	f.connecting.Store(false)
	return c, nil
}

// control looks at each address when it is dialed: names that change between two look-ups change
// nothing.
func (f *fetcher) control(_, target string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(target)
	if err != nil {
		return errForbidden{why: "it leads to an address that cannot be read"}
	}
	return f.allowed(a.Addr())
}

// allowed is the rule for the IP addresses that we connect to.
func (f *fetcher) allowed(a netip.Addr) error {
	switch ip := embedded(a.Unmap().WithZone("")); {
	case f.publicOnly && !f.public(ip):
		return errForbidden{why: "it leads to an address that is not public"}
	case f.publicOnly:
		return nil
	case neverDialled(ip):
		return errForbidden{why: "it leads to a link-local address, or another that no server has"}
	case f.first.Scheme == "http" && !ip.IsLoopback():
		return errForbidden{why: "it is http, and leads to another machine"}
	case inside(ip) && f.moved.Load() && !f.private.Load():
		return errForbidden{why: "it redirects to a private address, and the one that was typed is not known to be private"}
	}
	return nil
}

// redirect is the rule for where a server sends us.
func (f *fetcher) redirect(next *http.Request, via []*http.Request) error {
	f.moved.Store(true)
	next.Header.Del("Referer")
	switch {
	case len(via) > maxRedirects:
		return errForbidden{why: "it redirects too often"}
	case next.URL.Scheme != f.first.Scheme || !f.fetchable(next.URL):
		return errForbidden{"it redirects to an address that is not followed", address.Shown(next.URL.String())}
	}
	return nil
}

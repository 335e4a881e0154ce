package fetch

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/iomete/saml/internal/address"
)

const (
	userAgent = "iomete-saml"

	// How long a name is looked up before it is left to the proxy: in a network that only a proxy
	// leads out of, DNS may be silent.
	lookupTimeout = 2 * time.Second
)

// parseProxy reads Options.Proxy. It returns nil if there is none. Its errors show neither user
// name nor password.
func parseProxy(o Options) (*url.URL, *Error) {
	if o.Proxy == "" {
		return nil, nil
	}
	const example = "http://host:port or https://host:port"
	refuse := func(message, want, hint string) (*url.URL, *Error) {
		return nil, &Error{Setting: "Proxy", Message: message, Want: want, Hint: hint,
			Got: address.Shown(address.Trimmed(o.Proxy))}
	}
	if o.PublicOnly {
		return refuse("cannot be used together with PublicOnly: the proxy would connect, to addresses that nobody checks",
			"one of the two", "Leave FetchOptions.Proxy empty for addresses that strangers type, or let them upload the file.")
	}
	typed := address.Trimmed(o.Proxy)
	u, err := url.Parse(typed)
	switch {
	case err != nil:
		return refuse("is not a valid URL", example,
			"In user name and password write special characters with %: %40 for @, %2F for /, %23 for #, %3F for ?, %25 for %.")
	case address.Hidden(typed) != "":
		return refuse("has a character that cannot be seen, "+address.Hidden(typed), "the address without it",
			"Type FetchOptions.Proxy by hand.")
	case u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "", u.Opaque != "":
		return refuse("is not the address of a proxy by http or https", example,
			"Write FetchOptions.Proxy with its scheme, usually http:// also if metadata is fetched by https. SOCKS is not supported.")
	case !address.PortExists(u):
		return refuse("has a port that does not exist", "a port from 1 to 65535, or none",
			"Compare FetchOptions.Proxy with the settings of the network.")
	case u.Path != "" && u.Path != "/", strings.ContainsAny(typed, "?#"):
		return refuse("has more than scheme, user, host and port", example,
			"The address of a configuration script (PAC) is no proxy: take the host and port that the script names. "+
				"In a password write / as %2F, ? as %3F and # as %23.")
	}
	return &url.URL{Scheme: u.Scheme, User: u.User, Host: u.Host}, nil
}

// viaProxy reports whether the address that was typed is asked through the proxy.
func (f *fetcher) viaProxy() bool { return f.proxy != nil && f.first.Scheme == "https" }

// dialProxy connects to the proxy. The service's own configuration named it, so it may be anywhere.
func (f *fetcher) dialProxy(ctx context.Context, network, target string) (net.Conn, error) {
	f.tunneled.Store(false)
	return (&net.Dialer{}).DialContext(ctx, network, target)
}

// beforeConnect checks the host and port that the proxy is going to be asked for, as they will
// stand in the CONNECT request (RFC 9110 §9.3.6), and returns the header of that request.
func (f *fetcher) beforeConnect(ctx context.Context, _ *url.URL, target string) (http.Header, error) {
	host, _, err := net.SplitHostPort(target)
	if err != nil {
		return nil, errForbidden{why: "it leads to an address that cannot be read"}
	}
	addresses, err := f.resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	private := len(addresses) > 0
	for _, a := range addresses {
		if err := f.allowed(a); err != nil {
			return nil, err
		}
		private = private && inside(embedded(a.Unmap().WithZone("")))
	}
	if private { // behind a redirect this is allowed only if it is known already
		f.private.Store(true)
	}
	return http.Header{"User-Agent": {userAgent}}, nil
}

// resolve returns the IP addresses of a host, none if this machine does not know the name.
func (f *fetcher) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	if number.MatchString(host) {
		return nil, errForbidden{why: "its host is an IP address in a form that programs read in different ways, write it as 192.0.2.1"}
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	addresses, err := f.lookup(ctx, "ip", host)
	if err != nil {
		return nil, nil
	}
	return addresses, nil
}

// number is a host that many programs take for an IPv4 address: "2130706433", "0x7f.1", "127.1",
// "127.0.0.1." (URL Standard, "ends in a number checker"). No domain ends like that.
var number = regexp.MustCompile(`(?i)(^|\.)([0-9]+|0x[0-9a-f]*)\.?$`)

// afterConnect is told what the proxy answers. What else it says is a stranger's text, and may hold
// what we sent: only the number of the status is taken from it, and the ways to sign in.
func (f *fetcher) afterConnect(_ context.Context, _ *url.URL, request *http.Request, response *http.Response) error {
	if response.StatusCode == http.StatusOK {
		f.tunneled.Store(true)
		return nil
	}
	target := request.Host
	e := &Error{Message: "the proxy refuses to connect to the server",
		Got:  strings.TrimSpace(fmt.Sprintf("%d %s", response.StatusCode, http.StatusText(response.StatusCode))) + " for " + target,
		Hint: "Let whoever runs the proxy allow CONNECT to this host and port. Or download the file with a browser and give that."}
	switch response.StatusCode {
	case http.StatusProxyAuthRequired:
		f.signIn(e, response)
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		e.Message = "the proxy refuses the connection, because it cannot reach the server itself"
		e.Hint = "Compare the host in the address. If it is right, let whoever runs the proxy find out why the proxy cannot reach it. " +
			"Or download the file with a browser and give that."
	case http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		e.Message = "the proxy refuses the method CONNECT: it may be a web server and no proxy"
		e.Hint = compareTheProxy
	}
	return e
}

var basic = regexp.MustCompile(`(?i)(^|,)\s*basic\b`)

// signIn says what is wrong about the user name and password, or their absence.
func (f *fetcher) signIn(e *Error, response *http.Response) {
	const put = "Put the user name and password that the proxy knows into FetchOptions.Proxy, as http://user:password@host:port. " +
		"Write special characters in them with %: %40 for @, %2F for /."
	offers := response.Header.Values("Proxy-Authenticate")
	switch {
	case len(offers) > 0 && !basic.MatchString(strings.Join(offers, ",")):
		e.Message = "the proxy refuses the request: it wants a sign-in of another kind than by user name and password (Basic)"
		e.Got += ", Proxy-Authenticate: " + schemes(offers)
		e.Want = "Basic"
		e.Hint = "Let whoever runs the proxy allow this service without sign-in, or with Basic. Or download the file with a browser and give that."
	case f.proxy.User == nil:
		e.Message = "the proxy refuses the request: it wants a user name and a password, and none are configured"
		e.Hint = put
	default:
		e.Message = "the proxy refuses the user name and password"
		e.Hint = put
	}
}

// schemes returns the names of those of the ways to sign in that are well known (the registry "HTTP
// Authentication Schemes" of IANA, and NTLM): another word may be anything.
func schemes(offers []string) string {
	var known []string
	for _, offer := range offers {
		word, _, _ := strings.Cut(offer, " ")
		for _, scheme := range []string{"Negotiate", "NTLM", "Kerberos", "Digest", "Bearer", "SCRAM-SHA-256"} {
			if strings.EqualFold(word, scheme) {
				known = append(known, scheme)
			}
		}
	}
	if len(known) == 0 {
		return "another kind"
	}
	return strings.Join(known, ", ")
}

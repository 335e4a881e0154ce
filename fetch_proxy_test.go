package saml

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml/internal/proxytest"
)

// nobodyListens takes what a server logs about connections that are refused on purpose.
var nobodyListens = log.New(io.Discard, "", 0)

// An authority issues certificates, as one of a company does.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{}
	own := a.issue(t, &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	a.certificate, a.key = own.Leaf, own.PrivateKey.(*ecdsa.PrivateKey)
	return a
}

// issue makes a certificate for these names, or its own if it has none yet.
func (a *authority) issue(t *testing.T, template *x509.Certificate) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber, template.NotBefore, template.NotAfter = big.NewInt(1), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.certificate, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

// A closedNetwork has an identity provider behind a proxy. Nothing resolves its names but the
// proxy: they end in "invalid" (RFC 6761 §6.4).
type closedNetwork struct {
	roots  *x509.CertPool
	server *httptest.Server
	names  map[string]string
	own    *tls.Certificate // for the proxy
}

const proxiedDocument = "<EntityDescriptor/>"

func newClosedNetwork(t *testing.T) *closedNetwork {
	t.Helper()
	company := newAuthority(t)
	certificate := company.issue(t, &x509.Certificate{DNSNames: []string{"idp.corp.invalid", "other.corp.invalid", "localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Proxy-Authorization") != "" {
			t.Error("the server gets the password of the proxy")
		}
		to := r.URL.Query().Get("to")
		if r.URL.Path == "/loop" {
			to = "/loop"
		}
		if to != "" {
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusFound)
			return
		}
		io.WriteString(w, proxiedDocument)
	}))
	server.Config.ErrorLog = nobodyListens
	server.TLS = &tls.Config{Certificates: []tls.Certificate{*certificate}}
	server.StartTLS()
	t.Cleanup(server.Close)
	at := server.Listener.Addr().String()
	return &closedNetwork{roots: company.pool(), server: server, own: certificate, names: map[string]string{
		"idp.corp.invalid:443": at, "other.corp.invalid:8443": at, "unknown-ca.corp.invalid:443": at}}
}

// TestFetchThroughProxy: what leads out by a proxy is read, redirects included.
func TestFetchThroughProxy(t *testing.T) {
	t.Parallel()
	n := newClosedNetwork(t)
	const password = "p@ss/w?rd#%"
	plain := (&proxytest.Proxy{Names: n.names}).Start(t, nil)
	secure := (&proxytest.Proxy{Names: n.names}).Start(t, n.own)
	asks := (&proxytest.Proxy{Names: n.names,
		Allowed: "Basic " + base64.StdEncoding.EncodeToString([]byte("service:"+password))}).Start(t, nil)
	withUser := strings.Replace(asks.URL, "://", "://"+url.UserPassword("service", password).String()+"@", 1)
	at := n.server.Listener.Addr().String()
	local := httptest.NewServer(n.server.Config.Handler)
	t.Cleanup(local.Close)
	for _, row := range []struct {
		name, proxy, address string
		of                   *proxytest.Proxy
		asked                []string
	}{
		{"by http", plain.URL, "https://idp.corp.invalid/metadata", plain, []string{"CONNECT idp.corp.invalid:443"}},
		{"by http, with a slash", plain.URL + "/", "https://idp.corp.invalid/metadata", plain, []string{"CONNECT idp.corp.invalid:443"}},
		{"by http, with blanks around", " " + plain.URL + "\u00a0\n", "https://idp.corp.invalid/metadata", plain, []string{"CONNECT idp.corp.invalid:443"}},
		{"by https", secure.URL, "https://idp.corp.invalid/metadata", secure, []string{"CONNECT idp.corp.invalid:443"}},
		{"with a password", withUser, "https://idp.corp.invalid/metadata", asks, []string{"CONNECT idp.corp.invalid:443"}},
		{"another port", plain.URL, "https://other.corp.invalid:8443/", plain, []string{"CONNECT other.corp.invalid:8443"}},
		{"a private address", plain.URL, n.server.URL, plain, []string{"CONNECT " + at}},
		{"a redirect", withUser, "https://idp.corp.invalid/?to=https://other.corp.invalid:8443/x", asks,
			[]string{"CONNECT idp.corp.invalid:443", "CONNECT other.corp.invalid:8443"}},
		{"a redirect from a private to a private address", plain.URL, n.server.URL + "/?to=" + n.server.URL, plain, []string{"CONNECT " + at, "CONNECT " + at}},
		{"http on this machine goes without", plain.URL, local.URL, plain, nil},
	} {
		got, err := FetchMetadata(t.Context(), row.address, FetchOptions{RootCAs: n.roots, Proxy: row.proxy})
		if asked := row.of.Requests(); err != nil || string(got) != proxiedDocument || !slices.Equal(asked, row.asked) {
			t.Errorf("%s: got %q, %v, the proxy was asked %q, want %q", row.name, got, err, asked, row.asked)
		}
	}
}

// TestFetchProxyChecksTargets: the addresses that may not be reached directly may not be reached
// through the proxy either. Each row names what is never asked.
func TestFetchProxyChecksTargets(t *testing.T) {
	t.Parallel()
	n := newClosedNetwork(t)
	proxy := (&proxytest.Proxy{Names: n.names}).Start(t, nil)
	_, port, _ := net.SplitHostPort(n.server.Listener.Addr().String())
	const first = "https://idp.corp.invalid/?to="
	for _, row := range []struct{ name, address, message string }{
		{"a link-local address", "https://169.254.169.254/latest", "link-local"},
		{"a link-local address, IPv6", "https://[fe80::1%25eth0]/", "link-local"},
		{"the same in IPv6", "https://[::ffff:169.254.169.254]/", "link-local"},
		{"the same by NAT64", "https://[64:ff9b::a9fe:a9fe]/", "link-local"},
		{"the same in full-width digits", "https://\uff11\uff16\uff19.254.169.254/", "link-local"},
		{"the metadata service of Azure", "https://168.63.129.16/", "link-local"},
		{"an IPv4 address as one number", "https://2852039166/", "different ways"},
		{"an IPv4 address in hexadecimal", "https://0xa9fea9fe/", "different ways"},
		{"an IPv4 address with octal parts", "https://0251.0376.0251.0376/", "different ways"},
		{"an IPv4 address of three parts", "https://169.254.43518/", "different ways"},
		{"an IPv4 address with a dot behind it", "https://169.254.169.254./", "different ways"},
		{"http elsewhere", "http://idp.corp.invalid/", "no address"},
		{"a redirect to a link-local address", first + "https://169.254.169.254/", "link-local"},
		{"a redirect to this machine", first + "https://127.0.0.1:" + port + "/", "not known to be private"},
		{"a redirect to this machine by its name", first + "https://localhost:" + port + "/", "not known to be private"},
		{"a redirect to a private address", first + "https://10.0.0.1/", "not known to be private"},
		{"a redirect to this machine in another form", first + "https://2130706433:" + port + "/", "different ways"},
		{"a redirect to http", first + "http://127.0.0.1:" + port + "/", "not followed"},
		{"a redirect to a file", first + "file:///etc/passwd", "not followed"},
		{"redirects in a circle", "https://idp.corp.invalid/loop", "too often"},
	} {
		data, err := FetchMetadata(t.Context(), row.address, FetchOptions{RootCAs: n.roots, Proxy: proxy.URL})
		e := onlyFault(t, err)
		if e.Code != CodeMetadataFetch || !strings.Contains(e.Message, row.message) || e.Hint == "" || data != nil {
			t.Errorf("%s: got %q, %v, want %q", row.name, data, err, row.message)
		}
		for _, asked := range proxy.Requests() {
			if asked != "CONNECT idp.corp.invalid:443" {
				t.Errorf("%s: the proxy was asked %q", row.name, asked)
			}
		}
	}
}

// TestFetchProxyRefuses: who refused is said, the proxy or the server, and what to change. No
// password is shown.
func TestFetchProxyRefuses(t *testing.T) {
	t.Parallel()
	n := newClosedNetwork(t)
	status := func(code int, header ...string) *proxytest.Proxy {
		return (&proxytest.Proxy{Answer: func(w http.ResponseWriter, r *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Add(header[i], header[i+1])
			}
			w.WriteHeader(code)
			io.WriteString(w, "AADSTS90002 of a page that nobody may see: "+r.Header.Get("Proxy-Authorization"))
		}}).Start(t, nil)
	}
	withUser := func(p *proxytest.Proxy) string { return strings.Replace(p.URL, "://", "://service:secret@", 1) }
	good := (&proxytest.Proxy{Names: n.names}).Start(t, nil)
	asks := (&proxytest.Proxy{Names: n.names, Allowed: "Basic x"}).Start(t, nil)
	unknown := newAuthority(t).issue(t, &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	strange := (&proxytest.Proxy{}).Start(t, unknown)
	secure := (&proxytest.Proxy{Names: n.names}).Start(t, n.own)
	garbage := (&proxytest.Proxy{Answer: func(w http.ResponseWriter, r *http.Request) {
		c, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			io.WriteString(c, "SSH-2.0-service:secret\r\n")
			c.Close()
		}
	}}).Start(t, nil)
	echo := (&proxytest.Proxy{Answer: func(w http.ResponseWriter, r *http.Request) {
		c, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			io.WriteString(c, "HTTP/1.1 403 service:secret\r\nContent-Length: 0\r\n\r\n")
			c.Close()
		}
	}}).Start(t, nil)
	hangs := make(chan struct{})
	silent := (&proxytest.Proxy{Answer: func(http.ResponseWriter, *http.Request) { <-hangs }}).Start(t, nil)
	t.Cleanup(func() { close(hangs) }) // before the proxy is closed
	closes, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closes.Close() })
	go func() {
		for c, err := closes.Accept(); err == nil; c, err = closes.Accept() {
			c.Close()
		}
	}()
	dead := httptest.NewServer(nil)
	dead.Close()
	const negotiate, ntlm = "Negotiate", `NTLM service:secret`
	for _, row := range []struct{ name, proxy, message, got, hint string }{
		{"no password", asks.URL, "the proxy refuses the request: it wants a user name and a password", "407 Proxy Authentication Required for idp.corp.invalid:443", "FetchOptions.Proxy"},
		{"a wrong password", withUser(asks), "the proxy refuses the user name and password", "407", "FetchOptions.Proxy"},
		{"a user name alone", strings.Replace(asks.URL, "://", "://secret@", 1), "the proxy refuses the user name and password", "407", "FetchOptions.Proxy"},
		{"another kind of sign-in", withUser(status(407, "Proxy-Authenticate", negotiate, "Proxy-Authenticate", ntlm)), "another kind", "Negotiate, NTLM", "with Basic"},
		{"a kind that nobody knows", withUser(status(407, "Proxy-Authenticate", "secret x=y")), "another kind", "another kind", "with Basic"},
		{"Basic among others", withUser(status(407, "Proxy-Authenticate", negotiate, "Proxy-Authenticate", `basic realm="x"`)), "the proxy refuses the user name and password", "407", "FetchOptions.Proxy"},
		{"Basic in one line with others", status(407, "Proxy-Authenticate", `Digest realm="x", Basic realm="x"`).URL, "wants a user name and a password", "407", "FetchOptions.Proxy"},
		{"no kind of sign-in is named", status(407).URL, "wants a user name and a password", "407", "FetchOptions.Proxy"},
		{"forbidden", withUser(status(403)), "the proxy refuses to connect", "403 Forbidden for idp.corp.invalid:443", "allow CONNECT"},
		{"a page to sign in", withUser(status(302, "Location", "https://portal.corp.invalid/?secret")), "the proxy refuses to connect", "302 Found for", "allow CONNECT"},
		{"another kind of success", withUser(status(202)), "the proxy refuses to connect", "202 Accepted for", "allow CONNECT"},
		{"a status that nobody knows", withUser(status(599)), "the proxy refuses to connect", "599 for", "allow CONNECT"},
		{"a status with our password in it", withUser(echo), "the proxy refuses to connect", "403 Forbidden for", "allow CONNECT"},
		{"a server that the proxy cannot reach", withUser(status(502)), "the proxy refuses the connection, because it cannot reach the server", "502 Bad Gateway for idp.corp.invalid:443", "Compare the host"},
		{"a server that the proxy does not know", withUser(status(503)), "it cannot reach the server", "503 Service Unavailable for", "Compare the host"},
		{"a server that is too slow for the proxy", withUser(status(504)), "it cannot reach the server", "504 Gateway Timeout for", "Compare the host"},
		{"a web server", withUser(status(405)), "it may be a web server and no proxy", "405 Method Not Allowed for", "Compare FetchOptions.Proxy"},
		{"something that is no web server", withUser(garbage), "the proxy does not answer as a proxy does", garbage.Listener.Addr().String(), "Compare FetchOptions.Proxy"},
		{"a proxy that is off", strings.Replace(dead.URL, "://", "://service:secret@", 1), "the proxy refuses the connection", dead.Listener.Addr().String(), "Compare FetchOptions.Proxy"},
		{"a proxy that hangs up", "https://service:secret@" + closes.Addr().String(), "the proxy cannot be reached", closes.Addr().String(), "Compare FetchOptions.Proxy"},
		{"a proxy whose name is none", "http://service:secret@no-such-proxy.invalid:3128", "there is no proxy of this name", "no-such-proxy.invalid:3128", "Compare FetchOptions.Proxy"},
		{"a proxy that is silent", withUser(silent), "the proxy does not answer", silent.Listener.Addr().String(), "Compare FetchOptions.Proxy"},
		{"http that is called https", strings.Replace(withUser(good), "http:", "https:", 1), "the proxy does not speak TLS", good.Listener.Addr().String(), "Compare FetchOptions.Proxy"},
		{"https that is called http", strings.Replace(withUser(secure), "https:", "http:", 1), "the proxy does not answer as a proxy does", secure.Listener.Addr().String(), "Compare FetchOptions.Proxy"},
		{"a certificate that nobody vouches for", withUser(strange), "the proxy's own certificate is not trusted", strange.Listener.Addr().String(), "FetchOptions.RootCAs"},
	} {
		ctx, patience := context.WithTimeout(t.Context(), time.Minute)
		if row.proxy == withUser(silent) {
			ctx, patience = context.WithTimeout(t.Context(), 300*time.Millisecond)
		}
		data, err := FetchMetadata(ctx, "https://idp.corp.invalid/metadata", FetchOptions{RootCAs: n.roots, Proxy: row.proxy})
		patience()
		e := onlyFault(t, err)
		if e.Code != CodeMetadataFetch || !strings.Contains(e.Message, row.message) || !strings.Contains(e.Got, row.got) ||
			!strings.Contains(e.Hint, row.hint) || data != nil {
			t.Errorf("%s: got %v (%s), want %q, got %q, hint %q", row.name, err, e.Hint, row.message, row.got, row.hint)
		}
		text := fmt.Sprintf("%+v %v", *e, errors.Unwrap(err))
		for _, hidden := range []string{"secret", base64.StdEncoding.EncodeToString([]byte("service:secret")), "AADSTS"} {
			if strings.Contains(text, hidden) {
				t.Errorf("%s: %q is in %s", row.name, hidden, text)
			}
		}
	}
	once := (&proxytest.Proxy{Names: n.names}).Start(t, nil)
	once.Answer = func(w http.ResponseWriter, r *http.Request) { // it is switched off between two connections
		if r.Host != "idp.corp.invalid:443" {
			panic(http.ErrAbortHandler)
		}
		once.Connect(w, r)
	}
	_, err = FetchMetadata(t.Context(), "https://idp.corp.invalid/?to=https://other.corp.invalid:8443/", FetchOptions{RootCAs: n.roots, Proxy: once.URL})
	if e := onlyFault(t, err); !strings.Contains(e.Message, "the proxy does not answer as a proxy does") {
		t.Errorf("a proxy that goes away before a redirect is followed: got %v", err)
	}
	_, err = FetchMetadata(t.Context(), "https://unknown-ca.corp.invalid/", FetchOptions{RootCAs: n.roots, Proxy: good.URL})
	if e := onlyFault(t, err); !strings.Contains(e.Message, "server's own certificate is not trusted") || !strings.Contains(e.Error(), "unknown-ca.corp.invalid") ||
		strings.Contains(e.Hint, "FetchOptions") {
		t.Errorf("a certificate for another name behind the proxy: got %v (%s), want no option named", err, e.Hint)
	}
}

// TestFetchRootCAs: whose certificates are trusted is the same with a proxy and without.
func TestFetchRootCAs(t *testing.T) {
	t.Parallel()
	n := newClosedNetwork(t)
	other := newAuthority(t)
	foreign := other.issue(t, &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	both := n.roots.Clone()
	both.AddCert(other.certificate)
	plain := (&proxytest.Proxy{}).Start(t, nil)
	secure := (&proxytest.Proxy{}).Start(t, n.own)
	elsewhere := (&proxytest.Proxy{}).Start(t, foreign)
	const server, proxy = "the server's own certificate is not trusted", "the proxy's own certificate is not trusted"
	for _, row := range []struct {
		name, proxy string
		roots       *x509.CertPool
		message     string
	}{
		{"without proxy, own authority", "", n.roots, ""},
		{"without proxy, another authority", "", other.pool(), server},
		{"without proxy, none", "", x509.NewCertPool(), server},
		{"without proxy, those of the system", "", nil, server},
		{"proxy by http, own authority", plain.URL, n.roots, ""},
		{"proxy by http, another authority", plain.URL, other.pool(), server},
		{"proxy by http, none", plain.URL, x509.NewCertPool(), server},
		{"proxy by http, those of the system", plain.URL, nil, server},
		{"proxy by https, own authority", secure.URL, n.roots, ""},
		{"proxy by https, none", secure.URL, x509.NewCertPool(), proxy},
		{"proxy by https, those of the system", secure.URL, nil, proxy},
		{"proxy by https of another authority, that of the server", elsewhere.URL, n.roots, proxy},
		{"proxy by https of another authority, that of the proxy", elsewhere.URL, other.pool(), server},
		{"proxy by https of another authority, both", elsewhere.URL, both, ""},
	} {
		got, err := FetchMetadata(t.Context(), n.server.URL, FetchOptions{RootCAs: row.roots, Proxy: row.proxy})
		if row.message == "" {
			if err != nil || string(got) != proxiedDocument {
				t.Errorf("%s: got %q, %v", row.name, got, err)
			}
			continue
		}
		if e := onlyFault(t, err); !strings.Contains(e.Message, row.message) || !strings.Contains(e.Hint, "FetchOptions.RootCAs") || got != nil {
			t.Errorf("%s: got %q, %v (%s), want %q", row.name, got, err, e.Hint, row.message)
		}
	}
}

// TestFetchProxyOption: an option that cannot be used is a fault of the configuration, found before
// anything is asked, and shows no password.
func TestFetchProxyOption(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, proxy string
		publicOnly  bool
		message     string
	}{
		{"with PublicOnly", "http://user:secret@proxy.example.com:3128", true, "together with PublicOnly"},
		{"blanks alone", "  ", false, "is not the address of a proxy"},
		{"no scheme", "proxy.example.com:3128", false, "is not the address of a proxy"},
		{"no scheme, an IP address", "10.0.0.1:3128", false, "is not a valid URL"},
		{"no scheme, a password", "user:secret@proxy.example.com:3128", false, "is not the address of a proxy"},
		{"no host", "http://:3128", false, "is not the address of a proxy"},
		{"SOCKS", "socks5://user:secret@proxy.example.com:1080", false, "is not the address of a proxy"},
		{"a configuration script", "http://wpad.example.com/proxy.pac", false, "more than scheme, user, host and port"},
		{"a query", "http://proxy.example.com:3128?user=secret", false, "more than scheme, user, host and port"},
		{"a port that does not exist", "http://user:secret@proxy.example.com:65536", false, "port that does not exist"},
		{"an invisible character", "http://user:secret@pro\u200bxy.example.com:3128", false, "cannot be seen, U+200B"},
		{"a password with a slash", "http://user:sec/secret@proxy.example.com:3128", false, "is not a valid URL"},
		{"a password with digits and a slash", "http://user:1/secret@proxy.example.com:3128", false, "more than scheme, user, host and port"},
		{"a password with a question mark", "http://user:1?secret@proxy.example.com:3128", false, "more than scheme, user, host and port"},
		{"a password with a number sign", "http://user:1#secret@proxy.example.com:3128", false, "more than scheme, user, host and port"},
		{"a password with a percent sign", "http://user:secret%@proxy.example.com:3128", false, "is not a valid URL"},
	} {
		_, err := FetchMetadata(t.Context(), "https://idp.corp.invalid/", FetchOptions{Proxy: row.proxy, PublicOnly: row.publicOnly})
		e := onlyFault(t, err)
		if e.Code != CodeConfig || e.Field != "Proxy" || !strings.HasPrefix(e.Message, "FetchOptions.Proxy ") ||
			!strings.Contains(e.Message, row.message) || e.Hint == "" || e.Want == "" {
			t.Errorf("%s: got %+v, want %q", row.name, e, row.message)
		}
		if strings.Contains(fmt.Sprintf("%+v", *e), "secret") {
			t.Errorf("%s: the password is in %+v", row.name, e)
		}
	}
}

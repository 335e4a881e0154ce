package saml

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// fetchServer is a TLS server on this machine, and the options that trust it.
func fetchServer(t *testing.T, h http.HandlerFunc) (*httptest.Server, FetchOptions) {
	t.Helper()
	server := httptest.NewTLSServer(h)
	t.Cleanup(server.Close)
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	return server, FetchOptions{RootCAs: pool}
}

func TestFetchMetadata(t *testing.T) {
	t.Parallel()
	const document = "<EntityDescriptor/>"
	server, options := fetchServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Referer") != "" || r.Header.Get("Cookie") != "" || r.Header.Get("Authorization") != "" || strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			t.Errorf("headers %v", r.Header)
		}
		switch path := r.URL.Path; {
		case strings.HasPrefix(path, "/hop"):
			http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
			http.Redirect(w, r, strings.TrimPrefix(path, "/hop")+"?", http.StatusFound)
		case path == "/full":
			w.Write(make([]byte, maxMetadata))
		default:
			w.Write([]byte(document))
		}
	})
	for _, path := range []string{"/", "/hop/", "/hop/hop/hop/hop/hop/"} {
		got, err := FetchMetadata(t.Context(), server.URL+path, options)
		if err != nil || string(got) != document {
			t.Errorf("%s: got %q, %v", path, got, err)
		}
	}
	if got, err := FetchMetadata(t.Context(), server.URL+"/full", options); err != nil || len(got) != maxMetadata {
		t.Errorf("4 MiB: got %d bytes, %v", len(got), err)
	}
	plain := httptest.NewServer(server.Config.Handler)
	t.Cleanup(plain.Close)
	if _, err := FetchMetadata(t.Context(), plain.URL, FetchOptions{}); err != nil {
		t.Errorf("http on this machine: %v", err)
	}
}

// TestFetchThatIsRefused: each has a sentence of its own, and none says more of our network than was typed.
func TestFetchThatIsRefused(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	server, options := fetchServer(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		to := r.URL.Query().Get("to")
		switch {
		case to != "":
			http.Redirect(w, r, to, http.StatusFound)
		case r.URL.Path == "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case r.URL.Path == "/large":
			w.Write(make([]byte, 5<<20))
		case r.URL.Path == "/endless":
			for block := make([]byte, 1<<16); ; {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		case r.URL.Path == "/cut":
			w.Header().Set("Content-Length", "100")
			w.Write([]byte("x"))
		default:
			http.NotFound(w, r)
		}
	})
	dead := httptest.NewTLSServer(nil)
	dead.Close()
	for _, row := range []struct {
		name, address string
		code          Code
		message, got  string
	}{
		{"nothing", "", CodeMetadataFetch, "no address", ""},
		{"no address", "federationmetadata.xml", CodeMetadataFetch, "no address", "federationmetadata.xml"},
		{"http", "http://idp.example.com/metadata", CodeMetadataFetch, "no address", "http://idp.example.com"},
		{"a file", "file:///etc/passwd", CodeMetadataFetch, "no address", "file:"},
		{"a name and password", "https://user:secret@127.0.0.1/", CodeMetadataFetch, "no address", ""},
		{"a document that is not there", server.URL + "/absent", CodeMetadataFetch, "does not give the document", "404"},
		{"5 MB", server.URL + "/large", CodeTooLarge, "more than 4 MiB", ""},
		{"without end", server.URL + "/endless", CodeTooLarge, "more than 4 MiB", ""},
		{"a connection that breaks", server.URL + "/cut", CodeMetadataFetch, "cannot be reached", ""},
		{"a redirect to http", server.URL + "/?to=http://idp.example.com/", CodeMetadataFetch, "not followed", "http://idp.example.com/"},
		{"a redirect to a file", server.URL + "/?to=file:///etc/passwd", CodeMetadataFetch, "not followed", "file:///etc/passwd"},
		{"a redirect with a password", server.URL + "/?to=https://a:secret@idp.example.com/", CodeMetadataFetch, "not followed", "https://xxxxx@idp.example.com/"},
		{"a redirect to a link-local address", server.URL + "/?to=https://169.254.169.254/latest", CodeMetadataFetch, "link-local", ""},
		{"redirects in a circle", server.URL + "/loop", CodeMetadataFetch, "too often", ""},
		{"a link-local address", "https://169.254.169.254/latest/meta-data", CodeMetadataFetch, "link-local", "169.254.169.254"},
		{"a link-local address, IPv6", "https://[fe80::1]/", CodeMetadataFetch, "link-local", "fe80::1"},
		{"the same in IPv6", "https://[::ffff:169.254.169.254]/", CodeMetadataFetch, "link-local", ""},
		{"the same by NAT64", "https://[64:ff9b::a9fe:a9fe]/", CodeMetadataFetch, "link-local", ""},
		{"the unspecified address", "https://0.0.0.0/", CodeMetadataFetch, "link-local", ""},
		{"a server that is off", dead.URL, CodeMetadataFetch, "refuses the connection", ""},
		{"a name that is none", "https://no-such-host.invalid/", CodeMetadataFetch, "no server of this name", "no-such-host.invalid"},
	} {
		data, err := FetchMetadata(t.Context(), row.address, options)
		var refusal *Error
		if !errors.As(err, &refusal) || refusal.Code != row.code || !strings.Contains(refusal.Message, row.message) || !strings.Contains(refusal.Got, row.got) || refusal.Hint == "" || data != nil {
			t.Errorf("%s: got %d bytes, %v (%s), want %s with %q and %q", row.name, len(data), err, refusal.Got, string(row.code), row.message, row.got)
			continue
		}
		if strings.Contains(err.Error()+refusal.Hint, "secret") {
			t.Errorf("%s: the password is in %v", row.name, err)
		}
	}
	if _, err := FetchMetadata(t.Context(), server.URL, FetchOptions{}); !errors.Is(err, CodeMetadataFetch) || !strings.Contains(err.Error(), "certificate is not trusted") {
		t.Errorf("a server that nobody vouches for: %v", err)
	}
	if asked.Load() == 0 {
		t.Error("the server was never asked")
	}
}

// TestFetchGivesUp: what is slow ends, before the first byte and behind it.
func TestFetchGivesUp(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	server, options := fetchServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			w.Write([]byte("<"))
			w.(http.Flusher).Flush()
		}
		<-release
	})
	defer close(release)
	for _, path := range []string{"/header", "/body"} {
		f := &fetcher{timeout: 50 * time.Millisecond, tls: &tls.Config{RootCAs: options.RootCAs}}
		if _, err := f.fetch(t.Context(), server.URL+path); err == nil || err.Code != CodeMetadataFetch || !strings.Contains(err.Message, "does not answer within") {
			t.Errorf("%s: got %v", path, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := FetchMetadata(ctx, server.URL, options); !errors.Is(err, CodeMetadataFetch) || !errors.Is(err, context.Canceled) {
		t.Errorf("a caller who has gone: %v", err)
	}
}

// TestFetchedAddresses: the first address may be in our own network, if it was typed; a public server cannot lead there.
func TestFetchedAddresses(t *testing.T) {
	t.Parallel()
	const open, private, never = "", "private", "link-local"
	for address, kind := range map[string]string{
		"8.8.8.8": open, "2620:1ec:bdf::1": open, "64:ff9b::808:808": open,
		"127.0.0.1": private, "127.8.8.8": private, "::1": private, "10.1.2.3": private, "172.16.0.1": private, "172.31.255.255": private, "192.168.0.1": private,
		"100.64.0.1": private, "fc00::1": private, "fd12::1": private, "fec0::1": private, "::ffff:10.0.0.1": private, "64:ff9b::a00:1": private, "2002:a00:1::1": private, "::a00:1": private,
		"172.32.0.1": open, "100.128.0.1": open,
		"169.254.0.1": never, "169.254.169.254": never, "fe80::1": never, "fe80::1%eth0": never, "0.0.0.0": never, "0.1.2.3": never, "::": never, "224.0.0.1": never, "ff02::1": never,
		"255.255.255.255": never, "240.0.0.1": never, "100.100.100.200": never, "192.0.0.192": never, "168.63.129.16": never, "fd00:ec2::254": never, "fd20:ce::254": never,
		"::ffff:169.254.169.254": never, "64:ff9b::a9fe:a9fe": never, "64:ff9b:1::a9fe:a9fe": never, "64:ff9b:1:a9fe:a9:fe08:808:808": never, "2001:0:a9fe:a9fe::1": never, "::a9fe:a9fe": never, "2002:a9fe:a9fe::": never,
	} {
		target := netip.AddrPortFrom(netip.MustParseAddr(address), 443).String()
		dial := func(moved, private bool) string {
			f := &fetcher{first: &url.URL{Scheme: "https"}}
			f.moved.Store(moved)
			f.private.Store(private)
			var forbidden errForbidden
			if err := f.control("tcp", target, nil); err != nil && !errors.As(err, &forbidden) {
				t.Fatal(err)
			}
			return forbidden.why
		}
		first, fromPublic, fromPrivate := dial(false, false), dial(true, false), dial(true, true)
		want := map[string][3]string{open: {}, private: {"", "private", ""}, never: {never, never, never}}[kind]
		for i, got := range []string{first, fromPublic, fromPrivate} {
			if (got == "") != (want[i] == "") || !strings.Contains(got, want[i]) {
				t.Errorf("%s, %s: got %q, want %q", address, []string{"typed", "redirected from outside", "redirected from inside"}[i], got, want[i])
			}
		}
	}
	plain := &fetcher{first: &url.URL{Scheme: "http"}}
	for address, dialed := range map[string]bool{"nonsense": false, "127.0.0.1:80": true, "[::1]:80": true, "10.0.0.1:80": false, "8.8.8.8:80": false} {
		if err := plain.control("tcp", address, nil); (err == nil) != dialed {
			t.Errorf("http to %s: %v, want dialed %t", address, err, dialed)
		}
	}
}

// TestFetchShowsNoPassword: neither a typed address nor one of a redirect shows its password or token in an error, whatever form it has.
func TestFetchShowsNoPassword(t *testing.T) {
	t.Parallel()
	server, options := fetchServer(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", r.URL.Query().Get("to"))
		w.WriteHeader(http.StatusFound)
	})
	for _, address := range []string{
		"https://secret@127.0.0.1/", "https://user:secret@127.0.0.1/", "http://user:secret@idp.example.com/", "https://user:secret@ho st/", "https://user:se%cret@host/",
		"https://user:secret@host:port/", "https://user:secret", "https://user:secret/@127.0.0.1/", "https://user:1/secret@127.0.0.1:1/", "https://user:1?secret@127.0.0.1:1/",
		"https://user:1#secret@127.0.0.1:1/", "user:secret@host/path", "user:secret", "//user:secret@host/path", "ftp://user:secret@host/", "https:user:secret@host",
		"https://a:b@c:secret@host/", "https://user%3Asecret%40127.0.0.1/", "https://user:sec\x7fret@host/", "https://[user:secret@host/", `https:\\user:secret@host\`,
		"http://idp.example.com/?token=secret", "http://idp.example.com/#secret", "https://127.0.0.1:1/?token=secret", "/metadata?token=secret",
	} {
		for _, public := range []bool{false, true} {
			f := &fetcher{publicOnly: public, public: isPublic, timeout: time.Minute, connectTimeout: time.Millisecond, tls: &tls.Config{RootCAs: options.RootCAs}}
			_, err := f.fetch(t.Context(), address)
			if err == nil || err.Code != CodeMetadataFetch || strings.Contains(err.Error()+err.Hint, "secret") || strings.Contains(err.Error(), "se%cret") {
				t.Errorf("%q, public only %t: got %v", address, public, err)
			}
		}
		to := server.URL + "/?to=" + url.QueryEscape(address)
		if _, err := FetchMetadata(t.Context(), to, options); err == nil || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "se%cret") {
			t.Errorf("a redirect to %q: got %v", address, err)
		}
	}
	for _, login := range []string{"https://user:secret@idp.example.com/sso", "https://user:secret@ho st/", "https://user:secret@login.microsoftonline.com/x/wsfed", "user:secret@host"} {
		if _, err := NewIdentityProvider("https://idp.example.com", login, testKey(t)); !errors.Is(err, CodeMetadataLoginURL) || strings.Contains(err.Error(), "secret") {
			t.Errorf("the login URL %q: got %v", login, err)
		}
	}
	if got := shownAddress("https://idp.example.com:8443/saml/metadata.xml"); got != "https://idp.example.com:8443/saml/metadata.xml" {
		t.Errorf("an address without secrets is shown as %q", got)
	}
}

// loopbackServer is a TLS server at an address of this machine, with a certificate for it, and a count of the connections that reached it.
func loopbackServer(t *testing.T, ip string, roots *x509.CertPool, h http.HandlerFunc) (address string, reached *atomic.Int32) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.ParseIP(ip)}, DNSNames: []string{"localhost"}, BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots.AddCert(certificate)
	listener, err := net.Listen("tcp", ip+":0")
	if err != nil {
		t.Skip("this machine has no address " + ip)
	}
	reached = new(atomic.Int32)
	server := httptest.NewUnstartedServer(h)
	server.Listener.Close()
	server.Listener = countingListener{listener, reached}
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	server.StartTLS()
	t.Cleanup(server.Close)
	return listener.Addr().String(), reached
}

type countingListener struct {
	net.Listener
	reached *atomic.Int32
}

func (l countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.reached.Add(1)
	}
	return c, err
}

// TestFetchPublicOnly: an address that a stranger typed leads to no private server, and what is there makes no difference to the answer.
func TestFetchPublicOnly(t *testing.T) {
	t.Parallel()
	roots := x509.NewCertPool()
	private, reached := loopbackServer(t, "127.0.0.1", roots, func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("private")) })
	_, port, _ := net.SplitHostPort(private)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	// What the machine's own addresses are the tests decide here: 127.0.0.2 stands for the Internet.
	public, _ := loopbackServer(t, "127.0.0.2", roots, func(w http.ResponseWriter, r *http.Request) {
		switch to := r.URL.Query().Get("to"); {
		case to != "":
			http.Redirect(w, r, to, http.StatusFound)
		case r.URL.Path == "/absent":
			http.NotFound(w, r)
		default:
			w.Write([]byte("public"))
		}
	})
	get := func(address string, connect time.Duration) ([]byte, *Error) {
		f := &fetcher{publicOnly: true, public: func(a netip.Addr) bool { return a == netip.MustParseAddr("127.0.0.2") },
			timeout: time.Minute, connectTimeout: connect, tls: &tls.Config{RootCAs: roots}}
		return f.fetch(t.Context(), address)
	}
	for _, path := range []string{"/", "/?to=/other", "/?to=https://" + public + "/"} {
		if data, err := get("https://"+public+path, time.Minute); err != nil || string(data) != "public" {
			t.Errorf("%s: got %q, %v", path, data, err)
		}
	}
	if _, err := get("https://"+public+"/absent", time.Minute); err == nil || !strings.Contains(err.Got, "404") {
		t.Errorf("a public server's answer is told: got %v", err)
	}
	var first *Error
	for name, host := range map[string]string{
		"a private server": private, "a closed port": closed.Addr().String(), "a name of this machine": "localhost:" + port, "a name that is none": "no-such-host.invalid",
		"a link-local address": "169.254.169.254", "a private address": "10.255.255.1", "a public port that is closed": "127.0.0.2:1", "an address that cannot be": "0.0.0.0",
	} {
		const patience = 50 * time.Millisecond
		for _, address := range []string{"https://" + host + "/", "https://" + public + "/?to=https://" + host + "/"} {
			start := time.Now()
			data, err := get(address, patience)
			if data != nil || err == nil {
				t.Errorf("%s: got %q", name, data)
				continue
			}
			if took := time.Since(start); took < patience {
				t.Errorf("%s: the answer came after %s, before the time that all failures take", name, took)
			}
			if host == public || address[len("https://"):] == host+"/" {
				if err.Got != quote(host) {
					t.Errorf("%s: got %s, want the host that was typed", name, err.Got)
				}
			}
			err.Got = ""
			if first == nil {
				first = err
			}
			if *err != *first {
				t.Errorf("%s: got %q, want %q as for the others", name, err, first)
			}
		}
	}
	for _, address := range []string{"http://" + private + "/", "http://localhost:" + port + "/"} {
		if _, err := get(address, time.Minute); err == nil || err.Want != "https://host/path" {
			t.Errorf("%s: got %v, want a refusal that names https alone", address, err)
		}
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("the private server was reached %d times", n)
	}
	// The option itself, where nothing in the test says what is public.
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := FetchMetadata(ctx, "https://"+private+"/", FetchOptions{RootCAs: roots, PublicOnly: true}); !errors.Is(err, CodeMetadataFetch) || reached.Load() != 0 {
		t.Errorf("a private server: got %v, reached %d times", err, reached.Load())
	}
	if data, err := FetchMetadata(t.Context(), "https://"+private+"/", FetchOptions{RootCAs: roots}); err != nil || string(data) != "private" {
		t.Errorf("without PublicOnly: got %q, %v", data, err)
	}
}

func TestPublicAddresses(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"8.8.8.8": true, "20.190.128.1": true, "172.32.0.1": true, "2620:1ec:bdf::1": true, "2603:1006:2000::1": true, "64:ff9b::808:808": true, "::ffff:8.8.8.8": true, "2002:808:808::1": true,
		"127.0.0.1": false, "10.0.0.1": false, "192.168.0.1": false, "172.16.0.1": false, "169.254.169.254": false, "100.64.0.1": false, "0.0.0.0": false, "255.255.255.255": false, "224.0.0.1": false,
		"192.0.0.1": false, "192.0.2.1": false, "192.88.99.1": false, "198.18.0.1": false, "198.19.255.255": false, "198.51.100.1": false, "203.0.113.1": false, "168.63.129.16": false,
		"::1": false, "::": false, "fe80::1": false, "fc00::1": false, "fd12::1": false, "fec0::1": false, "ff02::1": false, "100::1": false, "5f00::1": false, "4000::1": false, "2001::1": false, "2001:2::1": false,
		"2001:db8::1": false, "3fff::1": false, "::ffff:10.0.0.1": false, "64:ff9b::a00:1": false, "64:ff9b:1::808:808": false, "2002:a00:1::1": false, "::a00:1": false,
	} {
		f := &fetcher{publicOnly: true, public: isPublic, first: &url.URL{Scheme: "https"}}
		if err := f.control("tcp", netip.AddrPortFrom(netip.MustParseAddr(address), 443).String(), nil); (err == nil) != want {
			t.Errorf("%s: dialed %t, want %t", address, err == nil, want)
		}
	}
}

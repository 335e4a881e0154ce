package fetch

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// localServer is a TLS server on this machine, and the settings that trust it.
func localServer(t *testing.T, h http.HandlerFunc) (*httptest.Server, *tls.Config) {
	t.Helper()
	server := httptest.NewTLSServer(h)
	t.Cleanup(server.Close)
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	return server, &tls.Config{RootCAs: pool}
}

// TestGetGivesUp: what is slow ends, before the first byte and behind it.
func TestGetGivesUp(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	server, trust := localServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			w.Write([]byte("<"))
			w.(http.Flusher).Flush()
		}
		<-release
	})
	defer close(release)
	for _, path := range []string{"/header", "/body"} {
		f := &fetcher{timeout: 50 * time.Millisecond, maxBytes: 100, tls: trust}
		if _, err := f.get(t.Context(), server.URL+path); err == nil ||
			!strings.Contains(err.Message, "does not answer within") {
			t.Errorf("%s: got %v", path, err)
		}
	}
}

// TestDialledAddresses: the first address may be in our own network, if it was typed; a public
// server cannot lead there.
func TestDialledAddresses(t *testing.T) {
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
				t.Errorf("%s, %s: got %q, want %q", address,
					[]string{"typed", "redirected from outside", "redirected from inside"}[i], got, want[i])
			}
		}
	}
	plain := &fetcher{first: &url.URL{Scheme: "http"}}
	for address, dialed := range map[string]bool{"nonsense": false, "127.0.0.1:80": true, "[::1]:80": true,
		"10.0.0.1:80": false, "8.8.8.8:80": false} {
		if err := plain.control("tcp", address, nil); (err == nil) != dialed {
			t.Errorf("http to %s: %v, want dialed %t", address, err, dialed)
		}
	}
}

// TestErrorsShowNoPassword: no error shows the password or token of an address, whatever form it
// has.
func TestErrorsShowNoPassword(t *testing.T) {
	t.Parallel()
	_, trust := localServer(t, http.NotFound)
	for _, typed := range []string{
		"https://secret@127.0.0.1/", "https://user:secret@127.0.0.1/", "http://user:secret@idp.example.com/", "https://user:secret@ho st/", "https://user:se%cret@host/",
		"https://user:secret@host:port/", "https://user:secret", "https://user:secret/@127.0.0.1/", "https://user:1/secret@127.0.0.1:1/", "https://user:1?secret@127.0.0.1:1/",
		"https://user:1#secret@127.0.0.1:1/", "user:secret@host/path", "user:secret", "//user:secret@host/path", "ftp://user:secret@host/", "https:user:secret@host",
		"https://a:b@c:secret@host/", "https://user%3Asecret%40127.0.0.1/", "https://user:sec\x7fret@host/", "https://[user:secret@host/", `https:\\user:secret@host\`,
		"http://idp.example.com/?token=secret", "http://idp.example.com/#secret", "https://127.0.0.1:1/?token=secret", "/metadata?token=secret",
	} {
		for _, public := range []bool{false, true} {
			f := &fetcher{publicOnly: public, public: isPublic, timeout: time.Minute,
				connectTimeout: time.Millisecond, tls: trust}
			_, err := f.get(t.Context(), typed)
			if err == nil || strings.Contains(err.Message+err.Got+err.Want, "secret") ||
				strings.Contains(err.Got, "se%cret") {
				t.Errorf("%q, public only %t: got %v", typed, public, err)
			}
		}
	}
}

// loopbackServer is a TLS server at an address of this machine, with a certificate for it, and a
// count of the connections that reached it.
func loopbackServer(t *testing.T, ip string, roots *x509.CertPool, h http.HandlerFunc) (address string,
	reached *atomic.Int32) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour),
		NotAfter:    time.Now().Add(time.Hour),
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

// TestPublicOnly: an address that a stranger typed leads to no private server, and what is there
// makes no difference to the answer.
func TestPublicOnly(t *testing.T) {
	t.Parallel()
	roots := x509.NewCertPool()
	private, reached := loopbackServer(t, "127.0.0.1", roots,
		func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("private")) })
	_, port, _ := net.SplitHostPort(private)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	// What the machine's own addresses are the tests decide here: 127.0.0.2 stands for the
	// Internet.
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
		f := &fetcher{publicOnly: true,
			public:  func(a netip.Addr) bool { return a == netip.MustParseAddr("127.0.0.2") },
			timeout: time.Minute, connectTimeout: connect, maxBytes: 100, tls: &tls.Config{RootCAs: roots}}
		return f.get(t.Context(), address)
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
		"a private server": private, "a closed port": closed.Addr().String(), "a name of this machine": "localhost:" +
			port, "a name that is none": "no-such-host.invalid",
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
				if err.Got != host {
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
	if _, err := Get(ctx, "https://"+private+"/",
		Options{RootCAs: roots, PublicOnly: true, MaxBytes: 100}); err == nil || reached.Load() != 0 {
		t.Errorf("a private server: got %v, reached %d times", err, reached.Load())
	}
	if data, err := Get(t.Context(), "https://"+private+"/", Options{RootCAs: roots, MaxBytes: 100}); err != nil ||
		string(data) != "private" {
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
		if err := f.control("tcp", netip.AddrPortFrom(netip.MustParseAddr(address), 443).String(),
			nil); (err == nil) != want {
			t.Errorf("%s: dialed %t, want %t", address, err == nil, want)
		}
	}
}

// TestTooLarge: the limit is exact, and what is beyond it is not kept.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	server, trust := localServer(t, func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, 1<<20)) })
	for limit, taken := range map[int]bool{1 << 20: true, 1<<20 - 1: false, 1: false} {
		data, err := Get(t.Context(), server.URL, Options{RootCAs: trust.RootCAs, MaxBytes: limit})
		if (err == nil) != taken || taken && len(data) != 1<<20 || !taken && (data != nil || !err.TooLarge) {
			t.Errorf("1 MiB with a limit of %d bytes: got %d bytes, %v", limit, len(data), err)
		}
	}
}

// TestProxyTargets: what a name resolves to here is checked like an address, and a name that does
// not resolve here in time is the proxy's to decide.
func TestProxyTargets(t *testing.T) {
	t.Parallel()
	const open, private, never = "", "private", "link-local"
	proxy := &url.URL{Scheme: "http", Host: "127.0.0.1:3128"}
	unknown := errors.New("no such host")
	ask := func(target string, moved, private bool, addresses []string, failure error) (string, *fetcher) {
		f := &fetcher{first: &url.URL{Scheme: "https"}, proxy: proxy,
			lookup: func(ctx context.Context, _, host string) (list []netip.Addr, _ error) {
				if end, ok := ctx.Deadline(); !ok || time.Until(end) > lookupTimeout {
					t.Errorf("%s is looked up without end, or for longer than %s", host, lookupTimeout)
				}
				for _, a := range addresses {
					list = append(list, netip.MustParseAddr(a))
				}
				return list, failure
			}}
		f.moved.Store(moved)
		f.private.Store(private)
		var forbidden errForbidden
		if _, err := f.beforeConnect(t.Context(), proxy, target); err != nil && !errors.As(err, &forbidden) {
			t.Fatal(err)
		}
		return forbidden.why, f
	}
	for _, row := range []struct {
		name, target string
		addresses    []string
		failure      error
		kind         string
		leadsInside  bool
	}{
		{"a public name", "idp.example.com:443", []string{"8.8.8.8", "2620:1ec:bdf::1"}, nil, open, false},
		{"a private name", "idp.example.com:443", []string{"10.1.2.3"}, nil, private, true},
		{"this machine", "localhost:443", []string{"127.0.0.1", "::1"}, nil, private, true},
		{"a name that is public and private", "idp.example.com:443", []string{"8.8.8.8", "10.1.2.3"}, nil, private, false},
		{"a private address by NAT64", "idp.example.com:443", []string{"64:ff9b::a00:1"}, nil, private, true},
		{"a link-local name", "metadata.example.com:443", []string{"169.254.169.254"}, nil, never, false},
		{"a name that is public and link-local", "idp.example.com:443", []string{"8.8.8.8", "::ffff:169.254.169.254"}, nil, never, false},
		{"a name that only the proxy knows", "idp.corp.example:443", nil, unknown, open, false},
		{"a name server that is silent", "idp.corp.example:443", nil, context.DeadlineExceeded, open, false},
		{"a name without addresses", "idp.corp.example:443", nil, nil, open, false},
		{"a public address", "8.8.8.8:443", nil, unknown, open, false},
		{"a private address", "192.168.0.1:443", nil, unknown, private, true},
		{"a link-local address", "[fe80::1%eth0]:443", nil, unknown, never, false},
		{"a host that ends in a number", "idp.example.12:443", nil, unknown, never, false},
	} {
		want := map[string][3]string{open: {}, private: {"", "private", ""}, never: {"it", "it", "it"}}[row.kind]
		typed, f := ask(row.target, false, false, row.addresses, row.failure)
		if f.private.Load() != row.leadsInside && row.kind != never {
			t.Errorf("%s: leads inside %t, want %t", row.name, f.private.Load(), row.leadsInside)
		}
		fromPublic, _ := ask(row.target, true, false, row.addresses, row.failure)
		fromPrivate, _ := ask(row.target, true, true, row.addresses, row.failure)
		for i, got := range []string{typed, fromPublic, fromPrivate} {
			if (got == "") != (want[i] == "") || !strings.Contains(got, want[i]) {
				t.Errorf("%s, %s: got %q, want %q", row.name,
					[]string{"typed", "redirected from outside", "redirected from inside"}[i], got, want[i])
			}
		}
	}
	for host, want := range map[string]bool{"1": true, "0x7f.1": true, "127.1": true, "127.0.0.1.": true, "0X7F000001": true, "a.0x": true, "a.010": true,
		"idp.example.com": false, "idp1": false, "1.example": false, "x0x1": false, "0x7g": false, "example.com.": false} {
		if got := number.MatchString(host); got != want {
			t.Errorf("%s is taken for a number: %t, want %t", host, got, want)
		}
	}
}

// TestProxyOfTheEnvironment: none but the option's is used, and that for https alone.
func TestProxyOfTheEnvironment(t *testing.T) {
	t.Parallel()
	own := &url.URL{Scheme: "http", Host: "proxy.example.com:3128"}
	for _, row := range []struct {
		name, scheme string
		proxy, want  *url.URL
	}{{"no option", "https", nil, nil}, {"https", "https", own, own}, {"http on this machine", "http", own, nil}} {
		f := &fetcher{first: &url.URL{Scheme: row.scheme}, proxy: row.proxy}
		var got *url.URL
		if choose := f.client().Transport.(*http.Transport).Proxy; choose != nil {
			request, err := http.NewRequest(http.MethodGet, row.scheme+"://localhost/", nil)
			if err != nil {
				t.Fatal(err)
			}
			if got, err = choose(request); err != nil {
				t.Fatal(err)
			}
		}
		if (got == nil) != (row.want == nil) || got != nil && *got != *row.want {
			t.Errorf("%s: got the proxy %v, want %v", row.name, got, row.want)
		}
	}
}

// countingBody counts what is read of a body.
type countingBody struct {
	io.Reader
	n int
}

func (b *countingBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.n += n
	return n, err
}

func (*countingBody) Close() error { return nil }

// endless repeats its bytes.
type endless struct {
	bytes []byte
	next  int
}

func (e *endless) Read(p []byte) (n int, _ error) {
	for n < len(p) {
		copied := copy(p[n:], e.bytes[e.next:])
		n += copied
		e.next = (e.next + copied) % len(e.bytes)
	}
	return n, nil
}

// TestGzipBomb: of what would be unpacked to more than the limit no more is read, and of an answer
// that is never unpacked to anything neither.
func TestGzipBomb(t *testing.T) {
	t.Parallel()
	const limit, size = 1 << 18, 8 << 20
	var bomb, nothing bytes.Buffer
	w, err := gzip.NewWriterLevel(&bomb, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(w, &endless{bytes: make([]byte, 1<<16)}, size); err != nil {
		t.Fatal(err)
	}
	w.Close()
	gzip.NewWriter(&nothing).Close()
	for name, row := range map[string]struct {
		body io.Reader
		most int
	}{
		"a bomb":                           {&bomb, bomb.Len()/(size/limit) + 2*4096}, // and what is read ahead
		"members without content, forever": {&endless{bytes: nothing.Bytes()}, limit + gzipOverhead + 4096},
	} {
		body := &countingBody{Reader: row.body}
		f := &fetcher{maxBytes: limit, first: &url.URL{Scheme: "https"}}
		data, err := f.document(t.Context(), &http.Response{Header: http.Header{"Content-Encoding": {"gzip"}}, Body: body})
		if err == nil || !err.TooLarge || data != nil {
			t.Errorf("%s: got %d bytes, %v, want it too large", name, len(data), err)
		}
		if body.n > row.most || body.n == 0 {
			t.Errorf("%s: %d bytes were read, want at most %d", name, body.n, row.most)
		}
	}
}

// TestErrorPageOfAStranger: with PublicOnly nothing of the page of an error is read.
func TestErrorPageOfAStranger(t *testing.T) {
	t.Parallel()
	for _, public := range []bool{false, true} {
		body := &countingBody{Reader: io.LimitReader(&endless{bytes: []byte("AADSTS90002: ")}, 1<<20)}
		f := &fetcher{maxBytes: 1 << 20, publicOnly: public}
		got := f.aadsts(&http.Response{Body: body})
		if want := map[bool]string{false: "AADSTS90002"}[public]; got != want {
			t.Errorf("PublicOnly %t: got %q, want %q", public, got, want)
		}
		if most := map[bool]int{false: maxErrorPage}[public]; body.n > most {
			t.Errorf("PublicOnly %t: %d bytes of the page were read, want at most %d", public, body.n, most)
		}
	}
}

// TestBodyBehindTheTime: a body that ends when the time for it is over is not taken for a whole one,
// nor for one that the server broke.
func TestBodyBehindTheTime(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	for _, encoding := range []string{"", "gzip"} {
		f := &fetcher{maxBytes: 100, first: &url.URL{Scheme: "https"}, timeout: time.Second}
		data, err := f.document(ctx, &http.Response{Header: http.Header{"Content-Encoding": {encoding}},
			Body: io.NopCloser(strings.NewReader("\x1f\x8b\x08"))})
		if err == nil || !strings.Contains(err.Message, "does not answer within") || data != nil {
			t.Errorf("Content-Encoding %q: got %q, %v", encoding, data, err)
		}
	}
}

// TestGetIfChanged: conditions go out as they came in, 304 counts only if there were any, and what an
// error status says about the next request is handed on.
func TestGetIfChanged(t *testing.T) {
	t.Parallel()
	const tag, date = `W/"a b"`, "Sat, 31 Jan 2026 12:00:00 GMT"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", tag)
		w.Header().Set("Last-Modified", date)
		w.Header().Set("X-Asked", r.Header.Get("If-None-Match")+"|"+r.Header.Get("If-Modified-Since")+"|"+r.Header.Get("Cache-Control"))
		switch {
		case r.URL.Path == "/moved":
			http.Redirect(w, r, "/?secret", http.StatusFound)
		case r.URL.Path == "/long":
			w.Header().Set("ETag", `"`+strings.Repeat("x", maxValidator)+`"`)
		case r.URL.Path == "/busy":
			w.Header().Set("Retry-After", "120")
			w.WriteHeader(http.StatusServiceUnavailable)
		case r.URL.Path == "/always", r.Header.Get("If-None-Match") == tag, r.Header.Get("If-Modified-Since") == date:
			w.WriteHeader(http.StatusNotModified)
		default:
			w.Write([]byte(w.Header().Get("X-Asked")))
		}
	}))
	defer server.Close()
	ask := func(path string, c Conditions) (*Answer, *Error) {
		return GetIfChanged(t.Context(), server.URL+path, Options{MaxBytes: 100}, c)
	}
	for name, row := range map[string]struct {
		path string
		c    Conditions
		want Answer
	}{
		"no conditions": {"/", Conditions{}, Answer{Document: []byte("||"), ETag: tag, LastModified: date}},
		"fresh":         {"/", Conditions{Fresh: true}, Answer{Document: []byte("||no-cache"), ETag: tag, LastModified: date}},
		"by tag":        {"/", Conditions{ETag: tag}, Answer{NotModified: true, ETag: tag, LastModified: date}},
		"by date":       {"/", Conditions{LastModified: date}, Answer{NotModified: true, ETag: tag, LastModified: date}},
		"changed":       {"/", Conditions{ETag: `"b"`}, Answer{Document: []byte(`"b"||`), ETag: tag, LastModified: date}},
		"moved": {"/moved", Conditions{}, Answer{Document: []byte("||"), ETag: tag, LastModified: date,
			MovedTo: server.URL + "/?…"}},
		"a tag without end": {"/long", Conditions{}, Answer{Document: []byte{}, LastModified: date}},
	} {
		if got, err := ask(row.path, row.c); err != nil || !reflect.DeepEqual(*got, row.want) {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, row.want)
		}
	}
	if got, err := ask("/always", Conditions{}); err == nil || err.Status != http.StatusNotModified || !strings.Contains(err.Message, "has not changed") {
		t.Errorf("304 without a condition: got %+v, %v", got, err)
	}
	if _, err := ask("/busy", Conditions{}); err == nil || err.Status != http.StatusServiceUnavailable || err.RetryAfter != "120" {
		t.Errorf("busy: got %+v", err)
	}
}

// TestCheck finds what is wrong without a connection.
func TestCheck(t *testing.T) {
	t.Parallel()
	if err := Check(" https://127.0.0.1:1/x ", Options{}); err != nil {
		t.Errorf("an address at which nobody answers: %v", err)
	}
	for typed, o := range map[string]Options{"": {}, "http://example.com/": {}, "http://127.0.0.1/": {PublicOnly: true},
		"https://a:b@example.com/": {}, "https://example.com:0/": {}, "https://example.com/": {Proxy: "x"}} {
		if err := Check(typed, o); err == nil {
			t.Errorf("%q with %+v is taken", typed, o)
		}
	}
}

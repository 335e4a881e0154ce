package saml

import (
	"context"
	"crypto/x509"
	"errors"
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
		{"a redirect with a password", server.URL + "/?to=https://a:secret@idp.example.com/", CodeMetadataFetch, "not followed", "https://a:xxxxx@idp.example.com/"},
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
		if _, err := fetch(t.Context(), server.URL+path, options, 50*time.Millisecond); err == nil || err.Code != CodeMetadataFetch || !strings.Contains(err.Message, "does not answer within") {
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
	for address, dialled := range map[string]bool{"nonsense": false, "127.0.0.1:80": true, "[::1]:80": true, "10.0.0.1:80": false, "8.8.8.8:80": false} {
		if err := plain.control("tcp", address, nil); (err == nil) != dialled {
			t.Errorf("http to %s: %v, want dialled %t", address, err, dialled)
		}
	}
}

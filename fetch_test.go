package saml

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
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
		if r.Header.Get("Referer") != "" || r.Header.Get("Cookie") != "" || r.Header.Get("Authorization") != "" ||
			r.Header.Get("Accept-Encoding") != "gzip" {
			t.Errorf("headers %v", r.Header)
		}
		switch path := r.URL.Path; {
		case strings.HasPrefix(path, "/hop"):
			http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
			http.Redirect(w, r, strings.TrimPrefix(path, "/hop")+"?", http.StatusFound)
		case path == "/full":
			w.Write(make([]byte, maxFile))
		default:
			w.Write([]byte(document))
		}
	})
	for _, around := range []string{" ", "\t\r\n", "\u00a0", "\u200b", "\ufeff", "\u200e", "\u2060 \u00ad"} {
		if got, err := FetchMetadata(t.Context(), around+server.URL+"/"+around, options); err != nil || string(got) != document {
			t.Errorf("%q around the address: got %q, %v", around, got, err)
		}
	}
	for _, path := range []string{"/", "/hop/", "/hop/hop/hop/hop/hop/"} {
		got, err := FetchMetadata(t.Context(), server.URL+path, options)
		if err != nil || string(got) != document {
			t.Errorf("%s: got %q, %v", path, got, err)
		}
	}
	if got, err := FetchMetadata(t.Context(), server.URL+"/full", options); err != nil || len(got) != maxFile {
		t.Errorf("4 MiB: got %d bytes, %v", len(got), err)
	}
	plain := httptest.NewServer(server.Config.Handler)
	t.Cleanup(plain.Close)
	if _, err := FetchMetadata(t.Context(), plain.URL, FetchOptions{}); err != nil {
		t.Errorf("http on this machine: %v", err)
	}
}

// TestFetchThatIsRefused: each has a sentence of its own, and none says more of our network than
// was typed.
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
		{"a document that is not there", server.URL + "/absent", CodeMetadataFetch, "does not give the document",
			"404"},
		{"5 MB", server.URL + "/large", CodeTooLarge, "more than 4 MiB", ""},
		{"without end", server.URL + "/endless", CodeTooLarge, "more than 4 MiB", ""},
		{"a connection that breaks", server.URL + "/cut", CodeMetadataFetch, "breaks off before its end", ""},
		{"a redirect to http", server.URL + "/?to=http://idp.example.com/", CodeMetadataFetch, "not followed",
			"http://idp.example.com/"},
		{"a redirect to a file", server.URL + "/?to=file:///etc/passwd", CodeMetadataFetch, "not followed",
			"file:///etc/passwd"},
		{"a redirect with a password", server.URL + "/?to=https://a:secret@idp.example.com/", CodeMetadataFetch,
			"not followed", "https://xxxxx@idp.example.com/"},
		{"a redirect to a link-local address", server.URL + "/?to=https://169.254.169.254/latest", CodeMetadataFetch,
			"link-local", ""},
		{"redirects in a circle", server.URL + "/loop", CodeMetadataFetch, "too often", ""},
		{"a link-local address", "https://169.254.169.254/latest/meta-data", CodeMetadataFetch, "link-local",
			"169.254.169.254"},
		{"a link-local address, IPv6", "https://[fe80::1]/", CodeMetadataFetch, "link-local", "fe80::1"},
		{"the same in IPv6", "https://[::ffff:169.254.169.254]/", CodeMetadataFetch, "link-local", ""},
		{"the same by NAT64", "https://[64:ff9b::a9fe:a9fe]/", CodeMetadataFetch, "link-local", ""},
		{"the unspecified address", "https://0.0.0.0/", CodeMetadataFetch, "link-local", ""},
		{"a server that is off", dead.URL, CodeMetadataFetch, "refuses the connection", ""},
		{"a name that is none", "https://no-such-host.invalid/", CodeMetadataFetch, "no server of this name",
			"no-such-host.invalid"},
	} {
		data, err := FetchMetadata(t.Context(), row.address, options)
		var refusal *Error
		if !errors.As(err, &refusal) || refusal.Code != row.code || !strings.Contains(refusal.Message, row.message) ||
			!strings.Contains(refusal.Got, row.got) || refusal.Hint == "" || data != nil {
			t.Errorf("%s: got %d bytes, %v (%s), want %s with %q and %q", row.name, len(data), err, refusal.Got,
				string(row.code), row.message, row.got)
			continue
		}
		if strings.Contains(err.Error()+refusal.Hint, "secret") {
			t.Errorf("%s: the password is in %v", row.name, err)
		}
	}
	_, err := FetchMetadata(t.Context(), server.URL, FetchOptions{})
	if e := onlyFault(t, err); e.Code != CodeMetadataFetch || !strings.Contains(e.Message, "server's own certificate is not trusted") ||
		!strings.Contains(e.Hint, "FetchOptions.RootCAs") {
		t.Errorf("a server that nobody vouches for: %v (%s)", err, e.Hint)
	}
	_, err = FetchMetadata(t.Context(), dead.URL, options)
	if e := onlyFault(t, err); strings.Contains(e.Hint, "FetchOptions.Proxy") {
		t.Errorf("a server of this machine needs no proxy: the hint is %q", e.Hint)
	}
	plain := httptest.NewServer(nil)
	t.Cleanup(plain.Close)
	if _, err = FetchMetadata(t.Context(), strings.Replace(plain.URL, "http", "https", 1), options); !errors.Is(err, CodeMetadataFetch) ||
		!strings.Contains(err.Error(), "does not speak TLS") {
		t.Errorf("https at a port for http: %v", err)
	}
	_, err = FetchMetadata(t.Context(), "https://no-such-host.invalid/", FetchOptions{})
	if e := onlyFault(t, err); !strings.Contains(e.Hint, "FetchOptions.Proxy") {
		t.Errorf("a name that only a proxy may know: the hint is %q, want the option named", e.Hint)
	}
	if asked.Load() == 0 {
		t.Error("the server was never asked")
	}
}

// TestFetchGivenUp: a caller who has gone gets an answer that says so.
func TestFetchGivenUp(t *testing.T) {
	t.Parallel()
	server, options := fetchServer(t, http.NotFound)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := FetchMetadata(ctx, server.URL, options); !errors.Is(err, CodeMetadataFetch) ||
		!errors.Is(err, context.Canceled) {
		t.Errorf("a caller who has gone: %v", err)
	}
}

// TestFetchShowsNoPassword: neither a typed address nor one of a redirect shows its password or
// token in an error, whatever form it has.
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
		if _, err := FetchMetadata(t.Context(), address, options); !errors.Is(err, CodeMetadataFetch) ||
			strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "se%cret") {
			t.Errorf("%q: got %v", address, err)
		}
		to := server.URL + "/?to=" + url.QueryEscape(address)
		if _, err := FetchMetadata(t.Context(), to, options); err == nil || strings.Contains(err.Error(), "secret") ||
			strings.Contains(err.Error(), "se%cret") {
			t.Errorf("a redirect to %q: got %v", address, err)
		}
	}
	for _, login := range []string{"https://user:secret@idp.example.com/sso", "https://user:secret@ho st/",
		"https://user:secret@login.microsoftonline.com/x/wsfed", "user:secret@host"} {
		if _, err := NewIdentityProvider("https://idp.example.com", login, testKey(t)); !errors.Is(err,
			CodeMetadataLoginURL) || strings.Contains(err.Error(), "secret") {
			t.Errorf("the login URL %q: got %v", login, err)
		}
	}
}

// TestFetchPublicOnly: the option is passed on, and no private server is reached with it.
func TestFetchPublicOnly(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	server, options := fetchServer(t, func(w http.ResponseWriter, r *http.Request) { asked.Add(1) })
	options.PublicOnly = true
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	var refusal *Error
	if _, err := FetchMetadata(ctx, server.URL, options); !errors.As(err, &refusal) ||
		refusal.Code != CodeMetadataFetch || !strings.Contains(refusal.Message, "no public server") ||
		refusal.Got != quote(strings.TrimPrefix(server.URL, "https://")) {
		t.Errorf("got %v", err)
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("the private server was asked %d times", n)
	}
}

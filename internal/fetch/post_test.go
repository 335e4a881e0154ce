package fetch

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func postWith(t *testing.T, h http.HandlerFunc, change func(*fetcher)) (string, *Error) {
	t.Helper()
	server, trust := localServer(t, h)
	f := &fetcher{public: isPublic, timeout: time.Minute, connectTimeout: time.Millisecond, tls: trust, maxBytes: 100}
	if change != nil {
		change(f)
	}
	data, err := f.post(t.Context(), server.URL, http.Header{"Content-Type": {"text/xml"}}, []byte("<request/>"))
	return string(data), err
}

// TestPost: what is sent, and what of the answer counts.
func TestPost(t *testing.T) {
	t.Parallel()
	var visited int
	for name, row := range map[string]struct {
		answer       http.HandlerFunc
		change       func(*fetcher)
		want, refuse string
	}{
		"an answer": {answer: func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			io.WriteString(w, r.Method+" "+r.Header.Get("Content-Type")+" "+r.UserAgent()+" "+string(body))
		}, want: "POST text/xml iomete-saml <request/>"},
		"as long as it may be": {answer: func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, strings.Repeat("x", 100))
		}, want: strings.Repeat("x", 100)},
		"too long": {answer: func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, strings.Repeat("x", 101))
		}, refuse: "more than 100 bytes"},
		"a redirect": {answer: func(w http.ResponseWriter, r *http.Request) {
			visited++
			http.Redirect(w, r, "/", http.StatusTemporaryRedirect)
		}, refuse: "does not answer the message"},
		"an error": {answer: http.NotFound, refuse: "does not answer the message"},
		"no content": {answer: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) },
			refuse: "does not answer the message"},
		"breaks off": {answer: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "50")
			io.WriteString(w, "x")
		}, refuse: "breaks off"},
		"hangs": {answer: func(_ http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body) // the server sees only then that the client has left
			<-r.Context().Done()
		}, change: func(f *fetcher) { f.timeout = 50 * time.Millisecond }, refuse: "could be reached"},
		"hangs within the answer": {answer: func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			io.WriteString(w, "x")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, change: func(f *fetcher) { f.timeout = 200 * time.Millisecond }, refuse: "re"},
		"private": {answer: func(http.ResponseWriter, *http.Request) { t.Error("a private address was asked") },
			change: func(f *fetcher) { f.publicOnly = true }, refuse: "could be reached"},
	} {
		got, err := postWith(t, row.answer, row.change)
		if got != row.want || (err == nil) != (row.refuse == "") || err != nil && !strings.Contains(err.Message, row.refuse) {
			t.Errorf("%s: got %q, %v, want %q, %q", name, got, err, row.want, row.refuse)
		}
	}
	if visited != 1 {
		t.Errorf("the server that redirects was asked %d times", visited)
	}
}

// TestPostAddresses: what is no https address is not asked, and neither is one that Get would not
// ask.
func TestPostAddresses(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "http://idp.example.com/", "ftp://idp.example.com/",
		"https://user:secret@idp.example.com/", "https:///", "javascript:alert(1)", "https://idp.example.com:99999/"} {
		for _, public := range []bool{false, true} {
			if data, err := Post(t.Context(), address, nil, nil, Options{PublicOnly: public}); data != nil || err == nil ||
				!strings.Contains(err.Message, "not sent to this address") || strings.Contains(err.Got+err.Want, "secret") {
				t.Errorf("%q: got %q, %v", address, data, err)
			}
		}
	}
	both := Options{PublicOnly: true, Proxy: "http://proxy"}
	if _, err := Post(t.Context(), "https://idp.example.com/", nil, nil, both); err == nil || err.Setting != "Proxy" {
		t.Errorf("a proxy with PublicOnly: got %v", err)
	}
	moved := &fetcher{first: &url.URL{Scheme: "https"}}
	if err := moved.control("tcp", "169.254.169.254:443", nil); err == nil {
		t.Error("a link-local address is dialed")
	}
}

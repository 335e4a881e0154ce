package saml_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
	"github.com/iomete/saml/session"
)

// A quietWriter keeps the headers and the status of an answer, and counts its body.
type quietWriter struct {
	header http.Header
	status int
	bytes  int
}

func (w *quietWriter) Header() http.Header { return w.header }

func (w *quietWriter) WriteHeader(status int) { w.status = status }

func (w *quietWriter) Write(b []byte) (int, error) {
	w.bytes += len(b)
	return len(b), nil
}

// A fastSignIn is a browser that has begun a login and posts the same answer again and again: its
// Store forgets what was used.
type fastSignIn struct {
	sp            *saml.ServiceProvider
	handler       http.Handler
	state         *http.Cookie
	first, second []byte // the bodies of the two posts
}

func newFastSignIn(tb testing.TB) *fastSignIn {
	tb.Helper()
	idp := samltest.MustNew(tb, samltest.Options{})
	metadata, err := idp.Metadata()
	if err != nil {
		tb.Fatal(err)
	}
	trusted, err := saml.ParseMetadata(metadata)
	if err != nil {
		tb.Fatal(err)
	}
	const base = "https://console.example.com"
	sp, err := saml.New(saml.Config{BaseURL: base, IdentityProvider: trusted, StateKeys: [][]byte{saml.NewStateKey()},
		Store: permissiveStore{}})
	if err != nil {
		tb.Fatal(err)
	}
	sessions, err := session.New(session.Config{Keys: [][]byte{saml.NewStateKey()}, Store: permissiveStore{}})
	if err != nil {
		tb.Fatal(err)
	}
	s := &fastSignIn{sp: sp, handler: sp.Handler(sessions)}
	begun := httptest.NewRecorder()
	s.handler.ServeHTTP(begun, httptest.NewRequest(http.MethodGet, sp.RedirectURL(), nil))
	s.state = begun.Result().Cookies()[0]
	form, err := idp.Respond(samltest.Answer{Recipient: sp.RedirectURL(), RequestID: requestID(tb, begun.Header().Get("Location"))})
	if err != nil {
		tb.Fatal(err)
	}
	s.first = []byte(url.Values{"SAMLResponse": {form}}.Encode())
	s.second = []byte(url.Values{"SAMLResponse": {form}, "saml_leg": {"2"}}.Encode())
	return s
}

func (s *fastSignIn) post(tb testing.TB, body []byte, state *http.Cookie, want int) *quietWriter {
	r := &http.Request{Method: http.MethodPost, URL: &url.URL{Path: s.sp.RedirectPath()}, Host: "console.example.com",
		Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
		Body:   io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body))}
	if state != nil {
		r.AddCookie(state)
	}
	w := &quietWriter{header: http.Header{}, status: http.StatusOK}
	s.handler.ServeHTTP(w, r)
	if w.status != want {
		tb.Fatalf("got %d %v, want %d", w.status, w.header, want)
	}
	return w
}

func (s *fastSignIn) legOne(tb testing.TB) { s.post(tb, s.first, nil, http.StatusOK) }
func (s *fastSignIn) legTwo(tb testing.TB) { s.post(tb, s.second, s.state, http.StatusSeeOther) }

func (s *fastSignIn) start(tb testing.TB) {
	if _, err := s.sp.StartLogin(tb.Context(), saml.LoginOptions{}); err != nil {
		tb.Fatal(err)
	}
}

func BenchmarkLogin(b *testing.B) {
	s := newFastSignIn(b)
	for name, do := range map[string]func(testing.TB){"start": s.start, "leg one": s.legOne, "leg two": s.legTwo} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				do(b)
			}
		})
	}
}

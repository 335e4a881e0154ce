package session

import (
	"cmp"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/internal/storekey"
	"github.com/iomete/saml/samltest"
)

const baseURL = "https://console.example.com"

var quiet = slog.New(slog.DiscardHandler)

// clock stands still unless a test moves it.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// fakeStore is a saml.Store that counts the questions about sessions and fails while err is set.
type fakeStore struct {
	mu     sync.Mutex
	keys   map[string]time.Duration // key -> its time to live
	asked  int
	err    error
	claims error           // of Claim alone
	caller context.Context // of the last question
}

var errBroken = errors.New("broken by the test")

func (s *fakeStore) Claim(ctx context.Context, key string, ttl time.Duration) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := cmp.Or(s.err, s.claims, ctx.Err()); err != nil {
		return false, err
	}
	_, known := s.keys[key]
	s.keys[key] = ttl
	return !known, nil
}

func (s *fakeStore) Claimed(ctx context.Context, key string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if strings.HasPrefix(key, storekey.Session) {
		s.asked++
	}
	s.caller = ctx
	if err := cmp.Or(s.err, ctx.Err()); err != nil {
		return false, err
	}
	return s.keys[key] != 0, nil
}

func (s *fakeStore) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// failClaims makes the store one that answers, and records nothing.
func (s *fakeStore) failClaims(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.claims = err
}

// wantAsked compares the number of questions so far.
func (s *fakeStore) wantAsked(t *testing.T, when string, want int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked != want {
		t.Errorf("%s: the store was asked %d times, want %d", when, s.asked, want)
	}
}

// site is a service with sessions and the identity provider that it trusts.
type site struct {
	testing.TB
	*Manager
	clock *clock
	store *fakeStore
	idp   *samltest.IdentityProvider
	sp    *saml.ServiceProvider // what the handler of the Redirect URL resolves every request to
	err   error                 // or that it cannot
	login *saml.Handler
	page  http.Handler // behind Require
}

// idpKey is made once, because making an RSA key is slow.
var idpKey = sync.OnceValue(func() crypto.Signer {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func newSite(t testing.TB, changes ...func(*Config)) *site {
	t.Helper()
	s := &site{
		TB:    t,
		clock: &clock{now: time.Date(2026, 3, 14, 8, 26, 53, 589_000_000, time.UTC)},
		store: &fakeStore{keys: map[string]time.Duration{}},
	}
	s.idp = s.newIdP()
	s.sp = s.newProvider(s.idp, nil)
	s.Manager = s.newManager(changes...)
	s.login = s.handlerOf(s.Manager)
	s.page = s.login.Require(greeting)
	return s
}

// handlerOf returns the handler of the Redirect URL of one replica.
func (s *site) handlerOf(m *Manager) *saml.Handler {
	s.Helper()
	login, err := saml.NewHandler(saml.HandlerConfig{
		Sessions: m,
		Resolve:  func(*http.Request, string) (*saml.ServiceProvider, error) { return s.sp, s.err },
		Logger:   quiet,
	})
	if err != nil {
		s.Fatal(err)
	}
	return login
}

var greeting = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "%s at %s", FromContext(r.Context()).Identity.Email, r.URL.Path)
})

// newManager makes another replica: same store, same clock, and the same keys unless a change says
// otherwise.
func (s *site) newManager(changes ...func(*Config)) *Manager {
	s.Helper()
	c := Config{Keys: [][]byte{testKey}, Store: s.store, Now: s.clock.Now, Logger: quiet}
	for _, change := range changes {
		change(&c)
	}
	m, err := New(c)
	if err != nil {
		s.Fatal(err)
	}
	return m
}

var testKey = saml.NewStateKey()

func (s *site) newIdP() *samltest.IdentityProvider {
	return samltest.MustNew(s.TB, samltest.Options{Keys: []crypto.Signer{idpKey()}, Now: s.clock.Now})
}

func (s *site) newProvider(idp *samltest.IdentityProvider, change func(*saml.Config)) *saml.ServiceProvider {
	s.Helper()
	document, err := idp.Metadata()
	if err != nil {
		s.Fatal(err)
	}
	trusted, err := saml.ParseMetadata(document)
	if err != nil {
		s.Fatal(err)
	}
	c := saml.Config{
		BaseURL:          baseURL,
		IdentityProvider: trusted,
		StateKeys:        [][]byte{testKey},
		Now:              s.clock.Now,
		Logger:           quiet,
	}
	if change != nil {
		change(&c)
	}
	sp, err := saml.New(c)
	if err != nil {
		s.Fatal(err)
	}
	return sp
}

// newLogin returns a login as a Handler passes it to SignIn.
func (s *site) newLogin(a samltest.Answer) *saml.Login {
	s.Helper()
	request, err := s.sp.StartLogin(s.Context(), saml.LoginOptions{})
	if err != nil {
		s.Fatal(err)
	}
	a.RequestID, a.Recipient = request.ID, s.sp.RedirectURL()
	response, err := s.idp.Respond(a)
	if err != nil {
		s.Fatal(err)
	}
	login, err := s.sp.FinishLogin(s.Context(), saml.FormResponse{SAMLResponse: response, State: request.State})
	if err != nil {
		s.Fatal(err)
	}
	return login
}

// signIn returns the cookie of a new session.
func (s *site) signIn(a samltest.Answer) *http.Cookie {
	s.Helper()
	w := httptest.NewRecorder()
	if err := s.SignIn(w, newRequest("POST", "/"), s.newLogin(a)); err != nil {
		s.Fatal(err)
	}
	cookies := w.Result().Cookies()
	if len(cookies) != 1 {
		s.Fatalf("a sign-in sets the cookies %v, want one", cookies)
	}
	return cookies[0]
}

// newRequest returns the request of a browser that opens a page.
func newRequest(method, target string, cookies ...*http.Cookie) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	for _, c := range cookies {
		r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	return r
}

func answerOf(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// open opens a protected page.
func (s *site) open(c *http.Cookie) *httptest.ResponseRecorder {
	return answerOf(s.page, newRequest("GET", "/jobs", c))
}

const alice = "ioana.turcanu@example.com"

// wantIn expects the protected page.
func (s *site) wantIn(when string, c *http.Cookie) *httptest.ResponseRecorder {
	s.Helper()
	w := s.open(c)
	if w.Code != http.StatusOK || w.Body.String() != alice+" at /jobs" {
		s.Errorf("%s: got status %d, %q, want the page", when, w.Code, w.Body)
	}
	return w
}

// wantOut expects a redirect to the Redirect URL.
func (s *site) wantOut(when string, c *http.Cookie) {
	s.Helper()
	w := s.open(c)
	want := s.sp.RedirectURL() + "?return_to=%2Fjobs"
	if got := w.Header().Get("Location"); w.Code != http.StatusSeeOther || got != want {
		s.Errorf("%s: got status %d to %q, want %d to %q", when, w.Code, got, http.StatusSeeOther, want)
	}
}

// wantUnknown expects a plain "not now": no redirect, no page, the cookie as it is.
func (s *site) wantUnknown(when string, c *http.Cookie) {
	s.Helper()
	w := s.open(c)
	h := w.Header()
	if w.Code != http.StatusServiceUnavailable || h.Get("Retry-After") != "10" ||
		h.Get("Cache-Control") != "no-store" || h.Get("Location") != "" || h.Get("Set-Cookie") != "" {
		s.Errorf("%s: got status %d with %v, want %d", when, w.Code, h, http.StatusServiceUnavailable)
	}
}

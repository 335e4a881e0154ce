package session

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// TestSessionOfARequest: Session returns what counts, and says if nobody can know.
func TestSessionOfARequest(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	c := s.signIn(samltest.Answer{})
	var got *Session
	var err error
	look := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got, err = s.Session(r) })
	for name, page := range map[string]http.Handler{"Require": s.login.Require(look), "Load": s.login.Load(look)} {
		got = nil
		if answerOf(page, newRequest("GET", "/", c)); err != nil || got == nil || got.Identity.Email != alice {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
	if answerOf(s.login.Load(look), newRequest("GET", "/")); got != nil || err != nil {
		t.Errorf("Load without a session: got %+v, %v", got, err)
	}
	// the settings that a session must fit are those of a Handler, so one that nobody compared is an error
	if answerOf(look, newRequest("GET", "/", c)); got != nil || !errors.Is(err, saml.CodeConfig) {
		t.Errorf("without a Handler: got %+v, %v", got, err)
	}
	if answerOf(look, newRequest("GET", "/")); got != nil || err != nil {
		t.Errorf("without a Handler and a cookie: got %+v, %v", got, err)
	}
	s.store.fail(errBroken)
	s.clock.advance(6 * time.Minute)
	if w := answerOf(s.login.Load(look), newRequest("GET", "/", c)); w.Code != http.StatusServiceUnavailable {
		t.Errorf("Load, and the store fails: got %d", w.Code)
	}
	unit := &Session{ID: "unit"}
	r := newRequest("GET", "/")
	if r = r.WithContext(NewContext(r.Context(), unit)); FromContext(r.Context()) != unit {
		t.Error("FromContext does not return what NewContext put there")
	}
	if got, err := s.Session(r); got != unit || err != nil {
		t.Errorf("in a unit test: got %+v, %v", got, err)
	}
	w := httptest.NewRecorder()
	if got, err := s.Authenticate(w, r); err != nil || FromContext(got.Context()) != unit || len(w.Result().Cookies()) != 0 {
		t.Errorf("Authenticate in a unit test: %v, %v", err, w.Result().Cookies())
	}
	if FromContext(context.Background()) != nil {
		t.Error("a session out of nothing")
	}
}

// TestPagesBehindTwoHandlers: the session of one sign-in is none of another, though both are asked
// about the same request.
func TestPagesBehindTwoHandlers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	other := s.newManager(func(c *Config) { c.Keys = [][]byte{saml.NewStateKey()} })
	c := s.signIn(samltest.Answer{})
	both := s.login.Require(s.handlerOf(other).Require(greeting))
	if w := answerOf(both, newRequest("GET", "/jobs", c)); w.Code != http.StatusSeeOther {
		t.Errorf("the session of another Manager counts: got %d %s", w.Code, w.Body)
	}
	s.clock.advance(time.Hour)
	twice := s.login.Load(s.login.Require(greeting))
	w := answerOf(twice, newRequest("GET", "/jobs", c))
	if w.Code != http.StatusOK || len(w.Result().Cookies()) != 1 {
		t.Errorf("Require within Load: got %d, cookies %v", w.Code, w.Result().Cookies())
	}
	// with the same Manager, the settings of each Handler count
	elsewhere, err := saml.NewHandler(saml.HandlerConfig{Sessions: s.Manager,
		Provider: s.newProvider(s.idp, func(c *saml.Config) { c.Tenant = "elsewhere" })})
	if err != nil {
		t.Fatal(err)
	}
	if w := answerOf(s.login.Require(elsewhere.Require(greeting)), newRequest("GET", "/jobs", c)); w.Code != http.StatusSeeOther {
		t.Errorf("a session of another tenant: got %d", w.Code)
	}
}

// TestTwoServicesOnOneHost: two services by path on one host, each with keys of its own, leave each
// other's sessions alone.
func TestTwoServicesOnOneHost(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	other := s.newManager(func(c *Config) { c.Keys = [][]byte{saml.NewStateKey()} })
	c := s.signIn(samltest.Answer{})
	w := httptest.NewRecorder()
	if err := other.SignIn(w, newRequest("POST", "/", c), s.newLogin(samltest.Answer{})); err != nil {
		t.Fatal(err)
	}
	if set := w.Result().Cookies(); len(set) != 1 || set[0].Name == c.Name {
		t.Errorf("the other service sets %v over %s", set, c.Name)
	}
	w = httptest.NewRecorder()
	if err := other.SignOut(w, newRequest("POST", "/", c)); err != nil || len(w.Result().Cookies()) != 0 {
		t.Errorf("the other service ends what is not its own: %v, %v", w.Result().Cookies(), err)
	}
	s.wantIn("after both", c)
}

// TestCookiesOfOthersAreNoticed: a cookie that has the name of ours and is no session here sends its
// user to sign in, and the log says once why that may be. What is no mistake leaves no line.
func TestCookiesOfOthersAreNoticed(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		theirs  func(*Config)      // the sessions that the cookie comes from
		service func(*saml.Config) // their service
		later   time.Duration
		twice   bool
		want    int
	}{
		"our own":                                 {},
		"our own, expired":                        {later: 3 * time.Hour},
		"our own, of a key before":                {theirs: func(c *Config) { c.Keys = [][]byte{oldKey} }},
		"two of one name":                         {theirs: func(c *Config) { c.Keys = [][]byte{saml.NewStateKey()} }, twice: true},
		"other keys, the same name":               {theirs: func(c *Config) { c.Keys = [][]byte{saml.NewStateKey()} }, want: 1},
		"other keys, another name":                {theirs: func(c *Config) { c.Keys, c.Cookie = [][]byte{saml.NewStateKey()}, "other" }},
		"the same keys, another name":             {theirs: func(c *Config) { c.Cookie = "other" }},
		"the same keys and name, another service": {service: func(c *saml.Config) { c.EntityID = "urn:example:other" }, want: 1},
		"another tenant of this service":          {service: func(c *saml.Config) { c.EntityID, c.Tenant = "urn:example:other", "other" }},
	} {
		var log bytes.Buffer
		s := newSite(t, func(c *Config) { c.Cookie, c.Keys = "console", [][]byte{testKey, oldKey} })
		ours := s.newManager(func(c *Config) {
			c.Cookie, c.Keys, c.Logger = "console", [][]byte{testKey, oldKey}, slog.New(slog.NewTextHandler(&log, nil))
		})
		theirs := s.newManager(func(c *Config) { c.Cookie = "console" }, func(c *Config) {
			if row.theirs != nil {
				row.theirs(c)
			}
		})
		login := s.newLogin(samltest.Answer{})
		if row.service != nil {
			sp := s.newProvider(s.idp, row.service)
			login.EntityID, login.Tenant = sp.EntityID(), sp.Tenant()
		}
		w := httptest.NewRecorder()
		if err := theirs.SignIn(w, newRequest("POST", "/"), login); err != nil {
			t.Fatal(err)
		}
		cookies := w.Result().Cookies()
		if row.twice {
			cookies = append(cookies, cookies...)
		}
		s.clock.advance(row.later)
		page := s.handlerOf(ours).Require(greeting)
		for range 3 {
			answerOf(page, newRequest("GET", "/jobs", cookies...))
		}
		if got := strings.Count(log.String(), "another session.Config.Cookie"); got != row.want {
			t.Errorf("%s: %d warnings, want %d: %s", name, got, row.want, log.String())
		}
	}
}

var oldKey = saml.NewStateKey()

// TestNamesOfCookiesWhileKeysChange: the default name follows the key, and nobody is signed out
// because of that.
func TestNamesOfCookiesWhileKeysChange(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	c := s.signIn(samltest.Answer{})
	next := s.newManager(func(c *Config) { c.Keys = [][]byte{saml.NewStateKey(), testKey} })
	page := s.handlerOf(next).Require(greeting)
	if w := answerOf(page, newRequest("GET", "/jobs", c)); w.Code != http.StatusOK || len(w.Result().Cookies()) != 0 {
		t.Fatalf("with a new key in front: got %d, %v", w.Code, w.Result().Cookies())
	}
	s.clock.advance(time.Hour)
	renewed := map[string]int{} // name -> MaxAge
	var kept *http.Cookie
	for _, set := range answerOf(page, newRequest("GET", "/jobs", c)).Result().Cookies() {
		renewed[set.Name] = set.MaxAge
		if set.MaxAge > 0 {
			kept = set
		}
	}
	if len(renewed) != 2 || renewed[c.Name] != -1 || kept == nil {
		t.Fatalf("the renewal sets %v", renewed)
	}
	if w := answerOf(page, newRequest("GET", "/jobs", kept)); w.Code != http.StatusOK {
		t.Errorf("under the new name: got %d", w.Code)
	}
	w := httptest.NewRecorder()
	if err := next.SignOut(w, newRequest("POST", "/", c, kept)); err != nil || len(w.Result().Cookies()) != 2 {
		t.Errorf("signing out leaves a cookie: %v, %v", w.Result().Cookies(), err)
	}
	for _, one := range []*http.Cookie{c, kept} {
		s.clock.advance(askEvery)
		if w := answerOf(page, newRequest("GET", "/jobs", one)); w.Code != http.StatusSeeOther {
			t.Errorf("%s after sign-out: got %d", one.Name, w.Code)
		}
	}
}

// TestHTTPOnLoopback: a developer on http://localhost needs no option, as with saml.New. At any
// other address a cookie without the prefix never counts, because others can set it.
func TestHTTPOnLoopback(t *testing.T) {
	t.Parallel()
	for base, wantsPlain := range map[string]bool{
		"http://localhost:8080": true, "http://127.0.0.1:8080": true, "http://[::1]:8080": true,
		"https://localhost:8443": false, baseURL: false,
	} {
		s := newSite(t)
		s.sp = s.newProvider(s.idp, func(c *saml.Config) { c.BaseURL = base })
		var c *http.Cookie
		signIn := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := s.SignIn(w, r, s.newLogin(samltest.Answer{})); err != nil {
				t.Errorf("%s: %v", base, err)
			}
		})
		w := httptest.NewRecorder()
		answerThrough(t, s, signIn, w)
		if cookies := w.Result().Cookies(); len(cookies) == 1 {
			c = cookies[0]
		} else {
			t.Fatalf("%s: got %v", base, cookies)
		}
		if c.Secure == wantsPlain || strings.HasPrefix(c.Name, "__Host-") == wantsPlain {
			t.Errorf("%s: got %v", base, c)
		}
		s.wantIn(base, c)
		if got := answerOf(s.login, newRequest("GET", saml.DefaultRedirectPath, c)).Header().Get("Location"); got != "/" {
			t.Errorf("%s: the Redirect URL leads to %s", base, got)
		}
		out := httptest.NewRecorder()
		if err := s.SignOut(out, newRequest("POST", "/", c)); err != nil || len(out.Result().Cookies()) != 1 {
			t.Errorf("%s: signing out sets %v, %v", base, out.Result().Cookies(), err)
		}
		s.clock.advance(askEvery)
		s.wantOut(base+" after sign-out", c)
		if !wantsPlain {
			continue
		}
		// the same cookie at a service on https, with the same keys and names
		there := s.newProvider(s.idp, func(c *saml.Config) { c.BaseURL, c.EntityID = baseURL, s.sp.EntityID() })
		c = nil
		w = httptest.NewRecorder()
		answerThrough(t, s, signIn, w)
		c = w.Result().Cookies()[0]
		s.sp = there
		s.wantOut("a cookie without the prefix on https", c)
		if s.SignedIn(newRequest("GET", "/", c)) {
			t.Error("a cookie without the prefix counts where no provider is known")
		}
	}
}

// answerThrough calls a handler as the Handler of the Redirect URL calls Sessions, with its provider
// in the context.
func answerThrough(t *testing.T, s *site, h http.Handler, w http.ResponseWriter) {
	t.Helper()
	login, err := saml.NewHandler(saml.HandlerConfig{Sessions: probe{s.Manager, h, w}, Provider: s.sp})
	if err != nil {
		t.Fatal(err)
	}
	answerOf(login, newRequest("GET", saml.DefaultRedirectPath))
}

type probe struct {
	*Manager
	call http.Handler
	w    http.ResponseWriter
}

func (p probe) SignedIn(r *http.Request) bool {
	p.call.ServeHTTP(p.w, r)
	return true
}

// TestSignOutOntoAGuardedPage: whoever signs out would be signed in again before they see anything,
// so the log says it once.
func TestSignOutOntoAGuardedPage(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		goodbye string
		guard   func(*saml.Handler) http.Handler
		want    int
	}{
		"a guarded page":              {"/", func(h *saml.Handler) http.Handler { return h.Require(greeting) }, 1},
		"a guarded page, by query":    {"/?bye=1", func(h *saml.Handler) http.Handler { return h.Require(greeting) }, 1},
		"a guarded page, by fragment": {"/#bye", func(h *saml.Handler) http.Handler { return h.Require(greeting) }, 1},
		"a guarded page below a prefix": {"/app/bye", func(h *saml.Handler) http.Handler {
			return http.StripPrefix("/app", h.Require(greeting))
		}, 1},
		"a guarded page with a rule": {"/", func(h *saml.Handler) http.Handler {
			return h.RequireFunc(func(*http.Request) bool { return true })(greeting)
		}, 1},
		"another page": {"/goodbye", func(h *saml.Handler) http.Handler { return h.Require(greeting) }, 0},
		"a public page": {"/", func(h *saml.Handler) http.Handler {
			return h.Load(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		}, 0},
	} {
		var log bytes.Buffer
		s := newSite(t, func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		out, page, c := s.SignOutHandler(row.goodbye), row.guard(s.login), s.signIn(samltest.Answer{})
		for range 3 {
			answerOf(page, newRequest("GET", "/app/", c)) // signed in, nothing is wrong yet
		}
		if log.Len() > 0 {
			t.Errorf("%s, signed in: %s", name, log.String())
		}
		for range 3 {
			w := answerOf(out, newRequest("POST", "/out", c))
			if to, _, _ := strings.Cut(w.Header().Get("Location"), "#"); to != "/goodbye" {
				answerOf(page, newRequest("GET", to))
			}
		}
		answerOf(page, newRequest("GET", "/"))
		if got := strings.Count(log.String(), "SignOutHandler leads to a page that Require guards"); got != row.want {
			t.Errorf("%s: got %d warnings, want %d: %s", name, got, row.want, log.String())
		}
	}
}

// TestDeniedByValidate: the sentence of Validate or Stamp reaches the user at the sign-in, and a
// session that goes on ends.
func TestDeniedByValidate(t *testing.T) {
	t.Parallel()
	var verdict, stamp error
	s := newSite(t, func(c *Config) {
		c.Validate = func(context.Context, *Session) error { return verdict }
		c.Stamp = func(context.Context, *saml.Login) (string, error) { return "", stamp }
	})
	c := s.signIn(samltest.Answer{})
	verdict = saml.Denied("No seat is left.")
	s.clock.advance(askEvery)
	s.wantOut("a denied user", c)
	for name, set := range map[string]func(){
		"Validate": func() {},
		"Stamp":    func() { verdict, stamp = nil, saml.Denied("No seat is left.") },
	} {
		set()
		w := httptest.NewRecorder()
		err := s.SignIn(w, newRequest("POST", "/"), s.newLogin(samltest.Answer{}))
		var refusal *saml.Error
		if !errors.As(err, &refusal) || refusal.Code != saml.CodeDenied || refusal.Page().Sentence != "No seat is left." ||
			len(w.Result().Cookies()) != 0 {
			t.Errorf("%s: got %v", name, err)
		}
		verdict = saml.Denied("No seat is left.")
	}
}

// TestConfigFaultsAreOurErrors: each fault names its field and says what to do.
func TestConfigFaultsAreOurErrors(t *testing.T) {
	t.Parallel()
	var none *fakeStore
	_, empty := New(Config{})
	_, full := New(Config{Keys: [][]byte{make([]byte, 32), []byte("correct horse battery staple 123"), testKey[:31]}, Store: none,
		Idle: 1, Lifetime: 1, Cookie: "__Host-" + strings.Repeat("x", 60) + "\n", Records: (*MemoryRecords)(nil),
		AllowInForeignFrames: true, InsecureAllowHTTP: true, Keep: []string{"", strings.Repeat("x", 1025)}})
	want := map[string]int{"Keys": 4, "Store": 1, "Idle": 1, "Lifetime": 1, "Cookie": 3, "Records": 1, "AllowInForeignFrames": 1, "Keep": 2}
	for _, e := range append(saml.Errors(empty), saml.Errors(full)...) {
		if e.Code != saml.CodeConfig || !strings.HasSuffix(e.Hint, ".") || !strings.Contains(e.Error(), "session.Config."+e.Field) {
			t.Errorf("got %+v", e)
		}
		want[e.Field]--
	}
	for field, left := range want {
		if left != 0 {
			t.Errorf("%s: %d faults are missing", field, left)
		}
	}
	for _, name := range []string{"__Secure-x", "__Host-x"} {
		if _, err := New(Config{Keys: [][]byte{testKey}, Cookie: name, Logger: quiet}); !errors.Is(err, saml.CodeConfig) {
			t.Errorf("the cookie %s: got %v", name, err)
		}
	}
}

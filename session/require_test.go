package session

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

func newWriter() http.ResponseWriter { return httptest.NewRecorder() }

func TestWithoutASession(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	redirectURL := s.sp.RedirectURL()
	if redirectURL != baseURL+saml.DefaultRedirectPath {
		t.Fatalf("the Redirect URL is %s", redirectURL)
	}
	back := func(to string) string { return redirectURL + "?return_to=" + url.QueryEscape(to) }
	header := func(pairs ...string) http.Header {
		h := http.Header{}
		for i := 0; i < len(pairs); i += 2 {
			h.Set(pairs[i], pairs[i+1])
		}
		return h
	}
	const html, json = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", "application/json"
	for _, row := range []struct {
		name, method, target string
		header               http.Header
		location             string // "" for a call in the background
	}{
		{"a page", "GET", "/jobs?id=7&b=c%2Fd",
			header("Sec-Fetch-Mode", "navigate", "Accept", html), back("/jobs?id=7&b=c%2Fd")},
		{"the home page", "GET", "/", header("Sec-Fetch-Mode", "navigate"), back("/")},
		{"a page in an old browser", "GET", "/jobs", header("Accept", html), back("/jobs")},
		{"a form", "POST", "/jobs", header("Sec-Fetch-Mode", "navigate"), redirectURL},
		{"a page by the service's other name", "GET", "http://other.example/jobs",
			header("Sec-Fetch-Mode", "navigate"), back("/jobs")},
		// The URL Standard writes such a path so that it names no host.
		{"a page whose path begins with two slashes", "GET", "//other.example/jobs",
			header("Sec-Fetch-Mode", "navigate"), back("/.//other.example/jobs")},
		{"a script's call", "GET", "/api/jobs", header("Sec-Fetch-Mode", "cors", "Accept", "*/*"), ""},
		{"a script's call for HTML", "GET", "/jobs", header("Sec-Fetch-Mode", "same-origin", "Accept", html), ""},
		{"a script of an old browser for HTML", "GET", "/jobs",
			header("Accept", html, "X-Requested-With", "XMLHttpRequest"), ""},
		{"the page of an app on Android", "GET", "/jobs",
			header("Accept", html, "X-Requested-With", "com.example.browser"), back("/jobs")},
		{"an image", "GET", "/logo.png", header("Sec-Fetch-Mode", "no-cors", "Accept", "image/*"), ""},
		{"a socket", "GET", "/events", header("Sec-Fetch-Mode", "websocket"), ""},
		{"a call for JSON", "GET", "/api/jobs", header("Accept", json), ""},
		{"a program that says nothing", "GET", "/jobs", nil, ""},
		{"a program's HEAD", "HEAD", "/jobs", header("Accept", html), ""},
		{"an old browser's form", "POST", "/jobs", header("Accept", html), ""},
	} {
		r := httptest.NewRequest(row.method, row.target, nil)
		r.Header = row.header
		w := answerOf(s.page, r)
		status := http.StatusSeeOther
		if row.location == "" {
			status = http.StatusUnauthorized
		}
		if got := w.Header().Get("Location"); w.Code != status || got != row.location ||
			w.Header().Get("Cache-Control") != "no-store" || len(w.Result().Cookies()) > 0 {
			t.Errorf("%s: got status %d, %v, want %d to %q", row.name, w.Code, w.Header(), status, row.location)
		}
	}
}

// TestReturnToTheWholePath: the browser is sent back to the page that it asked for, though a
// handler in front of Require removed a part of the path.
func TestReturnToTheWholePath(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	w := answerOf(http.StripPrefix("/app", s.page), newRequest("GET", "/app/jobs?id=7"))
	want := s.sp.RedirectURL() + "?return_to=" + url.QueryEscape("/app/jobs?id=7")
	if got := w.Header().Get("Location"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTwoCookiesOfOneName(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	c, other := s.signIn(samltest.Answer{}), s.signIn(samltest.Answer{})
	for name, second := range map[string]*http.Cookie{
		"another session":  other,
		"the same session": c,
		"nothing":          {Name: c.Name},
	} {
		r := newRequest("GET", "/", c, second)
		if w := answerOf(s.page, r); w.Code != http.StatusSeeOther || s.SignedIn(r) {
			t.Errorf("a session, and %s: got status %d, signed in %t", name, w.Code, s.SignedIn(r))
		}
	}
	r := newRequest("GET", "/jobs", c, &http.Cookie{Name: strings.TrimPrefix(c.Name, "__Host-"), Value: other.Value})
	if w := answerOf(s.page, r); w.Code != http.StatusOK {
		t.Errorf("a session, and a cookie that has not the prefix: got status %d", w.Code)
	}
}

// TestSettingsThatChange: a session ends when the settings name another tenant, identity provider
// or entity ID. It ends for the handler of the Redirect URL too: otherwise that handler would send
// the browser to the home page, which would send it back, a redirect loop.
func TestSettingsThatChange(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	c := s.signIn(samltest.Answer{})
	first := s.sp
	wantAtRedirectURL := func(when, want string) {
		t.Helper()
		w := answerOf(s.login, newRequest("GET", saml.DefaultRedirectPath, c))
		if got := w.Header().Get("Location"); w.Code != http.StatusSeeOther ||
			!strings.HasPrefix(got, want) || want == "/" && got != want {
			t.Errorf("%s the Redirect URL leads to status %d, %q, want %q", when, w.Code, got, want)
		}
	}
	s.wantIn("at first", c)
	wantAtRedirectURL("at first", "/")

	s.sp = s.newProvider(s.idp, func(c *saml.Config) { c.Tenant = "b" })
	s.wantOut("another tenant", c)
	wantAtRedirectURL("with another tenant", s.idp.LoginURL())

	other := s.newIdP()
	s.sp = s.newProvider(other, nil)
	s.wantOut("another identity provider", c)
	wantAtRedirectURL("with another identity provider", other.LoginURL())

	s.sp = s.newProvider(s.idp, func(c *saml.Config) { c.BaseURL = "https://other.example.com" })
	s.wantOut("another service with the same keys", c)
	wantAtRedirectURL("of another service", s.idp.LoginURL())

	s.sp = s.newProvider(s.idp, func(c *saml.Config) {
		c.BaseURL = "https://new.example.com"
		c.EntityID = first.EntityID()
	})
	s.wantIn("another address of the same service", c)
	s.sp = first
	s.wantIn("at last", c)
	s.store.wantAsked(t, "about settings", 1)
}

// source is an identity provider whose settings can fail to be read.
type source struct {
	*saml.IdentityProvider
	err error
}

func (s *source) Snapshot(context.Context) (*saml.IdentityProvider, error) {
	if s.err != nil {
		return nil, s.err
	}
	return s.IdentityProvider, nil
}

// TestSettingsThatCannotBeRead: if the settings cannot be read, nobody is sent to the identity
// provider. If single sign-on was switched off, the session ends.
func TestSettingsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	c := s.signIn(samltest.Answer{})
	stranger := newRequest("GET", "/jobs")
	s.err = errBroken
	s.wantUnknown("the settings of the service", c)
	if w := answerOf(s.page, stranger); w.Code != http.StatusServiceUnavailable ||
		!strings.Contains(w.Body.String(), string(saml.CodeIdentityProvider)) {
		t.Errorf("the settings of the service, without a session: got status %d, %s", w.Code, w.Body)
	}
	s.err = saml.ErrNotConfigured
	for name, r := range map[string]*http.Request{"with": newRequest("GET", "/jobs", c), "without": stranger} {
		if w := answerOf(s.page, r); w.Code != http.StatusNotFound ||
			!strings.Contains(w.Body.String(), "not enabled") {
			t.Errorf("single sign-on is not enabled, %s a session: got status %d, %s", name, w.Code, w.Body)
		}
	}
	s.err = nil

	trusted, err := s.sp.IdentityProvider(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	settings := &source{IdentityProvider: trusted}
	s.sp = s.newProvider(s.idp, func(c *saml.Config) { c.IdentityProvider = settings })
	s.wantIn("the same settings from another source", c)
	settings.err = errBroken
	s.wantUnknown("the settings of the identity provider", c)
}

// TestTenantsOfOneHandler: at an address that names a tenant, only that tenant's sessions count; at
// one that names none, each counts under its own tenant's settings.
func TestTenantsOfOneHandler(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.newProvider(s.idp, func(c *saml.Config) { c.Tenant = "a" })
	b := s.newProvider(s.idp, func(c *saml.Config) { c.Tenant, c.BaseURL = "b", "https://b.example.com" })
	named := ""
	resolve := func(_ *http.Request, tenant string) (*saml.ServiceProvider, error) {
		if tenant == "" {
			tenant = named // as the host of the request would say
		}
		switch tenant {
		case "a":
			return a, nil
		case "b":
			return b, nil
		case "broken":
			return nil, errBroken
		}
		return nil, saml.ErrNotConfigured
	}
	login, err := saml.NewHandler(saml.HandlerConfig{Sessions: s.Manager, Resolve: resolve})
	if err != nil {
		t.Fatal(err)
	}
	s.page = login.Require(greeting)
	s.sp = a
	ofA := s.signIn(samltest.Answer{})
	s.sp = s.newProvider(s.idp, func(c *saml.Config) { c.Tenant = "gone" })
	ofGone := s.signIn(samltest.Answer{})
	s.sp = b
	s.wantIn("where the address names no tenant", ofA)
	named = "a"
	s.wantIn("at its own tenant's address", ofA)
	named = "b"
	s.wantOut("of one tenant at another's address", ofA)
	s.wantOut("of a tenant that is gone", ofGone)
	named = "broken"
	s.wantUnknown("if it is unknown whose address it is", ofA)
}

func TestRequireFunc(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	c := s.signIn(samltest.Answer{})
	allow := false
	var asked *Session
	s.page = s.login.RequireFunc(func(r *http.Request) bool {
		asked = FromContext(r.Context())
		return allow
	})(greeting)
	w := s.open(c)
	if w.Code != http.StatusForbidden || w.Header().Get("Cache-Control") != "no-store" ||
		w.Header().Get("Location") != "" || asked == nil || asked.Identity.Email != alice {
		t.Errorf("not allowed: got status %d, %v, asked about %+v", w.Code, w.Header(), asked)
	}
	allow = true
	s.wantIn("allowed", c)
	asked = nil
	s.wantOut("without a session", &http.Cookie{Name: c.Name, Value: "none"})
	if asked != nil {
		t.Error("asked about a session that is not there")
	}
}

// TestPagesAreNotForCaches: shared caches must not keep pages. The application may be stricter.
func TestPagesAreNotForCaches(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	c := s.signIn(samltest.Answer{})
	if got := s.wantIn("", c).Header().Get("Cache-Control"); got != "private" {
		t.Errorf("got Cache-Control %q, want private", got)
	}
	s.page = s.login.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		greeting(w, r)
	}))
	if got := s.wantIn("", c).Header().Get("Cache-Control"); got != "no-store" {
		t.Errorf("where the application says so: got Cache-Control %q, want no-store", got)
	}
	before := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-cache")
		s.login.Require(greeting).ServeHTTP(w, r)
	})
	if got := answerOf(before, newRequest("GET", "/", c)).Header().Get("Cache-Control"); got != "no-cache" {
		t.Errorf("where a handler before says so: got Cache-Control %q, want no-cache", got)
	}
}

// TestRenewalThatFails: a user who is signed in stays signed in.
func TestRenewalThatFails(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	session, err := s.newSession(s.newLogin(samltest.Answer{}))
	if err != nil {
		t.Fatal(err)
	}
	session.Identity.ObjectID = strings.Repeat("x", maxCookie) // as if an earlier release had accepted more
	session.Identity.Roles = []string{"Administrator"}
	c := &http.Cookie{Name: s.cookieName(true), Value: s.seal(session)}
	s.clock.advance(time.Hour)
	if w := s.wantIn("with a session that is too large now", c); len(w.Result().Cookies()) != 0 {
		t.Errorf("got cookies %v", w.Result().Cookies())
	}
	if err := s.write(t.Context(), newWriter(), session); !errors.Is(err, saml.CodeSession) ||
		len(session.Identity.Roles) != 1 || session.RolesTruncated {
		t.Errorf("got %v and %+v, want CodeSession and the session as it was", err, session)
	}
}

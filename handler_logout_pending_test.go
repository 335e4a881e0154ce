package saml_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
	"github.com/iomete/saml/session"
)

// signOuts are the ways in which a person signs out.
var signOuts = map[string]func(*saml.Handler, *session.Manager) http.Handler{
	"StartLogout": func(login *saml.Handler, _ *session.Manager) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { login.StartLogout(w, r, "/bye") })
	},
	"SignOutHandler": func(_ *saml.Handler, sessions *session.Manager) http.Handler {
		return sessions.SignOutHandler("/bye")
	},
}

// TestSignOutEndsLoginsThatWereBegun: a tab that was at the identity provider when its user signed
// out in another tab signs nobody in any more, and its page says why. A login that begins after the
// sign-out does.
func TestSignOutEndsLoginsThatWereBegun(t *testing.T) {
	t.Parallel()
	key, err := sharedSigningKey()
	if err != nil {
		t.Fatal(err)
	}
	der := certificateFor(t, key)
	for name, signOut := range signOuts {
		for _, path := range []string{"", "/saml/logout"} { // without a path only the session here ends
			h := newHouse(t, func(c *saml.Config) { c.LogoutPath, c.SigningKey, c.SigningCertificate = path, key, der })
			sessions, err := session.New(session.Config{Keys: [][]byte{saml.NewStateKey()}})
			if err != nil {
				t.Fatal(err)
			}
			login, err := saml.NewHandler(saml.HandlerConfig{Provider: h.sp, Sessions: sessions,
				EndSession: sessions.End})
			if err != nil {
				t.Fatal(err)
			}
			mux := http.NewServeMux()
			mux.Handle(h.sp.RedirectPath(), login)
			mux.Handle("/sign-out", signOut(login, sessions))
			mux.Handle("/", login.Require(whoIsThere))
			b := newTabbed(t, mux)
			page := func() string { return b.send(httptest.NewRequest("GET", ownPage, nil)).Body.String() }
			early, first := b.tab(), b.tab()
			early.begin("/early")
			first.begin("/jobs")
			first.finish(h.respond(samltest.Answer{RequestID: requestID(t, first.at)}))
			if !strings.HasPrefix(page(), alice) {
				t.Fatalf("%s: nobody is signed in: %s", name, page())
			}
			r := httptest.NewRequest("POST", "https://console.example.com/sign-out", nil)
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			if w := b.send(r); w.Code >= 400 {
				t.Fatalf("%s: got status %d, %s", name, w.Code, w.Body)
			}
			late := h.respond(samltest.Answer{RequestID: requestID(t, early.at)})
			w := early.finish(late)
			if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "<code>state_missing</code>") ||
				!strings.Contains(w.Body.String(), "You have signed out since this sign-in began.") ||
				!strings.Contains(w.Body.String(), "return_to=%2Fearly") || strings.HasPrefix(page(), alice) {
				t.Errorf("%s, Logout URL %q: the late answer gets status %d, %v, %s", name, path, w.Code, w.Header(),
					w.Body)
			}
			next := b.tab()
			next.begin("/jobs")
			w = next.finish(h.respond(samltest.Answer{RequestID: requestID(t, next.at)}))
			if where(w) != "/jobs" || !strings.HasPrefix(page(), alice) {
				t.Errorf("%s, Logout URL %q: a login after it gets status %d, %s", name, path, w.Code, w.Body)
			}
			if w = early.finish(late); where(w) != "/early" { // in a browser that is signed in, as for the Back button
				t.Errorf("%s: the late answer in a new session gets status %d, %s", name, w.Code, w.Body)
			}
			if n := bindingsOf(b); n > 3 {
				t.Errorf("%s: the browser has %d bindings", name, n)
			}
		}
	}
}

func bindingsOf(b *tabbed) (n int) {
	for name := range b.cookies {
		if strings.HasPrefix(name, "__Host-saml-") && len(name) == len("__Host-saml-abc") {
			n++
		}
	}
	return n
}

// TestForgetLoginsOfOneTenant: the logins of another tenant go on.
func TestForgetLoginsOfOneTenant(t *testing.T) {
	t.Parallel()
	s := newTenants(t)
	ofA, requestOfA := s.begin("a.example.com")
	ofB, requestOfB := s.begin("b.example.com")
	for _, forgotten := range []string{"", "a"} {
		r, w := httptest.NewRequest("POST", ownPage, nil), httptest.NewRecorder()
		r.AddCookie(ofA)
		r.AddCookie(ofB)
		saml.ForgetLogins(w, r, forgotten)
		set := w.Result().Cookies()
		if forgotten == "" {
			if len(set) > 0 {
				t.Errorf("the logins of no tenant: got %v", set)
			}
			continue
		}
		if len(set) != 1 || set[0].Name != ofA.Name || !set[0].Secure || !set[0].HttpOnly || set[0].Path != "/" ||
			set[0].SameSite != http.SameSiteLaxMode {
			t.Fatalf("got %v", set)
		}
		ofA = set[0]
	}
	s.wantCode("of a", s.finish("a.example.com", s.a.respond(samltest.Answer{RequestID: requestOfA}), ofA, ofB), 403,
		saml.CodeStateMissing)
	w := s.finish("b.example.com", s.b.respond(samltest.Answer{RequestID: requestOfB}), ofA, ofB)
	if w.Code != http.StatusSeeOther {
		t.Errorf("of b: got status %d, %s", w.Code, w.Body)
	}
}

// TestSignOutEndsTheLoginsOfManyTabs: a browser that restores its tabs has a cookie for each of them,
// and no login of any is finished after a sign-out. Most of the cookies go.
func TestSignOutEndsTheLoginsOfManyTabs(t *testing.T) {
	t.Parallel()
	s := newTenants(t)
	const tabs = 20
	r, w := httptest.NewRequest("POST", ownPage, nil), httptest.NewRecorder()
	var requests []string
	browser := map[string]*http.Cookie{}
	for range tabs {
		c, request := s.begin("a.example.com")
		r.AddCookie(c)
		browser[c.Name], requests = c, append(requests, request)
	}
	saml.ForgetLogins(w, r, "a")
	saml.ForgetLogins(w, r, "a") // as a Manager and StartLogout do
	set := w.Result().Cookies()
	if len(set) != tabs {
		t.Errorf("%d cookies are set, want %d", len(set), tabs)
	}
	for _, c := range set {
		if browser[c.Name] = c; c.MaxAge < 0 {
			delete(browser, c.Name)
		}
	}
	if len(browser) > 8 {
		t.Errorf("%d cookies are left", len(browser))
	}
	for i, request := range requests {
		s.wantCode(fmt.Sprint("tab ", i), s.finish("a.example.com", s.a.respond(samltest.Answer{RequestID: request}),
			slices.Collect(maps.Values(browser))...), 403, saml.CodeStateMissing)
	}
}

// TestForgetLoginsIsBounded: whoever sends more cookies than a browser keeps gets no answer of that size.
func TestForgetLoginsIsBounded(t *testing.T) {
	t.Parallel()
	s := newTenants(t)
	r, w := httptest.NewRequest("POST", ownPage, nil), httptest.NewRecorder()
	for range 70 {
		c, _ := s.begin("a.example.com")
		r.AddCookie(c)
	}
	saml.ForgetLogins(w, r, "a")
	if n := len(w.Header()["Set-Cookie"]); n != 64 {
		t.Errorf("%d cookies are set, want 64", n)
	}
}

// TestSignOutWithoutSettings: a session that has ended is not said to go on, because the settings could
// not be read that say whom to tell.
func TestSignOutWithoutSettings(t *testing.T) {
	t.Parallel()
	var down error
	h := newHouse(t, func(c *saml.Config) {
		idp := c.IdentityProvider
		c.IdentityProvider = saml.IdentityProviderFunc(func(ctx context.Context) (*saml.IdentityProvider, error) {
			if down != nil {
				return nil, down
			}
			return idp.Snapshot(ctx)
		})
	})
	sessions, err := session.New(session.Config{Keys: [][]byte{saml.NewStateKey()}, Records: &session.MemoryRecords{}})
	if err != nil {
		t.Fatal(err)
	}
	login, err := saml.NewHandler(saml.HandlerConfig{Provider: h.sp, Sessions: sessions, EndSession: sessions.End})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle(h.sp.RedirectPath(), login)
	mux.Handle("/sign-out", signOuts["StartLogout"](login, sessions))
	b := newTabbed(t, mux)
	tab := b.tab()
	tab.begin("/jobs")
	tab.finish(h.respond(samltest.Answer{RequestID: requestID(t, tab.at)}))
	down = errors.New("the settings cannot be read")
	r := httptest.NewRequest("POST", "https://console.example.com/sign-out", nil)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if w := b.send(r); strings.Contains(w.Body.String(), "not certain") {
		t.Errorf("got status %d, %s", w.Code, w.Body)
	}
}

// TestSignOutAfterLogoutThere: whoever signs out here although the identity provider has ended the
// session is not signed in again by a tab that was at the identity provider.
func TestSignOutAfterLogoutThere(t *testing.T) {
	t.Parallel()
	for name, signOut := range signOuts {
		s := newSharedLogoutURL(t, saml.RefuseUnsolicited)
		sessions, err := session.New(session.Config{Keys: [][]byte{saml.NewStateKey()},
			Records: &session.MemoryRecords{}})
		if err != nil {
			t.Fatal(err)
		}
		s.serve(func(c *saml.HandlerConfig) {
			c.Sessions, c.EndSession, c.EndSessions = sessions, sessions.End, sessions.EndSessions
		})
		mux := http.NewServeMux()
		mux.Handle("/", s.login)
		mux.Handle("/sign-out", signOut(s.login, sessions))
		b := newTabbed(t, mux)
		early, tab := b.tab(), b.tab()
		early.leaves(b.send(typed("ann@acme.example", "/jobs")))
		tab.leaves(b.send(typed("ann@acme.example", "/jobs")))
		tab.finish(s.a.respond(samltest.Answer{RequestID: requestID(t, tab.at)}))
		at := slices.IndexFunc(s.events, func(e saml.Event) bool { return e.Kind == saml.LoginSucceeded })
		if at < 0 {
			t.Fatalf("nobody signed in: %v", s.events)
		}
		there := s.events[at].Login.LogoutSubject()
		if err := sessions.EndSessions(t.Context(), &saml.Logout{Tenant: there.Tenant, EntityID: there.EntityID,
			Issuer: there.Issuer, NameID: there.NameID, IssueInstant: time.Now()}); err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("POST", "https://console.example.com/sign-out", nil)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		b.send(r)
		late := early.finish(s.a.respond(samltest.Answer{RequestID: requestID(t, early.at)}))
		if !strings.Contains(late.Body.String(), "You have signed out since") {
			t.Errorf("%s: got status %d, %s", name, late.Code, late.Body)
		}
	}
}

// TestManySignOuts: whoever signs in and out again and again has few cookies.
func TestManySignOuts(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	b := newTabbed(t, h.sp.Handler(ownSessions{}))
	for range 10 {
		tab := b.tab()
		tab.begin("/jobs")
		r, w := httptest.NewRequest("POST", ownPage, nil), httptest.NewRecorder()
		b.attach(r)
		saml.ForgetLogins(w, r, "")
		for _, c := range w.Result().Cookies() {
			if delete(b.cookies, c.Name); c.MaxAge >= 0 {
				b.cookies[c.Name] = c.Value
			}
		}
	}
	if n := bindingsOf(b); n > 2 {
		t.Errorf("the browser has %d bindings", n)
	}
}

package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2/memstore"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

var (
	analyst       = samltest.DefaultUsers()[0]
	administrator = samltest.DefaultUsers()[3]
)

func TestSignIn(t *testing.T) {
	t.Parallel()
	h := newHouse(t, newService)
	b := h.browser()
	page := b.signIn("/jobs/nightly?state=open", analyst)
	page.want(http.StatusOK, "You are user 1, "+analyst.Mail)
	if want := h.url + "/jobs/nightly?state=open"; page.url != want {
		t.Errorf("the login ends at %s, want %s", page.url, want)
	}
	h.idp.SignInAs(samltest.User{}) // from here on the session alone counts
	b.open("/").want(http.StatusOK, analyst.Mail)

	b.do(http.MethodPost, "/sign-out", "Sec-Fetch-Site", "same-origin").want(http.StatusOK, "Goodbye")
	b.open("/").wantAsked()
	h.browser().signIn("/", administrator).want(http.StatusOK, "You are user 2")
	b.signIn("/", analyst).want(http.StatusOK, "You are user 1") // the same account as before
}

// TestSessionFixation: whoever knows the session that a browser had before the sign-in does not have
// the session after it.
func TestSessionFixation(t *testing.T) {
	t.Parallel()
	h := newHouse(t, newService)
	attacker, victim := h.browser(), h.browser()
	attacker.signIn("/", analyst).want(http.StatusOK, analyst.Mail)
	victim.Jar = attacker.Jar // the attacker has planted the cookie
	cookies := attacker.cookies()
	victim.signIn(saml.DefaultRedirectPath+"?fresh=1", administrator).want(http.StatusOK, administrator.Mail)

	attacker = h.browser()
	attacker.setCookies(cookies)
	attacker.open("/").wantAsked()
}

func (b browser) cookies() []*http.Cookie {
	return b.Jar.Cookies(httptest.NewRequest(http.MethodGet, b.h.url, nil).URL)
}

func (b browser) setCookies(list []*http.Cookie) {
	b.Jar.SetCookies(httptest.NewRequest(http.MethodGet, b.h.url, nil).URL, list)
}

// TestNewSession: nothing of one user is left for the next, and a session does not outlive that of
// the identity provider.
func TestNewSession(t *testing.T) {
	t.Parallel()
	s := newSessions(new(users), memstore.NewWithCleanupInterval(0), true)
	ctx, err := s.Load(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	s.Put(ctx, "draft", "of somebody else")
	end := time.Now().Add(time.Hour)
	r := httptest.NewRequest(http.MethodPost, saml.DefaultRedirectPath, nil).WithContext(ctx)
	err = s.SignIn(nil, r, &saml.Login{
		Identity:  &saml.Identity{NameIDKey: "v1/nid/1"},
		Assertion: &saml.Assertion{Statements: []saml.AuthnStatement{{SessionNotOnOrAfter: end}}},
	})
	if err != nil || s.Exists(ctx, "draft") || !s.Deadline(ctx).Equal(end) {
		t.Errorf("got %v, draft %t, deadline %v, want a session without it until %v",
			err, s.Exists(ctx, "draft"), s.Deadline(ctx), end)
	}
	if err := s.SignIn(nil, r, &saml.Login{Purpose: "test"}); err == nil {
		t.Error("a test signs in")
	}
}

func TestDisabledUser(t *testing.T) {
	t.Parallel()
	h := newHouse(t, newService)
	user, other := h.browser(), h.browser()
	user.signIn("/", analyst).want(http.StatusOK)
	user.do(http.MethodPost, "/users/1/disable", "Accept", "text/html").want(http.StatusForbidden)
	other.signIn("/", administrator).want(http.StatusOK)
	other.do(http.MethodPost, "/users/3/disable", "Accept", "text/html").want(http.StatusNotFound)
	other.do(http.MethodPost, "/users/1/disable", "Accept", "text/html").want(http.StatusNoContent)

	user.do(http.MethodGet, "/", "Sec-Fetch-Mode", "cors").want(http.StatusUnauthorized) // a background call
	user.signIn("/", analyst).want(http.StatusForbidden, "Your account is disabled.")
	other.open("/").want(http.StatusOK, administrator.Mail)
}

// TestOtherProvider: a session counts only for the identity provider that it began at. Another one
// may give its users the same names.
func TestOtherProvider(t *testing.T) {
	t.Parallel()
	h := newHouse(t, newService)
	b := h.browser()
	b.signIn("/", analyst).want(http.StatusOK, "You are user 1")
	h.trust(newService)
	b.open("/").wantAsked()
	b.open(saml.DefaultRedirectPath).wantAsked() // SignedIn sees it in the same way
	b.signIn("/", analyst).want(http.StatusOK, "You are user 2")
}

// TestOtherService: nor does it count for another service with the same store and the same provider.
func TestOtherService(t *testing.T) {
	t.Parallel()
	first, second := newHouse(t, newService), newHouse(t, newService)
	second.idp, second.config.Sessions, second.config.Users = first.idp, first.config.Sessions, first.config.Users
	second.build(newService)
	b := first.browser()
	b.signIn("/", analyst).want(http.StatusOK, analyst.Mail)
	browser{b.Client, second}.open("/").wantAsked() // the browser sends the cookie to all ports of a host
}

// TestOtherSites: another site can post to the Redirect URL, and to nothing else.
func TestOtherSites(t *testing.T) {
	t.Parallel()
	h := newHouse(t, newService)
	b := h.browser()
	b.signIn("/", analyst)
	b.do(http.MethodPost, "/sign-out", "Sec-Fetch-Site", "cross-site").want(http.StatusForbidden)
	b.open("/").want(http.StatusOK, analyst.Mail)

	r, err := http.NewRequest(http.MethodPost, h.url+saml.DefaultRedirectPath, strings.NewReader("SAMLResponse=PHg%2B"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	h.answer(h.browser().Do(r)).want(http.StatusOK, "SAMLResponse") // the page that posts it again
}

// TestSecureCookie: on https the cookie has a name that no other host can set.
func TestSecureCookie(t *testing.T) {
	t.Parallel()
	for secure, want := range map[bool]string{true: "__Host-session", false: "session"} {
		s := newSessions(new(users), memstore.NewWithCleanupInterval(0), secure)
		if c := s.Cookie; c.Name != want || c.Secure != secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" {
			t.Errorf("https %t: got %+v, want the name %s", secure, c, want)
		}
	}
}

// TestWhatItRefuses: a fault of the settings ends the start.
func TestWhatItRefuses(t *testing.T) {
	t.Parallel()
	idp := samltest.MustNew(t, samltest.Options{})
	document, err := idp.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]config{
		"no metadata":        {BaseURL: "https://console.example.com", StateKeys: [][]byte{saml.NewStateKey()}},
		"http for everybody": {BaseURL: "http://console.example.com", Metadata: document},
	} {
		if _, err := newService(c); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

package saml_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// TestManyCookiesAreReadOnce: a stranger can send as many as the server takes, and the work for them
// grows as their number does.
func TestManyCookiesAreReadOnce(t *testing.T) {
	s := newTenants(t)
	state, _ := s.begin("a.example.com")
	work := func(n int) float64 {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "__Host-saml-%c%cA=x; ", 'A'+i%32, 'A'+i/32)
		}
		r := httptest.NewRequest("GET", redirectURL, nil)
		r.Header.Set("Cookie", b.String()+state.Name+"="+state.Value)
		r.Host = "a.example.com"
		return testing.AllocsPerRun(1, func() { s.login.ServeHTTP(httptest.NewRecorder(), r) })
	}
	if few, many := work(200), work(800); many > 5*few {
		t.Errorf("four times the cookies: %v allocations, and %v before", many, few)
	}
}

// TestCookieTellsNoTenant: whatever a stranger writes into the cookie of a login, a tenant that is
// there, one without an identity provider and one that is not there get the same answer.
func TestCookieTellsNoTenant(t *testing.T) {
	s := newAsking(t)
	for _, prefix := range []string{"__Host-", ""} {
		for _, tenant := range []string{"b", "d", "nobody"} {
			state, id := s.begin("a.example.com")
			secret, _, _ := strings.Cut(state.Value, ".")
			state.Value = secret + "." + base64.RawURLEncoding.EncodeToString([]byte(tenant))
			state.Name = prefix + strings.TrimPrefix(state.Name, "__Host-")
			w := s.finish(sharedHost, s.a.respond(samltest.Answer{RequestID: id}), state)
			s.wantCode(prefix+" "+tenant, w, http.StatusForbidden, saml.CodeStateInvalid)
		}
	}
}

// TestOnlyResponsesEndTheSilence: neither the question for an address nor rubbish is a response.
func TestOnlyResponsesEndTheSilence(t *testing.T) {
	for name, row := range map[string]struct {
		post func(*tenants)
		want bool
	}{
		"nothing":    {func(*tenants) {}, true},
		"an address": {func(s *tenants) { s.send(typed("ann@nowhere.example", "")) }, true},
		"rubbish": {func(s *tenants) {
			r := httptest.NewRequest("POST", redirectURL, strings.NewReader("{}"))
			r.Header.Set("Content-Type", "application/json")
			s.send(r)
		}, true},
		"a response": {func(s *tenants) {
			s.send(formRequest(url.Values{"SAMLResponse": {s.a.respond(samltest.Answer{})}}))
		}, false},
	} {
		var log strings.Builder
		now := time.Now()
		s := newAsking(t, func(c *saml.Config) {
			c.Logger = slog.New(slog.NewTextHandler(&log, nil))
			c.Now = func() time.Time { return now }
		})
		row.post(s)
		for range 5 {
			r := httptest.NewRequest("GET", redirectURL, nil)
			r.Host = "a.example.com"
			s.send(r)
			now = now.Add(time.Minute)
		}
		if got := strings.Contains(log.String(), "no response has arrived"); got != row.want {
			t.Errorf("after %s: a warning %t, want %t", name, got, row.want)
		}
	}
}

// TestFormOfOurPageFromElsewhere: a long address of another site's link arrives by a form that our own
// page posts. It costs no other login its cookie either.
func TestFormOfOurPageFromElsewhere(t *testing.T) {
	s := newTenants(t)
	b := newTabbed(t, s.login)
	address := "/x?" + strings.Repeat("a", 3000)
	first := formRequest(url.Values{"return_to": {address}}, "Sec-Fetch-Site", "cross-site")
	first.Host = "a.example.com"
	ours := b.send(first).Body.String()
	if !strings.Contains(ours, `name="saml_elsewhere"`) {
		t.Fatalf("our page has no mark: %s", ours)
	}
	for i := range 12 {
		b.cookies[fmt.Sprintf("__Host-saml-aa%c", 'a'+i)] = "secretsecret." +
			base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%080d", i))
	}
	for mark, asks := range map[string]bool{"1": true, "": false} {
		form := url.Values{"return_to": {address}}
		if mark != "" {
			form.Set("saml_elsewhere", mark)
		}
		r := formRequest(form, "Sec-Fetch-Site", "same-origin")
		r.Host = "a.example.com"
		b.attach(r)
		w := httptest.NewRecorder()
		s.login.ServeHTTP(w, r)
		if got := strings.Contains(w.Body.String(), "Many sign-ins are open"); got != asks || got && len(w.Result().Cookies()) > 0 {
			t.Errorf("with the mark %q: asks %t, cookies %v", mark, got, w.Result().Cookies())
		}
	}
}

// TestTileAtAHostThatAllShare: the login that takes the place of the tile's response begins at the host
// of its tenant, where its cookies count.
func TestTileAtAHostThatAllShare(t *testing.T) {
	s := newTenants(t, func(c *saml.Config) {
		c.Unsolicited = saml.RestartUnsolicited
		c.BaseURL = "https://" + c.Tenant + ".example.com"
		c.FormerRedirectURLs = []string{"https://" + sharedHost + saml.DefaultRedirectPath}
		c.EntityID = "https://" + sharedHost + "/" + c.Tenant
	})
	s.serve(func(c *saml.HandlerConfig) {
		c.ByIssuer = func(context.Context, string) (string, error) { return "a", nil }
	})
	r := formRequest(url.Values{"SAMLResponse": {s.a.respond(samltest.Answer{})}, "saml_leg": {"2"}},
		"Sec-Fetch-Site", "same-origin", "Origin", "https://"+sharedHost)
	r.Host = sharedHost
	w := s.send(r)
	if got, want := w.Header().Get("Location"), s.a.sp.RedirectURL(); got != want || len(w.Result().Cookies()) > 0 {
		t.Errorf("got status %d to %q with cookies %v, want %q", w.Code, got, w.Result().Cookies(), want)
	}
}

// TestBackAtASharedRedirectURL: an old page that posts its response again is no error in a browser that
// is signed in, also where the address names no tenant.
func TestBackAtASharedRedirectURL(t *testing.T) {
	s := newAsking(t)
	b := newTabbed(t, s.login)
	r := httptest.NewRequest("GET", redirectURL+"?return_to=/jobs", nil)
	r.Host = "a.example.com"
	r.Header.Set("Sec-Fetch-Site", "none")
	tab := b.tab()
	tab.leaves(b.send(r))
	response := s.a.respond(samltest.Answer{RequestID: requestID(t, tab.at)})
	post := func() *httptest.ResponseRecorder {
		r := formRequest(url.Values{"SAMLResponse": {response}, "saml_leg": {"2"}}, "Sec-Fetch-Site", "same-origin")
		r.Host = sharedHost
		return b.send(r)
	}
	if w := post(); w.Code != http.StatusSeeOther {
		t.Fatalf("the sign-in: status %d, %s", w.Code, w.Body)
	}
	for name := range b.cookies {
		if len(name) == len("__Host-saml-abc") { // the binding has run out
			delete(b.cookies, name)
		}
	}
	if w := post(); w.Code != http.StatusSeeOther || where(w) != "/" {
		t.Errorf("once more: status %d to %q, %s", w.Code, where(w), w.Body)
	}
}

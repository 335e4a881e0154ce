package saml_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

const sharedLogoutURL = "https://console.example.com/saml/logout"

// newSharedLogoutURL is a service whose tenants share one Redirect URL, and one Logout URL, which is
// another address. Its people are asked for their e-mail address.
func newSharedLogoutURL(t *testing.T, policy saml.UnsolicitedPolicy) *tenants {
	t.Helper()
	key, err := sharedSigningKey()
	if err != nil {
		t.Fatal(err)
	}
	der := certificateFor(t, key)
	s := newTenants(t, func(c *saml.Config) {
		c.LogoutPath, c.SigningKey, c.SigningCertificate, c.Unsolicited = "/saml/logout", key, der, policy
	})
	domains, err := saml.NewDomains(saml.DomainClaim{Domain: "acme.example", Tenant: "a", Verified: true})
	if err != nil {
		t.Fatal(err)
	}
	s.serve(func(c *saml.HandlerConfig) {
		c.Observe, c.ChooseTenant = s.observe, domains.Tenant
		c.ByIssuer = func(_ context.Context, issuer string) (string, error) {
			return map[string]string{s.a.idp.EntityID(): "a", s.b.idp.EntityID(): "b"}[issuer], nil
		}
	})
	return s
}

// atLogoutURL sends a form or query to the shared Logout URL.
func atLogoutURL(b *tabbed, method, query, form string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, sharedLogoutURL+"?"+query, strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return b.send(r)
}

// TestSharedLogoutURLSignsNobodyIn: at a Logout URL that all tenants share, no sign-in begins or
// ends, neither for an issuer that a tenant has nor for another one: with HandlerConfig.LogoutPath
// at once, without it as soon as the tenant is known. One of the messages is a Response that is
// accepted at the Redirect URL.
func TestSharedLogoutURLSignsNobodyIn(t *testing.T) {
	t.Parallel()
	second := func(response string) string {
		return url.Values{"SAMLResponse": {response}, "saml_leg": {"2"}}.Encode()
	}
	unknown := func(x string) string {
		return strings.ReplaceAll(issuerOfResponse.ReplaceAllString(x, "$1"), ">https://sts.", ">https://other.")
	}
	for _, policy := range []saml.UnsolicitedPolicy{saml.RefuseUnsolicited, saml.RestartUnsolicited,
		saml.AllowUnsolicited} {
		s := newSharedLogoutURL(t, policy)
		for path, known := range map[string]bool{"": false, "/saml/logout": true} {
			s.serve(func(c *saml.HandlerConfig) { c.LogoutPath = path })
			b := newTabbed(t, s.login)
			tab := b.tab()
			tab.leaves(b.send(typed("ann@acme.example", "/jobs")))
			good := s.a.respond(samltest.Answer{RequestID: requestID(t, tab.at)})
			s.events = nil
			for name, row := range map[string]struct {
				method, query, form string
				atOnce              bool // refused only if the path is known
			}{
				"the answer to a login":      {"POST", "", second(good), false},
				"an unsolicited response":    {"POST", "", second(s.a.respond(samltest.Answer{})), false},
				"of an unknown issuer":       {"POST", "", second(s.a.respond(samltest.Answer{Edit: unknown})), false},
				"the answer to another one":  {"POST", "", second(s.a.respond(samltest.Answer{RequestID: "_x"})), false},
				"an address of a tenant":     {"POST", "", "saml_address=ann%40acme.example", false},
				"a form that begins a login": {"POST", "", "return_to=%2Fjobs", true},
				"opened by a person":         {"GET", "", "", true},
				"opened with return_to":      {"GET", "return_to=/jobs", "", true},
			} {
				w := atLogoutURL(b, row.method, row.query, row.form)
				refused := w.Code >= 400 && strings.Contains(w.Body.String(), "<code>") &&
					!strings.Contains(w.Body.String(), `type="email"`)
				if row.atOnce && !known {
					refused = asks(w) // which begins nothing: see the row with an address
				}
				if !refused || where(w) != "" || len(w.Result().Cookies()) > 0 {
					t.Errorf("LogoutPath %q, %v, %s: got status %d, %v, %s", path, policy, name, w.Code, w.Header(),
						w.Body)
				}
				if about := strings.Contains(w.Body.String(), "sign-out could not be checked"); known && !about {
					t.Errorf("%v, %s: the page is not about a sign-out: %s", policy, name, w.Body)
				}
			}
			for _, e := range s.events {
				if e.Kind == saml.LoginStarted || e.Kind == saml.LoginSucceeded {
					t.Errorf("LogoutPath %q, %v: got the event %s", path, policy, e.Kind)
				}
			}
			if w := tab.finish(good); w.Code != http.StatusSeeOther || s.userOf(b) != alice+" of a" {
				t.Errorf("LogoutPath %q, %v: at the Redirect URL the answer gets status %d, %s", path, policy, w.Code,
					w.Body)
			}
		}
	}
}

// TestLogoutPathOfTheHandler: what HandlerConfig.LogoutPath may be.
func TestLogoutPathOfTheHandler(t *testing.T) {
	t.Parallel()
	s := newTenants(t)
	domains, err := saml.NewDomains()
	if err != nil {
		t.Fatal(err)
	}
	for path, ok := range map[string]bool{"": true, "/saml/logout": true, "saml/logout": false, "//x.example/": false,
		"/saml/logout?a=b": false, saml.DefaultRedirectPath: false} {
		c := s.config
		c.LogoutPath, c.ChooseTenant = path, domains.Tenant
		if _, err := saml.NewHandler(c); (err == nil) != ok {
			t.Errorf("%q: got %v", path, err)
		}
	}
	c := saml.HandlerConfig{Provider: s.a.sp, Sessions: s.sessions, LogoutPath: "/saml/logout"}
	if _, err := saml.NewHandler(c); err == nil {
		t.Error("it is taken beside Provider")
	}
}

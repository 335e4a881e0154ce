package saml_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
	"github.com/iomete/saml/session"
)

// newTiles is a service whose tenants share one Redirect URL, and whose people start at their
// identity provider. asked has the issuers that ByIssuer was asked for.
func newTiles(t *testing.T, policy saml.UnsolicitedPolicy) (s *tenants, asked *[]string) {
	t.Helper()
	s, asked = newTenants(t, func(c *saml.Config) { c.Unsolicited = policy }), &[]string{}
	byIssuer := map[string]string{s.a.idp.EntityID(): "a", s.b.idp.EntityID(): "b"}
	s.serve(func(c *saml.HandlerConfig) {
		c.Observe = s.observe
		c.ByIssuer = func(_ context.Context, issuer string) (string, error) {
			*asked = append(*asked, issuer)
			return byIssuer[issuer], nil
		}
	})
	return s, asked
}

// tile posts a response as the page of an identity provider does, and then as our page does.
func tile(b *tabbed, response, relayState string) *httptest.ResponseRecorder {
	b.t.Helper()
	return b.send(formRequest(firstLeg(b, response, relayState), "Sec-Fetch-Site", "same-origin"))
}

// firstLeg returns what our page posts.
func firstLeg(b *tabbed, response, relayState string) url.Values {
	b.t.Helper()
	first := httptest.NewRecorder()
	b.login.ServeHTTP(first, formRequest(url.Values{"SAMLResponse": {response}, "RelayState": {relayState}},
		"Sec-Fetch-Site", "cross-site")) // without our cookies
	page, err := samltest.ReadForm(first.Result())
	if err != nil {
		b.t.Fatal(err)
	}
	if len(first.Result().Cookies()) > 0 {
		b.t.Errorf("the first leg sets cookies: %v", first.Result().Cookies())
	}
	return page.Values
}

// formRequest is a form that is posted to the Redirect URL, with pairs of header names and values.
func formRequest(values url.Values, header ...string) *http.Request {
	r := httptest.NewRequest("POST", redirectURL, strings.NewReader(values.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

var whoIsThere = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	found := session.FromContext(r.Context())
	fmt.Fprintf(w, "%s of %s", found.Identity.Email, found.Tenant)
})

// userOf returns the tenant and the name of the person whose session a browser has.
func (s *tenants) userOf(b *tabbed) string {
	s.Helper()
	r := httptest.NewRequest("GET", ownPage, nil)
	b.attach(r)
	w := httptest.NewRecorder()
	s.login.Require(whoIsThere).ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		return ""
	}
	return w.Body.String()
}

// TestTileAtASharedRedirectURL: only the Issuer of such a response names the tenant. Its people are
// signed in to it, at once or by a login of our own, and come to the page that the tile names.
func TestTileAtASharedRedirectURL(t *testing.T) {
	t.Parallel()
	policies := map[saml.UnsolicitedPolicy]string{saml.RestartUnsolicited: "restart", saml.AllowUnsolicited: "allow"}
	for policy, name := range policies {
		for tenant := range 2 {
			s, asked := newTiles(t, policy)
			h, want := []*house{s.a, s.b}[tenant], []string{"a", "b"}[tenant]
			b := newTabbed(t, s.login)
			page := "https://console.example.com/jobs?id=7"
			w := tile(b, h.respond(samltest.Answer{}), page)
			if policy == saml.RestartUnsolicited {
				tab := b.tab()
				if tab.leaves(w); !strings.HasPrefix(tab.at, h.idp.LoginURL()+"?") {
					t.Fatalf("%s, tenant %s: the login begins at %s", name, want, tab.at)
				}
				w = tab.finish(h.respond(samltest.Answer{RequestID: requestID(t, tab.at)}))
			}
			ended := map[saml.UnsolicitedPolicy]string{saml.RestartUnsolicited: "/jobs?id=7", saml.AllowUnsolicited: "/"}[policy]
			if got := where(w); w.Code != http.StatusSeeOther || got != ended {
				t.Errorf("%s, tenant %s: status %d to %q, want %q: %s", name, want, w.Code, got, ended, w.Body)
			}
			if got := s.userOf(b); got != alice+" of "+want {
				t.Errorf("%s: got the session of %q, want one of %s", name, got, want)
			}
			last := s.events[len(s.events)-1]
			if last.Kind != saml.LoginSucceeded || last.Login.Tenant != want || last.Tenant != want {
				t.Errorf("%s: the last event is %s of %q", name, last.Kind, last.Tenant)
			}
			if len(*asked) != 1 || (*asked)[0] != h.idp.EntityID() {
				t.Errorf("%s: ByIssuer was asked for %q", name, *asked)
			}
		}
	}
}

// TestRelayStateOfAnyHost: which host is ours is known with the tenant only. Until then our page
// passes on what may be an address of a page, and another host leads home in the end.
func TestRelayStateOfAnyHost(t *testing.T) {
	t.Parallel()
	for relay, row := range map[string]struct {
		passed bool
		want   string
	}{
		"/jobs?id=7":                              {true, "/jobs?id=7"},
		"https://console.example.com/#/sql/42":    {true, "/#/sql/42"},
		"https://evil.example/jobs":               {true, "/"},
		"https://console.example.com.evil.com/":   {true, "/"},
		"//evil.example/":                         {false, "/"},
		"javascript:alert(1)":                     {false, "/"},
		"https://console.example.com//evil.com/x": {false, "/"},
		`/\evil.example`:                          {false, "/"},
		"an opaque handle":                        {false, "/"},
		"%":                                       {false, "/"},
		"":                                        {false, "/"},
	} {
		s, _ := newTiles(t, saml.RestartUnsolicited)
		b := newTabbed(t, s.login)
		if passed := firstLeg(b, "PHg+", relay).Get("RelayState") != ""; passed != row.passed {
			t.Errorf("%q is passed on: %t, want %t", relay, passed, row.passed)
		}
		tab := b.tab()
		tab.leaves(tile(b, s.b.respond(samltest.Answer{}), relay))
		if got := where(tab.finish(s.b.respond(samltest.Answer{RequestID: requestID(t, tab.at)}))); got != row.want {
			t.Errorf("%q leads to %q, want %q", relay, got, row.want)
		}
	}
}

// issuerOfResponse is the first element of a Response.
var issuerOfResponse = regexp.MustCompile(`^(<[^>]*>)\s*<(\w+:)?Issuer[^>]*>[^<]*</(\w+:)?Issuer>`)

// TestByIssuer: who is asked for, and what an answer leads to. A refusal says what arrived in the log
// alone, and begins nothing.
func TestByIssuer(t *testing.T) {
	t.Parallel()
	s, _ := newTiles(t, saml.RestartUnsolicited)
	entityID := s.b.idp.EntityID()
	tenantID := s.b.idp.TenantID()
	withoutIssuer := func(x string) string { return issuerOfResponse.ReplaceAllString(x, "$1") }
	encrypted := samltest.Answer{Edit: withoutIssuer,
		Encrypt: &samltest.Encryption{Certificates: s.a.idp.Certificates()[:1]}}
	twin := newProvider(t, s.a.idp, func(c *saml.Config) { c.Tenant = "c" })
	down := errors.New("the database does not answer")
	answers := func(tenant string, err error) func(string) (string, error) {
		return func(string) (string, error) { return tenant, err }
	}
	known := func(issuer string) (string, error) {
		if issuer == entityID {
			return "b", nil
		}
		return "", nil
	}
	var none *saml.Error
	const unknown = saml.CodeResponseIssuer
	for _, row := range []struct {
		name   string
		answer samltest.Answer
		reply  func(issuer string) (string, error)
		asked  string // "" if it is not asked
		status int
		code   saml.Code // "" if a login begins
		says   string    // in what an operator reads
	}{
		{"known", samltest.Answer{}, known, entityID, 303, "", ""},
		{"known, white space around it", samltest.Answer{Issuer: "\n  " + entityID + "\n"}, known, entityID, 303, "", ""},
		{"known, named by the assertion alone", samltest.Answer{Edit: withoutIssuer}, known, entityID, 303, "", ""},
		{"known, with an error and no assertion", samltest.Answer{Status: statusPrefix + "Responder"},
			known, entityID, 303, "", ""},
		{"a nil *Error is no error", samltest.Answer{}, answers("b", none), entityID, 303, "", ""},

		{"another identity provider", samltest.Answer{Issuer: "https://idp.example.com/"},
			known, "https://idp.example.com/", 403, unknown, `got="\"https://idp.example.com/\""`},
		{"without the slash at its end", samltest.Answer{Issuer: strings.TrimSuffix(entityID, "/")},
			known, strings.TrimSuffix(entityID, "/"), 403, unknown, "a slash at its end counts"},
		{"in upper case", samltest.Answer{Issuer: strings.ToUpper(entityID)},
			known, strings.ToUpper(entityID), 403, unknown, "character by character"},
		{"with an application ID", samltest.Answer{Issuer: entityID + tenantID},
			known, entityID + tenantID, 403, unknown, "Append application ID to issuer"},
		{"ErrNotConfigured", samltest.Answer{},
			answers("", fmt.Errorf("no row: %w", saml.ErrNotConfigured)), entityID, 403, unknown, entityID},
		{"longer than an entity ID can be", samltest.Answer{Issuer: "https://" + strings.Repeat("i", 1024)},
			known, "", 403, unknown, "iii"},
		{"empty", samltest.Answer{Issuer: " "}, known, "", 403, unknown, "does not say who sent it"},
		{"in what is encrypted", encrypted, known, "", 403, unknown, "into the Issuer of the Response"},

		{"of several tenants", samltest.Answer{}, answers("b", fmt.Errorf("two rows: %w", saml.CodeSharedIssuer)),
			entityID, 403, saml.CodeSharedIssuer, "Redirect URL of its own"},
		{"of several, as CheckTenants says it", samltest.Answer{}, answers("", saml.CheckTenants(s.a.sp, twin)),
			entityID, 403, saml.CodeSharedIssuer, entityID},
		{"nobody knows", samltest.Answer{}, answers("b", down),
			entityID, 503, saml.CodeIdentityProvider, "HandlerConfig.ByIssuer failed"},
		{"a tenant that is not there", samltest.Answer{},
			answers("nobody", nil), entityID, 404, saml.CodeNotConfigured, ""},
		{"a tenant without single sign-on", samltest.Answer{},
			answers("c", nil), entityID, 404, saml.CodeNotConfigured, ""},
		{"a tenant with another identity provider", samltest.Answer{},
			answers("a", nil), entityID, 500, saml.CodeConfig, "want=\"\\\"" + s.a.idp.EntityID()},
		{"one that compares without the slash", samltest.Answer{Issuer: strings.TrimSuffix(entityID, "/")},
			answers("b", nil), strings.TrimSuffix(entityID, "/"), 500, saml.CodeConfig, "byte for byte"},
		{"one that compares tenant IDs", samltest.Answer{Issuer: entityID + tenantID},
			answers("b", nil), entityID + tenantID, 500, saml.CodeConfig, "Append application ID to issuer"},
	} {
		var log strings.Builder
		asked := []string{}
		s.events = nil
		s.serve(func(c *saml.HandlerConfig) {
			c.Logger = slog.New(slog.NewTextHandler(&log, nil))
			c.ByIssuer = func(_ context.Context, issuer string) (string, error) {
				asked = append(asked, issuer)
				return row.reply(issuer)
			}
		})
		w := s.finish(sharedHost, s.b.respond(row.answer))
		if strings.Join(asked, " ") != row.asked {
			t.Errorf("%s: asked for %q, want %q", row.name, asked, row.asked)
		}
		if row.code == "" {
			if to := w.Header().Get("Location"); w.Code != row.status || !strings.HasPrefix(to, s.b.idp.LoginURL()+"?") {
				t.Errorf("%s: status %d to %q, %s", row.name, w.Code, to, w.Body)
			}
			continue
		}
		s.wantCode(row.name, w, row.status, row.code)
		if body := w.Body.String(); strings.Contains(body, tenantID) || strings.Contains(body, "idp.example.com") {
			t.Errorf("%s: the page shows something of the message: %s", row.name, body)
		}
		if !strings.Contains(log.String(), row.says) || len(s.events) != 1 || s.events[0].Tenant != "" ||
			(row.status == 503) != (w.Header().Get("Retry-After") != "") {
			t.Errorf("%s: %d events, header %v, the log says %s", row.name, len(s.events), w.Header(), log.String())
		}
	}
}

// TestIssuerOfSeveralTenants: one that anybody can enter must not shut out the people whose it is, so
// they can say who they are.
func TestIssuerOfSeveralTenants(t *testing.T) {
	t.Parallel()
	s := newAsking(t, func(c *saml.Config) { c.Unsolicited = saml.AllowUnsolicited })
	s.serve(func(c *saml.HandlerConfig) {
		c.ByIssuer = func(context.Context, string) (string, error) { return "", saml.CodeSharedIssuer }
	})
	b := newTabbed(t, s.login)
	w := tile(b, s.a.respond(samltest.Answer{}), "/jobs")
	form, err := samltest.ReadForm(w.Result())
	if err != nil {
		t.Fatal(err)
	}
	if w.Code != http.StatusForbidden || len(b.cookies) > 0 || form.Values.Get("return_to") != "/jobs" ||
		!strings.Contains(w.Body.String(), "<code>shared_issuer</code>") || len(s.events) != 1 ||
		s.events[0].Err.Code != saml.CodeSharedIssuer || !strings.Contains(s.events[0].Err.Got, s.a.idp.EntityID()) {
		t.Errorf("status %d, cookies %v, events %v: %s", w.Code, b.cookies, s.events, w.Body)
	}
	form.Values.Set("saml_address", "ann@acme.example")
	tab := b.tab()
	tab.leaves(b.send(formRequest(form.Values, "Sec-Fetch-Site", "same-origin")))
	if w := tab.finish(s.a.respond(samltest.Answer{RequestID: requestID(t, tab.at)})); where(w) != "/jobs" {
		t.Errorf("ends at %q: %s", where(w), w.Body)
	}
	if w := tile(b, s.b.respond(samltest.Answer{}), ""); w.Header().Get("Location") != "/" {
		t.Errorf("who is signed in gets status %d, %s", w.Code, w.Body)
	}
	if got := s.userOf(b); got != alice+" of a" {
		t.Errorf("got the session of %q", got)
	}
}

// TestIssuerChoosesKeysAlone: a message may name any issuer, and must then pass the checks of the
// tenant that has it. Nobody is signed in to another one.
func TestIssuerChoosesKeysAlone(t *testing.T) {
	t.Parallel()
	s, asked := newTiles(t, saml.AllowUnsolicited)
	a, b := s.a.idp.EntityID(), s.b.idp.EntityID()
	root := func(issuer string) func(string) string {
		return func(x string) string { return strings.Replace(x, ">"+a+"<", ">"+issuer+"<", 1) } // the first one
	}
	for _, row := range []struct {
		name   string
		from   *house
		answer samltest.Answer
		code   saml.Code
	}{
		{"a's identity provider under b's name", s.a, samltest.Answer{Issuer: b}, saml.CodeSignature},
		{"b's under a's name", s.b, samltest.Answer{Issuer: a}, saml.CodeSignature},
		{"a's, with b's name on the Response", s.a,
			samltest.Answer{Edit: root(b), Sign: samltest.SignAssertion}, saml.CodeSignature},
		{"a's, with b's name on the Response, signed", s.a,
			samltest.Answer{Edit: root(b), Sign: samltest.SignResponse}, saml.CodeSignature},
		{"a's, with b's name in the assertion", s.a, samltest.Answer{Edit: func(x string) string {
			at := strings.Index(x, "<Assertion ")
			return x[:at] + root(b)(x[at:])
		}}, saml.CodeAssertionIssuer},
		{"b's, for another audience", s.b, samltest.Answer{Audience: "https://other.example.com"}, saml.CodeAudience},
		{"not signed", s.b, samltest.Answer{Sign: samltest.SignNothing}, saml.CodeUnsigned},
	} {
		s.wantCode(row.name, s.finish(sharedHost, row.from.respond(row.answer)), http.StatusForbidden, row.code)
	}

	// An administrator of b who enters a's name has b's keys: a's people do not pass, and b's own
	// messages under that name are b's.
	stolen, err := saml.ParseKeys(s.b.idp.CertificatePEM())
	if err != nil {
		t.Fatal(err)
	}
	idp, err := saml.NewIdentityProvider(a, "https://idp.example.com/login", stolen...)
	if err != nil {
		t.Fatal(err)
	}
	s.b.sp = newProvider(t, s.b.idp, func(c *saml.Config) {
		c.Tenant, c.IdentityProvider, c.Unsolicited = "b", idp, saml.AllowUnsolicited
		c.StateKeys = [][]byte{saml.NewStateKey()}
	})
	s.serve(func(c *saml.HandlerConfig) {
		c.ByIssuer = func(context.Context, string) (string, error) { return "b", nil }
	})
	s.wantCode("a's people, with b's claim to a's name", s.finish(sharedHost, s.a.respond(samltest.Answer{})),
		http.StatusForbidden, saml.CodeSignature)
	s.events = nil
	if w := s.finish(sharedHost, s.b.respond(samltest.Answer{Issuer: a})); w.Code != http.StatusSeeOther ||
		len(s.events) != 0 && s.events[0].Login.Tenant != "b" {
		t.Errorf("b's message: status %d, %s", w.Code, w.Body)
	}
	if len(*asked) != 7 {
		t.Errorf("ByIssuer was asked %d times", len(*asked))
	}
}

// TestPendingLoginDecidesAlone: the tenant of a login that we began is in what the browser has. What
// answers it may name any issuer, and nobody is asked about that one.
func TestPendingLoginDecidesAlone(t *testing.T) {
	t.Parallel()
	s, asked := newTiles(t, saml.AllowUnsolicited)
	for name, row := range map[string]struct {
		from   *house
		issuer string
		code   saml.Code
	}{
		"b's identity provider":                 {s.b, "", saml.CodeResponseIssuer},
		"b's identity provider, under a's name": {s.b, s.a.idp.EntityID(), saml.CodeSignature},
		"a's identity provider, under b's name": {s.a, s.b.idp.EntityID(), saml.CodeResponseIssuer},
	} {
		state, id := s.begin("a.example.com")
		w := s.finish(sharedHost, row.from.respond(samltest.Answer{RequestID: id, Issuer: row.issuer}), state)
		s.wantCode(name, w, http.StatusForbidden, row.code)
	}
	if len(*asked) > 0 {
		t.Errorf("ByIssuer was asked for %q", *asked)
	}
}

// TestAddressThatNamesATenant: its tenant counts, and the issuer of a message does not lead to
// another one.
func TestAddressThatNamesATenant(t *testing.T) {
	t.Parallel()
	s, asked := newTiles(t, saml.AllowUnsolicited)
	s.wantCode("b's message at a's address", s.finish("a.example.com", s.b.respond(samltest.Answer{})),
		http.StatusForbidden, saml.CodeResponseIssuer)
	s.wantCode("b's message at the address of a tenant without single sign-on",
		s.finish("c.example.com", s.b.respond(samltest.Answer{})), http.StatusNotFound, saml.CodeNotConfigured)
	if len(*asked) > 0 {
		t.Errorf("ByIssuer was asked for %q", *asked)
	}
	s.serve(func(c *saml.HandlerConfig) { c.ByIssuer = nil })
	s.events = nil
	s.wantCode("without ByIssuer", s.finish(sharedHost, s.b.respond(samltest.Answer{})),
		http.StatusNotFound, saml.CodeNotConfigured)
	if len(s.events) != 1 || !strings.Contains(s.events[0].Err.Hint, "HandlerConfig.ByIssuer") {
		t.Errorf("without ByIssuer: got %v", s.events)
	}
}

// TestTileKeepsTheSessionOfAnotherTenant: whoever can make a browser post a response could otherwise
// put somebody into another tenant without their noticing it.
func TestTileKeepsTheSessionOfAnotherTenant(t *testing.T) {
	t.Parallel()
	for _, policy := range []saml.UnsolicitedPolicy{saml.RestartUnsolicited, saml.AllowUnsolicited} {
		s, _ := newTiles(t, policy)
		b := newTabbed(t, s.login)
		signIn := func(h *house) *httptest.ResponseRecorder {
			w := tile(b, h.respond(samltest.Answer{}), "")
			if policy == saml.RestartUnsolicited && w.Header().Get("Location") != "/" {
				tab := b.tab()
				tab.leaves(w)
				w = tab.finish(h.respond(samltest.Answer{RequestID: requestID(t, tab.at)}))
			}
			return w
		}
		signIn(s.a)
		if w := signIn(s.b); w.Header().Get("Location") != "/" || len(w.Result().Cookies()) > 0 {
			t.Errorf("policy %d: status %d to %q, cookies %v", policy, w.Code, w.Header().Get("Location"), w.Result().Cookies())
		}
		if got := s.userOf(b); got != alice+" of a" {
			t.Errorf("policy %d: the browser has the session of %q", policy, got)
		}
	}
}

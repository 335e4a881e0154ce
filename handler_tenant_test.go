package saml_test

import (
	"context"
	"errors"
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

// tenants is a service with two tenants, "a" and "b", each with an identity provider, whose Resolve
// does what its documentation says: the host names the tenant, shared.example.com and others name
// none.
type tenants struct {
	*testing.T
	a, b     *house
	sessions *session.Manager
	config   saml.HandlerConfig
	login    *saml.Handler
	broken   error // of Resolve
	trials   map[string]*saml.ServiceProvider
	events   []saml.Event
}

func newTenants(t *testing.T, changes ...func(*saml.Config)) *tenants {
	t.Helper()
	s := &tenants{T: t, trials: map[string]*saml.ServiceProvider{}}
	keys, store := [][]byte{saml.NewStateKey()}, saml.NewMemoryStore()
	change := func(tenant string) func(*saml.Config) {
		return func(c *saml.Config) {
			c.Tenant, c.StateKeys, c.Store = tenant, keys, store
			c.Observe = s.observe
			for _, change := range changes {
				change(c)
			}
		}
	}
	s.a = newHouse(t, change("a"))
	other := samltest.MustNew(t, samltest.Options{})
	s.b = &house{t, other, newProvider(t, other, change("b"))}
	var err error
	if s.sessions, err = session.New(session.Config{Keys: keys}); err != nil {
		t.Fatal(err)
	}
	s.config = saml.HandlerConfig{Sessions: s.sessions, Logger: slog.New(slog.DiscardHandler),
		Resolve: func(r *http.Request, tenant string) (*saml.ServiceProvider, error) {
			if s.broken != nil {
				return nil, s.broken
			}
			if tenant == "" {
				tenant, _, _ = strings.Cut(r.Host, ".")
			}
			switch tenant {
			case "a":
				return s.a.sp, nil
			case "b":
				return s.b.sp, nil
			}
			if sp := s.trials[tenant]; sp != nil {
				return sp, nil
			}
			if tenant == "c" {
				return nil, saml.ErrNotEnabled
			}
			return nil, saml.ErrNotConfigured
		}}
	s.serve(func(*saml.HandlerConfig) {})
	return s
}

func (s *tenants) observe(_ context.Context, e saml.Event) { s.events = append(s.events, e) }

// serve makes the Handler with other settings.
func (s *tenants) serve(change func(*saml.HandlerConfig)) {
	s.Helper()
	change(&s.config)
	var err error
	if s.login, err = saml.NewHandler(s.config); err != nil {
		s.Fatal(err)
	}
}

// begin begins a login at a host.
func (s *tenants) begin(host string) (state *http.Cookie, requestedID string) {
	s.Helper()
	r, w := httptest.NewRequest("GET", redirectURL, nil), httptest.NewRecorder()
	r.Host = host
	s.login.ServeHTTP(w, r)
	return w.Result().Cookies()[0], requestID(s.T, w.Result().Header.Get("Location"))
}

// finish posts a response at a host, as our own page does.
func (s *tenants) finish(host, response string, cookies ...*http.Cookie) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", redirectURL,
		strings.NewReader(url.Values{"SAMLResponse": {response}, "saml_leg": {"2"}}.Encode()))
	r.Host = host
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, c := range cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	s.login.ServeHTTP(w, r)
	return w
}

func (s *tenants) wantCode(name string, w *httptest.ResponseRecorder, status int, code saml.Code) {
	s.Helper()
	if w.Code != status || !strings.Contains(w.Body.String(), "<code>"+string(code)+"</code>") ||
		len(w.Result().Cookies()) > 0 {
		s.Errorf("%s: got status %d, %s, want %d with %s", name, w.Code, w.Body, status, string(code))
	}
}

const sharedHost = "shared.example.com"

// TestLoginAtAnotherTenantsHost: what one tenant's browser began ends at that tenant's host or at
// one that names no tenant, and at no other's.
func TestLoginAtAnotherTenantsHost(t *testing.T) {
	s := newTenants(t)
	for _, host := range []string{"a.example.com", sharedHost} {
		state, id := s.begin("a.example.com")
		if w := s.finish(host, s.a.respond(samltest.Answer{RequestID: id}), state); w.Code != http.StatusSeeOther {
			t.Errorf("a's login at %s: status %d, %s", host, w.Code, w.Body)
		}
	}
	state, id := s.begin("a.example.com")
	s.wantCode("a's login at the host of a tenant without single sign-on",
		s.finish("c.example.com", s.a.respond(samltest.Answer{RequestID: id}),
			state), http.StatusForbidden, saml.CodeStateInvalid)
	s.wantCode("a's login at b's host", s.finish("b.example.com", s.a.respond(samltest.Answer{RequestID: id}), state),
		http.StatusForbidden, saml.CodeStateInvalid)
}

// TestSessionAtAnotherTenantsHost: a session of one tenant, its cookie copied to the host of
// another, opens no page there.
func TestSessionAtAnotherTenantsHost(t *testing.T) {
	s := newTenants(t)
	state, id := s.begin("a.example.com")
	cookies := s.finish("a.example.com", s.a.respond(samltest.Answer{RequestID: id}), state).Result().Cookies()
	page := s.login.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-User", session.FromContext(r.Context()).Tenant)
	}))
	open := func(host string) *httptest.ResponseRecorder {
		r, w := httptest.NewRequest("GET", "https://"+host+"/", nil), httptest.NewRecorder()
		r.Header.Set("Sec-Fetch-Mode", "navigate")
		for _, c := range cookies {
			if c.MaxAge >= 0 {
				r.AddCookie(c)
			}
		}
		page.ServeHTTP(w, r)
		return w
	}
	for _, host := range []string{"a.example.com", sharedHost} {
		if w := open(host); w.Header().Get("X-User") != "a" {
			t.Errorf("at %s: status %d", host, w.Code)
		}
	}
	if w := open("b.example.com"); w.Header().Get("X-User") != "" || w.Code != http.StatusSeeOther {
		t.Errorf("at b's host: status %d, user of %q", w.Code, w.Header().Get("X-User"))
	}
	if w := open("c.example.com"); w.Header().Get("X-User") != "" || w.Code != http.StatusNotFound {
		t.Errorf("at the host of a tenant without single sign-on: status %d, user of %q", w.Code,
			w.Header().Get("X-User"))
	}
	s.broken = errors.New("the database does not answer")
	if w := open("a.example.com"); w.Header().Get("X-User") != "" || w.Code != http.StatusServiceUnavailable {
		t.Errorf("where nobody can tell: status %d", w.Code)
	}
}

// TestUnknownTenantLooksLikeAKnownOne: a cookie can name any tenant. Whether there is such a one,
// the answer does not tell, and no tenant's events hold what a stranger posted under its name.
func TestUnknownTenantLooksLikeAKnownOne(t *testing.T) {
	s := newTenants(t)
	random := regexp.MustCompile(`nonce(="|-)[A-Z0-9]+|reference <code>[A-Z0-9]+`)
	for _, host := range []string{sharedHost, "a.example.com"} {
		answers := map[string]string{}
		// base64url of "b" and "nobody"
		for name, tenant := range map[string]string{"known": "Yg", "unknown": "bm9ib2R5"} {
			state, id := s.begin("a.example.com")
			secret, _, _ := strings.Cut(state.Value, ".")
			state.Value = secret + "." + tenant
			s.events = nil
			w := s.finish(host, s.a.respond(samltest.Answer{RequestID: id}), state)
			s.wantCode(name, w, http.StatusForbidden, saml.CodeStateInvalid)
			answers[name] = random.ReplaceAllString(strings.Join([]string{w.Header().Get("Content-Security-Policy"),
				w.Body.String()}, "\n"), "")
			for _, e := range s.events {
				if e.Tenant == "b" || host == sharedHost {
					t.Errorf("%s at %s: an event of tenant %q", name, host, e.Tenant)
				}
			}
		}
		if answers["known"] != answers["unknown"] {
			t.Errorf("at %s a known tenant gets\n%s\nand an unknown one\n%s", host, answers["known"],
				answers["unknown"])
		}
	}
}

// TestResolveThatFails: any error but ErrNotConfigured means that nobody can tell now.
func TestResolveThatFails(t *testing.T) {
	s := newTenants(t)
	state, id := s.begin("a.example.com")
	response := s.a.respond(samltest.Answer{RequestID: id})
	s.broken = errors.New("the database does not answer")
	w := s.finish("a.example.com", response, state)
	s.wantCode("a response", w, http.StatusServiceUnavailable, saml.CodeIdentityProvider)
	if w.Header().Get("Retry-After") == "" {
		t.Error("there is no Retry-After")
	}
	if _, err := s.login.Provider(httptest.NewRequest("GET", redirectURL, nil), "a"); !errors.Is(err,
		saml.CodeIdentityProvider) {
		t.Errorf("Provider: got %v", err)
	}
	s.broken = &saml.Error{Code: saml.CodeMetadataKeys, Message: "the settings are broken"} // as of saml.New
	s.wantCode("with an error of this library", s.finish("a.example.com", response, state),
		http.StatusServiceUnavailable, saml.CodeIdentityProvider)
	s.broken = nil
	if w := s.finish("a.example.com", response, state); w.Code != http.StatusSeeOther {
		t.Errorf("the same response a moment later: status %d, %s", w.Code, w.Body)
	}
}

// TestRefusalAtASharedAddress: its button does not lead to a page that cannot tell whose login to
// begin.
func TestRefusalAtASharedAddress(t *testing.T) {
	s := newTenants(t)
	state, id := s.begin("a.example.com")
	bad := s.a.respond(samltest.Answer{RequestID: id, Audience: "https://other.example.com"})
	for host, link := range map[string]string{sharedHost: `<a href="/">`, "a.example.com": `<a href="` + redirectURL +
		`">`} {
		if w := s.finish(host, bad, state); !strings.Contains(w.Body.String(), link) {
			t.Errorf("at %s: got %s, want %s", host, w.Body, link)
		}
	}
}

// TestResolveThatMixesTenants: a Resolve that returns another tenant's provider than the one that
// it was asked for signs nobody in.
func TestResolveThatMixesTenants(t *testing.T) {
	s := newTenants(t)
	login, err := saml.NewHandler(saml.HandlerConfig{Sessions: s.sessions,
		Resolve: func(_ *http.Request, tenant string) (*saml.ServiceProvider, error) {
			if tenant == "" {
				return nil, saml.ErrNotConfigured
			}
			return s.a.sp, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	if sp, err := login.Provider(httptest.NewRequest("GET", redirectURL, nil), "b"); !errors.Is(err,
		saml.CodeTenant) || sp != nil {
		t.Errorf("got %v, %v", sp, err)
	}
}

// TestTrial: a login of settings on trial comes back to an address that names the settings in use.
func TestTrial(t *testing.T) {
	s := newTenants(t)
	trial := func(isTrial bool) *saml.ServiceProvider {
		return newProvider(t, s.b.idp, func(c *saml.Config) { c.Tenant, c.Trial = "test/1", isTrial })
	}
	for policy, ok := range map[saml.UnsolicitedPolicy]bool{saml.RefuseUnsolicited: true,
		saml.RestartUnsolicited: false, saml.AllowUnsolicited: false} {
		idp, err := trial(true).IdentityProvider(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		config := saml.Config{BaseURL: "https://console.example.com", IdentityProvider: idp,
			StateKeys: [][]byte{saml.NewStateKey()}, Trial: true, Unsolicited: policy}
		if _, err := saml.New(config); (err == nil) != ok || err != nil && !errors.Is(err, saml.CodeConfig) {
			t.Errorf("unsolicited policy %d on trial: got %v", policy, err)
		}
	}
	var finished *saml.Login
	s.login, _ = saml.NewHandler(saml.HandlerConfig{Sessions: recordSessions{&finished},
		Resolve: func(_ *http.Request, tenant string) (*saml.ServiceProvider, error) {
			if tenant == "" {
				return s.a.sp, nil
			}
			return s.trials[tenant], nil
		}})
	for _, isTrial := range []bool{true, false} {
		sp := trial(isTrial)
		s.trials["test/1"], finished = sp, nil
		r, w := httptest.NewRequest("POST", redirectURL, nil), httptest.NewRecorder()
		s.login.StartLogin(w, r, sp, saml.LoginOptions{Purpose: "test"})
		state, id := w.Result().Cookies()[0], requestID(t, w.Result().Header.Get("Location"))
		w = s.finish("a.example.com", s.b.respond(samltest.Answer{RequestID: id}), state)
		if got := w.Code == http.StatusSeeOther && finished != nil && finished.Purpose == "test"; got != isTrial {
			t.Errorf("Trial %t: status %d, %+v", isTrial, w.Code, finished)
		}
	}
	s.trials["test/1"] = trial(true)
	if sp, err := s.login.Provider(httptest.NewRequest("GET", redirectURL, nil), "test/1"); !errors.Is(err,
		saml.CodeTenant) {
		t.Errorf("a session on trial: got %v, %v", sp, err)
	}
	if _, err := trial(true).StartLogin(t.Context(), saml.LoginOptions{}); !errors.Is(err, saml.CodeConfig) {
		t.Errorf("a login on trial without a purpose: got %v", err)
	}
}

// recordSessions notes the login that was finished.
type recordSessions struct{ login **saml.Login }

func (s recordSessions) SignIn(_ http.ResponseWriter, _ *http.Request, login *saml.Login) error {
	*s.login = login
	return nil
}
func (recordSessions) SignedIn(*http.Request) bool { return false }
func (recordSessions) Authenticate(http.ResponseWriter, *http.Request) (*http.Request, error) {
	return nil, nil
}

package saml

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

// newSharedLogout is a service whose tenants a and b share one address. Each has an identity provider
// of its own, whose entity ID is the name of its key, but for those in issuers.
func newSharedLogout(t *testing.T, issuers map[string]string, change func(*HandlerConfig)) *logoutSite {
	t.Helper()
	l := &logoutSite{t: t}
	tenants := map[string]*ServiceProvider{}
	for tenant, key := range map[string]string{"a": "test-idp-a", "b": "test-idp-b"} {
		s := newSampleLogout()
		s.keys = []string{key}
		if s.idp = issuers[tenant]; s.idp == "" {
			s.idp = key
		}
		s.config = func(_ testing.TB, c *Config) { c.Tenant = tenant }
		tenants[tenant] = l.provider(s)
	}
	site := newLogoutSite(t, newSampleLogout(), func(c *HandlerConfig) {
		c.Provider, c.EndSessions, c.Observe = nil, l.endSessions, l.observe
		c.Resolve = func(r *http.Request, tenant string) (*ServiceProvider, error) {
			if tenant == "" {
				tenant, _, _ = strings.Cut(r.Host, ".")
			}
			switch sp := tenants[tenant]; {
			case tenant == "off":
				return nil, ErrNotEnabled
			case sp == nil:
				return nil, ErrNotConfigured
			default:
				return sp, nil
			}
		}
		c.ByIssuer = func(_ context.Context, issuer string) (string, error) {
			switch issuer {
			case "test-idp-a":
				return "a", nil
			case "test-idp-b":
				return "b", nil
			case "shared":
				return "", sharedIssuer(issuer)
			case "down":
				return "", errors.New("down")
			}
			return "", nil
		}
		if change != nil {
			change(c)
		}
	})
	l.handler, l.server = site.handler, site.server
	return l
}

// TestWhoseLogout: the address says whose keys are tried, or else the issuer; and only the tenant whose
// key signed loses sessions, whatever names the identity provider of another one writes.
func TestWhoseLogout(t *testing.T) {
	t.Parallel()
	longIssuer := strings.Repeat("x", maxEntityID+1)
	for name, row := range map[string]struct {
		host, issuer, signer string
		ended                string // tenant
		code                 Code
	}{
		"a, at an address for all":             {"all", "test-idp-a", "test-idp-a", "a", ""},
		"b, at an address for all":             {"all", "test-idp-b", "test-idp-b", "b", ""},
		"a, at its own address":                {"a", "test-idp-a", "test-idp-a", "a", ""},
		"b says that it is a":                  {"all", "test-idp-a", "test-idp-b", "", CodeSignature},
		"a says that it is b":                  {"all", "test-idp-b", "test-idp-a", "", CodeSignature},
		"b, at the address of a":               {"a", "test-idp-b", "test-idp-b", "", CodeResponseIssuer},
		"b says that it is a, at a's address":  {"a", "test-idp-a", "test-idp-b", "", CodeSignature},
		"an issuer that nobody has":            {"all", "test-idp-c", "test-idp-a", "", CodeResponseIssuer},
		"no issuer":                            {"all", "", "test-idp-a", "", CodeResponseIssuer},
		"an issuer of several tenants":         {"all", "shared", "test-idp-a", "", CodeSharedIssuer},
		"an issuer that cannot be looked up":   {"all", "down", "test-idp-a", "", CodeIdentityProvider},
		"an issuer that is too long":           {"all", longIssuer, "test-idp-a", "", CodeResponseIssuer},
		"a stranger":                           {"all", "test-idp-a", "test-attacker", "", CodeSignature},
		"nobody":                               {"all", "test-idp-a", "", "", CodeLogoutUnsigned},
		"a tenant that has not enabled logins": {"off", "test-idp-a", "test-idp-a", "", CodeForm},
	} {
		for binding, by := range logoutSenders {
			l := newSharedLogout(t, nil, nil)
			s := newSampleLogout()
			by(s)
			s.issuer, s.signer = "", row.signer
			if row.issuer != "" {
				s.issuer = "<saml:Issuer> " + row.issuer + "\n</saml:Issuer>"
			}
			r := l.request(s)
			r.Host = row.host + ".example.com"
			a := l.do(r)
			if row.code != "" {
				l.wantEnded(name)
				if len(l.events) != 1 || !errors.Is(l.events[0].Err, row.code) || a.Header.Get("Location") != "" {
					t.Errorf("%s by %s: got %+v, %d %s", name, binding, l.events, a.StatusCode, a.body)
				}
				continue
			}
			if len(l.ended) != 1 || l.ended[0].Tenant != row.ended || l.ended[0].Issuer != row.issuer ||
				l.ended[0].EntityID != "https://console.example.com"+DefaultRedirectPath {
				t.Errorf("%s by %s: ended %+v, %d %s", name, binding, l.ended, a.StatusCode, a.body)
			}
			a.wantResponse(t, name, s, statusSuccess)
		}
	}
}

// TestSharedIssuerReachesOne: two tenants have one issuer with keys of their own. Whichever of them
// ByIssuer names, only the one whose key signed loses a session.
func TestSharedIssuerReachesOne(t *testing.T) {
	t.Parallel()
	const issuer = "https://idp.example.com/shared"
	for _, named := range []string{"a", "b"} {
		l := newSharedLogout(t, map[string]string{"a": issuer, "b": issuer}, func(c *HandlerConfig) {
			c.ByIssuer = func(context.Context, string) (string, error) { return named, nil }
		})
		for tenant, key := range map[string]string{"a": "test-idp-a", "b": "test-idp-b"} {
			for _, host := range []string{"all", "a", "b"} {
				s := newSampleLogout()
				s.issuer, s.signer = "<saml:Issuer>"+issuer+"</saml:Issuer>", key
				s.attributes["ID"] = "_" + host // not a repetition
				r := l.request(s)
				r.Host = host + ".example.com"
				l.do(r)
				if reached := len(l.ended) > 0; reached && l.ended[0].Tenant != tenant ||
					reached != (host == tenant || host == "all" && named == tenant) {
					t.Errorf("signed by %s at %s, with ByIssuer for %s: ended %+v", tenant, host, named, l.ended)
				}
				l.ended = nil
			}
		}
	}
}

// TestLogoutWithoutByIssuer: an address for all tenants needs ByIssuer, and the refusal says so.
func TestLogoutWithoutByIssuer(t *testing.T) {
	t.Parallel()
	l := newSharedLogout(t, nil, func(c *HandlerConfig) { c.ByIssuer = nil })
	s := newSampleLogout()
	r := l.request(s)
	r.Host = "all.example.com"
	a := l.do(r)
	a.wantRefusedBy(t, "without ByIssuer", s, http.StatusBadRequest, CodeNotConfigured)
	if !strings.Contains(l.events[0].Err.Hint, "HandlerConfig.ByIssuer") || a.frames() != "'none'" {
		t.Errorf("got %+v, framed by %q", l.events, a.frames())
	}
}

// TestTenantWithoutLogout: the issuer can lead to a tenant whose settings have no logout.
func TestTenantWithoutLogout(t *testing.T) {
	t.Parallel()
	l := newSharedLogout(t, nil, nil)
	sp, err := l.handler.config.Resolve(&http.Request{}, "a")
	if err != nil {
		t.Fatal(err)
	}
	sp.config.LogoutPath = ""
	s := newSampleLogout()
	s.issuer = "<saml:Issuer>test-idp-a</saml:Issuer>"
	r := l.request(s)
	r.Host = "all.example.com"
	l.do(r).wantRefusedBy(t, "no logout", s, http.StatusBadRequest, CodeNotConfigured)
	l.wantEnded("no logout")
	if !strings.Contains(l.events[0].Err.Hint, "Config.LogoutPath") {
		t.Errorf("got the hint %q", l.events[0].Err.Hint)
	}
}

// TestSharedLogoutGoesOn: metadata that has run out begins no session, and still ends some: at the
// address of the tenant, and at one that all tenants share.
func TestSharedLogoutGoesOn(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"a", "all"} {
		l := newSharedLogout(t, nil, nil)
		sp, err := l.handler.config.Resolve(nil, "a")
		if err != nil {
			t.Fatal(err)
		}
		idp := *sp.config.IdentityProvider.(*IdentityProvider)
		idp.validUntil = sp.config.Now().Add(-time.Hour)
		sp.config.IdentityProvider, sp.config.RefuseExpiredMetadata = &idp, true
		s := newSampleLogout()
		logoutSenders["post"](s)
		s.issuer, s.signer = "<saml:Issuer>test-idp-a</saml:Issuer>", "test-idp-a"
		r := l.request(s)
		r.Host = host + ".example.com"
		if l.do(r); len(l.ended) != 1 {
			t.Errorf("at %s: ended %v, events %v", host, l.ended, l.events)
		}
	}
}

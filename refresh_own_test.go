package saml_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// TestLookRefusesWhatNewRefuses: a document that New would refuse does not take sign-in away when
// it comes later. What is kept stays, an event says why, and people go on signing in.
func TestLookRefusesWhatNewRefuses(t *testing.T) {
	const former = "https://old.example.com/saml/acs"
	lenient := func(c *saml.MetadataSourceConfig) { c.InsecureAllowHTTP = true }
	plain := func(e *entity) { e.sso = "http://idp.example.test/" }
	for name, row := range map[string]struct {
		document func(*entity)
		source   func(*saml.MetadataSourceConfig)
		code     saml.Code
	}{
		"our Redirect URL as login URL":  {func(e *entity) { e.sso = redirectURL }, nil, saml.CodeMetadataLoginURL},
		"a former Redirect URL as login": {func(e *entity) { e.sso = former }, nil, saml.CodeMetadataLoginURL},
		"a login URL on http":            {plain, nil, saml.CodeMetadataLoginURL},
		"http, which the source allows":  {plain, lenient, saml.CodeMetadataLoginURL},
		"a login URL that is none":       {func(e *entity) { e.sso = "/sso" }, nil, saml.CodeMetadataLoginURL},
		"no usable key":                  {func(e *entity) { e.signing = []string{"weak"} }, nil, saml.CodeWeakKey},
		"our Redirect URL as entity ID":  {func(e *entity) { e.entityID = redirectURL }, nil, saml.CodeMetadataAggregate},
	} {
		t.Run(name, func(t *testing.T) {
			withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
				h.server.Serve([]byte(h.xml(with(nil))))
				s := h.source(row.source)
				provider := func() *saml.ServiceProvider {
					return h.provider(s, func(c *saml.Config) { c.FormerRedirectURLs = []string{former} })
				}
				sp := provider()
				h.told()
				h.server.Serve([]byte(h.xml(with(row.document))))
				h.next(s)
				events := h.told()
				if kinds(events) != "metadata_look_failed" || events[0].Err.Code != row.code || events[0].Err.Hint == "" {
					t.Errorf("events %q, %v", kinds(events), s.Status().Failure)
				}
				for when, sp := range map[string]*saml.ServiceProvider{"running": sp, "made for this request": provider()} {
					if err := h.login(sp, "a"); err != nil || sp.Health(t.Context()) != nil {
						t.Errorf("%s: %v, Health %v", when, err, sp.Health(t.Context()))
					}
				}
			})
		})
	}
}

// TestLookRefusesKeysOutsideTheirDates: with Config.RefuseExpiredCertificates nobody can sign in with
// such a document, so it does not replace one with which they can.
func TestLookRefusesKeysOutsideTheirDates(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		h.publish("a")
		strict, lenient := h.source(nil), h.source(nil)
		dates := func(c *saml.Config) { c.RefuseExpiredCertificates = true }
		sp := h.provider(strict, dates)
		h.provider(lenient, nil)
		h.publish("b-expired")
		h.next(strict)
		h.pass(10 * time.Minute) // both have looked
		if f := strict.Status().Failure; f == nil || f.Code != saml.CodeCertificateExpired {
			t.Errorf("the look says %v", f)
		}
		if err := h.login(sp, "a"); err != nil || sp.Health(t.Context()) != nil {
			t.Errorf("sign-in: %v, Health %v", err, sp.Health(t.Context()))
		}
		if got := h.trusts(lenient, nil); got != "b" {
			t.Errorf("if the dates do not count: trusts %q", got)
		}
	})
}

// TestFirstLookRefusesOurOwnAddress: a service provider that was made before the first document is
// asked about that one too. Without any, the source cannot know, and New says it.
func TestFirstLookRefusesOurOwnAddress(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		h.server.Fail(samltest.FaultStatus(http.StatusNotFound, ""))
		s := h.source(nil)
		sp := h.provider(s, nil)
		h.server.Fail(nil)
		h.server.Serve([]byte(h.xml(with(func(e *entity) { e.sso = redirectURL }))))
		h.next(s)
		if _, err := sp.StartLogin(t.Context(), saml.LoginOptions{}); !errors.Is(err, saml.CodeMetadataUnavailable) {
			t.Errorf("with a provider: %v", err)
		}
		alone := h.source(nil)
		_, err := saml.New(saml.Config{BaseURL: "https://console.example.com", IdentityProvider: alone,
			StateKeys: [][]byte{saml.NewStateKey()}, Store: saml.NewMemoryStore()})
		if !errors.Is(err, saml.CodeMetadataLoginURL) {
			t.Errorf("without: %v", err)
		}
	})
}

// TestFirstFetchThatFails: the service starts, and says why nobody can sign in, until a look
// succeeds, without a restart.
func TestFirstFetchThatFails(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		h.server.Fail(samltest.FaultStatus(http.StatusServiceUnavailable, ""))
		s := h.source(nil)
		sp := h.provider(s, nil)
		login := sp.Handler(nilErrorSessions{new(bool)})
		get := func() *httptest.ResponseRecorder {
			r := httptest.NewRequest("GET", redirectURL, nil)
			r.Header.Set("Sec-Fetch-Dest", "document")
			w := httptest.NewRecorder()
			login.ServeHTTP(w, r)
			return w
		}
		if _, err := sp.Metadata(); err != nil || sp.RedirectURL() != redirectURL ||
			!errors.Is(sp.Health(t.Context()), saml.CodeMetadataUnavailable) {
			t.Errorf("Metadata %v, Health %v", err, sp.Health(t.Context()))
		}
		if w := get(); w.Code != http.StatusServiceUnavailable ||
			!strings.Contains(w.Body.String(), "The settings of the identity provider are not there yet.") ||
			!strings.Contains(w.Body.String(), "metadata_unavailable") || w.Header().Get("Retry-After") == "" {
			t.Errorf("a login: %d %s", w.Code, w.Body)
		}
		h.server.Fail(nil)
		h.publish("a")
		h.pass(time.Minute)
		if w := get(); w.Code != http.StatusSeeOther && w.Code != http.StatusFound {
			t.Errorf("when a look has succeeded: %d %s", w.Code, w.Body)
		}
		if err := h.login(sp, "a"); err != nil || sp.Health(t.Context()) != nil {
			t.Errorf("got %v, Health %v", err, sp.Health(t.Context()))
		}
	})
}

// TestChecksNameTheirCodes: a refusal that only a MetadataSource causes is in the list of Checks
// too.
func TestChecksNameTheirCodes(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		wantListed := func(err error, code saml.Code) {
			t.Helper()
			var refusal *saml.Error
			if !errors.As(err, &refusal) || refusal.Code != code {
				t.Fatalf("got %v, want %s", err, string(code))
			}
			for _, c := range saml.Checks() {
				for _, listed := range c.Codes {
					if c.Name == refusal.Check && listed == code {
						return
					}
				}
			}
			t.Errorf("Checks does not say that %q refuses with %s", refusal.Check, string(code))
		}
		h.cutOver("a")
		s := h.source(func(c *saml.MetadataSourceConfig) { c.RequireFresh = true })
		sp := h.provider(s, nil)
		late, err := sp.StartLogin(t.Context(), saml.LoginOptions{})
		if err != nil {
			t.Fatal(err)
		}
		h.cutOver("b")
		h.next(s)
		wantListed(h.finish(sp, late, "a"), saml.CodeKeyRemoved)
		late, err = sp.StartLogin(t.Context(), saml.LoginOptions{})
		if err != nil {
			t.Fatal(err)
		}
		h.server.Fail(samltest.FaultStatus(http.StatusNotFound, ""))
		h.pass(8 * 24 * time.Hour)
		wantListed(h.finish(sp, late, "b"), saml.CodeMetadataUnavailable)
	})
}

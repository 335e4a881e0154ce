package saml_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// A wrapped source is a MetadataSource of which the application passes on what it likes.
type wrapped struct {
	*saml.MetadataSource
	change func(*saml.IdentityProvider) (*saml.IdentityProvider, error)
}

func (w wrapped) Snapshot(ctx context.Context) (*saml.IdentityProvider, error) {
	idp, err := w.MetadataSource.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	return w.change(idp)
}

// copies are the ways in which a source can return a copy of what a MetadataSource has.
func copies(h *metadataHouse) map[string]func(*saml.IdentityProvider) (*saml.IdentityProvider, error) {
	known := h.pins("a", "b")
	return map[string]func(*saml.IdentityProvider) (*saml.IdentityProvider, error){
		"the same": func(p *saml.IdentityProvider) (*saml.IdentityProvider, error) { return p, nil },
		"a copy":   func(p *saml.IdentityProvider) (*saml.IdentityProvider, error) { c := *p; return &c, nil },
		"one of WithDetails": func(p *saml.IdentityProvider) (*saml.IdentityProvider, error) {
			return p.WithDetails(nil), nil
		},
		"one made of its parts": func(p *saml.IdentityProvider) (*saml.IdentityProvider, error) {
			return saml.NewIdentityProvider(p.EntityID(), p.LoginURL(), p.Keys()...)
		},
		"one with fewer keys": func(p *saml.IdentityProvider) (*saml.IdentityProvider, error) {
			var keys []saml.TrustedKey
			for _, k := range p.Keys() {
				for _, o := range known {
					if k.ID() == o.ID() {
						keys = append(keys, k)
					}
				}
			}
			return saml.NewIdentityProvider(p.EntityID(), p.LoginURL(), keys...)
		},
	}
}

// TestRereadThroughAWrapper: a source around a MetadataSource passes Reread on, or nothing is read. It
// may return copies: the first response after a hard cut-over succeeds with them too, and one with a key
// that nobody knows says when the metadata was read.
func TestRereadThroughAWrapper(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		h.cutOver("a")
		plain := h.provider(saml.IdentityProviderFunc(h.source(nil).Snapshot), nil)
		around := h.provider(struct{ saml.RereadingSource }{h.source(nil)}, nil)
		h.cutOver("b")
		if err := h.login(plain, "b"); !errors.Is(err, saml.CodeSignature) {
			t.Errorf("a wrapper without Reread: %v", err)
		}
		if err := h.login(around, "b"); err != nil {
			t.Errorf("a wrapper with Reread: %v", err)
		}
		for name, change := range copies(h) {
			h.server.Serve([]byte(h.xml(with(func(e *entity) { e.signing = []string{"a", "enc"} }))))
			sp := h.provider(wrapped{h.source(nil), change}, nil)
			h.server.Serve([]byte(h.xml(with(func(e *entity) { e.signing = []string{"b", "enc"} }))))
			h.server.Forget()
			if err := h.login(sp, "b"); err != nil || h.asked() != 1 {
				t.Errorf("%s: %v, %d requests", name, err, h.asked())
			}
			var refusal *saml.Error
			if err := h.login(sp, "c"); !errors.As(err, &refusal) || refusal.Code != saml.CodeSignature ||
				h.asked() != 1 || !strings.Contains(refusal.Hint, "next look for a new key may be at") {
				t.Errorf("%s, an unknown key: %v, %d requests", name, err, h.asked())
			}
		}
	})
}

// TestCopiesExplainRemovedKeys: a copy knows which key was removed a moment ago.
func TestCopiesExplainRemovedKeys(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		for _, name := range []string{"the same", "a copy", "one of WithDetails"} {
			h.cutOver("a")
			s := h.source(nil)
			sp := h.provider(wrapped{s, copies(h)[name]}, nil)
			h.cutOver("b")
			h.next(s)
			if err := h.login(sp, "a"); !errors.Is(err, saml.CodeKeyRemoved) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// TestRereadOfASourceThatHasEnded says that, and not when the next look may be.
func TestRereadOfASourceThatHasEnded(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		h.cutOver("a")
		sp := h.provider(h.source(nil), nil)
		h.end()
		h.pass(time.Second)
		var refusal *saml.Error
		err := h.login(sp, "b")
		if !errors.As(err, &refusal) || !strings.Contains(refusal.Hint, "its source has ended") ||
			strings.Contains(refusal.Hint, "may be at") {
			t.Errorf("got %v", err)
		}
	})
}

// TestSourceOfAnotherTenant: a source that ends the sessions of removed keys does so for its own tenant.
// A service provider of another one would wait for that in vain, so New refuses it.
func TestSourceOfAnotherTenant(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		h.publish("a")
		var ended endedKeys
		ends := h.source(func(c *saml.MetadataSourceConfig) { ended.in(c); c.Tenant = "one" })
		plain := h.source(func(c *saml.MetadataSourceConfig) { c.Tenant = "one" })
		h.server.Fail(samltest.FaultStatus(http.StatusNotFound, ""))
		early := h.source(func(c *saml.MetadataSourceConfig) { ended.in(c); c.Tenant = "two" })
		change := copies(h)["one of WithDetails"]
		for name, row := range map[string]struct {
			source  saml.IdentityProviderSource
			tenant  string
			trial   bool
			refused bool
		}{
			"its own tenant":                    {ends, "one", false, false},
			"another tenant":                    {ends, "two", false, true},
			"no tenant":                         {ends, "", false, true},
			"another tenant, ends no sessions":  {plain, "two", false, false},
			"a trial, which begins no sessions": {ends, "test/1", true, false},
			"before the first document":         {early, "one", false, true},
			"before it, its own tenant":         {early, "two", false, false},
			"embedded, before it":               {wrapped{early, change}, "one", false, true},
			"embedded, with copies":             {wrapped{ends, change}, "two", false, true},
			"behind a function":                 {saml.IdentityProviderFunc(ends.Snapshot), "two", false, true},
		} {
			_, err := saml.New(saml.Config{BaseURL: "https://console.example.com", IdentityProvider: row.source,
				StateKeys: [][]byte{saml.NewStateKey()}, Store: saml.NewMemoryStore(), Tenant: row.tenant, Trial: row.trial})
			var refusal *saml.Error
			if errors.As(err, &refusal) != row.refused {
				t.Errorf("%s: %v", name, err)
			}
			if refusal == nil {
				continue
			}
			if refusal.Code != saml.CodeConfig || refusal.Field != "Tenant" ||
				refusal.Want != `"`+row.tenant+`"` || refusal.Got == refusal.Want ||
				!strings.Contains(refusal.Message, "MetadataSourceConfig.Tenant is not Config.Tenant") ||
				!strings.Contains(refusal.Hint, "Sources.Get") {
				t.Errorf("%s: %v, hint %q", name, err, refusal.Hint)
			}
		}
	})
}

// TestLookRefusesThroughAWrapper: a look takes nothing that New would refuse, also if the application
// has a source of its own around.
func TestLookRefusesThroughAWrapper(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		h.publish("a")
		s := h.source(nil)
		h.provider(saml.IdentityProviderFunc(s.Snapshot), nil)
		h.server.Serve([]byte(h.xml(with(func(e *entity) { e.sso = redirectURL }))))
		h.next(s)
		if f := s.Status().Failure; f == nil || f.Code != saml.CodeMetadataLoginURL || h.trusts(s, nil) != "a" {
			t.Errorf("got %v, trusts %q", f, h.trusts(s, nil))
		}
	})
}

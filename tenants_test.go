package saml_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// TestTenantWithAnothersIdentityProvider shows what CheckTenants is for: with one entity ID for
// all, tenant b, whose administrator entered the issuer and certificate of a's identity provider,
// gets a's people. With a Redirect URL for each tenant the assertion is for another audience.
func TestTenantWithAnothersIdentityProvider(t *testing.T) {
	idp := samltest.MustNew(t, samltest.Options{})
	provider := func(tenant string, change func(*saml.Config)) *saml.ServiceProvider {
		return newProvider(t, idp, func(c *saml.Config) {
			c.Tenant = tenant
			if change != nil {
				change(c)
			}
		})
	}
	path := func(tenant string) func(*saml.Config) {
		return func(c *saml.Config) { c.RedirectPath = "/sso/" + tenant + "/acs" }
	}
	entityID := func(tenant string) func(*saml.Config) {
		return func(c *saml.Config) { c.EntityID = "https://console.example.com/" + tenant }
	}
	both := func(one, other func(*saml.Config)) func(*saml.Config) {
		return func(c *saml.Config) { one(c); other(c) }
	}
	for _, test := range []struct {
		name string
		a, b *saml.ServiceProvider
		safe bool
	}{
		{"one entity ID for both", provider("a", nil), provider("b", nil), false},
		{"a Redirect URL each", provider("a", path("a")), provider("b", path("b")), true},
		{"a Redirect URL each, one entity ID", provider("a", both(path("a"), entityID("x"))),
			provider("b", both(path("b"), entityID("x"))), true},
		{"an entity ID each", provider("a", entityID("a")), provider("b", entityID("b")), true},
		{"one tenant twice", provider("a", nil), provider("a", nil), true},
		{"other identity providers", provider("a", nil), newProvider(t, samltest.MustNew(t, samltest.Options{}),
			func(c *saml.Config) { c.Tenant = "b" }), true},
	} {
		err := saml.CheckTenants(test.a, test.b)
		if (err == nil) != test.safe || err != nil && !errors.Is(err, saml.CodeSharedIssuer) {
			t.Errorf("%s: got %v", test.name, err)
		}
		if test.a.Tenant() == test.b.Tenant() {
			continue
		}
		// b's administrator begins a login at b; a's person follows a link to it, and a's identity
		// provider answers for the service that it knows.
		request, err := test.b.StartLogin(t.Context(), saml.LoginOptions{})
		if err != nil {
			t.Fatal(err)
		}
		response, err := idp.Respond(samltest.Answer{RequestID: request.ID, Recipient: test.a.RedirectURL(),
			Audience: test.a.EntityID()})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := test.b.FinishLogin(t.Context(),
			saml.FormResponse{SAMLResponse: response, State: request.State}); (err != nil) != test.safe {
			t.Errorf("%s: a's person at b: %v", test.name, err)
		}
	}
	var refusal *saml.Error
	if err := saml.CheckTenants(provider("a", nil), provider("secret-customer", nil)); !errors.As(err, &refusal) ||
		strings.Contains(err.Error()+refusal.Got+refusal.Hint, "secret-customer") ||
		!strings.Contains(refusal.Hint, "RedirectPath") {
		t.Errorf("got %v, want a refusal that names the cure and no tenant", err)
	}
}

// TestCheckTenantsGoesOn: a tenant whose settings cannot be read does not hide that another one is
// confused with a third.
func TestCheckTenantsGoesOn(t *testing.T) {
	idp := samltest.MustNew(t, samltest.Options{})
	provider := func(tenant string) *saml.ServiceProvider {
		return newProvider(t, idp, func(c *saml.Config) { c.Tenant = tenant })
	}
	broken := newProvider(t, idp, func(c *saml.Config) {
		c.Tenant = "c"
		c.IdentityProvider = saml.IdentityProviderFunc(func(context.Context) (*saml.IdentityProvider, error) {
			return nil, errors.New("down")
		})
	})
	err := saml.CheckTenants(broken, provider("a"), provider("b"))
	if !errors.Is(err, saml.CodeSharedIssuer) || !errors.Is(err, saml.CodeIdentityProvider) {
		t.Errorf("got %v, want both faults", err)
	}
	source, err := saml.NewMetadataSource(t.Context(), saml.MetadataSourceConfig{Tenant: "b", EntityID: idp.EntityID(),
		Address: "https://127.0.0.1:1/metadata"})
	if err != nil {
		t.Fatal(err)
	}
	unread := newProvider(t, idp, func(c *saml.Config) { c.Tenant, c.IdentityProvider = "b", source })
	if err := saml.CheckTenants(provider("a"), unread); !errors.Is(err, saml.CodeSharedIssuer) ||
		errors.Is(err, saml.CodeMetadataUnavailable) {
		t.Errorf("metadata that was never read: got %v", err)
	}
}

package saml_test

import (
	"cmp"
	"context"
	"errors"
	"net/http"

	"github.com/iomete/saml"
	"github.com/iomete/saml/session"
)

// One service for many customers (tenants). Each tenant has its own Redirect URL, which is its
// entity ID too. So each is a separate audience, and no tenant can use the identity provider of
// another. Resolve reads the tenant from the path.
func ExampleNewHandler_tenants() {
	key := saml.NewStateKey() // from your secrets: the same on all replicas, and after a restart
	var database tenantSettings

	sessions, err := session.New(session.Config{Keys: [][]byte{key}, Store: database})
	if err != nil {
		panic(err)
	}
	login, err := saml.NewHandler(saml.HandlerConfig{
		Sessions: sessions,
		Resolve: func(r *http.Request, tenant string) (*saml.ServiceProvider, error) {
			name := cmp.Or(tenant, r.PathValue("tenant")) // or a part of r.Host
			if name == "" {
				return nil, saml.ErrNotConfigured // this address names none
			}
			sp, err := database.provider(r.Context(), name, func(idp *saml.IdentityProvider) (*saml.ServiceProvider,
				error) {
				return saml.New(saml.Config{
					BaseURL:          "https://console.example.com",
					RedirectPath:     "/sso/" + name + "/acs",
					Tenant:           name,
					IdentityProvider: idp,
					StateKeys:        [][]byte{key},
					Store:            database,
				})
			})
			if tenant == "" && errors.Is(err, saml.ErrNotConfigured) {
				return nil, saml.ErrNotEnabled // a name that nobody has: no session counts at this address
			}
			return sp, err
		},
	})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/sso/{tenant}/acs", login)
	mux.Handle("/{tenant}/", login.Require(http.NotFoundHandler()))
}

// tenantSettings stands for the database of the application.
type tenantSettings struct{ saml.Store }

// provider returns the provider of a tenant: the same one as long as the settings do not change.
func (tenantSettings) provider(
	_ context.Context, _ string, _ func(*saml.IdentityProvider) (*saml.ServiceProvider, error),
) (*saml.ServiceProvider, error) {
	return nil, errors.New("the database is not there in an example")
}

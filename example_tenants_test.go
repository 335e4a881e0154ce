package saml_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

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

// People whose tenant is not known yet are asked for their e-mail address at /sign-in. Those who start
// at their identity provider are known by the issuer of its response, since all tenants of this
// service share one Redirect URL.
func ExampleNewHandler_chooseTenant() {
	key := saml.NewStateKey()
	var database tenantSettings

	sessions, err := session.New(session.Config{Keys: [][]byte{key}, Store: database})
	if err != nil {
		panic(err)
	}
	login, err := saml.NewHandler(saml.HandlerConfig{
		Sessions: sessions,
		Resolve: func(r *http.Request, tenant string) (*saml.ServiceProvider, error) {
			if tenant == "" {
				return nil, saml.ErrNotConfigured // no address names a tenant
			}
			return database.provider(r.Context(), tenant, func(idp *saml.IdentityProvider) (*saml.ServiceProvider,
				error) {
				return saml.New(saml.Config{
					BaseURL:          "https://console.example.com",
					EntityID:         "https://console.example.com/" + tenant, // one for each tenant
					Tenant:           tenant,
					IdentityProvider: idp,
					StateKeys:        [][]byte{key},
					Store:            database,
					Unsolicited:      saml.RestartUnsolicited,
				})
			})
		},
		// SELECT tenant FROM domains WHERE domain = $1 AND verified; the column has what
		// NormalizeDomain returned
		ChooseTenant: database.tenantOfDomain,
		ChoosePath:   "/sign-in",
		// SELECT tenant FROM settings WHERE entity_id = $1; with two rows the error is
		// saml.CodeSharedIssuer
		ByIssuer: database.tenantOfIssuer,
	})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle(saml.DefaultRedirectPath, login)
	mux.Handle("/sign-in", login)
	mux.Handle("/", login.Require(http.NotFoundHandler()))
}

// Domains that do not change while the service runs. Only what is verified counts.
func ExampleNewDomains() {
	domains, err := saml.NewDomains(
		saml.DomainClaim{Domain: "acme.example", Tenant: "acme", Verified: true},
		saml.DomainClaim{Domain: "bücher.example", Tenant: "books", Verified: true},
		saml.DomainClaim{Domain: "globex.example", Tenant: "globex"}, // no TXT record yet
	)
	if err != nil {
		panic(err)
	}
	for _, address := range []string{"Ann@ACME.example", "bob@xn--bcher-kva.example", "carl@globex.example",
		"dora@shop.acme.example", "dora"} {
		domain, ok := saml.EmailDomain(address)
		tenant, _ := domains.Tenant(context.Background(), domain)
		fmt.Printf("%s %t %q\n", address, ok, tenant)
	}
	// Output:
	// Ann@ACME.example true "acme"
	// bob@xn--bcher-kva.example true "books"
	// carl@globex.example true ""
	// dora@shop.acme.example true ""
	// dora false ""
}

// A page of your own that asks for the address does what the Handler does with ChooseTenant.
func ExampleEmailDomain() {
	var login *saml.Handler   // see NewHandler
	var domains *saml.Domains // or a look-up in the database
	own := func(w http.ResponseWriter, r *http.Request) {
		address := strings.TrimSpace(r.PostFormValue("address"))
		domain, _ := saml.EmailDomain(address)
		tenant, err := domains.Tenant(r.Context(), domain)
		if err != nil {
			login.Fail(w, r, err)
			return
		}
		sp, err := login.Provider(r, tenant)
		if err != nil {
			login.Fail(w, r, err) // "Single sign-on is not enabled", whatever the reason is
			return
		}
		login.StartLogin(w, r, sp, saml.LoginOptions{LoginHint: address, ReturnTo: "/"})
	}
	guard := http.NewCrossOriginProtection() // another site must not choose where people sign in
	http.Handle("POST /who", guard.Handler(http.HandlerFunc(own)))
}

// tenantSettings stands for the database of the application.
type tenantSettings struct{ saml.Store }

// provider returns the provider of a tenant: the same one as long as the settings do not change.
func (tenantSettings) provider(
	_ context.Context, _ string, _ func(*saml.IdentityProvider) (*saml.ServiceProvider, error),
) (*saml.ServiceProvider, error) {
	return nil, errNoDatabase
}

func (tenantSettings) tenantOfDomain(context.Context, string) (string, error) {
	return "", errNoDatabase
}
func (tenantSettings) tenantOfIssuer(context.Context, string) (string, error) {
	return "", errNoDatabase
}

var errNoDatabase = errors.New("the database is not there in an example")

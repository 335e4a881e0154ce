package saml_test

import (
	"context"
	"errors"
	"log"
	"net/http"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/session"
)

// The metadata is read from its address and looked at again in the background. The context is that
// of the service: it ends the looks.
func ExampleNewMetadataSource() {
	ctx := context.Background()
	source, err := saml.NewMetadataSource(ctx, saml.MetadataSourceConfig{
		Address:  "https://idp.example.com/metadata",
		EntityID: "https://idp.example.com/",
		Persist:  saml.MetadataDir("/var/lib/console/metadata"),
		Observe: func(_ context.Context, e saml.Event) {
			if e.Kind == saml.MetadataKeyExpiring {
				log.Print("tell the administrator: ", e.Metadata.Message)
			}
		},
	})
	if err != nil {
		log.Fatal(err) // only the settings can be wrong: a server that is down is no error
	}
	sp, err := saml.New(saml.Config{BaseURL: "https://console.example.com", IdentityProvider: source,
		StateKeys: [][]byte{saml.NewStateKey()}})
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/status", func(w http.ResponseWriter, _ *http.Request) {
		if err := source.Health(); err != nil { // for people and alerts, not for readiness
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	_ = sp
}

// Sessions end with the key that signed their sign-in: when the identity provider has removed it,
// or at once if it is compromised.
func ExampleMetadataSourceConfig() {
	sessions, err := session.New(session.Config{Keys: [][]byte{saml.NewStateKey()}, Store: saml.NewMemoryStore()})
	if err != nil {
		log.Fatal(err)
	}
	source, err := saml.NewMetadataSource(context.Background(), saml.MetadataSourceConfig{
		Address:                  "https://idp.example.com/metadata",
		EndSessionsOfRemovedKeys: sessions.EndSessionsOfRemovedKey,
	})
	if err != nil {
		log.Fatal(err)
	}
	endSessionsOf := func(ctx context.Context, thumbprint string) error { // for a page of an administrator
		idp, err := source.Snapshot(ctx)
		if err != nil {
			return err
		}
		for _, key := range idp.Keys() {
			if key.ThumbprintSHA256() == thumbprint {
				return sessions.EndSessionsOfKey(ctx, saml.IssuerKey{Issuer: idp.EntityID(), Key: key.ID()})
			}
		}
		return errors.New("the identity provider has no such key")
	}
	_ = endSessionsOf
}

// A service with many tenants has one registry, and asks it at each request.
func ExampleSources() {
	type tenant struct{ ID, MetadataURL, EntityID string }
	find := func(string) tenant { return tenant{} } // in your database
	sources := saml.NewSources(context.Background(), 0)

	resolve := func(_ *http.Request, name string) (*saml.ServiceProvider, error) {
		t := find(name)
		source, err := sources.Get(saml.MetadataSourceConfig{Tenant: t.ID, Address: t.MetadataURL, EntityID: t.EntityID,
			Fetch: saml.FetchOptions{PublicOnly: true}}) // customers type the addresses
		if err != nil {
			return nil, err
		}
		return saml.New(saml.Config{BaseURL: "https://console.example.com", Tenant: t.ID, IdentityProvider: source})
	}
	_ = resolve

	var all []saml.ExpirySource
	for _, s := range sources.All() {
		all = append(all, s)
	}
	for _, e := range saml.ExpiringKeys(time.Now(), 60*24*time.Hour, all...) {
		log.Printf("%s: %s of %s ends on %s", e.Tenant, e.Kind, e.EntityID, e.At)
	}
}

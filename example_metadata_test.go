package saml_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// Our metadata at an address, for identity providers that fetch it. A federation wants to know who
// runs the service, and demands an end; with Sign it could also check who wrote the document.
func ExampleServiceProvider_MetadataHandler() {
	entra, err := samltest.New(samltest.Options{})
	if err != nil {
		log.Fatal(err)
	}
	idp, err := saml.ParseSettings(entra.EntityID(), entra.LoginURL(), string(entra.CertificatePEM()))
	if err != nil {
		log.Fatal(err)
	}
	sp, err := saml.New(saml.Config{
		BaseURL:          "https://console.example.com",
		IdentityProvider: idp,
		StateKeys:        [][]byte{saml.NewStateKey()},
		Store:            saml.NewMemoryStore(),
	})
	if err != nil {
		log.Fatal(err)
	}

	mux := http.NewServeMux()
	mux.Handle("/saml/metadata", sp.MetadataHandler(saml.MetadataOptions{
		ValidFor:     14 * 24 * time.Hour,
		Displays:     []saml.MetadataDisplay{{Name: "Console", Description: "Tables and queries."}},
		Logos:        []saml.MetadataLogo{{URL: "https://console.example.com/logo.png", Width: 80, Height: 60}},
		Organization: []saml.MetadataOrganization{{Name: "Example Inc.", URL: "https://example.com"}},
		Contacts:     []saml.MetadataContact{{GivenName: "Operations", Email: "ops@example.com"}},
	}))

	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest("GET", "https://console.example.com/saml/metadata", nil))
	fmt.Println(w.Code, w.Header().Get("Content-Type"))

	again := httptest.NewRequest("GET", "https://console.example.com/saml/metadata", nil)
	again.Header.Set("If-None-Match", w.Header().Get("ETag"))
	w = httptest.NewRecorder()
	mux.ServeHTTP(w, again)
	fmt.Println(w.Code)
	// Output:
	// 200 application/samlmetadata+xml
	// 304
}

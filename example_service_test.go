package saml_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
	"github.com/iomete/saml/session"
)

// signOn puts app behind single sign-on. key comes from saml.NewStateKey once, and is the same on all
// replicas and after a restart. store is shared by all replicas; nil is enough for a single process.
func signOn(metadata, key []byte, store saml.Store, app http.Handler) (http.Handler, error) {
	idp, err := saml.ParseMetadata(metadata) // or ParseSettings(entityID, loginURL, certificate)
	if err != nil {
		return nil, err
	}
	sp, err := saml.New(saml.Config{
		BaseURL:          "https://console.example.com",
		IdentityProvider: idp,
		StateKeys:        [][]byte{key},
		Store:            store,
	})
	if err != nil {
		return nil, err
	}
	sessions, err := session.New(session.Config{Keys: [][]byte{key}, Store: store})
	if err != nil {
		return nil, err
	}
	login := sp.Handler(sessions)

	mux := http.NewServeMux()
	mux.Handle(sp.RedirectPath(), login) // GET begins a login, POST finishes it
	mux.Handle("POST /sign-out", sessions.SignOutHandler("/goodbye"))
	mux.Handle("GET /goodbye", http.HandlerFunc(goodbye))
	mux.Handle("/", login.Require(app)) // app reads session.FromContext(r.Context()).Identity
	return mux, nil
}

func goodbye(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "You are signed out.") }

// Single sign-on in front of an application. A user without a session is sent to the Redirect URL, and
// from there to the identity provider.
func ExampleServiceProvider_Handler() {
	entra, err := samltest.New(samltest.Options{})
	if err != nil {
		log.Fatal(err)
	}
	metadata, err := entra.Metadata() // what the administrator downloads
	if err != nil {
		log.Fatal(err)
	}
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "Hello", session.FromContext(r.Context()).Identity.Email)
	})
	service, err := signOn(metadata, saml.NewStateKey(), saml.NewMemoryStore(), app)
	if err != nil {
		log.Fatal(err)
	}
	for _, path := range []string{"/jobs", "/goodbye"} {
		r := httptest.NewRequest("GET", "https://console.example.com"+path, nil)
		r.Header.Set("Sec-Fetch-Mode", "navigate") // a page, not a call of a script, which would get 401
		w := httptest.NewRecorder()
		service.ServeHTTP(w, r)
		fmt.Println(path, w.Code, w.Header().Get("Location"))
	}
	// Output:
	// /jobs 303 https://console.example.com/api/v1/identity/auth/saml-acs?return_to=%2Fjobs
	// /goodbye 200
}

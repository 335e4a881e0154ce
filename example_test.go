package saml_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// A sign-in without our HTTP handlers, for frameworks of any kind. The identity provider is that of
// package samltest.
func Example() {
	entra, err := samltest.New(samltest.Options{})
	if err != nil {
		log.Fatal(err)
	}
	metadata, err := entra.Metadata() // what the administrator downloads
	if err != nil {
		log.Fatal(err)
	}

	idp, err := saml.ParseMetadata(metadata)
	if err != nil {
		log.Fatal(err)
	}
	sp, err := saml.New(saml.Config{
		BaseURL:          "https://console.example.com",
		IdentityProvider: idp,
		StateKeys:        [][]byte{saml.NewStateKey()},
		Store:            saml.NewMemoryStore(), // several processes share another Store
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("Redirect URL:", sp.RedirectURL())

	// The browser goes to request.URL, with request.State in a cookie.
	request, err := sp.StartLogin(context.Background(), saml.LoginOptions{ReturnTo: "/jobs"})
	if err != nil {
		log.Fatal(err)
	}

	// It comes back with a form that has the field SAMLResponse.
	value, err := entra.Respond(samltest.Answer{RequestID: request.ID, Recipient: sp.RedirectURL()})
	if err != nil {
		log.Fatal(err)
	}
	login, err := sp.FinishLogin(context.Background(), saml.FormResponse{SAMLResponse: value, State: request.State})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(login.Identity.Email, "goes on to", login.ReturnTo)
	// Output:
	// Redirect URL: https://console.example.com/api/v1/identity/auth/saml-acs
	// ioana.turcanu@example.com goes on to /jobs
}

// A refusal says what to change, and where.
func ExampleError() {
	entra, err := samltest.New(samltest.Options{TenantID: "9f0c6a52-5d0e-4b1a-8a6f-2f4f7b9d1c11"})
	if err != nil {
		log.Fatal(err)
	}
	keys, err := saml.ParseKeys(entra.CertificatePEM()) // the three fields, pasted one by one
	if err != nil {
		log.Fatal(err)
	}
	idp, err := saml.NewIdentityProvider(entra.EntityID(), entra.LoginURL(), keys...)
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
	request, err := sp.StartLogin(context.Background(), saml.LoginOptions{})
	if err != nil {
		log.Fatal(err)
	}
	value, err := entra.Respond(samltest.Answer{
		RequestID: request.ID,
		Recipient: sp.RedirectURL(),
		Audience:  "https://console.example.com",
	})
	if err != nil {
		log.Fatal(err)
	}
	_, err = sp.FinishLogin(context.Background(), saml.FormResponse{SAMLResponse: value, State: request.State})
	fmt.Println("audience:", errors.Is(err, saml.CodeAudience))
	var refusal *saml.Error
	if errors.As(err, &refusal) {
		fmt.Println(refusal.Message)
		fmt.Println("got ", refusal.Got)
		fmt.Println("want", refusal.Want)
		fmt.Println(refusal.Hint)
	}
	// Output:
	// audience: true
	// the Assertion is for another service
	// got  "https://console.example.com"
	// want "https://console.example.com/api/v1/identity/auth/saml-acs"
	// In Entra: Enterprise application > Single sign-on > Basic SAML Configuration > Identifier (Entity ID) must be our entity ID, which is the Redirect URL unless another is configured.
}

// Some settings work today but may cause trouble later. Show the warnings on the settings page.
func ExampleIdentityProvider_Warnings() {
	idp, err := saml.NewIdentityProvider("https://sts.windows.net/9f0c6a52-5d0e-4b1a-8a6f-2f4f7b9d1c11",
		"https://login.microsoftonline.com/9f0c6a52-5d0e-4b1a-8a6f-2f4f7b9d1c11/saml2", exampleKeys()...)
	if err != nil {
		log.Fatal(err)
	}
	for _, w := range idp.Warnings(exampleTime) {
		fmt.Println(w.Code+":", w.Message)
	}
	// Output:
	// entity_id_slash: the entity ID "https://sts.windows.net/9f0c6a52-5d0e-4b1a-8a6f-2f4f7b9d1c11" has no slash at its end, as Microsoft Entra's has
}

var exampleTime = newClock().Now()

func exampleKeys() []saml.TrustedKey {
	entra, err := samltest.New(samltest.Options{Now: func() time.Time { return exampleTime }})
	if err != nil {
		log.Fatal(err)
	}
	keys, err := saml.ParseKeys(entra.CertificatePEM())
	if err != nil {
		log.Fatal(err)
	}
	return keys
}

// A settings page shows what is wrong beside each field, all at once.
func ExampleParseSettings() {
	field := map[string]string{saml.FieldEntityID: "Entity ID", saml.FieldLoginURL: "Login URL",
		saml.FieldCertificate: "Certificate"}

	_, err := saml.ParseSettings("https://login.microsoftonline.com/7f1f0a52-7a3c-4d8e-9d1b-5c0f5e2a9b11/saml2", "",
		"A78C6984CA9557E9AF2D80CB237429F6D0AA179F")
	for _, e := range saml.Errors(err) {
		fmt.Printf("%s: %s\n", field[e.Field], e.Message)
	}
	// Output:
	// Entity ID: the entity ID is the Login URL
	// Login URL: the login URL is missing
	// Certificate: this is the thumbprint of a certificate, not the certificate
}

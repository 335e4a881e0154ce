package saml_test

import (
	"context"
	"fmt"
	"log"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// identify verifies a response and makes sure that it is used once. requestID is the ID of the
// AuthnRequest that this browser was sent with; keep it where the browser cannot choose it.
func identify(
	ctx context.Context, v *saml.Verifier, store saml.Store, response, requestID string,
) (*saml.Identity, error) {
	verified, err := v.Verify(ctx, response, saml.VerifyOptions{RequestID: requestID})
	if err != nil {
		return nil, err
	}
	for _, claim := range verified.Claims { // without this loop the response can be replayed
		first, err := store.Claim(ctx, claim.Key, claim.TTL)
		if err != nil {
			return nil, err // nobody knows whether it was used before, so refuse
		}
		if !first {
			return nil, saml.CodeReplayed
		}
	}
	return verified.Identity, nil
}

// Verification alone, for a service that begins logins in its own way. The same response is refused
// the second time, because the Store has its claims.
func ExampleVerifier() {
	entra, err := samltest.New(samltest.Options{})
	if err != nil {
		log.Fatal(err)
	}
	keys, err := saml.ParseKeys(entra.CertificatePEM())
	if err != nil {
		log.Fatal(err)
	}
	verifier, err := saml.NewVerifier(saml.VerifierConfig{
		Issuer:       entra.EntityID(),
		Keys:         keys,
		EntityID:     "https://console.example.com",
		RedirectURLs: []string{"https://console.example.com/acs"},
	})
	if err != nil {
		log.Fatal(err)
	}
	requestID := "_0123456789abcdef0123456789abcdef" // random, of the AuthnRequest that the service sent
	response, err := entra.Respond(samltest.Answer{
		RequestID: requestID,
		Recipient: "https://console.example.com/acs",
		Audience:  "https://console.example.com",
	})
	if err != nil {
		log.Fatal(err)
	}
	store := saml.NewMemoryStore()
	for range 2 {
		person, err := identify(context.Background(), verifier, store, response, requestID)
		if err != nil {
			fmt.Println("refused:", err)
			continue
		}
		fmt.Println(person.Email)
	}
	// Output:
	// ioana.turcanu@example.com
	// refused: saml: replayed
}

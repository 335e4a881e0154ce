package saml_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// A sign-in without our HTTP handlers: for frameworks of any kind. The identity provider here is samltest's.
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
	sp, err := saml.New(saml.Config{BaseURL: "https://console.example.com", IdentityProvider: idp, StateKeys: [][]byte{saml.NewStateKey()}, Store: saml.NewMemoryStore()})
	if err != nil {
		log.Fatal(err)
	}
	request, err := sp.StartLogin(context.Background(), saml.LoginOptions{})
	if err != nil {
		log.Fatal(err)
	}
	value, err := entra.Respond(samltest.Answer{RequestID: request.ID, Recipient: sp.RedirectURL(), Audience: "https://console.example.com"})
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

// Some settings work today but deserve a word: warnings are for the settings page.
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

// An account is a person as the application knows them.
type account struct {
	tenant     string
	email      string
	privileged bool // an administrator's, for instance: who gets in by a new way is for another administrator to say
	taken      bool // somebody has signed in to it
	object     string
	nameID     string
}

// accounts are kept in memory here; in a database they have a unique index on (tenant, object) and on (tenant, nameID).
type accounts struct {
	mu      sync.Mutex
	list    []*account
	domains map[string][]string // e-mail domains that a tenant has proved to be its own, by tenant
}

var errAskAdministrator = errors.New("an administrator has to say whose account this is")

// signIn returns the account of who signed in. All of it is one transaction.
func (s *accounts) signIn(login *saml.Login) (*account, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := login.Identity.AccountKey(); err != nil {
		return nil, err // there is nothing to know this person by next time
	}
	object, nameID := login.Identity.ObjectKey, login.Identity.NameIDKey // one of them may be ""
	a := s.find(login.Tenant, func(a *account) bool { return object != "" && a.object == object })
	if a == nil { // the claims are new, or gone; an account with another object key is that of somebody who had this name before
		a = s.find(login.Tenant, func(a *account) bool {
			return nameID != "" && a.nameID == nameID && (object == "" || a.object == "")
		})
	}
	if a == nil {
		a = s.waiting(login.Tenant, login.Identity.Email)
	}
	switch {
	case a == nil:
		a = &account{tenant: login.Tenant, email: login.Identity.Email}
		s.list = append(s.list, a)
	case a.privileged && (!a.taken || a.object != object): // by an e-mail address, or by a NameID although there is or was an object key
		return nil, errAskAdministrator
	}
	s.bind(a, object, nameID)
	return a, nil
}

// waiting finds the account that was made for an e-mail address and that nobody has signed in to. An identity provider is believed about the
// domains of its own tenant alone.
func (s *accounts) waiting(tenant, email string) *account {
	_, domain, _ := strings.Cut(email, "@")
	if domain == "" || !slices.ContainsFunc(s.domains[tenant], func(d string) bool { return saml.EqualEmail(d, domain) }) {
		return nil
	}
	return s.find(tenant, func(a *account) bool { return !a.taken && saml.EqualEmail(a.email, email) }) // never compared in SQL
}

// bind adds the key that was missing. A NameID belongs to whom the identity provider gives it now.
func (s *accounts) bind(a *account, object, nameID string) {
	if nameID != "" {
		if before := s.find(a.tenant, func(b *account) bool { return b.nameID == nameID }); before != nil {
			before.nameID = ""
		}
		a.nameID = nameID
	}
	if object != "" {
		a.object = object
	}
	a.taken = true
}

func (s *accounts) find(tenant string, is func(*account) bool) *account {
	for _, a := range s.list {
		if a.tenant == tenant && is(a) {
			return a
		}
	}
	return nil
}

// How to look up the account of who signed in: by the object key, then by the NameID key, then by an e-mail address that the tenant may speak for.
func ExampleIdentity_accounts() {
	users := &accounts{domains: map[string][]string{"acme": {"example.com"}}, list: []*account{{tenant: "acme", email: "ioana.turcanu@example.com"}}}
	entra, err := samltest.New(samltest.Options{})
	if err != nil {
		log.Fatal(err)
	}
	login, err := signInAt(entra, saml.Config{Tenant: "acme"}, samltest.Answer{})
	if err != nil {
		log.Fatal(err)
	}
	first, err := users.signIn(login)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("found by e-mail once:", first == users.list[0])

	// Her address changes, and a colleague gets the one she had.
	ioana := samltest.DefaultUsers()[0]
	ioana.Mail = "ioana.popescu@example.com"
	colleague := samltest.User{Mail: "ioana.turcanu@example.com", ObjectID: "5b7a1e3c-0c55-4c8e-9b7c-1f2e3d4c5b6a"}
	for _, user := range []samltest.User{ioana, colleague} {
		login, err := signInAt(entra, saml.Config{Tenant: "acme"}, samltest.Answer{User: user})
		if err != nil {
			log.Fatal(err)
		}
		a, err := users.signIn(login)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(login.Identity.Email, "has her account:", a == first)
	}
	// Output:
	// found by e-mail once: true
	// ioana.popescu@example.com has her account: true
	// ioana.turcanu@example.com has her account: false
}

// signInAt is a whole sign-in at an identity provider; a real application has it from the Handler.
func signInAt(idp *samltest.IdentityProvider, c saml.Config, answer samltest.Answer) (*saml.Login, error) {
	metadata, err := idp.Metadata()
	if err != nil {
		return nil, err
	}
	c.BaseURL, c.StateKeys, c.Store = "https://console.example.com", [][]byte{saml.NewStateKey()}, saml.NewMemoryStore()
	if c.IdentityProvider, err = saml.ParseMetadata(metadata); err != nil {
		return nil, err
	}
	sp, err := saml.New(c)
	if err != nil {
		return nil, err
	}
	request, err := sp.StartLogin(context.Background(), saml.LoginOptions{})
	if err != nil {
		return nil, err
	}
	answer.RequestID, answer.Recipient = request.ID, sp.RedirectURL()
	value, err := idp.Respond(answer)
	if err != nil {
		return nil, err
	}
	return sp.FinishLogin(context.Background(), saml.FormResponse{SAMLResponse: value, State: request.State})
}

// A settings page shows what is wrong beside each field, all at once.
func ExampleParseSettings() {
	field := map[string]string{saml.FieldEntityID: "Entity ID", saml.FieldLoginURL: "Login URL", saml.FieldCertificate: "Certificate"}

	_, err := saml.ParseSettings("https://login.microsoftonline.com/7f1f0a52-7a3c-4d8e-9d1b-5c0f5e2a9b11/saml2", "", "A78C6984CA9557E9AF2D80CB237429F6D0AA179F")
	for _, e := range saml.Errors(err) {
		fmt.Printf("%s: %s\n", field[e.Field], e.Message)
	}
	// Output:
	// Entity ID: the entity ID is the Login URL
	// Login URL: the login URL is missing
	// Certificate: this is the thumbprint of a certificate, not the certificate
}

package saml_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"slices"
	"strings"
	"sync"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// An account is a person as the application knows them.
type account struct {
	tenant     string
	email      string
	privileged bool // an administrator's, for instance: another administrator must confirm a new way in
	taken      bool // somebody has signed in to it
	object     string
	nameID     string
}

// accounts are kept in memory here. In a database they need a unique index on (tenant, object) and
// another on (tenant, nameID).
type accounts struct {
	mu      sync.Mutex
	list    []*account
	domains map[string][]string // e-mail domains that a tenant has proved to be its own, by tenant
}

var errAskAdministrator = errors.New("an administrator has to say whose account this is")

// signIn returns the account of the person who signed in. In a database it is one transaction.
func (s *accounts) signIn(login *saml.Login) (*account, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := login.Identity.AccountKey(); err != nil {
		return nil, err // nothing would recognize this person the next time
	}
	object, nameID := login.Identity.ObjectKey, login.Identity.NameIDKey // one of them may be ""
	a := s.find(login.Tenant, func(a *account) bool {
		return object != "" && a.object == object
	})
	if a == nil { // the claims are new, or missing; a different object key means a different person
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
	case a.privileged && (!a.taken || a.object != object):
		// Found by its e-mail address, or by its NameID although an object key is or was known.
		return nil, errAskAdministrator
	}
	s.bind(a, object, nameID)
	return a, nil
}

// waiting returns the account that was made for an e-mail address and that nobody has signed in to
// yet. An identity provider is trusted for the domains of its own tenant only.
func (s *accounts) waiting(tenant, email string) *account {
	_, domain, _ := strings.Cut(email, "@")
	proved := slices.ContainsFunc(s.domains[tenant], func(d string) bool {
		return saml.EqualEmail(d, domain)
	})
	if domain == "" || !proved {
		return nil
	}
	return s.find(tenant, func(a *account) bool {
		return !a.taken && saml.EqualEmail(a.email, email) // in Go, never in SQL
	})
}

// bind adds the key that was missing. A NameID belongs to the person who has it now.
func (s *accounts) bind(a *account, object, nameID string) {
	if nameID != "" {
		before := s.find(a.tenant, func(b *account) bool { return b.nameID == nameID })
		if before != nil {
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

// How to find the account of the person who signed in: by the object key, then by the NameID key, then
// once by an e-mail address in a domain that the tenant owns.
func ExampleIdentity_accounts() {
	users := &accounts{
		domains: map[string][]string{"acme": {"example.com"}},
		list:    []*account{{tenant: "acme", email: "ioana.turcanu@example.com"}},
	}
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

	// Ioana's address changes, and a colleague gets the old one.
	ioana := samltest.DefaultUsers()[0]
	ioana.Mail = "ioana.popescu@example.com"
	colleague := samltest.User{
		Mail:     "ioana.turcanu@example.com",
		ObjectID: "5b7a1e3c-0c55-4c8e-9b7c-1f2e3d4c5b6a",
	}
	for _, user := range []samltest.User{ioana, colleague} {
		login, err := signInAt(entra, saml.Config{Tenant: "acme"}, samltest.Answer{User: user})
		if err != nil {
			log.Fatal(err)
		}
		a, err := users.signIn(login)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(login.Identity.Email, "has the first account:", a == first)
	}
	// Output:
	// found by e-mail once: true
	// ioana.popescu@example.com has the first account: true
	// ioana.turcanu@example.com has the first account: false
}

// signInAt is a whole sign-in at an identity provider. In a real application the Handler does this.
func signInAt(idp *samltest.IdentityProvider, c saml.Config, answer samltest.Answer) (*saml.Login, error) {
	metadata, err := idp.Metadata()
	if err != nil {
		return nil, err
	}
	c.BaseURL = "https://console.example.com"
	c.StateKeys = [][]byte{saml.NewStateKey()}
	c.Store = saml.NewMemoryStore()
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

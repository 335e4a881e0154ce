package saml_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
	"github.com/iomete/saml/session"
)

// signOn puts app behind single sign-on. key is a result of saml.NewStateKey, the same on all
// replicas. store is shared by all replicas; nil does for a single process.
func signOn(metadata, key []byte, store saml.Store, app http.Handler) (http.Handler, error) {
	idp, err := saml.ParseMetadata(metadata) // or NewIdentityProvider(entityID, loginURL, keys...)
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
	mux.Handle("/", sessions.Require(login, app)) // app reads session.FromContext(r.Context()).Identity
	return mux, nil
}

func goodbye(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "You are signed out.") }

// Single sign-on in front of an application. Whoever has no session is sent to the Redirect URL, and
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

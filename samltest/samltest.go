// Package samltest is a SAML 2.0 identity provider for tests. It behaves like Microsoft Entra ID:
// its metadata and responses have Entra's layout, claims and times, and it answers a wrong request
// as Entra does, with an AADSTS error on its own page.
//
// It is not for production. It signs in anyone without a password, and signs any response that a
// test asks for.
//
// # A response without a network
//
// With the zero Options, the provider has a directory of its own and a fresh key. Respond returns
// the form value that a browser would post:
//
//	idp := samltest.MustNew(t, samltest.Options{})
//	value, err := idp.Respond(samltest.Answer{
//		RequestID: requestID,                              // empty: unsolicited
//		Recipient: "https://console.example.com/saml/acs", // the Redirect URL
//	})
//
// The service provider (relying party) trusts it through idp.Metadata, or through the three values
// that an administrator would paste: idp.EntityID, idp.LoginURL and idp.CertificatePEM.
//
// Each field of [Answer] that is set changes one point of Entra's answer before it is signed:
// ClockOffset makes the answer too old or too new, Issuer names another identity provider, Sign
// leaves out a signature, [Absent] leaves out an attribute or element, and Edit changes anything
// that has no field. To break a signature, or to test for XML signature wrapping (XSW), change the
// result of RespondXML. For a replay, post the same value twice. For the answer of an attacker,
// sign with a second provider that has the same TenantID.
//
// # A whole sign-in
//
// An IdentityProvider is an http.Handler. It needs to know its own address and the service
// provider, as Entra does:
//
//	server := httptest.NewTLSServer(idp)
//	idp.SetBaseURL(server.URL)
//	idp.Register(samltest.Application{Identifier: redirectURL, ReplyURLs: []string{redirectURL}})
//	idp.SignInAs(samltest.DefaultUsers()[0])
//
// [SignIn] then opens a page of the service in a client with a cookie jar, and returns the page at
// which the sign-in ends:
//
//	page, err := samltest.SignIn(client, "https://console.example.com/jobs")
//
// Step by step: a browser that is redirected to the provider gets a page with a form that posts
// itself, and [ReadForm] reads that form. If neither SignInAs nor a login_hint in the query names the user, a page
// asks who signs in. IdP-initiated sign-ins begin at MyAppsURL.
//
// # Logout
//
// With Application.LogoutURL, the provider tells the service of logouts: SignOutURL loads its Logout URL
// in a frame, and Sessions are what can be named in a message by hand:
//
//	request := samltest.Logout{Session: idp.Sessions()[0]}
//	address, err := idp.LogoutRedirect(request)       // a browser opens it
//	form, err := idp.LogoutForm(request)              // http.PostForm sends it as Keycloak's server does
//	answer, err := idp.LogoutBySOAP(client, request)
//
// A LogoutRequest of the service ends the user's session here and is answered. LogoutMessages returns
// what the service sent. The fields of [Logout] change one point each, as those of Answer do.
//
// # By hand
//
// HomeURL is a page to try a service by hand. It registers the Redirect URL (assertion consumer
// service, ACS) of the service, shows the metadata and the three values to give to the service, and
// signs users in and out. The command "samlsp idp" serves it.
package samltest

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// Options describe an identity provider. The zero value is complete.
type Options struct {
	// BaseURL is the address of ServeHTTP: an absolute URL, perhaps with a path, without a slash at
	// the end. Default https://login.microsoftonline.example, where nothing answers. SetBaseURL
	// changes it when a server has an address.
	BaseURL string

	// TenantID is the GUID of the directory. Default: a random one.
	TenantID string

	// EntityID is the Issuer of metadata and answers. Default
	// "https://sts.windows.net/<TenantID>/".
	EntityID string

	// Keys are the signing keys: RSA, or ECDSA on P-256, P-384 or P-521. The first one signs,
	// unless Answer.Key names another. The metadata publishes all. Default: one fresh RSA-2048 key.
	Keys []crypto.Signer

	// Users are the accounts of the directory. The first one signs in with an Answer that has no
	// User. Default DefaultUsers().
	Users []User

	// LogoutBindings are those of SingleLogoutService in the metadata, in this order. nil stands for
	// HTTPRedirect alone, as in Entra; a list without entries for a provider without single logout,
	// such as Google Workspace. All of them work, whatever the metadata says.
	LogoutBindings []Binding
	// SeparateLogoutResponses publishes another address, a ResponseLocation, for LogoutResponses.
	SeparateLogoutResponses bool

	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// IdentityProvider is one directory with its keys, users and registered applications. It implements
// http.Handler and is safe for concurrent use.
type IdentityProvider struct {
	tenant   string
	entityID string
	users    []User
	now      func() time.Time
	logout   []Binding // of SingleLogoutService
	separate bool      // Options.SeparateLogoutResponses

	mu       sync.RWMutex // guards what follows
	baseURL  string
	keys     []signingKey // the first one is active
	apps     []Application
	signedIn User // zero: nobody is signed in
	sessions []Session
	heard    []LogoutMessage
}

// New returns an identity provider. It fails if a key cannot sign here, or if BaseURL is not an
// absolute URL.
func New(o Options) (*IdentityProvider, error) {
	p := &IdentityProvider{tenant: o.TenantID, entityID: o.EntityID, users: o.Users, now: o.Now,
		logout: o.LogoutBindings, separate: o.SeparateLogoutResponses}
	if p.tenant == "" {
		p.tenant = newGUID()
	}
	if p.entityID == "" {
		p.entityID = p.homeDirectory()
	}
	if p.logout == nil {
		p.logout = []Binding{HTTPRedirect}
	}
	if len(p.users) == 0 {
		p.users = DefaultUsers()
	}
	if p.now == nil {
		p.now = time.Now
	}
	if o.BaseURL == "" {
		o.BaseURL = "https://login.microsoftonline.example"
	}
	if u, err := url.Parse(o.BaseURL); err != nil || u.Scheme == "" || u.Host == "" {
		return nil, fmt.Errorf("samltest: Options.BaseURL is %q, "+
			"want an absolute URL such as https://idp.example.com", o.BaseURL)
	}
	p.SetBaseURL(o.BaseURL)
	if len(o.Keys) == 0 {
		o.Keys = []crypto.Signer{nil}
	}
	for _, key := range o.Keys {
		if _, err := p.AddKey(key); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// MustNew is New, but an error ends the test.
func MustNew(t testing.TB, o Options) *IdentityProvider {
	t.Helper()
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// SetBaseURL sets the address of ServeHTTP, such as the URL of an httptest.Server. Every address in
// the metadata begins with it.
func (p *IdentityProvider) SetBaseURL(base string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.baseURL = strings.TrimSuffix(base, "/")
}

// TenantID returns the GUID of the directory.
func (p *IdentityProvider) TenantID() string { return p.tenant }

// EntityID returns the Issuer of metadata and responses. Entra's portal calls it the Microsoft
// Entra Identifier.
func (p *IdentityProvider) EntityID() string { return p.entityID }

// LoginURL returns the address for authentication requests, for the bindings HTTP-Redirect and
// HTTP-POST.
func (p *IdentityProvider) LoginURL() string { return p.address("saml2") }

// LogoutURL returns the address for logout requests. As in Entra, it is the LoginURL.
func (p *IdentityProvider) LogoutURL() string { return p.address("saml2") }

// MetadataURL returns the address that serves Metadata. Entra's portal calls it the App Federation
// Metadata Url.
func (p *IdentityProvider) MetadataURL() string {
	return p.address("federationmetadata/2007-06/federationmetadata.xml")
}

func (p *IdentityProvider) address(path string) string {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.baseURL + "/" + p.tenant + "/" + path
}

// homeDirectory returns the name of this directory in claims. Options.EntityID does not change it.
func (p *IdentityProvider) homeDirectory() string { return "https://sts.windows.net/" + p.tenant + "/" }

// Certificates returns the published certificates in DER, the active one first.
func (p *IdentityProvider) Certificates() [][]byte {
	var certificates [][]byte
	for _, key := range p.snapshotKeys() {
		certificates = append(certificates, bytes.Clone(key.certificate))
	}
	return certificates
}

// CertificatePEM returns the active certificate in PEM, like the download "Certificate (Base64)" of
// Entra's portal.
func (p *IdentityProvider) CertificatePEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.snapshotKeys()[0].certificate})
}

// newGUID returns a random GUID in lower case.
func newGUID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return formatGUID(b)
}

// formatGUID writes b as a GUID of version 4.
func formatGUID(b [16]byte) string {
	b[6] = b[6]&0x0F | 0x40
	b[8] = b[8]&0x3F | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

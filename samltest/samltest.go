// Package samltest is a SAML 2.0 identity provider for tests. It behaves like Microsoft Entra ID: its metadata and responses
// have Entra's layout, claims and times, and it answers a wrong request as Entra does, with an AADSTS error on its own page.
//
// It is not for production. It signs in whoever asks, without a password, and makes anything that a test wants signed.
//
// # A response without a network
//
// The zero Options give a directory of its own with a fresh key. Respond gives the form value that a browser would post:
//
//	idp := samltest.MustNew(t, samltest.Options{})
//	value, err := idp.Respond(samltest.Answer{
//		RequestID: requestID,                                // of the AuthnRequest; empty: unsolicited
//		Recipient: "https://console.example.com/saml/acs",   // the Redirect URL
//	})
//
// Trust it by idp.Metadata, or by the three values that an administrator would paste: idp.EntityID, idp.LoginURL and
// idp.CertificatePEM.
//
// Each field of [Answer] that is set makes the answer differ from Entra's in one point, and the answer is signed after that:
// ClockOffset makes it too old or too new, Issuer has it come from elsewhere, Sign leaves out a signature, [Absent] leaves out an
// attribute or element, Edit changes whatever has no field. To spoil a signature, change what RespondXML gave. For an answer of a
// stranger, sign with a second provider that has the same TenantID.
//
// # A whole sign-in
//
// An IdentityProvider is an http.Handler. It needs to know its own address and the service provider, as Entra does:
//
//	server := httptest.NewTLSServer(idp)
//	idp.SetBaseURL(server.URL)
//	idp.Register(samltest.Application{Identifier: redirectURL, ReplyURLs: []string{redirectURL}})
//	idp.SignInAs(samltest.DefaultUsers()[0])
//
// A browser that is sent to it comes back with a form that posts itself. [ReadForm] does for a test what a browser does with that
// page. Where neither SignInAs nor a login_hint in the query names the user, a page asks who signs in. MyAppsURL is where sign-ins
// begin at the provider.
//
// # For people
//
// HomeURL is a page to try a service by hand: it registers the service's Redirect URL, shows the metadata and the three values to give to
// the service, and signs users in and out. The command "samlsp idp" serves it.
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
	// BaseURL is where ServeHTTP can be reached: scheme and host, perhaps a path, no slash at the end. Default
	// https://login.microsoftonline.example, where nothing answers; SetBaseURL sets it once a server has an address.
	BaseURL string

	// TenantID is the directory's GUID. Default: a random one.
	TenantID string

	// EntityID is the issuer of all that is signed. Default "https://sts.windows.net/<TenantID>/".
	EntityID string

	// Keys sign, the first one unless Answer.Key says otherwise; the metadata publishes all. RSA, or ECDSA on P-256, P-384 or
	// P-521. Default: one fresh RSA-2048 key.
	Keys []crypto.Signer

	// Users may sign in; the first one is the User of an Answer that has none. Default DefaultUsers().
	Users []User

	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// IdentityProvider is one directory, with its keys, users and registered applications. It is safe for concurrent use.
type IdentityProvider struct {
	tenant   string
	entityID string
	users    []User
	now      func() time.Time

	mu       sync.RWMutex // guards what follows
	baseURL  string
	keys     []signingKey // the first one is active
	apps     []Application
	signedIn User // zero: nobody
}

// New makes an identity provider. It fails on a key that no certificate can be made for, and on a BaseURL that is no absolute URL.
func New(o Options) (*IdentityProvider, error) {
	p := &IdentityProvider{tenant: o.TenantID, entityID: o.EntityID, users: o.Users, now: o.Now}
	if p.tenant == "" {
		p.tenant = newGUID()
	}
	if p.entityID == "" {
		p.entityID = p.homeDirectory()
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
		return nil, fmt.Errorf("samltest: BaseURL %q is not an absolute URL", o.BaseURL)
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

// MustNew is New, and ends the test on an error.
func MustNew(t testing.TB, o Options) *IdentityProvider {
	t.Helper()
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// SetBaseURL says where ServeHTTP can be reached, such as the URL of an httptest.Server. It is part of every address in the metadata.
func (p *IdentityProvider) SetBaseURL(base string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.baseURL = strings.TrimSuffix(base, "/")
}

// TenantID gives the directory's GUID.
func (p *IdentityProvider) TenantID() string { return p.tenant }

// EntityID gives what Entra's portal calls the Microsoft Entra Identifier: the issuer of metadata and responses.
func (p *IdentityProvider) EntityID() string { return p.entityID }

// LoginURL gives the address for authentication requests, by HTTP-Redirect or HTTP-POST.
func (p *IdentityProvider) LoginURL() string { return p.address("saml2") }

// LogoutURL gives the address for logout requests. As with Entra it is the LoginURL.
func (p *IdentityProvider) LogoutURL() string { return p.address("saml2") }

// MetadataURL gives the address that serves Metadata, Entra's "App Federation Metadata Url".
func (p *IdentityProvider) MetadataURL() string {
	return p.address("federationmetadata/2007-06/federationmetadata.xml")
}

func (p *IdentityProvider) address(path string) string {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.baseURL + "/" + p.tenant + "/" + path
}

// homeDirectory is the name that claims give to this directory, whatever Options.EntityID says.
func (p *IdentityProvider) homeDirectory() string { return "https://sts.windows.net/" + p.tenant + "/" }

// Certificates gives the published certificates in DER, the active one first.
func (p *IdentityProvider) Certificates() [][]byte {
	var certificates [][]byte
	for _, key := range p.snapshotKeys() {
		certificates = append(certificates, bytes.Clone(key.certificate))
	}
	return certificates
}

// CertificatePEM gives the active certificate as the portal's "Certificate (Base64)" download does.
func (p *IdentityProvider) CertificatePEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.snapshotKeys()[0].certificate})
}

// newGUID gives a random GUID in lower case.
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

package saml

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/iomete/saml/internal/xmltree"
)

// An AuthnRequest is a login that was begun: send the browser to URL, keep State in that browser.
type AuthnRequest struct {
	ID    string // "_" and 32 hex digits: 128 random bits
	URL   string // the identity provider's address with the request, HTTP-Redirect binding (SAML Bindings 2.0 §3.4)
	State string // the sealed pending login, for Response.State
}

// LoginOptions are what one login may ask for. The zero value is the usual login.
type LoginOptions struct {
	ReturnTo   string // local path and query to come back to, at most 1 KiB; Login.ReturnTo
	LoginHint  string // address to fill in at the identity provider (Entra: login_hint)
	ForceAuthn bool   // ask for a fresh sign-in, and refuse an older one
	Purpose    string // opaque, for the caller; Login.Purpose
}

// StartLogin begins a login. The error is always an *Error: CodeConfig for options that cannot be used,
// CodeIdentityProvider where the settings cannot be read.
func (sp *ServiceProvider) StartLogin(ctx context.Context, o LoginOptions) (*AuthnRequest, error) {
	idp, err := sp.config.IdentityProvider.Snapshot(ctx)
	if err != nil {
		return nil, refuse(CodeIdentityProvider, "the settings of the identity provider cannot be read", "", "").because(err)
	}
	if err := sp.checkLoginURL(idp.loginURL); err != nil {
		return nil, err
	}
	if o.ReturnTo != "" && !localPath(o.ReturnTo) {
		return nil, refuse(CodeConfig, "LoginOptions.ReturnTo is not a path on this host", o.ReturnTo, "/path?query of at most 1024 bytes")
	}
	now := sp.config.Now().UTC()
	id := newRequestID()
	pending := pendingLogin{RequestID: id, IssuedAt: now, ExpiresAt: now.Add(pendingLifetime), IdentityProvider: idp.entityID,
		ReturnTo: o.ReturnTo, Purpose: o.Purpose, ForceAuthn: o.ForceAuthn, AuthnContexts: sp.config.RequestedAuthnContexts}
	return &AuthnRequest{ID: id, URL: sp.requestURL(idp, id, now, o), State: pending.seal(sp.sealer(), sp.pendingContext())}, nil
}

// newRequestID is an NCName, which Entra insists on (AADSTS7500529).
func newRequestID() string {
	var random [16]byte
	rand.Read(random[:])
	return "_" + hex.EncodeToString(random[:])
}

// requestURL puts the request into the query of the login URL, whose own query stays as it is.
func (sp *ServiceProvider) requestURL(idp *IdentityProvider, id string, now time.Time, o LoginOptions) string {
	var b strings.Builder
	b.WriteString(idp.loginURL)
	if strings.Contains(idp.loginURL, "?") {
		b.WriteByte('&')
	} else {
		b.WriteByte('?')
	}
	b.WriteString("SAMLRequest=")
	b.WriteString(url.QueryEscape(deflated(sp.requestXML(idp, id, now, o))))
	if o.LoginHint != "" {
		b.WriteString("&login_hint=")
		b.WriteString(url.QueryEscape(o.LoginHint))
	}
	return b.String()
}

// requestXML is a samlp:AuthnRequest (SAML Core 2.0 §3.4.1) with just what Entra reads. It has no NameIDPolicy, so that the
// portal's choice of user.mail stands, and by default no RequestedAuthnContext, which AADSTS75011 would answer.
func (sp *ServiceProvider) requestXML(idp *IdentityProvider, id string, now time.Time, o LoginOptions) []byte {
	var b bytes.Buffer
	attribute := func(name, value string) {
		b.WriteString(` ` + name + `="`)
		xml.EscapeText(&b, []byte(value))
		b.WriteByte('"')
	}
	element := func(name, value string) {
		b.WriteString("<" + name + ">")
		xml.EscapeText(&b, []byte(value))
		b.WriteString("</" + name + ">")
	}
	b.WriteString(`<samlp:AuthnRequest xmlns:samlp="` + xmltree.NSProtocol + `" xmlns:saml="` + xmltree.NSAssertion + `"`)
	attribute("ID", id)
	attribute("Version", "2.0")
	attribute("IssueInstant", now.Format("2006-01-02T15:04:05.000Z"))
	attribute("Destination", idp.loginURL)
	if o.ForceAuthn {
		attribute("ForceAuthn", "true")
	}
	attribute("ProtocolBinding", bindingPOST)
	attribute("AssertionConsumerServiceURL", sp.redirectURL)
	b.WriteByte('>')
	element("saml:Issuer", sp.entityID)
	if contexts := sp.config.RequestedAuthnContexts; len(contexts) > 0 {
		b.WriteString(`<samlp:RequestedAuthnContext Comparison="exact">`)
		for _, c := range contexts {
			element("saml:AuthnContextClassRef", c)
		}
		b.WriteString(`</samlp:RequestedAuthnContext>`)
	}
	b.WriteString(`</samlp:AuthnRequest>`)
	return b.Bytes()
}

// deflaters are kept because making one costs 800 KB, a hundred times what a request needs.
var deflaters = sync.Pool{New: func() any {
	w, err := flate.NewWriter(nil, flate.BestSpeed)
	if err != nil {
		panic(err) // only for levels that do not exist
	}
	return w
}}

// deflated is the DEFLATE encoding of SAML Bindings 2.0 §3.4.4.1, in base64.
func deflated(data []byte) string {
	var b bytes.Buffer
	w := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(w)
	w.Reset(&b)
	w.Write(data) // a bytes.Buffer does not fail
	w.Close()
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

package saml

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/iomete/saml/internal/outgoing"
	"github.com/iomete/saml/internal/page"
	"github.com/iomete/saml/internal/seal"
)

// An AuthnRequest is a login that was begun (SP-initiated sign-in, SAML Core 2.0 §3.4.1). Send the
// browser to URL, or answer with Form if URL is empty, and keep State in that browser.
type AuthnRequest struct {
	ID string // "_" and 32 hex digits: 128 random bits
	// URL is the login URL with the request in its query: HTTP-Redirect binding (SAML Bindings 2.0
	// §3.4). Empty if Form is used instead.
	URL string
	// Form carries the request by the HTTP-POST binding (SAML Bindings 2.0 §3.5), if the identity
	// provider has no HTTP-Redirect address or LoginOptions.POST asks for it; otherwise nil.
	Form  *RequestForm
	State string // the sealed pending login, for FormResponse.State
}

// A RequestForm is what a browser posts to the identity provider.
type RequestForm struct {
	Action      string // the address to post to
	SAMLRequest string // base64 of the request
}

// ServeHTTP answers with a page that posts the form at once, by script or by its button.
func (f *RequestForm) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	page.Post{Title: textSignIn, Action: f.Action, Field: "SAMLRequest"}.Write(w, []byte(f.SAMLRequest))
}

// LoginOptions are what one login may ask for. The zero value is the usual login.
type LoginOptions struct {
	ReturnTo   string // local path with query and fragment to come back to, at most 8 KiB; Login.ReturnTo
	LoginHint  string // address to fill in at the identity provider (Entra: login_hint)
	ForceAuthn bool   // ask for a fresh sign-in, and refuse an older one
	POST       bool   // send the request by a form even if the identity provider takes it in the query
	Purpose    string // opaque, for the caller; Login.Purpose
	// IsPassive asks the identity provider not to show anything to the user (SAML Core 2.0 §3.4.1):
	// only somebody who is signed in there already is signed in here. If the identity provider
	// would have to ask, the login ends with CodeNoPassive; begin another one without IsPassive
	// then. Together with ForceAuthn it succeeds only if the identity provider can sign the user in
	// anew without a page, as by Kerberos.
	IsPassive bool
}

// StartLogin begins a login. The error is always an *Error: CodeConfig for options that cannot be
// used, CodeNotConfigured and CodeIdentityProvider if there are no settings or they cannot be read,
// CodeMetadataLoginURL if they have no usable login URL, CodeKeyUnavailable if the signing key cannot
// be used at the moment, CodeInternal if what it signs is not verified by its certificate.
func (sp *ServiceProvider) StartLogin(ctx context.Context, o LoginOptions) (*AuthnRequest, error) {
	r, err := sp.startLogin(ctx, o, nil)
	err = sp.completed(ctx, err)
	sp.observeStart(ctx, r, err)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// startLogin makes the request. If bind is nil, its ID is random and State has the pending login.
// Otherwise bind returns the ID, which stands for the pending login, and there is no State.
func (sp *ServiceProvider) startLogin(ctx context.Context, o LoginOptions, bind func(pendingLogin) string) (*AuthnRequest,
	*Error) {
	idp, refusal := sp.snapshot(ctx)
	if refusal != nil {
		return nil, refusal
	}
	if o.ReturnTo != "" && !localPath(o.ReturnTo) {
		return nil, refuse(CodeConfig, "LoginOptions.ReturnTo is not a path on this host", o.ReturnTo,
			"/path?query#fragment of at most 8192 bytes").hintOfField("ReturnTo")
	}
	if sp.config.Trial && o.Purpose == "" {
		return nil, refuse(CodeConfig, "the settings are on trial, and the login has no purpose", "",
			"LoginOptions.Purpose").hintOfField("Purpose")
	}
	byForm := idp.loginURL == "" || o.POST && idp.loginPOST != ""
	login := idp.loginURL
	if byForm {
		login = idp.loginPOST
	}
	if err := sp.checkLoginURL(login); err != nil {
		return nil, err.inField(FieldLoginURL)
	}
	pending := sp.newPending(idp, o)
	if bind != nil {
		pending.RequestID = bind(pending)
	}
	request := outgoing.AuthnRequest{ID: pending.RequestID, IssueInstant: pending.issuedAt(), Destination: login,
		RedirectURL: sp.redirectURL,
		EntityID:    sp.entityID, ForceAuthn: o.ForceAuthn, IsPassive: o.IsPassive, Contexts: pending.AuthnContexts}
	r := &AuthnRequest{ID: pending.RequestID}
	if bind == nil {
		r.State = pending.seal(sp.sealer, sp.pendingContext())
	}
	var err error
	if byForm {
		r.Form, err = sp.requestForm(ctx, request, o.LoginHint)
	} else {
		r.URL, err = sp.requestURL(ctx, request, o.LoginHint)
	}
	if err != nil {
		return nil, notSigned("the request", err)
	}
	return r, nil
}

func (sp *ServiceProvider) newPending(idp *IdentityProvider, o LoginOptions) pendingLogin {
	return pendingLogin{RequestID: newRequestID(), IssuedMilli: sp.config.Now().UnixMilli(),
		IdentityProvider: idp.entityID,
		ReturnTo:         o.ReturnTo, Purpose: o.Purpose, ForceAuthn: o.ForceAuthn, AuthnContexts: sp.config.RequestedAuthnContexts}
}

// newRequestID returns an NCName, which Entra insists on (AADSTS7500529).
func newRequestID() string {
	var random [16]byte
	rand.Read(random[:])
	return "_" + hex.EncodeToString(random[:])
}

// requestURL puts the request into the query of the login URL, whose own query stays as it is. The
// signature, if any, is over SAMLRequest and SigAlg alone.
func (sp *ServiceProvider) requestURL(ctx context.Context, r outgoing.AuthnRequest, loginHint string) (string, error) {
	document, err := r.XML()
	if err != nil {
		return "", err
	}
	separator := byte('?')
	if strings.Contains(r.Destination, "?") {
		separator = '&'
	}
	b := make([]byte, 0, len(r.Destination)+len(loginHint)+len(document)+64) // a request is half as long in the query
	b = append(append(b, r.Destination...), separator)
	at := len(b)
	b = appendCompressed(append(b, "SAMLRequest="...), document)
	if signer := sp.signer(ctx); signer != nil {
		query, err := signer.SignQuery(string(b[at:]))
		if err != nil {
			return "", err
		}
		b = append(b[:at], query...)
	}
	if hint := hintQuery(loginHint); hint != "" {
		b = append(append(b, '&'), hint...)
	}
	return string(b), nil
}

// requestDeflaters are for requests alone: what they keep of the last one is our own text, which nobody
// else wrote and which went through a browser in the clear. Reset forgets it before the next one.
var requestDeflaters = sync.Pool{New: newDeflater}

// appendCompressed appends a request as the value of a parameter: DEFLATE, base64 and percent-encoding
// (SAML Bindings 2.0 §3.4.4.1).
func appendCompressed(b, request []byte) []byte {
	var compressed bytes.Buffer
	compressed.Grow(len(request)) // it takes less, since most of a request is names of the specification
	w := requestDeflaters.Get().(*flate.Writer)
	w.Reset(&compressed)
	w.Write(request) // a bytes.Buffer does not fail
	w.Close()
	requestDeflaters.Put(w)
	return appendEscapedBase64(b, compressed.Bytes())
}

// appendEscapedBase64 appends base64 in a query: +, / and = as escapes.
func appendEscapedBase64(b, data []byte) []byte {
	var room [1 << 10]byte // enough for most requests
	for _, c := range base64.StdEncoding.AppendEncode(room[:0], data) {
		switch c {
		case '+':
			b = append(b, "%2B"...)
		case '/':
			b = append(b, "%2F"...)
		case '=':
			b = append(b, "%3D"...)
		default:
			b = append(b, c)
		}
	}
	return b
}

func (sp *ServiceProvider) requestForm(ctx context.Context, r outgoing.AuthnRequest, loginHint string) (*RequestForm,
	error) {
	var document []byte
	var err error
	if signer := sp.signer(ctx); signer != nil {
		document, err = r.SignedXML(*signer)
	} else {
		document, err = r.XML()
	}
	if err != nil {
		return nil, err
	}
	return &RequestForm{Action: addQuery(r.Destination, hintQuery(loginHint)),
		SAMLRequest: base64.StdEncoding.EncodeToString(document)}, nil
}

func hintQuery(loginHint string) string {
	if loginHint == "" {
		return ""
	}
	return "login_hint=" + url.QueryEscape(loginHint)
}

// deflaters are kept because making one costs 800 KB, a hundred times what a request needs. They compress
// logout messages and the pages that logins lead to, and keep some of that text. Nothing reads it: Reset
// lets no later stream refer to what came before, and no string or slice points into a flate.Writer.
var deflaters = sync.Pool{New: newDeflater}

func newDeflater() any {
	w, err := flate.NewWriter(nil, flate.BestSpeed)
	if err != nil {
		panic(err) // only for levels that do not exist
	}
	return w
}

// deflated returns the DEFLATE encoding of SAML Bindings 2.0 §3.4.4.1, in base64.
func deflated(data []byte) string {
	var b bytes.Buffer
	deflate(&b, data)
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

// deflate appends compressed data to b.
func deflate(b *bytes.Buffer, data []byte) {
	w := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(w)
	w.Reset(b)
	w.Write(data) // a bytes.Buffer does not fail
	w.Close()
}

// pendingLogin is what we remember, sealed and in the browser, between request and response.
type pendingLogin struct {
	RequestID        string   `json:"i"`
	IssuedMilli      int64    `json:"t"` // Unix time in milliseconds
	IdentityProvider string   `json:"p"` // entity ID that was asked
	ReturnTo         string   `json:"r,omitempty"`
	Purpose          string   `json:"u,omitempty"`
	ForceAuthn       bool     `json:"f,omitempty"`
	AuthnContexts    []string `json:"c,omitempty"`
}

func (p *pendingLogin) issuedAt() time.Time { return time.UnixMilli(p.IssuedMilli).UTC() }

func (p *pendingLogin) expiresAt() time.Time { return p.issuedAt().Add(pendingLifetime) }

// pendingLifetime is how long a user may take at the identity provider.
const pendingLifetime = 60 * time.Minute

// pendingContext binds pending logins to tenant and service provider. The request ID is inside the
// sealed value.
func (sp *ServiceProvider) pendingContext() seal.Context {
	return seal.Context{Purpose: "saml pending login", Name: "saml_login", Tenant: sp.config.Tenant,
		EntityID: sp.entityID}
}

// seal returns the state: the tenant, so that a Handler can find its settings, and the sealed
// login, which is bound to it.
func (p pendingLogin) seal(s *seal.Sealer, c seal.Context) string {
	var plaintext bytes.Buffer
	e := json.NewEncoder(&plaintext)
	e.SetEscapeHTML(false) // a return_to is full of &, which would take six bytes each
	if err := e.Encode(p); err != nil {
		panic(err) // strings, a number and a bool always marshal
	}
	return tenantText.EncodeToString([]byte(c.Tenant)) + "." + s.Seal(c, bytes.TrimSpace(plaintext.Bytes()))
}

var tenantText = base64.RawURLEncoding.Strict()

// tenantOf returns the tenant that a state names. This proves nothing until the seal is open.
func tenantOf(state string) (string, bool) {
	text, _, ok := strings.Cut(state, ".")
	tenant, err := tenantText.DecodeString(text)
	return string(tenant), ok && err == nil
}

func openPending(s *seal.Sealer, c seal.Context, state string, now time.Time, skew time.Duration) (p pendingLogin,
	refusal *Error) {
	tenant, named := tenantOf(state)
	_, sealed, _ := strings.Cut(state, ".")
	plaintext, ok := s.Open(c, sealed)
	if !ok || !named || tenant != c.Tenant || json.Unmarshal(plaintext, &p) != nil || p.RequestID == "" {
		return pendingLogin{}, invalidState()
	}
	return p, p.timely(now, skew)
}

// timely refuses a login that nobody can have begun yet, or that was begun too long ago.
func (p *pendingLogin) timely(now time.Time, skew time.Duration) *Error {
	if p.issuedAt().After(now.Add(skew)) {
		refusal := refuse(CodeStateInvalid, "the pending login comes from the future", showTime(p.issuedAt()), "")
		// the keys are right: the seal was good
		refusal.Hint = "Set the clocks of all replicas by NTP, and sign in again."
		return refusal
	}
	if !now.Before(p.expiresAt()) {
		return refuse(CodeStateExpired, "the sign-in took too long", "begun "+showTime(p.issuedAt()),
			"at most "+pendingLifetime.String())
	}
	return nil
}

func invalidState() *Error {
	return refuse(CodeStateInvalid, "the pending login cannot be opened", "",
		"one that this service sealed for this tenant").atStep(stepState)
}

func (sp *ServiceProvider) observeStart(ctx context.Context, r *AuthnRequest, err *Error) {
	if err != nil {
		sp.observe(ctx, Event{Kind: LoginRefused, Err: err})
		return
	}
	sp.observe(ctx, Event{Kind: LoginStarted, RequestID: r.ID})
}

package saml

import (
	"context"
	"crypto"
	"errors"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/iomete/saml/internal/dsig"
	"github.com/iomete/saml/internal/xmlenc"
	"github.com/iomete/saml/internal/xmltree"
)

// A ServiceProvider begins logins at one identity provider and finishes them. It is immutable, safe for concurrent use
// and cheap: a console may hold thousands.
type ServiceProvider struct {
	config      Config // with defaults filled in
	redirectURL string
	entityID    string
	recipients  []string // Redirect URLs that a response may be addressed to, ours first
	audiences   []string // names that an assertion may be meant for, ours first
	skew        time.Duration
	refusals    *refusalLog
	store       Store
	decrypters  []crypto.Decrypter // of Config.DecryptionKeys
}

// RedirectURL is BaseURL + RedirectPath: where responses are received, and by default our entity ID and sign-on URL too.
func (sp *ServiceProvider) RedirectURL() string { return sp.redirectURL }

// RedirectPath is the path of RedirectURL, for registering a handler.
func (sp *ServiceProvider) RedirectPath() string { return sp.config.RedirectPath }

// EntityID is our name at the identity provider.
func (sp *ServiceProvider) EntityID() string { return sp.entityID }

// Tenant is Config.Tenant.
func (sp *ServiceProvider) Tenant() string { return sp.config.Tenant }

// IdentityProvider is whom we trust at this moment. The error is an *Error with CodeIdentityProvider.
func (sp *ServiceProvider) IdentityProvider(ctx context.Context) (*IdentityProvider, error) {
	idp, err := sp.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	return idp, nil
}

// A FormResponse is what the browser brought back from the identity provider.
type FormResponse struct {
	SAMLResponse string // the form value: base64
	// State is AuthnRequest.State of the login that this browser began. With neither State nor RequestID the response
	// is unsolicited, and refused unless Config.Unsolicited allows it.
	State string
	// RequestID is the ID of the request that is answered, for tools and tests that keep no State. It must come from a
	// place that the browser cannot choose.
	RequestID string
}

// A Login is a finished sign-in.
type Login struct {
	Identity  *Identity
	Assertion *Assertion
	RequestID string // of the request that was answered, "" for an unsolicited response
	ReturnTo  string // LoginOptions.ReturnTo of the request, "" if there was none
	Tenant    string // Config.Tenant
	EntityID  string // ServiceProvider.EntityID: ours
	Purpose   string // LoginOptions.Purpose of the request
}

// FinishLogin checks a response and says who signed in. The steps are those of Checks, in their order. The error is
// always an *Error; on error nothing was used up, unless it is CodeStore, or CodeReplayed for an assertion that was used before.
func (sp *ServiceProvider) FinishLogin(ctx context.Context, r FormResponse) (*Login, error) {
	login, err := sp.finish(ctx, r, allChecks)
	sp.observeFinish(ctx, login, err)
	if err != nil {
		return nil, err
	}
	return login, nil
}

func (sp *ServiceProvider) finish(ctx context.Context, r FormResponse, checks checkList) (*Login, *Error) {
	m, unreadable := readMessage(r.SAMLResponse)
	return sp.judge(ctx, m, unreadable, r, checks)
}

// judge is the one way of a response, for FinishLogin and Handler alike: the message, the pending login, the checks of what nobody signed, the
// signatures, the checks of what was signed, the claims. If the message could not be read, unreadable says why, and the pending login is opened only to know
// where the user was going.
func (sp *ServiceProvider) judge(ctx context.Context, m *wireResponse, unreadable *Error, r FormResponse, checks checkList) (*Login, *Error) {
	a := &attempt{sp: sp, now: sp.config.Now(), message: m, cancelClaims: func() {}}
	defer func() { a.cancelClaims() }()
	if len(sp.decrypters) > 0 {
		a.secret = xmlenc.ForMessage(sp.decrypters)
	}
	unexpected := a.begin(ctx, r)
	switch {
	case unreadable != nil:
		return nil, a.refused(stepMessage, unreadable)
	case unexpected != nil:
		return nil, a.refused(stepState, unexpected)
	}
	if err := run(ctx, checks.received, a); err != nil {
		return nil, a.refused("", err)
	}
	if err := a.verify(); err != nil {
		return nil, a.refused(stepSignature, err)
	}
	a.identity = newIdentity(a.assertion, &a.sp.config)
	if err := run(ctx, checks.verified, a); err != nil {
		return nil, a.refused("", err)
	}
	return &Login{Identity: a.identity, Assertion: a.assertion, RequestID: a.expect.requestID, ReturnTo: a.expect.returnTo,
		Tenant: a.sp.config.Tenant, EntityID: a.sp.entityID, Purpose: a.expect.purpose}, nil
}

// verify checks the signatures and reads the assertion from what they cover.
func (a *attempt) verify() *Error {
	keys := a.idp.publicKeys
	if len(keys) == 0 {
		return refuse(CodeWeakKey, "the identity provider has no usable key", "", "")
	}
	signed, err := a.signed(keys)
	if err != nil {
		if err.Code == CodeSignature && err.Want == "" {
			err.Want = a.idp.thumbprints()
		}
		return err
	}
	a.key = a.idp.usableKeys[signed.Key()]
	a.assertion, err = decodeAssertion(signed, a.secret)
	return err
}

// signed gives what a trusted key signed of the assertion and around it.
func (a *attempt) signed(keys []crypto.PublicKey) (dsig.Signed, *Error) {
	if a.message.encrypted() {
		return a.message.decrypt(a.secret, keys, a.sp.signaturePolicy())
	}
	return a.message.verify(keys, a.sp.signaturePolicy())
}

func (sp *ServiceProvider) signaturePolicy() dsig.Policy {
	return dsig.Policy{AllowSHA1: sp.config.InsecureAllowSHA1}
}

// refused completes an error: the step, the hint in the words of this identity provider's portal, and where the user was going.
func (a *attempt) refused(step string, err *Error) *Error {
	if step != "" {
		err.Check = step
	}
	if a.idp != nil && err.Hint == hints[err.Code] {
		err.Hint = a.idp.hint(err.Code)
	}
	err.ReturnTo, err.requestID = a.expect.returnTo, a.expect.requestID
	return err
}

// begin finds out what to expect: which request this browser made, of which identity provider.
func (a *attempt) begin(ctx context.Context, r FormResponse) *Error {
	sp := a.sp
	var err *Error
	if a.idp, err = sp.snapshot(ctx); err != nil {
		return err
	}
	switch {
	case r.State != "":
		return a.beginWithState(r.State)
	case r.RequestID != "":
		a.expect = expectation{requestID: r.RequestID, issuedAt: a.now, expiresAt: a.now.Add(pendingLifetime),
			contexts: sp.config.RequestedAuthnContexts}
	case sp.config.Unsolicited == AllowUnsolicited:
		a.expect = expectation{unsolicited: true, contexts: sp.config.RequestedAuthnContexts}
	default:
		return refuse(CodeUnsolicited, "the response answers no sign-in that this browser began", "", "")
	}
	return nil
}

// snapshot is the identity provider as it is trusted now.
func (sp *ServiceProvider) snapshot(ctx context.Context) (*IdentityProvider, *Error) {
	idp, err := sp.config.IdentityProvider.Snapshot(ctx)
	if isNil(err) { // also a nil *Error
		err = nil
	}
	if err == nil && idp == nil { // also a nil *IdentityProvider, which is its own snapshot
		err = errors.New("the source gave neither settings nor an error")
	}
	if err != nil {
		return nil, refuse(CodeIdentityProvider, "the settings of the identity provider cannot be read", "", "").withCause(err)
	}
	return idp, nil
}

func (a *attempt) beginWithState(state string) *Error {
	sp := a.sp
	p, err := openPending(sp.sealer(), sp.pendingContext(), state, a.now, sp.skew)
	a.expect.returnTo, a.expect.requestID = p.ReturnTo, p.RequestID // for the refusal: a login that cannot be finished any more
	if err != nil {
		return err
	}
	if p.IdentityProvider != a.idp.entityID {
		return refuse(CodeIdentityProvider, "the settings changed while the user was signing in", a.idp.entityID, quote(p.IdentityProvider))
	}
	if since := sp.remembersSince(); p.issuedAt().Before(since.Truncate(time.Millisecond)) {
		return storeYoung("the sign-in began", p.issuedAt(), since)
	}
	a.expect = expectation{sealed: true, requestID: p.RequestID, issuedAt: p.issuedAt(), expiresAt: p.expiresAt(), forceAuthn: p.ForceAuthn,
		contexts: p.AuthnContexts, returnTo: p.ReturnTo, purpose: p.Purpose}
	return nil
}

// remembersSince returns since when the Store remembers what was used up, the zero time if it forgets nothing.
func (sp *ServiceProvider) remembersSince() time.Time {
	if s, ok := sp.store.(ForgetfulStore); ok {
		return s.RemembersSince()
	}
	return time.Time{}
}

func storeYoung(what string, at, since time.Time) *Error {
	return refuse(CodeStoreYoung, what+" before the Store began to remember what was used up", showTime(at), "after "+showTime(since))
}

func isNCName(s string) bool { return xmltree.IsNCName(s) }

func (p *IdentityProvider) thumbprints() string {
	var list []string
	for _, k := range p.usableKeys {
		list = append(list, thumbprint(k.der))
	}
	return "a certificate with SHA-1 thumbprint " + strings.Join(list, " or ")
}

// New makes a service provider. All faults of the configuration are reported at once, as joined *Error values.
func New(config Config) (*ServiceProvider, error) {
	sp := &ServiceProvider{config: config, refusals: &refusalLog{}}
	c := &sp.config
	if c.RedirectPath == "" {
		c.RedirectPath = DefaultRedirectPath
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	sp.skew = max(c.ClockSkew, 0)
	if c.ClockSkew == 0 {
		sp.skew = defaultClockSkew
	}
	if err := c.validate(); err != nil {
		return nil, err
	}
	sp.redirectURL = strings.TrimSuffix(c.BaseURL, "/") + c.RedirectPath
	sp.entityID = c.EntityID
	if sp.entityID == "" {
		sp.entityID = sp.redirectURL
	}
	c.RequestedAuthnContexts = slices.Clone(c.RequestedAuthnContexts)
	sp.recipients = append([]string{sp.redirectURL}, c.FormerRedirectURLs...)
	sp.audiences = append([]string{sp.entityID}, c.FormerEntityIDs...)
	c.StateKeys = cloneKeys(c.StateKeys)
	c.DecryptionKeys = slices.Clone(c.DecryptionKeys)
	for _, k := range c.DecryptionKeys {
		sp.decrypters = append(sp.decrypters, k.Key)
	}
	sp.store = c.Store
	if sp.store == nil {
		sp.store = newMemoryStore(c.Now)
		c.Logger.Warn("saml: no Store configured: used-up responses are remembered by this process alone")
	}
	if err := sp.checkIdentityProvider(); err != nil {
		return nil, err
	}
	return sp, nil
}

func cloneKeys(keys [][]byte) [][]byte {
	list := make([][]byte, len(keys))
	for i, k := range keys {
		list[i] = slices.Clone(k)
	}
	return list
}

// checkIdentityProvider refuses settings that nobody could sign in with, or that were pasted into the wrong field.
func (sp *ServiceProvider) checkIdentityProvider() error {
	idp, err := sp.snapshot(context.Background())
	if err != nil {
		return err
	}
	var faults []error
	if err := idp.checkAgainst(sp); err != nil {
		faults = append(faults, err)
	}
	if len(idp.usableKeys) == 0 {
		faults = append(faults, idp.noUsableKey())
	}
	if err := sp.checkLoginURL(idp.LoginURL()); err != nil {
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// noUsableKey says why, in the words of the first key.
func (p *IdentityProvider) noUsableKey() *Error {
	for _, k := range p.keys {
		if k.unusable != nil {
			return k.unusable
		}
	}
	return refuse(CodeMetadataKeys, "the identity provider has no signing key", "", "")
}

func (sp *ServiceProvider) checkLoginURL(login string) *Error {
	if err := checkEndpoint(login); err != nil {
		return err
	}
	u, _ := url.Parse(login)
	if u.Scheme == "http" && !isLoopback(u.Hostname()) && !sp.config.InsecureAllowHTTP {
		return refuse(CodeMetadataLoginURL, "the login URL is not https: passwords would travel in the clear", login, "https://...")
	}
	return nil
}

package saml

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/iomete/saml/internal/wire"
)

//lint:file-ignore ST1020 the doc comment of Verify begins with what its caller must do

// A Verifier verifies SAML responses for one relying party and one identity provider, without
// logins, cookies or a Store. Use it if a service has its own way to begin logins and to remember
// what was used; otherwise use ServiceProvider, which does both. It is immutable and safe for
// concurrent use. Make a new one if the settings of the identity provider change.
type Verifier struct {
	policy
	idp *IdentityProvider
}

// A VerifierConfig describes whose responses a Verifier accepts, and for whom they must be made.
// Names that begin with Insecure or Allow weaken it.
type VerifierConfig struct {
	// Issuer is the entity ID of the identity provider that must have issued the response
	// (IdentityProvider.EntityID), compared byte for byte. Required.
	Issuer string

	// Keys are those that the identity provider signs with (ParseKeys, IdentityProvider.Keys): at
	// least one that is usable, at most 16. Required.
	Keys []TrustedKey

	// EntityID is our name at the identity provider, 1 to 1024 bytes: each response must have it as
	// an audience. Required.
	EntityID string

	// FormerEntityIDs are accepted as audiences too; see Config.FormerEntityIDs.
	FormerEntityIDs []string

	// RedirectURLs are the URLs of our assertion consumer service (ACS), absolute and https, the current
	// one first: each response must be addressed to one of them. Required.
	RedirectURLs []string

	// Tenant is part of the account keys of Identity and of the keys of Claim; see Config.Tenant.
	Tenant string

	// The policies of Config, with the same meaning and the same defaults.
	NameID                    NameIDPolicy
	AllowInternationalEmail   bool
	Claims                    Claims
	RequireObjectID           bool
	RequestedAuthnContexts    []string
	DecryptionKeys            []DecryptionKey
	RequireSignedResponse     bool
	RefuseCBC                 bool
	KeyTimeout                time.Duration
	KeyCalls                  int
	ClockSkew                 time.Duration
	RefuseExpiredCertificates bool
	OnlyAlgorithms            []string
	InsecureAllowSHA1         bool
	InsecureAllowHTTP         bool

	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// VerifyOptions say which request a response must answer. One of RequestID and AllowUnsolicited is
// required.
type VerifyOptions struct {
	// RequestID is the ID of the AuthnRequest that this browser was sent to the identity provider
	// with. It must come from a place that the browser cannot choose.
	RequestID string

	// AllowUnsolicited accepts a response that answers no request (IdP-initiated sign-in), and no
	// other. This is open to login CSRF: attackers can sign a victim's browser in to their own
	// account.
	AllowUnsolicited bool

	// RequestedAt is when the request was made. With it, the user must have signed in at the
	// identity provider after that, as a request with ForceAuthn demands. Default: any time.
	RequestedAt time.Time
}

// A VerifiedResponse passed every check but one: nobody looked whether it was used before.
type VerifiedResponse struct {
	Identity  *Identity
	Assertion *Assertion
	RequestID string // VerifyOptions.RequestID, "" for an unsolicited response

	// Claims are what the caller must claim, in this order: the request, if there is one, and the
	// assertion.
	Claims []Claim
}

// NewVerifier returns a Verifier. All faults of the configuration are reported at once, as joined
// *Error values.
func NewVerifier(c VerifierConfig) (*Verifier, error) {
	f := faults{of: "VerifierConfig"}
	idp := &IdentityProvider{entityID: c.Issuer}
	if err := checkEntityID(c.Issuer); err != nil {
		f.list = append(f.list, err.inField("Issuer"))
	}
	for _, err := range idp.checkAgainst(c.RedirectURLs) {
		f.list = append(f.list, err.inField("Issuer"))
	}
	var err *Error
	if idp.keys, err = uniqueKeys(c.Keys); err != nil {
		f.list = append(f.list, err.inField("Keys"))
	}
	if idp.finish(); err == nil && len(idp.usableKeys) == 0 {
		f.list = append(f.list, idp.noUsableKey().inField("Keys"))
	}
	if c.EntityID == "" {
		f.add("EntityID", "is missing", "", "the name of this service at the identity provider")
	}
	f.entityIDs(c.EntityID, c.FormerEntityIDs)
	if len(c.RedirectURLs) == 0 {
		f.add("RedirectURLs", "is empty", "", "https://host[:port]/path")
	}
	f.urls("RedirectURLs", c.RedirectURLs, c.InsecureAllowHTTP)
	f.policies(c.NameID, c.ClockSkew, c.RequestedAuthnContexts)
	c.Claims.faults(&f)
	f.onlyAlgorithms(c.OnlyAlgorithms, c.InsecureAllowSHA1)
	f.decryptionKeys(c.DecryptionKeys)
	f.keyBounds(c.KeyTimeout, c.KeyCalls)
	if err := errors.Join(f.list...); err != nil {
		return nil, completeAll(err, idp)
	}
	p := policy{
		tenant: c.Tenant, entityID: c.EntityID, redirectURL: c.RedirectURLs[0],
		recipients: slices.Clone(c.RedirectURLs), audiences: append([]string{c.EntityID}, c.FormerEntityIDs...),
		contexts: slices.Clone(c.RequestedAuthnContexts), decrypters: decrypters(c.DecryptionKeys), skew: skew(c.ClockSkew), now: c.Now,
		nameID: c.NameID, allowInternationalEmail: c.AllowInternationalEmail, requireObjectID: c.RequireObjectID,
		requireSignedResponse: c.RequireSignedResponse, refuseCBC: c.RefuseCBC, refuseExpiredCertificates: c.RefuseExpiredCertificates, allowSHA1: c.InsecureAllowSHA1,
		only: onlyThese(c.OnlyAlgorithms), claims: c.Claims.names(), keyBounds: keyBounds(c.KeyTimeout, c.KeyCalls),
	}
	if p.now == nil {
		p.now = time.Now
	}
	return &Verifier{p, idp}, nil
}

// The caller must claim both keys, or the response can be replayed.
//
// It takes the form value SAMLResponse and passes all steps of Checks in their order but the two
// claims: VerifiedResponse.Claims has the keys for Store.Claim. Only if each of them was claimed
// for the first time, the user is signed in. The error is always an *Error.
func (v *Verifier) Verify(ctx context.Context, samlResponse string, o VerifyOptions) (*VerifiedResponse, error) {
	r, err := v.verify(ctx, samlResponse, o, allChecks)
	if err != nil {
		return nil, err
	}
	return r, nil
}

func (v *Verifier) verify(ctx context.Context, samlResponse string, o VerifyOptions,
	checks checkList) (*VerifiedResponse, *Error) {
	if v.idp == nil {
		return nil, refuse(CodeConfig, "the Verifier was not made by NewVerifier", "", "").
			advised("Call NewVerifier and check its error; the zero Verifier trusts nobody.")
	}
	if o.RequestID != "" && o.AllowUnsolicited {
		return nil, refuse(CodeConfig, "VerifyOptions has a RequestID and AllowUnsolicited",
			strconv.Quote(o.RequestID), "one of them").
			advised("Set RequestID if the user's browser began a login, and AllowUnsolicited only if none was begun.")
	}
	a := &attempt{policy: &v.policy, idp: v.idp, now: v.now()}
	a.expect = expectation{requestID: o.RequestID, unsolicited: o.AllowUnsolicited, issuedAt: o.RequestedAt,
		forceAuthn: !o.RequestedAt.IsZero(),
		expiresAt:  a.now.Add(pendingLifetime), contexts: v.contexts}
	var unreadable error
	if a.message, unreadable = wire.Read(samlResponse); unreadable != nil {
		return nil, a.refused(stepMessage, fromFault(unreadable))
	}
	r, err := v.judge(ctx, a, o, checks)
	a.message.Release() // r and err hold strings, and no element of the message
	return r, err
}

// judge is verify for a message that was read.
func (v *Verifier) judge(ctx context.Context, a *attempt, o VerifyOptions, checks checkList) (*VerifiedResponse, *Error) {
	if o.RequestID == "" && !o.AllowUnsolicited {
		return nil, a.refused(stepState, unexpectedResponse())
	}
	if err := a.check(ctx, checks); err != nil {
		return nil, err
	}
	r := &VerifiedResponse{Identity: a.identity, Assertion: a.assertion, RequestID: o.RequestID}
	if !a.expect.unsolicited {
		r.Claims = append(r.Claims, a.requestClaim())
	}
	r.Claims = append(r.Claims, a.assertionClaim())
	return r, nil
}

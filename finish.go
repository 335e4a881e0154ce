package saml

import (
	"context"
	"crypto"
	"errors"
	"time"

	"github.com/iomete/saml/internal/dsig"
	"github.com/iomete/saml/internal/wire"
)

// A FormResponse is what the browser brought back from the identity provider.
type FormResponse struct {
	SAMLResponse string // the form value: base64
	// State is AuthnRequest.State of the login that this browser began. With neither State nor
	// RequestID the response is unsolicited, and refused unless Config.Unsolicited allows it.
	State string
	// RequestID is the ID of the request that is answered, for tools and tests that keep no State.
	// It must come from a place that the browser cannot choose.
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

	// SigningKey is the key that made the signature: TrustedKey.ID of one of IdentityProvider.Keys.
	// Sessions of your own should keep it, so that they can end with the key.
	SigningKey KeyID
}

// FinishLogin verifies a response and reports who signed in. It takes the steps of Checks in their
// order. The error is always an *Error. After an error nothing was used up, unless the code is
// CodeStore, or CodeReplayed for an assertion that was used before (replay).
func (sp *ServiceProvider) FinishLogin(ctx context.Context, r FormResponse) (*Login, error) {
	login, err := sp.finish(ctx, r, allChecks)
	sp.observeFinish(ctx, login, err)
	if err != nil {
		return nil, err
	}
	return login, nil
}

// An answer is what a browser brought back: as callers of FinishLogin keep it, or as a Handler does.
type answer struct {
	FormResponse
	bound *boundLogin // nil for callers of FinishLogin, and for an unsolicited response
}

func (sp *ServiceProvider) finish(ctx context.Context, r FormResponse, checks checkList) (*Login, *Error) {
	m, unreadable := wire.Read(r.SAMLResponse)
	login, err := sp.judge(ctx, m, unreadable, answer{FormResponse: r}, checks)
	m.Release() // login and err hold strings, and no element of the message
	return login, err
}

// judge is the one pipeline for responses, for FinishLogin and Handler alike: the message, the
// pending login, the checks of what nobody signed, the signatures, the checks of what was signed,
// the claims. If the message could not be read, unreadable says why, and the pending login is
// opened only to learn where the user was going.
func (sp *ServiceProvider) judge(ctx context.Context, m *wire.Response, unreadable error, r answer,
	checks checkList) (*Login, *Error) {
	a := &attempt{policy: &sp.policy, now: sp.now(), message: m, store: sp.store, cancelClaims: func() {}}
	defer func() { a.cancelClaims() }()
	unexpected := sp.begin(ctx, a, r)
	switch {
	case unreadable != nil:
		return nil, a.refused(stepMessage, fromFault(unreadable))
	case unexpected != nil:
		return nil, a.refused(stepState, unexpected)
	}
	err := a.check(ctx, checks)
	sp.noticeHiddenKey(ctx, a)
	if err != nil {
		err = sp.checkAgain(ctx, a, checks, err)
	}
	if err != nil {
		return nil, err
	}
	if err := run(ctx, checks.claims, a); err != nil {
		return nil, a.refused("", err)
	}
	return &Login{Identity: a.identity, Assertion: a.assertion, RequestID: a.expect.requestID,
		ReturnTo: a.expect.returnTo,
		Tenant:   sp.tenant, EntityID: sp.entityID, Purpose: a.expect.purpose, SigningKey: a.key.ID()}, nil
}

// check is the part of the pipeline that a Verifier has too: everything but the claims. It reads
// the message, and fills in assertion and identity.
func (a *attempt) check(ctx context.Context, checks checkList) *Error {
	a.openKeys(ctx, a.message.ResponseSignature.Exists())
	if err := run(ctx, checks.received, a); err != nil {
		return a.refused("", err)
	}
	if err := a.orUnavailable(a.verify()); err != nil {
		if err.Check != "" { // a check of the list, made early
			return a.refused("", err)
		}
		return a.refused(stepSignature, err)
	}
	a.identity = newIdentity(a.assertion, a.policy)
	if err := run(ctx, checks.verified, a); err != nil {
		return a.refused("", err)
	}
	return nil
}

// begin finds out what to expect: which request this browser made, of which identity provider.
func (sp *ServiceProvider) begin(ctx context.Context, a *attempt, r answer) *Error {
	var err *Error
	if a.idp, err = sp.snapshot(ctx); err != nil {
		return err
	}
	switch {
	case r.bound != nil:
		p, err := sp.openBound(a.idp, r.bound, a.now)
		return sp.expectAnswer(a, p, err)
	case r.State != "":
		return sp.beginWithState(a, r.State)
	case r.RequestID != "":
		a.expect = expectation{requestID: r.RequestID, issuedAt: a.now, expiresAt: a.now.Add(pendingLifetime),
			contexts: sp.contexts}
	case sp.config.Unsolicited == AllowUnsolicited:
		a.expect = expectation{unsolicited: true, contexts: sp.contexts}
	default:
		return unexpectedResponse()
	}
	return nil
}

func (sp *ServiceProvider) beginWithState(a *attempt, state string) *Error {
	p, err := openPending(sp.sealer, sp.pendingContext(), state, a.now, sp.skew)
	return sp.expectAnswer(a, p, err)
}

// expectAnswer expects the answer to a pending login, unless err or the settings of today forbid it.
func (sp *ServiceProvider) expectAnswer(a *attempt, p pendingLogin, err *Error) *Error {
	// for the refusal: a login that cannot be finished any more
	a.expect.returnTo, a.expect.requestID = p.ReturnTo, p.RequestID
	if err != nil {
		return err
	}
	if p.IdentityProvider != a.idp.entityID {
		want := "the settings with which the login began" // a Handler keeps no more than a digest of them
		if p.IdentityProvider != "" {
			want = quote(p.IdentityProvider)
		}
		return refuse(CodeIdentityProvider, "the settings changed while the user was signing in", a.idp.entityID, want)
	}
	if since := remembersSince(sp.store); p.issuedAt().Before(since.Truncate(time.Millisecond)) {
		return storeYoung("the sign-in began", p.issuedAt(), since)
	}
	a.expect = expectation{sealed: true, requestID: p.RequestID, issuedAt: p.issuedAt(), expiresAt: p.expiresAt(),
		forceAuthn: p.ForceAuthn,
		contexts:   p.AuthnContexts, returnTo: p.ReturnTo, purpose: p.Purpose}
	return nil
}

func unexpectedResponse() *Error {
	return refuse(CodeUnsolicited, "the response answers no sign-in that this browser began", "", "")
}

// remembersSince returns since when a Store remembers what was used up, the zero time if it forgets
// nothing.
func remembersSince(store Store) time.Time {
	if s, ok := store.(ForgetfulStore); ok {
		return s.RemembersSince()
	}
	return time.Time{}
}

func storeYoung(what string, at, since time.Time) *Error {
	return refuse(CodeStoreYoung, what+" before the Store began to remember what was used up", showTime(at),
		"after "+showTime(since))
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
		return a.diagnosed(err)
	}
	a.key = a.idp.usableKeys[signed.Key()]
	a.assertion, err = decodeAssertion(signed, a.secret, a.policy.nameID)
	return err
}

// signed returns what a trusted key signed: the assertion, or the response around it.
func (a *attempt) signed(keys []crypto.PublicKey) (dsig.Signed, *Error) {
	var outer func(key int) error
	if a.policy.refuseExpiredCertificates {
		outer = func(key int) error {
			if refusal := a.outsideDates(a.idp.usableKeys[key]); refusal != nil {
				return refusal
			}
			return nil
		}
	}
	var signed dsig.Signed
	var err error
	if a.message.Encrypted() {
		signed, err = a.message.Decrypt(a.secret, keys, a.policy.signaturePolicy(), outer)
	} else {
		signed, err = a.message.Verify(keys, a.policy.signaturePolicy(), outer)
	}
	var refusal *Error
	switch {
	case errors.As(err, &refusal):
		return dsig.Signed{}, refusal
	case err != nil:
		return dsig.Signed{}, fromFault(err)
	}
	return signed, nil
}

// refused completes an error: the step, the hint in the words of this identity provider's portal,
// and where the user was going.
func (a *attempt) refused(step string, err *Error) *Error {
	if step != "" {
		err.Check = step
	}
	err = err.completed(a.idp)
	err.ReturnTo, err.requestID = a.expect.returnTo, a.expect.requestID
	return err
}

func (sp *ServiceProvider) observeFinish(ctx context.Context, login *Login, err *Error) {
	if err != nil {
		sp.observe(ctx, Event{Kind: LoginRefused, RequestID: err.requestID, Err: err})
		return
	}
	sp.observe(ctx, Event{Kind: LoginSucceeded, RequestID: login.RequestID, Login: login})
	if login.Identity.GroupsOverage {
		sp.noticeOverage(ctx)
	}
}

// noticeOverage warns once that groups are missing: to the user it looks like a missing right.
func (sp *ServiceProvider) noticeOverage(ctx context.Context) {
	sp.overage.Do(func() {
		sp.config.Logger.WarnContext(ctx, "saml: the identity provider left out the groups of a user because they are too many (Identity.GroupsOverage). This is logged once",
			"tenant", sp.config.Tenant, "hint", hintOverage)
	})
}

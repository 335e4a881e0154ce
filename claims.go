package saml

import (
	"context"
	"time"

	"github.com/iomete/saml/internal/storekey"
)

// claimMargin is how long beyond the end of acceptance a claim is kept, so that nobody can replay a
// response to a replica whose clock lags.
const claimMargin = 5 * time.Minute

// claimTimeout bounds the claims of a message. They run apart from the request: a browser that
// hangs up must not leave them undecided.
const claimTimeout = 5 * time.Second

func claimRequest(ctx context.Context, a *attempt) *Error {
	if err := a.storeRemembers(); err != nil { // before anything is claimed
		return err
	}
	if a.expect.unsolicited {
		return nil
	}
	return a.claim(ctx, a.requestClaim(), a.expect.requestID, "the sign-in was already completed")
}

func (a *attempt) requestClaim() Claim {
	return a.newClaim(storekey.Request, a.expect.requestID, a.expect.expiresAt)
}

// storeRemembers guards against a response that was used before a restart. A pending login of ours
// has been compared with the Store's memory already, by our own clock. Otherwise there is only the
// identity provider's clock: if it is ahead of ours by some seconds, the last seconds before a
// restart are not guarded. Only a Store that outlives the process is sure.
func (a *attempt) storeRemembers() *Error {
	since := remembersSince(a.store)
	if a.expect.sealed || !a.assertion.IssueInstant.Before(since.Truncate(time.Millisecond)) {
		return nil
	}
	return storeYoung("the Assertion was issued", a.assertion.IssueInstant, since)
}

func claimAssertion(ctx context.Context, a *attempt) *Error {
	return a.claim(ctx, a.assertionClaim(), a.assertion.ID, "the response was already used")
}

func (a *attempt) assertionClaim() Claim {
	return a.newClaim(storekey.Assertion, a.assertion.ID, a.assertion.acceptedUntil())
}

// newClaim is for what must not be used again before until, by any replica.
func (a *attempt) newClaim(kind, value string, until time.Time) Claim {
	return Claim{Key: storekey.OfTenant(kind, a.policy.tenant, a.idp.entityID, value), TTL: until.Sub(a.now) +
		a.policy.skew + claimMargin}
}

// acceptedUntil is the moment, without skew, from which the assertion is refused as expired or too
// old.
func (s *Assertion) acceptedUntil() time.Time {
	var end time.Time
	for _, c := range s.Confirmations {
		if c.Method == methodBearer && c.NotOnOrAfter.After(end) {
			end = c.NotOnOrAfter
		}
	}
	for _, limit := range []time.Time{s.Conditions.NotOnOrAfter, s.IssueInstant.Add(maxAge)} {
		if !limit.IsZero() && limit.Before(end) {
			end = limit
		}
	}
	return end
}

func (a *attempt) claim(ctx context.Context, c Claim, value, taken string) *Error {
	if a.claims == nil {
		a.claims, a.cancelClaims = context.WithTimeout(context.WithoutCancel(ctx), claimTimeout)
	}
	first, err := a.store.Claim(a.claims, c.Key, c.TTL)
	if !isNil(err) {
		return refuse(CodeStore, "the store of used-up responses failed, so nothing can be accepted", "",
			"").withCause(err)
	}
	if !first {
		return refuse(CodeReplayed, taken, value, "")
	}
	return nil
}

// A Claim is something that may be used once: a request that is answered, or an assertion. See
// Store for what claiming is.
type Claim struct {
	Key string        // for Store.Claim: ASCII, at most 64 bytes
	TTL time.Duration // how long the key must be remembered, from now on
}

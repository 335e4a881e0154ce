package saml

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/iomete/saml/internal/storekey"
	"github.com/iomete/saml/internal/xmlenc"
)

// attempt is all that the checks look at: the message, what was signed, and what was expected.
type attempt struct {
	sp     *ServiceProvider
	idp    *IdentityProvider
	now    time.Time // one reading of the clock for the whole message
	expect expectation

	message   *wireResponse
	secret    *xmlenc.Keys // to decrypt this one message with, nil if there are none
	assertion *Assertion   // nil until the signatures are verified
	key       TrustedKey   // that verified the innermost signature
	identity  *Identity    // filled in with the assertion

	claims       context.Context // of the claims, made by the first
	cancelClaims context.CancelFunc
}

// expectation is what the pending login says about the response.
type expectation struct {
	requestID   string    // "" for an unsolicited response
	issuedAt    time.Time // of the request
	expiresAt   time.Time // of the pending login
	forceAuthn  bool
	contexts    []string
	returnTo    string
	purpose     string
	unsolicited bool
	sealed      bool // it comes from a pending login of ours
}

// A check is one member of the ordered list that a response must pass.
type check struct {
	name    string
	rule    string // what it demands, one sentence
	spec    string
	codes   []Code
	refuses func(context.Context, *attempt) *Error
}

// checkList is in the order in which a response meets the checks: received while nothing is trusted yet, verified on what
// the signature covered.
type checkList struct{ received, verified []check }

// The list that every response passes. No check can be switched off; those that a Config relaxes say so.
var allChecks = checkList{
	received: []check{
		{"response issue instant", "The Response has an IssueInstant that is not in the future.", "Core 3.2.2",
			[]Code{CodeIssueInstant, CodeTime}, checkResponseIssueInstant},
		{"status", "The identity provider reports success.", "Core 3.2.2.2", []Code{CodeStatus}, checkStatus},
		{"response issuer", "The Response's Issuer, if present, is the identity provider.", "Profiles 4.1.4.2", []Code{CodeResponseIssuer}, checkResponseIssuer},
		{"destination", "The Destination, required on a signed Response, is our Redirect URL.", "Bindings 3.5.5.2", []Code{CodeDestination}, checkDestination},
		{"response in response to", "The Response's InResponseTo, if present, is our request.", "Profiles 4.1.4.3", []Code{CodeInResponseTo}, checkResponseInResponseTo},
		{"response signed", "With RequireSignedResponse the Response itself is signed.", "Core 5.2", []Code{CodeUnsigned}, checkResponseSigned},
		{"assertion present", "There is one assertion, and it can be read.", "Profiles 4.1.4.2", []Code{CodeAssertionCount, CodeEncryptedAssertion}, checkAssertionPresent},
	},
	verified: []check{
		{"certificate dates", "With RefuseExpiredCertificates the certificate is within its dates.", "RFC 5280 4.1.2.5", []Code{CodeCertificateExpired}, checkCertificateDates},
		{"times", "Every time is an xs:dateTime in UTC.", "Core 1.3.3", []Code{CodeTime}, checkTimes},
		{"version", "The Assertion is of SAML 2.0.", "Core 2.3.3", []Code{CodeVersion}, checkVersion},
		{"id", "The Assertion has an ID that is an NCName.", "Core 1.3.4", []Code{CodeID}, checkID},
		{"issuer", "The Assertion's Issuer is the identity provider.", "Profiles 4.1.4.2", []Code{CodeAssertionIssuer}, checkIssuer},
		{"issue instant", "The Assertion's IssueInstant is not in the future.", "Core 2.3.3", []Code{CodeIssueInstant}, checkIssueInstant},
		{"age", "The Assertion was issued at most 24 hours ago.", "Core 2.3.3", []Code{CodeTooOld}, checkAge},
		{"conditions", "There are Conditions, and all are understood.", "Core 2.5.1", []Code{CodeConditions}, checkConditions},
		{"not before", "NotBefore has come, and lies before NotOnOrAfter.", "Core 2.5.1.2", []Code{CodeNotYetValid, CodeConditions}, checkNotBefore},
		{"not on or after", "NotOnOrAfter has not come.", "Core 2.5.1.2", []Code{CodeExpired}, checkNotOnOrAfter},
		{"audience", "Each AudienceRestriction names us, and there is one.", "Core 2.5.1.4", []Code{CodeAudience}, checkAudience},
		{"subject confirmation", "A bearer SubjectConfirmation is for our Redirect URL, our request, and not over.", "Profiles 4.1.4.2",
			[]Code{CodeSubjectConfirmation, CodeRecipient, CodeExpired, CodeInResponseTo}, checkSubjectConfirmation},
		{"unsolicited", "An unsolicited response names no request.", "Profiles 4.1.5", []Code{CodeInResponseTo}, checkUnsolicited},
		{"authn statement", "There is an AuthnStatement.", "Profiles 4.1.4.2", []Code{CodeAuthnStatementMissing}, checkAuthnStatement},
		{"authn instant", "AuthnInstant is not in the future, and with ForceAuthn not before the request.", "Core 2.7.2", []Code{CodeAuthnInstant}, checkAuthnInstant},
		{"session", "SessionNotOnOrAfter has not come.", "Core 2.7.2", []Code{CodeSessionExpired}, checkSession},
		{"authn context", "A requested authentication context was met.", "Core 3.3.2.2.1", []Code{CodeAuthnContext}, checkAuthnContext},
		{"name id", "The subject has exactly one readable NameID.", "Core 2.2.3", []Code{CodeNameID}, checkNameID},
		{"name id is e-mail", "Unless AllowAnyNameID, the NameID is an e-mail address.", "Core 8.3.2", []Code{CodeNameIDNotEmail, CodeNameIDGuest}, checkNameIDIsEmail},
		{"name id agrees", "Unless AllowAnyNameID, the NameID agrees with Entra's emailaddress claim.", "Entra claims reference", []Code{CodeNameIDMismatch}, checkNameIDAgrees},
		{"sp name qualifier", "SPNameQualifier, if present, is our entity ID.", "Core 2.2.2", []Code{CodeSPNameQualifier}, checkSPNameQualifier},
		{"attributes", "Attributes have names, and values without SAML or signature elements.", "Core 2.7.3.1", []Code{CodeAttributes}, checkAttributes},
		{"object id", "With RequireObjectID the account has an object key.", "Entra claims reference", []Code{CodeObjectIDMissing}, checkObjectID},
		{"request once", "The request was not answered before.", "Profiles 4.1.4.3", []Code{CodeReplayed, CodeStore, CodeStoreYoung}, claimRequest},
		{"assertion once", "The assertion was not consumed before.", "Profiles 4.1.4.5", []Code{CodeReplayed, CodeStore}, claimAssertion},
	},
}

// A CheckInfo describes one step that every response passes.
type CheckInfo struct {
	Name  string // stable, as in Error.Check
	Rule  string // what it demands, one sentence
	Spec  string // where the demand comes from: SAML 2.0 Core, Bindings or Profiles with section, unless it says otherwise
	Codes []Code // with which it refuses
}

// The names of the steps that are no members of the list because they are code that runs through.
const (
	stepMessage   = "message"
	stepSignature = "signature"
	stepState     = "pending login"
)

// Checks lists all steps that a response passes, in their order.
func Checks() []CheckInfo {
	list := []CheckInfo{
		{stepMessage, "The form value is base64 of strict XML in the shape of a SAML response with one assertion.", "Bindings 3.5.4; Core 3.3.3",
			[]Code{CodeResponseMissing, CodeBase64, CodeEncoding, CodeXMLDeclaration, CodeDoctype, CodeComment, CodeEntity, CodeXMLSyntax, CodeNamespace,
				CodeDuplicateAttribute, CodeTooLarge, CodeNotAResponse, CodeVersion, CodeID, CodeSchema, CodeAssertionCount, CodeDuplicateID,
				CodeSignaturePlacement}},
		{stepState, "The response answers a login that this browser began, or is allowed to be unsolicited.", "Profiles 4.1.4.3",
			[]Code{CodeStateMissing, CodeStateInvalid, CodeStateExpired, CodeStoreYoung, CodeUnsolicited, CodeIdentityProvider}},
	}
	add := func(checks []check) {
		for _, c := range checks {
			list = append(list, CheckInfo{c.name, c.rule, c.spec, slices.Clone(c.codes)})
		}
	}
	add(allChecks.received)
	list = append(list, CheckInfo{stepSignature, "Every signature verifies with a trusted key, and one covers the assertion, which is decrypted first; only what it covers is read.", "Core 5.4 and 6",
		[]Code{CodeUnsigned, CodeSignatureStructure, CodeReferenceURI, CodeTransform, CodeCanonicalization, CodeSignatureAlgorithm, CodeDigestAlgorithm,
			CodeWeakKey, CodeDigest, CodeSignature, CodeDecryption, CodeSchema, CodeTooLarge}})
	add(allChecks.verified)
	return list
}

// run goes through checks in order and gives the first refusal.
func run(ctx context.Context, checks []check, a *attempt) *Error {
	for i := range checks {
		if err := checks[i].refuses(ctx, a); err != nil {
			err.Check = checks[i].name
			return err
		}
	}
	return nil
}

// maxAge is how old an assertion may be, whatever its conditions allow.
const maxAge = 24 * time.Hour

const entityFormat = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity"

func (a *attempt) inFuture(t time.Time) bool { return t.After(a.now.Add(a.sp.skew)) }

// over reports whether an end that is not to be reached has been reached.
func (a *attempt) over(end time.Time) bool { return !a.now.Before(end.Add(a.sp.skew)) }

func showTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// clocks says how a time and our clock differ, for messages about time.
func (a *attempt) clocks() string {
	return fmt.Sprintf("our clock says %s and may differ by %s", showTime(a.now), a.sp.skew)
}

func checkResponseIssueInstant(_ context.Context, a *attempt) *Error {
	if _, present := a.message.response.Attr("IssueInstant"); !present {
		return refuse(CodeIssueInstant, "the Response has no IssueInstant", "", "")
	}
	t, ok := parseTime(a.message.issueInstant)
	if !ok {
		return refuse(CodeTime, "the Response's IssueInstant is not a time in UTC", a.message.issueInstant, "xs:dateTime with Z")
	}
	if a.inFuture(t) {
		return refuse(CodeIssueInstant, "the Response comes from the future", showTime(t), a.clocks())
	}
	return nil
}

func checkStatus(_ context.Context, a *attempt) *Error {
	if a.message.status.code == statusSuccess {
		return nil
	}
	signed := "unsigned"
	if s := a.message.responseSignature; s.Exists() {
		if _, err := s.Verify(a.idp.publicKeys, a.sp.signaturePolicy()); err == nil {
			signed = "signed"
		}
	}
	e := refuse(CodeStatus, "the identity provider reports "+a.message.status.name()+" ("+signed+")", a.message.status.String(), "Success")
	if hint := statusHint(a.message.status.message); hint != "" {
		e.Hint = hint
	}
	return e
}

func checkResponseIssuer(_ context.Context, a *attempt) *Error {
	if !a.message.issuer.Exists() {
		return nil
	}
	return a.checkIssuer(decodeIssuer(a.message.issuer), CodeResponseIssuer, "the Response")
}

func (a *attempt) checkIssuer(i Issuer, code Code, who string) *Error {
	if i.Value != a.idp.entityID {
		return refuse(code, who+" comes from another identity provider", i.Value, quote(a.idp.entityID))
	}
	if i.hasFormat && i.Format != entityFormat {
		return refuse(code, "the Issuer of "+who+" has an unusable Format", i.Format, entityFormat)
	}
	return nil
}

func checkDestination(_ context.Context, a *attempt) *Error {
	_, present := a.message.response.Attr("Destination")
	if !present && !a.message.responseSignature.Exists() {
		return nil
	}
	if !slices.Contains(a.sp.recipients, a.message.destination) {
		return refuse(CodeDestination, "the Response is addressed to another URL", a.message.destination, quote(a.sp.redirectURL))
	}
	return nil
}

func checkResponseInResponseTo(_ context.Context, a *attempt) *Error {
	if _, present := a.message.response.Attr("InResponseTo"); !present || a.expect.unsolicited {
		return nil
	}
	return a.checkInResponseTo(a.message.inResponseTo)
}

func (a *attempt) checkInResponseTo(got string) *Error {
	if got == a.expect.requestID {
		return nil
	}
	return refuse(CodeInResponseTo, "the response answers another request than this browser's", got, quote(a.expect.requestID))
}

// checkResponseSigned looks whether there is a signature. Whether it is good is decided in the next step, before anything is decrypted.
func checkResponseSigned(_ context.Context, a *attempt) *Error {
	if !a.sp.config.RequireSignedResponse || a.message.responseSignature.Exists() {
		return nil
	}
	e := refuse(CodeUnsigned, "the Response itself is not signed, and the settings demand it", "", "a signature directly in the Response (Config.RequireSignedResponse)")
	e.Hint = a.idp.signResponseHint()
	return e
}

func checkAssertionPresent(_ context.Context, a *attempt) *Error {
	switch e := a.message.assertion; {
	case !e.Exists():
		return refuse(CodeAssertionCount, "there is no assertion", "", "exactly one")
	case a.message.encrypted() && len(a.sp.config.DecryptionKeys) == 0:
		return refuse(CodeEncryptedAssertion, "the assertion is encrypted, and there is no key to decrypt it with", "", "")
	}
	return nil
}

func checkCertificateDates(_ context.Context, a *attempt) *Error {
	if !a.sp.config.RefuseExpiredCertificates {
		return nil
	}
	if a.now.Before(a.key.notBefore) || a.now.After(a.key.notAfter) {
		return refuse(CodeCertificateExpired, "the certificate that signed is outside its dates", a.key.subject,
			showTime(a.key.notBefore)+" to "+showTime(a.key.notAfter))
	}
	return nil
}

func checkTimes(_ context.Context, a *attempt) *Error {
	if bad := a.assertion.badTimes; len(bad) > 0 {
		return refuse(CodeTime, "a time in the assertion is not in UTC", strings.Join(bad, ", "), "xs:dateTime with Z")
	}
	return nil
}

func checkVersion(_ context.Context, a *attempt) *Error {
	if a.assertion.Version != "2.0" {
		return refuse(CodeVersion, "the Assertion is not SAML 2.0", a.assertion.Version, "Version 2.0")
	}
	return nil
}

func checkID(_ context.Context, a *attempt) *Error {
	if !isNCName(a.assertion.ID) {
		return refuse(CodeID, "the Assertion has no usable ID", a.assertion.ID, "an NCName")
	}
	return nil
}

func checkIssuer(_ context.Context, a *attempt) *Error {
	return a.checkIssuer(a.assertion.Issuer, CodeAssertionIssuer, "the Assertion")
}

func checkIssueInstant(_ context.Context, a *attempt) *Error {
	if t := a.assertion.IssueInstant; t.IsZero() {
		return refuse(CodeIssueInstant, "the Assertion has no IssueInstant", "", "")
	} else if a.inFuture(t) {
		return refuse(CodeIssueInstant, "the Assertion comes from the future", showTime(t), a.clocks())
	}
	return nil
}

func checkAge(_ context.Context, a *attempt) *Error {
	if t := a.assertion.IssueInstant; a.over(t.Add(maxAge)) {
		return refuse(CodeTooOld, "the Assertion was issued more than 24 hours ago", showTime(t), a.clocks())
	}
	return nil
}

func checkConditions(_ context.Context, a *attempt) *Error {
	if !a.assertion.hasConditions {
		return refuse(CodeConditions, "the Assertion has no Conditions", "", "")
	}
	if c := a.assertion.Conditions.unknown; c != "" {
		return refuse(CodeConditions, "the Assertion has a condition that is not understood", c, "AudienceRestriction, OneTimeUse or ProxyRestriction")
	}
	return nil
}

func checkNotBefore(_ context.Context, a *attempt) *Error {
	c := a.assertion.Conditions
	if !c.NotOnOrAfter.IsZero() && !c.NotBefore.Before(c.NotOnOrAfter) {
		return refuse(CodeConditions, "the Conditions end before they begin", showTime(c.NotOnOrAfter), "after "+showTime(c.NotBefore))
	}
	if a.inFuture(c.NotBefore) {
		return refuse(CodeNotYetValid, "the Assertion is not valid yet", "NotBefore "+showTime(c.NotBefore), a.clocks())
	}
	return nil
}

func checkNotOnOrAfter(_ context.Context, a *attempt) *Error {
	if end := a.assertion.Conditions.NotOnOrAfter; !end.IsZero() && a.over(end) {
		return refuse(CodeExpired, "the Assertion is no longer valid", "NotOnOrAfter "+showTime(end), a.clocks())
	}
	return nil
}

func checkAudience(_ context.Context, a *attempt) *Error {
	restrictions := a.assertion.Conditions.Audiences
	if len(restrictions) == 0 {
		return refuse(CodeAudience, "the Assertion names no audience", "", quote(a.sp.entityID))
	}
	for _, audiences := range restrictions {
		if !slices.ContainsFunc(audiences, func(s string) bool { return slices.Contains(a.sp.audiences, s) }) {
			return refuse(CodeAudience, "the Assertion is for another service", strings.Join(audiences, ", "), quote(a.sp.entityID))
		}
	}
	return nil
}

const methodBearer = "urn:oasis:names:tc:SAML:2.0:cm:bearer"

// checkSubjectConfirmation wants one bearer confirmation that fits in everything. Where none does, the reason of the last
// bearer confirmation is given: there is hardly ever more than one.
func checkSubjectConfirmation(_ context.Context, a *attempt) *Error {
	var why *Error
	for i := range a.assertion.Confirmations {
		if c := &a.assertion.Confirmations[i]; c.Method == methodBearer {
			if why = a.checkBearer(c); why == nil {
				return nil
			}
		}
	}
	if why == nil {
		why = refuse(CodeSubjectConfirmation, "the subject has no bearer confirmation", "", methodBearer)
	}
	return why
}

func (a *attempt) checkBearer(c *SubjectConfirmation) *Error {
	switch {
	case !c.hasData:
		return refuse(CodeSubjectConfirmation, "the bearer confirmation has no data", "", "SubjectConfirmationData")
	case c.hasNotBefore:
		return refuse(CodeSubjectConfirmation, "the bearer confirmation has a NotBefore, which SAML forbids", showTime(c.NotBefore), "")
	case !slices.Contains(a.sp.recipients, c.Recipient):
		return refuse(CodeRecipient, "the Assertion was made for another URL", c.Recipient, quote(a.sp.redirectURL))
	case c.NotOnOrAfter.IsZero():
		return refuse(CodeSubjectConfirmation, "the bearer confirmation has no NotOnOrAfter", "", "")
	case a.over(c.NotOnOrAfter):
		return refuse(CodeExpired, "the time to deliver the Assertion is over", "NotOnOrAfter "+showTime(c.NotOnOrAfter), a.clocks())
	case !a.expect.unsolicited:
		return a.checkInResponseTo(c.InResponseTo)
	}
	return nil
}

func checkUnsolicited(_ context.Context, a *attempt) *Error {
	if !a.expect.unsolicited {
		return nil
	}
	answered, names := a.message.response.Attr("InResponseTo")
	for _, c := range a.assertion.Confirmations {
		if c.hasInResponseTo {
			answered, names = c.InResponseTo, true
		}
	}
	if names {
		return refuse(CodeInResponseTo, "the response answers a request that this browser did not make", answered, "no InResponseTo")
	}
	return nil
}

func checkAuthnStatement(_ context.Context, a *attempt) *Error {
	if len(a.assertion.Statements) == 0 {
		return refuse(CodeAuthnStatementMissing, "the Assertion does not say how the user signed in", "", "an AuthnStatement")
	}
	return nil
}

func checkAuthnInstant(_ context.Context, a *attempt) *Error {
	for _, s := range a.assertion.Statements {
		switch t := s.AuthnInstant; {
		case t.IsZero():
			return refuse(CodeAuthnInstant, "the AuthnStatement has no AuthnInstant", "", "")
		case a.inFuture(t):
			return refuse(CodeAuthnInstant, "the user signed in in the future", showTime(t), a.clocks())
		case a.expect.forceAuthn && t.Before(a.expect.issuedAt.Add(-a.sp.skew)):
			return refuse(CodeAuthnInstant, "the user did not sign in anew, although that was asked for", showTime(t),
				"after the request of "+showTime(a.expect.issuedAt))
		}
	}
	return nil
}

func checkSession(_ context.Context, a *attempt) *Error {
	for _, s := range a.assertion.Statements {
		if end := s.SessionNotOnOrAfter; !end.IsZero() && a.over(end) {
			return refuse(CodeSessionExpired, "the session at the identity provider is over", "SessionNotOnOrAfter "+showTime(end), a.clocks())
		}
	}
	return nil
}

func checkAuthnContext(_ context.Context, a *attempt) *Error {
	if len(a.expect.contexts) == 0 {
		return nil
	}
	var got []string
	for _, s := range a.assertion.Statements {
		if slices.Contains(a.expect.contexts, s.ContextClass) {
			return nil
		}
		got = append(got, s.ContextClass)
	}
	return refuse(CodeAuthnContext, "the user signed in by another method than was asked for", strings.Join(got, ", "), strings.Join(a.expect.contexts, " or "))
}

func checkAttributes(_ context.Context, a *attempt) *Error {
	if why := a.assertion.badAttribute; why != "" {
		return refuse(CodeAttributes, why, a.assertion.badAttributeAt, "")
	}
	return nil
}

// How long beyond the end of acceptance a claim is kept, so that a replica whose clock lags cannot be replayed to.
const claimMargin = 5 * time.Minute

// claimTimeout bounds the claims of a message. They run apart from the request: a browser that hangs up must not leave them
// undecided.
const claimTimeout = 5 * time.Second

func claimRequest(ctx context.Context, a *attempt) *Error {
	if err := a.storeRemembers(); err != nil { // before anything is claimed
		return err
	}
	if a.expect.unsolicited {
		return nil
	}
	return a.claim(ctx, storekey.Request, a.expect.requestID, a.expect.expiresAt, "the sign-in was already completed")
}

// storeRemembers guards against a response that was used before a restart. A pending login of ours has been compared with the Store's memory already, by our
// own clock. Otherwise there is only the identity provider's clock: if it is ahead of ours by some seconds, the last seconds before a restart are not
// guarded. Only a Store that outlives the process is sure.
func (a *attempt) storeRemembers() *Error {
	since := a.sp.remembersSince()
	if a.expect.sealed || !a.assertion.IssueInstant.Before(since.Truncate(time.Millisecond)) {
		return nil
	}
	return storeYoung("the Assertion was issued", a.assertion.IssueInstant, since)
}

func claimAssertion(ctx context.Context, a *attempt) *Error {
	return a.claim(ctx, storekey.Assertion, a.assertion.ID, a.assertion.acceptedUntil(), "the response was already used")
}

// acceptedUntil is the moment, without skew, from which the assertion is refused as expired or too old.
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

func (a *attempt) claim(ctx context.Context, kind, value string, until time.Time, taken string) *Error {
	if a.claims == nil {
		a.claims, a.cancelClaims = context.WithTimeout(context.WithoutCancel(ctx), claimTimeout)
	}
	ttl := until.Sub(a.now) + a.sp.skew + claimMargin
	first, err := a.sp.store.Claim(a.claims, storekey.Of(kind, a.sp.config.Tenant, a.idp.entityID, value), ttl)
	if err != nil {
		return refuse(CodeStore, "the store of used-up responses failed, so nothing can be accepted", "", "").withCause(err)
	}
	if !first {
		return refuse(CodeReplayed, taken, value, "")
	}
	return nil
}

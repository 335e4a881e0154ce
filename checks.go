package saml

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/iomete/saml/internal/keycall"
	"github.com/iomete/saml/internal/wire"
	"github.com/iomete/saml/internal/xmlenc"
)

// attempt is everything that the checks look at: the message, what was signed, and what was
// expected.
type attempt struct {
	policy *policy
	idp    *IdentityProvider
	now    time.Time // one reading of the clock for the whole message
	expect expectation

	message   *wire.Response
	secret    *xmlenc.Keys     // to decrypt this one message with, nil if there are none
	keys      *keycall.Message // what became of them
	assertion *Assertion       // nil until the signatures are verified
	key       TrustedKey       // that verified the innermost signature
	identity  *Identity        // filled in with the assertion

	store        Store           // for the claims, nil if the caller makes them
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

// checkList is in the order in which a response meets the checks: received while nothing is trusted
// yet, verified on what the signature covered, and then the claims, which a Verifier leaves to its
// caller.
type checkList struct{ received, verified, claims []check }

// The list that every response passes. No check can be switched off; those that a Config relaxes
// say so.
var allChecks = checkList{
	received: []check{
		{"response issue instant", "The Response has an IssueInstant that is not in the future.", "Core 3.2.2",
			[]Code{CodeIssueInstant, CodeTime}, checkResponseIssueInstant},
		{"status", "The identity provider reports success.", "Core 3.2.2.2", []Code{CodeStatus, CodeNoPassive},
			checkStatus},
		{"response issuer", "The Response's Issuer, if present, is the identity provider.", "Profiles 4.1.4.2",
			[]Code{CodeResponseIssuer}, checkResponseIssuer},
		{"destination", "The Destination, required on a signed Response, is our Redirect URL.", "Bindings 3.5.5.2",
			[]Code{CodeDestination}, checkDestination},
		{"response in response to", "The Response's InResponseTo, if present, is our request.", "Profiles 4.1.4.3",
			[]Code{CodeInResponseTo}, checkResponseInResponseTo},
		{"response signed", "With RequireSignedResponse the Response itself is signed.", "Core 5.2",
			[]Code{CodeUnsigned}, checkResponseSigned},
		{"assertion present", "There is one assertion, and it can be read.", "Profiles 4.1.4.2",
			[]Code{CodeAssertionCount, CodeEncryptedAssertion}, checkAssertionPresent},
	},
	verified: []check{
		{"certificate dates", "With RefuseExpiredCertificates the certificate is within its dates.",
			"RFC 5280 4.1.2.5", []Code{CodeCertificateExpired}, checkCertificateDates},
		{"times", "Every time is an xs:dateTime with a time zone.", "Core 1.3.3; XML Schema Part 2 3.2.7", []Code{CodeTime},
			checkTimes},
		{"version", "The Assertion is of SAML 2.0.", "Core 2.3.3", []Code{CodeVersion}, checkVersion},
		{"id", "The Assertion has an ID, of 1 to 256 ASCII letters, digits and . _ - : + = / alone.", "Core 1.3.4", []Code{CodeID},
			checkID},
		{"issuer", "The Assertion's Issuer is the identity provider.", "Profiles 4.1.4.2",
			[]Code{CodeAssertionIssuer}, checkIssuer},
		{"issue instant", "The Assertion's IssueInstant is not in the future.", "Core 2.3.3",
			[]Code{CodeIssueInstant}, checkIssueInstant},
		{"age", "The Assertion was issued at most 24 hours ago.", "Core 2.3.3", []Code{CodeTooOld}, checkAge},
		{"conditions", "There are Conditions, and all are understood.", "Core 2.5.1", []Code{CodeConditions},
			checkConditions},
		{"not before", "NotBefore has come, and lies before NotOnOrAfter.", "Core 2.5.1.2",
			[]Code{CodeNotYetValid, CodeConditions}, checkNotBefore},
		{"not on or after", "NotOnOrAfter has not come.", "Core 2.5.1.2", []Code{CodeExpired}, checkNotOnOrAfter},
		{"audience", "Each AudienceRestriction names us, and there is one.", "Core 2.5.1.4", []Code{CodeAudience},
			checkAudience},
		{"subject confirmation", "A bearer SubjectConfirmation is for our Redirect URL, our request, and not over.",
			"Profiles 4.1.4.2",
			[]Code{CodeSubjectConfirmation, CodeRecipient, CodeExpired, CodeInResponseTo}, checkSubjectConfirmation},
		{"unsolicited", "An unsolicited response names no request.", "Profiles 4.1.5", []Code{CodeInResponseTo},
			checkUnsolicited},
		{"authn statement", "There is an AuthnStatement.", "Profiles 4.1.4.2", []Code{CodeAuthnStatementMissing},
			checkAuthnStatement},
		{"authn instant", "AuthnInstant is not in the future, and with ForceAuthn not before the request.",
			"Core 2.7.2", []Code{CodeAuthnInstant}, checkAuthnInstant},
		{"session", "SessionNotOnOrAfter has not come.", "Core 2.7.2", []Code{CodeSessionExpired}, checkSession},
		{"authn context", "A requested authentication context was met.", "Core 3.3.2.2.1", []Code{CodeAuthnContext},
			checkAuthnContext},
		{"name id", "The subject has exactly one readable NameID.", "Core 2.2.3", []Code{CodeNameID}, checkNameID},
		{"name id is e-mail", "Unless AllowAnyNameID, the NameID is an e-mail address.", "Core 8.3.2",
			[]Code{CodeNameIDNotEmail, CodeNameIDGuest}, checkNameIDIsEmail},
		{"name id agrees", "Unless AllowAnyNameID, the NameID agrees with Entra's emailaddress claim.",
			"Entra claims reference", []Code{CodeNameIDMismatch}, checkNameIDAgrees},
		{"sp name qualifier", "SPNameQualifier, if present, is our entity ID.", "Core 2.2.2",
			[]Code{CodeSPNameQualifier}, checkSPNameQualifier},
		{"attributes", "Attributes have names, and values without SAML or signature elements.", "Core 2.7.3.1",
			[]Code{CodeAttributes}, checkAttributes},
		{"object id", "With RequireObjectID the account has an object key.", "Entra claims reference",
			[]Code{CodeObjectIDMissing}, checkObjectID},
	},
	claims: []check{
		{"request once", "The request was not answered before.", "Profiles 4.1.4.3",
			[]Code{CodeReplayed, CodeStore, CodeStoreYoung}, claimRequest},
		{"assertion once", "The assertion was not consumed before.", "Profiles 4.1.4.5",
			[]Code{CodeReplayed, CodeStore}, claimAssertion},
	},
}

// A CheckInfo describes one step that every response passes.
type CheckInfo struct {
	Name string // stable, as in Error.Check
	Rule string // what it demands, one sentence
	// where the demand comes from: SAML 2.0 Core, Bindings or Profiles with section, unless it says otherwise
	Spec  string
	Codes []Code // with which it refuses
}

// The names of the steps that are not in the list, because they are code that runs from top to
// bottom.
const (
	stepMessage   = "message"
	stepSignature = "signature"
	stepState     = "pending login"
)

// Checks lists all steps that a response passes, in their order.
func Checks() []CheckInfo {
	list := []CheckInfo{
		{stepMessage, "The form value is base64 of strict XML in the shape of a SAML response with one assertion.",
			"Bindings 3.5.4; Core 3.3.3",
			[]Code{CodeResponseMissing, CodeBase64, CodeEncoding, CodeXMLDeclaration, CodeDoctype, CodeComment,
				CodeEntity, CodeXMLSyntax, CodeNamespace,
				CodeDuplicateAttribute, CodeTooLarge, CodeNotAResponse, CodeVersion, CodeID, CodeSchema, CodeAssertionCount, CodeDuplicateID,
				CodeSignaturePlacement}},
		{stepState, "The response answers a login that this browser began, or is allowed to be unsolicited.",
			"Profiles 4.1.4.3",
			[]Code{CodeStateMissing, CodeStateInvalid, CodeStateExpired, CodeStoreYoung, CodeUnsolicited,
				CodeIdentityProvider, CodeNotConfigured}},
	}
	add := func(checks []check) {
		for _, c := range checks {
			list = append(list, CheckInfo{c.name, c.rule, c.spec, slices.Clone(c.codes)})
		}
	}
	add(allChecks.received)
	list = append(list, CheckInfo{stepSignature,
		"Every signature verifies with a trusted key, and one covers the assertion, which is decrypted first; only what it covers is read.", "Core 5.4 and 6",
		[]Code{CodeUnsigned, CodeSignatureStructure, CodeReferenceURI, CodeTransform, CodeCanonicalization,
			CodeSignatureAlgorithm, CodeDigestAlgorithm,
			CodeWeakKey, CodeDigest, CodeSignature, CodeDecryption, CodeCBCRefused, CodeKeyUnavailable, CodeSchema,
			CodeTooLarge}})
	add(allChecks.verified)
	add(allChecks.claims)
	return list
}

// run makes the checks in order and returns the first refusal.
func run(ctx context.Context, checks []check, a *attempt) *Error {
	for i := range checks {
		if err := checks[i].refuses(ctx, a); err != nil {
			err.Check = checks[i].name
			return err
		}
	}
	return nil
}

const entityFormat = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity"

func (a *attempt) inFuture(t time.Time) bool { return t.After(a.now.Add(a.policy.skew)) }

// over reports whether a time that must not be reached (NotOnOrAfter) has been reached.
func (a *attempt) over(end time.Time) bool { return !a.now.Before(end.Add(a.policy.skew)) }

// clocks says how a time and our clock differ, for messages about time.
func (a *attempt) clocks() string {
	return fmt.Sprintf("our clock says %s and may differ by %s", showTime(a.now), a.policy.skew)
}

func checkResponseIssueInstant(_ context.Context, a *attempt) *Error {
	if _, present := a.message.Root.Attr("IssueInstant"); !present {
		return refuse(CodeIssueInstant, "the Response has no IssueInstant", "", "")
	}
	t, ok := parseTime(a.message.IssueInstant)
	if !ok {
		return refuse(CodeTime, "the Response's IssueInstant is not an xs:dateTime with a time zone",
			a.message.IssueInstant, timeForm)
	}
	if a.inFuture(t) {
		return refuse(CodeIssueInstant, "the Response comes from the future", showTime(t), a.clocks())
	}
	return nil
}

func checkStatus(_ context.Context, a *attempt) *Error {
	if a.message.Status.Code == statusSuccess {
		return nil
	}
	signed := "unsigned"
	if s := a.message.ResponseSignature; s.Exists() {
		if _, err := s.Verify(a.idp.publicKeys, a.policy.signaturePolicy()); err == nil {
			signed = "signed"
		}
	}
	code := CodeStatus
	if a.message.Status.SubCode == statusNoPassive {
		code = CodeNoPassive
	}
	e := refuse(code, "the identity provider reports "+statusName(a.message.Status)+" ("+signed+")",
		a.message.Status.String(), "Success")
	e.Hint = a.statusHint(code)
	return e
}

const (
	statusSuccess   = "urn:oasis:names:tc:SAML:2.0:status:Success"
	statusNoPassive = "urn:oasis:names:tc:SAML:2.0:status:NoPassive" // below Requester or Responder
)

// statusName returns what may be logged of a status: the names of its codes, and Entra's error
// number. Its message may name the user.
func statusName(s wire.Status) string {
	words := []string{"an error"}
	for _, uri := range []string{s.Code, s.SubCode} {
		if word := uri[strings.LastIndexByte(uri, ':')+1:]; statusWord.MatchString(word) {
			words = append(words, word)
		}
	}
	if number := aadstsNumber.FindString(s.Message); number != "" {
		words = append(words, number)
	}
	return strings.Join(words, " ")
}

var statusWord = regexp.MustCompile(`^[A-Za-z]{1,40}$`)

func checkResponseIssuer(_ context.Context, a *attempt) *Error {
	if !a.message.Issuer.Exists() {
		return nil
	}
	return a.checkIssuer(decodeIssuer(a.message.Issuer), CodeResponseIssuer, "the Response")
}

func (a *attempt) checkIssuer(i Issuer, code Code, who string) *Error {
	if i.Value == "" {
		return refuse(code, "the Issuer of "+who+" is empty", "", quote(a.idp.entityID))
	}
	if i.Value != a.idp.entityID {
		e := refuse(code, who+" comes from another identity provider", i.Value, quote(a.idp.entityID))
		e.Hint = entraIssuerHint(i.Value, a.idp.entityID)
		return e
	}
	// A Format says what kind of name the value is. As another kind, the same text could name somebody
	// else (Profiles 2.0 §4.1.4.2 allows no other).
	if i.hasFormat && i.Format != entityFormat {
		e := refuse(code, "the Issuer of "+who+" has a Format that says that it is not an entity ID", i.Format,
			"no Format, or "+entityFormat)
		e.Hint = "Let the identity provider send its Issuer without Format."
		return e
	}
	return nil
}

func checkDestination(_ context.Context, a *attempt) *Error {
	_, present := a.message.Root.Attr("Destination")
	if !present && !a.message.ResponseSignature.Exists() {
		return nil
	}
	if slices.Contains(a.policy.recipients, a.message.Destination) {
		return nil
	}
	e := refuse(CodeDestination, "the Response is addressed to another URL", a.message.Destination,
		quote(a.policy.redirectURL))
	switch {
	case !present:
		e.Message, e.Hint = "the signed Response has no Destination", hintNoDestination
	case a.message.Destination == "":
		e.Message, e.Hint = "the Destination of the Response is empty", hintNoDestination
	}
	return e
}

const hintNoDestination = "A signed Response must say which address it is for: let the identity provider write the " +
	"Redirect URL into Destination. If it cannot, let it sign the assertion and not the response."

func checkResponseInResponseTo(_ context.Context, a *attempt) *Error {
	if _, present := a.message.Root.Attr("InResponseTo"); !present || a.expect.unsolicited {
		return nil
	}
	return a.checkInResponseTo(a.message.InResponseTo)
}

func (a *attempt) checkInResponseTo(got string) *Error {
	switch got {
	case a.expect.requestID:
		return nil
	case "":
		return refuse(CodeInResponseTo, "InResponseTo is empty", "", quote(a.expect.requestID))
	}
	return refuse(CodeInResponseTo, "the response answers another request than this browser's", got,
		quote(a.expect.requestID))
}

// checkConfirmedRequest wants InResponseTo in the confirmation. In the Response alone it does not
// count, not even if that is signed (Profiles 2.0 §4.1.4.2): an unsigned Response could lend it to an
// assertion that was made for nobody's request.
func (a *attempt) checkConfirmedRequest(c *SubjectConfirmation) *Error {
	if c.hasInResponseTo {
		return a.checkInResponseTo(c.InResponseTo)
	}
	e := refuse(CodeInResponseTo, "the response does not say which request it answers", "",
		"InResponseTo "+quote(a.expect.requestID))
	e.Hint = "Let the identity provider answer the request of this service: it must put the ID of the request into " +
		"InResponseTo of the Response and of SubjectConfirmationData."
	if a.message.InResponseTo != "" {
		e.Message = "only the Response says which request is answered, the assertion does not"
		e.Hint = "Let the identity provider put the ID of the request into InResponseTo of SubjectConfirmationData too: in " +
			"the Response alone it proves nothing about the assertion (SAML Profiles 2.0 §4.1.4.2)."
	}
	return e
}

// checkResponseSigned looks whether there is a signature. Whether it is good is decided in the next
// step, before anything is decrypted.
func checkResponseSigned(_ context.Context, a *attempt) *Error {
	if !a.policy.requireSignedResponse || a.message.ResponseSignature.Exists() {
		return nil
	}
	e := refuse(CodeUnsigned, "the Response itself is not signed, and the settings demand it", "",
		"a signature directly in the Response (Config.RequireSignedResponse)")
	e.Hint = a.idp.signResponseHint()
	return e
}

func checkAssertionPresent(_ context.Context, a *attempt) *Error {
	switch e := a.message.Assertion; {
	case !e.Exists():
		return refuse(CodeAssertionCount, "there is no assertion", "", "exactly one")
	case a.message.Encrypted() && len(a.policy.decrypters) == 0:
		return refuse(CodeEncryptedAssertion, "the assertion is encrypted, and there is no key to decrypt it with",
			"", "")
	}
	return nil
}

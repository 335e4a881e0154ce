package saml

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/iomete/saml/internal/xmltree"
)

// checkCertificateDates looks at the innermost signature. That of a response around it is looked at
// by outsideDates as soon as it is verified: a decryption key must not be used for less.
func checkCertificateDates(_ context.Context, a *attempt) *Error {
	if !a.policy.refuseExpiredCertificates {
		return nil
	}
	return a.outsideDates(a.key)
}

func (a *attempt) outsideDates(k TrustedKey) *Error {
	if k.isValidAt(a.now) {
		return nil
	}
	return refuse(CodeCertificateExpired, "the certificate that signed is outside its dates", k.subject,
		showTime(k.notBefore)+" to "+showTime(k.notAfter)).atStep("certificate dates")
}

func checkTimes(_ context.Context, a *attempt) *Error {
	if bad := a.assertion.badTimes; len(bad) > 0 {
		return refuse(CodeTime, "a time in the assertion is not an xs:dateTime with a time zone",
			strings.Join(bad, ", "), timeForm)
	}
	return nil
}

// timeForm is what a time must look like, for messages.
const timeForm = "a time such as 2026-03-10T09:30:00Z or 2026-03-10T11:30:00+02:00"

func checkVersion(_ context.Context, a *attempt) *Error {
	switch v := a.assertion.Version; v {
	case "2.0":
		return nil
	case "":
		return refuse(CodeVersion, "the Assertion has no Version", "", "Version 2.0")
	default:
		return refuse(CodeVersion, "the Assertion is not SAML 2.0", v, "Version 2.0")
	}
}

func checkID(_ context.Context, a *attempt) *Error {
	switch id := a.assertion.ID; {
	case id == "":
		return refuse(CodeID, "the Assertion has no ID", "", xmltree.IDForm)
	case !xmltree.IsID(id):
		return refuse(CodeID, "the ID of the Assertion has a form that is not allowed", id, xmltree.IDForm)
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

// maxAge is how old an assertion may be, whatever its conditions allow.
const maxAge = 24 * time.Hour

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
		return refuse(CodeConditions, "the Assertion has a condition that is not understood", c,
			"AudienceRestriction, OneTimeUse or ProxyRestriction")
	}
	return nil
}

func checkNotBefore(_ context.Context, a *attempt) *Error {
	c := a.assertion.Conditions
	if !c.NotOnOrAfter.IsZero() && !c.NotBefore.Before(c.NotOnOrAfter) {
		return refuse(CodeConditions, "the Conditions end before they begin", showTime(c.NotOnOrAfter),
			"after "+showTime(c.NotBefore))
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
		return refuse(CodeAudience, "the Assertion names no audience", "", quote(a.policy.entityID))
	}
	for _, audiences := range restrictions {
		if !slices.ContainsFunc(audiences, func(s string) bool { return slices.Contains(a.policy.audiences, s) }) {
			named := strings.Join(audiences, ", ")
			if strings.Trim(named, ", ") == "" {
				return refuse(CodeAudience, "the Audience of the Assertion is empty", "", quote(a.policy.entityID))
			}
			return refuse(CodeAudience, "the Assertion is for another service", named, quote(a.policy.entityID))
		}
	}
	return nil
}

const methodBearer = "urn:oasis:names:tc:SAML:2.0:cm:bearer"

// checkSubjectConfirmation wants one bearer confirmation that fits in every respect. If none does,
// the refusal is that of the last one: there is hardly ever more than one.
func checkSubjectConfirmation(_ context.Context, a *attempt) *Error {
	var why *Error
	var others []string
	for i := range a.assertion.Confirmations {
		c := &a.assertion.Confirmations[i]
		if c.Method != methodBearer {
			others = append(others, c.Method)
			continue
		}
		if why = a.checkBearer(c); why == nil {
			return nil
		}
	}
	if why == nil {
		why = refuse(CodeSubjectConfirmation, "the subject has no bearer confirmation", strings.Join(others, ", "),
			methodBearer)
	}
	return why
}

func (a *attempt) checkBearer(c *SubjectConfirmation) *Error {
	switch {
	case !c.hasData:
		return refuse(CodeSubjectConfirmation, "the bearer confirmation has no data", "", "SubjectConfirmationData")
	case c.hasNotBefore:
		// It is not without meaning: readers that heed it and readers that do not disagree about when
		// the confirmation begins to hold (Profiles 2.0 §4.1.4.2 forbids it).
		e := refuse(CodeSubjectConfirmation, "the bearer confirmation has a NotBefore, which SAML forbids",
			showTime(c.NotBefore), "NotOnOrAfter alone")
		e.Hint = "Let the identity provider leave NotBefore out of SubjectConfirmationData; that of Conditions may stay."
		return e
	case c.Recipient == "":
		return refuse(CodeRecipient, "the bearer confirmation has no Recipient", "", quote(a.policy.redirectURL))
	case !slices.Contains(a.policy.recipients, c.Recipient):
		return refuse(CodeRecipient, "the Assertion was made for another URL", c.Recipient, quote(a.policy.redirectURL))
	case c.NotOnOrAfter.IsZero():
		return refuse(CodeSubjectConfirmation, "the bearer confirmation has no NotOnOrAfter", "", "")
	case a.over(c.NotOnOrAfter):
		return refuse(CodeExpired, "the time to deliver the Assertion is over",
			"NotOnOrAfter "+showTime(c.NotOnOrAfter), a.clocks())
	case !a.expect.unsolicited:
		return a.checkConfirmedRequest(c)
	}
	return nil
}

func checkUnsolicited(_ context.Context, a *attempt) *Error {
	if !a.expect.unsolicited {
		return nil
	}
	answered, names := a.message.Root.Attr("InResponseTo")
	for _, c := range a.assertion.Confirmations {
		if c.hasInResponseTo {
			answered, names = c.InResponseTo, true
		}
	}
	if names {
		message := "the response answers a request that this browser did not make"
		if answered == "" {
			message = "the response has an empty InResponseTo"
		}
		return refuse(CodeInResponseTo, message, answered, "no InResponseTo")
	}
	return nil
}

func checkAuthnStatement(_ context.Context, a *attempt) *Error {
	if len(a.assertion.Statements) == 0 {
		return refuse(CodeAuthnStatementMissing, "the Assertion does not say how the user signed in", "",
			"an AuthnStatement")
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
		case a.expect.forceAuthn && t.Before(a.expect.issuedAt.Add(-a.policy.skew)):
			return refuse(CodeAuthnInstant, "the user did not sign in anew, although that was asked for", showTime(t),
				"after the request of "+showTime(a.expect.issuedAt))
		}
	}
	return nil
}

func checkSession(_ context.Context, a *attempt) *Error {
	for _, s := range a.assertion.Statements {
		if end := s.SessionNotOnOrAfter; !end.IsZero() && a.over(end) {
			return refuse(CodeSessionExpired, "the session at the identity provider is over",
				"SessionNotOnOrAfter "+showTime(end), a.clocks())
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
	message, named := "the user signed in by another method than was asked for", strings.Join(got, ", ")
	if strings.Trim(named, ", ") == "" {
		message, named = "the identity provider does not say by which method the user signed in", ""
	}
	return refuse(CodeAuthnContext, message, named, strings.Join(a.expect.contexts, " or "))
}

func checkAttributes(_ context.Context, a *attempt) *Error {
	if why := a.assertion.badAttribute; why != "" {
		return refuse(CodeAttributes, why, a.assertion.badAttributeAt, "")
	}
	return nil
}

const maxNameID = 256 // characters, SAML Core 2.0 §8.3.7

func checkNameID(_ context.Context, a *attempt) *Error {
	switch n := a.assertion.NameID.Value; {
	case a.assertion.encryptedID:
		return refuse(CodeNameID, "the subject is named by an EncryptedID, and there is no key to decrypt it with",
			"", "a NameID")
	case a.assertion.nameIDs != 1:
		return refuse(CodeNameID, "the subject has no NameID", "", "exactly one")
	case n == "":
		return refuse(CodeNameID,
			"the NameID is empty: the identity provider has no value for this user in the field that it takes NameIDs from", "", "a NameID")
	case utf8.RuneCountInString(n) > maxNameID:
		return refuse(CodeNameID, "the NameID is too long", n, "at most 256 characters")
	case trimSpace(n) != n:
		e := refuse(CodeNameID, "the NameID has white space around it", n, "the NameID without it")
		e.Hint = hintNameIDSpace
		return e
	case strings.ContainsFunc(n, unicode.IsControl):
		return refuse(CodeNameID, "the NameID has a control character", n, "")
	case strings.TrimSpace(n) != n:
		e := refuse(CodeNameID, "the NameID begins or ends with a blank that is no white space of XML, such as a no-break space", n,
			"the NameID without it")
		e.Hint = hintNameIDSpace
		return e
	}
	return nil
}

// hintNameIDSpace does not say "send the e-mail address": with AllowAnyNameID that may be wrong.
const hintNameIDSpace = "Remove the white space from the user's field that the identity provider takes the NameID from, or from " +
	"the template or mapping that makes the NameID."

func checkNameIDIsEmail(_ context.Context, a *attempt) *Error {
	n := a.assertion.NameID
	switch {
	case a.policy.nameID == AllowAnyNameID:
		return nil
	case strings.Contains(foldASCII(n.Value), guestMark):
		return refuse(CodeNameIDGuest, "the NameID is the user principal name of a guest, not an e-mail address",
			n.Value, "")
	case n.Format == formatTransient:
		return refuse(CodeNameIDNotEmail, "the NameID is transient: it names the user for this session only", n.Value,
			"an e-mail address")
	}
	if fault := emailFault(n.Value, a.policy.allowInternationalEmail); fault != "" {
		e := refuse(CodeNameIDNotEmail, "the NameID "+fault, n.Value, "an e-mail address")
		if isEmail(n.Value) {
			e.Want, e.Hint = "an e-mail address in ASCII", hintInternationalEmail
		}
		return e
	}
	return nil
}

const hintInternationalEmail = "Let the identity provider send the user's address in ASCII; for a company " +
	"whose mail system has such addresses set Config.AllowInternationalEmail."

func checkNameIDAgrees(_ context.Context, a *attempt) *Error {
	if a.policy.nameID == AllowAnyNameID {
		return nil
	}
	// Both come from one field of the user. If that has white space around it, so has the claim.
	claim, n := a.assertion.Attributes.Values(claimEmail), &a.assertion.NameID
	if len(claim) == 1 && !EqualEmail(claim[0], n.Value) && claim[0] != n.sent {
		return emailMismatch(n.Value, claim[0])
	}
	return nil
}

func checkSPNameQualifier(_ context.Context, a *attempt) *Error {
	if n := a.assertion.NameID; n.hasSPNameQualifier && !slices.Contains(a.policy.audiences, n.SPNameQualifier) {
		message := "the NameID was made for another service"
		if n.SPNameQualifier == "" {
			message = "the SPNameQualifier of the NameID is empty"
		}
		return refuse(CodeSPNameQualifier, message, n.SPNameQualifier, quote(a.policy.entityID))
	}
	return nil
}

func checkObjectID(_ context.Context, a *attempt) *Error {
	if a.policy.requireObjectID && a.identity.ObjectKey == "" {
		return refuse(CodeObjectIDMissing, "the response has no object ID of the issuer's own directory", "",
			claimObjectID+" and "+claimTenantID)
	}
	return nil
}

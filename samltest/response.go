package samltest

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"time"
)

// Format URIs of NameIDs.
const (
	FormatEmail       = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
	FormatUnspecified = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
	FormatPersistent  = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
	FormatTransient   = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
)

// Absent as the value of a string field of an Answer leaves that attribute or element out.
const Absent = "(absent)"

// Answer describes one response (SAML Core 2.0, section 3.3.3). A field that is not set has the
// value that Entra would send.
type Answer struct {
	User      User   // default: the first of Options.Users
	RequestID string // InResponseTo; if empty, the answer is unsolicited and has no InResponseTo
	Recipient string // Redirect URL of the service provider, also the Destination; required
	Audience  string // audience restriction: entity ID of the service provider; default: Recipient

	Sign        Sign
	Algorithm   Algorithm     // default: SHA-256 for an RSA key; for an ECDSA key the hash that is as long as its curve
	Key         int           // index of the signing key in Certificates
	OmitKeyInfo bool          // leaves the certificate out of the message
	Style       Style         // how the XML is written
	ClockOffset time.Duration // how far the provider's clock is ahead; negative: behind
	Lifetime    time.Duration // from issue to NotOnOrAfter; default 60 minutes. NotBefore is 5 minutes before issue

	Encrypt *Encryption // nil: not encrypted

	Issuer      string // of response and assertion; default: the provider's entity ID
	Destination string // default: Recipient

	// NameID defaults to the user's mail. A user without mail gets a pairwise persistent
	// identifier, as Microsoft documents for Entra.
	NameID string
	// NameIDFormat defaults to FormatEmail, or to FormatPersistent for a pairwise identifier. With
	// FormatTransient the NameID is random.
	NameIDFormat string

	AssertionID string // default: a random one
	// SessionIndexes are those of the AuthnStatements, of which there is one for each. Absent stands for
	// a statement without an index. Default: one, the ID of the assertion.
	SessionIndexes []string

	AuthnInstant        time.Time // when the user signed in at the provider; default: ten minutes ago
	SessionNotOnOrAfter time.Time // default: none

	// Attributes replace the user's claims of the same Name, or are added. An Attribute without
	// values removes the claim.
	Attributes []Attribute

	// Status makes the answer an error. It is the top-level status code, such as
	// "urn:oasis:names:tc:SAML:2.0:status:Responder". An error has no assertion. By default it is
	// not signed, as in Entra; SignResponse and SignBoth sign it, as AD FS does.
	Status, SubStatus, StatusMessage string

	// Edit changes the XML before it is signed and before it is indented. nil: no change.
	Edit func(xml string) string
}

// Respond returns the value of the form field SAMLResponse: the XML of RespondXML in base64.
func (p *IdentityProvider) Respond(a Answer) (string, error) {
	document, err := p.RespondXML(a)
	if err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(document), nil
}

// RespondXML returns the signed XML. It fails if Recipient is empty, if Algorithm or Key does not
// exist, or if Edit leaves no XML or no Assertion to sign.
func (p *IdentityProvider) RespondXML(a Answer) ([]byte, error) {
	if a.Recipient == "" {
		return nil, errors.New("samltest: Answer.Recipient is empty, want the Redirect URL of the service provider")
	}
	key, err := p.key(a.Key)
	if err != nil {
		return nil, err
	}
	issued := p.now().Add(a.ClockOffset)
	p.fillIn(&a, issued)
	text := p.response(&a, issued)
	if a.Edit != nil {
		text = a.Edit(text)
	}
	return sign(text, &a, key)
}

// fillIn sets each empty field to the value that Entra would send.
func (p *IdentityProvider) fillIn(a *Answer, issued time.Time) {
	setDefault := func(s *string, value string) {
		if *s == "" {
			*s = value
		}
	}
	if a.User.isZero() {
		a.User = p.users[0]
	}
	setDefault(&a.Audience, a.Recipient)
	setDefault(&a.Destination, a.Recipient)
	setDefault(&a.Issuer, p.entityID)
	setDefault(&a.AssertionID, "_"+newGUID())
	if len(a.SessionIndexes) == 0 {
		a.SessionIndexes = []string{a.AssertionID}
	}
	if a.Lifetime == 0 {
		a.Lifetime = time.Hour
	}
	if a.AuthnInstant.IsZero() {
		a.AuthnInstant = issued.Add(-10 * time.Minute)
	}
	switch {
	case a.NameIDFormat == FormatTransient:
		setDefault(&a.NameID, newGUID())
	case a.NameIDFormat == FormatPersistent:
		setDefault(&a.NameID, p.pairwise(a.Audience, a.User))
	case a.NameID == "" && a.User.Mail == "":
		a.NameID = p.pairwise(a.Audience, a.User)
		setDefault(&a.NameIDFormat, FormatPersistent)
	}
	setDefault(&a.NameID, a.User.Mail)
	setDefault(&a.NameIDFormat, FormatEmail)
}

// pairwise returns an opaque identifier of the user for one service. It stays the same if the
// account is renamed.
func (p *IdentityProvider) pairwise(audience string, u User) string {
	sum := sha256.Sum256([]byte(p.tenant + "\n" + audience + "\n" + cmp.Or(u.ObjectID, u.UserPrincipalName, u.Mail)))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// response writes the XML without signatures.
func (p *IdentityProvider) response(a *Answer, issued time.Time) string {
	w := writer{style: a.Style}
	inResponseTo := a.RequestID
	if inResponseTo == "" {
		inResponseTo = Absent
	}
	w.open("Response",
		"ID", "_"+newGUID(),
		"Version", "2.0",
		"IssueInstant", stamp(issued),
		"Destination", a.Destination,
		"InResponseTo", inResponseTo)
	w.leaf("Issuer", a.Issuer)
	w.status(cmp.Or(a.Status, StatusSuccess), a.SubStatus, a.StatusMessage)
	if a.Status == "" {
		p.assertion(&w, a, issued, inResponseTo)
	}
	w.close("Response")
	return w.String()
}

// status writes a Status. sub and message are left out if they are empty.
func (w *writer) status(code, sub, message string) {
	w.open("Status")
	if sub != "" {
		w.open("StatusCode", "Value", code)
		w.empty("StatusCode", "Value", sub)
		w.close("StatusCode")
	} else {
		w.empty("StatusCode", "Value", code)
	}
	if message != "" {
		w.leaf("StatusMessage", message)
	}
	w.close("Status")
}

// assertion writes the Assertion.
func (p *IdentityProvider) assertion(w *writer, a *Answer, issued time.Time, inResponseTo string) {
	end := stamp(issued.Add(a.Lifetime))
	w.open("Assertion", "ID", a.AssertionID, "IssueInstant", stamp(issued), "Version", "2.0")
	w.inAssertion = true
	w.leaf("Issuer", a.Issuer)
	w.open("Subject")
	w.leaf("NameID", a.NameID, "Format", a.NameIDFormat)
	w.open("SubjectConfirmation", "Method", "urn:oasis:names:tc:SAML:2.0:cm:bearer")
	w.empty("SubjectConfirmationData",
		"InResponseTo", inResponseTo,
		"NotOnOrAfter", end,
		"Recipient", a.Recipient)
	w.close("SubjectConfirmation")
	w.close("Subject")
	w.open("Conditions", "NotBefore", stamp(issued.Add(-5*time.Minute)), "NotOnOrAfter", end)
	w.open("AudienceRestriction")
	w.leaf("Audience", a.Audience)
	w.close("AudienceRestriction")
	w.close("Conditions")
	w.open("AttributeStatement")
	for _, attribute := range replaceAttributes(p.claims(a.User), a.Attributes) {
		w.open("Attribute", "Name", attribute.Name)
		for _, value := range attribute.Values {
			w.leaf("AttributeValue", value)
		}
		w.close("Attribute")
	}
	w.close("AttributeStatement")
	sessionEnd := Absent
	if !a.SessionNotOnOrAfter.IsZero() {
		sessionEnd = stamp(a.SessionNotOnOrAfter)
	}
	for _, index := range a.SessionIndexes {
		w.open("AuthnStatement",
			"AuthnInstant", stamp(a.AuthnInstant),
			"SessionIndex", index,
			"SessionNotOnOrAfter", sessionEnd)
		w.open("AuthnContext")
		w.leaf("AuthnContextClassRef", classPassword)
		w.close("AuthnContext")
		w.close("AuthnStatement")
	}
	w.close("Assertion")
}

// classPassword is the authentication context of every user here. In Entra, most sign-ins have it.
const classPassword = "urn:oasis:names:tc:SAML:2.0:ac:classes:Password"

// stamp writes a time as Entra does: UTC, with milliseconds.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

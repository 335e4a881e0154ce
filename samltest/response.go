package samltest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"strings"
	"time"
)

// Sign says what is signed: the portal's Signing Option.
type Sign int

const (
	SignAssertion Sign = iota // "Sign SAML assertion", Entra's default
	SignResponse              // "Sign SAML response": the assertion has no signature of its own
	SignBoth                  // "Sign SAML response and assertion"
	SignNothing               // which Entra never does
)

// Style is how the XML is written. All styles say the same.
type Style int

const (
	Entra    Style = iota // default namespaces inside samlp:Response, all in one line, no XML declaration
	Prefixed              // saml2p:, saml2: and ds: prefixes everywhere, as Okta and others write
	Pretty                // as Prefixed, indented, with an XML declaration
)

// Format URIs of NameIDs.
const (
	FormatEmail      = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
	FormatPersistent = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
)

// Answer describes one response. What is not set is as Entra makes it.
type Answer struct {
	User      User   // default: the first of Options.Users
	RequestID string // InResponseTo; empty: nobody asked, and no InResponseTo anywhere
	Recipient string // the service provider's Redirect URL, also the Destination
	Audience  string // default: Recipient, as in a set-up where one URL is everything

	Sign        Sign
	Algorithm   Algorithm     // default: what the key is for, with SHA-256
	Key         int           // index in Certificates of the key that signs
	OmitKeyInfo bool          // no certificate in the message
	Style       Style         //
	ClockOffset time.Duration // how far the provider's clock is ahead
	Lifetime    time.Duration // from issue to NotOnOrAfter; default 60 minutes

	Issuer      string // default: the provider's entity ID
	Destination string // default: Recipient

	NameID       string // default: the user's mail; without mail a pairwise persistent identifier, as Microsoft documents
	NameIDFormat string // default: FormatEmail, or FormatPersistent for that identifier

	AuthnInstant        time.Time   // default: ten minutes ago
	SessionNotOnOrAfter time.Time   // default: none
	Attributes          []Attribute // in place of the user's claims of the same Name, or added; without values: left out

	// Status makes the answer an error: its top-level status code, such as
	// "urn:oasis:names:tc:SAML:2.0:status:Responder". There is no assertion and, as with Entra, no signature.
	Status, SubStatus, StatusMessage string

	// Edit, if set, changes the XML before it is signed.
	Edit func(xml string) string
}

// Respond gives the form value SAMLResponse: the XML in base64.
func (p *IdentityProvider) Respond(a Answer) (string, error) {
	document, err := p.RespondXML(a)
	return base64.StdEncoding.EncodeToString(document), err
}

// RespondXML gives the signed XML.
func (p *IdentityProvider) RespondXML(a Answer) ([]byte, error) {
	if a.Recipient == "" {
		return nil, errors.New("samltest: an Answer needs a Recipient: the service provider's Redirect URL")
	}
	p.fillIn(&a)
	key, err := p.key(a.Key)
	if err != nil {
		return nil, err
	}
	text := p.response(&a)
	if a.Edit != nil {
		text = a.Edit(text)
	}
	if a.Status != "" {
		a.Sign = SignNothing
	}
	return sign(text, &a, key)
}

func (p *IdentityProvider) fillIn(a *Answer) {
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
	if a.Lifetime == 0 {
		a.Lifetime = time.Hour
	}
	if a.AuthnInstant.IsZero() {
		a.AuthnInstant = p.now().Add(a.ClockOffset - 10*time.Minute)
	}
	if a.NameID == "" && a.User.Mail == "" {
		a.NameID = pairwise(a.Audience, a.User)
		setDefault(&a.NameIDFormat, FormatPersistent)
	}
	setDefault(&a.NameID, a.User.Mail)
	setDefault(&a.NameIDFormat, FormatEmail)
}

// pairwise is an opaque name of the user for one service.
func pairwise(audience string, u User) string {
	sum := sha256.Sum256([]byte(audience + "\n" + u.ObjectID + "\n" + u.UserPrincipalName))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// response writes the XML without signatures. SessionIndex is the assertion's ID, as with Entra.
func (p *IdentityProvider) response(a *Answer) string {
	w := writer{style: a.Style}
	issued := p.now().Add(a.ClockOffset)
	inResponseTo := []string{"InResponseTo", a.RequestID}
	if a.RequestID == "" {
		inResponseTo = nil
	}
	w.open("Response", append([]string{"ID", "_" + newGUID(), "Version", "2.0", "IssueInstant", stamp(issued), "Destination", a.Destination}, inResponseTo...)...)
	w.leaf("Issuer", a.Issuer)
	w.status(a)
	if a.Status == "" {
		p.assertion(&w, a, issued, inResponseTo)
	}
	w.close("Response")
	return w.String()
}

func (p *IdentityProvider) assertion(w *writer, a *Answer, issued time.Time, inResponseTo []string) {
	id := "_" + newGUID()
	end := stamp(issued.Add(a.Lifetime))
	w.open("Assertion", "ID", id, "IssueInstant", stamp(issued), "Version", "2.0")
	w.inAssertion = true
	w.leaf("Issuer", a.Issuer)
	w.open("Subject")
	w.leaf("NameID", a.NameID, "Format", a.NameIDFormat)
	w.open("SubjectConfirmation", "Method", "urn:oasis:names:tc:SAML:2.0:cm:bearer")
	w.empty("SubjectConfirmationData", append(inResponseTo[:len(inResponseTo):len(inResponseTo)], "NotOnOrAfter", end, "Recipient", a.Recipient)...)
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
	statement := []string{"AuthnInstant", stamp(a.AuthnInstant), "SessionIndex", id}
	if !a.SessionNotOnOrAfter.IsZero() {
		statement = append(statement, "SessionNotOnOrAfter", stamp(a.SessionNotOnOrAfter))
	}
	w.open("AuthnStatement", statement...)
	w.open("AuthnContext")
	w.leaf("AuthnContextClassRef", "urn:oasis:names:tc:SAML:2.0:ac:classes:Password")
	w.close("AuthnContext")
	w.close("AuthnStatement")
	w.close("Assertion")
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// writer writes elements in a Style. Names decide the namespace: Response and the status elements are of the protocol.
type writer struct {
	strings.Builder
	style       Style
	inAssertion bool
}

const (
	nsProtocol  = "urn:oasis:names:tc:SAML:2.0:protocol"
	nsAssertion = "urn:oasis:names:tc:SAML:2.0:assertion"
)

func (w *writer) status(a *Answer) {
	code := a.Status
	if code == "" {
		code = "urn:oasis:names:tc:SAML:2.0:status:Success"
	}
	w.open("Status")
	if a.SubStatus != "" {
		w.open("StatusCode", "Value", code)
		w.empty("StatusCode", "Value", a.SubStatus)
		w.close("StatusCode")
	} else {
		w.empty("StatusCode", "Value", code)
	}
	if a.StatusMessage != "" {
		w.leaf("StatusMessage", a.StatusMessage)
	}
	w.close("Status")
}

// name gives the qualified name of an element and the declaration it carries. Entra declares the assertion namespace as the default
// one where it begins, in the response's Issuer and in the Assertion.
func (w *writer) name(local string) (qualified, declaration string) {
	switch {
	case strings.HasPrefix(local, "Status") || local == "Response":
		prefix := "samlp"
		if w.style != Entra {
			prefix = "saml2p"
		}
		if local == "Response" {
			declaration = ` xmlns:` + prefix + `="` + nsProtocol + `"`
		}
		return prefix + ":" + local, declaration
	case w.style != Entra:
		if w.declares(local) {
			declaration = ` xmlns:saml2="` + nsAssertion + `"`
		}
		return "saml2:" + local, declaration
	case w.declares(local):
		return local, ` xmlns="` + nsAssertion + `"`
	}
	return local, ""
}

func (w *writer) declares(local string) bool {
	return local == "Assertion" || local == "Issuer" && !w.inAssertion
}

func (w *writer) start(local string, attributes []string) (qualified string) {
	qualified, declaration := w.name(local)
	w.WriteString("<" + qualified)
	for i := 0; i < len(attributes); i += 2 {
		w.WriteString(" " + attributes[i] + `="`)
		xml.EscapeText(w, []byte(attributes[i+1])) // a strings.Builder does not fail
		w.WriteString(`"`)
	}
	w.WriteString(declaration)
	return qualified
}

func (w *writer) open(local string, attributes ...string) {
	w.start(local, attributes)
	w.WriteString(">")
}

func (w *writer) empty(local string, attributes ...string) {
	w.start(local, attributes)
	w.WriteString("/>")
}

func (w *writer) leaf(local, text string, attributes ...string) {
	qualified := w.start(local, attributes)
	w.WriteString(">")
	xml.EscapeText(w, []byte(text))
	w.WriteString("</" + qualified + ">")
}

func (w *writer) close(local string) {
	qualified, _ := w.name(local)
	w.WriteString("</" + qualified + ">")
}

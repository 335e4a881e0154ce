package samltest

import (
	"cmp"
	"encoding/base64"
	"errors"
	"net/url"
	"time"

	"github.com/beevik/etree"
)

// Binding is the URI of a way in which messages travel (SAML Bindings 2.0, section 3).
type Binding string

const (
	HTTPRedirect Binding = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
	HTTPPost     Binding = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
	SOAP         Binding = "urn:oasis:names:tc:SAML:2.0:bindings:SOAP"
)

// Top-level status codes of answers (SAML Core 2.0, section 3.2.2.2), and one below Responder.
const (
	StatusSuccess       = "urn:oasis:names:tc:SAML:2.0:status:Success"
	StatusRequester     = "urn:oasis:names:tc:SAML:2.0:status:Requester"
	StatusResponder     = "urn:oasis:names:tc:SAML:2.0:status:Responder"
	StatusPartialLogout = "urn:oasis:names:tc:SAML:2.0:status:PartialLogout"
)

// Logout describes one LogoutRequest (SAML Core 2.0, section 3.7.1) or, if InResponseTo is set, one
// LogoutResponse (section 3.7.2). A field that is not set has the value that Entra would send.
type Logout struct {
	// Session is whose session a request ends: one of Sessions. The fields below can say otherwise.
	Session Session

	// LogoutURL is where the message goes: the Logout URL of the service provider. Default: that of
	// the application of Session. Required if there is none.
	LogoutURL string

	NameID       string // default: the pairwise identifier of the user, whatever the sign-in had
	NameIDFormat string // default: none
	// NameQualifier and SPNameQualifier say where the NameID is valid. Default: none.
	NameQualifier, SPNameQualifier string
	// SessionIndexes name the sessions. Default: that of Session. An empty list that is not nil means
	// all sessions of the user.
	SessionIndexes   []string
	Lifetime         time.Duration // from issue to NotOnOrAfter; default 60 minutes
	OmitNotOnOrAfter bool          // like Keycloak and LemonLDAP::NG
	Encrypt          *Encryption   // of the NameID; nil: not encrypted

	InResponseTo      string // ID of the request that this message answers
	Status, SubStatus string // of an answer; default StatusSuccess, and none below it

	ID              string        // default: a random one
	Issuer          string        // default: the provider's entity ID
	Destination     string        // default: LogoutURL
	ClockOffset     time.Duration // how far the provider's clock is ahead; negative: behind
	RelayState      string        // "": none
	EmptyRelayState bool          // sends, and signs, a RelayState without a value

	Unsigned      bool      // leaves out the signature of the binding
	SignInside    bool      // HTTP-Redirect: signs the XML, too, which counts for nothing in this binding
	Algorithm     Algorithm // as in Answer
	Key           int       // index of the signing key in Certificates
	ASN1Signature bool      // ECDSA in ASN.1 DER, like OpenSAML, and not as r and s
	Style         Style     // how the XML is written
	// OuterNamespaces declares the namespaces of a SOAP message on the Envelope alone, like
	// LemonLDAP::NG. It needs another Style than Entra.
	OuterNamespaces bool

	// Edit changes the XML before it is signed. nil: no change.
	Edit func(xml string) string

	Redirect RedirectForm // how an HTTP-Redirect is written
}

// element returns the name of the message, which is that of its root element.
func (l *Logout) element() string {
	if l.InResponseTo != "" {
		return "LogoutResponse"
	}
	return "LogoutRequest"
}

// parameter returns the name under which the message travels.
func (l *Logout) parameter() string {
	if l.InResponseTo != "" {
		return "SAMLResponse"
	}
	return "SAMLRequest"
}

// LogoutXML returns the message in XML. It is signed inside, as the bindings HTTP-POST and SOAP want it,
// unless l is Unsigned. It fails if there is no LogoutURL, if Algorithm or Key does not exist, or if
// Edit leaves no XML.
func (p *IdentityProvider) LogoutXML(l Logout) ([]byte, error) {
	document, err := p.logoutDocument(&l, !l.Unsigned)
	if err != nil {
		return nil, err
	}
	return document.WriteToBytes()
}

// LogoutForm returns the form that carries the message by HTTP-POST (SAML Bindings 2.0, section 3.5). A
// browser posts it, or the provider's own server does, like Keycloak's: without cookies.
func (p *IdentityProvider) LogoutForm(l Logout) (Form, error) {
	document, err := p.logoutDocument(&l, !l.Unsigned)
	if err != nil {
		return Form{}, err
	}
	message, err := document.WriteToBytes()
	if err != nil {
		return Form{}, err
	}
	values := url.Values{l.parameter(): {base64.StdEncoding.EncodeToString(message)}}
	if l.hasRelayState() {
		values.Set("RelayState", l.RelayState)
	}
	return Form{Action: l.LogoutURL, Values: values}, nil
}

func (l *Logout) hasRelayState() bool { return l.RelayState != "" || l.EmptyRelayState }

const nsSOAP = "http://schemas.xmlsoap.org/soap/envelope/"

// LogoutEnvelope returns the SOAP envelope that carries the message (SAML Bindings 2.0, section 3.2).
func (p *IdentityProvider) LogoutEnvelope(l Logout) ([]byte, error) {
	message, err := p.logoutDocument(&l, !l.Unsigned)
	if err != nil {
		return nil, err
	}
	root := message.Root()
	envelope := etree.NewElement("S:Envelope")
	envelope.CreateAttr("xmlns:S", nsSOAP)
	if l.OuterNamespaces {
		for _, space := range []string{"samlp", "saml"} {
			if a := root.RemoveAttr("xmlns:" + space); a != nil {
				envelope.CreateAttr(a.FullKey(), a.Value)
			}
		}
	}
	envelope.CreateElement("S:Body").AddChild(root)
	document := etree.NewDocument()
	document.WriteSettings = message.WriteSettings
	document.SetRoot(envelope)
	return document.WriteToBytes()
}

// logoutDocument fills in l and returns its XML.
func (p *IdentityProvider) logoutDocument(l *Logout, signed bool) (*etree.Document, error) {
	if err := p.fillInLogout(l); err != nil {
		return nil, err
	}
	text := l.text(p.now().Add(l.ClockOffset))
	if l.Edit != nil {
		text = l.Edit(text)
	}
	document, err := parseEdited(text)
	if err != nil {
		return nil, err
	}
	l.Style.indent(document)
	if l.Encrypt != nil {
		if err := l.Encrypt.encryptAll(document.Root().SelectElements("NameID"), "EncryptedID"); err != nil {
			return nil, err
		}
	}
	if !signed {
		return document, nil
	}
	key, err := p.key(l.Key)
	if err != nil {
		return nil, err
	}
	how := l.Style.signing(key, l.Algorithm)
	how.asn1 = l.ASN1Signature
	return document, how.sign(document.Root())
}

// fillInLogout sets each empty field to the value that Entra would send.
func (p *IdentityProvider) fillInLogout(l *Logout) error {
	if app, ok := p.application(l.Session.Application); ok {
		l.LogoutURL = cmp.Or(l.LogoutURL, app.LogoutURL)
	}
	if l.LogoutURL == "" {
		return errors.New("samltest: Logout.LogoutURL is empty, and so is Application.LogoutURL of its Session; " +
			"want the Logout URL of the service provider")
	}
	user := l.Session.User
	if user.isZero() {
		user = p.users[0]
	}
	if l.NameID == "" {
		l.NameID = p.pairwise(l.Session.Application, user)
	}
	if l.SessionIndexes == nil && l.Session.SessionIndex != "" {
		l.SessionIndexes = []string{l.Session.SessionIndex}
	}
	l.ID = cmp.Or(l.ID, "_"+newGUID())
	l.Issuer = cmp.Or(l.Issuer, p.entityID)
	l.Destination = cmp.Or(l.Destination, l.LogoutURL)
	l.Lifetime = cmp.Or(l.Lifetime, time.Hour)
	l.Status = cmp.Or(l.Status, StatusSuccess)
	return nil
}

// text writes the XML without a signature.
func (l *Logout) text(issued time.Time) string {
	w := writer{style: l.Style}
	end := Absent
	if l.InResponseTo == "" && !l.OmitNotOnOrAfter {
		end = stamp(issued.Add(l.Lifetime))
	}
	w.open(l.element(),
		"ID", l.ID,
		"Version", "2.0",
		"IssueInstant", stamp(issued),
		"Destination", l.Destination,
		"NotOnOrAfter", end,
		"InResponseTo", cmp.Or(l.InResponseTo, Absent))
	w.leaf("Issuer", l.Issuer)
	if l.InResponseTo != "" {
		w.status(l.Status, l.SubStatus, "")
	} else {
		w.leaf("NameID", l.NameID,
			"Format", cmp.Or(l.NameIDFormat, Absent),
			"NameQualifier", cmp.Or(l.NameQualifier, Absent),
			"SPNameQualifier", cmp.Or(l.SPNameQualifier, Absent))
		for _, index := range l.SessionIndexes {
			w.leaf("SessionIndex", index)
		}
	}
	w.close(l.element())
	return w.String()
}

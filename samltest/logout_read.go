package samltest

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

// LogoutMessage is a LogoutRequest or LogoutResponse of an application as the provider received it.
type LogoutMessage struct {
	Request     bool // false: a LogoutResponse
	Binding     Binding
	Application string // Issuer
	ID          string
	Destination string
	RelayState  string

	NameID, NameIDFormat           string // of a request
	NameQualifier, SPNameQualifier string
	SessionIndexes                 []string

	InResponseTo, Status, SubStatus string // of a response

	// Verified says that the key in Application.SigningCertificate signed the message, in the way of
	// its binding.
	Verified bool
}

// LogoutMessages returns what applications sent to ServeHTTP, oldest first: at most the last 1,000.
func (p *IdentityProvider) LogoutMessages() []LogoutMessage {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return append([]LogoutMessage(nil), p.heard...)
}

// logoutXML holds the parts of a logout message that this package reads.
type logoutXML struct {
	XMLName      xml.Name
	ID           string `xml:"ID,attr"`
	Destination  string `xml:"Destination,attr"`
	InResponseTo string `xml:"InResponseTo,attr"`
	Issuer       string `xml:"urn:oasis:names:tc:SAML:2.0:assertion Issuer"`
	NameID       struct {
		Format          string `xml:"Format,attr"`
		NameQualifier   string `xml:"NameQualifier,attr"`
		SPNameQualifier string `xml:"SPNameQualifier,attr"`
		Value           string `xml:",chardata"`
	} `xml:"urn:oasis:names:tc:SAML:2.0:assertion NameID"`
	SessionIndexes []string `xml:"urn:oasis:names:tc:SAML:2.0:protocol SessionIndex"`
	Status         struct {
		Code struct {
			Value string `xml:"Value,attr"`
			Sub   struct {
				Value string `xml:"Value,attr"`
			} `xml:"StatusCode"`
		} `xml:"StatusCode"`
	} `xml:"urn:oasis:names:tc:SAML:2.0:protocol Status"`
}

// A logoutArrival is a logout message before it is known whether its signature is good.
type logoutArrival struct {
	LogoutMessage
	signed func(*x509.Certificate) bool // reports whether the owner of the certificate signed it
}

// carriesLogout reports whether a request to the Login URL is about logout: an answer, a SOAP call, or a
// LogoutRequest. Login URL and Logout URL are one, as in Entra.
func carriesLogout(r *http.Request) bool {
	if r.Form.Get("SAMLResponse") != "" || isSOAP(r) {
		return true
	}
	document, err := messageOf(r, "SAMLRequest")
	var root struct{ XMLName xml.Name }
	return err == nil && xml.Unmarshal(document, &root) == nil &&
		root.XMLName == xml.Name{Space: nsProtocol, Local: "LogoutRequest"}
}

func isSOAP(r *http.Request) bool {
	kind := r.Header.Get("Content-Type")
	return r.Method == http.MethodPost &&
		(strings.HasPrefix(kind, "text/xml") || strings.HasPrefix(kind, "application/soap+xml"))
}

// readLogout reads the message of any binding.
func readLogout(r *http.Request) (logoutArrival, error) {
	if isSOAP(r) {
		return readLogoutEnvelope(r.Body)
	}
	name := "SAMLRequest"
	if r.Form.Get(name) == "" {
		name = "SAMLResponse"
	}
	document, err := messageOf(r, name)
	if err != nil {
		return logoutArrival{}, errNotLogout
	}
	root, err := parseMessage(document)
	if err != nil {
		return logoutArrival{}, err
	}
	a, err := newLogoutArrival(root)
	a.Binding, a.RelayState = HTTPPost, r.Form.Get("RelayState")
	if r.Method == http.MethodGet {
		a.Binding = HTTPRedirect
		a.signed = func(c *x509.Certificate) bool { return verifyQuery(r.URL.RawQuery, name, c.PublicKey) }
	}
	return a, err
}

var errNotLogout = aadsts(50061, "the message is not a valid SAML 2.0 logout message")

// readLogoutEnvelope reads the one message in the Body of a SOAP envelope.
func readLogoutEnvelope(body io.Reader) (logoutArrival, error) {
	document, err := io.ReadAll(io.LimitReader(body, maxRequest))
	if err != nil {
		return logoutArrival{}, err
	}
	root, err := parseMessage(document)
	if err != nil {
		return logoutArrival{}, err
	}
	messages := root.FindElements("./Body/*")
	if root.Tag != "Envelope" || root.NamespaceURI() != nsSOAP || len(messages) != 1 {
		return logoutArrival{}, errNotLogout
	}
	a, err := newLogoutArrival(messages[0])
	a.Binding = SOAP
	return a, err
}

func parseMessage(document []byte) (*etree.Element, error) {
	doc := etree.NewDocument()
	if err := doc.ReadFromBytes(document); err != nil || doc.Root() == nil {
		return nil, errNotLogout
	}
	return doc.Root(), nil
}

// newLogoutArrival reads a message that stands in a document. Its signature is inside.
func newLogoutArrival(e *etree.Element) (a logoutArrival, err error) {
	alone := etree.NewDocument()
	alone.WriteSettings = etree.WriteSettings{CanonicalText: true, CanonicalAttrVal: true}
	alone.SetRoot(detach(e))
	document, err := alone.WriteToBytes()
	if err != nil {
		return a, errNotLogout
	}
	var x logoutXML
	if err := xml.Unmarshal(document, &x); err != nil || x.XMLName.Space != nsProtocol ||
		x.XMLName.Local != "LogoutRequest" && x.XMLName.Local != "LogoutResponse" {
		return a, errNotLogout
	}
	a.LogoutMessage = LogoutMessage{Request: x.XMLName.Local == "LogoutRequest", Application: x.Issuer, ID: x.ID,
		Destination: x.Destination, NameID: x.NameID.Value, NameIDFormat: x.NameID.Format,
		NameQualifier: x.NameID.NameQualifier, SPNameQualifier: x.NameID.SPNameQualifier,
		SessionIndexes: x.SessionIndexes, InResponseTo: x.InResponseTo, Status: x.Status.Code.Value,
		SubStatus: x.Status.Code.Sub.Value}
	a.signed = func(c *x509.Certificate) bool { return verifyEnveloped(alone.Root(), c) == nil }
	return a, nil
}

// verifyEnveloped checks the signature that is a child of e, which stands alone.
func verifyEnveloped(e *etree.Element, certificate *x509.Certificate) error {
	if public, ok := certificate.PublicKey.(*ecdsa.PublicKey); ok {
		if err := signatureToASN1(e, public); err != nil {
			return err
		}
	}
	store := &dsig.MemoryX509CertificateStore{Roots: []*x509.Certificate{certificate}}
	_, err := dsig.NewDefaultValidationContext(store).Validate(e)
	return err
}

// signatureToASN1 undoes rawECDSA in the signature of e, because goxmldsig 1.6.1 reads ECDSA signatures as
// ASN.1 only.
func signatureToASN1(e *etree.Element, key *ecdsa.PublicKey) error {
	value := e.FindElement("./Signature/SignatureValue")
	if value == nil {
		return errors.New("samltest: the message has no signature")
	}
	raw, err := base64.StdEncoding.DecodeString(value.Text())
	if err != nil {
		return err
	}
	encoded, err := asn1ECDSA(key, raw)
	if err != nil {
		return err
	}
	value.SetText(base64.StdEncoding.EncodeToString(encoded))
	return nil
}

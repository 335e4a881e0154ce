package outgoing

import (
	"bytes"
	"encoding/xml"
	"time"

	"github.com/beevik/etree"
	crewjam "github.com/crewjam/saml"
)

// A NameID names a user as the identity provider did at the sign-in (SAML Core 2.0 §2.2.3). Empty
// attributes are left out.
type NameID struct{ Value, Format, NameQualifier, SPNameQualifier string }

// A LogoutRequest asks to end a session (SAML Core 2.0 §3.7.1).
type LogoutRequest struct {
	ID           string // NCName
	IssueInstant time.Time
	Destination  string // logout address of the identity provider
	EntityID     string // Issuer
	NameID       NameID
	Indexes      []string // SessionIndexes; none: all sessions of the user
}

// XML returns the request without a signature.
func (r LogoutRequest) XML() ([]byte, error) {
	request := crewjam.LogoutRequest{
		ID:           r.ID,
		Version:      "2.0",
		IssueInstant: r.IssueInstant.UTC(),
		Destination:  r.Destination,
		Issuer:       &crewjam.Issuer{Value: r.EntityID},
		NameID: &crewjam.NameID{Value: r.NameID.Value, Format: r.NameID.Format, NameQualifier: r.NameID.NameQualifier,
			SPNameQualifier: r.NameID.SPNameQualifier},
	}
	for i, index := range r.Indexes {
		if i == 0 {
			request.SessionIndex = &crewjam.SessionIndex{Value: index}
			continue
		}
		request.AdditionalSessionIndexes = append(request.AdditionalSessionIndexes, crewjam.SessionIndex{Value: index})
	}
	return written(request.Element())
}

// SignedXML returns the request with an enveloped signature, as the HTTP-POST and SOAP bindings carry
// it.
func (r LogoutRequest) SignedXML(s Signer) ([]byte, error) { return s.envelopMessage(r, r.ID) }

// A LogoutResponse answers a LogoutRequest (SAML Core 2.0 §3.7.2).
type LogoutResponse struct {
	ID           string // NCName
	InResponseTo string // ID of the request
	IssueInstant time.Time
	Destination  string // "" by SOAP
	EntityID     string // Issuer
	Status       string // URI of the top-level status code
	SubStatus    string // URI of the one below, "" for none
}

// XML returns the response without a signature.
func (r LogoutResponse) XML() ([]byte, error) {
	response := crewjam.LogoutResponse{
		ID:           r.ID,
		InResponseTo: r.InResponseTo,
		Version:      "2.0",
		IssueInstant: r.IssueInstant.UTC(),
		Destination:  r.Destination,
		Issuer:       &crewjam.Issuer{Value: r.EntityID},
		Status:       crewjam.Status{StatusCode: crewjam.StatusCode{Value: r.Status}},
	}
	if r.SubStatus != "" {
		response.Status.StatusCode.StatusCode = &crewjam.StatusCode{Value: r.SubStatus}
	}
	return written(response.Element())
}

// SignedXML returns the response with an enveloped signature, as the HTTP-POST and SOAP bindings carry
// it.
func (r LogoutResponse) SignedXML(s Signer) ([]byte, error) { return s.envelopMessage(r, r.ID) }

// written writes an element so that it is read again as it was: a NameID of others may have any
// character.
func written(e *etree.Element) ([]byte, error) {
	doc := etree.NewDocument()
	doc.WriteSettings = etree.WriteSettings{CanonicalText: true, CanonicalAttrVal: true}
	doc.SetRoot(e)
	return doc.WriteToBytes()
}

// envelopMessage returns a message with an enveloped signature directly after the Issuer, where the
// schema wants it.
func (s Signer) envelopMessage(m interface{ XML() ([]byte, error) }, id string) ([]byte, error) {
	document, err := m.XML()
	if err != nil {
		return nil, err
	}
	return s.envelop(document, id, "</saml:Issuer>")
}

const (
	soapHead = `<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body>`
	soapTail = `</S:Body></S:Envelope>`
)

// InEnvelope returns a SOAP 1.1 envelope with a message that has no XML declaration (SAML Bindings 2.0
// §3.2).
func InEnvelope(message []byte) []byte {
	return bytes.Join([][]byte{[]byte(soapHead), message, []byte(soapTail)}, nil)
}

// SOAPFault returns an envelope that says that the request was refused as it is (SOAP 1.1 §4.4). It
// goes with the HTTP status 500. text is plain text for the other side's log.
func SOAPFault(text string) []byte {
	var escaped bytes.Buffer
	xml.EscapeText(&escaped, []byte(text)) // a bytes.Buffer does not fail
	return InEnvelope([]byte(`<S:Fault><faultcode>S:Client</faultcode><faultstring>` + escaped.String() +
		`</faultstring></S:Fault>`))
}

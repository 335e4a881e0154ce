package wire

import (
	"github.com/iomete/saml/internal/fault"
	"github.com/iomete/saml/internal/xmltree"
)

// nsSOAP is the namespace of SOAP 1.1, the version of SAML's binding (SAML Bindings 2.0 §3.2.2).
const nsSOAP = "http://schemas.xmlsoap.org/soap/envelope/"

// messageInEnvelope returns the one element in the Body of a SOAP envelope. The rest is read only to
// refuse what could be meant otherwise: two bodies or messages, and a header that must be understood.
// Other headers are ignored (SAML Bindings 2.0 §3.2.2.1).
func messageInEnvelope(envelope xmltree.Element) (message xmltree.Element, err error) {
	if !envelope.Is(nsSOAP, "Envelope") {
		return message, inSOAP("the request is not a SOAP 1.1 envelope", inNamespace(envelope), "Envelope in "+nsSOAP)
	}
	var header, body xmltree.Element
	for c := range envelope.Children() {
		switch {
		case c.Is(nsSOAP, "Body") && !body.Exists():
			body = c
		case c.Is(nsSOAP, "Header") && !header.Exists() && !body.Exists():
			header = c
			if err := checkHeader(header); err != nil {
				return message, err
			}
		default:
			return message, inSOAP("an element of the SOAP envelope is repeated, out of order or not allowed",
				c.Local(),
				"at most one Header, then one Body")
		}
	}
	if !body.Exists() || !envelope.OnlyElements() || !body.OnlyElements() || body.CountChildren() != 1 {
		return message, inSOAP("the SOAP envelope does not have one Body with one message", "",
			"one SAML message in one Body")
	}
	for c := range body.Children() {
		message = c
	}
	return message, nil
}

// checkHeader refuses the entries that must be understood or refused (SOAP 1.1 §4.2.3): none is.
func checkHeader(header xmltree.Element) error {
	for entry := range header.Children() {
		switch must, _ := entry.AttrNS(nsSOAP, "mustUnderstand"); must {
		case "", "0", "false":
		default:
			return inSOAP("the SOAP envelope has a header that must be understood, and it is not", entry.Local(),
				"no such header: the SAML binding has none")
		}
	}
	return nil
}

func inSOAP(message, got, want string) error {
	return &fault.Fault{Code: fault.LogoutForm, Message: message, Got: got, Want: want}
}

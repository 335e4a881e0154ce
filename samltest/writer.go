package samltest

import (
	"encoding/xml"
	"strings"
)

// Style is how the XML is written. All styles have the same meaning.
type Style int

const (
	Entra    Style = iota // default namespaces inside samlp:Response, one line, no XML declaration
	Prefixed              // prefixes samlp:, saml: and ds:, declared near the root; typed values; like Keycloak
	Pretty                // like Prefixed, indented, with an XML declaration and base64 in lines
)

const (
	nsProtocol  = "urn:oasis:names:tc:SAML:2.0:protocol"
	nsAssertion = "urn:oasis:names:tc:SAML:2.0:assertion"
)

// writer writes elements in a Style. Attributes are alternating names and values. An attribute with
// the value Absent is left out.
type writer struct {
	strings.Builder
	style       Style
	inAssertion bool
}

func (w *writer) open(local string, attributes ...string) {
	w.start(local, attributes)
	w.WriteString(">")
}

func (w *writer) empty(local string, attributes ...string) {
	w.start(local, attributes)
	w.WriteString("/>")
}

// leaf writes an element that holds text. It writes nothing if the text is Absent.
func (w *writer) leaf(local, text string, attributes ...string) {
	if text == Absent {
		return
	}
	w.open(local, attributes...)
	xml.EscapeText(w, []byte(text)) // a strings.Builder does not fail
	w.close(local)
}

func (w *writer) close(local string) {
	w.WriteString("</" + w.qualified(local) + ">")
}

func (w *writer) start(local string, attributes []string) {
	w.WriteString("<" + w.qualified(local))
	for i := 0; i < len(attributes); i += 2 {
		if attributes[i+1] == Absent {
			continue
		}
		w.WriteString(" " + attributes[i] + `="`)
		xml.EscapeText(w, []byte(attributes[i+1]))
		w.WriteString(`"`)
	}
	w.WriteString(w.declarations(local))
}

func (w *writer) qualified(local string) string {
	switch {
	case isProtocol(local):
		return "samlp:" + local
	case w.style == Entra:
		return local
	default:
		return "saml:" + local
	}
}

// isProtocol reports whether an element belongs to the protocol namespace.
func isProtocol(local string) bool {
	return isMessage(local) || local == "SessionIndex" || strings.HasPrefix(local, "Status")
}

// isMessage reports whether an element is the root of a message.
func isMessage(local string) bool {
	return local == "Response" || local == "LogoutRequest" || local == "LogoutResponse"
}

// declarations returns the namespace declarations of an element, which follow its other attributes.
// Entra declares the assertion namespace where it begins: in the Issuer of a message, in the NameID of a
// LogoutRequest and in the Assertion. Keycloak declares it at the root, again without need at the Assertion, and the
// namespaces of XML Schema at each value. The prefix xs is not "visibly used" there, only inside
// the value of xsi:type. Each of these is a trap for exclusive canonicalization.
func (w *writer) declarations(local string) string {
	const (
		protocol  = ` xmlns:samlp="` + nsProtocol + `"`
		asDefault = ` xmlns="` + nsAssertion + `"`
		asPrefix  = ` xmlns:saml="` + nsAssertion + `"`
		typed     = ` xmlns:xs="http://www.w3.org/2001/XMLSchema"` +
			` xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="xs:string"`
	)
	switch {
	case isMessage(local) && w.style == Entra:
		return protocol
	case isMessage(local):
		return protocol + asPrefix
	case local == "Assertion", (local == "Issuer" || local == "NameID") && w.style == Entra && !w.inAssertion:
		return asDefault
	case local == "AttributeValue" && w.style != Entra:
		return typed
	}
	return ""
}

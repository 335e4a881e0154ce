package samltest

import (
	"encoding/xml"
	"strings"
)

// Style is how the XML is written. All styles say the same.
type Style int

const (
	Entra    Style = iota // default namespaces inside samlp:Response, all in one line, no XML declaration
	Prefixed              // samlp:, saml: and ds: prefixes, declared far up, and typed values, as Keycloak and others write
	Pretty                // as Prefixed, indented, with an XML declaration and base64 in lines
)

const (
	nsProtocol  = "urn:oasis:names:tc:SAML:2.0:protocol"
	nsAssertion = "urn:oasis:names:tc:SAML:2.0:assertion"
)

// writer writes elements in a Style. Attributes come as names and values in turn; one whose value is Absent is left out.
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

// leaf writes an element that holds text, or nothing at all where the text is Absent.
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
	case local == "Response" || strings.HasPrefix(local, "Status"):
		return "samlp:" + local
	case w.style == Entra:
		return local
	default:
		return "saml:" + local
	}
}

// declarations are what an element carries behind its other attributes. Entra declares the assertion namespace where it begins: in the
// response's Issuer and in the Assertion. Keycloak declares it once at the top, once more without need at the Assertion, and the
// namespaces of XML Schema at each value, where the one of the type's own prefix is not visibly used: each of that is a trap for
// exclusive canonicalization.
func (w *writer) declarations(local string) string {
	const (
		protocol  = ` xmlns:samlp="` + nsProtocol + `"`
		asDefault = ` xmlns="` + nsAssertion + `"`
		asPrefix  = ` xmlns:saml="` + nsAssertion + `"`
		typed     = ` xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="xs:string"`
	)
	switch {
	case local == "Response" && w.style == Entra:
		return protocol
	case local == "Response":
		return protocol + asPrefix
	case local == "Assertion", local == "Issuer" && w.style == Entra && !w.inAssertion:
		return asDefault
	case local == "AttributeValue" && w.style != Entra:
		return typed
	}
	return ""
}

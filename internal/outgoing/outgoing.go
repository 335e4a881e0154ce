// Package outgoing writes what we send: authentication requests by itself, logout messages and our own
// metadata in crewjam/saml's types. It is the only door to that module; nothing that comes in passes
// through it. It signs by itself, because goxmldsig writes ECDSA signatures in ASN.1 and has no RSA-PSS.
package outgoing

import (
	"time"
	"unicode/utf8"
)

// An AuthnRequest is what one asks for (SAML Core 2.0 §3.4.1). It has no NameIDPolicy, so that the
// setting at the identity provider stands.
type AuthnRequest struct {
	ID           string // NCName
	IssueInstant time.Time
	Destination  string // login URL
	RedirectURL  string // AssertionConsumerServiceURL
	EntityID     string // Issuer
	ForceAuthn   bool
	IsPassive    bool
	// Contexts are authentication context class URIs, asked for with Comparison "exact"; nil asks
	// for none.
	Contexts []string
}

// XML returns the request without a signature. The error is nil.
//
// Each login begins with it, so it is appended to one buffer, without a tree. The tests compare it with
// what crewjam/saml writes.
func (r AuthnRequest) XML() ([]byte, error) {
	b := make([]byte, 0, requestSize+len(r.ID)+len(r.Destination)+len(r.RedirectURL)+len(r.EntityID))
	b = append(b, `<samlp:AuthnRequest xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"`...)
	b = appendAttribute(b, "ID", r.ID)
	b = append(b, ` Version="2.0" IssueInstant="`...)
	b = r.IssueInstant.UTC().AppendFormat(b, "2006-01-02T15:04:05.999Z07:00") // milliseconds, as many as are not zero
	b = append(b, '"')
	if r.Destination != "" {
		b = appendAttribute(b, "Destination", r.Destination)
	}
	if r.ForceAuthn {
		b = append(b, ` ForceAuthn="true"`...)
	}
	if r.IsPassive {
		b = append(b, ` IsPassive="true"`...)
	}
	if r.RedirectURL != "" {
		b = appendAttribute(b, "AssertionConsumerServiceURL", r.RedirectURL)
	}
	b = append(b, ` ProtocolBinding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"><saml:Issuer>`...)
	b = appendEscaped(b, r.EntityID)
	b = append(b, `</saml:Issuer>`...)
	if len(r.Contexts) > 0 {
		b = append(b, `<samlp:RequestedAuthnContext Comparison="exact">`...)
		for _, class := range r.Contexts {
			b = append(b, `<saml:AuthnContextClassRef>`...)
			b = appendEscaped(b, class)
			b = append(b, `</saml:AuthnContextClassRef>`...)
		}
		b = append(b, `</samlp:RequestedAuthnContext>`...)
	}
	return append(b, `</samlp:AuthnRequest>`...), nil
}

// requestSize is room for all of a request but its own values, in bytes.
const requestSize = 448

func appendAttribute(b []byte, name, value string) []byte {
	b = append(b, ' ')
	b = append(b, name...)
	b = append(b, `="`...)
	return append(appendEscaped(b, value), '"')
}

// appendEscaped appends a value to text, or to an attribute in double quotes. What is no character of
// XML 1.0 (§2.2), or no UTF-8, becomes U+FFFD.
func appendEscaped(b []byte, s string) []byte {
	plain := 0 // most values are plain to the end
	for plain < len(s) && s[plain] >= ' ' && s[plain] < utf8.RuneSelf && !isMarkup(s[plain]) {
		plain++
	}
	b = append(b, s[:plain]...)
	for _, r := range s[plain:] { // U+FFFD for a byte that is no UTF-8
		switch {
		case r == '&':
			b = append(b, "&amp;"...)
		case r == '<':
			b = append(b, "&lt;"...)
		case r == '>':
			b = append(b, "&gt;"...)
		case r == '\'':
			b = append(b, "&apos;"...)
		case r == '"':
			b = append(b, "&quot;"...)
		case r < ' ' && r != '\t' && r != '\n' && r != '\r', r == 0xFFFE, r == 0xFFFF:
			b = append(b, "\uFFFD"...)
		case r < utf8.RuneSelf:
			b = append(b, byte(r))
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return b
}

func isMarkup(c byte) bool { return c == '&' || c == '<' || c == '>' || c == '\'' || c == '"' }

// SignedXML returns the request with an enveloped signature, as the HTTP-POST binding carries it.
func (r AuthnRequest) SignedXML(s Signer) ([]byte, error) {
	document, err := r.XML()
	if err != nil {
		return nil, err
	}
	return s.envelop(document, r.ID, "</saml:Issuer>") // the schema wants it directly after the Issuer
}

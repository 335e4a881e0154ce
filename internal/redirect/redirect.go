// Package redirect reads what the HTTP-Redirect binding carries in the query of an address (SAML
// Bindings 2.0 §3.4), and the form of the HTTP-POST binding (§3.5), which has the same parameters.
// It never builds a query again from decoded parts: a signature covers the characters that were
// received, and senders do not agree on how to escape them (%2f, %2F, + or %20).
//
// It decides nothing: package wire reads the message, package dsig verifies the signature. All
// errors are *fault.Fault.
package redirect

import (
	"bytes"
	"fmt"
	"net/url"
	"strings"

	"github.com/iomete/saml/internal/b64"
	"github.com/iomete/saml/internal/fault"
)

// The parameters of the two bindings.
const (
	samlRequest  = "SAMLRequest"
	samlResponse = "SAMLResponse"
	relayState   = "RelayState"
	sigAlg       = "SigAlg"
	signature    = "Signature"
	samlEncoding = "SAMLEncoding"
)

// deflateEncoding is the value of SAMLEncoding that is the default (Bindings §3.4.4.1).
const deflateEncoding = "urn:oasis:names:tc:SAML:2.0:bindings:URL-Encoding:DEFLATE"

// maxText is the maximum size, in bytes, of a query or form: the largest message in base64, with
// room for escapes.
const maxText = 4 << 20

// A Message is what a query or a form says about one SAML message. Nothing of it is trusted.
type Message struct {
	Request       bool   // it is in SAMLRequest, not in SAMLResponse
	RelayState    string // decoded
	HasRelayState bool   // an empty RelayState is signed and sent back, an absent one is not

	XML []byte // the message, without its encoding

	// Algorithm is the URI in SigAlg, and Signature the decoded value beside it. Both are empty if
	// there is no signature; a form never has one.
	Algorithm string
	Signature []byte
	// Octets are what the signature covers: the message, RelayState if there is one, and SigAlg, in
	// this order and in the characters that were received (Bindings §3.4.4.1).
	Octets []byte
}

// Carries reports whether a query or form has a parameter for a SAML message, however its name is
// spelled. It reads nothing else of it.
func Carries(raw []byte) (request, response bool) {
	for part := range bytes.SplitSeq(raw, []byte("&")) {
		spelled, _, _ := bytes.Cut(part, []byte("="))
		if len(spelled) < len(samlRequest) || len(spelled) > maxSpelled {
			continue
		}
		if bytes.IndexByte(spelled, '%') >= 0 {
			name, _ := url.QueryUnescape(string(spelled))
			spelled = []byte(name)
		}
		request, response = request || string(spelled) == samlRequest, response || string(spelled) == samlResponse
	}
	return request, response
}

// maxSpelled is the length of the longest of the names, with every character as an escape.
const maxSpelled = 3 * len(samlResponse)

// ParseQuery reads the raw query of a request by the HTTP-Redirect binding, without the question
// mark. limit is the maximum size of the message in bytes.
//
// The message must be there once, RelayState, SigAlg and Signature at most once, the last two
// together or not at all. Other parameters are neither signed nor read.
func ParseQuery(raw string, limit int) (*Message, error) {
	f, err := parse(raw)
	if err != nil {
		return nil, err
	}
	if e, present := f[samlEncoding]; present && e.text != deflateEncoding {
		return nil, &fault.Fault{Code: fault.LogoutForm, Message: "the message on the redirect has an unknown encoding",
			Got: e.text, Want: "no " + samlEncoding + ", or " + deflateEncoding}
	}
	m, message, err := f.message()
	if err != nil {
		return nil, err
	}
	m.Octets = f.octets(m.parameter())
	if err := m.readSignature(f); err != nil {
		return nil, err
	}
	if m.XML, err = decode(message, limit); err != nil {
		return nil, err
	}
	return m, nil
}

// ParseForm reads the raw body of a form by the HTTP-POST binding, and the raw query of the address
// that it was posted to, which must have none of the parameters. The message must be there once,
// RelayState at most once. SigAlg and Signature belong to the other binding: the signature of a
// posted message is inside it.
func ParseForm(raw, query string) (*Message, error) {
	beside, err := parse(query)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{samlRequest, samlResponse, relayState, sigAlg, signature} {
		if _, present := beside[name]; present {
			return nil, misplaced("the address that the form was posted to has a parameter of the form", name,
				"it in the body alone")
		}
	}
	f, err := parse(raw)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{sigAlg, signature} {
		if _, present := f[name]; present {
			return nil, misplaced("the form has a parameter that belongs to the HTTP-Redirect binding", name,
				"the signature inside the message")
		}
	}
	m, message, err := f.message()
	if err != nil {
		return nil, err
	}
	if m.XML, err = base64Of(message, m.parameter()); err != nil {
		return nil, err
	}
	return m, nil
}

// Open returns the message that octets encode, which are those of a Message of ParseQuery. With it,
// what is read after a verification comes out of the very octets that were verified.
func Open(octets []byte, limit int) ([]byte, error) {
	_, rest, _ := strings.Cut(string(octets), "=")
	message, _, _ := strings.Cut(rest, "&")
	return decode(message, limit)
}

// A field is the value of one parameter: the characters that were received, and what they stand for.
type field struct{ raw, text string }

// fields are the parameters of the two bindings that are there.
type fields map[string]field

// parse reads the parameters. Names are compared in their decoded form, but taken in plain spelling
// only: another program in front of us, such as a filter, may not have seen through the escapes.
func parse(raw string) (fields, error) {
	if len(raw) > maxText {
		return nil, &fault.Fault{Code: fault.TooLarge, Message: "the query or form of a logout message is too large",
			Got: fmt.Sprintf("%d bytes", len(raw)), Want: fmt.Sprintf("at most %d bytes", maxText)}
	}
	f := fields{}
	for part := range strings.SplitSeq(raw, "&") {
		spelled, value, hasValue := strings.Cut(part, "=")
		name, err := url.QueryUnescape(spelled)
		if err != nil || !isOurs(name) {
			continue // a name that cannot be decoded is not one of ours, however it is read
		}
		_, twice := f[name]
		switch {
		case spelled != name:
			return nil, misplaced("a parameter has its name in escapes", spelled, name+" in plain letters")
		case twice:
			return nil, misplaced("a parameter is there twice", name, "it once")
		case !hasValue:
			return nil, misplaced("a parameter has no value", name, name+"=")
		}
		text, err := url.QueryUnescape(value)
		if err != nil {
			return nil, misplaced("the percent-encoding of a parameter is broken", name,
				"% followed by two hexadecimal digits")
		}
		f[name] = field{value, text}
	}
	return f, nil
}

func isOurs(name string) bool {
	switch name {
	case samlRequest, samlResponse, relayState, sigAlg, signature, samlEncoding:
		return true
	}
	return false
}

// message returns a Message without the parts that differ between the bindings, and the characters
// of the message as they were received.
func (f fields) message() (m *Message, raw string, err error) {
	request, isRequest := f[samlRequest]
	response, isResponse := f[samlResponse]
	switch {
	case isRequest && isResponse:
		return nil, "", misplaced("there is a request and an answer at once", samlRequest+" and "+samlResponse,
			"one of them")
	case !isRequest && !isResponse:
		return nil, "", misplaced("there is no SAML message", "", samlRequest+" or "+samlResponse)
	}
	m = &Message{Request: isRequest}
	state, present := f[relayState]
	m.RelayState, m.HasRelayState = state.text, present
	if isRequest {
		return m, request.raw, nil
	}
	return m, response.raw, nil
}

func (m *Message) parameter() string {
	if m.Request {
		return samlRequest
	}
	return samlResponse
}

func (f fields) octets(message string) []byte {
	var b []byte
	for _, name := range []string{message, relayState, sigAlg} {
		if v, present := f[name]; present {
			b = append(b, "&"+name+"="+v.raw...)
		}
	}
	return b[1:]
}

// readSignature reads SigAlg and Signature. No algorithm is assumed if SigAlg is missing.
func (m *Message) readSignature(f fields) (err error) {
	algorithm, hasAlgorithm := f[sigAlg]
	value, hasValue := f[signature]
	switch {
	case !hasAlgorithm && !hasValue:
		return nil
	case !hasAlgorithm:
		return misplaced("there is a signature, but not its algorithm", signature, sigAlg+" and "+signature)
	case !hasValue:
		return misplaced("there is an algorithm, but no signature", sigAlg, sigAlg+" and "+signature)
	}
	m.Algorithm = algorithm.text
	m.Signature, err = base64Of(value.raw, signature)
	return err
}

// base64Of decodes a parameter that is base64. A bare + is a plus sign there, although a form has
// it for a blank: base64 has no blanks, and some senders do not escape it.
func base64Of(raw, name string) ([]byte, error) {
	text, err := url.PathUnescape(raw)
	if err == nil {
		var data []byte
		if data, err = b64.Decode(text); err == nil {
			return data, nil
		}
	}
	return nil, &fault.Fault{Code: fault.Base64, Message: "the " + name + " of a logout message is not base64",
		Want: "the standard alphabet with padding, percent-encoded (SAML Bindings 2.0 §3.4.4.1 and §3.5.4)"}
}

func misplaced(message, got, want string) error {
	return &fault.Fault{Code: fault.LogoutForm, Message: message, Got: got, Want: want}
}

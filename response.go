package saml

import (
	"crypto"
	"regexp"
	"strings"

	"github.com/iomete/saml/internal/b64"
	"github.com/iomete/saml/internal/dsig"
	"github.com/iomete/saml/internal/xmltree"
)

// maxFormValue bounds the form value before it is decoded: the largest message in base64, with room for line breaks.
const maxFormValue = 2 << 20

// wireResponse is a samlp:Response as it was received (SAML Core 2.0 §3.3.3): of the right shape, but not trusted. What it says
// can only lead to a refusal.
type wireResponse struct {
	response  xmltree.Element
	assertion xmltree.Element // none in an error answer

	responseSignature, assertionSignature dsig.Signature

	destination  string
	inResponseTo string
	issuer       xmltree.Element // none if it has none
	status       status
	issueInstant string
}

// status is samlp:Status (SAML Core 2.0 §3.2.2).
type status struct {
	code, subCode string
	message       string // at most maxStatusMessage bytes
}

// maxStatusMessage is how much of a StatusMessage is looked at: it is searched for error numbers and shown in part, and Entra's have some
// hundred bytes.
const maxStatusMessage = 4 << 10

const statusSuccess = "urn:oasis:names:tc:SAML:2.0:status:Success"

// readMessage takes the form value apart as far as can be done without trust: rules of base64, XML and shape.
func readMessage(form string) (*wireResponse, *Error) {
	if form == "" {
		return nil, refuse(CodeResponseMissing, "there is no SAMLResponse", "", "")
	}
	if len(form) > maxFormValue {
		return nil, refusef(CodeTooLarge, "the SAMLResponse has %d bytes, more than %d", len(form), maxFormValue)
	}
	raw, err := b64.Decode(form)
	if err != nil {
		return nil, notBase64()
	}
	return readDocument(raw)
}

// readPosted is readMessage for a form value in a buffer of its own, which it overwrites.
func readPosted(form []byte) (*wireResponse, *Error) {
	raw, err := b64.DecodeBytes(form)
	if err != nil {
		return nil, notBase64()
	}
	return readDocument(raw)
}

func notBase64() *Error {
	return refuse(CodeBase64, "the SAMLResponse is not base64", "", "the standard alphabet with padding (SAML Bindings 2.0 §3.5.4)")
}

func readDocument(raw []byte) (*wireResponse, *Error) {
	doc, err := xmltree.Parse(raw, xmltree.Options{})
	if err != nil {
		return nil, fromFault(err)
	}
	return readShape(doc)
}

// readShape holds the document against the schema and finds its parts.
func readShape(doc *xmltree.Document) (*wireResponse, *Error) {
	root := doc.Root()
	if !root.Is(xmltree.NSProtocol, "Response") {
		return nil, refuse(CodeNotAResponse, "the message is not a SAML response", root.Local(), "Response in "+xmltree.NSProtocol)
	}
	if err := checkVersionAndID(root); err != nil {
		return nil, err
	}
	m := &wireResponse{response: root}
	if err := m.findAssertion(); err != nil {
		return nil, err
	}
	if err := checkUniqueIDs(root); err != nil {
		return nil, err
	}
	if err := responseModel.check(root); err != nil {
		return nil, err
	}
	var err error
	signable := m.assertion
	if m.encrypted() { // what is encrypted is signed inside
		signable = xmltree.Element{}
	}
	if m.responseSignature, m.assertionSignature, err = dsig.Find(root, signable); err != nil {
		return nil, fromFault(err)
	}
	m.readFields()
	return m, nil
}

// encrypted reports whether the assertion is an EncryptedAssertion.
func (m *wireResponse) encrypted() bool {
	return m.assertion.Exists() && m.assertion.Local() != "Assertion"
}

// checkVersionAndID is what the schema demands of Response and Assertion alike.
func checkVersionAndID(e xmltree.Element) *Error {
	if v, _ := e.Attr("Version"); v != "2.0" {
		return refuse(CodeVersion, "the "+e.Local()+" is not SAML 2.0", v, "Version 2.0")
	}
	if id, _ := e.Attr("ID"); !xmltree.IsNCName(id) {
		return refuse(CodeID, "the "+e.Local()+" has no usable ID", id, "an NCName")
	}
	return nil
}

// findAssertion looks through the whole document: there is one assertion, directly in the response, or in an error answer
// none.
func (m *wireResponse) findAssertion() *Error {
	for e := range m.response.Descendants() {
		if e.Space() != xmltree.NSAssertion || e.Local() != "Assertion" && e.Local() != "EncryptedAssertion" {
			continue
		}
		if m.assertion.Exists() {
			return refuse(CodeAssertionCount, "there is more than one assertion", "", "exactly one")
		}
		if e.Parent() != m.response {
			return refuse(CodeAssertionCount, "an assertion is hidden inside another element", e.Parent().Local(), "an assertion directly in the response")
		}
		m.assertion = e
	}
	return nil
}

// checkUniqueIDs: every ID in the document is different.
func checkUniqueIDs(root xmltree.Element) *Error {
	id, _ := root.Attr("ID")
	few := append(make([]string, 0, 8), id)
	var lots map[string]bool // built when there are more than a few
	for e := range root.Descendants() {
		id, ok := e.Attr("ID")
		if !ok {
			continue
		}
		known := lots[id]
		for _, other := range few {
			known = known || other == id
		}
		if known {
			return refuse(CodeDuplicateID, "two elements have the same ID", id, "")
		}
		if len(few) < cap(few) {
			few = append(few, id)
			continue
		}
		if lots == nil {
			lots = map[string]bool{}
		}
		lots[id] = true
	}
	return nil
}

func (m *wireResponse) readFields() {
	m.destination, _ = m.response.Attr("Destination")
	m.inResponseTo, _ = m.response.Attr("InResponseTo")
	m.issueInstant, _ = m.response.Attr("IssueInstant")
	for c := range m.response.Children() {
		switch {
		case c.Is(xmltree.NSAssertion, "Issuer"):
			m.issuer = c
		case c.Is(xmltree.NSProtocol, "Status"):
			m.status = readStatus(c)
		}
	}
}

// request is the ID of the request that the message says it answers, "" if it says none. Where the Response does not, a SubjectConfirmationData may,
// which alone in an assertion has such an attribute. It finds a pending login, and no more: the checks read what was signed.
func (m *wireResponse) request() string {
	if m.inResponseTo != "" || !m.assertion.Exists() {
		return m.inResponseTo
	}
	for e := range m.assertion.Descendants() {
		if id, _ := e.Attr("InResponseTo"); id != "" {
			return id
		}
	}
	return ""
}

func readStatus(e xmltree.Element) (s status) {
	for c := range e.Children() {
		switch c.Local() {
		case "StatusCode":
			s.code, _ = c.Attr("Value")
			for sub := range c.Children() {
				s.subCode, _ = sub.Attr("Value")
			}
		case "StatusMessage":
			s.message, _ = c.Text()
			s.message = strings.ToValidUTF8(s.message[:min(len(s.message), maxStatusMessage)], "")
		}
	}
	return s
}

// String shows a status in one line: the last words of the code URIs and the message.
func (s status) String() string {
	short := func(uri string) string { return uri[strings.LastIndexByte(uri, ':')+1:] }
	parts := []string{short(s.code)}
	if s.subCode != "" {
		parts = append(parts, short(s.subCode))
	}
	if s.message != "" {
		parts = append(parts, strings.Join(strings.Fields(s.message), " "))
	}
	return strings.Join(parts, ": ")
}

// name is what may be logged of a status: names of codes, and Entra's error number. Its message may name the user.
func (s status) name() string {
	words := []string{"an error"}
	for _, uri := range []string{s.code, s.subCode} {
		if word := uri[strings.LastIndexByte(uri, ':')+1:]; statusWord.MatchString(word) {
			words = append(words, word)
		}
	}
	if number := aadstsNumber.FindString(s.message); number != "" {
		words = append(words, number)
	}
	return strings.Join(words, " ")
}

var statusWord = regexp.MustCompile(`^[A-Za-z]{1,40}$`)

// verify checks every signature that there is and gives the innermost signed element that the assertion is in: the
// assertion itself, or the response.
func (m *wireResponse) verify(keys []crypto.PublicKey, policy dsig.Policy) (signed dsig.Signed, err *Error) {
	innermost := dsig.Signature{}
	for _, s := range []dsig.Signature{m.responseSignature, m.assertionSignature} {
		if !s.Exists() {
			continue
		}
		if signed, err = verifySignature(s, keys, policy); err != nil {
			return dsig.Signed{}, err
		}
		innermost, policy.TryFirst = s, signed.Key()
	}
	if !innermost.Exists() {
		return dsig.Signed{}, refuse(CodeUnsigned, "neither the response nor the assertion is signed", "", "")
	}
	return signed, nil
}

func verifySignature(s dsig.Signature, keys []crypto.PublicKey, policy dsig.Policy) (dsig.Signed, *Error) {
	signed, err := s.Verify(keys, policy)
	if err != nil {
		return dsig.Signed{}, explain(fromFault(err), s)
	}
	return signed, nil
}

// explain adds to "none of the trusted keys" which certificate the message itself names, as an administrator can compare
// its thumbprint with what the portal shows.
func explain(e *Error, s dsig.Signature) *Error {
	if e.Code == CodeSignature && e.Got == "" {
		if der := s.CertificateInKeyInfo(); der != nil {
			e.Got = quote("certificate with SHA-1 thumbprint " + thumbprint(der))
		}
	}
	return e
}

// Package wire reads a SAML response as it came from the wire: strict XML in the shape of the SAML schemas, where its signatures are, and what is
// left of it when they were verified and what is encrypted was decrypted. It knows formats, and decides nothing about trust: which keys count, what a
// response must say and whom it names is for the root package.
//
// All errors are *fault.Fault.
package wire

import (
	"crypto"
	"crypto/sha1"
	"errors"
	"fmt"
	"strings"

	"github.com/iomete/saml/internal/b64"
	"github.com/iomete/saml/internal/dsig"
	"github.com/iomete/saml/internal/fault"
	"github.com/iomete/saml/internal/xmltree"
)

// MaxForm is how many bytes a form value may have before it is decoded: the largest message in base64, with room for line breaks.
const MaxForm = 2 << 20

// A Response is a samlp:Response as it was received (SAML Core 2.0 §3.3.3): of the right shape, but not trusted. What it says can only lead to a
// refusal.
type Response struct {
	Root      xmltree.Element
	Assertion xmltree.Element // an Assertion or EncryptedAssertion, none in an error answer

	ResponseSignature, AssertionSignature dsig.Signature

	Destination  string
	InResponseTo string
	Issuer       xmltree.Element // none if it has none
	Status       Status
	IssueInstant string
}

// A Status is a samlp:Status (SAML Core 2.0 §3.2.2).
type Status struct {
	Code, SubCode string // URIs
	Message       string // at most MaxStatusMessage bytes
}

// MaxStatusMessage is how many bytes of a StatusMessage are looked at: it is searched for error numbers and shown in part, and Entra's have some
// hundred bytes.
const MaxStatusMessage = 4 << 10

// Read takes the form value SAMLResponse apart as far as possible without trust: the rules of base64, XML and shape.
func Read(form string) (*Response, error) {
	if form == "" {
		return nil, fault.New(fault.ResponseMissing, "there is no SAMLResponse")
	}
	if len(form) > MaxForm {
		return nil, fault.New(fault.TooLarge, fmt.Sprintf("the SAMLResponse has %d bytes, more than %d", len(form), MaxForm))
	}
	raw, err := b64.Decode(form)
	if err != nil {
		return nil, NotBase64()
	}
	return readDocument(raw)
}

// ReadInPlace is Read for a form value of at most MaxForm bytes in a buffer of its own, which it overwrites.
func ReadInPlace(form []byte) (*Response, error) {
	raw, err := b64.DecodeBytes(form)
	if err != nil {
		return nil, NotBase64()
	}
	return readDocument(raw)
}

// NotBase64 is the refusal of a form value that is not base64.
func NotBase64() error {
	return &fault.Fault{Code: fault.Base64, Message: "the SAMLResponse is not base64", Want: "the standard alphabet with padding (SAML Bindings 2.0 §3.5.4)"}
}

func readDocument(raw []byte) (*Response, error) {
	doc, err := xmltree.Parse(raw, xmltree.Options{})
	if err != nil {
		return nil, err
	}
	return FromDocument(doc)
}

// FromDocument holds a document against the schema and finds its parts.
func FromDocument(doc *xmltree.Document) (*Response, error) {
	root := doc.Root()
	if !root.Is(xmltree.NSProtocol, "Response") {
		return nil, &fault.Fault{Code: fault.NotAResponse, Message: "the message is not a SAML response", Got: root.Local(), Want: "Response in " + xmltree.NSProtocol}
	}
	if err := checkVersionAndID(root); err != nil {
		return nil, err
	}
	m := &Response{Root: root}
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
	signable := m.Assertion
	if m.Encrypted() { // what is encrypted is signed inside
		signable = xmltree.Element{}
	}
	if m.ResponseSignature, m.AssertionSignature, err = dsig.Find(root, signable); err != nil {
		return nil, err
	}
	m.readFields()
	return m, nil
}

// Encrypted reports whether the assertion is an EncryptedAssertion.
func (m *Response) Encrypted() bool {
	return m.Assertion.Exists() && m.Assertion.Local() != "Assertion"
}

// checkVersionAndID is what the schema demands of Response and Assertion alike.
func checkVersionAndID(e xmltree.Element) error {
	if v, _ := e.Attr("Version"); v != "2.0" {
		return &fault.Fault{Code: fault.Version, Message: "the " + e.Local() + " is not SAML 2.0", Got: v, Want: "Version 2.0"}
	}
	if id, _ := e.Attr("ID"); !xmltree.IsNCName(id) {
		return &fault.Fault{Code: fault.ID, Message: "the " + e.Local() + " has no usable ID", Got: id, Want: "an NCName"}
	}
	return nil
}

// findAssertion looks through the whole document: there is one assertion, directly in the response, or in an error answer
// none.
func (m *Response) findAssertion() error {
	for e := range m.Root.Descendants() {
		if e.Space() != xmltree.NSAssertion || e.Local() != "Assertion" && e.Local() != "EncryptedAssertion" {
			continue
		}
		if m.Assertion.Exists() {
			return &fault.Fault{Code: fault.AssertionCount, Message: "there is more than one assertion", Want: "exactly one"}
		}
		if e.Parent() != m.Root {
			return &fault.Fault{Code: fault.AssertionCount, Message: "an assertion is hidden inside another element", Got: e.Parent().Local(), Want: "an assertion directly in the response"}
		}
		m.Assertion = e
	}
	return nil
}

// checkUniqueIDs: every ID in the document is different.
func checkUniqueIDs(root xmltree.Element) error {
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
			return &fault.Fault{Code: fault.DuplicateID, Message: "two elements have the same ID", Got: id}
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

func (m *Response) readFields() {
	m.Destination, _ = m.Root.Attr("Destination")
	m.InResponseTo, _ = m.Root.Attr("InResponseTo")
	m.IssueInstant, _ = m.Root.Attr("IssueInstant")
	for c := range m.Root.Children() {
		switch {
		case c.Is(xmltree.NSAssertion, "Issuer"):
			m.Issuer = c
		case c.Is(xmltree.NSProtocol, "Status"):
			m.Status = readStatus(c)
		}
	}
}

// RequestID returns the ID of the request that the message says it answers, "" if it says none. Where the Response does not, a SubjectConfirmationData may,
// which alone in an assertion has such an attribute. It finds a pending login, and no more: the checks read what was signed.
func (m *Response) RequestID() string {
	if m.InResponseTo != "" || !m.Assertion.Exists() {
		return m.InResponseTo
	}
	for e := range m.Assertion.Descendants() {
		if id, _ := e.Attr("InResponseTo"); id != "" {
			return id
		}
	}
	return ""
}

func readStatus(e xmltree.Element) (s Status) {
	for c := range e.Children() {
		switch c.Local() {
		case "StatusCode":
			s.Code, _ = c.Attr("Value")
			for sub := range c.Children() {
				s.SubCode, _ = sub.Attr("Value")
			}
		case "StatusMessage":
			s.Message, _ = c.Text()
			s.Message = strings.ToValidUTF8(s.Message[:min(len(s.Message), MaxStatusMessage)], "")
		}
	}
	return s
}

// String shows a status in one line: the last words of the code URIs and the message.
func (s Status) String() string {
	short := func(uri string) string { return uri[strings.LastIndexByte(uri, ':')+1:] }
	parts := []string{short(s.Code)}
	if s.SubCode != "" {
		parts = append(parts, short(s.SubCode))
	}
	if s.Message != "" {
		parts = append(parts, strings.Join(strings.Fields(s.Message), " "))
	}
	return strings.Join(parts, ": ")
}

// Verify verifies every signature that there is and returns the innermost signed element that the assertion is in: the assertion itself, or the
// response.
func (m *Response) Verify(keys []crypto.PublicKey, policy dsig.Policy) (signed dsig.Signed, err error) {
	innermost := dsig.Signature{}
	for _, s := range []dsig.Signature{m.ResponseSignature, m.AssertionSignature} {
		if !s.Exists() {
			continue
		}
		if signed, err = verifySignature(s, keys, policy); err != nil {
			return dsig.Signed{}, err
		}
		innermost, policy.TryFirst = s, signed.Key()
	}
	if !innermost.Exists() {
		return dsig.Signed{}, fault.New(fault.Unsigned, "neither the response nor the assertion is signed")
	}
	return signed, nil
}

func verifySignature(s dsig.Signature, keys []crypto.PublicKey, policy dsig.Policy) (dsig.Signed, error) {
	signed, err := s.Verify(keys, policy)
	if err != nil {
		return dsig.Signed{}, explain(err, s)
	}
	return signed, nil
}

// explain adds to "none of the trusted keys" which certificate the message itself names, because an administrator can compare its thumbprint with
// the one that the identity provider shows.
func explain(err error, s dsig.Signature) error {
	var f *fault.Fault
	if !errors.As(err, &f) || f.Code != fault.Signature || f.Got != "" {
		return err
	}
	if der := s.CertificateInKeyInfo(); der != nil {
		named := *f
		named.Got = fmt.Sprintf("certificate with SHA-1 thumbprint %X", sha1.Sum(der)) // a name, not a protection
		return &named
	}
	return err
}

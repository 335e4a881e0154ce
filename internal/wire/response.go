// Package wire reads a SAML response in the form that the browser posts (HTTP-POST binding, SAML
// Bindings 2.0 §3.5), and the messages about logout in the form of each binding. It checks base64,
// XML and the SAML schemas, finds the signatures, verifies them, and decrypts an encrypted assertion.
// It knows formats and makes no policy: which keys are trusted, what a message must say and what it
// leads to is decided by the root package.
//
// All errors are *fault.Fault.
package wire

import (
	"bytes"
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

// MaxForm is the maximum size, in bytes, of the form value SAMLResponse: the largest message in
// base64, with room for line breaks.
const MaxForm = 2 << 20

// A Response is a samlp:Response as it was received (SAML Core 2.0 §3.3.3). It follows the schema,
// but it is not trusted: what it says may lead to a refusal, never to a sign-in.
type Response struct {
	Root      xmltree.Element
	Assertion xmltree.Element // an Assertion or EncryptedAssertion; the zero Element if there is none

	ResponseSignature, AssertionSignature dsig.Signature // the zero Signature if there is none

	Destination  string          // "" if absent
	InResponseTo string          // "" if absent
	Issuer       xmltree.Element // the zero Element if absent
	Status       Status
	IssueInstant string // as written; "" if absent

	// What it was read from, nil if a document was given to FromDocument.
	raw []byte
	doc *xmltree.Document
}

// Release gives the memory of the tree back for other messages. It is the caller's last use of the
// elements and signatures of m; its strings stay valid, and each of them keeps the text of the message. A
// nil m, and one of FromDocument, has nothing to give back.
func (m *Response) Release() {
	if m != nil && m.doc != nil {
		m.doc.Release()
	}
}

// A Status is a samlp:Status (SAML Core 2.0 §3.2.2).
type Status struct {
	Code, SubCode string // URIs; SubCode is "" if absent
	Message       string // at most MaxStatusMessage bytes
}

// MaxStatusMessage is the maximum number of bytes that are kept of a StatusMessage. Those of Entra
// have a few hundred; they are searched for an error number, and a part of them is shown.
const MaxStatusMessage = 4 << 10

// Read reads the form value SAMLResponse, which is base64 and at most MaxForm bytes, and checks all
// that can be checked without keys: base64, XML, the schema, and where the signatures are.
func Read(form string) (*Response, error) {
	if form == "" {
		return nil, fault.New(fault.ResponseMissing, "there is no SAMLResponse")
	}
	if len(form) > MaxForm {
		return nil, &fault.Fault{
			Code:    fault.TooLarge,
			Message: "the SAMLResponse is too large",
			Got:     fmt.Sprintf("%d bytes", len(form)),
			Want:    fmt.Sprintf("at most %d bytes", MaxForm),
		}
	}
	lost := strings.Contains(form, " ") && plusLost(form)
	raw, err := b64.Decode(form)
	if err != nil {
		return nil, notBase64(lost)
	}
	return readForm(raw, lost)
}

// ReadInPlace reads like Read, but overwrites form, so that a large message is not copied. The
// caller must have checked that form has at most MaxForm bytes.
func ReadInPlace(form []byte) (*Response, error) {
	raw, lost, err := decodeInPlace(form)
	if err != nil {
		return nil, err
	}
	return readForm(raw, lost)
}

// An Answer is what the form value SAMLResponse holds: the answer to a sign-in, or to a logout.
type Answer struct {
	Response *Response
	Logout   *Logout
	// AboutLogout says that the root is a LogoutResponse, also if the rest of it cannot be read.
	AboutLogout bool
}

// ReadAnswerInPlace reads like ReadInPlace, or a LogoutResponse: many products have one field for the
// address of both. If it returns no error, either Response or Logout is not nil.
func ReadAnswerInPlace(form []byte) (a Answer, err error) {
	raw, lost, err := decodeInPlace(form)
	if err != nil {
		return a, err
	}
	doc, err := parseForm(raw, lost)
	if err != nil {
		return a, err
	}
	if root := doc.Root(); root.Is(xmltree.NSProtocol, "LogoutResponse") {
		a.AboutLogout = true
		a.Logout, err = logoutAt(root, root)
		return a, err
	}
	a.Response, err = fromForm(doc, raw)
	return a, err
}

// decodeInPlace overwrites form with what its base64 stands for. lost is that of plusLost.
func decodeInPlace(form []byte) (raw []byte, lost bool, err error) {
	lost = bytes.Contains(form, []byte(" ")) && plusLost(form)
	if raw, err = b64.DecodeBytes(form); err != nil {
		return nil, lost, notBase64(lost)
	}
	return raw, lost, nil
}

// plusLost reports whether a form value has blanks inside its lines and no plus sign. That is how
// base64 arrives that was put into a form without percent-encoding. Base64 with blanks is accepted
// all the same, so this says only why something else went wrong.
func plusLost[T string | []byte](form T) bool {
	inLine, blank, inside := false, false, false
	for i := range len(form) {
		switch form[i] {
		case '+':
			return false
		case '\r', '\n':
			inLine, blank = false, false
		case ' ':
			blank = true
		default:
			inside = inside || inLine && blank
			inLine, blank = true, false
		}
	}
	return inside
}

// notBase64 is NotBase64, or says that the plus signs are lost.
func notBase64(plusLost bool) error {
	if !plusLost {
		return NotBase64()
	}
	return &fault.Fault{
		Code:    fault.Base64,
		Message: "the plus signs of the SAMLResponse arrived as blanks: the form was not percent-encoded",
		Want:    "each + of the base64 as %2B in the form",
		Hint: "Whatever writes the form of the SAMLResponse (a script, a gateway, a test) must percent-encode its value, " +
			"as browsers do and url.Values.Encode does.",
	}
}

// NotBase64 returns the fault for a form value that is not base64.
func NotBase64() *fault.Fault {
	return &fault.Fault{
		Code:    fault.Base64,
		Message: "the SAMLResponse is not base64",
		Want:    "the standard alphabet with padding (SAML Bindings 2.0 §3.5.4)",
	}
}

func readDocument(raw []byte) (*Response, error) { return readForm(raw, false) }

// readForm is readDocument for what a form held.
func readForm(raw []byte, plusLost bool) (*Response, error) {
	doc, err := parseForm(raw, plusLost)
	if err != nil {
		return nil, err
	}
	return fromForm(doc, raw)
}

func parseForm(raw []byte, plusLost bool) (*xmltree.Document, error) {
	doc, err := xmltree.Parse(raw, xmltree.Options{})
	if err != nil && plusLost {
		return nil, notBase64(plusLost)
	}
	return doc, err
}

// fromForm is FromDocument for a document that was parsed from raw.
func fromForm(doc *xmltree.Document, raw []byte) (*Response, error) {
	m, err := FromDocument(doc)
	if err != nil {
		doc.Release()
		return nil, err
	}
	m.raw, m.doc = raw, doc
	return m, nil
}

// FromDocument checks that a document is a SAML response by the schema, with at most one assertion
// and unique IDs, and finds its parts. Where it is looser than the schema, docs/security.md says so.
// Read uses it; it is exported for programs that have a parsed document.
func FromDocument(doc *xmltree.Document) (*Response, error) {
	root := doc.Root()
	if !root.Is(xmltree.NSProtocol, "Response") {
		return nil, &fault.Fault{
			Code:    fault.NotAResponse,
			Message: "the message is not a SAML response",
			Got:     inNamespace(root),
			Want:    "Response in " + xmltree.NSProtocol,
		}
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
	if m.Encrypted() { // an EncryptedAssertion has its signature inside the ciphertext
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

// checkVersionAndID checks two required attributes (SAML Core 2.0 §3.2.2): Version, which must be
// 2.0, and ID.
func checkVersionAndID(e xmltree.Element) error {
	if v, present := e.Attr("Version"); v != "2.0" {
		message := "the " + e.Local() + " is not SAML 2.0"
		if !present {
			message = "the " + e.Local() + " has no Version"
		}
		return &fault.Fault{
			Code:    fault.Version,
			Message: message,
			Got:     v,
			Want:    "Version 2.0",
		}
	}
	if id, present := e.Attr("ID"); !xmltree.IsID(id) {
		message := "the ID of the " + e.Local() + " has a form that is not allowed"
		if !present {
			message = "the " + e.Local() + " has no ID"
		}
		return &fault.Fault{
			Code:    fault.ID,
			Message: message,
			Got:     id,
			Want:    xmltree.IDForm,
		}
	}
	return nil
}

// findAssertion searches the whole document. There must be one assertion, which is a child of the
// response, or none: a second or a hidden one is the tool of XML signature wrapping (XSW). A
// response that reports an error has none.
func (m *Response) findAssertion() error {
	for e := range m.Root.Descendants() {
		if e.Space() != xmltree.NSAssertion || e.Local() != "Assertion" && e.Local() != "EncryptedAssertion" {
			continue
		}
		if e.Parent() != m.Root {
			f := &fault.Fault{
				Code:    fault.AssertionCount,
				Message: "an assertion is hidden inside another element",
				Got:     "an assertion in " + e.Parent().Local(),
				Want:    "an assertion directly in the outermost Response",
			}
			if e.Parent().Is(xmltree.NSAssertion, "Advice") {
				f.Message = "the Advice of the assertion holds another assertion"
				f.Hint = "Let the identity provider send its own assertion alone: switch off that it puts the assertion " +
					"which it was made from (of another identity provider, or for delegation) into Advice."
			}
			return f
		}
		if m.Assertion.Exists() {
			return &fault.Fault{
				Code:    fault.AssertionCount,
				Message: "there is more than one assertion",
				Want:    "exactly one",
			}
		}
		m.Assertion = e
	}
	return nil
}

// checkUniqueIDs checks that no two elements of the document have the same ID: a signature refers
// to its element by ID, so two would be an ambiguity to attack (XSW).
func checkUniqueIDs(root xmltree.Element) error {
	id, _ := root.Attr("ID")
	few := append(make([]string, 0, 8), id)
	var lots map[string]bool // the others, if there are more than a few
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

// RequestID returns the ID of the request that the message claims to answer, or "" if it claims
// none (IdP-initiated). It is the InResponseTo of the Response or else of a
// SubjectConfirmationData, the only element of an assertion that has it. The ID only finds the
// pending login; the checks read it again from the signed bytes.
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

// String returns the status in one line: the last part of each code URI, and the message.
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

// Verify verifies every signature of the message with the trusted keys, and returns the innermost
// signed element that contains the assertion: the assertion itself or the response. A message
// without a signature is refused with the fault Unsigned. For an encrypted assertion use Decrypt.
//
// outer, if it is not nil, is asked about the key of a response's signature around another one, by
// its index. Its error ends the verification.
func (m *Response) Verify(keys []crypto.PublicKey, policy dsig.Policy, outer func(key int) error) (signed dsig.Signed, err error) {
	innermost := dsig.Signature{}
	for _, s := range []dsig.Signature{m.ResponseSignature, m.AssertionSignature} {
		if !s.Exists() {
			continue
		}
		if signed, err = verifySignature(s, keys, policy); err != nil {
			return dsig.Signed{}, err
		}
		innermost, policy.TryFirst = s, signed.Key()
		if outer != nil && s == m.ResponseSignature && m.AssertionSignature.Exists() {
			if err := outer(signed.Key()); err != nil {
				return dsig.Signed{}, err
			}
		}
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

// explain adds to the fault "none of the trusted keys made the signature" the thumbprint of the
// certificate that the message names. An administrator can compare it with the thumbprints that the
// identity provider shows.
func explain(err error, s dsig.Signature) error {
	var f *fault.Fault
	if !errors.As(err, &f) || f.Code != fault.Signature || f.Got != "" {
		return err
	}
	if der := s.CertificateInKeyInfo(); der != nil {
		named := *f
		// SHA-1 is safe here: the thumbprint is only shown, and portals show this one.
		named.Got = fmt.Sprintf("certificate with SHA-1 thumbprint %X", sha1.Sum(der))
		return &named
	}
	return err
}

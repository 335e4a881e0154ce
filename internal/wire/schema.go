package wire

import (
	"strings"

	"github.com/iomete/saml/internal/fault"
	"github.com/iomete/saml/internal/xmltree"
)

// A model describes what the SAML schemas (saml-schema-protocol-2.0.xsd,
// saml-schema-assertion-2.0.xsd) allow in one element. It does not describe ds:Signature: package
// dsig finds and checks signatures.
type model struct {
	space, local string
	content      content
	parts        []part // for "elements": the sequence of children; for "foreign": what is allowed too
}

type content int

const (
	elements content = iota // only the parts, in order, and white space
	textOnly                // only text
	anything                // anything; but an element in a namespace of SAML or XML Signature must be one that exists
	foreign                 // only elements of other namespaces and those of parts, in any order
	opaque                  // not checked here
)

// A part is a choice of elements that may occur min to max times. A max of 0 means any number.
type part struct {
	min, max int
	oneOf    []*model
}

func once(m ...*model) part     { return part{1, 1, m} }
func optional(m ...*model) part { return part{0, 1, m} }
func some(m ...*model) part     { return part{1, 0, m} }
func many(m ...*model) part     { return part{0, 0, m} }

func assertionElement(local string, c content, parts ...part) *model {
	return &model{xmltree.NSAssertion, local, c, parts}
}

func protocolElement(local string, c content, parts ...part) *model {
	return &model{xmltree.NSProtocol, local, c, parts}
}

// The models of a response and of an assertion. On purpose, AuthzDecisionStatement has no Evidence
// and Advice has no assertions: a document may contain only one assertion.
var (
	responseModel, assertionModel = buildModels()
	knownNames                    = namesIn(responseModel)
)

func buildModels() (response, assertion *model) {
	a, p := assertionElement, protocolElement
	encryptedData := &model{xmltree.NSXEnc, "EncryptedData", opaque, nil}
	encryptedKey := &model{xmltree.NSXEnc, "EncryptedKey", opaque, nil}
	encrypted := []part{once(encryptedData), many(encryptedKey)}

	issuer := a("Issuer", textOnly)
	nameID := a("NameID", textOnly)
	baseID := a("BaseID", anything)
	encryptedID := a("EncryptedID", elements, encrypted...)

	confirmation := a("SubjectConfirmation", elements,
		optional(nameID, baseID, encryptedID),
		optional(a("SubjectConfirmationData", anything)))
	subject := a("Subject", elements, once(nameID, baseID, encryptedID, confirmation), many(confirmation))
	conditions := a("Conditions", elements, many(
		a("AudienceRestriction", elements, some(a("Audience", textOnly))),
		a("OneTimeUse", elements),
		a("ProxyRestriction", elements, many(a("Audience", textOnly))),
		a("Condition", anything)))
	advice := a("Advice", foreign, many(a("AssertionIDRef", textOnly), a("AssertionURIRef", textOnly)))
	decl, declRef := a("AuthnContextDecl", anything), a("AuthnContextDeclRef", textOnly)
	authnContext := a("AuthnContext", elements,
		once(a("AuthnContextClassRef", textOnly), decl, declRef),
		optional(decl, declRef),
		many(a("AuthenticatingAuthority", textOnly)))
	authnStatement := a("AuthnStatement", elements, optional(a("SubjectLocality", elements)), once(authnContext))
	// The schema wants at least one Attribute. AWS IAM Identity Center sends none if only the Subject
	// is mapped; an empty statement says nothing.
	attributeStatement := a("AttributeStatement", elements, many(
		a("Attribute", elements, many(a("AttributeValue", anything))),
		a("EncryptedAttribute", elements, encrypted...)))
	decisionStatement := a("AuthzDecisionStatement", elements, some(a("Action", textOnly)))

	assertion = a("Assertion", elements,
		once(issuer),
		optional(subject),
		optional(conditions),
		optional(advice),
		many(authnStatement, attributeStatement, decisionStatement, a("Statement", anything)))

	statusCode := p("StatusCode", elements)
	statusCode.parts = []part{optional(statusCode)}
	status := p("Status", elements,
		once(statusCode),
		optional(p("StatusMessage", textOnly)),
		optional(p("StatusDetail", anything)))
	response = p("Response", elements,
		optional(issuer),
		optional(p("Extensions", foreign)),
		once(status),
		many(assertion, a("EncryptedAssertion", elements, encrypted...)))
	return response, assertion
}

type qualifiedName struct{ space, local string }

// namesIn returns the names of all elements that a model can contain, and of those of XML Signature
// and XML Encryption. They are for content that the schema leaves open: an unknown element of these
// namespaces could mean something that we do not know.
func namesIn(m *model) map[qualifiedName]bool {
	names := map[qualifiedName]bool{}
	for space, locals := range map[string]string{
		xmltree.NSAssertion: "Evidence",
		xmltree.NSDSig: "Signature SignedInfo CanonicalizationMethod SignatureMethod Reference Transforms Transform " +
			"DigestMethod DigestValue SignatureValue " +
			"KeyInfo KeyName KeyValue RSAKeyValue Modulus Exponent DSAKeyValue P Q G Y J " +
			"X509Data X509IssuerSerial X509IssuerName X509SerialNumber X509SKI X509SubjectName " +
			"X509Certificate X509CRL " +
			"RetrievalMethod XPath PGPData SPKIData MgmtData",
		xmltree.NSXEnc: "EncryptedData EncryptedKey EncryptionMethod CipherData CipherValue " +
			"EncryptionProperties EncryptionProperty KeySize OAEPparams ReferenceList DataReference KeyReference " +
			"CarriedKeyName AgreementMethod",
	} {
		for _, local := range strings.Fields(locals) {
			names[qualifiedName{space, local}] = true
		}
	}
	var add func(*model)
	add = func(m *model) {
		name := qualifiedName{m.space, m.local}
		if names[name] {
			return
		}
		names[name] = true
		for _, p := range m.parts {
			for _, inner := range p.oneOf {
				add(inner)
			}
		}
	}
	add(m)
	return names
}

// CheckAssertion checks an Assertion against the schema.
func CheckAssertion(e xmltree.Element) error { return assertionModel.check(e) }

// check checks e, which has the name of the model, against the model. It returns the fault Schema
// for the first difference.
func (m *model) check(e xmltree.Element) error {
	switch m.content {
	case opaque:
		return nil
	case textOnly:
		for c := range e.Children() {
			return notInSchema(e, c)
		}
		return nil
	case anything:
		return checkOpen(e)
	case foreign:
		return m.checkForeign(e)
	}
	if !e.OnlyElements() {
		return &fault.Fault{
			Code:    fault.Schema,
			Message: "there is text where the SAML schema allows only elements",
			Got:     "text in " + e.Local(),
		}
	}
	at, count := 0, 0 // the current part, and how often it has occurred
	for c := range e.Children() {
		if c.Is(xmltree.NSDSig, "Signature") {
			continue
		}
		for {
			if at == len(m.parts) {
				return notInSchema(e, c)
			}
			p := &m.parts[at]
			if inner := p.match(c); inner != nil && (p.max == 0 || count < p.max) {
				if err := inner.check(c); err != nil {
					return err
				}
				count++
				break
			}
			if count < p.min {
				return notInSchema(e, c)
			}
			at, count = at+1, 0
		}
	}
	for ; at < len(m.parts); at, count = at+1, 0 {
		if p := &m.parts[at]; count < p.min {
			return &fault.Fault{
				Code:    fault.Schema,
				Message: "an element is missing in " + e.Local(),
				Want:    p.oneOf[0].local,
			}
		}
	}
	return nil
}

// match returns the model of e, or nil if e is none of the choices.
func (p *part) match(e xmltree.Element) *model {
	for _, m := range p.oneOf {
		if e.Is(m.space, m.local) {
			return m
		}
	}
	return nil
}

// inNamespace returns the name and the namespace of e, for messages.
func inNamespace(e xmltree.Element) string {
	if e.Space() == "" {
		return e.Local() + " in no namespace"
	}
	return e.Local() + " in " + e.Space()
}

// notInSchema returns the fault for an element that the model has no place for. If it only lacks its
// namespace, the fault names that.
func notInSchema(parent, e xmltree.Element) error {
	if !knownNames[qualifiedName{e.Space(), e.Local()}] {
		for _, space := range []string{xmltree.NSAssertion, xmltree.NSProtocol, xmltree.NSDSig, xmltree.NSXEnc} {
			if knownNames[qualifiedName{space, e.Local()}] {
				return &fault.Fault{
					Code:    fault.Schema,
					Message: "an element in " + parent.Local() + " has the name of a SAML element, but not its namespace",
					Got:     inNamespace(e),
					Want:    e.Local() + " in " + space + " (declared with xmlns in this element or one around it)",
				}
			}
		}
	}
	return &fault.Fault{
		Code:    fault.Schema,
		Message: "an element in " + parent.Local() + " is repeated, out of order or not in the SAML schema",
		Got:     e.Local(),
	}
}

// checkForeign checks content that the schema opens to other namespaces only (##other).
func (m *model) checkForeign(e xmltree.Element) error {
	for c := range e.Children() {
		known := false
		for i := range m.parts {
			known = known || m.parts[i].match(c) != nil
		}
		if !known && (c.Space() == m.space || c.Space() == "") {
			return notInSchema(e, c)
		}
	}
	return checkOpen(e)
}

// checkOpen checks content that the schema leaves open: an element in one of our namespaces must be
// one that exists.
func checkOpen(e xmltree.Element) error {
	for d := range e.Descendants() {
		switch space := d.Space(); space {
		case xmltree.NSAssertion, xmltree.NSProtocol, xmltree.NSDSig, xmltree.NSXEnc:
			if !knownNames[qualifiedName{space, d.Local()}] {
				return notInSchema(e, d)
			}
		}
	}
	return nil
}

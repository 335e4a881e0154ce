package samltest

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
	"strings"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

// Sign is what gets a signature: the Signing Option of Entra's portal.
type Sign int

const (
	SignAssertion Sign = iota // "Sign SAML assertion", Entra's default
	SignResponse              // "Sign SAML response": the assertion has no signature of its own
	SignBoth                  // "Sign SAML response and assertion"
	SignNothing               // Entra never does this; service providers must refuse it
)

// Algorithm is the URI of a signature method (XML Signature 1.1, section 6.4; RFC 9231, section 2.3). The
// digest uses the same hash. Those of RSA-PSS sign the query of an HTTP-Redirect only.
type Algorithm string

const (
	RSASHA1     Algorithm = dsig.RSASHA1SignatureMethod // "SHA-1" in the portal; service providers must refuse it
	RSASHA256   Algorithm = dsig.RSASHA256SignatureMethod
	RSASHA384   Algorithm = dsig.RSASHA384SignatureMethod
	RSASHA512   Algorithm = dsig.RSASHA512SignatureMethod
	ECDSASHA256 Algorithm = dsig.ECDSASHA256SignatureMethod
	ECDSASHA384 Algorithm = dsig.ECDSASHA384SignatureMethod
	ECDSASHA512 Algorithm = dsig.ECDSASHA512SignatureMethod

	RSAPSSSHA256 Algorithm = "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1"
	RSAPSSSHA384 Algorithm = "http://www.w3.org/2007/05/xmldsig-more#sha384-rsa-MGF1"
	RSAPSSSHA512 Algorithm = "http://www.w3.org/2007/05/xmldsig-more#sha512-rsa-MGF1"
)

// sign adds the signatures and the encryption that the answer asks for to the XML in text.
//
// The order matters: an EncryptedID is inside the signed assertion, the signed assertion is inside
// the EncryptedAssertion, and the signature of the response covers all of it.
func sign(text string, a *Answer, key signingKey) ([]byte, error) {
	doc, err := parseEdited(text)
	if err != nil {
		return nil, err
	}
	a.Style.indent(doc)
	response := doc.Root()
	how := a.Style.signing(key, a.Algorithm)
	how.omitKeyInfo = a.OmitKeyInfo
	if a.Encrypt != nil && a.Encrypt.NameIDOnly {
		nameIDs := response.FindElements("./Assertion/Subject/NameID")
		if err := a.Encrypt.encryptAll(nameIDs, "EncryptedID"); err != nil {
			return nil, err
		}
	}
	assertions := response.SelectElements("Assertion") // several, if Edit made more
	if a.Status == "" && (a.Sign == SignAssertion || a.Sign == SignBoth) {
		if len(assertions) == 0 {
			return nil, errors.New("samltest: Answer.Edit left no Assertion to sign")
		}
		for _, assertion := range assertions {
			if err := how.sign(assertion); err != nil {
				return nil, err
			}
		}
	}
	if a.Encrypt != nil && !a.Encrypt.NameIDOnly {
		if err := a.Encrypt.encryptAll(assertions, "EncryptedAssertion"); err != nil {
			return nil, err
		}
	}
	if a.Sign == SignResponse || a.Sign == SignBoth {
		if err := how.sign(response); err != nil {
			return nil, err
		}
	}
	return doc.WriteToBytes()
}

// indent makes a document Pretty, if the style is.
func (s Style) indent(doc *etree.Document) {
	if s != Pretty {
		return
	}
	doc.Indent(2)
	doc.InsertChildAt(0, etree.NewText("\n"))
	doc.InsertChildAt(0, etree.NewProcInst("xml", `version="1.0" encoding="UTF-8"`))
}

// parseEdited reads the result of Edit so that it is written again as it was, oddities
// included.
func parseEdited(text string) (*etree.Document, error) {
	doc := etree.NewDocument()
	doc.ReadSettings = etree.ReadSettings{PreserveCData: true, PreserveDuplicateAttrs: true}
	// Without these settings a carriage return would be lost.
	doc.WriteSettings = etree.WriteSettings{CanonicalText: true, CanonicalAttrVal: true}
	if err := doc.ReadFromString(text); err != nil {
		return nil, fmt.Errorf("samltest: Edit returned a text that is not XML: %w", err)
	}
	if doc.Root() == nil {
		return nil, errors.New("samltest: Edit returned XML without an element")
	}
	return doc, nil
}

// signing returns how the elements of a message in this style are signed.
func (s Style) signing(key signingKey, algorithm Algorithm) signing {
	how := signing{key: key, algorithm: algorithm, wrapBase64: s == Pretty}
	if s != Entra {
		how.prefix = "ds"
	}
	return how
}

// signing is how elements are signed.
type signing struct {
	key         signingKey
	algorithm   Algorithm // empty: the default of the key
	prefix      string    // of the XML Signature namespace; empty: the default namespace
	omitKeyInfo bool
	asn1        bool // writes ECDSA in ASN.1
	wrapBase64  bool // breaks base64 into lines of 76 characters, as some serializers do
}

// sign adds an enveloped signature to e. If the first child is the Issuer, the signature follows
// it, as the schema of SAML requires. Otherwise the signature comes first.
func (s signing) sign(e *etree.Element) error {
	made, err := s.signature(e)
	if err != nil {
		return err
	}
	position := 0
	if children := e.ChildElements(); len(children) > 0 && children[0].Tag == "Issuer" {
		position = children[0].Index() + 1
	}
	e.InsertChildAt(position, made)
	return nil
}

// signature returns a signature of e in its present form, made with exclusive canonicalization.
func (s signing) signature(e *etree.Element) (*etree.Element, error) {
	signer, algorithm := s.key.signer, s.algorithm
	if algorithm == "" {
		var err error
		if algorithm, err = defaultAlgorithm(signer.Public()); err != nil {
			return nil, err
		}
	}
	if _, ok := signer.Public().(*ecdsa.PublicKey); ok && !s.asn1 {
		signer = rawECDSA{signer}
	}
	context, err := dsig.NewSigningContext(signer, [][]byte{s.key.certificate})
	if err != nil {
		return nil, fmt.Errorf("samltest: %w", err)
	}
	if err := context.SetSignatureMethod(string(algorithm)); err != nil {
		return nil, fmt.Errorf("samltest: %w", err)
	}
	context.Prefix = s.prefix
	context.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	made, err := context.ConstructSignature(detach(e), true) // of a copy, because goxmldsig changes the element
	if err != nil {
		return nil, fmt.Errorf("samltest: %w", err)
	}
	s.dress(made)
	return made, nil
}

// dress changes parts of the signature outside SignedInfo. No digest covers them, so the signature
// stays valid.
func (s signing) dress(made *etree.Element) {
	if s.omitKeyInfo {
		made.RemoveChild(made.SelectElement("KeyInfo"))
	}
	if s.wrapBase64 {
		for _, e := range append(made.FindElements(".//X509Certificate"), made.SelectElement("SignatureValue")) {
			e.SetText(wrap(e.Text()))
		}
	}
}

func wrap(text string) string {
	const width = 76
	var lines strings.Builder
	for len(text) > width {
		lines.WriteString(text[:width] + "\n")
		text = text[width:]
	}
	return lines.String() + text
}

// detach returns a copy of e that means the same without its ancestors: it has their namespace
// declarations. CDATA sections become text, as in canonical XML.
func detach(e *etree.Element) *etree.Element {
	alone := e.Copy()
	for ancestor := e.Parent(); ancestor != nil; ancestor = ancestor.Parent() {
		for _, a := range ancestor.Attr {
			isDeclaration := a.Space == "xmlns" || a.Space == "" && a.Key == "xmlns"
			if isDeclaration && alone.SelectAttr(a.FullKey()) == nil {
				alone.CreateAttr(a.FullKey(), a.Value)
			}
		}
	}
	textForCData(alone)
	return alone
}

func textForCData(e *etree.Element) {
	for i := range e.Child {
		switch token := e.Child[i].(type) {
		case *etree.Element:
			textForCData(token)
		case *etree.CharData:
			if token.IsCData() {
				e.RemoveChildAt(i)
				e.InsertChildAt(i, etree.NewText(token.Data))
			}
		}
	}
}

package samltest

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
	"strings"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

// Sign says what is signed: the portal's Signing Option.
type Sign int

const (
	SignAssertion Sign = iota // "Sign SAML assertion", Entra's default
	SignResponse              // "Sign SAML response": the assertion has no signature of its own
	SignBoth                  // "Sign SAML response and assertion"
	SignNothing               // which Entra never does
)

// Algorithm is the URI of a signature method; its hash is also that of the digest.
type Algorithm string

const (
	RSASHA1     Algorithm = dsig.RSASHA1SignatureMethod // the portal's "SHA-1", to be refused
	RSASHA256   Algorithm = dsig.RSASHA256SignatureMethod
	RSASHA384   Algorithm = dsig.RSASHA384SignatureMethod
	RSASHA512   Algorithm = dsig.RSASHA512SignatureMethod
	ECDSASHA256 Algorithm = dsig.ECDSASHA256SignatureMethod
	ECDSASHA384 Algorithm = dsig.ECDSASHA384SignatureMethod
	ECDSASHA512 Algorithm = dsig.ECDSASHA512SignatureMethod
)

// sign puts the signatures that the answer asks for into the XML: first the assertion's, which is then encrypted if that is asked for, so that the
// response's covers it. An error answer has no assertion. Where Edit made several assertions, each is signed.
func sign(text string, a *Answer, key signingKey) ([]byte, error) {
	doc := etree.NewDocument()
	doc.ReadSettings = etree.ReadSettings{PreserveCData: true, PreserveDuplicateAttrs: true}
	doc.WriteSettings = etree.WriteSettings{CanonicalText: true, CanonicalAttrVal: true} // or a carriage return would not survive
	if err := doc.ReadFromString(text); err != nil {
		return nil, fmt.Errorf("samltest: the edited message is not XML: %w", err)
	}
	response := doc.Root()
	if response == nil {
		return nil, errors.New("samltest: the edited message has no element")
	}
	if a.Style == Pretty {
		doc.Indent(2)
		doc.InsertChildAt(0, etree.NewText("\n"))
		doc.InsertChildAt(0, etree.NewProcInst("xml", `version="1.0" encoding="UTF-8"`))
	}
	how := signing{key: key, algorithm: a.Algorithm, omitKeyInfo: a.OmitKeyInfo, wrapBase64: a.Style == Pretty}
	if a.Style != Entra {
		how.prefix = "ds"
	}
	if e := a.Encrypt; e != nil && e.NameIDOnly {
		for _, nameID := range response.FindElements("./Assertion/Subject/NameID") {
			if err := e.encrypt(nameID, "EncryptedID"); err != nil {
				return nil, err
			}
		}
	}
	if a.Status == "" && (a.Sign == SignAssertion || a.Sign == SignBoth) {
		assertions := response.SelectElements("Assertion")
		if len(assertions) == 0 {
			return nil, errors.New("samltest: there is no Assertion to sign")
		}
		for _, assertion := range assertions {
			if err := how.sign(assertion); err != nil {
				return nil, err
			}
		}
	}
	if e := a.Encrypt; e != nil && !e.NameIDOnly {
		for _, assertion := range response.SelectElements("Assertion") {
			if err := e.encrypt(assertion, "EncryptedAssertion"); err != nil {
				return nil, err
			}
		}
	}
	if a.Sign == SignResponse || a.Sign == SignBoth {
		if err := how.sign(response); err != nil {
			return nil, err
		}
	}
	return doc.WriteToBytes()
}

// signing is the way in which elements are signed.
type signing struct {
	key         signingKey
	algorithm   Algorithm // empty: the key's own
	prefix      string    // of the XML Signature namespace; empty: the default namespace
	omitKeyInfo bool
	wrapBase64  bool // break base64 into lines of 76, as some serializers do
}

// sign puts an enveloped signature among the children of e: directly behind the Issuer where that comes first, as the schema of SAML
// wants it, else at the very start.
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

// signature signs e as it stands, with exclusive canonicalization.
func (s signing) signature(e *etree.Element) (*etree.Element, error) {
	signer, algorithm := s.key.signer, s.algorithm
	if algorithm == "" {
		var err error
		if algorithm, err = defaultAlgorithm(signer.Public()); err != nil {
			return nil, err
		}
	}
	if _, ok := signer.Public().(*ecdsa.PublicKey); ok {
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
	made, err := context.ConstructSignature(detach(e), true) // a copy, because canonicalizing changes what it is given
	if err != nil {
		return nil, fmt.Errorf("samltest: %w", err)
	}
	s.dress(made)
	return made, nil
}

// dress changes what stands outside the SignedInfo, so no digest covers it.
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

// detach copies e, with the namespace declarations of its ancestors, so that it means the same on its own, and with CDATA sections
// turned into the text that canonical XML has for them.
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

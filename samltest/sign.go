package samltest

import (
	"crypto/ecdsa"
	"errors"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

// Algorithm is a signature method; its hash is also that of the digest.
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

// sign puts the signatures that the answer asks for into the XML, each directly behind the Issuer.
func sign(text string, a *Answer, key signingKey) ([]byte, error) {
	doc := etree.NewDocument()
	if err := doc.ReadFromString(text); err != nil {
		return nil, err
	}
	if a.Style == Pretty {
		doc.Indent(2)
		doc.InsertChildAt(0, etree.NewProcInst("xml", `version="1.0" encoding="UTF-8"`))
	}
	response := doc.Root()
	if a.Sign == SignAssertion || a.Sign == SignBoth {
		assertion := response.SelectElement("Assertion")
		if assertion == nil {
			return nil, errors.New("samltest: there is no Assertion to sign")
		}
		if err := signElement(assertion, a, key); err != nil {
			return nil, err
		}
	}
	if a.Sign == SignResponse || a.Sign == SignBoth {
		if err := signElement(response, a, key); err != nil {
			return nil, err
		}
	}
	return doc.WriteToBytes()
}

func signElement(e *etree.Element, a *Answer, key signingKey) error {
	prefix := "ds"
	if a.Style == Entra {
		prefix = ""
	}
	signature, err := newSignature(e, key, a.Algorithm, prefix)
	if err != nil {
		return err
	}
	if info := signature.SelectElement("KeyInfo"); a.OmitKeyInfo {
		signature.RemoveChild(info)
	}
	issuer := e.SelectElement("Issuer")
	if issuer == nil {
		return errors.New("samltest: there is no Issuer to put the Signature behind")
	}
	e.InsertChildAt(issuer.Index()+1, signature)
	return nil
}

// newSignature signs e with exclusive canonicalisation. algorithm "" is the key's own.
func newSignature(e *etree.Element, key signingKey, algorithm Algorithm, prefix string) (*etree.Element, error) {
	if algorithm == "" {
		var err error
		if algorithm, err = defaultAlgorithm(key.signer.Public()); err != nil {
			return nil, err
		}
	}
	signer := key.signer
	if _, ok := signer.Public().(*ecdsa.PublicKey); ok {
		signer = rawECDSA{signer}
	}
	context, err := dsig.NewSigningContext(signer, [][]byte{key.certificate})
	if err != nil {
		return nil, err
	}
	if err := context.SetSignatureMethod(string(algorithm)); err != nil {
		return nil, err
	}
	context.Prefix = prefix
	context.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	return context.ConstructSignature(e.Copy(), true) // a copy, because it reorders attributes
}

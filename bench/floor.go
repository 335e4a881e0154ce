package bench

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	"github.com/iomete/saml/samltest"
)

// A floor is the work that no verifier can avoid: base64 of the form value, what opens an encrypted
// assertion, a hash over what each signature covers, and the RSA operations with the trusted keys in
// their order. What was signed is
// taken out of the message beforehand, by goxmldsig's canonicalization and not by ours, so that a
// mistake of ours cannot move the floor.
type floor struct {
	form       string
	encrypted  *encrypted // nil if the assertion is not
	keys       []*rsa.PublicKey
	signatures []signature
}

type signature struct {
	covered    []byte // canonical form of the element without the signature
	digest     []byte // DigestValue
	signedInfo []byte // canonical form
	value      []byte // SignatureValue
}

func newFloor(f *fixture) (*floor, error) {
	keys, err := keysOf(f.idp)
	if err != nil {
		return nil, err
	}
	fl := &floor{form: f.form, keys: keys}
	document, err := base64.StdEncoding.DecodeString(f.form)
	if err != nil {
		return nil, err
	}
	root, err := parse(document)
	if err != nil {
		return nil, err
	}
	assertion := root.SelectElement("Assertion")
	if f.decrypt != nil {
		if fl.encrypted, assertion, err = takeOutEncrypted(root, f.decrypt); err != nil {
			return nil, err
		}
	}
	for _, parent := range []*etree.Element{root, assertion} {
		if parent.SelectElement("Signature") == nil {
			continue
		}
		s, err := takeOut(parent)
		if err != nil {
			return nil, err
		}
		fl.signatures = append(fl.signatures, s)
	}
	if len(fl.signatures) == 0 {
		return nil, errors.New("nothing is signed")
	}
	return fl, nil
}

func parse(document []byte) (*etree.Element, error) {
	doc := etree.NewDocument()
	err := doc.ReadFromBytes(document)
	return doc.Root(), err
}

// keysOf gives the signing keys in the order of the metadata.
func keysOf(idp *samltest.IdentityProvider) (keys []*rsa.PublicKey, err error) {
	for _, der := range idp.Certificates() {
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		key, ok := certificate.PublicKey.(*rsa.PublicKey)
		if !ok {
			return nil, errors.New("the floor knows RSA keys only")
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// takeOut reads the signature that stands in parent.
func takeOut(parent *etree.Element) (s signature, err error) {
	element := parent.SelectElement("Signature")
	if s.signedInfo, err = canonical(element.SelectElement("SignedInfo"), false); err != nil {
		return s, err
	}
	if s.covered, err = canonical(parent, true); err != nil {
		return s, err
	}
	if s.value, err = base64.StdEncoding.DecodeString(element.SelectElement("SignatureValue").Text()); err != nil {
		return s, err
	}
	s.digest, err = base64.StdEncoding.DecodeString(element.FindElement("SignedInfo/Reference/DigestValue").Text())
	return s, err
}

// canonical gives the exclusive canonical form of e, without the signature that stands directly in
// it where unsigned is set.
func canonical(e *etree.Element, unsigned bool) ([]byte, error) {
	detached := e.Copy()
	if unsigned {
		detached.RemoveChild(detached.SelectElement("Signature"))
	}
	for outer := e.Parent(); outer != nil; outer = outer.Parent() {
		for _, a := range outer.Attr {
			if name := a.FullKey(); (a.Space == "xmlns" || name == "xmlns") && detached.SelectAttr(name) == nil {
				detached.CreateAttr(name, a.Value)
			}
		}
	}
	return dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("").Canonicalize(detached)
}

func (fl *floor) do() error {
	if _, err := base64.StdEncoding.DecodeString(fl.form); err != nil {
		return err
	}
	if fl.encrypted != nil {
		if _, err := fl.encrypted.open(); err != nil {
			return err
		}
	}
	return fl.verify()
}

func (fl *floor) verify() error {
	for i := range fl.signatures {
		s := &fl.signatures[i]
		if digest := sha256.Sum256(s.covered); !bytes.Equal(digest[:], s.digest) {
			return errWrong
		}
		if !fl.fits(s) {
			return errWrong
		}
	}
	return nil
}

func (fl *floor) fits(s *signature) bool {
	digest := sha256.Sum256(s.signedInfo)
	for _, key := range fl.keys {
		if rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], s.value) == nil {
			return true
		}
	}
	return false
}

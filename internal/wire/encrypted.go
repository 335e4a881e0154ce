package wire

import (
	"crypto"

	"github.com/iomete/saml/internal/dsig"
	"github.com/iomete/saml/internal/xmlenc"
	"github.com/iomete/saml/internal/xmltree"
)

// Decrypt does what Verify does, for an encrypted assertion. secret holds our private keys, keys
// the trusted public ones. If the response is signed, that signature is verified before any private
// key is used, and the signed bytes are decrypted. The assertion must be covered by its own
// signature or, if it has none, by that of the response.
//
// Anyone can encrypt with our public key, send the result and watch what happens (chosen ciphertext
// attack). They can also leave out the signature of the response, unless
// Config.RequireSignedResponse refuses such a message before it gets here. So every error that
// depends on the plaintext, up to its signature, is xmlenc.Failed, and secret limits how often the
// private keys are used.
//
// outer, if it is not nil, is asked about the key of the signature around the ciphertext, before
// anything is decrypted. Its error ends the verification.
func (m *Response) Decrypt(
	secret *xmlenc.Keys, keys []crypto.PublicKey, policy dsig.Policy, outer func(key int) error,
) (dsig.Signed, error) {
	var plaintext []byte
	var decrypted dsig.Decrypted
	var err error
	if m.ResponseSignature.Exists() {
		response, refusal := verifySignature(m.ResponseSignature, keys, policy)
		if refusal != nil {
			return dsig.Signed{}, refusal
		}
		policy.TryFirst = response.Key()
		if outer != nil {
			if err := outer(response.Key()); err != nil {
				return dsig.Signed{}, err
			}
		}
		decrypted, err = response.Decrypt(func(root xmltree.Element) ([]byte, xmltree.Element, error) {
			return openAssertion(root, secret)
		})
		plaintext = decrypted.Plaintext()
	} else {
		plaintext, err = xmlenc.Decrypt(m.Assertion, secret)
	}
	if err != nil {
		return dsig.Signed{}, err
	}
	assertion, err := DecryptedElement(plaintext, m.Assertion)
	if err != nil {
		return dsig.Signed{}, err
	}
	signature, err := assertionIn(assertion)
	if err != nil {
		return dsig.Signed{}, err
	}
	var signed dsig.Signed
	switch {
	case signature.Exists():
		signed, err = signature.Verify(keys, policy)
	case m.ResponseSignature.Exists():
		signed, err = signedAround(decrypted)
	default:
		err = xmlenc.Failed()
	}
	if err != nil {
		return dsig.Signed{}, xmlenc.Failed()
	}
	return signed, nil
}

// openAssertion decrypts the assertion of a response. It returns the plaintext and the element that
// it replaces.
func openAssertion(response xmltree.Element, secret *xmlenc.Keys) (plaintext []byte, place xmltree.Element, err error) {
	for c := range response.Children() {
		if c.Is(xmltree.NSAssertion, "EncryptedAssertion") {
			plaintext, err = xmlenc.Decrypt(c, secret)
			return plaintext, c, err
		}
	}
	return nil, place, xmlenc.Failed()
}

// DecryptedElement reads plaintext as an element in the place of the EncryptedData in e, a
// saml:EncryptedAssertion or EncryptedID (XML Encryption 1.1 §4.4). So it can use the namespace
// prefixes that are in scope in e. Those that EncryptedData declares itself do not count: pysaml2
// gives the prefix of SAML another meaning there. If the plaintext cannot be read, the error is
// xmlenc.Failed.
func DecryptedElement(plaintext []byte, e xmltree.Element) (xmltree.Element, error) {
	decrypted, err := xmltree.ParseAt(plaintext, e)
	if err != nil {
		return xmltree.Element{}, xmlenc.Failed()
	}
	return decrypted, nil
}

// signedAround returns the assertion as the signature of the response covers it. Its prefixes are
// read once more with the declarations of the signed bytes, which may differ from those of the
// document. With them too, it must be one assertion without a signature of its own.
func signedAround(outer dsig.Decrypted) (dsig.Signed, error) {
	signed, err := outer.Signed()
	if err != nil {
		return dsig.Signed{}, err
	}
	doc, err := signed.Parse()
	if err != nil {
		return dsig.Signed{}, err
	}
	if signature, err := assertionIn(doc.Root()); err != nil || signature.Exists() {
		return dsig.Signed{}, xmlenc.Failed()
	}
	return signed, nil
}

// assertionIn checks a decrypted element with the rules that FromDocument has for a message, and
// returns its signature, or the zero Signature if there is none. All errors are xmlenc.Failed.
func assertionIn(e xmltree.Element) (dsig.Signature, error) {
	if !e.Is(xmltree.NSAssertion, "Assertion") {
		return dsig.Signature{}, xmlenc.Failed()
	}
	for d := range e.Descendants() {
		if d.Is(xmltree.NSAssertion, "Assertion") || d.Is(xmltree.NSAssertion, "EncryptedAssertion") {
			return dsig.Signature{}, xmlenc.Failed()
		}
	}
	if checkUniqueIDs(e) != nil || assertionModel.check(e) != nil {
		return dsig.Signature{}, xmlenc.Failed()
	}
	signature, _, err := dsig.Find(e, xmltree.Element{})
	if err != nil {
		return dsig.Signature{}, xmlenc.Failed()
	}
	return signature, nil
}

package wire

import (
	"crypto"

	"github.com/iomete/saml/internal/dsig"
	"github.com/iomete/saml/internal/xmlenc"
	"github.com/iomete/saml/internal/xmltree"
)

// Decrypt is Verify for an encrypted assertion. If there is a signature around the ciphertext, it is checked before any key is used, and then the
// signed bytes are decrypted. The assertion must be covered by its own signature or, if it has none, by that one.
//
// Anybody who has our public key can make ciphertexts and watch what becomes of them, and can leave the signature around them out: only with
// Config.RequireSignedResponse does a message without it never get here. So everything that depends on the plaintext, up to its signature,
// is the one error of xmlenc.Failed, and secret counts how often the private keys are used.
func (m *Response) Decrypt(secret *xmlenc.Keys, keys []crypto.PublicKey, policy dsig.Policy) (dsig.Signed, error) {
	var plaintext []byte
	var outer dsig.Decrypted
	var err error
	if m.ResponseSignature.Exists() {
		response, refusal := verifySignature(m.ResponseSignature, keys, policy)
		if refusal != nil {
			return dsig.Signed{}, refusal
		}
		policy.TryFirst = response.Key()
		outer, err = response.Decrypt(func(root xmltree.Element) ([]byte, xmltree.Element, error) { return openAssertion(root, secret) })
		plaintext = outer.Plaintext()
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
		signed, err = signedAround(outer)
	default:
		err = xmlenc.Failed()
	}
	if err != nil {
		return dsig.Signed{}, xmlenc.Failed()
	}
	return signed, nil
}

// openAssertion decrypts the assertion in a response.
func openAssertion(response xmltree.Element, secret *xmlenc.Keys) (plaintext []byte, place xmltree.Element, err error) {
	for c := range response.Children() {
		if c.Is(xmltree.NSAssertion, "EncryptedAssertion") {
			plaintext, err = xmlenc.Decrypt(c, secret)
			return plaintext, c, err
		}
	}
	return nil, place, xmlenc.Failed()
}

// DecryptedElement reads what was encrypted in e, a saml:EncryptedAssertion or EncryptedID. It takes the place of the EncryptedData in e (XML
// Encryption 1.1 §4.4), so the namespaces that e has in scope count. Those that EncryptedData declares for itself do not: pysaml2 gives the
// prefix of SAML another meaning there.
func DecryptedElement(plaintext []byte, e xmltree.Element) (xmltree.Element, error) {
	decrypted, err := xmltree.ParseAt(plaintext, e)
	if err != nil {
		return xmltree.Element{}, xmlenc.Failed()
	}
	return decrypted, nil
}

// signedAround is an assertion without a signature of its own: the names of its elements are those that the signed bytes around it declare, and
// under these names too it has to be one assertion without a signature.
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

// assertionIn holds what was decrypted against the rules of a message, as FromDocument does, and gives its signature.
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

// Package dsig verifies XML signatures in the one profile that SAML allows (SAML Core 2.0 §5.4): an enveloped signature
// over its parent element, named by ID, exclusive canonicalization, keys that were configured.
//
// What it hands on is a Signed: the canonical bytes that were digested. Reading begins anew from those bytes.
package dsig

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"

	"github.com/iomete/saml/internal/b64"
	"github.com/iomete/saml/internal/fault"
	"github.com/iomete/saml/internal/xmltree"
)

// Signed is the canonical form of an element that a trusted key signed. Two methods make one that holds anything: Signature.Verify, and
// Decrypted.Signed for an element that was encrypted inside of what Verify returned.
type Signed struct {
	canonical []byte
	limit     int // of the document that it was in
	key       int
}

// Parse reads the signed bytes: the only way to their content. It refuses the zero Signed.
func (s Signed) Parse() (*xmltree.Document, error) {
	if len(s.canonical) == 0 {
		return nil, fault.New(fault.Unsigned, "nothing was signed")
	}
	return xmltree.Parse(s.canonical, xmltree.Options{MaxBytes: s.limit})
}

// Decrypt reads the signed bytes and lets open decrypt something in them: it is called with their root, and gives the plaintext of one element and
// the element that it stood in.
func (s Signed) Decrypt(open func(root xmltree.Element) (plaintext []byte, place xmltree.Element, err error)) (Decrypted, error) {
	doc, err := s.Parse()
	if err != nil {
		return Decrypted{}, err
	}
	plaintext, place, err := open(doc.Root())
	if err != nil {
		return Decrypted{}, err
	}
	return Decrypted{plaintext, place, s}, nil
}

// Decrypted is one element that was encrypted in signed bytes.
type Decrypted struct {
	plaintext []byte
	place     xmltree.Element
	from      Signed
}

// Plaintext is the element as it was encrypted.
func (d Decrypted) Plaintext() []byte { return d.plaintext }

// Signed returns the element in canonical form, so that it stands on its own without the namespaces that the signed bytes declare around it. The
// signature covered its ciphertext, so it covers the element too. Like Signed.Parse it refuses the zero value.
func (d Decrypted) Signed() (Signed, error) {
	if len(d.from.canonical) == 0 {
		return Signed{}, fault.New(fault.Unsigned, "nothing was signed")
	}
	e, err := xmltree.ParseAt(d.plaintext, d.place)
	if err != nil {
		return Signed{}, err
	}
	canonical, err := e.Canonicalize(nil, xmltree.C14N{})
	if err != nil {
		return Signed{}, err
	}
	return Signed{canonical: canonical, limit: d.from.limit, key: d.from.key}, nil
}

// Key is the index of the trusted key that verified the signature.
func (s Signed) Key() int { return s.key }

// A Signature is a ds:Signature in a document and its parent, which it claims to sign. The zero value is none.
type Signature struct{ element, parent xmltree.Element }

// Exists reports whether there is a signature.
func (s Signature) Exists() bool { return s.element.Exists() }

// Find gives the signatures of a response and of its assertion, the zero Signature where one has none; assertion may be no
// element. It refuses documents that hold a ds:Signature anywhere else, or two in one parent: what such a one would be for,
// nobody knows.
func Find(response, assertion xmltree.Element) (ofResponse, ofAssertion Signature, err error) {
	for e := range response.Descendants() {
		if !e.Is(xmltree.NSDSig, "Signature") {
			continue
		}
		var found *Signature
		switch parent := e.Parent(); parent {
		case response:
			found = &ofResponse
		case assertion:
			found = &ofAssertion
		default:
			return Signature{}, Signature{}, &fault.Fault{Code: fault.SignaturePlacement,
				Message: "a signature stands elsewhere than directly in what it may sign", Got: "Signature in " + parent.Local()}
		}
		if found.Exists() {
			return Signature{}, Signature{}, twoSignatures(e.Parent())
		}
		*found = Signature{e, e.Parent()}
	}
	return ofResponse, ofAssertion, nil
}

// Of gives the signature that stands directly in parent, the zero Signature where there is none. It does not look at the
// rest of the document: for a response use Find.
func Of(parent xmltree.Element) (found Signature, err error) {
	for c := range parent.Children() {
		if !c.Is(xmltree.NSDSig, "Signature") {
			continue
		}
		if found.Exists() {
			return Signature{}, twoSignatures(parent)
		}
		found = Signature{c, parent}
	}
	return found, nil
}

func twoSignatures(parent xmltree.Element) error {
	return &fault.Fault{Code: fault.SignaturePlacement, Message: "an element has two signatures", Got: parent.Local()}
}

// A Policy is what may be relaxed, and in what order.
type Policy struct {
	AllowSHA1 bool // RSA with SHA-1, and SHA-1 digests
	// TryFirst is the index of the key that is tried before the others: that of another signature of the same message, which most likely
	// made this one too. So two signatures do not cost twice as many operations as there are keys.
	TryFirst int
}

// Verify checks the signature with the keys in order, but for policy.TryFirst, and returns the canonical bytes of its parent, without the
// signature itself. Keys are *rsa.PublicKey and *ecdsa.PublicKey; others never fit. KeyInfo is not looked at.
func (s Signature) Verify(keys []crypto.PublicKey, policy Policy) (Signed, error) {
	id, _ := s.parent.Attr("ID")
	if !xmltree.IsNCName(id) {
		return Signed{}, &fault.Fault{Code: fault.ReferenceURI, Message: "the signed element has no ID that a signature can refer to", Got: id, Want: "an NCName"}
	}
	outer, err := readSignature(s.element, id)
	if err != nil {
		return Signed{}, err
	}
	method, err := signatureMethod(outer.info.signatureMethod, policy)
	if err != nil {
		return Signed{}, err
	}
	canonicalInfo, err := outer.signedInfo.Canonicalize(nil, xmltree.C14N{PrefixList: outer.info.prefixList})
	if err != nil {
		return Signed{}, err
	}
	key, err := method.verify(keys, policy.TryFirst, canonicalInfo, outer.value)
	if err != nil {
		return Signed{}, err
	}
	// From here on SignedInfo is what the key signed, not what stood in the document.
	doc, err := xmltree.Parse(canonicalInfo, xmltree.Options{})
	if err != nil {
		return Signed{}, err
	}
	info, err := readSignedInfo(doc.Root(), id)
	if err != nil {
		return Signed{}, err
	}
	canonical, err := s.digested(info, policy)
	if err != nil {
		return Signed{}, err
	}
	return Signed{canonical: canonical, limit: s.parent.Limit(), key: key}, nil
}

// digested canonicalizes the parent, which the reference names, and compares the digest.
func (s Signature) digested(info signedInfo, policy Policy) ([]byte, error) {
	hash, err := digestMethod(info.digestMethod, policy)
	if err != nil {
		return nil, err
	}
	canonical, err := s.parent.Canonicalize(nil, xmltree.C14N{PrefixList: info.referencePrefixList, Omit: s.element})
	if err != nil {
		return nil, err
	}
	if len(canonical) == 0 {
		return nil, fault.New(fault.Canonicalization, "the canonical form is empty")
	}
	var room [maxHash]byte
	if !bytes.Equal(sum(room[:0], hash, canonical), info.digest) {
		return nil, fault.New(fault.Digest, "the signed element was changed after it was signed")
	}
	return canonical, nil
}

const maxHash = sha512.Size

// sum appends the hash of data to dst.
func sum(dst []byte, hash crypto.Hash, data []byte) []byte {
	if hash == crypto.SHA256 { // by far the most frequent, and this way it does not allocate
		digest := sha256.Sum256(data)
		return append(dst, digest[:]...)
	}
	h := hash.New()
	h.Write(data)
	return append(dst, h.Sum(nil)...)
}

// CertificateInKeyInfo gives the first X509Certificate in KeyInfo, DER, or nil. It proves nothing: it is for telling an
// administrator which certificate a refused message names.
func (s Signature) CertificateInKeyInfo() []byte {
	for e := range s.element.Descendants() {
		if e.Is(xmltree.NSDSig, "X509Certificate") {
			text, _ := e.Text()
			der, _ := b64.Decode(text)
			return der
		}
	}
	return nil
}

// verify gives the index of the first key that made the signature, where the one at index first comes before the others.
func (m method) verify(keys []crypto.PublicKey, first int, signed, signature []byte) (int, error) {
	var room [maxHash]byte
	digest := sum(room[:0], m.hash, signed)
	fits := false
	first = min(first, len(keys)-1)
	for n := range keys {
		i := n
		if n <= first {
			i = (n + first) % (first + 1) // first, 0, 1, 2, ... without first
		}
		switch key := keys[i].(type) {
		case *rsa.PublicKey:
			if m.ecdsa {
				continue
			}
			fits = true
			if rsa.VerifyPKCS1v15(key, m.hash, digest, signature) == nil {
				return i, nil
			}
		case *ecdsa.PublicKey:
			if !m.ecdsa {
				continue
			}
			fits = true
			if verifyECDSA(key, digest, signature) {
				return i, nil
			}
		}
	}
	if !fits {
		return 0, &fault.Fault{Code: fault.SignatureAlgorithm, Message: "no trusted key is of the kind that the signature algorithm needs", Got: m.uri}
	}
	if m.ecdsa && isASN1(keys, digest, signature) {
		return 0, &fault.Fault{Code: fault.Signature, Message: "a trusted key made the signature, but its form is not that of XML Signature",
			Got: "ASN.1", Want: "r and s side by side (XML Signature 1.1 §6.4.3)", Hint: "The identity provider's software must be fixed, or sign with RSA."}
	}
	return 0, fault.New(fault.Signature, "none of the trusted keys made the signature")
}

// Package dsig verifies XML signatures (W3C XML Signature 1.1) in the one profile that SAML allows
// (SAML Core 2.0 §5.4): an enveloped signature over its parent element, which it refers to by ID,
// with a canonicalization and no other transform. Only configured keys are trusted; keys and certificates in the
// message are not.
//
// The result is a Signed, which holds the very bytes that were digested. Callers read those bytes
// and never go back to the document. That is the defense against XML signature wrapping (XSW),
// where a message shows one element to the code that verifies and another to the code that reads.
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

// Signed is the canonical form of an element that a trusted key signed. Only these return one that
// is not empty: Signature.Verify, Detached.Verify for a message that was signed as it is written,
// and Decrypted.Signed for an element that was encrypted inside bytes that Verify returned.
type Signed struct {
	canonical []byte
	limit     int // Limit of the document that contained the element
	key       int
}

// Parse reads the signed bytes. It is the only way to their content. It refuses the zero Signed
// with the fault Unsigned.
func (s Signed) Parse() (*xmltree.Document, error) {
	if len(s.canonical) == 0 {
		return nil, fault.New(fault.Unsigned, "nothing was signed")
	}
	return xmltree.Parse(s.canonical, xmltree.Options{MaxBytes: s.limit})
}

// Decrypt reads the signed bytes and calls open with their root. open decrypts one element in them,
// and returns its plaintext and the element around it, whose namespace declarations the plaintext
// may use. Errors of open are returned as they are.
func (s Signed) Decrypt(
	open func(root xmltree.Element) (plaintext []byte, place xmltree.Element, err error),
) (Decrypted, error) {
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

// Decrypted is one element that was encrypted inside signed bytes.
type Decrypted struct {
	plaintext []byte
	place     xmltree.Element
	from      Signed
}

// Plaintext returns the bytes that were encrypted, as they came out of the decryption.
func (d Decrypted) Plaintext() []byte { return d.plaintext }

// Signed returns the decrypted element in canonical form, which includes the namespace declarations
// that it uses from around it. The signature covers the element because it covers the ciphertext.
// Like Signed.Parse, it refuses the zero value.
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

// Key returns the index, in the list given to Verify, of the key that made the signature.
func (s Signed) Key() int { return s.key }

// A Signature is a ds:Signature in a document, together with its parent, the element that it claims
// to sign. The zero value stands for "no signature".
type Signature struct{ element, parent xmltree.Element }

// Exists reports whether s is a signature, not the zero value.
func (s Signature) Exists() bool { return s.element.Exists() }

// Find returns the signature of a response and the signature of its assertion, each the zero
// Signature if there is none. assertion may be the zero Element. Find refuses a response with a
// ds:Signature in any other place, or with two in one parent: SAML has no use for them, attackers
// do.
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
			return Signature{}, Signature{}, &fault.Fault{
				Code:    fault.SignaturePlacement,
				Message: "a signature is in the wrong place",
				Got:     "Signature in " + parent.Local(),
				Want:    "Signature as a child of the element that it signs (Response or Assertion)",
			}
		}
		if found.Exists() {
			return Signature{}, Signature{}, twoSignatures(e.Parent())
		}
		*found = Signature{e, e.Parent()}
	}
	return ofResponse, ofAssertion, nil
}

// Of returns the signature that is a child of parent, or the zero Signature if there is none. It
// refuses two. It does not look at the rest of the document; for a response use Find.
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
	return &fault.Fault{
		Code:    fault.SignaturePlacement,
		Message: "an element has more than one signature",
		Got:     parent.Local(),
	}
}

// A Policy says which algorithms to allow, and which key to try first. The zero value is the strict
// one.
type Policy struct {
	// AllowSHA1 allows RSA with SHA-1, and SHA-1 digests. Both are broken: collisions can be
	// computed. It is only for identity providers that cannot be configured otherwise.
	AllowSHA1 bool
	// Signatures and Digests are the URIs of the only algorithms to allow, out of those that are
	// allowed anyway. Default: all of them.
	Signatures, Digests []string
	// TryFirst is the index of the key to try before the others. It saves time if a message has two
	// signatures: the key of the first one most likely made the second one too. Default: the first
	// key.
	TryFirst int
}

// Verify checks the signature with each of the keys in turn, beginning with policy.TryFirst, and
// returns the canonical bytes of its parent without the signature itself. Keys are *rsa.PublicKey
// or *ecdsa.PublicKey; others never match. KeyInfo is ignored: it is the sender's own claim. All
// errors are *fault.Fault, and no Signed is returned with one.
func (s Signature) Verify(keys []crypto.PublicKey, policy Policy) (Signed, error) {
	id, _ := s.parent.Attr("ID")
	if !xmltree.IsID(id) {
		return Signed{}, &fault.Fault{
			Code:    fault.ReferenceURI,
			Message: "the signed element has no ID that a signature can refer to",
			Got:     id,
			Want:    xmltree.IDForm,
		}
	}
	outer, err := readSignature(s.element, id)
	if err != nil {
		return Signed{}, err
	}
	method, err := policy.signatureMethod(outer.info.signatureMethod)
	if err != nil {
		return Signed{}, err
	}
	if (outer.info.itself.withComments || outer.info.referred.withComments) && s.element.HadComments() {
		return Signed{}, &fault.Fault{
			Code:    fault.Canonicalization,
			Message: "the signature covers the comments of the document, which are not read",
			Got:     "a canonicalization with comments",
			Want:    uriExclusive,
		}
	}
	canonicalInfo, err := outer.signedInfo.Canonicalize(nil, outer.info.itself.C14N)
	if err != nil {
		return Signed{}, err
	}
	key, err := method.verify(keys, policy.TryFirst, canonicalInfo, outer.value)
	if err != nil {
		return Signed{}, outer.info.itself.explain(err)
	}
	// From here on, SignedInfo is read from the bytes that the key signed, not from the document.
	doc, err := xmltree.Parse(canonicalInfo, xmltree.Options{})
	if err != nil {
		return Signed{}, err
	}
	info, err := readSignedInfo(doc.Root(), id)
	doc.Release() // info holds strings of canonicalInfo, and no Element
	if err != nil {
		return Signed{}, err
	}
	canonical, err := s.digested(info, policy)
	if err != nil {
		return Signed{}, err
	}
	return Signed{canonical: canonical, limit: s.parent.Limit(), key: key}, nil
}

// digested returns the canonical form of the parent if its digest is the one in info. The reference
// has been checked: it refers to the parent.
func (s Signature) digested(info signedInfo, policy Policy) ([]byte, error) {
	hash, err := policy.digestMethod(info.digestMethod)
	if err != nil {
		return nil, err
	}
	how := info.referred.C14N
	how.Omit = s.element
	canonical, err := s.parent.Canonicalize(nil, how)
	if err != nil {
		return nil, err
	}
	if len(canonical) == 0 {
		return nil, fault.New(fault.Canonicalization, "the canonical form of the signed element is empty")
	}
	var room [maxHash]byte
	if !bytes.Equal(sum(room[:0], hash, canonical), info.digest) {
		return nil, info.referred.explain(fault.New(fault.Digest,
			"the signed element was changed after it was signed: its digest is not the signed one"))
	}
	return canonical, nil
}

const maxHash = sha512.Size

// sum appends the hash of data to dst.
func sum(dst []byte, hash crypto.Hash, data []byte) []byte {
	if hash == crypto.SHA256 { // by far the most frequent; this way it does not allocate
		digest := sha256.Sum256(data)
		return append(dst, digest[:]...)
	}
	h := hash.New()
	h.Write(data)
	return append(dst, h.Sum(nil)...)
}

// CertificateInKeyInfo returns the first X509Certificate of the signature in DER, or nil if there
// is none or it is not base64. It proves nothing, because anyone can put any certificate there. It
// is only for an error message, to tell an administrator which certificate a refused message names.
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

// verify returns the index of the key that made the signature. It tries the key at index first,
// then the others in order. first may be any number from 0 on.
func (m method) verify(keys []crypto.PublicKey, first int, signed, signature []byte) (int, error) {
	var room [maxHash]byte
	digest := sum(room[:0], m.hash, signed)
	fits := false
	first = min(first, len(keys)-1)
	for n := range keys {
		i := n
		if n <= first {
			i = (n + first) % (first + 1) // the order is first, 0, 1, ..., first-1, first+1, ...
		}
		switch key := keys[i].(type) {
		case *rsa.PublicKey:
			if m.ecdsa {
				continue
			}
			fits = true
			if m.verifyRSA(key, digest, signature) {
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
		return 0, &fault.Fault{
			Code:    fault.SignatureAlgorithm,
			Message: "no trusted key has the type that the signature algorithm needs (RSA or ECDSA)",
			Got:     m.uri,
		}
	}
	if m.ecdsa && isASN1(keys, digest, signature) {
		return 0, &fault.Fault{
			Code:    fault.Signature,
			Message: "a trusted key made the signature, but wrote it in the wrong format",
			Got:     "ASN.1",
			Want:    "r and s one after the other (XML Signature 1.1 §6.4.3)",
			Hint: "The certificate is right; the identity provider's software has a bug. " +
				"Let it sign with RSA and SHA-256, or have its vendor fix the bug.",
		}
	}
	return 0, fault.New(fault.Signature, "none of the trusted keys made the signature")
}

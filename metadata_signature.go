package saml

import (
	"crypto"
	"slices"

	"github.com/iomete/saml/internal/certs"
	"github.com/iomete/saml/internal/dsig"
	"github.com/iomete/saml/internal/xmltree"
)

// These stand in place of the hints for signatures of responses, which are about another setting.
const (
	pinnedHint = "Take the metadata unchanged, as its publisher signed it, and pin the key that the publisher signs it with now."
	// if the signature itself is of a kind that is not read
	uncheckedHint = "Ask the publisher for a signature with RSA or ECDSA and SHA-256, exclusive canonicalization and a reference to the ID of the signed element, " +
		"or take the document without a pinned key over a way that you trust."
)

// signedPart finds the entity again in the bytes that a pinned key signed: its own, or those of the
// whole document.
func signedPart(
	doc *xmltree.Document, entity xmltree.Element, signedBy []TrustedKey,
) (signedEntity, role xmltree.Element, refusal *Error) {
	refusal = refuse(CodeUnsigned, "the metadata is not signed, although a key for it is pinned", "", "")
	refusal.Hint = pinnedHint
	pinned := slices.DeleteFunc(slices.Clone(signedBy), func(k TrustedKey) bool { return k.unusable != nil })
	// A federation may sign the whole, and the identity provider its part.
	for _, parent := range []xmltree.Element{doc.Root(), entity} {
		s, err := dsig.Of(parent)
		if err != nil {
			return signedEntity, role, pinnedRefusal(err, s, pinned)
		}
		if !s.Exists() {
			continue
		}
		signed, err := s.Verify(publicKeys(pinned), dsig.Policy{})
		if err != nil {
			refusal = pinnedRefusal(err, s, pinned)
			continue
		}
		verified, err := signed.Parse()
		if err != nil {
			return signedEntity, role, pinnedRefusal(err, s, pinned)
		}
		id, _ := entity.Attr("entityID")
		signedEntity, role, refusal = memberChoice{entityID: id}.find(verified.Root())
		return signedEntity, role, refusal
	}
	return signedEntity, role, refusal
}

// pinnedRefusal says whether the document or its signature was changed, was signed with another
// key, or is signed in a way that cannot be checked.
func pinnedRefusal(err error, s dsig.Signature, pinned []TrustedKey) *Error {
	e := fromFault(err)
	e.Hint, e.note = pinnedHint, ""
	var named certs.Certificate
	var problem *certs.Problem
	byAnother := false
	if s.Exists() {
		named, problem = certs.Parse(certs.FirstOf(s.CertificateInKeyInfo()))
		if problem == nil && certs.IsBounded(named.Key) && e.Code != CodeDigest {
			_, failed := s.Verify([]crypto.PublicKey{named.Key}, dsig.Policy{})
			byAnother = failed == nil
		}
	}
	switch {
	case e.Code == CodeDigest:
		e.Message = "the metadata was changed after it was signed: the digest of the signed element is not the signed one"
	case len(pinned) == 0:
		e.Message = "the metadata is signed, but no pinned key can be used to check it"
	case e.Code != CodeSignature && !byAnother:
		e.Message = "the signature of the metadata cannot be checked: " + e.Message
		e.Hint = uncheckedHint
	case problem != nil:
		e.Message = "none of the pinned keys made the signature of the metadata"
	case slices.ContainsFunc(pinned, func(k TrustedKey) bool { return certs.SameKey(k.public, named.Key) }):
		e.Message = "the signature of the metadata was changed after it was made: it names a pinned key, which did not make it"
	default: // the key of KeyInfo made it, or the document names another key than the pinned ones
		e.Code, e.Message = CodeSignature, "none of the pinned keys made the signature of the metadata"
		e.Got = "the certificate with SHA-1 thumbprint " + thumbprint(named.DER) + " in its KeyInfo"
		e.Want = (&IdentityProvider{usableKeys: pinned}).thumbprints()
	}
	return e
}

// signatureWarning says what is wrong with the signature of parent, and reports whether anything
// is. The key is taken from the document itself, so that a good one proves nothing but that the
// file is as it was written. Keys that are too long are not tried: whoever wrote the document chose
// them.
func signatureWarning(parent xmltree.Element) (w Warning, bad bool) {
	s, err := dsig.Of(parent)
	if err == nil {
		if !s.Exists() {
			return w, false
		}
		c, problem := certs.Parse(certs.FirstOf(s.CertificateInKeyInfo()))
		if problem != nil || !certs.IsBounded(c.Key) {
			return w, false // no certificate to check it with
		}
		if _, err = s.Verify([]crypto.PublicKey{c.Key}, dsig.Policy{AllowSHA1: true}); err == nil {
			return w, false
		}
	}
	switch e := fromFault(err); e.Code {
	case CodeDigest, CodeSignature:
		return Warning{"signature_broken",
			"the document was changed after it was signed, perhaps only by an editor that re-formatted it",
			"If nobody changed it on purpose, download it again and upload the file as it is."}, true
	default:
		return Warning{"signature_unchecked",
			"the document is signed in a way that cannot be checked: " + e.Message + gotWant(e),
			"Nothing needs to change if you trust the way on which the document came: its signature is not needed."}, true
	}
}

package saml

import (
	"bytes"
	"strconv"

	"github.com/iomete/saml/internal/dsig"
	"github.com/iomete/saml/internal/wire"
)

// What to change if the certificate in the settings is right and the signature does not fit.
const (
	hintReformatted = "The certificate is right. Some program formats the XML after the identity provider signed it, or the response was copied out of a program that does: " +
		"nothing may change between the identity provider and this service, not even line breaks and indentation."
	hintChanged  = "The certificate in the settings is the one that the message names, so it need not be downloaded again. Something changed the response after it was signed: look for a proxy that rewrites it. If this happens once only, the response may be forged."
	hintIndented = hintChanged + " It is indented: if the identity provider does not write it so, a program that formats XML did it."
)

// diagnosed finds out more about a signature that does not fit: whether the message was changed,
// and not the certificate. It changes what the refusal says, and nothing else.
func (a *attempt) diagnosed(err *Error) *Error {
	if err.Code != CodeDigest && err.Code != CodeSignature || err.Hint != "" {
		return err
	}
	key, named := a.namedKey()
	if key == nil {
		return err
	}
	layout := a.message.Layout(key.public, a.policy.signaturePolicy())
	switch {
	case layout == wire.Reformatted:
		err.Message = "the response was re-formatted after it was signed: without the white space between its elements, the signature fits"
		err.Hint, err.note = hintReformatted, ""
	case !named:
	case err.Code == CodeSignature:
		err.Message = "the message names a trusted certificate, but its signature does not fit: the message was changed after it was signed, or another key signed it"
		err.Hint = hintChanged
		if layout == wire.Indented {
			err.Hint = hintIndented
		}
	case layout == wire.Indented:
		err.Hint = hintIndented
	}
	return err
}

// namedKey returns the trusted key whose certificate the message names, or if it names none, the
// only one that there is. It returns nil if there is no such key. What a message names proves
// nothing.
func (a *attempt) namedKey() (key *TrustedKey, named bool) {
	for _, s := range []dsig.Signature{a.message.ResponseSignature, a.message.AssertionSignature} {
		if !s.Exists() {
			continue
		}
		der := s.CertificateInKeyInfo()
		named = named || der != nil
		for i := range a.idp.usableKeys {
			if k := &a.idp.usableKeys[i]; der != nil && bytes.Equal(k.der, der) {
				return k, true
			}
		}
	}
	if !named && len(a.idp.usableKeys) == 1 {
		return &a.idp.usableKeys[0], false
	}
	return nil, named
}

// noteEmailClaim stands behind the advice about the NameID, which may be right already.
const noteEmailClaim = "If the NameID is right already, let the identity provider take the emailaddress claim from the same field of the user."

// emailMismatch is the refusal of a NameID that is another address than the emailaddress claim. Got has
// both, with characters beyond ASCII escaped, because the two may differ only in what looks the same.
func emailMismatch(nameID, claim string) *Error {
	e := refuse(CodeNameIDMismatch, "the NameID and the emailaddress claim are different addresses", "",
		"the same address in both")
	const name, claimName = "NameID ", ", emailaddress claim "
	half := (maxQuoted - len(name+claimName)) / 2
	e.Got = name + quoteBy(strconv.QuoteToASCII, nameID, half) + claimName + quoteBy(strconv.QuoteToASCII, claim, half)
	e.note = noteEmailClaim
	return e
}

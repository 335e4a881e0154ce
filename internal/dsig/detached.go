package dsig

import (
	"crypto"
	"crypto/ecdsa"

	"github.com/iomete/saml/internal/fault"
	"github.com/iomete/saml/internal/xmltree"
)

// A Detached is a signature that stands beside its message, as the HTTP-Redirect binding has it
// (SAML Bindings 2.0 §3.4.4.1): it covers octets in which the message is encoded.
type Detached struct {
	Algorithm string // URI (RFC 9231 §2.3), never a default
	Octets    []byte
	Value     []byte // the signature
}

// Verify checks the signature with each of the keys in turn, as Signature.Verify does, and returns
// what open makes of the octets: the message in them. open is not called before a key has verified
// the octets, and its errors are returned as they are. All other errors are *fault.Fault.
//
// An ECDSA signature may be r and s one after the other, as in XML, or ASN.1, as OpenSAML writes it:
// the binding names no format, and both are met. Both are forms of the same two numbers.
func (d Detached) Verify(
	keys []crypto.PublicKey, policy Policy, open func(octets []byte) (message []byte, err error),
) (Signed, error) {
	m, err := policy.signatureMethod(d.Algorithm)
	if err != nil {
		return Signed{}, err
	}
	key, err := m.verify(keys, policy.TryFirst, d.Octets, d.Value)
	if err != nil {
		if key = m.keyOfASN1(keys, d); key < 0 {
			return Signed{}, err
		}
	}
	message, err := open(d.Octets)
	if err != nil {
		return Signed{}, err
	}
	if len(message) == 0 {
		return Signed{}, fault.New(fault.Unsigned, "nothing was signed")
	}
	return Signed{canonical: message, limit: xmltree.MaxBytes, key: key}, nil
}

// keyOfASN1 returns the index of the key that made an ECDSA signature in ASN.1, -1 if there is none.
func (m method) keyOfASN1(keys []crypto.PublicKey, d Detached) int {
	if !m.ecdsa {
		return -1
	}
	digest := sum(nil, m.hash, d.Octets)
	for i, key := range keys {
		if key, ok := key.(*ecdsa.PublicKey); ok && ecdsa.VerifyASN1(key, digest, d.Value) {
			return i
		}
	}
	return -1
}

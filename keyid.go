package saml

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"math/big"
)

// A KeyID names a public key, whatever certificate it is in: the first 16 bytes of the SHA-256 over
// its SubjectPublicKeyInfo in DER (RFC 5280 §4.1.2.7). So a certificate that is renewed for the
// same key has the same KeyID. The zero value names no key.
type KeyID [16]byte

// String returns 32 lower-case hex digits.
func (k KeyID) String() string { return hex.EncodeToString(k[:]) }

// MarshalText implements encoding.TextMarshaler. It returns what String returns.
func (k KeyID) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, k[:]), nil }

// UnmarshalText implements encoding.TextUnmarshaler. It takes what String returns, in any case.
func (k *KeyID) UnmarshalText(text []byte) error {
	var id KeyID
	if len(text) != hex.EncodedLen(len(id)) {
		return fmt.Errorf("saml: a key ID has %d characters, want %d hex digits", len(text), hex.EncodedLen(len(id)))
	}
	if _, err := hex.Decode(id[:], text); err != nil {
		return fmt.Errorf("saml: a key ID is not in hex: %w", err)
	}
	*k = id
	return nil
}

// ID returns the name of the public key. Certificates of the same key have the same ID. It is the
// zero KeyID if the certificate holds a key of an unusable kind.
func (k TrustedKey) ID() KeyID { return k.id }

// idOf returns the zero KeyID for a key that is none.
func idOf(key crypto.PublicKey) (id KeyID) {
	if key, ok := key.(*rsa.PublicKey); ok && key != nil && key.N != nil && key.N.Sign() > 0 && key.N.BitLen() <= 1<<16 && key.E > 0 {
		sum := sha256.Sum256(rsaPublicKeyInfo(key))
		copy(id[:], sum[:])
		return id
	}
	if der, err := x509.MarshalPKIXPublicKey(key); err == nil {
		sum := sha256.Sum256(der)
		copy(id[:], sum[:])
	}
	return id
}

// rsaPublicKeyInfo returns the SubjectPublicKeyInfo of an RSA key in DER (RFC 8017 §A.1.1), as
// x509.MarshalPKIXPublicKey does: that one takes as long as reading the certificate. Both numbers are above
// zero.
func rsaPublicKeyInfo(key *rsa.PublicKey) []byte {
	const integer, bitString, objectID, sequence = 0x02, 0x03, 0x06, 0x30
	rsaEncryption := []byte{objectID, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01, 0x05, 0x00} // 1.2.840.113549.1.1.1, NULL
	number := func(n *big.Int) []byte {
		return appendDER(nil, integer, n.FillBytes(make([]byte, n.BitLen()/8+1))) // the first bit is its sign: zero
	}
	numbers := appendDER([]byte{0}, sequence, append(number(key.N), number(big.NewInt(int64(key.E)))...)) // no unused bits
	return appendDER(nil, sequence, append(appendDER(nil, sequence, rsaEncryption), appendDER(nil, bitString, numbers)...))
}

// appendDER appends a value with its tag and its length, which is below 64 KiB.
func appendDER(b []byte, tag byte, value []byte) []byte {
	switch n := len(value); {
	case n < 1<<7:
		b = append(b, tag, byte(n))
	case n < 1<<8:
		b = append(b, tag, 0x81, byte(n))
	default:
		b = append(b, tag, 0x82, byte(n>>8), byte(n))
	}
	return append(b, value...)
}

// An IssuerKey is a key that one identity provider signs with, as one tenant trusts it. The same
// key for another tenant or of another issuer is another IssuerKey.
type IssuerKey struct {
	Tenant string // Config.Tenant
	Issuer string // the entity ID of the identity provider
	Key    KeyID
}

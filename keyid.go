package saml

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"math/bits"
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
	const integer, bitString, sequence = 0x02, 0x03, 0x30
	// the first bit of a number is its sign: zero
	modulus := key.N.BitLen()/8 + 1
	exponent := bits.Len(uint(key.E))/8 + 1
	numbers := sizeDER(modulus) + sizeDER(exponent)
	text := 1 + sizeDER(numbers)
	info := len(rsaEncryption) + sizeDER(text)
	b := make([]byte, 0, sizeDER(info))
	b = append(startDER(b, sequence, info), rsaEncryption...)
	b = append(startDER(b, bitString, text), 0) // no unused bits
	b = startDER(b, sequence, numbers)
	b = startDER(b, integer, modulus)
	b = b[:len(b)+modulus]
	key.N.FillBytes(b[len(b)-modulus:])
	b = startDER(b, integer, exponent)
	for i := exponent - 1; i >= 0; i-- {
		b = append(b, byte(uint64(key.E)>>(8*i)))
	}
	return b
}

// rsaEncryption is the AlgorithmIdentifier 1.2.840.113549.1.1.1 with NULL.
var rsaEncryption = []byte{0x30, 0x0D, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01, 0x05, 0x00}

// startDER appends the tag and the length of a value, which is below 64 KiB.
func startDER(b []byte, tag byte, n int) []byte {
	switch {
	case n < 1<<7:
		return append(b, tag, byte(n))
	case n < 1<<8:
		return append(b, tag, 0x81, byte(n))
	}
	return append(b, tag, 0x82, byte(n>>8), byte(n))
}

// sizeDER is the size of a value of n bytes with its tag and its length.
func sizeDER(n int) int {
	switch {
	case n < 1<<7:
		return 2 + n
	case n < 1<<8:
		return 3 + n
	}
	return 4 + n
}

// An IssuerKey is a key that one identity provider signs with, as one tenant trusts it. The same
// key for another tenant or of another issuer is another IssuerKey.
type IssuerKey struct {
	Tenant string // Config.Tenant
	Issuer string // the entity ID of the identity provider
	Key    KeyID
}

package saml

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
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
	if der, err := x509.MarshalPKIXPublicKey(key); err == nil {
		sum := sha256.Sum256(der)
		copy(id[:], sum[:])
	}
	return id
}

// An IssuerKey is a key that one identity provider signs with, as one tenant trusts it. The same
// key for another tenant or of another issuer is another IssuerKey.
type IssuerKey struct {
	Tenant string // Config.Tenant
	Issuer string // the entity ID of the identity provider
	Key    KeyID
}

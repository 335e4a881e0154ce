package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"math"
)

// MinRSABits and MaxRSABits bound the RSA keys that signatures are verified with, in bits.
const (
	MinRSABits = 2048
	MaxRSABits = 8192
)

// pssKey is the object identifier of keys for RSA-PSS alone, id-RSASSA-PSS (RFC 4055 §1.2), in DER.
var pssKey = []byte{0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0A}

// readKey reads a SubjectPublicKeyInfo (RFC 5280 §4.1.2.7), and says why no signature must be
// verified with the key, if so.
func readKey(der []byte) (crypto.PublicKey, *Problem) {
	unusable := func(message, got, want string) *Problem {
		return &Problem{Kind: UnusableKey, Message: message, Got: got, Want: want}
	}
	if len(der) > maxKeyInfo {
		return nil, unusable("the certificate holds a key that is too long",
			fmt.Sprintf("%d bytes", len(der)), "RSA with 2048 to 8192 bits, or ECDSA")
	}
	public, err := x509.ParsePKIXPublicKey(der)
	if err != nil && bytes.Contains(der[:min(len(der), 32)], pssKey) {
		return nil, unusable("the certificate allows its RSA key for RSA-PSS alone (id-RSASSA-PSS), which is not supported", "",
			"a certificate for an RSA key of the common kind (rsaEncryption), which can also sign by RSA-PSS, or for ECDSA")
	}
	if err != nil {
		p := unusable("the certificate holds a key of a kind that is not supported", "", "RSA or ECDSA")
		p.Cause = err
		return nil, p
	}
	switch key := public.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < MinRSABits || bits > MaxRSABits {
			return key, unusable("the RSA key has an unusable length", fmt.Sprintf("%d bits", bits),
				"2048 to 8192 bits")
		}
		if key.E < 3 || key.E%2 == 0 || key.E > math.MaxInt32 { // crypto/rsa verifies with none that is larger
			return key, unusable("the RSA key has an unusable exponent", fmt.Sprint(key.E), "65537")
		}
		return key, nil
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256(), elliptic.P384(), elliptic.P521():
			return key, nil
		}
		return key, unusable("the ECDSA key is on an unusable curve", key.Curve.Params().Name, "P-256, P-384 or P-521")
	}
	return nil, unusable("the certificate holds a key of a kind that is not supported",
		fmt.Sprintf("%T", public), "RSA or ECDSA")
}

// SameKey reports whether two keys are the same RSA or ECDSA key.
func SameKey(a, b crypto.PublicKey) bool {
	switch a := a.(type) {
	case *rsa.PublicKey:
		return a.Equal(b)
	case *ecdsa.PublicKey:
		return a.Equal(b)
	}
	return false
}

// IsSlow reports whether a signature takes several times as long to verify as with the keys that
// identity providers use: RSA of more than 4096 bits, and P-521.
func IsSlow(key crypto.PublicKey) bool {
	switch key := key.(type) {
	case *rsa.PublicKey:
		return key.N.BitLen() > 4096
	case *ecdsa.PublicKey:
		return key.Curve == elliptic.P521()
	}
	return false
}

// IsBounded reports whether verifying with a key takes a bounded time. The key may be too short to
// be trusted.
func IsBounded(key crypto.PublicKey) bool {
	switch key := key.(type) {
	case *rsa.PublicKey:
		return key.N.BitLen() >= 1024 && key.N.BitLen() <= MaxRSABits // crypto/rsa verifies with no shorter one
	case *ecdsa.PublicKey:
		return true
	}
	return false
}

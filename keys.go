package saml

import (
	"crypto"
	"time"
)

// A TrustedKey is a public key that an identity provider signs with, and what its certificate says about it.
type TrustedKey struct {
	public    crypto.PublicKey // *rsa.PublicKey or *ecdsa.PublicKey
	der       []byte           // the certificate
	subject   string
	notBefore time.Time
	notAfter  time.Time
	unusable  *Error // nil if responses may be verified with it
}

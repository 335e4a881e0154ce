package saml

import (
	"crypto/rsa"
	"slices"

	"github.com/iomete/saml/internal/certs"
	"github.com/iomete/saml/internal/outgoing"
)

// A SigningAlgorithm is how our requests and metadata are signed: the URI of RFC 9231 §2.3. There
// is none with SHA-1.
type SigningAlgorithm string

// The algorithms for RSA keys with the padding of PKCS #1 v1.5, which every identity provider
// knows, with RSA-PSS (MGF1 with the same hash, a salt as long as the hash; RFC 9231 §2.3.10), and
// those for ECDSA keys.
const (
	RSAWithSHA256    SigningAlgorithm = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
	RSAWithSHA384    SigningAlgorithm = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384"
	RSAWithSHA512    SigningAlgorithm = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512"
	RSAPSSWithSHA256 SigningAlgorithm = "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1"
	RSAPSSWithSHA384 SigningAlgorithm = "http://www.w3.org/2007/05/xmldsig-more#sha384-rsa-MGF1"
	RSAPSSWithSHA512 SigningAlgorithm = "http://www.w3.org/2007/05/xmldsig-more#sha512-rsa-MGF1"
	ECDSAWithSHA256  SigningAlgorithm = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
	ECDSAWithSHA384  SigningAlgorithm = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384"
	ECDSAWithSHA512  SigningAlgorithm = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512"
)

const (
	wantSigningKey      = "an RSA key of at least 2048 bits, or an ECDSA key on P-256, P-384 or P-521"
	wantRSAAlgorithm    = "RSAWithSHA256, RSAWithSHA384, RSAWithSHA512, RSAPSSWithSHA256, RSAPSSWithSHA384, RSAPSSWithSHA512, or none for RSAWithSHA256"
	wantECDSAAlgorithm  = "ECDSAWithSHA256, ECDSAWithSHA384, ECDSAWithSHA512, or none for the one that goes with the curve"
	algorithmUnknown    = "Leave Config.SigningAlgorithm empty unless the identity provider demands another one. SHA-1 is not offered, because it is not secure."
	algorithmOfOtherKey = "Leave Config.SigningAlgorithm empty, or give Config.SigningKey and Config.SigningCertificate a key of the kind that the algorithm needs."
)

func (c *Config) validateSigning(f *faults) {
	c.validateFurther(f)
	switch {
	case c.SigningKey == nil:
		if c.SigningAlgorithm != "" {
			f.add("SigningAlgorithm", "is set, but there is no SigningKey", string(c.SigningAlgorithm), "none without SigningKey")
		}
		if len(c.SigningCertificate) > 0 {
			f.add("SigningCertificate", "is set, but there is no SigningKey, so requests would not be signed", "",
				"its key in SigningKey, or neither")
		}
		return
	case isNil(c.SigningKey):
		f.add("SigningKey", "is a nil pointer", "", "a key, or no value at all")
		return
	}
	public := c.SigningKey.Public()
	possible := outgoing.Algorithms(public)
	ofRSA, isRSA := public.(*rsa.PublicKey)
	if possible == nil || isRSA && ofRSA.N.BitLen() < minRSABits {
		f.add("SigningKey", "is not a key that requests can be signed with", "", wantSigningKey)
		return
	}
	if k, err := parseCertificate(c.SigningCertificate); err != nil || !certs.SameKey(public, k.public) {
		f.add("SigningCertificate", "is not the certificate of SigningKey", "",
			"one certificate, DER, with the public key of SigningKey")
	}
	if c.SigningAlgorithm == "" || slices.Contains(possible, string(c.SigningAlgorithm)) {
		return
	}
	kind, want := "an ECDSA key", wantECDSAAlgorithm
	if isRSA {
		kind, want = "an RSA key", wantRSAAlgorithm
	}
	e := refuse(CodeConfig, "Config.SigningAlgorithm cannot be used with SigningKey, which is "+kind,
		string(c.SigningAlgorithm), want).inField("SigningAlgorithm")
	if e.Hint = algorithmOfOtherKey; !outgoing.Known(string(c.SigningAlgorithm)) {
		e.Message, e.Hint = "Config.SigningAlgorithm is unknown, and SigningKey is "+kind, algorithmUnknown
	}
	f.list = append(f.list, e)
}

// validateFurther refuses what our metadata must not name as a certificate that we sign with. One
// that issued another one is that of an authority, as in a file with the whole chain: whoever holds
// its key, or gets a certificate of it, could sign requests in our name at a provider that checks
// chains.
func (c *Config) validateFurther(f *faults) {
	var l keyList
	for _, der := range c.FurtherSigningCertificates {
		if k, err := parseCertificate(der); err != nil || k.unusable != nil {
			f.add("FurtherSigningCertificates", "has an entry that is no certificate of a signing key", "",
				"certificates, DER, each of "+wantSigningKey)
		} else if _, err := l.add(der); err != nil {
			f.add("FurtherSigningCertificates", "is too long: "+err.Message, "", "the next certificate and the former one")
			return
		}
	}
	own := len(l.keys)
	l.add(c.SigningCertificate) // its faults are told elsewhere
	l.markIssuers()
	for _, k := range l.keys[:own] {
		if k.issued != "" {
			f.add("FurtherSigningCertificates", "has the certificate of an authority, which issued "+k.issued, k.subject,
				"certificates of keys that sign, without those that issued them")
		}
	}
}

// signingAlgorithm returns the URI of the algorithm that signs. The Config is valid and has a key.
func (c *Config) signingAlgorithm() string {
	if c.SigningAlgorithm != "" {
		return string(c.SigningAlgorithm)
	}
	return outgoing.Algorithms(c.SigningKey.Public())[0]
}

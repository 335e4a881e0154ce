package dsig

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	_ "crypto/sha1" // registers the hash; used only if Policy.AllowSHA1 is set
	"math/big"

	"github.com/iomete/saml/internal/fault"
)

// method is a signature algorithm (RFC 9231 §2.3).
type method struct {
	uri   string
	hash  crypto.Hash
	ecdsa bool // else RSA
	pss   bool // RSASSA-PSS, else PKCS #1 v1.5
}

const (
	uriRSASHA1 = "http://www.w3.org/2000/09/xmldsig#rsa-sha1"
	uriSHA1    = "http://www.w3.org/2000/09/xmldsig#sha1"
)

// signatureMethod returns the method for an algorithm URI, or the fault SignatureAlgorithm. HMAC is
// not in the list: anyone could compute one with a public key as secret.
func signatureMethod(uri string, policy Policy) (method, error) {
	const (
		more = "http://www.w3.org/2001/04/xmldsig-more#"
		pss  = "http://www.w3.org/2007/05/xmldsig-more#" // §2.3.9 and §2.3.10
	)
	switch uri {
	case more + "rsa-sha256":
		return method{uri: uri, hash: crypto.SHA256}, nil
	case more + "rsa-sha384":
		return method{uri: uri, hash: crypto.SHA384}, nil
	case more + "rsa-sha512":
		return method{uri: uri, hash: crypto.SHA512}, nil
	case more + "ecdsa-sha256":
		return method{uri: uri, hash: crypto.SHA256, ecdsa: true}, nil
	case more + "ecdsa-sha384":
		return method{uri: uri, hash: crypto.SHA384, ecdsa: true}, nil
	case more + "ecdsa-sha512":
		return method{uri: uri, hash: crypto.SHA512, ecdsa: true}, nil
	case pss + "sha256-rsa-MGF1":
		return method{uri: uri, hash: crypto.SHA256, pss: true}, nil
	case pss + "sha384-rsa-MGF1":
		return method{uri: uri, hash: crypto.SHA384, pss: true}, nil
	case pss + "sha512-rsa-MGF1":
		return method{uri: uri, hash: crypto.SHA512, pss: true}, nil
	case pss + "rsa-pss":
		return method{}, &fault.Fault{
			Code:    fault.SignatureAlgorithm,
			Message: "the signature uses RSA-PSS with parameters of its own",
			Got:     uri,
			Want:    pss + "sha256-rsa-MGF1, where the algorithm fixes them",
		}
	case uriRSASHA1:
		if policy.AllowSHA1 {
			return method{uri: uri, hash: crypto.SHA1}, nil
		}
		return method{}, &fault.Fault{
			Code:    fault.SignatureAlgorithm,
			Message: "the signature uses SHA-1, which is not secure",
			Got:     uri,
			Want:    "SHA-256 or better",
		}
	}
	return method{}, &fault.Fault{
		Code:    fault.SignatureAlgorithm,
		Message: "the signature algorithm is not allowed",
		Got:     uri,
		Want:    "RSA, RSA-PSS or ECDSA with SHA-256, SHA-384 or SHA-512",
	}
}

// digestMethod returns the hash for an algorithm URI (RFC 9231 §2.1), or the fault DigestAlgorithm.
func digestMethod(uri string, policy Policy) (crypto.Hash, error) {
	switch uri {
	case "http://www.w3.org/2001/04/xmlenc#sha256":
		return crypto.SHA256, nil
	case "http://www.w3.org/2001/04/xmldsig-more#sha384":
		return crypto.SHA384, nil
	case "http://www.w3.org/2001/04/xmlenc#sha512":
		return crypto.SHA512, nil
	case uriSHA1:
		if policy.AllowSHA1 {
			return crypto.SHA1, nil
		}
		return 0, &fault.Fault{
			Code:    fault.DigestAlgorithm,
			Message: "the digest uses SHA-1, which is not secure",
			Got:     uri,
			Want:    "SHA-256 or better",
		}
	}
	return 0, &fault.Fault{
		Code:    fault.DigestAlgorithm,
		Message: "the digest algorithm is not allowed",
		Got:     uri,
		Want:    "SHA-256, SHA-384 or SHA-512",
	}
}

// IsSignatureMethod reports whether a policy can allow a signature algorithm.
func IsSignatureMethod(uri string) bool {
	_, err := signatureMethod(uri, Policy{AllowSHA1: true})
	return err == nil
}

// IsSHA1 reports whether an algorithm needs Policy.AllowSHA1.
func IsSHA1(uri string) bool { return uri == uriRSASHA1 || uri == uriSHA1 }

// IsDigestMethod reports whether a policy can allow a digest algorithm.
func IsDigestMethod(uri string) bool {
	_, err := digestMethod(uri, Policy{AllowSHA1: true})
	return err == nil
}

// signatureMethod returns the method for an algorithm URI, if the policy allows it.
func (p Policy) signatureMethod(uri string) (method, error) {
	m, err := signatureMethod(uri, p)
	if err == nil {
		err = fault.NotAmong(p.Signatures, uri, fault.SignatureAlgorithm)
	}
	return m, err
}

// digestMethod returns the hash for an algorithm URI, if the policy allows it.
func (p Policy) digestMethod(uri string) (crypto.Hash, error) {
	hash, err := digestMethod(uri, p)
	if err == nil {
		err = fault.NotAmong(p.Digests, uri, fault.DigestAlgorithm)
	}
	return hash, err
}

// verifyRSA reports whether key made the signature. With RSA-PSS the mask has the hash of the
// signature, and the salt is as long as the hash (RFC 9231 §2.3.10).
func (m method) verifyRSA(key *rsa.PublicKey, digest, signature []byte) bool {
	if m.pss {
		options := rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
		return rsa.VerifyPSS(key, m.hash, digest, signature, &options) == nil
	}
	return rsa.VerifyPKCS1v15(key, m.hash, digest, signature) == nil
}

// verifyECDSA reports whether key made the signature. The form is that of XML Signature 1.1 §6.4.3:
// r and s one after the other, each as long as the order of the curve.
func verifyECDSA(key *ecdsa.PublicKey, digest, signature []byte) bool {
	size := orderSize(key)
	if len(signature) != 2*size {
		return false
	}
	r := new(big.Int).SetBytes(signature[:size])
	s := new(big.Int).SetBytes(signature[size:])
	return ecdsa.Verify(key, digest, r, s)
}

// isASN1 reports whether one of the keys made the signature, but wrote it in ASN.1, as other
// standards do. Such a signature is refused all the same; this only gives the administrator the
// right reason, in place of "wrong certificate". A key is skipped if the signature is as long as r
// and s: it has been tried already. Longer signatures are not even read.
func isASN1(keys []crypto.PublicKey, digest, signature []byte) bool {
	// The most that ASN.1 adds: tag and length of the sequence; tag, length and a leading zero of
	// each number.
	const frame = 3 + 2*3
	for _, key := range keys {
		key, ok := key.(*ecdsa.PublicKey)
		if !ok || len(signature) == 2*orderSize(key) || len(signature) > 2*orderSize(key)+frame {
			continue
		}
		if ecdsa.VerifyASN1(key, digest, signature) {
			return true
		}
	}
	return false
}

// orderSize returns the size in bytes of the order of the key's curve.
func orderSize(key *ecdsa.PublicKey) int { return (key.Curve.Params().N.BitLen() + 7) / 8 }

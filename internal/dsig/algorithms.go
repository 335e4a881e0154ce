package dsig

import (
	"crypto"
	"crypto/ecdsa"
	_ "crypto/sha1" // registers the hash; used only where Policy allows it
	"math/big"

	"github.com/iomete/saml/internal/fault"
)

// method is a signature algorithm (RFC 9231 §2.3).
type method struct {
	uri   string
	hash  crypto.Hash
	ecdsa bool
}

const (
	uriRSASHA1 = "http://www.w3.org/2000/09/xmldsig#rsa-sha1"
	uriSHA1    = "http://www.w3.org/2000/09/xmldsig#sha1"
)

func signatureMethod(uri string, policy Policy) (method, error) {
	const more = "http://www.w3.org/2001/04/xmldsig-more#"
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
	case uriRSASHA1:
		if policy.AllowSHA1 {
			return method{uri: uri, hash: crypto.SHA1}, nil
		}
		return method{}, &fault.Fault{Code: fault.SignatureAlgorithm, Message: "the signature uses SHA-1", Got: uri, Want: "SHA-256 or better"}
	}
	return method{}, &fault.Fault{Code: fault.SignatureAlgorithm, Message: "the signature algorithm is not allowed", Got: uri,
		Want: "RSA or ECDSA with SHA-256, SHA-384 or SHA-512"}
}

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
		return 0, &fault.Fault{Code: fault.DigestAlgorithm, Message: "the digest uses SHA-1", Got: uri, Want: "SHA-256 or better"}
	}
	return 0, &fault.Fault{Code: fault.DigestAlgorithm, Message: "the digest algorithm is not allowed", Got: uri,
		Want: "SHA-256, SHA-384 or SHA-512"}
}

// verifyECDSA checks a signature in the form of XML Signature 1.1 §6.4.3: r and s, each as long as the curve's order.
func verifyECDSA(key *ecdsa.PublicKey, digest, signature []byte) bool {
	size := orderSize(key)
	if len(signature) != 2*size {
		return false
	}
	r := new(big.Int).SetBytes(signature[:size])
	s := new(big.Int).SetBytes(signature[size:])
	return ecdsa.Verify(key, digest, r, s)
}

// isASN1 reports whether a key made the signature in the form of other standards: for telling an administrator, who would look for
// another certificate in vain. Keys for which the length is that of r and s have been tried.
func isASN1(keys []crypto.PublicKey, digest, signature []byte) bool {
	const frame = 3 + 2*3 // at most: tag and length of the sequence; tag, length and a leading zero of each number
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

// orderSize is how many bytes a number has that is less than the order of the curve.
func orderSize(key *ecdsa.PublicKey) int { return (key.Curve.Params().N.BitLen() + 7) / 8 }

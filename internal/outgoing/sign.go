package outgoing

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"net/url"

	"github.com/iomete/saml/internal/xmltree"
)

// A Signer signs what we send.
type Signer struct {
	Key         crypto.Signer
	Certificate []byte // of Key, DER
	Algorithm   string // URI, one of Algorithms(Key.Public())
}

// algorithm is a signature algorithm (RFC 9231 §2.3), and the digest that goes with it in XML.
type algorithm struct {
	hash   crypto.Hash
	digest string // URI of the digest (RFC 9231 §2.1)
	pss    bool   // RSA-PSS: MGF1 with the same hash, salt as long as the hash (RFC 9231 §2.3.10)
}

const (
	more   = "http://www.w3.org/2001/04/xmldsig-more#"
	more07 = "http://www.w3.org/2007/05/xmldsig-more#"

	sha256URI = "http://www.w3.org/2001/04/xmlenc#sha256"
	sha384URI = "http://www.w3.org/2001/04/xmldsig-more#sha384"
	sha512URI = "http://www.w3.org/2001/04/xmlenc#sha512"
)

// The algorithms that there are. SHA-1 is not among them.
var (
	rsaAlgorithms   = []string{more + "rsa-sha256", more + "rsa-sha384", more + "rsa-sha512", more07 + "sha256-rsa-MGF1", more07 + "sha384-rsa-MGF1", more07 + "sha512-rsa-MGF1"}
	ecdsaAlgorithms = []string{more + "ecdsa-sha256", more + "ecdsa-sha384", more + "ecdsa-sha512"}

	algorithms = map[string]algorithm{
		more + "rsa-sha256":        {crypto.SHA256, sha256URI, false},
		more + "rsa-sha384":        {crypto.SHA384, sha384URI, false},
		more + "rsa-sha512":        {crypto.SHA512, sha512URI, false},
		more07 + "sha256-rsa-MGF1": {crypto.SHA256, sha256URI, true},
		more07 + "sha384-rsa-MGF1": {crypto.SHA384, sha384URI, true},
		more07 + "sha512-rsa-MGF1": {crypto.SHA512, sha512URI, true},
		more + "ecdsa-sha256":      {crypto.SHA256, sha256URI, false},
		more + "ecdsa-sha384":      {crypto.SHA384, sha384URI, false},
		more + "ecdsa-sha512":      {crypto.SHA512, sha512URI, false},
	}
)

// Algorithms returns the URIs of the algorithms that a key can sign with, the usual one first:
// RSA-SHA256, or ECDSA with the hash that is as strong as the curve. It returns nil for keys that
// are neither RSA nor ECDSA on P-256, P-384 or P-521.
func Algorithms(public crypto.PublicKey) []string {
	switch public := public.(type) {
	case *rsa.PublicKey:
		if public != nil && public.N != nil {
			return rsaAlgorithms
		}
	case *ecdsa.PublicKey:
		if public == nil || *public == (ecdsa.PublicKey{Curve: public.Curve}) { // without a point
			return nil
		}
		a := ecdsaAlgorithms
		switch public.Curve {
		case elliptic.P256():
			return a
		case elliptic.P384():
			return []string{a[1], a[0], a[2]}
		case elliptic.P521():
			return []string{a[2], a[0], a[1]}
		}
	}
	return nil
}

// Known reports whether some key can sign with the algorithm of a URI.
func Known(uri string) bool { return algorithms[uri].hash != 0 }

// SignQuery appends SigAlg and Signature to a query as the HTTP-Redirect binding does it: over the
// very bytes that are sent (SAML Bindings 2.0 §3.4.4.1). query is SAMLRequest=… and, if there is
// one, &RelayState=….
func (s Signer) SignQuery(query string) (string, error) {
	query += "&SigAlg=" + url.QueryEscape(s.Algorithm)
	signature, err := s.sign([]byte(query))
	if err != nil {
		return "", err
	}
	return query + "&Signature=" + url.QueryEscape(base64.StdEncoding.EncodeToString(signature)), nil
}

// envelop returns the document with an enveloped signature over its root element, which has the
// given ID (SAML Core 2.0 §5.4). The signature is put right behind the first occurrence of after.
//
// The digest is that of the bytes which are sent, read back. SignedInfo is written in its canonical
// form; only the declaration of its prefix is on the Signature and not on itself.
func (s Signer) envelop(document []byte, id, after string) ([]byte, error) {
	at := bytes.Index(document, []byte(after))
	if at < 0 {
		return nil, fmt.Errorf("there is no place for the signature: %q is missing", after)
	}
	at += len(after)
	tree, err := xmltree.Parse(document, xmltree.Options{MaxBytes: 4 << 20})
	if err != nil {
		return nil, err
	}
	canonical, err := tree.Root().Canonicalize(nil, xmltree.C14N{})
	if err != nil {
		return nil, err
	}
	a := algorithms[s.Algorithm]
	if a.hash == 0 {
		return nil, s.unknown()
	}
	const open, space, end = `<ds:SignedInfo`, ` xmlns:ds="` + xmltree.NSDSig + `"`, `</ds:SignedInfo>`
	info := `><ds:CanonicalizationMethod Algorithm="` + xmltree.NSExcC14N + `"></ds:CanonicalizationMethod>` +
		`<ds:SignatureMethod Algorithm="` + s.Algorithm + `"></ds:SignatureMethod>` +
		`<ds:Reference URI="#` + id + `"><ds:Transforms>` +
		`<ds:Transform Algorithm="` + xmltree.NSDSig + `enveloped-signature"></ds:Transform>` +
		`<ds:Transform Algorithm="` + xmltree.NSExcC14N + `"></ds:Transform></ds:Transforms>` +
		`<ds:DigestMethod Algorithm="` + a.digest + `"></ds:DigestMethod>` +
		`<ds:DigestValue>` + base64.StdEncoding.EncodeToString(digest(a.hash, canonical)) + `</ds:DigestValue></ds:Reference>` + end
	value, err := s.sign([]byte(open + space + info))
	if err != nil {
		return nil, err
	}
	signature := `<ds:Signature` + space + `>` + open + info +
		`<ds:SignatureValue>` + base64.StdEncoding.EncodeToString(value) + `</ds:SignatureValue>` +
		`<ds:KeyInfo><ds:X509Data><ds:X509Certificate>` + base64.StdEncoding.EncodeToString(s.Certificate) +
		`</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature>`
	return bytes.Join([][]byte{document[:at], []byte(signature), document[at:]}, nil), nil
}

// sign returns the signature of a message in the form that XML Signature gives it. A signature that
// the key's own public key does not verify is an error: a key in another place may not do what it
// was asked to, and nobody at the identity provider would see why.
func (s Signer) sign(message []byte) ([]byte, error) {
	a := algorithms[s.Algorithm]
	if a.hash == 0 {
		return nil, s.unknown()
	}
	sum := digest(a.hash, message)
	pss := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: a.hash}
	options := crypto.SignerOpts(a.hash)
	if a.pss {
		options = pss
	}
	signature, err := s.Key.Sign(rand.Reader, sum, options)
	if err != nil {
		return nil, err
	}
	switch public := s.Key.Public().(type) {
	case *rsa.PublicKey:
		if a.pss {
			err = rsa.VerifyPSS(public, a.hash, sum, signature, pss)
		} else {
			err = rsa.VerifyPKCS1v15(public, a.hash, sum, signature)
		}
		if err == nil {
			return signature, nil
		}
	case *ecdsa.PublicKey:
		if ecdsa.VerifyASN1(public, sum, signature) {
			return concatenated(public, signature)
		}
	}
	return nil, fmt.Errorf("the signing key made a signature that is not one of %s: its public key does not verify it", s.Algorithm)
}

func (s Signer) unknown() error {
	return fmt.Errorf("the signature algorithm %q is unknown", s.Algorithm)
}

func digest(hash crypto.Hash, message []byte) []byte {
	h := hash.New()
	h.Write(message)
	return h.Sum(nil)
}

// concatenated turns an ECDSA signature from ASN.1, as crypto.Signer returns it, into the form of
// XML Signature 1.1 §6.4.3: r and s one after the other, each as long as the order of the curve.
func concatenated(public *ecdsa.PublicKey, signature []byte) ([]byte, error) {
	var number struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(signature, &number); err != nil || len(rest) > 0 {
		return nil, errors.New("the signing key made an ECDSA signature that is not ASN.1")
	}
	size := (public.Curve.Params().N.BitLen() + 7) / 8
	both := make([]byte, 2*size) // r and s are below the order, or the signature would not have been verified
	number.R.FillBytes(both[:size])
	number.S.FillBytes(both[size:])
	return both, nil
}

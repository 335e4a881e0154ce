// Package certs reads X.509 certificates (RFC 5280): one in DER, several that follow each other,
// and those in a text that somebody pasted. It is the only door to golang.org/x/crypto, whose
// cryptobyte reads what crypto/x509 refuses. It says what is there and what is wrong with it; whom
// to trust is decided elsewhere.
package certs

import (
	"bytes"
	"crypto"
	"crypto/x509/pkix"
	"encoding/asn1"
	"iter"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cryptobyteasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// A Certificate is what is needed of a certificate.
type Certificate struct {
	DER                 []byte           // a copy
	Subject             string           // RFC 2253 form; "" if it cannot be read or has more than 4 KiB
	NotBefore, NotAfter time.Time        // UTC
	Key                 crypto.PublicKey // *rsa.PublicKey or *ecdsa.PublicKey, else nil
	Unusable            *Problem         // why signatures must not be verified with Key; nil if they may be
}

// A Kind says what sort of Problem there is.
type Kind int

const (
	Unreadable  Kind = iota // this is no certificate, or a damaged one
	PrivateKey              // this holds a private key
	UnusableKey             // the certificate can be read, but signatures must not be verified with its key
)

// A Problem is why something cannot be read or used.
type Problem struct {
	Kind    Kind
	Message string // one sentence without a final period; nothing of the input in it
	Got     string // what is there, raw; "" if there is nothing to show
	Want    string // what must be there; "" if the message says it
	Cause   error  // of crypto/x509; else nil
}

// Error returns the message for tests of this package; users see the public error made from it.
func (p *Problem) Error() string { return p.Message }

const (
	maxSubject = 4 << 10 // bytes of a subject that is shown: writing one takes time that grows with its square
	maxKeyInfo = 4 << 10 // bytes of a public key that is read: four times those of RSA with 8192 bits
)

// Split yields the DER of certificates that follow each other, without looking into them. A line
// break behind the last one is passed over: an editor may have added it. What is no ASN.1 sequence
// is a Problem, and the end.
func Split(data []byte) iter.Seq2[[]byte, *Problem] {
	return func(yield func([]byte, *Problem) bool) {
		rest := cryptobyte.String(data)
		for first := true; !rest.Empty() && (first || len(bytes.TrimSpace(rest)) > 0); first = false {
			var der cryptobyte.String
			if !rest.ReadASN1Element(&der, cryptobyteasn1.SEQUENCE) {
				yield(nil, &Problem{Message: "the certificate is damaged or cut off"})
				return
			}
			if !yield(der, nil) {
				return
			}
		}
	}
}

// FirstOf returns the first ASN.1 sequence of data, or data if there is none.
func FirstOf(data []byte) []byte {
	rest := cryptobyte.String(data)
	var first cryptobyte.String
	if !rest.ReadASN1Element(&first, cryptobyteasn1.SEQUENCE) {
		return data
	}
	return first
}

// Parse reads the few fields of one certificate that are needed (RFC 5280 §4.1), and checks no
// signature. crypto/x509 refuses certificates that are in use, for instance with a negative serial
// number. The Problem is Unreadable or PrivateKey; a key that must not be used is no Problem of
// Parse, but is in Certificate.Unusable.
func Parse(der []byte) (Certificate, *Problem) {
	c, what := parse(der)
	if what == "" {
		return c, nil
	}
	if p := privateKey(der); p != nil {
		return Certificate{}, p
	}
	return Certificate{}, &Problem{
		Message: "this is not a certificate: " + what + " cannot be read",
		Want:    "an X.509 certificate",
	}
}

// parse says which part cannot be read, "" if all can.
func parse(der []byte) (c Certificate, unread string) {
	c.DER = slices.Clone(der)
	input := cryptobyte.String(der)
	var certificate, tbs, subject, validity, key cryptobyte.String
	if !input.ReadASN1(&certificate, cryptobyteasn1.SEQUENCE) || !certificate.ReadASN1(&tbs, cryptobyteasn1.SEQUENCE) {
		return c, "its frame"
	}
	if !input.Empty() {
		return c, "what stands behind it"
	}
	if !tbs.SkipOptionalASN1(cryptobyteasn1.Tag(0).Constructed().ContextSpecific()) || // version
		!tbs.SkipASN1(cryptobyteasn1.INTEGER) || // serial number
		!tbs.SkipASN1(cryptobyteasn1.SEQUENCE) || // signature algorithm
		!tbs.SkipASN1(cryptobyteasn1.SEQUENCE) || // issuer
		!tbs.ReadASN1(&validity, cryptobyteasn1.SEQUENCE) ||
		!tbs.ReadASN1Element(&subject, cryptobyteasn1.SEQUENCE) ||
		!tbs.ReadASN1Element(&key, cryptobyteasn1.SEQUENCE) {
		return c, "one of its first fields"
	}
	var ok bool
	if c.NotBefore, ok = readTime(&validity); !ok {
		return c, "the beginning of its validity"
	}
	if c.NotAfter, ok = readTime(&validity); !ok {
		return c, "the end of its validity"
	}
	var name pkix.RDNSequence
	if len(subject) <= maxSubject {
		if _, err := asn1.Unmarshal(subject, &name); err == nil {
			c.Subject = name.String()
		}
	}
	c.Key, c.Unusable = readKey(key)
	return c, ""
}

func readTime(s *cryptobyte.String) (t time.Time, ok bool) {
	if s.PeekASN1Tag(cryptobyteasn1.UTCTime) {
		ok = s.ReadASN1UTCTime(&t)
	} else {
		ok = s.ReadASN1GeneralizedTime(&t)
	}
	return t.UTC(), ok
}

func isPrivateKey() *Problem {
	return &Problem{Kind: PrivateKey, Message: "this is a private key, not a certificate"}
}

// privateKey recognizes a private key by the types of its first elements. Its numbers are not
// looked at: checking whether a stranger's numbers are a key takes time without bound.
func privateKey(der []byte) *Problem {
	found := isPrivateKey()
	input := cryptobyte.String(der)
	var s, algorithm cryptobyte.String
	if !input.ReadASN1(&s, cryptobyteasn1.SEQUENCE) {
		return nil
	}
	if s.PeekASN1Tag(cryptobyteasn1.SEQUENCE) { // encrypted: RFC 5958 §3
		if s.ReadASN1(&algorithm, cryptobyteasn1.SEQUENCE) && algorithm.PeekASN1Tag(cryptobyteasn1.OBJECT_IDENTIFIER) &&
			s.SkipASN1(cryptobyteasn1.OCTET_STRING) && s.Empty() {
			return found
		}
		return nil
	}
	var version int
	if !s.ReadASN1Integer(&version) {
		return nil
	}
	if s.PeekASN1Tag(cryptobyteasn1.OCTET_STRING) { // ECDSA: RFC 5915 §3
		return found
	}
	if s.PeekASN1Tag(cryptobyteasn1.SEQUENCE) {
		switch s.SkipASN1(cryptobyteasn1.SEQUENCE); {
		case s.PeekASN1Tag(cryptobyteasn1.OCTET_STRING): // RFC 5958 §2
			return found
		case version == 3: // RFC 7292 §4
			return pkcs12()
		}
		return nil
	}
	for range 5 { // RSA: RFC 8017 appendix A.1.2 has eight more numbers, OpenSSL's form of DSA five
		if !s.SkipASN1(cryptobyteasn1.INTEGER) {
			return nil
		}
	}
	return found
}

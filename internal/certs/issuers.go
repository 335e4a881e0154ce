package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha512" // registers the hash
	"crypto/x509"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cryptobyteasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// A Candidate is a certificate that may have issued others of a list.
type Candidate struct {
	DER    []byte
	Key    crypto.PublicKey // of the certificate
	Usable bool             // false: no signature is verified with Key, and it issued nothing
}

// Authorities returns for each certificate of a list the index of another one that it issued,
// itself or through others, or -1. Each group is a list of indices: certificates that were given
// together. A certificate is an authority only if every group that has it also has one that it
// issued. At most some 40 ms go into checking signatures, however long the list is; what was not
// checked counts as not issued.
func Authorities(list []Candidate, groups [][]int) []int {
	issued := slices.Repeat([]int{-1}, len(list))
	if !slices.ContainsFunc(groups, func(g []int) bool { return len(g) > 1 }) {
		return issued
	}
	issuers := issuersOf(list)
	alone := make([]bool, len(list)) // some group has it without one that it issued
	for _, g := range groups {
		for n, below := range issuedIn(issuers, g) {
			if below < 0 {
				alone[g[n]] = true
			} else {
				issued[g[n]] = below
			}
		}
	}
	for i := range list {
		if alone[i] {
			issued[i] = -1
		}
	}
	return issued
}

// IsAuthority reports whether a certificate says that its key signs certificates (RFC 5280
// §4.2.1.9). Many that sign themselves say so too. One that crypto/x509 cannot read says nothing.
func IsAuthority(der []byte) bool {
	c, err := x509.ParseCertificate(der)
	return err == nil && c.BasicConstraintsValid && c.IsCA
}

// issuedIn returns for each certificate of a group the index of another one in it that it issued,
// or -1. Two authorities that certified each other do not count as issuers for that alone, or no
// key would be left.
func issuedIn(issuers [][]int, group []int) []int {
	reach := make([][]bool, len(group)) // reach[a][b]: a issued b, or an issuer of it
	for a := range group {
		reach[a] = make([]bool, len(group))
		for b := range group {
			reach[a][b] = slices.Contains(issuers[group[b]], group[a])
		}
	}
	for via := range group {
		for a := range group {
			for b := range group {
				reach[a][b] = reach[a][b] || reach[a][via] && reach[via][b]
			}
		}
	}
	below := make([]int, len(group))
	for a := range group {
		below[a] = -1
		for b := range group {
			if reach[a][b] && !reach[b][a] && (below[a] < 0 || slices.Contains(issuers[group[b]], group[a])) {
				below[a] = group[b]
			}
		}
	}
	return below
}

// maxIssuerWork bounds how many signatures are checked in a list, in units of one with RSA and 2048
// bits: some 40 ms. That is enough for all pairs of 16 certificates with such keys or P-256.
// Certificates that name their issuers need one check each, so even with P-521 there may be a
// dozen.
const maxIssuerWork = 480

// issuersOf returns for each certificate the others, by index, whose key signed it. There are
// several only if they have one key. One that its own key signed has none, and the others with this
// key are its predecessors or successors.
//
// That names match proves nothing, but says what to try first. It counts for a signature by an
// algorithm that is not checked (MD5, SHA-224, SHA-3), if the other says that it is an authority:
// one key too few is trusted then, not one too many. Keys that cannot be used, for their
// length too, are not tried.
func issuersOf(list []Candidate) [][]int {
	s := newIssuerSearch(list)
	signers := make([]crypto.PublicKey, len(list))
	for _, byName := range []bool{true, false} {
		for i := range list {
			if signers[i] == nil {
				signers[i] = s.signer(i, byName)
			}
		}
	}
	issuers := make([][]int, len(list))
	for i, signer := range signers {
		for j, c := range list {
			if signer != nil && c.Usable && SameKey(c.Key, signer) && !SameKey(c.Key, list[i].Key) {
				issuers[i] = append(issuers[i], j)
			}
		}
	}
	return issuers
}

type issuerSearch struct {
	list       []Candidate
	signatures []certificateSignature // of list
	tried      [][]crypto.PublicKey   // for each of list
	work       int                    // what is left of maxIssuerWork
}

func newIssuerSearch(list []Candidate) *issuerSearch {
	s := &issuerSearch{list: list, tried: make([][]crypto.PublicKey, len(list)), work: maxIssuerWork}
	for _, c := range list {
		s.signatures = append(s.signatures, readCertificateSignature(c.DER))
	}
	return s
}

// signer returns the key that signed certificate i, nil if it is not found: its own first, then
// those of certificates with the name of its issuer, or with other names.
func (s *issuerSearch) signer(i int, byName bool) crypto.PublicKey {
	signature := &s.signatures[i]
	order := []int{i}
	for j := range s.list {
		order = append(order, j)
	}
	for _, j := range order {
		key := s.list[j].Key
		if !s.list[j].Usable || bytes.Equal(signature.issuer, s.signatures[j].subject) != byName ||
			slices.ContainsFunc(s.tried[i], func(o crypto.PublicKey) bool { return SameKey(o, key) }) {
			continue
		}
		s.tried[i] = append(s.tried[i], key)
		if signature.hash == 0 && byName && len(signature.issuer) > 0 && (j == i || IsAuthority(s.list[j].DER)) {
			return key // by an algorithm that is not checked; the name is all there is
		}
		work := signature.work(key)
		if work == 0 {
			continue
		}
		if s.work -= work; s.work < 0 {
			return nil
		}
		if signature.by(key) {
			return key
		}
	}
	return nil
}

// A certificateSignature is who signed a certificate, in so far as that can be found out (RFC 5280
// §4.1.1).
type certificateSignature struct {
	ecdsa, pss      bool
	hash            crypto.Hash // 0 if it cannot be checked
	digest          []byte
	value           []byte
	issuer, subject []byte // names, DER
}

// The object identifiers of RFC 8017 appendix C, RFC 5758 §3.2 and RFC 5754 §2, without tag and
// length.
const (
	oidPKCS1  = "\x2a\x86\x48\x86\xf7\x0d\x01\x01"
	oidECDSA  = "\x2a\x86\x48\xce\x3d\x04"
	oidSHA2   = "\x60\x86\x48\x01\x65\x03\x04\x02"
	oidRSAPSS = oidPKCS1 + "\x0a"
	oidSHA256 = oidSHA2 + "\x01"
	oidSHA384 = oidSHA2 + "\x02"
	oidSHA512 = oidSHA2 + "\x03"
)

const maxECDSA = 160 // bytes: a signature on P-521 in ASN.1 has fewer

// readCertificateSignature reads the signature of a certificate: crypto/x509 refuses some that are
// in use. SHA-1 is good enough here: a forged issuer makes a key untrusted that stands beside it,
// and nothing trusted.
func readCertificateSignature(der []byte) (s certificateSignature) {
	input := cryptobyte.String(der)
	var certificate, tbs, algorithm, oid, issuer, subject cryptobyte.String
	if !input.ReadASN1(&certificate, cryptobyteasn1.SEQUENCE) ||
		!certificate.ReadASN1Element(&tbs, cryptobyteasn1.SEQUENCE) ||
		!certificate.ReadASN1(&algorithm, cryptobyteasn1.SEQUENCE) ||
		!algorithm.ReadASN1(&oid, cryptobyteasn1.OBJECT_IDENTIFIER) ||
		!certificate.ReadASN1BitStringAsBytes(&s.value) {
		return s
	}
	fields := tbs
	if !fields.ReadASN1(&fields, cryptobyteasn1.SEQUENCE) ||
		!fields.SkipOptionalASN1(cryptobyteasn1.Tag(0).Constructed().ContextSpecific()) || // version
		!fields.SkipASN1(cryptobyteasn1.INTEGER) || // serial number
		!fields.SkipASN1(cryptobyteasn1.SEQUENCE) || // signature algorithm
		!fields.ReadASN1Element(&issuer, cryptobyteasn1.SEQUENCE) ||
		!fields.SkipASN1(cryptobyteasn1.SEQUENCE) || // validity
		!fields.ReadASN1Element(&subject, cryptobyteasn1.SEQUENCE) {
		return s
	}
	s.issuer, s.subject = issuer, subject
	switch string(oid) {
	case oidPKCS1 + "\x05":
		s.hash = crypto.SHA1
	case oidPKCS1 + "\x0b":
		s.hash = crypto.SHA256
	case oidPKCS1 + "\x0c":
		s.hash = crypto.SHA384
	case oidPKCS1 + "\x0d":
		s.hash = crypto.SHA512
	case oidRSAPSS:
		s.pss, s.hash = true, pssHash(algorithm)
	case oidECDSA + "\x01":
		s.ecdsa, s.hash = true, crypto.SHA1
	case oidECDSA + "\x03\x02":
		s.ecdsa, s.hash = true, crypto.SHA256
	case oidECDSA + "\x03\x03":
		s.ecdsa, s.hash = true, crypto.SHA384
	case oidECDSA + "\x03\x04":
		s.ecdsa, s.hash = true, crypto.SHA512
	}
	if s.hash != 0 {
		h := s.hash.New()
		h.Write(tbs)
		s.digest = h.Sum(nil)
	}
	return s
}

// pssHash is the hash in the parameters of RSASSA-PSS (RFC 8017 appendix A.2.3), 0 if it is none of
// these.
func pssHash(parameters cryptobyte.String) crypto.Hash {
	var fields, tagged, algorithm, oid cryptobyte.String
	var present bool
	if !parameters.ReadASN1(&fields, cryptobyteasn1.SEQUENCE) ||
		!fields.ReadOptionalASN1(&tagged, &present, cryptobyteasn1.Tag(0).Constructed().ContextSpecific()) {
		return 0
	}
	if !present {
		return crypto.SHA1
	}
	if !tagged.ReadASN1(&algorithm, cryptobyteasn1.SEQUENCE) ||
		!algorithm.ReadASN1(&oid, cryptobyteasn1.OBJECT_IDENTIFIER) {
		return 0
	}
	switch string(oid) {
	case oidSHA256:
		return crypto.SHA256
	case oidSHA384:
		return crypto.SHA384
	case oidSHA512:
		return crypto.SHA512
	}
	return 0
}

// work returns what it costs to check whether a usable key made the signature, in units of
// maxIssuerWork, 0 if it cannot be: the kind or the length is another.
func (s *certificateSignature) work(key crypto.PublicKey) int {
	switch key := key.(type) {
	case *rsa.PublicKey:
		if s.hash == 0 || s.ecdsa || len(s.value) != key.Size() {
			return 0
		}
		work := max(1, key.N.BitLen()/1024*key.N.BitLen()/1024/4)
		if key.E > 65537 {
			work *= 3
		}
		return work
	case *ecdsa.PublicKey:
		if s.hash == 0 || !s.ecdsa || len(s.value) > maxECDSA {
			return 0
		}
		switch key.Curve {
		case elliptic.P256():
			return 2
		case elliptic.P384():
			return 14
		}
		return 40
	}
	return 0
}

// by reports whether a key made the signature. work is not 0.
func (s *certificateSignature) by(key crypto.PublicKey) bool {
	switch key := key.(type) {
	case *rsa.PublicKey:
		if s.pss {
			return rsa.VerifyPSS(key, s.hash, s.digest, s.value, nil) == nil
		}
		return rsa.VerifyPKCS1v15(key, s.hash, s.digest, s.value) == nil
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(key, s.digest, s.value)
	}
	return false
}

package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"slices"
	"testing"
)

// TestAuthorities: a certificate is an authority if it issued another one in every group that has
// it, directly or through others.
func TestAuthorities(t *testing.T) {
	t.Parallel()
	rootKey, middleKey, leafKey, otherKey := newKey(t, elliptic.P256()), newKey(t, elliptic.P256()), newKey(t,
		elliptic.P256()), newKey(t, elliptic.P256())
	root := issue(t, "root", rootKey, nil, nil)
	middle := issue(t, "middle", middleKey, root, rootKey)
	leaf := issue(t, "leaf", leafKey, middle, middleKey)
	stranger := issue(t, "root", otherKey, nil, nil) // the root's name, another key
	list := []Candidate{{root, rootKey.Public(), true}, {middle, middleKey.Public(), true},
		{leaf, leafKey.Public(), true}, {stranger, otherKey.Public(), true}}
	unusable := slices.Clone(list)
	unusable[1].Usable = false
	for _, row := range []struct {
		name   string
		list   []Candidate
		groups [][]int
		want   []int
	}{
		{"no groups", list, nil, []int{-1, -1, -1, -1}},
		{"each alone", list, [][]int{{0}, {1}, {2}, {3}}, []int{-1, -1, -1, -1}},
		{"all together", list, [][]int{{0, 1, 2, 3}}, []int{1, 2, -1, -1}},
		{"in another order", list, [][]int{{3, 2, 1, 0}}, []int{1, 2, -1, -1}},
		{"without what is between", list, [][]int{{0, 2}}, []int{-1, -1, -1, -1}},
		{"in two groups", list, [][]int{{0, 1}, {1, 2}}, []int{1, -1, -1, -1}},
		{"one of them alone as well", list, [][]int{{0, 1, 2}, {1}}, []int{1, -1, -1, -1}},
		{"a key that is not used issued nothing", unusable, [][]int{{0, 1, 2}}, []int{1, -1, -1, -1}},
	} {
		if got := Authorities(row.list, row.groups); !slices.Equal(got, row.want) {
			t.Errorf("%s: got %v, want %v", row.name, got, row.want)
		}
	}
}

// TestAuthoritiesByOtherAlgorithms: if a signature is by an algorithm that is not checked, the name of
// the issuer decides, and only for one that says that it is an authority.
func TestAuthoritiesByOtherAlgorithms(t *testing.T) {
	t.Parallel()
	caKey, leafKey := newKey(t, elliptic.P256()), newKey(t, elliptic.P256())
	for _, isCA := range []bool{true, false} {
		template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, BasicConstraintsValid: true, IsCA: isCA}
		ca, err := x509.CreateCertificate(rand.Reader, template, template, caKey.Public(), caKey)
		if err != nil {
			t.Fatal(err)
		}
		leaf := issue(t, "leaf", leafKey, ca, caKey)
		sha256 := []byte(oidECDSA + "\x03\x02")
		if bytes.Count(leaf, sha256) != 2 {
			t.Fatal("the certificate does not name its algorithm twice")
		}
		leaf = bytes.ReplaceAll(leaf, sha256, []byte(oidECDSA+"\x03\x01")) // with SHA-224
		want := -1
		if isCA {
			want = 1
		}
		list := []Candidate{{ca, caKey.Public(), true}, {leaf, leafKey.Public(), true}}
		if got := Authorities(list, [][]int{{0, 1}}); !slices.Equal(got, []int{want, -1}) {
			t.Errorf("an authority %t: got %v, want %d", isCA, got, want)
		}
	}
	nothing := Candidate{[]byte{0x30, 0}, caKey.Public(), true}
	if got := Authorities([]Candidate{nothing, {[]byte{0x30, 0}, leafKey.Public(), true}}, [][]int{{0, 1}}); !slices.Equal(got, []int{-1, -1}) {
		t.Errorf("two without names: got %v", got)
	}
}

// TestCertificateAlgorithms: a signature of each algorithm is checked, and one that does not fit,
// or by another kind of key, is not good.
func TestCertificateAlgorithms(t *testing.T) {
	t.Parallel()
	long, p256, p384, p521 := newRSAKey(t, 2048), newKey(t, elliptic.P256()), newKey(t, elliptic.P384()), newKey(t,
		elliptic.P521())
	leafKey, others := newKey(t, elliptic.P256()), []crypto.Signer{newRSAKey(t, 2048), newRSAKey(t, 3072),
		newKey(t, elliptic.P256()), newKey(t, elliptic.P521())}
	for _, row := range []struct {
		algorithm x509.SignatureAlgorithm
		key       crypto.Signer
	}{
		{x509.SHA256WithRSA, long}, {x509.SHA384WithRSA, long}, {x509.SHA512WithRSA, long},
		{x509.SHA256WithRSAPSS, long}, {x509.SHA384WithRSAPSS, long}, {x509.SHA512WithRSAPSS, long},
		{x509.ECDSAWithSHA256, p256}, {x509.ECDSAWithSHA384, p384}, {x509.ECDSAWithSHA512, p521},
	} {
		template := &x509.Certificate{SerialNumber: big.NewInt(1), SignatureAlgorithm: row.algorithm}
		der, err := x509.CreateCertificate(rand.Reader, template, template, leafKey.Public(), row.key)
		if err != nil {
			t.Fatal(err)
		}
		s := readCertificateSignature(der)
		if s.work(row.key.Public()) == 0 || !s.by(row.key.Public()) {
			t.Errorf("%s: the signature is not good by its key", row.algorithm)
		}
		s.digest[0]++
		if s.by(row.key.Public()) {
			t.Errorf("%s: a signature of something else is good", row.algorithm)
		}
		s.digest[0]--
		for i, other := range others {
			if s.work(other.Public()) > 0 && s.by(other.Public()) {
				t.Errorf("%s: the signature is good by other key %d", row.algorithm, i)
			}
		}
		_, isRSA := row.key.(*rsa.PrivateKey)
		for key, fits := range map[crypto.Signer]bool{others[0]: isRSA, others[1]: false, others[3]: !isRSA} {
			if got := s.work(key.Public()) > 0; got != fits {
				t.Errorf("%s: a check by a key %T costs something: %t, want %t", row.algorithm, key, got, fits)
			}
		}
	}
	for name, der := range map[string][]byte{"nothing": nil, "an empty sequence": {0x30, 0},
		"another algorithm": rawDER(t, 1, []byte{0x30, 0}, []byte{0x30, 0},
			pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2}}, make([]byte, 256))} {
		if s := readCertificateSignature(der); s.hash != 0 || s.work(long.Public()) != 0 || s.work(p256.Public()) != 0 {
			t.Errorf("%s: got a signature that can be checked", name)
		}
	}
}

// TestIssuerWork: however the certificates of a list are made, a bounded number of signatures is
// checked.
func TestIssuerWork(t *testing.T) {
	t.Parallel()
	const most = 16 // certificates of a list, by the limit of those who call
	curve := newKey(t, elliptic.P521())
	forged, err := ecdsa.SignASN1(rand.Reader, curve, make([]byte, 64))
	if err != nil {
		t.Fatal(err)
	}
	oid := func(last ...int) pkix.AlgorithmIdentifier {
		return pkix.AlgorithmIdentifier{Algorithm: append(asn1.ObjectIdentifier{1, 2, 840}, last...)}
	}
	longRSA := func() crypto.PublicKey {
		n := make([]byte, MaxRSABits/8)
		rand.Read(n)
		n[0], n[len(n)-1] = n[0]|0x80, n[len(n)-1]|1
		return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: 1<<31 - 1}
	}
	for name, test := range map[string]struct {
		key       func() crypto.PublicKey
		algorithm pkix.AlgorithmIdentifier
		signature []byte
		unit      int
	}{
		"RSA with 8192 bits and a large exponent": {longRSA, oid(113549, 1, 1, 11),
			slices.Concat([]byte{0}, bytes.Repeat([]byte{1}, MaxRSABits/8-1)), 48},
		"P-521": {func() crypto.PublicKey { return newKey(t, elliptic.P521()).Public() }, oid(10045, 4, 3, 4), forged,
			40},
	} {
		var list []Candidate
		for i := range most {
			public, err := x509.MarshalPKIXPublicKey(test.key())
			if err != nil {
				t.Fatal(err)
			}
			c, problem := Parse(rawDER(t, int64(i+1), []byte{0x30, 0}, public, test.algorithm, test.signature))
			if problem != nil || c.Unusable != nil {
				t.Fatal(problem, c.Unusable)
			}
			list = append(list, Candidate{c.DER, c.Key, true})
		}
		s := newIssuerSearch(list)
		for i := range list {
			for _, byName := range []bool{true, false} {
				if s.signer(i, byName) != nil {
					t.Fatalf("%s: a forged signature is good", name)
				}
			}
		}
		checks := 0
		for _, tried := range s.tried {
			checks += len(tried)
		}
		if limit := maxIssuerWork/test.unit + most + most; checks > limit || checks < 8 {
			t.Errorf("%s: %d signatures were checked or given up, want 8 to %d", name, checks, limit)
		}
	}
}

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

// TestAuthorities: a certificate is an authority if it issued another one in every group that has it, directly or through others.
func TestAuthorities(t *testing.T) {
	t.Parallel()
	rootKey, middleKey, leafKey, otherKey := newKey(t, elliptic.P256()), newKey(t, elliptic.P256()), newKey(t, elliptic.P256()), newKey(t, elliptic.P256())
	root := issue(t, "root", rootKey, nil, nil)
	middle := issue(t, "middle", middleKey, root, rootKey)
	leaf := issue(t, "leaf", leafKey, middle, middleKey)
	stranger := issue(t, "root", otherKey, nil, nil) // the root's name, another key
	list := []Candidate{{root, rootKey.Public(), true}, {middle, middleKey.Public(), true}, {leaf, leafKey.Public(), true}, {stranger, otherKey.Public(), true}}
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

// TestIssuerWork: however the certificates of a list are made, a bounded number of signatures is checked.
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
		"RSA with 8192 bits and a large exponent": {longRSA, oid(113549, 1, 1, 11), slices.Concat([]byte{0}, bytes.Repeat([]byte{1}, MaxRSABits/8-1)), 48},
		"P-521": {func() crypto.PublicKey { return newKey(t, elliptic.P521()).Public() }, oid(10045, 4, 3, 4), forged, 40},
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

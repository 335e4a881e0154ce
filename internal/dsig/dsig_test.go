package dsig

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"math/big"
	"testing"

	"github.com/iomete/saml/internal/fault"
)

// The profile itself is held by the vectors of testdata/vectors; here is what no message can show.

func wantCode(t *testing.T, name string, err error, code string) {
	t.Helper()
	var f *fault.Fault
	if !errors.As(err, &f) || f.Code != code {
		t.Errorf("%s: got %v, want %s", name, err, code)
	}
}

func TestZeroSignedHoldsNothing(t *testing.T) {
	doc, err := Signed{}.Parse()
	wantCode(t, "the zero Signed", err, fault.Unsigned)
	if doc != nil {
		t.Error("it has a document")
	}
}

func TestKeysThatDoNotFit(t *testing.T) {
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	edwards, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaMethod := method{uri: "rsa", hash: crypto.SHA256}
	for name, keys := range map[string][]crypto.PublicKey{"none": nil, "nil": {nil}, "another kind": {edwards}, "elliptic": {curve.Public()}} {
		_, err := rsaMethod.verify(keys, []byte("x"), make([]byte, 256))
		wantCode(t, "RSA with keys: "+name, err, fault.SignatureAlgorithm)
	}
}

// TestECDSASignatureForm: r and s have the length of the curve's order each, no more and no less.
func TestECDSASignatureForm(t *testing.T) {
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		digest := sha256.Sum256([]byte("x"))
		r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		size := (curve.Params().N.BitLen() + 7) / 8
		pair := func(r, s *big.Int, size int) []byte {
			return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
		}
		good := pair(r, s, size)
		if !verifyECDSA(&key.PublicKey, digest[:], good) {
			t.Errorf("%s: a good signature is refused", curve.Params().Name)
		}
		der, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		n := curve.Params().N
		for name, bad := range map[string][]byte{
			"ASN.1": der, "nothing": nil, "longer numbers": pair(r, s, size+1), "a byte more": append(good[:len(good):len(good)], 0), "a byte less": good[:len(good)-1],
			"r is zero": pair(new(big.Int), s, size), "s is zero": pair(r, new(big.Int), size), "s is the order": pair(r, n, size),
		} {
			if verifyECDSA(&key.PublicKey, digest[:], bad) {
				t.Errorf("%s: %s is accepted", curve.Params().Name, name)
			}
		}
		_, err = method{hash: crypto.SHA256, ecdsa: true}.verify([]crypto.PublicKey{key.Public()}, []byte("x"), der)
		wantCode(t, "ASN.1", err, fault.Signature)
		if f := err.(*fault.Fault); f.Got != "ASN.1" || f.Hint == "" {
			t.Errorf("got %+v, want words about the form", f)
		}
		_, err = method{hash: crypto.SHA256, ecdsa: true}.verify([]crypto.PublicKey{key.Public()}, []byte("another"), der)
		wantCode(t, "ASN.1 over something else", err, fault.Signature)
		if f := err.(*fault.Fault); f.Got != "" {
			t.Errorf("got %+v, want nothing about the form", f)
		}
	}
}

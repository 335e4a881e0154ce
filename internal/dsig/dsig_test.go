package dsig

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"errors"
	"math/big"
	"testing"

	"github.com/iomete/saml/internal/fault"
)

// The vectors in testdata/vectors test the profile itself. These tests are for what no message
// shows.

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
	_, err = Decrypted{plaintext: []byte("<a/>")}.Signed()
	wantCode(t, "what was decrypted in nothing", err, fault.Unsigned)
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
	for name, keys := range map[string][]crypto.PublicKey{
		"none":         nil,
		"nil":          {nil},
		"another kind": {edwards},
		"elliptic":     {curve.Public()},
	} {
		_, err := rsaMethod.verify(keys, 0, []byte("x"), make([]byte, 256))
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
			"ASN.1":          der,
			"nothing":        nil,
			"longer numbers": pair(r, s, size+1),
			"a byte more":    append(good[:len(good):len(good)], 0),
			"a byte less":    good[:len(good)-1],
			"r is zero":      pair(new(big.Int), s, size),
			"s is zero":      pair(r, new(big.Int), size),
			"s is the order": pair(r, n, size),
		} {
			if verifyECDSA(&key.PublicKey, digest[:], bad) {
				t.Errorf("%s: %s is accepted", curve.Params().Name, name)
			}
		}
		_, err = method{hash: crypto.SHA256, ecdsa: true}.verify([]crypto.PublicKey{key.Public()}, 0, []byte("x"), der)
		wantCode(t, "ASN.1", err, fault.Signature)
		if f := err.(*fault.Fault); f.Got != "ASN.1" || f.Hint == "" {
			t.Errorf("got %+v, want words about the form", f)
		}
		_, err = method{hash: crypto.SHA256, ecdsa: true}.verify([]crypto.PublicKey{key.Public()}, 0,
			[]byte("another"), der)
		wantCode(t, "ASN.1 over something else", err, fault.Signature)
		if f := err.(*fault.Fault); f.Got != "" {
			t.Errorf("got %+v, want nothing about the form", f)
		}
	}
}

// TestKeyTriedFirst: whichever key is tried first, all are tried, and the index is that of the key
// that fits.
func TestKeyTriedFirst(t *testing.T) {
	const n = 4
	private := make([]*ecdsa.PrivateKey, n)
	keys := make([]crypto.PublicKey, n)
	for i := range keys {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		private[i], keys[i] = key, key.Public()
	}
	digest := sha256.Sum256([]byte("x"))
	for want := range n {
		r, s, err := ecdsa.Sign(rand.Reader, private[want], digest[:])
		if err != nil {
			t.Fatal(err)
		}
		signature := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
		for first := range n + 2 {
			got, err := method{hash: crypto.SHA256, ecdsa: true}.verify(keys, first, []byte("x"), signature)
			if err != nil || got != want {
				t.Errorf("first %d: got %d, %v, want %d", first, got, err, want)
			}
		}
	}
	twice := []crypto.PublicKey{keys[0], keys[1], keys[1], keys[0]}
	r, s, err := ecdsa.Sign(rand.Reader, private[1], digest[:])
	if err != nil {
		t.Fatal(err)
	}
	signature := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	for first, want := range []int{1, 1, 2, 1} {
		got, err := method{hash: crypto.SHA256, ecdsa: true}.verify(twice, first, []byte("x"), signature)
		if err != nil || got != want {
			t.Errorf("one key twice, first %d: got %d, %v, want %d", first, got, err, want)
		}
	}
}

// TestEveryASN1FormIsRecognized: however long the two numbers are, the administrator is told about
// the form.
func TestEveryASN1FormIsRecognized(t *testing.T) {
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		digest := sha256.Sum256([]byte("x"))
		for range 40 { // one in four or sixteen has two leading zeros and is the longest
			der, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
			if err != nil {
				t.Fatal(err)
			}
			if !isASN1([]crypto.PublicKey{key.Public()}, digest[:], der) {
				t.Fatalf("%s: a signature of %d bytes is not recognized", curve.Params().Name, len(der))
			}
		}
	}
}

// TestASN1BesideOtherKeys: keys of another type are skipped, and a signature whose algorithm is RSA
// is not tried in this form.
func TestASN1BesideOtherKeys(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte("x"))
	der, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	for form, isECDSA := range map[string]bool{"ASN.1": true, "": false} {
		keys := []crypto.PublicKey{other.Public(), key.Public()}
		_, err := method{hash: crypto.SHA256, ecdsa: isECDSA}.verify(keys, 0, []byte("x"), der)
		wantCode(t, "ASN.1 by the second key", err, fault.Signature)
		if f := err.(*fault.Fault); f.Got != form {
			t.Errorf("ECDSA %v: got %+v, want %q", isECDSA, f, form)
		}
	}
}

// TestHugeNumbersAreNotComputedWith: a signature that is longer than any of the key is not even
// read. The test bounds the memory that reading it would take.
func TestHugeNumbersAreNotComputedWith(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	number := new(big.Int).Lsh(big.NewInt(1), 1<<20)
	der, err := asn1.Marshal(struct{ R, S *big.Int }{number, number})
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte("x"))
	keys := []crypto.PublicKey{key.Public()}
	if isASN1(keys, digest[:], der) {
		t.Error("it is recognized")
	}
	if n := testing.AllocsPerRun(5, func() { isASN1(keys, digest[:], der) }); n > 0 {
		t.Errorf("got %v allocations, want none", n)
	}
	// As long as r and s of this key side by side, and ASN.1 too: it was tried as the one and is
	// not tried as the other.
	number = new(big.Int).Lsh(big.NewInt(1), 8*63-2)
	if der, err = asn1.Marshal(struct{ R, S *big.Int }{number, new(big.Int).Rsh(number, 8)}); err != nil ||
		len(der) != 2*66 {
		t.Fatalf("%d bytes, %v", len(der), err)
	}
	if n := testing.AllocsPerRun(5, func() { isASN1(keys, digest[:], der) }); n > 0 {
		t.Errorf("both forms: got %v allocations, want none", n)
	}
}

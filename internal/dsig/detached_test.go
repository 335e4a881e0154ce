package dsig

import (
	"crypto"
	"crypto/ecdsa"
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

const (
	uriRSA256   = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
	uriPSS256   = "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1"
	uriECDSA256 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
)

// TestDetached: octets are verified with each kind of key, and nothing is opened before that.
func TestDetached(t *testing.T) {
	t.Parallel()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	octets := []byte("SAMLRequest=x")
	digest := sha256.Sum256(octets)
	sign := func(key crypto.Signer, options crypto.SignerOpts) []byte {
		value, err := key.Sign(rand.Reader, digest[:], options)
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	der := sign(ecKey, crypto.SHA256)
	var number struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &number); err != nil {
		t.Fatal(err)
	}
	raw := append(number.R.FillBytes(make([]byte, 32)), number.S.FillBytes(make([]byte, 32))...)
	pss := &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: rsa.PSSSaltLengthEqualsHash}
	long := &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: 64}
	keys := []crypto.PublicKey{stranger.Public(), rsaKey.Public(), ecKey.Public()}
	for _, row := range []struct {
		name, algorithm string
		value           []byte
		key             int // -1 refuses
		code            string
	}{
		{"RSA", uriRSA256, sign(rsaKey, crypto.SHA256), 1, ""},
		{"RSA-PSS", uriPSS256, sign(rsaKey, pss), 1, ""},
		{"r and s", uriECDSA256, raw, 2, ""},
		{"ASN.1", uriECDSA256, der, 2, ""},
		{"RSA-PSS with a long salt", uriPSS256, sign(rsaKey, long), -1, fault.Signature},
		{"RSA under the name of ECDSA", uriECDSA256, sign(rsaKey, crypto.SHA256), -1, fault.Signature},
		{"ECDSA in ASN.1 under the name of RSA", uriRSA256, der, -1, fault.Signature},
		{"ASN.1 with a byte behind it", uriECDSA256, append(der[:len(der):len(der)], 0), -1, fault.Signature},
		{"r and s with a byte behind them", uriECDSA256, append(raw[:64:64], 0), -1, fault.Signature},
		{"ECDSA of a stranger", uriECDSA256, sign(must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)),
			crypto.SHA256), -1, fault.Signature},
		{"nothing", uriRSA256, nil, -1, fault.Signature},
		{"no algorithm", "", sign(rsaKey, crypto.SHA256), -1, fault.SignatureAlgorithm},
	} {
		opened := 0
		signed, err := Detached{row.algorithm, octets, row.value}.Verify(keys, Policy{}, func(got []byte) ([]byte,
			error) {
			if opened++; string(got) != string(octets) {
				t.Errorf("%s: opens %q", row.name, got)
			}
			return []byte("<x/>"), nil
		})
		var f *fault.Fault
		if errors.As(err, &f); row.key < 0 && (f == nil || f.Code != row.code || signed.canonical != nil ||
			opened != 0) {
			t.Errorf("%s: got %v, opened %d times, want %s", row.name, err, opened, row.code)
		}
		if row.key < 0 {
			continue
		}
		doc, parseErr := signed.Parse()
		if err != nil || parseErr != nil || signed.Key() != row.key || opened != 1 || doc.Root().Local() != "x" {
			t.Errorf("%s: got key %d, %v, %v, opened %d times", row.name, signed.Key(), err, parseErr, opened)
		}
	}
}

func must(key *ecdsa.PrivateKey, err error) *ecdsa.PrivateKey {
	if err != nil {
		panic(err)
	}
	return key
}

// TestDetachedContent: an error of open is returned as it is, and an empty message is none.
func TestDetachedContent(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte("x"))
	value, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	for _, row := range []struct{ opens, want error }{{broken, broken}, {nil, fault.New(fault.Unsigned,
		"nothing was signed")}} {
		signed, err := Detached{uriECDSA256, []byte("x"), value}.Verify([]crypto.PublicKey{key.Public()}, Policy{},
			func([]byte) ([]byte, error) { return nil, row.opens })
		if signed.canonical != nil || err == nil || err.Error() != row.want.Error() {
			t.Errorf("got %v, want %v", err, row.want)
		}
	}
}

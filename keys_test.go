package saml

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"
)

// testCertificate makes a self-signed certificate for key, DER.
func testCertificate(t testing.TB, key crypto.Signer, subject string, notBefore, notAfter time.Time) []byte {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: subject}, NotBefore: notBefore, NotAfter: notAfter}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// testKey is a usable trusted key that nothing was signed with.
func testKey(t testing.TB) TrustedKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	keys, err := ParseKeys(testCertificate(t, key, "test", now.Add(-time.Hour), now.AddDate(3, 0, 0)))
	if err != nil {
		t.Fatal(err)
	}
	return keys[0]
}

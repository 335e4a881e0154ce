package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// The keys of the vectors: everybody knows them, so nothing may ever trust them but tests.
const (
	idpA     = "test-idp-a" // the identity provider's key, and the one that signs unless a vector says otherwise
	idpB     = "test-idp-b" // its second key
	attacker = "test-attacker"
	weak     = "test-weak-rsa-1024"
	ec       = "test-ec-p256"
	rsa3072  = "test-rsa-3072"
	rsa4096  = "test-rsa-4096"
	p384     = "test-ec-p384"
	p521     = "test-ec-p521"
	spA      = "test-sp-a" // the service provider's, which assertions are encrypted for
	spB      = "test-sp-b" // its second key
)

// Certificates of the key idpA that are not within their dates when the vectors are read.
const (
	idpAExpired = "test-idp-a-expired"
	idpAFuture  = "test-idp-a-future"
)

type testKey struct {
	private     crypto.Signer
	certificate string // base64 of the DER, one line, as KeyInfo has it
}

// modulus is what ds:KeyValue says of an RSA key, in base64.
func (k testKey) modulus() string {
	public, ok := k.private.Public().(*rsa.PublicKey)
	if !ok {
		return ""
	}
	return base64.StdEncoding.EncodeToString(public.N.Bytes())
}

func certificateFile(name string) string { return name + ".crt.pem" }
func keyFile(name string) string         { return name + ".key.pem" }

// loadKeys reads the keys. One that is missing is made: that changes every vector it signs.
func loadKeys(dir string) (map[string]testKey, error) {
	keys := map[string]testKey{}
	for _, k := range []struct {
		name string
		make func() (crypto.Signer, error)
	}{
		{idpA, newRSA(2048)},
		{idpB, newRSA(2048)},
		{attacker, newRSA(2048)},
		{weak, newRSA(1024)},
		{ec, newEC(elliptic.P256())},
		{p384, newEC(elliptic.P384())},
		{p521, newEC(elliptic.P521())},
		{rsa3072, newRSA(3072)},
		{rsa4096, newRSA(4096)},
		{spA, newRSA(2048)},
		{spB, newRSA(2048)},
	} {
		private, err := loadOrMake(filepath.Join(dir, keyFile(k.name)), k.make)
		if err != nil {
			return nil, err
		}
		if keys[k.name], err = certified(dir, k.name, private, 2026, 2029); err != nil {
			return nil, err
		}
	}
	private := keys[idpA].private
	var err error
	if keys[idpAExpired], err = certified(dir, idpAExpired, private, 2022, 2025); err != nil {
		return nil, err
	}
	keys[idpAFuture], err = certified(dir, idpAFuture, private, 2027, 2030)
	return keys, err
}

func newRSA(bits int) func() (crypto.Signer, error) {
	return func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, bits) }
}

func newEC(curve elliptic.Curve) func() (crypto.Signer, error) {
	return func() (crypto.Signer, error) { return ecdsa.GenerateKey(curve, rand.Reader) }
}

func loadOrMake(file string, make func() (crypto.Signer, error)) (crypto.Signer, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		key, err := make()
		if err != nil {
			return nil, err
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return nil, err
		}
		return key, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o644)
	}
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("%s is not PEM", file)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return key.(crypto.Signer), nil
}

// certified reads the certificate, self-signed and valid for whole years. One that is missing is
// made.
func certified(dir, name string, private crypto.Signer, from, to int) (testKey, error) {
	file := filepath.Join(dir, certificateFile(name))
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		year := func(y int) time.Time { return time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC) }
		template := &x509.Certificate{
			SerialNumber: big.NewInt(int64(from)),
			Subject:      pkix.Name{CommonName: name + ", known to everybody"},
			NotBefore:    year(from), NotAfter: year(to),
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
		if err != nil {
			return testKey{}, err
		}
		data = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
		if err := os.WriteFile(file, data, 0o644); err != nil {
			return testKey{}, err
		}
	} else if err != nil {
		return testKey{}, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return testKey{}, fmt.Errorf("%s is not PEM", file)
	}
	return testKey{private, base64.StdEncoding.EncodeToString(block.Bytes)}, nil
}

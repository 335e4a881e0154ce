package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"testing"

	"github.com/iomete/saml/internal/testfiles"
)

// vectorArguments are those of one of the published vectors, and the file of its response.
func vectorArguments(t *testing.T, name string) (arguments []string, file string) {
	t.Helper()
	for _, v := range testfiles.Vectors(t) {
		if v.Name != name {
			continue
		}
		return []string{"verify", "-certificate", tempFile(t, "idp.pem", testfiles.Key(t, v.Header["keys"])),
			"-idp-entity-id", v.Header["idp_entity_id"],
			"-redirect-url", v.Header["redirect_url"], "-request-id", v.Header["request_id"], "-at", v.Header["at"]}, tempFile(t, "response.txt", []byte(v.Form))
	}
	t.Fatalf("there is no vector %s", name)
	return nil, ""
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func TestVerifyEncrypted(t *testing.T) {
	t.Parallel()
	arguments, file := vectorArguments(t, "encrypted-entra")
	pkcs8, other := testfiles.Key(t, "test-sp-a.key.pem"), tempFile(t, "other.pem",
		testfiles.Key(t, "test-sp-b.key.pem"))
	block, _ := pem.Decode(pkcs8)
	key, ok := privateKey(block.Bytes)
	if !ok {
		t.Fatal("the key of the vectors cannot be read")
	}
	right := tempFile(t, "right.pem", pkcs8)
	for what, keys := range map[string][]string{
		"the key": {"-key", right},
		"the key in PKCS #1": {"-key",
			tempFile(t, "pkcs1.pem", pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)))},
		"the key behind others": {"-key", other, "-key",
			tempFile(t, "both.pem", append(testfiles.Key(t, "test-sp-a.crt.pem"), pkcs8...))},
	} {
		if r := samlsp(t, append(append(arguments[:len(arguments):len(arguments)], keys...),
			file)...); r.code != exitOK {
			t.Errorf("%s: got %+v", what, r)
		}
	}
	for code, keys := range map[string][]string{"encrypted_assertion": nil, "decryption": {"-key", other}} {
		r := samlsp(t, append(append(arguments[:len(arguments):len(arguments)], keys...), file)...)
		if r.code != exitRefused {
			t.Errorf("%q: got %+v", keys, r)
		}
		hasRow(t, r.stdout, "Code", code)
	}
}

func TestKeysThatAreRefused(t *testing.T) {
	t.Parallel()
	arguments, file := vectorArguments(t, "encrypted-entra")
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	elliptic, err := x509.MarshalPKCS8PrivateKey(curve)
	if err != nil {
		t.Fatal(err)
	}
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	legacy := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY",
		Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-256-CBC,00"}, Bytes: []byte("x")})
	for what, c := range map[string]struct {
		data  []byte
		words string
	}{
		"nothing":                              {nil, "no private key"},
		"a certificate":                        {testfiles.Key(t, "test-sp-a.crt.pem"), "no private key"},
		"a key with a password":                {pemOf("ENCRYPTED PRIVATE KEY", []byte("x")), "password"},
		"a key with a password in an old form": {legacy, "password"},
		"an elliptic key":                      {pemOf("PRIVATE KEY", elliptic), "not RSA"},
		"a damaged key":                        {pemOf("PRIVATE KEY", []byte("x")), "damaged"},
		"a key that is too short to be trusted": {pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(small)),
			"2048 to 4096 bits"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			samlsp(t, append(append(arguments[:len(arguments):len(arguments)], "-key",
				tempFile(t, "key.pem", c.data)), file)...).failed(t, exitUsage, c.words)
		})
	}
	samlsp(t, append(arguments[:len(arguments):len(arguments)], "-key", "absent.pem", file)...).failed(t, exitUsage,
		"absent.pem: ", "no such file")
}

package main

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"

	"github.com/iomete/saml"
)

const codeDecryptionKey saml.Code = "decryption_key" // not a private key to decrypt with

// decryptionKeys reads the private keys of -key, in their order.
func (t *tool) decryptionKeys(files []string) ([]saml.DecryptionKey, error) {
	var keys []saml.DecryptionKey
	for _, name := range files {
		data, err := t.readFile(name, metadataLimit)
		if err != nil {
			return nil, in(name, err)
		}
		found, err := privateKeys(data)
		if err != nil {
			return nil, in(name, err)
		}
		keys = append(keys, found...)
	}
	return keys, nil
}

// privateKeys reads the RSA keys in PEM, in the forms PKCS #8 and PKCS #1. Certificates beside them
// are skipped.
func privateKeys(data []byte) ([]saml.DecryptionKey, error) {
	const unlock = "Decrypt it first: openssl pkey -in FILE -out PLAIN, and delete PLAIN afterwards."
	var keys []saml.DecryptionKey
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue
		}
		if block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
			return nil, refusal(codeDecryptionKey, "the private key is encrypted with a password", unlock)
		}
		key, ok := privateKey(block.Bytes)
		if !ok {
			return nil, refusal(codeDecryptionKey, "the private key is not RSA, or is damaged",
				"Give the key that belongs to the encryption certificate, which is RSA.")
		}
		keys = append(keys, saml.DecryptionKey{Key: key})
	}
	if len(keys) == 0 {
		return nil, refusal(codeDecryptionKey, "there is no private key",
			"Give PEM with BEGIN PRIVATE KEY or BEGIN RSA PRIVATE KEY.")
	}
	return keys, nil
}

func privateKey(der []byte) (*rsa.PrivateKey, bool) {
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, true
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, false
	}
	key, ok := parsed.(*rsa.PrivateKey)
	return key, ok
}

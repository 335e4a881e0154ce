package keys

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// A Signing is the key that signs what the console sends to an identity provider.
type Signing struct {
	Key         crypto.Signer
	Certificate []byte // DER, self-signed: identity providers compare it and ask no authority
}

// ErrSealed is the error of OpenSigning for a text that none of the keys opens.
var ErrSealed = errors.New("the signing key in the database was sealed with another key: " +
	"put the earlier key into -keys, or the file keys, behind the new one and start again; " +
	"or delete the settings of single sign-on and set them up again, which makes a new signing key")

// signingLife is how long the certificate is valid. To change it takes an administrator at the
// identity provider.
const signingLife = 10 * 365 * 24 * time.Hour

// NewSigning makes a key of RSA, the kind that all identity providers know. name stands in the
// certificate. now is the time from which on it is valid.
func NewSigning(name string, now time.Time) (*Signing, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-time.Hour), // of an identity provider whose clock is behind
		NotAfter:     now.Add(signingLife),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return &Signing{key, certificate}, nil
}

// A savedSigning is what Seal seals.
type savedSigning struct {
	Key         []byte // PKCS #8
	Certificate []byte
}

// Seal encrypts the signing key with the first of keys, for the database: who reads only that
// cannot sign. The result is base64.
func (s *Signing) Seal(keys [][]byte) (string, error) {
	key, err := x509.MarshalPKCS8PrivateKey(s.Key)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(savedSigning{key, s.Certificate})
	if err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(sealing(keys[0]).Seal(nil, nil, text, nil)), nil
}

// OpenSigning opens the result of Seal. first reports whether the first of keys has sealed it: if
// not, seal it again before the other key is taken away. It fails with ErrSealed if none of them
// has.
func OpenSigning(keys [][]byte, sealed string) (s *Signing, first bool, err error) {
	data, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil {
		return nil, false, ErrSealed
	}
	for i, key := range keys {
		if text, err := sealing(key).Open(nil, nil, data, nil); err == nil {
			s, err := readSigning(text)
			return s, i == 0, err
		}
	}
	return nil, false, ErrSealed
}

func readSigning(text []byte) (*Signing, error) {
	var saved savedSigning
	if err := json.Unmarshal(text, &saved); err != nil {
		return nil, fmt.Errorf("the signing key in the database cannot be read: %w", err)
	}
	key, err := x509.ParsePKCS8PrivateKey(saved.Key)
	if err != nil {
		return nil, fmt.Errorf("the signing key in the database cannot be read: %w", err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("the signing key in the database is a %T, which cannot sign", key)
	}
	return &Signing{signer, saved.Certificate}, nil
}

// sealing is AES-256-GCM with random nonces and a key that nothing else uses. The errors are those
// of lengths that cannot occur.
func sealing(key []byte) cipher.AEAD {
	own, err := hkdf.Key(sha256.New, key, nil, "dataplane console signing key", 32)
	if err != nil {
		panic(err)
	}
	block, err := aes.NewCipher(own)
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return aead
}

package samltest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"time"
)

// signingKey is a key and the certificate that publishes it.
type signingKey struct {
	signer      crypto.Signer
	certificate []byte // DER
}

// AddKey publishes one more key and returns the index of its certificate in Certificates. The key
// does not sign before Activate. A nil key stands for a fresh RSA-2048 key. It fails if the key is
// neither RSA nor ECDSA on P-256, P-384 or P-521.
//
// AddKey, Activate and RemoveKey are the three steps of a certificate rollover in Entra's portal.
func (p *IdentityProvider) AddKey(key crypto.Signer) (index int, err error) {
	if key == nil {
		if key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			return 0, err
		}
	}
	if _, err = defaultAlgorithm(key.Public()); err != nil {
		return 0, err
	}
	certificate, err := selfSign(key, p.now())
	if err != nil {
		return 0, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = append(p.keys, signingKey{key, certificate})
	return len(p.keys) - 1, nil
}

// Activate makes the key at index sign from now on. The key moves to index 0, and the other keys
// stay published after it. It fails if there is no such key.
func (p *IdentityProvider) Activate(index int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if index < 0 || index >= len(p.keys) {
		return fmt.Errorf("samltest: there is no key with index %d, want 0 to %d", index, len(p.keys)-1)
	}
	active := p.keys[index]
	p.keys = slices.Insert(slices.Delete(slices.Clone(p.keys), index, index+1), 0, active)
	return nil
}

// RemoveKey stops publishing the key at index. It fails if there is no such key, or if the key is
// the active one: activate another one first.
func (p *IdentityProvider) RemoveKey(index int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if index < 1 || index >= len(p.keys) {
		return fmt.Errorf("samltest: there is no inactive key with index %d among %d keys: "+
			"to remove the active key, which has index 0, activate another one first", index, len(p.keys))
	}
	p.keys = slices.Delete(slices.Clone(p.keys), index, index+1)
	return nil
}

// snapshotKeys returns the current keys. Later changes replace the slice or append to it, so they
// do not change the result.
func (p *IdentityProvider) snapshotKeys() []signingKey {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.keys
}

// key returns the key at index.
func (p *IdentityProvider) key(index int) (signingKey, error) {
	keys := p.snapshotKeys()
	if index < 0 || index >= len(keys) {
		return signingKey{}, fmt.Errorf("samltest: there is no key with index %d, want 0 to %d", index, len(keys)-1)
	}
	return keys[index], nil
}

// selfSign returns a certificate like that of Entra's portal for a new application: self-signed,
// valid for three years, without extensions. It is valid from one day before now, so a service
// provider whose clock is behind accepts it.
func selfSign(key crypto.Signer, now time.Time) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	notBefore := now.Add(-24 * time.Hour).UTC().Truncate(time.Second)
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "Microsoft Azure Federated SSO Certificate"},
		NotBefore:    notBefore,
		NotAfter:     notBefore.AddDate(3, 0, 0),
	}
	return x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
}

// defaultAlgorithm returns the algorithm of a key for an Answer without Algorithm.
func defaultAlgorithm(key crypto.PublicKey) (Algorithm, error) {
	switch key := key.(type) {
	case *rsa.PublicKey:
		return RSASHA256, nil
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256():
			return ECDSASHA256, nil
		case elliptic.P384():
			return ECDSASHA384, nil
		case elliptic.P521():
			return ECDSASHA512, nil
		}
	}
	return "", fmt.Errorf("samltest: the key is a %T, want RSA, or ECDSA on P-256, P-384 or P-521", key)
}

// rawECDSA returns signatures in the format of XML Signature (1.1, section 6.4.3): r and s side by
// side, each as long as the order of the curve. crypto.Signer returns ASN.1 instead.
type rawECDSA struct{ crypto.Signer }

func (k rawECDSA) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	encoded, err := k.Signer.Sign(random, digest, opts)
	if err != nil {
		return nil, err
	}
	var signature struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(encoded, &signature); err != nil {
		return nil, err
	}
	size := (k.Public().(*ecdsa.PublicKey).Curve.Params().N.BitLen() + 7) / 8
	raw := make([]byte, 2*size)
	signature.R.FillBytes(raw[:size])
	signature.S.FillBytes(raw[size:])
	return raw, nil
}

// asn1ECDSA returns a signature in ASN.1, as package ecdsa verifies it, whether it is in that form already
// or has r and s side by side.
func asn1ECDSA(public *ecdsa.PublicKey, signature []byte) ([]byte, error) {
	size := (public.Curve.Params().N.BitLen() + 7) / 8
	if len(signature) == 2*size {
		return asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(signature[:size]),
			new(big.Int).SetBytes(signature[size:])})
	}
	if len(signature) == 0 || signature[0] != 0x30 { // the tag of a SEQUENCE
		return nil, errors.New("samltest: an ECDSA signature is neither r and s nor ASN.1")
	}
	return signature, nil
}

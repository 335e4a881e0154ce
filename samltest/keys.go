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

// AddKey publishes one more key, which does not sign until Activate; nil stands for a fresh RSA-2048 key. It gives the index of its
// certificate in Certificates. AddKey, Activate and RemoveKey are the three steps of a certificate roll-over in Entra's portal.
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

// Activate makes the key at index sign from now on. It moves to index 0; the others stay published behind it.
func (p *IdentityProvider) Activate(index int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if index < 0 || index >= len(p.keys) {
		return fmt.Errorf("samltest: no key %d among %d", index, len(p.keys))
	}
	active := p.keys[index]
	p.keys = slices.Insert(slices.Delete(slices.Clone(p.keys), index, index+1), 0, active)
	return nil
}

// RemoveKey withdraws the key at index. The active key stays: activate another one before.
func (p *IdentityProvider) RemoveKey(index int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if index < 1 || index >= len(p.keys) {
		return fmt.Errorf("samltest: no inactive key %d among %d", index, len(p.keys))
	}
	p.keys = slices.Delete(slices.Clone(p.keys), index, index+1)
	return nil
}

// snapshotKeys gives the keys of this moment. Changes replace the slice or append to it, so what was given stays as it is.
func (p *IdentityProvider) snapshotKeys() []signingKey {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.keys
}

// key gives the key at index.
func (p *IdentityProvider) key(index int) (signingKey, error) {
	keys := p.snapshotKeys()
	if index < 0 || index >= len(keys) {
		return signingKey{}, fmt.Errorf("samltest: no key %d among %d", index, len(keys))
	}
	return keys[index], nil
}

// selfSign makes a certificate as Entra's portal does for a new application: self-signed, three years, no extension. It begins a day
// before now, so that it is valid for a service provider whose clock is late.
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

// defaultAlgorithm gives the algorithm that a key signs with when nothing else is asked for.
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
	return "", fmt.Errorf("samltest: a %T cannot sign here: RSA, or ECDSA on P-256, P-384 or P-521", key)
}

// rawECDSA signs as XML Signature wants it (XML Signature 1.1, section 6.4.3): r and s side by side, each as long as the curve's
// order, where crypto.Signer gives ASN.1.
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

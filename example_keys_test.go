package saml_test

import (
	"context"
	"crypto"
	"fmt"
	"io"

	"github.com/iomete/saml"
)

// kmsClient stands for the client of a key management service.
type kmsClient interface {
	Sign(ctx context.Context, keyID string, digest []byte, hash crypto.Hash) ([]byte, error)
}

// kmsKey is a signing key in a key management service.
type kmsKey struct {
	client kmsClient
	id     string
	public crypto.PublicKey // as the service gave it when this process started
}

func (k *kmsKey) Public() crypto.PublicKey { return k.public }

// SignContext is what the library calls: ctx ends with the request, and after Config.KeyTimeout.
func (k *kmsKey) SignContext(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	signature, err := k.client.Sign(ctx, k.id, digest, opts.HashFunc())
	if err != nil {
		return nil, fmt.Errorf("signing with the key %s: %w", k.id, err)
	}
	return signature, nil
}

// Sign makes it a crypto.Signer, for others.
func (k *kmsKey) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return k.SignContext(context.Background(), digest, opts)
}

// A signing key in a key management service gets the context of each request.
func ExampleContextSigner() {
	var client kmsClient
	var public crypto.PublicKey
	var certificate []byte // DER, of public
	var key saml.ContextSigner = &kmsKey{client, "alias/saml-signing", public}
	config := saml.Config{
		BaseURL:            "https://console.example.com",
		SigningKey:         key,
		SigningCertificate: certificate,
	}
	_ = config
}

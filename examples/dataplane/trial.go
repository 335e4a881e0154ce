package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"

	"github.com/iomete/saml/examples/dataplane/internal/keys"
	"github.com/iomete/saml/samltest"
)

// startIdentityProvider starts the built-in identity provider, nil where it is switched off. On localhost it is another site than the
// console on 127.0.0.1, as a real one is.
func (s *server) startIdentityProvider() (*samltest.IdentityProvider, error) {
	if s.options.idpAddr == "" {
		return nil, nil
	}
	listener, err := s.listen(s.options.idpAddr, "-idp-addr")
	if err != nil {
		return nil, err
	}
	host, _, _ := net.SplitHostPort(s.options.idpAddr) // checked with the options
	directory, err := s.directory()
	if err != nil {
		return nil, err
	}
	directory.BaseURL = fmt.Sprintf("http://%s:%d", host, listener.Addr().(*net.TCPAddr).Port)
	idp, err := samltest.New(directory)
	if err != nil {
		return nil, err
	}
	s.serveOn(listener, idp)
	return idp, nil
}

// A savedDirectory is what makes the built-in identity provider the same after a restart.
type savedDirectory struct {
	TenantID string
	Key      []byte // PKCS #8
}

// directory reads tenant and key of the built-in identity provider, or makes them at the first start.
func (s *server) directory() (samltest.Options, error) {
	name := filepath.Join(s.options.data, "identity-provider.json")
	text, err := keys.Private(name, newDirectory)
	if err != nil {
		return samltest.Options{}, err
	}
	var saved savedDirectory
	if err := json.Unmarshal(text, &saved); err != nil {
		return samltest.Options{}, fmt.Errorf("%s: %w", name, err)
	}
	key, err := x509.ParsePKCS8PrivateKey(saved.Key)
	if err != nil {
		return samltest.Options{}, fmt.Errorf("%s: %w", name, err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return samltest.Options{}, fmt.Errorf("%s: the key cannot sign", name)
	}
	return samltest.Options{TenantID: saved.TenantID, Keys: []crypto.Signer{signer}}, nil
}

// newDirectory makes what a savedDirectory keeps, as JSON.
func newDirectory() ([]byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	idp, err := samltest.New(samltest.Options{Keys: []crypto.Signer{key}}) // for its random tenant ID
	if err != nil {
		return nil, err
	}
	return json.Marshal(savedDirectory{TenantID: idp.TenantID(), Key: der})
}

// remember registers the console at the built-in identity provider where it has been set up before: that one forgets its applications when
// it ends.
func (s *server) remember(ctx context.Context, idp *samltest.IdentityProvider) error {
	if idp == nil {
		return nil
	}
	state, err := s.db.State(ctx)
	if err != nil || state.Saved == nil || state.Saved.EntityID != idp.EntityID() {
		return err
	}
	return idp.RegisterRedirectURL(s.console.RedirectURL())
}

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

// startIdentityProvider starts the built-in identity provider. It returns nil if that is switched
// off. The provider is on localhost, because for a browser localhost is another site than
// 127.0.0.1, where the console is. A real provider is another site too.
func (s *server) startIdentityProvider() (*samltest.IdentityProvider, error) {
	if s.options.idpAddr == "" {
		return nil, nil
	}
	listener, err := s.listen(s.options.idpAddr, "-idp-addr")
	if err != nil {
		return nil, err
	}
	host, _, _ := net.SplitHostPort(s.options.idpAddr) // options.check has checked it
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

// A savedDirectory holds what must stay the same when the built-in identity provider starts again.
type savedDirectory struct {
	TenantID string
	Key      []byte // PKCS #8
}

// directory returns tenant and key of the built-in identity provider. The first start makes them.
func (s *server) directory() (samltest.Options, error) {
	name := filepath.Join(s.options.data, "identity-provider.json")
	text, err := keys.Private(name, newDirectory)
	if err != nil {
		return samltest.Options{}, err
	}
	var saved savedDirectory
	if err := json.Unmarshal(text, &saved); err != nil {
		return samltest.Options{}, fmt.Errorf("%s is damaged, delete it to make a new one: %w", name, err)
	}
	key, err := x509.ParsePKCS8PrivateKey(saved.Key)
	if err != nil {
		return samltest.Options{}, fmt.Errorf("%s is damaged, delete it to make a new one: %w", name, err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return samltest.Options{}, fmt.Errorf("%s has a key that cannot sign, delete it to make a new one", name)
	}
	return samltest.Options{TenantID: saved.TenantID, Keys: []crypto.Signer{signer}}, nil
}

// newDirectory returns a new savedDirectory as JSON.
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

// remember registers the console again at the built-in identity provider if its settings were saved
// before. That provider keeps its applications only in memory.
func (s *server) remember(ctx context.Context, idp *samltest.IdentityProvider) error {
	if idp == nil {
		return nil
	}
	state, err := s.db.State(ctx)
	if err != nil || state.Saved == nil || state.Saved.EntityID != idp.EntityID() {
		return err
	}
	redirectURL := s.console.RedirectURL()
	app := samltest.Application{Identifier: redirectURL, ReplyURLs: []string{redirectURL}, SignOnURL: redirectURL}
	if state.Saved.Logout {
		app.LogoutURL = s.console.LogoutURL()
	}
	idp.Register(app)
	return nil
}

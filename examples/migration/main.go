// Command migration runs the same service before and after its migration from the middleware samlsp
// of github.com/crewjam/saml to this library, at one address and with one identity provider:
//
//	go run ./examples/migration
//
// Open the service, press Enter, and go on: it is now the migrated one. Each Enter switches.
package main

import (
	"bufio"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/examples/migration/after"
	"github.com/iomete/saml/examples/migration/before"
	"github.com/iomete/saml/samltest"
)

func main() { log.Fatal(run(os.Stdin, os.Stdout)) }

// run serves until stdin ends, and switches at each line.
func run(stdin io.Reader, stdout io.Writer) error {
	provider, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		return err
	}
	// The same site as the provider: over http, browsers do not bring the cookie of samlsp from another.
	service, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		return err
	}
	idp, err := samltest.New(samltest.Options{BaseURL: address(provider)})
	if err != nil {
		return err
	}
	idp.SignInAs(samltest.DefaultUsers()[0]) // otherwise it asks at each sign-in; a real one remembers
	h, err := newHouse(address(service), idp)
	if err != nil {
		return err
	}
	go newServer(idp).Serve(provider)
	go newServer(h).Serve(service)
	fmt.Fprintf(stdout, "Service:            %s/ (samlsp; Enter switches)\n", h.root)
	fmt.Fprintf(stdout, "Identity provider:  %s (not for production: it asks for no password)\n", idp.HomeURL())
	for lines := bufio.NewScanner(stdin); lines.Scan(); {
		fmt.Fprintf(stdout, "Now after the migration: %t\n", h.migrate(!h.migrated.Load()))
	}
	return nil
}

func address(l net.Listener) string {
	return fmt.Sprintf("http://localhost:%d", l.Addr().(*net.TCPAddr).Port)
}

// A house has the service before and after, at one address and with one registration.
type house struct {
	root          string
	before, after http.Handler
	migrated      atomic.Bool
}

// newHouse registers the service at idp as it was before the migration. The assertions are encrypted
// for its key.
func newHouse(root string, idp *samltest.IdentityProvider) (*house, error) {
	pair, err := newKeyPair()
	if err != nil {
		return nil, err
	}
	idp.Register(samltest.Application{
		Identifier:            root + "/saml/metadata",
		ReplyURLs:             []string{root + "/saml/acs"},
		EncryptionCertificate: pair.Certificate[0],
	})
	metadata, err := idp.Metadata()
	if err != nil {
		return nil, err
	}
	h := &house{root: root}
	if h.before, err = before.New(root, metadata, pair); err != nil {
		return nil, err
	}
	h.after, err = after.New(root, metadata, pair, [][]byte{saml.NewStateKey()})
	return h, err
}

// migrate switches to the service after the migration, or back.
func (h *house) migrate(on bool) bool {
	h.migrated.Store(on)
	return on
}

func (h *house) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.migrated.Load() {
		h.after.ServeHTTP(w, r)
		return
	}
	h.before.ServeHTTP(w, r)
}

// newKeyPair returns an RSA key and a certificate of its own.
func newKeyPair() (tls.Certificate, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "service"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
}

func newServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
}

//go:build idp

package idp

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/session"
)

// A service is one application that uses the library as README.md shows: Handler at the Redirect
// URL, package session around its pages.
type service struct {
	sp         *saml.ServiceProvider
	registered *saml.ServiceProvider // the one whose metadata the product has; most often sp
	server     *httptest.Server
	options    *saml.LoginOptions                    // of the sign-ins that "/login" begins
	trusted    atomic.Pointer[saml.IdentityProvider] // nil until trust was called

	clock atomic.Int64 // how far ours is ahead, a time.Duration
	// theirs changes the metadata that trust reads. nil: no change.
	theirs func(document []byte) []byte

	mu    sync.Mutex
	login *saml.Login
	err   *saml.Error
}

func newService(t *testing.T, r row) *service {
	t.Helper()
	options := r.options
	options.POST = r.way == post
	s := &service{options: &options, theirs: r.theirs}
	s.clock.Store(int64(r.clock))
	mux := http.NewServeMux()
	s.server = httptest.NewServer(mux) // on 127.0.0.1
	t.Cleanup(s.server.Close)
	quiet := slog.New(slog.DiscardHandler)
	c := saml.Config{BaseURL: s.server.URL, IdentityProvider: saml.IdentityProviderFunc(s.snapshot),
		StateKeys: [][]byte{saml.NewStateKey()},
		Now:       s.now, Observe: s.observe, Logger: quiet}
	build := func(changes ...func(*saml.Config)) *saml.ServiceProvider {
		c := c
		for _, change := range changes {
			if change != nil {
				change(&c)
			}
		}
		sp, err := saml.New(c)
		if err != nil {
			t.Fatalf("%s: %v", r.name, err)
		}
		return sp
	}
	s.sp = build(r.config)
	s.registered = s.sp
	if r.registered != nil {
		s.registered = build(r.config, r.registered)
	}
	sessions, err := session.New(session.Config{Keys: c.StateKeys, Records: &session.MemoryRecords{}, InsecureAllowHTTP: true,
		Now: s.now, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	handler, err := saml.NewHandler(saml.HandlerConfig{Provider: s.sp, Sessions: sessions, EndSession: sessions.End,
		EndSessions: sessions.EndSessions, LogoutSOAP: saml.SOAPOptions{AllowPrivate: true}})
	if err != nil {
		t.Fatal(err)
	}
	mux.Handle(s.sp.RedirectPath(), handler)
	if path := s.sp.LogoutPath(); path != "" {
		if path != s.sp.RedirectPath() {
			mux.Handle(path, handler)
		}
		mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
			handler.StartLogout(w, r, goodbyePage)
		})
		mux.HandleFunc(goodbyePage, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, goodbyeText) })
	}
	mux.HandleFunc("/login", func(w http.ResponseWriter, req *http.Request) {
		handler.StartLogin(w, req, s.sp, *s.options)
	})
	mux.Handle("/{$}", handler.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "signed in: %s", session.FromContext(r.Context()).Identity.Email)
	})))
	return s
}

// The page after a logout that began at the service.
const goodbyePage, goodbyeText = "/goodbye", "goodbye from the service"

func (s *service) url(path string) string { return s.server.URL + path }

// owns reports whether a page is one of the service.
func (s *service) owns(p page) bool { return strings.HasPrefix(p.url.String(), s.server.URL+"/") }

func (s *service) now() time.Time { return time.Now().Add(time.Duration(s.clock.Load())) }

func (s *service) observe(_ context.Context, e saml.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch e.Kind {
	case saml.LoginSucceeded:
		s.login = e.Login
	case saml.LoginRefused:
		s.err = e.Err
	}
}

// heard returns the last sign-in and the last refusal since forget was called.
func (s *service) heard() (*saml.Login, *saml.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.login, s.err
}

func (s *service) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.login, s.err = nil, nil
}

func (s *service) snapshot(context.Context) (*saml.IdentityProvider, error) {
	if p := s.trusted.Load(); p != nil {
		return p, nil
	}
	return nil, saml.ErrNotConfigured
}

// trust does what an administrator of the service does: it fetches the metadata at an address and
// trusts the identity provider in it.
func (s *service) trust(t *testing.T, address string) *saml.IdentityProvider {
	t.Helper()
	document, err := saml.FetchMetadata(t.Context(), address, saml.FetchOptions{})
	if err != nil {
		t.Fatalf("%s: %v", address, err)
	}
	if s.theirs != nil {
		document = s.theirs(document)
	}
	p, err := saml.ParseMetadata(document)
	if err != nil {
		t.Fatalf("%s: %v\n%s", address, err, document)
	}
	s.trusted.Store(p)
	if err := s.sp.Health(t.Context()); err != nil {
		t.Fatalf("%s: %v\n%s", address, err, document)
	}
	return p
}

// A keyPair is an RSA key and its certificate.
type keyPair struct {
	key         *rsa.PrivateKey
	certificate []byte // DER
}

func newKeyPair(name string) keyPair {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		log.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1,
			0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		log.Fatal(err)
	}
	return keyPair{key, der}
}

// write puts the pair into two files, PEM: the key as PKCS #8.
func (k keyPair) write(t *testing.T, keyFile, certificateFile string) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(k.key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{keyFile: {Type: "PRIVATE KEY", Bytes: der},
		certificateFile: {Type: "CERTIFICATE", Bytes: k.certificate}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// Keys that all rows of a run share: ours to sign and to decrypt, the product's to sign before and
// after it was changed.
var (
	signingPair    = sync.OnceValue(func() keyPair { return newKeyPair("service, signing") })
	decryptionPair = sync.OnceValue(func() keyPair { return newKeyPair("service, decryption") })
	productPair    = sync.OnceValue(func() keyPair { return newKeyPair("identity provider") })
	nextPair       = sync.OnceValue(func() keyPair { return newKeyPair("identity provider, next") })
)

// Settings of the Config that several rows have.

func signs(c *saml.Config) {
	c.SigningKey, c.SigningCertificate = signingPair().key, signingPair().certificate
}

func decrypts(c *saml.Config) {
	c.DecryptionKeys = []saml.DecryptionKey{{Key: decryptionPair().key, Certificate: decryptionPair().certificate}}
}

func anyNameID(c *saml.Config) { c.NameID = saml.AllowAnyNameID }

func allowsSHA1(c *saml.Config) { c.InsecureAllowSHA1 = true }

func restarts(c *saml.Config) { c.Unsolicited = saml.RestartUnsolicited }

func takesUnsolicited(c *saml.Config) { c.Unsolicited = saml.AllowUnsolicited }

// both makes one change of several.
func both(changes ...func(*saml.Config)) func(*saml.Config) {
	return func(c *saml.Config) {
		for _, change := range changes {
			change(c)
		}
	}
}

package saml_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// A demanding identity provider takes only requests that a key of our metadata signed, as it last read
// it, and encrypts for the first certificate there (WantAuthnRequestsSigned, SAML Metadata 2.0
// §2.4.3).
type demanding struct {
	*samltest.IdentityProvider
	signing    []*x509.Certificate
	encryption [][]byte
}

// read reads our metadata.
func (p *demanding) read(t *testing.T, sp *saml.ServiceProvider) {
	t.Helper()
	document, err := sp.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	_, role := readMetadata(t, document)
	p.signing, p.encryption = nil, nil
	for _, k := range role.KeyDescriptors {
		der, err := base64.StdEncoding.DecodeString(k.KeyInfo.X509Data.X509Certificates[0].Data)
		if err != nil {
			t.Fatal(err)
		}
		if k.Use == "encryption" {
			p.encryption = append(p.encryption, der)
			continue
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		p.signing = append(p.signing, c)
	}
}

// verify returns an error if no certificate of our metadata made the signature of a request.
func (p *demanding) verify(r *saml.AuthnRequest) error {
	if r.Form != nil {
		return p.verifyForm(r.Form)
	}
	_, query, _ := strings.Cut(r.URL, "?")
	signed, signature, _ := strings.Cut(query, "&Signature=")
	signature, _, _ = strings.Cut(signature, "&")
	signature = strings.NewReplacer("%2B", "+", "%2F", "/", "%3D", "=").Replace(signature)
	value, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(signed))
	for _, c := range p.signing {
		if rsa.VerifyPKCS1v15(c.PublicKey.(*rsa.PublicKey), crypto.SHA256, sum[:], value) == nil {
			return nil
		}
	}
	return errors.New("no certificate of the metadata verifies the query")
}

func (p *demanding) verifyForm(f *saml.RequestForm) error {
	document, err := base64.StdEncoding.DecodeString(f.SAMLRequest)
	if err != nil {
		return err
	}
	tree := etree.NewDocument()
	if err := tree.ReadFromBytes(document); err != nil {
		return err
	}
	_, err = dsig.NewDefaultValidationContext(&dsig.MemoryX509CertificateStore{Roots: p.signing}).Validate(tree.Root())
	return err
}

// ownRoll is a service that changes its keys for two identity providers, of which the second reads our
// metadata later.
type ownRoll struct {
	t         *testing.T
	providers [2]*demanding
	services  [2]*saml.ServiceProvider
	stateKey  []byte
	stores    [2]saml.Store

	mu     sync.Mutex
	logins int
	failed []error
}

// ownPair is a key of ours, with its certificate.
type ownPair struct {
	key crypto.Signer
	der []byte
}

// newOwnPair returns a key that is elsewhere, and takes a context.
func newOwnPair(t *testing.T) ownPair {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	remote := contextKey{remoteKey{key, nil}, func(ctx context.Context) error { return ctx.Err() }}
	return ownPair{remote, certificateFor(t, key)}
}

func (p ownPair) decryption() saml.DecryptionKey {
	return saml.DecryptionKey{Key: p.key.(crypto.Decrypter), Certificate: p.der}
}

// configure makes the services anew, as a deployment does. Logins that have begun go on.
func (r *ownRoll) configure(signing ownPair, further [][]byte, decryption ...saml.DecryptionKey) {
	r.t.Helper()
	for i, idp := range r.providers {
		r.services[i] = newProvider(r.t, idp.IdentityProvider, func(c *saml.Config) {
			c.StateKeys, c.Store = [][]byte{r.stateKey}, r.stores[i]
			c.SigningKey, c.SigningCertificate, c.FurtherSigningCertificates = signing.key, signing.der, further
			c.DecryptionKeys = decryption
		})
	}
}

// A pendingRoll is a login that has begun.
type pendingRoll struct {
	request *saml.AuthnRequest
	at      int // index of the identity provider
}

const ownRollLogins = 4 // of each binding, at each identity provider, in each step

// begin begins logins by both bindings at both identity providers.
func (r *ownRoll) begin() (list []pendingRoll) {
	r.t.Helper()
	for i, sp := range r.services {
		for n := range 2 * ownRollLogins {
			request, err := sp.StartLogin(r.t.Context(), saml.LoginOptions{POST: n%2 == 0})
			if err != nil {
				r.t.Fatal(err)
			}
			list = append(list, pendingRoll{request, i})
		}
	}
	return list
}

// finish has the logins answered and finished, all at once.
func (r *ownRoll) finish(list []pendingRoll) {
	var all sync.WaitGroup
	for _, p := range list {
		all.Go(func() {
			err := r.signIn(p)
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.logins++; err != nil {
				err = fmt.Errorf("at identity provider %d, by POST %t: %w", p.at, p.request.Form != nil, err)
				r.failed = append(r.failed, err)
			}
		})
	}
	all.Wait()
}

func (r *ownRoll) signIn(p pendingRoll) error {
	idp := r.providers[p.at]
	if err := idp.verify(p.request); err != nil {
		return err
	}
	form, err := idp.Respond(samltest.Answer{RequestID: p.request.ID, Recipient: redirectURL,
		Encrypt: &samltest.Encryption{Certificates: idp.encryption[:1]}})
	if err != nil {
		return err
	}
	_, err = r.services[p.at].FinishLogin(r.t.Context(), saml.FormResponse{SAMLResponse: form, State: p.request.State})
	return err
}

// step makes a change while logins are under way: some have begun before it, some begin after it.
func (r *ownRoll) step(what string, change func()) {
	r.t.Helper()
	before := len(r.failed)
	list := r.begin()
	change()
	r.finish(append(list, r.begin()...))
	if failed := r.failed[before:]; len(failed) > 0 {
		r.t.Errorf("%s: %d logins failed, the first one: %v", what, len(failed), failed[0])
	}
}

// refused returns how many of one round of logins fail, without a word.
func (r *ownRoll) refused() int {
	r.t.Helper()
	before := len(r.failed)
	r.finish(r.begin())
	failed := len(r.failed) - before
	r.failed = slices.Clone(r.failed[:before])
	return failed
}

// TestOwnKeysRollOver: the steps of docs/keys.md, for the signing key and the decryption key, at two
// identity providers that verify our requests, by redirect and by POST, and encrypt. No login fails.
// Without waiting for the slower one its logins fail, and afterwards the former keys are worth nothing.
func TestOwnKeysRollOver(t *testing.T) {
	t.Parallel()
	r := &ownRoll{t: t, stateKey: saml.NewStateKey(), stores: [2]saml.Store{saml.NewMemoryStore(), saml.NewMemoryStore()}}
	for i := range r.providers {
		r.providers[i] = &demanding{IdentityProvider: samltest.MustNew(t, samltest.Options{})}
	}
	read := func(i int) func() { return func() { r.providers[i].read(t, r.services[i]) } }
	sign, nextSign, open, nextOpen := newOwnPair(t), newOwnPair(t), newOwnPair(t), newOwnPair(t)
	r.configure(sign, nil, open.decryption())
	read(0)()
	read(1)()
	r.step("before", func() {})
	r.step("the next keys are announced", func() {
		r.configure(sign, [][]byte{nextSign.der}, nextOpen.decryption(), open.decryption())
	})
	r.step("the first identity provider reads the metadata", read(0))

	r.configure(nextSign, [][]byte{sign.der}, nextOpen.decryption())
	if got := r.refused(); got != 2*ownRollLogins {
		t.Errorf("before the second one has read the metadata: %d logins fail, want its %d", got, 2*ownRollLogins)
	}
	r.configure(sign, [][]byte{nextSign.der}, nextOpen.decryption(), open.decryption())

	r.step("the second one reads it", read(1))
	r.step("the next keys are used", func() {
		r.configure(nextSign, [][]byte{sign.der}, nextOpen.decryption(), open.decryption())
	})
	r.step("the former keys are dropped", func() { r.configure(nextSign, nil, nextOpen.decryption()) })
	r.step("both read the metadata again", func() { read(0)(); read(1)() })
	if t.Logf("%d logins", r.logins); len(r.failed) > 0 {
		t.Errorf("%d failed", len(r.failed))
	}

	r.configure(sign, nil, nextOpen.decryption())
	if got := r.refused(); got != 4*ownRollLogins {
		t.Errorf("%d logins with the former signing key fail, want all", got)
	}
	r.configure(nextSign, nil, open.decryption())
	if got := r.refused(); got != 4*ownRollLogins {
		t.Errorf("%d logins with the former decryption key fail, want all", got)
	}
}

// TestExpiringOwnKeys: what signs is in the list although its successor is announced, until that signs;
// a certificate that signs nothing is not. A decryption key with a successor is not in it.
func TestExpiringOwnKeys(t *testing.T) {
	key, _ := signingKey(t)
	soon, later := certificateUntil(t, key, 30*24*time.Hour), certificateUntil(t, key, 300*24*time.Hour)
	decryption := func(list ...[]byte) (keys []saml.DecryptionKey) {
		for _, der := range list {
			keys = append(keys, saml.DecryptionKey{Key: key.(crypto.Decrypter), Certificate: der})
		}
		return keys
	}
	for name, row := range map[string]struct {
		change func(*saml.Config)
		want   int
	}{
		"none":              {func(*saml.Config) {}, 0},
		"it signs and ends": {func(c *saml.Config) { c.SigningKey, c.SigningCertificate = key, soon }, 1},
		"the next one is announced": {func(c *saml.Config) {
			c.SigningKey, c.SigningCertificate, c.FurtherSigningCertificates = key, soon, [][]byte{later}
		}, 1},
		"the next one signs": {func(c *saml.Config) {
			c.SigningKey, c.SigningCertificate, c.FurtherSigningCertificates = key, later, [][]byte{soon}
		}, 0},
		"announced alone":                   {func(c *saml.Config) { c.FurtherSigningCertificates = [][]byte{soon} }, 0},
		"it decrypts and ends":              {func(c *saml.Config) { c.DecryptionKeys = decryption(soon) }, 1},
		"it decrypts and has a successor":   {func(c *saml.Config) { c.DecryptionKeys = decryption(later, soon) }, 0},
		"it decrypts, and is not published": {func(c *saml.Config) { c.DecryptionKeys = decryption(nil) }, 0},
	} {
		var own []saml.Expiry
		for _, e := range newHouse(t, row.change).sp.Expiring(time.Now(), 60*24*time.Hour) {
			if e.Kind == saml.ExpiringOwnCertificate {
				own = append(own, e)
			}
		}
		if len(own) != row.want || row.want == 1 && !slices.Equal(own[0].Key.DER(), soon) {
			t.Errorf("%s: got %d of our own, want %d", name, len(own), row.want)
		}
	}
}

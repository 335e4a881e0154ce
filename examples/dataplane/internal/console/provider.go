package console

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/examples/dataplane/internal/storage"
)

// testTenant, followed by the ID of a test, is the tenant of a test sign-in: everything that is sealed for it opens for no other test and
// for no real sign-in.
const testTenant = "test/"

// testPurpose marks a login that must not begin a session.
const testPurpose = "test"

const (
	liveAge    = 2 * time.Second // how old the settings in use may be before they are read again
	staleLimit = time.Minute     // how long they are good while the database does not answer
	readTime   = 2 * time.Second
)

// liveProvider is the provider of the settings in use, as this process read them last.
type liveProvider struct {
	mu       sync.Mutex
	readAt   time.Time // of the last answer of the database
	triedAt  time.Time
	revision string // "" where single sign-on is not enabled
	sp       *saml.ServiceProvider
}

// resolve gives the provider for a request: that of the settings in use, or that of one test.
func (c *Console) resolve(ctx context.Context, _ *http.Request, tenant string) (*saml.ServiceProvider, error) {
	if id, isTest := strings.CutPrefix(tenant, testTenant); isTest {
		return c.testProvider(ctx, id)
	}
	if tenant != "" {
		return nil, saml.ErrNotConfigured
	}
	return c.liveProvider(ctx)
}

// liveProvider asks the database at most every two seconds which revision is in use, so that other replicas' changes count soon.
func (c *Console) liveProvider(ctx context.Context) (*saml.ServiceProvider, error) {
	l := &c.live
	l.mu.Lock()
	defer l.mu.Unlock()
	now := c.Now()
	if now.Sub(l.triedAt) >= liveAge {
		l.triedAt = now
		if err := c.readLive(ctx, l); err == nil {
			l.readAt = now
		} else {
			c.Logger.Warn("the settings of single sign-on cannot be read", "error", err)
			if now.Sub(l.readAt) >= staleLimit {
				l.triedAt = time.Time{}
				return nil, err
			}
		}
	}
	if l.sp == nil {
		return nil, saml.ErrNotConfigured
	}
	return l.sp, nil
}

func (c *Console) readLive(ctx context.Context, l *liveProvider) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTime) // others wait for the answer too
	defer cancel()
	id, err := c.DB.LiveID(ctx)
	if err != nil || id == l.revision {
		return err
	}
	if id == "" {
		l.revision, l.sp = "", nil
		return nil
	}
	revision, err := c.DB.Revision(ctx, id)
	if err != nil {
		return err
	}
	sp, err := c.provider("", revision.Settings)
	if err != nil {
		return err
	}
	l.revision, l.sp = id, sp
	return nil
}

// forget makes the next request read the settings again.
func (c *Console) forget() {
	c.live.mu.Lock()
	c.live.triedAt = time.Time{}
	c.live.mu.Unlock()
}

// testProvider gives the provider of a test that has not come back: with the settings that it was begun with, whatever is saved by now.
func (c *Console) testProvider(ctx context.Context, id string) (*saml.ServiceProvider, error) {
	if !isID(id) {
		return nil, saml.ErrNotConfigured
	}
	test, err := c.DB.Test(ctx, id)
	if errors.Is(err, storage.ErrNotFound) || err == nil && c.Now().Sub(test.BegunAt) > storage.TestLifetime {
		return nil, saml.ErrNotConfigured
	}
	if err != nil {
		return nil, err
	}
	revision, err := c.DB.Revision(ctx, test.Revision)
	if err != nil {
		return nil, err
	}
	return c.provider(testTenant+id, revision.Settings)
}

// provider makes the provider of settings. It fails where users could not sign in with them.
func (c *Console) provider(tenant string, s storage.Settings) (*saml.ServiceProvider, error) {
	idp, err := identityProvider(s)
	if err != nil {
		return nil, err
	}
	return saml.New(c.providerConfig(tenant, idp))
}

func (c *Console) providerConfig(tenant string, source saml.IdentityProviderSource) saml.Config {
	return saml.Config{
		BaseURL: c.BaseURL, Tenant: tenant, Trial: strings.HasPrefix(tenant, testTenant), IdentityProvider: source, StateKeys: c.Keys, Store: c.DB.Spent(),
		Unsolicited: saml.RestartUnsolicited, // My Apps works with a blank Sign-on URL too, and nothing is accepted that nobody asked for
		Observe:     c.metrics.observe, Now: c.Now, Logger: c.Logger,
	}
}

// identityProvider reads settings: the metadata where there is one, since it says more than the three fields.
func identityProvider(s storage.Settings) (*saml.IdentityProvider, error) {
	if s.Document != "" {
		return saml.ParseMetadata([]byte(s.Document))
	}
	keys, err := saml.ParseKeys([]byte(s.Certificates))
	if err != nil {
		return nil, err
	}
	return saml.NewIdentityProvider(s.EntityID, s.LoginURL, keys...)
}

// nobody is an identity provider that can sign nobody in, since its private key is thrown away at once. It stands in where our own side is
// asked for before an identity provider is known: saml.New insists on one.
func nobody(now time.Time) (*saml.IdentityProvider, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	certificate := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now, NotAfter: now.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, certificate, certificate, key.Public(), key)
	if err != nil {
		return nil, err
	}
	keys, err := saml.ParseKeys(der)
	if err != nil {
		return nil, err
	}
	return saml.NewIdentityProvider("urn:nobody", "https://nobody.invalid/", keys...)
}

package console

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/examples/dataplane/internal/keys"
	"github.com/iomete/saml/examples/dataplane/internal/storage"
)

// testTenant, followed by the ID of a test, is the tenant of a test sign-in: everything that is
// sealed for it opens for no other test and for no real sign-in.
const testTenant = "test/"

// testPurpose marks a login that must not begin a session.
const testPurpose = "test"

const (
	liveAge    = 2 * time.Second        // how old the settings in use may be before they are read again
	staleLimit = time.Minute            // how long they are good while the database does not answer
	readTime   = time.Second            // for reading them
	knownWait  = 500 * time.Millisecond // for newer settings, where there are some
	noteTime   = time.Second            // for a line of the log
)

// liveProvider is the provider of the settings in use, as this process read them last.
type liveProvider struct {
	mu      sync.Mutex
	readAt  time.Time // of the last answer of the database
	triedAt time.Time
	reading chan struct{} // closed when the question that is under way ends, nil if there is none
	asked   time.Time     // when that question began, by the clock of the machine
	changed bool          // since that question began
	err     error         // of the last question
	running
}

// A running is the provider of one revision, and what reads its metadata again. The zero value is
// for single sign-on that is not enabled.
type running struct {
	revision string
	sp       *saml.ServiceProvider
	source   *saml.MetadataSource // nil if the metadata is not refreshed
	stop     context.CancelFunc   // of the source
}

// resolve gives the provider for a request: that of the settings in use, or that of one test.
func (c *Console) resolve(r *http.Request, tenant string) (*saml.ServiceProvider, error) {
	if id, isTest := strings.CutPrefix(tenant, testTenant); isTest {
		return c.testProvider(r.Context(), id)
	}
	if tenant != "" {
		return nil, saml.ErrNotConfigured
	}
	return c.liveProvider(r.Context())
}

// liveProvider asks the database at most every two seconds which revision is in use, so that other
// replicas' changes count soon. One request asks for all. The others, and this one too, wait for
// the answer for a moment only if they know one: then the one of before counts.
func (c *Console) liveProvider(ctx context.Context) (*saml.ServiceProvider, error) {
	l := &c.live
	for range 2 { // again if the settings were changed here while the question was under way
		reading, wait := c.askLive(ctx)
		if reading == nil {
			break
		}
		timer := time.NewTimer(wait)
		select {
		case <-reading:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case c.Now().Sub(l.readAt) >= staleLimit:
		return nil, cmp.Or(l.err, errNoAnswer)
	case l.sp == nil:
		return nil, saml.ErrNotConfigured
	}
	return l.sp, nil
}

var errNoAnswer = errors.New("console: the database has not answered yet")

// askLive begins to read the settings in use if they are too old, and returns what to wait for, and
// for how long; nil for nothing.
func (c *Console) askLive(ctx context.Context) (reading chan struct{}, wait time.Duration) {
	l := &c.live
	l.mu.Lock()
	defer l.mu.Unlock()
	now := c.Now()
	if l.reading == nil && (l.changed || now.Sub(l.triedAt) >= liveAge) {
		l.reading, l.asked, l.triedAt, l.changed = make(chan struct{}), time.Now(), now, false
		go c.readLive(context.WithoutCancel(ctx), l.reading, l.revision)
	}
	switch known := now.Sub(l.readAt) < staleLimit; {
	case known && l.err != nil && !l.changed: // it did not answer just now, and will hardly do so at once
		return nil, 0
	case known:
		return l.reading, knownWait - time.Since(l.asked)
	}
	return l.reading, readTime - time.Since(l.asked)
}

// readLive reads the settings in use if they are no longer the revision that is known.
func (c *Console) readLive(ctx context.Context, reading chan struct{}, known string) {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	var next running
	id, err := c.DB.LiveID(ctx)
	if err == nil && id != "" && id != known {
		next, err = c.run(ctx, id)
	}
	if err != nil {
		c.Logger.Warn("the settings of single sign-on cannot be read", "error", err)
	}
	l := &c.live
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reading, l.err = nil, err
	if err == nil {
		l.readAt = c.Now()
		if id != known {
			l.end()
			l.running = next
		}
	}
	close(reading)
}

// hangs reports whether the database did not answer the last question in time.
func (c *Console) hangs() bool {
	c.live.mu.Lock()
	defer c.live.mu.Unlock()
	return errors.Is(c.live.err, context.DeadlineExceeded)
}

// forget makes the next request read the settings again.
func (c *Console) forget() {
	c.live.mu.Lock()
	c.live.changed = true
	c.live.mu.Unlock()
}

// testProvider gives the provider of a test that has not come back: with the settings that it was
// begun with, whatever is saved by now.
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
	idp, err := c.sourceOf(ctx, revision)
	if err != nil {
		return nil, err
	}
	signing, err := c.signingOf(ctx, revision.Settings)
	if err != nil {
		return nil, err
	}
	return saml.New(c.providerConfig(testTenant+id, idp, signing))
}

// run makes the provider of a revision. It fails where users could not sign in with it.
func (c *Console) run(ctx context.Context, id string) (running, error) {
	revision, err := c.DB.Revision(ctx, id)
	if err != nil {
		return running{}, err
	}
	signing, err := c.signingOf(ctx, revision.Settings)
	if err != nil {
		return running{}, err
	}
	next := running{revision: id}
	if !revision.Refresh {
		idp, err := identityProvider(revision.Settings)
		if err != nil {
			return running{}, err
		}
		next.sp, err = saml.New(c.providerConfig("", idp, signing))
		return next, err
	}
	if next.source, next.stop, err = c.beginSource(ctx, revision, c.noteChange); err != nil {
		return running{}, err
	}
	if next.sp, err = saml.New(c.providerConfig("", next.source, signing)); err != nil {
		next.end()
	}
	return next, err
}

// end ends what reads metadata again.
func (r *running) end() {
	if r.stop != nil {
		r.stop()
	}
}

// providerConfig is for sign-ins with an identity provider, and with a signing key for logout too.
func (c *Console) providerConfig(tenant string, source saml.IdentityProviderSource,
	signing *keys.Signing) saml.Config {
	trial := strings.HasPrefix(tenant, testTenant)
	// My Apps works with a blank Sign-on URL too, and nothing is accepted that nobody asked for
	unsolicited := saml.RestartUnsolicited
	if trial {
		unsolicited = saml.RefuseUnsolicited
	}
	config := saml.Config{
		BaseURL: c.BaseURL, Tenant: tenant, Trial: trial, IdentityProvider: source, StateKeys: c.Keys, Store: c.DB.Spent(),
		Unsolicited: unsolicited,
		Observe:     c.observe, Now: c.Now, Logger: c.Logger,
	}
	if signing != nil {
		config.SigningKey, config.SigningCertificate = signing.Key, signing.Certificate
		config.LogoutPath = logoutPath
	}
	return config
}

// identityProvider reads settings as they were read when they were saved: the three fields, and what
// their document says more.
func identityProvider(s storage.Settings) (*saml.IdentityProvider, error) {
	idp, _, err := readSettings(s.EntityID, s.LoginURL, s.Certificates, []byte(s.Document), saml.ParseSettings)
	return idp, err
}

// isFromMetadata reports whether a document says everything about the identity provider of settings.
func isFromMetadata(s storage.Settings) bool {
	document, err := readMetadata([]byte(s.Document), s.EntityID)
	return err == nil && document.EntityID() == s.EntityID && document.LoginURL() == s.LoginURL &&
		hasCertificates(document, s.Certificates)
}

// Package session keeps people signed in with a sealed cookie, for services that have no sessions of their own:
//
//	sessions, err := session.New(session.Config{Keys: keys})
//	login := sp.Handler(sessions)
//	mux.Handle(sp.RedirectPath(), login)
//	mux.Handle("POST /sign-out", sessions.SignOutHandler("/goodbye"))
//	mux.Handle("/", sessions.Require(login, app)) // session.FromContext(r.Context()).Identity.Email
//
// The server remembers nothing but which sessions were ended, in a saml.Store. A session belongs to one tenant and one identity provider and
// ends when the settings name another.
package session

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/internal/seal"
)

// A Config describes the sessions of a service.
type Config struct {
	// Keys seal the cookie: each exactly 32 random bytes (saml.NewStateKey), the same on all replicas. The first seals, all open.
	// They may be those of saml.Config.StateKeys. Another service should have others, though its sessions, under another entity ID, are none here. Required.
	Keys [][]byte

	// Store remembers ended sessions, for all replicas. Default: a saml.MemoryStore, right for one process only, and after its restart a
	// copy of an ended session's cookie is good again.
	Store saml.Store

	// Idle is how long a session lives without a request: a minute or more. Default 2 hours.
	Idle time.Duration

	// Lifetime is how long a session lives at most: a minute or more. Default 12 hours. SessionNotOnOrAfter of the identity provider can shorten it, but
	// to no less than three minutes: a session that is over at once would send the browser to the identity provider and back forever.
	Lifetime time.Duration

	// AllowBeyondSessionNotOnOrAfter ignores SessionNotOnOrAfter of the identity provider. It is for one that sends a few minutes for
	// every session (PingOne sends five). The consequence: a session lives for Lifetime, and a sign-out at the identity provider, or
	// the end of its session, ends no session here before that.
	AllowBeyondSessionNotOnOrAfter bool

	// Validate may end a session, for instance because the user may no longer sign in, or because Session.Stamp is not that of the account
	// any more. It is asked before a session begins, and then for each one at most every 10 seconds and process. ErrEnded ends the
	// session, or refuses the sign-in. Any other error refuses the sign-in as well, with a request to try again: a session that may
	// begin without an answer could begin anew every five minutes. A session that has begun goes on for five minutes without an
	// answer of Validate or Store, and has status 503 after that.
	//
	// Validate has five seconds. It must not compare Session.StartedAt with a time that another process noted: clocks differ, and a
	// session that was to end would go on, or a new one would be ended. Use Stamp.
	Validate func(ctx context.Context, s *Session) error

	// Stamp returns what a session that begins has as Session.Stamp: a text of the application of at most 128 bytes, such as a number
	// that its account has, and that counts up when all sessions of the account are to end. Validate compares it (see the example of
	// Config). Stamp is asked before Validate, has five seconds, and its errors mean what those of Validate mean for a sign-in. It may make
	// the account of somebody who is new; otherwise the account must be there before SignIn is called.
	// Default: no Stamp.
	Stamp func(ctx context.Context, login *saml.Login) (string, error)

	// Cookie is the name of the cookie, without prefix, of at most 64 bytes. Default "session".
	Cookie string

	// InsecureAllowHTTP sets a cookie that travels over http too, without the __Host- prefix. Only for development on a loopback
	// address: anyone on the path can take over the session.
	InsecureAllowHTTP bool

	// Now is the clock. Default time.Now.
	Now func() time.Time

	// Logger is told when Store, Validate or the settings of the login fail, without the text of the error, which may name a person.
	// Default slog.Default.
	Logger *slog.Logger

	// Observe gets these errors whole, at the same moments. It must be safe for concurrent use.
	Observe func(ctx context.Context, err error)
}

// ErrEnded is what Config.Validate returns to end a session, and what it or Config.Stamp returns to refuse a sign-in.
var ErrEnded = errors.New("session: ended")

// A Session is one browser of one signed-in user.
type Session struct {
	ID               string // random, unlike that of any other session
	Identity         *saml.Identity
	GroupsTruncated  bool   // Identity.Groups lacks some: "not in group X" must not be concluded
	RolesTruncated   bool   // Identity.Roles lacks some: "has not role X" must not be concluded
	TextsTruncated   bool   // long texts of Identity that are for display were cut, and end in "…"
	Tenant           string // saml.Config.Tenant
	IdentityProvider string // entity ID
	SessionIndex     string // of the identity provider, for single logout; "" if it gave none, or a long one and TextsTruncated is set
	Stamp            string // of Config.Stamp
	StartedAt        time.Time
	ExpiresAt        time.Time // at the latest
	SeenAt           time.Time // last request, with the precision of a twentieth of Idle

	service service // that it is a session of
}

// A service stands for our entity ID, so that a cookie of another service with the same keys, tenant and identity provider is none here. Nobody but
// the services' administrators choose entity IDs, so a short digest tells them apart.
type service [8]byte

func serviceOf(entityID string) (s service) {
	digest := sha256.Sum256([]byte(entityID))
	copy(s[:], digest[:])
	return s
}

const (
	defaultIdle     = 2 * time.Hour
	defaultLifetime = 12 * time.Hour
	purpose         = "saml session"

	// leastLifetime lets a user work for a minute also where the clock of the next replica is two minutes ahead.
	leastLifetime = 3 * time.Minute

	leastConfigured = time.Minute      // of Idle and Lifetime: 12 for 12 hours is 12 nanoseconds
	maxClockSkew    = 10 * time.Minute // of saml.Config.ClockSkew
	maxStamp        = 128
	maxName         = 64 // of the cookie: browsers take 4 KiB with its name
)

// A Manager signs in and out, and guards pages. It implements saml.Sessions and is safe for concurrent use.
type Manager struct {
	config Config
	cookie string
	sealer seal.Sealer
	checks checks
}

// New makes a Manager.
func New(c Config) (*Manager, error) {
	var faults []error
	if len(c.Keys) == 0 {
		faults = append(faults, errors.New("session: Config.Keys is empty, want a key of saml.NewStateKey, the same on all replicas"))
	}
	for _, key := range c.Keys {
		if len(key) != seal.KeySize {
			faults = append(faults, fmt.Errorf("session: Config.Keys has a key of %d bytes, want %d", len(key), seal.KeySize))
		}
	}
	if c.Idle < 0 || c.Lifetime < 0 {
		faults = append(faults, errors.New("session: Config.Idle or Config.Lifetime is negative"))
	}
	for _, field := range []struct {
		name string
		d    time.Duration
	}{{"Idle", c.Idle}, {"Lifetime", c.Lifetime}} {
		if 0 < field.d && field.d < leastConfigured {
			faults = append(faults, fmt.Errorf("session: Config.%s is %v, want at least %v, or each page leads to another sign-in: write a time.Duration such as 2 * time.Hour", field.name, field.d, leastConfigured))
		}
	}
	if c.Cookie == "" {
		c.Cookie = "session"
	}
	if err := (&http.Cookie{Name: c.Cookie, Value: "x"}).Valid(); err != nil {
		faults = append(faults, fmt.Errorf("session: Config.Cookie is not the name of a cookie: %w", err))
	}
	if n := len(c.Cookie); n > maxName {
		faults = append(faults, fmt.Errorf("session: Config.Cookie has %d bytes, want at most %d, or browsers drop the cookie", n, maxName))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	if c.Idle == 0 {
		c.Idle = defaultIdle
	}
	if c.Lifetime == 0 {
		c.Lifetime = defaultLifetime
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Store == nil {
		c.Store = saml.NewMemoryStore()
		c.Logger.Warn("session: no Store configured: ended sessions are remembered by this process alone")
	}
	m := &Manager{config: c, cookie: "__Host-" + c.Cookie, checks: checks{entries: map[string]*checked{}}}
	if c.InsecureAllowHTTP {
		m.cookie = c.Cookie
	}
	for _, key := range c.Keys {
		m.sealer.Keys = append(m.sealer.Keys, slices.Clone(key))
	}
	return m, nil
}

type contextKey struct{}

// FromContext gives the session of a request that passed Require, nil elsewhere.
func FromContext(ctx context.Context) *Session {
	s, _ := ctx.Value(contextKey{}).(*Session)
	return s
}

// SignIn begins a session for a login and ends the one that the browser had. It refuses, and sets no cookie,
//   - a login that was begun for a purpose of its own,
//   - with CodeConfig, one of a service on http if Config.InsecureAllowHTTP is not set,
//   - with CodeSessionExpired, one whose SessionNotOnOrAfter is over by more than any clock skew, unless
//     Config.AllowBeyondSessionNotOnOrAfter is set,
//   - with CodeAccountEnded and ErrEnded, one that Config.Validate or Config.Stamp refuses,
//   - with CodeStore, one that they could not answer for,
//   - with CodeSession, one whose entity ID, tenant, e-mail address, object ID and stamp do not fit into a cookie.
//
// Groups, roles and long texts that do not fit refuse nobody: the session lacks some, and says so.
func (m *Manager) SignIn(w http.ResponseWriter, r *http.Request, login *saml.Login) error {
	if login.Purpose != "" {
		return fmt.Errorf("session: a login for the purpose %q signs nobody in", login.Purpose)
	}
	if sp := saml.ProviderFromContext(r.Context()); sp != nil && !m.config.InsecureAllowHTTP && strings.HasPrefix(sp.RedirectURL(), "http:") {
		return &saml.Error{Code: saml.CodeConfig, Message: "the service is on http, where browsers drop the session's cookie", Got: sp.RedirectURL(), Want: "https",
			Hint: "Set session.Config.InsecureAllowHTTP, or use a BaseURL with https."}
	}
	s, err := m.begin(r.Context(), login)
	if err != nil {
		return err
	}
	if err := m.write(w, s); err != nil {
		return err
	}
	if old, ok := m.open(r); ok {
		if err := m.end(r.Context(), old); err != nil {
			m.report(r.Context(), "the earlier session could not be ended", err)
		}
	}
	return nil
}

// begin returns the session that the application lets begin, as it will be in the cookie.
func (m *Manager) begin(ctx context.Context, login *saml.Login) (*Session, error) {
	s, err := m.newSession(login)
	if err != nil {
		return nil, err
	}
	if s.Stamp, err = m.stamp(ctx, login); err != nil {
		return nil, err
	}
	if _, err := m.fit(s); err != nil {
		return nil, err
	}
	return s, m.mayBegin(ctx, s)
}

func (m *Manager) newSession(login *saml.Login) (*Session, error) {
	now := m.config.Now()
	s := &Session{ID: newID(), Identity: login.Identity, Tenant: login.Tenant, IdentityProvider: login.Assertion.Issuer.Value,
		StartedAt: now, SeenAt: now, ExpiresAt: now.Add(m.config.Lifetime), service: serviceOf(login.EntityID)}
	for _, statement := range login.Assertion.Statements {
		if s.SessionIndex == "" {
			s.SessionIndex = statement.SessionIndex
		}
		end := statement.SessionNotOnOrAfter
		if end.IsZero() || m.config.AllowBeyondSessionNotOnOrAfter {
			continue
		}
		if !now.Before(end.Add(maxClockSkew)) {
			return nil, &saml.Error{Code: saml.CodeSessionExpired, Message: "the session at the identity provider is over", Got: "SessionNotOnOrAfter " + showTime(end),
				Want: "a time after " + showTime(now), Hint: "Call SignIn at once when a login has finished, and set the clock by NTP."}
		}
		if least := now.Add(leastLifetime); end.Before(least) { // or within the clock skew that the response was granted
			end = least
		}
		if end.Before(s.ExpiresAt) {
			s.ExpiresAt = end
		}
	}
	return s, nil
}

func showTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// SignedIn reports whether r carries a session that is not to sign in anew: one that Require lets through, or answers with status 503.
func (m *Manager) SignedIn(r *http.Request) bool {
	s, ok := m.open(r)
	if !ok {
		return false
	}
	if sp := saml.ProviderFromContext(r.Context()); sp != nil {
		if fits, err := m.fits(r.Context(), s, sp); err != nil || !fits {
			return false
		}
	}
	// Where nobody can tell, the page that the user is sent to answers with status 503; a new login could not be finished either.
	return !errors.Is(m.check(r.Context(), s), ErrEnded)
}

// fits reports whether the settings still name the tenant, the identity provider and the service of the session.
func (m *Manager) fits(ctx context.Context, s *Session, sp *saml.ServiceProvider) (bool, error) {
	idp, err := sp.IdentityProvider(ctx)
	if err != nil {
		return false, err
	}
	return sp.Tenant() == s.Tenant && idp.EntityID() == s.IdentityProvider && serviceOf(sp.EntityID()) == s.service, nil
}

// SignOut ends the session of r on all replicas and takes the cookie away. On error the cookie is gone, but a copy of it would still be
// good. A request without the cookie changes nothing: another site's form comes without it, and must not sign anybody out.
func (m *Manager) SignOut(w http.ResponseWriter, r *http.Request) error {
	if len(r.CookiesNamed(m.cookie)) == 0 {
		return nil
	}
	http.SetCookie(w, m.newCookie("", -1))
	if s, ok := m.open(r); ok {
		return m.end(r.Context(), s)
	}
	return nil
}

// SignOutHandler answers POST by SignOut and a redirect to a public page: a local path that Require does not guard, or the user would be
// signed in again at once.
func (m *Manager) SignOutHandler(publicPage string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			http.Error(w, "Sign-out is a POST.", http.StatusMethodNotAllowed)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		if err := m.SignOut(w, r); err != nil {
			m.report(r.Context(), "a session could not be ended for all replicas", err)
			http.Error(w, "You are signed out in this browser, but the service could not note it everywhere. Please try again.", http.StatusServiceUnavailable)
			return
		}
		http.Redirect(w, r, publicPage, http.StatusSeeOther)
	})
}

// report tells the log what failed, and the application why.
func (m *Manager) report(ctx context.Context, what string, err error) {
	m.config.Logger.WarnContext(ctx, "session: "+what, "error_type", fmt.Sprintf("%T", err))
	if m.config.Observe != nil {
		m.config.Observe(ctx, fmt.Errorf("session: %s: %w", what, err))
	}
}

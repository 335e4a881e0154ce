// Package session keeps users signed in with a sealed (encrypted and authenticated) cookie. It is
// for services, SAML relying parties, that have no sessions of their own:
//
//	sessions, err := session.New(session.Config{Keys: keys})
//	login := sp.Handler(sessions)
//	mux.Handle(sp.RedirectPath(), login)
//	mux.Handle("POST /sign-out", sessions.SignOutHandler("/goodbye"))
//	mux.Handle("/", login.Require(app)) // app reads session.FromContext(r.Context())
//
// The server stores which sessions were ended here, and of which signing keys, in a saml.Store. In
// Config.Records it stores sessions that are too large for a cookie, and what the identity provider
// has ended. A session belongs to one tenant, one identity provider and one entity ID. It ends if the
// settings name another one.
package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/internal/seal"
)

// A Config describes the sessions of a service.
type Config struct {
	// Keys seal the cookie. Each key is exactly 32 random bytes (saml.NewStateKey). All replicas
	// need the same keys. The first key seals, every key opens, and the name of the cookie is made
	// from the key. To change them while several replicas run: add the new one behind the old one
	// everywhere, then put it first everywhere, and drop the old one when its sessions are over. A
	// replica that does not have a key finds no session of it, and cannot sign its user out. Required.
	//
	// The keys of saml.Config.StateKeys may be used here too. Give another service its own keys;
	// its sessions are not accepted here in any case, because its entity ID differs.
	Keys [][]byte

	// Store remembers ended sessions, and signing keys whose sessions have ended, for all replicas. It
	// is asked before a session begins, and after that at most every 10 seconds for each session and
	// process. Default: a saml.MemoryStore, which works for a single process only. After a restart of
	// that process, a copied cookie of an ended session works again.
	Store saml.Store

	// Records keeps sessions that are too large for a cookie, such as those of users in many groups:
	// proxies limit the headers of a response, nginx by default to 4 KiB. The cookie has at most
	// 1 KiB then, however many groups there are. Records also remembers which sessions the identity
	// provider has ended (EndSessions, which needs it). All replicas need the same records. Use
	// sqlstore.Records, or MemoryRecords for a single process.
	//
	// At each sign-in, and for each session at most every 10 seconds, Records is asked for the logouts.
	// While it fails, sign-ins are refused with the request to try again, and sessions go on for five
	// minutes, as without an answer from Store; a session that is itself in Records gets status 503 at
	// once. Default: the identity provider cannot end sessions. Groups, roles and long texts that do not
	// fit are left out (Session.GroupsTruncated, RolesTruncated, TextsTruncated), and the first time is
	// logged.
	Records Records

	// AllowUnsignedLogout lets EndSessions carry out LogoutRequests that nobody signed. Set it together
	// with saml.Config.AllowUnsignedLogout. Each sign-in then writes its NameID and SessionIndexes to
	// Records, and an unsigned request ends nothing but sessions with a NameID and SessionIndex that were
	// written there.
	//
	// What it weakens: whoever knows or guesses the NameID and SessionIndex of a session can end it. An
	// e-mail address is no secret, and some providers count their sessions: 1, 2, 3.
	AllowUnsignedLogout bool

	// Idle is how long a session lives without a request. Minimum one minute, default 2 hours.
	Idle time.Duration

	// Lifetime is how long a session lives at most. Minimum one minute, default 12 hours.
	// SessionNotOnOrAfter of the identity provider (SAML Core 2.0, section 2.7.2) can shorten it,
	// but not below three minutes: a session that ends at once would cause a redirect loop. A
	// shorter Lifetime counts for sessions that have begun already, too. All replicas need the same,
	// because the end of a signing key is remembered for so long.
	Lifetime time.Duration

	// AllowBeyondSessionNotOnOrAfter ignores SessionNotOnOrAfter of the identity provider. It is
	// for providers that send a few minutes for every session (PingOne sends five). What it
	// weakens: a session lives for Lifetime. A sign-out at the identity provider, or the end of the
	// session there, does not end it earlier.
	AllowBeyondSessionNotOnOrAfter bool

	// Validate decides whether a session may begin or continue. Return ErrEnded if the user may no
	// longer sign in, or if Session.Stamp is no longer the stamp of the account. Validate runs
	// before a session begins, and after that at most every 10 seconds for each session and
	// process, with KeepForms also before a form of a session is kept that has just ended by time.
	// It must return within five seconds.
	//
	// For a new session, ErrEnded refuses the sign-in. Any other error refuses it too and asks the
	// user to try again: otherwise, while Validate fails, one session could follow another every
	// five minutes. A session that has begun goes on for five minutes without an answer from
	// Validate or Store. After that its requests get status 503. The error of saml.Denied ends a
	// session as ErrEnded does, and its sentence is what the user reads at the next sign-in.
	//
	// Validate must not compare Session.StartedAt with a time noted by another process. Clocks
	// differ, so an ended session would go on, or a new one would end. Compare Stamp instead.
	// Default: every session is valid.
	Validate func(ctx context.Context, s *Session) error

	// Stamp returns the value of Session.Stamp for a session that is about to begin: a text of at
	// most 128 bytes that the application chooses. A typical stamp is a counter of the account that
	// goes up when all sessions of the account must end. Validate compares it (see the example of
	// Config).
	//
	// Stamp runs before Validate and must return within five seconds. Its errors mean the same as
	// those of Validate for a new session. Stamp may create the account of a new user; otherwise
	// the account must exist before SignIn is called. Default: no stamp.
	Stamp func(ctx context.Context, login *saml.Login) (string, error)

	// Keep names attributes of the response that each session carries, by their Name, byte for byte:
	// they are in Session.Attributes. At most 16 names of at most 1024 bytes together, each once; a
	// cookie has no room for more. The values share the cookie with groups and roles, and go last:
	// see Session.AttributesTruncated. Default: none.
	Keep []string

	// KeepForms keeps a form that a user posts after the session has ended by Idle or Lifetime: it
	// waits, sealed, on a page of Handler.Require until the user has signed in again (see
	// saml.HandlerConfig.FormAccount, which must be set to Manager.FormAccount). The browser keeps
	// the cookie for an hour beyond the session, and a record is kept as long. In that hour the
	// cookie is no session. It only says whose form it is, if the session was not ended in another
	// way (SignOut, Validate, a sign-out at the identity provider) and the account has a key
	// (Identity.AccountKey). Default: forms are lost.
	KeepForms bool

	// Cookie is the name of the cookie, without the prefix __Host-, at most 64 bytes. Default:
	// "session-" and 12 hex digits that are different for each key, so that services with keys of
	// their own can share a host. If you name it, name it differently in each service of a host.
	Cookie string

	// InsecureAllowHTTP sends the cookie over http too, without the prefix __Host-. Only for tests in
	// a closed network: anyone on the path can take over the session. Development on a loopback
	// address (http://localhost:8080) works without it, as with saml.New.
	InsecureAllowHTTP bool

	// AllowInForeignFrames sends the session's cookie with SameSite=None, so that pages of the service
	// have their session in a frame of another site too (Microsoft Teams, SharePoint, a portal).
	// Default SameSite=Lax: such a frame has no session, and shows a link that opens a window. The
	// sign-in needs that window in any case, because identity providers forbid frames.
	//
	// What it weakens: every request that any site makes the browser send carries the session. Then
	// the service itself must refuse forged requests (CSRF: http.CrossOriginProtection), must not
	// change anything on a GET, and must name the sites that may frame its pages
	// (Content-Security-Policy: frame-ancestors), or a stranger's page can lead clicks onto them.
	// Browsers that block third-party cookies do not send the cookie all the same. It needs https, so
	// it cannot be set with InsecureAllowHTTP, and over http on a loopback address the cookie stays
	// SameSite=Lax.
	AllowInForeignFrames bool

	// Now is the clock. Default time.Now.
	Now func() time.Time

	// Logger gets a warning if Store, Validate or the settings of the login fail. The warning holds
	// the type of the error but not its text, which may name a person. Default slog.Default().
	Logger *slog.Logger

	// Observe gets the same errors in full, at the same moments. It must be safe for concurrent
	// use. Default: nobody gets them.
	Observe func(ctx context.Context, err error)
}

// ErrEnded is the error that Config.Validate returns to end a session, and that Config.Validate or
// Config.Stamp returns to refuse a sign-in.
//
// saml.Handler.Fail answers it with the page of saml.CodeAccountEnded.
var ErrEnded error = ended{}

type ended struct{}

func (ended) Error() string { return "session: ended" }
func (ended) Unwrap() error { return saml.CodeAccountEnded }

// A Session is one signed-in user in one browser. All its texts are parts of one string: strings.Clone
// those that you keep for longer than the request, or they keep the rest.
type Session struct {
	ID               string // 128 random bits in the form of a GUID; no other session has it
	Identity         *saml.Identity
	GroupsTruncated  bool   // Identity.Groups is incomplete: do not conclude "not in group X"; only without Config.Records
	RolesTruncated   bool   // Identity.Roles is incomplete: do not conclude "does not have role X"; only without Config.Records
	TextsTruncated   bool   // long display texts of Identity were cut and end in "…"; only without Config.Records
	Tenant           string // saml.Config.Tenant
	IdentityProvider string // entity ID
	Stamp            string // result of Config.Stamp

	// SessionIndexes are the identity provider's names for its own session, for single logout; usually
	// there is one. They need not be unique: some providers repeat them, and SAML recommends small numbers
	// that users share. Without Config.Records there are at most 8, and none that is too long for the
	// cookie; TextsTruncated is set if one is missing.
	SessionIndexes []string

	// Attributes are those that Config.Keep names and the response had at sign-in, in the order of
	// Keep, with Name and Values only: Values, First and Decode read them. AttributesTruncated says
	// that the last ones did not fit into the cookie, so do not conclude "has no such attribute".
	Attributes          saml.Attributes
	AttributesTruncated bool

	// SigningKey is saml.Login.SigningKey: the key that signed the sign-in. It is the zero KeyID if the
	// Login had none. See Manager.EndSessionsOfKey.
	SigningKey saml.KeyID

	StartedAt time.Time
	ExpiresAt time.Time // when the session ends at the latest
	SeenAt    time.Time // last request, precise to a twentieth of Config.Idle

	issued      time.Time   // IssueInstant of the assertion: whole seconds, by the clock of the identity provider
	nameID      saml.NameID // as received, but for ourEntityID
	ownIndex    bool        // SessionIndexes[0] is the ID of the assertion
	keyReturned bool        // the sessions of the key had ended because it was removed, before this one began

	service service // the service that the session belongs to
	record  string  // ID of the session's record, recordSize random bytes; "" if the cookie holds all
	cookie  string  // name of the cookie that it is in
}

const (
	defaultIdle     = 2 * time.Hour
	defaultLifetime = 12 * time.Hour
	defaultCookie   = "session-"     // and 12 hex digits
	purpose         = "saml session" // binds the seal to this package

	// leastLifetime leaves the user a minute to work even if the clock of the next replica is two
	// minutes ahead.
	leastLifetime = 3 * time.Minute

	leastConfigured = time.Minute      // for Idle and Lifetime: catches a plain 12, which is 12 nanoseconds
	maxClockSkew    = 10 * time.Minute // the maximum of saml.Config.ClockSkew
	maxStamp        = 128              // bytes
	maxName         = 64               // bytes of the cookie's name: browsers limit name and value together
	maxKept         = 16               // names in Keep
	maxKeptBytes    = 1024             // bytes of the names in Keep, which are in the cookie beside the values
)

// A Manager signs users in and out, and finds the session of a request. It implements saml.Sessions,
// so that saml.Handler guards pages with it, and is safe for concurrent use.
type Manager struct {
	config   Config
	cookies  []string // the names that a session's cookie may have, without __Host-; new ones get the first
	names    []string // the same as requests have them, see fullNames
	sealer   *seal.Sealer
	checks   checks
	goodbyes goodbyes
	services services

	cutOnce     sync.Once // for the warning that Config.Records is missing
	foreignOnce sync.Once // for the warning about cookies of other services or processes
	formsOnce   sync.Once // for the warning that Config.KeepForms has no effect
}

// New returns a Manager. All faults of the Config are reported at once, as joined *saml.Error values
// with saml.CodeConfig; saml.Errors takes them apart.
func New(c Config) (*Manager, error) {
	c = c.withDefaults()
	if err := c.validate(); err != nil {
		return nil, err
	}
	if c.Store == nil { // not in withDefaults: an invalid Config must log nothing
		c.Store = saml.NewMemoryStoreWithClock(c.Now)
		c.Logger.Warn("session: no Store configured: ended sessions are remembered by this process alone",
			"hint", "If several processes serve this, or a restart must forget nothing, set session.Config.Store to one that all share (package sqlstore).")
	}
	m := &Manager{
		config:  c,
		cookies: cookieNames(c),
		checks:  checks{entries: map[string]*checked{}},
	}
	m.names = fullNames(m.cookies, c.InsecureAllowHTTP)
	m.config.Keep = slices.Clone(c.Keep)
	var keys [][]byte
	for _, key := range c.Keys {
		keys = append(keys, slices.Clone(key))
	}
	m.sealer = seal.NewBusySealer(keys...)
	return m, nil
}

// withDefaults returns c with every default but that of Store.
func (c Config) withDefaults() Config {
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
	return c
}

// validate returns all faults of c, joined.
func (c Config) validate() error {
	var faults []error
	fault := func(field, message, got, want, hint string) {
		faults = append(faults, &saml.Error{Code: saml.CodeConfig, Field: field,
			Message: "session.Config." + message, Got: got, Want: want, Hint: hint})
	}
	if len(c.Keys) == 0 {
		fault("Keys", "Keys is empty", "", "at least one key", hintKeys)
	}
	if c.Store != nil && isNil(c.Store) {
		fault("Store", "Store is a nil pointer", "", "a store, or no value at all",
			"Look why the variable that you pass as session.Config.Store was never set.")
	}
	if c.Records != nil && isNil(c.Records) {
		fault("Records", "Records is a nil pointer", "", "records such as &session.MemoryRecords{}, or no value at all",
			"Look why the variable that you pass as session.Config.Records was never set.")
	}
	if c.AllowUnsignedLogout && c.Records == nil {
		fault("AllowUnsignedLogout", "AllowUnsignedLogout is set without Records", "", "both, or neither",
			"Set session.Config.Records too, where the sign-ins write what such a logout may end; or do not set session.Config.AllowUnsignedLogout.")
	}
	for i, key := range c.Keys {
		if why := seal.KeyFault(key); why != "" {
			fault("Keys", fmt.Sprintf("Keys[%d] %s", i, why), "", seal.WantKey, hintKeys)
		}
	}
	for _, field := range []struct {
		name string
		d    time.Duration
	}{
		{"Idle", c.Idle},
		{"Lifetime", c.Lifetime},
	} {
		if field.d < leastConfigured { // a session that ends at once causes a redirect loop
			fault(field.name, field.name+" is too short", field.d.String(), "at least "+leastConfigured.String(),
				"Write session.Config."+field.name+" as a time.Duration such as 2 * time.Hour; a plain number counts nanoseconds.")
		}
	}
	if c.AllowInForeignFrames && c.InsecureAllowHTTP {
		fault("AllowInForeignFrames", "AllowInForeignFrames is set with InsecureAllowHTTP", "", "one of them, or none",
			"Use https and leave session.Config.InsecureAllowHTTP empty: browsers drop a cookie with SameSite=None that is not Secure.")
	}
	if c.Cookie != "" && (&http.Cookie{Name: c.Cookie, Value: "x"}).Valid() != nil {
		fault("Cookie", "Cookie is no name for a cookie", strconv.Quote(c.Cookie), `letters, digits, "-" and "_"`, hintCookie)
	}
	if isHostCookie(c.Cookie) || strings.HasPrefix(c.Cookie, "__Secure-") {
		fault("Cookie", "Cookie has a prefix that is added where it is right", strconv.Quote(c.Cookie), "the name without it", hintCookie)
	}
	if n := len(c.Cookie); n > maxName {
		fault("Cookie", "Cookie is too long", fmt.Sprintf("%d bytes", n), fmt.Sprintf("at most %d bytes", maxName), hintCookie)
	}
	keepFaults(c.Keep, fault)
	return errors.Join(faults...)
}

const (
	hintKeys   = "Make a key once (saml.NewStateKey, or: openssl rand -base64 32), keep it as a secret, and give all replicas the same; saml.ParseStateKeys reads it from base64."
	hintCookie = "Leave session.Config.Cookie empty, or write a short name such as \"console\"."
)

type contextKey struct{}

// current is the session of a request, with the Manager that found it; nil for one of NewContext.
type current struct {
	session *Session
	owner   *Manager
}

// FromContext returns the session of a request that passed Require, RequireFunc or Load of a
// saml.Handler. It returns nil for other requests, and on public pages if nobody is signed in.
func FromContext(ctx context.Context) *Session {
	c, _ := ctx.Value(contextKey{}).(current)
	return c.session
}

// NewContext returns a context with a session, for unit tests of pages that call FromContext or
// Manager.Session. The session is that of no browser, and no Manager checks it.
func NewContext(ctx context.Context, s *Session) context.Context {
	return context.WithValue(ctx, contextKey{}, current{session: s})
}

// SignedIn reports whether r carries a session that needs no new sign-in: one that Require lets
// through or answers with status 503.
func (m *Manager) SignedIn(r *http.Request) bool {
	s, ok := m.open(r)
	if !ok {
		return false
	}
	sp := saml.ProviderFromContext(r.Context())
	if sp == nil && !m.config.InsecureAllowHTTP && !isHostCookie(s.cookie) {
		return false // nobody knows whether the service is on a loopback address
	}
	if sp != nil {
		if fits, err := m.fits(r.Context(), s, sp); err != nil || !fits {
			return false
		}
	}
	// If the answer is unknown, the page that the user goes to answers with status 503. A new login
	// could not finish now either.
	return !errors.Is(m.check(r.Context(), s), ErrEnded)
}

// fits reports whether the session has the tenant, identity provider and entity ID that the
// settings name now.
func (m *Manager) fits(ctx context.Context, s *Session, sp *saml.ServiceProvider) (bool, error) {
	idp, err := sp.IdentityProvider(ctx)
	if err != nil {
		return false, err
	}
	ours := m.services.of(sp.EntityID()) == s.service
	if sp.Tenant() == s.Tenant && !ours {
		m.noticeForeign(ctx)
	}
	return sp.Tenant() == s.Tenant && idp.EntityID() == s.IdentityProvider && ours &&
		(m.config.InsecureAllowHTTP || isHostCookie(s.cookie) || onLoopback(sp)), nil
}

// report writes to the log what failed, and tells Config.Observe why.
func (m *Manager) report(ctx context.Context, what string, err error) {
	m.config.Logger.WarnContext(ctx, "session: "+what, "error_type", fmt.Sprintf("%T", err))
	if m.config.Observe != nil {
		m.config.Observe(ctx, fmt.Errorf("session: %s: %w", what, err))
	}
}

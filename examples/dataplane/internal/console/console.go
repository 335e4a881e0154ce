// Package console is the web side: the pages of a small data plane, and the settings page of its
// single sign-on.
//
// A request passes, in this order: the headers that every page has, the refusal of other sites'
// forms, the router, and the guard of the page. A handler decides and then renders; what it needs
// to know about people and settings it asks the storage.
package console

import (
	"context"
	"embed"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/examples/dataplane/internal/storage"
	"github.com/iomete/saml/session"
)

// A Config describes the console.
type Config struct {
	// DB keeps everything that is to be remembered. Required.
	DB *storage.DB

	// BaseURL is the public address, as saml.Config.BaseURL. Required.
	BaseURL string

	// Keys seal pending logins and sessions, as saml.Config.StateKeys. Required, the same on all
	// replicas.
	Keys [][]byte

	// Administrator is the name of the local administrator. Required.
	Administrator string

	// FetchOptions say how metadata is fetched, for the settings page and to keep it up to date.
	FetchOptions saml.FetchOptions

	// Fetch reads metadata from an address for the settings page. Default: FetchMetadata with
	// FetchOptions.
	Fetch func(ctx context.Context, address string) ([]byte, error)

	// Wait waits before a password is looked at, where many wrong ones were tried. Default: by the
	// clock of the machine.
	Wait func(ctx context.Context, d time.Duration) error

	// TrustForwardedFor takes the address of a client from the last entry of X-Forwarded-For, which
	// may have a port. Only behind a proxy that sets it: anybody could write it otherwise.
	TrustForwardedFor bool

	// HideMetrics leaves /metrics out, for those who serve Console.Metrics elsewhere.
	HideMetrics bool

	// Trial is the address of the built-in identity provider, "" where there is none.
	Trial string

	// Now is the clock. Default time.Now.
	Now func() time.Time

	// Logger is told what an operator should know. Default slog.Default.
	Logger *slog.Logger
}

// A Console serves the pages.
type Console struct {
	Config
	redirectURL string
	metadata    []byte                // our own, for an identity provider that is not told of logout
	ownSide     *saml.ServiceProvider // checks settings that are typed, and signs nobody in
	// of BaseURL, as withoutPort80 gives it, where this machine alone can reach it; "" elsewhere
	host       string
	secure     bool
	sessions   *session.Manager
	login      *saml.Handler
	live       liveProvider
	metrics    *metrics
	refusals   window
	lanes      lanes         // of tried passwords
	large      chan struct{} // has a place for each large form that is being read
	keyUses    sync.Map      // saml.KeyID -> time.Time, when it was noted last
	draining   atomic.Bool
	background context.Context // ends with Close
	stop       context.CancelFunc
	answerTime time.Duration
	handler    http.Handler

	warnedOfProxy atomic.Bool
	warnedOfEntry atomic.Bool
}

//go:embed static
var staticFiles embed.FS

// New makes a console. It fails where BaseURL or Keys cannot be used.
func New(c Config) (*Console, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Fetch == nil {
		c.Fetch = func(ctx context.Context, address string) ([]byte, error) {
			return FetchMetadata(ctx, address, c.FetchOptions)
		}
	}
	if c.Wait == nil {
		c.Wait = waitFor
	}
	if len(c.Keys) == 0 {
		return nil, errors.New("console: Config.Keys is empty, want keys of 32 random bytes, the same on all replicas")
	}
	con := &Console{Config: c, secure: strings.HasPrefix(c.BaseURL, "https:"),
		large: make(chan struct{}, maxLargeForms), answerTime: answerTime}
	con.background, con.stop = context.WithCancel(context.Background())
	con.lanes = lanes{all: map[string]*lane{}, now: c.Now, wait: c.Wait}
	con.metrics = newMetrics(con)
	if err := con.readOwnSide(); err != nil {
		return nil, err
	}
	var err error
	con.sessions, err = session.New(session.Config{Keys: c.Keys, Store: c.DB.Spent(), Records: c.DB.LargeSessions(),
		Validate: con.checkSession, Stamp: con.stampSession, InsecureAllowHTTP: !con.secure, Now: c.Now, Logger: c.Logger,
		// errors of the database name nobody
		Observe: func(_ context.Context, err error) {
			c.Logger.Warn("why a session could not be checked", "error",
				err)
		}})
	if err != nil {
		return nil, err
	}
	con.login, err = saml.NewHandler(saml.HandlerConfig{Resolve: con.resolve, Sessions: signIns{con},
		EndSession: con.sessions.End, EndSessions: con.sessions.EndSessions, OnError: con.failed,
		Observe: con.observeLogout, Logger: c.Logger})
	if err != nil {
		return nil, err
	}
	con.handler, err = con.routes()
	return con, err
}

// notKnown is the identity provider of what does not depend on it.
var notKnown = saml.IdentityProviderFunc(func(context.Context) (*saml.IdentityProvider, error) {
	return nil, saml.ErrNotConfigured
})

// readOwnSide learns what our side of the trust looks like. It does not depend on the identity
// provider, which may not be known yet.
func (c *Console) readOwnSide() error {
	sp, err := saml.New(c.providerConfig("", notKnown, nil))
	if err != nil {
		return err
	}
	c.redirectURL, c.ownSide = sp.RedirectURL(), sp
	if u, err := url.Parse(c.redirectURL); err == nil && u.Scheme == "http" {
		c.host = withoutPort80(u.Host)
	}
	c.metadata, err = sp.Metadata()
	return err
}

// RedirectURL is what the administrator registers at the identity provider.
func (c *Console) RedirectURL() string { return c.redirectURL }

// Drain makes /readyz say that no new requests should come.
func (c *Console) Drain() { c.draining.Store(true) }

// Close ends what reads metadata again. What was read last goes on counting.
func (c *Console) Close() { c.stop() }

// ServeHTTP serves all pages.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.handler.ServeHTTP(w, r) }

func (c *Console) routes() (http.Handler, error) {
	static, err := fs.Sub(staticFiles, "static")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle(saml.DefaultRedirectPath, c.login)
	mux.HandleFunc(logoutPath, c.receiveLogout)
	mux.Handle("GET /static/", http.StripPrefix("/static/", http.FileServerFS(static)))
	mux.HandleFunc("GET /healthz", c.health)
	mux.HandleFunc("GET /readyz", c.ready)
	if !c.HideMetrics {
		mux.Handle("GET /metrics", c.Metrics())
	}

	mux.HandleFunc("GET /sign-in", c.showSignIn)
	mux.HandleFunc("POST /sign-in", c.signInLocally)
	mux.HandleFunc("POST /sign-out", c.signOut)

	for _, path := range []string{"GET /{$}", "GET /sql", "GET /jobs", "GET /jobs/{name}"} {
		mux.Handle(path, c.requireUser(c.showHome))
	}

	admin := func(pattern string, h adminHandler) {
		mux.HandleFunc(pattern, c.requireAdmin(h, c.askToSignIn, c.unavailable))
	}
	form := func(pattern string, h formHandler) {
		mux.HandleFunc(pattern, c.takeForm(c.requireAdmin(c.withForm(h), c.keepForm(http.StatusUnauthorized),
			c.keepForm(http.StatusServiceUnavailable))))
	}
	const sso = "/settings/sso"
	admin("GET "+sso, c.showSSO)
	for act, h := range map[string]formHandler{"read": c.readSource, "fetch": c.fetchSource,
		"preview": c.previewSettings, "save": c.saveSettings} {
		form("POST "+sso+"/"+act, h)
		// a page that is opened again without its form
		mux.Handle("GET "+sso+"/"+act, http.RedirectHandler(sso, http.StatusSeeOther))
	}
	admin("POST "+sso+"/test", c.startTest)
	admin("GET "+sso+"/tests/{id}", c.showTest)
	admin("POST "+sso+"/enable", c.enable)
	admin("POST "+sso+"/disable", c.disable)
	admin("POST "+sso+"/discard", c.discard)
	admin("POST "+sso+"/delete", c.delete)
	admin("POST "+sso+"/changes", c.dismissChanges)
	admin("POST "+sso+"/look", c.lookNow)
	admin("GET "+sso+"/log", c.showLog)
	admin("GET "+sso+"/metadata.xml", c.showMetadata)
	admin("GET "+sso+"/signing.pem", c.showSigning)
	admin("GET /settings/users", c.showUsers)
	admin("POST /settings/users/end", c.endSessions)
	admin("POST /settings/users/add", c.addUser)
	admin("GET /settings/administrator", c.showAdministrator)
	admin("POST /settings/administrator", c.changePassword)
	mux.HandleFunc("/", c.notFound)

	protection := http.NewCrossOriginProtection()
	// a response comes from another site; its protection is the sealed pending login
	protection.AddInsecureBypassPattern("POST " + saml.DefaultRedirectPath)
	// so does a message about logout; its protection is its signature
	protection.AddInsecureBypassPattern("POST " + logoutPath)
	protection.SetDenyHandler(http.HandlerFunc(c.crossSite))
	if err := protection.AddTrustedOrigin(strings.TrimSuffix(c.BaseURL, "/")); err != nil {
		return nil, err
	}
	return c.headers(c.withEnding(c.atHome(protection.Handler(mux)))), nil
}

// headers sets what holds for all answers; pages of package saml set their own policy in place of
// this one.
func (c *Console) headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy+"; form-action 'self'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		if c.secure {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		ctx, cancel := context.WithTimeout(r.Context(), c.answerTime)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// answerTime is how long an answer may take: a database that hangs ends in a page that says so. It
// begins anew once a settings form has been read, since a large file over a slow line takes longer
// by itself.
const answerTime = 30 * time.Second

const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'"

// atHome sends a browser that came by another name of this machine (localhost for 127.0.0.1) to the
// configured one, where its cookies are. Elsewhere the names are the proxy's business.
func (c *Console) atHome(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c.host != "" && withoutPort80(r.Host) != c.host && r.Method == http.MethodGet &&
			r.Header.Get("Sec-Fetch-Mode") == "navigate" {
			http.Redirect(w, r, strings.TrimSuffix(c.BaseURL, "/")+r.URL.RequestURI(), http.StatusSeeOther)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// withoutPort80 leaves out the port that browsers leave out of Host for http.
func withoutPort80(host string) string { return strings.TrimSuffix(host, ":80") }

// Maintain deletes now and then what is too old to be of use, until ctx ends. It also looks which
// settings are in use, so that their metadata is read again before anybody signs in.
func (c *Console) Maintain(ctx context.Context) {
	for {
		if _, err := c.liveProvider(ctx); err != nil && !isNotConfigured(err) && ctx.Err() == nil {
			c.Logger.Warn("the settings of single sign-on cannot be used", "error", err)
		}
		if err := c.DB.Prune(ctx); err != nil && !errors.Is(err, context.Canceled) {
			c.Logger.Warn("old entries could not be deleted", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Hour):
		}
	}
}

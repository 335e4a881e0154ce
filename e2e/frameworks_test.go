package e2e

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"

	"github.com/alexedwards/scs/v2"
	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/labstack/echo/v5"

	"github.com/iomete/saml"
	"github.com/iomete/saml/session"
)

// The standard library's router. GET on the Redirect URL begins a sign-in and POST finishes it, so
// the path is registered without a method.
func Example_serveMux() {
	d := newDemo()
	defer d.Close()
	sp, sessions, login := d.usual()

	mux := http.NewServeMux()
	mux.Handle(sp.RedirectPath(), login)
	mux.Handle("POST /sign-out", sessions.SignOutHandler("/goodbye"))
	mux.HandleFunc("GET /goodbye", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "Goodbye.") })
	mux.Handle("/", login.Require(app))

	fmt.Println(d.signIn(mux, "/jobs"))
	// Output: ioana.turcanu@example.com reads /jobs
}

// chi takes Require as the middleware of a group.
func Example_chi() {
	d := newDemo()
	defer d.Close()
	sp, _, login := d.usual()

	router := chi.NewRouter()
	router.Handle(sp.RedirectPath(), login)
	router.Group(func(r chi.Router) {
		r.Use(login.Require)
		r.Get("/jobs", app)
	})

	fmt.Println(d.signIn(router, "/jobs"))
	// Output: ioana.turcanu@example.com reads /jobs
}

// gin has middleware of its own kind: the session travels with the request.
func Example_gin() {
	d := newDemo()
	defer d.Close()
	sp, _, login := d.usual()

	require := func(c *gin.Context) {
		allowed := false
		login.Require(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			c.Request,
				allowed = r, true
		})).ServeHTTP(c.Writer, c.Request)
		if !allowed {
			c.Abort()
		}
	}
	gin.SetMode(gin.ReleaseMode)
	router := gin.New()
	router.Any(sp.RedirectPath(), gin.WrapH(login))
	router.GET("/jobs", require, func(c *gin.Context) {
		c.String(http.StatusOK, "%s reads %s", session.FromContext(c.Request.Context()).Identity.Email,
			c.Request.URL.Path)
	})

	fmt.Println(d.signIn(router, "/jobs"))
	// Output: ioana.turcanu@example.com reads /jobs
}

// echo wraps what is written for net/http.
func Example_echo() {
	d := newDemo()
	defer d.Close()
	sp, _, login := d.usual()

	e := echo.New()
	e.Any(sp.RedirectPath(), echo.WrapHandler(login))
	private := e.Group("", echo.WrapMiddleware(login.Require))
	private.GET("/jobs", func(c *echo.Context) error {
		return c.String(http.StatusOK,
			session.FromContext(c.Request().Context()).Identity.Email+" reads "+c.Request().URL.Path)
	})

	fmt.Println(d.signIn(e, "/jobs"))
	// Output: ioana.turcanu@example.com reads /jobs
}

// scsSessions keeps users in sessions of alexedwards/scs: what an application with sessions of its
// own writes instead of using package session.
type scsSessions struct{ *scs.SessionManager }

// SignIn implements saml.Sessions.
func (s scsSessions) SignIn(_ http.ResponseWriter, r *http.Request, login *saml.Login) error {
	if login.Purpose != "" {
		return errors.New("begun as a test, and no sign-in")
	}
	ctx := r.Context()
	if err := errors.Join(s.Clear(ctx), s.RenewToken(ctx)); err != nil { // the session before is gone, for everybody
		return err
	}
	account, err := login.Identity.AccountKey() // to look up the account with, rather than by e-mail
	if err != nil {
		return err
	}
	s.Put(ctx, "account", account)
	s.Put(ctx, "email", login.Identity.Email)
	return nil
}

// SignedIn implements saml.Sessions.
func (s scsSessions) SignedIn(r *http.Request) bool { return s.Exists(r.Context(), "account") }

// Authenticate implements saml.Sessions. Pages find the session in the request that LoadAndSave
// prepared, so it is served as it is. A service with several tenants asks saml.SessionProvider too.
func (s scsSessions) Authenticate(_ http.ResponseWriter, r *http.Request) (*http.Request, error) {
	if !s.SignedIn(r) {
		return nil, nil
	}
	return r, nil
}

// An application with a session library of its own implements three methods. Require guards its
// pages all the same.
func Example_ownSessions() {
	d := newDemo()
	defer d.Close()
	sp := d.provider(d.config(), d.idp)
	sessions := scsSessions{scs.New()}
	sessions.Cookie.Name, sessions.Cookie.Secure = "__Host-id", true

	mux := http.NewServeMux()
	login := sp.Handler(sessions)
	mux.Handle(sp.RedirectPath(), login)
	mux.Handle("/", login.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s reads %s", sessions.GetString(r.Context(), "email"), r.URL.Path)
	})))

	fmt.Println(d.signIn(sessions.LoadAndSave(mux), "/jobs"))
	// Output: ioana.turcanu@example.com reads /jobs
}

// Several tenants, each with a host name, a directory and a Redirect URL of its own. The host says
// whose sign-in it is; a pending login or session of another tenant is refused there.
func Example_severalTenants() {
	d := newDemo()
	defer d.Close()
	tenants := map[string]*saml.ServiceProvider{} // by host
	for _, host := range []string{"acme.example.com", "globex.example.com"} {
		directory := d.newDirectory()
		c := d.config()
		c.Tenant, c.BaseURL, c.IdentityProvider = host, "https://"+host, trust(directory)
		tenants[host] = d.provider(c, directory)
	}
	sessions := d.sessions()
	login, err := saml.NewHandler(saml.HandlerConfig{
		Sessions: sessions,
		Resolve: func(r *http.Request, tenant string) (*saml.ServiceProvider, error) {
			if sp := tenants[cmp.Or(tenant, r.Host)]; sp != nil {
				return sp, nil
			}
			if tenant == "" {
				return nil, saml.ErrNotEnabled // a host of nobody: no session counts there
			}
			return nil, saml.ErrNotConfigured
		},
	})
	must(err)

	mux := http.NewServeMux()
	mux.Handle(saml.DefaultRedirectPath, login)
	mux.Handle("/", login.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := session.FromContext(r.Context())
		fmt.Fprintf(w, "%s of %s", s.Identity.Email, s.Tenant)
	})))

	fmt.Println(d.signIn(mux, "https://acme.example.com/"))
	fmt.Println(d.signIn(mux, "https://globex.example.com/"))
	fmt.Println(d.signIn(mux, "https://initech.example.com/"))
	// Output:
	// ioana.turcanu@example.com of acme.example.com
	// ioana.turcanu@example.com of globex.example.com
	// 404 Not Found
}

// Settings that an administrator changes while the service runs: Resolve reads what is in force,
// and Save replaces it whole.
func Example_changingSettings() {
	d := newDemo()
	defer d.Close()
	var current atomic.Pointer[saml.ServiceProvider] // nil: single sign-on is not enabled
	sessions := d.sessions()
	login, err := saml.NewHandler(saml.HandlerConfig{
		Sessions: sessions,
		Resolve: func(*http.Request, string) (*saml.ServiceProvider, error) {
			if sp := current.Load(); sp != nil {
				return sp, nil
			}
			return nil, saml.ErrNotConfigured
		},
	})
	must(err)

	mux := http.NewServeMux()
	mux.Handle(saml.DefaultRedirectPath, login)
	mux.Handle("/", login.Require(app))

	fmt.Println(d.signIn(mux, "/jobs"))
	current.Store(d.provider(d.config(), d.idp)) // Save and Enable
	fmt.Println(d.signIn(mux, "/jobs"))
	// Output:
	// 404 Not Found
	// ioana.turcanu@example.com reads /jobs
}

// Behind a reverse proxy that ends TLS: BaseURL is the address that browsers see, and nothing is
// taken from Host or X-Forwarded-Proto, so the proxy needs no setting for it.
func Example_reverseProxy() {
	d := newDemo()
	defer d.Close()
	sp, _, login := d.usual() // BaseURL is d.url, the proxy's

	mux := http.NewServeMux()
	mux.Handle(sp.RedirectPath(), login)
	mux.Handle("/", login.Require(app))
	inner, err := url.Parse(d.start(httptest.NewServer(mux))) // plain http, and another port
	must(err)
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(inner) }}

	fmt.Println(d.signIn(fullDuplex(proxy), "/jobs"))
	// Output: ioana.turcanu@example.com reads /jobs
}

// Protection against cross-site requests refuses the identity provider's post, which is one. The
// Redirect URL has to be left out, and can be: what counts there is the signed answer to a sign-in
// that this browser began.
func Example_crossOriginProtection() {
	d := newDemo()
	defer d.Close()
	sp, _, login := d.usual()

	mux := http.NewServeMux()
	mux.Handle(sp.RedirectPath(), login)
	mux.Handle("/", login.Require(app))
	protection := http.NewCrossOriginProtection()
	fmt.Println(d.signIn(protection.Handler(mux), "/jobs"))

	protection.AddInsecureBypassPattern("POST " + sp.RedirectPath())
	fmt.Println(d.signIn(protection.Handler(mux), "/jobs"))
	// Output:
	// 403 Forbidden
	// ioana.turcanu@example.com reads /jobs
}

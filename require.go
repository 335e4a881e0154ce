package saml

import (
	"context"
	"errors"
	"net/http"

	"github.com/iomete/saml/internal/guarded"
)

// Require returns a handler that passes requests with a session to next, with whatever Sessions the
// Handler has. It is middleware for any router: private.Use(login.Require) for a group of routes in
// chi, private.Use(echo.WrapMiddleware(login.Require)) in echo.
//
// A page request without a session goes to the Redirect URL and comes back to the same page after the
// sign-in, with its query and fragment; a form that was posted does not come back. In a frame there
// is a page with a link that opens a window, because identity providers forbid to be framed. A
// background call, such as a fetch, and a page that a browser loads ahead of time get status 401 and
// begin no login. If Sessions cannot tell whether there is a session, the answer is status 503 with
// Retry-After. Require sets no cookie of a login: the Redirect URL is absolute, and the cookies are
// set there, on the right host.
//
// Where the address names no tenant, the page goes to HandlerConfig.ChoosePath, if there is a
// ChooseTenant.
//
// Register the Handler on the paths of the Redirect URL and the Logout URL, and on ChoosePath, outside
// of Require: beside
// the group, or in front of a router that uses Require for all its routes. If Require gets a request
// on that path, a page with CodeConfig says so.
//
// Require panics if next is nil.
func (h *Handler) Require(next http.Handler) http.Handler {
	return h.guard("Require", next, func(w http.ResponseWriter, r, served *http.Request) {
		if served == nil {
			h.requireSignIn(w, r)
			return
		}
		serve(w, served, next)
	})
}

// RequireFunc returns a middleware like Require with an authorization rule: requests for which
// allowed returns false get status 403. allowed gets the request that is served, so it finds the
// session where a page does (package session: session.FromContext).
//
//	r.With(login.RequireFunc(isAdministrator)).Get("/admin", admin) // chi
//	mux.Handle("/admin/", login.RequireFunc(isAdministrator)(admin))
//
// It panics if allowed is nil.
func (h *Handler) RequireFunc(allowed func(*http.Request) bool) func(next http.Handler) http.Handler {
	if allowed == nil {
		panic("saml: Handler.RequireFunc was called with a nil function; use Require to let every user in")
	}
	return func(next http.Handler) http.Handler {
		mustHave("RequireFunc", next)
		return h.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !allowed(r) {
				w.Header().Set("Cache-Control", "no-store")
				http.Error(w, h.language(r).Say(textNoAccess), http.StatusForbidden)
				return
			}
			next.ServeHTTP(w, r)
		}))
	}
}

// Load returns a handler for public pages: a request with a session is passed to next as Require
// does, and one without a session is passed on as it is. It never begins a login. If Sessions
// cannot tell whether there is a session, the answer is status 503 with Retry-After, because a page
// that takes it for "nobody" might begin a login. The answer depends on the cookie, and says so to
// caches (Vary).
//
// Load panics if next is nil.
func (h *Handler) Load(next http.Handler) http.Handler {
	return h.guard("Load", next, func(w http.ResponseWriter, r, served *http.Request) {
		w.Header().Add("Vary", "Cookie")
		if served == nil {
			next.ServeHTTP(w, r)
			return
		}
		serve(w, served, next)
	})
}

// guard asks Sessions about each request and gives the answer to do. served is nil if r has no
// session.
func (h *Handler) guard(name string, next http.Handler,
	do func(w http.ResponseWriter, r, served *http.Request)) http.Handler {
	mustHave(name, next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := h.known(r.Context())
		if name == "Require" {
			ctx = guarded.With(ctx)
		}
		served, err := h.config.Sessions.Authenticate(w, r.WithContext(ctx))
		if !isNil(err) {
			h.sessionUnknown(w, r, err)
			return
		}
		do(w, r, served)
	})
}

func mustHave(name string, next http.Handler) {
	if isNil(next) {
		panic("saml: Handler." + name + " was called with a nil http.Handler")
	}
}

// serve keeps pages with a session out of shared caches; next may be stricter.
func serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	if w.Header().Get("Cache-Control") == "" {
		w.Header().Set("Cache-Control", "private")
	}
	next.ServeHTTP(w, r)
}

type handlerKey struct{}

// known returns a context in which SessionProvider finds h.
func (h *Handler) known(ctx context.Context) context.Context {
	return context.WithValue(ctx, handlerKey{}, h)
}

// SessionProvider returns the provider whose settings a session of tenant must fit, in calls of
// Sessions.Authenticate and SignedIn: the session counts only if tenant, Login.Assertion.Issuer and
// Login.EntityID of its login are the Tenant, IdentityProvider and EntityID of the provider now.
//
// It returns nil without an error if no session of the tenant counts for r: there is no such tenant,
// single sign-on is not enabled for it, or the address is that of another tenant. Authenticate then
// returns nil too. If the error is not nil, the answer is not known at the moment, and Authenticate
// returns it. CodeConfig means that r did not come through a Handler: its Require, RequireFunc or
// Load, or the Handler itself.
func SessionProvider(r *http.Request, tenant string) (*ServiceProvider, error) {
	h, _ := r.Context().Value(handlerKey{}).(*Handler)
	if h == nil {
		return nil, refuse(CodeConfig, "the request did not come through a Handler, so the session's settings are not known", "",
			"a request that Handler.Require, RequireFunc or Load passed on").
			advised("Put the page behind Handler.Require, or behind Handler.Load if it is public.")
	}
	sp, err := h.Provider(r, tenant)
	if errors.Is(err, CodeNotConfigured) || errors.Is(err, CodeTenant) {
		return nil, nil
	}
	return sp, err
}

// sessionUnknown answers a request of which nobody knows whether it has a session.
func (h *Handler) sessionUnknown(w http.ResponseWriter, r *http.Request, err error) {
	var own *Error
	refusal := refuse(CodeStore, "it is unknown whether the request has a session: Sessions.Authenticate failed", "",
		"").withCause(err)
	if errors.As(err, &own) && own != nil && own.Code == CodeConfig {
		refusal.Hint = own.Hint
	}
	h.observe(r.Context(), Event{Kind: SessionUnknown, Err: refusal.completed(nil)})
	w.Header().Set("Retry-After", "10")
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, h.language(r).Say(textSessionUnknown), http.StatusServiceUnavailable)
}

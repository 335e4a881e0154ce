package console

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/iomete/saml"
	"github.com/iomete/saml/examples/dataplane/internal/storage"
	"github.com/iomete/saml/session"
)

// An adminHandler serves a page that the local administrator alone may see.
type adminHandler func(w http.ResponseWriter, r *http.Request, admin *storage.AdminSession)

// admin gives the administrator's session of a request, nil where there is none. The error is that
// of the database.
func (c *Console) admin(r *http.Request) (*storage.AdminSession, error) {
	token := c.readMark(r, adminMark)
	if token == "" || token == signedOut {
		return nil, nil
	}
	s, err := c.DB.AdminSession(r.Context(), token)
	// who had another name has no session
	if errors.Is(err, storage.ErrNotFound) || err == nil && s.Administrator != c.Administrator {
		return nil, nil
	}
	return s, err
}

// requireAdmin lets the administrator through, and answers others by one of two handlers: nobody is
// signed in, or nobody can tell.
func (c *Console) requireAdmin(next adminHandler, stranger, unknown http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		admin, err := c.admin(r)
		switch {
		case err != nil:
			c.Logger.Warn("the administrator's session cannot be read", "error", err)
			unknown(w, r)
		case admin == nil:
			stranger(w, r)
		default:
			next(w, r, admin)
		}
	}
}

// askToSignIn answers a request for an administrator's page without an administrator.
func (c *Console) askToSignIn(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		c.showMessage(w, r, http.StatusUnauthorized,
			message{Title: "Please sign in again",
				Text: "Your session as administrator has ended. Nothing was changed.", Link: "/sign-in?return_to=/settings/sso", Label: "Sign in as administrator"})
		return
	}
	redirect(w, r, "/sign-in?return_to="+url.QueryEscape(r.URL.RequestURI()))
}

// requireUser lets the administrator and people with a session through. Others are sent to the
// identity provider and come back to where they were; where single sign-on is not enabled, to the
// sign-in page.
func (c *Console) requireUser(next func(w http.ResponseWriter, r *http.Request, v visitor)) http.Handler {
	guarded := c.login.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next(w, r, visitor{User: session.FromContext(r.Context())})
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		admin, err := c.admin(r)
		if err != nil {
			c.Logger.Warn("the administrator's session cannot be read", "error", err)
			c.unavailable(w, r)
			return
		}
		if admin != nil {
			next(w, r, visitor{Admin: admin})
			return
		}
		if _, err := c.login.Provider(r, ""); errors.Is(err, saml.CodeNotConfigured) {
			redirect(w, r, "/sign-in?return_to="+url.QueryEscape(r.URL.RequestURI()))
			return
		}
		guarded.ServeHTTP(w, r)
	})
}

// A visitor is who looks at a page: the administrator or a user.
type visitor struct {
	Admin *storage.AdminSession
	User  *session.Session
}

// checkSession ends sessions of people who were signed out everywhere, and of those whose account
// is gone.
func (c *Console) checkSession(ctx context.Context, s *session.Session) error {
	generation, err := c.generation(ctx, s.Identity)
	if err == nil && s.Stamp != generation {
		return session.ErrEnded
	}
	return err
}

// stampSession gives what a session that begins is stamped with.
func (c *Console) stampSession(ctx context.Context, login *saml.Login) (string, error) {
	return c.generation(ctx, login.Identity)
}

// generation is that of the sessions of a person's account. Without an account no session goes on
// or begins.
func (c *Console) generation(ctx context.Context, i *saml.Identity) (string, error) {
	n, err := c.DB.Generation(ctx, storage.AccountKey(i))
	if errors.Is(err, storage.ErrNotFound) {
		return "", session.ErrEnded
	}
	return strconv.FormatInt(n, 10), err
}

// clientAddress is where a request comes from, for counting wrong passwords and refusals. IPv6
// hosts have a whole network of addresses, which counts as one.
func (c *Console) clientAddress(r *http.Request) string {
	if c.hidesClients(r) && c.warnedOfProxy.CompareAndSwap(false, true) {
		c.Logger.Warn("a request has X-Forwarded-For, and the console runs without -trust-forwarded-for: behind a proxy all clients count as one, and a stranger's wrong passwords slow down everybody's. Set it if your proxy sets the header; ignore this if there is no proxy")
	}
	text := r.RemoteAddr
	list := r.Header.Values("X-Forwarded-For")
	forwarded := c.TrustForwardedFor && len(list) > 0
	if forwarded {
		last := list[len(list)-1]
		text = strings.TrimSpace(last[strings.LastIndex(last, ",")+1:])
	}
	address, err := parseAddress(text)
	if err != nil {
		if forwarded && c.warnedOfEntry.CompareAndSwap(false, true) {
			c.Logger.Warn("the last entry of X-Forwarded-For is no IP address, with or without a port: all such clients count as one, and a stranger's wrong passwords slow down everybody's. Let the proxy append the address of the client", "got", text)
		}
		return "unknown"
	}
	if address = address.Unmap().WithZone(""); address.Is6() {
		if network, err := address.Prefix(64); err == nil {
			return network.String()
		}
	}
	return address.String()
}

// parseAddress reads an IP address, with a port or without. Some proxies, as Azure Application
// Gateway, put the port into X-Forwarded-For.
func parseAddress(text string) (netip.Addr, error) {
	if with, err := netip.ParseAddrPort(text); err == nil {
		return with.Addr(), nil
	}
	return netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
}

// hidesClients reports whether a request looks as if a proxy had passed it on whose header is not
// to be believed.
func (c *Console) hidesClients(r *http.Request) bool {
	return !c.TrustForwardedFor && r.Header.Get("X-Forwarded-For") != ""
}

func redirect(w http.ResponseWriter, r *http.Request, to string) {
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to, http.StatusSeeOther)
}

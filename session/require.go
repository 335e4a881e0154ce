package session

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/iomete/saml"
)

// Require lets requests with a session through to next, which finds it by FromContext. Others are sent to login, and come back to where
// they were; calls in the background get status 401.
func (m *Manager) Require(login *saml.Handler, next http.Handler) http.Handler {
	return m.RequireFunc(login, nil, next)
}

// RequireFunc is Require for sessions that allowed reports true for; others get status 403. Where GroupsTruncated is set, allowed must not
// conclude from Identity.Groups that the user is not in a group.
func (m *Manager) RequireFunc(login *saml.Handler, allowed func(*Session) bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, ok := m.open(r)
		tenant := ""
		if ok {
			tenant = s.Tenant
		}
		sp, err := login.Provider(r, tenant)
		if ok && err == nil && m.fits(r.Context(), s, sp) {
			switch err := m.check(r.Context(), s); {
			case err == nil:
				m.serve(w, r, s, allowed, next)
				return
			case !errors.Is(err, ErrEnded):
				unavailable(w)
				return
			}
		}
		if ok && err != nil && !errors.Is(err, saml.CodeNotConfigured) { // the settings cannot be read: no reason to send anybody away
			unavailable(w)
			return
		}
		m.signIn(w, r, login, sp)
	})
}

func (m *Manager) serve(w http.ResponseWriter, r *http.Request, s *Session, allowed func(*Session) bool, next http.Handler) {
	if allowed != nil && !allowed(s) {
		http.Error(w, "You are signed in, but may not see this page.", http.StatusForbidden)
		return
	}
	if now := m.config.Now(); now.Sub(s.SeenAt) > m.config.Idle/20 {
		s.SeenAt = now
		if err := m.write(w, s); err != nil {
			m.config.Logger.Warn("session: a session could not be renewed", "error", err)
		}
	}
	next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, s)))
}

func unavailable(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "10")
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, "The service cannot check your session at this moment. Please try again.", http.StatusServiceUnavailable)
}

// signIn sends a page to the Redirect URL, absolute so that the cookie of the login lands on the right host. It sets no state itself.
func (m *Manager) signIn(w http.ResponseWriter, r *http.Request, login *saml.Handler, sp *saml.ServiceProvider) {
	w.Header().Set("Cache-Control", "no-store")
	if !isNavigation(r) {
		http.Error(w, "You are not signed in.", http.StatusUnauthorized)
		return
	}
	if sp == nil || sp.Tenant() != "" {
		var err error
		if sp, err = login.Provider(r, ""); err != nil {
			login.Fail(w, r, err)
			return
		}
	}
	to := sp.RedirectURL()
	if r.Method == http.MethodGet {
		to += "?return_to=" + url.QueryEscape(r.URL.RequestURI())
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// isNavigation tells a page that a user opens from a call of a script (Fetch Metadata). Browsers without these headers ask for HTML.
func isNavigation(r *http.Request) bool {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	return r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html")
}

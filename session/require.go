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

// RequireFunc is Require for sessions that allowed reports true for; others get status 403. If GroupsTruncated is set, allowed must not
// conclude from Identity.Groups that the user is not in a group; if RolesTruncated is set, it must not conclude from Identity.Roles that the
// user does not have a role, such as one that forbids something. Groups are cut before roles are, so a rule on roles holds longer. Texts that
// end in "…" where TextsTruncated is set are for display alone.
func (m *Manager) RequireFunc(login *saml.Handler, allowed func(*Session) bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := m.admit(login, r)
		switch {
		case err != nil:
			if !errors.Is(err, errUnknown) { // which was reported when it was new
				m.report(r.Context(), "cannot tell whether a session fits the settings", err)
			}
			unavailable(w)
		case s == nil:
			m.signIn(w, r, login)
		default:
			m.serve(w, r, s, allowed, next)
		}
	})
}

// admit gives the session of r, nil where there is none that goes on under the settings of now. It is an error where nobody can tell: that is
// no reason to send anybody away.
func (m *Manager) admit(login *saml.Handler, r *http.Request) (*Session, error) {
	s, ok := m.open(r)
	if !ok {
		return nil, nil
	}
	sp, err := login.Provider(r, s.Tenant)
	if errors.Is(err, saml.CodeNotConfigured) || errors.Is(err, saml.CodeTenant) { // switched off for this tenant, or the address is another's
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	fits, err := m.fits(r.Context(), s, sp)
	if err != nil || !fits {
		return nil, err
	}
	err = m.check(r.Context(), s)
	if errors.Is(err, ErrEnded) {
		return nil, nil
	}
	return s, err
}

func (m *Manager) serve(w http.ResponseWriter, r *http.Request, s *Session, allowed func(*Session) bool, next http.Handler) {
	if allowed != nil && !allowed(s) {
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, "You are signed in, but may not see this page.", http.StatusForbidden)
		return
	}
	if now := m.config.Now(); now.Sub(s.SeenAt) > m.config.Idle/20 {
		s.SeenAt = now
		if err := m.write(w, s); err != nil {
			m.report(r.Context(), "a session could not be renewed", err)
		}
	}
	if w.Header().Get("Cache-Control") == "" { // of no use to others; next can say more
		w.Header().Set("Cache-Control", "private")
	}
	next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, s)))
}

func unavailable(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "10")
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, "The service cannot check your session at this moment. Please try again.", http.StatusServiceUnavailable)
}

// signIn sends a page to the Redirect URL, absolute so that the cookie of the login lands on the right host. It sets no state itself.
func (m *Manager) signIn(w http.ResponseWriter, r *http.Request, login *saml.Handler) {
	w.Header().Set("Cache-Control", "no-store")
	if !isNavigation(r) {
		http.Error(w, "You are not signed in.", http.StatusUnauthorized)
		return
	}
	sp, err := login.Provider(r, "")
	if err != nil {
		login.Fail(w, r, err)
		return
	}
	to := sp.RedirectURL()
	if r.Method == http.MethodGet {
		to += "?return_to=" + url.QueryEscape(page(r))
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// page is the path and query that the browser asked for. http.StripPrefix and the like change r.URL.
func page(r *http.Request) string {
	if strings.HasPrefix(r.RequestURI, "/") {
		return r.RequestURI
	}
	return r.URL.RequestURI() // a proxy's form of request, or a request that came by no server
}

// isNavigation tells a page that a user opens from a call of a script (Fetch Metadata). Browsers without these headers ask for HTML.
func isNavigation(r *http.Request) bool {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	return r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html")
}

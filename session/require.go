package session

import (
	"context"
	"errors"
	"net/http"

	"github.com/iomete/saml"
)

// Require returns a handler that passes requests with a session to next, which finds the session
// with FromContext. Other page requests are redirected to login and return to the same page after
// the sign-in. Other calls of scripts get status 401.
func (m *Manager) Require(login *saml.Handler, next http.Handler) http.Handler {
	return m.RequireFunc(login, nil, next)
}

// RequireFunc is Require with an authorization rule: a session for which allowed returns false gets
// status 403. A nil function allows all.
//
// Without Config.Records, the session's lists can be incomplete. If GroupsTruncated is set, allowed must not conclude from
// Identity.Groups that the user is not in a group. If RolesTruncated is set, it must not conclude
// from Identity.Roles that the user does not have a role, such as one that forbids something.
// Groups are cut before roles, so prefer rules on roles. If AttributesTruncated is set, an attribute
// of Config.Keep can be missing though the user has it. If TextsTruncated is set, texts that end in
// "…" are for display only.
func (m *Manager) RequireFunc(login *saml.Handler, allowed func(*Session) bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := m.admit(login, r)
		switch {
		case err != nil:
			if !errors.Is(err, errUnknown) { // check has reported that one already
				m.report(r.Context(), "cannot tell whether a session fits the settings", err)
			}
			unavailable(w)
		case s == nil:
			login.RequireSignIn(w, r)
		default:
			m.serve(w, r, s, allowed, next)
		}
	})
}

// admit returns the session of r. It returns nil if there is none, or if it has ended or does not
// fit the current settings. It returns an error if that is unknown; the caller must not send the
// user to sign in then.
func (m *Manager) admit(login *saml.Handler, r *http.Request) (*Session, error) {
	s, ok := m.open(r)
	if !ok {
		return nil, nil
	}
	sp, err := login.Provider(r, s.Tenant)
	if errors.Is(err, saml.CodeNotConfigured) || errors.Is(err, saml.CodeTenant) {
		return nil, nil // single sign-on is switched off for this tenant, or the address is another tenant's
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

// serve answers the request of a signed-in user, and renews the cookie now and then.
func (m *Manager) serve(
	w http.ResponseWriter, r *http.Request, s *Session,
	allowed func(*Session) bool, next http.Handler,
) {
	if allowed != nil && !allowed(s) {
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, "You are signed in, but you do not have access to this page.", http.StatusForbidden)
		return
	}
	if now := m.config.Now(); now.Sub(s.SeenAt) > m.config.Idle/20 {
		s.SeenAt = now
		if err := m.write(r.Context(), w, s); err != nil {
			m.report(r.Context(), "a session could not be renewed", err)
		}
	}
	if w.Header().Get("Cache-Control") == "" { // shared caches must not keep the page; next may be stricter
		w.Header().Set("Cache-Control", "private")
	}
	next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, s)))
}

func unavailable(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "10")
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, "The service cannot check your session right now. Please try again.", http.StatusServiceUnavailable)
}

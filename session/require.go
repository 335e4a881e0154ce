package session

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/iomete/saml"
	"github.com/iomete/saml/internal/guarded"
)

// Authenticate implements saml.Sessions: it returns r with its session in the context, for
// FromContext, and renews the cookie now and then. It returns nil if r has no session that counts. It
// is an error if Config.Store and Config.Validate have given no answer for too long, or if
// Config.Records gives none.
func (m *Manager) Authenticate(w http.ResponseWriter, r *http.Request) (*http.Request, error) {
	s, kept, err := m.find(r)
	switch {
	case err != nil:
		if !errors.Is(err, errUnknown) { // check has reported that one already
			m.report(r.Context(), "cannot tell whether a session fits the settings", err)
		}
		return nil, err
	case s == nil:
		m.noticeGuardedGoodbye(r)
		m.noticeLostForms(r)
		return nil, nil
	case kept: // renewed already, or of a unit test
		return r, nil
	}
	if now := m.config.Now(); now.Sub(s.SeenAt) > m.config.Idle/20 {
		s.SeenAt = now
		if err := m.renew(w, r, s); err != nil {
			m.report(r.Context(), "a session could not be renewed", err)
		}
	}
	return r.WithContext(context.WithValue(r.Context(), contextKey{}, current{s, m})), nil
}

// Session returns the session of r, nil if there is none. r must have come through Require,
// RequireFunc or Load of a saml.Handler, because a session counts for the tenant, identity provider
// and service that the settings of the Handler name: otherwise a cookie is an error with
// saml.CodeConfig. Any other error means that it is not known whether the session counts: answer
// with status 503, and do not begin a login.
//
// A page behind one of these needs no more than FromContext. Session is for wrappers of a Manager
// and for code that must not take a missing Require for a missing session. In a unit test it
// returns what NewContext put there.
func (m *Manager) Session(r *http.Request) (*Session, error) {
	s, _, err := m.find(r)
	return s, err
}

// find returns the session of r that counts. kept says that it is in the context already. An error
// means that the answer is unknown; nobody may be sent to sign in then.
func (m *Manager) find(r *http.Request) (s *Session, kept bool, err error) {
	if c, ok := r.Context().Value(contextKey{}).(current); ok {
		switch {
		case c.owner == nil: // a unit test put it there
			return c.session, true, nil
		case c.owner == m:
			s, kept = c.session, true
		}
	}
	if s == nil {
		var ok bool
		if s, ok = m.open(r); !ok {
			return nil, false, nil
		}
	}
	sp, err := saml.SessionProvider(r, s.Tenant)
	if err != nil || sp == nil {
		return nil, false, err
	}
	fits, err := m.fits(r.Context(), s, sp)
	if err != nil || !fits {
		return nil, false, err
	}
	switch err = m.check(r.Context(), s); {
	case errors.Is(err, ErrEnded):
		return nil, false, nil
	case err != nil:
		return nil, false, err
	}
	return s, kept, nil
}

// renew writes the cookie, under the name that goes with the first key, and deletes what r has under
// other names.
func (m *Manager) renew(w http.ResponseWriter, r *http.Request, s *Session) error {
	s.cookie = m.cookieName(isHostCookie(s.cookie))
	if err := m.write(r.Context(), w, s); err != nil {
		return err
	}
	m.forget(w, r, s.cookie)
	return nil
}

// noticeGuardedGoodbye warns once if people who sign out are sent to a page that Require guards:
// they would be signed in again before they see anything.
func (m *Manager) noticeGuardedGoodbye(r *http.Request) {
	path := r.URL.Path
	if u, err := url.ParseRequestURI(r.RequestURI); err == nil { // http.StripPrefix changes r.URL
		path = u.Path
	}
	if !guarded.Is(r.Context()) || !m.goodbyes.warnAbout(path) {
		return
	}
	m.config.Logger.WarnContext(r.Context(), "session: SignOutHandler leads to a page that Require guards, so whoever signs out is signed in again at once",
		"page", path, "hint", "Give SignOutHandler a public page, such as \"/goodbye\", and serve it without Require.")
}

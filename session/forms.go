package session

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/internal/guarded"
)

// formsFor is how long after its end by time a session still says whose form a browser posts.
const formsFor = time.Hour

// afterlife returns how long after the end of a session its cookie still means something: formsFor
// with Config.KeepForms. What ends a session must be remembered for that much longer.
func (m *Manager) afterlife() time.Duration {
	if m.config.KeepForms {
		return formsFor
	}
	return 0
}

// FormAccount is for saml.HandlerConfig.FormAccount, together with Config.KeepForms. It returns the
// account of the session of r, or of one that ended by time less than an hour ago. It returns nil
// if there is neither, if the session was ended in another way, or if the account has no key. r
// must have come through Require, as for Session; an error means the same as there.
func (m *Manager) FormAccount(r *http.Request) (*saml.FormAccount, error) {
	if !m.config.KeepForms {
		m.warnOfForms(r.Context(), "saml.HandlerConfig.FormAccount is set and session.Config.KeepForms is not",
			"Set session.Config.KeepForms to true, or remove saml.HandlerConfig.FormAccount.")
		return nil, nil
	}
	s, err := m.Session(r)
	ended := err == nil && s == nil
	if ended {
		s, err = m.findLate(r)
	}
	if err != nil || s == nil {
		return nil, err
	}
	key, err := s.Identity.AccountKey()
	if err != nil { // a transient NameID: nobody can tell whether the same user signs in again
		return nil, nil
	}
	return &saml.FormAccount{Tenant: s.Tenant, Key: key, Ended: ended}, nil
}

// findLate returns the session of r that ended by time less than formsFor ago and in no other way,
// nil if there is none. It asks what find asks about a session.
func (m *Manager) findLate(r *http.Request) (*Session, error) {
	late := m.lateAll(r)
	if len(late) == 0 || len(m.openAll(r)) > 0 { // a session that is not over by time was ended
		return nil, nil
	}
	s := late[0]
	for _, other := range late[1:] { // while keys change there may be several
		if other.StartedAt.After(s.StartedAt) {
			s = other
		}
	}
	sp, err := saml.SessionProvider(r, s.Tenant)
	if err != nil || sp == nil {
		return nil, err
	}
	if fits, err := m.fits(r.Context(), s, sp); err != nil || !fits {
		return nil, err
	}
	if err := m.check(r.Context(), s); errors.Is(err, ErrEnded) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	return s, nil
}

// lateAll returns the sessions of r that ended by time less than formsFor ago, none without
// Config.KeepForms. They are no sessions any more: never serve a page for one.
func (m *Manager) lateAll(r *http.Request) (list []*Session) {
	if !m.config.KeepForms {
		return nil
	}
	now := m.config.Now()
	for _, name := range m.names {
		s, ok := m.readCookie(r, name)
		if ok && !now.Before(m.endsAt(s)) && now.Before(m.endsAt(s).Add(formsFor)) {
			list = append(list, s)
		}
	}
	return list
}

// noticeLostForms warns once if Require does not keep the forms that Config.KeepForms is about.
func (m *Manager) noticeLostForms(r *http.Request) {
	if m.config.KeepForms && guarded.Is(r.Context()) && !guarded.KeepsForms(r.Context()) {
		m.warnOfForms(r.Context(), "session.Config.KeepForms is set and saml.HandlerConfig.FormAccount is not",
			"Make the handler with saml.NewHandler, "+
				"and set saml.HandlerConfig.FormAccount to the method FormAccount of the Manager.")
	}
}

func (m *Manager) warnOfForms(ctx context.Context, why, hint string) {
	m.formsOnce.Do(func() {
		m.config.Logger.WarnContext(ctx, "session: forms are lost over a sign-in: "+why, "hint", hint)
	})
}

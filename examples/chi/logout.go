package main

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/iomete/saml"
)

// endSession implements saml.EndSessionFunc, for a logout that begins here: the session ends first, and
// then the identity provider is told.
func (s *sessions) endSession(_ http.ResponseWriter, r *http.Request) (*saml.LogoutSubject, error) {
	subject := s.subject(r.Context())
	return subject, s.Destroy(r.Context())
}

// endSessions implements saml.EndSessionsFunc, for a logout that begins at the identity provider.
func (s *sessions) endSessions(_ context.Context, l *saml.Logout) error {
	s.logouts.add(l)
	return nil
}

// keepLogouts is how long a logout counts: longer than a session of this service lasts, and than an
// assertion is accepted, which is 24 hours, with the difference of the clocks.
const keepLogouts = 25 * time.Hour

// logouts are the requests of the identity provider that were carried out. Replicas need a table that
// they share; an error of the database is the error of endSessions then.
type logouts struct {
	mu   sync.Mutex
	list []kept
}

type kept struct {
	*saml.Logout
	until time.Time
}

func (l *logouts) add(logout *saml.Logout) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.list = slices.DeleteFunc(l.list, func(k kept) bool { return now.After(k.until) })
	l.list = append(l.list, kept{logout, now.Add(keepLogouts)})
}

// end reports whether one of them ends a session.
func (l *logouts) end(s *saml.LogoutSubject) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.list, func(k kept) bool { return k.Ends(s) })
}

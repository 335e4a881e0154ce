package session

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/internal/storekey"
)

const (
	askEvery    = 10 * time.Second // for each session and process
	goOnFor     = 5 * time.Minute  // without an answer from Store and Validate
	maxChecked  = 100_000          // sessions remembered; about 20 MB
	askTimeout  = 5 * time.Second
	claimMargin = 10 * time.Minute // beyond the session's own end
)

// checks remembers the answers of Store and Validate, so that not every request asks them.
type checks struct {
	mu      sync.Mutex
	entries map[string]*checked
}

// checked is one session. Its lock is held while Store and Validate are asked, so that concurrent
// requests wait for one answer.
type checked struct {
	mu    sync.Mutex
	at    time.Time // when the last answer said that the session goes on; zero before the first
	tried time.Time // when the last question was asked
	ended bool

	warned time.Time // when a fault of the session's record was last reported
}

func (c *checks) entry(id string, now time.Time) *checked {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[id]
	if !ok {
		if len(c.entries) >= maxChecked {
			c.drop(now)
		}
		e = &checked{}
		c.entries[strings.Clone(id)] = e // id is a part of all texts of the session, and would keep them
	}
	return e
}

// drop forgets half of the sessions, so it rarely runs. It forgets those without a recent question
// first, and then any. A forgotten session is simply asked about again.
func (c *checks) drop(now time.Time) {
	for _, fresh := range []bool{false, true} {
		for id, e := range c.entries {
			if len(c.entries) <= maxChecked/2 {
				return
			}
			if e.mu.TryLock() { // otherwise a question about it is on its way
				if fresh || now.Sub(e.tried) >= askEvery {
					delete(c.entries, id)
				}
				e.mu.Unlock()
			}
		}
	}
}

var errUnknown = errors.New("session: it is unknown whether the session was ended")

// check returns nil if the session goes on, ErrEnded if it was ended, and errUnknown if there is no
// answer now and the last one is too old. While Store or Validate fail, they are asked no more
// often than otherwise. A session that is in a record is complete after check returned nil; if the
// record cannot be read now, check returns errUnknown.
func (m *Manager) check(ctx context.Context, s *Session) error {
	e := m.checks.entry(s.ID, m.config.Now())
	if err := m.loadRecord(ctx, s, e); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	now := m.config.Now() // after waiting for those who asked before
	if !e.ended && now.Sub(e.tried) >= askEvery {
		e.tried = now
		switch err := m.ask(ctx, s); {
		case err == nil:
			e.at = now
		case errors.Is(err, ErrEnded), errors.Is(err, saml.CodeDenied):
			e.ended = true
		default:
			m.report(ctx, "cannot tell whether a session was ended", err)
		}
	}
	switch {
	case e.ended:
		return ErrEnded
	case now.Sub(e.at) <= goOnFor: // false for the zero time, which is centuries ago
		return nil
	case now.Sub(s.StartedAt) <= goOnFor: // the start was an answer too, perhaps given to another replica
		return nil
	}
	return errUnknown
}

func (m *Manager) ask(ctx context.Context, s *Session) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
	defer cancel()
	for _, key := range s.ends() {
		ended, err := m.config.Store.Claimed(ctx, key)
		if !isNil(err) {
			return err
		}
		if ended {
			return ErrEnded
		}
	}
	ended, err := m.signedOut(ctx, s)
	if err != nil {
		return err
	}
	if ended {
		return ErrEnded
	}
	if m.config.Validate != nil {
		if err := m.config.Validate(ctx, s); !isNil(err) {
			return err
		}
	}
	return nil
}

// end ends the session for all replicas and deletes its record. The claim lasts until the cookie
// would be refused anyway.
func (m *Manager) end(ctx context.Context, s *Session) error {
	now := m.config.Now()
	e := m.checks.entry(s.ID, now)
	e.mu.Lock()
	e.ended = true
	e.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
	defer cancel()
	_, err := m.config.Store.Claim(ctx, storeKey(s), max(s.ExpiresAt.Sub(now), 0)+m.afterlife()+claimMargin)
	m.deleteRecord(ctx, s)
	return err
}

func storeKey(s *Session) string {
	return storekey.OfTenant(storekey.Session, s.Tenant, s.IdentityProvider, s.ID)
}

// isNil reports whether v is nil or a nil pointer in an interface, such as a nil *saml.Error that was
// returned as an error.
func isNil(v any) bool {
	if v == nil {
		return true
	}
	p := reflect.ValueOf(v)
	return p.Kind() == reflect.Pointer && p.IsNil()
}

package session

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/internal/storekey"
)

const (
	askEvery    = 10 * time.Second // for one session and process
	goOnFor     = 5 * time.Minute  // without an answer of Store and Validate
	maxChecked  = 100_000          // sessions remembered; about 20 MB
	askTimeout  = 5 * time.Second
	claimMargin = 10 * time.Minute // beyond the session's own end
)

// checks remembers what Store and Validate said, so that they are asked now and then and not with each request.
type checks struct {
	mu      sync.Mutex
	entries map[string]*checked
}

// checked is one session. Its lock is held while Store and Validate are asked, so that concurrent requests wait for one answer.
type checked struct {
	mu    sync.Mutex
	at    time.Time // of the last answer that it goes on, zero before the first
	tried time.Time // of the last question
	ended bool
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
		c.entries[id] = e
	}
	return e
}

// drop forgets half of the sessions, so that it is seldom called: those that nobody asked about lately, and if these are too few, any. A
// session that was forgotten is asked about again.
func (c *checks) drop(now time.Time) {
	for _, fresh := range []bool{false, true} {
		for id, e := range c.entries {
			if len(c.entries) <= maxChecked/2 {
				return
			}
			if e.mu.TryLock() { // not while somebody asks
				if fresh || now.Sub(e.tried) >= askEvery {
					delete(c.entries, id)
				}
				e.mu.Unlock()
			}
		}
	}
}

var errUnknown = errors.New("session: nobody can tell whether the session was ended")

// check says whether the session has been ended: nil, ErrEnded, or errUnknown where nobody can tell and the last answer is too old. It asks
// no more often while there is no answer than it does otherwise.
func (m *Manager) check(ctx context.Context, s *Session) error {
	e := m.checks.entry(s.ID, m.config.Now())
	e.mu.Lock()
	defer e.mu.Unlock()
	now := m.config.Now() // after waiting for those who asked before
	if !e.ended && now.Sub(e.tried) >= askEvery {
		e.tried = now
		switch err := m.ask(ctx, s); {
		case err == nil:
			e.at = now
		case errors.Is(err, ErrEnded):
			e.ended = true
		default:
			m.report(ctx, "cannot tell whether a session was ended", err)
		}
	}
	switch {
	case e.ended:
		return ErrEnded
	case now.Sub(e.at) <= goOnFor: // never for the zero time: it is centuries ago
		return nil
	case now.Sub(s.StartedAt) <= goOnFor: // its start is an answer too, which this process may not have seen
		return nil
	}
	return errUnknown
}

func (m *Manager) ask(ctx context.Context, s *Session) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
	defer cancel()
	ended, err := m.config.Store.Claimed(ctx, storeKey(s))
	if err != nil {
		return err
	}
	if ended {
		return ErrEnded
	}
	if m.config.Validate != nil {
		return m.config.Validate(ctx, s)
	}
	return nil
}

// stamp asks the application for the text that it wants to find in the session.
func (m *Manager) stamp(ctx context.Context, login *saml.Login) (string, error) {
	if m.config.Stamp == nil {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
	defer cancel()
	text, err := m.config.Stamp(ctx, login)
	if err != nil {
		return "", refused(err, "Config.Stamp")
	}
	if len(text) > maxStamp {
		return "", &saml.Error{Code: saml.CodeSession, Message: "Config.Stamp of package session returned a text that is too long", Got: fmt.Sprintf("%d bytes", len(text)),
			Want: fmt.Sprintf("at most %d", maxStamp), Hint: "Return a number or a short random text, and keep what is longer in the account."}
	}
	return text, nil
}

// mayBegin asks Validate about a session that is to begin. Without an answer it does not begin: the five minutes of check are counted from the
// last answer, and a session that began without one could be followed by another every five minutes. Store is not asked: it has no word on
// an ID that is new, and the login was claimed in it just before.
func (m *Manager) mayBegin(ctx context.Context, s *Session) error {
	if m.config.Validate == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
	defer cancel()
	if err := m.config.Validate(ctx, s); err != nil {
		return refused(err, "Config.Validate")
	}
	return nil
}

// refused returns why a session does not begin, as an *saml.Error that is err too.
func refused(err error, hook string) error {
	refusal := &saml.Error{Code: saml.CodeStore, Message: "nobody can tell whether the account may sign in, since " + hook + " of package session failed",
		Hint: "See why it failed: usually the service's own database does not answer. Then sign in again."}
	if errors.Is(err, ErrEnded) {
		refusal = &saml.Error{Code: saml.CodeAccountEnded, Message: "the account may not sign in to this service", Want: "an account that " + hook + " of package session lets begin a session",
			Hint: "Allow the account in this service, or take the user off the application at the identity provider. If all sessions of the account were ended just now, sign in again."}
	}
	return fmt.Errorf("%w: %w", refusal, err)
}

// end ends the session for all replicas until its cookie would be refused anyway.
func (m *Manager) end(ctx context.Context, s *Session) error {
	now := m.config.Now()
	e := m.checks.entry(s.ID, now)
	e.mu.Lock()
	e.ended = true
	e.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
	defer cancel()
	_, err := m.config.Store.Claim(ctx, storeKey(s), max(s.ExpiresAt.Sub(now), 0)+claimMargin)
	return err
}

func storeKey(s *Session) string {
	return storekey.Of(storekey.Session, s.Tenant, s.IdentityProvider, s.ID)
}

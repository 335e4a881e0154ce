package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/iomete/saml"
)

// SignIn begins a session for a login and ends the session that the browser had before. It sets no
// cookie if it refuses the login. The refusals are
//   - an error without a code: the login has a Purpose, such as a test, and must not sign anyone
//     in,
//   - CodeConfig: the service is on http, not on a loopback address, and Config.InsecureAllowHTTP is
//     not set,
//   - CodeSessionExpired: SessionNotOnOrAfter has passed by more than the largest clock skew, and
//     Config.AllowBeyondSessionNotOnOrAfter is not set,
//   - CodeAccountEnded and ErrEnded: Config.Validate or Config.Stamp refused the user,
//   - CodeDenied: Config.Validate or Config.Stamp returned an error of saml.Denied,
//   - CodeStore: Config.Validate, Config.Stamp or Config.Records failed,
//   - CodeSignedOut: the identity provider has ended the session of this user after it issued the
//     assertion (EndSessions),
//   - CodeSession: entity ID, tenant, e-mail address, NameID, object ID and stamp together are too long
//     for a cookie (with Config.Records: entity ID and tenant), or the stamp alone is; or, with
//     Config.Records, the assertion has more than 64 SessionIndexes.
//
// What does not fit into the cookie goes into Config.Records. Without Records, the groups, roles,
// attributes and long texts that do not fit are left out. The flags of the Session say so, and the
// login is not refused.
func (m *Manager) SignIn(w http.ResponseWriter, r *http.Request, login *saml.Login) error {
	if login.Purpose != "" {
		return fmt.Errorf("session: the login has the purpose %q, so it must not sign anyone in: "+
			"handle it where the Handler of that purpose is made, without SignIn", login.Purpose)
	}
	sp := saml.ProviderFromContext(r.Context())
	if sp != nil && !m.config.InsecureAllowHTTP && strings.HasPrefix(sp.RedirectURL(), "http:") && !onLoopback(sp) {
		return &saml.Error{
			Code:    saml.CodeConfig,
			Message: "the service is on http, where browsers drop the session's cookie",
			Got:     sp.RedirectURL(),
			Want:    "https",
			Hint: "Use a saml.Config.BaseURL with https. For development on this machine, " +
				"use http://localhost or another loopback address. For tests in a closed network, set " +
				"session.Config.InsecureAllowHTTP.",
		}
	}
	s, err := m.begin(r.Context(), login)
	if err != nil {
		return err
	}
	if sp != nil && onLoopback(sp) {
		s.cookie = m.cookieName(false)
	}
	if err := m.renew(w, r, s); err != nil {
		return err
	}
	m.claimPairs(r.Context(), s)
	if err := m.endAll(r); err != nil {
		m.report(r.Context(), "the earlier session could not be ended", err)
	}
	return nil
}

// begin returns the new session as its requests will find it, or the reason why none may begin.
func (m *Manager) begin(ctx context.Context, login *saml.Login) (*Session, error) {
	s, err := m.newSession(login)
	if err != nil {
		return nil, err
	}
	if err := m.notSignedOut(ctx, s); err != nil { // before Stamp, which may create an account
		return nil, err
	}
	if s.Stamp, err = m.stamp(ctx, login); err != nil {
		return nil, err
	}
	if m.config.Records == nil {
		if _, err := m.fit(s); err != nil {
			return nil, err
		}
	}
	return s, m.mayBegin(ctx, s)
}

func (m *Manager) newSession(login *saml.Login) (*Session, error) {
	now := m.config.Now()
	s := &Session{
		ID:               newID(),
		Identity:         login.Identity,
		Tenant:           login.Tenant,
		IdentityProvider: login.Assertion.Issuer.Value,
		StartedAt:        now,
		SeenAt:           now,
		ExpiresAt:        now.Add(m.config.Lifetime),
		Attributes:       kept(login.Assertion.Attributes, m.config.Keep),
		service:          serviceOf(login.EntityID),
		cookie:           m.cookieName(true),
	}
	if err := m.setSubject(s, login); err != nil {
		return nil, err
	}
	for _, statement := range login.Assertion.Statements {
		end := statement.SessionNotOnOrAfter
		if end.IsZero() || m.config.AllowBeyondSessionNotOnOrAfter {
			continue
		}
		if !now.Before(end.Add(maxClockSkew)) {
			return nil, &saml.Error{
				Code:    saml.CodeSessionExpired,
				Message: "the session at the identity provider is over",
				Got:     "SessionNotOnOrAfter " + showTime(end),
				Want:    "a time after " + showTime(now),
				Hint:    "Call SignIn right after the login has finished, and keep the server's clock right with NTP.",
			}
		}
		// end may even be in the past, within the clock skew that the response was accepted with.
		if least := now.Add(leastLifetime); end.Before(least) {
			end = least
		}
		if end.Before(s.ExpiresAt) {
			s.ExpiresAt = end
		}
	}
	return s, nil
}

func showTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// stamp asks the application for Session.Stamp.
func (m *Manager) stamp(ctx context.Context, login *saml.Login) (string, error) {
	if m.config.Stamp == nil {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
	defer cancel()
	text, err := m.config.Stamp(ctx, login)
	if !isNil(err) {
		return "", refused(err, "Config.Stamp")
	}
	if len(text) > maxStamp {
		return "", &saml.Error{
			Code:    saml.CodeSession,
			Message: "Config.Stamp of package session returned a text that is too long",
			Got:     fmt.Sprintf("%d bytes", len(text)),
			Want:    fmt.Sprintf("at most %d bytes", maxStamp),
			Hint: "Return a number or a short random text from session.Config.Stamp, " +
				"and keep longer data in the account.",
		}
	}
	return text, nil
}

// mayBegin asks Validate whether a session may begin. Without an answer it must not: check lets
// every session live for five minutes without an answer, so one session could follow another for as
// long as Validate fails. Store is not asked: it cannot know a new ID.
func (m *Manager) mayBegin(ctx context.Context, s *Session) error {
	if m.config.Validate == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
	defer cancel()
	if err := m.config.Validate(ctx, s); !isNil(err) {
		return refused(err, "Config.Validate")
	}
	return nil
}

// refused returns the reason why a session does not begin: an *saml.Error that also wraps err. hook
// is the field of Config that returned err.
func refused(err error, hook string) error {
	if errors.Is(err, saml.CodeDenied) {
		return err
	}
	refusal := &saml.Error{
		Code:    saml.CodeStore,
		Message: "it is unknown whether the account may sign in, because " + hook + " of package session failed",
		Hint: "Look up the cause in session.Config.Observe: usually the service's own database does not answer. " +
			"Then sign in again.",
	}
	if errors.Is(err, ErrEnded) {
		refusal = &saml.Error{
			Code:    saml.CodeAccountEnded,
			Message: "the account may not sign in to this service",
			Want:    "an account that " + hook + " of package session accepts",
			Hint: "Allow the account in this service, or remove the user from the application " +
				"at the identity provider. If all sessions of the account were ended just now, sign in again.",
		}
	}
	return fmt.Errorf("%w: %w", refusal, err)
}

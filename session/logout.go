package session

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/internal/logoutmark"
)

const (
	maxCookieIndexes = 8  // SessionIndexes of a session that is in a cookie
	maxIndexes       = 64 // and of one that is in a record
	maxLookedUp      = 64 // keys for Records.Highest

	// oldestAssertion is how long ago the assertion of a sign-in can have been issued. Package saml
	// refuses older ones.
	oldestAssertion = 24 * time.Hour

	// endTimeout is how long all marks of a LogoutRequest may take. Usually there are five, and at most
	// 584, which is one call of Records.Raise.
	endTimeout = 20 * time.Second
)

// ourEntityID stands for our own entity ID as SPNameQualifier of a NameID. A session knows only a
// digest of it, and no NameID can have this character.
const ourEntityID = "\x00"

// End implements saml.EndSessionFunc, for HandlerConfig.EndSession: it ends the session of r as
// SignOut does, and returns what the identity provider must be told to end its own session. That is
// nil if r has no session that counts for the settings of the Handler, or if these or the session's
// record cannot be read, which goes to the log. After an error the cookie is deleted, but the session
// may go on in a copy of it; the subject is not nil if it is known all the same. r must have come
// through the Handler, as for Session.
func (m *Manager) End(w http.ResponseWriter, r *http.Request) (*saml.LogoutSubject, error) {
	// The subject comes first: a sign-out deletes the record that may hold it.
	subject, err := m.subject(r)
	if err != nil && !errors.Is(err, saml.CodeConfig) { // the session ends all the same
		m.report(r.Context(), "a sign-out cannot be told to the identity provider", err)
		err = nil
	}
	return subject, errors.Join(err, m.SignOut(w, r))
}

func (m *Manager) subject(r *http.Request) (*saml.LogoutSubject, error) {
	s, _, err := m.find(r)
	if s == nil || err != nil {
		return nil, err
	}
	sp, err := saml.SessionProvider(r, s.Tenant)
	if sp == nil || err != nil {
		return nil, err
	}
	n := s.nameID
	if n.SPNameQualifier == ourEntityID {
		n.SPNameQualifier = sp.EntityID()
	}
	return &saml.LogoutSubject{
		Tenant:         s.Tenant,
		EntityID:       sp.EntityID(), // find compared it with the session
		Issuer:         s.IdentityProvider,
		NameID:         n,
		SessionIndexes: slices.Clone(s.SessionIndexes),
	}, nil
}

// EndSessions implements saml.EndSessionsFunc, for HandlerConfig.EndSessions: it ends the sessions that
// a LogoutRequest names, on all replicas, within 10 seconds. Sessions whose assertion was issued after
// the request, by the clock of the identity provider, go on. A sign-in with an older assertion that
// comes later is refused with CodeSignedOut.
//
// It needs Config.Records, where it raises marks: three for a request with a SessionIndex, five if
// the NameID is an e-mail address, more if the request has several SessionIndexes or has
// qualifiers. They are kept for a day, or for Config.Lifetime if that is longer. One call writes
// them all. Records must not lose them in a restart: the browser still has the cookie of a session
// that was ended without it. An error means that some sessions may go on: one with CodeConfig if
// there are no Records, or if the request is unsigned and Config.AllowUnsignedLogout is not set;
// one with CodeStore if Records failed. Repeating the call does no harm and completes what is
// missing.
func (m *Manager) EndSessions(ctx context.Context, l *saml.Logout) error {
	if err := m.mayEnd(l); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	keys, err := m.keysToRaise(ctx, l)
	if len(keys) > 0 { // none after an error
		err = m.config.Records.Raise(ctx, keys, l.IssueInstant, m.markLifetime())
	}
	if !isNil(err) {
		return recordsFailed("the sessions that the identity provider ends could not be ended", err)
	}
	return nil
}

// mayEnd refuses a request that these settings, or a mistake of the caller, do not let end anything.
func (m *Manager) mayEnd(l *saml.Logout) error {
	refuse := func(field, message, hint string) error {
		return &saml.Error{Code: saml.CodeConfig, Field: field, Message: message, Hint: hint}
	}
	switch {
	case m.config.Records == nil:
		return refuse("Records",
			"a logout at the identity provider cannot end sessions, because session.Config.Records is not set",
			"Set session.Config.Records (sqlstore.Records, or new(session.MemoryRecords) for a single process), "+
				"or leave saml.HandlerConfig.EndSessions empty.")
	case l.Unsigned && !m.config.AllowUnsignedLogout:
		return refuse("AllowUnsignedLogout",
			"the LogoutRequest is not signed, and session.Config.AllowUnsignedLogout is not set",
			"Let the identity provider sign its logout messages. If it cannot, set session.Config.AllowUnsignedLogout "+
				"together with saml.Config.AllowUnsignedLogout, and read there what it weakens.")
	case l.IssueInstant.IsZero():
		return refuse("", "the Logout has no IssueInstant, so nobody can tell which sessions are older",
			"Pass the Logout on to EndSessions as HandlerConfig.EndSessions gets it.")
	}
	return nil
}

// markLifetime is how long a mark is kept: no session that it ends, and no assertion that it makes
// late, lasts longer.
func (m *Manager) markLifetime() time.Duration {
	return logoutmark.Lifetime(m.config.Lifetime+m.afterlife(), oldestAssertion, maxClockSkew)
}

// keysToRaise returns the keys of the marks for a request. For an unsigned one they are those of pairs
// that a sign-in has claimed, and without such a pair there are none.
func (m *Manager) keysToRaise(ctx context.Context, l *saml.Logout) (keys []string, err error) {
	at := logoutmark.Service{
		Tenant:   l.Tenant,
		EntityID: serviceOf(l.EntityID).text(),
		Issuer:   l.Issuer,
	}
	if !l.Unsigned {
		n := withoutEntityID(l.NameID, l.EntityID)
		return logoutmark.Request{NameID: compared(n), Indexes: l.SessionIndexes}.Keys(at), nil
	}
	return m.keysOfClaimed(ctx, logoutmark.Pairs(at, l.NameID.Value, l.SessionIndexes))
}

// keysOfClaimed returns the keys of the marks for those pairs that a sign-in has claimed. It asks about
// all at once, and then about each half of what has a claimed one: for most strangers that is one
// question, and with one claimed pair among 64 there are 13.
func (m *Manager) keysOfClaimed(ctx context.Context, pairs []logoutmark.Pair) ([]string, error) {
	claimed, err := m.highest(ctx, claimsOf(pairs))
	switch {
	case err != nil || claimed.IsZero():
		return nil, err
	case len(pairs) == 1:
		return []string{pairs[0].Mark}, nil
	}
	middle := len(pairs) / 2
	first, err := m.keysOfClaimed(ctx, pairs[:middle])
	if err != nil {
		return nil, err
	}
	second, err := m.keysOfClaimed(ctx, pairs[middle:])
	return append(first, second...), err
}

func claimsOf(pairs []logoutmark.Pair) []string {
	claims := make([]string, len(pairs))
	for i, p := range pairs {
		claims[i] = p.Claim
	}
	return claims
}

// setSubject notes what logouts know a new session by.
func (m *Manager) setSubject(s *Session, login *saml.Login) error {
	subject := login.LogoutSubject()
	s.issued = time.Unix(subject.IssueInstant.Unix(), 0)
	s.nameID = withoutEntityID(subject.NameID, login.EntityID)
	s.SessionIndexes = subject.SessionIndexes
	if own := slices.Index(s.SessionIndexes, subject.AssertionID); own >= 0 {
		s.SessionIndexes[0], s.SessionIndexes[own] = s.SessionIndexes[own], s.SessionIndexes[0]
		s.ownIndex = true
	}
	switch n := len(s.SessionIndexes); {
	case m.config.Records == nil && n > maxCookieIndexes: // the identity provider cannot end sessions here
		s.SessionIndexes = s.SessionIndexes[:maxCookieIndexes]
		s.TextsTruncated = true
	case n > maxIndexes: // a session that forgot one could not be ended by it
		return &saml.Error{
			Code:    saml.CodeSession,
			Message: "the assertion has too many SessionIndexes",
			Got:     strconv.Itoa(n),
			Want:    "at most " + strconv.Itoa(maxIndexes),
			Hint:    "Let the identity provider send one AuthnStatement for each sign-in.",
		}
	}
	return nil
}

// withoutEntityID returns a NameID with ourEntityID in the place of our entity ID.
func withoutEntityID(n saml.NameID, entityID string) saml.NameID {
	if n.SPNameQualifier == entityID && entityID != "" {
		n.SPNameQualifier = ourEntityID
	}
	return n
}

func compared(n saml.NameID) logoutmark.NameID {
	return logoutmark.NameID{Value: n.Value, NameQualifier: n.NameQualifier, SPNameQualifier: n.SPNameQualifier}
}

func (s *Session) markService() logoutmark.Service {
	return logoutmark.Service{Tenant: s.Tenant, EntityID: s.service.text(), Issuer: s.IdentityProvider}
}

func (s *Session) pairs() []logoutmark.Pair {
	return logoutmark.Pairs(s.markService(), s.nameID.Value, s.SessionIndexes)
}

// markKeys returns the keys of all marks that can end the session: 9 or 10 with one SessionIndex, and
// five more for each other one. Those of pairs are among them whatever the settings are, so that no
// session comes back when Config.AllowUnsignedLogout is switched off.
func (s *Session) markKeys() []string {
	named := logoutmark.Session{
		NameID:  compared(s.nameID),
		Email:   s.nameID.Format == formatEmail || s.nameID.Value == s.Identity.Email,
		Indexes: s.SessionIndexes,
	}
	if s.ownIndex {
		named.AssertionID = s.SessionIndexes[0]
	}
	keys := named.Keys(s.markService())
	for _, p := range s.pairs() {
		keys = append(keys, p.Mark)
	}
	return keys
}

// signedOut reports whether the identity provider has ended the session. It asks Records once; with a
// dozen SessionIndexes or more, once for each dozen.
func (m *Manager) signedOut(ctx context.Context, s *Session) (bool, error) {
	if m.config.Records == nil {
		return false, nil
	}
	mark, err := m.highest(ctx, s.markKeys())
	return err == nil && !mark.IsZero() && logoutmark.HasEnded(s.issued, mark), err
}

// highest returns the latest mark under any number of keys, the zero time if there is none.
func (m *Manager) highest(ctx context.Context, keys []string) (latest time.Time, err error) {
	for some := range slices.Chunk(keys, maxLookedUp) {
		mark, err := m.config.Records.Highest(ctx, some...)
		if !isNil(err) {
			return time.Time{}, err
		}
		if latest.IsZero() || mark.After(latest) {
			latest = mark
		}
	}
	return latest, nil
}

// notSignedOut refuses a session whose assertion was issued before a logout of its user: it was late
// (SAML Core 2.0 §3.7.3.1). Without an answer no session begins, as in mayBegin.
func (m *Manager) notSignedOut(ctx context.Context, s *Session) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
	defer cancel()
	out, err := m.signedOut(ctx, s)
	switch {
	case err != nil:
		return recordsFailed("it is unknown whether the user was signed out at the identity provider", err)
	case out:
		return &saml.Error{
			Code:    saml.CodeSignedOut,
			Message: "the user was signed out at the identity provider after the assertion was issued",
			Got:     "IssueInstant " + showTime(s.issued),
			Want:    "an assertion that was issued after the logout",
		}
	}
	return nil
}

// claimPairs notes what an unsigned LogoutRequest may end. A failure keeps nobody from signing in: such
// a request does not reach the session then.
func (m *Manager) claimPairs(ctx context.Context, s *Session) {
	if !m.config.AllowUnsignedLogout {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
	defer cancel()
	claims := claimsOf(s.pairs())
	if len(claims) == 0 { // the sign-in has no SessionIndex, so nobody can name it exactly
		return
	}
	lifetime := max(s.ExpiresAt.Sub(m.config.Now()), 0) + claimMargin
	if err := m.config.Records.Raise(ctx, claims, s.issued, lifetime); !isNil(err) {
		m.report(ctx, "unsigned logouts will not reach a session, because its NameID could not be saved", err)
	}
}

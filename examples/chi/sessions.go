package main

import (
	"context"
	"encoding/gob"
	"errors"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/iomete/saml"
)

// sessions implements saml.Sessions with sessions of scs. A session holds the ID of a user, so a
// user who is changed or disabled is so at the next request.
type sessions struct {
	*scs.SessionManager
	users   *users
	logouts logouts
}

// The values of a session.
const (
	userID           = "user"
	identityProvider = "identity provider" // entity ID
	service          = "service"           // our own entity ID
	logoutSubject    = "logout subject"    // what logouts at the identity provider must know
)

func init() { gob.Register(&saml.LogoutSubject{}) } // scs encodes the values of a session with gob

// newSessions returns sessions in store, for the accounts of users.
func newSessions(users *users, store scs.Store, secure bool) *sessions {
	manager := scs.New()
	manager.Store, manager.HashTokenInStore = store, true
	manager.IdleTimeout, manager.Lifetime = 2*time.Hour, 12*time.Hour
	manager.Cookie.Name = "session"
	if secure { // __Host-: no other host can set the cookie
		manager.Cookie.Name, manager.Cookie.Secure = "__Host-session", true
	}
	return &sessions{SessionManager: manager, users: users}
}

// SignIn implements saml.Sessions. The session that the browser had before ends, and with it what
// was in it: a token that an attacker knows is of no use (session fixation).
func (s *sessions) SignIn(_ http.ResponseWriter, r *http.Request, login *saml.Login) error {
	if login.Purpose != "" {
		return errors.New("a login with a purpose, such as a test, signs nobody in")
	}
	subject := login.LogoutSubject()
	if s.logouts.end(subject) { // before the account is made
		return &saml.Error{Code: saml.CodeSignedOut, Message: "the response is older than a logout of its user"}
	}
	u, err := s.users.signIn(login)
	if err != nil {
		return err
	}
	ctx := r.Context()
	if err := errors.Join(s.Clear(ctx), s.RenewToken(ctx)); err != nil {
		return err
	}
	for _, statement := range login.Assertion.Statements {
		if end := statement.SessionNotOnOrAfter; !end.IsZero() && end.Before(s.Deadline(ctx)) {
			// The clocks of two servers differ: a session that is over at once would be a redirect loop.
			s.SetDeadline(ctx, latest(end, time.Now().Add(leastSession)))
		}
	}
	s.Put(ctx, userID, u.ID)
	s.Put(ctx, identityProvider, login.Assertion.Issuer.Value)
	s.Put(ctx, service, login.EntityID)
	s.Put(ctx, logoutSubject, subject)
	return nil
}

const leastSession = 3 * time.Minute // saml.Config.ClockSkew

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// SignedIn implements saml.Sessions. While it is not known who is signed in, no login begins: the
// page answers with status 503.
func (s *sessions) SignedIn(r *http.Request) bool {
	u, err := s.user(r)
	return u != nil || err != nil
}

// Authenticate implements saml.Sessions: pages find the user with userFrom.
func (s *sessions) Authenticate(_ http.ResponseWriter, r *http.Request) (*http.Request, error) {
	u, err := s.user(r)
	if u == nil || err != nil {
		return nil, err
	}
	return r.WithContext(context.WithValue(r.Context(), userKey{}, u)), nil
}

// user returns who is signed in, nil if nobody is. A session must fit the settings of now: another
// identity provider, or another service with the same store of sessions, has other users.
func (s *sessions) user(r *http.Request) (*user, error) {
	ctx := r.Context()
	id, signedIn := s.Get(ctx, userID).(int)
	if !signedIn {
		return nil, nil
	}
	sp, err := saml.SessionProvider(r, "") // "" is the only tenant
	if sp == nil || err != nil {
		return nil, err
	}
	idp, err := sp.IdentityProvider(ctx)
	if err != nil {
		return nil, err
	}
	if s.GetString(ctx, identityProvider) != idp.EntityID() || s.GetString(ctx, service) != sp.EntityID() {
		return nil, nil
	}
	if subject := s.subject(ctx); subject == nil || s.logouts.end(subject) {
		return nil, nil
	}
	return s.users.enabled(id), nil
}

func (s *sessions) subject(ctx context.Context) *saml.LogoutSubject {
	subject, _ := s.Get(ctx, logoutSubject).(*saml.LogoutSubject)
	return subject
}

type userKey struct{}

// userFrom returns the user of a request that came through Require.
func userFrom(ctx context.Context) *user {
	u, _ := ctx.Value(userKey{}).(*user)
	return u
}

package session

import (
	"context"
	"fmt"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/internal/storekey"
)

// A key has two marks in Config.Store. Each lives as long as the longest session. They never
// change, because replicas of two releases share them.
const (
	markEnded       = "ended"       // sessions of the key that began before this mark have ended
	markCompromised = "compromised" // all sessions of the key have ended, and none may begin
)

// EndSessionsOfKey ends all sessions whose sign-in was signed with a key, on all replicas within
// ten seconds. It is for a key that is compromised: until the longest session would be over
// (Config.Lifetime, and ten minutes), no session begins with the key either, and sign-ins are
// refused with saml.CodeKeyEnded. It does not remove the key: until somebody removes it at the
// identity provider or from the settings, sign-ins with it are accepted again after that time.
//
// Session.SigningKey and TrustedKey.ID name keys. After an error it is not known whether the
// sessions have ended: call it again. Another call does no harm, and does not make the time longer.
// The error is a *saml.Error: CodeConfig if the key or its issuer is missing, CodeStore if
// Config.Store failed.
func (m *Manager) EndSessionsOfKey(ctx context.Context, k saml.IssuerKey) error {
	// in this order: a session that begins in between is ended by the second mark
	return m.markKey(ctx, k, markCompromised, markEnded)
}

// EndSessionsOfRemovedKey ends all sessions whose sign-in was signed with a key, on all replicas
// within ten seconds. It is for saml.MetadataSourceConfig.EndSessionsOfRemovedKeys: the identity
// provider has removed the key. The errors are those of EndSessionsOfKey.
//
// The Store remembers the key for as long as the longest session lasts. A sign-in with the key that
// a replica accepts in this time begins a session of at most one hour: the identity provider
// publishes the key again, or this replica has not noticed yet that it is gone. Another removal
// does not end such a session before its time; EndSessionsOfKey does.
func (m *Manager) EndSessionsOfRemovedKey(ctx context.Context, k saml.IssuerKey) error {
	return m.markKey(ctx, k, markEnded)
}

// markKey claims marks of a key. One that is there already serves as well: sessions that it does
// not end began after it.
func (m *Manager) markKey(ctx context.Context, k saml.IssuerKey, marks ...string) error {
	if k.Issuer == "" || k.Key == (saml.KeyID{}) {
		return &saml.Error{Code: saml.CodeConfig, Message: "the key whose sessions are to end is not named completely",
			Got: fmt.Sprintf("issuer %q, key %s", k.Issuer, k.Key), Want: "the entity ID of the identity provider, and a key",
			Hint: "Take saml.IssuerKey.Issuer from Session.IdentityProvider, and Key from Session.SigningKey or TrustedKey.ID."}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
	defer cancel()
	for _, mark := range marks {
		if _, err := m.config.Store.Claim(ctx, keyMark(k, mark), m.config.Lifetime+m.afterlife()+claimMargin); !isNil(err) {
			return fmt.Errorf("%w: %w", &saml.Error{Code: saml.CodeStore,
				Message: "it is unknown whether the sessions of the key have ended, because Config.Store of package session failed",
				Hint:    "See why the store failed, and end the sessions of the key again."}, err)
		}
	}
	return nil
}

// returnedLifetime is how long a session lasts that begins with a key whose sessions have ended.
const returnedLifetime = time.Hour

func keyMark(k saml.IssuerKey, mark string) string {
	return storekey.OfTenant(storekey.Key, k.Tenant, k.Issuer, string(k.Key[:]), mark)
}

func (s *Session) issuerKey() saml.IssuerKey {
	return saml.IssuerKey{Tenant: s.Tenant, Issuer: s.IdentityProvider, Key: s.SigningKey}
}

// ends returns the keys of the Store of which any ends the session.
func (s *Session) ends() []string {
	switch {
	case s.SigningKey == saml.KeyID{}:
		return []string{storeKey(s)}
	case s.keyReturned: // it began after the other mark
		return []string{storeKey(s), keyMark(s.issuerKey(), markCompromised)}
	}
	return []string{storeKey(s), keyMark(s.issuerKey(), markEnded)}
}

// mayUseKey asks whether a session may begin with the key of its sign-in, and notes whether the key
// has come back. Without an answer it must not begin: it could be ended at once, and that would be
// a redirect loop.
func (m *Manager) mayUseKey(ctx context.Context, s *Session) error {
	if s.SigningKey == (saml.KeyID{}) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
	defer cancel()
	compromised, errCompromised := m.config.Store.Claimed(ctx, keyMark(s.issuerKey(), markCompromised))
	returned, errEnded := m.config.Store.Claimed(ctx, keyMark(s.issuerKey(), markEnded))
	for _, err := range []error{errCompromised, errEnded} {
		if !isNil(err) {
			return refused(err, "Config.Store")
		}
	}
	if compromised {
		return &saml.Error{Code: saml.CodeKeyEnded,
			Message: "the sign-in was signed with a key whose sessions were ended by hand",
			Got:     "the key " + s.SigningKey.String()}
	}
	if s.keyReturned = returned; returned {
		if end := s.StartedAt.Add(returnedLifetime); end.Before(s.ExpiresAt) {
			s.ExpiresAt = end
		}
	}
	return nil
}

// The block of the signing key in a plaintext: one of these bytes, and the key unless there is
// none.
const (
	noKey = iota
	withKey
	withReturnedKey
)

func (e *encoder) signingKey(s *Session) {
	switch {
	case s.SigningKey == saml.KeyID{}:
		e.b = append(e.b, noKey)
	case s.keyReturned:
		e.b = append(append(e.b, withReturnedKey), s.SigningKey[:]...)
	default:
		e.b = append(append(e.b, withKey), s.SigningKey[:]...)
	}
}

func (d *decoder) signingKey(s *Session) {
	kind := d.byte()
	if kind != noKey {
		copy(s.SigningKey[:], d.take(len(s.SigningKey)))
	}
	s.keyReturned = kind == withReturnedKey
	d.refuse(kind > withReturnedKey || kind != noKey && s.SigningKey == saml.KeyID{})
}

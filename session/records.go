package session

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/internal/seal"
	"github.com/iomete/saml/internal/storekey"
)

// Records keeps values on the server, for all replicas: sessions that are too large for a cookie. It
// also keeps the marks of logouts, which say what the identity provider has ended. Package sqlstore
// has Records for databases, and MemoryRecords is for a single process. Other implementations are
// tested with storetest.RunRecords.
//
// Keys are printable ASCII of at most 64 bytes, beginning with "v1/rec/" for values and with
// "v1/out/" for marks. Then follow 12 characters that are the same in all keys of a tenant, "/",
// and a hash. Records of bounded size should bound each tenant by them: a tenant's identity
// provider decides how much it makes a service write, and it must not take the room of other
// tenants. Values are sealed bytes. They have at most about 1 MiB, as a SAML response has, and a
// few KiB in practice. The key of a record is a hash of a random ID that only the user's cookie
// holds, so whoever reads or changes the records cannot sign in with them. A changed record ends
// its session.
type Records interface {
	// Put saves value under key for lifetime, in place of an earlier value. When it has returned nil,
	// Get on any replica returns the same bytes until lifetime has passed. Put must not keep the
	// slice: the caller may change it. After an error it is unknown whether the value was saved. A
	// lifetime of zero or less is an error.
	Put(ctx context.Context, key string, value []byte, lifetime time.Duration) error

	// Get returns the value of key. It returns false without an error only if there is certainly no
	// value: it was never saved, its lifetime has passed, or it was deleted. The user has to sign in
	// again then. After an error the request gets status 503. The caller may change the slice.
	Get(ctx context.Context, key string) (value []byte, found bool, err error)

	// Delete deletes the value of key, if there is one.
	Delete(ctx context.Context, key string) error

	// Raise records a mark under each of the keys for lifetime. A mark is a time in whole seconds: the
	// fraction is cut off. If there is a mark under a key already, the later of the two stays, for the
	// longer of the two lifetimes: neither ever goes back, in whatever order and however often the
	// calls of all replicas arrive. When it has returned nil, Highest on any replica takes all the
	// marks into account. After an error it is unknown which of them were recorded; another call does
	// no harm. A lifetime of zero or less is an error. If there is no room, Raise fails, and Put still
	// works.
	//
	// There are at most 600 keys, each once, all of one tenant. It is one question to a database,
	// because a logout with many sessions waits for it.
	Raise(ctx context.Context, keys []string, mark time.Time, lifetime time.Duration) error

	// Highest returns the latest of the marks under the keys whose lifetime has not passed, and the
	// zero time if there is none. There are at most 64 keys. It is one question to a database, because
	// it is asked for each session every few seconds.
	Highest(ctx context.Context, keys ...string) (mark time.Time, err error)
}

const (
	recordSize    = 32                    // random bytes of a record's ID
	recordPurpose = "saml session record" // no other sealed value, such as a cookie, opens as a record
)

// recordKey returns where the record of s is. Without the cookie nobody can compute it.
func recordKey(s *Session) string {
	return storekey.OfTenant(storekey.Record, s.Tenant, s.service.text(), s.ID, s.record)
}

// recordContext binds the seal of a record to the tenant, the service, and by the key to the session
// and its cookie. So no record can take the place of another.
func recordContext(s *Session) seal.Context {
	return seal.Context{
		Purpose:  recordPurpose,
		Name:     recordKey(s),
		Tenant:   s.Tenant,
		EntityID: s.service.text(),
	}
}

// saveRecord moves s into a new record. On error s is unchanged.
func (m *Manager) saveRecord(ctx context.Context, s *Session) error {
	id := make([]byte, recordSize)
	rand.Read(id) // never fails
	saved := *s
	saved.record = string(id)
	if len(m.seal(&saved)) > maxCookie {
		return tooLong(s)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
	defer cancel()
	value := m.sealer.SealBytes(recordContext(&saved), encode(&saved))
	lifetime := max(s.ExpiresAt.Sub(m.config.Now()), 0) + m.afterlife() + claimMargin
	if err := m.config.Records.Put(ctx, recordKey(&saved), value, lifetime); !isNil(err) {
		return recordsFailed("the session could not be saved", err)
	}
	s.record = saved.record
	return nil
}

// recordsFailed returns an *saml.Error about what did not work, which also wraps err, the error of
// Config.Records.
func recordsFailed(what string, err error) error {
	return fmt.Errorf("%w: %w", &saml.Error{
		Code:    saml.CodeStore,
		Message: what + ", because Config.Records of package session failed",
		Hint: "Look up the cause in the error that this one wraps: usually the service's own database " +
			"does not answer, or a table of the records is missing. Then try again.",
	}, err)
}

// loadRecord completes a session that is in a record. It returns errUnknown if the record cannot be
// read now, and ErrEnded if there is no record that belongs to the session. It never returns nil for
// a session that is not complete. e is the entry of the session.
func (m *Manager) loadRecord(ctx context.Context, s *Session, e *checked) error {
	if s.record == "" || s.Identity != nil {
		return nil
	}
	if e.isEnded() {
		return ErrEnded
	}
	ctx, cancel := m.recordTime(ctx)
	defer cancel()
	if m.config.Records == nil {
		return m.lost(ctx, s, e, "a session is in a record, but session.Config.Records is not set in this process")
	}
	at := recordContext(s)
	value, found, err := m.config.Records.Get(ctx, at.Name)
	if !isNil(err) {
		if e.mayWarn(m.config.Now()) {
			m.report(ctx, "the record of a session cannot be read", err)
		}
		return errUnknown
	}
	if !found {
		return m.lost(ctx, s, e, "the record of a session is missing: it was deleted, "+
			"or the replicas do not share session.Config.Records")
	}
	if !m.openRecord(s, at, value) {
		return m.lost(ctx, s, e, "the record of a session cannot be opened: it was changed, "+
			"or another release wrote it, or its key is no longer in session.Config.Keys")
	}
	return nil
}

// recordTime returns the context for reading a record. MemoryRecords asks a context for nothing, and
// answers at once: a timer for each request would cost more than the answer.
func (m *Manager) recordTime(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := m.config.Records.(*MemoryRecords); ok {
		return context.WithoutCancel(ctx), func() {}
	}
	return context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
}

// openRecord completes a session from the value of its record, which is at this place, and reports
// whether it is the record of the session: otherwise s is unchanged. What the cookie says too must be
// the same there. The cookie is newer, so its SeenAt counts.
func (m *Manager) openRecord(s *Session, at seal.Context, value []byte) bool {
	plaintext, ok := m.sealer.OpenBytes(at, value)
	if !ok {
		return false
	}
	var whole Session
	err := decodeInto(&whole, &saml.Identity{}, plaintext, s.Tenant)
	if err != nil || whole.ID != s.ID || whole.service != s.service ||
		whole.IdentityProvider != s.IdentityProvider || !whole.ExpiresAt.Equal(s.ExpiresAt) {
		return false
	}
	whole.SeenAt, whole.record, whole.cookie = s.SeenAt, s.record, s.cookie
	*s = whole
	return true
}

var errLost = errors.New("session: the user must sign in again")

// lost returns ErrEnded for a session whose record cannot be used, and reports why. A session that
// was ended has no record, which is no fault.
func (m *Manager) lost(ctx context.Context, s *Session, e *checked, why string) error {
	if !e.mayWarn(m.config.Now()) {
		return ErrEnded
	}
	if ended, err := m.config.Store.Claimed(ctx, storeKey(s)); err != nil || !ended {
		m.report(ctx, why, errLost)
	}
	return ErrEnded
}

// deleteRecord deletes the record of an ended session, if it has one. An error is no reason to tell
// the user that the sign-out failed: the session is over, and the record ends with its lifetime.
func (m *Manager) deleteRecord(ctx context.Context, s *Session) {
	if s.record == "" || m.config.Records == nil {
		return
	}
	if err := m.config.Records.Delete(ctx, recordKey(s)); !isNil(err) {
		m.report(ctx, "the record of an ended session could not be deleted", err)
	}
}

func (e *checked) isEnded() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.ended
}

// mayWarn reports whether a fault of the session's record may be logged, which is so every ten
// seconds for each session and process.
func (e *checked) mayWarn(now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if now.Sub(e.warned) < askEvery {
		return false
	}
	e.warned = now
	return true
}

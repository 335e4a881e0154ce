package saml

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/iomete/saml/internal/expiry"
	"github.com/iomete/saml/internal/storekey"
)

// A Store remembers, for all replicas of a service together, which keys were used up: answered
// requests, consumed assertions, ended sessions. Keys are printable ASCII of at most 64 bytes
// beginning with "v1/": "v1/", the kind, "/", 12 characters that are the same in all keys of a
// tenant, "/", and a hash. A Store of bounded size should bound each tenant by them: an identity
// provider can sign any number of responses, and must not take the room of other tenants.
//
// A Store that forgets when the process restarts implements ForgetfulStore too. A Store that wraps
// another one, for metrics or logs, passes on the methods of both: a MemoryStore whose
// RemembersSince is hidden counts as one that forgets nothing, and responses that were used before
// a restart would sign in again.
//
// Implementations are tested with package storetest.
type Store interface {
	// Claim records key for ttl and reports whether it was free. It is atomic: of any number of
	// concurrent calls with one key, on any number of replicas, exactly one gets true until ttl has
	// passed. A live entry is never dropped. After an error it is unknown whether the key was
	// recorded; callers refuse and do not try again.
	Claim(ctx context.Context, key string, ttl time.Duration) (first bool, err error)

	// Claimed reports whether key is recorded and its ttl has not passed, without recording
	// anything.
	Claimed(ctx context.Context, key string) (bool, error)
}

// A ForgetfulStore is a Store that keeps nothing over a restart. A ServiceProvider refuses logins
// and responses that are older than the store's memory, since nobody can tell whether they were
// used up.
type ForgetfulStore interface {
	Store

	// RemembersSince returns the time at which the store began to remember: no claim made since
	// then is forgotten before its ttl has passed. The zero time means that the store forgets
	// nothing, as one without this method does; a wrapper returns it if the Store inside is no
	// ForgetfulStore. The time is that of the clock that the process checks responses with.
	RemembersSince() time.Time
}

const (
	// maxMemoryEntries bounds what one tenant has in a MemoryStore: about 100 MB. It is reached only
	// by that many logins within an hour or so. All tenants together have at most twice as many, and
	// ownMemoryEntries.
	maxMemoryEntries = 1_000_000
	// ownMemoryEntries is what each tenant may have even if others have taken the rest: about 1 MB.
	ownMemoryEntries = 10_000
)

// A MemoryStore is a Store for one process: what it knows is neither shared nor kept over a
// restart. It is a ForgetfulStore. Hashes stand for the keys in it, so a key takes about 100 bytes
// whatever its length, and the garbage collector does not look at them. Keys that end make room for
// others; of the memory, more than half stays.
type MemoryStore struct {
	now  func() time.Time
	made time.Time

	mu   sync.Mutex
	keys *expiry.Map[struct{}]
}

// NewMemoryStore returns an empty store with the clock of the system.
func NewMemoryStore() *MemoryStore { return NewMemoryStoreWithClock(time.Now) }

// NewMemoryStoreWithClock returns an empty store with a clock of your own, that of Config.Now: the
// times to live and RemembersSince are by it. nil stands for time.Now.
func NewMemoryStoreWithClock(now func() time.Time) *MemoryStore {
	if now == nil {
		now = time.Now
	}
	made := now()
	return &MemoryStore{now: now, made: made,
		keys: expiry.New[struct{}](made, storekey.Room{Size: 2 * maxMemoryEntries, Each: ownMemoryEntries})}
}

// RemembersSince implements ForgetfulStore. It returns when the MemoryStore was made.
func (m *MemoryStore) RemembersSince() time.Time { return m.made }

// Claim implements Store. It fails when the tenant of the key has a million live entries, or fewer
// if other tenants have very many: a tenant may have as many as there is room for then, and always
// 10,000. So no tenant keeps another one from signing in.
func (m *MemoryStore) Claim(ctx context.Context, key string, ttl time.Duration) (bool, error) {
	id, tenant := m.keys.ID(key), storekey.TenantOf(key)
	for {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		if ttl <= 0 {
			return false, errors.New("saml: a claim needs a time to live above zero")
		}
		switch m.claim(id, tenant, ttl) {
		case claimFirst:
			return true, nil
		case claimTaken:
			return false, nil
		case claimFull:
			return false, errors.New("saml: the memory store is full of live entries of this tenant: " +
				"keep them in a database (package sqlstore)")
		}
	}
}

// An outcome is what became of one attempt to claim a key.
type outcome int

const (
	claimFirst outcome = iota // the key is recorded
	claimTaken                // it was recorded before
	claimFull                 // there is no room
	claimAgain                // there is no room, but entries that have ended can be dropped
)

// claim locks the store for one attempt. It drops some of what has ended, not all: a million entries
// can end in one moment, and whoever came next would stop everybody else for a second.
func (m *MemoryStore) claim(id expiry.ID, tenant storekey.Tenant, ttl time.Duration) outcome {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	more := m.keys.Drop(now)
	if _, live := m.keys.Get(id, now); live {
		return claimTaken
	}
	switch {
	case m.keys.Put(id, tenant, struct{}{}, now, ttl):
		return claimFirst
	case more:
		return claimAgain
	}
	return claimFull
}

// Claimed implements Store.
func (m *MemoryStore) Claimed(ctx context.Context, key string) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	id := m.keys.ID(key)
	m.mu.Lock()
	defer m.mu.Unlock()
	_, live := m.keys.Get(id, m.now())
	return live, nil
}

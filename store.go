package saml

import (
	"container/heap"
	"context"
	"errors"
	"sync"
	"time"

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
	// maxMemoryEntries bounds what one tenant has in a MemoryStore: about 200 MB. It is reached only
	// by that many logins within an hour or so. All tenants together have at most twice as many, and
	// ownMemoryEntries.
	maxMemoryEntries = 1_000_000
	// ownMemoryEntries is what each tenant may have even if others have taken the rest: about 2 MB.
	ownMemoryEntries = 10_000
)

// A MemoryStore is a Store for one process: what it knows is neither shared nor kept over a
// restart. It is a ForgetfulStore.
type MemoryStore struct {
	now  func() time.Time
	made time.Time

	mu      sync.Mutex
	room    storekey.Room        // one for each live entry
	entries map[string]time.Time // key -> when it ends
	order   endings
}

// NewMemoryStore returns an empty store with the clock of the system.
func NewMemoryStore() *MemoryStore { return NewMemoryStoreWithClock(time.Now) }

// NewMemoryStoreWithClock returns an empty store with a clock of your own, that of Config.Now: the
// times to live and RemembersSince are by it. nil stands for time.Now.
func NewMemoryStoreWithClock(now func() time.Time) *MemoryStore {
	if now == nil {
		now = time.Now
	}
	return &MemoryStore{now: now, made: now(), entries: map[string]time.Time{},
		room: storekey.Room{Size: 2 * maxMemoryEntries, Each: ownMemoryEntries}}
}

// RemembersSince implements ForgetfulStore. It returns when the MemoryStore was made.
func (m *MemoryStore) RemembersSince() time.Time { return m.made }

// Claim implements Store. It fails when the tenant of the key has a million live entries, or fewer
// if other tenants have very many: a tenant may have as many as there is room for then, and always
// 10,000. So no tenant keeps another one from signing in.
func (m *MemoryStore) Claim(ctx context.Context, key string, ttl time.Duration) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if ttl <= 0 {
		return false, errors.New("saml: a claim needs a time to live above zero")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	m.drop(now)
	if end, ok := m.entries[key]; ok && now.Before(end) {
		return false, nil
	}
	if !m.room.Fits(key, 1) {
		return false, errors.New("saml: the memory store is full of live entries of this tenant: " +
			"keep them in a database (package sqlstore)")
	}
	m.room.Add(key, 1)
	end := now.Add(ttl)
	m.entries[key] = end
	heap.Push(&m.order, ending{key, end})
	return true, nil
}

// Claimed implements Store.
func (m *MemoryStore) Claimed(ctx context.Context, key string) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	end, ok := m.entries[key]
	return ok && m.now().Before(end), nil
}

// drop forgets the entries that have ended. Each is dropped once, so a call costs what earlier
// calls put in.
func (m *MemoryStore) drop(now time.Time) {
	for len(m.order) > 0 && !now.Before(m.order[0].end) {
		key := heap.Pop(&m.order).(ending).key
		delete(m.entries, key)
		m.room.Add(key, -1)
	}
}

// endings is a heap of entries; the one that ends first is on top.
type endings []ending

type ending struct {
	key string
	end time.Time
}

func (e endings) Len() int           { return len(e) }
func (e endings) Less(i, j int) bool { return e[i].end.Before(e[j].end) }
func (e endings) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *endings) Push(x any)        { *e = append(*e, x.(ending)) }
func (e *endings) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

package session

import (
	"bytes"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/iomete/saml/internal/expiry"
	"github.com/iomete/saml/internal/storekey"
)

const (
	// maxMemoryRecords bounds the values of one tenant in a MemoryRecords, in bytes. It is enough for the
	// sessions of 50,000 users in 150 groups each. All tenants together have at most twice as much, and
	// ownMemoryRecords.
	maxMemoryRecords = 256 << 20
	// ownMemoryRecords is what each tenant may have even if others have taken the rest, in bytes.
	ownMemoryRecords = 4 << 20
	// dropsInPut is how many ended values one Put drops at most, so that it does not hold up the others
	// for long. It must be more than one, since a Put adds one.
	dropsInPut = 32
)

// MemoryRecords is a Records for a single process: what it keeps is neither shared nor kept over a
// restart, after which users with large sessions sign in again, and sessions that the identity provider
// has ended (Manager.EndSessions) go on until their own end. The zero value is ready to use. It is safe
// for concurrent use and must not be copied.
type MemoryRecords struct {
	// Now is the clock. Default time.Now.
	Now func() time.Time

	mu    sync.Mutex
	byKey map[string]*memoryRecord
	order memoryRecords
	bytes storekey.Room // of the values

	marks *expiry.Map[int64] // Unix times in seconds; nil before the first
}

type memoryRecord struct {
	key   string
	value []byte
	end   time.Time
	at    int // index in the order
}

// Put implements Records. It fails if the values of one tenant have more than 256 MiB, or less if
// other tenants have very much: a tenant may have as much as there is room for then, and always 4 MiB.
func (m *MemoryRecords) Put(ctx context.Context, key string, value []byte, lifetime time.Duration) error {
	value = bytes.Clone(value)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if lifetime <= 0 {
			return fmt.Errorf("session: the lifetime of the record is %v, want more than zero", lifetime)
		}
		done, more := m.put(key, value, lifetime)
		if done {
			return nil
		}
		if !more {
			return errors.New("session: MemoryRecords is full of sessions of this tenant: keep them in a database " +
				"(sqlstore.Records), or lower session.Config.Lifetime")
		}
	}
}

// put keeps a value of the record's own, and reports whether there was room. If not, more says
// whether there may be more values to drop, which have ended: it drops some in each call.
func (m *MemoryRecords) put(key string, value []byte, lifetime time.Duration) (done, more bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	more = m.drop(now)
	old := m.byKey[key]
	if old != nil && !now.Before(old.end) {
		m.remove(old)
		old = nil
	}
	growth := len(value)
	if old != nil {
		growth -= len(old.value)
	}
	if m.byKey == nil {
		m.byKey = map[string]*memoryRecord{}
		m.bytes.Size, m.bytes.Each = 2*maxMemoryRecords, ownMemoryRecords
	}
	tenant := storekey.TenantOf(key)
	if !m.bytes.Fits(tenant, growth) {
		return false, more
	}
	if old != nil {
		m.remove(old)
	}
	r := &memoryRecord{key: key, value: value, end: now.Add(lifetime)}
	m.byKey[key] = r
	heap.Push(&m.order, r)
	m.bytes.Add(tenant, len(value))
	return true, more
}

// drop removes values that have ended, and reports whether there may be more.
func (m *MemoryRecords) drop(now time.Time) (more bool) {
	for range dropsInPut {
		if len(m.order) == 0 || now.Before(m.order[0].end) {
			return false
		}
		m.remove(m.order[0])
	}
	return true
}

// Get implements Records.
func (m *MemoryRecords) Get(ctx context.Context, key string) ([]byte, bool, error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.byKey[key]
	if !ok || !m.now().Before(r.end) {
		return nil, false, nil
	}
	return bytes.Clone(r.value), true, nil
}

// Delete implements Records.
func (m *MemoryRecords) Delete(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if r, ok := m.byKey[key]; ok {
		m.remove(r)
	}
	return nil
}

func (m *MemoryRecords) now() time.Time {
	if m.Now == nil {
		return time.Now()
	}
	return m.Now()
}

func (m *MemoryRecords) remove(r *memoryRecord) {
	heap.Remove(&m.order, r.at)
	delete(m.byKey, r.key)
	m.bytes.Add(storekey.TenantOf(r.key), -len(r.value))
}

// memoryRecords is a heap; the record that ends first is on top.
type memoryRecords []*memoryRecord

func (o memoryRecords) Len() int           { return len(o) }
func (o memoryRecords) Less(i, j int) bool { return o[i].end.Before(o[j].end) }
func (o memoryRecords) Swap(i, j int) {
	o[i], o[j] = o[j], o[i]
	o[i].at, o[j].at = i, j
}
func (o *memoryRecords) Push(x any) {
	r := x.(*memoryRecord)
	r.at = len(*o)
	*o = append(*o, r)
}
func (o *memoryRecords) Pop() any {
	last := (*o)[len(*o)-1]
	(*o)[len(*o)-1] = nil // so that the value can be freed
	*o = (*o)[:len(*o)-1]
	return last
}

package session

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/iomete/saml/internal/storekey"
)

const (
	// maxMemoryMarks bounds the marks of one tenant in a MemoryRecords: about 50 MB. Marks have room of
	// their own, so logouts never keep anybody from signing in. All tenants together have at most twice
	// as many, and ownMemoryMarks.
	maxMemoryMarks = 200_000
	// ownMemoryMarks is how many marks each tenant may have even if others have taken the rest.
	ownMemoryMarks = 2_000
)

// memoryMarks are the marks of a MemoryRecords. Its mutex guards them.
type memoryMarks struct {
	byKey map[string]*memoryRecord // without values
	order memoryRecords
	room  storekey.Room // one for each mark
}

// Raise implements Records. It fails if the tenant of the keys has 200,000 marks, or fewer if other
// tenants have very many: a tenant may have as many as there is room for then, and always 2,000.
func (m *MemoryRecords) Raise(ctx context.Context, keys []string, mark time.Time, lifetime time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if lifetime <= 0 {
		return fmt.Errorf("session: the lifetime of the mark is %v, want more than zero", lifetime)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	m.marks.drop(now)
	for _, key := range keys {
		if !m.marks.raise(key, mark.Unix(), now.Add(lifetime)) {
			return errors.New("session: MemoryRecords has no room for another mark of a logout of this tenant: " +
				"keep the sessions in a database (sqlstore.Records)")
		}
	}
	return nil
}

// raise reports whether there is a mark of at least these seconds under key now, until end or longer.
func (m *memoryMarks) raise(key string, seconds int64, end time.Time) bool {
	if old := m.byKey[key]; old != nil {
		old.mark = max(old.mark, seconds)
		if end.After(old.end) {
			old.end = end
			heap.Fix(&m.order, old.at)
		}
		return true
	}
	if m.byKey == nil {
		m.byKey = map[string]*memoryRecord{}
		m.room.Size, m.room.Each = 2*maxMemoryMarks, ownMemoryMarks
	}
	if !m.room.Fits(key, 1) {
		return false
	}
	m.room.Add(key, 1)
	r := &memoryRecord{key: key, mark: seconds, end: end}
	m.byKey[key] = r
	heap.Push(&m.order, r)
	return true
}

// Highest implements Records.
func (m *MemoryRecords) Highest(ctx context.Context, keys ...string) (mark time.Time, err error) {
	if err := ctx.Err(); err != nil {
		return time.Time{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	for _, key := range keys {
		r, ok := m.marks.byKey[key]
		if !ok || !now.Before(r.end) {
			continue
		}
		if at := time.Unix(r.mark, 0); mark.IsZero() || at.After(mark) {
			mark = at
		}
	}
	return mark, nil
}

// drop forgets the marks that have ended. Each is dropped once.
func (m *memoryMarks) drop(now time.Time) {
	for len(m.order) > 0 && !now.Before(m.order[0].end) {
		key := heap.Pop(&m.order).(*memoryRecord).key
		delete(m.byKey, key)
		m.room.Add(key, -1)
	}
}

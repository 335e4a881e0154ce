package session

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"time"
)

// maxMemoryMarks bounds the marks of a MemoryRecords: about 50 MB. Marks have room of their own, so
// logouts never keep anybody from signing in.
const maxMemoryMarks = 200_000

// memoryMarks are the marks of a MemoryRecords. Its mutex guards them.
type memoryMarks struct {
	byKey map[string]*memoryRecord // without values
	order memoryRecords
}

// Raise implements Records. It fails if there are 200,000 marks.
func (m *MemoryRecords) Raise(ctx context.Context, key string, mark time.Time, lifetime time.Duration) error {
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
	seconds, end := mark.Unix(), now.Add(lifetime)
	if old := m.marks.byKey[key]; old != nil {
		old.mark = max(old.mark, seconds)
		if end.After(old.end) {
			old.end = end
			heap.Fix(&m.marks.order, old.at)
		}
		return nil
	}
	if len(m.marks.order) >= maxMemoryMarks {
		return errors.New("session: MemoryRecords has no room for another mark of a logout: " +
			"keep the sessions in a database (sqlstore.Records)")
	}
	if m.marks.byKey == nil {
		m.marks.byKey = map[string]*memoryRecord{}
	}
	r := &memoryRecord{key: key, mark: seconds, end: end}
	m.marks.byKey[key] = r
	heap.Push(&m.marks.order, r)
	return nil
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
		delete(m.byKey, heap.Pop(&m.order).(*memoryRecord).key)
	}
}

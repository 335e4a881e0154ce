package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/iomete/saml/internal/expiry"
	"github.com/iomete/saml/internal/storekey"
)

const (
	// maxMemoryMarks bounds the marks of one tenant in a MemoryRecords: about 20 MB. Marks have room of
	// their own, so logouts never keep anybody from signing in. All tenants together have at most twice
	// as many, and ownMemoryMarks.
	maxMemoryMarks = 200_000
	// ownMemoryMarks is how many marks each tenant may have even if others have taken the rest.
	ownMemoryMarks = 2_000
)

// Raise implements Records. It fails if the tenant of the keys has 200,000 marks, or fewer if other
// tenants have very many: a tenant may have as many as there is room for then, and always 2,000.
func (m *MemoryRecords) Raise(ctx context.Context, keys []string, mark time.Time, lifetime time.Duration) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if lifetime <= 0 {
			return fmt.Errorf("session: the lifetime of the mark is %v, want more than zero", lifetime)
		}
		raised, more := m.raise(keys, mark.Unix(), lifetime)
		if keys = keys[raised:]; len(keys) == 0 {
			return nil
		}
		if !more {
			return errors.New("session: MemoryRecords has no room for another mark of a logout of this tenant: " +
				"keep the sessions in a database (sqlstore.Records)")
		}
	}
}

// raise writes marks of at least these seconds, and returns how many it wrote before there was no room.
// It reports whether there may be more marks to drop, which have ended: it drops some in each call.
func (m *MemoryRecords) raise(keys []string, seconds int64, lifetime time.Duration) (raised int, more bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	if m.marks == nil {
		m.marks = expiry.New[int64](now, storekey.Room{Size: 2 * maxMemoryMarks, Each: ownMemoryMarks})
	}
	more = m.marks.Drop(now)
	for _, key := range keys {
		id, value := m.marks.ID(key), seconds
		if old, live := m.marks.Get(id, now); live {
			value = max(value, old)
		}
		if !m.marks.Put(id, storekey.TenantOf(key), value, now, lifetime) {
			break
		}
		raised++
	}
	return raised, more
}

// Highest implements Records.
func (m *MemoryRecords) Highest(ctx context.Context, keys ...string) (mark time.Time, err error) {
	if err := ctx.Err(); err != nil {
		return time.Time{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.marks == nil {
		return time.Time{}, nil
	}
	now := m.now()
	for _, key := range keys {
		seconds, live := m.marks.Get(m.marks.ID(key), now)
		if !live {
			continue
		}
		if at := time.Unix(seconds, 0); mark.IsZero() || at.After(mark) {
			mark = at
		}
	}
	return mark, nil
}

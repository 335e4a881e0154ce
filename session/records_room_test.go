package session

import (
	"fmt"
	"testing"
	"time"

	"github.com/iomete/saml/internal/expiry"
	"github.com/iomete/saml/internal/storekey"
)

// TestMemoryRecordsMakeRoom: what has ended takes nobody's room, although a single call drops only a
// part of it. A value or mark in the place of one that has ended is a new one.
func TestMemoryRecordsMakeRoom(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 14, 8, 26, 53, 0, time.UTC)
	m := &MemoryRecords{Now: func() time.Time { return now }, byKey: map[string]*memoryRecord{},
		bytes: storekey.Room{Size: 2000, Each: 500},
		marks: expiry.New[int64](now, storekey.Room{Size: 200, Each: 50})}
	put := func(tenant, i, size int, want bool) {
		t.Helper()
		key := storekey.OfTenant(storekey.Record, fmt.Sprint(tenant), fmt.Sprint(i))
		if err := m.Put(t.Context(), key, make([]byte, size), time.Minute); (err == nil) != want {
			t.Fatalf("Put %d of tenant %d: got %v, want success: %t", i, tenant, err, want)
		}
	}
	raise := func(tenant, i int, mark time.Time, want bool) {
		t.Helper()
		key := storekey.OfTenant(storekey.Logout, fmt.Sprint(tenant), fmt.Sprint(i))
		if err := m.Raise(t.Context(), []string{key}, mark, time.Minute); (err == nil) != want {
			t.Fatalf("Raise %d of tenant %d: got %v, want success: %t", i, tenant, err, want)
		}
		if got, err := m.Highest(t.Context(), key); want && (err != nil || !got.Equal(mark)) {
			t.Fatalf("Raise %d of tenant %d: got the mark %v, %v, want %v", i, tenant, got, err, mark)
		}
	}
	for tenant := range 40 { // together they take ten times the common room
		for i := range 50 {
			put(tenant, i, 10, true)
			raise(tenant, i, now.Add(time.Hour), true)
		}
	}
	put(39, 50, 10, false)
	raise(39, 50, now, false)
	now = now.Add(time.Minute)
	put(39, 49, 900, true)
	put(39, 50, 90, true)
	put(39, 51, 11, false)
	for i := range 100 {
		raise(39, i, now, true)
	}
	raise(39, 100, now, false)
	if len(m.byKey) != 2 || len(m.order) != 2 || m.bytes.Used() != 990 || m.marks.Len() != 100 {
		t.Errorf("in the end there are %d values, %d in order, of %d bytes, and %d marks", len(m.byKey), len(m.order),
			m.bytes.Used(), m.marks.Len())
	}
}

// TestPutDropsAFew: the values of very many sessions may end in one moment.
func TestPutDropsAFew(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 14, 8, 26, 53, 0, time.UTC)
	m := &MemoryRecords{Now: func() time.Time { return now }}
	for i := range 1000 {
		if err := m.Put(t.Context(), fmt.Sprint(i), []byte("value"),
			time.Minute+time.Duration(i)); err != nil {
			t.Fatal(err)
		}
	}
	now = now.Add(time.Hour)
	if err := m.Put(t.Context(), "999", []byte("value"), time.Minute); err != nil {
		t.Fatal(err)
	}
	if want := 1000 - dropsInPut; len(m.byKey) != want || m.bytes.Used() != want*len("value") {
		t.Errorf("got %d values of %d bytes, want %d", len(m.byKey), m.bytes.Used(), want)
	}
}

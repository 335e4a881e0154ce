package saml

import (
	"fmt"
	"testing"
	"time"

	"github.com/iomete/saml/internal/storekey"
)

// TestMemoryStoreIsBounded: a full store refuses, and forgets nothing that is alive to make room.
func TestMemoryStoreIsBounded(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	m := NewMemoryStoreWithClock(func() time.Time { return now })
	m.keys.Room.Size, m.keys.Room.Each = 6, 0 // half of it for one tenant
	for i, ttl := range []time.Duration{time.Hour, time.Minute, 2 * time.Hour} {
		if first, err := m.Claim(t.Context(), fmt.Sprint("v1/", i), ttl); !first || err != nil {
			t.Fatalf("claim %d: %t, %v", i, first, err)
		}
	}
	if first, err := m.Claim(t.Context(), "v1/new", time.Hour); first || err == nil {
		t.Errorf("claim in a full store: got %t, %v, want an error", first, err)
	}
	if first, err := m.Claim(t.Context(), "v1/0", time.Hour); first || err != nil {
		t.Errorf("claim of a live entry in a full store: got %t, %v, want false", first, err)
	}
	now = now.Add(time.Minute)
	if first, err := m.Claim(t.Context(), "v1/new", time.Hour); !first || err != nil {
		t.Errorf("claim after an entry ended: got %t, %v, want true", first, err)
	}
	if m.keys.Len() != 3 || m.keys.Room.Used() != 3 {
		t.Errorf("got %d entries that take the room of %d, want 3", m.keys.Len(), m.keys.Room.Used())
	}
}

// TestMemoryStoreIsShared: a tenant whose identity provider signs any number of responses is refused
// when it has its part, and the users of another one sign in all the same.
func TestMemoryStoreIsShared(t *testing.T) {
	t.Parallel()
	m := NewMemoryStore()
	m.keys.Room.Size, m.keys.Room.Each = 2000, 1
	claimed := 0
	for ; claimed < 2000; claimed++ {
		if first, err := m.Claim(t.Context(), storekey.OfTenant(storekey.Assertion, "a", fmt.Sprint(claimed)),
			time.Hour); !first || err != nil {
			break
		}
	}
	if claimed != 1000 {
		t.Errorf("one tenant claims %d, want half of the room", claimed)
	}
	if first, err := m.Claim(t.Context(), storekey.OfTenant(storekey.Request, "a", "another kind"), time.Hour); first ||
		err == nil {
		t.Errorf("another kind of claim of the same tenant: got %t, %v, want an error", first, err)
	}
	if first, err := m.Claim(t.Context(), storekey.OfTenant(storekey.Assertion, "b", "1"), time.Hour); !first ||
		err != nil {
		t.Errorf("another tenant: got %t, %v, want true", first, err)
	}
}

// TestMemoryStoreMakesRoom: what has ended takes nobody's room, although a single call drops only a
// part of it.
func TestMemoryStoreMakesRoom(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	m := NewMemoryStoreWithClock(func() time.Time { return now })
	m.keys.Room.Size, m.keys.Room.Each = 200, 50
	claim := func(tenant, i int, want bool) {
		t.Helper()
		if first, err := m.Claim(t.Context(), storekey.OfTenant(storekey.Assertion, fmt.Sprint(tenant), fmt.Sprint(i)),
			time.Hour); first != want || (err == nil) != want {
			t.Fatalf("tenant %d, claim %d: got %t, %v, want %t", tenant, i, first, err, want)
		}
	}
	for tenant := range 40 { // together they take ten times the common room
		for i := range 50 {
			claim(tenant, i, true)
		}
	}
	claim(0, 50, false)
	now = now.Add(time.Hour)
	for i := 100; i < 200; i++ {
		claim(0, i, true)
	}
	claim(0, 200, false)
	if got := m.keys.Len(); got != 100 {
		t.Errorf("in the end there are %d keys, want 100", got)
	}
}

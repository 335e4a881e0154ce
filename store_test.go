package saml_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/storetest"
)

// clock is a clock that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func TestMemoryStore(t *testing.T) {
	c := newClock()
	store := saml.NewMemoryStoreWithClock(c.Now)
	storetest.Run(t, storetest.Options{New: func(*testing.T) saml.Store { return store }, Advance: c.Advance})
}

// TestMemoryStoreRemembersSinceItWasMade: the guard against responses that were used before a
// restart depends on this time, also through a wrapper that knows nothing but the interfaces.
func TestMemoryStoreRemembersSinceItWasMade(t *testing.T) {
	c := newClock()
	made := c.Now()
	var store saml.Store = saml.NewMemoryStoreWithClock(c.Now)
	c.Advance(time.Hour)
	if _, err := store.Claim(t.Context(), "v1/a", time.Hour); err != nil {
		t.Fatal(err)
	}
	forgetful, ok := store.(saml.ForgetfulStore)
	if !ok {
		t.Fatal("a MemoryStore is no ForgetfulStore")
	}
	if got := forgetful.RemembersSince(); !got.Equal(made) {
		t.Errorf("RemembersSince: got %v, want %v, when the store was made", got, made)
	}
	forgetful = countedStore{Store: store, claims: new(atomic.Int64)}
	if got := forgetful.RemembersSince(); !got.Equal(made) {
		t.Errorf("RemembersSince of a wrapper: got %v, want %v", got, made)
	}
	forgetful = countedStore{Store: struct{ saml.Store }{store}, claims: new(atomic.Int64)}
	if got := forgetful.RemembersSince(); !got.IsZero() {
		t.Errorf("RemembersSince of a wrapper around a Store without the method: got %v, want the zero time", got)
	}
}

// countedStore counts the claims of another Store. RemembersSince passes on what that Store
// forgets.
type countedStore struct {
	saml.Store
	claims *atomic.Int64
}

func (s countedStore) Claim(ctx context.Context, key string, ttl time.Duration) (bool, error) {
	s.claims.Add(1)
	return s.Store.Claim(ctx, key, ttl)
}

func (s countedStore) RemembersSince() time.Time {
	if inside, ok := s.Store.(saml.ForgetfulStore); ok {
		return inside.RemembersSince()
	}
	return time.Time{} // it forgets nothing
}

// A Store that wraps another one passes on RemembersSince.
func ExampleForgetfulStore() {
	store := countedStore{Store: saml.NewMemoryStore(), claims: new(atomic.Int64)}
	for range 2 {
		first, err := store.Claim(context.Background(), "v1/example", time.Hour)
		fmt.Println(first, err)
	}
	fmt.Println(store.claims.Load(), "claims, remembers its start:", !store.RemembersSince().IsZero())
	// Output:
	// true <nil>
	// false <nil>
	// 2 claims, remembers its start: true
}

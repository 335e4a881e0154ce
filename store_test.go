package saml_test

import (
	"sync"
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

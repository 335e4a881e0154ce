// Package storetest tests whether an implementation of saml.Store, such as one for Redis or another
// database, keeps the promises of that interface. The most important one stops replay: of several
// claims of the same key, exactly one is the first. RunRecords does the same for session.Records.
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, storetest.Options{
//			New: func(t *testing.T) saml.Store { return mystore.New(dsn) },
//		})
//	}
package storetest

import (
	"context"
	"crypto/rand"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/iomete/saml"
)

// Options say how to reach the store.
type Options struct {
	// New returns a store. It is called once for each test, and twice for the test of shared data.
	// All stores must use the same data, like the replicas of a service. Only a saml.ForgetfulStore
	// may keep its data to itself. Required.
	New func(t *testing.T) saml.Store
	// Advance moves the clock of the stores forward. If it is nil, the tests of the time to live
	// wait for the real clock, a few seconds.
	Advance func(d time.Duration)
}

// shortest is the time to live for the tests of expiry. It is long enough for a database on a busy
// machine.
const shortest = 2 * time.Second

// Run runs all tests as subtests of t. A store that keeps its promises passes all of them; the test
// of shared data skips a saml.ForgetfulStore.
func Run(t *testing.T, o Options) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, saml.Store, Options)
	}{
		{"the first claim wins and later ones lose", testFirstClaimWins},
		{"keys are told apart byte for byte", testKeysAreExact},
		{"of concurrent claims exactly one wins", testConcurrentClaims},
		{"a second store on the same data sees the claim", testSharedData},
		{"since when a store remembers does not change", testRemembersSince},
		{"a claim ends with its time to live and not before", testTimeToLive},
		{"a long time to live is kept", testLongTimeToLive},
		{"a time to live of zero or less is an error", testNoTimeToLive},
		{"an ended context is an error", testEndedContext},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, o.New(t), o) })
	}
}

// newKey returns a key that was not used before, in the format of the library's keys.
func newKey() string { return "v1/ast/" + strings.Repeat("-", 17) + rand.Text() }

func claim(t *testing.T, s saml.Store, key string, ttl time.Duration, want bool) {
	t.Helper()
	first, err := s.Claim(t.Context(), key, ttl)
	if err != nil || first != want {
		t.Errorf("Claim of %s for %s: got %t, %v, want %t", key, ttl, first, err, want)
	}
}

func claimed(t *testing.T, s saml.Store, key string, want bool) {
	t.Helper()
	got, err := s.Claimed(t.Context(), key)
	if err != nil || got != want {
		t.Errorf("Claimed of %s: got %t, %v, want %t", key, got, err, want)
	}
}

func testFirstClaimWins(t *testing.T, s saml.Store, _ Options) {
	key := newKey()
	claimed(t, s, key, false)
	claimed(t, s, key, false) // asking records nothing
	claim(t, s, key, time.Hour, true)
	claim(t, s, key, time.Hour, false)
	claimed(t, s, key, true)
	claim(t, s, newKey(), time.Hour, true)
}

// testKeysAreExact: keys hold base64url, so a store that ignores case or trims would confuse them.
func testKeysAreExact(t *testing.T, s saml.Store, _ Options) {
	key := newKey() + "Aa_-"
	claim(t, s, key, time.Hour, true)
	for _, other := range []string{
		strings.ToLower(key),
		strings.ToUpper(key),
		key[:len(key)-1],
		key + "A",
		strings.Replace(key, "_", "-", 1),
		strings.Replace(key, "_", "%", 1),
		strings.Replace(key, "v1/ast/", "v1/req/", 1),
	} {
		claimed(t, s, other, false)
		claim(t, s, other, time.Hour, true)
	}
}

func testConcurrentClaims(t *testing.T, s saml.Store, _ Options) {
	const rounds, claims = 10, 16
	for range rounds {
		key := newKey()
		var wins, failures int
		var mu sync.Mutex
		var wg sync.WaitGroup
		for range claims {
			wg.Go(func() {
				first, err := s.Claim(t.Context(), key, time.Hour)
				mu.Lock()
				defer mu.Unlock()
				if first {
					wins++
				}
				if err != nil {
					failures++
				}
			})
		}
		wg.Wait()
		// A failed claim may have been recorded, so after a failure there may be no winner. Two
		// winners would be a break-in.
		if wins > 1 || wins == 0 && failures == 0 {
			t.Errorf("%d of %d concurrent claims won (%d failed), want exactly one", wins, claims, failures)
		}
	}
}

func testSharedData(t *testing.T, s saml.Store, o Options) {
	key := newKey()
	claim(t, s, key, time.Hour, true)
	if other := o.New(t); other != s {
		first, err := other.Claim(t.Context(), key, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if first {
			if !forgets(other) {
				t.Fatal("a key claimed in one store can be claimed again in a second one, " +
					"and the second does not say that it forgets: after a restart, " +
					"used-up responses would sign in again. " +
					"Let Options.New return stores on the same data, or implement saml.ForgetfulStore. " +
					"A wrapper must pass on RemembersSince of the store inside")
			}
			t.Skip("the stores do not share data, so they work for one process only")
		}
		claimed(t, other, key, true)
	}
}

// forgets reports whether a store says that it forgets earlier claims (saml.ForgetfulStore).
func forgets(s saml.Store) bool {
	f, ok := s.(saml.ForgetfulStore)
	return ok && !f.RemembersSince().IsZero()
}

// testRemembersSince: if the time moved forward, good responses would be refused; if it moved back,
// used-up responses would be accepted.
func testRemembersSince(t *testing.T, s saml.Store, o Options) {
	f, ok := s.(saml.ForgetfulStore)
	if !ok {
		return // the store forgets nothing
	}
	since := f.RemembersSince()
	claim(t, s, newKey(), time.Hour, true)
	if o.Advance != nil {
		o.Advance(time.Minute)
	}
	if got := f.RemembersSince(); !got.Equal(since) {
		t.Errorf("RemembersSince after a claim: got %v, want %v as before", got, since)
	}
}

func testTimeToLive(t *testing.T, s saml.Store, o Options) {
	key := newKey()
	claim(t, s, key, shortest, true)
	claim(t, s, key, shortest, false)
	if o.Advance != nil {
		o.Advance(shortest - time.Millisecond)
		claimed(t, s, key, true)
		o.Advance(time.Millisecond)
	} else {
		time.Sleep(shortest + shortest/2) // this store has only the real clock
	}
	claimed(t, s, key, false)
	claim(t, s, key, time.Hour, true)
	claim(t, s, key, time.Hour, false)
}

func testLongTimeToLive(t *testing.T, s saml.Store, o Options) {
	key := newKey()
	claim(t, s, key, 25*time.Hour, true) // the longest that the library asks for is a little more than 24 hours
	if o.Advance != nil {
		o.Advance(24 * time.Hour)
	}
	claim(t, s, key, time.Hour, false)
	claimed(t, s, key, true)
}

func testNoTimeToLive(t *testing.T, s saml.Store, _ Options) {
	for _, ttl := range []time.Duration{0, -time.Second} {
		if first, err := s.Claim(t.Context(), newKey(), ttl); err == nil || first {
			t.Errorf("Claim for %s: got %t, %v, want an error", ttl, first, err)
		}
	}
}

func testEndedContext(t *testing.T, s saml.Store, _ Options) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if first, err := s.Claim(ctx, newKey(), time.Hour); err == nil || first {
		t.Errorf("Claim with an ended context: got %t, %v, want an error", first, err)
	}
	if got, err := s.Claimed(ctx, newKey()); err == nil || got {
		t.Errorf("Claimed with an ended context: got %t, %v, want an error", got, err)
	}
}

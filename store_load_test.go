package saml_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/internal/storekey"
)

// storeKeys returns n keys of ten tenants, as the library makes them.
func storeKeys(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = storekey.OfTenant(storekey.Assertion, fmt.Sprint("tenant ", i%10), fmt.Sprint(i))
	}
	return keys
}

// scannedHeap returns the bytes on the heap, and how many of them the garbage collector looks at.
func scannedHeap() (bytes, scanned float64) {
	bytes = heapNow()
	sample := []metrics.Sample{{Name: "/gc/scan/heap:bytes"}}
	metrics.Read(sample)
	return bytes, float64(sample[0].Value.Uint64())
}

// TestMemoryStoreIsSmall: a key takes no more than 120 bytes, however long it is, and gives the
// garbage collector nothing to look at. Not parallel, since it measures the heap of the process.
func TestMemoryStoreIsSmall(t *testing.T) {
	const n = 100_000
	keys := storeKeys(n)
	bytes, scanned := scannedHeap()
	store := saml.NewMemoryStore()
	for _, key := range keys {
		if first, err := store.Claim(t.Context(), key, time.Hour); !first || err != nil {
			t.Fatalf("got %t, %v", first, err)
		}
	}
	bytesAfter, scannedAfter := scannedHeap()
	runtime.KeepAlive(store)
	runtime.KeepAlive(keys)
	each, scan := (bytesAfter-bytes)/n, (scannedAfter-scanned)/n
	t.Logf("%.1f bytes a key, %.1f of them scanned", each, scan)
	if each > 120 || scan > 4 {
		t.Errorf("a key takes %.1f bytes, of which the garbage collector looks at %.1f; want at most 120 and 4", each, scan)
	}
}

// TestMemoryStoreForgetsAtOnce: a key that has ended can be claimed again, once, also while the store
// still has it because very many have ended.
func TestMemoryStoreForgetsAtOnce(t *testing.T) {
	c := newClock()
	store := saml.NewMemoryStoreWithClock(c.Now)
	keys := storeKeys(20_000)
	for _, key := range keys {
		if _, err := store.Claim(t.Context(), key, time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	c.Advance(time.Hour)
	for i, key := range keys {
		if claimed, err := store.Claimed(t.Context(), key); claimed || err != nil {
			t.Fatalf("key %d after its end: claimed %t, %v", i, claimed, err)
		}
		for _, want := range []bool{true, false} {
			if first, err := store.Claim(t.Context(), key, time.Hour); first != want || err != nil {
				t.Fatalf("key %d: got %t, %v, want %t", i, first, err, want)
			}
		}
	}
}

// BenchmarkMemoryStore claims keys in a store of a million, of which as many end as are claimed. The
// longest of the calls is what the users who sign in at that moment wait for.
func BenchmarkMemoryStore(b *testing.B) {
	const n = 1_000_000
	keys := storeKeys(n)
	c := newClock()
	store := saml.NewMemoryStoreWithClock(c.Now)
	for _, key := range keys {
		c.Advance(time.Millisecond)
		if _, err := store.Claim(b.Context(), key, time.Millisecond*n); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	var longest time.Duration
	for b.Loop() {
		c.Advance(time.Millisecond)
		key := keys[rand.IntN(n)]
		started := time.Now()
		if _, err := store.Claim(b.Context(), key, time.Millisecond*n); err != nil {
			b.Fatal(err)
		}
		longest = max(longest, time.Since(started))
	}
	b.ReportMetric(float64(longest.Microseconds()), "us/longest")
}

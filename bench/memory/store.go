//go:build linux

package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"github.com/iomete/saml"
)

// A storeRun claims keys by a clock of its own and notes the longest call.
type storeRun struct {
	store *saml.MemoryStore
	now   time.Time
	next  uint64 // number of the next key

	calls         int
	clock, thread time.Duration // of the longest call: on the clock, and processor time of its thread
	sum           time.Duration // of the processor time
}

// measureStore fills a store with n keys, goes on while as many end as are claimed, and lets all of
// them end at one moment. The thread is locked, so that its processor time is that of the calls.
func measureStore(n int) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const step = time.Millisecond // between two claims, by the clock of the store
	lifetime := time.Duration(n) * step
	without, collecting := heap(), collection()
	r := &storeRun{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	r.store = saml.NewMemoryStoreWithClock(func() time.Time { return r.now })
	fmt.Printf("\nMemoryStore with %d keys\n", n)
	if err := r.claims("while it fills", n, step, lifetime); err != nil {
		return err
	}
	fmt.Printf("  %.0f bytes a key\n", (heap()-without)/float64(n))
	fmt.Printf("  %.1f ms for a garbage collection, %.1f without the store\n", ms(collection()), ms(collecting))
	if err := r.claims("while as many end", n/4, step, lifetime); err != nil {
		return err
	}
	r.now = r.now.Add(lifetime)
	if err := r.claims("when all have ended", n/4, 0, lifetime); err != nil {
		return err
	}
	runtime.KeepAlive(r.store)
	return nil
}

// claims makes n claims and prints the longest.
func (r *storeRun) claims(when string, n int, step, lifetime time.Duration) error {
	r.calls, r.clock, r.thread, r.sum = 0, 0, 0, 0
	for range n {
		key := r.key()
		r.now = r.now.Add(step)
		used, started := threadTime(), time.Now()
		first, err := r.store.Claim(context.Background(), key, lifetime)
		clock, thread := time.Since(started), threadTime()-used
		if err != nil || !first {
			return fmt.Errorf("%s, claim %d: first %t, %v", when, r.calls, first, err)
		}
		r.calls, r.sum = r.calls+1, r.sum+thread
		r.clock, r.thread = max(r.clock, clock), max(r.thread, thread)
	}
	fmt.Printf("  %-20s %.2f us a claim; the longest %.2f ms of processor time (%.2f on the clock)\n", when+":",
		float64(r.sum.Nanoseconds())/1e3/float64(r.calls), ms(r.thread), ms(r.clock))
	return nil
}

// key returns a key as the library makes them, of one of eight tenants.
func (r *storeRun) key() string {
	r.next++
	tenant := sha256.Sum256([]byte{byte(r.next % 8)})
	hash := sha256.Sum256(binary.BigEndian.AppendUint64(nil, r.next))
	encode := base64.RawURLEncoding.EncodeToString
	return "v1/ast/" + encode(tenant[:9]) + "/" + encode(hash[:])
}

// collection returns the least time of some garbage collections.
func collection() time.Duration {
	least := time.Hour
	for range 7 {
		started := time.Now()
		runtime.GC()
		least = min(least, time.Since(started))
	}
	return least
}

// threadTime is the processor time of this thread: unlike the clock it stands still while others run.
// Getrusage has it too, but in steps of some milliseconds.
func threadTime() time.Duration {
	const clockThread = 3 // CLOCK_THREAD_CPUTIME_ID of clock_gettime(2), which package syscall does not have
	var t syscall.Timespec
	if _, _, err := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockThread, uintptr(unsafe.Pointer(&t)), 0); err != 0 {
		panic(err) // only for a wrong argument
	}
	return time.Duration(t.Nano())
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

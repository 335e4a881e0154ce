package storetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/iomete/saml/session"
)

// newMarkKey returns a key of a mark that was not used before, in the format of the library's keys.
func newMarkKey() string { return newKeyOf("v1/out/", "tenant------") }

// maxRaised is how many keys one Raise can have.
const maxRaised = 600

// someTime is a mark: whole seconds, as identity providers write them.
var someTime = time.Date(2026, 3, 10, 9, 30, 0, 0, time.UTC)

func raise(t *testing.T, r session.Records, key string, mark time.Time, lifetime time.Duration) {
	t.Helper()
	raiseAll(t, r, []string{key}, mark, lifetime)
}

func raiseAll(t *testing.T, r session.Records, keys []string, mark time.Time, lifetime time.Duration) {
	t.Helper()
	if err := r.Raise(t.Context(), keys, mark, lifetime); err != nil {
		t.Fatalf("Raise to %v for %v: %v", mark, lifetime, err)
	}
}

// wantMark checks what Highest returns; the zero time is none.
func wantMark(t *testing.T, r session.Records, want time.Time, keys ...string) {
	t.Helper()
	if got, err := r.Highest(t.Context(), keys...); err != nil || !got.Equal(want) {
		t.Errorf("Highest of %d keys: got %v, %v, want %v", len(keys), got, err, want)
	}
}

// testMarks: an older mark after a newer one changes nothing.
func testMarks(t *testing.T, r session.Records, _ RecordsOptions) {
	key := newMarkKey()
	wantMark(t, r, time.Time{}, key)
	for _, step := range []struct{ raised, want time.Duration }{{0, 0}, {-time.Second, 0}, {time.Second, time.Second},
		{0, time.Second}, {400 * 24 * time.Hour, 400 * 24 * time.Hour}, {time.Second, 400 * 24 * time.Hour}} {
		raise(t, r, key, someTime.Add(step.raised), time.Hour)
		wantMark(t, r, someTime.Add(step.want), key)
	}
}

func testMarkSeconds(t *testing.T, r session.Records, _ RecordsOptions) {
	key := newMarkKey()
	raise(t, r, key, someTime.Add(999*time.Millisecond), time.Hour)
	wantMark(t, r, someTime, key)
	zone := newMarkKey()
	raise(t, r, zone, someTime.In(time.FixedZone("", 7200)), time.Hour)
	wantMark(t, r, someTime, zone)
	for _, year := range []int{1970, 2038, 9999} {
		key := newMarkKey()
		mark := time.Date(year, 12, 31, 23, 59, 59, 0, time.UTC)
		raise(t, r, key, mark, time.Hour)
		wantMark(t, r, mark, key)
	}
}

func testHighestOfKeys(t *testing.T, r session.Records, _ RecordsOptions) {
	wantMark(t, r, time.Time{})
	var keys []string
	for i := range 64 {
		keys = append(keys, newMarkKey())
		if i%2 == 0 {
			raise(t, r, keys[i], someTime.Add(time.Duration(i*37%64)*time.Second), time.Hour)
		}
	}
	wantMark(t, r, someTime.Add(62*time.Second), keys...)
	wantMark(t, r, someTime, keys[1], keys[0], keys[3])
	wantMark(t, r, time.Time{}, keys[1], keys[3])
}

// testMarksAtOnce: a logout with many sessions raises all their marks by one call. Those that are
// there already are treated as by calls of their own.
func testMarksAtOnce(t *testing.T, r session.Records, _ RecordsOptions) {
	raiseAll(t, r, nil, someTime, time.Hour)
	keys := make([]string, maxRaised)
	for i := range keys {
		keys[i] = newMarkKey()
	}
	raise(t, r, keys[0], someTime.Add(time.Hour), time.Hour)
	raise(t, r, keys[1], someTime.Add(-time.Hour), time.Hour)
	for range 2 {
		raiseAll(t, r, keys, someTime, time.Hour)
		wantMark(t, r, someTime.Add(time.Hour), keys[0])
		for _, key := range keys[1:] {
			wantMark(t, r, someTime, key)
		}
	}
}

// testMarkKeysAreExact: keys hold base64url, so records that ignore case or trim would end sessions of
// others.
func testMarkKeysAreExact(t *testing.T, r session.Records, _ RecordsOptions) {
	key := newMarkKey() + "Aa_-"
	raise(t, r, key, someTime, time.Hour)
	wantMark(t, r, time.Time{}, strings.ToLower(key), strings.ToUpper(key), key[:len(key)-1], key+"A",
		strings.Replace(key, "_", "%", 1))
	wantMark(t, r, someTime, key)
}

// testMarkLifetime: the longer lifetime counts, whichever came first, and a mark that has ended is as
// if it had never been.
func testMarkLifetime(t *testing.T, r session.Records, o RecordsOptions) {
	later, earlier, short := newMarkKey(), newMarkKey(), newMarkKey()
	raise(t, r, later, someTime, 25*time.Hour)
	raise(t, r, later, someTime.Add(time.Second), shortest)
	raise(t, r, earlier, someTime, shortest)
	raise(t, r, earlier, someTime.Add(-time.Second), 25*time.Hour)
	raise(t, r, short, someTime.Add(time.Minute), shortest)
	wantMark(t, r, someTime.Add(time.Minute), short, later)
	if o.Advance != nil {
		o.Advance(shortest - time.Millisecond)
		wantMark(t, r, someTime.Add(time.Minute), short)
		o.Advance(time.Millisecond)
	} else {
		time.Sleep(shortest + shortest/2) // these records have only the real clock
	}
	wantMark(t, r, time.Time{}, short)
	wantMark(t, r, someTime.Add(time.Second), short, later)
	raise(t, r, short, someTime, time.Hour)
	wantMark(t, r, someTime, short)
	if o.Advance != nil {
		o.Advance(24 * time.Hour)
	}
	wantMark(t, r, someTime.Add(time.Second), later)
	wantMark(t, r, someTime, earlier)
}

func testMarksAreNoValues(t *testing.T, r session.Records, _ RecordsOptions) {
	key, other := newMarkKey(), newRecordKey()
	raise(t, r, key, someTime, time.Hour)
	raise(t, r, other, someTime, time.Hour)
	put(t, r, other, []byte("value"), time.Hour)
	wantNone(t, r, key)
	wantValue(t, r, other, []byte("value"))
	for _, k := range []string{key, other} {
		if err := r.Delete(t.Context(), k); err != nil {
			t.Errorf("Delete: %v", err)
		}
		wantMark(t, r, someTime, k)
	}
}

func testSharedMarks(t *testing.T, r session.Records, o RecordsOptions) {
	other := o.New(t)
	key := newMarkKey()
	raise(t, r, key, someTime, time.Hour)
	wantMark(t, other, someTime, key)
	raise(t, other, key, someTime.Add(time.Second), time.Hour)
	raise(t, r, key, someTime, time.Hour)
	wantMark(t, r, someTime.Add(time.Second), key)
}

// testConcurrentMarks: beside many calls with older and newer marks of the same keys, in any order, no
// mark falls, and the newest is there at the end.
func testConcurrentMarks(t *testing.T, r session.Records, o RecordsOptions) {
	key := newMarkKey()
	keys := []string{newMarkKey(), key, newMarkKey(), newMarkKey()}
	const writers, calls = 8, 20
	var writing, reading sync.WaitGroup
	done := make(chan struct{})
	for n := range writers {
		own := r
		if n%2 == 1 && !o.SingleProcess {
			own = o.New(t)
		}
		writing.Go(func() {
			for i := range calls {
				mark := someTime.Add(time.Duration((i*writers+n)*7919%(writers*calls)) * time.Second) // in no order
				first := (i + n) % len(keys)
				if err := raiseAgain(t, own, mark, slices.Concat(keys[first:], keys[:first])...); err != nil {
					t.Errorf("Raise: %v", err)
				}
			}
		})
	}
	reading.Go(func() {
		for last := (time.Time{}); ; {
			got, err := r.Highest(t.Context(), key)
			if err != nil || got.Before(last) {
				t.Errorf("Highest: got %v, %v after %v", got, err, last)
				return
			}
			last = got
			select {
			case <-done:
				return
			default:
			}
		}
	})
	writing.Wait()
	close(done)
	reading.Wait()
	for _, key := range keys {
		wantMark(t, r, someTime.Add((writers*calls-1)*time.Second), key)
	}
}

// raiseAgain repeats a call that failed, as an identity provider does: a database may end one of
// several statements that wait for each other.
func raiseAgain(t *testing.T, r session.Records, mark time.Time, keys ...string) (err error) {
	for range 10 {
		if err = r.Raise(t.Context(), keys, mark, time.Hour); err == nil {
			return nil
		}
	}
	return fmt.Errorf("10 times: %w", err)
}

func testNoMarkLifetime(t *testing.T, r session.Records, _ RecordsOptions) {
	for _, lifetime := range []time.Duration{0, -time.Second} {
		key := newMarkKey()
		if err := r.Raise(t.Context(), []string{key}, someTime, lifetime); err == nil {
			t.Errorf("Raise for %v: got no error", lifetime)
		}
		wantMark(t, r, time.Time{}, key)
	}
}

func testEndedMarksContext(t *testing.T, r session.Records, _ RecordsOptions) {
	key := newMarkKey()
	raise(t, r, key, someTime, time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Raise(ctx, []string{newMarkKey()}, someTime, time.Hour); err == nil {
		t.Error("Raise with an ended context: got no error")
	}
	if got, err := r.Highest(ctx, key); err == nil || !got.IsZero() {
		t.Errorf("Highest with an ended context: got %v, %v, want an error", got, err)
	}
}

// testFullOfMarks: marks have a bound of their own, for each tenant. Logouts keep nobody from signing
// in, another tenant's logouts go on, and what was ended stays ended.
func testFullOfMarks(t *testing.T, r session.Records, o RecordsOptions) {
	first := newMarkKey()
	raise(t, r, first, someTime, time.Hour)
	raised := 1
	for ; raised <= o.MarkRoom; raised++ {
		if err := r.Raise(t.Context(), []string{newMarkKey()}, someTime, time.Hour); err != nil {
			break
		}
	}
	if raised > o.MarkRoom {
		t.Fatalf("%d marks were raised without an error, want at most %d", raised, o.MarkRoom)
	}
	key, refused := newRecordKey(), newMarkKey()
	put(t, r, key, []byte("value"), time.Hour)
	wantValue(t, r, key, []byte("value"))
	wantMark(t, r, someTime, first)
	if err := r.Raise(t.Context(), []string{refused}, someTime, time.Hour); err == nil {
		t.Error("Raise of one mark more: got no error")
	}
	wantMark(t, r, time.Time{}, refused)
	other := newKeyOf("v1/out/", "other-tenant")
	raise(t, r, other, someTime, time.Hour)
	wantMark(t, r, someTime, other)
	if o.Advance != nil {
		o.Advance(time.Hour)
		raise(t, r, refused, someTime, time.Hour)
		wantMark(t, r, someTime, refused)
	}
}

package session_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/iomete/saml/session"
	"github.com/iomete/saml/storetest"
)

func TestMemoryRecords(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	now := time.Date(2026, 3, 14, 8, 26, 53, 0, time.UTC)
	records := &session.MemoryRecords{Now: func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}}
	storetest.RunRecords(t, storetest.RecordsOptions{
		New:      func(*testing.T) session.Records { return records },
		MarkRoom: memoryMarks,
		Advance: func(d time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			now = now.Add(d)
		},
	})
}

// TestMemoryRecordsByTheRealClock has the zero value, in tests that may wait.
func TestMemoryRecordsByTheRealClock(t *testing.T) {
	t.Parallel()
	storetest.RunRecords(t, storetest.RecordsOptions{
		New:           func(*testing.T) session.Records { return new(session.MemoryRecords) },
		SingleProcess: true,
	})
}

const memoryMarks = 200_000 // what MemoryRecords.Raise promises

// TestMemoryRecordsAreBounded: a full memory is an error, until a record is deleted, replaced or
// ends. What is there is never dropped. A tenant whose identity provider signs in any number of users
// with huge sessions fills its own part: the users of another one sign in all the same.
func TestMemoryRecordsAreBounded(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 14, 8, 26, 53, 0, time.UTC)
	records := &session.MemoryRecords{Now: func() time.Time { return now }}
	value := make([]byte, 16<<20)
	put := func(name string, value []byte, lifetime time.Duration, want string) {
		t.Helper()
		err := records.Put(t.Context(), name, value, lifetime)
		if got := fmt.Sprint(err); want == "" && err != nil || !strings.Contains(got, want) {
			t.Errorf("Put of %s with %d bytes: got %v, want %q", name, len(value), err, want)
		}
	}
	const full = "MemoryRecords is full of sessions of this tenant"
	put("0", value, time.Minute, "")
	for i := 1; i < 16; i++ {
		put(fmt.Sprint(i), value, time.Hour, "")
	}
	put("one byte more", value[:1], time.Hour, full)
	put("1", value, time.Hour, "") // in place of itself
	put("1", append(value, 0), time.Hour, full)
	if got, found, err := records.Get(t.Context(), "1"); err != nil || !found || len(got) != len(value) {
		t.Errorf("after a Put that failed: got %d bytes, %t, %v, want what was there", len(got), found, err)
	}
	if err := records.Delete(t.Context(), "2"); err != nil {
		t.Error(err)
	}
	put("in the place of a deleted one", value, time.Hour, "")
	put("one byte more", value[:1], time.Hour, full)
	now = now.Add(time.Minute)
	put("in the place of an ended one", value, time.Hour, "")
	put("one byte more", value[:1], time.Hour, full)
	put("v1/rec/another-one-/1", value, time.Hour, "")
}

// TestMemoryMarksAreBounded: a full memory refuses marks, and nothing else: older marks are raised,
// and sessions are saved.
func TestMemoryMarksAreBounded(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 14, 8, 26, 53, 0, time.UTC)
	records := &session.MemoryRecords{Now: func() time.Time { return now }}
	for i := range memoryMarks {
		if err := records.Raise(t.Context(), []string{fmt.Sprint("v1/out/", i)}, now,
			time.Duration(1+i)*time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	full := func(name string, want bool) {
		t.Helper()
		if err := records.Raise(t.Context(), []string{name}, now.Add(time.Hour), 2*time.Minute); (err != nil) != want {
			t.Errorf("Raise of %s: got %v, want an error: %t", name, err, want)
		}
	}
	full("v1/out/another", true)
	full("v1/out/7", false)
	if err := records.Put(t.Context(), "v1/rec/1", make([]byte, 1<<20), time.Hour); err != nil {
		t.Error(err)
	}
	if got, err := records.Highest(t.Context(), "v1/out/8", "v1/out/7", "v1/out/another"); err != nil ||
		!got.Equal(now.Add(time.Hour)) {
		t.Errorf("got %v, %v", got, err)
	}
	// The first one would end in a minute, the second in two. With a longer lifetime, the second is the
	// first that makes room.
	if err := records.Raise(t.Context(), []string{"v1/out/0"}, now, 1000*time.Hour); err != nil {
		t.Error(err)
	}
	now = now.Add(time.Minute)
	full("v1/out/another", true)
	now = now.Add(time.Minute)
	full("v1/out/another", false)
	full("v1/out/one more", true)
}

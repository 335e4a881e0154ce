package storetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/iomete/saml/session"
)

// RecordsOptions say how to reach the records.
type RecordsOptions struct {
	// New returns the records. It is called once for each test, and twice for the test of shared
	// data. Required.
	New func(t *testing.T) session.Records

	// SingleProcess is set if two results of New do not share their data. Such records work for a
	// single process only.
	SingleProcess bool

	// MarkRoom is how many marks of one tenant the records hold at most, such as 200,000 for
	// session.MemoryRecords. Zero is for records that have no limit of their own, such as those in a
	// database; then the test of full records does not run.
	MarkRoom int

	// Advance moves the clock of the records forward. If it is nil, the test of the lifetime waits
	// for the real clock, a few seconds.
	Advance func(d time.Duration)
}

const (
	sharedRecords = "a second instance on the same data sees the value"
	sharedMarks   = "a second instance on the same data sees the mark"
	fullOfMarks   = "records that are full of a tenant's marks refuse its marks and nothing else"
)

// RunRecords runs all tests of an implementation of session.Records as subtests of t. Records that
// keep their promises pass all of them.
func RunRecords(t *testing.T, o RecordsOptions) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, session.Records, RecordsOptions)
	}{
		{"a value comes back byte for byte", testValues},
		{"keys are told apart byte for byte", testRecordKeysAreExact},
		{"a later value replaces an earlier one", testReplaced},
		{"a deleted value is gone", testDeleted},
		{"a value ends with its lifetime and not before", testLifetime},
		{sharedRecords, testSharedRecords},
		{"concurrent calls keep their values apart", testConcurrentRecords},
		{"slices of the caller are not shared", testSlices},
		{"a lifetime of zero or less is an error", testNoLifetime},
		{"an ended context is an error", testEndedRecordsContext},
		{"an older mark does not replace a newer one", testMarks},
		{"a mark has whole seconds", testMarkSeconds},
		{"the highest of several marks counts", testHighestOfKeys},
		{"all marks of one call are raised", testMarksAtOnce},
		{"keys of marks are told apart byte for byte", testMarkKeysAreExact},
		{"a mark ends with the longer lifetime and not before", testMarkLifetime},
		{"marks and values do not meet", testMarksAreNoValues},
		{sharedMarks, testSharedMarks},
		{"a mark never falls beside concurrent calls", testConcurrentMarks},
		{"a mark with a lifetime of zero or less is an error", testNoMarkLifetime},
		{"an ended context is an error for marks", testEndedMarksContext},
		{fullOfMarks, testFullOfMarks}, // the last one: the records may stay full
	} {
		if o.SingleProcess && (test.name == sharedRecords || test.name == sharedMarks) ||
			o.MarkRoom == 0 && test.name == fullOfMarks {
			continue
		}
		t.Run(test.name, func(t *testing.T) { test.run(t, o.New(t), o) })
	}
}

// newRecordKey returns a key that was not used before, in the format of the library's keys.
func newRecordKey() string { return newKeyOf("v1/rec/", "tenant------") }

// newKeyOf returns a key that was not used before, of a tenant that has these 12 characters.
func newKeyOf(kind, tenant string) string {
	return kind + tenant + "/" + strings.Repeat("-", 12) + rand.Text()
}

func put(t *testing.T, r session.Records, key string, value []byte, lifetime time.Duration) {
	t.Helper()
	if err := r.Put(t.Context(), key, value, lifetime); err != nil {
		t.Fatalf("Put of %d bytes for %v: %v", len(value), lifetime, err)
	}
}

func wantValue(t *testing.T, r session.Records, key string, want []byte) {
	t.Helper()
	got, found, err := r.Get(t.Context(), key)
	if err != nil || !found || !bytes.Equal(got, want) {
		t.Errorf("Get of %s: got %d bytes, %t, %v, want the %d bytes that were put", key, len(got), found, err, len(want))
	}
}

func wantNone(t *testing.T, r session.Records, key string) {
	t.Helper()
	if got, found, err := r.Get(t.Context(), key); err != nil || found {
		t.Errorf("Get of %s: got %d bytes, %t, %v, want nothing and no error", key, len(got), found, err)
	}
}

func testValues(t *testing.T, r session.Records, _ RecordsOptions) {
	wantNone(t, r, newRecordKey())
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	large := make([]byte, 5<<18) // more than a SAML response can carry
	rand.Read(large)
	for _, value := range [][]byte{{0}, all, large, {}} {
		key := newRecordKey()
		put(t, r, key, value, time.Hour)
		wantValue(t, r, key, value)
	}
}

// testRecordKeysAreExact: keys hold base64url, so records that ignore case or trim would confuse
// them.
func testRecordKeysAreExact(t *testing.T, r session.Records, _ RecordsOptions) {
	key := newRecordKey() + "Aa_-"
	put(t, r, key, []byte("value"), time.Hour)
	for _, other := range []string{
		strings.ToLower(key),
		strings.ToUpper(key),
		key[:len(key)-1],
		key + "A",
		strings.Replace(key, "_", "-", 1),
		strings.Replace(key, "_", "%", 1),
	} {
		wantNone(t, r, other)
		if err := r.Delete(t.Context(), other); err != nil {
			t.Errorf("Delete of a key without a value: %v", err)
		}
	}
	wantValue(t, r, key, []byte("value"))
}

func testReplaced(t *testing.T, r session.Records, _ RecordsOptions) {
	key := newRecordKey()
	put(t, r, key, []byte("first, and longer"), time.Hour)
	put(t, r, key, []byte("second"), time.Hour)
	wantValue(t, r, key, []byte("second"))
}

func testDeleted(t *testing.T, r session.Records, _ RecordsOptions) {
	key, other := newRecordKey(), newRecordKey()
	put(t, r, key, []byte("value"), time.Hour)
	put(t, r, other, []byte("other"), time.Hour)
	for range 2 { // the second time there is nothing
		if err := r.Delete(t.Context(), key); err != nil {
			t.Errorf("Delete: %v", err)
		}
		wantNone(t, r, key)
	}
	wantValue(t, r, other, []byte("other"))
	put(t, r, key, []byte("again"), time.Hour)
	wantValue(t, r, key, []byte("again"))
}

func testLifetime(t *testing.T, r session.Records, o RecordsOptions) {
	key, long := newRecordKey(), newRecordKey()
	put(t, r, long, []byte("short"), shortest)
	put(t, r, long, []byte("long"), 25*time.Hour) // the later lifetime counts
	put(t, r, key, []byte("value"), shortest)
	wantValue(t, r, key, []byte("value"))
	if o.Advance != nil {
		o.Advance(shortest - time.Millisecond)
		wantValue(t, r, key, []byte("value"))
		o.Advance(time.Millisecond)
	} else {
		time.Sleep(shortest + shortest/2) // these records have only the real clock
	}
	wantNone(t, r, key)
	if o.Advance != nil {
		o.Advance(24 * time.Hour)
	}
	wantValue(t, r, long, []byte("long"))
}

func testSharedRecords(t *testing.T, r session.Records, o RecordsOptions) {
	other := o.New(t)
	key := newRecordKey()
	put(t, r, key, []byte("value"), time.Hour)
	wantValue(t, other, key, []byte("value"))
	if err := other.Delete(t.Context(), key); err != nil {
		t.Errorf("Delete: %v", err)
	}
	wantNone(t, r, key)
}

func testConcurrentRecords(t *testing.T, r session.Records, _ RecordsOptions) {
	var wg sync.WaitGroup
	for n := range 16 {
		wg.Go(func() {
			for i := range 10 {
				key, value := newRecordKey(), fmt.Appendf(nil, "%d of %d", i, n)
				if err := r.Put(t.Context(), key, value, time.Hour); err != nil {
					t.Errorf("Put: %v", err)
				}
				wantValue(t, r, key, value)
				if err := r.Delete(t.Context(), key); err != nil {
					t.Errorf("Delete: %v", err)
				}
				wantNone(t, r, key)
			}
		})
	}
	wg.Wait()
}

func testSlices(t *testing.T, r session.Records, _ RecordsOptions) {
	key, value := newRecordKey(), []byte("value")
	put(t, r, key, value, time.Hour)
	clear(value)
	got, _, err := r.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	clear(got)
	wantValue(t, r, key, []byte("value"))
}

func testNoLifetime(t *testing.T, r session.Records, _ RecordsOptions) {
	for _, lifetime := range []time.Duration{0, -time.Second} {
		key := newRecordKey()
		if err := r.Put(t.Context(), key, []byte("value"), lifetime); err == nil {
			t.Errorf("Put for %v: got no error", lifetime)
		}
		wantNone(t, r, key)
	}
}

func testEndedRecordsContext(t *testing.T, r session.Records, _ RecordsOptions) {
	key := newRecordKey()
	put(t, r, key, []byte("value"), time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Put(ctx, newRecordKey(), []byte("value"), time.Hour); err == nil {
		t.Error("Put with an ended context: got no error")
	}
	if got, found, err := r.Get(ctx, key); err == nil || found || got != nil {
		t.Errorf("Get with an ended context: got %q, %t, %v, want an error", got, found, err)
	}
	if err := r.Delete(ctx, key); err == nil {
		t.Error("Delete with an ended context: got no error")
	}
}

package storetest_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/iomete/saml/session"
	"github.com/iomete/saml/storetest"
)

// simpleRecords keep their promises, but for one flaw.
type simpleRecords struct {
	flaw string

	mu     sync.Mutex
	now    time.Time
	values map[string]simpleRecord
	marks  map[string]simpleMark
}

type simpleRecord struct {
	value []byte
	end   time.Time
}

type simpleMark struct{ mark, end time.Time }

// flaws are the ways to break a promise, and the tests of the suite that must complain.
var flaws = map[string]string{
	"none":                     "",
	"ignores case":             "keys_are_told_apart",
	"trims keys":               "keys_are_told_apart",
	"cuts values":              "a_value_comes_back",
	"keeps the first value":    "a_later_value_replaces",
	"deletes nothing":          "a_deleted_value_is_gone",
	"refuses to delete twice":  "a_deleted_value_is_gone",
	"lets values live":         "a_value_ends_with_its_lifetime",
	"lets values end early":    "a_value_ends_with_its_lifetime",
	"keeps the first lifetime": "a_value_ends_with_its_lifetime",
	"is not shared":            "a_second_instance",
	"keeps the caller's slice": "slices_of_the_caller",
	"gives its own slice":      "slices_of_the_caller",
	"takes any lifetime":       "a_lifetime_of_zero",
	"ignores the context":      "an_ended_context",

	"takes the last mark":                "an_older_mark",
	"keeps the first mark":               "an_older_mark",
	"keeps fractions of seconds":         "a_mark_has_whole_seconds",
	"has 32 bits for a mark":             "a_mark_has_whole_seconds",
	"looks up the first key":             "the_highest_of_several_marks",
	"ignores case of marks":              "keys_of_marks",
	"takes the last lifetime of a mark":  "a_mark_ends_with_the_longer",
	"keeps the first lifetime of a mark": "a_mark_ends_with_the_longer",
	"lets marks live":                    "a_mark_ends_with_the_longer",
	"brings an ended mark back":          "a_mark_ends_with_the_longer",
	"deletes marks":                      "marks_and_values",
	"does not share marks":               "a_second_instance_on_the_same_data_sees_the_mark",
	"reads before it writes":             "a_mark_never_falls",
	"takes any lifetime of a mark":       "a_mark_with_a_lifetime_of_zero",
	"ignores the context for marks":      "an_ended_context_is_an_error_for_marks",
	"raises the first key":               "all_marks_of_one_call",
	"takes any number of marks":          fullOfMarks,
	"has one room for all tenants":       fullOfMarks,
	"drops marks when it is full":        fullOfMarks,
	"takes no values beside many marks":  fullOfMarks,
	"stays full of marks":                fullOfMarks,
}

const (
	fullOfMarks = "records_that_are_full_of_a_tenant's_marks"
	markRoom    = 1000 // more than the other tests raise
)

// isFull reports whether the tenant of a key has as many marks as it may have.
func (r *simpleRecords) isFull(key string) bool {
	if !r.is("stays full of marks") {
		maps.DeleteFunc(r.marks, func(_ string, m simpleMark) bool { return !r.now.Before(m.end) })
	}
	if r.is("has one room for all tenants") {
		return len(r.marks) >= markRoom
	}
	const tenant = len("v1/out/tenant------/")
	marks := 0
	for k := range r.marks {
		if k[:min(tenant, len(k))] == key[:min(tenant, len(key))] {
			marks++
		}
	}
	return marks >= markRoom
}

func (r *simpleRecords) is(flaw string) bool { return r.flaw == flaw }

func (r *simpleRecords) key(key string) string {
	switch {
	case r.is("ignores case"):
		return strings.ToLower(key)
	case r.is("trims keys"):
		return key[:min(len(key), 40)]
	}
	return key
}

func (r *simpleRecords) Put(ctx context.Context, key string, value []byte, lifetime time.Duration) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ctx.Err() != nil && !r.is("ignores the context") {
		return ctx.Err()
	}
	if lifetime <= 0 && !r.is("takes any lifetime") {
		return errors.New("no lifetime")
	}
	if r.is("takes no values beside many marks") && r.isFull("v1/out/tenant------/") {
		return errors.New("no room")
	}
	record := simpleRecord{value, r.now.Add(lifetime)}
	if r.is("lets values end early") {
		record.end = r.now.Add(lifetime / 2)
	}
	if !r.is("keeps the caller's slice") {
		record.value = append([]byte{}, value...)
	}
	if r.is("cuts values") {
		record.value = record.value[:min(len(value), 1<<16)]
	}
	old, known := r.values[r.key(key)]
	if known && r.is("keeps the first value") {
		return nil
	}
	if known && r.is("keeps the first lifetime") {
		record.end = old.end
	}
	r.values[r.key(key)] = record
	return nil
}

func (r *simpleRecords) Get(ctx context.Context, key string) ([]byte, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ctx.Err() != nil && !r.is("ignores the context") {
		return nil, false, ctx.Err()
	}
	record, known := r.values[r.key(key)]
	if !known || !r.now.Before(record.end) && !r.is("lets values live") {
		return nil, false, nil
	}
	if r.is("gives its own slice") {
		return record.value, true, nil
	}
	return append([]byte{}, record.value...), true, nil
}

func (r *simpleRecords) Delete(ctx context.Context, key string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ctx.Err() != nil && !r.is("ignores the context") {
		return ctx.Err()
	}
	if _, known := r.values[r.key(key)]; !known && r.is("refuses to delete twice") {
		return errors.New("not there")
	}
	if !r.is("deletes nothing") {
		delete(r.values, r.key(key))
	}
	if r.is("deletes marks") {
		delete(r.marks, key)
	}
	return nil
}

func (r *simpleRecords) Raise(ctx context.Context, keys []string, mark time.Time, lifetime time.Duration) error {
	for i, key := range keys {
		if i > 0 && r.is("raises the first key") {
			break
		}
		if err := r.raiseOne(ctx, key, mark, lifetime); err != nil {
			return err
		}
	}
	return nil
}

func (r *simpleRecords) raiseOne(ctx context.Context, key string, mark time.Time, lifetime time.Duration) error {
	if r.is("reads before it writes") {
		r.mu.Lock()
		old := r.marks[key]
		r.mu.Unlock()
		time.Sleep(time.Millisecond)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.marks[key] = r.raised(old, simpleMark{mark.Truncate(time.Second), r.now.Add(lifetime)})
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if ctx.Err() != nil && !r.is("ignores the context for marks") {
		return ctx.Err()
	}
	if lifetime <= 0 && !r.is("takes any lifetime of a mark") {
		return errors.New("no lifetime")
	}
	if lifetime <= 0 {
		lifetime = time.Hour
	}
	switch {
	case r.is("has 32 bits for a mark"):
		mark = time.Unix(int64(int32(mark.Unix())), 0)
	case !r.is("keeps fractions of seconds"):
		mark = mark.Truncate(time.Second)
	}
	if r.is("ignores case of marks") {
		key = strings.ToLower(key)
	}
	if _, known := r.marks[key]; !known && r.is("drops marks when it is full") && r.isFull(key) {
		clear(r.marks)
	} else if !known && !r.is("takes any number of marks") && r.isFull(key) {
		return errors.New("no room")
	}
	r.marks[key] = r.raised(r.marks[key], simpleMark{mark, r.now.Add(lifetime)})
	return nil
}

// raised returns a mark after another one was raised.
func (r *simpleRecords) raised(old, mark simpleMark) simpleMark {
	if old.mark.IsZero() || !r.now.Before(old.end) && !r.is("brings an ended mark back") {
		return mark
	}
	if old.mark.After(mark.mark) && !r.is("takes the last mark") || r.is("keeps the first mark") {
		mark.mark = old.mark
	}
	if old.end.After(mark.end) && !r.is("takes the last lifetime of a mark") ||
		r.is("keeps the first lifetime of a mark") {
		mark.end = old.end
	}
	return mark
}

func (r *simpleRecords) Highest(ctx context.Context, keys ...string) (highest time.Time, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ctx.Err() != nil && !r.is("ignores the context for marks") {
		return highest, ctx.Err()
	}
	for _, key := range keys {
		if r.is("ignores case of marks") {
			key = strings.ToLower(key)
		}
		m := r.marks[key]
		if m.mark.After(highest) && (r.now.Before(m.end) || r.is("lets marks live")) {
			highest = m.mark
		}
		if r.is("looks up the first key") {
			break
		}
	}
	return highest, nil
}

func (r *simpleRecords) advance(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(d)
}

// TestRecordsWithAFlaw: the suite notices each broken promise, and nothing else. It runs in another
// process, because it must fail there.
func TestRecordsWithAFlaw(t *testing.T) {
	t.Parallel()
	const name = "STORETEST_RECORDS"
	newRecords := func(flaw string) *simpleRecords {
		return &simpleRecords{flaw: flaw, now: time.Unix(1_800_000_000, 0), values: map[string]simpleRecord{},
			marks: map[string]simpleMark{}}
	}
	if flaw := os.Getenv(name); flaw != "" {
		records := newRecords(flaw)
		storetest.RunRecords(t, storetest.RecordsOptions{
			New: func(*testing.T) session.Records {
				switch flaw {
				case "is not shared":
					return newRecords(flaw)
				case "does not share marks":
					other := newRecords(flaw)
					other.values = records.values
					return other
				}
				return records
			},
			Advance:  records.advance,
			MarkRoom: markRoom,
		})
		return
	}
	for flaw, test := range flaws {
		command := exec.Command(os.Args[0], "-test.run=^TestRecordsWithAFlaw$", "-test.v")
		command.Env = append(os.Environ(), name+"="+flaw)
		output, err := command.CombinedOutput()
		if failed := "--- FAIL: TestRecordsWithAFlaw/" + test; (err != nil) != (test != "") ||
			test != "" && !strings.Contains(string(output), failed) {
			t.Errorf("records with the flaw %q: %v, want a failure of %q\n%s", flaw, err, test, output)
		}
	}
}

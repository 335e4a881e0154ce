package expiry

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml/internal/storekey"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// A model is what a Map does, written without regard to memory or time.
type model struct {
	size, each int
	values     map[string]modelValue
}

type modelValue struct {
	value  int64
	end    time.Time
	tenant int
}

func (m *model) get(key string, now time.Time) (int64, bool) {
	v, ok := m.values[key]
	return v.value, ok && now.Before(v.end)
}

func (m *model) put(key string, tenant int, value int64, now time.Time, lifetime time.Duration) bool {
	used, own := 0, 0
	for k, v := range m.values {
		if !now.Before(v.end) {
			delete(m.values, k)
			continue
		}
		used++
		if v.tenant == tenant {
			own++
		}
	}
	end := now.Add(lifetime)
	if old, live := m.values[key]; live {
		if old.end.After(end) {
			end = old.end
		}
	} else if own+1 > m.each && own+1 > m.size-used-1 {
		return false
	}
	m.values[key] = modelValue{value, end, tenant}
	return true
}

// putAll is Put as owners of a Map use it.
func putAll(m *Map[int64], key string, value int64, now time.Time, lifetime time.Duration) bool {
	id, tenant := m.ID(key), storekey.TenantOf(key)
	for {
		more := m.Drop(now)
		if m.Put(id, tenant, value, now, lifetime) {
			return true
		}
		if !more {
			return false
		}
	}
}

// TestMapIsTheModel: random calls at random times have the same results as in the model, with room for
// all, for some or for nearly none. The clock moves forward.
func TestMapIsTheModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 1))
		size, each, keys := 1+random.IntN(400), random.IntN(20), 1+random.IntN(500)
		m := New[int64](start, storekey.Room{Size: size, Each: each})
		want := &model{size: size, each: each, values: map[string]modelValue{}}
		now, refused, dropped := start.Add(-time.Hour), 0, 0
		for step := range 4000 {
			if random.IntN(50) == 0 {
				now = now.Add(time.Duration(random.IntN(100)) * time.Second)
			}
			if random.IntN(500) == 0 { // nearly all end, which is more than one call drops
				now = now.Add(190 * time.Second)
			}
			tenant := random.IntN(4)
			key := fmt.Sprintf("v1/x/tenant-%d/%d", tenant, random.IntN(keys))
			if random.IntN(3) == 0 {
				got, ok := m.Get(m.ID(key), now)
				if wantValue, wantOK := want.get(key, now); ok != wantOK || ok && got != wantValue {
					t.Fatalf("seed %d, step %d: Get of %s: got %d, %t, want %d, %t", seed, step, key, got, ok, wantValue, wantOK)
				}
				continue
			}
			lifetime, before := time.Duration(1+random.IntN(200))*time.Second, m.Len()
			got := putAll(m, key, int64(step), now, lifetime)
			if wanted := want.put(key, tenant, int64(step), now, lifetime); got != wanted {
				t.Fatalf("seed %d, step %d: Put of %s: got %t, want %t", seed, step, key, got, wanted)
			}
			if m.Len() < before {
				dropped++
			}
			if !got {
				refused++
			}
			if m.queue.n != m.Len() || m.Room.Used() != m.Len() || m.Len() < len(want.values) {
				t.Fatalf("seed %d, step %d: %d entries, %d in the queue, %d in the room, want %d or more", seed, step,
					m.Len(), m.queue.n, m.Room.Used(), len(want.values))
			}
		}
		if dropped == 0 {
			t.Errorf("seed %d: nothing was ever dropped, so this shows little", seed)
		}
		for range 1 + m.Len()/dropsInCall {
			m.Drop(now.Add(time.Hour))
		}
		if m.Len() != 0 || m.Room.Used() != 0 || m.queue.n != 0 || len(m.queue.chunks) != 0 {
			t.Errorf("seed %d: in the end there are %d entries, %d in the room, %d in the queue", seed, m.Len(),
				m.Room.Used(), m.queue.n)
		}
	}
}

// TestClockThatJumpsBack: what is alive by the clock that went back is kept, and what came later is
// kept until its own end. What was dropped in the meantime stays dropped.
func TestClockThatJumpsBack(t *testing.T) {
	t.Parallel()
	m := New[int64](start, storekey.Room{Size: 100})
	has := func(key string, now time.Time, want bool) {
		t.Helper()
		if _, got := m.Get(m.ID(key), now); got != want {
			t.Errorf("%s at %v: got %t, want %t", key, now.Sub(start), got, want)
		}
	}
	putAll(m, "ends", 0, start, time.Minute)
	putAll(m, "stays", 0, start, time.Hour)
	putAll(m, "later", 0, start.Add(time.Minute), time.Minute) // and "ends" is dropped
	has("ends", start, false)
	has("stays", start.Add(-time.Hour), true)
	putAll(m, "before the start", 0, start.Add(-time.Hour), time.Minute)
	has("before the start", start.Add(-59*time.Minute-time.Second), true)
	has("before the start", start.Add(-59*time.Minute), false)
	has("later", start.Add(2*time.Minute-1), true)
	has("later", start.Add(2*time.Minute), false)
	putAll(m, "stays", 0, start, time.Minute) // the longer lifetime counts
	has("stays", start.Add(time.Hour-1), true)
	putAll(m, "for good", 0, start.Add(time.Hour), math.MaxInt64)
	has("for good", start.Add(200*365*24*time.Hour), true)
}

// TestMonotonicClock: with the clock of the system an entry lives as long as it was asked to, whatever
// happens to the date. Only the monotonic reading of the start can say how much time has passed.
func TestMonotonicClock(t *testing.T) {
	t.Parallel()
	m := New[int64](time.Now(), storekey.Room{Size: 10})
	if text := m.start.String(); !strings.Contains(text, " m=") {
		t.Errorf("the start is %s, want one with a monotonic reading", text)
	}
	now := time.Now()
	putAll(m, "key", 0, now, time.Minute)
	id := m.ID("key")
	if _, live := m.Get(id, now.Add(time.Minute-1)); !live {
		t.Error("the entry has ended too early")
	}
	if _, live := m.Get(id, now.Add(time.Minute)); live {
		t.Error("the entry has not ended")
	}
}

// TestClockThatIsSetLate: the first reading may be centuries from the others, in year 1 for example, and
// entries live as long as they were asked to. A clock at the end of what a Duration can say finds no
// room, since nothing would be remembered.
func TestClockThatIsSetLate(t *testing.T) {
	t.Parallel()
	room := storekey.Room{Size: 10}
	for _, first := range []time.Time{{}, time.Unix(0, 0), start, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)} {
		m := New[int64](first, room)
		id := m.ID("key")
		has := func(now time.Time, want bool) {
			t.Helper()
			if _, got := m.Get(id, now); got != want {
				t.Errorf("made at %v, at %v: got %t, want %t", first, now, got, want)
			}
		}
		if !m.Put(id, storekey.Tenant{}, 0, time.Time{}, time.Minute) {
			t.Error("there is no room in year 1")
		}
		has(time.Time{}, true)
		has(start, false)
		putAll(m, "key", 0, start, time.Minute)
		has(start.Add(time.Minute-1), true)
		has(start.Add(time.Minute), false)
	}
	m := New[int64](time.Time{}, room)
	if far := time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC); m.Put(m.ID("key"), storekey.Tenant{}, 0, far, time.Minute) {
		t.Error("there is room for what cannot be remembered")
	}
}

// TestDropIsBounded: a million entries may end in one moment, and a call drops a few of them.
func TestDropIsBounded(t *testing.T) {
	t.Parallel()
	m := New[int64](start, storekey.Room{Size: 10_000})
	for i := range 1000 {
		putAll(m, fmt.Sprint(i), 0, start, time.Minute)
	}
	if more := m.Drop(start.Add(time.Minute)); !more || m.Len() != 1000-dropsInCall {
		t.Errorf("got %d entries, more: %t, want %d", m.Len(), more, 1000-dropsInCall)
	}
	if more := m.Drop(start.Add(time.Minute - 1)); more || m.Len() != 1000-dropsInCall {
		t.Errorf("before the end: got %d entries, more: %t, want as many as before", m.Len(), more)
	}
}

// TestPlaceOfAnEndedEntry: an entry that has ended and was not dropped yet takes no room, and gives its
// key no right to one.
func TestPlaceOfAnEndedEntry(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		each int
		at   time.Duration
		want bool
	}{
		{"room for two, and one is alive", 2, time.Minute, true},
		{"room for one, which is taken", 1, time.Minute, false},
		{"room for one, but the key still has its place", 1, time.Minute - 1, true},
	} {
		m := New[int64](start, storekey.Room{Each: 2})
		put := func(key string, now time.Time, lifetime time.Duration) bool {
			return m.Put(m.ID(key), storekey.TenantOf(key), 0, now, lifetime)
		}
		if !put("ends", start, time.Minute) || !put("stays", start, time.Hour) {
			t.Fatal("there is no room for two")
		}
		m.Room.Each = row.each
		if got := put("ends", start.Add(row.at), time.Hour); got != row.want {
			t.Errorf("%s: got %t, want %t", row.name, got, row.want)
		}
		if m.Room.Used() != 2 || m.Len() != 2 || m.queue.n != 2 {
			t.Errorf("%s: got %d in the room, %d entries, %d in the queue, want 2", row.name, m.Room.Used(), m.Len(), m.queue.n)
		}
	}
}

// TestQueueGivesBack: what many entries took is free when they have ended.
func TestQueueGivesBack(t *testing.T) {
	t.Parallel()
	var q queue
	for i := range 10 * chunkSize {
		q.push(entry{end: time.Duration(-i)})
	}
	for q.n > 0 {
		q.pop()
	}
	for i, chunk := range q.chunks[:cap(q.chunks)] {
		if chunk != nil {
			t.Errorf("chunk %d is still there", i)
		}
	}
}

// TestNoPointers: the garbage collector passes over what has no pointer.
func TestNoPointers(t *testing.T) {
	t.Parallel()
	var pointers func(reflect.Type) bool
	pointers = func(of reflect.Type) bool {
		switch of.Kind() {
		case reflect.Bool, reflect.Int64, reflect.Uint8:
			return false
		case reflect.Array:
			return pointers(of.Elem())
		case reflect.Struct:
			for i := range of.NumField() {
				if pointers(of.Field(i).Type) {
					return true
				}
			}
			return false
		}
		return true
	}
	for _, of := range []reflect.Type{reflect.TypeFor[ID](), reflect.TypeFor[entry](), reflect.TypeFor[kept[struct{}]](),
		reflect.TypeFor[kept[int64]](), reflect.TypeFor[storekey.Tenant]()} {
		if pointers(of) {
			t.Errorf("%v has pointers", of)
		}
	}
	if !pointers(reflect.TypeFor[time.Time]()) {
		t.Error("a time.Time has a pointer, and this test does not see it")
	}
}

// TestIDsAreSecret: whoever chooses keys cannot choose their IDs, since each Map has others.
func TestIDsAreSecret(t *testing.T) {
	t.Parallel()
	a, b := New[int64](start, storekey.Room{}), New[int64](start, storekey.Room{})
	long, first := string(make([]byte, 1000)), a.ID("key")
	if first == b.ID("key") || first != a.ID("key") || a.ID(long) == a.ID(long[1:]) {
		t.Error("two maps have one ID for a key, or one map has two, or two keys have one")
	}
}

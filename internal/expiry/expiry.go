// Package expiry keeps the keys of stores in memory until they end. Millions of them are nothing to
// the garbage collector, because no entry has a pointer, and no call stops the others for long.
package expiry

import (
	"crypto/rand"
	"crypto/sha256"
	"math"
	"time"

	"github.com/iomete/saml/internal/storekey"
)

// An ID stands for a key: the first 16 bytes of the SHA-256 of a secret of the Map and the key. Two
// keys with one ID would be a sign-in that is refused, or a session that ends too early. By chance
// that does not happen: among 2 million keys its probability is below 2^-86. Nobody can bring it about,
// because the secret is random, new in each process, and never leaves it, and neither do the IDs.
type ID [16]byte

const (
	secretSize = 32
	// dropsInCall is how many ended entries one call of Drop removes at most. It must be more than one,
	// since a call may add one.
	dropsInCall = 32
)

// A Map keeps values under keys, each until its end. V must have no pointers. The owner of the Map
// guards all its methods but ID with a mutex.
//
// A Map grows by little steps: the built-in map splits tables of at most 1,024 entries, and the
// queue adds chunks.
type Map[V any] struct {
	// Room has one for each entry, including those that have ended and were not dropped yet.
	Room storekey.Room

	start  time.Time // ends are durations since then: a time.Time has a pointer, and 24 bytes
	secret [secretSize]byte
	values map[ID]kept[V]
	queue  queue // one entry for each value; its end may be earlier than that of the value
}

type kept[V any] struct {
	value V // before end: behind it, a V of no size would take 8 bytes
	end   time.Duration
}

// New returns an empty Map. now is the time by the clock of its owner. If it has a monotonic reading,
// steps of the wall clock do not end anything, as with the times themselves. Otherwise its value does
// not matter: a clock of the owner's may say year 1 until it is set.
func New[V any](now time.Time, room storekey.Room) *Map[V] {
	if now == now.Round(0) { // no monotonic reading, which Round takes off
		now = time.Unix(0, 0)
	}
	m := &Map[V]{Room: room, start: now, values: map[ID]kept[V]{}}
	rand.Read(m.secret[:])
	return m
}

// ID returns what stands for a key in this Map. It needs no mutex.
func (m *Map[V]) ID(key string) ID {
	var room [secretSize + 64]byte // the longest key of ours has 64 bytes
	sum := sha256.Sum256(append(append(room[:0], m.secret[:]...), key...))
	return ID(sum[:len(ID{})])
}

// Len returns how many entries there are, including those that have ended and were not dropped yet.
func (m *Map[V]) Len() int { return len(m.values) }

// Get returns the value that is under a key now, and whether there is one that has not ended.
func (m *Map[V]) Get(id ID, now time.Time) (V, bool) {
	k, ok := m.values[id]
	return k.value, ok && now.Sub(m.start) < k.end
}

// Put keeps a value under a key for a lifetime above zero from now on, or until the end that a value
// there has already, whichever is later. It reports whether there is room. The place of a value that
// has not ended is kept; that of one that has ended counts as free. From the year 2262 on there is no
// room.
func (m *Map[V]) Put(id ID, tenant storekey.Tenant, value V, now time.Time, lifetime time.Duration) bool {
	at := now.Sub(m.start)
	end := at + lifetime
	if end < at { // beyond what a Duration can say: 292 years
		end = math.MaxInt64
	}
	if end == at { // it would have ended already, as if it had never been put
		return false
	}
	old, replaced := m.values[id]
	if ended := old.end <= at; (!replaced || ended) && !m.fits(tenant, replaced) {
		return false
	}
	if replaced {
		end = max(end, old.end) // so the queue never holds it too late
	} else {
		m.Room.Add(tenant, 1)
		m.queue.push(entry{end, id, tenant})
	}
	m.values[id] = kept[V]{value, end}
	return true
}

// fits reports whether there is room for one more of a tenant. If ended is set, it comes in the place
// of one that has ended and is still counted.
func (m *Map[V]) fits(tenant storekey.Tenant, ended bool) bool {
	if !ended {
		return m.Room.Fits(tenant, 1)
	}
	m.Room.Add(tenant, -1)
	defer m.Room.Add(tenant, 1)
	return m.Room.Fits(tenant, 1)
}

// Drop removes entries that have ended, the one that ended first before the others, but only some
// dozens in a call: those who wait for the mutex are held up for a fraction of a millisecond. It reports
// whether there may be more. If Put then finds no room, call both again.
func (m *Map[V]) Drop(now time.Time) (more bool) {
	at := now.Sub(m.start)
	for range dropsInCall {
		if m.queue.n == 0 || at < m.queue.at(0).end {
			return false
		}
		top := *m.queue.at(0)
		if k := m.values[top.id]; at < k.end { // Put has moved the end since
			top.end = k.end
			m.queue.replaceTop(top)
			continue
		}
		m.queue.pop()
		delete(m.values, top.id)
		m.Room.Add(top.tenant, -1)
	}
	return true
}

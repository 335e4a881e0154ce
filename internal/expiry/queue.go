package expiry

import (
	"time"

	"github.com/iomete/saml/internal/storekey"
)

// chunkSize is how many entries lie side by side. A queue grows and shrinks by a chunk of 10 KiB, so no
// call ever copies more than that and, rarely, the list of chunks: 94 KiB for a million entries.
const chunkSize = 256

// An entry is the place of a key in a queue. It has no pointer.
type entry struct {
	end    time.Duration // since the start of the Map
	id     ID
	tenant storekey.Tenant
}

// A queue is a binary heap of entries; the one that ends first is on top.
type queue struct {
	chunks [][]entry // all full but the last
	n      int
}

func (q *queue) at(i int) *entry { return &q.chunks[i/chunkSize][i%chunkSize] }

// push adds an entry.
func (q *queue) push(e entry) {
	if q.n%chunkSize == 0 {
		var chunk []entry // the first one begins small, since most stores stay small
		if q.n > 0 {
			chunk = make([]entry, 0, chunkSize)
		}
		q.chunks = append(q.chunks, chunk)
	}
	last := &q.chunks[len(q.chunks)-1]
	*last = append(*last, e)
	q.n++
	q.up(q.n-1, e)
}

// pop removes the top. The queue must have one.
func (q *queue) pop() {
	last := &q.chunks[len(q.chunks)-1]
	e := (*last)[len(*last)-1]
	*last = (*last)[:len(*last)-1]
	if q.n--; q.n%chunkSize == 0 {
		*last = nil // its memory is free
		q.chunks = q.chunks[:len(q.chunks)-1]
	}
	if q.n > 0 {
		q.down(e)
	}
}

// replaceTop puts e in the place of the top, and finds its order.
func (q *queue) replaceTop(e entry) { q.down(e) }

// up moves e from place i to where it belongs.
func (q *queue) up(i int, e entry) {
	for i > 0 {
		parent := q.at((i - 1) / 2)
		if parent.end <= e.end {
			break
		}
		*q.at(i) = *parent
		i = (i - 1) / 2
	}
	*q.at(i) = e
}

// down moves e from the top to where it belongs, and overwrites what is there.
func (q *queue) down(e entry) {
	i := 0
	for child := 1; child < q.n; child = 2*i + 1 {
		if right := child + 1; right < q.n && q.at(right).end < q.at(child).end {
			child = right
		}
		if e.end <= q.at(child).end {
			break
		}
		*q.at(i) = *q.at(child)
		i = child
	}
	*q.at(i) = e
}

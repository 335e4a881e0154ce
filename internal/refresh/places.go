package refresh

import "sync"

// Places are for those who wait for something: so many in all. One Queue may have as many of them as
// are free, so that it never takes them all: one alone gets half, two get a third each.
type Places struct {
	InAll int

	mu    sync.Mutex
	taken int
}

// A Queue is who waits for one thing. The zero value is an empty one.
type Queue struct{ taken int } // under the mu of its Places

// Enter takes a place for one more in a queue, and reports whether there was one. It does not wait.
func (p *Places) Enter(q *Queue) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if q.taken >= p.InAll-p.taken {
		return false
	}
	q.taken++
	p.taken++
	return true
}

// Leave gives the place back. Call it once for each Enter that reported true.
func (p *Places) Leave(q *Queue) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q.taken--
	p.taken--
}

// Taken returns how many wait, in all queues.
func (p *Places) Taken() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.taken
}

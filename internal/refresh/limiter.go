package refresh

import "sync"

// A Limiter runs what is submitted, each in a goroutine of its own: so many at once in all, and so
// many at once of one host. What has to wait takes turns by host, so that a host that does not
// answer holds up nobody else's.
type Limiter struct {
	InAll, OfHost int // at once; both at least 1

	mu      sync.Mutex
	running int
	hosts   map[string]*hostQueue
	turns   []*hostQueue // those that may run something now, each once
}

type hostQueue struct {
	name    string
	running int
	waiting []func()
	inTurns bool
}

// Submit runs f when its turn comes. It does not wait.
func (l *Limiter) Submit(host string, f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.hosts[host]
	if h == nil {
		h = &hostQueue{name: host}
		if l.hosts == nil {
			l.hosts = map[string]*hostQueue{}
		}
		l.hosts[host] = h
	}
	h.waiting = append(h.waiting, f)
	l.takesTurns(h)
	l.start()
}

// takesTurns lets a host take part if it has something to run and is below its limit.
func (l *Limiter) takesTurns(h *hostQueue) {
	if !h.inTurns && len(h.waiting) > 0 && h.running < l.OfHost {
		h.inTurns = true
		l.turns = append(l.turns, h)
	}
}

// start runs what may run.
func (l *Limiter) start() {
	for l.running < l.InAll && len(l.turns) > 0 {
		h := l.turns[0]
		l.turns[0], l.turns = nil, l.turns[1:]
		f := h.waiting[0]
		h.waiting[0], h.waiting = nil, h.waiting[1:]
		h.inTurns = false
		h.running++
		l.running++
		l.takesTurns(h)
		go l.run(h, f)
	}
}

func (l *Limiter) run(h *hostQueue, f func()) {
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.running--
		h.running--
		if h.running == 0 && len(h.waiting) == 0 {
			delete(l.hosts, h.name)
		}
		l.takesTurns(h)
		l.start()
	}()
	f()
}

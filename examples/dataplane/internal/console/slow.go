package console

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"
)

// Wrong passwords slow those who guess down and lock nobody out. Tries are counted in lanes: one
// for each browser in which the administrator has signed in, one for each address, and one for all
// addresses together. In a lane with many wrong tries the next ones are looked at one after
// another, each after a pause. So neither patience nor many connections at once give more than one
// guess a second from an address.
//
// A browser in which the administrator has signed in before is in no lane of others and never waits
// for them. A new browser waits behind those who guess, from its address or from all; in a flood it
// may have no turn within turnLimit, or no place to wait, and then the page says to try again.
// Nothing is locked: a right password that has its turn always counts.
//
// The lanes are in memory: each replica has its own, and a restart begins anew.
const (
	attemptWindow = 15 * time.Minute // without a try, after which a lane forgets
	turnLimit     = 20 * time.Second // how long a try waits for its turn

	freeTries = 5 // in the lane of a browser or an address, before it slows down
	firstWait = 250 * time.Millisecond
	maxWait   = time.Second

	freeTriesOfAll = 50 // in the lane of all addresses
	waitOfAll      = 200 * time.Millisecond

	maxLanes = 10_000
	// tries together, not counting those in browsers that the administrator has used: each holds a connection
	maxWaiting = 500
)

// errNoTurn refuses a try that many others were before. The password was not looked at.
var errNoTurn = errors.New("console: so many passwords are being tried that this one had no turn")

// lanes is safe for concurrent use.
type lanes struct {
	mu      sync.Mutex
	all     map[string]*lane
	waiting int
	now     func() time.Time
	wait    func(ctx context.Context, d time.Duration) error
}

type lane struct {
	wrong int
	last  time.Time     // try
	users int           // tries that are in it now
	turn  chan struct{} // holds one; those who wait for it get it in order
}

// everybody is the lane of all addresses. ofStrangers begins the name of the lane of one.
const (
	everybody   = ""
	ofStrangers = "address "
)

// pause is how long the next try waits after so many wrong ones.
func pause(name string, wrong int) time.Duration {
	switch {
	case name == everybody && wrong > freeTriesOfAll:
		return waitOfAll
	case name == everybody || wrong <= freeTries:
		return 0
	}
	return min(firstWait<<min(wrong-freeTries-1, 8), maxWait)
}

// try waits for a turn in each of the lanes. It counts a wrong try at once, so that tries at the
// same time cannot be too many together; done takes it back if the password was right, and must be
// called. On error done is not to be called.
func (l *lanes) try(ctx context.Context, names ...string) (done func(right bool), err error) {
	ctx, cancel := context.WithTimeout(ctx, turnLimit)
	defer cancel()
	var leave []func(right bool)
	done = func(right bool) {
		for _, f := range leave {
			f(right)
		}
	}
	for _, name := range names {
		one, wrong := l.enter(name)
		d := pause(name, wrong)
		if d == 0 {
			leave = append(leave, func(right bool) { l.leave(one, right) })
			continue
		}
		if !l.takeTurn(ctx, one, strings.HasPrefix(name, ofStrangers) || name == everybody) {
			l.leave(one, true) // it was not a guess
			done(true)
			return nil, errNoTurn
		}
		leave = append(leave, func(right bool) {
			<-one.turn
			l.leave(one, right)
		})
		if l.wait(ctx, d) != nil {
			done(true)
			return nil, errNoTurn
		}
	}
	return done, nil
}

// takeTurn waits for the turn of a lane, and reports whether it came. Of strangers only so many
// wait.
func (l *lanes) takeTurn(ctx context.Context, one *lane, stranger bool) bool {
	if stranger {
		l.mu.Lock()
		full := l.waiting >= maxWaiting
		if !full {
			l.waiting++
		}
		l.mu.Unlock()
		if full {
			return false
		}
		defer func() {
			l.mu.Lock()
			l.waiting--
			l.mu.Unlock()
		}()
	}
	select {
	case one.turn <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (l *lanes) enter(name string) (one *lane, wrong int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	one = l.all[name]
	if one == nil {
		l.prune(now)
		one = &lane{turn: make(chan struct{}, 1)}
		l.all[name] = one
	}
	if now.Sub(one.last) >= attemptWindow && one.users == 0 {
		one.wrong = 0
	}
	one.wrong++
	one.users++
	one.last = now
	return one, one.wrong
}

func (l *lanes) leave(one *lane, right bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	one.users--
	if right {
		one.wrong--
	}
}

// prune makes room: first lanes that would forget anyway go, then any that nobody is in. The lane
// of all addresses stays.
func (l *lanes) prune(now time.Time) {
	if len(l.all) < maxLanes {
		return
	}
	for _, fresh := range []bool{false, true} {
		for name, one := range l.all {
			if len(l.all) <= maxLanes/2 {
				return
			}
			if name != everybody && one.users == 0 && (fresh || now.Sub(one.last) >= attemptWindow) {
				delete(l.all, name)
			}
		}
	}
}

// waitFor waits, unless ctx ends before.
func waitFor(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

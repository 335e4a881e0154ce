package console

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func newLanes() *lanes {
	return &lanes{all: map[string]*lane{}, now: time.Now, wait: waitFor}
}

// TestLanesInParallel has somebody who guesses over many connections at once. The clock is that of
// the bubble: what it says is what a machine of any speed would take.
func TestLanesInParallel(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name      string
		addresses int
		from, to  int64 // guesses in a minute
	}{
		{"from one address", 1, 50, 70},
		{"from a thousand addresses", 1000, 250, 400},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLanes()
				ctx, stop := context.WithTimeout(t.Context(), time.Minute)
				defer stop()
				var guesses atomic.Int64
				for n := range 200 {
					go func() {
						for i := n; ctx.Err() == nil; i += 200 {
							done, err := l.try(ctx, fmt.Sprint("address ", i%row.addresses), everybody)
							if err == nil {
								guesses.Add(1)
								done(false)
							}
						}
					}()
				}
				<-ctx.Done()
				synctest.Wait()
				if got := guesses.Load(); got < row.from || got > row.to {
					t.Errorf("got %d guesses in a minute, want %d to %d", got, row.from, row.to)
				}
			})
		})
	}
}

// TestLanesLockNobodyOut has the administrator try once while others guess over many connections:
// from an address of their own, and from the same one, and in a browser that has been used before.
func TestLanesLockNobodyOut(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		lanes []string
		most  time.Duration // that the administrator waits
	}{
		{"the same address", []string{"address 192.0.2.1", everybody}, turnLimit},
		{"another address", []string{"address 192.0.2.2", everybody}, 5 * time.Second},
		{"a browser that the administrator has used", []string{"browser X"}, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLanes()
				ctx, stop := context.WithCancel(t.Context())
				for range 15 {
					go func() {
						for ctx.Err() == nil {
							if done, err := l.try(ctx, "address 192.0.2.1", everybody); err == nil {
								done(false)
							}
						}
					}()
				}
				time.Sleep(2 * time.Minute)
				begun := time.Now()
				done, err := l.try(t.Context(), row.lanes...)
				if waited := time.Since(begun); err != nil || waited > row.most {
					t.Errorf("waited %v and got %v, want a turn within %v", waited, err, row.most)
				}
				if err == nil {
					done(true)
				}
				stop()
				synctest.Wait()
			})
		})
	}
}

// TestLanesGiveUp: without a turn the password is not looked at, and the try counts for nothing.
func TestLanesGiveUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLanes()
		for range freeTries {
			done, err := l.try(t.Context(), "address a")
			if err != nil {
				t.Fatal(err)
			}
			done(false)
		}
		done, err := l.try(t.Context(), "address a") // and does not end
		if err != nil {
			t.Fatal(err)
		}
		before := l.all["address a"].wrong
		begun := time.Now()
		if _, err := l.try(t.Context(), "address a"); !errors.Is(err, errNoTurn) || time.Since(begun) != turnLimit {
			t.Errorf("got %v after %v, want no turn after %v", err, time.Since(begun), turnLimit)
		}
		if after := l.all["address a"]; after.wrong != before || after.users != 1 {
			t.Errorf("a try without a turn counts: %+v", after)
		}
		done(true)
		if after := l.all["address a"]; after.wrong != freeTries || after.users != 0 {
			t.Errorf("after a right password: %+v", after)
		}
	})
}

// TestLanesAreBounded: there are never more than a number, and the lane of all is not among those
// that go.
func TestLanesAreBounded(t *testing.T) {
	t.Parallel()
	l := newLanes()
	for i := range 3 * maxLanes {
		one, _ := l.enter(fmt.Sprint(i))
		l.leave(one, false)
		one, _ = l.enter(everybody)
		l.leave(one, false)
	}
	if len(l.all) > maxLanes || l.all[everybody].wrong != 3*maxLanes {
		t.Errorf("%d lanes, that of all with %d tries, want at most %d lanes and %d tries", len(l.all),
			l.all[everybody].wrong, maxLanes, 3*maxLanes)
	}
}

// TestWaitingIsBounded: strangers cannot hold any number of connections, and a browser that the
// administrator has used is not among those that are sent away.
func TestWaitingIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLanes()
		var refused atomic.Int64
		for range 3 * maxWaiting {
			go func() {
				begun := time.Now()
				done, err := l.try(t.Context(), ofStrangers+"a", everybody)
				if err != nil {
					if time.Since(begun) == 0 {
						refused.Add(1)
					}
					return
				}
				done(false)
			}()
		}
		synctest.Wait()
		if l.waiting > maxWaiting || refused.Load() < 2*maxWaiting-2*freeTries {
			t.Errorf("%d wait and %d were sent away at once, want at most %d to wait", l.waiting, refused.Load(),
				maxWaiting)
		}
		done, err := l.try(t.Context(), "browser X")
		if err != nil {
			t.Errorf("a browser that the administrator has used: got %v", err)
		} else {
			done(true)
		}
		time.Sleep(2 * turnLimit)
		synctest.Wait()
		if l.waiting != 0 {
			t.Errorf("%d still wait", l.waiting)
		}
	})
}

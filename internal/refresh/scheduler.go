package refresh

import (
	"sync"
	"time"
)

// A Task is something that a Scheduler runs again and again.
type Task interface {
	// Wait returns how long until the task is due, by its own clock; 0 or less: it is due. It must
	// not block.
	Wait() time.Duration
	// Run does what is due. It is not called again before it returns.
	Run()
}

const (
	// LongestSleep is how long a Scheduler trusts its timer: timers stand still while a machine
	// sleeps, and clocks are set.
	LongestSleep = time.Minute
	// shortestSleep bounds what it costs to ask thousands of tasks.
	shortestSleep = 500 * time.Millisecond
)

// A Scheduler runs the tasks of a process. It has one goroutine, and none while it has no tasks.
// Set its fields before the first use.
type Scheduler struct {
	Planned Limiter // runs the tasks when they are due
	Extra   Limiter // runs what is asked for in between
	Waiting Places  // for requests that wait for something in Extra

	mu    sync.Mutex
	tasks map[*entry]struct{}
	awake chan struct{} // wakes the goroutine; nil if there is none
	until time.Time     // when the goroutine wakes up by itself
}

// NewScheduler returns a Scheduler with the limits of a process: 16 fetches at once, 4 of one host,
// as many again for extra looks, and 100 requests that wait for one.
func NewScheduler() *Scheduler {
	return &Scheduler{Planned: Limiter{InAll: 16, OfHost: 4}, Extra: Limiter{InAll: 16, OfHost: 4},
		Waiting: Places{InAll: 100}}
}

type entry struct {
	task Task
	host string
	busy bool // its task runs, or waits for its turn
}

// Add runs a task whenever it is due, within the limits for its host, until remove is called. A run
// that has begun ends by itself.
func (s *Scheduler) Add(host string, t Task) (remove func()) {
	e := &entry{task: t, host: host}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tasks == nil {
		s.tasks = map[*entry]struct{}{}
	}
	s.tasks[e] = struct{}{}
	if s.awake == nil {
		s.awake = make(chan struct{}, 1)
		go s.loop(s.awake)
	}
	s.wake()
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.tasks, e)
		s.wake()
	}
}

// Len returns how many tasks there are.
func (s *Scheduler) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.tasks)
}

func (s *Scheduler) wake() {
	if s.awake != nil {
		select {
		case s.awake <- struct{}{}:
		default: // it is awake already
		}
	}
}

// loop ends when there are no tasks.
func (s *Scheduler) loop(awake chan struct{}) {
	for {
		sleep, idle := s.submitDue()
		if idle {
			return
		}
		timer := time.NewTimer(sleep)
		select {
		case <-timer.C:
		case <-awake:
			timer.Reset(shortestSleep) // others may follow at once
			<-timer.C
		}
		timer.Stop()
	}
}

// submitDue submits every task that is due, and returns how long to sleep. It reports whether there
// are no tasks left: then there is no goroutine any more.
func (s *Scheduler) submitDue() (sleep time.Duration, idle bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.tasks) == 0 {
		s.awake = nil
		return 0, true
	}
	sleep = LongestSleep
	for e := range s.tasks {
		if e.busy {
			continue
		}
		wait := e.task.Wait()
		if wait > 0 {
			sleep = min(sleep, wait)
			continue
		}
		e.busy = true
		s.Planned.Submit(e.host, func() { s.run(e) })
	}
	sleep = max(sleep, shortestSleep)
	s.until = time.Now().Add(sleep)
	return sleep, false
}

func (s *Scheduler) run(e *entry) {
	s.mu.Lock()
	_, there := s.tasks[e]
	s.mu.Unlock()
	if there {
		e.task.Run()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e.busy = false
	if time.Now().Add(e.task.Wait()).Before(s.until) {
		s.wake()
	}
}

// Package refresh decides when documents that change are looked at again, runs the looks of a whole
// process within limits, and keeps files. It knows nothing of what the documents say.
package refresh

import (
	"net/http"
	"strconv"
	"time"
)

const (
	// FirstRetry is how long after a failed look the next one comes while nothing is kept. The wait
	// doubles with each failure, up to the interval.
	FirstRetry = 10 * time.Second
	// Apart is the least from the end of an extra look of a Schedule to the beginning of the next one.
	Apart = 5 * time.Minute
	// Spread is over how long the first looks of a process are spread: of sources that have nothing,
	// and of sources that have a document which should be looked at again.
	Spread, SpreadKept = 2 * time.Second, time.Minute
)

// A Schedule says when one source looks: by plan, and in between for a reason (an extra look). It is
// not safe for concurrent use. Its times are those of one wall clock, which may jump. A jitter is a
// random number from 0 to 1.
type Schedule struct {
	Interval time.Duration // between two looks if nothing else is said
	Min      time.Duration // the least between two looks by plan while something is kept

	due       time.Time // of the next look by plan
	began     time.Time // the last look by plan
	extra     time.Time // the last extra look: its end, or its beginning while it is under way
	notBefore time.Time // the server asked for no look before (Retry-After)
	failures  int       // of looks by plan since one succeeded
	seen      time.Time // the latest time that the clock showed
}

// Start plans the first look. planned is when it would come if the process had not been started
// anew, the zero time if nothing is kept.
func (s *Schedule) Start(now, planned time.Time, jitter float64) {
	s.seen = now
	s.due = now.Add(part(Spread, jitter))
	if !planned.IsZero() {
		s.due = later(planned, now.Add(part(SpreadKept, jitter)))
	}
}

// Tick must be called with the time before anything else is asked. If the clock was set back, what
// was planned stays as far away as it was, and what is over stays over.
func (s *Schedule) Tick(now time.Time) {
	if back := s.seen.Sub(now); back > 0 {
		for _, t := range []*time.Time{&s.due, &s.began, &s.extra, &s.notBefore} {
			if !t.IsZero() {
				*t = t.Add(-back)
			}
		}
	}
	s.seen = now
}

// Due returns when the next look by plan is due.
func (s *Schedule) Due() time.Time { return s.due }

// Failures returns how many looks by plan failed since one succeeded.
func (s *Schedule) Failures() int { return s.failures }

// Begin notes that a look by plan begins.
func (s *Schedule) Begin(now time.Time) { s.began = now }

// Succeeded plans the next look after one that found the document. wait is how long the document
// says that it may be kept; see Wait.
func (s *Schedule) Succeeded(now time.Time, wait time.Duration, jitter float64) {
	s.failures = 0
	s.notBefore = time.Time{}
	s.due = later(now.Add(wait-part(wait/10, jitter)), s.floor(jitter))
}

// ExtraSucceeded notes that an extra look found the document. It never postpones the next look by plan:
// anyone can cause an extra one.
func (s *Schedule) ExtraSucceeded(now time.Time, wait time.Duration, jitter float64) {
	planned := s.due
	if s.Succeeded(now, wait, jitter); planned.Before(s.due) {
		s.due = later(planned, s.floor(jitter))
	}
}

// floor is the earliest next look by plan.
func (s *Schedule) floor(jitter float64) time.Time {
	return s.began.Add(s.Min + part(s.Min/10, jitter))
}

// Failed plans the next look after one by plan that failed. kept says whether there is a document
// to go on with.
func (s *Schedule) Failed(now time.Time, kept bool, jitter float64) {
	s.failures++
	wait := s.apart(kept)
	for range min(s.failures-1, 30) {
		wait = min(2*wait, s.Interval)
	}
	s.due = later(now.Add(min(wait, s.Interval)+part(wait/10, jitter)), s.notBefore)
	if kept {
		s.due = later(s.due, s.floor(jitter))
	}
}

// Refuse notes that the server asked to be left alone for a time, which counts up to the interval.
func (s *Schedule) Refuse(now time.Time, wait time.Duration) {
	s.notBefore = now.Add(min(wait, s.Interval))
	s.due = later(s.due, s.notBefore)
}

// Extra reports whether an extra look may begin now, and if not, from when on.
func (s *Schedule) Extra(now time.Time) (from time.Time, ok bool) {
	from = s.notBefore
	if !s.extra.IsZero() {
		from = later(from, s.extra.Add(Apart))
	}
	return from, !now.Before(from)
}

// Now returns from when on a look may take the place of the next one by plan, because somebody asks for
// it. kept says whether there is a document to go on with.
func (s *Schedule) Now(kept bool) time.Time {
	if s.began.IsZero() {
		return s.notBefore
	}
	return later(s.notBefore, s.began.Add(s.apart(kept)))
}

// BeginNow notes that such a look begins.
func (s *Schedule) BeginNow(now time.Time, kept bool) {
	s.Begin(now)
	s.due = later(s.due, now.Add(s.apart(kept))) // no look by plan meanwhile
}

// apart is the least between two looks by plan.
func (s *Schedule) apart(kept bool) time.Duration {
	if kept {
		return s.Min
	}
	return FirstRetry
}

// BeginExtra notes that an extra look begins.
func (s *Schedule) BeginExtra(now time.Time) { s.extra = now }

// EndExtra notes that it is over: it may have waited for its turn, and for the server.
func (s *Schedule) EndExtra(now time.Time) { s.extra = now }

// Wait returns how long a document that was read at now may be kept before the next look: the
// shortest of the interval, what the document says (cacheDuration, nil if it does not say) and half
// of what is left until it runs out (the zero time if it never does).
func Wait(now time.Time, interval time.Duration, cache *Duration, runsOut time.Time) time.Duration {
	wait := interval
	if cache != nil {
		wait = min(wait, cache.After(now).Sub(now))
	}
	if !runsOut.IsZero() {
		wait = min(wait, runsOut.Sub(now)/2)
	}
	return max(wait, 0)
}

// RetryAfter reads the header Retry-After (RFC 9110 §10.2.3): seconds, or a date. It returns 0 for
// what is neither, or not in the future.
func RetryAfter(header string, now time.Time) time.Duration {
	const most = 100 * 365 * 24 * time.Hour
	if seconds, err := strconv.ParseInt(header, 10, 64); err == nil {
		return time.Duration(min(max(seconds, 0), int64(most/time.Second))) * time.Second
	}
	if date, err := http.ParseTime(header); err == nil {
		return max(date.Sub(now), 0)
	}
	return 0
}

func part(d time.Duration, jitter float64) time.Duration { return time.Duration(float64(d) * jitter) }

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

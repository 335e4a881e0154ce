//go:build unix

package main

import (
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/iomete/saml/bench"
	"github.com/iomete/saml/bench/internal/cputime"
)

// turns holds, for each contestant, the processor time of one piece of work in each round.
type turns map[string][]time.Duration

// A measurement is one row.
type measurement struct {
	name    string
	page    bool
	many    turns // with GOMAXPROCS = processors
	single  turns // with GOMAXPROCS = 1
	refused map[string]error
	garbage map[string]garbage
}

// garbage is what one piece of work allocates.
type garbage struct{ allocs, bytes float64 }

// measure lets all contestants of a row take turns, on several processors and on one.
func measure(row bench.Row, rounds int, slice time.Duration) (*measurement, error) {
	m := &measurement{name: row.Name, page: row.Page, refused: map[string]error{}, garbage: map[string]garbage{}}
	var runners []runner
	for _, job := range row.Jobs {
		if err := job.Check(); err != nil {
			if job.Name == bench.Floor || job.Name == bench.Ours {
				return nil, fmt.Errorf("%s: %w", job.Name, err)
			}
			m.refused[job.Name] = err
			continue
		}
		r := runner{job: job}
		err := r.calibrate(slice)
		if err != nil {
			return nil, err
		}
		if m.garbage[job.Name], err = r.garbage(); err != nil {
			return nil, err
		}
		runners = append(runners, r)
	}
	var err error
	if m.many, err = takeTurns(runners, rounds); err != nil {
		return nil, err
	}
	before := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(before)
	m.single, err = takeTurns(runners, rounds)
	return m, err
}

// takeTurns begins each round with another runner, so that nobody always runs behind the same
// neighbor.
func takeTurns(runners []runner, rounds int) (turns, error) {
	t := turns{}
	for round := range rounds {
		for i := range runners {
			r := runners[(i+round)%len(runners)]
			turn, err := r.turn()
			if err != nil {
				return nil, err
			}
			t[r.job.Name] = append(t[r.job.Name], turn)
		}
	}
	return t, nil
}

// A runner does a job as often as fills a turn.
type runner struct {
	job   bench.Job
	times int
}

// calibrate finds out how often, and warms up.
func (r *runner) calibrate(slice time.Duration) error {
	for r.times = 1; ; r.times *= 2 {
		each, err := r.turn()
		if err != nil {
			return err
		}
		if each*time.Duration(r.times) >= slice/4 {
			r.times = max(1, int(slice/each))
			return nil
		}
	}
}

// turn gives the processor time of one piece of work. It begins without garbage of others.
func (r *runner) turn() (time.Duration, error) {
	runtime.GC()
	start := cputime.Used()
	for range r.times {
		if err := r.job.Do(); err != nil {
			return 0, fmt.Errorf("%s: %w", r.job.Name, err)
		}
	}
	return (cputime.Used() - start) / time.Duration(r.times), nil
}

// garbage begins warm: what is kept from one piece of work to the next does not count. It takes the
// middle of several counts, since a collection in between may empty what is kept.
func (r *runner) garbage() (garbage, error) {
	const counts = 5
	times := min(max(20, r.times/4), 2_000)
	var allocs, bytes []float64
	for range counts {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range times {
			if err := r.job.Do(); err != nil {
				return garbage{}, err
			}
		}
		runtime.ReadMemStats(&after)
		allocs = append(allocs, float64(after.Mallocs-before.Mallocs)/float64(times))
		bytes = append(bytes, float64(after.TotalAlloc-before.TotalAlloc)/float64(times))
	}
	slices.Sort(allocs)
	slices.Sort(bytes)
	return garbage{quantile(allocs, 2), quantile(bytes, 2)}, nil
}

// microseconds is the median for a contestant, 0 if there is none.
func (t turns) microseconds(name string) float64 {
	list := slices.Clone(t[name])
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return float64(quantile(list, 2)) / 1e3
}

// A ratio is the median of the ratios within each round, and their quartiles.
type ratio struct{ low, median, high float64 }

// against compares two contestants. It reports false if one of them is not there.
func (t turns) against(name, base string) (ratio, bool) {
	if len(t[name]) == 0 || len(t[base]) == 0 {
		return ratio{}, false
	}
	list := make([]float64, len(t[name]))
	for i := range list {
		list[i] = float64(t[name][i]) / float64(max(t[base][i], 1))
	}
	slices.Sort(list)
	return ratio{quantile(list, 1), quantile(list, 2), quantile(list, 3)}, true
}

// quantile gives the value at q quarters of a sorted list.
func quantile[T any](sorted []T, q int) T { return sorted[(len(sorted)-1)*q/4] }

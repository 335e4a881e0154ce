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

// A measurement is one row. turns holds, for each contestant, the processor time of one piece of
// work in each round.
type measurement struct {
	name    string
	turns   map[string][]time.Duration
	refused map[string]error
	allocs  float64 // of ours
	bytes   float64
}

// measure lets all contestants of a row take turns.
func measure(row bench.Row, rounds int, slice time.Duration) (*measurement, error) {
	m := &measurement{name: row.Name, turns: map[string][]time.Duration{}, refused: map[string]error{}}
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
		if err := r.calibrate(slice); err != nil {
			return nil, err
		}
		if job.Name == bench.Ours {
			if err := m.countAllocations(r); err != nil {
				return nil, err
			}
		}
		runners = append(runners, r)
	}
	for round := range rounds {
		for i := range runners { // another one begins each time, so that nobody always runs behind the same neighbor
			r := runners[(i+round)%len(runners)]
			turn, err := r.turn()
			if err != nil {
				return nil, err
			}
			m.turns[r.job.Name] = append(m.turns[r.job.Name], turn)
		}
	}
	return m, nil
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

// countAllocations begins warm: what is kept from one piece of work to the next does not count.
func (m *measurement) countAllocations(r runner) error {
	times := max(20, r.times/4)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range times {
		if err := r.job.Do(); err != nil {
			return err
		}
	}
	runtime.ReadMemStats(&after)
	m.allocs = float64(after.Mallocs-before.Mallocs) / float64(times)
	m.bytes = float64(after.TotalAlloc-before.TotalAlloc) / float64(times)
	return nil
}

// line is the row of the table.
func (m *measurement) line() string {
	ratio, quartiles := m.against(bench.Ours, bench.Floor)
	crewjam, _ := m.against(bench.Crewjam, bench.Ours)
	gosaml2, _ := m.against(bench.GoSAML2, bench.Ours)
	return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%.0f\t%.1f", m.name, m.microseconds(bench.Floor),
		m.microseconds(bench.Ours),
		ratio, quartiles, crewjam, gosaml2, m.allocs, m.bytes/1024)
}

func (m *measurement) microseconds(name string) string {
	turns := slices.Clone(m.turns[name])
	if len(turns) == 0 {
		return "-"
	}
	slices.Sort(turns)
	return fmt.Sprintf("%.1f", float64(quantile(turns, 2))/1e3)
}

// against gives the median of the ratios within each round, and the quartiles of them.
func (m *measurement) against(name, base string) (median, quartiles string) {
	switch {
	case m.refused[name] != nil:
		return "refuses", ""
	case len(m.turns[name]) == 0 || len(m.turns[base]) == 0:
		return "-", ""
	}
	ratios := make([]float64, len(m.turns[name]))
	for i := range ratios {
		ratios[i] = float64(m.turns[name][i]) / float64(m.turns[base][i])
	}
	slices.Sort(ratios)
	return fmt.Sprintf("%.2f", quantile(ratios, 2)), fmt.Sprintf("%.2f-%.2f", quantile(ratios, 1), quantile(ratios, 3))
}

// quantile gives the value at q quarters of a sorted list.
func quantile[T any](sorted []T, q int) T { return sorted[(len(sorted)-1)*q/4] }

//go:build unix

package main

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/iomete/saml/bench"
)

// attempts is how often a row is measured before its ratio fails. The least counts: other work on the
// machine makes a ratio larger now and then, and a regression does so every time.
const attempts = 3

// guard compares the rows with the limits of a file, or writes what it measures into the file. A row
// that is not among rows is left out on purpose.
func guard(o options, rows []bench.Row) error {
	limits, err := readLimits(o.guard)
	if err != nil {
		return err
	}
	if err := checkNames(limits, o.names); err != nil {
		return err
	}
	fmt.Printf(guardLine, "row", "allocations", "limit", "bytes", "limit", "ours/floor", "limit", "")
	var failed []string
	for i, l := range limits {
		at := slices.IndexFunc(rows, func(r bench.Row) bool { return r.Name == l.name })
		if at < 0 {
			continue
		}
		c, err := costOf(rows[at], l, o)
		if err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
		if o.update {
			limits[i] = c.asLimit(l)
			l = limits[i]
		}
		faults := c.faults(l)
		fmt.Printf(guardLine, l.name, fmt.Sprintf("%.1f", c.allocs), fmt.Sprintf("%.1f", l.allocs*moreGarbage),
			fmt.Sprintf("%.0f", c.bytes), fmt.Sprintf("%.0f", l.bytes*moreGarbage), fmt.Sprintf("%.2f", c.ratio),
			fmt.Sprintf("%.2f", l.most()), strings.Join(faults, ", "))
		if len(faults) > 0 {
			failed = append(failed, l.name+": "+strings.Join(faults, ", "))
		}
	}
	if o.update {
		return os.WriteFile(o.guard, []byte(formatLimits(limits)), 0o644)
	}
	if len(failed) > 0 {
		return fmt.Errorf("beyond %s:\n  %s\nIf that is meant to be so: go run ./ratio -guard %[1]s -update",
			o.guard, strings.Join(failed, "\n  "))
	}
	return nil
}

const guardLine = "%-34s %11s %9s %10s %10s %11s %6s  %s\n"

// checkNames finds rows without a limit, which nothing would guard.
func checkNames(limits []limit, names []string) error {
	for _, name := range names {
		if !slices.ContainsFunc(limits, func(l limit) bool { return l.name == name }) {
			return fmt.Errorf("the row %q has no limit: add a line with its target, 1 in the other columns, and -update", name)
		}
	}
	for _, l := range limits {
		if !slices.Contains(names, l.name) {
			return fmt.Errorf("there is a limit for %q, which is no row", l.name)
		}
	}
	return nil
}

// A cost is what a row takes of us.
type cost struct {
	garbage
	ratio float64 // to the floor
}

// costOf measures floor and ours alone. It measures the ratio again while it is beyond the limit.
func costOf(row bench.Row, l limit, o options) (c cost, err error) {
	row.Jobs = slices.DeleteFunc(slices.Clone(row.Jobs), func(j bench.Job) bool {
		return j.Name != bench.Floor && j.Name != bench.Ours
	})
	c.ratio = math.Inf(1)
	for range attempts {
		g, t, err := floorAndOurs(row, o.rounds, o.slice)
		if err != nil {
			return c, err
		}
		r, ok := t.against(bench.Ours, bench.Floor)
		if !ok {
			return c, fmt.Errorf("it must have %q and %q", bench.Floor, bench.Ours)
		}
		c.garbage, c.ratio = g, min(c.ratio, r.median)
		if o.update || c.ratio < l.most() {
			break
		}
	}
	return c, nil
}

func floorAndOurs(row bench.Row, rounds int, slice time.Duration) (g garbage, t turns, err error) {
	var runners []runner
	for _, job := range row.Jobs {
		if err := job.Check(); err != nil {
			return g, nil, fmt.Errorf("%s: %w", job.Name, err)
		}
		r := runner{job: job}
		if err := r.calibrate(slice); err != nil {
			return g, nil, err
		}
		if job.Name == bench.Ours {
			if g, err = r.garbage(); err != nil {
				return g, nil, err
			}
		}
		runners = append(runners, r)
	}
	t, err = takeTurns(runners, rounds)
	return g, t, err
}

// faults says what is beyond l.
func (c cost) faults(l limit) (list []string) {
	if c.allocs > l.allocs*moreGarbage {
		list = append(list, fmt.Sprintf("%.1f allocations are more than %.0f and a tenth", c.allocs, l.allocs))
	}
	if c.bytes > l.bytes*moreGarbage {
		list = append(list, fmt.Sprintf("%.0f bytes are more than %.0f and a tenth", c.bytes, l.bytes))
	}
	if c.ratio >= l.most() {
		list = append(list, fmt.Sprintf("%.2f times the floor is not below 1.5 times %.2f", c.ratio, max(l.target, l.now)))
	}
	return list
}

// asLimit is the line of the file for c, with the target of before.
func (c cost) asLimit(before limit) limit {
	l := limit{name: before.name, allocs: math.Ceil(c.allocs - 0.05), bytes: math.Ceil(c.bytes), target: before.target}
	if c.ratio > l.target {
		l.now = math.Ceil(c.ratio*100) / 100
	}
	return l
}

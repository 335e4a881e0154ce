//go:build unix

package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// limitsHead stands above the limits and says what they mean.
const limitsHead = `# What a row may cost: "cd bench && go run ./ratio -guard limits.txt" compares, stage "speed" of .ci/run.
#
# allocations, bytes  of one piece of work, as measured; more than a tenth above them fails
# target              processor time, ours / floor, that the row must reach; written by hand
# now                 what was measured, where that is above the target, else "-"
#
# The ratio fails at 1.5 times the larger of target and now, so that a row that is not at its target
# yet becomes no worse. "-guard limits.txt -update" writes all columns but the target.
`

const (
	moreGarbage = 1.1 // times the limit
	moreTime    = 1.5 // times the larger of target and now
)

// A limit is a line of the file.
type limit struct {
	name          string
	allocs, bytes float64
	target        float64
	now           float64 // 0 where the target is reached
}

// most is the ratio to the floor from which on the guard fails.
func (l limit) most() float64 { return moreTime * max(l.target, l.now) }

var limitsColumns = []string{"row", "allocations", "bytes", "target", "now"}

// parseLimits reads what formatLimits wrote.
func parseLimits(text string) (list []limit, err error) {
	names := map[string]bool{}
	for number, line := range strings.Split(text, "\n") {
		if line == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, limitsColumns[0]+" ") {
			continue
		}
		l, err := parseLimit(line)
		if err == nil && names[l.name] {
			err = errors.New("the row is there twice")
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number+1, err)
		}
		names[l.name] = true
		list = append(list, l)
	}
	return list, nil
}

func parseLimit(line string) (l limit, err error) {
	cells := strings.Split(line, "|")
	if len(cells) != len(limitsColumns) {
		return l, fmt.Errorf("got %d columns, want %d", len(cells), len(limitsColumns))
	}
	l.name = strings.TrimSpace(cells[0])
	for i, value := range []*float64{&l.allocs, &l.bytes, &l.target, &l.now} {
		cell := strings.TrimSpace(cells[i+1])
		if cell == "-" && value == &l.now {
			continue
		}
		if *value, err = strconv.ParseFloat(cell, 64); err != nil || *value <= 0 {
			return l, fmt.Errorf("got %q for %s, want a number above zero", cell, limitsColumns[i+1])
		}
	}
	return l, nil
}

func formatLimits(list []limit) string {
	cells := [][]string{limitsColumns}
	for _, l := range list {
		now := "-"
		if l.now > 0 {
			now = fmt.Sprintf("%.2f", l.now)
		}
		cells = append(cells, []string{l.name, fmt.Sprintf("%.0f", l.allocs), fmt.Sprintf("%.0f", l.bytes),
			strconv.FormatFloat(l.target, 'f', -1, 64), now})
	}
	var b strings.Builder
	b.WriteString(limitsHead + "\n")
	for _, row := range cells {
		line := fmt.Sprintf("%-34s | %11s | %9s | %6s | %5s", row[0], row[1], row[2], row[3], row[4])
		b.WriteString(line + "\n")
	}
	return b.String()
}

func readLimits(path string) ([]limit, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	list, err := parseLimits(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return list, nil
}

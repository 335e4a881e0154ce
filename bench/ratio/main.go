//go:build unix

// Command ratio prints how many times the floor, and how many times ourselves, everybody takes for
// each row. It measures processor time, garbage collection included, in turns within one process:
// on a machine that does other things too, only such ratios count.
//
//	go run ./ratio [-rounds 15] [-slice 200ms] [-row regexp]
package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"text/tabwriter"
	"time"

	"github.com/iomete/saml/bench"
)

func main() {
	rounds := flag.Int("rounds", 15, "how often all take their turn; the median counts")
	slice := flag.Duration("slice", 200*time.Millisecond, "processor time of one turn")
	rows := flag.String("row", "", "measure only rows whose name matches this regular expression")
	flag.Parse()
	if err := run(*rounds, *slice, *rows); err != nil {
		fmt.Fprintln(os.Stderr, "ratio:", err)
		os.Exit(1)
	}
}

func run(rounds int, slice time.Duration, pattern string) error {
	wanted, err := regexp.Compile(pattern)
	if err != nil {
		return err
	}
	if rounds < 1 || slice <= 0 {
		return fmt.Errorf("-rounds and -slice must be above zero")
	}
	rows, err := bench.Rows()
	if err != nil {
		return err
	}
	fmt.Printf("%s, %s/%s, %d processors, %d rounds of %v of processor time\n\n", runtime.Version(), runtime.GOOS,
		runtime.GOARCH,
		runtime.NumCPU(), rounds, slice)
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "row\tfloor us\tours us\tours/floor\tquartiles\tcrewjam/ours\tgosaml2/ours\tallocs\tKiB")
	var remarks []string
	for _, row := range rows {
		if !wanted.MatchString(row.Name) {
			continue
		}
		m, err := measure(row, rounds, slice)
		if err != nil {
			return fmt.Errorf("%s: %w", row.Name, err)
		}
		fmt.Fprintln(table, m.line())
		for name, why := range m.refused {
			remarks = append(remarks, fmt.Sprintf("%s, %s: %v", row.Name, name, why))
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Println()
	for _, r := range remarks {
		fmt.Println(r)
	}
	return nil
}

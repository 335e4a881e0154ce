//go:build unix

// Command ratio prints how many times the floor, and how many times ourselves, everybody takes for
// each row. It measures processor time, garbage collection included, in turns within one process:
// on a machine that does other things too, only such ratios count.
//
//	go run ./ratio [-rounds 15] [-slice 200ms] [-row regexp]    prints the tables
//	go run ./ratio -write                                       also writes them into both README.md
//	go run ./ratio -guard limits.txt                            fails if something became more expensive
//	go run ./ratio -guard limits.txt -update                    writes what is measured into limits.txt
//
// It runs in the directory bench.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/iomete/saml/bench"
)

// processors is GOMAXPROCS of the figures, apart from those for one.
const processors = 2

type options struct {
	rounds int
	slice  time.Duration
	row    string
	write  bool
	guard  string // file of limits
	update bool
	names  []string // of all rows, for the guard
}

func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 15, "how often all take their turn; the median counts; at least 6, with -guard 7 if not set")
	flag.DurationVar(&o.slice, "slice", 200*time.Millisecond, "processor time of one turn; with -guard 50ms if not set")
	flag.StringVar(&o.row, "row", "", "measure only rows whose name matches this regular expression")
	flag.BoolVar(&o.write, "write", false, "write the tables into ../README.md and README.md, between their markers")
	flag.StringVar(&o.guard, "guard", "", "compare with this file of limits, floor and ours alone")
	flag.BoolVar(&o.update, "update", false, "with -guard: write the measured columns of the file")
	flag.Parse()
	set := map[string]bool{}
	flag.Visit(func(f *flag.Flag) { set[f.Name] = true })
	if o.guard != "" && !set["rounds"] {
		o.rounds = 7
	}
	if o.guard != "" && !set["slice"] {
		o.slice = 50 * time.Millisecond
	}
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "ratio:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	wanted, err := regexp.Compile(o.row)
	switch {
	case err != nil:
		return err
	case o.rounds < 6 && (o.write || o.guard != "") || o.rounds < 1 || o.slice <= 0:
		return errors.New("-rounds must be at least 1, with -write or -guard 6, and -slice above zero")
	case o.update && o.guard == "", o.write && (o.guard != "" || o.row != ""):
		return errors.New("-update goes with -guard; -write goes with neither -guard nor -row")
	}
	runtime.GOMAXPROCS(processors)
	rows, err := bench.Rows(wanted.MatchString)
	if err != nil {
		return err
	}
	if o.guard != "" {
		o.names = bench.Names()
		return guard(o, rows)
	}
	return tables(o, rows)
}

// tables measures all rows, prints them, and writes them if that is wanted.
func tables(o options, rows []bench.Row) error {
	var all []*measurement
	for _, row := range rows {
		m, err := measure(row, o.rounds, o.slice)
		if err != nil {
			return fmt.Errorf("%s: %w", row.Name, err)
		}
		fmt.Fprintln(os.Stderr, "measured:", row.Name)
		all = append(all, m)
	}
	var b strings.Builder
	writeTables(&b, headLine(o, time.Now()), all)
	fmt.Print(b.String())
	if !o.write {
		return nil
	}
	for _, path := range []string{"../README.md", "README.md"} {
		if err := writeBetween(path, b.String()); err != nil {
			return err
		}
	}
	return nil
}

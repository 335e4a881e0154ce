// Command testresults reads the output of go test -json and fails if not every test of every
// package ran:
//
//	go run ./tools/testresults [-packages FILE] [-allow-skips] [-counts FILE] FILE
//
// It fails if no test passed, if a test failed or was skipped, or if a package of the list has no
// result. It prints those, the slowest packages, and the number of tests, subtests counted. What a
// failed test said is left to the program that ran it.
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

func main() {
	packages := flag.String("packages", "",
		"file with the import paths of all packages that must have a result, separated by white space")
	allowSkips := flag.Bool("allow-skips", false, "count tests that were skipped, do not fail for them")
	counts := flag.String("counts", "", "file to write the line with the number of tests to, too")
	flag.Parse()
	if err := run(os.Stdout, flag.Args(), *packages, *counts, *allowSkips); err != nil {
		fmt.Fprintln(os.Stderr, "testresults:", err)
		os.Exit(1)
	}
}

func run(w io.Writer, files []string, packages, counts string, allowSkips bool) error {
	if len(files) != 1 {
		return fmt.Errorf("got %d files, want one with the output of go test -json", len(files))
	}
	f, err := os.Open(files[0])
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := read(f)
	if err != nil {
		return fmt.Errorf("%s: %w", files[0], err)
	}
	var want []string
	if packages != "" {
		data, err := os.ReadFile(packages)
		if err != nil {
			return err
		}
		if want = strings.Fields(string(data)); len(want) == 0 {
			return fmt.Errorf("%s names no package", packages)
		}
	}
	faults := r.print(w, want, allowSkips)
	if counts != "" {
		faults = append(faults, os.WriteFile(counts, []byte(r.counts(allowSkips)+"\n"), 0o644))
	}
	return errors.Join(faults...)
}

// event is a line of go test -json (go doc test2json).
type event struct {
	Action, Package, ImportPath, Test, Output string
	Elapsed                                   float64 // seconds
}

// results are what became of tests and packages, as "package test" or "package".
type results struct {
	passed, failed, skipped []string
	broken                  []string            // packages that failed, or that do not compile
	seconds                 map[string]float64  // by package, of each that has a result
	output                  map[string][]string // of tests, until they pass
}

func read(from io.Reader) (*results, error) {
	r := &results{seconds: map[string]float64{}, output: map[string][]string{}}
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 16<<20)
	for n := 1; lines.Scan(); n++ {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("line %d: got %.100q, want an event of go test -json: %w", n, lines.Text(), err)
		}
		r.add(e)
	}
	return r, lines.Err()
}

func (r *results) add(e event) {
	name := e.Package + " " + e.Test
	switch {
	case e.Action == "build-fail":
		r.broken = append(r.broken, e.ImportPath)
	case e.Action == "output" && e.Test != "":
		r.output[name] = append(r.output[name], e.Output)
	case e.Test != "" && e.Action == "pass":
		r.passed = append(r.passed, name)
		delete(r.output, name)
	case e.Test != "" && e.Action == "fail":
		r.failed = append(r.failed, name)
	case e.Test != "" && e.Action == "skip":
		r.skipped = append(r.skipped, name)
	case e.Action == "pass" || e.Action == "fail" || e.Action == "skip":
		r.seconds[e.Package] = e.Elapsed
		if e.Action == "fail" {
			r.broken = append(r.broken, e.Package)
		}
	}
}

func (r *results) counts(allowSkips bool) string {
	text := fmt.Sprintf("%d passed, %d failed", len(r.passed), len(r.failed))
	if allowSkips {
		text += fmt.Sprintf(", %d skipped", len(r.skipped))
	}
	return text
}

// print writes what has to be known, and returns what makes the run a failure.
func (r *results) print(w io.Writer, want []string, allowSkips bool) (faults []error) {
	fault := func(n int, what string) {
		if n > 0 {
			faults = append(faults, fmt.Errorf("%d %s", n, what))
		}
	}
	for _, name := range slices.Concat(r.broken, r.failed) {
		fmt.Fprintln(w, "failed:", name)
	}
	for _, name := range r.skipped {
		fmt.Fprintln(w, "skipped:", name)
		if !allowSkips {
			fmt.Fprint(w, strings.Join(r.output[name], ""))
		}
	}
	leftOut := slices.DeleteFunc(slices.Clone(want), func(p string) bool { _, there := r.seconds[p]; return there })
	for _, p := range leftOut {
		fmt.Fprintln(w, "left out:", p)
	}
	var names []string
	for p := range r.seconds {
		names = append(names, p)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(r.seconds[b], r.seconds[a]),
			cmp.Compare(a, b))
	})
	for _, p := range names[:min(5, len(names))] {
		fmt.Fprintf(w, "%7.1f s %s\n", r.seconds[p], p)
	}
	fmt.Fprintln(w, r.counts(allowSkips))

	fault(len(r.failed)+len(r.broken), "tests and packages failed")
	if !allowSkips {
		fault(len(r.skipped), "tests were skipped: install or provide what they name, or run bash .ci/run --outsider")
	}
	fault(len(leftOut), "packages were left out: the command has to name them")
	if len(r.passed) == 0 {
		faults = append(faults, errors.New("no test passed: the command runs none"))
	}
	return faults
}

//go:build unix

// Command throughput measures how many posts of a sign-in a process answers in a second while many
// goroutines post at once, with one processor and with two. It prints ratios: the base is one
// goroutine on one processor, and each round measures every combination once, each time beginning
// with another one. The floor of the response, which allocates next to nothing, shows what the
// machine itself gains from a second processor.
//
//	go run ./throughput [-rounds 9] [-slice 300ms]
//
// It measures time on the clock: on a machine that does other things too, it says little.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/iomete/saml/bench"
)

var (
	processors = []int{1, 2}
	goroutines = []int{1, 2, 4, 8, 64}
)

func main() {
	rounds := flag.Int("rounds", 9, "how often each combination is measured; the median counts; at least 6")
	slice := flag.Duration("slice", 300*time.Millisecond, "time of one measurement")
	flag.Parse()
	if err := run(*rounds, *slice); err != nil {
		fmt.Fprintln(os.Stderr, "throughput:", err)
		os.Exit(1)
	}
}

func run(rounds int, slice time.Duration) error {
	if rounds < 6 || slice <= 0 {
		return fmt.Errorf("-rounds must be at least 6, and -slice above zero")
	}
	floor, both, second, err := bench.Posts()
	if err != nil {
		return err
	}
	fmt.Printf("%s, %s on %s/%s, %d processors, %d rounds of %v. Ratios to one goroutine on one processor: median and quartiles.\n\n",
		time.Now().UTC().Format(time.DateOnly), runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), rounds, slice)
	if runtime.NumCPU() < slices.Max(processors) {
		fmt.Printf("This machine has fewer processors than %d.\n\n", slices.Max(processors))
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprint(table, "work\tGOMAXPROCS\ta second, base")
	for _, n := range goroutines {
		fmt.Fprintf(table, "\t%d at once", n)
	}
	fmt.Fprintln(table)
	for _, job := range []bench.Job{floor, both, second} {
		if err := job.Check(); err != nil {
			return fmt.Errorf("%s: %w", job.Name, err)
		}
		rates, err := measure(job, rounds, slice)
		if err != nil {
			return fmt.Errorf("%s: %w", job.Name, err)
		}
		writeRates(table, job.Name, rates)
	}
	return table.Flush()
}

// A setting is one combination.
type setting struct{ processors, goroutines int }

var base = setting{1, 1}

func settings() (list []setting) {
	for _, p := range processors {
		for _, g := range goroutines {
			list = append(list, setting{p, g})
		}
	}
	return list
}

// measure returns how often a second the job was done, for each setting and round.
func measure(job bench.Job, rounds int, slice time.Duration) (map[setting][]float64, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	all := settings()
	rates := map[setting][]float64{}
	for round := range rounds {
		for i := range all {
			s := all[(i+round)%len(all)]
			rate, err := s.rate(job, slice)
			if err != nil {
				return nil, err
			}
			rates[s] = append(rates[s], rate)
		}
	}
	return rates, nil
}

// rate lets the goroutines work until the time is over. It begins without garbage of others.
func (s setting) rate(job bench.Job, slice time.Duration) (float64, error) {
	runtime.GOMAXPROCS(s.processors)
	runtime.GC()
	var done atomic.Int64
	var failed atomic.Pointer[error]
	var all sync.WaitGroup
	start := time.Now()
	for range s.goroutines {
		all.Go(func() {
			for time.Since(start) < slice {
				if err := job.Do(); err != nil {
					failed.Store(&err)
					return
				}
				done.Add(1)
			}
		})
	}
	all.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return float64(done.Load()) / time.Since(start).Seconds(), nil
}

func writeRates(table *tabwriter.Writer, name string, rates map[setting][]float64) {
	perSecond := slices.Sorted(slices.Values(rates[base]))
	for _, p := range processors {
		fmt.Fprintf(table, "%s\t%d\t%.0f", name, p, quantile(perSecond, 2))
		for _, g := range goroutines {
			list := ratios(rates[setting{p, g}], rates[base])
			fmt.Fprintf(table, "\t%.2f (%.2f-%.2f)", quantile(list, 2), quantile(list, 1), quantile(list, 3))
		}
		fmt.Fprintln(table)
	}
}

// ratios divides within each round, and sorts.
func ratios(list, base []float64) []float64 {
	result := make([]float64, len(list))
	for i := range list {
		result[i] = list[i] / base[i]
	}
	slices.Sort(result)
	return result
}

// quantile gives the value at q quarters of a sorted list.
func quantile(sorted []float64, q int) float64 { return sorted[(len(sorted)-1)*q/4] }

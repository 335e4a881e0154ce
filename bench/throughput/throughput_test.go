//go:build unix

package main

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/iomete/saml/bench"
)

// TestPostsAtOnce: the posts of one browser may be done by many goroutines, with the right result
// for each.
func TestPostsAtOnce(t *testing.T) {
	floor, both, second, err := bench.Posts()
	if err != nil {
		t.Fatal(err)
	}
	for _, job := range []bench.Job{floor, both, second} {
		if err := job.Check(); err != nil {
			t.Fatalf("%s: %v", job.Name, err)
		}
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				if err := job.Do(); err != nil {
					t.Errorf("%s: %v", job.Name, err)
				}
			})
		}
		all.Wait()
	}
}

// TestMeasure: every setting is measured in every round, and a fault of the work ends it.
func TestMeasure(t *testing.T) {
	const rounds = 2
	rates, err := measure(bench.Job{Do: func() error { return nil }}, rounds, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range settings() {
		if len(rates[s]) != rounds || rates[s][0] <= 0 {
			t.Errorf("%+v: got %v, want %d rates above zero", s, rates[s], rounds)
		}
	}
	fault := errors.New("fault")
	if _, err := measure(bench.Job{Do: func() error { return fault }}, 1, time.Millisecond); !errors.Is(err, fault) {
		t.Errorf("got error %v, want %v", err, fault)
	}
}

func TestRatios(t *testing.T) {
	got := ratios([]float64{30, 10, 20}, []float64{10, 10, 10})
	if quantile(got, 1) != 1 || quantile(got, 2) != 2 || quantile(got, 4) != 3 {
		t.Errorf("got %v", got)
	}
}

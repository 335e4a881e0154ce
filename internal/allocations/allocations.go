// Package allocations counts what a function allocates, for tests of bounds.
package allocations

import (
	"math"
	"runtime"
	"testing"
)

// Fewest returns how many allocations the best of many runs of f takes. Any one run may take more: the
// garbage collector empties a sync.Pool, and the race detector drops at random what is put into one.
func Fewest(f func()) float64 {
	fewest := testing.AllocsPerRun(1, f)
	for range 49 {
		fewest = min(fewest, testing.AllocsPerRun(1, f))
	}
	return fewest
}

// FewestBytes is Fewest for the bytes that are allocated, with fewer runs: f may take long. Nothing
// else may run in the process.
func FewestBytes(f func()) uint64 {
	fewest := uint64(math.MaxUint64)
	for range 5 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		fewest = min(fewest, after.TotalAlloc-before.TotalAlloc)
	}
	return fewest
}

// Package allocations counts what a function allocates, for tests of bounds.
package allocations

import "testing"

// Fewest returns how many allocations the best of many runs of f takes. Any one run may take more: the
// garbage collector empties a sync.Pool, and the race detector drops at random what is put into one.
func Fewest(f func()) float64 {
	fewest := testing.AllocsPerRun(1, f)
	for range 49 {
		fewest = min(fewest, testing.AllocsPerRun(1, f))
	}
	return fewest
}

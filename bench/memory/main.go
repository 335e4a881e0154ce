//go:build linux

// Command memory measures what a service keeps in memory: the keys of a MemoryStore, with the longest
// time that a Claim holds up others, and the settings of very many tenants.
//
//	go run ./memory [-keys 1000000] [-tenants 10000]
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
)

func main() {
	keys := flag.Int("keys", 1_000_000, "how many keys are in the store; 0 leaves it out")
	tenants := flag.Int("tenants", 10_000, "how many service providers there are; 0 leaves them out")
	flag.Parse()
	fmt.Printf("%s, %s/%s, %d processors\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	if *keys > 0 {
		exitOn(measureStore(*keys))
	}
	if *tenants > 0 {
		exitOn(measureTenants(*tenants))
	}
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "memory:", err)
		os.Exit(1)
	}
}

// heap returns the bytes on the heap that are in use.
func heap() float64 {
	runtime.GC()
	runtime.GC() // the first may leave what was freed while it ran
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

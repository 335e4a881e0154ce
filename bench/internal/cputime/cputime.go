//go:build unix

// Package cputime measures what a process has used of the processors. Unlike the time on the clock
// it does not grow while others work, and it holds the garbage collection that runs beside.
package cputime

import (
	"syscall"
	"time"
)

// Used is the user and system time of this process, all threads together.
func Used() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err) // only for a wrong argument
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

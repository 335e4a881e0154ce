// Command dataplane is a small console with single sign-on: what a service that embeds package saml can look like, its settings page
// above all.
//
//	go run ./examples/dataplane
//
// starts it with an identity provider of its own and prints where to go. README.md tells the rest.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "dataplane:", err)
		}
		os.Exit(1)
	}
}

// run serves until ctx ends. What an operator needs to know once goes to stdout, the log to stderr.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	o, err := readOptions(args, getenv, stderr)
	if err != nil {
		return err
	}
	s, err := start(ctx, o, stdout, stderr)
	if err != nil {
		return err
	}
	return s.serve(ctx)
}

// Command dataplane is a small console with single sign-on. It shows how a service can embed
// package saml, in particular its settings page.
//
//	go run ./examples/dataplane
//
// starts the console with a built-in identity provider and prints the addresses. For everything
// else see README.md.
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

// run serves until ctx ends. It writes the greeting with the addresses and the password to stdout,
// and the log to stderr.
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

// Command samlsp looks at SAML from the side of a service provider: what an identity provider's
// metadata says, whether a response would be accepted and why not, what a message holds.
//
//	samlsp metadata [-json] [-entity-id ID] [-proxy URL] [-ca FILE] FILE|URL|-
//	samlsp verify -metadata FILE -redirect-url URL (-request-id ID | -unsolicited) FILE...
//	samlsp decode [FILE|URL|-]
//	samlsp idp [-addr HOST:PORT] [-redirect-url URL]...
//	samlsp demo
//
// samlsp COMMAND -h tells all about a command.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/iomete/saml"
)

// Exit statuses.
const (
	exitOK      = 0
	exitRefused = 1 // a file was refused or could not be read
	exitUsage   = 2 // the command line, the configuration or the output is at fault
)

const mainUsage = `samlsp looks at SAML from the side of a service provider.

    samlsp metadata [-json] [-entity-id ID] [-proxy URL] [-ca FILE] FILE|URL|-
        shows what an identity provider's metadata says and what is wrong with it

    samlsp verify -metadata FILE -redirect-url URL (-request-id ID | -unsolicited) [options] FILE...
        says whether responses would be accepted: who signs in, or which check refuses and what to change

    samlsp decode [FILE|URL|-]
        shows a SAML request, response or logout message, readable and unverified

    samlsp idp [-addr HOST:PORT] [-redirect-url URL]...
        serves an Entra-like identity provider on this machine, to try a service with; not for production

    samlsp demo
        signs in end to end on this machine, step by step

samlsp COMMAND -h tells all about a command.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the whole command. It gives the exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	out := &output{w: stdout}
	t := &tool{ctx: ctx, stdin: stdin, stdout: out, stderr: stderr, now: time.Now}
	code := t.dispatch(args)
	if out.err != nil {
		t.complain("", "the output cannot be written: "+out.err.Error())
		return exitUsage
	}
	return code
}

// tool is what the sub-commands share.
type tool struct {
	ctx    context.Context
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	now    func() time.Time
	fetch  saml.FetchOptions
}

func (t *tool) dispatch(args []string) int {
	if len(args) == 0 {
		io.WriteString(t.stderr, mainUsage)
		return exitUsage
	}
	switch name, rest := args[0], args[1:]; name {
	case "metadata":
		return t.metadata(rest)
	case "verify":
		return t.verify(rest)
	case "decode":
		return t.decode(rest)
	case "idp":
		return t.idp(rest)
	case "demo":
		return t.demo(rest)
	case "help", "-h", "-help", "--help":
		io.WriteString(t.stdout, mainUsage)
		return exitOK
	default:
		t.complain("", fmt.Sprintf("there is no command %q. Run samlsp -h for those there are", name))
		return exitUsage
	}
}

// parse reads the flags of a sub-command. Where ok is false everything was said, and status is the
// exit status.
func (t *tool) parse(flags *flag.FlagSet, usage string, args []string) (status int, ok bool) {
	flags.SetOutput(io.Discard)
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		io.WriteString(t.stdout, usage)
		return exitOK, false
	}
	if err != nil {
		return t.misused(flags.Name(), err.Error()), false
	}
	for _, operand := range flags.Args() {
		if len(operand) > 1 && operand[0] == '-' { // package flag stops at the first operand
			return t.misused(flags.Name(), operand+" comes behind a file; options come first"), false
		}
	}
	return exitOK, true
}

// misused says in one line what is wrong with the command line.
func (t *tool) misused(command, why string) int {
	t.complain(command, strings.TrimSuffix(why, ".")+". Run samlsp "+command+" -h for help")
	return exitUsage
}

// complain writes one line to standard error.
func (t *tool) complain(command, text string) {
	name := "samlsp"
	if command != "" {
		name += " " + command
	}
	fmt.Fprintf(t.stderr, "%s: %s\n", name, visible(text))
}

// output remembers that a write failed, so that a full disk is not taken for success.
type output struct {
	w   io.Writer
	err error
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.w.Write(p)
	if err != nil && o.err == nil {
		o.err = err
	}
	return n, err
}

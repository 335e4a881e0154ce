package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/iomete/saml/samltest"
)

const (
	idpAddress   = "localhost:8085"
	shutdownTime = 3 * time.Second // for answers that are on their way
)

const idpUsage = `samlsp idp [-addr HOST:PORT] [-redirect-url URL]...

Serves an identity provider that behaves like Microsoft Entra ID (package samltest), to try a service with. It signs in whoever
asks, as any of its users, without a password: it is not for production, and serves this machine alone. Its directory and its
key are new each time it starts. An interrupt (Ctrl-C) ends it.

    -addr HOST:PORT     where it listens, on localhost or another loopback address; port 0 is a free one. Default ` + idpAddress + `
    -redirect-url URL   registers a service by its Redirect URL, as Identifier, Reply URL and Sign-on URL. May be repeated;
                        the home page registers more

Exit status: 0 ended by an interrupt, 1 it cannot serve, 2 usage.
`

func (t *tool) idp(args []string) int {
	flags := flag.NewFlagSet("idp", flag.ContinueOnError)
	address := flags.String("addr", idpAddress, "")
	var redirectURLs []string
	flags.Func("redirect-url", "", func(s string) error {
		redirectURLs = append(redirectURLs, s)
		return nil
	})
	if status, ok := t.parse(flags, idpUsage, args); !ok {
		return status
	}
	host, _, err := net.SplitHostPort(*address)
	switch {
	case flags.NArg() > 0:
		return t.misused("idp", "it takes no operand")
	case err != nil || !isLoopback(host):
		return t.misused("idp", "-addr "+*address+" is refused, because whoever reached it could sign in as anybody: give localhost:PORT or another loopback address with a port")
	}
	idp, err := samltest.New(samltest.Options{Now: t.now})
	if err != nil {
		t.complain("idp", err.Error())
		return exitRefused
	}
	for _, u := range redirectURLs {
		if err := idp.RegisterRedirectURL(u); err != nil {
			return t.misused("idp", "-redirect-url: "+err.Error())
		}
	}
	listener, err := listenOnLoopback(*address)
	if err != nil {
		t.complain("idp", err.Error())
		return exitRefused
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String()) // a listener's address always has a port
	idp.SetBaseURL("http://" + net.JoinHostPort(host, port))
	t.introduce(idp, redirectURLs)
	if err := serveUntil(t.ctx, listener, idp); err != nil {
		t.complain("idp", err.Error())
		return exitRefused
	}
	return exitOK
}

// listenOnLoopback looks at what the name of the host stands for: a hosts file can say anything.
func listenOnLoopback(address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	if a, ok := listener.Addr().(*net.TCPAddr); !ok || !a.IP.IsLoopback() {
		listener.Close()
		return nil, fmt.Errorf("%s is not an address of this machine alone", listener.Addr())
	}
	return listener, nil
}

func (t *tool) introduce(idp *samltest.IdentityProvider, redirectURLs []string) {
	io.WriteString(t.stdout, `NOT FOR PRODUCTION: this identity provider signs in whoever asks, as any of its users, without a password.

`)
	row(t.stdout, 0, "Home page", idp.HomeURL())
	row(t.stdout, 0, "Metadata", idp.MetadataURL())
	rows(t.stdout, 0, "Registered", redirectURLs)
	io.WriteString(t.stdout, `
Directory and key are new each time: give the service the metadata again after a restart. Ctrl-C ends it.
`)
}

// serveUntil answers requests until ctx ends, and then those that are on their way. It closes the
// listener.
func serveUntil(ctx context.Context, listener net.Listener, h http.Handler) error {
	server := newServer(h)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	if err := server.Shutdown(grace); !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return server.Close() // who is still there has only opened a connection, as browsers do beforehand
}

// newServer bounds how long a client may take and how much it may send before a handler sees it.
func newServer(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: httpTimeout, ReadTimeout: 3 * httpTimeout,
		WriteTimeout: 6 * httpTimeout, IdleTimeout: 12 * httpTimeout,
		MaxHeaderBytes: 64 << 10}
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}

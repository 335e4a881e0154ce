package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// startIDP runs the command until the test ends or stop is called, and gives what it printed before
// it began to serve.
func startIDP(t *testing.T, args ...string) (printed string, stop func() result) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	var stderr bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, append([]string{"idp"}, args...), nil, in, &stderr)
		in.Close()
	}()
	lines := bufio.NewReader(out)
	for !strings.Contains(printed, "Ctrl-C") {
		line, err := lines.ReadString('\n')
		printed += line
		if err != nil {
			t.Fatalf("it ended after %q, %q", printed, stderr.String())
		}
	}
	stop = func() result {
		cancel()
		rest, _ := io.ReadAll(lines)
		return result{<-ended, string(rest), stderr.String()}
	}
	return printed, stop
}

// valueOf gives the value of a row.
func valueOf(t *testing.T, text, label string) string {
	t.Helper()
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, label+" "); ok {
			return strings.TrimSpace(rest)
		}
	}
	t.Fatalf("there is no %s in %s", label, text)
	return ""
}

func fetchText(t *testing.T, address string) string {
	t.Helper()
	r, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", address, r.Status, err)
	}
	return string(text)
}

func TestIDP(t *testing.T) {
	t.Parallel()
	const other = "http://127.0.0.1:8080/acs"
	printed, stop := startIDP(t, "-addr", "localhost:0", "-redirect-url", redirectURL, "-redirect-url", other)
	contains(t, printed, "NOT FOR PRODUCTION", redirectURL, other)
	home := valueOf(t, printed, "Home page")
	if !strings.HasPrefix(home, "http://localhost:") || strings.HasSuffix(home, ":0/") {
		t.Errorf("the home page is at %s", home)
	}
	contains(t, fetchText(t, home), redirectURL, other, "Not for production")

	trusted, err := saml.ParseMetadata([]byte(fetchText(t, valueOf(t, printed, "Metadata"))))
	if err != nil {
		t.Fatal(err)
	}
	sp, err := saml.New(saml.Config{BaseURL: strings.TrimSuffix(redirectURL, saml.DefaultRedirectPath),
		IdentityProvider: trusted,
		StateKeys:        [][]byte{saml.NewStateKey()}, Store: saml.NewMemoryStore()})
	if err != nil {
		t.Fatal(err)
	}
	user := samltest.DefaultUsers()[0]
	request, err := sp.StartLogin(t.Context(), saml.LoginOptions{LoginHint: user.Mail})
	if err != nil {
		t.Fatal(err)
	}
	page, err := http.Get(request.URL)
	if err != nil {
		t.Fatal(err)
	}
	form, err := samltest.ReadForm(page)
	if err != nil {
		t.Fatal(err)
	}
	login, err := sp.FinishLogin(t.Context(), saml.FormResponse{SAMLResponse: form.Values.Get("SAMLResponse"),
		State: request.State})
	if err != nil || login.Identity.Email != user.Mail || form.Action != redirectURL {
		t.Errorf("got %+v, %v, a form to %s", login, err, form.Action)
	}

	if got := stop(); got.code != exitOK || got.stderr != "" || got.stdout != "" {
		t.Errorf("interrupted: got %+v", got)
	}
	if _, err := http.Get(home); err == nil {
		t.Error("it serves after the interrupt")
	}
}

func TestIDPServesThisMachineAlone(t *testing.T) {
	t.Parallel()
	for _, address := range []string{":0", "0.0.0.0:0", "[::]:0", "192.0.2.1:8085", "idp.example.com:8085",
		"localhost.example.com:0", "localhost", "127.0.0.1", ""} {
		samlsp(t, "idp", "-addr", address).failed(t, exitUsage, "-addr "+address+" is refused", "loopback")
	}
	for _, address := range []string{"127.0.0.1:0", "127.0.0.2:0"} {
		printed, stop := startIDP(t, "-addr", address)
		if home := valueOf(t, printed, "Home page"); !strings.HasPrefix(home,
			"http://"+strings.TrimSuffix(address, "0")) {
			t.Errorf("%s: the home page is at %s", address, home)
		}
		hasRow(t, printed, "Registered", "-")
		stop()
	}
	if _, err := listenOnLoopback("0.0.0.0:0"); err == nil {
		t.Error("a name that stands for all addresses is listened on")
	}
}

func TestIDPThatCannotServe(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	samlsp(t, "idp", "-addr", taken.Addr().String()).failed(t, exitRefused, "address already in use")
	samlsp(t, "idp", "-redirect-url", "console.example.com").failed(t, exitUsage, "-redirect-url",
		`"console.example.com"`, "http or https URL")

	taken.Close()
	if err := serveUntil(t.Context(), taken, http.NotFoundHandler()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a listener that is closed: got %v", err)
	}
}

// TestIDPFinishesItsAnswers: an interrupt waits for those who are being answered.
func TestIDPFinishesItsAnswers(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- serveUntil(ctx, listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			interrupt()
			for { // until nobody can connect any more
				c, err := net.Dial("tcp", listener.Addr().String())
				if err != nil {
					break
				}
				c.Close()
			}
			io.WriteString(w, "whole")
		}))
	}()
	if got := fetchText(t, "http://"+listener.Addr().String()); got != "whole" {
		t.Errorf("got %q", got)
	}
	if err := <-ended; err != nil {
		t.Errorf("got %v", err)
	}
}

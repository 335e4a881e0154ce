//go:build linux

// Command posts measures how much memory a service needs while many browsers post large forms to
// its Redirect URL at once. The service runs in a process of its own, whose peak of resident memory
// (VmHWM in /proc) is what counts. Each line is a fresh process.
//
//	go run ./posts [-limit MiB]
//
// With -limit the program ends with status 1 if a peak is above that many MiB.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

func main() {
	limit := flag.Int("limit", 0, "fail if a peak is above this many MiB; 0 means no limit")
	serve := flag.Bool("serve", false, "be the service; for the program itself")
	flag.Parse()
	run := func() error { return measure(*limit) }
	if *serve {
		run = service
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "posts:", err)
		os.Exit(1)
	}
}

// service serves the Redirect URL on loopback until its standard input ends. It prints the address.
func service() error {
	idp, err := samltest.New(samltest.Options{})
	if err != nil {
		return err
	}
	document, err := idp.Metadata()
	if err != nil {
		return err
	}
	provider, err := saml.ParseMetadata(document)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	sp, err := saml.New(saml.Config{BaseURL: "http://" + listener.Addr().String(), IdentityProvider: provider,
		StateKeys: [][]byte{saml.NewStateKey()},
		Store:     saml.NewMemoryStore(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	server := &http.Server{Handler: sp.Handler(nobody{}), ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout: time.Minute, WriteTimeout: time.Minute, IdleTimeout: time.Minute, MaxHeaderBytes: 32 << 10}
	go func() {
		io.Copy(io.Discard, os.Stdin)
		server.Close()
	}()
	fmt.Println(sp.RedirectURL())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

type nobody struct{}

func (nobody) SignIn(http.ResponseWriter, *http.Request, *saml.Login) error {
	return errors.New("nobody signs in here")
}
func (nobody) SignedIn(*http.Request) bool { return false }
func (nobody) Authenticate(http.ResponseWriter, *http.Request) (*http.Request, error) {
	return nil, nil
}

// A load is what many browsers post at once.
type load struct {
	name string
	body []byte
}

// loads are forms of nearly 2 MiB, and one of an honest size.
func loads() []load {
	const size = 2<<20 - 1<<10
	letters := bytes.Repeat([]byte("A"), size)
	copy(letters, "SAMLResponse=")
	escaped := append([]byte("SAMLResponse="), bytes.Repeat([]byte("%2B"), size/3)...)
	pairs := bytes.Repeat([]byte("a&"), size/2)
	return []load{
		{"first leg, 2 MiB", letters},
		{"first leg, 2 MiB, each byte escaped", escaped},
		{"2 MiB of parameters", pairs},
		{"second leg, a message of 1 MiB", []byte("saml_leg=2&SAMLResponse=" + wide())},
		{"first leg, 32 KiB", letters[:32<<10]},
	}
}

func measure(limit int) error {
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "posts\tat once\tpeak, MiB\tanswered\tbusy\t")
	worst := 0
	for _, l := range loads() {
		for _, n := range []int{1, 10, 60, 100, 200} {
			peak, statuses, err := post(l.body, n)
			if err != nil {
				return fmt.Errorf("%s, %d at once: %w", l.name, n, err)
			}
			worst = max(worst, peak)
			fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t\n", l.name, n, peak>>10,
				n-statuses[http.StatusServiceUnavailable], statuses[http.StatusServiceUnavailable])
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if limit > 0 && worst>>10 > limit {
		return fmt.Errorf("a peak of %d MiB, more than %d", worst>>10, limit)
	}
	return nil
}

// post sends body n times at once to a new service, and returns the service's peak in KiB and how
// often it gave each status.
func post(body []byte, n int) (peak int, statuses map[int]int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	self, err := os.Executable()
	if err != nil {
		return 0, nil, err
	}
	command := exec.CommandContext(ctx, self, "-serve")
	command.Stderr = os.Stderr
	stdin, err := command.StdinPipe()
	if err != nil {
		return 0, nil, err
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		return 0, nil, err
	}
	if err := command.Start(); err != nil {
		return 0, nil, err
	}
	defer command.Wait()
	defer stdin.Close()
	address, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return 0, nil, err
	}
	statuses = map[int]int{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			status, postErr := postOnce(ctx, strings.TrimSpace(address), body)
			mu.Lock()
			defer mu.Unlock()
			statuses[status]++
			err = errors.Join(err, postErr)
		})
	}
	all.Wait()
	if err != nil {
		return 0, nil, err
	}
	peak, err = peakOf(command.Process.Pid)
	return peak, statuses, err
}

func postOnce(ctx context.Context, address string, body []byte) (status int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, err
}

// peakOf returns the greatest resident memory that a process had, in KiB.
func peakOf(pid int) (int, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			return strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")))
		}
	}
	return 0, errors.New("the process has no VmHWM")
}

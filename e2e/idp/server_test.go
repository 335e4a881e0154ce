//go:build idp

package idp

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// A server is a process that this test started. Its output is in a file, and is shown if the test
// fails.
type server struct {
	base string // "http://localhost:port", without a final slash
	log  string
	done chan struct{} // closed when the process has ended
	err  error         // of the process, once it has ended
}

// launch starts a program and waits until it answers a GET of path with status 200. The program
// itself must be the server (no shell in between), since it is stopped by its pid at the end of the
// test. It listens at 127.0.0.1 and port.
func launch(t *testing.T, port int, path string, command *exec.Cmd) *server {
	t.Helper()
	s := &server{base: fmt.Sprintf("http://localhost:%d", port), log: filepath.Join(t.TempDir(), "log"),
		done: make(chan struct{})}
	output, err := os.Create(s.log)
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	command.Stdout, command.Stderr = output, output
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		s.err = command.Wait()
		close(s.done)
	}()
	t.Cleanup(func() {
		s.stop(t, command.Process)
		if t.Failed() {
			t.Logf("%s:\n%s", command, tail(s.log, 20_000))
		}
	})
	s.wait(t, path)
	return s
}

// mostPatience is how long a server may take to start or to end. Keycloak takes about 15 seconds on
// two idle cores.
const mostPatience = 3 * time.Minute

func (s *server) wait(t *testing.T, path string) {
	t.Helper()
	last, client := "", http.Client{Timeout: 10 * time.Second}
	for end := time.Now().Add(mostPatience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		response, err := client.Get(s.base + path)
		if err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return
			}
			last = response.Status
		} else {
			last = err.Error()
		}
		select {
		case <-s.done:
			t.Fatalf("the server ended before it answered: %v", s.err)
		default:
		}
	}
	t.Fatalf("the server does not answer GET %s with status 200: %s", path, last)
}

func (s *server) stop(t *testing.T, p *os.Process) {
	p.Signal(syscall.SIGTERM) // the only possible error is that it has ended
	select {
	case <-s.done:
		return
	case <-time.After(10 * time.Second):
	}
	p.Kill()
	select {
	case <-s.done:
	case <-time.After(mostPatience):
		t.Errorf("process %d does not end", p.Pid)
	}
}

// freePort returns a port of 127.0.0.1 at which nobody listens. It is below the ports that the
// kernel gives away, so that it is still free when the server has started.
func freePort(t *testing.T) int {
	t.Helper()
	for range 100 {
		port := 20_000 + rand.IntN(10_000)
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("none of 100 ports is free")
	return 0
}

// writeClients puts what a product must know of each service into clients.json, and the metadata of
// each into a file beside it. The fields of an entry are slug, entity_id, acs, metadata (a path, ""
// for a service that must stay unknown) and knobs.
func writeClients(t *testing.T, dir string, clients []*client) (file string) {
	t.Helper()
	type entry struct {
		Slug     string `json:"slug"`
		EntityID string `json:"entity_id"`
		ACS      string `json:"acs"`
		Metadata string `json:"metadata"`
		Knobs    knobs  `json:"knobs"`
	}
	list := []entry{}
	for _, c := range clients {
		e := entry{Slug: c.slug, EntityID: c.entityID, ACS: c.acs, Knobs: c.knobs}
		if e.Knobs == nil {
			e.Knobs = knobs{} // an object, not null
		}
		if c.metadata != nil {
			e.Metadata = filepath.Join(dir, "sp-"+c.slug+".xml")
			if err := os.WriteFile(e.Metadata, c.metadata, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		list = append(list, e)
	}
	file = filepath.Join(dir, "clients.json")
	writeJSON(t, file, list)
	return file
}

func writeJSON(t *testing.T, file string, value any) {
	t.Helper()
	data, err := json.MarshalIndent(value, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// productsDir is the absolute path of products/name.
func productsDir(t *testing.T, name string) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("products", name))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func output(command ...string) ([]byte, error) {
	return exec.Command(command[0], command[1:]...).CombinedOutput()
}

func fileText(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// tail returns the end of a file.
func tail(file string, most int) string {
	data, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	return string(data[max(0, len(data)-most):])
}

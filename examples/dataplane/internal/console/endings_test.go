package console

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/examples/dataplane/internal/storage"
)

// TestEventsAndAnswersAreOneEnd: an event alone is an end (a late answer in a browser that is
// signed in is sent home, and Failed does not hear of it), and an event with its error page is no
// second one.
func TestEventsAndAnswersAreOneEnd(t *testing.T) {
	t.Parallel()
	refusal := &saml.Error{Code: saml.CodeReplayed, Reference: "REFERENCE"}
	for _, row := range []struct {
		name   string
		handle func(c *Console, w http.ResponseWriter, r *http.Request)
		want   map[string]float64 // by outcome
		lines  int
	}{
		{"nothing", func(*Console, http.ResponseWriter, *http.Request) {}, map[string]float64{}, 0},
		{"a beginning", func(c *Console, _ http.ResponseWriter, r *http.Request) {
			c.observe(r.Context(), saml.Event{Kind: saml.LoginStarted})
		}, map[string]float64{"started": 1}, 0},
		{"an event alone", func(c *Console, _ http.ResponseWriter, r *http.Request) {
			c.observe(r.Context(), saml.Event{Kind: saml.LoginRefused, Err: refusal})
		}, map[string]float64{"refused": 1}, 1},
		{"an event and its page", func(c *Console, w http.ResponseWriter, r *http.Request) {
			c.observe(r.Context(), saml.Event{Kind: saml.LoginRefused, Err: refusal})
			c.failed(w, r, refusal)
		}, map[string]float64{"refused": 1}, 1},
		{"a response that was accepted, and a session that failed",
			func(c *Console, w http.ResponseWriter, r *http.Request) {
				c.observe(r.Context(), saml.Event{Kind: saml.LoginSucceeded, Login: &saml.Login{}})
				c.observe(r.Context(), saml.Event{Kind: saml.LoginRefused, Err: refusal})
				c.failed(w, r, refusal)
			}, map[string]float64{"refused": 1}, 1},
		{"a session, and the event of it", func(c *Console, _ http.ResponseWriter, r *http.Request) {
			c.succeeded(r, false, storage.SignIn{Email: "a@example.com"})
			c.observe(r.Context(), saml.Event{Kind: saml.LoginSucceeded, Login: &saml.Login{}})
		}, map[string]float64{"succeeded": 1}, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c, _ := newConsole(t, Config{BaseURL: "https://console.example.com"})
			handler := c.withEnding(http.HandlerFunc(func(w http.ResponseWriter,
				r *http.Request) {
				row.handle(c, w, r)
			}))
			handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", nil))
			got := outcomes(t, c)
			for _, outcome := range []string{"started", "succeeded", "refused"} {
				if got[outcome] != row.want[outcome] {
					t.Errorf("%s: got %v, want %v", outcome, got[outcome], row.want[outcome])
				}
			}
			one, err := c.DB.SignIns(context.Background(), false, 10)
			if err != nil {
				t.Fatal(err)
			}
			two, err := c.DB.SignIns(context.Background(), true, 10)
			if err != nil || len(one)+len(two) != row.lines {
				t.Errorf("the log has %+v and %+v, %v, want %d lines", one, two, err, row.lines)
			}
		})
	}
}

// newConsole is a console of its own, with its log.
func newConsole(t *testing.T, config Config) (*Console, *bytes.Buffer) {
	t.Helper()
	db, err := storage.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "console.db"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	log := &bytes.Buffer{}
	config.DB, config.Keys, config.Administrator, config.Logger = db, [][]byte{saml.NewStateKey()}, "ann", slog.New(slog.NewTextHandler(log, nil))
	c, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return c, log
}

// TestAtHome has the same machine by several names: each leads to the configured one, and that one
// nowhere else. Browsers leave the port 80 out.
func TestAtHome(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ base, host, location string }{
		{"http://127.0.0.1:80", "127.0.0.1", ""},
		{"http://127.0.0.1:80", "127.0.0.1:80", ""},
		{"http://127.0.0.1", "127.0.0.1", ""},
		{"http://127.0.0.1", "127.0.0.1:80", ""},
		{"http://[::1]:80", "[::1]", ""},
		{"http://127.0.0.1:8080", "127.0.0.1:8080", ""},
		{"http://127.0.0.1:80", "localhost", "http://127.0.0.1:80/jobs?a=b"},
		{"http://127.0.0.1:8080", "localhost:8080", "http://127.0.0.1:8080/jobs?a=b"},
		{"http://127.0.0.1:8080", "127.0.0.1", "http://127.0.0.1:8080/jobs?a=b"},
		{"https://console.example.com", "other.example", ""},
	} {
		t.Run(row.base+" asked as "+row.host, func(t *testing.T) {
			t.Parallel()
			c, _ := newConsole(t, Config{BaseURL: row.base})
			r := httptest.NewRequest(http.MethodGet, "/jobs?a=b", nil)
			r.Host = row.host
			r.Header.Set("Sec-Fetch-Mode", "navigate")
			answer := httptest.NewRecorder()
			c.atHome(http.NotFoundHandler()).ServeHTTP(answer, r)
			if got := answer.Header().Get("Location"); got != row.location {
				t.Errorf("leads to %q, want %q", got, row.location)
			}
		})
	}
}

// TestClientAddress has all forms in which proxies write the address of a client. One that cannot
// be read is told of once.
func TestClientAddress(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		remote, forwarded, want string
		warned                  bool
	}{
		{"192.0.2.1:1", "", "192.0.2.1", false},
		{"[2001:db8::1]:1", "", "2001:db8::/64", false},
		{"[fe80::1%eth0]:1", "", "fe80::/64", false},
		{"192.0.2.1:1", "198.51.100.7", "198.51.100.7", false},
		{"192.0.2.1:1", "203.0.113.1, 198.51.100.7", "198.51.100.7", false},
		{"192.0.2.1:1", "198.51.100.7:4711", "198.51.100.7", false}, // Azure Application Gateway
		{"192.0.2.1:1", "203.0.113.1:1, 198.51.100.7:4711", "198.51.100.7", false},
		{"192.0.2.1:1", "[2001:db8::1]:443", "2001:db8::/64", false},
		{"192.0.2.1:1", "[2001:db8::1]", "2001:db8::/64", false},
		{"192.0.2.1:1", "2001:db8::1", "2001:db8::/64", false},
		{"192.0.2.1:1", "2001:db8:0:1::443", "2001:db8:0:1::/64", false},
		{"192.0.2.1:1", "::ffff:198.51.100.7", "198.51.100.7", false},
		{"192.0.2.1:1", "[::ffff:198.51.100.7]:443", "198.51.100.7", false},
		{"192.0.2.1:1", "198.51.100.7, unknown", "unknown", true},
		{"192.0.2.1:1", "198.51.100.7:port", "unknown", true},
		{"192.0.2.1:1", "198.51.100.7,", "unknown", true},
	} {
		t.Run(row.remote+" for "+row.forwarded, func(t *testing.T) {
			t.Parallel()
			c, log := newConsole(t, Config{BaseURL: "https://console.example.com", TrustForwardedFor: true})
			for range 2 {
				r := httptest.NewRequest(http.MethodGet, "/", nil)
				r.RemoteAddr = row.remote
				if row.forwarded != "" {
					r.Header.Set("X-Forwarded-For", row.forwarded)
				}
				if got := c.clientAddress(r); got != row.want {
					t.Errorf("got %s, want %s", got, row.want)
				}
			}
			want := 0
			if row.warned {
				want = 1
			}
			if got := strings.Count(log.String(), "X-Forwarded-For"); got != want {
				t.Errorf("%d warnings, want %d: %s", got, want, log)
			}
		})
	}
}

// outcomes adds up the counters of real sign-ins by outcome.
func outcomes(t *testing.T, c *Console) map[string]float64 {
	t.Helper()
	answer := httptest.NewRecorder()
	c.Metrics().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	sum := map[string]float64{}
	for _, m := range regexp.MustCompile(`(?m)^saml_logins_total\{.*outcome="(\w+)"\} (\d+)$`).FindAllStringSubmatch(answer.Body.String(), -1) {
		n, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		sum[m[1]] += n
	}
	return sum
}

package console

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/examples/dataplane/internal/storage"
)

// TestEventsAndAnswersAreOneEnd: an event alone is an end (a late answer in a browser that is signed in is sent home, and Failed does not hear of
// it), and an event with its error page is no second one.
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
		{"a response that was accepted, and a session that failed", func(c *Console, w http.ResponseWriter, r *http.Request) {
			c.observe(r.Context(), saml.Event{Kind: saml.LoginSucceeded})
			c.observe(r.Context(), saml.Event{Kind: saml.LoginRefused, Err: refusal})
			c.failed(w, r, refusal)
		}, map[string]float64{"refused": 1}, 1},
		{"a session, and the event of it", func(c *Console, _ http.ResponseWriter, r *http.Request) {
			c.succeeded(r, false, storage.SignIn{Email: "a@example.com"})
			c.observe(r.Context(), saml.Event{Kind: saml.LoginSucceeded})
		}, map[string]float64{"succeeded": 1}, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			db, err := storage.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "console.db"), time.Now)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			c, err := New(Config{DB: db, BaseURL: "https://console.example.com", Keys: [][]byte{saml.NewStateKey()}, Administrator: "ann", Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			handler := c.withEnding(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { row.handle(c, w, r) }))
			handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", nil))
			got := outcomes(t, c)
			for _, outcome := range []string{"started", "succeeded", "refused"} {
				if got[outcome] != row.want[outcome] {
					t.Errorf("%s: got %v, want %v", outcome, got[outcome], row.want[outcome])
				}
			}
			one, err := db.SignIns(context.Background(), false, 10)
			if err != nil {
				t.Fatal(err)
			}
			two, err := db.SignIns(context.Background(), true, 10)
			if err != nil || len(one)+len(two) != row.lines {
				t.Errorf("the log has %+v and %+v, %v, want %d lines", one, two, err, row.lines)
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

package console_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/iomete/saml/examples/dataplane/internal/storage"
	"github.com/iomete/saml/examples/internal/testpg"
)

func TestMain(m *testing.M) {
	status := m.Run()
	testpg.Stop()
	os.Exit(status)
}

// TestHangingDatabase has a server that takes everything and answers nothing, and many visitors at
// once. What this process knows is served: the sign-in page with its button, the way to the
// identity provider, the pages of people with a session. What it does not know is refused. Nobody
// waits behind anybody else. The bound is generous, for slow machines: the longest wait is logged.
func TestHangingDatabase(t *testing.T) {
	const visitors = 12 // of each page
	line := testpg.NewLine(t)
	w := newWorld(t)
	var err error
	if w.db, err = storage.OpenPostgreSQL(t.Context(), line.Address, w.now); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.db.Close() })
	if _, err := w.db.AddAdministrator(t.Context(), adminName, adminHash); err != nil {
		t.Fatal(err)
	}
	w.console = w.newConsole(w.db)
	admin := w.admin()
	admin.save()
	admin.test()
	admin.post("/settings/sso/enable", admin.version())
	user := w.browser()
	user.signIn("/jobs")
	user.want(http.StatusOK)

	type visit struct {
		path   string
		b      *browser
		status int
		has    string
	}
	visitAll := func(name string, visits []visit) {
		var mu sync.Mutex
		var longest []time.Duration
		var all sync.WaitGroup
		for _, v := range visits {
			for range visitors {
				b := *v.b // a tab of its own
				client := *b.client
				client.Transport = direct{w} // so that no time goes into handshakes
				client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
				b.client = &client
				all.Go(func() {
					begun := time.Now()
					page := b.get(v.path)
					took := time.Since(begun)
					mu.Lock()
					defer mu.Unlock()
					longest = append(longest, took)
					if page.status != v.status || v.has != "" && !page.has(v.has) {
						t.Errorf("%s, %s: got status %d, want %d with #%s", name, v.path, page.status, v.status, v.has)
					}
				})
			}
		}
		all.Wait()
		slices.Sort(longest)
		t.Logf("%s: of %d visits the median took %v, the longest %v", name, len(longest), longest[len(longest)/2],
			longest[len(longest)-1])
		if last := longest[len(longest)-1]; last > 8*time.Second {
			t.Errorf("%s: somebody waited %v", name, last)
		}
	}
	known := []visit{
		{"/sign-in", w.browser(), http.StatusOK, "sso-sign-in"},
		{w.console.RedirectURL(), w.browser(), http.StatusSeeOther, ""},
		{"/jobs", user, http.StatusOK, "jobs"},
		{"/", w.browser(), http.StatusSeeOther, ""},
		{"/static/console.css", w.browser(), http.StatusOK, ""},
		{"/metrics", w.browser(), http.StatusOK, ""},
		{"/healthz", w.browser(), http.StatusOK, ""},
	}
	line.Hang(true)
	w.advance(11 * time.Second) // so that everything would be asked again
	visitAll("what is known", known)
	w.advance(11 * time.Second)
	visitAll("what is known, once more", known)
	visitAll("what is not known", []visit{
		{"/settings/sso", admin, http.StatusServiceUnavailable, ""},
		{"/readyz", w.browser(), http.StatusServiceUnavailable, ""},
	})
	w.advance(2 * time.Minute)
	visitAll("what was known long ago", []visit{
		{"/sign-in", w.browser(), http.StatusOK, "sso-unknown"},
		{w.console.RedirectURL(), w.browser(), http.StatusServiceUnavailable, ""},
		{"/jobs", user, http.StatusServiceUnavailable, ""},
	})
	line.Hang(false)
	w.advance(3 * time.Second)
	visitAll("when it answers again", []visit{
		{"/sign-in", w.browser(), http.StatusOK, "sso-sign-in"},
		{"/jobs", user, http.StatusOK, "jobs"},
		{"/settings/sso", admin, http.StatusOK, "settings-form"},
	})
}

// direct asks the console without a network.
type direct struct{ w *world }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := httptest.NewRecorder()
	r = r.Clone(r.Context())
	r.RequestURI, r.RemoteAddr, r.Host, r.Body = r.URL.RequestURI(), "192.0.2.1:1", r.URL.Host, http.NoBody
	d.w.console.ServeHTTP(answer, r)
	response := answer.Result()
	response.Request = r
	return response, nil
}

package saml_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
	"github.com/iomete/saml/session"
)

// A round is a service whose pages and Redirect URL a row of a test puts together wrongly.
type round struct {
	*house
	log      bytes.Buffer
	sessions *session.Manager
	login    *saml.Handler
	pages    http.Handler
}

func newRound(t *testing.T) *round {
	t.Helper()
	s := &round{}
	s.house = newHouse(t, func(c *saml.Config) { c.Logger = slog.New(slog.NewTextHandler(&s.log, nil)) })
	s.sessions = s.manager()
	s.login = s.sp.Handler(s.sessions)
	s.pages = s.guard(s.sessions)
	return s
}

func (s *round) manager() *session.Manager {
	s.t.Helper()
	m, err := session.New(session.Config{Keys: [][]byte{saml.NewStateKey()}, Store: saml.NewMemoryStore()})
	if err != nil {
		s.t.Fatal(err)
	}
	return m
}

func (s *round) guard(m *session.Manager) http.Handler {
	return s.sp.Handler(m).Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "the page ", r.URL.RequestURI())
	}))
}

func (s *round) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == s.sp.RedirectPath() {
		s.login.ServeHTTP(w, r)
		return
	}
	s.pages.ServeHTTP(w, r)
}

// A walker is a browser that opens a page and goes wherever it is sent. Without scripts it sends no
// Fetch Metadata.
type walker struct {
	*tabbed
	s       *round
	scripts bool
	logins  int                           // visits to the identity provider
	respond func(id string) *http.Request // what the identity provider's page does; nil is a POST
}

const mostSteps = 60

// walk returns the last answer, and whether it is one: after many steps it gives up.
func (b *walker) walk(address string) (w *httptest.ResponseRecorder, ended bool) {
	b.t.Helper()
	r := httptest.NewRequest("GET", address, nil)
	kept, led := "", "none" // Sec-Fetch-Site, which redirects keep
	for range mostSteps {
		if b.scripts {
			b.attach(r)
			r.Header.Set("Sec-Fetch-Site", led)
		} else {
			r.Header.Set("Accept", "text/html")
			for name, value := range b.cookies {
				r.AddCookie(&http.Cookie{Name: name, Value: value})
			}
		}
		w = b.serve(r)
		body := w.Body.String()
		if found := keptText.FindStringSubmatch(body); found != nil {
			kept = found[1]
		}
		to := where(w)
		switch {
		case strings.HasPrefix(to, b.s.idp.LoginURL()):
			b.logins++
			id := requestID(b.t, to)
			if b.respond != nil {
				r = b.respond(id)
				led = "cross-site"
				continue
			}
			tab := b.tab()
			tab.kept, led = kept, "same-origin"
			r = tab.secondLeg(b.s.respond(samltest.Answer{RequestID: id}))
		case strings.HasPrefix(to, "/"):
			r = httptest.NewRequest("GET", "https://console.example.com"+to, nil)
		case to != "":
			r = httptest.NewRequest("GET", to, nil)
		default:
			return w, true
		}
	}
	return w, false
}

// TestEachLoopEnds: whatever is set up wrongly, the browser ends on a page with the code and a
// reference, one warning names the likely cause, and the button of the page tries again.
func TestEachLoopEnds(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		broken func(s *round, b *walker)
		open   string
		cause  string
		most   int // logins
	}{
		{"the session's cookie is not kept", func(s *round, b *walker) {
			inner := s.login
			s.pages = drops(s.pages)
			b.login = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == s.sp.RedirectPath() {
					drops(inner).ServeHTTP(w, r)
					return
				}
				s.pages.ServeHTTP(w, r)
			})
		}, "/reports/1", "not kept", 3},
		{"a page that sends the browser to the Redirect URL itself", func(s *round, b *walker) {
			b.login = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == s.sp.RedirectPath() {
					drops(s.login).ServeHTTP(w, r)
					return
				}
				http.Redirect(w, r, s.sp.RedirectURL(), http.StatusSeeOther)
			})
		}, "/", "not kept", 3},
		{"an address that grows each time", func(s *round, b *walker) {
			b.login = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == s.sp.RedirectPath() {
					drops(s.login).ServeHTTP(w, r)
					return
				}
				http.Redirect(w, r, s.sp.RedirectURL()+"?return_to="+url.QueryEscape("/login?next="+url.QueryEscape(r.URL.RequestURI())), http.StatusSeeOther)
			})
		}, "/", "not kept", 3},
		{"pages and Redirect URL with different keys", func(s *round, b *walker) { s.pages = s.guard(s.manager()) },
			"/reports/1", "does not accept the session", 1},
		{"a proxy that turns the POST into a GET", func(s *round, b *walker) {
			b.respond = func(string) *http.Request { return httptest.NewRequest("GET", s.sp.RedirectURL(), nil) }
		}, "/reports/1", "POST into a GET", 11},
		{"a proxy that adds a slash and turns the POST into a GET", func(s *round, b *walker) {
			b.respond = func(string) *http.Request { return httptest.NewRequest("GET", s.sp.RedirectURL()+"/", nil) }
		}, "/reports/1", "Register the Handler for GET and POST", 1},
		{"the Handler is mounted for GET only", func(s *round, b *walker) {
			b.login = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == "GET" {
					s.ServeHTTP(w, r)
					return
				}
				s.pages.ServeHTTP(w, r)
			})
		}, "/reports/1", "Register the Handler for GET and POST", 1},
		{"the Handler is mounted for POST only", func(s *round, b *walker) {
			b.login = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == "POST" {
					s.ServeHTTP(w, r)
					return
				}
				s.pages.ServeHTTP(w, r)
			})
		}, "/reports/1", "Register the Handler for GET and POST", 0},
		{"the Handler is not mounted, or on another path", func(s *round, b *walker) { b.login = s.pages },
			"/reports/1", "Register the Handler for GET and POST", 0},
		{"a page that asks for the same login without end", func(s *round, b *walker) {
			b.respond = func(string) *http.Request {
				return httptest.NewRequest("GET", "https://console.example.com/reports/1", nil)
			}
		}, "/reports/1", "No login of this browser finishes", 21},
	} {
		for _, scripts := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, scripts %t", row.name, scripts), func(t *testing.T) {
				t.Parallel()
				s := newRound(t)
				b := &walker{tabbed: newTabbed(t, s), s: s, scripts: scripts}
				row.broken(s, b)
				w, ended := b.walk("https://console.example.com" + row.open)
				if !ended || b.logins > row.most {
					t.Fatalf("ended %t after %d logins, want at most %d", ended, b.logins, row.most)
				}
				code := "login_loop"
				if strings.Contains(row.cause, "Register") {
					code = "config"
				}
				if body := w.Body.String(); w.Code < 400 || !strings.Contains(body, "<code>"+code+"</code>, reference <code>") {
					t.Errorf("got status %d, %s", w.Code, body)
				}
				if warnings := strings.Count(s.log.String(), "level=WARN"); warnings != 1 || !strings.Contains(s.log.String(), row.cause) {
					t.Errorf("%d warnings, want one with %q: %s", warnings, row.cause, s.log.String())
				}
				if b.most.request > 1536 || b.most.response > 1536 {
					t.Errorf("the cookies take %d bytes of a request and %d of an answer", b.most.request, b.most.response)
				}
				t.Logf("logins until the loop is cut: %d", b.logins)
				// The button begins anew.
				for name := range b.cookies {
					if code == "login_loop" && (strings.HasSuffix(name, "saml-loop") || strings.HasSuffix(name, "saml-visits")) {
						t.Errorf("the counter %s stays", name)
					}
				}
			})
		}
	}
}

// drops is a service whose session cookie a browser does not keep.
func drops(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen := httptest.NewRecorder()
		next.ServeHTTP(seen, r)
		for name, values := range seen.Header() {
			for _, value := range values {
				if name != "Set-Cookie" || !strings.HasPrefix(value, "__Host-session-") {
					w.Header().Add(name, value)
				}
			}
		}
		w.WriteHeader(seen.Code)
		w.Write(seen.Body.Bytes())
	})
}

// byHand makes r a request for an address that was typed.
func byHand(r *http.Request) *http.Request {
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	r.Header.Set("Sec-Fetch-Site", "none")
	return r
}

// TestWhoIsNoLoop: people sign out and in again, open a tile a few times, click impatiently, and
// restore tabs with the same page.
func TestWhoIsNoLoop(t *testing.T) {
	t.Parallel()
	s := newRound(t)
	for name, do := range map[string]func(b *walker){
		"out and in again, twice": func(b *walker) {
			for range 3 {
				if w, ended := b.walk("https://console.example.com/jobs"); !ended || w.Body.String() != "the page /jobs" {
					t.Errorf("out and in again: status %d, %s", w.Code, w.Body)
				}
				maps.DeleteFunc(b.cookies, func(name, _ string) bool { return strings.HasPrefix(name, "__Host-session-") })
			}
		},
		"in by hand and out again, ten times": func(b *walker) {
			for range 10 {
				w := b.send(byHand(httptest.NewRequest("GET", "https://console.example.com/jobs", nil)))
				for to := where(w); to != ""; to = where(w) {
					if strings.HasPrefix(to, s.idp.LoginURL()) {
						tab := b.tab()
						tab.kept = "" // the page of the loop says more than the address
						w = b.send(tab.secondLeg(s.respond(samltest.Answer{RequestID: requestID(t, to)})))
						break
					}
					w = b.send(byHand(httptest.NewRequest("GET", to, nil)))
				}
				if w.Code == http.StatusForbidden {
					t.Errorf("by hand: %s", w.Body)
				}
				delete(b.cookies, "__Host-session")
			}
		},
		"the bare Redirect URL thirty times": func(b *walker) {
			for range 30 {
				b.tab().begin("")
			}
		},
		"the bare Redirect URL ten times, linked from another site": func(b *walker) {
			for range 10 {
				r := httptest.NewRequest("GET", redirectURL, nil)
				r.Header.Set("Sec-Fetch-Site", "cross-site")
				b.tab().leaves(b.send(r))
			}
		},
		"a tile thirty times, signed in, and five times in two seconds": func(b *walker) {
			b.walk("https://console.example.com/jobs")
			for i := range 30 {
				w := b.send(httptest.NewRequest("GET", redirectURL, nil))
				if where(w) != "/" {
					t.Errorf("a tile: status %d, %s", w.Code, w.Body)
				}
				for _, c := range w.Result().Cookies() {
					if strings.HasSuffix(c.Name, "saml-visits") && c.MaxAge > 2 {
						t.Errorf("a tile is counted for %d seconds", c.MaxAge)
					}
				}
				if i%5 == 4 { // two seconds later
					delete(b.cookies, "__Host-saml-visits")
				}
			}
		},
		"one link five times, signed in": func(b *walker) {
			b.walk("https://console.example.com/jobs")
			for range 5 {
				if w := b.send(httptest.NewRequest("GET", redirectURL+"?return_to=/jobs", nil)); where(w) != "/jobs" {
					t.Errorf("one link: status %d, %s", w.Code, w.Body)
				}
			}
		},
		"thirty tabs with the same page": func(b *walker) {
			var tabs []*browserTab
			for range 30 {
				tab := b.tab()
				tab.begin("/jobs")
				tabs = append(tabs, tab)
			}
			for _, tab := range tabs {
				if w := tab.finish(s.respond(samltest.Answer{RequestID: requestID(t, tab.at)})); where(w) != "/jobs" {
					t.Errorf("a restored tab: status %d, %s", w.Code, w.Body)
				}
			}
			if w, _ := b.walk("https://console.example.com/jobs"); w.Body.String() != "the page /jobs" {
				t.Errorf("after the tabs: status %d, %s", w.Code, w.Body)
			}
		},
	} {
		b := &walker{tabbed: newTabbed(t, s), s: s, scripts: true}
		do(b)
		if log := s.log.String(); log != "" {
			t.Errorf("%s: %s", name, log)
		}
	}
}

// TestLoopOfRedirectsAlone: the page of a guard of the application's own finds no session, and the
// Redirect URL has one. Nothing but redirects is in between, and a browser takes about 20 of them:
// ours ends before.
func TestLoopOfRedirectsAlone(t *testing.T) {
	t.Parallel()
	for _, led := range []string{"none", "cross-site", ""} {
		s := newRound(t)
		b := newTabbed(t, s)
		tab := b.tab()
		tab.begin("")
		tab.finish(s.respond(samltest.Answer{RequestID: requestID(t, tab.at)}))
		delete(b.cookies, "__Host-saml-loop") // a while ago
		redirects, address := 0, "https://console.example.com/app"
		var w *httptest.ResponseRecorder
		for ; address != "" && redirects < 60; redirects++ {
			r := httptest.NewRequest("GET", address, nil)
			if led != "" {
				byHand(r).Header.Set("Sec-Fetch-Site", led)
			}
			if r.URL.Path != s.sp.RedirectPath() {
				address = s.sp.RedirectURL()
				continue
			}
			for name, value := range b.cookies {
				r.AddCookie(&http.Cookie{Name: name, Value: value})
			}
			if w = b.serve(r); w.Code == http.StatusSeeOther {
				address = "https://console.example.com" + w.Header().Get("Location")
			} else {
				address = ""
			}
		}
		if redirects > 16 || !strings.Contains(w.Body.String(), "<code>login_loop</code>") ||
			!strings.Contains(s.log.String(), "does not accept the session") {
			t.Errorf("led from %q: after %d redirects: status %d, %s; %s", led, redirects, w.Code, w.Body, s.log.String())
		}
	}
}

// TestTileTwice: a tile without a Sign-on URL works again right after a sign-out, and from two tabs
// at once.
func TestTileTwice(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *saml.Config) { c.Unsolicited = saml.RestartUnsolicited })
	tile := func() samltest.Form {
		value, err := s.idp.Respond(samltest.Answer{Recipient: s.sp.RedirectURL()})
		if err != nil {
			t.Fatal(err)
		}
		return samltest.Form{Action: s.sp.RedirectURL(), Values: url.Values{"SAMLResponse": {value}, "RelayState": {s.server.URL + "/jobs"}}}
	}
	v := s.visitor()
	for range 4 {
		form, err := samltest.ReadForm(v.post(tile()))
		if err != nil {
			t.Fatal(err)
		}
		v.wantPage(v.post(form), alice+" at /jobs")
		response, err := v.PostForm(s.server.URL+"/sign-out", nil)
		if err != nil {
			t.Fatal(err)
		}
		v.wantPage(response, "bye")
	}
	v = s.visitor()
	one, err := samltest.ReadForm(v.post(tile()))
	if err != nil {
		t.Fatal(err)
	}
	two, err := samltest.ReadForm(v.post(tile()))
	if err != nil {
		t.Fatal(err)
	}
	v.wantPage(v.post(two), alice+" at /jobs")
	v.wantPage(v.post(one), alice+" at /jobs")
}

// TestServicesOfOneHostCountForThemselves: a portal opens one after another, each with a login of its
// own, and their cookies are those of one host.
func TestServicesOfOneHostCountForThemselves(t *testing.T) {
	t.Parallel()
	loop := ""
	for _, tenant := range []string{"a", "b", "c", "d", "e"} {
		h := newHouse(t, func(c *saml.Config) { c.Tenant = tenant })
		login := h.sp.Handler(&countingSessions{})
		r := httptest.NewRequest("GET", redirectURL+"?return_to=/jobs", nil)
		if loop != "" {
			r.AddCookie(&http.Cookie{Name: "__Host-saml-loop", Value: loop})
		}
		w := httptest.NewRecorder()
		login.ServeHTTP(w, r)
		if to := w.Header().Get("Location"); w.Code != http.StatusSeeOther || !strings.HasPrefix(to, h.idp.LoginURL()) {
			t.Fatalf("tenant %s: status %d to %q", tenant, w.Code, to)
		}
		jar := map[string]string{"__Host-saml-loop": loop}
		for _, c := range w.Result().Cookies() {
			jar[c.Name] = c.Value
		}
		response := h.respond(samltest.Answer{RequestID: requestID(t, w.Header().Get("Location"))})
		post := httptest.NewRequest("POST", redirectURL, strings.NewReader(url.Values{"SAMLResponse": {response}, "saml_leg": {"2"}}.Encode()))
		post.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for name, value := range jar {
			post.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		w = httptest.NewRecorder()
		login.ServeHTTP(w, post)
		for _, c := range w.Result().Cookies() {
			if c.Name == "__Host-saml-loop" {
				loop = c.Value
			}
		}
		if w.Code >= 400 || !strings.HasPrefix(loop, "0f") {
			t.Fatalf("tenant %s: status %d, the count is %q, want that of a first finish: %s", tenant, w.Code, loop, w.Body)
		}
	}
}

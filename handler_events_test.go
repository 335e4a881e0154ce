package saml_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// watched is a service whose events and log a test can read.
type watched struct {
	*house
	clock    *clock
	sessions *switchSessions
	login    *saml.Handler
	events   []saml.Event
	log      bytes.Buffer
}

// switchSessions does what the test says.
type switchSessions struct {
	signedIn bool
	err      error // of SignIn
}

func (s *switchSessions) SignIn(http.ResponseWriter, *http.Request, *saml.Login) error { return s.err }
func (s *switchSessions) SignedIn(*http.Request) bool                                  { return s.signedIn }
func (*switchSessions) Authenticate(http.ResponseWriter, *http.Request) (*http.Request, error) {
	return nil, nil
}

func newWatched(t *testing.T, change func(*saml.Config)) *watched {
	t.Helper()
	w := &watched{clock: newClock(), sessions: &switchSessions{}}
	idp := samltest.MustNew(t, samltest.Options{Now: w.clock.Now})
	w.house = &house{t, idp, newProvider(t, idp, func(c *saml.Config) {
		c.Now, c.Store = w.clock.Now, saml.NewMemoryStoreWithClock(w.clock.Now)
		c.Observe = func(_ context.Context, e saml.Event) { w.events = append(w.events, e) }
		c.Logger = slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		if change != nil {
			change(c)
		}
	})}
	w.login = w.sp.Handler(w.sessions)
	return w
}

func (w *watched) begin() (state *http.Cookie, id string) {
	w.t.Helper()
	a := httptest.NewRecorder()
	w.login.ServeHTTP(a, httptest.NewRequest("GET", redirectURL, nil))
	return a.Result().Cookies()[0], requestID(w.t, a.Result().Header.Get("Location"))
}

func (w *watched) post(response string, cookies ...*http.Cookie) *httptest.ResponseRecorder {
	r, a := httptest.NewRequest("POST", redirectURL,
		strings.NewReader(url.Values{"SAMLResponse": {response}, "saml_leg": {"2"}}.Encode())), httptest.NewRecorder()
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, c := range cookies {
		r.AddCookie(c)
	}
	w.login.ServeHTTP(a, r)
	return a
}

// wantEvents compares the events since the last call: kind, code and request ID of each.
func (w *watched) wantEvents(name string, want ...string) {
	w.t.Helper()
	var got []string
	for _, e := range w.events {
		code := ""
		if e.Err != nil {
			code = string(e.Err.Code)
		}
		got = append(got, strings.TrimSpace(fmt.Sprintf("%s %s %s", e.Kind, code, e.RequestID)))
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		w.t.Errorf("%s: got the events\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	w.events = nil
}

// TestOneEndForEachBeginning: whatever becomes of a login, one event says so, and it names the
// request.
func TestOneEndForEachBeginning(t *testing.T) {
	w := newWatched(t, nil)
	state, id := w.begin()
	w.post(w.respond(samltest.Answer{RequestID: id}), state)
	w.wantEvents("accepted", "login_started  "+id, "login_succeeded  "+id)

	w.sessions.err = errors.New("no seat for ioana.turcanu@example.com")
	state, id = w.begin()
	w.post(w.respond(samltest.Answer{RequestID: id}), state)
	w.wantEvents("no session", "login_started  "+id, "login_refused session "+id)
	w.sessions.err = nil

	state, id = w.begin()
	w.post(w.respond(samltest.Answer{RequestID: id, Audience: "https://other.example.com"}), state)
	w.wantEvents("another audience", "login_started  "+id, "login_refused audience "+id)

	request, err := w.sp.StartLogin(t.Context(), saml.LoginOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.sp.FinishLogin(t.Context(), saml.FormResponse{State: request.State}); !errors.Is(err,
		saml.CodeResponseMissing) {
		t.Errorf("got %v", err)
	}
	w.wantEvents("without the handler", "login_started  "+request.ID, "login_refused response_missing "+request.ID)
	login, err := w.signIn(saml.LoginOptions{}, samltest.Answer{})
	if err != nil {
		t.Fatal(err)
	}
	w.wantEvents("accepted without the handler", "login_started  "+login.RequestID, "login_succeeded  "+login.RequestID)
}

// TestEventsOfASignedInBrowser: what ends on the start page without an error leaves an event all
// the same.
func TestEventsOfASignedInBrowser(t *testing.T) {
	w := newWatched(t, nil)
	state, id := w.begin()
	response := w.respond(samltest.Answer{RequestID: id})
	w.post(response, state)
	w.wantEvents("a login", "login_started  "+id, "login_succeeded  "+id)
	w.sessions.signedIn = true
	home := func(name string, a *httptest.ResponseRecorder) {
		t.Helper()
		if a.Code != http.StatusSeeOther || a.Header().Get("Location") != "/" {
			t.Errorf("%s: status %d, %s", name, a.Code, a.Header().Get("Location"))
		}
	}
	home("again", w.post(response, state))
	w.wantEvents("again", "login_refused replayed "+id)
	home("again, its cookie gone", w.post(response))
	w.wantEvents("again, its cookie gone", "login_refused state_missing")
	home("unsolicited", w.post(w.respond(samltest.Answer{})))
	w.wantEvents("unsolicited", "login_refused unsolicited")
	w.sessions.signedIn = false
	state, id = w.begin()
	w.sessions.signedIn = true
	w.clock.Advance(61 * time.Minute)
	home("late", w.post(w.respond(samltest.Answer{RequestID: id}), state))
	w.wantEvents("late", "login_started  "+id, "login_refused state_expired "+id)
	if strings.Contains(w.log.String(), "level=WARN") {
		t.Errorf("a user who noticed nothing leaves warnings: %s", w.log.String())
	}
}

// TestJunkDoesNotFillTheLog: what anyone can post leaves a few lines and a count, and takes no line
// from what belongs to a pending login. Events are complete.
func TestJunkDoesNotFillTheLog(t *testing.T) {
	for name, logger := range map[string]func(w *watched){
		"known tenant": func(*watched) {},
		"unknown tenant": func(w *watched) {
			var err error
			if w.login, err = saml.NewHandler(saml.HandlerConfig{Sessions: w.sessions,
				Logger: slog.New(slog.NewTextHandler(&w.log, nil)),
				Resolve: func(*http.Request, string) (*saml.ServiceProvider, error) {
					return nil, errors.New("down")
				}}); err != nil {
				t.Fatal(err)
			}
		},
	} {
		w := newWatched(t, nil)
		state, id := w.begin()
		logger(w)
		w.events = nil
		w.log.Reset()
		junk := w.respond(samltest.Answer{RequestID: "_nobodys"})
		for range 300 {
			w.post(junk)
		}
		if lines := strings.Count(w.log.String(), "\n"); lines == 0 || lines > 10 {
			t.Errorf("%s: 300 posts left %d lines", name, lines)
		}
		if name == "unknown tenant" {
			continue // whose clock is not the test's
		}
		if len(w.events) != 300 {
			t.Errorf("%s: got %d events", name, len(w.events))
		}
		w.log.Reset()
		w.post(w.respond(samltest.Answer{RequestID: id, Audience: "https://other.example.com"}), state)
		if !strings.Contains(w.log.String(), "code=audience") || !strings.Contains(w.log.String(), "request="+id) {
			t.Errorf("the refusal of a pending login is not logged: %s", w.log.String())
		}
		w.log.Reset()
		w.clock.Advance(time.Minute)
		w.post(junk)
		if log := w.log.String(); !strings.Contains(log, "count=290") || strings.Count(log, "\n") != 2 {
			t.Errorf("a minute later: %s", log)
		}
	}
}

// TestOneLoginDoesNotFillTheLog: a pending login costs one GET, and any number of responses can be
// posted for it.
func TestOneLoginDoesNotFillTheLog(t *testing.T) {
	w := newWatched(t, nil)
	state, id := w.begin()
	w.log.Reset()
	bad := w.respond(samltest.Answer{RequestID: id, Audience: "https://other.example.com"})
	for range 100 {
		w.post(bad, state)
	}
	if lines := strings.Count(w.log.String(), "\n"); lines != 60 || len(w.events) != 101 {
		t.Errorf("100 posts left %d lines and %d events", lines, len(w.events))
	}
	w.log.Reset()
	w.clock.Advance(time.Minute)
	w.post(bad, state)
	if log := w.log.String(); !strings.Contains(log, "count=40") || !strings.Contains(log, "pending_login=true") {
		t.Errorf("a minute later: %s", log)
	}
}

// nameError is an error of the application that names a person.
type nameError struct{}

func (nameError) Error() string { return "no row for ioana.turcanu@example.com" }

// failingStore is one whose error names a person.
type failingStore struct{ saml.Store }

func (failingStore) Claim(context.Context, string, time.Duration) (bool, error) {
	return false, nameError{}
}

// TestErrorsOfTheApplicationAreNotLogged: their text goes to Observe, and to nobody else.
func TestErrorsOfTheApplicationAreNotLogged(t *testing.T) {
	check := func(name string, w *watched, code saml.Code) {
		t.Helper()
		log := w.log.String()
		if strings.Contains(log, "ioana") || !strings.Contains(log, "code="+string(code)) ||
			!strings.Contains(log, "nameError") {
			t.Errorf("%s: the log is %s", name, log)
		}
	}
	observed := func(name string, w *watched) {
		t.Helper()
		last := w.events[len(w.events)-1]
		if last.Kind != saml.LoginRefused || last.Time.IsZero() || !errors.Is(last.Err, nameError{}) {
			t.Errorf("%s: the last event is %+v", name, last)
		}
	}
	w := newWatched(t, nil)
	w.sessions.err = fmt.Errorf("sign in: %w", nameError{})
	state, id := w.begin()
	w.post(w.respond(samltest.Answer{RequestID: id}), state)
	check("SignIn", w, saml.CodeSession)
	observed("SignIn", w)

	w = newWatched(t, func(c *saml.Config) { c.Store = failingStore{c.Store} })
	state, id = w.begin()
	w.post(w.respond(samltest.Answer{RequestID: id}), state)
	check("Store", w, saml.CodeStore)
	observed("Store", w)

	w = newWatched(t, nil)
	var err error
	if w.login, err = saml.NewHandler(saml.HandlerConfig{Sessions: w.sessions,
		Logger:  slog.New(slog.NewTextHandler(&w.log, nil)),
		Observe: func(_ context.Context, e saml.Event) { w.events = append(w.events, e) },
		Resolve: func(*http.Request, string) (*saml.ServiceProvider, error) { return nil, nameError{} }}); err != nil {
		t.Fatal(err)
	}
	w.post("AAAA")
	w.login.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", redirectURL, nil))
	check("Resolve", w, saml.CodeIdentityProvider)
	observed("Resolve", w)
}

// TestSignInRefusalKeepsItsWords: an *Error of Sessions says what is wrong, in the log as on the
// page.
func TestSignInRefusalKeepsItsWords(t *testing.T) {
	w := newWatched(t, nil)
	w.sessions.err = &saml.Error{Code: saml.CodeConfig, Message: "the cookie would be dropped",
		Hint: "Set InsecureAllowHTTP."}
	state, id := w.begin()
	a := w.post(w.respond(samltest.Answer{RequestID: id}), state)
	if log := w.log.String(); !strings.Contains(a.Body.String(), "<code>config</code>") ||
		!strings.Contains(log, "the cookie would be dropped") || !strings.Contains(log, "Set InsecureAllowHTTP.") {
		t.Errorf("got %s, %s", a.Body, log)
	}
}

// TestFinishedLoginTidiesUp: what was counted of restarts goes, and another tab's login can still
// finish: it shares the binding.
func TestFinishedLoginTidiesUp(t *testing.T) {
	w := newWatched(t, nil)
	own, id := w.begin()
	r, begun := httptest.NewRequest("GET", redirectURL, nil), httptest.NewRecorder()
	r.AddCookie(own)
	w.login.ServeHTTP(begun, r)
	tab, tabID := begun.Result().Cookies()[0], requestID(t, begun.Result().Header.Get("Location"))
	if tab.Name != own.Name || tab.Value != own.Value {
		t.Errorf("the second login has the cookie %v, want %v", tab, own)
	}
	a := w.post(w.respond(samltest.Answer{RequestID: id}), own, &http.Cookie{Name: "__Host-saml-restart", Value: "3"})
	gone := map[string]bool{}
	for _, c := range a.Result().Cookies() {
		gone[c.Name] = c.MaxAge < 0
	}
	if a.Code != http.StatusSeeOther || !gone["__Host-saml-restart"] || gone[own.Name] {
		t.Errorf("status %d, these go: %v", a.Code, gone)
	}
	if a := w.post(w.respond(samltest.Answer{RequestID: tabID}), own); a.Code != http.StatusSeeOther {
		t.Errorf("the other tab: status %d, %s", a.Code, a.Body)
	}
}

// TestUsedResponseAfterARestart: a service without a lasting Store starts anew, and a response that
// was used before comes again.
func TestUsedResponseAfterARestart(t *testing.T) {
	clock := newClock()
	idp := samltest.MustNew(t, samltest.Options{Now: clock.Now})
	keys := [][]byte{saml.NewStateKey()}
	start := func(wrap func(saml.Store) saml.Store) *house {
		return &house{t, idp, newProvider(t, idp, func(c *saml.Config) {
			c.Now, c.StateKeys, c.Unsolicited, c.Store = clock.Now, keys, saml.AllowUnsolicited, wrap(saml.NewMemoryStoreWithClock(clock.Now))
		})}
	}
	for name, wrap := range map[string]func(saml.Store) saml.Store{
		"as it is": func(s saml.Store) saml.Store { return s },
		"wrapped":  func(s saml.Store) saml.Store { return meteredStore{s.(saml.ForgetfulStore)} },
	} {
		before := start(wrap)
		request, err := before.sp.StartLogin(t.Context(), saml.LoginOptions{})
		if err != nil {
			t.Fatal(err)
		}
		responses := map[string]saml.FormResponse{
			"solicited": {SAMLResponse: before.respond(samltest.Answer{RequestID: request.ID}),
				State: request.State},
			"unsolicited": {SAMLResponse: before.respond(samltest.Answer{})},
			"with a request ID": {SAMLResponse: before.respond(samltest.Answer{RequestID: "_asked"}),
				RequestID: "_asked"},
		}
		for way, r := range responses {
			if _, err := before.sp.FinishLogin(t.Context(), r); err != nil {
				t.Errorf("%s, %s: %v", name, way, err)
			}
		}
		clock.Advance(time.Second)
		after := start(wrap)
		for way, r := range responses {
			login, err := after.sp.FinishLogin(t.Context(), r)
			wantCode(t, name+", "+way, login, err, saml.CodeStoreYoung)
		}
		for way, r := range map[string]saml.FormResponse{
			"unsolicited": {SAMLResponse: after.respond(samltest.Answer{})},
			"with a request ID": {SAMLResponse: after.respond(samltest.Answer{RequestID: "_asked"}),
				RequestID: "_asked"},
		} {
			if _, err := after.sp.FinishLogin(t.Context(), r); err != nil {
				t.Errorf("%s, a new one, %s: %v", name, way, err)
			}
		}
	}
}

// meteredStore is a wrapper that passes on what the interfaces say.
type meteredStore struct{ saml.ForgetfulStore }

// TestProviderForEachRequest without a Store signs nobody in. The log says why, and what to do.
func TestProviderForEachRequest(t *testing.T) {
	w := newWatched(t, nil)
	keys := [][]byte{saml.NewStateKey()}
	var err error
	w.login, err = saml.NewHandler(saml.HandlerConfig{Sessions: w.sessions,
		Resolve: func(*http.Request, string) (*saml.ServiceProvider, error) {
			w.clock.Advance(time.Second)
			return newProvider(t, w.idp, func(c *saml.Config) {
				c.Now, c.StateKeys, c.Store = w.clock.Now, keys, nil
				c.Logger = slog.New(slog.NewTextHandler(&w.log, nil))
			}), nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	state, id := w.begin()
	a := w.post(w.respond(samltest.Answer{RequestID: id}), state)
	if log := w.log.String(); !strings.Contains(a.Body.String(), "<code>store_young</code>") ||
		!strings.Contains(log, "for each request") || strings.Contains(a.Body.String(), "too long") {
		t.Errorf("got %s, %s", a.Body, log)
	}
}

package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// TestStoreThatFails follows one session through an outage. It goes on for five minutes after the
// last answer, and the store is asked at most every ten seconds.
func TestStoreThatFails(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	c := s.signIn(samltest.Answer{})
	s.wantIn("at first", c)
	s.store.wantAsked(t, "at first", 1)
	s.store.fail(errBroken)
	s.wantIn("within ten seconds", c)
	s.store.wantAsked(t, "within ten seconds", 1)
	for second := 10; second <= 300; second += 5 {
		s.clock.advance(5 * time.Second)
		if second == 10 {
			s.clock.advance(5 * time.Second)
		}
		s.wantIn(fmt.Sprintf("%d s after the last answer", second), c)
	}
	s.store.wantAsked(t, "during five minutes of failure", 1+30)
	s.clock.advance(time.Millisecond)
	s.wantUnknown("more than five minutes after the last answer", c)
	s.wantUnknown("at once again", c)
	s.store.wantAsked(t, "within ten seconds of a question that failed", 1+30)
	s.clock.advance(10 * time.Second)
	s.wantUnknown("ten seconds later", c)
	s.store.wantAsked(t, "ten seconds later", 1+31)
	s.store.fail(nil)
	s.wantUnknown("the store works again, and it was asked just before", c)
	s.clock.advance(10 * time.Second)
	s.wantIn("the store works again, and is asked", c)
	s.store.wantAsked(t, "in the end", 1+32)
}

// TestStoreThatFailsAtFirst: this process never had an answer about the session. The session goes
// on while it is new, as on the replica where it began. After that the user is told to wait. A new
// sign-in would need the store too. Meanwhile not every request asks the store.
func TestStoreThatFailsAtFirst(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	c := s.signIn(samltest.Answer{})
	s.store.fail(errBroken)
	s.wantIn("five minutes after it began, never asked with success", c)
	s.clock.advance(5*time.Minute + time.Millisecond)
	for range 3 {
		s.wantUnknown("more than five minutes after it began", c)
	}
	s.store.wantAsked(t, "at the two moments", 2)
	if !s.SignedIn(newRequest("GET", "/", c)) {
		t.Error("a session that nobody could check is sent to sign in")
	}
	s.store.fail(nil)
	s.clock.advance(10 * time.Second)
	s.wantIn("when the store works", c)
	s.store.wantAsked(t, "when the store works", 3)
}

// TestStoreIsAskedOnce: of many requests at the same moment only one asks. The others wait for its
// answer, good or bad.
func TestStoreIsAskedOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	cookies := []*http.Cookie{s.signIn(samltest.Answer{}), s.signIn(samltest.Answer{})}
	all := func() map[int]int {
		var mu sync.Mutex
		statuses := map[int]int{}
		var group sync.WaitGroup
		for i := range 50 {
			group.Go(func() {
				status := s.open(cookies[i%2]).Code
				mu.Lock()
				defer mu.Unlock()
				statuses[status]++
			})
		}
		group.Wait()
		return statuses
	}
	s.clock.advance(goOnFor + time.Millisecond) // they are no longer new
	s.store.fail(errBroken)
	if got := all(); got[http.StatusServiceUnavailable] != 50 {
		t.Errorf("while the store fails: got %v", got)
	}
	s.store.wantAsked(t, "for two sessions at one moment", 2)
	s.store.fail(nil)
	s.clock.advance(10 * time.Second)
	if got := all(); got[http.StatusOK] != 50 {
		t.Errorf("when the store works: got %v", got)
	}
	s.store.wantAsked(t, "for two sessions at two moments", 4)
}

// TestEndedIsRemembered: no session comes back, whatever the store says or does later.
func TestEndedIsRemembered(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	c := s.signIn(samltest.Answer{})
	if err := s.newManager().SignOut(newWriter(), newRequest("POST", "/", c)); err != nil {
		t.Fatal(err)
	}
	s.wantOut("ended by another replica", c)
	s.store.wantAsked(t, "ended by another replica", 1)
	s.store.fail(errBroken)
	s.clock.advance(time.Hour)
	s.wantOut("an hour later, while the store fails", c)
	s.store.wantAsked(t, "an hour later", 1)
}

// TestQuestionOutlivesTheRequest: a browser that goes away must not cancel the question that other
// requests wait for. The question ends after five seconds.
func TestQuestionOutlivesTheRequest(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	type key struct{}
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "trace"))
	cancel()
	c := s.signIn(samltest.Answer{})
	if !s.SignedIn(newRequest("GET", "/", c).WithContext(ctx)) {
		t.Error("a request that was given up is not signed in")
	}
	deadline, ok := s.store.caller.Deadline()
	if left := time.Until(deadline); !ok || left > 5*time.Second {
		t.Errorf("the store may take %v", left)
	}
	if s.store.caller.Value(key{}) != "trace" {
		t.Error("the store does not see the values of the request's context")
	}
	if err := s.SignOut(newWriter(), newRequest("POST", "/", c).WithContext(ctx)); err != nil {
		t.Errorf("a sign-out that was given up: %v", err)
	}
}

// TestCheck: the application can end a session for itself, and fail as the store can.
func TestCheck(t *testing.T) {
	t.Parallel()
	var verdict error
	asked := 0
	var seen *Session
	s := newSite(t, func(c *Config) {
		c.Validate = func(_ context.Context, s *Session) error {
			asked++
			seen = s
			return verdict
		}
	})
	c := s.signIn(samltest.Answer{})
	if asked != 1 || seen.Identity.Email != alice {
		t.Errorf("a sign-in asks %d times, about %+v, want once", asked, seen)
	}
	asked, seen = 0, nil
	s.wantIn("at first", c)
	if asked != 1 || seen.Identity.Email != alice || !seen.StartedAt.Equal(s.clock.Now()) {
		t.Errorf("asked %d times, about %+v", asked, seen)
	}
	verdict = errBroken
	s.clock.advance(5 * time.Minute)
	s.wantIn("five minutes later, while Validate fails", c)
	s.clock.advance(time.Second)
	s.wantUnknown("a second later", c)
	if asked != 2 {
		t.Errorf("asked %d times, want 2", asked)
	}
	verdict = fmt.Errorf("the user is gone: %w", ErrEnded)
	s.clock.advance(10 * time.Second)
	s.wantOut("when Validate ends the session", c)
	verdict = nil
	s.clock.advance(time.Minute)
	s.wantOut("when Validate has changed its mind", c)
	if asked != 3 {
		t.Errorf("asked %d times, want 3", asked)
	}

	c = s.signIn(samltest.Answer{})
	asked = 0
	if err := s.newManager().SignOut(newWriter(), newRequest("POST", "/", c)); err != nil {
		t.Fatal(err)
	}
	s.wantOut("signed out", c)
	if asked != 0 {
		t.Error("Validate is asked about a session that the store knows to be ended")
	}
}

// wantRefused expects that a sign-in begins no session, and leaves the one that the browser had.
func (s *site) wantRefused(when string, code saml.Code, cause error) {
	s.Helper()
	w := httptest.NewRecorder()
	err := s.SignIn(w, newRequest("POST", "/"), s.newLogin(samltest.Answer{}))
	var refusal *saml.Error
	if !errors.As(err, &refusal) || refusal.Code != code || refusal.Hint == "" ||
		cause != nil && !errors.Is(err, cause) || len(w.Result().Cookies()) != 0 {
		s.Errorf("%s: got %v and cookies %v, want %s", when, err, w.Result().Cookies(), code)
	}
}

// TestSignInAsks: no session begins if Validate refuses it or fails, because the five minutes
// without an answer must not start again with each sign-in. Stamp is asked first, and Validate sees
// its result.
func TestSignInAsks(t *testing.T) {
	t.Parallel()
	var stampErr, checkErr error
	var seen *Session
	var deadline time.Time
	stamp := "7"
	s := newSite(t, func(c *Config) {
		c.Stamp = func(ctx context.Context, login *saml.Login) (string, error) {
			if login.Identity.Email != alice {
				t.Errorf("Stamp is asked about %+v", login)
			}
			return stamp, stampErr
		}
		c.Validate = func(ctx context.Context, s *Session) error {
			seen = s
			deadline, _ = ctx.Deadline()
			return checkErr
		}
	})
	s.store.failClaims(errBroken) // nothing is recorded for it
	c := s.signIn(samltest.Answer{})
	if seen == nil || seen.Stamp != "7" || seen.ID == "" || !seen.StartedAt.Equal(s.clock.Now()) ||
		time.Until(deadline) > 5*time.Second || deadline.IsZero() {
		t.Errorf("Validate is asked about %+v until %v", seen, deadline)
	}
	if got, ok := s.Manager.open(newRequest("GET", "/", c)); !ok || got.Stamp != "7" || got.ID != seen.ID {
		t.Errorf("got %+v, want the session that Validate has seen: %+v", got, seen)
	}
	s.store.failClaims(nil)

	checkErr = fmt.Errorf("the user is gone: %w", ErrEnded)
	s.wantRefused("Validate ends the session", saml.CodeAccountEnded, ErrEnded)
	checkErr = errBroken
	s.wantRefused("Validate fails", saml.CodeStore, errBroken)
	checkErr, stampErr, seen = nil, fmt.Errorf("the user is gone: %w", ErrEnded), nil
	s.wantRefused("Stamp refuses", saml.CodeAccountEnded, ErrEnded)
	stampErr = errBroken
	s.wantRefused("Stamp fails", saml.CodeStore, errBroken)
	stampErr, stamp = nil, strings.Repeat("s", 129)
	s.wantRefused("a stamp of 129 bytes", saml.CodeSession, nil)
	if seen != nil {
		t.Error("Validate is asked where Stamp refused")
	}
	stamp = stamp[:128]
	s.signIn(samltest.Answer{})
}

// TestRefusedSignInChangesNothing: a signed-in user stays signed in if another account is refused
// in the same browser.
func TestRefusedSignInChangesNothing(t *testing.T) {
	t.Parallel()
	var verdict error
	s := newSite(t, func(c *Config) { c.Validate = func(context.Context, *Session) error { return verdict } })
	c := s.signIn(samltest.Answer{})
	s.wantIn("before", c)
	verdict = ErrEnded
	err := s.SignIn(newWriter(), newRequest("POST", "/", c), s.newLogin(samltest.Answer{}))
	if !errors.Is(err, ErrEnded) {
		t.Errorf("got %v, want ErrEnded", err)
	}
	s.wantIn("after the refusal", c)
}

// TestCheckSeesWhatTheCookieHas: Validate must not decide by groups that it will not see later.
func TestCheckSeesWhatTheCookieHas(t *testing.T) {
	t.Parallel()
	var seen []int
	s := newSite(t, func(c *Config) {
		c.Validate = func(_ context.Context, s *Session) error {
			seen = append(seen, len(s.Identity.Groups))
			if !s.GroupsTruncated {
				t.Error("GroupsTruncated is not set")
			}
			return nil
		}
	})
	login := s.newLogin(samltest.Answer{})
	login.Identity.Groups = randomGroups(300)
	w := httptest.NewRecorder()
	if err := s.SignIn(w, newRequest("POST", "/"), login); err != nil {
		t.Fatal(err)
	}
	s.wantIn("with what fits", w.Result().Cookies()[0])
	if len(seen) != 2 || seen[0] != seen[1] || seen[0] == 0 {
		t.Errorf("Validate has seen %v groups, want the same number twice", seen)
	}
}

// TestEndAllSessionsWithClocksApart has two replicas whose clocks are two minutes apart, and an
// account with a number that goes up to end all its sessions. Whichever replica began a session, it
// ends, and each new session works at once.
func TestEndAllSessionsWithClocksApart(t *testing.T) {
	t.Parallel()
	for name, apart := range map[string]time.Duration{
		"the other replica is ahead":  2 * time.Minute,
		"the other replica is behind": -2 * time.Minute,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			number := 1 // in the service's database
			account := func(c *Config) {
				c.Stamp = func(context.Context, *saml.Login) (string, error) { return strconv.Itoa(number), nil }
				c.Validate = func(_ context.Context, s *Session) error {
					if s.Stamp != strconv.Itoa(number) {
						return ErrEnded
					}
					return nil
				}
			}
			s := newSite(t, account)
			first, firstPage := s.Manager, s.page
			second := s.newManager(account, func(c *Config) {
				c.Now = func() time.Time { return s.clock.Now().Add(apart) }
			})
			secondPage := s.handlerOf(second).Require(greeting)
			onEach := func(f func(replica string)) {
				for replica, page := range map[string]http.Handler{
					"the first replica":  firstPage,
					"the second replica": secondPage,
				} {
					s.page = page
					f(replica)
				}
			}
			for _, m := range []*Manager{first, second} {
				s.Manager = m
				before := s.signIn(samltest.Answer{})
				onEach(func(replica string) { s.wantIn("before, on "+replica, before) })
				number++
				after := s.signIn(samltest.Answer{}) // at the same moment
				onEach(func(replica string) { s.wantIn("a new session, on "+replica, after) })
				s.clock.advance(10 * time.Second)
				onEach(func(replica string) {
					s.wantOut("ten seconds after the end of all sessions, on "+replica, before)
					s.wantIn("a new session ten seconds later, on "+replica, after)
				})
			}
		})
	}
}

// TestFailuresAreReported: each failure that ends in status 503, or that the user does not see,
// leaves a line in the log. Errors of the application may name a person, so their text goes only to
// the application.
func TestFailuresAreReported(t *testing.T) {
	t.Parallel()
	personal := fmt.Errorf("no answer about ioana: %w", errBroken)
	var text bytes.Buffer
	var observed []error
	var verdict error
	s := newSite(t, func(c *Config) {
		c.Logger = slog.New(slog.NewTextHandler(&text, nil))
		c.Observe = func(_ context.Context, err error) { observed = append(observed, err) }
		c.Validate = func(context.Context, *Session) error { return verdict }
	})
	c := s.signIn(samltest.Answer{})
	for _, row := range []struct {
		what string
		do   func()
	}{
		{"cannot tell whether a session was ended", func() {
			verdict = personal
			s.wantIn("while Validate fails", c)
			verdict = nil
		}},
		{"cannot tell whether a session fits the settings", func() {
			s.err = personal
			s.wantUnknown("while Resolve fails", c)
			s.err = nil
		}},
		{"the earlier session could not be ended", func() {
			s.store.failClaims(personal)
			if err := s.SignIn(newWriter(), newRequest("POST", "/", c), s.newLogin(samltest.Answer{})); err != nil {
				t.Error(err)
			}
		}},
		{"a session could not be ended for all replicas", func() {
			answerOf(s.SignOutHandler("/"), newRequest("POST", "/", c))
		}},
	} {
		text.Reset()
		observed = nil
		row.do()
		if got := text.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, row.what) ||
			strings.Contains(got, "ioana") {
			t.Errorf("%s: the log says %q", row.what, got)
		}
		if len(observed) != 1 || !errors.Is(observed[0], personal) || !strings.Contains(observed[0].Error(), row.what) {
			t.Errorf("%s: Observe got %v", row.what, observed)
		}
	}
}

// TestSessionsAreForgotten: the number of remembered sessions is bounded. Forgotten sessions are
// asked about again.
func TestSessionsAreForgotten(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 14, 8, 26, 53, 0, time.UTC)
	for _, row := range []struct {
		name  string
		tried time.Time // by all sessions but one
		kept  bool      // that one for certain
	}{
		{"all others were asked about long ago", now.Add(-time.Minute), true},
		{"all were asked about just now", now, false},
	} {
		c := checks{entries: map[string]*checked{}}
		for i := range maxChecked {
			c.entry(strconv.Itoa(i), now).tried = row.tried
		}
		c.entries["0"].tried, c.entries["0"].ended = now, true
		busy := c.entries["1"]
		busy.mu.Lock()
		if n := len(c.entries); n != maxChecked {
			t.Errorf("%s: %d sessions are remembered, want %d", row.name, n, maxChecked)
		}
		c.entry("new", now)
		if n := len(c.entries); n != maxChecked/2+1 {
			t.Errorf("%s: %d sessions are remembered after one too many, want %d", row.name, n, maxChecked/2+1)
		}
		if row.kept && !c.entry("0", now).ended {
			t.Errorf("%s: the session that was asked about is forgotten", row.name)
		}
		if c.entry("1", now) != busy {
			t.Errorf("%s: a session is forgotten while a question about it is on its way", row.name)
		}
	}
}

// TestCheckKeepsNoText: what is remembered of a session keeps none of its texts in memory.
func TestCheckKeepsNoText(t *testing.T) {
	t.Parallel()
	c := checks{entries: map[string]*checked{}}
	text := strings.Repeat("session-id and much more ", 100)
	first := c.entry(text[:10], time.Now())
	for id := range c.entries {
		if unsafe.StringData(id) == unsafe.StringData(text) {
			t.Error("the text of the session is kept")
		}
	}
	if c.entry(text[:10], time.Now()) != first || len(c.entries) != 1 {
		t.Errorf("got %d entries for one session", len(c.entries))
	}
}

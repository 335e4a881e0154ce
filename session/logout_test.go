package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/internal/expiry"
	"github.com/iomete/saml/internal/storekey"
	"github.com/iomete/saml/samltest"
)

// replica returns another Manager of the service, whose clock is ahead.
func (s *recordsSite) replica(ahead time.Duration, changes ...func(*Config)) *Manager {
	s.Helper()
	return s.newManager(append([]func(*Config){func(c *Config) {
		c.Records = s.records
		c.Now = func() time.Time { return s.clock.Now().Add(ahead) }
	}}, changes...)...)
}

// begin returns the cookie of the session of a login.
func (s *recordsSite) begin(login *saml.Login) *http.Cookie {
	s.Helper()
	w := httptest.NewRecorder()
	if err := s.SignIn(w, newRequest("POST", "/"), login); err != nil {
		s.Fatal(err)
	}
	return w.Result().Cookies()[0]
}

// statusAt returns what a page answers on one replica.
func (s *recordsSite) statusAt(m *Manager, c *http.Cookie) int {
	s.Helper()
	return answerOf(s.handlerOf(m).Require(greeting), newRequest("GET", "/jobs", c)).Code
}

// indexed gives a login other SessionIndexes than the ID of its assertion.
func indexed(login *saml.Login, indexes ...string) *saml.Login {
	statement := login.Assertion.Statements[0]
	login.Assertion.Statements = nil
	for _, i := range indexes {
		statement.SessionIndex = i
		login.Assertion.Statements = append(login.Assertion.Statements, statement)
	}
	return login
}

// logoutOf returns the LogoutRequest of the identity provider that fits a login, made now.
func (s *recordsSite) logoutOf(login *saml.Login) *saml.Logout {
	l := &saml.Logout{
		Tenant:       login.Tenant,
		EntityID:     login.EntityID,
		Issuer:       login.Assertion.Issuer.Value,
		NameID:       login.Assertion.NameID,
		IssueInstant: s.clock.Now(),
	}
	for _, statement := range login.Assertion.Statements {
		l.SessionIndexes = append(l.SessionIndexes, statement.SessionIndex)
	}
	return l
}

// TestWhoseSessionsEnd: each row changes a sign-in and the LogoutRequest that would fit it, and says
// whether the session ends: at the replica where it began, and at another one. A late sign-in with the
// same assertion is refused in the same cases.
func TestWhoseSessionsEnd(t *testing.T) {
	t.Parallel()
	const other = "https://other.example.com"
	for name, row := range map[string]struct {
		login  func(*saml.Login)
		logout func(*saml.Logout)
		ends   bool
	}{
		"as it was":                     {nil, nil, true},
		"another person, a small index": {nil, naming("bob@example.com"), false},
		"another name, the ID of the assertion": {func(l *saml.Login) { indexed(l, l.Assertion.ID) },
			naming("pairwise"), true},
		"another name, the ID of the assertion second": {func(l *saml.Login) { indexed(l, "1", l.Assertion.ID) },
			func(l *saml.Logout) { l.NameID.Value, l.SessionIndexes = "pairwise", l.SessionIndexes[1:] }, true},
		"another name, the other index beside it": {func(l *saml.Login) { indexed(l, "1", l.Assertion.ID) },
			func(l *saml.Logout) { l.NameID.Value, l.SessionIndexes = "pairwise", l.SessionIndexes[:1] }, false},
		"another index":          {nil, func(l *saml.Logout) { l.SessionIndexes = []string{"2"} }, false},
		"one of several indexes": {nil, func(l *saml.Logout) { l.SessionIndexes = []string{"0", "1", "2"} }, true},
		"no index":               {nil, func(l *saml.Logout) { l.SessionIndexes = nil }, true},
		"no index, another name": {nil, func(l *saml.Logout) { l.SessionIndexes, l.NameID.Value = nil, "bob" }, false},
		"a sign-in without index": {func(l *saml.Login) { indexed(l) },
			func(l *saml.Logout) { l.SessionIndexes = []string{"7"} }, true},
		"several statements, the last one named": {func(l *saml.Login) { indexed(l, "a", "", "b", "a", "c") },
			func(l *saml.Logout) { l.SessionIndexes = []string{"c"} }, true},
		"twenty statements, the last one named": {func(l *saml.Login) { indexed(l, numbers(20)...) },
			func(l *saml.Logout) { l.SessionIndexes = []string{"19"} }, true},
		"an e-mail address in other case": {nil, naming(strings.ToUpper(alice)), true},
		"no e-mail address, in other case": {func(l *saml.Login) {
			l.Identity.Email, l.Assertion.NameID.Format = "", ""
		}, naming(strings.ToUpper(alice)), false},
		"an e-mail address by its Format, in other case": {func(l *saml.Login) { l.Identity.Email = "" },
			naming(strings.ToUpper(alice)), true},
		"an e-mail address by policy, in other case": {func(l *saml.Login) { l.Assertion.NameID.Format = "" },
			naming(strings.ToUpper(alice)), true},
		"the Format left out": {nil, func(l *saml.Logout) { l.NameID.Format = "" }, true},
		"qualifiers left out": {func(l *saml.Login) { qualify(&l.Assertion.NameID, l.Assertion.Issuer.Value, l.EntityID) },
			func(l *saml.Logout) { qualify(&l.NameID, "", "") }, true},
		"qualifiers added":    {nil, func(l *saml.Logout) { qualify(&l.NameID, l.Issuer, l.EntityID) }, true},
		"the same qualifiers": {func(l *saml.Login) { qualify(&l.Assertion.NameID, "q", l.EntityID) }, nil, true},
		"a former entity ID":  {func(l *saml.Login) { qualify(&l.Assertion.NameID, "", "former") }, nil, true},
		"another qualifier": {func(l *saml.Login) { qualify(&l.Assertion.NameID, "q", "") },
			func(l *saml.Logout) { qualify(&l.NameID, "r", "") }, false},
		"for another service": {func(l *saml.Login) { qualify(&l.Assertion.NameID, "", l.EntityID) },
			func(l *saml.Logout) { qualify(&l.NameID, "", other) }, false},
		"another tenant":       {nil, func(l *saml.Logout) { l.Tenant = "B" }, false},
		"another issuer":       {nil, func(l *saml.Logout) { l.Issuer = other }, false},
		"another entity ID":    {nil, func(l *saml.Logout) { l.EntityID = other }, false},
		"a request before":     {nil, earlier(61 * time.Second), false},
		"in the same second":   {nil, earlier(time.Minute), true},
		"in the second before": {nil, earlier(time.Minute + 600*time.Millisecond), false},
		"a sign-in without IssueInstant": {func(l *saml.Login) { l.Assertion.IssueInstant = time.Time{} },
			earlier(time.Hour), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newRecordsSite(t)
			login := indexed(s.newLogin(samltest.Answer{}), "1")
			if row.login != nil {
				row.login(login)
			}
			c := s.begin(login)
			there := s.replica(2 * time.Minute)
			if got := s.statusAt(s.Manager, c); got != http.StatusOK || s.statusAt(there, c) != got {
				t.Fatalf("before: status %d here, want the page, here and there", got)
			}
			s.clock.advance(time.Minute)
			l := s.logoutOf(login)
			if row.logout != nil {
				row.logout(l)
			}
			if err := s.EndSessions(t.Context(), l); err != nil {
				t.Fatal(err)
			}
			s.clock.advance(askEvery)
			want := http.StatusOK
			if row.ends {
				want = http.StatusSeeOther
			}
			if here, there := s.statusAt(s.Manager, c), s.statusAt(there, c); here != want || there != want {
				t.Errorf("after: status %d and %d, want %d", here, there, want)
			}
			err := there.SignIn(httptest.NewRecorder(), newRequest("POST", "/"), login)
			if errors.Is(err, saml.CodeSignedOut) != row.ends || !row.ends && err != nil {
				t.Errorf("a late sign-in: got %v, want it refused: %t", err, row.ends)
			}
		})
	}
}

// naming returns a change of the NameID.
func naming(value string) func(*saml.Logout) { return func(l *saml.Logout) { l.NameID.Value = value } }

// earlier returns a change of the time of the request.
func earlier(d time.Duration) func(*saml.Logout) {
	return func(l *saml.Logout) { l.IssueInstant = l.IssueInstant.Add(-d) }
}

func numbers(n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprint(i))
	}
	return list
}

func qualify(n *saml.NameID, idp, sp string) { n.NameQualifier, n.SPNameQualifier = idp, sp }

// TestSignInAfterLogout: a session that begins after a logout lives, though the identity provider gives
// it the same SessionIndex, and whatever the clocks of the replicas say. A repeated message does not
// end it.
func TestSignInAfterLogout(t *testing.T) {
	t.Parallel()
	s := newRecordsSite(t)
	first := s.begin(indexed(s.newLogin(samltest.Answer{}), "1"))
	s.clock.advance(time.Second)
	l := s.logoutOf(indexed(s.newLogin(samltest.Answer{}), "1"))
	s.clock.advance(time.Second)
	second := s.begin(indexed(s.newLogin(samltest.Answer{}), "1")) // before the message arrives
	for range 2 {
		if err := s.replica(-2*time.Minute).EndSessions(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		for _, ahead := range []time.Duration{-2 * time.Minute, 0, 2 * time.Minute} {
			m := s.replica(ahead)
			third := httptest.NewRecorder()
			again := indexed(s.newLogin(samltest.Answer{}), "1")
			if err := m.SignIn(third, newRequest("POST", "/"), again); err != nil {
				t.Fatalf("a sign-in after it, clock %v ahead: %v", ahead, err)
			}
			s.clock.advance(askEvery)
			for want, c := range map[int]*http.Cookie{http.StatusSeeOther: first, http.StatusOK: second} {
				if got := s.statusAt(m, c); got != want {
					t.Errorf("clock %v ahead: got %d, want %d", ahead, got, want)
				}
			}
			if got := s.statusAt(m, third.Result().Cookies()[0]); got != http.StatusOK {
				t.Errorf("the session that began last, clock %v ahead: got %d", ahead, got)
			}
		}
	}
}

// TestLateAssertion: it is refused as long as it would be accepted, which is a day and the skew, and no
// account is made for it. The user reads what to do.
func TestLateAssertion(t *testing.T) {
	t.Parallel()
	asked := 0
	s := newRecordsSite(t, func(c *Config) {
		c.Lifetime = time.Hour
		c.Stamp = func(context.Context, *saml.Login) (string, error) { asked++; return "", nil }
		c.Validate = func(context.Context, *Session) error { asked++; return nil }
	})
	login := s.newLogin(samltest.Answer{})
	if err := s.EndSessions(t.Context(), s.logoutOf(login)); err != nil {
		t.Fatal(err)
	}
	for _, after := range []time.Duration{0, time.Hour, 23*time.Hour + 10*time.Minute} {
		s.clock.advance(after)
		w := httptest.NewRecorder()
		err := s.SignIn(w, newRequest("POST", "/"), login)
		var refusal *saml.Error
		if !errors.As(err, &refusal) || refusal.Code != saml.CodeSignedOut || len(w.Result().Cookies()) != 0 ||
			asked != 0 {
			t.Fatalf("got %v, cookies %v, %d questions, want CodeSignedOut", err, w.Result().Cookies(), asked)
		}
		if page := refusal.Page(); page.Status != http.StatusForbidden || page.Button != "Sign in again" ||
			page.Sentence != "You were signed out a moment ago." {
			t.Errorf("the page is %+v", page)
		}
	}
	if s.records.lifetime != 24*time.Hour+30*time.Minute {
		t.Errorf("a mark lives for %v", s.records.lifetime)
	}
	long := s.replica(0, func(c *Config) { c.Lifetime = 48 * time.Hour })
	if err := long.EndSessions(t.Context(), s.logoutOf(login)); err != nil {
		t.Fatal(err)
	}
	if s.records.lifetime != 48*time.Hour+30*time.Minute {
		t.Errorf("with long sessions, a mark lives for %v", s.records.lifetime)
	}
}

// TestRecordsFailInALogout: whichever mark cannot be written, the identity provider is not told
// Success, and the repeat ends the session.
func TestRecordsFailInALogout(t *testing.T) {
	t.Parallel()
	for step := 1; step <= 5; step++ {
		s := newRecordsSite(t)
		login := s.newLogin(samltest.Answer{})
		c := s.begin(login)
		s.records.failAt = step
		var refusal *saml.Error
		err := s.EndSessions(t.Context(), s.logoutOf(login))
		if !errors.As(err, &refusal) || refusal.Code != saml.CodeStore || !errors.Is(err, errBroken) ||
			strings.Contains(refusal.Error(), alice) {
			t.Errorf("mark %d fails: got %v, want CodeStore", step, err)
		}
		before := len(s.records.raised)
		if err := s.EndSessions(t.Context(), s.logoutOf(login)); err != nil || len(s.records.raised) != before+5 {
			t.Errorf("the repeat: got %v, marks %q", err, s.records.raised[before:])
		}
		s.wantOut("after the repeat", c)
	}
}

// TestTenantFullOfMarks: a tenant whose identity provider signs any number of LogoutRequests uses up
// its own part of MemoryRecords. A logout of another tenant ends its session all the same, and so
// nobody is answered with Responder because of others.
func TestTenantFullOfMarks(t *testing.T) {
	t.Parallel()
	s := newRecordsSite(t)
	s.records.marks = expiry.New[int64](s.clock.Now(), storekey.Room{Size: 20_000}) // less, for speed
	flood := s.logoutOf(indexed(s.newLogin(samltest.Answer{}), numbers(64)...))
	flood.Tenant = "A"
	var err error
	for i := 0; err == nil && i < 10_000; i++ {
		flood.NameID.Value = fmt.Sprint(i, "@example.com")
		err = s.EndSessions(t.Context(), flood)
	}
	if !errors.Is(err, saml.CodeStore) || !strings.Contains(err.Error(), "no room") {
		t.Fatalf("the first tenant: got %v, want full Records", err)
	}
	s.sp = s.newProvider(s.idp, func(c *saml.Config) { c.Tenant = "B" })
	login := s.newLogin(samltest.Answer{})
	c := s.begin(login)
	if err := s.EndSessions(t.Context(), s.logoutOf(login)); err != nil {
		t.Errorf("another tenant: got %v", err)
	}
	s.clock.advance(askEvery)
	s.wantOut("a session of another tenant", c)
}

// TestCallsOfALogout: a database that is far away answers in time whatever a LogoutRequest names. The
// test prints the figures.
func TestCallsOfALogout(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		change         func(*saml.Logout)
		raises, marks  int
		lookups        int
		claimedIndexes int
	}{
		"one index":               {func(l *saml.Logout) { l.SessionIndexes = numbers(1) }, 1, 5, 0, 0},
		"64 indexes":              {func(*saml.Logout) {}, 1, 194, 0, 0},
		"64 indexes, qualifiers":  {func(l *saml.Logout) { qualify(&l.NameID, "q", "s") }, 1, 584, 0, 0},
		"unsigned, none claimed":  {unsigned, 0, 0, 1, 0},
		"unsigned, one claimed":   {unsigned, 1, 1, 13, 1},
		"unsigned, 64 of them":    {unsigned, 1, 64, 127, 64},
		"unsigned, and one index": {changed(unsigned, func(l *saml.Logout) { l.SessionIndexes = numbers(1) }), 1, 1, 1, 1},
	} {
		s := newRecordsSite(t, func(c *Config) { c.AllowUnsignedLogout = true })
		if login := indexed(s.newLogin(samltest.Answer{}), numbers(row.claimedIndexes)...); row.claimedIndexes > 0 {
			if s.begin(login); s.records.raises != 1 {
				t.Errorf("%s: the sign-in makes %d calls of Raise, want one", name, s.records.raises)
			}
		}
		s.records.raises, s.records.lookups, s.records.raised = 0, 0, nil
		l := s.logoutOf(indexed(s.newLogin(samltest.Answer{}), numbers(64)...))
		row.change(l)
		err := s.EndSessions(t.Context(), l)
		t.Logf("%-24s %3d marks, %d calls of Raise, %3d of Highest", name, len(s.records.raised), s.records.raises,
			s.records.lookups)
		if err != nil || s.records.raises != row.raises || len(s.records.raised) != row.marks ||
			s.records.lookups != row.lookups {
			t.Errorf("%s: got %v, want %d marks, %d calls of Raise and %d of Highest", name, err, row.marks, row.raises,
				row.lookups)
		}
	}
}

func unsigned(l *saml.Logout) { l.Unsigned = true }

func changed(changes ...func(*saml.Logout)) func(*saml.Logout) {
	return func(l *saml.Logout) {
		for _, change := range changes {
			change(l)
		}
	}
}

// TestRecordsFailWhenAsked: no session begins without an answer, and one that has begun goes on for
// five minutes, as while Store fails.
func TestRecordsFailWhenAsked(t *testing.T) {
	t.Parallel()
	s := newRecordsSite(t)
	login := s.newLogin(samltest.Answer{})
	c := s.begin(login)
	s.wantIn("before", c)
	s.records.fail(errBroken)
	w := httptest.NewRecorder()
	if err := s.SignIn(w, newRequest("POST", "/"), login); !errors.Is(err, saml.CodeStore) || !errors.Is(err, errBroken) ||
		len(w.Result().Cookies()) != 0 {
		t.Errorf("a sign-in: got %v, cookies %v, want CodeStore", err, w.Result().Cookies())
	}
	s.clock.advance(5 * time.Minute)
	s.wantIn("five minutes after the last answer", c)
	s.clock.advance(time.Second)
	s.wantUnknown("a second later", c)
	s.records.fail(nil)
	if err := s.EndSessions(t.Context(), s.logoutOf(login)); err != nil {
		t.Fatal(err)
	}
	s.clock.advance(askEvery)
	s.wantOut("when Records says that it has ended", c)
	s.records.fail(errBroken)
	s.clock.advance(time.Hour)
	s.wantOut("while Records fails again", c)
}

// TestEndedByLogout: the application is not asked about a session that the identity provider has ended,
// nor is one that Store knows to be ended looked up.
func TestEndedByLogout(t *testing.T) {
	t.Parallel()
	asked := 0
	s := newRecordsSite(t, func(c *Config) {
		c.Validate = func(context.Context, *Session) error { asked++; return nil }
	})
	login := s.newLogin(samltest.Answer{})
	c, other := s.begin(login), s.begin(s.newLogin(samltest.Answer{}))
	if err := s.EndSessions(t.Context(), s.logoutOf(login)); err != nil {
		t.Fatal(err)
	}
	if asked != 2 {
		t.Errorf("two sign-ins ask %d times", asked)
	}
	s.wantOut("ended at the identity provider", c)
	if _, _, err := s.endBy(s.replica(0), other); err != nil {
		t.Fatal(err)
	}
	asked, s.records.lookups = 0, 0
	s.wantOut("ended here", other)
	if asked != 0 || s.records.lookups != 0 {
		t.Errorf("asked %d times, and Records %d times, about ended sessions", asked, s.records.lookups)
	}
}

// TestLogoutWhileKeysChange: a browser may have a session of each key. If the latest ends, an earlier
// one is not shown in its place.
func TestLogoutWhileKeysChange(t *testing.T) {
	t.Parallel()
	s := newRecordsSite(t)
	next := s.replica(0, func(c *Config) { c.Keys = [][]byte{saml.NewStateKey(), testKey} })
	old, latest := &browser{t: t}, &browser{t: t}
	old.signIn(s.Manager, indexed(s.newLogin(samltest.Answer{}), "old"))
	s.clock.advance(time.Second)
	login := indexed(s.newLogin(samltest.Answer{}), "latest")
	latest.signIn(next, login)
	if err := s.EndSessions(t.Context(), s.logoutOf(login)); err != nil {
		t.Fatal(err)
	}
	page := s.handlerOf(next).Require(greeting)
	both := slices.Concat(old.cookies, latest.cookies)
	if w := answerOf(page, newRequest("GET", "/jobs", both...)); w.Code != http.StatusSeeOther {
		t.Errorf("the earlier session is back: status %d", w.Code)
	}
	if w := answerOf(page, newRequest("GET", "/jobs", old.cookies...)); w.Code != http.StatusOK {
		t.Errorf("a session that was not named, in a browser of its own: status %d", w.Code)
	}
}

// TestSessionOfAnEarlierRelease: its user signs in again, and nobody is warned.
func TestSessionOfAnEarlierRelease(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := newSite(t, func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	found, ok := s.Manager.open(newRequest("GET", "/", s.signIn(samltest.Answer{})))
	if !ok {
		t.Fatal("there is no session")
	}
	for version := range byte(version) {
		plaintext := found.plaintext()
		plaintext[0] = version
		c := &http.Cookie{Name: found.cookie, Value: "." + s.sealer.Seal(s.context(found.cookie, ""), plaintext)}
		s.wantOut(fmt.Sprintf("version %d", version), c)
	}
	if log.Len() != 0 {
		t.Errorf("the log has %s", &log)
	}
}

// TestShorterLifetime: marks are kept for as long as sessions last today, so no session of an earlier
// configuration lasts longer.
func TestShorterLifetime(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) { c.Lifetime, c.Idle = 72*time.Hour, 72*time.Hour })
	c := s.signIn(samltest.Answer{})
	m := s.newManager(func(c *Config) { c.Lifetime, c.Idle = time.Hour, 72*time.Hour })
	shorter := s.handlerOf(m).Require(greeting)
	s.clock.advance(time.Hour - time.Millisecond)
	if w := answerOf(shorter, newRequest("GET", "/jobs", c)); w.Code != http.StatusOK {
		t.Errorf("just before the shorter lifetime: status %d", w.Code)
	}
	s.clock.advance(time.Millisecond)
	if w := answerOf(shorter, newRequest("GET", "/jobs", c)); w.Code != http.StatusSeeOther {
		t.Errorf("after the shorter lifetime: status %d", w.Code)
	}
	s.wantIn("with the longer one", c)
}

// TestHighestOfManyKeys: Records is asked for at most 64 keys at once, and the latest of all marks
// counts, whichever question found it.
func TestHighestOfManyKeys(t *testing.T) {
	t.Parallel()
	for first, last := range map[int]int{0: 69, 69: 0} {
		s := newRecordsSite(t)
		keys := make([]string, 70)
		for i := range keys {
			keys[i] = fmt.Sprint("v1/out/", i)
		}
		latest := s.clock.Now().Truncate(time.Second)
		for key, mark := range map[int]time.Time{first: latest, last: latest.Add(-time.Hour)} {
			if err := s.records.Raise(t.Context(), keys[key:key+1], mark, time.Hour); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := s.highest(t.Context(), keys); err != nil || !got.Equal(latest) {
			t.Errorf("the latest mark is at %d: got %v, %v, want %v", first, got, err, latest)
		}
	}
}

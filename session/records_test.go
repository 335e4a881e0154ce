package session

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/internal/seal"
	"github.com/iomete/saml/samltest"
)

// watchedRecords is a MemoryRecords that a test can break, count and change.
type watchedRecords struct {
	MemoryRecords
	mu        sync.Mutex
	err       error
	puts      []string // keys
	gets      int
	raises    int      // calls
	raised    []string // keys
	lookups   int
	failAt    int             // the number of the raised key that fails, from 1; 0 for none
	lifetime  time.Duration   // of the last Put
	last      context.Context // of the last call
	isPastEnd bool            // the context of a call had ended
}

func (r *watchedRecords) note(ctx context.Context) error {
	r.last = ctx
	r.isPastEnd = r.isPastEnd || ctx.Err() != nil
	return r.err
}

func (r *watchedRecords) Put(ctx context.Context, key string, value []byte, lifetime time.Duration) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.puts = append(r.puts, key)
	r.lifetime = lifetime
	return cmp.Or(r.note(ctx), r.MemoryRecords.Put(ctx, key, value, lifetime))
}

func (r *watchedRecords) Get(ctx context.Context, key string) ([]byte, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gets++
	if err := r.note(ctx); err != nil {
		return nil, false, err
	}
	return r.MemoryRecords.Get(ctx, key)
}

func (r *watchedRecords) Delete(ctx context.Context, key string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.note(ctx); err != nil {
		return err
	}
	return r.MemoryRecords.Delete(ctx, key)
}

// Raise fails in the middle of its keys if failAt says so: those in front are raised.
func (r *watchedRecords) Raise(ctx context.Context, keys []string, mark time.Time, lifetime time.Duration) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.raises++
	if good := r.failAt - 1 - len(r.raised); good >= 0 && good < len(keys) {
		r.raised = append(r.raised, keys[:good+1]...)
		return cmp.Or(r.MemoryRecords.Raise(ctx, keys[:good], mark, lifetime), errBroken)
	}
	r.raised = append(r.raised, keys...)
	r.lifetime = lifetime
	return cmp.Or(r.note(ctx), r.MemoryRecords.Raise(ctx, keys, mark, lifetime))
}

func (r *watchedRecords) Highest(ctx context.Context, keys ...string) (time.Time, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lookups++
	if err := r.note(ctx); err != nil {
		return time.Time{}, err
	}
	if len(keys) > 64 {
		return time.Time{}, fmt.Errorf("%d keys, and Records promises 64", len(keys))
	}
	return r.MemoryRecords.Highest(ctx, keys...)
}

func (r *watchedRecords) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
}

// value returns what is saved under a key now.
func (r *watchedRecords) value(t *testing.T, key string) []byte {
	t.Helper()
	value, found, err := r.MemoryRecords.Get(t.Context(), key)
	if err != nil || !found {
		t.Fatalf("there is no record %q: %v", key, err)
	}
	return value
}

// A recordsSite is a site with Records whose log is read.
type recordsSite struct {
	*site
	records *watchedRecords
	log     *bytes.Buffer
}

func newRecordsSite(t *testing.T, changes ...func(*Config)) *recordsSite {
	t.Helper()
	s := &recordsSite{records: &watchedRecords{}, log: &bytes.Buffer{}}
	s.site = newSite(t, append([]func(*Config){func(c *Config) {
		s.records.Now = c.Now
		c.Records = s.records
		c.Logger = slog.New(slog.NewTextHandler(s.log, nil))
	}}, changes...)...)
	return s
}

// signInLarge returns the cookie of a new session of a user in 150 groups, and the key of its record.
func (s *recordsSite) signInLarge() (c *http.Cookie, key string) {
	s.Helper()
	before := len(s.records.puts)
	c = s.signIn(samltest.Answer{User: largeUser})
	if len(s.records.puts) != before+1 {
		s.Fatalf("a sign-in makes the records %q, want one more than %d", s.records.puts, before)
	}
	return c, s.records.puts[before]
}

var largeUser = func() samltest.User {
	u := samltest.DefaultUsers()[0]
	u.Mail, u.Groups = alice, randomGroups(150)
	return u
}()

// wantLog expects the number of lines with a text.
func (s *recordsSite) wantLog(when, text string, want int) {
	s.Helper()
	if got := strings.Count(s.log.String(), text); got != want {
		s.Errorf("%s: %d lines of the log have %q, want %d:\n%s", when, got, text, want, s.log)
	}
}

// groupsOf returns the groups that the page gets for a cookie, or nil if it does not get a session.
func (s *recordsSite) groupsOf(c *http.Cookie) (groups []string) {
	s.Helper()
	page := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if session := FromContext(r.Context()); !session.GroupsTruncated {
			groups = session.Identity.Groups
		}
	})
	answerOf(s.handlerOf(s.Manager).Require(page), newRequest("GET", "/jobs", c))
	return groups
}

// TestLargeSession: what the page gets is complete, and what lies on the server tells nobody
// anything.
func TestLargeSession(t *testing.T) {
	t.Parallel()
	s := newRecordsSite(t, func(c *Config) {
		c.Stamp = func(context.Context, *saml.Login) (string, error) { return "stamp 7", nil }
	})
	login := s.newLogin(samltest.Answer{User: largeUser})
	w := httptest.NewRecorder()
	if err := s.SignIn(w, newRequest("POST", "/"), login); err != nil {
		t.Fatal(err)
	}
	c := w.Result().Cookies()[0]
	var got *Session
	page := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = FromContext(r.Context()) })
	answerOf(s.login.Require(page), newRequest("GET", "/", c))
	now := s.clock.Now()
	if got == nil || !reflect.DeepEqual(got.Identity.Groups, largeUser.Groups) ||
		fieldsOf(t, got.Identity) != fieldsOf(t, login.Identity) ||
		got.GroupsTruncated || got.RolesTruncated || got.TextsTruncated ||
		got.Stamp != "stamp 7" || got.IdentityProvider != s.idp.EntityID() ||
		len(got.SessionIndexes) != 1 || got.SessionIndexes[0] != login.Assertion.Statements[0].SessionIndex ||
		len(got.ID) != 36 ||
		!got.StartedAt.Equal(now) || !got.SeenAt.Equal(now) || !got.ExpiresAt.Equal(now.Add(12*time.Hour)) {
		t.Fatalf("got %+v\nwant all of %+v", got, login.Identity)
	}
	if len(s.records.puts) != 1 || s.records.lifetime != 12*time.Hour+10*time.Minute {
		t.Errorf("there are the records %q, the last for %v", s.records.puts, s.records.lifetime)
	}
	key := s.records.puts[0]
	value := s.records.value(t, key)
	for _, secret := range []string{alice, largeUser.Groups[0], got.ID, c.Value} {
		if strings.Contains(key+string(value), secret) {
			t.Errorf("the record shows %q", secret)
		}
	}
	if !strings.HasPrefix(key, "v1/rec/") || len(key) > 64 {
		t.Errorf("the record has the key %q", key)
	}
}

// TestSmallSessionHasNoRecord: a session that fits into the cookie is in no record, and outlives a short
// failure of Records.
func TestSmallSessionHasNoRecord(t *testing.T) {
	t.Parallel()
	s := newRecordsSite(t)
	c := s.signIn(samltest.Answer{})
	s.wantIn("at once", c)
	s.clock.advance(time.Hour)
	c = s.wantIn("later", c).Result().Cookies()[0]
	s.records.fail(errBroken)
	s.clock.advance(5 * time.Minute)
	s.wantIn("renewed, while Records fails", c)
	if len(s.records.puts) != 0 || s.records.gets != 0 {
		t.Errorf("the records were used: %q, %d times", s.records.puts, s.records.gets)
	}
}

// headerBytes returns the length of all header fields of a response, as a proxy counts them.
func headerBytes(w *httptest.ResponseRecorder) int {
	var b bytes.Buffer
	w.Result().Header.Write(&b) // to a Buffer it never fails
	return b.Len()
}

// TestHeaderBudget: whatever the groups are, a response has at most 1 KiB for the cookie, and so has
// a request. Handler needs the rest of 2.5 KiB and 3 KiB.
func TestHeaderBudget(t *testing.T) {
	t.Parallel()
	names := func(n int) []string {
		list := make([]string, n)
		for i := range list {
			list[i] = fmt.Sprintf("SG-Analytics-Europe-Finance-Readers-%05d", i)
		}
		return list
	}
	t.Logf("%-8s %-6s %-8s %9s %9s %9s %9s", "groups", "kind", "records", "kept", "sign-in", "renewal", "request")
	for _, n := range []int{0, 1, 10, 20, 50, 150, 1_000, 10_000} {
		for kind, groups := range map[string][]string{"GUIDs": randomGroups(n), "names": names(n)} {
			for _, change := range []func(*Config){
				func(*Config) {},
				func(c *Config) { c.Records = nil },
				func(c *Config) { c.Cookie = strings.Repeat("n", 64) },
				func(c *Config) { c.Records, c.Lifetime, c.Cookie = nil, 9999*time.Hour, strings.Repeat("n", 64) },
			} {
				s := newRecordsSite(t, change)
				s.sp = s.newProvider(s.idp, func(c *saml.Config) { c.Tenant = "7c9e6679-7425-40de-944b-e07fc1f90ae7" })
				login := s.newLogin(samltest.Answer{User: entraUser(nil)})
				login.Identity.Groups = groups
				w := httptest.NewRecorder()
				if err := s.SignIn(w, newRequest("POST", "/"), login); err != nil {
					t.Fatal(err)
				}
				signIn, c := headerBytes(w), w.Result().Cookies()[0]
				s.clock.advance(time.Hour)
				renewed := answerOf(s.page, newRequest("GET", "/jobs", c))
				renewal, request := headerBytes(renewed), len("Cookie: =\r\n"+c.Name+c.Value)
				if len(renewed.Result().Cookies()) != 1 {
					t.Fatalf("after an hour the session is not renewed: status %d, %v", renewed.Code, renewed.Header())
				}
				const other = len("Cache-Control: private\r\nContent-Type: text/plain; charset=utf-8\r\n")
				if signIn > 1024 || renewal > 1024+other || request > 1024 {
					t.Errorf("%d %s: %d bytes at the sign-in, %d at the renewal, %d in a request, want at most 1024",
						n, kind, signIn, renewal, request)
				}
				got, _ := s.Manager.open(newRequest("GET", "/", c))
				if err := s.check(t.Context(), got); err != nil {
					t.Fatal(err)
				}
				kept := got.Identity.Groups
				if s.config.Records != nil && (got.GroupsTruncated || !slices.Equal(kept, groups)) ||
					got.GroupsTruncated != (len(kept) < n) {
					t.Errorf("%d %s: %d are kept, truncated %t", n, kind, len(kept), got.GroupsTruncated)
				}
				if len(s.cookies[0]) < 64 {
					t.Logf("%-8d %-6s %-8t %9d %9d %9d %9d", n, kind, s.config.Records != nil, len(kept),
						signIn, renewal, request)
				}
			}
		}
	}
}

// TestWithoutRecords: with the settings that everybody begins with, a user in 150 groups is signed
// in, the flag says that groups are missing, and one line of the log says what to set.
func TestWithoutRecords(t *testing.T) {
	t.Parallel()
	s := newRecordsSite(t, func(c *Config) { c.Records = nil })
	s.wantIn("a user in few groups", s.signIn(samltest.Answer{}))
	s.wantLog("a user in few groups", "session.Config.Records", 0)
	long := s.newLogin(samltest.Answer{})
	long.Identity, long.Assertion.Statements = &saml.Identity{Email: alice}, nil
	long.Tenant = strings.Repeat("t", 1000)
	if err := s.SignIn(httptest.NewRecorder(), newRequest("POST", "/"), long); err != nil {
		t.Fatal(err)
	}
	s.wantLog("a user of whom nothing was cut, at a long tenant", "session.Config.Records", 0)
	for range 3 {
		c := s.signIn(samltest.Answer{User: largeUser})
		s.wantIn("a user in 150 groups", c)
		got, ok := s.Manager.open(newRequest("GET", "/", c))
		if !ok || !got.GroupsTruncated || got.TextsTruncated || got.RolesTruncated {
			t.Errorf("got %+v, want GroupsTruncated alone", got)
		}
	}
	s.wantLog("three users in 150 groups", "set session.Config.Records", 1)
	if line := s.log.String(); !strings.Contains(line, "level=WARN") || !strings.Contains(line, "groups=150") ||
		strings.Contains(line, alice) {
		t.Errorf("the log has %q", line)
	}
}

// TestRecordsFail: nobody is sent to sign in, and no page is shown, until the answer is known.
func TestRecordsFail(t *testing.T) {
	t.Parallel()
	s := newRecordsSite(t)
	c, _ := s.signInLarge()
	s.records.fail(errBroken)
	s.wantUnknown("just after the sign-in", c)
	s.wantUnknown("a second time", c)
	s.wantLog("within ten seconds", "cannot be read", 1)
	if !s.SignedIn(newRequest("GET", "/", c)) {
		t.Error("SignedIn says no while Records fails, so the user would be sent to the identity provider")
	}
	s.clock.advance(time.Hour)
	s.wantUnknown("an hour later, when the cookie would be renewed", c)
	if w := answerOf(s.login.Load(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a public page is shown as if nobody were signed in")
	})), newRequest("GET", "/", c)); w.Code != http.StatusServiceUnavailable {
		t.Errorf("a public page: got status %d", w.Code)
	}
	s.wantLog("after ten seconds", "cannot be read", 2)

	w := httptest.NewRecorder()
	err := s.SignIn(w, newRequest("POST", "/", c), s.newLogin(samltest.Answer{User: largeUser}))
	var refusal *saml.Error
	if !errors.As(err, &refusal) || refusal.Code != saml.CodeStore || !errors.Is(err, errBroken) ||
		!strings.Contains(refusal.Message, "Config.Records") || refusal.Hint == "" ||
		refusal.Page().Status != http.StatusServiceUnavailable || len(w.Result().Cookies()) != 0 {
		t.Errorf("a sign-in: got %v and cookies %v, want CodeStore", err, w.Result().Cookies())
	}

	s.records.fail(nil)
	s.wantIn("when Records works again", c)
	if got := s.groupsOf(c); !slices.Equal(got, largeUser.Groups) {
		t.Errorf("got %d groups, want 150", len(got))
	}
}

// TestRecordsThatHang: a call ends in time, and not with the browser that happened to ask.
func TestRecordsThatHang(t *testing.T) {
	t.Parallel()
	s := newRecordsSite(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := newRequest("POST", "/").WithContext(ctx)
	login := s.newLogin(samltest.Answer{User: largeUser})
	begin := time.Now()
	check := func(call string) {
		t.Helper()
		end, ok := s.records.last.Deadline()
		if !ok || end.After(begin.Add(askTimeout+time.Minute)) || s.records.isPastEnd {
			t.Errorf("%s: its context ends at %v (%t), ended at the call %t, want an end within seconds",
				call, end, ok, s.records.isPastEnd)
		}
		s.records.last = nil
	}
	w := httptest.NewRecorder()
	if err := s.SignIn(w, r, login); err != nil {
		t.Fatal(err)
	}
	check("Put")
	c := w.Result().Cookies()[0]
	answerOf(s.page, newRequest("GET", "/jobs", c).WithContext(ctx))
	check("Get")
	if err := s.SignOut(httptest.NewRecorder(), newRequest("POST", "/", c).WithContext(ctx)); err != nil {
		t.Fatal(err)
	}
	check("Delete")
}

// TestForeignRecords: somebody who can write to the table puts something else in the place of a
// record. No session comes of it, and an operator reads why.
func TestForeignRecords(t *testing.T) {
	t.Parallel()
	s := newRecordsSite(t)
	s.sp = s.newProvider(s.idp, func(c *saml.Config) { c.Tenant = "own" })
	// in returns the cookie and the record of another session, which has the same keys and the same
	// table.
	in := func(change func(*saml.Config), login samltest.Answer) (*http.Cookie, []byte) {
		sp := s.sp
		defer func() { s.sp = sp }()
		s.sp = s.newProvider(s.idp, func(c *saml.Config) {
			c.Tenant = "own"
			change(c)
		})
		login.User = largeUser
		c := s.signIn(login)
		return c, s.records.value(t, s.records.puts[len(s.records.puts)-1])
	}
	_, sameUser := in(func(*saml.Config) {}, samltest.Answer{})
	tenantCookie, otherTenant := in(func(c *saml.Config) { c.Tenant = "other" }, samltest.Answer{})
	_, otherService := in(func(c *saml.Config) { c.EntityID = "https://other.example.com" },
		samltest.Answer{Audience: "https://other.example.com"})
	_, sealed, _ := strings.Cut(tenantCookie.Value, ".")
	cookieOfOther, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil {
		t.Fatal(err)
	}
	c, key := s.signInLarge()
	own := s.records.value(t, key)
	s.wantIn("as it was saved", c)
	pointer, _ := s.Manager.open(newRequest("GET", "/", c))
	var whole []byte
	// resealed is what the library itself would have saved for another session at this place.
	resealed := func(change func(*Session)) []byte {
		complete := *pointer
		if err := s.check(t.Context(), &complete); err != nil {
			t.Fatal(err)
		}
		change(&complete)
		whole = encode(&complete)
		return s.sealer.SealBytes(recordContext(pointer), whole)
	}
	resealed(func(*Session) {})
	valid := whole
	same := s.sealer.SealBytes(seal.Context{
		Purpose:  "saml session record",
		Name:     key,
		Tenant:   "own",
		EntityID: string(pointer.service[:]),
	}, valid)
	sealedFor := func(change func(*seal.Context)) []byte {
		c := recordContext(pointer)
		change(&c)
		return s.sealer.SealBytes(c, valid)
	}
	if err := s.records.MemoryRecords.Put(t.Context(), key, same, time.Hour); err != nil {
		t.Fatal(err)
	}
	s.wantIn("sealed anew without a change", c)
	stranger := s.newManager(func(c *Config) { c.Keys = [][]byte{saml.NewStateKey()} })
	values := map[string][]byte{
		"empty":                            {},
		"cut":                              own[:len(own)-1],
		"longer":                           append(bytes.Clone(own), 0),
		"text":                             []byte("text"),
		"another session of the same user": sameUser,
		"a session of another tenant":      otherTenant,
		"a session of another service":     otherService,
		"a cookie":                         cookieOfOther,
		"the plaintext":                    encode(&Session{ID: pointer.ID, Identity: &saml.Identity{Email: alice}}),
		"resealed with another ID":         resealed(func(s *Session) { s.ID = newID() }),
		"resealed with another service":    resealed(func(s *Session) { s.service[0] ^= 1 }),
		"resealed with another identity provider": resealed(func(s *Session) { s.IdentityProvider = "https://x.example" }),
		"resealed with another end":               resealed(func(s *Session) { s.ExpiresAt = s.ExpiresAt.Add(time.Second) }),
		"a cookie's plaintext, resealed":          s.sealer.SealBytes(recordContext(pointer), encodePointer(pointer)),
		"sealed for another purpose":              sealedFor(func(c *seal.Context) { c.Purpose = purpose }),
		"sealed for another place":                sealedFor(func(c *seal.Context) { c.Name = "v1/rec/other" }),
		"sealed for another tenant":               sealedFor(func(c *seal.Context) { c.Tenant = "other" }),
		"sealed for another service":              sealedFor(func(c *seal.Context) { c.EntityID = "other" }),
		"sealed with another key":                 stranger.sealer.SealBytes(recordContext(pointer), valid),
	}
	for i := range own {
		if i < 64 || i > len(own)-32 || i%97 == 0 {
			changed := bytes.Clone(own)
			changed[i] ^= 1
			values[fmt.Sprintf("byte %d changed", i)] = changed
		}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if err := s.records.MemoryRecords.Put(t.Context(), key, values[name], time.Hour); err != nil {
			t.Fatal(err)
		}
		s.clock.advance(askEvery)
		before := strings.Count(s.log.String(), "cannot be opened")
		s.wantOut(name, c)
		if s.SignedIn(newRequest("GET", "/", c)) {
			t.Errorf("%s: SignedIn says yes", name)
		}
		s.wantLog(name, "cannot be opened", before+1)
	}
	if err := s.records.MemoryRecords.Put(t.Context(), key, own, time.Hour); err != nil {
		t.Fatal(err)
	}
	s.wantIn("as it was saved, again", c)
}

// TestTableIsNoWayIn: somebody who reads the table, and has a cookie of their own, gets no other
// session with it.
func TestTableIsNoWayIn(t *testing.T) {
	t.Parallel()
	s := newRecordsSite(t)
	victim, key := s.signInLarge()
	value := s.records.value(t, key)
	text := base64.RawURLEncoding.EncodeToString
	for name, cookie := range map[string]string{
		"the value":         text(value),
		"the value, dotted": "." + text(value),
		"the key":           "." + key,
		"the key's hash":    "." + strings.TrimPrefix(key, "v1/rec/"),
	} {
		s.wantOut(name, &http.Cookie{Name: victim.Name, Value: cookie})
	}

	attacker, own := s.signInLarge()
	if err := s.records.MemoryRecords.Put(t.Context(), own, value, time.Hour); err != nil {
		t.Fatal(err)
	}
	s.wantOut("the attacker's cookie with the victim's value", attacker)
	s.wantIn("the victim", victim)

	// A cookie that names the same record for another session, as only the keys can make.
	pointer, _ := s.Manager.open(newRequest("GET", "/", victim))
	for name, change := range map[string]func(*Session){
		"another session":    func(s *Session) { s.ID = newID() },
		"another tenant":     func(s *Session) { s.Tenant = "other" },
		"another service":    func(s *Session) { s.service[0] ^= 1 },
		"another record":     func(s *Session) { s.record = strings.Repeat("r", recordSize) },
		"not another record": nil,
	} {
		forged := *pointer
		if change != nil {
			change(&forged)
		}
		if same := recordKey(&forged) == key; same != (change == nil) {
			t.Errorf("%s: it finds the record %t", name, same)
		}
	}
}

// TestNewRecordAtEachSignIn: each sign-in has a record of its own, which goes with its session.
func TestNewRecordAtEachSignIn(t *testing.T) {
	t.Parallel()
	s := newRecordsSite(t)
	first, firstKey := s.signInLarge()
	w := httptest.NewRecorder()
	if err := s.SignIn(w, newRequest("POST", "/", first), s.newLogin(samltest.Answer{User: largeUser})); err != nil {
		t.Fatal(err)
	}
	second, secondKey := w.Result().Cookies()[0], s.records.puts[1]
	one, _ := s.Manager.open(newRequest("GET", "/", first))
	two, _ := s.Manager.open(newRequest("GET", "/", second))
	if firstKey == secondKey || one.record == two.record || len(one.record) != 32 || len(two.record) != 32 {
		t.Errorf("two sign-ins have the records %q and %q with the IDs %x and %x", firstKey, secondKey,
			one.record, two.record)
	}
	if _, found, _ := s.records.MemoryRecords.Get(t.Context(), firstKey); found {
		t.Error("the record of the earlier session is still there")
	}
	s.wantOut("the earlier session", first)
	s.wantIn("the new session", second)

	other := s.newManager(func(c *Config) { c.Records, c.Logger = s.records, s.config.Logger }) // a replica that never asked
	if err := s.SignOut(httptest.NewRecorder(), newRequest("POST", "/", second)); err != nil {
		t.Fatal(err)
	}
	if len(s.records.byKey) != 0 || s.records.bytes.Used() != 0 {
		t.Errorf("after the sign-out there are %d records of %d bytes", len(s.records.byKey), s.records.bytes.Used())
	}
	s.wantOut("a copy of the cookie", second)
	if other.SignedIn(newRequest("GET", "/", second)) {
		t.Error("a copy of the cookie is taken by another replica")
	}
	s.wantLog("after all that", "WARN", 0)
}

// TestSignOutWhileRecordsFail: the session is over all the same.
func TestSignOutWhileRecordsFail(t *testing.T) {
	t.Parallel()
	s := newRecordsSite(t)
	other := s.newManager(func(c *Config) { c.Records, c.Logger = s.records, quiet })
	c, key := s.signInLarge()
	s.records.fail(errBroken)
	if err := s.SignOut(httptest.NewRecorder(), newRequest("POST", "/", c)); err != nil {
		t.Errorf("got %v, want the sign-out done", err)
	}
	s.wantLog("the sign-out", "could not be deleted", 1)
	s.records.fail(nil)
	s.records.value(t, key) // it is still there
	s.wantOut("a copy of the cookie", c)
	if other.SignedIn(newRequest("GET", "/", c)) {
		t.Error("a copy of the cookie is taken by another replica")
	}
}

// TestLostRecord: the record is gone without a sign-out, for example because each replica has records
// of its own. The user signs in again, and the log says why, once for each session and ten seconds.
func TestLostRecord(t *testing.T) {
	t.Parallel()
	s := newRecordsSite(t)
	c, key := s.signInLarge()
	if err := s.records.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	s.wantOut("a session without its record", c)
	s.wantOut("a second time", c)
	s.wantLog("within ten seconds", "do not share session.Config.Records", 1)
	s.clock.advance(askEvery)
	s.wantOut("a third time", c)
	s.wantLog("after ten seconds", "do not share session.Config.Records", 2)

	c, _ = s.signInLarge()
	s.Manager = s.newManager(func(c *Config) { c.Logger = s.config.Logger })
	s.page = s.handlerOf(s.Manager).Require(greeting)
	s.wantOut("in a process without Records", c)
	s.wantLog("in a process without Records", "session.Config.Records is not set in this process", 1)
}

// TestRecordsAtTheEnd: idle time and lifetime hold as for small sessions, renewals do not touch the
// record, and it lasts for as long as the session can.
func TestRecordsAtTheEnd(t *testing.T) {
	t.Parallel()
	s := newRecordsSite(t)
	c, key := s.signInLarge()
	for hour := 1; hour < 12; hour++ {
		s.clock.advance(time.Hour)
		cookies := s.wantIn(fmt.Sprintf("after %d hours with a request each", hour), c).Result().Cookies()
		if len(cookies) != 1 || cookies[0].MaxAge != (12-hour)*60*60 {
			t.Fatalf("after %d hours: got cookies %v", hour, cookies)
		}
		c = cookies[0]
		if again := s.wantIn("at once again", c).Result().Cookies(); len(again) != 0 {
			t.Fatalf("the session is renewed once more at once: %v", again)
		}
	}
	s.clock.advance(time.Hour - time.Millisecond)
	s.wantIn("just before twelve hours", c)
	if got := s.groupsOf(c); !slices.Equal(got, largeUser.Groups) {
		t.Errorf("just before twelve hours: got %d groups, want 150", len(got))
	}
	s.clock.advance(time.Millisecond)
	s.wantOut("after twelve hours", c)
	if len(s.records.puts) != 1 {
		t.Errorf("renewals wrote to the records: %q", s.records.puts)
	}
	s.clock.advance(10*time.Minute - time.Millisecond)
	s.records.value(t, key)
	s.clock.advance(time.Millisecond)
	s.signInLarge()
	if len(s.records.byKey) != 1 {
		t.Errorf("%d records are left, want that of the new session alone", len(s.records.byKey))
	}

	c, _ = s.signInLarge()
	s.clock.advance(2 * time.Hour)
	s.wantOut("after two hours without a request", c)
}

// TestRecordsKeyRollOver: a new key in front changes the cookie at its renewal. The record stays
// readable for as long as the old key is there.
func TestRecordsKeyRollOver(t *testing.T) {
	t.Parallel()
	s := newRecordsSite(t)
	c, _ := s.signInLarge()
	newKey := saml.NewStateKey()
	with := func(keys ...[]byte) {
		s.Manager = s.newManager(func(c *Config) { c.Keys, c.Records, c.Logger = keys, s.records, s.config.Logger })
		s.page = s.handlerOf(s.Manager).Require(greeting)
	}
	with(newKey, testKey)
	s.clock.advance(time.Hour)
	renewed := s.wantIn("the old cookie, the new key first", c).Result().Cookies()[0]
	s.wantIn("the renewed cookie", renewed)
	after, _ := s.signInLarge()
	with(testKey, newKey)
	s.wantIn("the renewed cookie where the new key is second", renewed)
	s.wantIn("the new session where the new key is second", after)
	with(newKey)
	s.wantIn("the new session, the new key alone", after)
	s.wantOut("the renewed cookie, the new key alone", renewed)
	s.wantLog("the record of an old key", "its key is no longer in session.Config.Keys", 1)
}

// TestValidateGetsTheRecord: sessions end by a stamp as small ones do, and a rule on groups sees all
// of them.
func TestValidateGetsTheRecord(t *testing.T) {
	t.Parallel()
	var stamp string
	var seen []string
	s := newRecordsSite(t, func(c *Config) {
		c.Stamp = func(context.Context, *saml.Login) (string, error) { return "1", nil }
		c.Validate = func(_ context.Context, s *Session) error {
			if seen = s.Identity.Groups; s.Stamp != stamp {
				return ErrEnded
			}
			return nil
		}
	})
	stamp = "1"
	c, _ := s.signInLarge()
	if !slices.Equal(seen, largeUser.Groups) {
		t.Errorf("at the sign-in Validate sees %d groups, want 150", len(seen))
	}
	seen = nil
	s.wantIn("with the stamp of the account", c)
	if !slices.Equal(seen, largeUser.Groups) {
		t.Errorf("at a request Validate sees %d groups, want 150", len(seen))
	}
	stamp = "2"
	s.clock.advance(askEvery)
	s.wantOut("signed out elsewhere", c)
	gets := s.records.gets
	s.wantOut("a second time", c)
	if s.records.gets != gets {
		t.Error("the record of an ended session is read again")
	}
	s.wantLog("signed out elsewhere", "WARN", 0)
}

// TestLongTextsWithRecords: only what the cookie itself needs can be too long.
func TestLongTextsWithRecords(t *testing.T) {
	t.Parallel()
	secret := strings.Repeat("é", 1500)
	s := newRecordsSite(t)
	login := s.newLogin(samltest.Answer{User: largeUser})
	login.Identity.Email, login.Identity.ObjectID, login.Identity.Name = secret, secret, secret
	w := httptest.NewRecorder()
	if err := s.SignIn(w, newRequest("POST", "/"), login); err != nil {
		t.Fatal(err)
	}
	got, _ := s.Manager.open(newRequest("GET", "/", w.Result().Cookies()...))
	if err := s.check(t.Context(), got); err != nil || got.Identity.Email != secret || got.Identity.Name != secret ||
		got.TextsTruncated || headerBytes(w) > 1024 {
		t.Errorf("got %v, %+v in %d bytes, want all", err, got, headerBytes(w))
	}
	login.Tenant = strings.Repeat("t", 800) // more than the room, and less than browsers take
	w = httptest.NewRecorder()
	if err := s.SignIn(w, newRequest("POST", "/"), login); err != nil {
		t.Fatal(err)
	}
	got, _ = s.Manager.open(newRequest("GET", "/", w.Result().Cookies()...))
	if err := errors.Join(s.check(t.Context(), got), s.write(t.Context(), httptest.NewRecorder(), got)); err != nil ||
		len(s.records.puts) != 2 {
		t.Errorf("a renewal: got %v and the records %q, want no new one", err, s.records.puts)
	}

	login.Tenant = secret
	w = httptest.NewRecorder()
	err := s.SignIn(w, newRequest("POST", "/"), login)
	if !errors.Is(err, saml.CodeSession) || len(w.Result().Cookies()) != 0 || len(s.records.puts) != 2 {
		t.Errorf("a tenant of 3000 bytes: got %v, cookies %v, %d records, want CodeSession and no more than before",
			err, w.Result().Cookies(), len(s.records.puts))
	}
}

// TestSessionThatGrew: an earlier release put more into a cookie than this one does.
func TestSessionThatGrew(t *testing.T) {
	t.Parallel()
	s := newRecordsSite(t)
	small := s.signIn(samltest.Answer{})
	session, _ := s.Manager.open(newRequest("GET", "/", small))
	session.Identity.Groups = largeUser.Groups
	old := &http.Cookie{Name: small.Name, Value: s.seal(session)}
	if got := s.groupsOf(old); !slices.Equal(got, largeUser.Groups) {
		t.Fatalf("the old cookie: got %d groups, want 150", len(got))
	}
	s.clock.advance(time.Hour)
	w := s.wantIn("at its renewal", old)
	if got := s.groupsOf(w.Result().Cookies()[0]); !slices.Equal(got, largeUser.Groups) || len(s.records.puts) != 1 {
		t.Errorf("after it: got %d groups and %d records, want 150 and one", len(got), len(s.records.puts))
	}
}

func TestRecordsMustNotBeNil(t *testing.T) {
	t.Parallel()
	_, err := New(Config{Keys: [][]byte{testKey}, Logger: quiet, Records: (*MemoryRecords)(nil)})
	if err == nil || !strings.Contains(err.Error(), "Config.Records is a nil pointer") {
		t.Errorf("got %v", err)
	}
}

func TestPointersComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 2))
		whole := randomSession(r)
		want := &Session{
			ID: whole.ID, Tenant: whole.Tenant, IdentityProvider: whole.IdentityProvider,
			StartedAt: whole.StartedAt, ExpiresAt: whole.ExpiresAt, SeenAt: whole.SeenAt,
		}
		for i := range want.service {
			want.service[i] = byte(r.Uint32())
		}
		record := make([]byte, recordSize)
		for i := range record {
			record[i] = byte(r.Uint32())
		}
		want.record = string(record)
		got, err := decodeCookie(want.plaintext(), want.Tenant)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d: got %+v, %v\nwant %+v", seed, got, err, want)
		}
	}
}

// TestPointersThatWereNotEncodedAreRefused: neither half of the decoder reads what the other wrote.
func TestPointersThatWereNotEncodedAreRefused(t *testing.T) {
	t.Parallel()
	good := encodePointer(&Session{ID: "id", IdentityProvider: "p", record: strings.Repeat("r", recordSize)})
	if _, err := decodeCookie(good, ""); err != nil {
		t.Fatal(err)
	}
	for n := range good {
		if s, err := decodeCookie(good[:n], ""); err == nil {
			t.Errorf("cut to %d of %d bytes: got %+v", n, len(good), s)
		}
	}
	whole := encode(&Session{ID: "id", Identity: &saml.Identity{}})
	for name, b := range map[string][]byte{
		"one byte more":           append(bytes.Clone(good), 0),
		"no ID":                   bytes.Replace(good, []byte("\x00\x02id"), []byte("\x00\x00"), 1),
		"a length in two bytes":   bytes.Replace(good, []byte("\x00\x02id"), []byte("\x00\x82\x00id"), 1),
		"a session as a pointer":  append([]byte{pointerVersion}, whole[1:]...),
		"a pointer as a session":  append([]byte{version}, good[1:]...),
		"a pointer of the future": append([]byte{pointerVersion + 1}, good[1:]...),
	} {
		for _, b := range withTextSizes(b) {
			if s, err := decodeCookie(b, ""); err == nil {
				t.Errorf("%s: got %+v", name, s)
			}
		}
	}
	if s, err := decode(good, ""); err == nil {
		t.Errorf("a record that holds a pointer: got %+v", s)
	}
}

func FuzzDecodeCookie(f *testing.F) {
	for seed := range uint64(10) {
		s := randomSession(rand.New(rand.NewPCG(seed, 3)))
		f.Add(encode(s))
		s.record = strings.Repeat("r", recordSize)
		f.Add(s.plaintext())
	}
	f.Add([]byte{pointerVersion})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := decodeCookie(b, "")
		if err != nil {
			if s != nil {
				t.Error("an error, and a session")
			}
			return
		}
		if s.ID == "" || (s.Identity == nil) != (len(s.record) == recordSize) {
			t.Errorf("got %+v", s)
		}
		if again := s.plaintext(); !bytes.Equal(again, b) {
			t.Errorf("%x is read, and written as %x", b, again)
		}
	})
}

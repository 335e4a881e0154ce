package session

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/internal/storekey"
	"github.com/iomete/saml/samltest"
)

// keyOf is the key that signs for the users of a site.
func (s *site) keyOf() saml.IssuerKey {
	return saml.IssuerKey{Issuer: s.idp.EntityID(), Key: s.newLogin(samltest.Answer{}).SigningKey}
}

// remembers gives a site a Store that forgets when it is time.
func (s *site) remembers() func(*Config) {
	store := saml.NewMemoryStoreWithClock(s.clock.Now)
	return func(c *Config) { c.Store = store }
}

// signInAt returns the cookie of a new session at one replica.
func (s *site) signInAt(m *Manager, login *saml.Login) *http.Cookie {
	s.Helper()
	b := &browser{t: s.TB}
	b.signIn(m, login)
	return b.cookies[0]
}

func (s *site) statusAt(m *Manager, c *http.Cookie) int {
	return answerOf(s.handlerOf(m).Require(greeting), newRequest("GET", "/jobs", c)).Code
}

// TestKeyEndedByHand: whoever has the key has no session any more, on no replica, and gets none
// until the longest session would be over. Nobody else notices.
func TestKeyEndedByHand(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	shared := s.remembers()
	here, there := s.newManager(shared), s.newManager(shared)
	other := s.newLogin(samltest.Answer{})
	other.SigningKey[0]++
	otherKey, ended := s.signInAt(here, other), s.signInAt(there, s.newLogin(samltest.Answer{}))
	key := s.keyOf()
	if err := here.EndSessionsOfKey(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if err := here.EndSessionsOfKey(t.Context(), key); err != nil {
		t.Errorf("once more: %v", err)
	}
	for name, m := range map[string]*Manager{"here": here, "there": there} {
		if got := s.statusAt(m, ended); got != http.StatusSeeOther {
			t.Errorf("%s: a session of the key: status %d", name, got)
		}
		if got := s.statusAt(m, otherKey); got != http.StatusOK {
			t.Errorf("%s: a session of another key: status %d", name, got)
		}
		w := httptest.NewRecorder()
		if err := m.SignIn(w, newRequest("POST", "/"), s.newLogin(samltest.Answer{})); !errors.Is(err, saml.CodeKeyEnded) ||
			len(w.Result().Cookies()) > 0 {
			t.Errorf("%s: a sign-in with the key: %v", name, err)
		}
	}
	s.clock.advance(defaultLifetime + claimMargin)
	s.signInAt(there, s.newLogin(samltest.Answer{})) // the key is trusted as long as the settings have it
}

// TestEndIsSeenWithinTenSeconds: a replica that has just asked asks again.
func TestEndIsSeenWithinTenSeconds(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	c := s.signIn(samltest.Answer{})
	s.wantIn("before", c)
	if err := s.newManager().EndSessionsOfRemovedKey(t.Context(), s.keyOf()); err != nil {
		t.Fatal(err)
	}
	s.wantIn("a moment after the question", c)
	s.clock.advance(askEvery)
	s.wantOut("ten seconds after the question", c)
}

// TestRemovedKeyComesBack: its old sessions stay ended. New ones go on for an hour, after a renewal of
// the cookie too, and another sign-in follows. The end by hand ends all.
func TestRemovedKeyComesBack(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	shared := s.remembers()
	m := s.newManager(shared)
	before := s.signInAt(m, s.newLogin(samltest.Answer{}))
	key := s.keyOf()
	for range 2 { // two replicas notice it
		if err := s.newManager(shared).EndSessionsOfRemovedKey(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	after := s.signInAt(m, s.newLogin(samltest.Answer{}))
	s.clock.advance(returnedLifetime / 2)
	w := answerOf(s.handlerOf(s.newManager(shared)).Require(greeting), newRequest("GET", "/jobs", after))
	if w.Code != http.StatusOK || len(w.Result().Cookies()) != 1 {
		t.Fatalf("a session that began after the key had come back: status %d, %v", w.Code, w.Result().Cookies())
	}
	after = w.Result().Cookies()[0]
	if got := s.statusAt(s.newManager(shared), after); got != http.StatusOK {
		t.Errorf("its renewed cookie: status %d", got)
	}
	if got := s.statusAt(m, before); got != http.StatusSeeOther {
		t.Errorf("a session from before: status %d", got)
	}
	s.clock.advance(returnedLifetime / 2) // nobody can tell whether the key is gone once more
	if got := s.statusAt(m, after); got != http.StatusSeeOther {
		t.Errorf("a session from after, an hour later: status %d", got)
	}
	after = s.signInAt(m, s.newLogin(samltest.Answer{}))
	if err := m.EndSessionsOfKey(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if got := s.statusAt(s.newManager(shared), after); got != http.StatusSeeOther {
		t.Errorf("ended by hand: status %d", got)
	}
}

// TestEndedKeyOfOneTenant: the same key of another tenant, or of another identity provider, is
// another key. So is the same name in another place.
func TestEndedKeyOfOneTenant(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	key := s.keyOf()
	for name, other := range map[string]saml.IssuerKey{
		"another tenant":         {Tenant: "b", Issuer: key.Issuer, Key: key.Key},
		"another issuer":         {Issuer: key.Issuer + "b", Key: key.Key},
		"another key":            {Issuer: key.Issuer, Key: saml.KeyID{1}},
		"the parts in one place": {Tenant: key.Issuer, Issuer: key.Issuer, Key: key.Key},
	} {
		c := s.signIn(samltest.Answer{})
		if err := s.EndSessionsOfKey(t.Context(), other); err != nil {
			t.Fatal(err)
		}
		s.wantIn(name, c)
	}
	if err := s.EndSessionsOfKey(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	s.clock.advance(askEvery)
	login := s.newLogin(samltest.Answer{})
	login.Tenant = "b" // which was ended first
	for _, tenant := range []string{"", "b", "c"} {
		login.Tenant = tenant
		err := s.SignIn(httptest.NewRecorder(), newRequest("POST", "/"), login)
		if errors.Is(err, saml.CodeKeyEnded) != (tenant != "c") {
			t.Errorf("tenant %q: %v", tenant, err)
		}
	}
}

// TestEndsAreKeptAsLongAsASession is about the claims, which are two at most, each once. With
// KeepForms a cookie means something for an hour after its session.
func TestEndsAreKeptAsLongAsASession(t *testing.T) {
	t.Parallel()
	testEndsAreKept(t, false, 30*24*time.Hour+claimMargin)
	testEndsAreKept(t, true, 30*24*time.Hour+formsFor+claimMargin)
}

func testEndsAreKept(t *testing.T, keepForms bool, want time.Duration) {
	t.Helper()
	s := newSite(t, func(c *Config) { c.Lifetime, c.KeepForms = 30*24*time.Hour, keepForms })
	key := s.keyOf()
	if err := s.EndSessionsOfRemovedKey(t.Context(), key); err != nil || len(s.store.keys) != 1 {
		t.Errorf("removed: %v, claims %v", err, s.store.keys)
	}
	if err := s.EndSessionsOfKey(t.Context(), key); err != nil || len(s.store.keys) != 2 {
		t.Errorf("by hand: %v, claims %v", err, s.store.keys)
	}
	for claim, ttl := range s.store.keys {
		if !strings.HasPrefix(claim, storekey.Key) || len(claim) > 64 || ttl != want {
			t.Errorf("KeepForms %v: %s lives for %v, want %v", keepForms, claim, ttl, want)
		}
	}
	// replicas of two releases share them
	golden := keyMark(saml.IssuerKey{Tenant: "t", Issuer: "i", Key: saml.KeyID([]byte("0123456789abcdef"))}, markEnded)
	if want := "v1/key/47mKTaMaEn1L/qBS_L8afRm_WRd5zM-LGCbQGwiFjL8UbsNWu3vqNe1s"; golden != want {
		t.Errorf("got %s, want %s", golden, want)
	}
}

// TestStoreThatFailsForKeys: nobody is told that sessions have ended if nobody knows, no session
// begins that could be ended at once, and those that have begun go on for five minutes.
func TestStoreThatFailsForKeys(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	key := s.keyOf()
	c, login := s.signIn(samltest.Answer{}), s.newLogin(samltest.Answer{})
	s.store.fail(errBroken)
	for name, err := range map[string]error{
		"by hand": s.EndSessionsOfKey(t.Context(), key),
		"removed": s.EndSessionsOfRemovedKey(t.Context(), key),
		"SignIn":  s.SignIn(httptest.NewRecorder(), newRequest("POST", "/"), login),
	} {
		if !errors.Is(err, saml.CodeStore) || !errors.Is(err, errBroken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.wantIn("within five minutes", c)
	s.clock.advance(goOnFor + time.Millisecond)
	s.wantUnknown("after five minutes", c)
	s.store.fail(nil)
	s.clock.advance(askEvery)
	s.wantIn("when the store works", c)
}

// TestKeyOfALargeSession: it is in the record.
func TestKeyOfALargeSession(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) { c.Records = &MemoryRecords{} })
	u := samltest.DefaultUsers()[0]
	u.Groups = randomGroups(150)
	c := s.signIn(samltest.Answer{User: u})
	if err := s.EndSessionsOfKey(t.Context(), s.keyOf()); err != nil {
		t.Fatal(err)
	}
	s.wantOut("ended by hand", c)
}

// TestLoginWithoutAKey: a Login that the application made has no key, and nothing about one is
// asked.
func TestLoginWithoutAKey(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	login := s.newLogin(samltest.Answer{})
	login.SigningKey = saml.KeyID{}
	c := s.signInAt(s.Manager, login)
	for _, end := range []func() error{
		func() error { return s.EndSessionsOfKey(t.Context(), saml.IssuerKey{Issuer: s.idp.EntityID()}) },
		func() error { return s.EndSessionsOfRemovedKey(t.Context(), saml.IssuerKey{Key: saml.KeyID{1}}) },
	} {
		if err := end(); !errors.Is(err, saml.CodeConfig) || len(s.store.keys) > 0 {
			t.Errorf("half a name of a key: %v", err)
		}
	}
	s.wantIn("without a key", c)
}

// TestSigningKeyInThePlaintext: 17 bytes, or one without a key, and no other form.
func TestSigningKeyInThePlaintext(t *testing.T) {
	t.Parallel()
	s := &Session{ID: "x", Identity: &saml.Identity{}}
	none := encode(s)
	s.SigningKey = saml.KeyID{1, 2, 3}
	one := encode(s)
	s.keyReturned = true
	back := encode(s)
	if len(one) != len(none)+16 || len(back) != len(one) {
		t.Errorf("%d bytes without a key, %d and %d with one", len(none), len(one), len(back))
	}
	if got, err := decode(back, ""); err != nil || !got.keyReturned || got.SigningKey != s.SigningKey {
		t.Errorf("got %+v, %v", got, err)
	}
	at := len(one) - 17
	for name, b := range map[string][]byte{
		"another kind":       slices.Concat(one[:at], []byte{3}, one[at+1:]),
		"a key that is zero": slices.Concat(one[:at], []byte{withKey}, make([]byte, 16)),
		"half a key":         one[:len(one)-8],
		"no kind":            one[:at],
	} {
		if got, err := decode(b, ""); err == nil {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

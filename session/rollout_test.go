package session

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// TestKeysRoll changes the keys as Config.Keys says, the new one behind the old one first: at each
// moment every replica finds the session of the others, ends it, and shows whoever signed in last.
func TestKeysRoll(t *testing.T) {
	s := newSite(t)
	added := saml.NewStateKey()
	with := func(keys ...[]byte) *Manager { return s.newManager(func(c *Config) { c.Keys = keys }) }
	for name, replicas := range map[string][2]*Manager{
		"the new key is added":    {with(testKey), with(testKey, added)},
		"the new key comes first": {with(testKey, added), with(added, testKey)},
		"the old key goes":        {with(added, testKey), with(added)},
	} {
		for _, pair := range [][2]*Manager{replicas, {replicas[1], replicas[0]}} {
			here, there := pair[0], pair[1]
			if name == "the old key goes" && here == replicas[1] {
				continue
			}
			b := &browser{t: t}
			b.signIn(here, s.newLogin(samltest.Answer{}))
			s.clock.advance(askEvery)
			b.signIn(there, s.newLogin(samltest.Answer{User: samltest.DefaultUsers()[3]}))
			for _, m := range []*Manager{here, there} {
				r := newRequest("GET", "/jobs", b.cookies...)
				found, ok := m.open(r)
				if !ok || found.Identity.Email != samltest.DefaultUsers()[3].Mail {
					t.Errorf("%s: a replica finds %+v, want the user who signed in last", name, found)
				}
			}
			kept := b.cookies
			w := httptest.NewRecorder()
			if err := there.SignOut(w, newRequest("POST", "/", b.cookies...)); err != nil {
				t.Fatal(err)
			}
			s.clock.advance(askEvery)
			page := s.handlerOf(here).Require(greeting)
			if w := answerOf(page, newRequest("GET", "/jobs", kept...)); w.Code != http.StatusSeeOther {
				t.Errorf("%s: a copy of the cookies still works after the sign-out: status %d", name, w.Code)
			}
		}
	}
}

// TestSignOutEndsAllSessions: a browser may have one of each key.
func TestSignOutEndsAllSessions(t *testing.T) {
	s := newSite(t)
	next := s.newManager(func(c *Config) { c.Keys = [][]byte{saml.NewStateKey(), testKey} })
	old, latest := &browser{t: t}, &browser{t: t}
	old.signIn(s.Manager, s.newLogin(samltest.Answer{}))
	latest.signIn(next, s.newLogin(samltest.Answer{}))
	both := append(old.cookies, latest.cookies...)
	if err := next.SignOut(httptest.NewRecorder(), newRequest("POST", "/", both...)); err != nil {
		t.Fatal(err)
	}
	s.clock.advance(askEvery)
	page := s.handlerOf(next).Require(greeting)
	for _, c := range both {
		if w := answerOf(page, newRequest("GET", "/jobs", c)); w.Code != http.StatusSeeOther {
			t.Errorf("a copy of %s still works: status %d", c.Name, w.Code)
		}
	}
}

// A browser keeps the cookies that sign-ins set.
type browser struct {
	t       testing.TB
	cookies []*http.Cookie
}

func (b *browser) signIn(m *Manager, login *saml.Login) {
	b.t.Helper()
	w := httptest.NewRecorder()
	if err := m.SignIn(w, newRequest("POST", "/", b.cookies...), login); err != nil {
		b.t.Fatal(err)
	}
	set := w.Result().Cookies()
	b.cookies = slices.DeleteFunc(slices.Clone(b.cookies), func(old *http.Cookie) bool {
		return slices.ContainsFunc(set, func(c *http.Cookie) bool { return c.Name == old.Name })
	})
	b.cookies = append(b.cookies, slices.DeleteFunc(set, func(c *http.Cookie) bool { return c.MaxAge < 0 })...)
}

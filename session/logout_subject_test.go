package session

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// An ending is the Sessions of a Handler that ends each session it is asked about: with the request
// that StartLogout of the Handler would pass to End.
type ending struct {
	*Manager
	subject *saml.LogoutSubject
	err     error
}

func (e *ending) Authenticate(w http.ResponseWriter, r *http.Request) (*http.Request, error) {
	e.subject, e.err = e.End(w, r)
	return nil, nil
}

// endBy ends the session of a browser, through a Handler.
func (s *recordsSite) endBy(m *Manager, cookies ...*http.Cookie) (*saml.LogoutSubject, []*http.Cookie, error) {
	s.Helper()
	e := &ending{Manager: m}
	login, err := saml.NewHandler(saml.HandlerConfig{Sessions: e, Provider: s.sp, Logger: quiet})
	if err != nil {
		s.Fatal(err)
	}
	w := answerOf(login.Load(nothing), newRequest("POST", "/logout", cookies...))
	return e.subject, w.Result().Cookies(), e.err
}

var nothing = http.NotFoundHandler()

// TestEnd: the identity provider is told what it said at the sign-in, whatever place the session has.
func TestEnd(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*saml.Login){
		"Entra": func(*saml.Login) {},
		"a record": func(l *saml.Login) {
			l.Identity.Groups = randomGroups(150)
			indexed(l, numbers(20)...)
		},
		"no e-mail address, all qualifiers": func(l *saml.Login) {
			l.Identity.Email = ""
			l.Assertion.NameID = saml.NameID{Value: "G-1", Format: "urn:of:their:own", NameQualifier: "q",
				SPNameQualifier: l.EntityID}
		},
		"usual qualifiers": func(l *saml.Login) {
			qualify(&l.Assertion.NameID, l.Assertion.Issuer.Value, "a former entity ID")
		},
		"no index": func(l *saml.Login) { indexed(l) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newRecordsSite(t)
			s.sp = s.newProvider(s.idp, func(c *saml.Config) { c.Tenant = "acme" })
			login := s.newLogin(samltest.Answer{})
			change(login)
			c := s.begin(login)
			got, cookies, err := s.endBy(s.replica(0), c)
			want := &saml.LogoutSubject{Tenant: "acme", EntityID: s.sp.EntityID(), Issuer: s.idp.EntityID(),
				NameID: saml.NameID{Value: login.Assertion.NameID.Value, Format: login.Assertion.NameID.Format,
					NameQualifier: login.Assertion.NameID.NameQualifier, SPNameQualifier: login.Assertion.NameID.SPNameQualifier}}
			for _, statement := range login.Assertion.Statements {
				want.SessionIndexes = append(want.SessionIndexes, statement.SessionIndex)
			}
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, %v\nwant %+v", got, err, want)
			}
			if len(cookies) != 1 || cookies[0].MaxAge >= 0 {
				t.Errorf("the cookies are %v, want the session deleted", cookies)
			}
			s.wantOut("a copy of the cookie", c)
			if got, _, err := s.endBy(s.Manager, c); got != nil || err != nil {
				t.Errorf("a second time: got %+v, %v", got, err)
			}
		})
	}
}

// TestEndWithNobodyToTell: no subject, no error, and what there was is over.
func TestEndWithNobodyToTell(t *testing.T) {
	t.Parallel()
	s := newRecordsSite(t)
	if got, _, err := s.endBy(s.Manager); got != nil || err != nil {
		t.Errorf("no session: got %+v, %v", got, err)
	}
	c := s.begin(s.newLogin(samltest.Answer{}))
	s.sp = s.newProvider(samltest.MustNew(t, samltest.Options{Now: s.clock.Now, EntityID: "https://new.example.com"}), nil)
	if got, cookies, err := s.endBy(s.Manager, c); got != nil || err != nil || len(cookies) != 1 {
		t.Errorf("the settings have another identity provider now: got %+v, %v, %v", got, err, cookies)
	}
	if len(s.store.keys) != 1 {
		t.Errorf("the session goes on in a copy of its cookie: %v", s.store.keys)
	}
}

// TestEndThatFails: the subject is there if it is known, and an error if the session may go on or End is
// used in a wrong way.
func TestEndThatFails(t *testing.T) {
	t.Parallel()
	s := newRecordsSite(t)
	c, large := s.begin(s.newLogin(samltest.Answer{})), s.begin(s.newLogin(samltest.Answer{User: largeUser}))
	s.store.fail(errBroken)
	if got, cookies, err := s.endBy(s.Manager, c); got == nil || got.NameID.Value != alice || !errors.Is(err, errBroken) ||
		len(cookies) != 1 {
		t.Errorf("the store fails: got %+v, %v, cookies %v", got, err, cookies)
	}
	s.store.fail(nil)
	w := httptest.NewRecorder()
	c = s.begin(s.newLogin(samltest.Answer{}))
	if got, err := s.End(w, newRequest("POST", "/logout", c)); got != nil || !errors.Is(err, saml.CodeConfig) ||
		len(w.Result().Cookies()) != 1 {
		t.Errorf("without a Handler: got %+v, %v, cookies %v", got, err, w.Result().Cookies())
	}
	s.wantOut("without a Handler", c)
	s.records.fail(errBroken)
	if got, cookies, err := s.endBy(s.Manager, large); got != nil || err != nil || len(cookies) != 1 {
		t.Errorf("Records fails: got %+v, %v, cookies %v", got, err, cookies)
	}
	s.records.fail(nil)
	s.wantOut("Records failed", large)
}

// TestSessionIndexes: how many a session has.
func TestSessionIndexes(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		indexes, kept int
		records       bool
		inRecord      bool
		refused       bool
	}{
		{8, 8, true, false, false},
		{9, 9, true, true, false},
		{64, 64, true, true, false},
		{65, 0, true, false, true},
		{8, 8, false, false, false},
		{9, 8, false, false, false},
		{1000, 8, false, false, false},
	} {
		s := newRecordsSite(t, func(c *Config) {
			if !row.records {
				c.Records = nil
			}
		})
		login := indexed(s.newLogin(samltest.Answer{}), numbers(row.indexes)...)
		w := httptest.NewRecorder()
		err := s.SignIn(w, newRequest("POST", "/"), login)
		if row.refused != errors.Is(err, saml.CodeSession) || !row.refused && err != nil {
			t.Errorf("%+v: got %v", row, err)
		}
		if err != nil {
			continue
		}
		got, _ := s.Manager.open(newRequest("GET", "/", w.Result().Cookies()...))
		inRecord := got.record != ""
		if err := s.check(t.Context(), got); err != nil {
			t.Fatal(err)
		}
		if inRecord != row.inRecord || !slices.Equal(got.SessionIndexes, numbers(row.kept)) ||
			got.TextsTruncated != (row.kept < row.indexes) {
			t.Errorf("%+v: got %q, in a record: %t, TextsTruncated %t", row, got.SessionIndexes, inRecord, got.TextsTruncated)
		}
	}
}

// TestBytesForLogout: what a logout adds to the cookie, before it is sealed, and what the whole cookie
// takes. The test prints the figures.
func TestBytesForLogout(t *testing.T) {
	t.Parallel()
	const guid = "5f0c7a52-94d1-4c1e-8f57-1d0b6e2a9c31"
	const keycloakIndex = "uMaQ3x7pWb0LzK2vT9sYd1Ce::" + guid // its own session, and the client
	long := make([]string, 8)
	for i := range long {
		long[i] = strings.Repeat("s", 99) + fmt.Sprint(i)
	}
	t.Logf("%-28s %9s %9s %9s", "sign-in", "logout", "plaintext", "header")
	for _, row := range []struct {
		name   string
		change func(*saml.Login)
		most   int // bytes for logout
	}{
		{"Entra", func(*saml.Login) {}, 40},
		{"Keycloak", func(l *saml.Login) { indexed(l, keycloakIndex) }, 100},
		{"Keycloak, persistent NameID", func(l *saml.Login) {
			l.Assertion.NameID = saml.NameID{Value: "G-" + guid, Format: nameIDFormats[3],
				NameQualifier: l.Assertion.Issuer.Value, SPNameQualifier: l.EntityID}
			indexed(l, keycloakIndex)
		}, 130},
		{"8 long indexes", func(l *saml.Login) { indexed(l, long...) }, 850},
	} {
		s := newRecordsSite(t)
		login := s.newLogin(samltest.Answer{User: entraUser(randomGroups(10))})
		row.change(login)
		c := s.begin(login)
		header := len("Set-Cookie: \r\n" + c.String())
		found, _ := s.Manager.open(newRequest("GET", "/", c))
		if err := s.check(t.Context(), found); err != nil {
			t.Fatal(err)
		}
		without := *found
		without.nameID, without.SessionIndexes, without.ownIndex = saml.NameID{}, nil, false
		without.issued = without.StartedAt
		const empty = 8 // the block of logout with nothing in it
		plaintext := len(encode(found))
		bytes := plaintext - len(encode(&without)) + empty
		t.Logf("%-28s %9d %9d %9d", row.name, bytes, plaintext, header)
		if bytes > row.most || header > maxHeader {
			t.Errorf("%s: %d bytes for logout, want at most %d; the cookie takes %d", row.name, bytes, row.most, header)
		}
	}
}

// TestLookUps: one question at a sign-in, one for each session and ten seconds, and none besides.
func TestLookUps(t *testing.T) {
	t.Parallel()
	s := newRecordsSite(t)
	count := func(when string, want int, call func()) {
		t.Helper()
		before := s.records.lookups
		if call(); s.records.lookups-before != want {
			t.Errorf("%s: %d look-ups, want %d", when, s.records.lookups-before, want)
		}
	}
	for _, user := range []samltest.User{samltest.DefaultUsers()[0], largeUser} {
		var c *http.Cookie
		count("a sign-in", 1, func() { c = s.signIn(samltest.Answer{User: user}) })
		for range 3 {
			count("the first request", 1, func() { s.wantIn("first", c) })
			count("100 requests within ten seconds", 0, func() {
				for range 100 {
					s.wantIn("later", c)
				}
			})
			s.clock.advance(askEvery)
		}
	}
	login := indexed(s.newLogin(samltest.Answer{}), numbers(8)...)
	var c *http.Cookie
	count("a sign-in with 8 indexes", 1, func() { c = s.begin(login) })
	count("a request with 8 indexes", 1, func() { s.wantIn("8 indexes", c) })
	found, _ := s.Manager.open(newRequest("GET", "/", c))
	t.Logf("with 8 indexes a look-up has %d keys", len(found.markKeys()))
	before := len(s.records.raised)
	err := s.EndSessions(t.Context(), s.logoutOf(s.newLogin(samltest.Answer{})))
	if marks := len(s.records.raised) - before; err != nil || marks != 5 {
		t.Errorf("a logout with an e-mail address and an index writes %d marks, %v, want 5", marks, err)
	}
}

package session

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

const (
	urlEncoded = "application/x-www-form-urlencoded"
	secret     = "text=hello+Ioana" // in the body of the form that is kept
	written    = alice + " sends 16 bytes of " + urlEncoded + " by POST to /jobs?id=7: " + secret
)

// formSite is a site that keeps forms.
type formSite struct {
	*site
	claims *fakeStore // of the provider: forms that were sent again
	got    []string   // what reached the application
}

func newFormSite(t *testing.T, changes ...func(*Config)) *formSite {
	t.Helper()
	s := &formSite{site: newSite(t, append(changes, func(c *Config) { c.KeepForms = true })...),
		claims: &fakeStore{keys: map[string]time.Duration{}}}
	s.serve(s.sp.EntityID(), func(c *saml.Config) {})
	return s
}

// serve makes the provider and its handler anew.
func (s *formSite) serve(entityID string, change func(*saml.Config)) {
	s.Helper()
	s.sp = s.newProvider(s.idp, func(c *saml.Config) {
		c.EntityID, c.Store = entityID, s.claims
		change(c)
	})
	s.guard(s.Manager)
}

// signIn is that of site, also after the service was renamed.
func (s *formSite) signIn(a samltest.Answer) *http.Cookie {
	s.Helper()
	a.Audience = s.sp.EntityID()
	return s.site.signIn(a)
}

// guard makes s.page that of a replica.
func (s *formSite) guard(m *Manager) {
	s.Helper()
	s.Manager = m
	var err error
	s.login, err = saml.NewHandler(saml.HandlerConfig{Sessions: m, FormAccount: m.FormAccount, Logger: quiet,
		Resolve: func(*http.Request, string) (*saml.ServiceProvider, error) { return s.sp, s.err }})
	if err != nil {
		s.Fatal(err)
	}
	s.page = s.login.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			s.Error(err)
		}
		got := fmt.Sprintf("%s sends %d bytes of %s by %s to %s: %s", FromContext(r.Context()).Identity.Email,
			r.ContentLength, r.Header.Get("Content-Type"), r.Method, r.URL.RequestURI(), body)
		s.got = append(s.got, got)
		io.WriteString(w, got)
	}))
}

// form is a form that a person posts from a page of the service; header has names and values.
func form(target, body string, c *http.Cookie, header ...string) *http.Request {
	r := httptest.NewRequest("POST", target, strings.NewReader(body))
	for i, h := 0, append([]string{"Content-Type", urlEncoded, "Origin", baseURL, "Sec-Fetch-Site", "same-origin",
		"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, header...); i < len(h); i += 2 {
		if r.Header.Del(h[i]); h[i+1] != "" {
			r.Header.Set(h[i], h[i+1])
		}
	}
	if c != nil {
		r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	return r
}

// oldBrowser sends no Fetch Metadata.
var oldBrowser = []string{"Sec-Fetch-Site", "", "Sec-Fetch-Mode", "", "Sec-Fetch-Dest", "", "Accept", "text/html"}

func (s *formSite) send(r *http.Request) *httptest.ResponseRecorder { return answerOf(s.page, r) }

// sealed returns the form of a page that keeps one, ready to be posted again, "" if w is no such
// page.
func sealed(w *httptest.ResponseRecorder) string {
	if _, value, found := strings.Cut(w.Body.String(), `name="saml_form" value="`); found {
		value, _, _ = strings.Cut(value, `"`)
		return "saml_form=" + value
	}
	return ""
}

// wantWaits expects the page that keeps a form, and returns the form.
func (s *formSite) wantWaits(when string, w *httptest.ResponseRecorder, status int) string {
	s.Helper()
	got := sealed(w)
	h := w.Header()
	if w.Code != status || got == "" || strings.Contains(w.Body.String(), "Ioana") ||
		h.Get("Cache-Control") != "no-store" ||
		!strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
		s.Errorf("%s: got status %d, %v, %.400s, want %d and the form on a page", when, w.Code, h, w.Body, status)
	}
	return got
}

// wantNot expects an answer that keeps nothing and that the application has not written.
func (s *formSite) wantNot(when string, w *httptest.ResponseRecorder, status int) {
	s.Helper()
	if w.Code != status || sealed(w) != "" || len(s.got) > 0 {
		s.Errorf("%s: got status %d, %.400s, the application got %q, want %d and nothing", when, w.Code, w.Body, s.got,
			status)
	}
}

// kept signs alice in, lets the session end, and keeps a form of hers.
func (s *formSite) kept() (again string, ended *http.Cookie) {
	s.Helper()
	ended = s.signIn(samltest.Answer{})
	s.clock.advance(s.config.Idle + time.Minute)
	return s.wantWaits("the session has ended", s.send(form("/jobs?id=7", secret, ended)), 401), ended
}

// TestFormSurvivesASignIn: the application gets the form as it was posted, and nobody gets it
// before.
func TestFormSurvivesASignIn(t *testing.T) {
	t.Parallel()
	const twoFields = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b\r\n" +
		"Content-Disposition: form-data; name=\"f\"; filename=\"\"\r\n" +
		"Content-Type: application/octet-stream\r\n\r\n\r\n--b--\r\n"
	for name, row := range map[string]struct {
		target, kind, body string
		header             []string
		lifetime           bool // the session ends by its lifetime
		records            bool // the session is in a record
	}{
		"a form":                         {"/jobs?id=7", urlEncoded, secret, nil, false, false},
		"at the end of the lifetime":     {"/jobs", urlEncoded, secret, nil, true, false},
		"of a session in a record":       {"/jobs", urlEncoded, secret, nil, true, true},
		"with a charset":                 {"/jobs", urlEncoded + "; charset=UTF-8", secret, nil, false, false},
		"one button":                     {"/jobs/7/delete", urlEncoded, "", nil, false, false},
		"fields and a file left empty":   {"/jobs", `multipart/form-data; boundary="b"`, twoFields, nil, false, false},
		"the longest":                    {"/jobs", urlEncoded, strings.Repeat("x", 64<<10), nil, false, false},
		"a body with our field's prefix": {"/jobs", urlEncoded, "saml_formula=1", nil, false, false},
		"a browser without metadata":     {"/jobs", urlEncoded, secret, oldBrowser, false, false},
		"a page that hides its origin":   {"/jobs", urlEncoded, secret, []string{"Origin", "null"}, false, false},
		"two slashes":                    {"//jobs", urlEncoded, secret, nil, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer := samltest.Answer{}
			s := newFormSite(t, func(c *Config) {
				c.Idle = cmp.Or(map[bool]time.Duration{true: 24 * time.Hour}[row.lifetime], 2*time.Hour)
				if row.records {
					c.Records = &MemoryRecords{Now: c.Now}
				}
			})
			if row.records {
				answer.User = samltest.DefaultUsers()[0]
				for range 120 { // too many for the cookie
					answer.User.Groups = append(answer.User.Groups, newID())
				}
			}
			c := s.signIn(answer)
			s.clock.advance(map[bool]time.Duration{true: 12*time.Hour + 59*time.Minute, false: 2 * time.Hour}[row.lifetime])
			header := append([]string{"Content-Type", row.kind}, row.header...)
			again := s.wantWaits("after the session", s.send(form(row.target, row.body, c, header...)), 401)
			if len(again) > 92<<10 {
				t.Errorf("the sealed form has %d bytes", len(again))
			}
			if got := s.wantWaits("before the sign-in", s.send(form(row.target, again, c)), 401); got != again {
				t.Error("another form waits")
			}
			fresh := s.signIn(answer)
			if len(s.got) > 0 {
				t.Fatalf("the application got %q", s.got)
			}
			want := fmt.Sprintf("%s sends %d bytes of %s by POST to %s: %s", alice, len(row.body), row.kind, row.target,
				row.body)
			if w := s.send(form(row.target, again, fresh)); w.Code != 200 || w.Body.String() != want {
				t.Errorf("after the sign-in: got status %d, %.200q, want %.200q", w.Code, w.Body, want)
			}
		})
	}
}

// TestEndedSessionIsNoSession: within the hour for forms, the cookie opens no page.
func TestEndedSessionIsNoSession(t *testing.T) {
	t.Parallel()
	s := newFormSite(t)
	c := s.signIn(samltest.Answer{})
	if want := 13 * 60 * 60; c.MaxAge != want {
		t.Errorf("the browser keeps the cookie for %d s, want %d", c.MaxAge, want)
	}
	for _, after := range []time.Duration{2 * time.Hour, 59 * time.Minute} {
		s.clock.advance(after)
		r := newRequest("GET", "/jobs", c)
		s.wantOut("a page", c)
		if w := s.open(c); len(w.Result().Cookies()) > 0 {
			t.Errorf("the cookie is renewed: %v", w.Result().Cookies())
		}
		if s.SignedIn(r) {
			t.Error("SignedIn says so")
		}
		load := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if FromContext(r.Context()) != nil {
				t.Error("a public page has a session")
			}
		})
		answerOf(s.login.Load(load), r)
		w := s.send(form("/jobs", secret, c, "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"))
		if w.Code != 401 || len(s.got) > 0 {
			t.Errorf("a call in the background: got status %d, %q", w.Code, s.got)
		}
		w = answerOf(s.login, newRequest("GET", s.sp.RedirectURL()+"?saml_form=1", c))
		if strings.Contains(w.Body.String(), "You are signed in") {
			t.Errorf("the page at the end of the sign-in says %s", w.Body)
		}
	}
	s.Manager = s.newManager()
	if err := s.SignOut(newWriter(), newRequest("POST", "/", c)); err != nil || len(s.store.keys) > 0 {
		t.Errorf("without KeepForms a session that is over ends once more: %v, %v", err, s.store.keys)
	}
	if c = s.signIn(samltest.Answer{}); c.MaxAge != 12*60*60 {
		t.Errorf("without KeepForms the browser keeps the cookie for %d s", c.MaxAge)
	}
}

// TestFormsThatAreNotKept: whoever is not known to have been signed in a moment ago, or may no
// longer be, loses the form as before.
func TestFormsThatAreNotKept(t *testing.T) {
	t.Parallel()
	ends := func(s *formSite) { s.clock.advance(2*time.Hour + time.Minute) }
	locked := func(c *Config) { c.Validate = func(context.Context, *Session) error { return ErrEnded } }
	signsOut := func(s *formSite, c *http.Cookie) {
		if err := s.SignOut(newWriter(), newRequest("POST", "/", c)); err != nil {
			s.Fatal(err)
		}
	}
	for name, row := range map[string]struct {
		config func(*Config)
		then   func(s *formSite, c *http.Cookie)
		answer samltest.Answer
	}{
		"nothing is wrong": {then: func(s *formSite, _ *http.Cookie) { ends(s) }},
		"an hour after the end": {then: func(s *formSite, _ *http.Cookie) {
			s.clock.advance(3 * time.Hour)
		}},
		"after a sign-out, by a copied cookie": {then: func(s *formSite, c *http.Cookie) { signsOut(s, c); ends(s) }},
		"after a sign-out at the end of the lifetime": {config: func(c *Config) { c.Idle = 24 * time.Hour },
			then: func(s *formSite, c *http.Cookie) {
				signsOut(s, c)
				s.clock.advance(12*time.Hour + 59*time.Minute)
				s.forgetClaims()
				s.guard(s.newManager(func(c *Config) { c.KeepForms, c.Idle = true, 24*time.Hour })) // which remembers nothing
			}},
		"after a sign-out that came too late": {then: func(s *formSite, c *http.Cookie) { ends(s); signsOut(s, c) }},
		"a sign-out that ended it for good":   {then: func(s *formSite, c *http.Cookie) { signsOut(s, c) }},
		"the account was locked since": {then: func(s *formSite, _ *http.Cookie) {
			ends(s)
			s.guard(s.newManager(locked, func(c *Config) { c.KeepForms = true }))
		}},
		"the key is gone": {then: func(s *formSite, _ *http.Cookie) {
			ends(s)
			s.guard(s.newManager(func(c *Config) { c.KeepForms, c.Keys = true, [][]byte{saml.NewStateKey()} }))
		}},
		"another entity ID": {then: func(s *formSite, _ *http.Cookie) {
			ends(s)
			s.serve("urn:other", func(*saml.Config) {})
		}},
		"another tenant": {then: func(s *formSite, _ *http.Cookie) { ends(s); s.serve(s.sp.EntityID(), ofAcme) }},
		"another identity provider": {then: func(s *formSite, _ *http.Cookie) {
			ends(s)
			s.idp = samltest.MustNew(s.TB, samltest.Options{Now: s.clock.Now,
				TenantID: "11111111-2222-4333-8444-555555555555"})
			s.serve(s.sp.EntityID(), func(*saml.Config) {})
		}},
		"without KeepForms": {then: func(s *formSite, _ *http.Cookie) { ends(s); s.guard(s.newManager()) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := row.config
			if config == nil {
				config = func(*Config) {}
			}
			s := newFormSite(t, config)
			c := s.signIn(row.answer)
			row.then(s, c)
			w := s.send(form("/jobs?id=7", secret, c))
			if name == "nothing is wrong" {
				s.wantWaits(name, w, 401)
				return
			}
			s.wantNot(name, w, 303)
		})
	}
	t.Run("an account without a key", func(t *testing.T) {
		t.Parallel()
		s := newFormSite(t)
		s.serve(s.sp.EntityID(), func(c *saml.Config) { c.NameID = saml.AllowAnyNameID })
		c := s.signIn(samltest.Answer{User: samltest.User{UserPrincipalName: "x"},
			NameIDFormat: samltest.FormatTransient})
		ends(s)
		s.wantNot("", s.send(form("/jobs", secret, c)), 303)
	})
	t.Run("two cookies of one name", func(t *testing.T) {
		t.Parallel()
		s := newFormSite(t)
		c := s.signIn(samltest.Answer{})
		ends(s)
		r := form("/jobs", secret, c)
		r.AddCookie(&http.Cookie{Name: c.Name, Value: "planted"})
		s.wantNot("", s.send(r), 303)
	})
	t.Run("a session that was ended beside it", func(t *testing.T) { // while keys change
		t.Parallel()
		s := newFormSite(t)
		over := s.signIn(samltest.Answer{})
		s.clock.advance(time.Hour)
		s.guard(s.newManager(func(c *Config) {
			c.KeepForms, c.Keys = true, [][]byte{saml.NewStateKey(), testKey}
		}))
		ended := s.signIn(samltest.Answer{})
		signsOut(s, ended)
		s.clock.advance(time.Hour)
		r := form("/jobs", secret, over)
		r.AddCookie(&http.Cookie{Name: ended.Name, Value: ended.Value})
		s.wantNot("", s.send(r), 303)
	})
	t.Run("nobody knows", func(t *testing.T) { // the browser posts the form again when the user reloads
		t.Parallel()
		s := newFormSite(t)
		c := s.signIn(samltest.Answer{})
		ends(s)
		s.store.fail(errBroken)
		s.wantNot("", s.send(form("/jobs", secret, c)), 503)
		s.store.fail(nil)
		s.clock.advance(askEvery)
		s.wantWaits("a moment later", s.send(form("/jobs", secret, c)), 401)
	})
}

func ofAcme(c *saml.Config) { c.Tenant = "acme" }

// forgetClaims drops what the store would have forgotten by now.
func (s *formSite) forgetClaims() {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	for key, ttl := range s.store.keys {
		if ttl < 13*time.Hour {
			delete(s.store.keys, key)
		}
	}
}

// TestKeepFormsNeedsBothSettings: one of the two alone keeps nothing, and the log says once what is
// missing.
func TestKeepFormsNeedsBothSettings(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		keep, account bool
		want          string
	}{
		"both":             {true, true, ""},
		"neither":          {false, false, ""},
		"no FormAccount":   {true, false, "set saml.HandlerConfig.FormAccount to"},
		"KeepForms is off": {false, true, "Set session.Config.KeepForms to true"},
	} {
		var log bytes.Buffer
		s := newSite(t, func(c *Config) {
			c.KeepForms, c.Logger = row.keep, slog.New(slog.NewTextHandler(&log, nil))
		})
		config := saml.HandlerConfig{Provider: s.sp, Sessions: s.Manager, Logger: quiet}
		if row.account {
			config.FormAccount = s.FormAccount
		}
		login, err := saml.NewHandler(config)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			answerOf(login.Require(greeting), form("/jobs", secret, nil))
		}
		if n := strings.Count(log.String(), "forms are lost over a sign-in"); n != min(len(row.want), 1) ||
			!strings.Contains(log.String(), row.want) {
			t.Errorf("%s: the log says %q, want %q once", name, log.String(), row.want)
		}
	}
}

// TestFormAccountOfAnUnknownSession: an error means that nobody knows, as with Session.
func TestFormAccountOfAnUnknownSession(t *testing.T) {
	t.Parallel()
	s := newFormSite(t)
	c := s.signIn(samltest.Answer{})
	if a, err := s.FormAccount(form("/jobs", secret, c)); a != nil || !errors.Is(err, saml.CodeConfig) {
		t.Errorf("outside of Require: got %+v, %v", a, err)
	}
	s.clock.advance(2 * time.Hour)
	if a, err := s.FormAccount(form("/jobs", secret, c)); a != nil || !errors.Is(err, saml.CodeConfig) {
		t.Errorf("outside of Require, the session has ended: got %+v, %v", a, err)
	}
}

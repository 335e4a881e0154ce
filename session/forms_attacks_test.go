package session

import (
	"cmp"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// TestAttacksOnKeptForms: a form that waits reaches the application by the button of our page
// alone, in a session of its account, where it was posted, and once.
func TestAttacksOnKeptForms(t *testing.T) {
	t.Parallel()
	grace := samltest.Answer{User: samltest.DefaultUsers()[3]}
	by := func(header ...string) []string { return header }
	old := func(header ...string) []string { return append(header, oldBrowser...) }
	for name, row := range map[string]struct {
		target string // "" is that of the form
		header []string
		before func(s *formSite) // what happens before the form is sent again
		answer samltest.Answer   // of the sign-in
		status int
		waits  bool // the form can still be sent
	}{
		"no attack":                   {status: 200},
		"no attack, an old browser":   {header: oldBrowser, status: 200},
		"no attack, after 59 minutes": {before: func(s *formSite) { s.clock.advance(59 * time.Minute) }, status: 200},
		"no attack, by a new key": {before: func(s *formSite) {
			s.serve(s.sp.EntityID(), func(c *saml.Config) { c.StateKeys = [][]byte{saml.NewStateKey(), testKey} })
		}, status: 200},

		"from another site":                 {header: by("Sec-Fetch-Site", "cross-site"), status: 403},
		"from a sibling host":               {header: by("Sec-Fetch-Site", "same-site"), status: 403},
		"from nowhere":                      {header: by("Sec-Fetch-Site", "none"), status: 403},
		"from another port":                 {header: by("Origin", baseURL+":8443"), status: 403},
		"from http":                         {header: old("Origin", "http://console.example.com"), status: 403},
		"from another site, an old browser": {header: old("Origin", "https://evil.example"), status: 403},
		"from a sandbox, an old browser":    {header: old("Origin", "null"), status: 403},
		"without Origin, an old browser":    {header: old("Origin", ""), status: 403},
		"in a frame":                        {header: by("Sec-Fetch-Dest", "iframe"), status: 403},
		"by fetch":                          {header: by("Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"), status: 403},
		"by XMLHttpRequest":                 {header: old("X-Requested-With", "XMLHttpRequest"), status: 403},
		"by a program":                      {header: append(oldBrowser[:6:6], "Accept", "*/*"), status: 403},
		"with Authorization":                {header: by("Authorization", "Bearer x"), status: 403},

		"pasted for another user": {answer: grace, status: 403, waits: true},
		"to another path":         {target: "/users?id=7", status: 400},
		"with another query":      {target: "/jobs?id=8", status: 400},
		"without its query":       {target: "/jobs", status: 400},
		"an hour later":           {before: func(s *formSite) { s.clock.advance(time.Hour) }, status: 410},
		"before it was kept":      {before: func(s *formSite) { s.clock.advance(-time.Hour) }, status: 400},
		"at another tenant":       {before: func(s *formSite) { s.serve(s.sp.EntityID(), ofAcme) }, status: 400},
		"at another service": {before: func(s *formSite) {
			s.serve("urn:other", func(*saml.Config) {})
		}, status: 400},
		"at another origin, a page that hides its own": {header: by("Origin", "null"), before: func(s *formSite) {
			s.serve(s.sp.EntityID(), func(c *saml.Config) { c.BaseURL = "https://other.example.com" })
		}, status: 400},
		"its key is gone": {before: func(s *formSite) {
			s.serve(s.sp.EntityID(), func(c *saml.Config) { c.StateKeys = [][]byte{saml.NewStateKey()} })
		}, status: 400},
		"the claim fails": {before: func(s *formSite) { s.claims.fail(errBroken) }, status: 503, waits: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newFormSite(t)
			again, _ := s.kept()
			if row.before != nil {
				row.before(s)
			}
			s.claims.fail(nil)
			c := s.signIn(row.answer)
			if name == "the claim fails" {
				s.claims.fail(errBroken)
			}
			w := s.send(form(cmp.Or(row.target, "/jobs?id=7"), again, c, row.header...))
			switch {
			case row.status == 200:
				if w.Code != 200 || w.Body.String() != written {
					t.Errorf("got status %d, %q", w.Code, w.Body)
				}
			case row.waits:
				if s.wantWaits(name, w, row.status) != again || len(s.got) > 0 {
					t.Errorf("another form waits, or the application got %q", s.got)
				}
			default:
				s.wantNot(name, w, row.status)
				if strings.Contains(w.Body.String(), "Ioana") || w.Header().Get("Cache-Control") != "no-store" {
					t.Errorf("got %s, %v", w.Body, w.Header())
				}
			}
		})
	}
}

// TestKeptFormIsSentOnce: a double click, the Back button and a copied page send nothing twice,
// also at another replica. A claim that failed is tried again by the user, and nobody else.
func TestKeptFormIsSentOnce(t *testing.T) {
	t.Parallel()
	s := newFormSite(t)
	again, _ := s.kept()
	c := s.signIn(samltest.Answer{})
	s.claims.fail(errBroken)
	s.wantWaits("the claim fails", s.send(form("/jobs?id=7", again, c)), 503)
	s.claims.fail(nil)
	if w := s.send(form("/jobs?id=7", again, c)); w.Body.String() != written {
		t.Errorf("a moment later: got status %d, %s", w.Code, w.Body)
	}
	s.got = nil
	s.wantNot("a second time", s.send(form("/jobs?id=7", again, c)), 409)
	s.guard(s.newManager(func(c *Config) { c.KeepForms = true }))
	w := s.send(form("/jobs?id=7", again, c))
	s.wantNot("at another replica", w, 409)
	if !strings.Contains(w.Body.String(), "may have been sent before") {
		t.Errorf("got %s", w.Body)
	}
	for key, ttl := range s.claims.keys {
		if strings.HasPrefix(key, "v1/form/") && ttl <= time.Hour {
			t.Errorf("the store remembers the form for %s, and it can be sent for an hour", ttl)
		}
	}
}

// TestSentAgainIsOneField: what is no form of our page is passed on as it is, and opens nothing.
func TestSentAgainIsOneField(t *testing.T) {
	t.Parallel()
	s := newFormSite(t)
	again, _ := s.kept()
	c := s.signIn(samltest.Answer{})
	for name, row := range map[string]struct {
		body, kind string
		status     int
	}{
		"behind another field": {"a=1&" + again, urlEncoded, 200},
		"as text":              {again, "text/plain", 200},
		"before another field": {again + "&a=1", urlEncoded, 400},
		"escaped":              {strings.Replace(again, "=", "=%41", 1), urlEncoded, 400},
		"cut":                  {again[:len(again)-4], urlEncoded, 400},
		"with a line break":    {again[:20] + "\n" + again[20:], urlEncoded, 400},
		"empty":                {"saml_form=", urlEncoded, 400},
		"too long":             {"saml_form=" + strings.Repeat("A", 96<<10), urlEncoded, 400},
		"somebody else's text": {"saml_form=AAAA", urlEncoded, 400},
	} {
		s.got = nil
		w := s.send(form("/jobs?id=7", row.body, c, "Content-Type", row.kind))
		if row.status != 200 {
			s.wantNot(name, w, row.status)
			continue
		}
		if want := row.body; w.Code != 200 || len(s.got) != 1 || !strings.HasSuffix(s.got[0], ": "+want) {
			t.Errorf("%s: got status %d, the application got %.200q", name, w.Code, s.got)
		}
	}
	s.got = nil
	put := form("/jobs?id=7", again, c)
	put.Method = "PUT"
	if s.send(put); len(s.got) != 1 || !strings.HasSuffix(s.got[0], again) {
		t.Errorf("another method: the application got %q", s.got)
	}
}

package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
	"github.com/iomete/saml/session"
)

// memoryRecords remembers how long the last record is, for the floor.
type memoryRecords struct {
	session.MemoryRecords
	length int // bytes
}

func (m *memoryRecords) Put(ctx context.Context, key string, value []byte, lifetime time.Duration) error {
	m.length = len(value)
	return m.MemoryRecords.Put(ctx, key, value, lifetime)
}

// newOursSite has our sessions. Without records all of a session is in its cookie.
func newOursSite(idp *samltest.IdentityProvider, records *memoryRecords) (*site, error) {
	sp, err := newServiceProvider(idp, nil)
	if err != nil {
		return nil, err
	}
	config := session.Config{Keys: [][]byte{saml.NewStateKey()}, Store: forgetful{}, Now: clock}
	if records != nil {
		config.Records = records
	}
	sessions, err := session.New(config)
	if err != nil {
		return nil, err
	}
	login := sp.Handler(sessions)
	s := &site{acs: login, starts: newRequest(http.MethodGet, redirectPath, "")}
	s.page = login.Require(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		i := session.FromContext(r.Context()).Identity
		s.who = person{i.Email, i.Groups}
	}))
	return s, nil
}

// oursSignIn is a browser that has begun a login here and posts the answer, again and again.
type oursSignIn struct {
	*site
	pending
	want person

	first, second string // the bodies of the two posts
}

func newOursSignIn(f *fixture) (*oursSignIn, error) {
	site, err := newOursSite(f.idp, nil)
	if err != nil {
		return nil, err
	}
	s := &oursSignIn{site: site, want: f.want}
	if s.pending, err = site.begin(site.acs, f.idp, samltest.Answer{}); err != nil {
		return nil, err
	}
	s.first = s.fields.Encode()
	s.second = url.Values{"SAMLResponse": {s.form}, "saml_leg": {"2"}}.Encode()
	return s, nil
}

const sessionCookie = "__Host-session-" // how our session cookie's name begins

var errNoSession = errors.New("the sign-in ends without a session")

// do is both legs. The answer to the first one is a page that holds the whole response.
func (s *oursSignIn) do() error {
	w := newResponse()
	s.acs.ServeHTTP(w, newPost(s.first, ""))
	if w.status != http.StatusOK || w.length < len(s.form) {
		return fmt.Errorf("the first leg is answered with status %d and %d bytes", w.status, w.length)
	}
	return s.secondLeg()
}

func (s *oursSignIn) secondLeg() error {
	_, err := s.finish()
	return err
}

func (s *oursSignIn) finish() (*response, error) {
	w := newResponse()
	s.acs.ServeHTTP(w, newPost(s.second, s.cookies))
	if w.status != http.StatusSeeOther || !w.setsCookie(sessionCookie) {
		return nil, fmt.Errorf("%w, but with status %d", errNoSession, w.status)
	}
	return w, nil
}

// check looks at the page of the first leg, and opens the session of the second.
func (s *oursSignIn) check() error {
	if err := s.do(); err != nil {
		return err
	}
	w := newResponse()
	w.body = new(bytes.Buffer)
	s.acs.ServeHTTP(w, newPost(s.first, ""))
	page := html.UnescapeString(w.body.String())
	if !strings.Contains(page, s.form) || !strings.Contains(page, "saml_leg") {
		return errors.New("the first leg is not answered with a form")
	}
	w, err := s.finish()
	if err != nil {
		return err
	}
	return s.checkVisit(w.cookies(sessionCookie), s.want)
}

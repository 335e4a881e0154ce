package bench

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/iomete/saml/samltest"
)

// signInRow is a whole sign-in through the handlers, from the identity provider's form to the
// session cookie, without a network. We take two posts for it, the peer one. The floor is that of
// the response alone.
func signInRow() ([]Job, error) {
	ours, floor, err := newPosts()
	if err != nil {
		return nil, err
	}
	crewjam, err := newCrewjamSignIn()
	if err != nil {
		return nil, err
	}
	return []Job{
		{Floor, floor.do, floor.do},
		{Ours, ours.do, ours.check},
		{Crewjam, crewjam.do, crewjam.check},
	}, nil
}

// Posts are jobs around the posts of a sign-in, which may be done by many goroutines at once: the
// floor of the response, both legs, and the second leg alone.
func Posts() (floor, both, second Job, err error) {
	s, fl, err := newPosts()
	if err != nil {
		return floor, both, second, err
	}
	return Job{"floor of the response", fl.do, fl.do}, Job{"both legs", s.do, s.check},
		Job{"leg two alone", s.secondLeg, s.check}, nil
}

func newPosts() (*oursSignIn, *floor, error) {
	f, err := newFixture(1, samltest.Answer{})
	if err != nil {
		return nil, nil, err
	}
	ours, err := newOursSignIn(f)
	if err != nil {
		return nil, nil, err
	}
	floor, err := newFloor(&fixture{idp: f.idp, form: ours.form, want: f.want})
	return ours, floor, err
}

// A site is a service behind single sign-on, with its Redirect URL and a page that says who is
// signed in.
type site struct {
	acs, page http.Handler
	starts    *http.Request // begins a login
	who       person        // whom page was served to last
}

// A pending login has begun in a browser, and is answered.
type pending struct {
	cookies string
	form    string     // the form value SAMLResponse
	fields  url.Values // all that the identity provider's form posts
}

// begin begins a login at handler and lets the identity provider answer.
func (s *site) begin(handler http.Handler, idp *samltest.IdentityProvider, a samltest.Answer) (p pending, err error) {
	w := newResponse()
	handler.ServeHTTP(w, s.starts)
	location := w.header.Get("Location")
	if a.RequestID, err = requestIDIn(location); err != nil {
		return p, err
	}
	u, err := url.Parse(location)
	if err != nil {
		return p, err
	}
	a.Recipient = redirectURL
	p.cookies = w.cookies("")
	p.form, err = idp.Respond(a)
	p.fields = url.Values{"SAMLResponse": {p.form}}
	if relay := u.Query().Get("RelayState"); relay != "" {
		p.fields.Set("RelayState", relay)
	}
	return p, err
}

// visit asks for the page with the cookies of a session.
func (s *site) visit(cookies string) (person, error) {
	s.who = person{}
	w := newResponse()
	s.page.ServeHTTP(w, newRequest(http.MethodGet, "/page", cookies))
	if s.who.email == "" {
		return s.who, fmt.Errorf("the page is answered with status %d", w.status)
	}
	return s.who, nil
}

// checkVisit compares who the page sees with want.
func (s *site) checkVisit(cookies string, want person) error {
	return personJob("", want, func() (person, error) { return s.visit(cookies) }).Check()
}

func requestIDIn(location string) (string, error) {
	document, err := inflate(location)
	if err != nil {
		return "", err
	}
	_, id, ok := bytes.Cut(document, []byte(` ID="`))
	id, _, _ = bytes.Cut(id, []byte(`"`))
	if !ok {
		return "", errors.New("the request has no ID")
	}
	return string(id), nil
}

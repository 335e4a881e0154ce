package bench

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
	"github.com/iomete/saml/session"
)

// signInRow is both legs of the POST through the handler, from the identity provider's form to the
// session cookie, without a network. The floor is that of the response alone. The peer does its one
// POST without HTTP and without a session: less than half of this.
func signInRow() ([]Job, error) {
	f, err := newFixture(1, samltest.Answer{})
	if err != nil {
		return nil, err
	}
	ours, err := newSignIn(f)
	if err != nil {
		return nil, err
	}
	floor, err := newFloor(&fixture{idp: f.idp, form: ours.form, want: f.want})
	if err != nil {
		return nil, err
	}
	crewjam, err := newCrewjam(f)
	if err != nil {
		return nil, err
	}
	return []Job{{Floor, floor.do, floor.do}, {Ours, ours.do, ours.do}, verifyJob(Crewjam, f, crewjam)}, nil
}

// signIn is a browser that has begun a login and posts the answer.
type signIn struct {
	handler http.Handler
	state   *http.Cookie
	form    string

	first, second string // the bodies of the two posts
}

func newSignIn(f *fixture) (*signIn, error) {
	metadata, err := f.idp.Metadata()
	if err != nil {
		return nil, err
	}
	sp, err := newServiceProvider(metadata)
	if err != nil {
		return nil, err
	}
	sessions, err := session.New(session.Config{Keys: [][]byte{saml.NewStateKey()}, Store: forgetful{}, Now: clock})
	if err != nil {
		return nil, err
	}
	s := &signIn{handler: sp.Handler(sessions)}
	begin := httptest.NewRecorder()
	s.handler.ServeHTTP(begin, httptest.NewRequest(http.MethodGet, redirectURL, nil))
	s.state = begin.Result().Cookies()[0]
	id, err := requestIDIn(begin.Result().Header.Get("Location"))
	if err != nil {
		return nil, err
	}
	s.form, err = f.idp.Respond(samltest.Answer{Recipient: redirectURL, RequestID: id})
	s.first = url.Values{"SAMLResponse": {s.form}}.Encode()
	s.second = url.Values{"SAMLResponse": {s.form}, "saml_leg": {"2"}}.Encode()
	return s, err
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

var errNoSession = errors.New("the second leg ends without a session")

func (s *signIn) do() error {
	first := s.post(s.first, nil)
	if first.Code != http.StatusOK || !strings.Contains(first.Body.String(), "saml_leg") {
		return errors.New("the first leg is not answered with a form")
	}
	second := s.post(s.second, s.state)
	if second.Code != http.StatusSeeOther || !strings.Contains(strings.Join(second.Header()["Set-Cookie"], "\n"),
		"__Host-session-") {
		return errNoSession
	}
	return nil
}

func (s *signIn) post(body string, state *http.Cookie) *httptest.ResponseRecorder {
	r := &http.Request{Method: http.MethodPost, URL: &url.URL{Path: redirectPath}, Host: "console.example.com",
		Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, Body: io.NopCloser(strings.NewReader(body))}
	if state != nil {
		r.AddCookie(state)
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w
}

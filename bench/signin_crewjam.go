package bench

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/crewjam/saml/samlsp"
	dsig "github.com/russellhaering/goxmldsig"

	"github.com/iomete/saml/samltest"
)

// A crewjamSite keeps the error that a refusal would hide.
type crewjamSite struct {
	*site
	err error
}

// newCrewjamSite is samlsp as its documentation sets it up. key signs its sessions and pending
// logins.
func newCrewjamSite(idp *samltest.IdentityProvider, key crypto.Signer) (*crewjamSite, error) {
	metadata, err := crewjamMetadata(idp)
	if err != nil {
		return nil, err
	}
	root, err := url.Parse(baseURL)
	if err != nil {
		return nil, err
	}
	middleware, err := samlsp.New(samlsp.Options{EntityID: redirectURL, URL: *root, IDPMetadata: metadata, SessionKey: key,
		Clock: dsig.NewFakeClockAt(now)})
	if err != nil {
		return nil, err
	}
	s := &crewjamSite{site: &site{acs: middleware, starts: newRequest(http.MethodGet, "/page", "")}}
	middleware.OnError = func(w http.ResponseWriter, _ *http.Request, err error) {
		s.err = crewjamReason(err)
		w.WriteHeader(http.StatusForbidden)
	}
	s.page = middleware.RequireAccount(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if claims, ok := samlsp.SessionFromContext(r.Context()).(samlsp.JWTSessionClaims); ok {
			s.who = person{claims.Subject, claims.Attributes[claimGroups]}
		}
	}))
	return s, nil
}

const crewjamCookie = "token" // its name for a session

// newES256 is the kind of key with which the peer signs fastest. With an RSA key, its default, each
// sign-in costs it the time of an RSA signature more.
func newES256() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

// crewjamSignIn is a browser that has begun a login there and posts the answer, again and again.
type crewjamSignIn struct {
	*crewjamSite
	pending
	want person
	post string // the body
}

func newCrewjamSignIn() (*crewjamSignIn, error) {
	f, err := newFixture(1, samltest.Answer{})
	if err != nil {
		return nil, err
	}
	key, err := newES256()
	if err != nil {
		return nil, err
	}
	return signInAtCrewjam(f, key, samltest.Answer{})
}

func signInAtCrewjam(f *fixture, key crypto.Signer, a samltest.Answer) (*crewjamSignIn, error) {
	site, err := newCrewjamSite(f.idp, key)
	if err != nil {
		return nil, err
	}
	s := &crewjamSignIn{crewjamSite: site, want: f.want}
	s.pending, err = site.begin(site.page, f.idp, a)
	s.post = s.fields.Encode()
	return s, err
}

func (s *crewjamSignIn) do() error {
	_, err := s.finish()
	return err
}

func (s *crewjamSignIn) finish() (*response, error) {
	s.err = nil
	w := newResponse()
	s.acs.ServeHTTP(w, newPost(s.post, s.cookies))
	switch {
	case s.err != nil:
		return nil, s.err
	case w.status != http.StatusFound || !w.setsCookie(crewjamCookie):
		return nil, fmt.Errorf("%w, but with status %d", errNoSession, w.status)
	}
	return w, nil
}

func (s *crewjamSignIn) check() error {
	w, err := s.finish()
	if err != nil {
		return err
	}
	if err := s.checkVisit(w.cookies(crewjamCookie), s.want); err != nil {
		return errors.Join(err, s.err)
	}
	return nil
}

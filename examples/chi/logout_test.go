package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// TestLogout: the identity provider ends the sessions of one user in all browsers. The user can sign in
// again, but not with a response from before the logout.
func TestLogout(t *testing.T) {
	t.Parallel()
	var own *sessions
	logins := make(chan *saml.Login, 10)
	h := newHouse(t, func(c config) (http.Handler, error) {
		s, sp, _, err := parts(c)
		if err != nil {
			return nil, err
		}
		own = s
		login := sp.Handler(noting{s, logins})
		mux := http.NewServeMux()
		mux.Handle(sp.RedirectPath(), login)
		mux.Handle("/", login.Require(http.HandlerFunc(home)))
		return s.LoadAndSave(mux), nil
	})
	first, second, other := h.browser(), h.browser(), h.browser()
	first.signIn("/", analyst).want(http.StatusOK, analyst.Mail)
	second.signIn("/", analyst).want(http.StatusOK, analyst.Mail)
	other.signIn("/", administrator).want(http.StatusOK, administrator.Mail)
	<-logins
	late := <-logins // of the second browser
	subject := late.LogoutSubject()
	l := &saml.Logout{Tenant: subject.Tenant, EntityID: subject.EntityID, Issuer: subject.Issuer, NameID: subject.NameID,
		IssueInstant: subject.IssueInstant}
	if err := own.endSessions(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	h.idp.SignInAs(samltest.User{}) // from here on the sessions alone count
	first.open("/").wantAsked()
	second.open("/").wantAsked()
	other.open("/").want(http.StatusOK, administrator.Mail)

	ctx, err := own.Load(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	r, _ := http.NewRequestWithContext(ctx, http.MethodPost, "/", nil)
	if err := own.SignIn(nil, r, late); !errors.Is(err, saml.CodeSignedOut) {
		t.Errorf("a late response: got %v, want %v", err, saml.CodeSignedOut)
	}
	time.Sleep(time.Until(subject.IssueInstant.Truncate(time.Second).Add(time.Second))) // whole seconds count
	first.signIn("/", analyst).want(http.StatusOK, analyst.Mail)
}

// TestEndSession: what the identity provider is told, once.
func TestEndSession(t *testing.T) {
	t.Parallel()
	var got []*saml.LogoutSubject
	h := newHouse(t, func(c config) (http.Handler, error) {
		s, sp, login, err := parts(c)
		if err != nil {
			return nil, err
		}
		mux := http.NewServeMux()
		mux.Handle(sp.RedirectPath(), login)
		mux.Handle("/", login.Require(http.HandlerFunc(home)))
		mux.HandleFunc("POST /sign-out", func(w http.ResponseWriter, r *http.Request) {
			subject, err := s.endSession(w, r)
			if err != nil {
				t.Error(err)
			}
			got = append(got, subject)
		})
		return s.LoadAndSave(mux), nil
	})
	b := h.browser()
	b.signIn("/", analyst).want(http.StatusOK, analyst.Mail)
	for range 2 {
		b.do(http.MethodPost, "/sign-out", "Accept", "text/html").want(http.StatusOK)
	}
	if got[0] == nil || got[0].NameID.Value != analyst.Mail || len(got[0].SessionIndexes) != 1 || got[1] != nil {
		t.Errorf("got %+v", got)
	}
	b.open("/").wantAsked()
}

// TestSignOutAtTheIdentityProvider: with a signing key the sign-out ends the session here, and leads to the
// identity provider with a request that names the user.
func TestSignOutAtTheIdentityProvider(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	certificate := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, certificate, certificate, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	h := newHouse(t, func(c config) (http.Handler, error) {
		c.Signing = &tls.Certificate{PrivateKey: key, Certificate: [][]byte{der}}
		return newService(c)
	})
	b := h.browser()
	b.signIn("/", analyst).want(http.StatusOK, analyst.Mail)
	b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	r, err := http.NewRequest(http.MethodPost, h.url+"/sign-out", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	answer, err := b.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	idp, err := saml.ParseMetadata(h.config.Metadata)
	if err != nil {
		t.Fatal(err)
	}
	to, query, _ := strings.Cut(answer.Header.Get("Location"), "?")
	if answer.StatusCode != http.StatusSeeOther || to != idp.LogoutURL() ||
		!strings.HasPrefix(query, "SAMLRequest=") || !strings.Contains(query, "&Signature=") {
		t.Errorf("got status %d to %s?%s", answer.StatusCode, to, query)
	}
	b.CheckRedirect = nil
	b.h.idp.SignInAs(samltest.User{}) // from here on the session alone counts
	b.open("/").wantAsked()
}

// noting passes on each login before the session begins.
type noting struct {
	*sessions
	logins chan<- *saml.Login
}

func (n noting) SignIn(w http.ResponseWriter, r *http.Request, login *saml.Login) error {
	n.logins <- login
	return n.sessions.SignIn(w, r, login)
}

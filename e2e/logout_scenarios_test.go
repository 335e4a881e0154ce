package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"log"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

const (
	logOut    = "#logout"
	signedOut = "You are signed out"
)

// serviceKey signs the logout messages of all worlds.
var serviceKey = sync.OnceValues(func() (*ecdsa.PrivateKey, []byte) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "service"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		log.Fatal(err)
	}
	return key, certificate
})

// logsOut is a service that takes part in single logout.
func logsOut(c *saml.Config) {
	c.LogoutPath = "/saml/logout"
	c.SigningKey, c.SigningCertificate = serviceKey()
}

// registerLogout tells the identity provider of the Logout URL, and of the key, without which it takes no
// message. change can be nil.
func (w *world) registerLogout(change func(*samltest.Application)) {
	_, certificate := serviceKey()
	app := samltest.Application{Identifier: w.sp.RedirectURL(), ReplyURLs: []string{w.sp.RedirectURL()},
		LogoutURL: w.sp.LogoutURL(), SigningCertificate: certificate, ChangeLogout: withBigDigits}
	if change != nil {
		change(&app)
	}
	w.idp.Register(app)
}

// withBigDigits writes %2F. WebKit on libsoup (GNOME Web) does that with every %2f of an address, and so
// breaks signatures over a query as Microsoft's products write it.
func withBigDigits(l *samltest.Logout) { l.Redirect.Escape = url.QueryEscape }

// signInSilently signs in by the session at the identity provider, and opens the page on both replicas, so
// that both have just found that the session goes on.
func (v *visit) signInSilently() {
	v.Helper()
	v.idp.SignInAs(samltest.DefaultUsers()[0])
	v.visit(v.url("/jobs"))
	v.want(signedIn + "/jobs<")
	v.visit(v.url(secondReplica))
	v.want(signedIn + secondReplica)
}

// wantSignedOut expects that the session is gone on each replica, at the latest 10 seconds later.
func (v *visit) wantSignedOut() {
	v.Helper()
	v.advance(10 * time.Second)
	for _, path := range []string{secondReplica, "/jobs"} {
		v.must(until("opening "+path, func() (bool, error) { // Firefox may refuse while frames are loading
			err := v.page.Navigate(v.url(path))
			return err == nil, err
		}))
		v.want(asking)
	}
}

// logoutLegs are the requests at the Logout URL.
func (v *visit) logoutLegs() []leg {
	return slices.DeleteFunc(v.recorded(), func(l leg) bool { return l.Path != v.sp.LogoutPath() })
}

// logoutScenarios are about single logout. The identity provider is on another site than the service.
var logoutScenarios = []scenario{
	{name: "logout in a frame of another site", config: logsOut, play: func(v *visit) {
		v.registerLogout(nil)
		v.signInSilently()
		v.visit(v.idp.SignOutURL())
		v.want(signedOut)
		v.must(until("a request in the frame", func() (bool, error) { return len(v.logoutLegs()) > 0, nil }))
		l := v.logoutLegs()[0]
		if l.Method != "GET" || l.Site != "cross-site" || l.Dest != "iframe" || len(l.Cookies) != 0 || l.Status >= 400 {
			v.Errorf("the frame sent %+v, want a request of another site without cookies that is answered", l)
		}
		v.wantSignedOut()
		v.outcome = "no cookie arrives; the session is gone on a second replica within 10 s"
	}},
	{name: "logout in a frame, in Microsoft's spelling", config: logsOut, play: func(v *visit) {
		v.registerLogout(func(a *samltest.Application) { a.ChangeLogout = nil })
		v.signInSilently()
		v.visit(v.idp.SignOutURL())
		v.must(until("a request in the frame", func() (bool, error) { return len(v.logoutLegs()) > 0, nil }))
		if l := v.logoutLegs()[0]; l.BigDigits {
			if l.Status != http.StatusBadRequest {
				v.Errorf("the frame sent %+v, want it refused: the browser has changed what was signed", l)
			}
			v.outcome = "refused: this browser writes %2F for each %2f, which breaks the signature"
			return
		}
		v.wantSignedOut()
		v.outcome = "the session is gone"
	}},
	{name: "logout that a form of another site posts", config: logsOut, play: func(v *visit) {
		v.registerLogout(nil)
		v.signInSilently()
		form, err := v.idp.LogoutForm(samltest.Logout{Session: v.idp.Sessions()[0]})
		v.must(err)
		v.idp.SignInAs(samltest.User{})
		values := map[string]string{}
		for name := range form.Values {
			values[name] = form.Values.Get(name)
		}
		v.visit(v.form(form.Action, values))
		v.must(until("a request by POST", func() (bool, error) { return len(v.logoutLegs()) > 0, nil }))
		if l := v.logoutLegs()[0]; l.Method != "POST" || len(l.Cookies) != 0 || l.Status >= 400 {
			v.Errorf("the form sent %+v, want it without cookies and answered", l)
		}
		v.wantSignedOut()
		v.outcome = "no cookie arrives; the session is gone on a second replica within 10 s"
	}},
	{name: "forged logout in a frame", config: logsOut, play: func(v *visit) {
		v.registerLogout(func(a *samltest.Application) {
			a.ChangeLogout = func(l *samltest.Logout) { l.Unsigned = true }
		})
		v.signInSilently()
		v.visit(v.idp.SignOutURL())
		v.must(until("a request in the frame", func() (bool, error) { return len(v.logoutLegs()) > 0, nil }))
		v.advance(10 * time.Second)
		v.visit(v.url(secondReplica))
		v.want(signedIn + secondReplica)
		v.outcome = "an unsigned request ends nothing"
	}},
	{name: "logout begun here", config: logsOut, play: func(v *visit) { v.logoutBegunHere(samltest.HTTPRedirect) }},
	{name: "logout begun here, answered by POST", config: logsOut, play: func(v *visit) {
		v.logoutBegunHere(samltest.HTTPPost)
	}},
	{name: "logout begun here, the answer is unsigned", config: logsOut, play: func(v *visit) {
		v.registerLogout(func(a *samltest.Application) {
			a.ChangeLogout = func(l *samltest.Logout) { l.Unsigned = true }
		})
		v.signInSilently()
		v.click(logOut)
		v.must(until("an answer", func() (bool, error) { return len(v.logoutLegs()) > 0, nil }))
		v.want(signedOut)
		v.wantSignedOut()
		v.outcome = "the signed-out page, though nothing of the answer is believed"
	}},
}

// logoutBegunHere presses the button of the service. The answer of the identity provider comes by a binding,
// and the user ends on the public page of the service.
func (v *visit) logoutBegunHere(answer samltest.Binding) {
	v.Helper()
	v.registerLogout(func(a *samltest.Application) { a.LogoutBinding = answer })
	v.signInSilently()
	v.visit(v.url("/jobs"))
	v.want(signedIn + "/jobs<")
	v.click(logOut)
	v.want(signedOut)
	v.wantAddress(v.url("/signed-out"))
	messages := v.idp.LogoutMessages()
	if len(messages) != 1 || !messages[0].Request || !messages[0].Verified || messages[0].NameID != email ||
		messages[0].NameIDFormat != samltest.FormatEmail || len(messages[0].SessionIndexes) != 1 {
		v.Errorf("the identity provider got %+v, want one request with the NameID and index of the sign-in", messages)
	}
	v.wantSignedOut()
	v.outcome = fmt.Sprintf("both sessions end, and the public page is shown after an answer by %s", answer)
}

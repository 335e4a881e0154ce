package samltest_test

import (
	"bytes"
	"compress/flate"
	"crypto/rand"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/iomete/saml/samltest"
)

// console looks like a service provider to the identity provider and to the browser. It stands for
// the program under test. It does not verify signatures, so never copy it.
type console struct{ loginURL, redirectURL string }

func (c *console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	user, err := r.Cookie("user")
	switch {
	case r.Method == http.MethodPost:
		c.finish(w, r)
	case err == nil:
		fmt.Fprintf(w, "%s reads %s", user.Value, r.URL.Path)
	default:
		c.start(w, r)
	}
}

// start sends the browser to the identity provider and remembers the ID of the request in a cookie.
func (c *console) start(w http.ResponseWriter, r *http.Request) {
	id := "_" + rand.Text()
	http.SetCookie(w, &http.Cookie{
		Name:     "request",
		Value:    id,
		Path:     "/",
		Secure:   true,
		HttpOnly: true,
		SameSite: http.SameSiteNoneMode,
	})
	var request bytes.Buffer
	deflate, _ := flate.NewWriter(&request, flate.BestCompression) // the level is valid
	fmt.Fprintf(deflate, `<AuthnRequest xmlns="urn:oasis:names:tc:SAML:2.0:protocol" ID=%q Version="2.0" IssueInstant="2026-03-14T08:26:53Z">`+
		`<Issuer xmlns="urn:oasis:names:tc:SAML:2.0:assertion">%s</Issuer></AuthnRequest>`, id, c.redirectURL)
	deflate.Close()
	query := url.Values{"SAMLRequest": {base64.StdEncoding.EncodeToString(request.Bytes())}, "RelayState": {r.URL.Path}}
	http.Redirect(w, r, c.loginURL+"?"+query.Encode(), http.StatusFound)
}

// finish accepts the answer if it answers the request of this browser.
func (c *console) finish(w http.ResponseWriter, r *http.Request) {
	var response struct {
		InResponseTo string `xml:"InResponseTo,attr"`
		NameID       string `xml:"Assertion>Subject>NameID"`
	}
	document, err := base64.StdEncoding.DecodeString(r.FormValue("SAMLResponse"))
	if err != nil || xml.Unmarshal(document, &response) != nil {
		http.Error(w, "no response", http.StatusBadRequest)
		return
	}
	if cookie, err := r.Cookie("request"); err != nil || cookie.Value != response.InResponseTo {
		http.Error(w, "not asked for by this browser", http.StatusForbidden)
		return
	}
	http.SetCookie(w, &http.Cookie{Name: "user", Value: response.NameID, Path: "/", Secure: true, HttpOnly: true})
	http.Redirect(w, r, r.FormValue("RelayState"), http.StatusSeeOther)
}

// startConsole serves a console that the identity provider knows.
func startConsole(idp *samltest.IdentityProvider) *httptest.Server {
	c := &console{loginURL: idp.LoginURL()}
	server := httptest.NewTLSServer(c)
	c.redirectURL = server.URL + "/acs"
	idp.Register(samltest.Application{Identifier: c.redirectURL, ReplyURLs: []string{c.redirectURL}})
	return server
}

// newBrowser keeps cookies and trusts server, as it trusts every other TLS server of httptest.
func newBrowser(server *httptest.Server) *http.Client {
	jar, _ := cookiejar.New(nil) // never fails
	return &http.Client{Transport: server.Client().Transport, Jar: jar}
}

func TestWholeSignIn(t *testing.T) {
	t.Parallel()
	idp := samltest.MustNew(t, samltest.Options{})
	provider := httptest.NewTLSServer(idp)
	t.Cleanup(provider.Close)
	idp.SetBaseURL(provider.URL)
	app := startConsole(idp)
	t.Cleanup(app.Close)
	browser, stranger := newBrowser(app), newBrowser(app)
	do := func(response *http.Response, err error) *http.Response {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { response.Body.Close() })
		return response
	}
	text := func(response *http.Response) string {
		t.Helper()
		content, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}

	// Nobody is signed in at the provider, so it asks; the answer to the question is the same URL
	// with the user's name.
	question := do(browser.Get(app.URL + "/jobs"))
	if page := text(question); !strings.Contains(page, "Who signs in?") {
		t.Fatalf("the provider does not ask who signs in: %s", page)
	}
	chosen := question.Request.URL.String() + "&user=" + url.QueryEscape(samltest.DefaultUsers()[0].UserPrincipalName)
	form, err := samltest.ReadForm(do(browser.Get(chosen)))
	if err != nil {
		t.Fatal(err)
	}
	if form.Action != app.URL+"/acs" {
		t.Fatalf("the form goes to %q, want %q", form.Action, app.URL+"/acs")
	}

	if got := do(stranger.PostForm(form.Action, form.Values)); got.StatusCode != http.StatusForbidden {
		t.Errorf("another browser's post: %s %s", got.Status, text(got))
	}
	if got, want := text(do(browser.PostForm(form.Action,
		form.Values))), "ioana.turcanu@example.com reads /jobs"; got != want {
		t.Errorf("signed in, the page says %q, want %q", got, want)
	}
	if got, want := text(do(browser.Get(app.URL+"/queries"))), "ioana.turcanu@example.com reads /queries"; got != want {
		t.Errorf("the next page says %q, want %q", got, want)
	}

	// The provider now knows the user in all browsers, so a second browser is not asked.
	idp.SignInAs(samltest.DefaultUsers()[2])
	form, err = samltest.ReadForm(do(stranger.Get(app.URL + "/jobs")))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := text(do(stranger.PostForm(form.Action,
		form.Values))), "tomas.novak@example.net reads /jobs"; got != want {
		t.Errorf("signed in, the page says %q, want %q", got, want)
	}

	// A user who is not assigned to the application does not come back from the provider.
	idp.SignInAs(samltest.DefaultUsers()[4])
	if _, err := samltest.ReadForm(do(newBrowser(app).Get(app.URL))); err == nil ||
		!strings.Contains(err.Error(), "AADSTS50105: ") {
		t.Errorf("a user who is not assigned: %v, want AADSTS50105", err)
	}
}

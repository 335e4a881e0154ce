package samltest

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// client is a browser of its own.
type client struct {
	*http.Client
	t *testing.T
}

func newClient(t *testing.T) client {
	jar, _ := cookiejar.New(nil) // never fails
	return client{&http.Client{
		Jar:           jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, t}
}

func (c client) get(address string) *http.Response {
	c.t.Helper()
	r, err := c.Get(address)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { r.Body.Close() })
	return r
}

// submit posts a form of the home page and expects a redirect back there.
func (c client) submit(p *IdentityProvider, form string, values url.Values) {
	c.t.Helper()
	r, err := c.PostForm(p.address(form), values)
	if err != nil {
		c.t.Fatal(err)
	}
	r.Body.Close()
	if to, err := r.Location(); r.StatusCode != http.StatusSeeOther || err != nil || to.String() != p.HomeURL() {
		c.t.Errorf("%s: got %s to %v, want to be back at %s", form, r.Status, to, p.HomeURL())
	}
}

// signsIn returns the mail address of the user whom a sign-in of this browser ends with, "" if the
// provider asks.
func (c client) signsIn(p *IdentityProvider, others ...string) string {
	c.t.Helper()
	query := url.Values{"SAMLRequest": {deflated(goodRequest)}}
	for i := 0; i < len(others); i += 2 {
		query.Set(others[i], others[i+1])
	}
	r := c.get(p.LoginURL() + "?" + query.Encode())
	page := body(c.t, r)
	if strings.Contains(page, "Who signs in?") {
		return ""
	}
	r.Body = io.NopCloser(strings.NewReader(page))
	_, m := answered(c.t, r)
	return m.Assertions[0].NameID.Value
}

func TestHomePage(t *testing.T) {
	t.Parallel()
	idp := serve(t, Options{})
	r := get(t, idp.HomeURL())
	page := html.UnescapeString(body(t, r))
	if r.StatusCode != http.StatusOK || r.Header.Get("Content-Type") != "text/html; charset=utf-8" ||
		r.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("got %s, %v", r.Status, r.Header)
	}
	for what, want := range map[string]string{
		"warning":           "Not for production",
		"user":              `<button type="submit" name="user" value="ioana.turcanu@example.com">Ioana Țurcanu: ioana.turcanu@example.com</button>`,
		"user without mail": "Reports: no e-mail address</button>",
		"who is signed in":  "Nobody is signed in here",
		"start of application": `<a class="start" href="/` + idp.TenantID() + `/myapps?app=` +
			strings.ToLower(url.QueryEscape(redirectURL)) + `">` + redirectURL + `</a>`,
		"form":        `<input type="url" name="redirect_url" value="">`,
		"metadata":    `<a id="metadata" href="` + idp.MetadataURL() + `" download="federationmetadata.xml">`,
		"identifier":  `<code id="entity-id">` + idp.EntityID() + `</code>`,
		"login URL":   `<code id="login-url">` + idp.LoginURL() + `</code>`,
		"certificate": `<pre id="certificate">` + string(idp.CertificatePEM()) + `</pre>`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%s: there is no %s in %s", what, want, page)
		}
	}
	for _, method := range []string{"HEAD", "POST", "PUT"} {
		w := httptest.NewRecorder()
		idp.ServeHTTP(w, httptest.NewRequest(method, "/", nil))
		if w.Code != http.StatusNotFound {
			t.Errorf("%s: got status %d", method, w.Code)
		}
	}
}

// TestHomePageOfApplications: an application without a Sign-on URL is marked.
func TestHomePageOfApplications(t *testing.T) {
	t.Parallel()
	idp := MustNew(t, Options{Keys: testKeys.rsa()})
	at := func() string {
		w := httptest.NewRecorder()
		idp.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		return w.Body.String()
	}
	if page := at(); !strings.Contains(page, "No application is registered") {
		t.Errorf("without an application: %s", page)
	}
	if err := idp.RegisterRedirectURL(redirectURL); err != nil {
		t.Fatal(err)
	}
	if page := at(); strings.Contains(page, "No application is registered") ||
		strings.Contains(page, "Without a Sign-on URL") {
		t.Errorf("with a Sign-on URL: %s", page)
	}
	idp.Register(Application{Identifier: redirectURL, ReplyURLs: []string{redirectURL}})
	if page := at(); !strings.Contains(page, "Without a Sign-on URL") {
		t.Errorf("without a Sign-on URL: %s", page)
	}
}

func TestRegisterOnTheHomePage(t *testing.T) {
	t.Parallel()
	const other = "https://other.example.com/saml/acs"
	idp := serve(t, Options{})
	browser := newClient(t)
	browser.submit(idp, "register", url.Values{"redirect_url": {"  " + other + "\r\n"}})
	app, ok := idp.application(other)
	if !ok || !slices.Equal(app.ReplyURLs, []string{other}) || app.SignOnURL != other {
		t.Errorf("got %+v, %t", app, ok)
	}
	start := idp.MyAppsURL() + "?app=" + url.QueryEscape(other)
	if r := browser.get(start); r.StatusCode != http.StatusSeeOther || r.Header.Get("Location") != other {
		t.Errorf("start: got %s to %q", r.Status, r.Header.Get("Location"))
	}

	browser.submit(idp, "register", url.Values{"redirect_url": {other}, "blank_sign_on_url": {"yes"}})
	if app, _ = idp.application(other); app.SignOnURL != "" ||
		!slices.Equal(app.ReplyURLs, []string{other}) || len(idp.applications()) != 2 {
		t.Errorf("with a blank Sign-on URL: got %+v", idp.applications())
	}
	browser.submit(idp, "signin", url.Values{"user": {DefaultUsers()[0].UserPrincipalName}})
	if form, m := answered(t, browser.get(start)); form.Action != other || m.InResponseTo != "" {
		t.Errorf("start with a blank Sign-on URL: a form to %q, an answer to %q", form.Action, m.InResponseTo)
	}
}

func TestRedirectURLsThatAreNone(t *testing.T) {
	t.Parallel()
	idp := serve(t, Options{})
	for _, bad := range []string{
		"",
		"console.example.com/acs",
		"/acs",
		"https:///acs",
		"ftp://console.example.com/acs",
		"javascript:alert(1)",
		redirectURL + "#top",
		redirectURL + "#",
		"https://%zz",
	} {
		if err := idp.RegisterRedirectURL(bad); err == nil {
			t.Errorf("%q is registered", bad)
		}
		r := post(t, idp.address("register"), url.Values{"redirect_url": {bad}})
		if page := html.UnescapeString(body(t, r)); r.StatusCode != http.StatusBadRequest ||
			!strings.Contains(page, `<p id="error">samltest: `) ||
			!strings.Contains(page, `value="`+bad+`"`) {
			t.Errorf("%q: got %s, %s", bad, r.Status, page)
		}
	}
	if n := len(idp.applications()); n != 1 {
		t.Errorf("got %d applications, want the one of before", n)
	}
	if err := idp.RegisterRedirectURL("http://127.0.0.1:8080/acs"); err != nil {
		t.Errorf("an http URL of this machine: %v", err)
	}
}

// TestSignInOnTheHomePage: a browser that signed in there is not asked again. Other browsers are.
func TestSignInOnTheHomePage(t *testing.T) {
	t.Parallel()
	users := DefaultUsers()
	idp := serve(t, Options{})
	browser, other := newClient(t), newClient(t)
	browser.submit(idp, "signin", url.Values{"user": {users[2].UserPrincipalName}})
	if page := body(t, browser.get(idp.HomeURL())); !strings.Contains(page, `<b id="signed-in">Tomáš Novák</b>`) ||
		strings.Contains(page, `name="user"`) {
		t.Errorf("after signing in: %s", page)
	}
	for what, row := range map[string]struct{ got, want string }{
		"the browser that signed in":      {browser.signsIn(idp), users[2].Mail},
		"that browser, with a login_hint": {browser.signsIn(idp, "login_hint", users[0].Mail), users[0].Mail},
		"that browser, with a choice":     {browser.signsIn(idp, "user", users[3].UserPrincipalName), users[3].Mail},
		"another browser":                 {other.signsIn(idp), ""},
	} {
		if row.got != row.want {
			t.Errorf("%s: got %q, want %q", what, row.got, row.want)
		}
	}

	idp.SignInAs(users[0])
	if got := browser.signsIn(idp); got != users[2].Mail {
		t.Errorf("after SignInAs, the browser that signed in: got %q", got)
	}
	if got := other.signsIn(idp); got != users[0].Mail {
		t.Errorf("after SignInAs, another browser: got %q", got)
	}
	if page := body(t, other.get(idp.HomeURL())); !strings.Contains(page, `<b id="signed-in">Ioana Țurcanu</b>`) {
		t.Errorf("after SignInAs: %s", page)
	}

	browser.submit(idp, "signout", nil)
	for what, c := range map[string]client{"the browser that signed out": browser, "another browser": other} {
		if got := c.signsIn(idp); got != "" {
			t.Errorf("after sign-out, %s: got %q", what, got)
		}
	}
	r := post(t, idp.address("signin"), url.Values{"user": {"nobody@example.com"}})
	if page := body(t, r); r.StatusCode != http.StatusBadRequest ||
		!strings.Contains(page, "there is no user") || len(r.Cookies()) != 0 {
		t.Errorf("a user who is not there: got %s, %s", r.Status, page)
	}
}

func TestUserCookie(t *testing.T) {
	t.Parallel()
	users := []User{{Mail: "jürgen;größe@example.com"}}
	for base, want := range map[string]struct {
		secure bool
		site   http.SameSite
	}{"http://localhost:8080": {false, http.SameSiteLaxMode}, "https://idp.example.com": {true,
		http.SameSiteNoneMode}} {
		idp := MustNew(t, Options{Keys: testKeys.rsa(), BaseURL: base, Users: users})
		w := httptest.NewRecorder()
		if err := idp.signIn(w, users[0].Mail); err != nil {
			t.Fatal(err)
		}
		c := w.Result().Cookies()[0]
		if c.Secure != want.secure || c.SameSite != want.site || !c.HttpOnly || c.Path != "/" ||
			!strings.Contains(c.Name, idp.TenantID()) {
			t.Errorf("at %s: got %v", base, c)
		}
		r := httptest.NewRequest("GET", "/", nil)
		r.AddCookie(c)
		if got := idp.browserUser(r); got.Mail != users[0].Mail {
			t.Errorf("at %s: the cookie names %+v", base, got)
		}
		r.Header.Set("Cookie", c.Name+"=%zz")
		if got := idp.browserUser(r); !got.isZero() {
			t.Errorf("at %s: a cookie that cannot be read names %+v", base, got)
		}
	}
}

// TestFormsOfOtherSites: forms of other sites (CSRF) sign nobody in or out and register nothing.
func TestFormsOfOtherSites(t *testing.T) {
	t.Parallel()
	idp := serve(t, Options{})
	idp.SignInAs(DefaultUsers()[0])
	for form, values := range map[string]url.Values{
		"register": {"redirect_url": {"https://evil.example"}}, "signin": {"user": {DefaultUsers()[3].Mail}}, "signout": {},
		"keys/add": {}, "keys/activate": {"key": {idp.homeKeys()[0].Thumbprint}},
		"keys/remove": {"key": {idp.homeKeys()[0].Thumbprint}},
	} {
		r := httptest.NewRequest("POST", idp.address(form), strings.NewReader(values.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		w := httptest.NewRecorder()
		idp.ServeHTTP(w, r)
		if w.Code != http.StatusForbidden || len(w.Result().Cookies()) != 0 {
			t.Errorf("%s: got status %d, %v", form, w.Code, w.Header())
		}
		if r := get(t, idp.address(form)); r.StatusCode != http.StatusNotFound {
			t.Errorf("%s by GET: got %s", form, r.Status)
		}
	}
	if n := len(idp.applications()); n != 1 {
		t.Errorf("got %d applications, want one", n)
	}
	if got := newClient(t).signsIn(idp); got != DefaultUsers()[0].Mail {
		t.Errorf("the user who was signed in before: got %q", got)
	}
}

func TestHomePageBelowAPath(t *testing.T) {
	t.Parallel()
	idp := serve(t, Options{})
	server := httptest.NewServer(idp)
	t.Cleanup(server.Close)
	idp.SetBaseURL(server.URL + "/entra/")
	if want := server.URL + "/entra/"; idp.HomeURL() != want {
		t.Fatalf("home URL %q, want %q", idp.HomeURL(), want)
	}
	browser := newClient(t)
	if page := body(t, browser.get(idp.HomeURL())); !strings.Contains(page,
		`action="/entra/`+idp.TenantID()+`/register"`) {
		t.Errorf("got %s", page)
	}
	browser.submit(idp, "signin", url.Values{"user": {DefaultUsers()[0].Mail}})
	if got := browser.signsIn(idp); got != DefaultUsers()[0].Mail {
		t.Errorf("got %q", got)
	}
	if r := browser.get(server.URL); r.StatusCode != http.StatusNotFound {
		t.Errorf("above the path: got %s", r.Status)
	}
	idp.SetBaseURL("http://%zz")
	if r := browser.get(server.URL + "/" + idp.TenantID() + "/saml2"); r.StatusCode != http.StatusNotFound {
		t.Errorf("with an address that is none: got %s", r.Status)
	}
}

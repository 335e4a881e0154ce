package saml_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
	"github.com/iomete/saml/session"
)

// site is a service with our handler and sessions, and an identity provider on another host.
type site struct {
	*testing.T
	idp      *samltest.IdentityProvider
	sp       *saml.ServiceProvider
	sessions *session.Manager
	server   *httptest.Server
	events   chan saml.Event
}

// newSite serves over http on 127.0.0.1, the identity provider on localhost: two sites, as far as
// cookies go.
func newSite(t *testing.T, change func(*saml.Config)) *site {
	t.Helper()
	s := &site{T: t, events: make(chan saml.Event, 100)}
	var err error
	if s.idp, err = sharedServedIdP(); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	s.server = httptest.NewServer(mux)
	t.Cleanup(s.server.Close)
	s.sp = newProvider(t, s.idp, func(c *saml.Config) {
		c.BaseURL = s.server.URL
		c.Observe = func(_ context.Context, e saml.Event) { s.events <- e }
		if change != nil {
			change(c)
		}
	})
	s.idp.Register(samltest.Application{Identifier: s.sp.RedirectURL(), ReplyURLs: []string{s.sp.RedirectURL()},
		SignOnURL: s.sp.RedirectURL()})
	if s.sessions, err = session.New(session.Config{Keys: [][]byte{saml.NewStateKey()}}); err != nil {
		t.Fatal(err)
	}
	login := s.sp.Handler(s.sessions)
	mux.Handle(s.sp.RedirectPath(), login)
	mux.Handle("/sign-out", s.sessions.SignOutHandler("/bye"))
	mux.HandleFunc("/bye", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "bye") })
	mux.Handle("/", login.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s at %s", session.FromContext(r.Context()).Identity.Email, r.URL.RequestURI())
	})))
	return s
}

// sharedServedIdP answers on localhost for the whole test run.
var sharedServedIdP = func() func() (*samltest.IdentityProvider, error) {
	var idp *samltest.IdentityProvider
	return func() (*samltest.IdentityProvider, error) {
		if idp != nil {
			return idp, nil
		}
		p, err := samltest.New(samltest.Options{})
		if err != nil {
			return nil, err
		}
		server := httptest.NewServer(p)
		p.SetBaseURL(strings.Replace(server.URL, "127.0.0.1", "localhost", 1))
		p.SignInAs(samltest.DefaultUsers()[0])
		idp = p
		return idp, nil
	}
}()

// visitor is a browser at the site: it asks for HTML, keeps cookies, and leaves them at home on a
// POST from another site, as SameSite=Lax says.
type visitor struct {
	browser
	site *site
}

func (s *site) visitor() visitor {
	return visitor{newBrowser(s.T, asHTML{http.DefaultTransport}), s}
}

type asHTML struct{ http.RoundTripper }

func (a asHTML) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Header.Get("Accept") == "" {
		r.Header.Set("Accept", "text/html")
	}
	return a.RoundTripper.RoundTrip(r)
}

// postCrossSite posts as a page of the identity provider does: without our cookies.
func (v visitor) postCrossSite(form samltest.Form) *http.Response {
	v.t.Helper()
	client := &http.Client{Transport: v.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	request, err := http.NewRequest("POST", form.Action, strings.NewReader(form.Values.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Sec-Fetch-Site", "cross-site")
	response, err := client.Do(request)
	if err != nil {
		v.t.Fatal(err)
	}
	return response
}

// post does both legs: the first without cookies, the second from our own page.
func (v visitor) post(form samltest.Form) *http.Response {
	v.t.Helper()
	first := v.postCrossSite(form)
	if cookies := first.Cookies(); len(cookies) > 0 {
		v.t.Errorf("the first leg sets cookies: %v", cookies)
	}
	page, err := samltest.ReadForm(first)
	if err != nil {
		v.t.Fatal(err)
	}
	if page.Action != v.site.sp.RedirectURL() || len(page.Values) > 3 {
		v.t.Errorf("the first leg posts %d fields to %s", len(page.Values), page.Action)
	}
	response, err := v.PostForm(page.Action, page.Values)
	if err != nil {
		v.t.Fatal(err)
	}
	return response
}

func (v visitor) wantPage(response *http.Response, want string) {
	v.t.Helper()
	if got := bodyOf(v.t, response, nil); got != want {
		v.t.Errorf("got %q (status %d), want %q", got, response.StatusCode, want)
	}
}

// wantFailure expects an error page with the code, and a refusal with the page's reference in the
// events.
func (v visitor) wantFailure(response *http.Response, status int, code saml.Code) {
	v.t.Helper()
	body := bodyOf(v.t, response, nil)
	if response.StatusCode != status || !strings.Contains(body, "<code>"+string(code)+"</code>") ||
		response.Header.Get("Cache-Control") != "no-store" {
		v.t.Errorf("got status %d, want %d with %s: %s", response.StatusCode, status, string(code), body)
	}
	if strings.Contains(body, "example.com") {
		v.t.Errorf("the page shows something of the message: %s", body)
	}
}

const alice = "ioana.turcanu@example.com"

func TestHandlerSignsIn(t *testing.T) {
	s := newSite(t, nil)
	v := s.visitor()
	form := v.form(s.server.URL + "/jobs?id=7&x=%2F")
	v.wantPage(v.post(form), alice+" at /jobs?id=7&x=%2F")
	if started, finished := <-s.events, <-s.events; started.Kind != saml.LoginStarted ||
		finished.Kind != saml.LoginSucceeded || finished.Login.Identity.Email != alice {
		t.Errorf("got events %s, %s", started.Kind, finished.Kind)
	}
	address, err := url.Parse(s.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	cookies := v.Jar.Cookies(address)
	if size := sizeOfCookies(cookies); size == 0 || size > 1500 {
		t.Errorf("after sign-in the cookies of the Handler have %d bytes", size)
	}
	if !slices.ContainsFunc(cookies, func(c *http.Cookie) bool { return strings.HasPrefix(c.Name, "session-") }) {
		t.Errorf("after sign-in the cookies are %v, want that of the session among them", cookies)
	}
	// Back and reload: the same page, without an error.
	v.wantPage(v.post(form), alice+" at /jobs?id=7&x=%2F")
	// A plain GET on the Redirect URL when signed in: home.
	v.wantPage(get(t, v.Client, s.sp.RedirectURL()), alice+" at /")
	v.wantPage(get(t, v.Client, s.sp.RedirectURL()+"?return_to=/reports%2F7"), alice+" at /reports/7")
	v.wantPage(get(t, v.Client, s.sp.RedirectURL()+"?return_to=//evil.example"), alice+" at /")
	// Sign-out is POST, and the session is over even for who kept the cookie.
	kept := v.Jar.Cookies(address)
	if response := get(t, v.Client, s.server.URL+"/sign-out"); response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("sign-out by GET: status %d", response.StatusCode)
	}
	response, err := v.PostForm(s.server.URL+"/sign-out", nil)
	if err != nil {
		t.Fatal(err)
	}
	v.wantPage(response, "bye")
	thief := s.visitor()
	thief.Jar.SetCookies(address, kept)
	if form := thief.form(s.server.URL + "/"); form.Action != s.sp.RedirectURL() {
		t.Errorf("a kept cookie leads to %s", form.Action)
	}
}

func mustURL(t *testing.T, address string) *url.URL {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func get(t *testing.T, c *http.Client, address string) *http.Response {
	t.Helper()
	response, err := c.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	return response
}

func TestTwoTabsFinishInEitherOrder(t *testing.T) {
	for _, order := range [][2]int{{0, 1}, {1, 0}} {
		s := newSite(t, nil)
		v := s.visitor()
		tabs := []samltest.Form{v.form(s.server.URL + "/a"), v.form(s.server.URL + "/b")}
		v.wantPage(v.post(tabs[order[0]]), alice+" at /"+string("ab"[order[0]]))
		v.wantPage(v.post(tabs[order[1]]), alice+" at /"+string("ab"[order[1]]))
	}
}

// TestTenRestoredTabs: a browser that starts again opens them all at once. Each ends on a page of
// the application.
func TestTenRestoredTabs(t *testing.T) {
	s := newSite(t, nil)
	v := s.visitor()
	var tabs []samltest.Form
	for i := range 10 {
		tabs = append(tabs, v.form(fmt.Sprintf("%s/tab/%d", s.server.URL, i)))
	}
	for i := len(tabs) - 1; i >= 0; i-- {
		if body := bodyOf(t, v.post(tabs[i]), nil); !strings.HasPrefix(body, alice+" at /") {
			t.Errorf("tab %d: %s", i, body)
		}
	}
}

func TestLoginCSRF(t *testing.T) {
	s := newSite(t, nil)
	attacker, victim := s.visitor(), s.visitor()
	response := attacker.form(s.server.URL + "/")
	victim.wantFailure(victim.post(response), http.StatusForbidden, saml.CodeStateMissing)
	// The attacker's second leg, posted into the victim's browser straight away.
	response.Values.Set("saml_leg", "2")
	posted, err := victim.PostForm(response.Action, response.Values)
	if err != nil {
		t.Fatal(err)
	}
	victim.wantFailure(posted, http.StatusForbidden, saml.CodeStateMissing)
	if signedIn := <-s.events; signedIn.Kind != saml.LoginStarted {
		t.Errorf("got %s", signedIn.Kind)
	}
}

// TestFormerAddressOnAnotherSite: the page with which the former address answers posts to the
// present one from another site, where the cookie is missing once more. The third post has it;
// there is no fourth.
func TestFormerAddressOnAnotherSite(t *testing.T) {
	s := newSite(t, nil)
	v := s.visitor()
	page := v.form(s.server.URL + "/jobs")
	for leg := 1; leg <= 2; leg++ {
		var err error
		if page, err = samltest.ReadForm(v.postCrossSite(page)); err != nil {
			t.Fatalf("leg %d: %v", leg, err)
		}
		if page.Action != s.sp.RedirectURL() {
			t.Errorf("leg %d posts to %s", leg, page.Action)
		}
	}
	v.wantFailure(v.postCrossSite(page), http.StatusForbidden, saml.CodeStateMissing)
	response, err := v.PostForm(page.Action, page.Values)
	if err != nil {
		t.Fatal(err)
	}
	v.wantPage(response, alice+" at /jobs")
}

// TestPlantedCookie: on https only names with the __Host- prefix are read, which no sibling host
// can set; and of two cookies of one name neither.
func TestPlantedCookie(t *testing.T) {
	h := newHouse(t, nil)
	sessions, err := session.New(session.Config{Keys: [][]byte{saml.NewStateKey()}})
	if err != nil {
		t.Fatal(err)
	}
	login := h.sp.Handler(sessions)
	begin := httptest.NewRecorder()
	login.ServeHTTP(begin, httptest.NewRequest("GET", redirectURL, nil))
	planted := begin.Result().Cookies()[0]
	if !regexp.MustCompile(`^__Host-saml-[A-Za-z0-9_-]{3}$`).MatchString(planted.Name) || !planted.Secure || !planted.HttpOnly ||
		planted.SameSite != http.SameSiteLaxMode || planted.Path != "/" || planted.Domain != "" {
		t.Errorf("got cookie %v", planted)
	}
	id := requestID(t, begin.Result().Header.Get("Location"))
	body := url.Values{"SAMLResponse": {h.respond(samltest.Answer{RequestID: id})}, "saml_leg": {"2"}}.Encode()
	post := func(cookies ...*http.Cookie) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", redirectURL, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for _, c := range cookies {
			r.AddCookie(c)
		}
		w := httptest.NewRecorder()
		login.ServeHTTP(w, r)
		return w
	}
	bare := &http.Cookie{Name: strings.TrimPrefix(planted.Name, "__Host-"), Value: planted.Value}
	for name, w := range map[string]*httptest.ResponseRecorder{"without the prefix": post(bare),
		"twice": post(planted, planted), "not at all": post()} {
		if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), string(saml.CodeStateMissing)) {
			t.Errorf("%s: status %d", name, w.Code)
		}
	}
	if w := post(planted); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/" {
		t.Errorf("as it was set: status %d, %s", w.Code, w.Body)
	}
}

func TestFormsThatAreRefused(t *testing.T) {
	s := newSite(t, nil)
	good := s.visitor().form(s.server.URL + "/").Values.Get("SAMLResponse")
	const form = "application/x-www-form-urlencoded"
	for _, test := range []struct {
		name, contentType, query, body string
		status                         int
		code                           saml.Code
	}{
		{"JSON", "application/json", "", `{"SAMLResponse":"x"}`, 400, saml.CodeForm},
		{"no content type", "", "", "SAMLResponse=x", 400, saml.CodeForm},
		{"multipart", "multipart/form-data; boundary=x", "", "--x--", 400, saml.CodeForm},
		{"another charset", form + "; charset=utf-16", "", "SAMLResponse=x", 400, saml.CodeForm},
		{"nothing", form, "", "", 400, saml.CodeForm},
		{"an empty response", form, "", "SAMLResponse=", 403, saml.CodeBase64},
		{"two responses", form, "", "SAMLResponse=QQ%3D%3D&SAMLResponse=QQ%3D%3D", 400, saml.CodeForm},
		{"two RelayStates", form, "", "SAMLResponse=QQ%3D%3D&RelayState=a&RelayState=b", 400, saml.CodeForm},
		{"two legs", form, "", "SAMLResponse=QQ%3D%3D&saml_leg=2&saml_leg=2", 400, saml.CodeForm},
		{"a request beside it", form, "", "SAMLResponse=QQ%3D%3D&SAMLRequest=QQ%3D%3D", 400, saml.CodeForm},
		{"an artifact beside it", form, "", "SAMLResponse=QQ%3D%3D&SAMLart=x", 400, saml.CodeForm},
		{"a redirect binding's signature", form, "", "SAMLResponse=QQ%3D%3D&SigAlg=x&Signature=y", 400, saml.CodeForm},
		{"the response in the address too", form, "?SAMLResponse=x", "SAMLResponse=QQ%3D%3D", 400, saml.CodeForm},
		{"RelayState in the address", form, "?RelayState=x", "SAMLResponse=QQ%3D%3D", 400, saml.CodeForm},
		{"nine fields", form, "", "SAMLResponse=QQ%3D%3D&a=&b=&c=&d=&e=&f=&g=&h=", 400, saml.CodeForm},
		{"a broken escape", form, "", "SAMLResponse=%zz", 400, saml.CodeForm},
		{"not base64", form, "", "SAMLResponse=" + url.QueryEscape(`"><script>`), 403, saml.CodeBase64},
		{"more than two megabytes", form, "", "SAMLResponse=" + strings.Repeat("A", 2<<20), 413, saml.CodeTooLarge},
		{"in the second leg, no XML", form, "", "SAMLResponse=QUJD&saml_leg=2", 403, saml.CodeXMLSyntax},
		{"in the second leg, the response of another browser", form + "; charset=UTF-8", "",
			"SAMLResponse=" + url.QueryEscape(good) + "&saml_leg=2", 403, saml.CodeStateMissing},
	} {
		r := httptest.NewRequest("POST", s.sp.RedirectURL()+test.query, strings.NewReader(test.body))
		r.Header.Set("Content-Type", test.contentType)
		w := httptest.NewRecorder()
		s.sp.Handler(s.sessions).ServeHTTP(w, r)
		if w.Code != test.status || !strings.Contains(w.Body.String(), "<code>"+string(test.code)+"</code>") ||
			strings.Contains(w.Body.String(), `"><script>`) {
			t.Errorf("%s: got status %d, %s, want %d with %s", test.name, w.Code, w.Body, test.status,
				string(test.code))
		}
		if len(w.Result().Cookies()) > 0 {
			t.Errorf("%s: sets cookies", test.name)
		}
	}
}

func TestOtherRequests(t *testing.T) {
	s := newSite(t, nil)
	for _, test := range []struct {
		name, method, query string
		header              http.Header
		status              int
	}{
		{"HEAD", "HEAD", "", nil, 405},
		{"PUT", "PUT", "", nil, 405},
		{"a response by GET", "GET", "?SAMLResponse=x", nil, 400},
		{"a request by GET", "GET", "?SAMLRequest=x", nil, 400},
		{"an artifact by GET", "GET", "?SAMLart=x", nil, 400},
		{"an image", "GET", "", http.Header{"Sec-Fetch-Dest": {"image"}}, 401},
		{"a script's call", "GET", "", http.Header{"Sec-Fetch-Dest": {"empty"}}, 401},
		{"a frame", "GET", "", http.Header{"Sec-Fetch-Dest": {"iframe"}}, 401},
		{"a page", "GET", "", http.Header{"Sec-Fetch-Dest": {"document"}}, 303},
		{"an old browser's page", "GET", "", nil, 303},
	} {
		r := httptest.NewRequest(test.method, s.sp.RedirectURL()+test.query, nil)
		r.Header = test.header
		w := httptest.NewRecorder()
		s.sp.Handler(s.sessions).ServeHTTP(w, r)
		if cookies := w.Result().Cookies(); w.Code != test.status || (len(cookies) > 0) != (test.status == 303) {
			t.Errorf("%s: got status %d, cookies %v, want %d", test.name, w.Code, cookies, test.status)
		}
	}
}

// TestHostileReturnTo: each form of an address elsewhere ends at home.
func TestHostileReturnTo(t *testing.T) {
	s := newSite(t, nil)
	for _, to := range []string{"https://evil.example/", "//evil.example", `/\evil.example`, `\\evil.example`,
		"/%0d%0aSet-Cookie:x", "javascript:alert(1)", "/\t/evil.example",
		"evil.example", "", "#/evil.example"} {
		v := s.visitor()
		form := v.form(s.sp.RedirectURL() + "?return_to=" + url.QueryEscape(to))
		response := v.post(form)
		if got := response.Request.URL; got.Host != strings.TrimPrefix(s.server.URL, "http://") || got.Path != "/" &&
			!strings.HasPrefix(to, "/%0d") {
			t.Errorf("return_to %q leads to %s", to, got)
		}
		response.Body.Close()
	}
}

// TestRelayStateIsIgnored, whatever it says.
func TestRelayStateIsIgnored(t *testing.T) {
	s := newSite(t, nil)
	v := s.visitor()
	form := v.form(s.server.URL + "/jobs")
	form.Values.Set("RelayState", "https://evil.example/")
	v.wantPage(v.post(form), alice+" at /jobs")
}

func TestUnsolicitedAtTheHandler(t *testing.T) {
	answer := func(s *site) samltest.Form {
		form, err := s.idp.Respond(samltest.Answer{Recipient: s.sp.RedirectURL()})
		if err != nil {
			t.Fatal(err)
		}
		return samltest.Form{Action: s.sp.RedirectURL(),
			Values: url.Values{"SAMLResponse": {form}, "RelayState": {"opaque"}}}
	}
	refusing := newSite(t, nil)
	v := refusing.visitor()
	v.wantFailure(v.post(answer(refusing)), http.StatusForbidden, saml.CodeUnsolicited)

	restarting := newSite(t, func(c *saml.Config) { c.Unsolicited = saml.RestartUnsolicited })
	v = restarting.visitor()
	form, err := samltest.ReadForm(v.post(answer(restarting)))
	if err != nil {
		t.Fatal(err)
	}
	v.wantPage(v.post(form), alice+" at /")
	// An identity provider that always answers so would go on forever; but some posts of a
	// stranger's page must not refuse an honest tile.
	v = restarting.visitor()
	for range 5 {
		if form, err = samltest.ReadForm(v.post(answer(restarting))); err != nil {
			t.Fatal(err)
		}
	}
	v.wantFailure(v.post(answer(restarting)), http.StatusForbidden, saml.CodeUnsolicited)
	v.wantPage(v.post(form), alice+" at /")
	if cookies := v.Jar.Cookies(mustURL(t, restarting.server.URL)); slices.ContainsFunc(cookies,
		func(c *http.Cookie) bool { return c.Name == "saml-restart" }) {
		t.Errorf("after the sign-in the cookies are %v", cookies)
	}

	accepting := newSite(t, func(c *saml.Config) { c.Unsolicited = saml.AllowUnsolicited })
	v = accepting.visitor()
	first := answer(accepting)
	v.wantPage(v.post(first), alice+" at /")
	v.wantPage(v.post(answer(accepting)), alice+" at /") // signed in already: an existing session is never replaced
	other := accepting.visitor()
	other.wantFailure(other.post(first), http.StatusForbidden, saml.CodeReplayed)
}

// TestRequestThatIsAnswered: a Response need not say which request it answers where its assertion
// does.
func TestRequestThatIsAnswered(t *testing.T) {
	s := newSite(t, nil)
	const confirmation = "<SubjectConfirmation "
	for _, tt := range []struct {
		name string
		edit func(xml, named string) string
		code saml.Code // "" for a sign-in
	}{
		{"named in the assertion alone", func(xml, named string) string { return strings.Replace(xml, named, "", 1) },
			""},
		{"named in the second confirmation alone", func(xml, named string) string {
			xml = strings.Replace(xml, named, "", 1)
			return strings.Replace(xml, confirmation,
				confirmation+`Method="urn:oasis:names:tc:SAML:2.0:cm:sender-vouches"><SubjectConfirmationData/></SubjectConfirmation>`+confirmation, 1)
		}, ""},
		{"another one named in the assertion alone", func(xml, named string) string {
			return strings.Replace(strings.Replace(xml, named, "", 1), named, ` InResponseTo="_other"`, 1)
		}, saml.CodeStateMissing},
		{"another one named in the assertion", func(xml, named string) string {
			i := strings.LastIndex(xml, named)
			return xml[:i] + strings.Replace(xml[i:], named, ` InResponseTo="_other"`, 1)
		}, saml.CodeInResponseTo},
		{"none named", func(xml, named string) string { return strings.ReplaceAll(xml, named, "") },
			saml.CodeUnsolicited},
	} {
		t.Log(tt.name)
		v := s.visitor()
		form := v.form(s.server.URL + "/jobs")
		message, err := base64.StdEncoding.DecodeString(form.Values.Get("SAMLResponse"))
		if err != nil {
			t.Fatal(err)
		}
		request := regexp.MustCompile(` InResponseTo="([^"]+)"`).FindStringSubmatch(string(message))
		answer, err := s.idp.Respond(samltest.Answer{RequestID: request[1], Recipient: s.sp.RedirectURL(),
			Edit: func(xml string) string { return tt.edit(xml, request[0]) }})
		if err != nil {
			t.Fatal(err)
		}
		form.Values.Set("SAMLResponse", answer)
		if tt.code != "" {
			v.wantFailure(v.post(form), http.StatusForbidden, tt.code)
			continue
		}
		other := s.visitor()
		other.wantFailure(other.post(form), http.StatusForbidden, saml.CodeStateMissing)
		v.wantPage(v.post(form), alice+" at /jobs")
	}
	form, err := s.idp.Respond(samltest.Answer{Recipient: s.sp.RedirectURL(),
		Status: "urn:oasis:names:tc:SAML:2.0:status:Responder"})
	if err != nil {
		t.Fatal(err)
	}
	v := s.visitor()
	v.wantFailure(v.post(samltest.Form{Action: s.sp.RedirectURL(), Values: url.Values{"SAMLResponse": {form}}}),
		http.StatusForbidden, saml.CodeUnsolicited)
}

// TestTwoTenantsAtOneHandler: the tenant of the pending login decides whose settings judge the
// response.
func TestTwoTenantsAtOneHandler(t *testing.T) {
	keys, store := [][]byte{saml.NewStateKey()}, saml.NewMemoryStore()
	a := newHouse(t, func(c *saml.Config) { c.Tenant, c.StateKeys, c.Store = "a", keys, store })
	otherIdP := samltest.MustNew(t, samltest.Options{})
	b := &house{t, otherIdP,
		newProvider(t, otherIdP, func(c *saml.Config) { c.Tenant, c.StateKeys, c.Store = "b", keys, store })}
	sessions, err := session.New(session.Config{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	providers := map[string]*saml.ServiceProvider{"a": a.sp, "b": b.sp}
	login, err := saml.NewHandler(saml.HandlerConfig{Sessions: sessions,
		Resolve: func(r *http.Request, tenant string) (*saml.ServiceProvider, error) {
			if tenant == "" {
				tenant = r.Header.Get("Tenant") // as a route or a host name would say
			}
			if sp := providers[tenant]; sp != nil {
				return sp, nil
			}
			return nil, saml.ErrNotConfigured
		}})
	if err != nil {
		t.Fatal(err)
	}
	begin := func(tenant string) (*http.Cookie, string) {
		r, w := httptest.NewRequest("GET", redirectURL, nil), httptest.NewRecorder()
		r.Header.Set("Tenant", tenant)
		login.ServeHTTP(w, r)
		id := requestID(t, w.Result().Header.Get("Location"))
		return w.Result().Cookies()[0], id
	}
	finish := func(state *http.Cookie, response string) *httptest.ResponseRecorder {
		r, w := httptest.NewRequest("POST", redirectURL,
			strings.NewReader(url.Values{"SAMLResponse": {response},
				"saml_leg": {"2"}}.Encode())), httptest.NewRecorder()
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.AddCookie(state)
		login.ServeHTTP(w, r)
		return w
	}
	for _, h := range []*house{a, b} {
		state, id := begin(h.sp.Tenant())
		if w := finish(state, h.respond(samltest.Answer{RequestID: id})); w.Code != http.StatusSeeOther {
			t.Errorf("tenant %s: status %d, %s", h.sp.Tenant(), w.Code, w.Body)
		}
	}
	state, id := begin("a")
	if w := finish(state, b.respond(samltest.Answer{RequestID: id,
		Issuer: a.idp.EntityID()})); w.Code != http.StatusForbidden ||
		!strings.Contains(w.Body.String(), string(saml.CodeSignature)) {
		t.Errorf("b's provider, under a's name, answers a's login: status %d, %s", w.Code, w.Body)
	}
	state, id = begin("a")
	secret, _, _ := strings.Cut(state.Value, ".")
	state.Value = secret + ".Yg" // base64url of "b"
	if w := finish(state, b.respond(samltest.Answer{RequestID: id})); w.Code != http.StatusForbidden ||
		!strings.Contains(w.Body.String(), string(saml.CodeStateInvalid)) {
		t.Errorf("a's pending login with b's name: status %d, %s", w.Code, w.Body)
	}
	r, w := httptest.NewRequest("GET", redirectURL, nil), httptest.NewRecorder()
	login.ServeHTTP(w, r)
	if w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "not enabled") {
		t.Errorf("no tenant: status %d, %s", w.Code, w.Body)
	}
}

// TestPurposeNeedsItsOwnSessions: a login that was begun as a test signs nobody in.
func TestPurposeNeedsItsOwnSessions(t *testing.T) {
	h := newHouse(t, nil)
	sessions, err := session.New(session.Config{Keys: [][]byte{saml.NewStateKey()}})
	if err != nil {
		t.Fatal(err)
	}
	login, err := h.signIn(saml.LoginOptions{Purpose: "test"}, samltest.Answer{})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	if err := sessions.SignIn(w, httptest.NewRequest("POST", redirectURL, nil), login); err == nil ||
		len(w.Result().Cookies()) > 0 {
		t.Errorf("got %v, cookies %v", err, w.Result().Cookies())
	}
}

// TestFailedSessionIsNoSignIn: where the application refuses, the user sees a page, and the
// response is used up.
func TestFailedSessionIsNoSignIn(t *testing.T) {
	h := newHouse(t, nil)
	var failed *saml.Error
	login, err := saml.NewHandler(saml.HandlerConfig{
		Resolve:  func(*http.Request, string) (*saml.ServiceProvider, error) { return h.sp, nil },
		Sessions: refusingSessions{},
		OnError: func(w http.ResponseWriter, _ *http.Request, err *saml.Error) {
			failed = err
			w.WriteHeader(http.StatusTeapot)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	login.ServeHTTP(w, httptest.NewRequest("GET", redirectURL, nil))
	state := w.Result().Cookies()[0]
	id := requestID(t, w.Result().Header.Get("Location"))
	r := httptest.NewRequest("POST", redirectURL,
		strings.NewReader(url.Values{"SAMLResponse": {h.respond(samltest.Answer{RequestID: id})},
			"saml_leg": {"2"}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.AddCookie(state)
	w = httptest.NewRecorder()
	login.ServeHTTP(w, r)
	if w.Code != http.StatusTeapot || !errors.Is(failed, saml.CodeSession) || !errors.Is(failed, errNoRoom) ||
		len(failed.Reference) != 10 {
		t.Errorf("got status %d, %v", w.Code, failed)
	}
}

type refusingSessions struct{}

var errNoRoom = errors.New("no room")

func (refusingSessions) SignIn(http.ResponseWriter, *http.Request, *saml.Login) error {
	return errNoRoom
}
func (refusingSessions) SignedIn(*http.Request) bool { return false }
func (refusingSessions) Authenticate(http.ResponseWriter, *http.Request) (*http.Request, error) {
	return nil, nil
}

// TestMFAThatTakesLong: 59 minutes are fine, 61 are too long; the page says so, and its button
// leads where the user was going.
func TestMFAThatTakesLong(t *testing.T) {
	for minutes, want := range map[int]int{59: http.StatusSeeOther, 61: http.StatusForbidden} {
		c := newClock()
		idp := samltest.MustNew(t, samltest.Options{Now: c.Now})
		h := &house{t, idp, newProvider(t, idp, func(f *saml.Config) {
			f.Now, f.Store = c.Now,
				saml.NewMemoryStoreWithClock(c.Now)
		})}
		login := h.sp.Handler(refusingSessions{})
		w := httptest.NewRecorder()
		login.ServeHTTP(w, httptest.NewRequest("GET", redirectURL+"?return_to=/jobs%3Fid=7%26a=b", nil))
		kept := w.Result().Cookies()
		id := requestID(t, w.Result().Header.Get("Location"))
		c.Advance(time.Duration(minutes) * time.Minute)
		r := httptest.NewRequest("POST", redirectURL,
			strings.NewReader(url.Values{"SAMLResponse": {h.respond(samltest.Answer{RequestID: id})},
				"saml_leg": {"2"}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for _, cookie := range kept {
			r.AddCookie(cookie)
		}
		w = httptest.NewRecorder()
		login.ServeHTTP(w, r)
		code := string(saml.CodeStateExpired)
		if want == http.StatusSeeOther {
			code = string(saml.CodeSession) // everything was right but the sessions of this test
		}
		button := `<a href="` + redirectURL + `?return_to=%2Fjobs%3Fid%3D7%26a%3Db">`
		if !strings.Contains(w.Body.String(), code) || !strings.Contains(w.Body.String(), button) {
			t.Errorf("after %d minutes: status %d, %s", minutes, w.Code, w.Body)
		}
	}
}

// TestSessionsOverHTTP: a browser drops a Secure cookie on http, and would sign in forever. The
// refusal names the field to set. On a loopback address nothing needs to be set, as in Config.
func TestSessionsOverHTTP(t *testing.T) {
	var cause error
	s := newSite(t, nil)
	onHTTP := newProvider(t, s.idp, func(c *saml.Config) { c.BaseURL, c.InsecureAllowHTTP = "http://console.example.com", true })
	sessions, err := session.New(session.Config{Keys: [][]byte{saml.NewStateKey()}})
	if err != nil {
		t.Fatal(err)
	}
	probe := probeSessions{func(w http.ResponseWriter, r *http.Request) {
		cause = sessions.SignIn(w, r, &saml.Login{Identity: &saml.Identity{}, Assertion: &saml.Assertion{}})
	}}
	s.sp.Handler(probe).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", s.sp.RedirectURL(), nil))
	if cause != nil {
		t.Errorf("at %s: %v", s.sp.RedirectURL(), cause)
	}
	onHTTP.Handler(probe).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", onHTTP.RedirectURL(), nil))
	var refusal *saml.Error
	if !errors.As(cause, &refusal) || refusal.Code != saml.CodeConfig ||
		!strings.Contains(refusal.Hint, "InsecureAllowHTTP") {
		t.Errorf("got %v, want a refusal that names InsecureAllowHTTP", cause)
	}
}

// probeSessions calls a function with the request that a Handler resolved.
type probeSessions struct {
	call func(http.ResponseWriter, *http.Request)
}

func (probeSessions) SignIn(http.ResponseWriter, *http.Request, *saml.Login) error { return nil }
func (p probeSessions) SignedIn(r *http.Request) bool {
	p.call(httptest.NewRecorder(), r)
	return false
}

func (probeSessions) Authenticate(http.ResponseWriter, *http.Request) (*http.Request, error) {
	return nil, nil
}

package saml

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/iomete/saml/internal/posted"
)

// atRedirectURL sends the message to the Redirect URL, though the Logout URL is another address.
func atRedirectURL(s *sampleLogout) {
	s.address = "https://console.example.com" + DefaultRedirectPath
	s.attributes["Destination"] = s.address
}

// withOneAddress has one address for sign-in and logout.
func withOneAddress(s *sampleLogout) {
	atRedirectURL(s)
	s.config = func(_ testing.TB, c *Config) { c.LogoutPath = DefaultRedirectPath }
}

var logoutSenders = map[string]func(*sampleLogout){"redirect": asIs, "post": asPost, "soap": asSOAP}

// TestLogoutEntrance: a LogoutRequest is carried out by each binding and at each address of ours, and
// answered in the way in which it came.
func TestLogoutEntrance(t *testing.T) {
	t.Parallel()
	for place, at := range map[string]func(*sampleLogout){"the Logout URL": asIs, "the Redirect URL": atRedirectURL,
		"one address": withOneAddress} {
		for binding, by := range logoutSenders {
			s := newSampleLogout()
			changes(at, by)(s)
			l, name := newLogoutSite(t, s, nil), binding+" at "+place
			a := l.send(s)
			l.wantEnded(name, "ann@example.com _index")
			a.wantResponse(t, name, s, statusSuccess)
			status, kind := http.StatusSeeOther, ""
			if binding == "soap" {
				status, kind = http.StatusOK, "text/xml; charset=utf-8"
			}
			if a.StatusCode != status || a.Header.Get("Content-Type") != kind {
				t.Errorf("%s: status %d, %v", name, a.StatusCode, a.Header)
			}
			if len(l.events) != 1 || l.events[0].Kind != LogoutAccepted ||
				l.events[0].Logout.NameID.Value != "ann@example.com" {
				t.Errorf("%s: got the events %+v", name, l.events)
			}
		}
	}
}

// TestLogoutAtTheOtherAddress: Destination is the address that the message came to, not another one of
// ours. Where a proxy has changed the path, nobody can tell them apart.
func TestLogoutAtTheOtherAddress(t *testing.T) {
	t.Parallel()
	s := newSampleLogout()
	l := newLogoutSite(t, s, nil)
	for binding, by := range logoutSenders {
		crossed := newSampleLogout()
		changes(atRedirectURL, by)(crossed)
		crossed.address = logoutURL
		l.send(crossed).wantRefused(t, binding, crossed, CodeLogoutDestination)
		l.wantEnded(binding)
		for destination, change := range map[string]func(*sampleLogout){"logout": asIs, "redirect": atRedirectURL} {
			moved := newSampleLogout()
			changes(change, by)(moved)
			moved.attributes["ID"] = "_" + binding + destination // not a repetition
			moved.address = "https://console.example.com/inner/path"
			l.send(moved).wantResponse(t, binding, moved, statusSuccess)
			l.wantEnded(binding+" behind a proxy", "ann@example.com _index")
		}
	}
	old := newSampleLogout()
	old.attributes["Destination"] = "https://old.example.com" + l.sp.LogoutPath()
	l.send(old).wantRefused(t, "a former host", old, CodeLogoutDestination)
	old.config = func(_ testing.TB, c *Config) { c.FormerRedirectURLs = []string{"https://old.example.com/acs"} }
	l = newLogoutSite(t, old, nil)
	l.send(old).wantResponse(t, "a former host that still counts", old, statusSuccess)
}

// signInForm is a form with a Response, as our own page posts it for the second time.
func signInForm(t testing.TB, leg string) string {
	t.Helper()
	return url.Values{"SAMLResponse": {readVectors(t)[0].Form}, posted.Leg: {leg}}.Encode()
}

// TestLogoutURLSignsNobodyIn: whatever comes to a Logout URL that is not the Redirect URL, no sign-in
// begins or ends there.
func TestLogoutURLSignsNobodyIn(t *testing.T) {
	t.Parallel()
	s := newSampleLogout()
	l := newLogoutSite(t, s, func(c *HandlerConfig) { c.Sessions = refusesSignIn{t} })
	asked := newSampleLogout()
	changes(asResponse, asSignIn)(asked)
	for name, row := range map[string]struct{ method, query, kind, body string }{
		"opened by a person":          {"GET", "", "", ""},
		"opened with return_to":       {"GET", "return_to=/jobs&fresh=1", "", ""},
		"a Response by GET":           {"GET", asked.query(t), "", ""},
		"a broken request by GET":     {"GET", "SAMLRequest=%zz", "", ""},
		"a Response":                  {"POST", "", formType, signInForm(t, "2")},
		"a form that begins a login":  {"POST", "", formType, "return_to=%2Fjobs"},
		"a form of an address":        {"POST", "", formType, "saml_address=ann%40example.com"},
		"an empty form":               {"POST", "", formType, "a=b"},
		"something that is no form":   {"POST", "", "application/json", "{}"},
		"an artifact":                 {"GET", "SAMLart=x", "", ""},
		"a request and an answer":     {"POST", "", formType, "SAMLRequest=PHgvPg&SAMLResponse=PHgvPg"},
		"a request that is no base64": {"POST", "", formType, "SAMLRequest=<x/>"},
	} {
		r, err := http.NewRequest(row.method, l.server.URL+l.sp.LogoutPath()+"?"+row.query, strings.NewReader(row.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", row.kind)
		r.Header.Set("Accept", "text/html")
		a := l.do(r)
		if a.StatusCode != http.StatusBadRequest || a.Header.Get("Location") != "" || len(a.Cookies()) > 0 ||
			strings.Contains(a.body, "Sign in") || !strings.Contains(a.body, "sign-out could not be checked") {
			t.Errorf("%s: got status %d, %v, %s", name, a.StatusCode, a.Header, a.body)
		}
	}
	for _, e := range l.events {
		if e.Kind == LoginStarted || e.Kind == LoginSucceeded {
			t.Errorf("got the event %s", e.Kind)
		}
	}
	l.wantEnded("all of them")
}

// refusesSignIn fails the test if anybody is signed in.
type refusesSignIn struct{ t testing.TB }

func (s refusesSignIn) SignIn(http.ResponseWriter, *http.Request, *Login) error {
	s.t.Error("somebody was signed in")
	return nil
}
func (refusesSignIn) SignedIn(*http.Request) bool { return false }
func (s refusesSignIn) Authenticate(http.ResponseWriter, *http.Request) (*http.Request, error) {
	return nil, nil
}

// TestRootDecides: at an address for both, a Response is a sign-in and a LogoutResponse is not, after
// the second leg; by GET a Response is refused, and no login begins.
func TestRootDecides(t *testing.T) {
	t.Parallel()
	for place, at := range map[string]func(*sampleLogout){"the Redirect URL": atRedirectURL,
		"one address": withOneAddress, "the Logout URL": asIs} {
		s := newSampleLogout()
		changes(asResponse, asPost, at)(s)
		l := newLogoutSite(t, s, nil)
		first := l.send(s, "Sec-Fetch-Site", "cross-site")
		action, value := firstForm(first.body)
		if first.StatusCode != http.StatusOK || action != s.address || first.frames() != "'none'" {
			t.Fatalf("%s: the first leg posts to %q: %d %s", place, action, first.StatusCode, first.body)
		}
		if out := strings.Contains(first.body, "Signing out"); out != (place == "the Logout URL") {
			t.Errorf("%s: the page of the first leg says %s", place, first.body)
		}
		r := l.request(s, "Sec-Fetch-Site", "same-origin")
		r.Body = http.NoBody
		again := postTo(t, l, r.URL.Path, url.Values{"SAMLResponse": {value}, posted.Leg: {"2"}}.Encode())
		if strings.Contains(again.body, string(CodeNotAResponse)) || again.frames() != "'none'" ||
			again.Header.Get("Location") != "" {
			t.Errorf("%s: got %s", place, again.body)
		}
		for _, e := range l.events {
			if e.Kind == LoginStarted || e.Kind == LoginRefused {
				t.Errorf("%s: got the event %s, %v", place, e.Kind, e.Err)
			}
		}
		if place == "the Logout URL" {
			continue
		}
		if a := postTo(t, l, r.URL.Path, signInForm(t, "2")); !strings.Contains(a.body, string(CodeStateMissing)) {
			t.Errorf("%s: a Response by POST got %s", place, a.body)
		}
		byGET := newSampleLogout()
		changes(asResponse, asSignIn)(byGET)
		byGET.address = s.address
		l.send(byGET).wantNoSignIn(t, place+": a Response by GET")
	}
}

// wantNoSignIn checks that an answer is that of the Redirect URL to what is no sign-in.
func (a logoutReply) wantNoSignIn(t testing.TB, name string) {
	t.Helper()
	if a.StatusCode != http.StatusBadRequest || !strings.Contains(a.body, "<code>"+string(CodeForm)+"<") {
		t.Errorf("%s: got %d %s", name, a.StatusCode, a.body)
	}
}

func firstForm(body string) (action, response string) {
	if _, rest, ok := strings.Cut(body, `<form method="post" action="`); ok {
		action, _, _ = strings.Cut(rest, `"`)
	}
	for _, field := range hiddenField.FindAllStringSubmatch(body, -1) {
		if field[1] == "SAMLResponse" {
			response = strings.ReplaceAll(field[2], "&#43;", "+")
		}
	}
	return action, response
}

func postTo(t testing.TB, l *logoutSite, path, form string) logoutReply {
	t.Helper()
	r, err := http.NewRequest("POST", l.server.URL+path, strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", formType)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return l.do(r)
}

// TestNoLogoutPath: without a Logout URL, logout messages at the Redirect URL are refused as what they
// are there: no sign-in.
func TestNoLogoutPath(t *testing.T) {
	t.Parallel()
	for binding, by := range logoutSenders {
		s := newSampleLogout()
		changes(atRedirectURL, by)(s)
		s.config = func(_ testing.TB, c *Config) { c.LogoutPath = "" }
		l := newLogoutSite(t, s, nil)
		l.send(s).wantNoSignIn(t, binding)
		l.wantEnded(binding)
	}
}

// TestLogoutFormThatWasParsed: a middleware in front may have parsed the form, and the limits of a body
// hold for logout messages too.
func TestLogoutFormThatWasParsed(t *testing.T) {
	t.Parallel()
	s := newSampleLogout()
	changes(asPost, withRelayState("a b+&="))(s)
	l := newLogoutSite(t, s, nil)
	l.server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		l.handler.ServeHTTP(w, r)
	})
	if sent := l.send(s).wantResponse(t, "parsed", s, statusSuccess); *sent.relayState != "a b+&=" {
		t.Errorf("got RelayState %q", *sent.relayState)
	}
	l.wantEnded("parsed", "ann@example.com _index")
	s.sent = func(form string) string { return form + "&SAMLRequest=x" }
	l.send(s).wantRefused(t, "twice", s, CodeLogoutForm)
	s.sent = func(form string) string { return form + "&RelayState=" + strings.Repeat("x", maxBody) }
	l.send(s).wantRefused(t, "too large", s, CodeTooLarge)
}

// TestLargeLogoutMessages: what is large is read within the limits of a body, and gives all that it
// held back.
func TestLargeLogoutMessages(t *testing.T) {
	t.Parallel()
	for binding, by := range map[string]func(*sampleLogout){"post": asPost, "soap": asSOAP} {
		s := newSampleLogout()
		by(s)
		padding := strings.Repeat("<x:a xmlns:x='urn:x'/>", 20_000)
		s.extensions = "<samlp:Extensions>" + padding + "</samlp:Extensions>"
		l := newLogoutSite(t, s, nil)
		l.send(s).wantResponse(t, binding, s, statusSuccess)
		for range largeMessages {
			l.handler.large <- struct{}{}
		}
		ended := httptest.NewRecorder()
		stopped, cancel := context.WithCancel(t.Context())
		cancel()
		r := l.request(s)
		r.RequestURI = r.URL.RequestURI()
		l.handler.ServeHTTP(ended, r.WithContext(stopped))
		if !strings.Contains(ended.Body.String(), string(CodeBusy)) {
			t.Errorf("%s without a turn: got %d %s", binding, ended.Code, ended.Body)
		}
		for range largeMessages {
			<-l.handler.large
		}
		l.handler.bodies.free.Store(0)
		if a := l.send(s); !strings.Contains(a.body, string(CodeBusy)) {
			t.Errorf("%s without memory: got %d %s", binding, a.StatusCode, a.body)
		}
		l.handler.bodies.free.Store(defaultBodyMemory)
		small := newSampleLogout()
		by(small)
		l.send(small).wantResponse(t, binding+" again", small, statusSuccess)
		if free := l.handler.bodies.free.Load(); free != defaultBodyMemory || len(l.handler.large) > 0 {
			t.Errorf("%s: %d bytes are free, and %d turns are taken", binding, free, len(l.handler.large))
		}
	}
}

package samltest

import (
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A logoutHouse is a provider that knows an application and its key, and the application's messages:
// another provider makes them, which has the application's name and key.
type logoutHouse struct {
	*testing.T
	idp, sp *IdentityProvider
	browser client
}

const otherURL = "https://reports.example.com/saml/acs"

func newLogoutHouse(t *testing.T, o Options) *logoutHouse {
	t.Helper()
	h := &logoutHouse{T: t, idp: serve(t, o), browser: newClient(t),
		sp: MustNew(t, Options{EntityID: redirectURL, Keys: testKeys.otherRSA()})}
	h.register(func(*Application) {})
	h.idp.Register(Application{Identifier: otherURL, ReplyURLs: []string{otherURL}, LogoutURL: otherURL + "/slo"})
	h.idp.SignInAs(DefaultUsers()[0])
	return h
}

// register tells the provider of the application, changed.
func (h *logoutHouse) register(change func(*Application)) {
	app := Application{Identifier: redirectURL, ReplyURLs: []string{redirectURL}, LogoutURL: logoutURL,
		SigningCertificate: h.sp.Certificates()[0]}
	change(&app)
	h.idp.Register(app)
}

// signIn signs the user in at an application and returns the session.
func (h *logoutHouse) signIn(application string) Session {
	h.Helper()
	before := len(h.idp.Sessions())
	request := strings.ReplaceAll(goodRequest, redirectURL, application)
	h.browser.get(h.idp.LoginURL() + "?SAMLRequest=" + url.QueryEscape(deflated(request)))
	sessions := h.idp.Sessions()
	if len(sessions) != before+1 {
		h.Fatalf("got %d sessions, want one more than %d", len(sessions), before)
	}
	return sessions[before]
}

// request is the application's LogoutRequest for a session.
func (h *logoutHouse) request(s Session) Logout {
	return Logout{ID: "_1", LogoutURL: h.idp.LogoutURL(), NameID: s.NameID, NameIDFormat: s.NameIDFormat,
		SessionIndexes: []string{s.SessionIndex}}
}

// send sends a message of the application by a binding.
func (h *logoutHouse) send(binding Binding, l Logout) *http.Response {
	h.Helper()
	var r *http.Response
	var err error
	switch binding {
	case HTTPRedirect:
		var address string
		if address, err = h.sp.LogoutRedirect(l); err == nil {
			r, err = h.browser.Get(address)
		}
	case HTTPPost:
		var form Form
		if form, err = h.sp.LogoutForm(l); err == nil {
			r, err = h.browser.PostForm(form.Action, form.Values)
		}
	case SOAP:
		var envelope []byte
		if envelope, err = h.sp.LogoutEnvelope(l); err == nil {
			r, err = http.Post(l.LogoutURL, "text/xml", strings.NewReader(string(envelope)))
		}
	}
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { r.Body.Close() })
	return r
}

// answerIn reads the answer to the application out of a redirect, a page that posts, or an envelope.
func (h *logoutHouse) answerIn(r *http.Response) (logoutArrival, string) {
	h.Helper()
	page := body(h.T, r)
	if strings.HasPrefix(r.Header.Get("Content-Type"), "text/xml") {
		a, err := readLogoutEnvelope(strings.NewReader(page))
		if err != nil {
			h.Fatalf("%v: %s", err, page)
		}
		return a, page
	}
	address := r.Header.Get("Location")
	if next := regexp.MustCompile(`id="next" href="([^"]*)"`).FindStringSubmatch(page); next != nil {
		address = html.UnescapeString(next[1])
	}
	var request *http.Request
	if address != "" {
		request = httptest.NewRequest("GET", address, nil)
	} else {
		r.Body = io.NopCloser(strings.NewReader(page))
		form, err := ReadForm(r)
		if err != nil {
			h.Fatalf("%v: %s", err, page)
		}
		request = httptest.NewRequest("POST", form.Action, strings.NewReader(form.Values.Encode()))
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if err := request.ParseForm(); err != nil {
		h.Fatal(err)
	}
	a, err := readLogout(request)
	if err != nil {
		h.Fatalf("%v: %s", err, page)
	}
	return a, page
}

// TestLogoutOfApplication: a request ends the session and is answered, by each binding, and another
// application that the user has a session at hears of it in a frame.
func TestLogoutOfApplication(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		binding, answer Binding
	}{{HTTPRedirect, HTTPRedirect}, {HTTPPost, HTTPRedirect}, {HTTPRedirect, HTTPPost}, {SOAP, SOAP}} {
		h := newLogoutHouse(t, Options{})
		if c.answer == HTTPPost {
			h.register(func(a *Application) { a.LogoutBinding = HTTPPost })
		}
		l := h.request(h.signIn(redirectURL))
		h.signIn(otherURL)
		l.RelayState = "a b"
		answer, page := h.answerIn(h.send(c.binding, l))
		wantState, wantSub := "a b", ""
		if c.binding == SOAP {
			wantState, wantSub = "", StatusPartialLogout
		} else if !strings.Contains(page, `<iframe src="`+otherURL+`/slo?SAMLRequest=`) {
			t.Errorf("%s: no frame for the other application: %s", c.binding, page)
		}
		if answer.Request || answer.Binding != c.answer || answer.InResponseTo != "_1" || answer.RelayState != wantState ||
			answer.Status != StatusSuccess || answer.SubStatus != wantSub {
			t.Errorf("%s: got the answer %+v", c.binding, answer.LogoutMessage)
		}
		if left := h.idp.Sessions(); len(left) != 0 || h.browser.signsIn(h.idp) != "" {
			t.Errorf("%s: the sessions %v are left, or the user is still signed in", c.binding, left)
		}
		heard := h.idp.LogoutMessages()
		if len(heard) != 1 || !heard[0].Verified || !heard[0].Request || heard[0].Binding != c.binding {
			t.Errorf("%s: it heard %+v", c.binding, heard)
		}
	}
}

// TestLogoutRefused: what is wrong ends on the provider's page, and ends no session.
func TestLogoutRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(h *logoutHouse, l *Logout)
		want   string
	}{
		{"unsigned", func(_ *logoutHouse, l *Logout) { l.Unsigned = true }, "AADSTS76021"},
		{"signed by another key", func(h *logoutHouse, _ *Logout) {
			h.register(func(a *Application) { a.SigningCertificate = h.idp.Certificates()[0] })
		}, "AADSTS76021"},
		{"of an application that is not registered", func(_ *logoutHouse, l *Logout) { l.Issuer = "x" }, "AADSTS700016"},
		{"without a NameID", func(_ *logoutHouse, l *Logout) { l.NameID = Absent }, "AADSTS7500530"},
	} {
		for _, binding := range []Binding{HTTPRedirect, HTTPPost, SOAP} {
			h := newLogoutHouse(t, Options{})
			l := h.request(h.signIn(redirectURL))
			c.change(h, &l)
			r := h.send(binding, l)
			if text := body(t, r); !strings.Contains(text, c.want) || (r.StatusCode == http.StatusOK) == (binding == SOAP) {
				t.Errorf("%s by %s: got %s, %s, want %s", c.name, binding, r.Status, text, c.want)
			}
			if len(h.idp.Sessions()) != 1 || h.browser.signsIn(h.idp) == "" {
				t.Errorf("%s by %s: the session ended", c.name, binding)
			}
		}
	}
}

// TestLogoutOfWhom: a request names a session by the index or, without one, by the NameID. A request
// that names nobody is answered, and ends nothing. What others have goes on.
func TestLogoutOfWhom(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*Logout)
		ends   bool
	}{
		{"the index", func(l *Logout) { l.NameID = "somebody" }, true},
		{"no index", func(l *Logout) { l.SessionIndexes = []string{} }, true},
		{"one of two indexes", func(l *Logout) { l.SessionIndexes = append([]string{"_x"}, l.SessionIndexes...) }, true},
		{"another index", func(l *Logout) { l.SessionIndexes = []string{"_x"} }, false},
		{"no index, another NameID", func(l *Logout) { l.NameID, l.SessionIndexes = "somebody", []string{} }, false},
	} {
		h := newLogoutHouse(t, Options{})
		h.idp.SignInAs(DefaultUsers()[2])
		h.signIn(redirectURL)
		h.idp.SignInAs(DefaultUsers()[0])
		l := h.request(h.signIn(redirectURL))
		c.change(&l)
		if answer, _ := h.answerIn(h.send(HTTPRedirect, l)); answer.Status != StatusSuccess {
			t.Errorf("%s: got status %s", c.name, answer.Status)
		}
		if n := len(h.idp.Sessions()); n != map[bool]int{true: 1, false: 2}[c.ends] {
			t.Errorf("%s: %d sessions are left", c.name, n)
		}
	}
}

// TestSignOutURL: the page loads the Logout URL of each application in a frame, with a request that
// names the session, and hears the answers.
func TestSignOutURL(t *testing.T) {
	t.Parallel()
	h := newLogoutHouse(t, Options{})
	session := h.signIn(redirectURL)
	h.signIn(otherURL)
	h.register(func(a *Application) { a.ChangeLogout = func(l *Logout) { l.RelayState = "r" } })
	page := body(t, h.browser.get(h.idp.SignOutURL()))
	frames := regexp.MustCompile(`<iframe src="([^"]*)"`).FindAllStringSubmatch(page, -1)
	if len(frames) != 2 {
		t.Fatalf("got %d frames, want 2: %s", len(frames), page)
	}
	address := html.UnescapeString(frames[0][1])
	if bigDigits.MatchString(address) {
		t.Errorf("the frame changes the percent-encoding: %s", address)
	}
	r := httptest.NewRequest("GET", address, nil)
	if err := r.ParseForm(); err != nil {
		t.Fatal(err)
	}
	request, err := readLogout(r)
	if err != nil || !slices.Equal(request.SessionIndexes, []string{session.SessionIndex}) || request.RelayState != "r" ||
		request.Application != h.idp.EntityID() || request.Destination != logoutURL {
		t.Errorf("got the request %+v, %v", request.LogoutMessage, err)
	}
	h.send(HTTPRedirect, Logout{LogoutURL: h.idp.LogoutURL(), InResponseTo: request.ID, Status: StatusResponder})
	if heard := h.idp.LogoutMessages(); len(heard) != 1 || heard[0].InResponseTo != request.ID || !heard[0].Verified ||
		heard[0].Status != StatusResponder || heard[0].Request {
		t.Errorf("it heard %+v", heard)
	}
	if len(h.idp.Sessions()) != 0 || h.browser.signsIn(h.idp) != "" {
		t.Error("the user is still signed in")
	}
	if r := h.browser.get(h.idp.SignOutURL()); r.StatusCode != http.StatusSeeOther {
		t.Errorf("with nobody signed in: got %s, want to be sent to the home page", r.Status)
	}
}

// TestLogoutBySOAP: the answer of the service is read and verified.
func TestLogoutBySOAP(t *testing.T) {
	t.Parallel()
	h := newLogoutHouse(t, Options{})
	change := func(*Logout) {}
	status := http.StatusOK
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request, err := readLogoutEnvelope(r.Body)
		if err != nil || !request.Request || r.Header.Get("Cookie") != "" {
			t.Errorf("the service got %+v, %v", request.LogoutMessage, err)
		}
		l := Logout{LogoutURL: h.idp.LogoutURL(), InResponseTo: request.ID}
		change(&l)
		envelope, err := h.sp.LogoutEnvelope(l)
		if err != nil {
			t.Error(err)
		}
		w.WriteHeader(status)
		w.Write(envelope)
	}))
	t.Cleanup(service.Close)
	h.register(func(a *Application) { a.LogoutURL = service.URL })
	request := Logout{Session: h.signIn(redirectURL)}
	answer, err := h.idp.LogoutBySOAP(service.Client(), request)
	if err != nil || answer.Status != StatusSuccess || !answer.Verified {
		t.Errorf("got %+v, %v", answer, err)
	}
	for name, spoil := range map[string]func(*Logout){
		"unsigned":         func(l *Logout) { l.Unsigned = true },
		"to another":       func(l *Logout) { l.InResponseTo = "_x" },
		"not an answer":    func(l *Logout) { l.InResponseTo = "" },
		"of another":       func(l *Logout) { l.Issuer = "x" },
		"not a message":    func(l *Logout) { l.Edit = func(string) string { return "<x/>" } },
		"a status of HTTP": func(*Logout) { status = http.StatusInternalServerError },
	} {
		change = spoil
		if answer, err := h.idp.LogoutBySOAP(service.Client(), request); err == nil {
			t.Errorf("%s: got %+v, want an error", name, answer)
		}
		status = http.StatusOK
	}
}

func TestLogoutInMetadata(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		bindings []Binding
		want     []string
	}{
		{nil, []string{"HTTP-Redirect"}},
		{[]Binding{}, nil},
		{[]Binding{SOAP, HTTPPost}, []string{"SOAP", "HTTP-POST"}},
	} {
		for _, separate := range []bool{false, true} {
			idp := MustNew(t, Options{Keys: testKeys.rsa(), LogoutBindings: c.bindings, SeparateLogoutResponses: separate})
			document, m := mustMetadata(t, idp)
			var got []string
			for _, e := range m.Provider.Logout {
				got = append(got, strings.TrimPrefix(e.Binding, "urn:oasis:names:tc:SAML:2.0:bindings:"))
				if e.Location != idp.LogoutURL() {
					t.Errorf("the address is %s, want %s", e.Location, idp.LogoutURL())
				}
			}
			n := strings.Count(string(document), ` ResponseLocation="`+idp.LogoutURL()+`/logout"`)
			if !slices.Equal(got, c.want) || separate && n != len(c.want) || !separate && n != 0 {
				t.Errorf("%v, separate %v: got %v with %d addresses for answers", c.bindings, separate, got, n)
			}
		}
	}
}

// TestSessionIndexes: an answer has an AuthnStatement for each.
func TestSessionIndexes(t *testing.T) {
	t.Parallel()
	idp := MustNew(t, Options{Keys: testKeys.rsa()})
	document := string(mustRespond(t, idp, Answer{AssertionID: "_a", SessionIndexes: []string{"1", Absent}}))
	if strings.Count(document, "<AuthnStatement ") != 2 || strings.Count(document, ` SessionIndex="1"`) != 1 ||
		strings.Count(document, ` SessionIndex=`) != 1 || !strings.Contains(document, `<Assertion ID="_a"`) {
		t.Errorf("got %s", document)
	}
}

// TestRegisterLogoutURL: the form of the home page takes a Logout URL.
func TestRegisterLogoutURL(t *testing.T) {
	t.Parallel()
	idp := serve(t, Options{})
	newClient(t).submit(idp, "register", url.Values{"redirect_url": {otherURL}, "logout_url": {" " + logoutURL}})
	if app, ok := idp.application(otherURL); !ok || app.LogoutURL != logoutURL || app.SignOnURL != otherURL {
		t.Errorf("got %+v, %v", app, ok)
	}
	r, err := http.PostForm(idp.address("register"), url.Values{"redirect_url": {otherURL}, "logout_url": {"x"}})
	if err != nil {
		t.Fatal(err)
	}
	if text := body(t, r); r.StatusCode != http.StatusBadRequest || !strings.Contains(text, "the Logout URL is") {
		t.Errorf("got %s, %s", r.Status, text)
	}
	r.Body.Close()
}

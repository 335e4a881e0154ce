package saml

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// A logoutAnswerRow is one answer of the identity provider, and what the user reads.
type logoutAnswerRow struct {
	edit     func(*sampleLogout)
	sentence string
	code     Code // of the event, "" if the logout has finished
}

func (row logoutAnswerRow) events() string {
	if row.code == "" {
		return string(LogoutFinished)
	}
	return string(LogoutIncomplete) + " " + string(row.code)
}

func status(codes ...string) func(*sampleLogout) {
	return func(l *sampleLogout) { l.status = logoutStatus(codes...) }
}

func attributed(name, value string) func(*sampleLogout) {
	return func(l *sampleLogout) { l.attributes[name] = value }
}

const (
	sha1Signature = "http://www.w3.org/2000/09/xmldsig#rsa-sha1"
	unknownUser   = "urn:oasis:names:tc:SAML:2.0:status:UnknownPrincipal"
	authnFailed   = "urn:oasis:names:tc:SAML:2.0:status:AuthnFailed"
)

var logoutAnswers = map[string]logoutAnswerRow{
	"success":                      {status(statusSuccess), textSignedOutDone, ""},
	"partial below Success":        {status(statusSuccess, statusPartialLogout), textSignedOutSome, CodeLogoutStatus},
	"partial below Responder":      {status(statusResponder, statusPartialLogout), textSignedOutSome, CodeLogoutStatus},
	"partial at the top":           {status(statusPartialLogout), textSignedOutSome, CodeLogoutStatus},
	"no such user any more":        {status(statusRequester, unknownUser), textSignedOutFailed, CodeLogoutStatus},
	"Okta without our certificate": {status(authnFailed), textSignedOutFailed, CodeLogoutStatus},
	"unsigned":                     {(*sampleLogout).asUnsigned, textSignedOutUnknown, CodeLogoutUnsigned},
	"SHA-1": {func(l *sampleLogout) { l.algorithm = sha1Signature }, textSignedOutUnknown,
		CodeSignatureAlgorithm},
	"another key": {func(l *sampleLogout) { l.signer = "test-idp-b" }, textSignedOutUnknown, CodeSignature},
	"another identity provider": {func(l *sampleLogout) {
		l.issuer = "<saml:Issuer>https://evil.example</saml:Issuer>"
	}, textSignedOutUnknown, CodeResponseIssuer},
	"for another service": {attributed("Destination", "https://other.example.com/slo"), textSignedOutUnknown,
		CodeLogoutDestination},
	"to another request": {attributed("InResponseTo", "_other"), textSignedOutUnknown, CodeLogoutUnexpected},
	"to no request":      {attributed("InResponseTo", ""), textSignedOutUnknown, CodeLogoutUnexpected},
	"to a changed request": {func(l *sampleLogout) {
		id := []byte(l.attributes["InResponseTo"])
		id[len(id)-3] ^= 1
		l.attributes["InResponseTo"] = string(id)
	}, textSignedOutUnknown, CodeLogoutUnexpected},
	"not readable": {func(l *sampleLogout) {
		l.edit = func(s string) string { return s[:len(s)-9] }
	}, textSignedOutUnknown, CodeXMLSyntax},
}

// TestLogoutResponses: whatever the identity provider answers, by redirect or by form, the user is
// signed out here and reads what is certain. Only what is certain leads on to the page of the
// service.
func TestLogoutResponses(t *testing.T) {
	t.Parallel()
	s := newLogoutHouse(t, byRedirect)
	for name, row := range logoutAnswers {
		for _, binding := range []string{"redirect", "post"} {
			if binding == "post" && name == "SHA-1" { // the house signs forms with SHA-256 alone
				continue
			}
			for _, returnTo := range []string{"", "/bye"} {
				s.returnTo = returnTo
				b := s.browser()
				id := b.signOut().id(t)
				s.told()
				state := "https://evil.example/"
				l := s.response(id, func(l *sampleLogout) { l.binding, l.relayState = binding, &state }, row.edit)
				if binding == "post" && l.edit != nil {
					l.edit, l.signed = nil, l.edit
				}
				row.wantEnd(t, name+" by "+binding, b.bring(l), returnTo)
				if events, ended := s.told(); events != row.events() || ended != 0 {
					t.Errorf("%s by %s: got the events %q, %d ends, want %q", name, binding, events, ended, row.events())
				}
			}
		}
	}
}

// wantEnd looks at where the user ends up.
func (row logoutAnswerRow) wantEnd(t *testing.T, name string, answer logoutAnswer, returnTo string) {
	t.Helper()
	if returnTo != "" && row.code == "" {
		if answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Location") != returnTo {
			t.Errorf("%s: got status %d, %v", name, answer.StatusCode, answer.Header)
		}
		return
	}
	link := returnTo
	if link == "" || row.code == CodeXMLSyntax || row.code == CodeLogoutUnexpected { // nobody knows which logout it is
		link = DefaultRedirectPath
	}
	answer.wantPage(t, name, row.sentence, link)
}

// TestPendingLogoutBelongsToTheBrowser: a good answer counts only in the browser that began the
// logout, within an hour, and not for a login.
func TestPendingLogoutBelongsToTheBrowser(t *testing.T) {
	t.Parallel()
	s := newLogoutHouse(t, byRedirect)
	s.returnTo = "/bye"
	began := s.browser()
	id := began.signOut().id(t)
	good := func() logoutAnswer { return began.bring(s.response(id)) }
	if to := good().Header.Get("Location"); to != "/bye" {
		t.Fatalf("got %q, want the page of the service", to)
	}
	stranger := s.browser() // with a pending logout of its own
	other := stranger.signOut().id(t)
	s.told()
	unknown := func(name string, answer logoutAnswer) {
		t.Helper()
		answer.wantPage(t, name, textSignedOutUnknown, s.sp.RedirectURL())
		if events, _ := s.told(); events != "logout_incomplete logout_unexpected" {
			t.Errorf("%s: got %s", name, events)
		}
	}
	unknown("another browser", stranger.bring(s.response(id)))
	unknown("the answer of another browser", began.bring(s.response(other)))
	b := newBinding("")
	login := s.sp.bindID(b, s.sp.newPending(s.idp, LoginOptions{}), false)
	stranger.header.Set("Cookie", cookiePrefix+b.name+"="+b.value())
	unknown("the request of a login", stranger.bring(s.response(login)))
	stranger.header.Set("Cookie", "__Host-"+cookiePrefix+b.name+"="+b.value())
	unknown("a cookie of https", stranger.bring(s.response(s.sp.logoutID(b, false, false))))
	if s.sp.began(&boundLogin{requestID: s.sp.logoutID(b, false, false), binding: b}) {
		t.Error("the request of a logout counts for a login")
	}
	s.advance(pendingLifetime - time.Second)
	if to := good().Header.Get("Location"); to != "/bye" {
		t.Errorf("within an hour: got %q", to)
	}
	s.told()
	s.advance(time.Second)
	unknown("after an hour", good())
}

// TestLogoutResponseToOneWhoIsSignedIn: no answer, good or bad, ends a session or says that one has
// ended while there is one.
func TestLogoutResponseToOneWhoIsSignedIn(t *testing.T) {
	t.Parallel()
	s := newLogoutHouse(t, byRedirect)
	b := s.browser()
	b.bring(s.response("_nobody-asked")).wantPage(t, "nobody asked", textNoSignOut, "/")
	id := b.signOut().id(t)
	b.signIn()
	b.bring(s.response(id)).wantPage(t, "signed in again", textNoSignOut, "/")
	b.do("GET", "/slo?SAMLResponse=x", "").wantPage(t, "not readable", textNoSignOut, "/")
	if _, ended := s.told(); ended != 1 || !strings.Contains(b.cookies(), "session=1") {
		t.Errorf("%d sessions have ended, want the one that was signed out; cookies %s", ended, b.cookies())
	}
}

func mustURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func (b *logoutBrowser) cookies() string {
	var list []string
	for _, c := range b.client.Jar.Cookies(mustURL(b.s.T, b.s.server.URL)) {
		list = append(list, c.String())
	}
	return strings.Join(list, "; ")
}

// TestTwoClicks: a second click, a second tab, a reload and the Back button end on the signed-out
// page.
func TestTwoClicks(t *testing.T) {
	t.Parallel()
	s := newLogoutHouse(t, byRedirect)
	b := s.browser()
	first := b.signOut()
	b.signOut().wantPage(t, "a second click", textSignedOutHere, s.sp.RedirectURL())
	response := s.response(first.id(t))
	b.bring(response).wantPage(t, "the answer", textSignedOutDone, s.sp.RedirectURL())
	b.bring(response).wantPage(t, "a reload", textSignedOutDone, s.sp.RedirectURL())
	b.signIn()
	one := b.signOut()
	b.signIn() // another tab
	two := b.signOut()
	b.bring(s.response(two.id(t))).wantPage(t, "the later tab", textSignedOutDone, s.sp.RedirectURL())
	b.bring(s.response(one.id(t))).wantPage(t, "the earlier tab", textSignedOutDone, s.sp.RedirectURL())
	b.client.Jar = nil
	b.bring(response).wantPage(t, "no cookies, as in a frame", textSignedOutUnknown, s.sp.RedirectURL())
}

// TestManyLogouts: however often a browser signs out, its cookies stay within their limit.
func TestManyLogouts(t *testing.T) {
	t.Parallel()
	s := newLogoutHouse(t, byRedirect)
	b := s.browser()
	for range 50 {
		s.returnTo = "/bye/" + newReference()
		b.signIn()
		b.signOut()
	}
	if n := len(b.cookies()); n > maxCookies {
		t.Errorf("the cookies take %d bytes: %s", n, b.cookies())
	}
	b.signIn()
	if last := b.bring(s.response(b.signOut().id(t))); last.Header.Get("Location") != s.returnTo {
		t.Errorf("got %v, want %s", last.Header, s.returnTo)
	}
}

// TestLogoutInOtherLanguages: all that a user reads is in PageTexts, and is asked for in the language of
// the request.
func TestLogoutInOtherLanguages(t *testing.T) {
	t.Parallel()
	known := PageTexts()
	s := newLogoutHouse(t, byPost+byRedirect, func(_ *Config, hc *HandlerConfig) {
		hc.Language = func(*http.Request) (string, func(string) string) {
			return "de", func(english string) string {
				if !slices.Contains(known, english) {
					t.Errorf("PageTexts does not have %q", english)
				}
				return "DE " + english
			}
		}
	})
	b := s.browser()
	for name, answer := range map[string]logoutAnswer{
		"a link":          b.do("GET", "/sign-out", ""),
		"signed in":       b.bring(s.response("_other")),
		"to the provider": b.signOut(),
		"signed out":      b.signOut(),
		"an answer":       b.bring(s.response("_other")),
	} {
		if !strings.Contains(answer.body, "DE ") || strings.Contains(answer.body, "<p>You") {
			t.Errorf("%s: got %s", name, answer.body)
		}
	}
}

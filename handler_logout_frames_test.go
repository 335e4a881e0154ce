package saml

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestFrameOrigins: an origin of a policy has a scheme, a host and a port, and nothing that an address
// can smuggle in.
func TestFrameOrigins(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"https://idp.example.com/slo?a=b#c":       "https://idp.example.com",
		"https://IDP.Example.com:8443":            "https://idp.example.com:8443",
		"http://127.0.0.1:9500/realms/x":          "http://127.0.0.1:9500",
		"https://user:secret@idp.example.com/":    "https://idp.example.com",
		"https://xn--bcher-kva.example/":          "https://xn--bcher-kva.example",
		"":                                        "",
		"idp.example.com":                         "",
		"urn:idp":                                 "",
		"javascript:alert(1)":                     "",
		"data:text/html,x":                        "",
		"ftp://idp.example.com/":                  "",
		"https://*/":                              "",
		"https://*.example.com/":                  "",
		"https://idp.example.com;script-src *":    "",
		"https://idp.example.com;":                "",
		"https://idp.example.com, https://a.com":  "",
		"https://idp.example.com%3b/":             "",
		"https://idp.example.com%20https:/":       "",
		"https://idp.example.com\r\nX: y/":        "",
		"https://'self'/":                         "",
		"https://'none'/":                         "",
		"https://b\u00FCcher.example/":            "",
		"https://idp_a.example.com/":              "",
		"https://[::1]:8443/":                     "",
		"https:///path":                           "",
		"https://idp.example.com:99999/":          "",
		"https://idp.example.com:443;x/":          "",
		"https://idp.example.com:*/":              "",
		"https://idp.example.com\\@evil.example/": "",
		"//idp.example.com/":                      "",
		"https://idp.example.com@evil.example":    "https://evil.example", // where a browser goes
	} {
		if got := frameOrigin(address); got != want {
			t.Errorf("%q: got %q, want %q", address, got, want)
		}
	}
}

// TestHostileFrames: whatever the settings and the middlewares in front say, the header has one rule
// for frames, made of the identity provider's addresses and of the option.
func TestHostileFrames(t *testing.T) {
	t.Parallel()
	const idp, login, portal = "https://idp.example.com", "https://login.example.com/sso", "https://portal.example.com:444"
	for name, row := range map[string]struct {
		login  string
		option []string
		want   string
	}{
		"addresses alone":  {login, nil, "https://login.example.com " + idp},
		"an option":        {login, []string{portal}, portal + " https://login.example.com " + idp},
		"one host":         {idp + "/sso", []string{idp}, idp},
		"a semicolon":      {"https://a.example.com;script-src", nil, idp},
		"a wildcard":       {"https://*", nil, idp},
		"another alphabet": {"https://b\u00FCcher.example/sso", nil, idp},
		"an IPv6 address":  {"https://[2001:db8::1]/sso", nil, idp},
		"no login address": {"", nil, idp},
	} {
		s := newSampleLogout()
		s.config = func(_ testing.TB, c *Config) { c.LogoutFrameAncestors = row.option }
		l := newLogoutSite(t, s, nil)
		trusted, err := l.sp.snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		own := *trusted
		own.loginURL = row.login
		l.sp.config.IdentityProvider = &own
		l.server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Frame-Options", "DENY")
			w.Header().Set("Content-Security-Policy", "frame-ancestors *")
			l.handler.ServeHTTP(w, r)
		})
		refused := newSampleLogout()
		refused.asUnsigned()
		for _, sent := range []*sampleLogout{s, refused} {
			a := l.send(sent)
			if policies := a.Header.Values("Content-Security-Policy"); len(policies) != 1 || a.frames() != row.want ||
				strings.Count(policies[0], "frame-ancestors") != 1 || a.Header.Get("X-Frame-Options") != "" {
				t.Errorf("%s: got %q and %v", name, policies, a.Header)
			}
		}
	}
}

// TestFramesOfEachBinding: each host that the metadata names for logout may frame the answer, whichever
// of them we send messages to. An address that nothing is sent to gives nobody a right.
func TestFramesOfEachBinding(t *testing.T) {
	t.Parallel()
	const answers = `ResponseLocation="https://answers.example.com/slo"`
	for services, want := range map[string]string{
		byRedirect:                 "https://idp.example.com",
		byRedirect + byPost:        "https://idp.example.com",
		sloXML("SOAP", idpSLO, ""): "https://idp.example.com",
		byRedirect + sloXML("HTTP-POST", "https://post.example.com/slo", answers): "https://idp.example.com " +
			"https://post.example.com https://answers.example.com",
		byRedirect + sloXML("SOAP", "https://soap.example.com:8443/slo", ""): "https://idp.example.com " +
			"https://soap.example.com:8443",
		byRedirect + sloXML("HTTP-POST", "http://post.example.com/slo", ""):     "https://idp.example.com",
		byRedirect + sloXML("HTTP-POST", "https://console.example.com/slo", ""): "https://idp.example.com",
	} {
		sp := mustProvider(t, func(c *Config) {
			withLogout(t, c)
			c.IdentityProvider = idpWith(t, services)
		})
		if got := strings.Join(sp.logoutFrames(t.Context()), " "); !strings.HasSuffix(got, want) ||
			strings.Count(got, "https://") > strings.Count(want, "https://")+1 {
			t.Errorf("%s: got %q, want %q", services, got, want)
		}
	}
}

// TestNobodyFramesTheRest: what does not answer a LogoutRequest is framed by nobody, and neither is an
// answer if nobody knows whose settings apply.
func TestNobodyFramesTheRest(t *testing.T) {
	t.Parallel()
	s := newSampleLogout()
	l := newLogoutSite(t, s, nil)
	answer := newSampleLogout()
	answer.asResponse()
	answerForm := newSampleLogout()
	changes(asResponse, asPost)(answerForm)
	for name, a := range map[string]logoutReply{"a LogoutResponse": l.send(answer), "its first leg": l.send(answerForm),
		"the Logout URL alone":   l.do(newGET(t, l.server.URL+l.sp.LogoutPath())),
		"a Response by GET":      l.do(newGET(t, l.server.URL+l.sp.RedirectPath()+"?SAMLResponse=x")),
		"a form without a login": postTo(t, l, l.sp.RedirectPath(), "a=b"),
	} {
		if a.frames() != "'none'" {
			t.Errorf("%s: may be framed by %q", name, a.frames())
		}
	}
	down := errors.New("down")
	l = newLogoutSite(t, s, func(c *HandlerConfig) {
		c.Provider = nil
		c.Resolve = func(*http.Request, string) (*ServiceProvider, error) { return nil, down }
	})
	for binding, by := range logoutSenders {
		s := newSampleLogout()
		by(s)
		a := l.send(s)
		if binding == "soap" {
			a.wantRefusedBy(t, "unknown settings", s, http.StatusInternalServerError, CodeIdentityProvider)
			continue
		}
		if a.frames() != "'none'" || a.Header.Get("Retry-After") == "" {
			t.Errorf("unknown settings: got %v", a.Header)
		}
		a.wantRefusedBy(t, "unknown settings", s, http.StatusServiceUnavailable, CodeIdentityProvider)
	}
	l.wantEnded("unknown settings")
	if len(l.events) != len(logoutSenders) || !errors.Is(l.events[0].Err, down) {
		t.Errorf("got the events %+v", l.events)
	}
}

func newGET(t testing.TB, address string) *http.Request {
	t.Helper()
	r, err := http.NewRequest("GET", address, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestOnErrorOfLogout: a page of the application is told what it may show, and who may frame it.
func TestOnErrorOfLogout(t *testing.T) {
	t.Parallel()
	s := newSampleLogout()
	s.asUnsigned()
	var shown Page
	l := newLogoutSite(t, s, func(c *HandlerConfig) {
		c.OnError = func(w http.ResponseWriter, _ *http.Request, err *Error) {
			shown = err.Page()
			w.WriteHeader(shown.Status)
			w.Write([]byte(err.Code + " " + Code(err.Reference)))
		}
	})
	a := l.send(s)
	if shown != logoutRefused || !strings.HasPrefix(a.body, string(CodeLogoutUnsigned)+" ") {
		t.Errorf("got %+v, %s", shown, a.body)
	}
	a.wantHeaders(t, "own page", s)
	s.signer = "test-attacker" // a code that is met at a sign-in too
	if l.send(s); shown != logoutRefused {
		t.Errorf("got the page %+v", shown)
	}
}

// TestLogoutGuard: a guard in front of the Logout URL would send the identity provider's frame to a
// login. It says so.
func TestLogoutGuard(t *testing.T) {
	t.Parallel()
	for binding, by := range logoutSenders {
		s := newSampleLogout()
		by(s)
		l := newLogoutSite(t, s, nil)
		l.server.Config.Handler = l.handler.Require(http.NotFoundHandler())
		a := l.send(s, "Accept", "text/html")
		if a.Header.Get("Location") != "" || binding == "redirect" && !strings.Contains(a.body, string(CodeConfig)) {
			t.Errorf("%s: got %d %v %s", binding, a.StatusCode, a.Header, a.body)
		}
		const hint = "Logout URL (ServiceProvider.LogoutPath), outside of Require"
		if binding == "redirect" && !strings.Contains(l.events[0].Err.Hint, hint) {
			t.Errorf("got the hint %q", l.events[0].Err.Hint)
		}
	}
}

// TestSOAPFaults: what is no LogoutRequest for us in a SOAP envelope gets a fault with status 500, that
// says a code and a reference.
func TestSOAPFaults(t *testing.T) {
	t.Parallel()
	s := newSampleLogout()
	s.asSOAP()
	l := newLogoutSite(t, s, nil)
	good := s.soap(t)
	for name, row := range map[string]struct {
		kind, body string
		code       Code // "" for a good one
	}{
		"SOAP 1.1":        {"text/xml", good, ""},
		"with a charset":  {`text/xml; charset="UTF-8"`, good, ""},
		"another type":    {"application/soap+xml; charset=utf-8; action=x", good, ""},
		"another case":    {"Text/XML", good, ""},
		"another charset": {"text/xml; charset=iso-8859-1", good, CodeEncoding},
		"an answer":       {"text/xml", soapAnswer(t), CodeLogoutMessage},
		"nothing":         {"text/xml", "", CodeXMLSyntax},
		"no envelope":     {"text/xml", "<x/>", CodeLogoutForm},
		"a form":          {"text/xml", "SAMLRequest=x", CodeXMLSyntax},
		"too large":       {"text/xml", good + strings.Repeat(" ", maxBody), CodeTooLarge},
		"a sign-in": {"text/xml", strings.ReplaceAll(good, "LogoutRequest", "AuthnRequest"),
			CodeLogoutMessage},
		"an entity":           {"text/xml", "<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>", CodeDoctype},
		"a body that is gone": {"text/xml", "gone", CodeForm},
	} {
		r, err := http.NewRequest("POST", l.server.URL+l.sp.LogoutPath(), strings.NewReader(row.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", row.kind)
		if row.body == "gone" {
			w, gone := httptest.NewRecorder(), r.Clone(t.Context())
			gone.Body, gone.ContentLength = http.NoBody, 4
			l.handler.ServeHTTP(w, gone)
			logoutReply{w.Result(), w.Body.String()}.wantRefused(t, name, s, row.code)
			continue
		}
		a := l.do(r)
		if row.code == "" {
			a.wantResponse(t, name, s, statusSuccess)
			continue
		}
		a.wantRefused(t, name, s, row.code)
		if !strings.Contains(a.body, "reference "+l.events[len(l.events)-1].Err.Reference) {
			t.Errorf("%s: the reference is not in %s", name, a.body)
		}
	}
}

func soapAnswer(t testing.TB) string {
	t.Helper()
	s := newSampleLogout()
	changes(asResponse, asSOAP)(s)
	return s.soap(t)
}

package saml

import (
	"context"
	"crypto"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/iomete/saml/internal/testfiles"
)

const idpSLO = "https://idp.example.com/slo"

var byRedirect, byPost = sloXML("HTTP-Redirect", idpSLO, ""), sloXML("HTTP-POST", idpSLO, "")

// receiver is the identity provider, as one that trusts the key of the service.
func (s *logoutHouse) receiver(entityID string) *ServiceProvider {
	s.Helper()
	keys, err := ParseKeys(testfiles.Key(s, "test-idp-b.crt.pem"))
	if err != nil {
		s.Fatal(err)
	}
	return mustProvider(s, func(c *Config) {
		idp, err := NewIdentityProvider(entityID, "https://idp.example.com/login", keys...)
		if err != nil {
			s.Fatal(err)
		}
		c.IdentityProvider, c.NameID = idp, AllowAnyNameID
	})
}

// TestStartLogout: the session ends, and the browser carries a signed LogoutRequest that names it
// as the sign-in did.
func TestStartLogout(t *testing.T) {
	t.Parallel()
	const former = "https://old.example.com/saml"
	for name, row := range map[string]struct {
		services, entityID string
		header             http.Header // in place of that of a browser of today
		to, how            string
	}{
		"by redirect":                 {services: byRedirect, to: idpSLO, how: "page"},
		"by redirect, an old browser": {services: byRedirect, header: http.Header{}, to: idpSLO, how: "redirect"},
		"by post alone":               {services: byPost, to: idpSLO, how: "form"},
		"by post, an old browser":     {services: byPost, header: http.Header{}, to: idpSLO, how: "form"},
		"the better of both":          {services: byPost + byRedirect, to: idpSLO, how: "page"},
		"not where answers go": {services: sloXML("HTTP-POST", idpSLO,
			`ResponseLocation="https://idp.example.com/answers"`), to: idpSLO, how: "form"},
		"a session of a former entity ID": {services: byRedirect, entityID: former, to: idpSLO, how: "page"},
		"an address with a query": {services: sloXML("HTTP-POST", idpSLO+"?sls&amp;a=b", ""), to: idpSLO + "?sls&a=b",
			how: "form"},
	} {
		s := newLogoutHouse(t, row.services)
		if row.entityID != "" {
			s.subject.EntityID = row.entityID
		}
		b := s.browser()
		if row.header != nil {
			b.header = row.header
			b.header.Set("Origin", s.server.URL)
		}
		answer := b.signOut()
		m, to, how := answer.sent(t)
		if to != row.to || how != row.how {
			t.Errorf("%s: sent to %s by %s, want %s by %s", name, to, how, row.to, row.how)
		}
		v := s.receiver(s.subject.EntityID).judgeLogoutRequest(t.Context(),
			logoutArrival{message: m, addresses: []string{row.to}}, logoutRequestChecks)
		if v.refusal != nil || !sameName(v.request.NameID, s.subject.NameID) ||
			!slices.Equal(v.request.Indexes, s.subject.SessionIndexes) {
			t.Errorf("%s: the identity provider reads %+v, %v", name, v.request, v.refusal)
		}
		policy := answer.Header.Get("Content-Security-Policy")
		lets := !strings.Contains(policy, "form-action") && strings.Contains(policy, "frame-ancestors 'none'")
		if how != "redirect" && !lets || answer.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: got the policy %q, %v", name, policy, answer.Header)
		}
		if events, ended := s.told(); events != "logout_started" || ended != 1 {
			t.Errorf("%s: got the events %s, %d ends", name, events, ended)
		}
		if page := b.do("GET", "/slo?"+s.response(answer.id(t)).query(t), ""); page.StatusCode != http.StatusOK {
			t.Errorf("%s: the answer gets status %d", name, page.StatusCode)
		}
	}
}

func sameName(a, b NameID) bool {
	return a.Value == b.Value && a.Format == b.Format && a.NameQualifier == b.NameQualifier &&
		a.SPNameQualifier == b.SPNameQualifier
}

// TestLogoutStaysHere: who cannot be signed out at the identity provider is signed out here, and
// ends where the service wants. If that is a fault, a page of ours says what is not known.
func TestLogoutStaysHere(t *testing.T) {
	t.Parallel()
	configured := func(change func(*Config)) func(*Config, *HandlerConfig) {
		return func(c *Config, _ *HandlerConfig) { change(c) }
	}
	resolve := func(err error) func(*Config, *HandlerConfig) {
		return func(_ *Config, hc *HandlerConfig) {
			hc.Resolve = func(*http.Request, string) (*ServiceProvider, error) { return nil, err }
		}
	}
	for name, row := range map[string]struct {
		services string
		change   func(*Config, *HandlerConfig)
		prepare  func(*logoutHouse)
		events   string // of a fault
	}{
		"no logout there, as Google Workspace": {},
		"SOAP is not https":                    {services: sloXML("SOAP", "http://idp.example.com/slo", "")},
		"a logout URL that is our own": {services: byRedirect, prepare: func(s *logoutHouse) {
			s.idp = idpWith(t, sloXML("HTTP-Redirect", s.sp.LogoutURL(), ""))
		}},
		"no LogoutPath":             {services: byRedirect, change: configured(func(c *Config) { c.LogoutPath = "" })},
		"signed in by password":     {services: byRedirect, prepare: func(s *logoutHouse) { s.subject = nil }},
		"no NameID":                 {services: byRedirect, prepare: func(s *logoutHouse) { s.subject.NameID.Value = "" }},
		"another identity provider": {services: byRedirect, prepare: func(s *logoutHouse) { s.subject.Issuer += "2" }},
		"a session without a tenant": {services: byRedirect, prepare: func(s *logoutHouse) { s.subject.Tenant = "" },
			change: configured(func(c *Config) { c.Tenant = "a" })},
		"another tenant":     {services: byRedirect, prepare: func(s *logoutHouse) { s.subject.Tenant = "b" }},
		"switched off since": {services: byRedirect, change: resolve(ErrNotConfigured)},
		"the settings fail": {services: byRedirect, change: resolve(errors.New("down")),
			events: "logout_incomplete identity_provider"},
		"the settings of the identity provider fail": {services: byRedirect, prepare: func(s *logoutHouse) { s.idp = nil },
			events: "logout_incomplete identity_provider"},
		"the key fails, by redirect": {services: byRedirect, change: configured(failingKey),
			events: "logout_incomplete key_unavailable"},
		"the key fails, by post": {services: byPost, change: configured(failingKey), events: "logout_incomplete key_unavailable"},
		"the key fails, by SOAP": {services: sloXML("SOAP", idpSLO, ""), change: configured(failingKey),
			events: "logout_started, logout_incomplete key_unavailable"},
	} {
		s := newLogoutHouse(t, row.services, append([]func(*Config, *HandlerConfig){}, withChange(row.change)...)...)
		if row.prepare != nil {
			row.prepare(s)
		}
		b := s.browser()
		answer := b.signOut()
		sentence, link := textSignedOutHere, s.sp.RedirectURL()
		if row.events != "" {
			sentence = textSignedOutUnknown
		}
		if name == "the settings fail" || name == "switched off since" {
			link = "/" // nobody knows where a login begins
		}
		answer.wantPage(t, name, sentence, link)
		if events, ended := s.told(); events != row.events || ended != 1 {
			t.Errorf("%s: got the events %q, %d ends, want %q", name, events, ended, row.events)
		}
		if again := b.signOut(); again.StatusCode != http.StatusOK {
			t.Errorf("%s: signed out twice: got status %d", name, again.StatusCode)
		}
		s.returnTo = "/bye?x=1"
		b.signIn()
		if answer = b.signOut(); row.events != "" {
			answer.wantPage(t, name+", with a page of the service", sentence, "/bye?x=1")
		} else if answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Location") != "/bye?x=1" {
			t.Errorf("%s: got status %d, %v", name, answer.StatusCode, answer.Header)
		}
	}
}

// TestLogoutEndsOnThisHost: an address of another host is none, whoever hands it over.
func TestLogoutEndsOnThisHost(t *testing.T) {
	t.Parallel()
	s := newLogoutHouse(t, "")
	for _, address := range []string{"https://evil.example/", "//evil.example/", `/\evil.example/`, "bye",
		"javascript:alert(1)"} {
		s.returnTo = address
		s.browser().signOut().wantPage(t, address, textSignedOutHere, DefaultRedirectPath)
	}
}

func withChange(change func(*Config, *HandlerConfig)) (list []func(*Config, *HandlerConfig)) {
	if change != nil {
		list = append(list, change)
	}
	return list
}

// failingKey gives a service a key whose service is down.
func failingKey(c *Config) { c.SigningKey = brokenSigner{c.SigningKey} }

type brokenSigner struct{ crypto.Signer }

func (brokenSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("the key is away")
}

// TestSessionThatDoesNotEndEverywhere: the identity provider is told all the same, and so is the
// operator.
func TestSessionThatDoesNotEndEverywhere(t *testing.T) {
	t.Parallel()
	s := newLogoutHouse(t, byRedirect)
	s.fails = errors.New("the store is down")
	if _, to, _ := s.browser().signOut().sent(t); to != idpSLO {
		t.Errorf("sent to %s", to)
	}
	if events, _ := s.told(); events != "logout_incomplete session, logout_started" {
		t.Errorf("got the events %s", events)
	}
	s = newLogoutHouse(t, "")
	s.fails, s.returnTo = errors.New("the store is down"), "/bye"
	s.browser().signOut().wantPage(t, "nobody else is told", textMaySignedIn, "/") // and not that one is signed out
}

// TestOnlyOurPagesSignOut: what another page can make a browser send ends nothing.
func TestOnlyOurPagesSignOut(t *testing.T) {
	t.Parallel()
	s := newLogoutHouse(t, byRedirect)
	own, err := url.Parse(s.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	// headers are pairs of a name and a value
	headers := func(pairs ...string) http.Header {
		h := http.Header{}
		for pair := range slices.Chunk(pairs, 2) {
			h.Set(pair[0], pair[1])
		}
		return h
	}
	const site, origin, evil = "Sec-Fetch-Site", "Origin", "https://evil.example"
	for name, row := range map[string]struct {
		method string
		header http.Header
		status int // 0: the user is signed out
	}{
		"a form of ours":                          {"POST", headers(site, "same-origin"), 0},
		"a form of ours, old browser":             {"POST", headers(origin, s.server.URL), 0},
		"a form of ours, a proxy changes Host":    {"POST", headers(origin, s.server.URL, "Host", "internal:8080"), 0},
		"a form of ours at another name":          {"POST", headers(origin, "http://localhost", "Host", "localhost"), 0},
		"a link":                                  {"GET", headers(site, "same-origin"), 405},
		"a link of another site":                  {"GET", headers(site, "cross-site"), 405},
		"an image":                                {"GET", headers(site, "cross-site", "Sec-Fetch-Dest", "image"), 405},
		"a prefetch":                              {"GET", headers(site, "same-origin", "Sec-Purpose", "prefetch"), 405},
		"a look at the headers":                   {"HEAD", headers(site, "same-origin"), 405},
		"another site":                            {"POST", headers(site, "cross-site", origin, evil), 403},
		"another site, Origin lies":               {"POST", headers(site, "cross-site", origin, s.server.URL), 403},
		"a sibling host":                          {"POST", headers(site, "same-site"), 403},
		"nobody's form":                           {"POST", headers(site, "none"), 403},
		"another site, old browser":               {"POST", headers(origin, evil), 403},
		"another port, old browser":               {"POST", headers(origin, "http://"+own.Hostname()+":1"), 403},
		"our host by another scheme":              {"POST", headers(origin, "https://"+own.Host), 403},
		"our host as a user name":                 {"POST", headers(origin, s.server.URL+"@evil.example"), 403},
		"a hidden page, old browser":              {"POST", headers(origin, "null"), 403},
		"no browser, or a proxy took the headers": {"POST", headers(), 403},
	} {
		b := s.browser()
		s.told()
		b.header = row.header
		answer := b.do(row.method, "/sign-out", "")
		events, ended := s.told()
		if row.status == 0 {
			if ended != 1 || answer.StatusCode >= 400 {
				t.Errorf("%s: got status %d, %d ends, %s", name, answer.StatusCode, ended, events)
			}
			continue
		}
		if answer.StatusCode != row.status || ended != 0 || answer.Header.Get("Cache-Control") != "no-store" ||
			row.status == 403 && (events != "logout_incomplete logout_origin" ||
				!strings.Contains(answer.body, "You are not signed out")) ||
			row.status == 405 && answer.Header.Get("Allow") != "POST" {
			t.Errorf("%s: got status %d, %d ends, %s, %v", name, answer.StatusCode, ended, events, answer.Header)
		}
	}
}

// TestLogoutWithoutEndSession: a service that forgot the function gets told so.
func TestLogoutWithoutEndSession(t *testing.T) {
	t.Parallel()
	s := newLogoutHouse(t, byRedirect, func(_ *Config, hc *HandlerConfig) { hc.EndSession = nil })
	answer := s.browser().signOut()
	if events, _ := s.told(); answer.StatusCode != 500 || events != "logout_incomplete config" {
		t.Errorf("got status %d, %s", answer.StatusCode, events)
	}
}

// TestHeadersOfALogout: proxies take some KiB for the headers of an answer (nginx: 4 KiB), also
// with long names and many indexes.
func TestHeadersOfALogout(t *testing.T) {
	t.Parallel()
	for name, services := range map[string]string{"redirect": byRedirect, "post": byPost} {
		s := newLogoutHouse(t, services)
		s.returnTo = "/bye?" + strings.Repeat("x", 400)
		s.subject.NameID.Value = strings.Repeat("n", 256)
		s.subject.SessionIndexes = nil
		for range 8 {
			s.subject.SessionIndexes = append(s.subject.SessionIndexes, strings.Repeat(newReference(), 25))
		}
		answer := s.browser().signOut()
		var b strings.Builder
		if err := answer.Header.Write(&b); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d bytes of headers", name, b.Len())
		if m, _, _ := answer.sent(t); b.Len() > 2<<10 || m == nil {
			t.Errorf("%s: got %d bytes of headers, want at most 2 KiB", name, b.Len())
		}
	}
}

// TestLogoutOfTenants: the session says whose settings count, also at an address that all tenants
// share, and the answer finds them by what the browser kept.
func TestLogoutOfTenants(t *testing.T) {
	t.Parallel()
	var s *logoutHouse
	var a, b *ServiceProvider
	s = newLogoutHouse(t, byRedirect, func(c *Config, hc *HandlerConfig) {
		c.Tenant = "a"
		hc.Resolve = func(_ *http.Request, tenant string) (*ServiceProvider, error) {
			switch tenant {
			case "a":
				return a, nil
			case "b":
				return b, nil
			}
			return nil, ErrNotConfigured
		}
	})
	a = s.sp
	c := a.config
	c.Tenant, c.EntityID = "b", "urn:b"
	c.IdentityProvider = IdentityProviderFunc(func(context.Context) (*IdentityProvider, error) { return s.idp, nil })
	var err error
	if b, err = New(c); err != nil {
		t.Fatal(err)
	}
	s.subject.Tenant, s.subject.EntityID = "b", "urn:b"
	s.returnTo = "/bye"
	browser := s.browser()
	answer := browser.signOut()
	if m, _, _ := answer.sent(t); m.Issuer() != "urn:b" {
		t.Errorf("the request is of %s", m.Issuer())
	}
	s.sp = nil // the address names no tenant
	s.told()
	response := newSampleLogout()
	response.asResponse()
	response.attributes["InResponseTo"], response.attributes["Destination"] = answer.id(t), b.LogoutURL()
	got := browser.bring(response)
	if events, _ := s.told(); got.Header.Get("Location") != "/bye" || events != "logout_finished" {
		t.Errorf("got status %d, %v, %s", got.StatusCode, got.Header, events)
	}
	browser.client.Jar = nil
	browser.bring(response).wantPage(t, "state lost", textSignedOutUnknown, "/")
}

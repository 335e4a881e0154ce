package saml

import (
	"context"
	"crypto"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestLogoutRequestsThatAreRefused sends each refused LogoutRequest of logoutRows to the Handler. What
// is not authentic is answered by a page or a fault: nothing ends, nothing is signed, no private key is
// used, and no address is told. What is authentic gets a signed answer that says no.
func TestLogoutRequestsThatAreRefused(t *testing.T) {
	t.Parallel()
	sent := 0
	for group, rows := range logoutRows {
		for _, row := range rows {
			s := row.sample(true)
			if s.response || notForHandler[row.name] {
				continue // a LogoutResponse is for those who begin a logout
			}
			sent++
			t.Run(group+": "+row.name, func(t *testing.T) { refusedByHandler(t, s, row.code, group == "feasible") })
		}
	}
	if sent < 90 {
		t.Errorf("%d requests were sent, want 90", sent)
	}
}

// notForHandler are requests that do not come to it, or that other tests send.
var notForHandler = map[string]bool{
	"it came to the other address of ours": true, // TestLogoutAtTheOtherAddress
	"there is no message":                  true, // TestLogoutURLSignsNobodyIn
	"the query is too large":               true, // for net/http too
	"a request in SAMLResponse":            true, // no request, as far as its parameter says
}

func refusedByHandler(t *testing.T, s *sampleLogout, code Code, authentic bool) {
	calls := 0
	change := s.config
	s.config = func(t testing.TB, c *Config) {
		if change != nil {
			change(t, c)
		}
		for i, k := range c.DecryptionKeys {
			c.DecryptionKeys[i].Key = countedKey{k.Key, &calls}
		}
	}
	l := newLogoutSite(t, s, nil)
	a := l.send(s)
	l.wantEnded("refused")
	if len(l.events) != 1 || l.events[0].Kind != LogoutRefused || l.events[0].Err.Code != code {
		t.Errorf("got the events %+v, want %s", l.events, string(code))
	}
	switch {
	case authentic && s.signer != "":
		response := a.response(t)
		if response == nil || response.status.Code == statusSuccess || response.inResponseTo != "_m" {
			t.Errorf("got %+v from %d %s", response, a.StatusCode, a.body)
		}
	case calls > 0:
		t.Errorf("a private key was used %d times", calls)
	default:
		a.wantRefused(t, "refused", s, code)
	}
}

// TestRelayStateGoesBack: as it came, by each binding, an empty one and a long one too.
func TestRelayStateGoesBack(t *testing.T) {
	t.Parallel()
	for binding, by := range map[string]func(*sampleLogout){"redirect": asIs, "post": asPost} {
		for _, state := range []*string{nil, pointerTo(""), pointerTo("a b+/&=%41;?#\"<"),
			pointerTo("https://idp.example.com/a?b=c"), pointerTo(strings.Repeat("x", 81)),
			pointerTo(strings.Repeat("ü", 2000))} {
			s := newSampleLogout()
			by(s)
			s.relayState = state
			l := newLogoutSite(t, s, nil)
			sent := l.send(s, "Origin", "https://idp.example.com").wantResponse(t, binding, s, statusSuccess)
			if (sent.relayState == nil) != (state == nil) || state != nil && *sent.relayState != *state {
				t.Errorf("%s: got RelayState %v", binding, sent.relayState)
			}
		}
	}
}

// TestLogoutAnswerInAForm: where only HTTP-POST is offered, RelayState goes back in a form, and a page
// of the identity provider may frame it.
func TestLogoutAnswerInAForm(t *testing.T) {
	t.Parallel()
	s := newSampleLogout()
	l := newLogoutSite(t, s, nil)
	for _, state := range []*string{nil, pointerTo(""), pointerTo(`"><a b+/&=`)} {
		w := httptest.NewRecorder()
		err := l.handler.answerByForm(w, httptest.NewRequest("GET", "/", nil), l.sp,
			l.sp.newLogoutResponse(logoutAnswerURL, "_m", statusSuccess), state)
		if err != nil {
			t.Fatal(err)
		}
		a := logoutReply{w.Result(), w.Body.String()}
		sent := a.wantResponse(t, "form", s, statusSuccess)
		if (sent.relayState == nil) != (state == nil) || state != nil && *sent.relayState != *state {
			t.Errorf("got RelayState %v in %s", sent.relayState, a.body)
		}
		if action, _ := firstForm(a.body); action != logoutAnswerURL {
			t.Errorf("the form goes to %q", action)
		}
	}
}

// TestLogoutThatFails: the identity provider is told Success only after the sessions have ended, and a
// request that comes again ends them after all. One whose sessions have ended is answered at once.
func TestLogoutThatFails(t *testing.T) {
	t.Parallel()
	for binding, by := range logoutSenders {
		s := newSampleLogout()
		by(s)
		l := newLogoutSite(t, s, nil)
		l.fails = []error{errors.New("no database for ann@example.com"), (*Error)(nil), refuse(CodeStore, "x", "", "")}
		l.send(s).wantResponse(t, binding, s, statusResponder)
		l.wantEnded(binding)
		l.send(s).wantResponse(t, binding+" again", s, statusSuccess) // a nil *Error is no error
		l.send(s).wantResponse(t, binding+" again", s, statusSuccess)
		s.attributes["ID"] = "_another"
		l.send(s).wantResponse(t, binding+" another", s, statusResponder)
		l.send(s).wantResponse(t, binding+" another", s, statusSuccess)
		l.wantEnded(binding+" another", "ann@example.com _index")
		var kinds []string
		for _, e := range l.events {
			kind := string(e.Kind)
			if e.Err != nil {
				kind += " " + string(e.Err.Code)
			}
			kinds = append(kinds, kind)
		}
		const failed, accepted = "logout_refused logout_failed", "logout_accepted"
		if want := []string{failed, accepted, failed, accepted}; !slices.Equal(kinds, want) {
			t.Errorf("%s: got the events %q, want %q", binding, kinds, want)
		}
		if log := l.log.String(); strings.Contains(log, "ann@") || strings.Contains(log, "_index") ||
			!strings.Contains(log, "logout_failed") {
			t.Errorf("%s: the log says %s", binding, log)
		}
		l = newLogoutSite(t, s, func(c *HandlerConfig) { c.EndSessions = nil })
		l.send(s).wantResponse(t, binding+" without EndSessions", s, statusResponder)
		if !strings.Contains(l.events[0].Err.Hint, "HandlerConfig.EndSessions") {
			t.Errorf("got the hint %q", l.events[0].Err.Hint)
		}
	}
}

// TestBrowserThatLeaves: what ends a session does not depend on what the browser does next.
func TestBrowserThatLeaves(t *testing.T) {
	t.Parallel()
	s := newSampleLogout()
	ended := false
	l := newLogoutSite(t, s, nil)
	stopped, leave := context.WithCancel(t.Context())
	l.handler.config.EndSessions = func(ctx context.Context, _ *Logout) error {
		leave()
		_, limited := ctx.Deadline()
		ended = ctx.Err() == nil && limited
		return ctx.Err()
	}
	r := l.request(s)
	r.RequestURI = r.URL.RequestURI()
	w := httptest.NewRecorder()
	l.handler.ServeHTTP(w, r.WithContext(stopped))
	if !ended {
		t.Error("ending the sessions stopped when the browser left, or has no limit")
	}
	logoutReply{w.Result(), w.Body.String()}.wantResponse(t, "left", s, statusSuccess)
}

// TestServerThatPosts: a server that posts by itself looks at the status alone, and has no browser to
// send on.
func TestServerThatPosts(t *testing.T) {
	t.Parallel()
	s := newSampleLogout()
	s.asPost()
	l := newLogoutSite(t, s, nil)
	a := l.send(s, "Accept", "")
	if a.StatusCode != http.StatusOK {
		t.Errorf("a server got status %d", a.StatusCode)
	}
	a.wantResponse(t, "a server", s, statusSuccess)
	for _, header := range [][2]string{{"Origin", "null"}, {"Sec-Fetch-Mode", "navigate"},
		{"Accept", "text/html,*/*"}} {
		if a := l.send(s, "Accept", "", header[0], header[1]); a.StatusCode != http.StatusSeeOther {
			t.Errorf("a browser with %s got status %d", header[0], a.StatusCode)
		}
	}
}

// TestEntraGetsAPage: its frame gets a plain page after the session has ended, and others a
// LogoutResponse, unless the settings say otherwise.
func TestEntraGetsAPage(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		of     func(*sampleLogout)
		answer LogoutAnswer
		page   bool
	}{
		"Entra":                   {ofEntraTenant, LogoutAnswerDefault, true},
		"Entra, with an answer":   {ofEntraTenant, LogoutAnswerResponse, false},
		"another":                 {asIs, LogoutAnswerDefault, false},
		"another, with a page":    {asIs, LogoutAnswerPage, true},
		"an external tenant":      {ofExternalTenant, LogoutAnswerDefault, true},
		"a name that is no URL":   {ofIssuer("idp"), LogoutAnswerDefault, false},
		"a name that is like one": {ofIssuer("https://sts.windows.net.example.com/x/"), LogoutAnswerDefault, false},
	} {
		s := newSampleLogout()
		row.of(s)
		s.config = func(_ testing.TB, c *Config) { c.LogoutAnswer = row.answer }
		l := newLogoutSite(t, s, nil)
		a := l.send(s, "Sec-Fetch-Dest", "iframe", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate")
		if !row.page {
			a.wantResponse(t, name, s, statusSuccess)
			continue
		}
		if a.StatusCode != http.StatusOK || a.response(t) != nil || strings.Contains(a.body, "<form") ||
			strings.Contains(a.body, "<script") || !strings.Contains(a.body, textSignedOutThere) {
			t.Errorf("%s: got %d %s", name, a.StatusCode, a.body)
		}
		a.wantHeaders(t, name, s)
		l.wantEnded(name, "ann@example.com _index")
		l.fails = []error{errors.New("down")}
		s.attributes["ID"] = "_another"
		a = l.send(s)
		a.wantRefusedBy(t, name+" that fails", s, http.StatusInternalServerError, CodeLogoutFailed)
		a.wantHeaders(t, name, s)
		s.asSOAP() // a server has no frame
		l.send(s).wantResponse(t, name+" by SOAP", s, statusSuccess)
	}
}

func ofIssuer(name string) func(*sampleLogout) {
	return func(s *sampleLogout) {
		s.idp = name
		s.issuer = "<saml:Issuer>" + s.idp + "</saml:Issuer>"
	}
}

func ofExternalTenant(s *sampleLogout) {
	ofIssuer("https://" + testTenantID + ".ciamlogin.com/" + testTenantID + "/")(s)
}

// failingSigner is a key in another place that does not answer.
type failingSigner struct{ crypto.Signer }

func (failingSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("no key service")
}

// TestLogoutAnswerThatCannotBeSigned: nothing unsigned goes out.
func TestLogoutAnswerThatCannotBeSigned(t *testing.T) {
	t.Parallel()
	for binding, by := range logoutSenders {
		s := newSampleLogout()
		by(s)
		l := newLogoutSite(t, s, nil)
		l.sp.config.SigningKey = failingSigner{l.sp.config.SigningKey}
		a := l.send(s)
		a.wantRefusedBy(t, binding, s, http.StatusInternalServerError, CodeLogoutFailed)
		a.wantHeaders(t, binding, s)
		l.wantEnded(binding, "ann@example.com _index")
	}
}

// TestAllowUnsignedLogout: an unsigned request is passed on as such, and only if it names a session.
func TestAllowUnsignedLogout(t *testing.T) {
	t.Parallel()
	for binding, by := range map[string]func(*sampleLogout){"redirect": asIs, "post": asPost} {
		s := newSampleLogout()
		changes(by, asAllowedUnsigned)(s)
		l := newLogoutSite(t, s, nil)
		l.send(s).wantResponse(t, binding, s, statusSuccess)
		if len(l.ended) != 1 || !l.ended[0].Unsigned {
			t.Errorf("%s: ended %+v", binding, l.ended)
		}
		l.ended = nil
		signed := newSampleLogout()
		by(signed)
		l.send(signed).wantResponse(t, binding+" signed", signed, statusSuccess)
		if len(l.ended) != 1 || l.ended[0].Unsigned {
			t.Errorf("%s: ended %+v", binding, l.ended)
		}
		l.ended = nil
		s.subject = emailNameID
		l.send(s).wantRefused(t, binding+" without an index", s, CodeLogoutSessions)
		l.wantEnded(binding + " without an index")
	}
}

// TestLogoutLimit: what one tenant may end is bounded. Others are not held up, and neither is a request
// that comes again.
func TestLogoutLimit(t *testing.T) {
	t.Parallel()
	s := newSampleLogout()
	l := newLogoutSite(t, s, nil)
	l.handler.logouts.most = 3
	send := func(id, status string) {
		t.Helper()
		s.attributes["ID"] = id
		l.send(s).wantResponse(t, id, s, status)
	}
	for _, id := range []string{"_1", "_1", "_2", "_2"} {
		send(id, statusSuccess)
	}
	s.subject = emailNameID + "<samlp:SessionIndex>a</samlp:SessionIndex><samlp:SessionIndex>b</samlp:SessionIndex>"
	send("_two", statusResponder)
	s.subject = emailNameID
	send("_3", statusSuccess)
	send("_4", statusResponder)
	send("_1", statusResponder) // the ID of one that was counted, and other sessions
	s.subject = newSampleLogout().subject
	send("_1", statusSuccess)
	s.subject = emailNameID
	unsigned := newSampleLogout() // those that anybody can send have a bound of their own
	asAllowedUnsigned(unsigned)
	l.sp.config.AllowUnsignedLogout = true
	for _, id := range []string{"_1", "_2", "_3", "_1"} {
		unsigned.attributes["ID"] = id
		l.send(unsigned).wantResponse(t, "unsigned "+id, unsigned, statusSuccess)
	}
	unsigned.attributes["ID"] = "_4"
	l.send(unsigned).wantRefusedBy(t, "unsigned", unsigned, http.StatusInternalServerError, CodeLogoutFailed)
	s.at = s.at.Add(time.Hour)
	s.attributes["IssueInstant"], s.attributes["NotOnOrAfter"] = "2026-03-10T10:29:50Z", "2026-03-10T10:35:00Z"
	l.sp.policy.now = func() time.Time { return s.at }
	send("_4", statusSuccess)
}

// TestManyIndexesCountAsTheMost: a request that names more sessions than one may is refused later, and
// takes no more of the hour than the largest good one.
func TestManyIndexesCountAsTheMost(t *testing.T) {
	t.Parallel()
	limit := newLogoutLimit()
	limit.most = 2 * maxLogoutIndexes
	for i, want := range []bool{true, true, false} {
		request := &logoutRequest{Unsigned: true, Indexes: make([]string, 30_000), digest: [16]byte{byte(i)}}
		if _, admitted := limit.admit("a", request, testNow); admitted != want {
			t.Errorf("request %d: admitted %t", i, admitted)
		}
	}
}

// TestMillionLogouts: what a million requests of one tenant leave in memory is bounded, and another
// tenant ends its sessions all the same.
func TestMillionLogouts(t *testing.T) {
	t.Parallel()
	limit, now, ended := newLogoutLimit(), testNow, 0
	a := logoutSource{tenant: "a"}
	admits := func(tenant string, request *logoutRequest, now time.Time) bool {
		_, admitted := limit.admit(tenant, request, now)
		return admitted
	}
	request := &logoutRequest{}
	for i := range 1_000_000 {
		binary.BigEndian.PutUint64(request.digest[:], uint64(i))
		if admits("a", request, now.Add(time.Duration(i)*time.Millisecond)) {
			ended++
		}
	}
	if seen := len(limit.sources[a].seen); ended != maxLogoutsPerHour || seen != maxLogoutsPerHour {
		t.Errorf("%d requests were admitted, and %d are remembered, want %d", ended, seen, maxLogoutsPerHour)
	}
	if !admits("b", request, now) || !admits("a", &logoutRequest{Unsigned: true}, now) {
		t.Error("another tenant, or those that nobody signed, are held up")
	}
	if !admits("a", request, now.Add(time.Hour)) || len(limit.sources) != 1 || len(limit.sources[a].seen) != 1 {
		t.Error("an hour later the old ones still count")
	}
	limit.ended("b", request) // of the hour before
	if len(limit.sources) != 1 {
		t.Errorf("what ended late is remembered: %v", limit.sources)
	}
}

// TestRepeatedLogout: a message that comes again is answered like the first one, and costs neither a
// private key nor a write. The same ID with another content is another message.
func TestRepeatedLogout(t *testing.T) {
	t.Parallel()
	for binding, by := range logoutSenders {
		calls := 0
		s := encryptedLogout(&calls)
		by(s)
		l := newLogoutSite(t, s, nil)
		r := l.request(s)
		for range 3 {
			l.do(repeated(t, r)).wantResponse(t, binding, s, statusSuccess)
		}
		l.wantEnded(binding, "ann@example.com _index")
		if calls != 1 || len(l.events) != 1 || l.events[0].Kind != LogoutAccepted {
			t.Errorf("%s: the private key was used %d times, with the events %+v, want one", binding, calls, l.events)
		}
		l.fails = []error{errors.New("down")}
		s.encrypted, s.subject = "", emailNameID+"<samlp:SessionIndex>2</samlp:SessionIndex>"
		l.send(s).wantResponse(t, binding+" with another index", s, statusResponder)
		l.send(s).wantResponse(t, binding+" with another index", s, statusSuccess)
		l.wantEnded(binding+" with another index", "ann@example.com 2")
		l.sp.policy.entityID = "https://new.example.com" // the settings have changed: other sessions end
		l.send(s)
		l.wantEnded(binding+" with another entity ID", "ann@example.com 2")
	}
}

// repeated makes the request that sends the same octets once more.
func repeated(t *testing.T, r *http.Request) *http.Request {
	t.Helper()
	r = r.Clone(t.Context())
	if r.GetBody == nil {
		return r
	}
	var err error
	if r.Body, err = r.GetBody(); err != nil {
		t.Fatal(err)
	}
	return r
}

// encryptedLogout is a sample whose NameID is encrypted, with a key that counts its calls.
func encryptedLogout(calls *int) *sampleLogout {
	s := newSampleLogout()
	s.encrypted = "test-sp-a"
	s.config = func(t testing.TB, c *Config) {
		c.DecryptionKeys = []DecryptionKey{{Key: countedKey{vectorKey(t, "test-sp-a.key.pem").(crypto.Decrypter), calls}}}
	}
	return s
}

// TestLogoutsThatCostNoKey: a private key, which may be slow or charge for each use, is used only for
// what is in time and within the bound. Anybody who has a message can send it forever.
func TestLogoutsThatCostNoKey(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*sampleLogout, *logoutSite){
		"expired": func(s *sampleLogout, _ *logoutSite) { s.attributes["NotOnOrAfter"] = "2026-03-10T09:00:00Z" },
		"a day old, with a NotOnOrAfter of next year": func(s *sampleLogout, _ *logoutSite) {
			s.attributes["IssueInstant"], s.attributes["NotOnOrAfter"] = "2026-03-09T09:00:00Z", "2027-03-10T09:00:00Z"
		},
		"from the future":   func(s *sampleLogout, _ *logoutSite) { s.attributes["IssueInstant"] = "2026-03-10T10:00:00Z" },
		"one more than may": func(_ *sampleLogout, l *logoutSite) { l.handler.logouts.most = 0 },
	} {
		calls := 0
		s := encryptedLogout(&calls)
		l := newLogoutSite(t, s, nil)
		change(s, l)
		sent := l.send(s).response(t)
		if l.wantEnded(name); calls != 0 || sent == nil || sent.status.Code == statusSuccess {
			t.Errorf("%s: the private key was used %d times, and the answer is %+v", name, calls, sent)
		}
	}
}

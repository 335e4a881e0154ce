package saml

import (
	"context"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/iomete/saml/internal/testfiles"
	"github.com/iomete/saml/internal/wire"
)

// A soapIdP is an identity provider that takes logout by SOAP alone, over TLS at an address of this
// machine.
type soapIdP struct {
	*httptest.Server
	asked  atomic.Int32
	answer func(w http.ResponseWriter, r *http.Request, id string)
}

func newSOAPIdP(t *testing.T) *soapIdP {
	t.Helper()
	p := &soapIdP{}
	p.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.asked.Add(1)
		body, _ := io.ReadAll(r.Body)
		m, err := wire.LogoutFromSOAP(body)
		if err != nil || !m.Request || r.Method != http.MethodPost || len(r.Cookies()) > 0 ||
			r.Header.Get("Content-Type") != "text/xml; charset=utf-8" || r.Header.Get("SOAPAction") == "" {
			t.Errorf("got %s %v, %v\n%s", r.Method, r.Header, err, body)
			return
		}
		id, _ := m.Root.Attr("ID")
		p.answer(w, r, id)
	}))
	t.Cleanup(p.Close)
	return p
}

// soapHouse is a service whose identity provider takes logout by SOAP at an address.
func soapHouse(t *testing.T, address string, trusts *soapIdP, allowPrivate bool) *logoutHouse {
	t.Helper()
	return newLogoutHouse(t, sloXML("SOAP", address, ""), func(_ *Config, hc *HandlerConfig) {
		hc.LogoutSOAP = SOAPOptions{AllowPrivate: allowPrivate}
		if trusts != nil {
			hc.LogoutSOAP.RootCAs = x509.NewCertPool()
			hc.LogoutSOAP.RootCAs.AddCert(trusts.Certificate())
		}
	})
}

// reply answers with a LogoutResponse in an envelope.
func (p *soapIdP) reply(t *testing.T, s *logoutHouse, edit func(*sampleLogout)) {
	p.answer = func(w http.ResponseWriter, _ *http.Request, id string) {
		l := s.response(id, func(l *sampleLogout) {
			l.asSOAP()
			delete(l.attributes, "Destination") // as LemonLDAP::NG sends it
		}, edit)
		w.Header().Set("Content-Type", "text/xml")
		io.WriteString(w, l.soap(t))
	}
}

// TestLogoutBySOAP: the answer on the connection says what the user reads. The request in it must
// be the one that was sent.
func TestLogoutBySOAP(t *testing.T) {
	t.Parallel()
	p := newSOAPIdP(t)
	s := soapHouse(t, p.URL+"/soap", p, true)
	b := s.browser()
	for name, row := range logoutAnswers {
		if name == "SHA-1" || name == "not readable" || name == "to a changed request" {
			continue // see TestLogoutResponses and the vectors: the envelope is made by goxmldsig
		}
		p.reply(t, s, row.edit)
		b.signIn()
		b.signOut().wantPage(t, name, row.sentence, s.sp.RedirectURL())
		if events, ended := s.told(); events != "logout_started, "+row.events() || ended != 1 {
			t.Errorf("%s: got the events %s, %d ends, want %s", name, events, ended, row.events())
		}
	}
	p.reply(t, s, status(statusSuccess))
	s.returnTo = "/bye"
	b.signIn()
	if answer := b.signOut(); answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Location") != "/bye" {
		t.Errorf("with a page of the service: got status %d, %v", answer.StatusCode, answer.Header)
	}
}

// TestLogoutBySOAPFails: whatever the server does, the user is signed out here, and nothing of what
// it sent is followed or shown.
func TestLogoutBySOAPFails(t *testing.T) {
	t.Parallel()
	elsewhere := newSOAPIdP(t)
	elsewhere.answer = func(http.ResponseWriter, *http.Request, string) {}
	for name, row := range map[string]struct {
		answer func(w http.ResponseWriter, r *http.Request, id string)
		code   string
	}{
		"redirects": {func(w http.ResponseWriter, r *http.Request, _ string) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		}, "logout_soap"},
		"a fault": {func(w http.ResponseWriter, _ *http.Request, _ string) { w.WriteHeader(500) }, "logout_soap"},
		"too large": {func(w http.ResponseWriter, _ *http.Request, _ string) {
			io.WriteString(w, strings.Repeat(" ", maxSOAPReply+1))
		}, "logout_soap"},
		"breaks off": {func(http.ResponseWriter, *http.Request, string) { panic(http.ErrAbortHandler) }, "logout_soap"},
		"a web page": {func(w http.ResponseWriter, _ *http.Request, _ string) { io.WriteString(w, "<html>") }, "xml_syntax"},
		"no message": {func(w http.ResponseWriter, _ *http.Request, _ string) {
			io.WriteString(w, `<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body/></S:Envelope>`)
		}, "logout_form"},
	} {
		p := newSOAPIdP(t)
		p.answer = row.answer
		s := soapHouse(t, p.URL, p, true)
		s.browser().signOut().wantPage(t, name, textSignedOutUnknown, s.sp.RedirectURL())
		if events, ended := s.told(); events != "logout_started, logout_incomplete "+row.code || ended != 1 ||
			p.asked.Load() != 1 {
			t.Errorf("%s: got the events %s, %d ends, %d requests", name, events, ended, p.asked.Load())
		}
	}
	if n := elsewhere.asked.Load(); n != 0 {
		t.Errorf("%d redirects were followed", n)
	}
}

// TestLogoutBySOAPStaysOutside: without AllowPrivate nothing of this network is connected to, and
// an error says the same of a port that is open, one that is closed and a server that is not
// trusted.
func TestLogoutBySOAPStaysOutside(t *testing.T) {
	t.Parallel()
	testfiles.VectorDir(t) // skips here: other goroutines cannot
	open := newSOAPIdP(t)
	open.answer = func(http.ResponseWriter, *http.Request, string) {}
	closed := httptest.NewTLSServer(http.NotFoundHandler())
	closed.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	var said sync.Map
	var all sync.WaitGroup
	for name, row := range map[string]struct {
		address      string
		trusts       *soapIdP
		allowPrivate bool
	}{
		"a server of this machine":        {open.URL, open, false},
		"a port that nobody serves":       {closed.URL, open, false},
		"a link-local address":            {"https://169.254.169.254/", open, false},
		"allowed, nobody serves":          {closed.URL, open, true},
		"allowed, not trusted":            {open.URL, nil, true},
		"allowed, no TLS":                 {strings.Replace(plain.URL, "http:", "https:", 1), open, true},
		"allowed, but link-local":         {"https://169.254.169.254/", open, true},
		"allowed, a name that nobody has": {"https://nobody.invalid/", open, true},
	} {
		all.Go(func() {
			s := soapHouse(t, row.address, row.trusts, row.allowPrivate)
			s.browser().signOut().wantPage(t, name, textSignedOutUnknown, s.sp.RedirectURL())
			s.mu.Lock()
			defer s.mu.Unlock()
			said.Store(s.events[len(s.events)-1].Err.Message, name)
		})
	}
	all.Wait()
	messages := 0
	said.Range(func(message, name any) bool {
		messages++
		t.Logf("%s: %s", name, message)
		return true
	})
	if messages != 1 || open.asked.Load() != 0 {
		t.Errorf("got %d different messages, want one; %d requests arrived", messages, open.asked.Load())
	}
}

// TestLogoutBySOAPGoesOn: who closes the tab while the identity provider is asked is signed out
// there too.
func TestLogoutBySOAPGoesOn(t *testing.T) {
	t.Parallel()
	p := newSOAPIdP(t)
	finished := make(chan Event, 1)
	s := newLogoutHouse(t, sloXML("SOAP", p.URL, ""), func(c *Config, hc *HandlerConfig) {
		hc.LogoutSOAP = SOAPOptions{AllowPrivate: true, RootCAs: x509.NewCertPool()}
		hc.LogoutSOAP.RootCAs.AddCert(p.Certificate())
		c.Observe = func(_ context.Context, e Event) {
			if e.Kind != LogoutStarted {
				finished <- e
			}
		}
	})
	p.reply(t, s, status(statusSuccess))
	reply := p.answer
	ctx, leave := context.WithCancel(t.Context())
	p.answer = func(w http.ResponseWriter, r *http.Request, id string) {
		leave()
		s.mu.Lock()
		asked := s.asked
		s.mu.Unlock()
		<-asked.Done() // the service knows that the browser has left
		reply(w, r, id)
	}
	b := s.browser()
	r, err := http.NewRequestWithContext(ctx, "POST", s.server.URL+"/sign-out", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = b.header
	if response, err := b.client.Do(r); err == nil {
		response.Body.Close()
		t.Error("the browser did not leave")
	}
	if e := <-finished; e.Kind != LogoutFinished {
		t.Errorf("got %s, %v", e.Kind, e.Err)
	}
}

// TestLogoutBySOAPOfOneTenant: a tenant whose metadata names hosts that do not answer, one after the
// other, holds up its own users alone.
func TestLogoutBySOAPOfOneTenant(t *testing.T) {
	t.Parallel()
	arrived, release := make(chan struct{}, 100), make(chan struct{})
	hanging := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-release
	})
	answering := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "answer") })
	roots := x509.NewCertPool()
	serve := func(h http.Handler) (address string) {
		server := httptest.NewTLSServer(h)
		t.Cleanup(server.Close)
		roots.AddCert(server.Certificate())
		return server.URL
	}
	const hosts = soapInAll/soapOfHost + 1 // enough to hold all places, without a bound for each tenant
	var addresses []string
	for range hosts {
		addresses = append(addresses, serve(hanging))
	}
	other := serve(answering)
	c := newSOAPClient(SOAPOptions{RootCAs: roots, AllowPrivate: true})
	var all sync.WaitGroup
	for i := range hosts * soapOfHost {
		all.Go(func() { c.post(t.Context(), "hanging", addresses[i%hosts], nil) })
	}
	for range soapOfTenant {
		<-arrived
	}
	for range 3 * soapOfTenant {
		all.Go(func() {
			if body, refusal := c.post(t.Context(), "other", other, nil); string(body) != "answer" || refusal != nil {
				t.Errorf("a logout of another tenant: got %q, %v", body, refusal)
			}
		})
	}
	if body, refusal := c.post(t.Context(), "third", other, nil); string(body) != "answer" || refusal != nil {
		t.Errorf("a logout of a third tenant: got %q, %v", body, refusal)
	}
	if n := len(arrived); n != 0 {
		t.Errorf("%d requests of the tenant are under way beside %d, want none", n, soapOfTenant)
	}
	close(release)
	all.Wait()
}

// TestLogoutBySOAPFewAtOnce: many users who sign out together ask one host a few at a time.
func TestLogoutBySOAPFewAtOnce(t *testing.T) {
	t.Parallel()
	p := newSOAPIdP(t)
	s := soapHouse(t, p.URL, p, true)
	var running, most atomic.Int32
	full := make(chan struct{})
	var once sync.Once
	p.reply(t, s, status(statusSuccess))
	reply := p.answer
	p.answer = func(w http.ResponseWriter, r *http.Request, id string) {
		n := running.Add(1)
		defer running.Add(-1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		if n == soapOfHost {
			once.Do(func() { close(full) })
		}
		<-full // until as many are under way as may be
		reply(w, r, id)
	}
	var all sync.WaitGroup
	for range 3 * soapOfHost {
		b := s.browser()
		all.Go(func() { b.signOut().wantPage(t, "one of many", textSignedOutDone, s.sp.RedirectURL()) })
	}
	all.Wait()
	if most.Load() != soapOfHost || p.asked.Load() != 3*soapOfHost {
		t.Errorf("%d were under way at once, want %d; %d requests arrived", most.Load(), soapOfHost, p.asked.Load())
	}
}

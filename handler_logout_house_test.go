package saml

import (
	"context"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/iomete/saml/internal/page"
	"github.com/iomete/saml/internal/posted"
	"github.com/iomete/saml/internal/wire"
)

// A logoutHouse is a service over HTTP with sessions of its own, whose users sign out.
type logoutHouse struct {
	*testing.T
	server   *httptest.Server
	sp       *ServiceProvider
	h        *Handler
	idp      *IdentityProvider // whom the service trusts; set it before the first request
	subject  *LogoutSubject    // of each session
	returnTo string            // that the service asks for
	fails    error             // of the end of a session

	mu     sync.Mutex
	now    time.Time
	ended  int
	asked  context.Context // of the last request to sign out
	events []Event
}

// newLogoutHouse has an identity provider with these logout services, see sloXML.
func newLogoutHouse(t *testing.T, services string, changes ...func(*Config, *HandlerConfig)) *logoutHouse {
	t.Helper()
	s := &logoutHouse{T: t, now: testNow, idp: idpWith(t, services)}
	mux := http.NewServeMux()
	s.server = httptest.NewServer(mux)
	t.Cleanup(s.server.Close)
	c := Config{StateKeys: [][]byte{fixedKey(1)}, Store: NewMemoryStore(), Logger: slog.New(slog.DiscardHandler),
		IdentityProvider: IdentityProviderFunc(func(context.Context) (*IdentityProvider, error) { return s.idp, nil }),
		Now:              s.time, Observe: s.observe}
	withLogout(t, &c)
	c.BaseURL = s.server.URL
	hc := HandlerConfig{Sessions: s, EndSession: s.end, Observe: s.observe, Logger: c.Logger}
	for _, change := range changes {
		change(&c, &hc)
	}
	var err error
	if s.sp, err = New(c); err != nil {
		t.Fatal(err)
	}
	if hc.Resolve == nil {
		hc.Provider = s.sp
	}
	if s.h, err = NewHandler(hc); err != nil {
		t.Fatal(err)
	}
	s.subject = &LogoutSubject{Tenant: c.Tenant, EntityID: s.sp.EntityID(), Issuer: logoutIssuer,
		NameID:         NameID{Value: "ann@example.com", Format: formatEmail, NameQualifier: "a", SPNameQualifier: "b"},
		SessionIndexes: []string{"_index", "2"}}
	mux.HandleFunc("/sign-out", func(w http.ResponseWriter, r *http.Request) { s.h.StartLogout(w, r, s.returnTo) })
	mux.HandleFunc("/sign-in", func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "1", Path: "/"})
	})
	mux.HandleFunc("/slo", s.receive)
	mux.Handle(s.sp.RedirectPath(), s.h)
	return s
}

func (s *logoutHouse) time() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *logoutHouse) advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

func (s *logoutHouse) observe(_ context.Context, e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
}

// told returns the events since the last call, as "kind code", and how many sessions have ended.
func (s *logoutHouse) told() (events string, ended int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	for _, e := range s.events {
		text := string(e.Kind)
		if e.Err != nil {
			text += " " + string(e.Err.Code)
		}
		list = append(list, text)
	}
	ended, s.events, s.ended = s.ended, nil, 0
	return strings.Join(list, ", "), ended
}

// end is the service's EndSessionFunc.
func (s *logoutHouse) end(w http.ResponseWriter, r *http.Request) (*LogoutSubject, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended++
	s.asked = r.Context()
	if !s.SignedIn(r) {
		return nil, s.fails
	}
	http.SetCookie(w, &http.Cookie{Name: "session", Path: "/", MaxAge: -1})
	return s.subject, s.fails
}

func (s *logoutHouse) SignIn(http.ResponseWriter, *http.Request, *Login) error { return nil }

func (s *logoutHouse) SignedIn(r *http.Request) bool { return cookie(r, "session") != "" }

func (s *logoutHouse) Authenticate(_ http.ResponseWriter, r *http.Request) (*http.Request, error) {
	if !s.SignedIn(r) {
		return nil, nil
	}
	return r, nil
}

// receive takes a LogoutResponse at the Logout URL. The form of the identity provider has no
// cookies of ours, so it is posted again by a page of ours.
func (s *logoutHouse) receive(w http.ResponseWriter, r *http.Request) {
	var m *wire.Logout
	var err error
	if r.Method == http.MethodPost {
		body, _ := io.ReadAll(r.Body)
		form, _ := url.ParseQuery(string(body))
		if form.Get(posted.Leg) == "" {
			page.Post{Field: "SAMLResponse", Marks: []page.Field{{Name: posted.Leg, Value: "2"}}}.
				Write(w, []byte(form.Get("SAMLResponse")))
			return
		}
		m, _, err = wire.LogoutFromForm(string(body), r.URL.RawQuery)
	} else {
		m, _, err = wire.LogoutFromQuery(r.URL.RawQuery)
	}
	if err != nil {
		s.h.logoutNotRead(w, r, s.sp, fromFault(err))
		return
	}
	s.h.finishLogout(w, r, s.sp, logoutDelivery{logoutArrival: logoutArrival{message: m}})
}

// A logoutBrowser keeps cookies and follows nothing.
type logoutBrowser struct {
	s      *logoutHouse
	client *http.Client
	header http.Header // of each request
}

// browser is signed in. Its requests are those of a page of the service.
func (s *logoutHouse) browser() *logoutBrowser {
	s.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.Fatal(err)
	}
	b := &logoutBrowser{s: s, client: &http.Client{Jar: jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		header: http.Header{"Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-Mode": {"navigate"},
			"Sec-Fetch-Dest": {"document"}}}
	b.signIn()
	return b
}

func (b *logoutBrowser) signIn() { b.do("GET", "/sign-in", "") }

// A logoutAnswer is an answer of the service, as a browser sees it.
type logoutAnswer struct {
	*http.Response
	body string
}

func (b *logoutBrowser) do(method, path, form string) logoutAnswer {
	b.s.Helper()
	r, err := http.NewRequestWithContext(b.s.Context(), method, b.s.server.URL+path, strings.NewReader(form))
	if err != nil {
		b.s.Fatal(err)
	}
	r.Header = b.header.Clone()
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := b.client.Do(r)
	if err != nil {
		b.s.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		b.s.Fatal(err)
	}
	return logoutAnswer{response, string(body)}
}

func (b *logoutBrowser) signOut() logoutAnswer {
	b.s.Helper()
	return b.do("POST", "/sign-out", "")
}

var (
	leaveAddress = regexp.MustCompile(`<a href="([^"]+)">Continue</a>`)
	formAction   = regexp.MustCompile(`<form method="post" action="([^"]+)">`)
	postedField  = regexp.MustCompile(`<input type="hidden" name="(SAML[A-Za-z]+)" value="([^"]+)">`)
)

// sent returns the message that the answer carries to the identity provider, where it goes and how.
func (a logoutAnswer) sent(t testing.TB) (m *wire.Logout, to, how string) {
	t.Helper()
	var err error
	if found := postedField.FindStringSubmatch(a.body); found != nil {
		form := url.Values{found[1]: {html.UnescapeString(found[2])}}.Encode()
		if m, _, err = wire.LogoutFromForm(form, ""); err != nil {
			t.Fatal(err)
		}
		return m, html.UnescapeString(formAction.FindStringSubmatch(a.body)[1]), "form"
	}
	to, how = a.Header.Get("Location"), "redirect"
	if found := leaveAddress.FindStringSubmatch(a.body); found != nil {
		to, how = html.UnescapeString(found[1]), "page"
	}
	to, query, _ := strings.Cut(to, "?")
	if m, _, err = wire.LogoutFromQuery(query); err != nil {
		t.Fatalf("%v: %v\n%s", err, a.Header, a.body)
	}
	return m, to, how
}

// id is that of the request which the answer carries.
func (a logoutAnswer) id(t testing.TB) string {
	t.Helper()
	m, _, _ := a.sent(t)
	id, _ := m.Root.Attr("ID")
	return id
}

// response is the identity provider's LogoutResponse to a request.
func (s *logoutHouse) response(id string, edits ...func(*sampleLogout)) *sampleLogout {
	l := newSampleLogout()
	l.asResponse()
	l.attributes["InResponseTo"], l.attributes["Destination"] = id, s.sp.LogoutURL()
	for _, edit := range edits {
		edit(l)
	}
	return l
}

// bring brings a LogoutResponse to the Logout URL, as a redirect or as a form in both legs.
func (b *logoutBrowser) bring(l *sampleLogout) logoutAnswer {
	b.s.Helper()
	if l.binding != "post" {
		return b.do("GET", "/slo?"+l.query(b.s), "")
	}
	jar := b.client.Jar
	b.client.Jar = nil // another site posts, so SameSite=Lax cookies stay behind
	first := b.do("POST", "/slo", l.form(b.s))
	b.client.Jar = jar
	found := postedField.FindStringSubmatch(first.body)
	if found == nil {
		b.s.Fatalf("no second leg:\n%s", first.body)
	}
	return b.do("POST", "/slo", url.Values{found[1]: {html.UnescapeString(found[2])}, posted.Leg: {"2"}}.Encode())
}

// wantPage checks that an answer is a page of ours with this sentence and this link, which nobody
// frames or keeps.
func (a logoutAnswer) wantPage(t testing.TB, name, sentence, link string) {
	t.Helper()
	if a.StatusCode != http.StatusOK || !strings.Contains(html.UnescapeString(a.body), "<p>"+sentence+"</p>") ||
		!strings.Contains(html.UnescapeString(a.body), link+`"`) || a.Header.Get("Cache-Control") != "no-store" ||
		!strings.Contains(a.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'") ||
		strings.Contains(a.body, "verywhere") || strings.Contains(a.body, "<script") {
		t.Errorf("%s: got status %d, want %q with a link to %s\n%v\n%s", name, a.StatusCode, sentence, link, a.Header,
			a.body)
	}
}

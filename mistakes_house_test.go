package saml_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
	"github.com/iomete/saml/session"
)

// A shop is a service with one mistake, on a real server, with an identity provider on another host.
// The row of the table changes config, settings or pages, or what it builds from them.
type shop struct {
	*testing.T
	idp      *samltest.IdentityProvider
	server   *httptest.Server
	config   saml.Config
	settings session.Config
	sp       *saml.ServiceProvider
	sessions *session.Manager
	login    *saml.Handler
	pages    http.Handler // what the server serves
	client   *http.Client
	ahead    time.Duration // of the service's clock

	log    logText
	page   string // the last page
	errors string // of set-up: code, message, what arrived and was wanted, hint of each
}

// logText is a log that a server writes while the test reads it.
type logText struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{T: t}
	var err error
	if s.idp, err = sharedServedIdP(); err != nil {
		t.Fatal(err)
	}
	s.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.pages.ServeHTTP(w, r)
	}))
	t.Cleanup(s.server.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	s.client = &http.Client{Jar: jar, Transport: &honestBrowser{next: &http.Transport{DisableKeepAlives: true}},
		CheckRedirect: func(_ *http.Request, via []*http.Request) error {
			if len(via) > 20 { // as in browsers
				return errors.New("too many redirects")
			}
			return nil
		}}
	logger := slog.New(slog.NewTextHandler(&s.log, nil))
	key, now := saml.NewStateKey(), func() time.Time { return time.Now().Add(s.ahead) }
	s.config = saml.Config{BaseURL: s.server.URL, IdentityProvider: s.parse(s.metadata(s.idp)), StateKeys: [][]byte{key},
		Store: saml.NewMemoryStoreWithClock(now), Logger: logger, Now: now}
	s.settings = session.Config{Keys: [][]byte{key}, Store: s.config.Store, Logger: logger}
	return s
}

// honestBrowser says where a request comes from (Sec-Fetch-Site), and drops cookies that a browser
// drops, as far as the rows need it.
type honestBrowser struct {
	next http.RoundTripper
	last string // host of the page before
}

func (b *honestBrowser) RoundTrip(r *http.Request) (*http.Response, error) {
	site := "none"
	if b.last != "" {
		site = map[bool]string{true: "same-origin", false: "cross-site"}[b.last == r.URL.Host]
	}
	r = r.Clone(r.Context())
	r.Header.Set("Sec-Fetch-Site", site)
	b.last = r.URL.Host
	w, err := b.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	var kept []string
	for _, c := range w.Header.Values("Set-Cookie") {
		if !strings.HasPrefix(c, "__Host-") || strings.Contains(c, "; Secure") {
			kept = append(kept, c)
		}
	}
	w.Header["Set-Cookie"] = kept
	return w, nil
}

func (s *shop) metadata(idp *samltest.IdentityProvider) []byte {
	s.Helper()
	document, err := idp.Metadata()
	if err != nil {
		s.Fatal(err)
	}
	return document
}

// parse reads metadata, and keeps what is said against it.
func (s *shop) parse(document []byte) *saml.IdentityProvider {
	p, err := saml.ParseMetadata(document)
	s.hear(err)
	return p
}

// hear keeps what errors say.
func (s *shop) hear(err error) {
	if err == nil {
		return
	}
	for _, e := range saml.Errors(err) {
		s.errors += "<code>" + string(e.Code) + "</code> " + strings.Join([]string{e.Message, e.Got, e.Want, e.Hint}, " | ") + "\n"
	}
}

// open makes the service of the configuration. It reports whether there is one.
func (s *shop) open() bool {
	var err, failed error
	s.sp, err = saml.New(s.config)
	s.sessions, failed = session.New(s.settings)
	if err = errors.Join(err, failed); err != nil {
		s.hear(err)
		return false
	}
	s.idp.Register(samltest.Application{Identifier: s.sp.EntityID(), ReplyURLs: []string{s.sp.RedirectURL()},
		SignOnURL: s.sp.RedirectURL()})
	s.login = s.sp.Handler(s.sessions)
	s.pages = s.routes(s.sp.RedirectPath())
	return true
}

// mustOpen is open for rows whose mistake comes later.
func (s *shop) mustOpen() {
	s.Helper()
	if !s.open() {
		s.Fatal(s.errors)
	}
}

// routes are those of the README, with the Handler at a pattern; "" leaves it out.
func (s *shop) routes(pattern string) *http.ServeMux {
	mux := http.NewServeMux()
	if pattern != "" {
		mux.Handle(pattern, s.login)
	}
	mux.Handle("/", s.login.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "the page of "+session.FromContext(r.Context()).Identity.Email)
	})))
	return mux
}

// resolves makes the service one whose provider depends on the request.
func (s *shop) resolves(resolve func(*http.Request, string) (*saml.ServiceProvider, error)) {
	s.Helper()
	var err error
	if s.login, err = saml.NewHandler(saml.HandlerConfig{Sessions: s.sessions, Resolve: resolve}); err != nil {
		s.Fatal(err)
	}
	s.pages = s.routes(s.sp.RedirectPath())
}

// before puts a middleware in front of the service.
func (s *shop) before(middleware func(next http.Handler) http.Handler) { s.pages = middleware(s.pages) }

// visit opens a page as a user does, and keeps the page at which that ends.
func (s *shop) visit(path string) {
	s.Helper()
	answer, err := samltest.SignIn(s.client, s.server.URL+path)
	if err != nil {
		s.page = err.Error()
		return
	}
	s.page = bodyOf(s.T, answer, nil)
}

// answered begins a sign-in, lets the identity provider answer so, and keeps the page.
func (s *shop) answered(a samltest.Answer) {
	s.Helper()
	a.RequestID = s.begun(s.sp.RedirectURL())
	s.posted(a)
}

// posted posts an answer as the identity provider's page does, and goes on to the page at which that
// ends.
func (s *shop) posted(a samltest.Answer) {
	s.Helper()
	if a.Recipient == "" {
		a.Recipient = s.sp.RedirectURL()
	}
	value, err := s.idp.Respond(a)
	if err != nil {
		s.Fatal(err)
	}
	s.client.Transport.(*honestBrowser).last = "idp.example.com"
	address, form := s.sp.RedirectURL(), url.Values{"SAMLResponse": {value}}
	for range 3 {
		answer, err := s.client.PostForm(address, form)
		if err != nil {
			s.Fatal(err)
		}
		s.page = bodyOf(s.T, answer, nil)
		answer.Body = io.NopCloser(strings.NewReader(s.page))
		next, err := samltest.ReadForm(answer)
		if err != nil || !next.Values.Has("SAMLResponse") {
			return
		}
		address, form = next.Action, next.Values
	}
}

// everywhere lets the client reach the server by any host name, also by https, as if a proxy in front
// ended TLS.
func (s *shop) everywhere() {
	var plain net.Dialer
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		if strings.HasPrefix(address, "localhost:") { // the identity provider
			return plain.DialContext(ctx, network, address)
		}
		return plain.DialContext(ctx, network, s.server.Listener.Addr().String())
	}
	s.client.Transport.(*honestBrowser).next = &http.Transport{DisableKeepAlives: true, DialContext: dial,
		DialTLSContext: dial}
}

// begun begins a sign-in, and returns the ID of the request.
func (s *shop) begun(address string) (id string) {
	s.Helper()
	client := *s.client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	answer := get(s.T, &client, address)
	answer.Body.Close()
	return requestID(s.T, answer.Header.Get("Location"))
}

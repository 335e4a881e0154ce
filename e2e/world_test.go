package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"html/template"
	"io"
	"log"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
	"github.com/iomete/saml/session"
)

// certificate is for all servers of this test run. Everything is https, as it will be in
// production: only then do the cookies have their __Host- names.
var certificate = func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "e2e"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(127, 0, 0, 2), net.IPv4(127, 0, 0, 3)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		log.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		log.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}()

// A world is a service on 127.0.0.1, and on 127.0.0.3 as before it moved, an identity provider on
// localhost, and somebody else's site on 127.0.0.2. To a browser these are four sites, so what one
// posts to another is cross-site.
type world struct {
	t        *testing.T
	idp      *samltest.IdentityProvider
	sp       *saml.ServiceProvider
	sessions *session.Manager
	service  *httptest.Server
	stranger *httptest.Server
	former   *httptest.Server // the service under its former address

	mu      sync.Mutex
	offset  time.Duration
	asked   string // ID of the last request
	refused []*saml.Error
	legs    []leg
	broken  broken
	posts   map[string]posted // pages of the stranger
	sent    []string          // comments that reached the service
}

// broken is what does not work in the service at this moment.
type broken struct{ store, settings, disabled, sessions, keys bool }

// A leg is one request as the service saw it.
type leg struct {
	Method           string
	Path, Query      string
	Cookies          []string
	Site, Mode, Dest string // Sec-Fetch-…
	Status           int
	BigDigits        bool // the query has %2F, and not the %2f that Microsoft's products write
}

type posted struct {
	action string
	values map[string]string
}

func serve(t *testing.T, address string, h http.Handler) *httptest.Server {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s := &httptest.Server{Listener: listener, TLS: &tls.Config{Certificates: []tls.Certificate{certificate}},
		Config: &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0)}} // browsers hang up as they like
	s.StartTLS()
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

func newWorld(t *testing.T, change func(*saml.Config)) *world {
	t.Helper()
	w := &world{t: t, posts: map[string]posted{}}
	w.idp = samltest.MustNew(t, samltest.Options{Now: w.now})
	provider := serve(t, "127.0.0.1:0", w.idp)
	w.idp.SetBaseURL(strings.Replace(provider.URL, "127.0.0.1", "localhost", 1))
	w.stranger = serve(t, "127.0.0.2:0", http.HandlerFunc(w.serveStranger))

	mux := http.NewServeMux()
	w.service = serve(t, "127.0.0.1:0", w.record(mux))
	w.former = serve(t, "127.0.0.3:0", w.record(mux))
	key := saml.NewStateKey()
	store := brokenStore{saml.NewMemoryStore(), w}
	quiet := slog.New(slog.DiscardHandler)
	metadata, err := w.idp.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := saml.ParseMetadata(metadata)
	if err != nil {
		t.Fatal(err)
	}
	c := saml.Config{BaseURL: w.service.URL, FormerRedirectURLs: []string{w.former.URL + saml.DefaultRedirectPath},
		FormerEntityIDs: []string{w.former.URL + saml.DefaultRedirectPath}, IdentityProvider: source{trusted,
			w}, StateKeys: [][]byte{key}, Store: store, Now: w.now, Observe: w.observe, Logger: quiet}
	if change != nil {
		change(&c)
	}
	if w.sp, err = saml.New(c); err != nil {
		t.Fatal(err)
	}
	c.StateKeys = [][]byte{saml.NewStateKey()}
	otherKeys, err := saml.New(c)
	if err != nil {
		t.Fatal(err)
	}
	replica := session.Config{Keys: [][]byte{key}, Store: store, Records: &session.MemoryRecords{Now: w.now}, Now: w.now,
		KeepForms: true, Logger: quiet}
	if w.sessions, err = session.New(replica); err != nil {
		t.Fatal(err)
	}
	second, err := session.New(replica)
	if err != nil {
		t.Fatal(err)
	}
	// With Config.Tenant, the address of a request names no tenant, and people have to say who they are.
	domains, err := saml.NewDomains(saml.DomainClaim{Domain: "example.com", Tenant: "acme", Verified: true})
	if err != nil {
		t.Fatal(err)
	}
	login, err := saml.NewHandler(saml.HandlerConfig{Sessions: brokenSessions{w.sessions, w}, FormAccount: w.sessions.FormAccount,
		EndSession: w.sessions.End, EndSessions: w.sessions.EndSessions,
		Resolve: func(_ *http.Request, tenant string) (*saml.ServiceProvider, error) {
			switch b := w.isBroken(); {
			case b.disabled:
				return nil, saml.ErrNotConfigured
			case b.keys:
				return otherKeys, nil
			case tenant != w.sp.Tenant():
				return nil, saml.ErrNotConfigured
			}
			return w.sp, nil
		}, ChooseTenant: domains.Tenant, ByIssuer: func(context.Context, string) (string, error) { return w.sp.Tenant(), nil }})
	if err != nil {
		t.Fatal(err)
	}
	w.register("")
	w.idp.Register(samltest.Application{Identifier: w.sp.RedirectURL(), ReplyURLs: []string{w.sp.RedirectURL()},
		SignOnURL: w.sp.RedirectURL()})

	mux.Handle(w.sp.RedirectPath(), login)
	if path := w.sp.LogoutPath(); path != "" {
		mux.Handle(path, login)
		mux.HandleFunc("POST /logout", func(rw http.ResponseWriter, r *http.Request) {
			login.StartLogout(rw, r, "/signed-out")
		})
	}
	// another replica, whose Manager has found nothing out yet
	mux.Handle(secondReplica, w.sp.Handler(second).Require(protectedPage))
	mux.Handle("POST /sign-out", w.sessions.SignOutHandler("/signed-out"))
	mux.HandleFunc("/signed-out",
		func(rw http.ResponseWriter, _ *http.Request) { show(rw, "You are signed out", "Sign in again", "/") })
	mux.HandleFunc("/public",
		func(rw http.ResponseWriter, _ *http.Request) { show(rw, "A public page", "Jobs", "/jobs") })
	mux.HandleFunc("/favicon.ico", http.NotFound)
	mux.Handle("/compose", login.Require(http.HandlerFunc(w.compose)))
	mux.Handle("/", login.Require(protectedPage))
	return w
}

// secondReplica is the path of the pages that another replica of the service serves.
const secondReplica = "/second-replica"

var protectedPage = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
	rw.Header().Set("Cache-Control", "no-store")
	show(rw, session.FromContext(r.Context()).Identity.Email+" is at "+r.URL.RequestURI(), "", "")
})

// register tells the identity provider of the service: with a Sign-on URL as the guide says, or a
// blank one.
func (w *world) register(signOnURL string) {
	w.idp.Register(samltest.Application{Identifier: w.sp.RedirectURL(), ReplyURLs: []string{w.sp.RedirectURL()},
		SignOnURL: signOnURL})
}

var appPage = template.Must(template.New("").Parse(`<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>The service</title><link rel="icon" href="data:,"></head>
<body style="font-family:sans-serif"><h1>The service</h1><p id="text">{{.Text}}</p>
{{if .Link}}<p><a id="link" href="{{.To}}">{{.Link}}</a></p>{{else}}<form method="post" action="/sign-out"><button id="sign-out">Sign out</button></form>
<form method="post" action="/logout"><button id="logout">Sign out at the identity provider too</button></form>{{end}}</body></html>`))

func show(w http.ResponseWriter, text, link, to string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	appPage.Execute(w, struct{ Text, Link, To string }{text, link, to}) // an error is the browser's hanging up
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.offset)
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.offset += d
}

func (w *world) observe(_ context.Context, e saml.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e.Kind {
	case saml.LoginStarted:
		w.asked = e.RequestID
	case saml.LoginRefused:
		w.refused = append(w.refused, e.Err)
	}
}

func (w *world) isBroken() broken {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.broken
}

func (w *world) setBroken(b broken) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = b
}

var errBroken = errors.New("broken by the test")

type brokenStore struct {
	saml.Store
	w *world
}

func (s brokenStore) Claim(ctx context.Context, key string, ttl time.Duration) (bool, error) {
	if s.w.isBroken().store {
		return false, errBroken
	}
	return s.Store.Claim(ctx, key, ttl)
}

type source struct {
	*saml.IdentityProvider
	w *world
}

func (s source) Snapshot(context.Context) (*saml.IdentityProvider, error) {
	if s.w.isBroken().settings {
		return nil, errBroken
	}
	return s.IdentityProvider, nil
}

var redirectService = regexp.MustCompile(`<SingleSignOnService [^>]*HTTP-Redirect[^>]*/>`)

// byPOST makes the identity provider one that takes logins by HTTP-POST alone.
func byPOST(c *saml.Config) {
	s := c.IdentityProvider.(source)
	metadata, err := s.w.idp.Metadata()
	if err != nil {
		s.w.t.Fatal(err)
	}
	s.IdentityProvider, err = saml.ParseMetadata(redirectService.ReplaceAll(metadata, nil))
	if err != nil || !s.LoginIsPOSTOnly() {
		s.w.t.Fatalf("the metadata is of another form: %v, %s", err, metadata)
	}
	c.IdentityProvider = s
}

type brokenSessions struct {
	saml.Sessions
	w *world
}

func (s brokenSessions) SignIn(rw http.ResponseWriter, r *http.Request, login *saml.Login) error {
	if s.w.isBroken().sessions {
		return errBroken
	}
	return s.Sessions.SignIn(rw, r, login)
}

// record notes each request but those for an icon.
func (w *world) record(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/favicon.ico" {
			http.NotFound(rw, r)
			return
		}
		l := leg{Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Site: r.Header.Get("Sec-Fetch-Site"),
			Mode: r.Header.Get("Sec-Fetch-Mode"), Dest: r.Header.Get("Sec-Fetch-Dest"),
			BigDigits: strings.Contains(r.URL.RawQuery, "%2F")}
		for _, c := range r.Cookies() {
			l.Cookies = append(l.Cookies, c.Name)
		}
		seen := &statusWriter{ResponseWriter: rw, w: w}
		next.ServeHTTP(seen, r)
		l.Status = max(seen.status, http.StatusOK)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.legs = append(w.legs, l)
	})
}

type statusWriter struct {
	http.ResponseWriter
	w      *world
	status int
}

func (s *statusWriter) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

func (w *world) recorded() []leg {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.legs)
}

// codes are those of the refusals so far.
func (w *world) codes() (list []saml.Code) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, err := range w.refused {
		list = append(list, err.Code)
	}
	return list
}

// url is a page of the service.
func (w *world) url(path string) string { return w.service.URL + path }

// alias is the same page by another name of the host.
func (w *world) alias(path string) string {
	return strings.Replace(w.service.URL, "127.0.0.1", "localhost", 1) + path
}

// answer is the address of a page that posts an answer to the last request, in whatever browser
// opens it.
func (w *world) answer(a samltest.Answer) string {
	w.t.Helper()
	w.mu.Lock()
	a.RequestID = w.asked
	w.mu.Unlock()
	return w.post(a)
}

func (w *world) post(a samltest.Answer) string {
	w.t.Helper()
	if a.Recipient == "" {
		a.Recipient = w.sp.RedirectURL()
	}
	value, err := w.idp.Respond(a)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.form(a.Recipient, map[string]string{"SAMLResponse": value})
}

// form is the address of a page, on the stranger's site, that posts these fields.
func (w *world) form(action string, values map[string]string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	path := fmt.Sprintf("/post/%d", len(w.posts))
	w.posts[path] = posted{action, values}
	return w.stranger.URL + path
}

var strangerPage = template.Must(template.New("").Parse(`<!DOCTYPE html><title>A stranger</title><link rel="icon" href="data:,"><form method="post" action="{{.Action}}">
{{range $name, $value := .Values}}<input type="hidden" name="{{$name}}" value="{{$value}}">{{end}}<button id="stranger">You have won</button></form>
<script>document.forms[0].submit()</script>`))

func (w *world) serveStranger(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	page, ok := w.posts[r.URL.Path]
	w.mu.Unlock()
	if !ok {
		http.NotFound(rw, r)
		return
	}
	rw.Header().Set("Content-Type", "text/html; charset=utf-8")
	strangerPage.Execute(rw, struct {
		Action string
		Values map[string]string
	}{page.action, page.values})
}

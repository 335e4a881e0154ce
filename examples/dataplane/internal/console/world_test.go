package console_test

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"database/sql"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/examples/dataplane/internal/console"
	"github.com/iomete/saml/examples/dataplane/internal/password"
	"github.com/iomete/saml/examples/dataplane/internal/storage"
	"github.com/iomete/saml/samltest"
)

const (
	adminName     = "admin"
	adminPassword = "correct horse battery"
)

var adminHash = password.Hash(adminPassword)

// A world is a console, with its database in a file, and an identity provider.
type world struct {
	t       testing.TB
	file    string
	db      *storage.DB
	keys    [][]byte
	server  *httptest.Server
	idp     *samltest.IdentityProvider
	console *console.Console
	fetch   func(context.Context, string) ([]byte, error) // nil: as a console does

	mu    sync.Mutex
	ahead time.Duration
	waits []time.Duration // before passwords were looked at
}

// wait takes no time: a test looks at how long it would have been.
func (w *world) wait(ctx context.Context, d time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waits = append(w.waits, d)
	return ctx.Err()
}

// waited returns the waits since it was called last.
func (w *world) waited() (list []time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	list, w.waits = w.waits, nil
	return list
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.ahead)
}

// advance moves the clock of the console and of the identity provider.
func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ahead += d
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, file: filepath.Join(t.TempDir(), "console.db"), keys: [][]byte{saml.NewStateKey()}}
	w.server = httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter,
		r *http.Request) {
		w.console.ServeHTTP(rw, r)
	}))
	t.Cleanup(w.server.Close)
	w.db = w.open()
	if _, err := w.db.AddAdministrator(t.Context(), adminName, adminHash); err != nil {
		t.Fatal(err)
	}
	w.idp = w.newDirectory(samltest.Options{})
	w.console = w.newConsole(w.db)
	if err := w.idp.RegisterRedirectURL(w.console.RedirectURL()); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) open() *storage.DB {
	w.t.Helper()
	db, err := storage.OpenSQLite(w.t.Context(), w.file, w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { db.Close() })
	return db
}

func (w *world) newConsole(db *storage.DB) *console.Console {
	w.t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(w.server.Certificate()) // that of all servers of httptest
	fetch := func(ctx context.Context, address string) ([]byte, error) {
		if w.fetch != nil {
			return w.fetch(ctx, address)
		}
		return console.FetchMetadata(ctx, address, saml.FetchOptions{RootCAs: roots})
	}
	c, err := console.New(console.Config{DB: db, BaseURL: w.server.URL, Keys: w.keys, Administrator: adminName,
		Now: w.now, Wait: w.wait, Logger: slog.New(slog.DiscardHandler), Fetch: fetch,
		FetchOptions: saml.FetchOptions{RootCAs: roots}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(c.Close)
	return c
}

// directoryKey is that of all identity providers of these tests: a new one takes longer than most
// of them.
var directoryKey = sync.OnceValue(func() crypto.Signer {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// newDirectory starts an identity provider with its first user signed in.
func (w *world) newDirectory(o samltest.Options) *samltest.IdentityProvider {
	w.t.Helper()
	o.Now = w.now
	if o.Keys == nil {
		o.Keys = []crypto.Signer{directoryKey()}
	}
	idp := samltest.MustNew(w.t, o)
	server := httptest.NewTLSServer(idp)
	w.t.Cleanup(server.Close)
	idp.SetBaseURL(server.URL)
	idp.SignInAs(samltest.DefaultUsers()[0])
	return idp
}

func (w *world) metadata() []byte {
	w.t.Helper()
	document, err := w.idp.Metadata()
	if err != nil {
		w.t.Fatal(err)
	}
	return document
}

func (w *world) state() *storage.State {
	w.t.Helper()
	s, err := w.db.State(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// A browser keeps cookies, and says with each request of its own that it comes from the same site.
type browser struct {
	w      *world
	t      testing.TB
	client *http.Client
	site   string // Sec-Fetch-Site
	last   page
}

// A page is what a browser shows.
type page struct {
	status int
	url    *url.URL
	body   string
	header http.Header
}

func (w *world) browser() *browser {
	w.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	client := *w.server.Client()
	client.Jar = jar
	return &browser{w: w, t: w.t, client: &client, site: "same-origin"}
}

// admin is a browser in which the administrator is signed in.
func (w *world) admin() *browser {
	w.t.Helper()
	b := w.browser()
	b.post("/sign-in", url.Values{"name": {adminName}, "password": {adminPassword}})
	b.want(http.StatusOK)
	return b
}

func (b *browser) address(path string) string {
	if strings.HasPrefix(path, "/") {
		return b.w.server.URL + path
	}
	return path
}

func (b *browser) do(r *http.Request) page {
	b.t.Helper()
	if r.Method == http.MethodPost && b.site != "" {
		r.Header.Set("Sec-Fetch-Site", b.site)
	}
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	response, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.show(b.leave(response))
}

// leave follows the pages in front of the identity provider and after it, as a browser without
// scripts does.
func (b *browser) leave(response *http.Response) *http.Response {
	b.t.Helper()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	response.Body.Close()
	response.Body = io.NopCloser(bytes.NewReader(body))
	_, to, found := strings.Cut(string(body), `<noscript><meta http-equiv="refresh" content="0;url=`)
	if !found {
		return response
	}
	to, _, _ = strings.Cut(to, `"`)
	address, err := response.Request.URL.Parse(html.UnescapeString(to))
	if err != nil {
		b.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, address.String(), nil)
	if err != nil {
		b.t.Fatal(err)
	}
	if check := b.client.CheckRedirect; check != nil && errors.Is(check(r, nil), http.ErrUseLastResponse) {
		return response
	}
	if response, err = b.client.Do(r); err != nil {
		b.t.Fatal(err)
	}
	return b.leave(response)
}

func (b *browser) show(response *http.Response) page {
	b.t.Helper()
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	b.last = page{status: response.StatusCode, url: response.Request.URL, body: string(body), header: response.Header}
	return b.last
}

func (b *browser) get(path string) page {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.address(path), nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.do(r)
}

func (b *browser) post(path string, values url.Values) page {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.address(path),
		strings.NewReader(values.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.do(r)
}

// want fails the test unless the page has this status.
func (b *browser) want(status int) {
	b.t.Helper()
	if b.last.status != status {
		b.t.Fatalf("%s: got status %d, want %d\n%s", b.last.url, b.last.status, status, plainText(b.last.body))
	}
}

// wantText fails the test unless the element of the page says this.
func (b *browser) wantText(id string, parts ...string) {
	b.t.Helper()
	got := b.last.text(id)
	for _, part := range parts {
		if !strings.Contains(got, part) {
			b.t.Errorf("%s, #%s: got %q, want %q\n", b.last.url, id, got, part)
		}
	}
}

// A settingsForm is what an administrator fills in. file is uploaded.
type settingsForm struct {
	version                                                               int64
	entityID, loginURL, certificate, metadataURL, pasted, document, ended string
	refresh, signedBy, fetched, lastRead, logout                          string
	file                                                                  []byte
}

// submit sends the settings form by one of its buttons.
func (b *browser) submit(act string, f settingsForm) page {
	b.t.Helper()
	var body bytes.Buffer
	m := multipart.NewWriter(&body)
	for _, field := range []struct{ name, value string }{{"version", fmt.Sprint(f.version)}, {"document", f.document},
		{"pasted", f.pasted}, {"metadata_url", f.metadataURL},
		{"entity_id", f.entityID}, {"login_url", f.loginURL}, {"certificate", f.certificate}, {"accept_ended",
			f.ended}, {"refresh", f.refresh}, {"signed_by", f.signedBy}, {"fetched", f.fetched},
		{"last_read", f.lastRead}, {"logout", f.logout}} {
		if err := m.WriteField(field.name, field.value); err != nil {
			b.t.Fatal(err)
		}
	}
	part, err := m.CreateFormFile("file", "file")
	if err == nil {
		_, err = part.Write(f.file)
	}
	if err := errors.Join(err, m.Close()); err != nil {
		b.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.address("/settings/sso/"+act), &body)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", m.FormDataContentType())
	return b.do(r)
}

// form reads back what the page has in the settings form.
func (p page) form() settingsForm {
	var f settingsForm
	fmt.Sscan(p.input("version"), &f.version)
	f.entityID, f.loginURL, f.metadataURL, f.document = p.input("entity_id"), p.input("login_url"), p.input("metadata_url"), p.input("document")
	f.certificate, f.pasted = p.text("certificate"), p.text("pasted")
	f.signedBy, f.fetched, f.lastRead = p.text("signed-by"), p.input("fetched"), p.input("last_read")
	if strings.Contains(p.body, ` aria-describedby="help-refresh" checked>`) {
		f.refresh = "yes"
	}
	if strings.Contains(p.body, ` aria-describedby="help-logout" checked>`) {
		f.logout = "yes"
	}
	return f
}

func (p page) input(name string) string {
	m := regexp.MustCompile(`<input[^>]* name="` + name + `"[^>]* value="([^"]*)"`).FindStringSubmatch(p.body)
	if m == nil {
		return ""
	}
	return html.UnescapeString(m[1])
}

// has reports whether the page has an element with this ID.
func (p page) has(id string) bool { return strings.Contains(p.body, `id="`+id+`"`) }

// text is what the element with this ID shows, "" where there is none.
func (p page) text(id string) string {
	at := strings.Index(p.body, `id="`+id+`"`)
	if at < 0 {
		return ""
	}
	start := strings.LastIndex(p.body[:at], "<")
	tag := regexp.MustCompile(`^<(\w+)`).FindStringSubmatch(p.body[start:])[1]
	rest := p.body[at+strings.Index(p.body[at:], ">")+1:]
	depth := 1
	for _, m := range regexp.MustCompile(`</?`+tag+`\b[^>]*>`).FindAllStringIndex(rest, -1) {
		if rest[m[0]+1] == '/' {
			depth--
		} else {
			depth++
		}
		if depth == 0 {
			return plainText(rest[:m[0]])
		}
	}
	return plainText(rest)
}

func plainText(body string) string {
	text := html.UnescapeString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(body, ""))
	return strings.TrimSpace(regexp.MustCompile(`[ \t]*\n\s*`).ReplaceAllString(text, "\n"))
}

// version is the form of a button that acts on the settings.
func (b *browser) version(more ...string) url.Values {
	b.t.Helper()
	v := url.Values{"version": {fmt.Sprint(b.w.state().Version)}}
	for i := 0; i < len(more); i += 2 {
		v.Set(more[i], more[i+1])
	}
	return v
}

// save drops the metadata of the identity provider on the page and saves it.
func (b *browser) save() {
	b.t.Helper()
	b.submit("read", settingsForm{version: b.w.state().Version, file: b.w.metadata()})
	b.want(http.StatusOK)
	b.submit("save", b.last.form())
	b.want(http.StatusOK)
	b.wantText("done", "The settings are saved")
}

// test runs a test sign-in to its end.
func (b *browser) test() page {
	b.t.Helper()
	return b.finish(b.begin("/settings/sso/test", b.version()))
}

// begin opens a page that leads to the identity provider, whose answer it gives: by a POST with a
// form, by a GET without.
func (b *browser) begin(path string, form url.Values) samltest.Form {
	b.t.Helper()
	var r *http.Request
	var err error
	if form == nil {
		r, err = http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.address(path), nil)
	} else {
		r, err = http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.address(path),
			strings.NewReader(form.Encode()))
	}
	if err != nil {
		b.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", b.site)
	}
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	response, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	response = b.leave(response)
	answer, err := samltest.ReadForm(response)
	if err != nil {
		b.t.Fatalf("%s: %v", response.Request.URL, err)
	}
	return answer
}

// finish posts the identity provider's answer as its page would, cross-site, and then what our own
// page posts.
func (b *browser) finish(answer samltest.Form) page {
	b.t.Helper()
	site := b.site
	defer func() { b.site = site }()
	b.site = "cross-site"
	b.post(answer.Action, answer.Values)
	b.want(http.StatusOK)
	second, err := samltest.ReadForm(&http.Response{Header: b.last.header,
		Body: io.NopCloser(strings.NewReader(b.last.body)), StatusCode: b.last.status})
	if err != nil {
		b.t.Fatal(err)
	}
	b.site = "same-origin"
	if second.Action == "" { // its own address
		second.Action = b.last.url.String()
	}
	return b.post(second.Action, second.Values)
}

// signIn signs a user in who opens a page.
func (b *browser) signIn(path string) page {
	b.t.Helper()
	return b.finish(b.begin(path, nil))
}

// request begins a login without going to the identity provider, and gives the ID of the request.
func (b *browser) request(path string, form url.Values) string {
	b.t.Helper()
	follow := b.client.CheckRedirect
	defer func() { b.client.CheckRedirect = follow }()
	var login *url.URL
	b.client.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if r.URL.Query().Has("SAMLRequest") {
			login = r.URL
			return http.ErrUseLastResponse
		}
		return nil
	}
	if form == nil {
		b.get(path)
	} else {
		b.post(path, form)
	}
	if login == nil {
		b.t.Fatalf("%s does not lead to the identity provider, but to %s", path, b.last.url)
	}
	deflated, err := base64.StdEncoding.DecodeString(login.Query().Get("SAMLRequest"))
	if err != nil {
		b.t.Fatal(err)
	}
	request, err := io.ReadAll(flate.NewReader(bytes.NewReader(deflated)))
	if err != nil {
		b.t.Fatal(err)
	}
	return regexp.MustCompile(` ID="([^"]+)"`).FindStringSubmatch(string(request))[1]
}

// answer is what the identity provider would post to a request.
func (w *world) answer(a samltest.Answer) samltest.Form {
	w.t.Helper()
	a.Recipient = w.console.RedirectURL()
	value, err := w.idp.Respond(a)
	if err != nil {
		w.t.Fatal(err)
	}
	return samltest.Form{Action: a.Recipient, Values: url.Values{"SAMLResponse": {value}}}
}

// signedIn reports whether a user is signed in with the browser.
func (b *browser) signedIn() bool {
	b.t.Helper()
	for _, c := range b.client.Jar.Cookies(mustParse(b.w.server.URL)) {
		if strings.HasPrefix(c.Name, "__Host-session-") {
			return true
		}
	}
	return false
}

func mustParse(address string) *url.URL {
	u, err := url.Parse(address)
	if err != nil {
		panic(err)
	}
	return u
}

func certificatePEM(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// answerTo is an answer to a request that nobody made.
func (w *world) answerTo(requestID string) samltest.Form {
	w.t.Helper()
	return w.answer(samltest.Answer{RequestID: requestID})
}

// A log is what the console has logged.
type log struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// trust makes a console that believes X-Forwarded-For, or not, and returns its log.
func (w *world) trust(forwardedFor bool) *log {
	w.t.Helper()
	l := &log{}
	c := w.console.Config
	c.TrustForwardedFor, c.Logger = forwardedFor, slog.New(slog.NewTextHandler(l, nil))
	var err error
	if w.console, err = console.New(c); err != nil {
		w.t.Fatal(err)
	}
	return l
}

// exec runs statements in the database, as another process would.
func (w *world) exec(statements string) {
	w.t.Helper()
	db, err := sql.Open("sqlite", w.file)
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(w.t.Context(), statements); err != nil {
		w.t.Fatal(err)
	}
}

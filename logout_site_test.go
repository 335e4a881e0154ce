package saml

import (
	"bytes"
	"context"
	"crypto"
	"encoding/base64"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/iomete/saml/internal/redirect"
	"github.com/iomete/saml/internal/testfiles"
	"github.com/iomete/saml/internal/wire"
)

// logoutAnswerURL is where the identity provider of a logoutSite takes logout messages.
const logoutAnswerURL = "https://idp.example.com/slo?a=b"

// siteFrames are the origins of the addresses of this identity provider.
const siteFrames = "https://login.example.com:8443 https://idp.example.com"

// A logoutSite is a service behind HTTP that takes logout messages, at its Logout URL and at its
// Redirect URL. It remembers what it was asked to end.
type logoutSite struct {
	t       testing.TB
	sp      *ServiceProvider
	handler *Handler
	server  *httptest.Server
	log     bytes.Buffer

	mu     sync.Mutex
	ended  []Logout
	fails  []error // of EndSessions, one for each call; nil behind the last
	events []Event
}

// newLogoutSite makes the service that judges samples like s. change may be nil.
func newLogoutSite(t testing.TB, s *sampleLogout, change func(*HandlerConfig)) *logoutSite {
	t.Helper()
	site := &logoutSite{t: t}
	site.sp = site.provider(s)
	c := HandlerConfig{Provider: site.sp, Sessions: nobody{}, EndSessions: site.endSessions, Observe: site.observe,
		Logger: slog.New(slog.NewTextHandler(&site.log, nil))}
	if change != nil {
		change(&c)
	}
	h, err := NewHandler(c)
	if err != nil {
		t.Fatal(err)
	}
	site.handler, site.server = h, httptest.NewServer(h)
	t.Cleanup(site.server.Close)
	return site
}

// provider makes the service of a sample with what logout needs: a path, a key, and metadata of the
// identity provider that has a logout address.
func (l *logoutSite) provider(s *sampleLogout) *ServiceProvider {
	l.t.Helper()
	own := *s
	own.config = func(t testing.TB, c *Config) {
		c.LogoutPath = "/api/v1/identity/auth/saml-slo"
		c.SigningKey = vectorKey(t, "test-sp-a.key.pem")
		c.SigningCertificate = vectorCertificate(t, "test-sp-a.crt.pem").Raw
		c.AllowUnsignedLogout, c.RefuseExpiredCertificates = s.unsigned, s.expired
		c.IdentityProvider = logoutProvider(t, s.idp, s.keys...)
		c.Observe, c.Logger = l.observe, slog.New(slog.NewTextHandler(&l.log, nil))
		if s.config != nil {
			s.config(t, c)
		}
	}
	return own.provider(l.t)
}

// logoutProvider reads metadata with these certificates, and a logout address by HTTP-Redirect.
func logoutProvider(t testing.TB, entityID string, certificates ...string) *IdentityProvider {
	t.Helper()
	var keys strings.Builder
	for _, name := range certificates {
		keys.WriteString(`<KeyDescriptor><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data>` +
			`<X509Certificate>` + base64.StdEncoding.EncodeToString(vectorCertificate(t, name+".crt.pem").Raw) +
			`</X509Certificate></X509Data></KeyInfo></KeyDescriptor>`)
	}
	service := func(name, location string) string {
		return `<` + name + ` Binding="` + bindingRedirect + `" Location="` + location + `"/>`
	}
	p, err := ParseMetadata([]byte(`<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="` +
		entityID + `"><IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">` + keys.String() +
		service("SingleLogoutService", logoutAnswerURL) +
		service("SingleSignOnService", "https://login.example.com:8443/sso") +
		`</IDPSSODescriptor></EntityDescriptor>`))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (l *logoutSite) endSessions(_ context.Context, logout *Logout) (err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.fails) > 0 {
		err, l.fails = l.fails[0], l.fails[1:]
	}
	if err == nil {
		l.ended = append(l.ended, *logout)
	}
	return err
}

func (l *logoutSite) observe(_ context.Context, e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
}

// request makes the request that brings a message to one of our addresses, as a browser or a server
// sends it. headers are pairs of names and values.
func (l *logoutSite) request(s *sampleLogout, headers ...string) *http.Request {
	l.t.Helper()
	at, err := url.Parse(s.address)
	if err != nil {
		l.t.Fatal(err)
	}
	method, kind, body := "POST", "application/x-www-form-urlencoded", ""
	query := s.formQuery
	switch s.binding {
	case "post":
		body = s.form(l.t)
	case "soap":
		kind, body = "text/xml; charset=utf-8", s.soap(l.t)
	default:
		method, kind, query = "GET", "", s.query(l.t)
	}
	r, err := http.NewRequestWithContext(l.t.Context(), method, l.server.URL+at.EscapedPath(), strings.NewReader(body))
	if err != nil {
		l.t.Fatal(err)
	}
	r.URL.RawQuery = query
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	if s.binding != "soap" { // what browsers send with a page of another site
		r.Header.Set("Accept", "text/html")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

// A logoutReply is an answer of the service.
type logoutReply struct {
	*http.Response
	body string
}

func (l *logoutSite) do(r *http.Request) logoutReply {
	l.t.Helper()
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		l.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		l.t.Fatal(err)
	}
	return logoutReply{response, string(body)}
}

func (l *logoutSite) send(s *sampleLogout, headers ...string) logoutReply {
	l.t.Helper()
	return l.do(l.request(s, headers...))
}

// wantEnded compares what was ended since the last call, by NameID.
func (l *logoutSite) wantEnded(name string, want ...string) {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var got []string
	for _, e := range l.ended {
		got = append(got, strings.Join(append([]string{e.NameID.Value}, e.SessionIndexes...), " "))
	}
	if !slices.Equal(got, want) {
		l.t.Errorf("%s: ended %q, want %q", name, got, want)
	}
	l.ended = nil
}

// A sentLogout is a LogoutResponse as the identity provider gets it.
type sentLogout struct {
	*logoutContent
	relayState *string
}

var (
	leaveTo     = regexp.MustCompile(`<meta http-equiv="refresh" content="0;url=([^"]*)">`)
	hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
)

// response returns the LogoutResponse in an answer, verified with the key of the service, or nil if
// there is none.
func (a logoutReply) response(t testing.TB) *sentLogout {
	t.Helper()
	to := a.Header.Get("Location")
	if found := leaveTo.FindStringSubmatch(a.body); found != nil {
		to = html.UnescapeString(found[1])
	}
	form := url.Values{}
	for _, field := range hiddenField.FindAllStringSubmatch(a.body, -1) {
		form.Add(field[1], html.UnescapeString(field[2]))
	}
	var m *wire.Logout
	var err error
	parameters := &redirect.Message{}
	switch {
	case strings.Contains(a.body, ":Fault>"):
		return nil
	case strings.HasPrefix(a.Header.Get("Content-Type"), "text/xml"):
		m, err = wire.LogoutFromSOAP([]byte(a.body))
	case to != "":
		_, query, _ := strings.Cut(to, "?")
		m, parameters, err = wire.LogoutFromQuery(query)
	case form.Has("SAMLResponse"):
		m, parameters, err = wire.LogoutFromForm(form.Encode(), "")
	default:
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	sent := &sentLogout{logoutContent: verifiedLogout(t, m, "test-sp-a")}
	if parameters.HasRelayState {
		sent.relayState = &parameters.RelayState
	}
	return sent
}

// verifiedLogout returns what a message says, as this key signed it.
func verifiedLogout(t testing.TB, m *wire.Logout, key string) *logoutContent {
	t.Helper()
	keys, err := ParseKeys(testfiles.Key(t, key+".crt.pem"))
	if err != nil {
		t.Fatal(err)
	}
	signed, err := m.Verify([]crypto.PublicKey{keys[0].public}, new(policy).signaturePolicy())
	if err != nil {
		t.Fatal(err)
	}
	doc, err := signed.Parse()
	if err != nil {
		t.Fatal(err)
	}
	return readLogoutContent(doc.Root())
}

// wantResponse checks that an answer is a LogoutResponse with this status to the sample's request.
func (a logoutReply) wantResponse(t testing.TB, name string, s *sampleLogout, status string) *sentLogout {
	t.Helper()
	sent := a.response(t)
	destination := logoutAnswerURL
	if s.binding == "soap" {
		destination = ""
	}
	if sent == nil || sent.status.Code != status || sent.inResponseTo != s.attributes["ID"] ||
		sent.destination != destination || sent.issuer.Value != "https://console.example.com"+DefaultRedirectPath {
		t.Errorf("%s: got %+v from status %d, %s", name, sent, a.StatusCode, a.body)
	}
	a.wantHeaders(t, name, s)
	return sent
}

// wantHeaders checks what holds for each answer to a LogoutRequest.
func (a logoutReply) wantHeaders(t testing.TB, name string, s *sampleLogout) {
	t.Helper()
	if a.Header.Get("Cache-Control") != "no-store" || len(a.Cookies()) > 0 || a.Header.Get("X-Frame-Options") != "" {
		t.Errorf("%s: got the headers %v", name, a.Header)
	}
	if frames := a.frames(); s.binding != "soap" && frames != siteFrames {
		t.Errorf("%s: may be framed by %q, want %q", name, frames, siteFrames)
	}
	if strings.Contains(a.body, "<a ") {
		t.Errorf("%s: has a link: %s", name, a.body)
	}
}

// frames returns the origins that may frame an answer.
func (a logoutReply) frames() string {
	_, frames, _ := strings.Cut(a.Header.Get("Content-Security-Policy"), "frame-ancestors ")
	return frames
}

// wantRefused checks that an answer to a LogoutRequest is a page or a fault and tells nobody anything.
func (a logoutReply) wantRefused(t testing.TB, name string, s *sampleLogout, code Code) {
	t.Helper()
	status := http.StatusBadRequest
	if s.binding == "soap" {
		status = http.StatusInternalServerError
	}
	a.wantRefusedBy(t, name, s, status, code)
	a.wantHeaders(t, name, s)
}

// wantRefusedBy is wantRefused with any status, and without a look at the headers.
func (a logoutReply) wantRefusedBy(t testing.TB, name string, s *sampleLogout, status int, code Code) {
	t.Helper()
	if a.StatusCode != status || !strings.Contains(a.body, string(code)) || a.Header.Get("Location") != "" ||
		strings.Contains(a.body, "<form") || strings.Contains(a.body, "SAMLResponse") ||
		strings.Contains(a.body, ":Fault>") != (s.binding == "soap") {
		t.Errorf("%s: got status %d, want %d with %s: %v %s", name, a.StatusCode, status, string(code), a.Header,
			a.body)
	}
}

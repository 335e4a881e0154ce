package saml_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// hintList collects refusals as lines of "entrance | code | hint", each once.
type hintList struct{ lines []string }

func (l *hintList) add(entrance string, err error) {
	for _, e := range saml.Errors(err) {
		line := fmt.Sprintf("%s | %s | %s", entrance, string(e.Code), e.Hint)
		if !slices.Contains(l.lines, line) {
			l.lines = append(l.lines, line)
		}
	}
}

// TestHintsOfAllEntrances: testdata/hints.txt has the hint of each refusal that a user of the
// package can meet, by the function that it comes from. Entrances with "Entra" have an identity
// provider that is one, those with "other" have another, and the rest know none.
func TestHintsOfAllEntrances(t *testing.T) {
	var l hintList
	recordSetup(t, &l)
	for product, entityID := range map[string]string{"Entra": "", "other": "https://idp.example.com/"} {
		recordLogins(t, &l, product, entityID)
		recordHandler(t, &l, product, entityID)
	}
	recordUnresolved(t, &l)
	recordSharedAddress(t, &l)
	l.compare(t, "testdata/hints.txt")
}

// TestHintsOfVectors is TestHintsOfAllEntrances for FinishLogin and every vector. Their identity
// provider is Entra.
func TestHintsOfVectors(t *testing.T) {
	var l hintList
	for _, err := range saml.VectorRefusals(t) {
		l.add("FinishLogin", err)
	}
	l.compare(t, "testdata/hints_vectors.txt")
}

// compare compares with a file, or writes it with -update.
func (l *hintList) compare(t *testing.T, name string) {
	t.Helper()
	slices.Sort(l.lines)
	if f := flag.Lookup("update"); f != nil && f.Value.String() == "true" {
		if err := os.WriteFile(name, []byte(strings.Join(l.lines, "\n")+"\n"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	for _, line := range l.lines {
		if !slices.Contains(want, line) {
			t.Errorf("new: %s", line)
		}
	}
	for _, line := range want {
		if !slices.Contains(l.lines, line) {
			t.Errorf("gone: %s", line)
		}
	}
	if t.Failed() {
		t.Logf("if these are meant: go test -run %s -update .", t.Name())
	}
}

// hintProvider makes a provider that trusts idp, under another name if entityID is not "".
func hintProvider(t *testing.T, idp *samltest.IdentityProvider, entityID string,
	change func(*saml.Config)) *saml.ServiceProvider {
	t.Helper()
	return newProvider(t, idp, func(c *saml.Config) {
		if entityID != "" {
			keys, err := saml.ParseKeys(idp.CertificatePEM())
			if err != nil {
				t.Fatal(err)
			}
			if c.IdentityProvider, err = saml.NewIdentityProvider(entityID, "https://idp.example.com/login",
				keys...); err != nil {
				t.Fatal(err)
			}
		}
		if change != nil {
			change(c)
		}
	})
}

// hintAnswers are responses that are refused, by what must be configured for that.
func hintAnswers() []samltest.Answer {
	const other = "https://other.example.com"
	failed := func(message string) samltest.Answer {
		return samltest.Answer{Status: "urn:oasis:names:tc:SAML:2.0:status:Responder", StatusMessage: message}
	}
	replaced := func(old, new string) samltest.Answer {
		return samltest.Answer{Edit: func(s string) string { return strings.Replace(s, old, new, 1) }}
	}
	return []samltest.Answer{
		{Audience: other}, {Destination: other}, {Recipient: other}, {Issuer: other}, {Sign: samltest.SignNothing}, {Algorithm: samltest.RSASHA1}, {NameID: "nobody"},
		{NameID: "jörg@example.com"}, {User: samltest.DefaultUsers()[1]}, {AuthnInstant: time.Now().Add(time.Hour)},
		failed(""), failed("AADSTS50105: x"), failed("AADSTS75011: x"), failed("AADSTS7000112: x"), failed("AADSTS501241: x"), failed("AADSTS50000: x"),
		replaced("</NameID>", "x</NameID>"), replaced("</NameID>", "<!-- --></NameID>"), replaced("<Conditions ",
			"<Unknown/><Conditions "),
		{RequestID: "_another"},
		{Status: statusPrefix + "Requester", SubStatus: statusPrefix + "InvalidNameIDPolicy"},
		{Status: statusPrefix + "Responder", SubStatus: statusPrefix + "AuthnFailed"},
		{Status: statusPrefix + "Responder", SubStatus: statusPrefix + "RequestDenied"},
		{Sign: samltest.SignResponse, Edit: func(s string) string { return destinationIn.ReplaceAllString(s, "") }},
		{Edit: func(s string) string { return requestInConfirmation.ReplaceAllString(s, "$1") }},
		{Edit: func(s string) string {
			return strings.Replace(s, "</Conditions>", "</Conditions><Advice><Assertion/></Advice>", 1)
		}},
		{Edit: func(s string) string { return notOnOrAfterIn.ReplaceAllString(s, `NotOnOrAfter="never"`) }},
	}
}

const statusPrefix = "urn:oasis:names:tc:SAML:2.0:status:"

var (
	destinationIn         = regexp.MustCompile(` Destination="[^"]*"`)
	requestInConfirmation = regexp.MustCompile(`(<SubjectConfirmationData [^>]*)InResponseTo="[^"]*"`)
	notOnOrAfterIn        = regexp.MustCompile(`NotOnOrAfter="[^"]*"`)
)

func recordLogins(t *testing.T, l *hintList, product, entityID string) {
	idp := samltest.MustNew(t, samltest.Options{})
	finish := func(sp *saml.ServiceProvider, o saml.LoginOptions, a samltest.Answer) error {
		h := &house{t, idp, sp}
		if entityID != "" && a.Issuer == "" {
			a.Issuer = entityID
		}
		_, err := h.signIn(o, a)
		return err
	}
	sp := hintProvider(t, idp, entityID, nil)
	for _, a := range hintAnswers() {
		l.add("FinishLogin at "+product, finish(sp, saml.LoginOptions{}, a))
	}
	l.add("FinishLogin at "+product, finish(sp, saml.LoginOptions{ForceAuthn: true},
		samltest.Answer{AuthnInstant: time.Now().Add(-time.Hour)}))
	for name, change := range map[string]func(*saml.Config){
		"signed":  func(c *saml.Config) { c.RequireSignedResponse = true },
		"object":  func(c *saml.Config) { c.RequireObjectID = true },
		"later":   func(c *saml.Config) { c.Now = func() time.Time { return time.Now().Add(-time.Hour) } },
		"context": func(c *saml.Config) { c.RequestedAuthnContexts = []string{"urn:example:context"} },
		"dates": func(c *saml.Config) {
			c.RefuseExpiredCertificates = true
			c.Now = func() time.Time { return time.Now().AddDate(20, 0, 0) }
		},
	} {
		sp := hintProvider(t, idp, entityID, change)
		a := samltest.Answer{}
		switch name {
		case "object":
			a.Attributes = []samltest.Attribute{{Name: claimObjectID}}
		case "dates":
			a.ClockOffset = time.Until(time.Now().AddDate(20, 0, 0))
		}
		l.add("FinishLogin at "+product, finish(sp, saml.LoginOptions{}, a))
	}
	begun := func(sp *saml.ServiceProvider) *saml.AuthnRequest {
		request, err := sp.StartLogin(t.Context(), saml.LoginOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return request
	}
	h := &house{t, idp, sp}
	request := begun(sp)
	response := h.respond(samltest.Answer{RequestID: request.ID, Issuer: entityID})
	for _, r := range []saml.FormResponse{{}, {SAMLResponse: "%"},
		{SAMLResponse: base64.StdEncoding.EncodeToString([]byte("<!DOCTYPE x><x/>"))}, {SAMLResponse: response},
		{SAMLResponse: response, State: "x.y"}, {SAMLResponse: response,
			State: request.State}, {SAMLResponse: response, State: request.State}} {
		_, err := sp.FinishLogin(t.Context(), r)
		l.add("FinishLogin at "+product, err)
	}
	now := time.Now()
	moving := hintProvider(t, idp, entityID, func(c *saml.Config) { c.Now = func() time.Time { return now } })
	state := begun(moving).State
	for _, at := range []time.Time{now.Add(2 * time.Hour), now.Add(-time.Hour)} {
		now = at
		_, err := moving.FinishLogin(t.Context(), saml.FormResponse{SAMLResponse: response, State: state})
		l.add("FinishLogin at "+product, err)
	}
	broken := hintProvider(t, idp, entityID, func(c *saml.Config) { c.Store = downStore{} })
	l.add("FinishLogin at "+product, finish(broken, saml.LoginOptions{}, samltest.Answer{}))
	_, err := sp.StartLogin(t.Context(), saml.LoginOptions{ReturnTo: "//x"})
	l.add("StartLogin at "+product, err)
	source := &flakySource{}
	flaky := hintProvider(t, idp, entityID, func(c *saml.Config) {
		source.good = c.IdentityProvider
		c.IdentityProvider = source
	})
	source.err = errors.New("down")
	_, err = flaky.StartLogin(t.Context(), saml.LoginOptions{})
	l.add("StartLogin at "+product, err)
	_, err = flaky.IdentityProvider(t.Context())
	l.add("ServiceProvider.IdentityProvider at "+product, err)
	l.add("CheckTenants at "+product, saml.CheckTenants(flaky))
	_, err = flaky.FinishLogin(t.Context(), saml.FormResponse{SAMLResponse: response, State: request.State})
	l.add("FinishLogin at "+product, err)
	tenant := func(name string) *saml.ServiceProvider {
		return hintProvider(t, idp, entityID, func(c *saml.Config) { c.Tenant = name })
	}
	l.add("CheckTenants at "+product, saml.CheckTenants(tenant("a"), tenant("b"), tenant("c")))
}

type downStore struct{}

func (downStore) Claim(context.Context, string, time.Duration) (bool, error) {
	return false, errors.New("down")
}
func (downStore) Claimed(context.Context, string) (bool, error) { return false, errors.New("down") }

type flakySource struct {
	good saml.IdentityProviderSource
	err  error
}

func (s *flakySource) Snapshot(ctx context.Context) (*saml.IdentityProvider, error) {
	if s.err != nil {
		return nil, s.err
	}
	return s.good.Snapshot(ctx)
}

func recordHandler(t *testing.T, l *hintList, product, entityID string) {
	idp := samltest.MustNew(t, samltest.Options{})
	sessions := &switchSessions{}
	entrance := "Handler at " + product
	sp := hintProvider(t, idp, entityID, func(c *saml.Config) {
		c.Observe = func(_ context.Context, e saml.Event) {
			if e.Err != nil {
				l.add(entrance, e.Err)
			}
		}
	})
	handler, err := saml.NewHandler(saml.HandlerConfig{
		Resolve:  func(*http.Request, string) (*saml.ServiceProvider, error) { return sp, nil },
		Sessions: sessions,
		OnError: func(w http.ResponseWriter, r *http.Request, err *saml.Error) {
			l.add(entrance+", OnError", err)
			w.WriteHeader(http.StatusForbidden)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t, idp, sp}
	post := func(response string, cookies ...*http.Cookie) {
		r := httptest.NewRequest("POST", redirectURL,
			strings.NewReader(url.Values{"SAMLResponse": {response}, "saml_leg": {"2"}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for _, c := range cookies {
			r.AddCookie(c)
		}
		handler.ServeHTTP(httptest.NewRecorder(), r)
	}
	begin := func() (*http.Cookie, string) {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest("GET", redirectURL, nil))
		return w.Result().Cookies()[0], requestID(t, w.Result().Header.Get("Location"))
	}
	for _, a := range hintAnswers() {
		state, id := begin()
		if a.RequestID = id; entityID != "" && a.Issuer == "" {
			a.Issuer = entityID
		}
		post(h.respond(a), state)
	}
	state, id := begin()
	good := h.respond(samltest.Answer{RequestID: id, Issuer: entityID})
	post(good)
	post(good, &http.Cookie{Name: state.Name, Value: "AAAAAAAAAAAA"})
	post(good, state)
	post(good, state)
	post(h.respond(samltest.Answer{Issuer: entityID}))
	post("%")
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", redirectURL+"?SAMLResponse=x", nil))
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", redirectURL, nil))
	handler.Fail(httptest.NewRecorder(), httptest.NewRequest("GET", redirectURL, nil), errors.New("down"))
	entrance += ", signed in"
	sessions.signedIn = true
	post(good)
	post(good, state)
	post(h.respond(samltest.Answer{Issuer: entityID}))
}

// recordUnresolved has the refusals of requests that lead to no provider.
func recordUnresolved(t *testing.T, l *hintList) {
	for _, err := range []error{saml.ErrNotConfigured, errors.New("down")} {
		handler, failed := saml.NewHandler(saml.HandlerConfig{
			Resolve:  func(*http.Request, string) (*saml.ServiceProvider, error) { return nil, err },
			Sessions: &switchSessions{},
			Observe:  func(_ context.Context, e saml.Event) { l.add("Handler without a provider", e.Err) },
		})
		if failed != nil {
			t.Fatal(failed)
		}
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", redirectURL, nil))
		handler.Fail(httptest.NewRecorder(), httptest.NewRequest("GET", redirectURL, nil),
			&saml.Error{Code: saml.CodeUnsolicited})
		_, refusal := handler.Provider(httptest.NewRequest("GET", redirectURL, nil), "")
		l.add("Handler.Provider", refusal)
	}
}

// recordSharedAddress has the refusals of requests whose tenant has to be looked up.
func recordSharedAddress(t *testing.T, l *hintList) {
	s := newTenants(t)
	s.serve(func(c *saml.HandlerConfig) {
		c.Observe = func(_ context.Context, e saml.Event) { l.add("Handler of several tenants", e.Err) }
	})
	issuer := s.b.idp.EntityID()
	s.finish(sharedHost, s.b.respond(samltest.Answer{})) // without ByIssuer
	s.send(typed("ann@acme.example", ""))                // without ChooseTenant
	for _, row := range []struct {
		tenant string
		err    error
	}{{"", nil}, {"a", nil}, {"", saml.CodeSharedIssuer}, {"", errors.New("down")}} {
		find := func(context.Context, string) (string, error) { return row.tenant, row.err }
		s.serve(func(c *saml.HandlerConfig) { c.ByIssuer, c.ChooseTenant = find, find })
		for _, spelled := range []string{issuer, issuer + s.b.idp.TenantID(), " "} {
			s.finish(sharedHost, s.b.respond(samltest.Answer{Issuer: spelled}))
		}
		s.send(typed("ann@acme.example", ""))
	}
	s.send(typed("ann@acme.example", "", "Sec-Fetch-Site", "cross-site"))
	ask(s.login.Require(hello), "POST", redirectURL)
	_, err := saml.NewDomains(saml.DomainClaim{Verified: true}, saml.DomainClaim{Domain: "acme.example", Verified: true})
	l.add("NewDomains", err)
	_, err = saml.NormalizeDomain("")
	l.add("NormalizeDomain", err)
}

func recordSetup(t *testing.T, l *hintList) {
	const login, issuer = "https://login.microsoftonline.com/7f1f0a52-7a3c-4d8e-9d1b-5c0f5e2a9b11/saml2", "https://sts.windows.net/7f1f0a52-7a3c-4d8e-9d1b-5c0f5e2a9b11/"
	idp := samltest.MustNew(t, samltest.Options{})
	keys, err := saml.ParseKeys(idp.CertificatePEM())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range [][2]string{{"", ""}, {strings.Repeat("e", 1025), login},
		{"https://sts.windows.net/{tenantid}/", login}, {"a\u200bb", login}, {issuer, "ftp://x"}, {issuer,
			"https://u:p@example.com"},
		{login, issuer}, {issuer,
			strings.Replace(login, "/saml2", "/wsfed",
				1)}, {"https://login.microsoftonline.com/x/federationmetadata/2007-06/federationmetadata.xml", login},
		{issuer, "https://login.microsoftonline.com/x/federationmetadata/2007-06/federationmetadata.xml"}, {"7f1f0a52-7a3c-4d8e-9d1b-5c0f5e2a9b11", login}} {
		_, err := saml.NewIdentityProvider(f[0], f[1], keys...)
		l.add("NewIdentityProvider", err)
	}
	_, err = saml.NewIdentityProvider(issuer, login)
	l.add("NewIdentityProvider", err)
	for _, text := range []string{"", "x", "ssh-rsa AAAA", "https://example.com", "<x/>",
		"-----BEGIN PRIVATE KEY-----", "-----BEGIN CERTIFICATE-----", "0\x84", "{}", "<html>", strings.Repeat("x",
			4<<20+1)} {
		_, err := saml.ParseKeys([]byte(text))
		l.add("ParseKeys", err)
	}
	for _, text := range []string{"", "x", "{}", "<html>", "<x/>", "<x>", "<!DOCTYPE x><x/>", "<x y='' y=''/>",
		"-----BEGIN PRIVATE KEY-----", string(idp.CertificatePEM()), strings.Repeat("x", 4<<20+1),
		metadataText(``, ``), metadataText(` entityID="x"`,
			``), metadataText(` entityID="https://sts.windows.net/{tenantid}/"`, idpRole("")), metadataText(` entityID="x"`, idpRole("")),
		metadataText(` entityID="x"`,
			idpRole(`<SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://example.com"/>`))} {
		_, err := saml.ParseMetadata([]byte(text))
		l.add("ParseMetadata", err)
	}
	document, err := idp.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []saml.ParseMetadataOptions{{EntityID: "x"}, {SignedBy: []saml.TrustedKey{}}, {SignedBy: keys}} {
		_, err := saml.ParseMetadata(document, o)
		l.add("ParseMetadata", err)
	}
	_, err = saml.ParseMetadata(document, saml.ParseMetadataOptions{}, saml.ParseMetadataOptions{})
	l.add("ParseMetadata", err)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/large" {
			w.Write(make([]byte, 4<<20+1))
			return
		}
		http.NotFound(w, r)
	}))
	defer server.Close()
	for _, address := range []string{"", "%", "http://example.com", server.URL, server.URL + "/large"} {
		_, err := saml.FetchMetadata(t.Context(), address, saml.FetchOptions{})
		l.add("FetchMetadata", err)
	}
	_, err = saml.New(saml.Config{})
	l.add("New", err)
	for product, entityID := range map[string]string{"Entra": issuer, "other": "https://idp.example.com/"} {
		weak, err := saml.ParseKeys(weakCertificate(t))
		if err != nil {
			t.Fatal(err)
		}
		l.add("TrustedKey.Usable", weak[0].Usable())
		for _, f := range []struct {
			entityID, login string
			keys            []saml.TrustedKey
		}{{entityID, "http://example.com/login", keys}, {entityID, "https://example.com/login", weak}, {redirectURL,
			login, keys}, {entityID, redirectURL, keys}, {entityID, login, []saml.TrustedKey{{}}}} {
			idp, err := saml.NewIdentityProvider(f.entityID, f.login, f.keys...)
			if err != nil {
				t.Fatal(err)
			}
			_, err = saml.New(saml.Config{BaseURL: "https://console.example.com", IdentityProvider: idp,
				StateKeys: [][]byte{saml.NewStateKey()}})
			l.add("New at "+product, err)
			for _, w := range idp.Warnings(time.Now().AddDate(3, 0, 0)) {
				l.add("Warnings at "+product, &saml.Error{Code: saml.Code(w.Code), Hint: w.Hint})
			}
		}
	}
	for _, c := range []saml.HandlerConfig{{},
		{Resolve: func(*http.Request, string) (*saml.ServiceProvider, error) { return nil, nil }}} {
		_, err := saml.NewHandler(c)
		l.add("NewHandler", err)
	}
	_, err = (&saml.Identity{}).AccountKey()
	l.add("AccountKey", err)
}

func metadataText(attributes, inside string) string {
	return `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata"` + attributes + `>` + inside +
		`</EntityDescriptor>`
}

func idpRole(inside string) string {
	return `<IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">` + inside +
		`</IDPSSODescriptor>`
}

// weakCertificate has a key that is too short.
func weakCertificate(t *testing.T) []byte {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now(),
		NotAfter: time.Now().AddDate(2, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func pemOf(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

package saml_test

import (
	"bytes"
	"compress/flate"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/pem"
	"encoding/xml"
	"errors"
	"io"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/beevik/etree"
	crewjam "github.com/crewjam/saml"
	dsig "github.com/russellhaering/goxmldsig"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

var sharedSigningKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// signingKey is a key for our requests and a certificate of it, another one each time.
func signingKey(t testing.TB) (crypto.Signer, []byte) {
	t.Helper()
	key, err := sharedSigningKey()
	if err != nil {
		t.Fatal(err)
	}
	return key, certificateFor(t, key)
}

// parameters gives the query of a request's URL in the order in which it was sent.
func parameters(t *testing.T, address string) (names []string, values url.Values) {
	t.Helper()
	_, query, _ := strings.Cut(address, "?")
	for _, p := range strings.Split(query, "&") {
		name, _, _ := strings.Cut(p, "=")
		names = append(names, name)
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	return names, values
}

func inflate(t testing.TB, value string) string {
	t.Helper()
	compressed, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		t.Fatal(err)
	}
	document, err := io.ReadAll(flate.NewReader(bytes.NewReader(compressed)))
	if err != nil {
		t.Fatal(err)
	}
	return string(document)
}

// requestID gives the ID of the request in a redirect to the identity provider.
func requestID(t testing.TB, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	_, id, _ := strings.Cut(inflate(t, u.Query().Get("SAMLRequest")), ` ID="`)
	id, _, _ = strings.Cut(id, `"`)
	return id
}

// TestRequestSaysWhatEntraReads: each attribute and element, and none that Entra refuses or that
// overrides the portal's settings.
func TestRequestSaysWhatEntraReads(t *testing.T) {
	h := newHouse(t, func(c *saml.Config) {
		c.Now = func() time.Time { return time.Date(2026, 3, 1, 13, 0, 0, 123456789, time.FixedZone("CET", 3600)) }
	})
	request, err := h.sp.StartLogin(t.Context(), saml.LoginOptions{})
	if err != nil {
		t.Fatal(err)
	}
	names, values := parameters(t, request.URL)
	if !slices.Equal(names, []string{"SAMLRequest"}) || !strings.HasPrefix(request.URL, h.idp.LoginURL()+"?") ||
		len(request.URL) > 1024 {
		t.Errorf("got %s", request.URL)
	}
	want := `<samlp:AuthnRequest xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="` + request.ID +
		`" Version="2.0" IssueInstant="2026-03-01T12:00:00.123Z" Destination="` + h.idp.LoginURL() +
		`" AssertionConsumerServiceURL="` + redirectURL +
		`" ProtocolBinding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"><saml:Issuer>` + redirectURL +
		`</saml:Issuer></samlp:AuthnRequest>`
	if got := inflate(t, values.Get("SAMLRequest")); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if !regexp.MustCompile(`^_[0-9a-f]{32}$`).MatchString(request.ID) {
		t.Errorf("ID %q", request.ID)
	}
}

func TestRequestOptions(t *testing.T) {
	h := newHouse(t, func(c *saml.Config) { c.RequestedAuthnContexts = []string{"urn:a", "urn:b&c"} })
	request, err := h.sp.StartLogin(t.Context(), saml.LoginOptions{ForceAuthn: true, IsPassive: true,
		LoginHint: "a+b&c=d@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	names, values := parameters(t, request.URL)
	if !slices.Equal(names, []string{"SAMLRequest", "login_hint"}) ||
		values.Get("login_hint") != "a+b&c=d@example.com" {
		t.Errorf("got %v, %q", names, values)
	}
	document := inflate(t, values.Get("SAMLRequest"))
	for _, part := range []string{` ForceAuthn="true"`, ` IsPassive="true"`,
		`<samlp:RequestedAuthnContext Comparison="exact"><saml:AuthnContextClassRef>urn:a</saml:AuthnContextClassRef><saml:AuthnContextClassRef>urn:b&amp;c</saml:AuthnContextClassRef></samlp:RequestedAuthnContext>`} {
		if !strings.Contains(document, part) {
			t.Errorf("%s is not in %s", part, document)
		}
	}
	other, err := h.sp.StartLogin(t.Context(), saml.LoginOptions{})
	if err != nil || other.ID == request.ID || other.State == request.State {
		t.Errorf("two requests are alike: %v", err)
	}
	for name, o := range map[string]saml.LoginOptions{"another host": {ReturnTo: "//evil.example"},
		"a scheme": {ReturnTo: "https://evil.example"}, "no path": {ReturnTo: "jobs"}} {
		if _, err := h.sp.StartLogin(t.Context(), o); !errors.Is(err, saml.CodeConfig) {
			t.Errorf("ReturnTo with %s: got %v, want %s", name, err, string(saml.CodeConfig))
		}
	}
}

// TestLoginURLWithAQuery keeps it: some identity providers have one.
func TestLoginURLWithAQuery(t *testing.T) {
	idp, err := saml.NewIdentityProvider("https://idp.example.com", "https://idp.example.com/sso?app=1&x=%2F",
		trustedKey(t))
	if err != nil {
		t.Fatal(err)
	}
	sp := newProvider(t, samltest.MustNew(t, samltest.Options{}), func(c *saml.Config) { c.IdentityProvider = idp })
	request, err := sp.StartLogin(t.Context(), saml.LoginOptions{})
	if err != nil || !strings.HasPrefix(request.URL, "https://idp.example.com/sso?app=1&x=%2F&SAMLRequest=") {
		t.Errorf("got %+v, %v", request, err)
	}
}

func trustedKey(t *testing.T) saml.TrustedKey {
	t.Helper()
	_, der := signingKey(t)
	keys, err := saml.ParseKeys(der)
	if err != nil {
		t.Fatal(err)
	}
	return keys[0]
}

// TestSignedRequestURL: the signature is over the very bytes that are sent, without what comes
// behind them.
func TestSignedRequestURL(t *testing.T) {
	key, der := signingKey(t)
	h := newHouse(t, func(c *saml.Config) { c.SigningKey, c.SigningCertificate = key, der })
	request, err := h.sp.StartLogin(t.Context(), saml.LoginOptions{LoginHint: "alice@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	names, values := parameters(t, request.URL)
	if !slices.Equal(names, []string{"SAMLRequest", "SigAlg", "Signature", "login_hint"}) ||
		values.Get("SigAlg") != "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256" {
		t.Fatalf("got %v, %s", names, values.Get("SigAlg"))
	}
	_, query, _ := strings.Cut(request.URL, "?")
	signed, _, _ := strings.Cut(query, "&Signature=")
	signature, err := base64.StdEncoding.DecodeString(values.Get("Signature"))
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte(signed))
	if err := rsa.VerifyPKCS1v15(key.Public().(*rsa.PublicKey), crypto.SHA256, digest[:], signature); err != nil {
		t.Error(err)
	}
}

// TestSignedRequestForm is judged by xmlsec1.
func TestSignedRequestForm(t *testing.T) {
	xmlsec1 := needTool(t, "xmlsec1", "xmlsec1")
	key, der := signingKey(t)
	h := newHouse(t, func(c *saml.Config) { c.SigningKey, c.SigningCertificate = key, der })
	request, err := h.sp.StartLogin(t.Context(), saml.LoginOptions{POST: true})
	if err != nil {
		t.Fatal(err)
	}
	if request.URL != "" || request.Form.Action != h.idp.LoginURL() {
		t.Errorf("got URL %q, action %q", request.URL, request.Form.Action)
	}
	document, err := base64.StdEncoding.DecodeString(request.Form.SAMLRequest)
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`</saml:Issuer><ds:Signature`).Match(document) {
		t.Errorf("the Signature does not follow the Issuer: %s", document)
	}
	dir := t.TempDir()
	file, certificate := filepath.Join(dir, "request.xml"), filepath.Join(dir, "sp.crt")
	for name, data := range map[string][]byte{file: document,
		certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	verify := func() ([]byte, error) {
		return exec.CommandContext(t.Context(), xmlsec1, "--verify", "--id-attr:ID",
			"urn:oasis:names:tc:SAML:2.0:protocol:AuthnRequest", "--enabled-key-data", "rsa",
			"--pubkey-cert-pem", certificate, file).CombinedOutput()
	}
	if out, err := verify(); err != nil {
		t.Errorf("xmlsec1: %v\n%s", err, out)
	}
	if err := os.WriteFile(file, bytes.Replace(document, []byte(redirectURL), []byte("https://evil.example/"), 1),
		0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := verify(); err == nil {
		t.Errorf("xmlsec1 verifies a changed request: %s", out)
	}
}

// TestRequestPageShowsNothingElse: the page that posts the form sends no cookie and no script
// elsewhere, and escapes what it carries.
func TestRequestPageShowsNothingElse(t *testing.T) {
	page := httptest.NewRecorder()
	form := &saml.RequestForm{Action: `https://idp.example.com/sso?a="><script>`, SAMLRequest: `"><script>`}
	form.ServeHTTP(page, httptest.NewRequest("GET", "/", nil))
	if body := page.Body.String(); strings.Count(body, "<script") != 1 || strings.Contains(body, `"><script>`) {
		t.Errorf("got %s", body)
	}
	policy := page.Header().Get("Content-Security-Policy")
	nonce := regexp.MustCompile(`'nonce-([^']+)'`).FindStringSubmatch(policy)
	if nonce == nil || !strings.Contains(page.Body.String(), `<script nonce="`+nonce[1]+`">`) ||
		strings.Contains(policy, "form-action") || strings.Contains(policy, "unsafe") {
		t.Errorf("policy %q", policy)
	}
	if page.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", page.Header())
	}
}

// TestOurMetadata is what an identity provider that takes a file needs, valid by the schema's
// order, and read by crewjam/saml.
func TestOurMetadata(t *testing.T) {
	key, der := signingKey(t)
	h := newHouse(t, func(c *saml.Config) { c.SigningKey, c.SigningCertificate = key, der })
	document, err := h.sp.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	var read crewjam.EntityDescriptor
	if err := xml.Unmarshal(document, &read); err != nil {
		t.Fatal(err)
	}
	role := read.SPSSODescriptors[0]
	if read.EntityID != redirectURL || len(role.AssertionConsumerServices) != 1 ||
		role.AssertionConsumerServices[0].Location != redirectURL ||
		role.AssertionConsumerServices[0].Binding != crewjam.HTTPPostBinding || !*role.WantAssertionsSigned ||
		!*role.AuthnRequestsSigned ||
		role.KeyDescriptors[0].KeyInfo.X509Data.X509Certificates[0].Data != base64.StdEncoding.EncodeToString(der) {
		t.Errorf("got %s", document)
	}
	if _, err := saml.ParseMetadata(document); !errors.Is(err, saml.CodeMetadataRole) {
		t.Errorf("given to ourselves as an identity provider: %v", err)
	}
}

// TestTimesThatWeSend reads the times in everything that we send as they are written: the moment of
// the request in UTC, and for the metadata how long it may be kept (SAML Metadata 2.0 §2.3.2), but
// no end. A Go time that is not set would be the year 1: ended long ago.
func TestTimesThatWeSend(t *testing.T) {
	now := time.Date(2026, 3, 1, 13, 0, 0, 123999999, time.FixedZone("CET", 3600))
	key, der := signingKey(t)
	settings := map[string]func(*saml.Config){
		"the least": func(*saml.Config) {},
		"everything": func(c *saml.Config) {
			c.SigningKey, c.SigningCertificate, c.RequestedAuthnContexts = key, der, []string{"urn:a"}
			c.DecryptionKeys = []saml.DecryptionKey{{Key: key.(crypto.Decrypter), Certificate: der}}
		},
	}
	timed := regexp.MustCompile(`(?i)^(IssueInstant|validUntil|cacheDuration|NotBefore|NotOnOrAfter|AuthnInstant|SessionNotOnOrAfter|.*date.*|.*time.*)$`)
	for name, set := range settings {
		h := newHouse(t, func(c *saml.Config) { set(c); c.Now = func() time.Time { return now } })
		metadata, err := h.sp.Metadata()
		if err != nil {
			t.Fatal(err)
		}
		redirect, err := h.sp.StartLogin(t.Context(), saml.LoginOptions{ForceAuthn: true})
		if err != nil {
			t.Fatal(err)
		}
		_, values := parameters(t, redirect.URL)
		form, err := h.sp.StartLogin(t.Context(), saml.LoginOptions{POST: true})
		if err != nil {
			t.Fatal(err)
		}
		posted, err := base64.StdEncoding.DecodeString(form.Form.SAMLRequest)
		if err != nil {
			t.Fatal(err)
		}
		for _, sent := range []struct{ what, document, want string }{
			{"metadata", string(metadata), "cacheDuration=PT24H"},
			{"request in the address", inflate(t, values.Get("SAMLRequest")), "IssueInstant=2026-03-01T12:00:00.123Z"},
			{"request in the form", string(posted), "IssueInstant=2026-03-01T12:00:00.123Z"},
		} {
			doc := etree.NewDocument()
			if err := doc.ReadFromString(sent.document); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range doc.FindElements("//*") {
				for _, a := range e.Attr {
					if timed.MatchString(a.Key) {
						got = append(got, a.Key+"="+a.Value)
					}
				}
			}
			if strings.Join(got, " ") != sent.want || strings.Contains(sent.document, "0001-01-01") {
				t.Errorf("%s, %s: got %q, want %s alone in\n%s", name, sent.what, got, sent.want, sent.document)
			}
		}
	}
}

// TestOurEncryptionKeys: those with a certificate are in our metadata, in their order, with what
// they can be used for.
func TestOurEncryptionKeys(t *testing.T) {
	newKey, newDER := signingKey(t)
	oldKey, oldDER := signingKey(t)
	h := newHouse(t, func(c *saml.Config) {
		decrypter := func(k crypto.Signer) crypto.Decrypter { return k.(crypto.Decrypter) }
		c.DecryptionKeys = []saml.DecryptionKey{{Key: decrypter(newKey), Certificate: newDER},
			{Key: decrypter(newKey)}, {Key: decrypter(oldKey), Certificate: oldDER}}
	})
	document, err := h.sp.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	var read crewjam.EntityDescriptor
	if err := xml.Unmarshal(document, &read); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, k := range read.SPSSODescriptors[0].KeyDescriptors {
		if k.Use != "encryption" || len(k.EncryptionMethods) == 0 {
			t.Errorf("got %+v, want a key for encryption with its methods", k)
		}
		got = append(got, k.KeyInfo.X509Data.X509Certificates[0].Data)
	}
	if want := []string{base64.StdEncoding.EncodeToString(newDER),
		base64.StdEncoding.EncodeToString(oldDER)}; !slices.Equal(got, want) {
		t.Errorf("got certificates %q, want %q", got, want)
	}
}

// TestPinnedMetadata: with SignedBy only what a pinned key signed is read.
func TestPinnedMetadata(t *testing.T) {
	idp, stranger := samltest.MustNew(t, samltest.Options{}), samltest.MustNew(t, samltest.Options{})
	document, err := idp.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	pin := func(p *samltest.IdentityProvider) saml.ParseMetadataOptions {
		keys, err := saml.ParseKeys(p.CertificatePEM())
		if err != nil {
			t.Fatal(err)
		}
		return saml.ParseMetadataOptions{SignedBy: keys}
	}
	if provider, err := saml.ParseMetadata(document, pin(idp)); err != nil || provider.EntityID() != idp.EntityID() ||
		len(provider.Warnings(time.Now())) != 0 {
		t.Errorf("signed by the pinned key: %v, %v", provider, err)
	}
	start, end := bytes.Index(document, []byte("<Signature")), bytes.Index(document,
		[]byte("</Signature>"))+len("</Signature>")
	unsigned := slices.Concat(document[:start], document[end:])
	changed := bytes.ReplaceAll(document, []byte(idp.LoginURL()), []byte("https://evil.example/saml2"))
	for _, test := range []struct {
		name     string
		document []byte
		pin      *samltest.IdentityProvider
		want     saml.Code
	}{
		{"by another key", document, stranger, saml.CodeSignature},
		{"unsigned", unsigned, idp, saml.CodeUnsigned},
		{"changed", changed, idp, saml.CodeDigest},
	} {
		if provider, err := saml.ParseMetadata(test.document, pin(test.pin)); !errors.Is(err, test.want) ||
			provider != nil {
			t.Errorf("%s: got %v, want %s", test.name, err, string(test.want))
		}
	}
	provider, err := saml.ParseMetadata(changed)
	if err != nil || len(provider.Warnings(time.Now())) != 1 ||
		provider.Warnings(time.Now())[0].Code != "signature_broken" {
		t.Errorf("changed, not pinned: got %v, want a warning", err)
	}
	if provider, err := saml.ParseMetadata(unsigned); err != nil || len(provider.Warnings(time.Now())) != 0 {
		t.Errorf("unsigned, not pinned: %v", err)
	}
}

// needTool gives the path of a program that Debian has in a package.
func needTool(t *testing.T, program, debianPackage string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err == nil {
		return path
	}
	if os.Getenv("SAML_TEST_REQUIRE") == "all" {
		t.Fatalf("%s is not installed (Debian package %s)", program, debianPackage)
	}
	t.Skipf("%s is not installed (Debian package %s)", program, debianPackage)
	return ""
}

// TestPinnedAggregate: in a collection that a federation signed the identity provider's own
// signature counts as well, and one of them is enough.
func TestPinnedAggregate(t *testing.T) {
	t.Parallel()
	idp, stranger := samltest.MustNew(t, samltest.Options{}), samltest.MustNew(t, samltest.Options{})
	document, err := idp.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	entity := string(document[bytes.Index(document, []byte("<EntityDescriptor")):])
	key, certificate := signingKey(t)
	doc := etree.NewDocument()
	if err := doc.ReadFromString(`<EntitiesDescriptor ID="_all" xmlns="urn:oasis:names:tc:SAML:2.0:metadata">` +
		entity + `</EntitiesDescriptor>`); err != nil {
		t.Fatal(err)
	}
	context, err := dsig.NewSigningContext(key, [][]byte{certificate})
	if err != nil {
		t.Fatal(err)
	}
	context.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	signed, err := context.SignEnveloped(doc.Root())
	if err != nil {
		t.Fatal(err)
	}
	doc.SetRoot(signed)
	aggregate, err := doc.WriteToBytes()
	if err != nil {
		t.Fatal(err)
	}
	for name, pinned := range map[string][]byte{"the federation": certificate,
		"the identity provider": idp.Certificates()[0], "a stranger": stranger.Certificates()[0]} {
		keys, err := saml.ParseKeys(pinned)
		if err != nil {
			t.Fatal(err)
		}
		provider, err := saml.ParseMetadata(aggregate, saml.ParseMetadataOptions{SignedBy: keys})
		if name == "a stranger" {
			if !errors.Is(err, saml.CodeSignature) || provider != nil {
				t.Errorf("signed by %s: got %v, want %s", name, err, string(saml.CodeSignature))
			}
		} else if err != nil || provider.EntityID() != idp.EntityID() {
			t.Errorf("signed by %s: %v", name, err)
		}
	}
}

// TestSilentLogin: IsPassive is in the request of either binding. Whoever is signed in at the
// identity provider is signed in here; otherwise the refusal is of its own kind, so that the
// application can begin a login that asks.
func TestSilentLogin(t *testing.T) {
	idp := samltest.MustNew(t, samltest.Options{})
	server := httptest.NewServer(idp)
	defer server.Close()
	idp.SetBaseURL(server.URL)
	idp.Register(samltest.Application{Identifier: redirectURL, ReplyURLs: []string{redirectURL}})
	sp := newProvider(t, idp, nil)
	login := func(o saml.LoginOptions) (*saml.Login, error) {
		t.Helper()
		request, err := sp.StartLogin(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		response, err := send(request)
		if err != nil {
			t.Fatal(err)
		}
		form, err := samltest.ReadForm(response)
		if err != nil {
			t.Fatal(err)
		}
		return sp.FinishLogin(t.Context(), saml.FormResponse{SAMLResponse: form.Values.Get("SAMLResponse"), State: request.State})
	}
	silent := []saml.LoginOptions{{IsPassive: true}, {IsPassive: true, POST: true}, {IsPassive: true, ForceAuthn: true}}
	for _, o := range silent {
		got, err := login(o)
		var e *saml.Error
		if !errors.As(err, &e) || e.Code != saml.CodeNoPassive || !strings.Contains(e.Message, "NoPassive") || e.Check != "status" ||
			!strings.Contains(e.Hint, "without LoginOptions.IsPassive") || e.Page().Button != "Sign in" || got != nil {
			t.Errorf("%+v, nobody is signed in there: got %v, want %s with a hint", o, err, string(saml.CodeNoPassive))
		}
	}
	idp.SignInAs(samltest.DefaultUsers()[0])
	for _, o := range silent {
		if got, err := login(o); err != nil || got.Identity.Email != samltest.DefaultUsers()[0].Mail {
			t.Errorf("%+v, somebody is signed in there: got %v, %v", o, got, err)
		}
	}
}

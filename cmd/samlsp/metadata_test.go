package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/internal/proxytest"
	"github.com/iomete/saml/samltest"
)

func TestMetadata(t *testing.T) {
	t.Parallel()
	idp := newIDP(t, samltest.Options{})
	r := samlsp(t, "metadata", metadataOf(t, idp))
	if r.code != exitOK || r.stderr != "" {
		t.Fatalf("got %+v", r)
	}
	keys, err := saml.ParseKeys(idp.CertificatePEM())
	if err != nil {
		t.Fatal(err)
	}
	hasRow(t, r.stdout, "Entity ID", idp.EntityID())
	hasRow(t, r.stdout, "Login URL", idp.LoginURL())
	hasRow(t, r.stdout, "Logout URL", idp.LogoutURL())
	hasRow(t, r.stdout, "Certificate 1", "CN=Microsoft Azure Federated SSO Certificate")
	hasRow(t, r.stdout, "Thumbprint SHA-1", keys[0].ThumbprintSHA1())
	hasRow(t, r.stdout, "Thumbprint SHA-256", keys[0].ThumbprintSHA256())
	hasRow(t, r.stdout, "Usable", "yes")
}

// TestMetadataWarnings: what is wrong with a file that can be used stands behind what it says.
func TestMetadataWarnings(t *testing.T) {
	t.Parallel()
	r := samlsp(t, "metadata", fixture(t, "metadata/entra-6.xml"))
	if r.code != exitOK {
		t.Fatalf("got %+v", r)
	}
	contains(t, r.stdout, "\nWarning ", "changed after it was signed", "download it again")
}

func TestMetadataUnusableKey(t *testing.T) {
	t.Parallel()
	certificate, err := os.ReadFile(fixture(t, "responses/adfs-6.crt")) // RSA with 1024 bits
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(certificate)
	other := newIDP(t, samltest.Options{})
	r := samlsp(t, "metadata",
		tempFile(t, "weak.xml", []byte(idpMetadata("https://idp.example.com", block.Bytes, other.Certificates()[0]))))
	if r.code != exitOK {
		t.Fatalf("got %+v", r)
	}
	contains(t, r.stdout, "no: the RSA key has an unusable length, got \"1024 bits\", want 2048 to 8192 bits. ")
	hasRow(t, r.stdout, "Usable", "yes")
}

// idpMetadata is the least that an identity provider's metadata holds.
func idpMetadata(entityID string, certificates ...[]byte) string {
	var keys strings.Builder
	for _, der := range certificates {
		block := string(pem.EncodeToMemory(&pem.Block{Type: "X", Bytes: der}))
		text := strings.TrimSuffix(strings.TrimPrefix(block, "-----BEGIN X-----\n"), "-----END X-----\n")
		keys.WriteString(`<KeyDescriptor><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>` + text + `</X509Certificate></X509Data></KeyInfo></KeyDescriptor>`)
	}
	return `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="` + entityID + `">` +
		`<IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">` + keys.String() +
		`<SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.example.com/sso"/></IDPSSODescriptor></EntityDescriptor>`
}

func TestMetadataJSON(t *testing.T) {
	t.Parallel()
	idp := newIDP(t, samltest.Options{})
	r := samlsp(t, "metadata", "-json", metadataOf(t, idp))
	if r.code != exitOK || r.stderr != "" || strings.Count(r.stdout, "\n") != 1 {
		t.Fatalf("got %+v", r)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(r.stdout), &got); err != nil {
		t.Fatal(err)
	}
	hasKeys(t, got, "entity_id", "login_url", "logout_url", "logout_services", "certificates", "valid_until", "warnings")
	if got["entity_id"] != idp.EntityID() || got["login_url"] != idp.LoginURL() ||
		got["logout_url"] != idp.LogoutURL() || got["valid_until"] != nil {
		t.Errorf("got %v", got)
	}
	certificate := got["certificates"].([]any)[0].(map[string]any)
	hasKeys(t, certificate, "sha256", "subject", "not_before", "not_after")
	keys, err := saml.ParseKeys(idp.CertificatePEM())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"sha256": strings.ToLower(keys[0].ThumbprintSHA256()), "subject": keys[0].Subject(),
		"not_before": keys[0].NotBefore().Format(time.RFC3339), "not_after": keys[0].NotAfter().Format(time.RFC3339)}
	if !maps.Equal(certificate, want) {
		t.Errorf("got certificate %v, want %v", certificate, want)
	}
	if warnings := got["warnings"].([]any); len(warnings) != 0 {
		t.Errorf("got warnings %v, want an empty list", warnings)
	}
}

func hasKeys(t *testing.T, object map[string]any, want ...string) {
	t.Helper()
	got := slices.Sorted(maps.Keys(object))
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got keys %v, want %v", got, want)
	}
}

func TestMetadataJSONWarningsAndValidUntil(t *testing.T) {
	t.Parallel()
	idp := newIDP(t, samltest.Options{})
	document := strings.Replace(idpMetadata("https://idp.example.com", idp.Certificates()...), " entityID=",
		` validUntil="2020-01-02T03:04:05Z" entityID=`, 1)
	r := samlspWith(t, strings.NewReader(document), "metadata", "-json", "-")
	var got struct {
		ValidUntil string `json:"valid_until"`
		Warnings   []map[string]any
	}
	if err := json.Unmarshal([]byte(r.stdout), &got); err != nil {
		t.Fatalf("%v: %+v", err, r)
	}
	if got.ValidUntil != "2020-01-02T03:04:05Z" || len(got.Warnings) != 1 ||
		got.Warnings[0]["code"] != "valid_until_past" {
		t.Fatalf("got %+v", got)
	}
	hasKeys(t, got.Warnings[0], "code", "message", "hint")
}

// TestRealMetadataJSON holds the output against what other tools read in the same documents.
func TestRealMetadataJSON(t *testing.T) {
	t.Parallel()
	descriptions, err := filepath.Glob(fixture(t, "metadata/*.json"))
	if err != nil || len(descriptions) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	read := 0
	for _, name := range descriptions {
		var want struct {
			EntityIDs []string
			IdPs      []struct {
				Keys []struct{ SHA256, Use string }
			}
		}
		readJSON(t, name, &want)
		r := samlsp(t, "metadata", "-json", strings.TrimSuffix(name, ".json")+".xml")
		if r.code != exitOK {
			r.failed(t, exitRefused)
			continue
		}
		read++
		var got metadataJSON
		if err := json.Unmarshal([]byte(r.stdout), &got); err != nil {
			t.Fatal(err)
		}
		if got.EntityID != want.EntityIDs[0] || len(got.Certificates) == 0 {
			t.Errorf("%s: got %+v", name, got)
		}
		for _, c := range got.Certificates {
			if !slices.ContainsFunc(want.IdPs[0].Keys,
				func(k struct{ SHA256, Use string }) bool { return k.SHA256 == c.SHA256 && k.Use != "encryption" }) {
				t.Errorf("%s: got certificate %s, which is not there", name, c.SHA256)
			}
		}
	}
	if read < 30 {
		t.Errorf("%d of %d documents were read", read, len(descriptions))
	}
}

func readJSON(t *testing.T, name string, v any) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err == nil {
		err = json.Unmarshal(data, v)
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

func TestMetadataThatIsNone(t *testing.T) {
	t.Parallel()
	idp := newIDP(t, samltest.Options{})
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	privateKey, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	aggregate := `<EntitiesDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata">` +
		idpMetadata("https://one.example.com", idp.Certificates()...) +
		idpMetadata("https://two.example.com", idp.Certificates()...) + `</EntitiesDescriptor>`
	const download = "upload that file unchanged"
	for _, c := range []struct {
		what, data string
		words      []string
	}{
		{"garbage", "lorem ipsum", []string{"this is not XML", download}},
		{"binary garbage", "\x00\x01\x02\xfe", []string{"this is not XML", download}},
		{"a terminal's control characters", "<a\x1b[31m>", []string{download}},
		{"an HTML login page", "<!DOCTYPE html>\n<html><body>Sign in to your account</body></html>",
			[]string{"web page", "sign-in page", download}},
		{"a certificate", string(idp.CertificatePEM()), []string{"this is a certificate, not metadata", download}},
		{"a certificate in DER", string(idp.Certificates()[0]), []string{"this is a certificate, not metadata",
			download}},
		{"a private key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: privateKey})),
			[]string{"this is a private key", "replace it"}},
		{"a service's metadata", serviceMetadata(t),
			[]string{"not that of an identity provider", "Take the metadata of the identity provider"}},
		{"an aggregate", aggregate, []string{"collection of entities", "https://one.example.com",
			"https://two.example.com", "-entity-id ID"}},
		{"a SAML response", "<Response xmlns='urn:oasis:names:tc:SAML:2.0:protocol'/>",
			[]string{"not SAML metadata", `"Response"`, download}},
		{"an empty file", "", []string{"the file is empty", download}},
		{"white space", " \n\n", []string{"the file is empty", download}},
		{"a cut-off file", idpMetadata("https://idp.example.com", idp.Certificates()...)[:400], []string{download}},
		{"JSON", `{"issuer": "https://idp.example.com"}`, []string{"this is JSON", download}},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			name := tempFile(t, "file", []byte(c.data))
			words := append(c.words, "samlsp metadata: "+name+": ")
			samlsp(t, "metadata", name).failed(t, exitRefused, words...)
			samlsp(t, "metadata", "-json", name).failed(t, exitRefused, words...)
		})
	}
	r := samlspWith(t, strings.NewReader(aggregate), "metadata", "-entity-id", "https://two.example.com", "-")
	hasRow(t, r.stdout, "Entity ID", "https://two.example.com")
}

// serviceMetadata is the metadata of a service, without the role of an identity provider.
func serviceMetadata(t *testing.T) string {
	t.Helper()
	document, err := newServiceProvider(t, newIDP(t, samltest.Options{})).Metadata()
	if err != nil {
		t.Fatal(err)
	}
	return string(document)
}

func newServiceProvider(t *testing.T, idp *samltest.IdentityProvider) *saml.ServiceProvider {
	t.Helper()
	document, err := idp.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	provider, err := saml.ParseMetadata(document)
	if err != nil {
		t.Fatal(err)
	}
	sp, err := saml.New(saml.Config{BaseURL: "https://console.example.com", IdentityProvider: provider,
		StateKeys: [][]byte{saml.NewStateKey()}, Store: saml.NewMemoryStore()})
	if err != nil {
		t.Fatal(err)
	}
	return sp
}

func TestMetadataThatCannotBeRead(t *testing.T) {
	t.Parallel()
	big := tempFile(t, "big.xml", nil)
	if err := os.Truncate(big, 20<<20); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what, name string
		words      []string
	}{
		{"a file of 20 MB", big, []string{"more than 4 MiB", "not the metadata of one identity provider",
			"Federation Metadata XML"}},
		{"a file that is not there", "absent.xml", []string{"absent.xml", "no such file", "name of a file"}},
		{"a directory", t.TempDir(), []string{"directory", "name of a file"}},
		{"an http address", "http://idp.example.com/metadata", []string{"no address that metadata is fetched from",
			"https://host/path"}},
		{"another scheme", "file:///etc/passwd", []string{"no address that metadata is fetched from"}},
		{"an address without host", "https:///metadata", []string{"no address that metadata is fetched from"}},
		{"an address that is none", "https://idp example com/", []string{"no address that metadata is fetched from"}},
		{"a name that writes to the terminal", "a\x1b[31m\nb", []string{`a\x1b[31m\nb`}},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			samlsp(t, "metadata", c.name).failed(t, exitRefused, c.words...)
		})
	}
	samlsp(t, "metadata").failed(t, exitUsage, "one file")
	samlsp(t, "metadata", "a", "b").failed(t, exitUsage, "one file")
	samlsp(t, "metadata", "a", "-json").failed(t, exitUsage, "options come first")
}

// endless counts what is read of it.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	e.read += len(p)
	return len(p), nil
}

// TestLargeInputIsNotReadOn: whatever the size, at most one byte beyond the limit is read.
func TestLargeInputIsNotReadOn(t *testing.T) {
	t.Parallel()
	var input endless
	samlspWith(t, &input, "metadata", "-").failed(t, exitRefused, "more than 4 MiB")
	if input.read > 4<<20+1 {
		t.Errorf("%d bytes were read", input.read)
	}
	input.read = 0
	samlspWith(t, &input, "decode", "-").failed(t, exitRefused, "more than 64 MiB")
	if input.read > 64<<20+1 {
		t.Errorf("%d bytes were read", input.read)
	}
}

func TestMetadataByAddress(t *testing.T) {
	t.Parallel()
	idp := newIDP(t, samltest.Options{})
	document, err := idp.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	mux.HandleFunc("/metadata", func(w http.ResponseWriter, r *http.Request) { w.Write(document) })
	mux.HandleFunc("/moved",
		func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/metadata", http.StatusFound) })
	mux.HandleFunc("/elsewhere", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://idp.example.com/", http.StatusFound)
	})
	mux.HandleFunc("/file", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
	})
	mux.HandleFunc("/https", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://127.0.0.1:1/", http.StatusFound)
	})
	mux.HandleFunc("/loop", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/loop",
			http.StatusFound)
	})
	mux.HandleFunc("/signin",
		func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "<html><title>Sign in</title></html>") })
	mux.HandleFunc("/endless", func(w http.ResponseWriter, r *http.Request) {
		for block := make([]byte, 1<<16); ; {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})
	for _, path := range []string{"/metadata", "/moved"} {
		if r := samlsp(t, "metadata", server.URL+path); r.code != exitOK ||
			!strings.Contains(r.stdout, idp.EntityID()) {
			t.Errorf("%s: got %+v", path, r)
		}
	}
	for path, words := range map[string][]string{
		"/absent":    {"404", "Compare the address"},
		"/elsewhere": {"http://idp.example.com/", "redirects", "not followed"},
		"/file":      {"file:///etc/passwd", "redirects", "not followed"},
		"/https":     {"https://127.0.0.1:1/", "redirects", "not followed"},
		"/loop":      {"too often"},
		"/signin":    {"web page"},
		"/endless":   {"more than 4 MiB"},
	} {
		samlsp(t, "metadata", server.URL+path).failed(t, exitRefused, words...)
	}
	dead := httptest.NewServer(mux)
	dead.Close()
	samlsp(t, "metadata", dead.URL).failed(t, exitRefused, "refuses the connection", "Compare the address")
}

// TestMetadataByProxy: the address is asked through the proxy and under the authority that the flags
// name, and what is wrong is said in the words of the flags.
func TestMetadataByProxy(t *testing.T) {
	t.Parallel()
	idp := newIDP(t, samltest.Options{})
	document, err := idp.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	site := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write(document) }))
	t.Cleanup(site.Close)
	// which the certificate of httptest is for
	proxy := (&proxytest.Proxy{Names: map[string]string{"example.com:443": site.Listener.Addr().String()}}).Start(t, nil)
	ca := tempFile(t, "ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: site.Certificate().Raw}))
	if r := samlsp(t, "metadata", "-proxy", proxy.URL, "-ca", ca, "https://example.com/metadata"); r.code != exitOK ||
		!strings.Contains(r.stdout, idp.EntityID()) {
		t.Errorf("by the proxy: got %+v", r)
	}
	if r := samlsp(t, "metadata", "-ca", ca, site.URL); r.code != exitOK {
		t.Errorf("with the authority alone: got %+v", r)
	}
	samlsp(t, "metadata", site.URL).failed(t, exitRefused, "certificate is not trusted", "samlsp metadata -ca")
	samlsp(t, "metadata", "https://no-such-host.invalid/").failed(t, exitRefused, "no server of this name", "samlsp metadata -proxy")
	samlsp(t, "metadata", "-proxy", proxy.URL, "https://no-such-host.invalid/").failed(t, exitRefused, "the proxy refuses", "502")
	samlsp(t, "metadata", "-proxy", "proxy.example.com", "https://no-such-host.invalid/").failed(t, exitRefused, "samlsp metadata -proxy is not the address of a proxy")
	samlsp(t, "metadata", "-ca", "absent.pem", site.URL).failed(t, exitUsage, "absent.pem", "no such file")
	samlsp(t, "metadata", "-ca", tempFile(t, "empty.pem", nil), site.URL).failed(t, exitUsage, "no certificate")
}

func TestLifeOfACertificate(t *testing.T) {
	t.Parallel()
	idp := newIDP(t, samltest.Options{})
	keys, err := saml.ParseKeys(idp.CertificatePEM())
	if err != nil {
		t.Fatal(err)
	}
	key, day := keys[0], 24*time.Hour
	for _, c := range []struct {
		now  time.Time
		want string
	}{
		{key.NotBefore().Add(-3 * day), "begins in 3 days"},
		{key.NotBefore(), fmt.Sprintf("%d days left", int(key.NotAfter().Sub(key.NotBefore())/day))},
		{key.NotAfter().Add(-day), "1 day left"},
		{key.NotAfter().Add(-time.Hour), "0 days left"},
		{key.NotAfter().Add(10 * day), "ended 10 days ago"},
		{key.NotAfter().AddDate(400, 0, 0), "ended 146097 days ago"},
	} {
		if got := life(key, c.now); got != c.want {
			t.Errorf("at %s: got %q, want %q", c.now, got, c.want)
		}
	}
}

// TestNoProductIsNamedWithoutReason: a file that says nothing about its identity provider gets no
// words of one product.
func TestNoProductIsNamedWithoutReason(t *testing.T) {
	t.Parallel()
	big := tempFile(t, "big.xml", nil)
	if err := os.Truncate(big, 20<<20); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{big, tempFile(t, "empty", nil), tempFile(t, "json", []byte("{}")), tempFile(t, "text", []byte("hello"))} {
		r := samlsp(t, "metadata", name)
		r.failed(t, exitRefused, "metadata")
		if strings.Contains(r.stderr, "Entra") || strings.Contains(r.stderr, "SAML Certificates >") {
			t.Errorf("%s: got %s, want no product", name, r.stderr)
		}
	}
}

// TestMetadataLogout: each address for logout is shown with what it is for.
func TestMetadataLogout(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile(metadataOf(t, newIDP(t, samltest.Options{})))
	if err != nil {
		t.Fatal(err)
	}
	service := func(binding string) string {
		return `<SingleLogoutService Binding="urn:oasis:names:tc:SAML:2.0:bindings:` + binding +
			`" Location="https://idp.example.com/` + binding + `" ResponseLocation="https://idp.example.com/answers"/>`
	}
	file := filepath.Join(t.TempDir(), "metadata.xml")
	at := strings.Index(string(document), "<SingleLogoutService")
	text := string(document[:at]) + service("SOAP") + service("HTTP-POST") + string(document[at:])
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r := samlsp(t, "metadata", file)
	hasRow(t, r.stdout, "Logout URL, HTTP-POST", "https://idp.example.com/HTTP-POST")
	hasRow(t, r.stdout, "Logout URL, SOAP", "https://idp.example.com/SOAP")
	hasRow(t, r.stdout, "for LogoutResponses", "https://idp.example.com/answers")
	var got struct {
		Logout []struct {
			Binding, Location string
			Response          string `json:"response_location"`
		} `json:"logout_services"`
	}
	if err := json.Unmarshal([]byte(samlsp(t, "metadata", "-json", file).stdout), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Logout) != 3 || !strings.HasSuffix(got.Logout[0].Binding, ":HTTP-Redirect") || got.Logout[0].Response != "" ||
		got.Logout[1].Location != "https://idp.example.com/HTTP-POST" || got.Logout[2].Response != "https://idp.example.com/answers" {
		t.Errorf("got %+v", got)
	}
}

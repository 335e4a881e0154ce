package spid

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/session"
)

const (
	identityProvider = "https://idp.spid.example" // the suite's, where nothing answers
	levelTwo         = "https://www.spid.gov.it/SpidL2"
	deadline         = 3 * time.Minute // of one run, which takes some seconds
)

// A suite is the installed one, with the keys of its identity provider.
type suite struct {
	python  string
	command string
	dir     string // of this test
	env     []string
}

// absent ends a test that lacks a program.
func absent(t *testing.T, format string, arguments ...any) {
	t.Helper()
	if os.Getenv("SAML_TEST_REQUIRE") == "all" {
		t.Fatalf(format, arguments...)
	}
	t.Skipf(format, arguments...)
}

// cacheDir names the folder in which the suite stays between runs. Other requirements lie in
// another folder.
func cacheDir(t *testing.T) string {
	t.Helper()
	cache := os.Getenv("SAML_TEST_CACHE")
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		cache = filepath.Join(user, "iomete-saml")
	}
	requirements, err := os.ReadFile("requirements.txt")
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(cache, fmt.Sprintf("spid-%.6x", sha256.Sum256(requirements)))
}

// installing keeps the tests of this package from installing the suite at the same time.
var installing sync.Mutex

// install installs the suite for Debian's Python, once. An installation that was cut off has no
// mark and is made again.
func install(t *testing.T) *suite {
	t.Helper()
	for _, need := range []struct{ command, deb string }{{"/usr/bin/python3 -m venv --help", "python3-venv"},
		{"/usr/bin/python3 -m ensurepip --version", "python3-venv"}, {"xmlsec1 --version", "xmlsec1"}} {
		words := strings.Fields(need.command)
		if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
			absent(t, "%s fails: install the Debian package %s (%v %.200s)", need.command, need.deb, err, out)
		}
	}
	installing.Lock()
	defer installing.Unlock()
	dir := cacheDir(t)
	s := &suite{python: filepath.Join(dir, "bin", "python3"), command: filepath.Join(dir, "bin", "spid_sp_test")}
	mark := filepath.Join(dir, "installed")
	if _, err := os.Stat(mark); err == nil {
		return s
	}
	for _, command := range [][]string{{"/usr/bin/python3", "-m", "venv", "--clear", dir},
		{s.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation",
			"--require-hashes", "-r", "requirements.txt"}} {
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			absent(t, "spid-sp-test cannot be installed: %s: %v\n%s", strings.Join(command, " "), err, out)
		}
	}
	if err := os.WriteFile(mark, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return s
}

// A pair is a key and its certificate.
type pair struct {
	key         *rsa.PrivateKey
	certificate []byte // DER
}

func newPair(t *testing.T, name string) pair {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pair{key, certificate}
}

func writePEM(t *testing.T, file, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// newSuite gives the suite's identity provider keys of its own, since everybody has those that it
// comes with.
func newSuite(t *testing.T) *suite {
	t.Helper()
	s := install(t)
	s.dir = t.TempDir()
	idp := newPair(t, "the suite")
	key, err := x509.MarshalPKCS8PrivateKey(idp.key)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, filepath.Join(s.dir, "private.key"), "PRIVATE KEY", key)
	writePEM(t, filepath.Join(s.dir, "public.cert"), "CERTIFICATE", idp.certificate)
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	s.env = append(os.Environ(), "IDP_ENTITYID="+identityProvider, "IDP_CERT_PATH="+s.dir, "PYTHONPATH="+here,
		"PYTHONDONTWRITEBYTECODE=1", "REQUESTS_CA_BUNDLE="+filepath.Join(s.dir, "tls.pem"), "NO_PROXY=127.0.0.1")
	return s
}

// run runs a program of the suite and returns its output.
func (s *suite) run(t *testing.T, program string, arguments ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	command := exec.CommandContext(ctx, program, arguments...)
	command.Dir, command.Env = s.dir, s.env
	var stderr strings.Builder
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s\n%s", program, strings.Join(arguments, " "), err, out, stderr.String())
	}
	return out
}

// metadata returns what the suite publishes of its identity provider.
func (s *suite) metadata(t *testing.T) *saml.IdentityProvider {
	t.Helper()
	document := s.run(t, s.command, "--idp-metadata")
	p, err := saml.ParseMetadata(document)
	if err != nil {
		t.Fatalf("the suite's metadata: %v\n%s", err, document)
	}
	return p
}

// aroundNameID is white space that the suite's templates have around the user's name.
var aroundNameID = regexp.MustCompile(`\s+{{ *NameID *}}\s+`)

// templates copies the suite's responses, without white space around the NameID. With it we refuse
// every response for that one reason (see TestResponseAsDelivered), and the suite would show
// nothing else.
func (s *suite) templates(t *testing.T) string {
	t.Helper()
	from := strings.TrimSpace(string(s.run(t, s.python, "-c",
		"import spid_sp_test; print(spid_sp_test.BASE_DIR / 'responses' / 'templates')")))
	to := filepath.Join(s.dir, "templates")
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	changed := 0
	files, err := filepath.Glob(filepath.Join(to, "*.xml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		trimmed := aroundNameID.ReplaceAll(data, []byte("{{NameID}}"))
		if len(trimmed) != len(data) {
			changed++
		}
		if err := os.WriteFile(file, trimmed, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if changed == 0 {
		t.Fatal("no template of the suite has white space around the NameID any more: take them as they are")
	}
	return to + "/"
}

// A service is a small application that trusts the suite's identity provider, as README.md shows.
type service struct {
	server *httptest.Server

	mu       sync.Mutex
	last     string
	outcomes []string // of each response: "accepted" or our code
}

func newService(t *testing.T, s *suite) *service {
	t.Helper()
	v, own, quiet := &service{}, newPair(t, "the service"), slog.New(slog.DiscardHandler)
	mux := http.NewServeMux()
	v.server = httptest.NewUnstartedServer(mux)
	v.server.Config.ErrorLog = log.New(t.Output(), "", 0)
	v.server.StartTLS()
	t.Cleanup(v.server.Close)
	writePEM(t, filepath.Join(s.dir, "tls.pem"), "CERTIFICATE", v.server.Certificate().Raw)
	c := saml.Config{BaseURL: v.server.URL, IdentityProvider: s.metadata(t), StateKeys: [][]byte{saml.NewStateKey()},
		NameID: saml.AllowAnyNameID, SigningKey: own.key, SigningCertificate: own.certificate,
		RequestedAuthnContexts: []string{levelTwo}, Observe: v.observe, Logger: quiet}
	sp, err := saml.New(c)
	if err != nil {
		t.Fatal(err)
	}
	sessions, err := session.New(session.Config{Keys: c.StateKeys, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	handler := sp.Handler(sessions)
	mux.Handle(sp.RedirectPath(), v.recorded(handler))
	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		handler.StartLogin(oldRedirect{w}, r, sp, saml.LoginOptions{})
	})
	mux.HandleFunc("/metadata", func(w http.ResponseWriter, r *http.Request) {
		document, err := sp.Metadata()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/samlmetadata+xml")
		w.Write(document)
	})
	mux.Handle("/{$}", handler.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "signed in")
	})))
	return v
}

// oldRedirect answers with 302 instead of 303, which the suite does not know. To a GET they say the same.
type oldRedirect struct{ http.ResponseWriter }

func (w oldRedirect) WriteHeader(status int) {
	if status == http.StatusSeeOther {
		status = http.StatusFound
	}
	w.ResponseWriter.WriteHeader(status)
}

func (v *service) observe(_ context.Context, e saml.Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch e.Kind {
	case saml.LoginSucceeded:
		v.last = "accepted"
	case saml.LoginRefused:
		v.last = string(e.Err.Code)
	}
}

// recorded notes what became of each response that is verified, in order: the suite sends one after
// the other. The form that comes from the identity provider is not verified, only the second one.
func (v *service) recorded(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v.mu.Lock()
		v.last = ""
		v.mu.Unlock()
		handler.ServeHTTP(w, r)
		v.mu.Lock()
		defer v.mu.Unlock()
		if v.last != "" {
			v.outcomes = append(v.outcomes, v.last)
		}
	})
}

// A finding is one line of the suite's report.
type finding struct {
	ID     any    `json:"test_id"`
	Result string `json:"result"` // "success", "warning" or "failure"
	Test   string `json:"test"`
}

func (f finding) failed() bool { return f.Result == "failure" }

// report runs the suite against a service: its findings by category ("metadata_strict",
// "authnrequest_strict", "response").
func (s *suite) report(t *testing.T, v *service, arguments ...string) map[string][]finding {
	t.Helper()
	file := filepath.Join(s.dir, "report.json")
	s.run(t, s.command, append([]string{"--metadata-url", v.server.URL + "/metadata", "--authn-url", v.server.URL + "/login",
		"--debug", "CRITICAL", "--report_format", "json", "--report-output-file", file, "--exit-zero"}, arguments...)...)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var report struct {
		Test struct {
			SP map[string]map[string][]finding `json:"sp"`
		} `json:"test"`
	}
	if err := json.Unmarshal(data, &report); err != nil {
		t.Fatalf("the suite's report: %v\n%s", err, data)
	}
	found := map[string][]finding{}
	for category, classes := range report.Test.SP {
		for _, list := range classes {
			found[category] = append(found[category], list...)
		}
	}
	return found
}

// TestResponseAsDelivered: the suite's good response has white space around a NameID that is no
// e-mail address, and is refused for that. There the white space could be part of the name.
func TestResponseAsDelivered(t *testing.T) {
	t.Parallel()
	s := newSuite(t)
	v := newService(t, s)
	s.report(t, v, "--profile", "saml2-sp", "--authn-plugin", "browser.Browser", "--test-response", "--test-names", "1")
	if got, want := strings.Join(v.outcomes, " "), string(saml.CodeNameID); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

package e2e

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
	"github.com/iomete/saml/session"
)

// nginxConfig has no setting of a buffer or limit: those of nginx count. ingress-nginx has the same
// defaults. The order of the parameters is directory, port, upstream.
const nginxConfig = `daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/error.log warn; events {}
http {
	access_log off;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
	server {
		listen 127.0.0.1:%[2]s ssl; ssl_certificate %[1]s/certificate.pem; ssl_certificate_key %[1]s/key.pem;
		location / { proxy_pass %[3]s; proxy_set_header Host $http_host; proxy_set_header X-Forwarded-Proto https; }
	}
}
`

// startNginx starts an nginx in front of a service, and returns its address and its directory.
func startNginx(t *testing.T, upstream string) (address, dir string) {
	t.Helper()
	require(t, map[string]string{"nginx": "nginx-light"})
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	config := filepath.Join(dir, "nginx.conf")
	if err := errors.Join(
		os.WriteFile(filepath.Join(dir, "certificate.pem"), block("CERTIFICATE", certificate.Certificate[0]), 0o600),
		os.WriteFile(filepath.Join(dir, "key.pem"), block("PRIVATE KEY", key), 0o600),
		os.WriteFile(config, fmt.Appendf(nil, nginxConfig, dir, port, upstream), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	nginx := exec.Command("nginx", "-p", dir, "-e", filepath.Join(dir, "error.log"), "-c", config)
	nginx.Stderr = os.Stderr
	if err := startUntilEnd(t, nginx); err != nil {
		t.Fatal(err)
	}
	address = net.JoinHostPort("127.0.0.1", port)
	if err := until("nginx answers", func() (bool, error) {
		c, err := net.Dial("tcp", address)
		if err != nil {
			return false, err
		}
		return true, c.Close()
	}); err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "error.log")) // without it the error has to do
		t.Fatalf("%v\n%s", err, log)
	}
	return "https://" + address, dir
}

// A headerCount notes how much the library sets, beside what the application sets.
type headerCount struct {
	mu                sync.Mutex
	response, cookies int // the most in one response or request, in bytes
	where             string
}

// applicationHeaders are what a careful application sets on each page, about 1 KiB.
func applicationHeaders(h http.Header) {
	h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()")
	h.Set("Report-To", `{"group":"default","max_age":31536000,"endpoints":[{"url":"https://reports.example.com/csp"}]}`)
	h.Set("X-Request-Id", "5f0c1f7e-9a53-4a0e-9d2d-2f0d1f0c4b7a")
	h.Set("X-Application-Policy", strings.Repeat("https://static.example.com ", 18)) // as a Content-Security-Policy is
}

func headerBytes(h http.Header) int {
	var b bytes.Buffer
	h.Write(&b) // to a Buffer it never fails
	return b.Len()
}

// watch adds the headers of the application, and notes those of the library.
func (c *headerCount) watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		applicationHeaders(w.Header())
		counted := &countedWriter{ResponseWriter: w}
		before := headerBytes(w.Header())
		next.ServeHTTP(counted, r)
		counted.WriteHeader(http.StatusOK) // if nobody did
		c.mu.Lock()
		defer c.mu.Unlock()
		if n := counted.bytes - before; n > c.response {
			c.response, c.where = n, fmt.Sprintf("%s %s, %d", r.Method, r.URL.Path, counted.status)
		}
		for _, line := range r.Header["Cookie"] {
			c.cookies = max(c.cookies, len("Cookie: \r\n"+line))
		}
	})
}

// A countedWriter counts the headers at the moment when they are sent.
type countedWriter struct {
	http.ResponseWriter
	bytes, status int
}

func (w *countedWriter) WriteHeader(status int) {
	if w.status != 0 {
		return
	}
	w.status, w.bytes = status, headerBytes(w.Header())
	w.ResponseWriter.WriteHeader(status)
}

func (w *countedWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.ResponseWriter.Write(b)
}

func (w *countedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// moreGroups signs in as if the identity provider had sent more groups than Entra does.
type moreGroups struct {
	*session.Manager
	groups []string
}

func (m moreGroups) SignIn(w http.ResponseWriter, r *http.Request, login *saml.Login) error {
	login.Identity.Groups = m.groups
	return m.Manager.SignIn(w, r, login)
}

// TestNginx: a user in any number of groups signs in behind an nginx as Debian ships it, which stops
// at 4 KiB of headers in a response and 8 KiB of cookies in a request. All that the library sets in a
// response has at most 2.5 KiB, and its cookies in a request 3 KiB.
func TestNginx(t *testing.T) {
	t.Parallel()
	require(t, map[string]string{"nginx": "nginx-light"})
	table := &strings.Builder{}
	fmt.Fprintf(table, "%-8s %-8s %8s %12s %12s  %s\n", "groups", "records", "kept", "response", "cookies",
		"largest response")
	for _, groups := range []int{0, 150, 10_000} {
		for _, withRecords := range []bool{true, false} {
			t.Run(fmt.Sprintf("%d groups, records %t", groups, withRecords), func(t *testing.T) {
				testNginx(t, groups, withRecords, table)
			})
		}
	}
	t.Logf("bytes of headers that the library sets:\n%s", table)
}

func testNginx(t *testing.T, groups int, withRecords bool, table *strings.Builder) {
	d := newDemo()
	defer d.Close()
	var dir string
	d.url, dir = startNginx(t, d.url)
	base := time.Now()
	var ahead time.Duration // moved while no request is on its way
	now := func() time.Time { return base.Add(ahead) }
	names := make([]string, groups)
	for i := range names {
		names[i] = fmt.Sprintf("5f0c7a52-94d1-4c1e-8f57-%012x", i)
	}
	d.idp.SignInAs(entraUser)
	c := session.Config{Keys: d.keys, Store: saml.NewMemoryStore(), Now: now, Logger: slog.New(slog.DiscardHandler)}
	if withRecords {
		records := newSQLite(t).records(t)
		if err := records.Create(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.Records = records
	}
	manager, err := session.New(c)
	if err != nil {
		t.Fatal(err)
	}
	sp := d.provider(d.config(), d.idp)
	login := sp.Handler(moreGroups{manager, names})
	mux := http.NewServeMux()
	mux.Handle(sp.RedirectPath(), login)
	mux.HandleFunc("/too-much", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Large", strings.Repeat("x", 4<<10))
	})
	mux.Handle("/", login.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := session.FromContext(r.Context())
		fmt.Fprintf(w, "%d %t", len(s.Identity.Groups), s.GroupsTruncated)
	})))
	var count headerCount
	d.handler = count.watch(mux)

	browser := d.newBrowser()
	page := d.url + "/reports/1?filter=" + strings.Repeat("a", 200)
	text, response := openPage(browser, page)
	log, _ := os.ReadFile(filepath.Join(dir, "error.log")) // only to explain a failure
	if response.StatusCode != http.StatusOK {
		t.Fatalf("got status %d, nginx says:\n%s", response.StatusCode, log)
	}
	var kept int
	var truncated bool
	if _, err := fmt.Sscan(text, &kept, &truncated); err != nil {
		t.Fatalf("got %q: %v", text, err)
	}
	if withRecords && kept != groups || truncated != (kept < groups) {
		t.Errorf("the page sees %d groups, truncated %t, want %d", kept, truncated, groups)
	}
	ahead = time.Hour
	again, response := openPage(browser, page)
	if again != text || len(response.Cookies()) != 1 {
		t.Errorf("after an hour: got status %d, %q, cookies %v, want the page again and the session renewed",
			response.StatusCode, again, response.Cookies())
	}
	if count.response > 2560 || count.cookies > 3072 {
		t.Errorf("the library sets %d bytes of headers (%s), and the cookies of a request have %d, want 2560 and 3072",
			count.response, count.where, count.cookies)
	}
	fmt.Fprintf(table, "%-8d %-8t %8d %12d %12d  %s\n", groups, withRecords, kept, count.response, count.cookies,
		count.where)
	if _, response = openPage(browser, d.url+"/too-much"); response.StatusCode != http.StatusBadGateway {
		t.Errorf("4 KiB more: got status %d, want 502, or this nginx does not have the limit that is tested",
			response.StatusCode)
	}
}

// entraUser has names of a believable length.
var entraUser = samltest.User{
	Mail:              "Maximiliane.Hohenzollern@subsidiary.example.com",
	UserPrincipalName: "maximiliane.hohenzollern@example.onmicrosoft.com",
	DisplayName:       "Dr. Maximiliane Hohenzollern (Contractor)",
	GivenName:         "Maximiliane",
	Surname:           "Hohenzollern",
	ObjectID:          "5f0c7a52-94d1-4c1e-8f57-1d0b6e2a9c31",
	Roles:             []string{"Administrator"},
}

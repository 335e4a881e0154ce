package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/iomete/saml/examples/dataplane/internal/keys"
	"github.com/iomete/saml/examples/dataplane/internal/storage"
	"github.com/iomete/saml/samltest"
)

func noEnvironment(string) string { return "" }

// A running is a console that runs, with what it has printed.
type running struct {
	t      *testing.T
	server *server
	out    string
	stop   func()
	client *http.Client
}

// launch starts a console on free ports in a directory. It runs until stop or the end of the test.
func launch(t *testing.T, dir string, args ...string) *running {
	t.Helper()
	args = append([]string{"-addr", "127.0.0.1:0", "-data", dir}, args...)
	o, err := readOptions(args, noEnvironment, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	s, err := start(t.Context(), o, &out, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.serve(ctx) }()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	r := &running{t: t, server: s, out: out.String(), client: &http.Client{Jar: jar}}
	stopped := false
	r.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the console ended with %v", err)
		}
	}
	t.Cleanup(r.stop)
	return r
}

// printed returns the text after a label in the greeting.
func (r *running) printed(label string) string {
	r.t.Helper()
	m := regexp.MustCompile(`(?m)^` + label + `: +(\S+)`).FindStringSubmatch(r.out)
	if m == nil {
		r.t.Fatalf("no %s in\n%s", label, r.out)
	}
	return m[1]
}

func (r *running) read(response *http.Response, err error) (status int, body string) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func (r *running) get(address string) (status int, body string) {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, address, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	request.Header.Set("Accept", "text/html") // a page, not a call of a script
	for range 5 {
		// a console that has just started on a busy machine asks for a moment
		if status, body = r.read(r.client.Do(request)); status != http.StatusServiceUnavailable {
			break
		}
		time.Sleep(time.Second)
	}
	return status, body
}

func (r *running) post(address string, form url.Values) (status int, body string) {
	r.t.Helper()
	return r.read(r.client.PostForm(address, form))
}

// signIn signs a user in by picking the name at the built-in identity provider.
func (r *running) signIn(console, user string) (status int, body string) {
	r.t.Helper()
	_, page := r.get(console + "/")
	if !strings.Contains(page, `id="choice"`) {
		r.t.Fatalf("the identity provider does not ask who it is:\n%s", page)
	}
	response, err := r.client.Get(console + "/api/v1/identity/auth/saml-acs")
	if err != nil {
		r.t.Fatal(err)
	}
	response.Body.Close()
	at := *response.Request.URL
	query := at.Query()
	query.Set("user", user)
	at.RawQuery = query.Encode()
	response, err = r.client.Get(at.String())
	if err != nil {
		r.t.Fatal(err)
	}
	for range 2 { // the identity provider's page, and our own
		form, err := samltest.ReadForm(response)
		if err != nil {
			r.t.Fatal(err)
		}
		if response, err = r.client.PostForm(form.Action, form.Values); err != nil {
			r.t.Fatal(err)
		}
	}
	return r.read(response, nil)
}

// signOut presses the button of the console, and returns where that ends.
func (r *running) signOut(console string) (status int, body string) {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, console+"/sign-out", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	request.Header.Set("Origin", console)
	return r.read(r.client.Do(request))
}

// switchLogoutOn changes the settings of a console that does not run, and makes the signing key that
// the settings page makes with them.
func (r *running) switchLogoutOn(dir string) {
	t := r.t
	t.Helper()
	signing, err := keys.NewSigning(r.server.console.BaseURL, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := signing.Seal(r.server.console.Keys)
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "console.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "UPDATE revision SET logout = 1"); err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), "INSERT INTO note (name, value) VALUES (?, ?)",
		storage.SigningKeyNote, sealed); err != nil {
		t.Fatal(err)
	}
}

// TestStart follows the first start through the eyes of a new user.
func TestStart(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new")
	r := launch(t, dir, "-idp-addr", "localhost:0")
	base := r.printed("Console")
	if status, body := r.get(base + "settings/sso"); status != http.StatusOK ||
		!strings.Contains(body, "Sign in as administrator") {
		t.Errorf("the settings page: got %d", status)
	}
	status, body := r.post(base+"sign-in", url.Values{
		"name":      {r.printed("Administrator")},
		"password":  {r.printed("Password")},
		"return_to": {"/settings/sso"},
	})
	if status != http.StatusOK || !strings.Contains(body, r.printed("Redirect URL")) {
		t.Errorf("the printed password opens no settings page: got %d", status)
	}
	if status, body := r.get(r.printed("Identity provider")); status != http.StatusOK ||
		!strings.Contains(body, "Not for production") {
		t.Errorf("the identity provider: got %d", status)
	}
	if !strings.Contains(r.out, "Next: sign in at "+base+"settings/sso") {
		t.Errorf("no next step in\n%s", r.out)
	}
	for _, path := range []string{"readyz", "healthz", "metrics"} {
		if status, _ := r.get(base + path); status != http.StatusOK {
			t.Errorf("%s: got %d", path, status)
		}
	}
	for _, name := range []string{"console.db", "console.db-wal", "keys", "identity-provider.json"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: got %v, %v, want mode 0600", name, info.Mode(), err)
		}
	}
}

// TestFreshDirectory: two starts without -data are independent of each other.
func TestFreshDirectory(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	var dirs []string
	for range 2 {
		s := &server{options: &options{}}
		if err := s.makeDirectory(); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(s.options.data)
		if err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("got %v, %v, want mode 0700", info.Mode(), err)
		}
		dirs = append(dirs, s.options.data)
	}
	if dirs[0] == dirs[1] {
		t.Errorf("both have %s", dirs[0])
	}
}

// TestRestart: a restart keeps the settings, the administrator's password, the sessions and the
// built-in identity provider, which knows the Logout URL again.
func TestRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := launch(t, dir, "-idp-addr", "localhost:0")
	console, idp := strings.TrimSuffix(first.printed("Console"), "/"), first.printed("Identity provider")
	metadataFile := filepath.Join(t.TempDir(), "metadata.xml")
	_, page := first.get(idp)
	address := regexp.MustCompile(`id="metadata" href="([^"]+)"`).FindStringSubmatch(page)[1]
	_, document := first.get(address)
	if err := os.WriteFile(metadataFile, []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	first.stop()
	port := func(address string) string { u, _ := url.Parse(address); return u.Host }

	second := launch(t, dir, "-addr", port(console), "-idp-addr", port(idp), "-metadata", metadataFile, "-enable")
	if status, body := second.signIn(console, "ioana.turcanu@example.com"); status != http.StatusOK ||
		!strings.Contains(body, "Ioana Țurcanu") {
		t.Fatalf("the sign-in: got %d\n%s", status, body)
	}
	admin := *second
	admin.client = first.client
	if status, _ := admin.post(console+"/sign-in",
		url.Values{"name": {"admin"}, "password": {first.printed("Password")}}); status != http.StatusOK {
		t.Errorf("the password of the first start: got %d", status)
	}
	if strings.Contains(second.out, first.printed("Password")) {
		t.Error("the second start printed the password")
	}
	second.stop()
	second.switchLogoutOn(dir)

	third := launch(t, dir, "-addr", port(console), "-idp-addr", port(idp))
	third.client = second.client
	if status, body := third.get(console + "/jobs"); status != http.StatusOK ||
		!strings.Contains(body, "Ioana Țurcanu") {
		t.Errorf("the user's session after a restart: got %d\n%s", status, body)
	}
	if status, body := third.signOut(console); status != http.StatusOK ||
		!strings.Contains(body, "You are signed out of this console.") {
		t.Errorf("the sign-out through the identity provider after a restart: got %d\n%s", status, body)
	}
	third.client = first.client
	if status, body := third.get(console + "/settings/sso"); status != http.StatusOK ||
		!strings.Contains(body, `data-state="enabled"`) {
		t.Errorf("the administrator's session, or the settings, after a restart: got %d", status)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	third.client = &http.Client{Jar: jar}
	if status, body := third.signIn(console, "ioana.turcanu@example.com"); status != http.StatusOK {
		t.Errorf("a new sign-in after a restart: got %d\n%s", status, body)
	}
	third.stop()

	fourth := launch(t, dir, "-idp-addr", "", "-reset-admin-password")
	if status, _ := fourth.post(fourth.printed("Console")+"sign-in",
		url.Values{"name": {"admin"}, "password": {first.printed("Password")}}); status != http.StatusForbidden {
		t.Errorf("the old password after a reset: got %d, want %d", status, http.StatusForbidden)
	}
	if status, _ := fourth.post(fourth.printed("Console")+"sign-in",
		url.Values{"name": {"admin"}, "password": {fourth.printed("Password")}}); status != http.StatusOK {
		t.Errorf("the new password: got %d", status)
	}
}

// TestHeadless starts twice with -metadata. The second start changes nothing.
func TestHeadless(t *testing.T) {
	t.Parallel()
	idp := samltest.MustNew(t, samltest.Options{BaseURL: "https://idp.example"})
	document, err := idp.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "metadata.xml")
	if err := os.WriteFile(file, document, 0o600); err != nil {
		t.Fatal(err)
	}
	state := func() *storage.State {
		r := launch(t, dir, "-metadata", file, "-enable", "-admin-password", "a long password")
		defer r.stop()
		if strings.Contains(r.out, "Identity provider:") {
			t.Error("a real set-up brings the identity provider for trying")
		}
		s, err := r.server.db.State(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	first := state()
	if !first.Enabled() || first.Live.Document != string(document) || first.ChangedBy != "the command line" {
		t.Errorf("got %+v", first)
	}
	if second := state(); second.Version != first.Version {
		t.Errorf("the second start made version %d of %d", second.Version, first.Version)
	}
}

// TestFirstPassword: a start that fails, however late, neither prints a password nor stores one.
// The next start prints one that works.
func TestFirstPassword(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	web := filepath.Join(t.TempDir(), "page.xml")
	if err := os.WriteFile(web, []byte("<html></html>"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"metadata that is none":           {"-metadata", web},
		"an address for metrics in use":   {"-idp-addr", "", "-metrics-addr", taken.Addr().String()},
		"an address of the provider, too": {"-idp-addr", taken.Addr().String()},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			o, err := readOptions(append([]string{"-addr", "127.0.0.1:0", "-data", dir}, args...), noEnvironment,
				io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if _, err := start(t.Context(), o, &out, io.Discard); err == nil || out.Len() > 0 {
				t.Fatalf("got %v and printed %q, want a failure and nothing", err, out.String())
			}
			r := launch(t, dir, "-idp-addr", "")
			form := url.Values{"name": {r.printed("Administrator")}, "password": {r.printed("Password")}}
			if status, _ := r.post(r.printed("Console")+"sign-in", form); status != http.StatusOK {
				t.Errorf("the password %q of the second start: got %d", form.Get("password"), status)
			}
		})
	}
	o, err := readOptions([]string{
		"-addr",
		"127.0.0.1:0",
		"-data",
		t.TempDir(),
		"-idp-addr",
		"",
	}, noEnvironment, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	reader, writer := io.Pipe()
	reader.Close()
	if _, err := start(t.Context(), o, writer, io.Discard); err == nil ||
		!strings.Contains(err.Error(), "-reset-admin-password") {
		t.Errorf("a password that cannot be printed: got %v", err)
	}
}

// TestFirstStartsAtOnce: two first starts in one folder use the same key, identity provider and
// administrator.
func TestFirstStartsAtOnce(t *testing.T) {
	t.Parallel()
	for range 5 {
		dir := t.TempDir()
		var servers [2]*server
		var outs [2]bytes.Buffer
		var all sync.WaitGroup
		for i := range servers {
			all.Go(func() {
				o, err := readOptions([]string{
					"-addr",
					"127.0.0.1:0",
					"-data",
					dir,
					"-idp-addr",
					"localhost:0",
				}, noEnvironment, io.Discard)
				if err == nil {
					servers[i], err = start(t.Context(), o, &outs[i], io.Discard)
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if t.Failed() {
			return
		}
		first, second := servers[0], servers[1]
		if !bytes.Equal(first.console.Keys[0], second.console.Keys[0]) {
			t.Error("they seal with two keys")
		}
		one, err1 := first.directory()
		other, err2 := second.directory()
		if err := errors.Join(err1, err2); err != nil || one.TenantID != other.TenantID {
			t.Errorf("they have two identity providers: %s and %s, %v", one.TenantID, other.TenantID, err)
		}
		if n := strings.Count(outs[0].String()+outs[1].String(), "as before"); n != 1 {
			t.Errorf("%d of them found the administrator made, want 1", n)
		}
		first.close()
		second.close()
	}
}

// TestWarnings covers the warnings for the operator at the start.
func TestWarnings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "console.db"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	started := func(args ...string) string {
		t.Helper()
		o, err := readOptions(append([]string{
			"-addr",
			"127.0.0.1:0",
			"-data",
			dir,
			"-idp-addr",
			"",
		}, args...), noEnvironment, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		s, err := start(t.Context(), o, io.Discard, &log)
		if err != nil {
			t.Fatal(err)
		}
		s.close()
		return log.String()
	}
	const open, proxy = "others could read this file", "-trust-forwarded-for"
	if log := started(); !strings.Contains(log, open) || strings.Contains(log, proxy) {
		t.Errorf("an open database: got %s", log)
	}
	if log := started("-base-url", "https://console.example.com"); strings.Contains(log, open) ||
		!strings.Contains(log, proxy) {
		t.Errorf("behind a proxy: got %s", log)
	}
	if log := started("-base-url", "https://console.example.com", "-trust-forwarded-for"); log != "" {
		t.Errorf("nothing to warn of: got %s", log)
	}
}

// TestRenamedAdministrator: the sessions of the old name end, even if the name comes back.
func TestRenamedAdministrator(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := launch(t, dir, "-idp-addr", "")
	console := first.printed("Console")
	if status, _ := first.post(console+"sign-in",
		url.Values{"name": {"admin"}, "password": {first.printed("Password")}}); status != http.StatusOK {
		t.Fatalf("got %d", status)
	}
	first.stop()
	for _, name := range []string{"beate", "admin"} {
		next := launch(t, dir, "-addr", first.server.parts[0].listener.Addr().String(), "-idp-addr", "", "-admin", name)
		next.client = first.client
		if _, body := next.get(console + "settings/sso"); !strings.Contains(body, `id="local-sign-in"`) {
			t.Errorf("with the name %s the old session goes on", name)
		}
		next.stop()
	}
}

// TestWrongOptions covers the options that are refused before the console serves anything.
func TestWrongOptions(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open := filepath.Join(dir, "open")
	if err := os.MkdirAll(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(open, "keys"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	web := filepath.Join(dir, "page.xml")
	if err := os.WriteFile(web, []byte("<html></html>"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		args []string
		want string
	}{
		{"-enable alone", []string{"-enable"}, "-enable needs -metadata"},
		{"a short password", []string{"-admin-password", "short"}, "fewer than 12"},
		{"an identity provider that others reach", []string{"-idp-addr", "0.0.0.0:8081"}, "could sign in as any user"},
		{"an unknown log", []string{"-log", "xml"}, "text or json"},
		{"another database", []string{"-database", "mysql://x"}, "postgres:// URL"},
		{"an operand", []string{"serve"}, "is not a flag"},
		{"a base URL without a scheme", []string{"-base-url", "console.example.com"}, "absolute URL"},
		{"an http base URL", []string{"-base-url", "http://console.example.com"},
			"anyone on the path can take over sessions"},
		{"keys that are none", []string{"-keys", "AAAA"}, "openssl rand -base64 32"},
		{"a key file that others can read", []string{"-data", open}, "others can read it"},
		{"a page as metadata", []string{"-metadata", web}, "this is a web page"},
		{"an address of another machine", []string{"-addr", "192.0.2.1:1"}, "set another address with -addr"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"-addr", "127.0.0.1:0", "-data", t.TempDir()}, test.args...)
			err := run(t.Context(), args, noEnvironment, io.Discard, io.Discard)
			if err == nil || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// TestKubernetes: the garbage collector must know the memory limit of the container, and the
// requested memory must be within it.
func TestKubernetes(t *testing.T) {
	t.Parallel()
	manifest, err := os.ReadFile(filepath.Join("kubernetes", "dataplane.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	mebibytes := func(pattern string) int {
		m := regexp.MustCompile(pattern).FindSubmatch(manifest)
		if m == nil {
			t.Fatalf("the manifest has no %s", pattern)
		}
		n, err := strconv.Atoi(string(m[1]))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	aim := mebibytes(`GOMEMLIMIT, value: (\d+)MiB`)
	request := mebibytes(`requests: \{.*memory: (\d+)Mi\}`)
	limit := mebibytes(`limits: \{memory: (\d+)Mi\}`)
	const rest, passwords, responses, forms = 50, 4 * 19, 2 * 64, 210
	if aim < rest+passwords+responses+forms || aim >= limit || aim < limit*3/4 || request > limit {
		t.Errorf("GOMEMLIMIT is %d, the request %d and the limit %d MiB", aim, request, limit)
	}
}

// TestEnvironment: variables replace flags, and a flag takes precedence over its variable.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	environment := map[string]string{
		"DATAPLANE_BASE_URL":            "https://console.example.com",
		"DATAPLANE_ADDR":                "0.0.0.0:80",
		"DATAPLANE_TRUST_FORWARDED_FOR": "true",
		"DATAPLANE_DRAIN":               "5s",
	}
	o, err := readOptions([]string{"-addr", "127.0.0.1:9"}, func(name string) string { return environment[name] },
		io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if o.baseURL != "https://console.example.com" || o.addr != "127.0.0.1:9" || !o.trustForwardedFor ||
		o.drain != 5*time.Second || o.idpAddr != "" {
		t.Errorf("got %+v", o)
	}
	environment["DATAPLANE_DRAIN"] = "soon"
	if _, err := readOptions(nil, func(name string) string { return environment[name] }, io.Discard); err == nil ||
		!strings.Contains(err.Error(), "DATAPLANE_DRAIN") {
		t.Errorf("got %v, want the name of the variable", err)
	}
}

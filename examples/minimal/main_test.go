package main

import (
	"bufio"
	"bytes"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// TestMain runs the service itself if a test has started this program as a separate process.
func TestMain(m *testing.M) {
	if os.Getenv("MINIMAL_IS_THE_SERVICE") != "" {
		main()
	}
	os.Exit(m.Run())
}

func command(args ...string) *exec.Cmd {
	c := exec.Command(os.Args[0], args...)
	c.Env = append(os.Environ(), "MINIMAL_IS_THE_SERVICE=yes")
	return c
}

// start runs the service until the test ends, and returns the addresses that it prints.
func start(t *testing.T, args ...string) (addresses map[string]string, stop func()) {
	t.Helper()
	c := command(append([]string{"-addr", "127.0.0.1:0"}, args...)...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	stop = func() {
		c.Process.Kill()
		c.Wait() // "signal: killed", or it was called before
	}
	t.Cleanup(stop)
	addresses = map[string]string{}
	lines := bufio.NewScanner(stdout)
	for addresses["Redirect URL"] == "" && lines.Scan() {
		label, address, _ := strings.Cut(lines.Text(), ": ")
		addresses[label], _, _ = strings.Cut(strings.TrimSpace(address), " ")
	}
	if addresses["Redirect URL"] == "" {
		stop()
		t.Fatalf("it ended: %s", stderr.String())
	}
	return addresses, stop
}

// browser keeps cookies and asks for HTML.
type browser struct {
	*http.Client
	t *testing.T
}

func newBrowser(t *testing.T) browser {
	jar, _ := cookiejar.New(nil) // never fails
	return browser{&http.Client{Jar: jar}, t}
}

func (b browser) get(address string) *http.Response {
	b.t.Helper()
	r, err := http.NewRequest("GET", address, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	response, err := b.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	return response
}

// signIn picks a user at the identity provider, from page on, and posts both forms.
func (b browser) signIn(page *http.Response, user samltest.User) string {
	b.t.Helper()
	if question := text(b.t, page); !strings.Contains(question, "Who signs in?") {
		b.t.Fatalf("nobody asks who signs in: %s", question)
	}
	page = b.get(page.Request.URL.String() + "&user=" + url.QueryEscape(user.UserPrincipalName))
	stranger := http.Client{} // a form of another site comes without the SameSite cookies
	for _, client := range []*http.Client{&stranger, b.Client} {
		form, err := samltest.ReadForm(page)
		if err != nil {
			b.t.Fatal(err)
		}
		if page, err = client.PostForm(form.Action, form.Values); err != nil {
			b.t.Fatal(err)
		}
	}
	return text(b.t, page)
}

func text(t *testing.T, r *http.Response) string {
	t.Helper()
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return html.UnescapeString(string(body))
}

func wantText(t *testing.T, page string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(page, w) {
			t.Errorf("there is no %q in %s", w, page)
		}
	}
}

func TestWithItsOwnIdentityProvider(t *testing.T) {
	t.Parallel()
	addresses, _ := start(t)
	service := addresses["Service"]
	if !strings.HasPrefix(service, "http://127.0.0.1:") ||
		!strings.HasPrefix(addresses["Identity provider"], "http://localhost:") {
		t.Fatalf("got %v", addresses)
	}
	b, users := newBrowser(t), samltest.DefaultUsers()
	wantText(t, text(t, b.get(addresses["Identity provider"])), "Not for production", addresses["Redirect URL"])

	page := b.signIn(b.get(service), users[0])
	wantText(t, page, append([]string{users[0].DisplayName, users[0].Mail, "Sign out"}, users[0].Groups...)...)
	if strings.Contains(page, "more groups") {
		t.Errorf("all groups are there, and the page says %s", page)
	}
	wantText(t, text(t, b.get(service+"again")), users[0].Mail)

	r, err := b.PostForm(service+"sign-out", nil)
	if err != nil {
		t.Fatal(err)
	}
	wantText(t, text(t, r), "Goodbye")
	wantText(t, b.signIn(b.get(service), users[3]), users[3].Mail, "There are more groups.")
}

func TestWithMetadataAndAKeptKey(t *testing.T) {
	t.Parallel()
	idp := samltest.MustNew(t, samltest.Options{})
	server := httptest.NewServer(idp)
	t.Cleanup(server.Close)
	idp.SetBaseURL(server.URL)
	document, err := idp.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	metadataFile, keyFile := filepath.Join(t.TempDir(), "metadata.xml"), filepath.Join(t.TempDir(), "state.key")
	if err := os.WriteFile(metadataFile, document, 0o600); err != nil {
		t.Fatal(err)
	}

	addresses, stop := start(t, "-metadata", metadataFile, "-key-file", keyFile)
	if err := idp.RegisterRedirectURL(addresses["Redirect URL"]); err != nil {
		t.Fatal(err)
	}
	b, user := newBrowser(t), samltest.DefaultUsers()[0]
	wantText(t, b.signIn(b.get(addresses["Service"]), user), user.Mail)
	if info, err := os.Stat(keyFile); err != nil || info.Mode().Perm() != 0o600 || info.Size() != 32 {
		t.Errorf("the key file is %v, %v", info, err)
	}
	stop()

	service := addresses["Service"] // at the same address, which is the service's name too
	address := strings.Trim(strings.TrimPrefix(service, "http:"), "/")
	start(t, "-metadata", metadataFile, "-key-file", keyFile, "-addr", address)
	wantText(t, text(t, b.get(service)), user.Mail)

	addresses, _ = start(t, "-metadata", metadataFile, "-base-url", "https://console.example.com/")
	if got, want := addresses["Redirect URL"], "https://console.example.com"+saml.DefaultRedirectPath; got != want {
		t.Errorf("the Redirect URL is %q, want %q", got, want)
	}
}

func TestWhatItRefuses(t *testing.T) {
	t.Parallel()
	shortKey := filepath.Join(t.TempDir(), "state.key")
	if err := os.WriteFile(shortKey, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		args []string
		want string
	}{
		"metadata that is not there":       {[]string{"-metadata", shortKey + ".xml"}, "no such file"},
		"metadata that is none":            {[]string{"-metadata", shortKey}, "saml: "},
		"a key of another length":          {[]string{"-key-file", shortKey}, "StateKeys"},
		"an address on http for everybody": {[]string{"-base-url", "http://console.example.com"}, "BaseURL"},
		"an address that is none": {[]string{"-base-url", "console.example.com"},
			"want an absolute http or https URL"},
		"a port that is none": {[]string{"-addr", "127.0.0.1:x"}, "unknown port"},
	} {
		output, err := command(append([]string{"-addr", "127.0.0.1:0"}, row.args...)...).CombinedOutput()
		if err == nil || !strings.Contains(string(output), row.want) {
			t.Errorf("%s: got %v, %s, want %q", name, err, output, row.want)
		}
	}
}

// TestKey: first starts at the same moment must end with the same key, and a key that others can
// read is refused.
func TestKey(t *testing.T) {
	for range 20 {
		*keyFile = filepath.Join(t.TempDir(), "state.key")
		var keys [4][]byte
		var all sync.WaitGroup
		for i := range keys {
			all.Go(func() {
				var err error
				if keys[i], err = readKey(); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		for _, key := range keys {
			if len(key) != 32 || !bytes.Equal(key, keys[0]) {
				t.Fatal("first starts at once have different keys")
			}
		}
	}
	defer func() { *keyFile = "" }()
	if err := os.Chmod(*keyFile, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := readKey(); err == nil || !strings.Contains(err.Error(), "0600") {
		t.Errorf("a key that others can read: got %v", err)
	}
}

package main

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// result is what a run left behind.
type result struct {
	code           int
	stdout, stderr string
}

// samlsp runs the command with nothing on standard input.
func samlsp(t *testing.T, args ...string) result {
	t.Helper()
	return samlspWith(t, strings.NewReader(""), args...)
}

func samlspWith(t *testing.T, stdin io.Reader, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), args, stdin, &stdout, &stderr)
	return result{code, stdout.String(), stderr.String()}
}

// failed checks for an exit status, an empty standard output and one line on standard error with
// all of the words.
func (r result) failed(t *testing.T, code int, words ...string) {
	t.Helper()
	if r.code != code || r.stdout != "" {
		t.Errorf("got status %d, output %q; want status %d and no output", r.code, r.stdout, code)
	}
	if strings.Count(r.stderr, "\n") != 1 || !strings.HasSuffix(r.stderr, "\n") ||
		!strings.HasPrefix(r.stderr, "samlsp") {
		t.Errorf("got %q, want one line", r.stderr)
	}
	contains(t, r.stderr, words...)
}

func contains(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("got %q, want it to contain %q", text, w)
		}
	}
}

// hasRow checks for a line made of a label and a value.
func hasRow(t *testing.T, text, label, value string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), label+" "); ok && strings.TrimSpace(rest) == value {
			return
		}
	}
	t.Errorf("got %s\nwant a line %q with %q", text, label, value)
}

// tempFile writes a file for one test and gives its name.
func tempFile(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// fixture gives the path of a real metadata document or response, named by its path there
// ("metadata/entra-1.xml"). The files are no part of this repository: where they are absent the
// test is skipped, or fails if SAML_TEST_REQUIRE is "all".
func fixture(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("SAML_FIXTURES")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "fixtures")
	}
	if _, err := os.Stat(filepath.Join(dir, "INDEX.md")); err != nil {
		const missing = "no fixtures in %s: set SAML_FIXTURES to the directory that holds INDEX.md, metadata and responses"
		if os.Getenv("SAML_TEST_REQUIRE") == "all" {
			t.Fatalf(missing, dir)
		}
		t.Skipf(missing, dir)
	}
	return filepath.Join(dir, filepath.FromSlash(name))
}

const (
	redirectURL = "https://console.example.com" + saml.DefaultRedirectPath
	requestID   = "_0123456789abcdef0123456789abcdef"
)

// sharedKey is made once: a fresh one for each identity provider would take most of the time of
// these tests.
var sharedKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// newIDP makes an identity provider; all have the same key.
func newIDP(t *testing.T, o samltest.Options) *samltest.IdentityProvider {
	t.Helper()
	key, err := sharedKey()
	if err != nil {
		t.Fatal(err)
	}
	o.Keys = []crypto.Signer{key}
	return samltest.MustNew(t, o)
}

// metadataOf gives a file with the identity provider's metadata.
func metadataOf(t *testing.T, idp *samltest.IdentityProvider) string {
	t.Helper()
	document, err := idp.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	return tempFile(t, "metadata.xml", document)
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"metadata", "verify", "decode", "idp", "demo"} {
		r := samlsp(t, command, "-h")
		if r.code != exitOK || r.stderr != "" || !strings.HasPrefix(r.stdout, "samlsp "+command) {
			t.Errorf("%s -h: got %+v", command, r)
		}
		contains(t, r.stdout, "Exit status: 0")
		contains(t, mainUsage, "samlsp "+command)
		samlsp(t, command, "-nonsense").failed(t, exitUsage, "samlsp "+command+": ", "-nonsense",
			"samlsp "+command+" -h")
	}
	if r := samlsp(t, "help"); r.code != exitOK || r.stdout != mainUsage {
		t.Errorf("help: got %+v", r)
	}
	if r := samlsp(t); r.code != exitUsage || r.stderr != mainUsage {
		t.Errorf("no command: got %+v", r)
	}
	samlsp(t, "idq").failed(t, exitUsage, `"idq"`, "samlsp -h")
	samlsp(t, "idp", "now").failed(t, exitUsage, "no operand")
	samlsp(t, "demo", "now").failed(t, exitUsage, "no operand")
	samlsp(t, "decode", "a", "b").failed(t, exitUsage, "one file")
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestOutputThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	idp := newIDP(t, samltest.Options{})
	for _, args := range [][]string{{"metadata", metadataOf(t, idp)}, {"metadata", "-json", metadataOf(t, idp)},
		{"decode", metadataOf(t, idp)}} {
		var stderr bytes.Buffer
		if code := run(t.Context(), args, nil, brokenWriter{}, &stderr); code != exitUsage ||
			!strings.Contains(stderr.String(), "disk full") {
			t.Errorf("%v: got status %d, %q", args, code, stderr.String())
		}
	}
}

func TestVisible(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ what, in, want string }{
		{"letters of all scripts", "Țurcanu Novák 田中", "Țurcanu Novák 田中"},
		{"an escape sequence", "a\x1b[31mb", `a\x1b[31mb`},
		{"a control character of the second set", "a\u009b31mb", `a\u009b31mb`},
		{"a line break", "a\nsamlsp: ok", `a\nsamlsp: ok`},
		{"a change of direction", "a\u202eb", `a\u202eb`},
		{"a blank that is not one", "a\u00a0b", `a\u00a0b`},
		{"an invisible character", "a\u200bb", `a\u200bb`},
		{"a byte that is no UTF-8", "a\xffb", `a\xffb`},
		{"a replacement character", "a\ufffdb", "a\ufffdb"},
	} {
		if got := visible(c.in); got != c.want {
			t.Errorf("%s: got %q, want %q", c.what, got, c.want)
		}
	}
}

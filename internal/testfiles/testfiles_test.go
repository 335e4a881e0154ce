package testfiles

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// outcome is a testing.TB that remembers how a test ended.
type outcome struct {
	testing.TB
	how string
}

func (o *outcome) Helper() {}

func (o *outcome) Skipf(format string, arguments ...any) { o.end("skipped", format, arguments) }

func (o *outcome) Fatalf(format string, arguments ...any) { o.end("failed", format, arguments) }

func (o *outcome) end(how, format string, arguments []any) {
	o.how = how + ": " + fmt.Sprintf(format, arguments...)
	runtime.Goexit()
}

// ended runs f as a test does and returns how it ended, "" if f returned.
func ended(t *testing.T, f func(testing.TB)) string {
	o := &outcome{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(o)
	}()
	<-done
	return o.how
}

// copyWithout makes a copy of the module as it is published, without vectors, and changes into one
// of its packages.
func copyWithout(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "session"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte(module+"\ngo 1.25.0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Join(dir, "session"))
}

// TestWithoutVectors: in the published module the tests that need vectors are skipped, and where
// nothing may be skipped they fail.
func TestWithoutVectors(t *testing.T) {
	copyWithout(t)
	for name, f := range map[string]func(testing.TB){
		"Vectors": func(t testing.TB) { Vectors(t) },
		"Key":     func(t testing.TB) { Key(t, "test-idp-a.crt.pem") },
	} {
		for require, want := range map[string]string{"": "skipped: ", "all": "failed: "} {
			t.Setenv("SAML_TEST_REQUIRE", require)
			if got := ended(t, f); !strings.HasPrefix(got, want) ||
				!strings.Contains(got, "Run the tests in a clone of") {
				t.Errorf("%s with SAML_TEST_REQUIRE=%q: got %q, want %q and what to do", name, require, got, want)
			}
		}
	}
}

// TestVectorsAreAllRead: the reader returns what the directory holds, from any package, and a
// damaged file is no vector.
func TestVectorsAreAllRead(t *testing.T) {
	copyWithout(t)
	dir := filepath.Join("..", "testdata", "vectors")
	if err := os.MkdirAll(filepath.Join(dir, "keys"), 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := ended(t, func(t testing.TB) { Vectors(t) }); !strings.Contains(got, "has no vectors") {
		t.Errorf("an empty directory: got %q, want a failure", got)
	}
	write("README.md", "no vector")
	write("b.txt", "expect: status\nkeys: x.pem y.pem\n\nQUJD\n")
	write("a.txt", "expect: accepted\n\nQUJD\nREVG\n")
	write("keys/x.pem", "x")
	list := Vectors(t)
	if len(list) != 2 || list[0].Name != "a" || list[0].Form != "QUJD\nREVG\n" || !list[0].Accepted() {
		t.Fatalf("got %+v, want a and b", list)
	}
	if b := list[1]; b.Accepted() || len(b.List("keys")) != 2 || b.Header["expect"] != "status" {
		t.Errorf("got %+v, want b with two keys", b)
	}
	if got := string(Key(t, "x.pem")); got != "x" {
		t.Errorf("got key %q, want x", got)
	}
	for _, text := range []string{"expect: accepted\n", "expect accepted\n\nQUJD\n",
		"expect: accepted\nexpect: status\n\nQUJD\n"} {
		write("c.txt", text)
		if got := ended(t, func(t testing.TB) { Vectors(t) }); !strings.HasPrefix(got, "failed: ") {
			t.Errorf("%q: got %q, want a failure", text, got)
		}
	}
}

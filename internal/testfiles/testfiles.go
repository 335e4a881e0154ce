// Package testfiles finds what tests need and what not every copy of this module has: the test
// vectors, which are a module of their own so that those who only use the library do not download
// them.
package testfiles

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// module is the first line of the go.mod in whose directory the vectors are.
const module = "module github.com/iomete/saml\n"

// A Vector is one file of testdata/vectors: a message, the conditions under which it is read, and
// the verdict. README.md there describes the format. Package
// github.com/iomete/saml/testdata/vectors reads the same files for other modules.
type Vector struct {
	Name   string            // file name without .txt
	Header map[string]string // value by key
	Form   string            // the value of the form field SAMLResponse: base64 in lines
}

// Accepted reports whether the message must be accepted.
func (v *Vector) Accepted() bool { return v.Header["expect"] == "accepted" }

// List returns the words of a header value that holds several.
func (v *Vector) List(key string) []string { return strings.Fields(v.Header[key]) }

// Vectors reads all vectors, sorted by name. If this copy of the module has none, it calls Missing.
func Vectors(t testing.TB) []*Vector {
	t.Helper()
	dir := VectorDir(t)
	files, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s has no vectors (%v), want name.txt files: run go run ./tools/makevectors in the root of a clone",
			dir, err)
	}
	list := make([]*Vector, len(files))
	for i, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if list[i], err = parse(strings.TrimSuffix(filepath.Base(file), ".txt"), string(data)); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	return list
}

// parse reads "key: value" lines, a blank line, and the form value.
func parse(name, data string) (*Vector, error) {
	head, form, ok := strings.Cut(data, "\n\n")
	if !ok {
		return nil, errors.New("no blank line after the header")
	}
	v := &Vector{Name: name, Header: map[string]string{}, Form: form}
	for line := range strings.SplitSeq(head, "\n") {
		key, value, ok := strings.Cut(line, ": ")
		if _, twice := v.Header[key]; !ok || twice {
			return nil, fmt.Errorf("got header line %q, want key: value, each key once", line)
		}
		v.Header[key] = value
	}
	return v, nil
}

// Key reads a file of testdata/vectors/keys: PEM of a certificate or of a PKCS #8 private key. If
// this copy of the module has no vectors, it calls Missing.
func Key(t testing.TB, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(VectorDir(t), "keys", file))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// VectorDir returns the path of testdata/vectors, seen from the directory in which the test runs.
// If this copy of the module has none, it calls Missing.
func VectorDir(t testing.TB) string {
	t.Helper()
	root, err := moduleRoot(".")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, "testdata", "vectors")
	if _, err := os.Stat(dir); err != nil {
		Missing(t, "the test vectors are missing (%v): the published module does not carry them. Run the tests in a clone of https://github.com/iomete/saml", err)
	}
	return dir
}

// moduleRoot returns the nearest directory at or above dir that holds the go.mod of this module.
func moduleRoot(dir string) (string, error) {
	start, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for at := start; ; dir = filepath.Join(dir, "..") {
		if data, err := os.ReadFile(filepath.Join(at, "go.mod")); err == nil &&
			strings.HasPrefix(string(data), module) {
			return dir, nil
		}
		parent := filepath.Dir(at)
		if parent == at {
			return "", fmt.Errorf("found no go.mod of this module at or above %s, want one that begins with %q",
				start, module)
		}
		at = parent
	}
}

// Missing ends a test that needs something this machine or this copy of the module does not have:
// it skips the test with the message, or fails it if SAML_TEST_REQUIRE is "all".
func Missing(t testing.TB, format string, arguments ...any) {
	t.Helper()
	if os.Getenv("SAML_TEST_REQUIRE") == "all" {
		t.Fatalf(format, arguments...)
	}
	t.Skipf(format, arguments...)
}

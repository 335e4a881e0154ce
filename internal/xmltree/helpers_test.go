package xmltree_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iomete/saml/internal/fault"
	"github.com/iomete/saml/internal/xmltree"
)

// codeOf returns the code of a fault, "" for nil, and the text of any other error.
func codeOf(err error) string {
	var f *fault.Fault
	switch {
	case err == nil:
		return ""
	case errors.As(err, &f):
		return f.Code
	}
	return "no fault: " + err.Error()
}

func mustParse(t testing.TB, src string) *xmltree.Document {
	t.Helper()
	doc, err := xmltree.Parse([]byte(src), xmltree.Options{})
	if err != nil {
		t.Fatalf("Parse(%s): %v", shorten(src), err)
	}
	return doc
}

// allElements returns the root and its descendants in document order.
func allElements(doc *xmltree.Document) []xmltree.Element {
	list := []xmltree.Element{doc.Root()}
	for e := range doc.Root().Descendants() {
		list = append(list, e)
	}
	return list
}

// first returns the first element with this local name.
func first(t testing.TB, doc *xmltree.Document, local string) xmltree.Element {
	t.Helper()
	for _, e := range allElements(doc) {
		if e.Local() == local {
			return e
		}
	}
	t.Fatalf("no element %s", local)
	return xmltree.Element{}
}

// depthOf counts the ancestors.
func depthOf(e xmltree.Element) (n int) {
	for p := e.Parent(); p.Exists(); p = p.Parent() {
		n++
	}
	return n
}

// shorten keeps failure output readable.
func shorten(s string) string {
	const most = 2000
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}

// missing skips the test, or fails it if SAML_TEST_REQUIRE is "all".
func missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("SAML_TEST_REQUIRE") == "all" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// needPython skips the test without Debian's Python and lxml. It returns the path of the
// interpreter.
func needPython(t testing.TB) string {
	t.Helper()
	const python = "/usr/bin/python3"
	if err := exec.Command(python, "-c", "import lxml.etree").Run(); err != nil {
		missing(t, "no lxml for %s: install the Debian package python3-lxml (%v)", python, err)
	}
	return python
}

// needXMLSec skips the test without xmlsec1.
func needXMLSec(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("xmlsec1")
	if err != nil {
		missing(t, "no xmlsec1: install the Debian package xmlsec1")
	}
	return path
}

// fixtures returns the real files of a kind ("metadata" or "responses"): path to content.
func fixtures(t testing.TB, kind string) map[string]string {
	t.Helper()
	dir := os.Getenv("SAML_FIXTURES")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "fixtures")
	}
	paths, err := filepath.Glob(filepath.Join(dir, kind, "*.xml"))
	if err != nil || len(paths) == 0 {
		missing(t, "no fixtures in %s: set SAML_FIXTURES to the directory that holds metadata and responses", dir)
	}
	files := map[string]string{}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[kind+"/"+strings.TrimSuffix(filepath.Base(path), ".xml")] = string(data)
	}
	return files
}

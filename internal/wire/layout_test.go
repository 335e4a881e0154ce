package wire

import (
	"strings"
	"testing"

	"github.com/iomete/saml/internal/dsig"
	"github.com/iomete/saml/internal/xmltree"
)

func TestWithoutIndentation(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, doc, want string
		gaps, spaced    int
	}{
		{"nothing between", "<a><b/><c></c></a>", "<a><b/><c></c></a>", 3, 0},
		{"one element a line", "<a>\n  <b/>\n\t<c></c>\r\n</a>", "<a><b/><c></c></a>", 3, 3},
		{"white space alone is content", "<a><b> </b></a>", "<a><b> </b></a>", 2, 0},
		{"text keeps its white space", "<a><b> x </b> y </a>", "<a><b> x </b> y </a>", 2, 0},
		{"other blanks are text", "<a>\u00A0<b/></a>", "<a>\u00A0<b/></a>", 2, 0},
		{"> in an attribute", `<a b="> <" c='"> <'> <b/></a>`, `<a b="> <" c='"> <'><b/></a>`, 2, 1},
		{"/> in an attribute", `<a b="/>"> </a>`, `<a b="/>"> </a>`, 0, 0},
		{"CDATA is text", "<a> <![CDATA[ > < ]]> </a>", "<a> <![CDATA[ > < ]]> </a>", 0, 0},
		{"around the root", "<?xml version='1.0'?>\n<a> <b/></a>\n", "<?xml version='1.0'?><a><b/></a>\n", 3, 2},
	} {
		got, gaps, spaced := withoutIndentation([]byte(row.doc))
		if string(got) != row.want || gaps != row.gaps || spaced != row.spaced {
			t.Errorf("%s: got %q with %d of %d gaps filled, want %q with %d of %d", row.name, got, spaced, gaps, row.want,
				row.spaced, row.gaps)
		}
	}
}

// FuzzWithoutIndentation: whatever the reader takes, it takes without indentation too, and it finds
// the same elements.
func FuzzWithoutIndentation(f *testing.F) {
	for _, s := range []string{"<a>\n <b/> </a>", "<a b='>'> <![CDATA[ ]]> </a>", "<a", "<!--", "<a>x<b> </b>\n</a>", "<a> <![CDATA[ ", "<a b='",
		"<a><![CDATA[]]>\n<b/></a>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text, gaps, spaced := withoutIndentation([]byte(s))
		doc, err := xmltree.Parse([]byte(s), xmltree.Options{})
		if err != nil {
			return
		}
		if spaced > gaps || len(text) > len(s) {
			t.Fatalf("%q: %d of %d gaps, result %q", s, spaced, gaps, text)
		}
		shorter, err := xmltree.Parse(text, xmltree.Options{})
		if err != nil {
			t.Fatalf("%q became %q: %v", s, text, err)
		}
		if a, b := names(doc), names(shorter); a != b {
			t.Fatalf("%q has the elements %q, %q has %q", s, a, text, b)
		}
	})
}

func names(doc *xmltree.Document) string {
	list := []string{doc.Root().Local()}
	for e := range doc.Root().Descendants() {
		list = append(list, e.Local())
	}
	return strings.Join(list, " ")
}

// TestIndentedNearlyEverywhere: nine in ten places have white space, or more.
func TestIndentedNearlyEverywhere(t *testing.T) {
	t.Parallel()
	text := `<p:Response xmlns:p="` + xmltree.NSProtocol + `" ID="_r" Version="2.0"><p:Extensions>` +
		strings.Repeat(`<e xmlns="urn:e"/>`, 5) + `</p:Extensions><p:Status><p:StatusCode Value="x"/></p:Status></p:Response>`
	places := strings.Count(text, "><")
	for left, want := range map[int]Layout{0: Indented, 1: Indented, 2: Plain, places: Plain} {
		m, err := readDocument([]byte(strings.Replace(text, "><", ">\n<", places-left)))
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Layout(nil, dsig.Policy{}); got != want {
			t.Errorf("%d of %d places without white space: got %d, want %d", left, places, got, want)
		}
	}
}

// TestLayoutNeedsTheBytes: of a message that was given as a document, or that is large, nothing is
// told.
func TestLayoutNeedsTheBytes(t *testing.T) {
	t.Parallel()
	text := `<p:Response xmlns:p="` + xmltree.NSProtocol + `" ID="_r" Version="2.0">` + "\n" +
		`<p:Status>` + "\n" + `<p:StatusCode Value="x"/>` + "\n" + `</p:Status>` + "\n" + `</p:Response>`
	for size, want := range map[int]Layout{0: Indented, maxLayout: Indented, maxLayout + 1: Plain} {
		m, err := readDocument([]byte(text + strings.Repeat(" ", max(0, size-len(text)))))
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Layout(nil, dsig.Policy{}); got != want {
			t.Errorf("%d bytes: got %d, want %d", size, got, want)
		}
	}
	doc, err := xmltree.Parse([]byte(text), xmltree.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := FromDocument(doc)
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Layout(nil, dsig.Policy{}); got != Plain {
		t.Errorf("a document: got %d, want %d", got, Plain)
	}
}

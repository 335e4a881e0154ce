package xmltree_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/iomete/saml/internal/xmltree"
)

const family = `<r xmlns="u:d" xmlns:p="u:p" a="1" p:a="2">` + "\n" +
	`<p:x b="3">text</p:x> <y><z>deep</z>tail</y><e/><m xmlns="">none</m><![CDATA[]]></r>`

func locals(elements []xmltree.Element) string {
	var names []string
	for _, e := range elements {
		names = append(names, e.Local())
	}
	return strings.Join(names, " ")
}

func TestElementNames(t *testing.T) {
	t.Parallel()
	doc := mustParse(t, family)
	for local, space := range map[string]string{"r": "u:d", "x": "u:p", "y": "u:d", "z": "u:d", "e": "u:d", "m": ""} {
		e := first(t, doc, local)
		if e.Space() != space || !e.Is(space, local) || e.Is("u:other", local) || e.Is(space, "other") {
			t.Errorf("%s: is in %q, want %q", local, e.Space(), space)
		}
	}
	if e := mustParse(t, "<xml:a/>").Root(); !e.Is(xmltree.NSXML, "a") {
		t.Errorf("the prefix xml is bound to %q", e.Space())
	}
}

func TestElementRelations(t *testing.T) {
	t.Parallel()
	doc := mustParse(t, family)
	root, y, z := doc.Root(), first(t, doc, "y"), first(t, doc, "z")
	children := slices.Collect(root.Children())
	if got := locals(children); got != "x y e m" || root.CountChildren() != 4 {
		t.Errorf("children are %s (%d)", got, root.CountChildren())
	}
	if got := locals(slices.Collect(root.Descendants())); got != "x y z e m" {
		t.Errorf("descendants are %s", got)
	}
	if n := z.CountChildren(); n != 0 || slices.Collect(z.Descendants()) != nil {
		t.Errorf("an element with text has %d children", n)
	}
	for _, c := range children {
		if c.Parent() != root {
			t.Errorf("the parent of %s is %v", c.Local(), c.Parent())
		}
	}
	if z.Parent() != y || root.Parent().Exists() || (xmltree.Element{}).Exists() || !root.Exists() {
		t.Error("the parents are wrong")
	}
	// A loop may be left early.
	for c := range root.Children() {
		if c != children[0] {
			t.Errorf("the loop went on to %s", c.Local())
		}
		break
	}
	for d := range root.Descendants() {
		if d != children[0] {
			t.Errorf("the loop went on to %s", d.Local())
		}
		break
	}
}

func TestElementContains(t *testing.T) {
	t.Parallel()
	doc, last := mustParse(t, family), mustParse(t, "<a><b/></a>")
	root, x, y, z, m := doc.Root(), first(t, doc, "x"), first(t, doc, "y"), first(t, doc, "z"), first(t, doc, "m")
	for _, tt := range []struct {
		name         string
		outer, inner xmltree.Element
		want         bool
	}{
		{"an element contains itself", y, y, true},
		{"the root contains all", root, z, true},
		{"the root contains its last child", root, m, true},
		{"a parent contains its child", y, z, true},
		{"a child does not contain its parent", z, y, false},
		{"an element does not contain the one before it", y, x, false},
		{"an element does not contain the one after it", x, y, false},
		{"nor the one after its last descendant", y, first(t, doc, "e"), false},
		{"the root contains an empty element that comes last", last.Root(), first(t, last, "b"), true},
		{"nor one of another document", root, first(t, mustParse(t, family), "x"), false},
		{"nor none", root, xmltree.Element{}, false},
	} {
		if got := tt.outer.Contains(tt.inner); got != tt.want {
			t.Errorf("%s: got %v", tt.name, got)
		}
	}
}

func TestElementAttr(t *testing.T) {
	t.Parallel()
	doc := mustParse(t, family+"\n")
	root := doc.Root()
	for _, tt := range []struct {
		name, local string
		want        string
		ok          bool
	}{
		{"in no namespace", "a", "1", true},
		{"not there", "b", "", false},
		{"in other letters", "A", "", false},
		{"by its prefixed name", "p:a", "", false},
		{"a declaration is no attribute", "xmlns", "", false},
		{"a declaration with a prefix is none either", "p", "", false},
	} {
		if got, ok := root.Attr(tt.local); got != tt.want || ok != tt.ok {
			t.Errorf("%s: got %q, %v, want %q, %v", tt.name, got, ok, tt.want, tt.ok)
		}
	}
	if got, ok := mustParse(t, "<e xmlns:p='u:p' p:a='2'/>").Root().Attr("a"); got != "" || ok {
		t.Errorf("in a namespace: got %q, %v", got, ok)
	}
	if got, ok := mustParse(t, "<e a=''/>").Root().Attr("a"); got != "" || !ok {
		t.Errorf("empty: got %q, %v", got, ok)
	}
}

// The white space of a value: what is written as such is a blank, what is written as a reference
// stays (XML 1.0 §3.3.3).
func TestAttributeWhiteSpace(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"plain":                "plain",
		" a  b ":               " a  b ", // these attributes are CDATA to us: nothing is trimmed
		"a\tb":                 "a b",
		"a\nb":                 "a b",
		"a\rb":                 "a b",
		"a\r\nb":               "a b",
		"a\n\rb":               "a  b",
		"a\r\r\nb":             "a  b",
		"a&#9;b":               "a\tb",
		"a&#10;b":              "a\nb",
		"a&#13;b":              "a\rb",
		"a&#13;&#10;b":         "a\r\nb",
		"a\r&#10;b":            "a \nb",
		"a&#xD;\nb":            "a\r b",
		"\t&#x9;\t":            " \t ",
		"&quot;&apos;&lt;&gt;": `"'<>`,
		"&amp;amp;":            "&amp;",
		"&#38;lt;":             "&lt;",
		"\"":                   "\"",
		"a\u00a0\u0085\u2028b": "a\u00a0\u0085\u2028b",
	} {
		if got, ok := mustParse(t, "<e a='"+raw+"'/>").Root().Attr("a"); got != want || !ok {
			t.Errorf("%q: got %q, %v, want %q", raw, got, ok, want)
		}
	}
}

func TestElementText(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, content, want string
		ok                  bool
	}{
		{"empty", "", "", true},
		{"plain", "text", "text", true},
		{"white space stays", " a\t\n ", " a\t\n ", true},
		{"CR LF is LF", "a\r\nb", "a\nb", true},
		{"CR is LF", "a\rb", "a\nb", true},
		{"CR CR LF is two LF", "a\r\r\nb", "a\n\nb", true},
		{"LF CR is two LF", "a\n\rb", "a\n\nb", true},
		{"a written CR stays", "a&#13;\nb&#xD;", "a\r\nb\r", true},
		{"a literal CR before a written LF", "a\r&#10;b", "a\n\nb", true},
		{"next line and line separator are characters", "a\u0085\u2028", "a\u0085\u2028", true},
		{"references", "&lt;&amp;amp;&#38;#65;", "<&amp;&#65;", true},
		{"CDATA", "<![CDATA[<&amp;>]]>", "<&amp;>", true},
		{"CDATA with line ends", "<![CDATA[a\r\nb\rc]]>", "a\nb\nc", true},
		{"empty CDATA", "<![CDATA[]]>", "", true},
		{"CDATA that looks like its beginning", "<![CDATA[<![CDATA[]]>", "<![CDATA[", true},
		{"CDATA with brackets", "<![CDATA[]]]]><![CDATA[>]]>", "]]>", true},
		{"text and CDATA by turns", "a<![CDATA[b]]>c<![CDATA[d]]><![CDATA[e]]>", "abcde", true},
		{"CR and LF in two pieces are two", "a\r<![CDATA[\n]]>b", "a\n\nb", true},
		{"a child before the text", "<x/>a", "", false},
		{"a child after the text", "a<x/>", "", false},
		{"a child alone", "<x>a</x>", "", false},
		{"an empty child alone", "<x/>", "", false},
	} {
		if got, ok := mustParse(t, "<e>"+tt.content+"</e>").Root().Text(); got != tt.want || ok != tt.ok {
			t.Errorf("%s: got %q, %v, want %q, %v", tt.name, got, ok, tt.want, tt.ok)
		}
	}
	// The text is that of the element, not of what follows.
	if got, ok := first(t, mustParse(t, "<r><e></e>after</r>"), "e").Text(); got != "" || !ok {
		t.Errorf("empty element before text: got %q, %v", got, ok)
	}
	if got, ok := first(t, mustParse(t, "<r><e/>after</r>"), "e").Text(); got != "" || !ok {
		t.Errorf("empty tag before text: got %q, %v", got, ok)
	}
}

func TestElementOnlyElements(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]bool{
		"":                         true,
		" \t\r\n":                  true,
		"<x/>":                     true,
		"\n<x>text</x>\n<y/> ":     true,
		"a":                        false,
		"<x/>a":                    false,
		"a<x/>":                    false,
		"<x/>\u00a0":               false,
		"<x/>&#32;":                false, // nobody writes white space like this
		"<x/><![CDATA[ ]]>":        false, // nor like this
		"<x/><![CDATA[]]>":         false,
		"<x/><y>a</y><z> b </z>\n": true,
	} {
		if got := mustParse(t, "<e>"+content+"</e>").Root().OnlyElements(); got != want {
			t.Errorf("%q: got %v, want %v", content, got, want)
		}
	}
}

// What was allowed for the document is what its canonical forms may have.
func TestElementLimit(t *testing.T) {
	t.Parallel()
	if got := mustParse(t, "<e/>").Root().Limit(); got != xmltree.MaxBytes {
		t.Errorf("got %d, want %d", got, xmltree.MaxBytes)
	}
	doc, err := xmltree.Parse([]byte("<e>>>>></e>"), xmltree.Options{MaxBytes: 20})
	if err != nil {
		t.Fatal(err)
	}
	if got := doc.Root().Limit(); got != 20 {
		t.Errorf("got %d, want 20", got)
	}
	if got, err := doc.Root().Canonicalize(nil, xmltree.C14N{}); codeOf(err) != "too_large" || got != nil {
		t.Errorf("got %s (%v), want a fault too_large", got, err)
	}
}

// Many prefixes and namespaces are found as surely as few.
func TestManyNamespaces(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("<r>")
	names := []string{}
	for a := 'a'; a <= 'z'; a++ {
		for _, c := range "xyz" {
			p := string(a) + string(c)
			names = append(names, p)
			b.WriteString("<" + p + ":e xmlns:" + p + "='u:" + p + "' " + p + ":v='" + p + "'>")
			b.WriteString("<i" + " " + p + ":w='2'/></" + p + ":e>")
		}
	}
	b.WriteString("</r>")
	i := 0
	for e := range mustParse(t, b.String()).Root().Children() {
		space := "u:" + names[i]
		if e.Space() != space {
			t.Errorf("%d: namespace %q", i, e.Space())
		}
		form, err := e.Canonicalize(nil, xmltree.C14N{})
		p := names[i]
		want := "<" + p + ":e xmlns:" + p + `="` + space + `" ` + p + `:v="` + p + `"><i ` + p + `:w="2"></i></` + p +
			":e>"
		if err != nil || string(form) != want {
			t.Errorf("%d: got %s (%v), want %s", i, form, err, want)
		}
		i++
	}
	if i != len(names) {
		t.Errorf("%d elements, want %d", i, len(names))
	}
}

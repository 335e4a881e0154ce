package xmltree_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/iomete/saml/internal/fault"
	"github.com/iomete/saml/internal/xmltree"
)

// TestParseAtIsTheElementThatStoodThere cuts every element except the root out of random documents
// and reads it again in its place. It must mean the same and have the same canonical form by each
// method, also with a PrefixList.
func TestParseAtIsTheElementThatStoodThere(t *testing.T) {
	t.Parallel()
	g := newGenerator(41)
	elements := 0
	for range 300 {
		doc := mustParse(t, g.document(2))
		list := strings.Join(g.prefixList(), " ")
		for _, e := range allElements(doc)[1:] {
			again, err := cutOut(e)
			if err != nil {
				t.Fatalf("no end of %s is found:\n%s", e.Local(), xmltree.Source(e))
			}
			elements++
			if got, want := xmltree.Describe(again, xmltree.Element{}), xmltree.Describe(e,
				xmltree.Element{}); got != want {
				t.Fatalf("got\n%swant\n%s", got, want)
			}
			for _, how := range []xmltree.C14N{
				{PrefixList: list}, {Method: xmltree.Inclusive}, {Method: xmltree.Inclusive11},
			} {
				want, err1 := e.Canonicalize(nil, how)
				got, err2 := again.Canonicalize(nil, how)
				if (err1 == nil) != (err2 == nil) || !bytes.Equal(got, want) {
					t.Fatalf("%+v: got\n%s (%v)\nwant\n%s (%v)", how, got, err2, want, err1)
				}
			}
		}
	}
	t.Logf("%d elements", elements)
}

// cutOut reads the shortest text from the start of e that is one element in the place of e. That is
// e itself, because any shorter text is not well-formed.
func cutOut(e xmltree.Element) (found xmltree.Element, err error) {
	rest := xmltree.Source(e)
	for i := range len(rest) {
		if rest[i] != '>' {
			continue
		}
		if found, err = xmltree.ParseAt([]byte(rest[:i+1]), e.Parent()); err == nil {
			break
		}
	}
	return found, err
}

// TestParseAt reads what is allowed and what is not, at a place where these namespaces are
// declared.
func TestParseAt(t *testing.T) {
	t.Parallel()
	doc := mustParse(t, `<a:o xmlns="urn:d" xmlns:a="urn:a"><i xmlns="" xmlns:a="urn:inner"><place/></i></a:o>`)
	inner, outer := first(t, doc, "place"), doc.Root()
	for _, row := range []struct {
		name, src  string
		place      xmltree.Element
		want, code string // canonical form, or code of the refusal
	}{
		{"a prefix that is declared outside", `<a:x/>`, outer, `<a:x xmlns:a="urn:a"></a:x>`, ""},
		{"the innermost declaration counts", `<a:x/>`, inner, `<a:x xmlns:a="urn:inner"></a:x>`, ""},
		{"the default namespace of the place", `<x/>`, outer, `<x xmlns="urn:d"></x>`, ""},
		{"a default namespace that was undone", `<x/>`, inner, `<x></x>`, ""},
		{"a declaration of its own", `<a:x xmlns:a="urn:own"/>`, outer, `<a:x xmlns:a="urn:own"></a:x>`, ""},
		{"white space around", "\r\n <x/>\t", inner, `<x></x>`, ""},
		{"a prefix that is not declared there", `<p:x/>`, outer, "", fault.Namespace},
		{"nothing", ``, outer, "", fault.XMLSyntax},
		{"text before", `t<x/>`, outer, "", fault.XMLSyntax},
		{"text behind", `<x/>t`, outer, "", fault.XMLSyntax},
		{"a byte order mark", "\uFEFF<x/>", outer, "", fault.XMLSyntax},
		{"CDATA behind", `<x/><![CDATA[ ]]>`, outer, "", fault.XMLSyntax},
		{"two elements", `<x/><y/>`, outer, "", fault.XMLSyntax},
		{"a comment", `<x/><!-- -->`, outer, "", fault.Comment},
		{"an XML declaration", `<?xml version="1.0"?><x/>`, outer, "", fault.XMLDeclaration},
		{"a document type", `<!DOCTYPE x><x/>`, outer, "", fault.Doctype},
		{"an end tag too many", `<x/></place>`, outer, "", fault.XMLSyntax},
		{"what closes and opens around it", `</place><place>`, outer, "", fault.XMLSyntax},
		{"an element in each half", `<x/></place><place><y/>`, outer, "", fault.XMLSyntax},
		{"an element that is not closed", `<x>`, outer, "", fault.XMLSyntax},
		{"bytes that are not UTF-8", "<x>\xff</x>", outer, "", fault.Encoding},
	} {
		e, err := xmltree.ParseAt([]byte(row.src), row.place)
		if got := codeOf(err); got != row.code {
			t.Errorf("%s: got %q, want %q", row.name, got, row.code)
		}
		if err != nil {
			continue
		}
		if got, err := e.Canonicalize(nil, xmltree.C14N{}); string(got) != row.want {
			t.Errorf("%s: got %s, want %s (%v)", row.name, got, row.want, err)
		}
	}
}

func TestParseAtLimits(t *testing.T) {
	t.Parallel()
	declare := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, ` xmlns:p%d="urn:p"`, i)
		}
		return b.String()
	}
	doc := mustParse(t, `<o`+declare(32)+`><i xmlns:q="urn:q"/></o>`)
	if _, err := xmltree.ParseAt([]byte(`<p31:x/>`), doc.Root()); err != nil {
		t.Errorf("32 namespaces in scope: %v", err)
	}
	if _, err := xmltree.ParseAt([]byte(`<x/>`), first(t, doc, "i")); codeOf(err) != fault.TooLarge {
		t.Errorf("33 namespaces in scope: got %v, want %s", err, fault.TooLarge)
	}
	deep := strings.Repeat(`<i`+declare(31)+`>`, 60) + `<j xmlns:q="urn:q" xmlns:r="urn:r"/>` +
		strings.Repeat(`</i>`, 60)
	fits := mustParse(t, strings.Replace(deep, ` xmlns:q="urn:q"`, "", 1))
	if _, err := xmltree.ParseAt([]byte(`<r:x/>`), first(t, fits, "j")); err != nil {
		t.Errorf("32 namespaces in scope, 31 of them again and again: %v", err)
	}
	if _, err := xmltree.ParseAt([]byte(`<r:x/>`), first(t, mustParse(t, deep), "j")); codeOf(err) != fault.TooLarge {
		t.Errorf("33 namespaces in scope, 31 of them again and again: got %v, want %s", err, fault.TooLarge)
	}
	full := "<x>" + strings.Repeat("t", xmltree.MaxBytes-len("<x></x>")) + "</x>"
	e, err := xmltree.ParseAt([]byte(full), doc.Root())
	if err != nil {
		t.Fatalf("an element of 1 MiB: %v", err)
	}
	if _, err := xmltree.ParseAt([]byte(full+" "), doc.Root()); codeOf(err) != fault.TooLarge {
		t.Errorf("a byte more: got %v, want %s", err, fault.TooLarge)
	}
	if e.Limit() != xmltree.MaxBytes {
		t.Errorf("limit %d, want %d", e.Limit(), xmltree.MaxBytes)
	}
	if _, err := e.Canonicalize(nil, xmltree.C14N{}); err != nil {
		t.Errorf("its canonical form: %v", err)
	}
}

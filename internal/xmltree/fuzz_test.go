package xmltree_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/iomete/saml/internal/fault"
	"github.com/iomete/saml/internal/xmltree"
)

// FuzzParse looks for input that panics, or that is accepted and then read in another way than it
// is canonicalized, or in another way than encoding/xml reads it.
func FuzzParse(f *testing.F) {
	for _, c := range canonicalCases {
		f.Add([]byte(c.src), false)
	}
	for _, src := range []string{
		sample, family, string(entraResponse(2)),
		"", "<a>", "<a></b>", "<a/><b/>", "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "<a><?b?></a>",
		"<a>&#0;</a>", "<a>&#x110000;</a>", "<a b='1' b='2'/>", "<p:a/>", "<a xmlns:p=''/>", "<a xmlns='a'/>",
		"<a xmlns:xml='u:a'/>", "<a b='<'/>", "<a>]]></a>", "<a \xff/>", "<a><![CDATA[", "<?xml version='1.1'?><a/>",
	} {
		f.Add([]byte(src), false)
	}
	f.Add([]byte("<!-- 1 --><a>b<!-- 2 -->c</a><!---->"), true)
	f.Add([]byte("<a><!-- -- --></a>"), true)
	f.Fuzz(func(t *testing.T, src []byte, comments bool) {
		checkProperties(t, src, xmltree.Options{AllowComments: comments})
	})
}

// TestPropertiesOfRandomDocuments holds the properties that are fuzzed against the documents that
// libxml2 judges too.
func TestPropertiesOfRandomDocuments(t *testing.T) {
	t.Parallel()
	g := newGenerator(5)
	for i := range 300 {
		src := []byte(g.document(i % 7))
		if !checkProperties(t, src, messages) {
			t.Fatalf("refused: %s", src)
		}
	}
}

// checkProperties reports whether src was accepted.
func checkProperties(t *testing.T, src []byte, options xmltree.Options) bool {
	doc, err := xmltree.Parse(src, options)
	if err != nil {
		if doc != nil || !errors.As(err, new(*fault.Fault)) {
			t.Fatalf("got document %v and %v, want a fault alone", doc != nil, err)
		}
		return false
	}
	if !utf8.Valid(src) || len(src) > xmltree.MaxBytes {
		t.Fatal("not UTF-8 or too large, and accepted")
	}
	checkAgainstEncodingXML(t, src, doc)
	for i, e := range allElements(doc) {
		if i > 40 { // a deep document would take very long
			break
		}
		var omit xmltree.Element
		for c := range e.Children() {
			omit = c
		}
		list := strings.Join(xmltree.Prefixes(doc), " ")
		checkCanonical(t, e, xmltree.C14N{})
		checkCanonical(t, e, xmltree.C14N{PrefixList: list})
		checkCanonical(t, e, xmltree.C14N{PrefixList: list, Omit: omit})
		for _, method := range []xmltree.Method{xmltree.Inclusive, xmltree.Inclusive11} {
			checkCanonical(t, e, xmltree.C14N{Method: method, Omit: omit})
		}
	}
	return true
}

// checkCanonical: the canonical form is a document that says what the element said, and its own
// canonical form.
func checkCanonical(t *testing.T, e xmltree.Element, how xmltree.C14N) {
	t.Helper()
	form, err := e.Canonicalize(nil, how)
	if codeOf(err) == "too_large" {
		return // references and namespace names grow
	}
	if codeOf(err) == "canonicalization" && how.Method == xmltree.Inclusive11 && inheritsBase(e) {
		return
	}
	if err != nil {
		t.Fatalf("Canonicalize: %v", err)
	}
	again, err := xmltree.Parse(form, messages)
	if codeOf(err) == "too_large" {
		return // more declarations came together than one element may have
	}
	if err != nil {
		t.Fatalf("the canonical form is refused: %v\n%s", err, form)
	}
	if got, want := xmltree.Describe(again.Root(), xmltree.Element{}), xmltree.DescribeAs(e, how); got != want {
		t.Fatalf("the canonical form\n%s\nsays\n%s\nwant\n%s", form, got, want)
	}
	twice, err := again.Root().Canonicalize(nil, xmltree.C14N{Method: how.Method, PrefixList: how.PrefixList})
	if err != nil || !bytes.Equal(twice, form) {
		t.Fatalf("the canonical form\n%s\nhas another one\n%s (%v)", form, twice, err)
	}
}

// inheritsBase reports whether e or an element around it has an xml:base.
func inheritsBase(e xmltree.Element) bool {
	for ; e.Exists(); e = e.Parent() {
		if slices.Contains(xmltree.XMLAttributes(e), "base") {
			return true
		}
	}
	return false
}

// checkAgainstEncodingXML: what we accept encoding/xml accepts and reads in the same way, but for a
// few names. It does not normalize the white space of values.
func checkAgainstEncodingXML(t *testing.T, src []byte, doc *xmltree.Document) {
	t.Helper()
	if xmltree.HasOddName(doc) {
		return
	}
	got := xmltree.Describe(doc.Root(), xmltree.Element{})
	want, err := describeByEncodingXML(src)
	if err != nil {
		t.Fatalf("accepted, but encoding/xml says %v", err)
	}
	plain := strings.NewReplacer(`\t`, " ", `\n`, " ", `\r`, " ", `\\`, `\\`)
	if plain.Replace(got) != plain.Replace(want) {
		t.Fatalf("we read\n%s\nencoding/xml reads\n%s", got, want)
	}
}

// describeByEncodingXML returns what xmltree.Describe should return, by encoding/xml.
func describeByEncodingXML(src []byte) (string, error) {
	var b strings.Builder
	var text []byte
	flush := func() {
		if len(text) > 0 {
			fmt.Fprintf(&b, "text %q\n", text)
		}
		text = text[:0]
	}
	depth := 0
	for d := xml.NewDecoder(bytes.NewReader(src)); ; {
		token, err := d.Token()
		if err == io.EOF {
			return b.String(), nil
		}
		if err != nil {
			return "", err
		}
		switch token := token.(type) {
		case xml.StartElement:
			flush()
			depth++
			fmt.Fprintf(&b, "element {%s}%s\n", token.Name.Space, token.Name.Local)
			var lines []string
			for _, a := range token.Attr {
				if a.Name.Space != "xmlns" && (a.Name.Space != "" || a.Name.Local != "xmlns") {
					lines = append(lines, fmt.Sprintf("attribute {%s}%s %q\n", a.Name.Space, a.Name.Local, a.Value))
				}
			}
			slices.Sort(lines)
			b.WriteString(strings.Join(lines, ""))
		case xml.EndElement:
			flush()
			depth--
			b.WriteString("end\n")
		case xml.CharData:
			if depth > 0 {
				text = append(text, token...)
			}
		}
	}
}

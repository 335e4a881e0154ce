package xmltree_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/iomete/saml/internal/fault"
	"github.com/iomete/saml/internal/xmltree"
)

// A refusal is a document with one fault and its twin, which differs in nothing but the fault.
type refusal struct {
	name string
	bad  string
	code string
	good string
}

func checkRefusals(t *testing.T, options xmltree.Options, rows []refusal) {
	t.Helper()
	for _, tt := range rows {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			doc, err := xmltree.Parse([]byte(tt.bad), options)
			if codeOf(err) != tt.code || doc != nil {
				t.Errorf("%q: got document %v and %v, want a fault %s alone", shorten(tt.bad), doc != nil, err, tt.code)
			}
			if doc, err := xmltree.Parse([]byte(tt.good), options); err != nil || doc == nil {
				t.Errorf("twin %q: got %v, want a document", shorten(tt.good), err)
			}
		})
	}
}

var messages, metadata = xmltree.Options{}, xmltree.Options{AllowComments: true}

// RULES: characters and their encoding.

func TestParseCharacters(t *testing.T) {
	t.Parallel()
	text := func(s string) string { return "<a>" + s + "</a>" }
	rows := []refusal{
		{"solidus in two bytes", text("\xC0\xAF"), "encoding", text("/")},
		{"NUL in two bytes", text("\xC0\x80"), "encoding", text("\xC2\x80")},
		{"DEL in two bytes", text("\xC1\xBF"), "encoding", text("\xC2\xBF")},
		{"solidus in three bytes", text("\xE0\x80\xAF"), "encoding", text("\xE0\xA0\x80")},
		{"the last two-byte character in three bytes", text("\xE0\x9F\xBF"), "encoding", text("\xDF\xBF")},
		{"solidus in four bytes", text("\xF0\x80\x80\xAF"), "encoding", text("\xF0\x90\x80\x80")},
		{"the last three-byte character in four bytes", text("\xF0\x8F\xBF\xBD"), "encoding", text("\xEF\xBF\xBD")},
		{"five bytes", text("\xF8\x88\x80\x80\x80"), "encoding", text("\xF0\x90\x80\x80")},
		{"first high surrogate", text("\xED\xA0\x80"), "encoding", text("\xED\x9F\xBF")},
		{"last low surrogate", text("\xED\xBF\xBF"), "encoding", text("\xEE\x80\x80")},
		{"pair of surrogates in three bytes each", text("\xED\xA0\xBD\xED\xB8\x80"), "encoding",
			text("\xF0\x9F\x98\x80")},
		{"above the last code point", text("\xF4\x90\x80\x80"), "encoding", text("\xF4\x8F\xBF\xBD")},
		{"continuation byte alone", text("\x80"), "encoding", text("\xC2\x80")},
		{"lead byte alone", text("\xC3"), "encoding", text("\xC3\xA9")},
		{"Latin-1", text("caf\xE9"), "encoding", text("caf\xC3\xA9")},
		{"truncated at the end", "<a/>\xC3", "encoding", "<a/>"},
		{"bytes FE and FF", text("\xFE\xFF"), "encoding", text("\xC3\xBE\xC3\xBF")},
		{"U+FFFE", text("\uFFFE"), "encoding", text("\uFFFD")},
		{"U+FFFF", text("\uFFFF"), "encoding", text("\uFFFD")},
		{"first noncharacter of the Arabic block", text("\uFDD0"), "encoding", text("\uFDCF")},
		{"last noncharacter of the Arabic block", text("\uFDEF"), "encoding", text("\uFDF0")},
		{"last but one of plane 1", text("\U0001FFFE"), "encoding", text("\U0001FFFD")},
		{"last of plane 16", text("\U0010FFFF"), "encoding", text("\U0010FFFD")},
		{"NUL in text", text("\x00"), "encoding", text(" ")},
		{"NUL in a name", "<a\x00/>", "encoding", "<a/>"},
		{"NUL after the root", "<a/>\x00", "encoding", "<a/>"},
		{"control in a value", "<a b='\x01'/>", "encoding", "<a b=''/>"},
		{"control in a tag", "<a\x0B/>", "encoding", "<a\x0A/>"},
		{"control in a CDATA section", text("<![CDATA[\x1B]]>"), "encoding", text("<![CDATA[]]>")},
		{"control outside the root", "\x0C<a/>", "encoding", "\x0A<a/>"},
		{"UTF-16, little end first", "\xFF\xFE<\x00a\x00/\x00>\x00", "encoding", "<a/>"},
		{"UTF-16, big end first", "\xFE\xFF\x00<\x00a\x00/\x00>", "encoding", "<a/>"},
		{"UTF-16 without a mark", "<\x00a\x00/\x00>\x00", "encoding", "<a/>"},
	}
	for c := range byte(0x20) {
		if c != '\t' && c != '\n' && c != '\r' {
			rows = append(rows, refusal{fmt.Sprintf("control 0x%02X", c), text(string(c)), "encoding", text("\t\n\r")})
		}
	}
	checkRefusals(t, messages, rows)
	checkRefusals(t, metadata, []refusal{
		{"control in a comment", "<a><!--\x01--></a>", "encoding", "<a><!-- --></a>"},
	})
}

// The check of characters looks at eight bytes at a time if it can. It finds a bad byte at every
// offset.
func TestParseFindsABadByteAtEveryOffset(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"\x00", "\x1F", "\x80", "\xFF", "\uFFFE"} {
		for offset := range 40 {
			for _, length := range []int{offset, offset + 1, offset + 7, offset + 8, offset + 20} {
				src := "<a>" + strings.Repeat("x", offset) + bad + strings.Repeat("x", length-offset) + "</a>"
				if doc, err := xmltree.Parse([]byte(src), messages); codeOf(err) != "encoding" || doc != nil {
					t.Fatalf("%q: got %v, want a fault encoding", src, err)
				}
			}
		}
	}
}

func TestParseAcceptsEveryOtherCharacter(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for r := rune(0x20); r <= 0x10FFFD; r++ {
		surrogate := 0xD800 <= r && r <= 0xDFFF
		noncharacter := 0xFDD0 <= r && r <= 0xFDEF || r&0xFFFF >= 0xFFFE
		if !surrogate && !noncharacter && !strings.ContainsRune("<&>", r) {
			b.WriteRune(r)
		}
	}
	want := b.String()
	doc, err := xmltree.Parse([]byte("<a>"+want+"</a>"), xmltree.Options{MaxBytes: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := doc.Root().Text(); !ok || got != want {
		t.Error("the text is not what was written")
	}
}

func TestParseByteOrderMark(t *testing.T) {
	t.Parallel()
	const bom = "\uFEFF"
	checkRefusals(t, messages, []refusal{
		{"twice", bom + bom + "<a/>", "xml_syntax", bom + "<a/>"},
		{"after a blank", " " + bom + "<a/>", "xml_syntax", bom + " <a/>"},
		{"between declaration and root", `<?xml version="1.0"?>` + bom + "<a/>", "xml_syntax",
			bom + `<?xml version="1.0"?><a/>`},
		{"after the root", "<a/>" + bom, "xml_syntax", bom + "<a/>"},
		{"alone", bom, "xml_syntax", bom + "<a/>"},
		{"in place of a blank", "<a b=''" + bom + "c=''/>", "xml_syntax", "<a b='' c=''/>"},
		{"half of it", bom[:2] + "<a/>", "encoding", bom + "<a/>"},
	})
	// Elsewhere it is a character like others: a zero width no-break space.
	e := mustParse(t, bom+"<a b='"+bom+"'>"+bom+"</a>").Root()
	text, _ := e.Text()
	value, _ := e.Attr("b")
	if text != bom || value != bom {
		t.Errorf("text %q and value %q, want U+FEFF", text, value)
	}
}

// RULES: the XML declaration.

func TestParseDeclaration(t *testing.T) {
	t.Parallel()
	root := func(declaration string) string { return declaration + "<a/>" }
	const plain = `<?xml version="1.0"?>`
	full := root(`<?xml version="1.0" encoding="UTF-8" standalone="yes"?>`)
	checkRefusals(t, messages, []refusal{
		{"version 1.1", root(`<?xml version="1.1"?>`), "xml_declaration", root(plain)},
		{"version 1", root(`<?xml version="1"?>`), "xml_declaration", root(plain)},
		{"version 1.0 with a blank", root(`<?xml version="1.0 "?>`), "xml_declaration", root(plain)},
		{"empty version", root(`<?xml version=""?>`), "xml_declaration", root(plain)},
		{"no version", root(`<?xml encoding="UTF-8"?>`), "xml_declaration",
			root(`<?xml version="1.0" encoding="UTF-8"?>`)},
		{"nothing", root(`<?xml ?>`), "xml_declaration", root(plain)},
		{"a value without a name", root(`<?xml ="1.0"?>`), "xml_declaration", root(plain)},
		{"not even a blank", root(`<?xml?>`), "xml_declaration", root(plain)},
		{"version in capitals", root(`<?xml VERSION="1.0"?>`), "xml_declaration", root(plain)},
		{"version without quotes", root(`<?xml version=1.0?>`), "xml_declaration", root(plain)},
		{"version between other characters than quotes", root(`<?xml version=x1.0x?>`), "xml_declaration", root(plain)},
		{"version with unlike quotes", root(`<?xml version="1.0'?>`), "xml_declaration", root(`<?xml version='1.0'?>`)},
		{"version without its end", root(`<?xml version="1.0?>`), "xml_declaration", root(plain)},
		{"version without its value", root(`<?xml version=?>`), "xml_declaration", root(plain)},
		{"encoding without its value", root(`<?xml version="1.0" encoding=?>`), "xml_declaration",
			root(`<?xml version="1.0" encoding="UTF-8"?>`)},
		{"version without equals sign", root(`<?xml version "1.0"?>`), "xml_declaration", root(plain)},
		{"version twice", root(`<?xml version="1.0" version="1.0"?>`), "xml_declaration", root(plain)},
		{"Latin-1", root(`<?xml version="1.0" encoding="ISO-8859-1"?>`), "xml_declaration",
			root(`<?xml version="1.0" encoding="utf-8"?>`)},
		{"UTF-16", root(`<?xml version="1.0" encoding="UTF-16"?>`), "xml_declaration",
			root(`<?xml version="1.0" encoding="UTF-8"?>`)},
		{"US-ASCII", root(`<?xml version="1.0" encoding="US-ASCII"?>`), "xml_declaration",
			root(`<?xml version="1.0" encoding="Utf-8"?>`)},
		{"UTF8 without hyphen", root(`<?xml version="1.0" encoding="UTF8"?>`), "xml_declaration",
			root(`<?xml version="1.0" encoding="UTF-8"?>`)},
		{"empty encoding", root(`<?xml version="1.0" encoding=""?>`), "xml_declaration", root(plain)},
		{"encoding twice", root(`<?xml version="1.0" encoding="UTF-8" encoding="UTF-8"?>`), "xml_declaration",
			root(`<?xml version="1.0" encoding="UTF-8"?>`)},
		{"encoding before version", root(`<?xml encoding="UTF-8" version="1.0"?>`), "xml_declaration",
			root(`<?xml version="1.0" encoding="UTF-8"?>`)},
		{"standalone before encoding", root(`<?xml version="1.0" standalone="yes" encoding="UTF-8"?>`),
			"xml_declaration", full},
		{"standalone maybe", root(`<?xml version="1.0" standalone="maybe"?>`), "xml_declaration",
			root(`<?xml version="1.0" standalone="no"?>`)},
		{"standalone in capitals", root(`<?xml version="1.0" standalone="YES"?>`), "xml_declaration",
			root(`<?xml version="1.0" standalone="yes"?>`)},
		{"no blank before encoding", root(`<?xml version="1.0"encoding="UTF-8"?>`), "xml_declaration",
			root(`<?xml version="1.0" encoding="UTF-8"?>`)},
		{"no blank before standalone", root(`<?xml version="1.0" encoding="UTF-8"standalone="yes"?>`),
			"xml_declaration", full},
		{"something else", root(`<?xml version="1.0" a="b"?>`), "xml_declaration", root(plain)},
		{"text at its end", root(`<?xml version="1.0" x?>`), "xml_declaration", root(`<?xml version="1.0" ?>`)},
		{"no end", `<?xml version="1.0">` + "<a/>", "xml_declaration", root(plain)},
		{"blank before it", " " + root(plain), "xml_declaration", root(plain)},
		{"line end before it", "\n" + root(plain), "xml_declaration", root(plain)},
		{"twice", plain + root(plain), "xml_declaration", root(plain)},
		{"after the root", "<a/>" + plain, "xml_declaration", root(plain)},
		{"in the root", "<a>" + plain + "</a>", "xml_declaration", plain + "<a></a>"},
		{"name in capitals", root(`<?XML version="1.0"?>`), "comment", root(plain)},
		{"another name that begins like it", root(`<?xml-stylesheet href="a"?>`), "comment", "<a/>"},
	})
	for _, good := range []string{
		plain, `<?xml version='1.0' encoding='utf-8' standalone='no'?>`, "<?xml\tversion = \"1.0\"\r\nencoding\n=\n'UTF-8' ?>",
		`<?xml version="1.0" standalone="yes"?>`, plain + "\r\n",
	} {
		mustParse(t, root(good))
	}
}

// RULES: DOCTYPE and its like, processing instructions, comments, CDATA.

func TestParseDoctype(t *testing.T) {
	t.Parallel()
	rows := []refusal{
		{"before the root", "<!DOCTYPE a><a/>", "doctype", "<a/>"},
		{"after the declaration", `<?xml version="1.0"?><!DOCTYPE a><a/>`, "doctype", `<?xml version="1.0"?><a/>`},
		{"with a system identifier", `<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>`, "doctype", "<a/>"},
		{"with entities", `<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`, "doctype", "<a>b</a>"},
		{"with a default attribute", `<!DOCTYPE a [<!ATTLIST a ID CDATA "x">]><a/>`, "doctype", `<a ID="x"/>`},
		{"after the root", "<a/><!DOCTYPE a>", "doctype", "<a/>"},
		{"in the root", "<a><!DOCTYPE a></a>", "doctype", "<a></a>"},
		{"in small letters", "<!doctype a><a/>", "doctype", "<a/>"},
		{"without its end", "<!DOCTYPE", "doctype", "<a/>"},
		{"another declaration", "<a><!ENTITY b 'c'></a>", "doctype", "<a></a>"},
		{"conditional section", "<a><![INCLUDE[b]]></a>", "doctype", "<a><![CDATA[b]]></a>"},
		{"CDATA in small letters", "<a><![cdata[b]]></a>", "doctype", "<a><![CDATA[b]]></a>"},
		{"CDATA with a blank", "<a><![CDATA [b]]></a>", "doctype", "<a><![CDATA[b]]></a>"},
		{"one hyphen", "<a><!-b--></a>", "doctype", "<a>b</a>"},
	}
	checkRefusals(t, messages, rows)
	checkRefusals(t, metadata, rows)
}

func TestParseProcessingInstructions(t *testing.T) {
	t.Parallel()
	rows := []refusal{
		{"in the root", "<a>b<?b?>c</a>", "comment", "<a>bc</a>"},
		{"after the root", "<a/><?b?>", "comment", "<a/>"},
		{"without a name", "<a><? ?></a>", "comment", "<a> </a>"},
		{"without its end", "<a><?b</a>", "comment", "<a>b</a>"},
		{"before the root without a name", "<? b?><a/>", "comment", "<a/>"},
		{"before the root with a colon in its name", "<?b:c d?><a/>", "comment", "<a/>"},
		{"before the root with a reserved name", "<?XML b?><a/>", "comment", "<a/>"},
		{"before the root without its end", "<?b c<a/>", "comment", "<a/>"},
		{"that ends as a tag does", "<?b c><a/>", "comment", "<a/>"},
	}
	checkRefusals(t, messages, rows)
	checkRefusals(t, metadata, rows)
	before := []refusal{
		{"before the root", "<?b c?><a/>", "comment", "<a/>"},
		{"after the declaration", `<?xml version="1.0"?><?b c?><a/>`, "comment", `<?xml version="1.0"?><a/>`},
		{"with a line break behind its name", "<?b\nc?><a/>", "comment", "<a/>"},
		{"two", "<?b?>\n<?c <a>?><a/>", "comment", "<a/>"},
	}
	checkRefusals(t, messages, before)
	for _, row := range before { // a stylesheet, for instance
		doc, err := xmltree.Parse([]byte(row.bad), metadata)
		if err != nil || doc.Root().Local() != "a" {
			t.Errorf("in metadata, %s: got %v, want the root", row.name, err)
		}
	}
}

func TestParseComments(t *testing.T) {
	t.Parallel()
	checkRefusals(t, messages, []refusal{
		{"before the root", "<!-- b --><a/>", "comment", "<a/>"},
		{"in a text", "<a>admin@example.com<!-- b -->.example.net</a>", "comment",
			"<a>admin@example.com.example.net</a>"},
		{"empty", "<a><!----></a>", "comment", "<a></a>"},
		{"after the root", "<a/><!-- b -->", "comment", "<a/>"},
		{"without its end", "<a><!-- b</a>", "comment", "<a> b</a>"},
	})
	checkRefusals(t, metadata, []refusal{
		{"two hyphens in it", "<a><!-- b -- c --></a>", "xml_syntax", "<a><!-- b - - c --></a>"},
		{"three hyphens at its end", "<a><!-- b ---></a>", "xml_syntax", "<a><!-- b --></a>"},
		{"without its end", "<a/><!-- b", "xml_syntax", "<a/><!-- b -->"},
		{"with half its end", "<a/><!-- b --", "xml_syntax", "<a/><!-- b -->"},
		{"its beginning is not its end", "<a><!--></a>", "xml_syntax", "<a><!----></a>"},
		{"nor is that with one more hyphen", "<a><!---></a>", "xml_syntax", "<a><!-- --></a>"},
		{"in a tag", "<a <!-- b -->/>", "xml_syntax", "<a/><!-- b -->"},
		{"in a value", "<a b='<!-- c -->'/>", "xml_syntax", "<a b=''/><!-- c -->"},
		{"before the declaration", `<!-- b --><?xml version="1.0"?><a/>`, "xml_declaration",
			`<?xml version="1.0"?><!-- b --><a/>`},
	})
	// Where they are allowed they do not cut a text into pieces that a reader could miss.
	doc, err := xmltree.Parse([]byte("<!--1--><a>b<!-- <x> & ]]> -->c<!---->d</a><!--2-->\n"), metadata)
	if err != nil {
		t.Fatal(err)
	}
	if text, ok := doc.Root().Text(); !ok || text != "bcd" {
		t.Errorf("text is %q, %v, want bcd", text, ok)
	}
}

// TestHadComments: those inside of the root count, since a canonical form may want to keep them.
func TestHadComments(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]bool{
		"<a>b</a>": false, "<!-- b --><a/><!-- c -->": false, "<!-- b --><a><!-- c --><d/></a>": true, "<a><b><!----></b></a>": true, "<a><!-- b --></a><!-- c -->": true,
	} {
		doc, err := xmltree.Parse([]byte(src), metadata)
		if err != nil {
			t.Fatal(err)
		}
		if got := doc.Root().HadComments(); got != want {
			t.Errorf("%s: HadComments is %t, want %t", src, got, want)
		}
	}
}

func TestParseCDATA(t *testing.T) {
	t.Parallel()
	checkRefusals(t, messages, []refusal{
		{"without its end", "<a><![CDATA[b</a>", "xml_syntax", "<a><![CDATA[b]]></a>"},
		{"with half its end", "<a><![CDATA[b]]</a>", "xml_syntax", "<a><![CDATA[b]]]]></a>"},
		{"end without a beginning", "<a>b]]></a>", "xml_syntax", "<a>b]]&gt;</a>"},
		{"end twice", "<a><![CDATA[b]]>]]></a>", "xml_syntax", "<a><![CDATA[b]]>]]</a>"},
		{"before the root", "<![CDATA[]]><a/>", "xml_syntax", "<a><![CDATA[]]></a>"},
		{"after the root", "<a/><![CDATA[ ]]>", "xml_syntax", "<a><![CDATA[ ]]></a>"},
		{"in a value", "<a b='<![CDATA[]]>'/>", "xml_syntax", "<a b='![CDATA[]]>'/>"},
	})
}

// RULES: references.

func TestParseReferences(t *testing.T) {
	t.Parallel()
	bad := []struct{ name, bad, good string }{
		{"entity of HTML", "&nbsp;", "&#160;"},
		{"unknown entity", "&b;", "&amp;"},
		{"entity in capitals", "&AMP;", "&amp;"},
		{"entity with a blank", "&amp ;", "&amp; "},
		{"blank before the name", "& amp;", " &amp;"},
		{"entity without semicolon", "&amp", "&amp;"},
		{"entity cut short", "&am;", "&amp;"},
		{"no name", "&;", "&amp;"},
		{"ampersand alone", "b & c", "b &amp; c"},
		{"ampersand at the end", "&", "&amp;"},
		{"second of two", "&amp;&", "&amp;&amp;"},
		{"parameter entity", "&%b;", "&amp;%b;"},
		{"NUL", "&#0;", "&#9;"},
		{"NUL, hexadecimal", "&#x0;", "&#xA;"},
		{"control", "&#8;", "&#9;"},
		{"control, hexadecimal", "&#x1f;", "&#x20;"},
		{"form feed", "&#12;", "&#13;"},
		{"first surrogate", "&#xD800;", "&#xD7FF;"},
		{"last surrogate", "&#57343;", "&#57344;"},
		{"pair of surrogates", "&#xD83D;&#xDE00;", "&#x1F600;"},
		{"U+FFFE", "&#xFFFE;", "&#xFFFD;"},
		{"U+FFFF", "&#65535;", "&#65533;"},
		{"noncharacter", "&#xFDD0;", "&#xFDCF;"},
		{"noncharacter of plane 15", "&#xFFFFF;", "&#xFFFFD;"},
		{"above the last code point", "&#x110000;", "&#x10FFFD;"},
		{"above 32 bits", "&#x100000041;", "&#x41;"},
		{"above 64 bits", "&#x10000000000000041;", "&#x41;"},
		{"more digits than anyone needs", "&#x000000041;", "&#x00000041;"},
		{"more decimal digits than anyone needs", "&#0000000065;", "&#000000065;"},
		{"no digits", "&#;", "&#49;"},
		{"no hexadecimal digits", "&#x;", "&#x1f4;"},
		{"capital X", "&#X41;", "&#x41;"},
		{"hexadecimal digit in a decimal number", "&#4A;", "&#x4A;"},
		{"no digit at all", "&#x4G;", "&#x4F;"},
		{"plus sign", "&#+65;", "&#65;"},
		{"minus sign", "&#-65;", "&#65;"},
		{"underscore", "&#6_5;", "&#65;"},
		{"blank among the digits", "&#6 5;", "&#65;"},
		{"blank before the number", "&# 65;", "&#65;"},
		{"digits of another script", "&#\u0666;", "&#65;"},
		{"number without semicolon", "&#65", "&#65;"},
		{"number without its sign", "&65;", "&#65;"},
		{"hexadecimal number without its sign", "&x41;", "&#x41;"},
	}
	var rows []refusal
	for _, b := range bad {
		rows = append(rows,
			refusal{b.name + ", in text", "<a>" + b.bad + "</a>", "entity", "<a>" + b.good + "</a>"},
			refusal{b.name + ", in a value", `<a b="` + b.bad + `"/>`, "entity", `<a b="` + b.good + `"/>`})
	}
	rows = append(rows,
		refusal{"reference outside the root", "&#32;<a/>", "xml_syntax", " <a/>"},
		refusal{"reference in a name", "<a&#98;/>", "xml_syntax", "<ab/>"},
		refusal{"reference for a quote", "<a b=&quot;c&quot;/>", "xml_syntax", "<a b='&quot;c&quot;'/>"},
		refusal{"reference in a namespace name", "<a xmlns='u:&b;'/>", "entity", "<a xmlns='u:&#98;'/>"})
	checkRefusals(t, messages, rows)

	const all = "&amp;&lt;&gt;&quot;&apos;&#65;&#x41;&#x00000041;&#000000065;&#xe9;&#xE9;&#x10FFFD;&#x1F600;"
	e := mustParse(t, `<a b="`+all+`">`+all+`</a>`).Root()
	text, _ := e.Text()
	value, _ := e.Attr("b")
	if want := "&<>\"'AAAA\u00e9\u00e9\U0010FFFD\U0001F600"; text != want || value != want {
		t.Errorf("text %q and value %q, want %q", text, value, want)
	}
}

// RULES: one root, tags that fit.

func TestParseSyntax(t *testing.T) {
	t.Parallel()
	checkRefusals(t, messages, []refusal{
		{"nothing", "", "xml_syntax", "<a/>"},
		{"white space only", " \r\n\t", "xml_syntax", " \r\n\t<a/>"},
		{"declaration only", `<?xml version="1.0"?>`, "xml_syntax", `<?xml version="1.0"?><a/>`},
		{"two roots", "<a/><b/>", "xml_syntax", "<a/>"},
		{"two roots with tags at both ends", "<a></a><a></a>", "xml_syntax", "<a></a>"},
		{"text before the root", "x<a/>", "xml_syntax", "\n<a/>"},
		{"text after the root", "<a/>x", "xml_syntax", "<a/>\n"},
		{"no-break space after the root", "<a/>\u00a0", "xml_syntax", "<a/> "},
		{"end tag before the root", "</a>", "xml_syntax", "<a></a>"},
		{"end tag too many", "<a></a></a>", "xml_syntax", "<a></a>"},
		{"end tag missing", "<a><b></b>", "xml_syntax", "<a><b></b></a>"},
		{"end tags crossed", "<a><b></a></b>", "xml_syntax", "<a><b></b></a>"},
		{"end tag with another name", "<a></b>", "xml_syntax", "<a></a>"},
		{"end tag in capitals", "<a></A>", "xml_syntax", "<a></a>"},
		{"end tag with a longer name", "<a></ab>", "xml_syntax", "<a></a>"},
		{"end tag with a shorter name", "<ab></a>", "xml_syntax", "<ab></ab>"},
		{"end tag with another prefix of the same namespace", "<a:e xmlns:a='u:a' xmlns:b='u:a'></b:e>", "xml_syntax",
			"<a:e xmlns:a='u:a' xmlns:b='u:a'></a:e>"},
		{"end tag without the prefix", "<a:e xmlns:a='u:a' xmlns='u:a'></e>", "xml_syntax",
			"<a:e xmlns:a='u:a' xmlns='u:a'></a:e>"},
		{"end tag with an attribute", "<a></a b='c'>", "xml_syntax", "<a></a\n>"},
		{"end tag with a blank at its start", "<a></ a>", "xml_syntax", "<a></a >"},
		{"end tag that is empty too", "<a></a/>", "xml_syntax", "<a></a>"},
		{"end tag without its end", "<a></a", "xml_syntax", "<a></a>"},
		{"tag without its end", "<a", "xml_syntax", "<a/>"},
		{"tag within a tag", "<a<b/>", "xml_syntax", "<a/>"},
		{"empty tag without its end", "<a/", "xml_syntax", "<a/>"},
		{"blank in the end of an empty tag", "<a/ >", "xml_syntax", "<a />"},
		{"solidus in a tag", "<a / b='c'>", "xml_syntax", "<a b='c' />"},
		{"blank before a name", "< a/>", "xml_syntax", "<a />"},
		{"tags without a name", "<></>", "xml_syntax", "<a></a>"},
		{"tag without a name in another", "<a></></a>", "xml_syntax", "<a><b/></a>"},
		{"blank before an attribute in a tag without a name", "< a=''></>", "xml_syntax", "<a a=''></a>"},
		{"less-than sign in text", "<a>1 < 2</a>", "xml_syntax", "<a>1 &lt; 2</a>"},
		{"less-than sign at the end", "<a/><", "xml_syntax", "<a/>"},
		{"less-than sign in a value", "<a b='<'/>", "xml_syntax", "<a b='>'/>"},
		{"attributes without a blank between", `<a b="1"c="2"/>`, "xml_syntax", `<a b="1" c="2"/>`},
		{"attribute without a blank before it", `<a"b"/>`, "xml_syntax", `<a b=""/>`},
		{"attribute without a value", `<a b/>`, "xml_syntax", `<a b=""/>`},
		{"attribute without equals sign", `<a b"c"/>`, "xml_syntax", `<a b="c"/>`},
		{"attribute with two equals signs", `<a b=="c"/>`, "xml_syntax", `<a b="=c"/>`},
		{"attribute without quotes", `<a b=c/>`, "xml_syntax", `<a b="c"/>`},
		{"attribute with one quote", `<a b="c/>`, "xml_syntax", `<a b="c"/>`},
		{"attribute with unlike quotes", `<a b="c'/>`, "xml_syntax", `<a b="c'"/>`},
		{"attribute with typographic quotes", "<a b=\u201cc\u201d/>", "xml_syntax", "<a b='\u201cc\u201d'/>"},
		{"attribute without a name", `<a ="c"/>`, "xml_syntax", `<a b="c"/>`},
		{"value that is cut off", `<a b=`, "xml_syntax", `<a b=""/>`},
		{"no-break space between attributes", "<a\u00a0b='c'/>", "xml_syntax", "<a b='c'/>"},
	})
}

// RULES: names.

// The ranges of XML 1.0, fifth edition, §2.3, productions [4] and [4a], without the colon.
var (
	nameStartRanges = [][2]rune{
		{'A', 'Z'}, {'_', '_'}, {'a', 'z'}, {0xC0, 0xD6}, {0xD8, 0xF6}, {0xF8, 0x2FF}, {0x370, 0x37D},
		{0x37F, 0x1FFF}, {0x200C, 0x200D}, {0x2070, 0x218F}, {0x2C00, 0x2FEF}, {0x3001, 0xD7FF},
		{0xF900, 0xFDCF}, {0xFDF0, 0xFFFD}, {0x10000, 0xEFFFF},
	}
	moreNameRanges = [][2]rune{{'-', '-'}, {'.', '.'}, {'0', '9'}, {0xB7, 0xB7}, {0x300, 0x36F}, {0x203F, 0x2040}}
)

func within(r rune, ranges ...[2]rune) bool {
	for _, x := range ranges {
		if x[0] <= r && r <= x[1] {
			return true
		}
	}
	return false
}

// TestIsID tries every character, in every place, and the lengths around the limit.
func TestIsID(t *testing.T) {
	t.Parallel()
	const allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-:+=/"
	for r := rune(0); r < 0x300; r++ {
		want := strings.ContainsRune(allowed, r)
		for _, s := range []string{string(r), string(r) + "a", "a" + string(r), "a" + string(r) + "a"} {
			if got := xmltree.IsID(s); got != want {
				t.Errorf("%q: got %v, want %v", s, got, want)
			}
		}
	}
	for s, want := range map[string]bool{
		"":                       false,
		strings.Repeat("a", 256): true,
		strings.Repeat("a", 257): false,
		"a\xff":                  false,
		"\u212A":                 false, // KELVIN SIGN, a letter K for some
		"00ed9a13-a7b5-4a91":     true,
		"id\uFF11":               false, // a digit beyond ASCII
	} {
		if got := xmltree.IsID(s); got != want {
			t.Errorf("%q: got %v, want %v", s, got, want)
		}
	}
}

func TestIsNCName(t *testing.T) {
	t.Parallel()
	for r := rune(0); r <= 0x10FFFF; r++ {
		if 0xD800 <= r && r <= 0xDFFF {
			continue
		}
		first := within(r, nameStartRanges...)
		if got := xmltree.IsNCName(string(r) + "x"); got != first {
			t.Fatalf("U+%04X at the start: got %v, want %v", r, got, first)
		}
		later := first || within(r, moreNameRanges...)
		if got := xmltree.IsNCName("x" + string(r)); got != later {
			t.Fatalf("U+%04X after the start: got %v, want %v", r, got, later)
		}
	}
	for name, want := range map[string]bool{
		"": false, "a": true, "_1": true, "1a": false, "-a": false, "a:b": false, "a b": false, " a": false, "a ": false,
		"a\n": false, "#a": false, "a\xff": false, "\xc3": false, "a\xed\xa0\x80": false,
	} {
		if got := xmltree.IsNCName(name); got != want {
			t.Errorf("%q: got %v, want %v", name, got, want)
		}
	}
}

// Names in tags follow the same ranges. They have at most one colon, neither first nor last.
func TestParseNames(t *testing.T) {
	t.Parallel()
	// The borders of the ranges, on both sides, and all of ASCII that does not mean something else
	// in a tag.
	var runes []rune
	for r := rune(0x21); r < 0x7F; r++ {
		if !strings.ContainsRune(`:/>=!?&`, r) {
			runes = append(runes, r)
		}
	}
	for _, x := range append(nameStartRanges, moreNameRanges...) {
		runes = append(runes, x[0]-1, x[0], x[1], x[1]+1)
	}
	for _, r := range runes {
		if r <= 0x20 || strings.ContainsRune(`:/>=!?&`, r) ||
			0xD800 <= r && r <= 0xDFFF || 0xFDD0 <= r && r <= 0xFDEF || r&0xFFFE == 0xFFFE {
			continue // no character at all, or one that is something else in a tag
		}
		first := within(r, nameStartRanges...)
		for _, name := range []struct {
			text string
			ok   bool
		}{{string(r), first}, {string(r) + "x", first}, {"x" + string(r), first || within(r, moreNameRanges...)}} {
			for form, src := range map[string]string{
				"element":               "<" + name.text + "/>",
				"attribute":             "<e " + name.text + "=''/>",
				"local of an element":   "<p:" + name.text + " xmlns:p='u:p'/>",
				"local of an attribute": "<e xmlns:p='u:p' p:" + name.text + "=''/>",
				"prefix":                "<" + name.text + ":e xmlns:" + name.text + "='u:p'/>",
			} {
				want := "xml_syntax"
				if name.ok {
					want = ""
				}
				if _, err := xmltree.Parse([]byte(src), messages); codeOf(err) != want {
					t.Errorf("%s %q (U+%04X): got %v, want code %q", form, src, r, err, want)
				}
			}
		}
	}
	const p = " xmlns:p='u:p'"
	checkRefusals(t, messages, []refusal{
		{"colon at the start of an element", "<:e" + p + "/>", "xml_syntax", "<p:e" + p + "/>"},
		{"colon at the end of an element", "<p:" + p + "/>", "xml_syntax", "<p:e" + p + "/>"},
		{"colon alone", "<:/>", "xml_syntax", "<e/>"},
		{"two colons in an element", "<p:e:f" + p + "/>", "xml_syntax", "<p:e.f" + p + "/>"},
		{"double colon", "<p::e" + p + "/>", "xml_syntax", "<p:e" + p + "/>"},
		{"local name that begins with a digit", "<p:1" + p + "/>", "xml_syntax", "<p:e1" + p + "/>"},
		{"prefix that begins with a digit", "<1p:e xmlns:p1='u:p'/>", "xml_syntax", "<p1:e xmlns:p1='u:p'/>"},
		{"colon at the start of an attribute", "<e" + p + " :a=''/>", "xml_syntax", "<e" + p + " p:a=''/>"},
		{"colon at the end of an attribute", "<e" + p + " p:=''/>", "xml_syntax", "<e" + p + " p:a=''/>"},
		{"two colons in an attribute", "<e" + p + " p:a:b=''/>", "xml_syntax", "<e" + p + " p:a=''/>"},
		{"declaration of no prefix", "<e xmlns:='u:p'/>", "xml_syntax", "<e xmlns='u:p'/>"},
		{"declaration of a prefix with a colon", "<e xmlns:p:q='u:p'/>", "xml_syntax", "<e xmlns:p.q='u:p'/>"},
		{"declaration of a prefix that is no name", "<e xmlns:1='u:p'/>", "xml_syntax", "<e xmlns:p1='u:p'/>"},
	})
}

// RULES: namespaces.

func TestParseNamespaces(t *testing.T) {
	t.Parallel()
	const xmlNS, xmlnsNS = "http://www.w3.org/XML/1998/namespace", "http://www.w3.org/2000/xmlns/"
	declare := func(name, space string) string { return "<e " + name + "='" + space + "'/>" }
	checkRefusals(t, messages, []refusal{
		{"prefix of an element not declared", "<p:e/>", "namespace", "<p:e xmlns:p='u:p'/>"},
		{"prefix of an attribute not declared", "<e p:a=''/>", "namespace", "<e xmlns:p='u:p' p:a=''/>"},
		{"prefix declared by a sibling", "<r><a xmlns:p='u:p'/><p:e/></r>", "namespace",
			"<r xmlns:p='u:p'><a/><p:e/></r>"},
		{"prefix declared by a sibling with an end tag", "<r><a xmlns:p='u:p'></a><p:e/></r>", "namespace",
			"<r><a xmlns:p='u:p'><p:e/></a></r>"},
		{"prefix declared by a child", "<p:r><a xmlns:p='u:p'/></p:r>", "namespace",
			"<p:r xmlns:p='u:p'><a xmlns:p='u:p'/></p:r>"},
		{"prefix declared in other letters", "<P:e xmlns:p='u:p'/>", "namespace", "<P:e xmlns:P='u:p'/>"},
		{"prefix undeclared", "<r xmlns:p='u:p'><e xmlns:p=''/></r>", "namespace", "<r xmlns='u:p'><e xmlns=''/></r>"},
		{"undeclared prefix that was never declared", declare("xmlns:p", ""), "namespace", declare("xmlns", "")},
		{"element with the prefix xmlns", "<xmlns:e/>", "namespace", "<xml:e/>"},
		{"prefix xmlns declared", declare("xmlns:xmlns", "u:p"), "namespace", declare("xmlns:p", "u:p")},
		{"prefix xmlns declared as it is", declare("xmlns:xmlns", xmlnsNS), "namespace", declare("xmlns:xml", xmlNS)},
		{"namespace xmlns with a prefix", declare("xmlns:p", xmlnsNS), "namespace", declare("xmlns:p", xmlnsNS+"x")},
		{"namespace xmlns as default", declare("xmlns", xmlnsNS), "namespace", declare("xmlns", xmlnsNS+"x")},
		{"prefix xml bound to something else", declare("xmlns:xml", "u:p"), "namespace", declare("xmlns:xml", xmlNS)},
		{"prefix xml undeclared", declare("xmlns:xml", ""), "namespace", declare("xmlns:xml", xmlNS)},
		{"namespace xml with another prefix", declare("xmlns:p", xmlNS), "namespace", declare("xmlns:p", xmlNS+"x")},
		{"namespace xml as default", declare("xmlns", xmlNS), "namespace", declare("xmlns", xmlNS+"x")},

		{"relative name", declare("xmlns", "a"), "namespace", declare("xmlns", "u:a")},
		{"relative path", declare("xmlns:p", "../a"), "namespace", declare("xmlns:p", "u:../a")},
		{"absolute path", declare("xmlns", "/a"), "namespace", declare("xmlns", "u:/a")},
		{"host without a scheme", declare("xmlns", "//a/b"), "namespace", declare("xmlns", "http://a/b")},
		{"fragment", declare("xmlns", "#a"), "namespace", declare("xmlns", "u:#a")},
		{"scheme that begins with a digit", declare("xmlns", "1a:b"), "namespace", declare("xmlns", "a1:b")},
		{"scheme with an underscore", declare("xmlns", "a_:b"), "namespace", declare("xmlns", "a+-.:b")},
		{"no scheme", declare("xmlns", ":a"), "namespace", declare("xmlns", "u:a")},
		{"scheme alone", declare("xmlns", "urn:"), "namespace", declare("xmlns", "urn:a")},
		{"blank in it", declare("xmlns", "u:a b"), "namespace", declare("xmlns", "u:ab")},
		{"blank before it", declare("xmlns", " u:a"), "namespace", declare("xmlns", "u:a")},
		{"blank after it", declare("xmlns", "u:a "), "namespace", declare("xmlns", "u:a")},
		{"line end after it", declare("xmlns", "u:a\n"), "namespace", declare("xmlns", "u:a")},
		{"written tab in it", declare("xmlns", "u:&#9;a"), "namespace", declare("xmlns", "u:&#97;a")},
		{"blank alone", declare("xmlns", " "), "namespace", declare("xmlns", "")},
		{"letter above ASCII", declare("xmlns", "u:\u00e9"), "namespace", declare("xmlns", "u:%C3%A9")},
		{"DEL", declare("xmlns", "u:\x7f"), "namespace", declare("xmlns", "u:~")},
		{"quotation mark", declare("xmlns", `u:"`), "namespace", declare("xmlns", `u:%22`)},
		{"less-than sign", declare("xmlns", "u:&lt;"), "namespace", declare("xmlns", "u:%3C")},
		{"greater-than sign", declare("xmlns", "u:>"), "namespace", declare("xmlns", "u:%3E")},
		{"ampersand", declare("xmlns", "u:?a&amp;b"), "namespace", declare("xmlns", "u:?a;b")},
		{"257 bytes", declare("xmlns:p", "u:"+strings.Repeat("a", 255)), "namespace",
			declare("xmlns:p", "u:"+strings.Repeat("a", 254))},
	})
}

// RULES: no attribute twice.

func TestParseDuplicateAttributes(t *testing.T) {
	t.Parallel()
	var many strings.Builder
	for i := range 62 {
		fmt.Fprintf(&many, " a%d=''", i)
	}
	const two = "<e xmlns:a='u:1' xmlns:b='u:1'"
	checkRefusals(t, messages, []refusal{
		{"one name twice", "<e a='' a=''/>", "duplicate_attribute", "<e a='' b=''/>"},
		{"one name twice with other values", "<e a='1' b='2' a='3'/>", "duplicate_attribute", "<e a='1' b='2' c='3'/>"},
		{"names that differ in case", "<e a='' A='' a=''/>", "duplicate_attribute", "<e a='' A=''/>"},
		{"first and last of many", "<e x=''" + many.String() + " x=''/>", "duplicate_attribute",
			"<e x=''" + many.String() + " y=''/>"},
		{"names that begin and end alike", "<e nameXname='' nameYname='' nameZname='' nameYname=''/>",
			"duplicate_attribute",
			"<e nameXname='' nameYname='' nameZname='' nameWname=''/>"},
		{"one prefixed name twice", two + " a:x='' a:x=''/>", "duplicate_attribute", two + " a:x='' a:y=''/>"},
		{"two prefixes of one namespace", two + " a:x='' b:x=''/>", "duplicate_attribute",
			"<e xmlns:a='u:1' xmlns:b='u:2' a:x='' b:x=''/>"},
		{"two prefixes, one of an ancestor", "<r xmlns:a='u:1'><e a:x='' b:x='' xmlns:b='u:1'/></r>",
			"duplicate_attribute", "<r xmlns:a='u:1'><e a:x='' b:x='' xmlns:b='u:2'/></r>"},
		{"xml:lang twice", "<e xml:lang='' xml:lang=''/>", "duplicate_attribute", "<e xml:lang='' lang=''/>"},
		{"xml:lang through a declared prefix xml",
			"<e xmlns:xml='http://www.w3.org/XML/1998/namespace' xml:lang='' xml:lang=''/>", "duplicate_attribute",
			"<e xmlns:xml='http://www.w3.org/XML/1998/namespace' xml:lang=''/>"},
		{"default namespace twice", "<e xmlns='u:1' xmlns='u:1'/>", "duplicate_attribute", "<e xmlns='u:1'/>"},
		{"prefix declared twice", "<e xmlns:a='u:1' xmlns:a='u:2'/>", "duplicate_attribute",
			"<e xmlns:a='u:1' xmlns:b='u:2'/>"},
		{"prefix xml declared twice",
			"<e xmlns:xml='http://www.w3.org/XML/1998/namespace' xmlns:xml='http://www.w3.org/XML/1998/namespace'/>", "duplicate_attribute",
			"<e xmlns:xml='http://www.w3.org/XML/1998/namespace'/>"},
	})
	// An attribute without prefix is in no namespace, whatever the default namespace is.
	e := mustParse(t, "<e xmlns='u:1' xmlns:a='u:1' x='none' a:x='one'/>").Root()
	if none, _ := e.Attr("x"); none != "none" {
		t.Errorf("got %q", none)
	}
}

// A duplicate is found for any name, although a hash filters first.
func TestParseDuplicateAttributesOfManyNames(t *testing.T) {
	t.Parallel()
	for i := range 5000 {
		name := fmt.Sprintf("n%x", i*i)
		src := "<e " + name + "='' b='' " + name + "=''/>"
		if doc, err := xmltree.Parse([]byte(src), messages); codeOf(err) != "duplicate_attribute" || doc != nil {
			t.Fatalf("%s: got %v", src, err)
		}
	}
}

// RULES: limits.

func TestParseLimits(t *testing.T) {
	t.Parallel()
	sized := func(n int) string { return "<a>" + strings.Repeat("x", n-len("<a></a>")) + "</a>" }
	nested := func(depth int) string { return strings.Repeat("<a>", depth) + strings.Repeat("</a>", depth) }
	nestedEmpty := func(depth int) string {
		return strings.Repeat("<a>", depth-1) + "<a/>" + strings.Repeat("</a>", depth-1)
	}
	elements := func(n int) string { return "<r>" + strings.Repeat("<a/>", n-1) + "</r>" }
	attributes := func(n int, more string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, " a%d=''", i)
		}
		return "<e" + b.String() + more + "/>"
	}
	declarations := func(n int, more string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, " xmlns:p%d='u:p'", i)
		}
		return "<e" + b.String() + more + "/>"
	}
	checkRefusals(t, messages, []refusal{
		{"more than 1 MiB", sized(1<<20 + 1), "too_large", sized(1 << 20)},
		{"more than 64 levels", nested(65), "too_large", nested(64)},
		{"more than 64 levels, the last one an empty tag", nestedEmpty(65), "too_large", nestedEmpty(64)},
		{"more than 50,000 elements", elements(50_001), "too_large", elements(50_000)},
		{"more than 64 attributes", attributes(65, ""), "too_large", attributes(64, "")},
		{"more than 64 attributes beside declarations", attributes(65, " xmlns='u:1'"), "too_large",
			attributes(64, " xmlns='u:1'")},
		{"more than 32 declarations", declarations(33, ""), "too_large", declarations(32, "")},
		{"more than 32 declarations, the default among them", declarations(32, " xmlns='u:1'"), "too_large",
			declarations(31, " xmlns='u:1'")},
		{"more than 32 declarations beside attributes", declarations(33, " a='' b=''"), "too_large",
			declarations(32, " a='' b=''")},
	})
	// What is too large is not looked at: of the two faults the size is told.
	if _, err := xmltree.Parse([]byte(strings.Repeat("\x00", 1<<20+1)), messages); codeOf(err) != "too_large" {
		t.Errorf("got %v, want a fault too_large", err)
	}
	checkRefusals(t, xmltree.Options{MaxBytes: 100}, []refusal{
		{"more than the option says", sized(101), "too_large", sized(100)},
	})
	checkRefusals(t, xmltree.Options{MaxBytes: 2 << 20}, []refusal{
		{"more than the larger option says", sized(2<<20 + 1), "too_large", sized(2 << 20)},
	})
	// The limits are for one path and for one element: many of each pass.
	one := nested(63) + attributes(64, "") + declarations(32, "")
	mustParse(t, "<r>"+strings.Repeat(one, 100)+"</r>")
}

// sample has a bit of everything that is allowed.
const sample = "\uFEFF<?xml version=\"1.0\" encoding='UTF-8' ?>\r\n" +
	"<p:r xmlns:p=\"urn:p\" xmlns='u:d' ID='_1'>\n <p:a q=\"1 &lt; &#x32;\" p:q='\u00e9'/>" +
	"t &amp; &#33;<![CDATA[<&]]]>]]&gt;<b xmlns=''\t>\u20ac</b ></p:r>"

// TestParseTruncated cuts the sample after every byte: no part of it is a document.
func TestParseTruncated(t *testing.T) {
	t.Parallel()
	mustParse(t, sample)
	for n := range len(sample) {
		if doc, err := xmltree.Parse([]byte(sample[:n]), messages); doc != nil || !errors.As(err, new(*fault.Fault)) {
			t.Errorf("%q: got document %v and %v, want a fault alone", sample[:n], doc != nil, err)
		}
	}
}

// TestParseMutated puts every byte in the place of every byte of the sample. What we accept
// encoding/xml reads like us, and libxml2 canonicalizes as we do.
func TestParseMutated(t *testing.T) {
	t.Parallel()
	var accepted []question
	refused := 0
	for i := range len(sample) {
		src := []byte(sample)
		for c := range 256 {
			src[i] = byte(c)
			doc, err := xmltree.Parse(src, messages)
			if err != nil {
				refused++
				if doc != nil || !errors.As(err, new(*fault.Fault)) {
					t.Fatalf("%q: got document %v and %v, want a fault alone", src, doc != nil, err)
				}
				continue
			}
			checkAgainstEncodingXML(t, src, doc)
			if c%8 == i%8 { // libxml2 looks at some
				accepted = append(accepted, question{
					XML:      append([]byte(nil), src...),
					Omit:     -1,
					Prefixes: []string{"p", "#default"},
					name:     "mutation",
				})
			}
		}
	}
	t.Logf("%d documents refused, %d accepted ones shown to libxml2", refused, len(accepted))
	t.Run("libxml2", func(t *testing.T) { compare(t, accepted, messages) })
}

// A fault says where it is, by line and column in bytes.
func TestParseFaultTellsThePlace(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		"<a>\n  </b>":             "(line 2, column 3)",
		"x":                       "(line 1, column 1)",
		"<a>\n\n12&x;</a>":        "(line 3, column 3)",
		"<a\nb='12\n&x;'/>":       "(line 3, column 1)",
		"<a b='1\n2<'/>":          "(line 2, column 2)",
		"<a>\r\n<!DOCTYPE b></a>": "(line 2, column 1)",
		"<a>\n":                   "(line 2, column 1)",
		"<a><![CDATA[b</a>":       "(line 1, column 4)",
	} {
		_, err := xmltree.Parse([]byte(src), messages)
		var f *fault.Fault
		if !errors.As(err, &f) || !strings.HasSuffix(f.Message, want) {
			t.Errorf("%q: got %v, want it to end in %s", src, err, want)
		}
	}
}

// A fault shows what arrived and what was expected, if that helps.
func TestParseFaultShows(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, src, got, want string }{
		{"the size", "<a>" + strings.Repeat("x", 1<<20), "1048579 bytes", "at most 1048576 bytes"},
		{"the byte", "<a>\x01</a>", "0x01", "UTF-8 without control characters"},
		{"UTF-16 by its mark, little end first", "\xFF\xFE<\x00", "", "UTF-8"},
		{"UTF-16 by its mark, big end first", "\xFE\xFF\x00<", "", "UTF-8"},
		{"nothing but such a mark", "\xFF\xFE", "", "UTF-8"},
		{"half of such a mark", "<\xFF", "0xFF", "UTF-8 without control characters"},
		{"half of a mark as the byte that it is", "\xFF<a/>", "0xFF", "UTF-8 without control characters"},
		{"another half of a mark too", "\xFE\xFE", "0xFE", "UTF-8 without control characters"},
		{"a byte at the end", "\xFF", "0xFF", "UTF-8 without control characters"},
		{"the version", `<?xml version="1.1"?><a/>`, "1.1", "1.0"},
		{"the encoding", `<?xml version="1.0" encoding="UTF-16"?><a/>`, "UTF-16", "utf-8"},
		{"standalone", `<?xml version="1.0" standalone="YES"?><a/>`, "YES", "yes or no"},
		{"the element that does not end", "<p:a xmlns:p='u:p'>", "a", ""},
		{"the end tag that fits", "<p:a xmlns:p='u:p'></a>", "", "p:a"},
		{"the namespace name", "<a xmlns='b'/>", "b", ""},
		{"the prefix of an element", "<p:a/>", "p", "a declaration xmlns:p in this element or one around it"},
		{"the prefix of an attribute", "<a p:b=''/>", "p", "a declaration xmlns:p in this element or one around it"},
		{"the namespace that a prefix usually stands for", "<samlp:Response/>", "samlp",
			`a declaration xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" in this element or one around it`},
		{"the same of an attribute", "<a xsi:type=''/>", "xsi",
			`a declaration xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" in this element or one around it`},
		{"the depth", strings.Repeat("<a>", 65), "", "at most 64"},
		{"the elements", "<r>" + strings.Repeat("<a/>", 50_000), "", "at most 50000"},
		{"the attributes", "<a" + each(65, 0, " a#=''") + "/>", "", "at most 64"},
		{"the declarations", "<a" + each(33, 0, " xmlns:p#='u:p'") + "/>", "", "at most 32"},
	} {
		_, err := xmltree.Parse([]byte(tt.src), messages)
		var f *fault.Fault
		if !errors.As(err, &f) || f.Got != tt.got || f.Want != tt.want {
			t.Errorf("%s: got %+v, want %q in place of %q", tt.name, f, tt.want, tt.got)
		}
	}
}

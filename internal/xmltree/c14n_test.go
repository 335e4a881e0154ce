package xmltree_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/iomete/saml/internal/allocations"
	"github.com/iomete/saml/internal/xmltree"
)

// tally counts what the random documents cover.
type tally struct {
	depth                                         [7]int // levels above the apex
	height                                        [7]int // levels below it, 6 or more in the last
	listed, withDefault, undeclared, omitted, all int
}

func (c *tally) add(q question, doc *xmltree.Document) {
	e := allElements(doc)[q.Apex]
	c.all++
	c.depth[depthOf(e)]++
	height := 0
	for d := range e.Descendants() {
		height = max(height, depthOf(d)-depthOf(e))
	}
	c.height[min(height, 6)]++
	if q.Omit >= 0 {
		c.omitted++
	}
	if len(q.Prefixes) > 0 {
		c.listed++
	}
	if slices.Contains(q.Prefixes, "#default") {
		c.withDefault++
	}
	if slices.ContainsFunc(q.Prefixes, func(p string) bool {
		return p != "xml" && p != "#default" && !strings.Contains(string(q.XML), "xmlns:"+p)
	}) {
		c.undeclared++
	}
}

func (c *tally) String() string {
	return fmt.Sprintf("%d documents; apex at depth 1 to 6: %v; levels below it 0 to 6: %v; "+
		"with a PrefixList %d, with #default in it %d, with undeclared names in it %d; with an element left out %d",
		c.all, c.depth[1:], c.height, c.listed, c.withDefault, c.undeclared, c.omitted)
}

// randomQuestion makes a document and asks for an element in it at the given depth.
func randomQuestion(t *testing.T, g *generator, depth int) question {
	q := question{XML: []byte(g.document(depth + g.r.IntN(6))), Omit: -1}
	doc := mustParse(t, string(q.XML))
	elements := allElements(doc)
	var apexes []int
	for i, e := range elements {
		if depthOf(e) == depth {
			apexes = append(apexes, i)
		}
	}
	if len(apexes) == 0 {
		t.Fatalf("no element at depth %d in %s", depth, q.XML)
	}
	q.Apex = pick(g, apexes)
	if g.chance(50) {
		q.Prefixes = g.prefixList()
	}
	if below := slices.Collect(elements[q.Apex].Children()); len(below) > 0 && g.chance(50) {
		q.Omit = slices.Index(elements, pick(g, below))
	}
	return q
}

var methods = []xmltree.Method{xmltree.Exclusive, xmltree.Inclusive, xmltree.Inclusive11}

func TestCanonicalizeRandomDocumentsLikeLibxml2(t *testing.T) {
	t.Parallel()
	const documents = 4200
	g := newGenerator(1)
	var questions []question
	var count tally
	for i := range documents {
		q := randomQuestion(t, g, 1+i%6)
		q.name = fmt.Sprintf("document %d", i)
		count.add(q, mustParse(t, string(q.XML)))
		questions = append(questions, q)
	}
	t.Log(&count)
	compare(t, questions, xmltree.Options{})
}

// canonicalCases are for readers, and for machines without libxml2.
var canonicalCases = []struct {
	name string
	src  string
	apex string // local name
	list string // PrefixList
	want string
}{
	// Which declarations are written, and where.
	{"a declaration that nothing uses is left out",
		`<r xmlns:a="u:a"><e xmlns:b="u:b"/></r>`, "e", "", `<e></e>`},
	{"the prefix of the apex is declared though an ancestor did it",
		`<a:r xmlns:a="u:a"><a:e/></a:r>`, "e", "", `<a:e xmlns:a="u:a"></a:e>`},
	{"the default namespace of an ancestor is declared on the apex",
		`<r xmlns="u:d"><m><e/></m></r>`, "e", "", `<e xmlns="u:d"></e>`},
	{"the prefix of an attribute is declared",
		`<r xmlns:a="u:a"><e a:x="1"/></r>`, "e", "", `<e xmlns:a="u:a" a:x="1"></e>`},
	{"an attribute without prefix does not use the default namespace",
		`<r xmlns="u:d" xmlns:a="u:a"><a:e x="1"/></r>`, "e", "", `<a:e xmlns:a="u:a" x="1"></a:e>`},
	{"a prefix in a value is not seen",
		`<r xmlns:xs="u:s" xmlns:xsi="u:i"><e xsi:type="xs:string"/></r>`, "e", "", `<e xmlns:xsi="u:i" xsi:type="xs:string"></e>`},
	{"a declaration moves down to where it is used, once for each sibling",
		`<e xmlns:a="u:a"><a:x><a:y/></a:x><a:x/></e>`, "e", "", `<e><a:x xmlns:a="u:a"><a:y></a:y></a:x><a:x xmlns:a="u:a"></a:x></e>`},
	{"a declaration that repeats the written one is left out",
		`<a:e xmlns:a="u:a"><a:x xmlns:a="u:a"/></a:e>`, "e", "", `<a:e xmlns:a="u:a"><a:x></a:x></a:e>`},
	{"a shadowed prefix is declared again, and again after it",
		`<a:e xmlns:a="u:a"><a:x xmlns:a="u:b"><a:y xmlns:a="u:a"/></a:x><a:z/></a:e>`, "e", "",
		`<a:e xmlns:a="u:a"><a:x xmlns:a="u:b"><a:y xmlns:a="u:a"></a:y></a:x><a:z></a:z></a:e>`},
	{"a shadow that nothing uses does not count",
		`<a:e xmlns:a="u:a"><x xmlns:a="u:b"><a:y xmlns:a="u:a"/></x></a:e>`, "e", "", `<a:e xmlns:a="u:a"><x><a:y></a:y></x></a:e>`},
	{"two prefixes of one namespace are two declarations",
		`<a:e xmlns:b="u:a" xmlns:a="u:a"><b:x a:y="1"/></a:e>`, "e", "", `<a:e xmlns:a="u:a"><b:x xmlns:b="u:a" a:y="1"></b:x></a:e>`},
	{"declarations stand before attributes, the default first, then by prefix byte for byte",
		"<b:e z='1' xmlns:\u00e9='u:5' \u00e9:x='' xmlns='u:1' xmlns:b='u:4' a:x='' xmlns:a='u:3' xmlns:B='u:2' B:x=''/>", "e", "",
		"<b:e xmlns:B=\"u:2\" xmlns:a=\"u:3\" xmlns:b=\"u:4\" xmlns:\u00e9=\"u:5\" z=\"1\" B:x=\"\" a:x=\"\" \u00e9:x=\"\"></b:e>"},

	{"the prefix xml is never declared, though it was and the PrefixList names it",
		`<r xmlns:xml="http://www.w3.org/XML/1998/namespace"><e xml:lang="de"/></r>`, "e", "xml", `<e xml:lang="de"></e>`},
	{"only white space parts the names of a PrefixList, not a character that ends in its byte",
		`<r xmlns:a="u:a"><e/></r>`, "e", "a\u0120x", `<e></e>`},

	// xmlns="".
	{"an undeclared default namespace is written below a written one",
		`<e xmlns="u:d"><x xmlns=""><y/></x></e>`, "e", "", `<e xmlns="u:d"><x xmlns=""><y></y></x></e>`},
	{"an undeclared default namespace is not written above all",
		`<r xmlns="u:d"><e xmlns=""><x/></e></r>`, "e", "", `<e><x></x></e>`},
	{"an undeclared default namespace is not written where the one above it was not",
		`<a:e xmlns="u:d" xmlns:a="u:a"><x xmlns=""/></a:e>`, "e", "", `<a:e xmlns:a="u:a"><x></x></a:e>`},
	{"an undeclared default namespace waits for an element that uses it",
		`<e xmlns="u:d" xmlns:a="u:a"><a:x xmlns=""><y/></a:x></e>`, "e", "", `<e xmlns="u:d"><a:x xmlns:a="u:a"><y xmlns=""></y></a:x></e>`},
	{"a default namespace comes back below an undeclared one",
		`<e xmlns="u:d"><x xmlns=""><y xmlns="u:d"/></x></e>`, "e", "", `<e xmlns="u:d"><x xmlns=""><y xmlns="u:d"></y></x></e>`},

	// The PrefixList.
	{"a listed prefix of an ancestor is declared on the apex",
		`<r xmlns:a="u:a" xmlns:b="u:b"><e><a:x/></e></r>`, "e", "a", `<e xmlns:a="u:a"><a:x></a:x></e>`},
	{"a listed prefix is declared where it comes into scope",
		`<r><e><x xmlns:a="u:a"><a:y/></x></e></r>`, "e", "a", `<e><x xmlns:a="u:a"><a:y></a:y></x></e>`},
	{"a listed prefix goes out of scope",
		`<r><e><x xmlns:a="u:a"/><x/><x xmlns:a="u:b"/></e></r>`, "e", "a", `<e><x xmlns:a="u:a"></x><x></x><x xmlns:a="u:b"></x></e>`},
	{"a listed prefix is declared again where it is shadowed and where the shadow ends",
		`<r xmlns:a="u:a"><e><x xmlns:a="u:b"><y xmlns:a="u:a"/></x><z/></e></r>`, "e", "a",
		`<e xmlns:a="u:a"><x xmlns:a="u:b"><y xmlns:a="u:a"></y></x><z></z></e>`},
	{"the nearest ancestor binds a listed prefix",
		`<r xmlns:a="u:a"><m xmlns:a="u:b"><n><e/></n></m></r>`, "e", "a", `<e xmlns:a="u:b"></e>`},
	{"a declaration of the apex itself goes before that of an ancestor",
		`<r xmlns:a="u:a"><e xmlns:a="u:b"/></r>`, "e", "a", `<e xmlns:a="u:b"></e>`},
	{"a listed default namespace is declared though nothing uses it",
		`<r xmlns="u:d" xmlns:a="u:a"><a:e/></r>`, "e", "#default", `<a:e xmlns="u:d" xmlns:a="u:a"></a:e>`},
	{"a listed default namespace is undeclared though nothing uses it",
		`<r xmlns="u:d" xmlns:a="u:a"><a:e><a:x xmlns=""/></a:e></r>`, "e", "#default", `<a:e xmlns="u:d" xmlns:a="u:a"><a:x xmlns=""></a:x></a:e>`},
	{"a listed default namespace that is none is not written",
		`<r xmlns="u:d" xmlns:a="u:a"><a:e xmlns=""/></r>`, "e", "#default", `<a:e xmlns:a="u:a"></a:e>`},
	{"names that are not declared are ignored",
		`<r xmlns:a="u:a"><e/></r>`, "e", "b nobody", `<e></e>`},
	{"the prefix xml is never declared",
		`<r><e xml:lang="en"/></r>`, "e", "xml", `<e xml:lang="en"></e>`},
	{"all kinds of white space stand between the names, and a name may stand there twice",
		`<r xmlns:a="u:a" xmlns:b="u:b" xmlns:c="u:c"><e/></r>`, "e", "\ta\n b\r\nc a ", `<e xmlns:a="u:a" xmlns:b="u:b" xmlns:c="u:c"></e>`},
	{"only the white space of XML stands between names",
		`<r xmlns:a="u:a" xmlns:b="u:b"><e/></r>`, "e", "a\u00a0b a\u2003b", `<e></e>`},
	{"a PrefixList of white space is none",
		`<r xmlns:a="u:a"><e/></r>`, "e", " \n", `<e></e>`},

	// Attributes.
	{"attributes stand by namespace name, then by local name, byte for byte",
		`<e xmlns:b="u:1" xmlns:a="u:2" a:x="" b:y="" b:x="" z="" Z="" y.="" y="" y-=""/>`, "e", "",
		`<e xmlns:a="u:2" xmlns:b="u:1" Z="" y="" y-="" y.="" z="" b:x="" b:y="" a:x=""></e>`},
	{"the language of an ancestor is not inherited",
		`<r xml:lang="en" xml:space="preserve"><e/></r>`, "e", "", `<e></e>`},
	{"white space within tags is dropped and values stand in double quotes",
		"<e\n b = '2'\ta='1'\r\n></e >", "e", "", `<e a="1" b="2"></e>`},
	{"a value escapes & < \" and written white space",
		"<e a='&amp;&lt;&gt;&quot;&apos;\"&#9;&#10;&#13;&#32;'/>", "e", "", `<e a="&amp;&lt;>&quot;'&quot;&#x9;&#xA;&#xD; "></e>`},
	{"literal white space in a value is blanks",
		"<e a='1\t2\n3\r4\r\n5'/>", "e", "", `<e a="1 2 3 4 5"></e>`},

	// Text.
	{"text escapes & < > and written CR alone",
		"<e>&amp;&lt;&gt;&quot;&apos;\"'&#9;&#10;&#13;></e>", "e", "", "<e>&amp;&lt;&gt;\"'\"'\t\n&#xD;&gt;</e>"},
	{"line ends are LF",
		"<e>1\r2\r\n3\n4\r\r\n5</e>", "e", "", "<e>1\n2\n3\n4\n\n5</e>"},
	{"a CDATA section is text",
		"<e>1<![CDATA[<&>\"\r\n&amp;]]>2<![CDATA[]]></e>", "e", "", "<e>1&lt;&amp;&gt;\"\n&amp;amp;2</e>"},
	{"characters above ASCII and C1 controls stand as they are",
		"<e a='\u00e9&#xe9;'>\u0085\u2028\ufeff&#x1F600;\U0001F600\x7f</e>", "e", "", "<e a=\"\u00e9\u00e9\">\u0085\u2028\ufeff\U0001F600\U0001F600\x7f</e>"},

	// Elements.
	{"an empty element has an end tag",
		`<e><x/><y></y></e>`, "e", "", `<e><x></x><y></y></e>`},
	{"nothing around the apex is written",
		"<?xml version='1.0'?>\n<r> 1 <e> 2 <x/> 3 </e> 4 </r>\n", "e", "", `<e> 2 <x></x> 3 </e>`},
}

func TestCanonicalize(t *testing.T) {
	t.Parallel()
	for _, tt := range canonicalCases {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := first(t, mustParse(t, tt.src), tt.apex).Canonicalize(nil, xmltree.C14N{PrefixList: tt.list})
			if err != nil || string(got) != tt.want {
				t.Errorf("got  %s (%v)\nwant %s", got, err, tt.want)
			}
		})
	}
}

func TestCanonicalCasesLikeLibxml2(t *testing.T) {
	t.Parallel()
	var questions []question
	for _, tt := range canonicalCases {
		doc := mustParse(t, tt.src)
		apex := slices.Index(allElements(doc), first(t, doc, tt.apex))
		questions = append(questions, question{XML: []byte(tt.src), Apex: apex, Omit: -1, Prefixes: listNames(tt.list), name: tt.name})
	}
	compare(t, questions, xmltree.Options{})
}

func TestCanonicalizeOmits(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, src, list, want string
	}{
		{"the element and all that it holds, but not the text around it", `<e>1<x>2<y/>3</x>4</e>`, "", `<e>14</e>`},
		{"the first child", `<e><x/><y/></e>`, "", `<e><y></y></e>`},
		{"the last child", `<e><y/><x/></e>`, "", `<e><y></y></e>`},
		{"a grandchild", `<e><y><x/></y></e>`, "", `<e><y></y></e>`},
		{"its declarations and what it used", `<e xmlns:a="u:a"><x a:b=""/><a:y/></e>`, "",
			`<e><a:y xmlns:a="u:a"></a:y></e>`},
		{"declarations of listed prefixes", `<r xmlns:a="u:a"><e><x xmlns:a="u:b" xmlns:c="u:c"/><y/></e></r>`, "a c",
			`<e xmlns:a="u:a"><y></y></e>`},
		{"nothing of a sibling with its name", `<e><x>1</x><x>2</x></e>`, "", `<e><x>2</x></e>`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			doc := mustParse(t, tt.src)
			how := xmltree.C14N{PrefixList: tt.list, Omit: first(t, doc, "x")}
			got, err := first(t, doc, "e").Canonicalize(nil, how)
			if err != nil || string(got) != tt.want {
				t.Errorf("got  %s (%v)\nwant %s", got, err, tt.want)
			}
		})
	}
	t.Run("the apex itself, so that nothing is left", func(t *testing.T) {
		t.Parallel()
		doc := mustParse(t, `<e><x/></e>`)
		if got, err := doc.Root().Canonicalize(nil, xmltree.C14N{Omit: doc.Root()}); err != nil || len(got) != 0 {
			t.Errorf("got %s (%v), want nothing", got, err)
		}
	})
	t.Run("nothing for an element of another document", func(t *testing.T) {
		t.Parallel()
		const src = `<e><x></x></e>`
		got, err := mustParse(t, src).Root().Canonicalize(nil, xmltree.C14N{Omit: first(t, mustParse(t, src), "x")})
		if err != nil || string(got) != src {
			t.Errorf("got %s (%v), want %s", got, err, src)
		}
	})
}

func TestCanonicalizeDropsComments(t *testing.T) {
	t.Parallel()
	const src = `<!--1--><e>2<!--3-->4<x/><!--5--></e><!--6-->`
	doc, err := xmltree.Parse([]byte(src), xmltree.Options{AllowComments: true})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := doc.Root().Canonicalize(nil, xmltree.C14N{}); err != nil || string(got) != `<e>24<x></x></e>` {
		t.Errorf("got %s (%v)", got, err)
	}
}

func TestCanonicalizeAppends(t *testing.T) {
	t.Parallel()
	doc := mustParse(t, `<e/>`)
	got, err := doc.Root().Canonicalize([]byte("before "), xmltree.C14N{})
	if err != nil || string(got) != "before <e></e>" {
		t.Errorf("got %s (%v)", got, err)
	}
}

func TestCanonicalizeLimitsThePrefixList(t *testing.T) {
	t.Parallel()
	names := make([]string, 65)
	for i := range names {
		names[i] = fmt.Sprintf("p%d", i)
	}
	e := mustParse(t, `<e/>`).Root()
	got, err := e.Canonicalize(nil, xmltree.C14N{PrefixList: strings.Join(names[:64], " ")})
	if err != nil || string(got) != "<e></e>" {
		t.Errorf("64 names: got %s (%v)", got, err)
	}
	got, err = e.Canonicalize(nil, xmltree.C14N{PrefixList: strings.Join(names, " ")})
	if codeOf(err) != "canonicalization" || got != nil {
		t.Errorf("65 names: got %s (%v), want a fault canonicalization", got, err)
	}
}

// TestCanonicalizeReadsNoMoreOfThePrefixListThanItMay: names beyond the limit are not even read.
// The test bounds the memory that reading them would take.
func TestCanonicalizeReadsNoMoreOfThePrefixListThanItMay(t *testing.T) {
	e := mustParse(t, `<e/>`).Root()
	work := func(list string) float64 {
		return allocations.Fewest(func() {
			if _, err := e.Canonicalize(nil, xmltree.C14N{PrefixList: list}); err == nil {
				t.Fatal("too many names are accepted")
			}
		})
	}
	if few, many := work(strings.Repeat("p ", 65)), work(strings.Repeat("p ", 300_000)); many > few {
		t.Errorf("got %v allocations with 300,000 names and %v with 65", many, few)
	}
}

// TestPrefixListAmongManyPrefixes: a name is found among few and among many prefixes of the
// document, and one that the document declares elsewhere alone is not in scope.
func TestPrefixListAmongManyPrefixes(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 13, 14, 15, 16, 17, 40, 1000} {
		var others strings.Builder
		for i := range n {
			fmt.Fprintf(&others, `<o xmlns:o%d="urn:o"/>`, i)
		}
		doc := mustParse(t, `<r xmlns:a="urn:a">`+others.String()+`<e xmlns:z="urn:z"/></r>`)
		got, err := first(t, doc, "e").Canonicalize(nil, xmltree.C14N{PrefixList: fmt.Sprintf("z o%d a none", n-1)})
		if want := `<e xmlns:a="urn:a" xmlns:z="urn:z"></e>`; err != nil || string(got) != want {
			t.Errorf("%d other prefixes: got %s, %v, want %s", n, got, err, want)
		}
	}
}

// The canonical form may not be larger than a message: here each character of the text becomes
// four.
func TestCanonicalizeLimitsTheSize(t *testing.T) {
	t.Parallel()
	const frame = len("<e></e>")
	fits := (xmltree.MaxBytes - frame) / 4
	rest := (xmltree.MaxBytes - frame) % 4
	for _, tt := range []struct {
		name string
		text string
		code string
	}{
		{"as large as a message", strings.Repeat(">", fits) + strings.Repeat("x", rest), ""},
		{"one byte larger", strings.Repeat(">", fits) + strings.Repeat("x", rest+1), "too_large"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := mustParse(t, "<e>"+tt.text+"</e>").Root()
			got, err := e.Canonicalize(make([]byte, 100), xmltree.C14N{}) // what is in dst does not count
			if codeOf(err) != tt.code || err != nil && got != nil {
				t.Errorf("got %d bytes (%v), want code %q", len(got), err, tt.code)
			}
		})
	}
	t.Run("a namespace that is declared again and again", func(t *testing.T) {
		t.Parallel()
		space := "u:" + strings.Repeat("n", 254)
		e := mustParse(t, `<e xmlns:a="`+space+`">`+strings.Repeat("<a:x/>", 5000)+"</e>").Root()
		if got, err := e.Canonicalize(nil, xmltree.C14N{}); codeOf(err) != "too_large" || got != nil {
			t.Errorf("got %d bytes (%v), want a fault too_large", len(got), err)
		}
	})
}

const nsDSig = "http://www.w3.org/2000/09/xmldsig#"

// TestCanonicalizeRealFilesLikeLibxml2 looks at every element with a signature in real metadata and
// responses: without the signature, as its digest is made, and SignedInfo, as its signature is
// made.
func TestCanonicalizeRealFilesLikeLibxml2(t *testing.T) {
	t.Parallel()
	for kind, options := range map[string]xmltree.Options{
		"metadata":  {MaxBytes: 4 << 20, AllowComments: true},
		"responses": {},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			var questions []question
			files := fixtures(t, kind)
			for name, src := range files {
				doc, err := xmltree.Parse([]byte(src), options)
				if err != nil {
					t.Logf("%s is refused: %v", name, err)
					continue
				}
				questions = append(questions, signedParts(name, src, allElements(doc))...)
			}
			if len(questions) == 0 {
				t.Fatal("no signatures found")
			}
			t.Logf("%d files, %d canonical forms", len(files), len(questions))
			compare(t, questions, options)
		})
	}
}

// signedParts asks for the parent of each signature, without it and in full, and for its
// SignedInfo.
func signedParts(name, src string, elements []xmltree.Element) (questions []question) {
	for i, e := range elements {
		if !e.Is(nsDSig, "Signature") || !e.Parent().Exists() {
			continue
		}
		parent := slices.Index(elements, e.Parent())
		for c := range e.Children() {
			if !c.Is(nsDSig, "SignedInfo") {
				continue
			}
			info, reference := prefixLists(c)
			index := slices.Index(elements, c)
			for _, q := range []question{
				{Apex: index, Omit: -1, Prefixes: info, name: name + " SignedInfo"},
				{Apex: parent, Omit: i, Prefixes: reference, name: name + " signed element"},
				{Apex: parent, Omit: -1, Prefixes: reference, name: name + " element with its signature"},
			} {
				q.XML = []byte(src)
				for _, q.Method = range methods {
					if q.Method != xmltree.Exclusive {
						q.Prefixes = nil
					}
					questions = append(questions, q)
				}
			}
		}
	}
	return questions
}

// prefixLists returns the names of the PrefixList of SignedInfo and of its reference.
func prefixLists(signedInfo xmltree.Element) (info, reference []string) {
	for e := range signedInfo.Descendants() {
		if e.Local() != "InclusiveNamespaces" {
			continue
		}
		list, _ := e.Attr("PrefixList")
		if e.Parent().Local() == "CanonicalizationMethod" {
			info = listNames(list)
		} else {
			reference = listNames(list)
		}
	}
	return info, reference
}

// listNames splits a PrefixList at the white space that XML knows.
func listNames(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return strings.ContainsRune(" \t\r\n", r) })
}

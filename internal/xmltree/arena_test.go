package xmltree_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/iomete/saml/internal/xmltree"
)

// panicOf returns what f panics with, nil if it does not.
func panicOf(f func()) (value any) {
	defer func() { value = recover() }()
	f()
	return nil
}

// TestReleasedDocumentIsDead calls everything that a Document and its Elements have after Release,
// while other documents use the memory.
func TestReleasedDocumentIsDead(t *testing.T) {
	t.Parallel()
	const text = `<r a="1" xml:lang="en"><b>text</b><c/></r>`
	doc := mustParse(t, text)
	root := doc.Root()
	last := first(t, doc, "c")
	children, descendants := root.Children(), root.Descendants()
	local, _ := root.Attr("a")
	doc.Release()
	for range 20 {
		mustParse(t, strings.Repeat("<other>", 30)+strings.Repeat("</other>", 30))
	}
	if local != "1" {
		t.Errorf("a string that was taken is %q now", local)
	}
	for name, use := range map[string]func(xmltree.Element){
		"Local":         func(e xmltree.Element) { e.Local() },
		"Space":         func(e xmltree.Element) { e.Space() },
		"Is":            func(e xmltree.Element) { e.Is("", "r") },
		"Parent":        func(e xmltree.Element) { e.Parent() },
		"Attr":          func(e xmltree.Element) { e.Attr("a") },
		"AttrNS":        func(e xmltree.Element) { e.AttrNS(xmltree.NSXML, "lang") },
		"Children":      func(e xmltree.Element) { e.CountChildren() },
		"Descendants":   func(e xmltree.Element) { _ = slices.Collect(e.Descendants()) },
		"Contains":      func(e xmltree.Element) { e.Contains(xmltree.Element{}) },
		"Text":          func(e xmltree.Element) { e.Text() },
		"OnlyElements":  func(e xmltree.Element) { e.OnlyElements() },
		"Limit":         func(e xmltree.Element) { e.Limit() },
		"HadComments":   func(e xmltree.Element) { e.HadComments() },
		"Canonicalize":  func(e xmltree.Element) { _, _ = e.Canonicalize(nil, xmltree.C14N{}) },
		"ParseAt":       func(e xmltree.Element) { _, _ = xmltree.ParseAt([]byte("<a/>"), e) },
		"Root":          func(xmltree.Element) { doc.Root() },
		"a range begun": func(xmltree.Element) { _, _ = slices.Collect(children), slices.Collect(descendants) },
	} {
		for _, e := range []xmltree.Element{root, last} {
			if got := panicOf(func() { use(e) }); got != xmltree.Released {
				t.Errorf("%s: panics with %v, want %q", name, got, xmltree.Released)
			}
		}
	}
	if !root.Exists() {
		t.Error("Exists looks at the document")
	}
	doc.Release() // a second time does nothing
}

// TestReleaseInALoop releases a document inside the loops over it.
func TestReleaseInALoop(t *testing.T) {
	t.Parallel()
	const text = "<r><a/><b/><c/></r>"
	for name, loop := range map[string]func(*xmltree.Document){
		"Children": func(doc *xmltree.Document) {
			for range doc.Root().Children() {
				doc.Release()
				mustParse(t, text)
			}
		},
		"Descendants": func(doc *xmltree.Document) {
			for range doc.Root().Descendants() {
				doc.Release()
				mustParse(t, text)
			}
		},
	} {
		if got := panicOf(func() { loop(mustParse(t, text)) }); got != xmltree.Released {
			t.Errorf("%s: panics with %v", name, got)
		}
	}
}

// TestReleaseTwiceGivesBackOnce releases a document again while another one has its arena.
func TestReleaseTwiceGivesBackOnce(t *testing.T) {
	t.Parallel()
	var home xmltree.Arena
	doc, err := xmltree.ParseIn(&home, []byte("<a/>"), messages)
	if err != nil || !home.Empty() {
		t.Fatalf("%v, and the arena was not taken", err)
	}
	var releases sync.WaitGroup
	for range 4 {
		releases.Go(func() { xmltree.Leave(doc) })
	}
	releases.Wait()
	if home.Empty() {
		t.Fatal("the arena was not given back")
	}
	home = xmltree.Arena{} // as if somebody else had taken it
	xmltree.Leave(doc)
	if !home.Empty() {
		t.Error("an arena was given back twice")
	}
}

// TestArenaHoldsNoText looks for names of a document in an arena that was given back, also by a
// document that was refused.
func TestArenaHoldsNoText(t *testing.T) {
	t.Parallel()
	many := each(100, 0, `<e xmlns:p#="urn:secret:#"/>`)
	for _, text := range []string{
		`<p:r xmlns:p="urn:secret" xmlns="urn:other"/>`,
		"<r>" + many + "</r>", // more than were reserved at first
		"<r>" + many + "</wrong>",
		`<p:r xmlns:p="urn:secret"><q:undeclared/></p:r>`,
	} {
		var home xmltree.Arena
		doc, err := xmltree.ParseIn(&home, []byte(text), messages)
		if err == nil {
			xmltree.Leave(doc)
		}
		if home.Empty() {
			t.Fatalf("%s: the arena was not given back (%v)", shorten(text), err)
		}
		for _, name := range home.Names() {
			if name != "" {
				t.Errorf("%s: the arena still has %q", shorten(text), name)
			}
		}
	}
}

// TestLargeArenaIsNotKept puts one element more into a document, until its arena is over the limit. One
// of them is just as large as the limit.
func TestLargeArenaIsNotKept(t *testing.T) {
	t.Parallel()
	kept, dropped, exact := 0, 0, 0
	for n := 26_176; n < 26_196; n++ {
		var home xmltree.Arena
		doc, err := xmltree.ParseIn(&home, []byte("<r a='' b='' c='' d=''>"+strings.Repeat("<e/>", n)+"</r>"), messages)
		if err != nil {
			t.Fatal(err)
		}
		size := xmltree.ArenaOf(doc).Size()
		xmltree.Leave(doc)
		if home.Empty() != (size > xmltree.MaxKept) {
			t.Errorf("%d bytes: given back is %v", size, !home.Empty())
		}
		switch {
		case home.Empty():
			dropped++
		case size == xmltree.MaxKept:
			exact++
		default:
			kept++
		}
	}
	if kept == 0 || dropped == 0 || exact != 1 {
		t.Errorf("%d arenas were kept, %d were dropped and %d were as large as allowed", kept, dropped, exact)
	}
}

// TestParseLeavesLittleGarbage counts what a document allocates whose memory is there already: the
// Document alone.
func TestParseLeavesLittleGarbage(t *testing.T) {
	src := entraResponse(150)
	var home xmltree.Arena
	if n := testing.AllocsPerRun(50, func() {
		doc, err := xmltree.ParseIn(&home, src, messages)
		if err != nil {
			t.Fatal(err)
		}
		xmltree.Leave(doc)
	}); n > 1 {
		t.Errorf("%v allocations for one document", n)
	}
}

// oddDocuments are random documents, real ones, hostile ones and documents with an error.
func oddDocuments(seed uint64, random int) (list []string) {
	g := newGenerator(seed)
	for i := range random {
		text := g.document(i % 7)
		list = append(list, text, text[:len(text)*2/3], strings.Replace(text, "=", "", 1))
	}
	for _, shape := range hostileShapes {
		list = append(list, shape.write(3000))
	}
	return append(list, string(entraResponse(3)), sample, family, "", "<", "<r a='1' a='2'/>")
}

// TestParseInADirtyArena reads each document in a new arena, and in one that has served others and is
// full of rubbish behind the end of its slices.
func TestParseInADirtyArena(t *testing.T) {
	t.Parallel()
	var home xmltree.Arena
	var room xmltree.Stacks
	accepted := 0
	for _, text := range oddDocuments(11, 150) {
		for _, opt := range []xmltree.Options{messages, {AllowComments: true}} {
			home.Soil()
			want, wantErr := xmltree.ParseIn(new(xmltree.Arena), []byte(text), opt)
			got, err := xmltree.ParseIn(&home, []byte(text), opt)
			if fmt.Sprintf("%+v", err) != fmt.Sprintf("%+v", wantErr) {
				t.Fatalf("%s: got %v, want %v", shorten(text), err, wantErr)
			}
			if err != nil {
				continue
			}
			accepted++
			if !xmltree.SameTree(got, want) {
				t.Fatalf("%s: another tree", shorten(text))
			}
			room.Soil()
			compareForms(t, &room, got, want)
			xmltree.Leave(got)
		}
	}
	if accepted < 100 {
		t.Errorf("only %d documents were accepted", accepted)
	}
}

// compareForms compares the canonical forms of two equal documents, one with dirty stacks.
func compareForms(t *testing.T, room *xmltree.Stacks, a, b *xmltree.Document) {
	t.Helper()
	for _, method := range []xmltree.Method{xmltree.Exclusive, xmltree.Inclusive, xmltree.Inclusive11} {
		how := xmltree.C14N{Method: method}
		got, gotErr := xmltree.CanonicalizeWith(room, a.Root(), how)
		want, wantErr := xmltree.CanonicalizeWith(new(xmltree.Stacks), b.Root(), how)
		if string(got) != string(want) || codeOf(gotErr) != codeOf(wantErr) {
			t.Fatalf("got %s (%v), want %s (%v)", shorten(string(got)), gotErr, shorten(string(want)), wantErr)
		}
	}
}

// TestCanonicalizePanicDropsStacks panics in the middle of a canonical form.
func TestCanonicalizePanicDropsStacks(t *testing.T) {
	t.Parallel()
	var room xmltree.Stacks
	doc := mustParse(t, string(entraResponse(10)))
	if _, err := xmltree.CanonicalizeWith(&room, doc.Root(), xmltree.C14N{}); err != nil || room.Empty() {
		t.Fatalf("%v, and the stacks were not given back", err)
	}
	xmltree.CutSource(doc)
	if panicOf(func() { _, _ = xmltree.CanonicalizeWith(&room, doc.Root(), xmltree.C14N{}) }) == nil {
		t.Fatal("there was no panic")
	}
	if !room.Empty() {
		t.Error("the stacks of a panic were given back")
	}
}

// TestStacksAreBounded canonicalizes with more prefixes than are kept.
func TestStacksAreBounded(t *testing.T) {
	t.Parallel()
	depth := 60
	text := ""
	for i := range depth {
		text += "<e" + each(30, 30*i, ` xmlns:p#="u:#"`) + ">"
	}
	text += strings.Repeat("</e>", depth)
	var room xmltree.Stacks
	e := mustParse(t, text).Root()
	if _, err := xmltree.CanonicalizeWith(&room, e, xmltree.C14N{Method: xmltree.Inclusive}); err != nil || room.Empty() {
		t.Fatalf("%v, and the stacks were not given back", err)
	}
	room.Grow()
	if _, err := xmltree.CanonicalizeWith(&room, e, xmltree.C14N{}); err != nil || !room.Empty() {
		t.Errorf("%v, and stacks over the limit were given back", err)
	}
}

// TestDocumentsInFlight reads, keeps and releases different documents in many goroutines at once, in
// random order: none sees what belongs to another. The race detector looks on.
func TestDocumentsInFlight(t *testing.T) {
	t.Parallel()
	want := map[string]string{} // document -> description and canonical form
	for _, text := range oddDocuments(23, 12) {
		if doc, err := xmltree.Parse([]byte(text), messages); err == nil {
			want[text] = describeAll(doc)
		}
	}
	texts := slices.Sorted(maps.Keys(want))
	var workers sync.WaitGroup
	for seed := range uint64(8) {
		workers.Go(func() {
			r := rand.New(rand.NewPCG(seed, 1))
			held := map[*xmltree.Document]string{}
			for range 300 {
				text := texts[r.IntN(len(texts))]
				doc, err := xmltree.Parse([]byte(text), messages)
				if err != nil {
					t.Errorf("%s: %v", shorten(text), err)
					return
				}
				held[doc] = text
				if r.IntN(3) == 0 {
					runtime.Gosched()
				}
				for doc, text := range held { // in random order
					if got := describeAll(doc); got != want[text] {
						t.Errorf("%s: got %s", shorten(text), shorten(got))
						return
					}
					if r.IntN(2) == 0 {
						if r.IntN(5) > 0 { // some are never released
							doc.Release()
						}
						delete(held, doc)
						break
					}
				}
			}
		})
	}
	workers.Wait()
}

func describeAll(doc *xmltree.Document) string {
	form, err := doc.Root().Canonicalize(nil, xmltree.C14N{})
	return xmltree.Describe(doc.Root(), xmltree.Element{}) + string(form) + codeOf(err)
}

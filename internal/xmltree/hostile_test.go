package xmltree_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/iomete/saml/internal/xmltree"
)

// A hostileShape is a family of documents that is meant to be expensive. write returns one of at
// most size bytes that fills as much of it as the limits allow.
type hostileShape struct {
	name  string
	list  string // PrefixList
	write func(size int) string
	code  string // what reading and canonicalizing 1 MiB of it answers, "" for success
}

// fill puts as many copies of unit between head and tail as size allows, at most most. unit gets
// the number of the copy.
func fill(size, most int, head, tail string, unit func(i int) string) string {
	var b strings.Builder
	b.WriteString(head)
	for i := 0; i < most; i++ {
		u := unit(i)
		if b.Len()+len(u)+len(tail) > size {
			break
		}
		b.WriteString(u)
	}
	b.WriteString(tail)
	return b.String()
}

func same(s string) func(int) string { return func(int) string { return s } }

// each joins n pieces, made from format with their numbers as often as it asks.
func each(n, from int, format string) string {
	var b strings.Builder
	for i := from; i < from+n; i++ {
		b.WriteString(strings.ReplaceAll(format, "#", fmt.Sprint(i)))
	}
	return b.String()
}

const (
	noLimit   = 1 << 30
	elementsM = 49_990 // just below the limit
)

const (
	fits  = ""
	grows = "too_large" // the canonical form, not the document
)

var (
	longSpace   = "u:" + strings.Repeat("n", 254)
	longName    = strings.Repeat("n", 4000)
	listOf64    = strings.TrimSpace(each(64, 0, "p# "))
	sixtyFourOf = each(64, 0, " a#=''")
)

// deepPrefixes opens and closes 60 levels of elements with 32 prefixes each.
func deepPrefixes() (head, tail string) {
	for level := range 60 {
		head += "<e" + each(32, 32*level, " xmlns:p#='u:#'") + ">"
		tail += "</e>"
	}
	return head + "<apex>", "</apex>" + tail
}

var hostileShapes = []hostileShape{
	{"one text", "", func(n int) string { return fill(n, noLimit, "<e>", "</e>", same("x")) }, fits},
	{"text of references", "", func(n int) string { return fill(n, noLimit, "<e>", "</e>", same("&lt;")) }, fits},
	{"text of long references", "",
		func(n int) string { return fill(n, noLimit, "<e>", "</e>", same("&#x00000041;")) }, fits},
	{"text that grows", "", func(n int) string { return fill(n, noLimit, "<e>", "</e>", same(">")) }, grows},
	{"text of line ends", "", func(n int) string { return fill(n, noLimit, "<e>", "</e>", same("\r\n")) }, fits},
	{"text of brackets", "", func(n int) string { return fill(n, noLimit, "<e>", "</e>", same("]")) }, fits},
	{"text that looks like attributes", "", func(n int) string { return fill(n, noLimit, "<e>", "</e>", same("a=")) },
		fits},
	{"text that looks like declarations", "",
		func(n int) string { return fill(n, noLimit, "<e>", "</e>", same("xmlns")) }, fits},
	{"text above ASCII", "", func(n int) string { return fill(n, noLimit, "<e>", "</e>", same("\u00e9")) }, fits},
	{"value that grows", "", func(n int) string { return fill(n, noLimit, "<e a='", "'/>", same(`"`)) }, grows},
	{"value of references", "", func(n int) string { return fill(n, noLimit, `<e a="`, `"></e>`, same("&amp;")) },
		fits},
	{"white space in a tag", "", func(n int) string { return fill(n, noLimit, "<e", "></e>", same("\n")) }, fits},
	{"one name", "", func(n int) string { return "<" + strings.Repeat("n", n/2-3) + "/>" }, fits},
	{"one name above ASCII", "", func(n int) string { return "<" + strings.Repeat("\u00e9", n/8) + "/>" }, fits},
	{"one prefix", "", func(n int) string {
		p := strings.Repeat("n", n/3-20)
		return "<" + p + ":e xmlns:" + p +
			"='u:p'/>"
	}, fits},
	{"CDATA sections", "", func(n int) string { return fill(n, noLimit, "<e>", "</e>", same("<![CDATA[]]>")) }, fits},
	{"CDATA sections and text by turns", "",
		func(n int) string { return fill(n, noLimit, "<e>", "</e>", same("<![CDATA[]]>x")) }, fits},
	{"elements", "", func(n int) string { return fill(n, elementsM, "<e>", "</e>", same("<a></a>")) }, fits},
	{"elements and text by turns", "",
		func(n int) string { return fill(n, elementsM, "<e>", "</e>", same("<a>1</a>x")) }, fits},
	{"elements in towers", "", func(n int) string {
		return fill(n, elementsM/60, "<e>", "</e>", same(strings.Repeat("<a>", 60)+strings.Repeat("</a>", 60)))
	}, fits},
	{"elements with a long PrefixList that is not declared", listOf64,
		func(n int) string { return fill(n, elementsM, "<e>", "</e>", same("<a></a>")) }, fits},
	{"elements with a long PrefixList", listOf64, func(n int) string {
		head := "<r" + each(32, 0, " xmlns:p#='u:p'") + "><apex" + each(32, 32, " xmlns:p#='u:p'") + ">"
		return fill(n, elementsM, head, "</apex></r>", same("<a></a>"))
	}, fits},
	{"listed prefixes declared again", listOf64, func(n int) string {
		return fill(n, elementsM, "<e>", "</e>", func(i int) string {
			return "<a" + each(32, 32*(i%2), " xmlns:p#='u:p'") + "></a>"
		})
	}, fits},
	{"listed prefixes in towers", listOf64, func(n int) string {
		one := "<a" + each(32, 0, " xmlns:p#='u:1'") + ">" +
			"<a" + each(32, 32, " xmlns:p#='u:1'") + ">" +
			"<a" + each(32, 0, " xmlns:p#='u:2'") + ">"
		return fill(n, elementsM, "<e>", "</e>", same(strings.Repeat(one, 20)+strings.Repeat("</a>", 60)))
	}, fits},
	{"attributes", "", func(n int) string {
		return fill(n, elementsM, "<e>", "</e>",
			same("<a"+sixtyFourOf+"></a>"))
	}, fits},
	{"attributes in reverse order", "", func(n int) string {
		one := "<a"
		for i := 63; i >= 0; i-- {
			one += fmt.Sprintf(" a%02d=''", i)
		}
		return fill(n, elementsM, "<e>", "</e>", same(one+"></a>"))
	}, fits},
	{"attributes that differ at the end", "", func(n int) string {
		return fill(n, elementsM, "<e>", "</e>", same("<a"+each(64, 10, " "+strings.Repeat("n", 60)+"#=''")+"></a>"))
	}, fits},
	{"attributes that begin and end alike", "", func(n int) string {
		return fill(n, elementsM, "<e>", "</e>", same("<a"+each(64, 10, " nnnn#nnnn=''")+"></a>"))
	}, fits},
	{"attributes with long names", "", func(n int) string {
		return fill(n, elementsM, "<e>", "</e>", same("<a"+each(64, 10, " "+longName+"#=''")+"></a>"))
	}, fits},
	{"attributes of many namespaces", "", func(n int) string {
		head := "<e" + each(32, 10, " xmlns:p#='u:#' p#:a=''") + ">"
		return fill(n, elementsM, head, "</e>", same("<a"+each(32, 10, " p#:b='' p#:a=''")+"></a>"))
	}, fits},
	{"prefixes that are new each time", "", func(n int) string {
		return fill(n, elementsM, "<e>", "</e>", func(i int) string {
			return "<a" + each(32, 32*i, " xmlns:p#='u:#'") + "></a>"
		})
	}, fits},
	{"prefixes that are new each time, and used", "", func(n int) string {
		return fill(n, elementsM, "<e>", "</e>", func(i int) string {
			return "<a" + each(32, 32*i, " xmlns:p#='u:#' p#:a=''") + "></a>"
		})
	}, fits},
	{"one prefix declared again and again", "",
		func(n int) string { return fill(n, elementsM, "<e>", "</e>", same("<p:a xmlns:p='u:p'></p:a>")) }, fits},
	{"one prefix in new namespaces", "", func(n int) string {
		return fill(n, elementsM, "<e>", "</e>", func(i int) string {
			return fmt.Sprintf("<p:a xmlns:p='u:%d'></p:a>", i)
		})
	}, fits},
	{"default namespaces by turns", "", func(n int) string {
		tower := strings.Repeat("<a xmlns='u:1'><a xmlns=''>", 30) + strings.Repeat("</a>", 60)
		return fill(n, elementsM/60, "<e>", "</e>", same(tower))
	}, fits},
	{"thousands of prefixes in scope", "", func(n int) string {
		head, tail := deepPrefixes()
		return fill(n/3, elementsM-61, head, tail, func(i int) string {
			return fmt.Sprintf("<p%d:a></p%d:a>", i%1920, i%1920)
		})
	}, fits},
	{"thousands of prefixes in scope and a long PrefixList", listOf64, func(n int) string {
		head, tail := deepPrefixes()
		return fill(n, elementsM-61, head, tail, same("<a></a>"))
	}, fits},
	{"a long namespace name for each element", "", func(n int) string {
		return fill(n, elementsM, "<e xmlns:p='"+longSpace+"'>", "</e>", same("<p:a/>"))
	}, grows},
	{"references that are wrong at the end", "",
		func(n int) string { return fill(n, noLimit, "<e>", "&</e>", same("&lt;")) }, "entity"},
	{"an end tag that is wrong at the end", "",
		func(n int) string { return fill(n, elementsM, "<e>", "</f>", same("<a></a>")) }, "xml_syntax"},
	{"a bad byte at the end", "", func(n int) string { return fill(n, noLimit, "<e>", "\x01</e>", same("\u00e9")) },
		"encoding"},
}

// readHostile parses, reads every text and an attribute of every element, and canonicalizes as for
// a signature over the element called apex, or else over the root.
func readHostile(shape hostileShape, src []byte) (code string) {
	doc, err := xmltree.Parse(src, messages)
	if err != nil {
		return codeOf(err)
	}
	apex := doc.Root()
	for e := range doc.Root().Descendants() {
		e.Attr("ID")
		e.Text()
		if e.Local() == "apex" {
			apex = e
		}
	}
	_, err = apex.Canonicalize(nil, xmltree.C14N{PrefixList: shape.list})
	return codeOf(err)
}

// TestHostileShapes measures what can be measured alike on every machine: memory. Times are in
// BenchmarkHostile. It is not parallel, since others would allocate meanwhile.
func TestHostileShapes(t *testing.T) {
	const mostMemory = 40 << 20 // garbage included
	for _, shape := range hostileShapes {
		t.Run(shape.name, func(t *testing.T) {
			half, whole := []byte(shape.write(xmltree.MaxBytes/2)), []byte(shape.write(xmltree.MaxBytes))
			if len(whole) > xmltree.MaxBytes {
				t.Fatalf("the document has %d bytes", len(whole))
			}
			var code string
			memory, allocations := cost(func() { code = readHostile(shape, whole) })
			if code != shape.code {
				t.Errorf("got code %q, want %q", code, shape.code)
			}
			halfMemory, halfAllocations := cost(func() { readHostile(shape, half) })
			if memory > mostMemory {
				t.Errorf("takes %d KiB, want at most %d", memory>>10, mostMemory>>10)
			}
			// Slices that double make steps, so that twice the input may cost a little more than
			// twice.
			if memory > 3*halfMemory+(64<<10) || allocations > 3*halfAllocations+50 {
				t.Errorf("takes %d KiB in %d pieces, and half of it %d KiB in %d pieces: that is not linear",
					memory>>10, allocations, halfMemory>>10, halfAllocations)
			}
		})
	}
}

// cost returns the bytes and the number of allocations of work.
func cost(work func()) (memory, allocations uint64) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	work()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc, after.Mallocs - before.Mallocs
}

package xmltree

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
	"unsafe"
)

// Source returns the text of the document from the start tag of e on.
func Source(e Element) string { return e.doc.src[e.node().start-1:] }

// Describe writes what e and all below it mean, free of how it was written: names with their
// namespaces, attributes in a fixed order, decoded text joined over CDATA borders. Trees that say
// the same have the same description. Prefixes are not part of it, and neither is the element omit.
func Describe(e, omit Element) string {
	var b strings.Builder
	d := e.doc
	var text []byte
	flush := func() {
		if len(text) > 0 {
			fmt.Fprintf(&b, "text %q\n", text)
		}
		text = text[:0]
	}
	var open []int32 // where the open elements end
	for i := e.index; i < d.nodes[e.index].next; i++ {
		for len(open) > 0 && open[len(open)-1] <= i {
			flush()
			b.WriteString("end\n")
			open = open[:len(open)-1]
		}
		n := &d.nodes[i]
		switch {
		case omit == Element{d, i}:
			i = n.next - 1
		case n.kind != elementNode:
			text = append(text, d.text(n)...)
		default:
			flush()
			fmt.Fprintf(&b, "element {%s}%s\n", d.spaces[n.space], d.src[n.local:n.end])
			b.WriteString(describeAttributes(d, n))
			open = append(open, n.next)
		}
	}
	flush()
	return b.String() + strings.Repeat("end\n", len(open))
}

// DescribeAs is like Describe without the element that how omits. For inclusive canonicalization e
// has the xml: attributes of the elements around it too: the nearest of each name, in 1.1 only
// xml:lang and xml:space.
func DescribeAs(e Element, how C14N) string {
	own := Describe(e, how.Omit)
	if how.Method == Exclusive {
		return own
	}
	d := e.doc
	head := fmt.Sprintf("element {%s}%s\n", d.spaces[e.node().space], d.src[e.node().local:e.node().end])
	lines := strings.SplitAfter(describeAttributes(d, e.node()), "\n")
	lines = lines[:len(lines)-1]
	rest := own[len(head)+len(strings.Join(lines, "")):]
	known := XMLAttributes(e)
	for around := e.Parent(); around.Exists(); around = around.Parent() {
		n := around.node()
		for i := range d.attrs[n.attr : n.attr+int32(n.attrs)] {
			a := &d.attrs[n.attr+int32(i)]
			name := d.src[a.local:a.end]
			if a.space != xmlSpace || slices.Contains(known, name) ||
				how.Method == Inclusive11 && name != "lang" && name != "space" {
				continue
			}
			known = append(known, name)
			lines = append(lines, fmt.Sprintf("attribute {%s}%s %q\n", NSXML, name, d.value(a)))
		}
	}
	slices.Sort(lines)
	return head + strings.Join(lines, "") + rest
}

// XMLAttributes returns the local names of the xml: attributes of e.
func XMLAttributes(e Element) (names []string) {
	d, n := e.doc, e.node()
	for i := range d.attrs[n.attr : n.attr+int32(n.attrs)] {
		if a := &d.attrs[n.attr+int32(i)]; a.space == xmlSpace {
			names = append(names, d.src[a.local:a.end])
		}
	}
	return names
}

func describeAttributes(d *Document, n *node) string {
	var lines []string
	for i := range d.attrs[n.attr : n.attr+int32(n.attrs)] {
		a := &d.attrs[n.attr+int32(i)]
		lines = append(lines, fmt.Sprintf("attribute {%s}%s %q\n", d.spaces[a.space], d.src[a.local:a.end], d.value(a)))
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// HasOddName reports whether the document has a name that encoding/xml does not read as the
// standards say: one with characters above ASCII, or an element called xmlns.
func HasOddName(d *Document) bool {
	wide := func(s string) bool { return strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) >= 0 }
	for _, n := range d.nodes {
		if name := d.src[n.start:n.end]; n.kind == elementNode && (name == "xmlns" || wide(name)) {
			return true
		}
	}
	for _, a := range d.attrs {
		if wide(d.src[a.start:a.end]) {
			return true
		}
	}
	return slices.ContainsFunc(d.prefixes, wide)
}

// Prefixes returns all prefixes that the document declares, "#default" for the default namespace.
func Prefixes(d *Document) []string {
	list := append([]string{"#default"}, d.prefixes[1:]...)
	return list[:min(len(list), maxPrefixes)]
}

// Released is what an Element of a released Document panics with.
const Released = released

// MaxKept is the most that is kept of an arena, in bytes.
const MaxKept = maxKept

// An Arena is the memory of a Document, outside the pool.
type Arena = arena

// Empty reports whether the arena holds no memory: it was taken, and not given back.
func (a *arena) Empty() bool { return a.size() == 0 }

// Size returns how much memory the arena takes up, in bytes.
func (a *arena) Size() int { return a.size() }

// Names returns all strings that the arena can reach, also behind the end of its slices.
func (a *arena) Names() []string {
	return append(slices.Clone(a.prefixes[:cap(a.prefixes)]), a.spaces[:cap(a.spaces)]...)
}

// Soil fills the arena, behind the end of its slices, with what no document holds.
func (a *arena) Soil() {
	fill(a.nodes, node{77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 77, true})
	fill(a.attrs, attribute{77, 77, 77, 77, 77, 77, 77, true})
	fill(a.decls, declaration{77, 77, 77})
	fill(a.bound, 77)
	fill(a.prefixes, "soil")
	fill(a.spaces, "soil")
}

func fill[T any](s []T, with T) {
	for i := range s[:cap(s)] {
		s[:cap(s)][i] = with
	}
}

// SetNodes gives the arena memory for its nodes.
func (a *arena) SetNodes(memory []byte) {
	a.nodes = unsafe.Slice((*node)(unsafe.Pointer(unsafe.SliceData(memory))), len(memory)/int(unsafe.Sizeof(node{})))[:0]
}

// ParseIn is Parse with an arena.
func ParseIn(home *arena, src []byte, opt Options) (*Document, error) {
	if len(src) > MaxBytes || badCharacter(src) >= 0 {
		return Parse(src, opt)
	}
	doc, err := parse(src, MaxBytes, opt.AllowComments, home)
	if err != nil {
		doc.leaveArena()
		return nil, err
	}
	return doc, nil
}

// Leave is Release for a document of ParseIn: the arena does not get into the pool.
func Leave(d *Document) { d.leaveArena() }

// SameTree reports whether two documents of the same text are equal in all that is known about it.
func SameTree(a, b *Document) bool {
	return a.src == b.src && slices.Equal(a.nodes, b.nodes) && slices.Equal(a.attrs, b.attrs) && slices.Equal(a.decls, b.decls) &&
		slices.Equal(a.prefixes, b.prefixes) && slices.Equal(a.spaces, b.spaces) && slices.Equal(a.bound, b.bound) &&
		maps.Equal(a.prefixIndex, b.prefixIndex) && a.root == b.root && a.limit == b.limit && a.hadComments == b.hadComments
}

// CutSource takes the last half of its text from a document, so that whoever reads on panics.
func CutSource(d *Document) { d.src = d.src[:len(d.src)/2] }

// Stacks are the working memory of one Canonicalize, outside the pool.
type Stacks = stacks

// Empty reports whether the stacks hold no memory: they were taken, and not given back.
func (s *stacks) Empty() bool { return s.size() == 0 }

// Soil fills the stacks, behind the end of each, with what no document holds.
func (s *stacks) Soil() {
	fill(s.rendered, 77)
	fill(s.ordered, 77)
	fill(s.undo, binding{77, 77})
	fill(s.needed, binding{77, 77})
	fill(s.open, openElement{77, 77})
}

// CanonicalizeWith is Canonicalize with stacks.
func CanonicalizeWith(home *stacks, e Element, how C14N) ([]byte, error) {
	return e.canonicalize(nil, how, home)
}

// Grow gives the stacks more memory than is kept.
func (s *stacks) Grow() { s.ordered = make([]int32, 0, maxKept/4+1) }

// ArenaOf returns the arena that a document has.
func ArenaOf(d *Document) *arena { return &d.arena }

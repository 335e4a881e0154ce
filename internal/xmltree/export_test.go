package xmltree

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
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

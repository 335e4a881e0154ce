// Package xmltree is the only reader of hostile XML: one strict pass over the bytes into a compact read-only tree, and
// exclusive canonicalization of its subtrees. A Document says what the bytes say; it is not trusted.
//
// What is read is a subset of XML 1.0 and Namespaces in XML 1.0 that all processors understand alike: UTF-8 only, no
// DOCTYPE, no processing instructions, no comments in messages, namespace names that are absolute URIs. Every limit is
// checked while reading.
package xmltree

import "iter"

// The namespaces of SAML 2.0 and of what it is built on.
const (
	NSAssertion = "urn:oasis:names:tc:SAML:2.0:assertion"
	NSProtocol  = "urn:oasis:names:tc:SAML:2.0:protocol"
	NSMetadata  = "urn:oasis:names:tc:SAML:2.0:metadata"
	NSDSig      = "http://www.w3.org/2000/09/xmldsig#"
	NSDSig11    = "http://www.w3.org/2009/xmldsig11#"
	NSXEnc      = "http://www.w3.org/2001/04/xmlenc#"
	NSXEnc11    = "http://www.w3.org/2009/xmlenc11#"
	NSExcC14N   = "http://www.w3.org/2001/10/xml-exc-c14n#"
	NSXSI       = "http://www.w3.org/2001/XMLSchema-instance"
	NSXML       = "http://www.w3.org/XML/1998/namespace"
	nsXMLNS     = "http://www.w3.org/2000/xmlns/"
)

// A Document is a parsed message. It is immutable and safe for concurrent use. Strings taken from it share its memory.
type Document struct {
	src         string
	nodes       []node // in document order; an element's descendants follow it directly
	attrs       []attribute
	decls       []declaration
	prefixes    []string         // interned; noPrefix and xmlPrefix are fixed
	spaces      []string         // interned namespace names; noSpace and xmlSpace are fixed
	prefixIndex map[string]int32 // place in prefixes, nil while those are few
	root        int32
	limit       int // bytes, of the source as of each canonical form

	// Room for what every message has few of, so that reading it does not allocate.
	prefixRoom, spaceRoom [8]string
	declRoom              [12]declaration
}

// Indices into prefixes and spaces that every document has.
const (
	noPrefix  = 0
	xmlPrefix = 1
	noSpace   = 0
	xmlSpace  = 1
)

type nodeKind uint8

const (
	elementNode nodeKind = iota
	textNode
	cdataNode
)

// A node is an element or a run of character data. Texts are offsets into src.
type node struct {
	start, end int32 // element: its qualified name; else its raw characters, without the CDATA markers
	local      int32 // element: where the local name begins
	prefix     int32
	space      int32
	parent     int32 // -1 for the root
	next       int32 // one past the last descendant
	attr       int32 // first attribute; attrs of an element are adjacent
	decl       int32 // first namespace declaration, likewise
	attrs      uint8
	decls      uint8
	kind       nodeKind
	coded      bool // the characters differ from their canonical form
}

type attribute struct {
	start, local, end    int32 // qualified name
	valueStart, valueEnd int32
	prefix, space        int32
	coded                bool // the value differs from its canonical form
}

type declaration struct {
	prefix, space int32
	outer         int32 // what the prefix was bound to outside, unbound if it was not
}

const unbound = -1

// An Element is an element of a Document. The zero value is no element: Exists reports false, and only that may be asked.
type Element struct {
	doc   *Document
	index int32
}

// Root is the document element.
func (d *Document) Root() Element { return Element{d, d.root} }

func (e Element) node() *node { return &e.doc.nodes[e.index] }

// Limit is the most bytes that the document was allowed to have, and that a canonical form of it may have.
func (e Element) Limit() int { return e.doc.limit }

// Exists reports whether e is an element.
func (e Element) Exists() bool { return e.doc != nil }

// Local is the local name.
func (e Element) Local() string { n := e.node(); return e.doc.src[n.local:n.end] }

// Space is the namespace name, "" for none.
func (e Element) Space() string { return e.doc.spaces[e.node().space] }

// Is reports whether the element has this namespace name and local name.
func (e Element) Is(space, local string) bool { return e.Local() == local && e.Space() == space }

// Parent is the parent element; the root has none.
func (e Element) Parent() Element {
	if p := e.node().parent; p >= 0 {
		return Element{e.doc, p}
	}
	return Element{}
}

// Attr gives the normalized value of the attribute in no namespace with this name, and whether there is one.
func (e Element) Attr(name string) (string, bool) {
	n := e.node()
	for i := range e.doc.attrs[n.attr : n.attr+int32(n.attrs)] {
		a := &e.doc.attrs[n.attr+int32(i)]
		if a.space == noSpace && e.doc.src[a.local:a.end] == name {
			return e.doc.value(a), true
		}
	}
	return "", false
}

// Children are the child elements in document order.
func (e Element) Children() iter.Seq[Element] {
	return func(yield func(Element) bool) {
		nodes := e.doc.nodes
		for i := e.index + 1; i < nodes[e.index].next; i = nodes[i].next {
			if nodes[i].kind == elementNode && !yield(Element{e.doc, i}) {
				return
			}
		}
	}
}

// CountChildren is the number of child elements.
func (e Element) CountChildren() (n int) {
	for range e.Children() {
		n++
	}
	return n
}

// Descendants are all elements below e in document order.
func (e Element) Descendants() iter.Seq[Element] {
	return func(yield func(Element) bool) {
		nodes := e.doc.nodes
		for i := e.index + 1; i < nodes[e.index].next; i++ {
			if nodes[i].kind == elementNode && !yield(Element{e.doc, i}) {
				return
			}
		}
	}
}

// Contains reports whether inner is e or lies below it.
func (e Element) Contains(inner Element) bool {
	return e.doc == inner.doc && e.index <= inner.index && inner.index < e.node().next
}

// Text gives the character data of an element that holds nothing else, and whether that is so: an element with child
// elements has no text. An empty element has the text "".
func (e Element) Text() (string, bool) {
	n := e.node()
	if n.next == e.index+2 && e.doc.nodes[e.index+1].kind != elementNode { // by far the most frequent
		return e.doc.text(&e.doc.nodes[e.index+1]), true
	}
	var joined []byte
	for i := e.index + 1; i < n.next; i++ {
		c := &e.doc.nodes[i]
		if c.kind == elementNode {
			return "", false
		}
		joined = append(joined, e.doc.text(c)...)
	}
	return string(joined), true
}

// OnlyElements reports whether e holds nothing but elements and white space.
func (e Element) OnlyElements() bool {
	nodes := e.doc.nodes
	for i := e.index + 1; i < nodes[e.index].next; i = nodes[i].next {
		if n := &nodes[i]; n.kind != elementNode && (n.kind == cdataNode || !isSpace(e.doc.src[n.start:n.end])) {
			return false
		}
	}
	return true
}

// text is the decoded character data of a text node.
func (d *Document) text(n *node) string {
	raw := d.src[n.start:n.end]
	if !n.coded {
		return raw
	}
	return string(appendDecoded(nil, raw, n.kind))
}

// value is the normalized value of an attribute.
func (d *Document) value(a *attribute) string {
	raw := d.src[a.valueStart:a.valueEnd]
	if !a.coded {
		return raw
	}
	return string(appendDecoded(nil, raw, attributeValue))
}

// Package xmltree is the only reader of hostile XML. It reads a document in one strict pass into a
// compact read-only tree, and writes subtrees in canonical form (C14N), which is what XML signatures
// are computed over. A Document says what the bytes say; nothing in it is trusted.
//
// It accepts a subset of XML 1.0 (fifth edition) and Namespaces in XML 1.0 (third edition) that all
// XML processors read alike: UTF-8 only, no DOCTYPE and so no entity expansion (XXE, billion
// laughs), no processing instructions, no comments in messages (comment injection), and namespace
// names that are absolute URIs. Every limit is checked while reading.
package xmltree

import (
	"iter"
	"sync/atomic"
)

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

// A Document is a parsed message or metadata file. It is immutable and, until it is released, safe for
// concurrent use. Strings taken from it share the memory of the source.
type Document struct {
	src string
	arena
	home        atomic.Pointer[arena] // where the arena goes at the end; nil after that
	prefixIndex map[string]int32      // index into prefixes; nil while there are few
	root        int32
	limit       int  // bytes: the maximum for the source and for each canonical form
	hadComments bool // inside the root, where they were skipped
}

// Indices into prefixes and spaces that exist in every document.
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

// A node is an element or a run of character data. It holds offsets into src in place of strings.
type node struct {
	start, end int32 // element: its qualified name; else its raw characters, without the CDATA markers
	local      int32 // element: where the local name begins
	prefix     int32
	space      int32
	parent     int32 // -1 for the root
	next       int32 // one past the last descendant
	attr       int32 // index of the first attribute; those of one element are adjacent
	decl       int32 // index of the first namespace declaration; adjacent too
	attrs      uint8
	decls      uint8
	kind       nodeKind
	coded      bool // the characters differ from their canonical form
}

type attribute struct {
	start, local, end    int32 // the qualified name; local is where its local part begins
	valueStart, valueEnd int32
	prefix, space        int32
	coded                bool // the value differs from its canonical form
}

type declaration struct {
	prefix, space int32
	outer         int32 // the namespace of the prefix around this element; unbound if it had none
}

const unbound = -1

// An Element is an element of a Document. Two Elements are equal (==) if they are the same element
// of the same Document. The zero value stands for "no element": Exists reports false, and no other
// method may be called.
type Element struct {
	doc   *Document
	index int32
}

// Root returns the document element.
func (d *Document) Root() Element {
	root := Element{d, d.root}
	root.node() // panics if d was released
	return root
}

// node returns what is known about e. Every method comes here first, and again after it has called
// foreign code, so that none works on a Document that was released.
func (e Element) node() *node {
	if int(e.index) >= len(e.doc.nodes) {
		panic(released)
	}
	return &e.doc.nodes[e.index]
}

// Limit returns the maximum size, in bytes, of the document and of a canonical form of any part of
// it.
func (e Element) Limit() int { e.node(); return e.doc.limit }

// HadComments reports whether comments were skipped in the document, inside its root.
func (e Element) HadComments() bool { e.node(); return e.doc.hadComments }

// Exists reports whether e is an element, not the zero value.
func (e Element) Exists() bool { return e.doc != nil }

// Local returns the local name, without prefix.
func (e Element) Local() string { n := e.node(); return e.doc.src[n.local:n.end] }

// Space returns the namespace name (a URI), or "" if the element is in no namespace.
func (e Element) Space() string { n := e.node(); return e.doc.spaces[n.space] }

// Is reports whether the element has this namespace name and this local name. Prefixes do not
// matter.
func (e Element) Is(space, local string) bool { return e.Local() == local && e.Space() == space }

// Parent returns the parent element, or the zero Element for the root.
func (e Element) Parent() Element {
	if p := e.node().parent; p >= 0 {
		return Element{e.doc, p}
	}
	return Element{}
}

// Attr returns the normalized value (XML 1.0 §3.3.3) of the attribute with this name and without a
// namespace, and whether the element has it.
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

// Children returns the child elements in document order.
func (e Element) Children() iter.Seq[Element] {
	return func(yield func(Element) bool) {
		for i := e.index + 1; i < e.node().next; {
			child := Element{e.doc, i}
			n := child.node()
			i = n.next
			if n.kind == elementNode && !yield(child) {
				return
			}
		}
	}
}

// CountChildren returns the number of child elements.
func (e Element) CountChildren() (n int) {
	for range e.Children() {
		n++
	}
	return n
}

// Descendants returns all elements inside e, at any depth, in document order. e itself is not one
// of them.
func (e Element) Descendants() iter.Seq[Element] {
	return func(yield func(Element) bool) {
		for i := e.index + 1; i < e.node().next; i++ {
			inner := Element{e.doc, i}
			if inner.node().kind == elementNode && !yield(inner) {
				return
			}
		}
	}
}

// Contains reports whether inner is e or one of its descendants. It is false if inner is the zero
// Element.
func (e Element) Contains(inner Element) bool {
	n := e.node()
	return e.doc == inner.doc && e.index <= inner.index && inner.index < n.next
}

// Text returns the character data of e, with references and CDATA sections decoded, and true. If e
// has a child element, it returns "" and false: text that is split by elements is read differently
// by different programs. An empty element has the text "" and true.
func (e Element) Text() (string, bool) {
	n := e.node()
	// By far the most frequent case: one run of text and nothing else.
	if n.next == e.index+2 && e.doc.nodes[e.index+1].kind != elementNode {
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

// OnlyElements reports whether e contains only elements and white space. A CDATA section counts as
// text even if it is empty.
func (e Element) OnlyElements() bool {
	end, nodes := e.node().next, e.doc.nodes
	for i := e.index + 1; i < end; i = nodes[i].next {
		if n := &nodes[i]; n.kind != elementNode && (n.kind == cdataNode || !isSpace(e.doc.src[n.start:n.end])) {
			return false
		}
	}
	return true
}

// text returns the decoded character data of a text node.
func (d *Document) text(n *node) string {
	raw := d.src[n.start:n.end]
	if !n.coded {
		return raw
	}
	return string(appendDecoded(nil, raw, n.kind))
}

// value returns the normalized value of an attribute.
func (d *Document) value(a *attribute) string {
	raw := d.src[a.valueStart:a.valueEnd]
	if !a.coded {
		return raw
	}
	return string(appendDecoded(nil, raw, attributeValue))
}

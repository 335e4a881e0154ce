package xmltree

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/iomete/saml/internal/fault"
)

// maxPrefixes is the maximum number of names in a PrefixList.
const maxPrefixes = 64

// A Method is a canonicalization without comments.
type Method uint8

const (
	Exclusive   Method = iota // Exclusive XML Canonicalization 1.0 (W3C Recommendation, 18 July 2002)
	Inclusive                 // Canonical XML 1.0 (W3C Recommendation, 15 March 2001)
	Inclusive11               // Canonical XML 1.1 (W3C Recommendation, 2 May 2008)
)

// A C14N holds the parameters of a canonicalization. The zero value is exclusive canonicalization
// of everything in the element.
type C14N struct {
	Method Method
	// PrefixList is the InclusiveNamespaces PrefixList of exclusive canonicalization (§3): prefixes
	// separated by white space, "#default" for the default namespace. Their declarations are
	// written as in inclusive canonicalization. At most 64 names; prefixes that are not declared
	// are ignored. The other methods have none. Default: none.
	PrefixList string
	// Omit is left out together with everything in it: the enveloped signature. The zero Element
	// omits nothing.
	Omit Element
}

// Canonicalize appends the canonical form of e to dst and returns the extended slice, or nil and an
// error. The form may have as many bytes as the document (Limit). All errors are *fault.Fault.
func (e Element) Canonicalize(dst []byte, how C14N) ([]byte, error) {
	home := stacksPool.Get().(*stacks)
	form, err := e.canonicalize(dst, how, home)
	stacksPool.Put(home) // not deferred: after a panic the stacks are garbage
	return form, err
}

func (e Element) canonicalize(dst []byte, how C14N, home *stacks) ([]byte, error) {
	w := writer{doc: e.doc, dst: slices.Grow(dst, e.formSize(how.Omit)), limit: len(dst) + e.doc.limit}
	w.takeStacks(home)
	form, err := w.form(e, how)
	w.leaveStacks(home)
	return form, err
}

// form is Canonicalize, with stacks that are empty.
func (w *writer) form(e Element, how C14N) (form []byte, err error) {
	// At first there is no default namespace. The prefix xml counts as written, because it is never
	// declared.
	w.rendered = append(w.rendered, noSpace, xmlSpace)
	for len(w.rendered) < len(e.doc.prefixes) {
		w.rendered = append(w.rendered, unbound)
	}
	if how.Method == Exclusive {
		err = w.prefixList(e, how.PrefixList)
	} else {
		w.inherited, err = e.inherited(how.Method)
		w.allDeclarations = true
	}
	if err != nil {
		return nil, err
	}
	w.subtree(e.index, how.Omit)
	if len(w.dst) > w.limit {
		return nil, &fault.Fault{
			Code:    fault.TooLarge,
			Message: "the canonical form of the signed XML is too large",
			Want:    fmt.Sprintf("at most %d bytes", e.doc.limit),
		}
	}
	return w.dst, nil
}

// formSize estimates the length of the canonical form in bytes: that of the source without omit, and
// some room for namespace declarations that move into it and for empty elements, which become longer.
func (e Element) formSize(omit Element) int {
	size := e.sourceSize() + 256
	if e.Contains(omit) {
		size -= omit.sourceSize()
	}
	return size
}

// sourceSize returns how many bytes of the source e takes up, with the end tags behind it if nothing
// else follows.
func (e Element) sourceSize() int {
	n := e.node()
	end := len(e.doc.src)
	if int(n.next) < len(e.doc.nodes) {
		end = int(e.doc.nodes[n.next].start)
	}
	return end - int(n.start)
}

type writer struct {
	doc   *Document
	dst   []byte
	limit int

	stacks

	// inclusive holds the prefixes of the PrefixList, each with its namespace in scope at the
	// current position.
	inclusive []binding

	// For inclusive canonicalization: write every declaration in scope, not those alone that are
	// used, and write these attributes of ancestors on the apex.
	allDeclarations bool
	inherited       []int32

	scratch []byte // decoded text: not pooled, because it holds bytes of the message
}

type binding struct{ prefix, space int32 }

type openElement struct {
	index  int32
	undoTo int32 // length of undo before the element
}

// prefixList looks up the names of the PrefixList in the scope around the apex, which is the
// element to canonicalize. startTag adds the declarations of the apex itself.
func (w *writer) prefixList(apex Element, list string) error {
	if list == "" {
		return nil
	}
	n := 0
	for name := range strings.FieldsFuncSeq(list, func(r rune) bool {
		return r < utf8.RuneSelf && isSpaceByte(byte(r))
	}) {
		if n++; n > maxPrefixes {
			return &fault.Fault{
				Code:    fault.Canonicalization,
				Message: "the PrefixList of a canonicalization has too many names",
				Want:    fmt.Sprintf("at most %d", maxPrefixes),
			}
		}
		if name == "#default" {
			name = ""
		}
		id, known := w.doc.prefixID(name)
		if !known {
			id = unbound // no element declares it, so it is never written
		}
		if !slices.ContainsFunc(w.inclusive, func(b binding) bool { return b.prefix == id }) {
			w.inclusive = append(w.inclusive, binding{id, w.doc.inScope(apex.node().parent, id)})
		}
	}
	return nil
}

// inScope returns the namespace of a prefix for content of the element at index, or unbound if the
// prefix is not declared.
func (d *Document) inScope(index, prefix int32) int32 {
	for ; index >= 0; index = d.nodes[index].parent {
		n := &d.nodes[index]
		for _, decl := range d.decls[n.decl : n.decl+int32(n.decls)] {
			if decl.prefix == prefix {
				return decl.space
			}
		}
	}
	return unbound
}

// subtree writes the node at apex and everything in it, except omit. It stops early if the form is
// over the limit.
func (w *writer) subtree(apex int32, omit Element) {
	nodes := w.doc.nodes
	for i := apex; i < nodes[apex].next && len(w.dst) <= w.limit; {
		for len(w.open) > 0 && nodes[w.open[len(w.open)-1].index].next <= i {
			w.endTag()
		}
		n := &nodes[i]
		switch {
		case omit.doc == w.doc && omit.index == i:
			i = n.next
			continue
		case n.kind == elementNode && w.leaf(i, n):
			i = n.next
			continue
		case n.kind == elementNode:
			w.startTag(i, n)
		default:
			w.text(n)
		}
		i++
	}
	for len(w.open) > 0 {
		w.endTag()
	}
}

// leaf writes an element that is written in canonical form already, tags and text, in one piece, and
// reports whether it was one. A long list of groups has little else. There is nothing but a name in
// its tags, and its namespace was written with an ancestor. The PrefixList asks for nothing here that
// was not written with the parent.
func (w *writer) leaf(index int32, n *node) bool {
	if len(w.open) == 0 || w.rendered[n.prefix] != n.space || n.next != index+2 {
		return false
	}
	text, name := &w.doc.nodes[index+1], w.doc.src[n.start:n.end]
	if text.kind != textNode || text.coded || text.start != n.end+int32(len(">")) {
		return false
	}
	// Behind the text are the two bytes of "</" or a comment; no name begins like the rest of that.
	after, ok := strings.CutPrefix(w.doc.src[int(text.end)+len("</"):], name)
	if !ok || after[0] != '>' {
		return false
	}
	w.dst = append(w.dst, w.doc.src[n.start-1:len(w.doc.src)-len(after)+1]...)
	return true
}

func (w *writer) startTag(index int32, n *node) {
	w.enterScope(n)
	w.open = append(w.open, openElement{index, int32(len(w.undo))})

	w.dst = append(w.dst, '<')
	w.dst = append(w.dst, w.doc.src[n.start:n.end]...)
	w.namespaces(n)
	w.attributes(n)
	w.dst = append(w.dst, '>')
}

func (w *writer) endTag() {
	o := w.open[len(w.open)-1]
	w.open = w.open[:len(w.open)-1]
	n := &w.doc.nodes[o.index]
	w.dst = append(w.dst, '<', '/')
	w.dst = append(w.dst, w.doc.src[n.start:n.end]...)
	w.dst = append(w.dst, '>')
	for len(w.undo) > int(o.undoTo) {
		u := w.undo[len(w.undo)-1]
		w.undo = w.undo[:len(w.undo)-1]
		w.rendered[u.prefix] = u.space
	}
	w.leaveScope(n)
}

// enterScope brings inclusive up to date with the declarations of n.
func (w *writer) enterScope(n *node) {
	if len(w.inclusive) == 0 {
		return
	}
	for _, d := range w.doc.decls[n.decl : n.decl+int32(n.decls)] {
		w.setInclusive(d.prefix, d.space)
	}
}

// leaveScope undoes enterScope.
func (w *writer) leaveScope(n *node) {
	if len(w.inclusive) == 0 {
		return
	}
	for _, d := range w.doc.decls[n.decl : n.decl+int32(n.decls)] {
		w.setInclusive(d.prefix, d.outer)
	}
}

func (w *writer) setInclusive(prefix, space int32) {
	for i := range w.inclusive {
		if w.inclusive[i].prefix == prefix {
			w.inclusive[i].space = space
			return
		}
	}
}

// namespaces writes the declarations that this element needs and that no written ancestor has. The
// default namespace comes first, then the others by prefix.
func (w *writer) namespaces(n *node) {
	w.needed = w.needed[:0]
	if w.allDeclarations {
		w.needDeclared(n)
	} else {
		w.needUsed(n)
	}
	if len(w.needed) > 1 {
		slices.SortFunc(w.needed, func(a, b binding) int {
			return strings.Compare(w.doc.prefixes[a.prefix], w.doc.prefixes[b.prefix])
		})
	}
	for _, b := range w.needed {
		w.dst = append(w.dst, " xmlns"...)
		if b.prefix != noPrefix {
			w.dst = append(w.dst, ':')
			w.dst = append(w.dst, w.doc.prefixes[b.prefix]...)
		}
		w.dst = append(w.dst, '=', '"')
		w.dst = append(w.dst, w.doc.spaces[b.space]...) // nothing to escape, see isAbsoluteURI
		w.dst = append(w.dst, '"')
	}
}

// needUsed needs the prefixes that the element and its attributes use, and those of the PrefixList
// (Exclusive XML Canonicalization 1.0 §3).
func (w *writer) needUsed(n *node) {
	w.need(n.prefix, n.space)
	for i := range w.doc.attrs[n.attr : n.attr+int32(n.attrs)] {
		if a := &w.doc.attrs[n.attr+int32(i)]; a.prefix != noPrefix {
			w.need(a.prefix, a.space)
		}
	}
	for _, b := range w.inclusive {
		if b.space != unbound {
			w.need(b.prefix, b.space)
		}
	}
}

// need adds a declaration to needed, unless an open element has it already.
func (w *writer) need(prefix, space int32) {
	if w.rendered[prefix] == space {
		return
	}
	w.undo = append(w.undo, binding{prefix, w.rendered[prefix]})
	w.rendered[prefix] = space
	w.needed = append(w.needed, binding{prefix, space})
}

// attributes writes the attributes sorted by namespace name, then by local name. Those without a
// namespace come first.
func (w *writer) attributes(n *node) {
	w.ordered = w.ordered[:0]
	inOrder := true
	for i := n.attr; i < n.attr+int32(n.attrs); i++ {
		w.ordered = append(w.ordered, i)
		inOrder = inOrder && (i == n.attr || w.compare(i-1, i) < 0)
	}
	if len(w.open) == 1 && len(w.inherited) > 0 {
		w.ordered = append(w.ordered, w.inherited...)
		inOrder = false
	}
	if !inOrder {
		slices.SortFunc(w.ordered, w.compare)
	}
	for _, i := range w.ordered {
		w.dst = w.doc.appendAttribute(w.dst, &w.doc.attrs[i], &w.scratch)
	}
}

// appendAttribute appends a blank and an attribute in canonical form to dst. scratch is for its use.
func (d *Document) appendAttribute(dst []byte, a *attribute, scratch *[]byte) []byte {
	dst = append(dst, ' ')
	dst = append(dst, d.src[a.start:a.end]...)
	dst = append(dst, '=', '"')
	raw := d.src[a.valueStart:a.valueEnd]
	if a.coded {
		*scratch = appendDecoded((*scratch)[:0], raw, attributeValue)
		dst = appendEscaped(dst, *scratch, &attributeEscapes)
	} else {
		dst = append(dst, raw...)
	}
	return append(dst, '"')
}

// compare compares two attributes by their indices in doc.attrs.
func (w *writer) compare(i, j int32) int {
	a, b := &w.doc.attrs[i], &w.doc.attrs[j]
	if a.space != b.space {
		return strings.Compare(w.doc.spaces[a.space], w.doc.spaces[b.space])
	}
	return strings.Compare(w.doc.src[a.local:a.end], w.doc.src[b.local:b.end])
}

func (w *writer) text(n *node) {
	raw := w.doc.src[n.start:n.end]
	if !n.coded {
		w.dst = append(w.dst, raw...)
		return
	}
	w.scratch = appendDecoded(w.scratch[:0], raw, n.kind)
	w.dst = appendEscaped(w.dst, w.scratch, &textEscapes)
}

// The escapes for text and for attribute values in canonical XML (Canonical XML 1.0 §2.3).
var (
	textEscapes      = [128]string{'&': "&amp;", '<': "&lt;", '>': "&gt;", '\r': "&#xD;"}
	attributeEscapes = [128]string{
		'&':  "&amp;",
		'<':  "&lt;",
		'"':  "&quot;",
		'\t': "&#x9;",
		'\n': "&#xA;",
		'\r': "&#xD;",
	}
)

func appendEscaped(dst, decoded []byte, escapes *[128]string) []byte {
	for _, c := range decoded {
		if c < 128 && escapes[c] != "" {
			dst = append(dst, escapes[c]...)
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}

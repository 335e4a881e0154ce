package xmltree

import (
	"fmt"
	"slices"
	"strings"
	"unsafe"

	"github.com/iomete/saml/internal/fault"
)

// The limits of a document; docs/security.md publishes them.
const (
	MaxBytes        = 1 << 20 // of the document, unless Options says otherwise
	maxDepth        = 64      // levels of elements
	maxElements     = 50_000
	maxAttributes   = 64  // of one element
	maxDeclarations = 32  // namespace declarations of one element
	maxNamespace    = 256 // bytes of a namespace name
)

// Options are the exceptions for metadata. The zero value is for messages.
type Options struct {
	MaxBytes      int  // maximum size of the document; 0 means the constant MaxBytes
	AllowComments bool // skip comments, and processing instructions before the root, instead of refusing them
}

// Parse reads a document in UTF-8. The Document and its strings share the memory of src, so that a
// message is not copied: the caller must not change src afterwards. All errors are *fault.Fault; a
// syntax error names line and column.
func Parse(src []byte, opt Options) (*Document, error) {
	limit := opt.MaxBytes
	if limit == 0 {
		limit = MaxBytes
	}
	if len(src) > limit {
		return nil, &fault.Fault{
			Code:    fault.TooLarge,
			Message: "the XML is too large",
			Got:     fmt.Sprintf("%d bytes", len(src)),
			Want:    fmt.Sprintf("at most %d bytes", limit),
		}
	}
	if at := badCharacter(src); at >= 0 {
		return nil, badEncoding(src, at)
	}
	doc, err := parse(src, limit, opt.AllowComments, arenas.Get().(*arena))
	if err != nil {
		doc.Release()
		return nil, err
	}
	return doc, nil
}

// parse is Parse for legal characters, with an arena that the Document has until it is released. It
// returns a Document to release with an error too.
func parse(src []byte, limit int, comments bool, home *arena) (*Document, error) {
	p := parser{
		doc:      &Document{src: unsafe.String(unsafe.SliceData(src), len(src)), limit: limit},
		comments: comments,
		parent:   -1,
		closed:   -1,
	}
	p.doc.takeArena(home)
	p.prepare()
	err := p.document() // a panic leaves the arena to the garbage collector
	d := p.doc
	d.bound, d.prefixes, d.prefixIndex, d.spaces = p.bound, p.prefixes.list, p.prefixes.index, p.spaces.list
	return d, err
}

func badEncoding(src []byte, at int) error {
	if len(src) > 1 && (src[0] == 0xFF && src[1] == 0xFE || src[0] == 0xFE && src[1] == 0xFF) {
		return &fault.Fault{Code: fault.Encoding, Message: "the file is encoded in UTF-16", Want: "UTF-8"}
	}
	return &fault.Fault{
		Code:    fault.Encoding,
		Message: "byte " + fmt.Sprint(at) + " is not part of a legal character",
		Got:     fmt.Sprintf("0x%02X", src[at]),
		Want:    "UTF-8 without control characters",
	}
}

type parser struct {
	doc      *Document
	pos      int
	parent   int32 // the innermost open element, -1 outside the root
	closed   int32 // the element that was closed last, -1 if there is none
	depth    int
	elements int
	comments bool

	prefixes, spaces interner
	bound            []int32 // prefix -> namespace in scope, or unbound
}

// prepare reserves memory for the document, so that its slices do not grow while it is read.
func (p *parser) prepare() {
	d := p.doc
	// Each '<' brings at most one node: a start tag the element, an end tag the text before it. A
	// comment can split a text in two. The caps keep a hostile document from reserving much.
	d.nodes = roomFor(d.nodes, min(strings.Count(d.src, "<")+4, 2*maxElements+len(d.src)/len(` <!---->`)))
	d.attrs = roomFor(d.attrs, min(strings.Count(d.src, "="), len(d.src)/len(` a=""`)))
	n := min(strings.Count(d.src, "xmlns"), len(d.src)/len(` xmlns=""`))
	const few = 16
	d.decls = roomFor(d.decls, max(n, few))
	prefixes, spaces := roomFor(d.prefixes, max(n+2, few)), roomFor(d.spaces, max(n+2, few))
	if n > 3*few {
		p.prefixes.room, p.spaces.room = n, n
	}
	p.prefixes.list = append(prefixes, "", "xml")              // noPrefix, xmlPrefix
	p.spaces.list = append(spaces, "", NSXML)                  // noSpace, xmlSpace
	p.bound = append(roomFor(d.bound, few), noSpace, xmlSpace) // of these two prefixes
}

// fail returns a fault whose message names the current line and column, in bytes.
func (p *parser) fail(code, message string) *fault.Fault {
	before := p.doc.src[:min(p.pos, len(p.doc.src))]
	line := 1 + strings.Count(before, "\n")
	column := len(before) - strings.LastIndexByte(before, '\n')
	return fault.New(code, fmt.Sprintf("%s (line %d, column %d)", message, line, column))
}

func (p *parser) rest() string { return p.doc.src[p.pos:] }

// peek returns the next byte, or 0 at the end. A document contains no NUL, so there is no
// confusion.
func (p *parser) peek() byte {
	if p.pos < len(p.doc.src) {
		return p.doc.src[p.pos]
	}
	return 0
}

// skipSpace skips white space and reports whether there was any.
func (p *parser) skipSpace() (some bool) {
	for p.pos < len(p.doc.src) && isSpaceByte(p.doc.src[p.pos]) {
		p.pos++
		some = true
	}
	return some
}

// document reads everything: an optional byte order mark and XML declaration, then markup and text
// until the end.
func (p *parser) document() error {
	if strings.HasPrefix(p.doc.src, "\uFEFF") {
		p.pos = len("\uFEFF")
	}
	if strings.HasPrefix(p.rest(), "<?xml") && len(p.rest()) > 5 && isSpaceByte(p.rest()[5]) {
		if err := p.declaration(); err != nil {
			return err
		}
	}
	for p.pos < len(p.doc.src) {
		var err error
		if p.doc.src[p.pos] == '<' {
			err = p.markup()
		} else {
			err = p.text()
		}
		if err != nil {
			return err
		}
	}
	switch {
	case p.parent >= 0:
		open := Element{p.doc, p.parent}
		f := p.fail(fault.XMLSyntax, "the document ends before an element is closed")
		f.Got = open.Local()
		return f
	case p.elements == 0:
		return p.fail(fault.XMLSyntax, "the document has no root element")
	}
	return nil
}

// declaration reads <?xml version="1.0" encoding="UTF-8" standalone="yes"?> (XML 1.0 §2.8).
func (p *parser) declaration() error {
	end := strings.Index(p.rest(), "?>")
	if end < 0 {
		return p.fail(fault.XMLDeclaration, "the XML declaration is not closed")
	}
	body := p.rest()[len("<?xml"):end]
	for _, want := range []struct {
		name     string
		values   []string
		required bool
	}{
		{"version", []string{"1.0"}, true},
		{"encoding", []string{"utf-8"}, false},
		{"standalone", []string{"yes", "no"}, false},
	} {
		value, after, ok := pseudoAttribute(body, want.name)
		if !ok {
			if want.required {
				return p.fail(fault.XMLDeclaration, "the XML declaration does not begin with a version")
			}
			continue
		}
		// The name of an encoding may be in any case (XML 1.0 §4.3.3); the other values may not.
		if !slices.Contains(want.values, strings.ToLower(value)) || want.name != "encoding" &&
			!slices.Contains(want.values, value) {
			f := p.fail(fault.XMLDeclaration, "the XML declaration has an unsupported "+want.name)
			f.Got, f.Want = value, strings.Join(want.values, " or ")
			return f
		}
		body = after
	}
	if !isSpace(body) {
		return p.fail(fault.XMLDeclaration,
			"the XML declaration may only hold version, encoding and standalone, in this order")
	}
	p.pos += end + len("?>")
	return nil
}

// pseudoAttribute reads ` name="value"` at the start of s, and returns the value and what follows
// it. ok is false if s does not begin with white space and this name and a quoted value.
func pseudoAttribute(s, name string) (value, after string, ok bool) {
	t := strings.TrimLeft(s, " \t\r\n")
	if t == s {
		return "", "", false
	}
	if t, ok = strings.CutPrefix(t, name); !ok {
		return "", "", false
	}
	if t, ok = strings.CutPrefix(strings.TrimLeft(t, " \t\r\n"), "="); !ok {
		return "", "", false
	}
	t = strings.TrimLeft(t, " \t\r\n")
	if t == "" || t[0] != '"' && t[0] != '\'' {
		return "", "", false
	}
	end := strings.IndexByte(t[1:], t[0])
	if end < 0 {
		return "", "", false
	}
	return t[1 : 1+end], t[2+end:], true
}

// text reads character data up to the next '<'.
func (p *parser) text() error {
	raw := p.rest()
	if n := strings.IndexByte(raw, '<'); n >= 0 {
		raw = raw[:n]
	}
	if p.parent < 0 {
		if !isSpace(raw) {
			return p.fail(fault.XMLSyntax, "there is text outside the root element")
		}
		p.pos += len(raw)
		return nil
	}
	amp := strings.IndexByte(raw, '&')
	gt := strings.IndexByte(raw, '>')
	if gt >= 0 && strings.Contains(raw, "]]>") {
		return p.fail(fault.XMLSyntax, "]]> is not allowed in text")
	}
	if amp >= 0 {
		if err := p.references(raw, amp); err != nil {
			return err
		}
	}
	p.addText(textNode, raw, amp >= 0 || gt >= 0 || strings.IndexByte(raw, '\r') >= 0)
	p.pos += len(raw)
	return nil
}

// addText adds a node for the characters raw at the current position. coded says that they differ
// from their canonical form.
func (p *parser) addText(kind nodeKind, raw string, coded bool) {
	d := p.doc
	d.nodes = append(d.nodes, node{
		start:  int32(p.pos),
		end:    int32(p.pos + len(raw)),
		kind:   kind,
		coded:  coded,
		parent: p.parent,
		next:   int32(len(d.nodes) + 1),
	})
}

// references checks every reference in raw. The first '&' is at offset i.
func (p *parser) references(raw string, i int) error {
	for {
		_, size := reference(raw[i:])
		if size == 0 {
			p.pos += i
			return p.fail(fault.Entity,
				"there is an & that begins neither a predefined entity (such as &amp;) nor a legal character reference")
		}
		i += size
		n := strings.IndexByte(raw[i:], '&')
		if n < 0 {
			return nil
		}
		i += n
	}
}

// markup reads a tag, a CDATA section or, if comments are allowed, a comment. It refuses everything
// else that begins with '<'.
func (p *parser) markup() error {
	rest := p.rest()
	if len(rest) < 2 {
		return p.fail(fault.XMLSyntax, "the document ends inside a tag")
	}
	switch rest[1] {
	case '/':
		return p.endTag()
	case '?':
		if strings.HasPrefix(rest, "<?xml") && len(rest) > 5 && (isSpaceByte(rest[5]) || rest[5] == '?') {
			return p.fail(fault.XMLDeclaration, "an XML declaration is only allowed at the very start")
		}
		return p.instruction()
	case '!':
		switch {
		case strings.HasPrefix(rest, "<!--"):
			return p.comment()
		case strings.HasPrefix(rest, "<![CDATA["):
			return p.cdata()
		}
		return p.fail(fault.Doctype, "a DOCTYPE or another declaration is not allowed")
	}
	return p.startTag()
}

// instruction skips a processing instruction before the root of metadata: some products put a
// stylesheet there, for people who open the file in a browser. It is outside of what can be signed.
func (p *parser) instruction() error {
	switch {
	case !p.comments:
		return p.fail(fault.Comment, "processing instructions are not allowed")
	case p.elements > 0:
		return p.fail(fault.Comment, "processing instructions are only allowed before the root element")
	}
	body := p.rest()[len("<?"):]
	end := strings.Index(body, "?>")
	if end < 0 {
		return p.fail(fault.Comment, "a processing instruction is not closed")
	}
	target := body[:end]
	if i := strings.IndexAny(target, " \t\r\n"); i >= 0 {
		target = target[:i]
	}
	if !isNCName(target) || strings.EqualFold(target, "xml") {
		return p.fail(fault.Comment, "a processing instruction has no usable name")
	}
	p.pos += len("<?") + end + len("?>")
	return nil
}

func (p *parser) comment() error {
	if !p.comments {
		return p.fail(fault.Comment, "comments are not allowed")
	}
	body := p.rest()[len("<!--"):]
	end := strings.Index(body, "--")
	if end < 0 || !strings.HasPrefix(body[end:], "-->") {
		return p.fail(fault.XMLSyntax, "a comment is not closed, or contains --")
	}
	p.pos += len("<!--") + end + len("-->")
	p.doc.hadComments = p.doc.hadComments || p.parent >= 0
	return nil
}

func (p *parser) cdata() error {
	if p.parent < 0 {
		return p.fail(fault.XMLSyntax, "there is a CDATA section outside the root element")
	}
	const open = "<![CDATA["
	end := strings.Index(p.rest()[len(open):], "]]>")
	if end < 0 {
		return p.fail(fault.XMLSyntax, "a CDATA section is not closed")
	}
	p.pos += len(open)
	p.addText(cdataNode, p.rest()[:end], true)
	p.pos += end + len("]]>")
	return nil
}

func (p *parser) endTag() error {
	if p.parent < 0 {
		return p.fail(fault.XMLSyntax, "there is an end tag outside the root element")
	}
	n := &p.doc.nodes[p.parent]
	name := p.doc.src[n.start:n.end]
	after, ok := strings.CutPrefix(p.rest()[len("</"):], name)
	if ok {
		p.pos = len(p.doc.src) - len(after)
		p.skipSpace()
	}
	if !ok || p.peek() != '>' {
		f := p.fail(fault.XMLSyntax, "an end tag does not match its start tag")
		f.Want = name
		return f
	}
	p.pos++
	p.close(n)
	return nil
}

// close ends n, the innermost open element. Its namespace declarations go out of scope.
func (p *parser) close(n *node) {
	n.next = int32(len(p.doc.nodes))
	for i := int32(n.decls) - 1; i >= 0; i-- {
		d := &p.doc.decls[n.decl+i]
		p.bound[d.prefix] = d.outer
	}
	p.closed, p.parent = p.parent, n.parent
	p.depth--
}

// qname reads a name with an optional prefix (NCName or NCName:NCName, Namespaces in XML 1.0 §4) at
// the current position. It returns the offsets of the name, of its local part and of its end.
func (p *parser) qname() (start, local, end int, err error) {
	src := p.doc.src
	start, local = p.pos, p.pos
	wide := false // whether there are characters above ASCII
	i := start
	for ; i < len(src); i++ {
		c := src[i]
		if byteClass[c]&nameByte != 0 {
			wide = wide || c >= 0x80
			continue
		}
		if c == ':' && local == start && i > start {
			local = i + 1
			continue
		}
		break
	}
	prefix := src[start:max(start, local-1)]
	name := src[local:i]
	ok := name != "" && byteClass[name[0]]&nameStart != 0 &&
		(prefix == "" || byteClass[prefix[0]]&nameStart != 0)
	if ok && wide {
		ok = isNCName(name) && (prefix == "" || isNCName(prefix))
	}
	if !ok || i < len(src) && src[i] == ':' {
		return 0, 0, 0, p.fail(fault.XMLSyntax, "there is no legal name where one is needed")
	}
	p.pos = i
	return start, local, i, nil
}

func (p *parser) startTag() error {
	if p.parent < 0 && p.elements > 0 {
		return p.fail(fault.XMLSyntax, "there is more than one root element")
	}
	if p.elements++; p.elements > maxElements {
		return p.limit("elements", maxElements)
	}
	if p.depth++; p.depth > maxDepth {
		return p.limit("levels of elements", maxDepth)
	}
	p.pos++
	if p.sameTag() {
		return nil
	}
	start, local, end, err := p.qname()
	if err != nil {
		return err
	}
	d := p.doc
	index := int32(len(d.nodes))
	d.nodes = append(d.nodes, node{
		kind:   elementNode,
		start:  int32(start),
		local:  int32(local),
		end:    int32(end),
		parent: p.parent,
		attr:   int32(len(d.attrs)),
		decl:   int32(len(d.decls)),
	})
	if err := p.attributes(); err != nil {
		return err
	}
	// The counts fit: attributes keeps them below maxAttributes and maxDeclarations.
	n := &d.nodes[index]
	n.attrs = uint8(len(d.attrs) - int(n.attr))
	n.decls = uint8(len(d.decls) - int(n.decl))
	p.parent = index
	if err := p.resolve(n); err != nil {
		return err
	}
	if p.peek() == '/' {
		p.pos++
		if p.peek() != '>' {
			return p.fail(fault.XMLSyntax, "a tag does not end with >")
		}
		p.pos++
		p.close(n)
		return nil
	}
	p.pos++ // attributes stopped at '>'
	return nil
}

// sameTag reads a start tag that is equal, byte for byte, to that of the previous sibling, and reports
// whether it was one. It only does this for tags without attributes and declarations, such as those
// of a list of groups. Both have the same parent, so the same namespaces are in scope, and what was
// found for the sibling holds here too.
func (p *parser) sameTag() bool {
	if p.closed < 0 {
		return false
	}
	d := p.doc
	n := d.nodes[p.closed] // a copy
	size := n.end - n.start
	if n.parent != p.parent || n.attrs != 0 || n.decls != 0 ||
		int(size) >= len(p.rest()) || p.rest()[size] != '>' || p.rest()[:size] != d.src[n.start:n.end] {
		return false
	}
	n.local += int32(p.pos) - n.start
	n.start, n.end = int32(p.pos), int32(p.pos)+size
	n.attr, n.decl = int32(len(d.attrs)), int32(len(d.decls))
	p.parent = int32(len(d.nodes))
	d.nodes = append(d.nodes, n)
	p.pos += int(size) + len(">")
	return true
}

// limit returns the fault for more than most of what.
func (p *parser) limit(what string, most int) error {
	f := p.fail(fault.TooLarge, "there are too many "+what)
	f.Want = fmt.Sprintf("at most %d", most)
	return f
}

// attributes reads attributes and namespace declarations up to '>' or '/'.
func (p *parser) attributes() error {
	d := p.doc
	firstAttr, firstDecl := len(d.attrs), len(d.decls)
	for {
		spaced := p.skipSpace()
		if c := p.peek(); c == '>' || c == '/' {
			return nil
		}
		if !spaced {
			return p.fail(fault.XMLSyntax, "a tag is not well-formed")
		}
		start, local, end, err := p.qname()
		if err != nil {
			return err
		}
		a := attribute{start: int32(start), local: int32(local), end: int32(end)}
		if err := p.attributeValue(&a); err != nil {
			return err
		}
		switch name := d.src[start:end]; {
		case name == "xmlns" || strings.HasPrefix(name, "xmlns:"):
			if len(d.decls)-firstDecl == maxDeclarations {
				return p.limit("namespace declarations in one element", maxDeclarations)
			}
			prefix := strings.TrimPrefix(name[len("xmlns"):], ":")
			if err := p.declare(prefix, d.value(&a), firstDecl); err != nil {
				return err
			}
		default:
			if len(d.attrs)-firstAttr == maxAttributes {
				return p.limit("attributes in one element", maxAttributes)
			}
			d.attrs = append(d.attrs, a)
		}
	}
}

// attributeValue reads ="value" at the current position into a.
func (p *parser) attributeValue(a *attribute) error {
	p.skipSpace()
	if p.peek() != '=' {
		return p.fail(fault.XMLSyntax, "an attribute has no value")
	}
	p.pos++
	p.skipSpace()
	quote := p.peek()
	if quote != '"' && quote != '\'' {
		return p.fail(fault.XMLSyntax, "an attribute value is not in quotes")
	}
	p.pos++
	n := strings.IndexByte(p.rest(), quote)
	if n < 0 {
		return p.fail(fault.XMLSyntax, "an attribute value is not closed")
	}
	raw := p.rest()[:n]
	amp := false
	for i := plainPrefix(raw); i < len(raw); i++ {
		switch raw[i] {
		case '<':
			p.pos += i
			return p.fail(fault.XMLSyntax, "< is not allowed in an attribute value")
		case '&':
			if !amp { // the first '&'; references checks the others too
				if err := p.references(raw, i); err != nil {
					return err
				}
			}
			amp = true
		case '\t', '\n', '\r', '"':
			a.coded = true
		}
	}
	a.coded = a.coded || amp
	a.valueStart, a.valueEnd = int32(p.pos), int32(p.pos+n)
	p.pos += n + 1
	return nil
}

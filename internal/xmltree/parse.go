package xmltree

import (
	"fmt"
	"strings"
	"unsafe"

	"github.com/iomete/saml/internal/fault"
)

// The limits of a message, published in the documentation.
const (
	MaxBytes        = 1 << 20
	maxDepth        = 64
	maxElements     = 50_000
	maxAttributes   = 64
	maxDeclarations = 32
	maxNamespace    = 256 // bytes of a namespace name
)

// Options relax the reading for metadata. The zero value is for messages.
type Options struct {
	MaxBytes      int  // 0 means MaxBytes
	AllowComments bool // comments are skipped instead of refused
}

// Parse reads a document. The document and its strings are the bytes of src, which must not change any more; so that a message is not
// copied twice. Its errors are *fault.Fault.
func Parse(src []byte, opt Options) (*Document, error) {
	limit := opt.MaxBytes
	if limit == 0 {
		limit = MaxBytes
	}
	if len(src) > limit {
		return nil, &fault.Fault{Code: fault.TooLarge, Message: "the XML is too large",
			Got: fmt.Sprintf("%d bytes", len(src)), Want: fmt.Sprintf("at most %d bytes", limit)}
	}
	if at := badCharacter(src); at >= 0 {
		return nil, badEncoding(src, at)
	}
	p := parser{doc: &Document{src: unsafe.String(unsafe.SliceData(src), len(src)), limit: limit}, comments: opt.AllowComments, parent: -1}
	var room [8]int32
	p.prepare(room[:0])
	if err := p.document(); err != nil {
		return nil, err
	}
	p.doc.prefixes, p.doc.prefixIndex, p.doc.spaces = p.prefixes.list, p.prefixes.index, p.spaces.list
	return p.doc, nil
}

func badEncoding(src []byte, at int) error {
	if len(src) > 1 && (src[0] == 0xFF && src[1] == 0xFE || src[0] == 0xFE && src[1] == 0xFF) {
		return &fault.Fault{Code: fault.Encoding, Message: "the file is encoded in UTF-16", Want: "UTF-8"}
	}
	return &fault.Fault{Code: fault.Encoding, Message: "byte " + fmt.Sprint(at) + " is not part of a legal character",
		Got: fmt.Sprintf("0x%02X", src[at]), Want: "UTF-8 without control characters"}
}

type parser struct {
	doc      *Document
	pos      int
	parent   int32 // the innermost open element, -1 outside the root
	depth    int
	elements int
	comments bool

	prefixes, spaces interner
	bound            []int32 // prefix -> namespace in scope, unbound if none
}

func (p *parser) prepare(bound []int32) {
	d := p.doc
	// A start and an end tag are two '<' for an element and its text, and a comment divides a text in two. The caps keep a hostile input from
	// reserving much.
	d.nodes = make([]node, 0, min(strings.Count(d.src, "<")+4, 2*maxElements+len(d.src)/len(` <!---->`)))
	d.attrs = make([]attribute, 0, min(strings.Count(d.src, "="), len(d.src)/len(` a=""`)))
	d.decls = d.declRoom[:0]
	prefixes, spaces := d.prefixRoom[:0], d.spaceRoom[:0]
	if n := min(strings.Count(d.src, "xmlns"), len(d.src)/len(` xmlns=""`)); n > len(d.declRoom) {
		d.decls = make([]declaration, 0, n)
		if n > 4*len(d.declRoom) {
			prefixes, spaces = make([]string, 0, n+2), make([]string, 0, n+2)
			p.prefixes.room, p.spaces.room = n, n
		}
	}
	p.prefixes.list = append(prefixes, "", "xml") // noPrefix, xmlPrefix
	p.spaces.list = append(spaces, "", NSXML)     // noSpace, xmlSpace
	p.bound = append(bound, noSpace, xmlSpace)    // of these two prefixes
}

// fail makes a fault at the current place.
func (p *parser) fail(code, message string) *fault.Fault {
	before := p.doc.src[:min(p.pos, len(p.doc.src))]
	line := 1 + strings.Count(before, "\n")
	column := len(before) - strings.LastIndexByte(before, '\n')
	return fault.New(code, fmt.Sprintf("%s (line %d, column %d)", message, line, column))
}

func (p *parser) rest() string { return p.doc.src[p.pos:] }

// peek is the next byte, 0 at the end; a NUL cannot occur in a document.
func (p *parser) peek() byte {
	if p.pos < len(p.doc.src) {
		return p.doc.src[p.pos]
	}
	return 0
}

func (p *parser) skipSpace() (some bool) {
	for p.pos < len(p.doc.src) && isSpaceByte(p.doc.src[p.pos]) {
		p.pos++
		some = true
	}
	return some
}

// document reads prolog, root element and what follows it.
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
		f := p.fail(fault.XMLSyntax, "the document ends within an element")
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
		return p.fail(fault.XMLDeclaration, "the XML declaration does not end")
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
				return p.fail(fault.XMLDeclaration, "the XML declaration has no version 1.0 at its start")
			}
			continue
		}
		if !oneOf(strings.ToLower(value), want.values) || want.name != "encoding" && !oneOf(value, want.values) {
			f := p.fail(fault.XMLDeclaration, "the XML declaration has an unusable "+want.name)
			f.Got, f.Want = value, strings.Join(want.values, " or ")
			return f
		}
		body = after
	}
	if !isSpace(body) {
		return p.fail(fault.XMLDeclaration, "the XML declaration holds something else than version, encoding and standalone in this order")
	}
	p.pos += end + len("?>")
	return nil
}

func oneOf(s string, list []string) bool {
	for _, l := range list {
		if s == l {
			return true
		}
	}
	return false
}

// pseudoAttribute reads ` name="value"` at the start of s.
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
			return p.fail(fault.XMLSyntax, "there are characters outside the root element")
		}
		p.pos += len(raw)
		return nil
	}
	amp := strings.IndexByte(raw, '&')
	gt := strings.IndexByte(raw, '>')
	if gt >= 0 && strings.Contains(raw, "]]>") {
		return p.fail(fault.XMLSyntax, "]]> stands in character data")
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

func (p *parser) addText(kind nodeKind, raw string, coded bool) {
	d := p.doc
	d.nodes = append(d.nodes, node{start: int32(p.pos), end: int32(p.pos + len(raw)), kind: kind, coded: coded,
		parent: p.parent, next: int32(len(d.nodes) + 1)})
}

// references checks each '&' of raw, the first of which stands at offset i.
func (p *parser) references(raw string, i int) error {
	for {
		_, size := reference(raw[i:])
		if size == 0 {
			p.pos += i
			return p.fail(fault.Entity, "an entity or character reference is not one of the five predefined entities or a legal character")
		}
		i += size
		n := strings.IndexByte(raw[i:], '&')
		if n < 0 {
			return nil
		}
		i += n
	}
}

// markup reads what begins with '<'.
func (p *parser) markup() error {
	rest := p.rest()
	if len(rest) < 2 {
		return p.fail(fault.XMLSyntax, "the document ends within a tag")
	}
	switch rest[1] {
	case '/':
		return p.endTag()
	case '?':
		if strings.HasPrefix(rest, "<?xml") && len(rest) > 5 && (isSpaceByte(rest[5]) || rest[5] == '?') {
			return p.fail(fault.XMLDeclaration, "an XML declaration stands elsewhere than at the very start")
		}
		return p.fail(fault.Comment, "there is a processing instruction")
	case '!':
		switch {
		case strings.HasPrefix(rest, "<!--"):
			return p.comment()
		case strings.HasPrefix(rest, "<![CDATA["):
			return p.cdata()
		}
		return p.fail(fault.Doctype, "there is a DOCTYPE or another declaration")
	}
	return p.startTag()
}

func (p *parser) comment() error {
	if !p.comments {
		return p.fail(fault.Comment, "there is a comment")
	}
	body := p.rest()[len("<!--"):]
	end := strings.Index(body, "--")
	if end < 0 || !strings.HasPrefix(body[end:], "-->") {
		return p.fail(fault.XMLSyntax, "a comment does not end, or holds two hyphens")
	}
	p.pos += len("<!--") + end + len("-->")
	return nil
}

func (p *parser) cdata() error {
	if p.parent < 0 {
		return p.fail(fault.XMLSyntax, "a CDATA section stands outside the root element")
	}
	const open = "<![CDATA["
	end := strings.Index(p.rest()[len(open):], "]]>")
	if end < 0 {
		return p.fail(fault.XMLSyntax, "a CDATA section does not end")
	}
	p.pos += len(open)
	p.addText(cdataNode, p.rest()[:end], true)
	p.pos += end + len("]]>")
	return nil
}

func (p *parser) endTag() error {
	if p.parent < 0 {
		return p.fail(fault.XMLSyntax, "an end tag stands outside the root element")
	}
	n := &p.doc.nodes[p.parent]
	name := p.doc.src[n.start:n.end]
	after, ok := strings.CutPrefix(p.rest()[len("</"):], name)
	if ok {
		p.pos = len(p.doc.src) - len(after)
		p.skipSpace()
	}
	if !ok || p.peek() != '>' {
		f := p.fail(fault.XMLSyntax, "an end tag does not fit its start tag")
		f.Want = name
		return f
	}
	p.pos++
	p.close(n)
	return nil
}

// close ends the innermost open element n: its namespace declarations go out of scope.
func (p *parser) close(n *node) {
	n.next = int32(len(p.doc.nodes))
	for i := int32(n.decls) - 1; i >= 0; i-- {
		d := &p.doc.decls[n.decl+i]
		p.bound[d.prefix] = d.outer
	}
	p.parent = n.parent
	p.depth--
}

// qname reads NCName or NCName:NCName at the current position and returns where it starts, where its local part starts and
// where it ends.
func (p *parser) qname() (start, local, end int, err error) {
	src := p.doc.src
	start, local = p.pos, p.pos
	wide := false
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
	ok := name != "" && byteClass[name[0]]&nameStart != 0 && (prefix == "" || byteClass[prefix[0]]&nameStart != 0)
	if ok && wide {
		ok = isNCName(name) && (prefix == "" || isNCName(prefix))
	}
	if !ok || i < len(src) && src[i] == ':' {
		return 0, 0, 0, p.fail(fault.XMLSyntax, "there is no legal name where one must stand")
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
	start, local, end, err := p.qname()
	if err != nil {
		return err
	}
	d := p.doc
	index := int32(len(d.nodes))
	d.nodes = append(d.nodes, node{kind: elementNode, start: int32(start), local: int32(local), end: int32(end),
		parent: p.parent, attr: int32(len(d.attrs)), decl: int32(len(d.decls))})
	if err := p.attributes(); err != nil {
		return err
	}
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
			if err := p.declare(strings.TrimPrefix(name[len("xmlns"):], ":"), d.value(&a), firstDecl); err != nil {
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

// attributeValue reads ="value" into a.
func (p *parser) attributeValue(a *attribute) error {
	p.skipSpace()
	if p.peek() != '=' {
		return p.fail(fault.XMLSyntax, "an attribute has no value")
	}
	p.pos++
	p.skipSpace()
	quote := p.peek()
	if quote != '"' && quote != '\'' {
		return p.fail(fault.XMLSyntax, "an attribute value is not quoted")
	}
	p.pos++
	n := strings.IndexByte(p.rest(), quote)
	if n < 0 {
		return p.fail(fault.XMLSyntax, "an attribute value does not end")
	}
	raw := p.rest()[:n]
	amp := false
	for i := plainPrefix(raw); i < len(raw); i++ {
		switch raw[i] {
		case '<':
			p.pos += i
			return p.fail(fault.XMLSyntax, "< stands in an attribute value")
		case '&':
			if !amp {
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

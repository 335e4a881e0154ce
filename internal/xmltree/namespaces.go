package xmltree

import "github.com/iomete/saml/internal/fault"

// declare binds a prefix ("" for the default namespace) to a namespace name, for the element that
// is being read. The declarations of this element begin at index first of decls.
func (p *parser) declare(prefix, space string, first int) error {
	if why := badDeclaration(prefix, space); why != "" {
		f := p.fail(fault.Namespace, why)
		f.Got = space
		return f
	}
	id := p.prefixes.id(prefix)
	if int(id) == len(p.bound) {
		p.bound = append(p.bound, unbound)
	}
	for _, d := range p.doc.decls[first:] {
		if d.prefix == id {
			return p.fail(fault.DuplicateAttribute, "a namespace prefix is declared twice in one element")
		}
	}
	d := declaration{prefix: id, space: p.spaces.id(known(space)), outer: p.bound[id]}
	p.doc.decls = append(p.doc.decls, d)
	p.bound[id] = d.space
	return nil
}

// known returns our own constant if space is one of the namespaces that we look for most. Comparing
// it with that constant then compares two equal pointers, which is fast.
func known(space string) string {
	switch space {
	case NSAssertion:
		return NSAssertion
	case NSProtocol:
		return NSProtocol
	case NSDSig:
		return NSDSig
	case NSMetadata:
		return NSMetadata
	}
	return space
}

// badDeclaration returns what is wrong with a declaration, or "" (Namespaces in XML 1.0 §3 and §5).
func badDeclaration(prefix, space string) string {
	switch {
	case prefix == "xmlns" || space == nsXMLNS:
		return "the prefix or namespace xmlns is declared"
	case (prefix == "xml") != (space == NSXML):
		return "the prefix xml is declared with another namespace, or the namespace of xml with another prefix"
	case space == "" && prefix == "":
		return ""
	case space == "":
		return "a namespace prefix is declared with an empty namespace name"
	case len(space) > maxNamespace:
		return "a namespace name is longer than 256 bytes" // maxNamespace
	}
	if !isAbsoluteURI(space) {
		return "a namespace name is not an absolute URI (RFC 3986)"
	}
	return ""
}

// resolve looks up the namespaces of an element and of its attributes. It refuses two attributes
// with the same expanded name, which is namespace and local name (Namespaces in XML 1.0 §6.3). Two
// attributes that are spelled alike have the same expanded name, so this one comparison finds them
// too.
func (p *parser) resolve(n *node) error {
	var ok bool
	if n.prefix, n.space, ok = p.lookup(n.start, n.local); !ok {
		return p.undeclared(n.start, n.local)
	}
	attrs := p.doc.attrs[n.attr:]
	var seen nameSet
	for i := range attrs {
		a := &attrs[i]
		if a.local > a.start {
			if a.prefix, a.space, ok = p.lookup(a.start, a.local); !ok {
				return p.undeclared(a.start, a.local)
			}
		}
		if len(attrs) > 1 && seen.add(a.space, p.doc.src[a.local:a.end]) && p.isTwice(attrs[:i], a) {
			return p.fail(fault.DuplicateAttribute, "an element has the same attribute twice")
		}
	}
	return nil
}

func (p *parser) isTwice(earlier []attribute, a *attribute) bool {
	name := p.doc.src[a.local:a.end]
	for j := range earlier {
		if b := &earlier[j]; b.space == a.space && p.doc.src[b.local:b.end] == name {
			return true
		}
	}
	return false
}

// nameSet is a filter (one Bloom hash) for names: if it reports that a name is new, it is new.
// Without it, every attribute of a hostile element with many attributes would be compared with
// every other.
type nameSet [8]uint64

// add adds a name and reports whether a name with the same hash was added before.
func (s *nameSet) add(space int32, name string) bool {
	h := uint32(space)*31 + uint32(len(name))
	for i := range min(len(name), 4) {
		h = h*31 + uint32(name[i])*7 + uint32(name[len(name)-1-i])
	}
	h ^= h >> 9
	word, bit := &s[h>>6&7], uint64(1)<<(h&63)
	before := *word&bit != 0
	*word |= bit
	return before
}

// lookup returns the prefix and the namespace of the element name that starts at start and whose
// local part starts at local. It returns false if the prefix is not declared.
func (p *parser) lookup(start, local int32) (prefix, space int32, ok bool) {
	if local == start {
		return noPrefix, p.bound[noPrefix], true
	}
	prefix, ok = p.prefixes.find(p.doc.src[start : local-1])
	if !ok || p.bound[prefix] == unbound {
		return 0, 0, false
	}
	return prefix, p.bound[prefix], true
}

func (p *parser) undeclared(start, local int32) error {
	f := p.fail(fault.Namespace, "a namespace prefix is not declared")
	f.Got = p.doc.src[start : local-1]
	f.Want = "a declaration xmlns:" + f.Got
	if space := customary[f.Got]; space != "" {
		f.Want += `="` + space + `"`
	}
	f.Want += " in this element or one around it"
	return f
}

// customary are the namespaces that prefixes usually stand for, to name what is missing in an error
// message.
var customary = map[string]string{
	"samlp": NSProtocol, "saml2p": NSProtocol, "saml": NSAssertion, "saml2": NSAssertion, "md": NSMetadata,
	"ds": NSDSig, "dsig": NSDSig, "xenc": NSXEnc, "ec": NSExcC14N, "xsi": NSXSI,
	"xs": "http://www.w3.org/2001/XMLSchema", "xsd": "http://www.w3.org/2001/XMLSchema",
}

// An interner gives each distinct string a number. A few strings are searched one by one; a hostile
// number of them gets a map.
type interner struct {
	list  []string
	index map[string]int32
	room  int // the maximum number of strings, if it is known to be large; else 0
}

const internScan = 16 // up to this many strings are searched one by one

func (t *interner) find(s string) (int32, bool) {
	if t.index != nil {
		id, ok := t.index[s]
		return id, ok
	}
	for id, have := range t.list {
		if have == s {
			return int32(id), true
		}
	}
	return 0, false
}

// prefixID returns the index of a prefix in prefixes, and whether the document declares it
// anywhere.
func (d *Document) prefixID(prefix string) (int32, bool) {
	return (&interner{list: d.prefixes, index: d.prefixIndex}).find(prefix)
}

// id returns the number of s, a new one if s is new.
func (t *interner) id(s string) int32 {
	if id, ok := t.find(s); ok {
		return id
	}
	id := int32(len(t.list))
	t.list = append(t.list, s)
	if t.index != nil {
		t.index[s] = id
	} else if len(t.list) > internScan {
		t.index = make(map[string]int32, max(2*len(t.list), t.room))
		for i, have := range t.list {
			t.index[have] = int32(i)
		}
	}
	return id
}

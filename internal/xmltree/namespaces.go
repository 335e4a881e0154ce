package xmltree

import "github.com/iomete/saml/internal/fault"

// declare binds a prefix ("" for the default namespace) to a namespace name for the element being read, whose own
// declarations begin at first.
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

// known gives the constant for a namespace name that we look for, so that comparing the two is comparing pointers.
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

// badDeclaration says what is wrong with a declaration, "" if nothing is (Namespaces in XML 1.0 §3 and §5).
func badDeclaration(prefix, space string) string {
	switch {
	case prefix == "xmlns" || space == nsXMLNS:
		return "the prefix or namespace xmlns is declared"
	case (prefix == "xml") != (space == NSXML):
		return "the prefix xml is bound to another namespace, or its namespace to another prefix"
	case space == "" && prefix == "":
		return ""
	case space == "":
		return "a namespace prefix is undeclared"
	case len(space) > maxNamespace:
		return "a namespace name is too long"
	}
	if !isAbsoluteURI(space) {
		return "a namespace name is not an absolute URI by RFC 3986"
	}
	return ""
}

// resolve looks up the namespaces of an element and its attributes, and refuses attributes of one expanded name
// (Namespaces in XML 1.0 §6.3). Equal raw names have equal expanded names, so one comparison finds both.
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
			return p.fail(fault.DuplicateAttribute, "an element has an attribute twice")
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

// nameSet tells of most names that they have not been added before, so that the many attributes of a hostile element are not all compared
// with each other.
type nameSet [8]uint64

// add reports whether a name of the same kind was added before.
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

// lookup gives prefix and namespace of a name that starts at start and whose local part starts at local.
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
	return f
}

// An interner numbers strings. A handful is searched in order; a hostile number gets a map.
type interner struct {
	list  []string
	index map[string]int32
	room  int // how many strings there will be at most, if that is known to be many
}

const internScan = 16

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

// prefixID is the index of a prefix in prefixes, if the document declares it anywhere.
func (d *Document) prefixID(prefix string) (int32, bool) {
	return (&interner{list: d.prefixes, index: d.prefixIndex}).find(prefix)
}

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

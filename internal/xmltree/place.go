package xmltree

import (
	"slices"

	"github.com/iomete/saml/internal/fault"
)

// ParseAt reads src, which holds one element with white space around it at most, as if it stood inside place: with the namespaces that are
// declared there, which toolkits rely on that encrypt an element without what its ancestors declare. The limits are those of the
// document of place. Its errors are *fault.Fault.
func ParseAt(src []byte, place Element) (Element, error) {
	// The element around it is not closed by anything that src can hold: what closes it leaves a second root, or an end tag too many.
	around := make([]byte, 0, len(src)+256)
	around = append(around, "<place"...)
	for _, b := range place.bindings() {
		around = append(around, " xmlns"...)
		if prefix := place.doc.prefixes[b.prefix]; prefix != "" {
			around = append(append(around, ':'), prefix...)
		}
		around = append(around, `="`...)
		around = append(append(around, place.doc.spaces[b.space]...), '"') // isAbsoluteURI knows no <, & and quotes
	}
	around = append(append(append(around, '>'), src...), "</place>"...)
	doc, err := Parse(around, Options{MaxBytes: place.doc.limit + len(around) - len(src)})
	if err != nil {
		return Element{}, err
	}
	doc.limit = place.doc.limit
	var only Element
	for c := range doc.Root().Children() {
		only = c
	}
	if !doc.Root().OnlyElements() || doc.Root().CountChildren() != 1 {
		return Element{}, fault.New(fault.XMLSyntax, "there is not one element and nothing else")
	}
	return only, nil
}

// bindings are the namespaces that are declared inside e, at most one more than an element can declare: with more of them there is no place.
func (e Element) bindings() (list []binding) {
	doc := e.doc
	for i := e.index; i >= 0; i = doc.nodes[i].parent {
		n := &doc.nodes[i]
		for _, d := range doc.decls[n.decl : n.decl+int32(n.decls)] {
			if len(list) > maxDeclarations {
				return list
			}
			if !slices.ContainsFunc(list, func(b binding) bool { return b.prefix == d.prefix }) {
				list = append(list, binding{d.prefix, d.space})
			}
		}
	}
	return list
}

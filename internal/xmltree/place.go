package xmltree

import (
	"slices"

	"github.com/iomete/saml/internal/fault"
)

// ParseAt reads src, one element with optional white space around it, as if it stood inside place:
// the namespace prefixes that are declared at place can be used in src, and inclusive
// canonicalization finds the declarations and xml: attributes of place. Some toolkits need this:
// they encrypt an element without the declarations of its ancestors. src has the limits of the
// document of place. All errors are *fault.Fault.
func ParseAt(src []byte, place Element) (Element, error) {
	attributes, err := place.xmlAttributes(Inclusive)
	if err != nil {
		return Element{}, err
	}
	// src cannot break out of the element around it: if it closes that element, the document has a
	// second root or one end tag too many, and Parse refuses it.
	around := make([]byte, 0, len(src)+256)
	around = append(around, "<place"...)
	for _, b := range place.bindings() {
		around = append(around, " xmlns"...)
		if prefix := place.doc.prefixes[b.prefix]; prefix != "" {
			around = append(append(around, ':'), prefix...)
		}
		around = append(around, `="`...)
		// There is nothing to escape: isAbsoluteURI accepts no name with <, & or a double quote.
		around = append(append(around, place.doc.spaces[b.space]...), '"')
	}
	var scratch []byte
	for _, i := range attributes {
		around = place.doc.appendAttribute(around, &place.doc.attrs[i], &scratch)
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
		return Element{}, fault.New(fault.XMLSyntax, "there must be exactly one element and nothing else")
	}
	return only, nil
}

// bindings returns the namespace declarations in scope inside e, the innermost one of each prefix.
// It stops at one more than one element may declare: Parse then refuses the element that ParseAt
// writes around src.
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

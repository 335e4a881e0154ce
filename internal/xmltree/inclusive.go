package xmltree

import (
	"fmt"
	"slices"

	"github.com/iomete/saml/internal/fault"
)

// Inclusive canonicalization writes an element as if it had the namespace declarations and the xml:
// attributes of its ancestors. They become part of what is signed.

// needDeclared needs the declarations of the element; for the apex also those that are in scope
// around it (Canonical XML 1.0 §2.3).
func (w *writer) needDeclared(n *node) {
	if len(w.open) > 1 {
		for _, d := range w.doc.decls[n.decl : n.decl+int32(n.decls)] {
			w.need(d.prefix, d.space)
		}
		return
	}
	// The innermost declaration of a prefix counts. A prefix that has been needed is bound, but for
	// the default namespace: xmlns="" needs nothing here.
	hasDefault := false
	for {
		for _, d := range w.doc.decls[n.decl : n.decl+int32(n.decls)] {
			if d.prefix == noPrefix {
				if !hasDefault {
					w.need(d.prefix, d.space)
				}
				hasDefault = true
			} else if w.rendered[d.prefix] == unbound {
				w.need(d.prefix, d.space)
			}
		}
		if n.parent < 0 {
			return
		}
		n = &w.doc.nodes[n.parent]
	}
}

// inherited returns the xml: attributes of the ancestors that are written on e, as indices into
// doc.attrs: the nearest one of each name that e does not have itself. With Canonical XML 1.0 these
// are all (§2.4), with 1.1 xml:lang and xml:space (§2.4 there). It has no rule for xml:base but to
// join URIs, which no signer of SAML needs: such an attribute is refused.
func (e Element) inherited(method Method) ([]int32, error) {
	found, err := e.xmlAttributes(method)
	if err != nil {
		return nil, err
	}
	own := e.node().attr // where its own begin: those of ancestors stand before
	return slices.DeleteFunc(found, func(i int32) bool { return own <= i }), nil
}

// xmlAttributes returns the xml: attributes of e and of its ancestors that are written on e, the
// innermost one of each name.
func (e Element) xmlAttributes(method Method) (found []int32, err error) {
	d := e.doc
	name := func(i int32) string { return d.src[d.attrs[i].local:d.attrs[i].end] }
	for index := e.index; index >= 0; index = d.nodes[index].parent {
		n := Element{d, index}.node()
		for i := n.attr; i < n.attr+int32(n.attrs); i++ {
			if d.attrs[i].space != xmlSpace {
				continue
			}
			if method == Inclusive11 {
				switch name(i) {
				case "base":
					return nil, &fault.Fault{
						Code:    fault.Canonicalization,
						Message: "the element that is signed with Canonical XML 1.1, or an element around it, has a base URI",
						Got:     "xml:base in " + Element{d, index}.Local(),
						Want:    "no xml:base, or Exclusive XML Canonicalization 1.0",
					}
				case "lang", "space":
				default:
					continue
				}
			}
			if slices.ContainsFunc(found, func(j int32) bool { return name(i) == name(j) }) {
				continue
			}
			if len(found) == maxAttributes {
				return nil, &fault.Fault{
					Code:    fault.TooLarge,
					Message: "the signed element and those around it have too many xml: attributes",
					Want:    fmt.Sprintf("at most %d", maxAttributes),
				}
			}
			found = append(found, i)
		}
	}
	return found, nil
}

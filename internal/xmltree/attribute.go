package xmltree

// AttrNS returns the normalized value (XML 1.0 §3.3.3) of the attribute with this namespace name and
// this local name, and whether the element has it. space must not be "": for an attribute without a
// namespace use Attr.
func (e Element) AttrNS(space, local string) (string, bool) {
	n := e.node()
	for i := range e.doc.attrs[n.attr : n.attr+int32(n.attrs)] {
		a := &e.doc.attrs[n.attr+int32(i)]
		if a.space != noSpace && e.doc.spaces[a.space] == space && e.doc.src[a.local:a.end] == local {
			return e.doc.value(a), true
		}
	}
	return "", false
}

package xmltree_test

import "testing"

// TestAttrNS: the namespace of an attribute decides, not its prefix, and an attribute without a prefix
// is in none.
func TestAttrNS(t *testing.T) {
	t.Parallel()
	root := mustParse(t, `<a:x xmlns="urn:a" xmlns:a="urn:a" xmlns:b="urn:b" n="1" b:n="2 &amp;" b:m="3"><y a:n="4"/></a:x>`).Root()
	for _, row := range []struct {
		space, local, want string
		present            bool
	}{
		{"urn:b", "n", "2 &", true},
		{"urn:b", "m", "3", true},
		{"urn:a", "n", "", false},
		{"urn:b", "o", "", false},
		{"urn:other", "n", "", false},
	} {
		if got, present := root.AttrNS(row.space, row.local); got != row.want || present != row.present {
			t.Errorf("%s in %s: got %q, %t", row.local, row.space, got, present)
		}
	}
	for y := range root.Children() {
		if got, present := y.AttrNS("urn:a", "n"); got != "4" || !present {
			t.Errorf("got %q, %t", got, present)
		}
		if got, present := y.AttrNS("urn:b", "n"); got != "" || present {
			t.Errorf("of its parent: got %q, %t", got, present)
		}
	}
}

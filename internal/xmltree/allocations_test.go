//go:build !race

package xmltree_test

import (
	"testing"

	"github.com/iomete/saml/internal/allocations"
	"github.com/iomete/saml/internal/xmltree"
)

// The race detector adds an allocation to each of these counts.

// TestPoolIsUsed counts what Parse, Release and Canonicalize allocate when there are no others: the
// Document and the form.
func TestPoolIsUsed(t *testing.T) {
	src := entraResponse(150)
	if n := allocations.Fewest(func() {
		doc, err := xmltree.Parse(src, messages)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := doc.Root().Canonicalize(nil, xmltree.C14N{}); err != nil {
			t.Fatal(err)
		}
		doc.Release()
	}); n > 2 {
		t.Errorf("%v allocations for one document and its canonical form", n)
	}
}

// TestCanonicalizeReservesOnce looks at how much memory the form of a signed element takes: one piece
// that holds it, and little more.
func TestCanonicalizeReservesOnce(t *testing.T) {
	for _, groups := range []int{0, 150, 1000} {
		doc := mustParse(t, string(entraResponse(groups)))
		for _, how := range []xmltree.C14N{{}, {Omit: first(t, doc, "Signature")}} {
			e := first(t, doc, "Assertion")
			form, err := e.Canonicalize(nil, how)
			if err != nil {
				t.Fatal(err)
			}
			// Above what is needed there are 256 bytes, and what the allocator rounds up.
			if most := len(form) + 256 + len(form)/7 + 512; cap(form) > most {
				t.Errorf("%d groups: %d bytes are reserved for %d", groups, cap(form), len(form))
			}
			if n := allocations.Fewest(func() { _, _ = e.Canonicalize(nil, how) }); n > 1 {
				t.Errorf("%d groups: %v allocations for one form", groups, n)
			}
		}
	}
}

//go:build !race

package xmltree_test

import (
	"testing"

	"github.com/iomete/saml/internal/xmltree"
)

// The race detector makes a sync.Pool lose what it was given, so what is allocated is counted without it.

// TestPoolIsUsed counts what Parse, Release and Canonicalize allocate when there are no others: the
// Document and the form. The runtime may empty the pool at any time, so one good run in ten counts.
func TestPoolIsUsed(t *testing.T) {
	src := entraResponse(150)
	least := 1e9
	for range 10 {
		least = min(least, testing.AllocsPerRun(20, func() {
			doc, err := xmltree.Parse(src, messages)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := doc.Root().Canonicalize(nil, xmltree.C14N{}); err != nil {
				t.Fatal(err)
			}
			doc.Release()
		}))
	}
	if least > 2 {
		t.Errorf("%v allocations for one document and its canonical form", least)
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
			if n := testing.AllocsPerRun(20, func() { _, _ = e.Canonicalize(nil, how) }); n > 2 { // the form, and rarely new stacks
				t.Errorf("%d groups: %v allocations for one form and the stacks", groups, n)
			}
		}
	}
}

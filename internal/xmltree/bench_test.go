package xmltree_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/iomete/saml/internal/xmltree"
)

var benchmarkGroups = []int{0, 150, 10_000}

func BenchmarkParse(b *testing.B) {
	for _, groups := range benchmarkGroups {
		src := entraResponse(groups)
		b.Run(fmt.Sprintf("groups=%d", groups), func(b *testing.B) {
			b.SetBytes(int64(len(src)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := xmltree.Parse(src, messages); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCanonicalize writes the signed assertion without its signature, as its digest is made.
func BenchmarkCanonicalize(b *testing.B) {
	for _, groups := range benchmarkGroups {
		doc := mustParse(b, string(entraResponse(groups)))
		assertion, signature := first(b, doc, "Assertion"), first(b, doc, "Signature")
		b.Run(fmt.Sprintf("groups=%d", groups), func(b *testing.B) {
			var form []byte
			b.ReportAllocs()
			for b.Loop() {
				var err error
				if form, err = assertion.Canonicalize(form[:0], xmltree.C14N{Omit: signature}); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(int64(len(form)))
		})
	}
}

// BenchmarkHostile reads and canonicalizes each hostile shape at half the largest size and at the
// largest: the second should cost less than three times the first.
func BenchmarkHostile(b *testing.B) {
	for _, shape := range hostileShapes {
		for _, size := range []int{xmltree.MaxBytes / 2, xmltree.MaxBytes} {
			src := []byte(shape.write(size))
			b.Run(fmt.Sprintf("%s/KiB=%d", strings.ReplaceAll(shape.name, " ", "_"), size>>10), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					readHostile(shape, src)
				}
			})
		}
	}
}

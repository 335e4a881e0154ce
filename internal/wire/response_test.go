package wire

import (
	"fmt"
	"strings"
	"testing"

	"github.com/iomete/saml/internal/dsig"
	"github.com/iomete/saml/internal/fault"
	"github.com/iomete/saml/internal/xmltree"
)

// TestManyIDs: two equal IDs are found among a few and among many, wherever they stand.
func TestManyIDs(t *testing.T) {
	t.Parallel()
	for _, n := range []int{2, 7, 8, 9, 10, 40} {
		for first := range n {
			for second := range n {
				var b strings.Builder
				b.WriteString(`<r ID="root">`)
				for i := range n {
					id := fmt.Sprint("i", i)
					if i == second {
						id = fmt.Sprint("i", first)
					}
					fmt.Fprintf(&b, `<e ID="%s"/><e/>`, id)
				}
				b.WriteString("</r>")
				doc, err := xmltree.Parse([]byte(b.String()), xmltree.Options{})
				if err != nil {
					t.Fatal(err)
				}
				want := fault.DuplicateID
				if first == second {
					want = ""
				}
				var got string
				if f, ok := checkUniqueIDs(doc.Root()).(*fault.Fault); ok {
					got = f.Code
				}
				if got != want {
					t.Fatalf("%d IDs, %d and %d equal: got %q, want %q", n, first, second, got, want)
				}
			}
		}
	}
}

// TestExplainKeepsWhatIsKnownBetter: which certificate a message names is added only to a signature
// fault that shows nothing yet.
func TestExplainKeepsWhatIsKnownBetter(t *testing.T) {
	t.Parallel()
	const value = "MAA=" // any DER
	doc, err := xmltree.Parse([]byte(`<a ID="_1"><Signature xmlns="`+xmltree.NSDSig+`"><SignedInfo/><SignatureValue/><KeyInfo><X509Data><X509Certificate>`+value+
		`</X509Certificate></X509Data></KeyInfo></Signature></a>`), xmltree.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := dsig.Of(doc.Root())
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		fault *fault.Fault
		got   string
	}{
		{&fault.Fault{Code: fault.Signature}, "certificate with SHA-1 thumbprint"},
		{&fault.Fault{Code: fault.Signature, Got: "more exact"}, "more exact"},
		{&fault.Fault{Code: fault.Digest}, ""},
	} {
		before := *row.fault
		got, ok := explain(row.fault, s).(*fault.Fault)
		if !ok || !strings.HasPrefix(got.Got, row.got) || (got.Got == "") != (row.got == "") || *row.fault != before {
			t.Errorf("%v: got %v, want %q", before, got, row.got)
		}
	}
}

package console

import (
	"strings"
	"testing"

	"github.com/iomete/saml/samltest"
)

// TestSourcesAreNotMixed: metadata behind other text is not read for its certificate alone, which
// would stand beside the entity ID and the login URL of before; an X509Certificate element is a
// certificate.
func TestSourcesAreNotMixed(t *testing.T) {
	t.Parallel()
	idp := samltest.MustNew(t, samltest.Options{})
	metadata, err := idp.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(idp.CertificatePEM()), "\n")
	base64, _, _ := strings.Cut(rest, "-----END")
	element := `<ds:X509Certificate xmlns:ds="http://www.w3.org/2000/09/xmldsig#">` + base64 + `</ds:X509Certificate>`
	for name, test := range map[string]struct {
		text              string
		refused, replaced bool
	}{
		"metadata":                    {string(metadata), false, true},
		"metadata behind other text":  {"Dear administrator, this is our metadata:\n" + string(metadata), true, false},
		"a certificate":               {string(idp.CertificatePEM()), false, true},
		"an X509Certificate element":  {element, false, true},
		"another element, and no key": {"<a/>", true, false},
	} {
		f := &form{EntityID: "https://old.example/idp", LoginURL: "https://old.example/sso", Certificate: "old"}
		f.fill([]byte(test.text), fieldSource)
		if refused := len(f.problems) > 0; refused != test.refused || (f.Certificate != "old") != test.replaced {
			t.Errorf("%s: got problems %v and the certificate %.40q", name, f.problems, f.Certificate)
		}
		if whole := f.EntityID == idp.EntityID(); name == "metadata" && !whole {
			t.Errorf("%s: got entity ID %s", name, f.EntityID)
		}
	}
}

package wire

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/iomete/saml/internal/dsig"
	"github.com/iomete/saml/internal/fault"
	"github.com/iomete/saml/internal/xmltree"
)

// TestManyIDs: two equal IDs are found in every position, among a few and among many.
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
	const src = `<a ID="_1"><Signature xmlns="` + xmltree.NSDSig + `"><SignedInfo/><SignatureValue/>` +
		`<KeyInfo><X509Data><X509Certificate>` + value + `</X509Certificate></X509Data></KeyInfo></Signature></a>`
	doc, err := xmltree.Parse([]byte(src), xmltree.Options{})
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

// TestRefusalsSayGotAndWant: an administrator reads where the fault is, what arrived and what was
// expected.
func TestRefusalsSayGotAndWant(t *testing.T) {
	t.Parallel()
	response := func(content string) string {
		return base64.StdEncoding.EncodeToString([]byte(`<p:Response xmlns:p="` + xmltree.NSProtocol + `" xmlns:a="` +
			xmltree.NSAssertion + `" xmlns:d="` + xmltree.NSDSig + `" ID="_r" Version="2.0">` + content +
			`</p:Response>`))
	}
	const (
		status = `<p:Status><p:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></p:Status>`
		nested = `<p:Extensions><e xmlns="urn:e"><d:Signature/></e></p:Extensions>`
	)
	for _, row := range []struct{ name, form, code, got, want string }{
		{
			"a form value that is too large", strings.Repeat("A", MaxForm+1),
			fault.TooLarge, "2097153 bytes", "at most 2097152 bytes",
		},
		{
			"an ID with a number sign", base64.StdEncoding.EncodeToString(
				[]byte(`<p:Response xmlns:p="` + xmltree.NSProtocol + `" ID="#1" Version="2.0"/>`)),
			fault.ID, "#1", "1 to 256 ASCII letters, digits and . _ - : + = /",
		},
		{
			"no ID", base64.StdEncoding.EncodeToString(
				[]byte(`<p:Response xmlns:p="` + xmltree.NSProtocol + `" Version="2.0"/>`)),
			fault.ID, "", "1 to 256 ASCII letters, digits and . _ - : + = /",
		},
		{
			"a Response in no namespace", base64.StdEncoding.EncodeToString([]byte(`<Response/>`)),
			fault.NotAResponse, "Response in no namespace", "Response in " + xmltree.NSProtocol,
		},
		{
			"a Response of SAML 1.1", base64.StdEncoding.EncodeToString(
				[]byte(`<Response xmlns="urn:oasis:names:tc:SAML:1.0:protocol"/>`)),
			fault.NotAResponse, "Response in urn:oasis:names:tc:SAML:1.0:protocol", "Response in " + xmltree.NSProtocol,
		},
		{
			"a prefix without declaration", base64.StdEncoding.EncodeToString([]byte(`<samlp:Response/>`)),
			fault.Namespace, "samlp", `a declaration xmlns:samlp="` + xmltree.NSProtocol + `" in this element or one around it`,
		},
		{
			"an Issuer in no namespace", response("<Issuer/>" + status), fault.Schema, "Issuer in no namespace",
			"Issuer in " + xmltree.NSAssertion + " (declared with xmlns in this element or one around it)",
		},
		{
			"an Issuer in the wrong namespace", response("<p:Issuer/>" + status), fault.Schema,
			"Issuer in " + xmltree.NSProtocol,
			"Issuer in " + xmltree.NSAssertion + " (declared with xmlns in this element or one around it)",
		},
		{
			"an assertion in no namespace", response(status + "<Assertion/>"), fault.Schema, "Assertion in no namespace",
			"Assertion in " + xmltree.NSAssertion + " (declared with xmlns in this element or one around it)",
		},
		{
			"a signature in no namespace", response("<Signature/>" + status), fault.Schema, "Signature in no namespace",
			"Signature in " + xmltree.NSDSig + " (declared with xmlns in this element or one around it)",
		},
		{
			"an element that no schema of SAML has", response("<a:Hint/>" + status), fault.Schema, "Hint", "",
		},
		{
			"an element out of order", response(status + "<a:Issuer/>"), fault.Schema, "Issuer", "",
		},
		{
			"an assertion in Advice", response(status + "<a:Assertion><a:Advice><a:Assertion/></a:Advice></a:Assertion>"),
			fault.AssertionCount, "an assertion in Advice", "an assertion directly in the outermost Response",
		},
		{
			"two assertions", response(status + "<a:Assertion/><a:Assertion/>"), fault.AssertionCount, "", "exactly one",
		},
		{
			"a hidden assertion", response(`<p:Extensions><a:Assertion/></p:Extensions>`),
			fault.AssertionCount, "an assertion in Extensions", "an assertion directly in the outermost Response",
		},
		{
			"text between elements", response("t" + status),
			fault.Schema, "text in Response", "",
		},
		{
			"a signature in the wrong place", response(nested + status),
			fault.SignaturePlacement, "Signature in e",
			"Signature as a child of the element that it signs (Response or Assertion)",
		},
	} {
		_, err := Read(row.form)
		var f *fault.Fault
		if !errors.As(err, &f) || f.Code != row.code || f.Got != row.got || f.Want != row.want {
			t.Errorf("%s: got %+v, want %s with %q and %q", row.name, f, row.code, row.got, row.want)
		}
	}
}

// TestMissingIsToldFromWrong: an attribute that is not there, and one with another value than it may
// have, are different mistakes. So are the places in which an assertion hides.
func TestMissingIsToldFromWrong(t *testing.T) {
	t.Parallel()
	form := func(attributes, content string) string {
		return base64.StdEncoding.EncodeToString([]byte(`<p:Response xmlns:p="` + xmltree.NSProtocol + `" xmlns:a="` +
			xmltree.NSAssertion + `"` + attributes + `>` + content + `</p:Response>`))
	}
	const good = ` ID="_r" Version="2.0"`
	for _, row := range []struct{ name, form, message string }{
		{"no Version", form(` ID="_r"`, ""), "has no Version"},
		{"another Version", form(` ID="_r" Version="1.1"`, ""), "is not SAML 2.0"},
		{"no ID", form(` Version="2.0"`, ""), "has no ID"},
		{"an ID of another form", form(` ID="#" Version="2.0"`, ""), "has a form that is not allowed"},
		{"an assertion in Advice", form(good, "<a:Assertion><a:Advice><a:Assertion/></a:Advice></a:Assertion>"), "the Advice of the assertion"},
		{"an assertion in Extensions", form(good, "<p:Extensions><a:Assertion/></p:Extensions>"), "hidden inside another element"},
	} {
		_, err := Read(row.form)
		if f := (*fault.Fault)(nil); !errors.As(err, &f) || !strings.Contains(f.Message, row.message) {
			t.Errorf("%s: got %v, want %q", row.name, err, row.message)
		}
	}
}

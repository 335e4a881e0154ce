package wire

import (
	"encoding/base64"
	"testing"

	"github.com/iomete/saml/internal/xmltree"
)

// TestReleaseOfAResponse: its elements are dead afterwards, its strings are not, and a document that
// the caller brought stays alive.
func TestReleaseOfAResponse(t *testing.T) {
	t.Parallel()
	const text = `<p:Response xmlns:p="` + xmltree.NSProtocol + `" ID="_1" Version="2.0" Destination="https://sp.example.com">` +
		`<p:Status><p:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></p:Status></p:Response>`
	m, err := Read(base64.StdEncoding.EncodeToString([]byte(text)))
	if err != nil {
		t.Fatal(err)
	}
	m.Release()
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the root can be read after Release")
			}
		}()
		m.Root.Local()
	}()
	if m.Destination != "https://sp.example.com" || m.Status.String() != "Success" {
		t.Errorf("the strings are %q and %q", m.Destination, m.Status)
	}

	doc, err := xmltree.Parse([]byte(text), xmltree.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if m, err = FromDocument(doc); err != nil {
		t.Fatal(err)
	}
	m.Release()
	if m.Root.Local() != "Response" {
		t.Error("a document of the caller was released")
	}
	(*Response)(nil).Release()
}

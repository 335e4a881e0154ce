package wire

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/iomete/saml/internal/fault"
	"github.com/iomete/saml/internal/xmltree"
)

// responseWith returns a small response: its InResponseTo, the texts of its status, and what stands
// in the assertion behind the Issuer, "" for a response without assertion.
func responseWith(inResponseTo, statusMessage, content string) string {
	const head = ` Version="2.0" IssueInstant="2026-01-02T03:04:05Z"`
	b := &strings.Builder{}
	b.WriteString(`<samlp:Response xmlns:samlp="` + xmltree.NSProtocol + `" xmlns="` + xmltree.NSAssertion + `" ID="_r"` + head)
	if inResponseTo != "" {
		b.WriteString(` InResponseTo="` + inResponseTo + `"`)
	}
	b.WriteString(`><samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/>` +
		`<samlp:StatusMessage>` + statusMessage + `</samlp:StatusMessage></samlp:Status>`)
	if content != "" {
		b.WriteString(`<Assertion ID="_a"` + head + `><Issuer>i</Issuer>` + content + `</Assertion>`)
	}
	return b.String() + `</samlp:Response>`
}

func readText(text string) (*Response, error) {
	return Read(base64.StdEncoding.EncodeToString([]byte(text)))
}

// TestRequestID: the response names its request, or else its assertion does.
func TestRequestID(t *testing.T) {
	t.Parallel()
	confirmation := func(data string) string {
		return `<Subject><NameID>n</NameID><SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">` +
			`<SubjectConfirmationData` + data + `/></SubjectConfirmation></Subject>`
	}
	for name, row := range map[string]struct{ inResponseTo, content, want string }{
		"at the response":                 {"_1", confirmation(""), "_1"},
		"at both, which are compared":     {"_1", confirmation(` InResponseTo="_2"`), "_1"},
		"at the assertion":                {"", confirmation(` InResponseTo="_2"`), "_2"},
		"nowhere":                         {"", confirmation(""), ""},
		"nowhere, without an assertion":   {"", "", ""},
		"at a response without assertion": {"_1", "", "_1"},
	} {
		m, err := readText(responseWith(row.inResponseTo, "", row.content))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := m.RequestID(); got != row.want {
			t.Errorf("%s: got %q, want %q", name, got, row.want)
		}
	}
}

// TestForeignAssertion: an element of another vocabulary in an attribute's value may have the name of
// an assertion. It is none.
func TestForeignAssertion(t *testing.T) {
	t.Parallel()
	for namespace, want := range map[string]string{"urn:example:other": "", xmltree.NSAssertion: fault.AssertionCount} {
		_, err := readText(responseWith("_1", "", `<AttributeStatement><Attribute Name="a"><AttributeValue>`+
			`<x:Assertion xmlns:x="`+namespace+`"/></AttributeValue></Attribute></AttributeStatement>`))
		var f *fault.Fault
		if errors.As(err, &f); (f == nil) != (want == "") || f != nil && f.Code != want {
			t.Errorf("an Assertion of %s in a value: got %v, want %q", namespace, err, want)
		}
	}
}

// TestLongStatusMessage: it is cut, between two characters.
func TestLongStatusMessage(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"short": 5, strings.Repeat("x", MaxStatusMessage): MaxStatusMessage,
		strings.Repeat("x", MaxStatusMessage+1):            MaxStatusMessage,
		strings.Repeat("x", MaxStatusMessage-1) + "\u00e9": MaxStatusMessage - 1,
	} {
		m, err := readText(responseWith("_1", text, ""))
		if err != nil {
			t.Fatal(err)
		}
		if got := len(m.Status.Message); got != want {
			t.Errorf("of %d bytes %d are kept, want %d", len(text), got, want)
		}
	}
}

// TestReadInPlaceRefusesLikeRead: what is no base64 is told from what is no XML.
func TestReadInPlaceRefusesLikeRead(t *testing.T) {
	t.Parallel()
	for form, want := range map[string]string{"%%%": fault.Base64, "bm8gWE1M": fault.XMLSyntax} {
		_, read := Read(form)
		_, inPlace := ReadInPlace([]byte(form))
		for _, err := range []error{read, inPlace} {
			var f *fault.Fault
			if !errors.As(err, &f) || f.Code != want {
				t.Errorf("%q: got %v, want %s", form, err, want)
			}
		}
	}
}

// TestReadAnswerInPlace: a form value is a Response or a LogoutResponse, by its root, also if the rest
// of it is wrong; what cannot be read at all is neither.
func TestReadAnswerInPlace(t *testing.T) {
	t.Parallel()
	const protocol = ` xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"`
	status := `<samlp:Status><samlp:StatusCode Value="x"/></samlp:Status>`
	for xml, want := range map[string]struct {
		response, aboutLogout bool
		code                  string
	}{
		`<samlp:LogoutResponse` + protocol + ` ID="_m" Version="2.0">` + status + `</samlp:LogoutResponse>`: {false, true, ""},
		`<samlp:LogoutResponse` + protocol + ` ID="_m" Version="2.0"/>`:                                     {false, true, fault.Schema},
		`<samlp:LogoutResponse` + protocol + `/>`:                                                           {false, true, fault.Version},
		`<samlp:Response` + protocol + ` ID="_m" Version="2.0">` + status + `</samlp:Response>`:             {true, false, ""},
		`<samlp:Response` + protocol + `/>`:                                                                 {false, false, fault.Version},
		`<samlp:LogoutRequest` + protocol + `/>`:                                                            {false, false, fault.NotAResponse},
		`<LogoutResponse/>`:                                                                                 {false, false, fault.NotAResponse},
		`no XML`:                                                                                            {false, false, fault.XMLSyntax},
	} {
		form := base64.StdEncoding.EncodeToString([]byte(xml))
		a, err := ReadAnswerInPlace([]byte(form))
		code := ""
		var f *fault.Fault
		if errors.As(err, &f) {
			code = f.Code
		}
		if (a.Response != nil) != want.response || a.AboutLogout != want.aboutLogout || code != want.code ||
			(a.Logout != nil) != (want.aboutLogout && code == "") || a.Logout != nil && a.Logout.Request {
			t.Errorf("%s: got %+v, %v", xml, a, err)
		}
		if _, read := ReadInPlace([]byte(form)); want.response != (read == nil) {
			t.Errorf("%s: as a Response it gives %v", xml, read)
		}
	}
	if a, err := ReadAnswerInPlace([]byte("%%%")); a.AboutLogout || err == nil {
		t.Errorf("got %+v, %v", a, err)
	}
}

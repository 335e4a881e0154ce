package wire

import (
	"errors"
	"strings"
	"testing"

	"github.com/iomete/saml/internal/fault"
)

// TestEnvelope: what could be read in two ways is refused, and a header that asks nothing of us is not.
func TestEnvelope(t *testing.T) {
	t.Parallel()
	const header, body, end = "<s:Header/>", "<s:Body>", "</s:Body>"
	message := logoutWith("<Issuer>i</Issuer>")
	one := body + message + end
	for name, row := range map[string]struct{ content, refusal string }{
		"a body":                      {one, ""},
		"white space":                 {"\n" + header + "\n" + body + "\n" + message + "\n" + end + "\n", ""},
		"a header that asks nothing":  {`<s:Header><x xmlns="urn:x"/><y xmlns="urn:x" s:mustUnderstand="0"/></s:Header>` + one, ""},
		"a header that asks no more":  {`<s:Header><x xmlns="urn:x" s:mustUnderstand="false"/></s:Header>` + one, ""},
		"a header of another's name":  {`<s:Header><x xmlns="urn:x" mustUnderstand="1"/></s:Header>` + one, ""},
		"a header that asks":          {`<s:Header><x xmlns="urn:x" s:mustUnderstand="1"/></s:Header>` + one, "must be understood"},
		"a header that asks in words": {`<s:Header><x xmlns="urn:x" s:mustUnderstand="true"/></s:Header>` + one, "must be understood"},
		"the second header asks":      {`<s:Header><y xmlns="urn:x"/><x xmlns="urn:x" s:mustUnderstand="1"/></s:Header>` + one, "must be understood"},
		"two bodies":                  {one + one, "repeated, out of order"},
		"two bodies, one empty":       {"<s:Body/>" + one, "repeated, out of order"},
		"two headers":                 {header + header + one, "repeated, out of order"},
		"the header comes last":       {one + header, "repeated, out of order"},
		"another element":             {one + `<x xmlns="urn:x"/>`, "repeated, out of order"},
		"another element comes first": {`<x xmlns="urn:x"/>` + one, "repeated, out of order"},
		"a body of another name":      {`<Body xmlns="urn:x">` + message + "</Body>", "repeated, out of order"},
		"nothing":                     {"", "one Body with one message"},
		"a header alone":              {header, "one Body with one message"},
		"an empty body":               {"<s:Body/>", "one Body with one message"},
		"two messages":                {body + message + strings.Replace(message, `"_r"`, `"_s"`, 1) + end, "one Body with one message"},
		"text beside the message":     {body + message + "x" + end, "one Body with one message"},
		"text beside the body":        {one + "x", "one Body with one message"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := LogoutFromSOAP([]byte(`<s:Envelope xmlns:s="` + nsSOAP + `">` + row.content + `</s:Envelope>`))
			wantEnvelope(t, m, err, row.refusal)
		})
	}
}

// TestOtherEnvelopes: SOAP 1.1 by the name and the namespace of its root, and nothing else.
func TestOtherEnvelopes(t *testing.T) {
	t.Parallel()
	body := `<s:Body xmlns:s="` + nsSOAP + `">` + logoutWith("") + `</s:Body>`
	for name, envelope := range map[string]string{
		"another namespace": `<Envelope xmlns="http://www.w3.org/2003/05/soap-envelope">` + body + `</Envelope>`,
		"another name":      `<s:Letter xmlns:s="` + nsSOAP + `">` + body + `</s:Letter>`,
		"no envelope":       logoutWith(""),
	} {
		m, err := LogoutFromSOAP([]byte(envelope))
		t.Log(name)
		wantEnvelope(t, m, err, "not a SOAP 1.1 envelope")
	}
}

// wantEnvelope checks that an envelope was read, or refused with a message that has the text refusal.
func wantEnvelope(t *testing.T, m *Logout, err error, refusal string) {
	t.Helper()
	if refusal == "" {
		if err != nil {
			t.Fatal(err)
		}
		if !m.SOAP || m.Issuer() != "i" {
			t.Errorf("got %+v, which is not the message that was sent", m)
		}
		return
	}
	var f *fault.Fault
	if !errors.As(err, &f) || f.Code != fault.LogoutForm || !strings.Contains(f.Message, refusal) {
		t.Errorf("got %v, want a refusal with %q", err, refusal)
	}
}

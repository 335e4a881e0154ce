package wire

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/iomete/saml/internal/dsig"
	"github.com/iomete/saml/internal/fault"
	"github.com/iomete/saml/internal/xmltree"
)

// logoutWith returns a small LogoutRequest with what stands at its beginning: its Issuer, a signature.
func logoutWith(head string) string {
	return `<samlp:LogoutRequest xmlns:samlp="` + xmltree.NSProtocol + `" xmlns="` + xmltree.NSAssertion +
		`" ID="_r" Version="2.0" IssueInstant="2026-01-02T03:04:05Z">` + head + `<NameID>n</NameID></samlp:LogoutRequest>`
}

// inQuery returns the query of the HTTP-Redirect binding for a LogoutRequest, and what follows it.
func inQuery(t *testing.T, message, more string) string {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(message)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return "SAMLRequest=" + url.QueryEscape(base64.StdEncoding.EncodeToString(b.Bytes())) + more
}

const rsaSHA256 = "&SigAlg=http%3A%2F%2Fwww.w3.org%2F2001%2F04%2Fxmldsig-more%23rsa-sha256"

// inside is a signature in the XML, which nobody verifies here.
const inside = `<ds:Signature xmlns:ds="` + xmltree.NSDSig + `"><ds:SignedInfo>` +
	`<ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>` +
	`<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>` +
	`<ds:Reference URI="#_r"><ds:Transforms><ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/>` +
	`<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/></ds:Transforms>` +
	`<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue>AAAA</ds:DigestValue>` +
	`</ds:Reference></ds:SignedInfo><ds:SignatureValue>AAAA</ds:SignatureValue></ds:Signature>`

// TestIssuerOfLogout: a message without Issuer claims none, whatever comes first in it.
func TestIssuerOfLogout(t *testing.T) {
	t.Parallel()
	for head, want := range map[string]string{"": "", "<Issuer>i</Issuer>": "i", inside: ""} {
		m, _, err := LogoutFromQuery(inQuery(t, logoutWith(head), ""))
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Issuer(); got != want {
			t.Errorf("%q: got %q, want %q", head, got, want)
		}
	}
}

// TestWhereLogoutIsSigned: on a redirect only the signature in the query counts, of whatever length it
// is, and a message that has one in the XML alone is told from one that has none.
func TestWhereLogoutIsSigned(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		head, query string
		code        string
		text        string
	}{
		"nowhere":               {"", "", fault.LogoutUnsigned, "the LogoutRequest is not signed"},
		"in the XML alone":      {inside, "", fault.LogoutUnsigned, "signed inside the XML alone"},
		"one byte in the query": {"", rsaSHA256 + "&Signature=AA%3D%3D", fault.SignatureAlgorithm, "no trusted key"},
	} {
		m, _, err := LogoutFromQuery(inQuery(t, logoutWith(row.head), row.query))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_, err = m.Verify(nil, dsig.Policy{})
		var f *fault.Fault
		if !errors.As(err, &f) || f.Code != row.code || !strings.Contains(f.Message, row.text) {
			t.Errorf("%s: got %v, want %v with %q", name, err, row.code, row.text)
		}
	}
}

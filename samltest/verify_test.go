package samltest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/beevik/etree"
	"github.com/russellhaering/goxmldsig/etreeutils"
)

// tool returns the path of a program. If it is missing, the test is skipped, or fails with
// SAML_TEST_REQUIRE=all.
func tool(t *testing.T, name, debianPackage string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
		return path
	case os.Getenv("SAML_TEST_REQUIRE") == "all":
		t.Fatalf("%s is missing: install the Debian package %s", name, debianPackage)
	default:
		t.Skipf("%s is missing: install the Debian package %s", name, debianPackage)
	}
	return ""
}

// xmlsecVerify asks xmlsec1 about the signature that is a child of the element at the XPath parent,
// in each of the documents: once for all, because most of the time goes into starting it.
func xmlsecVerify(t *testing.T, certificate []byte, parent string, documents ...[]byte) error {
	t.Helper()
	dir := t.TempDir()
	write := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("key.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}))
	xmlsec := exec.Command(tool(t, "xmlsec1", "xmlsec1"), "--verify", "--pubkey-cert-pem", "key.pem",
		"--enabled-key-data", "rsa,ecdsa",
		"--id-attr:ID", nsProtocol+":Response", "--id-attr:ID", nsProtocol+":LogoutRequest",
		"--id-attr:ID", nsProtocol+":LogoutResponse", "--id-attr:ID", nsAssertion+":Assertion", "--id-attr:ID", nsMetadata+":EntityDescriptor",
		"--node-xpath", parent+"/*[local-name()='Signature']")
	for i, document := range documents {
		name := fmt.Sprintf("message%d.xml", i)
		write(name, document)
		xmlsec.Args = append(xmlsec.Args, name)
	}
	xmlsec.Dir = dir // names without the directory's, because xmlsec1 takes a comma in them for a separator
	output, err := xmlsec.CombinedOutput()
	if err == nil && bytes.Count(output, []byte("OK\n")) != len(documents) {
		err = fmt.Errorf("not every one of %d documents is verified", len(documents))
	}
	if err != nil {
		t.Logf("xmlsec1: %s", output)
	}
	return err
}

// goxmldsigVerify asks goxmldsig about the signature of the element at the etree path.
func goxmldsigVerify(t *testing.T, document, certificate []byte, path string) error {
	t.Helper()
	doc := etree.NewDocument()
	if err := doc.ReadFromBytes(document); err != nil {
		t.Fatal(err)
	}
	e := doc.FindElement(path)
	if e == nil {
		t.Fatalf("there is no %s in %s", path, document)
	}
	context, err := etreeutils.NSBuildParentContext(e)
	if err != nil {
		t.Fatal(err)
	}
	if e, err = etreeutils.NSDetatch(context, e); err != nil {
		t.Fatal(err)
	}
	trusted, err := x509.ParseCertificate(certificate)
	if err != nil {
		t.Fatal(err)
	}
	if key, ok := trusted.PublicKey.(*ecdsa.PublicKey); ok {
		checkLength(t, e, key)
	}
	return verifyEnveloped(e, trusted)
}

// checkLength makes sure that an ECDSA signature has the length of the standard.
func checkLength(t *testing.T, e *etree.Element, key *ecdsa.PublicKey) {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(e.FindElement("./Signature/SignatureValue").Text())
	if err != nil {
		t.Fatal(err)
	}
	if want := 2 * ((key.Curve.Params().BitSize + 7) / 8); len(raw) != want {
		t.Fatalf("signature of %d bytes, want %d for %s", len(raw), want, key.Curve.Params().Name)
	}
}

// The two verifiers must not accept everything.
func TestVerifiersRefuse(t *testing.T) {
	t.Parallel()
	idp := MustNew(t, Options{Keys: testKeys.rsa()})
	document, err := idp.RespondXML(Answer{Recipient: redirectURL})
	if err != nil {
		t.Fatal(err)
	}
	other := MustNew(t, Options{Keys: testKeys.otherRSA()}).Certificates()[0]
	changed := bytes.Replace(document, []byte("Ioana"), []byte("Joana"), 1)
	for name, c := range map[string]struct{ document, certificate []byte }{
		"another key":    {document, other},
		"a changed name": {changed, idp.Certificates()[0]},
	} {
		if err := goxmldsigVerify(t, c.document, c.certificate, pathOf["Assertion"]); err == nil {
			t.Errorf("%s: goxmldsig verifies it", name)
		}
		if err := xmlsecVerify(t, c.certificate, xpathOf["Assertion"], c.document); err == nil {
			t.Errorf("%s: xmlsec1 verifies it", name)
		}
	}
	if err := xmlsecVerify(t, idp.Certificates()[0], xpathOf["Assertion"], document, changed, document); err == nil {
		t.Error("xmlsec1 verifies three documents of which one was changed")
	}
}

// Paths of the elements that can be signed, for etree and for xmlsec1.
var (
	pathOf = map[string]string{
		"Response":         "/Response",
		"Assertion":        "/Response/Assertion",
		"EntityDescriptor": "/EntityDescriptor",
		"LogoutRequest":    "/LogoutRequest",
		"LogoutResponse":   "/LogoutResponse",
		"Envelope":         "/Envelope/Body/*",
	}
	xpathOf = map[string]string{
		"Response":         "/*",
		"Assertion":        "/*/*[local-name()='Assertion']",
		"EntityDescriptor": "/*",
		"LogoutRequest":    "/*",
		"LogoutResponse":   "/*",
		"Envelope":         "/*/*/*",
	}
)

// verifyBoth checks one signature with both verifiers. element is a key of pathOf.
func verifyBoth(t *testing.T, document, certificate []byte, element string) {
	t.Helper()
	if err := goxmldsigVerify(t, document, certificate, pathOf[element]); err != nil {
		t.Errorf("goxmldsig on the %s: %v\n%s", element, err, document)
	}
	if err := xmlsecVerify(t, certificate, xpathOf[element], document); err != nil {
		t.Errorf("xmlsec1 on the %s: %v", element, err)
	}
}

// hasSignature reports whether the element has a signature of its own.
func hasSignature(t *testing.T, document []byte, element string) bool {
	t.Helper()
	doc := etree.NewDocument()
	if err := doc.ReadFromBytes(document); err != nil {
		t.Fatal(err)
	}
	return doc.FindElement(pathOf[element]+"/Signature") != nil
}

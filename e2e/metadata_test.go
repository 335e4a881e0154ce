package e2e

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// schemas are the XSDs that the Debian package python3-onelogin-saml2 installs.
const schemas = "/usr/lib/python3/dist-packages/onelogin/saml2/schemas/"

// TestOurMetadataIsReadElsewhere: xmllint holds our metadata against the XSDs of SAML, and
// python3-saml reads it and looks at its end. A document with an end in the year 1, and one whose
// elements are out of order, show that they would notice.
func TestOurMetadataIsReadElsewhere(t *testing.T) {
	if out, err := exec.Command("/usr/bin/python3", "-c", "import onelogin.saml2").CombinedOutput(); err != nil {
		missing(t, "python3-saml is missing: install the Debian package python3-onelogin-saml2 (%v %s)", err, out)
	}
	if _, err := exec.LookPath("xmllint"); err != nil {
		missing(t, "xmllint is missing: install the Debian package libxml2-utils")
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	idp := samltest.MustNew(t, samltest.Options{})
	federation, err := idp.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := saml.ParseMetadata(federation)
	if err != nil {
		t.Fatal(err)
	}
	plain := saml.Config{BaseURL: "https://console.example.com", IdentityProvider: trusted,
		StateKeys: [][]byte{saml.NewStateKey()}, Store: saml.NewMemoryStore()}
	full := plain
	full.SigningKey, full.SigningCertificate = curve, certificateOf(t, curve)
	full.FurtherSigningCertificates = [][]byte{certificateOf(t, key)}
	full.DecryptionKeys = []saml.DecryptionKey{{Key: key, Certificate: certificateOf(t, key)}}
	pss := plain
	pss.SigningKey, pss.SigningCertificate, pss.SigningAlgorithm = key, certificateOf(t, key), saml.RSAPSSWithSHA512
	pss.NameID = saml.AllowAnyNameID
	everything := saml.MetadataOptions{Sign: true, ValidFor: 48 * time.Hour,
		Displays: []saml.MetadataDisplay{{Name: "Console", Description: "Tables & queries", InformationURL: "https://example.com/about",
			PrivacyURL: "https://example.com/privacy"}, {Language: "zh-Hant", Name: "數據"}},
		Logos: []saml.MetadataLogo{{URL: "https://example.com/logo.png", Width: 80, Height: 60},
			{URL: "data:image/png;base64,iVBORw0KGgo=", Width: 1, Height: 1, Language: "de"}},
		Organization: []saml.MetadataOrganization{{Name: "Example Inc.", URL: "https://example.com"},
			{Language: "de", Name: "Example GmbH", DisplayName: "Beispiel", URL: "https://example.com/de"}},
		Contacts: []saml.MetadataContact{{Company: "Example", GivenName: "Ada", Surname: "Lovelace", Email: "ada@example.com",
			Phone: "+41 44 000 00 00"}, {Type: "support", Email: "help@example.com"}, {Type: "other", Email: "x@example.com"}}}
	for name, test := range map[string]struct {
		config  saml.Config
		options []saml.MetadataOptions
	}{
		"no keys":                           {plain, nil},
		"keys to sign and to decrypt":       {full, nil},
		"signed by ECDSA":                   {full, []saml.MetadataOptions{{Sign: true}}},
		"signed by RSA-PSS, any NameID":     {pss, []saml.MetadataOptions{{Sign: true}}},
		"everything there is, and signed":   {full, []saml.MetadataOptions{everything}},
		"an organization and nothing else":  {plain, []saml.MetadataOptions{{Organization: everything.Organization}}},
		"a display name and nothing else":   {plain, []saml.MetadataOptions{{Displays: everything.Displays}}},
		"an end, and a contact to write to": {plain, []saml.MetadataOptions{{ValidFor: time.Hour, Contacts: everything.Contacts}}},
	} {
		sp, err := saml.New(test.config)
		if err != nil {
			t.Fatal(err)
		}
		document, err := sp.Metadata(test.options...)
		if err != nil {
			t.Fatal(err)
		}
		if out, err := heldAgainstSchema(t, document); err != nil {
			t.Errorf("%s: xmllint: %v\n%s\n%s", name, err, out, document)
		}
		if got := faultsOfMetadata(t, document); got != "[]" {
			t.Errorf("%s: python3-saml says %s about\n%s", name, got, document)
		}
		disordered := bytes.Replace(document, []byte("<AssertionConsumerService "), []byte("<NameIDFormat>urn:x</NameIDFormat><AssertionConsumerService "), 1)
		disordered = bytes.Replace(disordered, []byte("</SPSSODescriptor>"), []byte("<NameIDFormat>urn:y</NameIDFormat></SPSSODescriptor>"), 1)
		if out, err := heldAgainstSchema(t, disordered); err == nil {
			t.Errorf("%s, out of order: xmllint takes it: %s", name, out)
		}
		ended := regexp.MustCompile(` (validUntil="[^"]*" )?cacheDuration=`).ReplaceAll(document,
			[]byte(` validUntil="0001-01-01T00:00:00Z" cacheDuration=`))
		if got := faultsOfMetadata(t, ended); !strings.Contains(got, "expired") {
			t.Errorf("%s, ended in the year 1: python3-saml says %s, want that it is expired", name, got)
		}
	}
}

// missing fails the test where everything must be there, else skips it.
func missing(t *testing.T, format string, values ...any) {
	t.Helper()
	if os.Getenv("SAML_TEST_REQUIRE") == "all" {
		t.Fatalf(format, values...)
	}
	t.Skipf(format, values...)
}

func certificateOf(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: time.Now(),
		NotAfter: time.Now().AddDate(1, 0, 0)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

// heldAgainstSchema asks xmllint about a document, with the schemas of metadata and of what may be
// in its extensions.
func heldAgainstSchema(t *testing.T, document []byte) (out []byte, err error) {
	t.Helper()
	schema := filepath.Join(t.TempDir(), "all.xsd")
	text := `<schema xmlns="http://www.w3.org/2001/XMLSchema">
<import namespace="urn:oasis:names:tc:SAML:metadata:ui" schemaLocation="` + schemas + `sstc-saml-metadata-ui-v1.0.xsd"/>
<import namespace="urn:oasis:names:tc:SAML:2.0:metadata" schemaLocation="` + schemas + `saml-schema-metadata-2.0.xsd"/>
</schema>`
	if err := os.WriteFile(schema, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.Command("xmllint", "--nonet", "--noout", "--schema", schema, "-")
	command.Stdin = bytes.NewReader(document)
	return command.CombinedOutput()
}

// faultsOfMetadata gives python3-saml's codes for what is wrong with a document.
func faultsOfMetadata(t *testing.T, document []byte) string {
	t.Helper()
	command := exec.Command("/usr/bin/python3", "judges/metadata.py")
	command.Stdin = bytes.NewReader(document)
	out, err := command.Output()
	if err != nil {
		t.Fatalf("metadata.py: %v", err)
	}
	return strings.TrimSpace(string(out))
}

package e2e

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// metadataSchemas are the schemas of SAML metadata as Debian's packages install them, which are not
// all the same text. Each folder has all that they import.
var metadataSchemas = map[string]string{
	"ruby-saml":              "/usr/share/rubygems-integration/all/gems/ruby-saml-*/lib/schemas/saml-schema-metadata-2.0.xsd",
	"simplesamlphp":          "/usr/share/simplesamlphp/schemas/saml-schema-metadata-2.0.xsd",
	"python3-onelogin-saml2": "/usr/lib/python3/dist-packages/onelogin/saml2/schemas/saml-schema-metadata-2.0.xsd",
}

// invalid reports what xmllint says against a document, "" if it follows the schema.
func invalid(t *testing.T, schema string, document []byte) string {
	t.Helper()
	command := exec.Command("xmllint", "--noout", "--nonet", "--schema", schema, "-")
	command.Stdin = bytes.NewReader(document)
	out, err := command.CombinedOutput()
	switch {
	case err == nil:
		return ""
	case command.ProcessState != nil && command.ProcessState.ExitCode() == 3: // does not validate
		return string(out)
	}
	t.Fatalf("xmllint --schema %s: %v\n%s", schema, err, out)
	return ""
}

// TestMetadataFollowsTheSchema: our metadata is valid by each schema, and becomes invalid if an
// attribute is missing that the schema demands.
func TestMetadataFollowsTheSchema(t *testing.T) {
	schemas := map[string]string{}
	for deb, pattern := range metadataSchemas {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		if len(files) != 1 || exec.Command("xmllint", "--version").Run() != nil {
			if os.Getenv("SAML_TEST_REQUIRE") == "all" {
				t.Fatalf("xmllint or %s is missing: install the Debian packages libxml2-utils and %s", pattern, deb)
			}
			t.Skipf("xmllint or %s is missing: install the Debian packages libxml2-utils and %s", pattern, deb)
		}
		schemas[deb] = files[0]
	}
	for name, document := range ownMetadata(t) {
		spoiled := map[string][]byte{
			"no protocol":     bytes.Replace(document, []byte("protocolSupportEnumeration="), []byte("protocol="), 1),
			"no entity ID":    bytes.Replace(document, []byte(" entityID="), []byte(" entity="), 1),
			"no index of ACS": bytes.Replace(document, []byte(" index="), []byte(" number="), 1),
		}
		for deb, schema := range schemas {
			if why := invalid(t, schema, document); why != "" {
				t.Errorf("%s, schema of %s: %s\n%s", name, deb, why, document)
			}
			for fault, spoiled := range spoiled {
				if bytes.Equal(spoiled, document) || invalid(t, schema, spoiled) == "" {
					t.Errorf("%s, schema of %s: valid with %s", name, deb, fault)
				}
			}
		}
	}
}

// ownMetadata returns metadata of services with different settings, by name.
func ownMetadata(t *testing.T) map[string][]byte {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now(), NotAfter: time.Now().AddDate(1, 0, 0)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	federation, err := samltest.MustNew(t, samltest.Options{}).Metadata()
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := saml.ParseMetadata(federation)
	if err != nil {
		t.Fatal(err)
	}
	documents := map[string][]byte{}
	for name, change := range map[string]func(*saml.Config){
		"no keys": func(*saml.Config) {},
		"any name, and an entity ID with characters of XML": func(c *saml.Config) {
			c.NameID, c.EntityID = saml.AllowAnyNameID, `urn:example:a&b<"ü">`
		},
		"logout": func(c *saml.Config) {
			c.SigningKey, c.SigningCertificate, c.LogoutPath = key, certificate, "/saml/logout"
		},
		"keys to sign and to decrypt": func(c *saml.Config) {
			c.SigningKey, c.SigningCertificate = key, certificate
			c.DecryptionKeys = []saml.DecryptionKey{{Key: key, Certificate: certificate}}
		},
	} {
		c := saml.Config{BaseURL: "https://console.example.com", IdentityProvider: trusted,
			StateKeys: [][]byte{saml.NewStateKey()}, Store: saml.NewMemoryStore()}
		change(&c)
		sp, err := saml.New(c)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if documents[name], err = sp.Metadata(saml.MetadataOptions{LogoutSOAP: c.LogoutPath != ""}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return documents
}

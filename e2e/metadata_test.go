package e2e

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// TestOurMetadataIsReadElsewhere: python3-saml holds our metadata against the schema and its end.
// The document with an end in the year 1 shows that it would notice.
func TestOurMetadataIsReadElsewhere(t *testing.T) {
	if out, err := exec.Command("/usr/bin/python3", "-c", "import onelogin.saml2").CombinedOutput(); err != nil {
		if os.Getenv("SAML_TEST_REQUIRE") == "all" {
			t.Fatalf("python3-saml is missing: install the Debian package python3-onelogin-saml2 (%v %s)", err, out)
		}
		t.Skip("python3-saml is missing: install the Debian package python3-onelogin-saml2")
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now(),
		NotAfter: time.Now().AddDate(1, 0, 0)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
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
	full.SigningKey, full.SigningCertificate = crypto.Signer(key), certificate
	full.DecryptionKeys = []saml.DecryptionKey{{Key: key, Certificate: certificate}}
	for name, config := range map[string]saml.Config{"no keys": plain, "keys to sign and to decrypt": full} {
		sp, err := saml.New(config)
		if err != nil {
			t.Fatal(err)
		}
		document, err := sp.Metadata()
		if err != nil {
			t.Fatal(err)
		}
		if got := faultsOfMetadata(t, document); got != "[]" {
			t.Errorf("%s: python3-saml says %s about\n%s", name, got, document)
		}
		ended := bytes.Replace(document, []byte(" entityID="), []byte(` validUntil="0001-01-01T00:00:00Z" entityID=`),
			1)
		if got := faultsOfMetadata(t, ended); !strings.Contains(got, "expired") {
			t.Errorf("%s, ended in the year 1: python3-saml says %s, want that it is expired", name, got)
		}
	}
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

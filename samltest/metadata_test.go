package samltest

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"encoding/xml"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// metadata is a metadata document as encoding/xml reads it.
type metadata struct {
	XMLName  xml.Name `xml:"urn:oasis:names:tc:SAML:2.0:metadata EntityDescriptor"`
	EntityID string   `xml:"entityID,attr"`
	Provider struct {
		Keys []struct {
			Use         string `xml:"use,attr"`
			Certificate string `xml:"KeyInfo>X509Data>X509Certificate"`
		} `xml:"KeyDescriptor"`
		Logout []endpoint `xml:"SingleLogoutService"`
		SignOn []endpoint `xml:"SingleSignOnService"`
	} `xml:"urn:oasis:names:tc:SAML:2.0:metadata IDPSSODescriptor"`
}

type endpoint struct {
	Binding  string `xml:"Binding,attr"`
	Location string `xml:"Location,attr"`
}

func mustMetadata(t *testing.T, p *IdentityProvider) (document []byte, m metadata) {
	t.Helper()
	document, err := p.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	if err := xml.Unmarshal(document, &m); err != nil {
		t.Fatal(err)
	}
	return document, m
}

// published returns the certificates of a metadata document.
func (m metadata) published(t *testing.T) [][]byte {
	t.Helper()
	var certificates [][]byte
	for _, k := range m.Provider.Keys {
		der, err := base64.StdEncoding.DecodeString(k.Certificate)
		if err != nil || k.Use != "signing" {
			t.Fatalf("key for %q: %v", k.Use, err)
		}
		certificates = append(certificates, der)
	}
	return certificates
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	idp := MustNew(t, Options{
		TenantID: "81c1df79-e153-4f9d-a101-8dcf04af6c2c",
		BaseURL:  "https://idp.example.com/x&y/",
		Keys:     slices.Concat(testKeys.rsa(), testKeys.p256()),
	})
	document, m := mustMetadata(t, idp)
	if want := "https://sts.windows.net/81c1df79-e153-4f9d-a101-8dcf04af6c2c/"; m.EntityID != want ||
		idp.EntityID() != want {
		t.Errorf("entity ID %q and %q, want %q", m.EntityID, idp.EntityID(), want)
	}
	const login = "https://idp.example.com/x&y/81c1df79-e153-4f9d-a101-8dcf04af6c2c/saml2"
	if idp.LoginURL() != login || idp.LogoutURL() != login {
		t.Errorf("login URL %q, logout URL %q, want both %q", idp.LoginURL(), idp.LogoutURL(), login)
	}
	redirect, post := endpoint{"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect",
		login}, endpoint{"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST", login}
	if !slices.Equal(m.Provider.SignOn, []endpoint{redirect, post}) ||
		!slices.Equal(m.Provider.Logout, []endpoint{redirect}) {
		t.Errorf("endpoints %v and %v", m.Provider.SignOn, m.Provider.Logout)
	}
	if got := m.published(t); !slices.EqualFunc(got, idp.Certificates(), bytes.Equal) || len(got) != 2 {
		t.Errorf("%d certificates, not the provider's two", len(got))
	}
	if got := bytes.Count(document, []byte("<KeyDescriptor ")); got != 6 {
		t.Errorf("%d KeyDescriptors, want 2 in each of 3 roles", got)
	}
	verifyBoth(t, document, idp.Certificates()[0], "EntityDescriptor")
}

func TestMetadataIsSignedByAnECDSAKey(t *testing.T) {
	t.Parallel()
	idp := MustNew(t, Options{Keys: testKeys.p384()})
	document, _ := mustMetadata(t, idp)
	verifyBoth(t, document, idp.Certificates()[0], "EntityDescriptor")
}

// The real document metadata/entra-2 and ours are the same but for values and the list of offered
// claims.
func TestLayoutOfRealMetadata(t *testing.T) {
	t.Parallel()
	real := readFixture(t, "metadata/entra-2.xml")
	idp := MustNew(t, Options{Keys: slices.Concat(testKeys.rsa(), testKeys.otherRSA())})
	ours, _ := mustMetadata(t, idp)
	offered := regexp.MustCompile(`<auth:ClaimType.*</auth:ClaimType>`)
	bare := func(document []byte) string { return offered.ReplaceAllString(skeleton(document), "") }
	if got, want := bare(ours), bare(real); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	claim := regexp.MustCompile(`<auth:ClaimType .*?</auth:ClaimType>`)
	if got, want := claim.FindString(skeleton(ours)), claim.FindString(skeleton(real)); got != want {
		t.Errorf("claims are offered as\n%s\nwant\n%s", got, want)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	users := []User{{Mail: "only@example.com"}}
	idp := MustNew(t, Options{EntityID: "https://idp.example.com/entity", Keys: testKeys.rsa(), Users: users})
	if _, m := mustMetadata(t, idp); m.EntityID != "https://idp.example.com/entity" {
		t.Errorf("entity ID %q", m.EntityID)
	}
	if got := read(t, mustRespond(t, idp, Answer{})).Assertions[0].NameID.Value; got != "only@example.com" {
		t.Errorf("NameID %q, want the only user's", got)
	}
	if other := MustNew(t, Options{Keys: testKeys.rsa()}); other.TenantID() == idp.TenantID() {
		t.Error("two directories have the same ID")
	}
	for name, o := range map[string]Options{
		"a BaseURL without a host": {BaseURL: "idp.example.com", Keys: testKeys.rsa()},
		"a key that cannot sign":   {Keys: []crypto.Signer{ed25519Key(t)}},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestZeroOptions(t *testing.T) {
	t.Parallel()
	idp := MustNew(t, Options{})
	block, rest := pem.Decode(idp.CertificatePEM())
	if block == nil || len(rest) != 0 || !bytes.Equal(block.Bytes, idp.Certificates()[0]) {
		t.Fatalf("CertificatePEM gives %s", idp.CertificatePEM())
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := certificate.Subject.String(), "CN=Microsoft Azure Federated SSO Certificate"; got != want {
		t.Errorf("subject %q, want %q", got, want)
	}
	if got := certificate.NotBefore.AddDate(3, 0, 0); !got.Equal(certificate.NotAfter) ||
		certificate.NotBefore.After(time.Now()) {
		t.Errorf("valid from %s to %s, want three years that have begun", certificate.NotBefore, certificate.NotAfter)
	}
	if other := MustNew(t, Options{}); bytes.Equal(other.Certificates()[0], block.Bytes) {
		t.Error("two providers have the same key")
	}
	verifyBoth(t, mustRespond(t, idp, Answer{}), block.Bytes, "Assertion")
}

func TestRollover(t *testing.T) {
	t.Parallel()
	idp := MustNew(t, Options{Keys: testKeys.rsa()})
	old := idp.Certificates()[0]
	signedBy := func(a Answer, certificate []byte) {
		t.Helper()
		verifyBoth(t, mustRespond(t, idp, a), certificate, "Assertion")
	}
	publishes := func(want ...[]byte) {
		t.Helper()
		if _, m := mustMetadata(t, idp); !slices.EqualFunc(m.published(t), want, bytes.Equal) {
			t.Errorf("the metadata publishes %d other keys, want %d", len(m.published(t)), len(want))
		}
	}

	index, err := idp.AddKey(testKeys.otherRSA()[0])
	if err != nil || index != 1 {
		t.Fatalf("AddKey gives %d, %v", index, err)
	}
	next := idp.Certificates()[index]
	publishes(old, next)
	signedBy(Answer{}, old)
	signedBy(Answer{Key: index}, next)

	if err := idp.RemoveKey(0); err == nil {
		t.Error("the active key can be removed")
	}
	if err := idp.Activate(index); err != nil {
		t.Fatal(err)
	}
	publishes(next, old)
	signedBy(Answer{}, next)

	if err := idp.RemoveKey(1); err != nil {
		t.Fatal(err)
	}
	publishes(next)
	for _, index := range []int{-1, 1} {
		if idp.Activate(index) == nil || idp.RemoveKey(index) == nil {
			t.Errorf("there is a key %d", index)
		}
	}
	if strings.Contains(string(idp.CertificatePEM()), base64.StdEncoding.EncodeToString(old)[:60]) {
		t.Error("CertificatePEM still gives the old certificate")
	}
}

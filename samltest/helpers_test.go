package samltest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/xml"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

const redirectURL = "https://console.example.com/api/v1/identity/auth/saml-acs"

// testKeys are made once for all tests here, because making RSA keys takes longest.
var testKeys = struct{ rsa, otherRSA, p256, p384, p521 func() []crypto.Signer }{
	rsa: rsaKey(), otherRSA: rsaKey(),
	p256: ecKey(elliptic.P256()), p384: ecKey(elliptic.P384()), p521: ecKey(elliptic.P521()),
}

func rsaKey() func() []crypto.Signer {
	return sync.OnceValue(func() []crypto.Signer {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		return []crypto.Signer{key}
	})
}

func ecKey(curve elliptic.Curve) func() []crypto.Signer {
	return sync.OnceValue(func() []crypto.Signer {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			panic(err)
		}
		return []crypto.Signer{key}
	})
}

// ed25519Key is a key of a kind that this package cannot sign with.
func ed25519Key(t *testing.T) crypto.Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func mustRespond(t *testing.T, p *IdentityProvider, a Answer) []byte {
	t.Helper()
	if a.Recipient == "" {
		a.Recipient = redirectURL
	}
	document, err := p.RespondXML(a)
	if err != nil {
		t.Fatal(err)
	}
	return document
}

// message is a response as encoding/xml reads it.
type message struct {
	XMLName      xml.Name `xml:"urn:oasis:names:tc:SAML:2.0:protocol Response"`
	ID           string   `xml:"ID,attr"`
	IssueInstant string   `xml:"IssueInstant,attr"`
	Destination  string   `xml:"Destination,attr"`
	InResponseTo string   `xml:"InResponseTo,attr"`
	Issuer       string   `xml:"urn:oasis:names:tc:SAML:2.0:assertion Issuer"`
	Status       struct {
		Code struct {
			Value string `xml:"Value,attr"`
			Sub   struct {
				Value string `xml:"Value,attr"`
			} `xml:"StatusCode"`
		} `xml:"StatusCode"`
		Message string `xml:"StatusMessage"`
	} `xml:"urn:oasis:names:tc:SAML:2.0:protocol Status"`
	Assertions []struct {
		ID     string `xml:"ID,attr"`
		Issuer string `xml:"urn:oasis:names:tc:SAML:2.0:assertion Issuer"`
		NameID *struct {
			Format string `xml:"Format,attr"`
			Value  string `xml:",chardata"`
		} `xml:"Subject>NameID"`
		Confirmation struct {
			InResponseTo string `xml:"InResponseTo,attr"`
			NotOnOrAfter string `xml:"NotOnOrAfter,attr"`
			Recipient    string `xml:"Recipient,attr"`
		} `xml:"Subject>SubjectConfirmation>SubjectConfirmationData"`
		Conditions struct {
			NotBefore    string   `xml:"NotBefore,attr"`
			NotOnOrAfter string   `xml:"NotOnOrAfter,attr"`
			Audiences    []string `xml:"AudienceRestriction>Audience"`
		}
		Attributes []struct {
			Name   string   `xml:"Name,attr"`
			Values []string `xml:"AttributeValue"`
		} `xml:"AttributeStatement>Attribute"`
		AuthnStatement struct {
			AuthnInstant        string `xml:"AuthnInstant,attr"`
			SessionIndex        string `xml:"SessionIndex,attr"`
			SessionNotOnOrAfter string `xml:"SessionNotOnOrAfter,attr"`
		}
	} `xml:"urn:oasis:names:tc:SAML:2.0:assertion Assertion"`
}

func read(t *testing.T, document []byte) message {
	t.Helper()
	var m message
	if err := xml.Unmarshal(document, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// claim returns the values of one claim, and whether it was sent.
func (m message) claim(name string) ([]string, bool) {
	for _, a := range m.Assertions[0].Attributes {
		if a.Name == name {
			return a.Values, true
		}
	}
	return nil, false
}

// readFixture returns a file of the collection of real messages, which is not part of this
// repository.
func readFixture(t *testing.T, name string) []byte {
	t.Helper()
	dir := os.Getenv("SAML_FIXTURES")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "fixtures")
	}
	data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
	switch {
	case err == nil:
	case os.Getenv("SAML_TEST_REQUIRE") == "all":
		t.Fatalf("no fixtures: set SAML_FIXTURES: %v", err)
	default:
		t.Skipf("no fixtures: set SAML_FIXTURES: %v", err)
	}
	return data
}

// now is the clock of the tests that compare times.
var now = time.Date(2026, 3, 14, 9, 26, 53, 589_000_000, time.FixedZone("CET", 3600))

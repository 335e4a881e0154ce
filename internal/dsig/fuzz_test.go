package dsig

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"testing"

	"github.com/iomete/saml/internal/b64"
	"github.com/iomete/saml/internal/fault"
	"github.com/iomete/saml/internal/testfiles"
	"github.com/iomete/saml/internal/xmltree"
)

// vectorMessages are the messages of the published vectors that are base64 and small.
func vectorMessages(t testing.TB) (messages [][]byte) {
	t.Helper()
	for _, v := range testfiles.Vectors(t) {
		if message, err := b64.Decode(v.Form); err == nil && len(message) < 32<<10 {
			messages = append(messages, message)
		}
	}
	return messages
}

func vectorKeys(t testing.TB) (keys []crypto.PublicKey) {
	t.Helper()
	for _, name := range []string{"test-idp-a", "test-idp-b", "test-ec-p256"} {
		block, _ := pem.Decode(testfiles.Key(t, name+".crt.pem"))
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, certificate.PublicKey)
	}
	return keys
}

// verifyAll verifies every signature that is the child of an element of the document, and returns
// what was signed.
func verifyAll(t testing.TB, message []byte, keys []crypto.PublicKey) (signed [][]byte) {
	doc, err := xmltree.Parse(message, xmltree.Options{})
	if err != nil {
		return nil
	}
	parents := []xmltree.Element{doc.Root()}
	for e := range doc.Root().Descendants() {
		parents = append(parents, e)
	}
	for _, parent := range parents {
		s, err := Of(parent)
		if err != nil || !s.Exists() {
			continue
		}
		s.CertificateInKeyInfo() // must take anything
		got, err := s.Verify(keys, Policy{AllowSHA1: true})
		if err != nil {
			if got.canonical != nil || !errors.As(err, new(*fault.Fault)) {
				t.Fatalf("got %d octets and %v, want a fault alone", len(got.canonical), err)
			}
			continue
		}
		content, err := got.Parse()
		if err != nil {
			t.Fatalf("what was signed cannot be read: %v\n%s", err, got.canonical)
		}
		id, _ := content.Root().Attr("ID")
		if want, _ := parent.Attr("ID"); id != want || !content.Root().Is(parent.Space(), parent.Local()) {
			t.Fatalf("signed is %s %q, verified was %s %q", content.Root().Local(), id, parent.Local(), want)
		}
		signed = append(signed, got.canonical)
	}
	return signed
}

// FuzzVerify: with messages and public keys alone, nobody can make a signature over something that
// was not signed. Whatever verifies in a changed message has the very octets that were signed in a
// vector.
func FuzzVerify(f *testing.F) {
	keys := vectorKeys(f)
	var known [][]byte
	for _, message := range vectorMessages(f) {
		f.Add(message)
		known = append(known, verifyAll(f, message, keys)...)
	}
	if len(known) == 0 {
		f.Fatal("no signature of any vector verifies")
	}
	f.Fuzz(func(t *testing.T, message []byte) {
	next:
		for _, signed := range verifyAll(t, message, keys) {
			for _, k := range known {
				if bytes.Equal(signed, k) {
					continue next
				}
			}
			t.Fatalf("these octets were never signed:\n%s", signed)
		}
	})
}

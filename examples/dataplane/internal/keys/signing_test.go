package keys

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"testing"
	"time"

	"github.com/iomete/saml"
)

// TestSigning: a sealed key opens with the key that sealed it, wherever that stands, and with no
// other one. Nothing of it is readable.
func TestSigning(t *testing.T) {
	t.Parallel()
	now := time.Now()
	made, err := NewSigning("https://console.example.com", now)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(made.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	if certificate.Subject.CommonName != "https://console.example.com" || certificate.NotBefore.After(now) ||
		certificate.NotAfter.Before(now.AddDate(9, 11, 0)) || certificate.CheckSignatureFrom(certificate) == nil {
		t.Errorf("the certificate is of %s, from %s to %s, or of an authority", certificate.Subject,
			certificate.NotBefore, certificate.NotAfter)
	}
	own, other := saml.NewStateKey(), saml.NewStateKey()
	sealed, err := made.Seal([][]byte{own, other})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil || bytes.Contains(raw, []byte("Certificate")) || bytes.Contains(raw, made.Certificate[:40]) {
		t.Errorf("the sealed key shows what is in it, or is no base64: %v", err)
	}
	raw[len(raw)-1] ^= 1
	for _, test := range []struct {
		name, sealed string
		keys         [][]byte
		first, opens bool
	}{
		{"the key alone", sealed, [][]byte{own}, true, true},
		{"behind a new one", sealed, [][]byte{other, own}, false, true},
		{"without it", sealed, [][]byte{other}, false, false},
		{"a changed text", base64.StdEncoding.EncodeToString(raw), [][]byte{own}, false, false},
		{"a short text", "AAAA", [][]byte{own}, false, false},
		{"no base64", "*", [][]byte{own}, false, false},
		{"nothing", "", [][]byte{own}, false, false},
	} {
		got, first, err := OpenSigning(test.keys, test.sealed)
		if !test.opens {
			if !errors.Is(err, ErrSealed) || got != nil {
				t.Errorf("%s: got %v, want ErrSealed", test.name, err)
			}
			continue
		}
		if err != nil || first != test.first || !bytes.Equal(got.Certificate, made.Certificate) {
			t.Errorf("%s: got first %v and %v, want %v", test.name, first, err, test.first)
			continue
		}
		public, ok := certificate.PublicKey.(interface{ Equal(x any) bool })
		if ok && !public.Equal(got.Key.Public()) {
			t.Errorf("%s: the key is not that of the certificate", test.name)
		}
	}
}

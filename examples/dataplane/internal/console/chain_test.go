package console_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestPastedChain: an authority that is pasted beside the certificate that it issued is shown as
// not trusted, and saved so that it is shown again.
func TestPastedChain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	issue := func(name string, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (string, *x509.Certificate,
		*ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
			NotBefore: time.Now().AddDate(-1, 0, 0), NotAfter: time.Now().AddDate(9, 0, 0)}
		if parent == nil {
			parent, parentKey = template, key
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
		if err != nil {
			t.Fatal(err)
		}
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), certificate, key
	}
	authority, parent, parentKey := issue("Some Authority", nil, nil)
	leaf, _, _ := issue("Some Signer", parent, parentKey)
	b := w.admin()
	b.submit("read", settingsForm{pasted: leaf + authority, entityID: w.idp.EntityID(), loginURL: w.idp.LoginURL()})
	f := b.last.form()
	if n := strings.Count(f.certificate, "BEGIN CERTIFICATE"); n != 2 {
		t.Fatalf("%d certificates are in the field, want both", n)
	}
	b.submit("preview", f)
	b.wantText("preview", "Some Authority", "issued", "not trusted to sign responses", "Some Signer")
	b.submit("save", b.last.form())
	b.want(http.StatusOK)
	if n := strings.Count(w.state().Saved.Certificates, "BEGIN CERTIFICATE"); n != 2 {
		t.Errorf("%d certificates are saved, want both: the warning must come again", n)
	}
}

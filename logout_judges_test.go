package saml

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iomete/saml/internal/testfiles"
	"github.com/iomete/saml/internal/xmltree"
)

// TestJudgesOfLogout asks OpenSSL about the signatures of redirects, and xmlsec1 about those of forms
// and envelopes: what is accepted they verify, and what is refused because the signature does not fit
// they refuse.
func TestJudgesOfLogout(t *testing.T) {
	t.Parallel()
	needXmlsec1(t)
	if _, err := exec.LookPath("openssl"); err != nil {
		testfiles.Missing(t, "openssl is missing: install the Debian package openssl")
	}
	judged := map[string]int{}
	judge := func(name string, s *sampleLogout, want bool) {
		if s.signer == "" || s.binding == "redirect" && s.algorithm == "" {
			return
		}
		ask, key := xmlsec1VerifiesLogout, "xmlsec1"
		if s.binding == "redirect" {
			ask, key = opensslVerifiesQuery, "openssl"
		}
		if got := ask(t, s); got != want {
			t.Errorf("%s: %s verifies it: %t, want %t", name, key, got, want)
		}
		if !want {
			key += " refuses"
		}
		judged[key]++
	}
	for name, change := range positiveLogouts {
		s := newSampleLogout()
		change(s)
		judge(name, s, true)
	}
	for _, row := range signatureRows {
		if row.code == CodeSignature {
			judge("twin of "+row.name, row.sample(false), true)
			judge(row.name, row.sample(true), false)
		}
	}
	for _, row := range formRows {
		if row.code == CodeSignature || row.code == CodeDigest {
			judge("twin of "+row.name, row.sample(false), true)
			judge(row.name, row.sample(true), false)
		}
	}
	judge("SOAP", func() *sampleLogout { s := newSampleLogout(); s.asSOAP(); return s }(), true)
	if judged["openssl"] < 25 || judged["openssl refuses"] < 12 || judged["xmlsec1"] < 5 ||
		judged["xmlsec1 refuses"] < 4 {
		t.Errorf("judged %v", judged)
	}
}

// opensslVerifiesQuery takes the query apart by itself.
func opensslVerifiesQuery(t *testing.T, s *sampleLogout) bool {
	t.Helper()
	parts := map[string]string{}
	for part := range strings.SplitSeq(s.query(t), "&") {
		name, _, _ := strings.Cut(part, "=")
		parts[name] = part
	}
	octets := parts[s.parameter()]
	for _, name := range []string{"RelayState", "SigAlg"} {
		if part := parts[name]; part != "" {
			octets += "&" + part
		}
	}
	text, err := url.QueryUnescape(strings.ReplaceAll(strings.TrimPrefix(parts["Signature"], "Signature="), "+", "%2B"))
	if err != nil {
		t.Fatal(err)
	}
	value, err := base64.StdEncoding.DecodeString(strings.NewReplacer("\r", "", "\n", "").Replace(text))
	if err != nil {
		t.Fatal(err)
	}
	uri, err := url.QueryUnescape(strings.TrimPrefix(parts["SigAlg"], "SigAlg="))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range s.keys {
		if opensslVerifies(t, octets, value, uri, vectorCertificate(t, name+".crt.pem")) {
			return true
		}
	}
	return false
}

func opensslVerifies(t *testing.T, octets string, value []byte, uri string, certificate *x509.Certificate) bool {
	t.Helper()
	hash := "sha256"
	for _, other := range []string{"sha384", "sha512"} {
		if strings.Contains(uri, other) {
			hash = other
		}
	}
	if public, ok := certificate.PublicKey.(*ecdsa.PublicKey); ok {
		if size := (public.Curve.Params().N.BitLen() + 7) / 8; len(value) == 2*size {
			der, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(value[:size]),
				new(big.Int).SetBytes(value[size:])})
			if err != nil {
				t.Fatal(err)
			}
			value = der
		}
	}
	public, err := x509.MarshalPKIXPublicKey(certificate.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	arguments := []string{"dgst", "-" + hash, "-verify", file("key", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY",
		Bytes: public})),
		"-signature", file("signature", value)}
	if strings.HasSuffix(uri, "-MGF1") {
		arguments = append(arguments, "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest")
	}
	return exec.CommandContext(t.Context(), "openssl", append(arguments, file("octets",
		[]byte(octets)))...).Run() == nil
}

// xmlsec1VerifiesLogout reads a form or an envelope.
func xmlsec1VerifiesLogout(t *testing.T, s *sampleLogout) bool {
	t.Helper()
	message := []byte(s.soap(t))
	if s.binding == "post" {
		values, err := url.ParseQuery(s.form(t))
		if err != nil {
			t.Fatal(err)
		}
		if message, err = base64.StdEncoding.DecodeString(values.Get(s.parameter())); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), "message.xml")
	if err := os.WriteFile(file, message, 0o600); err != nil {
		t.Fatal(err)
	}
	return exec.CommandContext(t.Context(), "xmlsec1", "--verify", "--id-attr:ID", xmltree.NSProtocol+":"+s.name(),
		"--enabled-reference-uris", "same-doc", "--enabled-key-data", "rsa,ecdsa",
		"--pubkey-cert-pem", filepath.Join(testfiles.VectorDir(t), "keys", s.keys[0]+".crt.pem"), file).Run() == nil
}

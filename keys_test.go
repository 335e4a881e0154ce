package saml

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// testCertificate makes a self-signed certificate for key, DER.
func testCertificate(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1),
		Subject:   pkix.Name{CommonName: "Test IdP", Organization: []string{"Example, Inc."}},
		NotBefore: testNow.AddDate(-1, 0, 0), NotAfter: testNow.AddDate(2, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func newECKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// testKey is a usable trusted key that nothing was signed with.
func testKey(t testing.TB) TrustedKey {
	t.Helper()
	keys, err := ParseKeys(testCertificate(t, newECKey(t, elliptic.P256())))
	if err != nil {
		t.Fatal(err)
	}
	return keys[0]
}

var sharedRSAKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func testRSAKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key, err := sharedRSAKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func armor(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func indent(s string) string { return "    " + strings.ReplaceAll(s, "\n", "\n    ") }

func TestCertificateForms(t *testing.T) {
	first, second := testCertificate(t, newECKey(t, elliptic.P256())), testCertificate(t, newECKey(t, elliptic.P384()))
	pem1, pem2 := armor("CERTIFICATE", first), armor("CERTIFICATE", second)
	bare := base64.StdEncoding.EncodeToString(first)
	lines := strings.TrimSuffix(strings.TrimPrefix(pem1, "-----BEGIN CERTIFICATE-----\n"),
		"-----END CERTIFICATE-----\n")
	metadata := `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://idp.example.com"><IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><KeyDescriptor><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>` +
		indent(lines) + `</X509Certificate></X509Data></KeyInfo></KeyDescriptor><SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://idp.example.com/sso"/></IDPSSODescriptor></EntityDescriptor>`
	for _, test := range []struct {
		name, text string
		want       [][]byte
	}{
		{"PEM", pem1, [][]byte{first}},
		{"PEM with CR LF", strings.ReplaceAll(pem1, "\n", "\r\n"), [][]byte{first}},
		{"PEM with a byte order mark", "\uFEFF" + pem1, [][]byte{first}},
		{"PEM, indented", indent(pem1), [][]byte{first}},
		{"PEM in one line", strings.ReplaceAll(pem1, "\n", " "), [][]byte{first}},
		{"PEM with text around", "Bag Attributes\n  friendlyName: x\nsubject=CN=x\n" + pem1 + "bye\n", [][]byte{first}},
		{"PEM as X509 CERTIFICATE", armor("X509 CERTIFICATE", first), [][]byte{first}},
		{"two PEM blocks", pem1 + "\n" + pem2, [][]byte{first, second}},
		{"one certificate twice", pem1 + pem1, [][]byte{first}},
		{"bare base64", bare, [][]byte{first}},
		{"bare base64 in lines", lines, [][]byte{first}},
		{"bare base64, indented", indent(lines), [][]byte{first}},
		{"bare base64 between blank lines", "\r\n\r\n" + bare + "\r\n\r\n", [][]byte{first}},
		{"DER", string(first), [][]byte{first}},
		{"DER with a line break", string(first) + "\r\n", [][]byte{first}},
		{"OpenSSL's own form, with settings behind the certificate",
			armor("TRUSTED CERTIFICATE", append(slices.Clone(first), 0x30, 0x00)), [][]byte{first}},
		{"two certificates in DER", string(first) + string(second), [][]byte{first, second}},
		{"federation metadata", metadata, [][]byte{first}},
	} {
		keys, err := ParseKeys([]byte(test.text))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		var got [][]byte
		for _, k := range keys {
			got = append(got, k.DER())
		}
		if !slices.EqualFunc(got, test.want, bytes.Equal) {
			t.Errorf("%s: got %d keys, not the right ones", test.name, len(got))
		}
	}
}

func TestWhatIsNoCertificate(t *testing.T) {
	key := newECKey(t, elliptic.P256())
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	certificate := testCertificate(t, key)
	pem1 := armor("CERTIFICATE", certificate)
	many := ""
	for range maxKeys + 1 {
		many += armor("CERTIFICATE", testCertificate(t, newECKey(t, elliptic.P256())))
	}
	slow := ""
	for range maxSlow + 1 {
		slow += armor("CERTIFICATE", testCertificate(t, newECKey(t, elliptic.P521())))
	}
	for _, test := range []struct {
		name, text string
		code       Code
		message    string
	}{
		{"nothing", "", CodeKey, "is empty"},
		{"white space", " \r\n\t ", CodeKey, "is empty"},
		{"a private key", armor("PRIVATE KEY", pkcs8), CodePrivateKey, "private key"},
		{"a private key of an older form", armor("EC PRIVATE KEY", sec1), CodePrivateKey, "private key"},
		{"an encrypted private key", armor("ENCRYPTED PRIVATE KEY", pkcs8), CodePrivateKey, "private key"},
		{"a private key in DER", string(pkcs8), CodePrivateKey, "private key"},
		{"a private key in bare base64", base64.StdEncoding.EncodeToString(sec1), CodePrivateKey, "private key"},
		{"a private key behind its certificate", pem1 + armor("PRIVATE KEY", pkcs8), CodePrivateKey, "private key"},
		{"a private key that is cut off", "-----BEGIN PRIVATE KEY-----\nMIIB", CodePrivateKey, "private key"},
		{"a public key", armor("PUBLIC KEY", public), CodeKey, "no certificate"},
		{"a certificate request", armor("CERTIFICATE REQUEST", public), CodeKey, "no certificate"},
		{"an SSH key", "ssh-rsa AAAAB3NzaC1yc2E= me@host", CodeKey, "SSH key"},
		{"a certificate without its last line", strings.Replace(pem1, "-----END CERTIFICATE-----\n", "", 1), CodeKey,
			"no END line"},
		{"a certificate with a letter missing", strings.Replace(pem1, "MI", "M", 1), CodeKey, "damaged"},
		{"half of a certificate in DER", string(certificate[:len(certificate)/2]), CodeKey, "cut off"},
		{"half of a certificate in base64", base64.StdEncoding.EncodeToString(certificate[:len(certificate)/2]),
			CodeKey, "cut off"},
		{"a thumbprint", "2FD4E1C67A2D28FCED849EE1BB76E7391B93EB12", CodeKey, "thumbprint"},
		{"a thumbprint with colons", "2F:D4:E1:C6:7A:2D:28:FC:ED:84:9E:E1:BB:76:E7:39:1B:93:EB:12", CodeKey,
			"thumbprint"},
		{"a sentence", "please see attachment", CodeKey, "not a certificate"},
		{"base64 of something else", base64.StdEncoding.EncodeToString([]byte("something else entirely")), CodeKey,
			"not a certificate"},
		{"an address", "https://login.microsoftonline.com/x/federationmetadata.xml", CodeKey, "this is an address"},
		{"a certificate in UTF-16", "\xff\xfe-\x00-\x00", CodeKey, "UTF-16"},
		{"an encrypted private key of an older form behind its certificate",
			pem1 + "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n", CodePrivateKey, "private key"},
		{"a certificate in DER and something behind it", string(certificate) + "x", CodeKey, "damaged"},
		{"a web page", "<!DOCTYPE html><html><body>Sign in</body></html>", CodeMetadata, "web page"},
		{"too many certificates", many, CodeKey, "more than 16 certificates"},
		{"too many certificates whose keys are slow", slow, CodeKey,
			"more than 8 certificates with RSA keys of more than 4096 bits or ECDSA keys on P-521"},
		{"five megabytes", strings.Repeat("A", 5<<20), CodeTooLarge, "5242880 bytes"},
	} {
		keys, err := ParseKeys([]byte(test.text))
		if !errors.Is(err, test.code) || !strings.Contains(err.Error(), test.message) || keys != nil {
			t.Errorf("%s: got %d keys, %v, want %s with %q", test.name, len(keys), err, string(test.code), test.message)
		}
	}
}

// TestWeakKeys are read and shown, and cannot be used.
func TestWeakKeys(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]crypto.Signer{"RSA of 1024 bits": small, "Ed25519": edwards,
		"P-224": newECKey(t, elliptic.P224())} {
		keys, err := ParseKeys(testCertificate(t, key))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !errors.Is(keys[0].Usable(), CodeWeakKey) {
			t.Errorf("%s: got %v, want %s", name, keys[0].Usable(), string(CodeWeakKey))
		}
		idp, err := NewIdentityProvider("https://idp.example.com", "https://idp.example.com/sso", keys...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := codesOf(idp.Warnings(testNow)); !slices.Contains(got, "key_unusable") {
			t.Errorf("%s: warnings %v", name, got)
		}
		if _, err := testProvider(t, func(c *Config) { c.IdentityProvider = idp }); !errors.Is(err, CodeWeakKey) {
			t.Errorf("%s: New: got %v, want %s", name, err, string(CodeWeakKey))
		}
	}
}

// TestCertificateThatX509Refuses: a genuine certificate of Entra has a negative serial number.
func TestCertificateThatX509Refuses(t *testing.T) {
	der := testCertificate(t, newECKey(t, elliptic.P256()))
	serial := bytes.Index(der, []byte{2, 1, 1}) // INTEGER 1
	der[serial+2] = 0x81
	if _, err := x509.ParseCertificate(der); err == nil {
		t.Fatal("crypto/x509 takes the certificate: this test no longer shows anything")
	}
	keys, err := ParseKeys(der)
	if err != nil || keys[0].Usable() != nil {
		t.Fatalf("got %v", err)
	}
	if k := keys[0]; k.Subject() != "CN=Test IdP,O=Example\\, Inc." ||
		!k.NotBefore().Equal(testNow.AddDate(-1, 0, 0)) || !k.NotAfter().Equal(testNow.AddDate(2, 0, 0)) {
		t.Errorf("got %s from %s to %s", k.Subject(), k.NotBefore(), k.NotAfter())
	}
}

// TestCertificateDates become warnings 60 days ahead.
func TestCertificateDates(t *testing.T) {
	idp, err := NewIdentityProvider("https://idp.example.com", "https://idp.example.com/sso", testKey(t))
	if err != nil {
		t.Fatal(err)
	}
	end := testNow.AddDate(2, 0, 0)
	for _, test := range []struct {
		name string
		now  time.Time
		want string
	}{
		{"before it begins", testNow.AddDate(-2, 0, 0), "certificate_not_yet_valid"},
		{"61 days before its end", end.AddDate(0, 0, -61), ""},
		{"59 days before its end", end.AddDate(0, 0, -59), "certificate_expiring"},
		{"a day before its end", end.AddDate(0, 0, -1), "certificate_expiring"},
		{"a day after its end", end.AddDate(0, 0, 1), "certificate_expired"},
	} {
		if got := strings.Join(codesOf(idp.Warnings(test.now)), ","); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

func FuzzParseKeys(f *testing.F) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	der := testCertificate(f, key)
	f.Add(der)
	f.Add([]byte(armor("CERTIFICATE", der)))
	f.Add([]byte(base64.StdEncoding.EncodeToString(der)))
	f.Add([]byte("-----BEGIN CERTIFICATE-----"))
	f.Add([]byte(base64.StdEncoding.EncodeToString(slices.Concat(der, der)) + "\n" + armor("CERTIFICATE", der)))
	f.Add([]byte("<ds:X509Certificate>" + base64.StdEncoding.EncodeToString(der) + "</ds:X509Certificate>"))
	f.Add([]byte(`{"x":"` + strings.ReplaceAll(armor("CERTIFICATE", der), "\n", `\n`) + `"}`))
	f.Add([]byte("text " + entityXML(`entityID="x"`,
		keyXML("", der)+ssoXML("HTTP-Redirect", "https://idp.example.com/sso")) +
		base64.StdEncoding.EncodeToString(der)))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := ParseKeys(data)
		if (err == nil) != (len(keys) > 0) || len(keys) > maxKeys {
			t.Fatalf("%d keys, %v", len(keys), err)
		}
		for _, k := range keys {
			if (k.Usable() == nil) && k.PublicKey() == nil {
				t.Fatal("a usable key without a public key")
			}
		}
		if err != nil {
			return
		}
		var pem strings.Builder // what is shown and saved says the same
		for _, k := range keys {
			pem.WriteString(armor("CERTIFICATE", k.DER()))
		}
		again, err := ParseKeys([]byte(pem.String()))
		if err != nil || !slices.EqualFunc(again, keys,
			func(a, b TrustedKey) bool { return bytes.Equal(a.DER(), b.DER()) }) {
			t.Fatalf("%d keys become %d, %v", len(keys), len(again), err)
		}
	})
}

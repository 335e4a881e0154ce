package saml

import (
	"bytes"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml/internal/certs"
)

// lengths of certificates differ by their names, so that base64 ends with no, one and two
// characters of padding.
func certificatesOfAllLengths(t *testing.T) (ders [3][]byte) {
	t.Helper()
	for name := "x"; ders[0] == nil || ders[1] == nil || ders[2] == nil; name += "x" {
		der := issue(t, name, newECKey(t, elliptic.P256()), nil, nil, 0)
		ders[len(der)%3] = der
	}
	return ders
}

func wrapped(text string, width int, end string) string {
	var b strings.Builder
	for part := range slices.Chunk([]byte(text), width) {
		b.Write(part)
		b.WriteString(end)
	}
	return b.String()
}

func withoutLine(text, line string) string { return strings.Replace(text, line+"\n", "", 1) }

const beginLine, endLine = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"

// TestNoCertificateIsLost: what is pasted is read whole, in whatever forms it is mixed.
func TestNoCertificateIsLost(t *testing.T) {
	t.Parallel()
	for padding, first := range certificatesOfAllLengths(t) {
		second := testCertificate(t, newECKey(t, elliptic.P384()))
		third := testCertificate(t, newECKey(t, elliptic.P521()))
		pem1, pem2 := armor("CERTIFICATE", first), armor("CERTIFICATE", second)
		bare1, bare2, bare3 := base64.StdEncoding.EncodeToString(first), base64.StdEncoding.EncodeToString(second), base64.StdEncoding.EncodeToString(third)
		lines1, lines2 := wrapped(bare1, 64, "\n"), wrapped(bare2, 76, "\r\n")
		element := func(prefix, content string) string {
			return "<" + prefix + "X509Certificate>" + content + "</" + prefix + "X509Certificate>"
		}
		quoted := func(s string) string {
			b, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
		metadata := entityXML(`entityID="https://idp.example.com"`,
			keyXML("", first)+ssoXML("HTTP-POST", "https://idp.example.com/sso"))
		one, two := [][]byte{first}, [][]byte{first, second}
		for _, test := range []struct {
			name, text string
			want       [][]byte
		}{
			{"bare base64, then PEM", bare1 + "\n" + pem2, two},
			{"bare base64, then PEM, without a line break", bare1 + pem2, two},
			{"PEM, then bare base64", pem1 + bare2, two},
			{"PEM, then bare base64 in lines", pem1 + "\n\n" + lines2, two},
			{"bare base64 in lines, then PEM", lines1 + "\n" + pem2, two},
			{"bare base64, a blank line, bare base64", bare1 + "\n\n" + bare2, two},
			{"bare base64 in lines, a blank line, the same", lines1 + "\n" + lines2, two},
			{"bare base64 line after line", lines1 + lines2, two},
			{"three in bare base64", bare1 + "\n" + bare2 + "\n" + bare3 + "\n", [][]byte{first, second, third}},
			{"bare base64 with commas", bare1 + "," + bare2, two},
			{"bare base64 in short lines", wrapped(bare1, 20, "\n") + "\n" + wrapped(bare2, 16, " "), two},
			{"bare base64 with a blank line behind each line", wrapped(bare1, 64, "\n\n"), one},
			{"several encoded as one", base64.StdEncoding.EncodeToString(slices.Concat(first, second)), two},
			{"several encoded as one, in lines",
				wrapped(base64.StdEncoding.EncodeToString(slices.Concat(first, second)), 64, "\n"), two},
			{"a label", "certificate: " + bare1 + "\nnext: " + bare2, two},
			{"a label with an equals sign", "x509cert=" + bare1 + "\nidp.cert = " + bare2, two},
			{"an element", element("", bare1), one},
			{"an element with a prefix", element("ds:", lines1), one},
			{"several elements", element("ds:", bare1) + "\n" + element("", lines2), two},
			{"an element with attributes, in an X509Data that is cut off",
				`<X509Data><X509Certificate xmlns="http://www.w3.org/2000/09/xmldsig#">` + bare1, one},
			{"a KeyDescriptor", keyXML(` use="signing"`, first), one},
			{"an element, then PEM", element("", bare1) + pem2, two},
			{"PEM, then an element", "here it is:\n" + pem1 + element("ds:", bare2), two},
			{"PEM in an element", element("ds:", "\n"+pem1) + element("ds:", bare2), two},
			{"elements with escaped line breaks", element("", wrapped(bare1, 64, "&#13;\n")), one},
			{"escaped elements", strings.NewReplacer("<", "&lt;", ">", "&gt;").Replace(element("", bare1)), one},
			{"a JSON text", quoted(pem1 + pem2), two},
			{"a JSON object", `{"certificate":` + quoted(pem1) + `,"next":` + quoted(bare2) + `}`, two},
			{"a JSON text in a JSON text", quoted(quoted(pem1)), one},
			{"escaped plus signs", strings.NewReplacer("+", `\u002B`, "/", `\/`).Replace(bare1), one},
			{"what openssl writes around",
				"Bag Attributes\n    friendlyName: one\n    localKeyID: 54 69 6D 65 20 31 36\nKey Attributes: <No Attributes>\nsubject=/C=US/O=Example Corporation/CN=sts.example.com\nissuer=CN = sts.example.com\n" +
					pem1 + "Bag Attributes: <Empty Attributes>\nsubject=/CN=two\n\nissuer=/CN=two\n\n" + pem2, two},
			{"a text form of openssl",
				"Certificate:\n    Data:\n        Version: 3 (0x2)\n        Serial Number:\n            2f:d4:e1:c6:7a:2d:28:fc\n        Signature Algorithm: sha256WithRSAEncryption\n" + pem1, one},
			{"thumbprints beside it",
				"SHA-1 2FD4E1C67A2D28FCED849EE1BB76E7391B93EB12 SHA-256 9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08\n" + pem1, one},
			{"long words", "https://portal.azure.com/Microsoft_AAD_IAM/ManagedAppMenuBlade/SignOn/appId/7f1f0a52-7a3c-4d8e-9d1b-5c0f5e2a9b11\n/Users/somebody/Documents/IdentityProviders/Certificates/Production/Active\n" + pem1, one},
			{"an address that ends in a client ID",
				"https://acme.eu.auth0.com/samlp/metadata/xY3kQ9vB7nM2pL5rT8wZ1cF4hJ6dS0aG\n" + pem1, one},
			{"a path with a year", "/Users/somebody/Documents/IdentityProviders2024/Certificates/Production\n" + pem1,
				one},
			{"a path below the home folder",
				"cert: ~/Documents/Company/IdentityProviders2024/Certificates/Production\n" + pem1, one},
			{"metadata", metadata, one},
			{"metadata behind a text", "Hello,\nhere is our metadata:\n\n<?xml version=\"1.0\"?>\n" + metadata +
				"\nBest regards\n", one},
			{"metadata behind PEM", pem2 + metadata, two},
			{"metadata before PEM", metadata + "\n" + pem2, two},
			{"metadata before bare base64", metadata + "\n" + bare2, two},
		} {
			keys, err := ParseKeys([]byte(test.text))
			var got [][]byte
			for _, k := range keys {
				got = append(got, k.DER())
			}
			if err != nil || !slices.EqualFunc(got, test.want, bytes.Equal) {
				t.Errorf("%s (length %d modulo 3): got %d of %d certificates, or others: %v", test.name, padding,
					len(got), len(test.want), err)
			}
		}
	}
}

// TestWhatCannotBeReadIsNamed: beside a good certificate, a damaged one is an error that says where
// it is.
func TestWhatCannotBeReadIsNamed(t *testing.T) {
	t.Parallel()
	good := armor("CERTIFICATE", testCertificate(t, newECKey(t, elliptic.P256())))
	line := strconv.Itoa(1 + strings.Count(good, "\n"))
	other := testKey(t).DER()
	bad := armor("CERTIFICATE", other)
	bare := base64.StdEncoding.EncodeToString(other)
	lines := wrapped(bare, 64, "\n")
	second := lines[65:130] // with its line break
	metadata := func(keys string) string {
		return entityXML(`entityID="https://idp.example.com"`, keys+ssoXML("HTTP-POST", "https://idp.example.com/sso"))
	}
	for _, test := range []struct{ name, text, message string }{
		{"no END line", good + withoutLine(bad, endLine),
			"line " + line + " begins a certificate that has no END line"},
		{"no END line, and another behind it", withoutLine(bad, endLine) + good,
			"line 1 begins a certificate that has no END line"},
		{"no BEGIN line", good + withoutLine(bad, beginLine), "END line without its BEGIN line"},
		{"no BEGIN line, and another behind it", withoutLine(bad, beginLine) + good, "END line without its BEGIN line"},
		{"neither, and cut off", good + withoutLine(withoutLine(bad, beginLine), endLine)[:100],
			"line " + line + " begins a certificate in base64 that is damaged or cut off"},
		{"a BEGIN line with too few hyphens", good + strings.Replace(bad, "-----BEGIN", "----BEGIN", 1),
			"END line without its BEGIN line"},
		{"an END line with too few hyphens", good + strings.Replace(bad, "-----END", "----END", 1),
			"line " + line + " begins a certificate that has no END line"},
		{"a BEGIN line that does not end", good + strings.Replace(bad, "CERTIFICATE-----", "CERTIFICATE", 1),
			"line " + line + " has a BEGIN line that is damaged"},
		{"an END line of something else", good + strings.Replace(bad, "END CERTIFICATE", "END PKCS7", 1),
			"line " + line + " begins a certificate that has no END line"},
		{"a line of PEM is missing", good + strings.Replace(bad, second, "", 1), "line " + line},
		{"a letter of PEM is missing", good + strings.Replace(bad, second, second[1:], 1), "line " + line},
		{"bare base64 without its first line", good + lines[65:], "line " + line + " looks like base64"},
		{"bare base64 without its last line", good + lines[:len(lines)-60],
			"line " + line + " begins a certificate in base64 that is damaged or cut off"},
		{"bare base64 with a line missing", good + strings.Replace(lines, second, "", 1) + "\nend.",
			"line " + line + " begins a certificate in base64 that is damaged or cut off"},
		{"bare base64 with a strange character", good + strings.Replace(bare, "A", "*", 1), "line " + line},
		{"bare base64 that is cut off, before PEM", bare[:200] + "\n" + good,
			"line 1 begins a certificate in base64 that is damaged or cut off"},
		{"bare base64 with something behind it",
			good + base64.StdEncoding.EncodeToString(append(slices.Clone(other), "garbage"...)), "line " + line},
		{"an empty element", good + "<X509Certificate></X509Certificate>",
			"line " + line + " has an X509Certificate element that is empty or not base64"},
		{"an element that is closed at once", good + "<ds:X509Certificate/>",
			"line " + line + " has an X509Certificate element that is empty or not base64"},
		{"an element with something else", good + "<X509Certificate>see attachment</X509Certificate>",
			"line " + line + " has an X509Certificate element that is empty or not base64"},
		{"an element with half a certificate", good + "<X509Certificate>" + bare[:200] + "</X509Certificate>",
			"line " + line},
		{"an element whose tag does not end", good + "<X509Certificate " + bare,
			"line " + line + " has a tag that does not end"},
		{"a certificate to encrypt with", good + keyXML(` use="encryption"`, other),
			"line " + line + " begins a KeyDescriptor for encryption"},
		{"another kind of PEM", good + armor("PKCS7", other), "no certificate"},
		{"a certificate in a response", `<p:Response xmlns:p="urn:oasis:names:tc:SAML:2.0:protocol"><Signature>` +
			keyXML("", other) + `</Signature></p:Response>`, "part of a SAML message or signature"},
		{"metadata with a certificate that cannot be read",
			metadata(strings.Replace(keyXML("", other), "MI", "M", 1) +
				keyXML("", other)), "certificate 1 of the metadata cannot be read"},
		{"metadata with half a certificate", metadata(keyXML("", other) + keyXML("", other[:100])),
			"certificate 2 of the metadata cannot be read: the certificate is damaged or cut off"},
		{"half of a metadata file", metadata(keyXML("", other))[:300], "ends before an element is closed"},
		{"half of a metadata file behind PEM", good + metadata(keyXML("", other))[:300],
			"ends before an element is closed"},
		{"metadata, then half a certificate", metadata(keyXML("", other)) + bare[:300],
			"begins a certificate in base64 that is damaged or cut off"},
		{"DER with something behind it", string(other) + string(other[:50]), "damaged"},
	} {
		keys, err := ParseKeys([]byte(test.text))
		if err == nil || keys != nil || !strings.Contains(err.Error(), test.message) {
			t.Errorf("%s: got %d keys, %v, want %q", test.name, len(keys), err, test.message)
		}
	}
}

// TestMetadataLosesNoKey: a key that is not taken is a warning that names it.
func TestMetadataLosesNoKey(t *testing.T) {
	t.Parallel()
	der := testKey(t).DER()
	sso := ssoXML("HTTP-Redirect", "https://idp.example.com/sso")
	broken := keyXML("", der[:100])
	for _, test := range []struct{ name, keys, code, message string }{
		{"in PEM", strings.Replace(keyXML("", der), base64.StdEncoding.EncodeToString(der),
			armor("CERTIFICATE", der), 1), "", ""},
		{"the second is cut off", keyXML("", der) + broken, "key_unreadable",
			"certificate 2 of the metadata cannot be read: the certificate is damaged or cut off"},
		{"the first is empty", listXML(nil, der), "key_unreadable",
			"certificate 1 of the metadata cannot be read: it is empty"},
		{"many are cut off", keyXML("", der) + strings.Repeat(broken, 1000),
			"key_unreadable,key_unreadable,key_unreadable,key_unreadable,key_unreadable", "996 more certificates"},
		{"a private key", keyXML("", der) + keyXML("", privateDER(t)), "key_unreadable", "this is a private key"},
		{"a key without certificate",
			keyXML("", der) + `<md:KeyDescriptor><ds:KeyInfo><ds:KeyName>x</ds:KeyName></ds:KeyInfo></md:KeyDescriptor>`, "key_without_certificate", "has no X509Certificate"},
		{"an unknown use", keyXML("", der) + keyXML(` use="both"`, testKey(t).DER()), "key_use_unknown", `"both"`},
		{"encryption", keyXML("", der) + keyXML(` use="encryption"`, []byte("x")), "", ""},
	} {
		idp, err := ParseMetadata([]byte(entityXML(`entityID="x"`, test.keys+sso)))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		warnings := idp.Warnings(testNow)
		last := Warning{}
		if len(warnings) > 0 {
			last = warnings[len(warnings)-1]
		}
		if got := strings.Join(codesOf(warnings), ","); got != test.code ||
			!strings.Contains(last.Message, test.message) || len(idp.Keys()) != 1 {
			t.Errorf("%s: got %d keys, warnings %q with %q, want %q with %q", test.name, len(idp.Keys()), got,
				last.Message, test.code, test.message)
		}
	}
	if _, err := ParseMetadata([]byte("Hello,\n" + entityXML(`entityID="x"`, keyXML("", der)+sso))); !errors.Is(err,
		CodeMetadata) || !strings.Contains(err.Error(), `text before the metadata, got "Hello,\n"`) ||
		strings.Contains(err.Error(), "md:") {
		t.Errorf("metadata behind a text: got %v", err)
	}
}

// TestWorkIsBounded: what is too much ends the reading, or is not worked on. Where the time of what
// must not happen is counted in minutes or hours, there is a deadline.
func TestWorkIsBounded(t *testing.T) {
	t.Parallel()
	key := newECKey(t, elliptic.P256())
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	numbered := func(n int) []byte {
		return rawDER(t, int64(n), []byte{0x30, 0}, public,
			pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2}}, nil)
	}
	rsaPublic := func(bits int) []byte {
		n := make([]byte, bits/8)
		rand.Read(n)
		n[0], n[len(n)-1] = n[0]|0x80, n[len(n)-1]|1
		numbers, err := asn1.Marshal(struct {
			N *big.Int
			E int
		}{new(big.Int).SetBytes(n), 1<<31 - 1})
		if err != nil {
			t.Fatal(err)
		}
		der, err := asn1.Marshal(struct {
			Algorithm pkix.AlgorithmIdentifier
			Key       asn1.BitString
		}{pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1},
			Parameters: asn1.NullRawValue}, asn1.BitString{Bytes: numbers, BitLength: 8 * len(numbers)}})
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	within := func(name string, f func()) {
		done := make(chan struct{})
		go func() { f(); close(done) }()
		select {
		case <-done:
		case <-time.After(time.Minute):
			t.Fatalf("%s: no end after a minute", name)
		}
	}

	var many []byte
	for n := range maxKeys + 1 {
		many = append(many, numbered(n)...)
	}
	text := base64.StdEncoding.EncodeToString
	const tooMany = "more than 16 certificates"
	for name, data := range map[string]string{
		"DER": string(many) + "garbage", "PEM": bundle(many) +
			"-----BEGIN garbage", "base64": text(append(many, "garbage"...)), "an element": "<X509Certificate>" +
			text(many) + "</X509Certificate><X509Certificate/>",
	} {
		if _, err := ParseKeys([]byte(data)); !errors.Is(err, CodeKey) || !strings.Contains(err.Error(), tooMany) {
			t.Errorf("%s: got %v, want an end at the seventeenth certificate", name, err)
		}
	}
	sso := ssoXML("HTTP-Redirect", "https://idp.example.com/sso")
	if _, err := ParseMetadata([]byte(entityXML(`entityID="x"`,
		keyXML("", append(many, "garbage"...))+sso))); !errors.Is(err, CodeKey) ||
		!strings.Contains(err.Error(), tooMany) {
		t.Errorf("metadata: got %v, want an end at the seventeenth certificate", err)
	}
	if keys, err := ParseKeys(bytes.Repeat(numbered(1), 5000)); err != nil || len(keys) != 1 {
		t.Errorf("one certificate 5000 times: got %d keys, %v", len(keys), err)
	}
	if _, err := NewIdentityProvider("https://idp.example.com", "https://idp.example.com/sso",
		slices.Repeat([]TrustedKey{testKey(t)}, 100)...); err != nil {
		t.Errorf("one key 100 times: %v", err)
	}

	name, err := asn1.Marshal(pkix.RDNSequence{{{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "a"}}})
	if err != nil {
		t.Fatal(err)
	}
	names, err := asn1.Marshal(asn1.RawValue{Tag: 16, IsCompound: true, Bytes: bytes.Repeat(name[2:], 150_000)})
	if err != nil {
		t.Fatal(err)
	}
	within("a subject of 150 000 names", func() {
		keys, err := ParseKeys(rawDER(t, 1, names, public,
			pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2}}, nil))
		if err != nil || keys[0].Subject() != "" || keys[0].Usable() != nil {
			t.Errorf("a subject of 150 000 names: %v", err)
		}
	})

	within("a key of 16 million bits", func() {
		keys, err := ParseKeys(rawDER(t, 1, []byte{0x30, 0}, rsaPublic(16<<20),
			pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2}}, nil))
		if err != nil || !errors.Is(keys[0].Usable(), CodeWeakKey) || !strings.Contains(keys[0].Usable().Error(),
			"too long") || keys[0].PublicKey() != nil {
			t.Errorf("a key of 16 million bits: %v", err)
		}
	})
	if keys, err := ParseKeys(rawDER(t, 1, []byte{0x30, 0}, rsaPublic(16<<10),
		pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2}}, nil)); err != nil ||
		!strings.Contains(keys[0].Usable().Error(), "16384 bits") {
		t.Errorf("a key of 16384 bits: %v", err)
	}

	for _, bits := range []int{11 << 20, 16384, certs.MaxRSABits + 8} { // longer than may be tried
		certificate := rawDER(t, 1, []byte{0x30, 0}, rsaPublic(bits),
			pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2}}, nil)
		value := make([]byte, bits/8)
		rand.Read(value)
		value[0] = 0
		signature := `<ds:Signature><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/><ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>` +
			`<ds:Reference URI="#_1"><ds:Transforms><ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/><ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/></ds:Transforms>` +
			`<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue>AAAA</ds:DigestValue></ds:Reference></ds:SignedInfo><ds:SignatureValue>` + text(value) +
			`</ds:SignatureValue><ds:KeyInfo><ds:X509Data><ds:X509Certificate>` + text(certificate) +
			`</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature>`
		document := strings.Replace(entityXML(`entityID="x" ID="_1"`, keyXML("", testKey(t).DER())+sso), "<md:IDPSSO",
			signature+"<md:IDPSSO", 1)
		within("a signature by a long key", func() {
			idp, err := ParseMetadata([]byte(document))
			if err != nil || len(idp.Warnings(testNow)) != 0 {
				t.Errorf("a signature by the document's own key of %d bits: %v, want it not to be tried", bits, err)
			}
		})
	}

	p := make([]byte, 600_000)
	rand.Read(p)
	number := new(big.Int).SetBytes(p)
	hostile, err := asn1.Marshal(struct {
		Version               int
		N                     *big.Int
		E                     int
		D, P, Q, DP, DQ, QInv *big.Int
	}{0, new(big.Int).Mul(number, number), 65537, number, number, number, big.NewInt(1), big.NewInt(1), big.NewInt(1)})
	if err != nil {
		t.Fatal(err)
	}
	within("a private key of numbers that are none", func() {
		if _, err := ParseKeys(hostile); !errors.Is(err, CodePrivateKey) {
			t.Errorf("a private key of numbers that are none: got %v, want it to be recognized by its form", err)
		}
	})
	long := "https://login." + strings.Repeat("a", maxLoginURL)
	if _, err := NewIdentityProvider("https://idp.example.com", long, testKey(t)); !errors.Is(err,
		CodeMetadataLoginURL) || !strings.Contains(err.Error(), "too long") {
		t.Errorf("a login URL of 8 KiB: got %v", err)
	}
	if idp, err := ParseMetadata([]byte(entityXML(`entityID="x"`, keyXML("", testKey(t).DER())+ssoXML("HTTP-Redirect",
		long)+sso))); err != nil || idp.LoginURL() != "https://idp.example.com/sso" {
		t.Errorf("a login URL of 8 KiB before a good one: got %v", err)
	}
}

// TestPrivateKeyForms: each form in which private keys are kept is recognized without looking at
// its numbers.
func TestPrivateKeyForms(t *testing.T) {
	t.Parallel()
	sec1, err := x509.MarshalECPrivateKey(newECKey(t, elliptic.P256()))
	if err != nil {
		t.Fatal(err)
	}
	one := big.NewInt(1)
	encode := func(v any) []byte {
		der, err := asn1.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	algorithm := pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}}
	padding := make([]byte, 200)
	for name, der := range map[string][]byte{
		"PKCS #1": x509.MarshalPKCS1PrivateKey(testRSAKey(t)), "PKCS #8": privateDER(t), "SEC 1": sec1,
		"encrypted PKCS #8": encode(struct {
			A pkix.AlgorithmIdentifier
			B []byte
		}{algorithm, padding}),
		"DSA": encode(struct {
			V             int
			P, Q, G, Y, X *big.Int
			Padding       []byte
		}{0, one, one, one, one, one, padding}),
		"PKCS #12": encode(struct {
			V int
			A struct {
				ID   asn1.ObjectIdentifier
				Data []byte
			}
		}{3, struct {
			ID   asn1.ObjectIdentifier
			Data []byte
		}{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}, append(padding, padding...)}}),
	} {
		for form, data := range map[string]string{"DER": string(der),
			"base64": base64.StdEncoding.EncodeToString(der)} {
			if form == "DER" && der[1] < 0x80 {
				continue // a text may begin so
			}
			if keys, err := ParseKeys([]byte(data)); !errors.Is(err, CodePrivateKey) || keys != nil {
				t.Errorf("%s in %s: got %v", name, form, err)
			}
		}
	}
}

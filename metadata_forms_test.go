package saml

import (
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

const formsLogin = "https://idp.example.com/sso"

// textKeyXML is a KeyDescriptor whose X509Certificate holds a text.
func textKeyXML(text string) string {
	return `<md:KeyDescriptor use="signing"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>` + text +
		`</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>`
}

// withoutArmor is the PEM of certificates without its BEGIN and END lines.
func withoutArmor(ders ...[]byte) string {
	var b strings.Builder
	for _, der := range ders {
		lines := strings.SplitAfter(armor("CERTIFICATE", der), "\n")
		b.WriteString(strings.Join(lines[1:len(lines)-2], ""))
	}
	return b.String()
}

// TestCertificateElements: what products write into an X509Certificate is read as ParseKeys reads
// the same text, with the same keys and the same authorities among them.
func TestCertificateElements(t *testing.T) {
	t.Parallel()
	caKey, leafKey := newECKey(t, elliptic.P256()), newECKey(t, elliptic.P256())
	ca := issue(t, "ca", caKey, nil, nil, 0)
	leaf := issue(t, "leaf", leafKey, ca, caKey, 0)
	single := testKey(t).DER()
	encode := base64.StdEncoding.EncodeToString
	chain := armor("CERTIFICATE", leaf) + armor("CERTIFICATE", ca)
	for _, test := range []struct {
		name, text string
		usable     []string // subjects
		all        int
	}{
		{"PEM", armor("CERTIFICATE", leaf), []string{"CN=leaf"}, 1},
		{"base64 of PEM", encode([]byte(armor("CERTIFICATE", leaf))), []string{"CN=leaf"}, 1},
		{"base64 of PEM, in lines", wrapped(encode([]byte(armor("CERTIFICATE", leaf))), 64, "\n"), []string{"CN=leaf"}, 1},
		{"PEM of leaf and chain", chain, []string{"CN=leaf"}, 2},
		{"the chain before the leaf", armor("CERTIFICATE", ca) + armor("CERTIFICATE", leaf), []string{"CN=leaf"}, 2},
		{"base64 of PEM of leaf and chain", encode([]byte(chain)), []string{"CN=leaf"}, 2},
		{"the lines of leaf and chain", withoutArmor(leaf, ca), []string{"CN=leaf"}, 2},
		{"base64 of leaf and chain in one", encode(slices.Concat(leaf, ca)), []string{"CN=leaf"}, 2},
		{"leaf and chain, each in base64", encode(leaf) + "\n" + encode(ca), []string{"CN=leaf"}, 2},
		{"headers before PEM", "Bag Attributes\n    localKeyID: 01\nsubject=CN = leaf\n" + armor("CERTIFICATE", leaf),
			[]string{"CN=leaf"}, 1},
		{"two that are not related", armor("CERTIFICATE", leaf) + armor("CERTIFICATE", single), []string{"CN=leaf", testKey(t).Subject()}, 2},
	} {
		idp, err := ParseMetadata([]byte(entityXML(`entityID="x"`, textKeyXML(test.text)+ssoXML("HTTP-Redirect", formsLogin))))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		pasted, err := ParseKeys([]byte(test.text))
		if err != nil || len(pasted) != len(idp.Keys()) {
			t.Errorf("%s: pasted, it has %d keys and %v, in metadata %d", test.name, len(pasted), err, len(idp.Keys()))
			continue
		}
		var usable []string
		for i, k := range idp.Keys() {
			if k.Usable() == nil {
				usable = append(usable, k.Subject())
			}
			if k.ThumbprintSHA256() != pasted[i].ThumbprintSHA256() || (k.Usable() == nil) != (pasted[i].Usable() == nil) {
				t.Errorf("%s: key %d is %s, %v in metadata and %s, %v pasted", test.name, i, k.Subject(), k.Usable(),
					pasted[i].Subject(), pasted[i].Usable())
			}
		}
		if !slices.Equal(usable, test.usable) || len(idp.Keys()) != test.all {
			t.Errorf("%s: got %d keys, of which %q can be used, want %d and %q", test.name, len(idp.Keys()), usable, test.all, test.usable)
		}
	}
}

// TestUnreadableElementLeavesNoAuthority: an authority whose leaf cannot be read is not taken for a
// signer. Nothing of such an element is trusted.
func TestUnreadableElementLeavesNoAuthority(t *testing.T) {
	t.Parallel()
	caKey, leafKey := newECKey(t, elliptic.P256()), newECKey(t, elliptic.P256())
	ca := issue(t, "ca", caKey, nil, nil, 0)
	leaf := issue(t, "leaf", leafKey, ca, caKey, 0)
	for name, text := range map[string]string{
		"DER":   base64.StdEncoding.EncodeToString(slices.Concat(ca, leaf[:100])),
		"PEM":   armor("CERTIFICATE", ca) + armor("CERTIFICATE", leaf)[:200],
		"lines": withoutArmor(ca) + withoutArmor(leaf)[:201],
	} {
		for _, beside := range []string{"", keyXML("", testKey(t).DER()), keyXML("", testKey(t).DER()) + keyXML("", ca)} {
			idp, err := ParseMetadata([]byte(entityXML(`entityID="x"`, textKeyXML(text)+beside+ssoXML("HTTP-Redirect", formsLogin))))
			if beside == "" {
				if !errors.Is(err, CodeKey) || !strings.Contains(err.Error(), "certificate 1 of the metadata cannot be read") {
					t.Errorf("%s: got %v, want %s", name, err, string(CodeKey))
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			// what stands alone in a KeyDescriptor of its own is trusted, and can be added again
			if want := strings.Count(beside, "KeyDescriptor") / 2; len(idp.Keys()) != want || idp.Keys()[0].Subject() != testKey(t).Subject() {
				t.Errorf("%s: got %d keys, the first %s, want %d", name, len(idp.Keys()), idp.Keys()[0].Subject(), want)
			}
		}
	}
}

// TestAuthorityBesideAnUnreadableCertificate: the certificate that an authority issued may be the one
// that cannot be read, in another element of the same KeyDescriptor. Then the authority is not taken
// for the signer. Certificates that are no authority's, and those that stand elsewhere too, are.
func TestAuthorityBesideAnUnreadableCertificate(t *testing.T) {
	t.Parallel()
	key := newECKey(t, elliptic.P256())
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, BasicConstraintsValid: true, IsCA: true,
		NotBefore: testNow.AddDate(-1, 0, 0), NotAfter: testNow.AddDate(2, 0, 0)}
	ca, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	single := testKey(t).DER()
	element := func(text string) string { return "<ds:X509Certificate>" + text + "</ds:X509Certificate>" }
	encode := base64.StdEncoding.EncodeToString
	descriptor := func(data ...string) string {
		return `<md:KeyDescriptor use="signing"><ds:KeyInfo><ds:X509Data>` + strings.Join(data, "</ds:X509Data><ds:X509Data>") +
			`</ds:X509Data></ds:KeyInfo></md:KeyDescriptor>`
	}
	authority, cutOff := element(encode(ca)), element(encode(single[:100]))
	for _, test := range []struct {
		name, keys, warnings string
		usable               int
	}{
		{"alone", descriptor(authority), "", 1},
		{"beside one that is empty", descriptor(authority + element("")), "key_unreadable", 1},
		{"beside one that is cut off", descriptor(cutOff + authority), "key_unreadable,key_unusable", 0},
		{"in another X509Data", descriptor(authority, cutOff), "key_unreadable,key_unusable", 0},
		{"and another key", descriptor(cutOff+authority) + descriptor(element(encode(single))), "key_unreadable,key_unusable", 1},
		{"beside one in no namespace", descriptor(authority + `<X509Certificate xmlns="">` + encode(single) + `</X509Certificate>`),
			"key_unreadable,key_unusable", 0},
		{"beside one with an element in it", descriptor(authority + element(encode(single)+"<ds:x/>")), "key_unreadable,key_unusable", 0},
		{"alone elsewhere", descriptor(cutOff+authority) + descriptor(authority), "key_unreadable", 1},
		{"no authority", descriptor(cutOff + element(encode(single))), "key_unreadable", 1},
	} {
		idp, err := ParseMetadata([]byte(entityXML(`entityID="x"`, test.keys+ssoXML("HTTP-Redirect", formsLogin))))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if got := strings.Join(codesOf(idp.Warnings(testNow)), ","); got != test.warnings || len(trusted(idp)) != test.usable {
			t.Errorf("%s: got warnings %q and %d keys, want %q and %d", test.name, got, len(trusted(idp)), test.warnings, test.usable)
		}
	}
}

// TestAuthorityOfMetadataAndPaste: what stands beside its certificate in metadata is an authority,
// also if the same certificates follow in PEM.
func TestAuthorityOfMetadataAndPaste(t *testing.T) {
	t.Parallel()
	caKey, leafKey := newECKey(t, elliptic.P256()), newECKey(t, elliptic.P256())
	ca := issue(t, "ca", caKey, nil, nil, 0)
	leaf := issue(t, "leaf", leafKey, ca, caKey, 0)
	metadata := func(parts string) string { return entityXML(`entityID="x"`, parts+ssoXML("HTTP-Redirect", formsLogin)) }
	together, apart := metadata(keyXML("", slices.Concat(leaf, ca))), metadata(keyXML("", leaf)+keyXML("", ca))
	for _, test := range []struct {
		name, text string
		want       int // usable keys
	}{
		{"together", together, 1},
		{"together, then both in PEM", together + "\n" + armor("CERTIFICATE", leaf) + armor("CERTIFICATE", ca), 1},
		{"together, then the authority in PEM", together + "\n" + armor("CERTIFICATE", ca), 1},
		{"apart", apart, 2},
		{"apart, then both in PEM", apart + "\n" + armor("CERTIFICATE", leaf) + armor("CERTIFICATE", ca), 2},
	} {
		keys, err := ParseKeys([]byte(test.text))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		usable := 0
		for _, k := range keys {
			if k.Usable() == nil {
				usable++
			}
		}
		if usable != test.want || len(keys) != 2 {
			t.Errorf("%s: %d of %d keys can be used, want %d of 2", test.name, usable, len(keys), test.want)
		}
	}
	asAuthority, err := ParseKeys([]byte(together))
	if err != nil {
		t.Fatal(err)
	}
	alone, err := ParseKeys(ca)
	if err != nil {
		t.Fatal(err)
	}
	for _, keys := range [][]TrustedKey{append(alone, asAuthority...), append(asAuthority, alone...)} { // the order says nothing
		idp, err := NewIdentityProvider("x", formsLogin, keys...)
		if err != nil || len(trusted(idp)) != 2 {
			t.Errorf("given alone too: got %v", err)
		}
	}
}

// TestOddMetadata: what carries nothing, but is not as the schema has it, is read.
func TestOddMetadata(t *testing.T) {
	t.Parallel()
	der := testKey(t).DER()
	key, sso := keyXML(` use="signing"`, der), ssoXML("HTTP-Redirect", formsLogin)
	const protocol, redirect = `"urn:oasis:names:tc:SAML:2.0:protocol"`, `"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"`
	good := entityXML(`entityID="x"`, key+sso)
	service := `<md:EntityDescriptor entityID="s"><md:SPSSODescriptor protocolSupportEnumeration=` + protocol + `/></md:EntityDescriptor>`
	collection := func(attributes string, members ...string) string {
		return `<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata"` + attributes + `>` + strings.Join(members, "") + `</md:EntitiesDescriptor>`
	}
	planted := strings.Replace(service, "<md:SPSSO", "<md:Extensions>"+strings.Replace(good, `entityID="x"`, `entityID="y"`, 1)+
		"</md:Extensions><md:SPSSO", 1)
	for _, test := range []struct{ name, document, warnings string }{
		{"use in another case", entityXML(`entityID="x"`, keyXML(` use="Signing"`, der)+sso), ""},
		{"use with white space", entityXML(`entityID="x"`, keyXML(` use=" signing "`, der)+sso), ""},
		{"use that is empty", entityXML(`entityID="x"`, keyXML(` use=""`, der)+sso), ""},
		{"encryption in another case", entityXML(`entityID="x"`, keyXML(` use="Encryption"`, privateDER(t))+key+sso), ""},
		{"a blank before the Location", entityXML(`entityID="x"`, key+ssoXML("HTTP-Redirect", "\n  "+formsLogin+" ")), ""},
		{"Binding in another case", entityXML(`entityID="x"`, key+ssoXML("http-redirect", formsLogin)), ""},
		{"Binding with white space", strings.Replace(good, redirect, `" urn:oasis:names:tc:saml:2.0:bindings:HTTP-Redirect "`, 1), ""},
		{"a protocol in another case", strings.Replace(good, protocol, `"urn:oasis:names:tc:saml:2.0:protocol"`, 1), ""},
		{"several protocols", strings.Replace(good, protocol, `"urn:oasis:names:tc:SAML:1.1:protocol urn:oasis:names:tc:SAML:2.0:protocol"`, 1), ""},
		{"a stylesheet", `<?xml version="1.0"?><?xml-stylesheet type="text/xsl" href="style.xsl"?>` + good, ""},
		{"an entity ID with white space", strings.Replace(good, `entityID="x"`, `entityID=" x "`, 1), ""},
		{"signed requests wanted in another case", strings.Replace(good, "<md:IDPSSODescriptor", `<md:IDPSSODescriptor WantAuthnRequestsSigned=" True "`, 1),
			"wants_signed_requests"},
		{"http in another case", entityXML(`entityID="x"`, key+ssoXML("HTTP-Redirect", "HTTP://idp.example.com/sso")), "http_endpoint"},
		{"a role for SAML 1.1 first", strings.Replace(good, "<md:IDPSSODescriptor",
			`<md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:1.1:protocol"/><md:IDPSSODescriptor`, 1), ""},
		{"a role of a service first", strings.Replace(good, "<md:IDPSSODescriptor", `<md:SPSSODescriptor protocolSupportEnumeration=`+protocol+`/><md:IDPSSODescriptor`, 1), ""},
		{"two roles", strings.Replace(good, "</md:EntityDescriptor>", `<md:IDPSSODescriptor protocolSupportEnumeration=`+protocol+`/></md:EntityDescriptor>`, 1),
			"several_roles"},
		{"a collection with one identity provider", collection("", service, good, service), "collection"},
		{"one that is nested", collection("", service, collection("", good)), "collection"},
		{"one, and another planted in the Extensions of a service", collection("", good, planted), "collection"},
		{"validUntil of the collection", collection(` validUntil="2026-01-01T00:00:00Z"`, good), "valid_until_past"},
		{"validUntil of a collection in it", collection(` validUntil="2036-01-01T00:00:00Z"`, collection(` validUntil=" 2026-01-01T00:00:00Z "`, good)), "valid_until_past"},
		{"a key that is a value beside one", entityXML(`entityID="x"`, key+`<md:KeyDescriptor><ds:KeyInfo><ds:KeyValue/></ds:KeyInfo></md:KeyDescriptor>`+sso), "key_without_certificate"},
	} {
		idp, err := ParseMetadata([]byte(test.document))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if got := strings.Join(codesOf(idp.Warnings(testNow)), ","); got != test.warnings || len(idp.Keys()) != 1 ||
			idp.EntityID() != "x" || !strings.EqualFold(idp.LoginURL(), formsLogin) && test.warnings != "http_endpoint" {
			t.Errorf("%s: got %q, %q, %d keys, warnings %q, want %q", test.name, idp.EntityID(), idp.LoginURL(), len(idp.Keys()), got, test.warnings)
		}
	}

	unattended := ParseMetadataOptions{Unattended: true}
	for _, document := range []string{collection("", service, good), collection("", good)} {
		if _, err := ParseMetadata([]byte(document), unattended); !errors.Is(err, CodeMetadataAggregate) {
			t.Errorf("a collection that nobody looks at: got %v, want %s", err, string(CodeMetadataAggregate))
		}
		named, err := ParseMetadata([]byte(document), ParseMetadataOptions{Unattended: true, EntityID: " x\n"})
		if err != nil || len(named.Warnings(testNow)) != 0 {
			t.Errorf("a collection from which one is named: got %v", err)
		}
	}
	if _, err := ParseMetadata([]byte(collection("", planted))); !errors.Is(err, CodeMetadataRole) ||
		!strings.Contains(err.Error(), "that of a service") {
		t.Errorf("one that is planted in Extensions, alone: got %v, want %s", err, string(CodeMetadataRole))
	}
	if _, err := ParseMetadata([]byte(collection("", good, planted)), ParseMetadataOptions{EntityID: "y"}); !errors.Is(err, CodeMetadataAggregate) {
		t.Errorf("one that is planted in Extensions, by name: got %v, want %s", err, string(CodeMetadataAggregate))
	}
	if _, err := ParseMetadata([]byte(good), unattended); err != nil {
		t.Errorf("one identity provider that nobody looks at: got %v", err)
	}
	if _, err := ParseMetadata([]byte(collection("", good, good)), ParseMetadataOptions{EntityID: "x"}); !errors.Is(err, CodeMetadataAggregate) {
		t.Errorf("two of one name: got %v, want %s", err, string(CodeMetadataAggregate))
	}
	if _, err := ParseKeys([]byte(`<KeyDescriptor use = " Encryption ">` + listXML(der))); !errors.Is(err, CodeKey) {
		t.Errorf("a pasted key for encryption: got %v, want %s", err, string(CodeKey))
	}
}

// formsSigner signs metadata for goxmldsig.
type formsSigner struct {
	key *rsa.PrivateKey
	der []byte
}

func (s formsSigner) GetKeyPair() (*rsa.PrivateKey, []byte, error) { return s.key, s.der, nil }

// signedMetadata is metadata that is signed with exclusive canonicalization and RSA-SHA256.
func signedMetadata(t *testing.T) (string, TrustedKey) {
	t.Helper()
	private := testRSAKey(t)
	der := testCertificate(t, private)
	d := etree.NewDocument()
	if err := d.ReadFromString(entityXML(`entityID="x" ID="_1"`, keyXML("", der)+ssoXML("HTTP-Redirect", formsLogin))); err != nil {
		t.Fatal(err)
	}
	c := dsig.NewDefaultSigningContext(formsSigner{private, der})
	c.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	signed, err := c.SignEnveloped(d.Root())
	if err != nil {
		t.Fatal(err)
	}
	d.SetRoot(signed)
	document, err := d.WriteToString()
	if err != nil {
		t.Fatal(err)
	}
	key, refusal := parseCertificate(der)
	if refusal != nil {
		t.Fatal(refusal)
	}
	return document, key
}

// TestSignatureOfMetadataInWords: a document that was changed is told apart from one that is signed
// in a way that cannot be checked, and from one that another key signed, pinned or not.
func TestSignatureOfMetadataInWords(t *testing.T) {
	t.Parallel()
	document, key := signedMetadata(t)
	replace := func(old, new string) string {
		t.Helper()
		if !strings.Contains(document, old) {
			t.Fatalf("the document has no %s", old)
		}
		return strings.Replace(document, old, new, 1)
	}
	other := testKey(t)
	const changed, broken = "the metadata was changed after it was signed", "signature_broken"
	const unchecked = "the signature of the metadata cannot be checked: "
	for _, test := range []struct {
		name, document string
		pinned         TrustedKey
		code           Code
		message        string // if it is pinned
		warning        string // if it is not
	}{
		{"as it was signed", document, key, "", "", ""},
		{"changed", replace(formsLogin, formsLogin+"/2"), key, CodeDigest, changed, broken},
		{"with a changed signature", replace("rsa-sha256", "rsa-sha512"), key, CodeSignature, "it names a pinned key", broken},
		{"of another key", document, other, CodeSignature, "none of the pinned keys made the signature of the metadata", ""},
		{"by HMAC", replace("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "http://www.w3.org/2000/09/xmldsig#hmac-sha1"), key,
			CodeSignatureAlgorithm, unchecked + "the signature algorithm is not allowed", "signature_unchecked"},
		{"by DSA", replace("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "http://www.w3.org/2009/xmldsig11#dsa-sha256"), key,
			CodeSignatureAlgorithm, unchecked + "the signature algorithm is not allowed", "signature_unchecked"},
		{"with another canonicalization", strings.ReplaceAll(document, "http://www.w3.org/2001/10/xml-exc-c14n#", "http://www.w3.org/2010/xml-c14n2"), key,
			CodeCanonicalization, unchecked, "signature_unchecked"},
		{"with a reference to the whole document", replace(`URI="#_1"`, `URI=""`), key, CodeReferenceURI, unchecked, "signature_unchecked"},
		{"without an ID", replace(` ID="_1"`, ""), key, CodeReferenceURI, unchecked, "signature_unchecked"},
		{"with two signatures", replace("</md:EntityDescriptor>", `<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"/></md:EntityDescriptor>`), key, CodeSignaturePlacement, unchecked,
			"signature_unchecked"},
	} {
		idp, err := ParseMetadata([]byte(test.document), ParseMetadataOptions{SignedBy: []TrustedKey{test.pinned}})
		if test.code == "" && err != nil || test.code != "" && (!errors.Is(err, test.code) || !strings.Contains(err.Error(), test.message) || idp != nil) {
			t.Errorf("%s, pinned: got %v, want %s with %q", test.name, err, string(test.code), test.message)
		}
		if idp, err = ParseMetadata([]byte(test.document)); err != nil {
			t.Errorf("%s: %v", test.name, err)
		} else if got := strings.Join(codesOf(idp.Warnings(testNow)), ","); got != test.warning {
			t.Errorf("%s: got the warnings %q, want %q", test.name, got, test.warning)
		}
	}
	weak := key
	weak.unusable = refuse(CodeWeakKey, "weak", "", "")
	for _, pinned := range [][]TrustedKey{{}, {weak}} {
		if _, err := ParseMetadata([]byte(document), ParseMetadataOptions{SignedBy: pinned}); err == nil ||
			!strings.Contains(err.Error(), "no pinned key can be used") {
			t.Errorf("%d keys that cannot be used: got %v", len(pinned), err)
		}
	}
}

// TestMetadataCases reads metadata that others made, if it is there: SAML_CASES names the directory
// that holds metadata/*.json. The files belong to others and are no part of this repository.
func TestMetadataCases(t *testing.T) {
	dir := os.Getenv("SAML_CASES")
	if dir == "" {
		dir = filepath.Join("..", "shared", "cases")
	}
	files, err := filepath.Glob(filepath.Join(dir, "metadata", "*.json"))
	if err != nil || len(files) == 0 {
		t.Skipf("no cases in %s: set SAML_CASES to the directory that holds metadata/*.json", dir)
	}
	for _, file := range files {
		var c struct{ File, Verdict string }
		data, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(data, &c)
		}
		if err != nil {
			t.Fatal(err)
		}
		document, err := os.ReadFile(filepath.Join(filepath.Dir(file), c.File))
		if err != nil {
			t.Fatal(err)
		}
		idp, err := ParseMetadata(document)
		var warnings []string
		if idp != nil {
			warnings = codesOf(idp.Warnings(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)))
		}
		t.Logf("%s: %v %v", c.File, err, warnings)
		ok := false
		switch c.Verdict {
		case "parse":
			ok = err == nil
		case "parse without signature_broken":
			ok = err == nil && !slices.Contains(warnings, "signature_broken") && !slices.Contains(warnings, "signature_unchecked")
		case "refuse":
			ok = err != nil
		case "parse or refuse naming UTF-16":
			ok = err == nil || strings.Contains(err.Error(), "UTF-16")
		}
		if !ok {
			t.Errorf("%s: got %v, warnings %v, want %q", c.File, err, warnings, c.Verdict)
		}
	}
}

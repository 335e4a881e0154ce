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
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"
)

// issue makes a certificate for key that issuer signed, DER. issuer is nil for a self-signed one.
func issue(t testing.TB, name string, key crypto.Signer, issuer []byte, issuerKey crypto.Signer,
	algorithm x509.SignatureAlgorithm) []byte {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		SignatureAlgorithm: algorithm,
		NotBefore:          testNow.AddDate(-1, 0, 0), NotAfter: testNow.AddDate(2, 0, 0)}
	parent := template
	if issuer != nil {
		var err error
		if parent, err = x509.ParseCertificate(issuer); err != nil {
			t.Fatal(err)
		}
	} else {
		issuerKey = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), issuerKey)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// reissue signs a certificate anew by RSA with SHA-1, which crypto/x509 does not do any more.
func reissue(t *testing.T, der []byte, key *rsa.PrivateKey) []byte {
	t.Helper()
	var certificate struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &certificate); err != nil {
		t.Fatal(err)
	}
	h := crypto.SHA1.New()
	h.Write(certificate.TBS.FullBytes)
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA1, h.Sum(nil))
	if err != nil {
		t.Fatal(err)
	}
	certificate.Algorithm.Algorithm = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 5}
	certificate.Signature = asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}
	if der, err = asn1.Marshal(certificate); err != nil {
		t.Fatal(err)
	}
	return der
}

// negativeSerial makes the serial number of a certificate negative before issuerKey signs it again
// by ECDSA with SHA-256.
func negativeSerial(t *testing.T, der []byte, issuerKey *ecdsa.PrivateKey) []byte {
	t.Helper()
	var certificate struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &certificate); err != nil {
		t.Fatal(err)
	}
	tbs := slices.Clone(certificate.TBS.FullBytes)
	tbs[bytes.Index(tbs, []byte{2, 1, 1})+2] = 0x81
	certificate.TBS = asn1.RawValue{FullBytes: tbs}
	h := crypto.SHA256.New()
	h.Write(tbs)
	signature, err := ecdsa.SignASN1(rand.Reader, issuerKey, h.Sum(nil))
	if err != nil {
		t.Fatal(err)
	}
	certificate.Signature = asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}
	if der, err = asn1.Marshal(certificate); err != nil {
		t.Fatal(err)
	}
	return der
}

// bundle is certificates in PEM.
func bundle(ders ...[]byte) string {
	var b strings.Builder
	for _, der := range ders {
		b.WriteString(armor("CERTIFICATE", der))
	}
	return b.String()
}

// listXML is a KeyDescriptor with certificates in one X509Data.
func listXML(ders ...[]byte) string {
	var b strings.Builder
	for _, der := range ders {
		b.WriteString("<ds:X509Certificate>" + base64.StdEncoding.EncodeToString(der) + "</ds:X509Certificate>")
	}
	return `<md:KeyDescriptor><ds:KeyInfo><ds:X509Data>` + b.String() + `</ds:X509Data></ds:KeyInfo></md:KeyDescriptor>`
}

// trusted are the certificates whose keys verify responses.
func trusted(p *IdentityProvider) (ders [][]byte) {
	for i, k := range p.usableKeys {
		if p.publicKeys[i] != k.public {
			panic("the keys are not those of the certificates")
		}
		ders = append(ders, k.der)
	}
	return ders
}

// TestChainIsOneSigner: of the certificates that stand together, one that issued another one is not
// trusted, and a warning says so; all others are.
func TestChainIsOneSigner(t *testing.T) {
	t.Parallel()
	rsaKey := testRSAKey(t)
	otherRSA, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	weakRSA, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key := func() *ecdsa.PrivateKey { return newECKey(t, elliptic.P256()) }
	rootKey, middleKey, leafKey, p384, p521 := key(), key(), key(), newECKey(t, elliptic.P384()), newECKey(t,
		elliptic.P521())
	root := issue(t, "root", rootKey, nil, nil, 0)
	middle := issue(t, "middle", middleKey, root, rootKey, 0)
	leaf := issue(t, "leaf", leafKey, middle, middleKey, 0)
	leafOfRoot := issue(t, "leaf of root", leafKey, root, rootKey, 0)
	rsaRoot := issue(t, "root", rsaKey, nil, nil, 0)
	byRSA := func(a x509.SignatureAlgorithm) [][]byte {
		return [][]byte{issue(t, "leaf", leafKey, rsaRoot, rsaKey, a), rsaRoot}
	}
	root384, root521 := issue(t, "root", p384, nil, nil, 0), issue(t, "root", p521, nil, nil, 0)
	stranger := issue(t, "root", key(), nil, nil, 0)
	renewed := issue(t, "root", rootKey, nil, nil, x509.ECDSAWithSHA512)
	weakRoot := issue(t, "weak", weakRSA, nil, nil, 0)
	first, second := issue(t, "one", rootKey, nil, nil, 0), issue(t, "two", middleKey, nil, nil, 0)
	firstBySecond, secondByFirst := issue(t, "one", rootKey, second, middleKey, 0), issue(t, "two", middleKey, first,
		rootKey, 0)
	leafOfFirst := issue(t, "leaf", leafKey, first, rootKey, 0)
	for name, text := range map[string]string{ // beside metadata, in either order
		"a root behind metadata with its leaf": metadataOf(leafOfRoot) + "\n" + armor("CERTIFICATE", root),
		"a root before metadata with its leaf": armor("CERTIFICATE", root) + metadataOf(leafOfRoot),
		"a root and its leaf behind metadata": metadataOf(stranger) + armor("CERTIFICATE", root) +
			armor("CERTIFICATE", leafOfRoot),
		"a leaf behind metadata with its root":  metadataOf(root) + armor("CERTIFICATE", leafOfRoot),
		"another root behind metadata and leaf": metadataOf(leafOfRoot) + armor("CERTIFICATE", stranger),
	} {
		keys, err := ParseKeys([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, k := range keys {
			// What metadata has in a KeyDescriptor of its own is its word that this key signs.
			trusted := !bytes.Equal(k.der, root) || name == "a leaf behind metadata with its root"
			if (k.Usable() == nil) != trusted {
				t.Errorf("%s: %s is trusted: %t", name, k.Subject(), !trusted)
			}
		}
	}
	for _, test := range []struct {
		name      string
		list      [][]byte
		left      []int // which of the list are not trusted, as issuers
		unrelated bool  // several keys are trusted
	}{
		{"a certificate alone", [][]byte{root}, nil, false},
		{"a leaf and its root", [][]byte{leafOfRoot, root}, []int{1}, false},
		{"a root and its leaf", [][]byte{root, leafOfRoot}, []int{0}, false},
		{"leaf, intermediate authority and root", [][]byte{leaf, middle, root}, []int{1, 2}, false},
		{"the same in another order", [][]byte{root, leaf, middle}, []int{0, 2}, false},
		{"a leaf and its root, without what is between", [][]byte{leaf, root}, nil, true},
		{"two leaves of one root", [][]byte{leafOfRoot, issue(t, "other", key(), root, rootKey, 0), root}, []int{2},
			true},
		{"two self-signed certificates with one subject", [][]byte{root, stranger}, nil, true},
		{"a leaf and another root of that name", [][]byte{leafOfRoot, stranger}, nil, true},
		{"a leaf and two roots of that name", [][]byte{leafOfRoot, stranger, root}, []int{2}, true},
		{"a certificate and its successor with the same key", [][]byte{root, renewed}, nil, false},
		{"a leaf, its root and the root's successor with the same key", [][]byte{leafOfRoot, root, renewed},
			[]int{1, 2}, false},
		{"two authorities that certified each other", [][]byte{firstBySecond, secondByFirst}, nil, true},
		{"the same with a leaf", [][]byte{firstBySecond, secondByFirst, leafOfFirst}, []int{0, 1}, false},
		{"RSA with SHA-256", byRSA(x509.SHA256WithRSA), []int{1}, false},
		{"RSA with SHA-384", byRSA(x509.SHA384WithRSA), []int{1}, false},
		{"RSA with SHA-512", byRSA(x509.SHA512WithRSA), []int{1}, false},
		{"RSA with SHA-1", [][]byte{reissue(t, issue(t, "leaf", leafKey, rsaRoot, rsaKey, 0), rsaKey), rsaRoot},
			[]int{1}, false},
		{"PSS with SHA-256", byRSA(x509.SHA256WithRSAPSS), []int{1}, false},
		{"PSS with SHA-384", byRSA(x509.SHA384WithRSAPSS), []int{1}, false},
		{"PSS with SHA-512", byRSA(x509.SHA512WithRSAPSS), []int{1}, false},
		{"P-384", [][]byte{issue(t, "leaf", leafKey, root384, p384, 0), root384}, []int{1}, false},
		{"P-521", [][]byte{issue(t, "leaf", leafKey, root521, p521, 0), root521}, []int{1}, false},
		{"an RSA root and another RSA key", [][]byte{issue(t, "leaf", otherRSA, nil, nil, 0), rsaRoot}, nil, true},
		{"an RSA leaf of an ECDSA root", [][]byte{issue(t, "leaf", otherRSA, root, rootKey, 0), root}, []int{1}, false},
		{"a negative serial number", [][]byte{negativeSerial(t, leafOfRoot, rootKey), root}, []int{1}, false},
		{"a leaf with a key of another kind", [][]byte{issue(t, "leaf", edwards, root, rootKey, 0), root}, []int{1},
			false},
		{"a root with a weak key", [][]byte{issue(t, "leaf", leafKey, weakRoot, weakRSA, 0), weakRoot}, nil, false},
		{"a leaf that names its root otherwise",
			[][]byte{issue(t, "leaf", leafKey, issue(t, "another name", rootKey, nil, nil, 0), rootKey, 0),
				root}, []int{1}, false},
	} {
		var want [][]byte
		for i, der := range test.list {
			if k, err := ParseKeys(der); err != nil {
				t.Fatalf("%s: %v", test.name, err)
			} else if !slices.Contains(test.left, i) && k[0].Usable() == nil {
				want = append(want, der)
			}
		}
		keys, err := ParseKeys([]byte(bundle(test.list...)))
		if err != nil || len(keys) != len(test.list) {
			t.Errorf("%s: got %d keys, %v, want all to be shown", test.name, len(keys), err)
			continue
		}
		pasted, err := NewIdentityProvider("https://idp.example.com", "https://idp.example.com/sso", keys...)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		sso := ssoXML("HTTP-Redirect", "https://idp.example.com/sso")
		described, err := ParseMetadata([]byte(entityXML(`entityID="https://idp.example.com"`,
			listXML(test.list...)+sso)))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		for form, idp := range map[string]*IdentityProvider{"pasted": pasted, "metadata": described} {
			if got := trusted(idp); !slices.EqualFunc(got, want, bytes.Equal) {
				t.Errorf("%s, %s: %d certificates are trusted, want %d, or they are others", test.name, form,
					len(got), len(want))
			}
			codes := codesOf(idp.Warnings(testNow))
			warned := 0
			for _, w := range idp.Warnings(testNow) {
				if w.Code == "key_issuer" {
					warned++
					if !strings.Contains(w.Message, "issued") ||
						!strings.Contains(w.Message, thumbprint(test.list[test.left[0]])) && len(test.left) == 1 ||
						w.Hint == "" {
						t.Errorf("%s, %s: the warning is %q", test.name, form, w)
					}
				}
			}
			if warned != len(test.left) {
				t.Errorf("%s, %s: %d warnings about issuers, want %d: %v", test.name, form, warned, len(test.left),
					codes)
			}
			if got := slices.Contains(codes, "keys_unrelated"); got != (test.unrelated && form == "metadata") {
				t.Errorf("%s, %s: warned about several keys: %t", test.name, form, got)
			}
		}
		for i, k := range keys {
			if slices.Contains(test.left, i) &&
				(!errors.Is(k.Usable(), CodeKey) || !strings.Contains(k.Usable().Error(), "issued another")) {
				t.Errorf("%s: number %d is usable: %v", test.name, i, k.Usable())
			}
		}
	}
}

// TestChainScope: what the metadata gives apart are signers each, and a certificate that was given
// alone is trusted.
func TestChainScope(t *testing.T) {
	t.Parallel()
	rootKey, leafKey := newECKey(t, elliptic.P256()), newECKey(t, elliptic.P256())
	root := issue(t, "root", rootKey, nil, nil, 0)
	leaf := issue(t, "leaf", leafKey, root, rootKey, 0)
	sso := ssoXML("HTTP-Redirect", "https://idp.example.com/sso")
	text := base64.StdEncoding.EncodeToString
	for name, test := range map[string]struct {
		keys     string
		trusted  int
		warnings string
	}{
		"in KeyDescriptors of their own":        {keyXML("", leaf) + keyXML("", root), 2, ""},
		"in one, and the root alone in another": {listXML(leaf, root) + keyXML("", root), 2, "keys_unrelated"},
		"in two X509Data of one KeyInfo": {strings.Replace(listXML(leaf, root),
			"</ds:X509Certificate><ds:X509Certificate>", "</ds:X509Certificate></ds:X509Data><ds:X509Data><ds:X509Certificate>", 1), 1, "key_issuer"},
		"in one element":                         {listXML(slices.Concat(leaf, root)), 1, "key_issuer"},
		"the root in a KeyDescriptor to encrypt": {keyXML("", leaf) + keyXML(` use="encryption"`, root), 1, ""},
		"in one X509Data":                        {listXML(leaf, root), 1, "key_issuer"},
		"in one, with what cannot be read beside": {strings.Replace(listXML(leaf, root), text(leaf),
			"AAAA</ds:X509Certificate><ds:X509Certificate>"+text(leaf), 1), 1, "key_unreadable,key_issuer"},
	} {
		idp, err := ParseMetadata([]byte(entityXML(`entityID="x"`, test.keys+sso)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := strings.Join(codesOf(idp.Warnings(testNow)), ","); len(trusted(idp)) != test.trusted ||
			got != test.warnings {
			t.Errorf("%s: %d are trusted, warnings %q, want %d and %q", name, len(trusted(idp)), got, test.trusted,
				test.warnings)
		}
	}
	together, err := ParseKeys([]byte(bundle(leaf, root)))
	if err != nil {
		t.Fatal(err)
	}
	alone, err := ParseKeys(together[1].DER())
	if err != nil || alone[0].Usable() != nil {
		t.Fatalf("given alone: %v, %v", err, alone)
	}
	for _, keys := range [][]TrustedKey{slices.Concat(together, alone), slices.Concat(alone, together)} {
		idp, err := NewIdentityProvider("https://idp.example.com", "https://idp.example.com/sso", keys...)
		if err != nil || len(trusted(idp)) != 2 {
			t.Errorf("given in a chain and alone: %v, %d are trusted", err, len(trusted(idp)))
		}
	}
	idp, err := NewIdentityProvider("https://idp.example.com", "https://idp.example.com/sso", together[1])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := testProvider(t, func(c *Config) { c.IdentityProvider = idp }); !errors.Is(err, CodeKey) ||
		!strings.Contains(err.Error(), "issued another") {
		t.Errorf("the issuer is the only key: got %v", err)
	}
}

// rawDER makes a certificate of parts that nobody would put together.
func rawDER(t testing.TB, serial int64, subject, public []byte, algorithm pkix.AlgorithmIdentifier,
	signature []byte) []byte {
	t.Helper()
	dates := "0\x1e\x17\x0d250101000000Z\x17\x0d300101000000Z"
	der, err := asn1.Marshal(struct {
		TBS       any
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}{struct {
		Version   int `asn1:"explicit,tag:0"`
		Serial    int64
		Algorithm pkix.AlgorithmIdentifier
		Issuer    asn1.RawValue
		Dates     asn1.RawValue
		Subject   asn1.RawValue
		Public    asn1.RawValue
	}{2, serial, algorithm, asn1.RawValue{FullBytes: subject}, asn1.RawValue{FullBytes: []byte(dates)}, asn1.RawValue{FullBytes: subject}, asn1.RawValue{FullBytes: public}},
		algorithm, asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}})
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// metadataOf is a document with one KeyDescriptor.
func metadataOf(der []byte) string {
	return entityXML(`entityID="https://idp.example.com"`, keyXML(` use="signing"`, der)+ssoXML("HTTP-Redirect",
		"https://idp.example.com/sso"))
}

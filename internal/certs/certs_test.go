package certs

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
	"encoding/pem"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func newKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newRSAKey(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// issue makes a certificate for key that issuer signed, DER. issuer is nil for a self-signed one.
func issue(t testing.TB, name string, key crypto.Signer, issuer []byte, issuerKey crypto.Signer) []byte {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		// UTCTime and GeneralizedTime
		NotBefore: time.Date(2025, 3, 1, 12, 0, 0, 0, time.UTC), NotAfter: time.Date(2055, 3, 1, 12, 0, 0, 0, time.UTC)}
	parent := template
	if issuer == nil {
		issuerKey = key
	} else {
		var err error
		if parent, err = x509.ParseCertificate(issuer); err != nil {
			t.Fatal(err)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), issuerKey)
	if err != nil {
		t.Fatal(err)
	}
	return der
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

// TestParse: the fields are those that crypto/x509 reads, and what it refuses in certificates that
// are in use is read too.
func TestParse(t *testing.T) {
	t.Parallel()
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name     string
		key      crypto.Signer
		kept     bool   // the key is in the result
		unusable string // the message, "" if the key is usable
		got      string
	}{
		{"P-256", newKey(t, elliptic.P256()), true, "", ""},
		{"P-384", newKey(t, elliptic.P384()), true, "", ""},
		{"P-521", newKey(t, elliptic.P521()), true, "", ""},
		{"RSA with 2048 bits", newRSAKey(t, 2048), true, "", ""},
		{"RSA with 2040 bits", newRSAKey(t, 2040), true, "the RSA key has an unusable length", "2040 bits"},
		{"P-224", newKey(t, elliptic.P224()), true, "the ECDSA key is on an unusable curve", "P-224"},
		{"Ed25519", edwards, false, "the certificate holds a key of a kind that is not supported", "ed25519.PublicKey"},
	} {
		der := issue(t, row.name, row.key, nil, nil)
		c, problem := Parse(der)
		if problem != nil {
			t.Errorf("%s: %v", row.name, problem)
			continue
		}
		want, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(c.DER, der) || &c.DER[0] == &der[0] || c.Subject != want.Subject.String() ||
			!c.NotBefore.Equal(want.NotBefore) || !c.NotAfter.Equal(want.NotAfter) {
			t.Errorf("%s: got %s from %s to %s, or other bytes, or not a copy", row.name, c.Subject, c.NotBefore,
				c.NotAfter)
		}
		if SameKey(c.Key, row.key.Public()) != row.kept || !row.kept && c.Key != nil {
			t.Errorf("%s: got the key %T", row.name, c.Key)
		}
		if u := c.Unusable; (u == nil) != (row.unusable == "") || u != nil &&
			(u.Kind != UnusableKey || u.Message != row.unusable || u.Got != row.got || u.Want == "") {
			t.Errorf("%s: unusable: got %#v, want %q with %q", row.name, u, row.unusable, row.got)
		}
	}
	restricted := issue(t, "x", newRSAKey(t, 2048), nil, nil)
	common := bytes.Clone(pssKey)
	common[len(common)-1] = 1 // rsaEncryption
	copy(restricted[bytes.Index(restricted, common):], pssKey)
	if c, problem := Parse(restricted); problem != nil || c.Unusable == nil || !strings.Contains(c.Unusable.Message, "RSA-PSS alone") {
		t.Errorf("a key for RSA-PSS alone: got %v and %v", c.Unusable, problem)
	}
	negative := issue(t, "x", newKey(t, elliptic.P256()), nil, nil)
	negative[bytes.Index(negative, []byte{2, 1, 1})+2] = 0x81 // the serial number
	if _, err := x509.ParseCertificate(negative); err == nil {
		t.Fatal("crypto/x509 takes the certificate: this test no longer shows anything")
	}
	if c, problem := Parse(negative); problem != nil || c.Unusable != nil || c.Subject != "CN=x" {
		t.Errorf("a negative serial number: got %v, %v", c.Subject, problem)
	}
}

// TestRSAKeys: the exponents that are verified with, and from which size on a key is not even read.
func TestRSAKeys(t *testing.T) {
	t.Parallel()
	parse := func(name string, bits, exponent int) Certificate {
		n := make([]byte, bits/8)
		rand.Read(n)
		n[0], n[len(n)-1] = n[0]|0x80, n[len(n)-1]|1
		public, err := x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: new(big.Int).SetBytes(n), E: exponent})
		if err != nil {
			t.Fatal(err)
		}
		algorithm := pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2}}
		c, problem := Parse(rawDER(t, 1, []byte{0x30, 0}, public, algorithm, nil))
		if problem != nil {
			t.Fatalf("%s: %v", name, problem)
		}
		if size := len(public); (c.Key == nil) != (size > maxKeyInfo) {
			t.Errorf("%s: the key of %d bytes is read: %t", name, size, c.Key != nil)
		}
		return c
	}
	for exponent, usable := range map[int]bool{
		1: false, 2: false, 3: true, 4: false, 5: true, 65536: false, 65537: true,
		math.MaxInt32: true, math.MaxInt32 + 1: false, math.MaxInt32 + 2: false,
	} {
		c := parse("exponent "+strconv.Itoa(exponent), 2048, exponent)
		if u := c.Unusable; (u == nil) != usable || u != nil &&
			(u.Kind != UnusableKey || !strings.Contains(u.Message, "exponent")) {
			t.Errorf("exponent %d: got %v, want usable %t", exponent, u, usable)
		}
	}
	for bits, message := range map[int]string{2040: "length", 2048: "", 8192: "", 8200: "length"} {
		c := parse(strconv.Itoa(bits)+" bits", bits, 65537)
		if u := c.Unusable; (u == nil) != (message == "") || u != nil && !strings.Contains(u.Message, message) {
			t.Errorf("%d bits: got %v, want %q", bits, u, message)
		}
	}
	for size := 4040; size <= 4080; size++ { // with its frame, some have exactly maxKeyInfo bytes
		parse(strconv.Itoa(size)+" bytes", 8*size, 65537)
	}
}

// TestParseRefuses: the problem says which part cannot be read.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	good := issue(t, "x", newKey(t, elliptic.P256()), nil, nil)
	begin, end := bytes.Index(good, []byte("250301120000Z")), bytes.Index(good, []byte("20550301120000Z"))
	changed := func(at int) []byte {
		der := slices.Clone(good)
		der[at] = 'x'
		return der
	}
	for _, row := range []struct {
		name, message string
		der           []byte
	}{
		{"nothing", "its frame", nil},
		{"an empty sequence", "its frame", []byte{0x30, 0}},
		{"another kind", "its frame", []byte{2, 1, 1}},
		{"something behind it", "what stands behind it", slices.Concat(good, []byte("\n"))},
		{"another behind it", "what stands behind it", slices.Concat(good, good)},
		{"a sequence in a sequence", "one of its first fields", []byte{0x30, 2, 0x30, 0}},
		{"a beginning that is no time", "the beginning of its validity", changed(begin)},
		{"an end that is no time", "the end of its validity", changed(end)},
	} {
		if c, problem := Parse(row.der); problem == nil || problem.Kind != Unreadable ||
			problem.Message != "this is not a certificate: "+row.message+" cannot be read" || c.DER != nil {
			t.Errorf("%s: got %v, want %q", row.name, problem, row.message)
		}
	}
}

// TestPrivateKey: a private key is recognized by Parse, and nothing else is taken for one.
func TestPrivateKey(t *testing.T) {
	t.Parallel()
	ec, long := newKey(t, elliptic.P256()), newRSAKey(t, 2048)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(ec)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(ec)
	if err != nil {
		t.Fatal(err)
	}
	for name, der := range map[string][]byte{"PKCS #8": pkcs8, "SEC 1": sec1,
		"PKCS #1": x509.MarshalPKCS1PrivateKey(long)} {
		if _, problem := Parse(der); problem == nil || problem.Kind != PrivateKey ||
			!strings.Contains(problem.Message, "private key") {
			t.Errorf("%s: got %v", name, problem)
		}
	}
	signature, err := ecdsa.SignASN1(rand.Reader, ec, make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(long.Public())
	if err != nil {
		t.Fatal(err)
	}
	for name, der := range map[string][]byte{
		"a certificate": issue(t, "x", ec, nil,
			nil), "a public key": public, "a PKCS #1 public key": x509.MarshalPKCS1PublicKey(&long.PublicKey),
		"a signature": signature, "nothing": nil, "an empty sequence": {0x30, 0},
	} {
		if problem := privateKey(der); problem != nil {
			t.Errorf("%s is taken for a private key: %v", name, problem)
		}
	}
	armor := string(pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: pkcs8}))
	if p := PrivateKeyIn("certificate and key:\n" + armor); p == nil || p.Kind != PrivateKey {
		t.Errorf("in a text: got %v", p)
	}
	if p := PrivateKeyIn("this text has no private key, nor PRIVATE KEY"); p != nil {
		t.Errorf("in a text without one: got %v", p)
	}
}

// TestSplit: certificates that follow each other come one by one, and what follows them is not
// passed over.
func TestSplit(t *testing.T) {
	t.Parallel()
	one, two := issue(t, "one", newKey(t, elliptic.P256()), nil, nil), issue(t, "two", newKey(t, elliptic.P256()),
		nil, nil)
	for _, row := range []struct {
		name    string
		data    []byte
		want    [][]byte
		damaged bool
	}{
		{"nothing", nil, nil, false},
		{"one", one, [][]byte{one}, false},
		{"two", slices.Concat(one, two), [][]byte{one, two}, false},
		{"a line break behind", slices.Concat(one, []byte("\r\n")), [][]byte{one}, false},
		{"a line break alone", []byte("\n"), nil, true},
		{"a letter behind", slices.Concat(one, []byte("x")), [][]byte{one}, true},
		{"half of the second", slices.Concat(one, two[:100]), [][]byte{one}, true},
	} {
		var got [][]byte
		damaged := false
		for der, problem := range Split(row.data) {
			if damaged = problem != nil; !damaged {
				got = append(got, der)
			}
		}
		if damaged != row.damaged || !slices.EqualFunc(got, row.want, bytes.Equal) {
			t.Errorf("%s: got %d, damaged %t, want %d, damaged %t", row.name, len(got), damaged, len(row.want),
				row.damaged)
		}
	}
	if got := FirstOf(slices.Concat(one, two)); !bytes.Equal(got, one) {
		t.Errorf("the first of two has %d bytes, want %d", len(got), len(one))
	}
	if got := FirstOf([]byte("x")); string(got) != "x" {
		t.Errorf("without an ASN.1 sequence: got %q", got)
	}
}

// TestKeyLimits: which keys are slow, and which may be tried at all.
func TestKeyLimits(t *testing.T) {
	t.Parallel()
	of := func(bits int) crypto.PublicKey {
		return &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), bits-1, 1), E: 65537}
	}
	for _, row := range []struct {
		name          string
		key           crypto.PublicKey
		slow, bounded bool
	}{
		{"RSA with 1023 bits", of(1023), false, false},
		{"RSA with 1024 bits", of(1024), false, true},
		{"RSA with 4096 bits", of(4096), false, true},
		{"RSA with 4097 bits", of(4097), true, true},
		{"RSA with 8192 bits", of(8192), true, true},
		{"RSA with 8193 bits", of(8193), true, false},
		{"P-256", newKey(t, elliptic.P256()).Public(), false, true},
		{"P-384", newKey(t, elliptic.P384()).Public(), false, true},
		{"P-521", newKey(t, elliptic.P521()).Public(), true, true},
		{"none", nil, false, false},
	} {
		if slow, bounded := IsSlow(row.key), IsBounded(row.key); slow != row.slow || bounded != row.bounded {
			t.Errorf("%s: got slow %t, bounded %t, want %t, %t", row.name, slow, bounded, row.slow, row.bounded)
		}
	}
}

// TestParts: each part of a text says in which line it begins, also behind escapes.
func TestParts(t *testing.T) {
	t.Parallel()
	one, two := issue(t, "one", newKey(t, elliptic.P256()), nil, nil), issue(t, "two", newKey(t, elliptic.P256()),
		nil, nil)
	armored := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: one}))
	lines := strings.Count(armored, "\n")
	bare := base64.StdEncoding.EncodeToString(two)
	for _, row := range []struct {
		name, text string
		lines      []int
		problem    string
	}{
		{"nothing", "", nil, ""},
		{"a sentence", "please see attachment", nil, ""},
		{"PEM, then base64", "here:\n" + armored + "\n" + bare, []int{2, lines + 3}, ""},
		{"two elements", "<X509Certificate>" + bare + "</X509Certificate>\n<ds:X509Certificate>" + bare +
			"</ds:X509Certificate>", []int{1, 2}, ""},
		{"PEM in JSON", `{"x":"` + strings.ReplaceAll(armored, "\n", `\n`) + bare + `"}`, []int{1, lines + 1}, ""},
		{"a damaged one behind a good one", armored + strings.Replace(armored, "MI", "M", 1), []int{1}, "line "},
		{"in a response", "<Response><X509Certificate>" + bare + "</X509Certificate></Response>", []int{1},
			"part of a SAML message"},
	} {
		var got []int
		message := ""
		for part, problem := range Parts(row.text) {
			if problem != nil {
				message = problem.Message
				continue
			}
			got = append(got, part.Line())
			if !bytes.Equal(part.DER, one) && !bytes.Equal(part.DER, two) {
				t.Errorf("%s: the part in line %d is another", row.name, part.Line())
			}
		}
		if !slices.Equal(got, row.lines) || (message == "") != (row.problem == "") ||
			!strings.Contains(message, row.problem) {
			t.Errorf("%s: got the lines %v and %q, want %v and %q", row.name, got, message, row.lines, row.problem)
		}
	}
	for range Parts(armored + bare) {
		break // a caller who has enough
	}
}

// TestInElement: one X509Certificate element holds what products write into it.
func TestInElement(t *testing.T) {
	one, two := issue(t, "one", newKey(t, elliptic.P256()), nil, nil), issue(t, "two", newKey(t, elliptic.P256()), nil, nil)
	both := slices.Concat(one, two)
	encode := base64.StdEncoding.EncodeToString
	armored := func(der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	body := func(der []byte) string {
		lines := strings.SplitAfter(armored(der), "\n")
		return strings.Join(lines[1:len(lines)-2], "")
	}
	privateKey := "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
	for _, row := range []struct {
		name, text string
		want       []byte
		problem    string
	}{
		{"base64", encode(one), one, ""},
		{"base64 of both", encode(both), both, ""},
		{"PEM", armored(one), one, ""},
		{"PEM, indented", "\n  " + strings.ReplaceAll(armored(one), "\n", "\n  "), one, ""},
		{"PEM of both", armored(one) + armored(two), both, ""},
		{"PEM behind a heading", "Bag Attributes\n    friendlyName: idp\nsubject=/CN=one\n" + armored(one), one, ""},
		{"the lines of both without armor", body(one) + body(two), both, ""},
		{"both in base64, one behind the other", encode(one) + "\n" + encode(two), both, ""},
		{"base64 of PEM", encode([]byte(armored(one))), one, ""},
		{"base64 of PEM, in lines", encode([]byte(armored(one)))[:64] + "\n  " + encode([]byte(armored(one)))[64:], one, ""},
		{"base64 of PEM of both", encode([]byte(armored(one) + armored(two))), both, ""},
		{"PEM beside base64 of PEM", armored(one) + encode([]byte(armored(two))), both, ""},
		{"nothing", "", nil, "empty"},
		{"white space", " \r\n\t", nil, "empty"},
		{"three letters", "AAA", nil, "neither base64 nor PEM"},
		{"a file name", "certs/idp-signing.pem", nil, "neither base64 nor PEM"},
		{"a template", "{{ certificate }}", nil, "neither base64 nor PEM"},
		{"another armor", "-----BEGIN PKCS7-----\n" + body(one), nil, "no certificate"},
		{"PEM without its end", armored(one)[:200], nil, "no END line"},
		{"base64 that is cut off", encode(one)[:201], nil, "damaged or cut off"},
		{"a private key", privateKey, nil, "private key"},
		{"a private key behind a certificate", armored(one) + privateKey, nil, "private key"},
		{"base64 of a private key", encode([]byte(privateKey)), nil, "private key"},
		{"base64 of PEM and a private key", encode([]byte(armored(one) + privateKey)), nil, "private key"},
		{"base64 of PEM that is cut off", encode([]byte(armored(one)[:200])), nil, "no whole certificate"},
		{"base64 of base64 of PEM, in PEM's company", armored(one) + encode([]byte(encode([]byte(armored(one))))), nil,
			"not a certificate"},
	} {
		var got []byte
		message := ""
		for der, problem := range InElement(row.text) {
			if problem != nil {
				message = problem.Message
				break
			}
			got = append(got, der...)
		}
		if message == "" && !bytes.Equal(got, row.want) || (message == "") != (row.problem == "") ||
			!strings.Contains(message, row.problem) {
			t.Errorf("%s: got %d bytes and %q, want %d and %q", row.name, len(got), message, len(row.want), row.problem)
		}
	}
}

// FuzzParse: of what crypto/x509 takes, the key, the dates and the DER are the same.
func FuzzParse(f *testing.F) {
	ec := newKey(f, elliptic.P256())
	f.Add(issue(f, "ec", ec, nil, nil))
	f.Add(issue(f, "rsa", newRSAKey(f, 2048), nil, nil))
	pkcs8, err := x509.MarshalPKCS8PrivateKey(ec)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(pkcs8)
	f.Fuzz(func(t *testing.T, der []byte) {
		c, problem := Parse(der)
		if problem == nil && c.Unusable == nil && c.Key == nil {
			t.Fatal("a usable certificate without a key")
		}
		want, err := x509.ParseCertificate(der)
		if err != nil {
			return
		}
		if problem != nil {
			t.Fatalf("crypto/x509 reads what we refuse: %v", problem)
		}
		if !bytes.Equal(c.DER, der) || !c.NotBefore.Equal(want.NotBefore) || !c.NotAfter.Equal(want.NotAfter) ||
			c.Unusable == nil && !SameKey(c.Key, want.PublicKey) {
			t.Fatalf("got %+v, crypto/x509 reads %s to %s and %v", c, want.NotBefore, want.NotAfter, want.PublicKey)
		}
	})
}

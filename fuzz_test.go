package saml

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"encoding/xml"
	"errors"
	"io"
	"maps"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	goxmldsig "github.com/russellhaering/goxmldsig"
	"github.com/russellhaering/goxmldsig/etreeutils"

	"github.com/iomete/saml/internal/testfiles"
	"github.com/iomete/saml/internal/wire"
	"github.com/iomete/saml/internal/xmlenc"
	"github.com/iomete/saml/internal/xmltree"
)

// vectorsByName are all vectors, by name.
func vectorsByName(t testing.TB) map[string]*testVector {
	t.Helper()
	vectors := map[string]*testVector{}
	for _, v := range readVectors(t) {
		vectors[v.Name] = v
	}
	return vectors
}

// forgetfulStore has never seen anything, so that one provider can read one message many times.
type forgetfulStore struct{}

func (forgetfulStore) Claim(context.Context, string, time.Duration) (bool, error) { return true, nil }
func (forgetfulStore) Claimed(context.Context, string) (bool, error)              { return false, nil }

// reader gives a function that finishes the login of a vector with another message in its place.
func (v *testVector) reader(t testing.TB) func(message []byte) (*Login, error) {
	t.Helper()
	sp, err := v.provider(t)
	if err != nil {
		t.Fatal(err)
	}
	sp.store = forgetfulStore{}
	r := v.response(t, sp)
	return func(message []byte) (*Login, error) {
		r := r
		r.SAMLResponse = base64.StdEncoding.EncodeToString(message)
		return sp.FinishLogin(context.Background(), r)
	}
}

// byteStyles are the accepted messages whose bytes are all changed, and how many positions apart:
// an encrypted one costs an RSA operation with a private key each time. With SAML_TEST_MUTATIONS it
// is every position of all.
var byteStyles = map[string]int{
	"entra": 1, "response-signed": 1, "style-okta": 2, "style-keycloak": 1, "style-pysaml2": 1, "style-simplesamlphp": 1, "prefix-list": 1,
	"c14n-around": 1, "c14n-prefixed-11": 2, "c14n-enveloped-only": 3, "c14n-encrypted-around": 31, "rsa-pss-sha256": 7,
	"issuer-white-space": 3, "name-id-white-space": 3, "id-all-characters": 3, "offsets": 3,
	"encrypted-aes256-gcm": 23, "encrypted-entra": 23, "encrypted-both-signed": 29, "encrypted-name-id": 23,
}

// TestEveryByteCounts changes each byte of accepted messages in turn, takes it away, and puts
// another before it: the message is then refused, or says the same.
func TestEveryByteCounts(t *testing.T) {
	if testing.Short() {
		t.Skip("verifies 200,000 messages")
	}
	t.Parallel()
	vectors := vectorsByName(t)
	for name, stride := range byteStyles {
		if os.Getenv("SAML_TEST_MUTATIONS") != "" {
			stride = 1
		}
		if RaceDetector {
			stride *= 16
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			message, read := vectors[name].message(), vectors[name].reader(t)
			want, err := read(message)
			if err != nil {
				t.Fatal(err)
			}
			tried, same := 0, 0
			try := func(what string, at int, changed []byte) {
				tried++
				switch got, err := read(changed); {
				case err != nil && got != nil:
					t.Errorf("byte %d, %s: a login with the error %v", at, what, err)
				case err == nil && !reflect.DeepEqual(got.Identity, want.Identity):
					t.Errorf("byte %d, %s: another identity: %+v", at, what, got.Identity)
				case err == nil:
					same++
				}
			}
			for i := 0; i < len(message); i += stride {
				old := message[i]
				for _, b := range []byte{old ^ 1, '<', ' '} {
					if b != old {
						message[i] = b
						try("another", i, message)
					}
				}
				message[i] = old
				try("taken away", i, slices.Delete(slices.Clone(message), i, i+1))
				for _, b := range []byte{old, ' ', 'a'} {
					try("one put before", i, slices.Insert(slices.Clone(message), i, b))
				}
			}
			t.Logf("%d bytes, 1 position in %d: %d changes, of which %d leave the identity as it is", len(message),
				stride, tried, same)
		})
	}
}

// FuzzFinishLogin changes the messages of the vectors. With resign the message is signed again
// after the change, as far as it can be: else nearly all die at the digest and the checks behind it
// see none.
func FuzzFinishLogin(f *testing.F) {
	vectors := readVectors(f)
	for i, v := range vectors {
		raw := v.message()
		if raw == nil || len(raw) > 32<<10 {
			continue
		}
		if v.Accepted() || i%8 == 0 { // of the refused a sample: ten seconds have to suffice for more than the seeds
			f.Add(raw, i%2 == 0)
		}
	}
	// decrypts, but need not
	base := vectors[slices.IndexFunc(vectors, func(v *testVector) bool { return v.Name == "encrypted-entra" })]
	read := base.reader(f)
	sp, err := base.provider(f)
	if err != nil {
		f.Fatal(err)
	}
	key, certificate, at := vectorKey(f, "test-idp-a.key.pem"), vectorCertificate(f,
		"test-idp-a.crt.pem"), base.time(f, "at")
	f.Fuzz(func(t *testing.T, raw []byte, resign bool) {
		if resign {
			raw = signedAgain(raw, key)
		}
		login, err := read(raw)
		if err != nil {
			var e *Error
			if login != nil || !errors.As(err, &e) || e.Code == "" || e.Code == CodeInternal || e.Check == "" {
				t.Fatalf("got login %v with the error %#v, want none and an *Error with code and check", login, err)
			}
			return
		}
		if bytes.Contains(raw, []byte("EncryptedData")) { // what was signed does not show
			return
		}
		used := usedBy(t, sp, raw)
		standsIn(t, login, used.canonical)
		if signature, _ := findSignature(raw, used.name == "Response"); !resign && isForGoxmldsig(signature) {
			if err := goxmldsigVerifies(raw, at, used.name, certificate); err != nil {
				t.Errorf("goxmldsig does not verify what was accepted: %v", err)
			}
		}
	})
}

// A usedElement is the element that an accepted message was read from: its local name, its
// canonical bytes, and which of the trusted keys signed them.
type usedElement struct {
	name      string
	canonical []byte
	key       int
}

// usedBy finds the element that sp reads from a message which it accepts.
func usedBy(t testing.TB, sp *ServiceProvider, raw []byte) usedElement {
	t.Helper()
	doc, err := xmltree.Parse(raw, xmltree.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m, refusal := wire.FromDocument(doc)
	if refusal != nil {
		t.Fatal(refusal)
	}
	used, signature := usedElement{name: "Response"}, m.ResponseSignature
	if m.AssertionSignature.Exists() {
		used.name, signature = "Assertion", m.AssertionSignature
	}
	idp, err := sp.config.IdentityProvider.Snapshot(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signature.Verify(idp.publicKeys, sp.signaturePolicy())
	if err != nil {
		t.Fatal(err)
	}
	used.key = signed.Key()
	again, err := signed.Parse()
	if err != nil {
		t.Fatal(err)
	}
	if used.canonical, err = again.Root().Canonicalize(nil, xmltree.C14N{}); err != nil {
		t.Fatal(err)
	}
	return used
}

// standsIn fails unless all that the login says is said in the octets that were signed, as
// encoding/xml reads them.
func standsIn(t testing.TB, login *Login, octets []byte) {
	t.Helper()
	nameIDs, values := map[string]bool{}, map[string]bool{}
	var open []string
	var text strings.Builder
	for d := xml.NewDecoder(bytes.NewReader(octets)); ; {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("encoding/xml cannot read what was signed: %v", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			open = append(open, token.Name.Local)
			text.Reset()
		case xml.CharData:
			text.Write(token)
		case xml.EndElement:
			switch {
			case slices.Contains(open, "AttributeValue"):
				values[text.String()] = true
			case token.Name.Local == "NameID":
				nameIDs[text.String()] = true
				nameIDs[strings.Trim(text.String(), " \t\r\n")] = true // where it must be an e-mail address
			}
			open = open[:len(open)-1]
			text.Reset()
		}
	}
	if !nameIDs[login.Assertion.NameID.Value] {
		t.Errorf("the NameID %q is not what was signed", login.Assertion.NameID.Value)
	}
	// the claim, with AllowAnyNameID
	if email := login.Identity.Email; email != "" && email != login.Assertion.NameID.Value && !values[email] {
		t.Errorf("the address %q is not what was signed", email)
	}
	for _, a := range login.Assertion.Attributes {
		for _, value := range a.Values {
			if !values[value] {
				t.Errorf("%q of attribute %s is not what was signed", value, a.Name)
			}
		}
	}
}

// goxmldsigVerifies asks goxmldsig for the signature in the Response or in its Assertion. KeyInfo
// is taken away before, because goxmldsig does not look at the trusted certificates otherwise; no
// transform leaves it in what this signature covers.
func goxmldsigVerifies(raw []byte, at time.Time, element string, certificate *x509.Certificate) error {
	doc := etree.NewDocument()
	if err := doc.ReadFromBytes(raw); err != nil {
		return err
	}
	e := doc.Root()
	if element == "Assertion" {
		e = e.SelectElement("Assertion")
	}
	if s := e.SelectElement("Signature"); s != nil {
		if info := s.SelectElement("KeyInfo"); info != nil {
			s.RemoveChild(info)
		}
		if value := s.SelectElement("SignatureValue"); value != nil { // its decoder skips line breaks, but no blanks
			value.SetText(strings.Join(strings.Fields(value.Text()), ""))
		}
	}
	scope, err := etreeutils.NSBuildParentContext(e)
	if err != nil {
		return err
	}
	if e, err = etreeutils.NSDetatch(scope, e); err != nil {
		return err
	}
	c := goxmldsig.NewDefaultValidationContext(&goxmldsig.MemoryX509CertificateStore{Roots: []*x509.Certificate{certificate}})
	c.IdAttribute = "ID"
	c.Clock = goxmldsig.NewFakeClockAt(at)
	_, err = c.Validate(e)
	return err
}

// signedAgain puts fresh values into the signatures of a message that was changed, that of the
// assertion first. What cannot be signed stays as it is.
func signedAgain(raw []byte, key crypto.Signer) []byte {
	for _, inRoot := range []bool{false, true} {
		if again, ok := signOnce(raw, key, inRoot); ok {
			raw = again
		}
	}
	return raw
}

func signOnce(raw []byte, key crypto.Signer, inRoot bool) ([]byte, bool) {
	signature, ok := findSignature(raw, inRoot)
	if !ok {
		return nil, false
	}
	how := canonicalizationIn(signature, "Transform")
	how.Omit = signature
	digested, err := signature.Parent().Canonicalize(nil, how)
	if err != nil {
		return nil, false
	}
	digest := sha256.Sum256(digested)
	if raw, ok = replaceText(raw, signature, "DigestValue", digest[:]); !ok {
		return nil, false
	}
	if signature, ok = findSignature(raw, inRoot); !ok {
		return nil, false
	}
	for c := range signature.Children() {
		if c.Local() != "SignedInfo" {
			continue
		}
		info, err := c.Canonicalize(nil, canonicalizationIn(signature, "CanonicalizationMethod"))
		if err != nil {
			return nil, false
		}
		sum := sha256.Sum256(info)
		value, err := key.Sign(rand.Reader, sum[:], crypto.SHA256)
		if err != nil {
			return nil, false
		}
		return replaceText(raw, signature, "SignatureValue", value)
	}
	return nil, false
}

// findSignature gives the signature in the root, or the first one elsewhere.
func findSignature(raw []byte, inRoot bool) (xmltree.Element, bool) {
	doc, err := xmltree.Parse(raw, xmltree.Options{})
	if err != nil {
		return xmltree.Element{}, false
	}
	for e := range doc.Root().Descendants() {
		if e.Is(xmltree.NSDSig, "Signature") && (e.Parent() == doc.Root()) == inRoot {
			return e, true
		}
	}
	return xmltree.Element{}, false
}

// canonicalizationIn returns how a signature says that SignedInfo (where: CanonicalizationMethod) or
// the signed element (Transform) is canonicalized.
func canonicalizationIn(signature xmltree.Element, where string) (how xmltree.C14N) {
	how.Method = xmltree.Inclusive // of a signature with the enveloped transform alone
	for e := range signature.Descendants() {
		if e.Local() == "InclusiveNamespaces" && e.Parent().Local() == where {
			how.PrefixList, _ = e.Attr("PrefixList")
		}
		if e.Local() != where {
			continue
		}
		switch algorithm, _ := e.Attr("Algorithm"); {
		case strings.HasPrefix(algorithm, "http://www.w3.org/2001/10/xml-exc-c14n#"):
			how.Method = xmltree.Exclusive
		case strings.HasPrefix(algorithm, "http://www.w3.org/2006/12/xml-c14n11"):
			how.Method = xmltree.Inclusive11
		}
	}
	return how
}

// isForGoxmldsig reports whether goxmldsig can verify a signature that is accepted here: it
// canonicalizes SignedInfo without its PrefixList, inclusively it copies the element out of its
// surroundings first, and it knows no RSA-PSS.
func isForGoxmldsig(signature xmltree.Element) bool {
	info, element := canonicalizationIn(signature, "CanonicalizationMethod"), canonicalizationIn(signature, "Transform")
	for e := range signature.Descendants() {
		if algorithm, _ := e.Attr("Algorithm"); strings.HasSuffix(algorithm, "-MGF1") {
			return false
		}
	}
	return info.PrefixList == "" && info.Method == xmltree.Exclusive && element.Method == xmltree.Exclusive
}

// replaceText writes a value in base64 where the text of a leaf of the signature stands, if it
// stands there only.
func replaceText(raw []byte, signature xmltree.Element, leaf string, value []byte) ([]byte, bool) {
	for e := range signature.Descendants() {
		if text, ok := e.Text(); e.Local() == leaf && ok && len(text) > 40 && bytes.Count(raw, []byte(text)) == 1 {
			return bytes.Replace(raw, []byte(text), []byte(base64.StdEncoding.EncodeToString(value)), 1), true
		}
	}
	return nil, false
}

func readPEM(t testing.TB, file string) []byte {
	t.Helper()
	block, _ := pem.Decode(testfiles.Key(t, file))
	if block == nil {
		t.Fatalf("%s is not PEM", file)
	}
	return block.Bytes
}

func vectorKey(t testing.TB, file string) crypto.Signer {
	t.Helper()
	key, err := x509.ParsePKCS8PrivateKey(readPEM(t, file))
	if err != nil {
		t.Fatal(err)
	}
	return key.(crypto.Signer)
}

func vectorCertificate(t testing.TB, file string) *x509.Certificate {
	t.Helper()
	certificate, err := x509.ParseCertificate(readPEM(t, file))
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

// beyondGoxmldsig are accepted vectors that goxmldsig 1.6.1 cannot verify.
var beyondGoxmldsig = map[string]string{
	"ecdsa-p256":              "it wants the value of ECDSA in the form of X.509",
	"ecdsa-p384":              "it wants the value of ECDSA in the form of X.509",
	"ecdsa-p521":              "it wants the value of ECDSA in the form of X.509",
	"expired-certificate":     "it refuses certificates outside their dates, trusted or not",
	"prefix-list-signed-info": "it canonicalizes SignedInfo without its PrefixList",
}

// TestJudgesAgree asks xmlsec1 and goxmldsig about the signature of each accepted vector, on the
// element that it was read from: what we accept, they verify too, and what we read stands in the
// octets that xmlsec1 digested.
func TestJudgesAgree(t *testing.T) {
	t.Parallel()
	t.Run("goxmldsig", func(t *testing.T) {
		t.Parallel()
		for _, v := range readVectors(t) {
			if !v.Accepted() {
				continue
			}
			message := v.decrypted(t)
			used, certificate := v.used(t, message)
			if strings.HasPrefix(v.Name, "c14n-") || strings.HasPrefix(v.Name, "rsa-pss-") {
				continue // see isForGoxmldsig
			}
			err := goxmldsigVerifies(message, v.time(t, "at"), used.name, vectorCertificate(t, certificate))
			if reason := beyondGoxmldsig[v.Name]; (err != nil) != (reason != "") {
				t.Errorf("%s: got %v, known reason %q", v.Name, err, reason)
			}
		}
	})
	t.Run("xmlsec1", func(t *testing.T) {
		t.Parallel()
		needXmlsec1(t)
		for _, v := range readVectors(t) {
			if !v.Accepted() || strings.HasPrefix(v.Name, "rsa-pss-") { // xmlsec1 has that from 1.3 on
				continue
			}
			login, err := v.finish(t, allChecks)
			if err != nil {
				t.Errorf("%s: %v", v.Name, err)
				continue
			}
			message := v.decrypted(t)
			used, certificate := v.used(t, message)
			octets := xmlsec1Digested(t, message, used.name, certificate)
			if !bytes.Contains(octets, []byte("EncryptedData")) { // else it is a ciphertext that was signed
				standsIn(t, login, octets)
			}
		}
	})
}

// TestOpenSSLJudgesPSS asks OpenSSL about the signature of each vector with RSA-PSS: what is accepted
// it verifies, and what is refused for its signature it refuses.
func TestOpenSSLJudgesPSS(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("openssl"); err != nil {
		testfiles.Missing(t, "openssl is missing: install the Debian package openssl")
	}
	judged := map[bool]int{}
	for _, v := range readVectors(t) {
		if !strings.Contains(v.Name, "rsa-pss-") || !v.Accepted() && v.Header["expect"] != "signature" ||
			v.Name == "p31-rsa-pss-as-pkcs1" { // a good signature under the name of another
			continue
		}
		valid := opensslVerifiesPSS(t, v.message(), readPEM(t, v.List("keys")[0]))
		judged[valid]++
		if valid != v.Accepted() {
			t.Errorf("%s: OpenSSL verifies it: %t", v.Name, valid)
		}
	}
	if judged[true] < 3 || judged[false] < 7 {
		t.Errorf("judged %v", judged)
	}
}

// opensslVerifiesPSS reports whether OpenSSL verifies the signature of the assertion as RSASSA-PSS
// with the hash that it names, or with SHA-256, MGF1 with the same hash, and a salt of its length.
func opensslVerifiesPSS(t *testing.T, message, certificate []byte) bool {
	t.Helper()
	signature, ok := findSignature(message, false)
	if !ok {
		t.Fatal("there is no signature")
	}
	c, err := x509.ParseCertificate(certificate)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(c.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	var info, value []byte
	hash := "sha256"
	for e := range signature.Descendants() {
		switch e.Local() {
		case "SignedInfo":
			info, err = e.Canonicalize(nil, xmltree.C14N{})
		case "SignatureValue":
			text, _ := e.Text()
			value, err = base64.StdEncoding.DecodeString(text)
		case "SignatureMethod":
			algorithm, _ := e.Attr("Algorithm")
			if name, _, ok := strings.Cut(algorithm[strings.LastIndexByte(algorithm, '#')+1:], "-rsa-MGF1"); ok {
				hash = name
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	for name, data := range map[string][]byte{
		"key": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), "info": info, "value": value,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.Command("openssl", "dgst", "-"+hash, "-verify", "key", "-signature", "value",
		"-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest", "-sigopt", "rsa_mgf1_md:"+hash, "info")
	command.Dir = dir
	out, err := command.CombinedOutput()
	if err != nil && !bytes.Contains(out, []byte("Verification failure")) && !bytes.Contains(out, []byte("Verification Failure")) {
		t.Fatalf("openssl: %v\n%s", err, out)
	}
	return err == nil
}

// used gives the element that an accepted vector is read from, and the file of the certificate
// whose key signed it.
func (v *testVector) used(t testing.TB, message []byte) (usedElement, string) {
	t.Helper()
	sp, err := v.provider(t)
	if err != nil {
		t.Fatal(err)
	}
	used := usedBy(t, sp, message)
	return used, strings.Fields(v.Header["keys"])[used.key]
}

// decrypted is the message with the assertion in place of its encryption, where the assertion is
// signed itself.
func (v *testVector) decrypted(t testing.TB) []byte {
	t.Helper()
	message := v.message()
	sp, err := v.provider(t)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := xmltree.Parse(bytes.Clone(message), xmltree.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m, refusal := wire.FromDocument(doc)
	if refusal != nil {
		t.Fatal(refusal)
	}
	if !m.Encrypted() {
		return message
	}
	plaintext, err := xmlenc.Decrypt(m.Assertion, xmlenc.ForMessage(sp.decrypters))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(plaintext, []byte("Signature")) {
		return message
	}
	return regexp.MustCompile(`(?s)<(saml:)?EncryptedAssertion.*</(saml:)?EncryptedAssertion>`).ReplaceAllLiteral(message, plaintext)
}

func needXmlsec1(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("xmlsec1"); err == nil {
		return
	}
	testfiles.Missing(t, "xmlsec1 is missing: install the Debian package xmlsec1")
}

// xmlsec1Digested has xmlsec1 verify the signature in one element and gives the octets that it
// digested.
func xmlsec1Digested(t testing.TB, message []byte, element, certificate string) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "message.xml")
	if err := os.WriteFile(file, message, 0o600); err != nil {
		t.Fatal(err)
	}
	in := map[string]string{"Response": "/*", "Assertion": `/*/*[local-name()="Assertion"]`}[element]
	output, err := exec.Command("xmlsec1", "--verify", "--print-debug", "--store-references",
		"--id-attr:ID", xmltree.NSAssertion+":Assertion", "--id-attr:ID", xmltree.NSProtocol+":Response",
		"--enabled-reference-uris", "same-doc", "--enabled-key-data", "rsa,ecdsa",
		"--node-xpath", in+`/*[local-name()="Signature"]`,
		"--pubkey-cert-pem", filepath.Join(testfiles.VectorDir(t), "keys", certificate), file).CombinedOutput()
	if err != nil {
		t.Errorf("xmlsec1 does not verify what was accepted: %v\n%.500s", err, output)
		return nil
	}
	_, after, _ := bytes.Cut(output, []byte("== PreDigest data - start buffer:\n"))
	octets, _, ok := bytes.Cut(after, []byte("\n== PreDigest data - end buffer"))
	if !ok {
		t.Errorf("xmlsec1 printed no octets")
	}
	return octets
}

// mutations is how many messages TestMutatedMessages makes; SAML_TEST_MUTATIONS asks for more.
const mutations = 300

// leastShare is the part of all changed messages, in percent, that has to reach each stage, so that
// no stage goes untested.
const leastShare = 5

// TestMutatedMessages changes the elements, attributes and texts of accepted messages at random,
// always in the same way. Half of the results are signed again; a quarter is changed around the
// signed assertion alone, which must not change what is read. Whatever is accepted has to stand in
// what was signed, and to be verified by the judges.
func TestMutatedMessages(t *testing.T) {
	t.Parallel()
	vectors := vectorsByName(t)
	key, certificate := vectorKey(t, "test-idp-a.key.pem"), vectorCertificate(t, "test-idp-a.crt.pem")
	_, noXmlsec1 := exec.LookPath("xmlsec1")
	total := mutations
	if more, err := strconv.Atoi(os.Getenv("SAML_TEST_MUTATIONS")); err == nil {
		total = more
	}
	stages, checks := map[string]int{}, map[string]int{}
	for i, name := range []string{"entra", "response-signed", "both-signed", "prefixed", "pretty-printed",
		"confirmations"} {
		v := vectors[name]
		read := v.reader(t)
		sp, err := v.provider(t)
		if err != nil {
			t.Fatal(err)
		}
		m := mutator{random: mathrand.New(mathrand.NewPCG(uint64(i), 1))}
		for n := range total / 6 {
			signed, around := n%2 == 0, n%4 == 1 && name != "response-signed" && name != "both-signed"
			var raw []byte
			switch {
			case around:
				raw = []byte(m.mutateAround(string(v.message())))
			case signed:
				raw = signedAgain([]byte(m.mutate(string(v.message()))), key)
			default:
				raw = []byte(m.mutate(string(v.message())))
			}
			login, err := read(raw)
			if e := (*Error)(nil); errors.As(err, &e) {
				mutated := &testVector{&testfiles.Vector{Form: base64.StdEncoding.EncodeToString(raw)}}
				stages[mutated.stageOf(e)]++
				if mutated.stageOf(e) == "check" {
					checks[e.Check]++
				}
				continue
			}
			stages["accepted"]++
			if around && login.Assertion.NameID.Value != v.Header["name_id"] {
				t.Errorf("what stands around the signed assertion changed who signed in: %+v", login.Identity)
			}
			used := usedBy(t, sp, raw)
			standsIn(t, login, used.canonical)
			switch {
			case !signed: // goxmldsig canonicalizes what it knows; asked about anything else, it errs
				if err := goxmldsigVerifies(raw, v.time(t, "at"), used.name, certificate); err != nil {
					t.Errorf("goxmldsig does not verify what was accepted: %v", err)
				}
			case noXmlsec1 == nil:
				standsIn(t, login, xmlsec1Digested(t, raw, used.name, "test-idp-a.crt.pem"))
			}
			if t.Failed() {
				t.Fatalf("the message, made of %s:\n%s", name, raw)
			}
		}
	}
	for _, stage := range []string{"parse", "shape", "signature", "check", "accepted"} {
		t.Logf("%-9s %6d  %4.1f %%", stage, stages[stage], 100*float64(stages[stage])/float64(total))
		if 100*stages[stage] < leastShare*total {
			t.Errorf("%d of %d changed messages got as far as %s, want %d %%", stages[stage], total, stage, leastShare)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(checks)) {
		t.Logf("refused by %-25s %5d", name, checks[name])
	}
}

// A mutator makes one to three random changes in a message.
type mutator struct{ random *mathrand.Rand }

// Parts of a message, as far as changing them needs to know: messages of vectors hold no comments
// and no > in attributes.
var (
	tagPattern       = regexp.MustCompile(`<(/?)([A-Za-z:]+)[^>]*?(/?)>`)
	attributePattern = regexp.MustCompile(`\s[A-Za-z:]+="[^"]*"`)
	textPattern      = regexp.MustCompile(`>[^<>]+<`)
)

// Text that readers are known to take in different ways.
var oddities = []string{"<!-- -->", "<?x?>", "<![CDATA[]]>", "<![CDATA[x]]>", "&#32;", "&#x41;", " ", "\r\n",
	"\u00A0", "&amp;", "&e;", "]]>",
	"<x:y xmlns:x=\"urn:x\"/>", "<y xmlns=\"\"/>", "<Assertion xmlns=\"" + xmltree.NSAssertion +
		"\"/>", "<NameID xmlns=\"" + xmltree.NSAssertion + "\">mallory@example.com</NameID>",
	"<OneTimeUse xmlns=\"" + xmltree.NSAssertion + "\"/>", "<Object xmlns=\"" + xmltree.NSDSig + "\"/>"}

// Attributes that may be added to any tag.
var oddAttributes = []string{` ID="_x"`, ` xmlns:x="urn:x"`, ` xmlns=""`, ` xmlns:samlp="urn:x"`, ` xml:lang="en"`,
	` Id="_x"`, ` NotBefore="2026-03-10T09:24:58Z"`,
	` Format="urn:oasis:names:tc:SAML:2.0:nameid-format:entity"`, ` Version="2.0"`, ` xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"`}

func (m mutator) mutate(s string) string {
	changes := []func(string) string{m.deleteElement, m.copyElement, m.swapElements, m.deleteAttribute, m.copyValue,
		m.copyText, m.insertOddity, m.addAttribute, m.changeByte}
	for range 1 + m.random.IntN(3) {
		s = changes[m.random.IntN(len(changes))](s)
	}
	return s
}

// mutateAround changes nothing inside the assertion.
func (m mutator) mutateAround(s string) string {
	const mark = `<mark xmlns="urn:mark"/>`
	bounds := regexp.MustCompile(`(?s)<(saml:)?Assertion .*</(saml:)?Assertion>`).FindStringIndex(s)
	if bounds == nil {
		return s
	}
	return strings.ReplaceAll(m.mutate(s[:bounds[0]]+mark+s[bounds[1]:]), mark, s[bounds[0]:bounds[1]])
}

// element gives the bounds of a random element below the root.
func (m mutator) element(s string) (from, to int) {
	var open []int
	var elements [][2]int
	for _, tag := range tagPattern.FindAllStringSubmatchIndex(s, -1) {
		switch {
		case tag[2] < tag[3] && len(open) > 0: // an end tag
			elements = append(elements, [2]int{open[len(open)-1], tag[1]})
			open = open[:len(open)-1]
		case tag[6] < tag[7]: // an empty element
			elements = append(elements, [2]int{tag[0], tag[1]})
		default:
			open = append(open, tag[0])
		}
	}
	if len(elements) < 2 {
		return 0, 0
	}
	e := elements[m.random.IntN(len(elements)-1)] // the last one to end is the root
	return e[0], e[1]
}

func (m mutator) deleteElement(s string) string {
	from, to := m.element(s)
	return s[:from] + s[to:]
}

func (m mutator) copyElement(s string) string {
	from, to := m.element(s)
	before, after := m.element(s)
	at := []int{before, after}[m.random.IntN(2)]
	return s[:at] + s[from:to] + s[at:]
}

func (m mutator) swapElements(s string) string {
	a, b := m.element(s)
	c, d := m.element(s)
	if a > c {
		a, b, c, d = c, d, a, b
	}
	if b > c {
		return s
	}
	return s[:a] + s[c:d] + s[b:c] + s[a:b] + s[d:]
}

// pick gives a random match of a pattern.
func (m mutator) pick(pattern *regexp.Regexp, s string) (from, to int) {
	found := pattern.FindAllStringIndex(s, -1)
	if len(found) == 0 {
		return 0, 0
	}
	f := found[m.random.IntN(len(found))]
	return f[0], f[1]
}

func (m mutator) deleteAttribute(s string) string {
	from, to := m.pick(attributePattern, s)
	return s[:from] + s[to:]
}

func (m mutator) copyValue(s string) string {
	from, to := m.pick(attributePattern, s)
	a, b := m.pick(attributePattern, s)
	name, _, ok := strings.Cut(s[from:to], "=")
	_, value, found := strings.Cut(s[a:b], "=")
	if !ok || !found {
		return s
	}
	return s[:from] + name + "=" + value + s[to:]
}

func (m mutator) copyText(s string) string {
	from, to := m.pick(textPattern, s)
	a, b := m.pick(textPattern, s)
	return s[:from] + s[a:b] + s[to:]
}

func (m mutator) insertOddity(s string) string {
	from, to := m.pick(textPattern, s)
	at := from + 1
	if at < to-1 {
		at += m.random.IntN(to - 1 - at)
	}
	return s[:at] + oddities[m.random.IntN(len(oddities))] + s[at:]
}

func (m mutator) addAttribute(s string) string {
	_, to := m.pick(attributePattern, s)
	return s[:to] + oddAttributes[m.random.IntN(len(oddAttributes))] + s[to:]
}

func (m mutator) changeByte(s string) string {
	at := m.random.IntN(len(s))
	return s[:at] + string([]byte{s[at] ^ 1<<m.random.IntN(7)}) + s[at+1:]
}

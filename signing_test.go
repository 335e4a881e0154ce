package saml_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml"
)

// certificateFor returns a certificate of a key, DER, with a random serial number.
func certificateFor(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	return certificateUntil(t, key, 3*365*24*time.Hour)
}

// certificateUntil is certificateFor with a time until its end.
func certificateUntil(t testing.TB, key crypto.Signer, valid time.Duration) []byte {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: "console.example.com"},
		NotBefore: time.Now(), NotAfter: time.Now().Add(valid)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func ecdsaKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestSignatures: what we send is signed by each algorithm of each kind of key. OpenSSL judges the
// query of the HTTP-Redirect binding; xmlsec1 judges the form of the HTTP-POST binding and the
// metadata; so do xmllint and OpenSSL together, since xmlsec1 before 1.3 has no RSA-PSS.
func TestSignatures(t *testing.T) {
	tools := judges{openssl: needTool(t, "openssl", "openssl"), xmllint: needTool(t, "xmllint", "libxml2-utils"),
		xmlsec1: needTool(t, "xmlsec1", "xmlsec1")}
	rsaKey, _ := signingKey(t)
	p256, p384, p521 := ecdsaKey(t, elliptic.P256()), ecdsaKey(t, elliptic.P384()), ecdsaKey(t, elliptic.P521())
	const more, more07 = "http://www.w3.org/2001/04/xmldsig-more#", "http://www.w3.org/2007/05/xmldsig-more#"
	for _, test := range []struct {
		name      string
		key       crypto.Signer
		algorithm saml.SigningAlgorithm
		uri, hash string
	}{
		{"RSA", rsaKey, "", more + "rsa-sha256", "sha256"},
		{"RSA with SHA-256", rsaKey, saml.RSAWithSHA256, more + "rsa-sha256", "sha256"},
		{"RSA with SHA-384", rsaKey, saml.RSAWithSHA384, more + "rsa-sha384", "sha384"},
		{"RSA with SHA-512", rsaKey, saml.RSAWithSHA512, more + "rsa-sha512", "sha512"},
		{"RSA-PSS with SHA-256", rsaKey, saml.RSAPSSWithSHA256, more07 + "sha256-rsa-MGF1", "sha256"},
		{"RSA-PSS with SHA-384", rsaKey, saml.RSAPSSWithSHA384, more07 + "sha384-rsa-MGF1", "sha384"},
		{"RSA-PSS with SHA-512", rsaKey, saml.RSAPSSWithSHA512, more07 + "sha512-rsa-MGF1", "sha512"},
		{"P-256", p256, "", more + "ecdsa-sha256", "sha256"},
		{"P-384", p384, "", more + "ecdsa-sha384", "sha384"},
		{"P-521", p521, "", more + "ecdsa-sha512", "sha512"},
		{"P-256 with SHA-512", p256, saml.ECDSAWithSHA512, more + "ecdsa-sha512", "sha512"},
		{"P-384 with SHA-384", p384, saml.ECDSAWithSHA384, more + "ecdsa-sha384", "sha384"},
		{"P-521 with SHA-256", p521, saml.ECDSAWithSHA256, more + "ecdsa-sha256", "sha256"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			der := certificateFor(t, test.key)
			h := newHouse(t, func(c *saml.Config) {
				c.SigningKey, c.SigningCertificate, c.SigningAlgorithm = test.key, der, test.algorithm
				c.EntityID = `urn:a>"&'</saml:Issuer><b xmlns="&gt;">` + "\u00E9\U0001F511"
			})
			judge := tools.of(t, test.key.Public(), test.uri, test.hash)
			redirect, err := h.sp.StartLogin(t.Context(), saml.LoginOptions{})
			if err != nil {
				t.Fatal(err)
			}
			judge.query(t, redirect.URL)
			form, err := h.sp.StartLogin(t.Context(), saml.LoginOptions{POST: true})
			if err != nil {
				t.Fatal(err)
			}
			posted, err := base64.StdEncoding.DecodeString(form.Form.SAMLRequest)
			if err != nil {
				t.Fatal(err)
			}
			judge.document(t, posted, "urn:oasis:names:tc:SAML:2.0:protocol:AuthnRequest")
			metadata, err := h.sp.Metadata(saml.MetadataOptions{Sign: true, Displays: []saml.MetadataDisplay{
				{Name: `Königs "Data" <& more> 数据`, Description: "a\u00A0b"}}})
			if err != nil {
				t.Fatal(err)
			}
			judge.document(t, metadata, "urn:oasis:names:tc:SAML:2.0:metadata:EntityDescriptor")
		})
	}
}

// judges are programs of others that verify signatures.
type judges struct{ openssl, xmllint, xmlsec1 string }

type judge struct {
	judges
	uri, hash  string
	public     crypto.PublicKey
	publicFile string // PEM
	dir        string
}

func (j judges) of(t *testing.T, public crypto.PublicKey, uri, hash string) judge {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	own := judge{judges: j, uri: uri, hash: hash, public: public, dir: t.TempDir()}
	own.publicFile = own.write(t, "public.pem", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	return own
}

func (j judge) write(t *testing.T, name string, data []byte) string {
	t.Helper()
	file := filepath.Join(j.dir, name)
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// verify asks OpenSSL about a signature in the form of XML Signature.
func (j judge) verify(t *testing.T, message []byte, signature string) error {
	t.Helper()
	value, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		t.Fatal(err)
	}
	if public, ok := j.public.(*ecdsa.PublicKey); ok {
		size := (public.Curve.Params().BitSize + 7) / 8
		if len(value) != 2*size {
			t.Fatalf("the signature has %d bytes, want r and s of %d bytes each", len(value), size)
		}
		value, err = asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(value[:size]), new(big.Int).SetBytes(value[size:])})
		if err != nil {
			t.Fatal(err)
		}
	}
	arguments := []string{"dgst", "-" + j.hash, "-verify", j.publicFile, "-signature", j.write(t, "signature", value)}
	if strings.Contains(j.uri, "MGF1") {
		arguments = append(arguments, "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest", "-sigopt", "rsa_mgf1_md:"+j.hash)
	}
	out, err := exec.CommandContext(t.Context(), j.openssl, append(arguments, j.write(t, "message", message))...).CombinedOutput()
	if err != nil {
		return errors.New(string(out))
	}
	return nil
}

// query judges a signed request in an address.
func (j judge) query(t *testing.T, address string) {
	t.Helper()
	_, values := parameters(t, address)
	if got := values.Get("SigAlg"); got != j.uri {
		t.Errorf("got SigAlg %s, want %s", got, j.uri)
	}
	_, query, _ := strings.Cut(address, "?")
	signed, _, _ := strings.Cut(query, "&Signature=")
	if err := j.verify(t, []byte(signed), values.Get("Signature")); err != nil {
		t.Errorf("openssl does not verify the query: %v", err)
	}
	if err := j.verify(t, []byte(signed+"&"), values.Get("Signature")); err == nil {
		t.Error("openssl verifies a changed query")
	}
}

// document judges an enveloped signature, whose root is named by its namespace and local name.
func (j judge) document(t *testing.T, document []byte, root string) {
	t.Helper()
	if got := between(t, document, `<ds:SignatureMethod Algorithm="`, `"`); got != j.uri {
		t.Errorf("got SignatureMethod %s, want %s", got, j.uri)
	}
	digests := map[string]string{"sha256": "http://www.w3.org/2001/04/xmlenc#sha256",
		"sha384": "http://www.w3.org/2001/04/xmldsig-more#sha384", "sha512": "http://www.w3.org/2001/04/xmlenc#sha512"}
	if got := between(t, document, `<ds:DigestMethod Algorithm="`, `"`); got != digests[j.hash] {
		t.Errorf("got DigestMethod %s, want %s", got, digests[j.hash])
	}
	start, end := bytes.Index(document, []byte("<ds:Signature ")), bytes.Index(document, []byte("</ds:Signature>"))+len("</ds:Signature>")
	hash := exec.CommandContext(t.Context(), j.openssl, "dgst", "-"+j.hash, "-binary")
	hash.Stdin = bytes.NewReader(j.canonical(t, append(bytes.Clone(document[:start]), document[end:]...)))
	digest, err := hash.Output()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := between(t, document, "<ds:DigestValue>", "<"), base64.StdEncoding.EncodeToString(digest); got != want {
		t.Errorf("got the digest %s, want %s", got, want)
	}
	info := `<ds:SignedInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#">` + between(t, document, "<ds:SignedInfo>", "</ds:SignedInfo>") +
		"</ds:SignedInfo>"
	if err := j.verify(t, j.canonical(t, []byte(info)), between(t, document, "<ds:SignatureValue>", "<")); err != nil {
		t.Errorf("openssl does not verify SignedInfo: %v", err)
	}
	if strings.Contains(j.uri, "MGF1") { // which xmlsec1 does not know before 1.3
		return
	}
	verify := func(document []byte) ([]byte, error) {
		return exec.CommandContext(t.Context(), j.xmlsec1, "--verify", "--id-attr:ID", root, "--enabled-key-data", "rsa,ecdsa",
			"--pubkey-pem", j.publicFile, j.write(t, "document.xml", document)).CombinedOutput()
	}
	if out, err := verify(document); err != nil {
		t.Errorf("xmlsec1: %v\n%s\n%s", err, out, document)
	}
	changed := bytes.Replace(document, []byte(redirectURL), []byte("https://evil.example/"), 1)
	if out, err := verify(changed); err == nil {
		t.Errorf("xmlsec1 verifies a changed document: %s", out)
	}
}

// canonical is the exclusive canonical form of a document as libxml2 writes it.
func (j judge) canonical(t *testing.T, document []byte) []byte {
	t.Helper()
	command := exec.CommandContext(t.Context(), j.xmllint, "--nonet", "--exc-c14n", "-")
	command.Stdin = bytes.NewReader(document)
	out, err := command.Output()
	if err != nil {
		t.Fatalf("xmllint: %v", err)
	}
	return out
}

func between(t *testing.T, document []byte, before, after string) string {
	t.Helper()
	_, rest, found := strings.Cut(string(document), before)
	value, _, ended := strings.Cut(rest, after)
	if !found || !ended {
		t.Fatalf("%s is not in %s", before, document)
	}
	return value
}

// stubborn is a key in another place that does something else than it was asked to.
type stubborn struct {
	crypto.Signer
	sign func(digest []byte, o crypto.SignerOpts) ([]byte, error)
}

func (s stubborn) Sign(_ io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	return s.sign(digest, o)
}

// TestKeysThatSignOtherwise: what the identity provider would refuse without a reason that anybody
// sees is not sent.
func TestKeysThatSignOtherwise(t *testing.T) {
	rsaKey, rsaDER := signingKey(t)
	p256 := ecdsaKey(t, elliptic.P256())
	ecdsaDER := certificateFor(t, p256)
	for name, test := range map[string]struct {
		key       stubborn
		der       []byte
		algorithm saml.SigningAlgorithm
		want      string // in the cause
		code      saml.Code
	}{
		"PKCS #1 v1.5 in place of RSA-PSS": {stubborn{rsaKey, func(d []byte, o crypto.SignerOpts) ([]byte, error) {
			return rsaKey.Sign(rand.Reader, d, o.HashFunc())
		}}, rsaDER, saml.RSAPSSWithSHA256, "sha256-rsa-MGF1", saml.CodeInternal},
		"a longer salt": {stubborn{rsaKey, func(d []byte, o crypto.SignerOpts) ([]byte, error) {
			return rsaKey.Sign(rand.Reader, d, &rsa.PSSOptions{SaltLength: 64, Hash: o.HashFunc()})
		}}, rsaDER, saml.RSAPSSWithSHA256, "sha256-rsa-MGF1", saml.CodeInternal},
		"RSA-PSS in place of PKCS #1 v1.5": {stubborn{rsaKey, func(d []byte, o crypto.SignerOpts) ([]byte, error) {
			return rsaKey.Sign(rand.Reader, d, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: o.HashFunc()})
		}}, rsaDER, "", "rsa-sha256", saml.CodeInternal},
		"another ECDSA key": {stubborn{p256, func(d []byte, o crypto.SignerOpts) ([]byte, error) {
			return ecdsaKey(t, elliptic.P256()).Sign(rand.Reader, d, o)
		}}, ecdsaDER, "", "ecdsa-sha256", saml.CodeInternal},
		"r and s without ASN.1": {stubborn{p256, func([]byte, crypto.SignerOpts) ([]byte, error) { return make([]byte, 64), nil }},
			ecdsaDER, "", "ecdsa-sha256", saml.CodeInternal},
		"nothing": {stubborn{p256, func([]byte, crypto.SignerOpts) ([]byte, error) { return nil, errors.New("the HSM is away") }},
			ecdsaDER, "", "the HSM is away", saml.CodeKeyUnavailable},
	} {
		h := newHouse(t, func(c *saml.Config) {
			c.SigningKey, c.SigningCertificate, c.SigningAlgorithm = test.key, test.der, test.algorithm
		})
		for _, o := range []saml.LoginOptions{{}, {POST: true}} {
			request, err := h.sp.StartLogin(t.Context(), o)
			if !errors.Is(err, test.code) || !strings.Contains(err.Error(), test.want) || request != nil {
				t.Errorf("%s, %+v: got %v, want %s about %s", name, o, err, string(test.code), test.want)
			}
		}
		if document, err := h.sp.Metadata(saml.MetadataOptions{Sign: true}); !errors.Is(err, test.code) || document != nil {
			t.Errorf("%s, metadata: got %v, want %s", name, err, string(test.code))
		}
	}
}

// chainFor returns a certificate of a key, and that of the authority that issued it.
func chainFor(t *testing.T, key crypto.Signer) [][]byte {
	t.Helper()
	root := ecdsaKey(t, elliptic.P256())
	authority := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"},
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "leaf"},
		NotAfter: time.Now().Add(time.Hour)}
	var chain [][]byte
	for _, row := range []struct {
		template *x509.Certificate
		public   crypto.PublicKey
	}{{leaf, key.Public()}, {authority, root.Public()}} {
		der, err := x509.CreateCertificate(rand.Reader, row.template, authority, row.public, root)
		if err != nil {
			t.Fatal(err)
		}
		chain = append(chain, der)
	}
	return chain
}

// TestSigningAlgorithmMustFitTheKey: what was got and wanted, and what to change.
func TestSigningAlgorithmMustFitTheKey(t *testing.T) {
	rsaKey, rsaDER := signingKey(t)
	p256 := ecdsaKey(t, elliptic.P256())
	p224 := ecdsaKey(t, elliptic.P224())
	with := func(key crypto.Signer, der []byte, algorithm saml.SigningAlgorithm) func(*saml.Config) {
		return func(c *saml.Config) { c.SigningKey, c.SigningCertificate, c.SigningAlgorithm = key, der, algorithm }
	}
	chain := chainFor(t, rsaKey)
	const sha1 = "http://www.w3.org/2000/09/xmldsig#rsa-sha1"
	for name, test := range map[string]struct {
		change                          func(*saml.Config)
		field, message, got, want, hint string
	}{
		"RSA key, ECDSA": {with(rsaKey, rsaDER, saml.ECDSAWithSHA256), "SigningAlgorithm", "which is an RSA key", "ecdsa-sha256",
			"RSAPSSWithSHA256", "Leave Config.SigningAlgorithm empty"},
		"ECDSA key, RSA-PSS": {with(p256, certificateFor(t, p256), saml.RSAPSSWithSHA384), "SigningAlgorithm", "which is an ECDSA key",
			"sha384-rsa-MGF1", "ECDSAWithSHA256", "Leave Config.SigningAlgorithm empty"},
		"SHA-1": {with(rsaKey, rsaDER, sha1), "SigningAlgorithm", "is unknown", sha1, "RSAWithSHA256", "SHA-1 is not offered"},
		"no URI": {with(p256, certificateFor(t, p256), "ES256"), "SigningAlgorithm", "is unknown", "ES256", "ECDSAWithSHA256",
			"Leave Config.SigningAlgorithm empty"},
		"no key": {with(nil, nil, saml.RSAWithSHA256), "SigningAlgorithm", "there is no SigningKey", "rsa-sha256", "none", ""},
		"P-224":  {with(p224, certificateFor(t, p224), ""), "SigningKey", "is not a key", "", "P-256, P-384 or P-521", ""},
		"a curve without a point": {with(&ecdsa.PrivateKey{PublicKey: ecdsa.PublicKey{Curve: elliptic.P256()}}, rsaDER, ""),
			"SigningKey", "is not a key", "", "P-256, P-384 or P-521", ""},
		"no numbers at all": {with(&ecdsa.PrivateKey{}, rsaDER, ""), "SigningKey", "is not a key", "", "P-256, P-384 or P-521", ""},
		"another curve's certificate": {with(p256, rsaDER, ""), "SigningCertificate", "is not the certificate", "",
			"the public key of SigningKey", ""},
		"a further certificate that is none": {func(c *saml.Config) { c.FurtherSigningCertificates = [][]byte{rsaDER, []byte("x")} },
			"FurtherSigningCertificates", "no certificate", "", "DER", ""},
		"a further certificate on P-224": {func(c *saml.Config) { c.FurtherSigningCertificates = [][]byte{certificateFor(t, p224)} },
			"FurtherSigningCertificates", "no certificate of a signing key", "", "P-256", ""},
		"further certificates with their authority": {func(c *saml.Config) { c.FurtherSigningCertificates = chain },
			"FurtherSigningCertificates", "an authority, which issued the certificate \"CN=leaf\"", "CN=authority",
			"without those that issued them", ""},
		"the authority of the signing certificate": {func(c *saml.Config) {
			c.SigningKey, c.SigningCertificate, c.FurtherSigningCertificates = rsaKey, chain[0], chain[1:]
		}, "FurtherSigningCertificates", "an authority", "CN=authority", "without those that issued them", ""},
		"more further certificates than anybody reads": {func(c *saml.Config) {
			for range 17 {
				c.FurtherSigningCertificates = append(c.FurtherSigningCertificates, certificateFor(t, p256))
			}
		}, "FurtherSigningCertificates", "more than 16 certificates", "", "the next certificate", ""},
	} {
		c := saml.Config{BaseURL: "https://c.example.com", StateKeys: [][]byte{saml.NewStateKey()},
			IdentityProvider: newHouse(t, nil).provider(t)}
		test.change(&c)
		_, err := saml.New(c)
		var e *saml.Error
		if list := saml.Errors(err); len(list) != 1 {
			t.Errorf("%s: got %v, want one fault", name, err)
			continue
		} else {
			e = list[0]
		}
		if e.Code != saml.CodeConfig || e.Field != test.field || !strings.Contains(e.Message, test.message) ||
			!strings.Contains(e.Got, test.got) || !strings.Contains(e.Want, test.want) || !strings.Contains(e.Hint, test.hint) {
			t.Errorf("%s: got %+v, want %+v", name, e, test)
		}
	}
}

// provider is the identity provider of the house.
func (h *house) provider(t *testing.T) *saml.IdentityProvider {
	t.Helper()
	p, err := h.sp.IdentityProvider(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

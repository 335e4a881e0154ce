package saml

import (
	"bytes"
	"cmp"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"html"
	"io"
	"log/slog"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	goxmldsig "github.com/russellhaering/goxmldsig"

	"github.com/iomete/saml/internal/testfiles"
	"github.com/iomete/saml/internal/wire"
)

// The addresses and names of the logout tests.
const (
	logoutURL    = "https://console.example.com/api/v1/identity/auth/saml-slo"
	logoutIssuer = "https://idp.example.com/saml"
	logoutID     = "_the-request"

	emailNameID = `<saml:NameID Format="` + formatEmail + `">ann@example.com</saml:NameID>`
)

// A sampleLogout is one logout message, how it is signed and sent, and the conditions under which it
// is judged. Nothing of the verifier is used to make it.
type sampleLogout struct {
	response   bool
	binding    string            // "redirect", "post" or "soap"
	attributes map[string]string // of the root; "" leaves one out
	issuer     string            // element; "" leaves it out
	extensions string
	subject    string // elements of a request behind the Issuer
	status     string // elements of a response behind the Issuer
	encrypted  string // certificate for which the NameID is encrypted, "" if it is not
	plaintext  string // in place of the NameID
	edit       func(xml string) string

	signer     string                        // file of the key in testdata/vectors/keys, "" does not sign
	algorithm  string                        // SigAlg
	asn1       bool                          // writes ECDSA in ASN.1
	enveloped  bool                          // signs inside the XML too, on a redirect
	signed     func(xml string) string       // edits the XML after it was signed inside
	pack       func(xml []byte) []byte       // compresses; default raw DEFLATE
	escape     func(string) string           // percent-encodes; default url.QueryEscape
	relayState *string                       // nil: none
	covered    func(octets string) string    // changes what is signed
	sent       func(query string) string     // changes a query or form after it was signed
	envelope   func(message string) string   // puts a message into a SOAP envelope
	formQuery  string                        // of the address that a form is posted to
	address    string                        // which it comes to
	at         time.Time                     // our clock
	requestID  string                        // of the pending logout
	unsigned   bool                          // AllowUnsignedLogout
	config     func(t testing.TB, c *Config) // other settings
	expired    bool                          // refuses certificates outside their dates
	keys       []string                      // trusted certificates
	idp        string                        // entity ID in the settings
}

// newSampleLogout is a LogoutRequest by HTTP-Redirect that is accepted.
func newSampleLogout() *sampleLogout {
	return &sampleLogout{
		binding: "redirect",
		attributes: map[string]string{"ID": "_m", "Version": "2.0", "IssueInstant": "2026-03-10T09:29:50Z",
			"NotOnOrAfter": "2026-03-10T09:35:00Z", "Destination": logoutURL},
		issuer:    "<saml:Issuer>" + logoutIssuer + "</saml:Issuer>",
		subject:   emailNameID + "<samlp:SessionIndex>_index</samlp:SessionIndex>",
		status:    logoutStatus(statusSuccess),
		signer:    "test-idp-a",
		algorithm: string(RSAWithSHA256),
		address:   logoutURL, at: time.Date(2026, 3, 10, 9, 30, 0, 0, time.UTC), requestID: logoutID,
		keys: []string{"test-idp-a"}, idp: logoutIssuer,
	}
}

// asResponse makes it a LogoutResponse.
func (s *sampleLogout) asResponse() {
	s.response = true
	s.attributes["InResponseTo"] = logoutID
	delete(s.attributes, "NotOnOrAfter")
}

func (s *sampleLogout) asPost() { s.binding = "post" }
func (s *sampleLogout) asSOAP() { s.binding = "soap" }

// asUnsigned leaves out the signature of every kind.
func (s *sampleLogout) asUnsigned() { s.signer = "" }

func logoutStatus(codes ...string) string {
	text := ""
	for i := len(codes) - 1; i >= 0; i-- {
		text = `<samlp:StatusCode Value="` + codes[i] + `">` + text + `</samlp:StatusCode>`
	}
	return "<samlp:Status>" + text + "</samlp:Status>"
}

func (s *sampleLogout) name() string {
	if s.response {
		return "LogoutResponse"
	}
	return "LogoutRequest"
}

const logoutNamespaces = ` xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"` +
	` xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"`

// xml writes the message, without a signature.
func (s *sampleLogout) xml(t testing.TB) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("<samlp:" + s.name() + logoutNamespaces)
	for _, name := range []string{"ID", "Version", "IssueInstant", "NotOnOrAfter", "Destination", "InResponseTo"} {
		if value := s.attributes[name]; value != "" {
			fmt.Fprintf(&b, ` %s="%s"`, name, html.EscapeString(value))
		}
	}
	content := s.subject
	switch {
	case s.response:
		content = s.status
	case s.encrypted != "":
		nameID := cmp.Or(s.plaintext, strings.Replace(emailNameID, " ", logoutNamespaces+" ", 1))
		content = encryptedID(t, s.encrypted, nameID) + "<samlp:SessionIndex>_index</samlp:SessionIndex>"
	}
	b.WriteString(">" + s.issuer + s.extensions + content + "</samlp:" + s.name() + ">")
	if s.edit != nil {
		return s.edit(b.String())
	}
	return b.String()
}

// envelop signs the message inside, by goxmldsig.
func (s *sampleLogout) envelop(t testing.TB, message string) string {
	t.Helper()
	if s.signer == "" {
		return message
	}
	doc := etree.NewDocument()
	if err := doc.ReadFromString(message); err != nil {
		t.Fatal(err)
	}
	context, err := goxmldsig.NewSigningContext(vectorKey(t, s.signer+".key.pem"),
		[][]byte{vectorCertificate(t, s.signer+".crt.pem").Raw})
	if err != nil {
		t.Fatal(err)
	}
	context.Canonicalizer = goxmldsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	made, err := context.ConstructSignature(doc.Root(), true)
	if err != nil {
		t.Fatal(err)
	}
	if issuer := doc.Root().SelectElement("Issuer"); issuer != nil {
		doc.Root().InsertChildAt(issuer.Index()+1, made)
	} else {
		doc.Root().InsertChildAt(0, made)
	}
	text, err := doc.WriteToString()
	if err != nil {
		t.Fatal(err)
	}
	if s.signed != nil {
		return s.signed(text)
	}
	return text
}

// signQuery signs octets as the HTTP-Redirect binding wants it.
func (s *sampleLogout) signQuery(t testing.TB, octets string) []byte {
	t.Helper()
	key := vectorKey(t, s.signer+".key.pem")
	hash, options := crypto.SHA256, crypto.SignerOpts(crypto.SHA256)
	switch {
	case strings.HasSuffix(s.algorithm, "#rsa-sha1"):
		hash, options = crypto.SHA1, crypto.SHA1
	case strings.Contains(s.algorithm, "sha384"):
		hash, options = crypto.SHA384, crypto.SHA384
	case strings.Contains(s.algorithm, "sha512"):
		hash, options = crypto.SHA512, crypto.SHA512
	}
	if strings.HasSuffix(s.algorithm, "-MGF1") {
		options = &rsa.PSSOptions{Hash: hash, SaltLength: rsa.PSSSaltLengthEqualsHash}
	}
	h := hash.New()
	io.WriteString(h, octets)
	value, err := key.Sign(rand.Reader, h.Sum(nil), options)
	if err != nil {
		t.Fatal(err)
	}
	if public, ok := key.Public().(*ecdsa.PublicKey); ok && !s.asn1 {
		var number struct{ R, S *big.Int }
		if _, err := asn1.Unmarshal(value, &number); err != nil {
			t.Fatal(err)
		}
		size := (public.Curve.Params().N.BitLen() + 7) / 8
		value = append(number.R.FillBytes(make([]byte, size)), number.S.FillBytes(make([]byte, size))...)
	}
	return value
}

// query writes the raw query of the HTTP-Redirect binding.
func (s *sampleLogout) query(t testing.TB) string {
	t.Helper()
	escape, pack := s.escape, s.pack
	if escape == nil {
		escape = url.QueryEscape
	}
	if pack == nil {
		pack = rawDeflate
	}
	message := s.xml(t)
	if s.enveloped {
		message = s.envelop(t, message)
	}
	octets := s.parameter() + "=" + escape(base64.StdEncoding.EncodeToString(pack([]byte(message))))
	if s.relayState != nil {
		octets += "&RelayState=" + escape(*s.relayState)
	}
	query := octets
	if s.signer != "" && s.algorithm != "" {
		query += "&SigAlg=" + escape(s.algorithm)
		signed := query
		if s.covered != nil {
			signed = s.covered(signed)
		}
		query += "&Signature=" + escape(base64.StdEncoding.EncodeToString(s.signQuery(t, signed)))
	}
	if s.sent != nil {
		return s.sent(query)
	}
	return query
}

func (s *sampleLogout) parameter() string {
	if s.response {
		return "SAMLResponse"
	}
	return "SAMLRequest"
}

// form writes the raw body of the HTTP-POST binding.
func (s *sampleLogout) form(t testing.TB) string {
	t.Helper()
	message := []byte(s.envelop(t, s.xml(t)))
	if s.pack != nil {
		message = s.pack(message)
	}
	form := s.parameter() + "=" + url.QueryEscape(base64.StdEncoding.EncodeToString(message))
	if s.relayState != nil {
		form += "&RelayState=" + url.QueryEscape(*s.relayState)
	}
	if s.sent != nil {
		return s.sent(form)
	}
	return form
}

// soapEnvelope declares the namespaces of the message, as LemonLDAP::NG does: cut out of it as text,
// the message would not be well-formed.
func soapEnvelope(message string) string {
	return `<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"` + logoutNamespaces +
		`><S:Header/><S:Body>` +
		strings.Replace(message, logoutNamespaces, "", 1) + `</S:Body></S:Envelope>`
}

func (s *sampleLogout) soap(t testing.TB) string {
	t.Helper()
	envelope := s.envelope
	if envelope == nil {
		envelope = soapEnvelope
	}
	return envelope(s.envelop(t, s.xml(t)))
}

func rawDeflate(data []byte) []byte {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.DefaultCompression)
	return packed(&b, w, err, data)
}

func zlibDeflate(data []byte) []byte {
	var b bytes.Buffer
	return packed(&b, zlib.NewWriter(&b), nil, data)
}

func gzipDeflate(data []byte) []byte {
	var b bytes.Buffer
	return packed(&b, gzip.NewWriter(&b), nil, data)
}

func packed(b *bytes.Buffer, w io.WriteCloser, err error, data []byte) []byte {
	if err != nil {
		panic(err) // only for levels that do not exist
	}
	w.Write(data) // a bytes.Buffer does not fail
	w.Close()
	return b.Bytes()
}

// encryptedID encrypts an element for the owner of a certificate (AES-128-GCM, RSA-OAEP).
func encryptedID(t testing.TB, certificate, plaintext string) string {
	t.Helper()
	key, nonce := make([]byte, 16), make([]byte, 12)
	rand.Read(key)
	rand.Read(nonce)
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	wrapped, err := rsa.EncryptOAEP(sha1.New(), rand.Reader,
		vectorCertificate(t, certificate+".crt.pem").PublicKey.(*rsa.PublicKey), key, nil)
	if err != nil {
		t.Fatal(err)
	}
	value := func(octets []byte) string {
		return `<e:CipherData><e:CipherValue>` + base64.StdEncoding.EncodeToString(octets) +
			`</e:CipherValue></e:CipherData>`
	}
	return `<saml:EncryptedID><e:EncryptedData xmlns:e="http://www.w3.org/2001/04/xmlenc#"` +
		` Type="http://www.w3.org/2001/04/xmlenc#Element">` +
		`<e:EncryptionMethod Algorithm="http://www.w3.org/2009/xmlenc11#aes128-gcm"/>` +
		`<ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><e:EncryptedKey>` +
		`<e:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"/>` + value(wrapped) +
		`</e:EncryptedKey></ds:KeyInfo>` + value(gcm.Seal(nonce, nonce, []byte(plaintext), nil)) +
		`</e:EncryptedData></saml:EncryptedID>`
}

// A judgedLogout is what came of a sample.
type judgedLogout struct {
	message *wire.Logout // nil if it could not be read
	verdict logoutVerdict
	outcome logoutOutcome
	refusal *Error // of a request too
}

// provider makes the service that judges the sample.
func (s *sampleLogout) provider(t testing.TB) *ServiceProvider {
	t.Helper()
	var keys []TrustedKey
	for _, name := range s.keys {
		k, err := ParseKeys(testfiles.Key(t, name+".crt.pem"))
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k...)
	}
	idp, err := NewIdentityProvider(s.idp, "https://idp.example.com/login", keys...)
	if err != nil {
		t.Fatal(err)
	}
	c := Config{BaseURL: "https://console.example.com", IdentityProvider: idp, StateKeys: [][]byte{fixedKey(1)},
		Now: func() time.Time { return s.at }, Logger: slog.New(slog.DiscardHandler)}
	if s.config != nil {
		s.config(t, &c)
	}
	sp, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return sp
}

// read reads the sample as it is sent.
func (s *sampleLogout) read(t testing.TB) (m *wire.Logout, err error) {
	t.Helper()
	switch s.binding {
	case "post":
		m, _, err = wire.LogoutFromForm(s.form(t), s.formQuery)
	case "soap":
		m, err = wire.LogoutFromSOAP([]byte(s.soap(t)))
	default:
		m, _, err = wire.LogoutFromQuery(s.query(t))
	}
	return m, err
}

// logoutChecks are the checks of both messages.
type logoutChecks struct {
	request  logoutCheckList
	response []logoutCheck
}

var allLogoutChecks = logoutChecks{logoutRequestChecks, logoutResponseChecks}

// judge reads and judges the sample.
func (s *sampleLogout) judge(t testing.TB, checks logoutChecks) (j judgedLogout) {
	t.Helper()
	sp := s.provider(t)
	m, err := s.read(t)
	if err != nil {
		j.refusal = fromFault(err).atStep(stepMessage).completed(nil)
		return j
	}
	j.message = m
	arrival := logoutArrival{message: m, addresses: []string{s.address}, allowUnsigned: s.unsigned}
	if m.Request {
		j.verdict = sp.judgeLogoutRequest(t.Context(), arrival, checks.request)
		j.refusal = j.verdict.refusal
		return j
	}
	j.outcome, j.refusal = sp.judgeLogoutResponse(t.Context(), arrival, s.requestID, checks.response)
	return j
}

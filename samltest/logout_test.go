package samltest

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"io"
	"math/big"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
)

const logoutURL = "https://console.example.com/api/v1/identity/auth/saml-slo"

// sampleSession is one at the service of the tests.
var sampleSession = Session{Application: redirectURL, User: DefaultUsers()[0],
	NameID: "ioana.turcanu@example.com", NameIDFormat: FormatEmail, SessionIndex: "_assertion"}

func mustLogout(t *testing.T, p *IdentityProvider, l Logout) string {
	t.Helper()
	l.LogoutURL = logoutURL
	document, err := p.LogoutXML(l)
	if err != nil {
		t.Fatal(err)
	}
	return string(document)
}

func TestLogoutIsLaidOutAsEntras(t *testing.T) {
	t.Parallel()
	idp := MustNew(t, Options{Keys: testKeys.rsa(), TenantID: "b0a63ade-3ec7-4d8b-991f-87eb4336274a",
		Now: func() time.Time { return now }})
	const head = ` ID="_m" Version="2.0" IssueInstant="2026-03-14T08:26:53.589Z" Destination="` + logoutURL + `"`
	issuer := `<Issuer xmlns="` + nsAssertion + `">` + idp.EntityID() + `</Issuer>`
	for _, c := range []struct {
		name string
		l    Logout
		want string
	}{
		{"request", Logout{ID: "_m", Session: sampleSession, Unsigned: true}, `<samlp:LogoutRequest` + head +
			` NotOnOrAfter="2026-03-14T09:26:53.589Z" xmlns:samlp="` + nsProtocol + `">` + issuer +
			`<NameID xmlns="` + nsAssertion + `">` + idp.pairwise(redirectURL, sampleSession.User) + `</NameID>` +
			`<samlp:SessionIndex>_assertion</samlp:SessionIndex></samlp:LogoutRequest>`},
		{"answer", Logout{ID: "_m", InResponseTo: "_1", Unsigned: true}, `<samlp:LogoutResponse` + head +
			` InResponseTo="_1" xmlns:samlp="` + nsProtocol + `">` + issuer +
			`<samlp:Status><samlp:StatusCode Value="` + StatusSuccess + `"/></samlp:Status></samlp:LogoutResponse>`},
	} {
		if got := mustLogout(t, idp, c.l); got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
}

// TestLogoutFields: each field changes what it says.
func TestLogoutFields(t *testing.T) {
	t.Parallel()
	idp := MustNew(t, Options{Keys: testKeys.rsa(), Now: func() time.Time { return now }})
	for name, c := range map[string]struct {
		l           Logout
		has, hasNot string
	}{
		"NameID":          {l: Logout{NameID: "a&b"}, has: ">a&amp;b</NameID>"},
		"NameIDFormat":    {l: Logout{NameIDFormat: FormatEmail}, has: ` Format="` + FormatEmail + `"`},
		"NameQualifier":   {l: Logout{NameQualifier: "q"}, has: ` NameQualifier="q"`},
		"SPNameQualifier": {l: Logout{SPNameQualifier: "s"}, has: ` SPNameQualifier="s"`},
		"SessionIndexes": {l: Logout{SessionIndexes: []string{"1", "2"}},
			has: `>1</samlp:SessionIndex><samlp:SessionIndex>2<`},
		"no SessionIndex":  {l: Logout{SessionIndexes: []string{}}, hasNot: "SessionIndex"},
		"Lifetime":         {l: Logout{Lifetime: time.Minute}, has: `NotOnOrAfter="2026-03-14T08:27:53.589Z"`},
		"OmitNotOnOrAfter": {l: Logout{OmitNotOnOrAfter: true}, hasNot: "NotOnOrAfter"},
		"InResponseTo":     {l: Logout{InResponseTo: "_1"}, has: `<samlp:LogoutResponse`, hasNot: "NameID"},
		"Status": {l: Logout{InResponseTo: "_1", Status: StatusResponder},
			has: `Value="` + StatusResponder + `"/>`},
		"SubStatus": {l: Logout{InResponseTo: "_1", SubStatus: StatusPartialLogout},
			has: `Value="` + StatusPartialLogout + `"/></samlp:StatusCode>`},
		"Issuer":         {l: Logout{Issuer: "https://other.example"}, has: `>https://other.example</Issuer>`},
		"Destination":    {l: Logout{Destination: "https://other.example"}, has: `Destination="https://other.example"`},
		"no Destination": {l: Logout{Destination: Absent}, hasNot: "Destination"},
		"ClockOffset":    {l: Logout{ClockOffset: -time.Hour}, has: `IssueInstant="2026-03-14T07:26:53.589Z"`},
		"Unsigned":       {l: Logout{Unsigned: true}, hasNot: "Signature"},
		"Algorithm":      {l: Logout{Algorithm: RSASHA1}, has: "#rsa-sha1"},
		"Style":          {l: Logout{Style: Prefixed}, has: `<saml:NameID>`, hasNot: `xmlns="` + nsAssertion},
		"Edit": {l: Logout{Edit: func(x string) string { return strings.Replace(x, "2.0", "1.1", 1) }},
			has: `Version="1.1"`},
		"EncryptedID": {l: Logout{Encrypt: &Encryption{Certificates: idp.Certificates()}},
			has: `<EncryptedID `, hasNot: `<NameID`},
		"a field of others": {l: Logout{}, hasNot: "Status"},
	} {
		c.l.Session = sampleSession
		got := mustLogout(t, idp, c.l)
		if !strings.Contains(got, c.has) || c.hasNot != "" && strings.Contains(got, c.hasNot) {
			t.Errorf("%s: got %s, want it with %q and without %q", name, got, c.has, c.hasNot)
		}
	}
	for name, l := range map[string]Logout{
		"no LogoutURL":  {Session: sampleSession},
		"no key":        {LogoutURL: logoutURL, Key: 7},
		"no algorithm":  {LogoutURL: logoutURL, Algorithm: "x"},
		"no XML":        {LogoutURL: logoutURL, Edit: func(string) string { return "<" }},
		"EC on RSA key": {LogoutURL: logoutURL, Algorithm: ECDSASHA256},
	} {
		if got, err := idp.LogoutXML(l); err == nil {
			t.Errorf("%s: got %s, want an error", name, got)
		}
	}
}

// TestLogoutSignaturesInside: two others verify what is signed inside, in every style, by every kind of
// key, and where the namespaces are declared on the envelope alone.
func TestLogoutSignaturesInside(t *testing.T) {
	t.Parallel()
	for _, keys := range [][]crypto.Signer{testKeys.rsa(), testKeys.p256(), testKeys.p521()} {
		idp := MustNew(t, Options{Keys: keys})
		for _, style := range []Style{Entra, Prefixed, Pretty} {
			l := Logout{Session: sampleSession, LogoutURL: logoutURL, Style: style}
			verifyBoth(t, []byte(mustLogout(t, idp, l)), idp.Certificates()[0], "LogoutRequest")
			l.InResponseTo = "_1"
			verifyBoth(t, []byte(mustLogout(t, idp, l)), idp.Certificates()[0], "LogoutResponse")
			l.OuterNamespaces = style != Entra
			envelope, err := idp.LogoutEnvelope(l)
			if err != nil {
				t.Fatal(err)
			}
			verifyBoth(t, envelope, idp.Certificates()[0], "Envelope")
		}
	}
}

// TestOuterNamespaces: cut out as text, the message is no document of its own.
func TestOuterNamespaces(t *testing.T) {
	t.Parallel()
	idp := MustNew(t, Options{Keys: testKeys.rsa()})
	envelope, err := idp.LogoutEnvelope(Logout{Session: sampleSession, LogoutURL: logoutURL, Style: Prefixed,
		OuterNamespaces: true})
	if err != nil {
		t.Fatal(err)
	}
	doc := etree.NewDocument()
	if err := doc.ReadFromBytes(envelope); err != nil {
		t.Fatal(err)
	}
	message := doc.FindElement("/Envelope/Body/LogoutRequest")
	if message == nil || message.SelectAttr("xmlns:samlp") != nil || message.NamespaceURI() != nsProtocol {
		t.Errorf("got %s, want the namespaces on the Envelope alone", envelope)
	}
}

// TestASN1Signature: ECDSA inside is r and s, or ASN.1 on request.
func TestASN1Signature(t *testing.T) {
	t.Parallel()
	idp := MustNew(t, Options{Keys: testKeys.p256()})
	for _, encoded := range []bool{false, true} {
		doc := etree.NewDocument()
		if err := doc.ReadFromString(mustLogout(t, idp, Logout{Session: sampleSession, ASN1Signature: encoded})); err != nil {
			t.Fatal(err)
		}
		value, err := base64.StdEncoding.DecodeString(doc.FindElement("//SignatureValue").Text())
		if err != nil || (len(value) == 64) == encoded {
			t.Errorf("ASN1Signature %v: %d bytes, %v", encoded, len(value), err)
		}
	}
}

// query returns the raw query of a redirect.
func (p *IdentityProvider) query(t *testing.T, l Logout) string {
	t.Helper()
	l.LogoutURL = logoutURL
	address, err := p.LogoutRedirect(l)
	if err != nil {
		t.Fatal(err)
	}
	query, ok := strings.CutPrefix(address, logoutURL+"?")
	if !ok {
		t.Fatalf("got the address %s", address)
	}
	return query
}

// names returns the names of the parameters of a query in their order.
func names(query string) (list []string) {
	for part := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(part, "=")
		list = append(list, name)
	}
	return list
}

var bigDigits = regexp.MustCompile(`%(.?)[A-F]`)

func TestRedirectForm(t *testing.T) {
	t.Parallel()
	idp := MustNew(t, Options{Keys: testKeys.rsa()})
	request := Logout{Session: sampleSession}
	for _, c := range []struct {
		name   string
		change func(*Logout)
		want   string // names of the parameters
	}{
		{"Entra's way", func(*Logout) {}, "SAMLRequest Signature SigAlg"},
		{"an answer", func(l *Logout) { l.InResponseTo = "_1" }, "SAMLResponse Signature SigAlg"},
		{"a RelayState", func(l *Logout) { l.RelayState = "a b" }, "SAMLRequest RelayState Signature SigAlg"},
		{"an empty RelayState", func(l *Logout) { l.EmptyRelayState = true }, "SAMLRequest RelayState Signature SigAlg"},
		{"unsigned", func(l *Logout) { l.Unsigned = true }, "SAMLRequest"},
		{"OneLogin's order", func(l *Logout) {
			l.RelayState, l.Redirect.Order = "r", []string{"SAMLRequest", "SigAlg", "Signature", "RelayState"}
		}, "SAMLRequest SigAlg Signature RelayState"},
		{"without SigAlg", func(l *Logout) { l.Redirect.Order = []string{"SAMLRequest", "Signature"} },
			"SAMLRequest Signature"},
		{"a stranger", func(l *Logout) { l.Redirect.Edit = func(q string) string { return "x=1&" + q } },
			"x SAMLRequest Signature SigAlg"},
	} {
		l := request
		c.change(&l)
		query := idp.query(t, l)
		if got := strings.Join(names(query), " "); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
		if bigDigits.MatchString(query) {
			t.Errorf("%s: got %s, want small hexadecimal digits alone", c.name, query)
		}
	}
	request.Redirect.Escape = url.QueryEscape
	if query := idp.query(t, request); !strings.Contains(query, "%3A%2F%2F") {
		t.Errorf("url.QueryEscape: got %s", query)
	}
	const withQuery = logoutURL + "?tenant=a"
	address, err := idp.LogoutRedirect(Logout{LogoutURL: withQuery})
	if err != nil || !strings.HasPrefix(address, withQuery+"&SAMLRequest=") {
		t.Errorf("an address with a query: got %s, %v", address, err)
	}
}

// TestCompression: what is sent can be read back as it says, and in no other way.
func TestCompression(t *testing.T) {
	t.Parallel()
	idp := MustNew(t, Options{Keys: testKeys.rsa()})
	inflate := func(data []byte) ([]byte, error) { return io.ReadAll(flate.NewReader(bytes.NewReader(data))) }
	for c, unpack := range map[Compression]func([]byte) ([]byte, error){
		Deflate: inflate,
		ZlibDeflate: func(data []byte) ([]byte, error) {
			r, err := zlib.NewReader(bytes.NewReader(data))
			if err != nil {
				return nil, err
			}
			return io.ReadAll(r)
		},
		Uncompressed: func(data []byte) ([]byte, error) { return data, nil },
	} {
		values, err := url.ParseQuery(idp.query(t, Logout{Redirect: RedirectForm{Compression: c}}))
		if err != nil {
			t.Fatal(err)
		}
		data, err := base64.StdEncoding.DecodeString(values.Get("SAMLRequest"))
		if err != nil {
			t.Fatal(err)
		}
		if text, err := unpack(data); err != nil || !bytes.HasPrefix(text, []byte("<samlp:LogoutRequest ")) {
			t.Errorf("compression %d: got %.40q, %v", c, text, err)
		}
		if _, err := inflate(data); (err == nil) != (c == Deflate) {
			t.Errorf("compression %d, read as raw DEFLATE: %v", c, err)
		}
	}
}

// TestSignedQueries: openssl verifies the signature of a query over its characters, and so does this
// package, by every algorithm and in both forms of ECDSA. Neither does so once a character is changed.
func TestSignedQueries(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		algorithm Algorithm
		keys      []crypto.Signer
		asn1      bool
	}{
		{RSASHA1, testKeys.rsa(), false}, {RSASHA256, testKeys.rsa(), false}, {RSASHA384, testKeys.rsa(), false},
		{RSASHA512, testKeys.rsa(), false}, {RSAPSSSHA256, testKeys.rsa(), false},
		{RSAPSSSHA384, testKeys.rsa(), false}, {RSAPSSSHA512, testKeys.rsa(), false},
		{ECDSASHA256, testKeys.p256(), false}, {ECDSASHA384, testKeys.p384(), false},
		{ECDSASHA512, testKeys.p521(), true}, {ECDSASHA256, testKeys.p256(), true},
	} {
		idp := MustNew(t, Options{Keys: c.keys})
		query := idp.query(t, Logout{Session: sampleSession, RelayState: "a b/c", Algorithm: c.algorithm,
			ASN1Signature: c.asn1})
		certificate, err := x509.ParseCertificate(idp.Certificates()[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, spoiled := range []bool{false, true} {
			if spoiled {
				query = strings.Replace(query, "a+b%2fc", "a+b%2Fc", 1)
			}
			if got := verifyQuery(query, "SAMLRequest", certificate.PublicKey); got == spoiled {
				t.Errorf("%s, ASN.1 %v, spoiled %v: we say %v", c.algorithm, c.asn1, spoiled, got)
			}
			if got := opensslVerifies(t, query, c.algorithm, certificate, c.asn1); got == spoiled {
				t.Errorf("%s, ASN.1 %v, spoiled %v: openssl says %v", c.algorithm, c.asn1, spoiled, got)
			}
		}
	}
}

// opensslVerifies asks openssl about the signature of a query, over its raw characters.
func opensslVerifies(t *testing.T, query string, a Algorithm, certificate *x509.Certificate, encoded bool) bool {
	t.Helper()
	raw := map[string]string{}
	for part := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(part, "=")
		raw[name] = value
	}
	text, err := url.QueryUnescape(raw["Signature"])
	if err != nil {
		t.Fatal(err)
	}
	signature, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(a), "#ecdsa") && !encoded { // openssl knows ASN.1 alone
		half := len(signature) / 2
		r, s := new(big.Int).SetBytes(signature[:half]), new(big.Int).SetBytes(signature[half:])
		if signature, err = asn1.Marshal(struct{ R, S *big.Int }{r, s}); err != nil {
			t.Fatal(err)
		}
	}
	public, err := x509.MarshalPKIXPublicKey(certificate.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	octets := "SAMLRequest=" + raw["SAMLRequest"] + "&RelayState=" + raw["RelayState"] + "&SigAlg=" + raw["SigAlg"]
	for name, data := range map[string][]byte{"octets": []byte(octets), "value": signature,
		"key": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	hash := "-sha" + map[bool]string{true: "1"}[a == RSASHA1]
	for _, bits := range []string{"256", "384", "512"} {
		if strings.Contains(string(a), "sha"+bits) {
			hash += bits
		}
	}
	args := []string{"dgst", hash, "-verify", "key", "-signature", "value"}
	if strings.HasSuffix(string(a), "-MGF1") {
		args = append(args, "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest")
	}
	command := exec.Command(tool(t, "openssl", "openssl"), slices.Concat(args, []string{"octets"})...)
	command.Dir = dir
	output, err := command.CombinedOutput()
	if err != nil && !bytes.Contains(output, []byte("Verification failure")) {
		t.Fatalf("openssl: %v, %s", err, output)
	}
	return err == nil
}

package saml

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/iomete/saml/internal/dsig"
	"github.com/iomete/saml/internal/xmltree"
)

// responseFixture is the description of a real response (responses/*.json).
type responseFixture struct {
	File     string
	Verdict  string // accept, reject, policy, signature-only
	Requires []string
	Form     string // response, assertion, malformed
	Facts    struct {
		NameID     string
		Attributes []struct {
			Name   string
			Values []string
		}
	}
	Encryption struct{ TestKey string }
	Config     struct {
		IdPEntityID, SPEntityID, ACSURL, RequestID string
		Now                                        time.Time
		IdPInitiated                               bool
		Certificate                                string
	}
}

// code signs the fixture's configuration in and gives the code of the refusal, "accepted" if there
// is none.
func (f *responseFixture) code(t *testing.T, policy NameIDPolicy) (Code, *Login) {
	t.Helper()
	sp, err := f.serviceProvider(t, policy)
	if err == nil {
		var login *Login
		r := FormResponse{SAMLResponse: base64.StdEncoding.EncodeToString(readFixture(t, "responses/"+f.File)),
			RequestID: f.Config.RequestID}
		if login, err = sp.FinishLogin(t.Context(), r); err == nil {
			return accepted, login
		}
	}
	var refusal *Error
	if !errors.As(err, &refusal) {
		t.Fatalf("%s: the error is no *Error: %v", f.File, err)
	}
	return refusal.Code, nil
}

const accepted Code = "accepted"

// serviceProvider is configured as the fixture says. Where it has no usable redirect URL or entity
// ID, others stand in: such a file must be refused anyway.
func (f *responseFixture) serviceProvider(t *testing.T, policy NameIDPolicy) (*ServiceProvider, error) {
	t.Helper()
	c := f.Config
	keys := []TrustedKey{testKey(t)}
	if c.Certificate != "" {
		var err error
		if keys, err = ParseKeys(readFixture(t, "responses/"+c.Certificate)); err != nil {
			return nil, err
		}
	}
	if f.Verdict == "reject" { // must be refused even where such a key is trusted
		for i := range keys {
			keys[i].unusable = nil
		}
	}
	idp, err := NewIdentityProvider(orElse(c.IdPEntityID, "https://idp.example.com"), "https://idp.example.com/sso",
		keys...)
	if err != nil {
		return nil, err
	}
	redirect, err := url.Parse(c.ACSURL)
	if err != nil || redirect.Host == "" {
		redirect = &url.URL{Scheme: "https", Host: "sp.example.com", Path: "/acs"}
	}
	config := Config{
		BaseURL: redirect.Scheme + "://" + redirect.Host, RedirectPath: orElse(redirect.Path,
			"/"), EntityID: c.SPEntityID,
		IdentityProvider: idp, StateKeys: [][]byte{NewStateKey()}, NameID: policy, InsecureAllowHTTP: true,
		InsecureAllowSHA1: f.Verdict == "reject" ||
			slices.Contains(f.Requires,
				"sha1"), Now: func() time.Time { return c.Now }, Store: vectorStore{MemoryStore: NewMemoryStore()},
	}
	if redirect.String() != config.BaseURL+config.RedirectPath { // an address with a query, or without a path
		config.FormerRedirectURLs = []string{redirect.String()}
	}
	if f.Encryption.TestKey != "" {
		config.DecryptionKeys = []DecryptionKey{{Key: readPrivateKey(t,
			readFixture(t, "responses/"+f.Encryption.TestKey))}}
	}
	if c.IdPInitiated {
		config.Unsolicited = AllowUnsolicited
	}
	return New(config)
}

// readPrivateKey reads PEM of PKCS #8 or PKCS #1.
func readPrivateKey(t *testing.T, data []byte) *rsa.PrivateKey {
	t.Helper()
	block, _ := pem.Decode(data)
	if block == nil {
		t.Fatal("no PEM")
	}
	if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
		return key.(*rsa.PrivateKey)
	}
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// refusedByDecision are real files that others accept (RULES: "honest files that are refused by
// decision").
var refusedByDecision = map[string]Code{
	// an empty URI
	"oktadev-2.xml": CodeReferenceURI, "oktadev-9.xml": CodeReferenceURI, "oktadev-10.xml": CodeReferenceURI,
	"adfs-6.xml": CodeWeakKey, "demo-1.xml": CodeWeakKey, "oam-1.xml": CodeWeakKey, // RSA with 1024 bits
	"keycloak-1.xml": CodeAuthnStatementMissing,
	"olgn-50.xml":    CodeDestination, // a signed Response whose Destination is empty
}

// refusedFor says why each file with the verdict "reject" is refused.
var refusedFor = map[string]Code{
	"adfs-4.xml": CodeStatus, "adfs-5.xml": CodeSignatureStructure, "advice-1.xml": CodeAssertionCount, "attacker-key-1.xml": CodeSignature,
	"baddup-1.xml": CodeAssertionCount, "comment-1.xml": CodeComment, "cve-2025-66475-1.xml": CodeNamespace, "entra-3.xml": CodeDigest,
	"exturi-1.xml": CodeDestination, "fusionauth-1.xml": CodeSignature, "object-1.xml": CodeAssertionCount, "okta-1.xml": CodeDigest,
	"okta-4.xml": CodeDigest, "okta-5.xml": CodeDigest, "okta-6.xml": CodeDigest, "oktadev-1.xml": CodeUnsigned, "oktadev-4.xml": CodeDestination,
	"oktadev-6.xml": CodeReferenceURI, "oktadev-7.xml": CodeSchema, "oktadev-12.xml": CodeUnsigned, "oktadev-14.xml": CodeStatus,
	"oktadev-16.xml": CodeEncoding, "olgn-11.xml": CodeDigest, "olgn-15.xml": CodeDigest, "olgn-33.xml": CodeSignature,
	"olgn-51.xml": CodeDestination, "olgn-53.xml": CodeAudience, "olgn-56.xml": CodeDestination, "olgn-81.xml": CodeUnsigned,
	"olgn-97.xml": CodeDecryption, "simplesamlphp-1.xml": CodeTooOld, "status-1.xml": CodeStatus, "wrap-1.xml": CodeAssertionCount,
	"wrap-2.xml": CodeAssertionCount, "wrap-3.xml": CodeAssertionCount, "wrap-4.xml": CodeComment, "wrap-5.xml": CodeAssertionCount,
	"wrap-6.xml": CodeAssertionCount, "xpath-1.xml": CodeAssertionCount, "xslt-1.xml": CodeDestination, "xsw-1.xml": CodeAssertionCount,
	"xsw-3.xml": CodeAssertionCount, "xsw-4.xml": CodeAssertionCount, "xsw-6.xml": CodeAssertionCount, "xsw-7.xml": CodeAssertionCount,
	"xsw-9.xml": CodeAssertionCount, "xxe-1.xml": CodeDoctype,
}

// want is the code that the file must give with AllowAnyNameID.
func (f *responseFixture) want(t *testing.T) Code {
	t.Helper()
	if code, ok := refusedByDecision[f.File]; ok {
		return code
	}
	switch {
	case f.Verdict == "accept":
		return accepted
	case f.Verdict == "reject" && refusedFor[f.File] != "":
		return refusedFor[f.File]
	}
	t.Errorf("%s: verdict %q without an expected code", f.File, f.Verdict)
	return ""
}

func responseFixtures(t *testing.T) []responseFixture {
	t.Helper()
	var list []responseFixture
	for _, name := range listFixtures(t, "responses/*.json") {
		var f responseFixture
		readFixtureJSON(t, name, &f)
		list = append(list, f)
	}
	return list
}

// TestRealResponses runs every real response through FinishLogin as its description says, with
// AllowAnyNameID. Files with the verdict "reject" meet a service provider that trusts weak keys and
// SHA-1, and must be refused all the same.
func TestRealResponses(t *testing.T) {
	counts := map[string]int{}
	for _, f := range responseFixtures(t) {
		if f.Verdict == "signature-only" {
			f.checkSignature(t)
			counts["signature only"]++
			continue
		}
		want := f.want(t)
		got, login := f.code(t, AllowAnyNameID)
		t.Logf("%-21s %-7s %s", f.File, f.Verdict, string(got))
		if got != want {
			t.Errorf("%s: got %s, want %s", f.File, string(got), string(want))
		}
		if login != nil {
			f.checkIdentity(t, login)
		}
		counts[f.Verdict+" in the description, "+map[bool]string{true: "accepted", false: "refused"}[got == accepted]]++
	}
	t.Log(counts)
}

// checkIdentity compares what FinishLogin read with what other tools read in the same file.
func (f *responseFixture) checkIdentity(t *testing.T, login *Login) {
	t.Helper()
	if got := login.Assertion.NameID.Value; got != f.Facts.NameID {
		t.Errorf("%s: NameID %q, want %q", f.File, got, f.Facts.NameID)
	}
	want := map[string][]string{} // the description lists repeated attributes apart
	for _, a := range f.Facts.Attributes {
		want[a.Name] = append(want[a.Name], a.Values...)
	}
	for name, values := range want {
		if got := login.Assertion.Attributes.Values(name); !slices.Equal(got, values) {
			t.Errorf("%s: attribute %s is %q, want %q", f.File, name, got, values)
		}
	}
	if got := len(login.Assertion.Attributes); got != len(want) {
		t.Errorf("%s: %d attributes, want %d", f.File, got, len(want))
	}
}

// wrongSignatureForm are files whose signature others verify although it is not in the form of the
// standard: an ECDSA signature is r and s (XML Signature 1.1 §6.4.3), here it is ASN.1, which
// xmlsec1 refuses too.
var wrongSignatureForm = map[string]Code{"ecdsa-1.xml": CodeSignature}

// checkSignature is for files that are no complete response: only the signature is looked at.
func (f *responseFixture) checkSignature(t *testing.T) {
	t.Helper()
	doc, err := xmltree.Parse(readFixture(t, "responses/"+f.File), xmltree.Options{})
	if err != nil {
		t.Fatalf("%s: %v", f.File, err)
	}
	keys, err := ParseKeys(readFixture(t, "responses/"+f.Config.Certificate))
	if err != nil {
		t.Fatalf("%s: %v", f.File, err)
	}
	found := 0
	for _, parent := range append(slices.Collect(doc.Root().Descendants()), doc.Root()) {
		s, err := dsig.Of(parent)
		if err != nil {
			t.Fatalf("%s: %v", f.File, err)
		}
		if !s.Exists() {
			continue
		}
		found++
		_, err = s.Verify(publicKeys(keys), dsig.Policy{})
		if want := wrongSignatureForm[f.File]; err == nil && want != "" || err != nil && fromFault(err).Code != want {
			t.Errorf("%s: got %v, want %q", f.File, err, string(want))
		}
	}
	if found == 0 {
		t.Errorf("%s: no signature", f.File)
	}
}

// TestRealResponsesWithEmailNameID is the same with the default policy. What each NameID leads to
// was written down from its text: an address, a guest's user principal name, or neither.
func TestRealResponsesWithEmailNameID(t *testing.T) {
	notAnAddress := map[string]Code{
		"adfs-2.xml":    CodeNameIDNotEmail, // transient
		"auth0-1.xml":   CodeNameIDNotEmail, // google-oauth2|1176...
		"entra-1.xml":   CodeNameIDGuest,
		"entra-2.xml":   CodeNameIDNotEmail, // pairwise
		"okta-2.xml":    CodeNameIDNotEmail, // a user name
		"pingone-1.xml": CodeNameIDNotEmail, // a GUID
	}
	for _, f := range responseFixtures(t) {
		if f.Verdict == "signature-only" {
			continue
		}
		want, ok := notAnAddress[f.File]
		if !ok {
			want = f.want(t)
		}
		got, login := f.code(t, EmailNameID)
		t.Logf("%-21s %s", f.File, string(got))
		if got != want {
			t.Errorf("%s: got %s, want %s", f.File, string(got), string(want))
		}
		if login != nil && login.Identity.Email != f.Facts.NameID {
			t.Errorf("%s: Email %q, want %q", f.File, login.Identity.Email, f.Facts.NameID)
		}
	}
}

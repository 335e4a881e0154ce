package saml

import (
	"crypto/elliptic"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// metadataFixture is the description of a real metadata document (metadata/*.json).
type metadataFixture struct {
	File       string
	Expect     string // parse..., refuse..., aggregate
	EntityIDs  []string
	ValidUntil *time.Time
	Signatures []struct{ On, XMLSec1 string }
	IdPs       []struct {
		Keys []struct {
			SHA256, SHA1, Subject, Use string
			NotBefore, NotAfter        time.Time
		}
		SingleSignOn, SingleLogout []struct{ Binding, Location string }
		WantAuthnRequestsSigned    any
	}
}

// metadataRefusals are the documents that are refused, and why.
var metadataRefusals = map[string]Code{
	"entra-1.xml":         CodeMetadataTenant, // {tenantid}
	"entra-7.xml":         CodeMetadataTenant,
	"google-4.xml":        CodeXMLDeclaration, // behind a comment; it has no usable login URL either
	"google-5.xml":        CodeXMLDeclaration, // likewise, and no entity ID
	"nested-1.xml":        CodeMetadataAggregate,
	"simplesamlphp-2.xml": CodeNamespace,
	"sponly-1.xml":        CodeMetadataRole,
}

// validUntilOfCollections is what the root of a collection says, which the descriptions leave out.
var validUntilOfCollections = map[string]time.Time{"vmware-1.xml": time.Date(2014, 5, 15, 19, 5, 47, 0, time.UTC)}

// keysInComments are keys that a description has from a comment, which is not read.
var keysInComments = map[string]string{"shibboleth-1.xml": "83f3fee451358c5f60769603c27f9f64d3b652b3c97ae7dc5786dee56c72b32d"}

func TestRealMetadata(t *testing.T) {
	for _, name := range listFixtures(t, "metadata/*.json") {
		var f metadataFixture
		readFixtureJSON(t, name, &f)
		document := readFixture(t, "metadata/"+f.File)
		idp, err := ParseMetadata(document)
		if want, refused := metadataRefusals[f.File]; refused {
			t.Logf("%-20s refused: %v", f.File, err)
			if !errors.Is(err, want) {
				t.Errorf("%s: got %v, want %s", f.File, err, string(want))
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", f.File, err)
			continue
		}
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		t.Logf("%-20s %s, %d keys, warnings %v", f.File, idp.EntityID(), len(idp.Keys()), codesOf(idp.Warnings(now)))
		f.compare(t, idp)
	}
}

// compare holds what was read against what other tools read in the same document.
func (f *metadataFixture) compare(t *testing.T, idp *IdentityProvider) {
	t.Helper()
	want := f.IdPs[0]
	if idp.EntityID() != f.EntityIDs[0] {
		t.Errorf("%s: entity ID %q, want %q", f.File, idp.EntityID(), f.EntityIDs[0])
	}
	if got := idp.LoginURL(); got != location(want.SingleSignOn, "HTTP-Redirect", "HTTP-POST") {
		t.Errorf("%s: login URL %q", f.File, got)
	}
	if got := idp.LogoutURL(); got != location(want.SingleLogout, "HTTP-Redirect") {
		t.Errorf("%s: logout URL %q", f.File, got)
	}
	var keys []string
	for _, k := range want.Keys {
		if k.Use != "encryption" && k.SHA256 != keysInComments[f.File] && !slices.Contains(keys, k.SHA256) {
			keys = append(keys, k.SHA256)
		}
	}
	var got []string
	for _, k := range idp.Keys() {
		got = append(got, strings.ToLower(k.ThumbprintSHA256()))
		for _, w := range want.Keys {
			if w.SHA256 == strings.ToLower(k.ThumbprintSHA256()) &&
				(!k.NotBefore().Equal(w.NotBefore) || !k.NotAfter().Equal(w.NotAfter) ||
					!strings.EqualFold(k.ThumbprintSHA1(), w.SHA1)) {
				t.Errorf("%s: certificate %s reads as %s to %s, want %s to %s", f.File, k.ThumbprintSHA1(),
					k.NotBefore(), k.NotAfter(), w.NotBefore, w.NotAfter)
			}
		}
	}
	if !slices.Equal(got, keys) {
		t.Errorf("%s: keys %v, want %v", f.File, got, keys)
	}
	if until, ok := validUntilOfCollections[f.File]; ok && f.ValidUntil == nil {
		f.ValidUntil = &until
	}
	if until := f.ValidUntil; until != nil && !idp.ValidUntil().Equal(*until) || until == nil &&
		!idp.ValidUntil().IsZero() {
		t.Errorf("%s: valid until %s, want %v", f.File, idp.ValidUntil(), until)
	}
	broken := slices.ContainsFunc(f.Signatures, func(s struct{ On, XMLSec1 string }) bool { return s.XMLSec1 != "OK" })
	if got := slices.Contains(codesOf(idp.Warnings(time.Time{})), "signature_broken"); got != broken {
		t.Errorf("%s: signature_broken %t, want %t", f.File, got, broken)
	}
}

func location(list []struct{ Binding, Location string }, bindings ...string) string {
	for _, b := range bindings {
		for _, e := range list {
			if e.Binding == b {
				return e.Location
			}
		}
	}
	return ""
}

func codesOf(warnings []Warning) (codes []string) {
	for _, w := range warnings {
		codes = append(codes, w.Code)
	}
	return codes
}

func privateDER(t testing.TB) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(testRSAKey(t))
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// entityXML is a small metadata document of an identity provider; parts go into its role.
func entityXML(attributes, parts string) string {
	return `<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:ds="http://www.w3.org/2000/09/xmldsig#" ` + attributes +
		`><md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">` + parts +
		`</md:IDPSSODescriptor></md:EntityDescriptor>`
}

func keyXML(use string, der []byte) string {
	return `<md:KeyDescriptor` + use + `><ds:KeyInfo><ds:X509Data><ds:X509Certificate>` +
		base64.StdEncoding.EncodeToString(der) +
		`</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>`
}

func ssoXML(binding, location string) string {
	return `<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:` + binding + `" Location="` +
		location + `"/>`
}

func TestMetadataThatIsRefused(t *testing.T) {
	der := testKey(t).DER()
	key, sso := keyXML(` use="signing"`, der), ssoXML("HTTP-Redirect", "https://idp.example.com/sso")
	entity := `entityID="https://idp.example.com"`
	good := entityXML(entity, key+sso)
	if _, err := ParseMetadata([]byte(good)); err != nil {
		t.Fatal(err)
	}
	utf16 := []byte{0xFF, 0xFE}
	for _, c := range good {
		utf16 = append(utf16, byte(c), 0)
	}
	many := ""
	for range maxKeys + 1 {
		many += keyXML("", testCertificate(t, newECKey(t, elliptic.P256())))
	}
	for _, test := range []struct {
		name, document string
		code           Code
		message        string
	}{
		{"nothing", "", CodeMetadata, "empty"},
		{"a byte order mark alone", "\uFEFF", CodeMetadata, "empty"},
		{"a sign-in page", "\r\n<!DOCTYPE html>\n<html lang=\"en\"><head>", CodeMetadata, "web page"},
		{"an XHTML page", `<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"/>`, CodeMetadata,
			"web page"},
		{"a certificate", armor("CERTIFICATE", der), CodeMetadata, "a certificate"},
		{"a certificate in base64", base64.StdEncoding.EncodeToString(testCertificate(t, testRSAKey(t))),
			CodeMetadata, "a certificate"},
		{"a certificate in DER", string(der), CodeMetadata, "a certificate"},
		{"a private key", armor("PRIVATE KEY", der), CodePrivateKey, "private key"},
		{"a certificate behind text", "Certificate:\n    Data:\n" + armor("CERTIFICATE", der), CodeMetadata,
			"a certificate"},
		{"a private key in bare base64", base64.StdEncoding.EncodeToString(privateDER(t)), CodePrivateKey,
			"private key"},
		{"a private key in DER", string(privateDER(t)), CodePrivateKey, "private key"},
		{"JSON", `{"issuer": "https://idp.example.com"}`, CodeMetadata, "JSON"},
		{"a sentence", "see attachment", CodeMetadata, "not XML"},
		{"five megabytes", good + strings.Repeat(" ", 5<<20), CodeTooLarge, "bytes"},
		{"UTF-16", string(utf16), CodeEncoding, "UTF-16"},
		{"half of a file", good[:len(good)/2], CodeXMLSyntax, "ends before an element is closed"},
		{"a DOCTYPE", "<!DOCTYPE x>" + good, CodeDoctype, "DOCTYPE"},
		{"another XML document", "<project/>", CodeMetadata, "not SAML metadata"},
		{"a response", `<p:Response xmlns:p="urn:oasis:names:tc:SAML:2.0:protocol"/>`, CodeMetadata,
			"not SAML metadata"},
		{"metadata of a service", strings.ReplaceAll(good, "IDPSSODescriptor", "SPSSODescriptor"), CodeMetadataRole,
			"IDPSSODescriptor"},
		{"metadata for SAML 1.1", strings.Replace(good, `Enumeration="urn:oasis:names:tc:SAML:2.0:protocol"`,
			`Enumeration="urn:oasis:names:tc:SAML:1.1:protocol"`, 1), CodeMetadataRole, "SAML 2.0"},
		{"no entity ID", entityXML("", key+sso), CodeMetadataEntityID, "missing"},
		{"a long entity ID", entityXML(`entityID="`+strings.Repeat("e", 1025)+`"`, key+sso), CodeMetadataEntityID,
			"too long"},
		{"the metadata for every tenant", entityXML(`entityID="https://sts.windows.net/{tenantid}/"`, key+sso),
			CodeMetadataTenant, "placeholder"},
		{"no login URL", entityXML(entity, key), CodeMetadataLoginURL, "no usable single sign-on"},
		{"a login URL by SOAP alone", entityXML(entity, key+ssoXML("SOAP", "https://idp.example.com/soap")),
			CodeMetadataLoginURL, "no usable single sign-on"},
		{"a login URL that is a script", entityXML(entity, key+ssoXML("HTTP-Redirect", "javascript:alert(1)")),
			CodeMetadataLoginURL, "no usable single sign-on"},
		{"a login URL without a host", entityXML(entity, key+ssoXML("HTTP-POST", "/sso")), CodeMetadataLoginURL,
			"no usable single sign-on"},
		{"no key", entityXML(entity, sso), CodeMetadataKeys, "no signing certificate"},
		{"a key for encryption alone", entityXML(entity, keyXML(` use="encryption"`, der)+sso), CodeMetadataKeys,
			"no signing certificate"},
		{"a key outside the role", strings.Replace(entityXML(entity, sso), "<md:IDPSSODescriptor",
			"<md:AttributeAuthorityDescriptor>"+key+"</md:AttributeAuthorityDescriptor><md:IDPSSODescriptor", 1), CodeMetadataKeys, "no signing certificate"},
		{"17 keys", entityXML(entity, many+sso), CodeKey, "more than 16 certificates"},
		{"two identity providers", `<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata">` + good +
			strings.ReplaceAll(good, "idp.example.com", "idp.example.org") +
			`</md:EntitiesDescriptor>`, CodeMetadataAggregate, "collection"},
	} {
		idp, err := ParseMetadata([]byte(test.document))
		if !errors.Is(err, test.code) || !strings.Contains(err.Error(), test.message) || idp != nil {
			t.Errorf("%s: got %v, want %s with %q", test.name, err, string(test.code), test.message)
		}
	}
}

func TestMetadataThatIsTaken(t *testing.T) {
	der := testKey(t).DER()
	key, sso := keyXML("", der), ssoXML("HTTP-Redirect", "https://idp.example.com/sso")
	good := entityXML(`entityID="https://idp.example.com"`, key+sso)
	other := strings.ReplaceAll(good, "idp.example.com", "idp.example.org")
	aggregate := `<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata"><md:EntitiesDescriptor>` +
		good + `</md:EntitiesDescriptor>` + other + `</md:EntitiesDescriptor>`
	for _, test := range []struct {
		name, document string
		options        ParseMetadataOptions
		login          string
	}{
		{"as it is", good, ParseMetadataOptions{}, "https://idp.example.com/sso"},
		{"with a byte order mark and a comment", "\uFEFF<?xml version=\"1.0\" encoding=\"utf-8\"?><!-- x -->" + good,
			ParseMetadataOptions{}, "https://idp.example.com/sso"},
		{"behind blank lines", "\r\n\r\n" + good, ParseMetadataOptions{}, "https://idp.example.com/sso"},
		{"a POST endpoint before the redirect",
			entityXML(`entityID="x"`,
				key+ssoXML("HTTP-POST", "https://idp.example.com/post")+sso), ParseMetadataOptions{}, "https://idp.example.com/sso"},
		{"a POST endpoint alone", entityXML(`entityID="x"`, key+ssoXML("HTTP-POST", "https://idp.example.com/post")),
			ParseMetadataOptions{}, "https://idp.example.com/post"},
		{"a useless endpoint before a good one", entityXML(`entityID="x"`, key+ssoXML("HTTP-Redirect", "")+sso),
			ParseMetadataOptions{}, "https://idp.example.com/sso"},
		{"one of a collection, by name", aggregate, ParseMetadataOptions{EntityID: "https://idp.example.org"},
			"https://idp.example.org/sso"},
		{"one of a nested collection, by name", aggregate, ParseMetadataOptions{EntityID: "https://idp.example.com"},
			"https://idp.example.com/sso"},
		{"a collection of one", strings.Replace(aggregate, other, "", 1), ParseMetadataOptions{},
			"https://idp.example.com/sso"},
		{"an unreadable certificate beside a good one",
			entityXML(`entityID="x"`,
				strings.Replace(key, "MI", "M", 1)+key+sso), ParseMetadataOptions{}, "https://idp.example.com/sso"},
	} {
		idp, err := ParseMetadata([]byte(test.document), test.options)
		if err != nil || idp.LoginURL() != test.login || len(idp.Keys()) != 1 {
			t.Errorf("%s: got %+v, %v", test.name, idp, err)
		}
	}
	if _, err := ParseMetadata([]byte(aggregate),
		ParseMetadataOptions{EntityID: "https://idp.example.net"}); !errors.Is(err, CodeMetadataAggregate) {
		t.Errorf("a name that is not in the collection: %v", err)
	}
	if _, err := ParseMetadata([]byte(good), ParseMetadataOptions{SignedBy: []TrustedKey{}}); err == nil {
		t.Error("a list of keys without any trusts nobody, and the document was read")
	}
	if _, err := ParseMetadata([]byte(good), ParseMetadataOptions{},
		ParseMetadataOptions{SignedBy: []TrustedKey{}}); !errors.Is(err, CodeConfig) {
		t.Errorf("options given twice: got %v, want %s", err, string(CodeConfig))
	}
}

func TestMetadataWarnings(t *testing.T) {
	der := testKey(t).DER()
	sso := ssoXML("HTTP-Redirect", "https://idp.example.com/sso")
	entra := func(login string) string {
		return entityXML(`entityID="`+testIssuer+`"`, keyXML("", der)+ssoXML("HTTP-Redirect", login))
	}
	for _, test := range []struct{ name, document, want string }{
		{"nothing", entityXML(`entityID="x"`, keyXML("", der)+sso), ""},
		{"http", entityXML(`entityID="x"`, keyXML("", der)+ssoXML("HTTP-Redirect", "http://idp.example.com/sso")),
			"http_endpoint"},
		{"validUntil in the past", entityXML(`entityID="x" validUntil="2026-01-01T00:00:00Z"`, keyXML("", der)+sso),
			"valid_until_past"},
		{"validUntil without its zone", entityXML(`entityID="x" validUntil="2027-01-01T00:00:00"`,
			keyXML("", der)+sso), "valid_until_unreadable"},
		{"validUntil in the future", entityXML(`entityID="x" validUntil="2027-01-01T00:00:00Z"`, keyXML("", der)+sso),
			""},
		{"signed requests wanted", strings.Replace(entityXML(`entityID="x"`, keyXML("", der)+sso),
			"<md:IDPSSODescriptor", `<md:IDPSSODescriptor WantAuthnRequestsSigned="true"`, 1), "wants_signed_requests"},
		{"a certificate that cannot be read", entityXML(`entityID="x"`, keyXML("", []byte("x"))+keyXML("", der)+sso),
			"key_unreadable"},
		{"an entity ID without its slash", strings.Replace(entra("https://login.microsoftonline.com/x/saml2"),
			testIssuer, strings.TrimSuffix(testIssuer, "/"), 1), "entity_id_slash"},
		{"the login URL of another tenant",
			entra("https://login.microsoftonline.com/00000000-0000-0000-0000-000000000001/saml2"), "tenant_mismatch"},
		{"the login URL of the same tenant",
			entra("https://login.microsoftonline.com/" + strings.ToUpper(testTenantID) + "/saml2"), ""},
		{"the login URL of every tenant", entra("https://login.microsoftonline.com/common/saml2"), "login_url_common"},
	} {
		idp, err := ParseMetadata([]byte(test.document))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if got := strings.Join(codesOf(idp.Warnings(testNow)), ","); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

// TestMetadataIsCopied: what the caller does with the document later changes nothing.
func TestMetadataIsCopied(t *testing.T) {
	document := []byte(entityXML(`entityID="https://idp.example.com"`,
		keyXML("", testKey(t).DER())+ssoXML("HTTP-Redirect", "https://idp.example.com/sso")))
	idp, err := ParseMetadata(document)
	if err != nil {
		t.Fatal(err)
	}
	clear(document)
	if idp.EntityID() != "https://idp.example.com" || idp.LoginURL() != "https://idp.example.com/sso" {
		t.Errorf("got %q, %q", idp.EntityID(), idp.LoginURL())
	}
}

// TestFieldsInTheWrongPlace: the three fields of the settings page, each with what administrators
// paste by mistake.
func TestFieldsInTheWrongPlace(t *testing.T) {
	key := testKey(t)
	const login = "https://login.microsoftonline.com/" + testTenantID + "/saml2"
	const metadata = "https://login.microsoftonline.com/" + testTenantID +
		"/federationmetadata/2007-06/federationmetadata.xml?appid=x"
	for _, test := range []struct {
		name, entityID, login string
		code                  Code
		message               string
	}{
		{"no entity ID", " ", login, CodeMetadataEntityID, "missing"},
		{"no login URL", testIssuer, "", CodeMetadataLoginURL, "missing"},
		{"the Login URL as entity ID", login, login, CodeMetadataEntityID, "is the Login URL"},
		{"the metadata URL as entity ID", metadata, login, CodeMetadataEntityID, "address of the metadata"},
		{"the metadata URL as login URL", testIssuer, metadata, CodeMetadataLoginURL, "address of the metadata"},
		{"the identifier as login URL", testIssuer, testIssuer, CodeMetadataLoginURL,
			"is the Microsoft Entra Identifier"},
		{"a placeholder", "https://sts.windows.net/{tenantid}/", login, CodeMetadataTenant, "placeholder"},
		{"a tenant ID as entity ID", testTenantID, login, CodeMetadataEntityID, "an ID alone"},
		{"an entity ID with a zero-width space", testIssuer + "\u200b", login, CodeMetadataEntityID, "cannot be seen"},
		{"an entity ID with a filler", testIssuer + "\u3164", login, CodeMetadataEntityID, "cannot be seen"},
		{"an entity ID that is not UTF-8", testIssuer + "\xff", login, CodeMetadataEntityID, "cannot be seen"},
		{"the WS-Federation address as login URL", testIssuer, strings.Replace(login, "saml2", "wsfed", 1),
			CodeMetadataLoginURL, "WS-Federation"},
		{"a login URL that is none", testIssuer, "login.microsoftonline.com", CodeMetadataLoginURL, "absolute"},
		{"a login URL that is a script", testIssuer, "javascript:alert(1)", CodeMetadataLoginURL, "absolute"},
	} {
		idp, err := NewIdentityProvider(test.entityID, test.login, key)
		if !errors.Is(err, test.code) || !strings.Contains(err.Error(), test.message) || idp != nil {
			t.Errorf("%s: got %v, want %s with %q", test.name, err, string(test.code), test.message)
		}
	}
	if _, err := NewIdentityProvider(testIssuer, login); !errors.Is(err, CodeMetadataKeys) {
		t.Errorf("no certificate: %v", err)
	}
	_, err := NewIdentityProvider("", "")
	for _, code := range []Code{CodeMetadataEntityID, CodeMetadataLoginURL, CodeMetadataKeys} {
		if !errors.Is(err, code) {
			t.Errorf("all at once: %s is not in %v", string(code), err)
		}
	}
	if idp, err := NewIdentityProvider(" "+testIssuer+"\n", "\t"+login+" ", key); err != nil ||
		idp.EntityID() != testIssuer || idp.LoginURL() != login {
		t.Errorf("white space around the fields: %v", err)
	}
}

func FuzzParseMetadata(f *testing.F) {
	der := testKey(f).DER()
	f.Add([]byte(entityXML(`entityID="x" ID="_1"`,
		keyXML("", der)+ssoXML("HTTP-Redirect", "https://idp.example.com/sso"))))
	f.Add([]byte("\uFEFF<?xml version=\"1.0\"?><!-- x --><md:EntitiesDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\"/>"))
	f.Fuzz(func(t *testing.T, document []byte) {
		idp, err := ParseMetadata(document)
		if (err == nil) != (idp != nil) {
			t.Fatalf("got %v, %v", idp, err)
		}
		if idp == nil {
			return
		}
		if idp.EntityID() == "" || idp.LoginURL() == "" || len(idp.Keys()) == 0 || len(idp.Keys()) > maxKeys {
			t.Fatalf("incomplete: %+v", idp)
		}
		idp.Warnings(testNow)
	})
}

package saml_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// TestProductByAddress: every product is recognized by each form that its addresses have, alone and
// together.
func TestProductByAddress(t *testing.T) {
	t.Parallel()
	const tenant = "7f1f0a52-7a3c-4d8e-9d1b-5c0f5e2a9b11"
	for want, addresses := range map[string][]string{
		"Microsoft Entra ID": {"https://sts.windows.net/" + tenant + "/",
			"https://login.microsoftonline.com/" + tenant + "/saml2",
			"https://login.microsoftonline.us/" + tenant + "/saml2",
			"https://login.partner.microsoftonline.cn/" + tenant + "/saml2", "https://login.chinacloudapi.cn/" + tenant + "/saml2",
			"https://sts.chinacloudapi.cn/" + tenant + "/", "https://sts.microsoftonline.us/" + tenant + "/", "https://STS.WINDOWS.NET/" + tenant + "/",
			"https://login.microsoftonline.us/" + tenant + "/", "https://contoso.ciamlogin.com/" + tenant + "/saml2",
			"https://" + tenant + ".ciamlogin.com/" + tenant + "/", "https://contoso.ciamlogin.com/contoso.onmicrosoft.com/saml2",
			"https://login.contoso.com/" + tenant + "/saml2", "https://login.contoso.com/" + strings.ToUpper(tenant) + "/saml2?whr=contoso.com",
			"https://login.contoso.com/contoso.onmicrosoft.com/saml2", "https://login.contoso.cn/contoso.partner.onmschina.cn/saml2",
			"https://login.contoso.com/" + tenant + "/federationmetadata/2007-06/federationmetadata.xml?appid=" + tenant,
			"https://login.microsoftonline.com/" + tenant + "/federationmetadata/2007-06/federationmetadata.xml?appid=" + tenant},
		"Azure AD B2C": {"https://contoso.b2clogin.com/contoso.onmicrosoft.com/B2C_1A_signup_signin_saml",
			"https://contoso.b2clogin.com/te/contoso.onmicrosoft.com/b2c_1a_signup_signin_saml",
			"https://contoso.b2clogin.cn/contoso.partner.onmschina.cn/B2C_1A_saml/samlp/sso/login",
			"https://login.contoso.com/contoso.onmicrosoft.com/B2C_1A_signup_signin_saml/samlp/sso/login",
			"https://login.microsoftonline.com/te/contoso.onmicrosoft.com/B2C_1A_saml/samlp/sso/login"},
		"Okta": {"http://www.okta.com/exk1fcia6d6EMsf331d8", "https://acme.okta.com/app/acme_console_1/exk1fcia6d6EMsf331d8/sso/saml",
			"https://acme.oktapreview.com/app/console/exk1fcia6d6EMsf331d8/sso/saml", "https://acme.okta-emea.com/app/x/exk1/sso/saml",
			"https://acme.okta.com/app/exk1fcia6d6EMsf331d8/sso/saml/metadata", "HTTPS://ACME.OKTA.COM/app/x/exk1/sso/saml"},
		"Google Workspace": {"https://accounts.google.com/o/saml2?idpid=C01abc2de",
			"https://accounts.google.com/o/saml2/idp?idpid=C01abc2de"},
		"OneLogin": {"https://app.onelogin.com/saml/metadata/123456",
			"https://app.onelogin.com/saml/metadata/3f6e5a52-0b2c-4d54-8f43-4f0d1c1b7d0e",
			"https://acme.onelogin.com/trust/saml2/http-redirect/sso/123456",
			"https://acme.onelogin.com/trust/saml2/http-post/sso/123456"},
		"PingOne": {"https://auth.pingone.com/" + tenant, "https://auth.pingone.eu/" + tenant + "/saml20/idp/sso",
			"https://auth.pingone.com.au/" + tenant + "/saml20/idp/sso",
			"https://auth.pingone.asia/" + tenant + "/saml20/metadata/" + tenant},
		"AWS IAM Identity Center": {"https://portal.sso.eu-central-1.amazonaws.com/saml/assertion/MTIzNDU2Nzg5MDEyX2lucy0x",
			"https://portal.sso.us-east-1.amazonaws.com/saml/metadata/MTIzNDU2Nzg5MDEyX2lucy0x",
			"https://portal.sso.cn-north-1.amazonaws.com.cn/saml/assertion/MTIz"},
		"JumpCloud": {"https://sso.jumpcloud.com/saml2/console", "https://sso.jumpcloud.com/saml2/acme-console-2"},
		"Auth0": {"urn:acme.auth0.com", "urn:acme.eu.auth0.com", "https://acme.eu.auth0.com/samlp/a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6",
			"https://acme.auth0.com/samlp/metadata/a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6"},
		"AD FS": {"http://fs.example.com/adfs/services/trust", "https://fs.example.com/adfs/ls/", "https://fs.example.com/adfs/ls",
			"https://fs.example.com/ADFS/LS/", "https://fs.example.com/adfs/ls/idpinitiatedsignon.aspx",
			"https://fs.example.com/FederationMetadata/2007-06/FederationMetadata.xml"},
		"Keycloak": {"https://id.example.com/realms/acme", "https://id.example.com/auth/realms/acme",
			"https://id.example.com:8443/realms/acme/protocol/saml", "https://id.example.com/auth/realms/acme/protocol/saml",
			"https://example.com/iam/id/realms/acme/protocol/saml", "https://id.example.com/realms/acme/protocol/saml/descriptor",
			"https://id.example.com/realms/acme/protocol/saml/clients/console"},
		"authentik": {"authentik", "https://id.example.com/application/saml/console/sso/binding/redirect/",
			"https://id.example.com/application/saml/console/sso/binding/post/",
			"https://id.example.com/application/saml/console/sso/binding/init/",
			"https://id.example.com/application/saml/console/", "https://id.example.com/application/saml/console/metadata/",
			"https://example.com/authentik/application/saml/console/"},
		"PingFederate": {"https://sso.example.com/idp/SSO.saml2", "https://sso.example.com:9031/idp/SSO.saml2",
			"https://sso.example.com:9031/idp/startSSO.ping?PartnerSpId=x",
			"https://sso.example.com:9031/pf/federation_metadata.ping?PartnerSpId=x"},
		"SimpleSAMLphp": {"https://idp.example.com/simplesaml/saml2/idp/metadata.php",
			"https://idp.example.com/simplesaml/saml2/idp/SSOService.php", "https://idp.example.com/saml2/idp/SSOService.php",
			"https://idp.example.com/simplesaml/module.php/saml/idp/metadata",
			"https://idp.example.com/simplesaml/module.php/saml/idp/singleSignOnService"},
		"Shibboleth": {"https://idp.example.edu/idp/shibboleth", "https://idp.example.edu/idp/profile/SAML2/Redirect/SSO",
			"https://idp.example.edu/idp/profile/SAML2/POST/SSO", "https://idp.example.edu/idp/profile/SAML2/POST-SimpleSign/SSO"},
		"LemonLDAP::NG": {"https://auth.example.com/saml/singleSignOn", "https://auth.example.com/saml/singleSignOn?IDPInitiated=1"},
	} {
		for _, address := range addresses {
			if got := saml.ProductOf(address, ""); got != want {
				t.Errorf("entity ID %s: got %q, want %q", address, got, want)
			}
			if got := saml.ProductOf("https://idp.example.com/", address); got != want {
				t.Errorf("login URL %s: got %q, want %q", address, got, want)
			}
		}
	}
}

// TestProductUnknown: words of the wrong product cost a day, so whatever only resembles an address
// of a product is not recognized.
func TestProductUnknown(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"", "%", "x", "https://idp.example.com/", "https://idp.example.com/login",
		"https://okta.com.evil.example/app/x/exk1/sso/saml", "https://evilokta.com/app/x/exk1/sso/saml",
		"https://evil.example/okta.com/sso/saml", "https://acme.okta.com@evil.example/", "https://evil.example/?u=https://acme.okta.com/",
		"https://evil.example/#https://acme.okta.com/", "okta.com", "ftp://acme.okta.com/", "urn:acme.okta.com",
		"https://contoso.ciamlogin.com.evil.example/x/saml2", "https://evilciamlogin.com/x/saml2", "https://contoso.b2clogin.com.evil.example/x",
		"https://idp.example.com/7f1f0a52-7a3c-4d8e-9d1b-5c0f5e2a9b11/", "https://idp.example.com/acme/saml2", "https://idp.example.com/saml2",
		"https://idp.example.com/7f1f0a52-7a3c-4d8e-9d1b-5c0f5e2a9b11/saml2/x", "https://idp.example.com/x/7f1f0a52-7a3c-4d8e-9d1b-5c0f5e2a9b11/saml2",
		"https://idp.example.com/?u=/7f1f0a52-7a3c-4d8e-9d1b-5c0f5e2a9b11/saml2", "https://acme.blob.core.windows.net/x", "https://acme.chinacloudapi.cn/x",
		"https://idp.example.com/onmicrosoft.com/saml2", "https://idp.example.com/x/B2C_1A_", "https://idp.example.com/B2C_1A_x",
		"https://sts.windows.net.evil.example/", "https://evil.example/sts.windows.net/",
		"https://accounts.google.com/", "https://accounts.google.com/o/saml2evil", "https://accounts.google.com.evil.example/o/saml2?idpid=C0",
		"https://accounts.google.com/signin?continue=/o/saml2", "https://onelogin.com.evil.example/", "https://acme-onelogin.com/",
		"https://pingone.com/idp/acme", "https://auth.pingone.com.evil.example/x", "https://console.pingone.com.evil/",
		"https://portal.sso.us-east-1.amazonaws.com.evil.example/saml/assertion/x", "https://s3.amazonaws.com/portal.sso./saml/assertion/x",
		"https://acme.awsapps.com.evil.example/start", "https://sso.jumpcloud.com.evil.example/saml2/x",
		"urn:acme.auth0.com.evil.example", "urn:evilauth0.com", "urn:x:acme.auth0.com", "https://auth0.com.evil.example/samlp/x",
		"https://idp.example.com/samlp/x", "https://idp.example.com/adfs/", "https://idp.example.com/docs/adfs/ls/", "adfs",
		"https://idp.example.com/keycloak/", "https://keycloak.example.com/saml", "https://idp.example.com/login?realm=keycloak",
		"https://idp.example.com/realms/", "https://idp.example.com/realms/a/protocol/openid-connect", "https://idp.example.com/a/b/realms/c",
		"/realms/acme/protocol/saml", "https://idp.example.com/authentik/", "https://authentik.example.com/saml", "authentik2",
		"https://idp.example.com/application/saml/", "https://idp.example.com/application/saml/x/y/z",
		"https://idp.example.com/idp/SSO.saml2/x", "https://sso.connect.pingidentity.com/sso/idp/SSO.saml2?idpid=x",
		"https://idp.example.com/simplesaml/", "https://idp.example.com/SSOService.php", "https://idp.example.com/shibboleth",
		"https://sp.example.com/Shibboleth.sso/SAML2/POST", "https://idp.example.com/idp/shibboleth/x",
		"https://idp.example.com/saml/metadata", "https://idp.example.com/app/saml/singleSignOn",
	} {
		for _, got := range []string{saml.ProductOf(address, ""), saml.ProductOf("", address)} {
			if got != "" {
				t.Errorf("%s is taken for %s", address, got)
			}
		}
	}
}

// TestProductAtTheLoginURL: a company that changes the product may keep the entity ID, which is only
// a name. What stands at the login URL is what its administrator has to change.
func TestProductAtTheLoginURL(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ entityID, loginURL, want string }{
		{"https://idp.example.edu/idp/shibboleth", "https://id.example.edu/realms/edu/protocol/saml", "Keycloak"},
		{"http://www.okta.com/exk1", "https://login.microsoftonline.com/x/saml2", "Microsoft Entra ID"},
		{"http://www.okta.com/exk1", "https://login.example.com/app/x/exk1/sso/saml", "Okta"},
		{"urn:acme.auth0.com", "https://login.example.com/samlp/x", "Auth0"},
		{"https://idp.example.com", "https://acme.okta.com/realms/x/protocol/saml", "Okta"},
	} {
		if got := saml.ProductOf(row.entityID, row.loginURL); got != row.want {
			t.Errorf("%s with %s: got %q, want %q", row.entityID, row.loginURL, got, row.want)
		}
	}
}

// TestProductOfPOSTEndpoint: metadata may have no other login URL than one for HTTP-POST.
func TestProductOfPOSTEndpoint(t *testing.T) {
	t.Parallel()
	idp := samltest.MustNew(t, samltest.Options{})
	p, err := saml.ParseMetadata([]byte(productMetadata("console", "https://sso.jumpcloud.com/saml2/console",
		keyDescriptor(idp.Certificates()[0]), "HTTP-POST")))
	if err != nil {
		t.Fatal(err)
	}
	sp := newProvider(t, idp, func(c *saml.Config) { c.IdentityProvider = p })
	h := &house{t, idp, sp}
	_, err = h.signIn(saml.LoginOptions{}, samltest.Answer{Issuer: "another"})
	if got := saml.Errors(err)[0].Hint; !strings.HasPrefix(got, "In JumpCloud: ") {
		t.Errorf("got %q", got)
	}
}

// TestMisplacedAtADFS: AD FS has its metadata under nearly the same path as Entra, and its addresses
// look different.
func TestMisplacedAtADFS(t *testing.T) {
	t.Parallel()
	const metadata = "https://fs.example.com/FederationMetadata/2007-06/FederationMetadata.xml"
	pasted := string(samltest.MustNew(t, samltest.Options{}).CertificatePEM())
	for _, row := range []struct{ entityID, loginURL, want, hint string }{
		{metadata, "https://fs.example.com/adfs/ls/", "http://<host>/adfs/services/trust", "Federation Service identifier"},
		{"http://fs.example.com/adfs/services/trust", metadata, "https://<host>/adfs/ls/", "AD FS > Service > Endpoints"},
	} {
		_, err := saml.ParseSettings(row.entityID, row.loginURL, pasted)
		list := saml.Errors(err)
		if len(list) != 1 || list[0].Want != row.want || !strings.Contains(list[0].Hint, row.hint) {
			t.Errorf("%s with %s: got %v, want %q", row.entityID, row.loginURL, err, row.want)
		}
	}
}

// TestOwnAddressNamesNoProduct: our own address in a field of the identity provider is wrong at
// every product, and what is wanted is its value, whatever Entra calls that.
func TestOwnAddressNamesNoProduct(t *testing.T) {
	t.Parallel()
	idp := samltest.MustNew(t, samltest.Options{})
	sp := newProvider(t, idp, nil)
	_, err := sp.ParseSettings(redirectURL, "https://acme.okta.com/app/x/exk1/sso/saml", string(idp.CertificatePEM()))
	list := saml.Errors(err)
	if len(list) != 1 || list[0].Want != "the identity provider's own" || !strings.Contains(list[0].Hint, "In Okta: ") {
		t.Errorf("got %v with %q", err, list[0].Hint)
	}
}

// TestHintOfMixedMetadata: a document with several products gets no words of one of them, and a
// pinned signature none about the signatures of responses.
func TestHintOfMixedMetadata(t *testing.T) {
	t.Parallel()
	okta := productMetadata("http://www.okta.com/exk1", "https://acme.okta.com/app/x/exk1/sso/saml", "", "HTTP-Redirect")
	google := productMetadata("https://accounts.google.com/o/saml2?idpid=C01", "https://accounts.google.com/o/saml2/idp?idpid=C01",
		"", "HTTP-Redirect")
	for _, row := range []struct {
		what, text string
		options    saml.ParseMetadataOptions
		hint       string
	}{
		{"one product", "text" + okta, saml.ParseMetadataOptions{}, "In Okta: "},
		{"two products", "text" + okta + google, saml.ParseMetadataOptions{}, "Download the identity provider's metadata again"},
		{"an entity ID with a reference", "text" + strings.Replace(google, "idpid=", "x=1&amp;idpid=", 1), saml.ParseMetadataOptions{},
			"In Google Workspace: "},
		{"far behind", "text" + strings.Repeat(" ", 64<<10) + okta, saml.ParseMetadataOptions{}, "Download the identity"},
		{"pinned", okta, saml.ParseMetadataOptions{SignedBy: []saml.TrustedKey{}}, "pin the key"},
	} {
		_, err := saml.ParseMetadata([]byte(row.text), row.options)
		if list := saml.Errors(err); len(list) != 1 || !strings.Contains(list[0].Hint, row.hint) {
			t.Errorf("%s: got %v, want %q", row.what, list, row.hint)
		}
	}
}

// TestWordsOfProducts: testdata/hints_words.txt has everything that products.go has, by product and
// code.
func TestWordsOfProducts(t *testing.T) {
	l := hintList{lines: saml.ProductWords()}
	l.compare(t, "testdata/hints_words.txt")
}

// productSettings are what an administrator has of one product.
type productSettings struct{ name, entityID, loginURL, metadataURL string }

var settingsOfProducts = []productSettings{
	{"none", "https://idp.example.com/", "https://idp.example.com/login", "https://idp.example.com/metadata"},
	{"Entra", "https://sts.windows.net/7f1f0a52-7a3c-4d8e-9d1b-5c0f5e2a9b11/",
		"https://login.microsoftonline.com/7f1f0a52-7a3c-4d8e-9d1b-5c0f5e2a9b11/saml2",
		"https://login.microsoftonline.com/7f1f0a52-7a3c-4d8e-9d1b-5c0f5e2a9b11/federationmetadata/2007-06/federationmetadata.xml"},
	{"Azure AD B2C", "https://acme.b2clogin.com/acme.onmicrosoft.com/B2C_1A_signin_saml",
		"https://acme.b2clogin.com/acme.onmicrosoft.com/B2C_1A_signin_saml/samlp/sso/login",
		"https://acme.b2clogin.com/acme.onmicrosoft.com/B2C_1A_signin_saml/samlp/metadata"},
	{"Okta", "http://www.okta.com/exk1", "https://acme.okta.com/app/x/exk1/sso/saml", "https://acme.okta.com/app/exk1/sso/saml/metadata"},
	{"Google Workspace", "https://accounts.google.com/o/saml2?idpid=C01", "https://accounts.google.com/o/saml2/idp?idpid=C01",
		"https://accounts.google.com/o/saml2/metadata"},
	{"OneLogin", "https://app.onelogin.com/saml/metadata/1", "https://acme.onelogin.com/trust/saml2/http-redirect/sso/1",
		"https://app.onelogin.com/saml/metadata/1"},
	{"PingOne", "https://auth.pingone.eu/x", "https://auth.pingone.eu/x/saml20/idp/sso", "https://auth.pingone.eu/x/saml20/metadata/y"},
	{"IAM Identity Center", "https://portal.sso.eu-west-1.amazonaws.com/saml/assertion/MTIz",
		"https://portal.sso.eu-west-1.amazonaws.com/saml/assertion/MTIz", "https://portal.sso.eu-west-1.amazonaws.com/saml/metadata/MTIz"},
	{"JumpCloud", "console", "https://sso.jumpcloud.com/saml2/console", "https://sso.jumpcloud.com/saml2/metadata"},
	{"Auth0", "urn:acme.auth0.com", "https://acme.auth0.com/samlp/x", "https://acme.auth0.com/samlp/metadata/x"},
	{"AD FS", "http://fs.example.com/adfs/services/trust", "https://fs.example.com/adfs/ls/",
		"https://fs.example.com/FederationMetadata/2007-06/FederationMetadata.xml"},
	{"Keycloak", "https://id.example.com/realms/acme", "https://id.example.com/realms/acme/protocol/saml",
		"https://id.example.com/realms/acme/protocol/saml/descriptor"},
	{"authentik", "authentik", "https://id.example.com/application/saml/console/sso/binding/redirect/",
		"https://id.example.com/application/saml/console/metadata/"},
	{"PingFederate", "acme", "https://sso.example.com:9031/idp/SSO.saml2", "https://sso.example.com:9031/pf/federation_metadata.ping"},
	{"SimpleSAMLphp", "https://idp.example.com/simplesaml/saml2/idp/metadata.php",
		"https://idp.example.com/simplesaml/saml2/idp/SSOService.php", "https://idp.example.com/simplesaml/saml2/idp/metadata.php"},
	{"Shibboleth", "https://idp.example.edu/idp/shibboleth", "https://idp.example.edu/idp/profile/SAML2/Redirect/SSO",
		"https://idp.example.edu/idp/shibboleth"},
	{"LemonLDAP::NG", "https://auth.example.com/saml/metadata", "https://auth.example.com/saml/singleSignOn",
		"https://auth.example.com/saml/singleSignOn"},
}

// TestHintsOfProducts: testdata/hints_products.txt has what the library says about the usual faults
// of an identity provider, its metadata and its settings, for each product.
func TestHintsOfProducts(t *testing.T) {
	var l hintList
	key, certificate := signingKey(t)
	otherKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	weak := weakCertificate(t)
	own := 0 // products with words of their own for most faults
	for _, s := range settingsOfProducts {
		r := &productRecord{t: t, settings: s, key: key, otherKey: otherKey, certificate: certificate, weak: weak}
		r.responses()
		responses := len(r.lines)
		r.documents()
		if documents := len(r.lines) - responses; documents < 30 {
			t.Errorf("%s has %d wrong or odd documents, certificates and settings, want at least 30", s.name, documents)
		}
		in := 0
		for _, line := range r.lines {
			for _, other := range settingsOfProducts {
				if strings.Contains(line, " | In "+other.name+": ") && other.name != s.name {
					t.Errorf("words of another product: %s", line)
				}
			}
			if strings.Contains(line, " | In "+s.name+": ") {
				in++
			}
		}
		if in >= 35 {
			own++
		}
		t.Logf("%s: %d of %d in its words", s.name, in, len(r.lines))
		l.lines = append(l.lines, r.lines...)
	}
	if own < 8 {
		t.Errorf("%d products have words of their own, want at least 8", own)
	}
	l.compare(t, "testdata/hints_products.txt")
}

// productRecord has the refusals at one product.
type productRecord struct {
	t                 *testing.T
	settings          productSettings
	key, otherKey     crypto.Signer
	certificate, weak []byte
	lines             []string
}

func (r *productRecord) add(fault, message, hint string) {
	r.lines = append(r.lines, fmt.Sprintf("%s | %02d %s | %s | %s", r.settings.name, len(r.lines)+1, fault,
		changing.ReplaceAllString(message, "…"), hint))
}

// changing are the parts of a message that differ from run to run.
var changing = regexp.MustCompile(`column [0-9]+|[0-9A-F]{40}|[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:.]+Z)?`)

func (r *productRecord) refusal(fault string, err error) {
	r.t.Helper()
	list := saml.Errors(err)
	if len(list) != 1 {
		r.t.Fatalf("%s, %s: got %d refusals, want one: %v", r.settings.name, fault, len(list), err)
	}
	r.add(fault, string(list[0].Code)+": "+list[0].Message, list[0].Hint)
}

// responses has what is refused about responses.
func (r *productRecord) responses() {
	t, s := r.t, r.settings
	idp := samltest.MustNew(t, samltest.Options{EntityID: s.entityID, Keys: []crypto.Signer{r.key}})
	keys, err := saml.ParseKeys(idp.CertificatePEM())
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := saml.NewIdentityProvider(s.entityID, s.loginURL, keys...)
	if err != nil {
		t.Fatal(err)
	}
	other := samltest.MustNew(t, samltest.Options{EntityID: s.entityID, Keys: []crypto.Signer{r.otherKey}})
	otherCertificate := other.Certificates()[0]
	refused := func(fault string, idp *samltest.IdentityProvider, a samltest.Answer, o saml.LoginOptions, change func(*saml.Config)) {
		sp := newProvider(t, idp, func(c *saml.Config) {
			c.IdentityProvider, c.Logger = trusted, slog.New(slog.DiscardHandler)
			if change != nil {
				change(c)
			}
		})
		_, err := (&house{t, idp, sp}).signIn(o, a)
		r.refusal(fault, err)
	}
	const status = "urn:oasis:names:tc:SAML:2.0:status:"
	cut := func(element string) samltest.Answer {
		whole := regexp.MustCompile(`(?s)<` + element + `[ >].*</` + element + `>`)
		return samltest.Answer{Edit: func(xml string) string { return whole.ReplaceAllLiteralString(xml, "") }}
	}
	for _, row := range []struct {
		fault  string
		answer samltest.Answer
	}{
		{"another audience", samltest.Answer{Audience: "https://other.example.com"}},
		{"no audience", cut("AudienceRestriction")},
		{"another recipient", samltest.Answer{Recipient: "https://other.example.com/acs", Destination: redirectURL, Audience: redirectURL}},
		{"another destination", samltest.Answer{Destination: "https://other.example.com/acs"}},
		{"another issuer", samltest.Answer{Issuer: s.entityID + "x"}},
		{"not signed", samltest.Answer{Sign: samltest.SignNothing}},
		{"SHA-1", samltest.Answer{Algorithm: samltest.RSASHA1}},
		{"encrypted, no key", samltest.Answer{Encrypt: &samltest.Encryption{Certificates: [][]byte{otherCertificate}}}},
		{"NameID is a user name", samltest.Answer{NameID: "alice"}},
		{"NameID is a hash", samltest.Answer{NameID: strings.Repeat("2c26b46b", 8), NameIDFormat: samltest.FormatPersistent}},
		{"no NameID", cut("NameID")},
		{"no AuthnStatement", cut("AuthnStatement")},
		{"status", samltest.Answer{Status: status + "Responder"}},
		{"status InvalidNameIDPolicy", samltest.Answer{Status: status + "Requester", SubStatus: status + "InvalidNameIDPolicy"}},
		{"status RequestDenied", samltest.Answer{Status: status + "Responder", SubStatus: status + "RequestDenied"}},
	} {
		refused(row.fault, idp, row.answer, saml.LoginOptions{}, nil)
	}
	refused("another key", other, samltest.Answer{}, saml.LoginOptions{}, nil)
	refused("response not signed", idp, samltest.Answer{}, saml.LoginOptions{},
		func(c *saml.Config) { c.RequireSignedResponse = true })
	refused("encrypted for another key", idp, samltest.Answer{Encrypt: &samltest.Encryption{Certificates: [][]byte{otherCertificate}}},
		saml.LoginOptions{}, func(c *saml.Config) { c.DecryptionKeys = []saml.DecryptionKey{{Key: r.key.(crypto.Decrypter)}} })
	refused("signed in before ForceAuthn", idp, samltest.Answer{AuthnInstant: time.Now().Add(-5 * time.Minute)},
		saml.LoginOptions{ForceAuthn: true}, nil)
	future := time.Now().AddDate(20, 0, 0)
	refused("certificate ended", idp, samltest.Answer{ClockOffset: time.Until(future)}, saml.LoginOptions{}, func(c *saml.Config) {
		c.RefuseExpiredCertificates, c.Now = true, func() time.Time { return future }
	})
	sp := newProvider(t, idp, func(c *saml.Config) {
		c.IdentityProvider, c.Logger = trusted, slog.New(slog.DiscardHandler)
	})
	_, err = sp.FinishLogin(t.Context(), saml.FormResponse{SAMLResponse: (&house{t, idp, sp}).respond(samltest.Answer{})})
	r.refusal("begun at the identity provider", err)
	r.byRedirect(sp)
}

// byRedirect has a response that comes in the address.
func (r *productRecord) byRedirect(sp *saml.ServiceProvider) {
	handler, err := saml.NewHandler(saml.HandlerConfig{
		Resolve:  func(*http.Request, string) (*saml.ServiceProvider, error) { return sp, nil },
		Sessions: &switchSessions{},
		OnError: func(_ http.ResponseWriter, _ *http.Request, err *saml.Error) {
			r.refusal("response by HTTP-Redirect", err)
		},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", redirectURL+"?SAMLResponse=x", nil))
}

// documents has what is refused about settings, certificates and metadata.
func (r *productRecord) documents() {
	t, s := r.t, r.settings
	good := string(pemOf(r.certificate))
	settings := func(fault, entityID, loginURL, certificate string) {
		_, err := saml.ParseSettings(entityID, loginURL, certificate)
		r.refusal(fault, err)
	}
	settings("no entity ID", "", s.loginURL, good)
	settings("no login URL", s.entityID, "", good)
	settings("no certificate", s.entityID, s.loginURL, "")
	settings("a sentence as certificate", s.entityID, s.loginURL, "see attachment")
	settings("a web page as certificate", s.entityID, s.loginURL, "<!DOCTYPE html><html><body>Sign in</body></html>")
	settings("a private key as certificate", s.entityID, s.loginURL, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----")
	sp := newProvider(t, samltest.MustNew(t, samltest.Options{Keys: []crypto.Signer{r.key}}), nil)
	_, err := sp.ParseSettings(s.entityID, s.loginURL, string(pemOf(r.weak)))
	r.refusal("a certificate with a short key", err)

	metadata := productMetadata(s.entityID, s.loginURL, keyDescriptor(r.certificate), "HTTP-Redirect")
	document := func(fault, text string) {
		_, err := saml.ParseMetadata([]byte(text))
		r.refusal(fault, err)
	}
	document("metadata that is cut off", metadata[:len(metadata)-20])
	document("metadata after text", "Here it is:\n"+metadata)
	document("metadata of a service", strings.NewReplacer("IDPSSODescriptor", "SPSSODescriptor").Replace(metadata))
	document("metadata without certificate", productMetadata(s.entityID, s.loginURL, "", "HTTP-Redirect"))
	document("metadata without usable endpoint", productMetadata(s.entityID, s.loginURL, keyDescriptor(r.certificate), "SOAP"))
	document("metadata without entity ID", strings.Replace(metadata, "entityID", "entityid", 1))
	const space = "urn:oasis:names:tc:SAML:2.0:metadata"
	encoded := base64.StdEncoding.EncodeToString(r.certificate)
	collection := func(entities ...string) string {
		return `<EntitiesDescriptor xmlns="` + space + `">` + strings.Join(entities, "") + `</EntitiesDescriptor>`
	}
	second := productMetadata("https://second.example.com/", "https://second.example.com/login", keyDescriptor(r.certificate), "HTTP-Redirect")
	document("metadata in UTF-16", string(utf16File(metadata)))
	document("metadata with a DOCTYPE", "<!DOCTYPE x>"+metadata)
	document("metadata in the namespace of SAML 1", strings.Replace(metadata, space, "urn:oasis:names:tc:SAML:1.0:metadata", 1))
	document("metadata with an undeclared prefix", strings.Replace(metadata, "<EntityDescriptor", "<EntityDescriptor md:x='1'", 1))
	document("metadata for SAML 1.1 alone", strings.Replace(metadata, "SAML:2.0:protocol", "SAML:1.1:protocol", 1))
	document("metadata with a KeyValue alone", productMetadata(s.entityID, s.loginURL,
		`<KeyDescriptor><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><KeyValue/></KeyInfo></KeyDescriptor>`, "HTTP-Redirect"))
	document("metadata whose certificate is cut off", strings.Replace(metadata, encoded, encoded[:400], 1))
	document("metadata with a private key", strings.Replace(metadata, encoded, "-----BEGIN PRIVATE KEY-----AAAA-----END PRIVATE KEY-----", 1))
	document("a collection of two identity providers", collection(metadata, second))
	document("a collection with one of them twice", collection(metadata, metadata))
	document("metadata in JSON", `{"entityID": "`+s.entityID+`"}`)
	settings("a thumbprint as certificate", s.entityID, s.loginURL, "2B3BF19D889044A73B454C47696D028FAA54E27E")
	settings("an SSH key as certificate", s.entityID, s.loginURL, "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQ== idp")
	settings("an address as certificate", s.entityID, s.loginURL, s.metadataURL)
	settings("half a certificate", s.entityID, s.loginURL, good[:len(good)/2])
	_, err = saml.ParseKeys([]byte(strings.Replace(metadata, "<EntityDescriptor", "<EntityDescriptor x", 1)))
	r.refusal("broken metadata as certificate", err)
	_, err = saml.FetchMetadata(context.Background(), strings.Replace(s.metadataURL, "https:", "http:", 1), saml.FetchOptions{})
	r.refusal("metadata by http", err)

	service := strings.NewReplacer("IDPSSODescriptor", "SPSSODescriptor").Replace(second)
	odd := strings.Replace(metadata, "<IDPSSODescriptor", `<IDPSSODescriptor WantAuthnRequestsSigned="true"`, 1)
	odd = strings.Replace(odd, "</IDPSSODescriptor>", keyDescriptor([]byte("x"))+"</IDPSSODescriptor>", 1)
	p, err := saml.ParseMetadata([]byte(collection(odd, service)))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range p.Warnings(time.Now().AddDate(20, 0, 0)) {
		r.add("warning", w.Code+": "+w.Message, w.Hint)
	}
}

// utf16File is a text as PowerShell writes it.
func utf16File(text string) []byte {
	file := []byte{0xFF, 0xFE}
	for _, unit := range utf16.Encode([]rune(text)) {
		file = append(file, byte(unit), byte(unit>>8))
	}
	return file
}

// productMetadata is the metadata of an identity provider with one endpoint.
func productMetadata(entityID, loginURL, keys, binding string) string {
	escape := strings.NewReplacer("&", "&amp;", `"`, "&quot;").Replace
	return metadataText(` entityID="`+escape(entityID)+`"`, idpRole(keys+
		`<SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:`+binding+`" Location="`+escape(loginURL)+`"/>`))
}

// keyDescriptor is a certificate as metadata has it.
func keyDescriptor(certificate []byte) string {
	return `<KeyDescriptor use="signing"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>` +
		base64.StdEncoding.EncodeToString(certificate) + `</X509Certificate></X509Data></KeyInfo></KeyDescriptor>`
}

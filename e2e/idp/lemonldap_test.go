//go:build idp

package idp

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml"
)

var lemonLDAP = product{
	name: "LemonLDAP::NG",
	needs: []need{
		{[]string{"plackup", "--version"}, "the Debian package libplack-perl"},
		{[]string{"/usr/bin/perl", "-MLemonldap::NG::Portal", "-MLasso", "-MPlack", "-MGD::SecurityImage",
			"-MXML::Simple", "-MIO::String", "-MImage::Magick", "-e", "1"},
			"the Debian packages liblemonldap-ng-portal-perl, liblasso-perl, libplack-perl, libgd-securityimage-perl, libimage-magick-perl, libxml-simple-perl and libio-string-perl"},
	},
	start: startLemonLDAP,
}

type runningLemonLDAP struct {
	*server
	dir     string
	clients []*client
	phase   keyPhase
	number  int // of the configuration
}

// startLemonLDAP serves the portal with plackup. The knobs are the options of a service,
// samlSPMetaDataOptions..., without these words in front
// (https://lemonldap-ng.org/documentation/2.0/idpsaml.html).
func startLemonLDAP(t *testing.T, clients []*client) running {
	dir := t.TempDir()
	port := freePort(t)
	r := &runningLemonLDAP{server: &server{base: fmt.Sprintf("http://localhost:%d", port)}, dir: dir, clients: clients}
	for _, name := range []string{"conf", "cache", "sessions/lock", "psessions/lock"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	writeJSON(t, filepath.Join(dir, "users.json"), users)
	productPair().write(t, filepath.Join(dir, "old.key"), filepath.Join(dir, "old.crt"))
	nextPair().write(t, filepath.Join(dir, "new.key"), filepath.Join(dir, "new.crt"))
	r.configure(t)
	ini := filepath.Join(dir, "lemonldap-ng.ini")
	text := fmt.Sprintf(`[all]
logLevel = notice
logger = Lemonldap::NG::Common::Logger::Std
userLogger = Lemonldap::NG::Common::Logger::Std
checkTime = 1
[configuration]
type = File
dirName = %s/conf
[portal]
staticPrefix = /static
templateDir = /usr/share/lemonldap-ng/portal/templates
languages = en
`, dir)
	if err := os.WriteFile(ini, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.Command("plackup", "-E", "deployment", "--host", "127.0.0.1", "--port", fmt.Sprint(port),
		filepath.Join(productsDir(t, "lemonldap"), "app.psgi"))
	command.Env = append(os.Environ(), "LLNG_DEFAULTCONFFILE="+ini, "IDP_DIR="+dir)
	r.server = launch(t, port, "/saml/metadata", command)
	return r
}

// forceAuthnInterval is how many seconds a session may be old for the portal to take it as fresh,
// though we say ForceAuthn. Its default is 5.
const forceAuthnInterval = 2

// configure writes the next configuration.
func (r *runningLemonLDAP) configure(t *testing.T) {
	t.Helper()
	r.number++
	key := map[keyPhase]string{keysOld: "old", keysNew: "new"}[r.phase]
	documents, options, attributes := map[string]any{}, map[string]any{}, map[string]any{}
	for _, c := range r.clients {
		if c.metadata == nil {
			continue
		}
		documents[c.slug] = map[string]string{"samlSPMetaDataXML": string(c.metadata)}
		own := map[string]any{"samlSPMetaDataOptionsEnableIDPInitiatedURL": 1,
			"samlSPMetaDataOptionsCheckSSOMessageSignature": 0, "samlSPMetaDataOptionsForceUTF8": 1}
		for name, value := range c.knobs {
			own["samlSPMetaDataOptions"+name] = value
		}
		options[c.slug] = own
		attributes[c.slug] = map[string]string{ // 0: left out if the user has none
			"mail": "0;http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress", "givenName": "0;givenName", "sn": "0;sn", "cn": "0;displayName", "groups": "0;groups",
		}
	}
	conf := map[string]any{
		"cfgNum": r.number, "cfgAuthor": "test", "cfgDate": r.number, "cfgVersion": "2.16.1",
		"portal": r.base + "/", "domain": "localhost", "cookieName": "lemonldap", "securedCookie": 0, "sameSite": "Lax", "checkXSS": 1, "key": "of-a-test-and-nothing-else",
		"authentication": "Demo", "userDB": "Same", "passwordDB": "Null", "registerDB": "Null", "demoExportedVars": map[string]string{"uid": "uid", "mail": "mail", "givenName": "givenName", "sn": "sn", "cn": "cn"},
		"whatToTrace": "uid", "loginHistoryEnabled": 0, "notification": 0, "portalCheckLogins": 0, "skipRenewConfirmation": 1, "portalForceAuthnInterval": forceAuthnInterval, "skipUpgradeConfirmation": 1, "cspFormAction": "*",
		"globalStorage": "Apache::Session::File", "globalStorageOptions": map[string]string{"Directory": r.dir +
			"/sessions", "LockDirectory": r.dir + "/sessions/lock",
			"generateModule": "Lemonldap::NG::Common::Apache::Session::Generate::SHA256"},
		"persistentStorage": "Apache::Session::File", "persistentStorageOptions": map[string]string{"Directory": r.dir + "/psessions", "LockDirectory": r.dir + "/psessions/lock"},
		"localSessionStorage": "Cache::FileCache", "localSessionStorageOptions": map[string]any{"namespace": "sessions", "default_expires_in": 600, "directory_umask": "007", "cache_root": r.dir + "/cache", "cache_depth": 3},
		"locationRules": map[string]any{"localhost": map[string]string{"default": "accept"}}, "exportedHeaders": map[string]any{},
		"issuerDBSAMLActivation": 1, "issuerDBSAMLPath": "^/saml/", "issuerDBSAMLRule": 1, "samlEntityID": "#PORTAL#/saml/metadata",
		"samlServicePrivateKeySig": fileText(t,
			filepath.Join(r.dir, key+".key")), "samlServicePublicKeySig": fileText(t, filepath.Join(r.dir, key+".crt")),
		"samlServiceUseCertificateInResponse": 1, "samlServiceSignatureMethod": "RSA_SHA256",
		"samlSPMetaDataXML": documents, "samlSPMetaDataOptions": options, "samlSPMetaDataExportedAttributes": attributes, "samlSPMetaDataMacros": map[string]any{},
	}
	writeJSON(t, filepath.Join(r.dir, "conf", fmt.Sprintf("lmConf-%d.json", r.number)), conf)
}

func (r *runningLemonLDAP) metadata(*client) string { return r.base + "/saml/metadata" }

func (r *runningLemonLDAP) initiate(c *client) string {
	return r.base + "/saml/singleSignOn?IDPInitiated=1&sp=" + url.QueryEscape(c.entityID)
}

// roll changes the keys by a new configuration, which the portal notices by itself: checkTime says
// how soon. It announces none.
func (r *runningLemonLDAP) roll(t *testing.T, k keyPhase) {
	t.Helper()
	r.phase = k
	r.configure(t)
	pair := productPair()
	if k == keysNew {
		pair = nextPair()
	}
	want := base64.StdEncoding.EncodeToString(pair.certificate)
	for end := time.Now().Add(mostPatience); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		document, err := saml.FetchMetadata(t.Context(), r.metadata(nil), saml.FetchOptions{})
		if err == nil && strings.Contains(strings.Join(strings.Fields(string(document)), ""), want) {
			return
		}
	}
	t.Fatal("the portal does not take the new configuration")
}

func (r *runningLemonLDAP) logout(*client) string { return r.base + "/?logout=1" }

func (r *runningLemonLDAP) password(name string) string { return name }

// lemonLDAPInChromium signs in and out with a real browser: the portal's page loads the Logout URL of the
// service in a frame or as an image. To the browser the two are different sites.
func lemonLDAPInChromium(t *testing.T, v visit) {
	c := startChromium(t)
	c.signIn(v.url("/login"), "input[name=user]", "input[name=password]", "button[type=submit]", "alice",
		v.running.(passworder).password("alice"))
	const signedIn, asked = "signed in: alice@example.com", "Authentication required"
	c.want(signedIn)
	c.visit(v.running.(logouter).logout(v.client))
	v.tenSecondsLater()
	c.visit(v.url("/"))
	if c.want(signedIn, asked) == signedIn {
		t.Error("the session at the service goes on")
	}
}

func TestLemonLDAP(t *testing.T) {
	t.Parallel()
	const unknownPartner, badSignature = "message 107", "message 57" // PE_UNKNOWNPARTNER, PE_SAML_SIGNATURE_ERROR
	d := dialect{base: knobs{"NameIDFormat": "email", "SignSSOMessage": 1},
		patience: (forceAuthnInterval + 1) * time.Second,
		sent:     "Response:rsa-sha256, Assertion:rsa-sha256", unknown: unknownPartner, noEmail: want{code: saml.CodeNameID, message: "empty"}}
	method := func(name string) knobs { return d.with(knobs{"SignatureMethod": name}) }
	format := func(name string) knobs { return d.with(knobs{"NameIDFormat": name}) }
	run(t, lemonLDAP, rows(
		commonRows(d),
		sessionRows(d),
		[]row{
			{name: "assertion signed", knobs: d.with(knobs{"SignSSOMessage": 0}),
				want: want{sent: "Assertion:rsa-sha256"}},
			{name: "RSA-SHA384", knobs: method("RSA_SHA384"),
				want: want{sent: "Response:rsa-sha384, Assertion:rsa-sha384"}},
			{name: "RSA-SHA512", knobs: method("RSA_SHA512"),
				want: want{sent: "Response:rsa-sha512/sha384, Assertion:rsa-sha512/sha384"}},
			{name: "assertion to be used once", knobs: d.with(knobs{"OneTimeUse": 1})},
			{name: "assertion that lives for a minute", knobs: d.with(knobs{"NotOnOrAfterTimeout": 60})},
			{name: "session that lives for ten minutes", knobs: d.with(knobs{"SessionNotOnOrAfterTimeout": 600})},
			// of its users with a password
			{name: "context asked for and met", knobs: d.base,
				config: asksFor("urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified")},
			{name: "context asked for and not met", knobs: d.base, config: asksFor(contextX509),
				want: want{code: saml.CodeAuthnContext}},
			{name: "NameID persistent, without a session key for it", knobs: format("persistent"), config: anyNameID,
				want: want{code: saml.CodeNameID, message: "empty"}},
		},
		encryptionRows(d, knobs{"EncryptionMode": "assertion"},
			"Response:rsa-sha256, EncryptedAssertion:aes128-cbc/rsa-oaep-mgf1p"),
		sha1Rows(method("RSA_SHA1"), "Response:rsa-sha1, Assertion:rsa-sha1"),
		requestRows(d, knobs{"CheckSSOMessageSignature": 1}, badSignature, badSignature), sha512Rows(d, knobs{"CheckSSOMessageSignature": 1}, ""),
		nameIDRows(d.with(knobs{"NameIDFormat": "persistent", "NameIDSessionKey": "uid"}), format("transient"),
			d.with(knobs{"NameIDFormat": "unspecified", "NameIDSessionKey": "uid"})),
		logoutRows(logoutDialect{base: d.with(knobs{"SignSLOMessage": 1}), post: d.with(knobs{"SignSLOMessage": 1}),
			signed: d.with(knobs{"SignSLOMessage": 1, "CheckSLOMessageSignature": 1}),
			here: map[string][]string{
				byRedirect: {"SAMLRequest by redirect", "SAMLResponse by redirect"},
				// the answer twice: the page of the service posts it again, with its own cookies
				byPOST: {"SAMLRequest by form", "SAMLResponse by form", "SAMLResponse by form"},
				bySOAP: {},
			}}),
		[]row{
			{name: "logout begun there, by SOAP", knobs: d.with(knobs{"SignSLOMessage": 1}), config: logsOut,
				metadata: []saml.MetadataOptions{{LogoutSOAP: true}}, ours: onlyLogoutBy(bySOAP), after: logoutThere},
			{name: "logout begun there, in Chromium", knobs: d.with(knobs{"SignSLOMessage": 1}), config: logsOut,
				after: lemonLDAPInChromium},
		},
		keyRows(d),
	))
}

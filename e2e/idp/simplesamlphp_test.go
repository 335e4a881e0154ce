//go:build idp

package idp

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/iomete/saml"
)

var simpleSAMLphp = product{
	name: "SimpleSAMLphp",
	needs: []need{
		{[]string{"php", "-r", `require "/usr/share/simplesamlphp/lib/_autoload.php"; foreach (["dom", "mbstring", "curl"] as $e) { if (!extension_loaded($e)) { exit(1); } }`},
			"the Debian packages simplesamlphp, php8.2-cli, php8.2-xml, php8.2-mbstring and php8.2-curl"},
	},
	start: startSimpleSAMLphp,
}

type runningSimpleSAMLphp struct {
	*server
	dir string
}

// startSimpleSAMLphp serves it with PHP's own web server. The knobs are fields of
// saml20-sp-remote.php
// (https://simplesamlphp.org/docs/1.19/simplesamlphp-reference-sp-remote.html), put over what
// SimpleSAMLphp reads in our metadata.
func startSimpleSAMLphp(t *testing.T, clients []*client) running {
	dir := t.TempDir()
	r := &runningSimpleSAMLphp{dir: dir}
	writeClients(t, dir, clients)
	writeJSON(t, filepath.Join(dir, "users.json"), users)
	productPair().write(t, filepath.Join(dir, "old.key"), filepath.Join(dir, "old.crt"))
	nextPair().write(t, filepath.Join(dir, "new.key"), filepath.Join(dir, "new.crt"))
	r.roll(t, keysOld)
	www := filepath.Join(dir, "www")
	if err := os.Mkdir(www, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/usr/share/simplesamlphp/www", filepath.Join(www, "simplesaml")); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	command := exec.Command("php", "-d", "session.gc_probability=0", "-d", "log_errors=1", "-d", "error_log=", "-S",
		fmt.Sprintf("127.0.0.1:%d", port), "-t", www)
	// Without PHP_CLI_SERVER_WORKERS: workers would outlive the server and keep its port.
	command.Env = append(os.Environ(), "PHP_CLI_SERVER_WORKERS=",
		"SIMPLESAMLPHP_CONFIG_DIR="+filepath.Join(productsDir(t, "simplesamlphp"),
			"config"), "IDP_DIR="+dir, fmt.Sprintf("IDP_BASE=http://localhost:%d", port))
	r.server = launch(t, port, "/simplesaml/saml2/idp/metadata.php", command)
	return r
}

func (r *runningSimpleSAMLphp) metadata(*client) string {
	return r.base + "/simplesaml/saml2/idp/metadata.php"
}

func (r *runningSimpleSAMLphp) initiate(c *client) string {
	return r.base + "/simplesaml/saml2/idp/SSOService.php?spentityid=" + url.QueryEscape(c.entityID)
}

func (r *runningSimpleSAMLphp) logout(c *client) string {
	return r.base + "/simplesaml/saml2/idp/SingleLogoutService.php?ReturnTo=" +
		url.QueryEscape(r.base+"/simplesaml/logout.php")
}

// roll changes the keys. It is read with every request.
func (r *runningSimpleSAMLphp) roll(t *testing.T, k keyPhase) {
	keys := map[string]string{"signs": "old", "announced": ""}
	switch k {
	case keysAnnounced:
		keys["announced"] = "new"
	case keysNew:
		keys["signs"] = "new"
	}
	writeJSON(t, filepath.Join(r.dir, "keys.json"), keys)
}

func TestSimpleSAMLphp(t *testing.T) {
	t.Parallel()
	d := dialect{base: knobs{"saml20.sign.response": false}, sent: "Assertion:rsa-sha256",
		unknown: "Metadata not found", ahead: saml.CodeExpired, noEmail: want{code: saml.CodeNameIDNotEmail,
			message: "transient"}}
	algorithm := func(name string) knobs { return d.with(knobs{"signature.algorithm": name}) }
	format := func(name string) knobs { return d.with(knobs{"NameIDFormat": name}) }
	run(t, simpleSAMLphp, rows(
		commonRows(d),
		sessionRows(d),
		passiveRows(d),
		[]row{
			{name: "as it is by default, both signed", want: want{sent: "Response:rsa-sha256, Assertion:rsa-sha256"}},
			{name: "response signed", knobs: knobs{"saml20.sign.assertion": false},
				want: want{sent: "Response:rsa-sha256"}},
			{name: "nothing signed", knobs: d.with(knobs{"saml20.sign.assertion": false}),
				want: want{code: saml.CodeUnsigned, sent: "nothing signed"}},
			{name: "RSA-SHA384", knobs: algorithm("http://www.w3.org/2001/04/xmldsig-more#rsa-sha384"),
				want: want{sent: "Assertion:rsa-sha384"}},
			{name: "RSA-SHA512", knobs: algorithm("http://www.w3.org/2001/04/xmldsig-more#rsa-sha512"),
				want: want{sent: "Assertion:rsa-sha512"}},
			{name: "no attributes", knobs: d.with(knobs{"simplesaml.attributes": false})},
			{name: "attributes in base64", knobs: d.with(knobs{"base64attributes": true}),
				want: want{identity: func(t *testing.T, login *saml.Login) {
					if login.Identity.GivenName != "QWxpY2U=" {
						t.Errorf("got the name %q, want it as it was sent", login.Identity.GivenName)
					}
				}}},
			{name: "attributes with names of the format uri",
				knobs: d.with(knobs{"attributes.NameFormat": "urn:oasis:names:tc:SAML:2.0:attrname-format:uri"}), user: "umlaut", want: want{identity: sameUser("umlaut")}},
			{name: "NameID qualified for another service",
				knobs: d.with(knobs{"NameIDFormat": "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
					"authproc": map[string]any{
						"20": map[string]any{"class": "saml:AttributeNameID", "attribute": "uid",
							"Format": "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent", "SPNameQualifier": "https://somebody-else.example.com"}}}),
				config: anyNameID, want: want{code: saml.CodeSPNameQualifier}},
			{name: "more audiences than us",
				knobs: d.with(knobs{"audience": []string{"https://somebody-else.example.com"}})},
			// It reads the context that is asked for, and always answers with what it has.
			{name: "context asked for and met", knobs: d.base, config: asksFor(contextPassword)},
			{name: "context asked for and not met", knobs: d.base, config: asksFor(contextX509),
				want: want{code: saml.CodeAuthnContext}},
			{name: "encrypted assertion in a signed response, and we want that",
				knobs: knobs{"assertion.encryption": true}, config: both(decrypts, wantsSignedResponse),
				want: want{sent: "Response:rsa-sha256, EncryptedAssertion:aes128-cbc/rsa-oaep-mgf1p"}},
			{name: "encrypted NameID", knobs: d.with(knobs{"nameid.encryption": true}), config: decrypts,
				user: "umlaut", want: want{sent: "Assertion:rsa-sha256, EncryptedID:aes128-cbc/rsa-oaep-mgf1p"}},
			{name: "encrypted NameID in an encrypted assertion",
				knobs: d.with(knobs{"nameid.encryption": true,
					"assertion.encryption": true}), config: decrypts, user: "umlaut"},
			{name: "encrypted NameID, and we have no key", knobs: d.with(knobs{"nameid.encryption": true}),
				registered: decrypts, want: want{code: saml.CodeNameID}},
		},
		encryptionRows(d, knobs{"assertion.encryption": true}, "EncryptedAssertion:aes128-cbc/rsa-oaep-mgf1p"),
		sha1Rows(algorithm("http://www.w3.org/2000/09/xmldsig#rsa-sha1"), "Assertion:rsa-sha1"),
		requestRows(d, knobs{"validate.authnrequest": true}, "no signature found", "Unable to validate"),
		sha512Rows(d, knobs{"validate.authnrequest": true}, ""),
		ownKeyRows(d, knobs{"validate.authnrequest": true}, knobs{"assertion.encryption": true}, "Unable to validate"),
		nameIDRows(format("urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"),
			format("urn:oasis:names:tc:SAML:2.0:nameid-format:transient"), format("urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified")),
		logoutRows(logoutDialect{base: d.with(knobs{"sign.logout": true}), post: d.with(knobs{"sign.logout": true}),
			signed: d.with(knobs{"sign.logout": true, "validate.logout": true}),
			here: map[string][]string{
				byRedirect: {"SAMLRequest by redirect", "SAMLResponse by redirect"},
				byPOST:     {"SAMLRequest by form", "SAMLResponse by redirect"},
			}}),
		[]row{
			{name: "logout begun there, encrypted NameID", knobs: d.with(knobs{"sign.logout": true, "nameid.encryption": true}),
				config: both(logsOut, decrypts), after: logoutThere},
			{name: "logout begun there, SHA-512", knobs: d.with(knobs{"sign.logout": true,
				"signature.algorithm": "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512"}), config: logsOut, after: logoutThere},
		},
		announcedKeyRows(d),
		keyRows(d),
	))
}

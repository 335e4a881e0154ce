//go:build idp

package idp

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/iomete/saml"
)

var pysaml2 = product{
	name: "pysaml2",
	needs: []need{
		// another python3 does not see Debian's modules
		{[]string{"/usr/bin/python3", "-c", "import saml2"}, "the Debian package python3-pysaml2"},
		{[]string{"xmlsec1", "--version"}, "the Debian package xmlsec1"},
	},
	start: startPysaml2,
}

type runningPysaml2 struct {
	*server
	dir string
}

// startPysaml2 serves products/pysaml2/idp.py, which says what the knobs are.
func startPysaml2(t *testing.T, clients []*client) running {
	dir := t.TempDir()
	r := &runningPysaml2{dir: dir}
	writeClients(t, dir, clients)
	writeJSON(t, filepath.Join(dir, "users.json"), users)
	productPair().write(t, filepath.Join(dir, "old.key"), filepath.Join(dir, "old.crt"))
	nextPair().write(t, filepath.Join(dir, "new.key"), filepath.Join(dir, "new.crt"))
	r.roll(t, keysOld)
	port := freePort(t)
	command := exec.Command("/usr/bin/python3", filepath.Join(productsDir(t, "pysaml2"), "idp.py"), fmt.Sprint(port),
		dir)
	command.Dir = dir
	r.server = launch(t, port, "/", command)
	return r
}

func (r *runningPysaml2) metadata(c *client) string { return r.base + "/" + c.slug + "/metadata" }
func (r *runningPysaml2) logout(c *client) string   { return r.base + "/" + c.slug + "/logout" }
func (r *runningPysaml2) initiate(c *client) string { return r.base + "/" + c.slug + "/start" }

// roll changes the keys. pysaml2 announces none.
func (r *runningPysaml2) roll(t *testing.T, k keyPhase) {
	writeJSON(t, filepath.Join(r.dir, "keys.json"), map[keyPhase]string{keysOld: "old", keysNew: "new"}[k])
}

func TestPysaml2(t *testing.T) {
	t.Parallel()
	d := dialect{sent: "Assertion:rsa-sha256", unknown: "UnknownSystemEntity", ahead: saml.CodeExpired,
		noEmail: want{code: saml.CodeNameID, message: "empty"}}
	// What pysaml2 encrypts with is a constant in it; xmlsec1, which does the work, can do these
	// too.
	content := func(name, sessionKey string) knobs {
		return knobs{"encrypt": true, "content": name, "session_key": sessionKey}
	}
	encrypted := rows(
		encryptionRows(d, content("http://www.w3.org/2009/xmlenc11#aes256-gcm", "aes-256"),
			"EncryptedAssertion:aes256-gcm/rsa-oaep-mgf1p"),
		[]row{
			{name: "encrypted by Triple DES, pysaml2's only choice", knobs: knobs{"encrypt": true}, config: decrypts,
				want: want{code: saml.CodeDecryption, message: "not allowed",
					sent: "EncryptedAssertion:tripledes-cbc/rsa-oaep-mgf1p"}},
			{name: "encrypted assertion whose namespaces are declared outside",
				knobs: d.with(knobs{"encrypt": true, "self_contained": false,
					"content": "http://www.w3.org/2009/xmlenc11#aes256-gcm", "session_key": "aes-256"}),
				config: decrypts, user: "umlaut", want: want{identity: sameUser("umlaut")}},
			{name: "assertion inside Advice",
				knobs: knobs{"advice": true, "content": "http://www.w3.org/2009/xmlenc11#aes256-gcm",
					"session_key": "aes-256"}, config: decrypts, want: want{code: saml.CodeAssertionCount}},
			{name: "encrypted key by RSA 1.5",
				knobs: d.with(knobs{"encrypt": true, "content": "http://www.w3.org/2009/xmlenc11#aes256-gcm",
					"session_key": "aes-256", "transport": "http://www.w3.org/2001/04/xmlenc#rsa-1_5"}),
				config: decrypts, want: want{code: saml.CodeDecryption, message: "not allowed",
					sent: "EncryptedAssertion:aes256-gcm/rsa-1_5"}},
			{name: "encrypted assertion in a signed response, and we want that",
				knobs: knobs{"encrypt": true, "content": "http://www.w3.org/2009/xmlenc11#aes128-gcm",
					"session_key": "aes-128", "sign_response": true},
				config: both(decrypts, wantsSignedResponse), want: want{sent: "Response:rsa-sha256, EncryptedAssertion:aes128-gcm/rsa-oaep-mgf1p"}},
		})
	for _, bits := range []string{"128", "192", "256"} {
		encrypted = append(encrypted,
			row{name: "encrypted by AES-" + bits + "-CBC",
				knobs: content("http://www.w3.org/2001/04/xmlenc#aes"+bits+"-cbc",
					"aes-"+bits), config: decrypts, want: want{sent: "EncryptedAssertion:aes" + bits +
					"-cbc/rsa-oaep-mgf1p"}},
			row{name: "encrypted by AES-" + bits + "-GCM",
				knobs: content("http://www.w3.org/2009/xmlenc11#aes"+bits+"-gcm",
					"aes-"+bits), config: decrypts, want: want{sent: "EncryptedAssertion:aes" + bits +
					"-gcm/rsa-oaep-mgf1p"}})
	}
	run(t, pysaml2, rows(
		commonRows(d),
		sessionRows(d),
		[]row{
			{name: "response signed", knobs: knobs{"sign_response": true, "sign_assertion": false},
				want: want{sent: "Response:rsa-sha256"}},
			{name: "both signed", knobs: knobs{"sign_response": true},
				want: want{sent: "Response:rsa-sha256, Assertion:rsa-sha256"}},
			{name: "nothing signed", knobs: knobs{"sign_assertion": false},
				want: want{code: saml.CodeUnsigned, sent: "nothing signed"}},
			{name: "RSA-SHA384", knobs: knobs{"algorithm": "sha384"}, want: want{sent: "Assertion:rsa-sha384"}},
			{name: "RSA-SHA512, response signed", knobs: knobs{"algorithm": "sha512", "sign_response": true,
				"sign_assertion": false}, want: want{sent: "Response:rsa-sha512"}},
			{name: "RSA-SHA224", knobs: knobs{"algorithm": "sha224"},
				want: want{code: saml.CodeSignatureAlgorithm, sent: "Assertion:rsa-sha224"}},
			{name: "context asked for and met", config: asksFor(contextPassword)},
			{name: "context asked for that it does not have", config: asksFor(contextX509),
				want: want{code: saml.CodeStatus, message: "NoAuthnContext"}},
		},
		sha1Rows(knobs{"algorithm": "sha1"}, "Assertion:rsa-sha1"),
		encrypted,
		requestRows(d, knobs{"want_signed": true}, "IncorrectlySigned", "IncorrectlySigned"), sha512Rows(d, knobs{"want_signed": true}, ""),
		nameIDRows(knobs{"name_id": "persistent"}, knobs{"name_id": "transient"}, knobs{"name_id": "unspecified"}),
		logoutRows(logoutDialect{signed: knobs{"want_signed": true}, post: knobs{"logout": "post"},
			here: map[string][]string{
				byRedirect: {"SAMLRequest by redirect", "SAMLResponse by redirect"},
				byPOST:     {"SAMLRequest by form", "SAMLResponse by redirect"},
				bySOAP:     {},
			}}),
		[]row{
			{name: "logout begun there, by SOAP", knobs: knobs{"logout": "soap"}, config: logsOut,
				metadata: []saml.MetadataOptions{{LogoutSOAP: true}}, after: logoutThere},
		},
		keyRows(d),
	))
}

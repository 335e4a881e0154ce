//go:build idp

package idp

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/iomete/saml"
)

var samlp = product{
	name: "Auth0 samlp",
	needs: []need{
		{[]string{"node", "--version"}, "the Debian package nodejs"},
		{[]string{"npm", "--version"}, "the Debian package npm"},
	},
	start: startSamlp,
}

type runningSamlp struct {
	*server
	dir string
}

// startSamlp serves products/samlp/idp.js, which says what the knobs are.
func startSamlp(t *testing.T, clients []*client) running {
	dir := t.TempDir()
	r := &runningSamlp{dir: dir}
	if err := os.CopyFS(dir, os.DirFS(productsDir(t, "samlp"))); err != nil {
		t.Fatal(err)
	}
	install := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	writeClients(t, dir, clients)
	writeJSON(t, filepath.Join(dir, "users.json"), users)
	productPair().write(t, filepath.Join(dir, "old.key"), filepath.Join(dir, "old.crt"))
	nextPair().write(t, filepath.Join(dir, "new.key"), filepath.Join(dir, "new.crt"))
	r.roll(t, keysOld)
	port := freePort(t)
	command := exec.Command("node", "--no-deprecation", filepath.Join(dir, "idp.js"), fmt.Sprint(port), dir)
	r.server = launch(t, port, "/", command)
	return r
}

func (r *runningSamlp) metadata(c *client) string { return r.base + "/" + c.slug + "/metadata" }
func (r *runningSamlp) initiate(c *client) string { return r.base + "/" + c.slug + "/start" }

// roll changes the keys. samlp announces none.
func (r *runningSamlp) roll(t *testing.T, k keyPhase) {
	writeJSON(t, filepath.Join(r.dir, "keys.json"), map[keyPhase]string{keysOld: "old", keysNew: "new"}[k])
}

func TestSamlp(t *testing.T) {
	t.Parallel()
	d := dialect{sent: "Assertion:rsa-sha256", unknown: "is not known", ahead: saml.CodeExpired,
		noEmail: want{refusal: "No attribute was found to generate the nameIdentifier"}}
	format := func(name string) knobs {
		return knobs{"nameIdentifierFormat": name, "nameIdentifier": "name"}
	}
	run(t, samlp, rows(
		commonRows(d),
		sessionRows(d),
		[]row{
			{name: "response signed", knobs: knobs{"signResponse": true, "signAssertion": false},
				want: want{sent: "Response:rsa-sha256"}},
			{name: "both signed", knobs: knobs{"signResponse": true},
				want: want{sent: "Response:rsa-sha256, Assertion:rsa-sha256"}},
			{name: "nothing signed", knobs: knobs{"signAssertion": false},
				want: want{code: saml.CodeUnsigned, sent: "nothing signed"}},
			{name: "both signed, with a prefix for the signatures",
				knobs: knobs{"signResponse": true,
					"signatureNamespacePrefix": "ds"}, want: want{sent: "Response:rsa-sha256, Assertion:rsa-sha256", identity: sameUser("alice")}},
			{name: "attributes without types and name formats",
				knobs: knobs{"typedAttributes": false,
					"includeAttributeNameFormat": false}, user: "umlaut", want: want{identity: sameUser("umlaut")}},
			{name: "context asked for and met", knobs: knobs{"authnContextClassRef": contextPassword},
				config: asksFor(contextPassword)},
			{name: "context asked for and not met", knobs: knobs{"authnContextClassRef": contextPassword},
				config: asksFor(contextX509), want: want{code: saml.CodeAuthnContext}},
			{name: "encrypted by AES-128-CBC",
				knobs: knobs{"encryptionAlgorithm": "http://www.w3.org/2001/04/xmlenc#aes128-cbc"}, config: decrypts, want: want{sent: "EncryptedAssertion:aes128-cbc/rsa-oaep-mgf1p/sha1"}},
			{name: "encrypted by AES-256-CBC",
				knobs: knobs{"encryptionAlgorithm": "http://www.w3.org/2001/04/xmlenc#aes256-cbc"}, config: decrypts, want: want{sent: "EncryptedAssertion:aes256-cbc/rsa-oaep-mgf1p/sha1"}},
			{name: "encrypted by AES-128-GCM",
				knobs: knobs{"encryptionAlgorithm": "http://www.w3.org/2009/xmlenc11#aes128-gcm"}, config: decrypts, want: want{sent: "EncryptedAssertion:aes128-gcm/rsa-oaep-mgf1p/sha1"}},
			{name: "encrypted by Triple DES",
				knobs: knobs{"encryptionAlgorithm": "http://www.w3.org/2001/04/xmlenc#tripledes-cbc"}, config: decrypts, want: want{code: saml.CodeDecryption, message: "not allowed", sent: "EncryptedAssertion:tripledes-cbc/rsa-oaep-mgf1p/sha1"}},
			{name: "encrypted assertion in a signed response, and we want that",
				knobs:  knobs{"encryptionAlgorithm": "", "signResponse": true},
				config: both(decrypts, wantsSignedResponse), want: want{sent: "Response:rsa-sha256, EncryptedAssertion:aes256-gcm/rsa-oaep-mgf1p/sha1"}},
		},
		encryptionRows(d, knobs{"encryptionAlgorithm": ""}, "EncryptedAssertion:aes256-gcm/rsa-oaep-mgf1p/sha1"),
		sha1Rows(knobs{"algorithm": "sha1"}, "Assertion:rsa-sha1"),
		requestRows(d, knobs{"wantSigned": true}, "MUST be signed", "Signature check errors"),
		sha512Rows(d, knobs{"wantSigned": true}, "Supported algorithms"),
		nameIDRows(format("urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"),
			format("urn:oasis:names:tc:SAML:2.0:nameid-format:transient"), format("urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified")),
		keyRows(d),
	))
}

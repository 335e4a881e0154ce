//go:build idp && keycloak

package idp

import (
	"slices"
	"testing"
	"time"

	"github.com/iomete/saml"
)

// keycloakDialect: Keycloak demands signed requests of every client that it imports, so
// kcClientSignature is off for a service without a signing key. All else is as the importer left
// it, which signs the response and the assertion.
var keycloakDialect = dialect{
	base:    knobs{kcClientSignature: "false", knobInitiated: true},
	unknown: "Invalid Request",
	sent:    "Response:rsa-sha256, Assertion:rsa-sha256",
	noEmail: want{code: saml.CodeStatus, message: "InvalidNameIDPolicy", sent: "Response:rsa-sha256"},
	ahead:   saml.CodeExpired,
}

// TestKeycloak is the matrix with Keycloak.
func TestKeycloak(t *testing.T) {
	d := keycloakDialect
	changing := d // of the realm whose keys change
	changing.base = d.with(knobs{knobRealm: true})
	run(t, keycloak, rows(keycloakImport, commonRows(d), sessionRows(d), passiveRows(d),
		requestRows(d, knobs{kcClientSignature: "true"}, "Invalid requester", "Invalid requester"), sha512Rows(d, knobs{kcClientSignature: "true"}, ""),
		[]row{
			{name: "request signed by RSA-PSS with SHA-256, by redirect", knobs: d.with(knobs{kcClientSignature: "true"}),
				config: signsBy(saml.RSAPSSWithSHA256)},
			{name: "request signed by RSA-PSS with SHA-256, by POST", knobs: d.with(knobs{kcClientSignature: "true"}),
				config: signsBy(saml.RSAPSSWithSHA256), way: post},
			{name: "request signed by RSA-PSS with SHA-512, by redirect", knobs: d.with(knobs{kcClientSignature: "true"}),
				config: signsBy(saml.RSAPSSWithSHA512)},
		},
		signatureRows(d), sha1Rows(d.with(knobs{kcSignatureAlg: "RSA_SHA1"}), "Response:rsa-sha1, Assertion:rsa-sha1"),
		encryptionRows(d, nil, "Response:rsa-sha256, EncryptedAssertion:aes256-gcm/rsa-oaep/sha256"), algorithmRows(d),
		nameIDRows(d.with(knobs{kcNameIDFormat: "persistent"}), d.with(knobs{kcNameIDFormat: "transient"}),
			d.with(knobs{kcNameIDFormat: "username"})),
		settingRows(d), keycloakLogoutRows(d), keyRows(changing), announcedKeyRows(changing), rotationRows(changing)))
}

// keycloakImport is what becomes of a client that is imported and not changed at all.
var keycloakImport = []row{
	{name: "as imported, without a signing key", knobs: knobs{knobMappers: false},
		before: warns("http_endpoint", "wants_signed_requests"), want: want{refusal: "Invalid requester"}},
	{name: "as imported, without a signing key, by POST", knobs: knobs{knobMappers: false}, way: post,
		want: want{refusal: "Invalid requester"}},
	{name: "as imported, with a signing key", knobs: knobs{knobMappers: false}, config: signs,
		want: want{sent: keycloakDialect.sent}},
	{name: "as imported, with a signing key, by POST", knobs: knobs{knobMappers: false}, config: signs, way: post,
		want: want{sent: keycloakDialect.sent}},
	{name: "as imported, with signing and decryption keys", knobs: knobs{knobMappers: false},
		config: both(signs, decrypts), want: want{sent: "Response:rsa-sha256, EncryptedAssertion:aes256-gcm/rsa-oaep/sha256"}},
	{name: "as imported, any NameID", knobs: knobs{knobMappers: false}, config: both(signs, anyNameID),
		want: want{email: noEmail, identity: nameID("alice")}},
	{name: "in Chromium", config: signs, before: inChromium, want: want{identity: sameUser("alice")}},
}

// signatureRows are about what is signed, and how.
func signatureRows(d dialect) []row {
	document, assertion := knobs{kcSignDocuments: "true", kcSignAssertions: "false"}, knobs{kcSignDocuments: "false",
		kcSignAssertions: "true"}
	const c14n10 = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
	inclusive := knobs{kcCanonicalization: c14n10}
	return []row{
		{name: "only the assertion signed", knobs: d.with(assertion),
			want: want{sent: "Assertion:rsa-sha256", identity: sameUser("umlaut")}, user: "umlaut"},
		{name: "only the response signed", knobs: d.with(document),
			want: want{sent: "Response:rsa-sha256", identity: sameUser("umlaut")}, user: "umlaut"},
		{name: "nothing signed", knobs: d.with(knobs{kcSignDocuments: "false", kcSignAssertions: "false"}),
			want: want{sent: "nothing signed", code: saml.CodeUnsigned}},
		{name: "only the assertion signed, and only signed responses are taken", knobs: d.with(assertion),
			config: wantsSignedResponse, want: want{sent: "Assertion:rsa-sha256", code: saml.CodeUnsigned}},
		{name: "RSA-SHA512", knobs: d.with(knobs{kcSignatureAlg: "RSA_SHA512"}),
			want: want{sent: "Response:rsa-sha512, Assertion:rsa-sha512"}},
		{name: "RSA-PSS with SHA-256", knobs: d.with(knobs{kcSignatureAlg: "RSA_SHA256_MGF1"}),
			want: want{sent: "Response:sha256-rsa-MGF1, Assertion:sha256-rsa-MGF1"}},
		{name: "RSA-PSS with SHA-512", knobs: d.with(knobs{kcSignatureAlg: "RSA_SHA512_MGF1"}),
			want: want{sent: "Response:sha512-rsa-MGF1, Assertion:sha512-rsa-MGF1"}},
		{name: "inclusive canonicalization, only the response signed", knobs: d.with(document, inclusive),
			want: want{sent: "Response:rsa-sha256/REC-xml-c14n-20010315", identity: sameUser("umlaut")}, user: "umlaut"},
		{name: "inclusive canonicalization with comments, only the response signed",
			knobs: d.with(document, knobs{kcCanonicalization: c14n10 + "#WithComments"}),
			want:  want{sent: "Response:rsa-sha256/REC-xml-c14n-20010315#WithComments"}},
		// Keycloak signs the assertion before it stands in the response, whose namespaces such a signature would
		// have to cover. So it is not valid where it stands, as xmlsec1 says too.
		{name: "inclusive canonicalization, only the assertion signed", knobs: d.with(assertion, inclusive),
			want: want{sent: "Assertion:rsa-sha256/REC-xml-c14n-20010315", code: saml.CodeSignature}},
		{name: "inclusive canonicalization, both signed", knobs: d.with(inclusive),
			want: want{sent: "Response:rsa-sha256/REC-xml-c14n-20010315, Assertion:rsa-sha256/REC-xml-c14n-20010315",
				code: saml.CodeSignature}},
		{name: "exclusive canonicalization with comments",
			knobs: d.with(knobs{kcCanonicalization: "http://www.w3.org/2001/10/xml-exc-c14n#WithComments"}),
			want:  want{sent: "Response:rsa-sha256/xml-exc-c14n#WithComments, Assertion:rsa-sha256/xml-exc-c14n#WithComments"}},
		{name: "no KeyName", knobs: d.with(knobs{kcKeyName: "NONE"}), want: want{sent: d.sent}},
		{name: "KeyName is the certificate's subject", knobs: d.with(knobs{kcKeyName: "CERT_SUBJECT"}),
			want: want{sent: d.sent}},
	}
}

// algorithmRows are about how an assertion is encrypted. That the importer turns encryption on is
// in encryptionRows.
func algorithmRows(d dialect) []row {
	encrypted := func(name, sent string, k knobs) row {
		return row{name: "encrypted assertion, " + name, knobs: d.with(k), config: decrypts,
			want: want{sent: "Response:rsa-sha256, EncryptedAssertion:" + sent, identity: sameUser("alice")}}
	}
	old := encrypted("RSA of PKCS #1 v1.5", "aes256-gcm/rsa-1_5",
		knobs{kcKeyTransport: "http://www.w3.org/2001/04/xmlenc#rsa-1_5"})
	old.want.code, old.want.identity = saml.CodeDecryption, nil
	document := encrypted("only the response signed", "aes256-gcm/rsa-oaep/sha256",
		knobs{kcSignDocuments: "true", kcSignAssertions: "false"})
	inside := encrypted("only the assertion signed", "", knobs{kcSignDocuments: "false", kcSignAssertions: "true"})
	inside.want.sent = "EncryptedAssertion:aes256-gcm/rsa-oaep/sha256"
	plain := row{name: "assertion that could be encrypted, and is not", knobs: d.with(knobs{kcEncrypt: "false"}),
		config: decrypts, want: want{sent: d.sent}}
	return []row{document, inside, old, plain,
		encrypted("AES-128-GCM", "aes128-gcm/rsa-oaep/sha256",
			knobs{kcEncryption: "http://www.w3.org/2009/xmlenc11#aes128-gcm"}),
		encrypted("AES-192-GCM", "aes192-gcm/rsa-oaep/sha256",
			knobs{kcEncryption: "http://www.w3.org/2009/xmlenc11#aes192-gcm"}),
		encrypted("AES-256-CBC", "aes256-cbc/rsa-oaep/sha256",
			knobs{kcEncryption: "http://www.w3.org/2001/04/xmlenc#aes256-cbc"}),
		encrypted("AES-192-CBC", "aes192-cbc/rsa-oaep/sha256",
			knobs{kcEncryption: "http://www.w3.org/2001/04/xmlenc#aes192-cbc"}),
		encrypted("AES-128-CBC", "aes128-cbc/rsa-oaep/sha256",
			knobs{kcEncryption: "http://www.w3.org/2001/04/xmlenc#aes128-cbc"}),
		encrypted("OAEP of XML Encryption 1.0", "aes256-gcm/rsa-oaep-mgf1p/sha256",
			knobs{kcKeyTransport: "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"}),
		encrypted("OAEP with SHA-512", "aes256-gcm/rsa-oaep/sha512",
			knobs{kcKeyTransport: "http://www.w3.org/2009/xmlenc11#rsa-oaep",
				kcEncryptionDigest: "http://www.w3.org/2001/04/xmlenc#sha512", kcEncryptionMask: "http://www.w3.org/2009/xmlenc11#mgf1sha512"}),
		encrypted("OAEP with SHA-384", "aes256-gcm/rsa-oaep/sha384",
			knobs{kcKeyTransport: "http://www.w3.org/2009/xmlenc11#rsa-oaep",
				kcEncryptionDigest: "http://www.w3.org/2001/04/xmldsig-more#sha384", kcEncryptionMask: "http://www.w3.org/2009/xmlenc11#mgf1sha384"}),
		encrypted("OAEP with SHA-1, which is not named", "aes256-gcm/rsa-oaep",
			knobs{kcKeyTransport: "http://www.w3.org/2009/xmlenc11#rsa-oaep",
				kcEncryptionDigest: "http://www.w3.org/2000/09/xmldsig#sha1", kcEncryptionMask: "http://www.w3.org/2009/xmlenc11#mgf1sha1"}),
	}
}

// settingRows are about what else an administrator can set, rightly or not.
func settingRows(d dialect) []row {
	return []row{
		{name: "user without an e-mail address, any NameID", knobs: d.with(knobs{kcNameIDFormat: "username"}),
			config: anyNameID, user: "nomail", want: want{email: noEmail, identity: nameID("nomail")}},
		{name: "context asked for that Keycloak does not state", knobs: d.base, config: asksFor(contextPassword),
			want: want{code: saml.CodeAuthnContext}},
		{name: "context asked for that Keycloak states", knobs: d.base,
			config: asksFor("urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified")},
		{name: "no AuthnStatement", knobs: d.with(knobs{kcAuthnStatement: "false"}),
			want: want{code: saml.CodeAuthnStatementMissing}},
		{name: "OneTimeUse condition", knobs: d.with(knobs{kcOneTimeUse: "true"}),
			want: want{identity: sameUser("alice")}},
		{name: "artifact binding", knobs: d.with(knobs{kcArtifact: "true"}),
			want: want{code: saml.CodeForm, message: "another binding"}},
		{name: "registered by a name that we had, begun there", knobs: d.base,
			config: both(takesUnsolicited,
				formerly("https://former.example/1")), registered: named("https://former.example/1"), way: atProvider, want: want{identity: sameUser("alice")}},
		{name: "registered with another Redirect URL", knobs: d.base, config: named("https://service.example"),
			registered: redirectedTo("/elsewhere"), want: want{refusal: "Invalid redirect uri"}},
	}
}

// rotationRows change the keys as the console suggests it (Realm settings > Keys > Add providers):
// the new key signs at once, and the old one stays in the metadata until it is removed.
func rotationRows(d dialect) []row {
	return []row{
		{name: "new key beside the old one, read by us, then alone", knobs: d.base,
			before: func(t *testing.T, v visit) {
				k := v.running.(*runningKeycloak)
				k.roll(t, keysOld)
				v.trust(t, k.metadata(v.client))
				signInBefore(t, v)
				k.setKeys(t, keycloakOldKey, keycloakNewKey)
				if e := v.signIn(t); e.code() != saml.CodeSignature || e.login != nil {
					t.Fatalf("with a new key that we do not know the sign-in ended with %s, want code %s", e,
						saml.CodeSignature)
				}
				if p := v.trust(t, k.metadata(v.client)); len(p.Keys()) != 2 {
					t.Fatalf("the metadata has %d keys, want the old and the new one", len(p.Keys()))
				}
				if e := v.signIn(t); e.login == nil {
					t.Fatalf("with both keys known the sign-in ended with %s", e)
				}
				k.roll(t, keysNew)
				if p := v.trust(t, k.metadata(v.client)); len(p.Keys()) != 1 {
					t.Fatalf("the metadata has %d keys, want the new one alone", len(p.Keys()))
				}
			}, want: want{silent: true}},
	}
}

func named(entityID string) func(*saml.Config) {
	return func(c *saml.Config) { c.EntityID = entityID }
}

func formerly(entityID string) func(*saml.Config) {
	return func(c *saml.Config) { c.FormerEntityIDs = []string{entityID} }
}

func redirectedTo(path string) func(*saml.Config) {
	return func(c *saml.Config) { c.RedirectPath = path }
}

// nameID expects the value of the NameID, and that it names an account.
func nameID(value string) func(*testing.T, *saml.Login) {
	return func(t *testing.T, login *saml.Login) {
		t.Helper()
		if got := login.Assertion.NameID.Value; got != value || login.Identity.NameIDKey == "" {
			t.Errorf("got NameID %q with key %q, want %q with one", got, login.Identity.NameIDKey, value)
		}
	}
}

// warns expects what Keycloak's metadata gives an administrator to think about.
func warns(codes ...string) func(*testing.T, visit) {
	return func(t *testing.T, v visit) {
		t.Helper()
		var got []string
		for _, w := range v.trusted.Load().Warnings(time.Now()) {
			got = append(got, w.Code)
		}
		if !slices.Equal(got, codes) {
			t.Errorf("Keycloak's metadata has the warnings %v, want %v", got, codes)
		}
	}
}

// inChromium signs in with a real browser, by typing name and password into Keycloak's page.
func inChromium(t *testing.T, v visit) {
	t.Helper()
	c := startChromium(t)
	v.forget()
	c.signIn(v.url("/login"), "#username", "#password", "#kc-login", "alice", "alicepass")
	c.want("signed in: alice@example.com")
	if login, refusal := v.heard(); login == nil || refusal != nil {
		t.Errorf("got the sign-in %v, %v", login, refusal)
	}
}

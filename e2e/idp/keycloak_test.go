package idp

import (
	"context"
	"crypto"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/iomete/saml"
)

// TestKeycloak is the matrix with Keycloak. Each client is what Keycloak's importer made of our metadata, changed by nothing but the row's
// knobs. It demands signed requests, so a service without a signing key needs kcClientSignature "false".
func TestKeycloak(t *testing.T) {
	run(t, keycloak, slices.Concat(keycloakImport, keycloakSigning, keycloakEncryption, keycloakNames, keycloakSettings, keycloakKeyChanges))
}

// set makes knobs of names and values.
func set(pairs ...string) knobs {
	k := knobs{}
	for i := 0; i+1 < len(pairs); i += 2 {
		k[pairs[i]] = pairs[i+1]
	}
	return k
}

// withUsers puts users into the realm, with a row's other knobs.
func withUsers(k knobs, names ...string) knobs {
	k[knobUsers] = names
	return k
}

// What Keycloak makes of our metadata, and the ways to sign in.
var keycloakImport = []row{
	{name: "as imported, without a signing key", knobs: knobs{knobMappers: false}, want: want{refusal: "Invalid requester"}},
	{name: "as imported, without a signing key, POST", knobs: knobs{knobMappers: false}, way: post, want: want{refusal: "Invalid requester"}},
	{name: "as imported, with a signing key", knobs: knobs{knobMappers: false}, config: signs},
	{name: "as imported, with a signing key, POST", knobs: knobs{knobMappers: false}, config: signs, way: post},
	{name: "as imported, with signing and decryption keys", knobs: knobs{knobMappers: false}, config: both(signs, decrypts)},
	{name: "signed requests not demanded", knobs: set(kcClientSignature, "false"), want: want{identity: sameUser("alice")}},
	{name: "signed requests not demanded, POST", knobs: set(kcClientSignature, "false"), way: post, want: want{identity: sameUser("alice")}},
	{name: "request signed by another key", config: signs, registered: signsWith(productPair), want: want{refusal: "Invalid requester"}},
	{name: "request signed by another key, POST", config: signs, registered: signsWith(productPair), way: post, want: want{refusal: "Invalid requester"}},
	{name: "begun at Keycloak, refused", config: signs, knobs: set(kcInitiated, "app"), way: atProvider, want: want{code: saml.CodeUnsolicited}},
	{name: "begun at Keycloak, restarted", config: both(signs, restarts), knobs: set(kcInitiated, "app"), way: atProvider, want: want{identity: sameUser("alice")}},
	{name: "begun at Keycloak, accepted", config: both(signs, takesUnsolicited), knobs: set(kcInitiated, "app"), way: atProvider, want: want{identity: sameUser("alice")}},
	{name: "in Chromium", config: signs, before: inChromium, want: want{identity: sameUser("alice")}},
}

// What is signed, and how.
var keycloakSigning = []row{
	{name: "only the assertion signed", config: signs, knobs: set(kcSignDocuments, "false", kcSignAssertions, "true"), want: want{identity: sameUser("alice")}},
	{name: "only the response signed", config: signs, knobs: set(kcSignDocuments, "true", kcSignAssertions, "false"), want: want{identity: sameUser("alice")}},
	{name: "response and assertion signed", config: signs, knobs: set(kcSignDocuments, "true", kcSignAssertions, "true"), want: want{identity: sameUser("alice")}},
	{name: "nothing signed", config: signs, knobs: set(kcSignDocuments, "false", kcSignAssertions, "false"), want: want{code: saml.CodeUnsigned}},
	{name: "only the assertion signed, RequireSignedResponse", config: both(signs, requiresSignedResponse), knobs: set(kcSignDocuments, "false", kcSignAssertions, "true"), want: want{code: saml.CodeUnsigned}},
	{name: "response and assertion signed, RequireSignedResponse", config: both(signs, requiresSignedResponse), want: want{identity: sameUser("alice")}},
	{name: "RSA-SHA512", config: signs, knobs: set(kcSignatureAlg, "RSA_SHA512"), want: want{identity: sameUser("alice")}},
	{name: "SHA-1", config: signs, knobs: set(kcSignatureAlg, "RSA_SHA1"), want: want{code: saml.CodeSignatureAlgorithm}},
	{name: "SHA-1, InsecureAllowSHA1", config: both(signs, allowsSHA1), knobs: set(kcSignatureAlg, "RSA_SHA1"), want: want{identity: sameUser("alice")}},
	{name: "exclusive canonicalization with comments", config: signs, knobs: set(kcCanonicalization, "http://www.w3.org/2001/10/xml-exc-c14n#WithComments"), want: want{identity: sameUser("alice")}},
	{name: "KeyName none", config: signs, knobs: set(kcKeyName, "NONE"), want: want{identity: sameUser("alice")}},
	{name: "KeyName subject of the certificate", config: signs, knobs: set(kcKeyName, "CERT_SUBJECT"), want: want{identity: sameUser("alice")}},
}

// Encryption. Keycloak turns it on by itself when our metadata has a certificate for it.
var keycloakEncryption = []row{
	{name: "encrypted", config: both(signs, decrypts), want: want{identity: sameUser("alice")}},
	{name: "encrypted, AES-128-GCM", config: both(signs, decrypts), knobs: set(kcEncryption, "http://www.w3.org/2009/xmlenc11#aes128-gcm"), want: want{identity: sameUser("alice")}},
	{name: "encrypted, AES-256-CBC", config: both(signs, decrypts), knobs: set(kcEncryption, "http://www.w3.org/2001/04/xmlenc#aes256-cbc"), want: want{identity: sameUser("alice")}},
	{name: "encrypted, AES-128-CBC", config: both(signs, decrypts), knobs: set(kcEncryption, "http://www.w3.org/2001/04/xmlenc#aes128-cbc"), want: want{identity: sameUser("alice")}},
	{name: "encrypted, RSA-OAEP of XML Encryption 1.0", config: both(signs, decrypts), knobs: set(kcKeyTransport, "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"), want: want{identity: sameUser("alice")}},
	{name: "encrypted, RSA-OAEP with SHA-512 and MGF1-SHA-512", config: both(signs, decrypts), knobs: set(kcKeyTransport, "http://www.w3.org/2009/xmlenc11#rsa-oaep",
		kcEncryptionDigest, "http://www.w3.org/2001/04/xmlenc#sha512", kcEncryptionMask, "http://www.w3.org/2009/xmlenc11#mgf1sha512"), want: want{identity: sameUser("alice")}},
	{name: "encrypted, RSA-OAEP with SHA-1 and MGF1-SHA-1", config: both(signs, decrypts), knobs: set(kcKeyTransport, "http://www.w3.org/2009/xmlenc11#rsa-oaep",
		kcEncryptionDigest, "http://www.w3.org/2000/09/xmldsig#sha1", kcEncryptionMask, "http://www.w3.org/2009/xmlenc11#mgf1sha1"), want: want{identity: sameUser("alice")}},
	{name: "encrypted, RSA PKCS #1 v1.5", config: both(signs, decrypts), knobs: set(kcKeyTransport, "http://www.w3.org/2001/04/xmlenc#rsa-1_5"), want: want{code: saml.CodeDecryption}},
	{name: "encrypted, only the response signed", config: both(signs, decrypts), knobs: set(kcSignDocuments, "true", kcSignAssertions, "false"), want: want{identity: sameUser("alice")}},
	{name: "encrypted, only the assertion signed", config: both(signs, decrypts), knobs: set(kcSignDocuments, "false", kcSignAssertions, "true"), want: want{identity: sameUser("alice")}},
	{name: "encrypted, two decryption keys", config: both(signs, decryptsWith(decryptionPair, nextPair)), want: want{identity: sameUser("alice")}},
	{name: "encrypted for another key", config: both(signs, decrypts), registered: decryptsWith(nextPair), want: want{code: saml.CodeDecryption}},
	{name: "encrypted, without a decryption key", config: signs, registered: decrypts, want: want{code: saml.CodeEncryptedAssertion}},
}

// Users and their names.
var keycloakNames = []row{
	{name: "NameID username", config: signs, knobs: set(kcNameIDFormat, "username"), want: want{code: saml.CodeNameIDNotEmail}},
	{name: "NameID username, AllowAnyNameID", config: both(signs, anyNameID), knobs: set(kcNameIDFormat, "username"), want: want{identity: nameID("alice", true)}},
	{name: "NameID as imported, AllowAnyNameID", config: both(signs, anyNameID), want: want{identity: nameID("alice", true)}},
	{name: "NameID username, AllowAnyNameID, not ASCII", config: both(signs, anyNameID), knobs: withUsers(set(kcNameIDFormat, "username"), "jürgen"), user: "jürgen", want: want{email: "juergen@example.com", identity: nameID("jürgen", true)}},
	{name: "NameID persistent", config: signs, knobs: set(kcNameIDFormat, "persistent"), want: want{code: saml.CodeNameIDNotEmail}},
	{name: "NameID persistent, AllowAnyNameID", config: both(signs, anyNameID), knobs: set(kcNameIDFormat, "persistent"), want: want{identity: nameID("", true)}},
	{name: "NameID transient", config: signs, knobs: set(kcNameIDFormat, "transient"), want: want{code: saml.CodeNameIDNotEmail}},
	{name: "NameID transient, AllowAnyNameID", config: both(signs, anyNameID), knobs: set(kcNameIDFormat, "transient"), want: want{identity: nameID("", false)}},
	{name: "user without an e-mail address", config: signs, knobs: withUsers(knobs{}, "bob"), user: "bob", want: want{code: saml.CodeStatus}},
	{name: "user without an e-mail address, AllowAnyNameID", config: both(signs, anyNameID), knobs: withUsers(set(kcNameIDFormat, "username"), "bob"), user: "bob", want: want{email: noEmail, identity: nameID("bob", true)}},
	{name: "names with quotes, brackets and umlauts", config: signs, knobs: withUsers(knobs{}, "umlaut"), user: "umlaut", want: want{identity: sameUser("umlaut")}},
	{name: "names with quotes, brackets and umlauts, encrypted", config: both(signs, decrypts), knobs: withUsers(knobs{}, "umlaut"), user: "umlaut", want: want{identity: sameUser("umlaut")}},
	{name: "names that are not Latin", config: signs, knobs: withUsers(knobs{}, "kanji"), user: "kanji", want: want{identity: sameUser("kanji")}},
	{name: "300 groups", config: signs, knobs: withUsers(knobs{}, "many"), user: "many", want: want{identity: sameUser("many")}},
}

// What else an administrator can set, rightly or not.
var keycloakSettings = []row{
	{name: "second sign-in", config: signs, before: signsInOnce, want: want{identity: sameUser("alice"), silent: true}},
	{name: "second sign-in, ForceAuthn", config: signs, options: saml.LoginOptions{ForceAuthn: true}, before: signsInOnce, want: want{identity: sameUser("alice")}},
	{name: "second sign-in, ForceAuthn, POST", config: signs, way: post, options: saml.LoginOptions{ForceAuthn: true}, before: signsInOnce, want: want{identity: sameUser("alice")}},
	{name: "RequestedAuthnContexts that Keycloak does not state", config: both(signs, asksFor("urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport")), want: want{code: saml.CodeAuthnContext}},
	{name: "RequestedAuthnContexts that Keycloak states", config: both(signs, asksFor("urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified")), want: want{identity: sameUser("alice")}},
	{name: "without AuthnStatement", config: signs, knobs: set(kcAuthnStatement, "false"), want: want{code: saml.CodeAuthnStatementMissing}},
	{name: "OneTimeUse condition", config: signs, knobs: set(kcOneTimeUse, "true"), want: want{identity: sameUser("alice")}},
	{name: "artifact binding", config: signs, knobs: set(kcArtifact, "true"), want: want{code: saml.CodeForm}},
	{name: "unknown service", config: signs, unknown: true, want: want{refusal: "Invalid Request"}},
	{name: "registered by another entity ID", config: signs, registered: named("https://elsewhere.example"), want: want{refusal: "Invalid Request"}},
	{name: "registered by another entity ID, begun at Keycloak", config: both(signs, takesUnsolicited), registered: named("https://elsewhere.example"), knobs: set(kcInitiated, "app"), way: atProvider, want: want{code: saml.CodeAudience}},
	{name: "registered by a former entity ID, begun at Keycloak", config: both(signs, takesUnsolicited, formerly("https://elsewhere.example")), registered: named("https://elsewhere.example"), knobs: set(kcInitiated, "app"), way: atProvider, want: want{identity: sameUser("alice")}},
	{name: "registered with another Redirect URL", config: both(signs, named("https://service.example")), registered: redirectedTo("/elsewhere"), want: want{refusal: "Invalid Request"}},
	{name: "our clock 10 minutes ahead", config: signs, before: clock(10), want: want{code: saml.CodeExpired}},
	{name: "our clock 10 minutes behind", config: signs, before: clock(-10), want: want{code: saml.CodeNotYetValid}},
}

// Keycloak changes its keys while it runs.
var keycloakKeyChanges = []row{
	{name: "new signing key, metadata not read again", config: signs, before: func(t *testing.T, v visit) {
		v.running.(*runningKeycloak).rotate(v.client)
	}, want: want{code: saml.CodeSignature}},
	{name: "new signing key, metadata read again", config: signs, before: func(t *testing.T, v visit) {
		v.running.(*runningKeycloak).rotate(v.client)
		if p := v.trust(t, v.running.metadata(v.client)); len(p.Keys()) != 2 {
			t.Errorf("the metadata has %d keys, want the old and the new one", len(p.Keys()))
		}
	}, want: want{identity: sameUser("alice")}},
	{name: "new signing key, the old one removed", config: signs, before: func(t *testing.T, v visit) {
		k := v.running.(*runningKeycloak)
		k.rotate(v.client)
		v.trust(t, k.metadata(v.client))
		k.drop(v.client)
		if p := v.trust(t, k.metadata(v.client)); len(p.Keys()) != 1 {
			t.Errorf("the metadata has %d keys, want the new one alone", len(p.Keys()))
		}
	}, want: want{identity: sameUser("alice")}},
}

func signsWith(pair func() keyPair) func(*saml.Config) {
	return func(c *saml.Config) { c.SigningKey, c.SigningCertificate = pair().key, pair().certificate }
}

func decryptsWith(pairs ...func() keyPair) func(*saml.Config) {
	return func(c *saml.Config) {
		c.DecryptionKeys = nil
		for _, p := range pairs {
			c.DecryptionKeys = append(c.DecryptionKeys, saml.DecryptionKey{Key: crypto.Decrypter(p().key), Certificate: p().certificate})
		}
	}
}

func requiresSignedResponse(c *saml.Config) { c.RequireSignedResponse = true }

func asksFor(contexts ...string) func(*saml.Config) {
	return func(c *saml.Config) { c.RequestedAuthnContexts = contexts }
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

func clock(minutes int) func(*testing.T, visit) {
	return func(_ *testing.T, v visit) { v.setClock(time.Duration(minutes) * time.Minute) }
}

// nameID expects the value of the NameID ("" for any) and whether it names an account.
func nameID(value string, account bool) func(*testing.T, *saml.Login) {
	return func(t *testing.T, login *saml.Login) {
		t.Helper()
		if got := login.Assertion.NameID.Value; value != "" && got != value || got == "" {
			t.Errorf("got NameID %q, want %q", got, value)
		}
		if _, err := login.Identity.AccountKey(); (err == nil) != account {
			t.Errorf("got account key error %v, want an account: %v", err, account)
		}
	}
}

// signsInOnce signs in before the sign-in that the row is about, in the same browser.
func signsInOnce(t *testing.T, v visit) {
	t.Helper()
	v.row.want.silent = false
	v.check(t, v.signIn(t))
	if v.browser.passwords != 1 {
		t.Errorf("a password was asked for %d times, want once", v.browser.passwords)
	}
}

// inChromium signs in with a real browser, by typing name and password into Keycloak's page.
func inChromium(t *testing.T, v visit) {
	t.Helper()
	need{[]string{"chromium", "--version"}, "the Debian package chromium"}.check(t)
	dir, err := os.MkdirTemp("", "idp-chromium-") // a shorter path than that of t.TempDir: the browser puts sockets into it
	if err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath("chromium"), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(dir), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ := chromedp.NewContext(allocator)
	defer func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Log(err)
		}
		stop()
		os.RemoveAll(dir) // its last processes may still be writing; what they leave is in the folder for temporary files
	}()
	if err := chromedp.Do(ctx); err != nil { // starts it, without a deadline, which would end it too
		t.Fatal(err)
	}
	limited, cancel := context.WithTimeout(ctx, mostPatience)
	defer cancel()
	v.forget()
	if err := chromedp.Do(limited, chromedp.Navigate(v.url("/login")), chromedp.WaitVisible(chromedp.CSS("#username")),
		chromedp.SendKeys(chromedp.CSS("#username"), "alice"), chromedp.SendKeys(chromedp.CSS("#password"), "alicepass"), chromedp.Click(chromedp.CSS("#kc-login"))); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Run(limited, chromedp.Poll[bool](fmt.Sprintf("location.href === %q && document.body.innerText", v.url("/")))); err != nil {
		t.Fatal(err)
	}
	text, err := chromedp.Run(limited, chromedp.Text(chromedp.CSS("body")))
	if err != nil {
		t.Fatal(err)
	}
	login, refusal := v.heard()
	if want := "signed in: alice@example.com"; text != want || login == nil || refusal != nil {
		t.Errorf("the page says %q (%v), want %q", text, refusal, want)
	}
}

//go:build idp

package idp

import (
	"maps"
	"testing"
	"time"

	"github.com/iomete/saml"
)

// A dialect says how the rows that all products share are put to one of them.
type dialect struct {
	noEmail  want          // what comes of a user without an e-mail address
	base     knobs         // what every service is set to
	unknown  string        // part of the page for a service that is not known
	sent     string        // how a response is protected by base
	patience time.Duration // how old the session there must be before ForceAuthn counts
	ahead    saml.Code     // the refusal where our clock is 10 minutes ahead; "" for assertions that live longer
}

// with returns the base and more: of one name, the last.
func (d dialect) with(more ...knobs) knobs {
	all := knobs{}
	maps.Copy(all, d.base)
	for _, k := range more {
		maps.Copy(all, k)
	}
	return all
}

// commonRows are those that every product can do.
func commonRows(d dialect) []row {
	otherName := func(c *saml.Config) { c.EntityID = c.BaseURL + "/another-name" }
	return []row{
		{name: "begun here, by redirect", knobs: d.base, want: want{sent: d.sent, identity: sameUser("alice")}},
		{name: "begun here, by POST", knobs: d.base, way: post, want: want{sent: d.sent, identity: sameUser("alice")}},
		{name: "begun there, refused", knobs: d.base, way: atProvider, want: want{code: saml.CodeUnsolicited}},
		{name: "begun there, begun again here", knobs: d.base, way: atProvider, config: restarts,
			want: want{identity: wasAsked(true)}},
		{name: "begun there, accepted", knobs: d.base, way: atProvider, config: takesUnsolicited,
			want: want{identity: wasAsked(false)}},

		{name: "user with quotes, umlauts, & and <", knobs: d.base, user: "umlaut",
			want: want{identity: sameUser("umlaut")}},
		{name: "user in Kanji, Greek, Arabic and beyond 16 bits", knobs: d.base, user: "kanji",
			want: want{identity: sameUser("kanji")}},
		{name: "300 groups", knobs: d.base, user: "many", want: want{identity: sameUser("many")}},

		{name: "user without an e-mail address", knobs: d.base, user: "nomail", want: d.noEmail},

		{name: "service unknown there", unknown: true, want: want{refusal: d.unknown}},
		{name: "service known there by another name, begun here", knobs: d.base, registered: otherName,
			want: want{refusal: d.unknown}},
		{name: "service known there by another name, begun there", knobs: d.base, registered: otherName,
			way: atProvider, config: takesUnsolicited, want: want{code: saml.CodeAudience}},

		{name: "our clock 2 minutes ahead", knobs: d.base, clock: 2 * time.Minute},
		{name: "our clock 2 minutes behind", knobs: d.base, clock: -2 * time.Minute},
		{name: "our clock 10 minutes ahead", knobs: d.base, clock: 10 * time.Minute, want: want{code: d.ahead}},
		{name: "our clock 10 minutes behind", knobs: d.base, clock: -10 * time.Minute,
			want: want{code: saml.CodeIssueInstant}},

		{name: "our metadata has everything there is", knobs: d.base, config: both(signs, announcesKeys, decrypts),
			metadata: []saml.MetadataOptions{fullMetadata}},

		{name: "only signed responses are taken", knobs: d.base, config: wantsSignedResponse,
			want: signedResponse(d.sent)},
	}
}

// fullMetadata is our metadata as a federation wants it: with an end, a signature, and texts.
var fullMetadata = saml.MetadataOptions{Sign: true, ValidFor: 48 * time.Hour,
	Displays: []saml.MetadataDisplay{{Name: "Console", Description: "Tables & queries", InformationURL: "https://example.com/about",
		PrivacyURL: "https://example.com/privacy"}, {Language: "de", Name: "Konsole für Daten"}},
	Logos:        []saml.MetadataLogo{{URL: "https://example.com/logo.png", Width: 80, Height: 60}},
	Organization: []saml.MetadataOrganization{{Name: "Example Inc.", URL: "https://example.com"}},
	Contacts: []saml.MetadataContact{{GivenName: "Ada", Surname: "Lovelace", Email: "ada@example.com", Phone: "+41 44 000 00 00"},
		{Type: "support", Email: "help@example.com"}}}

// announcesKeys publishes a signing key that is not used yet.
func announcesKeys(c *saml.Config) {
	c.FurtherSigningCertificates = [][]byte{nextPair().certificate}
}

// signedResponse is what comes of a response under RequireSignedResponse.
func signedResponse(sent string) want {
	if len(sent) > 9 && sent[:9] == "Response:" {
		return want{}
	}
	return want{code: saml.CodeUnsigned}
}

func wantsSignedResponse(c *saml.Config) { c.RequireSignedResponse = true }

// wasAsked expects a sign-in that answers a request of ours, or none.
func wasAsked(ours bool) func(*testing.T, *saml.Login) {
	return func(t *testing.T, login *saml.Login) {
		t.Helper()
		if got := login.RequestID != ""; got != ours {
			t.Errorf("the sign-in has request ID %q, want one: %v", login.RequestID, ours)
		}
	}
}

// signInBefore signs the row's user in, so that the row finds a session at the product.
func signInBefore(t *testing.T, v visit) {
	t.Helper()
	options := *v.options
	defer func() { *v.options = options }()
	v.options.ForceAuthn = false
	if e := v.signIn(t); e.login == nil || e.passwords != 1 {
		t.Fatalf("the first sign-in ended with %s, after %d passwords\n%.3000s", e, e.passwords, e.page.body)
	}
}

// sessionRows are for products that keep a session of their own.
func sessionRows(d dialect) []row {
	return []row{
		{name: "second sign-in, by the session there", knobs: d.base, before: signInBefore, want: want{silent: true}},
		{name: "second sign-in with ForceAuthn", knobs: d.base, options: saml.LoginOptions{ForceAuthn: true},
			before: func(t *testing.T, v visit) {
				signInBefore(t, v)
				time.Sleep(d.patience)
			}},
		{name: "first sign-in with ForceAuthn, by POST", knobs: d.base, way: post,
			options: saml.LoginOptions{ForceAuthn: true}},
	}
}

// passiveRows are for products that know a request which forbids them to ask the user.
func passiveRows(d dialect) []row {
	return []row{
		{name: "silent sign-in, by the session there", knobs: d.base, options: saml.LoginOptions{IsPassive: true},
			before: func(t *testing.T, v visit) {
				v.options.IsPassive = false
				signInBefore(t, v)
				v.options.IsPassive = true
			}, want: want{silent: true}},
		{name: "silent sign-in, nobody is signed in there", knobs: d.base, options: saml.LoginOptions{IsPassive: true},
			want: want{code: saml.CodeNoPassive, message: "NoPassive", silent: true}},
		{name: "silent sign-in by POST, nobody is signed in there", knobs: d.base, way: post,
			options: saml.LoginOptions{IsPassive: true}, want: want{code: saml.CodeNoPassive, silent: true}},
	}
}

// requestRows are for products that check signatures of requests. demand are the knobs that say so,
// refusal is on the page for a request without a good signature.
func requestRows(d dialect, demand knobs, unsigned, wrong string) []row {
	return []row{
		{name: "signed request demanded and sent, by redirect", knobs: d.with(demand), config: signs},
		{name: "signed request demanded and sent, by POST", knobs: d.with(demand), config: signs, way: post},
		// Our metadata is that of a service that signs, and the requests are those of one that does
		// not.
		{name: "signed request demanded, unsigned sent, by redirect", knobs: d.with(demand), registered: signs,
			want: want{refusal: unsigned}},
		{name: "signed request demanded, unsigned sent, by POST", knobs: d.with(demand), registered: signs, way: post,
			want: want{refusal: unsigned}},
		{name: "request signed by a key that is not in our metadata, by redirect", knobs: d.with(demand),
			config: signs, registered: signsOtherwise, want: want{refusal: wrong}},
		{name: "request signed by a key that is not in our metadata, by POST", knobs: d.with(demand), config: signs,
			registered: signsOtherwise, way: post, want: want{refusal: wrong}},
		{name: "request signed by RSA-SHA512, by POST", knobs: d.with(demand), config: signsBy(saml.RSAWithSHA512), way: post},
		{name: "signed request sent, though nobody demands it", knobs: d.base, config: signs},
	}
}

// ownKeyRows are for products that check signatures of requests, and read several certificates of our
// metadata: we change our keys, and the product has read what docs/keys.md says. encrypt are the knobs
// for encrypted assertions, wrong is on the page for a request with another signature.
func ownKeyRows(d dialect, demand, encrypt knobs, wrong string) []row {
	return []row{
		{name: "our next signing key announced, the former one signs", knobs: d.with(demand),
			config: both(signs, announcesKeys)},
		{name: "our next signing key signs, by redirect", knobs: d.with(demand), config: signsNext,
			registered: both(signs, announcesKeys)},
		{name: "our next signing key signs, by POST", knobs: d.with(demand), config: signsNext, way: post,
			registered: both(signs, announcesKeys)},
		{name: "our former signing key signs once more, by POST", knobs: d.with(demand), config: signs, way: post,
			registered: signsNext},
		{name: "our former signing key dropped, and it signs", knobs: d.with(demand), config: signs,
			registered: signsNextAlone, want: want{refusal: wrong}},
		{name: "our next decryption key first, the metadata has the former one", knobs: d.with(encrypt), config: decryptsNext,
			registered: decrypts},
		{name: "our next decryption key first, in the metadata too", knobs: d.with(encrypt), config: decryptsNext},
	}
}

// signsNext is what follows on both(signs, announcesKeys).
func signsNext(c *saml.Config) {
	signsNextAlone(c)
	c.FurtherSigningCertificates = [][]byte{signingPair().certificate}
}

func signsNextAlone(c *saml.Config) {
	c.SigningKey, c.SigningCertificate = nextPair().key, nextPair().certificate
}

func decryptsNext(c *saml.Config) {
	decrypts(c)
	c.DecryptionKeys = append([]saml.DecryptionKey{{Key: nextPair().key, Certificate: nextPair().certificate}},
		c.DecryptionKeys...)
}

// sha512Rows are one more of requestRows. refusal is on the page of a product that does not know
// the algorithm in an address, "" if it does.
func sha512Rows(d dialect, demand knobs, refusal string) []row {
	return []row{{name: "request signed by RSA-SHA512, by redirect", knobs: d.with(demand), config: signsBy(saml.RSAWithSHA512),
		want: want{refusal: refusal}}}
}

func signsBy(algorithm saml.SigningAlgorithm) func(*saml.Config) {
	return func(c *saml.Config) {
		signs(c)
		c.SigningAlgorithm = algorithm
	}
}

func signsOtherwise(c *saml.Config) {
	c.SigningKey, c.SigningCertificate = decryptionPair().key, decryptionPair().certificate
}

func decryptsOtherwise(c *saml.Config) {
	c.DecryptionKeys = []saml.DecryptionKey{{Key: signingPair().key, Certificate: signingPair().certificate}}
}

// decryptsBoth is a service during a change of its decryption keys. The product encrypts for the
// first one that it reads.
func decryptsBoth(c *saml.Config) {
	c.DecryptionKeys = []saml.DecryptionKey{{Key: signingPair().key, Certificate: signingPair().certificate},
		{Key: decryptionPair().key, Certificate: decryptionPair().certificate}}
}

// encryptionRows are for products that encrypt assertions.
func encryptionRows(d dialect, encrypt knobs, sent string) []row {
	return []row{
		{name: "encrypted assertion", knobs: d.with(encrypt), config: decrypts, user: "umlaut",
			want: want{sent: sent, identity: sameUser("umlaut")}},
		{name: "encrypted assertion, 300 groups", knobs: d.with(encrypt), config: decrypts, user: "many",
			want: want{sent: sent, identity: sameUser("many")}},
		{name: "encrypted assertion, two keys of ours", knobs: d.with(encrypt), config: decryptsBoth,
			want: want{sent: sent}},
		{name: "encrypted assertion, begun there", knobs: d.with(encrypt), config: both(decrypts, takesUnsolicited),
			way: atProvider, want: want{sent: sent}},
		{name: "encrypted assertion, and we have no key", knobs: d.with(encrypt), registered: decrypts,
			want: want{code: saml.CodeEncryptedAssertion, sent: sent}},
		{name: "encrypted assertion, for a key that we had", knobs: d.with(encrypt), config: decrypts,
			registered: decryptsOtherwise, want: want{code: saml.CodeDecryption, sent: sent}},
	}
}

// nameIDRows are for products that send NameIDs other than e-mail addresses.
func nameIDRows(persistent, transient, name knobs) []row {
	var first *saml.Identity
	return []row{
		{name: "NameID persistent", knobs: persistent, config: anyNameID, before: signInBefore,
			want: want{silent: true, identity: func(t *testing.T, login *saml.Login) {
				wantFormat(t, login, "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent")
				if login.Identity.NameIDKey == "" {
					t.Error("a persistent NameID gives no account key")
				}
				first = login.Identity
			}}},
		{name: "NameID persistent, of a user with an odd name", knobs: persistent, config: anyNameID, user: "umlaut",
			want: want{identity: func(t *testing.T, login *saml.Login) {
				if first != nil && login.Identity.NameIDKey == first.NameIDKey {
					t.Error("two users have the same account key")
				}
			}}},
		{name: "NameID persistent, where it must be an e-mail address", knobs: persistent,
			want: want{code: saml.CodeNameIDNotEmail}},
		{name: "NameID transient", knobs: transient, config: anyNameID,
			want: want{identity: func(t *testing.T, login *saml.Login) {
				wantFormat(t, login, "urn:oasis:names:tc:SAML:2.0:nameid-format:transient")
				if _, err := login.Identity.AccountKey(); err == nil {
					t.Error("a transient NameID gives an account key")
				}
			}}},
		{name: "NameID transient, where it must be an e-mail address", knobs: transient,
			want: want{code: saml.CodeNameIDNotEmail}},
		{name: "NameID is the user name", knobs: name, config: anyNameID,
			want: want{identity: func(t *testing.T, login *saml.Login) {
				if login.Assertion.NameID.Value != "alice" || login.Identity.NameIDKey == "" {
					t.Errorf("got NameID %q with key %q, want alice with one", login.Assertion.NameID.Value,
						login.Identity.NameIDKey)
				}
			}}},
		{name: "NameID is the user name, where it must be an e-mail address", knobs: name,
			want: want{code: saml.CodeNameIDNotEmail}},
	}
}

func wantFormat(t *testing.T, login *saml.Login, format string) {
	t.Helper()
	if got := login.Assertion.NameID.Format; got != format {
		t.Errorf("got NameID format %q, want %q", got, format)
	}
}

const (
	contextPassword = "urn:oasis:names:tc:SAML:2.0:ac:classes:Password"
	contextX509     = "urn:oasis:names:tc:SAML:2.0:ac:classes:X509"
)

func asksFor(contexts ...string) func(*saml.Config) {
	return func(c *saml.Config) { c.RequestedAuthnContexts = contexts }
}

// sha1Rows are for products that can still sign with SHA-1.
func sha1Rows(sha1 knobs, sent string) []row {
	return []row{
		{name: "SHA-1", knobs: sha1, want: want{code: saml.CodeSignatureAlgorithm, sent: sent}},
		{name: "SHA-1, and we allow it", knobs: sha1, config: allowsSHA1, want: want{sent: sent}},
	}
}

// keyPhase is a moment of a change of the product's signing keys.
type keyPhase int

const (
	keysOld       keyPhase = iota // the old key signs, and is alone in the metadata
	keysAnnounced                 // the old key signs, and the new one is in the metadata too
	keysNew                       // the new key signs, and is alone in the metadata
)

// A roller is a product whose keys can be changed while it runs.
type roller interface {
	roll(*testing.T, keyPhase)
}

// keyRows change the keys of a product under way, and back again, so they come last.
func keyRows(d dialect) []row {
	return []row{
		{name: "keys changed without notice", knobs: d.base, before: func(t *testing.T, v visit) {
			signInBefore(t, v)
			v.running.(roller).roll(t, keysNew)
		}, want: want{code: saml.CodeSignature, silent: true}},
		{name: "keys changed, and we read the metadata again", knobs: d.base, before: func(t *testing.T, v visit) {
			signInBefore(t, v)
			v.running.(roller).roll(t, keysOld)
			v.trust(t, v.running.metadata(v.client))
		}, want: want{silent: true}},
	}
}

// announcedKeyRows are for products that put a new key into their metadata before they use it.
func announcedKeyRows(d dialect) []row {
	return []row{
		{name: "keys announced, read by us, and then changed", knobs: d.base, before: func(t *testing.T, v visit) {
			signInBefore(t, v)
			v.running.(roller).roll(t, keysAnnounced)
			if p := v.trust(t, v.running.metadata(v.client)); len(p.Keys()) != 2 {
				t.Fatalf("the metadata has %d keys, want the old and the new one", len(p.Keys()))
			}
			if e := v.signIn(t); e.login == nil || e.passwords != 0 {
				t.Fatalf("with both keys known the sign-in ended with %s", e)
			}
			v.running.(roller).roll(t, keysNew)
		}, want: want{silent: true}},
		{name: "keys announced, not read by us, and then changed", knobs: d.base, before: func(t *testing.T, v visit) {
			v.running.(roller).roll(t, keysOld)
		}, want: want{code: saml.CodeSignature}},
	}
}

// What is not in the tables:
//   - No product here signs with ECDSA, or checks requests that are signed so. Keycloak alone knows RSA-PSS and other canonicalizations than
//     the exclusive one. TestSignatures proves our own signatures, the vectors those of others.
//   - LemonLDAP::NG signs an assertion whatever it is told, so it has no rows with the response alone or nothing signed, and its EncryptionMode
//     "nameid" leaves the NameID readable, since it fills the NameID in behind lasso, which encrypts. pysaml2 and samlp encrypt no NameID.
//   - LemonLDAP::NG, pysaml2 and samlp announce no key before they sign with it.
//   - LemonLDAP::NG asks the user in spite of IsPassive, and pysaml2 and samlp leave that to the program around them.

// rows joins several lists.
func rows(lists ...[]row) (all []row) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

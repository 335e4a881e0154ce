package saml

import (
	"context"
	"crypto"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/iomete/saml/internal/seal"
)

// DefaultRedirectPath is the path of the Redirect URL (assertion consumer service, ACS) if
// Config.RedirectPath is empty: that of the IOMETE console.
const DefaultRedirectPath = "/api/v1/identity/auth/saml-acs"

// A Config describes one service provider: our side of the trust, and the one identity provider
// that it trusts. The zero value of every field but the required ones (BaseURL, IdentityProvider,
// StateKeys) is the safe choice; names that begin with Insecure or Allow weaken it.
type Config struct {
	// BaseURL is the public address of the service as browsers see it: absolute, https, without
	// path, query or fragment ("https://console.example.com"). Required. It is never taken from a
	// request's Host header.
	BaseURL string

	// RedirectPath is the path below BaseURL that receives the responses, beginning with "/":
	// together they are the Redirect URL, which others call assertion consumer service (ACS) URL or
	// Reply URL. Default DefaultRedirectPath.
	RedirectPath string

	// LogoutPath is the path below BaseURL that receives logout messages (single logout, SLO), beginning
	// with "/": together they are the Logout URL (single logout service URL; Entra: Logout Url). It may
	// be RedirectPath. Register the Handler there too, outside of Require and of what refuses forms of
	// other sites. Messages that come to the Redirect URL, or that are addressed to this path at the
	// host of one of FormerRedirectURLs, count too. It needs SigningKey, because AD FS, Okta and
	// Keycloak refuse logout messages that are not signed. Metadata names the Logout URL, unless
	// MetadataOptions.OmitLogout is set. Default "": no logout at the identity provider.
	LogoutPath string

	// LogoutAnswer is what the browser gets when it has brought a LogoutRequest of the identity
	// provider. Default LogoutAnswerDefault: a LogoutResponse, and for Microsoft Entra ID a page.
	LogoutAnswer LogoutAnswer

	// LogoutFrameAncestors are the origins (https://host[:port]) of further pages that may show the
	// answer to a LogoutRequest in a frame. Those of the identity provider's own login and logout
	// addresses may always, and no others. Every page around the frame needs to be among them: list
	// the portal if it shows the identity provider's page in a frame itself. Default none.
	LogoutFrameAncestors []string

	// RequireLogoutSessionIndex refuses a LogoutRequest without SessionIndex, which asks to end all
	// sessions of the user (SAML Core 2.0 §3.7.3.1; OneLogin, Shibboleth and administrators of Keycloak
	// send them), and tells the identity provider so (Responder). Default false: all of them end. Set it
	// if the application can end a session by its SessionIndex alone.
	RequireLogoutSessionIndex bool

	// AllowUnsignedLogout takes LogoutRequests without a signature of any kind, by redirect or in a
	// form, for an identity provider that cannot sign them. Such a request must have a SessionIndex,
	// and ends only a session that it names exactly: Logout.Unsigned. What it weakens: whoever knows or
	// guesses the NameID and SessionIndex of a session can sign that user out, from any page that their
	// browser opens; a SessionIndex that is a small number can be guessed. Default false: refused.
	AllowUnsignedLogout bool

	// EntityID is our name at the identity provider (Entra: "Identifier (Entity ID)"), 1 to 1024
	// bytes. Default: the Redirect URL, as in the guide.
	EntityID string

	// FormerRedirectURLs are Redirect URLs (ACS URLs) of the past, accepted as Recipient and Destination while
	// a domain moves, also to another site: serve the Handler at the old address too, and it sends
	// the response on to the Redirect URL. They do not count as entity IDs: if EntityID is left at
	// its default, the old Redirect URL was the entity ID too, and a moving domain lists it in
	// FormerEntityIDs as well. Each is an absolute https URL. Empty in normal operation: each one
	// widens what is accepted.
	FormerRedirectURLs []string

	// FormerEntityIDs are entity IDs of the past, 1 to 1024 bytes each, accepted as Audience and
	// SPNameQualifier while the name at the identity provider changes. They do not count as
	// addresses: if EntityID was left at its default, a moving domain lists the old Redirect URL
	// here and in FormerRedirectURLs. Empty in normal operation: an assertion that was made for any
	// of these names is accepted.
	FormerEntityIDs []string

	// Tenant is an opaque and stable name of the customer on whose behalf this provider acts, "" if
	// there is only one. It is part of every sealed state, Store key and account key. Several
	// tenants need a Redirect URL (RedirectPath) or an EntityID each; see CheckTenants.
	Tenant string

	// Trial marks settings that are tried before they are used, as a console's "Test sign-in" does.
	// A Handler finishes their logins at an address whose request names other settings, which have
	// another Tenant. Each login needs a LoginOptions.Purpose, so that it begins no session
	// (package session refuses it), and Unsolicited must be RefuseUnsolicited: an unsolicited
	// response has no purpose.
	Trial bool

	// IdentityProvider says whom we trust: an *IdentityProvider, or a source that refreshes one.
	// Required.
	IdentityProvider IdentityProviderSource

	// StateKeys seal pending logins: each exactly 32 random bytes (NewStateKey, or ParseStateKeys for
	// keys that are kept as text), the same on all replicas. The first seals, all open. To change them while several replicas run: add the new
	// one behind the old one everywhere, then put it first everywhere, then drop the old one.
	// Required.
	StateKeys [][]byte

	// Store remembers what was used up, for all replicas together. Default: a MemoryStore, right
	// for one process only.
	Store Store

	// NameID says what the subject's name must look like. Default EmailNameID. A change can change
	// account keys: see Identity.NameIDKey.
	NameID NameIDPolicy

	// AllowInternationalEmail takes e-mail addresses with characters beyond ASCII (RFC 6531:
	// 用户@例え.jp). Default: such a NameID is refused under EmailNameID, and such an e-mail claim is
	// not Identity.Email under AllowAnyNameID. Set it for companies whose mail system has them:
	// Entra, Exchange Online and Google Workspace have none in their own domains. With it, two
	// different addresses can look the same (U+0430 is a Cyrillic a), and strings.ToLower and
	// databases take some for others: keep to EqualEmail. Account keys do not depend on it.
	AllowInternationalEmail bool

	// Claims names the attributes that fill the fields of Identity: groups, roles, names, e-mail.
	// Default: the names that the common identity providers use.
	Claims Claims

	// RequireObjectID refuses responses without Entra's object ID and tenant ID, so that every
	// account has an object key.
	RequireObjectID bool

	// Unsolicited says what happens to responses that answer no request of ours. Default
	// RefuseUnsolicited.
	Unsolicited UnsolicitedPolicy

	// AllowUnsolicitedRelayState makes a login that AllowUnsolicited accepts end on the page that
	// RelayState names (Entra: Relay State): a local path, or an address whose origin is that of
	// BaseURL. Default: such a login ends at HandlerConfig.Home. What it weakens: whoever makes a
	// browser post a response, also one of their own account, chooses the local page on which it
	// ends. RestartUnsolicited does the same without the option, because the login that it begins is
	// bound to the browser.
	AllowUnsolicitedRelayState bool

	// RequestedAuthnContexts are authentication context class URIs to ask for and to insist on.
	// Default none: Entra answers AADSTS75011 when a user signed in by another method.
	RequestedAuthnContexts []string

	// SigningKey signs our requests, and our metadata where MetadataOptions.Sign asks for it: RSA of
	// at least 2048 bits, or ECDSA on P-256, P-384 or P-521. It may live in an HSM or KMS: see
	// ContextSigner, KeyTimeout and KeyCalls. Default nil: unsigned, as Entra expects unless
	// verification certificates are required. SigningCertificate is its certificate, DER, for our
	// metadata; required with it, and refused without it.
	SigningKey         crypto.Signer
	SigningCertificate []byte

	// SigningAlgorithm is how SigningKey signs. Default: RSAWithSHA256 for RSA keys, and for ECDSA
	// keys the hash that goes with the curve (ECDSAWithSHA256, 384 and 512 for P-256, P-384 and
	// P-521). Set it only if the identity provider demands another one, such as RSA-PSS.
	SigningAlgorithm SigningAlgorithm

	// FurtherSigningCertificates are certificates of other signing keys, DER, that our metadata
	// names behind SigningCertificate, in this order and each once: the next one before it is used,
	// the former one after that. docs/keys.md has the steps of a change. At most 16, of RSA keys of
	// at least 2048 bits or ECDSA keys on P-256, P-384 or P-521; none that issued another one, since
	// it would be that of an authority. Default none.
	FurtherSigningCertificates [][]byte

	// DecryptionKeys open encrypted assertions and NameIDs. Default none: an encrypted assertion is
	// refused. At most 4 keys, of 8192 bits together (two of 4096): during a change of keys the new
	// one comes first, and the old one stays until the identity provider has the new certificate.
	//
	// One message costs at most 10 calls of Decrypt: 8 for an assertion (4 keys, each with 2
	// EncryptedKeys), and 2 more for an encrypted NameID in it. An honest message with one key
	// costs 1 or 2 for each. Anyone can send messages that cost the 8, and needs only a pending
	// login of their own: if your keys are in a service that charges for each call or allows few,
	// set RequireSignedResponse.
	//
	// Where the identity provider signs inside what it encrypts (Entra does), encryption with
	// AES-CBC lets an attacker who has an encrypted response change its ciphertext and send it
	// again. Every failure looks the same, so the answers reveal nothing; but the time that an
	// answer takes is not made equal. Prefer AES-GCM if the identity provider offers it (RefuseCBC). It is not
	// enough that the identity provider signs the Response too, since the attacker leaves that
	// signature out; RequireSignedResponse refuses what comes without it.
	DecryptionKeys []DecryptionKey

	// RequireSignedResponse refuses responses (code "unsigned") whose Response element is not
	// signed itself, whether the assertion is signed or not. That signature is checked before a
	// decryption key is used, so only what the identity provider signed is ever decrypted. Default
	// false: the assertion must be covered by a good signature, its own or the Response's, as Entra
	// sends it. Entra: Single sign-on > SAML Certificates > Edit > Signing Option "Sign SAML
	// response and assertion".
	RequireSignedResponse bool

	// RefuseCBC refuses assertions and NameIDs that are encrypted with AES-CBC (code "cbc_refused"),
	// unless the Response element itself is signed: that signature is checked before a decryption
	// key is used, so nobody can change such a ciphertext and watch the answers. A signature inside
	// the encryption does not count, nor that of an assertion around its NameID. AES-GCM is always
	// accepted. Default false, because Entra and AD FS encrypt with AES-CBC and by default sign
	// the assertion alone. Set it if the identity provider encrypts with AES-GCM or signs the
	// Response; see RequireSignedResponse for how Entra does.
	RefuseCBC bool

	// KeyTimeout is how long SigningKey, or one of DecryptionKeys, may take for what one message
	// needs, if it is not in this process: any key that is not an *rsa.PrivateKey or
	// *ecdsa.PrivateKey. A key that takes longer counts as out of service: code "key_unavailable",
	// status 503. It holds for keys without a context too (ContextSigner, ContextDecrypter). At most
	// a minute; 0 means 5 seconds.
	KeyTimeout time.Duration

	// KeyCalls is how many calls of these keys may be under way at once; what would need one more is
	// refused with code "key_unavailable" and status 503. A call that hangs counts until it returns.
	// Set it to what the HSM or KMS can do at once. It counts for this ServiceProvider: make one for
	// the same settings, not one for each request. At most 10,000; 0 means 64.
	KeyCalls int

	// ClockSkew is how far clocks may differ. 0 means 3 minutes, negative none; more than 10
	// minutes is refused.
	ClockSkew time.Duration

	// RefuseExpiredCertificates refuses signatures by a certificate outside its dates. Default:
	// accepted, because the key is trusted by configuration and Entra goes on signing with an
	// expired certificate.
	RefuseExpiredCertificates bool

	// RefuseExpiredMetadata refuses logins while the metadata of the identity provider has run out
	// (validUntil), uploaded metadata too (code "metadata_validity"). Default: they go on, because the
	// keys are trusted by configuration, and many publishers forget validUntil. Whoever sets it must
	// have a MetadataSource or upload new metadata in time: at validUntil nobody can sign in any more.
	// IdentityProvider.ValidUntil says when; New starts all the same, and Health fails. Logouts go on.
	RefuseExpiredMetadata bool

	// OnlyAlgorithms are the only algorithms that messages may use, as URIs (RFC 9231; XML Encryption
	// 1.1, section 5): signatures as in SigningAlgorithm, digests such as
	// "http://www.w3.org/2001/04/xmlenc#sha256", encryption of the content such as
	// "http://www.w3.org/2009/xmlenc11#aes256-gcm" and of its key. A kind of which it names none stays
	// as it is. It never accepts more than is accepted without it: New refuses other URIs, and SHA-1
	// without InsecureAllowSHA1. It does not hold for the signature of metadata. Default: RSA, RSA-PSS
	// and ECDSA with SHA-256, SHA-384 or SHA-512; AES with GCM or CBC; RSA-OAEP. With another algorithm
	// at the identity provider nobody can sign in (codes "signature_algorithm", "digest_algorithm",
	// "decryption"), so look there first.
	OnlyAlgorithms []string

	// InsecureAllowSHA1 accepts RSA-SHA1 signatures and SHA-1 digests. Only for an identity
	// provider that cannot do better.
	InsecureAllowSHA1 bool

	// InsecureAllowHTTP accepts an http BaseURL and an http login URL that are not on a loopback
	// address. Only for tests in a closed network: anyone on the path can take over sessions.
	InsecureAllowHTTP bool

	// Now is the clock. Default time.Now. It is read once for each message.
	Now func() time.Time

	// Observe is called for each event, for audit, metrics and tracing: in the goroutine of the
	// request, before it is answered. It must be safe for concurrent use. Events hold personal
	// data. Default nil.
	Observe func(context.Context, Event)

	// Logger receives what an operator should know, without personal data or XML. Default
	// slog.Default.
	Logger *slog.Logger
}

// A DecryptionKey opens what an identity provider encrypts for us.
type DecryptionKey struct {
	// Key is an RSA key of 2048 to 4096 bits that decrypts RSA-OAEP (*rsa.PrivateKey; an HSM must
	// take *rsa.OAEPOptions). One in an HSM or KMS should be a ContextDecrypter, and wrap
	// ErrKeyUnavailable in its error if it is out of service. Required.
	Key crypto.Decrypter
	// Certificate is its certificate, DER, which our metadata then shows. nil: not shown; the
	// identity provider has it from elsewhere.
	Certificate []byte
}

const (
	// Each decryption key costs up to two operations for a message, before anything of the message
	// is known to be honest. The time that one takes grows with the third power of the key's
	// length.
	maxDecryptionKeys    = 4
	maxDecryptionKeyBits = 4096
	maxDecryptionBits    = 2 * maxDecryptionKeyBits // of all keys together: the old and the new one during a roll-over
)

// An UnsolicitedPolicy says what happens to a response that answers no request of ours (SAML
// Profiles 2.0 §4.1.5).
type UnsolicitedPolicy int

const (
	// RefuseUnsolicited refuses it.
	RefuseUnsolicited UnsolicitedPolicy = iota
	// RestartUnsolicited drops it unread and begins a login of our own: the safe way to serve a
	// start at the identity provider (IdP-initiated sign-in, Entra: My Apps). The Handler begins
	// the login; FinishLogin refuses as RefuseUnsolicited does.
	RestartUnsolicited
	// AllowUnsolicited accepts it. This is open to login CSRF: attackers can sign a victim's
	// browser in to their own account. Use a Store that outlives the process: with a MemoryStore, a
	// response that was issued before the process started is refused, since it may have been used
	// before.
	AllowUnsolicited
)

// ParseStateKeys reads keys for Config.StateKeys and session.Config.Keys from text, such as an
// environment variable or a file: each is the base64 of 32 random bytes (openssl rand -base64 32),
// with "+/" or "-_" and with or without "=". Commas, spaces or line breaks stand between them; the
// first key seals. The error is an *Error with CodeConfig that says which key is wrong and holds
// none of them.
func ParseStateKeys(text string) ([][]byte, error) {
	var keys [][]byte
	for i, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || unicode.IsSpace(r) }) {
		word = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(word, "="))
		key, err := base64.RawStdEncoding.Strict().DecodeString(word)
		why := "is not base64"
		if _, noHex := hex.DecodeString(word); len(word) == 2*stateKeySize && noHex == nil {
			why = "is hexadecimal"
		} else if err == nil {
			why = seal.KeyFault(key)
		}
		if why != "" {
			return nil, refusef(CodeConfig, "key %d of the state keys %s", i+1, why).
				wanting("the base64 of " + seal.WantKey).hintOfField("StateKeys")
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, refuse(CodeConfig, "there are no state keys in the text", "", "the base64 of "+seal.WantKey).
			hintOfField("StateKeys")
	}
	return keys, nil
}

// NewStateKey returns 32 random bytes for Config.StateKeys.
func NewStateKey() []byte {
	key := make([]byte, stateKeySize)
	rand.Read(key)
	return key
}

const (
	stateKeySize     = seal.KeySize
	maxRedirectPath  = 1 << 10 // bytes
	defaultClockSkew = 3 * time.Minute
	maxClockSkew     = 10 * time.Minute
)

// withDefaults returns a copy with the defaults filled in, whose keys and certificates are its own.
func (c Config) withDefaults() Config {
	if c.RedirectPath == "" {
		c.RedirectPath = DefaultRedirectPath
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	c.LogoutFrameAncestors = slices.Clone(c.LogoutFrameAncestors)
	c.StateKeys = cloneKeys(c.StateKeys)
	c.SigningCertificate = slices.Clone(c.SigningCertificate)
	c.FurtherSigningCertificates = cloneKeys(c.FurtherSigningCertificates)
	c.DecryptionKeys = slices.Clone(c.DecryptionKeys)
	for i := range c.DecryptionKeys {
		c.DecryptionKeys[i].Certificate = slices.Clone(c.DecryptionKeys[i].Certificate)
	}
	return c
}

// policy returns what the checks need of a valid Config.
func (c *Config) policy() policy {
	p := policy{
		tenant: c.Tenant, entityID: c.EntityID, redirectURL: strings.TrimSuffix(c.BaseURL, "/") + c.RedirectPath,
		contexts: slices.Clone(c.RequestedAuthnContexts), decrypters: decrypters(c.DecryptionKeys), skew: skew(c.ClockSkew), now: c.Now,
		nameID: c.NameID, allowInternationalEmail: c.AllowInternationalEmail, requireObjectID: c.RequireObjectID,
		requireSignedResponse: c.RequireSignedResponse, refuseCBC: c.RefuseCBC, signsRequests: c.SigningKey != nil,
		refuseExpiredCertificates: c.RefuseExpiredCertificates, allowSHA1: c.InsecureAllowSHA1,
		only: onlyThese(c.OnlyAlgorithms), claims: c.Claims.names(), requireLogoutIndex: c.RequireLogoutSessionIndex,
	}
	if c.SigningKey != nil || len(c.DecryptionKeys) > 0 {
		p.keyBounds = keyBounds(c.KeyTimeout, c.KeyCalls)
	}
	if p.entityID == "" {
		p.entityID = p.redirectURL
	}
	p.recipients = append([]string{p.redirectURL}, c.FormerRedirectURLs...)
	p.audiences = append([]string{p.entityID}, c.FormerEntityIDs...)
	return p
}

// validate reports all faults of a Config whose defaults are filled in.
func (c *Config) validate() error {
	f := faults{of: "Config"}
	c.validateAddresses(&f)
	f.policies(c.NameID, c.ClockSkew, c.RequestedAuthnContexts)
	c.Claims.faults(&f)
	if c.IdentityProvider == nil || isNil(c.IdentityProvider) {
		f.add("IdentityProvider", "is missing", "", "what ParseMetadata or NewIdentityProvider returned, or a source")
	}
	if c.Unsolicited < RefuseUnsolicited || c.Unsolicited > AllowUnsolicited {
		f.add("Unsolicited", "is unknown", "", "RefuseUnsolicited, RestartUnsolicited or AllowUnsolicited")
	}
	if c.AllowUnsolicitedRelayState && c.Unsolicited != AllowUnsolicited {
		f.add("AllowUnsolicitedRelayState", "is set, but Unsolicited is not AllowUnsolicited", "",
			"AllowUnsolicited, or no AllowUnsolicitedRelayState: RestartUnsolicited takes RelayState without it")
	}
	if c.Trial && c.Unsolicited != RefuseUnsolicited {
		f.add("Unsolicited", "is set for settings on trial", "",
			"RefuseUnsolicited, since every login on trial needs a purpose")
	}
	if c.Store != nil && isNil(c.Store) {
		f.add("Store", "is a nil pointer", "", "a store, or no value at all")
	}
	f.onlyAlgorithms(c.OnlyAlgorithms, c.InsecureAllowSHA1)
	c.validateKeys(&f)
	return errors.Join(f.list...)
}

func (c *Config) validateAddresses(f *faults) {
	if why := badBaseURL(c.BaseURL, c.InsecureAllowHTTP); why != "" {
		f.add("BaseURL", why, c.BaseURL, "https://host[:port]")
	} else if u, _ := url.Parse(c.BaseURL); strings.TrimSuffix(c.BaseURL, "/") != u.Scheme+"://"+u.Host {
		f.add("BaseURL", "has a path or query, or a scheme in upper case", c.BaseURL, "https://host[:port]")
	}
	f.path("RedirectPath", c.RedirectPath, DefaultRedirectPath+" or another path")
	if c.LogoutPath != "" {
		f.path("LogoutPath", c.LogoutPath, "a path such as /saml/logout, or no value for no logout there")
	}
	if c.LogoutAnswer < LogoutAnswerDefault || c.LogoutAnswer > LogoutAnswerPage {
		f.add("LogoutAnswer", "is unknown", "", "LogoutAnswerDefault, LogoutAnswerResponse or LogoutAnswerPage")
	}
	f.origins("LogoutFrameAncestors", c.LogoutFrameAncestors, c.InsecureAllowHTTP)
	f.urls("FormerRedirectURLs", c.FormerRedirectURLs, c.InsecureAllowHTTP)
	f.entityIDs(c.EntityID, c.FormerEntityIDs)
}

func (c *Config) validateKeys(f *faults) {
	if len(c.StateKeys) == 0 {
		f.add("StateKeys", "is empty", "", "a key of NewStateKey, the same on all replicas")
	}
	for i, key := range c.StateKeys {
		if why := seal.KeyFault(key); why != "" {
			f.list = append(f.list, refusef(CodeConfig, "Config.StateKeys[%d] %s", i, why).wanting(seal.WantKey).
				hintOfField("StateKeys"))
		}
	}
	c.validateSigning(f)
	if c.LogoutPath != "" && c.SigningKey == nil {
		f.add("LogoutPath", "is set without SigningKey, and logout messages must be signed", c.LogoutPath,
			"a SigningKey with its SigningCertificate")
	}
	f.decryptionKeys(c.DecryptionKeys)
	f.keyBounds(c.KeyTimeout, c.KeyCalls)
}

func cloneKeys(keys [][]byte) [][]byte {
	list := make([][]byte, len(keys))
	for i, k := range keys {
		list[i] = slices.Clone(k)
	}
	return list
}

func decrypters(keys []DecryptionKey) (list []crypto.Decrypter) {
	for _, k := range keys {
		list = append(list, k.Key)
	}
	return list
}

// skew is Config.ClockSkew with its default: less than zero means none.
func skew(d time.Duration) time.Duration {
	if d == 0 {
		return defaultClockSkew
	}
	return max(d, 0)
}

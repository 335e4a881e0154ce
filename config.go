package saml

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/iomete/saml/internal/seal"
)

// DefaultRedirectPath is the path of the Redirect URL where Config.RedirectPath is empty: that of the IOMETE console.
const DefaultRedirectPath = "/api/v1/identity/auth/saml-acs"

// A Config describes one service provider: our side of the trust, and the one identity provider that it trusts. The zero
// value of every field but the three required ones is the safe choice; names that begin with Insecure or Allow weaken it.
type Config struct {
	// BaseURL is the public address of the service as browsers see it: absolute, https, without path, query or fragment
	// ("https://console.example.com"). Required. It is never taken from a request's Host header.
	BaseURL string

	// RedirectPath is the path below BaseURL that receives the responses, beginning with "/". Default DefaultRedirectPath.
	RedirectPath string

	// EntityID is our name at the identity provider (Entra: "Identifier (Entity ID)"), 1 to 1024 bytes.
	// Default: the Redirect URL, as in the guide.
	EntityID string

	// FormerRedirectURLs are Redirect URLs of the past, accepted as Recipient and Destination while a domain moves, also to another
	// site: serve the Handler at the old address too, and it sends the response on to the Redirect URL. They are no names of ours: where EntityID
	// is left at its default, the old Redirect URL was the entity ID too, and a moving domain lists it in FormerEntityIDs as well.
	// Each is an absolute https URL. Empty in normal operation: each one widens what is accepted.
	FormerRedirectURLs []string

	// FormerEntityIDs are entity IDs of the past, 1 to 1024 bytes each, accepted as Audience and SPNameQualifier while the name at the
	// identity provider changes. They are no addresses of ours: where EntityID was left at its default, a moving domain lists the old Redirect URL
	// here and in FormerRedirectURLs. Empty in normal operation: an assertion that was made for any of these names is accepted.
	FormerEntityIDs []string

	// Tenant is an opaque and stable name of the customer on whose behalf this provider acts, "" if there is only one.
	// It is part of every sealed state, Store key and account key. Several tenants need a Redirect URL (RedirectPath) or an EntityID each; see CheckTenants.
	Tenant string

	// Trial marks settings that are tried before they are used, as a console's "Test sign-in" does. A Handler finishes their logins at an address whose request names other
	// settings, which have another Tenant. Each login needs a LoginOptions.Purpose, so that it begins no session (package session refuses it), and Unsolicited must be
	// RefuseUnsolicited: an unsolicited response has no purpose.
	Trial bool

	// IdentityProvider says whom we trust: an *IdentityProvider, or a source that refreshes one. Required.
	IdentityProvider IdentityProviderSource

	// StateKeys seal pending logins: each exactly 32 random bytes (NewStateKey), the same on all replicas.
	// The first seals, all open. To change them while several replicas run: add the new one behind the old one everywhere, then put it first
	// everywhere, then drop the old one. Required.
	StateKeys [][]byte

	// Store remembers what was used up, for all replicas together. Default: a MemoryStore, right for one process only.
	Store Store

	// NameID says what the subject's name must look like. Default EmailNameID. A change can change account keys: see Identity.Keys.
	NameID NameIDPolicy

	// AllowInternationalEmail takes e-mail addresses with characters beyond ASCII (RFC 6531: 用户@例え.jp). Default: such a NameID is refused
	// under EmailNameID, and such an e-mail claim is not Identity.Email under AllowAnyNameID. Set it for companies whose mail system has them: Entra, Exchange
	// Online and Google Workspace have none in their own domains. With it, two different addresses can look the same (U+0430 is a Cyrillic a), and
	// strings.ToLower and databases take some for others: keep to EqualEmail. Account keys do not depend on it.
	AllowInternationalEmail bool

	// RequireObjectID refuses responses without Entra's object ID and tenant ID, so that every account has an object key.
	RequireObjectID bool

	// Unsolicited says what happens to responses that answer no request of ours. Default RefuseUnsolicited.
	Unsolicited UnsolicitedPolicy

	// RequestedAuthnContexts are authentication context class URIs to ask for and to insist on. Default none: Entra answers
	// AADSTS75011 when a user signed in by another method.
	RequestedAuthnContexts []string

	// SigningKey signs our requests (RSA of at least 2048 bits; may live in an HSM). Default nil: unsigned, as Entra expects unless
	// verification certificates are required. SigningCertificate is its certificate, DER, for our metadata; required with it.
	SigningKey         crypto.Signer
	SigningCertificate []byte

	// DecryptionKeys open encrypted assertions and NameIDs. Default none: an encrypted assertion is refused. At most 4 keys, of
	// 8192 bits together (two of 4096): during a change of keys the new one comes first, and the old one stays until the identity provider has the
	// new certificate.
	//
	// One message costs at most 10 calls of Decrypt: 8 for an assertion (4 keys, each with 2 EncryptedKeys), and 2 more for an encrypted NameID
	// in it. An honest message with one key costs 1 or 2 for each. Anybody can send messages that cost the 8, and needs nothing but a pending
	// login of his own: if your keys are in a service that charges for each call or allows few, set RequireSignedResponse.
	//
	// Where the identity provider signs inside what it encrypts (Entra does), encryption with AES-CBC lets an attacker who has an encrypted
	// response change its ciphertext and send it again. Every failure looks the same, so the answers tell him nothing, but how long an answer
	// takes is not made equal. Prefer AES-GCM if the identity provider offers it. It is not enough that the identity provider signs the Response
	// too, since the attacker leaves that signature out; RequireSignedResponse refuses what comes without it.
	DecryptionKeys []DecryptionKey

	// RequireSignedResponse refuses responses (code "unsigned") whose Response element is not signed itself, whatever the assertion is. That signature
	// is checked before a decryption key is used, so only what the identity provider signed is ever decrypted. Default false: the assertion must be
	// covered by a good signature, its own or the Response's, as Entra sends it. Entra: Single sign-on > SAML Certificates > Edit > Signing
	// Option "Sign SAML response and assertion".
	RequireSignedResponse bool

	// ClockSkew is how far clocks may differ. 0 means 3 minutes, negative none; more than 10 minutes is refused.
	ClockSkew time.Duration

	// RefuseExpiredCertificates refuses signatures by a certificate outside its dates. Default: accepted, because the
	// key is trusted by configuration and Entra goes on signing with an expired certificate.
	RefuseExpiredCertificates bool

	// InsecureAllowSHA1 accepts RSA-SHA1 signatures and SHA-1 digests. Only for an identity provider that cannot do better.
	InsecureAllowSHA1 bool

	// InsecureAllowHTTP accepts an http BaseURL and an http login URL that are not on a loopback address. Only for tests
	// in a closed network: anyone on the path can take over sessions.
	InsecureAllowHTTP bool

	// Now is the clock. Default time.Now. It is read once for each message.
	Now func() time.Time

	// Observe is called for each event, for audit, metrics and tracing: in the goroutine of the request, before it is answered. It
	// must be safe for concurrent use. Events hold personal data. Default nil.
	Observe func(context.Context, Event)

	// Logger receives what an operator should know, without personal data or XML. Default slog.Default.
	Logger *slog.Logger
}

// A DecryptionKey is a key that an identity provider encrypts for us with.
type DecryptionKey struct {
	// Key is an RSA key of 2048 to 4096 bits that decrypts RSA-OAEP (*rsa.PrivateKey; an HSM must take *rsa.OAEPOptions). Required.
	Key crypto.Decrypter
	// Certificate is its certificate, DER, which our metadata then shows. nil: not shown; the identity provider has it from elsewhere.
	Certificate []byte
}

const (
	// Each decryption key costs up to two operations for a message, before anything of the message is known to be honest. The time that one takes
	// grows with the third power of the key's length.
	maxDecryptionKeys    = 4
	maxDecryptionKeyBits = 4096
	maxDecryptionBits    = 2 * maxDecryptionKeyBits // of all keys together: the old and the new one during a roll-over
)

// A NameIDPolicy says what the NameID of a subject must look like.
type NameIDPolicy int

const (
	// EmailNameID demands an e-mail address that agrees with Entra's emailaddress claim where there is exactly one.
	EmailNameID NameIDPolicy = iota
	// AllowAnyNameID takes any non-empty NameID. Identity.Email is then the e-mail claim, or empty.
	AllowAnyNameID
)

// An UnsolicitedPolicy says what happens to a response that answers no request of ours (SAML Profiles 2.0 §4.1.5).
type UnsolicitedPolicy int

const (
	// RefuseUnsolicited refuses it.
	RefuseUnsolicited UnsolicitedPolicy = iota
	// RestartUnsolicited drops it unread and begins a login of our own: the safe way to serve a start at the identity
	// provider. It is Handler that begins the login; FinishLogin refuses as RefuseUnsolicited does.
	RestartUnsolicited
	// AllowUnsolicited takes it. That is open to login CSRF: an attacker can sign a victim's browser in as himself. Have a Store that outlives the process: with
	// a MemoryStore, a response that was issued before the process started is refused, since it may have been used before.
	AllowUnsolicited
)

// An IdentityProviderSource gives the identity provider to trust. *IdentityProvider is its own source.
type IdentityProviderSource interface {
	// Snapshot returns the current settings. It must be cheap, safe for concurrent use and must not block on the network.
	Snapshot(ctx context.Context) (*IdentityProvider, error)
}

// NewStateKey returns 32 random bytes for Config.StateKeys.
func NewStateKey() []byte {
	key := make([]byte, stateKeySize)
	rand.Read(key)
	return key
}

const (
	stateKeySize     = seal.KeySize
	defaultClockSkew = 3 * time.Minute
	maxClockSkew     = 10 * time.Minute
)

// validate reports all faults of a Config whose defaults are filled in.
func (c *Config) validate() error {
	var faults []error
	fault := func(field, message, got, want string) {
		faults = append(faults, refuse(CodeConfig, "Config."+field+" "+message, got, want).inField(field))
	}
	if why := c.badBaseURL(c.BaseURL); why != "" {
		fault("BaseURL", why, c.BaseURL, "https://host[:port]")
	} else if u, _ := url.Parse(c.BaseURL); strings.TrimSuffix(c.BaseURL, "/") != u.Scheme+"://"+u.Host {
		fault("BaseURL", "has a path or query, or a scheme in upper case", c.BaseURL, "https://host[:port]")
	}
	if !localPath(c.RedirectPath) || strings.ContainsAny(c.RedirectPath, "?") {
		fault("RedirectPath", "is not a path", c.RedirectPath, DefaultRedirectPath+" or another path")
	}
	for _, former := range c.FormerRedirectURLs {
		if why := c.badBaseURL(former); why != "" {
			fault("FormerRedirectURLs", why, former, "https://host[:port]/path")
		}
	}
	if why, want := badEntityID(c.EntityID); why != "" {
		fault("EntityID", why, c.EntityID, want)
	}
	for _, former := range c.FormerEntityIDs {
		if former == "" {
			fault("FormerEntityIDs", "has an empty name", "", "a URL or another printable name")
		} else if why, want := badEntityID(former); why != "" {
			fault("FormerEntityIDs", why, former, want)
		}
	}
	for _, class := range c.RequestedAuthnContexts {
		if class == "" || !printable(class) {
			fault("RequestedAuthnContexts", "has a value that is no URI", class, "authentication context class URIs")
		}
	}
	if c.IdentityProvider == nil {
		fault("IdentityProvider", "is missing", "", "what ParseMetadata or NewIdentityProvider returned")
	}
	if len(c.StateKeys) == 0 {
		fault("StateKeys", "is empty", "", "a key of NewStateKey, the same on all replicas")
	}
	for _, key := range c.StateKeys {
		if len(key) != stateKeySize {
			fault("StateKeys", "has a key of another length than 32 bytes", "", "keys of NewStateKey")
		}
	}
	if c.ClockSkew > maxClockSkew {
		fault("ClockSkew", "is too long", c.ClockSkew.String(), "at most "+maxClockSkew.String())
	}
	if c.NameID != EmailNameID && c.NameID != AllowAnyNameID {
		fault("NameID", "is unknown", "", "EmailNameID or AllowAnyNameID")
	}
	if c.Unsolicited < RefuseUnsolicited || c.Unsolicited > AllowUnsolicited {
		fault("Unsolicited", "is unknown", "", "RefuseUnsolicited, RestartUnsolicited or AllowUnsolicited")
	}
	if c.Store != nil && isNil(c.Store) {
		fault("Store", "is a nil pointer", "", "a store, or no value at all")
	}
	if c.SigningKey != nil && isNil(c.SigningKey) {
		fault("SigningKey", "is a nil pointer", "", "a key, or no value at all")
	} else if c.SigningKey != nil {
		public, ok := c.SigningKey.Public().(*rsa.PublicKey)
		if !ok || public.N.BitLen() < minRSABits {
			fault("SigningKey", "is not an RSA key of at least 2048 bits", "", "")
		} else if k, err := parseCertificate(c.SigningCertificate); err != nil || !public.Equal(k.public) {
			fault("SigningCertificate", "is not the certificate of SigningKey", "", "one certificate, DER, with the public key of SigningKey")
		}
	}
	if len(c.DecryptionKeys) > maxDecryptionKeys {
		fault("DecryptionKeys", "has too many keys", strconv.Itoa(len(c.DecryptionKeys)), "at most "+strconv.Itoa(maxDecryptionKeys))
	}
	bits := 0
	for _, k := range c.DecryptionKeys {
		if why, want := k.fault(); why != "" {
			fault("DecryptionKeys", why, "", want)
		} else {
			bits += k.Key.Public().(*rsa.PublicKey).N.BitLen()
		}
	}
	if bits > maxDecryptionBits {
		fault("DecryptionKeys", "has keys that are too long together", strconv.Itoa(bits)+" bits", "at most 8192 bits: four keys of 2048 or two of 4096; remove the oldest")
	}
	if c.Trial && c.Unsolicited != RefuseUnsolicited {
		fault("Unsolicited", "is set for settings on trial", "", "RefuseUnsolicited, since every login on trial needs a purpose")
	}
	return errors.Join(faults...)
}

// fault says what is wrong with a key, "" if nothing is.
func (k DecryptionKey) fault() (why, want string) {
	if isNil(k.Key) {
		return "has an entry without Key", "an RSA private key of 2048 to 4096 bits"
	}
	public, ok := k.Key.Public().(*rsa.PublicKey)
	if !ok || public == nil || public.N == nil || public.N.BitLen() < minRSABits || public.N.BitLen() > maxDecryptionKeyBits {
		return "has a key that is not RSA of 2048 to 4096 bits", "an RSA private key of 2048 to 4096 bits"
	}
	if k.Certificate == nil {
		return "", ""
	}
	if c, err := parseCertificate(k.Certificate); err != nil || !public.Equal(c.public) {
		return "has a Certificate that is not that of its Key", "one certificate, DER, with the public key of Key, or nil"
	}
	return "", ""
}

// printable reports whether s is text that XML can carry in one line.
func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// visible reports whether s is printable and has none of the characters that are there to be read and yet not seen: two names would look the same.
func visible(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !isVisible(r) })
}

func isVisible(r rune) bool {
	return unicode.IsPrint(r) && !unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

const maxEntityID = 1024 // bytes, SAML Core 2.0 §8.3.6

// badEntityID says what is wrong with a name of ours, "" if nothing is.
func badEntityID(s string) (why, want string) {
	switch {
	case len(s) > maxEntityID:
		return "is too long", "at most 1024 bytes"
	case !printable(s):
		return "has a character that cannot be shown", "a URL or another printable name"
	}
	return "", ""
}

// badBaseURL says what is wrong with an address of ours, "" if nothing is.
func (c *Config) badBaseURL(s string) string {
	u, err := url.Parse(s)
	switch {
	case s == "":
		return "is missing"
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || strings.HasSuffix(s, "#"):
		return "is not an absolute URL"
	case u.Scheme == "https":
		return ""
	case u.Scheme == "http" && (isLoopback(u.Hostname()) || c.InsecureAllowHTTP):
		return ""
	case u.Scheme == "http":
		return "is http, where anyone on the path can take over sessions"
	}
	return "is not an https URL"
}

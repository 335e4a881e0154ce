package saml

import (
	"context"
	"crypto"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/iomete/saml/internal/address"
	"github.com/iomete/saml/internal/refresh"
)

// An IdentityProvider is an immutable snapshot of whom to trust: what a metadata document or three
// pasted fields say.
type IdentityProvider struct {
	entityID   string
	loginURL   string          // HTTP-Redirect
	loginPOST  string          // HTTP-POST
	logout     []LogoutService // at most one for each binding, the best first
	keys       []TrustedKey    // at most 16, also those that cannot be used
	validUntil time.Time
	wantSigned bool      // WantAuthnRequestsSigned
	warnings   []Warning // those that do not depend on the time
	unread     string    // which certificate of the metadata cannot be read, "" if all can

	usableKeys []TrustedKey       // of keys
	publicKeys []crypto.PublicKey // of usableKeys

	cache   *refresh.Duration // how long the document may be kept before it is looked at again, nil if it does not say
	created time.Time         // when the publisher made the document (mdrpi creationInstant), zero if it does not say
	reading *reading          // of a MetadataSource, nil if none has read it
	removed []removedKey      // keys that it trusted a moment ago
}

// Snapshot returns p: an IdentityProvider is its own IdentityProviderSource.
func (p *IdentityProvider) Snapshot(context.Context) (*IdentityProvider, error) { return p, nil }

// EntityID returns the name of the identity provider, compared byte for byte
// ("https://sts.windows.net/<tenant id>/").
func (p *IdentityProvider) EntityID() string { return p.entityID }

// LoginURL returns the address that logins are sent to: by HTTP-Redirect or, if the identity
// provider has no address for that, by HTTP-POST.
func (p *IdentityProvider) LoginURL() string {
	if p.loginURL == "" {
		return p.loginPOST
	}
	return p.loginURL
}

// LoginIsPOSTOnly reports whether the identity provider takes logins by HTTP-POST alone. Only
// metadata can say so. A pasted login URL is for HTTP-Redirect; see WithDetails.
func (p *IdentityProvider) LoginIsPOSTOnly() bool { return p.loginURL == "" && p.loginPOST != "" }

// WithDetails returns a copy of p, which has the three fields of ParseSettings, with what metadata
// says besides. It is for settings pages on which an administrator changes single fields of metadata.
// Each detail stays while the field that it belongs to is the same in both: WantsSignedRequests and
// LogoutServices with the entity ID; how logins are sent, by HTTP-POST alone or by either binding, with the
// login URL. What p says itself stays, and so do its keys. ValidUntil and the warnings about the
// document are left behind: they speak of a document that was changed since.
func (p *IdentityProvider) WithDetails(metadata *IdentityProvider) *IdentityProvider {
	c := &IdentityProvider{entityID: p.entityID, loginURL: p.loginURL, loginPOST: p.loginPOST, logout: p.logout,
		keys: p.keys, wantSigned: p.wantSigned, unread: p.unread, reading: p.reading, removed: p.removed}
	if metadata != nil {
		c.takeDetails(metadata)
	}
	c.finish()
	return c
}

func (p *IdentityProvider) takeDetails(from *IdentityProvider) {
	if from.entityID == p.entityID {
		p.wantSigned = p.wantSigned || from.wantSigned
		if len(p.logout) == 0 {
			p.logout = from.logout
		}
	}
	if from.LoginURL() == p.LoginURL() && p.loginPOST == "" {
		p.loginURL, p.loginPOST = from.loginURL, from.loginPOST
	}
}

// Keys returns the keys for signing, usable or not, in the order of the document, at most 16. Only
// the usable ones verify responses.
func (p *IdentityProvider) Keys() []TrustedKey { return slices.Clone(p.keys) }

// ValidUntil returns until when the document says that it is valid, the zero time if it does not
// say. It does not limit the keys.
func (p *IdentityProvider) ValidUntil() time.Time { return p.validUntil }

// WantsSignedRequests reports whether the metadata asks for signed requests.
func (p *IdentityProvider) WantsSignedRequests() bool { return p.wantSigned }

// finish derives what the fields lead to. A service keeps thousands of identity providers, so p keeps
// nothing that is longer than it must be, and nothing of the document that it was read from.
func (p *IdentityProvider) finish() {
	p.keys = slices.Clone(p.keys) // as many as there are: the list has grown
	p.usableKeys = p.keys
	if unusable := func(k TrustedKey) bool { return !k.isUsable() }; slices.ContainsFunc(p.keys, unusable) {
		p.usableKeys = slices.DeleteFunc(slices.Clone(p.keys), unusable)
	}
	p.publicKeys = publicKeys(p.usableKeys)
	p.logout = slices.Clone(p.logout)
	p.detach()
	p.warn()
	p.warnings = slices.Clone(p.warnings)
}

// detach gives the addresses and names memory of their own. Warnings are sentences of ours, and
// TrustedKeys have copies already.
func (p *IdentityProvider) detach() {
	texts := []*string{&p.entityID, &p.loginURL, &p.loginPOST, &p.unread}
	for i := range p.logout {
		texts = append(texts, &p.logout[i].Location, &p.logout[i].ResponseLocation) // Binding is a constant of ours
	}
	detach(texts...)
}

// NewIdentityProvider takes the three fields of a settings page: entity ID (Entra: "Microsoft Entra
// Identifier"), login URL, and the keys of ParseKeys. White space around the first two is left out.
// All faults are reported at once, as joined *Error values that name their Field: see Errors.
// ParseSettings takes the certificate as text.
func NewIdentityProvider(entityID, loginURL string, keys ...TrustedKey) (*IdentityProvider, error) {
	unique, noKeys := uniqueKeys(keys)
	if len(keys) == 0 {
		noKeys = refuse(CodeMetadataKeys, "there is no certificate", "", "")
	}
	p, faults := newIdentityProvider(entityID, loginURL, unique, noKeys, nil)
	if len(faults) > 0 {
		return nil, joined(faults, p)
	}
	return p, nil
}

// ParseSettings reads the three fields of a settings page as they were pasted: entity ID (Entra:
// "Microsoft Entra Identifier"), login URL, and the certificate in any form that ParseKeys reads.
// All faults of all fields are reported at once, as joined *Error values that name their Field: see
// Errors. ServiceProvider.ParseSettings also looks for what New would refuse.
//
// If the certificate is given as metadata, the metadata must have the same entity ID. What it says
// besides the three fields counts too, as with WithDetails.
func ParseSettings(entityID, loginURL, certificate string) (*IdentityProvider, error) {
	p, faults := parseSettings(entityID, loginURL, certificate)
	if len(faults) > 0 {
		return nil, joined(faults, p)
	}
	return p, nil
}

func parseSettings(entityID, loginURL, certificate string) (*IdentityProvider, []*Error) {
	keys, unreadable := readKeys([]byte(certificate))
	return newIdentityProvider(entityID, loginURL, keys, unreadable, metadataIn(certificate))
}

// metadataIn returns what a certificate that was pasted as metadata says besides, nil if it is no
// metadata.
func metadataIn(certificate string) *IdentityProvider {
	text := string(withoutMark([]byte(certificate)))
	if text == "" || len(text) > maxFile {
		return nil
	}
	_, metadata, _ := cutMetadata(text)
	if metadata == "" {
		return nil
	}
	p, err := parseMetadata([]byte(metadata), ParseMetadataOptions{})
	if err != nil { // readKeys says so
		return nil
	}
	return p
}

// newIdentityProvider checks the fields, each for itself and against each other. noKeys is what is
// wrong with the certificates, nil if nothing is. from is the metadata that the certificates were
// given as, nil if it was none. The identity provider is returned also if there are faults, to be
// checked further; it must not be used then.
func newIdentityProvider(
	entityID, loginURL string, keys []TrustedKey, noKeys *Error, from *IdentityProvider,
) (*IdentityProvider, []*Error) {
	p := &IdentityProvider{entityID: strings.TrimSpace(entityID), loginURL: strings.TrimSpace(loginURL), keys: keys}
	var faults []*Error
	if err := checkEntityID(p.entityID); err != nil {
		faults = append(faults, err.inField(FieldEntityID))
	}
	faults = append(faults, misplaced(p.entityID, p.loginURL)...)
	if err := checkEndpoint(p.loginURL); err != nil {
		faults = append(faults, err.inField(FieldLoginURL))
	}
	switch {
	case noKeys != nil:
		faults = append(faults, noKeys.inField(FieldCertificate))
	case from == nil:
	case from.entityID != p.entityID:
		if !slices.ContainsFunc(faults, func(e *Error) bool { return e.Field == FieldEntityID }) {
			faults = append(faults, refuse(CodeMetadataEntityID, "the certificate was given as metadata of another identity provider",
				from.entityID, "metadata of "+quote(p.entityID)+", or the other entity ID").inField(FieldCertificate))
		}
	default:
		p.takeDetails(from)
	}
	p.finish()
	return p, faults
}

func checkEntityID(id string) *Error {
	switch {
	case id == "":
		return refuse(CodeMetadataEntityID, "the entity ID is missing", "", "")
	case len(id) > maxEntityID:
		return refuse(CodeMetadataEntityID, "the entity ID is too long", id, "at most 1024 bytes")
	case strings.Contains(id, "{tenant"):
		return refuse(CodeMetadataTenant, "the metadata is for every tenant: its entity ID has a placeholder", id,
			entraIssuerForm)
	case trimSpace(id) != id:
		return refuse(CodeMetadataEntityID, "the entity ID has white space around it, which is left out in responses", id,
			quote(trimSpace(id)))
	case !visible(id):
		return refuse(CodeMetadataEntityID, "the entity ID has a character that cannot be seen, "+address.Hidden(id), id,
			"the entity ID without it: type it, or copy it from the metadata")
	}
	return nil
}

// maxLoginURL is more than any server takes with a request behind it: 8 KiB is the usual limit of
// servers and proxies for a whole address.
const maxLoginURL = 8 << 10

// checkEndpoint refuses what no browser can be sent to. Browsers leave out some characters that
// cannot be seen and escape others, so it takes a look at the bytes to see where such an address
// leads. A colon without a port is taken: every browser uses the port of the scheme.
func checkEndpoint(login string) *Error { return checkAddress("login URL", login) }

// checkAddress is checkEndpoint for an address of any purpose, which is what messages call it.
func checkAddress(what, login string) *Error {
	u, err := url.Parse(login[:min(len(login), maxLoginURL)])
	what = "the " + what
	switch {
	case login == "":
		return refuse(CodeMetadataLoginURL, what+" is missing", "", "https://...")
	case len(login) > maxLoginURL:
		return refuse(CodeMetadataLoginURL, what+" is too long", withoutUserInfo(login),
			fmt.Sprintf("at most %d bytes", maxLoginURL))
	case !visible(login):
		return refuse(CodeMetadataLoginURL, what+" has a character that cannot be seen, "+address.Hidden(login),
			withoutUserInfo(login), what+" without it: type it, or copy it from the metadata")
	case err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		return refuse(CodeMetadataLoginURL, what+" is not an absolute https URL", withoutUserInfo(login),
			"https://...")
	case u.User != nil || u.Fragment != "" || strings.HasSuffix(login, "#"):
		return refuse(CodeMetadataLoginURL, what+" has a user name or a fragment", withoutUserInfo(login),
			"https://host/path")
	case !address.PortExists(u):
		return refuse(CodeMetadataLoginURL, what+" has a port that does not exist", login,
			"a port from 1 to 65535, or none")
	}
	return nil
}

// checkAgainst refuses our own addresses in the identity provider's fields: many products call both
// sides' names "Entity ID". That both sides have one other name is odd, and occurs.
func (p *IdentityProvider) checkAgainst(ours []string) (faults []*Error) {
	if slices.Contains(ours, p.entityID) {
		faults = append(faults, refuse(CodeMetadataEntityID,
			"the identity provider's entity ID is our own Redirect URL", p.entityID, "the identity provider's own").inField(FieldEntityID))
	}
	if login := p.LoginURL(); login != "" && slices.Contains(ours, login) {
		faults = append(faults, refuse(CodeMetadataLoginURL, "the login URL is our own Redirect URL", p.LoginURL(),
			"the identity provider's own").inField(FieldLoginURL))
	}
	return faults
}

// A Warning is something about an identity provider's settings that works today, or may work, but
// that an administrator should know.
type Warning struct {
	Code    string // stable name
	Message string // one sentence for the administrator, without a final period
	Hint    string // what to change and where, "" if nothing
}

// String returns the message and what to do.
func (w Warning) String() string {
	if w.Hint == "" {
		return w.Message
	}
	return w.Message + ". " + w.Hint
}

// Warnings lists what an administrator should know at this time: about the document, the fields,
// and each key that cannot be used, has ended or ends within 60 days.
func (p *IdentityProvider) Warnings(now time.Time) []Warning {
	list := slices.Clone(p.warnings)
	if !p.validUntil.IsZero() && p.validUntil.Before(now) {
		list = append(list, Warning{"valid_until_past", "the document says that it was valid until " +
			showTime(p.validUntil),
			"Download the metadata anew. The keys in it are used all the same."})
	}
	for _, k := range p.keys {
		if w, ok := p.keyWarning(k, now); ok {
			list = append(list, w)
		}
	}
	return list
}

// expiryWarning is how long before its end a certificate is warned about: Entra mails 60, 30 and 7
// days ahead.
const expiryWarning = 60 * 24 * time.Hour

func (p *IdentityProvider) keyWarning(k TrustedKey, now time.Time) (Warning, bool) {
	name := k.name()
	if k.issued != "" {
		return Warning{"key_issuer", name + " issued " + k.issued +
			" in the same list: it belongs to a certificate authority, and its key is not trusted to sign responses", issuerHint}, true
	}
	hint := p.hint(CodeCertificateExpired)
	if slices.ContainsFunc(p.usableKeys, func(o TrustedKey) bool {
		return o.notAfter.Sub(now) >= expiryWarning &&
			!now.Before(o.notBefore)
	}) {
		hint = "Another certificate is valid for longer: make it the active one, if it is not, and delete this one."
	}
	switch left := k.notAfter.Sub(now); {
	case k.unusable != nil:
		return Warning{"key_unusable", name + " cannot be used: " + k.unusable.Message + gotWant(k.unusable),
			k.unusable.completed(p).Hint}, true
	case now.Before(k.notBefore):
		return Warning{"certificate_not_yet_valid", name + " begins only on " + showDate(k.notBefore), ""}, true
	case left < 0:
		return Warning{"certificate_expired", name + " ended on " + showDate(k.notAfter) +
			"; it is accepted all the same unless that is switched off",
			hint}, true
	case left < expiryWarning:
		return Warning{"certificate_expiring", fmt.Sprintf("%s ends in %d days, on %s", name, int(left.Hours()/24),
			showDate(k.notAfter)),
			hint}, true
	}
	return Warning{}, false
}

func gotWant(e *Error) string {
	var b strings.Builder
	if e.Got != "" {
		b.WriteString(", got " + e.Got)
	}
	if e.Want != "" {
		b.WriteString(", want " + e.Want)
	}
	return b.String()
}

func showDate(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// warn finds what does not depend on the time.
func (p *IdentityProvider) warn() {
	add := func(code, message, hint string) { p.warnings = append(p.warnings, Warning{code, message, hint}) }
	if strings.HasPrefix(foldASCII(p.LoginURL()), "http:") {
		add("http_endpoint", "the login URL "+quote(p.LoginURL())+" is not https: passwords would travel in the clear",
			p.hint(CodeMetadataLoginURL))
	}
	p.warnLogout()
	for _, known := range products {
		if known.warnings != nil {
			p.warnings = append(p.warnings, known.warnings(p)...)
		}
	}
	if p.wantSigned {
		add("wants_signed_requests",
			"the identity provider asks for signed requests; it may refuse ours unless a signing key is configured",
			p.signRequestsHint())
	}
}

// noUsableKey says why no key is usable: the reason of the first key.
func (p *IdentityProvider) noUsableKey() *Error {
	for _, k := range p.keys {
		if k.unusable != nil {
			return k.unusable
		}
	}
	return refuse(CodeMetadataKeys, "the identity provider has no signing key", "", "")
}

// An IdentityProviderSource returns the identity provider to trust. *IdentityProvider is its own
// source.
type IdentityProviderSource interface {
	// Snapshot returns the current settings. It must be cheap, safe for concurrent use and must not
	// block on the network. The error is ErrNotConfigured if there are none yet: then logins are
	// refused with CodeNotConfigured. Any other error means that the answer is not known at the
	// moment.
	Snapshot(ctx context.Context) (*IdentityProvider, error)
}

// An IdentityProviderFunc is a function that is an IdentityProviderSource.
type IdentityProviderFunc func(ctx context.Context) (*IdentityProvider, error)

// Snapshot calls f.
func (f IdentityProviderFunc) Snapshot(ctx context.Context) (*IdentityProvider, error) { return f(ctx) }

const maxEntityID = 1024 // bytes, SAML Core 2.0 §8.3.6

func (p *IdentityProvider) thumbprints() string {
	var list []string
	for _, k := range p.usableKeys {
		list = append(list, thumbprint(k.der))
	}
	return "a certificate with SHA-1 thumbprint " + strings.Join(list, " or ")
}

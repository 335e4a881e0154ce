package saml

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// An IdentityProvider is an immutable snapshot of whom to trust: what a metadata document or three pasted fields say.
type IdentityProvider struct {
	entityID   string
	loginURL   string       // HTTP-Redirect
	loginPOST  string       // HTTP-POST
	logoutURL  string       // HTTP-Redirect
	keys       []TrustedKey // at most 16, also those that cannot be used
	validUntil time.Time
	wantSigned bool      // WantAuthnRequestsSigned
	warnings   []Warning // those that do not depend on the time
	unread     string    // which certificate of the metadata cannot be read, "" if all can

	usableKeys []TrustedKey       // of keys
	publicKeys []crypto.PublicKey // of usableKeys
}

// Snapshot makes an IdentityProvider its own source.
func (p *IdentityProvider) Snapshot(context.Context) (*IdentityProvider, error) { return p, nil }

// EntityID is the name of the identity provider, compared byte for byte ("https://sts.windows.net/<tenant id>/").
func (p *IdentityProvider) EntityID() string { return p.entityID }

// LoginURL is where logins are sent: by HTTP-Redirect, or where the identity provider has none, by HTTP-POST.
func (p *IdentityProvider) LoginURL() string {
	if p.loginURL == "" {
		return p.loginPOST
	}
	return p.loginURL
}

// LogoutURL is the HTTP-Redirect single logout service, "" if there is none.
func (p *IdentityProvider) LogoutURL() string { return p.logoutURL }

// Keys are the keys for signing, usable or not, in the order of the document, at most 16. Responses are verified with those that are usable alone.
func (p *IdentityProvider) Keys() []TrustedKey { return slices.Clone(p.keys) }

// ValidUntil is until when the document means to be used, zero if it does not say. It does not limit the keys.
func (p *IdentityProvider) ValidUntil() time.Time { return p.validUntil }

// WantsSignedRequests reports whether the metadata asks for signed requests.
func (p *IdentityProvider) WantsSignedRequests() bool { return p.wantSigned }

// finish derives what the fields lead to.
func (p *IdentityProvider) finish() {
	for _, k := range p.keys {
		if k.unusable == nil && k.public != nil { // the zero TrustedKey is none
			p.usableKeys = append(p.usableKeys, k)
		}
	}
	p.publicKeys = publicKeys(p.usableKeys)
	p.warn()
}

// isEntra reports whether the settings are those of Microsoft Entra ID in one of its clouds.
func (p *IdentityProvider) isEntra() bool {
	for _, s := range []string{p.entityID, p.LoginURL()} {
		if u, err := url.Parse(s); err == nil && isEntraHost(u.Hostname()) {
			return true
		}
	}
	return false
}

func isEntraHost(host string) bool {
	switch host {
	case "sts.windows.net", "sts.chinacloudapi.cn", "login.microsoftonline.com", "login.microsoftonline.us",
		"login.partner.microsoftonline.cn", "login.chinacloudapi.cn", "login.windows.net":
		return true
	}
	return false
}

// hint says what to change, in the words of this identity provider's portal.
func (p *IdentityProvider) hint(code Code) string {
	if h, ok := entraHints[code]; ok && p.isEntra() {
		return h
	}
	return hints[code]
}

// NewIdentityProvider takes the three fields of a settings page: entity ID (Entra: "Microsoft Entra Identifier"), login
// URL, and the keys of ParseKeys. All faults are reported at once, as joined *Error values.
func NewIdentityProvider(entityID, loginURL string, keys ...TrustedKey) (*IdentityProvider, error) {
	p := &IdentityProvider{entityID: strings.TrimSpace(entityID), loginURL: strings.TrimSpace(loginURL)}
	var faults []error
	var refusal *Error
	if p.keys, refusal = uniqueKeys(keys); refusal != nil {
		faults = append(faults, refusal)
	}
	if err := checkEntityID(p.entityID); err != nil {
		faults = append(faults, err)
	}
	if err := misplaced(p.entityID, p.loginURL); err != nil {
		faults = append(faults, err)
	}
	if err := checkEndpoint(p.loginURL); err != nil {
		faults = append(faults, err)
	}
	if len(keys) == 0 {
		faults = append(faults, refuse(CodeMetadataKeys, "there is no certificate", "", ""))
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	p.finish()
	return p, nil
}

func checkEntityID(id string) *Error {
	switch {
	case id == "":
		return refuse(CodeMetadataEntityID, "the entity ID is missing", "", "")
	case len(id) > maxEntityID:
		return refuse(CodeMetadataEntityID, "the entity ID is too long", id, "at most 1024 bytes")
	case strings.Contains(id, "{tenant"):
		return refuse(CodeMetadataTenant, "the metadata is for every tenant: its entity ID has a placeholder", id, "https://sts.windows.net/<tenant id>/")
	case !visible(id):
		return refuse(CodeMetadataEntityID, "the entity ID has a character that cannot be seen", id, "the entity ID without it: type it, or copy it from the metadata")
	}
	return nil
}

// misplaced recognizes values of the Entra portal that were pasted into the wrong field.
func misplaced(entityID, loginURL string) *Error {
	entity, _ := url.Parse(entityID)
	login, _ := url.Parse(loginURL)
	shown := withoutUserInfo(loginURL)
	const entityWanted, loginWanted = "https://sts.windows.net/<tenant id>/", "https://login.microsoftonline.com/<tenant id>/saml2"
	switch {
	case strings.Contains(strings.ToLower(entityID), "/federationmetadata/"):
		return refuse(CodeMetadataEntityID, "the entity ID is the address of the metadata", withoutUserInfo(entityID), entityWanted)
	case entity != nil && isEntraHost(entity.Hostname()) && strings.HasSuffix(entity.Path, "/saml2"):
		return refuse(CodeMetadataEntityID, "the entity ID is the Login URL", withoutUserInfo(entityID), entityWanted)
	case strings.Contains(strings.ToLower(loginURL), "/federationmetadata/"):
		return refuse(CodeMetadataLoginURL, "the login URL is the address of the metadata", shown, loginWanted)
	case login != nil && isEntraHost(login.Hostname()) && strings.HasSuffix(login.Path, "/wsfed"):
		return refuse(CodeMetadataLoginURL, "the login URL is that of WS-Federation, not of SAML", shown, loginWanted)
	case login != nil && isEntraHost(login.Hostname()) && guid.MatchString(entityID):
		return refuse(CodeMetadataEntityID, "the entity ID is an ID alone, as of a tenant or an application", entityID, entityWanted)
	case login != nil && (login.Hostname() == "sts.windows.net" || login.Hostname() == "sts.chinacloudapi.cn"):
		return refuse(CodeMetadataLoginURL, "the login URL is the Microsoft Entra Identifier", shown, loginWanted)
	}
	return nil
}

var guid = regexp.MustCompile(`^\{?[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}?$`)

// maxLoginURL is more than any server takes with a request behind it: 8 KiB is the usual limit of servers and proxies for a whole address.
const maxLoginURL = 8 << 10

// checkEndpoint refuses what no browser can be sent to.
func checkEndpoint(address string) *Error {
	u, err := url.Parse(address[:min(len(address), maxLoginURL)])
	switch {
	case address == "":
		return refuse(CodeMetadataLoginURL, "the login URL is missing", "", "https://...")
	case len(address) > maxLoginURL:
		return refuse(CodeMetadataLoginURL, "the login URL is too long", withoutUserInfo(address), fmt.Sprintf("at most %d bytes", maxLoginURL))
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return refuse(CodeMetadataLoginURL, "the login URL is not an absolute https URL", withoutUserInfo(address), "https://...")
	case u.User != nil || u.Fragment != "" || strings.HasSuffix(address, "#"):
		return refuse(CodeMetadataLoginURL, "the login URL has a user name or a fragment", withoutUserInfo(address), "https://host/path")
	}
	return nil
}

// checkAgainst refuses our own address in the identity provider's field: Entra's portal calls both sides' names "Entity ID".
func (p *IdentityProvider) checkAgainst(sp *ServiceProvider) *Error {
	if slices.Contains(sp.recipients, p.LoginURL()) {
		return refuse(CodeMetadataLoginURL, "the login URL is our own Redirect URL", p.LoginURL(), "the identity provider's (Login URL)")
	}
	if slices.Contains(sp.recipients, p.entityID) {
		return refuse(CodeMetadataEntityID, "the identity provider's entity ID is our own Redirect URL", p.entityID, "the identity provider's (Microsoft Entra Identifier)")
	}
	return nil // that both sides have one other name is odd, and occurs
}

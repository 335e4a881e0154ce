package saml

import (
	"context"
	"crypto"
	"errors"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"
)

// A ServiceProvider begins logins at one identity provider and finishes them. It is immutable, safe for concurrent use
// and cheap: a console may hold thousands.
type ServiceProvider struct {
	config      Config // with defaults filled in
	redirectURL string
	entityID    string
	recipients  []string // Redirect URLs that a response may be addressed to, ours first
	audiences   []string // names that an assertion may be meant for, ours first
	skew        time.Duration
	refusals    *refusalLog
	store       Store
	decrypters  []crypto.Decrypter // of Config.DecryptionKeys
}

// RedirectURL is BaseURL + RedirectPath: where responses are received, and by default our entity ID and sign-on URL too.
func (sp *ServiceProvider) RedirectURL() string { return sp.redirectURL }

// RedirectPath is the path of RedirectURL, for registering a handler.
func (sp *ServiceProvider) RedirectPath() string { return sp.config.RedirectPath }

// EntityID is our name at the identity provider.
func (sp *ServiceProvider) EntityID() string { return sp.entityID }

// Tenant is Config.Tenant.
func (sp *ServiceProvider) Tenant() string { return sp.config.Tenant }

// IdentityProvider is whom we trust at this moment. The error is an *Error with CodeIdentityProvider.
func (sp *ServiceProvider) IdentityProvider(ctx context.Context) (*IdentityProvider, error) {
	idp, err := sp.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	return idp, nil
}

// snapshot is the identity provider as it is trusted now.
func (sp *ServiceProvider) snapshot(ctx context.Context) (*IdentityProvider, *Error) {
	idp, err := sp.config.IdentityProvider.Snapshot(ctx)
	if isNil(err) { // also a nil *Error
		err = nil
	}
	if err == nil && idp == nil { // also a nil *IdentityProvider, which is its own snapshot
		err = errors.New("the source gave neither settings nor an error")
	}
	if err != nil {
		return nil, refuse(CodeIdentityProvider, "the settings of the identity provider cannot be read", "", "").withCause(err)
	}
	return idp, nil
}

// New makes a service provider. All faults of the configuration are reported at once, as joined *Error values.
func New(config Config) (*ServiceProvider, error) {
	sp := &ServiceProvider{config: config, refusals: &refusalLog{}}
	c := &sp.config
	if c.RedirectPath == "" {
		c.RedirectPath = DefaultRedirectPath
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	sp.skew = max(c.ClockSkew, 0)
	if c.ClockSkew == 0 {
		sp.skew = defaultClockSkew
	}
	if err := c.validate(); err != nil {
		return nil, err
	}
	sp.redirectURL = strings.TrimSuffix(c.BaseURL, "/") + c.RedirectPath
	sp.entityID = c.EntityID
	if sp.entityID == "" {
		sp.entityID = sp.redirectURL
	}
	c.RequestedAuthnContexts = slices.Clone(c.RequestedAuthnContexts)
	sp.recipients = append([]string{sp.redirectURL}, c.FormerRedirectURLs...)
	sp.audiences = append([]string{sp.entityID}, c.FormerEntityIDs...)
	c.StateKeys = cloneKeys(c.StateKeys)
	c.DecryptionKeys = slices.Clone(c.DecryptionKeys)
	for _, k := range c.DecryptionKeys {
		sp.decrypters = append(sp.decrypters, k.Key)
	}
	sp.store = c.Store
	if sp.store == nil {
		sp.store = newMemoryStore(c.Now)
		c.Logger.Warn("saml: no Store configured: used-up responses are remembered by this process alone")
	}
	if err := sp.checkIdentityProvider(); err != nil {
		return nil, err
	}
	return sp, nil
}

func cloneKeys(keys [][]byte) [][]byte {
	list := make([][]byte, len(keys))
	for i, k := range keys {
		list[i] = slices.Clone(k)
	}
	return list
}

// checkIdentityProvider refuses settings that nobody could sign in with, or that were pasted into the wrong field.
func (sp *ServiceProvider) checkIdentityProvider() error {
	idp, err := sp.snapshot(context.Background())
	if err != nil {
		return err
	}
	var faults []error
	if err := idp.checkAgainst(sp); err != nil {
		faults = append(faults, err)
	}
	if len(idp.usableKeys) == 0 {
		faults = append(faults, idp.noUsableKey())
	}
	if err := sp.checkLoginURL(idp.LoginURL()); err != nil {
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// noUsableKey says why, in the words of the first key.
func (p *IdentityProvider) noUsableKey() *Error {
	for _, k := range p.keys {
		if k.unusable != nil {
			return k.unusable
		}
	}
	return refuse(CodeMetadataKeys, "the identity provider has no signing key", "", "")
}

func (sp *ServiceProvider) checkLoginURL(login string) *Error {
	if err := checkEndpoint(login); err != nil {
		return err
	}
	u, _ := url.Parse(login)
	if u.Scheme == "http" && !isLoopback(u.Hostname()) && !sp.config.InsecureAllowHTTP {
		return refuse(CodeMetadataLoginURL, "the login URL is not https: passwords would travel in the clear", login, "https://...")
	}
	return nil
}

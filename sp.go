package saml

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/iomete/saml/internal/seal"
)

// A ServiceProvider begins logins at one identity provider and finishes them. It is immutable, safe
// for concurrent use and cheap: a console may hold thousands, each of which takes some KiB.
type ServiceProvider struct {
	policy
	config   Config // with defaults filled in
	refusals *refusalLog
	store    Store
	overage  sync.Once    // for the warning about missing groups
	sealer   *seal.Sealer // of Config.StateKeys
	loopMark string       // see loopMarkOf

	passedLogin atomic.Pointer[string] // see checkLoginURL
}

// RedirectURL returns BaseURL + RedirectPath: the assertion consumer service URL (ACS URL; Entra:
// Reply URL), where responses are received. By default it is our entity ID and sign-on URL too.
func (sp *ServiceProvider) RedirectURL() string { return sp.redirectURL }

// RedirectPath returns the path of RedirectURL (the ACS path), for registering the Handler.
func (sp *ServiceProvider) RedirectPath() string { return sp.config.RedirectPath }

// LogoutURL returns BaseURL + Config.LogoutPath: the single logout service URL (SLO URL), where logout
// messages are received; "" without LogoutPath.
func (sp *ServiceProvider) LogoutURL() string {
	if sp.config.LogoutPath == "" {
		return ""
	}
	return strings.TrimSuffix(sp.config.BaseURL, "/") + sp.config.LogoutPath
}

// LogoutPath returns the path of LogoutURL, for registering the Handler; "" if there is none.
func (sp *ServiceProvider) LogoutPath() string { return sp.config.LogoutPath }

// EntityID returns our name at the identity provider (Entra: Identifier).
func (sp *ServiceProvider) EntityID() string { return sp.entityID }

// Tenant returns Config.Tenant.
func (sp *ServiceProvider) Tenant() string { return sp.config.Tenant }

// IdentityProvider returns the identity provider that is trusted at this moment. The error is an
// *Error: CodeNotConfigured if there is none yet, CodeIdentityProvider if the settings cannot be
// read.
func (sp *ServiceProvider) IdentityProvider(ctx context.Context) (*IdentityProvider, error) {
	idp, err := sp.snapshot(ctx)
	if err != nil {
		return nil, err.completed(nil)
	}
	return idp, nil
}

// snapshot returns the identity provider as it is trusted now for logins, or a refusal, never neither.
func (sp *ServiceProvider) snapshot(ctx context.Context) (*IdentityProvider, *Error) {
	idp, err := sp.configured(ctx)
	if err == nil && sp.config.RefuseExpiredMetadata && idp.isOver(sp.config.Now()) {
		return nil, refuse(CodeMetadataValidity,
			"the metadata of the identity provider has run out, and Config.RefuseExpiredMetadata is set",
			"valid until "+showTime(idp.validUntil), "metadata that is valid at "+showTime(sp.config.Now())).
			advised(hintExpiredMetadata)
	}
	return idp, err
}

// configured is snapshot for what begins no session: it goes on after validUntil.
func (sp *ServiceProvider) configured(ctx context.Context) (*IdentityProvider, *Error) {
	idp, err := sp.config.IdentityProvider.Snapshot(ctx)
	if err == nil && idp != nil {
		return idp, nil
	}
	if isNil(err) { // also a nil *Error
		err = nil
	}
	var own *Error
	switch {
	case errors.Is(err, ErrNotConfigured):
		return nil, refuse(CodeNotConfigured, "no identity provider is configured", "", "").withCause(err)
	case errors.As(err, &own) && own != nil && own.Code == CodeMetadataUnavailable: // of a MetadataSource
		return nil, own
	case err == nil && idp == nil:
		err = errors.New("the source gave neither settings nor an error")
		fallthrough
	case err != nil:
		return nil, refuse(CodeIdentityProvider, "the settings of the identity provider cannot be read", "",
			"").withCause(err)
	}
	return idp, nil
}

const hintExpiredMetadata = "Upload the metadata of today, or read it by a MetadataSource from the address of the " +
	"identity provider. If its publisher does not renew it, set Config.RefuseExpiredMetadata to false: the keys are " +
	"trusted then as long as they are configured."

// New returns a service provider. All faults of the configuration are reported at once, as joined
// *Error values. So are those of the identity provider's settings: no usable key, no usable login
// URL, our own names in its fields.
//
// If Config.IdentityProvider cannot be asked, because a database is down or nothing is configured
// yet (ErrNotConfigured), New succeeds all the same: RedirectURL and Metadata work, logins fail
// until the source answers, and Health says why.
func New(config Config) (*ServiceProvider, error) {
	c := config.withDefaults()
	if err := c.validate(); err != nil {
		return nil, completeAll(err, nil)
	}
	sp := &ServiceProvider{config: c, policy: c.policy(), store: c.Store, refusals: &refusalLog{},
		sealer: seal.NewSealer(c.StateKeys...)}
	sp.loopMark = loopMarkOf(sp.entityID, c.Tenant)
	if sp.store == nil {
		sp.store = NewMemoryStoreWithClock(c.Now)
		c.Logger.Warn("saml: no Store configured: used-up responses are remembered by this process alone",
			"hint", "If several processes serve this, or a restart must forget nothing, set Config.Store to one that all share (package sqlstore): otherwise a response counts once for each of them.")
	}
	ctx, cancel := context.WithTimeout(context.Background(), newTimeout)
	defer cancel()
	idp, err := sp.snapshot(ctx)
	source := sourceBehind(c.IdentityProvider, idp)
	if source != nil {
		if err := source.agreesWith(&c); err != nil {
			return nil, err
		}
	}
	switch {
	case err == nil:
		if err := sp.checkIdentityProvider(idp); err != nil {
			return nil, err
		}
		sp.warnOwnLogout(idp)
		// no reason not to start: the metadata that fixes it may come while the service runs
		if err := sp.outsideDates(idp); err != nil {
			c.Logger.Warn("saml: "+err.Message+"; no login can succeed before there is another one", slog.String("tenant", c.Tenant),
				slog.String("code", string(err.Code)), slog.String("certificate", err.Got))
		}
	case err.Code == CodeMetadataUnavailable: // its source says what is wrong, if anything is
		c.Logger.Info("saml: "+err.Message+"; no login can succeed before that", slog.String("tenant", c.Tenant),
			slog.String("code", string(err.Code)))
	case err.Code != CodeNotConfigured:
		c.Logger.Warn("saml: "+err.Message+"; no login can succeed before they can", slog.String("tenant", c.Tenant),
			slog.String("code", string(err.Code)),
			slog.String("cause", causeInLog(err.cause)))
	}
	if source != nil {
		source.servesFor(sp)
	}
	return sp, nil
}

// newTimeout is how long New waits for the settings of the identity provider.
const newTimeout = 5 * time.Second

// Health reports whether logins can succeed now, as far as that is known without one: nil, or the
// faults that New would report, as joined *Error values. The code is CodeNotConfigured if no
// identity provider is configured, CodeIdentityProvider if its settings cannot be read, and
// CodeMetadataValidity if they have run out and Config.RefuseExpiredMetadata is set. With
// Config.RefuseExpiredCertificates it is CodeCertificateExpired if no certificate is within its
// dates now; New starts all the same, and logs that.
func (sp *ServiceProvider) Health(ctx context.Context) error {
	idp, err := sp.snapshot(ctx)
	if err != nil {
		return err.completed(nil)
	}
	if err := sp.checkIdentityProvider(idp); err != nil {
		return err
	}
	if err := sp.outsideDates(idp); err != nil {
		return err.inField(FieldCertificate).completed(idp)
	}
	return nil
}

// outsideDates returns an error if no signature can be accepted now because of the dates of all
// certificates. There is at least one usable key.
func (sp *ServiceProvider) outsideDates(idp *IdentityProvider) *Error {
	if !sp.config.RefuseExpiredCertificates {
		return nil
	}
	return idp.outsideDates(sp.config.Now(), "Config")
}

// outsideDates returns an error if none of the certificates is within its dates. of is the struct
// whose RefuseExpiredCertificates is set. There is at least one usable key.
func (p *IdentityProvider) outsideDates(now time.Time, of string) *Error {
	if slices.ContainsFunc(p.usableKeys, func(k TrustedKey) bool { return k.isValidAt(now) }) {
		return nil
	}
	last := slices.MaxFunc(p.usableKeys, func(a, b TrustedKey) int { return a.notAfter.Compare(b.notAfter) })
	err := refuse(CodeCertificateExpired,
		"no certificate of the identity provider is within its dates, and "+of+".RefuseExpiredCertificates is set", "",
		"a certificate that is valid at "+showTime(now))
	err.Got = last.name() + ", valid from " + showTime(last.notBefore) + " to " + showTime(last.notAfter)
	return err
}

// checkIdentityProvider refuses settings that nobody could sign in with, and settings that were
// pasted into the wrong field.
func (sp *ServiceProvider) checkIdentityProvider(idp *IdentityProvider) error {
	var faults []error
	for _, err := range idp.checkAgainst(sp.recipients) {
		faults = append(faults, err)
	}
	if len(idp.usableKeys) == 0 {
		faults = append(faults, idp.noUsableKey().inField(FieldCertificate))
	}
	if err := sp.checkLoginURL(idp.LoginURL()); err != nil {
		faults = append(faults, err.inField(FieldLoginURL))
	}
	return completeAll(errors.Join(faults...), idp)
}

// checkLoginURL remembers the last address that passed, since nothing but the address decides: most
// often the login URL of the settings. After a logout address it is checked once more.
func (sp *ServiceProvider) checkLoginURL(login string) *Error {
	if passed := sp.passedLogin.Load(); passed != nil && *passed == login {
		return nil
	}
	if err := checkLoginURL(login, sp.config.InsecureAllowHTTP); err != nil {
		return err
	}
	kept := strings.Clone(login) // the text around it need not live as long
	sp.passedLogin.Store(&kept)
	return nil
}

// isOpenHTTP reports whether an address is one of another machine that is reached without TLS.
func isOpenHTTP(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Scheme == "http" && !isLoopback(u.Hostname())
}

func checkLoginURL(login string, allowHTTP bool) *Error {
	if err := checkEndpoint(login); err != nil {
		return err
	}
	if isOpenHTTP(login) && !allowHTTP {
		return refuse(CodeMetadataLoginURL, "the login URL is not https: passwords would travel in the clear", login,
			"https://...")
	}
	return nil
}

// completed is Error.completed with the identity provider that is trusted now.
func (sp *ServiceProvider) completed(ctx context.Context, e *Error) *Error {
	if e == nil || e.Hint != "" {
		return e
	}
	p, _ := sp.snapshot(ctx)
	return e.completed(p)
}

// postBindingHint is what to change if a response does not come by HTTP-POST. sp may be nil.
func (sp *ServiceProvider) postBindingHint(ctx context.Context) string {
	var p *IdentityProvider
	if sp != nil {
		p, _ = sp.snapshot(ctx)
	}
	return p.postBindingHint()
}

// ParseSettings is the function ParseSettings for settings that this service provider is to use: it
// also reports what New would refuse, such as our own Redirect URL in one of the fields, or a login
// URL on http. It does not change the service provider.
func (sp *ServiceProvider) ParseSettings(entityID, loginURL, certificate string) (*IdentityProvider, error) {
	p, faults := parseSettings(entityID, loginURL, certificate)
	faulty := func(field string) bool {
		return slices.ContainsFunc(faults, func(e *Error) bool { return e.Field == field })
	}
	for _, err := range p.checkAgainst(sp.recipients) {
		if !faulty(err.Field) {
			faults = append(faults, err)
		}
	}
	if err := sp.checkLoginURL(p.LoginURL()); err != nil && !faulty(FieldLoginURL) {
		faults = append(faults, err.inField(FieldLoginURL))
	}
	if len(p.usableKeys) == 0 && !faulty(FieldCertificate) {
		faults = append(faults, p.noUsableKey().inField(FieldCertificate))
	}
	if len(faults) > 0 {
		return nil, joined(faults, p)
	}
	return p, nil
}

func (sp *ServiceProvider) observe(ctx context.Context, e Event) {
	e.Time, e.Tenant = sp.config.Now(), sp.config.Tenant
	sp.refusals.write(ctx, sp.config.Logger, e)
	if sp.config.Observe != nil {
		sp.config.Observe(ctx, e)
	}
}

package saml

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A Warning is something about an identity provider's settings that works today, or may work, but that an administrator
// should know.
type Warning struct {
	Code    string // stable name
	Message string // one sentence for the administrator, without a final period
	Hint    string // what to change and where, "" if nothing
}

// String is the message and what to do.
func (w Warning) String() string {
	if w.Hint == "" {
		return w.Message
	}
	return w.Message + ". " + w.Hint
}

// Warnings lists what an administrator should know at this time: about the document, the fields, and each key that cannot
// be used, has ended or ends within 60 days.
func (p *IdentityProvider) Warnings(now time.Time) []Warning {
	list := slices.Clone(p.warnings)
	if !p.validUntil.IsZero() && p.validUntil.Before(now) {
		list = append(list, Warning{"valid_until_past", "the document says that it was valid until " + showTime(p.validUntil),
			"Download the metadata anew. The keys in it are used all the same."})
	}
	for _, k := range p.keys {
		if w, ok := p.keyWarning(k, now); ok {
			list = append(list, w)
		}
	}
	return list
}

// expiryWarning is how long before its end a certificate is warned about: Entra mails 60, 30 and 7 days ahead.
const expiryWarning = 60 * 24 * time.Hour

func (p *IdentityProvider) keyWarning(k TrustedKey, now time.Time) (Warning, bool) {
	name := k.name()
	if k.issued != "" {
		return Warning{"key_issuer", name + " issued " + k.issued + " in the same list: it belongs to a certificate authority, and its key is not trusted to sign responses", issuerHint}, true
	}
	hint := p.hint(CodeCertificateExpired)
	if slices.ContainsFunc(p.usableKeys, func(o TrustedKey) bool { return o.notAfter.Sub(now) >= expiryWarning && !now.Before(o.notBefore) }) {
		hint = "Another certificate is valid for longer: make it the active one, if it is not, and delete this one."
	}
	switch left := k.notAfter.Sub(now); {
	case k.unusable != nil:
		return Warning{"key_unusable", name + " cannot be used: " + k.unusable.Message + gotWant(k.unusable), k.unusable.Hint}, true
	case now.Before(k.notBefore):
		return Warning{"certificate_not_yet_valid", name + " begins only on " + showDate(k.notBefore), ""}, true
	case left < 0:
		return Warning{"certificate_expired", name + " ended on " + showDate(k.notAfter) + "; it is accepted all the same unless that is switched off",
			hint}, true
	case left < expiryWarning:
		return Warning{"certificate_expiring", fmt.Sprintf("%s ends in %d days, on %s", name, int(left.Hours()/24), showDate(k.notAfter)),
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
	if strings.HasPrefix(p.LoginURL(), "http:") {
		add("http_endpoint", "the login URL "+quote(p.LoginURL())+" is not https: passwords would travel in the clear", "")
	}
	if p.tenantWide() {
		add("tenant_wide_keys", "the certificates are those of the whole Microsoft cloud, not of your application, so responses will probably not verify",
			"Entra signs with the application's own certificate: in the enterprise application, Single sign-on > SAML Certificates, download the Federation Metadata XML.")
	}
	if bareTenant.MatchString(p.entityID) {
		add("entity_id_slash", "the entity ID "+quote(p.entityID)+" has no slash at its end, as Microsoft Entra's has",
			`In Entra: Enterprise application > Single sign-on > "Set up" card > Microsoft Entra Identifier: copy all of it, the slash too.`)
	}
	if u, err := url.Parse(p.LoginURL()); err == nil && isEntraHost(u.Hostname()) && commonTenant.MatchString(u.Path) {
		add("login_url_common", "the login URL "+quote(p.LoginURL())+" is not that of one tenant",
			`In Entra: Enterprise application > Single sign-on > "Set up" card > Login URL.`)
	}
	if ours, theirs := tenantIn(entraIssuer, p.entityID), tenantIn(entraLogin, p.LoginURL()); ours != "" && theirs != "" && !strings.EqualFold(ours, theirs) {
		add("tenant_mismatch", "the entity ID is of the tenant "+ours+" and the login URL of the tenant "+theirs,
			`In Entra: Enterprise application > Single sign-on > "Set up" card: take both from there.`)
	}
	if p.wantSigned {
		add("wants_signed_requests", "the identity provider asks for signed requests; it may refuse ours unless a signing key is configured", "")
	}
}

var (
	bareTenant   = regexp.MustCompile(`^https://sts\.(windows\.net|chinacloudapi\.cn)/[0-9A-Fa-f-]{36}$`)
	entraIssuer  = regexp.MustCompile(`^https://sts\.(?:windows\.net|chinacloudapi\.cn)/([0-9A-Fa-f-]{36})/`)
	entraLogin   = regexp.MustCompile(`^https://login\.[a-z.]+/([0-9A-Fa-f-]{36})/`)
	commonTenant = regexp.MustCompile(`^/(common|organizations|consumers)/`)
)

// tenantIn is the tenant ID in an address, "" if it has none.
func tenantIn(pattern *regexp.Regexp, address string) string {
	if m := pattern.FindStringSubmatch(address); m != nil {
		return m[1]
	}
	return ""
}

// tenantWide reports whether there are only keys that Entra signs with where an application has none of its own.
func (p *IdentityProvider) tenantWide() bool {
	for _, k := range p.keys {
		if k.subject != "CN=accounts.accesscontrol.windows.net" && k.subject != "CN=login.microsoftonline.us" {
			return false
		}
	}
	return true
}

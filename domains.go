package saml

import (
	"context"
	"errors"
	"strings"

	"github.com/iomete/saml/internal/address"
)

// A DomainClaim says that people with e-mail addresses in a domain belong to a tenant.
type DomainClaim struct {
	// Domain is the part of the addresses behind the @, in any form that NormalizeDomain takes
	// ("example.com"). Its sub-domains are domains of their own and need a claim each. Required if
	// Verified is set.
	Domain string

	// Tenant is Config.Tenant of the tenant's provider. Required if Verified is set.
	Tenant string

	// Verified says that the tenant has proven that the domain is its own, for example by a random
	// text that you gave it and that is in a TXT record of the domain. A message to an address in the
	// domain proves nothing: at gmail.com, outlook.com and all others where anybody can get an address,
	// anybody can read it, and nobody could ever claim a suffix such as co.uk that way. Default: the
	// claim does not count.
	Verified bool
}

// Domains finds the tenant of people by the domain of their e-mail address, for
// HandlerConfig.ChooseTenant. It is immutable and safe for concurrent use. A service whose tenants
// claim domains while it runs looks in its database instead: see HandlerConfig.ChooseTenant.
type Domains struct{ tenants map[string]string }

// NewDomains returns the domains of the claims that are verified. Others are left out unread: what
// one tenant enters must not stand in the way of another.
//
// All faults are reported at once, as joined *Error values with CodeConfig: a domain that is none, a
// claim without a tenant, and a domain that is verified for two tenants. Which of them is right, only
// the domain's owner can say.
func NewDomains(claims ...DomainClaim) (*Domains, error) {
	d := &Domains{tenants: map[string]string{}}
	f := faults{of: "DomainClaim"}
	for _, c := range claims {
		if !c.Verified {
			continue
		}
		domain, why := address.Domain(c.Domain)
		owner, taken := d.tenants[domain]
		switch {
		case why != "":
			f.add("Domain", why, c.Domain, wantDomain)
		case c.Tenant == "":
			f.add("Tenant", "is empty for a domain", domain, "the Config.Tenant of its provider")
		case taken && owner != c.Tenant:
			f.add("Domain", "is verified for two tenants", domain, "one of them")
		default:
			d.tenants[domain] = c.Tenant
		}
	}
	if err := completeAll(errors.Join(f.list...), nil); err != nil {
		return nil, err
	}
	return d, nil
}

// Tenant returns the tenant that a domain is verified for, "" if there is none. It asks nothing, so
// its error is always nil. It is a HandlerConfig.ChooseTenant.
func (d *Domains) Tenant(_ context.Context, domain string) (tenant string, err error) {
	normal, _ := address.Domain(domain)
	if d == nil || normal == "" {
		return "", nil
	}
	return d.tenants[normal], nil
}

const wantDomain = "a name such as example.com"

// NormalizeDomain returns the domain of e-mail addresses in the one form in which domains are
// compared, for a database: ASCII in lower case, without a dot at the end, and with A-labels in place
// of letters beyond ASCII ("bücher.example" is "xn--bcher-kva.example", RFC 5890 §2.3.2.1). White
// space and invisible characters around it are left out. At most 253 bytes.
//
// The error is an *Error with CodeConfig that says what is wrong: the text has no dot, is an IP
// address, a whole e-mail address or a wildcard. A suffix under which others register their names
// (co.uk) is not told from a domain, nor is one of a mail service for everybody: see
// DomainClaim.Verified.
func NormalizeDomain(domain string) (string, error) {
	normal, why := address.Domain(domain)
	if why != "" {
		return "", refuse(CodeConfig, "the domain "+why, domain, wantDomain).hintOfField("Domain")
	}
	return normal, nil
}

// EmailDomain returns the domain of an e-mail address that somebody typed, in the form of
// NormalizeDomain. What surrounds an address that was copied is left out. It reports false if the
// text is no address. Nobody has proven that the address is theirs: it can choose where somebody
// signs in, and nothing else.
func EmailDomain(email string) (domain string, ok bool) {
	_, domain = splitEmail(email)
	return domain, domain != ""
}

// splitEmail returns an address that somebody typed without what surrounds it, and its domain, or
// nothing if it is none.
func splitEmail(typed string) (email, domain string) {
	email = strings.TrimSuffix(trimInvisible(typed), ".")
	if !isEmail(email) {
		return "", ""
	}
	domain, _ = address.Domain(email[strings.LastIndexByte(email, '@')+1:])
	if domain == "" {
		return "", ""
	}
	return email, domain
}

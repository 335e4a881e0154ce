package saml

import (
	"maps"
	"slices"
	"time"
)

// maxOwn is how many addresses of our own a source remembers. A tenant has a few.
const maxOwn = 1000

// ownAddresses are the Redirect URLs of the service providers that trust a source. A source alone
// does not know them.
type ownAddresses struct {
	urls  map[string]bool
	https bool // at least one of them has no Config.InsecureAllowHTTP
	dated bool // at least one of them has Config.RefuseExpiredCertificates
}

// A reading is one document that a MetadataSource has read. What is read of it and its copies have the
// same one.
type reading struct{ by *MetadataSource }

// isReadingOf reports whether two snapshots are of one document that was read once: one is the other,
// or a copy.
func (p *IdentityProvider) isReadingOf(o *IdentityProvider) bool {
	return p == o || p.reading != nil && p.reading == o.reading
}

// itself is for sources that embed a *MetadataSource: they have this method too.
func (s *MetadataSource) itself() *MetadataSource { return s }

// sourceBehind returns the MetadataSource from which a source has its settings, nil if there is none,
// or if that cannot be seen. idp is what the source returned, or nil.
func sourceBehind(s IdentityProviderSource, idp *IdentityProvider) *MetadataSource {
	if around, ok := s.(interface{ itself() *MetadataSource }); ok {
		return around.itself()
	}
	if idp != nil && idp.reading != nil {
		return idp.reading.by
	}
	return nil
}

// agreesWith refuses a service provider that trusts the source under the name of another tenant, if the
// source ends sessions: it would end those of the other one, and never those of this. A trial begins
// no sessions.
func (s *MetadataSource) agreesWith(c *Config) *Error {
	if s.config.EndSessionsOfRemovedKeys == nil || s.config.Tenant == c.Tenant || c.Trial {
		return nil
	}
	return refuse(CodeConfig, "MetadataSourceConfig.Tenant is not Config.Tenant, and EndSessionsOfRemovedKeys is set: "+
		"when the identity provider removes a key, the sessions of this tenant would go on",
		quote(s.config.Tenant), quote(c.Tenant)).inField("Tenant").
		advised("Set MetadataSourceConfig.Tenant of the source in Config.IdentityProvider to the Config.Tenant of the " +
			"service provider. Several tenants need a source each, also at one address: Sources.Get makes them.")
}

// servesFor is called by New: from now on, no look takes what New would refuse for this service
// provider, or what nobody could sign in with. What is kept stays as it is.
func (s *MetadataSource) servesFor(sp *ServiceProvider) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.own.https = s.own.https || !sp.config.InsecureAllowHTTP
	s.own.dated = s.own.dated || sp.config.RefuseExpiredCertificates
	for _, url := range sp.recipients {
		if len(s.own.urls) < maxOwn {
			s.own.urls[url] = true
		}
	}
}

// checkOwn is what the service providers refuse beyond what every source refuses: our own addresses in
// the fields of the identity provider, a login URL on http, and keys that are all outside their dates.
func (s *MetadataSource) checkOwn(idp *IdentityProvider, now time.Time) *Error {
	s.mu.Lock()
	ours, https, dated := slices.Sorted(maps.Keys(s.own.urls)), s.own.https, s.own.dated
	s.mu.Unlock()
	if faults := idp.checkAgainst(ours); len(faults) > 0 {
		return faults[0]
	}
	if dated {
		if err := idp.outsideDates(now, "Config"); err != nil {
			return err
		}
	}
	return checkLoginURL(idp.LoginURL(), !https)
}

package saml

import (
	"maps"
	"slices"
)

// maxOwn is how many addresses of our own a source remembers. A tenant has a few.
const maxOwn = 1000

// ownAddresses are the Redirect URLs of the service providers that trust a source. A source alone
// does not know them.
type ownAddresses struct {
	urls  map[string]bool
	https bool // at least one of them has no Config.InsecureAllowHTTP
}

// servesFor is called by New: from now on, no look takes what New would refuse for this service
// provider. What is kept stays as it is.
func (s *MetadataSource) servesFor(sp *ServiceProvider) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.own.https = s.own.https || !sp.config.InsecureAllowHTTP
	for _, url := range sp.recipients {
		if len(s.own.urls) < maxOwn {
			s.own.urls[url] = true
		}
	}
}

// checkOwn is what ServiceProvider.checkIdentityProvider refuses beyond what every source refuses:
// our own addresses in the fields of the identity provider, and a login URL on http.
func (s *MetadataSource) checkOwn(idp *IdentityProvider) *Error {
	s.mu.Lock()
	ours, https := slices.Sorted(maps.Keys(s.own.urls)), s.own.https
	s.mu.Unlock()
	if faults := idp.checkAgainst(ours); len(faults) > 0 {
		return faults[0]
	}
	return checkLoginURL(idp.LoginURL(), !https)
}

package saml

import (
	"slices"
	"strings"
	"time"
)

// An ExpiryKind says what ends.
type ExpiryKind string

const (
	ExpiringCertificate    ExpiryKind = "certificate"     // of a key of the identity provider, without a successor
	ExpiringMetadata       ExpiryKind = "metadata"        // the document runs out (validUntil)
	NeverRead              ExpiryKind = "never_read"      // a MetadataSource that has no document
	ExpiringOwnCertificate ExpiryKind = "own_certificate" // of SigningKey, or of a decryption key without a successor
)

// An Expiry is one reason why sign-in may break.
type Expiry struct {
	Kind     ExpiryKind
	Tenant   string      // "" if there is only one, or it is not known
	EntityID string      // of the identity provider, "" if it is not known
	Address  string      // where its metadata is, "" if it has none
	At       time.Time   // when it ends, or has ended; zero for NeverRead
	Key      *TrustedKey // of a certificate; else nil
}

// An ExpirySource is what ExpiringKeys can ask: a *MetadataSource, an *IdentityProvider or a
// *ServiceProvider.
type ExpirySource interface {
	// Expiring returns what ends within a time from now, or has ended.
	Expiring(now time.Time, within time.Duration) []Expiry
}

// ExpiringKeys reports who breaks within a time from now, over all tenants, the next one first:
// certificates without a successor, documents that run out, sources that were never read, and
// certificates of our own. What has ended already is in the list too. A *ServiceProvider reports its
// own certificates and what its identity provider has, so its source is not needed beside it.
func ExpiringKeys(now time.Time, within time.Duration, sources ...ExpirySource) []Expiry {
	var list []Expiry
	for _, s := range sources {
		if !isNil(s) {
			list = append(list, s.Expiring(now, within)...)
		}
	}
	slices.SortStableFunc(list, func(a, b Expiry) int {
		if c := a.At.Compare(b.At); c != 0 {
			return c
		}
		return strings.Compare(a.Tenant+"\x00"+a.EntityID, b.Tenant+"\x00"+b.EntityID)
	})
	return list
}

// Expiring implements ExpirySource.
func (p *IdentityProvider) Expiring(now time.Time, within time.Duration) []Expiry {
	var list []Expiry
	for _, k := range p.usableKeys {
		if p.endsWithoutSuccessor(k, now, within) {
			list = append(list, Expiry{Kind: ExpiringCertificate, EntityID: p.entityID, At: k.notAfter, Key: &k})
		}
	}
	if !p.validUntil.IsZero() && !p.validUntil.After(now.Add(within)) {
		list = append(list, Expiry{Kind: ExpiringMetadata, EntityID: p.entityID, At: p.validUntil})
	}
	return list
}

// Expiring implements ExpirySource. A document that is read again in time does not count, whatever
// its validUntil is: only one that has run out, or that no look has renewed in three quarters of its
// time.
func (s *MetadataSource) Expiring(now time.Time, within time.Duration) []Expiry {
	k := s.current.Load()
	if k == nil {
		return []Expiry{{Kind: NeverRead, Tenant: s.config.Tenant, EntityID: s.config.EntityID, Address: s.Address()}}
	}
	var list []Expiry
	for _, e := range k.idp.Expiring(now, within) {
		if e.Kind == ExpiringMetadata && !k.isEnding(now) {
			continue
		}
		e.Tenant, e.Address = s.config.Tenant, s.Address()
		list = append(list, e)
	}
	return list
}

// isEnding reports whether the document has run out, or will soon although it should have been
// renewed: less than a quarter is left of the time between the look that brought it and its end.
func (k *keptMetadata) isEnding(now time.Time) bool {
	until := k.idp.validUntil
	return !until.IsZero() && until.Sub(now) < until.Sub(k.since)/4
}

// Expiring implements ExpirySource.
func (sp *ServiceProvider) Expiring(now time.Time, within time.Duration) []Expiry {
	var list []Expiry
	if source, ok := sp.config.IdentityProvider.(ExpirySource); ok {
		list = source.Expiring(now, within)
	}
	for _, certificates := range sp.ownCertificates() {
		own := &IdentityProvider{usableKeys: certificates}
		for _, e := range own.Expiring(now, within) {
			e.Kind = ExpiringOwnCertificate
			list = append(list, e)
		}
	}
	for i := range list {
		list[i].Tenant = sp.config.Tenant
	}
	return list
}

// ownCertificates returns our certificates for signing, and those for decryption: one can follow on
// another of its kind. Only that of SigningKey is one for signing: FurtherSigningCertificates sign
// nothing, so a next one that is only announced is no successor yet, and a former one may end.
func (sp *ServiceProvider) ownCertificates() [2][]TrustedKey {
	var own [2][]TrustedKey
	add := func(kind int, der []byte) {
		if k, err := parseCertificate(der); err == nil {
			own[kind] = append(own[kind], k)
		}
	}
	add(0, sp.config.SigningCertificate)
	for _, key := range sp.config.DecryptionKeys {
		add(1, key.Certificate)
	}
	return own
}

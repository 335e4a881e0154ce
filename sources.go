package saml

import (
	"context"
	"slices"
	"strconv"
	"sync"

	"github.com/iomete/saml/internal/refresh"
)

// defaultMaxSources is SourcesConfig.Max.
const defaultMaxSources = 20_000

// Sources has one MetadataSource for each tenant and address, for a service whose
// HandlerConfig.Resolve makes a ServiceProvider for each request: the same settings give the same
// source. Nothing is shared between tenants, also if they have one address. It is safe for
// concurrent use.
type Sources struct {
	ctx       context.Context
	max       int
	scheduler *refresh.Scheduler

	mu   sync.Mutex
	list map[sourceName]*sourceSlot
}

type sourceName struct{ tenant, address string }

// A sourceSlot is the place of one source. What was persisted is read while only the slot is locked, so
// that a slow cache holds up its own tenant alone.
type sourceSlot struct {
	making chan struct{}   // has an element while the source is made
	source *MetadataSource // nil while it is made; under Sources.mu
}

// NewSources returns an empty registry. All its sources end when ctx ends: take a context that lives
// as long as the service. most is how many sources there may be, 0 for 20,000.
func NewSources(ctx context.Context, most int) *Sources {
	return newSources(ctx, most, scheduler)
}

func newSources(ctx context.Context, most int, on *refresh.Scheduler) *Sources {
	if most <= 0 {
		most = defaultMaxSources
	}
	return &Sources{ctx: ctx, max: most, scheduler: on, list: map[sourceName]*sourceSlot{}}
}

// Get returns the source of c.Tenant and c.Address, and begins it if there is none. If any setting
// of it has changed, the old source ends and trusts nobody any more, and a new one begins, which
// takes nothing over: what was persisted counts after the checks of the new settings. Initial,
// Persist, EndSessionsOfRemovedKeys, Now, Observe and Logger of an existing source stay as they were,
// but a source that ends sessions is another one than a source that does not.
//
// Get does not wait for the network. The error is that of NewMetadataSource, or has CodeConfig if
// there are too many sources. Then, and if the settings are faulty, an existing source stays.
func (s *Sources) Get(c MetadataSourceConfig) (*MetadataSource, error) {
	c = c.withDefaults()
	name := sourceName{c.Tenant, c.Address}
	if _, _, err := c.validate(); err != nil {
		return nil, completeAll(err, nil)
	}
	slot, source, err := s.slot(name)
	if err != nil || source != nil && source.config.sameSettings(c) {
		return source, err
	}
	slot.making <- struct{}{}
	defer func() { <-slot.making }()
	old := s.sourceIn(slot)
	if old != nil && old.config.sameSettings(c) { // another request made it meanwhile
		return old, nil
	}
	if _, refusal := (&MetadataSource{config: c}).readInitial(); refusal != nil { // before the old one ends
		return nil, refusal.completed(nil)
	}
	if old != nil { // before the new one reads what was persisted
		old.replace()
	}
	source, refusal := newMetadataSource(s.ctx, c, s.scheduler)
	s.put(name, slot, source)
	if refusal != nil {
		return nil, refusal
	}
	return source, nil
}

// slot returns the place of a source, and the source that is in it, nil if there is none yet.
func (s *Sources) slot(name sourceName) (*sourceSlot, *MetadataSource, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	slot := s.list[name]
	if slot == nil {
		if len(s.list) >= s.max {
			return nil, nil, refuse(CodeConfig, "there are too many metadata sources", strconv.Itoa(len(s.list)),
				"at most "+strconv.Itoa(s.max)).
				advised("End the sources of tenants and addresses that are gone (Sources.End), " +
					"or give NewSources a higher number.")
		}
		slot = &sourceSlot{making: make(chan struct{}, 1)}
		s.list[name] = slot
	}
	return slot, slot.source, nil
}

func (s *Sources) sourceIn(slot *sourceSlot) *MetadataSource {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slot.source
}

// put puts a source into its place, or nil if it could not be made. If the tenant has gone meanwhile,
// the source ends.
func (s *Sources) put(name sourceName, slot *sourceSlot, source *MetadataSource) {
	s.mu.Lock()
	defer s.mu.Unlock()
	slot.source = source
	switch {
	case source == nil && s.list[name] == slot:
		delete(s.list, name)
	case source != nil && s.list[name] != slot:
		source.replace()
	}
}

// End ends the source of a tenant and an address, which are gone, and reports whether there was one.
// It trusts nobody any more.
func (s *Sources) End(tenant, address string) bool {
	return s.EndOthers(func(t, a string) bool { return t != tenant || a != trimInvisible(address) }) > 0
}

// EndOthers ends all sources that are not to be kept, and returns how many. Call it when tenants or
// their settings were deleted. keep gets MetadataSourceConfig.Tenant and Address.
func (s *Sources) EndOthers(keep func(tenant, address string) bool) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for name, slot := range s.list {
		if keep(name.tenant, name.address) {
			continue
		}
		if slot.source != nil {
			slot.source.replace()
		}
		delete(s.list, name)
		n++
	}
	return n
}

// All returns the sources there are, in no order.
func (s *Sources) All() []*MetadataSource {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*MetadataSource, 0, len(s.list))
	for _, slot := range s.list {
		if slot.source != nil {
			list = append(list, slot.source)
		}
	}
	return list
}

// sameSettings reports whether two configurations, with their defaults, trust the same and connect in
// the same way.
func (c *MetadataSourceConfig) sameSettings(o MetadataSourceConfig) bool {
	sameRoots := c.Fetch.RootCAs == o.Fetch.RootCAs ||
		c.Fetch.RootCAs != nil && o.Fetch.RootCAs != nil && c.Fetch.RootCAs.Equal(o.Fetch.RootCAs)
	return c.Address == o.Address && c.Tenant == o.Tenant && c.MDQ == o.MDQ && c.EntityID == o.EntityID &&
		sameRoots && c.Fetch.PublicOnly == o.Fetch.PublicOnly && c.Fetch.Proxy == o.Fetch.Proxy &&
		(c.SignedBy == nil) == (o.SignedBy == nil) && slices.EqualFunc(c.SignedBy, o.SignedBy, sameCertificate) &&
		c.Interval == o.Interval && c.MinInterval == o.MinInterval && c.MaxStale == o.MaxStale &&
		c.MaxValidity == o.MaxValidity && c.RequireFresh == o.RequireFresh &&
		c.RefuseExpiredCertificates == o.RefuseExpiredCertificates && c.InsecureAllowHTTP == o.InsecureAllowHTTP &&
		(c.EndSessionsOfRemovedKeys == nil) == (o.EndSessionsOfRemovedKeys == nil)
}

func sameCertificate(a, b TrustedKey) bool { return slices.Equal(a.der, b.der) }

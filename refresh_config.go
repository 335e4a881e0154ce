package saml

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/iomete/saml/internal/address"
	"github.com/iomete/saml/internal/fetch"
)

// A MetadataSourceConfig says where a MetadataSource finds its document, and what it takes. The zero
// value of every field but Address is a safe choice.
type MetadataSourceConfig struct {
	// Address is where the metadata is: an absolute https URL, or http on a loopback address.
	// Required. Redirects are followed each time, and never replace the address. With MDQ it is the
	// base URL of a Metadata Query service.
	Address string

	// MDQ says that Address is that of a Metadata Query service (draft-young-md-query):
	// Address/entities/ and the escaped EntityID is fetched. EntityID is required then, and an
	// absolute URI.
	MDQ bool

	// EntityID is the name of the identity provider, which each document must have. Default: that
	// of the first document that is read, from then on. Required if the document is a collection
	// (EntitiesDescriptor).
	EntityID string

	// Tenant is Config.Tenant of the service provider: it is in every event, and what was persisted
	// for another tenant does not count. New refuses a service provider of another tenant if
	// EndSessionsOfRemovedKeys is set.
	Tenant string

	// SignedBy are keys of which one must have signed the document (pins); the dates of their
	// certificates do not count. Default nil: the document needs no signature. Without pins,
	// whoever controls the address or its TLS certificate decides who is trusted. An older document
	// with a good signature is refused if the publisher writes the time into it (mdrpi
	// creationInstant); if not, only HTTPS and validUntil bound such a roll-back, and MaxValidity
	// closes it.
	SignedBy []TrustedKey

	// Fetch says how to connect, as for FetchMetadata. PublicOnly is for addresses that strangers
	// type.
	Fetch FetchOptions

	// Interval is how long after a look the next one comes if the document does not ask for an
	// earlier one (cacheDuration, half of what is left until validUntil). At least MinInterval.
	// Default one hour. It is also the longest that a Retry-After counts, and the longest wait
	// after failures.
	Interval time.Duration

	// MinInterval is the least between two looks by plan while there is metadata to trust, at least
	// one minute. Default 5 minutes.
	MinInterval time.Duration

	// MaxStale is how long after the last good look Health reports CodeMetadataStale, with an event.
	// Default 7 days.
	MaxStale time.Duration

	// RequireFresh ends the trust MaxStale after the last good look, and when the document runs out
	// (validUntil). Then nobody can sign in until a look succeeds. Default: keys stay trusted until
	// a document without them is read.
	RequireFresh bool

	// MaxValidity refuses documents that have no validUntil, or one that is farther away, and ends
	// the trust when the document that is kept runs out (SAML V2.0 Implementation Profile for
	// Federation Interoperability, IIP-MD04). Default 0: most identity providers send none.
	MaxValidity time.Duration

	// RefuseExpiredCertificates refuses documents in which no certificate is within its dates. Set
	// it if Config.RefuseExpiredCertificates is set: New makes looks refuse them then, but what was
	// persisted and Initial are read before. Default: such a document is taken, because a key that
	// the identity provider publishes is trusted whatever the dates are.
	RefuseExpiredCertificates bool

	// EndSessionsOfRemovedKeys ends the sessions whose sign-in was signed with a key that the identity
	// provider has removed: session.Manager.EndSessionsOfRemovedKey, or a function of your own that
	// remembers the key for all replicas. It is called when the key is missing in two looks by plan, one
	// after the other, never for one look alone, and not for looks in between. It must return within 5
	// seconds, and is called again each minute while it fails. Every replica may call it for the same
	// key. Default nil: such sessions go on until they are over.
	EndSessionsOfRemovedKeys func(context.Context, IssuerKey) error

	// InsecureAllowHTTP takes documents whose login URL is not https. Only for tests in a closed
	// network; see Config.InsecureAllowHTTP.
	InsecureAllowHTTP bool

	// Initial is a document that counts until the first look succeeds, if nothing was persisted. It
	// never replaces what was read: it does not count if Persist fails, or if what was persisted has
	// run out, because it may have keys that were removed since. It is not persisted. MaxStale counts
	// from the start of the process then. Default nil.
	Initial []byte

	// Persist keeps the last good document for the next process, such as a MetadataDir. A document that
	// has run out by then (validUntil) does not count. Default nil: a restart during an outage of the metadata server leaves logins without metadata.
	Persist MetadataCache

	// Now is the wall clock. Default time.Now.
	Now func() time.Time

	// Observe is called for each event, after what it says holds: in a goroutine of the source, or
	// by NewMetadataSource for what was persisted. It must be safe for concurrent use, and must not
	// ask Sources for this source. Default nil.
	Observe func(context.Context, Event)

	// Logger receives each event. Default slog.Default.
	Logger *slog.Logger
}

const (
	defaultInterval    = time.Hour
	defaultMinInterval = 5 * time.Minute
	leastMinInterval   = time.Minute
	defaultMaxStale    = 7 * 24 * time.Hour
)

// withDefaults returns a copy with the defaults filled in.
func (c MetadataSourceConfig) withDefaults() MetadataSourceConfig {
	for field, standard := range map[*time.Duration]time.Duration{&c.Interval: defaultInterval,
		&c.MinInterval: defaultMinInterval, &c.MaxStale: defaultMaxStale} {
		if *field == 0 {
			*field = standard
		}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	c.Address, c.EntityID = trimInvisible(c.Address), trimSpace(c.EntityID)
	c.SignedBy = slices.Clone(c.SignedBy)
	return c
}

// validate reports all faults at once. It returns the address that is fetched, and its host.
func (c *MetadataSourceConfig) validate() (asked, host string, _ error) {
	f := faults{of: "MetadataSourceConfig"}
	asked = c.Address
	if c.MDQ {
		asked = c.queryAddress(&f)
	}
	if err := fetch.Check(asked, c.fetchOptions()); err != nil {
		refusal := fromFetch(err, nil)
		if err.Setting == "" {
			refusal.Code = CodeConfig
			refusal = refusal.hintOfField("Address")
		}
		f.list = append(f.list, refusal)
	}
	if c.EntityID != "" {
		if err := checkEntityID(c.EntityID); err != nil {
			f.list = append(f.list, err.inField("EntityID"))
		}
	}
	usable := func(k TrustedKey) bool { return k.public != nil && k.unusable == nil }
	if c.SignedBy != nil && !slices.ContainsFunc(c.SignedBy, usable) {
		f.add("SignedBy", "has no key that can be used", "", "the keys that the publisher signs with, or nil")
	}
	c.validateTimes(&f)
	if c.Persist != nil && isNil(c.Persist) {
		f.add("Persist", "is a nil pointer", "", "a MetadataDir or another cache, or no value at all")
	}
	if u, err := url.Parse(asked); err == nil {
		host = strings.ToLower(u.Host)
	}
	return asked, host, errors.Join(f.list...)
}

func (c *MetadataSourceConfig) validateTimes(f *faults) {
	if c.MinInterval < leastMinInterval {
		f.add("MinInterval", "is too short", c.MinInterval.String(), "at least "+leastMinInterval.String())
	}
	if c.Interval < c.MinInterval {
		f.add("Interval", "is shorter than MinInterval", c.Interval.String(), "at least "+c.MinInterval.String())
	}
	if c.MaxStale < c.Interval {
		f.add("MaxStale", "is shorter than Interval", c.MaxStale.String(), "at least "+c.Interval.String())
	}
	if c.MaxValidity < 0 {
		f.add("MaxValidity", "is negative", c.MaxValidity.String(), "a time.Duration, or 0")
	}
}

// queryAddress returns the address of one entity at a Metadata Query service.
func (c *MetadataSourceConfig) queryAddress(f *faults) string {
	id, err := url.Parse(c.EntityID)
	if err != nil || id.Scheme == "" || id.Opaque == "" && id.Host == "" && id.Path == "" {
		f.add("MDQ", "is set, and EntityID is no absolute URI", c.EntityID, "https://..., or urn:...")
	}
	base, query, hasQuery := strings.Cut(c.Address, "?")
	asked := strings.TrimSuffix(base, "/") + "/entities/" + escapeWholly(c.EntityID)
	if hasQuery {
		asked += "?" + query
	}
	return asked
}

// escapeWholly escapes everything that has a meaning in a path, "/" and ":" too, so that a name is
// one segment whatever is in it. A name of dots alone would still be none, and is no URI.
func escapeWholly(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

func (c *MetadataSourceConfig) fetchOptions() fetch.Options {
	return fetch.Options{RootCAs: c.Fetch.RootCAs, PublicOnly: c.Fetch.PublicOnly, Proxy: c.Fetch.Proxy,
		MaxBytes: maxFile}
}

// shownAddress is an address as events and pages may show it.
func shownAddress(s string) string { return address.Shown(s) }

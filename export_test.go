package saml

import (
	"context"
	"testing"

	"github.com/iomete/saml/internal/refresh"
)

// A Scheduler is what the sources of a process share. Tests have their own, since those of other tests
// have other clocks.
type Scheduler = refresh.Scheduler

// NewScheduler returns a Scheduler for one test.
func NewScheduler() *Scheduler { return refresh.NewScheduler() }

// NewMetadataSourceOn is NewMetadataSource on another Scheduler.
func NewMetadataSourceOn(ctx context.Context, s *Scheduler, c MetadataSourceConfig) (*MetadataSource, error) {
	return newMetadataSource(ctx, c, s)
}

// NewSourcesOn is NewSources on another Scheduler.
func NewSourcesOn(ctx context.Context, s *Scheduler, most int) *Sources {
	return newSources(ctx, most, s)
}

// CacheKey is what the source persists under.
func (s *MetadataSource) CacheKey() string { return s.cacheKey() }

// VectorRefusals returns how the vectors are refused. Their identity provider is Microsoft Entra
// ID.
func VectorRefusals(t testing.TB) (refusals []error) {
	for _, v := range readVectors(t) {
		if _, err := v.finish(t, allChecks); err != nil {
			refusals = append(refusals, err)
		}
	}
	return refusals
}

// ProductOf returns the name of the product that settings with these addresses belong to, "" if
// none is recognized.
func ProductOf(entityID, loginURL string) string {
	p := &IdentityProvider{entityID: entityID, loginURL: loginURL}
	if known := p.product(); known != nil {
		return known.name
	}
	return ""
}

// ProductWords returns what products.go has, one line for each: "product | code | words".
func ProductWords() (lines []string) {
	for _, known := range products {
		add := func(what, words string) {
			if words != "" {
				lines = append(lines, known.name+" | "+what+" | "+words)
			}
		}
		for _, a := range known.words {
			for _, code := range a.codes {
				add(string(code), a.text)
			}
		}
		add("RequireSignedResponse", known.signResponse)
		add("wants_signed_requests", known.signRequests)
		add("HTTP-POST", known.postBinding)
		for status, words := range known.statuses {
			add("status "+status, words)
		}
	}
	return lines
}

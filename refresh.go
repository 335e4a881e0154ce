package saml

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/iomete/saml/internal/fetch"
	"github.com/iomete/saml/internal/refresh"
)

// scheduler runs the looks of all sources of the process. It has a goroutine only while there are
// sources.
var scheduler = refresh.NewScheduler()

// A MetadataSource is an IdentityProviderSource that reads the metadata of an identity provider from
// an address, looks again at times in the background, and trusts what it read last. So keys that the
// identity provider adds or removes count without anybody's doing.
//
// A look that fails changes nothing: what was read before stays, whole, and an event and Health say
// why. A look that succeeds replaces all of it, and removed keys are untrusted from then on. No
// login waits for a look, with one exception: see Reread. Settings that an administrator entered are
// never changed, because a source changes nothing but its own Snapshot.
//
// It is safe for concurrent use. All sources of a process share one goroutine and the limits on
// fetches at once: 16 in all and 4 of one host.
type MetadataSource struct {
	config    MetadataSourceConfig // with defaults
	address   string               // that is fetched
	host      string
	scheduler *refresh.Scheduler
	ctx       context.Context // ends with the source
	cancel    context.CancelFunc
	current   atomic.Pointer[keptMetadata] // nil: nothing yet
	ready     chan struct{}                // closed with the first document
	saving    sync.Mutex                   // one write at a time, in order
	saved     *keptMetadata                // what is persisted, nil if nothing is or it is not known; under saving
	queue     refresh.Queue                // of those who wait for a look for a key that is not known

	mu       sync.Mutex
	schedule refresh.Schedule
	begun    uint64               // looks that began
	applied  uint64               // the number of the look that decided what is kept
	failure  *Error               // of the last look, nil if it succeeded
	failedAt time.Time            // when it failed
	failing  int                  // looks of any kind that failed since one succeeded
	waiting  *extraLook           // the last look for a key that is not known, nil if there was none
	asked    *extraLook           // the last LookNow, nil if there was none
	told     map[string]time.Time // warnings that hold, and when they were told last
	alarm    time.Time            // when a warning may begin to hold, zero if no time is known
	unended  *Error               // why sessions of removed keys could not be ended, nil if they could
	own      ownAddresses         // of those who trust what it reads
	replaced bool                 // it has ended because its settings do not hold any more
}

// keptMetadata is the document that counts, immutable.
type keptMetadata struct {
	idp        *IdentityProvider
	document   []byte           // nil if nothing is persisted
	conditions fetch.Conditions // with which to ask whether it has changed
	created    time.Time        // the latest that was seen, if the document is signed with a pinned key
	readAt     time.Time        // of the last good look
	wholeAt    time.Time        // when the document itself came last, and not that it is unchanged; zero if not known
	since      time.Time        // since when it says what it says
	origin     MetadataOrigin
	missing    []missingKey // whose sessions are to end, if the source is to do that; sorted
}

// A MetadataOrigin says where the metadata of a MetadataSource is from.
type MetadataOrigin string

const (
	MetadataFetched   MetadataOrigin = "fetched"   // by this process
	MetadataPersisted MetadataOrigin = "persisted" // by an earlier process, from MetadataSourceConfig.Persist
	MetadataInitial   MetadataOrigin = "initial"   // from MetadataSourceConfig.Initial
)

// NewMetadataSource returns a source that looks until ctx ends; take a context that lives as long as
// the service, never that of a request. After that it keeps what it has. It does not wait for the
// network, and does not fail because a server is down: until the first document is there, logins are
// refused with CodeMetadataUnavailable. What was persisted counts at once; MetadataSourceConfig.Persist
// has 5 seconds to load it. Ready waits for the first document.
//
// All faults of the configuration are reported at once, as joined *Error values with CodeConfig, or
// for Initial with a code of ParseMetadata.
//
// Make one source for each address, not one for each request: Sources does that for many tenants.
func NewMetadataSource(ctx context.Context, c MetadataSourceConfig) (*MetadataSource, error) {
	s, err := newMetadataSource(ctx, c, scheduler)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func newMetadataSource(ctx context.Context, c MetadataSourceConfig, on *refresh.Scheduler) (*MetadataSource, error) {
	c = c.withDefaults()
	address, host, err := c.validate()
	if err != nil {
		return nil, completeAll(err, nil)
	}
	s := &MetadataSource{config: c, address: address, host: host, scheduler: on, ready: make(chan struct{}),
		told: map[string]time.Time{}, own: ownAddresses{urls: map[string]bool{}},
		schedule: refresh.Schedule{Interval: c.Interval, Min: c.MinInterval}}
	initial, refusal := s.readInitial()
	if refusal != nil {
		return nil, refusal.completed(nil)
	}
	s.ctx, s.cancel = context.WithCancel(ctx)
	s.begin(initial)
	remove := on.Add(host, sourceTask{s})
	context.AfterFunc(s.ctx, remove)
	return s, nil
}

// begin takes what is there before the first look, and plans that.
func (s *MetadataSource) begin(initial *keptMetadata) {
	now := s.now()
	kept, none, events := s.load(now)
	if none && initial != nil {
		if kept, events = s.takeInitial(initial, now, events); kept != nil {
			events = append(events, s.event(MetadataInitialUsed, MetadataEvent{
				Message: "nothing that counts was persisted: the metadata of MetadataSourceConfig.Initial counts until " +
					"a look succeeds"}))
		}
	}
	var planned time.Time
	if kept != nil {
		s.keep(kept)
		if kept.origin == MetadataPersisted { // nobody knows how old an initial one is
			planned = kept.readAt.Add(refresh.Wait(kept.readAt, s.config.Interval, kept.idp.cache, kept.idp.validUntil))
		}
	}
	s.schedule.Start(now, planned, rand.Float64())
	s.alarm = now
	s.tell(events)
}

// keep makes a document the one that counts.
func (s *MetadataSource) keep(k *keptMetadata) {
	if s.current.Swap(k) == nil {
		close(s.ready)
	}
}

// replace ends the source because its settings do not hold any more: it looks no more, a look that is
// under way changes nothing, and nothing is trusted.
func (s *MetadataSource) replace() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replaced = true
	s.cancel()
}

// Snapshot returns what is trusted now. The error is an *Error with CodeMetadataUnavailable: nothing
// was read yet, RequireFresh or MaxValidity ended the trust, or Sources ended the source because its
// settings changed.
func (s *MetadataSource) Snapshot(context.Context) (*IdentityProvider, error) {
	kept, err := s.trusted()
	if err != nil {
		return nil, err.completed(nil)
	}
	return kept.idp, nil
}

func (s *MetadataSource) trusted() (*keptMetadata, *Error) {
	s.mu.Lock()
	replaced, failure := s.replaced, s.failure
	s.mu.Unlock()
	kept, now := s.current.Load(), s.now()
	switch {
	case replaced:
		return nil, unavailable("the settings of this metadata source have changed, " +
			"and another source has taken its place")
	case kept == nil:
		err := unavailable("the metadata of the identity provider has not been read yet")
		if failure != nil {
			err.Hint = failure.Hint
			err.cause = failure
		}
		return nil, err
	case s.config.RequireFresh && s.isStale(kept, now):
		return nil, unavailable("the metadata of the identity provider was last read at " + showTime(kept.readAt) +
			", and MetadataSourceConfig.RequireFresh is set")
	case (s.config.RequireFresh || s.config.MaxValidity > 0) && kept.idp.isOver(now):
		return nil, unavailable("the metadata of the identity provider ran out at " + showTime(kept.idp.validUntil) +
			", and MetadataSourceConfig." + s.endsTrust() + " is set")
	}
	return kept, nil
}

// endsTrust names the setting for which nothing is trusted after validUntil.
func (s *MetadataSource) endsTrust() string {
	if s.config.RequireFresh {
		return "RequireFresh"
	}
	return "MaxValidity"
}

// now returns the time of the wall clock. The reading that Go compares in its place, where there is
// one, stands still while a machine sleeps.
func (s *MetadataSource) now() time.Time { return s.config.Now().Round(0) }

func unavailable(message string) *Error { return refuse(CodeMetadataUnavailable, message, "", "") }

func (s *MetadataSource) isStale(k *keptMetadata, now time.Time) bool {
	return now.Sub(k.readAt) > s.config.MaxStale
}

// isOver reports whether the document has run out.
func (p *IdentityProvider) isOver(now time.Time) bool {
	return !p.validUntil.IsZero() && !now.Before(p.validUntil)
}

// Ready waits until there is metadata to trust. If ctx or the source ends before, the error is that
// of Health.
func (s *MetadataSource) Ready(ctx context.Context) error {
	select {
	case <-s.ready:
		_, err := s.Snapshot(ctx)
		return err
	case <-ctx.Done():
	case <-s.ctx.Done():
	}
	return s.Health()
}

// Health returns what an operator has to look after, nil if all is well: for alerts and for pages,
// not for a readiness probe, since sign-in goes on without it. The error is an *Error:
// CodeMetadataUnavailable if nothing is trusted, CodeMetadataValidity if what is trusted has run
// out, CodeMetadataStale if no look has succeeded for MaxStale. It wraps the last failure.
func (s *MetadataSource) Health() error {
	if err := s.health(); err != nil {
		return err.completed(nil)
	}
	return nil
}

func (s *MetadataSource) health() *Error {
	kept, err := s.trusted()
	if err != nil {
		return err
	}
	now := s.now()
	switch {
	case s.ctx.Err() != nil:
		return refuse(CodeMetadataStale, "nothing looks for new metadata any more: the context of the source has ended", "",
			"a context that lives as long as the service").advised("Give NewMetadataSource the context of the service, not that of a request.")
	case kept.idp.isOver(now):
		err = s.overdue(kept, now)
	case s.isStale(kept, now):
		err = refuse(CodeMetadataStale, "no look for the metadata has succeeded since "+showTime(kept.readAt), "",
			"one each "+s.config.MaxStale.String())
	default:
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure != nil {
		err.cause = s.failure
	}
	return err
}

// overdue is the error for a document that ran out and is trusted all the same.
func (s *MetadataSource) overdue(k *keptMetadata, now time.Time) *Error {
	return refuse(CodeMetadataValidity, "the metadata has run out, and no newer one could be read",
		showTime(k.idp.validUntil), "a validUntil after "+showTime(now))
}

// A MetadataStatus says what a MetadataSource knows, for a page of an administrator.
type MetadataStatus struct {
	Origin   MetadataOrigin // "" if there is no document
	EntityID string         // of the document
	ReadAt   time.Time      // of the last look that succeeded
	Since    time.Time      // since when the document says what it says, as far as is known
	NextLook time.Time      // when the next look is planned
	// NextLookNow is from when on LookNow may look; a time in the past, or the zero time: now
	NextLookNow time.Time
	Failure     *Error    // why the last look failed, nil if it succeeded
	FailedAt    time.Time // when
	Failures    int       // looks that failed since one succeeded
}

// Status returns what is known and since when.
func (s *MetadataSource) Status() MetadataStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	status := MetadataStatus{NextLook: s.schedule.Due(), NextLookNow: s.nextLookNow(),
		Failure: s.failure, FailedAt: s.failedAt, Failures: s.failing}
	if k := s.current.Load(); k != nil {
		status.Origin, status.EntityID, status.ReadAt, status.Since = k.origin, k.idp.entityID, k.readAt, k.since
	}
	return status
}

// Document returns the document that counts, as it was read, for a service that keeps it elsewhere
// too. It is nil if there is none, and if the source does not keep it: without
// MetadataSourceConfig.Persist, and while MetadataSourceConfig.Initial counts. Do not change it.
func (s *MetadataSource) Document() []byte {
	if k := s.current.Load(); k != nil {
		return k.document
	}
	return nil
}

// Address returns MetadataSourceConfig.Address without what may be secret: a query.
func (s *MetadataSource) Address() string { return shownAddress(s.config.Address) }

// Tenant returns MetadataSourceConfig.Tenant.
func (s *MetadataSource) Tenant() string { return s.config.Tenant }

// sourceTask is the side of a source that the scheduler sees.
type sourceTask struct{ *MetadataSource }

// Wait returns how long until a look is due, or a warning.
func (t sourceTask) Wait() time.Duration {
	s := t.MetadataSource
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tick(now)
	wait := s.schedule.Due().Sub(now)
	if !s.alarm.IsZero() {
		wait = min(wait, s.alarm.Sub(now))
	}
	return wait
}

// Run looks if that is due, and warns.
func (t sourceTask) Run() {
	s := t.MetadataSource
	now := s.now()
	s.mu.Lock()
	s.tick(now)
	due := !now.Before(s.schedule.Due()) && s.ctx.Err() == nil
	if due {
		s.schedule.Begin(now)
	}
	s.mu.Unlock()
	if due {
		s.look(lookByPlan)
	}
	s.endSessions()
	s.tell(s.warnings())
}

// tick notices a clock that was set back: then nothing was read in the future.
func (s *MetadataSource) tick(now time.Time) {
	s.schedule.Tick(now)
	if k := s.current.Load(); k != nil && k.readAt.After(now) {
		again := *k
		again.readAt, again.wholeAt = now, earlier(k.wholeAt, now)
		s.current.CompareAndSwap(k, &again)
	}
}

// entityID returns the name that the document must have, "" if any name will do: the first one.
func (s *MetadataSource) entityID() string {
	if k := s.current.Load(); k != nil && s.config.EntityID == "" {
		return k.idp.entityID
	}
	return s.config.EntityID
}

// saysTheSame reports whether two documents say the same of what is read. Their bytes may differ, the
// order of the keys and what only the publisher needs.
func (p *IdentityProvider) saysTheSame(o *IdentityProvider) bool {
	sameCache := p.cache == o.cache || p.cache != nil && o.cache != nil && *p.cache == *o.cache
	return p.entityID == o.entityID && p.loginURL == o.loginURL && p.loginPOST == o.loginPOST &&
		slices.Equal(p.logout, o.logout) && p.wantSigned == o.wantSigned && p.validUntil.Equal(o.validUntil) && sameCache &&
		slices.Equal(p.certificates(), o.certificates())
}

// certificates returns the SHA-256 thumbprints, sorted.
func (p *IdentityProvider) certificates() []string {
	var list []string
	for _, k := range p.keys {
		list = append(list, k.ThumbprintSHA256())
	}
	slices.Sort(list)
	return list
}

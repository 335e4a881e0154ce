package saml

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/iomete/saml/internal/certs"
)

// The events of a MetadataSource. Event.Metadata says more.
const (
	// MetadataKeyAdded: a key is trusted from now on. It may sign only days later.
	MetadataKeyAdded EventKind = "metadata_key_added"
	// MetadataKeyRemoved: a key is no longer trusted.
	MetadataKeyRemoved EventKind = "metadata_key_removed"
	// MetadataKeyRenewed: a key that is trusted has a new certificate.
	MetadataKeyRenewed EventKind = "metadata_key_renewed"
	// MetadataKeyExpiring: a certificate ends within 60 days or has ended, and no other one follows.
	// Repeated each week.
	MetadataKeyExpiring EventKind = "metadata_key_expiring"
	// MetadataAddressChanged: a login URL or logout URL of any binding is another one, new or gone.
	MetadataAddressChanged EventKind = "metadata_address_changed"
	// MetadataLookFailed: a document could not be fetched, or was not taken. What was kept stays.
	MetadataLookFailed EventKind = "metadata_look_failed"
	// MetadataEntityGone is a MetadataLookFailed: the collection, or the Metadata Query service, does
	// not have the identity provider.
	MetadataEntityGone EventKind = "metadata_entity_gone"
	// MetadataOlder is a MetadataLookFailed: the document was made before the one that is kept.
	MetadataOlder EventKind = "metadata_older"
	// MetadataRecovered: a look succeeded after others failed.
	MetadataRecovered EventKind = "metadata_recovered"
	// MetadataEnding: the document is about to run out (validUntil), or has run out. Repeated each day.
	MetadataEnding EventKind = "metadata_ending"
	// MetadataStale: no look has succeeded for MaxStale. Repeated each day.
	MetadataStale EventKind = "metadata_stale"
	// MetadataInitialUsed: MetadataSourceConfig.Initial counts, because nothing was persisted.
	MetadataInitialUsed EventKind = "metadata_initial_used"
	// MetadataPersistFailed: MetadataSourceConfig.Persist failed, or what it had does not count.
	MetadataPersistFailed EventKind = "metadata_persist_failed"
	// MetadataSessionsEnded: the sessions of a removed key have been ended, because
	// MetadataSourceConfig.EndSessionsOfRemovedKeys is set.
	MetadataSessionsEnded EventKind = "metadata_sessions_ended"
	// MetadataSessionsNotEnded: MetadataSourceConfig.EndSessionsOfRemovedKeys failed. It is called
	// again each minute. Repeated each day.
	MetadataSessionsNotEnded EventKind = "metadata_sessions_not_ended"
)

// A MetadataEvent says what happened to the metadata of an identity provider. Nothing in it is
// personal data.
type MetadataEvent struct {
	Address  string      // where the metadata is, without user name and query
	EntityID string      // of the identity provider, "" if it is not known yet
	Message  string      // one sentence for an operator, without a final period
	Err      *Error      // why, for what failed; else nil
	Key      *TrustedKey // of an event about a key; for MetadataKeyRenewed with the new certificate
	Old, New string      // what changed: an address, the end of a certificate
	Since    time.Time   // since when it is so, zero if it just began
	Until    time.Time   // when the certificate or the document ends
	Failures int         // looks that failed one after the other
}

// warningFailures is from how many failed looks on a failure is a warning in the log.
const warningFailures = 3

func (s *MetadataSource) event(kind EventKind, m MetadataEvent) Event {
	m.Address, m.EntityID = s.Address(), s.config.EntityID
	if k := s.current.Load(); k != nil {
		m.EntityID = k.idp.entityID
	}
	return Event{Kind: kind, Time: s.now(), Tenant: s.config.Tenant, Err: m.Err, Metadata: &m}
}

// tell hands events over. s.mu is not held.
func (s *MetadataSource) tell(events []Event) {
	for _, e := range events {
		e.Metadata.log(s, e.Kind)
		if s.config.Observe != nil {
			s.config.Observe(s.ctx, e)
		}
	}
}

func (m *MetadataEvent) log(s *MetadataSource, kind EventKind) {
	attrs := []slog.Attr{slog.String("tenant", s.config.Tenant), slog.String("address", m.Address),
		slog.String("message", m.Message)}
	add := func(name, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(name, value))
		}
	}
	add("identity_provider", m.EntityID)
	add("old", m.Old)
	add("new", m.New)
	if k := m.Key; k != nil {
		add("sha256", k.ThumbprintSHA256())
		add("sha1", k.ThumbprintSHA1())
	}
	if e := m.Err; e != nil {
		add("code", string(e.Code))
		add("got", e.Got)
		add("want", e.Want)
		add("hint", e.Hint)
		add("cause", causeInLog(e.cause))
	}
	if !m.Since.IsZero() {
		add("since", showTime(m.Since))
	}
	if !m.Until.IsZero() {
		add("until", showTime(m.Until))
	}
	s.config.Logger.LogAttrs(s.ctx, m.level(kind), "saml: "+string(kind), attrs...)
}

// level is Info for what somebody meant to happen, or what may be over at the next look.
func (m *MetadataEvent) level(kind EventKind) slog.Level {
	switch kind {
	case MetadataKeyAdded, MetadataKeyRemoved, MetadataKeyRenewed, MetadataRecovered:
		return slog.LevelInfo
	case MetadataLookFailed:
		if m.Failures < warningFailures {
			return slog.LevelInfo
		}
	}
	return slog.LevelWarn
}

// changes returns what differs between two documents. A key is its public key: a certificate with
// other dates makes no other key of it.
func (s *MetadataSource) changes(before, after *IdentityProvider) []Event {
	var events []Event
	for i := range after.usableKeys {
		k := &after.usableKeys[i]
		old, renewed := before.certificateOf(*k), after.certificateBeyond(before, *k)
		switch {
		case k != after.certificateOf(*k): // a second certificate of one key
		case old == nil:
			events = append(events, s.keyEvent(MetadataKeyAdded, *k,
				"the identity provider has a new key, which is trusted from now on: "))
		case renewed != nil:
			e := s.keyEvent(MetadataKeyRenewed, *renewed, "a key of the identity provider has a new certificate: ")
			e.Metadata.Old, e.Metadata.New = showTime(old.notAfter), showTime(renewed.notAfter)
			events = append(events, e)
		}
	}
	for i := range before.usableKeys {
		if k := &before.usableKeys[i]; !after.trusts(*k) && k == before.certificateOf(*k) {
			events = append(events, s.keyEvent(MetadataKeyRemoved, *k,
				"a key of the identity provider is no longer trusted: "))
		}
	}
	return append(events, s.addressChanges(before.addresses(), after.addresses())...)
}

// addressChanges returns an event for each address that differs, appeared or is gone.
func (s *MetadataSource) addressChanges(before, after map[string]string) (events []Event) {
	names := maps.Clone(before)
	maps.Copy(names, after)
	for _, what := range slices.Sorted(maps.Keys(names)) {
		if was, is := before[what], after[what]; was != is {
			events = append(events, s.event(MetadataAddressChanged, MetadataEvent{Old: was, New: is,
				Message: "the identity provider has another " + what + ": " + quote(is) + " instead of " + quote(was)}))
		}
	}
	return events
}

func (s *MetadataSource) keyEvent(kind EventKind, k TrustedKey, message string) Event {
	return s.event(kind, MetadataEvent{Key: &k, Until: k.notAfter, Message: message + k.name()})
}

// certificateOf returns the first certificate of a key, nil if the key is not trusted.
func (p *IdentityProvider) certificateOf(k TrustedKey) *TrustedKey {
	i := slices.IndexFunc(p.usableKeys, func(o TrustedKey) bool { return certs.SameKey(o.public, k.public) })
	if i < 0 {
		return nil
	}
	return &p.usableKeys[i]
}

// certificateBeyond returns the first certificate of a key that before does not have, nil if there is
// none.
func (p *IdentityProvider) certificateBeyond(before *IdentityProvider, k TrustedKey) *TrustedKey {
	had := before.certificates()
	i := slices.IndexFunc(p.usableKeys, func(o TrustedKey) bool {
		return certs.SameKey(o.public, k.public) && !slices.Contains(had, o.ThumbprintSHA256())
	})
	if i < 0 {
		return nil
	}
	return &p.usableKeys[i]
}

const (
	repeatDaily  = 24 * time.Hour
	repeatWeekly = 7 * 24 * time.Hour
)

// warnings returns the events for what holds now and was not told lately, and notes when the next
// one may begin to hold.
func (s *MetadataSource) warnings() []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.alarm = time.Time{}
	k := s.current.Load()
	if s.ctx.Err() != nil || k == nil {
		return nil
	}
	w := &warner{now: now, told: s.told, holds: map[string]bool{}}
	s.warnAboutKeys(k.idp, w)
	if until := k.idp.validUntil; !until.IsZero() {
		if k.idp.isOver(now) {
			err := s.overdue(k, now).completed(k.idp)
			w.add("over", repeatDaily, s.event(MetadataEnding,
				MetadataEvent{Until: until, Err: err, Message: err.Message}))
		} else if k.isEnding(now) {
			w.add("ending", repeatDaily, s.event(MetadataEnding, MetadataEvent{Until: until, Since: k.since,
				Message: fmt.Sprintf("the metadata runs out at %s, and no look has brought a newer one since %s",
					showTime(until), showTime(k.since))}))
		}
		s.alarmAt(until, now)
	}
	if s.isStale(k, now) {
		w.add("stale", repeatDaily, s.event(MetadataStale, MetadataEvent{Since: k.readAt, Failures: s.failing,
			Err: s.failure, Message: "no look for the metadata has succeeded since " + showTime(k.readAt) +
				": sign-in goes on with what was read then"}))
	}
	s.alarmAt(k.readAt.Add(s.config.MaxStale+time.Second), now)
	if err := s.unended; err != nil {
		w.add("sessions", repeatDaily, s.event(MetadataSessionsNotEnded,
			MetadataEvent{Err: err.completed(k.idp), Message: err.Message}))
		s.alarmAt(now.Add(endRetry), now)
	}
	w.forget()
	s.alarmAt(w.next, now)
	return w.events
}

// alarmAt makes the scheduler look at the warnings at a time, if that is not over.
func (s *MetadataSource) alarmAt(t, now time.Time) {
	if t.After(now) && (s.alarm.IsZero() || t.Before(s.alarm)) {
		s.alarm = t
	}
}

// warnAboutKeys warns about certificates that end without a successor.
func (s *MetadataSource) warnAboutKeys(idp *IdentityProvider, w *warner) {
	for _, k := range idp.usableKeys {
		if idp.endsWithoutSuccessor(k, w.now, expiryWarning) {
			message := "the certificate of the identity provider's key ends, and no other follows: "
			if w.now.After(k.notAfter) {
				message = "the certificate of the identity provider's key has ended, and no other follows: "
			}
			w.add("key "+k.ThumbprintSHA256(), repeatWeekly, s.keyEvent(MetadataKeyExpiring, k, message))
		}
	}
}

// endsWithoutSuccessor reports whether a certificate ends within a time, or has ended, and there is
// none that is valid at its end and lasts beyond that time.
func (p *IdentityProvider) endsWithoutSuccessor(k TrustedKey, now time.Time, within time.Duration) bool {
	edge := now.Add(within)
	return !k.notAfter.After(edge) && !slices.ContainsFunc(p.usableKeys, func(o TrustedKey) bool {
		return o.notAfter.After(edge) && !o.notBefore.After(k.notAfter) && !o.notBefore.After(edge)
	})
}

// A warner collects the warnings that hold, and returns those that were not told lately.
type warner struct {
	now    time.Time
	next   time.Time // when one that holds is told again
	told   map[string]time.Time
	holds  map[string]bool
	events []Event
}

func (w *warner) add(name string, repeat time.Duration, e Event) {
	w.holds[name] = true
	if last, ok := w.told[name]; !ok || w.now.Sub(last) >= repeat || last.After(w.now) {
		w.told[name] = w.now
		w.events = append(w.events, e)
	}
	if next := w.told[name].Add(repeat); w.next.IsZero() || next.Before(w.next) {
		w.next = next
	}
}

// forget drops what does not hold any more, so that it is told at once when it comes back.
func (w *warner) forget() {
	for name := range w.told {
		if !w.holds[name] {
			delete(w.told, name)
		}
	}
}

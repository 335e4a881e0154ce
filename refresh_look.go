package saml

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/iomete/saml/internal/certs"
	"github.com/iomete/saml/internal/fetch"
	"github.com/iomete/saml/internal/refresh"
)

// A lookFailure is a look that found nothing to take.
type lookFailure struct {
	*Error
	kind  EventKind // MetadataLookFailed, or what says more
	retry string    // Retry-After, as it was sent
}

func failed(err *Error) *lookFailure { return &lookFailure{Error: err, kind: MetadataLookFailed} }

// A lookKind says why the source looks.
type lookKind int

const (
	lookByPlan lookKind = iota
	lookNow             // an administrator asks for it: as by plan, but nothing that cannot be undone follows
	lookForKey          // an unknown key signed: no cache may answer, and the plan stays as it is
)

// look asks for the document once, and takes it or keeps what there is. It returns why it found
// nothing, nil if it did.
func (s *MetadataSource) look(kind lookKind) *Error {
	number := s.beginLook(kind)
	kept := s.current.Load()
	conditions := fetch.Conditions{Fresh: true}
	if kept != nil && kind != lookForKey && kept.mayBeConfirmed(s.now()) {
		conditions = kept.conditions
	}
	found, failure := s.find(kept, conditions)
	s.tell(s.conclude(number, found, failure, kind))
	s.save()
	if failure != nil {
		return failure.Error
	}
	return nil
}

// beginLook notes that a look begins, which may have waited for its turn, and returns its number.
func (s *MetadataSource) beginLook(kind lookKind) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.tick(now)
	switch kind {
	case lookNow:
		s.schedule.BeginNow(now, s.current.Load() != nil)
	case lookForKey:
		s.schedule.BeginExtra(now)
	}
	s.begun++
	return s.begun
}

// wholeEvery is how often a look asks for the document itself, whatever the tag is.
const wholeEvery = 24 * time.Hour

// mayBeConfirmed reports whether it is enough if the next look finds that nothing has changed. What has
// run out is not made fresh by a server that has nothing newer. And a cache that says of everything
// that it has not changed must not hide forever that a key was removed.
func (k *keptMetadata) mayBeConfirmed(now time.Time) bool {
	return !k.idp.isOver(now) && now.Sub(k.wholeAt) < wholeEvery
}

// find fetches and reads the document. It changes nothing.
func (s *MetadataSource) find(kept *keptMetadata, c fetch.Conditions) (*keptMetadata, *lookFailure) {
	answer, fault := fetch.GetIfChanged(s.ctx, s.address, s.config.fetchOptions(), c)
	now := s.now()
	switch {
	case fault != nil:
		return nil, s.notFetched(fault)
	case answer.NotModified && kept.idp.isOver(now): // meanwhile
		return nil, failed(s.overdue(kept, now).completed(kept.idp))
	case answer.NotModified:
		again := *kept
		again.readAt, again.origin = now, MetadataFetched
		return &again, nil
	}
	idp, refusal := s.read(answer.Document)
	if refusal != nil {
		return nil, s.notTaken(refusal).movedTo(answer.MovedTo)
	}
	if failure := s.checkFetched(idp, now); failure != nil {
		return nil, failure.movedTo(answer.MovedTo)
	}
	found := &keptMetadata{idp: idp, created: earlier(idp.created, now), readAt: now, wholeAt: now, since: now,
		origin: MetadataFetched, conditions: fetch.Conditions{ETag: answer.ETag, LastModified: answer.LastModified}}
	if s.config.Persist != nil {
		found.document = answer.Document
	}
	return found, nil
}

// notFetched says why there is no document.
func (s *MetadataSource) notFetched(fault *fetch.Error) *lookFailure {
	failure := failed(fromFetch(fault, seenAt(s.config.Address)))
	failure.retry = fault.RetryAfter
	switch {
	case fault.TooLarge:
		failure.Hint = hintTooLarge
	case fault.Status == http.StatusNotFound && s.config.MDQ:
		failure.kind = MetadataEntityGone
		failure.Message = "the Metadata Query service does not know the identity provider any more"
		failure.Hint = hintGone
	case fault.Status == http.StatusNotFound, fault.Status == http.StatusGone:
		failure.Message = "the metadata is not there: the address exists no longer, or never did"
		failure.Hint = "Ask the administrator of the identity provider for the address of its metadata today: " +
			"some retire the old one together with the old key."
	}
	return failure
}

const hintTooLarge = "This may be the collection of a whole federation. " +
	"Use the address of the one identity provider, or the federation's Metadata Query (MDQ) service: its base URL as Address, with MDQ and EntityID."

// notTaken says why a document is not taken.
func (s *MetadataSource) notTaken(err *Error) *lookFailure {
	own := *err
	failure := failed(&own)
	switch {
	case err.absent:
		failure.kind = MetadataEntityGone
		failure.Message = "the collection does not have the identity provider: " + err.Message
		failure.Hint = hintGone
	case err.Code == CodeMetadataAggregate && err.Want == quote(s.entityID()):
		failure.Message = "the metadata is of another identity provider"
		failure.Hint = "If the identity provider was moved, save the settings anew with its new entity ID: " +
			"accounts belong to an entity ID. If it was not, correct the address."
	}
	return failure
}

const hintGone = "Ask the federation, or the administrator of the identity provider, " +
	"whether it has left or has another entity ID. What was read before stays trusted until then."

// movedTo adds where redirects led, if there were any.
func (f *lookFailure) movedTo(address string) *lookFailure {
	if address != "" {
		f.Message += "; the address redirects to " + quote(address)
	}
	return f
}

// read reads a document as the settings of today want it. What depends on the time is left to others.
func (s *MetadataSource) read(document []byte) (*IdentityProvider, *Error) {
	idp, err := parseMetadata(document, ParseMetadataOptions{EntityID: s.entityID(), Unattended: true,
		SignedBy: s.config.SignedBy})
	switch {
	case err != nil:
		return nil, err.completed(seenIn(document))
	case len(idp.usableKeys) == 0:
		return nil, idp.noUsableKey().completed(idp)
	}
	if err := checkLoginURL(idp.LoginURL(), s.config.InsecureAllowHTTP); err != nil {
		return nil, err.completed(idp)
	}
	idp.reading = &reading{s}
	return idp, nil
}

// checkKept is the part of the checks that a document must pass whenever it is taken: at a look, from
// the cache, or as Initial. at is when it was read.
func (s *MetadataSource) checkKept(idp *IdentityProvider, at, now time.Time) *Error {
	if s.config.RefuseExpiredCertificates {
		if err := idp.outsideDates(now, "MetadataSourceConfig"); err != nil {
			return err
		}
	}
	switch longest := s.config.MaxValidity; {
	case longest == 0:
	case idp.validUntil.IsZero():
		return refuse(CodeMetadataValidity, "the metadata does not say until when it is valid, "+
			"and MetadataSourceConfig.MaxValidity is set", "", "a validUntil at most "+longest.String()+" away")
	case idp.validUntil.Sub(at) > longest:
		return refuse(CodeMetadataValidity, "the metadata is valid for longer than MetadataSourceConfig.MaxValidity",
			showTime(idp.validUntil), "a validUntil at most "+longest.String()+" away")
	}
	return nil
}

// checkFetched is for a document that could replace a better one.
func (s *MetadataSource) checkFetched(idp *IdentityProvider, now time.Time) *lookFailure {
	for _, err := range []*Error{idp.ranOut(now), s.checkKept(idp, now, now), s.checkOwn(idp, now)} {
		if err != nil {
			return failed(err.completed(idp))
		}
	}
	k := s.current.Load()
	if k != nil && s.config.SignedBy != nil && !idp.created.IsZero() && idp.created.Before(k.created) {
		failure := failed(refuse(CodeMetadataValidity, "the metadata is older than the one that is kept",
			showTime(idp.created), "made at "+showTime(k.created)+" or later").advised(hintOlder))
		failure.kind = MetadataOlder
		return failure
	}
	return nil
}

// ranOut is the refusal of a document that has run out when it is read.
func (p *IdentityProvider) ranOut(now time.Time) *Error {
	if !p.isOver(now) {
		return nil
	}
	return refuse(CodeMetadataValidity, "the metadata ran out before it was read", showTime(p.validUntil),
		"a validUntil after "+showTime(now)+", which is the time of this service")
}

const hintOlder = "A server or cache of the publisher has an old copy, or somebody replays one. " +
	"If it does not stop, ask the publisher."

// conclude takes what a look found, or notes why it found nothing, and plans the next look. It
// returns the events.
func (s *MetadataSource) conclude(number uint64, found *keptMetadata, failure *lookFailure, kind lookKind) []Event {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tick(now)
	if kind == lookForKey {
		s.schedule.EndExtra(now)
	}
	if s.ctx.Err() != nil || number < s.applied { // it has ended, or was overtaken by a look that began later
		return nil
	}
	if failure != nil {
		return s.fail(now, failure, kind)
	}
	s.applied = number
	before := s.current.Load()
	found = found.after(before, s.config.SignedBy != nil, now)
	if found.missing = nil; before != nil && s.config.EndSessionsOfRemovedKeys != nil {
		found.missing = found.missingAfter(before, kind)
	}
	s.keep(found)
	var events []Event
	if s.failing > 0 {
		events = append(events, s.event(MetadataRecovered, MetadataEvent{Since: s.failedAt, Failures: s.failing,
			Message: fmt.Sprintf("the metadata was read again, after %d looks that failed", s.failing)}))
	}
	s.failure, s.failedAt, s.failing = nil, time.Time{}, 0
	wait := refresh.Wait(now, s.config.Interval, found.idp.cache, found.idp.validUntil)
	if kind == lookForKey {
		s.schedule.ExtraSucceeded(now, wait, rand.Float64())
	} else {
		s.schedule.Succeeded(now, wait, rand.Float64())
	}
	if before != nil && before.idp != found.idp {
		events = append(events, s.changes(before.idp, found.idp)...)
	}
	return events
}

// fail notes a failure. s.mu is held.
func (s *MetadataSource) fail(now time.Time, failure *lookFailure, kind lookKind) []Event {
	if wait := refresh.RetryAfter(failure.retry, now); wait > 0 {
		s.schedule.Refuse(now, wait)
	}
	if kind != lookForKey {
		s.schedule.Failed(now, s.current.Load() != nil, rand.Float64())
	}
	if s.failing++; s.failing == 1 {
		s.failedAt = now
	}
	s.failure = failure.Error
	return []Event{s.event(failure.kind, MetadataEvent{Since: s.failedAt, Failures: s.failing, Err: failure.Error,
		Message: failure.Message})}
}

// after returns what was found as it follows on what was kept: the same settings if it says the same,
// and otherwise new ones that know which keys were trusted a moment ago.
func (k *keptMetadata) after(before *keptMetadata, pinned bool, now time.Time) *keptMetadata {
	if !pinned {
		k.created = time.Time{}
	}
	if before == nil || before.idp == k.idp {
		return k
	}
	if before.created.After(k.created) {
		k.created = before.created
	}
	if k.idp.saysTheSame(before.idp) {
		k.idp, k.since = before.idp, before.since
		return k
	}
	k.idp.removed = removedKeys(before.idp, k.idp, now)
	return k
}

// earlier returns the earlier one. A document that says that it was made in the future must not keep
// out those that are made until then.
func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// removedFor is how long a key that was removed is remembered: as long as a login that began before
// can be finished.
const removedFor = pendingLifetime

// A removedKey was trusted until a moment ago. It verifies nothing; it only explains a refusal.
type removedKey struct {
	TrustedKey
	at time.Time
}

func removedKeys(before, after *IdentityProvider, now time.Time) []removedKey {
	var list []removedKey
	for _, k := range before.usableKeys {
		if !after.trusts(k) {
			list = append(list, removedKey{k, now})
		}
	}
	for _, k := range before.removed {
		if !after.trusts(k.TrustedKey) && now.Sub(k.at) < removedFor && len(list) < maxKeys {
			list = append(list, k)
		}
	}
	return list
}

// trusts reports whether p trusts a key, in whatever certificate.
func (p *IdentityProvider) trusts(k TrustedKey) bool {
	return slices.ContainsFunc(p.usableKeys, func(o TrustedKey) bool { return certs.SameKey(o.public, k.public) })
}

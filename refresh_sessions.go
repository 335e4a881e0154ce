package saml

import (
	"cmp"
	"context"
	"slices"
	"time"
)

const (
	// looksWithoutKey is in how many looks by plan, one after the other, a key must be missing before
	// its sessions end: servers behind one name may not agree.
	looksWithoutKey = 2
	maxMissing      = 4 * maxKeys // of which more are forgotten: nobody rolls so many keys in two looks
	endTimeout      = 5 * time.Second
	endRetry        = time.Minute
)

// A missingKey is a key that was trusted once, and that the documents since then do not have. Its
// sessions have not ended yet.
type missingKey struct {
	Key   KeyID  `json:"key"`
	Name  string `json:"name"`  // of its certificate, for events
	Looks int    `json:"looks"` // by plan that did not find it, one after the other
}

// missingAfter returns the keys that are missing in k: those that before had, and those that were
// missing in before. by says which kind of look brought k.
func (k *keptMetadata) missingAfter(before *keptMetadata, by lookKind) []missingKey {
	list := slices.Clone(before.missing)
	for _, old := range before.idp.usableKeys {
		list = append(list, missingKey{Key: old.ID(), Name: old.name()})
	}
	slices.SortStableFunc(list, func(a, b missingKey) int { return cmp.Compare(string(a.Key[:]), string(b.Key[:])) })
	list = slices.CompactFunc(list, func(a, b missingKey) bool { return a.Key == b.Key }) // one key in two certificates
	list = slices.DeleteFunc(list, func(m missingKey) bool { return k.idp.hasKey(m.Key) })
	list = list[:min(len(list), maxMissing)]
	if by == lookByPlan {
		for i := range list {
			list[i].Looks = min(list[i].Looks+1, looksWithoutKey)
		}
	}
	return list
}

func (p *IdentityProvider) hasKey(id KeyID) bool {
	return slices.ContainsFunc(p.usableKeys, func(k TrustedKey) bool { return k.ID() == id })
}

// endSessions ends the sessions of the keys that have been missing for long enough. If that fails,
// it is tried again in a minute, unless the key has come back.
func (s *MetadataSource) endSessions() {
	k := s.current.Load()
	if s.config.EndSessionsOfRemovedKeys == nil || k == nil || s.ctx.Err() != nil {
		return
	}
	var failed *Error
	tried := false
	for _, m := range k.missing {
		if m.Looks < looksWithoutKey {
			continue
		}
		tried = true
		if err := s.endSessionsOf(IssuerKey{s.config.Tenant, k.idp.entityID, m.Key}); !isNil(err) {
			failed = refuse(CodeStore, "the sessions of a removed key could not be ended: "+m.Name, "", "").
				advised(hintNotEnded).withCause(err)
			continue
		}
		s.forgetMissing(m.Key)
		s.tell([]Event{s.event(MetadataSessionsEnded,
			MetadataEvent{Message: "the sessions of a removed key have been ended: " + m.Name})})
	}
	s.mu.Lock()
	s.unended = failed
	s.mu.Unlock()
	if tried {
		s.save()
	}
}

const hintNotEnded = "See why the function in MetadataSourceConfig.EndSessionsOfRemovedKeys failed. " +
	"It is called again each minute, unless the key comes back."

func (s *MetadataSource) endSessionsOf(k IssuerKey) error {
	ctx, cancel := context.WithTimeout(s.ctx, endTimeout)
	defer cancel()
	return s.config.EndSessionsOfRemovedKeys(ctx, k)
}

// forgetMissing drops a key whose sessions have ended.
func (s *MetadataSource) forgetMissing(id KeyID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	again := *s.current.Load()
	again.missing = slices.DeleteFunc(slices.Clone(again.missing), func(m missingKey) bool { return m.Key == id })
	s.current.Store(&again)
}

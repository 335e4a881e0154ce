package saml

import (
	"context"
	"time"
)

// LookNow looks at the address at once, for a button on a page of an administrator. It returns nil
// if the look succeeded: what Snapshot returns is what the server has now. It asks whether that has
// changed, as looks by plan do.
//
// The look takes the place of the next one by plan, and obeys its limits: not before MinInterval is
// over since the last one began (10 seconds while there is nothing to trust), and not before a
// Retry-After of the server is over. MetadataStatus.NextLookNow says when. Until then the error has
// CodeMetadataTooSoon, and says it too. Callers at the same time share one look. The look for a key
// that is not known yet has a limit of its own, so this one delays no sign-in.
//
// The look goes on if ctx ends before it; the error has CodeMetadataUnavailable then. Any other
// error is why the look failed, as in MetadataStatus.Failure. All are *Error values.
func (s *MetadataSource) LookNow(ctx context.Context) error {
	look, refusal := s.beginLookNow()
	if refusal != nil {
		return refusal.completed(nil)
	}
	select {
	case <-look.done:
		if look.failure != nil {
			return look.failure
		}
		return nil
	case <-ctx.Done():
	case <-s.ctx.Done():
	}
	return unavailable("the look for the metadata is not over yet").withCause(context.Cause(ctx)).completed(nil)
}

// beginLookNow begins a look, or joins the one that is under way.
func (s *MetadataSource) beginLookNow() (*extraLook, *Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.tick(now)
	if l := s.asked; l != nil && !l.isOver() {
		return l, nil
	}
	switch from := s.nextLookNow(); {
	case s.ctx.Err() != nil:
		return nil, unavailable("the metadata source has ended")
	case now.Before(from):
		return nil, refuse(CodeMetadataTooSoon, "the last look for the metadata was a moment ago; the next one may be at "+
			showTime(from), "", "")
	}
	s.schedule.BeginNow(now, s.current.Load() != nil)
	s.asked = s.submit(lookNow)
	return s.asked, nil
}

// nextLookNow returns from when on LookNow may look. s.mu is held.
func (s *MetadataSource) nextLookNow() time.Time { return s.schedule.Now(s.current.Load() != nil) }

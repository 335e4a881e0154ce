package saml

import (
	"context"
	"crypto"
	"errors"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/iomete/saml/internal/certs"
	"github.com/iomete/saml/internal/dsig"
)

// A RereadingSource is an IdentityProviderSource that can look again at once. FinishLogin and Handler
// ask it to when a response is signed with a key that is not trusted, and answers a login that this
// service began. A source that wraps a MetadataSource passes Reread on, or it is never called. Its
// Snapshot may return copies of what the MetadataSource has.
type RereadingSource interface {
	IdentityProviderSource
	// Reread looks for something newer than known, if it may. If Snapshot has something else than
	// known when it returns, the response is checked once more. The error says why there is nothing
	// newer, for the administrator: when the settings were read and when the next look may be.
	Reread(ctx context.Context, known *IdentityProvider) error
}

// longestReread is how long a response waits for a look.
const longestReread = 3 * time.Second

// An extraLook is a look between those by plan, which somebody waits for.
type extraLook struct {
	done    chan struct{} // closed when the look is over
	failure *Error        // why it found nothing, nil if it succeeded; read it after done
}

// submit begins a look as soon as the limits on fetches allow it. s.mu is held.
func (s *MetadataSource) submit(kind lookKind) *extraLook {
	l := &extraLook{done: make(chan struct{})}
	s.scheduler.Extra.Submit(s.host, func() {
		defer close(l.done)
		l.failure = s.look(kind)
	})
	return l
}

// Reread looks now, because a response is signed with a key that is not trusted: the identity
// provider may have changed its key since the last look. Anyone who can begin a login can cause it,
// so it is bounded: it begins 5 minutes after the last one has ended, not before a Retry-After of the
// server is over, and is shared by all who wait. At most 100 wait in the whole process, and for one
// source as many as there are places left (50 if no other has any), each for 3 seconds. The look
// itself goes on after they have left. No cache may answer it.
//
// known is what Snapshot returned, or a copy. Anything else that did not come from a MetadataSource
// counts as what is known now.
func (s *MetadataSource) Reread(ctx context.Context, known *IdentityProvider) error {
	before := s.current.Load()
	if before == nil || known != nil && known.reading != nil && !known.isReadingOf(before.idp) {
		return nil // somebody else's look has brought something
	}
	if !s.scheduler.Waiting.Enter(&s.queue) {
		return s.nothingNewer(known, "too many sign-ins wait for a look already")
	}
	defer s.scheduler.Waiting.Leave(&s.queue)
	look, refusal := s.beginReread(known)
	if refusal != nil {
		return refusal
	}
	timer := time.NewTimer(longestReread)
	defer timer.Stop()
	select {
	case <-look.done:
	case <-timer.C:
	case <-ctx.Done():
	case <-s.ctx.Done():
	}
	if s.current.Load().idp != before.idp {
		return nil
	}
	return s.nothingNewer(known, "a look for a new key found nothing newer, or is not over yet")
}

// beginReread begins a look, or joins the one that is under way.
func (s *MetadataSource) beginReread(known *IdentityProvider) (*extraLook, *Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.tick(now)
	if l := s.waiting; l != nil && !l.isOver() {
		return l, nil
	}
	if s.ctx.Err() != nil {
		return nil, s.nothingNewer(known, "nothing looks for new metadata any more, because its source has ended")
	}
	if from, ok := s.schedule.Extra(now); !ok {
		return nil, s.nothingNewer(known, "the next look for a new key may be at "+showTime(from))
	}
	s.schedule.BeginExtra(now)
	s.waiting = s.submit(lookForKey)
	return s.waiting, nil
}

func (l *extraLook) isOver() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

func (s *MetadataSource) nothingNewer(known *IdentityProvider, why string) *Error {
	read := "never"
	if k := s.current.Load(); k != nil {
		read = showTime(k.readAt)
	}
	return refuse(CodeSignature, "the metadata was last read at "+read+"; "+why, "", "").completed(known)
}

var _ RereadingSource = (*MetadataSource)(nil)

// checkAgain checks a response once more after the settings were read again, if no trusted key made
// its signature and it answers a login that this service began. Nothing else on the way of a
// response uses the network.
func (sp *ServiceProvider) checkAgain(ctx context.Context, a *attempt, checks checkList, refused *Error) *Error {
	if !a.expect.sealed || !a.signedByUnknownKey(refused) {
		return refused
	}
	if source, ok := sp.config.IdentityProvider.(RereadingSource); ok {
		why := source.Reread(ctx, a.idp)
		idp, err := sp.snapshot(ctx)
		if err == nil && !idp.isReadingOf(a.idp) && idp.entityID == a.idp.entityID {
			a.idp = idp
			if refused = a.check(ctx, checks); refused == nil {
				return nil
			}
		}
		if !isNil(why) && a.signedByUnknownKey(refused) {
			refused = refused.advisedToo(why)
		}
	}
	return a.explainRemoved(refused)
}

// signedByUnknownKey reports whether a response may be signed with a key of the identity provider
// that is not known yet. One that names a trusted key, and is not signed with it, is none.
func (a *attempt) signedByUnknownKey(refused *Error) bool {
	switch refused.Code {
	case CodeSignature, CodeSignatureAlgorithm:
	case CodeDecryption: // every failure inside looks the same, that of the inner signature too
		if !a.message.Encrypted() || a.secret == nil {
			return false
		}
	default:
		return false
	}
	for _, s := range []dsig.Signature{a.message.ResponseSignature, a.message.AssertionSignature} {
		if s.Exists() && a.idp.trustsCertificate(s.CertificateInKeyInfo()) {
			return false
		}
	}
	return true
}

// trustsCertificate reports whether the key in a certificate is trusted. der may be nil, or no
// certificate.
func (p *IdentityProvider) trustsCertificate(der []byte) bool {
	c, problem := certs.Parse(certs.FirstOf(der))
	return problem == nil && p.trusts(TrustedKey{public: c.Key})
}

// explainRemoved says so if a key signed that was trusted until a moment ago. It changes what the
// refusal says, and nothing else.
func (a *attempt) explainRemoved(refused *Error) *Error {
	var keys []crypto.PublicKey
	for _, k := range a.idp.removed {
		if a.now.Sub(k.at) < removedFor {
			keys = append(keys, k.public)
		}
	}
	if len(keys) == 0 || refused.Code != CodeSignature || a.message.Encrypted() {
		return refused
	}
	if _, err := a.message.Verify(keys, a.policy.signaturePolicy(), nil); err != nil {
		return refused
	}
	explained := refuse(CodeKeyRemoved, "the signature was made with a key "+
		"that the identity provider removed from its metadata a moment ago", "", refused.Want)
	return a.refused(stepSignature, explained)
}

// advisedToo returns e with what an error of this package says behind the hint. The text of other
// errors may be personal.
func (e *Error) advisedToo(why error) *Error {
	var more *Error
	if !errors.As(why, &more) || more == nil || more.Message == "" {
		return e
	}
	own := *e
	first, size := utf8.DecodeRuneInString(more.Message)
	own.Hint = strings.TrimPrefix(own.Hint+" "+string(unicode.ToUpper(first))+more.Message[size:]+".", " ")
	return &own
}

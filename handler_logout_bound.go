package saml

import (
	"sync"
	"time"
)

// maxLogoutsPerHour is how many sessions the LogoutRequests of one tenant may name within an hour at
// one Handler: each leads to writes, and each user can make the identity provider send some. A
// request without SessionIndex counts as one. Unsigned requests have the same bound for themselves:
// anybody can send them, and nobody must use up what those of the identity provider need.
const maxLogoutsPerHour = 100_000

// A logoutLimit counts the sessions that authentic LogoutRequests name. The hours are those of the
// process, and begin anew for all tenants at once, so that nothing is kept of old ones.
type logoutLimit struct {
	most int // maxLogoutsPerHour, less in tests

	mu      sync.Mutex
	since   time.Time
	sources map[logoutSource]*namedLogouts
}

// A logoutSource is who sends LogoutRequests: the identity provider of a tenant, or anybody.
type logoutSource struct {
	tenant   string
	unsigned bool
}

type namedLogouts struct {
	named int
	// seen has the requests of the hour, by their digests, and whether their sessions have ended.
	// One that comes again is not counted again, so a user who repeats their own cannot take the place of
	// others. It costs no more than its signature if its sessions have ended, and else it is tried again.
	seen map[[16]byte]bool
}

func newLogoutLimit() *logoutLimit { return &logoutLimit{most: maxLogoutsPerHour} }

// admit reports whether a request may end the sessions that it names, and counts them if so. done
// reports that they have ended already.
func (l *logoutLimit) admit(tenant string, request *logoutRequest, now time.Time) (done, admitted bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if d := now.Sub(l.since); d >= time.Hour || d < 0 {
		l.since, l.sources = now, map[logoutSource]*namedLogouts{}
	}
	source := logoutSource{tenant, request.Unsigned}
	s := l.sources[source]
	if s == nil {
		s = &namedLogouts{seen: map[[16]byte]bool{}}
		l.sources[source] = s
	}
	if done, again := s.seen[request.digest]; again {
		return done, true
	}
	n := min(max(len(request.Indexes), 1), maxLogoutIndexes) // one with more is refused later
	if s.named+n > l.most {
		return false, false
	}
	s.named += n
	s.seen[request.digest] = false
	return false, true
}

// ended notes that the sessions of an admitted request have ended.
func (l *logoutLimit) ended(tenant string, request *logoutRequest) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.sources[logoutSource{tenant, request.Unsigned}]
	if s == nil {
		return
	}
	if _, counted := s.seen[request.digest]; counted { // not if an hour has begun in between
		s.seen[request.digest] = true
	}
}

package saml

import (
	"hash/maphash"
	"strings"
	"sync"
	"time"
)

// maxLogoutsPerHour is how many sessions the LogoutRequests of one tenant may name within an hour at
// one Handler: each leads to writes, and each user can make the identity provider send some. A
// request without SessionIndex counts as one.
const maxLogoutsPerHour = 100_000

// A logoutLimit counts the sessions that accepted LogoutRequests name. The hours are those of the
// process, and begin anew for all tenants at once, so that nothing is kept of old ones.
type logoutLimit struct {
	most int // maxLogoutsPerHour, less in tests

	mu      sync.Mutex
	since   time.Time
	tenants map[string]*tenantLogouts
	seed    maphash.Seed
}

type tenantLogouts struct {
	named int
	// seen has the requests of the hour, by all that they say. One that comes again writes what it wrote
	// before, so a user who repeats their own cannot take the place of others.
	seen map[uint64]struct{}
}

func newLogoutLimit() *logoutLimit {
	return &logoutLimit{most: maxLogoutsPerHour, seed: maphash.MakeSeed()}
}

// admit reports whether a tenant may end the sessions that a request names, and counts them if so.
func (l *logoutLimit) admit(tenant string, request *logoutRequest, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if d := now.Sub(l.since); d >= time.Hour || d < 0 {
		l.since, l.tenants = now, map[string]*tenantLogouts{}
	}
	t := l.tenants[tenant]
	if t == nil {
		t = &tenantLogouts{seen: map[uint64]struct{}{}}
		l.tenants[tenant] = t
	}
	key := maphash.String(l.seed, request.text())
	if _, again := t.seen[key]; again {
		return true
	}
	n := max(len(request.Indexes), 1)
	if t.named+n > l.most {
		return false
	}
	t.named += n
	t.seen[key] = struct{}{}
	return true
}

// text is all of a request that decides which sessions end: two with one ID may name others. No part of
// it can have the character between them.
func (r *logoutRequest) text() string {
	n := r.NameID
	return strings.Join(append([]string{r.Issuer, r.ID, r.IssueInstant.String(), n.Value, n.NameQualifier,
		n.SPNameQualifier}, r.Indexes...), "\x00")
}

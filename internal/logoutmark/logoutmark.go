// Package logoutmark says which sessions a LogoutRequest of the identity provider names, by the keys
// of marks that all replicas share. An accepted request raises marks, and a session looks some up:
// the request names the session exactly if they have a key in common.
//
// A mark is a time, the IssueInstant of the request. A session that it names has ended if the
// assertion of its sign-in was not issued later. Both times are by the identity provider's clock, so
// order, delay and repetition of messages make no difference, and neither do our clocks. A mark "this
// SessionIndex is ended" would be wrong: some providers repeat an index for later sign-ins, and SAML
// recommends small numbers that users share (SAML Core 2.0 §2.7.2).
package logoutmark

import (
	"slices"
	"strings"
	"time"

	"github.com/iomete/saml/internal/storekey"
)

// A Service is where a NameID means one user. The same text names somebody else for another tenant,
// another entity ID of ours or another identity provider.
type Service struct{ Tenant, EntityID, Issuer string }

// A NameID is the name of a user without its Format, which does not count. An empty qualifier is an
// absent one.
type NameID struct{ Value, NameQualifier, SPNameQualifier string }

// A Request is what a LogoutRequest says about the sessions that are to end.
type Request struct {
	NameID  NameID
	Indexes []string // SessionIndexes; none: all sessions of the NameID (SAML Core 2.0 §3.7.3.1)
}

// A Session is what a sign-in says about the session that it began.
type Session struct {
	NameID NameID
	// Email says that the NameID is an e-mail address, by its Format or by the policy of the service.
	// Then the case of ASCII letters does not count.
	Email bool
	// Indexes are the SessionIndexes of the AuthnStatements, without empty ones.
	Indexes []string
	// AssertionID is the ID of the assertion. Entra and AD FS have it as SessionIndex too: such an index
	// is unique, so it names the session whatever the NameID of a request is.
	AssertionID string
}

// Keys returns the keys of the marks that an accepted request raises, each once. With one SessionIndex
// and no qualifier they are three, or five for an e-mail address. Each qualifier doubles those that
// are about the name, and n SessionIndexes lead to at most 9n+8 keys.
func (r Request) Keys(at Service) []string {
	names := []name{exact(r.NameID)}
	if isEmail(r.NameID.Value) {
		names = append(names, folded(r.NameID))
	}
	indexes := compared(r.Indexes)
	var keys []string
	for _, n := range names {
		for _, q := range raised(part(n.NameQualifier)...) {
			for _, s := range raised(part(n.SPNameQualifier)...) {
				for _, i := range raised(indexes...) {
					keys = append(keys, at.key(n.kind, n.Value, q, s, i))
				}
			}
		}
	}
	for _, i := range indexes {
		keys = append(keys, at.key(kindIndex, i))
	}
	return keys
}

// Keys returns the keys of the marks that can end the session, each once: eight or nine with one
// SessionIndex, and four more for each other one.
func (s Session) Keys(at Service) []string {
	n := exact(s.NameID)
	if s.Email && isEmail(s.NameID.Value) {
		n = folded(s.NameID)
	}
	indexes := compared(s.Indexes)
	var keys []string
	for _, q := range lookedUp(part(n.NameQualifier)...) {
		for _, sp := range lookedUp(part(n.SPNameQualifier)...) {
			for _, i := range lookedUp(indexes...) {
				keys = append(keys, at.key(n.kind, n.Value, q, sp, i))
			}
		}
	}
	if slices.Contains(indexes, s.AssertionID) {
		keys = append(keys, at.key(kindIndex, s.AssertionID))
	}
	return keys
}

// A Pair is about one NameID value with one SessionIndex, both exactly as they are written. Anybody can
// send a LogoutRequest without a signature, so it reaches only sessions by pairs that their own sign-ins
// have claimed, and by marks of its own.
type Pair struct {
	Claim string // key that the sign-in raises
	Mark  string // key that the unsigned request raises, and that the session looks up
}

// Pairs returns the pairs of a NameID with each SessionIndex, each once.
func Pairs(at Service, value string, indexes []string) []Pair {
	var pairs []Pair
	for _, i := range slices.Compact(slices.Sorted(slices.Values(indexes))) {
		pairs = append(pairs, Pair{at.key(kindClaimed, value, i), at.key(kindUnsigned, value, i)})
	}
	return pairs
}

// HasEnded reports whether a session whose assertion was issued at this time is ended by a mark. Both
// times are taken in whole seconds, which is what some providers write.
func HasEnded(issued, mark time.Time) bool { return issued.Unix() <= mark.Unix() }

// Lifetime returns how long a mark must be kept: as long as a session that it ends can last, or as an
// assertion from before the request can begin one, whichever is longer. skew is what our clock and
// that of the identity provider may differ by.
func Lifetime(session, assertion, skew time.Duration) time.Duration {
	return max(session, assertion) + 2*skew + 10*time.Minute
}

// The kinds of keys. They are part of the keys and never change.
const (
	kindExact  = "name"
	kindFolded = "name in any case"
	kindIndex  = "index"

	kindClaimed  = "claimed pair"
	kindUnsigned = "unsigned pair"
)

// A part that a request or a session may lack (a qualifier, the SessionIndex) is one of these in a
// key. What one side lacks matches everything on the other side.
const (
	equal   = "="       // and the value behind it
	absent  = "absent"  // raised by requests without the part, looked up by all sessions
	present = "present" // raised by requests with the part, looked up by sessions without it
)

// raised returns the forms of a part of a request. No values: the request lacks it.
func raised(values ...string) []string {
	if len(values) == 0 {
		return []string{absent}
	}
	return append(equals(values), present)
}

// lookedUp returns the forms of a part of a session. No values: the session lacks it.
func lookedUp(values ...string) []string {
	if len(values) == 0 {
		return []string{absent, present}
	}
	return append(equals(values), absent)
}

func equals(values []string) (list []string) {
	for _, v := range values {
		list = append(list, equal+v)
	}
	return list
}

// part returns a qualifier as the values of a part.
func part(qualifier string) []string {
	if qualifier == "" {
		return nil
	}
	return []string{qualifier}
}

// compared returns the indexes as they are compared, each once: without the white space around them,
// which a pretty-printer adds to an element and not to the attribute of a sign-in.
func compared(indexes []string) (list []string) {
	for _, i := range indexes {
		list = append(list, strings.Trim(i, " \t\r\n"))
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// A name is a NameID as it is compared.
type name struct {
	kind string
	NameID
}

func exact(n NameID) name { return name{kindExact, n} }

func folded(n NameID) name {
	n.Value = strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r - 'A' + 'a'
		}
		return r
	}, n.Value)
	return name{kindFolded, n}
}

// isEmail reports whether a NameID looks like an e-mail address. Its case does not decide that.
func isEmail(value string) bool {
	local, domain, ok := strings.Cut(value, "@")
	return ok && local != "" && domain != "" && !strings.Contains(domain, "@")
}

func (s Service) key(kind string, parts ...string) string {
	return storekey.OfTenant(storekey.Logout, s.Tenant, append([]string{s.EntityID, s.Issuer, kind}, parts...)...)
}

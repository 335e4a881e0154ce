package session

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/iomete/saml"
	"github.com/iomete/saml/internal/address"
	"github.com/iomete/saml/internal/seal"
)

const (
	// maxHeader is the maximum length of the header field that sets the cookie, in bytes, with the
	// name of the field and the end of the line. nginx accepts 4 KiB of headers in a response
	// (proxy_buffer_size), and the application needs most of them. Groups, roles and display texts
	// never make the field longer.
	maxHeader = 1 << 10

	// maxCookie is the maximum length of the cookie's value in bytes. Browsers accept 4 KiB
	// (RFC 6265, section 6.1), including name and attributes. Only long texts that identify the user,
	// the tenant or the identity provider make a cookie longer than maxHeader allows.
	maxCookie = 3800
)

// newID returns 128 random bits as a GUID, which takes little room in the cookie.
func newID() string {
	var id [16]byte
	rand.Read(id[:]) // never fails
	return formatGUID(id[:])
}

// A service stands for our own entity ID. With it, the cookie of another service that has the same
// keys, tenant and identity provider is not accepted here. Only administrators of the services
// choose entity IDs, so a short digest is enough to tell them apart.
type service [8]byte

func serviceOf(entityID string) (s service) {
	digest := sha256.Sum256([]byte(entityID))
	copy(s[:], digest[:])
	return s
}

// services remembers the service of an entity ID: nearly always all providers of a Manager have one
// entity ID, and each request asks for it.
type services struct{ last atomic.Pointer[serviceName] }

type serviceName struct {
	entityID string
	service  service
}

// of is serviceOf.
func (l *services) of(entityID string) service {
	if last := l.last.Load(); last != nil && last.entityID == entityID {
		return last.service
	}
	s := serviceOf(entityID)
	l.last.Store(&serviceName{entityID, s})
	return s
}

// text returns s in place of the entity ID, for keys and seals.
func (s service) text() string { return string(s[:]) }

const hostPrefix = "__Host-" // browsers keep such a cookie for one host, from https alone

func isHostCookie(name string) bool { return strings.HasPrefix(name, hostPrefix) }

// onLoopback reports whether the service is on http at a loopback address, where saml.New needs no
// option either.
func onLoopback(sp *saml.ServiceProvider) bool {
	u, err := url.Parse(sp.RedirectURL())
	return err == nil && u.Scheme == "http" && address.IsLoopback(u.Hostname())
}

// cookieNames returns the names for the cookies of all keys, without prefix. The default names are
// made from the keys: services of one host have keys of their own, so none takes the cookie of
// another for its own, or overwrites it.
func cookieNames(c Config) []string {
	if c.Cookie != "" {
		return []string{c.Cookie}
	}
	var names []string
	for _, key := range c.Keys {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte("saml session cookie name"))
		names = append(names, defaultCookie+hex.EncodeToString(mac.Sum(nil)[:6]))
	}
	return names
}

// cookieName returns the full name for the cookie of a session, on https or not.
func (m *Manager) cookieName(https bool) string {
	if m.config.InsecureAllowHTTP || !https {
		return m.cookies[0]
	}
	return hostPrefix + m.cookies[0]
}

// fullNames returns the names that the cookie of a session may have in a request. Those without the
// prefix come last: they count on a loopback address only, which fits looks at.
func fullNames(cookies []string, http bool) []string {
	if http {
		return cookies
	}
	names := make([]string, 0, 2*len(cookies))
	for _, name := range cookies {
		names = append(names, hostPrefix+name)
	}
	return append(names, cookies...)
}

// forget deletes the session's cookies of r, apart from the one named kept.
func (m *Manager) forget(w http.ResponseWriter, r *http.Request, kept string) {
	for _, name := range m.names {
		if name != kept && len(cookiesNamed(r, name)) > 0 {
			http.SetCookie(w, m.newCookie(name, "", -1))
		}
	}
}

func (m *Manager) newCookie(name, value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name:     name,
		Value:    value,
		Path:     "/",
		MaxAge:   maxAge,
		Secure:   isHostCookie(name),
		HttpOnly: true,
		SameSite: m.sameSite(name),
	}
}

// sameSite returns the SameSite of a cookie. Browsers drop one with None that is not Secure.
func (m *Manager) sameSite(name string) http.SameSite {
	if m.config.AllowInForeignFrames && isHostCookie(name) {
		return http.SameSiteNoneMode
	}
	return http.SameSiteLaxMode
}

var tenantText = base64.RawURLEncoding.Strict()

// context binds the seal to the cookie's name and to the tenant, which stands in front of the seal
// in clear.
func (m *Manager) context(name, tenant string) seal.Context {
	return seal.Context{Purpose: purpose, Name: name, Tenant: tenant}
}

// room returns the maximum length of the value of the session's cookie that maxHeader allows.
func (m *Manager) room(s *Session) int {
	empty := m.newCookie(s.cookie, "", m.maxAge(m.config.Lifetime))
	return maxHeader - len("Set-Cookie: \r\n") - len(empty.String())
}

// write sets the session's cookie. What does not fit goes into a new record. Without Config.Records,
// write cuts s to what fits. On error s is unchanged.
func (m *Manager) write(ctx context.Context, w http.ResponseWriter, s *Session) error {
	value, err := m.value(ctx, s)
	if err != nil {
		return err
	}
	http.SetCookie(w, m.newCookie(s.cookie, value, m.maxAge(s.ExpiresAt.Sub(m.config.Now()))))
	return nil
}

// maxAge returns the Max-Age, in seconds, of the cookie of a session that lasts for left.
func (m *Manager) maxAge(left time.Duration) int { return int((left + m.afterlife()) / time.Second) }

// value returns the cookie's value, see write.
func (m *Manager) value(ctx context.Context, s *Session) (string, error) {
	value := m.seal(s)
	if s.record != "" || len(value) <= m.room(s) && len(s.SessionIndexes) <= maxCookieIndexes {
		return value, nil
	}
	if m.config.Records == nil {
		return m.fit(s)
	}
	if err := m.saveRecord(ctx, s); err != nil {
		return "", err
	}
	return m.seal(s), nil
}

// How much of a display text is kept, in bytes. longText is enough for any real text. shortText
// leaves only its beginning.
const (
	longText  = 128
	shortText = 16
)

// fit returns the cookie's value. If not everything fits, it first cuts long display texts, because
// nothing is decided by them. Then it leaves out the last groups, then more of the texts, the last
// roles, and at last the last attributes, which the application chose. The flags of the session say
// so. The Identity of the login is unchanged.
func (m *Manager) fit(s *Session) (string, error) {
	value, room := m.seal(s), m.room(s)
	if len(value) <= room {
		return value, nil
	}
	var short Session
	fits := false
	for _, limit := range []int{longText, shortText} {
		short = *s
		identity := *s.Identity
		short.Identity = &identity
		short.cutTexts(limit)
		if fits = keepFirst(m, &short, &identity.Groups, &short.GroupsTruncated, room); fits {
			break
		}
	}
	if !fits && !keepFirst(m, &short, &short.Identity.Roles, &short.RolesTruncated, room) {
		keepFirst(m, &short, &short.Attributes, &short.AttributesTruncated, room)
	}
	// What is left may exceed the room: nobody is locked out for a long address.
	if value = m.seal(&short); len(value) > maxCookie {
		return "", tooLong(s)
	}
	if short.GroupsTruncated || short.RolesTruncated || short.AttributesTruncated || short.TextsTruncated {
		m.warnOfCut(s, &short)
	}
	*s = short
	return value, nil
}

// warnOfCut says once what Config.Records is for.
func (m *Manager) warnOfCut(s, short *Session) {
	m.cutOnce.Do(func() {
		m.config.Logger.Warn("session: a user does not fit into the cookie, so groups, roles, attributes or long "+
			"texts were left out and the flags of the Session say so: set session.Config.Records, "+
			"which keeps them on the server. This is logged once",
			"groups", len(s.Identity.Groups), "groups_kept", len(short.Identity.Groups),
			"roles", len(s.Identity.Roles), "roles_kept", len(short.Identity.Roles))
	})
}

// keepFirst cuts list, a list of s, to as many of its first members as the room allows, and reports
// whether the session fits now.
func keepFirst[L ~[]E, E any](m *Manager, s *Session, list *L, truncated *bool, room int) bool {
	all, before := *list, *truncated
	fits := func(n int) bool {
		*list, *truncated = all[:n], before || n < len(all)
		return len(m.seal(s)) <= room
	}
	n := sort.Search(len(all)+1, func(n int) bool { return !fits(n) }) - 1
	return fits(max(n, 0))
}

// cutTexts cuts the display texts. The texts that identify users, accounts and services stay whole.
// The mark at the end prevents that a cut text is mistaken for a different, whole one. A long
// SessionIndex is removed, because a part of it identifies nothing.
func (s *Session) cutTexts(limit int) {
	i := s.Identity
	for _, text := range []*string{
		&i.Name,
		&i.GivenName,
		&i.Surname,
		&i.Username,
		&i.EmailClaim,
		&i.HomeIdentityProvider,
	} {
		if len(*text) > limit {
			*text = cut(*text, limit)
			s.TextsTruncated = true
		}
	}
	if isLong := func(index string) bool { return len(index) > limit }; slices.ContainsFunc(s.SessionIndexes, isLong) {
		s.ownIndex = s.ownIndex && !isLong(s.SessionIndexes[0])
		s.SessionIndexes = slices.DeleteFunc(slices.Clone(s.SessionIndexes), isLong)
		s.TextsTruncated = true
	}
}

const mark = "…"

// cut returns the beginning of a text in whole characters, with the mark at its end: at most limit
// bytes.
func cut(text string, limit int) string {
	end := limit - len(mark)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + mark
}

// tooLong returns the refusal of a session that cannot be cut to fit. It names lengths only,
// because the values are personal.
func tooLong(s *Session) error {
	i := s.Identity
	return &saml.Error{
		Code:    saml.CodeSession,
		Message: "the session does not fit into a cookie, even without groups, roles, attributes and display texts",
		Got: fmt.Sprintf("lengths in bytes: %d Identity.Email, %d NameID, %d Identity.ObjectID, %d Identity.TenantID, "+
			"%d entity ID of the identity provider, %d Config.Tenant, %d Stamp",
			len(i.Email), len(s.nameID.Value), len(i.ObjectID), len(i.TenantID), len(s.IdentityProvider), len(s.Tenant), len(s.Stamp)),
		Want: fmt.Sprintf("a cookie of at most %d characters", maxCookie),
		Hint: "Shorten the longest of these. Identity.Email, NameID, ObjectID and TenantID come in the response: " +
			"change them at the identity provider. Config.Tenant and session.Config.Stamp are set in this service.",
	}
}

func (m *Manager) seal(s *Session) string {
	return tenantText.EncodeToString([]byte(s.Tenant)) + "." +
		m.sealer.Seal(m.context(s.cookie, s.Tenant), s.plaintext())
}

// open returns the session of a request, if it has one that has not expired. While keys change there
// may be several: the latest sign-in counts. If the session is in a record, its Identity is nil until
// check has read the record.
func (m *Manager) open(r *http.Request) (latest *Session, ok bool) {
	for _, name := range m.names {
		s, ok := m.openCookie(r, name)
		if !ok {
			continue
		}
		if latest == nil || s.StartedAt.After(latest.StartedAt) {
			latest = s
		}
	}
	return latest, latest != nil
}

func (m *Manager) openAll(r *http.Request) (list []*Session) {
	for _, name := range m.names {
		if s, ok := m.openCookie(r, name); ok {
			list = append(list, s)
		}
	}
	return list
}

// noticeForeign warns once about a cookie that has the name of ours and is no session here: its user
// has to sign in again, and does not know why.
func (m *Manager) noticeForeign(ctx context.Context) {
	m.foreignOnce.Do(func() {
		m.config.Logger.WarnContext(ctx, "session: a cookie has the name of this service's sessions and is none of them, so its user signs in again. This is logged once",
			"hint", "If several services share the host, give each session.Config.Keys of its own, or another session.Config.Cookie: otherwise each sign-in at one ends the session at the other. "+
				"If several processes serve this one, give all the same session.Config.Keys and saml.Config.EntityID. After a change of keys or of the entity ID it is normal.")
	})
}

func (m *Manager) openCookie(r *http.Request, name string) (*Session, bool) {
	s, ok := m.readCookie(r, name)
	if !ok || !m.config.Now().Before(m.endsAt(s)) {
		return nil, false
	}
	return s, true
}

// readCookie returns what a cookie says, also about a session that has ended by time.
func (m *Manager) readCookie(r *http.Request, name string) (*Session, bool) {
	value, ok := cookieValue(r, name)
	if !ok { // none, or an attacker planted a second one
		return nil, false
	}
	text, sealed, _ := strings.Cut(value, ".")
	tenant, err := tenantText.DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") { // the decoder skips these
		return nil, false
	}
	plaintext, ok := m.sealer.Open(m.context(name, string(tenant)), sealed)
	if !ok {
		if len(r.CookiesNamed(name)) == 1 {
			m.noticeForeign(r.Context())
		}
		return nil, false
	}
	s, err := decodeCookie(plaintext, string(tenant))
	if err != nil {
		return nil, false
	}
	s.cookie = name
	return s, true
}

// endsAt returns when s ends by time if no other request comes before.
func (m *Manager) endsAt(s *Session) time.Time {
	end := s.ExpiresAt
	for _, limit := range []time.Time{
		s.SeenAt.Add(m.config.Idle),
		s.StartedAt.Add(m.config.Lifetime), // it was longer when the session began
	} {
		if limit.Before(end) {
			end = limit
		}
	}
	return end
}

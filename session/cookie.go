package session

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"sort"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/iomete/saml"
	"github.com/iomete/saml/internal/address"
	"github.com/iomete/saml/internal/seal"
)

// maxCookie is the maximum length of the cookie's value in bytes. Browsers accept 4 KiB (RFC 6265,
// section 6.1), including name and attributes.
const maxCookie = 3800

// newID returns 128 random bits as a GUID, which takes little room in the cookie.
func newID() string {
	var id [16]byte
	rand.Read(id[:]) // never fails
	return formatGUID(id[:])
}

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
func (m *Manager) fullNames() []string {
	if m.config.InsecureAllowHTTP {
		return m.cookies
	}
	names := make([]string, 0, 2*len(m.cookies))
	for _, name := range m.cookies {
		names = append(names, hostPrefix+name)
	}
	return append(names, m.cookies...)
}

// forget deletes the session's cookies of r, apart from the one named kept.
func (m *Manager) forget(w http.ResponseWriter, r *http.Request, kept string) {
	for _, name := range m.fullNames() {
		if name != kept && len(r.CookiesNamed(name)) > 0 {
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
		SameSite: http.SameSiteLaxMode,
	}
}

var tenantText = base64.RawURLEncoding.Strict()

// context binds the seal to the cookie's name and to the tenant, which stands in front of the seal
// in clear.
func (m *Manager) context(name, tenant string) seal.Context {
	return seal.Context{Purpose: purpose, Name: name, Tenant: tenant}
}

// write sets the session's cookie. It cuts s to what fits into the cookie. On error s is unchanged.
func (m *Manager) write(w http.ResponseWriter, s *Session) error {
	value, err := m.fit(s)
	if err != nil {
		return err
	}
	http.SetCookie(w, m.newCookie(s.cookie, value, int(s.ExpiresAt.Sub(m.config.Now())/time.Second)))
	return nil
}

// How much of a display text is kept, in bytes. longText is enough for any real text. shortText
// leaves only its beginning.
const (
	longText  = 256
	shortText = 16
)

// fit returns the cookie's value. If not everything fits, it first cuts long display texts, because
// nothing is decided by them. Then it leaves out the last groups, then the last roles, then more of
// the texts. The flags of the session say so. The Identity of the login is unchanged.
func (m *Manager) fit(s *Session) (string, error) {
	value := m.seal(s)
	for _, limit := range []int{longText, shortText} {
		if len(value) <= maxCookie {
			return value, nil
		}
		short, identity := *s, *s.Identity
		short.Identity = &identity
		short.cutTexts(limit)
		if m.keepFirst(&short, &identity.Groups, &short.GroupsTruncated) ||
			m.keepFirst(&short, &identity.Roles, &short.RolesTruncated) {
			*s = short
			return m.seal(s), nil
		}
	}
	return "", tooLong(s)
}

// keepFirst cuts list, a list of s, to as many of its first members as fit, and reports whether the
// session fits now.
func (m *Manager) keepFirst(s *Session, list *[]string, truncated *bool) bool {
	all, before := *list, *truncated
	fits := func(n int) bool {
		*list, *truncated = all[:n], before || n < len(all)
		return len(m.seal(s)) <= maxCookie
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
	if len(s.SessionIndex) > limit {
		s.SessionIndex = ""
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
		Message: "the session does not fit into a cookie, even without groups, roles and display texts",
		Got: fmt.Sprintf("lengths in bytes: %d Identity.Email, %d Identity.ObjectID, %d Identity.TenantID, "+
			"%d entity ID of the identity provider, %d Config.Tenant, %d Stamp",
			len(i.Email), len(i.ObjectID), len(i.TenantID), len(s.IdentityProvider), len(s.Tenant), len(s.Stamp)),
		Want: fmt.Sprintf("a cookie of at most %d characters", maxCookie),
		Hint: "Shorten the longest of these. Identity.Email, ObjectID and TenantID are claims: " +
			"change them at the identity provider. Config.Tenant and session.Config.Stamp are set in this service.",
	}
}

func (m *Manager) seal(s *Session) string {
	return tenantText.EncodeToString([]byte(s.Tenant)) + "." + m.sealer.Seal(m.context(s.cookie, s.Tenant), encode(s))
}

// open returns the session of a request, if it has one that has not expired.
func (m *Manager) open(r *http.Request) (*Session, bool) {
	for _, name := range m.fullNames() {
		if s, ok := m.openCookie(r, name); ok {
			return s, true
		}
	}
	return nil, false
}

func (m *Manager) openCookie(r *http.Request, name string) (*Session, bool) {
	cookies := r.CookiesNamed(name)
	if len(cookies) != 1 { // none, or an attacker planted a second one
		return nil, false
	}
	text, sealed, _ := strings.Cut(cookies[0].Value, ".")
	tenant, err := tenantText.DecodeString(text)
	if err != nil {
		return nil, false
	}
	plaintext, ok := m.sealer.Open(m.context(name, string(tenant)), sealed)
	if !ok {
		return nil, false
	}
	s, err := decode(plaintext, string(tenant))
	now := m.config.Now()
	if err != nil || !now.Before(s.ExpiresAt) || now.Sub(s.SeenAt) >= m.config.Idle {
		return nil, false
	}
	s.cookie = name
	return s, true
}

package session

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"sort"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/iomete/saml"
	"github.com/iomete/saml/internal/seal"
)

// maxCookie is the most that a cookie's value may have: browsers take 4 KiB with name and attributes.
const maxCookie = 3800

// newID gives 128 random bits in a form that takes little room in the cookie.
func newID() string {
	var id [16]byte
	rand.Read(id[:]) // never fails
	return formatGUID(id[:])
}

func (m *Manager) newCookie(value string, maxAge int) *http.Cookie {
	return &http.Cookie{Name: m.cookie, Value: value, Path: "/", MaxAge: maxAge, Secure: !m.config.InsecureAllowHTTP, HttpOnly: true, SameSite: http.SameSiteLaxMode}
}

var tenantText = base64.RawURLEncoding.Strict()

// context binds the seal to the cookie and the tenant, which stands before it in clear.
func (m *Manager) context(tenant string) seal.Context {
	return seal.Context{Purpose: purpose, Name: m.cookie, Tenant: tenant}
}

// write sets the session's cookie. The session is shortened to what the cookie has; on error it stays as it was.
func (m *Manager) write(w http.ResponseWriter, s *Session) error {
	value, err := m.fit(s)
	if err != nil {
		return err
	}
	http.SetCookie(w, m.newCookie(value, int(s.ExpiresAt.Sub(m.config.Now())/time.Second)))
	return nil
}

// What is kept of a text for display, in bytes: enough for any real one, or where even that is too much, a beginning.
const (
	longText  = 256
	shortText = 16
)

// fit returns the cookie's value. Where not all fits it cuts long texts for display first, since nothing is decided by them; then it leaves
// out the last groups, then the last roles, then more of the texts. The session's flags say so. The login's own Identity stays as it is.
func (m *Manager) fit(s *Session) (string, error) {
	value := m.seal(s)
	for _, limit := range []int{longText, shortText} {
		if len(value) <= maxCookie {
			return value, nil
		}
		short, identity := *s, *s.Identity
		short.Identity = &identity
		short.cutTexts(limit)
		if m.keepFirst(&short, &identity.Groups, &short.GroupsTruncated) || m.keepFirst(&short, &identity.Roles, &short.RolesTruncated) {
			*s = short
			return m.seal(s), nil
		}
	}
	return "", tooLong(s)
}

// keepFirst leaves in list, which is one of s, as many of its first members as fit, and reports whether the session fits now.
func (m *Manager) keepFirst(s *Session, list *[]string, truncated *bool) bool {
	all, before := *list, *truncated
	fits := func(n int) bool {
		*list, *truncated = all[:n], before || n < len(all)
		return len(m.seal(s)) <= maxCookie
	}
	n := sort.Search(len(all)+1, func(n int) bool { return !fits(n) }) - 1
	return fits(max(n, 0))
}

// cutTexts cuts what is for display. What tells people, accounts and services apart stays whole. The mark at the end keeps a cut text from
// being taken for another, whole one. A part of a SessionIndex would be of no use.
func (s *Session) cutTexts(limit int) {
	i := s.Identity
	for _, text := range []*string{&i.Name, &i.GivenName, &i.Surname, &i.Username, &i.EmailClaim, &i.HomeIdentityProvider} {
		if len(*text) > limit {
			*text, s.TextsTruncated = cut(*text, limit), true
		}
	}
	if len(s.SessionIndex) > limit {
		s.SessionIndex, s.TextsTruncated = "", true
	}
}

const mark = "…"

// cut returns the beginning of a text, in whole characters and with a mark, of at most limit bytes.
func cut(text string, limit int) string {
	end := limit - len(mark)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + mark
}

// tooLong says by their lengths what cannot be cut, since the values are personal.
func tooLong(s *Session) error {
	i := s.Identity
	return &saml.Error{Code: saml.CodeSession, Message: "the session does not fit into a cookie, even without groups, roles and texts for display",
		Got: fmt.Sprintf("bytes: %d Identity.Email, %d Identity.ObjectID, %d Identity.TenantID, %d entity ID of the identity provider, %d Config.Tenant, %d Stamp",
			len(i.Email), len(i.ObjectID), len(i.TenantID), len(s.IdentityProvider), len(s.Tenant), len(s.Stamp)),
		Want: fmt.Sprintf("a cookie of at most %d characters", maxCookie),
		Hint: "Shorten the longest of these: the first three are claims that the identity provider sends, Config.Tenant is a setting of this service."}
}

func (m *Manager) seal(s *Session) string {
	return tenantText.EncodeToString([]byte(s.Tenant)) + "." + m.sealer.Seal(m.context(s.Tenant), encode(s))
}

// open reads the session of a request, if it carries one that has not run out.
func (m *Manager) open(r *http.Request) (*Session, bool) {
	cookies := r.CookiesNamed(m.cookie)
	if len(cookies) != 1 { // none, or one that somebody planted
		return nil, false
	}
	text, sealed, _ := strings.Cut(cookies[0].Value, ".")
	tenant, err := tenantText.DecodeString(text)
	if err != nil {
		return nil, false
	}
	plaintext, ok := m.sealer.Open(m.context(string(tenant)), sealed)
	if !ok {
		return nil, false
	}
	s, err := decode(plaintext, string(tenant))
	now := m.config.Now()
	if err != nil || !now.Before(s.ExpiresAt) || now.Sub(s.SeenAt) >= m.config.Idle {
		return nil, false
	}
	return s, true
}

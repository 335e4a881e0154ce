package session

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/http"
	"sort"
	"strings"
	"time"

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

// write seals the session into its cookie. Groups that do not fit are left out, the last ones first, and GroupsTruncated says so.
func (m *Manager) write(w http.ResponseWriter, s *Session) error {
	value := m.seal(s)
	if len(value) > maxCookie {
		all := s.Identity.Groups
		fit := sort.Search(len(all)+1, func(n int) bool { return len(m.seal(s.withGroups(all[:n]))) > maxCookie }) - 1
		if fit < 0 {
			return errors.New("session: the identity does not fit into a cookie even without its groups")
		}
		*s = *s.withGroups(all[:fit])
		value = m.seal(s)
	}
	http.SetCookie(w, m.newCookie(value, int(s.ExpiresAt.Sub(m.config.Now())/time.Second)))
	return nil
}

// withGroups is the session with the first of its groups alone. The login's own Identity stays as it is.
func (s *Session) withGroups(groups []string) *Session {
	identity := *s.Identity
	identity.Groups = groups
	shortened := *s
	shortened.Identity, shortened.GroupsTruncated = &identity, true
	return &shortened
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

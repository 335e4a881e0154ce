package session

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/iomete/saml/internal/seal"
)

// maxCookie is the most that a cookie's value may have: browsers take 4 KiB with name and attributes.
const maxCookie = 3800

func newID() string { return rand.Text() }

func (m *Manager) newCookie(value string, maxAge int) *http.Cookie {
	return &http.Cookie{Name: m.cookie, Value: value, Path: "/", MaxAge: maxAge, Secure: !m.config.InsecureAllowHTTP, HttpOnly: true, SameSite: http.SameSiteLaxMode}
}

var tenantText = base64.RawURLEncoding.Strict()

// context binds the seal to the cookie and the tenant, which stands before it in clear.
func (m *Manager) context(tenant string) seal.Context {
	return seal.Context{Purpose: purpose, Name: m.cookie, Tenant: tenant}
}

// write seals the session into its cookie. Groups that do not fit are left out, and GroupsTruncated says so.
func (m *Manager) write(w http.ResponseWriter, s *Session) error {
	value := m.seal(s)
	for len(value) > maxCookie && len(s.Identity.Groups) > 0 {
		// A group takes at least 17 bytes, 22 characters; taking away too few only means another round.
		less := max(1, (len(value)-maxCookie)/longestGroup(s))
		shortened := *s.Identity
		shortened.Groups = s.Identity.Groups[:max(0, len(s.Identity.Groups)-less)]
		s.Identity, s.GroupsTruncated = &shortened, true
		value = m.seal(s)
	}
	if len(value) > maxCookie {
		return errors.New("session: the identity does not fit into a cookie even without its groups")
	}
	http.SetCookie(w, m.newCookie(value, int(s.ExpiresAt.Sub(m.config.Now())/time.Second)))
	return nil
}

// longestGroup is the number of characters that the longest group takes in the cookie.
func longestGroup(s *Session) int {
	longest := 17
	for _, g := range s.Identity.Groups {
		longest = max(longest, len(g)+2)
	}
	return longest*4/3 + 1
}

func (m *Manager) seal(s *Session) string {
	return tenantText.EncodeToString([]byte(s.Tenant)) + "." + m.sealer.Seal(m.context(s.Tenant), encode(s))
}

// open reads the session of a request, if it carries one that has not run out.
func (m *Manager) open(r *http.Request) (*Session, bool) {
	value, found := "", 0
	for _, c := range r.Cookies() {
		if c.Name == m.cookie {
			value = c.Value
			found++
		}
	}
	if found != 1 { // none, or one that somebody planted
		return nil, false
	}
	text, sealed, _ := strings.Cut(value, ".")
	tenant, err := tenantText.DecodeString(text)
	if err != nil {
		return nil, false
	}
	plaintext, ok := m.sealer.Open(m.context(string(tenant)), sealed)
	if !ok {
		return nil, false
	}
	s, err := decode(plaintext)
	now := m.config.Now()
	if err != nil || s.Tenant != string(tenant) || !now.Before(s.ExpiresAt) || now.Sub(s.SeenAt) >= m.config.Idle {
		return nil, false
	}
	return s, true
}

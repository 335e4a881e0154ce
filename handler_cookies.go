package saml

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"time"
)

const (
	loginCookie  = "saml-login-"  // and 12 hex digits of the SHA-256 of the request ID
	restarted    = "saml-restart" // how often RestartUnsolicited began a login
	mostRestarts = 5
	mostTidied   = 32             // pending logins that are looked at: more than the cookies of one host can hold
	loginMaxAge  = 24 * time.Hour // beyond pendingLifetime, so that "took too long" can be told from "no cookie"
	maxPending   = 3 << 10        // bytes of all pending logins together
	restartLimit = time.Minute
)

// cookieName adds the prefix __Host- on https, so that neither a sibling host nor a page over http
// can set the cookie.
func (sp *ServiceProvider) cookieName(name string) string {
	if strings.HasPrefix(sp.redirectURL, "https:") {
		return "__Host-" + name
	}
	return name
}

func requestCookie(requestID string) string {
	sum := sha256.Sum256([]byte(requestID))
	return loginCookie + hex.EncodeToString(sum[:6])
}

func (sp *ServiceProvider) setCookie(w http.ResponseWriter, name, value string, maxAge time.Duration) {
	c := &http.Cookie{Name: sp.cookieName(name), Value: value, Path: "/", MaxAge: int(maxAge / time.Second),
		Secure: strings.HasPrefix(sp.redirectURL, "https:"), HttpOnly: true, SameSite: http.SameSiteLaxMode}
	if maxAge == 0 {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// keep puts the pending login into a cookie of its own, so that tabs do not disturb each other. If
// there are too many, the oldest are deleted: browsers send the oldest first (RFC 6265 §5.4).
func (h *Handler) keep(w http.ResponseWriter, r *http.Request, sp *ServiceProvider, request *AuthnRequest) {
	prefix := sp.cookieName(loginCookie)
	var pending []*http.Cookie
	size := len(request.State)
	for _, c := range r.Cookies() {
		if strings.HasPrefix(c.Name, prefix) {
			pending = append(pending, c)
			size += len(c.Value)
		}
	}
	for len(pending) > 0 && size > maxPending {
		sp.setCookie(w, strings.TrimPrefix(pending[0].Name, sp.cookieName("")), "", 0)
		size -= len(pending[0].Value)
		pending = pending[1:]
	}
	sp.setCookie(w, requestCookie(request.ID), request.State, loginMaxAge)
}

// clear deletes the cookies that a finished login leaves behind: its own pending login, those that
// have expired, and the count of restarts. Logins of other tabs stay.
func (h *Handler) clear(w http.ResponseWriter, r *http.Request, sp *ServiceProvider, requestID string) {
	if requestID != "" {
		sp.setCookie(w, requestCookie(requestID), "", 0)
	}
	if len(r.CookiesNamed(sp.cookieName(restarted))) > 0 {
		sp.setCookie(w, restarted, "", 0)
	}
	own, prefix, now := sp.cookieName(requestCookie(requestID)), sp.cookieName(loginCookie), sp.config.Now()
	left := mostTidied
	for _, c := range r.Cookies() {
		if c.Name == own || !strings.HasPrefix(c.Name, prefix) {
			continue
		}
		if left--; left < 0 {
			return
		}
		if _, err := openPending(sp.sealer(), sp.pendingContext(), c.Value, now, sp.skew); err != nil &&
			err.Code == CodeStateExpired {
			sp.setCookie(w, strings.TrimPrefix(c.Name, sp.cookieName("")), "", 0)
		}
	}
}

// cookie returns the value of the only cookie with this name. Two cookies of one name are a sign
// that someone planted one, and count as none.
func cookie(r *http.Request, name string) string {
	value, n := "", 0
	for _, c := range r.Cookies() {
		if c.Name == name {
			value = c.Value
			n++
		}
	}
	if n != 1 {
		return ""
	}
	return value
}

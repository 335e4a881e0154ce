package saml

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The cookies of a Handler. Their names begin with cookiePrefix. docs/architecture.md says what they
// are for, and why there are these.
const (
	cookiePrefix = "saml-" // of a binding it is followed by its name, which is shorter than the other names
	pagesCookie  = "saml-pages"
	loopCookie   = "saml-loop"
	visitsCookie = "saml-visits"
	restarted    = "saml-restart" // how often RestartUnsolicited began a login
	mostRestarts = 5
	restartLimit = time.Minute

	// maxCookies is how many bytes all cookies of the Handler may take in a request, names included.
	maxCookies = 1500
	// loginMaxAge is beyond pendingLifetime, so that "took too long" can be told from "no cookie".
	loginMaxAge = pendingLifetime + 10*time.Minute
	// mostDeleted is how many cookies of earlier logins one answer deletes. Each takes some 90 bytes of
	// a header that proxies limit; the next login deletes more.
	mostDeleted = 8
	// maxPurpose is about what remains for the purpose of a login beside the other cookies.
	maxPurpose = 256
)

const (
	nameSize   = 3  // characters: 262,144 names, so that tabs that begin together hardly meet
	secretSize = 12 // characters: 72 bits, which nobody can guess online, and which are of no use offline
)

// A binding is what ties logins to one browser: a secret in a cookie. All logins of the browser
// share it, save those with a purpose. The value of the cookie is
//
//	secret [ "." tenant in base64url [ "." sealed purpose ] ]
type binding struct {
	name, secret string
	tenant       string // "" if the service has one tenant only
	purpose      string // sealed; "" if the binding is shared, endedPurpose if it has ended
}

// endedPurpose is in the place of the purpose if the user has signed out since: no login of the
// binding is finished any more, but an answer to a logout is. No sealed text is that short.
const endedPurpose = "-"

func (b binding) hasEnded() bool { return b.purpose == endedPurpose }

var bindingText = base64.RawURLEncoding.Strict()

func newBinding(tenant string) binding {
	var random [9]byte
	rand.Read(random[:])
	var name [3]byte
	rand.Read(name[:])
	return binding{name: bindingText.EncodeToString(name[:])[:nameSize], secret: bindingText.EncodeToString(random[:]),
		tenant: tenant}
}

func (b binding) value() string {
	value := b.secret
	if b.tenant != "" || b.purpose != "" {
		value += "." + bindingText.EncodeToString([]byte(b.tenant))
	}
	if b.purpose != "" {
		value += "." + b.purpose
	}
	return value
}

// parseBinding reads the value of a cookie. What it names is not proven: the tag of a request ID
// decides.
func parseBinding(name, value string) (binding, bool) {
	secret, rest, more := strings.Cut(value, ".")
	tenantText, purpose, _ := strings.Cut(rest, ".")
	tenant, err := bindingText.DecodeString(tenantText)
	if len(name) != nameSize || len(secret) != secretSize || err != nil || more && rest == "" {
		return binding{}, false
	}
	return binding{name: name, secret: secret, tenant: string(tenant), purpose: purpose}, true
}

// cookieName adds the prefix __Host- on https, so that neither a sibling host nor a page over http
// can set the cookie.
func (sp *ServiceProvider) cookieName(name string) string {
	if strings.HasPrefix(sp.redirectURL, "https:") {
		return "__Host-" + name
	}
	return name
}

func (sp *ServiceProvider) setCookie(w http.ResponseWriter, name, value string, maxAge time.Duration) {
	setCookie(w, strings.HasPrefix(sp.redirectURL, "https:"), sp.cookieName(name), value, maxAge)
}

func setCookie(w http.ResponseWriter, secure bool, name, value string, maxAge time.Duration) {
	c := &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: int(maxAge / time.Second),
		Secure: secure, HttpOnly: true, SameSite: http.SameSiteLaxMode}
	if maxAge == 0 {
		c.MaxAge = -1
	}
	if text := c.String(); text != "" && !slices.Contains(w.Header()["Set-Cookie"], text) { // a sign-out ends logins twice
		w.Header().Add("Set-Cookie", text)
	}
}

// deleteCookie deletes a cookie, if r has it.
func (sp *ServiceProvider) deleteCookie(w http.ResponseWriter, r *http.Request, name string) {
	if len(cookiesNamed(r, sp.cookieName(name))) > 0 {
		sp.setCookie(w, name, "", 0)
	}
}

// bind returns the binding for a login that begins: the shared one of this browser if it has one,
// else a new one. others are those that the browser has beside it.
func (h *Handler) bind(r *http.Request, sp *ServiceProvider, purpose string) (b binding, others []binding) {
	b = newBinding(sp.config.Tenant)
	shared := false
	for _, found := range sp.bindings(r) {
		if !shared && purpose == "" && found.purpose == "" && found.tenant == sp.config.Tenant {
			b, shared = found, true
			continue
		}
		others = append(others, found)
	}
	if purpose != "" {
		b.purpose = sp.sealer.Seal(sp.purposeContext(b), []byte(purpose))
	}
	return b, others
}

// keep puts the binding into its cookie. One that the browser has is set again, so that it lives as
// long as the login that begins. It makes room for it.
func (sp *ServiceProvider) keep(w http.ResponseWriter, b binding, others []binding) (room bool) {
	sp.setCookie(w, cookiePrefix+b.name, b.value(), loginMaxAge)
	return sp.makeRoom(w, b, others)
}

// makeRoom reports whether there is room for the cookie of addresses: the bindings come first,
// because tabs that have scripts keep their addresses themselves. If even the bindings take too
// much, the oldest are deleted, a few in each answer.
func (sp *ServiceProvider) makeRoom(w http.ResponseWriter, b binding, others []binding) (room bool) {
	used := sp.sizeWith(b, others)
	for _, oldest := range others[:min(len(others), mostDeleted)] {
		if used <= maxCookies {
			break
		}
		sp.setCookie(w, cookiePrefix+oldest.name, "", 0)
		used -= sp.bindingSize(oldest)
	}
	return used+pagesSize <= maxCookies
}

// crowded reports whether keep would delete others, and with them logins that are not finished.
func (sp *ServiceProvider) crowded(b binding, others []binding) bool {
	return sp.sizeWith(b, others) > maxCookies
}

// sizeWith returns how many bytes of a request the bindings take, with the counters of loops.
func (sp *ServiceProvider) sizeWith(b binding, others []binding) int {
	used := countersSize + sp.bindingSize(b)
	for _, other := range others {
		used += sp.bindingSize(other)
	}
	return used
}

// ForgetLogins ends what a browser has begun for a tenant and not finished: a response that comes
// later meets CodeStateMissing, and its page says that the user has signed out meanwhile. So nobody
// is signed in again by a tab that was at the identity provider when they signed out. Call it where
// a session ends because its user signs out, with Login.Tenant of the session, before the answer
// is written. Handler.StartLogout does it, and so does the Manager of package session.
//
// It sets cookies. Logouts that are under way, and logins of other tenants, go on.
func ForgetLogins(w http.ResponseWriter, r *http.Request, tenant string) {
	for _, prefix := range []string{"__Host-", ""} {
		browser := bindingsIn(r, prefix+cookiePrefix)
		logout, _, _ := logoutBinding(browser, tenant)
		seen, kept := 0, 0
		for _, b := range browser {
			if b.tenant != tenant {
				continue
			}
			if seen++; seen > mostForgotten {
				break
			}
			value, maxAge := "", time.Duration(0)
			if b.name == logout.name || !b.hasEnded() && kept < mostExplained {
				b.purpose = endedPurpose
				value, maxAge = b.value(), loginMaxAge
				kept++
			}
			setCookie(w, prefix != "", prefix+cookiePrefix+b.name, value, maxAge)
		}
	}
}

// mostExplained is of how many bindings ForgetLogins lets the browser know that they have ended, the
// oldest, which the latest logins use. Others, and those of earlier sign-outs, it deletes, which takes less
// of the answer. There is one, unless many tabs began logins at the same moment.
const mostExplained = 8

// mostForgotten is how many bindings ForgetLogins looks at: more than maxCookies leaves to any browser.
// Others can send thousands.
const mostForgotten = 64

// logoutBinding returns the binding of a logout that begins, after ForgetLogins: one of an earlier
// sign-out, so that there is never a second one, else that of the logins that have just ended, else
// a new one, which is not in the browser yet. others are those of browser beside it.
func logoutBinding(browser []binding, tenant string) (b binding, others []binding, isNew bool) {
	at := slices.IndexFunc(browser, func(b binding) bool { return b.tenant == tenant && b.hasEnded() })
	if at < 0 {
		at = slices.IndexFunc(browser, func(b binding) bool { return b.tenant == tenant })
	}
	if at < 0 {
		b = newBinding(tenant)
		b.purpose = endedPurpose
		return b, browser, true
	}
	b = browser[at]
	b.purpose = endedPurpose
	return b, slices.Delete(slices.Clone(browser), at, at+1), false
}

// bindingOf returns the binding of this browser that a request ID says it belongs to, from whichever
// cookie has it: the settings, which say which cookie counts, are not known yet.
func bindingOf(r *http.Request, requestID string) (binding, bool) {
	name := bindingName(requestID)
	value := cookie(r, "__Host-"+cookiePrefix+name)
	if value == "" {
		value = cookie(r, cookiePrefix+name)
	}
	return parseBinding(name, value)
}

// reads reports whether a binding is in the cookie that counts with these settings.
func (sp *ServiceProvider) reads(r *http.Request, b binding) bool {
	found, ok := parseBinding(b.name, cookie(r, sp.cookieName(cookiePrefix+b.name)))
	return ok && found == b
}

// bindings returns the bindings of this browser, the oldest first: that is how browsers send them
// (RFC 6265 §5.4).
func (sp *ServiceProvider) bindings(r *http.Request) []binding {
	return bindingsIn(r, sp.cookieName(cookiePrefix))
}

func bindingsIn(r *http.Request, prefix string) (list []binding) {
	if !mentioned(r, prefix) {
		return nil
	}
	all, count := r.Cookies(), map[string]int{} // read once: anyone can send thousands
	for _, c := range all {
		if strings.HasPrefix(c.Name, prefix) {
			count[c.Name]++
		}
	}
	for _, c := range all {
		name, ok := strings.CutPrefix(c.Name, prefix)
		if !ok || count[c.Name] != 1 { // see cookie
			continue
		}
		if b, ok := parseBinding(name, c.Value); ok {
			list = append(list, b)
		}
	}
	return list
}

func (sp *ServiceProvider) bindingSize(b binding) int {
	return len(sp.cookieName(cookiePrefix)) + nameSize + len("=; ") + len(b.value())
}

// finished changes the cookies after a login that has succeeded: the restarts are forgotten, and a
// binding for this login alone goes. The shared binding stays, because other tabs may need it: the
// Store takes each request once. So do the addresses for some minutes, for a page that is shown again
// and for tabs that are late.
func (h *Handler) finished(w http.ResponseWriter, r *http.Request, sp *ServiceProvider, l *boundLogin) {
	sp.deleteCookie(w, r, restarted)
	if l != nil && l.binding.purpose != "" {
		sp.setCookie(w, cookiePrefix+l.binding.name, "", 0)
	}
	sp.noteFinish(w, r)
	used := countersSize + pagesSize
	for _, b := range sp.bindings(r) {
		used += sp.bindingSize(b)
	}
	switch value := cookie(r, sp.cookieName(pagesCookie)); {
	case value == "":
	case used > maxCookies: // tabs that began together brought more bindings than usual
		sp.setCookie(w, pagesCookie, "", 0)
	default:
		sp.setCookie(w, pagesCookie, value, pagesAfter)
	}
}

// cookie returns the value of the only cookie with this name. Two cookies of one name are a sign
// that someone planted one, and count as none.
func cookie(r *http.Request, name string) string {
	found := cookiesNamed(r, name)
	if len(found) != 1 {
		return ""
	}
	return found[0].Value
}

// cookiesNamed is r.CookiesNamed, and reads nothing if the name is nowhere in the cookies: most of ours
// are not there most of the time.
func cookiesNamed(r *http.Request, name string) []*http.Cookie {
	if !mentioned(r, name) {
		return nil
	}
	return r.CookiesNamed(name)
}

// mentioned reports whether a text is in the cookies of r, as a name or otherwise.
func mentioned(r *http.Request, text string) bool {
	for _, line := range r.Header["Cookie"] {
		if strings.Contains(line, text) {
			return true
		}
	}
	return false
}

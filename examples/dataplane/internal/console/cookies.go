package console

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A mark is a cookie that only this console can have set: a value, the second of its making and a
// MAC. Whether somebody has one is known without the database.
type mark struct {
	name    string        // of the cookie, and purpose of the MAC
	life    time.Duration // how long it counts
	persist bool          // beyond the end of the browser
}

var (
	// adminMark holds the token of the administrator's session. It counts longer than any session
	// lives: what somebody has typed whose session has just ended is worth keeping.
	adminMark = mark{"dataplane-admin", 24 * time.Hour, false}

	// browserMark names a browser in which the administrator has signed in. Strangers who guess
	// passwords do not slow it down.
	browserMark = mark{"dataplane-browser", 365 * 24 * time.Hour, true}
)

// signedOut is the value of an adminMark after a sign-out, or after a user's sign-in, in place of
// the token: a form that is still open in another tab is not lost.
const signedOut = "-"

func (c *Console) cookieName(m mark) string {
	if c.secure {
		return "__Host-" + m.name
	}
	return m.name
}

// setMark sets the cookie, or with "" takes it away.
func (c *Console) setMark(w http.ResponseWriter, m mark, value string) {
	cookie := &http.Cookie{Name: c.cookieName(m), Path: "/", Secure: c.secure, HttpOnly: true,
		SameSite: http.SameSiteLaxMode, MaxAge: -1}
	if value != "" {
		cookie.Value = value + "." + strconv.FormatInt(c.Now().Unix(), 10)
		cookie.Value += "." + base64.RawURLEncoding.EncodeToString(m.mac(c.Keys[0], cookie.Value))
		cookie.MaxAge = 0
		if m.persist {
			cookie.MaxAge = int(m.life / time.Second)
		}
	}
	http.SetCookie(w, cookie)
}

// readMark returns the value of a cookie that this console has set, "" if there is none. Two
// cookies of one name are a sign that somebody planted one, and count as none.
func (c *Console) readMark(r *http.Request, m mark) string {
	cookies := r.CookiesNamed(c.cookieName(m))
	if len(cookies) != 1 {
		return ""
	}
	signed, sum, _ := cutLast(cookies[0].Value, ".")
	given, err := base64.RawURLEncoding.DecodeString(sum)
	if err != nil {
		return ""
	}
	value, second, _ := cutLast(signed, ".")
	for _, key := range c.Keys {
		if !hmac.Equal(m.mac(key, signed), given) {
			continue
		}
		made, err := strconv.ParseInt(second, 10, 64)
		if err != nil || c.Now().Sub(time.Unix(made, 0)) >= m.life {
			return ""
		}
		return value
	}
	return ""
}

func (m mark) mac(key []byte, signed string) []byte {
	own, err := hkdf.Key(sha256.New, key, nil, "dataplane console cookie "+m.name, sha256.Size)
	if err != nil {
		panic(err) // only for lengths that HKDF cannot make
	}
	h := hmac.New(sha256.New, own)
	h.Write([]byte(signed))
	return h.Sum(nil)
}

func cutLast(s, separator string) (before, after string, found bool) {
	i := strings.LastIndex(s, separator)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(separator):], true
}

// browserName is a name for a new browserMark.
func browserName() string { return rand.Text() }

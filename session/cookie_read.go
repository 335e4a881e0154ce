package session

import (
	"net/http"
	"strings"
)

// maxPlain is how many cookies the header may have for cookieValue to look for one by itself.
const maxPlain = 50

// cookieValue returns the value of the cookie of r with a name, if there is exactly one. It finds what
// r.CookiesNamed finds, and may also return a value with bytes that no cookie can have: such a value is
// no base64url, so nothing opens it.
//
// Each request needs this, and net/http looks at every byte of every cookie. It is asked unless the
// name is in the header once, where a browser writes it.
func cookieValue(r *http.Request, name string) (string, bool) {
	if lines := r.Header["Cookie"]; len(lines) == 1 {
		if value, ok := plainValue(lines[0], name); ok {
			return value, true
		}
	}
	cookies := cookiesNamed(r, name)
	if len(cookies) != 1 {
		return "", false
	}
	return cookies[0].Value, true
}

// plainValue returns the value of a cookie from the only line of the header. It returns false if it
// takes more care to find it, or if there is none.
func plainValue(line, name string) (string, bool) {
	before, behind, _ := strings.Cut(line, name)
	value, named := strings.CutPrefix(behind, "=")
	switch {
	case before != "" && !strings.HasSuffix(before, "; "): // perhaps a part of another name or value
		return "", false
	case !named, strings.Contains(behind, name), strings.Count(line, ";") >= maxPlain:
		return "", false
	}
	value, _, _ = strings.Cut(value, ";")
	if value == "" || value[0] == '"' || value[len(value)-1] <= ' ' { // quotes and white space around it do not count
		return "", false
	}
	return value, true
}

// cookiesNamed returns the cookies of r with a name, as r.CookiesNamed does. It reads no cookies if no
// line has the name, which is so for most names of fullNames. A name has no "-" before it, which
// could only be part of a longer one such as __Host-session.
func cookiesNamed(r *http.Request, name string) []*http.Cookie {
	for _, line := range r.Header["Cookie"] {
		for at := strings.Index(line, name); at >= 0; {
			if at == 0 || line[at-1] != '-' {
				return r.CookiesNamed(name)
			}
			next := strings.Index(line[at+1:], name)
			if next < 0 {
				break
			}
			at += 1 + next
		}
	}
	return nil
}

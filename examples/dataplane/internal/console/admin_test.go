package console_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func signInForm(password string) url.Values {
	return url.Values{"name": {adminName}, "password": {password}}
}

// TestPasswordLimit has somebody who guesses, from one address and as one who comes from many.
func TestPasswordLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	for n := range 10 {
		b.post("/sign-in", signInForm("wrong"))
		if b.last.status != http.StatusForbidden {
			t.Fatalf("try %d: got status %d, want %d", n+1, b.last.status, http.StatusForbidden)
		}
		b.wantText("problem-sign-in", "The name or the password is wrong")
	}
	b.post("/sign-in", signInForm(adminPassword))
	b.want(http.StatusTooManyRequests)
	b.wantText("problem-sign-in", "Too many wrong passwords", "quarter of an hour")
	if got := b.last.input("name"); got != adminName {
		t.Errorf("the name is lost: got %q", got)
	}
	b.post("/sign-in", url.Values{"name": {"somebody"}, "password": {"x"}})
	b.want(http.StatusTooManyRequests)
	w.advance(16 * time.Minute)
	b.post("/sign-in", signInForm(adminPassword))
	b.want(http.StatusOK)
	for range 12 { // right passwords do not count
		b.post("/sign-in", signInForm(adminPassword))
	}
	b.want(http.StatusOK)
}

// TestPasswordLimitOfAccount has guesses from everywhere: there is a limit to them too, but not where the administrator has been before.
func TestPasswordLimitOfAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for n := range 100 {
		if _, err := w.db.BeginAttempt(t.Context(), adminName, fmt.Sprint("198.51.100.", n)); err != nil {
			t.Fatal(err)
		}
	}
	b := w.browser()
	b.post("/sign-in", signInForm(adminPassword))
	b.want(http.StatusTooManyRequests)
	w.advance(16 * time.Minute)
	b.post("/sign-in", signInForm(adminPassword))
	b.want(http.StatusOK)
	for n := range 100 {
		if _, err := w.db.BeginAttempt(t.Context(), adminName, fmt.Sprint("198.51.100.", n)); err != nil {
			t.Fatal(err)
		}
	}
	b.post("/sign-in", signInForm(adminPassword))
	b.want(http.StatusOK)
}

// TestForwardedFor believes the header only where it is told to.
func TestForwardedFor(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		trusted bool
		want    int // of the eleventh try, from one address that claims to be many
	}{
		{"anybody could write it", false, http.StatusTooManyRequests},
		{"the proxy writes it", true, http.StatusForbidden},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.trust(test.trusted)
			b := w.browser()
			for n := range 11 {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.server.URL+"/sign-in", strings.NewReader(signInForm("wrong").Encode()))
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				r.Header.Set("X-Forwarded-For", "192.0.2.1, 198.51.100."+string(rune('1'+n)))
				if n > 8 {
					r.Header.Set("X-Forwarded-For", "198.51.100.20"+string(rune('0'+n-9)))
				}
				b.do(r)
			}
			b.want(test.want)
		})
	}
}

// TestChangePassword ends the other sessions of the administrator, and no password is taken that is too short.
func TestChangePassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b, other := w.admin(), w.admin()
	change := func(current, fresh, repeated string) {
		t.Helper()
		b.post("/settings/administrator", url.Values{"current": {current}, "new": {fresh}, "repeated": {repeated}})
	}
	change(adminPassword, "short", "short")
	b.want(http.StatusUnprocessableEntity)
	b.wantText("problem-new", "12 characters")
	change(adminPassword, "a long new password", "another new password")
	b.wantText("problem-new", "differ")
	change("wrong", "a long new password", "a long new password")
	b.want(http.StatusForbidden)
	b.wantText("problem-current", "not the current password")
	change(adminPassword, "a long new password", "a long new password")
	b.wantText("done", "The password is changed")

	b.get("/settings/sso")
	if b.last.url.Path != "/settings/sso" {
		t.Error("the session that changed the password has ended")
	}
	other.get("/settings/sso")
	if other.last.url.Path != "/sign-in" {
		t.Error("the other session goes on")
	}
	other.post("/sign-in", signInForm(adminPassword))
	other.want(http.StatusForbidden)
	other.post("/sign-in", signInForm("a long new password"))
	other.want(http.StatusOK)
}

// TestAdminSession ends by itself, and by sign-out for good.
func TestAdminSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	idle, busy, out := w.admin(), w.admin(), w.admin()
	kept := out.client.Jar.Cookies(mustParse(w.server.URL))
	if len(kept) != 1 || kept[0].Name != "__Host-dataplane-admin" {
		t.Fatalf("cookies: %v", kept)
	}
	out.post("/sign-out", nil)
	kept[0].Path, kept[0].Secure = "/", true
	out.client.Jar.SetCookies(mustParse(w.server.URL), kept)
	if out.get("/settings/sso"); out.last.url.Path != "/sign-in" {
		t.Error("a copy of the cookie is good after sign-out")
	}
	for range 11 {
		w.advance(time.Hour)
		if busy.get("/settings/sso"); busy.last.url.Path != "/settings/sso" {
			t.Fatal("a session in use ended early")
		}
	}
	if idle.get("/settings/sso"); idle.last.url.Path != "/sign-in" {
		t.Error("a session that nobody uses goes on for 11 hours")
	}
	w.advance(time.Hour)
	if busy.get("/settings/sso"); busy.last.url.Path != "/sign-in" {
		t.Error("a session goes on after 12 hours")
	}
}

// TestOnePerson has one browser that signs in as user and as administrator in turn.
func TestOnePerson(t *testing.T) {
	t.Parallel()
	w, b := enabled(t)
	copied := w.browser()
	for _, c := range b.client.Jar.Cookies(mustParse(w.server.URL)) {
		c.Path, c.Secure = "/", true
		copied.client.Jar.SetCookies(mustParse(w.server.URL), []*http.Cookie{c})
	}
	b.finish(b.begin(w.console.RedirectURL(), nil))
	b.want(http.StatusOK)
	if !b.signedIn() || b.last.has("nav-settings") {
		t.Error("a user's sign-in leaves the administrator signed in")
	}
	if copied.get("/settings/sso"); copied.last.url.Path != "/sign-in" {
		t.Error("a copy of the administrator's cookie is still good")
	}
	b.post("/sign-in", signInForm(adminPassword))
	if b.signedIn() || !b.last.has("nav-settings") {
		t.Error("the administrator's sign-in leaves the user signed in")
	}
}

// TestBanner warns of a certificate from 60 days before its end on every page of the administrator.
func TestBanner(t *testing.T) {
	t.Parallel()
	w, _ := enabled(t)
	const life = 3 * 365
	for _, test := range []struct {
		name string
		days int // before the end
		want string
	}{
		{"long before", 90, ""},
		{"60 days before", 58, "ends in 5"},
		{"after the end", -3, "ended on"},
	} {
		w.mu.Lock()
		w.ahead = (life - time.Duration(test.days)) * 24 * time.Hour
		w.mu.Unlock()
		b := w.admin()
		for _, path := range []string{"/", "/settings/sso", "/settings/users"} {
			shown := strings.Contains(b.get(path).body, "data-banner")
			if shown != (test.want != "") || !strings.Contains(plainText(b.last.body), test.want) {
				t.Errorf("%s, %s: a banner: %t, want %q", test.name, path, shown, test.want)
			}
		}
	}
}

// TestMetrics counts what happened.
func TestMetrics(t *testing.T) {
	t.Parallel()
	w, _ := enabled(t)
	b := w.browser()
	b.signIn("/")
	w.browser().finish(w.answerTo("_nobody"))
	text := b.get("/metrics").body
	for _, line := range []string{
		`saml_logins_total{code="",outcome="started"} 1`,
		`saml_logins_total{code="",outcome="succeeded"} 1`,
		`saml_logins_total{code="state_missing",outcome="refused"} 1`,
		`saml_test_logins_total{code="",outcome="succeeded"} 1`,
		"saml_enabled 1",
		"saml_certificate_days_left{thumbprint=",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("/metrics lacks %s", line)
		}
	}
}

// TestFlood has somebody post nonsense: it is counted, but does not fill the log.
func TestFlood(t *testing.T) {
	t.Parallel()
	w, _ := enabled(t)
	b := w.browser()
	for range 130 {
		b.post(w.console.RedirectURL(), url.Values{"SAMLResponse": {"AAAA"}, "saml_leg": {"2"}})
	}
	lines, err := w.db.SignIns(t.Context(), "", 1000)
	if err != nil || len(lines) != 120 {
		t.Errorf("got %d lines in the log and %v, want 120", len(lines), err)
	}
	if text := b.get("/metrics").body; !strings.Contains(text, `outcome="refused"} 130`) {
		t.Error("not all refusals are counted")
	}
}

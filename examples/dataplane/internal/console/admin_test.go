package console_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml/examples/dataplane/internal/console"
	"github.com/iomete/saml/examples/dataplane/internal/password"
	"github.com/iomete/saml/samltest"
)

func signInForm(password string) url.Values {
	return url.Values{"name": {adminName}, "password": {password}}
}

// TestWrongPasswords has somebody who guesses, in the same network as the administrator: it goes
// ever slower, and the right password is looked at all the same.
func TestWrongPasswords(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	for n := range 30 {
		b.post("/sign-in", signInForm("wrong"))
		if b.last.status != http.StatusForbidden {
			t.Fatalf("try %d: got status %d, want %d", n+1, b.last.status, http.StatusForbidden)
		}
	}
	b.wantText("problem-sign-in", "The name or the password is wrong")
	if got := b.last.input("name"); got != adminName {
		t.Errorf("the name is lost: got %q", got)
	}
	waits := w.waited()
	if len(waits) < 20 || waits[0] >= time.Second || waits[len(waits)-1]+waits[len(waits)-2] < time.Second {
		t.Errorf("30 wrong passwords waited %v, want ever longer", waits)
	}
	b.post("/sign-in", signInForm(adminPassword))
	b.want(http.StatusOK)
	var total time.Duration
	for _, d := range w.waited() {
		total += d
	}
	if total == 0 || total > 2*time.Second {
		t.Errorf("the right password waited %v, want at most 2 s", total)
	}

	// From now on nobody slows this browser down, and a stranger in another network is not slowed
	// down by the first.
	b.post("/sign-out", nil)
	b.post("/sign-in", signInForm(adminPassword))
	b.want(http.StatusOK)
	if waits := w.waited(); len(waits) > 0 {
		t.Errorf("a browser that the administrator has used waited %v", waits)
	}
	w.advance(16 * time.Minute)
	w.browser().post("/sign-in", signInForm("wrong"))
	if waits := w.waited(); len(waits) > 0 {
		t.Errorf("a quarter of an hour later: waited %v", waits)
	}
}

// TestWrongPasswordsOfOneBrowser: a browser that the administrator has used is slowed down for its
// own wrong passwords, by itself.
func TestWrongPasswordsOfOneBrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.admin()
	b.post("/sign-out", nil)
	for range 7 {
		b.post("/sign-in", signInForm("wrong"))
	}
	if waits := w.waited(); len(waits) == 0 {
		t.Error("seven wrong passwords in one browser waited for nothing")
	}
	w.browser().post("/sign-in", signInForm("wrong"))
	if waits := w.waited(); len(waits) > 0 {
		t.Errorf("another browser waited %v", waits)
	}
	for _, value := range []string{"x", "AAAA.1.AAAA", strings.Repeat("A", 26) + ".9999999999." +
		strings.Repeat("A", 43)} {
		forged := w.browser()
		forged.client.Jar.SetCookies(mustParse(w.server.URL),
			[]*http.Cookie{{Name: "__Host-dataplane-browser", Value: value, Path: "/", Secure: true}})
		for range 7 {
			forged.post("/sign-in", signInForm("wrong"))
		}
		if waits := w.waited(); len(waits) == 0 {
			t.Errorf("with the cookie %q, which nobody has made, seven wrong passwords waited for nothing", value)
		}
	}
}

// TestNameIsNotTold: what somebody sees who guesses does not depend on the name, after few tries or
// many.
func TestNameIsNotTold(t *testing.T) {
	t.Parallel()
	seen := func(name string) (all []string) {
		w := newWorld(t)
		for range 12 {
			b := w.browser()
			b.post("/sign-in", url.Values{"name": {name}, "password": {"wrong"}})
			all = append(all, fmt.Sprint(b.last.status, b.last.header.Get("Retry-After"),
				strings.ReplaceAll(b.last.body, `value="`+name+`"`, ""), w.waited()))
		}
		return all
	}
	right, wrong := seen(adminName), seen("somebody")
	for i := range right {
		if right[i] != wrong[i] {
			t.Errorf("the administrator's name and another differ: got\n%s\n%s", right[i], wrong[i])
		}
	}
}

// TestRenamedAdministrator starts the console with another name: who had the old one is out, in all
// browsers.
func TestRenamedAdministrator(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.admin()
	c := w.console.Config
	c.Administrator = "beate"
	if _, err := w.db.AddAdministrator(t.Context(), c.Administrator,
		password.Hash("another long password")); err != nil {
		t.Fatal(err)
	}
	var err error
	if w.console, err = console.New(c); err != nil {
		t.Fatal(err)
	}
	if b.get("/settings/sso"); b.last.url.Path != "/sign-in" {
		t.Errorf("the session of the old name goes on: %s", b.last.url)
	}
	b.post("/sign-in", signInForm(adminPassword))
	b.want(http.StatusForbidden)
	b.post("/sign-in", url.Values{"name": {"beate"}, "password": {"another long password"}})
	b.want(http.StatusOK)
}

// TestForwardedFor believes the header only where it is told to, and says so where it looks as if
// it should.
func TestForwardedFor(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		trusted bool
		slow    bool // from one address that claims to be many
		warned  int
	}{
		{"anybody could write it", false, true, 1},
		{"the proxy writes it", true, false, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			log := w.trust(test.trusted)
			try := func(b *browser, password, from string) {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.server.URL+"/sign-in",
					strings.NewReader(signInForm(password).Encode()))
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				r.Header.Set("X-Forwarded-For", "192.0.2.1, "+from)
				b.do(r)
			}
			for n := range 8 {
				try(w.browser(), "wrong", fmt.Sprint("198.51.100.", n))
			}
			if got := len(w.waited()) > 0; got != test.slow {
				t.Errorf("8 wrong passwords were slowed down: %t, want %t", got, test.slow)
			}
			if got := strings.Count(log.String(), "-trust-forwarded-for"); got != test.warned {
				t.Errorf("the log names the flag %d times, want %d:\n%s", got, test.warned, log)
			}
			b := w.browser()
			try(b, adminPassword, "203.0.113.9")
			b.want(http.StatusOK)
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.server.URL+"/settings/users", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("X-Forwarded-For", "203.0.113.9")
			b.do(r)
			b.want(http.StatusOK)
			if got := b.last.has("by-proxy"); got != (test.warned > 0) {
				t.Errorf("the administrator's page warns: %t", got)
			}
		})
	}
}

// TestChangePassword ends the other sessions of the administrator, and no password is taken that is
// too short.
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
	kept = slices.DeleteFunc(kept, func(c *http.Cookie) bool { return c.Name != "__Host-dataplane-admin" })
	if len(kept) != 1 {
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

// TestLinkEndsNoAdministrator has links and forms of other sites in the administrator's browser
// that lead to the Redirect URL: they begin no sign-in, and the administrator stays.
func TestLinkEndsNoAdministrator(t *testing.T) {
	t.Parallel()
	w, b := enabled(t)
	early := w.browser() // whose sign-in was begun before the administrator came
	answer := early.begin("/jobs", nil)
	stays := func(why string) {
		t.Helper()
		if b.signedIn() {
			t.Errorf("%s: a user is signed in", why)
		}
		if b.get("/settings/sso"); b.last.url.Path != "/settings/sso" {
			t.Fatalf("%s: the administrator is not signed in any more: %s", why, b.last.url)
		}
	}
	b.site = "cross-site"
	b.get(w.console.RedirectURL())
	b.want(http.StatusOK)
	if b.last.url.Path != "/" || b.last.url.Host != mustParse(w.server.URL).Host {
		t.Errorf("a link to the Redirect URL leads to %s, want home", b.last.url)
	}
	stays("a link")
	b.get(w.console.RedirectURL() + "?return_to=/jobs")
	stays("a link with a way back")
	b.finish(w.answer(samltest.Answer{}))
	stays("an answer that nobody asked for")
	b.finish(w.answerTo("_nobody"))
	stays("an answer to somebody else's request")
	b.site = "same-origin"

	early.post("/sign-in", signInForm(adminPassword))
	early.want(http.StatusOK)
	early.finish(answer)
	early.want(http.StatusConflict)
	early.wantText("message-text", "sign out as administrator first")
	if early.signedIn() {
		t.Error("a user is signed in beside the administrator")
	}
	if early.get("/settings/sso"); early.last.url.Path != "/settings/sso" {
		t.Errorf("an answer that came late ends the administrator's session: %s", early.last.url)
	}
}

// TestOnePerson has one browser in which a user, and then the administrator, signs in.
func TestOnePerson(t *testing.T) {
	t.Parallel()
	w, _ := enabled(t)
	b := w.browser()
	b.signIn("/")
	b.want(http.StatusOK)
	if !b.signedIn() || b.last.has("nav-settings") {
		t.Fatal("the user is not signed in")
	}
	b.post("/sign-in", signInForm(adminPassword))
	if b.signedIn() || !b.last.has("nav-settings") {
		t.Error("the administrator's sign-in leaves the user signed in")
	}
	b.post("/sign-out", nil)
	b.signIn("/")
	if !b.signedIn() || b.last.has("nav-settings") {
		t.Error("after the administrator's sign-out the user cannot sign in")
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
		{"60 days before", 58, "days left), and no other follows"},
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

// counted are the ends in the metrics, of real sign-ins and of tests.
func (b *browser) counted() (list []string) {
	b.t.Helper()
	for line := range strings.Lines(b.get("/metrics").body) {
		if strings.HasPrefix(line, "saml_logins_total{") || strings.HasPrefix(line, "saml_test_logins_total{") {
			if line = strings.TrimSpace(line); !strings.HasSuffix(line, " 0") && !strings.Contains(line, "started") {
				list = append(list, line)
			}
		}
	}
	return list
}

// TestEachLoginEndsOnce: whatever fails after a response was accepted, there is one end, in the
// metrics and in the log.
func TestEachLoginEndsOnce(t *testing.T) {
	t.Parallel()
	const (
		success     = `saml_logins_total{code="",outcome="succeeded"} 1`
		refusal     = `saml_logins_total{code="session",outcome="refused"} 1`
		test        = `saml_test_logins_total{code="",outcome="succeeded"} 1`
		testRefusal = `saml_test_logins_total{code="session",outcome="refused"} 1`
	)
	for _, row := range []struct {
		name, table string // that cannot be written
		test        bool
		want        string
	}{
		{"a sign-in", "", false, success},
		{"a sign-in without an account", "account", false, refusal},
		{"a test", "", true, test},
		{"a test whose result cannot be kept", "test_run", true, testRefusal},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			b := w.admin()
			b.save()
			b.post("/settings/sso/enable", b.version("confirm", "enable untested"))
			user := w.browser()
			begin := func() samltest.Form { return user.begin("/", nil) }
			if row.test {
				user, begin = b, func() samltest.Form { return b.begin("/settings/sso/test", b.version()) }
			}
			answer := begin()
			if row.table != "" {
				w.exec("CREATE TRIGGER a BEFORE INSERT ON " + row.table +
					" BEGIN SELECT RAISE(ABORT, 'no'); END; CREATE TRIGGER b BEFORE UPDATE ON " + row.table +
					" BEGIN SELECT RAISE(ABORT, 'no'); END")
			}
			user.finish(answer)
			if got := b.counted(); len(got) != 1 || got[0] != row.want {
				t.Errorf("the metrics have %q, want %q alone", got, row.want)
			}
			lines, err := w.db.SignIns(t.Context(), false, 10)
			stray, err2 := w.db.SignIns(t.Context(), true, 10)
			want := 1
			if row.want == test {
				want = 0 // its result is its own page
			}
			if err := errors.Join(err, err2); err != nil || len(lines) != want || len(stray) > 0 {
				t.Errorf("the log: got %+v and stray %+v, %v, want %d lines", lines, stray, err, want)
			}
		})
	}
	t.Run("a test in another browser", func(t *testing.T) {
		t.Parallel()
		w, admin := enabled(t)
		before := len(admin.counted())
		answer := w.answer(samltest.Answer{RequestID: admin.request("/settings/sso/test", admin.version())})
		other := w.browser()
		other.client.Jar.SetCookies(mustParse(w.server.URL), pendingOf(admin))
		other.finish(answer)
		if got := admin.counted(); len(got) != before+1 || !slices.Contains(got, testRefusal) {
			t.Errorf("the metrics have %q, want %q more", got, testRefusal)
		}
	})
}

// TestFlood has somebody post nonsense: it is counted, and hides nobody who was refused in earnest,
// in the log of all and on the settings page.
func TestFlood(t *testing.T) {
	t.Parallel()
	w, admin := enabled(t)
	b := w.browser()
	junk := func(n int) {
		for range n {
			b.post(w.console.RedirectURL(), url.Values{"SAMLResponse": {"AAAA"}, "saml_leg": {"2"}})
		}
	}
	refused := func() string {
		user := w.browser()
		w.idp.SignInAs(samltest.DefaultUsers()[1]) // without an e-mail address
		user.signIn("/")
		user.want(http.StatusForbidden)
		return user.last.text("message-reference")
	}
	before := refused()
	junk(130)
	during := refused()
	junk(130)
	for _, page := range []struct{ path, id string }{{"/settings/sso", "recent"}, {"/settings/sso/log", "log"}} {
		admin.get(page.path)
		admin.wantText(page.id, before, during)
		if strings.Contains(admin.last.text(page.id), "base64") || strings.Contains(admin.last.text(page.id), "xml") {
			t.Errorf("%s shows nonsense among the sign-ins:\n%s", page.path, admin.last.text(page.id))
		}
	}
	if !admin.last.has("stray") {
		t.Error("the log does not show that there was nonsense")
	}
	stray, err := w.db.SignIns(t.Context(), true, 1000)
	if err != nil || len(stray) == 0 || len(stray) > 20 {
		t.Errorf("got %d lines of nonsense and %v, want a few", len(stray), err)
	}
	admin.get("/settings/sso/log?reference=" + stray[0].Reference)
	admin.wantText("log", stray[0].Reference)
	if text := b.get("/metrics").body; !strings.Contains(text, `outcome="refused"} 260`) {
		t.Error("not all refusals are counted")
	}

	// Other addresses still have their turn, with nonsense too; that of all together is bounded.
	w.trust(true)
	for n := range 70 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.console.RedirectURL(),
			strings.NewReader("SAMLResponse=AAAA&saml_leg=2"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("X-Forwarded-For", fmt.Sprint("198.51.100.", n))
		b.do(r)
	}
	if after, err := w.db.SignIns(t.Context(), true, 1000); err != nil || len(after)-len(stray) != 60 {
		t.Errorf("70 addresses wrote %d lines and %v, want 60", len(after)-len(stray), err)
	}
}

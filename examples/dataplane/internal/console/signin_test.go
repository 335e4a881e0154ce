package console_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/examples/dataplane/internal/console"
	"github.com/iomete/saml/examples/dataplane/internal/storage"
	"github.com/iomete/saml/samltest"
)

// enabled is a world in which users sign in.
func enabled(t *testing.T) (*world, *browser) {
	t.Helper()
	w := newWorld(t)
	b := w.admin()
	b.save()
	b.test()
	b.post("/settings/sso/enable", b.version())
	b.wantText("done", "Single sign-on is enabled")
	return w, b
}

// TestUsers has each user of the identity provider end where user and administrator understand why.
func TestUsers(t *testing.T) {
	t.Parallel()
	w, admin := enabled(t)
	users := samltest.DefaultUsers()
	signIn := func(u samltest.User) *browser {
		t.Helper()
		w.idp.SignInAs(u)
		b := w.browser()
		b.signIn("/jobs")
		return b
	}

	usual := signIn(users[0])
	usual.want(http.StatusOK)
	usual.wantText("signed-in", users[0].DisplayName, users[0].Groups[0])
	if usual.last.has("more-groups") || strings.Contains(usual.last.text("signed-in"), "guest") {
		t.Errorf("got %q", usual.last.text("signed-in"))
	}

	noMail := signIn(users[1])
	noMail.want(http.StatusForbidden)
	noMail.wantText("message-title", "no usable e-mail address")
	noMail.wantText("message-text", (&saml.Error{Code: saml.CodeNameIDNotEmail}).Page().Sentence,
		"fill in the e-mail field")
	if again := w.console.RedirectURL() + "?return_to=%2Fjobs"; !strings.Contains(noMail.last.body, again) {
		t.Errorf("no link to %s: %s", again, noMail.last.body)
	}
	reference := noMail.last.text("message-reference")
	admin.get("/settings/sso/log?reference=" + reference)
	admin.wantText("log", "name_id_not_email", "user.mail", "Email field")

	guest := signIn(users[2])
	guest.want(http.StatusOK)
	guest.wantText("signed-in", users[2].Mail, "guest from live.com")

	manyGroups := signIn(users[3])
	manyGroups.want(http.StatusOK)
	manyGroups.wantText("more-groups", "more groups than the identity provider sends", "cannot be told")

	// Whoever is not assigned never comes back: the identity provider says so, and the console what
	// its number means.
	w.idp.SignInAs(users[4])
	stranger := w.browser()
	page := stranger.get("/")
	if !strings.Contains(page.body, "AADSTS50105") {
		t.Errorf("got %s", plainText(page.body))
	}
	admin.get("/settings/sso/log")
	admin.wantText("aadsts", "AADSTS50105", "assign the user")

	admin.get("/settings/users")
	admin.wantText("users", users[0].Mail, "live.com", users[3].Mail)
	if strings.Contains(admin.last.text("users"), users[4].Mail) {
		t.Error("somebody who never signed in has an account")
	}
}

// TestUserInAllGroups: with 150 groups the page still has all of them, on another replica too, and the
// cookie is small enough for every proxy.
func TestUserInAllGroups(t *testing.T) {
	t.Parallel()
	w, _ := enabled(t)
	user := samltest.DefaultUsers()[0]
	user.Groups = nil
	for i := range 150 {
		user.Groups = append(user.Groups, fmt.Sprintf("5f0c7a52-94d1-4c1e-8f57-%012x", i*i*i))
	}
	w.idp.SignInAs(user)
	b := w.browser()
	b.signIn("/jobs")
	b.want(http.StatusOK)
	b.wantText("signed-in", user.Groups[0], user.Groups[149])
	if b.last.has("more-groups") {
		t.Errorf("got %q", b.last.text("signed-in"))
	}
	address, err := url.Parse(w.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	bytes := 0
	for _, c := range b.client.Jar.Cookies(address) {
		bytes += len(c.Name + "=" + c.Value + "; ")
	}
	if bytes > 1024 {
		t.Errorf("the cookies have %d bytes, want at most 1024", bytes)
	}
	w.console = w.newConsole(w.open())
	b.get("/jobs")
	b.wantText("signed-in", user.Groups[0], user.Groups[149])
}

// TestTestOfUsers has the same users in test sign-ins.
func TestTestOfUsers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	users := samltest.DefaultUsers()
	b := w.admin()
	b.save()

	w.idp.SignInAs(users[1])
	b.test()
	b.wantText("verdict", "Failed", "name id is e-mail")
	b.wantText("failure-hint", "source attribute user.mail", "Email field")
	b.wantText("checks", "not reached")
	b.get("/settings/sso")
	b.wantText("test-state", "Failed", "name id is e-mail")

	w.idp.SignInAs(users[3])
	b.test()
	b.wantText("verdict", "Passed")
	b.wantText("more-groups", "more groups than the identity provider sends")

	w.idp.SignInAs(users[4])
	b.post("/settings/sso/test", b.version())
	if !strings.Contains(b.last.body, "AADSTS50105") {
		t.Errorf("got %s", plainText(b.last.body))
	}
	b.get("/settings/sso")
	b.wantText("test-state", "nothing has come back", "AADSTS50105", "assign the user")
	if !b.last.has("enable") {
		t.Error("a test that did not come back took the passed one away")
	}
}

// TestTestIsNoLogin posts the answer to a test where a real login is expected, and the other way
// round: nobody is signed in.
func TestTestIsNoLogin(t *testing.T) {
	t.Parallel()
	w, admin := enabled(t)
	testID := admin.request("/settings/sso/test", admin.version())
	testAnswer := w.answer(samltest.Answer{RequestID: testID})

	t.Run("a test's answer in a browser that began nothing", func(t *testing.T) {
		b := w.browser()
		b.finish(testAnswer)
		b.want(http.StatusForbidden)
		b.wantText("message-code", "state_missing")
		if b.signedIn() {
			t.Error("signed in")
		}
	})
	t.Run("a test's answer in a browser that began a login", func(t *testing.T) {
		b := w.browser()
		b.request("/", nil)
		b.finish(testAnswer)
		b.wantText("message-code", "state_missing")
		if b.signedIn() {
			t.Error("signed in")
		}
	})
	t.Run("a test's answer with the state of a login under its name", func(t *testing.T) {
		b := w.browser()
		b.request("/", nil)
		b.renamePending(admin)
		b.finish(testAnswer)
		b.wantText("message-code", "state_invalid")
		if b.signedIn() {
			t.Error("signed in")
		}
	})
	t.Run("a login's answer with the state of a test under its name", func(t *testing.T) {
		other := w.admin()
		other.request("/settings/sso/test", other.version())
		user := w.browser()
		answer := w.answer(samltest.Answer{RequestID: user.request("/", nil)})
		other.renamePending(user)
		other.finish(answer)
		other.wantText("verdict", "Failed")
		other.wantText("failure-code", "state_invalid")
		if other.signedIn() {
			t.Error("signed in")
		}
	})
	t.Run("a test that another browser began", func(t *testing.T) {
		b := w.browser()
		b.client.Jar.SetCookies(mustParse(w.server.URL), pendingOf(admin))
		b.finish(testAnswer)
		b.want(http.StatusInternalServerError)
		b.wantText("message-code", "session")
		if b.signedIn() {
			t.Error("signed in")
		}
		if test, err := w.db.LatestTest(t.Context(), w.state().Saved.ID); err != nil || test.Passed {
			t.Errorf("the test passed, or %v", err)
		}
	})
}

// pendingOf gives the pending logins of a browser.
func pendingOf(b *browser) (list []*http.Cookie) {
	for _, c := range b.client.Jar.Cookies(mustParse(b.w.server.URL)) {
		if strings.HasPrefix(c.Name, "__Host-saml-") && len(c.Name) == len("__Host-saml-xyz") {
			c.Path, c.Secure = "/", true
			list = append(list, c)
		}
	}
	return list
}

// renamePending puts the one pending login of b under the name that the one of other has.
func (b *browser) renamePending(other *browser) {
	b.t.Helper()
	own, others := pendingOf(b), pendingOf(other)
	if len(own) != 1 || len(others) != 1 {
		b.t.Fatalf("pending logins: got %d and %d, want one each", len(own), len(others))
	}
	own[0].Name = others[0].Name
	b.client.Jar.SetCookies(mustParse(b.w.server.URL), own)
}

// TestTestGoesOnWithItsOwnSettings saves other settings while a test is at the identity provider.
func TestTestGoesOnWithItsOwnSettings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.admin()
	b.save()
	answer := b.begin("/settings/sso/test", b.version())
	other := w.admin()
	other.submit("save", settingsForm{version: w.state().Version, entityID: "https://other.example/",
		loginURL: "https://other.example/login", certificate: string(w.idp.CertificatePEM())})
	other.wantText("done", "saved")
	b.finish(answer)
	b.wantText("verdict", "Passed")
	if !strings.Contains(b.last.body, "have been changed since this test") || b.last.has("enable") {
		t.Error("the page offers to enable settings that were not tested")
	}
	b.post("/settings/sso/enable", b.version())
	b.want(http.StatusUnprocessableEntity)
	b.wantText("alert", "no test sign-in has passed with exactly these settings")
}

// TestResultIsKept posts the answer to a test twice: the second time it is refused, which says
// nothing about the first.
func TestResultIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.admin()
	b.save()
	pending := func() []*http.Cookie { return pendingOf(b) }
	id := b.request("/settings/sso/test", b.version())
	kept := pending()
	answer := w.answer(samltest.Answer{RequestID: id})
	b.finish(answer)
	b.wantText("verdict", "Passed")
	b.client.Jar.SetCookies(mustParse(w.server.URL), kept)
	b.finish(answer)
	b.wantText("verdict", "Passed")
}

// TestResultIsShownInAnyBrowser has the administrator in two browsers: the settings page of each
// leads to the test that one of them ran. Nobody else sees it.
func TestResultIsShownInAnyBrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, second := w.admin(), w.admin()
	first.save()
	first.test()
	path := first.last.url.Path
	second.get("/settings/sso")
	if !strings.Contains(second.last.body, `href="`+path+`"`) {
		t.Fatalf("the settings page does not lead to %s", path)
	}
	second.get(path)
	second.want(http.StatusOK)
	second.wantText("verdict", "Passed")
	stranger := w.browser()
	if stranger.get(path); stranger.last.url.Path != "/sign-in" {
		t.Errorf("a stranger sees %s", stranger.last.url)
	}
}

// TestPendingSettings prepares a change of certificates while everybody goes on signing in.
func TestPendingSettings(t *testing.T) {
	t.Parallel()
	w, b := enabled(t)
	before := w.state().Live.Settings
	next := certificatePEM(newCertificate(t, "next", time.Now().Add(-time.Hour), time.Now().AddDate(3, 0, 0)))
	b.submit("preview", settingsForm{version: w.state().Version, entityID: w.idp.EntityID(),
		loginURL: w.idp.LoginURL(), certificate: next})
	b.wantText("preview", "new", "In use now, but not in these settings")
	b.submit("preview", settingsForm{version: w.state().Version, entityID: w.idp.EntityID(),
		loginURL: w.idp.LoginURL(), certificate: string(w.idp.CertificatePEM()) + next})
	b.wantText("preview", "in use now", "new", "the three fields")
	b.submit("save", settingsForm{version: w.state().Version, entityID: w.idp.EntityID(), loginURL: w.idp.LoginURL(),
		certificate: next})
	b.wantText("next-step", "Newer ones are saved and not in use")
	b.wantText("saved", "not in use")

	user := w.browser()
	user.signIn("/")
	user.want(http.StatusOK)
	b.test()
	b.wantText("verdict", "Failed")

	b.post("/settings/sso/discard", b.version())
	b.wantText("done", "those in use again")
	if s := w.state(); s.Pending() || !reflect.DeepEqual(s.Saved.Settings, before) {
		t.Errorf("got %+v", s)
	}
	b.post("/settings/sso/discard", b.version())
	b.want(http.StatusConflict)
}

// TestDisable ends the sessions of users, and keeps the settings; Delete forgets them.
func TestDisable(t *testing.T) {
	t.Parallel()
	w, b := enabled(t)
	user := w.browser()
	user.signIn("/")
	user.want(http.StatusOK)

	b.post("/settings/sso/disable", b.version())
	b.wantText("done", "Single sign-on is disabled")
	if s := w.state(); s.Enabled() || s.Saved == nil {
		t.Fatalf("got %+v", s)
	}
	user.get("/jobs")
	if user.last.url.Path != "/sign-in" || !user.last.has("sso-off") {
		t.Errorf("after Disable the user sees %s", user.last.url)
	}
	user.get(w.console.RedirectURL())
	user.want(http.StatusNotFound)
	user.wantText("message-code", "not_configured")

	b.post("/settings/sso/enable", b.version())
	b.wantText("done", "enabled")
	user.get("/jobs")
	user.want(http.StatusOK)
	if user.last.url.Path != "/jobs" {
		t.Errorf("the session is over: %s", user.last.url)
	}

	b.post("/settings/sso/delete", b.version("confirm", "no"))
	b.want(http.StatusUnprocessableEntity)
	b.wantText("alert", "Nothing was deleted")
	b.post("/settings/sso/delete", b.version("confirm", "delete"))
	b.wantText("done", "deleted")
	if s := w.state(); s.Enabled() || s.Saved != nil {
		t.Errorf("got %+v", s)
	}
	b.post("/settings/sso/test", b.version())
	b.want(http.StatusConflict)
	b.post("/settings/sso/enable", b.version())
	b.want(http.StatusConflict)
}

// TestReplicas has a second console on the same database, which sees a change within seconds.
func TestReplicas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.console
	second := w.newConsole(w.open())
	at := func(c http.Handler, path string) (b *browser) {
		w.console = first
		if c == second {
			w.console = second
		}
		b = w.browser()
		b.get(path)
		return b
	}
	if at(second, "/sign-in"); at(second, "/sign-in").last.has("sso-sign-in") {
		t.Fatal("enabled before Enable")
	}
	w.console = first
	admin := w.admin()
	admin.save()
	admin.test()
	admin.post("/settings/sso/enable", admin.version())
	w.advance(3 * time.Second)
	if !at(second, "/sign-in").last.has("sso-sign-in") {
		t.Error("the other replica does not see Enable after 3 seconds")
	}
	w.console = first
	user := w.browser()
	answer := user.begin("/jobs", nil)
	thief := w.browser() // has a copy of everything
	thief.client.Jar.SetCookies(mustParse(w.server.URL), pendingOf(user))
	w.console = second // the answer comes to another replica than the request
	user.finish(answer)
	user.want(http.StatusOK)
	w.console = first
	thief.finish(answer)
	thief.want(http.StatusForbidden)
	thief.wantText("message-code", "replayed")
	admin.post("/settings/sso/disable", admin.version())
	w.advance(3 * time.Second)
	if at(second, "/sign-in").last.has("sso-sign-in") {
		t.Error("the other replica does not see Disable after 3 seconds")
	}
}

// TestEndSessions ends the sessions of one user and of nobody else.
func TestEndSessions(t *testing.T) {
	t.Parallel()
	w, admin := enabled(t)
	users := samltest.DefaultUsers()
	one, other := w.browser(), w.browser()
	one.signIn("/")
	w.idp.SignInAs(users[2])
	other.signIn("/")
	other.want(http.StatusOK)
	accounts, err := w.db.Accounts(t.Context(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range accounts {
		if a.Email == users[0].Mail {
			admin.post("/settings/users/end", url.Values{"account": {a.ID}})
			admin.wantText("done", "All sessions of this user end")
		}
	}
	w.advance(11 * time.Second)
	w.idp.SignInAs(samltest.User{})
	if one.get("/jobs"); one.last.url.Host == mustParse(w.server.URL).Host {
		t.Errorf("the session goes on: %s", one.last.url)
	}
	if other.get("/jobs"); other.last.url.Path != "/jobs" {
		t.Errorf("somebody else's session ended: %s", other.last.url)
	}
	w.idp.SignInAs(users[0])
	one.signIn("/jobs")
	one.want(http.StatusOK)
}

// TestEndSessionsWithClocksApart has an administrator at a replica whose clock is two minutes ahead
// or behind: the user's sessions end all the same, and the user signs in again at once.
func TestEndSessionsWithClocksApart(t *testing.T) {
	t.Parallel()
	for name, apart := range map[string]time.Duration{"ahead": 2 * time.Minute, "behind": -2 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, admin := enabled(t)
			first := w.console
			now := func() time.Time { return w.now().Add(apart) }
			db, err := storage.OpenSQLite(t.Context(), w.file, now)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { db.Close() })
			second, err := console.New(console.Config{DB: db, BaseURL: w.server.URL, Keys: w.keys,
				Administrator: adminName, Now: now, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			before, after := w.browser(), w.browser()
			before.signIn("/jobs")
			before.want(http.StatusOK)
			accounts, err := db.Accounts(t.Context(), 1000)
			if err != nil || len(accounts) != 1 {
				t.Fatalf("got accounts %+v, %v, want one", accounts, err)
			}
			w.console = second
			admin.post("/settings/users/end", url.Values{"account": {accounts[0].ID}})
			admin.wantText("done", "All sessions of this user end")
			w.console = first
			after.signIn("/jobs")
			after.want(http.StatusOK)
			w.advance(11 * time.Second)
			w.idp.SignInAs(samltest.User{})
			for replica, c := range map[string]*console.Console{"the first replica": first,
				"the second replica": second} {
				w.console = c
				if before.get("/jobs"); before.last.url.Host == mustParse(w.server.URL).Host {
					t.Errorf("%s: the session of before goes on: %s", replica, before.last.url)
				}
				if after.get("/jobs"); after.last.url.Path != "/jobs" {
					t.Errorf("%s: the session of after has ended: %s", replica, after.last.url)
				}
			}
		})
	}
}

// TestAccounts has who gets which account.
func TestAccounts(t *testing.T) {
	t.Parallel()
	w, admin := enabled(t)
	user := samltest.DefaultUsers()[0]
	admin.post("/settings/users/add", url.Values{"email": {strings.ToUpper(user.Mail)}})
	admin.wantText("done", "expected")
	admin.post("/settings/users/add", url.Values{"email": {user.Mail}})
	admin.want(http.StatusConflict)
	admin.wantText("problem-email", "already")
	admin.post("/settings/users/add", url.Values{"email": {"nobody"}})
	admin.want(http.StatusUnprocessableEntity)

	w.browser().signIn("/")
	renamed := user
	renamed.Mail = "ioana.popescu@example.com"
	w.idp.SignInAs(renamed)
	w.browser().signIn("/")
	heir := user // who gets the address
	heir.ObjectID, heir.DisplayName = "11111111-2222-3333-4444-555555555555", "Heir"
	w.idp.SignInAs(heir)
	w.browser().signIn("/")

	accounts, err := w.db.Accounts(t.Context(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, a := range accounts {
		got[a.Email] = a.Name
	}
	want := map[string]string{renamed.Mail: user.DisplayName, user.Mail: "Heir"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("accounts: got %v, want %v", got, want)
	}
}

// TestTestSaysWhichAccount has what a test can know of the account: an address alone does not say
// who somebody is.
func TestTestSaysWhichAccount(t *testing.T) {
	t.Parallel()
	w, admin := enabled(t)
	user := samltest.DefaultUsers()[0]
	admin.test()
	admin.wantText("account", "A new account would be made", "unless this person")
	admin.post("/settings/users/add", url.Values{"email": {strings.ToUpper(user.Mail)}})
	admin.test()
	admin.wantText("account", "The account "+strings.ToUpper(user.Mail)+" is there already",
		"waits for the first sign-in")
	w.browser().signIn("/")
	heir := user // who has the address now
	heir.ObjectID = "11111111-2222-3333-4444-555555555555"
	for _, u := range []samltest.User{user, heir} {
		w.idp.SignInAs(u)
		admin.test()
		admin.wantText("account", "An account with this address exists", "only if it is the same person")
		if got := admin.last.text("account"); strings.Contains(got, "already") {
			t.Errorf("got %q, and it may be somebody else's", got)
		}
	}
}

// TestManyAccounts has more people than the page shows: it says so, and those who are expected are
// on it.
func TestManyAccounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin := w.admin()
	many := func(from, to int) string {
		return fmt.Sprintf(`WITH RECURSIVE series(n) AS (SELECT %d UNION ALL SELECT n + 1 FROM series WHERE n < %d)
			INSERT INTO account (id, email, name, home, first_at, last_at, ended_at) SELECT 'A' || n, 'u' || n || '@example.com', '', '', 1, n, 0 FROM series`, from, to)
	}
	w.exec(many(1, 999))
	admin.post("/settings/users/add", url.Values{"email": {"expected@example.com"}})
	admin.get("/settings/users")
	admin.wantText("users", "u1@example.com", "expected@example.com")
	if admin.last.has("cut") {
		t.Error("the page says that it does not show all of 1000 people")
	}
	w.exec(many(1000, 1001))
	admin.get("/settings/users")
	admin.wantText("cut", "Only the newest 1000 are shown")
	list := strings.Fields(admin.last.text("users"))
	first := slices.IndexFunc(list, func(s string) bool { return strings.Contains(s, "@example.com") })
	if first < 0 || !strings.Contains(list[first], "expected@example.com") {
		t.Errorf("the list begins with %q, want who is expected", list[:min(10, len(list))])
	}
	if n := strings.Count(admin.last.body, "data-email="); n != 1000 || strings.Contains(admin.last.body,
		`data-email="u1@`) {
		t.Errorf("%d people are shown, want the newest 1000", n)
	}
}

package console_test

import (
	"context"
	"encoding/pem"
	"html"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/examples/dataplane/internal/console"
	"github.com/iomete/saml/examples/dataplane/internal/storage"
	"github.com/iomete/saml/samltest"
)

const (
	logoutPath   = "/api/v1/identity/auth/saml-slo"
	signedOutNow = "You are signed out of this console."
)

// saveLogout saves the metadata of the identity provider with the switch for logout.
func (b *browser) saveLogout() {
	b.t.Helper()
	b.submit("read", settingsForm{version: b.w.state().Version, file: b.w.metadata(), logout: "yes"})
	b.want(http.StatusOK)
	b.submit("save", b.last.form())
	b.want(http.StatusOK)
	b.wantText("done", "The settings are saved")
}

// enableTested tests the saved settings and enables them.
func (b *browser) enableTested() {
	b.t.Helper()
	b.test()
	b.post("/settings/sso/enable", b.version())
	b.want(http.StatusOK)
	b.wantText("done", "Single sign-on is enabled")
}

// registerLogout does at the identity provider what the page says: the Logout URL and the
// certificate are those that it shows. It takes only what that certificate has signed.
func (b *browser) registerLogout() {
	b.t.Helper()
	b.get("/settings/sso")
	logoutURL := b.last.text("logout-url")
	block, _ := pem.Decode([]byte(b.get("/settings/sso/signing.pem").body))
	if block == nil {
		b.t.Fatalf("the certificate: got status %d, %q", b.last.status, b.last.body)
	}
	redirectURL := b.w.console.RedirectURL()
	b.w.idp.Register(samltest.Application{Identifier: redirectURL, ReplyURLs: []string{redirectURL},
		SignOnURL: redirectURL, LogoutURL: logoutURL, SigningCertificate: block.Bytes})
}

// newLogoutWorld is a world whose settings in use have the switch for logout.
func newLogoutWorld(t *testing.T) (*world, *browser) {
	t.Helper()
	w := newWorld(t)
	admin := w.admin()
	admin.saveLogout()
	admin.registerLogout()
	admin.enableTested()
	return w, admin
}

// policies are those that a browser obeys all together.
func (p page) policies() string {
	return strings.Join(p.header.Values("Content-Security-Policy"), ", ")
}

// isAsked reports whether a page leads to the identity provider: nobody is signed in.
func (b *browser) isAsked(path string) bool {
	b.t.Helper()
	b.get(path)
	return b.last.url.Host != mustParse(b.w.server.URL).Host
}

// TestSignOutThere: with the switch, a sign-out of a user ends the session at the identity
// provider, and one of the administrator goes nowhere.
func TestSignOutThere(t *testing.T) {
	t.Parallel()
	w, admin := newLogoutWorld(t)
	user := w.browser()
	user.signIn("/sql")
	user.want(http.StatusOK)
	admin.post("/sign-out", nil)
	admin.wantText("done", "You are signed out.")
	if n := len(w.idp.Sessions()); n == 0 || len(w.idp.LogoutMessages()) != 0 {
		t.Fatalf("after the administrator's sign-out there are %d sessions, and logout messages %+v", n,
			w.idp.LogoutMessages())
	}
	user.post("/sign-out", nil)
	user.want(http.StatusOK)
	user.wantText("done", signedOutNow, "Other services may still")
	if user.last.url.Path != "/sign-in" || user.signedIn() {
		t.Errorf("the sign-out ended at %s, signed in %v", user.last.url, user.signedIn())
	}
	messages := w.idp.LogoutMessages()
	if len(messages) != 1 || !messages[0].Request || !messages[0].Verified || len(w.idp.Sessions()) != 0 {
		t.Errorf("the identity provider got %+v and has %d sessions, want one signed request and none", messages,
			len(w.idp.Sessions()))
	}
	if !user.isAsked("/sql") {
		t.Error("the user is still signed in")
	}
	user.site = "cross-site"
	user.post("/sign-out", nil)
	user.want(http.StatusForbidden)
}

// TestSignOutBegunThere: a logout at the identity provider ends the session on each replica,
// without a cookie, in a frame, and with a post of another site or of a server.
func TestSignOutBegunThere(t *testing.T) {
	t.Parallel()
	frame := func(t *testing.T, w *world, _ samltest.Logout) {
		response, err := w.server.Client().Get(w.idp.SignOutURL())
		if err != nil {
			t.Fatal(err)
		}
		idp := (&browser{w: w, t: t}).show(response)
		frames := regexp.MustCompile(`<iframe src="([^"]+)"`).FindAllStringSubmatch(idp.body, -1)
		if len(frames) != 2 { // of the test and of the sign-in
			t.Fatalf("got %d frames in %s, want 2", len(frames), idp.body)
		}
		for _, address := range frames {
			stranger := w.browser()
			stranger.get(html.UnescapeString(address[1]))
			stranger.want(http.StatusOK)
			if policy := stranger.last.policies(); !strings.Contains(policy, "frame-ancestors https://"+idp.url.Host) ||
				strings.Contains(policy, "frame-ancestors 'none'") {
				t.Errorf("the policy of the page in the frame is %q, want %s", policy, idp.url.Host)
			}
		}
	}
	for name, end := range map[string]func(t *testing.T, w *world, l samltest.Logout){
		"in a frame": frame,
		"by a post of another site": func(t *testing.T, w *world, l samltest.Logout) {
			form, err := w.idp.LogoutForm(l)
			if err != nil {
				t.Fatal(err)
			}
			stranger := w.browser()
			stranger.site = "cross-site"
			stranger.post(form.Action, form.Values)
			stranger.want(http.StatusOK)
		},
		"by a server": func(t *testing.T, w *world, l samltest.Logout) {
			answer, err := w.idp.LogoutBySOAP(w.server.Client(), l)
			if err != nil || answer.Status != samltest.StatusSuccess {
				t.Errorf("got %+v, %v", answer, err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := newLogoutWorld(t)
			first, second := w.console, w.newConsole(w.open())
			user := w.browser()
			user.signIn("/sql")
			w.console = second
			if user.isAsked("/sql") {
				t.Fatal("the session does not count at the second replica")
			}
			w.console = first
			sessions := w.idp.Sessions()
			end(t, w, samltest.Logout{Session: sessions[len(sessions)-1]})
			w.advance(11 * time.Second)
			w.console = second
			if !user.isAsked("/sql") {
				t.Error("the session goes on at the second replica")
			}
		})
	}
}

// TestWithoutTheSwitch: nothing of logout is there, and no key is made.
func TestWithoutTheSwitch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin := w.admin()
	admin.save()
	admin.enableTested()
	admin.get("/settings/sso")
	if admin.last.has("logout-url") || admin.last.form().logout != "" {
		t.Error("the page has a Logout URL, or the switch is on")
	}
	admin.wantText("in-use", "of this console alone, although the identity provider offers logout")
	if own := admin.get("/settings/sso/metadata.xml").body; !strings.Contains(own, "AssertionConsumerService") ||
		strings.Contains(own, "SingleLogoutService") || strings.Contains(own, "X509Certificate") {
		t.Errorf("our metadata is %s", own)
	}
	admin.get("/settings/sso/signing.pem")
	admin.want(http.StatusNotFound)
	user := w.browser()
	user.signIn("/sql")
	before := len(w.idp.Sessions())
	logout, err := w.idp.LogoutRedirect(samltest.Logout{LogoutURL: w.server.URL + logoutPath})
	if err != nil {
		t.Fatal(err)
	}
	user.get(logout)
	user.want(http.StatusNotFound)
	user.post("/sign-out", nil)
	user.wantText("done", "You are signed out.")
	if user.signedIn() || len(w.idp.Sessions()) != before {
		t.Errorf("after the sign-out: signed in %v, %d sessions at the identity provider, want %d", user.signedIn(),
			len(w.idp.Sessions()), before)
	}
	if note, err := w.db.Note(t.Context(), "signing key"); err != nil || note != "" {
		t.Errorf("the note is %.20q, %v, want none", note, err)
	}
}

// TestLogoutSettings: what the page and our metadata show with the switch is the same after a
// restart and at the start with a file, and is gone with the settings.
func TestLogoutSettings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin := w.admin()
	admin.saveLogout()
	certificate := admin.get("/settings/sso/signing.pem").body
	shows := func(when string) {
		t.Helper()
		admin.get("/settings/sso")
		admin.wantText("logout-url", w.server.URL+logoutPath)
		admin.wantText("saved", "here and at the identity provider: "+w.idp.LogoutURL(), "by HTTP-Redirect")
		if admin.last.form().logout != "yes" {
			t.Errorf("%s: the switch is off", when)
		}
		keys, err := saml.ParseKeys([]byte(certificate))
		if err != nil {
			t.Fatal(err)
		}
		admin.wantText("signing-thumbprint", keys[0].ThumbprintSHA1())
		own := admin.get("/settings/sso/metadata.xml").body
		der := strings.Join(strings.Fields(certificate)[2:4], "")
		if !strings.Contains(own, `SingleLogoutService`) || !strings.Contains(own, w.server.URL+logoutPath) ||
			!strings.Contains(strings.Join(strings.Fields(own), ""), der[10:60]) {
			t.Errorf("%s: our metadata is %s", when, own)
		}
	}
	shows("after Save")
	w.console = w.newConsole(w.open())
	shows("after a restart")
	if err := w.console.Install(t.Context(), w.metadata(), false); err != nil {
		t.Fatal(err)
	}
	shows("after a start with the file")
	version := w.state().Version
	admin.get("/settings/sso")
	admin.submit("save", admin.last.form())
	if admin.wantText("done", "saved already"); w.state().Version != version {
		t.Error("the same settings were saved again")
	}
	admin.post("/settings/sso/delete", admin.version("confirm", "delete"))
	admin.want(http.StatusOK)
	if admin.last.has("logout-url") {
		t.Error("there is a Logout URL without settings")
	}
	if admin.saveLogout(); admin.get("/settings/sso/signing.pem").body == certificate {
		t.Error("the signing key outlives the settings")
	}
}

// TestNoLogoutAddress: the page says that the identity provider offers no logout, and a sign-out
// ends here, with the switch too.
func TestNoLogoutAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin := w.admin()
	admin.submit("save", settingsForm{version: w.state().Version, entityID: w.idp.EntityID(),
		loginURL: w.idp.LoginURL(), certificate: string(w.idp.CertificatePEM()), logout: "yes"})
	admin.wantText("saved", "the identity provider has no logout address in these fields")
	admin.enableTested()
	user := w.browser()
	user.signIn("/sql")
	before := len(w.idp.Sessions())
	user.post("/sign-out", nil)
	user.wantText("done", signedOutNow, "the next sign-in here asks for no password")
	if user.signedIn() || len(w.idp.Sessions()) != before || len(w.idp.LogoutMessages()) != 0 {
		t.Errorf("signed in %v, %d sessions, want %d, messages %+v", user.signedIn(), len(w.idp.Sessions()), before,
			w.idp.LogoutMessages())
	}
	withoutLogout := regexp.MustCompile(`<(\w+:)?SingleLogoutService[^>]*/>`).ReplaceAll(w.metadata(), nil)
	admin.submit("read", settingsForm{version: w.state().Version, file: withoutSignature(withoutLogout), logout: "yes"})
	admin.wantText("preview", "no logout address in its metadata", "read the metadata again")
}

func withoutSignature(document []byte) []byte {
	return regexp.MustCompile(`(?s)<(\w+:)?Signature .*?</(\w+:)?Signature>`).ReplaceAll(document, nil)
}

// TestOneSigningKey: replicas that need the key at once make one.
func TestOneSigningKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin := w.admin()
	admin.saveLogout()
	w.exec("DELETE FROM note WHERE name = 'signing key'")
	replicas := []*console.Console{w.console, w.newConsole(w.open()), w.newConsole(w.open())}
	got := make([]string, len(replicas))
	var all sync.WaitGroup
	for i, c := range replicas {
		all.Go(func() {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, w.server.URL+"/settings/sso/signing.pem", nil)
			for _, cookie := range admin.client.Jar.Cookies(mustParse(w.server.URL)) {
				r.AddCookie(cookie)
			}
			answer := httptest.NewRecorder()
			c.ServeHTTP(answer, r)
			got[i] = answer.Body.String()
		})
	}
	all.Wait()
	for i := range got {
		if got[i] != got[0] || !strings.Contains(got[i], "BEGIN CERTIFICATE") {
			t.Errorf("replica %d has %.200q, and the first %.200q", i, got[i], got[0])
		}
	}
}

// TestSigningKeyThatTookLong: a key that took longer to make than its caller waits is kept all the
// same, so that the next caller finds it.
func TestSigningKeyThatTookLong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ended, end := context.WithCancel(t.Context())
	end()
	made, err := console.AddSigning(ended, w.console)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := w.db.Note(t.Context(), storage.SigningKeyNote)
	if err != nil || made == "" || kept != made {
		t.Errorf("got %d characters, %v; want the %d of the key that was made", len(kept), err, len(made))
	}
}

// TestSigningKeyIsSealed: the signing key is kept while the keys that seal it change. One that
// cannot be opened keeps nobody from signing in and out, and the page says what to do.
func TestSigningKeyIsSealed(t *testing.T) {
	t.Parallel()
	w, admin := newLogoutWorld(t)
	certificate := admin.get("/settings/sso/signing.pem").body
	old, fresh := w.keys[0], saml.NewStateKey()
	restart := func(keys ...[]byte) {
		w.keys = keys
		w.console = w.newConsole(w.open())
		admin = w.admin()
		admin.get("/settings/sso/signing.pem")
	}
	restart(fresh, old)
	restart(fresh)
	if admin.last.body != certificate {
		t.Fatalf("the certificate is %.300q, want %q", admin.last.body, certificate)
	}
	restart(saml.NewStateKey())
	admin.want(http.StatusNotFound)
	admin.get("/settings/sso")
	admin.wantText("signing-problem", "sealed with another key", "-keys")
	f := admin.last.form()
	f.entityID += "x"
	admin.submit("save", f)
	admin.want(http.StatusConflict)
	admin.wantText("alert", "Nothing was saved", "sealed with another key")
	w.idp.RegisterRedirectURL(w.console.RedirectURL()) // a directory that wants no signatures
	user := w.browser()
	user.signIn("/sql")
	user.want(http.StatusOK)
	user.post("/sign-out", nil)
	user.want(http.StatusOK)
	if user.wantText("done", "You are signed out."); user.signedIn() {
		t.Error("the user is still signed in")
	}
}

// TestBannerOfOwnCertificate warns before the certificate of the signing key ends.
func TestBannerOfOwnCertificate(t *testing.T) {
	t.Parallel()
	w, admin := newLogoutWorld(t)
	own := admin.get("/settings/sso").text("signing-thumbprint")
	const warning = "of the console (thumbprint "
	if strings.Contains(plainText(admin.last.body), warning) {
		t.Error("a banner ten years before the end")
	}
	w.advance((10*365 - 30) * 24 * time.Hour)
	admin = w.admin()
	if shown := plainText(admin.get("/settings/users").body); !strings.Contains(shown, warning+own) {
		t.Errorf("no banner a month before the end, but %s", shown)
	}
}

// TestSwitchOfRefreshedSettings: turning the switch on is one step while the metadata says what the
// page shows. If it says something else by now, that is shown first.
func TestSwitchOfRefreshedSettings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.publish()
	admin := w.admin()
	admin.keepUpToDate(p.address, "")
	admin.get("/settings/sso")
	f := admin.last.form()
	p.rollOver()
	f.logout = "yes"
	admin.submit("save", f)
	admin.wantText("alert", "Nothing was saved yet")
	if !strings.Contains(admin.last.compact("preview"), w.thumbprint()) {
		t.Error("the preview does not have the new key")
	}
	admin.submit("save", admin.last.form())
	admin.wantText("done", "The settings are saved")
	f = admin.get("/settings/sso").form()
	f.logout = ""
	admin.submit("save", f)
	admin.wantText("done", "The settings are saved")
	if s := w.state().Saved; s.Logout || !s.Refresh || !strings.Contains(s.Document, "SingleLogoutService") {
		t.Errorf("saved: logout %v, refresh %v", s.Logout, s.Refresh)
	}
}

// TestRefusedLogoutMessage: the page can be shown in a frame of the identity provider and leads
// nowhere, and the message is no sign-in that was refused.
func TestRefusedLogoutMessage(t *testing.T) {
	t.Parallel()
	w, admin := newLogoutWorld(t)
	stranger := w.browser()
	unsigned, err := w.idp.LogoutRedirect(samltest.Logout{LogoutURL: w.console.LogoutURL(), Unsigned: true})
	if err != nil {
		t.Fatal(err)
	}
	stranger.get(unsigned)
	stranger.want(http.StatusBadRequest)
	stranger.wantText("message-title", "This sign-out could not be checked")
	stranger.wantText("message-code", "logout_unsigned")
	policies := stranger.last.policies()
	if strings.Contains(stranger.last.body, "<a ") || strings.Contains(stranger.last.body, "<form") ||
		stranger.last.header.Get("Set-Cookie") != "" || !strings.Contains(policies, "default-src 'none'") ||
		!strings.Contains(policies, "frame-ancestors https://"+mustParse(w.idp.LoginURL()).Host) {
		t.Errorf("policies %q, cookie %q, page %s", policies, stranger.last.header.Get("Set-Cookie"), stranger.last.body)
	}
	admin.get("/settings/sso/log")
	if strings.Contains(admin.last.body, "logout_unsigned") {
		t.Error("the refusal is among the sign-ins")
	}
	if metrics := admin.get("/metrics").body; strings.Contains(metrics, `code="logout_unsigned"`) {
		t.Error("the refusal counts as a sign-in")
	}
}

package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// TestGuide is what an administrator does from the Redirect URL to the first user.
func TestGuide(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user := samltest.DefaultUsers()[0]

	b := w.admin()
	b.get("/settings/sso")
	b.wantText("redirect-url", w.console.RedirectURL())
	b.wantText("status", "not enabled", "register the Redirect URL")
	if own := b.get("/settings/sso/metadata.xml"); own.status != http.StatusOK ||
		!strings.Contains(own.body, w.console.RedirectURL()) {
		t.Errorf("our own metadata: got status %d and %s", own.status, own.body)
	}

	b.submit("read", settingsForm{file: w.metadata()})
	b.want(http.StatusOK)
	keys, err := saml.ParseKeys(w.idp.CertificatePEM())
	if err != nil {
		t.Fatal(err)
	}
	b.wantText("preview", w.idp.EntityID(), w.idp.LoginURL(), "a metadata document", keys[0].ThumbprintSHA1(),
		keys[0].ThumbprintSHA256(), "days left")
	if s := w.state(); s.Saved != nil || s.Version != 0 {
		t.Fatalf("a preview changed the settings: %+v", s)
	}

	b.submit("save", b.last.form())
	b.wantText("done", "The settings are saved")
	b.wantText("last-change", "saved by admin")
	if s := w.state(); s.Live != nil || s.Saved.Document != w.metadataOf(s.Saved.Document) {
		t.Fatalf("Save enabled the settings, or kept another document: %+v", s)
	}
	if w.browser().get("/"); w.state().Enabled() {
		t.Fatal("enabled before Enable")
	}

	b.test()
	b.want(http.StatusOK)
	b.wantText("verdict", "Passed")
	b.wantText("name-id", user.Mail)
	b.wantText("person", user.DisplayName, user.Mail, user.Groups[0])
	b.wantText("claims", "objectidentifier", user.ObjectID, "tenantid", w.idp.TenantID(), "authnmethodsreferencesnot read")
	b.wantText("unread", "http://schemas.microsoft.com/claims/authnmethodsreferences")
	if got := b.last.text("unread") + b.last.text("claims"); strings.Count(got, "not read") != 1 || strings.Contains(b.last.text("unread"), "objectidentifier") {
		t.Errorf("claims that are read are shown as unread: %s", got)
	}
	b.wantText("account", "A new account would be made")
	if got, want := strings.Count(b.last.text("checks"), "passed"), len(saml.Checks()); got != want {
		t.Errorf("checks that were passed: got %d, want %d", got, want)
	}
	if b.signedIn() {
		t.Error("the test began a session")
	}
	if accounts, err := w.db.Accounts(t.Context(), 1000); err != nil || len(accounts) > 0 {
		t.Errorf("the test made accounts: %v, %v", accounts, err)
	}

	b.get("/settings/sso")
	b.submit("save", b.last.form()) // the same once more
	b.wantText("done", "nothing was changed")
	b.wantText("test-state", "Passed")

	b.post("/settings/sso/enable", b.version())
	b.wantText("done", "Single sign-on is enabled")
	b.wantText("in-use", keys[0].ThumbprintSHA1())

	b.post("/sign-out", nil)
	b.want(http.StatusOK)
	if !b.last.has("sso-sign-in") {
		t.Error("the sign-in page does not offer single sign-on")
	}
	b.signIn("/jobs/nightly-orders?run=7")
	b.want(http.StatusOK)
	if got, want := b.last.url.RequestURI(), "/jobs/nightly-orders?run=7"; got != want {
		t.Errorf("after the sign-in: got %s, want the page that was asked for, %s", got, want)
	}
	b.get("/")
	b.wantText("signed-in", user.DisplayName, user.Mail, user.Groups[2], "Analyst", w.idp.TenantID())
	b.get("/settings/sso")
	if b.last.url.Path != "/sign-in" {
		t.Errorf("a user may see the settings: %s", b.last.url)
	}

	admin := w.admin()
	admin.get("/settings/sso")
	admin.wantText("recent", "signed in", user.Mail)
	admin.get("/settings/users")
	admin.wantText("users", user.DisplayName, user.Mail, "own directory")
}

// metadataOf gives the document itself where it is one of the identity provider's, which makes a
// new one each time.
func (w *world) metadataOf(document string) string {
	idp, err := saml.ParseMetadata([]byte(document))
	if err != nil || idp.EntityID() != w.idp.EntityID() {
		return ""
	}
	return document
}

// TestPagesWithoutSession has where a stranger ends who opens a page.
func TestPagesWithoutSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range []string{"/", "/sql", "/jobs", "/settings/sso", "/settings/sso/log", "/settings/users",
		"/settings/administrator", "/settings/sso/metadata.xml", "/settings/sso/signing.pem"} {
		b := w.browser()
		b.get(path)
		if b.last.url.Path != "/sign-in" || b.last.url.Query().Get("return_to") != path {
			t.Errorf("%s: got %s, want the sign-in page with the way back", path, b.last.url)
		}
	}
	b := w.browser()
	b.post("/settings/sso/enable", url.Values{"version": {"0"}})
	b.want(http.StatusUnauthorized)
}

// TestReturnTo has addresses that must not lead away from here.
func TestReturnTo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, returnTo := range []string{"https://evil.example/", "//evil.example/", `/\evil.example`,
		"/\t/evil.example", "javascript:alert(1)", "evil.example/"} {
		b := w.browser()
		b.post("/sign-in", url.Values{"name": {adminName}, "password": {adminPassword}, "return_to": {returnTo}})
		if got := b.last.url.String(); got != w.server.URL+"/" {
			t.Errorf("return_to %q: got %s, want the start page", returnTo, got)
		}
	}
	b := w.browser()
	b.post("/sign-in", url.Values{"name": {adminName}, "password": {adminPassword}, "return_to": {"/settings/users"}})
	if got := b.last.url.Path; got != "/settings/users" {
		t.Errorf("got %s, want /settings/users", got)
	}
}

// TestHeaders has what every page must say to the browser.
func TestHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.admin()
	for _, path := range []string{"/", "/settings/sso", "/settings/users", "/sign-in", "/nothing"} {
		h := b.get(path).header
		policy := h.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'",
			"frame-ancestors 'none'", "base-uri 'none'"} {
			if !strings.Contains(policy, part) {
				t.Errorf("%s: Content-Security-Policy %q lacks %q", path, policy, part)
			}
		}
		if got := h.Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: Cache-Control is %q, want no-store", path, got)
		}
		if strings.Contains(b.last.body, "<style") || strings.Contains(b.last.body, " style=") ||
			strings.Contains(b.last.body, " onclick=") {
			t.Errorf("%s: something inline, which the policy forbids", path)
		}
	}
}

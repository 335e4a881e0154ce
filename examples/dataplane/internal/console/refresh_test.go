package console_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/examples/dataplane/internal/console"
	"github.com/iomete/saml/samltest"
)

// A publisher is the server from which the identity provider's metadata is kept up to date.
type publisher struct {
	*samltest.MetadataServer
	w       *world
	address string
}

func (w *world) publish() *publisher {
	w.t.Helper()
	p := &publisher{samltest.NewMetadataServer(), w, ""}
	server := httptest.NewTLSServer(p)
	w.t.Cleanup(server.Close)
	p.address = server.URL + "/metadata"
	p.Serve(w.metadata())
	return p
}

// rollOver makes the identity provider sign with a new key, and publish that one alone. It returns
// the SHA-1 thumbprints of the old and the new certificate.
func (p *publisher) rollOver() (old, new string) {
	p.w.t.Helper()
	old, new = p.changeKey()
	p.Serve(p.w.metadata())
	return old, new
}

// changeKey is rollOver, but for the metadata.
func (p *publisher) changeKey() (old, new string) {
	p.w.t.Helper()
	old = p.w.thumbprint()
	index, err := p.w.idp.AddKey(nil)
	if err == nil {
		err = p.w.idp.Activate(index)
	}
	if err == nil {
		err = p.w.idp.RemoveKey(1)
	}
	if err != nil {
		p.w.t.Fatal(err)
	}
	return old, p.w.thumbprint()
}

// thumbprint is that of the certificate that the identity provider signs with.
func (w *world) thumbprint() string {
	w.t.Helper()
	keys, err := saml.ParseKeys(w.idp.CertificatePEM())
	if err != nil {
		w.t.Fatal(err)
	}
	return keys[0].ThumbprintSHA1()
}

// keepUpToDate saves the settings of an address that is kept up to date, tests and enables them.
func (b *browser) keepUpToDate(address, signedBy string) {
	b.t.Helper()
	f := settingsForm{version: b.w.state().Version, metadataURL: address, signedBy: signedBy, refresh: "yes"}
	b.submit("fetch", f)
	b.want(http.StatusOK)
	b.submit("save", b.last.form())
	b.wantText("done", "The settings are saved")
	b.test()
	b.post("/settings/sso/enable", b.version())
	b.want(http.StatusOK)
}

// compact is what an element shows, without the space between the groups of a thumbprint.
func (p page) compact(id string) string { return strings.Join(strings.Fields(p.text(id)), "") }

// TestKeepUpToDate: the keys are seen before they count for the first time. Later ones count at
// once, with a banner that stays until it is dismissed, and after a restart without the publisher
// too.
func TestKeepUpToDate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.publish()
	b := w.admin()
	b.submit("save", settingsForm{metadataURL: p.address, refresh: "yes"})
	b.want(http.StatusUnprocessableEntity)
	b.wantText("alert", "Nothing was saved yet", "Look at the keys")
	b.wantText("preview", w.idp.EntityID(), "CN=Microsoft Azure Federated SSO Certificate",
		"the metadata URL, kept up to date")
	if shown := b.last.compact("preview"); !strings.Contains(shown, w.thumbprint()) || w.state().Version != 0 {
		t.Errorf("saved before the keys were seen, or not seen: %s", shown)
	}
	b.submit("save", b.last.form())
	b.wantText("done", "The settings are saved")
	if s := w.state().Saved; !s.Refresh || s.MetadataURL != p.address {
		t.Fatalf("the switch is not saved: %+v", s)
	}
	b.test()
	b.post("/settings/sso/enable", b.version())
	b.want(http.StatusOK)
	b.wantText("refreshed", p.address)
	if b.last.has("changes") {
		t.Error("a banner, and nothing has changed")
	}

	w.advance(10 * time.Minute)
	old, fresh := p.rollOver()
	w.browser().signIn("/jobs")
	for _, path := range []string{"/", "/settings/users"} {
		b.get(path)
		b.wantText("changes", "has a new key", fresh, "no longer trusted", old)
	}
	b.get("/settings/sso")
	if shown := b.last.compact("in-use"); !strings.Contains(shown, fresh) || strings.Contains(shown, old) {
		t.Errorf("in use: got %s, want %s alone", shown, fresh)
	}
	b.wantText("in-use", "Last signed with: about")
	if f := b.last.form(); f.refresh == "" || f.certificate != strings.TrimSpace(string(w.idp.CertificatePEM())) {
		t.Errorf("the form shows %+v, want the new key", f)
	}
	b.submit("save", b.last.form())
	b.wantText("done", "nothing was changed")

	b.post("/settings/sso/changes", changesOf(b.last))
	b.wantText("done", "The banner is gone")
	b.wantText("all-changes", fresh, "Dismissed by "+adminName)
	if b.get("/"); b.last.has("changes") {
		t.Error("the banner was dismissed, and is there")
	}

	p.Fail(samltest.FaultStatus(http.StatusInternalServerError, ""))
	w.console = w.newConsole(w.open())
	w.browser().signIn("/jobs")
	b = w.admin()
	b.get("/settings/sso")
	if shown := b.last.compact("in-use"); !strings.Contains(shown, fresh) || strings.Contains(shown, old) {
		t.Errorf("after a restart: got %s, want %s alone", shown, fresh)
	}
	w.advance(8 * 24 * time.Hour)
	b = w.admin()
	if b.get("/settings/sso"); b.last.has("all-changes") {
		t.Error("changes are shown after 7 days")
	}
}

// changesOf is the form of the banner on a page.
func changesOf(p page) map[string][]string {
	form := map[string][]string{}
	for _, part := range strings.Split(p.body, `name="change" value="`)[1:] {
		id, _, _ := strings.Cut(part, `"`)
		form["change"] = append(form["change"], id)
	}
	return form
}

var logoutLocation = regexp.MustCompile(`(SingleLogoutService [^>]*Location=")[^"]+`)

// moveLogout publishes a new key and another logout URL in one document, since a look may fall between
// two. It returns the thumbprint of the key, and the document.
func (p *publisher) moveLogout() (fresh, document string) {
	p.w.t.Helper()
	_, fresh = p.changeKey()
	before := p.w.metadata()
	moved := logoutLocation.ReplaceAll(before, []byte("${1}https://login.example.com/logout"))
	if bytes.Equal(before, moved) {
		p.w.t.Fatal("the metadata has no logout URL")
	}
	p.Serve(moved)
	return fresh, string(moved)
}

// TestSwitchedOff: the settings stay as they were read last, also if the page was opened before
// that: the whole document, not the keys of today with what an older one says besides. From then on
// they are an administrator's, and nothing overwrites them.
func TestSwitchedOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.publish()
	b := w.admin()
	b.keepUpToDate(p.address, "")
	b.get("/settings/sso")
	f := b.last.form()
	w.advance(10 * time.Minute)
	fresh, document := p.moveLogout()
	w.browser().signIn("/jobs")
	f.refresh = ""
	b.submit("save", f)
	b.wantText("done", "The settings are saved")
	b.wantText("saved", "a metadata document")
	if s := w.state().Saved; s.Refresh || s.Certificates != string(w.idp.CertificatePEM()) ||
		s.MetadataURL != p.address || s.Document != document {
		t.Fatalf("saved %+v, want the document that was read last", s)
	}
	b.test()
	b.post("/settings/sso/enable", b.version())
	b.want(http.StatusOK)
	if b.last.has("refreshed") || !strings.Contains(b.last.compact("in-use"), fresh) {
		t.Errorf("in use: %s", b.last.text("in-use"))
	}
	w.advance(10 * time.Minute)
	p.rollOver()
	p.Forget()
	user := w.browser()
	if page := user.signIn("/jobs"); page.status == http.StatusOK {
		t.Error("a key counts that an administrator has not entered")
	}
	if asked := p.Requests(); len(asked) > 0 {
		t.Errorf("the address was asked: %+v", asked)
	}
	if b.get("/settings/sso"); !strings.Contains(b.last.compact("in-use"), fresh) {
		t.Error("settings of an administrator were overwritten")
	}
}

// TestSwitchedOffAndChanged: with a field that the administrator changes too, the rest is still that of
// the document that was read last.
func TestSwitchedOffAndChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.publish()
	b := w.admin()
	b.keepUpToDate(p.address, "")
	w.advance(10 * time.Minute)
	_, document := p.moveLogout()
	w.browser().signIn("/jobs")
	f := b.get("/settings/sso").form()
	f.refresh, f.loginURL = "", w.idp.LoginURL()+"?by=hand"
	b.submit("save", f)
	b.wantText("done", "The settings are saved")
	if s := w.state().Saved; s.LoginURL != f.loginURL || s.Certificates != string(w.idp.CertificatePEM()) ||
		s.Document != document {
		t.Errorf("saved %s and %s, want the document that was read last behind the fields", s.LoginURL, s.Certificates)
	}
}

// TestSwitchedOffOnAnotherReplica: what one replica has read counts, if the switch is turned off on
// another one that has not looked since.
func TestSwitchedOffOnAnotherReplica(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.publish()
	first, second := w.console, w.newConsole(w.open())
	b := w.admin()
	b.keepUpToDate(p.address, "")
	w.console = second
	f := b.get("/settings/sso").form()
	w.console = first
	w.advance(10 * time.Minute)
	fresh, document := p.moveLogout()
	w.browser().signIn("/jobs")
	w.console = second
	b.get("/settings/sso")
	if shown := b.last.compact("in-use"); strings.Contains(shown, fresh) {
		t.Log("the second replica has looked too, so only the result is seen")
	}
	f.refresh = ""
	b.submit("save", f)
	b.wantText("done", "The settings are saved")
	if s := w.state().Saved; s.Certificates != string(w.idp.CertificatePEM()) || s.Document != document {
		t.Errorf("saved %s, want what the first replica has read", s.Certificates)
	}
}

// TestMetadataThatHasRunOut: the administrator learns on the page, with the date, that the validUntil of
// a document is over. It is not kept up to date, because no look would take it; the keys in it can be
// saved all the same.
func TestMetadataThatHasRunOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.publish()
	until := w.now().Add(-48 * time.Hour).UTC()
	p.Serve([]byte(strings.Replace(string(w.metadata()), " entityID=",
		` validUntil="`+until.Format(time.RFC3339)+`" entityID=`, 1)))
	b := w.admin()
	for _, act := range []string{"preview", "save"} {
		b.submit(act, settingsForm{metadataURL: p.address, refresh: "yes"})
		b.want(http.StatusUnprocessableEntity)
		b.wantText("problem-metadata_url", "ran out at "+until.Format(time.DateOnly), "renew it",
			"switch “Keep up to date” off")
	}
	if w.state().Version != 0 {
		t.Error("something was saved")
	}
	f := b.last.form()
	f.refresh = ""
	said := "was valid until " + until.Format(time.DateOnly)
	b.submit("preview", f)
	b.wantText("preview", said)
	b.submit("save", b.last.form())
	b.wantText("done", "The settings are saved")
	b.wantText("saved", said)
}

// TestOtherAddress: another address or entity ID, and fields that the next look would replace,
// count only after the keys were seen.
func TestOtherAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.publish()
	b := w.admin()
	b.keepUpToDate(p.address, "")
	before := w.state()
	shown := b.get("/settings/sso").form()

	other := w.publish()
	f := shown
	f.metadataURL = other.address
	b.submit("save", f)
	b.want(http.StatusUnprocessableEntity)
	b.wantText("alert", "Nothing was saved yet")
	for name, edit := range map[string]func(*settingsForm){
		"entity ID": func(f *settingsForm) { f.entityID = "https://other.example.com/" },
		"login URL": func(f *settingsForm) { f.loginURL = "https://other.example.com/sso" },
		"certificate": func(f *settingsForm) {
			f.certificate = string(samltest.MustNew(t, samltest.Options{}).CertificatePEM())
		},
	} {
		f := shown
		edit(&f)
		b.submit("save", f)
		b.want(http.StatusUnprocessableEntity)
		b.wantText("problem-metadata_url", "not as this address has them", "press Fetch")
		if got := b.last.form(); got.entityID != f.entityID || got.loginURL != f.loginURL {
			t.Errorf("%s: what was typed is lost: %+v", name, got)
		}
	}
	f = shown
	f.metadataURL = ""
	b.submit("save", f)
	b.want(http.StatusUnprocessableEntity)
	b.wantText("problem-metadata_url", "The address is missing")
	if after := w.state(); after.Version != before.Version {
		t.Error("something was saved")
	}
}

// TestManualSettingsAreFetchedAgain: a document of last year is not what is switched on.
func TestManualSettingsAreFetchedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.publish()
	b := w.admin()
	b.submit("fetch", settingsForm{metadataURL: p.address})
	b.submit("save", b.last.form())
	b.wantText("done", "The settings are saved")
	_, fresh := p.rollOver()
	f := b.get("/settings/sso").form()
	f.refresh = "yes"
	b.submit("save", f)
	b.want(http.StatusUnprocessableEntity)
	if shown := b.last.compact("preview"); !strings.Contains(shown, fresh) {
		t.Errorf("the preview has %s, want the key of today, %s", shown, fresh)
	}
	b.submit("save", b.last.form())
	b.wantText("done", "The settings are saved")
}

// TestChangedAddresses: replicas that see the same new addresses tell of each once. For Entra,
// login and logout URL are the same, by each binding.
func TestChangedAddresses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.publish()
	first, second := w.console, w.newConsole(w.open())
	b := w.admin()
	b.keepUpToDate(p.address, "")
	w.console = second
	b.get("/settings/sso")
	w.advance(10 * time.Minute)
	w.signWithAnotherKey()
	login := w.idp.LoginURL()
	p.Serve([]byte(strings.ReplaceAll(string(w.metadata()), login+`"`, login+`?new=1"`)))
	for _, replica := range []*console.Console{first, second} {
		w.console = replica
		w.browser().signIn("/jobs")
	}
	b.get("/settings/sso")
	b.wantText("changes", "has a new key", "another login URL:", "another login URL for HTTP-POST", "another logout URL",
		login+"?new=1")
	if n := strings.Count(b.last.text("changes"), "UTC:"); n != 4 {
		t.Errorf("the banner has %d changes, want 4: %s", n, b.last.text("changes"))
	}
}

// TestMetadataThatEnds: a document that no look renews is in a banner before it runs out, and after
// that.
func TestMetadataThatEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.publish()
	until := w.now().Add(4 * time.Hour).UTC().Format(time.RFC3339)
	p.Serve([]byte(strings.Replace(string(w.metadata()), " entityID=", ` validUntil="`+until+`" entityID=`, 1)))
	b := w.admin()
	b.keepUpToDate(p.address, "")
	p.Fail(samltest.FaultStatus(http.StatusServiceUnavailable, ""))
	if b.get("/"); strings.Contains(b.last.body, "data-banner") {
		t.Errorf("a banner too early: %s", plainText(b.last.body))
	}
	for _, step := range []struct {
		wait time.Duration
		says string
	}{{220 * time.Minute, "no look has brought a newer one"}, {time.Hour, "The metadata has run out"}} {
		w.advance(step.wait)
		b = w.admin()
		if b.get("/settings/users"); !strings.Contains(plainText(b.last.body), step.says) {
			t.Errorf("after %v more: no banner with %q", step.wait, step.says)
		}
	}
}

// TestRefreshFormIsKept: a form that is not looked at, because the session has ended, comes back
// with the switch.
func TestRefreshFormIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.admin()
	b.post("/sign-out", nil)
	b.submit("save", settingsForm{metadataURL: "https://idp.example.com/metadata", refresh: "yes", signedBy: "pin",
		fetched: "https://idp.example.com/metadata", lastRead: "mark"})
	b.want(http.StatusUnauthorized)
	for name, want := range map[string]string{"refresh": "yes", "signed_by": "pin", "last_read": "mark",
		"fetched": "https://idp.example.com/metadata"} {
		if got := b.last.input(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

// TestPinOnAnOldPage: settings that get a pin begin with the document as it is now, so a key that the
// identity provider has removed does not come back.
func TestPinOnAnOldPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.publish()
	admin := w.admin()
	admin.keepUpToDate(p.address, "")
	f := admin.get("/settings/sso").form()
	f.signedBy = string(w.idp.CertificatePEM())
	p.rollOver()
	f.signedBy += string(w.idp.CertificatePEM())
	admin.submit("save", f)
	admin.wantText("alert", "Nothing was saved yet")
	if !strings.Contains(admin.last.compact("preview"), w.thumbprint()) {
		t.Error("the preview does not have the new key")
	}
}

// TestLookNow: an administrator need not wait for the next look, and learns why one failed or comes too
// soon.
func TestLookNow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.publish()
	b := w.admin()
	look := func() page { return b.post("/settings/sso/look", nil) }
	if look(); b.last.status != http.StatusConflict {
		t.Errorf("nothing is in use: got status %d", b.last.status)
	}
	b.keepUpToDate(p.address, "")
	for range 500 { // until the first look by plan is over
		if !strings.Contains(b.get("/settings/sso").text("read-at"), "not since") {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	w.advance(10 * time.Minute)
	_, fresh := p.rollOver()
	look()
	b.wantText("done", "read just now")
	b.wantText("changes", fresh)
	look()
	b.want(http.StatusTooManyRequests)
	b.wantText("alert", "the next one may be at")
	w.advance(10 * time.Minute)
	p.Fail(samltest.FaultStatus(http.StatusNotFound, ""))
	look()
	b.want(http.StatusOK)
	b.wantText("refresh-failure", "The metadata is not there")
}

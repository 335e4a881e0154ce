package console_test

import (
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml/samltest"
)

// TestRefreshFaults: what a look did not take is said on the page, in words and with what to do.
// Sign-in goes on with the keys of before, and no load balancer takes the console away.
func TestRefreshFaults(t *testing.T) {
	t.Parallel()
	publishes := func(document func(p *publisher) []byte) func(p *publisher) {
		return func(p *publisher) { p.Serve(document(p)) }
	}
	fails := func(f samltest.MetadataFault) func(p *publisher) { return func(p *publisher) { p.Fail(f) } }
	for _, row := range []struct {
		name  string
		pin   bool
		fault func(p *publisher)
		says  []string
	}{
		{"404", false, fails(samltest.FaultStatus(http.StatusNotFound, "")),
			[]string{"The metadata is not there", "Ask the administrator of the identity provider for the address"}},
		{"503", false, fails(samltest.FaultStatus(http.StatusServiceUnavailable, "")), []string{"503"}},
		{"a web page", false, fails(samltest.FaultText("text/html", "<html>Sign in</html>")), []string{"web page"}},
		{"half a document", false, fails(samltest.FaultShort()), []string{"XML"}},
		{"a redirect to where nobody is", false, fails(samltest.FaultRedirect(http.StatusFound, "https://127.0.0.1:1/")),
			[]string{"refuses the connection", "Compare the address"}},
		{"of another identity provider", false, publishes(func(p *publisher) []byte {
			document, err := samltest.MustNew(t, samltest.Options{}).Metadata()
			if err != nil {
				t.Error(err)
			}
			return document
		}), []string{"The metadata is of another identity provider", "save the settings anew"}},
		{"without a key", false, publishes(func(p *publisher) []byte {
			return []byte(strings.ReplaceAll(string(p.w.metadata()), `use="signing"`, `use="encryption"`))
		}), []string{"key"}},
		{"not signed by the pinned key", true, publishes(func(p *publisher) []byte { return p.w.metadata() }),
			[]string{"signature"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			p := w.publish()
			b := w.admin()
			pin := ""
			if row.pin {
				pin = string(w.idp.CertificatePEM())
			}
			b.keepUpToDate(p.address, pin)
			w.signWithAnotherKey()
			row.fault(p)
			if page := w.browser().signIn("/jobs"); page.status == http.StatusOK { // and looks again
				t.Error("a key counts that no look has taken")
			}
			b.get("/settings/sso")
			b.wantText("refresh-failure", append(row.says, "Sign-in goes on")...)

			if err := w.idp.Activate(1); err != nil {
				t.Fatal(err)
			}
			if page := w.browser().signIn("/jobs"); page.status != http.StatusOK {
				t.Errorf("with the key of before: got status %d", page.status)
			}
			w.advance(8 * 24 * time.Hour)
			b = w.admin()
			if !strings.Contains(plainText(b.get("/settings/users").body), "No look for the metadata has succeeded since") {
				t.Error("nothing says that the metadata is stale")
			}
			b.get("/settings/sso")
			b.wantText("refresh-health", "No look for the metadata has succeeded since")
			if b.get("/readyz"); b.last.status != http.StatusOK {
				t.Errorf("/readyz: got %d, want the replica to stay", b.last.status)
			}
		})
	}
}

// signWithAnotherKey makes the identity provider sign with a key that nobody has published yet.
func (w *world) signWithAnotherKey() {
	w.t.Helper()
	index, err := w.idp.AddKey(nil)
	if err == nil {
		err = w.idp.Activate(index)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// TestPinnedMetadata: a certificate that did not sign the metadata is refused before anything is
// saved, and so is a text that is none.
func TestPinnedMetadata(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.publish()
	b := w.admin()
	for text, says := range map[string]string{
		string(samltest.MustNew(t, samltest.Options{}).CertificatePEM()): "signature",
		"not a certificate": "certificate",
	} {
		b.submit("save", settingsForm{metadataURL: p.address, refresh: "yes", signedBy: text})
		b.want(http.StatusUnprocessableEntity)
		b.wantText("problem-signed_by", says)
		if got := b.last.form(); got.signedBy != strings.TrimSpace(text) || w.state().Version != 0 {
			t.Errorf("what was typed is lost, or saved: %q", got.signedBy)
		}
	}
}

// TestRefreshOfReplicas: each replica reads the metadata for itself, and all of them report a
// change once. Settings that are saved on one end what another reads.
func TestRefreshOfReplicas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.publish()
	first, second := w.console, w.newConsole(w.open())
	b := w.admin()
	b.keepUpToDate(p.address, "")
	w.console = second
	if b.get("/settings/sso"); !b.last.has("refreshed") {
		t.Fatal("the second replica does not keep the metadata up to date")
	}
	w.advance(10 * time.Minute)
	_, fresh := p.rollOver()
	for _, replica := range []func(){func() { w.console = first }, func() { w.console = second }} {
		replica()
		if page := w.browser().signIn("/jobs"); page.status != http.StatusOK {
			t.Fatalf("after the roll-over: got status %d", page.status)
		}
	}
	b.get("/settings/sso")
	if n := strings.Count(b.last.text("changes"), "UTC:"); n != 2 {
		t.Errorf("the banner has %d changes, want 2: %s", n, b.last.text("changes"))
	}

	w.console = first
	b.post("/settings/sso/disable", b.version())
	w.console = second
	w.advance(3 * time.Second)
	if b.get("/settings/sso"); b.last.has("refreshed") {
		t.Error("the second replica goes on")
	}
	b.post("/settings/sso/enable", b.version("confirm", "enable untested"))
	b.want(http.StatusOK)
	if shown := b.last.compact("in-use"); !strings.Contains(shown, fresh) {
		t.Errorf("enabled again: got %s, want what was read last", shown)
	}
}

// TestNoLookGoesOn is not parallel: it counts goroutines.
func TestNoLookGoesOn(t *testing.T) {
	w := newWorld(t)
	p := w.publish()
	looks := func() int {
		stacks := make([]byte, 1<<20)
		return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "refresh.(*Scheduler)")
	}
	ends := func(after string) {
		t.Helper()
		for range 500 {
			if looks() == 0 {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
		t.Errorf("%s: goroutines look for metadata", after)
	}
	b := w.admin()
	b.keepUpToDate(p.address, "")
	if looks() == 0 {
		t.Fatal("nothing looks for metadata, so nothing can be seen to end")
	}
	b.post("/settings/sso/disable", b.version())
	b.get("/settings/sso")
	ends("disabled")
	b.post("/settings/sso/enable", b.version("confirm", "enable untested"))
	b.get("/settings/sso")
	if looks() == 0 {
		t.Error("enabled again: nothing looks for metadata")
	}
	w.console.Close()
	ends("closed")
}

// TestLastSigned: each certificate says when it signed last, whoever has entered it. It is written
// once an hour.
func TestLastSigned(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.admin()
	b.save()
	b.wantText("saved", "No sign-in with it is known")
	b.test()
	b.get("/settings/sso")
	b.wantText("saved", "Last signed with: about "+w.now().UTC().Format("2 Jan 2006"))
	uses := func() time.Time {
		t.Helper()
		all, err := w.db.KeyUses(t.Context())
		if err != nil || len(all) != 1 {
			t.Fatalf("got %v, %v, want one key", all, err)
		}
		for _, at := range all {
			return at
		}
		return time.Time{}
	}
	b.post("/settings/sso/enable", b.version())
	first := uses()
	w.advance(30 * time.Minute)
	w.browser().signIn("/jobs")
	w.console = w.newConsole(w.open()) // does not know when it was written
	w.browser().signIn("/jobs")
	if uses() != first {
		t.Error("written twice in an hour")
	}
	w.advance(31 * time.Minute)
	w.browser().signIn("/jobs")
	if !uses().After(first) {
		t.Error("not written after an hour")
	}
}

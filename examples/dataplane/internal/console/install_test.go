package console_test

import (
	"testing"

	"github.com/iomete/saml/samltest"
)

// TestInstallLeavesTheSwitchOn: the document of the command line does not take back, at each start,
// what an administrator has kept up to date since. That of another identity provider does.
func TestInstallLeavesTheSwitchOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.publish()
	document := w.metadata()
	w.admin().keepUpToDate(p.address, "")
	before := w.state()
	if err := w.console.Install(t.Context(), document, true); err != nil || w.state().Version != before.Version {
		t.Errorf("the same identity provider: got %v, version %d, want %d", err, w.state().Version, before.Version)
	}
	other, err := samltest.MustNew(t, samltest.Options{}).Metadata()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.console.Install(t.Context(), other, false); err != nil || w.state().Saved.Refresh {
		t.Errorf("another identity provider: got %v, %+v", err, w.state().Saved.MetadataURL)
	}
}

// TestInstallBesideADraft: what is in use and kept up to date stays as it is at a restart with a file of
// the same identity provider, and so do settings that wait to be enabled.
func TestInstallBesideADraft(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.publish()
	document := w.metadata()
	admin := w.admin()
	admin.keepUpToDate(p.address, "")
	f := admin.get("/settings/sso").form()
	f.logout = "yes"
	admin.submit("save", f)
	admin.test()
	admin.post("/settings/sso/enable", admin.version())
	other, err := samltest.MustNew(t, samltest.Options{}).Metadata()
	if err != nil {
		t.Fatal(err)
	}
	admin.submit("read", settingsForm{version: w.state().Version, file: other})
	admin.submit("save", admin.last.form())
	admin.wantText("done", "The settings are saved")
	before := w.state()
	if err := w.console.Install(t.Context(), document, true); err != nil {
		t.Fatal(err)
	}
	if s := w.state(); !s.Live.Refresh || !s.Live.Logout || !s.Pending() || s.Version != before.Version {
		t.Errorf("in use: refresh %t, logout %t; the draft waits: %t; version %d, want %d", s.Live.Refresh,
			s.Live.Logout, s.Pending(), s.Version, before.Version)
	}
}

// TestInstallOfWhatWasFetched: a restart with the very document that an administrator fetched changes
// nothing, and the address stays.
func TestInstallOfWhatWasFetched(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.publish()
	admin := w.admin()
	admin.submit("fetch", settingsForm{version: w.state().Version, metadataURL: p.address})
	admin.submit("save", admin.last.form())
	before := w.state()
	if err := w.console.Install(t.Context(), []byte(before.Saved.Document), false); err != nil {
		t.Fatal(err)
	}
	if s := w.state(); s.Saved.MetadataURL != p.address || s.Version != before.Version {
		t.Errorf("metadata URL %q, version %d, want %q, %d", s.Saved.MetadataURL, s.Version, p.address, before.Version)
	}
}

package e2e

import (
	"strings"
	"testing"

	"github.com/iomete/saml/samltest"
)

// keys are the thumbprints on the home page of the identity provider, the one that signs first.
func (d *desk) keys() string {
	var keys string
	d.must(until("reading the keys", func() (bool, error) {
		err := d.evaluate(`[...document.querySelectorAll(".key")].map((k) => k.textContent).join(" ")`, &keys)
		return keys != "", err
	}))
	return keys
}

// changeKeys presses a button of that page, and waits until it shows other keys.
func (d *desk) changeKeys(css string) string {
	d.Helper()
	before := d.keys()
	d.press(css, ".key")
	d.must(until("other keys", func() (bool, error) { return d.keys() != before, nil }))
	return d.keys()
}

// firstLook waits until the console has looked at the metadata once since it was enabled. A key that
// is added before that look would be known by it, and its sign-in would cause no other look.
func (d *desk) firstLook() {
	d.Helper()
	d.must(until("the first look", func() (bool, error) {
		d.open(d.console+"/settings/sso", "#read-at")
		return !strings.Contains(d.text("#read-at"), "not since"), nil
	}))
}

// TestConsoleKeepsUpToDate: the switch is turned on, the identity provider rolls its key over, a
// user signs in, and the administrator sees what has changed.
func TestConsoleKeepsUpToDate(t *testing.T) {
	d, _ := consoleDesk(t)
	user := samltest.DefaultUsers()[0]
	d.register()
	var address string
	d.must(d.evaluate(`document.getElementById("metadata").href`, &address))
	old := d.keys()

	d.administrate()
	d.fill("#metadata-url", address)
	d.must(d.Click("#refresh"))
	d.press("#check", "#preview")
	d.wants("#preview", "kept up to date", "CN=Microsoft Azure Federated SSO Certificate")
	d.shot("refresh-preview")
	d.press("#save", "#saved")
	d.press("#test", "#choice")
	d.choose(user, `#verdict[data-verdict="passed"]`)
	d.open(d.console+"/settings/sso", "#enable")
	d.press("#enable", `#status[data-state="enabled"]`)
	d.wants("#refreshed", address)
	d.firstLook()
	if d.count("#changes") != 0 {
		t.Errorf("a banner, and nothing has changed: %s", d.text("#changes"))
	}
	d.shot("refresh-enabled")
	d.press("#sign-out", "#local-sign-in")

	d.open(d.idp, "#add-key")
	d.changeKeys("#add-key")
	d.changeKeys(".activate")
	fresh := d.changeKeys(".remove")
	if fresh == old || strings.Contains(fresh, " ") {
		t.Fatalf("the identity provider has the keys %s, want one that is not %s", fresh, old)
	}
	d.shot("keys")
	d.open(d.console+"/jobs/nightly-orders", "#choice")
	d.choose(user, "#job")
	d.press("#sign-out", "#local-sign-in")

	d.administrate()
	d.wants("#changes", "has a new key", fresh, "no longer trusted", old)
	d.wants("#in-use", "Last signed with")
	d.shot("refresh-banner")
	d.size(390, 844)
	d.shot("refresh-banner-narrow")
	var overflow bool
	d.must(d.evaluate(`document.documentElement.scrollWidth > innerWidth`, &overflow))
	if overflow {
		t.Error("the settings page scrolls sideways on a telephone")
	}
	d.size(1000, 1100)
	d.press("#dismiss-changes", "#done")
	d.wants("#all-changes", fresh, "Dismissed by "+d.admin)
	if d.count("#changes") != 0 {
		t.Error("the banner was dismissed, and is there")
	}
}

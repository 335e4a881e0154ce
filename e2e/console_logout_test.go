package e2e

import (
	"fmt"
	"testing"

	"github.com/iomete/saml/samltest"
)

// TestConsoleSignsOutThere: with the switch, the button of the console also signs out at the
// identity provider.
func TestConsoleSignsOutThere(t *testing.T) {
	d, _ := consoleDesk(t)
	user := samltest.DefaultUsers()[0]
	document := d.register()
	d.administrate()
	d.drop("federationmetadata.xml", document)
	d.wait("#preview")
	d.must(d.Click("#logout"))
	d.press("#save", "#saved")
	logoutURL := d.text("#logout-url")
	d.shot("logout-saved")

	d.open(d.idp, "#register")
	d.fill(`#register input[name="redirect_url"]`, d.redirectURL)
	d.fill(`#register input[name="logout_url"]`, logoutURL)
	d.pressAgain("#register button", "a.start")
	d.press(fmt.Sprintf(`#users button[value=%q]`, user.UserPrincipalName), "#signed-in")

	d.open(d.console+"/settings/sso", "#test")
	d.press("#test", `#verdict[data-verdict="passed"]`) // nobody asks who it is
	d.open(d.console+"/settings/sso", "#enable")
	d.press("#enable", `#status[data-state="enabled"]`)
	d.press("#sign-out", "#local-sign-in")

	d.open(d.console+"/jobs/nightly-orders", "#job")
	d.press("#sign-out", "#local-sign-in")
	d.wants("#done", "You are signed out of this console.")
	d.shot("signed-out-there")
	d.open(d.idp, "#users")
	if d.count("#signed-in") != 0 {
		t.Error("the user is still signed in at the identity provider")
	}
}

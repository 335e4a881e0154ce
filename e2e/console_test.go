package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// A consoleProcess is examples/dataplane, run as its README says.
type consoleProcess struct {
	console, idp, admin, password, redirectURL string
}

// startConsole builds the console and starts it on free ports, with data of its own.
func startConsole(t *testing.T) consoleProcess {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "dataplane")
	if out, err := exec.Command("go", "build", "-o", binary,
		"github.com/iomete/saml/examples/dataplane").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	cmd := exec.Command(binary, "-addr", "127.0.0.1:0", "-idp-addr", "localhost:0", "-data", t.TempDir())
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
	})
	said := map[string]string{}
	for lines := bufio.NewScanner(stdout); said["Redirect URL"] == "" && lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		value, _, _ = strings.Cut(strings.TrimSpace(value), " ")
		said[name] = value
	}
	go io.Copy(io.Discard, stdout)
	p := consoleProcess{strings.TrimSuffix(said["Console"], "/"), said["Identity provider"], said["Administrator"],
		said["Password"], said["Redirect URL"]}
	if p.console == "" || p.idp == "" || p.password == "" || p.redirectURL == "" {
		t.Fatalf("the console said %q", said)
	}
	return p
}

// A desk is one browser in front of the console.
type desk struct {
	*testing.T
	chromiumTab
	consoleProcess
	report *report
	shots  int
}

func (d *desk) must(err error) {
	d.Helper()
	if err != nil {
		html, _ := d.HTML()
		address, _ := d.URL()
		d.Fatalf("%v\nat %s\n%.3000s", err, address, html)
	}
}

// newDesk opens a new browser, with cookies of its own.
func newDesk(t *testing.T, l launcher, p consoleProcess, r *report) *desk {
	t.Helper()
	b, err := l.Browser(profile{})
	if err != nil {
		t.Fatal(err)
	}
	tab, err := b.OpenTab()
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{T: t, chromiumTab: tab.(chromiumTab), consoleProcess: p, report: r}
	d.size(1000, 1100)
	return d
}

func (d *desk) size(width, height int64) {
	d.Helper()
	_, err := call(d.chromiumTab, emulation.SetDeviceMetricsOverride,
		emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1})
	d.must(err)
}

func (d *desk) dark(on bool) {
	d.Helper()
	value := "light"
	if on {
		value = "dark"
	}
	_, err := call(d.chromiumTab, emulation.SetEmulatedMedia,
		emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme",
			Value: value}}})
	d.must(err)
}

// shot keeps a picture of the whole page.
func (d *desk) shot(name string) {
	d.Helper()
	shot, err := call(d.chromiumTab, page.CaptureScreenshot,
		page.CaptureScreenshotParams{CaptureBeyondViewport: new(true)})
	d.must(err)
	d.shots++
	d.report.picture(d.T, fmt.Sprintf("%s-%02d-%s", strings.ToLower(strings.TrimPrefix(d.Name(), "TestConsole")),
		d.shots, name), shot.Data)
}

// figure takes a picture of one element for docs/entra.md, where SAML_TEST_UPDATE=1 asks for it.
func (d *desk) figure(name, css string) {
	d.Helper()
	if os.Getenv("SAML_TEST_UPDATE") == "" {
		return
	}
	d.size(820, 1100)
	defer d.size(1000, 1100)
	var box struct{ X, Y, Width, Height float64 }
	d.must(d.evaluate(fmt.Sprintf(`(() => { scrollTo(0, 0); const r = document.querySelector(%q).getBoundingClientRect(); return {X: r.x, Y: r.y, Width: r.width, Height: r.height} })()`, css), &box))
	const margin = 8
	shot, err := call(d.chromiumTab, page.CaptureScreenshot,
		page.CaptureScreenshotParams{CaptureBeyondViewport: new(true),
			Clip: &page.Viewport{X: box.X - margin, Y: box.Y - margin, Width: box.Width + 2*margin, Height: box.Height +
				2*margin, Scale: 1}})
	d.must(err)
	d.must(os.WriteFile(filepath.Join("..", "docs", "images", name+".png"), shot.Data, 0o644))
}

// wait waits for an element on a page that is complete.
func (d *desk) wait(css string) {
	d.Helper()
	d.must(until("waiting for "+css, func() (bool, error) {
		var there bool
		err := d.evaluate(fmt.Sprintf(`document.readyState === "complete" && document.querySelector(%q) !== null`,
			css), &there)
		return there, err
	}))
}

func (d *desk) open(address, css string) {
	d.Helper()
	d.must(d.Navigate(address))
	d.wait(css)
}

// press clicks an element and waits for another, on this page or the next.
func (d *desk) press(css, then string) {
	d.Helper()
	d.wait(css)
	d.must(d.Click(css))
	d.wait(then)
}

// pressAgain is press where the page already has the element that the next one will have: it waits for
// the next page, so that the click after this one does not stop it from being loaded.
func (d *desk) pressAgain(css, then string) {
	d.Helper()
	var ok bool
	d.must(d.evaluate(`document.documentElement.id = "left", true`, &ok))
	d.press(css, `html:not(#left) `+then)
}

func (d *desk) text(css string) string {
	d.Helper()
	d.wait(css)
	var text string
	d.must(d.evaluate(fmt.Sprintf(`document.querySelector(%q).innerText`, css), &text))
	return text
}

func (d *desk) wants(css string, words ...string) {
	d.Helper()
	text := d.text(css)
	for _, w := range words {
		if !strings.Contains(text, w) {
			d.Errorf("%s: got %q, want it to contain %q", css, text, w)
		}
	}
}

func (d *desk) count(css string) (n int) {
	d.Helper()
	d.must(d.evaluate(fmt.Sprintf(`document.querySelectorAll(%q).length`, css), &n))
	return n
}

func (d *desk) value(css string) (value string) {
	d.Helper()
	d.must(d.evaluate(fmt.Sprintf(`document.querySelector(%q).value`, css), &value))
	return value
}

func (d *desk) fill(css, value string) {
	d.Helper()
	d.wait(css)
	var ok bool
	d.must(d.evaluate(fmt.Sprintf(`(() => { const e = document.querySelector(%q); e.value = %s; e.dispatchEvent(new Event("input", {bubbles: true})); return true })()`, css, quoted(value)), &ok))
}

// openDetails unfolds what is folded around an element.
func (d *desk) openDetails(css string) {
	d.Helper()
	var ok bool
	d.must(d.evaluate(fmt.Sprintf(`(() => { document.querySelector(%q).closest("details").open = true; return true })()`, css), &ok))
}

func quoted(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // strings can be written
	}
	return string(text)
}

// drop lets a file fall on the drop zone.
func (d *desk) drop(name, content string) {
	d.Helper()
	d.wait("#drop-zone")
	var ok bool
	d.must(d.evaluate(fmt.Sprintf(`(() => { const files = new DataTransfer(); files.items.add(new File([%s], %s));
		document.getElementById("drop-zone").dispatchEvent(new DragEvent("drop", {dataTransfer: files, bubbles: true, cancelable: true})); return true })()`, quoted(content), quoted(name)), &ok))
}

// administrate signs the local administrator in, on the settings page.
func (d *desk) administrate() {
	d.Helper()
	d.open(d.console+"/settings/sso", "#local-sign-in")
	d.fill("#name", d.admin)
	d.fill("#password", d.password)
	d.press("#local-sign-in", "#settings-form")
}

// register makes the console known at the identity provider, and gives its Federation Metadata XML.
func (d *desk) register() string {
	d.Helper()
	d.open(d.idp, "#register")
	d.fill(`#register input[name="redirect_url"]`, d.redirectURL)
	d.press("#register button", "a.start")
	var address string
	d.must(d.evaluate(`document.getElementById("metadata").href`, &address))
	response, err := http.Get(address)
	d.must(err)
	defer response.Body.Close()
	document, err := io.ReadAll(response.Body)
	d.must(err)
	return string(document)
}

// choose answers the identity provider's question who signs in.
func (d *desk) choose(u samltest.User, then string) {
	d.Helper()
	d.press(fmt.Sprintf(`#choice button[value=%q]`, u.UserPrincipalName), then)
}

// setUp walks the guide without looking.
func (d *desk) setUp() {
	d.Helper()
	document := d.register()
	d.administrate()
	d.drop("federationmetadata.xml", document)
	d.press("#save", "#saved")
	d.press("#test", "#choice")
	d.choose(samltest.DefaultUsers()[0], `#verdict[data-verdict="passed"]`)
	d.open(d.console+"/settings/sso", "#enable")
	d.press("#enable", `#status[data-state="enabled"]`)
	d.press("#sign-out", "#local-sign-in")
}

// consoleDesk starts a console and a browser.
func consoleDesk(t *testing.T) (*desk, launcher) {
	t.Helper()
	require(t, chromium.programs)
	l, err := chromium.launch(t)
	if err != nil {
		t.Fatal(err)
	}
	return newDesk(t, l, startConsole(t), newReport(t, "console")), l
}

// TestConsoleGuide walks the seven steps of the guide, from the Redirect URL to a deep link behind
// single sign-on.
func TestConsoleGuide(t *testing.T) {
	d, _ := consoleDesk(t)
	user := samltest.DefaultUsers()[0]

	// 1. The administrator copies the Redirect URL.
	d.open(d.console+"/settings/sso", "#local-sign-in")
	d.shot("sign-in")
	d.administrate()
	d.wants("#redirect-url", d.redirectURL)
	d.wants(`#status[data-state="disabled"]`, "not enabled")
	d.press("#copy-redirect-url", "#copy-redirect-url")
	d.must(until("the button says that it copied", func() (bool, error) {
		var said string
		err := d.evaluate(`document.getElementById("copy-redirect-url").textContent`, &said)
		return said == "Copied" || said == "Press Ctrl+C", err // a browser without a window may have no clipboard
	}))
	d.shot("settings-empty")
	d.figure("redirect-url", "#step-1")

	// 2, 3. It is registered at the identity provider, whose Federation Metadata XML is downloaded.
	document := d.register()
	d.shot("identity-provider")

	// 4, 5. The file is dropped on the page, which shows what it means.
	d.open(d.console+"/settings/sso", "#drop-zone")
	d.drop("federationmetadata.xml", document)
	d.wait("#preview")
	if !strings.HasPrefix(d.value("#entity-id"), "https://sts.windows.net/") ||
		!strings.HasSuffix(d.value("#login-url"), "/saml2") || !strings.Contains(d.value("#certificate"),
		"BEGIN CERTIFICATE") {
		t.Errorf("the fields are %q, %q, %q", d.value("#entity-id"), d.value("#login-url"), d.value("#certificate"))
	}
	d.wants("#preview", "CN=Microsoft Azure Federated SSO Certificate")
	if d.count("#saved, #in-use") != 0 {
		t.Error("something was saved by looking")
	}
	d.shot("preview")
	d.figure("metadata", "#drop-zone")
	d.figure("preview", "#preview")
	d.press("#save", "#saved")
	d.wants("#done", "aved")
	d.shot("saved")

	// 6. A test, which signs nobody in.
	d.press("#test", "#choice")
	d.shot("who-signs-in")
	d.choose(user, `#verdict[data-verdict="passed"]`)
	if got, want := d.count(`#checks li[data-verdict="passed"]`), len(saml.Checks()); got != want {
		t.Errorf("%d checks passed, want %d", got, want)
	}
	d.wants("#name-id", user.Mail)
	d.wants("#claims", user.ObjectID)
	d.wants("#person", user.DisplayName)
	d.wants("#who", d.admin)
	d.shot("test-passed")
	d.figure("test", "#person")

	// 7. Enable, sign out, sign in from a deep link, and be there.
	d.open(d.console+"/settings/sso", "#enable")
	d.figure("enable", "#step-4")
	d.press("#enable", `#status[data-state="enabled"]`)
	d.shot("enabled")
	d.press("#sign-out", "#local-sign-in")
	d.wait("#sso-sign-in")
	d.shot("signed-out")
	deep := d.console + "/jobs/nightly-orders"
	d.open(deep, "#choice")
	d.choose(user, "#job")
	if address, err := d.URL(); err != nil || address != deep {
		t.Errorf("ended at %s, want %s (%v)", address, deep, err)
	}
	d.wants("#who", user.DisplayName)
	d.wants("#person", user.Mail)
	d.shot("deep-link")
	d.figure("signed-in", "#person")
	d.open(d.console+"/settings/sso", "#message-title, #local-sign-in")
	d.shot("not-for-users")
	d.open(d.console+"/", "#signed-in")
	d.dark(true)
	d.shot("home-dark")
	d.dark(false)
	d.size(390, 844)
	d.shot("home-narrow")
	d.press("#sign-out", "#local-sign-in")

	d.administrate()
	d.wants("#recent", user.Mail)
	d.shot("settings-narrow")
	var overflow bool
	d.must(d.evaluate(`document.documentElement.scrollWidth > innerWidth`, &overflow))
	if overflow {
		t.Error("the settings page scrolls sideways on a telephone")
	}
	d.size(1000, 1100)
	d.dark(true)
	d.shot("settings-dark")
}

// TestConsoleWrongWays: each ends in a message at its place, and nothing is saved.
func TestConsoleWrongWays(t *testing.T) {
	d, l := consoleDesk(t)
	document := d.register()
	d.administrate()
	state := func() string { return d.text("#status") }
	before := state()
	for _, way := range []struct {
		name  string
		go_   func()
		at    string
		words []string
	}{
		{"our own Redirect URL as Entity ID", func() {
			d.drop("federationmetadata.xml", document)
			d.wait("#preview")
			d.fill("#entity-id", d.redirectURL)
			d.press("#check", "#problem-entity_id")
		}, "#problem-entity_id", []string{"our own Redirect URL", "the identity provider's own"}},
		{"an HTML page saved as XML", func() {
			d.drop("federationmetadata.xml",
				"<!DOCTYPE html><html><head><title>Sign in to your account</title></head><body></body></html>")
			d.wait("#problem-source p")
		}, "#problem-source", []string{"web page"}},
		{"a private key pasted as certificate", func() {
			d.fill("#pasted", "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----")
			d.press("#read", "#problem-source p")
		}, "#problem-source", []string{"private key"}},
		{"a file of 20 MB", func() {
			d.drop("federationmetadata.xml", strings.Repeat("x", 20<<20))
			d.wait("#problem-file:not([hidden])")
		}, "#problem-file", []string{"20 MiB"}},
		{"a metadata URL of a link-local address", func() {
			d.fill("#metadata-url", "https://169.254.169.254/latest/meta-data")
			d.press("#fetch", "#problem-metadata_url p")
		}, "#problem-metadata_url", []string{"link-local"}},
	} {
		d.open(d.console+"/settings/sso", "#settings-form")
		way.go_()
		d.wants(way.at, way.words...)
		d.shot("wrong-" + strings.ReplaceAll(way.name, " ", "-"))
		d.open(d.console+"/settings/sso", "#settings-form")
		if d.count("#saved, #in-use") != 0 || state() != before {
			t.Errorf("%s: something was saved: %s", way.name, state())
		}
	}

	// Two administrators at once: the second hears of the first.
	other := newDesk(t, l, d.consoleProcess, d.report)
	other.administrate()
	other.drop("federationmetadata.xml", document)
	other.wait("#preview")
	d.drop("federationmetadata.xml", document)
	d.press("#save", "#saved")
	other.fill("#login-url", strings.Replace(other.value("#login-url"), "saml2", "other", 1))
	other.press("#save", "#alert")
	other.wants("#alert", "Nothing was saved", d.admin)
	other.shot("two-at-once")
	d.open(d.console+"/settings/sso", "#saved")
	if strings.Contains(d.text("#saved"), "/other") {
		t.Error("the second administrator's settings were saved")
	}
}

// TestConsoleWrongCertificate: settings that nobody can sign in with lock nobody out who can fix
// them.
func TestConsoleWrongCertificate(t *testing.T) {
	d, _ := consoleDesk(t)
	document := d.register()
	d.administrate()
	d.drop("federationmetadata.xml", document)
	d.wait("#preview")
	d.fill("#certificate", string(samltest.MustNew(t, samltest.Options{}).CertificatePEM()))
	d.press("#save", "#saved")

	d.press("#test", "#choice")
	d.choose(samltest.DefaultUsers()[0], `#verdict[data-verdict="failed"]`)
	d.wants("#failure-code", "signature")
	d.wants("#failure-hint", "Federation Metadata XML")
	d.shot("test-failed")

	d.open(d.console+"/settings/sso", "#override")
	d.openDetails("#confirm-untested")
	d.press("#enable-untested", "#alert") // without the words
	d.openDetails("#confirm-untested")
	d.fill("#confirm-untested", "enable untested")
	d.press("#enable-untested", `#status[data-state="enabled"]`)
	d.press("#sign-out", "#local-sign-in")

	d.open(d.console+"/", "#choice")
	d.choose(samltest.DefaultUsers()[0], "#message-code")
	d.wants("#message-code", "signature")
	reference := d.text("#message-reference")
	d.shot("user-refused")
	if strings.Contains(d.text("body"), "thumbprint") {
		t.Error("the user's page tells what is for the administrator")
	}

	d.administrate()
	d.open(d.console+"/settings/sso/log", "#log")
	d.figure("log", "#log")
	d.wants("#log", reference, "one of the trusted keys made the signature", "SAML Certificates")
	d.shot("log")
}

// TestConsoleUsers: where each user of the test provider ends, and whether the page tells why.
func TestConsoleUsers(t *testing.T) {
	d, _ := consoleDesk(t)
	d.setUp()
	for _, u := range samltest.DefaultUsers() {
		d.must(d.Navigate(d.console + "/jobs/nightly-orders"))
		switch {
		case u.Unassigned:
			d.wait("#choice")
			d.choose(u, "#error")
			d.wants("#error", "AADSTS50105", "not assigned")
		case u.Mail == "":
			d.wait("#choice")
			d.choose(u, "#message-code")
			d.wants("#message-code", string(saml.CodeNameIDNotEmail))
			d.wants("body", "e-mail address")
		default:
			d.wait("#choice")
			d.choose(u, "#job")
			d.wants("#person", u.Mail)
		}
		d.shot(url.PathEscape(strings.ToLower(strings.Fields(u.DisplayName)[0])))
		if d.count("#sign-out") > 0 {
			d.press("#sign-out", "#local-sign-in")
		}
	}
	d.administrate()
	d.open(d.console+"/settings/sso/log", "#log")
	d.wants("#log", string(saml.CodeNameIDNotEmail), "user.mail")
	d.open(d.console+"/settings/users", "#users")
	d.wants("#users", samltest.DefaultUsers()[0].Mail, time.Now().UTC().Format("2006"))
	d.shot("users")
}

// window keeps a picture of what is in the window, and nothing else.
func (d *desk) window(name string) {
	d.Helper()
	shot, err := call(d.chromiumTab, page.CaptureScreenshot, page.CaptureScreenshotParams{})
	d.must(err)
	d.shots++
	d.report.picture(d.T, fmt.Sprintf("%s-%02d-%s", strings.ToLower(strings.TrimPrefix(d.Name(), "TestConsole")),
		d.shots, name), shot.Data)
}

// sees fails the test unless all of an element is in the window, and says these words.
func (d *desk) sees(css string, words ...string) {
	d.Helper()
	d.wants(css, words...)
	var box struct{ Left, Top, Right, Bottom, Width, Height float64 }
	d.must(d.evaluate(fmt.Sprintf(`(() => { const r = document.querySelector(%q).getBoundingClientRect(); return {Left: r.left, Top: r.top, Right: r.right, Bottom: r.bottom, Width: innerWidth, Height: innerHeight} })()`, css), &box))
	if box.Left < 0 || box.Top < 0 || box.Right > box.Width || box.Bottom > box.Height {
		address, _ := d.URL()
		d.Errorf("%s at %s is outside the window: %+v", css, address, box)
	}
}

// TestConsoleErrorsInWindow: whatever is refused, the reason is in the window without scrolling, on
// a small screen and on a telephone.
func TestConsoleErrorsInWindow(t *testing.T) {
	d, _ := consoleDesk(t)
	document := d.register()
	d.administrate()
	d.drop("federationmetadata.xml", document)
	d.press("#save", "#saved") // so that the page is long
	const settings = "/settings/sso"
	for _, size := range [][2]int64{{1280, 720}, {390, 844}} {
		d.size(size[0], size[1])
		for _, row := range []struct {
			name  string
			page  string
			go_   func()
			at    string
			words []string
		}{
			{"three fields", settings, func() {
				d.fill("#entity-id", d.redirectURL)
				d.fill("#login-url", "http://login.example.com/")
				d.fill("#certificate", "hello")
				d.press("#check", "#problem-certificate")
			}, "#summary", []string{"Entity ID", "our own Redirect URL", "Single Sign-On URL", "not https", "X.509 certificate"}},
			{"the last field", settings, func() {
				d.fill("#certificate", "hello")
				d.press("#check", "#problem-certificate")
			}, "#summary", []string{"X.509 certificate"}},
			{"pasted nonsense, by the button for checking", settings, func() {
				d.fill("#pasted", "<html></html>")
				d.press("#check", "#problem-source")
			}, "#summary", []string{"web page"}},
			{"a dropped page", settings, func() {
				d.drop("federationmetadata.xml", "<html></html>")
				d.wait("#problem-source")
			}, "#summary", []string{"web page"}},
			{"a fetch", settings, func() {
				d.fill("#metadata-url", "https://169.254.169.254/latest/meta-data")
				d.press("#fetch", "#problem-metadata_url")
			}, "#summary", []string{"link-local"}},
			{"a lost update", settings, func() {
				d.drop("federationmetadata.xml", document)
				d.wait("#preview")
				var ok bool
				d.must(d.evaluate(`(() => { document.querySelector('#settings-form [name="version"]').value = "0"; return true })()`, &ok))
				d.fill("#login-url", "https://login.example.com/other")
				d.press("#save", "#alert")
			}, "#alert", []string{"Nothing was saved", "were saved by"}},
			{"enable without a test", settings, func() {
				d.openDetails("#confirm-untested")
				d.press("#enable-untested", "#alert")
			}, "#alert", []string{"Nothing was enabled"}},
			{"delete without the word", settings, func() {
				d.openDetails("#confirm-delete")
				d.press("#delete", "#alert")
			}, "#alert", []string{"Nothing was deleted"}},
			{"a user with no address", "/settings/users", func() {
				d.fill("#email", "nobody@localhost@")
				d.must(d.evaluate(`(() => { document.getElementById("email").type = "text"; return true })()`,
					new(bool)))
				d.press("#add-user", "#problem-email")
			}, "#problem-email", []string{"not an e-mail address"}},
			{"a wrong password for a new one", "/settings/administrator", func() {
				d.fill("#current", "wrong")
				d.fill("#new", "a long new password")
				d.fill("#repeated", "a long new password")
				d.press("#change-password", "#problem-current")
			}, "#problem-current", []string{"not the current password"}},
		} {
			d.open(d.console+row.page, "#nav-settings")
			row.go_()
			d.sees(row.at, row.words...)
			d.window(fmt.Sprintf("window-%d-%s", size[0], strings.ReplaceAll(row.name, " ", "-")))
		}
	}

	// What went well is in the window too, and a text that is dropped is read at once.
	d.size(1280, 720)
	d.open(d.console+settings, "#drop-zone")
	var ok bool
	d.must(d.evaluate(fmt.Sprintf(`(() => { const text = new DataTransfer(); text.setData("text", %s);
		document.getElementById("drop-zone").dispatchEvent(new DragEvent("drop", {dataTransfer: text, bubbles: true, cancelable: true})); return true })()`, quoted(document)), &ok))
	d.wait("#preview")
	d.sees("#preview h3", "Preview")
	d.window("window-1280-preview")
	d.fill("#pasted", document)
	d.press("#save", "#done")
	d.sees("#done", "saved")

	d.press("#sign-out", "#local-sign-in")
	d.size(390, 844)
	d.open(d.console+"/sign-in", "#local-sign-in")
	d.fill("#name", "admin")
	d.fill("#password", "wrong")
	d.press("#local-sign-in", "#problem-sign-in")
	d.sees("#problem-sign-in", "The name or the password is wrong")
	d.window("window-390-wrong-password")
}

package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
)

var webkit = engine{name: "webkit", programs: map[string]string{"WebKitWebDriver": "webkit2gtk-driver",
	"Xvfb": "xvfb"}, launch: launchWebKit}

// webkitLauncher keeps a display. Each browser has a driver of its own: a driver has one browser at a
// time, and one that has lost its browser begins no other.
type webkitLauncher struct {
	t           *testing.T
	display     string
	miniBrowser string
}

var displayNumber = regexp.MustCompile(`^(\d+)$`)

func launchWebKit(t *testing.T) (launcher, error) {
	found, err := filepath.Glob("/usr/lib/*/webkit2gtk-4.1/MiniBrowser")
	if err != nil || len(found) == 0 {
		return nil, errors.New("there is no MiniBrowser: install the Debian package libwebkit2gtk-4.1-0, which webkit2gtk-driver depends on")
	}
	display := exec.Command("Xvfb", "-displayfd", "1", "-screen", "0", "1100x800x24", "-nolisten", "tcp")
	output, err := display.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := startUntilEnd(t, display); err != nil {
		return nil, err
	}
	number, err := findLine(output, displayNumber)
	if err != nil {
		return nil, err
	}
	return &webkitLauncher{t: t, display: ":" + number, miniBrowser: found[0]}, nil
}

// startDriver returns a new driver, and what ends it.
func (l *webkitLauncher) startDriver() (driver webDriver, end func(), err error) {
	dir, err := profileDir(l.t)
	if err != nil {
		return "", nil, err
	}
	port, err := freePort()
	if err != nil {
		return "", nil, err
	}
	program := exec.Command("WebKitWebDriver", "--port="+port)
	program.Env = append(os.Environ(), "DISPLAY="+l.display, "HOME="+dir, "XDG_RUNTIME_DIR="+dir, "GDK_BACKEND=x11",
		"LIBGL_ALWAYS_SOFTWARE=1", "NO_AT_BRIDGE=1", "GTK_A11Y=none")
	if end, err = startGroup(l.t, program); err != nil {
		return "", nil, err
	}
	driver = webDriver("http://127.0.0.1:" + port)
	if err := until("WebKitWebDriver", func() (bool, error) {
		err := driver.call("GET", "/status", nil, nil)
		return err == nil, err
	}); err != nil {
		end()
		return "", nil, err
	}
	return driver, end, nil
}

// startUntilEnd starts a program and ends it with the test.
func startUntilEnd(t *testing.T, c *exec.Cmd) error {
	if err := c.Start(); err != nil {
		return err
	}
	t.Cleanup(func() {
		c.Process.Kill() // an error says that it has ended already
		c.Wait()         // an error says that it was killed
	})
	return nil
}

// startGroup starts a program. What it returns, or else the end of the test, ends it and all that it
// has started, which is why an interrupt from the terminal does not reach them.
func startGroup(t *testing.T, c *exec.Cmd) (end func(), err error) {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := c.Start(); err != nil {
		return nil, err
	}
	end = sync.OnceFunc(func() { // only here is the program waited for, so its number is still its own
		syscall.Kill(-c.Process.Pid, syscall.SIGKILL) // an error says that all have ended already
		c.Wait()                                      // an error says that it was killed
	})
	t.Cleanup(end)
	return end, nil
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, errors.Join(err, l.Close())
}

// Browser begins a session. Now and then the driver loses the browser that it has just started and
// never answers, or another program takes its port: another driver is tried then, since no page has
// been opened yet.
func (l *webkitLauncher) Browser(p profile) (browser, error) {
	b, err := l.session(p)
	for again := 0; err != nil && again < 2; again++ {
		l.t.Logf("another WebKitWebDriver is started: %v", err)
		b, err = l.session(p)
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}

func (l *webkitLauncher) session(p profile) (*webkitBrowser, error) {
	driver, end, err := l.startDriver()
	if err != nil {
		return nil, err
	}
	arguments := []string{"--automation", "--geometry=900x640"}
	if p.noCookies {
		arguments = append(arguments, "--cookies-policy=never")
	}
	if p.noScripts {
		arguments = append(arguments, "--enable-javascript=false")
	}
	var made struct{ SessionID string }
	err = driver.call("POST", "/session", object{"capabilities": object{"alwaysMatch": object{
		"acceptInsecureCerts": true, "pageLoadStrategy": "none",
		"webkitgtk:browserOptions": object{"binary": l.miniBrowser, "args": arguments}}}}, &made)
	if err != nil {
		end()
		return nil, err
	}
	return &webkitBrowser{session: driver + webDriver("/session/"+made.SessionID), end: end}, nil
}

type webkitBrowser struct {
	mu      sync.Mutex
	session webDriver
	end     func() // of the driver
	used    bool   // the window that a session begins with
}

func (b *webkitBrowser) OpenTab() (tab, error) {
	var handle string
	if !b.used {
		b.used = true
		err := b.session.call("GET", "/window", nil, &handle)
		return webkitTab{b, handle}, err
	}
	var made struct{ Handle string }
	err := b.session.call("POST", "/window/new", object{"type": "tab"}, &made)
	return webkitTab{b, made.Handle}, err
}

// ClearCookies opens a page of the site, since WebDriver deletes the cookies of the page in view.
func (b *webkitBrowser) ClearCookies(page string) error {
	opened, err := b.OpenTab()
	if err != nil {
		return err
	}
	t := opened.(webkitTab)
	if err := t.Navigate(page); err != nil {
		return err
	}
	if err := until("opening "+page, func() (bool, error) { at, err := t.URL(); return at == page, err }); err != nil {
		return err
	}
	return errors.Join(t.call("DELETE", "/cookie", nil, nil), t.call("DELETE", "/window", nil, nil))
}

// Close does not ask the driver, which may have hung.
func (b *webkitBrowser) Close() error {
	b.end()
	return nil
}

type webkitTab struct {
	browser *webkitBrowser
	handle  string
}

// call is for this tab: the driver has one tab in view.
func (t webkitTab) call(method, path string, parameters, result any) error {
	t.browser.mu.Lock()
	defer t.browser.mu.Unlock()
	if err := t.browser.session.call("POST", "/window", object{"handle": t.handle}, nil); err != nil {
		return err
	}
	return t.browser.session.call(method, path, parameters, result)
}

func (t webkitTab) Navigate(address string) error {
	return t.call("POST", "/url", object{"url": address}, nil)
}

func (t webkitTab) URL() (address string, err error) {
	err = t.call("GET", "/url", nil, &address)
	return address, err
}

func (t webkitTab) HTML() (html string, err error) {
	err = t.call("POST", "/execute/sync", object{"script": "return document.documentElement.outerHTML",
		"args": []any{}}, &html)
	return html, err
}

func (t webkitTab) Click(css string) error {
	var found map[string]string
	if err := until("clicking "+css, func() (bool, error) {
		err := t.call("POST", "/element", object{"using": "css selector", "value": css}, &found)
		return err == nil, err
	}); err != nil {
		return err
	}
	return t.call("POST", "/element/"+found[webElement]+"/click", object{}, nil)
}

func (t webkitTab) Type(text string) error {
	var found map[string]string
	if err := t.call("GET", "/element/active", nil, &found); err != nil {
		return err
	}
	return t.call("POST", "/element/"+found[webElement]+"/value", object{"text": text}, nil)
}

// webElement is a constant of the standard (W3C WebDriver, "Elements").
const webElement = "element-6066-11e4-a52e-4f735466cecf"

func (t webkitTab) Back() error   { return t.call("POST", "/back", object{}, nil) }
func (t webkitTab) Reload() error { return t.call("POST", "/refresh", object{}, nil) }

func (t webkitTab) Screenshot() ([]byte, error) {
	var shot string
	if err := t.call("GET", "/screenshot", nil, &shot); err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(shot)
}

// errNoAnswer says that a driver has hung or has ended. A page that is slow is another error.
var errNoAnswer = errors.New("the driver of the browser gives no answer")

// webDriver is the address of a driver, or of a session at one (W3C WebDriver).
type webDriver string

func (d webDriver) call(method, path string, parameters, result any) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	var body io.Reader
	if parameters != nil {
		text, err := json.Marshal(parameters)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, string(d)+path, body)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("%w: %w", errNoAnswer, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	var answer struct{ Value json.RawMessage }
	if err := json.Unmarshal(text, &answer); err != nil || response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s %s", method, path, response.Status, strings.TrimSpace(string(text)))
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(answer.Value, result)
}

package e2e

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

var firefox = engine{name: "firefox", programs: map[string]string{"firefox-esr": "firefox-esr"}, launch: launchFirefox}

// firefoxLauncher keeps one process for each profile; each browser is a user context ("container")
// of its own in it.
type firefoxLauncher struct {
	t       *testing.T
	started map[profile]*bidi
}

func launchFirefox(t *testing.T) (launcher, error) {
	return &firefoxLauncher{t, map[profile]*bidi{}}, nil
}

// firefoxPreferences are what a user can set in about:config, and what keeps a test quiet.
func firefoxPreferences(p profile) string {
	preferences := map[string]any{
		"dom.confirm_repost.testing.always_accept":   true, // a user's yes to "send the form again?"
		"browser.shell.checkDefaultBrowser":          false,
		"datareporting.policy.dataSubmissionEnabled": false,
		"app.update.enabled":                         false,
		"browser.startup.page":                       0,
		"remote.active-protocols":                    1, // WebDriver BiDi
	}
	if p.noCookies {
		preferences["network.cookie.cookieBehavior"] = 2 // "All cookies"
	}
	if p.noScripts {
		preferences["javascript.enabled"] = false
	}
	var b strings.Builder
	for name, value := range preferences {
		text, err := json.Marshal(value)
		if err != nil {
			panic(err) // they are plain values
		}
		fmt.Fprintf(&b, "user_pref(%q, %s);\n", name, text)
	}
	return b.String()
}

var bidiAddress = regexp.MustCompile(`WebDriver BiDi listening on (ws://\S+)`)

func (l *firefoxLauncher) start(p profile) (*bidi, error) {
	if b := l.started[p]; b != nil {
		return b, nil
	}
	dir, err := profileDir(l.t)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "user.js"), []byte(firefoxPreferences(p)), 0o600); err != nil {
		return nil, err
	}
	process := exec.Command("firefox-esr", "--headless", "--no-remote", "--remote-debugging-port=0", "--profile", dir,
		"--width=900", "--height=640", "about:blank")
	process.Env = append(os.Environ(), "HOME="+dir)
	output, err := process.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := startUntilEnd(l.t, process); err != nil {
		return nil, err
	}
	address, err := findLine(output, bidiAddress)
	if err != nil {
		return nil, err
	}
	b, err := dialBidi(address + "/session")
	if err != nil {
		return nil, err
	}
	l.started[p] = b
	return b, b.call("session.new",
		object{"capabilities": object{"alwaysMatch": object{"acceptInsecureCerts": true}}}, nil)
}

// findLine waits for the line of a program's output that says where it listens, and reads the rest
// to nowhere.
func findLine(output interface{ Read([]byte) (int, error) }, pattern *regexp.Regexp) (string, error) {
	found := make(chan string, 1)
	var seen strings.Builder
	go func() {
		lines := bufio.NewScanner(output)
		waiting := true
		for lines.Scan() {
			if m := pattern.FindStringSubmatch(lines.Text()); m != nil && waiting {
				found <- m[1]
				waiting = false
			}
			if waiting {
				seen.WriteString(lines.Text() + "\n")
			}
		}
		if waiting {
			close(found)
		}
	}()
	select {
	case address, ok := <-found:
		if !ok {
			return "", errors.New("the program ended: " + seen.String())
		}
		return address, nil
	case <-time.After(2 * patience):
		return "", fmt.Errorf("the program does not say where it listens within %v", 2*patience)
	}
}

func (l *firefoxLauncher) Browser(p profile) (browser, error) {
	b, err := l.start(p)
	if err != nil {
		return nil, err
	}
	var made struct{ UserContext string }
	if err := b.call("browser.createUserContext", object{"acceptInsecureCerts": true}, &made); err != nil {
		return nil, err
	}
	return firefoxBrowser{b, made.UserContext}, nil
}

type firefoxBrowser struct {
	*bidi
	userContext string
}

func (b firefoxBrowser) OpenTab() (tab, error) {
	var made struct{ Context string }
	err := b.call("browsingContext.create", object{"type": "tab", "userContext": b.userContext}, &made)
	return firefoxTab{b.bidi, made.Context}, err
}

func (b firefoxBrowser) ClearCookies(string) error {
	return b.call("storage.deleteCookies",
		object{"partition": object{"type": "storageKey", "userContext": b.userContext}}, nil)
}

func (b firefoxBrowser) Close() error {
	return b.call("browser.removeUserContext", object{"userContext": b.userContext}, nil)
}

type firefoxTab struct {
	*bidi
	context string
}

func (t firefoxTab) Navigate(address string) error {
	return t.call("browsingContext.navigate", object{"context": t.context, "url": address, "wait": "none"}, nil)
}

func (t firefoxTab) URL() (string, error) {
	var tree struct{ Contexts []struct{ URL string } }
	err := t.call("browsingContext.getTree", object{"root": t.context, "maxDepth": 0}, &tree)
	if err == nil && len(tree.Contexts) != 1 {
		err = errors.New("the tab is gone")
	}
	if err != nil {
		return "", err
	}
	return tree.Contexts[0].URL, nil
}

func (t firefoxTab) HTML() (html string, err error) {
	err = t.evaluate("document.documentElement.outerHTML", &html)
	return html, err
}

// evaluate runs in a sandbox of ours, which the page cannot see, and gives text.
func (t firefoxTab) evaluate(expression string, into *string) error {
	var answer struct {
		Type             string
		Result           struct{ Value string }
		ExceptionDetails struct{ Text string }
	}
	if err := t.call("script.evaluate",
		object{"expression": expression, "target": object{"context": t.context, "sandbox": "e2e"},
			"awaitPromise": false}, &answer); err != nil {
		return err
	}
	if answer.Type != "success" {
		return errors.New(answer.ExceptionDetails.Text)
	}
	*into = answer.Result.Value
	return nil
}

func (t firefoxTab) Click(css string) error {
	var found struct{ Nodes []struct{ SharedID string } }
	if err := until("clicking "+css, func() (bool, error) {
		err := t.call("browsingContext.locateNodes",
			object{"context": t.context, "locator": object{"type": "css", "value": css}, "maxNodeCount": 1}, &found)
		return len(found.Nodes) == 1, err
	}); err != nil {
		return err
	}
	origin := object{"type": "element", "element": object{"sharedId": found.Nodes[0].SharedID}}
	return t.call("input.performActions",
		object{"context": t.context, "actions": []any{object{"type": "pointer", "id": "mouse", "actions": []any{
			object{"type": "pointerMove", "x": 0, "y": 0, "origin": origin}, object{"type": "pointerDown",
				"button": 0}, object{"type": "pointerUp", "button": 0}}}}}, nil)
}

func (t firefoxTab) Type(text string) error {
	var keys []any
	for _, r := range text {
		keys = append(keys, object{"type": "keyDown", "value": string(r)}, object{"type": "keyUp", "value": string(r)})
	}
	return t.call("input.performActions", object{"context": t.context,
		"actions": []any{object{"type": "key", "id": "keyboard", "actions": keys}}}, nil)
}

func (t firefoxTab) Back() error {
	return t.call("browsingContext.traverseHistory", object{"context": t.context, "delta": -1}, nil)
}

func (t firefoxTab) Reload() error {
	return t.call("browsingContext.reload", object{"context": t.context, "wait": "none"}, nil)
}

func (t firefoxTab) Screenshot() ([]byte, error) {
	var shot struct{ Data string }
	if err := t.call("browsingContext.captureScreenshot", object{"context": t.context}, &shot); err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(shot.Data)
}

type object = map[string]any

// bidi is a client of WebDriver BiDi (W3C): commands with numbers over one web socket. Events are
// not subscribed to.
type bidi struct {
	socket *websocket.Conn
	mu     sync.Mutex
	last   int
}

func dialBidi(address string) (*bidi, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	socket, _, err := websocket.Dial(ctx, address, nil)
	if err != nil {
		return nil, err
	}
	socket.SetReadLimit(64 << 20) // a screenshot
	return &bidi{socket: socket}, nil
}

// call sends one command and waits for its answer.
func (b *bidi) call(method string, parameters object, result any) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	b.last++
	command, err := json.Marshal(object{"id": b.last, "method": method, "params": parameters})
	if err != nil {
		return err
	}
	if err := b.socket.Write(ctx, websocket.MessageText, command); err != nil {
		return err
	}
	for {
		_, text, err := b.socket.Read(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", method, err)
		}
		var answer struct {
			ID             int
			Error, Message string
			Result         json.RawMessage
		}
		switch err := json.Unmarshal(text, &answer); {
		case err != nil:
			return err
		case answer.ID != b.last: // an event
			continue
		case answer.Error != "":
			return fmt.Errorf("%s: %s: %s", method, answer.Error, answer.Message)
		case result == nil:
			return nil
		}
		return json.Unmarshal(answer.Result, result)
	}
}

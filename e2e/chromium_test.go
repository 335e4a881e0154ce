package e2e

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

var chromium = engine{name: "chromium", programs: map[string]string{"chromium": "chromium"}, launch: launchChromium}

// chromiumLauncher keeps one process for each profile; each browser is a context of its own in it.
type chromiumLauncher struct {
	t       *testing.T
	started map[bool]context.Context // by profile.noCookies
}

func launchChromium(t *testing.T) (launcher, error) {
	return &chromiumLauncher{t, map[bool]context.Context{}}, nil
}

// blockedCookies is what Settings > Privacy > "Block all cookies" writes.
const blockedCookies = `{"profile":{"default_content_setting_values":{"cookies":2}}}`

func (l *chromiumLauncher) start(noCookies bool) (context.Context, error) {
	if ctx := l.started[noCookies]; ctx != nil {
		return ctx, nil
	}
	dir, err := profileDir(l.t)
	if err != nil {
		return nil, err
	}
	if noCookies {
		if err := errors.Join(os.Mkdir(filepath.Join(dir, "Default"), 0o700),
			os.WriteFile(filepath.Join(dir, "Default", "Preferences"), []byte(blockedCookies), 0o600)); err != nil {
			return nil, err
		}
	}
	key, err := x509.MarshalPKIXPublicKey(certificate.Leaf.PublicKey)
	if err != nil {
		return nil, err
	}
	pin := sha256.Sum256(key)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath("chromium"), chromedp.NoSandbox,
		chromedp.DisableGPU,
		chromedp.UserDataDir(dir), chromedp.WindowSize(900, 640), chromedp.Flag("disable-quic",
			true), chromedp.Flag("disable-component-update", true),
		// One certificate is taken as good, all others are judged: with ignored errors pages would
		// not be cached as usual.
		chromedp.Flag("ignore-certificate-errors-spki-list", base64.StdEncoding.EncodeToString(pin[:])))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ := chromedp.NewContext(allocator)
	l.t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			l.t.Log(err)
		}
		stop()
	})
	l.started[noCookies] = ctx
	return ctx, chromedp.Do(ctx) // starts it, without a deadline, which would end it too
}

func (l *chromiumLauncher) Browser(p profile) (browser, error) {
	root, err := l.start(p.noCookies)
	if err != nil {
		return nil, err
	}
	ctx, cancel := chromedp.NewContext(root, chromedp.WithNewBrowserContext())
	b := &chromiumBrowser{ctx: ctx, cancel: cancel, profile: p}
	return b, chromedp.Do(ctx)
}

type chromiumBrowser struct {
	ctx     context.Context
	cancel  context.CancelFunc
	profile profile
	used    bool // the tab that a context begins with
}

func (b *chromiumBrowser) OpenTab() (tab, error) {
	ctx := b.ctx
	if b.used {
		ctx, _ = chromedp.NewContext(b.ctx) // ends with b.ctx
	}
	b.used = true
	if err := chromedp.Do(ctx); err != nil {
		return nil, err
	}
	t := chromiumTab{ctx}
	if b.profile.noScripts {
		if _, err := call(t, emulation.SetScriptExecutionDisabled,
			emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func (b *chromiumBrowser) ClearCookies(string) error {
	_, err := call(chromiumTab{b.ctx}, network.ClearBrowserCookies, cdp.Empty{})
	return err
}

func (b *chromiumBrowser) Close() error {
	b.cancel()
	return nil
}

type chromiumTab struct{ ctx context.Context }

func call[P, R any](t chromiumTab, c cdp.Command[P, R], parameters P) (R, error) {
	ctx, cancel := context.WithTimeout(t.ctx, patience)
	defer cancel()
	return chromedp.Call(ctx, c, parameters)
}

func (t chromiumTab) Navigate(address string) error {
	result, err := call(t, page.Navigate, page.NavigateParams{URL: address})
	if err == nil && result.ErrorText != "" {
		err = errors.New(result.ErrorText)
	}
	return err
}

func (t chromiumTab) URL() (string, error) {
	tree, err := call(t, page.GetFrameTree, cdp.Empty{})
	if err != nil {
		return "", err
	}
	return tree.FrameTree.Frame.URL + tree.FrameTree.Frame.URLFragment, nil
}

func (t chromiumTab) HTML() (html string, err error) {
	err = t.evaluate("document.documentElement.outerHTML", &html)
	return html, err
}

func (t chromiumTab) evaluate(expression string, into any) error {
	result, err := call(t, runtime.Evaluate, runtime.EvaluateParams{Expression: expression, ReturnByValue: new(true)})
	switch {
	case err != nil:
		return err
	case result.ExceptionDetails != nil:
		return errors.New(result.ExceptionDetails.Text)
	}
	return json.Unmarshal(result.Result.Value, into)
}

// middle is where an element is clicked.
const middle = `(() => { const e = document.querySelector(%q); e.scrollIntoView({block: "nearest"}); const r = e.getBoundingClientRect(); return {x: r.x + r.width/2, y: r.y + r.height/2} })()`

func (t chromiumTab) Click(css string) error {
	var at struct{ X, Y float64 }
	if err := until("clicking "+css,
		func() (bool, error) { err := t.evaluate(fmt.Sprintf(middle, css), &at); return err == nil, err }); err != nil {
		return err
	}
	for _, kind := range []input.DispatchMouseEventType{input.DispatchMouseEventTypeMousePressed,
		input.DispatchMouseEventTypeMouseReleased} {
		if _, err := call(t, input.DispatchMouseEvent, input.DispatchMouseEventParams{Type: kind, X: at.X, Y: at.Y,
			Button: input.MouseButtonLeft, ClickCount: 1}); err != nil {
			return err
		}
	}
	return nil
}

func (t chromiumTab) Type(text string) error {
	_, err := call(t, input.InsertText, input.InsertTextParams{Text: text})
	return err
}

func (t chromiumTab) Back() error {
	// Later, so that the answer to this call comes from the page that is still there.
	_, err := call(t, runtime.Evaluate, runtime.EvaluateParams{Expression: "setTimeout(() => history.back())"})
	return err
}

func (t chromiumTab) Reload() error {
	_, err := call(t, page.Reload, page.ReloadParams{})
	return err
}

func (t chromiumTab) Screenshot() ([]byte, error) {
	shot, err := call(t, page.CaptureScreenshot, page.CaptureScreenshotParams{})
	return shot.Data, err
}

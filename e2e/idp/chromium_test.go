//go:build idp

package idp

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// chromium is a real browser with one tab and a new profile.
type chromium struct {
	*testing.T
	ctx context.Context // ends after a minute
}

// startChromium starts a browser that ends with the test.
func startChromium(t *testing.T) chromium {
	t.Helper()
	need{[]string{"chromium", "--version"}, "the Debian package chromium"}.check(t)
	// a shorter path than that of t.TempDir: the browser puts sockets into it
	dir, err := os.MkdirTemp("", "idp-chromium-")
	if err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath("chromium"), chromedp.NoSandbox,
		chromedp.DisableGPU,
		chromedp.UserDataDir(dir), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Log(err)
		}
		stop()
		// its last processes may still be writing; what they leave is in the folder for temporary
		// files
		os.RemoveAll(dir)
	})
	if err := chromedp.Do(ctx); err != nil { // starts it, without a deadline, which would end it too
		t.Fatal(err)
	}
	limited, cancel := context.WithTimeout(ctx, time.Minute)
	t.Cleanup(cancel)
	return chromium{t, limited}
}

// signIn opens an address that leads to the product's page, and types into its fields.
func (c chromium) signIn(address, user, password, button, name, secret string) {
	c.Helper()
	if err := chromedp.Do(c.ctx, chromedp.Navigate(address), chromedp.WaitVisible(chromedp.CSS(user)),
		chromedp.SendKeys(chromedp.CSS(user), name), chromedp.SendKeys(chromedp.CSS(password), secret),
		chromedp.Click(chromedp.CSS(button))); err != nil {
		c.Fatal(err)
	}
}

// visit opens an address, with its frames and images.
func (c chromium) visit(address string) {
	c.Helper()
	if err := chromedp.Do(c.ctx, chromedp.Navigate(address)); err != nil {
		c.Fatal(err)
	}
}

// want waits until the page has one of the texts, and returns it.
func (c chromium) want(texts ...string) string {
	c.Helper()
	text, err := "", error(nil)
	for c.ctx.Err() == nil {
		// a page that is just going away cannot be asked
		text, err = chromedp.Run(c.ctx, chromedp.Evaluate[string]("document.body.innerText"))
		for _, want := range texts {
			if err == nil && strings.Contains(text, want) {
				return want
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	c.Fatalf("the page says %q (%v), want one of %q", text, err, texts)
	return ""
}

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"
)

// A browser is one profile of a browser: its tabs share their cookies with each other and with
// nobody else.
type browser interface {
	OpenTab() (tab, error)
	ClearCookies(page string) error // at least those of the page's host; opening it must change nothing
	Close() error
}

// A tab is one page at a time. No method but Click waits for a page; see visit.want.
type tab interface {
	Navigate(address string) error
	URL() (string, error)
	HTML() (string, error)
	Click(css string) error // the user's click, or what the engine has that comes nearest to it
	Type(text string) error // into the field that the page has put the cursor into
	Back() error
	Reload() error // with the answer "yes" to the question whether to post a form again
	Screenshot() (png []byte, err error)
}

// profile is what a scenario wants to be different from a new profile.
type profile struct {
	noCookies bool // the user has blocked them
	noScripts bool
}

// An engine launches browsers of one make.
type engine struct {
	name     string
	programs map[string]string // what must be there -> Debian package that has it
	launch   func(t *testing.T) (launcher, error)
}

// A launcher makes browsers for the length of one test.
type launcher interface {
	Browser(p profile) (browser, error)
}

// require skips a test whose program is not installed, or fails it where all must be there.
func require(t *testing.T, programs map[string]string) {
	t.Helper()
	for program, deb := range programs {
		if _, err := exec.LookPath(program); err == nil {
			continue
		}
		if os.Getenv("SAML_TEST_REQUIRE") == "all" {
			t.Fatalf("%s is missing: install the Debian package %s", program, deb)
		}
		t.Skipf("%s is missing: install the Debian package %s", program, deb)
	}
}

const (
	patience = 30 * time.Second // for one page, on a busy machine
	interval = 40 * time.Millisecond
)

// until asks again and again whether done, because a browser tells nobody when the last of several
// pages that post themselves is there.
func until(what string, done func() (bool, error)) error {
	end := time.Now().Add(patience)
	var last error
	for time.Now().Before(end) {
		ok, err := done()
		if ok && err == nil {
			return nil
		}
		last = err // a page that is just going away cannot be asked
		time.Sleep(interval)
	}
	return fmt.Errorf("%s: not within %v (%w)", what, patience, orNothing(last))
}

func orNothing(err error) error {
	if err == nil {
		return context.DeadlineExceeded
	}
	return err
}

// retryRemove removes the profile of a browser whose last processes may still be writing.
func retryRemove(t *testing.T, dir string) {
	if err := until("removing "+dir, func() (bool, error) {
		err := os.RemoveAll(dir)
		return err == nil,
			err
	}); err != nil {
		t.Log(err)
	}
}

// profileDir makes a directory for a browser's profile. Its path is shorter than that of t.TempDir,
// since browsers put sockets into it.
func profileDir(t *testing.T) (string, error) {
	dir, err := os.MkdirTemp("", "e2e-")
	if err == nil {
		t.Cleanup(func() { retryRemove(t, dir) })
	}
	return dir, err
}

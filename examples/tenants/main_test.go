package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// TestTwoReplicas: a sign-in goes from one replica to the other and back, and so does the session,
// whether it fits into the cookie or not. A sign-out on one holds on the other.
func TestTwoReplicas(t *testing.T) {
	t.Parallel()
	for _, groups := range []int{1, 150} {
		t.Run(fmt.Sprintf("%d groups", groups), func(t *testing.T) { testTwoReplicas(t, groups) })
	}
}

func testTwoReplicas(t *testing.T, groups int) {
	t.Parallel()
	c := newCluster(t)
	idp := c.add("acme", person("acme.example", groups))
	b := c.browser()
	page := fmt.Sprintf("ioana@acme.example, in %d groups", groups)

	form := b.at(0).begin("/t/acme/jobs?state=open")
	r, err := b.at(1).finish(form)
	c.want("begun on one, finished on the other", r, err, base+"/t/acme/jobs?state=open", page)
	r, err = b.at(0).Get(base + "/t/acme/")
	c.want("the session on the first", r, err, base+"/t/acme/", page)

	b = c.browser() // its session has not been on the second replica, which would trust it for ten seconds
	r, err = b.at(0).finish(b.at(0).begin("/t/acme/"))
	c.want("a session of the first", r, err, base+"/t/acme/", page)
	thief := b.copy() // has the cookies from before the sign-out
	r, err = b.PostForm(base+"/sign-out", nil)
	c.want("the sign-out", r, err, base+"/", "Nobody is signed in")
	for replica := range c.replicas {
		r, err = thief.at(replica).Get(base + "/t/acme/")
		c.want("a copy of the ended session", r, err, idp.LoginURL(), "")
	}
}

// TestAnswerTwice: what one replica has accepted, the other refuses.
func TestAnswerTwice(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	idp := c.add("acme", person("acme.example", 1))
	b := c.browser()
	form := b.at(0).begin("/t/acme/")
	thief := b.copy()
	r, err := b.at(0).finish(form)
	c.want("the answer", r, err, base+"/t/acme/", "ioana@acme.example")
	r, err = thief.at(1).finish(form)
	c.want("the answer again, from who is not signed in", r, err, idp.LoginURL(), "")
}

// TestTenantsApart: a user of one tenant is never one of another.
func TestTenantsApart(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	acme, globex := c.add("acme", person("acme.example", 1)), c.add("globex", person("globex.example", 1))
	globex.SignInAs(samltest.User{}) // signed out: its page asks who signs in
	b := c.browser()
	r, err := b.finish(b.begin("/t/acme/"))
	c.want("a user of acme", r, err, base+"/t/acme/", "ioana@acme.example")

	r, err = b.Get(base + "/t/globex/")
	c.want("the user of acme at globex", r, err, globex.LoginURL(), "Who signs in?")
	r, err = b.Get(base + "/t/initech/")
	c.want("the user of acme at a name that nobody has", r, err, base+"/t/initech/", string(saml.CodeNotConfigured))
	r, err = b.Get(base + "/")
	c.want("the page that names no tenant", r, err, base+"/t/acme/", "ioana@acme.example")

	form := b.copy().begin(redirectPath("acme") + "?fresh=1")
	form.Action = base + redirectPath("globex")
	r, err = b.finish(form)
	c.want("an answer for acme at globex", r, err, base+redirectPath("globex"),
		string(saml.CodeStateInvalid))

	globex.SignInAs(person("globex.example", 1))
	visitor := c.browser()
	form = visitor.begin("/t/globex/")
	value, err := acme.Respond(samltest.Answer{RequestID: c.inResponseTo(form), Recipient: form.Action})
	if err != nil {
		t.Fatal(err)
	}
	form.Values.Set("SAMLResponse", value)
	r, err = visitor.finish(form)
	c.want("an answer of acme's provider for globex", r, err, form.Action, string(saml.CodeResponseIssuer))
	r, err = visitor.Get(base + "/")
	c.want("after it", r, err, base+"/", "Nobody is signed in")
}

// TestSettingsChange: replicas that run take new settings at once, and sessions of the old ones end.
func TestSettingsChange(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.add("acme", person("acme.example", 1))
	b := c.browser()
	r, err := b.at(0).finish(b.begin("/t/acme/"))
	c.want("before", r, err, base+"/t/acme/", "ioana@acme.example")

	idp := c.add("acme", person("new.acme.example", 1))
	for replica := range c.replicas {
		r, err = b.copy().at(replica).Get(base + "/t/acme/")
		c.want("a session of the old settings", r, err, idp.LoginURL(), "")
	}
	r, err = b.at(1).finish(b.begin("/t/acme/"))
	c.want("after", r, err, base+"/t/acme/", "ioana@new.acme.example")
}

// TestWhatAddRefuses: settings that nobody could sign in with are not saved.
func TestWhatAddRefuses(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	empty := filepath.Join(t.TempDir(), "empty.xml")
	if err := os.WriteFile(empty, []byte("<a/>"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"acme": "saml: ", "../acme": "want 1 to 40 of a-z"} {
		output, err := c.command("-add", name, "-metadata", empty).CombinedOutput()
		if err == nil || !strings.Contains(string(output), want) {
			t.Errorf("%s: got %v, %s, want %q", name, err, output, want)
		}
	}
	r, err := c.browser().Get(base + "/t/acme/")
	c.want("after it", r, err, base+"/t/acme/", string(saml.CodeNotConfigured))
}

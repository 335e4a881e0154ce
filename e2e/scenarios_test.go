package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

const (
	email    = "ioana.turcanu@example.com"
	choose   = `button[value="` + email + `"]`
	asking   = "Who signs in?"
	again    = "main a"
	goOn     = "button"
	signOut  = "#sign-out"
	signedIn = email + " is at "
)

// A scenario is written once and played by each engine.
type scenario struct {
	name    string
	profile profile
	config  func(*saml.Config)
	play    func(v *visit)
}

// A visit is one user with one browser at one world.
type visit struct {
	*testing.T
	*world
	browser browser
	report  *report
	page    tab
	outcome string
	retry   bool // if the browser is lost, the scenario may begin again
}

// lostBrowser is the panic of a visit whose browser no longer answers. Now and then a driver hangs; a
// service that hangs does so the second time too.
type lostBrowser struct{ error }

func TestBrowsers(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			require(t, e.programs)
			launcher, err := e.launch(t)
			if err != nil {
				t.Fatal(err)
			}
			r := newReport(t, e.name)
			for _, s := range slices.Concat(scenarios, logoutScenarios) {
				t.Run(s.name, func(t *testing.T) {
					play(t, launcher, r, s)
				})
			}
			r.write(t)
		})
	}
}

// play plays a scenario, once more if its browser is lost.
func play(t *testing.T, l launcher, r *report, s scenario) {
	if lost := playOnce(t, l, r, s, true); lost != nil {
		t.Logf("the browser no longer answers, and the scenario begins again: %v", lost)
		playOnce(t, l, r, s, false)
	}
}

// playOnce returns why the browser was lost, which may only be if retry is set.
func playOnce(t *testing.T, l launcher, r *report, s scenario, retry bool) (lost error) {
	b, err := l.Browser(s.profile)
	if err != nil {
		t.Fatal(err)
	}
	v := &visit{T: t, world: newWorld(t, s.config), browser: b, report: r, retry: retry}
	defer func() {
		caught := recover()
		closing := b.Close()
		if why, ok := caught.(lostBrowser); ok && !t.Failed() {
			lost = why.error
			return
		}
		if caught != nil {
			panic(caught)
		}
		if closing != nil {
			t.Error(closing)
		}
		if t.Failed() {
			v.outcome = "FAILED"
		}
		r.add(s.name, v.outcome, v.recorded())
	}()
	v.page = v.open()
	s.play(v)
	return nil
}

// answered panics if an error says that the browser gave no answer at all, and there is another try.
func (v *visit) answered(err error) {
	if v.retry && errors.Is(err, errNoAnswer) {
		panic(lostBrowser{err})
	}
}

func (v *visit) must(err error) {
	v.Helper()
	v.answered(err)
	if err != nil {
		v.Fatal(err)
	}
}

func (v *visit) open() tab {
	v.Helper()
	t, err := v.browser.OpenTab()
	v.must(err)
	return t
}

func (v *visit) visit(address string) {
	v.Helper()
	v.must(v.page.Navigate(address))
}

// want waits until the page has one of the texts, and tells which.
func (v *visit) want(texts ...string) string {
	v.Helper()
	var html, found string
	err := until(fmt.Sprintf("a page with %q", texts), func() (bool, error) {
		var err error
		if html, err = v.page.HTML(); err != nil {
			return false, err
		}
		i := slices.IndexFunc(texts, func(text string) bool { return strings.Contains(html, text) })
		if i >= 0 {
			found = texts[i]
		}
		return i >= 0, nil
	})
	v.answered(err)
	if err != nil {
		address, _ := v.page.URL()
		v.Fatalf("%v; there is %s: %s", err, address, html)
	}
	return found
}

func (v *visit) wantHost() {
	v.Helper()
	address, err := v.page.URL()
	v.must(err)
	if !strings.HasPrefix(address, v.service.URL+"/") {
		v.Errorf("the page is %s, want one of %s", address, v.service.URL)
	}
}

// wantFailure waits for the error page with this code.
func (v *visit) wantFailure(code saml.Code) {
	v.Helper()
	v.want("<code>" + string(code) + "</code>")
}

func (v *visit) click(css string) {
	v.Helper()
	v.must(v.page.Click(css))
}

// clearCookies deletes those of the service.
func (v *visit) clearCookies() {
	v.Helper()
	v.must(v.browser.ClearCookies(v.url("/favicon.ico")))
}

// signIn opens a page that asks for a sign-in, picks the user, and ends on that page.
func (v *visit) signIn(path string) {
	v.Helper()
	v.visit(v.url(path))
	v.want(asking)
	v.click(choose)
	v.want(signedIn + path + "<")
}

func (v *visit) picture(name string) {
	v.Helper()
	png, err := v.page.Screenshot()
	v.must(err)
	v.report.picture(v.T, name, png)
}

// posts counts the forms that the service got.
func (v *visit) posts() (n int) {
	for _, l := range v.recorded() {
		if l.Method == "POST" {
			n++
		}
	}
	return n
}

// wantTwoLegs checks the two legs of the last sign-in: none with the identity provider's post, the
// pending login with our own.
func (v *visit) wantTwoLegs() {
	v.Helper()
	var posts []leg
	for _, l := range v.recorded() {
		if l.Method == "POST" && l.Path == saml.DefaultRedirectPath {
			posts = append(posts, l)
		}
	}
	if len(posts) != 2 {
		v.Fatalf("there were %d posts, want 2: %+v", len(posts), posts)
	}
	if len(posts[0].Cookies) != 0 || posts[0].Site != "cross-site" || posts[0].Status != 200 {
		v.Errorf("the first leg was %+v, want it cross-site and without cookies", posts[0])
	}
	if !slices.ContainsFunc(posts[1].Cookies, anyLogin.MatchString) ||
		posts[1].Site != "same-origin" || posts[1].Status != 303 {
		v.Errorf("the second leg was %+v, want it same-origin with the binding of the browser", posts[1])
	}
}

var scenarios = []scenario{
	{name: "deep link", play: func(v *visit) {
		v.signIn("/jobs?id=7")
		v.wantHost()
		v.wantTwoLegs()
		v.visit(v.url("/queries"))
		v.want(signedIn + "/queries")
		v.outcome = "back at the link; the next page asks nobody"
	}},
	{name: "plain GET on the Redirect URL", play: func(v *visit) {
		v.visit(v.sp.RedirectURL())
		v.want(asking)
		v.click(choose)
		v.want(signedIn + "/<")
		v.visit(v.sp.RedirectURL())
		v.want(signedIn + "/<")
		v.outcome = "home; the second time home at once"
	}},
	{name: "two tabs, the first finishes first", play: func(v *visit) { v.twoTabs(0, 1) }},
	{name: "two tabs, the second finishes first", play: func(v *visit) { v.twoTabs(1, 0) }},
	{name: "ten tabs, answered one after the other", play: func(v *visit) { v.manyTabs(10, 10, false) }},
	{name: "thirty tabs with addresses of 900 bytes restored at once", play: func(v *visit) {
		v.idp.SignInAs(samltest.DefaultUsers()[0])
		v.manyTabs(30, 900, true)
	}},
	{name: "a link of 8 KiB", play: func(v *visit) {
		v.signIn("/jobs?q=" + strings.Repeat("q", 8<<10-len("/jobs?q=")))
		v.outcome = "back at the link"
	}},
	{name: "a place behind #", play: func(v *visit) {
		v.visit(v.url("/console/?tab=2#/sql/42"))
		v.want(asking)
		v.click(choose)
		v.want(signedIn + "/console/?tab=2<")
		v.wantAddress(v.url("/console/?tab=2#/sql/42"))
		v.outcome = "back at the place, on a plain visit"
	}},
	{name: "a place behind #, on an alias host", play: func(v *visit) {
		v.visit(v.alias("/console/#/sql/42"))
		v.want(asking)
		v.click(choose)
		v.want(signedIn + "/console/<")
		v.wantAddress(v.url("/console/#/sql/42"))
		v.outcome = "back at the place, on the host of BaseURL"
	}},
	{name: "a place behind #, the request goes by POST", config: byPOST, play: func(v *visit) {
		v.visit(v.url("/console/?tab=2#/sql/42"))
		v.want(asking)
		v.click(choose)
		v.want(signedIn + "/console/?tab=2<")
		v.wantAddress(v.url("/console/?tab=2#/sql/42"))
		v.outcome = "back at the place"
	}},
	{name: "a place behind # of a link of 5 KB", play: func(v *visit) {
		link := "/jobs?q=" + strings.Repeat("q", 5000)
		v.visit(v.url(link + "#/sql/42"))
		v.want(asking)
		v.click(choose)
		v.want(signedIn + link + "<")
		v.wantAddress(v.url(link + "#/sql/42"))
		v.visit(v.sp.RedirectURL() + "?return_to=" + link + "#/sql/43") // signed in
		v.want(signedIn + link + "<")
		v.wantAddress(v.url(link + "#/sql/43"))
		v.outcome = "back at the place, also by a link when signed in"
	}},
	{name: "9 KB behind #", play: func(v *visit) {
		v.visit(v.url("/console/?tab=2#" + strings.Repeat("x", 9000)))
		v.want(asking)
		v.click(choose)
		v.want(signedIn + "/console/?tab=2<")
		v.outcome = "back at the page, without what is behind #"
	}},
	{name: "the button after a link of 5 KB", play: func(v *visit) {
		link := "/jobs?q=" + strings.Repeat("q", 5000)
		v.visit(v.url(link))
		v.want(asking)
		v.clearCookies()
		v.click(choose)
		v.wantFailure(saml.CodeStateMissing)
		v.click("main button")
		v.want(asking)
		v.click(choose)
		v.want(signedIn + link + "<")
		v.outcome = "the button posts the link, and the login ends there"
	}},
	{name: "a long link, scripts off", profile: profile{noScripts: true}, play: func(v *visit) {
		v.visit(v.url("/jobs?q=" + strings.Repeat("q", 1500)))
		v.want(asking)
		v.click(choose)
		v.want("Continue</button>")
		v.click(goOn)
		v.want("Press Continue to go on.")
		v.click(goOn)
		v.want(signedIn + "/jobs?q=")
		v.outcome = "back at the link by the cookie"
	}},
	{name: "Back after sign-in", play: func(v *visit) {
		v.visit(v.url("/public"))
		v.want("A public page")
		v.click("#link")
		v.want(asking)
		v.click(choose)
		v.want(signedIn + "/jobs<")
		v.must(v.page.Back())
		found := v.want(asking, "A public page", signedIn+"/<")
		v.outcome = fmt.Sprintf("Back shows %q", found)
		if found == asking { // the user picks once more: the same request is answered twice
			v.click(choose)
			v.want(signedIn + "/jobs<")
			v.outcome += ", and picking a user once more ends at the link"
		}
		// The browser that is signed in shows no error, and an event says that the answer came
		// again.
		if codes := v.codes(); len(codes) > 1 || len(codes) == 1 && codes[0] != saml.CodeStateMissing &&
			codes[0] != saml.CodeReplayed {
			v.Errorf("refusals: %v", codes)
		}
	}},
	{name: "reload of the POST", play: func(v *visit) {
		v.visit(v.url("/jobs"))
		v.want(asking)
		v.clearCookies()
		v.click(choose)
		v.wantFailure(saml.CodeStateMissing)
		v.must(v.page.Reload())
		v.must(until("a second refusal", func() (bool, error) { return len(v.codes()) == 2, nil }))
		v.wantFailure(saml.CodeStateMissing)
		old := v.page
		v.page = v.open()
		v.signIn("/queries")
		v.page = old
		v.must(v.page.Reload())
		v.want(signedIn + "/jobs<")
		v.outcome = "the error page posts again and says the same; once another tab has signed in, it ends at its own link"
	}},
	{name: "pending login older than an hour", play: func(v *visit) {
		v.visit(v.url("/jobs"))
		v.want(asking)
		v.advance(61 * time.Minute)
		v.click(choose)
		v.wantFailure(saml.CodeStateExpired)
		v.picture("error-state_expired")
		v.click(again)
		v.want(asking)
		v.click(choose)
		v.want(signedIn + "/jobs<")
		v.outcome = "page \"took too long\"; its button signs in, and the link is still known"
	}},
	{name: "cookies deleted in between", play: func(v *visit) {
		v.visit(v.url("/jobs"))
		v.want(asking)
		v.clearCookies()
		v.click(choose)
		v.wantFailure(saml.CodeStateMissing)
		v.click(again)
		v.want(asking)
		v.click(choose)
		v.want(signedIn + "/jobs<")
		v.outcome = "page \"did not keep the sign-in\"; its button signs in, and the tab knows the link"
	}},
	{name: "cookies blocked", profile: profile{noCookies: true}, play: func(v *visit) {
		v.visit(v.url("/jobs"))
		v.want(asking)
		v.click(choose)
		v.wantFailure(saml.CodeStateMissing)
		for _, l := range v.recorded() {
			if len(l.Cookies) > 0 {
				v.Errorf("a cookie arrived: %+v", l)
			}
		}
		v.outcome = "page \"did not keep the sign-in\", no loop"
	}},
	{name: "scripts off", profile: profile{noScripts: true}, play: func(v *visit) {
		v.visit(v.url("/jobs"))
		v.want(asking)
		v.picture("choice-of-users")
		v.click(choose)
		v.want("Continue</button>")
		v.click(goOn) // the identity provider's
		v.want("Press Continue to go on.")
		v.wantHost()
		v.picture("posting-page")
		if n := v.posts(); n != 1 { // a browser with scripts would have gone on
			v.Errorf("there were %d posts before the click, want 1", n)
		}
		v.must(v.page.Reload())
		v.must(until("a second first leg", func() (bool, error) { return v.posts() == 2, nil }))
		v.want("Press Continue to go on.")
		v.click(goOn)
		v.want(signedIn + "/jobs")
		v.outcome = "two clicks on Continue, with a reload before the second"
	}},
	{name: "start on an alias host", play: func(v *visit) {
		v.visit(v.alias("/jobs"))
		v.want(asking)
		v.click(choose)
		v.want(signedIn + "/jobs")
		v.wantHost()
		v.outcome = "ends at the link, on the host of BaseURL"
	}},
	{name: "sign-out", play: func(v *visit) {
		v.signIn("/jobs")
		v.picture("protected-page")
		v.click(signOut)
		v.want("You are signed out")
		v.picture("signed-out")
		v.visit(v.url("/jobs"))
		v.want(asking)
		v.outcome = "public page; the protected page asks again"
	}},
	{name: "a form over a sign-in", play: formOverSignIn},
	{name: "a form over a sign-in, scripts off", profile: profile{noScripts: true}, play: formWithoutScripts},
	{name: "a form over a sign-in, as another user", play: formOfAnother},
	{name: "a form over a sign-in, posted by another site", play: formFromElsewhere},
	{name: "login CSRF", play: func(v *visit) {
		v.visit(v.url("/jobs")) // the attacker's browser, which does not finish
		v.want(asking)
		attack := v.answer(samltest.Answer{})
		victim, err := v.browser.OpenTab()
		v.must(err)
		v.clearCookies() // from here on it is the victim's
		v.page = victim
		v.visit(attack)
		v.wantFailure(saml.CodeStateMissing)
		v.visit(v.url("/jobs"))
		v.want(asking)
		v.outcome = "refused, and nobody is signed in"
	}},
	{name: "login CSRF, straight at the second leg", play: func(v *visit) {
		v.visit(v.url("/jobs"))
		v.want(asking)
		v.clearCookies()
		v.visit(v.secondLegOf(samltest.Answer{}))
		v.wantFailure(saml.CodeStateMissing)
		v.outcome = "refused"
	}},
	{name: "answer to the former address", play: func(v *visit) {
		v.visit(v.url("/jobs"))
		v.want(asking)
		v.visit(v.answer(samltest.Answer{Recipient: v.former.URL + saml.DefaultRedirectPath}))
		v.want(signedIn + "/jobs<")
		v.wantHost()
		if n := v.posts(); n != 3 {
			v.Errorf("there were %d posts, want 3", n)
		}
		v.outcome = "signed in at the present address by the third post"
	}},
	{name: "start at My Apps", play: func(v *visit) {
		v.idp.SignInAs(samltest.DefaultUsers()[0])
		v.visit(v.idp.MyAppsURL())
		v.want("My Apps")
		v.click("a")
		v.want(signedIn + "/<")
		v.outcome = "signed in by the Sign-on URL"
	}},
	{name: "start at My Apps, blank Sign-on URL",
		config: func(c *saml.Config) { c.Unsolicited = saml.RestartUnsolicited }, play: func(v *visit) {
			v.register("")
			v.idp.SignInAs(samltest.DefaultUsers()[0])
			v.visit(v.idp.MyAppsURL())
			v.want("My Apps")
			v.click("a")
			v.want(signedIn + "/<")
			v.outcome = "the answer is dropped, and a sign-in of our own ends at home"
		}},
	{name: "one address for all tenants", config: ofTenant, play: func(v *visit) {
		v.sayWho("/jobs?id=7#/sql/42")
		v.want(signedIn + "/jobs?id=7<")
		v.wantAddress(v.url("/jobs?id=7#/sql/42"))
		v.outcome = "the domain leads to the tenant, and back at the place behind #"
	}},
	{name: "one address for all tenants, scripts off", config: ofTenant, profile: profile{noScripts: true},
		play: func(v *visit) {
			v.sayWho("/jobs?id=7")
			v.want(`name="SAMLResponse"`)
			v.click(goOn)
			v.want("Press Continue to go on.")
			v.click(goOn)
			v.want(signedIn + "/jobs?id=7<")
			v.outcome = "the domain leads to the tenant, and back at the link by the cookie"
		}},
	{name: "start at My Apps, one address for all tenants", config: ofTenant, play: func(v *visit) {
		v.register("")
		v.idp.SignInAs(samltest.DefaultUsers()[0])
		v.visit(v.idp.MyAppsURL())
		v.want("My Apps")
		v.click("a")
		v.want(signedIn + "/<")
		v.outcome = "the issuer names the tenant, and a sign-in of our own ends at home"
	}},
	{name: "what a user can read", play: errorPages},
}

// ofTenant makes a world whose addresses name no tenant.
func ofTenant(c *saml.Config) { c.Tenant, c.Unsolicited = "acme", saml.RestartUnsolicited }

// sayWho opens a page and enters an address, after a mistake.
func (v *visit) sayWho(page string) {
	v.Helper()
	v.visit(v.url(page))
	v.want("Your e-mail address at work")
	v.click(goOn)
	v.want("Please enter your whole e-mail address")
	v.click("#address") // which has the cursor already, but perhaps not as soon as a machine types
	v.must(v.page.Type(email))
	v.click(goOn)
}

func (v *visit) twoTabs(order ...int) {
	v.Helper()
	tabs := []tab{v.page, v.open()}
	paths := []string{"/a", "/b"}
	for i, t := range tabs {
		v.page = t
		v.visit(v.url(paths[i]))
		v.want(asking)
	}
	for _, i := range order {
		v.page = tabs[i]
		v.click(choose)
		v.want(signedIn + paths[i] + "<")
	}
	v.outcome = "each ends at its own link"
}

// wantAddress waits until the tab is at an address.
func (v *visit) wantAddress(want string) {
	v.Helper()
	var got string
	if err := until("the address "+want, func() (bool, error) {
		var err error
		got, err = v.page.URL()
		return got == want, err
	}); err != nil {
		v.Fatalf("%v; the address is %s", err, got)
	}
}

// manyTabs opens n tabs, whose addresses have size bytes, before it looks at the first. Where the identity provider asks in each who
// signs in, they are answered in the order in which they were opened.
func (v *visit) manyTabs(n, size int, unasked bool) {
	v.Helper()
	tabs := []tab{v.page}
	for len(tabs) < n {
		tabs = append(tabs, v.open())
	}
	for i, t := range tabs {
		v.page = t
		v.visit(v.url(pathOf(i, size)))
		if !unasked {
			v.want(asking)
		}
	}
	own, home, button := 0, 0, 0
	for i, t := range tabs {
		v.page = t
		if !unasked {
			v.click(choose)
		}
		link := signedIn + pathOf(i, size) + "<"
		switch v.want(link, signedIn+"/<", "<code>") {
		case link:
			own++
		case "<code>":
			v.click(again)
			if v.want(asking, signedIn+"/<") == asking {
				v.click(choose)
				v.want(signedIn + "/<")
			}
			button++
		default:
			home++
		}
	}
	v.outcome = fmt.Sprintf("%d end at their own link, %d at home, %d at home by the button of an error page", own,
		home, button)
	if own < n {
		v.Error(v.outcome)
	}
}

// pathOf is an address of at least size bytes, like no other.
func pathOf(i, size int) string {
	path := fmt.Sprintf("/tab/%d", i)
	for n := 0; len(path) < size; n++ {
		sum := sha256.Sum256(fmt.Append(nil, i, n))
		path += hex.EncodeToString(sum[:])
	}
	return path
}

// secondLegOf is a page of a stranger that skips the first leg.
func (v *visit) secondLegOf(a samltest.Answer) string {
	v.Helper()
	v.mu.Lock()
	a.RequestID = v.asked
	v.mu.Unlock()
	a.Recipient = v.sp.RedirectURL()
	value, err := v.idp.Respond(a)
	v.must(err)
	return v.form(a.Recipient, map[string]string{"SAMLResponse": value, "saml_leg": "2"})
}

// errorPages brings about each kind of error page, as a user would meet it, and takes its picture.
func errorPages(v *visit) {
	begin := func() {
		v.Helper()
		v.visit(v.url("/jobs"))
		v.want(asking)
	}
	end := func(code saml.Code) {
		v.Helper()
		v.wantFailure(code)
		v.picture("error-" + string(code))
		v.setBroken(broken{})
		v.clearCookies()
	}
	users := samltest.DefaultUsers()
	for _, test := range []struct {
		code   saml.Code
		answer samltest.Answer
	}{
		{saml.CodeAudience, samltest.Answer{Audience: "https://elsewhere.example"}},
		{saml.CodeNameID, samltest.Answer{NameID: "  "}},
		{saml.CodeNameIDNotEmail, samltest.Answer{User: users[1]}},
		{saml.CodeStatus, samltest.Answer{Status: "urn:oasis:names:tc:SAML:2.0:status:Responder"}},
	} {
		begin()
		v.visit(v.answer(test.answer))
		end(test.code)
	}
	for _, test := range []struct {
		code  saml.Code
		cause broken
	}{
		{saml.CodeStore, broken{store: true}},
		{saml.CodeIdentityProvider, broken{settings: true}},
		{saml.CodeSession, broken{sessions: true}},
		{saml.CodeStateInvalid, broken{keys: true}},
		{saml.CodeNotConfigured, broken{disabled: true}},
	} {
		begin()
		v.setBroken(test.cause)
		v.visit(v.answer(samltest.Answer{}))
		end(test.code)
	}
	begin()
	v.clearCookies()
	v.visit(v.answer(samltest.Answer{}))
	end(saml.CodeStateMissing)

	begin()
	answer := v.answer(samltest.Answer{})
	v.visit(answer)
	v.want(signedIn + "/jobs")
	v.click(signOut)
	v.want("You are signed out")
	v.visit(answer)
	v.want("You have signed out since")
	v.wantFailure(saml.CodeStateMissing)
	v.clearCookies()

	begin()
	answer = v.answer(samltest.Answer{})
	v.setBroken(broken{sessions: true})
	v.visit(answer)
	v.wantFailure(saml.CodeSession)
	v.setBroken(broken{})
	v.advance(time.Minute) // before that it could be a page that posted twice
	v.visit(answer)
	end(saml.CodeReplayed)

	v.visit(v.post(samltest.Answer{}))
	end(saml.CodeUnsolicited)
	v.visit(v.sp.RedirectURL() + "?SAMLResponse=x")
	end(saml.CodeForm)
	v.visit(v.form(v.sp.RedirectURL(), map[string]string{"SAMLResponse": strings.Repeat("A", 2<<20)}))
	end(saml.CodeTooLarge)

	v.idp.SignInAs(users[4])
	v.visit(v.url("/jobs"))
	v.want("AADSTS50105")
	v.picture("provider-error")
	v.idp.SignInAs(samltest.User{})
	v.visit(v.idp.MyAppsURL())
	v.want("My Apps")
	v.picture("my-apps")
	v.outcome = fmt.Sprintf("%d refusals, one page each", len(v.codes()))
}

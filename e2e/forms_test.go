package e2e

import (
	"html"
	"html/template"
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/iomete/saml/samltest"
	"github.com/iomete/saml/session"
)

const (
	waiting   = "Your form has not been sent"
	sendAgain = "#form button"
	arrived   = email + " sends hello"
)

var composePage = template.Must(template.New("").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Compose</title><link rel="icon" href="data:,"></head><body>
<form method="post"><textarea id="comment" name="comment"></textarea><button id="send">Send</button></form>
</body></html>`))

// compose is a page with a form, and what becomes of it.
func (w *world) compose(rw http.ResponseWriter, r *http.Request) {
	rw.Header().Set("Cache-Control", "no-store")
	if r.Method != http.MethodPost {
		rw.Header().Set("Content-Type", "text/html; charset=utf-8")
		composePage.Execute(rw, nil) // an error is the browser's hanging up
		return
	}
	comment := r.PostFormValue("comment")
	w.mu.Lock()
	w.sent = append(w.sent, comment)
	w.mu.Unlock()
	show(rw, session.FromContext(r.Context()).Identity.Email+" sends "+comment, "", "")
}

// wantSent compares what reached the service.
func (v *visit) wantSent(want ...string) {
	v.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	if !slices.Equal(v.sent, want) {
		v.Errorf("the service got %q, want %q", v.sent, want)
	}
}

// composes signs in, writes a comment, and sends it after the session has ended.
func (v *visit) composes() {
	v.Helper()
	v.visit(v.url("/compose?draft=7"))
	v.want(asking)
	v.click(choose)
	v.writes()
}

// writes is composes after the sign-in.
func (v *visit) writes() {
	v.Helper()
	v.want(`id="comment"`)
	v.click("#comment")
	v.must(v.page.Type("hello"))
	v.advance(2*time.Hour + time.Minute)
	v.click("#send")
	v.want(waiting)
	v.wantSent()
}

// inside returns what a pattern finds in the page.
func (v *visit) inside(pattern string) string {
	v.Helper()
	text, err := v.page.HTML()
	v.must(err)
	found := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if found == nil {
		v.Fatalf("the page has no %s: %s", pattern, text)
	}
	return html.UnescapeString(found[1])
}

// signsInBeside clicks the link of the page, and waits until the window that it opens has signed
// in.
func (v *visit) signsInBeside() {
	v.Helper()
	end := func(l leg) bool {
		return l.Method == "GET" && l.Path == v.sp.RedirectPath() && l.Query == "saml_form=1" &&
			l.Status == http.StatusOK
	}
	v.click(again)
	v.must(until("a sign-in in a second window", func() (bool, error) {
		return slices.ContainsFunc(v.recorded(), end), nil
	}))
}

func formOverSignIn(v *visit) {
	v.composes()
	v.picture("form-waits")
	v.click(sendAgain)
	v.must(until("a second post", func() (bool, error) { return v.postsTo("/compose") == 2, nil }))
	v.want(waiting)
	v.idp.SignInAs(samltest.DefaultUsers()[0])
	v.signsInBeside()
	v.wantSent() // nothing is sent by itself
	v.click(sendAgain)
	v.want(arrived)
	v.wantAddress(v.url("/compose?draft=7"))
	v.wantSent("hello")
	v.must(v.page.Reload())
	v.want("may have been sent before")
	v.wantSent("hello")
	v.page = v.open()
	v.visit(v.sp.RedirectURL() + "?saml_form=1")
	v.want("press Send again")
	v.outcome = "the form waits, too early a click loses nothing, and it arrives once"
}

func formWithoutScripts(v *visit) {
	v.visit(v.url("/compose?draft=7"))
	v.picks()
	v.writes()
	form := v.page
	link := v.inside(`<a href="([^"]+)" target="_blank"`)
	v.page = v.open()
	v.visit(link)
	v.picks()
	v.want("press Send again")
	v.page = form
	v.click(sendAgain)
	v.want(arrived)
	v.wantSent("hello")
	v.outcome = "a link and a button are enough"
}

// picks signs in where scripts are off.
func (v *visit) picks() {
	v.Helper()
	v.want(asking)
	v.click(choose)
	v.want("Continue</button>")
	v.click(goOn)
	v.want("Press Continue to go on.")
	v.click(goOn)
}

func formOfAnother(v *visit) {
	v.composes()
	users := samltest.DefaultUsers()
	v.idp.SignInAs(users[3])
	v.signsInBeside()
	v.click(sendAgain)
	v.want("with another account")
	v.picture("form-of-another")
	v.wantSent()
	v.idp.SignInAs(users[0])
	v.visit(v.inside(`<a href="([^"]+)" target="_blank"`)) // in the same window: the form is gone then
	v.want("press Send again")
	v.wantSent()
	v.outcome = "not sent; the page leads to the other account"
}

func formFromElsewhere(v *visit) {
	v.composes()
	sealed := v.inside(`name="saml_form" value="([^"]+)"`)
	v.visit(v.form(v.url("/compose?draft=7"), map[string]string{"comment": "evil"}))
	v.want(asking) // it is lost, as without KeepForms
	v.click(choose)
	v.want(signedIn + "/<")
	v.visit(v.form(v.url("/compose?draft=7"), map[string]string{"saml_form": sealed}))
	v.want("from its own page only")
	v.wantSent()
	v.outcome = "a form of another site is neither kept nor sent"
}

// postsTo counts the posts to a path.
func (v *visit) postsTo(path string) (n int) {
	for _, l := range v.recorded() {
		if l.Method == "POST" && l.Path == path {
			n++
		}
	}
	return n
}

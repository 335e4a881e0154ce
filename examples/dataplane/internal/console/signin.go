package console

import (
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"

	"github.com/iomete/saml"
	"github.com/iomete/saml/examples/dataplane/internal/password"
)

const (
	maxSmallForm  = 64 << 10 // bytes, of a form without a file
	maxSignInForm = 8 << 10  // bytes, of one that may have to wait for its turn
)

type signInPage struct {
	page
	SSO      begin // the zero value where single sign-on is not enabled
	Unknown  bool  // whether it is enabled
	ReturnTo string
	Name     string
	Problem  string
}

func (c *Console) showSignIn(w http.ResponseWriter, r *http.Request) {
	returnTo := r.URL.Query().Get("return_to")
	if !saml.IsLocalPath(returnTo) {
		returnTo = ""
	}
	if admin, err := c.admin(r); err == nil && admin != nil {
		redirect(w, r, orHome(returnTo))
		return
	}
	c.renderSignIn(w, r, http.StatusOK, signInPage{ReturnTo: returnTo})
}

func orHome(path string) string {
	if path == "" {
		return "/"
	}
	return path
}

func (c *Console) renderSignIn(w http.ResponseWriter, r *http.Request, status int, p signInPage) {
	p.page = c.newPage(r, "Sign in", visitor{})
	_, err := c.liveProvider(r.Context())
	switch {
	case err == nil:
		p.SSO = c.beginAt(p.ReturnTo)
		p.OpenForms = p.SSO.ReturnTo != ""
	case !isNotConfigured(err):
		p.Unknown = true
	}
	render(w, status, "signin", p)
}

// A begin is where a button leads that begins a sign-in through the identity provider: a link to To or,
// if there is a ReturnTo, a form that posts it there. Proxies refuse addresses that are too long.
type begin struct{ To, ReturnTo string }

const maxLink = 2 << 10 // bytes

// beginAt begins a sign-in that ends on the page returnTo, or at home for "".
func (c *Console) beginAt(returnTo string) begin {
	if returnTo == "" {
		return begin{To: c.redirectURL}
	}
	if link := c.redirectURL + "?return_to=" + url.QueryEscape(returnTo); len(link) <= maxLink {
		return begin{To: link}
	}
	return begin{c.redirectURL, returnTo}
}

func (c *Console) signInLocally(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxSignInForm)
	p := signInPage{Name: r.PostFormValue("name"), ReturnTo: r.PostFormValue("return_to")}
	if !saml.IsLocalPath(p.ReturnTo) {
		p.ReturnTo = ""
	}
	browser := c.readMark(r, browserMark)
	right, err := c.checkPassword(r, p.Name, r.PostFormValue("password"), c.lanesOf(r, browser)...)
	if !right {
		c.Logger.Warn("a sign-in as administrator was refused", "address", c.clientAddress(r), "error", err)
	}
	switch {
	case errors.Is(err, errNoTurn):
		p.Problem = noTurn
		w.Header().Set("Retry-After", "1")
		c.renderSignIn(w, r, http.StatusTooManyRequests, p)
		return
	case err != nil:
		c.unavailable(w, r)
		return
	case !right:
		p.Problem = "The name or the password is wrong."
		c.renderSignIn(w, r, http.StatusForbidden, p)
		return
	}
	token, err := c.DB.BeginAdminSession(r.Context(), c.Administrator)
	if err == nil {
		err = c.sessions.SignOut(w, r) // one browser, one person
	}
	if err != nil {
		c.Logger.Warn("the administrator's session could not be begun", "error", err)
		c.unavailable(w, r)
		return
	}
	c.endAdminSession(r)
	c.setMark(w, adminMark, token)
	if browser == "" {
		c.setMark(w, browserMark, browserName())
	}
	redirect(w, r, orHome(p.ReturnTo))
}

const noTurn = "Many wrong passwords are being tried at this moment, and yours had no turn. Nothing is locked: try again."

// lanesOf are the lanes that a sign-in must pass. In a browser in which the administrator has
// signed in before, strangers are in no lane of it.
func (c *Console) lanesOf(r *http.Request, browser string) []string {
	if browser != "" {
		return []string{"browser " + browser}
	}
	return []string{ofStrangers + c.clientAddress(r), everybody}
}

// checkPassword waits for a turn in the lanes and looks at the password. Whatever the name is, it
// waits for the same, asks the database the same and hashes as much: neither the answer nor its
// time tells whether the name is right.
func (c *Console) checkPassword(r *http.Request, name, given string, lanes ...string) (right bool, err error) {
	done, err := c.lanes.try(r.Context(), lanes...)
	if err != nil {
		return false, err
	}
	defer func() { done(right || err != nil) }()
	a, err := c.DB.Administrator(r.Context(), c.Administrator)
	if err != nil {
		return false, err
	}
	isName := subtle.ConstantTimeCompare([]byte(name), []byte(c.Administrator)) == 1
	return password.Verify(a.Password, given) && isName, nil
}

// endAdminSession ends the session that the browser had. Where that fails it runs out by itself,
// and the browser has lost it.
func (c *Console) endAdminSession(r *http.Request) {
	if token := c.readMark(r, adminMark); token != "" {
		if err := c.DB.EndAdminSession(r.Context(), token); err != nil {
			c.Logger.Warn("an administrator's session could not be ended", "error", err)
		}
	}
}

// signOut ends the session of this browser. That of a user ends at the identity provider too, if the
// settings in use say so.
func (c *Console) signOut(w http.ResponseWriter, r *http.Request) {
	admin := c.readMark(r, adminMark)
	if admin != "" {
		c.endAdminSession(r)
		c.setMark(w, adminMark, signedOut)
	}
	if (admin == "" || admin == signedOut) && c.signsOutThere(r.Context()) {
		c.login.StartLogout(w, r, "/sign-in?done=logged-out")
		return
	}
	if err := c.sessions.SignOut(w, r); err != nil {
		c.Logger.Warn("a session could not be ended for all replicas", "error", err)
		c.showMessage(w, r, http.StatusServiceUnavailable, message{Title: "You are signed out in this browser",
			Text: "The database does not answer, so a copy of your session elsewhere could not be ended.", Link: "/sign-in", Label: "Go to the sign-in page"})
		return
	}
	redirect(w, r, "/sign-in?done=signed-out")
}

package console

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/iomete/saml/examples/dataplane/internal/password"
	"github.com/iomete/saml/examples/dataplane/internal/storage"
)

const maxSmallForm = 64 << 10 // bytes, of a form without a file

type signInPage struct {
	page
	SSO      string // address that begins a sign-in, "" where single sign-on is not enabled
	Unknown  bool   // whether it is enabled
	ReturnTo string
	Name     string
	Problem  string
}

func (c *Console) showSignIn(w http.ResponseWriter, r *http.Request) {
	returnTo := r.URL.Query().Get("return_to")
	if !localPath(returnTo) {
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
	case !isNotConfigured(err):
		p.Unknown = true
	}
	render(w, status, "signin", p)
}

// beginAt is the address that begins a sign-in through the identity provider and ends on the page returnTo, or at home for "".
func (c *Console) beginAt(returnTo string) string {
	if returnTo == "" {
		return c.redirectURL
	}
	return c.redirectURL + "?return_to=" + url.QueryEscape(returnTo)
}

func (c *Console) signInLocally(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxSmallForm)
	p := signInPage{Name: r.PostFormValue("name"), ReturnTo: r.PostFormValue("return_to")}
	if !localPath(p.ReturnTo) {
		p.ReturnTo = ""
	}
	right, err := c.checkPassword(r, p.Name, r.PostFormValue("password"))
	if !right {
		c.Logger.Warn("a sign-in as administrator was refused", "address", c.clientAddress(r), "error", err)
	}
	switch {
	case errors.Is(err, storage.ErrTooManyAttempts):
		p.Problem = "Too many wrong passwords. Wait a quarter of an hour, or restart the console with -reset-admin-password."
		w.Header().Set("Retry-After", "900")
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
	token, err := c.DB.BeginAdminSession(r.Context(), p.Name)
	if err == nil {
		err = c.sessions.SignOut(w, r) // one browser, one person
	}
	if err != nil {
		c.Logger.Warn("the administrator's session could not be begun", "error", err)
		c.unavailable(w, r)
		return
	}
	c.endAdminSession(r)
	c.setAdminCookie(w, token)
	redirect(w, r, orHome(p.ReturnTo))
}

// checkPassword counts the try, looks at the password, and takes the try back where it was right. All names that are not the
// administrator's count as one account.
func (c *Console) checkPassword(r *http.Request, name, given string) (right bool, err error) {
	account, stored := "", ""
	if name == c.Administrator {
		account = name
	}
	attempt, err := c.DB.BeginAttempt(r.Context(), account, c.clientAddress(r))
	if err != nil {
		return false, err
	}
	if account != "" {
		a, err := c.DB.Administrator(r.Context(), account)
		if err != nil {
			return false, err
		}
		stored = a.Password
	}
	if !password.Verify(stored, given) {
		return false, nil
	}
	return true, c.DB.PassAttempt(r.Context(), attempt)
}

// endAdminSession ends the session that the browser had. Where that fails it runs out by itself, and the browser has lost it.
func (c *Console) endAdminSession(r *http.Request) {
	if token := c.adminToken(r); token != "" {
		if err := c.DB.EndAdminSession(r.Context(), token); err != nil {
			c.Logger.Warn("an administrator's session could not be ended", "error", err)
		}
	}
}

func (c *Console) signOut(w http.ResponseWriter, r *http.Request) {
	c.endAdminSession(r)
	c.setAdminCookie(w, "")
	if err := c.sessions.SignOut(w, r); err != nil {
		c.Logger.Warn("a session could not be ended for all replicas", "error", err)
		c.showMessage(w, r, http.StatusServiceUnavailable, message{Title: "You are signed out in this browser", Text: "The database does not answer, so a copy of your session elsewhere could not be ended.", Link: "/sign-in", Label: "Go to the sign-in page"})
		return
	}
	redirect(w, r, "/sign-in?done=signed-out")
}

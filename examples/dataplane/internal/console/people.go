package console

import (
	"errors"
	"net/http"
	"net/mail"
	"strings"

	"github.com/iomete/saml/examples/dataplane/internal/password"
	"github.com/iomete/saml/examples/dataplane/internal/storage"
)

type usersPage struct {
	page
	Accounts []storage.Account
	Cut      int // how many are shown if there are more, 0 if all are shown
	Email    string
	Problem  string
}

const maxUsers = 1000 // on the page

func (c *Console) showUsers(w http.ResponseWriter, r *http.Request, admin *storage.AdminSession) {
	c.renderUsers(w, r, admin, http.StatusOK, usersPage{})
}

func (c *Console) renderUsers(w http.ResponseWriter, r *http.Request, admin *storage.AdminSession, status int,
	p usersPage) {
	var err error
	if p.Accounts, err = c.DB.Accounts(r.Context(), maxUsers+1); err != nil {
		c.broken(w, r, err)
		return
	}
	if len(p.Accounts) > maxUsers {
		p.Accounts, p.Cut = p.Accounts[:maxUsers], maxUsers
	}
	p.page = c.newPage(r, "Users", visitor{Admin: admin})
	render(w, status, "users", p)
}

func (c *Console) endSessions(w http.ResponseWriter, r *http.Request, admin *storage.AdminSession) {
	r.Body = http.MaxBytesReader(w, r.Body, maxSmallForm)
	id := r.PostFormValue("account")
	if !isID(id) {
		c.notFound(w, r)
		return
	}
	err := c.DB.EndSessions(r.Context(), id)
	if errors.Is(err, storage.ErrNotFound) {
		c.notFound(w, r)
		return
	}
	if err != nil {
		c.unsure(w, r, err)
		return
	}
	c.Logger.Info("sessions of a user ended", "by", admin.Administrator, "account", id)
	redirect(w, r, "/settings/users?done=ended")
}

func (c *Console) addUser(w http.ResponseWriter, r *http.Request, admin *storage.AdminSession) {
	r.Body = http.MaxBytesReader(w, r.Body, maxSmallForm)
	p := usersPage{Email: strings.TrimSpace(r.PostFormValue("email"))}
	if a, err := mail.ParseAddress(p.Email); err != nil || a.Address != p.Email || len(p.Email) > 254 {
		p.Problem = "This is not an e-mail address. Give it as name@example.com."
		c.renderUsers(w, r, admin, http.StatusUnprocessableEntity, p)
		return
	}
	switch err := c.DB.AddAccount(r.Context(), p.Email); {
	case errors.Is(err, storage.ErrAccountExists):
		p.Problem = "There is an account with this address already."
		c.renderUsers(w, r, admin, http.StatusConflict, p)
	case err != nil:
		c.unsure(w, r, err)
	default:
		redirect(w, r, "/settings/users?done=added")
	}
}

const minPassword = 12 // characters

type administratorPage struct {
	page
	Changed    *storage.Administrator
	Problem    string // with the current password
	NewProblem string // with the new one
	Least      int
}

func (c *Console) showAdministrator(w http.ResponseWriter, r *http.Request, admin *storage.AdminSession) {
	c.renderAdministrator(w, r, admin, http.StatusOK, administratorPage{})
}

func (c *Console) renderAdministrator(w http.ResponseWriter, r *http.Request, admin *storage.AdminSession, status int,
	p administratorPage) {
	var err error
	if p.Changed, err = c.DB.Administrator(r.Context(), admin.Administrator); err != nil {
		c.broken(w, r, err)
		return
	}
	p.page, p.Least = c.newPage(r, "Local administrator", visitor{Admin: admin}), minPassword
	render(w, status, "administrator", p)
}

func (c *Console) changePassword(w http.ResponseWriter, r *http.Request, admin *storage.AdminSession) {
	r.Body = http.MaxBytesReader(w, r.Body, maxSmallForm)
	var p administratorPage
	fresh := r.PostFormValue("new")
	switch {
	case len([]rune(fresh)) < minPassword || len(fresh) > 1024:
		p.NewProblem = "The new password must have 12 characters or more."
	case fresh != r.PostFormValue("repeated"):
		p.NewProblem = "The two new passwords differ."
	}
	if p.NewProblem != "" {
		c.renderAdministrator(w, r, admin, http.StatusUnprocessableEntity, p)
		return
	}
	right, err := c.checkPassword(r, admin.Administrator, r.PostFormValue("current"), "session "+admin.ID)
	switch {
	case errors.Is(err, errNoTurn):
		p.Problem = "Many passwords are being tried in this session at this moment, and yours had no turn. Nothing is locked: try again."
		c.renderAdministrator(w, r, admin, http.StatusTooManyRequests, p)
		return
	case err == nil && !right:
		p.Problem = "This is not the current password."
		c.renderAdministrator(w, r, admin, http.StatusForbidden, p)
		return
	case err != nil:
		c.broken(w, r, err)
		return
	}
	if err := c.DB.SetPassword(r.Context(), admin.Administrator, password.Hash(fresh), admin.ID); err != nil {
		c.unsure(w, r, err)
		return
	}
	c.Logger.Info("the administrator's password was changed", "administrator", admin.Administrator)
	redirect(w, r, "/settings/administrator?done=password")
}

type logPage struct {
	page
	Reference string
	SignIns   []storage.SignIn
	Stray     []storage.SignIn
}

const (
	maxLogLines   = 500
	maxStrayLines = 50
)

// showLog shows the sign-ins of the last days, or the one whose reference a user has told.
func (c *Console) showLog(w http.ResponseWriter, r *http.Request, admin *storage.AdminSession) {
	p := logPage{Reference: strings.ToUpper(strings.TrimSpace(r.URL.Query().Get("reference")))}
	var err error
	switch {
	case p.Reference == "":
		if p.SignIns, err = c.DB.SignIns(r.Context(), false, maxLogLines); err == nil {
			p.Stray, err = c.DB.SignIns(r.Context(), true, maxStrayLines)
		}
	case isID(p.Reference): // a reference has the form of an ID
		p.SignIns, err = c.DB.Refusal(r.Context(), p.Reference)
	}
	if err != nil {
		c.broken(w, r, err)
		return
	}
	p.page = c.newPage(r, "Sign-ins", visitor{Admin: admin})
	render(w, http.StatusOK, "log", p)
}

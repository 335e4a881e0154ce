package console

import (
	"context"
	"net/http"
	"strings"

	"github.com/iomete/saml"
)

// logoutPath receives messages about logout while settings with storage.Settings.Logout are in use.
const logoutPath = "/api/v1/identity/auth/saml-slo"

// LogoutURL is what the administrator registers at the identity provider for logout.
func (c *Console) LogoutURL() string { return strings.TrimSuffix(c.BaseURL, "/") + logoutPath }

// receiveLogout serves the Logout URL: messages come from other sites and from servers, without a
// session, and often into a frame. Without settings that offer logout there is no such page.
func (c *Console) receiveLogout(w http.ResponseWriter, r *http.Request) {
	sp, err := c.liveProvider(r.Context())
	if isNotConfigured(err) || err == nil && sp.LogoutPath() == "" {
		c.notFound(w, r)
		return
	}
	c.login.ServeHTTP(w, r)
}

// signsOutThere reports whether the identity provider is told of a sign-out. If nobody knows, it is
// not.
func (c *Console) signsOutThere(ctx context.Context) bool {
	sp, err := c.liveProvider(ctx)
	return err == nil && sp.LogoutPath() != ""
}

// observeLogout notes that a refusal of this request is about a logout, and so no ending of a
// sign-in.
func (c *Console) observeLogout(ctx context.Context, event saml.Event) {
	if event.Kind != saml.LogoutRefused && event.Kind != saml.LogoutIncomplete {
		return
	}
	if e, ok := ctx.Value(endingKey{}).(*ending); ok {
		e.mu.Lock()
		e.logout = true
		e.mu.Unlock()
	}
}

// isLogout reports whether observeLogout has noted a refusal of this request.
func isLogout(ctx context.Context) bool {
	e, ok := ctx.Value(endingKey{}).(*ending)
	if !ok {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.logout
}

// renderLogoutFailure answers a logout message that was refused. The identity provider may show the
// page in a frame, so it has no links, and who may is in the policy that is set already: this adds
// another one beside it, and both count.
func (c *Console) renderLogoutFailure(w http.ResponseWriter, r *http.Request, err *saml.Error) {
	shown := err.Page()
	w.Header().Add("Content-Security-Policy",
		"default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'")
	m := message{page: c.newPage(r, shown.Title, visitor{}), Title: shown.Title, Text: shown.Sentence,
		Code: string(err.Code), Reference: err.Reference}
	if shown.AskAdministrator {
		m.Text += " Give your administrator the reference below: the log of the console says more."
	}
	render(w, shown.Status, "logout", m)
}

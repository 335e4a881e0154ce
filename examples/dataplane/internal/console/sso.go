package console

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/iomete/saml"
	"github.com/iomete/saml/examples/dataplane/internal/storage"
)

// signIns is what the Redirect URL's handler needs to know of sessions: a real login begins one, a
// test is written down.
type signIns struct{ c *Console }

// SignedIn is never true of a test: it goes on whoever is signed in. The administrator counts as
// signed in, so that a link to the Redirect URL, which anybody can put anywhere, begins no sign-in
// in that browser. If the database does not answer, nobody could be signed in anyway.
func (s signIns) SignedIn(r *http.Request) bool {
	if testOf(r) != "" {
		return false
	}
	admin, err := s.c.admin(r)
	return err != nil || admin != nil || s.c.sessions.SignedIn(r)
}

// Authenticate is for pages of users; requireUser has looked for the administrator before.
func (s signIns) Authenticate(w http.ResponseWriter, r *http.Request) (*http.Request, error) {
	return s.c.sessions.Authenticate(w, r)
}

func (s signIns) SignIn(w http.ResponseWriter, r *http.Request, login *saml.Login) error {
	if login.Purpose == testPurpose || login.Tenant != "" { // the seal has both or neither
		return s.c.passTest(r, login)
	}
	return s.c.beginSession(w, r, login)
}

// errAdminIsSignedIn refuses a user's sign-in that was begun before the administrator signed in in
// the same browser.
var errAdminIsSignedIn = errors.New("console: the local administrator is signed in in this browser")

func (c *Console) beginSession(w http.ResponseWriter, r *http.Request, login *saml.Login) error {
	if admin, err := c.admin(r); err != nil {
		return err
	} else if admin != nil {
		return errAdminIsSignedIn
	}
	if err := c.DB.SignIn(r.Context(), login.Identity, guestOf(login.Identity)); err != nil {
		return err
	}
	if err := c.sessions.SignIn(w, r, login); err != nil {
		return err
	}
	// The token of an administrator's session that has ended is of no use, but a settings form may
	// be open in another tab.
	if token := c.readMark(r, adminMark); token != "" && token != signedOut {
		c.setMark(w, adminMark, signedOut)
	}
	c.succeeded(r, false, storage.SignIn{Email: login.Identity.Email})
	return nil
}

// guestOf says where a guest of the directory comes from, "" for its own people.
func guestOf(i *saml.Identity) string {
	home := i.HomeIdentityProvider
	if i.TenantID != "" && strings.Contains(strings.ToLower(home), strings.ToLower(i.TenantID)) {
		return ""
	}
	return home
}

// failed answers a login that was refused. The administrator who began a test sees everything;
// anybody else a sentence, the code, and a reference by which the administrator finds the rest.
func (c *Console) failed(w http.ResponseWriter, r *http.Request, err *saml.Error) {
	if isLogout(r.Context()) {
		c.renderLogoutFailure(w, r, err)
		return
	}
	id := testOf(r)
	c.refused(r, err, id != "")
	if id != "" && c.failTest(r, id, err) {
		redirect(w, r, "/settings/sso/tests/"+id)
		return
	}
	c.renderFailure(w, r, err)
}

type testKey struct{}

// testOf is the test that a request belongs to, "" for a real sign-in.
func testOf(r *http.Request) string {
	if id, begins := r.Context().Value(testKey{}).(string); begins {
		return id
	}
	if sp := saml.ProviderFromContext(r.Context()); sp != nil {
		id, _ := strings.CutPrefix(sp.Tenant(), testTenant)
		return id
	}
	return ""
}

// A testResult is what came of a test sign-in.
type testResult struct {
	Failure *testFailure `json:",omitempty"`

	Issuer, NameID, NameIDFormat string
	Claims                       []saml.Attribute
	Unread                       []string `json:",omitempty"` // names of the claims that are in no field of the user
	Person                       person
	Account                      string // what would become of it
}

// IsUnread reports whether the claim with this name is in no field of the user.
func (r testResult) IsUnread(name string) bool { return slices.Contains(r.Unread, name) }

type testFailure struct{ Code, Check, Message, Got, Want, Hint, Cause string }

// passTest writes down a test that the response passed. Only the browser that began it can finish
// it.
func (c *Console) passTest(r *http.Request, login *saml.Login) error {
	id, isTest := strings.CutPrefix(login.Tenant, testTenant)
	if !isTest || login.Purpose != testPurpose {
		return errors.New("console: a login for a purpose of its own signs nobody in")
	}
	if !c.beganTest(r, id) {
		return errors.New("console: the test was not begun by an administrator in this browser")
	}
	a := login.Assertion
	result := testResult{Issuer: a.Issuer.Value, NameID: a.NameID.Value, NameIDFormat: a.NameID.Format,
		Claims: a.Attributes, Unread: login.Identity.Unread(), Person: newPerson(login.Identity, false)}
	result.Account = c.accountAfter(r.Context(), login.Identity)
	if err := c.finishTest(r.Context(), id, true, result); err != nil {
		return err
	}
	c.succeeded(r, true, storage.SignIn{})
	return nil
}

// accountAfter says what a real sign-in would do, as far as a test can know: its account keys have
// the test's tenant in them, so they find no account of a real sign-in, and an address alone does
// not say who somebody is.
func (c *Console) accountAfter(ctx context.Context, i *saml.Identity) string {
	a, err := c.DB.FindAccount(ctx, i)
	if err == nil {
		return "The account " + a.Email + " is there already: it waits for the first sign-in with this address."
	}
	if !errors.Is(err, storage.ErrNotFound) {
		return ""
	}
	switch taken, err := c.DB.HasAddress(ctx, i.Email); {
	case err != nil:
		return ""
	case taken:
		return "An account with this address exists. It counts only if it is the same person; anybody else gets a new account."
	}
	return "A new account would be made at the first sign-in, unless this person has signed in with another address before."
}

// failTest writes down a test that failed, and reports whether this browser may see it.
func (c *Console) failTest(r *http.Request, id string, err *saml.Error) bool {
	if !c.beganTest(r, id) {
		return false
	}
	f := &testFailure{Code: string(err.Code), Check: err.Check, Message: err.Message, Got: err.Got, Want: err.Want,
		Hint: err.Hint}
	if cause := errors.Unwrap(err); cause != nil {
		f.Cause = cause.Error()
	}
	if err := c.finishTest(r.Context(), id, false, testResult{Failure: f}); err != nil {
		c.Logger.Warn("the result of a test could not be kept", "error", err)
		return false
	}
	return true
}

func (c *Console) beganTest(r *http.Request, id string) bool {
	admin, err := c.admin(r)
	if err != nil || admin == nil {
		return false
	}
	test, err := c.DB.Test(r.Context(), id)
	return err == nil && test.AdminSession == admin.ID
}

func (c *Console) finishTest(ctx context.Context, id string, passed bool, result testResult) error {
	text, err := json.Marshal(result)
	if err != nil {
		return err
	}
	return c.DB.FinishTest(ctx, id, passed, string(text))
}

// startTest sends the administrator's browser to the identity provider of the saved settings.
func (c *Console) startTest(w http.ResponseWriter, r *http.Request, admin *storage.AdminSession) {
	state, ok := c.unchanged(w, r, admin)
	if !ok {
		return
	}
	if state.Saved == nil {
		c.refuseAct(w, r, admin, http.StatusConflict, "There is nothing to test: save the settings first.")
		return
	}
	id, err := c.DB.BeginTest(r.Context(), state.Saved.ID, admin)
	if err != nil {
		c.Logger.Warn("a test could not be begun", "error", err)
		c.unavailable(w, r)
		return
	}
	r = r.WithContext(context.WithValue(r.Context(), testKey{}, id))
	sp, err := c.testProvider(r.Context(), id)
	if err != nil {
		c.login.Fail(w, r, err)
		return
	}
	c.login.StartLogin(w, r, sp, saml.LoginOptions{Purpose: testPurpose, ReturnTo: "/settings/sso/tests/" + id})
}

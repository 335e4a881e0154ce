package console

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/examples/dataplane/internal/storage"
)

// signIns is what the Redirect URL's handler needs to know of sessions: a real login begins one, a test is written down.
type signIns struct{ c *Console }

// SignedIn is never true of a test, since no session belongs to its tenant: it goes on whoever is signed in.
func (s signIns) SignedIn(r *http.Request) bool { return s.c.sessions.SignedIn(r) }

func (s signIns) SignIn(w http.ResponseWriter, r *http.Request, login *saml.Login) error {
	if login.Purpose == testPurpose || login.Tenant != "" { // the seal has both or neither
		return s.c.passTest(r, login)
	}
	return s.c.beginSession(w, r, login)
}

func (c *Console) beginSession(w http.ResponseWriter, r *http.Request, login *saml.Login) error {
	if err := c.DB.SignIn(r.Context(), login.Identity, guestOf(login.Identity)); err != nil {
		return err
	}
	if err := c.sessions.SignIn(w, r, login); err != nil {
		return err
	}
	c.endAdminSession(r) // one browser, one person
	if c.adminToken(r) != "" {
		c.setAdminCookie(w, "")
	}
	c.metrics.login("succeeded", "")
	c.note(r.Context(), storage.SignIn{Email: login.Identity.Email})
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

// note adds a line to the log. The sign-in does not depend on it.
func (c *Console) note(ctx context.Context, s storage.SignIn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTime)
	defer cancel()
	if err := c.DB.AddSignIn(ctx, s); err != nil {
		c.Logger.Warn("a sign-in could not be written to the log", "error", err)
	}
}

// failed answers a login that was refused. The administrator who began a test sees everything; anybody else a sentence, the code, and a
// reference by which the administrator finds the rest.
func (c *Console) failed(w http.ResponseWriter, r *http.Request, err *saml.Error) {
	if id := testOf(r); id != "" && c.failTest(r, id, err) {
		redirect(w, r, "/settings/sso/tests/"+id)
		return
	}
	c.metrics.login("refused", string(err.Code))
	if c.refusals.admits(c.Now()) {
		line := storage.SignIn{Code: string(err.Code), Check: err.Check, Message: err.Message, Got: err.Got, Want: err.Want, Hint: err.Hint, Reference: err.Reference}
		if cause := errors.Unwrap(err); cause != nil {
			line.Cause = cause.Error()
		}
		c.note(r.Context(), line)
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

// A window bounds how many refusals a minute are written to the log: anybody can post nonsense to the Redirect URL. The metrics and the
// program's own log have all.
type window struct {
	mu    sync.Mutex
	begun time.Time
	count int
}

const maxRefusals = 120 // a minute

func (w *window) admits(now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now.Sub(w.begun) >= time.Minute {
		w.begun, w.count = now, 0
	}
	w.count++
	return w.count <= maxRefusals
}

// A testResult is what came of a test sign-in.
type testResult struct {
	Failure *testFailure `json:",omitempty"`

	Issuer, NameID, NameIDFormat string
	Claims                       []saml.Attribute
	Person                       person
	Account                      string // what would become of it
}

type testFailure struct{ Code, Check, Message, Got, Want, Hint, Cause string }

// passTest writes down a test that the response passed. Only the browser that began it can finish it.
func (c *Console) passTest(r *http.Request, login *saml.Login) error {
	id, isTest := strings.CutPrefix(login.Tenant, testTenant)
	if !isTest || login.Purpose != testPurpose {
		return errors.New("console: a login for a purpose of its own signs nobody in")
	}
	if !c.beganTest(r, id) {
		return errors.New("console: the test was not begun by an administrator in this browser")
	}
	a := login.Assertion
	result := testResult{Issuer: a.Issuer.Value, NameID: a.NameID.Value, NameIDFormat: a.NameID.Format, Claims: a.Attributes, Person: newPerson(login.Identity, false)}
	result.Account = c.accountAfter(r.Context(), login.Identity)
	c.metrics.test("succeeded", "")
	return c.finishTest(r.Context(), id, true, result)
}

// accountAfter says what a real sign-in would do. The account key of a test has the test's tenant in it, so only the address tells.
func (c *Console) accountAfter(ctx context.Context, i *saml.Identity) string {
	accounts, err := c.DB.Accounts(ctx)
	if err != nil {
		return ""
	}
	for _, a := range accounts {
		if saml.EqualEmail(a.Email, i.Email) {
			return "The account " + a.Email + " is there already."
		}
	}
	return "A new account would be made at the first sign-in."
}

// failTest writes down a test that failed, and reports whether this browser may see it.
func (c *Console) failTest(r *http.Request, id string, err *saml.Error) bool {
	if !c.beganTest(r, id) {
		return false
	}
	f := &testFailure{Code: string(err.Code), Check: err.Check, Message: err.Message, Got: err.Got, Want: err.Want, Hint: err.Hint}
	if cause := errors.Unwrap(err); cause != nil {
		f.Cause = cause.Error()
	}
	c.metrics.test("refused", f.Code)
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
	sp, err := c.login.Provider(r, testTenant+id)
	if err != nil {
		c.login.Fail(w, r, err)
		return
	}
	c.login.StartLogin(w, r, sp, saml.LoginOptions{Purpose: testPurpose, ReturnTo: "/settings/sso/tests/" + id})
}

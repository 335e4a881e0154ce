package console

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/examples/dataplane/internal/keys"
	"github.com/iomete/saml/examples/dataplane/internal/storage"
)

// confirmUntested is what an administrator types to enable settings that no test has passed with;
// confirmDelete to delete them.
const (
	confirmUntested = "enable untested"
	confirmDelete   = "delete"
)

// recentSignIns is how many lines of the log the settings page shows.
const recentSignIns = 10

type ssoPage struct {
	page
	RedirectURL string
	Own         registration
	At          string // where the browser goes on this page: "alert", "summary", "preview" or ""
	State       *storage.State
	Form        *form
	Preview     *preview // of the form, where it was checked
	Saved, Live *preview
	live        *saml.IdentityProvider
	uses        map[string]time.Time // of keys
	Refreshed   *refreshed           // the metadata in use, nil if it is not refreshed
	Unreadable  string               // why saved settings cannot be used any more, "" mostly
	Test        *testView
	Passed      *storage.TestRun
	SignIns     []storage.SignIn
	Alert       string // why an act was refused
	Problems    problems
	Untested    string // to be typed
	DeleteWord  string
	Orphan      bool // the form alone: nobody is signed in, or the database does not answer
	Status      int
}

// view reads everything that the settings page shows.
func (c *Console) view(r *http.Request, admin *storage.AdminSession) (*ssoPage, error) {
	ctx := r.Context()
	state, err := c.DB.State(ctx)
	if err != nil {
		return nil, err
	}
	p := &ssoPage{page: c.newPage(r, "Single Sign-On", visitor{Admin: admin}), RedirectURL: c.redirectURL,
		State: state, Form: fromSettings(state),
		Untested: confirmUntested, DeleteWord: confirmDelete, Status: http.StatusOK}
	p.OpenForms = true
	if p.Own, err = c.registration(ctx, state.Saved); err != nil {
		return nil, err
	}
	if p.uses, err = c.DB.KeyUses(ctx); err != nil {
		return nil, err
	}
	if state.Live != nil {
		if p.live = p.usable(c.known(ctx, state.Live)); p.live != nil {
			p.Live = c.newPreview(p.live, nil, state.Live.Settings, p.uses)
		}
		p.Refreshed = c.refreshed(state.Live)
	}
	if s := state.Saved; s != nil {
		if idp := p.usable(c.known(ctx, s)); idp != nil {
			p.Saved = c.newPreview(idp, p.live, s.Settings, p.uses)
		}
		if s.Refresh {
			if err := c.takeLastRead(ctx, p.Form, s); err != nil {
				p.Unreadable = err.Error()
			}
		}
		if p.Test, err = c.latestTest(ctx, s.ID); err != nil {
			return nil, err
		}
		if p.Passed, err = c.DB.PassedTest(ctx, s.ID); err != nil && !errors.Is(err, storage.ErrNotFound) {
			return nil, err
		}
	}
	p.SignIns, err = c.DB.SignIns(ctx, false, recentSignIns)
	return p, err
}

// usable takes what Console.known returns of a revision. That it cannot be used (a newer version of
// the console may be stricter) is to be seen on the page, not to keep it from being seen.
func (p *ssoPage) usable(idp *saml.IdentityProvider, err error) *saml.IdentityProvider {
	if err != nil {
		p.Unreadable = err.Error()
		return nil
	}
	return idp
}

// A summaryLine is one problem, with the ID of the field to go to.
type summaryLine struct{ Field, Label, Message string }

// Summary lists all problems of the form in the order of its fields. It stands where the browser
// goes, so that nobody has to look for what is wrong.
func (p *ssoPage) Summary() (list []summaryLine) {
	for _, f := range []struct{ name, id, label string }{{fieldForm, "", ""},
		{fieldSource, "pasted", "Metadata or certificate"}, {fieldMetadataURL, "metadata-url", "Metadata URL"},
		{fieldSignedBy, "signed-by", "Certificate that signs the metadata"},
		{fieldEntityID, "entity-id", "Entity ID"}, {fieldLoginURL, "login-url",
			"Single Sign-On URL"}, {fieldCertificate, "certificate", "X.509 certificate"}} {
		for _, one := range p.Problems[f.name] {
			list = append(list, summaryLine{f.id, f.label, one.Message})
		}
	}
	return list
}

// fill puts a form of the administrator's in the place of the saved one.
func (p *ssoPage) fill(f *form) {
	p.Form, p.Problems = f, f.problems
}

// renderSSO answers with the page. The forms lead to #result, which is what there is to see first.
func (c *Console) renderSSO(w http.ResponseWriter, p *ssoPage) {
	switch {
	case p.Alert != "":
		p.At = "alert"
	case len(p.Problems) > 0:
		p.At = "summary"
	case p.Preview != nil:
		p.At = "preview"
	}
	render(w, p.Status, "sso", p)
}

func (c *Console) showSSO(w http.ResponseWriter, r *http.Request, admin *storage.AdminSession) {
	p, err := c.view(r, admin)
	if err != nil {
		c.broken(w, r, err)
		return
	}
	c.renderSSO(w, p)
}

// broken answers where the database does not.
func (c *Console) broken(w http.ResponseWriter, r *http.Request, err error) {
	c.Logger.Error("the database does not answer", "error", err)
	c.unavailable(w, r)
}

// A formHandler answers a settings form of the administrator's.
type formHandler func(w http.ResponseWriter, r *http.Request, admin *storage.AdminSession, f *form)

// withForm reads the settings form, and gives its handler the whole answerTime: however long the
// browser took to send it.
func (c *Console) withForm(next formHandler) adminHandler {
	return func(w http.ResponseWriter, r *http.Request, admin *storage.AdminSession) {
		f := readForm(w, r, maxUpload)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), c.answerTime)
		defer cancel()
		next(w, r.WithContext(ctx), admin, f)
	}
}

// unsure answers where the database failed while something was written. What was written may be
// kept all the same: an answer can get lost after the commit.
func (c *Console) unsure(w http.ResponseWriter, r *http.Request, err error) {
	c.Logger.Error("it is not known whether a change was saved", "path", r.URL.Path, "error", err)
	w.Header().Set("Retry-After", "10")
	c.showMessage(w, r, http.StatusServiceUnavailable, message{Title: "It is not known whether this was saved",
		Text: "The database did not answer while it was writing. Look at the settings before you try again.", Link: "/settings/" + tab(r.URL.Path), Label: "Look at the settings"})
}

// readSource fills the form from a file or the paste box, and shows what it means.
func (c *Console) readSource(w http.ResponseWriter, r *http.Request, admin *storage.AdminSession, f *form) {
	if len(f.problems) == 0 && !f.hasSource() {
		f.refuse(fieldSource, "this is empty", "Choose the file that was downloaded, or paste its text.")
	}
	f.readSource()
	c.showForm(w, r, admin, f)
}

// fetchSource fills the form from the metadata URL, and shows what it means. It does not guess what
// counts if there is a file or a text too.
func (c *Console) fetchSource(w http.ResponseWriter, r *http.Request, admin *storage.AdminSession, f *form) {
	switch {
	case len(f.problems) > 0:
	case !f.hasSource():
		c.fetch(r.Context(), f)
	case f.MetadataURL == "":
		f.readSource()
	default:
		f.refuse(fieldSource, "there is an address to fetch, and a file or a pasted text too, and only one of them can count", "Empty the box and press Fetch again, or press Read it.")
	}
	c.showForm(w, r, admin, f)
}

// readAll fills the form from everything that was given to fill it: a file, a text, an address
// alone, or an address that is to be read again and again from now on.
func (c *Console) readAll(ctx context.Context, f *form) {
	f.readSource()
	if len(f.problems) > 0 {
		return
	}
	c.recognize(ctx, f)
	if f.isEmpty() && f.MetadataURL != "" || f.mustFetch() {
		c.fetch(ctx, f)
		f.unseen = f.seen == "" || f.seen != f.mark("")
	}
}

// previewSettings shows what the fields mean.
func (c *Console) previewSettings(w http.ResponseWriter, r *http.Request, admin *storage.AdminSession, f *form) {
	c.readAll(r.Context(), f)
	c.showForm(w, r, admin, f)
}

// showForm shows a form with its preview, or with what is wrong with it. Nothing is saved.
func (c *Console) showForm(w http.ResponseWriter, r *http.Request, admin *storage.AdminSession, f *form) {
	var idp *saml.IdentityProvider
	var s storage.Settings
	// A certificate alone, read from a file, leaves the other two fields to be filled in: no reason
	// to complain yet.
	if len(f.problems) == 0 {
		s, idp = c.settings(f)
	}
	p, err := c.view(r, admin)
	if err != nil {
		c.Logger.Error("the database does not answer", "error", err)
		c.orphan(w, r, f, http.StatusServiceUnavailable)
		return
	}
	p.fill(f)
	if idp == nil {
		p.Status = http.StatusUnprocessableEntity
	} else {
		p.Preview = c.newPreview(idp, p.live, s, p.uses)
	}
	c.renderSSO(w, p)
}

// saveSettings keeps the fields. Sign-in goes on with the settings in use until these are enabled.
func (c *Console) saveSettings(w http.ResponseWriter, r *http.Request, admin *storage.AdminSession, f *form) {
	c.readAll(r.Context(), f)
	if len(f.problems) > 0 {
		c.showForm(w, r, admin, f)
		return
	}
	s, idp := c.settings(f)
	if idp == nil {
		c.showForm(w, r, admin, f)
		return
	}
	if f.Refresh && f.unseen {
		c.refuseSave(w, r, admin, f, http.StatusUnprocessableEntity, unseenKeys)
		return
	}
	if mark := c.endedMark(idp); mark != "" && f.AcceptEnded != mark {
		c.refuseSave(w, r, admin, f, http.StatusUnprocessableEntity,
			"Nothing was saved: every certificate here has ended, so this is probably an old file. If the identity provider still signs with it, tick the box below the preview and save again.")
		return
	}
	if state, err := c.DB.State(r.Context()); err == nil && state.Version == f.Version && state.Saved != nil &&
		state.Saved.Settings == s {
		redirect(w, r, "/settings/sso?done=unchanged") // and the test of these settings still counts
		return
	}
	if !c.canSign(w, r, admin, f) {
		return
	}
	switch err := c.DB.Save(r.Context(), f.Version, s, admin.Administrator); {
	case errors.Is(err, storage.ErrConflict):
		c.refuseSave(w, r, admin, f, http.StatusConflict, "")
	case err != nil:
		c.Logger.Error("it is not known whether the settings were saved", "error", err)
		p := c.orphanPage(r, f, http.StatusServiceUnavailable)
		p.Alert = "It is not known whether this was saved: the database did not answer while it was writing. Look at the settings in another tab before you try again. What you typed is below."
		c.renderSSO(w, p)
	default:
		c.Logger.Info("settings of single sign-on saved", "by", admin.Administrator)
		redirect(w, r, "/settings/sso?done=saved")
	}
}

// canSign makes the signing key that settings with logout need, or reports that there is none and
// answers.
func (c *Console) canSign(w http.ResponseWriter, r *http.Request, admin *storage.AdminSession, f *form) bool {
	if !f.Logout {
		return true
	}
	switch _, err := c.signing(r.Context()); {
	case err == nil:
		return true
	case errors.Is(err, keys.ErrSealed):
		c.refuseSave(w, r, admin, f, http.StatusConflict, "Nothing was saved, because nobody can be signed out at the "+
			"identity provider: "+err.Error()+". Or save without “Sign out at the identity provider too”.")
	default:
		c.Logger.Error("the database does not answer", "error", err)
		c.orphan(w, r, f, http.StatusServiceUnavailable)
	}
	return false
}

// refuseSave shows the form again, with why it was not saved: "" for a lost update, which needs the
// state to tell.
func (c *Console) refuseSave(w http.ResponseWriter, r *http.Request, admin *storage.AdminSession, f *form, status int,
	why string) {
	p, err := c.view(r, admin)
	if err != nil {
		c.Logger.Error("the database does not answer", "error", err)
		c.orphan(w, r, f, http.StatusServiceUnavailable)
		return
	}
	if why == "" {
		why = "Nothing was saved: " + p.conflict() +
			" What you typed is below; what is saved now is on this page too. Saving again replaces that."
		f.Version = p.State.Version // now that the administrator has been told
	}
	p.fill(f)
	p.Status, p.Alert = status, why
	if s, idp := c.settings(f); idp != nil {
		p.Preview = c.newPreview(idp, p.live, s, p.uses)
	}
	c.renderSSO(w, p)
}

// conflict says who was first.
func (p *ssoPage) conflict() string {
	return "the settings were " + string(p.State.Act) + " by " + p.State.ChangedBy + " at " +
		showTime(p.State.ChangedAt) + ", after this page was opened."
}

// unchanged reads the state and reports whether it is still the one that the page of a small form
// showed; otherwise it answers.
func (c *Console) unchanged(w http.ResponseWriter, r *http.Request, admin *storage.AdminSession) (*storage.State,
	bool) {
	r.Body = http.MaxBytesReader(w, r.Body, maxSmallForm)
	state, err := c.DB.State(r.Context())
	if err != nil {
		c.broken(w, r, err)
		return nil, false
	}
	if version, err := strconv.ParseInt(r.PostFormValue("version"), 10, 64); err != nil || version != state.Version {
		c.refuseAct(w, r, admin, http.StatusConflict, "")
		return nil, false
	}
	return state, true
}

// refuseAct shows the page with why nothing was done: "" for a lost update.
func (c *Console) refuseAct(w http.ResponseWriter, r *http.Request, admin *storage.AdminSession, status int,
	why string) {
	p, err := c.view(r, admin)
	if err != nil {
		c.broken(w, r, err)
		return
	}
	if why == "" {
		why = "Nothing was done: " + p.conflict() +
			" Look at the settings as they are now, and press the button again if you still want to."
	}
	p.Status, p.Alert = status, why
	c.renderSSO(w, p)
}

// enable puts the saved settings to use: after a passed test of exactly these, or where the
// administrator says in writing that none is wanted.
func (c *Console) enable(w http.ResponseWriter, r *http.Request, admin *storage.AdminSession) {
	state, ok := c.unchanged(w, r, admin)
	if !ok {
		return
	}
	if state.Saved == nil {
		c.refuseAct(w, r, admin, http.StatusConflict, "There is nothing to enable: save the settings first.")
		return
	}
	if _, err := c.DB.PassedTest(r.Context(), state.Saved.ID); errors.Is(err, storage.ErrNotFound) {
		if r.PostFormValue("confirm") != confirmUntested {
			c.refuseAct(w, r, admin, http.StatusUnprocessableEntity,
				"Nothing was enabled: no test sign-in has passed with exactly these settings. Run the test, or type “"+confirmUntested+"” to enable them all the same.")
			return
		}
	} else if err != nil {
		c.broken(w, r, err)
		return
	}
	c.turn(w, r, admin, storage.Enabled, c.DB.Enable(r.Context(), state.Version, admin.Administrator))
}

func (c *Console) disable(w http.ResponseWriter, r *http.Request, admin *storage.AdminSession) {
	if state, ok := c.unchanged(w, r, admin); ok {
		c.turn(w, r, admin, storage.Disabled, c.DB.Disable(r.Context(), state.Version, admin.Administrator))
	}
}

// discard gives up saved settings for those in use.
func (c *Console) discard(w http.ResponseWriter, r *http.Request, admin *storage.AdminSession) {
	state, ok := c.unchanged(w, r, admin)
	if !ok {
		return
	}
	if !state.Pending() {
		c.refuseAct(w, r, admin, http.StatusConflict,
			"There is nothing to discard: the saved settings are those in use.")
		return
	}
	c.turn(w, r, admin, storage.Discarded, c.DB.Discard(r.Context(), state.Version, admin.Administrator))
}

func (c *Console) delete(w http.ResponseWriter, r *http.Request, admin *storage.AdminSession) {
	state, ok := c.unchanged(w, r, admin)
	if !ok {
		return
	}
	if r.PostFormValue("confirm") != confirmDelete {
		c.refuseAct(w, r, admin, http.StatusUnprocessableEntity,
			"Nothing was deleted: type “"+confirmDelete+"” to delete the settings.")
		return
	}
	c.turn(w, r, admin, storage.Deleted, c.DB.Delete(r.Context(), state.Version, admin.Administrator))
}

// turn answers an act that was tried.
func (c *Console) turn(w http.ResponseWriter, r *http.Request, admin *storage.AdminSession, act storage.Act,
	err error) {
	switch {
	case errors.Is(err, storage.ErrConflict):
		c.refuseAct(w, r, admin, http.StatusConflict, "")
	case err != nil:
		c.forget() // it may have been done
		c.unsure(w, r, err)
	default:
		c.forget()
		c.Logger.Info("single sign-on "+string(act), "by", admin.Administrator)
		redirect(w, r, "/settings/sso?done="+string(act))
	}
}

// takeForm lets a settings form through whose browser has, or had until a moment ago, a session of
// the administrator. Nobody else gets more than a small form read, and nothing of it back: the page
// of a large form costs many times its size. Of large forms one is read at a time.
func (c *Console) takeForm(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if c.readMark(r, adminMark) == "" {
			// or the browser would show an error of its own
			io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, maxSmallForm))
			c.askToSignIn(w, r)
			return
		}
		if r.ContentLength < 0 || r.ContentLength > largeForm {
			ctx, cancel := context.WithTimeout(r.Context(), largeFormWait)
			defer cancel()
			select {
			case c.large <- struct{}{}:
				defer func() { <-c.large }()
			case <-ctx.Done():
				w.Header().Set("Retry-After", "10")
				c.showMessage(w, r, http.StatusServiceUnavailable, message{Title: "Please try again in a moment",
					Text: "Other large files are being read. Nothing was changed: go back, and press the button again.", Link: "/settings/sso", Label: "Single Sign-On settings"})
				return
			}
		}
		next(w, r)
	}
}

// keepForm answers a settings form that cannot be looked at now, with all that was typed, to be
// sent again.
func (c *Console) keepForm(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f := readForm(w, r, maxUpload)
		if len(f.file) > 0 { // a page cannot give a file back, but what it fills in
			f.readSource()
		}
		c.orphan(w, r, f, status)
	}
}

// orphan shows a form alone, of which nothing was saved.
func (c *Console) orphan(w http.ResponseWriter, r *http.Request, f *form, status int) {
	c.renderSSO(w, c.orphanPage(r, f, status))
}

// orphanPage is the page of a form alone. It holds nothing but what the same request brought.
func (c *Console) orphanPage(r *http.Request, f *form, status int) *ssoPage {
	p := &ssoPage{page: c.newPage(r, "Single Sign-On", visitor{}), RedirectURL: c.redirectURL,
		State: &storage.State{}, Form: f, Problems: f.problems, Orphan: true, Status: status}
	p.Alert = "Nothing was saved: the database does not answer. What you typed is below; save it again in a moment."
	if status == http.StatusUnauthorized {
		p.Alert = "Nothing was saved: your session as administrator has ended. What you typed is below: sign in in another tab, then save it here again."
	}
	return p
}

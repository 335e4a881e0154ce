package console

import (
	"context"
	"errors"

	"github.com/iomete/saml/examples/dataplane/internal/storage"
)

// commandLine is who changes settings without a browser.
const commandLine = "the command line"

// Install saves the metadata of an identity provider unless it is saved already, and enables it if
// asked to. The error has a line for each thing that is wrong. It is for starting without a
// browser; several replicas may do it at once.
func (c *Console) Install(ctx context.Context, document []byte, enable bool) error {
	f := &form{}
	f.fill(document, fieldSource)
	if f.Document == nil && len(f.problems) == 0 {
		f.refuse(fieldSource, "this is a certificate, not metadata", "Give the metadata of the identity provider.")
	}
	var s storage.Settings
	if len(f.problems) == 0 {
		s, _ = c.settings(f)
	}
	if err := f.problems.join(); err != nil {
		return err
	}
	for {
		done, err := c.installStep(ctx, s, enable)
		if errors.Is(err, storage.ErrConflict) { // another replica was first, and what is left to do is less
			continue
		}
		if done || err != nil {
			return err
		}
	}
}

// installStep makes the next change that is needed, and reports whether there was none.
func (c *Console) installStep(ctx context.Context, s storage.Settings, enable bool) (done bool, err error) {
	state, err := c.DB.State(ctx)
	if err != nil {
		return false, err
	}
	for _, r := range []*storage.Revision{state.Live, state.Saved} {
		if r != nil && r.EntityID == s.EntityID {
			s = withChoices(s, r.Settings)
		}
	}
	switch {
	case isRefreshed(state.Live, s): // with or without settings that wait to be enabled
		return true, nil
	case state.Saved == nil || state.Saved.Settings != s && !isRefreshed(state.Saved, s):
		c.Logger.Info("saving the settings of single sign-on", "by", commandLine)
		return false, c.DB.Save(ctx, state.Version, s, commandLine)
	case enable && (state.Live == nil || state.Pending()):
		c.Logger.Info("enabling single sign-on", "by", commandLine)
		return false, c.DB.Enable(ctx, state.Version, commandLine)
	}
	return true, nil
}

// withChoices adds to the settings of the command line what it says nothing about, and an administrator
// has chosen for the same identity provider.
func withChoices(s, chosen storage.Settings) storage.Settings {
	s.Logout = chosen.Logout
	fetched := s
	if fetched.MetadataURL = chosen.MetadataURL; fetched == chosen { // the document is from there
		return fetched
	}
	return s
}

// isRefreshed reports whether an administrator has the same identity provider kept up to date: the
// document of the command line knows less, and would take that back at every start.
func isRefreshed(r *storage.Revision, s storage.Settings) bool {
	return r != nil && r.Refresh && r.EntityID == s.EntityID
}

// join makes one error of all problems.
func (p problems) join() error {
	var list []error
	for _, field := range []string{fieldSource, fieldForm, fieldEntityID, fieldLoginURL, fieldCertificate} {
		for _, one := range p[field] {
			list = append(list, errors.New(one.Message+" "+one.Hint))
		}
	}
	return errors.Join(list...)
}

package console

import (
	"context"
	"errors"

	"github.com/iomete/saml/examples/dataplane/internal/storage"
)

// commandLine is who changes settings without a browser.
const commandLine = "the command line"

// Install saves the metadata of an identity provider unless it is saved already, and enables it if asked to. The error has a line for
// each thing that is wrong. It is for starting without a browser; several replicas may do it at once.
func (c *Console) Install(ctx context.Context, document []byte, enable bool) error {
	f := &form{}
	f.fill(document, fieldSource)
	if f.Document == nil && len(f.problems) == 0 {
		f.refuse(fieldSource, "this is a certificate, not metadata", "Give the Federation Metadata XML.")
	}
	var s storage.Settings
	if len(f.problems) == 0 {
		s, _ = c.settings(f)
	}
	if err := f.problems.join(); err != nil {
		return err
	}
	state, err := c.DB.State(ctx)
	if err != nil {
		return err
	}
	if state.Saved == nil || state.Saved.Settings != s {
		if err := c.DB.Save(ctx, state.Version, s, commandLine); err != nil {
			return err
		}
		c.Logger.Info("settings of single sign-on saved", "by", commandLine)
	}
	if !enable {
		return nil
	}
	if state, err = c.DB.State(ctx); err != nil || state.Live != nil && state.Live.ID == state.Saved.ID {
		return err
	}
	c.Logger.Info("single sign-on enabled", "by", commandLine)
	return c.DB.Enable(ctx, state.Version, commandLine)
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

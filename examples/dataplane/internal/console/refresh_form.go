package console

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/examples/dataplane/internal/storage"
)

// A refreshForm is the part of the settings form that says how the settings are kept up to date.
type refreshForm struct {
	Refresh  bool   // read MetadataURL again and again
	SignedBy string // certificates: one of them must have signed what is there; "" if none must
	Fetched  string // the MetadataURL that the fields were fetched from, and shown; "" for none
	LastRead string // mark of the fields, if they show what was read last for the saved revision

	same     *storage.Revision      // the saved revision, if the form changes nothing of it
	lastRead *saml.IdentityProvider // of that revision
	seen     string                 // mark of the fields that the page showed, if they must be fetched again
	unseen   bool                   // the fields were fetched just now: nobody has seen them
}

func (f *refreshForm) read(name, text string) {
	switch name {
	case "refresh":
		f.Refresh = text == "yes"
	case "signed_by":
		f.SignedBy = text
	case "fetched":
		f.Fetched = text
	case "last_read":
		f.LastRead = text
	}
}

const unseenKeys = "Nothing was saved yet: the settings were fetched from the metadata URL just now. " +
	"Look at the keys in the preview, then press Save again. Later keys of this address count at once."

// mark names the fields as they are, for one revision. A browser may change white space.
func (f *form) mark(revision string) string {
	sum := sha256.Sum256([]byte(strings.Join(append([]string{revision, f.EntityID, f.LoginURL},
		strings.Fields(f.Certificate)...), "\n")))
	return hex.EncodeToString(sum[:])
}

// takeLastRead fills the form with the document that was read last for the saved revision, which is
// refreshed.
func (c *Console) takeLastRead(ctx context.Context, f *form, saved *storage.Revision) error {
	document, idp, err := c.lastRead(ctx, saved)
	if err != nil {
		return err
	}
	f.EntityID, f.LoginURL, f.Certificate, f.Document = idp.EntityID(), idp.LoginURL(), pemOf(idp.Keys()), document
	f.LastRead = f.mark(saved.ID)
	return nil
}

// recognize looks whether the fields are still those that were read for the saved revision, as the
// page showed them. Then they stay what is read, or with the switch turned off become settings like
// any others: the document that was read last, which may be after the page was opened. Fields that
// were changed count as they are.
func (c *Console) recognize(ctx context.Context, f *form) {
	if f.LastRead == "" {
		return
	}
	state, err := c.DB.State(ctx)
	if err != nil || state.Saved == nil || f.LastRead != f.mark(state.Saved.ID) {
		return
	}
	saved := state.Saved
	if !f.Refresh {
		if err := c.takeLastRead(ctx, f, saved); err != nil {
			c.Logger.Warn("what was read last cannot be read", "error", err)
			f.refuse(fieldMetadataURL, "the console cannot tell what was read last from this address",
				"Try again in a moment, or press Fetch.")
		}
		return
	}
	known, err := c.known(ctx, saved)
	if err != nil {
		return
	}
	switch {
	case f.MetadataURL != saved.MetadataURL:
	case f.Logout == saved.Logout && sameText(f.SignedBy, saved.SignedBy):
		f.same, f.lastRead = saved, known
	default: // these will be other settings, which begin with the document as it is now
		f.Fetched, f.seen = "", f.mark("")
	}
}

func sameText(a, b string) bool {
	return strings.Join(strings.Fields(a), " ") == strings.Join(strings.Fields(b), " ")
}

// mustFetch reports whether the fields have to be fetched from the metadata URL, and shown, before
// they can be kept up to date from it.
func (f *form) mustFetch() bool {
	return f.Refresh && f.same == nil && (f.MetadataURL == "" || f.MetadataURL != f.Fetched)
}

// checkRefresh refuses fields that the first look would replace by others, or a document that no
// look would take.
func (f *form) checkRefresh(s *storage.Settings, idp *saml.IdentityProvider, now time.Time) {
	pins, err := pinnedKeys(f.SignedBy)
	if err != nil {
		f.refuseAll(err, fieldSignedBy)
		return
	}
	if !isFromMetadata(*s) {
		f.refuse(fieldMetadataURL, "the fields below are not as this address has them",
			"While they are kept up to date, they come from the address alone: press Fetch to read them again. "+
				"To set them by hand, switch “Keep up to date” off.")
		return
	}
	_, err = saml.ParseMetadata([]byte(s.Document),
		saml.ParseMetadataOptions{EntityID: s.EntityID, Unattended: true, SignedBy: pins})
	if err != nil {
		field := fieldMetadataURL
		if pins != nil {
			field = fieldSignedBy
		}
		f.refuseAll(err, field)
		return
	}
	if until := idp.ValidUntil(); !until.IsZero() && !now.Before(until) {
		f.refuse(fieldMetadataURL, "the metadata at this address ran out at "+showTime(until)+
			": while it is kept up to date, no such document is taken",
			"Ask whoever publishes it to renew it. To sign in with the keys in it all the same, switch “Keep up to "+
				"date” off.")
		return
	}
	s.Refresh, s.SignedBy = true, pemOf(pins)
}

package console

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/examples/dataplane/internal/storage"
)

// changes are those of refreshed metadata, for the banner and the settings page. No page depends on
// them.
func (c *Console) changes(ctx context.Context) []storage.Change {
	list, err := c.DB.Changes(ctx)
	if err != nil {
		c.Logger.Warn("the changes of the metadata cannot be read", "error", err)
	}
	return list
}

// dismissChanges takes the banner away that the administrator has read. A change that came later
// stays.
func (c *Console) dismissChanges(w http.ResponseWriter, r *http.Request, admin *storage.AdminSession) {
	r.Body = http.MaxBytesReader(w, r.Body, maxSmallForm)
	if err := r.ParseForm(); err != nil {
		c.notFound(w, r)
		return
	}
	ids := r.PostForm["change"]
	if slices.ContainsFunc(ids, func(id string) bool { return !isID(id) }) {
		c.notFound(w, r)
		return
	}
	if err := c.DB.DismissChanges(r.Context(), admin.Administrator, ids...); err != nil {
		c.unsure(w, r, err)
		return
	}
	redirect(w, r, "/settings/sso?done=dismissed")
}

// keyUseEvery is how often the database is told that a key signs. It writes down less than that:
// storage.DB.NoteKeyUse, for all replicas together.
const keyUseEvery = 10 * time.Minute

// noteKeyUse notes that a key has signed a response that was accepted, of a test too.
func (c *Console) noteKeyUse(ctx context.Context, login *saml.Login) {
	key, now := login.SigningKey, c.Now()
	if last, ok := c.keyUses.Load(key); ok && now.Sub(last.(time.Time)) < keyUseEvery || c.hangs() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTime)
	defer cancel()
	if err := c.DB.NoteKeyUse(ctx, key.String()); err != nil {
		c.Logger.Warn("it cannot be noted that a key was used", "key", key.String(), "error", err)
		return
	}
	c.keyUses.Store(key, now)
}

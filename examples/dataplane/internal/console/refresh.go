package console

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/examples/dataplane/internal/storage"
)

// FetchMetadata is saml.FetchMetadata. Its errors name the flags of the program.
func FetchMetadata(ctx context.Context, address string, o saml.FetchOptions) ([]byte, error) {
	data, err := saml.FetchMetadata(ctx, address, o)
	var e *saml.Error
	if errors.As(err, &e) {
		return nil, inFlags(e)
	}
	return data, err
}

var flagNames = strings.NewReplacer("FetchOptions.Proxy", "-metadata-proxy", "FetchOptions.RootCAs", "-metadata-ca")

// inFlags is an error about fetching in the words of an administrator of this program.
func inFlags(e *saml.Error) *saml.Error {
	own := *e
	own.Message, own.Hint = flagNames.Replace(e.Message), flagNames.Replace(e.Hint)
	return &own
}

// beginSource begins to read the metadata of a revision again and again. What any replica read of
// it last counts at once, and if none has, the document that was saved. The source looks until stop
// is called or the console is closed.
func (c *Console) beginSource(ctx context.Context, r *storage.Revision,
	observe func(context.Context, saml.Event)) (source *saml.MetadataSource, stop context.CancelFunc, err error) {
	cache, err := c.DB.MetadataCache(ctx, r.ID)
	if err != nil {
		return nil, nil, err
	}
	pins, err := pinnedKeys(r.SignedBy)
	if err != nil {
		return nil, nil, err
	}
	config := saml.MetadataSourceConfig{Address: r.MetadataURL, EntityID: r.EntityID, SignedBy: pins,
		Fetch: c.FetchOptions, Initial: []byte(r.Document), Persist: cache, Now: c.Now, Observe: observe, Logger: c.Logger}
	if observe == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	run, stop := context.WithCancel(c.background)
	if source, err = saml.NewMetadataSource(run, config); err != nil {
		stop()
		return nil, nil, err
	}
	return source, stop, nil
}

// pinnedKeys reads the certificates of which one must have signed the metadata; nil if there are
// none.
func pinnedKeys(text string) ([]saml.TrustedKey, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	return saml.ParseKeys([]byte(text))
}

// inUse is the provider in use, as this process knows it.
func (c *Console) inUse() running {
	c.live.mu.Lock()
	defer c.live.mu.Unlock()
	return c.live.running
}

// sourceOf gives the identity provider of a revision: if its metadata is refreshed, with what was
// read last, by this replica or, while the revision is not in use here, by any.
func (c *Console) sourceOf(ctx context.Context, r *storage.Revision) (saml.IdentityProviderSource, error) {
	if !r.Refresh {
		return identityProvider(r.Settings)
	}
	if live := c.inUse(); live.revision == r.ID {
		return live.source, nil
	}
	return c.keptSource(ctx, r)
}

// keptSource gives a source that has what any replica has kept of a revision, and looks no more.
func (c *Console) keptSource(ctx context.Context, r *storage.Revision) (*saml.MetadataSource, error) {
	source, stop, err := c.beginSource(ctx, r, nil)
	if err != nil {
		return nil, err
	}
	stop() // what is kept was read already, and settings that are not in use are not looked at again
	return source, nil
}

// lastRead gives the document of a revision that was read last, here or by another replica, and what
// it says: the saved one if none was read since.
func (c *Console) lastRead(ctx context.Context, r *storage.Revision) ([]byte, *saml.IdentityProvider, error) {
	source, err := c.newestSource(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	document := source.Document()
	if document == nil {
		if _, err := source.Snapshot(ctx); err != nil { // what was kept does not count, and is not older than the saved one
			return nil, nil, err
		}
		document = []byte(r.Document)
	}
	idp, err := readMetadata(document, r.EntityID)
	return document, idp, err
}

// newestSource gives the source of a revision that knows most: the one that reads here, or what
// another replica has kept since that one read.
func (c *Console) newestSource(ctx context.Context, r *storage.Revision) (*saml.MetadataSource, error) {
	kept, err := c.keptSource(ctx, r)
	if err != nil {
		return nil, err
	}
	if live := c.inUse(); live.revision == r.ID {
		there, here := kept.Status(), live.source.Status()
		if there.Origin != saml.MetadataPersisted || !there.ReadAt.After(here.ReadAt) {
			return live.source, nil
		}
	}
	return kept, nil
}

// known gives the identity provider of a revision as it is known now.
func (c *Console) known(ctx context.Context, r *storage.Revision) (*saml.IdentityProvider, error) {
	source, err := c.sourceOf(ctx, r)
	if err != nil {
		return nil, err
	}
	return source.Snapshot(ctx)
}

// noteChange keeps what changed in the metadata in use, for the banner. The log has every event.
func (c *Console) noteChange(ctx context.Context, e saml.Event) {
	m := e.Metadata
	subject, _, _ := strings.Cut(m.Message, ":") // which address
	message := sentence(m.Message)
	switch e.Kind {
	case saml.MetadataKeyAdded, saml.MetadataKeyRenewed:
		subject = m.Key.ThumbprintSHA256()
		message += " It is valid until " + m.Until.Format(time.DateOnly) + "."
	case saml.MetadataKeyRemoved:
		subject = m.Key.ThumbprintSHA256()
	case saml.MetadataAddressChanged:
	default:
		return
	}
	if err := c.DB.AddChange(ctx, subject, message); err != nil {
		c.Logger.Warn("a change of the metadata cannot be kept for the banner", "message", m.Message, "error", err)
	}
}

// lookNow reads the metadata in use at once, for an administrator who does not want to wait. Why a
// look failed is on the page that follows.
func (c *Console) lookNow(w http.ResponseWriter, r *http.Request, admin *storage.AdminSession) {
	live := c.inUse()
	if live.source == nil {
		c.refuseAct(w, r, admin, http.StatusConflict, "There is nothing to look at: the settings in use are not kept up to date.")
		return
	}
	switch err := live.source.LookNow(r.Context()); {
	case errors.Is(err, saml.CodeMetadataTooSoon):
		c.refuseAct(w, r, admin, http.StatusTooManyRequests, sentence(saml.Errors(err)[0].Message))
	case err != nil:
		redirect(w, r, "/settings/sso#refreshed")
	default:
		redirect(w, r, "/settings/sso?done=looked")
	}
}

// refreshed is what is known of the metadata in use, for the settings page.
type refreshed struct {
	saml.MetadataStatus
	Address string
	Saved   bool // nothing was read since the settings were saved
	Failed  *saml.Error
	Health  *saml.Error
}

// refreshed gives the state of the metadata of the revision in use, nil if it is not refreshed
// here.
func (c *Console) refreshed(r *storage.Revision) *refreshed {
	live := c.inUse()
	if live.source == nil || live.revision != r.ID {
		return nil
	}
	v := &refreshed{MetadataStatus: live.source.Status(), Address: live.source.Address()}
	v.Saved = v.Origin == saml.MetadataInitial
	if v.Failure != nil {
		v.Failed = inFlags(v.Failure)
	}
	for _, e := range saml.Errors(live.source.Health()) {
		v.Health = inFlags(e)
	}
	return v
}

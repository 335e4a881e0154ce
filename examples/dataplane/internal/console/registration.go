package console

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"net/http"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/examples/dataplane/internal/keys"
	"github.com/iomete/saml/examples/dataplane/internal/storage"
)

// signing returns the key that signs what the console sends, the same on all replicas. If there is
// none yet, it makes one. It fails with keys.ErrSealed if the one that there is cannot be opened.
func (c *Console) signing(ctx context.Context) (*keys.Signing, error) {
	sealed, err := c.DB.Note(ctx, storage.SigningKeyNote)
	if err == nil && sealed == "" {
		sealed, err = c.addSigning(ctx)
	}
	if err != nil {
		return nil, err
	}
	s, first, err := keys.OpenSigning(c.Keys, sealed)
	if err != nil || first {
		return s, err
	}
	again, err := s.Seal(c.Keys) // the older key may be taken away from now on
	if err == nil {
		err = c.DB.ReplaceNote(ctx, storage.SigningKeyNote, sealed, again)
	}
	if err != nil {
		c.Logger.Warn("the signing key could not be sealed with the first of the keys, so keep the others",
			"error", err)
	}
	return s, nil
}

// keepTime is for storing a signing key, which may have taken longer to make than its caller waits.
const keepTime = 5 * time.Second

// addSigning makes a signing key and returns it sealed, or that of another replica that was first.
// It stores the key even if ctx has ended by then: else a slow machine would make one key after the
// other, and keep none.
func (c *Console) addSigning(ctx context.Context) (sealed string, err error) {
	fresh, err := keys.NewSigning(c.BaseURL, c.Now())
	if err != nil {
		return "", err
	}
	if sealed, err = fresh.Seal(c.Keys); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTime)
	defer cancel()
	return c.DB.AddNote(ctx, storage.SigningKeyNote, sealed)
}

// signingOf returns the signing key for settings, nil for those without logout. A key that cannot
// be opened is nil too: users sign in and out of this console without it, and the settings page
// says what is wrong.
func (c *Console) signingOf(ctx context.Context, s storage.Settings) (*keys.Signing, error) {
	if !s.Logout {
		return nil, nil
	}
	signing, err := c.signing(ctx)
	if errors.Is(err, keys.ErrSealed) {
		c.Logger.Error("nobody is signed out at the identity provider, and requests are not signed", "error", err)
		return nil, nil
	}
	return signing, err
}

// A registration is what an identity provider is told about the console.
type registration struct {
	Metadata    []byte
	LogoutURL   string       // "" for settings without logout
	PEM         string       // certificate of the signing key; "" if there is none
	Certificate *certificate // the same; nil if there is none
	Problem     string       // why there is none although the settings have logout
}

// registration returns our own side for the saved settings, which may be nil.
func (c *Console) registration(ctx context.Context, saved *storage.Revision) (registration, error) {
	if saved == nil || !saved.Logout {
		return registration{Metadata: c.metadata}, nil
	}
	signing, err := c.signing(ctx)
	if errors.Is(err, keys.ErrSealed) {
		return registration{Metadata: c.metadata, Problem: sentence(err.Error())}, nil
	}
	if err != nil {
		return registration{}, err
	}
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signing.Certificate}))
	own, err := saml.ParseKeys([]byte(text))
	if err != nil {
		return registration{}, err
	}
	row := newCertificate(own[0], c.Now(), nil)
	sp, err := saml.New(c.providerConfig("", notKnown, signing))
	if err != nil {
		return registration{}, err
	}
	metadata, err := sp.Metadata()
	return registration{Metadata: metadata, LogoutURL: sp.LogoutURL(), PEM: text, Certificate: &row}, err
}

// showSigning gives the certificate of the signing key as a file.
func (c *Console) showSigning(w http.ResponseWriter, r *http.Request, _ *storage.AdminSession) {
	own, ok := c.savedRegistration(w, r)
	switch {
	case !ok:
	case own.PEM == "":
		c.notFound(w, r)
	default:
		c.download(w, r, "dataplane-signing.pem", "application/x-pem-file", []byte(own.PEM))
	}
}

// showMetadata gives our own side as a file.
func (c *Console) showMetadata(w http.ResponseWriter, r *http.Request, _ *storage.AdminSession) {
	if own, ok := c.savedRegistration(w, r); ok {
		c.download(w, r, "dataplane-metadata.xml", "application/samlmetadata+xml", own.Metadata)
	}
}

// savedRegistration returns our own side for the saved settings, or answers if nobody knows them.
func (c *Console) savedRegistration(w http.ResponseWriter, r *http.Request) (own registration, ok bool) {
	state, err := c.DB.State(r.Context())
	if err == nil {
		own, err = c.registration(r.Context(), state.Saved)
	}
	if err != nil {
		c.broken(w, r, err)
	}
	return own, err == nil
}

func (c *Console) download(w http.ResponseWriter, r *http.Request, name, kind string, content []byte) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	w.Header().Set("Cache-Control", "no-store")
	http.ServeContent(w, r, "", c.Now(), bytes.NewReader(content))
}

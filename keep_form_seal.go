package saml

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/iomete/saml/internal/seal"
	"github.com/iomete/saml/internal/storekey"
)

const (
	// keptFormLifetime is how long a form waits for its user to sign in.
	keptFormLifetime = time.Hour
	// maxKeptType is how long the Content-Type of a form may be, in bytes. That of a multipart form
	// names a boundary of at most 70 characters (RFC 2046 §5.1.1).
	maxKeptType = 256
	// maxSealedForm is the length of a sealed form in base64url: 2 KiB are for all but the body.
	maxSealedForm = (maxKeptForm + 2<<10) / 3 * 4
)

// A keptForm is a form that waits for its user to sign in. Sealed, it opens only for the same
// tenant, entity ID, method, origin, path and query.
type keptForm struct {
	ID          string `json:"i"` // random; what the Store remembers once the form was sent
	Account     string `json:"a"` // FormAccount.Key
	KeptMilli   int64  `json:"t"` // Unix time in milliseconds
	ContentType []byte `json:"c"` // byte for byte

	body []byte
}

func (f *keptForm) keptAt() time.Time { return time.UnixMilli(f.KeptMilli) }

// keptFormContext binds a form to where it was posted. The origin is that of Config.BaseURL, which
// fromOwnOrigin has compared.
func (sp *ServiceProvider) keptFormContext(r *http.Request) seal.Context {
	return seal.Context{Purpose: "saml kept form", Tenant: sp.config.Tenant, EntityID: sp.entityID,
		Name: r.Method + " " + strings.TrimSuffix(sp.config.BaseURL, "/") + requestedPage(r)}
}

// sealForm seals the body of r for an account. The plaintext is JSON, a line break, and the body.
func (sp *ServiceProvider) sealForm(r *http.Request, account string, body []byte) []byte {
	head, err := json.Marshal(keptForm{ID: rand.Text(), Account: account, KeptMilli: sp.config.Now().UnixMilli(),
		ContentType: []byte(r.Header.Get("Content-Type"))})
	if err != nil {
		panic(err) // strings and a number always marshal
	}
	return sp.sealer.SealBytes(sp.keptFormContext(r), append(append(head, '\n'), body...))
}

// openForm returns the form that sealForm sealed for where r is posted, nil if it was not this one.
func (sp *ServiceProvider) openForm(r *http.Request, sealed []byte) *keptForm {
	plaintext, ok := sp.sealer.OpenBytes(sp.keptFormContext(r), sealed)
	if !ok {
		return nil
	}
	head, body, _ := bytes.Cut(plaintext, []byte("\n"))
	form := &keptForm{body: body}
	if json.Unmarshal(head, form) != nil || form.ID == "" || form.Account == "" {
		return nil // another release sealed it
	}
	return form
}

// takeForm returns a form that is sent again by its account. It returns the same form only once;
// fate says why not. After formUnsure the user may try again.
func (sp *ServiceProvider) takeForm(r *http.Request, account string, sealed []byte) (form *keptForm, fate *formFate) {
	form = sp.openForm(r, sealed)
	now := sp.config.Now()
	switch {
	case form == nil || form.keptAt().After(now.Add(sp.skew)):
		return nil, formUnreadable
	case !now.Before(form.keptAt().Add(keptFormLifetime)):
		return nil, formTooOld
	case form.Account != account:
		return nil, formOther
	case form.keptAt().Before(remembersSince(sp.store).Truncate(time.Millisecond)):
		return nil, formUsed // perhaps: nobody knows
	}
	// apart from the request: a browser that hangs up must not leave it undecided
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), claimTimeout)
	defer cancel()
	first, err := sp.store.Claim(ctx, storekey.OfTenant(storekey.Form, sp.config.Tenant, sp.entityID, form.ID),
		keptFormLifetime+sp.skew+claimMargin)
	switch {
	case !isNil(err):
		sp.observe(r.Context(), Event{Kind: FormRefused, Err: refuse(CodeStore,
			"a form that was kept over a sign-in was not sent again: it is unknown whether it was sent before", "", "").
			withCause(err).completed(nil)})
		return nil, formUnsure
	case !first:
		return nil, formUsed
	}
	return form, nil
}

// sentWith returns r with the form as it was posted first.
func (f *keptForm) sentWith(r *http.Request) *http.Request {
	r = r.WithContext(r.Context()) // a copy
	r.Header = r.Header.Clone()
	r.Header.Set("Content-Type", string(f.ContentType))
	r.Header.Set("Content-Length", strconv.Itoa(len(f.body)))
	r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(f.body)), int64(len(f.body)), nil
	r.Form, r.PostForm, r.MultipartForm = nil, nil, nil // of what a middleware may have parsed
	return r
}

var sealedText = base64.RawURLEncoding.Strict()

// unpackSealed returns a sealed form from its text, nil if it cannot be one.
func unpackSealed(text []byte) []byte {
	if len(text) == 0 || len(text) > maxSealedForm || bytes.ContainsAny(text, "\r\n") {
		return nil // the decoder skips line breaks
	}
	sealed := make([]byte, sealedText.DecodedLen(len(text)))
	n, err := sealedText.Decode(sealed, text)
	if err != nil {
		return nil
	}
	return sealed[:n]
}

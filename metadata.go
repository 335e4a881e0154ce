package saml

import (
	"context"
	"time"
)

// An IdentityProvider is an immutable snapshot of whom to trust: what a metadata document or three pasted fields say.
type IdentityProvider struct {
	entityID   string
	loginURL   string // HTTP-Redirect, "" if only loginPOST
	loginPOST  string // HTTP-POST, "" if none
	logoutURL  string // HTTP-Redirect
	keys       []TrustedKey
	validUntil time.Time
	wantSigned bool // WantAuthnRequestsSigned
	warnings   []Warning
}

// A Warning is something about an identity provider's settings that works today but that an administrator should know.
type Warning struct {
	Code    Code   // stable name
	Message string // one sentence for the administrator
	Hint    string // what to change and where, "" if nothing
}

// Snapshot makes an IdentityProvider its own source.
func (p *IdentityProvider) Snapshot(context.Context) (*IdentityProvider, error) { return p, nil }

// EntityID is the name of the identity provider, compared byte for byte ("https://sts.windows.net/<tenant id>/").
func (p *IdentityProvider) EntityID() string { return p.entityID }

// Keys are the keys that may sign responses, usable or not, in the order of the document, at most 16.
func (p *IdentityProvider) Keys() []TrustedKey { return append([]TrustedKey(nil), p.keys...) }

package saml

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"time"

	"github.com/iomete/saml/internal/seal"
)

// A boundLogin is a pending login of a Handler, as a response brought it back: the request that it
// says it answers, and what this browser has for it.
type boundLogin struct {
	requestID string
	binding   binding
	returnTo  string // from the tab or from the cookie of addresses, opened; "" if neither has it
}

// The request ID of a Handler's login is "_", the name of the browser's binding, and these bytes in
// base64url, 63 characters in all:
//
//	6 bytes  Unix time in milliseconds
//	1 byte   flags
//	5 bytes  digest of the identity provider's name and the requested contexts
//	16 bytes random
//	16 bytes tag over all of this and the secret of the binding
//
// So the ID is the record of the login. Without the state keys nobody can make one, and without the
// cookie nobody can use one. base64url has only characters that an NCName may have.
const (
	settingsSize = 5
	randomSize   = 16
	settingsAt   = 7
	randomAt     = settingsAt + settingsSize
	tagAt        = randomAt + randomSize
	boundSize    = tagAt + seal.TagSize
)

const (
	flagForceAuthn = 1 << iota
	flagPurpose    // the binding belongs to this login alone and holds its purpose
	flagReturnTo   // the user asked for a page
	flagUnsure     // of a logout: it is not certain that the session here has ended
)

var idText = base64.RawURLEncoding.Strict()

// bindID returns the ID of the request that p begins in the browser that has b.
func (sp *ServiceProvider) bindID(b binding, p pendingLogin, returnTo bool) string {
	var flags byte
	for flag, set := range map[byte]bool{flagForceAuthn: p.ForceAuthn, flagPurpose: p.Purpose != "",
		flagReturnTo: returnTo} {
		if set {
			flags |= flag
		}
	}
	return sp.newID(sp.boundContext(b), b, p.IssuedMilli, flags, settingsDigest(p.IdentityProvider, p.AuthnContexts))
}

// newID returns an ID that stands for what it says, in the browser that has b. c says what for.
func (sp *ServiceProvider) newID(c seal.Context, b binding, issuedMilli int64, flags byte, settings []byte) string {
	raw := make([]byte, tagAt, boundSize)
	binary.BigEndian.PutUint64(raw, uint64(issuedMilli)<<16) // six bytes are enough until the year 10889
	raw[6] = flags
	copy(raw[settingsAt:], settings)
	rand.Read(raw[randomAt:tagAt])
	raw = append(raw, sp.sealer.Tag(c, raw)...)
	return "_" + b.name + idText.EncodeToString(raw)
}

// boundContext binds a request ID to tenant, service and browser.
func (sp *ServiceProvider) boundContext(b binding) seal.Context {
	return seal.Context{Purpose: "saml request", Name: b.name + "." + b.secret, Tenant: sp.config.Tenant,
		EntityID: sp.entityID}
}

// settingsDigest stands for the settings that must not change during a login.
func settingsDigest(identityProvider string, contexts []string) []byte {
	sum := sha256.Sum256([]byte(strings.Join(append([]string{identityProvider}, contexts...), "\n"))) // no name has a line break
	return sum[:settingsSize]
}

// bindingName returns the name of the binding that a request ID says it belongs to, "" if it is no
// ID of a Handler's login. This proves nothing.
func bindingName(requestID string) string {
	if len(requestID) != 1+nameSize+idText.EncodedLen(boundSize) || requestID[0] != '_' {
		return ""
	}
	return requestID[1 : 1+nameSize]
}

// decodeID returns the bytes of a request ID, nil if it is none of a Handler's login.
func decodeID(requestID string) []byte {
	if bindingName(requestID) == "" || strings.ContainsAny(requestID, "\r\n") { // the decoder would skip these
		return nil
	}
	raw, err := idText.DecodeString(requestID[1+nameSize:])
	if err != nil {
		return nil
	}
	return raw
}

// began reports whether a request ID was made by this service, for this browser and tenant.
func (sp *ServiceProvider) began(l *boundLogin) bool {
	return sp.isOurID(sp.boundContext(l.binding), l.binding, l.requestID)
}

// isOurID reports whether newID made an ID, in the same context and for the browser that has b.
func (sp *ServiceProvider) isOurID(c seal.Context, b binding, id string) bool {
	raw := decodeID(id)
	return raw != nil && b.secret != "" && bindingName(id) == b.name &&
		sp.sealer.Tagged(c, raw[:tagAt], raw[tagAt:])
}

// openBound returns the pending login that a request ID stands for, if it was made for this browser,
// tenant and service. The refusal is that of the time; then the login is returned all the same.
func (sp *ServiceProvider) openBound(idp *IdentityProvider, l *boundLogin, now time.Time) (pendingLogin, *Error) {
	if !sp.began(l) {
		return pendingLogin{}, invalidState()
	}
	raw := decodeID(l.requestID)
	p := pendingLogin{RequestID: l.requestID, IssuedMilli: issuedMilli(raw), ReturnTo: l.returnTo,
		ForceAuthn: raw[6]&flagForceAuthn != 0, AuthnContexts: sp.config.RequestedAuthnContexts}
	if raw[6]&flagPurpose != 0 {
		var ok bool
		if p.Purpose, ok = sp.openPurpose(l.binding); !ok {
			return pendingLogin{}, invalidState()
		}
	}
	// The digest is part of what is tagged, so what it does not fit has changed since.
	if string(settingsDigest(idp.entityID, p.AuthnContexts)) == string(raw[settingsAt:randomAt]) {
		p.IdentityProvider = idp.entityID
	}
	return p, p.timely(now, sp.skew)
}

func issuedMilli(raw []byte) int64 { return int64(binary.BigEndian.Uint64(raw) >> 16) }

// askedForPage reports whether a request ID says that the user asked for a page.
func askedForPage(requestID string) bool {
	raw := decodeID(requestID)
	return raw != nil && raw[6]&flagReturnTo != 0
}

func (sp *ServiceProvider) purposeContext(b binding) seal.Context {
	c := sp.boundContext(b)
	c.Purpose = "saml purpose"
	return c
}

func (sp *ServiceProvider) openPurpose(b binding) (string, bool) {
	plaintext, ok := sp.sealer.Open(sp.purposeContext(b), b.purpose)
	return string(plaintext), ok && len(plaintext) > 0
}

// addressContext binds a sealed address to the login that it belongs to.
func (sp *ServiceProvider) addressContext(requestID string) seal.Context {
	return seal.Context{Purpose: "saml return address", Name: requestID, Tenant: sp.config.Tenant, EntityID: sp.entityID}
}

// sealAddress returns what the tab keeps.
func (sp *ServiceProvider) sealAddress(requestID, address string) string {
	if address == "" {
		return ""
	}
	return sp.sealer.Seal(sp.addressContext(requestID), []byte(address))
}

// openAddress opens what the tab kept. It returns "" if that is of another login, or is no local
// path: the rules may have become stricter since it was sealed.
func (sp *ServiceProvider) openAddress(requestID, sealed string) string {
	if sealed == "" {
		return ""
	}
	plaintext, ok := sp.sealer.Open(sp.addressContext(requestID), sealed)
	if !ok || !localPath(string(plaintext)) {
		return ""
	}
	return string(plaintext)
}

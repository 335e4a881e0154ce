package saml

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/iomete/saml/internal/seal"
)

// pendingLogin is what we remember, sealed and in the browser, between request and response.
type pendingLogin struct {
	RequestID        string   `json:"i"`
	IssuedMilli      int64    `json:"t"` // Unix time in milliseconds: short, since a browser may hold ten of these
	IdentityProvider string   `json:"p"` // entity ID that was asked
	ReturnTo         string   `json:"r,omitempty"`
	Purpose          string   `json:"u,omitempty"`
	ForceAuthn       bool     `json:"f,omitempty"`
	AuthnContexts    []string `json:"c,omitempty"`
}

func (p *pendingLogin) issuedAt() time.Time  { return time.UnixMilli(p.IssuedMilli).UTC() }
func (p *pendingLogin) expiresAt() time.Time { return p.issuedAt().Add(pendingLifetime) }

// pendingLifetime is how long a user may take at the identity provider.
const pendingLifetime = 60 * time.Minute

// pendingContext binds pending logins to tenant and service provider. The request ID stands in the sealed value.
func (sp *ServiceProvider) pendingContext() seal.Context {
	return seal.Context{Purpose: "saml pending login", Name: "saml_login", Tenant: sp.config.Tenant, EntityID: sp.entityID}
}

func (sp *ServiceProvider) sealer() seal.Sealer { return seal.Sealer{Keys: sp.config.StateKeys} }

// seal gives the state: the tenant, so that a Handler can find its settings, and the sealed login, which is bound to it.
func (p pendingLogin) seal(s seal.Sealer, c seal.Context) string {
	var plaintext bytes.Buffer
	e := json.NewEncoder(&plaintext)
	e.SetEscapeHTML(false) // a return_to is full of &, which would take six bytes each
	if err := e.Encode(p); err != nil {
		panic(err) // strings, a number and a bool always marshal
	}
	return tenantText.EncodeToString([]byte(c.Tenant)) + "." + s.Seal(c, bytes.TrimSpace(plaintext.Bytes()))
}

var tenantText = base64.RawURLEncoding.Strict()

// tenantOf gives the tenant that a state names. It proves nothing before the seal is open.
func tenantOf(state string) (string, bool) {
	text, _, ok := strings.Cut(state, ".")
	tenant, err := tenantText.DecodeString(text)
	return string(tenant), ok && err == nil
}

func openPending(s seal.Sealer, c seal.Context, state string, now time.Time, skew time.Duration) (p pendingLogin, refusal *Error) {
	tenant, named := tenantOf(state)
	_, sealed, _ := strings.Cut(state, ".")
	plaintext, ok := s.Open(c, sealed)
	if !ok || !named || tenant != c.Tenant || json.Unmarshal(plaintext, &p) != nil || p.RequestID == "" {
		return pendingLogin{}, invalidState()
	}
	if p.issuedAt().After(now.Add(skew)) {
		refusal = refuse(CodeStateInvalid, "the pending login comes from the future", showTime(p.issuedAt()), "")
		refusal.Hint = "Set the clocks of all replicas by NTP, and sign in again." // the keys are right: the seal was good
		return p, refusal
	}
	if !now.Before(p.expiresAt()) {
		return p, refuse(CodeStateExpired, "the sign-in took too long", "begun "+showTime(p.issuedAt()), "at most "+pendingLifetime.String())
	}
	return p, nil
}

const maxReturnTo = 1 << 10 // bytes

// localPath reports whether s is a path and query on our own host that a browser cannot take for anything else.
func localPath(s string) bool {
	if s == "" || len(s) > maxReturnTo || s[0] != '/' || strings.HasPrefix(s, "//") || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if r < 0x20 || r == 0x7F || r == '\\' || r == '#' {
			return false
		}
	}
	u, err := url.Parse(s)
	return err == nil && u.Scheme == "" && u.Host == "" && u.User == nil
}

func invalidState() *Error {
	return refuse(CodeStateInvalid, "the pending login cannot be opened", "", "one that this service sealed for this tenant").atStep(stepState)
}

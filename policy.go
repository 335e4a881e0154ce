package saml

import (
	"crypto"
	"time"

	"github.com/iomete/saml/internal/dsig"
	"github.com/iomete/saml/internal/keycall"
)

// policy is what the checks demand of a response, whoever the identity provider is.
type policy struct {
	tenant      string
	entityID    string
	redirectURL string
	recipients  []string // Redirect URLs that a response may be addressed to, ours first
	audiences   []string // names that an assertion may be meant for, ours first
	contexts    []string
	decrypters  []crypto.Decrypter
	keyBounds   *keycall.Bounds // of our keys that are not in this process; nil if we have no keys
	skew        time.Duration
	now         func() time.Time
	claims      *claimNames // nil: the defaults

	nameID                    NameIDPolicy
	allowInternationalEmail   bool
	requireObjectID           bool
	requireSignedResponse     bool
	signsRequests             bool // for advice only
	refuseExpiredCertificates bool
	allowSHA1                 bool
	only                      onlyAlgorithms
	refuseCBC                 bool
	requireLogoutIndex        bool
}

func (p *policy) signaturePolicy() dsig.Policy {
	return dsig.Policy{AllowSHA1: p.allowSHA1, Signatures: p.only.signatures, Digests: p.only.digests}
}

// A NameIDPolicy says what the NameID of a subject must look like.
type NameIDPolicy int

const (
	// EmailNameID demands an e-mail address that agrees with Entra's emailaddress claim where there
	// is exactly one. They agree if EqualEmail says so, or if both have the same white space around
	// the address. If not, the refusal (CodeNameIDMismatch) has both in Got, and nowhere else.
	EmailNameID NameIDPolicy = iota
	// AllowAnyNameID accepts any non-empty NameID. Identity.Email is then the e-mail claim, or
	// empty.
	AllowAnyNameID
)

// Package outgoing writes what we send: authentication requests and our own metadata, in
// crewjam/saml's types. It is the only door to that module; nothing that comes in passes through
// it. It signs by itself, because goxmldsig writes ECDSA signatures in ASN.1 and has no RSA-PSS.
package outgoing

import (
	"time"

	"github.com/beevik/etree"
	crewjam "github.com/crewjam/saml"
)

// An AuthnRequest is what one asks for (SAML Core 2.0 §3.4.1). It has no NameIDPolicy, so that the
// setting at the identity provider stands.
type AuthnRequest struct {
	ID           string // NCName
	IssueInstant time.Time
	Destination  string // login URL
	RedirectURL  string // AssertionConsumerServiceURL
	EntityID     string // Issuer
	ForceAuthn   bool
	IsPassive    bool
	// Contexts are authentication context class URIs, asked for with Comparison "exact"; nil asks
	// for none.
	Contexts []string
}

func (r AuthnRequest) element() *etree.Element {
	request := crewjam.AuthnRequest{
		ID:                          r.ID,
		Version:                     "2.0",
		IssueInstant:                r.IssueInstant.UTC(),
		Destination:                 r.Destination,
		Issuer:                      &crewjam.Issuer{Value: r.EntityID},
		AssertionConsumerServiceURL: r.RedirectURL,
		ProtocolBinding:             crewjam.HTTPPostBinding,
	}
	if r.ForceAuthn {
		request.ForceAuthn = &r.ForceAuthn
	}
	if r.IsPassive {
		request.IsPassive = &r.IsPassive
	}
	if len(r.Contexts) > 0 {
		request.RequestedAuthnContext = &crewjam.RequestedAuthnContext{Comparison: "exact",
			AuthnContextClassRefs: r.Contexts}
	}
	return request.Element()
}

// XML returns the request without a signature.
func (r AuthnRequest) XML() ([]byte, error) {
	doc := etree.NewDocument()
	doc.SetRoot(r.element())
	return doc.WriteToBytes()
}

// SignedXML returns the request with an enveloped signature, as the HTTP-POST binding carries it.
func (r AuthnRequest) SignedXML(s Signer) ([]byte, error) {
	document, err := r.XML()
	if err != nil {
		return nil, err
	}
	return s.envelop(document, r.ID, "</saml:Issuer>") // the schema wants it directly after the Issuer
}

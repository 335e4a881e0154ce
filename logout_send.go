package saml

import (
	"context"
	"encoding/base64"
	"errors"
	"net/url"

	"github.com/iomete/saml/internal/outgoing"
)

// A logoutDocument is a LogoutRequest or LogoutResponse that we send.
type logoutDocument interface {
	XML() ([]byte, error)
	SignedXML(outgoing.Signer) ([]byte, error)
}

// newLogoutRequest makes the request that ends the session of a user at the identity provider, which
// finds it by the NameID as it was received and by the SessionIndexes.
func (sp *ServiceProvider) newLogoutRequest(destination string, n NameID, indexes []string) outgoing.LogoutRequest {
	return outgoing.LogoutRequest{ID: newRequestID(), IssueInstant: sp.now(), Destination: destination,
		EntityID: sp.entityID,
		NameID: outgoing.NameID{Value: n.Value, Format: n.Format, NameQualifier: n.NameQualifier,
			SPNameQualifier: n.SPNameQualifier},
		Indexes: indexes}
}

// newLogoutResponse makes the answer to a LogoutRequest. destination is "" by SOAP, status the URI of
// a top-level status code.
func (sp *ServiceProvider) newLogoutResponse(destination, requestID, status string) outgoing.LogoutResponse {
	return outgoing.LogoutResponse{ID: newRequestID(), InResponseTo: requestID, IssueInstant: sp.now(),
		Destination: destination,
		EntityID:    sp.entityID, Status: status}
}

// errNoLogoutKey says that logout messages are never sent without a signature: AD FS, Okta and
// Keycloak refuse them, and nobody could tell who sent them.
var errNoLogoutKey = errors.New("logout needs a signing key: set Config.SigningKey and Config.SigningCertificate")

// logoutRedirect returns the address that carries a message by HTTP-Redirect (SAML Bindings 2.0 §3.4),
// signed over the very characters of its query. A query that destination has already stays in front,
// unsigned. relayState is nil for none: an empty one is sent and signed too.
func (sp *ServiceProvider) logoutRedirect(ctx context.Context, destination string, m logoutDocument,
	relayState *string) (string, error) {
	signer := sp.signer(ctx)
	if signer == nil {
		return "", errNoLogoutKey
	}
	document, err := m.XML()
	if err != nil {
		return "", err
	}
	query := logoutParameter(m) + "=" + url.QueryEscape(deflated(document))
	if relayState != nil {
		query += "&RelayState=" + url.QueryEscape(*relayState)
	}
	if query, err = signer.SignQuery(query); err != nil {
		return "", err
	}
	return addQuery(destination, query), nil
}

// logoutForm returns the name and the value of the form field that carries a message by HTTP-POST
// (SAML Bindings 2.0 §3.5), signed inside.
func (sp *ServiceProvider) logoutForm(ctx context.Context, m logoutDocument) (name, value string, err error) {
	document, err := sp.signedLogout(ctx, m)
	if err != nil {
		return "", "", err
	}
	return logoutParameter(m), base64.StdEncoding.EncodeToString(document), nil
}

// logoutEnvelope returns the body that carries a message by SOAP (SAML Bindings 2.0 §3.2), signed
// inside.
func (sp *ServiceProvider) logoutEnvelope(ctx context.Context, m logoutDocument) ([]byte, error) {
	document, err := sp.signedLogout(ctx, m)
	if err != nil {
		return nil, err
	}
	return outgoing.InEnvelope(document), nil
}

func (sp *ServiceProvider) signedLogout(ctx context.Context, m logoutDocument) ([]byte, error) {
	signer := sp.signer(ctx)
	if signer == nil {
		return nil, errNoLogoutKey
	}
	return m.SignedXML(*signer)
}

func logoutParameter(m logoutDocument) string {
	if _, ok := m.(outgoing.LogoutRequest); ok {
		return "SAMLRequest"
	}
	return "SAMLResponse"
}

package saml

import "github.com/iomete/saml/internal/outgoing"

// Metadata returns our own side of the trust as a SAML metadata document (XML, SAML Metadata 2.0
// §2.4.4), for identity providers that import one. It has the entity ID, the Redirect URL
// (AssertionConsumerService), and the certificates of the signing key and of the decryption keys,
// if there are any. It does not expire (no validUntil); an identity provider that fetches it may
// keep it for 24 hours (cacheDuration, SAML Metadata 2.0 §2.3.2). The error is an *Error with
// CodeInternal.
func (sp *ServiceProvider) Metadata() ([]byte, error) {
	m := outgoing.Metadata{EntityID: sp.entityID, RedirectURL: sp.redirectURL}
	if sp.config.NameID == EmailNameID {
		m.NameIDFormat = formatEmail
	}
	if sp.config.SigningKey != nil {
		m.SigningCertificates = [][]byte{sp.config.SigningCertificate}
	}
	for _, k := range sp.config.DecryptionKeys {
		if k.Certificate != nil {
			m.EncryptionCertificates = append(m.EncryptionCertificates, k.Certificate)
		}
	}
	document, err := m.XML()
	if err != nil {
		return nil, refuse(CodeInternal, "the metadata cannot be written", "", "").withCause(err)
	}
	return document, nil
}

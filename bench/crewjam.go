package bench

import (
	"encoding/base64"
	"errors"
	"net/url"

	crewjam "github.com/crewjam/saml"
	"github.com/crewjam/saml/samlsp"
	dsig "github.com/russellhaering/goxmldsig"

	"github.com/iomete/saml/samltest"
)

func newCrewjamProvider(idp *samltest.IdentityProvider) (*crewjam.ServiceProvider, error) {
	metadata, err := crewjamMetadata(idp)
	if err != nil {
		return nil, err
	}
	acs, err := url.Parse(redirectURL)
	if err != nil {
		return nil, err
	}
	return &crewjam.ServiceProvider{EntityID: redirectURL, AcsURL: *acs, IDPMetadata: metadata,
		Clock: dsig.NewFakeClockAt(now)}, nil
}

func crewjamMetadata(idp *samltest.IdentityProvider) (*crewjam.EntityDescriptor, error) {
	document, err := idp.Metadata()
	if err != nil {
		return nil, err
	}
	return samlsp.ParseMetadata(document)
}

func newCrewjam(f *fixture) (func(string) (person, error), error) {
	sp, err := newCrewjamProvider(f.idp)
	if err != nil {
		return nil, err
	}
	sp.EncryptionKey = f.decrypt
	return func(form string) (person, error) {
		document, err := base64.StdEncoding.DecodeString(form)
		if err != nil {
			return person{}, err
		}
		assertion, err := sp.ParseXMLResponse(document, []string{requestID}, sp.AcsURL)
		if err != nil {
			return person{}, crewjamReason(err)
		}
		p := person{email: assertion.Subject.NameID.Value}
		for _, statement := range assertion.AttributeStatements {
			for _, attribute := range statement.Attributes {
				if attribute.Name == claimGroups {
					for _, value := range attribute.Values {
						p.groups = append(p.groups, value.Value)
					}
				}
			}
		}
		return p, nil
	}, nil
}

// crewjamReason is what an error of crewjam/saml hides: the error itself says nothing.
func crewjamReason(err error) error {
	if invalid, ok := errors.AsType[*crewjam.InvalidResponseError](err); ok {
		return invalid.PrivateErr
	}
	return err
}

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
	document, err := idp.Metadata()
	if err != nil {
		return nil, err
	}
	metadata, err := samlsp.ParseMetadata(document)
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

func newCrewjam(f *fixture) (func(string) (person, error), error) {
	sp, err := newCrewjamProvider(f.idp)
	if err != nil {
		return nil, err
	}
	return func(form string) (p person, err error) {
		document, err := base64.StdEncoding.DecodeString(form)
		if err != nil {
			return person{}, err
		}
		assertion, err := sp.ParseXMLResponse(document, []string{requestID}, sp.AcsURL)
		if err != nil {
			if invalid, ok := errors.AsType[*crewjam.InvalidResponseError](err); ok {
				err = invalid.PrivateErr // the error itself says nothing
			}
			return person{}, err
		}
		p.email = assertion.Subject.NameID.Value
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

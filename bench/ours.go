package bench

import (
	"context"
	"time"

	"github.com/iomete/saml"
)

// A forgetful store takes every claim for the first one: the same message is verified again and
// again here, which any other store would refuse as a replay.
type forgetful struct{}

func (forgetful) Claim(context.Context, string, time.Duration) (bool, error) { return true, nil }
func (forgetful) Claimed(context.Context, string) (bool, error)              { return false, nil }

func newServiceProvider(metadata []byte) (*saml.ServiceProvider, error) {
	idp, err := saml.ParseMetadata(metadata)
	if err != nil {
		return nil, err
	}
	return saml.New(saml.Config{BaseURL: baseURL, RedirectPath: redirectPath, IdentityProvider: idp,
		StateKeys: [][]byte{saml.NewStateKey()}, Store: forgetful{}, Now: clock})
}

func newOurs(f *fixture) (func(string) (person, error), error) {
	metadata, err := f.idp.Metadata()
	if err != nil {
		return nil, err
	}
	sp, err := newServiceProvider(metadata)
	if err != nil {
		return nil, err
	}
	return func(form string) (person, error) {
		login, err := sp.FinishLogin(context.Background(), saml.FormResponse{SAMLResponse: form, RequestID: requestID})
		if err != nil {
			return person{}, err
		}
		return person{login.Identity.Email, login.Identity.Groups}, nil
	}, nil
}

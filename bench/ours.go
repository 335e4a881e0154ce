package bench

import (
	"context"
	"crypto/rsa"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// A forgetful store takes every claim for the first one: the same message is verified again and
// again here, which any other store would refuse as a replay.
type forgetful struct{}

func (forgetful) Claim(context.Context, string, time.Duration) (bool, error) { return true, nil }
func (forgetful) Claimed(context.Context, string) (bool, error)              { return false, nil }

// newServiceProvider trusts idp, and opens what is encrypted for decrypt if that is not nil.
func newServiceProvider(idp *samltest.IdentityProvider, decrypt *rsa.PrivateKey) (*saml.ServiceProvider, error) {
	document, err := idp.Metadata()
	if err != nil {
		return nil, err
	}
	settings, err := saml.ParseMetadata(document)
	if err != nil {
		return nil, err
	}
	var keys []saml.DecryptionKey
	if decrypt != nil {
		keys = append(keys, saml.DecryptionKey{Key: decrypt})
	}
	return saml.New(saml.Config{BaseURL: baseURL, RedirectPath: redirectPath, IdentityProvider: settings,
		StateKeys: [][]byte{saml.NewStateKey()}, Store: forgetful{}, DecryptionKeys: keys, Now: clock})
}

func newOurs(f *fixture) (func(string) (person, error), error) {
	sp, err := newServiceProvider(f.idp, f.decrypt)
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

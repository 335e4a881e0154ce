package bench

import (
	"crypto/x509"
	"errors"

	saml2 "github.com/russellhaering/gosaml2"
	dsig "github.com/russellhaering/goxmldsig"

	"github.com/iomete/saml/samltest"
)

// newGoSAML2Provider trusts idp. keys open an encrypted assertion; nil if there is none.
func newGoSAML2Provider(idp *samltest.IdentityProvider, keys dsig.X509KeyStore) (*saml2.SAMLServiceProvider, error) {
	store := dsig.MemoryX509CertificateStore{}
	for _, der := range idp.Certificates() {
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		store.Roots = append(store.Roots, certificate)
	}
	return &saml2.SAMLServiceProvider{
		IdentityProviderSSOURL:      idp.LoginURL(),
		IdentityProviderIssuer:      idp.EntityID(),
		AssertionConsumerServiceURL: redirectURL,
		ServiceProviderIssuer:       redirectURL,
		AudienceURI:                 redirectURL,
		IDPCertificateStore:         &store,
		SPKeyStore:                  keys,
		Clock:                       dsig.NewFakeClockAt(now),
	}, nil
}

func newGoSAML2(f *fixture) (func(string) (person, error), error) {
	var keys dsig.X509KeyStore
	if f.decrypt != nil {
		keys = dsig.TLSCertKeyStore{Certificate: [][]byte{f.certificate}, PrivateKey: f.decrypt}
	}
	sp, err := newGoSAML2Provider(f.idp, keys)
	if err != nil {
		return nil, err
	}
	return func(form string) (person, error) {
		info, err := sp.RetrieveAssertionInfo(form)
		if err != nil {
			return person{}, err
		}
		if info.WarningInfo.InvalidTime || info.WarningInfo.NotInAudience { // left to the caller
			return person{}, errors.New("the assertion is not valid now, or not for us")
		}
		return person{info.NameID, info.Values.GetAll(claimGroups)}, nil
	}, nil
}

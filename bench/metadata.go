package bench

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/xml"
	"fmt"

	crewjam "github.com/crewjam/saml"
	"github.com/crewjam/saml/samlsp"
	"github.com/russellhaering/gosaml2/types"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// trust is what a service provider takes from metadata.
type trust struct {
	entityID, loginURL string
	certificates       int
}

// metadataRow reads a Federation Metadata XML with three certificates, which is as long as Entra's
// is, and signed.
func metadataRow() ([]Job, error) {
	idp, err := samltest.New(samltest.Options{Now: clock})
	if err != nil {
		return nil, err
	}
	for range 2 {
		if _, err := idp.AddKey(nil); err != nil {
			return nil, err
		}
	}
	document, err := idp.Metadata()
	if err != nil {
		return nil, err
	}
	want := trust{idp.EntityID(), idp.LoginURL(), 3}
	floor, err := newMetadataFloor(idp, document)
	if err != nil {
		return nil, err
	}
	jobs := []Job{{Floor, floor.do, floor.do}}
	for _, c := range []struct {
		name string
		read func([]byte) (trust, error)
	}{
		{Ours, readOurs},
		{Crewjam, readCrewjam},
		{GoSAML2, readGoSAML2},
	} {
		do := func() error {
			got, err := c.read(document)
			if err == nil && got != want {
				err = fmt.Errorf("%w: got %+v, want %+v", errWrong, got, want)
			}
			return err
		}
		jobs = append(jobs, Job{c.name, do, do})
	}
	return jobs, nil
}

func readOurs(document []byte) (trust, error) {
	idp, err := saml.ParseMetadata(document)
	if err != nil {
		return trust{}, err
	}
	return trust{idp.EntityID(), idp.LoginURL(), len(idp.Keys())}, nil
}

// readCrewjam leaves the certificates as they are: crewjam/saml parses them anew for each response.
func readCrewjam(document []byte) (trust, error) {
	entity, err := samlsp.ParseMetadata(document)
	if err != nil {
		return trust{}, err
	}
	role := entity.IDPSSODescriptors[0]
	t := trust{entityID: entity.EntityID, certificates: len(role.KeyDescriptors)}
	for _, service := range role.SingleSignOnServices {
		if service.Binding == crewjam.HTTPRedirectBinding {
			t.loginURL = service.Location
		}
	}
	return t, nil
}

// readGoSAML2 does what the example of gosaml2 does: the package has types for metadata and leaves
// the rest to the caller.
func readGoSAML2(document []byte) (trust, error) {
	var entity types.EntityDescriptor
	if err := xml.Unmarshal(document, &entity); err != nil {
		return trust{}, err
	}
	role := entity.IDPSSODescriptor
	t := trust{entityID: entity.EntityID, loginURL: role.SingleSignOnServices[0].Location}
	for _, descriptor := range role.KeyDescriptors {
		for _, text := range descriptor.KeyInfo.X509Data.X509Certificates {
			der, err := base64.StdEncoding.DecodeString(text.Data)
			if err != nil {
				return trust{}, err
			}
			if _, err := x509.ParseCertificate(der); err != nil {
				return trust{}, err
			}
			t.certificates++
		}
	}
	return t, nil
}

// A metadataFloor is what nobody can avoid who trusts signed metadata: each certificate read once,
// the hashes and the RSA operation of its signature.
type metadataFloor struct {
	floor
	certificates []string // base64
}

func newMetadataFloor(idp *samltest.IdentityProvider, document []byte) (*metadataFloor, error) {
	root, err := parse(document)
	if err != nil {
		return nil, err
	}
	s, err := takeOut(root)
	if err != nil {
		return nil, err
	}
	keys, err := keysOf(idp)
	if err != nil {
		return nil, err
	}
	f := &metadataFloor{floor: floor{keys: keys, signatures: []signature{s}}}
	for _, der := range idp.Certificates() {
		f.certificates = append(f.certificates, base64.StdEncoding.EncodeToString(der))
	}
	return f, nil
}

func (f *metadataFloor) do() error {
	for _, text := range f.certificates {
		der, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return err
		}
		if _, err := x509.ParseCertificate(der); err != nil {
			return err
		}
	}
	return f.verify()
}

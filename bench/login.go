package bench

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// loginRow is the start of a login: from nothing to the address, with an unsigned request in its
// query, that the browser is sent to.
func loginRow() ([]Job, error) {
	idp, err := samltest.New(samltest.Options{Now: clock})
	if err != nil {
		return nil, err
	}
	ours, err := newOursLogin(idp)
	if err != nil {
		return nil, err
	}
	crewjam, err := newCrewjamProvider(idp)
	if err != nil {
		return nil, err
	}
	gosaml2, err := newGoSAML2Provider(idp, nil)
	if err != nil {
		return nil, err
	}
	floor := newLoginFloor(idp)
	job := func(name string, start func() (string, error)) Job { return loginJob(name, idp.LoginURL(), start) }
	return []Job{
		job(Floor, floor.start),
		job(Ours, ours),
		job(Crewjam, func() (string, error) {
			u, err := crewjam.MakeRedirectAuthenticationRequest("")
			if err != nil {
				return "", err
			}
			return u.String(), nil
		}),
		job(GoSAML2, func() (string, error) { return gosaml2.BuildAuthURL("") }),
	}, nil
}

func newOursLogin(idp *samltest.IdentityProvider) (func() (string, error), error) {
	sp, err := newServiceProvider(idp, nil)
	if err != nil {
		return nil, err
	}
	return func() (string, error) {
		r, err := sp.StartLogin(context.Background(), saml.LoginOptions{})
		if err != nil {
			return "", err
		}
		return r.URL, nil
	}, nil
}

func loginJob(name, loginURL string, start func() (string, error)) Job {
	return Job{
		Name: name,
		Do: func() error {
			address, err := start()
			if err == nil && !strings.HasPrefix(address, loginURL+"?SAMLRequest=") {
				err = errWrong
			}
			return err
		},
		Check: func() error {
			address, err := start()
			if err != nil {
				return err
			}
			return checkRequest(address, loginURL)
		},
	}
}

// checkRequest reads the request in an address as an identity provider does.
func checkRequest(address, loginURL string) error {
	document, err := inflate(address)
	if err != nil {
		return err
	}
	var request struct {
		XMLName     xml.Name `xml:"urn:oasis:names:tc:SAML:2.0:protocol AuthnRequest"`
		ID          string   `xml:"ID,attr"`
		Destination string   `xml:"Destination,attr"`
		ACS         string   `xml:"AssertionConsumerServiceURL,attr"`
		Issuer      string   `xml:"urn:oasis:names:tc:SAML:2.0:assertion Issuer"`
	}
	if err := xml.Unmarshal(document, &request); err != nil {
		return err
	}
	if request.ID == "" || request.Destination != loginURL || request.ACS != redirectURL ||
		request.Issuer != redirectURL {
		return fmt.Errorf("%w: %+v", errWrong, request)
	}
	return nil
}

// inflate gives the request in an address.
func inflate(address string) ([]byte, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	deflated, err := base64.StdEncoding.DecodeString(u.Query().Get("SAMLRequest"))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(flate.NewReader(bytes.NewReader(deflated)))
}

// A loginFloor does what no start of a login can avoid: 128 random bits for the ID, DEFLATE of the
// request at the fastest level with a writer that is used again, base64 and escaping. The request
// is text with two places to fill in, so no XML is written.
type loginFloor struct {
	before, between, after string // around ID and IssueInstant
	address                string
	deflated               bytes.Buffer
	writer                 *flate.Writer
}

func newLoginFloor(idp *samltest.IdentityProvider) *loginFloor {
	writer, err := flate.NewWriter(nil, flate.BestSpeed)
	if err != nil {
		panic(err) // only for levels that do not exist
	}
	return &loginFloor{
		before:  `<samlp:AuthnRequest xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_`,
		between: `" Version="2.0" IssueInstant="`,
		after: `" Destination="` + idp.LoginURL() + `" AssertionConsumerServiceURL="` + redirectURL +
			`" ProtocolBinding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"><saml:Issuer>` + redirectURL +
			`</saml:Issuer></samlp:AuthnRequest>`,
		address: idp.LoginURL() + "?SAMLRequest=",
		writer:  writer,
	}
}

func (f *loginFloor) start() (string, error) {
	var id [16]byte
	rand.Read(id[:]) // never fails
	f.deflated.Reset()
	f.writer.Reset(&f.deflated)
	request := f.before + hex.EncodeToString(id[:]) + f.between + now.Format("2006-01-02T15:04:05.000Z") + f.after
	if _, err := io.WriteString(f.writer, request); err != nil {
		return "", err
	}
	if err := f.writer.Close(); err != nil {
		return "", err
	}
	return f.address + url.QueryEscape(base64.StdEncoding.EncodeToString(f.deflated.Bytes())), nil
}

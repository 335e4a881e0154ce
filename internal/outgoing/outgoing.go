// Package outgoing writes what we send: authentication requests and our own metadata, in
// crewjam/saml's types, signed by goxmldsig. It is the only door to these packages; nothing that
// comes in passes through it.
package outgoing

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"net/url"
	"time"

	"github.com/beevik/etree"
	crewjam "github.com/crewjam/saml"
	dsig "github.com/russellhaering/goxmldsig"
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
	if len(r.Contexts) > 0 {
		request.RequestedAuthnContext = &crewjam.RequestedAuthnContext{Comparison: "exact",
			AuthnContextClassRefs: r.Contexts}
	}
	return request.Element()
}

// XML is the request without a signature.
func (r AuthnRequest) XML() ([]byte, error) { return write(r.element()) }

// SignedXML is the request with an enveloped RSA-SHA256 signature, as the HTTP-POST binding carries
// it.
func (r AuthnRequest) SignedXML(key crypto.Signer, certificate []byte) ([]byte, error) {
	context, err := dsig.NewSigningContext(key, [][]byte{certificate})
	if err != nil {
		return nil, err
	}
	context.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	e := r.element()
	signature, err := context.ConstructSignature(e, true)
	if err != nil {
		return nil, err
	}
	e.InsertChildAt(1, signature) // directly after the Issuer, where the schema wants it
	return write(e)
}

func write(e *etree.Element) ([]byte, error) {
	doc := etree.NewDocument()
	doc.SetRoot(e)
	return doc.WriteToBytes()
}

const uriRSASHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"

// SignQuery appends SigAlg and Signature to a query as the HTTP-Redirect binding does it: over the
// very bytes that are sent (SAML Bindings 2.0 §3.4.4.1). query is SAMLRequest=… and, if there is
// one, &RelayState=….
func SignQuery(query string, key crypto.Signer) (string, error) {
	query += "&SigAlg=" + url.QueryEscape(uriRSASHA256)
	digest := sha256.Sum256([]byte(query))
	signature, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		return "", err
	}
	return query + "&Signature=" + url.QueryEscape(base64.StdEncoding.EncodeToString(signature)), nil
}

// cacheDuration is how long a reader may keep our metadata before it looks again. SAML Metadata 2.0
// §2.3.2 demands validUntil or cacheDuration of a root EntityDescriptor. validUntil would make a
// file that an administrator uploads once run out by itself.
const cacheDuration = 24 * time.Hour

// Metadata describes a service provider (SAML Metadata 2.0 §2.4.4).
type Metadata struct {
	EntityID               string
	RedirectURL            string // assertion consumer service, HTTP-POST
	NameIDFormat           string // "" names none
	SigningCertificates    [][]byte
	EncryptionCertificates [][]byte
}

// XML is the document, indented, with an XML declaration. It has no time that it ends at, and may
// be kept for a day.
func (m Metadata) XML() ([]byte, error) {
	yes, signed := true, len(m.SigningCertificates) > 0
	role := crewjam.SPSSODescriptor{
		SSODescriptor: crewjam.SSODescriptor{
			RoleDescriptor: crewjam.RoleDescriptor{ProtocolSupportEnumeration: "urn:oasis:names:tc:SAML:2.0:protocol"},
		},
		AuthnRequestsSigned:  &signed,
		WantAssertionsSigned: &yes,
		AssertionConsumerServices: []crewjam.IndexedEndpoint{
			{Binding: crewjam.HTTPPostBinding, Location: m.RedirectURL, Index: 0, IsDefault: &yes},
		},
	}
	if m.NameIDFormat != "" {
		role.NameIDFormats = []crewjam.NameIDFormat{crewjam.NameIDFormat(m.NameIDFormat)}
	}
	for _, der := range m.SigningCertificates {
		role.KeyDescriptors = append(role.KeyDescriptors, keyDescriptor("signing", der))
	}
	for _, der := range m.EncryptionCertificates {
		d := keyDescriptor("encryption", der)
		for _, uri := range encryptionMethods {
			d.EncryptionMethods = append(d.EncryptionMethods, crewjam.EncryptionMethod{Algorithm: uri})
		}
		role.KeyDescriptors = append(role.KeyDescriptors, d)
	}
	entity := crewjam.EntityDescriptor{EntityID: m.EntityID, CacheDuration: cacheDuration,
		SPSSODescriptors: []crewjam.SPSSODescriptor{role}}
	document, err := xml.MarshalIndent(entity, "", "  ")
	if err != nil {
		return nil, err
	}
	return append([]byte(xml.Header), append(document, '\n')...), nil
}

// encryptionMethods are what we decrypt and would like to get, best first.
var encryptionMethods = []string{
	"http://www.w3.org/2009/xmlenc11#aes256-gcm",
	"http://www.w3.org/2009/xmlenc11#aes128-gcm",
	"http://www.w3.org/2001/04/xmlenc#aes256-cbc",
	"http://www.w3.org/2001/04/xmlenc#aes128-cbc",
	"http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p",
}

func keyDescriptor(use string, der []byte) crewjam.KeyDescriptor {
	d := crewjam.KeyDescriptor{Use: use}
	d.KeyInfo.X509Data.X509Certificates = []crewjam.X509Certificate{{Data: base64.StdEncoding.EncodeToString(der)}}
	return d
}

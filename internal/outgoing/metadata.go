package outgoing

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"strconv"
	"time"

	crewjam "github.com/crewjam/saml"
)

// maxCacheDuration is how long a reader may keep our metadata before it looks again. SAML Metadata
// 2.0 §2.3.2 demands validUntil or cacheDuration of a root EntityDescriptor. validUntil is there on
// request only: it makes a file that an administrator uploads once run out by itself.
const maxCacheDuration = 24 * time.Hour

// Metadata describes a service provider (SAML Metadata 2.0 §2.4.4).
type Metadata struct {
	EntityID               string
	RedirectURL            string        // assertion consumer service, HTTP-POST
	LogoutURL              string        // single logout service, HTTP-Redirect and HTTP-POST; "" names none
	LogoutSOAP             bool          // LogoutURL takes SOAP too
	NameIDFormat           string        // "" names none
	ValidFor               time.Duration // from Now; 0: no validUntil
	Now                    time.Time
	SignsRequests          bool
	SigningCertificates    [][]byte // DER, in the order of the document
	EncryptionCertificates [][]byte

	Displays      []Display // at most one for a language
	Logos         []Logo
	Organizations []Organization // one organization in several languages
	Contacts      []Contact
}

// A Display is mdui:DisplayName and its siblings in one language (SAML Metadata Extensions for
// Login and Discovery User Interface 1.0 §2.1). Empty texts are left out.
type Display struct{ Language, Name, Description, InformationURL, PrivacyURL string }

// A Logo is mdui:Logo.
type Logo struct {
	Language, URL string
	Width, Height int // pixels
}

// An Organization is md:Organization in one language (SAML Metadata 2.0 §2.3.2.1).
type Organization struct{ Language, Name, DisplayName, URL string }

// A Contact is md:ContactPerson (SAML Metadata 2.0 §2.3.2.2). Empty texts are left out.
type Contact struct{ Type, Company, GivenName, Surname, Email, Phone string }

// XML returns the document, indented, with an XML declaration. It may be kept for a day, or for
// ValidFor if that is shorter.
func (m Metadata) XML() ([]byte, error) { return m.write("") }

// SignedXML returns the document with an enveloped signature (SAML Metadata 2.0 §3). The ID that it
// refers to is a hash of the document, so that the same content has the same ID.
func (m Metadata) SignedXML(s Signer) ([]byte, error) {
	document, err := m.write("")
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(document)
	id := "_" + hex.EncodeToString(sum[:16])
	if document, err = m.write(id); err != nil {
		return nil, err
	}
	// The first > behind the XML declaration ends the start tag of the root: in a value of an
	// attribute it is written as &gt;. The signature must be the root's first child.
	root, _, _ := bytes.Cut(document[len(xml.Header):], []byte(">"))
	return s.envelop(document, id, string(root)+">")
}

func (m Metadata) write(id string) ([]byte, error) {
	yes := true
	role := crewjam.SPSSODescriptor{
		SSODescriptor: crewjam.SSODescriptor{
			RoleDescriptor: crewjam.RoleDescriptor{ProtocolSupportEnumeration: "urn:oasis:names:tc:SAML:2.0:protocol",
				Extensions: m.userInterface()},
		},
		AuthnRequestsSigned:  &m.SignsRequests,
		WantAssertionsSigned: &yes,
		AssertionConsumerServices: []crewjam.IndexedEndpoint{
			{Binding: crewjam.HTTPPostBinding, Location: m.RedirectURL, Index: 0, IsDefault: &yes},
		},
	}
	role.SingleLogoutServices = m.logoutServices()
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
	entity := crewjam.EntityDescriptor{ID: id, EntityID: m.EntityID, CacheDuration: maxCacheDuration,
		SPSSODescriptors: []crewjam.SPSSODescriptor{role}, Organization: m.organization(), ContactPersons: m.contacts()}
	if m.ValidFor > 0 {
		entity.ValidUntil = m.Now.Add(m.ValidFor).UTC().Truncate(time.Second)
		entity.CacheDuration = min(maxCacheDuration, m.ValidFor)
	}
	document, err := xml.MarshalIndent(entity, "", "  ")
	if err != nil {
		return nil, err
	}
	return append([]byte(xml.Header), append(document, '\n')...), nil
}

// logoutServices returns one SingleLogoutService for each binding. Readers that take the first one send
// redirects, which need no script.
func (m Metadata) logoutServices() (list []crewjam.Endpoint) {
	if m.LogoutURL == "" {
		return nil
	}
	bindings := []string{crewjam.HTTPRedirectBinding, crewjam.HTTPPostBinding}
	if m.LogoutSOAP {
		bindings = append(bindings, crewjam.SOAPBinding)
	}
	for _, binding := range bindings {
		list = append(list, crewjam.Endpoint{Binding: binding, Location: m.LogoutURL})
	}
	return list
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

// userInterface returns the role's mdui:UIInfo, nil if there is nothing in it.
func (m Metadata) userInterface() *crewjam.Extensions {
	const space = "urn:oasis:names:tc:SAML:metadata:ui"
	info := crewjam.ExtensionElement{XMLName: xml.Name{Space: space, Local: "UIInfo"}}
	add := func(name, language, text string, more ...xml.Attr) {
		if text == "" {
			return
		}
		if language != "" {
			more = append(more, xml.Attr{Name: xml.Name{Space: "http://www.w3.org/XML/1998/namespace", Local: "lang"},
				Value: language})
		}
		info.Children = append(info.Children, crewjam.ExtensionElement{XMLName: xml.Name{Space: space, Local: name},
			Attrs: more, CharData: text})
	}
	for _, d := range m.Displays {
		add("DisplayName", d.Language, d.Name)
		add("Description", d.Language, d.Description)
		add("InformationURL", d.Language, d.InformationURL)
		add("PrivacyStatementURL", d.Language, d.PrivacyURL)
	}
	pixels := func(name string, n int) xml.Attr {
		return xml.Attr{Name: xml.Name{Local: name}, Value: strconv.Itoa(n)}
	}
	for _, l := range m.Logos {
		add("Logo", l.Language, l.URL, pixels("height", l.Height), pixels("width", l.Width))
	}
	if len(info.Children) == 0 {
		return nil
	}
	return &crewjam.Extensions{Other: []crewjam.ExtensionElement{info}}
}

func (m Metadata) organization() *crewjam.Organization {
	if len(m.Organizations) == 0 {
		return nil
	}
	var all crewjam.Organization
	for _, o := range m.Organizations {
		all.OrganizationNames = append(all.OrganizationNames, crewjam.LocalizedName{Lang: o.Language, Value: o.Name})
		all.OrganizationDisplayNames = append(all.OrganizationDisplayNames, crewjam.LocalizedName{Lang: o.Language, Value: cmp.Or(o.DisplayName, o.Name)})
		all.OrganizationURLs = append(all.OrganizationURLs, crewjam.LocalizedURI{Lang: o.Language, Value: o.URL})
	}
	return &all
}

func (m Metadata) contacts() (list []crewjam.ContactPerson) {
	for _, c := range m.Contacts {
		p := crewjam.ContactPerson{ContactType: c.Type, Company: c.Company, GivenName: c.GivenName, SurName: c.Surname}
		if c.Email != "" {
			p.EmailAddresses = []string{"mailto:" + c.Email} // an xs:anyURI
		}
		if c.Phone != "" {
			p.TelephoneNumbers = []string{c.Phone}
		}
		list = append(list, p)
	}
	return list
}

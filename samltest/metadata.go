package samltest

import (
	"encoding/base64"
	"strings"

	"github.com/beevik/etree"
)

// Metadata gives the Federation Metadata XML of the portal's download, laid out as Entra does: a byte order mark, all in one line,
// every certificate in each of the three roles, signed by the active key.
func (p *IdentityProvider) Metadata() ([]byte, error) {
	keys := p.snapshotKeys()
	var descriptors strings.Builder
	for _, k := range keys {
		descriptors.WriteString(`<KeyDescriptor use="signing"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>` +
			base64.StdEncoding.EncodeToString(k.certificate) + `</X509Certificate></X509Data></KeyInfo></KeyDescriptor>`)
	}
	doc := etree.NewDocument()
	if err := doc.ReadFromString(p.descriptor(descriptors.String())); err != nil {
		return nil, err
	}
	signature, err := newSignature(doc.Root(), keys[0], "", "")
	if err != nil {
		return nil, err
	}
	doc.Root().InsertChildAt(0, signature)
	body, err := doc.WriteToBytes()
	if err != nil {
		return nil, err
	}
	return append([]byte("\uFEFF"+`<?xml version="1.0" encoding="utf-8"?>`), body...), nil
}

// descriptor is the EntityDescriptor without its signature.
func (p *IdentityProvider) descriptor(keys string) string {
	const federation = ` xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:fed="http://docs.oasis-open.org/wsfed/federation/200706"` +
		` protocolSupportEnumeration="http://docs.oasis-open.org/wsfed/federation/200706"`
	endpoint := func(name string) string {
		return `<fed:` + name + `><wsa:EndpointReference xmlns:wsa="http://www.w3.org/2005/08/addressing"><wsa:Address>` + escape(p.address("wsfed")) +
			`</wsa:Address></wsa:EndpointReference></fed:` + name + `>`
	}
	var offered strings.Builder
	for _, claim := range p.claims(p.users[0]) {
		offered.WriteString(`<auth:ClaimType xmlns:auth="http://docs.oasis-open.org/wsfed/authorization/200706" Uri="` + escape(claim.Name) + `"/>`)
	}
	service := func(name, binding string) string {
		return `<` + name + ` Binding="urn:oasis:names:tc:SAML:2.0:bindings:` + binding + `" Location="` + escape(p.LoginURL()) + `"/>`
	}
	return `<EntityDescriptor ID="_` + newGUID() + `" entityID="` + escape(p.entityID) + `" xmlns="urn:oasis:names:tc:SAML:2.0:metadata">` +
		`<RoleDescriptor xsi:type="fed:SecurityTokenServiceType"` + federation + `>` + keys +
		`<fed:ClaimTypesOffered>` + offered.String() + `</fed:ClaimTypesOffered>` +
		endpoint("SecurityTokenServiceEndpoint") + endpoint("PassiveRequestorEndpoint") + `</RoleDescriptor>` +
		`<RoleDescriptor xsi:type="fed:ApplicationServiceType"` + federation + `>` + keys +
		endpoint("TargetScopes") + endpoint("ApplicationServiceEndpoint") + endpoint("PassiveRequestorEndpoint") + `</RoleDescriptor>` +
		`<IDPSSODescriptor protocolSupportEnumeration="` + nsProtocol + `">` + keys +
		service("SingleLogoutService", "HTTP-Redirect") + service("SingleSignOnService", "HTTP-Redirect") + service("SingleSignOnService", "HTTP-POST") +
		`</IDPSSODescriptor></EntityDescriptor>`
}

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;")

func escape(s string) string { return escaper.Replace(s) }

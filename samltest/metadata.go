package samltest

import (
	"encoding/base64"
	"fmt"
	"html"
	"strings"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

// Metadata returns the Federation Metadata XML in the layout of Entra's download: a byte order
// mark, one line, every certificate in each of the three roles, signed by the active key. Each call
// returns a document with a new ID.
func (p *IdentityProvider) Metadata() ([]byte, error) {
	keys := p.snapshotKeys()
	doc := etree.NewDocument()
	if err := doc.ReadFromString(p.entityDescriptor(keys)); err != nil {
		return nil, fmt.Errorf("samltest: %w", err)
	}
	signature, err := signing{key: keys[0]}.signature(doc.Root())
	if err != nil {
		return nil, err
	}
	prefixX509Data(signature)
	doc.Root().InsertChildAt(0, signature)
	body, err := doc.WriteToString()
	if err != nil {
		return nil, err
	}
	body = strings.ReplaceAll(body, "/>", " />") // like .NET; safe, because a ">" in text and attributes is escaped
	return []byte("\uFEFF" + `<?xml version="1.0" encoding="utf-8"?>` + body), nil
}

// prefixX509Data imitates an oddity of Entra's metadata: X509Data has a prefix in the KeyInfo of
// the signature, and nowhere else.
func prefixX509Data(signature *etree.Element) {
	data := signature.FindElement("KeyInfo/X509Data")
	data.Space = "ds"
	data.CreateAttr("xmlns:ds", dsig.Namespace)
	for _, certificate := range data.ChildElements() {
		certificate.Space = "ds"
	}
}

const (
	nsMetadata   = "urn:oasis:names:tc:SAML:2.0:metadata"
	nsFederation = "http://docs.oasis-open.org/wsfed/federation/200706"
)

// entityDescriptor returns the document without a signature. The two RoleDescriptors belong to
// WS-Federation. A SAML service provider must ignore them, and the keys in them.
func (p *IdentityProvider) entityDescriptor(keys []signingKey) string {
	signingKeys := keyDescriptors(keys)
	wsfed := p.address("wsfed")
	return `<EntityDescriptor` +
		` ID="_` + newGUID() + `"` +
		` entityID="` + escape(p.entityID) + `"` +
		` xmlns="` + nsMetadata + `">` +
		roleDescriptor("SecurityTokenServiceType",
			signingKeys,
			claimTypesOffered(),
			federationAddress("SecurityTokenServiceEndpoint", wsfed),
			federationAddress("PassiveRequestorEndpoint", wsfed)) +
		roleDescriptor("ApplicationServiceType",
			signingKeys,
			federationAddress("TargetScopes", p.entityID),
			federationAddress("ApplicationServiceEndpoint", wsfed),
			federationAddress("PassiveRequestorEndpoint", wsfed)) +
		`<IDPSSODescriptor protocolSupportEnumeration="` + nsProtocol + `">` + signingKeys +
		p.logoutServices() +
		service("SingleSignOnService", HTTPRedirect, p.LoginURL(), "") +
		service("SingleSignOnService", HTTPPost, p.LoginURL(), "") +
		`</IDPSSODescriptor></EntityDescriptor>`
}

func keyDescriptors(keys []signingKey) string {
	var b strings.Builder
	for _, k := range keys {
		b.WriteString(`<KeyDescriptor use="signing">` +
			`<KeyInfo xmlns="` + dsig.Namespace + `">` +
			`<X509Data><X509Certificate>` +
			base64.StdEncoding.EncodeToString(k.certificate) +
			`</X509Certificate></X509Data></KeyInfo></KeyDescriptor>`)
	}
	return b.String()
}

func roleDescriptor(kind string, content ...string) string {
	return `<RoleDescriptor xsi:type="fed:` + kind + `" protocolSupportEnumeration="` + nsFederation +
		`" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:fed="` + nsFederation + `">` +
		strings.Join(content, "") + `</RoleDescriptor>`
}

func federationAddress(name, address string) string {
	return `<fed:` + name + `>` +
		`<wsa:EndpointReference xmlns:wsa="http://www.w3.org/2005/08/addressing">` +
		`<wsa:Address>` + escape(address) + `</wsa:Address>` +
		`</wsa:EndpointReference>` +
		`</fed:` + name + `>`
}

func (p *IdentityProvider) logoutServices() string {
	responses := ""
	if p.separate {
		responses = p.address("saml2/logout")
	}
	var b strings.Builder
	for _, binding := range p.logout {
		b.WriteString(service("SingleLogoutService", binding, p.LogoutURL(), responses))
	}
	return b.String()
}

// service writes an address. responseLocation is left out if it is empty.
func service(name string, binding Binding, location, responseLocation string) string {
	text := `<` + name + ` Binding="` + escape(string(binding)) + `" Location="` + escape(location) + `"`
	if responseLocation != "" {
		text += ` ResponseLocation="` + escape(responseLocation) + `"`
	}
	return text + `/>`
}

// claimTypesOffered returns the list of claims that Entra can send. It is the same for every
// application.
func claimTypesOffered() string {
	const declaration = `xmlns:auth="http://docs.oasis-open.org/wsfed/authorization/200706"`
	var b strings.Builder
	b.WriteString(`<fed:ClaimTypesOffered>`)
	for _, c := range offeredClaims {
		b.WriteString(`<auth:ClaimType Uri="` + c.uri + `" ` + declaration + `><auth:DisplayName>` + c.name +
			`</auth:DisplayName><auth:Description>` + c.description + `</auth:Description></auth:ClaimType>`)
	}
	b.WriteString(`</fed:ClaimTypesOffered>`)
	return b.String()
}

var offeredClaims = []struct{ uri, name, description string }{
	{claimName, "Name", "Name under which the user signs in; it can change."},
	{claimGivenName, "Given Name", "First name."},
	{claimSurname, "Surname", "Last name."},
	{claimDisplayName, "Display Name", "Name as shown to others."},
	{claimObjectID, "ObjectIdentifier", "Identifier of the user in the directory; it never changes."},
	{claimTenantID, "TenantId", "Identifier of the directory."},
	{claimHomeProvider, "IdentityProvider", "Where the account lives."},
	{claimEmail, "Email", "E-mail address."},
	{claimGroups, "Groups", "Groups that the user is in."},
	{claimGroupsLink, "GroupsOverageClaim", "Sent instead of the groups if there are too many."},
	{claimRole, "Role Claim", "Application roles of the user."},
}

// escape escapes s for text and double-quoted attributes.
func escape(s string) string { return html.EscapeString(s) }

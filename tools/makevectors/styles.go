package main

import (
	"crypto"
	"fmt"
	"math/big"
	"strings"
)

// A style is how some identity provider lays out its responses. In its texts {ID} {AT} {TO} {FOR}
// {IDP} stand for ID, time of issue, Redirect URL, request and issuer; %p %a %d for the prefixes.
type style struct {
	name, why string
	p, a, d   string // prefixes of protocol, assertion and signature, with their colon

	declaration    string // XML declaration
	response       string // attributes of Response
	responseIssuer string // attributes of its Issuer
	status         string // what is behind the StatusCode
	signs          string // A, R or AR: what is signed
	signature      string // attributes of Signature
	list           string // PrefixList of the reference
	keyInfo        string // content of KeyInfo, "" for none
	assertion      string // attributes of Assertion
	issuer         string // attributes of its Issuer
	nameID         string // attributes of NameID
	data           string // attributes of SubjectConfirmationData
	conditions     string // content of Conditions behind the audience
	statements     string // content behind Conditions
	end            string // how an empty element ends
	space          string // between elements
}

const (
	xsAndXSI     = ` xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"`
	certificate  = `<%dX509Data><%dX509Certificate>CERTIFICATE-A</%dX509Certificate></%dX509Data>`
	keyValue     = `<%dKeyValue><%dRSAKeyValue><%dModulus>MODULUS-A</%dModulus><%dExponent>AQAB</%dExponent></%dRSAKeyValue></%dKeyValue>`
	entityFormat = ` Format="urn:oasis:names:tc:SAML:2.0:nameid-format:entity"`
	unspecified  = ` Format="urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"`
	basicFormat  = `urn:oasis:names:tc:SAML:2.0:attrname-format:basic`
	uriFormat    = `urn:oasis:names:tc:SAML:2.0:attrname-format:uri`
)

// authn is an AuthnStatement with further attributes and a context class.
func authn(attributes, class string) string {
	return `<%aAuthnStatement AuthnInstant="` + authnInstant + `"` + attributes +
		`><%aAuthnContext><%aAuthnContextClassRef>` + class +
		`</%aAuthnContextClassRef></%aAuthnContext></%aAuthnStatement>`
}

// attributesOf is an AttributeStatement: names and values in turns, with attributes of Attribute
// and AttributeValue.
func attributesOf(statement, attribute, value string, pairs ...string) string {
	var b strings.Builder
	b.WriteString(`<%aAttributeStatement` + statement + `>`)
	for i := 0; i < len(pairs); i += 2 {
		fmt.Fprintf(&b, `<%%aAttribute%s Name="%s"><%%aAttributeValue%s>%s</%%aAttributeValue></%%aAttribute>`,
			attribute, pairs[i], value, pairs[i+1])
	}
	return b.String() + `</%aAttributeStatement>`
}

func (s style) text() string {
	empty := s.end
	if empty == "" {
		empty = "/>"
	}
	var b strings.Builder
	b.WriteString(s.declaration + `<%pResponse ` + s.response + `><%aIssuer` + s.responseIssuer + `>{IDP}</%aIssuer>`)
	if strings.Contains(s.signs, slotResponse) {
		b.WriteString(s.signed(slotResponse, responseID, empty))
	}
	b.WriteString(`<%pStatus><%pStatusCode Value="` + success + `"` + empty + s.status + `</%pStatus><%aAssertion ` +
		s.assertion + `><%aIssuer` + s.issuer + `>{IDP}</%aIssuer>`)
	if strings.Contains(s.signs, slotAssertion) {
		b.WriteString(s.signed(slotAssertion, assertionID, empty))
	}
	b.WriteString(`<%aSubject><%aNameID` + s.nameID + `>` + nameID +
		`</%aNameID><%aSubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><%aSubjectConfirmationData ` + s.data + empty +
		`</%aSubjectConfirmation></%aSubject><%aConditions NotBefore="` + notBefore + `" NotOnOrAfter="` +
		notOnOrAfter + `"><%aAudienceRestriction><%aAudience>` + redirectURL +
		`</%aAudience></%aAudienceRestriction>` + s.conditions + `</%aConditions>` + s.statements +
		`</%aAssertion></%pResponse>`)
	text := b.String()
	if s.space != "" {
		text = strings.ReplaceAll(text, "><", ">"+s.space+"<")
	}
	id := map[bool]string{true: responseID, false: assertionID}
	before, after, _ := strings.Cut(text, `<%aAssertion `)
	text = strings.ReplaceAll(before, "{ID}", id[true]) + `<%aAssertion ` + strings.ReplaceAll(after, "{ID}", id[false])
	return strings.NewReplacer("%p", s.p, "%a", s.a, "%d", s.d, "{AT}", assertionIssued, "{TO}", redirectURL, "{FOR}",
		requestID, "{IDP}", idpEntityID,
		"{END}", deliverBefore).Replace(text)
}

func (s style) signed(slot, id, empty string) string {
	transform := `<%dTransform Algorithm="` + exclusive + `"` + empty
	if s.list != "" {
		transform = `<%dTransform Algorithm="` + exclusive + `"><ec:InclusiveNamespaces xmlns:ec="` + exclusive +
			`" PrefixList="` + s.list + `"` + empty + `</%dTransform>`
	}
	info := ""
	if s.keyInfo != "" {
		info = `<%dKeyInfo>` + strings.NewReplacer("CERTIFICATE-A", "CERTIFICATE-"+slot, "MODULUS-A",
			"MODULUS-"+slot).Replace(s.keyInfo) + `</%dKeyInfo>`
	}
	return `<%dSignature` + s.signature + `><%dSignedInfo><%dCanonicalizationMethod Algorithm="` + exclusive + `"` +
		empty +
		`<%dSignatureMethod Algorithm="` + rsaSHA256 + `"` + empty + `<%dReference URI="#` + id +
		`"><%dTransforms><%dTransform Algorithm="` + enveloped + `"` + empty +
		transform + `</%dTransforms><%dDigestMethod Algorithm="` + digestSHA256 + `"` + empty +
		`<%dDigestValue>DIGEST-` + slot + `</%dDigestValue></%dReference></%dSignedInfo>` +
		`<%dSignatureValue>VALUE-` + slot + `</%dSignatureValue>` + info + `</%dSignature>`
}

// styleVectors are responses in the layouts of identity providers: which prefixes, where they are
// declared, in which order, what is signed, how the key is named. What they say is ours.
func styleVectors() []vector {
	const (
		usualData     = `InResponseTo="{FOR}" NotOnOrAfter="{END}" Recipient="{TO}"`
		sp, sa        = ` xmlns:samlp="` + nsProtocol + `"`, ` xmlns:saml="` + nsAssertion + `"`
		s2p, s2       = ` xmlns:saml2p="` + nsProtocol + `"`, ` xmlns:saml2="` + nsAssertion + `"`
		ds            = ` xmlns:ds="` + nsDSig + `"`
		usualResponse = `ID="{ID}" Version="2.0" IssueInstant="{AT}" Destination="{TO}" InResponseTo="{FOR}"`
		email         = ` Format="` + emailFormat + `"`
		transport     = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
		anything      = "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified"
	)
	typed := ` xsi:type="xs:string"`
	var list []vector
	for _, s := range []style{
		{name: "ad-fs", why: "AD FS: a blank before the end of empty elements, Consent, and a KeyInfo that declares the namespace anew.", p: "samlp:", d: "ds:", end: " />",
			response: `ID="{ID}" Version="2.0" IssueInstant="{AT}" Destination="{TO}" Consent="urn:oasis:names:tc:SAML:2.0:consent:unspecified" InResponseTo="{FOR}"` + sp, responseIssuer: ` xmlns="` + nsAssertion + `"`,
			assertion: `ID="{ID}" IssueInstant="{AT}" Version="2.0" xmlns="` + nsAssertion +
				`"`, signs: "A", signature: ds, keyInfo: certificate, nameID: email, data: usualData,
			statements: attributesOf("", "", "", xmlsoc+"givenname", "Ada", xmlsoc+"upn", "ada@corp.example.com",
				"http://schemas.xmlsoap.org/claims/Group", "analysts") +
				authn(` SessionIndex="`+assertionID+`"`, "urn:federation:authentication:windows")},
		{name: "okta", why: "Okta: both signed, a PrefixList, namespaces declared where they are declared already.",
			p: "saml2p:", a: "saml2:", d: "ds:", declaration: `<?xml version="1.0" encoding="UTF-8"?>`,
			response: strings.TrimSpace(s2p) +
				` Destination="{TO}" ID="{ID}" InResponseTo="{FOR}" IssueInstant="{AT}" Version="2.0" xmlns:xs="http://www.w3.org/2001/XMLSchema"`, responseIssuer: s2 + entityFormat,
			signs: "AR", signature: ds, list: "xs", keyInfo: certificate, assertion: strings.TrimSpace(s2) +
				` ID="{ID}" IssueInstant="{AT}" Version="2.0" xmlns:xs="http://www.w3.org/2001/XMLSchema"`, issuer: entityFormat + s2, nameID: unspecified,
			data: usualData, statements: authn(` SessionIndex="_s1"`+s2, transport) +
				attributesOf(s2, ` NameFormat="urn:oasis:names:tc:SAML:2.0:attrname-format:unspecified"`,
					` xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"`+typed,
					"username", "ada", "email", nameID, "firstName", "Ada", "lastName", "Lovelace")},
		{name: "onelogin", why: "OneLogin: the response signed, the assertion's namespace declared again.",
			p: "samlp:", a: "saml:", d: "ds:",
			response: strings.TrimSpace(sa) + sp + ` ` +
				usualResponse, signs: "R", signature: ds, keyInfo: certificate, assertion: strings.TrimSpace(sa) +
				xsAndXSI + ` Version="2.0" ID="{ID}" IssueInstant="{AT}"`,
			nameID: email, data: `NotOnOrAfter="{END}" Recipient="{TO}" InResponseTo="{FOR}"`, statements: authn(` SessionNotOnOrAfter="2026-03-11T09:29:58Z" SessionIndex="_s2"`, transport) +
				attributesOf("", ` NameFormat="`+basicFormat+`"`, typed, "memberOf", "", "User.email", nameID)},
		{name: "google-workspace",
			why: "Google Workspace: standalone in the declaration, a subject name beside the certificate.", p: "saml2p:", a: "saml2:", d: "ds:",
			declaration: `<?xml version="1.0" encoding="UTF-8" standalone="no"?>`, response: strings.TrimSpace(s2p) +
				` Destination="{TO}" ID="{ID}" InResponseTo="{FOR}" IssueInstant="{AT}" Version="2.0"`,
			responseIssuer: s2, signs: "A", signature: ds, keyInfo: `<%dX509Data><%dX509SubjectName>ST=California,C=US,OU=Example,CN=Example,L=Town,O=Example Inc.</%dX509SubjectName><%dX509Certificate>CERTIFICATE-A</%dX509Certificate></%dX509Data>`,
			assertion: strings.TrimSpace(s2) +
				` ID="{ID}" IssueInstant="{AT}" Version="2.0"`, nameID: unspecified, data: usualData,
			statements: attributesOf("", "", xsAndXSI+` xsi:type="xs:anyType"`, "email", nameID) +
				authn(` SessionIndex="`+assertionID+`"`, anything)},
		{name: "google-workspace-response", why: "Google Workspace with a signed response.", p: "saml2p:",
			a: "saml2:", d: "ds:",
			declaration: `<?xml version="1.0" encoding="UTF-8" standalone="no"?>`, response: strings.TrimSpace(s2p) +
				` Destination="{TO}" ID="{ID}" InResponseTo="{FOR}" IssueInstant="{AT}" Version="2.0"`,
			responseIssuer: s2, signs: "R", signature: ds, keyInfo: certificate, assertion: strings.TrimSpace(s2) +
				` ID="{ID}" IssueInstant="{AT}" Version="2.0"`, nameID: email, data: usualData,
			statements: authn(` SessionIndex="`+assertionID+`"`, anything)},
		{name: "keycloak", why: "Keycloak: the prefix dsig, KeyName and KeyValue, one Attribute for each role, a default namespace that nothing uses.", p: "samlp:", a: "saml:", d: "dsig:",
			response: strings.TrimSpace(sp) + sa +
				` Destination="{TO}" ID="{ID}" InResponseTo="{FOR}" IssueInstant="{AT}" Version="2.0"`, signs: "A", signature: ` xmlns:dsig="` + nsDSig + `"`,
			keyInfo: `<%dKeyName>u1-Key_Name</%dKeyName>` + certificate + keyValue, assertion: `xmlns="` +
				nsAssertion + `" ID="{ID}" IssueInstant="{AT}" Version="2.0"`, nameID: email, data: usualData,
			statements: authn(` SessionIndex="s::1" SessionNotOnOrAfter="2026-03-10T19:29:58.110Z"`, anything) +
				attributesOf("", ` FriendlyName="role" NameFormat="`+basicFormat+`"`, xsAndXSI+typed, "Role",
					"view-profile", "Role", "manage-account", "Role", "analyst")},
		{name: "keycloak-response", why: "Keycloak with a signed response.", p: "samlp:", a: "saml:", d: "dsig:",
			response: strings.TrimSpace(sp) + sa +
				` Destination="{TO}" ID="{ID}" InResponseTo="{FOR}" IssueInstant="{AT}" Version="2.0"`, signs: "R", signature: ` xmlns:dsig="` + nsDSig + `"`,
			keyInfo: `<%dKeyName>u1-Key_Name</%dKeyName>` + certificate, assertion: `xmlns="` + nsAssertion +
				`" ID="{ID}" IssueInstant="{AT}" Version="2.0"`, nameID: email, data: usualData,
			statements: authn(` SessionIndex="s::1"`, anything)},
		{name: "ping-one", why: "PingOne: the attributes of the Response in another order, an AuthenticatingAuthority, a KeyValue.", p: "samlp:", a: "saml:", d: "ds:",
			response: usualResponse + sp, responseIssuer: sa, signs: "A", signature: ds, keyInfo: certificate +
				keyValue, assertion: `ID="{ID}" Version="2.0" IssueInstant="{AT}"` + sa, data: usualData,
			statements: `<%aAuthnStatement AuthnInstant="` + authnInstant +
				`" SessionNotOnOrAfter="2026-03-10T10:29:58Z" SessionIndex="s1"><%aAuthnContext><%aAuthnContextClassRef>` + anything +
				`</%aAuthnContextClassRef><%aAuthenticatingAuthority>https://upstream.example.com/</%aAuthenticatingAuthority></%aAuthnContext></%aAuthnStatement>` +
				attributesOf("", ` NameFormat="`+basicFormat+`"`, typed+xsAndXSI, "saml_subject", nameID)},
		{name: "ping-federate", why: "PingFederate: the Version first, no KeyInfo, no Destination.", p: "samlp:",
			a: "saml:", d: "ds:", response: `Version="2.0" ID="{ID}" IssueInstant="{AT}" InResponseTo="{FOR}"` + sp,
			responseIssuer: sa, signs: "A", signature: ds, assertion: `ID="{ID}" IssueInstant="{AT}" Version="2.0"` +
				sa, nameID: unspecified, data: `Recipient="{TO}" NotOnOrAfter="{END}" InResponseTo="{FOR}"`,
			statements: authn(` SessionIndex="`+assertionID+`"`, anything) +
				attributesOf(xsAndXSI, ` NameFormat="`+basicFormat+`"`, typed, "groups",
					"CN=analysts,DC=example,DC=com")},
		{name: "jumpcloud", why: "JumpCloud: IDs in capital letters would be as good; Consent, and a Format of SAML 1.0.", p: "saml2p:", a: "saml2:", d: "ds:", declaration: `<?xml version="1.0" encoding="UTF-8"?>`,
			response: strings.TrimSpace(s2p) +
				` Consent="urn:oasis:names:tc:SAML:2.0:consent:unspecified" Destination="{TO}" ID="{ID}" InResponseTo="{FOR}" IssueInstant="{AT}" Version="2.0"`, responseIssuer: s2 + entityFormat,
			signs: "A", signature: ds, keyInfo: certificate, assertion: strings.TrimSpace(s2) +
				` ID="{ID}" IssueInstant="{AT}" Version="2.0"`, issuer: entityFormat, nameID: ` Format="urn:oasis:names:tc:SAML:1.0:nameid-format:unspecified"`,
			data: usualData, statements: authn(` SessionIndex="s1"`, transport)},
		{name: "shibboleth", why: "Shibboleth: the assertion's schema type, both signed, attributes by object identifier with FriendlyName, the address of the client.", p: "saml2p:", a: "saml2:", d: "ds:",
			declaration: `<?xml version="1.0" encoding="UTF-8"?>` + "\n", response: strings.TrimSpace(s2p) +
				` Destination="{TO}" ID="{ID}" InResponseTo="{FOR}" IssueInstant="{AT}" Version="2.0"`, responseIssuer: s2, signs: "AR", signature: ds,
			list: "xsd", keyInfo: certificate, assertion: strings.TrimSpace(s2) +
				` xmlns:xsd="http://www.w3.org/2001/XMLSchema" ID="{ID}" IssueInstant="{AT}" Version="2.0"`,
			nameID: email + ` NameQualifier="{IDP}" SPNameQualifier="{TO}"`, data: `Address="192.0.2.7" ` + usualData,
			statements: `<%aAuthnStatement AuthnInstant="` + authnInstant +
				`" SessionIndex="_s"><%aSubjectLocality Address="192.0.2.7"/><%aAuthnContext><%aAuthnContextClassRef>` + transport + `</%aAuthnContextClassRef></%aAuthnContext></%aAuthnStatement>` +
				attributesOf("", ` FriendlyName="mail" NameFormat="`+uriFormat+`"`,
					` xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="xsd:string"`, "urn:oid:0.9.2342.19200300.100.1.3", nameID, "urn:oid:2.5.4.42", "Ada")},
		{name: "simplesamlphp", why: "SimpleSAMLphp: the prefixes of the Response, types declared at the assertion, line breaks inside KeyInfo.", p: "samlp:", a: "saml:", d: "ds:",
			response: strings.TrimSpace(sp) + sa + ` ` + usualResponse, signs: "A", signature: ds, keyInfo: "\n" +
				certificate + "\n", assertion: `xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xs="http://www.w3.org/2001/XMLSchema" ID="{ID}" Version="2.0" IssueInstant="{AT}"`,
			nameID: ` SPNameQualifier="{TO}"` +
				email, data: `NotOnOrAfter="{END}" Recipient="{TO}" InResponseTo="{FOR}"`, statements: authn(` SessionNotOnOrAfter="2026-03-10T17:29:58Z" SessionIndex="_s"`, transport) +
				attributesOf("", ` NameFormat="`+basicFormat+`"`, typed, "uid", "ada", "mail", nameID)},
		{name: "lemonldap", why: "LemonLDAP::NG: default-like order of attributes, Issuer with Format, several values as Attributes.", p: "samlp:", a: "saml:", d: "ds:",
			response: strings.TrimSpace(sp) + sa +
				` ID="{ID}" InResponseTo="{FOR}" Version="2.0" IssueInstant="{AT}" Destination="{TO}" Consent="urn:oasis:names:tc:SAML:2.0:consent:obtained"`, responseIssuer: entityFormat, issuer: entityFormat, signs: "A",
			signature: ds, keyInfo: `<%dKeyValue><%dRSAKeyValue><%dModulus>MODULUS-A</%dModulus><%dExponent>AQAB</%dExponent></%dRSAKeyValue></%dKeyValue>`, assertion: `Version="2.0" ID="{ID}" IssueInstant="{AT}"`, nameID: email + ` NameQualifier="{IDP}" SPNameQualifier="{TO}"`,
			data: `NotOnOrAfter="{END}" Recipient="{TO}" InResponseTo="{FOR}"`, conditions: `<%aOneTimeUse/>`, statements: authn(` SessionIndex="s1"`, transport)},
		{name: "pysaml2", why: "pysaml2: prefixes ns0 and ns1, bound again to other namespaces further in.",
			p: "ns0:", a: "ns1:", d: "ns2:",
			response: `xmlns:ns0="` + nsProtocol + `" xmlns:ns1="` + nsAssertion + `" ` +
				usualResponse, responseIssuer: entityFormat, issuer: entityFormat, signs: "A", signature: ` xmlns:ns2="` + nsDSig + `" Id="Signature1"`,
			keyInfo: certificate, assertion: `xmlns:ns3="http://www.w3.org/2001/XMLSchema-instance" Version="2.0" ID="{ID}" IssueInstant="{AT}"`, nameID: email + ` SPNameQualifier="{TO}" NameQualifier=""`, data: usualData,
			statements: authn(` SessionIndex="id-1"`, anything) + attributesOf("", ` NameFormat="`+uriFormat+`"`,
				` xmlns:ns1="`+nsAssertion+`" xmlns:ns2="http://www.w3.org/2001/XMLSchema" ns3:type="ns2:string"`, "urn:oid:2.5.4.4", "Lovelace")},
		{name: "pysaml2-response", why: "pysaml2 with a signed response, the prefix ns2 bound to two namespaces.",
			p: "ns0:", a: "ns1:", d: "ns2:",
			response: `xmlns:ns0="` + nsProtocol + `" xmlns:ns1="` + nsAssertion +
				`" xmlns:ns2="urn:example:other" ` + usualResponse, signs: "R", signature: ` xmlns:ns2="` + nsDSig +
				`"`, keyInfo: certificate,
			assertion: `Version="2.0" ID="{ID}" IssueInstant="{AT}"`, nameID: email, data: usualData, statements: authn("", anything)},
		{name: "auth0", why: "Auth0: types declared at the AttributeStatement.", p: "samlp:", a: "saml:",
			response: strings.TrimSpace(sp) +
				` ID="{ID}" InResponseTo="{FOR}" Version="2.0" IssueInstant="{AT}" Destination="{TO}"`,
			responseIssuer: sa, signs: "R", signature: ` xmlns="` + nsDSig +
				`"`, keyInfo: certificate, assertion: strings.TrimSpace(sa) +
				` Version="2.0" ID="{ID}" IssueInstant="{AT}"`, nameID: unspecified,
			data: `NotOnOrAfter="{END}" Recipient="{TO}" InResponseTo="{FOR}"`, statements: attributesOf(xsAndXSI, "",
				` xsi:type="xs:anyType"`, xmlsoc+"emailaddress", nameID, "http://schemas.auth0.com/email_verified", "true") +
				authn(` SessionIndex="_s"`, anything)},
		{name: "oracle", why: "Oracle Access Manager: every prefix declared in the root, unused ones too; no KeyInfo.", p: "samlp:", a: "saml:", d: "dsig:",
			response: strings.TrimSpace(sp) + ` xmlns:dsig="` + nsDSig + `" xmlns:enc="` + nsXEnc + `"` + sa +
				` xmlns:x500="urn:oasis:names:tc:SAML:2.0:profiles:attribute:X500" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" Destination="{TO}" ID="{ID}" InResponseTo="{FOR}" IssueInstant="{AT}" Version="2.0"`,
			responseIssuer: entityFormat, issuer: entityFormat, signs: "A", assertion: `ID="{ID}" IssueInstant="{AT}" Version="2.0"`, nameID: ` Format="` + persistentFormat + `" NameQualifier="{IDP}" SPNameQualifier="{TO}"`, data: usualData,
			statements: authn(` SessionIndex="id-1" SessionNotOnOrAfter="2026-03-10T10:29:58Z"`, transport)},
		{name: "ibm", why: "IBM: Issuer with Format, several AuthnStatements, attributes in two statements.",
			p: "samlp:", a: "saml:", d: "ds:", response: strings.TrimSpace(sp) + sa +
				` Destination="{TO}" ID="{ID}" InResponseTo="{FOR}" IssueInstant="{AT}" Version="2.0"`,
			responseIssuer: entityFormat, issuer: entityFormat, signs: "A", signature: ds +
				` Id="uuid1"`, keyInfo: certificate, assertion: `ID="{ID}" IssueInstant="{AT}" Version="2.0"`, nameID: email, data: usualData,
			statements: authn(` SessionIndex="a"`, transport) + authn(` SessionIndex="b"`, anything) +
				attributesOf("", "", "", "one", "1") + attributesOf("", "", "", "two", "2", "one", "1b")},
		{name: "cas", why: "CAS: AudienceRestriction and OneTimeUse, the locality, types with their own declarations.", p: "saml2p:", a: "saml2:", d: "ds:", declaration: `<?xml version="1.0" encoding="UTF-8"?>`,
			response: strings.TrimSpace(s2p) +
				` Destination="{TO}" ID="{ID}" InResponseTo="{FOR}" IssueInstant="{AT}" Version="2.0"`, responseIssuer: s2, signs: "AR", signature: ds, keyInfo: certificate, status: `<%pStatusMessage>urn:oasis:names:tc:SAML:2.0:status:Success</%pStatusMessage>`,
			assertion: strings.TrimSpace(s2) +
				` ID="{ID}" IssueInstant="{AT}" Version="2.0"`, nameID: email, data: usualData, conditions: `<%aOneTimeUse/><%aProxyRestriction Count="1"/>`,
			statements: authn(` SessionIndex="ST-1" SessionNotOnOrAfter="2026-03-10T17:29:58Z"`, transport)},
		{name: "wso2", why: "WSO2: both signed without PrefixList, an empty AttributeValue.", p: "saml2p:",
			a: "saml2:", d: "ds:", response: strings.TrimSpace(s2p) +
				` Destination="{TO}" ID="{ID}" InResponseTo="{FOR}" IssueInstant="{AT}" Version="2.0"`,
			responseIssuer: s2 + entityFormat, issuer: entityFormat, signs: "AR", signature: ds, keyInfo: certificate, assertion: strings.TrimSpace(s2) + ` ID="{ID}" IssueInstant="{AT}" Version="2.0"`, nameID: unspecified, data: usualData,
			statements: authn(` SessionIndex="1"`, "urn:oasis:names:tc:SAML:2.0:ac:classes:Password") +
				attributesOf("", ` NameFormat="`+basicFormat+`"`, xsAndXSI+typed, "http://wso2.org/claims/role", "",
					"http://wso2.org/claims/emailaddress", nameID)},
		{name: "salesforce", why: "Salesforce: the assertion's attributes in another order, an attribute without NameFormat.", p: "samlp:", a: "saml:", d: "ds:", response: strings.TrimSpace(sp) + ` Destination="{TO}" ID="{ID}" InResponseTo="{FOR}" IssueInstant="{AT}" Version="2.0"`,
			responseIssuer: sa + entityFormat, issuer: entityFormat, signs: "AR", signature: ds, list: "ds saml samlp", keyInfo: certificate, assertion: strings.TrimSpace(sa) + ` ID="{ID}" IssueInstant="{AT}" Version="2.0"`, nameID: email, data: usualData,
			statements: authn("", anything) +
				attributesOf("", ` NameFormat="urn:oasis:names:tc:SAML:2.0:attrname-format:unspecified"`,
					xsAndXSI+` xsi:type="xs:anyType"`, "userId", "005", "username", nameID)},
		{name: "duo", why: "Duo: no InResponseTo but in the SubjectConfirmationData, the response unsigned.",
			p: "samlp:", a: "saml:", d: "ds:", response: strings.TrimSpace(sp) + sa +
				` ID="{ID}" Version="2.0" IssueInstant="{AT}" Destination="{TO}"`,
			signs: "A", signature: ds, keyInfo: certificate, assertion: `Version="2.0" ID="{ID}" IssueInstant="{AT}"`, nameID: email, data: usualData, statements: authn(` SessionIndex="DUO_1"`, transport)},
		{name: "cyberark", why: "CyberArk: default namespaces throughout, the Response's too.", response: `xmlns="` +
			nsProtocol + `" Destination="{TO}" ID="{ID}" InResponseTo="{FOR}" IssueInstant="{AT}" Version="2.0"`, responseIssuer: ` xmlns="` + nsAssertion + `"`, signs: "A",
			signature: ` xmlns="` + nsDSig +
				`"`, keyInfo: certificate, assertion: `Version="2.0" ID="{ID}" IssueInstant="{AT}" xmlns="` +
				nsAssertion + `"`, nameID: email, data: usualData, statements: authn(` SessionIndex="s"`, anything)},
		{name: "net-iq", why: "NetIQ: the assertion signed with a PrefixList that names what is not declared; blanks in KeyInfo.", p: "samlp:", a: "saml:", d: "ds:", response: strings.TrimSpace(sp) + sa + ` Consent="urn:oasis:names:tc:SAML:2.0:consent:unavailable" Destination="{TO}" ID="{ID}" InResponseTo="{FOR}" IssueInstant="{AT}" Version="2.0"`,
			signs: "A", signature: ds, list: "absent saml", keyInfo: "\r\n  " + certificate +
				" ", assertion: `ID="{ID}" IssueInstant="{AT}" Version="2.0"`, nameID: email, data: usualData, statements: authn(` SessionIndex="n1"`, transport)},
		{name: "lines", why: "Each element on its own line, in a signed response with a signed assertion.",
			p: "samlp:", a: "saml:", d: "ds:", response: strings.TrimSpace(sp) + sa + ` ` +
				usualResponse, signs: "AR", signature: ds, keyInfo: certificate,
			assertion: `ID="{ID}" IssueInstant="{AT}" Version="2.0"`, nameID: email, data: usualData, statements: authn("", anything), space: "\n\t"},
	} {
		list = append(list, vector{name: "style-" + s.name, text: s.text(), why: s.why})
	}
	return append(list, entraVectors()...)
}

// entraVectors are what an administrator can choose at Entra.
func entraVectors() []vector {
	const groupsClaim = "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups"
	var groups []string
	for i := range 150 {
		groups = append(groups, fmt.Sprintf("%08x-7c1e-4f2a-9b3d-%012x", 0x9e3779b9*uint32(i+1),
			0xc2b2ae3d27d4*int64(i+1)&0xffffffffffff))
	}
	claim := func(name string, values ...string) edit {
		return insertBefore("</AttributeStatement>", attribute(name, values...))
	}
	return []vector{
		{name: "entra-150-groups", from: "entra", change: claim(groupsClaim, groups...),
			why: "As many groups as Entra sends."},
		{name: "entra-groups-link", from: "entra", change: claim("http://schemas.microsoft.com/claims/groups.link",
			"https://graph.windows.net/"+tenantID+"/users/3e1a7c55-0d3b-4f2e-8a64-2b9d7f10c6e4/getMemberObjects"),
			why: "More than 150 groups: a link in place of them."},
		{name: "entra-roles", from: "entra",
			change: all(claim("http://schemas.microsoft.com/ws/2008/06/identity/claims/role", "Admin", "Reader"),
				claim("http://schemas.microsoft.com/ws/2008/06/identity/claims/wids",
					"62e90394-69f5-4237-9190-012177145e10")),
			why: "Application roles and directory roles."},
		{name: "entra-guest", from: "entra",
			change: all(swap(attribute(claims+"identityprovider", idpEntityID),
				attribute(claims+"identityprovider",
					"live.com")), swap("ada@example.onmicrosoft.com", "ada.lovelace_example.com#EXT#@example.onmicrosoft.com")),
			why: "A guest, whose own address is the NameID."},
		{name: "entra-few-claims", from: "entra", change: all(cut(attribute(xmlsoc+"givenname", "Ada")),
			cut(attribute(xmlsoc+"surname", "Lovelace")), cut(attribute(xmlsoc+"emailaddress", nameID))),
			why: "Claims whose source is empty are left out."},
		{name: "entra-name-format", from: "entra",
			change: swapAll(`<Attribute Name=`,
				`<Attribute NameFormat="`+uriFormat+`" Name=`), why: "The option to include the attribute name format."},
		{name: "entra-custom-claims", from: "entra",
			change: all(claim("https://example.com/claims/department", "Analytical Engine"),
				claim("costCenter", "1842")), why: "Claims with names of the administrator's own."},
		{name: "entra-issuer-with-application", from: "entra",
			change: swapAll(">"+idpEntityID+"</Issuer>",
				">"+idpEntityID+"8d1f4c6e-1111-4222-8333-9a8b7c6d5e4f</Issuer>"),
			header: header{"idp_entity_id": idpEntityID +
				"8d1f4c6e-1111-4222-8333-9a8b7c6d5e4f"}, why: "The application's ID is appended to the issuer, and configured."},
		{name: "entra-hours", from: "entra", change: swap(notOnOrAfter, "2026-03-11T09:29:58.002Z"),
			why: "A token that lives for 24 hours, as a lifetime policy can have it."},
		{name: "rsa-3072", from: "entra", key: rsa3072, header: header{"keys": certificateFile(rsa3072)},
			why: "A key of 3072 bits."},
		{name: "rsa-4096", from: "entra", key: rsa4096, header: header{"keys": certificateFile(rsa4096)},
			why: "A key of 4096 bits."},
		ellipticVector("ecdsa-p384", p384, dsigMore+"ecdsa-sha384", crypto.SHA384, 48, "ECDSA on P-384 with SHA-384."),
		ellipticVector("ecdsa-p521", p521, dsigMore+"ecdsa-sha512", crypto.SHA512, 66, "ECDSA on P-521 with SHA-512."),
		{name: "four-keys", from: "entra", key: rsa4096,
			header: header{"keys": strings.Join([]string{certificateFile(idpA), certificateFile(ec),
				certificateFile(rsa3072), certificateFile(rsa4096)}, " ")},
			why: "Four trusted keys of several kinds, and the last one signed."},
	}
}

func ellipticVector(name, key, method string, hash crypto.Hash, size int, why string) vector {
	return vector{name: name, from: "entra", key: key, header: header{"keys": certificateFile(key)},
		change: all(swap(rsaSHA256, method), cut(keyInfo(slotAssertion))), why: why,
		byHand: &hand{value: signECDSA(hash, func(r, s *big.Int) []byte {
			return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
		})}}
}

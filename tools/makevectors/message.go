package main

// What the messages of the vectors say. Every time and every ID occurs in one meaning only, so that
// a vector can name the place that it changes by its text.
const (
	redirectURL = "https://console.example.com/api/v1/identity/auth/saml-acs"
	formerURL   = "https://old.example.com/api/v1/identity/auth/saml-acs"
	tenantID    = "7f1f0a52-7a3c-4d8e-9d1b-5c0f5e2a9b11"
	idpEntityID = "https://sts.windows.net/" + tenantID + "/"
	otherIDP    = "https://sts.windows.net/00000000-1111-4222-8333-444444444444/"

	requestID      = "_b7d1c5a04e0f4f6c8a1d2e3f40516273"
	otherRequestID = "_ffffffffffffffffffffffffffffffff"
	responseID     = "_0c9a6a5e-2f9e-4c55-8d8b-2f4f1f0b7a01"
	assertionID    = "_4be5c7d2-6a38-4e0a-b4a6-1d3f9c2e8b02"
	evilID         = "_deadbeef-dead-4eef-8ead-beefdeadbeef"

	now             = "2026-03-10T09:30:00Z"
	responseIssued  = "2026-03-10T09:29:58.123Z"
	assertionIssued = "2026-03-10T09:29:58.110Z"
	notBefore       = "2026-03-10T09:24:58.001Z"
	notOnOrAfter    = "2026-03-10T10:29:58.002Z"
	deliverBefore   = "2026-03-10T10:29:58.003Z" // NotOnOrAfter of the SubjectConfirmationData
	authnInstant    = "2026-03-10T09:29:55.512Z"
	// the first millisecond that is in the future at now, with three minutes of skew
	beyondSkew = "2026-03-10T09:33:00.001Z"
	// the last end that has been reached at now, with three minutes of skew
	overForSkew        = "2026-03-10T09:27:00Z"
	withinSkew         = "2026-03-10T09:33:00Z"
	notQuiteOver       = "2026-03-10T09:27:00.001Z"
	moreThanADay       = "2026-03-09T09:27:00Z"
	notQuiteADay       = "2026-03-09T09:27:00.001Z"
	nameID             = "ada.lovelace@example.com"
	emailFormat        = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
	persistentFormat   = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
	passwordContext    = "urn:oasis:names:tc:SAML:2.0:ac:classes:Password"
	certificateContext = "urn:oasis:names:tc:SAML:2.0:ac:classes:X509"

	claims = "http://schemas.microsoft.com/identity/claims/"
	xmlsoc = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"

	nsProtocol  = "urn:oasis:names:tc:SAML:2.0:protocol"
	nsAssertion = "urn:oasis:names:tc:SAML:2.0:assertion"
	nsDSig      = "http://www.w3.org/2000/09/xmldsig#"
	nsXEnc      = "http://www.w3.org/2001/04/xmlenc#"

	success   = "urn:oasis:names:tc:SAML:2.0:status:Success"
	requester = "urn:oasis:names:tc:SAML:2.0:status:Requester"

	enveloped    = nsDSig + "enveloped-signature"
	exclusive    = "http://www.w3.org/2001/10/xml-exc-c14n#"
	inclusive    = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
	inclusive11  = "http://www.w3.org/2006/12/xml-c14n11"
	dsigMore     = "http://www.w3.org/2001/04/xmldsig-more#"
	dsig2007     = "http://www.w3.org/2007/05/xmldsig-more#"
	rsaSHA256    = dsigMore + "rsa-sha256"
	digestSHA256 = nsXEnc + "sha256"
)

// The two signatures that a message can have, by the placeholders of their values. The assertion's
// is made first, because the response's covers it.
const (
	slotAssertion = "A"
	slotResponse  = "R"

	trusted = "TRUSTED" // stands for idpA, whoever signs
)

// signature is a ds:Signature as Entra writes it, still without its values.
func signature(slot, id string) string {
	return `<Signature xmlns="` + nsDSig + `"><SignedInfo>` +
		`<CanonicalizationMethod Algorithm="` + exclusive + `"/>` +
		`<SignatureMethod Algorithm="` + rsaSHA256 + `"/>` +
		`<Reference URI="#` + id + `"><Transforms>` +
		`<Transform Algorithm="` + enveloped + `"/>` +
		`<Transform Algorithm="` + exclusive + `"/></Transforms>` +
		`<DigestMethod Algorithm="` + digestSHA256 + `"/>` +
		`<DigestValue>DIGEST-` + slot + `</DigestValue></Reference></SignedInfo>` +
		`<SignatureValue>VALUE-` + slot + `</SignatureValue>` +
		`<KeyInfo><X509Data><X509Certificate>CERTIFICATE-` + slot +
		`</X509Certificate></X509Data></KeyInfo></Signature>`
}

// entra is a response as Entra sends it (default namespaces in a prefixed Response, no white
// space), with these signatures.
func entra(responseSignature, assertionSignature string) string {
	return `<samlp:Response ID="` + responseID + `" Version="2.0" IssueInstant="` + responseIssued +
		`" Destination="` + redirectURL +
		`" InResponseTo="` + requestID + `" xmlns:samlp="` + nsProtocol + `">` +
		`<Issuer xmlns="` + nsAssertion + `">` + idpEntityID + `</Issuer>` + responseSignature +
		`<samlp:Status><samlp:StatusCode Value="` + success + `"/></samlp:Status>` +
		`<Assertion ID="` + assertionID + `" IssueInstant="` + assertionIssued + `" Version="2.0" xmlns="` +
		nsAssertion + `">` +
		`<Issuer>` + idpEntityID + `</Issuer>` + assertionSignature +
		`<Subject><NameID Format="` + emailFormat + `">` + nameID + `</NameID>` +
		`<SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">` +
		`<SubjectConfirmationData InResponseTo="` + requestID + `" NotOnOrAfter="` + deliverBefore + `" Recipient="` +
		redirectURL + `"/>` +
		`</SubjectConfirmation></Subject>` +
		`<Conditions NotBefore="` + notBefore + `" NotOnOrAfter="` + notOnOrAfter + `">` +
		`<AudienceRestriction><Audience>` + redirectURL + `</Audience></AudienceRestriction></Conditions>` +
		`<AttributeStatement>` +
		attribute(claims+"tenantid", tenantID) +
		attribute(claims+"objectidentifier", "3e1a7c55-0d3b-4f2e-8a64-2b9d7f10c6e4") +
		attribute(claims+"displayname", "Ada Lovelace") +
		attribute(claims+"identityprovider", idpEntityID) +
		attribute("http://schemas.microsoft.com/claims/authnmethodsreferences",
			"http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/password", "http://schemas.microsoft.com/claims/multipleauthn") +
		attribute(xmlsoc+"givenname", "Ada") +
		attribute(xmlsoc+"surname", "Lovelace") +
		attribute(xmlsoc+"emailaddress", nameID) +
		attribute(xmlsoc+"name", "ada@example.onmicrosoft.com") +
		`</AttributeStatement>` +
		`<AuthnStatement AuthnInstant="` + authnInstant + `" SessionIndex="` + assertionID + `">` +
		`<AuthnContext><AuthnContextClassRef>` + passwordContext +
		`</AuthnContextClassRef></AuthnContext></AuthnStatement>` +
		`</Assertion></samlp:Response>`
}

func attribute(name string, values ...string) string {
	s := `<Attribute Name="` + name + `">`
	for _, v := range values {
		s += `<AttributeValue>` + v + `</AttributeValue>`
	}
	return s + `</Attribute>`
}

// prefixed is a response of an identity provider that declares all prefixes in the root, as most
// toolkits do.
func prefixed() string {
	signature := `<ds:Signature><ds:SignedInfo>` +
		`<ds:CanonicalizationMethod Algorithm="` + exclusive + `"/><ds:SignatureMethod Algorithm="` + rsaSHA256 +
		`"/>` +
		`<ds:Reference URI="#` + assertionID + `"><ds:Transforms><ds:Transform Algorithm="` + enveloped + `"/>` +
		`<ds:Transform Algorithm="` + exclusive + `"/></ds:Transforms><ds:DigestMethod Algorithm="` + digestSHA256 +
		`"/>` +
		`<ds:DigestValue>DIGEST-A</ds:DigestValue></ds:Reference></ds:SignedInfo>` +
		`<ds:SignatureValue>VALUE-A</ds:SignatureValue>` +
		`<ds:KeyInfo><ds:X509Data><ds:X509Certificate>CERTIFICATE-A</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature>`
	return `<samlp:Response xmlns:samlp="` + nsProtocol + `" xmlns:saml="` + nsAssertion + `" xmlns:ds="` + nsDSig +
		`"` +
		` xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"` +
		` Version="2.0" ID="` + responseID + `" IssueInstant="` + responseIssued + `" Destination="` + redirectURL +
		`" InResponseTo="` + requestID + `">` +
		`<saml:Issuer Format="urn:oasis:names:tc:SAML:2.0:nameid-format:entity">` + idpEntityID + `</saml:Issuer>` +
		`<samlp:Status><samlp:StatusCode Value="` + success + `"/></samlp:Status>` +
		`<saml:Assertion Version="2.0" ID="` + assertionID + `" IssueInstant="` + assertionIssued + `">` +
		`<saml:Issuer>` + idpEntityID + `</saml:Issuer>` + signature +
		`<saml:Subject><saml:NameID SPNameQualifier="` + redirectURL + `">` + nameID + `</saml:NameID>` +
		`<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">` +
		`<saml:SubjectConfirmationData NotOnOrAfter="` + deliverBefore + `" Recipient="` + redirectURL +
		`" InResponseTo="` + requestID + `"/>` +
		`</saml:SubjectConfirmation></saml:Subject>` +
		`<saml:Conditions NotBefore="` + notBefore + `" NotOnOrAfter="` + notOnOrAfter + `">` +
		`<saml:AudienceRestriction><saml:Audience>` + redirectURL +
		`</saml:Audience></saml:AudienceRestriction></saml:Conditions>` +
		`<saml:AuthnStatement AuthnInstant="` + authnInstant +
		`" SessionNotOnOrAfter="2026-03-10T17:29:55Z" SessionIndex="s1">` +
		`<saml:AuthnContext><saml:AuthnContextClassRef>` + passwordContext +
		`</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>` +
		`<saml:AttributeStatement>` +
		`<saml:Attribute Name="email" NameFormat="urn:oasis:names:tc:SAML:2.0:attrname-format:basic" FriendlyName="mail">` +
		`<saml:AttributeValue xsi:type="xs:string">` + nameID + `</saml:AttributeValue></saml:Attribute>` +
		`<saml:Attribute Name="groups"><saml:AttributeValue xsi:type="xs:string">analysts</saml:AttributeValue>` +
		`<saml:AttributeValue xsi:type="xs:string">mathematicians</saml:AttributeValue></saml:Attribute>` +
		`</saml:AttributeStatement></saml:Assertion></samlp:Response>`
}

package samltest

import (
	"encoding/base64"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestResponseIsLaidOutAsEntras(t *testing.T) {
	t.Parallel()
	idp := MustNew(t, Options{
		Keys:     testKeys.rsa(),
		TenantID: "b0a63ade-3ec7-4d8b-991f-87eb4336274a",
		Now:      func() time.Time { return now },
	})
	got := string(mustRespond(t, idp, Answer{
		User: User{
			Mail:              "user@example.com",
			UserPrincipalName: "upn@example.com",
			ObjectID:          "552200d7-3516-4d81-8ea1-a87b429f07ef",
		},
		RequestID: "id1", Audience: "https://console.example.com",
	}))
	certificate := base64.StdEncoding.EncodeToString(idp.Certificates()[0])
	got = regexp.MustCompile(`<(DigestValue|SignatureValue)>[A-Za-z0-9+/]+=*<`).ReplaceAllString(got, "<$1>…<")
	guid := regexp.MustCompile(`"_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"`)
	ids := guid.FindAllString(got, -1)
	if len(ids) != 3 || ids[0] == ids[1] || ids[1] != ids[2] {
		t.Fatalf("IDs %v, want the response's, the assertion's, and the assertion's again as SessionIndex", ids)
	}
	got = strings.NewReplacer(ids[0], `"_response"`, ids[1], `"_assertion"`, `"#`+ids[1][1:], `"#_assertion"`,
		certificate, "certificate").Replace(got)
	want := `<samlp:Response ID="_response" Version="2.0" IssueInstant="2026-03-14T08:26:53.589Z" Destination="` +
		redirectURL + `" InResponseTo="id1" xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol">` +
		`<Issuer xmlns="urn:oasis:names:tc:SAML:2.0:assertion">https://sts.windows.net/b0a63ade-3ec7-4d8b-991f-87eb4336274a/</Issuer>` +
		`<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>` +
		`<Assertion ID="_assertion" IssueInstant="2026-03-14T08:26:53.589Z" Version="2.0" xmlns="urn:oasis:names:tc:SAML:2.0:assertion">` +
		`<Issuer>https://sts.windows.net/b0a63ade-3ec7-4d8b-991f-87eb4336274a/</Issuer>` +
		`<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"><SignedInfo><CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>` +
		`<SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/><Reference URI="#_assertion">` +
		`<Transforms><Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/><Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/></Transforms>` +
		`<DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><DigestValue>…</DigestValue></Reference></SignedInfo><SignatureValue>…</SignatureValue>` +
		`<KeyInfo><X509Data><X509Certificate>certificate</X509Certificate></X509Data></KeyInfo></Signature>` +
		`<Subject><NameID Format="urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress">user@example.com</NameID>` +
		`<SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><SubjectConfirmationData InResponseTo="id1" NotOnOrAfter="2026-03-14T09:26:53.589Z" Recipient="` + redirectURL + `"/></SubjectConfirmation></Subject>` +
		`<Conditions NotBefore="2026-03-14T08:21:53.589Z" NotOnOrAfter="2026-03-14T09:26:53.589Z"><AudienceRestriction><Audience>https://console.example.com</Audience></AudienceRestriction></Conditions>` +
		`<AttributeStatement><Attribute Name="http://schemas.microsoft.com/identity/claims/tenantid"><AttributeValue>b0a63ade-3ec7-4d8b-991f-87eb4336274a</AttributeValue></Attribute>` +
		`<Attribute Name="http://schemas.microsoft.com/identity/claims/objectidentifier"><AttributeValue>552200d7-3516-4d81-8ea1-a87b429f07ef</AttributeValue></Attribute>` +
		`<Attribute Name="http://schemas.microsoft.com/identity/claims/identityprovider"><AttributeValue>https://sts.windows.net/b0a63ade-3ec7-4d8b-991f-87eb4336274a/</AttributeValue></Attribute>` +
		`<Attribute Name="http://schemas.microsoft.com/claims/authnmethodsreferences"><AttributeValue>http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/password</AttributeValue><AttributeValue>http://schemas.microsoft.com/claims/multipleauthn</AttributeValue></Attribute>` +
		`<Attribute Name="http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"><AttributeValue>user@example.com</AttributeValue></Attribute>` +
		`<Attribute Name="http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name"><AttributeValue>upn@example.com</AttributeValue></Attribute></AttributeStatement>` +
		`<AuthnStatement AuthnInstant="2026-03-14T08:16:53.589Z" SessionIndex="_assertion"><AuthnContext><AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</AuthnContextClassRef></AuthnContext></AuthnStatement></Assertion></samlp:Response>`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// The real message responses/entra-4 and ours have the same elements and attributes in the same
// order, once the claims are the same.
func TestLayoutOfARealResponse(t *testing.T) {
	t.Parallel()
	real := readFixture(t, "responses/entra-4.xml")
	idp := MustNew(t, Options{Keys: testKeys.rsa()})
	ours := mustRespond(t, idp, Answer{
		User: User{
			Mail:              "user@example.com",
			UserPrincipalName: "upn@example.com",
			DisplayName:       "User",
			ObjectID:          newGUID(),
		},
		RequestID:  "id1",
		Attributes: []Attribute{{Name: claimEmail}, {claimAuthnMethods, []string{"password"}}},
	})
	if got, want := skeleton(ours), skeleton(real); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// skeleton returns a document without its text and without the values of its attributes, except
// namespaces.
func skeleton(document []byte) string {
	text := regexp.MustCompile(`>[^<]+<`).ReplaceAllString(string(document), "><")
	return regexp.MustCompile(` (\w+)="([^"]*)"`).ReplaceAllStringFunc(text, func(attribute string) string {
		if strings.HasPrefix(attribute, " xmlns") || strings.HasPrefix(attribute, " Algorithm") {
			return attribute
		}
		return attribute[:strings.Index(attribute, "=")]
	})
}

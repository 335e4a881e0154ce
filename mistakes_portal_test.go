package saml_test

import (
	"strings"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

const statusResponder = statusPrefix + "Responder"

// answers is a mistake at the identity provider that shows in its answer.
func answers(a samltest.Answer) func(*shop) {
	return func(s *shop) {
		s.mustOpen()
		s.answered(a)
	}
}

// pastes is a mistake in the three fields of a settings page.
func pastes(entityID, loginURL string) func(*shop) {
	return func(s *shop) {
		s.mustOpen()
		at := strings.NewReplacer("TENANT", s.idp.TenantID(), "OURS", s.sp.RedirectURL())
		_, err := s.sp.ParseSettings(at.Replace(entityID), at.Replace(loginURL), string(s.idp.CertificatePEM()))
		s.hear(err)
	}
}

const entraIssuer, entraLogin = "https://sts.windows.net/TENANT/", "https://login.microsoftonline.com/TENANT/saml2"

// mistakesOfAdministrators are about the portal of the identity provider and the settings page.
var mistakesOfAdministrators = []mistake{
	{name: "the Login URL is pasted as entity ID", make: pastes(entraLogin, entraLogin),
		code: saml.CodeMetadataEntityID, err: "Microsoft Entra Identifier"},
	{name: "the Identifier of this service is pasted as entity ID", make: pastes("OURS", entraLogin),
		code: saml.CodeMetadataEntityID, err: `not "Identifier (Entity ID)", which is ours`},
	{name: "the Microsoft Entra Identifier is pasted as Login URL", make: pastes(entraIssuer, entraIssuer),
		code: saml.CodeMetadataLoginURL, err: `"Set up" card > Login URL`},
	{name: "the address of WS-Federation is pasted as Login URL",
		make: pastes(entraIssuer, strings.Replace(entraLogin, "saml2", "wsfed", 1)),
		code: saml.CodeMetadataLoginURL, err: `"Set up" card > Login URL`},
	{name: "the tenant ID alone is pasted as entity ID", make: pastes("TENANT", entraLogin),
		code: saml.CodeMetadataEntityID, err: "Microsoft Entra Identifier"},
	{name: "the entity ID lacks its last slash", make: func(s *shop) {
		keys, err := saml.ParseKeys(s.idp.CertificatePEM())
		if err != nil {
			s.Fatal(err)
		}
		p, err := saml.NewIdentityProvider(strings.TrimSuffix(s.idp.EntityID(), "/"), s.idp.LoginURL(), keys...)
		if err != nil {
			s.Fatal(err)
		}
		s.config.IdentityProvider = p
		s.mustOpen()
		s.visit("/jobs")
	}, code: saml.CodeResponseIssuer, page: pageRefused, log: "with its final slash"},
	{name: "entity ID and Login URL are of two clouds", make: func(s *shop) {
		p, err := saml.ParseSettings("https://sts.chinacloudapi.cn/"+s.idp.TenantID()+"/",
			strings.Replace(entraLogin, "TENANT", s.idp.TenantID(), 1), string(s.idp.CertificatePEM()))
		if err != nil {
			s.Fatal(err)
		}
		for _, w := range p.Warnings(time.Now()) {
			s.errors += w.String()
		}
	}, err: "in the portal of the tenant's own cloud"},
	{name: "the metadata is the one that all tenants share", make: func(s *shop) {
		document := strings.ReplaceAll(string(s.metadata(s.idp)), s.idp.TenantID(), "{tenantid}")
		s.parse([]byte(document))
	}, code: saml.CodeMetadataTenant, err: "not the address with /common/"},
	{name: "the metadata is that of another application of the tenant", make: func(s *shop) {
		other := samltest.MustNew(s.T, samltest.Options{TenantID: s.idp.TenantID()})
		other.SetBaseURL(strings.TrimSuffix(s.idp.LoginURL(), "/"+s.idp.TenantID()+"/saml2"))
		s.config.IdentityProvider = s.parse(s.metadata(other))
		s.mustOpen()
		s.visit("/jobs")
	}, code: saml.CodeSignature, page: pageRefused, log: "compare the thumbprint of the active certificate"},
	{name: "the metadata is that of this service", make: func(s *shop) {
		s.mustOpen()
		document, err := s.sp.Metadata()
		if err != nil {
			s.Fatal(err)
		}
		s.parse(document)
	}, code: saml.CodeMetadataRole, err: "not that of a service"},
	{name: "a web page was saved in place of the metadata", make: func(s *shop) {
		s.parse([]byte("<!DOCTYPE html><html><title>Sign in to your account</title></html>"))
	}, code: saml.CodeMetadata, err: "Download the identity provider's metadata again"},
	{name: "the private key is pasted in place of the certificate", make: func(s *shop) {
		_, err := saml.ParseKeys([]byte("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\n-----END PRIVATE KEY-----\n"))
		s.hear(err)
	}, code: saml.CodePrivateKey, err: "give us the certificate"},
	{name: "the clock of the service is ten minutes behind", make: func(s *shop) {
		s.ahead = -10 * time.Minute
		s.config.Store = saml.NewMemoryStoreWithClock(s.config.Now)
		s.mustOpen()
		s.visit("/jobs")
	}, code: saml.CodeIssueInstant, page: pageRefused, log: "by NTP"},
	{name: "the Reply URL is that of the test system", make: func(s *shop) {
		s.mustOpen()
		s.answered(samltest.Answer{Recipient: "https://test.example.com/acs", Audience: s.sp.RedirectURL()})
	}, code: saml.CodeDestination, page: pageRefused, log: "Reply URL must be the Redirect URL"},
	{name: "the Identifier is that of the test system",
		make: answers(samltest.Answer{Audience: "https://test.example.com/acs"}),
		code: saml.CodeAudience, page: pageRefused, log: "Identifier (Entity ID) must be our entity ID"},
	{name: "the signing algorithm is SHA-1", make: answers(samltest.Answer{Algorithm: samltest.RSASHA1}),
		code: saml.CodeSignatureAlgorithm, page: pageRefused, log: "Signing Algorithm: SHA-256"},
	{name: "nothing is signed", make: answers(samltest.Answer{Sign: samltest.SignNothing}),
		code: saml.CodeUnsigned, page: pageRefused, log: "sign the assertion"},
	{name: "the response must be signed, and only the assertion is", make: func(s *shop) {
		s.config.RequireSignedResponse = true
		s.mustOpen()
		s.visit("/jobs")
	}, code: saml.CodeUnsigned, page: pageRefused, log: "Sign SAML response and assertion"},
	{name: "a sign-in method is demanded that the user did not use", make: func(s *shop) {
		s.config.RequestedAuthnContexts = []string{"http://schemas.microsoft.com/claims/multipleauthn"}
		s.mustOpen()
		s.answered(samltest.Answer{})
	}, code: saml.CodeAuthnContext, page: pageRefused, log: "Leave RequestedAuthnContexts empty"},
	{name: "the NameID is the user principal name",
		make: answers(samltest.Answer{NameID: "ioana@contoso.onmicrosoft.com"}),
		code: saml.CodeNameIDMismatch, page: pageNoAddress, log: "source attribute user.mail"},
	{name: "the NameID of a guest is the user principal name",
		make: answers(samltest.Answer{NameID: "a_example.net#EXT#@contoso.onmicrosoft.com"}),
		code: saml.CodeNameIDGuest, page: pageNoAddress, log: "the guest's Email field"},
	{name: "the user has no e-mail address", make: answers(samltest.Answer{User: samltest.DefaultUsers()[1]}),
		code: saml.CodeNameIDNotEmail, page: pageNoAddress, log: "fill in the user's Email field"},
	{name: "the user is in more groups than are sent", make: answers(samltest.Answer{User: samltest.DefaultUsers()[3]}),
		page: "the page of", log: "Groups assigned to the application"},
	{name: "the user is in more groups than fit into a cookie", make: func(s *shop) {
		user := samltest.DefaultUsers()[3]
		user.Groups = user.Groups[:120]
		answers(samltest.Answer{User: user})(s)
	}, page: "the page of", log: "set session.Config.Records"},
	{name: "the user is not assigned",
		make: answers(samltest.Answer{Status: statusResponder, StatusMessage: "AADSTS50105: x"}),
		code: saml.CodeStatus, page: pageStatus, log: "Users and groups: assign the user"},
	{name: "signed requests are demanded, and ours are not",
		make: answers(samltest.Answer{Status: statusResponder, StatusMessage: "AADSTS76021: x"}),
		code: saml.CodeStatus, page: pageStatus, log: "or configure Config.SigningKey"},
	{name: "token encryption is on", make: func(s *shop) {
		s.mustOpen()
		s.answered(samltest.Answer{Encrypt: &samltest.Encryption{Certificates: s.idp.Certificates()[:1]}})
	}, code: saml.CodeEncryptedAssertion, page: pageRefused, log: "deactivate the encryption certificate"},
	{name: "the Sign-on URL is empty, and the user begins at the portal", make: func(s *shop) {
		s.mustOpen()
		s.posted(samltest.Answer{})
	}, code: saml.CodeUnsolicited, page: "Please start here", log: "Sign-on URL must be the Redirect URL"},
	{name: "the Logout URL is the Redirect URL", make: func(s *shop) {
		s.mustOpen()
		s.page = bodyOf(s.T, get(s.T, s.client, s.sp.RedirectURL()+"?SAMLRequest=abc"), nil)
	}, code: saml.CodeForm, page: "the Logout URL at the identity provider is set to this address", log: "address for logout"},
	{name: "the response comes in the address", make: func(s *shop) {
		s.mustOpen()
		s.page = bodyOf(s.T, get(s.T, s.client, s.sp.RedirectURL()+"?SAMLResponse=abc"), nil)
	}, code: saml.CodeForm, page: "This is not a sign-in", log: "by HTTP-POST"},
	{name: "the cookies lose Secure at a proxy", make: func(s *shop) {
		s.everywhere()
		s.config.BaseURL = "https://console.example.com"
		s.mustOpen()
		s.before(changingCookies(func(line string) string { return strings.ReplaceAll(line, "; Secure", "") }))
		s.answered(samltest.Answer{})
	}, code: saml.CodeStateMissing, page: "cookies are blocked", log: "they need Secure and Path=/ on https"},
}

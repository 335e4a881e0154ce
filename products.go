package saml

import (
	"net/url"
	"regexp"
	"strings"
)

// products are those that we know something about. The first one that an address matches counts, so
// those with hosts of their own stand before those that a company runs at its own host.
//
// The names of settings are those that the administrator of the product sees. Sources: the maker's
// documentation, named at each product. Where a name is not known there, there is no advice, and
// the general words of the code are used.
var products = []*product{
	&entra, &azureADB2C, &okta, &google, &oneLogin, &pingOne, &awsIdentityCenter, &jumpCloud, &auth0,
	&adfs, &keycloak, &authentik, &pingFederate, &simpleSAMLphp, &shibboleth, &lemonLDAP,
}

// The codes that one setting is to blame for.
var (
	acsCodes         = []Code{CodeDestination, CodeRecipient}
	audienceCodes    = []Code{CodeAudience}
	issuerCodes      = []Code{CodeResponseIssuer, CodeAssertionIssuer}
	entityIDCodes    = []Code{CodeResponseIssuer, CodeAssertionIssuer, CodeMetadataEntityID}
	loginURLCodes    = []Code{CodeMetadataLoginURL}
	metadataCodes    = []Code{CodeMetadata, CodeMetadataRole, CodeMetadataFetch, CodeMetadataKeys, CodeKey, CodeSignature}
	algorithmCodes   = []Code{CodeSignatureAlgorithm, CodeDigestAlgorithm}
	certificateCodes = []Code{CodeCertificateExpired, CodeWeakKey}
	unsignedCodes    = []Code{CodeUnsigned}
	logoutURLCodes   = []Code{CodeLogoutDestination}
	logoutSignCodes  = []Code{CodeLogoutUnsigned}
	encryptionCodes  = []Code{CodeEncryptedAssertion, CodeDecryption}
	cbcCodes         = []Code{CodeCBCRefused}
	nameIDCodes      = []Code{CodeNameID, CodeNameIDNotEmail, CodeNameIDMismatch}
	startCodes       = []Code{CodeUnsolicited}
	statusCodes      = []Code{CodeStatus}
)

// The words for Microsoft Entra ID. What else is known about it is in entra.go.
const entraSignResponse = `In Entra: Enterprise application > Single sign-on > SAML Certificates > Edit > Signing Option: "Sign SAML response and assertion".`

var entraWords = []advice{
	{issuerCodes, `In Entra: Enterprise application > Single sign-on > "Set up" card > Microsoft Entra Identifier belongs into Entity ID, with its final slash.`},
	{acsCodes, "In Entra: Enterprise application > Single sign-on > Basic SAML Configuration > Reply URL must be the Redirect URL."},
	{logoutURLCodes, `In Entra: Enterprise application > Single sign-on > Basic SAML Configuration > "Logout Url (Optional)" must be the Logout URL.`},
	{audienceCodes, "In Entra: Enterprise application > Single sign-on > Basic SAML Configuration > Identifier (Entity ID) must be our entity ID, which is the Redirect URL unless another is configured."},
	{[]Code{CodeEncryptedAssertion}, "In Entra: Enterprise application > Token encryption: deactivate the encryption certificate, or configure its key here."},
	{[]Code{CodeDecryption}, "In Entra: Enterprise application > Token encryption: the active certificate must be the encryption certificate of our metadata; and compare the thumbprint under Single sign-on > SAML Certificates with the signing certificate in our settings."},
	{[]Code{CodeSignature}, "In Entra: Enterprise application > Single sign-on > SAML Certificates: download the Federation Metadata XML and upload it in our settings; compare the thumbprint of the active certificate."},
	{algorithmCodes, "In Entra: Enterprise application > Single sign-on > SAML Certificates > Edit > Signing Algorithm: SHA-256."},
	{startCodes, "In Entra: Enterprise application > Single sign-on > Basic SAML Configuration > Sign-on URL must be the Redirect URL."},
	{[]Code{CodeNameID, CodeNameIDNotEmail}, "In Entra: Enterprise application > Single sign-on > Attributes & Claims > Unique User Identifier: source attribute user.mail, format Email address; and fill in the user's Email field."},
	{[]Code{CodeNameIDGuest}, "In Entra: Enterprise application > Single sign-on > Attributes & Claims > Unique User Identifier: source attribute user.mail, format Email address; and fill in the guest's Email field."},
	{[]Code{CodeNameIDMismatch}, "In Entra: Enterprise application > Single sign-on > Attributes & Claims > Unique User Identifier: source attribute user.mail; and fill in the user's Email field."},
	{certificateCodes, "In Entra: Enterprise application > Single sign-on > SAML Certificates > Edit: create a new certificate, give us the metadata, then make it active."},
	{[]Code{CodeNoAccountKey}, "In Entra: Enterprise application > Single sign-on > Attributes & Claims: the default claims objectidentifier and tenantid must be sent; or Unique User Identifier: format Email address or Persistent."},
	{[]Code{CodeObjectIDMissing}, "In Entra: Enterprise application > Single sign-on > Attributes & Claims: the default claims objectidentifier and tenantid must be sent."},
	{[]Code{CodeMetadata, CodeMetadataRole}, "In Entra: Enterprise application > Single sign-on > SAML Certificates > Federation Metadata XML > Download; upload that file unchanged."},
	{[]Code{CodeMetadataTenant}, "In Entra: Enterprise application > Single sign-on > SAML Certificates > Federation Metadata XML, not the address with /common/."},
	{[]Code{CodeMetadataEntityID}, `In Entra: Enterprise application > Single sign-on > "Set up" card > Microsoft Entra Identifier (not "Identifier (Entity ID)", which is ours).`},
	{loginURLCodes, `In Entra: Enterprise application > Single sign-on > "Set up" card > Login URL.`},
	{[]Code{CodeMetadataKeys, CodeKey}, "In Entra: Enterprise application > Single sign-on > SAML Certificates > Federation Metadata XML or Certificate (Base64)."},
	{[]Code{CodeMetadataFetch}, "In Entra: Enterprise application > Single sign-on > SAML Certificates > App Federation Metadata Url: compare the address, or download the Federation Metadata XML with a browser and give that."},
}

// azureADB2C: learn.microsoft.com, Azure AD B2C: "Register a SAML application" and "SAML token issuer
// technical profile". It is set up by custom policies, not by enterprise applications as Entra.
var azureADB2C = product{
	name:    "Azure AD B2C",
	looksAs: "`https://….b2clogin.com/…`, and at any host a path with the name of a policy (`B2C_1A_…`)",
	matches: isB2C,
	words: []advice{
		{acsCodes, `In Azure AD B2C: App registrations > (the app) > Manifest: replyUrlsWithType must have the Redirect URL, unless samlMetadataUrl is the address of our metadata.`},
		{audienceCodes, `In Azure AD B2C: App registrations > (the app) > Manifest: identifierUris must have our entity ID, which is the Redirect URL unless another is configured.`},
		{issuerCodes, `In Azure AD B2C: custom policy > technical profile Saml2AssertionIssuer > Metadata: IssuerUri must be the Entity ID of our settings; without IssuerUri the Issuer is not the entityID of the metadata (it may have "/te/" in it).`},
		{loginURLCodes, `In Azure AD B2C: the SingleSignOnService of https://<tenant>.b2clogin.com/<tenant>.onmicrosoft.com/<policy>/samlp/metadata belongs into Login URL.`},
		{metadataCodes, `In Azure AD B2C: give us the document at https://<tenant>.b2clogin.com/<tenant>.onmicrosoft.com/<policy>/samlp/metadata, of the policy that issues the SAML response.`},
		{algorithmCodes, `In Azure AD B2C: custom policy > technical profile Saml2AssertionIssuer > Metadata: XmlSignatureAlgorithm Sha256.`},
		{certificateCodes, `In Azure AD B2C: Identity Experience Framework > Policy keys: add a certificate, name it in the technical profile Saml2AssertionIssuer > CryptographicKeys, and give us the metadata.`},
		{unsignedCodes, `In Azure AD B2C: custom policy > technical profile Saml2AssertionIssuer > CryptographicKeys: SamlAssertionSigning must name a policy key.`},
		{nameIDCodes, `In Azure AD B2C: custom policy > RelyingParty > technical profile PolicyProfile: SubjectNamingInfo must have the ClaimType of the e-mail address, such as email, which is among the OutputClaims.`},
	},
	signResponse: `In Azure AD B2C: custom policy > technical profile Saml2AssertionIssuer > CryptographicKeys: SamlMessageSigning must name a policy key.`,
}

func isB2C(u *url.URL) bool {
	return isAt(u, "b2clogin.com", "b2clogin.cn", "b2clogin.us") || hasPath(u, b2cPath)
}

var b2cPath = regexp.MustCompile(`(?i)^(/te)?/[^/]+/b2c_1a_[^/]+(/samlp/.*)?$`)

// okta: help.okta.com, "Application Integration Wizard SAML field reference" and "Manage signing
// certificates".
var okta = product{
	name:    "Okta",
	looksAs: "`http://www.okta.com/exk…`, `https://….okta.com/app/…/sso/saml`, also oktapreview.com, okta-emea.com, okta-gov.com and okta.mil",
	matches: func(u *url.URL) bool {
		return isAt(u, "okta.com", "oktapreview.com", "okta-emea.com", "okta-gov.com", "okta.mil")
	},
	words: []advice{
		{acsCodes, `In Okta: Applications > (the app) > General > SAML Settings > Edit: "Single sign-on URL" must be the Redirect URL, with "Use this for Recipient URL and Destination URL" selected.`},
		{logoutURLCodes, `In Okta: Applications > (the app) > General > SAML Settings > Edit > Show Advanced Settings: "Single Logout URL" must be the Logout URL.`},
		{audienceCodes, `In Okta: Applications > (the app) > General > SAML Settings > Edit: "Audience URI (SP Entity ID)" must be our entity ID, which is the Redirect URL unless another is configured.`},
		{entityIDCodes, `In Okta: Applications > (the app) > Sign On > Metadata details > More details: "Issuer" belongs into Entity ID.`},
		{loginURLCodes, `In Okta: Applications > (the app) > Sign On > Metadata details > More details: "Sign on URL" belongs into Login URL.`},
		{metadataCodes, `In Okta: Applications > (the app) > Sign On > Metadata details: open the Metadata URL and give us that file; its certificate is the Active one under SAML Signing Certificates.`},
		{algorithmCodes, `In Okta: Applications > (the app) > General > SAML Settings > Edit > Show Advanced Settings > Signature Algorithm: RSA-SHA256, Digest Algorithm: SHA256.`},
		{certificateCodes, `In Okta: Applications > (the app) > Sign On > SAML Signing Certificates > Generate new certificate; give us its metadata, then Actions > Activate.`},
		{unsignedCodes, `In Okta: Applications > (the app) > General > SAML Settings > Edit > Show Advanced Settings > Assertion Signature: Signed.`},
		{encryptionCodes, `In Okta: Applications > (the app) > General > SAML Settings > Edit > Show Advanced Settings > Assertion Encryption: Unencrypted, or upload the encryption certificate of our metadata as Encryption Certificate.`},
		{cbcCodes, `In Okta: Applications > (the app) > General > SAML Settings > Edit > Show Advanced Settings > Encryption Algorithm: AES256-GCM; or Response: Signed.`},
		{nameIDCodes, `In Okta: Applications > (the app) > General > SAML Settings > Edit: "Name ID format" must be EmailAddress, and "Application username" Email.`},
		{[]Code{CodeAuthnInstant}, `In Okta: Applications > (the app) > General > SAML Settings > Edit > Show Advanced Settings > Honor Force Authentication: Yes; and set the clocks of both sides by NTP.`},
		{startCodes, `In Okta: Applications > (the app) > General > App visibility: select "Do not display application icon to users", and add a Bookmark App with the Redirect URL in its place.`},
		{statusCodes, `In Okta: look up the sign-in under Reports > System Log.`},
	},
	signResponse: `In Okta: Applications > (the app) > General > SAML Settings > Edit > Show Advanced Settings > Response: Signed.`,
	signRequests: `In Okta: Applications > (the app) > General > SAML Settings > Edit > Show Advanced Settings > Signed Requests: clear "Validate SAML requests with signature certificates", or configure Config.SigningKey.`,
	statuses:     notAssigned(`In Okta: Applications > (the app) > Assignments: assign the user or a group of the user.`),
}

// google: support.google.com/a, "Set up your own custom SAML app", "Maintain SAML certificates" and
// "SAML app error messages". Google always signs the assertion or the response, and encrypts
// nothing.
var google = product{
	name:    "Google Workspace",
	looksAs: "`https://accounts.google.com/o/saml2?idpid=…`",
	matches: func(u *url.URL) bool {
		return isAt(u, "accounts.google.com") && (u.Path == "/o/saml2" || strings.HasPrefix(u.Path, "/o/saml2/"))
	},
	words: []advice{
		{acsCodes, `In Google Workspace: Apps > Web and mobile apps > (the app) > Service provider details: "ACS URL" must be the Redirect URL.`},
		{audienceCodes, `In Google Workspace: Apps > Web and mobile apps > (the app) > Service provider details: "Entity ID" must be our entity ID, which is the Redirect URL unless another is configured.`},
		{entityIDCodes, `In Google Workspace: Apps > Web and mobile apps > (the app) > Download metadata: "Entity ID" there belongs into Entity ID (the one under "Service provider details" is ours).`},
		{loginURLCodes, `In Google Workspace: Apps > Web and mobile apps > (the app) > Download metadata: "SSO URL" belongs into Login URL.`},
		{metadataCodes, `In Google Workspace: Apps > Web and mobile apps > (the app) > Download metadata; give us that file. Its certificate is the one that is selected under "Service provider details".`},
		{certificateCodes, `In Google Workspace: Security > Authentication > SSO with SAML applications: add a certificate and give us the metadata; then select the certificate under Apps > Web and mobile apps > (the app) > Service provider details.`},
		{nameIDCodes, `In Google Workspace: Apps > Web and mobile apps > (the app) > Service provider details: "Name ID format" must be EMAIL, and "Name ID" Basic Information > Primary email.`},
		{statusCodes, `In Google Workspace: look up the sign-in under Reporting > Audit and investigation > SAML log events.`},
	},
	signResponse: `In Google Workspace: Apps > Web and mobile apps > (the app) > Service provider details: select "Signed response".`,
	statuses:     notAssigned(`In Google Workspace: Apps > Web and mobile apps > (the app) > User access: turn the app ON for the user's organizational unit or group.`),
}

// oneLogin: onelogin.service-now.com and developers.onelogin.com, "SAML Custom Connector
// (Advanced)". Older applications sign with SHA-1.
var oneLogin = product{
	name:    "OneLogin",
	looksAs: "`https://app.onelogin.com/saml/metadata/…`, `https://….onelogin.com/trust/saml2/http-redirect/sso/…`",
	matches: func(u *url.URL) bool { return isAt(u, "onelogin.com") },
	words: []advice{
		{acsCodes, `In OneLogin: Applications > (the app) > Configuration: "Recipient", "ACS (Consumer) URL" and "ACS (Consumer) URL Validator" must be the Redirect URL.`},
		{logoutURLCodes, `In OneLogin: Applications > (the app) > Configuration: "Single Logout URL" must be the Logout URL.`},
		{logoutSignCodes, `In OneLogin: Applications > (the app) > Configuration: select "Sign SLO Request" and "Sign SLO Response".`},
		{audienceCodes, `In OneLogin: Applications > (the app) > Configuration: "Audience (EntityID)" must be our entity ID, which is the Redirect URL unless another is configured.`},
		{entityIDCodes, `In OneLogin: Applications > (the app) > SSO: "Issuer URL" belongs into Entity ID.`},
		{loginURLCodes, `In OneLogin: Applications > (the app) > SSO: "SAML 2.0 Endpoint (HTTP)" belongs into Login URL.`},
		{metadataCodes, `In OneLogin: Applications > (the app) > More Actions > SAML Metadata; give us that file. Its certificate is the "X.509 Certificate" under SSO.`},
		{algorithmCodes, `In OneLogin: Applications > (the app) > SSO > SAML Signature Algorithm: SHA-256.`},
		{certificateCodes, `In OneLogin: Security > Certificates > New, then Applications > (the app) > SSO > X.509 Certificate > Change, and give us the new SAML Metadata.`},
		{unsignedCodes, `In OneLogin: Applications > (the app) > Configuration > SAML signature element: Assertion or Both.`},
		{nameIDCodes, `In OneLogin: Applications > (the app) > Configuration > SAML nameID format: Email, and Parameters > NameID value: Email.`},
		{startCodes, `In OneLogin: Applications > (the app) > Configuration > SAML initiator: Service Provider, and "Login URL": the Redirect URL.`},
		{statusCodes, `In OneLogin: look up the sign-in under Activity > Events.`},
	},
	signResponse: `In OneLogin: Applications > (the app) > Configuration > SAML signature element: Response or Both.`,
	statuses:     notAssigned(`In OneLogin: Users > (the user) > Applications: add the app, or give the user a role that has it.`),
}

// pingOne: docs.pingidentity.com/pingone, "Editing an application - SAML".
var pingOne = product{
	name:    "PingOne",
	looksAs: "`https://auth.pingone.com/…`, also .eu, .ca, .asia, .sg and .com.au",
	matches: func(u *url.URL) bool {
		return isAt(u, "auth.pingone.com", "auth.pingone.eu", "auth.pingone.ca", "auth.pingone.asia", "auth.pingone.sg",
			"auth.pingone.com.au")
	},
	words: []advice{
		{acsCodes, `In PingOne: Applications > Applications > (the app) > Configuration: "ACS URLs" must have the Redirect URL, as its first one.`},
		{logoutURLCodes, `In PingOne: Applications > Applications > (the app) > Configuration: "SLO endpoint" must be the Logout URL.`},
		{audienceCodes, `In PingOne: Applications > Applications > (the app) > Configuration: "Entity ID" must be our entity ID, which is the Redirect URL unless another is configured.`},
		{entityIDCodes, `In PingOne: Applications > Applications > (the app) > Configuration > Download Metadata: its entityID belongs into Entity ID ("Entity ID" under Configuration is ours).`},
		{loginURLCodes, `In PingOne: Applications > Applications > (the app) > Configuration > Download Metadata: its SingleSignOnService belongs into Login URL.`},
		{metadataCodes, `In PingOne: Applications > Applications > (the app) > Configuration > Download Metadata; give us that file.`},
		{algorithmCodes, `In PingOne: Applications > Applications > (the app) > Configuration > Signing key: the algorithm must be RSA_SHA256.`},
		{certificateCodes, `In PingOne: Applications > Applications > (the app) > Configuration > Signing key: select a new certificate, and give us the new metadata.`},
		{unsignedCodes, `In PingOne: Applications > Applications > (the app) > Configuration > Signing key: select to sign assertions.`},
		{encryptionCodes, `In PingOne: Applications > Applications > (the app) > Configuration: clear "Encryption", or import the encryption certificate of our metadata there.`},
		{nameIDCodes, `In PingOne: Applications > Applications > (the app) > Attribute Mappings: saml_subject must be Email Address; and Configuration > Subject NameID Format: the one that ends in emailAddress.`},
		{startCodes, `In PingOne: Applications > Applications > (the app) > Overview: "Signon URL" must be the Redirect URL.`},
		{statusCodes, `In PingOne: look up the sign-in under Monitoring > Audit.`},
	},
	signResponse: `In PingOne: Applications > Applications > (the app) > Configuration > Signing key: select to sign assertions and responses.`,
	statuses:     notAssigned(`In PingOne: Applications > Applications > (the app) > Access: give it a group of the user.`),
}

// awsIdentityCenter: docs.aws.amazon.com/singlesignon, "Customer managed applications" and "Map
// attributes in your application to IAM Identity Center attributes".
var awsIdentityCenter = product{
	name:    "AWS IAM Identity Center",
	looksAs: "`https://portal.sso.<region>.amazonaws.com/saml/assertion/…`",
	matches: func(u *url.URL) bool {
		return isAt(u, "amazonaws.com", "amazonaws.com.cn") && strings.HasPrefix(strings.ToLower(u.Hostname()), "portal.sso.")
	},
	words: []advice{
		{acsCodes, `In IAM Identity Center: Applications > (the app) > Actions > Edit configuration: "Application ACS URL" must be the Redirect URL.`},
		{audienceCodes, `In IAM Identity Center: Applications > (the app) > Actions > Edit configuration: "Application SAML audience" must be our entity ID, which is the Redirect URL unless another is configured.`},
		{entityIDCodes, `In IAM Identity Center: Applications > (the app) > Actions > Edit configuration: "IAM Identity Center SAML issuer URL" belongs into Entity ID.`},
		{loginURLCodes, `In IAM Identity Center: Applications > (the app) > Actions > Edit configuration: "IAM Identity Center sign-in URL" belongs into Login URL.`},
		{metadataCodes, `In IAM Identity Center: Applications > (the app) > Actions > Edit configuration: download the "IAM Identity Center SAML metadata file" and give us that file; each application has its own.`},
		{certificateCodes, `In IAM Identity Center: Applications > (the app) > Actions > Manage certificate: generate a new certificate, give us the new metadata, then activate it.`},
		{nameIDCodes, `In IAM Identity Center: Applications > (the app) > Actions > Edit attribute mappings: "Subject" must be ${user:email}, format emailAddress.`},
		{startCodes, `In IAM Identity Center: Applications > (the app) > Actions > Edit configuration: "Application start URL" must be the Redirect URL.`},
		{statusCodes, `In IAM Identity Center: look up the sign-in in AWS CloudTrail.`},
	},
	statuses: notAssigned(`In IAM Identity Center: Applications > (the app) > Assign users and groups.`),
}

// jumpCloud: jumpcloud.com/support, "SSO Application Connector Fields".
var jumpCloud = product{
	name:    "JumpCloud",
	looksAs: "the login URL `https://sso.jumpcloud.com/saml2/…`",
	matches: func(u *url.URL) bool { return isAt(u, "jumpcloud.com") },
	words: []advice{
		{acsCodes, `In JumpCloud: SSO Applications > (the app) > SSO: "ACS URLs" must have the Redirect URL as its default.`},
		{audienceCodes, `In JumpCloud: SSO Applications > (the app) > SSO: "SP Entity ID" must be our entity ID, which is the Redirect URL unless another is configured.`},
		{entityIDCodes, `In JumpCloud: SSO Applications > (the app) > SSO: "IdP Entity ID" belongs into Entity ID.`},
		{loginURLCodes, `In JumpCloud: SSO Applications > (the app) > SSO: "IDP URL" belongs into Login URL.`},
		{metadataCodes, `In JumpCloud: SSO Applications > (the app) > SSO > Export Metadata; give us that file.`},
		{algorithmCodes, `In JumpCloud: SSO Applications > (the app) > SSO > Signature Algorithm: RSA-SHA256.`},
		{unsignedCodes, `In JumpCloud: SSO Applications > (the app) > SSO: sign the assertion ("Sign Assertion").`},
		{nameIDCodes, `In JumpCloud: SSO Applications > (the app) > SSO: "SAMLSubject NameID" must be email, and "SAMLSubject NameID Format" the one that ends in emailAddress.`},
		{statusCodes, `In JumpCloud: look up the sign-in in Directory Insights.`},
	},
	statuses: notAssigned(`In JumpCloud: SSO Applications > (the app) > User Groups: select a group of the user.`),
}

// auth0: auth0.com/docs, "Customize SAML Assertions" and "SAML2 Web App addon". It signs with SHA-1
// unless it is told otherwise.
var auth0 = product{
	name:    "Auth0",
	looksAs: "`urn:….auth0.com`, `https://….auth0.com/samlp/…`",
	matches: func(u *url.URL) bool {
		return isAt(u, "auth0.com") || u.Scheme == "urn" && auth0Name.MatchString(u.Opaque)
	},
	words: []advice{
		{acsCodes, `In Auth0: Applications > (the app) > Addons > SAML2 Web App > Settings: "Application Callback URL" must be the Redirect URL, and so must "recipient" and "destination" if the settings have them.`},
		{audienceCodes, `In Auth0: Applications > (the app) > Addons > SAML2 Web App > Settings: "audience" must be our entity ID, which is the Redirect URL unless another is configured.`},
		{entityIDCodes, `In Auth0: Applications > (the app) > Addons > SAML2 Web App > Usage: "Issuer" belongs into Entity ID.`},
		{loginURLCodes, `In Auth0: Applications > (the app) > Addons > SAML2 Web App > Usage: "Identity Provider Login URL" belongs into Login URL.`},
		{metadataCodes, `In Auth0: Applications > (the app) > Addons > SAML2 Web App > Usage: download the Identity Provider Metadata and give us that file.`},
		{algorithmCodes, `In Auth0: Applications > (the app) > Addons > SAML2 Web App > Settings: "signatureAlgorithm": "rsa-sha256" and "digestAlgorithm": "sha256" (the default is SHA-1).`},
		{certificateCodes, `In Auth0: Settings > Signing Keys: rotate the signing key, and give us the new Identity Provider Metadata.`},
		{encryptionCodes, `In Auth0: Actions: leave out api.samlResponse.setEncryptionCert, or give it the encryption certificate of our metadata.`},
		{nameIDCodes, `In Auth0: Applications > (the app) > Addons > SAML2 Web App > Settings: "nameIdentifierProbes": ["` + claimEmail + `"] and "nameIdentifierFormat": "` + formatEmail + `".`},
		{statusCodes, `In Auth0: look up the sign-in under Monitoring > Logs.`},
	},
	signResponse: `In Auth0: Applications > (the app) > Addons > SAML2 Web App > Settings: "signResponse": true.`,
}

var auth0Name = regexp.MustCompile(`^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)?\.auth0\.com$`)

// adfs: learn.microsoft.com/windows-server/identity/ad-fs, and Set-AdfsRelyingPartyTrust. It sends
// no NameID without a claim rule for it, and trusts from old times sign with SHA-1.
var adfs = product{
	name:    "AD FS",
	looksAs: "`http://…/adfs/services/trust`, `https://…/adfs/ls/`",
	matches: isADFS,
	words: []advice{
		{acsCodes, `In AD FS: Relying Party Trusts > (the trust) > Properties > Endpoints: the SAML Assertion Consumer Endpoint with binding POST must be the Redirect URL.`},
		{logoutURLCodes, `In AD FS: Relying Party Trusts > (the trust) > Properties > Endpoints: the SAML Logout Endpoint must be the Logout URL.`},
		{audienceCodes, `In AD FS: Relying Party Trusts > (the trust) > Properties > Identifiers must have our entity ID, which is the Redirect URL unless another is configured.`},
		{entityIDCodes, `In AD FS: AD FS > Edit Federation Service Properties: "Federation Service identifier" belongs into Entity ID; it begins with http://, not https://, unless it was changed.`},
		{loginURLCodes, `In AD FS: AD FS > Service > Endpoints: the address of the type SAML 2.0/WS-Federation (https://<host>/adfs/ls/) belongs into Login URL.`},
		{metadataCodes, `In AD FS: download https://<host>/FederationMetadata/2007-06/FederationMetadata.xml and give us that file; its certificate is the primary Token-signing one under AD FS > Service > Certificates.`},
		{algorithmCodes, `In AD FS: Relying Party Trusts > (the trust) > Properties > Advanced > Secure hash algorithm: SHA-256.`},
		{certificateCodes, `In AD FS: run Update-AdfsCertificate -CertificateType Token-Signing, and give us the new FederationMetadata.xml before the new certificate becomes the primary one.`},
		{unsignedCodes, `In AD FS: run Set-AdfsRelyingPartyTrust -TargetName "<the trust>" -SamlResponseSignature AssertionOnly.`},
		{encryptionCodes, `In AD FS: Relying Party Trusts > (the trust) > Properties > Encryption: remove the certificate, or use the encryption certificate of our metadata.`},
		{nameIDCodes, `In AD FS: Relying Party Trusts > (the trust) > Edit Claim Issuance Policy: a rule "Send LDAP Attributes as Claims" from E-Mail-Addresses to E-Mail Address, and after it a rule "Transform an Incoming Claim" from E-Mail Address to Name ID with the format Email; and fill in the user's E-mail in Active Directory.`},
		{startCodes, `In AD FS: users must begin at the Redirect URL, not at /adfs/ls/idpinitiatedsignon.aspx.`},
		{statusCodes, `In AD FS: look up the sign-in in Event Viewer > Applications and Services Logs > AD FS > Admin.`},
	},
	signResponse: `In AD FS: run Set-AdfsRelyingPartyTrust -TargetName "<the trust>" -SamlResponseSignature MessageAndAssertion.`,
	signRequests: `In AD FS: run Set-AdfsRelyingPartyTrust -TargetName "<the trust>" -SignedSamlRequestsRequired $false, or configure Config.SigningKey and add our signing certificate under Properties > Signature.`,
	statuses: map[string]string{
		"InvalidNameIDPolicy": `In AD FS: Relying Party Trusts > (the trust) > Edit Claim Issuance Policy: a rule must issue a Name ID with the format Email (Transform an Incoming Claim, from E-Mail Address); and the user must have an E-mail in Active Directory.`,
		"RequestDenied":       `In AD FS: Relying Party Trusts > (the trust) > Edit Access Control Policy must permit the user.`,
	},
}

// How the two addresses of AD FS look.
const (
	adfsIssuerForm = "http://<host>/adfs/services/trust"
	adfsLoginForm  = "https://<host>/adfs/ls/"
)

func isADFS(u *url.URL) bool { return hasPath(u, adfsPath) }

var adfsPath = regexp.MustCompile(`(?i)^/(adfs/services/trust|adfs/ls(/.*)?|FederationMetadata/2007-06/FederationMetadata\.xml)$`)

// keycloak: keycloak.org, Server Administration Guide, "SAML clients", and the texts of its console
// (release 26). A new client demands signed requests, and its NameID is the user name.
var keycloak = product{
	name:    "Keycloak",
	looksAs: "`https://…/realms/…`, `https://…/realms/…/protocol/saml`",
	matches: func(u *url.URL) bool { return hasPath(u, keycloakPath) },
	words: []advice{
		{acsCodes, `In Keycloak: Clients > (the client) > Advanced: "Assertion Consumer Service POST Binding URL" must be the Redirect URL, and Settings > "Valid redirect URIs" must have it.`},
		{logoutURLCodes, `In Keycloak: Clients > (the client) > Advanced: "Logout Service Redirect Binding URL", and that for POST and SOAP if it is set, must be the Logout URL.`},
		{logoutSignCodes, `In Keycloak: Clients > (the client) > Settings: switch "Sign documents" on.`},
		{audienceCodes, `In Keycloak: Clients > (the client) > Settings: "Client ID" must be our entity ID, which is the Redirect URL unless another is configured.`},
		{entityIDCodes, `In Keycloak: Realm settings > General > Endpoints > SAML 2.0 Identity Provider Metadata: its entityID (https://<host>/realms/<realm>) belongs into Entity ID.`},
		{loginURLCodes, `In Keycloak: https://<host>/realms/<realm>/protocol/saml belongs into Login URL.`},
		{metadataCodes, `In Keycloak: Realm settings > General > Endpoints > SAML 2.0 Identity Provider Metadata: give us that file, from the right realm; its certificate is that of the active RS256 key under Realm settings > Keys.`},
		{algorithmCodes, `In Keycloak: Clients > (the client) > Settings > Signature algorithm: RSA_SHA256.`},
		{certificateCodes, `In Keycloak: Realm settings > Keys > Add provider > rsa-generated: add a key with a lower priority and give us the metadata, then make its priority the highest.`},
		{unsignedCodes, `In Keycloak: Clients > (the client) > Settings: switch "Sign assertions" or "Sign documents" on.`},
		{encryptionCodes, `In Keycloak: Clients > (the client) > Keys: switch "Encrypt assertions" off, or import the encryption certificate of our metadata there.`},
		{cbcCodes, `In Keycloak: Clients > (the client) > Keys > "Encrypt assertions": select an algorithm with GCM, where the release offers that; or Clients > (the client) > Settings: switch "Sign documents" on.`},
		{nameIDCodes, `In Keycloak: Clients > (the client) > Settings > Name ID format: email, and switch "Force name ID format" on; and fill in Email under Users > (the user) > Details.`},
		{[]Code{CodeAuthnStatementMissing}, `In Keycloak: Clients > (the client) > Settings: switch "Include AuthnStatement" on.`},
		{startCodes, `In Keycloak: Clients > (the client) > Settings: leave "IDP-Initiated SSO URL name" empty, and set "Home URL" to the Redirect URL.`},
		{statusCodes, `In Keycloak: look up the sign-in under Events > User events, or in the log of the server.`},
	},
	signResponse: `In Keycloak: Clients > (the client) > Settings: switch "Sign documents" on.`,
	postBinding:  `In Keycloak: Clients > (the client) > Settings: switch "Force POST binding" on and "Force artifact binding" off.`,
	signRequests: `In Keycloak: Clients > (the client) > Keys: switch "Client signature required" off; or configure Config.SigningKey and import the signing certificate of our metadata there.`,
	statuses: map[string]string{
		"InvalidNameIDPolicy": `In Keycloak: the user has no value for the NameID: fill in Email under Users > (the user) > Details, with Clients > (the client) > Settings > Name ID format: email.`,
	},
}

var keycloakPath = regexp.MustCompile(`^(/[^/]+)?/realms/[^/]+/?$|/realms/[^/]+/protocol/saml(/|$)`)

// authentik: docs.goauthentik.io, "SAML provider", and the texts of its form. Its Audience is empty,
// its NameID a hash, and older releases date the AuthnInstant five minutes back.
var authentik = product{
	name:    "authentik",
	looksAs: "`authentik`, `https://…/application/saml/<app>/…`",
	matches: func(u *url.URL) bool { return *u == url.URL{Path: "authentik"} || hasPath(u, authentikPath) },
	words: []advice{
		{acsCodes, `In authentik: Applications > Providers > (the provider) > Edit: "ACS URL" must be the Redirect URL.`},
		{audienceCodes, `In authentik: Applications > Providers > (the provider) > Edit: "Audience" must be our entity ID, which is the Redirect URL unless another is configured; it is empty at first.`},
		{entityIDCodes, `In authentik: Applications > Providers > (the provider) > Edit: "Issuer" belongs into Entity ID.`},
		{loginURLCodes, `In authentik: Applications > Providers > (the provider) > Metadata: its SingleSignOnService belongs into Login URL.`},
		{metadataCodes, `In authentik: Applications > Providers > (the provider) > Metadata: download it, after a Signing Certificate was selected under Edit, and give us that file.`},
		{algorithmCodes, `In authentik: Applications > Providers > (the provider) > Edit > Advanced protocol settings: "Signature algorithm" RSA-SHA256 and "Digest algorithm" SHA256.`},
		{certificateCodes, `In authentik: System > Certificates: generate one, select it under Applications > Providers > (the provider) > Edit > Signing Certificate, and give us the new metadata.`},
		{unsignedCodes, `In authentik: Applications > Providers > (the provider) > Edit > Advanced protocol settings: select a "Signing Certificate" and switch "Sign assertions" on.`},
		{encryptionCodes, `In authentik: Applications > Providers > (the provider) > Edit > Advanced protocol settings: clear "Encryption Certificate", or select the encryption certificate of our metadata.`},
		{nameIDCodes, `In authentik: Applications > Providers > (the provider) > Edit > Advanced protocol settings: "NameID Property Mapping" must be "authentik default SAML Mapping: Email"; without it the NameID may be a hash.`},
		{[]Code{CodeAuthnInstant}, `In authentik: older releases send the time of "Assertion valid not before" as AuthnInstant: set it to minutes=0 under Applications > Providers > (the provider) > Edit > Advanced protocol settings, or update authentik; and set the clocks of both sides by NTP.`},
		{statusCodes, `In authentik: look up the sign-in under Events > Logs.`},
	},
	signResponse: `In authentik: Applications > Providers > (the provider) > Edit > Advanced protocol settings: switch "Sign responses" on.`,
	postBinding:  `In authentik: Applications > Providers > (the provider) > Edit > Service Provider Binding: Post.`,
	signRequests: `In authentik: Applications > Providers > (the provider) > Edit > Advanced protocol settings: clear "Verification Certificate"; or configure Config.SigningKey and select the signing certificate of our metadata there.`,
}

var authentikPath = regexp.MustCompile(`^(/[^/]+)?/application/saml/[^/]+(/(sso|slo|init|metadata)(/.*)?)?/?$`)

// pingFederate: docs.pingidentity.com/pingfederate, "SP connection management".
var pingFederate = product{
	name:    "PingFederate",
	looksAs: "the login URL `https://…/idp/SSO.saml2`",
	matches: func(u *url.URL) bool { return hasPath(u, pingFederatePath) },
	words: []advice{
		{acsCodes, `In PingFederate: SP Connections > (the connection) > Browser SSO > Protocol Settings > Assertion Consumer Service URL must be the Redirect URL, with binding POST.`},
		{audienceCodes, `In PingFederate: SP Connections > (the connection) > General Info: "Partner's Entity ID" must be our entity ID, which is the Redirect URL unless another is configured.`},
		{entityIDCodes, `In PingFederate: System > Protocol Settings > Federation Info: "SAML 2.0 Entity ID" belongs into Entity ID, unless the connection has a virtual server ID.`},
		{loginURLCodes, `In PingFederate: https://<host>:<port>/idp/SSO.saml2 belongs into Login URL.`},
		{metadataCodes, `In PingFederate: System > Protocol Metadata > Metadata Export; give us that file. Its certificate must be the Signing Certificate of SP Connections > (the connection) > Credentials > Digital Signature Settings.`},
		{algorithmCodes, `In PingFederate: SP Connections > (the connection) > Credentials > Digital Signature Settings > Signing Algorithm: RSA SHA256.`},
		{certificateCodes, `In PingFederate: SP Connections > (the connection) > Credentials > Digital Signature Settings > Manage Certificates: create one and give us its metadata, then select it as Signing Certificate.`},
		{unsignedCodes, `In PingFederate: SP Connections > (the connection) > Browser SSO > Protocol Settings > Signature Policy: select "Always Sign Assertion".`},
		{encryptionCodes, `In PingFederate: SP Connections > (the connection) > Browser SSO > Protocol Settings > Encryption Policy: None, or select the encryption certificate of our metadata under Credentials.`},
		{nameIDCodes, `In PingFederate: SP Connections > (the connection) > Browser SSO > Assertion Creation: the Attribute Contract must map SAML_SUBJECT to the user's e-mail address.`},
		{startCodes, `In PingFederate: SP Connections > (the connection) > Browser SSO > SAML Profiles: select "SP-Initiated SSO"; users must begin at the Redirect URL.`},
		{statusCodes, `In PingFederate: look up the sign-in in server.log and audit.log of the server.`},
	},
	signResponse: `In PingFederate: SP Connections > (the connection) > Browser SSO > Protocol Settings > Signature Policy: select "Sign Response As Required".`,
	signRequests: `In PingFederate: SP Connections > (the connection) > Browser SSO > Protocol Settings > Signature Policy: clear "Require Authn Requests to be Signed", or configure Config.SigningKey.`,
}

var pingFederatePath = regexp.MustCompile(`^/(idp/(SSO\.saml2|startSSO\.ping)|pf/federation_metadata\.ping)$`)

// simpleSAMLphp: simplesamlphp.org/docs, "SP remote metadata reference" and "IdP hosted metadata
// reference".
var simpleSAMLphp = product{
	name:    "SimpleSAMLphp",
	looksAs: "`https://…/saml2/idp/metadata.php`, `https://…/saml2/idp/SSOService.php`, `https://…/module.php/saml/idp/…`",
	matches: func(u *url.URL) bool { return hasPath(u, simpleSAMLphpPath) },
	words: []advice{
		{acsCodes, `In SimpleSAMLphp: metadata/saml20-sp-remote.php: AssertionConsumerService must be the Redirect URL.`},
		{logoutURLCodes, `In SimpleSAMLphp: metadata/saml20-sp-remote.php: SingleLogoutService must be the Logout URL.`},
		{logoutSignCodes, `In SimpleSAMLphp: metadata/saml20-sp-remote.php: 'sign.logout' => true.`},
		{audienceCodes, `In SimpleSAMLphp: metadata/saml20-sp-remote.php: the name of our entry ($metadata['…']) must be our entity ID, which is the Redirect URL unless another is configured.`},
		{entityIDCodes, `In SimpleSAMLphp: the name of the entry in metadata/saml20-idp-hosted.php, or the entityID of its metadata, belongs into Entity ID.`},
		{loginURLCodes, `In SimpleSAMLphp: the SingleSignOnService of its metadata belongs into Login URL.`},
		{metadataCodes, `In SimpleSAMLphp: admin pages > Federation: give us the metadata of the SAML 2.0 IdP; its certificate is the one in metadata/saml20-idp-hosted.php.`},
		{algorithmCodes, `In SimpleSAMLphp: metadata/saml20-sp-remote.php: 'signature.algorithm' => 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256'.`},
		{certificateCodes, `In SimpleSAMLphp: metadata/saml20-idp-hosted.php: put a new key into new_privatekey and new_certificate and give us the metadata; then make them privatekey and certificate.`},
		{unsignedCodes, `In SimpleSAMLphp: metadata/saml20-sp-remote.php: 'saml20.sign.assertion' => true.`},
		{encryptionCodes, `In SimpleSAMLphp: metadata/saml20-sp-remote.php: 'assertion.encryption' => false, or give it our metadata with its encryption certificate.`},
		{nameIDCodes, `In SimpleSAMLphp: metadata/saml20-sp-remote.php: 'NameIDFormat' => '` + formatEmail + `' and 'simplesaml.nameidattribute' => 'mail' (since release 2 the authproc filter saml:AttributeNameID).`},
		{statusCodes, `In SimpleSAMLphp: look up the sign-in in the log that logging.handler in config/config.php names.`},
	},
	signResponse: `In SimpleSAMLphp: metadata/saml20-sp-remote.php: 'saml20.sign.response' => true.`,
	signRequests: `In SimpleSAMLphp: metadata/saml20-sp-remote.php: 'validate.authnrequest' => false; or configure Config.SigningKey and give it our metadata.`,
}

var simpleSAMLphpPath = regexp.MustCompile(`/saml2/idp/(metadata|SSOService)\.php$|/module\.php/saml/idp/(metadata|singleSignOnService)$`)

// shibboleth: shibboleth.atlassian.net, IDP5: "SAML2SSOConfiguration", "NameIDGenerationConfiguration"
// and "SecurityConfiguration". It encrypts every assertion, and fails without a key to encrypt for.
var shibboleth = product{
	name:    "Shibboleth",
	looksAs: "`https://…/idp/shibboleth`, `https://…/idp/profile/SAML2/Redirect/SSO`",
	matches: func(u *url.URL) bool { return hasPath(u, shibbolethPath) },
	words: []advice{
		{acsCodes, `In Shibboleth: conf/metadata-providers.xml must load our metadata as it is now; its AssertionConsumerService is the Redirect URL.`},
		{logoutURLCodes, `In Shibboleth: conf/metadata-providers.xml must load our metadata as it is now; its SingleLogoutService is the Logout URL.`},
		{audienceCodes, `In Shibboleth: conf/metadata-providers.xml must load our metadata as it is now; its entityID is our entity ID.`},
		{entityIDCodes, `In Shibboleth: idp.entityID in conf/idp.properties belongs into Entity ID.`},
		{loginURLCodes, `In Shibboleth: the SingleSignOnService of https://<host>/idp/shibboleth belongs into Login URL.`},
		{metadataCodes, `In Shibboleth: give us metadata/idp-metadata.xml, after the certificate in it was compared with credentials/idp-signing.crt.`},
		{algorithmCodes, `In Shibboleth: conf/idp.properties: idp.signing.config = shibboleth.SigningConfiguration.SHA256.`},
		{certificateCodes, `In Shibboleth: make a new credentials/idp-signing.key and idp-signing.crt, and give us metadata/idp-metadata.xml with both certificates before the new key is used.`},
		{unsignedCodes, `In Shibboleth: conf/relying-party.xml: p:signAssertions="true" at the bean SAML2.SSO for our entity ID.`},
		{encryptionCodes, `In Shibboleth: conf/relying-party.xml: p:encryptAssertions="false" at the bean SAML2.SSO for our entity ID, or give it our metadata with its encryption certificate.`},
		{cbcCodes, `In Shibboleth: conf/idp.properties: idp.encryption.config=shibboleth.EncryptionConfiguration.GCM; or conf/relying-party.xml: p:signResponses="true" at the bean SAML2.SSO for our entity ID.`},
		{nameIDCodes, `In Shibboleth: conf/saml-nameid.xml needs a generator for the emailAddress format with the source attribute mail, and conf/attribute-filter.xml must release mail to our entity ID.`},
		{startCodes, `In Shibboleth: users must begin at the Redirect URL, not at /idp/profile/SAML2/Unsolicited/SSO.`},
		{statusCodes, `In Shibboleth: look up the sign-in in logs/idp-process.log. If it has no key to encrypt for: p:encryptAssertions="false" at the bean SAML2.SSO in conf/relying-party.xml, or give it our metadata with an encryption certificate.`},
	},
	signResponse: `In Shibboleth: conf/relying-party.xml: p:signResponses="true" at the bean SAML2.SSO for our entity ID.`,
	statuses: map[string]string{
		"InvalidNameIDPolicy": `In Shibboleth: conf/saml-nameid.xml needs a generator for the format that was asked for, and conf/attribute-filter.xml must release its source attribute (mail) to our entity ID.`,
	},
}

var shibbolethPath = regexp.MustCompile(`^/idp/(shibboleth|profile/SAML2/(Redirect|POST|POST-SimpleSign|Unsolicited)/SSO)$`)

// lemonLDAP: lemonldap-ng.org/documentation, "SAML service provider".
var lemonLDAP = product{
	name:    "LemonLDAP::NG",
	looksAs: "the login URL `https://…/saml/singleSignOn`",
	matches: func(u *url.URL) bool { return hasPath(u, lemonLDAPPath) },
	words: []advice{
		{acsCodes, `In LemonLDAP::NG: Manager > SAML service providers > (the service) > Metadata must be our metadata as it is now.`},
		{logoutURLCodes, `In LemonLDAP::NG: Manager > SAML service providers > (the service) > Metadata must be our metadata as it is now.`},
		{logoutSignCodes, `In LemonLDAP::NG: Manager > SAML service providers > (the service) > Options: switch "Sign SLO message" on.`},
		{audienceCodes, `In LemonLDAP::NG: Manager > SAML service providers > (the service) > Metadata must be our metadata as it is now.`},
		{metadataCodes, `In LemonLDAP::NG: give us the file at https://<portal>/saml/metadata.`},
		{unsignedCodes, `In LemonLDAP::NG: Manager > SAML service providers > (the service) > Options: switch "Sign SSO message" on.`},
		{nameIDCodes, `In LemonLDAP::NG: Manager > SAML service providers > (the service) > Options > NameID format: Email.`},
	},
	signResponse: `In LemonLDAP::NG: Manager > SAML service providers > (the service) > Options: switch "Sign SSO message" on.`,
	signRequests: `In LemonLDAP::NG: Manager > SAML service providers > (the service) > Options: switch "Check SSO message signature" off; or configure Config.SigningKey and give it our metadata.`,
}

var lemonLDAPPath = regexp.MustCompile(`^/saml/singleSignOn$`)

// notAssigned are the statuses of a product that may sign in only those users who were given the
// application.
func notAssigned(text string) map[string]string {
	return map[string]string{"RequestDenied": text, "UnknownPrincipal": text}
}

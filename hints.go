package saml

import "regexp"

// hints holds what to change, and where, for each code; entraHints replaces it where the identity provider is Microsoft
// Entra ID and its portal has a name for the place.
var hints = map[Code]string{
	CodeBase64:                "The form value was changed on its way: look for a proxy or firewall that rewrites request bodies.",
	CodeStatus:                "Look up the code in the identity provider's sign-in log.",
	CodeResponseIssuer:        "Compare the identity provider's entity ID in the settings with its metadata, character by character.",
	CodeAssertionIssuer:       "Compare the identity provider's entity ID in the settings with its metadata, character by character.",
	CodeDestination:           "Register the Redirect URL as assertion consumer service (ACS) URL at the identity provider, character by character.",
	CodeRecipient:             "Register the Redirect URL as assertion consumer service (ACS) URL at the identity provider, character by character.",
	CodeAudience:              "Register our entity ID as audience at the identity provider, character by character.",
	CodeEncryptedAssertion:    "Switch assertion encryption off at the identity provider, or configure the key that belongs to the certificate it encrypts for.",
	CodeDecryption:            "Give the identity provider the encryption certificate of our metadata, and us the signing certificate that it uses now; let it sign the assertion.",
	CodeUnsigned:              "Let the identity provider sign the assertion.",
	CodeSignature:             "Give us the signing certificate that the identity provider uses now; both, during a change of certificates.",
	CodeSignatureAlgorithm:    "Set the identity provider's signature algorithm to RSA with SHA-256.",
	CodeDigestAlgorithm:       "Set the identity provider's digest algorithm to SHA-256.",
	CodeWeakKey:               "Create a signing certificate with an RSA key of at least 2048 bits at the identity provider and give it to us.",
	CodeDigest:                "The response was changed after it was signed: look for a proxy that rewrites it.",
	CodeReferenceURI:          "The identity provider must sign by reference to the ID of the response or assertion.",
	CodeIssueInstant:          "Set the clocks of both sides by NTP.",
	CodeNotYetValid:           "Set the clocks of both sides by NTP.",
	CodeExpired:               "Sign in again; if it happens again, set the clocks of both sides by NTP.",
	CodeTooOld:                "Sign in again; if it happens again, set the clocks of both sides by NTP.",
	CodeInResponseTo:          "Sign in again.",
	CodeStateInvalid:          "Give all replicas the same StateKeys, and sign in again.",
	CodeStateExpired:          "Sign in again.",
	CodeUnsolicited:           "Begin at the service's own address; at the identity provider, set the sign-on URL to the Redirect URL.",
	CodeAuthnStatementMissing: "Let the identity provider include an AuthnStatement (Keycloak: client settings > Include AuthnStatement).",
	CodeAuthnInstant:          "Set the clocks of both sides by NTP.",
	CodeNameID:                "Let the identity provider send the user's e-mail address as NameID.",
	CodeNameIDNotEmail:        "Let the identity provider send the user's e-mail address as NameID.",
	CodeNameIDGuest:           "Let the identity provider send the user's e-mail address as NameID.",
	CodeNameIDMismatch:        "Let the identity provider send the user's e-mail address as NameID.",
	CodeObjectIDMissing:       "Let the identity provider send the object ID and tenant ID claims.",
	CodeNoAccountKey:          "Let the identity provider send a NameID that stays the same (Format persistent or emailAddress, not transient), or Entra's object ID and tenant ID claims.",
	CodeStore:                 "See why the store failed, and sign in again.",
	CodeReplayed:              "Sign in again.",
	CodeStoreYoung:            "Sign in again. If it happens at every restart, give Config.Store a store that outlives the process (package sqlstore). If it happens at every sign-in, a ServiceProvider without a Store is made for each request: make it once, or give it a Store. If the clock was set back since the service started, restart it.",
	CodeTenant:                "Sign in at the address of the tenant. If the tenants share one address, HandlerConfig.Resolve must return ErrNotConfigured for the tenant \"\".",
	CodeSharedIssuer:          "Give each tenant a Redirect URL of its own (Config.RedirectPath, such as /sso/<tenant>/acs) or an EntityID of its own.",
	CodeBusy:                  "Try again in a moment. If honest sign-ins meet this, raise HandlerConfig.BodyMemory and the memory of the service.",
	CodeCertificateExpired:    "Create a new signing certificate at the identity provider and give it to us.",
	CodeIdentityProvider:      "Sign in again.",
	CodeMetadata:              "In Entra: Enterprise application > Single sign-on > SAML Certificates > Federation Metadata XML > Download; upload that file unchanged.",
	CodeMetadataRole:          "Take the metadata of the identity provider, not that of a service.",
	CodeMetadataAggregate:     "Name the identity provider by its entity ID.",
	CodeMetadataEntityID:      `In Entra: Enterprise application > Single sign-on > "Set up" card > Microsoft Entra Identifier (not "Identifier (Entity ID)", which is ours).`,
	CodeMetadataTenant:        "In Entra: Enterprise application > Single sign-on > SAML Certificates > Federation Metadata XML, not the address with /common/.",
	CodeMetadataLoginURL:      `In Entra: Enterprise application > Single sign-on > "Set up" card > Login URL.`,
	CodeMetadataKeys:          "In Entra: Enterprise application > Single sign-on > SAML Certificates > Federation Metadata XML or Certificate (Base64).",
	CodeMetadataFetch:         "Compare the address with that of the identity provider (Entra: Single sign-on > SAML Certificates > App Federation Metadata Url), or download the file with a browser and give that.",
	CodeKey:                   "In Entra: Enterprise application > Single sign-on > SAML Certificates > Certificate (Base64) or Federation Metadata XML.",
	CodePrivateKey:            "A private key must not leave its place: replace it where it is used, and give us the certificate.",
}

const hintInternationalEmail = "Let the identity provider send the user's address in ASCII; for a company whose mail system has such addresses set Config.AllowInternationalEmail."

// entraHints name the fields of the Entra portal.
var entraHints = map[Code]string{
	CodeAssertionIssuer:    `In Entra: Enterprise application > Single sign-on > "Set up" card > Microsoft Entra Identifier belongs into Entity ID, with its final slash.`,
	CodeResponseIssuer:     `In Entra: Enterprise application > Single sign-on > "Set up" card > Microsoft Entra Identifier belongs into Entity ID, with its final slash.`,
	CodeDestination:        "In Entra: Enterprise application > Single sign-on > Basic SAML Configuration > Reply URL must be the Redirect URL.",
	CodeRecipient:          "In Entra: Enterprise application > Single sign-on > Basic SAML Configuration > Reply URL must be the Redirect URL.",
	CodeAudience:           "In Entra: Enterprise application > Single sign-on > Basic SAML Configuration > Identifier (Entity ID) must be our entity ID, which is the Redirect URL unless another is configured.",
	CodeEncryptedAssertion: "In Entra: Enterprise application > Token encryption: deactivate the encryption certificate, or configure its key here.",
	CodeDecryption:         "In Entra: Enterprise application > Token encryption: the active certificate must be the encryption certificate of our metadata; and compare the thumbprint under Single sign-on > SAML Certificates with the signing certificate in our settings.",
	CodeSignature:          "In Entra: Enterprise application > Single sign-on > SAML Certificates: download the Federation Metadata XML and upload it in our settings; compare the thumbprint of the active certificate.",
	CodeSignatureAlgorithm: "In Entra: Enterprise application > Single sign-on > SAML Certificates > Edit > Signing Algorithm: SHA-256.",
	CodeDigestAlgorithm:    "In Entra: Enterprise application > Single sign-on > SAML Certificates > Edit > Signing Algorithm: SHA-256.",
	CodeUnsolicited:        "In Entra: Enterprise application > Single sign-on > Basic SAML Configuration > Sign-on URL must be the Redirect URL.",
	CodeNameID:             "In Entra: Enterprise application > Single sign-on > Attributes & Claims > Unique User Identifier: source attribute user.mail, format Email address; and fill in the user's Email field.",
	CodeNameIDNotEmail:     "In Entra: Enterprise application > Single sign-on > Attributes & Claims > Unique User Identifier: source attribute user.mail, format Email address; and fill in the user's Email field.",
	CodeNameIDGuest:        "In Entra: Enterprise application > Single sign-on > Attributes & Claims > Unique User Identifier: source attribute user.mail, format Email address; and fill in the guest's Email field.",
	CodeNameIDMismatch:     "In Entra: Enterprise application > Single sign-on > Attributes & Claims > Unique User Identifier: source attribute user.mail; and fill in the user's Email field.",
	CodeCertificateExpired: "In Entra: Enterprise application > Single sign-on > SAML Certificates > Edit: create a new certificate, give us the metadata, then make it active.",
	CodeNoAccountKey:       "In Entra: Enterprise application > Single sign-on > Attributes & Claims: the default claims objectidentifier and tenantid must be sent; or Unique User Identifier: format Email address or Persistent.",
	CodeObjectIDMissing:    "In Entra: Enterprise application > Single sign-on > Attributes & Claims: the default claims objectidentifier and tenantid must be sent.",
}

// What to change if Config.RequireSignedResponse refuses.
const (
	signResponseHint      = "Let the identity provider sign the response as well as the assertion."
	entraSignResponseHint = `In Entra: Enterprise application > Single sign-on > SAML Certificates > Edit > Signing Option: "Sign SAML response and assertion".`
)

var aadstsNumber = regexp.MustCompile(`AADSTS[0-9]{5,7}`)

// aadstsHint says what to do about an error number of Entra in a status message, "" if we know nothing.
func aadstsHint(message string) string {
	switch aadstsNumber.FindString(message) {
	case "AADSTS50105":
		return "In Entra: Enterprise application > Users and groups: assign the user or a group that holds the user directly."
	case "AADSTS75011":
		return "Ask for no authentication context: leave RequestedAuthnContexts empty."
	case "AADSTS7000112":
		return "In Entra: Enterprise application > Properties > Enabled for users to sign in: Yes."
	case "AADSTS501241":
		return "In Entra: fill in the user's Email field, which the NameID is taken from."
	}
	return ""
}

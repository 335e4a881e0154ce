package saml

import (
	"net/http"

	"github.com/iomete/saml/internal/fault"
)

// The codes, in the order in which a response meets them. Code.Meaning and docs/codes.md say what
// each means, and Checks which step refuses with it.
const (
	// The form value and its XML.
	CodeResponseMissing    Code = fault.ResponseMissing
	CodeBase64             Code = fault.Base64
	CodeEncoding           Code = fault.Encoding
	CodeXMLDeclaration     Code = fault.XMLDeclaration
	CodeDoctype            Code = fault.Doctype
	CodeComment            Code = fault.Comment
	CodeEntity             Code = fault.Entity
	CodeXMLSyntax          Code = fault.XMLSyntax
	CodeNamespace          Code = fault.Namespace
	CodeDuplicateAttribute Code = fault.DuplicateAttribute
	CodeTooLarge           Code = fault.TooLarge

	// The shape of the message.
	CodeNotAResponse       Code = fault.NotAResponse
	CodeVersion            Code = fault.Version
	CodeID                 Code = fault.ID
	CodeIssueInstant       Code = "issue_instant"
	CodeSchema             Code = fault.Schema
	CodeAssertionCount     Code = fault.AssertionCount
	CodeDuplicateID        Code = fault.DuplicateID
	CodeStatus             Code = "status"
	CodeNoPassive          Code = "no_passive"
	CodeResponseIssuer     Code = "response_issuer"
	CodeDestination        Code = "destination"
	CodeEncryptedAssertion Code = "encrypted_assertion"
	CodeDecryption         Code = fault.Decryption
	CodeCBCRefused         Code = fault.CBCRefused
	CodeKeyUnavailable     Code = "key_unavailable"
	CodeIdentityProvider   Code = "identity_provider"
	CodeCertificateExpired Code = "certificate_expired"

	// The signature.
	CodeUnsigned              Code = fault.Unsigned
	CodeSignaturePlacement    Code = fault.SignaturePlacement
	CodeSignatureStructure    Code = fault.SignatureStructure
	CodeReferenceURI          Code = fault.ReferenceURI
	CodeTransform             Code = fault.Transform
	CodeCanonicalization      Code = fault.Canonicalization
	CodeSignatureAlgorithm    Code = fault.SignatureAlgorithm
	CodeDigestAlgorithm       Code = fault.DigestAlgorithm
	CodeWeakKey               Code = fault.WeakKey
	CodeDigest                Code = fault.Digest
	CodeSignature             Code = fault.Signature
	CodeKeyRemoved            Code = "key_removed"
	CodeTime                  Code = "time_format"
	CodeAssertionIssuer       Code = "assertion_issuer"
	CodeTooOld                Code = "too_old"
	CodeConditions            Code = "conditions"
	CodeNotYetValid           Code = "not_yet_valid"
	CodeExpired               Code = "expired"
	CodeAudience              Code = "audience"
	CodeSubjectConfirmation   Code = "subject_confirmation"
	CodeRecipient             Code = "recipient"
	CodeInResponseTo          Code = "in_response_to"
	CodeUnsolicited           Code = "unsolicited"
	CodeAuthnStatementMissing Code = "authn_statement_missing"
	CodeAuthnInstant          Code = "authn_instant"
	CodeSessionExpired        Code = "session_expired"
	CodeAuthnContext          Code = "authn_context"
	CodeNameID                Code = "name_id"
	CodeNameIDNotEmail        Code = "name_id_not_email"
	CodeNameIDGuest           Code = "name_id_guest"
	CodeNameIDMismatch        Code = "name_id_mismatch"
	CodeSPNameQualifier       Code = "sp_name_qualifier"
	CodeAttributes            Code = "attributes"
	CodeObjectIDMissing       Code = "object_id_missing"
	CodeNoAccountKey          Code = "no_account_key"

	// The pending login and what was used up.
	CodeStateMissing   Code = "state_missing"
	CodeStateInvalid   Code = "state_invalid"
	CodeStateExpired   Code = "state_expired"
	CodeReplayed       Code = "replayed"
	CodeForm           Code = "form"
	CodeStore          Code = "store"
	CodeStoreYoung     Code = "store_young"
	CodeTenant         Code = "tenant"
	CodeAddressUnknown Code = "address_unknown"
	CodeBusy           Code = "busy"
	CodeLoginLoop      Code = "login_loop"

	// Messages about logout.
	CodeLogoutForm        Code = fault.LogoutForm
	CodeDeflate           Code = fault.Deflate
	CodeLogoutMessage     Code = fault.LogoutMessage
	CodeLogoutUnsigned    Code = fault.LogoutUnsigned
	CodeLogoutDestination Code = "logout_destination"
	CodeLogoutUnexpected  Code = "logout_unexpected"
	CodeLogoutTime        Code = "logout_time"
	CodeLogoutSessions    Code = "logout_sessions"
	CodeLogoutFailed      Code = "logout_failed"
	CodeLogoutOrigin      Code = "logout_origin"
	CodeLogoutStatus      Code = "logout_status"
	CodeLogoutSOAP        Code = "logout_soap"

	// Metadata, keys and configuration.
	CodeMetadata          Code = "metadata"
	CodeMetadataRole      Code = "metadata_role"
	CodeMetadataAggregate Code = "metadata_aggregate"
	CodeMetadataEntityID  Code = "metadata_entity_id"
	CodeMetadataTenant    Code = "metadata_tenant"
	CodeMetadataLoginURL  Code = "metadata_login_url"
	CodeMetadataKeys      Code = "metadata_keys"
	CodeMetadataFetch     Code = "metadata_fetch"
	// of a MetadataSource
	CodeMetadataUnavailable Code = "metadata_unavailable"
	CodeMetadataValidity    Code = "metadata_validity"
	CodeMetadataStale       Code = "metadata_stale"
	CodeMetadataCache       Code = "metadata_cache"
	CodeMetadataTooSoon     Code = "metadata_too_soon"
	CodeKey                 Code = "key"
	CodePrivateKey          Code = "private_key"
	CodeConfig              Code = "config"
	CodeSharedIssuer        Code = "shared_issuer"
	CodeNotConfigured       Code = "not_configured"
	CodeSession             Code = "session"
	CodeSignedOut           Code = "signed_out"
	CodeAccountEnded        Code = "account_ended"
	CodeDenied              Code = "denied"
	CodeKeyEnded            Code = "key_ended"
	CodeInternal            Code = "internal"
)

// Meaning returns one sentence about what the code means, "" for a code that is not one of this
// package.
func (c Code) Meaning() string { return codes[c].meaning }

// Personal reports whether Got of an Error with this code is personal data, which neither Error nor
// a log shows.
func (c Code) Personal() bool { return codes[c].personal }

// hint returns what to change if nothing is known about the identity provider, "" if there is no
// standing advice.
func (c Code) hint() string { return codes[c].hint }

// temporary reports whether the same request may succeed in a moment: its page has status 503.
func (c Code) temporary() bool { return codes[c].page.Status == http.StatusServiceUnavailable }

// codeInfo is what there is to know about a code. What one product calls the place to change is in
// products.go.
type codeInfo struct {
	meaning  string // one sentence
	personal bool   // Error.Got is personal data
	hint     string // what to change and where, at any identity provider; "" if nothing can be said in general
	page     Page   // what the user reads; the zero Page stands for defaultPage

	// anotherAccount says that the user may get in with another account: the page has a link for that.
	anotherAccount bool
}

// codes has one row for each code, in the order of the constants.
var codes = map[Code]codeInfo{
	CodeResponseMissing: {meaning: "The form has no SAMLResponse.",
		hint: hintForm},
	CodeBase64: {meaning: "The SAMLResponse is not base64.",
		hint: "The form value was changed on its way: look for a proxy or firewall that rewrites request bodies."},
	CodeEncoding: {meaning: "The XML is not UTF-8, or has a character that XML 1.0 forbids.",
		hint: notWhole},
	CodeXMLDeclaration: {meaning: "The XML declaration is not of version 1.0 and UTF-8, or is not at the start.",
		hint: notOurXML},
	CodeDoctype: {meaning: "The XML has a DOCTYPE or another declaration.",
		hint: notOurXML},
	CodeComment: {meaning: "The message has a comment or a processing instruction.",
		hint: notOurXML},
	CodeEntity: {meaning: "The XML refers to an entity that XML 1.0 does not predefine.",
		hint: notOurXML},
	CodeXMLSyntax: {meaning: "The XML is not well-formed.",
		hint: notWhole},
	CodeNamespace: {meaning: "A namespace prefix is undeclared or rebound, or a namespace name cannot be used.",
		hint: notOurXML},
	CodeDuplicateAttribute: {meaning: "An element has the same attribute twice.",
		hint: notOurXML},
	CodeTooLarge: {meaning: "A limit on size, depth or number is exceeded.",
		hint: "Let the identity provider send less about the user: only the groups and attributes that this service needs.",
		page: Page{http.StatusRequestEntityTooLarge, "The response is too large",
			"The identity provider sent more than this service accepts.", again, true}},
	CodeNotAResponse: {meaning: "The XML is not a SAML Response.",
		hint: "Let the identity provider answer with SAML 2.0 by HTTP-POST, not with SAML 1.1 or WS-Federation. If a sign-out led here, the address for logout at the identity provider is set to the Redirect URL by mistake."},
	CodeVersion: {meaning: "The message is not SAML 2.0.",
		hint: "Register this service at the identity provider for SAML 2.0, not for SAML 1.1 or WS-Federation."},
	CodeID: {meaning: "An ID is missing or has a form that is not allowed.",
		hint: notSAML},
	CodeIssueInstant: {meaning: "The IssueInstant is missing or in the future.",
		hint: "Set the clocks of both sides by NTP."},
	CodeSchema: {meaning: "An element is not in the SAML schema, repeated, or out of order.",
		hint: notSAML},
	CodeAssertionCount: {meaning: "The response does not have exactly one assertion.",
		hint: "Let the identity provider send its response with exactly one assertion."},
	CodeDuplicateID: {meaning: "The same ID occurs twice.",
		hint: notSAML},
	CodeStatus: {meaning: "The identity provider reported an error.", personal: true,
		hint: "Look up the code in the identity provider's sign-in log.",
		page: Page{http.StatusForbidden, "The identity provider did not sign you in",
			"The identity provider reported an error.", again, true}, anotherAccount: true},
	CodeNoPassive: {meaning: "The identity provider could not sign the user in without asking, as the request demanded.", personal: true,
		hint: "Begin the login again without LoginOptions.IsPassive. If it was not set, nobody was signed in at the identity provider, and one of its settings for this service forbids it to ask.",
		page: Page{http.StatusForbidden, "Please sign in", "The identity provider has to ask you before it signs you in.", "Sign in",
			false}},
	CodeResponseIssuer: {meaning: "The Response or logout message comes from another identity provider than the configured one.",
		hint: "Compare the identity provider's entity ID in the settings with its metadata, character by character."},
	CodeDestination: {meaning: "The Response is addressed to another URL than the Redirect URL.",
		hint: "Register the Redirect URL as assertion consumer service (ACS) URL at the identity provider, character by character."},
	CodeEncryptedAssertion: {meaning: "The assertion is encrypted, and there is no key to decrypt it with.",
		hint: "Switch assertion encryption off at the identity provider, or configure the key that belongs to the certificate it encrypts for."},
	CodeDecryption: {meaning: "Something that is encrypted cannot be decrypted, or its inner signature is wrong.",
		hint: "Give the identity provider the encryption certificate of our metadata, and us the signing certificate that it uses now; let it sign the assertion."},
	CodeCBCRefused: {meaning: "Something is encrypted with AES-CBC, and the Response around it is not signed (only with Config.RefuseCBC).",
		hint: "Set the identity provider's encryption to AES-256 with GCM, or let it sign the response as well as the assertion."},
	CodeKeyUnavailable: {meaning: "A key of this service, in an HSM or a KMS, cannot be used at the moment.",
		hint: "See why the HSM or KMS does not answer: the log has the kind of the error, and Observe gets its text. If it is only slow, raise Config.KeyTimeout; if many people sign in at once, raise Config.KeyCalls.",
		page: Page{http.StatusServiceUnavailable, "Please try again in a moment",
			"The service cannot use one of its keys at this moment.", "Try again", false}},
	CodeIdentityProvider: {meaning: "The settings of the identity provider cannot be read, or changed during the sign-in.",
		hint: "Sign in again. If it happens again, see why the settings cannot be read: the log has the kind of the error, and Observe gets its text.",
		page: Page{http.StatusServiceUnavailable, "Single sign-on cannot be used at this moment",
			"Its settings cannot be read, or changed during the sign-in.", "Try again", false}},
	CodeCertificateExpired: {meaning: "The certificate that signed is outside its dates (only with Config.RefuseExpiredCertificates).",
		hint: "Create a new signing certificate at the identity provider and give it to us."},
	CodeUnsigned: {meaning: "What must be signed is not signed.",
		hint: "Let the identity provider sign the assertion."},
	CodeSignaturePlacement: {meaning: "A signature is in a place where SAML allows none.",
		hint: notSAML},
	CodeSignatureStructure: {meaning: "A signature does not have the structure of XML Signature, or has more than SAML allows.",
		hint: notSAML},
	CodeReferenceURI: {meaning: "A signature does not refer to the element that it is in.",
		hint: "The identity provider must sign by reference to the ID of the response or assertion."},
	CodeTransform: {meaning: "A signature uses a transform that SAML does not allow.",
		hint: notSAML},
	CodeCanonicalization: {meaning: "A signature uses a canonicalization that is not allowed, or it fails.",
		hint: notSAML},
	CodeSignatureAlgorithm: {meaning: "The signature algorithm is not allowed, or no trusted key fits it.",
		hint: "Set the identity provider's signature algorithm to RSA with SHA-256."},
	CodeDigestAlgorithm: {meaning: "The digest algorithm is not allowed.",
		hint: "Set the identity provider's digest algorithm to SHA-256."},
	CodeWeakKey: {meaning: "A key is too short, or of a kind that cannot be used.",
		hint: "Create a signing certificate with an RSA key of at least 2048 bits at the identity provider and give it to us."},
	CodeDigest: {meaning: "The signed element was changed after it was signed.",
		hint: "The response was changed after it was signed: look for a proxy that rewrites it. If there is none, the identity provider's software signs in a wrong way: have its vendor fix it."},
	CodeSignature: {meaning: "No trusted key made the signature.",
		hint: "Give us the signing certificate that the identity provider uses now; both, during a change of certificates."},
	CodeKeyRemoved: {meaning: "A key of the identity provider made the signature that it removed from its metadata a moment ago.",
		hint: "Sign in again. If it happens again, the identity provider still signs with a key that its metadata no longer has: publish both during a change.",
		page: signInAgain("The identity provider changed its key a moment ago.")},
	CodeTime: {meaning: "A time is not an xs:dateTime with a time zone.",
		hint: "The identity provider's software writes a time in a form that SAML does not allow: look for a setting there, or have its vendor fix it."},
	CodeAssertionIssuer: {meaning: "The Assertion comes from another identity provider than the configured one.",
		hint: "Compare the identity provider's entity ID in the settings with its metadata, character by character."},
	CodeTooOld: {meaning: "The Assertion was issued more than 24 hours ago.",
		hint: "Sign in again; if it happens again, set the clocks of both sides by NTP."},
	CodeConditions: {meaning: "The Conditions are missing, contradict each other, or have one that is not understood.",
		hint: "Let the identity provider send Conditions with NotBefore, NotOnOrAfter and an AudienceRestriction, and no condition of its own."},
	CodeNotYetValid: {meaning: "The Assertion is not valid yet.",
		hint: "Set the clocks of both sides by NTP."},
	CodeExpired: {meaning: "The Assertion is no longer valid.",
		hint: "Sign in again; if it happens again, set the clocks of both sides by NTP."},
	CodeAudience: {meaning: "The Assertion is for another service than ours.",
		hint: "Register our entity ID as audience at the identity provider, character by character."},
	CodeSubjectConfirmation: {meaning: "The subject has no bearer confirmation that can be used.",
		hint: "Let the identity provider send a SubjectConfirmation of the method bearer, with Recipient, NotOnOrAfter and InResponseTo (Web Browser SSO profile)."},
	CodeRecipient: {meaning: "The Assertion was made for another URL than the Redirect URL.",
		hint: "Register the Redirect URL as assertion consumer service (ACS) URL at the identity provider, character by character."},
	CodeInResponseTo: {meaning: "The response answers another request than the one of this browser.",
		hint: "Sign in again."},
	CodeUnsolicited: {meaning: "The response answers no sign-in that this browser began.",
		hint: "Begin at the service's own address; at the identity provider, set the sign-on URL to the Redirect URL.",
		page: Page{http.StatusForbidden, "Please start here", "The sign-in was not begun in this browser.", "Sign in",
			false}},
	CodeAuthnStatementMissing: {meaning: "The Assertion does not say how the user signed in.",
		hint: "Let the identity provider include an AuthnStatement."},
	CodeAuthnInstant: {meaning: "The user signed in in the future, or too long ago although a fresh sign-in was asked for.",
		hint: "Set the clocks of both sides by NTP. If a fresh sign-in was asked for (LoginOptions.ForceAuthn, ?fresh=1), let the identity provider honor ForceAuthn: it signed the user in without asking again."},
	CodeSessionExpired: {meaning: "The session at the identity provider is over.",
		hint: "Sign in again. If it happens again, set the clocks of both sides by NTP, and let the sessions of the identity provider last longer."},
	CodeAuthnContext: {meaning: "The user signed in by another method than the requested ones.",
		hint: "Leave RequestedAuthnContexts empty to take every method of sign-in, or add what arrived. To keep it as it is, let the identity provider demand that method for this service."},
	CodeNameID: {meaning: "The subject does not have exactly one NameID that can be read.", personal: true,
		hint: "Let the identity provider send the user's e-mail address as NameID.",
		page: noAddress, anotherAccount: true},
	CodeNameIDNotEmail: {meaning: "The NameID is not an e-mail address.", personal: true,
		hint: "Let the identity provider send the user's e-mail address as NameID.",
		page: noAddress, anotherAccount: true},
	CodeNameIDGuest: {meaning: "The NameID is the user principal name of a guest, not an e-mail address.",
		personal: true,
		hint:     "Let the identity provider send the user's e-mail address as NameID.",
		page:     noAddress, anotherAccount: true},
	CodeNameIDMismatch: {meaning: "The NameID and the emailaddress claim are different addresses.", personal: true,
		hint: "Let the identity provider send the user's e-mail address as NameID.",
		page: noAddress, anotherAccount: true},
	CodeSPNameQualifier: {meaning: "The NameID was made for another service than ours.",
		hint: "Let the identity provider send the NameID with our entity ID as SPNameQualifier, or without SPNameQualifier."},
	CodeAttributes: {meaning: "An attribute has no name, or a value with SAML or signature elements in it.",
		personal: true,
		hint:     notSAML},
	CodeObjectIDMissing: {meaning: "The response has no object ID of the issuer's own directory (only with Config.RequireObjectID).",
		hint: "Let the identity provider send the object ID and tenant ID claims."},
	CodeNoAccountKey: {meaning: "Nothing in the response names the user for longer than this session (from Identity.AccountKey).",
		hint: "Let the identity provider send a NameID that stays the same (Format persistent or emailAddress, not transient), or Entra's object ID and tenant ID claims."},
	CodeStateMissing: {meaning: "The browser has no pending login for the response.",
		hint: "Sign in again. If it happens again, the sign-in begins in one browser or app and ends in another one, cookies are blocked, a proxy changes them (they need Secure and Path=/ on https), or the service is opened at another host than that of the Redirect URL.",
		page: signInAgain("This browser does not have the sign-in: it was begun in another browser or app, cookies are blocked, or it is older than an hour.")},
	CodeStateInvalid: {meaning: "The pending login cannot be opened.",
		hint: "Give all replicas the same StateKeys, and sign in again. If several services run on one host, the response may have come to the Redirect URL of another one than the sign-in began at.",
		page: signInAgain("This browser did not keep the sign-in as it was begun.")},
	CodeStateExpired: {meaning: "The sign-in took longer than an hour.",
		hint: "Sign in again.",
		page: signInAgain("The sign-in took too long.")},
	CodeReplayed: {meaning: "The sign-in or the Assertion was used before.",
		hint: "Sign in again.",
		page: signInAgain("This sign-in was used already.")},
	CodeForm: {meaning: "The browser's request is not a form that carries one response.",
		hint: hintForm,
		page: Page{http.StatusBadRequest, "This is not a sign-in",
			"The page was opened in a way that cannot sign anybody in. If a sign-out led here, the Logout URL at the identity provider is set to this address by mistake.", "Sign in", false}},
	CodeStore: {meaning: "The Store failed, so nothing can be accepted.",
		hint: "See why the store failed, and sign in again.",
		page: Page{http.StatusServiceUnavailable, "Please try again in a moment",
			"The service cannot sign anybody in at this moment.", "Try again", false}},
	CodeStoreYoung: {meaning: "The sign-in is older than what the Store remembers, so it may have been used before.",
		hint: "Sign in again. If it happens at every restart, give Config.Store a store that outlives the process (package sqlstore). If it happens at every sign-in, a ServiceProvider without a Store is made for each request: make it once, or give it a Store. If the clock was set back since the service started, restart it.",
		page: signInAgain("The service was restarted during the sign-in.")},
	CodeTenant: {meaning: "The session or pending login belongs to another tenant than the one that the address names.",
		hint: "Sign in at the address of the tenant. If the tenants share one address, HandlerConfig.Resolve must return ErrNotConfigured for the tenant \"\".",
		page: signInAgain("The sign-in belongs to another address of this service.")},
	CodeAddressUnknown: {meaning: "No tenant with single sign-on has verified the domain of the e-mail address.",
		personal: true, // people have domains of their own
		hint:     "Compare the domain with those of the tenants. It counts only if it is the same, not a domain above it, if it is verified (HandlerConfig.ChooseTenant), and if its tenant has an identity provider.",
		page: Page{http.StatusUnprocessableEntity, "This address is not known here",
			"There is no single sign-on for this address. Please check it for a typing mistake, or ask your administrator.", "Try again", false}},
	CodeBusy: {meaning: "Too many large forms or responses arrived at once.",
		hint: "Try again in a moment. If honest sign-ins meet this, raise HandlerConfig.BodyMemory and the memory of the service.",
		page: Page{http.StatusServiceUnavailable, "Please try again in a moment",
			"The service is busy with other sign-ins.", "Try again", false}},
	CodeLoginLoop: {meaning: "A browser begins one login after another, and none leads to a page.",
		hint: "See the message in the log: it says what was noticed.",
		page: Page{http.StatusForbidden, "You could not be signed in",
			"This browser began one sign-in after another, and none of them led to a page. If cookies are blocked for this service, please allow them.", "Try again", true}},
	CodeLogoutForm: {meaning: "A query, form or envelope does not carry exactly one logout message in the way of its binding.",
		hint: "Look for a proxy or script that adds, repeats or rewrites parameters. If there is none, the identity provider's software sends logout messages in a wrong way: have its vendor fix it.",
		page: logoutRefused},
	CodeDeflate: {meaning: "A logout message on a redirect is not compressed with raw DEFLATE.",
		hint: "Let the identity provider send its logout messages by HTTP-POST, or have its vendor fix the compression: raw DEFLATE (RFC 1951), without the frame of zlib or gzip.",
		page: logoutRefused},
	CodeLogoutMessage: {meaning: "The message is not a LogoutRequest or LogoutResponse, or not the one that its parameter says.",
		hint: "Register the Logout URL for logout alone at the identity provider, and the Redirect URL for sign-in.",
		page: logoutRefused},
	CodeLogoutUnsigned: {meaning: "A logout message is not signed in the way of its binding.",
		hint: "Let the identity provider sign its logout messages.",
		page: logoutRefused},
	CodeLogoutDestination: {meaning: "A logout message is addressed to another URL than the one that it came to.",
		hint: "Register the Logout URL as single logout service (SLO) URL at the identity provider, character by character.",
		page: logoutRefused},
	CodeLogoutUnexpected: {meaning: "A LogoutResponse answers no sign-out that this browser began.",
		hint: "If users meet this after each sign-out, the identity provider must put the ID of our LogoutRequest into InResponseTo.",
		page: logoutRefused},
	CodeLogoutTime: {meaning: "A logout message comes from the future, or is not valid any more.",
		hint: "Set the clocks of both sides by NTP.",
		page: logoutRefused},
	CodeLogoutSessions: {meaning: "A LogoutRequest names more sessions than are ended at once, or none where one must be named.",
		hint: "Let the identity provider send one LogoutRequest for each session, with its SessionIndex.",
		page: logoutRefused},
	CodeLogoutFailed: {meaning: "This service could not end the sessions that a LogoutRequest names, or could not say so.",
		hint: "See why HandlerConfig.EndSessions failed: the log has the kind of its error, and Observe gets its text.",
		page: logoutFailedPage},
	CodeLogoutOrigin: {meaning: "A logout was asked for by something else than a form of this service.",
		hint: "Let a page of this service post a form to sign out, at the same host and port, and not with Referrer-Policy: no-referrer. If it does, look for a proxy that leaves out the headers Sec-Fetch-Site and Origin.",
		page: Page{http.StatusForbidden, "You are not signed out",
			"The request to sign out did not come from a page of this service. Please go back to the service and sign out there.", "", false}},
	CodeLogoutStatus: {meaning: "The identity provider answered that it did not end all sessions.",
		hint: "If it happens at each sign-out, compare the signing certificate, the entity ID and the Logout URL that the identity provider has for this service with those in our metadata. After a long time its session may simply have ended before."},
	CodeLogoutSOAP: {meaning: "A LogoutRequest could not be sent by SOAP, or got no answer that can be read.",
		hint: "Let the identity provider offer logout by HTTP-Redirect or HTTP-POST. If it offers SOAP alone, this service must reach its address by https; if that is a private one, set HandlerConfig.LogoutSOAP."},
	CodeMetadata: {meaning: "The file is not SAML metadata.",
		hint: `Download the identity provider's metadata again (it is called "Federation Metadata XML", "IdP metadata" or "SAML metadata"), and upload that file unchanged.`},
	CodeMetadataRole: {meaning: "The metadata is not that of an identity provider.",
		hint: "Take the metadata of the identity provider, not that of a service."},
	CodeMetadataAggregate: {meaning: "The metadata has several identity providers, or none of the name that was given.",
		hint: "Name the identity provider by its entity ID."},
	CodeMetadataEntityID: {meaning: "The identity provider's entity ID is missing or cannot be right.",
		hint: `Take the entity ID ("Issuer", "Identifier") of the identity provider from its settings, or the entityID from its metadata; not the entity ID of the service, which is ours.`},
	CodeMetadataTenant: {meaning: "The metadata is for every tenant: its entity ID has a placeholder.",
		hint: "Take the metadata that the identity provider has for one tenant, not the one that all tenants share."},
	CodeMetadataLoginURL: {meaning: "The identity provider's login URL is missing or cannot be used.",
		hint: `Take the address of the single sign-on service ("Login URL", "SSO URL") from the identity provider's settings, or from SingleSignOnService in its metadata.`, page: cannotSignIn},
	CodeMetadataKeys: {meaning: "There is no signing certificate.",
		hint: "Take the identity provider's metadata, or its signing certificate, from its settings."},
	CodeMetadataFetch: {meaning: "The metadata could not be fetched from its address.",
		hint: "Compare the address with that of the identity provider's metadata, or download the file with a browser and give that."},
	CodeMetadataUnavailable: {meaning: "The metadata of the identity provider is not there (yet), or is no longer trusted.",
		hint: "See in the log, or in MetadataSource.Health, why the last look failed. If the metadata server stays away, give the document as MetadataSourceConfig.Initial.",
		page: Page{http.StatusServiceUnavailable, "Single sign-on cannot be used at this moment",
			"The settings of the identity provider are not there yet.", "Try again", true}},
	CodeMetadataValidity: {meaning: "The metadata has run out, is older than what is kept, or does not say until when it is valid as MaxValidity wants.",
		hint: "Ask the publisher of the metadata for a new document at this address, and set the clocks of both sides by NTP.",
		page: Page{http.StatusServiceUnavailable, "Single sign-on cannot be used at this moment",
			"The settings of the identity provider have run out. Please tell your administrator.", "Try again", true}},
	CodeMetadataStale: {meaning: "No look for the metadata has succeeded for a long time.",
		hint: "See why the last look failed: sign-in goes on with the keys of the last good document, and breaks when the identity provider changes its key."},
	CodeMetadataCache: {meaning: "Metadata cannot be persisted, or what was persisted does not count.",
		hint: "See whether the disk is full and whether the service may write there. Sign-in goes on; only a restart while the metadata server is down would leave it without metadata."},
	CodeMetadataTooSoon: {meaning: "The metadata was looked for a moment ago.",
		hint: "Look again at the time that the message names."},
	CodeKey: {meaning: "The text is not a certificate in any known form.",
		hint: "Take the identity provider's signing certificate (PEM or Base64), or its metadata, from its settings."},
	CodePrivateKey: {meaning: "A private key was given where a certificate belongs.",
		hint: "A private key must not leave its place: replace it where it is used, and give us the certificate."},
	CodeConfig: {meaning: "The configuration, or an option of one call, cannot be used.",
		page: cannotSignIn},
	CodeSharedIssuer: {meaning: "Several tenants trust one identity provider, and nothing tells for which of them its response is.",
		hint: "Give each tenant a Redirect URL of its own (Config.RedirectPath, such as /sso/<tenant>/acs) or an EntityID of its own.",
		page: Page{http.StatusForbidden, "Please start here",
			"Several customers of this service use your identity provider, so a sign-in has to begin at this service.", "Sign in", false}},
	CodeNotConfigured: {meaning: "Single sign-on is not enabled.",
		hint: "Configure and enable single sign-on. If it is enabled, see what HandlerConfig.Resolve or the source in Config.IdentityProvider returns for this request.",
		page: Page{http.StatusNotFound, "Single sign-on is not enabled",
			"An administrator can enable it in the settings of this service.", "", false}},
	CodeSession: {meaning: "The application could not begin its session.",
		hint: "See why the application did not begin a session: the log has the kind of the error, and Observe gets its text.",
		page: Page{http.StatusInternalServerError, "You could not be signed in",
			"The identity provider signed you in, but this service could not begin a session.", again, true}},
	CodeSignedOut: {meaning: "The user was signed out at the identity provider after the response was issued.",
		hint: "Sign in again. If it happens again within minutes of a sign-out, set the clocks of all servers of the identity provider by NTP: one of them writes a later time into its logout messages than another one into its responses.",
		page: signInAgain("You were signed out a moment ago.")},
	CodeAccountEnded: {meaning: "The application does not let the account sign in.",
		hint: "Allow the account in this service, or remove the user from the application at the identity provider.",
		page: Page{http.StatusForbidden, "You may not sign in here",
			"The identity provider signed you in, but your account at this service is disabled or has ended.", "", true}, anotherAccount: true},
	CodeDenied: {meaning: "The application turned the user away (Denied).",
		hint: "Ask the application why: the user read its reason. Usually the account is disabled there, or no seat is left.",
		page: Page{http.StatusForbidden, "You may not sign in here",
			"The identity provider signed you in, but this service does not let you in.", "", true}, anotherAccount: true},
	CodeKeyEnded: {meaning: "The key that signed was declared compromised here (session.Manager.EndSessionsOfKey).",
		hint: "Remove the key at the identity provider, let another one sign, and give us the new certificate if the metadata is not read from its address.",
		page: cannotSignIn},
	CodeInternal: {meaning: "A step failed that should never fail.",
		hint: "The log has the kind of the error, and Observe gets its text: look there for what failed.",
		page: cannotSignIn},
}

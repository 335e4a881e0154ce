package saml

import "github.com/iomete/saml/internal/fault"

// The codes, in the order in which a response meets them. See docs and Checks for the rule behind each.
const (
	// The form value and its XML.
	CodeResponseMissing    Code = fault.ResponseMissing // no SAMLResponse
	CodeBase64             Code = fault.Base64          // not strict base64
	CodeEncoding           Code = fault.Encoding        // not UTF-8, or a character that XML 1.0 forbids
	CodeXMLDeclaration     Code = fault.XMLDeclaration
	CodeDoctype            Code = fault.Doctype
	CodeComment            Code = fault.Comment // a comment or a processing instruction in a message
	CodeEntity             Code = fault.Entity
	CodeXMLSyntax          Code = fault.XMLSyntax
	CodeNamespace          Code = fault.Namespace // undeclared, rebound or unusable namespace
	CodeDuplicateAttribute Code = fault.DuplicateAttribute
	CodeTooLarge           Code = fault.TooLarge // a limit on size, depth or number

	// The shape of the message.
	CodeNotAResponse       Code = fault.NotAResponse
	CodeVersion            Code = fault.Version
	CodeID                 Code = fault.ID
	CodeIssueInstant       Code = "issue_instant"
	CodeSchema             Code = fault.Schema
	CodeAssertionCount     Code = fault.AssertionCount
	CodeDuplicateID        Code = fault.DuplicateID
	CodeStatus             Code = "status" // the identity provider reported an error
	CodeResponseIssuer     Code = "response_issuer"
	CodeDestination        Code = "destination"
	CodeEncryptedAssertion Code = "encrypted_assertion" // encrypted, but there is no key to decrypt with
	CodeDecryption         Code = fault.Decryption      // whatever went wrong with what is encrypted, up to its inner signature
	CodeIdentityProvider   Code = "identity_provider"   // its settings could not be read, or changed during the sign-in
	CodeCertificateExpired Code = "certificate_expired" // only with RefuseExpiredCertificates

	// The signature.
	CodeUnsigned           Code = fault.Unsigned
	CodeSignaturePlacement Code = fault.SignaturePlacement
	CodeSignatureStructure Code = fault.SignatureStructure
	CodeReferenceURI       Code = fault.ReferenceURI
	CodeTransform          Code = fault.Transform
	CodeCanonicalization   Code = fault.Canonicalization
	CodeSignatureAlgorithm Code = fault.SignatureAlgorithm // not on the allow-list, or no trusted key fits it
	CodeDigestAlgorithm    Code = fault.DigestAlgorithm
	CodeWeakKey            Code = fault.WeakKey
	CodeDigest             Code = fault.Digest // the signed element was changed after signing
	CodeSignature          Code = fault.Signature

	// The assertion.
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
	CodeNameIDMismatch        Code = "name_id_mismatch" // the NameID and the emailaddress claim disagree
	CodeSPNameQualifier       Code = "sp_name_qualifier"
	CodeAttributes            Code = "attributes"
	CodeObjectIDMissing       Code = "object_id_missing"
	CodeNoAccountKey          Code = "no_account_key" // of Identity.AccountKey: nothing names the user for longer than this session

	// The pending login and what was used up.
	CodeStateMissing Code = "state_missing"
	CodeStateInvalid Code = "state_invalid"
	CodeStateExpired Code = "state_expired"
	CodeReplayed     Code = "replayed"
	CodeForm         Code = "form"        // the browser's request is not a form that carries one response
	CodeStore        Code = "store"       // the Store failed, so nothing can be accepted
	CodeStoreYoung   Code = "store_young" // older than what a ForgetfulStore remembers: it may have been used before
	CodeTenant       Code = "tenant"      // of another tenant than the request's host or path names
	CodeBusy         Code = "busy"        // too many large forms at once

	// Metadata, keys and configuration.
	CodeMetadata          Code = "metadata"           // not a metadata document at all
	CodeMetadataRole      Code = "metadata_role"      // metadata, but not of an identity provider
	CodeMetadataAggregate Code = "metadata_aggregate" // several entities, and none was named
	CodeMetadataEntityID  Code = "metadata_entity_id" // no entity ID
	CodeMetadataTenant    Code = "metadata_tenant"    // {tenantid} placeholder
	CodeMetadataLoginURL  Code = "metadata_login_url" // no usable single sign-on service
	CodeMetadataKeys      Code = "metadata_keys"      // no usable signing key
	CodeMetadataFetch     Code = "metadata_fetch"     // not found at its address
	CodeKey               Code = "key"                // not a certificate in any known form
	CodePrivateKey        Code = "private_key"        // a private key where a certificate belongs
	CodeConfig            Code = "config"
	CodeSharedIssuer      Code = "shared_issuer"  // two tenants trust one identity provider for one entity ID
	CodeNotConfigured     Code = "not_configured" // single sign-on is not switched on
	CodeSession           Code = "session"        // the application could not begin its session
	CodeAccountEnded      Code = "account_ended"  // the application says that the account may not sign in
	CodeInternal          Code = "internal"
)

// Personal reports whether Got of an Error with this code is personal data, which neither Error nor a log shows.
func (c Code) Personal() bool {
	switch c {
	case CodeStatus, CodeNameID, CodeNameIDNotEmail, CodeNameIDGuest, CodeNameIDMismatch, CodeAttributes:
		return true
	}
	return false
}

// Package saml is an embeddable SAML 2.0 service provider (SP, relying party) for Go web services:
// single sign-on (SSO) with Microsoft Entra ID (Azure AD), and with any other identity provider
// (IdP) that speaks the Web Browser SSO profile, such as Keycloak, Okta or AD FS.
//
// It builds the Redirect URL (assertion consumer service, ACS), reads the identity provider's
// federation metadata, sends AuthnRequests by the HTTP-Redirect or HTTP-POST binding, and verifies
// the signed responses that come back: SP-initiated, and IdP-initiated if the configuration allows
// it.
//
// # How a response is read
//
//	string --base64--> []byte --> Document     strict, bounded, not trusted
//	                                 |
//	                                 v
//	                              Signed       canonical bytes whose digest a trusted key signed
//	                                 |
//	                                 v
//	              Assertion --> ordered checks --> Store: claim --> Identity
//
// The types carry the trust. There is no way from an unverified document to an Assertion: after the
// signature is verified, only a new parse of the bytes that were digested is read (this is what
// stops signature wrapping, XSW). What is outside a signature can lead to a refusal, never to an
// acceptance. What [Config].DecryptionKeys decrypt is hostile again, and must be covered by a
// signature like everything else.
//
// # What is checked
//
// [Checks] lists every step in order, each with the place in the specification that demands it. No
// step can be switched off; the few that a [Config] relaxes have Insecure or Allow in their name. A
// refusal is an [*Error] with a stable [Code], what was got and wanted, and a hint that names the
// field of Entra's portal to change.
//
// # The HTTP side
//
// [ServiceProvider.Handler] serves the Redirect URL. A GET begins a login and keeps it, sealed, in
// a cookie of its own. The identity provider's POST comes from another site, without SameSite=Lax
// cookies. It is answered with a page of ours that posts the same response again, and that second
// post, with the cookie, is verified. [ServiceProvider.StartLogin] and
// [ServiceProvider.FinishLogin] do the same without HTTP. A [Verifier] only verifies: its caller
// begins the logins and guards against replay.
//
// # What is left to the caller
//
// Look accounts up by [Identity].ObjectKey and NameIDKey, never by e-mail address alone: the
// example of Identity shows how. The session that follows a login is the caller's, or that of
// package session, and must not outlive [AuthnStatement].SessionNotOnOrAfter. Services with several
// processes share StateKeys and a [Store]. If you call FinishLogin yourself, keep the state of
// StartLogin in a cookie that no sibling host can set (its name begins with "__Host-").
package saml

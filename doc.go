// Package saml is a SAML 2.0 service provider for Go web services: it sends people to their company's identity provider,
// above all Microsoft Entra ID, and reports who signed in.
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
// The types carry the trust. There is no way from an unverified document to an Assertion: after the signature is verified,
// only a fresh parse of the very bytes that were digested is read. What is outside a signature can lead to a refusal, never
// to an acceptance. What [Config].DecryptionKeys decrypt is hostile again, and has to lie under a signature like everything else.
//
// # What is checked
//
// [Checks] lists every step in order, each with the place in the specification that demands it. No step can be switched
// off; the few that a [Config] relaxes have Insecure or Allow in their name. A refusal is an [*Error] with a stable [Code], what was
// got and wanted, and a hint that names the field of Entra's portal to change.
//
// # The HTTP side
//
// [ServiceProvider.Handler] serves the Redirect URL. A GET begins a login and keeps it, sealed, in a cookie of its own. The identity
// provider's POST comes from another site, without SameSite=Lax cookies; it is answered with a page of ours that posts the same
// response again, and that second post, with the cookie, is verified. [ServiceProvider.StartLogin] and [ServiceProvider.FinishLogin] are
// the same without HTTP.
//
// # What is left to the caller
//
// Accounts are looked up by [Identity.Keys], never by e-mail address alone: the example of Keys shows how. The session that follows a login is the caller's, or that of
// package session, and must not outlive [AuthnStatement.SessionNotOnOrAfter]. Services with several processes share StateKeys and a [Store].
// Who calls FinishLogin himself keeps the state of StartLogin in a cookie that no sibling host can set (its name begins with "__Host-").
package saml

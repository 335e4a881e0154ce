// Package saml is a SAML 2.0 service provider for Go web services: it sends people to their company's identity provider,
// above all Microsoft Entra ID, and says who came back.
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
// to an acceptance.
//
// # What is checked
//
// [Checks] lists every step in order, each with the place in the specification that demands it. No step can be switched
// off; the few that a [Config] relaxes have Insecure or Allow in their name. A refusal is an [*Error] with a stable [Code], what was
// got and wanted, and a hint that names the field of Entra's portal to change.
//
// # What is left to the caller
//
// [ServiceProvider.StartLogin] returns a state that must be kept in the browser that began the login, in a cookie that is
// Secure, HttpOnly and cannot be set by a sibling host (name it "__Host-..."), and be given back to [ServiceProvider.FinishLogin]. The
// identity provider's answer is a POST from another site, which SameSite=Lax cookies do not come with: answer it with a page that
// posts the same fields again, or use SameSite=None.
//
// Accounts are looked up by [Identity.Keys], not by e-mail address alone. The session that follows a login is the caller's,
// and must not outlive [AuthnStatement.SessionNotOnOrAfter]. Services with several processes share a [Store].
package saml

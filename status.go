package saml

import (
	"strings"

	"github.com/iomete/saml/internal/wire"
)

const statusPrefix = "urn:oasis:names:tc:SAML:2.0:status:"

// statusHints say what to do about a status code, at any identity provider. Most are second-level
// codes (SAML Core 2.0 §3.2.2.2); some products send those on the first level.
var statusHints = map[string]string{
	"AuthnFailed": "The user did not get through the sign-in at the identity provider: a wrong password, a second factor that is missing, or the sign-in was canceled. " +
		"Sign in again; if it happens again, see the sign-in log there.",
	"InvalidNameIDPolicy": "The identity provider has no NameID for this user in the format that is set for this service. " +
		"Most often the user has no e-mail address there: fill it in (Keycloak: Users > the user > Email). Otherwise set the NameID format of this service there to e-mail address.",
	"NoAuthnContext":     "The identity provider has no sign-in of the method that was asked for: leave RequestedAuthnContexts empty, or name a method that it offers.",
	"NoAvailableIDP":     "The identity provider passes sign-ins on to another one, and that one does not answer: look there.",
	"NoSupportedIDP":     "The identity provider passes sign-ins on, and knows none of the identity providers that it could pass this one to: connect the service to the identity provider that has the users.",
	"ProxyCountExceeded": "The sign-in would pass through more identity providers than is allowed: connect the service to the identity provider that has the users.",
	"RequestDenied": "The identity provider does not let this user or this service sign in. Assign the user, or a group of the user, to this service there, and look for an access rule or a missing consent. " +
		"If no user can sign in, compare our entity ID and Redirect URL with those registered there.",
	"RequestUnsupported": "The identity provider does not support something that the request asks for: leave RequestedAuthnContexts empty and do without ForceAuthn and IsPassive. " +
		"Compare the binding and the signature of requests with its settings for this service.",
	"ResourceNotRecognized": "The identity provider does not know what the request names: compare our entity ID and Redirect URL with those registered there.",
	"UnknownPrincipal":      "The identity provider does not know the user: create the user there, or assign the user to this service.",
	"UnsupportedBinding":    "The identity provider cannot answer in the way that was asked for: register the Redirect URL there as assertion consumer service (ACS) URL with the binding HTTP-POST.",

	"InvalidAttrNameOrValue": "An attribute of the user cannot be sent: compare the attribute mapping for this service at the identity provider.",
	"UnknownAttrProfile":     "An attribute of the user cannot be sent: compare the attribute mapping for this service at the identity provider.",

	"RequestVersionDeprecated": statusVersion, "RequestVersionTooHigh": statusVersion, "RequestVersionTooLow": statusVersion,
	"VersionMismatch": statusVersion,

	"Requester": "The identity provider refuses the request: compare our entity ID, Redirect URL and signing certificate with those registered there. Its sign-in log has the reason.",
}

const statusVersion = "The identity provider does not speak SAML 2.0 with this service: register the service there for SAML 2.0, not for SAML 1.1 or WS-Federation."

// statusHintsAskedNothing take the place of statusHints if our request asked for no method of sign-in
// and for no fresh one.
var statusHintsAskedNothing = map[string]string{
	"NoAuthnContext": "Our request asked for no method of sign-in: look in the settings and the log of the identity provider which method it demands for this service itself.",
	"RequestUnsupported": "The identity provider does not support something in the request, and ours asks for no method of sign-in and for no fresh one: " +
		"compare the binding and the signature of requests with its settings for this service, and do without IsPassive.",
}

// An asked is what our request has, as far as advice depends on it: nobody is told to do what is done
// already.
type asked struct {
	method bool // a method of sign-in (Config.RequestedAuthnContexts)
	fresh  bool // a fresh sign-in (LoginOptions.ForceAuthn)
	signed bool // a signature (Config.SigningKey)
}

func (a *attempt) asked() asked {
	return asked{method: len(a.expect.contexts) > 0, fresh: a.expect.forceAuthn, signed: a.policy.signsRequests}
}

// statusHint returns what to do about the status of the message. A code of its own has advice of its
// own: "" then leaves that.
func (a *attempt) statusHint(code Code) string {
	s, ours := a.message.Status, a.asked()
	hint := a.idp.statusHint(s.SubCode, s.Message, ours)
	if hint == "" && code == CodeStatus {
		hint = statusCodeHint(s, ours)
	}
	return hint
}

// statusCodeHint returns what to do about a status by its codes, the second one first. It returns ""
// if they say nothing, as Responder alone.
func statusCodeHint(s wire.Status, ours asked) string {
	for _, uri := range []string{s.SubCode, s.Code} {
		name, ok := strings.CutPrefix(uri, statusPrefix)
		switch {
		case !ok:
		case !ours.method && !ours.fresh && statusHintsAskedNothing[name] != "":
			return statusHintsAskedNothing[name]
		case statusHints[name] != "":
			return statusHints[name]
		}
	}
	return ""
}

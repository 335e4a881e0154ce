//go:build idp && keycloak

package idp

import (
	"net/url"
	"testing"

	"github.com/iomete/saml"
)

// logout returns Keycloak's page that asks whether to sign out.
func (k *runningKeycloak) logout(c *client) string {
	return k.base + "/realms/" + c.realm() + "/protocol/openid-connect/logout"
}

// endSessions does what an administrator does (Users > user > Sessions > Logout all sessions).
func (k *runningKeycloak) endSessions(t *testing.T, realm, name string) {
	t.Helper()
	var found []struct {
		ID string `json:"id"`
	}
	k.call(t, "GET", "/realms/"+realm+"/users?exact=true&username="+url.QueryEscape(name), nil, &found)
	if len(found) != 1 {
		t.Fatalf("Keycloak has %d users with the name %q, want one", len(found), name)
	}
	k.call(t, "POST", "/realms/"+realm+"/users/"+found[0].ID+"/logout", nil, nil)
}

// byAdministrator ends the user's sessions at Keycloak without any browser. Keycloak's server tells the
// service.
func byAdministrator(t *testing.T, v visit) {
	v.wantSession(t)
	name, _ := v.credentials()
	v.running.(*runningKeycloak).endSessions(t, v.client.realm(), name)
	if v.wantNoSession(t) {
		t.Error("the session at Keycloak goes on")
	}
	v.wantSession(t)
}

// keycloakLogoutRows: front channel by redirect and POST, and Keycloak's server by POST and SOAP.
func keycloakLogoutRows(d dialect) []row {
	front := d.with(knobs{kcClientSignature: "false"})
	signed := d.with(knobs{kcClientSignature: "true"})
	back := d.with(knobs{kcClientSignature: "true", knobBack: true})
	soap := []saml.MetadataOptions{{LogoutSOAP: true}}
	return rows(
		logoutRows(logoutDialect{base: front, signed: signed, post: front,
			here: map[string][]string{
				// It answers by POST if our metadata has both. The answer travels twice: the page of the
				// service posts it again, with its own cookies.
				byRedirect: {"SAMLRequest by redirect", "SAMLResponse by form", "SAMLResponse by form"},
				byPOST:     {"SAMLRequest by form", "SAMLResponse by form", "SAMLResponse by form"},
				bySOAP:     {},
			}}),
		[]row{
			{name: "logout begun there, Keycloak's server posts", knobs: back, config: logsOut, after: logoutThere},
			{name: "logout by an administrator, Keycloak's server posts", knobs: back, config: logsOut,
				after: byAdministrator},
			{name: "logout begun there, Keycloak's server sends SOAP", knobs: back, config: logsOut, metadata: soap,
				ours: onlyLogoutBy(bySOAP), after: logoutThere},
			{name: "logout by an administrator, Keycloak's server sends SOAP", knobs: back, config: logsOut, metadata: soap,
				ours: onlyLogoutBy(bySOAP), after: byAdministrator},
			{name: "logout begun there, RSA-PSS with SHA-256", knobs: d.with(knobs{kcClientSignature: "true",
				kcSignatureAlg: "RSA_SHA256_MGF1"}), config: logsOut, after: logoutThere},
			{name: "logout begun there, encrypted assertions", knobs: signed, config: both(logsOut, decrypts),
				after: logoutThere},
		})
}

package saml

import (
	"slices"
	"strings"

	"github.com/iomete/saml/internal/xmltree"
)

// A LogoutService is one address of an identity provider for logout (SingleLogoutService, SAML
// Metadata 2.0 §2.4.2).
type LogoutService struct {
	Binding          string // URI of HTTP-Redirect, HTTP-POST or SOAP
	Location         string // takes LogoutRequests
	ResponseLocation string // takes LogoutResponses; "" means that Location does
}

// logoutBindings are those that we send logout messages by, the best first. A redirect needs no
// page and no script, and by SOAP the identity provider does not see the browser.
var logoutBindings = []string{bindingRedirect, bindingPOST, bindingSOAP}

// LogoutServices returns the addresses for logout, at most one for each binding: HTTP-Redirect
// first, then HTTP-POST, then SOAP. It is empty if the identity provider has none, as Google
// Workspace, or if the three fields of ParseSettings are all that is known of it.
func (p *IdentityProvider) LogoutServices() []LogoutService { return slices.Clone(p.logout) }

// LogoutURL returns the address of the HTTP-Redirect single logout service, "" if there is none.
func (p *IdentityProvider) LogoutURL() string {
	for _, s := range p.logout {
		if s.Binding == bindingRedirect {
			return s.Location
		}
	}
	return ""
}

// readLogout takes the first usable SingleLogoutService of each binding. A ResponseLocation that
// cannot be used is left out, so that Location takes the answers too.
func (p *IdentityProvider) readLogout(e xmltree.Element) {
	binding, location := endpoint(e)
	known := slices.ContainsFunc(p.logout, func(s LogoutService) bool { return s.Binding == binding })
	if known || !slices.Contains(logoutBindings, binding) || !p.takesLogout(location) {
		return
	}
	s := LogoutService{Binding: binding, Location: location}
	response, _ := e.Attr("ResponseLocation")
	if response = trimSpace(response); response != "" && response != location && p.takesLogout(response) {
		s.ResponseLocation = response
	}
	p.logout = append(p.logout, s)
	slices.SortFunc(p.logout, func(a, b LogoutService) int {
		return slices.Index(logoutBindings, a.Binding) - slices.Index(logoutBindings, b.Binding)
	})
}

// takesLogout reports whether logout messages can be sent to an address. If not, it warns.
func (p *IdentityProvider) takesLogout(address string) bool {
	err := checkAddress("logout URL", address)
	if err != nil {
		p.warnings = append(p.warnings, Warning{"logout_url_unusable", err.Message + gotWant(err) +
			": it is left out", hintLogoutService})
	}
	return err == nil
}

const hintLogoutService = "Have SingleLogoutService corrected in the metadata. " +
	"Until then a sign-out may end only the session of this service."

// warnLogout warns about the logout addresses that are used only with InsecureAllowHTTP.
func (p *IdentityProvider) warnLogout() {
	for _, s := range p.logout {
		for _, address := range []string{s.Location, s.ResponseLocation} {
			if isOpenHTTP(address) {
				p.warnings = append(p.warnings, Warning{"logout_url_http", "the logout URL " + quote(address) +
					" is not https: it is left out unless Config.InsecureAllowHTTP is set", hintLogoutService})
			}
		}
	}
}

// logoutService returns where a LogoutRequest is sent to, or a LogoutResponse if response is set:
// an address and the URI of its binding. Both are "" if there is none. A LogoutResponse by SOAP is
// no message of its own: it goes back on the connection of the request.
func (sp *ServiceProvider) logoutService(p *IdentityProvider, response bool) (destination, binding string) {
	for _, s := range p.logout {
		to := s.Location
		if response && s.ResponseLocation != "" && sp.sendsLogoutTo(s.ResponseLocation) {
			to = s.ResponseLocation
		}
		if sp.sendsLogoutTo(to) && !(response && s.Binding == bindingSOAP) {
			return to, s.Binding
		}
	}
	return "", ""
}

// sendsLogoutTo reports whether Config allows an address, and it is not our own, as in metadata of
// the wrong side.
func (sp *ServiceProvider) sendsLogoutTo(address string) bool {
	return sp.checkLoginURL(address) == nil && !slices.Contains(sp.ownAddresses(), address)
}

// ownAddresses are those at which we receive messages, the Logout URL first.
func (sp *ServiceProvider) ownAddresses() (own []string) {
	if logout := sp.LogoutURL(); logout != "" {
		own = append(own, logout)
	}
	return append(own, sp.recipients...)
}

// warnOwnLogout logs that the identity provider's metadata has an address of ours for logout: it
// was copied from this side, and is left out.
func (sp *ServiceProvider) warnOwnLogout(p *IdentityProvider) {
	for _, s := range p.logout {
		if slices.Contains(sp.ownAddresses(), s.Location) {
			sp.config.Logger.Warn("saml: the identity provider's logout URL is our own, so no logout is sent there",
				"tenant", sp.config.Tenant, "got", s.Location,
				"hint", "Have SingleLogoutService corrected in the metadata: it must be an address of the identity provider.")
		}
	}
}

// addresses returns what there is of addresses that browsers or messages are sent to, by what they
// are for.
func (p *IdentityProvider) addresses() map[string]string {
	all := map[string]string{"login URL": p.LoginURL()}
	if p.loginURL != "" && p.loginPOST != "" {
		all["login URL for HTTP-POST"] = p.loginPOST
	}
	for _, s := range p.logout {
		name := "logout URL"
		if s.Binding != bindingRedirect {
			name += " for " + s.Binding[strings.LastIndexByte(s.Binding, ':')+1:]
		}
		all[name] = s.Location
		if s.ResponseLocation != "" {
			all[name+", LogoutResponses"] = s.ResponseLocation
		}
	}
	return all
}

package saml

import "net/http"

// finishLogout answers a LogoutResponse that a browser brought. sp is nil if the address names no
// tenant.
func (h *Handler) finishLogout(w http.ResponseWriter, r *http.Request, sp *ServiceProvider, _ logoutDelivery) {
	h.refuseLogoutResponse(w, r, sp, refuse(CodeLogoutUnexpected, "no sign-out was begun here", "", ""))
}

// logoutService returns where logout messages go, "" if nowhere, and by which binding.
func (p *IdentityProvider) logoutService(bool) (destination, binding string) {
	return p.logoutURL, bindingRedirect
}

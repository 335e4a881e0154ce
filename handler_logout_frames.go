package saml

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/iomete/saml/internal/address"
	"github.com/iomete/saml/internal/outgoing"
	"github.com/iomete/saml/internal/page"
)

// logoutFrames returns the origins whose pages may show an answer to a LogoutRequest in a frame: those
// of the identity provider's addresses, and of Config.LogoutFrameAncestors. sp may be nil.
func (sp *ServiceProvider) logoutFrames(ctx context.Context) (origins []string) {
	if sp == nil {
		return nil
	}
	addresses := slices.Clone(sp.config.LogoutFrameAncestors)
	if idp, err := sp.configured(ctx); err == nil {
		addresses = append(addresses, sp.addressesOf(idp)...)
	}
	for _, a := range addresses {
		if origin := frameOrigin(a); origin != "" && !slices.Contains(origins, origin) {
			origins = append(origins, origin)
		}
	}
	return origins
}

// addressesOf returns the addresses of p for sign-in, which may be empty, and for logout by each
// binding: the page with the frame may be at another host than the one that we send messages to.
func (sp *ServiceProvider) addressesOf(p *IdentityProvider) []string {
	list := []string{p.loginURL, p.loginPOST}
	for _, s := range p.logout {
		for _, address := range []string{s.Location, s.ResponseLocation} {
			if sp.sendsLogoutTo(address) {
				list = append(list, address)
			}
		}
	}
	return list
}

// frameOrigin returns the origin of an address in the form of a Content-Security-Policy (CSP Level 3
// §2.3.1), "" if it has none there. It is put together from parts that cannot say anything else: an
// address comes from metadata, and a semicolon, a comma, a blank or a * in a policy would be one more
// rule or one that everybody meets.
func frameOrigin(of string) string {
	u, err := url.Parse(of)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || !isPlainHost(u.Hostname()) || !address.PortExists(u) {
		return ""
	}
	origin := u.Scheme + "://" + strings.ToLower(u.Hostname())
	if port := u.Port(); port != "" {
		origin += ":" + port
	}
	return origin
}

// isPlainHost reports whether a host has ASCII letters, digits, "-" and "." alone.
func isPlainHost(host string) bool {
	return host != "" && !strings.ContainsFunc(host, func(c rune) bool {
		return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.')
	})
}

// The pages for logout messages of which nothing came.
var (
	// logoutRefused is the page for what is not authentic.
	logoutRefused = Page{http.StatusBadRequest, "This sign-out could not be checked",
		"A message about a sign-out reached this service, and it could not be checked. " +
			"If you are signed in here, you still are.", "", true}
	// logoutLater is the page if that may be otherwise in a moment.
	logoutLater = Page{http.StatusServiceUnavailable, logoutRefused.Title,
		"A message about a sign-out reached this service, and it cannot be checked at this moment. " +
			"If you are signed in here, you still are.", "", true}
	// messageUnread is the page for what cannot be read at an address for sign-in and logout.
	messageUnread = Page{http.StatusBadRequest, "This message could not be read",
		"A message about a sign-in or sign-out reached this service, and it could not be read. Nothing has changed: " +
			"if you are signed in here, you still are. Please go to the service, and sign in or out there.", "", true}
	// logoutFailed is the page if this service could not do what was asked.
	logoutFailedPage = Page{http.StatusInternalServerError, "The sign-out could not be finished",
		"Something failed at this service while it signed you out. " +
			"If you are signed in here, please sign out here as well.", "", true}
)

// aboutLogout returns a refusal with a page about a sign-out: most codes are met at a sign-in too, and
// their pages speak of that.
func aboutLogout(e *Error) *Error {
	own := *e
	switch p := codes[e.Code].page; {
	case p == logoutRefused || p == logoutFailedPage:
	case e.Code.temporary():
		own.page = &logoutLater
	default:
		own.page = &logoutRefused
	}
	return &own
}

// refuseLogoutRequest answers a LogoutRequest that a browser brought and that is not authentic, or of
// which that is not known: by a page that the identity provider's page may frame. Nothing is signed or
// sent to any address. sp is nil if nobody knows whose settings apply.
func (h *Handler) refuseLogoutRequest(w http.ResponseWriter, r *http.Request, sp *ServiceProvider, refusal *Error) {
	refusal = h.report(r, sp, LogoutRefused, aboutLogout(refusal))
	h.writeLogoutRefusal(w, r, sp.logoutFrames(r.Context()), refusal)
}

// refuseLogoutResponse answers a LogoutResponse of which nothing is believed, and what is no logout
// message at all. No page may frame it.
func (h *Handler) refuseLogoutResponse(w http.ResponseWriter, r *http.Request, sp *ServiceProvider, refusal *Error) {
	h.writeLogoutRefusal(w, r, nil, h.report(r, sp, LogoutRefused, aboutLogout(refusal)))
}

// writeLogoutRefusal writes the page of a refusal that has been reported. It has no link: in a frame
// it must lead nowhere.
func (h *Handler) writeLogoutRefusal(w http.ResponseWriter, r *http.Request, frames []string, refusal *Error) {
	w.Header().Set("Cache-Control", "no-store")
	if refusal.Code.temporary() {
		w.Header().Set("Retry-After", "5")
	}
	if h.config.OnError != nil {
		page.AllowFrames(w, frames)
		h.config.OnError(w, r, refusal)
		return
	}
	shown, language := refusal.Page(), h.language(r)
	plain := page.Plain{Language: language, Title: shown.Title, Sentence: shown.Sentence, FramedBy: frames,
		Notes: []page.Field{{Name: language.Say(textCode), Value: string(refusal.Code)},
			{Name: language.Say(textReference), Value: refusal.Reference}}}
	if shown.AskAdministrator {
		plain.Advice = textAsk
	}
	plain.Write(w, shown.Status)
}

// refuseSOAP answers a message by SOAP that is not authentic by a fault. It says to strangers no more
// than the page does.
func (h *Handler) refuseSOAP(w http.ResponseWriter, r *http.Request, sp *ServiceProvider, refusal *Error) {
	refusal = h.report(r, sp, LogoutRefused, aboutLogout(refusal))
	writeSOAP(w, http.StatusInternalServerError, outgoing.SOAPFault(refusal.Page().Title+": code "+
		string(refusal.Code)+", reference "+refusal.Reference))
}

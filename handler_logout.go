package saml

import (
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/iomete/saml/internal/redirect"
	"github.com/iomete/saml/internal/wire"
)

// A logoutDelivery is a logout message and how it came.
type logoutDelivery struct {
	logoutArrival
	relayState *string // decoded; nil if there was none
}

// A logoutPlace is an address of ours that takes messages about logout: the Logout URL, or the
// Redirect URL, since many products have one field for both.
type logoutPlace struct {
	sp      *ServiceProvider // of the settings that the address names; nil: the message says whose it is
	refusal *Error           // why nobody knows these settings
}

// logoutPlace returns nil if no logout is configured at the address of r.
func (h *Handler) logoutPlace(r *http.Request) *logoutPlace {
	sp, refusal := h.resolve(r, "")
	switch {
	case refusal == nil && sp.LogoutPath() == "":
		return nil
	case refusal == nil:
		return &logoutPlace{sp: sp}
	case !namesNone(refusal) && refusal.Code == CodeNotConfigured:
		return nil
	case !namesNone(refusal):
		return &logoutPlace{refusal: refusal}
	case h.config.ByIssuer == nil:
		return &logoutPlace{refusal: refusal.advised(
			"If the Logout URL is the same for several tenants, set HandlerConfig.ByIssuer.")}
	}
	return &logoutPlace{}
}

// takesLogoutAlone reports whether r came to the Logout URL and this is not the Redirect URL too: then
// nothing but logout belongs here. sp is nil if it is not known whose settings apply.
func (h *Handler) takesLogoutAlone(r *http.Request, sp *ServiceProvider) bool {
	if sp == nil {
		return h.config.LogoutPath != "" && samePath(requestedPage(r), h.config.LogoutPath)
	}
	return sp.takesLogoutAlone(r)
}

func (sp *ServiceProvider) takesLogoutAlone(r *http.Request) bool {
	asked := requestedPage(r)
	return sp.LogoutPath() != "" && samePath(asked, sp.LogoutPath()) && !samePath(asked, sp.RedirectPath())
}

// logoutAddresses returns the names of the address that r came to, for Destination: never one that r
// itself says. If a proxy has changed the path, nobody knows which of ours it was, and both count.
func (sp *ServiceProvider) logoutAddresses(r *http.Request) (list []string) {
	asked := requestedPage(r)
	atLogout, atRedirect := samePath(asked, sp.LogoutPath()), samePath(asked, sp.RedirectPath())
	if atLogout || !atRedirect {
		list = append(list, sp.LogoutURL())
		for _, former := range sp.config.FormerRedirectURLs {
			if u, err := url.Parse(former); err == nil {
				list = append(list, u.Scheme+"://"+u.Host+sp.LogoutPath())
			}
		}
	}
	if atRedirect || !atLogout {
		list = append(list, sp.recipients...)
	}
	return list
}

// receiveByRedirect answers a GET that has a message about logout in its address (HTTP-Redirect
// binding), and reports whether it has. A Response is none, and no sign-in is finished with it.
func (h *Handler) receiveByRedirect(w http.ResponseWriter, r *http.Request) (answered bool) {
	request, response := redirect.Carries([]byte(r.URL.RawQuery))
	if !request && !response {
		return false
	}
	place := h.logoutPlace(r)
	if place == nil {
		return false
	}
	m, parameters, err := wire.LogoutFromQuery(r.URL.RawQuery)
	if err != nil {
		return h.refuseRedirect(w, r, place.sp, request, fromFault(err).atStep(stepMessage))
	}
	d := deliveryOf(m, parameters)
	if m.Request {
		h.endThere(w, r, place, d, func() {})
	} else {
		h.finishLogout(w, r, place.sp, d)
	}
	return true
}

// refuseRedirect answers a query that does not carry a message about logout as it should, and reports
// whether it has. Only what is a LogoutResponse by its root leads to the page that one is signed out:
// of anything else nobody knows that a sign-out is under way.
func (h *Handler) refuseRedirect(w http.ResponseWriter, r *http.Request, sp *ServiceProvider, request bool,
	refusal *Error) (answered bool) {
	alone := h.takesLogoutAlone(r, sp)
	switch {
	case request:
		h.refuseLogoutRequest(w, r, sp, refusal)
	case wire.AnswersLogout(r.URL.RawQuery):
		h.logoutNotRead(w, r, sp, refusal)
	case alone:
		h.refuseLogoutResponse(w, r, sp, refusal)
	case refusal.Code == CodeLogoutMessage: // the answer to a sign-in, which never comes by GET
		return false
	default:
		refusal.page = &messageUnread
		h.writeLogoutRefusal(w, r, nil, h.report(r, sp, LogoutRefused, refusal))
	}
	return true
}

func deliveryOf(m *wire.Logout, parameters *redirect.Message) logoutDelivery {
	d := logoutDelivery{logoutArrival: logoutArrival{message: m}}
	if parameters.HasRelayState {
		d.relayState = &parameters.RelayState
	}
	return d
}

// receiveRequestForm answers a form with a LogoutRequest (HTTP-POST binding). It needs no second leg:
// the sessions are found by the message alone, and no cookie counts. refusal says what is wrong with
// the form itself.
func (h *Handler) receiveRequestForm(w http.ResponseWriter, r *http.Request, form *postedForm, refusal *Error) {
	var m *wire.Logout
	var parameters *redirect.Message
	if refusal == nil {
		m, parameters, refusal = h.readRequestForm(r, form)
	}
	if refusal != nil {
		form.release()
		h.refuseLogoutRequest(w, r, form.logout.sp, refusal)
		return
	}
	h.endThere(w, r, form.logout, deliveryOf(m, parameters), form.release)
}

func (h *Handler) readRequestForm(r *http.Request, form *postedForm) (*wire.Logout, *redirect.Message, *Error) {
	if refusal := h.turnFor(r, form, form.body.data); refusal != nil {
		return nil, nil, refusal
	}
	m, parameters, err := wire.LogoutFromForm(string(form.body.data), r.URL.RawQuery)
	if err != nil {
		return nil, nil, fromFault(err).atStep(stepMessage)
	}
	return m, parameters, nil
}

// refuseSignIn answers what belongs to a sign-in at an address that takes logout alone, and reports
// whether it has. sp is nil if it is not known whose settings apply.
func (h *Handler) refuseSignIn(w http.ResponseWriter, r *http.Request, sp *ServiceProvider) bool {
	if !h.takesLogoutAlone(r, sp) {
		return false
	}
	h.refuseLogoutResponse(w, r, sp, notAboutLogout())
	return true
}

func notAboutLogout() *Error {
	return refuse(CodeLogoutMessage, "there is no message about logout at the Logout URL, and nobody signs in there",
		"", "a LogoutRequest or a LogoutResponse").atStep(stepMessage)
}

// The content types of the SOAP binding: that of SOAP 1.1, and one that is met too.
func isSOAP(contentType string) bool {
	kind, _, _ := mime.ParseMediaType(contentType)
	return kind == "text/xml" || kind == "application/soap+xml"
}

// receiveSOAP answers a POST by the SOAP binding (SAML Bindings 2.0 §3.2), which a server sends without
// a browser. It reports whether it has answered.
func (h *Handler) receiveSOAP(w http.ResponseWriter, r *http.Request) (answered bool) {
	if !isSOAP(r.Header.Get("Content-Type")) {
		return false
	}
	place := h.logoutPlace(r)
	if place == nil {
		return false
	}
	form := &postedForm{body: body{budget: h.bodies}}
	defer form.release()
	m, refusal := h.readSOAP(w, r, form)
	if refusal != nil {
		form.release()
		h.refuseSOAP(w, r, place.sp, refusal)
		return true
	}
	h.endThere(w, r, place, logoutDelivery{logoutArrival: logoutArrival{message: m}}, form.release)
	return true
}

func (h *Handler) readSOAP(w http.ResponseWriter, r *http.Request, form *postedForm) (*wire.Logout, *Error) {
	_, parameters, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if charset := parameters["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return nil, refuse(CodeEncoding, "the SOAP envelope is not in UTF-8", charset, "UTF-8").atStep(stepMessage)
	}
	if refusal := h.wholeBody(w, r, &form.body); refusal != nil {
		return nil, refusal
	}
	if refusal := h.turnFor(r, form, form.body.data); refusal != nil {
		return nil, refusal
	}
	m, err := wire.LogoutFromSOAP(form.body.data)
	if err != nil {
		return nil, fromFault(err).atStep(stepMessage)
	}
	return m, nil
}

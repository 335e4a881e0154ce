package saml

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/iomete/saml/internal/outgoing"
	"github.com/iomete/saml/internal/page"
)

// endSessionsTimeout is how long HandlerConfig.EndSessions may take.
const endSessionsTimeout = 30 * time.Second

// endThere carries out a LogoutRequest and answers it. release gives back what the message takes,
// once nothing of it is read any more: what the application does may take any time.
func (h *Handler) endThere(w http.ResponseWriter, r *http.Request, place *logoutPlace, d logoutDelivery,
	release func()) {
	sp, refusal := h.providerOfLogout(r, place, d)
	var v logoutVerdict
	if refusal == nil {
		d.addresses, d.allowUnsigned = sp.logoutAddresses(r), sp.config.AllowUnsignedLogout
		d.admit = func(request *logoutRequest) (bool, *Error) { return h.admitLogout(sp, request) }
		v = sp.judgeLogoutRequest(r.Context(), d.logoutArrival, logoutRequestChecks)
		refusal = v.refusal
	}
	release()
	switch {
	case v.request == nil && d.message.SOAP:
		h.refuseSOAP(w, r, sp, refusal)
		return
	case v.request == nil:
		h.refuseLogoutRequest(w, r, sp, refusal)
		return
	case refusal == nil && !v.done:
		refusal, v.status = h.endSessions(r, sp, v.request), statusResponder
	}
	if refusal == nil {
		v.status = statusSuccess
	}
	h.answerLogout(w, r, sp, d, logoutResult{v.request.ID, v.status, refusal})
}

// providerOfLogout returns the provider whose keys must have signed a LogoutRequest: that of the
// address, or else of the tenant that has its issuer. Nothing of the message is verified yet. The
// provider is nil if there is an error.
func (h *Handler) providerOfLogout(r *http.Request, place *logoutPlace, d logoutDelivery) (*ServiceProvider, *Error) {
	if place.sp != nil || place.refusal != nil {
		return place.sp, place.refusal
	}
	sp, refusal := h.providerOfIssuer(r, trimSpace(d.message.Issuer()))
	switch {
	case refusal != nil:
		return nil, refusal
	case sp.LogoutPath() == "":
		return nil, refuse(CodeNotConfigured, "the tenant that has the issuer of the LogoutRequest has no logout", "",
			"a Config.LogoutPath").hintOfField("LogoutPath")
	}
	return sp, nil
}

// endSessions lets the application end the sessions that a request names. It goes on if the browser
// leaves: what an identity provider's frame does next must not decide whether a session ends.
func (h *Handler) endSessions(r *http.Request, sp *ServiceProvider, request *logoutRequest) *Error {
	if h.config.EndSessions == nil {
		return refuse(CodeLogoutFailed, "nothing here ends the sessions that a LogoutRequest names", "",
			"a HandlerConfig.EndSessions").
			advised("Set HandlerConfig.EndSessions to the EndSessions of your session.Manager, or to a function that " +
				"ends sessions of your own; or leave Config.LogoutPath empty, and the Logout URL at the identity " +
				"provider too.")
	}
	l := &Logout{Tenant: sp.tenant, EntityID: sp.entityID, Issuer: request.Issuer, NameID: request.NameID,
		SessionIndexes: request.Indexes, IssueInstant: request.IssueInstant, Unsigned: request.Unsigned}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), endSessionsTimeout)
	defer cancel()
	if err := h.config.EndSessions(ctx, l); !isNil(err) {
		return refuse(CodeLogoutFailed, "the sessions that a LogoutRequest names could not be ended", "",
			"").withCause(err)
	}
	h.logouts.ended(sp.tenant, request)
	sp.observe(r.Context(), Event{Kind: LogoutAccepted, Logout: l})
	return nil
}

// admitLogout bounds what LogoutRequests cost (logoutArrival.admit).
func (h *Handler) admitLogout(sp *ServiceProvider, request *logoutRequest) (done bool, refusal *Error) {
	done, admitted := h.logouts.admit(sp.tenant, request, sp.now())
	switch {
	case admitted:
		return done, nil
	case request.Unsigned:
		return false, refusef(CodeLogoutFailed,
			"LogoutRequests that nobody signed have named more than %d sessions within an hour", maxLogoutsPerHour).
			advised("Anybody can send them. Let the identity provider sign its logout messages, " +
				"and switch Config.AllowUnsignedLogout off.")
	}
	return false, refusef(CodeLogoutFailed, "the identity provider has named more than %d sessions within an hour",
		maxLogoutsPerHour).
		advised("If so many people really signed out, their other sessions end when they run out. " +
			"Otherwise see at the identity provider what sends the LogoutRequests.")
}

// A logoutResult is what became of an authentic LogoutRequest.
type logoutResult struct {
	requestID string
	status    string // URI of the status code
	refusal   *Error // nil if its sessions have ended
}

// answerLogout tells the identity provider what became of its request, in the way in which it asked.
func (h *Handler) answerLogout(w http.ResponseWriter, r *http.Request, sp *ServiceProvider, d logoutDelivery,
	result logoutResult) {
	if result.refusal != nil {
		result.refusal = h.report(r, sp, LogoutRefused, aboutLogout(result.refusal))
	}
	destination, binding := sp.logoutAnswerTo(r.Context())
	response := func(destination string) outgoing.LogoutResponse {
		return sp.newLogoutResponse(destination, result.requestID, result.status)
	}
	var err error
	switch {
	case d.message.SOAP:
		err = h.answerBySOAP(w, r, sp, response(""))
	case binding == bindingPOST:
		err = h.answerByForm(w, r, sp, response(destination), d.relayState)
	case binding == bindingRedirect:
		err = h.answerByRedirect(w, r, sp, response(destination), d)
	default:
		h.answerByPage(w, r, sp, result.refusal)
	}
	if err == nil {
		return
	}
	refusal := refuse(CodeLogoutFailed, "the LogoutResponse could not be signed", "", "").withCause(err).
		advised("See why Config.SigningKey failed: Observe gets the text of its error.")
	if d.message.SOAP {
		h.refuseSOAP(w, r, sp, refusal)
		return
	}
	h.refuseLogoutRequest(w, r, sp, refusal)
}

// logoutAnswerTo returns where a LogoutResponse goes, and by which binding. The binding is "" if the
// browser gets a page instead: the identity provider takes no LogoutResponse, or has no address for
// one.
func (sp *ServiceProvider) logoutAnswerTo(ctx context.Context) (destination, binding string) {
	idp, err := sp.configured(ctx)
	if err != nil {
		return "", ""
	}
	if destination, binding = sp.logoutService(idp, true); destination == "" || sp.config.LogoutAnswer.isPage(idp) {
		return "", ""
	}
	return destination, binding
}

func (a LogoutAnswer) isPage(idp *IdentityProvider) bool {
	u, err := url.Parse(idp.entityID)
	return a == LogoutAnswerPage || a == LogoutAnswerDefault && err == nil && isEntra(u)
}

func (h *Handler) answerBySOAP(w http.ResponseWriter, r *http.Request, sp *ServiceProvider, m logoutDocument) error {
	envelope, err := sp.logoutEnvelope(r.Context(), m)
	if err != nil {
		return err
	}
	writeSOAP(w, http.StatusOK, envelope)
	return nil
}

func writeSOAP(w http.ResponseWriter, status int, envelope []byte) {
	header := w.Header()
	header.Set("Content-Type", "text/xml; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	w.Write(envelope) // the only possible error is that the other side went away
}

func (h *Handler) answerByForm(w http.ResponseWriter, r *http.Request, sp *ServiceProvider,
	m outgoing.LogoutResponse, relayState *string) error {
	name, value, err := sp.logoutForm(r.Context(), m)
	if err != nil {
		return err
	}
	page.Post{Language: h.language(r), Title: textSigningOut, Action: m.Destination, Field: name,
		RelayState: relayState, FramedBy: sp.logoutFrames(r.Context())}.Write(w, []byte(value))
	return nil
}

// answerByRedirect sends the browser on, also if an image or a frame of the identity provider brought
// the request. A server that posts by itself looks at the status alone, so it gets a page with status
// 200 that does the same; and so does a browser if the address is too long for the headers of proxies.
func (h *Handler) answerByRedirect(w http.ResponseWriter, r *http.Request, sp *ServiceProvider,
	m outgoing.LogoutResponse, d logoutDelivery) error {
	to, err := sp.logoutRedirect(r.Context(), m.Destination, m, d.relayState)
	if err != nil {
		return err
	}
	frames := sp.logoutFrames(r.Context())
	if !d.message.ByRedirect() && !isBrowser(r) || len(to) > lengthOfLocation {
		page.Leave{Language: h.language(r), Title: textSigningOut, To: to, WithoutLink: true, FramedBy: frames}.Write(w)
		return nil
	}
	page.AllowFrames(w, frames)
	h.redirect(w, r, to)
	return nil
}

// isBrowser reports whether a browser posted r. All that are in use send at least one of these headers.
func isBrowser(r *http.Request) bool {
	return r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Mode") != "" ||
		strings.Contains(r.Header.Get("Accept"), "text/html")
}

// answerByPage says in words what became of a request, to the person whose browser brought it. refusal
// is nil if the sessions have ended.
func (h *Handler) answerByPage(w http.ResponseWriter, r *http.Request, sp *ServiceProvider, refusal *Error) {
	if refusal != nil {
		h.writeLogoutRefusal(w, r, sp.logoutFrames(r.Context()), refusal)
		return
	}
	page.Plain{Language: h.language(r), Title: textSignedOut, Sentence: textSignedOutThere,
		FramedBy: sp.logoutFrames(r.Context())}.Write(w, http.StatusOK)
}

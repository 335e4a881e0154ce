package saml

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/iomete/saml/internal/outgoing"
	"github.com/iomete/saml/internal/page"
)

// StartLogout signs the user of this browser out: it ends the session with
// HandlerConfig.EndSession, and then the one at the identity provider, if that offers logout and
// Config.LogoutPath is set. It is the handler of a form on a page of the service, at a path of the
// application that Require does not guard:
//
//	mux.HandleFunc("POST /sign-out", func(w http.ResponseWriter, r *http.Request) {
//		login.StartLogout(w, r, "")
//	})
//
// returnTo is where the browser ends up: a path of this host that needs no session, or "" for a
// page of the Handler that says what has happened. Anything else counts as "". Never take it from
// the request. What the identity provider did not confirm is always said on that page, which then
// links to returnTo; and so it is if EndSession fails, since the user may still be signed in.
//
// It takes a POST of a page of the same origin alone, so that no other page signs people out: by
// the header Sec-Fetch-Site, or Origin from browsers that do not send it. A POST with neither
// header is refused: every browser of today sends one of them, so it is no browser, or a proxy
// takes them away and nobody can tell who posted. A script must not post in place of a form: the
// answer leads the browser to the identity provider.
//
// The session of the service ends first, and it ends also if the identity provider cannot be told.
// Sign-ins of its tenant that this browser has begun and not finished end with it (ForgetLogins).
// A user who did not sign in through one, or whose identity provider offers no logout, is signed
// out of this service. The request has the NameID and the SessionIndexes of the sign-in, and it is
// signed. The answer comes to the Logout URL, where the Handler must be registered.
func (h *Handler) StartLogout(w http.ResponseWriter, r *http.Request, returnTo string) {
	r = r.WithContext(h.known(r.Context()))
	switch {
	case h.config.EndSession == nil:
		h.failAs(LogoutIncomplete, w, r, nil, refuse(CodeConfig,
			"Handler.StartLogout was called, and HandlerConfig.EndSession is missing", "", "").
			advised("Set HandlerConfig.EndSession to the function that ends a session of yours."))
		return
	case r.Method != http.MethodPost: // a link, an image, a page that is loaded ahead of time
		w.Header().Set("Allow", "POST")
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, h.language(r).Say(textSignOutMethod), http.StatusMethodNotAllowed)
		return
	}
	if refusal := h.checkOwnPost(r); refusal != nil {
		h.failAs(LogoutIncomplete, w, r, h.anyProvider(r), refusal)
		return
	}
	if !localPath(returnTo) {
		returnTo = ""
	}
	l := hereLogout{h: h, w: w, r: r, returnTo: returnTo, outcome: logoutLocal}
	subject, err := h.config.EndSession(w, r)
	if !isNil(err) {
		l.unsure = true
		h.logoutEvent(r.Context(), h.anyProvider(r), LogoutIncomplete, "",
			refuse(CodeSession, "the session could not be ended everywhere", "", "").withCause(err))
	}
	ForgetLogins(w, r, h.tenantOf(r, subject))
	if subject == nil || !l.tell(subject) {
		l.show()
	}
}

// tenantOf returns the tenant of a session that has ended: that of r if the user did not sign in
// through an identity provider.
func (h *Handler) tenantOf(r *http.Request, s *LogoutSubject) string {
	if s != nil {
		return s.Tenant
	}
	if sp := h.anyProvider(r); sp != nil {
		return sp.config.Tenant
	}
	return ""
}

// checkOwnPost refuses a form that no page of our own origin has posted.
func (h *Handler) checkOwnPost(r *http.Request) *Error {
	site, origin := r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Origin")
	switch {
	case site == "same-origin":
		return nil
	case site == "" && h.isOwnOrigin(r, origin):
		return nil
	}
	return refuse(CodeLogoutOrigin, "the form that signs out does not come from a page of this service",
		"Sec-Fetch-Site "+quote(site)+", Origin "+quote(origin),
		"Sec-Fetch-Site same-origin, or without that header the Origin of this service")
}

// isOwnOrigin reports whether an Origin is that of this service: its host is the one that the
// browser asked, or that of Config.BaseURL, since proxies change Host. The scheme is that of
// Config.BaseURL, if r tells whose settings count.
func (h *Handler) isOwnOrigin(r *http.Request, origin string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return false
	}
	asked := hostOf(u.Host) == hostOf(r.Host)
	sp := h.anyProvider(r)
	if sp == nil {
		return asked
	}
	base, err := url.Parse(sp.config.BaseURL)
	return err == nil && u.Scheme == base.Scheme && (asked || hostOf(u.Host) == hostOf(base.Host))
}

// A hereLogout is a logout that began here. The session of this service has ended, unless it is unsure:
// then no page says that the user is signed out, whatever the identity provider answers.
type hereLogout struct {
	h        *Handler
	w        http.ResponseWriter
	r        *http.Request
	sp       *ServiceProvider // of the session; nil if nobody knows it
	returnTo string
	outcome  logoutOutcome
	unsure   bool // whether the session has ended: HandlerConfig.EndSession failed
}

// tell tells the identity provider, and reports whether it has answered the browser. If not,
// outcome says how it ended.
func (l *hereLogout) tell(s *LogoutSubject) (answered bool) {
	sp, err := l.h.Provider(l.r, s.Tenant)
	switch {
	case errors.Is(err, CodeNotConfigured), errors.Is(err, CodeTenant): // single sign-on was switched off
		return false
	case err != nil:
		l.incomplete(sessionRefused(err)) // an *Error, which keeps its code
		return false
	case sp.config.Tenant != s.Tenant, sp.LogoutPath() == "", s.NameID.Value == "":
		return false
	}
	l.sp = sp
	idp, refusal := sp.configured(l.r.Context())
	if refusal != nil {
		l.incomplete(refusal)
		return false
	}
	destination, by := sp.logoutService(idp, false)
	if destination == "" || idp.entityID != s.Issuer {
		return false
	}
	request := sp.newLogoutRequest(destination, s.NameID, s.SessionIndexes)
	request.EntityID = cmp.Or(s.EntityID, request.EntityID) // the one that the identity provider knows the session by
	if by == bindingSOAP {
		l.sendBySOAP(request)
		return false
	}
	return l.sendByBrowser(request, by)
}

// incomplete says why the identity provider was not told.
func (l *hereLogout) incomplete(refusal *Error) {
	l.outcome = logoutUnknown
	l.h.logoutEvent(l.r.Context(), l.sp, LogoutIncomplete, "", refusal)
}

func (l *hereLogout) sendBySOAP(request outgoing.LogoutRequest) {
	l.h.logoutEvent(l.r.Context(), l.sp, LogoutStarted, request.ID, nil)
	// who closes the tab wants to be signed out all the same
	ctx := context.WithoutCancel(l.r.Context())
	answer, outcome, refusal := l.h.soap.ask(ctx, l.sp, request)
	l.conclude(request.ID, answer, outcome, refusal)
}

// sendByBrowser answers with what sends the browser to the identity provider. A page leads there in
// browsers that run scripts, and not a redirect: the Content-Security-Policy of the page with the
// form may have a form-action, which Chromium applies to the redirects that follow a post.
func (l *hereLogout) sendByBrowser(request outgoing.LogoutRequest, by string) bool {
	b, others, isNew := logoutBinding(l.sp.bindings(l.r), l.sp.config.Tenant)
	request.ID = l.sp.logoutID(b, l.returnTo != "", l.unsure)
	var to, field, value string
	var err error
	if by == bindingPOST {
		field, value, err = l.sp.logoutForm(l.r.Context(), request)
	} else {
		to, err = l.sp.logoutRedirect(l.r.Context(), request.Destination, request, nil)
	}
	if err != nil {
		l.incomplete(notSigned("the LogoutRequest", err))
		return false
	}
	if isNew {
		l.sp.setCookie(l.w, cookiePrefix+b.name, b.value(), loginMaxAge)
	}
	if room := l.sp.makeRoom(l.w, b, others); room && l.returnTo != "" {
		l.sp.rememberPage(l.w, l.r, request.ID, l.returnTo)
	}
	l.h.logoutEvent(l.r.Context(), l.sp, LogoutStarted, request.ID, nil)
	language := l.h.language(l.r)
	switch {
	case field != "":
		page.Post{Language: language, Title: textSigningOut, Action: request.Destination, Field: field}.
			Write(l.w, []byte(value))
	case keepsInTab(l.r):
		page.Leave{Language: language, Title: textSigningOut, To: to}.Write(l.w)
	default:
		l.h.redirect(l.w, l.r, to)
	}
	return true
}

// finishLogout answers a LogoutResponse that a browser brought. sp is nil if the address names no
// tenant. The session has ended when the logout began, so nothing depends on the answer but the
// words on the page: what cannot be checked is no error of the user.
func (h *Handler) finishLogout(w http.ResponseWriter, r *http.Request, sp *ServiceProvider, d logoutDelivery) {
	l := hereLogout{h: h, w: w, r: r, sp: sp, outcome: logoutUnknown}
	answered, _ := d.message.Root.Attr("InResponseTo") // it is only looked up: the checks compare what was signed
	requestID := ""
	if p := h.pendingLogout(r, answered); p != nil {
		l.sp, l.returnTo, l.unsure, requestID = p.sp, p.returnTo, p.unsure, answered
	}
	if l.sp != nil {
		d.addresses = l.sp.logoutAddresses(r)
		outcome, refusal := l.sp.judgeLogoutResponse(r.Context(), d.logoutArrival, requestID, logoutResponseChecks)
		l.conclude(requestID, d.message, outcome, refusal)
	}
	l.showUnlessSignedIn()
}

// logoutNotRead answers what was meant to be a LogoutResponse and cannot be read, as finishLogout
// answers what cannot be checked. sp is nil if it is not known whose settings apply.
func (h *Handler) logoutNotRead(w http.ResponseWriter, r *http.Request, sp *ServiceProvider, refusal *Error) {
	h.logoutEvent(r.Context(), sp, LogoutIncomplete, "", refusal)
	l := hereLogout{h: h, w: w, r: r, sp: sp, outcome: logoutUnknown}
	l.showUnlessSignedIn()
}

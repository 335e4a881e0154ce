package saml

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/iomete/saml/internal/page"
	"github.com/iomete/saml/internal/posted"
	"github.com/iomete/saml/internal/wire"
)

const (
	// largeMessages is how many messages of more than smallBody bytes are verified at once, each of
	// which takes some ten MiB for a moment.
	largeMessages = 4
	// largeWait is how long a large message waits for its turn. Verifying one takes a tenth of a
	// second at most, plus the time of the Store.
	largeWait = 5 * time.Second
	// postedTwiceWithin is how long after the issue of a response its second post counts as one of a
	// page that posted twice.
	postedTwiceWithin = 30 * time.Second
)

// receive answers POST. The identity provider's form comes from another site, without our
// SameSite=Lax cookies; so the first leg answers with a page of our own that posts the same
// response again, and the second leg, which has the cookies, verifies it. A response to a former
// Redirect URL on another host takes a third leg, because the post of that page comes from another
// origin again. There is never a fourth. A form that only names an address begins a login. A
// LogoutRequest needs no cookie, and is read at once.
func (h *Handler) receive(w http.ResponseWriter, r *http.Request) {
	if h.receiveSOAP(w, r) {
		return
	}
	form, err := h.readForm(w, r)
	defer form.release()
	if form.logout != nil {
		h.receiveRequestForm(w, r, form, err)
		return
	}
	if err == nil && !form.Begins && !form.Chooses || err != nil && err.Code == CodeBase64 {
		h.silence.end() // a response, whatever becomes of it
	}
	if err != nil {
		form.release() // the server may read on for a while before the page is sent
		h.refuseForm(w, r, err)
		return
	}
	switch site := r.Header.Get("Sec-Fetch-Site"); {
	case form.Chooses:
		h.choose(w, r, form)
	case form.Begins:
		h.beginFor(w, r, form.ReturnTo, form.Elsewhere)
	case form.Leg == "":
		h.postAgain(w, r, form, "2")
	// another host of the same site has our cookies, but not what the tab keeps for our origin
	case form.Leg == "2" && (site == "cross-site" || site == "same-site"):
		h.postAgain(w, r, form, "3")
	default:
		h.finishPost(w, r, form)
	}
}

// refuseForm answers what carries no response as a form does: at the Logout URL with a page about
// sign-outs.
func (h *Handler) refuseForm(w http.ResponseWriter, r *http.Request, err *Error) {
	sp := h.anyProvider(r)
	if h.takesLogoutAlone(r, sp) {
		h.refuseLogoutResponse(w, r, sp, err)
		return
	}
	h.fail(w, r, sp, err)
}

// postAgain parses nothing, verifies nothing and asks no Store. Its page posts to the configured
// Redirect URL, because the response may have come to a former one, where the browser has no
// cookie. If the tenant is not known yet, the page posts to its own address.
func (h *Handler) postAgain(w http.ResponseWriter, r *http.Request, form *postedForm, leg string) {
	title, action, relay := textSigningIn, "", ""
	sp, err := h.resolve(r, "")
	switch {
	case err == nil && sp.takesLogoutAlone(r):
		title, action = textSigningOut, sp.LogoutURL()
	case err == nil:
		action, relay = sp.redirectURL, sp.relayedPage(form.Relay)
	case err.Code != CodeNotConfigured:
		h.fail(w, r, nil, err)
		return
	case h.config.ByIssuer != nil:
		relay = relayedAnywhere(form.Relay)
	}
	defer writeDeadline(w, r, h.bodyTimeout)()
	page.Post{Language: h.language(r), Title: title, Action: action, Field: "SAMLResponse", Load: posted.Tab,
		Marks: []page.Field{{Name: posted.Leg, Value: leg}, {Name: "RelayState", Value: relay}}}.Write(w, form.Response)
}

// finishPost finds the binding of this browser by the request that the message says it answers, and
// finishes the login. This is only a look-up: the checks compare with what was signed.
func (h *Handler) finishPost(w http.ResponseWriter, r *http.Request, form *postedForm) {
	if err := h.turnFor(r, form, form.Response); err != nil {
		h.fail(w, r, h.anyProvider(r), err)
		return
	}
	m := h.readPosted(w, r, form)
	if m == nil {
		return
	}
	form.response = m
	h.finishRead(w, r, form, m)
}

// finishRead is finishPost for a message that was read.
func (h *Handler) finishRead(w http.ResponseWriter, r *http.Request, form *postedForm, m *wire.Response) {
	request := strings.Clone(m.RequestID()) // a part of the message, which would be kept as long
	if request == "" {
		h.unsolicited(w, r, form, m)
		return
	}
	b, ok := bindingOf(r, request)
	if !ok || b.hasEnded() {
		form.end()
		h.noPending(w, r, request, form.Tab)
		return
	}
	sp, _, err := h.resolveTenant(r, b.tenant)
	if err != nil {
		form.end()
		h.unresolved(w, r, b.tenant, err)
		return
	}
	login := &boundLogin{requestID: request, binding: b, returnTo: sp.pageOf(r, request, form.Tab)}
	read := sp.reads(r, b) // a cookie without the prefix is not read on https
	switch {
	case b.tenant != "" && (!read || !sp.began(login)): // as for a tenant that is not there, see unresolved
		form.end()
		h.fail(w, withProvider(r, sp), h.anyProvider(r), invalidState())
		return
	case !read:
		form.end()
		h.noPending(w, r, request, form.Tab)
		return
	case h.refuseSignIn(w, r, sp): // an address that all tenants share, and this one for logout alone
		return
	}
	h.finish(w, withProvider(r, sp), sp, form, answer{bound: login}, m)
}

// readPosted returns the response of a form. If it has none, the request has been answered: the root
// says whether the message is about a sign-in or about logout.
func (h *Handler) readPosted(w http.ResponseWriter, r *http.Request, form *postedForm) *wire.Response {
	place := h.logoutPlace(r)
	var a wire.Answer
	var err error
	if place == nil {
		a.Response, err = wire.ReadInPlace(form.Response)
	} else {
		a, err = wire.ReadAnswerInPlace(form.Response)
	}
	alone := place != nil && h.takesLogoutAlone(r, place.sp)
	if err == nil && a.Response != nil && !alone {
		return a.Response
	}
	if a.AboutLogout && err == nil { // it is verified in its turn
		h.finishLogout(w, r, place.sp, logoutDelivery{logoutArrival: logoutArrival{message: a.Logout}})
		return nil
	}
	form.release()
	switch {
	case a.AboutLogout:
		h.logoutNotRead(w, r, place.sp, fromFault(err).atStep(stepMessage))
	case alone && err != nil:
		h.refuseLogoutResponse(w, r, place.sp, fromFault(err).atStep(stepMessage))
	case alone:
		h.refuseLogoutResponse(w, r, place.sp, notAboutLogout())
	default:
		h.fail(w, r, h.anyProvider(r), fromFault(err).atStep(stepMessage))
	}
	return nil
}

// turnFor waits for the turn of a message that is large.
func (h *Handler) turnFor(r *http.Request, form *postedForm, message []byte) *Error {
	if len(message) <= smallBody {
		return nil
	}
	return h.largeTurn(r, form)
}

// largeTurn waits until a large message may be verified. The turn ends when the form is released: with
// the verdict, since what the application does after it may take any time.
func (h *Handler) largeTurn(r *http.Request, form *postedForm) *Error {
	timer := time.NewTimer(largeWait)
	defer timer.Stop()
	select {
	case h.large <- struct{}{}:
		form.turn = func() { <-h.large }
		return nil
	case <-timer.C:
	case <-r.Context().Done():
	}
	return refuse(CodeBusy, "other large responses are being verified", "", "")
}

// unresolved answers a response whose pending login names a tenant without a provider. That name is
// not sealed, so anyone can write one into a cookie: an unknown tenant gets the same page as a
// known one whose seal does not open.
func (h *Handler) unresolved(w http.ResponseWriter, r *http.Request, tenant string, err *Error) {
	if tenant != "" && (err.Code == CodeNotConfigured || err.Code == CodeTenant) {
		err = invalidState().withCause(err)
	}
	h.fail(w, r, h.anyProvider(r), err)
}

// anyProvider returns a provider for the hints and the log of a refusal, if the tenant is not known
// yet.
func (h *Handler) anyProvider(r *http.Request) *ServiceProvider {
	sp, err := h.resolve(r, "")
	if err != nil {
		return nil
	}
	return sp
}

// noPending answers a response whose pending login this browser does not have. In a browser that is
// signed in, this is an old page that was shown again, or a tab that is late.
func (h *Handler) noPending(w http.ResponseWriter, r *http.Request, request, tab string) {
	sp := h.anyProvider(r)
	refusal := refuse(CodeStateMissing, "this browser has no pending login for the response", "", "").atStep(stepState)
	if b, ok := bindingOf(r, request); ok && b.hasEnded() {
		refusal.Message, refusal.page = "the user signed out after the sign-in began", &signedOutMeanwhile
		refusal = refusal.advised("Sign in again: what was begun before a sign-out does not sign anybody in after it.")
	}
	switch {
	case sp == nil && h.hasSession(w, r):
		h.leave(w, r, h.config.Home)
		return
	case sp == nil:
		h.fail(w, r, sp, refusal)
		return
	}
	refusal.ReturnTo = sp.pageOf(r, request, tab)
	if raw := decodeID(request); raw != nil { // nobody has proven it, but it only chooses the words
		unproven := pendingLogin{IssuedMilli: issuedMilli(raw)}
		if late := unproven.timely(sp.config.Now(), sp.skew); late != nil && late.Code == CodeStateExpired {
			refusal.Code, refusal.Message, refusal.Want = late.Code, late.Message, late.Want
		}
	}
	if h.config.Sessions.SignedIn(withProvider(r, sp)) {
		h.again(w, r, sp, refusal, request)
		return
	}
	h.fail(w, r, sp, refusal)
}

// again answers a response that is refused in a browser that is signed in, for example after the
// Back button: with the page that the login was for, and an event.
func (h *Handler) again(w http.ResponseWriter, r *http.Request, sp *ServiceProvider, refusal *Error, request string) {
	sp.observe(r.Context(), Event{Kind: LoginRefused, RequestID: refusal.requestID,
		Err: sp.completed(r.Context(), refusal), signedIn: true})
	h.arrive(w, r, sp, refusal.ReturnTo, request)
}

// arrive sends a browser that is signed in to the page that its login was for.
func (h *Handler) arrive(w http.ResponseWriter, r *http.Request, sp *ServiceProvider, returnTo, request string) {
	if returnTo == "" && askedForPage(request) {
		h.tellLost(w, r, sp)
		return
	}
	h.leave(w, r, cmp.Or(returnTo, h.config.Home))
}

func (h *Handler) finish(w http.ResponseWriter, r *http.Request, sp *ServiceProvider, form *postedForm, a answer,
	m *wire.Response) {
	request := ""
	if a.bound != nil {
		request = a.bound.requestID
	}
	login, err := sp.judge(r.Context(), m, nil, a, allChecks)
	form.end()
	switch {
	case err == nil:
		h.signIn(w, r, sp, login, a.bound)
	case err.Code == CodeStateInvalid: // nobody knows whose login it was
		h.fail(w, r, h.anyProvider(r), err)
	case (err.Code == CodeStateExpired || err.Code == CodeReplayed) && h.config.Sessions.SignedIn(r):
		h.again(w, r, sp, err, request)
	case err.Code == CodeReplayed && a.bound != nil && sp.postedTwice(m) &&
		(a.bound.returnTo != "" || !askedForPage(request)):
		// The browser shows the answer to its second post, and has the session of the first one. If it
		// has not, the page that it is sent to asks for a login.
		h.again(w, r, sp, err, request)
	default:
		h.fail(w, r, sp, err)
	}
}

// postedTwice reports whether a used response is so new that its browser has just posted it twice.
// All its checks have passed, so its time is right.
func (sp *ServiceProvider) postedTwice(m *wire.Response) bool {
	issued, ok := parseTime(m.IssueInstant)
	return ok && sp.config.Now().Sub(issued) <= postedTwiceWithin
}

// signIn gives a finished login to the application. The login has succeeded only if that succeeds.
func (h *Handler) signIn(w http.ResponseWriter, r *http.Request, sp *ServiceProvider, login *Login, l *boundLogin) {
	if err := h.config.Sessions.SignIn(w, r, login); !isNil(err) {
		refusal := sessionRefused(err)
		refusal.ReturnTo, refusal.requestID = login.ReturnTo, login.RequestID
		h.fail(w, r, sp, refusal)
		return
	}
	h.finished(w, r, sp, l)
	sp.observeFinish(r.Context(), login, nil)
	h.arrive(w, r, sp, login.ReturnTo, login.RequestID)
}

// unsolicited handles a response that answers no request (IdP-initiated).
func (h *Handler) unsolicited(w http.ResponseWriter, r *http.Request, form *postedForm, m *wire.Response) {
	sp, err := h.resolve(r, "")
	shared := err != nil && namesNone(err)
	switch {
	case shared && h.config.ByIssuer != nil:
		sp, err = h.providerOfIssuer(r, unverifiedIssuer(m))
	case shared:
		err = err.advised("If the Redirect URL is the same for several tenants, set HandlerConfig.ByIssuer.")
	}
	relay := form.Relay
	if err != nil || sp.config.Unsolicited != AllowUnsolicited {
		form.end() // the message does not matter any more
	}
	if err != nil {
		h.withoutTenant(w, r, relay, err)
		return
	}
	if h.refuseSignIn(w, r, sp) {
		return
	}
	r = withProvider(r, sp)
	refusal := unexpectedResponse().atStep(stepState)
	refusal.ReturnTo = sp.relayedPage(relay)
	// by anyone, of any tenant: an existing session is never replaced
	if h.config.Sessions.SignedIn(r) || shared && h.hasSession(w, r) {
		h.again(w, r, sp, refusal, "")
		return
	}
	switch count := restarts(r, sp); {
	case sp.config.Unsolicited == RestartUnsolicited && shared && isOpenedElsewhere(r, sp.redirectURL):
		h.toLogin(w, r, sp.redirectURL, refusal.ReturnTo, false) // its cookies belong to another host
	case sp.config.Unsolicited == RestartUnsolicited && count < mostRestarts:
		sp.setCookie(w, restarted, strconv.Itoa(count+1), restartLimit)
		h.start(w, r, sp, LoginOptions{ReturnTo: refusal.ReturnTo}, start{elsewhere: true})
	case sp.config.Unsolicited == RestartUnsolicited:
		refusal.Message = "the identity provider answers each login with a response to no request"
		refusal.Hint = fmt.Sprintf("%d logins were begun in place of such responses within a minute, and none has finished. Let the identity provider put the ID of the request into InResponseTo.", count)
		h.fail(w, r, sp, refusal)
	case sp.config.Unsolicited == AllowUnsolicited:
		h.finishUnsolicited(w, r, sp, form, m, refusal.ReturnTo)
	default:
		h.fail(w, r, sp, refusal)
	}
}

// finishUnsolicited accepts a response that answers no request, by Config.Unsolicited.
func (h *Handler) finishUnsolicited(w http.ResponseWriter, r *http.Request, sp *ServiceProvider, form *postedForm,
	m *wire.Response, returnTo string) {
	login, err := sp.judge(r.Context(), m, nil, answer{}, allChecks)
	form.end()
	switch {
	case err == nil:
		login.ReturnTo = returnTo
		h.signIn(w, r, sp, login, nil)
	default:
		err.ReturnTo = returnTo
		h.fail(w, r, sp, err)
	}
}

// relayedPage returns the page that a RelayState names (Entra: Relay State), "" if it names none of
// this service or if it does not count: it does only for unsolicited responses, and if they are
// accepted only by an option. Anyone can write it, as anyone can write a link.
func (sp *ServiceProvider) relayedPage(relayState string) string {
	if sp.config.Unsolicited != RestartUnsolicited && !sp.config.AllowUnsolicitedRelayState {
		return ""
	}
	return localPart(relayState, sp.config.BaseURL)
}

// relayedAnywhere returns a RelayState that may be the address of a page, if the tenant, and with it
// BaseURL, is known only when the message is read.
func relayedAnywhere(relayState string) string {
	u, err := url.Parse(relayState)
	if err != nil {
		return ""
	}
	if localPart(relayState, u.Scheme+"://"+u.Host) == "" {
		return ""
	}
	return relayState
}

// restarts returns how many logins RestartUnsolicited began in this browser lately. A single one
// may come from a stranger's page, which can post a response here. An identity provider that never
// names the request would cause an endless redirect loop.
func restarts(r *http.Request, sp *ServiceProvider) int {
	n, _ := strconv.Atoi(cookie(r, sp.cookieName(restarted)))
	return max(n, 0)
}

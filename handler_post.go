package saml

import (
	"cmp"
	"net/http"
	"strconv"
	"time"

	"github.com/iomete/saml/internal/page"
	"github.com/iomete/saml/internal/wire"
)

const (
	// largeMessages is how many messages of more than smallBody bytes are verified at once, each of
	// which takes some ten MiB for a moment.
	largeMessages = 4
	// largeWait is how long a large message waits for its turn. Verifying one takes a tenth of a
	// second at most, plus the time of the Store.
	largeWait = 5 * time.Second
)

// receive answers POST. The identity provider's form comes from another site, without our
// SameSite=Lax cookies; so the first leg answers with a page of our own that posts the same
// response again, and the second leg, which has the cookies, verifies it. A response to a former
// Redirect URL on another site takes a third leg, because the post of that page is cross-site
// again. There is never a fourth.
func (h *Handler) receive(w http.ResponseWriter, r *http.Request) {
	form, err := h.readForm(w, r)
	defer form.release()
	if err != nil {
		form.release() // the server may read on for a while before the page is sent
		h.fail(w, r, h.anyProvider(r), err)
		return
	}
	switch {
	case form.leg == "":
		h.postAgain(w, r, form.response, "2")
	case form.leg == "2" && r.Header.Get("Sec-Fetch-Site") == "cross-site":
		h.postAgain(w, r, form.response, "3")
	default:
		h.finishPost(w, r, form.response)
	}
}

// postAgain parses nothing, verifies nothing and asks no Store. Its page posts to the configured
// Redirect URL, because the response may have come to a former one, where the browser has no
// cookie. If the tenant is not known yet, the page posts to its own address.
func (h *Handler) postAgain(w http.ResponseWriter, r *http.Request, response []byte, leg string) {
	action := ""
	sp, err := h.resolve(r, "")
	switch {
	case err == nil:
		action = sp.redirectURL
	case err.Code != CodeNotConfigured:
		h.fail(w, r, nil, err)
		return
	}
	defer writeDeadline(w, r, h.bodyTimeout)()
	p := page.Post{Title: "Signing in", Action: action, Field: "SAMLResponse",
		Mark: page.Field{Name: legField, Value: leg}}
	p.Language, p.Translate = h.language(r)
	p.Write(w, response)
}

// finishPost finds the pending login by the request that the message says it answers, and finishes
// it. This is only a look-up: the checks compare with what was signed.
func (h *Handler) finishPost(w http.ResponseWriter, r *http.Request, response []byte) {
	if len(response) > smallBody {
		done, err := h.largeTurn(r)
		if err != nil {
			h.fail(w, r, h.anyProvider(r), err)
			return
		}
		defer done()
	}
	m, unreadable := wire.ReadInPlace(response)
	if unreadable != nil {
		h.fail(w, r, h.anyProvider(r), fromFault(unreadable).atStep(stepMessage))
		return
	}
	request := m.RequestID()
	if request == "" {
		h.unsolicited(w, r, m)
		return
	}
	name := requestCookie(request)
	state := cookie(r, "__Host-"+name)
	if state == "" {
		state = cookie(r, name)
	}
	tenant, ok := tenantOf(state)
	if state == "" || !ok {
		h.noPending(w, r)
		return
	}
	sp, _, err := h.resolveTenant(r, tenant)
	if err != nil {
		h.unresolved(w, r, tenant, err)
		return
	}
	if cookie(r, sp.cookieName(name)) != state { // a cookie without the prefix is not read on https
		h.noPending(w, r)
		return
	}
	h.finish(w, withProvider(r, sp), sp, FormResponse{State: state}, m)
}

// largeTurn waits until a large message may be verified.
func (h *Handler) largeTurn(r *http.Request) (done func(), refusal *Error) {
	timer := time.NewTimer(largeWait)
	defer timer.Stop()
	select {
	case h.large <- struct{}{}:
		return func() { <-h.large }, nil
	case <-timer.C:
	case <-r.Context().Done():
	}
	return nil, refuse(CodeBusy, "other large responses are being verified", "", "")
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
// signed in, this is an old page that was shown again.
func (h *Handler) noPending(w http.ResponseWriter, r *http.Request) {
	sp := h.anyProvider(r)
	refusal := refuse(CodeStateMissing, "this browser has no pending login for the response", "", "").atStep(stepState)
	if sp != nil && h.config.Sessions.SignedIn(withProvider(r, sp)) {
		h.home(w, r, sp, refusal)
		return
	}
	h.fail(w, r, sp, refusal)
}

// home answers a response that is refused in a browser that is signed in, for example after the
// Back button: with the start page and an event.
func (h *Handler) home(w http.ResponseWriter, r *http.Request, sp *ServiceProvider, refusal *Error) {
	sp.observe(r.Context(), Event{Kind: LoginRefused, RequestID: refusal.requestID,
		Err: sp.completed(r.Context(), refusal), signedIn: true})
	h.redirect(w, r, h.config.Home)
}

func (h *Handler) finish(w http.ResponseWriter, r *http.Request, sp *ServiceProvider, response FormResponse,
	m *wire.Response) {
	login, err := sp.judge(r.Context(), m, nil, response, allChecks)
	switch {
	case err == nil:
		h.signIn(w, r, sp, login)
	case err.Code == CodeStateInvalid: // nobody knows whose login it was
		h.fail(w, r, h.anyProvider(r), err)
	case (err.Code == CodeStateExpired || err.Code == CodeReplayed) && h.config.Sessions.SignedIn(r):
		h.home(w, r, sp, err)
	default:
		h.fail(w, r, sp, err)
	}
}

// signIn gives a finished login to the application. The login has succeeded only if that succeeds.
func (h *Handler) signIn(w http.ResponseWriter, r *http.Request, sp *ServiceProvider, login *Login) {
	h.clear(w, r, sp, login.RequestID)
	if err := h.config.Sessions.SignIn(w, r, login); !isNil(err) {
		refusal := sessionRefused(err)
		refusal.ReturnTo, refusal.requestID = login.ReturnTo, login.RequestID
		h.fail(w, r, sp, refusal)
		return
	}
	sp.observeFinish(r.Context(), login, nil)
	h.redirect(w, r, cmp.Or(login.ReturnTo, h.config.Home))
}

// unsolicited handles a response that answers no request (IdP-initiated).
func (h *Handler) unsolicited(w http.ResponseWriter, r *http.Request, m *wire.Response) {
	sp, err := h.resolve(r, "")
	if err != nil {
		h.fail(w, r, nil, err)
		return
	}
	r = withProvider(r, sp)
	refusal := unexpectedResponse().atStep(stepState)
	if h.config.Sessions.SignedIn(r) { // by anyone: an existing session is never replaced
		h.home(w, r, sp, refusal)
		return
	}
	switch count := restarts(r, sp); {
	case sp.config.Unsolicited == RestartUnsolicited && count < mostRestarts:
		sp.setCookie(w, restarted, strconv.Itoa(count+1), restartLimit)
		h.start(w, r, sp, LoginOptions{})
	case sp.config.Unsolicited == AllowUnsolicited:
		h.finish(w, r, sp, FormResponse{}, m)
	default:
		h.fail(w, r, sp, refusal)
	}
}

// restarts returns how many logins RestartUnsolicited began in this browser lately. A single one
// may come from a stranger's page, which can post a response here. An identity provider that never
// names the request would cause an endless redirect loop.
func restarts(r *http.Request, sp *ServiceProvider) int {
	n, _ := strconv.Atoi(cookie(r, sp.cookieName(restarted)))
	return max(n, 0)
}

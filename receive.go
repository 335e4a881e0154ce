package saml

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

const (
	maxBody       = 2 << 20 // bytes of the posted form
	maxParameters = 8
	// legField marks a form that our own page posts. It is no proof of anything: what counts are the cookies that come with it.
	legField = "saml_leg"
)

// receive answers POST. The identity provider's form comes from another site, without our SameSite=Lax cookies; so the first leg
// answers with a page of our own that posts the same response again, and the second leg, which has the cookies, verifies it. A response
// to a former Redirect URL on another site takes one leg more, since that page's post is cross-site again. There is never a fourth.
func (h *Handler) receive(w http.ResponseWriter, r *http.Request) {
	form, err := readForm(w, r)
	if err != nil {
		h.fail(w, r, h.anyProvider(r), err)
		return
	}
	switch {
	case form.leg == "":
		h.postAgain(w, r, form.response, "2")
	case form.leg == "2" && r.Header.Get("Sec-Fetch-Site") == "cross-site":
		h.postAgain(w, r, form.response, "3")
	default:
		h.lastLeg(w, r, form.response)
	}
}

// postedForm is what a form may hold.
type postedForm struct {
	response string
	leg      string // "" as the identity provider posts it
}

// readForm checks the form before anything of it is used or echoed. A RelayState is not ours, since we send none, and is dropped.
func readForm(w http.ResponseWriter, r *http.Request) (postedForm, *Error) {
	kind, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if charset := parameters["charset"]; err != nil || kind != "application/x-www-form-urlencoded" || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return postedForm{}, refuse(CodeForm, "the request is not a form", r.Header.Get("Content-Type"), "application/x-www-form-urlencoded")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return postedForm{}, refusef(CodeTooLarge, "the form has more than %d bytes", maxBody)
	}
	if err != nil {
		return postedForm{}, refuse(CodeForm, "the form did not arrive whole", "", "").because(err)
	}
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return postedForm{}, refuse(CodeForm, "the form cannot be decoded", "", "")
	}
	return checkForm(values, r.URL.Query())
}

func checkForm(values, query url.Values) (postedForm, *Error) {
	count := 0
	for _, v := range values {
		count += len(v)
	}
	if count > maxParameters {
		return postedForm{}, refusef(CodeForm, "the form has %d fields, more than %d", count, maxParameters)
	}
	for _, name := range []string{"SAMLRequest", "SAMLart", "Signature", "SigAlg"} {
		if values.Has(name) {
			return postedForm{}, refuse(CodeForm, "the form has a field that belongs to another binding", name, "SAMLResponse alone")
		}
	}
	for _, name := range []string{"SAMLResponse", "RelayState", legField, "SAMLRequest", "SAMLart", "Signature", "SigAlg"} {
		if query.Has(name) {
			return postedForm{}, refuse(CodeForm, "the address has a field that belongs into the form", name, "")
		}
	}
	if n := len(values["SAMLResponse"]); n != 1 {
		return postedForm{}, refusef(CodeForm, "the form has %d fields SAMLResponse, and not one", n)
	}
	if n := len(values["RelayState"]); n > 1 {
		return postedForm{}, refusef(CodeForm, "the form has %d fields RelayState", n)
	}
	if n := len(values[legField]); n > 1 {
		return postedForm{}, refusef(CodeForm, "the form has %d fields %s", n, legField)
	}
	f := postedForm{response: values.Get("SAMLResponse"), leg: values.Get(legField)}
	if !looksLikeBase64(f.response) {
		return postedForm{}, refuse(CodeBase64, "the SAMLResponse is not base64", "", "the standard alphabet with padding (SAML Bindings 2.0 §3.5.4)")
	}
	return f, nil
}

// looksLikeBase64 looks at the alphabet alone: enough to know that the value can be echoed, and cheap.
func looksLikeBase64(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '+', c == '/', c == '=', c == '\r', c == '\n', c == ' ', c == '\t':
		default:
			return false
		}
	}
	return s != ""
}

// postAgain parses and verifies nothing and asks no Store. It posts to the Redirect URL as configured, since the response may have come
// to a former one, where the cookie is not. Where it cannot be known yet whose settings apply, the page posts to its own address.
func (h *Handler) postAgain(w http.ResponseWriter, r *http.Request, response, leg string) {
	action := ""
	sp, err := h.resolve(r, "")
	switch {
	case err == nil:
		action = sp.redirectURL
	case err.Code != CodeNotConfigured:
		h.fail(w, r, nil, err)
		return
	}
	writePostPage(w, "Signing in", action, field{"SAMLResponse", response}, field{legField, leg})
}

// lastLeg finds the pending login by the request that the message says it answers, and finishes it. That is a look-up only: FinishLogin
// compares with what was signed.
func (h *Handler) lastLeg(w http.ResponseWriter, r *http.Request, response string) {
	m, err := readMessage(response)
	if err != nil {
		err.Check = stepMessage
		h.fail(w, r, h.anyProvider(r), err)
		return
	}
	request := m.request()
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
		h.absent(w, r)
		return
	}
	sp, err := h.resolve(r, tenant)
	if err != nil {
		h.fail(w, r, nil, err)
		return
	}
	if cookie(r, sp.cookieName(name)) != state { // a cookie without the prefix is not read on https
		h.absent(w, r)
		return
	}
	h.finish(w, withProvider(r, sp), sp, Response{State: state}, m)
}

// anyProvider is for the hints and the log of a refusal before the tenant is known.
func (h *Handler) anyProvider(r *http.Request) *ServiceProvider {
	sp, err := h.resolve(r, "")
	if err != nil {
		return nil
	}
	return sp
}

// absent answers a response whose pending login this browser does not have: in a browser that is signed in it is an old page that was
// shown again.
func (h *Handler) absent(w http.ResponseWriter, r *http.Request) {
	sp := h.anyProvider(r)
	if sp != nil && h.config.Sessions.SignedIn(withProvider(r, sp)) {
		h.redirect(w, r, h.config.Home)
		return
	}
	h.fail(w, r, sp, refuse(CodeStateMissing, "this browser has no pending login for the response", "", "").at(stepState))
}

func (h *Handler) finish(w http.ResponseWriter, r *http.Request, sp *ServiceProvider, response Response, m *wireResponse) {
	var login *Login
	a, err := sp.newAttempt(r.Context(), response)
	if err == nil {
		a.message = m
		login, err = a.finish(r.Context(), allChecks)
	}
	if err != nil {
		if (err.Code == CodeStateExpired || err.Code == CodeReplayed) && h.config.Sessions.SignedIn(r) {
			h.redirect(w, r, h.config.Home)
			return
		}
		h.fail(w, r, sp, err)
		return
	}
	sp.observeFinish(r.Context(), login, nil)
	if request := m.request(); request != "" {
		sp.setCookie(w, requestCookie(request), "", 0)
	}
	if err := h.config.Sessions.SignIn(w, r, login); err != nil {
		refusal := refuse(CodeSession, "the application could not begin a session", "", "").because(err)
		refusal.ReturnTo = login.ReturnTo
		h.fail(w, r, sp, refusal)
		return
	}
	to := login.ReturnTo
	if to == "" {
		to = h.config.Home
	}
	h.redirect(w, r, to)
}

// unsolicited answers a response that answers nothing.
func (h *Handler) unsolicited(w http.ResponseWriter, r *http.Request, m *wireResponse) {
	sp, err := h.resolve(r, "")
	if err != nil {
		h.fail(w, r, nil, err)
		return
	}
	r = withProvider(r, sp)
	if h.config.Sessions.SignedIn(r) { // by whomever: nobody is signed in over somebody's head
		h.redirect(w, r, h.config.Home)
		return
	}
	switch {
	case sp.config.Unsolicited == RestartUnsolicited && cookie(r, sp.cookieName(restarted)) == "":
		sp.setCookie(w, restarted, "1", restartLimit)
		h.start(w, r, sp, LoginOptions{})
	case sp.config.Unsolicited == AcceptUnsolicited:
		h.finish(w, r, sp, Response{}, m)
	default:
		h.fail(w, r, sp, refuse(CodeUnsolicited, "the response answers no sign-in that this browser began", "", "").at(stepState))
	}
}

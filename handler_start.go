package saml

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/iomete/saml/internal/page"
	"github.com/iomete/saml/internal/posted"
)

// begin answers GET: My Apps, the Test button and Require open the Redirect URL with it.
func (h *Handler) begin(w http.ResponseWriter, r *http.Request) {
	if h.receiveByRedirect(w, r) {
		return
	}
	query := r.URL.Query()
	if err := posted.InAddress(query); err != nil {
		refusal := fromFault(err)
		if err.Got != "SAMLRequest" { // a response, or where to ask for one
			refusal.Hint = h.anyProvider(r).postBindingHint(r.Context())
		}
		h.refuseForm(w, r, refusal)
		return
	}
	if v := visitOf(r); query.Has(posted.Kept) && (v == pageVisit || v == unknownVisit) && h.hasSession(w, r) {
		h.tellToSend(w, r)
		return
	}
	h.beginFor(w, r, query.Get(posted.ReturnTo), false)
}

// beginFor begins a login that ends at returnTo, which anyone may have written, unless the browser is
// signed in.
func (h *Handler) beginFor(w http.ResponseWriter, r *http.Request, returnTo string, elsewhere bool) {
	if h.nobodyIsThere(w, r) {
		return
	}
	sp, err := h.resolve(r, "")
	switch {
	case err == nil:
		h.beginAt(w, r, sp, LoginOptions{ReturnTo: returnTo}, elsewhere)
	case namesNone(err) && h.refuseSignIn(w, r, nil):
	case h.asksWho(err):
		h.askWho(w, r, returnTo)
	default:
		err.ReturnTo = localPart(returnTo, "")
		h.fail(w, r, nil, err)
	}
}

// beginAt is beginFor at a provider. The options are what a person asked for; anyone may have
// written ReturnTo.
func (h *Handler) beginAt(w http.ResponseWriter, r *http.Request, sp *ServiceProvider, o LoginOptions, elsewhere bool) {
	if h.refuseSignIn(w, r, sp) {
		return
	}
	h.noticeHost(r, sp)
	returnTo, lost := keptPage(o.ReturnTo, sp.config.BaseURL)
	// A post from another site comes without our cookies, so each would set one more. A GET has them.
	blind := r.Method == http.MethodPost && r.Header.Get("Sec-Fetch-Site") == "cross-site"
	fresh := asksAnew(r)
	if blind || visitOf(r) == framedVisit {
		h.toLogin(w, r, sp.redirectURL, returnTo, fresh)
		return
	}
	o.ReturnTo, o.ForceAuthn = returnTo, fresh
	how := start{lost: lost, fromPage: r.Method == http.MethodGet, elsewhere: elsewhere || fromElsewhere(r)}
	signedIn := h.config.Sessions.SignedIn(withProvider(r, sp))
	if signedIn && fresh { // who is signed in and takes another account is in no loop
		h.start(w, r, sp, o, how)
		return
	}
	var refusal *Error
	how.count, refusal = h.loop(r, sp, returnTo, signedIn)
	switch {
	case refusal != nil:
		how.count(w)
		h.fail(w, r, sp, refusal)
	case signedIn && lost:
		how.count(w)
		h.tellLost(w, r, sp)
	case signedIn:
		how.count(w)
		h.leave(w, r, cmp.Or(returnTo, h.config.Home))
	default:
		h.start(w, r, sp, o, how)
	}
}

// asksAnew reports whether a link of the service asks for a fresh sign-in, as "Use another account"
// does. A link of another site cannot.
func asksAnew(r *http.Request) bool {
	fresh, err := strconv.ParseBool(r.URL.Query().Get("fresh"))
	return err == nil && fresh && !fromElsewhere(r)
}

// A start says how a login of a Handler begins, beside its options.
type start struct {
	lost      bool                      // the user asked for an address that cannot be kept
	fromPage  bool                      // the address of the page may have a fragment, which only the browser knows
	elsewhere bool                      // another site made the browser begin it, so it must not cost another login
	count     func(http.ResponseWriter) // of redirect loops; may be nil
}

// start sends the browser to the identity provider. What the browser has to keep goes into its
// cookies and, if it can, into the tab. A login that an application begins, or one for a tile, is one
// at a time; a redirect is enough for it if the cookie has the address.
func (h *Handler) start(w http.ResponseWriter, r *http.Request, sp *ServiceProvider, o LoginOptions, how start) {
	if len(o.Purpose) > maxPurpose {
		h.fail(w, r, sp, refuse(CodeConfig, "LoginOptions.Purpose is too long for a cookie",
			fmt.Sprintf("%d bytes", len(o.Purpose)), fmt.Sprintf("at most %d bytes", maxPurpose)).inField("Purpose").
			advised("Set LoginOptions.Purpose to a short name, and keep what belongs to it in the service."))
		return
	}
	b, others := h.bind(r, sp, o.Purpose)
	if how.elsewhere && sp.crowded(b, others) {
		h.askFirst(w, r, sp, o)
		return
	}
	request, err := sp.startLogin(r.Context(), o, func(p pendingLogin) string {
		return sp.bindID(b, p, o.ReturnTo != "" || how.lost)
	})
	if err != nil {
		if localPath(o.ReturnTo) { // the button of the page tries again
			err.ReturnTo = o.ReturnTo
		}
		h.fail(w, r, sp, err)
		return
	}
	room := sp.keep(w, b, others)
	if how.count != nil {
		how.count(w)
	}
	sp.observeStart(r.Context(), request, nil)
	h.noticeSilence(r, sp)
	remembered := room && o.ReturnTo != "" && sp.rememberPage(w, r, request.ID, o.ReturnTo)
	if !room {
		sp.deleteCookie(w, r, pagesCookie)
	}
	kept := sp.sealAddress(request.ID, o.ReturnTo)
	var fragment page.Fragment
	if how.fromPage {
		fragment = fragmentOf(sp.redirectURL, o.ReturnTo, o.ForceAuthn)
	}
	switch {
	case request.Form != nil:
		page.Post{Language: h.language(r), Title: textSignIn, Action: request.Form.Action, Field: "SAMLRequest", Keep: kept,
			Fragment: fragment}.Write(w, []byte(request.Form.SAMLRequest))
	case kept != "" && keepsInTab(r) && (how.fromPage || !remembered || len(o.ReturnTo) > lengthOfLocation ||
		strings.Contains(o.ReturnTo, "#")):
		page.Leave{Language: h.language(r), Title: textSignIn, To: request.URL, Keep: kept, Fragment: fragment}.Write(w)
	default:
		h.redirect(w, r, request.URL)
	}
}

// leave sends the browser to an address of its own service. A long one does not fit into a header
// behind some proxies, so a browser that runs scripts gets a page for it.
func (h *Handler) leave(w http.ResponseWriter, r *http.Request, to string) {
	if len(to) > lengthOfLocation && keepsInTab(r) {
		page.Leave{Language: h.language(r), Title: textSigningIn, To: to, TakeFragment: !strings.Contains(to, "#")}.Write(w)
		return
	}
	h.redirect(w, r, to)
}

// tellLost says that the login has finished, and that the page that was asked for is not known.
func (h *Handler) tellLost(w http.ResponseWriter, r *http.Request, sp *ServiceProvider) {
	sp.config.Logger.InfoContext(r.Context(), "saml: a login has finished, but the address of the page that was asked for was not kept",
		"hint", "The login ended in another tab or without scripts, or the address has more than 8192 bytes.")
	page.Notice{Language: h.language(r), Title: textSignedIn, Sentence: textLost, Link: page.Link{To: h.config.Home},
		Button: textStartPage}.Write(w)
}

// askFirst answers in place of start if a page of another site led here and the cookies of the login
// would take the place of others. Its link leads to the same address, and is one of this site.
func (h *Handler) askFirst(w http.ResponseWriter, r *http.Request, sp *ServiceProvider, o LoginOptions) {
	link := page.Link{}
	if r.Method != http.MethodGet {
		link = beginLink(sp.redirectURL, o.ReturnTo, o.ForceAuthn)
	}
	page.Notice{Language: h.language(r), Title: textSignIn, Sentence: textManyOpen, Link: link,
		Button: textSignIn}.Write(w)
}

func (h *Handler) redirect(w http.ResponseWriter, r *http.Request, to string) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", inASCII(to)) // http.Redirect would clean the path of a return_to
	w.WriteHeader(http.StatusSeeOther)
}

// StartLogin begins a login with options of the caller, such as a Purpose, and answers with what
// sends the browser to the identity provider of sp. The response comes back to the Handler. If sp
// is nil, the answer is a page with CodeInternal.
func (h *Handler) StartLogin(w http.ResponseWriter, r *http.Request, sp *ServiceProvider, o LoginOptions) {
	if sp == nil {
		h.fail(w, r, nil, refuse(CodeInternal, "Handler.StartLogin was called with a nil ServiceProvider", "", ""))
		return
	}
	h.start(w, r, sp, o, start{elsewhere: fromElsewhere(r)})
}

// newReference returns a random name for one refusal, for the user's page and the log.
func newReference() string { return rand.Text()[:10] }

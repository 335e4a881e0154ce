package saml

import (
	"context"
	"net/http"
	"strings"

	"github.com/iomete/saml/internal/page"
	"github.com/iomete/saml/internal/seal"
	"github.com/iomete/saml/internal/wire"
)

// What is said about a logout that began here.
const (
	textSigningOut    = "Signing out"
	textSignOutMethod = "A sign-out is a POST."
	textSignedOut     = "You are signed out"

	textSignedOutDone = "You are signed out of this service and at your identity provider. " +
		"Other services may still have you signed in."
	textSignedOutSome = "You are signed out of this service. Your identity provider could not sign you out " +
		"of all other services: you may still be signed in there."
	textSignedOutFailed = "You are signed out of this service, but your identity provider did not sign you out. " +
		"The next sign-in here may ask for no password."
	textSignedOutUnknown = "You are signed out of this service. Whether your identity provider has signed you out " +
		"could not be checked. If it has not, the next sign-in here asks for no password."
	textSignedOutHere = "You are signed out of this service. You may still be signed in at your identity provider; " +
		"then the next sign-in here asks for no password."

	textStillSignedIn = "You are still signed in"
	textNoSignOut     = "No sign-out is under way in this browser. To sign out, go to the service and sign out there."
	textNotSignedOut  = "You may still be signed in"
	textMaySignedIn   = "It is not certain that the service has ended your session. Please sign out once more, or close all windows of this browser."
	textContinue      = "Continue"
)

// signedOutMeanwhile is the page for the answer to a login that was begun before a sign-out.
var signedOutMeanwhile = signInAgain("You have signed out since this sign-in began.")

// logoutTexts are those of PageTexts.
var logoutTexts = []string{textSigningOut, textSignOutMethod, textSignedOut, textSignedOutDone, textSignedOutSome,
	textSignedOutFailed, textSignedOutUnknown, textSignedOutHere, textStillSignedIn, textNoSignOut, textNotSignedOut, textMaySignedIn, textContinue}

// A pendingLogout is a logout that this browser began, and whose answer it brings.
type pendingLogout struct {
	sp       *ServiceProvider
	returnTo string // "" for our own page
	unsure   bool   // see hereLogout
}

// logoutID returns the ID of a LogoutRequest in the browser that has b. As that of a login it
// stands for the pending logout, and with the same cookie, so that the browser keeps nothing more
// for it.
func (sp *ServiceProvider) logoutID(b binding, returnTo, unsure bool) string {
	var flags byte
	if returnTo {
		flags |= flagReturnTo
	}
	if unsure {
		flags |= flagUnsure
	}
	return sp.newID(sp.logoutContext(b), b, sp.config.Now().UnixMilli(), flags, nil)
}

// logoutContext keeps the request of a login from being taken for that of a logout.
func (sp *ServiceProvider) logoutContext(b binding) seal.Context {
	c := sp.boundContext(b)
	c.Purpose = "saml logout request"
	return c
}

// pendingLogout returns the logout that a request ID stands for, nil if this browser did not begin
// it, or too long ago.
func (h *Handler) pendingLogout(r *http.Request, requestID string) *pendingLogout {
	b, ok := bindingOf(r, requestID)
	if !ok {
		return nil
	}
	sp, _, err := h.resolveTenant(r, b.tenant)
	if err != nil || !sp.reads(r, b) || !sp.isOurID(sp.logoutContext(b), b, requestID) {
		return nil
	}
	raw := decodeID(requestID)
	begun := pendingLogin{IssuedMilli: issuedMilli(raw)}
	if begun.timely(sp.config.Now(), sp.skew) != nil {
		return nil
	}
	p := &pendingLogout{sp: sp, unsure: raw[6]&flagUnsure != 0}
	if askedForPage(requestID) {
		p.returnTo = sp.rememberedPage(r, requestID)
	}
	return p
}

// conclude reports what the answer to a LogoutRequest said, or why nobody knows. requestID is "" if
// this browser did not begin the logout.
func (l *hereLogout) conclude(requestID string, answer *wire.Logout, outcome logoutOutcome, refusal *Error) {
	kind := LogoutIncomplete
	switch l.outcome = outcome; {
	case refusal != nil:
		l.outcome = logoutUnknown
	case outcome == logoutDone:
		kind = LogoutFinished
	default:
		status := wire.LogoutStatus(answer.Root)
		refusal = refuse(CodeLogoutStatus, "the identity provider did not end all sessions",
			strings.TrimSpace(status.Code+" "+status.SubCode), statusSuccess)
	}
	l.h.logoutEvent(l.r.Context(), l.sp, kind, requestID, refusal)
}

// logoutEvent reports what happened to a logout. sp is nil if it is not known whose it is; then
// there is a refusal.
func (h *Handler) logoutEvent(ctx context.Context, sp *ServiceProvider, kind EventKind, requestID string,
	refusal *Error) {
	if sp == nil {
		h.observe(ctx, Event{Kind: kind, Err: refusal.completed(nil)})
		return
	}
	sp.observe(ctx, Event{Kind: kind, RequestID: requestID, Err: sp.completed(ctx, refusal)})
}

// logoutSentences say how a logout has ended. None says that it reached all services: identity
// providers answer Success also if some service could not be told.
var logoutSentences = map[logoutOutcome]string{
	logoutDone:    textSignedOutDone,
	logoutPartial: textSignedOutSome,
	logoutFailed:  textSignedOutFailed,
	logoutUnknown: textSignedOutUnknown,
	logoutLocal:   textSignedOutHere,
}

// show ends on the page that the application asked for, or on one of ours, which is public and
// begins no login by itself. Ours comes first if there is something that the user must know.
func (l *hereLogout) show() {
	if l.unsure {
		page.Notice{Language: l.h.language(l.r), Title: textNotSignedOut, Sentence: textMaySignedIn,
			Link: page.Link{To: l.h.config.Home}, Button: textStartPage}.Write(l.w)
		return
	}
	if l.returnTo != "" && (l.outcome == logoutDone || l.outcome == logoutLocal) {
		l.h.leave(l.w, l.r, l.returnTo)
		return
	}
	notice := page.Notice{Language: l.h.language(l.r), Title: textSignedOut, Sentence: logoutSentences[l.outcome],
		Link: page.Link{To: l.returnTo}, Button: textContinue}
	if l.returnTo == "" {
		notice.Link, notice.Button = l.h.loginLink(l.r, l.sp), again
	}
	notice.Write(l.w)
}

// loginLink leads to a new login. sp may be nil.
func (h *Handler) loginLink(r *http.Request, sp *ServiceProvider) page.Link {
	if sp == nil {
		sp = h.anyProvider(r)
	}
	at := h.config.ChoosePath
	if sp != nil {
		at = h.beginsAt(r, sp)
	}
	if at == "" {
		at = h.config.Home
	}
	return page.Link{To: at}
}

// showUnlessSignedIn is show for what anybody can send a browser to: in one that is signed in no
// logout is under way, whatever the message says.
func (l *hereLogout) showUnlessSignedIn() {
	if l.unsure || !l.h.hasSession(l.w, l.r) {
		l.show()
		return
	}
	page.Notice{Language: l.h.language(l.r), Title: textStillSignedIn, Sentence: textNoSignOut,
		Link: page.Link{To: l.h.config.Home}, Button: textStartPage}.Write(l.w)
}

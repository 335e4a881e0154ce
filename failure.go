package saml

import (
	"cmp"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/iomete/saml/internal/page"
)

// fail ends a request with an error page. The page says a fixed sentence, the code and a reference; the rest goes to the observer and
// the log. sp is nil where it is not known whose settings apply.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, sp *ServiceProvider, err *Error) {
	own := *err // what Resolve returned may be shared
	err = &own
	err.Reference = newReference()
	login := ""
	if sp != nil {
		if idp, _ := sp.snapshot(r.Context()); idp != nil && err.Hint == hints[err.Code] {
			err.Hint = idp.hint(err.Code)
		}
		sp.observe(r.Context(), Event{Kind: LoginRefused, RequestID: err.requestID, Err: err})
		login = sp.redirectURL
		if _, unnamed := h.resolve(r, ""); unnamed != nil && unnamed.Code == CodeNotConfigured {
			login = "" // a GET there could not tell whose login to begin
		} else if err.ReturnTo != "" {
			login += "?return_to=" + url.QueryEscape(err.ReturnTo)
		}
	} else {
		event := Event{Kind: LoginRefused, Time: time.Now(), Err: err}
		h.refusals.write(r.Context(), cmp.Or(h.config.Logger, slog.Default()), event)
		if h.config.Observe != nil {
			h.config.Observe(r.Context(), event)
		}
	}
	if err.Code.temporary() {
		w.Header().Set("Retry-After", "5")
	}
	if h.config.OnError != nil {
		h.config.OnError(w, r, err)
		return
	}
	writeErrorPage(w, err, login, h.config.Home)
}

// Fail ends a request as the Handler does when a login fails. It is for pages around the Handler; err may be any error.
func (h *Handler) Fail(w http.ResponseWriter, r *http.Request, err error) {
	var refusal *Error
	if !errors.As(err, &refusal) {
		refusal = refuse(CodeInternal, "the request failed", "", "").withCause(err)
	}
	h.fail(w, r, nil, refusal)
}

// sessionRefused is the refusal of a login that the application's Sessions refused. An *Error of theirs keeps its code and words.
func sessionRefused(err error) *Error {
	var own *Error
	if errors.As(err, &own) && own != nil {
		refusal := *own
		if err != error(own) {
			refusal.cause = err // it may say more
		}
		return &refusal
	}
	return refuse(CodeSession, "the application could not begin a session", "", "").withCause(err)
}

// temporary reports whether the same request may succeed in a moment: its page has status 503.
func (c Code) temporary() bool { return failures[c].status == http.StatusServiceUnavailable }

// atStep names the step that refused.
func (e *Error) atStep(step string) *Error {
	e.Check = step
	return e
}

// failure is what a user reads.
type failure struct {
	status   int
	title    string
	sentence string
	button   string // on the link that begins a login
}

const (
	again     = "Sign in again"
	reference = " Your administrator can look up the reference below."
)

// failures are the pages of the codes that a user can do something about; other codes have the page of "".
var failures = map[Code]failure{
	CodeForm:             {http.StatusBadRequest, "This is not a sign-in", "The page was opened in a way that cannot sign anybody in. If a sign-out led here, the Logout URL at the identity provider is set to this address by mistake.", "Sign in"},
	CodeTooLarge:         {http.StatusRequestEntityTooLarge, "The response is too large", "The identity provider sent more than can be taken." + reference, again},
	CodeStateMissing:     {http.StatusForbidden, "Please sign in again", "This browser did not keep the sign-in: cookies are blocked, many sign-ins were open, or it is older than a day.", again},
	CodeStateInvalid:     {http.StatusForbidden, "Please sign in again", "This browser did not keep the sign-in as it was begun.", again},
	CodeStateExpired:     {http.StatusForbidden, "Please sign in again", "The sign-in took too long.", again},
	CodeStoreYoung:       {http.StatusForbidden, "Please sign in again", "The service was started anew during the sign-in.", again},
	CodeTenant:           {http.StatusForbidden, "Please sign in again", "The sign-in belongs to another address of this service.", again},
	CodeBusy:             {http.StatusServiceUnavailable, "Please try again in a moment", "The service is busy with other sign-ins.", "Try again"},
	CodeReplayed:         {http.StatusForbidden, "Please sign in again", "This sign-in was used already.", again},
	CodeUnsolicited:      {http.StatusForbidden, "Please start here", "The sign-in was not begun in this browser.", "Sign in"},
	CodeStatus:           {http.StatusForbidden, "The identity provider did not sign you in", "The identity provider reported an error." + reference, again},
	CodeNotConfigured:    {http.StatusNotFound, "Single sign-on is not enabled", "An administrator can enable it in the settings of this service.", ""},
	CodeStore:            {http.StatusServiceUnavailable, "Please try again in a moment", "The service cannot sign anybody in at this moment.", "Try again"},
	CodeIdentityProvider: {http.StatusServiceUnavailable, "Single sign-on cannot be used at this moment", "Its settings cannot be read, or changed during the sign-in.", "Try again"},
	CodeSession:          {http.StatusInternalServerError, "You could not be signed in", "The identity provider signed you in, but this service could not begin a session." + reference, again},
	CodeAccountEnded:     {http.StatusForbidden, "You may not sign in here", "The identity provider signed you in, but your account at this service is disabled or has ended." + reference, ""},
	CodeNameID:           noAddress,
	CodeNameIDNotEmail:   noAddress,
	CodeNameIDGuest:      noAddress,
	CodeNameIDMismatch:   noAddress,
	"":                   {http.StatusForbidden, "You could not be signed in", "The response of the identity provider was refused." + reference, again},
}

var noAddress = failure{http.StatusForbidden, "Your account has no usable e\u2011mail address",
	"The identity provider must send your e\u2011mail address as your name. Your administrator can fill in the e\u2011mail field of your account.", again}

var errorPage = template.Must(template.New("error").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{{.Title}}</title>
<style nonce="{{.Nonce}}">body{font:1rem/1.5 system-ui,sans-serif;color-scheme:light dark;max-width:34rem;margin:15vh auto;padding:0 1rem}a{display:inline-block;border:1px solid;border-radius:.3em;padding:.5em 1.5em;text-decoration:none;color:inherit}small{opacity:.7}</style>
</head><body><main><h1>{{.Title}}</h1><p>{{.Sentence}}</p>
<p>{{if and .Login .Button}}<a href="{{.Login}}">{{.Button}}</a>{{else}}<a href="{{.Home}}">Go to the start page</a>{{end}}</p>
<p><small>Code <code>{{.Code}}</code>, reference <code>{{.Reference}}</code></small></p></main></body></html>
`))

// writeErrorPage links to login, the Redirect URL, where it is known and of use, else to home.
func writeErrorPage(w http.ResponseWriter, err *Error, login, home string) {
	f, ok := failures[err.Code]
	if !ok {
		f = failures[""]
	}
	nonce := page.Headers(w)
	w.WriteHeader(f.status)
	errorPage.Execute(w, struct {
		Title, Sentence, Button, Nonce, Login, Home, Code, Reference string
	}{f.title, f.sentence, f.button, nonce, login, home, string(err.Code), err.Reference}) // an error is the browser's hanging up
}

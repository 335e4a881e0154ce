package saml

import (
	"cmp"
	"context"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"github.com/iomete/saml/internal/page"
)

// fail ends a request with an error page. The page says a fixed sentence, the code and a reference;
// the rest goes to the observer and the log. sp is nil where it is not known whose settings apply.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, sp *ServiceProvider, err *Error) {
	h.failAs(LoginRefused, w, r, sp, err)
}

// failAs is fail with an event of any kind.
func (h *Handler) failAs(kind EventKind, w http.ResponseWriter, r *http.Request, sp *ServiceProvider, err *Error) {
	err = h.report(r, sp, kind, err)
	w.Header().Set("Cache-Control", "no-store")
	login := page.Link{}
	if sp != nil {
		if at := h.beginsAt(r, sp); at != "" {
			login = beginLink(at, err.ReturnTo, false)
		}
	}
	if err.Code.temporary() {
		w.Header().Set("Retry-After", "5")
	}
	if h.config.OnError != nil {
		h.config.OnError(w, r, err)
		return
	}
	h.writeErrorPage(w, r, err, login)
}

// report tells the observer and the log of a refusal, and returns it with its reference and its hint.
// sp is nil if it is not known whose settings apply.
func (h *Handler) report(r *http.Request, sp *ServiceProvider, kind EventKind, err *Error) *Error {
	own := *err // what Resolve returned may be shared
	own.Reference = newReference()
	if sp == nil {
		err = own.completed(nil)
		h.observe(r.Context(), Event{Kind: kind, Err: err})
		return err
	}
	err = sp.completed(r.Context(), &own)
	sp.observe(r.Context(), Event{Kind: kind, RequestID: err.requestID, Err: err})
	return err
}

// beginsAt returns where a GET begins a login of sp, "" if nowhere.
func (h *Handler) beginsAt(r *http.Request, sp *ServiceProvider) string {
	if _, unnamed := h.resolve(r, ""); unnamed != nil && unnamed.Code == CodeNotConfigured {
		return h.config.ChoosePath // a GET at the Redirect URL could not tell whose login to begin
	}
	return sp.redirectURL
}

// observe reports an event of a request for which there is no provider.
func (h *Handler) observe(ctx context.Context, e Event) {
	e.Time = time.Now()
	h.refusals.write(ctx, cmp.Or(h.config.Logger, slog.Default()), e)
	if h.config.Observe != nil {
		h.config.Observe(ctx, e)
	}
}

// Fail ends a request as the Handler does when a login fails. It is for pages around the Handler.
// err may be any error: the page is that of the first *Error in it, or of its Code (ErrNotEnabled
// and session.ErrEnded have one), else that of CodeInternal. The log and Observe get all of it that
// they get of the cause of a refusal.
func (h *Handler) Fail(w http.ResponseWriter, r *http.Request, err error) {
	if isNil(err) { // also a nil *Error
		err = nil
	}
	var refusal *Error
	var code Code
	switch {
	case errors.As(err, &refusal) && refusal != nil:
		refusal = sessionRefused(err)
	case errors.Is(err, ErrNotConfigured):
		refusal = refuse(CodeNotConfigured, "single sign-on is not enabled", "", "").withCause(err)
	case errors.As(err, &code):
		refusal = refuse(code, "the request failed", "", "").withCause(err)
	default:
		refusal = refuse(CodeInternal, "the request failed", "", "").withCause(err)
	}
	h.fail(w, r, nil, refusal)
}

// sessionRefused is the refusal of a login that the application's Sessions refused. An *Error of
// theirs keeps its code and words.
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

// atStep names the step that refused.
func (e *Error) atStep(step string) *Error {
	e.Check = step
	return e
}

// A Page is what a user may be told about a refusal, for pages of your own (HandlerConfig.OnError).
// It has no secrets, no personal data, and nothing of the message or the settings. Its texts are
// plain text: escape them for HTML. Show Error.Code and Error.Reference with it.
type Page struct {
	Status   int    // of HTTP, 4xx or 5xx; with 503 the same request may succeed in a moment
	Title    string // a few words
	Sentence string // one or two sentences, with their periods
	Button   string // on a link that begins another login, "" if another login would be refused too
	// AskAdministrator says that the user cannot do anything about the refusal, and an
	// administrator can: by the reference.
	AskAdministrator bool
}

// Page returns what a user may be told about e.
func (e *Error) Page() Page {
	p := codes[e.Code].page
	switch {
	case e.page != nil:
		p = *e.page
	case p.Status == 0:
		p = defaultPage
	}
	if e.denial != "" {
		p.Sentence, p.AskAdministrator = e.denial, false // the application says whom to ask
	}
	return p
}

const again = "Sign in again"

// defaultPage is for codes that a user can do nothing about.
var defaultPage = Page{http.StatusForbidden, "You could not be signed in",
	"The response of the identity provider was refused.", again, true}

// cannotSignIn is for faults of this service or of its settings.
var cannotSignIn = Page{http.StatusInternalServerError, "You could not be signed in",
	"This service cannot sign anyone in at this moment.", again, true}

var noAddress = Page{http.StatusForbidden, "Your account has no usable e-mail address",
	"The identity provider must send your e-mail address as your name. Your administrator can fill in the e-mail field of your account.", again, false}

func signInAgain(sentence string) Page {
	return Page{http.StatusForbidden, "Please sign in again", sentence, again, false}
}

var errorPage = template.Must(template.New("error").Parse(`<!DOCTYPE html>
<html lang="{{.Language}}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{{.Title}}</title>
<style nonce="{{.Nonce}}">body{font:1rem/1.5 system-ui,sans-serif;color-scheme:light dark;max-width:34rem;margin:15vh auto;padding:0 1rem}small{opacity:.7}` + page.Style + `</style>
</head><body><main><h1>{{.Title}}</h1><p>{{.Sentence}}</p>
` + page.LinkHTML("") + `
{{with .Other}}<div>` + page.LinkHTML("") + `</div>
{{end}}<p><small>{{.CodeWord}} <code>{{.Code}}</code>, {{.ReferenceWord}} <code>{{.Reference}}</code></small></p></main></body></html>
`))

// writeErrorPage leads to login, if it is known and of use, else to Home.
func (h *Handler) writeErrorPage(w http.ResponseWriter, r *http.Request, err *Error, login page.Link) {
	shown, language := err.Page(), h.language(r)
	var other *linkedButton
	if login.To != "" && codes[err.Code].anotherAccount {
		other = &linkedButton{login, language.Say(textOtherAccount)}
		other.Link.To = addQuery(login.To, "fresh=1")
	}
	if login.To == "" || shown.Button == "" {
		login, shown.Button = page.Link{To: h.config.Home}, textStartPage
	}
	shown.Title, shown.Button = language.Say(shown.Title), language.Say(shown.Button)
	if err.denial == "" { // a sentence of the application is in the right language
		shown.Sentence = language.Say(shown.Sentence)
	}
	if shown.AskAdministrator {
		shown.Sentence += " " + language.Say(textAsk)
	}
	nonce := page.Headers(w)
	w.WriteHeader(shown.Status)
	errorPage.Execute(w, struct {
		Page
		Link                                                      page.Link
		Other                                                     *linkedButton
		Language, Nonce, CodeWord, Code, ReferenceWord, Reference string
		// the only possible error is that the browser went away
	}{shown, login, other, language.Name(), nonce, language.Say(textCode), string(err.Code),
		language.Say(textReference), err.Reference})
}

// A linkedButton is the data of page.LinkHTML.
type linkedButton struct {
	Link   page.Link
	Button string
}

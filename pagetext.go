package saml

import (
	"net/http"
	"slices"

	"github.com/iomete/saml/internal/page"
)

// What the Handler says in plain text, or on each page.
const (
	textSignIn         = "Sign in"
	textSigningIn      = "Signing in"
	textMethods        = "A sign-in is a GET or a POST."
	textOwnPage        = "Sign-in needs a page of its own."
	textSignedIn       = "You are signed in"
	textManyOpen       = "Many sign-ins are open in this browser, and a page of another site led here. To begin one more, press the button."
	textLost           = "The address of the page that you asked for could not be kept. Please open that page again."
	textNotSignedIn    = "You are not signed in."
	textNoAccess       = "You are signed in, but you do not have access to this page."
	textSessionUnknown = "The service cannot check your session right now. Please try again."
	textStartPage      = "Go to the start page"
	textOtherAccount   = "Use another account"
	textCode           = "Code"
	textReference      = "reference"
	textAsk            = "Your administrator can look up the reference below."
	textYourAddress    = "Your e-mail address at work"
	textSignedOutThere = "The identity provider has signed you out of this service."
	textWholeAddress   = "Please enter your whole e-mail address, such as name@example.com."
	textFormKept       = "Your form has not been sent"
	textFormWaits      = "You were signed out before the form arrived. Sign in in a new window, come back to this page and press Send again. The form waits here for an hour."
	textFormOther      = "The form was filled in with another account. Sign in with that account in a new window, come back to this page and press Send again."
	textFormUnsure     = "The service cannot check right now whether the form was sent before. Please press Send again in a moment."
	textFormUsed       = "The form may have been sent before. See whether it arrived before you fill it in once more."
	textFormTooOld     = "The form waited for more than an hour and cannot be sent any more. What you wrote cannot be shown. Please open the page with the form and fill it in once more."
	textFormUnreadable = "The service cannot open the form any more. What you wrote cannot be shown. Please open the page with the form and fill it in once more."
	textFormElsewhere  = "This form can be sent from its own page only."
	textFormSignedIn   = "Go back to the page with your form and press Send again. You can close this window."
)

// PageTexts returns the English texts that the pages and short answers of a Handler are made of,
// for a test that HandlerConfig.Language knows all of them. A release may add texts.
func PageTexts() []string {
	list := []string{textSignIn, textSigningIn, textMethods, textOwnPage, textSignedOutThere,
		textSignedIn, textManyOpen, textLost, textNotSignedIn,
		textNoAccess, textSessionUnknown, textStartPage, textOtherAccount, textCode, textReference, textAsk,
		textYourAddress, textWholeAddress, textFormKept, textFormWaits, textFormOther, textFormUnsure, textFormUsed,
		textFormTooOld, textFormUnreadable, textFormElsewhere, textFormSignedIn}
	list = append(list, page.Texts...)
	list = append(list, logoutTexts...)
	pages := []Page{defaultPage, logoutLater, messageUnread, signedOutMeanwhile}
	for _, row := range codes {
		pages = append(pages, row.page)
	}
	for _, p := range pages {
		list = append(list, p.Title, p.Sentence, p.Button)
	}
	slices.Sort(list)
	list = slices.Compact(list)
	return slices.DeleteFunc(list, func(s string) bool { return s == "" })
}

// language returns the language of the pages for r.
func (h *Handler) language(r *http.Request) page.Language {
	if h.config.Language == nil {
		return page.Language{}
	}
	tag, translate := h.config.Language(r)
	if tag == "" || translate == nil {
		return page.Language{}
	}
	return page.Language{Tag: tag, Translate: translate}
}

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
	textWholeAddress   = "Please enter your whole e-mail address, such as name@example.com."
)

// PageTexts returns the English texts that the pages and short answers of a Handler are made of,
// for a test that HandlerConfig.Language knows all of them. A release may add texts.
func PageTexts() []string {
	list := []string{textSignIn, textSigningIn, textMethods, textOwnPage, textSignedIn, textManyOpen, textLost, textNotSignedIn,
		textNoAccess, textSessionUnknown, textStartPage, textOtherAccount, textCode, textReference, textAsk,
		textYourAddress, textWholeAddress}
	list = append(list, page.Texts...)
	list = append(list, logoutTexts...)
	pages := []Page{defaultPage}
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

package saml

import (
	"net/http"
	"slices"

	"github.com/iomete/saml/internal/page"
)

// What the Handler says in plain text, or on each page.
const (
	textNotSignedIn    = "You are not signed in."
	textNoAccess       = "You are signed in, but you do not have access to this page."
	textSessionUnknown = "The service cannot check your session right now. Please try again."
	textStartPage      = "Go to the start page"
	textCode           = "Code"
	textReference      = "reference"
	textAsk            = "Your administrator can look up the reference below."
)

// PageTexts returns the English texts that the pages and short answers of a Handler are made of,
// for a test that HandlerConfig.Language knows all of them. A release may add texts.
func PageTexts() []string {
	list := []string{textNotSignedIn, textNoAccess, textSessionUnknown, textStartPage, textCode, textReference, textAsk}
	list = append(list, page.Texts...)
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

// language returns the language of the pages for r. translate returns a text in it, or the English
// one if there is no translation.
func (h *Handler) language(r *http.Request) (tag string, translate func(english string) string) {
	english := func(s string) string { return s }
	if h.config.Language == nil {
		return "en", english
	}
	tag, foreign := h.config.Language(r)
	if tag == "" || foreign == nil {
		return "en", english
	}
	return tag, func(s string) string {
		if s == "" {
			return ""
		}
		if t := foreign(s); t != "" {
			return t
		}
		return s
	}
}

// translate returns one text in the language of the pages for r.
func (h *Handler) translate(r *http.Request, english string) string {
	_, translate := h.language(r)
	return translate(english)
}

// Package page writes HTML pages that load nothing from elsewhere: their headers, with a
// Content-Security-Policy (CSP) and its nonce, and the page that posts a SAML message (the form of
// the HTTP-POST binding, SAML Bindings 2.0 §3.5.4).
package page

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"html/template"
	"io"
	"net/http"
	"strings"
)

// postTemplate posts its form at once by script. The button is for browsers without scripts. The
// script disables it, so that nothing is posted twice. Write puts the message where the last field
// of the form says so.
var postTemplate = template.Must(template.New("post").Parse(`<!DOCTYPE html>
<html lang="{{.Language}}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{{.Title}}</title>
<style nonce="{{.Nonce}}">body{font:1rem/1.5 system-ui,sans-serif;color-scheme:light dark;text-align:center;margin:20vh 1rem}button{font:inherit;padding:.5em 1.5em}</style>
</head><body><form method="post" action="{{.Action}}">{{if .Mark.Value}}<input type="hidden" name="{{.Mark.Name}}" value="{{.Mark.Value}}">{{end}}<input type="hidden" name="{{.Field}}" ` + messagePlace + `>
<noscript><p>{{.Press}}</p></noscript><button type="submit">{{.Continue}}</button></form>
<script nonce="{{.Nonce}}">document.forms[0].querySelector("button").disabled=true;document.forms[0].submit()</script>
</body></html>
`))

// messagePlace stands nowhere else in the page: the template escapes a quotation mark in a value.
const messagePlace = `value="message"`

// A Post is a page that posts one message.
type Post struct {
	Title  string
	Action string // where to post to: an absolute http or https URL; "" posts to the page's own address
	Field  string // name of the field that holds the message: SAMLResponse or SAMLRequest
	Mark   Field  // one more hidden field; it is left out if its Value is ""

	Language  string                      // of the page, a tag of RFC 5646; "" is "en"
	Translate func(english string) string // returns Title and the other Texts in Language; nil leaves them
}

const (
	textPress    = "Press Continue to go on."
	textContinue = "Continue"
)

// Texts are the English texts of a page, with the titles in use.
var Texts = []string{"Sign in", "Signing in", textPress, textContinue}

// A Field is a hidden field of a form.
type Field struct{ Name, Value string }

// Write answers with the page, status 200. All values are escaped, the message too. It is written
// behind the rest and without a copy of it: it may have 2 MiB, which a template would copy several
// times.
func (p Post) Write(w http.ResponseWriter, message []byte) {
	var page bytes.Buffer
	if p.Translate == nil {
		p.Translate = func(english string) string { return english }
	}
	p.Language, p.Title = cmp.Or(p.Language, "en"), p.Translate(p.Title)
	content := struct {
		Post
		Press, Continue, Nonce string
	}{p, p.Translate(textPress), p.Translate(textContinue), Headers(w)}
	if err := postTemplate.Execute(&page, content); err != nil {
		panic(err) // strings in a fixed template, written to memory
	}
	head, tail, _ := strings.Cut(page.String(), messagePlace)
	// The only possible error is that the browser went away.
	io.WriteString(w, head+`value="`)
	template.HTMLEscape(w, message) // writes what needs no escaping, such as base64, as one piece
	io.WriteString(w, `"`+tail)
}

// Headers sets the headers of a page that shows nothing from elsewhere: type, no caching, the
// policy. It returns the nonce for the page's script and style elements. The policy has no
// form-action, which Chromium applies to the redirects that follow a post, and no sandbox, whose
// opaque origin has no cookies.
func Headers(w http.ResponseWriter) (nonce string) {
	nonce = rand.Text()
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy",
		"default-src 'none'; script-src 'nonce-"+nonce+"'; style-src 'nonce-"+nonce+"'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	return nonce
}

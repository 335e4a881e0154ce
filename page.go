package saml

import (
	"bytes"
	"crypto/rand"
	"html/template"
	"io"
	"net/http"
	"strings"
)

// postTemplate posts its form at once by script. The button is for browsers without scripts, and the script disables it so that nothing is posted
// twice. write puts the message in where the last field says so.
var postTemplate = template.Must(template.New("post").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{{.Title}}</title>
<style nonce="{{.Nonce}}">body{font:1rem/1.5 system-ui,sans-serif;color-scheme:light dark;text-align:center;margin:20vh 1rem}button{font:inherit;padding:.5em 1.5em}</style>
</head><body><form method="post" action="{{.Action}}">{{with .Leg}}<input type="hidden" name="` + legField + `" value="{{.}}">{{end}}<input type="hidden" name="{{.Field}}" ` + messagePlace + `>
<noscript><p>Press Continue to go on.</p></noscript><button type="submit">Continue</button></form>
<script nonce="{{.Nonce}}">document.forms[0].querySelector("button").disabled=true;document.forms[0].submit()</script>
</body></html>
`))

// messagePlace stands nowhere else in the page: a quotation mark in a value is escaped.
const messagePlace = `value="message"`

// A postPage is a page that posts one message.
type postPage struct {
	Title  string
	Action string // where to: an absolute URL of ours or of the identity provider; "" posts to the page's own address
	Field  string // SAMLResponse or SAMLRequest
	Leg    string // "" writes none
	Nonce  string // filled in by write
}

// write answers with the page. A message in the alphabet of base64 is written as it is: none of its characters means anything in an attribute, and a
// message of 2 MiB would be copied several times by a template. Anything else is escaped.
func (p postPage) write(w http.ResponseWriter, message []byte) {
	p.Nonce = pageHeaders(w)
	var page bytes.Buffer
	if err := postTemplate.Execute(&page, p); err != nil {
		panic(err) // strings in a fixed template, written to memory
	}
	head, tail, _ := strings.Cut(page.String(), messagePlace)
	// The only possible error is that the browser went away.
	io.WriteString(w, head+`value="`)
	if looksLikeBase64(message) {
		w.Write(message)
	} else {
		template.HTMLEscape(w, message)
	}
	io.WriteString(w, `"`+tail)
}

// pageHeaders sets the headers of a page that shows nothing from elsewhere, and returns the nonce for its script and style.
// There is no form-action, which Chromium applies to the redirects that follow, and no sandbox, whose opaque origin has no cookies.
func pageHeaders(w http.ResponseWriter) (nonce string) {
	nonce = rand.Text()
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'nonce-"+nonce+"'; style-src 'nonce-"+nonce+"'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	return nonce
}

package saml

import (
	"crypto/rand"
	"html/template"
	"net/http"
)

// field is one hidden field of a posted form.
type field struct{ Name, Value string }

// postPage posts its form at once by script; the button is for browsers without scripts, and the script disables it so
// that nothing is posted twice.
var postPage = template.Must(template.New("post").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{{.Title}}</title>
<style nonce="{{.Nonce}}">body{font:1rem/1.5 system-ui,sans-serif;color-scheme:light dark;text-align:center;margin:20vh 1rem}button{font:inherit;padding:.5em 1.5em}</style>
</head><body><form method="post" action="{{.Action}}">{{range .Fields}}<input type="hidden" name="{{.Name}}" value="{{.Value}}">{{end}}
<noscript><p>Press Continue to go on.</p></noscript><button type="submit">Continue</button></form>
<script nonce="{{.Nonce}}">document.forms[0].querySelector("button").disabled=true;document.forms[0].submit()</script>
</body></html>
`))

// writePostPage answers with a page that posts the fields to action, an absolute URL of ours or of the identity provider.
func writePostPage(w http.ResponseWriter, title, action string, fields ...field) {
	nonce := pageHeaders(w)
	postPage.Execute(w, struct {
		Title, Nonce, Action string
		Fields               []field
	}{title, nonce, action, fields}) // an error is the browser's hanging up
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

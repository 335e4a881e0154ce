// Package page writes HTML pages that load nothing from elsewhere: their headers, with a
// Content-Security-Policy (CSP) and its nonce, and the page that posts a SAML message (the form of
// the HTTP-POST binding, SAML Bindings 2.0 §3.5.4).
package page

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"html/template"
	"net/http"
	"strings"
)

// A Fragment is a form that a page posts in place of what it does otherwise, if its own address has a
// fragment, which no server sees: the fragment is appended to Value. Browsers hand a fragment on when
// they follow a redirect, so that the page has the one of the address that the user opened. A fragment
// of more than Room bytes is left behind. Without an Action there is no such form.
type Fragment struct {
	Action string // where to post to: an absolute http or https URL
	Field  string // name of the field that holds Value
	Value  string
	Room   int // bytes
}

// The form of a Fragment, and the beginning of a script: what follows runs if it is not posted, and
// ends with one more brace. Post writes the same text without a template. Browsers percent-encode what is not ASCII in a fragment (URL Standard
// §4.4), so its length is that in bytes.
const (
	fragmentForm = `{{with .Fragment}}{{if .Action}}<form id="fragment" method="post" action="{{.Action}}">` +
		`<input type="hidden" name="{{.Field}}" value="{{.Value}}"></form>{{end}}{{end}}`
	fragmentScript = `const h=location.hash.replace(/\\/g,"%5C"),g=document.getElementById("fragment")
if(g&&h.length>1&&h.length<={{.Fragment.Room}}){g.elements[0].value+=h;g.submit()}else{`
)

const (
	textPress    = "Press Continue to go on."
	textContinue = "Continue"
	textFramed   = "You are not signed in here. The sign-in needs a window of its own."
	textSignIn   = "Sign in"
	textWindow   = "Sign in in a new window"
	textAgain    = "Send again"
)

// Texts are the English texts of the pages, apart from those that a caller gives.
var Texts = []string{textPress, textContinue, textFramed, textSignIn, textWindow, textAgain}

// A Language is what a page is written in. The zero value is English.
type Language struct {
	Tag       string                      // of RFC 5646
	Translate func(english string) string // returns plain text, or "" to leave the English one
}

// Name returns the tag for the page.
func (l Language) Name() string {
	if l.Tag == "" || l.Translate == nil {
		return "en"
	}
	return l.Tag
}

// Say returns a text in the language.
func (l Language) Say(english string) string {
	if english == "" || l.Translate == nil {
		return english
	}
	return cmp.Or(l.Translate(english), english)
}

// A Field is a hidden field of a form.
type Field struct{ Name, Value string }

// A Link is where a button of a page leads: a link to To. If it has a Field, it is a form that posts
// Value to To, for what is too long for an address: proxies limit requests and answers.
type Link struct{ To, Field, Value string }

// LinkHTML returns the part of a template that shows the fields Link and Button of its data.
// attributes are HTML for the link or form, "" for none.
func LinkHTML(attributes string) string {
	if attributes != "" {
		attributes = " " + attributes
	}
	return `{{if .Link.Field}}<form method="post" action="{{.Link.To}}"` + attributes +
		`><input type="hidden" name="{{.Link.Field}}" value="{{.Link.Value}}"><button type="submit">{{.Button}}</button></form>` +
		`{{else}}<a href="{{.Link.To}}"` + attributes + `>{{.Button}}</a>{{end}}`
}

// Style is the style sheet of pages with one button.
const Style = `a,button{display:inline-block;box-sizing:border-box;font:inherit;border:1px solid;border-radius:.3em;padding:.5em 1.5em;background:none;text-decoration:none;color:inherit;cursor:pointer}`

const style = `body{font:1rem/1.5 system-ui,sans-serif;color-scheme:light dark;text-align:center;margin:20vh 1rem}` + Style

// A Leave is a page that goes to another address at once, as a redirect does. It can keep a text in
// the tab first.
type Leave struct {
	Title string
	To    string // an absolute http or https URL, or a local path
	Keep  string // see Post

	// TakeFragment says that To gets the fragment of the page's own address, as with a redirect.
	TakeFragment bool

	// Fragment is posted instead if the address of the page has a fragment.
	Fragment Fragment

	WithoutLink bool     // for a frame, whose pages must have none
	FramedBy    []string // see AllowFrames
	Language    Language
}

// Browsers without scripts follow the meta element.
var leaveTemplate = template.Must(template.New("leave").Parse(`<!DOCTYPE html>
<html lang="{{.Language.Name}}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{{.Title}}</title>
<noscript><meta http-equiv="refresh" content="0;url={{.To}}"></noscript>
<style nonce="{{.Nonce}}">` + style + `</style>
</head><body>` + fragmentForm + `{{if not .WithoutLink}}<p><a href="{{.To}}">{{.Continue}}</a></p>{{end}}
<script nonce="{{.Nonce}}">{` + fragmentScript + `
{{- if .Keep}}try{sessionStorage.setItem("saml-return",{{.Keep}})}catch(e){};{{end -}}
{{if .TakeFragment}}if(h)location.replace({{.To}}+h);else {{end}}location.replace({{.To}})}}</script>
</body></html>
`))

// Write answers with the page, status 200.
func (l Leave) Write(w http.ResponseWriter) {
	l.Title = l.Language.Say(l.Title)
	write(w, leaveTemplate, http.StatusOK, struct {
		Leave
		Continue, Nonce string
	}{l, l.Language.Say(textContinue), Headers(w, l.FramedBy...)})
}

// A Notice is a page with one sentence and one link.
type Notice struct {
	Status                  int // 0 means 200
	Title, Sentence, Button string
	Link                    Link

	Language Language
}

var noticeTemplate = template.Must(template.New("notice").Parse(`<!DOCTYPE html>
<html lang="{{.Language.Name}}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{{.Title}}</title>
<style nonce="{{.Nonce}}">` + style + `</style>
</head><body><main><h1>{{.Title}}</h1><p>{{.Sentence}}</p>` + LinkHTML("") + `</main></body></html>
`))

// Write answers with the page.
func (n Notice) Write(w http.ResponseWriter) {
	n.Title, n.Sentence, n.Button = n.Language.Say(n.Title), n.Language.Say(n.Sentence), n.Language.Say(n.Button)
	write(w, noticeTemplate, cmp.Or(n.Status, http.StatusOK), struct {
		Notice
		Nonce string
	}{n, Headers(w)})
}

// A Plain is a page with some sentences, and nothing to click on.
type Plain struct {
	Title, Sentence string
	Advice          string  // one more sentence, "" for none
	Notes           []Field // words and values in small print, in the language of the page

	FramedBy []string // see AllowFrames
	Language Language
}

var plainTemplate = template.Must(template.New("plain").Parse(`<!DOCTYPE html>
<html lang="{{.Language.Name}}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{{.Title}}</title>
<style nonce="{{.Nonce}}">` + style + `</style>
</head><body><main><h1>{{.Title}}</h1><p>{{.Sentence}}{{with .Advice}} {{.}}{{end}}</p>
` + notes + `</main></body></html>
`))

// notes shows the field Notes of a page.
const notes = `{{if .Notes}}<p><small>{{range $i, $note := .Notes}}{{if $i}}, {{end}}{{.Name}} <code>{{.Value}}</code>{{end}}</small></p>
{{end}}`

// Write answers with the page.
func (p Plain) Write(w http.ResponseWriter, status int) {
	p.Title, p.Sentence, p.Advice = p.Language.Say(p.Title), p.Language.Say(p.Sentence), p.Language.Say(p.Advice)
	write(w, plainTemplate, status, struct {
		Plain
		Nonce string
	}{p, Headers(w, p.FramedBy...)})
}

// A Framed is a page for a frame: a button that opens a window, since identity providers do not let
// their pages be framed. A fragment of the page's own address goes along, in a form only if it has at
// most Room bytes.
type Framed struct {
	Link     Link
	Room     int
	Language Language
}

var framedTemplate = template.Must(template.New("framed").Parse(`<!DOCTYPE html>
<html lang="{{.Language.Name}}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{{.SignIn}}</title>
<style nonce="{{.Nonce}}">` + style + `</style>
</head><body><p>{{.Sentence}}</p>` + LinkHTML(`target="_blank" rel="noopener"`) + `
<script nonce="{{.Nonce}}">{const h=location.hash.replace(/\\/g,"%5C"),f=document.forms[0]
if(!f)document.querySelector("a").hash=h;else if(h.length>1&&h.length<={{.Room}})f.elements[0].value+=h}</script>
</body></html>
`))

// Write answers with the page, status 401. It is the only page of ours that all others may frame: its
// button does what a link on their own page can do.
func (f Framed) Write(w http.ResponseWriter) {
	nonce := Headers(w)
	w.Header().Set("Content-Security-Policy", strings.TrimSuffix(w.Header().Get("Content-Security-Policy"), noFrames))
	write(w, framedTemplate, http.StatusUnauthorized, struct {
		Framed
		SignIn, Sentence, Button, Nonce string
	}{f, f.Language.Say(textSignIn), f.Language.Say(textFramed), f.Language.Say(textWindow), nonce})
}

func write(w http.ResponseWriter, t *template.Template, status int, content any) {
	var page bytes.Buffer
	if err := t.Execute(&page, content); err != nil {
		panic(err) // strings in a fixed template, written to memory
	}
	w.WriteHeader(status)
	w.Write(page.Bytes()) // the only possible error is that the browser went away
}

const noFrames = "; frame-ancestors 'none'"

// AllowFrames lets the pages of these origins show an answer in a frame, and no others. Each origin is
// a source of a Content-Security-Policy ("https://idp.example.com"); the caller makes sure that it is
// nothing else. It is for answers that are no pages of this package.
func AllowFrames(w http.ResponseWriter, origins []string) {
	w.Header().Set("Content-Security-Policy", strings.TrimPrefix(frames(origins), "; "))
	w.Header().Del("X-Frame-Options")
}

func frames(origins []string) string {
	if len(origins) == 0 {
		return noFrames
	}
	return "; frame-ancestors " + strings.Join(origins, " ")
}

// Headers sets the headers of a page that shows nothing from elsewhere: type, no caching, the
// policy. framedBy are the origins whose pages may frame it, as for AllowFrames. It returns the nonce
// for the page's script and style elements. The policy has no form-action, which Chromium applies to
// the redirects that follow a post, and no sandbox, whose opaque origin has no cookies.
func Headers(w http.ResponseWriter, framedBy ...string) (nonce string) {
	nonce = rand.Text()
	h := w.Header()
	values := [...]string{"text/html; charset=utf-8", "no-store", "default-src 'none'; script-src 'nonce-" + nonce +
		"'; style-src 'nonce-" + nonce + "'; base-uri 'none'" + frames(framedBy), "same-origin", "nosniff"}
	// one array for all values; each header can grow by itself only
	h["Content-Type"] = values[0:1:1]
	h["Cache-Control"] = values[1:2:2]
	h["Content-Security-Policy"] = values[2:3:3]
	if len(framedBy) > 0 { // a middleware in front may have forbidden it
		h.Del("X-Frame-Options")
	}
	h["Referrer-Policy"] = values[3:4:4]
	h["X-Content-Type-Options"] = values[4:5:5]
	return nonce
}

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
<html lang="{{.Language.Name}}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{{.Title}}</title>
<style nonce="{{.Nonce}}">body{font:1rem/1.5 system-ui,sans-serif;color-scheme:light dark;text-align:center;margin:20vh 1rem}button{font:inherit;padding:.5em 1.5em}</style>
</head><body><form method="post" action="{{.Action}}">{{range .Marks}}{{if .Value}}<input type="hidden" name="{{.Name}}" value="{{.Value}}">{{end}}{{end}}<input type="hidden" name="{{.Field}}" ` + messagePlace + `>
<noscript><p>{{.Press}}</p></noscript><button type="submit">{{.Continue}}</button></form>
<script nonce="{{.Nonce}}">{const f=document.forms[0]
{{- if .Keep}};try{sessionStorage.setItem("saml-return",{{.Keep}})}catch(e){}{{end}}
{{- if .Load}};try{const v=sessionStorage.getItem("saml-return");if(v){const i=document.createElement("input");i.type='hidden';i.name={{.Load}};i.value=v;f.appendChild(i)}}catch(e){}{{end}}
f.querySelector("button").disabled=true;f.submit()}</script>
</body></html>
`))

// messagePlace stands nowhere else in the page: the template escapes a quotation mark in a value.
const messagePlace = `value="message"`

// A Post is a page that posts one message.
type Post struct {
	Title  string
	Action string  // where to post to: an absolute http or https URL; "" posts to the page's own address
	Field  string  // name of the field that holds the message, such as SAMLResponse
	Marks  []Field // more hidden fields; one whose Value is "" is left out

	// Keep is a text that the tab keeps for a later page of the same origin (sessionStorage), ""
	// for nothing. Load is the name of a field that gets what the tab has kept, "" for none. Without
	// scripts, or if the browser forbids it, there is no such field.
	Keep, Load string

	Language Language
}

const (
	textPress    = "Press Continue to go on."
	textContinue = "Continue"
	textFramed   = "You are not signed in here. The sign-in needs a window of its own."
	textSignIn   = "Sign in"
	textWindow   = "Sign in in a new window"
)

// Texts are the English texts of the pages, apart from those that a caller gives.
var Texts = []string{textPress, textContinue, textFramed, textSignIn, textWindow}

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

// Write answers with the page, status 200. All values are escaped, the message too. It is written
// behind the rest and without a copy of it: it may have 2 MiB, which a template would copy several
// times.
func (p Post) Write(w http.ResponseWriter, message []byte) {
	var page bytes.Buffer
	p.Title = p.Language.Say(p.Title)
	content := struct {
		Post
		Press, Continue, Nonce string
	}{p, p.Language.Say(textPress), p.Language.Say(textContinue), Headers(w)}
	if err := postTemplate.Execute(&page, content); err != nil {
		panic(err) // strings in a fixed template, written to memory
	}
	head, tail, _ := strings.Cut(page.String(), messagePlace)
	// The only possible error is that the browser went away.
	io.WriteString(w, head+`value="`)
	template.HTMLEscape(w, message) // writes what needs no escaping, such as base64, as one piece
	io.WriteString(w, `"`+tail)
}

const style = `body{font:1rem/1.5 system-ui,sans-serif;color-scheme:light dark;text-align:center;margin:20vh 1rem}a{display:inline-block;border:1px solid;border-radius:.3em;padding:.5em 1.5em;text-decoration:none;color:inherit}`

// A Leave is a page that goes to another address at once, as a redirect does. It can keep a text in
// the tab first, and it can take along the fragment of its own address, which no server sees.
type Leave struct {
	Title string
	To    string // an absolute http or https URL, or a local path
	Keep  string // see Post

	// Action, Field and Value are a form that is posted instead if the address of the page has a
	// fragment, which is appended to the value. An Action of "" means that a fragment is ignored.
	Action, Field, Value string

	Language Language
}

// Browsers without scripts follow the meta element. Browsers hand a fragment on when they follow a
// redirect, so that this page has the one of the address that the user opened.
var leaveTemplate = template.Must(template.New("leave").Parse(`<!DOCTYPE html>
<html lang="{{.Language.Name}}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{{.Title}}</title>
<noscript><meta http-equiv="refresh" content="0;url={{.To}}"></noscript>
<style nonce="{{.Nonce}}">` + style + `</style>
</head><body>{{if .Action}}<form method="post" action="{{.Action}}"><input type="hidden" name="{{.Field}}" value="{{.Value}}"></form>{{end}}<p><a href="{{.To}}">{{.Continue}}</a></p>
<script nonce="{{.Nonce}}">{const f=document.forms[0],h=location.hash
if(f&&h.length>1){f.elements[0].value+=h.replace(/\\/g,"%5C");f.submit()}
else{ {{- if .Keep}}try{sessionStorage.setItem("saml-return",{{.Keep}})}catch(e){} {{end -}} location.replace({{.To}})}}</script>
</body></html>
`))

// Write answers with the page, status 200.
func (l Leave) Write(w http.ResponseWriter) {
	l.Title = l.Language.Say(l.Title)
	write(w, leaveTemplate, http.StatusOK, struct {
		Leave
		Continue, Nonce string
	}{l, l.Language.Say(textContinue), Headers(w)})
}

// A Notice is a page with one sentence and one link.
type Notice struct {
	Title, Sentence, Link, Button string

	Language Language
}

var noticeTemplate = template.Must(template.New("notice").Parse(`<!DOCTYPE html>
<html lang="{{.Language.Name}}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{{.Title}}</title>
<style nonce="{{.Nonce}}">` + style + `</style>
</head><body><main><h1>{{.Title}}</h1><p>{{.Sentence}}</p><p><a href="{{.Link}}">{{.Button}}</a></p></main></body></html>
`))

// Write answers with the page, status 200.
func (n Notice) Write(w http.ResponseWriter) {
	n.Title, n.Sentence, n.Button = n.Language.Say(n.Title), n.Language.Say(n.Sentence), n.Language.Say(n.Button)
	write(w, noticeTemplate, http.StatusOK, struct {
		Notice
		Nonce string
	}{n, Headers(w)})
}

// A Framed is a page for a frame: a link that opens a window, since identity providers do not let
// their pages be framed.
type Framed struct {
	To       string
	Language Language
}

var framedTemplate = template.Must(template.New("framed").Parse(`<!DOCTYPE html>
<html lang="{{.Language.Name}}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{{.SignIn}}</title>
<style nonce="{{.Nonce}}">` + style + `</style>
</head><body><p>{{.Sentence}}</p><p><a href="{{.To}}" target="_blank" rel="noopener">{{.Window}}</a></p></body></html>
`))

// Write answers with the page, status 401. It is the only page of ours that others may frame: its
// link does what a link on their own page can do.
func (f Framed) Write(w http.ResponseWriter) {
	nonce := Headers(w)
	w.Header().Set("Content-Security-Policy", strings.TrimSuffix(w.Header().Get("Content-Security-Policy"), noFrames))
	write(w, framedTemplate, http.StatusUnauthorized, struct {
		Framed
		SignIn, Sentence, Window, Nonce string
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
		"default-src 'none'; script-src 'nonce-"+nonce+"'; style-src 'nonce-"+nonce+"'; base-uri 'none'"+noFrames)
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	return nonce
}

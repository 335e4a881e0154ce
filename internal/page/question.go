package page

import (
	"html/template"
	"net/http"
)

// A Question is a page with a form that asks for an e-mail address and posts it to the page's own
// address. It works without scripts. With them it also keeps the fragment of its address, which no
// server sees.
type Question struct {
	Title, Label string

	Field     string // name of the field for the address
	Value     string // what was typed before, "" at first
	MaxLength int    // of the address, in characters
	Problem   string // what is wrong with Value, "" if nothing is

	Kept    Field // a hidden field with an address that the fragment belongs to; none if its Value is ""
	MaxKept int   // bytes of that address with the fragment; without it if that is longer

	Notes []Field // words and values in small print, in the language of the page

	Language Language
}

// The browser's own check is off (novalidate): it refuses addresses with letters beyond ASCII, and
// says nothing that our own sentence does not say.
var questionTemplate = template.Must(template.New("question").Parse(`<!DOCTYPE html>
<html lang="{{.Language.Name}}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{{.Title}}</title>
<style nonce="{{.Nonce}}">body{font:1rem/1.5 system-ui,sans-serif;color-scheme:light dark;max-width:24rem;margin:15vh auto;padding:0 1rem}input{box-sizing:border-box;display:block;width:100%;font:inherit;padding:.5em}button{font:inherit;padding:.5em 1.5em}</style>
</head><body><main><h1>{{.Title}}</h1><form method="post" novalidate>
{{if .Problem}}<p id="problem" role="alert">{{.Problem}}</p>
{{end}}<p><label for="address">{{.Label}}</label>
<input id="address" type="email" name="{{.Field}}" value="{{.Value}}" autocomplete="email" autocapitalize="none" spellcheck="false" maxlength="{{.MaxLength}}" required autofocus{{if .Problem}} aria-invalid="true" aria-describedby="problem"{{end}}></p>
{{if .Kept.Value}}<input type="hidden" name="{{.Kept.Name}}" value="{{.Kept.Value}}">
{{end}}<p><button type="submit">{{.Continue}}</button></p></form>
` + notes + `</main>
{{if .Kept.Value}}<script nonce="{{.Nonce}}">{const i=document.forms[0].elements[{{.Kept.Name}}],h=location.hash.replace(/\\/g,"%5C")
if(h.length>1&&!i.value.includes("#")&&i.value.length+h.length<={{.MaxKept}})i.value+=h}</script>
{{end}}</body></html>
`))

// Write answers with the page.
func (q Question) Write(w http.ResponseWriter, status int) {
	q.Title, q.Label, q.Problem = q.Language.Say(q.Title), q.Language.Say(q.Label), q.Language.Say(q.Problem)
	write(w, questionTemplate, status, struct {
		Question
		Continue, Nonce string
	}{q, q.Language.Say(textContinue), Headers(w)})
}

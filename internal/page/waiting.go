package page

import (
	"html/template"
	"net/http"
)

// A Waiting is a page on which a form waits until the user has signed in, in a window that its link
// opens. Its button posts the form to the address of the page. Nothing posts it without the button.
type Waiting struct {
	Title, Sentence string
	Form            Field // the form, sealed
	Link            Link  // where the user signs in; none if To is ""

	Language Language
}

// The script keeps a double click from sending the form twice: the browser would show what becomes
// of the second one, which is refused. The page may be shown again by the Back button.
var waitingTemplate = template.Must(template.New("waiting").Parse(`<!DOCTYPE html>
<html lang="{{.Language.Name}}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{{.Title}}</title>
<style nonce="{{.Nonce}}">` + style + `</style>
</head><body><main><h1>{{.Title}}</h1><p>{{.Sentence}}</p>
{{if .Link.To}}<p>` + LinkHTML(`target="_blank" rel="noopener"`) + `</p>
{{end}}<form id="form" method="post" autocomplete="off"><input type="hidden" name="{{.Form.Name}}" value="{{.Form.Value}}"><p><button type="submit">{{.Again}}</button></p></form></main>
<script nonce="{{.Nonce}}">{let sent=false;addEventListener("pageshow",()=>{sent=false})
document.getElementById("form").addEventListener("submit",e=>{if(sent)e.preventDefault();sent=true})}</script>
</body></html>
`))

// Write answers with the page.
func (p Waiting) Write(w http.ResponseWriter, status int) {
	p.Title, p.Sentence = p.Language.Say(p.Title), p.Language.Say(p.Sentence)
	write(w, waitingTemplate, status, struct {
		Waiting
		Button, Again, Nonce string
	}{p, p.Language.Say(textWindow), p.Language.Say(textAgain), Headers(w)})
}

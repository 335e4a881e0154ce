package samltest

import (
	"html/template"
	"net/http"
)

// page is one of: an error, a response on its way, the applications, a choice of users.
type page struct {
	Error error

	Action, SAMLResponse, RelayState string

	Apps []Application

	Method string // of the request that waits for the choice
	Kept   []hiddenField
	Users  []User
}

type hiddenField struct{ Name, Value string }

func showError(w http.ResponseWriter, err error) { show(w, page{Error: err}) }

// showChoice asks who signs in. The form repeats the request, by the method that it came by.
func (p *IdentityProvider) showChoice(w http.ResponseWriter, r *http.Request) {
	choice := page{Method: r.Method, Users: p.users}
	for _, name := range []string{"SAMLRequest", "RelayState", "app"} {
		if value := r.Form.Get(name); value != "" {
			choice.Kept = append(choice.Kept, hiddenField{name, value})
		}
	}
	show(w, choice)
}

func show(w http.ResponseWriter, content page) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	pages.Execute(w, content) // an error is the browser's hanging up
}

var pages = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Test identity provider</title>
<style>body{font:1rem/1.5 system-ui,sans-serif;color-scheme:light dark;max-width:34rem;margin:10vh auto;padding:0 1rem}
button{font:inherit;display:block;width:100%;text-align:left;margin:.4em 0;padding:.5em 1em}</style>
</head><body><h1>Test identity provider</h1><p><strong>Not for production: nobody's password is asked.</strong></p>
{{if .Error}}<h2>You cannot be signed in</h2><p id="error">{{.Error}}</p>
{{else if .SAMLResponse}}<form method="post" action="{{.Action}}"><input type="hidden" name="SAMLResponse" value="{{.SAMLResponse}}">
{{if .RelayState}}<input type="hidden" name="RelayState" value="{{.RelayState}}">{{end}}<button type="submit">Continue</button></form>
<script>document.forms[0].submit()</script>
{{else if .Users}}<h2>Who signs in?</h2><form id="choice" method="{{.Method}}">{{range .Kept}}<input type="hidden" name="{{.Name}}" value="{{.Value}}">{{end}}
{{range .Users}}<button type="submit" name="user" value="{{or .UserPrincipalName .Mail}}">{{.DisplayName}}: {{if .Mail}}{{.Mail}}{{else}}no e-mail address{{end}}{{if .Unassigned}}, not assigned{{end}}</button>
{{end}}</form>
{{else}}<h2>My Apps</h2>{{range .Apps}}<p><a href="?app={{.Identifier}}">{{.Identifier}}</a></p>
{{else}}<p>No application is registered.</p>{{end}}{{end}}</body></html>
`))

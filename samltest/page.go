package samltest

import (
	"html/template"
	"net/http"
)

// page shows an error, a form that posts a response, the end of a logout, the applications, or a choice
// of users.
type page struct {
	Error error

	Action, SAMLResponse, RelayState string // of the form that posts a response

	SignedOut bool
	Frames    []frame        // load the Logout URLs of applications
	Next      string         // address to go to when they have loaded, "" for none
	Answered  *LogoutMessage // the LogoutResponse of an application

	Apps []Application

	Method string        // of the form with the choice
	Kept   []hiddenField // parameters of the request, which the choice sends again
	Users  []User
}

type hiddenField struct{ Name, Value string }

func showError(w http.ResponseWriter, err error) { show(w, page{Error: err}) }

// showChoice asks who signs in. Its form sends the same request again, with the same method.
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
	write(w, http.StatusOK, "page", content)
}

func write(w http.ResponseWriter, status int, name string, content any) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	pages.ExecuteTemplate(w, name, content) // the only possible error is that the browser went away
}

// pageTitle is that of all pages.
const pageTitle = "Test identity provider"

var pages = template.Must(template.New("").Parse(`
{{define "top"}}<!DOCTYPE html>
<html lang="en"><head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>` + pageTitle + `</title>
<style>
body{font:1rem/1.5 system-ui,sans-serif;color-scheme:light dark;max-width:34rem;margin:10vh auto;padding:0 1rem}
button{font:inherit;display:block;width:100%;text-align:left;margin:.4em 0;padding:.5em 1em}
input[type=url]{font:inherit;box-sizing:border-box;width:100%;padding:.4em}
pre{overflow-x:auto}
code{overflow-wrap:anywhere}
</style>
</head><body><h1>Test identity provider</h1>
<p><strong>Not for production: it asks for no password.</strong></p>{{end}}

{{define "users"}}{{range .}}<button type="submit" name="user" value="{{or .UserPrincipalName .Mail}}">
{{- .DisplayName}}: {{if .Mail}}{{.Mail}}{{else}}no e-mail address{{end}}{{if .Unassigned}}, not assigned{{end -}}
</button>
{{end}}{{end}}

{{define "frames"}}{{range .}}<p>{{.Application}}<br><iframe src="{{.Address}}" title="Sign-out of {{.Application}}"></iframe></p>
{{end}}{{end}}

{{define "page"}}{{template "top"}}
{{if .Error}}<h2>You cannot be signed in</h2><p id="error">{{.Error}}</p>
{{else if .SAMLResponse}}<form method="post" action="{{.Action}}">
<input type="hidden" name="SAMLResponse" value="{{.SAMLResponse}}">
{{if .RelayState}}<input type="hidden" name="RelayState" value="{{.RelayState}}">{{end -}}
<button type="submit">Continue</button></form>
{{template "frames" .Frames -}}
<script>{{if .Frames}}addEventListener("load", () => document.forms[0].submit()){{else}}document.forms[0].submit(){{end}}</script>
{{else if .SignedOut}}<h2>You are signed out</h2>{{template "frames" .Frames}}
{{if .Next}}<p><a id="next" href="{{.Next}}">Continue</a></p>
<script>addEventListener("load", () => document.getElementById("next").click())</script>{{end}}
{{else if .Answered}}<h2>The application answered</h2>
<p id="answered">{{.Answered.Application}}: {{.Answered.Status}} {{.Answered.SubStatus}}</p>
{{else if .Users}}<h2>Who signs in?</h2><form id="choice" method="{{.Method}}">
{{range .Kept}}<input type="hidden" name="{{.Name}}" value="{{.Value}}">{{end}}
{{template "users" .Users}}</form>
{{else}}<h2>My Apps</h2>{{range .Apps}}<p><a href="?app={{.Identifier}}">{{.Identifier}}</a></p>
{{else}}<p>No application is registered.</p>{{end}}{{end}}</body></html>{{end}}

{{define "home"}}{{template "top"}}
<h2>Users</h2>
{{if .SignedIn}}<p>Signed in here: <b id="signed-in">{{.SignedIn}}</b>.
Applications get this user without a question.</p>
<form method="post" action="{{.Root}}signout"><button type="submit" id="sign-out">Sign out</button></form>
{{else}}<p>Nobody is signed in here, so each sign-in at an application asks who signs in.
To stop these questions, sign in here:</p>
<form method="post" action="{{.Root}}signin" id="users">{{template "users" .Users}}</form>
{{end}}
<h2>Applications</h2>
{{range .Apps}}<p><a class="start" href="{{$.Root}}myapps?app={{.Identifier}}">{{.Identifier}}</a>
{{- if not .SignOnURL}}<br>
<small>Without a Sign-on URL: this link starts an unsolicited (IdP-initiated) sign-in.</small>{{end}}</p>
{{else}}<p>No application is registered.</p>{{end}}
<form method="post" action="{{.Root}}register" id="register">
<p><label>Redirect URL of an application. It becomes its Identifier, Reply URL and Sign-on URL:<br>
<input type="url" name="redirect_url" value="{{.Rejected}}"></label></p>
{{if .Error}}<p id="error">{{.Error}}</p>{{end}}
<p><label>Logout URL, if it has one:<br>
<input type="url" name="logout_url"></label></p>
<p><label><input type="checkbox" name="blank_sign_on_url" value="yes"> Leave the Sign-on URL blank</label></p>
<button type="submit">Register</button></form>
<h2>Signing keys</h2>
<p>The metadata has all of them at once. To roll over: add a key, sign with it, remove the other one.</p>
<form method="post" id="keys">
{{range .Keys}}<p><code class="key">{{.Thumbprint}}</code>{{if .Active}} signs{{end}}</p>
{{if not .Active}}<button type="submit" class="activate" name="key" value="{{.Thumbprint}}" formaction="{{$.Root}}keys/activate">Sign with this key</button>
<button type="submit" class="remove" name="key" value="{{.Thumbprint}}" formaction="{{$.Root}}keys/remove">Remove this key</button>
{{end}}{{end}}<button type="submit" id="add-key" formaction="{{.Root}}keys/add">Add a key</button></form>
<h2>For the application</h2>
<p><a id="metadata" href="{{.MetadataURL}}" download="federationmetadata.xml">Federation Metadata XML</a>,
or its address:<br><code>{{.MetadataURL}}</code></p>
<p>Or copy the three values.</p>
<p>Microsoft Entra Identifier:<br><code id="entity-id">{{.EntityID}}</code></p>
<p>Login URL:<br><code id="login-url">{{.LoginURL}}</code></p>
<p>Certificate (Base64):</p><pre id="certificate">{{.Certificate}}</pre>
</body></html>{{end}}
`))

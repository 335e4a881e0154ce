// Package pages is the service itself, which does not know how its users sign in.
package pages

import (
	"html/template"
	"net/http"
)

// Administrator is the role that opens the pages for administrators.
const Administrator = "Administrator"

// A User is what the pages show.
type User struct {
	Email, Name string
	Groups      []string
}

var page = template.Must(template.New("").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Migration</title></head><body>
{{with .User}}<h1>Hello, {{.Name}}</h1><p>{{.Email}} reads {{$.Page}}</p>
<ul>{{range .Groups}}<li>{{.}}</li>{{end}}</ul>
<form method="post" action="/sign-out"><button>Sign out</button></form>
{{else}}<h1>Goodbye</h1><p><a href="/">Sign in again</a></p>{{end}}</body></html>
`))

type content struct {
	User *User
	Page string // path and query
}

// Home is a page for a user.
func Home(w http.ResponseWriter, r *http.Request, u User) {
	w.Header().Set("Cache-Control", "no-store")
	page.Execute(w, content{&u, r.URL.RequestURI()}) // the only possible error is that the browser went away
}

// Goodbye is the public page after a sign-out.
func Goodbye(w http.ResponseWriter, _ *http.Request) { page.Execute(w, content{}) }

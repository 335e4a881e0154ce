package samltest

import (
	"bytes"
	"fmt"
	"html/template"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/beevik/etree"
)

// Application is what an administrator registers in Basic SAML Configuration.
type Application struct {
	Identifier string   // "Identifier (Entity ID)": the Issuer of requests
	ReplyURLs  []string // "Reply URL": the first one is the default
	SignOnURL  string   // where My Apps sends users; not looked at when a request comes
}

// Register makes an application known. One with the same Identifier is replaced.
func (p *IdentityProvider) Register(app Application) {
	p.mu.Lock()
	defer p.mu.Unlock()
	apps := slices.DeleteFunc(slices.Clone(p.apps), func(a Application) bool { return a.Identifier == app.Identifier })
	p.apps = append(apps, app)
}

func (p *IdentityProvider) application(identifier string) (Application, bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	for _, a := range p.apps {
		if a.Identifier == identifier {
			return a, true
		}
	}
	return Application{}, false
}

// SignInAs makes u the user who is signed in at the provider, whoever asks from now on.
func (p *IdentityProvider) SignInAs(u User) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.signedIn = &u
}

// ServeHTTP serves the metadata and the login URL.
func (p *IdentityProvider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	base, err := url.Parse(p.address(""))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	switch strings.TrimPrefix(r.URL.Path, base.Path) {
	case "federationmetadata/2007-06/federationmetadata.xml":
		p.serveMetadata(w)
	case "saml2":
		p.serveLogin(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (p *IdentityProvider) serveMetadata(w http.ResponseWriter) {
	document, err := p.Metadata()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/xml; charset=utf-8")
	w.Write(document)
}

const maxRequest = 1 << 20

// serveLogin takes an authentication request by either binding. Whatever is wrong with it ends here, on a page for the user; the
// service provider hears nothing of it, as with Entra.
func (p *IdentityProvider) serveLogin(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxRequest)
	if err := r.ParseForm(); err != nil {
		p.servePage(w, page{Error: aadsts(75005, "the form cannot be read").Error()})
		return
	}
	request, app, err := p.readRequest(r)
	if err != nil {
		p.servePage(w, page{Error: err.Error()})
		return
	}
	user, ok := p.who(r)
	if !ok {
		p.servePage(w, p.choice(r))
		return
	}
	if user.Unassigned {
		p.servePage(w, page{Error: aadsts(50105, "the user %q is not assigned to the application", user.UserPrincipalName).Error()})
		return
	}
	answer := Answer{User: user, RequestID: request.ID, Recipient: request.RedirectURL, Audience: app.Identifier}
	if request.NameIDFormat == FormatPersistent {
		answer.NameID, answer.NameIDFormat = p.pairwise(app.Identifier, user), FormatPersistent
	}
	if request.ForceAuthn {
		answer.AuthnInstant = p.now()
	}
	form, err := p.Respond(answer)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	p.servePage(w, page{Action: request.RedirectURL, SAMLResponse: form, RelayState: r.Form.Get("RelayState")})
}

// who finds the user: named by the page below, by login_hint, or signed in already.
func (p *IdentityProvider) who(r *http.Request) (User, bool) {
	for _, hint := range []string{r.Form.Get("user"), r.Form.Get("login_hint")} {
		for _, u := range p.users {
			if u.answersTo(hint) {
				return u, true
			}
		}
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.signedIn != nil {
		return *p.signedIn, true
	}
	return User{}, false
}

// page is one of: an error, a choice of users, a response on its way.
type page struct {
	Error string

	Method string
	Fields []hiddenField
	Users  []User

	Action, SAMLResponse, RelayState string
}

type hiddenField struct{ Name, Value string }

// choice asks who signs in, and keeps the request for the answer.
func (p *IdentityProvider) choice(r *http.Request) page {
	c := page{Method: r.Method, Users: p.users}
	for _, name := range []string{"SAMLRequest", "RelayState", "SigAlg", "Signature"} {
		if value := r.Form.Get(name); value != "" {
			c.Fields = append(c.Fields, hiddenField{name, value})
		}
	}
	return c
}

var pages = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Test identity provider</title>
<style>body{font:1rem/1.5 system-ui,sans-serif;color-scheme:light dark;max-width:34rem;margin:10vh auto;padding:0 1rem}button{font:inherit;display:block;width:100%;text-align:left;margin:.4em 0;padding:.5em 1em}</style>
</head><body><h1>Test identity provider</h1><p><strong>Not for production: nobody's password is asked.</strong></p>
{{if .Error}}<h2>You cannot be signed in</h2><p id="error">{{.Error}}</p>
{{else if .SAMLResponse}}<form method="post" action="{{.Action}}"><input type="hidden" name="SAMLResponse" value="{{.SAMLResponse}}">
{{if .RelayState}}<input type="hidden" name="RelayState" value="{{.RelayState}}">{{end}}<button type="submit">Continue</button></form><script>document.forms[0].submit()</script>
{{else}}<h2>Who signs in?</h2><form method="{{.Method}}">{{range .Fields}}<input type="hidden" name="{{.Name}}" value="{{.Value}}">{{end}}
{{range .Users}}<button type="submit" name="user" value="{{.UserPrincipalName}}">{{.DisplayName}}: {{if .Mail}}{{.Mail}}{{else}}no e-mail address{{end}}{{if .Unassigned}}, not assigned{{end}}</button>
{{end}}</form>{{end}}</body></html>
`))

func (p *IdentityProvider) servePage(w http.ResponseWriter, content page) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	pages.Execute(w, content) // an error is the browser's hanging up
}

// Form is a form that a page would post.
type Form struct {
	Action string
	Values url.Values
}

// ReadForm finds the form in a page that posts itself, the provider's or the service provider's, and ends the response. It is an
// error where the page has none, and then says what an error page of the provider says.
func ReadForm(r *http.Response) (Form, error) {
	defer r.Body.Close()
	body, err := io.ReadAll(io.LimitReader(r.Body, 8<<20))
	if err != nil {
		return Form{}, err
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "text/html" {
		return Form{}, fmt.Errorf("samltest: %s answers with %s, not with a page", r.Request.URL.Redacted(), kind)
	}
	doc := etree.NewDocument()
	doc.ReadSettings = etree.ReadSettings{Permissive: true, AutoClose: []string{"meta", "input", "br", "link"}, Entity: map[string]string{"nbsp": " "}}
	if err := doc.ReadFromBytes(scripts(body)); err != nil {
		return Form{}, fmt.Errorf("samltest: the page cannot be read: %w", err)
	}
	form := doc.FindElement("//form")
	if form == nil {
		if e := doc.FindElement("//p[@id='error']"); e != nil {
			return Form{}, fmt.Errorf("samltest: %s", e.Text())
		}
		return Form{}, fmt.Errorf("samltest: the page has no form (HTTP status %d)", r.StatusCode)
	}
	found := Form{Action: form.SelectAttrValue("action", ""), Values: url.Values{}}
	for _, input := range form.FindElements(".//input") {
		found.Values.Add(input.SelectAttrValue("name", ""), input.SelectAttrValue("value", ""))
	}
	return found, nil
}

// scripts takes scripts and styles out of a page: their text is not XML.
func scripts(body []byte) []byte {
	for _, name := range []string{"script", "style"} {
		for {
			start := bytes.Index(body, []byte("<"+name))
			end := bytes.Index(body, []byte("</"+name+">"))
			if start < 0 || end < start {
				break
			}
			body = slices.Concat(body[:start], body[end+len("</>")+len(name):])
		}
	}
	return body
}

package samltest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Application is what an administrator registers in Basic SAML Configuration.
type Application struct {
	Identifier string   // "Identifier (Entity ID)": the Issuer of requests and the Audience of answers
	ReplyURLs  []string // "Reply URL": where answers may go; the first one is the default
	SignOnURL  string   // "Sign-on URL": where My Apps sends users; empty: it posts an unsolicited answer to the first Reply URL

	// EncryptionCertificate, DER, is what "Token encryption" holds: answers are encrypted for it. nil: they are not encrypted.
	EncryptionCertificate []byte
}

// Register makes an application known. One with the same Identifier is replaced.
func (p *IdentityProvider) Register(app Application) {
	app.ReplyURLs = slices.Clone(app.ReplyURLs)
	p.mu.Lock()
	defer p.mu.Unlock()
	isSame := func(a Application) bool { return a.Identifier == app.Identifier }
	p.apps = append(slices.DeleteFunc(slices.Clone(p.apps), isSame), app)
}

// answer is what all answers for the application have.
func (app Application) answer(replyURL string) Answer {
	a := Answer{Recipient: replyURL, Audience: app.Identifier}
	if app.EncryptionCertificate != nil {
		a.Encrypt = &Encryption{Certificates: [][]byte{app.EncryptionCertificate}}
	}
	return a
}

func (p *IdentityProvider) applications() []Application {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return slices.Clone(p.apps)
}

func (p *IdentityProvider) application(identifier string) (Application, bool) {
	for _, a := range p.applications() {
		if a.Identifier == identifier {
			return a, true
		}
	}
	return Application{}, false
}

// SignInAs makes u the user who is signed in at the provider, whoever asks from now on. The zero User signs out.
func (p *IdentityProvider) SignInAs(u User) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.signedIn = u
}

// MyAppsURL gives the address of a page that lists the applications, as Entra's My Apps does.
func (p *IdentityProvider) MyAppsURL() string { return p.address("myapps") }

const maxRequest = 1 << 20 // bytes

// ServeHTTP serves the metadata, the login URL, My Apps and the home page.
func (p *IdentityProvider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxRequest)
	if err := r.ParseForm(); err != nil {
		showError(w, errNotARequest)
		return
	}
	path, _ := strings.CutPrefix(r.URL.Path, p.root().Path)
	if path == p.homePath() {
		path = ""
	}
	switch r.Method + " " + strings.ToLower(path) {
	case "GET ":
		p.showHome(w, r, http.StatusOK, home{})
	case "GET federationmetadata/2007-06/federationmetadata.xml":
		p.serveMetadata(w)
	case "GET saml2", "POST saml2":
		p.serveLogin(w, r)
	case "GET myapps":
		p.serveMyApps(w, r)
	case "POST register":
		p.change(w, r, func() error { return p.registerPosted(r.PostForm) })
	case "POST signin":
		p.change(w, r, func() error { return p.signIn(w, r.PostForm.Get("user")) })
	case "POST signout":
		p.change(w, r, func() error { return p.signOut(w) })
	default:
		http.NotFound(w, r)
	}
}

// root is the URL below which all but the home page lies. Its path has a slash at its end.
func (p *IdentityProvider) root() *url.URL {
	u, err := url.Parse(p.address(""))
	if err != nil {
		return &url.URL{} // SetBaseURL got what is no URL, so nothing lies below it
	}
	return u
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

// serveLogin takes an authentication request by either binding. Whatever is wrong with it ends here, on a page for the user; the
// service provider hears nothing of it, as with Entra.
func (p *IdentityProvider) serveLogin(w http.ResponseWriter, r *http.Request) {
	request, err := readRequest(r)
	if err != nil {
		showError(w, err)
		return
	}
	app, replyURL, err := p.judge(request)
	if err != nil {
		showError(w, err)
		return
	}
	answer := app.answer(replyURL)
	answer.RequestID, answer.NameIDFormat = request.ID, request.nameIDFormat()
	user, freshly := p.who(r)
	switch {
	case !user.isZero():
		answer.User = user
		if freshly || request.ForceAuthn {
			answer.AuthnInstant = p.now()
		}
	case request.IsPassive:
		answer.Status = "urn:oasis:names:tc:SAML:2.0:status:Responder"
		answer.SubStatus = "urn:oasis:names:tc:SAML:2.0:status:NoPassive"
		answer.StatusMessage = aadsts(50058, "nobody is signed in, and the request does not allow to ask").Error()
	default:
		p.showChoice(w, r)
		return
	}
	p.send(w, r, answer)
}

// serveMyApps lists the applications, or opens the one that the query names.
func (p *IdentityProvider) serveMyApps(w http.ResponseWriter, r *http.Request) {
	identifier := r.Form.Get("app")
	if identifier == "" {
		show(w, page{Apps: p.applications()})
		return
	}
	app, ok := p.application(identifier)
	if !ok || app.SignOnURL == "" && len(app.ReplyURLs) == 0 {
		showError(w, aadsts(700016, "no application has the Identifier %q and a URL to open", identifier))
		return
	}
	if app.SignOnURL != "" {
		http.Redirect(w, r, app.SignOnURL, http.StatusSeeOther)
		return
	}
	user, freshly := p.who(r)
	if user.isZero() {
		p.showChoice(w, r)
		return
	}
	answer := app.answer(app.ReplyURLs[0])
	answer.User = user
	if freshly {
		answer.AuthnInstant = p.now()
	}
	p.send(w, r, answer)
}

// send has the browser post the answer, if its user may have one.
func (p *IdentityProvider) send(w http.ResponseWriter, r *http.Request, answer Answer) {
	if answer.User.Unassigned {
		showError(w, aadsts(50105, "the user %q is not assigned to the application %q", answer.User.UserPrincipalName, answer.Audience))
		return
	}
	value, err := p.Respond(answer)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	show(w, page{Action: answer.Recipient, SAMLResponse: value, RelayState: r.Form.Get("RelayState")})
}

// who finds the user: picked on the page that asks, and so freshly signed in; named by login_hint; or signed in before.
func (p *IdentityProvider) who(r *http.Request) (user User, freshly bool) {
	if u, ok := p.userNamed(r.Form.Get("user")); ok {
		return u, true
	}
	if u, ok := p.userNamed(r.Form.Get("login_hint")); ok {
		return u, false
	}
	return p.browserUser(r), false
}

func (p *IdentityProvider) userNamed(name string) (User, bool) {
	i := slices.IndexFunc(p.users, func(u User) bool { return u.answersTo(name) })
	if i < 0 {
		return User{}, false
	}
	return p.users[i], true
}

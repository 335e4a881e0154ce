package samltest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Application is a service provider as an administrator registers it in Entra's portal, under Basic
// SAML Configuration.
type Application struct {
	Identifier string   // "Identifier (Entity ID)": the Issuer of requests and the Audience of answers
	ReplyURLs  []string // "Reply URL" (assertion consumer service, ACS): where answers may go; the first is the default

	// SignOnURL is the "Sign-on URL", where My Apps sends users. If it is empty, My Apps posts an
	// unsolicited (IdP-initiated) answer to the first Reply URL.
	SignOnURL string

	// EncryptionCertificate is the certificate of "Token encryption", in DER. Answers are encrypted
	// for it. If it is nil, they are not encrypted.
	EncryptionCertificate []byte

	// LogoutURL is the "Logout Url (Optional)", where LogoutRequests and LogoutResponses go. If it is
	// empty, the application hears of no logout.
	LogoutURL string
	// LogoutBinding is how a browser carries a LogoutResponse there: HTTPRedirect (default) or HTTPPost.
	LogoutBinding Binding
	// SigningCertificate is the certificate of "Verification certificates", in DER. If it is set, logout
	// messages that its key did not sign are refused.
	SigningCertificate []byte
	// ChangeLogout changes each logout message that ServeHTTP sends to the application. nil: no change.
	ChangeLogout func(*Logout)
}

// Register adds an application. It replaces one with the same Identifier.
func (p *IdentityProvider) Register(app Application) {
	app.ReplyURLs = slices.Clone(app.ReplyURLs)
	p.mu.Lock()
	defer p.mu.Unlock()
	isSame := func(a Application) bool { return a.Identifier == app.Identifier }
	p.apps = append(slices.DeleteFunc(slices.Clone(p.apps), isSame), app)
}

// answer returns the fields that all answers for the application have.
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

// SignInAs signs u in at the provider, for all browsers. The zero User signs out.
func (p *IdentityProvider) SignInAs(u User) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.signedIn = u
}

// MyAppsURL returns the address of a page that lists the applications, like Entra's My Apps.
func (p *IdentityProvider) MyAppsURL() string { return p.address("myapps") }

const maxRequest = 1 << 20 // bytes

// ServeHTTP serves the metadata, the Login URL, which is the Logout URL too, My Apps and the home page.
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
	case "GET saml2", "POST saml2", "GET saml2/logout", "POST saml2/logout":
		if carriesLogout(r) {
			p.serveLogout(w, r)
		} else {
			p.serveLogin(w, r)
		}
	case "GET myapps":
		p.serveMyApps(w, r)
	case "POST register":
		p.change(w, r, func() error { return p.registerPosted(r.PostForm) })
	case "POST signin":
		p.change(w, r, func() error { return p.signIn(w, r.PostForm.Get("user")) })
	case "POST keys/add":
		p.change(w, r, p.addFreshKey)
	case "POST keys/activate":
		p.change(w, r, func() error { return p.withKey(r.PostForm.Get("key"), p.Activate) })
	case "POST keys/remove":
		p.change(w, r, func() error { return p.withKey(r.PostForm.Get("key"), p.RemoveKey) })
	case "POST signout":
		if sameOrigin(w, r) {
			p.serveSignOut(w, r)
		}
	case "GET oauth2/v2.0/logout":
		p.serveSignOut(w, r)
	default:
		http.NotFound(w, r)
	}
}

// root returns the URL of the directory. Every page but the home page is below it. Its path ends
// with a slash.
func (p *IdentityProvider) root() *url.URL {
	u, err := url.Parse(p.address(""))
	if err != nil {
		return &url.URL{} // the argument of SetBaseURL was not a URL, so no page can be below it
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

// serveLogin answers an authentication request of either binding. As in Entra, a wrong request ends
// here with a page for the user, and the service provider is not told.
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
		answer.StatusMessage = aadsts(50058, "nobody is signed in, "+
			"and the request has IsPassive, so the user cannot be asked").Error()
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
		showError(w, aadsts(700016, "no application has the Identifier %q and a Sign-on URL or Reply URL to open",
			identifier))
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

// send answers with a page that posts the answer, unless the user is not assigned to the
// application.
func (p *IdentityProvider) send(w http.ResponseWriter, r *http.Request, answer Answer) {
	if answer.User.Unassigned {
		showError(w, aadsts(50105, "the user %q is not assigned to the application %q",
			answer.User.UserPrincipalName, answer.Audience))
		return
	}
	p.fillIn(&answer, p.now())
	value, err := p.Respond(answer)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if answer.Status == "" {
		p.addSession(Session{answer.Audience, answer.User, answer.NameID, answer.NameIDFormat, answer.AssertionID})
	}
	show(w, page{Action: answer.Recipient, SAMLResponse: value, RelayState: r.Form.Get("RelayState")})
}

// who returns the user who signs in: the one picked on the page that asks, the one that login_hint
// names, or the one who is signed in already. freshly reports whether the user was picked just now.
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

package samltest

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// home is the page for trying a service by hand. It shows the signed-in user, the applications, the
// signing keys, and what an application needs to know about the provider.
type home struct {
	Root     string // path of all other pages, with a slash at its end
	SignedIn string // name of the signed-in user, "" if nobody is
	Users    []User

	Apps     []Application
	Rejected string // the Redirect URL that could not be registered
	Error    error  // and why

	Keys []homeKey

	MetadataURL, EntityID, LoginURL, Certificate string
}

// HomeURL returns the address of a page for trying a service by hand. The page registers an
// application by its Redirect URL, starts it, signs users in and out, rolls the signing keys over, and
// shows what the application needs to know about the provider.
func (p *IdentityProvider) HomeURL() string { return strings.TrimSuffix(p.address(""), p.tenant+"/") }

func (p *IdentityProvider) homePath() string { return strings.TrimSuffix(p.root().Path, p.tenant+"/") }

// RegisterRedirectURL registers an application in the way of the guide for administrators: one URL
// is its Identifier, Reply URL and Sign-on URL. It fails if that is not an absolute http or https
// URL without a fragment.
func (p *IdentityProvider) RegisterRedirectURL(redirectURL string) error {
	if err := checkAddress("Redirect URL", redirectURL); err != nil {
		return err
	}
	p.Register(Application{Identifier: redirectURL, ReplyURLs: []string{redirectURL}, SignOnURL: redirectURL})
	return nil
}

func checkAddress(name, address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || strings.Contains(address, "#") {
		return fmt.Errorf("samltest: the %s is %q, want an absolute http or https URL without a fragment", name, address)
	}
	return nil
}

func (p *IdentityProvider) showHome(w http.ResponseWriter, r *http.Request, status int, content home) {
	content.Root = p.root().Path
	if user := p.browserUser(r); !user.isZero() {
		content.SignedIn = cmp.Or(user.DisplayName, user.name())
	}
	content.Users = p.users
	content.Apps = p.applications()
	content.Keys = p.homeKeys()
	content.MetadataURL = p.MetadataURL()
	content.EntityID = p.entityID
	content.LoginURL = p.LoginURL()
	content.Certificate = string(p.CertificatePEM())
	write(w, status, "home", content)
}

// sameOrigin refuses forms of other sites (CSRF), which could sign the user in as someone else, or out.
func sameOrigin(w http.ResponseWriter, r *http.Request) bool {
	err := http.NewCrossOriginProtection().Check(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
	}
	return err == nil
}

// change answers a form of the home page with a redirect to that page.
func (p *IdentityProvider) change(w http.ResponseWriter, r *http.Request, do func() error) {
	if !sameOrigin(w, r) {
		return
	}
	if err := do(); err != nil {
		p.showHome(w, r, http.StatusBadRequest, home{Rejected: r.PostForm.Get("redirect_url"), Error: err})
		return
	}
	http.Redirect(w, r, p.homePath(), http.StatusSeeOther)
}

func (p *IdentityProvider) registerPosted(form url.Values) error {
	redirectURL := strings.TrimSpace(form.Get("redirect_url"))
	if err := checkAddress("Redirect URL", redirectURL); err != nil {
		return err
	}
	app := Application{Identifier: redirectURL, ReplyURLs: []string{redirectURL}, SignOnURL: redirectURL,
		LogoutURL: strings.TrimSpace(form.Get("logout_url"))}
	if form.Has("blank_sign_on_url") {
		app.SignOnURL = ""
	}
	if app.LogoutURL != "" {
		if err := checkAddress("Logout URL", app.LogoutURL); err != nil {
			return err
		}
	}
	p.Register(app)
	return nil
}

func (p *IdentityProvider) signIn(w http.ResponseWriter, name string) error {
	user, ok := p.userNamed(name)
	if !ok {
		return fmt.Errorf("samltest: there is no user %q, "+
			"want the mail address or user principal name of one in Options.Users", name)
	}
	http.SetCookie(w, p.userCookie(url.QueryEscape(user.name()), 0))
	return nil
}

// signOut ends what signIn and SignInAs began.
func (p *IdentityProvider) signOut(w http.ResponseWriter) {
	p.SignInAs(User{})
	http.SetCookie(w, p.userCookie("", -1))
}

// userCookie returns a cookie that names the user who is signed in in this browser. Its name holds
// the tenant, because providers on several ports of one host see each other's cookies. Over https
// it has SameSite=None, like Entra's: the browser sends it with requests that another site posts.
func (p *IdentityProvider) userCookie(value string, maxAge int) *http.Cookie {
	c := &http.Cookie{
		Name:     "samltest-user-" + p.tenant,
		Value:    value,
		Path:     "/",
		MaxAge:   maxAge,
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	}
	if p.root().Scheme == "https" {
		c.Secure, c.SameSite = true, http.SameSiteNoneMode
	}
	return c
}

// browserUser returns the user who signed in on the home page in this browser. If there is none, it
// returns the user of SignInAs.
func (p *IdentityProvider) browserUser(r *http.Request) User {
	if c, err := r.Cookie(p.userCookie("", 0).Name); err == nil {
		name, _ := url.QueryUnescape(c.Value) // "" on error, which is the name of no user
		if u, ok := p.userNamed(name); ok {
			return u
		}
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.signedIn
}

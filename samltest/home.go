package samltest

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// home is the page for people: who they are here, the applications, and what an application needs to know of us.
type home struct {
	Root     string // path of everything else, with a slash at its end
	SignedIn string // "" for nobody
	Users    []User

	Apps     []Application
	Rejected string // Redirect URL, and why
	Error    error

	MetadataURL, EntityID, LoginURL, Certificate string
}

// HomeURL gives the address of a page for people: to register an application by its Redirect URL, to start it, to sign in and out, and with
// what the application needs to know of the provider.
func (p *IdentityProvider) HomeURL() string { return strings.TrimSuffix(p.address(""), p.tenant+"/") }

func (p *IdentityProvider) homePath() string { return strings.TrimSuffix(p.root().Path, p.tenant+"/") }

// RegisterRedirectURL registers an application as the guide for administrators does: one URL is its Identifier, Reply URL and Sign-on URL. It
// is an error where that is no absolute http or https URL.
func (p *IdentityProvider) RegisterRedirectURL(redirectURL string) error {
	u, err := url.Parse(redirectURL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || strings.Contains(redirectURL, "#") {
		return fmt.Errorf("samltest: %q is not an http or https URL without a fragment", redirectURL)
	}
	p.Register(Application{Identifier: redirectURL, ReplyURLs: []string{redirectURL}, SignOnURL: redirectURL})
	return nil
}

func (p *IdentityProvider) showHome(w http.ResponseWriter, r *http.Request, status int, content home) {
	content.Root = p.root().Path
	if user := p.browserUser(r); !user.isZero() {
		content.SignedIn = cmp.Or(user.DisplayName, user.name())
	}
	content.Users, content.Apps = p.users, p.applications()
	content.MetadataURL, content.EntityID, content.LoginURL, content.Certificate = p.MetadataURL(), p.entityID, p.LoginURL(), string(p.CertificatePEM())
	write(w, status, "home", content)
}

// change answers a form of the home page, and goes back there. Other sites' forms are refused: they would sign somebody in.
func (p *IdentityProvider) change(w http.ResponseWriter, r *http.Request, do func() error) {
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
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
	if err := p.RegisterRedirectURL(redirectURL); err != nil {
		return err
	}
	if form.Has("blank_sign_on_url") {
		p.Register(Application{Identifier: redirectURL, ReplyURLs: []string{redirectURL}})
	}
	return nil
}

func (p *IdentityProvider) signIn(w http.ResponseWriter, name string) error {
	user, ok := p.userNamed(name)
	if !ok {
		return fmt.Errorf("samltest: there is no user %q", name)
	}
	http.SetCookie(w, p.userCookie(url.QueryEscape(user.name()), 0))
	return nil
}

// signOut ends what signIn and SignInAs began.
func (p *IdentityProvider) signOut(w http.ResponseWriter) error {
	p.SignInAs(User{})
	http.SetCookie(w, p.userCookie("", -1))
	return nil
}

// userCookie names the user who is signed in with this browser. The tenant is part of its name because providers on several ports of one
// host see each other's cookies. Over https it comes with requests that another site posts, as Entra's does.
func (p *IdentityProvider) userCookie(value string, maxAge int) *http.Cookie {
	c := &http.Cookie{Name: "samltest-user-" + p.tenant, Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true, SameSite: http.SameSiteLaxMode}
	if p.root().Scheme == "https" {
		c.Secure, c.SameSite = true, http.SameSiteNoneMode
	}
	return c
}

// browserUser is who signed in on the home page with this browser, or else whom SignInAs named.
func (p *IdentityProvider) browserUser(r *http.Request) User {
	if c, err := r.Cookie(p.userCookie("", 0).Name); err == nil {
		name, _ := url.QueryUnescape(c.Value) // what cannot be read names nobody
		if u, ok := p.userNamed(name); ok {
			return u
		}
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.signedIn
}

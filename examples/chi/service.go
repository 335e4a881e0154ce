package main

import (
	"crypto"
	"crypto/tls"
	"html/template"
	"net/http"
	"strconv"
	"strings"

	"github.com/alexedwards/scs/v2"
	"github.com/go-chi/chi/v5"

	"github.com/iomete/saml"
)

// A config is what a service needs. Every field but Signing is required.
type config struct {
	BaseURL   string     // public address, without a path: "https://console.example.com"
	Metadata  []byte     // of the identity provider
	StateKeys [][]byte   // seal pending logins: see saml.Config
	Store     saml.Store // what was used up
	Users     *users     // the accounts
	Sessions  scs.Store  // where scs keeps its sessions

	// Signing is the key and certificate for logout at the identity provider too. nil: users sign out
	// here alone.
	Signing *tls.Certificate
}

// newService returns the service: its pages, and the Redirect URL.
func newService(c config) (http.Handler, error) {
	idp, err := saml.ParseMetadata(c.Metadata)
	if err != nil {
		return nil, err
	}
	sp, err := saml.New(c.saml(idp))
	if err != nil {
		return nil, err
	}
	sessions := newSessions(c.Users, c.Sessions, strings.HasPrefix(c.BaseURL, "https:"))
	login, err := saml.NewHandler(saml.HandlerConfig{
		Provider:    sp,
		Sessions:    sessions,
		EndSession:  sessions.endSession,
		EndSessions: sessions.endSessions,
	})
	if err != nil {
		return nil, err
	}

	// No other site may post to the service. The exceptions are the response and messages about logout,
	// which pages of the identity provider post, and its server.
	sameOrigin := http.NewCrossOriginProtection()
	sameOrigin.AddInsecureBypassPattern("POST " + sp.RedirectPath())
	sameOrigin.AddInsecureBypassPattern("POST " + logoutPath)

	router := chi.NewRouter()
	router.Use(sameOrigin.Handler, sessions.LoadAndSave)
	router.Handle(sp.RedirectPath(), login) // outside of Require: GET begins a login, POST finishes it
	router.Handle(logoutPath, login)        // outside of Require too
	router.Get("/goodbye", goodbye)
	router.Post("/sign-out", func(w http.ResponseWriter, r *http.Request) {
		login.StartLogout(w, r, "/goodbye") // without config.Signing only the session here ends
	})
	router.Group(func(private chi.Router) {
		private.Use(login.Require)
		private.Get("/", home)
		private.Get("/jobs/*", home)
	})
	router.Group(func(restricted chi.Router) {
		restricted.Use(login.RequireFunc(isAdministrator))
		restricted.Post("/users/{id}/disable", c.Users.serveDisable)
	})
	return router, nil
}

const logoutPath = "/saml/logout" // below BaseURL: the Logout URL at the identity provider

// saml returns the settings of the service provider.
func (c config) saml(idp *saml.IdentityProvider) saml.Config {
	s := saml.Config{
		BaseURL:          c.BaseURL,
		IdentityProvider: idp,
		StateKeys:        c.StateKeys,
		Store:            c.Store,
	}
	if c.Signing != nil { // logout messages must be signed
		s.LogoutPath = logoutPath
		s.SigningKey, _ = c.Signing.PrivateKey.(crypto.Signer)
		s.SigningCertificate = c.Signing.Certificate[0]
	}
	return s
}

func isAdministrator(r *http.Request) bool { return userFrom(r.Context()).Administrator }

var page = template.Must(template.New("").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>chi</title></head><body>
{{with .}}<h1>Hello, {{.Name}}</h1><p>You are user {{.ID}}, {{.Email}}.</p>
<form method="post" action="/sign-out"><button>Sign out</button></form>
{{else}}<h1>Goodbye</h1><p><a href="/">Sign in again</a></p>{{end}}</body></html>
`))

func home(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	page.Execute(w, userFrom(r.Context())) // the only possible error is that the browser went away
}

// goodbye is public: behind Require it would sign the user in again.
func goodbye(w http.ResponseWriter, _ *http.Request) { page.Execute(w, nil) }

// serveDisable disables the account that the address names.
func (t *users) serveDisable(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.Atoi(chi.URLParam(r, "id"))
	if err != nil || !t.disable(id) {
		http.NotFound(w, r)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

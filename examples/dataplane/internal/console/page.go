package console

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/examples/dataplane/internal/storage"
)

//go:embed templates
var templateFiles embed.FS

// pages holds each page with the layout around it.
var pages = func() map[string]*template.Template {
	layout := template.Must(template.New("").Funcs(template.FuncMap{
		"time": showTime, "since": since, "claim": shortClaim, "spaced": spaced, "problems": problemsOf, "sentence": sentence, "join": strings.Join,
	}).ParseFS(templateFiles, "templates/layout.html", "templates/parts.html"))
	all := map[string]*template.Template{}
	for _, name := range []string{"signin", "home", "sso", "test", "log", "users", "administrator", "message", "logout"} {
		all[name] = template.Must(template.Must(layout.Clone()).ParseFS(templateFiles, "templates/"+name+".html"))
	}
	return all
}()

// A page is what the layout needs.
type page struct {
	Title     string
	Path      string
	Tab       string // of the settings: "sso", "log", "users" or "administrator"
	Admin     string // name of the administrator who is signed in here, "" for anybody else
	User      string // of a user
	Done      string // what an act before this page did, one sentence
	Banners   []string
	Changes   []storage.Change // of refreshed metadata, of the last days; for an administrator
	ByProxy   bool             // behind a proxy whose header is not believed
	Trial     string           // home page of the built-in identity provider
	OpenForms bool             // whether a form of the page may lead to another site
}

func (p page) opensForms() bool { return p.OpenForms }

// NewChanges are those that no administrator has dismissed.
func (p page) NewChanges() (list []storage.Change) {
	for _, c := range p.Changes {
		if c.DismissedAt.IsZero() {
			list = append(list, c)
		}
	}
	return list
}

// newPage is what every page shows.
func (c *Console) newPage(r *http.Request, title string, v visitor) page {
	p := page{Title: title, Path: r.URL.Path, Tab: tab(r.URL.Path), Done: done[r.URL.Query().Get("done")],
		Trial: c.Trial}
	if v.Admin != nil {
		p.Admin = v.Admin.Administrator
		p.Banners, p.ByProxy, p.Changes = c.banners(r), c.hidesClients(r), c.changes(r.Context())
	}
	if v.User != nil {
		p.User = v.User.Identity.Name
		if p.User == "" {
			p.User = v.User.Identity.Email
		}
	}
	return p
}

func tab(path string) string {
	rest, found := strings.CutPrefix(path, "/settings/")
	switch {
	case !found:
		return ""
	case rest == "sso/log":
		return "log"
	}
	first, _, _ := strings.Cut(rest, "/")
	return first
}

// done are the sentences for what an act did, which the address of the next page names.
var done = map[string]string{
	"saved":      "The settings are saved. Nobody signs in with them yet: run a test sign-in next.",
	"unchanged":  "These settings are saved already: nothing was changed.",
	"enabled":    "Single sign-on is enabled with these settings. Sign out and open the console to sign in through the identity provider.",
	"disabled":   "Single sign-on is disabled: users are signed out within seconds, and the settings are kept.",
	"discarded":  "The saved settings are those in use again.",
	"deleted":    "The settings are deleted. Single sign-on is not enabled.",
	"signed-out": "You are signed out.",
	"logged-out": "You are signed out of this console. Other services may still have you signed in. So may your identity provider, if it did not take part: then the next sign-in here asks for no password.",
	"password":   "The password is changed, and all your other sessions have ended.",
	"looked":     "The metadata was read just now.",
	"dismissed":  "The banner is gone. What changed stays on the Single Sign-On page for 7 days.",
	"ended":      "All sessions of this user end within ten seconds.",
	"added":      "The user is expected: the first sign-in with this address gets the account.",
}

// banners say what an administrator should not have to look for: what ends, and metadata that
// cannot be kept up to date.
func (c *Console) banners(r *http.Request) (list []string) {
	if _, err := c.liveProvider(r.Context()); err != nil {
		return nil
	}
	live := c.inUse()
	if live.sp == nil {
		return nil
	}
	now := c.Now()
	for _, e := range saml.ExpiringKeys(now, expiryWarning*24*time.Hour, live.sp) {
		switch {
		case e.Kind == saml.ExpiringCertificate:
			list = append(list, expiryBanner("of the identity provider", *e.Key, now)+", and no other follows.")
		case e.Kind == saml.ExpiringOwnCertificate:
			list = append(list, expiryBanner("of the console", *e.Key, now)+
				". For a new one, delete the settings and set them up again, then give it to the identity provider.")
		case e.Kind == saml.ExpiringMetadata && live.source != nil && now.Before(e.At): // later it is in Health
			list = append(list, "The metadata of the identity provider is valid until "+showTime(e.At)+
				", and no look has brought a newer one.")
		}
	}
	if live.source != nil {
		for _, e := range saml.Errors(live.source.Health()) {
			list = append(list, strings.TrimSpace(sentence(e.Message)+" "+inFlags(e).Hint))
		}
	}
	return list
}

func expiryBanner(whose string, k saml.TrustedKey, now time.Time) string {
	verb := "ends"
	if !now.Before(k.NotAfter()) {
		verb = "ended"
	}
	return fmt.Sprintf("The certificate %q %s (thumbprint %s) %s on %s (%s)",
		k.Subject(), whose, k.ThumbprintSHA1(), verb, k.NotAfter().Format(time.DateOnly), inDays(daysLeft(k, now)))
}

// render answers with a page. It is written whole or not at all.
func render(w http.ResponseWriter, status int, name string, content interface{ opensForms() bool }) {
	var b bytes.Buffer
	if err := pages[name].ExecuteTemplate(&b, "layout", content); err != nil {
		http.Error(w, "The page could not be made: "+err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	if content.opensForms() { // browsers apply form-action to the redirect to the identity provider too
		h.Set("Content-Security-Policy", policy)
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write(b.Bytes()) // an error is the browser's hanging up
}

// A message is a page with one thing to say.
type message struct {
	page
	Title, Text       string
	Link, Label       string
	ReturnTo          string // of a begin that is a form; "" for a plain link
	Other, OtherLabel string
	Code, Reference   string
}

func (c *Console) showMessage(w http.ResponseWriter, r *http.Request, status int, m message) {
	m.page = c.newPage(r, m.Title, visitor{})
	m.OpenForms = m.ReturnTo != ""
	render(w, status, "message", m)
}

func (c *Console) unavailable(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Retry-After", "10")
	c.showMessage(w, r, http.StatusServiceUnavailable, message{Title: "Please try again in a moment",
		Text: "The database does not answer. Nothing was changed.", Link: "/", Label: "Go to the start page"})
}

func (c *Console) notFound(w http.ResponseWriter, r *http.Request) {
	c.showMessage(w, r, http.StatusNotFound,
		message{Title: "There is no such page", Text: "The address may be mistyped, or the page is gone.", Link: "/",
			Label: "Go to the start page"})
}

func (c *Console) crossSite(w http.ResponseWriter, r *http.Request) {
	c.showMessage(w, r, http.StatusForbidden,
		message{Title: "This came from another site",
			Text: "A page of another site tried to change something here. Nothing was changed.", Link: "/", Label: "Go to the start page"})
}

const askAdmin = " Give your administrator the reference below: with it, the settings page says what to change."

// renderFailure shows a user that the sign-in failed: no more than a sentence, the code and the
// reference.
func (c *Console) renderFailure(w http.ResponseWriter, r *http.Request, err *saml.Error) {
	p := err.Page()
	switch {
	case errors.Is(err, errAdminIsSignedIn):
		p = saml.Page{Status: http.StatusConflict, Title: "The local administrator is signed in here",
			Sentence: "One browser is one person: sign out as administrator first, then sign in again.", Button: "Sign in again"}
	case err.Code == saml.CodeNotConfigured:
		p.Sentence = "An administrator can enable it under Settings, IAM, Single Sign-On."
	case p.AskAdministrator:
		p.Sentence += askAdmin
	}
	m := message{Title: p.Title, Text: p.Sentence, Code: string(err.Code), Reference: err.Reference,
		Other: "/sign-in", OtherLabel: "Administrator sign-in"}
	if p.Button != "" {
		b := c.beginAt(err.ReturnTo)
		m.Link, m.ReturnTo, m.Label = b.To, b.ReturnTo, p.Button
	}
	c.showMessage(w, r, p.Status, m)
}

func isNotConfigured(err error) bool { return errors.Is(err, saml.CodeNotConfigured) }

// isID reports whether s has the form of an identifier that storage makes.
func isID(s string) bool {
	return s != "" && len(s) <= 32 &&
		!strings.ContainsFunc(s, func(r rune) bool { return (r < 'A' || r > 'Z') && (r < '2' || r > '7') })
}

func showTime(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2006-01-02 15:04:05") + " UTC"
}

// since is a time for reading at a glance.
func since(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2 Jan 2006, 15:04") + " UTC"
}

// shortClaim is the last part of a claim's name: the rest is the same for all claims of a kind.
func shortClaim(name string) string { return name[strings.LastIndexAny(name, "/:")+1:] }

// spaced puts a thumbprint in groups, to be compared by eye. Copying it gives it whole.
func spaced(s string) []string {
	var groups []string
	for ; len(s) > 8; s = s[8:] {
		groups = append(groups, s[:8])
	}
	return append(groups, s)
}

// problemsOf is what a template shows beside a field.
func problemsOf(all problems, field string) map[string]any {
	return map[string]any{"Field": field, "List": all[field]}
}

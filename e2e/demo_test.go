package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
	"github.com/iomete/saml/session"
)

// A demo is the surroundings of the examples: an identity provider with somebody signed in, and a
// server for what an example builds.
type demo struct {
	idp     *samltest.IdentityProvider
	url     string // of the server
	keys    [][]byte
	handler http.Handler // what the server serves
	servers []*httptest.Server
}

func newDemo() *demo {
	d := &demo{keys: [][]byte{saml.NewStateKey()}}
	d.url = d.start(httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter,
		r *http.Request) {
		d.handler.ServeHTTP(w, r)
	})))
	d.idp = d.newDirectory()
	return d
}

func (d *demo) start(s *httptest.Server) string {
	d.servers = append(d.servers, s)
	return s.URL
}

func (d *demo) Close() {
	for _, s := range d.servers {
		s.Close()
	}
}

func (d *demo) newDirectory() *samltest.IdentityProvider {
	idp, err := samltest.New(samltest.Options{})
	must(err)
	idp.SetBaseURL(d.start(httptest.NewTLSServer(idp)))
	idp.SignInAs(samltest.DefaultUsers()[0])
	return idp
}

// config is what the examples have in common.
func (d *demo) config() saml.Config {
	return saml.Config{BaseURL: d.url, IdentityProvider: trust(d.idp), StateKeys: d.keys,
		Store: saml.NewMemoryStore(), Logger: slog.New(slog.DiscardHandler)}
}

func trust(idp *samltest.IdentityProvider) *saml.IdentityProvider {
	metadata, err := idp.Metadata()
	must(err)
	trusted, err := saml.ParseMetadata(metadata)
	must(err)
	return trusted
}

// provider makes a service provider, and registers it as an administrator would.
func (d *demo) provider(c saml.Config, at *samltest.IdentityProvider) *saml.ServiceProvider {
	sp, err := saml.New(c)
	must(err)
	at.Register(samltest.Application{Identifier: sp.EntityID(), ReplyURLs: []string{sp.RedirectURL()},
		SignOnURL: sp.RedirectURL()})
	return sp
}

func (d *demo) sessions() *session.Manager {
	m, err := session.New(session.Config{Keys: d.keys, Store: saml.NewMemoryStore()})
	must(err)
	return m
}

// usual is one provider with sessions of package session.
func (d *demo) usual() (*saml.ServiceProvider, *session.Manager, *saml.Handler) {
	sp, sessions := d.provider(d.config(), d.idp), d.sessions()
	return sp, sessions, sp.Handler(sessions)
}

// app is the application of most examples.
var app = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "%s reads %s", session.FromContext(r.Context()).Identity.Email, r.URL.Path)
})

// signIn lets a new browser open a page of h and go through the sign-in, and gives the text that it
// ends at.
func (d *demo) signIn(h http.Handler, page string) string {
	d.handler = h
	if strings.HasPrefix(page, "/") {
		page = d.url + page
	}
	text, response := openPage(d.newBrowser(), page)
	if response.StatusCode != http.StatusOK {
		return response.Status
	}
	return text
}

func (d *demo) newBrowser() *http.Client {
	jar, err := cookiejar.New(nil)
	must(err)
	return &http.Client{Jar: jar,
		Transport: asBrowser{&http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
			DialContext: d.dial}}}
}

// openPage opens a page and posts the forms that post themselves. It gives the text that it ends at.
func openPage(browser *http.Client, page string) (string, *http.Response) {
	response, err := browser.Get(page)
	must(err)
	for site := "cross-site"; response.Header.Get("Content-Type") == "text/html; charset=utf-8" &&
		response.StatusCode == http.StatusOK; site = "same-origin" {
		form, err := samltest.ReadForm(response)
		must(err)
		post, err := http.NewRequest("POST", form.Action, strings.NewReader(form.Values.Encode()))
		must(err)
		post.Header = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Sec-Fetch-Site": {site},
			"Origin": {origin(response.Request.URL)}}
		response, err = browser.Do(post)
		must(err)
	}
	text, err := io.ReadAll(response.Body)
	must(err)
	must(response.Body.Close())
	return string(text), response
}

// dial finds all hosts of example.com at our server.
func (d *demo) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if strings.HasSuffix(address, ".example.com:443") {
		address = strings.TrimPrefix(d.url, "https://")
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}

func origin(u *url.URL) string { return u.Scheme + "://" + u.Host }

// asBrowser asks for pages.
type asBrowser struct{ http.RoundTripper }

func (b asBrowser) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Header.Set("Accept", "text/html")
	return b.RoundTripper.RoundTrip(r)
}

// fullDuplex lets a request's body be read while it is answered. httputil.ReverseProxy needs it for
// a POST: otherwise now and then the server closes the body of a request that the proxy's transport
// is just about to see the end of, and the answer is cut short.
func fullDuplex(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		must(http.NewResponseController(w).EnableFullDuplex())
		next.ServeHTTP(w, r)
	})
}

func must(err error) {
	if err != nil {
		log.Panic(err)
	}
}

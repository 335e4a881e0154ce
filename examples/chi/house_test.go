package main

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/alexedwards/scs/v2/memstore"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// A house is a service and the identity provider that it trusts.
type house struct {
	*testing.T
	config config
	url    string
	idp    *samltest.IdentityProvider

	handler atomic.Pointer[http.Handler]
}

// newHouse starts a server and an identity provider. build makes the service.
func newHouse(t *testing.T, build func(config) (http.Handler, error)) *house {
	t.Helper()
	h := &house{T: t}
	h.url = h.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		(*h.handler.Load()).ServeHTTP(w, r)
	}))
	h.config = config{BaseURL: h.url, StateKeys: [][]byte{saml.NewStateKey()}, Store: saml.NewMemoryStore(),
		Users: new(users), Sessions: memstore.NewWithCleanupInterval(0)}
	h.trust(build)
	return h
}

// trust gives the service a new identity provider, as if it had been started again with other
// metadata.
func (h *house) trust(build func(config) (http.Handler, error)) {
	h.Helper()
	h.idp = samltest.MustNew(h.T, samltest.Options{})
	h.idp.SetBaseURL(h.serve(h.idp))
	h.build(build)
}

// build makes the service, and registers it at the identity provider.
func (h *house) build(build func(config) (http.Handler, error)) {
	h.Helper()
	if err := h.idp.RegisterRedirectURL(h.url + saml.DefaultRedirectPath); err != nil {
		h.Fatal(err)
	}
	var err error
	if h.config.Metadata, err = h.idp.Metadata(); err != nil {
		h.Fatal(err)
	}
	service, err := build(h.config)
	if err != nil {
		h.Fatal(err)
	}
	h.handler.Store(&service)
}

func (h *house) serve(handler http.Handler) (url string) {
	server := httptest.NewServer(handler)
	h.Cleanup(server.Close)
	return server.URL
}

// A browser keeps cookies and asks for pages.
type browser struct {
	*http.Client
	h *house
}

func (h *house) browser() browser {
	jar, _ := cookiejar.New(nil) // never fails
	return browser{&http.Client{Jar: jar}, h}
}

// signIn opens a page as a user of the identity provider.
func (b browser) signIn(path string, u samltest.User) answer {
	b.h.Helper()
	b.h.idp.SignInAs(u)
	return b.h.answer(samltest.SignIn(b.Client, b.h.url+path))
}

// open opens a page and follows redirects, at most to the identity provider.
func (b browser) open(path string) answer { return b.do(http.MethodGet, path, "Accept", "text/html") }

// do sends a request with one header.
func (b browser) do(method, path, name, value string) answer {
	b.h.Helper()
	r, err := http.NewRequest(method, b.h.url+path, nil)
	if err != nil {
		b.h.Fatal(err)
	}
	r.Header.Set(name, value)
	return b.h.answer(b.Do(r))
}

// An answer is where a request ended.
type answer struct {
	h      *house
	status int
	url    string
	body   string
}

func (h *house) answer(r *http.Response, err error) answer {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		h.Fatal(err)
	}
	return answer{h, r.StatusCode, r.Request.URL.String(), string(body)}
}

// want expects a status and texts of the page.
func (a answer) want(status int, texts ...string) {
	a.h.Helper()
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			a.h.Errorf("got %s, want %q in it", a.body, text)
		}
	}
	if a.status != status {
		a.h.Errorf("got status %d at %s, want %d", a.status, a.url, status)
	}
}

// wantAsked expects the page of the identity provider: nobody is signed in at the service.
func (a answer) wantAsked() {
	a.h.Helper()
	if !strings.HasPrefix(a.url, a.h.idp.LoginURL()) {
		a.h.Errorf("got status %d at %s, want the identity provider", a.status, a.url)
	}
}

package session_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
	"github.com/iomete/saml/session"
)

// A service whose pages need a sign-in, and a browser that visits one.
func Example() {
	mux := http.NewServeMux()
	service := httptest.NewTLSServer(mux)
	defer service.Close()
	keys := [][]byte{saml.NewStateKey()} // kept, and the same on all replicas
	sp, err := saml.New(saml.Config{
		BaseURL:          service.URL,
		IdentityProvider: identityProvider(service.URL + saml.DefaultRedirectPath),
		StateKeys:        keys,
		Store:            saml.NewMemoryStore(),
	})
	if err != nil {
		log.Fatal(err)
	}

	sessions, err := session.New(session.Config{Keys: keys, Store: saml.NewMemoryStore()})
	if err != nil {
		log.Fatal(err)
	}
	login := sp.Handler(sessions)
	mux.Handle(sp.RedirectPath(), login)
	mux.Handle("POST /sign-out", sessions.SignOutHandler("/goodbye"))
	mux.HandleFunc("GET /goodbye", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "Goodbye.") })
	mux.Handle("/", login.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s reads %s", session.FromContext(r.Context()).Identity.Email, r.URL.Path)
	})))

	jar, _ := cookiejar.New(nil) // never fails
	browser := browser{&http.Client{Transport: service.Client().Transport, Jar: jar}}
	fmt.Println(browser.signIn(service.URL + "/jobs"))
	fmt.Println(browser.post(service.URL+"/sign-out", nil))
	// Output:
	// ioana.turcanu@example.com reads /jobs
	// Goodbye.
}

// An account is switched off, or all its sessions are ended, on all replicas within ten seconds and
// without comparing clocks. The account has a counter. Each session is stamped with it when it
// begins. A session with another number is over.
func ExampleConfig_endAllSessions() {
	type account struct {
		disabled bool
		sessions int // counts up to end all sessions: "UPDATE account SET sessions = sessions + 1 WHERE id = ?"
	}
	accounts := map[string]*account{} // by key: the service's database
	find := func(i *saml.Identity) (*account, error) {
		object := i.ObjectKey
		a := accounts[object]
		if a == nil || a.disabled {
			return nil, session.ErrEnded
		}
		return a, nil
	}
	sessions, err := session.New(session.Config{
		Keys:  [][]byte{saml.NewStateKey()},
		Store: saml.NewMemoryStore(),
		Stamp: func(_ context.Context, login *saml.Login) (string, error) {
			a, err := find(login.Identity) // or create the account here
			if err != nil {
				return "", err
			}
			return strconv.Itoa(a.sessions), nil
		},
		Validate: func(_ context.Context, s *session.Session) error {
			a, err := find(s.Identity)
			if err != nil {
				return err
			}
			if s.Stamp != strconv.Itoa(a.sessions) {
				return session.ErrEnded
			}
			return nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}

	login := newLogin("ioana.turcanu@example.com")
	key := login.Identity.ObjectKey
	signIn := func() *http.Request { // what the browser sends from then on
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
		if err := sessions.SignIn(w, r, login); err != nil {
			fmt.Println("refused:", errors.Is(err, session.ErrEnded))
		}
		for _, c := range w.Result().Cookies() {
			r.AddCookie(c)
		}
		return r
	}
	signIn() // there is no account
	accounts[key] = &account{}
	before := signIn()
	accounts[key].sessions++
	fmt.Println(sessions.SignedIn(before), sessions.SignedIn(signIn()))
	accounts[key].disabled = true
	signIn()
	// Output:
	// refused: true
	// false true
	// refused: true
}

// newLogin returns a login as a saml.Handler passes it to Sessions.SignIn.
func newLogin(mail string) *saml.Login {
	idp, err := samltest.New(samltest.Options{})
	if err != nil {
		log.Fatal(err)
	}
	metadata, err := idp.Metadata()
	if err != nil {
		log.Fatal(err)
	}
	trusted, err := saml.ParseMetadata(metadata)
	if err != nil {
		log.Fatal(err)
	}
	sp, err := saml.New(saml.Config{
		BaseURL:          "https://console.example.com",
		IdentityProvider: trusted,
		StateKeys:        [][]byte{saml.NewStateKey()},
		Store:            saml.NewMemoryStore(),
	})
	if err != nil {
		log.Fatal(err)
	}
	request, err := sp.StartLogin(context.Background(), saml.LoginOptions{})
	if err != nil {
		log.Fatal(err)
	}
	response, err := idp.Respond(samltest.Answer{
		User:      samltest.User{Mail: mail, ObjectID: "5f0c7a52-94d1-4c1e-8f57-1d0b6e2a9c31"},
		RequestID: request.ID,
		Recipient: sp.RedirectURL(),
	})
	if err != nil {
		log.Fatal(err)
	}
	login, err := sp.FinishLogin(context.Background(), saml.FormResponse{SAMLResponse: response, State: request.State})
	if err != nil {
		log.Fatal(err)
	}
	return login
}

// A form that is posted after the session has ended is not lost: it waits on a page until its user
// has signed in again. What guards against forged requests (CSRF) stands behind Require, so that it
// does not see the page's own form. Do not bind a token in the form to the session: the one in a
// form that waited is that of the old session.
func ExampleConfig_keepForms() {
	var sp *saml.ServiceProvider // from saml.New
	var app http.Handler
	sessions, err := session.New(session.Config{
		Keys:      [][]byte{saml.NewStateKey()}, // kept, and the same on all replicas
		Store:     saml.NewMemoryStore(),
		KeepForms: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	login, err := saml.NewHandler(saml.HandlerConfig{
		Provider:    sp,
		Sessions:    sessions,
		FormAccount: sessions.FormAccount,
	})
	if err != nil {
		log.Fatal(err)
	}
	http.Handle(sp.RedirectPath(), login)
	http.Handle("/", login.Require(http.NewCrossOriginProtection().Handler(app)))
}

// Some pages are for administrators only. The lists of a session can be incomplete: if
// GroupsTruncated is set, do not conclude from Identity.Groups that the user is not in a group, and
// if RolesTruncated is set, do not conclude from Identity.Roles that the user does not have a role,
// such as one that forbids something. A role that allows something is safe. Groups are cut before
// roles, so prefer rules on roles. If AttributesTruncated is set, an attribute of Config.Keep can be
// missing though the user has it, and a text that ends in "…" is for display only. With
// Config.Records nothing is cut.
func Example_requireFunc() {
	var login *saml.Handler // from ServiceProvider.Handler
	isAdministrator := func(r *http.Request) bool {
		return slices.Contains(session.FromContext(r.Context()).Identity.Roles, "Administrator")
	}
	http.Handle("/admin/", login.RequireFunc(isAdministrator)(http.NotFoundHandler()))
}

// A unit test of a page needs no sign-in.
func ExampleNewContext() {
	page := func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "Hello, %s", session.FromContext(r.Context()).Identity.Email)
	}
	r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
	page(w, r.WithContext(session.NewContext(r.Context(), &session.Session{Identity: &saml.Identity{Email: "ioana@example.com"}})))
	fmt.Println(w.Body)
	// Output: Hello, ioana@example.com
}

// identityProvider starts a test identity provider. It stands for the provider of a company, where
// an administrator has registered the Redirect URL and a user is signed in.
func identityProvider(redirectURL string) *saml.IdentityProvider {
	idp, err := samltest.New(samltest.Options{})
	if err != nil {
		log.Fatal(err)
	}
	server := httptest.NewTLSServer(idp) // ends with the program
	idp.SetBaseURL(server.URL)
	idp.Register(samltest.Application{
		Identifier: redirectURL,
		ReplyURLs:  []string{redirectURL},
		SignOnURL:  redirectURL,
	})
	idp.SignInAs(samltest.DefaultUsers()[0])
	metadata, err := idp.Metadata()
	if err != nil {
		log.Fatal(err)
	}
	trusted, err := saml.ParseMetadata(metadata)
	if err != nil {
		log.Fatal(err)
	}
	return trusted
}

// browser opens pages and submits the forms that post themselves.
type browser struct{ *http.Client }

func (b browser) signIn(address string) string {
	request, err := http.NewRequest("GET", address, nil)
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("Accept", "text/html")
	page, err := b.Do(request)
	for range 2 { // the identity provider's form, and our own
		if err != nil {
			log.Fatal(err)
		}
		form, readErr := samltest.ReadForm(page)
		if readErr != nil {
			log.Fatal(readErr)
		}
		page, err = b.PostForm(form.Action, form.Values)
	}
	return text(page, err)
}

func (b browser) post(address string, values url.Values) string {
	page, err := b.PostForm(address, values)
	return text(page, err)
}

func text(page *http.Response, err error) string {
	if err != nil {
		log.Fatal(err)
	}
	defer page.Body.Close()
	body, err := io.ReadAll(page.Body)
	if err != nil {
		log.Fatal(err)
	}
	return string(body)
}

package main

import (
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

const demoUsage = `samlsp demo

Signs in end to end on this machine. It starts an identity provider that behaves like Microsoft Entra ID (package samltest) and
a service (package saml) on two free ports of 127.0.0.1, follows the steps of an administrator, then signs a user in as a
browser would, and prints what happens. It ends by itself and leaves nothing behind.

Exit status: 0 signed in, 1 not, 2 usage.
`

func (t *tool) demo(args []string) int {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	if status, ok := t.parse(flags, demoUsage, args); !ok {
		return status
	}
	if flags.NArg() > 0 {
		return t.misused("demo", "it takes no operand")
	}
	if err := t.signIn(); err != nil {
		for _, e := range saml.Errors(err) {
			t.complain("demo", line(e))
		}
		return exitRefused
	}
	return exitOK
}

// step prints one step of the guide.
func (t *tool) step(n int, what string) { fmt.Fprintf(t.stdout, "%d. %s\n", n, what) }

// signIn is the guide for administrators and then a sign-in, over HTTP. All that it prints was
// received or done just before.
func (t *tool) signIn() error {
	entra, err := samltest.New(samltest.Options{})
	if err != nil {
		return err
	}
	entraURL, stopEntra, err := serve(entra)
	if err != nil {
		return err
	}
	defer stopEntra()
	entra.SetBaseURL(entraURL)

	mux := http.NewServeMux()
	serviceURL, stopService, err := serve(mux)
	if err != nil {
		return err
	}
	defer stopService()
	browser, err := newBrowser()
	if err != nil {
		return err
	}

	redirectURL := serviceURL + saml.DefaultRedirectPath
	t.step(1, "The Redirect URL is copied from the service's settings")
	row(t.stdout, 3, "Redirect URL", redirectURL)

	entra.Register(samltest.Application{Identifier: redirectURL, ReplyURLs: []string{redirectURL},
		SignOnURL: redirectURL})
	t.step(2, "It is registered at the identity provider, in all three fields of Basic SAML Configuration")
	for _, field := range []string{"Identifier (Entity ID)", "Reply URL", "Sign on URL"} {
		row(t.stdout, 3, field, redirectURL)
	}

	provider, err := t.downloadMetadata(entra.MetadataURL())
	if err != nil {
		return err
	}

	sp, err := saml.New(saml.Config{BaseURL: serviceURL, IdentityProvider: provider,
		StateKeys: [][]byte{saml.NewStateKey()}, Store: saml.NewMemoryStore()})
	if err != nil {
		return err
	}
	s := newService(sp)
	s.register(mux)
	t.step(4, "Save: the service takes the settings")
	row(t.stdout, 3, "Entity ID", sp.EntityID())

	user := samltest.DefaultUsers()[0]
	entra.SignInAs(user)
	t.step(5, "A user is signed in at the identity provider and has the application assigned")
	row(t.stdout, 3, "User", user.DisplayName)

	return t.visit(browser, s, serviceURL+loginPath)
}

// downloadMetadata fetches the Federation Metadata XML as an administrator does, and shows what it
// fills in.
func (t *tool) downloadMetadata(address string) (*saml.IdentityProvider, error) {
	document, err := saml.FetchMetadata(t.ctx, address, saml.FetchOptions{})
	if err != nil {
		return nil, err
	}
	provider, err := saml.ParseMetadata(document)
	if err != nil {
		return nil, err
	}
	t.step(3, fmt.Sprintf("The Federation Metadata XML is downloaded (%d bytes) and fills in the settings",
		len(document)))
	row(t.stdout, 3, "Entity ID", provider.EntityID())
	row(t.stdout, 3, "Login URL", provider.LoginURL())
	for _, k := range provider.Keys() {
		row(t.stdout, 3, "Certificate", k.Subject())
		row(t.stdout, 3, "Thumbprint SHA-1", k.ThumbprintSHA1())
		row(t.stdout, 3, "Valid", showTime(k.NotBefore())+" to "+showTime(k.NotAfter())+", "+life(k, t.now()))
	}
	for _, w := range provider.Warnings(t.now()) {
		if w.Code != "http_endpoint" { // true, but here nothing leaves the machine
			row(t.stdout, 3, "Warning", w.String())
		}
	}
	return provider, nil
}

// visit does what a browser does with the service's sign-in link.
func (t *tool) visit(browser *http.Client, s *service, address string) error {
	request, err := http.NewRequestWithContext(t.ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	page, err := browser.Do(request)
	if err != nil {
		return err
	}
	form, err := samltest.ReadForm(page)
	if err != nil {
		return err
	}
	loginURL, _, _ := strings.Cut(page.Request.URL.String(), "?")
	t.step(6, "The user opens the service and is sent to the login URL")
	row(t.stdout, 3, "Login URL", loginURL)
	row(t.stdout, 3, "Request ID", s.requestID)

	t.step(7, "The identity provider's page posts a response to the Redirect URL")
	row(t.stdout, 3, "Redirect URL", form.Action)
	request, err = http.NewRequestWithContext(t.ctx, http.MethodPost, form.Action,
		strings.NewReader(form.Values.Encode()))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := browser.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<16))
	if err != nil {
		return err
	}
	row(t.stdout, 3, "Response received", fmt.Sprintf("%d bytes of base64", s.received))
	if s.err != nil {
		return s.err
	}
	if s.login == nil {
		return fmt.Errorf("the service answers %s: %s", answer.Status, text)
	}

	t.step(8, "The service checks the response")
	for _, check := range saml.Checks() { // FinishLogin accepted, so all were passed
		fmt.Fprintf(t.stdout, "   passed: %-23s %s\n", check.Name, check.Rule)
	}
	t.step(9, "Signed in: "+visible(string(text)))
	printIdentity(t.stdout, s.login.Identity, s.login.Assertion, s.requestID)
	return nil
}

const httpTimeout = 10 * time.Second

// newBrowser is a client with cookies.
func newBrowser() (*http.Client, error) {
	jar, err := cookiejar.New(nil)
	return &http.Client{Jar: jar, Timeout: httpTimeout}, err
}

// serve answers on a free port of this machine until stop is called.
func serve(h http.Handler) (address string, stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := newServer(h)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	stop = func() {
		server.Close()
		<-ended
	}
	return "http://" + listener.Addr().String(), stop, nil
}

const (
	loginPath   = "/login"
	stateCookie = "saml_login"
	maxForm     = 2 << 20 // bytes, more than the largest response in base64
)

// service is the smallest service that can be signed in to. It serves one sign-in: what happened
// stands in its fields once the answer was received.
type service struct {
	sp        *saml.ServiceProvider
	requestID string
	received  int // bytes of the form value
	login     *saml.Login
	err       error
}

func newService(sp *saml.ServiceProvider) *service { return &service{sp: sp} }

func (s *service) register(mux *http.ServeMux) {
	mux.HandleFunc("GET "+loginPath, s.start)
	mux.HandleFunc("POST "+s.sp.RedirectPath(), s.finish)
}

// start sends the browser to the identity provider. The pending login, sealed, stays in the
// browser.
func (s *service) start(w http.ResponseWriter, r *http.Request) {
	request, err := s.sp.StartLogin(r.Context(), saml.LoginOptions{})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	s.requestID = request.ID
	// Lax reaches finish because both servers are on one host, which makes them one site. A service
	// on a host of its own needs SameSite=None with Secure, or a second, own POST.
	http.SetCookie(w, &http.Cookie{Name: stateCookie, Value: request.State, Path: "/", HttpOnly: true,
		SameSite: http.SameSiteLaxMode})
	http.Redirect(w, r, request.URL, http.StatusSeeOther)
}

// finish is the Redirect URL.
func (s *service) finish(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	state, err := r.Cookie(stateCookie)
	if err != nil {
		http.Error(w, "this browser began no sign-in", http.StatusForbidden)
		return
	}
	value := r.PostFormValue("SAMLResponse")
	s.received = len(value)
	s.login, s.err = s.sp.FinishLogin(r.Context(), saml.FormResponse{SAMLResponse: value, State: state.Value})
	if s.err != nil {
		http.Error(w, "the sign-in was refused", http.StatusForbidden)
		return
	}
	http.SetCookie(w, &http.Cookie{Name: stateCookie, Path: "/", MaxAge: -1, HttpOnly: true})
	fmt.Fprintf(w, "Hello, %s.", s.login.Identity.Email)
}

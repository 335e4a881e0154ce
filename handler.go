package saml

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"
)

// Sessions is what a Handler needs of the application's sessions. Package session implements it.
type Sessions interface {
	// SignIn begins a session for a finished login. It may add headers and cookies to w, but must
	// not write the answer: the Handler does. A session that existed before must end.
	SignIn(w http.ResponseWriter, r *http.Request, login *Login) error

	// SignedIn reports whether r carries a session that the application's pages accept. It decides as
	// Authenticate does, with SessionProvider. If this is not known at the moment, return true: then
	// no login begins, and the page answers with status 503.
	SignedIn(r *http.Request) bool

	// Authenticate returns the request that a page serves, for Handler.Require and Load: r with the
	// session in its context, or r itself if pages find the session in another way. It returns nil
	// if r has no session that counts. An error means that this is not known at the moment; the
	// answer is status 503 then, and never a login.
	//
	// A session counts for its own tenant, identity provider and service only, and SessionProvider
	// returns those of r. Authenticate may add headers and cookies to w, for example to renew the
	// session, but must not write the answer.
	Authenticate(w http.ResponseWriter, r *http.Request) (*http.Request, error)
}

// A HandlerConfig describes the one handler of the Redirect URL.
type HandlerConfig struct {
	// Provider is the provider of a service that has one for all requests. Set either Provider or
	// Resolve.
	Provider *ServiceProvider

	// Resolve returns the provider for a request, if Provider is not set. It is called in two ways:
	//
	// With tenant "" it says whose settings the request itself names, by its host or path:
	// http.Request.Host, PathValue. A service with one tenant returns its provider.
	// ErrNotConfigured means that the request names no tenant, because the Redirect URL is the same
	// for all of them, or that the only tenant has not enabled single sign-on. ErrNotEnabled means
	// that the request names one of several tenants, which has not enabled it. Return ErrNotEnabled
	// also for a name that no tenant has, or a session of any tenant counts at that address.
	//
	// With another tenant, only after the first call returned ErrNotConfigured or a provider of
	// other settings, it returns the provider of that tenant: the one whose session or pending
	// login the browser brought. The name is not proven yet; treat it as a name to look up.
	// ErrNotConfigured means that there is no such tenant.
	//
	// If the request names a tenant, sessions and pending logins of another tenant are refused, so
	// that a session of one tenant cannot be used at the host of another. Pending logins of a
	// provider with Config.Trial are the exception.
	//
	// Any other error means that the answer is not known at the moment: status 503. Its text is
	// left out of the log, because it may name a person; Observe gets it.
	//
	// Return the same ServiceProvider for the same settings, or give each one a Store: a provider
	// that is made for each request, without a Store, remembers nothing, and a response could be
	// replayed.
	Resolve func(r *http.Request, tenant string) (*ServiceProvider, error)

	// ByIssuer returns the tenant whose IdentityProvider.EntityID is issuer, byte for byte: the name of
	// its provider for Resolve. It is asked for unsolicited responses (IdP-initiated) and LogoutRequests
	// that arrive at an address which names no tenant, because it is the same for all. issuer has at most
	// 1024 bytes and is what the message says before anything of it is verified: it only chooses the
	// settings that the message must pass or, with RestartUnsolicited, where a login begins.
	//
	// "" or ErrNotConfigured means that no tenant has this identity provider: the message is refused.
	// An error that is or wraps CodeSharedIssuer means that several have it, whoever of them is right:
	// people are then asked for their e-mail address if ChooseTenant is set, and refused otherwise; a
	// LogoutRequest is refused, so give such tenants Logout URLs of their own. Any
	// other error means that the answer is not known at the moment: status 503.
	//
	// Default nil: such a message is refused. It must not be set beside Provider.
	ByIssuer func(ctx context.Context, issuer string) (tenant string, err error)

	// ChooseTenant returns the tenant whose people have e-mail addresses in domain, for Resolve. If it
	// is set, people at an address that names no tenant are asked for their e-mail address: on a page
	// of the Handler itself, at ChoosePath. domain is in the form of NormalizeDomain. Nobody has proven
	// that the address is theirs: it only chooses where their login begins.
	//
	// "" or ErrNotConfigured means that the domain is not verified for any tenant. Any other error
	// means that the answer is not known at the moment: status 503. The answer to an unknown domain,
	// to one that is not verified and to one whose tenant has no identity provider is the same, and so
	// is the work: Resolve is asked for a tenant that does not exist if there is none.
	//
	// Domains.Tenant is such a function for domains that do not change. One for a database looks for
	// the domain in a column that NormalizeDomain has filled, among those that are verified. Default
	// nil: nobody is asked, and such a request is refused. It must not be set beside Provider.
	ChooseTenant func(ctx context.Context, domain string) (tenant string, err error)

	// ChoosePath is the path at which the Handler asks for the address, if ChooseTenant is set: that
	// of the Redirect URL if all tenants share it, or another one at which the Handler is registered
	// too, such as "/sign-in". Resolve must return ErrNotConfigured for it. Require sends people there.
	// Default DefaultRedirectPath.
	ChoosePath string

	// LogoutPath is the path of the Logout URL if several tenants share it: Config.LogoutPath of each of
	// them, if that is not the path of a Redirect URL too. At an address of this path that names no
	// tenant nothing but logout is answered, so that nobody is asked for an e-mail address there. If it is
	// empty, what belongs to a sign-in is refused there only once its tenant is known. Resolve must return
	// ErrNotConfigured for it. Default "". It must not be set beside Provider.
	LogoutPath string

	// Sessions is the application's side. Required.
	Sessions Sessions

	// FormAccount makes Require keep a form that is posted after the session has ended, until the
	// user has signed in again: session.Manager.FormAccount (with session.Config.KeepForms), or a
	// function of your own. The form waits, sealed, on a page that leads to the sign-in in a new
	// window; "Send again" on that page sends it once, within an hour, for the same account only.
	//
	// Forms of at most 64 KiB are kept, url-encoded or multipart without files, that a person posts
	// from a page of this service. A request with Authorization, one in a frame and one of a script
	// are not kept. What guards against forged requests (CSRF) must be behind Require, and its
	// token must not change with the session: the form is sent as it was. A middleware in front
	// that reads the body must put it back. Default nil: a form is lost when its user has to sign
	// in.
	FormAccount FormAccountFunc

	// EndSession is the application's side of a logout that begins here (StartLogout): session.Manager.End,
	// or a function of your own. Default nil: StartLogout is not offered.
	EndSession EndSessionFunc

	// LogoutSOAP is for identity providers that offer logout by SOAP alone. The zero value reaches those
	// that have a public address.
	LogoutSOAP SOAPOptions

	// EndSessions is the application's side of a logout that begins at the identity provider:
	// session.Manager.EndSessions, or a function of your own. It is called for each LogoutRequest that
	// the identity provider made for this service, also if nobody here has such a session, and again
	// if the same request comes again. It may take 30 seconds, and goes on if the browser leaves.
	//
	// The LogoutRequests of one tenant may name 100,000 sessions within an hour at one Handler, so the
	// number for a tenant grows with the number of replicas; one without SessionIndex counts as one.
	// What is above that is not carried out, and the identity provider is told so (Responder).
	//
	// Default nil: such logouts are not offered. If a LogoutRequest comes all the same, the identity
	// provider is told that it was not carried out.
	EndSessions EndSessionsFunc

	// Language returns the language of the pages and short answers for r, as a tag of RFC 5646 such as
	// "de", and the function that translates their texts. It gets each text in English, as PageTexts
	// lists them, and returns plain text; "" leaves the English one. A sentence of Denied is not
	// translated: the application writes it in the right language. It must be safe for concurrent
	// use. Default: English.
	Language func(r *http.Request) (tag string, translate func(english string) string)

	// OnError answers in place of the Handler's own error page. It must show the user nothing of
	// err but Code, Reference and what Page returns. Cache-Control is no-store when it is called, and
	// should stay so: the page is about this one request. A button that begins the login again leads
	// to the Redirect URL with return_to set to err.ReturnTo; let it post a form if that makes an
	// address of more than 2 KiB, because proxies refuse those.
	//
	// It answers refused logout messages too (err.Page then speaks of a sign-out). Identity providers
	// show the answer to a LogoutRequest in a frame: Content-Security-Policy says who may when it is
	// called, so add your own rules to it. Such a page should have no links and set no cookies.
	OnError func(w http.ResponseWriter, r *http.Request, err *Error)

	// Home is the local path at which a login without a return_to ends. Default "/".
	Home string

	// BodyMemory is how many bytes all posted forms of more than 64 KiB may take together while
	// they arrive and are answered. A form above that gets status 503 with Retry-After. Forms of up
	// to 64 KiB, about 150 groups twice over, always pass. A quarter is kept for forms of up to 256
	// KiB. If FormAccount is set, another quarter is for forms that wait for a sign-in, and they take
	// nothing of the rest; those of up to 8 KiB always pass. At least 8 MiB; 0 means 32 MiB.
	BodyMemory int

	// Observe is called for each refusal for which Resolve returns no provider, as Config.Observe
	// of a provider is for all others. Event.Err wraps what Resolve returned. It must be safe for
	// concurrent use. Default nil.
	Observe func(context.Context, Event)

	// Logger gets the refusals for which Resolve returns no provider; others go to the provider's
	// own. Default: slog.Default.
	Logger *slog.Logger
}

const (
	defaultBodyMemory = 32 << 20
	leastBodyMemory   = 8 << 20
)

// A Handler serves the Redirect URL (assertion consumer service, ACS): GET begins a login, POST
// finishes it. With HandlerConfig.ChooseTenant it also asks people for their e-mail address where
// their tenant is not known. Require and Load guard pages. Its only state is in the cookies that it
// sets.
//
// At the Logout URL (single logout service, SLO; Config.LogoutPath), if there is one, and at the
// Redirect URL it takes messages about logout: by GET (HTTP-Redirect), in a form (HTTP-POST) and by
// SOAP. They come without cookies, from other sites and from servers, so nothing in front may ask for a
// session, a token against CSRF or an Origin there, or forbid its pages to be framed.
//
// A form has at most 2 MiB. If a middleware in front of the Handler has parsed it already
// (http.Request.ParseForm), the limits of the middleware on size and time come first, and those of
// the Handler hold for what it left. A middleware that only reads the body must put it back.
type Handler struct {
	config HandlerConfig
	bodies *memoryBudget
	forms  *memoryBudget // for those that wait for a sign-in, of people with an account; see shareMemory
	// strangersForms is for those of people of whom nobody knows an account.
	strangersForms *memoryBudget

	large       chan struct{} // one for each large message that is being verified
	bodyTimeout time.Duration
	logouts     *logoutLimit
	refusals    *refusalLog // of those without a provider
	hosts       hostWarnings
	silence     silence
	soap        soapClient
}

// Handler is NewHandler for this provider alone: the handler of its Redirect URL (assertion
// consumer service, ACS). It panics if sessions is nil, as http.Handle does: no login could ever be
// finished.
func (sp *ServiceProvider) Handler(sessions Sessions) *Handler {
	if isNil(sessions) {
		panic("saml: ServiceProvider.Handler was called with nil Sessions")
	}
	if sp == nil {
		panic("saml: the method Handler of a nil ServiceProvider was called")
	}
	return newHandler(HandlerConfig{Provider: sp, Sessions: sessions, Home: "/"})
}

// NewHandler returns the handler of the Redirect URL (assertion consumer service, ACS), for one
// provider or for many tenants. All faults of the configuration are reported at once, as joined
// *Error values.
func NewHandler(c HandlerConfig) (*Handler, error) {
	if c.Home == "" {
		c.Home = "/"
	}
	f := faults{of: "HandlerConfig"}
	if c.Resolve == nil && c.Provider == nil {
		f.add("Resolve", "and Provider are missing", "", "one of them")
	}
	if c.Resolve != nil && c.Provider != nil {
		f.add("Resolve", "is set beside Provider", "", "one of them")
	}
	if isNil(c.Sessions) {
		f.add("Sessions", "is missing", "", "a session.Manager, or sessions of your own")
	}
	c.validateChoice(&f)
	if !localPath(c.Home) {
		f.add("Home", "is not a path on this host", c.Home, "/path?query#fragment of at most 8192 bytes")
	}
	if c.BodyMemory != 0 && c.BodyMemory < leastBodyMemory {
		f.add("BodyMemory", "is too small", strconv.Itoa(c.BodyMemory),
			strconv.Itoa(leastBodyMemory)+" bytes or more, or 0")
	}
	if len(f.list) > 0 {
		return nil, completeAll(errors.Join(f.list...), nil)
	}
	return newHandler(c), nil
}

// newHandler takes a valid HandlerConfig.
func newHandler(c HandlerConfig) *Handler {
	if c.BodyMemory == 0 {
		c.BodyMemory = defaultBodyMemory
	}
	if c.ChooseTenant != nil && c.ChoosePath == "" {
		c.ChoosePath = DefaultRedirectPath
	}
	if sp := c.Provider; sp != nil {
		c.Resolve = func(*http.Request, string) (*ServiceProvider, error) { return sp, nil }
	}
	h := &Handler{config: c, large: make(chan struct{}, largeMessages), bodyTimeout: bodyTimeout,
		logouts: newLogoutLimit(), refusals: &refusalLog{}, soap: newSOAPClient(c.LogoutSOAP)}
	h.shareMemory(c.BodyMemory)
	return h
}

// Provider returns the provider of tenant for r, for the session of a user of that tenant; with
// tenant "", it returns the one that r itself names. The error is an *Error: CodeNotConfigured if
// there is none, CodeTenant if r names the provider of another tenant; with any other code the
// answer is not known at the moment.
func (h *Handler) Provider(r *http.Request, tenant string) (*ServiceProvider, error) {
	sp, trial, err := h.resolveTenant(r, tenant)
	switch {
	case err != nil:
		return nil, err.completed(nil)
	case trial, sp.config.Trial:
		return nil, otherTenant().completed(nil) // no session is one of settings on trial
	}
	return sp, nil
}

// resolveTenant returns the provider of tenant, unless r itself names another one. trial says that
// r does, and that the provider is on trial.
func (h *Handler) resolveTenant(r *http.Request, tenant string) (sp *ServiceProvider, trial bool, refusal *Error) {
	named, refusal := h.resolve(r, "")
	switch {
	case refusal != nil && refusal.Code != CodeNotConfigured, tenant == "":
		return named, false, refusal
	case refusal != nil && errors.Is(refusal, ErrNotEnabled):
		return nil, false, otherTenant()
	case refusal == nil && named.config.Tenant == tenant:
		return named, false, nil
	}
	sp, refusal = h.resolve(r, tenant)
	switch {
	case refusal != nil:
		return nil, false, refusal
	case sp.config.Tenant != tenant:
		return nil, false, h.wrongTenant(sp, tenant)
	case named != nil && !sp.config.Trial:
		return nil, false, otherTenant()
	}
	return sp, named != nil, nil
}

func otherTenant() *Error {
	return refuse(CodeTenant, "the session or pending login belongs to another tenant than the address", "", "")
}

// wrongTenant returns the refusal of a provider that is not the one that was asked for. With
// HandlerConfig.Provider it is simply that of the only tenant there is. Otherwise the function
// Resolve is wrong, and no session of the tenant would ever count.
func (h *Handler) wrongTenant(sp *ServiceProvider, asked string) *Error {
	if h.config.Provider != nil {
		return otherTenant()
	}
	return refuse(CodeTenant, "HandlerConfig.Resolve returned the provider of another tenant than it was asked for",
		cmp.Or(sp.config.Tenant, "no tenant"), quote(asked)).
		advised("Let HandlerConfig.Resolve return the provider whose Config.Tenant is its second argument, or ErrNotConfigured if there is none.")
}

func (h *Handler) resolve(r *http.Request, tenant string) (*ServiceProvider, *Error) {
	sp, err := h.config.Resolve(r, tenant)
	if err == nil && sp != nil {
		return sp, nil
	}
	if isNil(err) { // also a nil *Error
		err = nil
	}
	switch {
	case errors.Is(err, ErrNotConfigured):
		return nil, refuse(CodeNotConfigured, "single sign-on is not enabled", "", "").withCause(err)
	case err != nil || sp == nil:
		return nil, refuse(CodeIdentityProvider, "the settings of single sign-on cannot be read", "", "").withCause(err)
	}
	return sp, nil
}

type providerKey struct{}

// ProviderFromContext returns the provider that a Handler resolved a request to, in calls of SignIn
// and SignedIn of its Sessions; nil elsewhere. What a session must fit is in SessionProvider.
func ProviderFromContext(ctx context.Context) *ServiceProvider {
	sp, _ := ctx.Value(providerKey{}).(*ServiceProvider)
	return sp
}

func withProvider(r *http.Request, sp *ServiceProvider) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), providerKey{}, sp))
}

// ServeHTTP serves the Redirect URL (assertion consumer service, ACS). A GET begins a login, unless
// the browser is signed in. Its query may have return_to, at which the login ends: a path on this
// host, or an address whose origin is that of Config.BaseURL, of which the path counts; others are
// ignored. It may have fresh=1, with which the identity provider asks again who signs in
// (ForceAuthn), also if somebody is signed in: for a link "Use another account" of the service
// itself. A POST of a form with the field return_to alone does the same as the GET, for paths that
// are too long for proxies. If the address names no tenant, the GET asks
// for an e-mail address (HandlerConfig.ChooseTenant).
//
// A message about logout is answered as Handler says, by GET and by POST. At a Logout URL that is not
// the Redirect URL, nothing else is.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r = r.WithContext(context.WithValue(r.Context(), handlerKey{}, h)) // for SessionProvider
	switch r.Method {
	case http.MethodGet:
		h.begin(w, r)
	case http.MethodPost:
		h.receive(w, r)
	default:
		w.Header().Set("Allow", "GET, POST")
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, h.language(r).Say(textMethods), http.StatusMethodNotAllowed)
	}
}

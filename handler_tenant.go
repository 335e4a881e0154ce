package saml

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/iomete/saml/internal/page"
	"github.com/iomete/saml/internal/posted"
	"github.com/iomete/saml/internal/wire"
	"github.com/iomete/saml/internal/xmltree"
)

// validateChoice checks the fields that find a tenant where the address of a request names none.
func (c *HandlerConfig) validateChoice(f *faults) {
	if c.Provider != nil && c.ByIssuer != nil {
		f.add("ByIssuer", "is set beside Provider", "", "Resolve, if there are several tenants")
	}
	if c.Provider != nil && c.ChooseTenant != nil {
		f.add("ChooseTenant", "is set beside Provider", "", "Resolve, if there are several tenants")
	}
	c.validateLogoutPath(f)
	switch {
	case c.ChoosePath == "":
	case c.ChooseTenant == nil:
		f.add("ChoosePath", "is set without ChooseTenant", c.ChoosePath, "both of them, or neither")
	case !localPath(c.ChoosePath) || strings.ContainsAny(c.ChoosePath, "?#"):
		f.add("ChoosePath", "is not a path", c.ChoosePath, DefaultRedirectPath+" or another path")
	}
}

func (c *HandlerConfig) validateLogoutPath(f *faults) {
	switch {
	case c.LogoutPath == "":
	case c.Provider != nil:
		f.add("LogoutPath", "is set beside Provider", c.LogoutPath, "Config.LogoutPath of the provider alone")
	case !localPath(c.LogoutPath) || strings.ContainsAny(c.LogoutPath, "?#"):
		f.add("LogoutPath", "is not a path", c.LogoutPath, "a path such as /saml/logout")
	case c.ChooseTenant != nil && samePath(c.LogoutPath, cmp.Or(c.ChoosePath, DefaultRedirectPath)):
		f.add("LogoutPath", "is the path at which people are asked for their address (ChoosePath)", c.LogoutPath,
			"two paths, or no LogoutPath")
	}
}

// namesNone reports whether Resolve said that the address of a request names no tenant. ErrNotEnabled
// is about an address that names one.
func namesNone(err error) bool {
	return errors.Is(err, CodeNotConfigured) && !errors.Is(err, ErrNotEnabled)
}

// asksWho reports whether people for whom Resolve returned err are asked who they are.
func (h *Handler) asksWho(err error) bool { return h.config.ChooseTenant != nil && namesNone(err) }

// A tenantFunc is HandlerConfig.ByIssuer or ChooseTenant.
type tenantFunc func(ctx context.Context, of string) (tenant string, err error)

// find asks for a tenant. There is none if it returns "". name is that of the field.
func (ask tenantFunc) find(ctx context.Context, name, of string) (tenant string, refusal *Error) {
	tenant, err := ask(ctx, of)
	switch {
	case isNil(err): // also a nil *Error
		return tenant, nil
	case errors.Is(err, ErrNotConfigured):
		return "", nil
	}
	name = "HandlerConfig." + name
	return "", refuse(CodeIdentityProvider, name+" failed, so nobody knows the tenant", "", "").withCause(err).
		advised("See why " + name + " failed (HandlerConfig.Observe gets its error), and sign in again.")
}

// providerOfIssuer returns the provider of the tenant whose identity provider a message says it comes
// from, "" if it does not say. Nothing of the message is verified yet: it is the provider at which it
// must pass.
func (h *Handler) providerOfIssuer(r *http.Request, issuer string) (*ServiceProvider, *Error) {
	if issuer == "" {
		return nil, refuse(CodeResponseIssuer, "the message does not say who sent it, so nobody knows its tenant", "",
			"an Issuer in the message").
			advised("Let the identity provider write its entity ID into the Issuer of the Response or LogoutRequest.")
	}
	if len(issuer) > maxEntityID {
		return nil, unknownIssuer(issuer)
	}
	tenant, refusal := tenantFunc(h.config.ByIssuer).find(r.Context(), "ByIssuer", issuer)
	switch {
	case refusal != nil && errors.Is(refusal.cause, CodeSharedIssuer):
		return nil, sharedIssuer(issuer).withCause(refusal.cause)
	case refusal != nil:
		return nil, refusal
	case tenant == "":
		return nil, unknownIssuer(issuer)
	}
	sp, _, refusal := h.resolveTenant(r, tenant)
	if refusal != nil {
		return nil, refusal
	}
	return sp, sp.checkByIssuer(r.Context(), issuer)
}

// unverifiedIssuer returns the entity ID that a message names as its sender: that of the Response, or
// of its assertion if the Response has no Issuer. It returns "" if it names none that can be read.
func unverifiedIssuer(m *wire.Response) string {
	if m.Issuer.Exists() {
		return decodeIssuer(m.Issuer).Value
	}
	if m.Assertion.Exists() { // one that is encrypted has no Issuer
		for c := range m.Assertion.Children() {
			if c.Is(xmltree.NSAssertion, "Issuer") { // the schema has one
				return decodeIssuer(c).Value
			}
		}
	}
	return ""
}

func sharedIssuer(issuer string) *Error {
	return refuse(CodeSharedIssuer, "several tenants have the identity provider that the message names", issuer,
		"one tenant").
		advised("Give each of these tenants a Redirect URL of its own (Config.RedirectPath, such as /sso/<tenant>/acs), " +
			"or let their people begin at the service.")
}

func unknownIssuer(issuer string) *Error {
	base, _ := cutApplication(issuer)
	return refuse(CodeResponseIssuer, "no tenant has the identity provider that the message names", issuer,
		"the entity ID of a tenant's identity provider").
		advised(cmp.Or(entraIssuerHint(issuer, base),
			"Compare the entity ID in the settings of the tenant with the one that arrived, character by character: "+
				"a slash at its end counts. HandlerConfig.ByIssuer must find a tenant by it."))
}

// checkByIssuer refuses the provider that ByIssuer led to if it does not trust the issuer: no
// response could pass, and none of its checks would know why.
func (sp *ServiceProvider) checkByIssuer(ctx context.Context, issuer string) *Error {
	idp, refusal := sp.configured(ctx) // a logout goes on after validUntil, and a response has a check of its own
	switch {
	case refusal != nil:
		return refusal
	case idp.entityID != issuer:
		return refuse(CodeConfig, "HandlerConfig.ByIssuer returned a tenant that has another identity provider", issuer,
			quote(idp.entityID)).
			advised(cmp.Or(entraIssuerHint(issuer, idp.entityID),
				"Let HandlerConfig.ByIssuer compare whole entity IDs, byte for byte, and those of the settings in use."))
	}
	return nil
}

// withoutTenant answers an unsolicited response whose tenant is not known. If several have its
// identity provider, the person can say whose they are: otherwise one tenant could shut out the
// people of another by entering its entity ID.
func (h *Handler) withoutTenant(w http.ResponseWriter, r *http.Request, relay string, refusal *Error) {
	switch {
	case refusal.Code != CodeSharedIssuer || h.config.ChooseTenant == nil:
		h.fail(w, r, nil, refusal)
	case h.hasSession(w, r):
		h.leave(w, r, h.config.Home)
	default:
		h.askAgain(w, r, relay, "", refusal)
	}
}

// hasSession reports whether r has a session of any tenant, also if that is not known at the moment.
func (h *Handler) hasSession(w http.ResponseWriter, r *http.Request) bool {
	served, err := h.config.Sessions.Authenticate(w, r.WithContext(h.known(r.Context())))
	return !isNil(err) || served != nil
}

// askWho answers a person at an address that names no tenant, for a login that ends at returnTo. It
// sets no cookie and stores nothing.
func (h *Handler) askWho(w http.ResponseWriter, r *http.Request, returnTo string) {
	kept, _ := keptPage(returnTo, "")
	switch fresh := asksAnew(r); {
	case visitOf(r) == framedVisit:
		h.toLogin(w, r, h.config.ChoosePath, kept, fresh)
	// a page that was asked for has no session, or nobody would have come here from it
	case returnTo == "" && !fresh && h.hasSession(w, r):
		h.leave(w, r, h.config.Home)
	default:
		h.question(r, returnTo, "").Write(w, http.StatusOK)
	}
}

// question is the page that asks for an e-mail address. It keeps returnTo, and what was typed before.
func (h *Handler) question(r *http.Request, returnTo, typed string) page.Question {
	kept, lost := keptPage(returnTo, "")
	if lost { // it is still too long, so that the login can say so
		kept = strings.ToValidUTF8(returnTo[:maxReturnTo+1], "\uFFFD")
	}
	return page.Question{Language: h.language(r), Title: textSignIn, Label: textYourAddress,
		Field: posted.Address, Value: strings.ToValidUTF8(typed, "\uFFFD"), MaxLength: posted.MaxAddress,
		Kept: page.Field{Name: posted.ReturnTo, Value: kept}, MaxKept: maxReturnTo}
}

// choose answers the form of that page: it begins the login of the tenant whose people have such an
// address. The address is told to the identity provider of this tenant alone, and kept nowhere.
func (h *Handler) choose(w http.ResponseWriter, r *http.Request, form *postedForm) {
	if h.nobodyIsThere(w, r) {
		return
	}
	sp, refusal := h.resolve(r, "")
	foreign := h.checkChoice(r)
	switch {
	case (refusal == nil || namesNone(refusal)) && h.refuseSignIn(w, r, sp):
	case foreign != nil:
		h.fail(w, r, sp, foreign)
	case refusal == nil: // there is no choice here
		h.beginAt(w, r, sp, LoginOptions{ReturnTo: form.ReturnTo}, false)
	case !namesNone(refusal):
		h.fail(w, r, nil, refusal)
	case visitOf(r) == framedVisit:
		h.askWho(w, r, form.ReturnTo)
	default:
		h.beginByAddress(w, r, form)
	}
}

func (h *Handler) beginByAddress(w http.ResponseWriter, r *http.Request, form *postedForm) {
	email, domain := splitEmail(form.Address)
	if domain == "" {
		again := h.question(r, form.ReturnTo, form.Address)
		again.Problem = textWholeAddress
		again.Write(w, http.StatusUnprocessableEntity)
		return
	}
	sp, refusal := h.providerOfDomain(r, domain)
	switch {
	case refusal == nil && h.refuseSignIn(w, r, sp):
	case refusal == nil && isOpenedAt(r, sp.redirectURL):
		h.beginAt(w, r, sp, LoginOptions{ReturnTo: form.ReturnTo, LoginHint: email}, false)
	case refusal == nil: // the cookies of the login belong to another host
		kept, _ := keptPage(form.ReturnTo, sp.config.BaseURL)
		h.toLogin(w, r, sp.redirectURL, kept, asksAnew(r))
	case refusal.Code == CodeAddressUnknown:
		h.askAgain(w, r, form.ReturnTo, form.Address, refusal)
	default:
		h.fail(w, r, nil, refusal)
	}
}

// checkChoice refuses a form that no page of ours has posted: another site must not choose where a
// person signs in.
func (h *Handler) checkChoice(r *http.Request) *Error {
	if h.config.ChooseTenant == nil {
		return refuse(CodeForm, "the form has an e-mail address, and nobody is asked for one here", posted.Address,
			"SAMLResponse").advised("Set HandlerConfig.ChooseTenant, or let the handler of a page of your own begin the login " +
			"with Handler.StartLogin.")
	}
	if err := new(http.CrossOriginProtection).Check(r); err != nil {
		return refuse(CodeForm, "the form with the e-mail address does not come from a page of this service",
			r.Header.Get("Origin"), quote(r.Host)).withCause(err).
			advised("Link to the page that asks for the address, and do not post to it. If a proxy changes the Host header, " +
				"let it keep it (nginx: proxy_set_header Host $host).")
	}
	return nil
}

// noTenant is asked for in place of a tenant if there is none. What it leads to does not count.
const noTenant = "(none)"

// providerOfDomain returns the provider of the tenant whose people have addresses in a domain. The
// refusal is CodeAddressUnknown if there is none. Strangers must not learn whether a domain is unknown, not
// verified, or one of a tenant without single sign-on, so all the same questions are asked.
func (h *Handler) providerOfDomain(r *http.Request, domain string) (*ServiceProvider, *Error) {
	unknown := refuse(CodeAddressUnknown, "the domain of the e-mail address is not verified for any tenant", domain, "")
	tenant, refusal := tenantFunc(h.config.ChooseTenant).find(r.Context(), "ChooseTenant", domain)
	if refusal != nil {
		return nil, refusal
	}
	sp, _, refusal := h.resolveTenant(r, cmp.Or(tenant, noTenant))
	if refusal == nil && tenant != "" {
		_, refusal = sp.snapshot(r.Context())
	}
	switch {
	case refusal == nil && sp.config.Trial, tenant == "" && (refusal == nil || refusal.Code != CodeIdentityProvider):
		return nil, unknown
	case refusal != nil && refusal.Code == CodeNotConfigured:
		unknown.Message = "the tenant that has the domain of the e-mail address has no identity provider"
		return nil, unknown.withCause(refusal)
	case refusal != nil:
		return nil, refusal
	}
	return sp, nil
}

// askAgain says why there was no login, and asks for an address.
func (h *Handler) askAgain(w http.ResponseWriter, r *http.Request, returnTo, typed string, refusal *Error) {
	refusal.Reference = newReference()
	refusal = refusal.completed(nil)
	h.observe(r.Context(), Event{Kind: LoginRefused, Err: refusal})
	shown, language := refusal.Page(), h.language(r)
	again := h.question(r, returnTo, typed)
	again.Problem = shown.Sentence
	again.Notes = []page.Field{{Name: language.Say(textCode), Value: string(refusal.Code)},
		{Name: language.Say(textReference), Value: refusal.Reference}}
	again.Write(w, shown.Status)
}

// isOpenedElsewhere reports whether the browser says that the page that posted r is at another origin
// than an address.
func isOpenedElsewhere(r *http.Request, address string) bool {
	origin := r.Header.Get("Origin")
	return origin != "" && origin != "null" && !isOpenedAt(r, address)
}

// isOpenedAt reports whether the page that posted r is at the origin of an address. What the browser
// says counts before the Host header, which proxies change.
func isOpenedAt(r *http.Request, address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	if origin := r.Header.Get("Origin"); origin != "" && origin != "null" { // by a Referrer-Policy
		page, err := url.Parse(origin)
		return err == nil && page.Scheme == u.Scheme && hostOf(page.Host) == hostOf(u.Host)
	}
	return hostOf(r.Host) == hostOf(u.Host) || hostOf(r.Header.Get("X-Forwarded-Host")) == hostOf(u.Host)
}

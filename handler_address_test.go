package saml_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// newAsking is a service that asks people for their e-mail address where an address names no tenant.
// Tenant c has a domain and no single sign-on, and d a provider without an identity provider.
func newAsking(t *testing.T, changes ...func(*saml.Config)) *tenants {
	t.Helper()
	s := newTenants(t, changes...)
	domains, err := saml.NewDomains(
		saml.DomainClaim{Domain: "acme.example", Tenant: "a", Verified: true},
		saml.DomainClaim{Domain: "glob.example", Tenant: "b", Verified: true},
		saml.DomainClaim{Domain: "none.example", Tenant: "c", Verified: true},
		saml.DomainClaim{Domain: "gone.example", Tenant: "nobody", Verified: true},
		saml.DomainClaim{Domain: "soon.example", Tenant: "d", Verified: true},
		saml.DomainClaim{Domain: "open.example", Tenant: "a"},
	)
	if err != nil {
		t.Fatal(err)
	}
	s.trials["d"] = newProvider(t, s.a.idp, func(c *saml.Config) {
		c.Tenant = "d"
		c.IdentityProvider = saml.IdentityProviderFunc(func(context.Context) (*saml.IdentityProvider, error) {
			return nil, saml.ErrNotConfigured
		})
	})
	s.serve(func(c *saml.HandlerConfig) { c.ChooseTenant, c.Observe = domains.Tenant, s.observe })
	return s
}

// typed is the form of the page that asks, with an address in it.
func typed(address, returnTo string, header ...string) *http.Request {
	values := url.Values{"saml_address": {address}}
	if returnTo != "" {
		values.Set("return_to", returnTo)
	}
	return formRequest(values, append([]string{"Sec-Fetch-Site", "same-origin"}, header...)...)
}

func (s *tenants) send(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.login.ServeHTTP(w, r)
	return w
}

// asks reports whether an answer is the page that asks for the address.
func asks(w *httptest.ResponseRecorder) bool {
	return strings.Contains(w.Body.String(), `type="email" name="saml_address"`)
}

// TestAddressLeadsToTheTenant: a person opens a page, enters the address, signs in at the identity
// provider of their own tenant, which gets the address to fill in, and is on the page.
func TestAddressLeadsToTheTenant(t *testing.T) {
	t.Parallel()
	for _, scripts := range []bool{true, false} {
		for _, row := range []struct{ address, domain, tenant string }{
			{"ann.lee@acme.example", "acme.example", "a"},
			{"  Bob@GLOB.example. ", "GLOB.example", "b"},
		} {
			s := newAsking(t)
			b := newTabbed(t, s.login)
			send := b.send
			if !scripts { // a browser without Fetch Metadata
				send = func(r *http.Request) *httptest.ResponseRecorder {
					r.Header.Set("Accept", "text/html")
					r.Header.Set("Origin", "https://console.example.com")
					r.Header.Del("Sec-Fetch-Site")
					for name, value := range b.cookies {
						r.AddCookie(&http.Cookie{Name: name, Value: value})
					}
					return b.serve(r)
				}
			}
			page := httptest.NewRecorder()
			r := httptest.NewRequest("GET", ownPage, nil)
			r.Header.Set("Accept", "text/html")
			s.login.Require(whoIsThere).ServeHTTP(page, r)
			to := page.Header().Get("Location")
			if page.Code != http.StatusSeeOther || to != saml.DefaultRedirectPath+"?return_to=%2Fjobs%3Fid%3D7" {
				t.Fatalf("a page leads to status %d, %q", page.Code, to)
			}
			question := send(httptest.NewRequest("GET", "https://console.example.com"+to, nil))
			if question.Code != http.StatusOK || len(question.Result().Cookies()) > 0 || !asks(question) {
				t.Fatalf("got status %d, cookies %v, %s", question.Code, question.Result().Cookies(), question.Body)
			}
			form, err := samltest.ReadForm(question.Result())
			if err != nil {
				t.Fatal(err)
			}
			if form.Action != "" || form.Values.Get("return_to") != "/jobs?id=7" {
				t.Errorf("got the form %+v", form)
			}
			tab := b.tab()
			tab.leaves(send(typed(row.address, form.Values.Get("return_to"))))
			h := map[string]*house{"a": s.a, "b": s.b}[row.tenant]
			at, err := url.Parse(tab.at)
			if err != nil {
				t.Fatal(err)
			}
			hint := strings.TrimSuffix(strings.TrimSpace(row.address), ".")
			if !strings.HasPrefix(tab.at, h.idp.LoginURL()+"?") || at.Query().Get("login_hint") != hint {
				t.Errorf("%s leads to %s", row.address, tab.at)
			}
			w := tab.finish(h.respond(samltest.Answer{RequestID: requestID(t, tab.at)}))
			if got := where(w); got != "/jobs?id=7" {
				t.Errorf("%s ends at %q: status %d, %s", row.address, got, w.Code, w.Body)
			}
			if got := s.userOf(b); got != alice+" of "+row.tenant {
				t.Errorf("%s has the session of %q", row.address, got)
			}
		}
	}
}

// TestNoEnumeration: strangers cannot learn which domains are known. Whatever the reason is that
// there is no login, body, status, headers and cookies are the same, and so is what is asked.
func TestNoEnumeration(t *testing.T) {
	t.Parallel()
	chosen, resolved := 0, 0
	var log strings.Builder
	store := countedStore{saml.NewMemoryStore(), new(atomic.Int64)}
	s := newAsking(t, func(c *saml.Config) { c.Store = store })
	s.serve(func(c *saml.HandlerConfig) {
		c.Logger = slog.New(slog.NewTextHandler(&log, nil))
		choose, resolve := c.ChooseTenant, c.Resolve
		c.ChooseTenant = func(ctx context.Context, domain string) (string, error) {
			chosen++
			return choose(ctx, domain)
		}
		c.Resolve = func(r *http.Request, tenant string) (*saml.ServiceProvider, error) {
			resolved++
			return resolve(r, tenant)
		}
	})
	changing := regexp.MustCompile(`nonce(="|-)[A-Z0-9]+|reference <code>[A-Z0-9]+|[a-z]{4}\.example`)
	var first string
	for _, row := range []struct{ name, domain, message string }{
		{"unknown", "what.example", "is not verified for any"},
		{"not verified", "open.example", "is not verified for any"},
		{"a sub-domain of a known one, as long", "a.me.example", "is not verified for any"},
		{"a tenant that is not there", "gone.example", "has no identity provider"},
		{"a tenant without single sign-on", "none.example", "has no identity provider"},
		{"a provider without an identity provider", "soon.example", "has no identity provider"},
	} {
		chosen, resolved, s.events = 0, 0, nil
		w := s.send(typed("ann@"+row.domain, "/jobs"))
		header := w.Header().Clone()
		got := fmt.Sprintf("status %d\n%v\n%s\nChooseTenant %d, Resolve %d, Store %d", w.Code, header,
			strings.ReplaceAll(w.Body.String(), row.domain, "some.example"), chosen, resolved, store.claims.Load())
		got = changing.ReplaceAllString(got, "…")
		if first == "" {
			first = got
			t.Log(got)
		}
		if got != first || w.Code != http.StatusUnprocessableEntity || len(w.Result().Cookies()) > 0 || !asks(w) {
			t.Errorf("%s: got\n%s\nwant\n%s", row.name, got, first)
		}
		if len(s.events) != 1 || s.events[0].Err.Code != saml.CodeAddressUnknown || s.events[0].Tenant != "" ||
			!strings.Contains(s.events[0].Err.Message, row.message) || s.events[0].Err.Got != `"`+row.domain+`"` ||
			!strings.Contains(w.Body.String(), "<code>"+s.events[0].Err.Reference+"</code>") {
			t.Errorf("%s: got the events %+v", row.name, s.events)
		}
		if !strings.Contains(log.String(), row.message) || strings.Contains(log.String(), row.domain) {
			t.Errorf("%s: the log says %s", row.name, log.String())
		}
		log.Reset()
		t.Logf("%-40s status %d, %d bytes, ChooseTenant %d, Resolve %d", row.name, w.Code, w.Body.Len(), chosen, resolved)
	}
}

// TestLookUpsThatFail: if nobody can tell now, everybody gets the same answer, and no login begins.
func TestLookUpsThatFail(t *testing.T) {
	t.Parallel()
	s := newAsking(t)
	down := errors.New("the database does not answer")
	var none *saml.Error
	for _, row := range []struct {
		name, tenant string
		err, broken  error
		status       int
		code         saml.Code
		says         string
	}{
		{"the look-up", "a", down, nil, 503, saml.CodeIdentityProvider, "HandlerConfig.ChooseTenant failed"},
		{"the settings of a tenant", "a", nil, down, 503, saml.CodeIdentityProvider, ""},
		{"the settings, and there is no tenant", "", nil, down, 503, saml.CodeIdentityProvider, ""},
		{"ErrNotConfigured is an answer", "", fmt.Errorf("no row: %w", saml.ErrNotConfigured), nil,
			422, saml.CodeAddressUnknown, ""},
		{"a nil *Error is no error", "", none, nil, 422, saml.CodeAddressUnknown, ""},
		{"the provider of another tenant", "wrong", nil, nil, 403, saml.CodeTenant, "HandlerConfig.Resolve returned"},
	} {
		s.events = nil
		s.serve(func(c *saml.HandlerConfig) {
			c.ChooseTenant = func(context.Context, string) (string, error) {
				s.broken = row.broken
				return row.tenant, row.err
			}
		})
		s.trials["wrong"] = s.a.sp
		w := s.send(typed("ann@acme.example", ""))
		s.broken = nil
		s.wantCode(row.name, w, row.status, row.code)
		if len(s.events) != 1 || !strings.Contains(s.events[0].Err.Message, row.says) ||
			(row.status == 503) != (w.Header().Get("Retry-After") != "") {
			t.Errorf("%s: got %v, Retry-After %q", row.name, s.events, w.Header().Get("Retry-After"))
		}
	}
	// A Resolve that has a provider for every name leads nobody there.
	s.serve(func(c *saml.HandlerConfig) {
		c.ChooseTenant = (*saml.Domains)(nil).Tenant
		c.Resolve = func(_ *http.Request, tenant string) (*saml.ServiceProvider, error) {
			if tenant == "" {
				return nil, saml.ErrNotConfigured
			}
			return newProvider(t, s.a.idp, func(c *saml.Config) { c.Tenant = tenant }), nil
		}
	})
	s.wantCode("a provider for every name", s.send(typed("ann@what.example", "")), 422, saml.CodeAddressUnknown)
}

// TestWhoIsAsked: a person who opens a page. Nothing else is, and no answer but that of a login that
// begins sets a cookie.
func TestWhoIsAsked(t *testing.T) {
	t.Parallel()
	const page, frame, nobody, login = "page", "frame", "nobody", "login"
	early := []string{"Sec-Purpose", "prefetch", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}
	for _, row := range []struct {
		name   string
		header []string
		get    string // of the page that asks
		post   string // of its form
	}{
		{"a page", []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, page, login},
		{"an old browser", []string{"Accept", "text/html"}, page, login},
		{"an old browser that says where it is", []string{"Origin", "https://console.example.com"}, page, login},
		{"a frame", []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, frame, frame},
		{"a fetch", []string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"}, nobody, nobody},
		{"a script of an old browser", []string{"X-Requested-With", "XMLHttpRequest"}, nobody, nobody},
		{"a prefetch", early, nobody, nobody},
		{"a prerender", []string{"Sec-Purpose", "prefetch;prerender"}, nobody, nobody},
	} {
		s := newAsking(t)
		get := httptest.NewRequest("GET", redirectURL+"?return_to=/jobs", nil)
		post := typed("ann@acme.example", "/jobs")
		post.Header.Del("Sec-Fetch-Site")
		for i := 0; i < len(row.header); i += 2 {
			get.Header.Set(row.header[i], row.header[i+1])
			post.Header.Set(row.header[i], row.header[i+1])
		}
		for _, r := range []*http.Request{get, post} {
			want := map[string]string{"GET": row.get, "POST": row.post}[r.Method]
			w := s.send(r)
			got := nobody
			switch body := w.Body.String(); {
			case w.Code == http.StatusOK && asks(w):
				got = page
			case strings.Contains(body, `<a href="`+saml.DefaultRedirectPath+`?return_to=%2Fjobs" target="_blank"`):
				got = frame
			case w.Code == http.StatusSeeOther, strings.Contains(body, "location.replace"):
				got = login
			}
			if got != want || len(w.Result().Cookies()) > 0 != (want == login) || w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%s, %s: got %s, want %s: status %d, %s", row.name, r.Method, got, want, w.Code, w.Body)
			}
		}
	}
}

// TestFormOfAnotherSite: another site must not choose at which identity provider somebody signs in.
func TestFormOfAnotherSite(t *testing.T) {
	t.Parallel()
	s := newAsking(t)
	for name, header := range map[string][]string{
		"another site":                     {"Sec-Fetch-Site", "cross-site"},
		"a sibling host":                   {"Sec-Fetch-Site", "same-site"},
		"another site, an old browser":     {"Sec-Fetch-Site", "", "Origin", "https://evil.example"},
		"a sandbox, an old browser":        {"Sec-Fetch-Site", "", "Origin", "null"},
		"another port, an old browser":     {"Sec-Fetch-Site", "", "Origin", "https://console.example.com:8443"},
		"another site, in a frame":         {"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Dest", "iframe"},
		"another site, which does as ours": {"Sec-Fetch-Site", "cross-site", "Origin", "https://console.example.com"},
	} {
		s.events = nil
		w := s.send(typed("ann@acme.example", "/jobs", header...))
		s.wantCode(name, w, http.StatusBadRequest, saml.CodeForm)
		if strings.Contains(w.Body.String(), "acme") || len(s.events) != 1 ||
			!strings.Contains(s.events[0].Err.Hint, "Host") {
			t.Errorf("%s: got %s, %v", name, w.Body, s.events)
		}
	}
	s.serve(func(c *saml.HandlerConfig) { c.ChooseTenant = nil })
	s.events = nil
	s.wantCode("without ChooseTenant", s.send(typed("ann@acme.example", "")), http.StatusBadRequest, saml.CodeForm)
	if len(s.events) != 1 || !strings.Contains(s.events[0].Err.Hint, "ChooseTenant") {
		t.Errorf("without ChooseTenant: got %v", s.events)
	}
}

// TestAddressesThatAreNone: the page says so, keeps what was typed and the page that was asked for,
// and asks nobody else.
func TestAddressesThatAreNone(t *testing.T) {
	t.Parallel()
	s := newAsking(t)
	s.serve(func(c *saml.HandlerConfig) {
		c.ChooseTenant = func(_ context.Context, domain string) (string, error) {
			t.Errorf("asked for %q", domain)
			return "", nil
		}
	})
	long := strings.Repeat("a", 300) + "@acme.example" + strings.Repeat(" ", 320)
	for typedIn, shown := range map[string]string{
		"":                      "",
		"ann":                   "ann",
		"acme.example":          "acme.example",
		"ann@acme":              "ann@acme",
		`"><script>x</script>@`: "&#34;&gt;&lt;script&gt;x&lt;/script&gt;@",
		long:                    "",
	} {
		w := s.send(typed(typedIn, `/jobs?a=b&c="d"`))
		body := w.Body.String()
		if w.Code != http.StatusUnprocessableEntity || !strings.Contains(body, ` value="`+shown+`" autocomplete="email"`) ||
			!strings.Contains(body, `role="alert">Please enter your whole e-mail address`) ||
			!strings.Contains(body, `name="return_to" value="/jobs?a=b&amp;c=&#34;d&#34;"`) || len(w.Result().Cookies()) > 0 {
			t.Errorf("%.40q: status %d, %s", typedIn, w.Code, body)
		}
	}
	if len(s.events) > 0 {
		t.Errorf("got the events %v", s.events)
	}
	for name, body := range map[string]string{
		"two addresses":                 "saml_address=a%40acme.example&saml_address=b%40acme.example",
		"two pages":                     "saml_address=a%40acme.example&return_to=%2Fa&return_to=%2Fb",
		"a leg beside it":               "saml_address=a%40acme.example&saml_leg=2",
		"a RelayState beside it":        "saml_address=a%40acme.example&RelayState=x",
		"an address with what was kept": "saml_address=a%40acme.example&saml_return=x",
	} {
		r := typed("", "")
		r.Body, r.ContentLength = http.NoBody, 0
		form, err := url.ParseQuery(body)
		if err != nil {
			t.Fatal(err)
		}
		r.PostForm = form // as a middleware leaves it
		s.wantCode(name+", parsed", s.send(r), http.StatusBadRequest, saml.CodeForm)
		s.wantCode(name, s.send(formRequest(form, "Sec-Fetch-Site", "same-origin")), http.StatusBadRequest, saml.CodeForm)
	}
}

// TestFormThatAMiddlewareParsed: the address is read from there too.
func TestFormThatAMiddlewareParsed(t *testing.T) {
	t.Parallel()
	s := newAsking(t)
	r := typed("ann@acme.example", "")
	if err := r.ParseForm(); err != nil {
		t.Fatal(err)
	}
	if to := s.send(r).Header().Get("Location"); !strings.Contains(to, "login_hint=ann%40acme.example") {
		t.Errorf("got %q", to)
	}
}

// TestPageThatIsAskedFor: it is kept over the question, or the login says that it could not be.
func TestPageThatIsAskedFor(t *testing.T) {
	t.Parallel()
	for asked, want := range map[string]string{
		"/jobs?id=7#/sql/42":                   "/jobs?id=7#/sql/42",
		"/?" + strings.Repeat("q", 5000):       "/?" + strings.Repeat("q", 5000),
		"//evil.example/":                      "/",
		"https://evil.example/":                "/",
		"":                                     "/",
		"/?" + strings.Repeat("q", 9000):       "", // says so
		"/ü?" + strings.Repeat("\u00fc", 4100): "",
	} {
		s := newAsking(t)
		b := newTabbed(t, s.login)
		question := b.send(httptest.NewRequest("GET", redirectURL+"?return_to="+url.QueryEscape(asked), nil))
		form, err := samltest.ReadForm(question.Result())
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // a mistake in between
			form.Values.Set("saml_address", "ann")
			again := b.send(formRequest(form.Values, "Sec-Fetch-Site", "same-origin"))
			if form, err = samltest.ReadForm(again.Result()); err != nil {
				t.Fatal(err)
			}
		}
		form.Values.Set("saml_address", "ann@acme.example")
		tab := b.tab()
		tab.leaves(b.send(formRequest(form.Values, "Sec-Fetch-Site", "same-origin")))
		w := tab.finish(s.a.respond(samltest.Answer{RequestID: requestID(t, tab.at)}))
		if got := where(w); got != want || want == "" && !strings.Contains(w.Body.String(), "could not be kept") {
			t.Errorf("%.40q ends at %.40q: %s", asked, got, w.Body)
		}
	}
}

// TestGuardThatAsks: Require sends people to the page that asks, if their address names no tenant.
func TestGuardThatAsks(t *testing.T) {
	t.Parallel()
	s := newAsking(t)
	s.serve(func(c *saml.HandlerConfig) { c.ChoosePath = "/sign-in" })
	page := s.login.Require(http.NotFoundHandler())
	navigate := []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}
	at := func(target string, header ...string) *httptest.ResponseRecorder {
		return ask(page, "GET", target, header...)
	}
	if w := at(ownPage, navigate...); w.Code != http.StatusSeeOther || len(w.Result().Cookies()) > 0 ||
		w.Header().Get("Location") != "/sign-in?return_to=%2Fjobs%3Fid%3D7" {
		t.Errorf("got status %d to %q", w.Code, w.Header().Get("Location"))
	}
	if w := at(ownPage+strings.Repeat("x", 3000), navigate...); !strings.Contains(w.Body.String(), `action="/sign-in"`) {
		t.Errorf("a long address: %s", w.Body)
	}
	framed := at(ownPage, "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe")
	if !strings.Contains(framed.Body.String(), `href="/sign-in?return_to`) {
		t.Errorf("in a frame: %s", framed.Body)
	}
	if w := at(ownPage, "Sec-Fetch-Mode", "cors"); w.Code != http.StatusUnauthorized || w.Header().Get("Location") != "" {
		t.Errorf("a fetch: status %d", w.Code)
	}
	if w := at("https://a.example.com/jobs", navigate...); !strings.HasPrefix(w.Header().Get("Location"), redirectURL) {
		t.Errorf("at an address of a: %q", w.Header().Get("Location"))
	}
	s.wantCode("a tenant without single sign-on", at("https://c.example.com/jobs", navigate...),
		http.StatusNotFound, saml.CodeNotConfigured)
	for _, method := range []string{"GET", "POST"} {
		s.events = nil
		w := ask(page, method, "https://console.example.com/sign-in/", navigate...)
		s.wantCode(method+" at the path of the Handler", w, http.StatusInternalServerError, saml.CodeConfig)
		if len(s.events) != 1 || !strings.Contains(s.events[0].Err.Hint, "HandlerConfig.ChoosePath") {
			t.Errorf("%s at the path of the Handler: got %v", method, s.events)
		}
	}
	// The button of a refusal asks again, and leads to the page that was asked for.
	b := newTabbed(t, s.login)
	tab := b.tab()
	tab.leaves(b.send(typed("ann@acme.example", "/jobs?id=7")))
	w := tab.finish(s.a.respond(samltest.Answer{RequestID: requestID(t, tab.at), Audience: "https://other.example.com"}))
	if !strings.Contains(w.Body.String(), `<a href="/sign-in?return_to=%2Fjobs%3Fid%3D7">`) {
		t.Errorf("a refusal: %s", w.Body)
	}
}

// TestWhoIsSignedInIsNotAsked: a bookmark of the page that asks leads home. A page that was asked for
// has no session, so asking is the way on, and there is no loop.
func TestWhoIsSignedInIsNotAsked(t *testing.T) {
	t.Parallel()
	s := newAsking(t)
	b := newTabbed(t, s.login)
	open := func(query string) *httptest.ResponseRecorder {
		return b.send(httptest.NewRequest("GET", redirectURL+query, nil))
	}
	if w := open(""); !asks(w) {
		t.Errorf("without a session: %s", w.Body)
	}
	tab := b.tab()
	tab.leaves(b.send(typed("ann@acme.example", "")))
	tab.finish(s.a.respond(samltest.Answer{RequestID: requestID(t, tab.at)}))
	if w := open(""); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/" {
		t.Errorf("with a session: status %d to %q, %s", w.Code, w.Header().Get("Location"), w.Body)
	}
	if w := open("?return_to=/jobs"); !asks(w) {
		t.Errorf("for a page: %s", w.Body)
	}
	if w := open("?fresh=1"); !asks(w) {
		t.Errorf("for another account: %s", w.Body)
	}
	if w := b.send(typed("ann@acme.example", "/jobs")); where(w) != "/jobs" {
		t.Errorf("the address of the same tenant: status %d, %s", w.Code, w.Body)
	}
	other := b.tab()
	other.leaves(b.send(typed("bob@glob.example", "/jobs")))
	if !strings.HasPrefix(other.at, s.b.idp.LoginURL()) {
		t.Errorf("the address of another tenant leads to %s", other.at)
	}
	if got := s.userOf(b); got != alice+" of a" {
		t.Errorf("a login that only begins leaves the session of %q", got)
	}
	fresh := typed("ann@acme.example", "")
	fresh.URL.RawQuery = "fresh=1"
	if to := b.send(fresh).Header().Get("Location"); !strings.Contains(requestAt(t, to), `ForceAuthn="true"`) {
		t.Errorf("another account: %s", to)
	}
}

// TestTenantAtAnotherHost: the cookies of a login belong to the host of its Redirect URL, so it begins
// there. The address stays here.
func TestTenantAtAnotherHost(t *testing.T) {
	t.Parallel()
	s := newAsking(t)
	const console, www, proxied = "console.example.com", "www.example.com", "backend:8080"
	for name, row := range map[string]struct {
		host, origin, forwarded string
		here                    bool
	}{
		"another host":                          {www, "https://" + www, "", false},
		"another host, an old browser":          {www, "", "", false},
		"http":                                  {console, "http://" + console, "", false},
		"the same host":                         {console, "https://" + console, "", true},
		"the same host, with the usual port":    {console + ":443", "https://" + console, "", true},
		"behind a proxy that changes Host":      {proxied, "https://" + console, "", true},
		"behind a proxy, no Origin":             {proxied, "null", console, true},
		"behind a proxy, no Origin, other host": {proxied, "null", www, false},
	} {
		r := typed("ann@acme.example", "/jobs", "Origin", row.origin, "X-Forwarded-Host", row.forwarded)
		r.Host = row.host
		w := s.send(r)
		to := w.Header().Get("Location")
		if here := strings.HasPrefix(to, s.a.idp.LoginURL()); here != row.here || len(w.Result().Cookies()) > 0 != row.here {
			t.Errorf("%s: status %d to %s, cookies %v", name, w.Code, to, w.Result().Cookies())
		}
		if !row.here && to != redirectURL+"?return_to=%2Fjobs" {
			t.Errorf("%s: leads to %s", name, to)
		}
	}
}

// TestAddressWhereThereIsNoChoice: at the address of a tenant, its own login begins, and its identity
// provider is not told what was typed.
func TestAddressWhereThereIsNoChoice(t *testing.T) {
	t.Parallel()
	s := newAsking(t)
	r := typed("ann@acme.example", "/jobs")
	r.Host = "b.example.com"
	to := s.send(r).Header().Get("Location")
	if !strings.HasPrefix(to, s.b.idp.LoginURL()) || strings.Contains(to, "acme") {
		t.Errorf("at b's address: %s", to)
	}
	r = typed("ann@acme.example", "/jobs")
	r.Host = "c.example.com"
	s.wantCode("at the address of a tenant without single sign-on", s.send(r), http.StatusNotFound, saml.CodeNotConfigured)
	get := httptest.NewRequest("GET", redirectURL, nil)
	get.Host = "c.example.com"
	s.wantCode("a GET there", s.send(get), http.StatusNotFound, saml.CodeNotConfigured)
	s.broken = errors.New("the database does not answer")
	s.wantCode("if nobody can tell", s.send(httptest.NewRequest("GET", redirectURL, nil)),
		http.StatusServiceUnavailable, saml.CodeIdentityProvider)
}

// TestQuestionInAnotherLanguage: all of the page is, and PageTexts lists its texts.
func TestQuestionInAnotherLanguage(t *testing.T) {
	t.Parallel()
	s := newAsking(t)
	asked := map[string]bool{}
	s.serve(func(c *saml.HandlerConfig) {
		c.Language = func(*http.Request) (string, func(string) string) {
			return "de", func(english string) string {
				asked[english] = true
				return "<ü> " + english
			}
		}
	})
	for _, w := range []*httptest.ResponseRecorder{s.send(httptest.NewRequest("GET", redirectURL, nil)),
		s.send(typed("ann", "")), s.send(typed("ann@what.example", ""))} {
		body := w.Body.String()
		if !strings.Contains(body, `<html lang="de">`) || strings.Count(body, "&lt;ü&gt; ") < 4 ||
			strings.Contains(body, "<ü>") {
			t.Errorf("got %s", body)
		}
	}
	all := strings.Join(saml.PageTexts(), "\n")
	for text := range asked {
		if !strings.Contains(all, text) {
			t.Errorf("PageTexts does not list %q", text)
		}
	}
	if len(asked) < 7 {
		t.Errorf("only %d texts were asked for", len(asked))
	}
}

// TestSettingsOfTheChoice: what cannot work is found at the start.
func TestSettingsOfTheChoice(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	choose := (*saml.Domains)(nil).Tenant
	resolve := func(*http.Request, string) (*saml.ServiceProvider, error) { return nil, saml.ErrNotConfigured }
	for field, c := range map[string]saml.HandlerConfig{
		"":                       {Resolve: resolve, ByIssuer: choose, ChooseTenant: choose, ChoosePath: "/sign-in"},
		"ByIssuer":               {Provider: h.sp, ByIssuer: choose},
		"ChooseTenant":           {Provider: h.sp, ChooseTenant: choose},
		"ChoosePath":             {Resolve: resolve, ChoosePath: "/sign-in"},
		"ChoosePath, no path":    {Resolve: resolve, ChooseTenant: choose, ChoosePath: "//evil.example"},
		"ChoosePath, with query": {Resolve: resolve, ChooseTenant: choose, ChoosePath: "/sign-in?x"},
	} {
		c.Sessions = ownSessions{}
		_, err := saml.NewHandler(c)
		var want []string
		if name, _, _ := strings.Cut(field, ","); name != "" {
			want = []string{name + " config"}
		}
		if !slices.Equal(fieldsOf(err), want) {
			t.Errorf("%q: got %v", field, err)
		}
	}
}

package saml_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// TestLinksFromElsewhereEvictNothing: whatever pages of other sites make a browser open, a sign-in that
// a tab has begun is finished. If its cookies would have to go, a page asks first.
func TestLinksFromElsewhereEvictNothing(t *testing.T) {
	t.Parallel()
	idp, err := sharedIdP()
	if err != nil {
		t.Fatal(err)
	}
	const tenants = 40
	key := saml.NewStateKey()
	list := map[string]*saml.ServiceProvider{}
	for i := range tenants {
		name := fmt.Sprintf("tenant-%02d", i)
		list["/sso/"+name] = newProvider(t, idp, func(c *saml.Config) {
			c.Tenant, c.RedirectPath, c.StateKeys, c.Unsolicited = name, "/sso/"+name, [][]byte{key}, saml.RestartUnsolicited
		})
	}
	login, err := saml.NewHandler(saml.HandlerConfig{Sessions: &countingSessions{},
		Resolve: func(r *http.Request, tenant string) (*saml.ServiceProvider, error) {
			if sp := list[r.URL.Path]; sp != nil {
				return sp, nil
			}
			return list["/sso/tenant-00"], nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	pages := http.NewServeMux()
	pages.Handle("/sso/", login)
	pages.HandleFunc("/trial", func(w http.ResponseWriter, r *http.Request) {
		login.StartLogin(w, r, list["/sso/tenant-00"], saml.LoginOptions{Purpose: "a trial of the settings"})
	})
	const origin = "https://console.example.com"
	mine := list["/sso/tenant-00"]
	unsolicited := func(i int) *http.Request {
		sp := list[fmt.Sprintf("/sso/tenant-%02d", i%tenants)]
		value, err := idp.Respond(samltest.Answer{Recipient: sp.RedirectURL()})
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("POST", sp.RedirectURL(),
			strings.NewReader(url.Values{"SAMLResponse": {value}, "saml_leg": {"2"}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin") // our own page posts what another site has posted
		return r
	}
	link := func(address, site string) *http.Request {
		r := httptest.NewRequest("GET", origin+address, nil)
		r.Header.Set("Sec-Fetch-Site", site)
		return r
	}
	for _, row := range []struct {
		name string
		open func(i int) *http.Request
		asks bool // a page asks first, as soon as there is no room
	}{
		{"one page of this tenant", func(int) *http.Request { return link("/sso/tenant-00?return_to=/jobs", "cross-site") }, false},
		{"other pages of this tenant", func(i int) *http.Request {
			return link(fmt.Sprintf("/sso/tenant-00?return_to=/%d/%x", i, strings.Repeat("x", i)), "cross-site")
		}, false},
		{"other tenants", func(i int) *http.Request { return link(fmt.Sprintf("/sso/tenant-%02d", i%tenants), "cross-site") }, true},
		{"other tenants, from a sibling host", func(i int) *http.Request {
			return link(fmt.Sprintf("/sso/tenant-%02d", i%tenants), "same-site")
		}, true},
		{"responses to no request", unsolicited, true},
		{"a page of the application that begins a login with a purpose", func(int) *http.Request { return link("/trial", "cross-site") }, true},
	} {
		b := newTabbed(t, pages)
		tab := b.tab()
		tab.leaves(b.send(link("/sso/tenant-00?return_to=/reports/7", "none")))
		asked := ""
		for i := range 60 {
			delete(b.cookies, "__Host-saml-visits") // the links come more than twenty seconds apart
			delete(b.cookies, "__Host-saml-restart")
			if w := b.send(row.open(i)); strings.Contains(w.Body.String(), "Many sign-ins are open") {
				asked = w.Body.String()
			} else if w.Code >= 400 {
				t.Fatalf("%s: status %d, %s", row.name, w.Code, w.Body)
			}
		}
		if (asked != "") != row.asks || asked != "" && !strings.Contains(asked, "<a href=") {
			t.Errorf("%s: a page that asks first %t, want %t: %s", row.name, asked != "", row.asks, asked)
		}
		value, err := idp.Respond(samltest.Answer{RequestID: requestID(t, tab.at), Recipient: mine.RedirectURL()})
		if err != nil {
			t.Fatal(err)
		}
		r := tab.secondLeg(value)
		r.URL, r.RequestURI = mustURL(t, mine.RedirectURL()), mine.RedirectPath()
		if w := b.send(r); where(w) != "/reports/7" {
			t.Errorf("%s: the sign-in that was begun before ends with status %d at %q: %s", row.name, w.Code, where(w), w.Body)
		}
		if b.most.request > 1536 {
			t.Errorf("%s: the cookies take %d bytes of a request", row.name, b.most.request)
		}
	}
	// Who presses the button begins one more.
	b := newTabbed(t, pages)
	for i := range tenants {
		b.send(link(fmt.Sprintf("/sso/tenant-%02d", i), "same-origin"))
	}
	if w := b.send(link("/sso/tenant-39", "same-origin")); strings.Contains(w.Body.String(), "Many sign-ins are open") {
		t.Errorf("a link of our own is asked: %s", w.Body)
	}
}

// TestCookieOfPagesHasOneLength: its length says nothing about the addresses in it.
func TestCookieOfPagesHasOneLength(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	b := newTabbed(t, h.sp.Handler(&countingSessions{}))
	sizes := map[int]bool{}
	for _, address := range []string{"/", incompressible(100), incompressible(200), "/" + strings.Repeat("x", 8000)} {
		b.tab().begin(address)
		sizes[len(b.cookies["__Host-saml-pages"])] = true
	}
	if len(sizes) != 1 || sizes[0] {
		t.Errorf("got the lengths %v", sizes)
	}
}

// TestPurposeHasItsOwnCookie: a login with a purpose keeps it, shares no binding, and takes its
// cookie away at the end; it cannot become a login without one.
func TestPurposeHasItsOwnCookie(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *saml.Config) { c.Tenant = "acme" })
	var got *saml.Login
	login := h.sp.Handler(recordingSessions{&got})
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/test" {
			login.StartLogin(w, r, h.sp, saml.LoginOptions{Purpose: "test", ReturnTo: "/tests/1"})
			return
		}
		login.ServeHTTP(w, r)
	})
	b := newTabbed(t, app)
	usual, test := b.tab(), b.tab()
	usual.begin("/jobs")
	test.leaves(b.send(httptest.NewRequest("GET", "https://console.example.com/test", nil)))
	names := map[string]string{}
	for name, value := range b.cookies {
		if len(name) == len("__Host-saml-xyz") {
			names[name[len(name)-3:]] = value
		}
	}
	if len(names) != 2 {
		t.Fatalf("got the bindings %v, want two", names)
	}
	id := requestID(t, test.at)
	whole := b.cookies["__Host-saml-"+id[1:4]]
	for what, value := range map[string]string{
		"without the purpose":          whole[:strings.LastIndexByte(whole, '.')],
		"with the purpose of no login": whole[:len(whole)-4] + "AAAA",
		"with another tenant":          strings.Replace(whole, ".YWNtZQ.", ".YQ.", 1),
	} {
		b.cookies["__Host-saml-"+id[1:4]] = value
		if w := test.finish(h.respond(samltest.Answer{RequestID: id})); w.Code != http.StatusForbidden || got != nil {
			t.Errorf("%s: status %d, %s", what, w.Code, w.Body)
		}
	}
	b.cookies["__Host-saml-"+id[1:4]] = whole
	if w := test.finish(h.respond(samltest.Answer{RequestID: id})); where(w) != "/tests/1" || got == nil || got.Purpose != "test" {
		t.Fatalf("status %d, login %+v, %s", w.Code, got, w.Body)
	}
	if _, kept := b.cookies["__Host-saml-"+id[1:4]]; kept {
		t.Error("the cookie of the purpose stays")
	}
	if w := usual.finish(h.respond(samltest.Answer{RequestID: requestID(t, usual.at)})); where(w) != "/jobs" || got.Purpose != "" {
		t.Errorf("the usual login: status %d, login %+v", w.Code, got)
	}
}

type recordingSessions struct{ login **saml.Login }

func (s recordingSessions) SignIn(_ http.ResponseWriter, _ *http.Request, login *saml.Login) error {
	*s.login = login
	return nil
}
func (recordingSessions) SignedIn(*http.Request) bool { return false }
func (recordingSessions) Authenticate(http.ResponseWriter, *http.Request) (*http.Request, error) {
	return nil, nil
}

// TestSharedBindingStays: other tabs need it after one login has finished. The request of that login is
// used up all the same, whoever answers it.
func TestSharedBindingStays(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	sessions := &countingSessions{}
	b := newTabbed(t, h.sp.Handler(sessions))
	tab := b.tab()
	tab.begin("/jobs")
	name := "__Host-saml-" + requestID(t, tab.at)[1:4]
	began := b.cookies[name]
	if w := tab.finish(h.respond(samltest.Answer{RequestID: requestID(t, tab.at)})); where(w) != "/jobs" || began == "" || b.cookies[name] != began {
		t.Errorf("ends at %q, the binding was %q and is %q", where(w), began, b.cookies[name])
	}
	if w := tab.finish(h.respond(samltest.Answer{RequestID: requestID(t, tab.at)})); sessions.signIns != 1 {
		t.Errorf("another response to the same request: %d sessions, status %d", sessions.signIns, w.Code)
	}
	late := b.tab()
	late.begin("/queries")
	if got := requestID(t, late.at)[1:4]; "__Host-saml-"+got != name {
		t.Errorf("the next login has the binding %s, want %s", got, name)
	}
}

// TestManyBindings: however many bindings a browser has brought together, the Handler makes room for
// its cookies, the oldest first, a few in each answer, and the login that begins has one. No answer
// has more headers than proxies take.
func TestManyBindings(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	login := h.sp.Handler(&countingSessions{})
	var jar []*http.Cookie
	for i := range 60 { // of another tenant
		jar = append(jar, &http.Cookie{Name: fmt.Sprintf("__Host-saml-%03d", i), Value: strings.Repeat("A", 12) + ".YWNtZQ"})
	}
	logins, largest := 0, 0
	for ; sizeOfCookies(jar) > 1536 && logins < 60; logins++ {
		r, w := httptest.NewRequest("GET", redirectURL+"?return_to=/jobs", nil), httptest.NewRecorder()
		for _, c := range jar {
			r.AddCookie(c)
		}
		login.ServeHTTP(w, r)
		gone := 0
		for _, c := range w.Result().Cookies() {
			jar = slices.DeleteFunc(jar, func(old *http.Cookie) bool { return old.Name == c.Name })
			switch _, number, _ := strings.Cut(c.Name, "__Host-saml-0"); {
			case c.MaxAge >= 0:
				jar = append(jar, c)
			case number == fmt.Sprintf("%02d", 8*logins+gone):
				gone++
			default:
				t.Errorf("%s goes before the oldest", c.Name)
			}
		}
		size := sizeOfHeaders(w.Result().Header)
		if largest = max(largest, size); gone > 8 || size > 2560 {
			t.Errorf("login %d: %d bindings go, and the headers have %d bytes", logins, gone, size)
		}
	}
	if size := sizeOfCookies(jar); size > 1536 {
		t.Errorf("after %d logins %d bytes stay", logins, size)
	}
	t.Logf("the cookies fit after %d logins, with at most %d bytes of headers", logins, largest)
}

// sizeOfHeaders returns how many bytes headers take.
func sizeOfHeaders(headers http.Header) (size int) {
	for name, values := range headers {
		for _, value := range values {
			size += len(name) + len(": \r\n") + len(value)
		}
	}
	return size
}

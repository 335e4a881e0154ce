package saml_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

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

//go:build idp

package idp

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml"
)

// A logouter is a product at which a user can sign out.
type logouter interface {
	// logout returns the address of the page that signs a user of the service of c out everywhere.
	logout(c *client) string
}

// logsOut is a service that takes part in single logout.
func logsOut(c *saml.Config) {
	signs(c)
	c.LogoutPath = "/saml/logout"
}

var logoutService = regexp.MustCompile(`<(\w+:)?SingleLogoutService\b[^>]*?(/>|>\s*</(\w+:)?SingleLogoutService>)`)

// onlyLogoutBy leaves the SingleLogoutServices of these bindings in a metadata document.
func onlyLogoutBy(bindings ...string) func([]byte) []byte {
	return func(document []byte) []byte {
		return logoutService.ReplaceAllFunc(document, func(element []byte) []byte {
			if slices.ContainsFunc(bindings, func(b string) bool {
				return strings.Contains(string(element), `bindings:`+b+`"`)
			}) {
				return element
			}
			return nil
		})
	}
}

const byRedirect, byPOST, bySOAP = "HTTP-Redirect", "HTTP-POST", "SOAP"

// wantSession expects that the browser has a session at the service.
func (v visit) wantSession(t *testing.T) {
	t.Helper()
	name, password := v.credentials()
	p := v.browser.visit(t, v.url("/"), name, password)
	if v.browser.passwords != 0 || len(v.browser.messages) != 0 || !strings.Contains(p.text(), "signed in: ") {
		t.Fatalf("the session is gone: %s\n%.2000s", p.url, p.body)
	}
}

// tenSecondsLater is when no replica takes a session any more that has ended.
func (s *service) tenSecondsLater() { s.clock.Add(int64(10 * time.Second)) }

// wantNoSession expects that the browser has no session at the service, and reports whether it has one at
// the product. Then it has one at both.
func (v visit) wantNoSession(t *testing.T) (signedInThere bool) {
	t.Helper()
	v.tenSecondsLater()
	v.forget()
	name, password := v.credentials()
	p := v.browser.visit(t, v.url("/"), name, password)
	if len(v.browser.messages) == 0 {
		t.Fatalf("the session goes on: %s\n%.2000s", p.url, p.body)
	}
	if login, err := v.heard(); login == nil || err != nil || !strings.Contains(p.text(), "signed in: ") {
		t.Fatalf("after the logout no new session begins: %v, %s\n%.2000s", err, p.url, p.body)
	}
	return v.browser.passwords == 0
}

// signOutHere presses the button of the service, and follows all that comes of it.
func (v visit) signOutHere(t *testing.T) page {
	t.Helper()
	home, err := url.Parse(v.url("/"))
	if err != nil {
		t.Fatal(err)
	}
	v.browser.passwords, v.browser.messages, v.browser.bindings = 0, nil, nil
	p := v.browser.submit(t, page{url: home}, form{method: http.MethodPost, action: "/logout", values: url.Values{}})
	return v.browser.follow(t, p, "", "")
}

// logoutHere signs out at the service, which tells the product: both sessions end, and the messages
// travel in these ways.
func logoutHere(bindings ...string) func(*testing.T, visit) {
	return func(t *testing.T, v visit) {
		v.wantSession(t)
		p := v.signOutHere(t)
		if !v.owns(p) || p.status != http.StatusOK || !strings.Contains(p.text(), goodbyeText) {
			t.Fatalf("the logout ended with status %d at %s, want the page of the service\n%.3000s", p.status, p.url, p.body)
		}
		if !slices.Equal(v.browser.bindings, bindings) {
			t.Errorf("the messages were %q, want %q", v.browser.bindings, bindings)
		}
		if v.wantNoSession(t) {
			t.Error("the session at the product goes on")
		}
		v.wantSession(t) // which began after the logout
	}
}

// logoutAlone signs out at the service in a browser that the product does not know any more: its session
// has ended, or its cookies are gone. Whatever the product says to that, the session here has ended.
func logoutAlone(t *testing.T, v visit) {
	v.wantSession(t)
	service, err := url.Parse(v.url("/"))
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	jar.SetCookies(service, v.browser.http.Jar.Cookies(service))
	v.browser.http.Jar = jar
	v.signOutHere(t)
	if v.wantNoSession(t) {
		t.Error("the product still knows the browser")
	}
}

// logoutThere signs out at the product, which tells the service through the browser: by redirects, forms,
// frames or images. A session that begins afterwards lives.
func logoutThere(t *testing.T, v visit) {
	v.wantSession(t)
	v.browser.passwords, v.browser.messages, v.browser.bindings = 0, nil, nil
	v.browser.signOutAt(t, v.running.(logouter).logout(v.client))
	if v.wantNoSession(t) {
		t.Error("the session at the product goes on")
	}
	v.wantSession(t)
}

// signOutAt opens the page of a product that signs out, presses its button if it has one, and loads the
// frames and images of each page.
func (b *browser) signOutAt(t *testing.T, address string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := b.open(t, r, nil)
	for range mostPages {
		b.loadFrames(t, p)
		if next, ok := p.next(); ok {
			p = b.goOn(t, p, next)
			continue
		}
		f, ok := p.form()
		if !ok || f.password != "" {
			return
		}
		p = b.submit(t, p, f)
	}
	t.Fatalf("after %d pages the logout still goes on, at %s\n%.3000s", mostPages, p.url, p.body)
}

// loadFrames loads what a page shows of other addresses. Forms in frames are submitted, as scripts do.
func (b *browser) loadFrames(t *testing.T, p page) {
	t.Helper()
	jar := b.http.Jar
	b.http.Jar = framed{jar, p.url.Hostname()}
	defer func() { b.http.Jar, b.inside = jar, "" }()
	for name, dest := range map[string]string{"iframe": "iframe", "img": "image"} {
		for n := range elements(p.root, name) {
			u, err := p.url.Parse(attribute(n, "src"))
			if err != nil || attribute(n, "src") == "" {
				continue
			}
			r, err := http.NewRequest(http.MethodGet, u.String(), nil)
			if err != nil {
				t.Fatal(err)
			}
			b.inside = dest
			b.note(u.Query(), dest)
			b.follow(t, b.open(t, r, p.url), "", "")
		}
	}
}

// framed is the jar of what is loaded into a page: browsers keep the cookies of other sites out of it.
type framed struct {
	http.CookieJar
	host string // of the page
}

func (f framed) Cookies(u *url.URL) []*http.Cookie {
	if u.Hostname() != f.host {
		return nil
	}
	return f.CookieJar.Cookies(u)
}

func (f framed) SetCookies(u *url.URL, cookies []*http.Cookie) {
	if u.Hostname() == f.host {
		f.CookieJar.SetCookies(u, cookies)
	}
}

// A logoutDialect is what logoutRows need to know of a product.
type logoutDialect struct {
	base   knobs // how logout is set up
	signed knobs // the same, and signatures of ours are demanded
	post   knobs // the same, where the service takes POST alone
	// here are the ways in which messages travel when the service begins, by the binding that the
	// product's metadata offers. By SOAP the browser carries none.
	here map[string][]string
}

// logoutRows are for products with single logout. The service has signing keys, and so do the products.
func logoutRows(d logoutDialect) []row {
	var list []row
	for _, binding := range []string{byRedirect, byPOST, bySOAP} {
		if want, ok := d.here[binding]; ok {
			list = append(list,
				row{name: "logout begun here, " + binding, knobs: d.base, config: logsOut, theirs: onlyLogoutBy(binding),
					after: logoutHere(want...)},
				row{name: "logout begun here, signature demanded, " + binding, knobs: d.signed, config: logsOut,
					theirs: onlyLogoutBy(binding), after: logoutHere(want...)})
		}
	}
	return append(list,
		row{name: "logout begun here, with all that the product offers", knobs: d.base, config: logsOut,
			after: logoutHere(d.here[byRedirect]...)},
		row{name: "logout begun here, the session there is gone", knobs: d.base, config: logsOut, after: logoutAlone},
		row{name: "logout begun there", knobs: d.base, config: logsOut, after: logoutThere},
		row{name: "logout begun there, the service takes POST alone", knobs: d.post, config: logsOut,
			ours: onlyLogoutBy(byPOST), after: logoutThere},
		row{name: "logout begun there, signature demanded", knobs: d.signed, config: logsOut, after: logoutThere},
		row{name: "logout begun there, at the Redirect URL", knobs: d.base,
			config: both(logsOut, func(c *saml.Config) { c.LogoutPath = saml.DefaultRedirectPath }), after: logoutThere},
		row{name: "logout begun here, at the Redirect URL", knobs: d.base,
			config: both(logsOut, func(c *saml.Config) { c.LogoutPath = saml.DefaultRedirectPath }),
			after:  logoutHere(d.here[byRedirect]...)},
		row{name: "logout, and the product has no address for it", knobs: d.base, config: logsOut, theirs: onlyLogoutBy(),
			after: logoutLocal})
}

// logoutLocal signs out where the product cannot be told: the session here ends, and that there goes on.
func logoutLocal(t *testing.T, v visit) {
	v.wantSession(t)
	if p := v.signOutHere(t); !v.owns(p) || p.status != http.StatusOK || len(v.browser.messages) != 0 {
		t.Fatalf("the logout ended with status %d at %s after the messages %v", p.status, p.url, v.browser.messages)
	}
	if !v.wantNoSession(t) {
		t.Error("the session at the product is gone")
	}
}

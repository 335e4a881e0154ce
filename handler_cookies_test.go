package saml_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
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

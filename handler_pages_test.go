package saml_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// sizeOfCookies returns how many bytes of a request the cookies of the Handler take.
func sizeOfCookies(list []*http.Cookie) (size int) {
	for _, c := range list {
		if strings.Contains(c.Name, "saml-") {
			size += len(c.Name) + len("=; ") + len(c.Value)
		}
	}
	return size
}

// A tabbed is a browser with scripts, as far as our pages go: it sends Fetch Metadata, each tab has a
// sessionStorage, and all tabs share the cookies.
type tabbed struct {
	t       *testing.T
	login   http.Handler
	cookies map[string]string
	most    struct{ request, response int } // bytes of the Handler's cookies
}

type browserTab struct {
	*tabbed
	kept string
	at   string // the address of the identity provider
}

func newTabbed(t *testing.T, login http.Handler) *tabbed {
	return &tabbed{t: t, login: login, cookies: map[string]string{}}
}

func (b *tabbed) tab() *browserTab { return &browserTab{tabbed: b} }

// send makes one request with the cookies of the moment, which the answer may change.
func (b *tabbed) send(r *http.Request) *httptest.ResponseRecorder {
	b.attach(r)
	return b.serve(r)
}

func (b *tabbed) attach(r *http.Request) {
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	r.Header.Set("Accept", "text/html")
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
}

func (b *tabbed) serve(r *http.Request) *httptest.ResponseRecorder {
	b.most.request = max(b.most.request, sizeOfCookies(r.Cookies()))
	w := httptest.NewRecorder()
	b.login.ServeHTTP(w, r)
	set := 0
	for _, line := range w.Result().Header["Set-Cookie"] {
		if strings.Contains(line, "saml-") {
			set += len("Set-Cookie: \r\n") + len(line)
		}
	}
	b.most.response = max(b.most.response, set)
	for _, c := range w.Result().Cookies() {
		if delete(b.cookies, c.Name); c.MaxAge >= 0 {
			b.cookies[c.Name] = c.Value
		}
	}
	return w
}

var (
	keptText = regexp.MustCompile(`setItem\("saml-return","([^"]+)"\)`)
	leftTo   = regexp.MustCompile(`location\.replace\("([^"]+)"\)`)
)

// begin opens the Redirect URL for an address and does what our page does.
func (b *browserTab) begin(address string) {
	b.t.Helper()
	target := redirectURL
	if address != "" {
		target += "?return_to=" + url.QueryEscape(address)
	}
	r := httptest.NewRequest("GET", target, nil)
	b.attach(r)
	b.leaves(b.serve(r))
}

func (b *browserTab) leaves(w *httptest.ResponseRecorder) {
	b.t.Helper()
	if w.Code == http.StatusSeeOther {
		b.at = w.Header().Get("Location")
		return
	}
	page := w.Body.String()
	kept, to := keptText.FindStringSubmatch(page), leftTo.FindStringSubmatch(page)
	if w.Code != http.StatusOK || kept == nil || to == nil {
		b.t.Fatalf("the page does not leave: status %d, %s", w.Code, page)
	}
	b.kept = kept[1]
	b.at = strings.NewReplacer(`\u0026`, "&", `\u003d`, "=", `\/`, "/", `\u002b`, "+").Replace(to[1])
}

// finish posts the second leg as the page of the first leg does.
func (b *browserTab) finish(response string) *httptest.ResponseRecorder {
	return b.send(b.secondLeg(response))
}

func (b *browserTab) secondLeg(response string) *http.Request {
	form := url.Values{"SAMLResponse": {response}, "saml_leg": {"2"}}
	if b.kept != "" {
		form.Set("saml_return", b.kept)
	}
	r := httptest.NewRequest("POST", redirectURL, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return r
}

// where returns at which address of the service an answer ends, "" for a page.
func where(w *httptest.ResponseRecorder) string {
	if to := leftTo.FindStringSubmatch(w.Body.String()); w.Code == http.StatusOK && to != nil {
		return strings.NewReplacer(`\u0026`, "&", `\u003d`, "=", `\/`, "/", `\u002b`, "+").Replace(to[1])
	}
	return w.Header().Get("Location")
}

// incompressible returns an address of n bytes that is like no other.
func incompressible(n int) string {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	address := []byte("/d?f=")
	for len(address) < n {
		address = append(address, letters[rand.IntN(len(letters))])
	}
	return string(address)
}

// thirtyTabs begins thirty logins in one browser, with addresses of this size.
func thirtyTabs(t *testing.T, h *house, size int, atOnce bool) (tabs [30]*browserTab, addresses [30]string) {
	b := newTabbed(t, h.sp.Handler(&countingSessions{}))
	var requests []*http.Request
	for i := range tabs {
		tabs[i], addresses[i] = b.tab(), incompressible(size)
		r := httptest.NewRequest("GET", redirectURL+"?return_to="+addresses[i], nil)
		if atOnce { // sent before the first answer is there
			b.attach(r)
			requests = append(requests, r)
			continue
		}
		tabs[i].leaves(b.send(r))
	}
	for i, r := range requests {
		tabs[i].leaves(b.serve(r))
	}
	return tabs, addresses
}

// bindings returns how many cookies bind logins to this browser. The names of others are longer.
func (b *tabbed) bindings() (n int) {
	for name := range b.cookies {
		if len(name) == len("__Host-saml-xxx") && strings.HasPrefix(name, "__Host-saml-") {
			n++
		}
	}
	return n
}

// TestThirtyRestoredTabs: each tab ends on its own page, whatever the length of its address and
// whether the tabs begin one after the other or all at once, in any order of their answers. The
// cookies stay small all the time.
func TestThirtyRestoredTabs(t *testing.T) {
	t.Parallel()
	for _, size := range []int{20, 300, 900, 8192} {
		for _, atOnce := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d bytes, at once %t", size, atOnce), func(t *testing.T) {
				t.Parallel()
				h := newHouse(t, nil)
				tabs, addresses := thirtyTabs(t, h, size, atOnce)
				// two may have one name of 262,144, and the first of them would be lost; not three times by chance
				for again := 0; atOnce && tabs[0].bindings() < len(tabs) && again < 2; again++ {
					tabs, addresses = thirtyTabs(t, h, size, atOnce)
				}
				b := tabs[0].tabbed
				for _, i := range rand.Perm(len(tabs)) {
					w := tabs[i].finish(h.respond(samltest.Answer{RequestID: requestID(t, tabs[i].at)}))
					if got := where(w); got != addresses[i] {
						t.Errorf("tab %d ends at %.40q, want %.40q: %.300s", i, got, addresses[i], w.Body)
					}
				}
				if b.most.request > 1536 || b.most.response > 1536 {
					t.Errorf("the cookies take %d bytes of a request and %d of an answer, want at most 1536",
						b.most.request, b.most.response)
				}
				t.Logf("cookies: %d bytes of a request, %d of an answer", b.most.request, b.most.response)
			})
		}
	}
}

// TestPagesWithoutScripts: a browser that runs no scripts has the cookie alone. It holds the
// addresses of some tabs, more if they are alike, and the others hear that theirs was lost.
func TestPagesWithoutScripts(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		address func(i int) string
		least   int // tabs that end on their page
	}{
		{"alike, 900 bytes", func(i int) string { return fmt.Sprintf("/dashboards/%d?f=%s", i, strings.Repeat("x", 880)) }, 20},
		{"different, 60 bytes", func(int) string { return incompressible(60) }, 4},
		{"different, 900 bytes", func(int) string { return incompressible(900) }, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, nil)
			b := newTabbed(t, h.sp.Handler(&countingSessions{}))
			var addresses, ids []string
			for i := range 20 {
				address := row.address(i)
				w := b.send(httptest.NewRequest("GET", redirectURL+"?return_to="+url.QueryEscape(address), nil))
				if !strings.Contains(w.Body.String(), `<noscript><meta http-equiv="refresh" content="0;url=`+idpPrefix(h)) {
					t.Fatalf("no way on without scripts: %s", w.Body)
				}
				tab := b.tab()
				tab.leaves(w)
				addresses, ids = append(addresses, address), append(ids, requestID(t, tab.at))
			}
			own := 0
			for i, id := range ids {
				w := b.tab().finish(h.respond(samltest.Answer{RequestID: id}))
				switch {
				case where(w) == addresses[i]:
					own++
				case w.Code == http.StatusOK && strings.Contains(w.Body.String(), "could not be kept"):
				default:
					t.Errorf("tab %d ends at %q: status %d, %s", i, where(w), w.Code, w.Body)
				}
			}
			if own < row.least {
				t.Errorf("%d tabs end on their page, want at least %d", own, row.least)
			}
			if b.most.request > 1536 || b.most.response > 1536 {
				t.Errorf("the cookies take %d bytes of a request and %d of an answer", b.most.request, b.most.response)
			}
		})
	}
}

func idpPrefix(h *house) string { return h.idp.LoginURL() }

// TestLoginOfAnotherBrowser: a response finishes only with the cookie of the browser that began the
// login, whatever else is brought along.
func TestLoginOfAnotherBrowser(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	login := h.sp.Handler(&countingSessions{})
	attacker, victim := newTabbed(t, login), newTabbed(t, login)
	theirs, own := attacker.tab(), victim.tab()
	theirs.begin("/theirs")
	own.begin("/own")
	response := h.respond(samltest.Answer{RequestID: requestID(t, theirs.at)})
	name, secret := "", ""
	for n, value := range victim.cookies {
		if len(n) == len("__Host-saml-xyz") {
			name, secret = n, value
		}
	}
	for _, row := range []struct {
		name   string
		change func()
	}{
		{"as it is", func() {}},
		{"with the victim's secret under the attacker's name", func() {
			victim.cookies["__Host-saml-"+requestID(t, theirs.at)[1:4]] = secret
		}},
		{"with the attacker's address", func() { own.kept = theirs.kept }},
	} {
		row.change()
		w := own.finish(response)
		if body := w.Body.String(); w.Code != http.StatusForbidden || !strings.Contains(body, "<code>state_") ||
			strings.Contains(body, "theirs") && row.name == "as it is" {
			t.Errorf("%s: status %d, %s", row.name, w.Code, body)
		}
	}
	// The same response, with the name of the victim's binding written into a request of theirs.
	forged := "_" + strings.TrimPrefix(name, "__Host-saml-") + requestID(t, theirs.at)[4:]
	if w := own.finish(h.respond(samltest.Answer{RequestID: forged})); w.Code != http.StatusForbidden ||
		!strings.Contains(w.Body.String(), "<code>state_invalid</code>") {
		t.Errorf("a forged request ID: status %d, %s", w.Code, w.Body)
	}
	if w := theirs.finish(response); where(w) != "/theirs" {
		t.Errorf("the browser that began it: status %d, %s", w.Code, w.Body)
	}
}

// TestAddressOfAnotherLogin: what a tab keeps counts for its own login only, and the sealed address
// of a page does not make a cookie.
func TestAddressOfAnotherLogin(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	b := newTabbed(t, h.sp.Handler(&countingSessions{}))
	one, two := b.tab(), b.tab()
	one.begin("/" + incompressible(800)[1:])
	two.begin("/" + incompressible(801)[1:])
	one.kept, two.kept = two.kept, one.kept
	for _, tab := range []*browserTab{one, two} {
		w := tab.finish(h.respond(samltest.Answer{RequestID: requestID(t, tab.at)}))
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "could not be kept") {
			t.Errorf("the address of another login: status %d, %s", w.Code, w.Body)
		}
	}
}

// TestAddressesThatLoginsEndAt: each address comes back byte by byte, or a page says that it could
// not be kept.
func TestAddressesThatLoginsEndAt(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	for _, row := range []struct{ name, asked, want string }{
		{"a fragment", "/console/?tab=2#/sql/worksheet/42", "/console/?tab=2#/sql/worksheet/42"},
		{"a fragment that looks like another host", "/#//evil.example", "/#//evil.example"},
		{"escapes", "/a%2Fb?x=%26+%C3%BC#%23", "/a%2Fb?x=%26+%C3%BC#%23"},
		{"8 KiB", "/?" + strings.Repeat("q", 8190), "/?" + strings.Repeat("q", 8190)},
		{"more than 8 KiB", "/?" + strings.Repeat("q", 8191), ""},
		{"another host", "//evil.example/", "/"},
		{"a backslash behind #", `/a#\b`, "/"},
		{"none", "", "/"},
	} {
		for _, scripts := range []bool{true, false} {
			b := newTabbed(t, h.sp.Handler(&countingSessions{}))
			tab := b.tab()
			tab.begin(row.asked)
			if !scripts && len(row.asked) < 200 {
				tab.kept = ""
			}
			w := tab.finish(h.respond(samltest.Answer{RequestID: requestID(t, tab.at)}))
			if got := where(w); got != row.want || row.want == "" && !strings.Contains(w.Body.String(), "could not be kept") {
				t.Errorf("%s, scripts %t: ends at %.60q, status %d", row.name, scripts, got, w.Code)
			}
		}
	}
}

// TestLateAndRepeatedAnswers end on the page that was asked for too.
func TestLateAndRepeatedAnswers(t *testing.T) {
	t.Parallel()
	w := newWatched(t, nil)
	b := newTabbed(t, w.login)
	tab, late := b.tab(), b.tab()
	tab.begin("/jobs?id=7#log")
	late.begin("/late")
	response := w.respond(samltest.Answer{RequestID: requestID(t, tab.at)})
	// Twice at once: both are on their way before either is answered.
	first, second := tab.secondLeg(response), tab.secondLeg(response)
	b.attach(first)
	b.attach(second)
	for i, r := range []*http.Request{first, second} {
		if got := where(b.serve(r)); got != "/jobs?id=7#log" {
			t.Errorf("post %d of the same page ends at %q", i+1, got)
		}
	}
	w.sessions.signedIn = true
	if got := where(tab.finish(response)); got != "/jobs?id=7#log" {
		t.Errorf("the page posted once more ends at %q", got)
	}
	// The tab was left for longer than a login may take, and the cookie is gone.
	lateResponse := w.respond(samltest.Answer{RequestID: requestID(t, late.at)})
	for name := range b.cookies {
		delete(b.cookies, name)
	}
	if got := where(late.finish(lateResponse)); got != "/late" {
		t.Errorf("a late tab without cookies ends at %q", got)
	}
	w.clock.Advance(2 * time.Hour)
	if got := where(late.finish(lateResponse)); got != "/late" {
		t.Errorf("a late tab after two hours ends at %q", got)
	}
	w.sessions.signedIn = false
	if body := late.finish(lateResponse).Body.String(); !strings.Contains(body, "<code>state_expired</code>") ||
		!strings.Contains(body, "return_to=%2Flate") {
		t.Errorf("a late tab of nobody: %s", body)
	}
	// A used response that is not new is refused where nobody is signed in.
	again := newWatched(t, nil)
	c := newTabbed(t, again.login)
	old := c.tab()
	old.begin("/jobs")
	used := again.respond(samltest.Answer{RequestID: requestID(t, old.at)})
	old.finish(used)
	again.clock.Advance(time.Minute)
	if body := old.finish(used).Body.String(); !strings.Contains(body, "<code>replayed</code>") {
		t.Errorf("a minute later: %s", body)
	}
}

// TestRelayStateOfATile: with RestartUnsolicited the login that begins instead ends on the page that
// RelayState names, if that is one of this service. An accepted response does so by an option only.
func TestRelayStateOfATile(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name       string
		change     func(*saml.Config)
		relayState string
		want       string
	}{
		{"restart, a path", restart, "/dashboards/7?x=1#top", "/dashboards/7?x=1#top"},
		{"restart, an address of the service", restart, "https://console.example.com/dashboards/7#top", "/dashboards/7#top"},
		{"restart, the origin alone", restart, "https://console.example.com", "/"},
		{"restart, the origin with a query", restart, "https://console.example.com?x=1", "/?x=1"},
		{"restart, another host", restart, "https://evil.example/", "/"},
		{"restart, a host that begins alike", restart, "https://console.example.com.evil.example/", "/"},
		{"restart, another port", restart, "https://console.example.com:444/", "/"},
		{"restart, a user", restart, "https://console.example.com@evil.example/", "/"},
		{"restart, another scheme", restart, "http://console.example.com/jobs", "/"},
		{"restart, no scheme", restart, "//console.example.com/jobs", "/"},
		{"restart, two slashes behind the origin", restart, "https://console.example.com//evil.example", "/"},
		{"restart, a backslash", restart, `/\evil.example`, "/"},
		{"restart, no address", restart, "some opaque text", "/"},
		{"restart, too long", restart, "/" + strings.Repeat("x", 8192), "/"},
		{"accept without the option", func(c *saml.Config) { c.Unsolicited = saml.AllowUnsolicited }, "/dashboards/7", "/"},
		{"accept with the option", acceptRelayed, "/dashboards/7", "/dashboards/7"},
		{"accept with the option, another host", acceptRelayed, "https://evil.example/", "/"},
	} {
		h := newHouse(t, row.change)
		b := newTabbed(t, h.sp.Handler(&countingSessions{}))
		form := url.Values{"SAMLResponse": {h.respond(samltest.Answer{})}, "RelayState": {row.relayState}}
		r := httptest.NewRequest("POST", redirectURL, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		page, err := samltest.ReadForm(b.send(r).Result())
		if err != nil {
			t.Fatal(err)
		}
		if relayed := page.Values.Get("RelayState"); relayed != "" && !saml.IsLocalPath(relayed) {
			t.Errorf("%s: the first leg repeats %q", row.name, relayed)
		}
		r = httptest.NewRequest("POST", redirectURL, strings.NewReader(page.Values.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := b.send(r)
		if got := where(w); row.change != nil && strings.HasPrefix(got, h.idp.LoginURL()) {
			tab := b.tab()
			tab.leaves(w)
			w = tab.finish(h.respond(samltest.Answer{RequestID: requestID(t, tab.at)}))
		}
		if got := where(w); got != row.want {
			t.Errorf("%s: ends at %q, want %q: %d %s", row.name, got, row.want, w.Code, w.Body)
		}
	}
	if _, err := saml.New(saml.Config{AllowUnsolicitedRelayState: true}); err == nil ||
		!strings.Contains(err.Error(), "AllowUnsolicitedRelayState") {
		t.Errorf("the option without AllowUnsolicited: got %v", err)
	}
}

func restart(c *saml.Config) { c.Unsolicited = saml.RestartUnsolicited }

func acceptRelayed(c *saml.Config) {
	c.Unsolicited, c.AllowUnsolicitedRelayState = saml.AllowUnsolicited, true
}

// TestFragmentIsTakenAlong: our page posts what is behind # with the address, and a form that names
// only an address begins a login. A redirect to a long address becomes a page, because proxies limit
// headers.
func TestFragmentIsTakenAlong(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	b := newTabbed(t, h.sp.Handler(&countingSessions{}))
	w := b.send(httptest.NewRequest("GET", redirectURL+"?return_to=%2Fconsole%2F", nil))
	page, err := samltest.ReadForm(w.Result())
	if err != nil || page.Action != redirectURL || page.Values.Get("return_to") != "/console/" {
		t.Fatalf("got the form %+v, %v", page, err)
	}
	for _, address := range []string{"/console/#/sql/42", "/console/?q=" + strings.Repeat("%20", 2000) + "#/sql/42"} {
		r := httptest.NewRequest("POST", redirectURL, strings.NewReader(url.Values{"return_to": {address}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		tab := b.tab()
		w = b.send(r)
		if strings.Contains(w.Body.String(), "<form") {
			t.Errorf("the page for an address with a fragment would post again: %s", w.Body)
		}
		tab.leaves(w)
		w = tab.finish(h.respond(samltest.Answer{RequestID: requestID(t, tab.at)}))
		if got := where(w); got != address {
			t.Errorf("ends at %.60q, want %.60q", got, address)
		}
		for name, values := range w.Header() {
			for _, value := range values {
				if len(value) > 2<<10 {
					t.Errorf("the header %s has %d bytes", name, len(value))
				}
			}
		}
	}
}

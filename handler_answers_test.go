package saml_test

import (
	"context"
	"encoding/base64"
	"errors"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// TestNoAnswerIsCached: whoever writes it. An application's own error page says nothing about caching,
// and some statuses are cached without a word (RFC 9110 §15.1).
func TestNoAnswerIsCached(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	login, err := saml.NewHandler(saml.HandlerConfig{Provider: h.sp, Sessions: &countingSessions{},
		OnError: func(w http.ResponseWriter, _ *http.Request, err *saml.Error) {
			w.WriteHeader(http.StatusNotFound)
			w.Write([]byte(err.Code))
		}})
	if err != nil {
		t.Fatal(err)
	}
	for name, write := range map[string]func(w http.ResponseWriter){
		"a refused login": func(w http.ResponseWriter) {
			login.ServeHTTP(w, httptest.NewRequest("GET", redirectURL+"?SAMLResponse=x", nil))
		},
		"Handler.Fail": func(w http.ResponseWriter) {
			login.Fail(w, httptest.NewRequest("GET", redirectURL, nil), errors.New("no"))
		},
		"another method": func(w http.ResponseWriter) {
			login.ServeHTTP(w, httptest.NewRequest("HEAD", redirectURL, nil))
		},
	} {
		w := httptest.NewRecorder()
		if write(w); w.Code < 400 || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: status %d, Cache-Control %q", name, w.Code, w.Header().Get("Cache-Control"))
		}
	}
}

// TestLocationIsASCII: an address that a link names in other letters is sent as browsers write it.
func TestLocationIsASCII(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	login := h.sp.Handler(&countingSessions{signedIn: true})
	w := httptest.NewRecorder()
	login.ServeHTTP(w, httptest.NewRequest("GET", redirectURL+"?return_to=/gr%C3%B6%C3%9Fe%3Fa=%25C3", nil))
	if got := w.Header().Get("Location"); got != "/gr%C3%B6%C3%9Fe?a=%C3" {
		t.Errorf("got %d to %q", w.Code, got)
	}
}

type failingSource struct{}

func (failingSource) Snapshot(context.Context) (*saml.IdentityProvider, error) {
	return nil, errors.New("the database is down")
}

// TestTryAgainKeepsThePage: also if the login could not even be sent.
func TestTryAgainKeepsThePage(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *saml.Config) { c.IdentityProvider = failingSource{} })
	login := h.sp.Handler(&countingSessions{})
	for address, want := range map[string]string{
		"/jobs?a=b": `<a href="` + redirectURL + `?return_to=%2Fjobs%3Fa%3Db">`,
		"//evil":    `<a href="` + redirectURL + `">`,
	} {
		w := httptest.NewRecorder()
		login.ServeHTTP(w, httptest.NewRequest("GET", redirectURL+"?return_to="+url.QueryEscape(address), nil))
		if body := w.Body.String(); w.Code != http.StatusServiceUnavailable || !strings.Contains(body, want) {
			t.Errorf("%s: status %d, %s, want %s", address, w.Code, body, want)
		}
	}
}

var postingForm = regexp.MustCompile(`<form (?:id="fragment" )?method="post" action="([^"]*)"[^>]*><input type="hidden" name="return_to" value="([^"]*)">`)

// TestLongAddressesArePosted: proxies refuse a GET of 4 to 8 KiB, and an answer with such a header. So
// whatever begins a login at a long address is a form.
func TestLongAddressesArePosted(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	login := h.sp.Handler(&countingSessions{})
	guarded := login.Require(http.NotFoundHandler())
	for _, row := range []struct {
		name   string
		answer func(address string) *httptest.ResponseRecorder
	}{
		{"a guarded page", func(address string) *httptest.ResponseRecorder {
			return answerTo(guarded, byHand(httptest.NewRequest("GET", "https://console.example.com"+address, nil)))
		}},
		{"a guarded page in an old browser", func(address string) *httptest.ResponseRecorder {
			r := httptest.NewRequest("GET", "https://console.example.com"+address, nil)
			r.Header.Set("Accept", "text/html")
			return answerTo(guarded, r)
		}},
		{"a frame", func(address string) *httptest.ResponseRecorder {
			r := byHand(httptest.NewRequest("GET", "https://console.example.com"+address, nil))
			r.Header.Set("Sec-Fetch-Dest", "iframe")
			return answerTo(guarded, r)
		}},
		{"the button Sign in again", func(address string) *httptest.ResponseRecorder {
			b := newTabbed(t, login)
			tab := b.tab()
			w := b.send(postOf(url.Values{"return_to": {address}}))
			tab.leaves(w)
			return tab.finish(h.respond(samltest.Answer{RequestID: requestID(t, tab.at), Audience: "urn:other"}))
		}},
	} {
		for _, size := range []int{100, 1900, 3000, 8192} {
			address := incompressible(size)
			w := row.answer(address)
			body := w.Body.String()
			long := size > 1900
			for name, values := range w.Header() {
				if len(values[0]) > 2<<10 {
					t.Errorf("%s, %d bytes: the header %s has %d bytes", row.name, size, name, len(values[0]))
				}
			}
			form := postingForm.FindStringSubmatch(body)
			if (form != nil) != long {
				t.Errorf("%s, %d bytes: a form %t, want %t: status %d, %.2000s", row.name, size, form != nil, long, w.Code, body)
				continue
			}
			if !long {
				continue
			}
			if html.UnescapeString(form[1]) != redirectURL || html.UnescapeString(form[2]) != address || strings.Contains(body, "?return_to=") {
				t.Errorf("%s, %d bytes: got %.300s", row.name, size, form[0])
			}
			tab := newTabbed(t, login).tab()
			tab.leaves(tab.send(postOf(url.Values{"return_to": {html.UnescapeString(form[2])}})))
			if w := tab.finish(h.respond(samltest.Answer{RequestID: requestID(t, tab.at)})); where(w) != address {
				t.Errorf("%s, %d bytes: ends at %.60q", row.name, size, where(w))
			}
		}
	}
}

func answerTo(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// postOf is a form that a page of our own posts to the Redirect URL.
func postOf(form url.Values) *http.Request {
	r := httptest.NewRequest("POST", redirectURL, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return r
}

// postedID returns the ID of the request that a page posts to the identity provider.
func postedID(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	page, err := samltest.ReadForm(w.Result())
	if err != nil {
		t.Fatal(err)
	}
	request, err := base64.StdEncoding.DecodeString(page.Values.Get("SAMLRequest"))
	id := regexp.MustCompile(` ID="([^"]+)"`).FindSubmatch(request)
	if err != nil || id == nil {
		t.Fatalf("no request: %v, %v", page, err)
	}
	return string(id[1])
}

var redirectService = regexp.MustCompile(`<SingleSignOnService [^>]*HTTP-Redirect[^>]*/>`)

// byForm makes the identity provider one that takes logins by HTTP-POST alone.
func byForm(c *saml.Config) {
	idp, err := sharedIdP()
	if err != nil {
		panic(err) // in a test
	}
	metadata, err := idp.Metadata()
	if err != nil {
		panic(err)
	}
	byPOST, err := saml.ParseMetadata(redirectService.ReplaceAll(metadata, nil))
	if err != nil || !byPOST.LoginIsPOSTOnly() {
		panic("the metadata is of another form")
	}
	c.IdentityProvider = byPOST
}

// TestFragmentOfAnyPage: each page that begins a login of a page has the form that takes the fragment
// along, however the request is sent to the identity provider.
func TestFragmentOfAnyPage(t *testing.T) {
	t.Parallel()
	byRedirect, byPOST := newHouse(t, nil), newHouse(t, byForm)
	long := incompressible(3000)
	for _, row := range []struct {
		name    string
		house   *house
		address string
	}{
		{"by redirect", byRedirect, "/console/"},
		{"by POST", byPOST, "/console/"},
		{"by POST, a long address", byPOST, long},
	} {
		login := row.house.sp.Handler(&countingSessions{})
		b := newTabbed(t, login)
		w := b.send(httptest.NewRequest("GET", redirectURL+"?return_to="+url.QueryEscape(row.address), nil))
		form := postingForm.FindStringSubmatch(w.Body.String())
		if form == nil || form[1] != redirectURL || html.UnescapeString(form[2]) != row.address {
			t.Errorf("%s: got %s", row.name, w.Body)
			continue
		}
		tab := b.tab()
		w = b.send(postOf(url.Values{"return_to": {row.address + "#/sql/42"}}))
		if strings.Contains(w.Body.String(), `id="fragment"`) {
			t.Errorf("%s: the page for an address with a fragment would post again: %s", row.name, w.Body)
		}
		id := ""
		if row.house == byPOST {
			tab.kept, id = keptText.FindStringSubmatch(w.Body.String())[1], postedID(t, w)
		} else {
			tab.leaves(w)
			id = requestID(t, tab.at)
		}
		if w = tab.finish(row.house.respond(samltest.Answer{RequestID: id})); where(w) != row.address+"#/sql/42" {
			t.Errorf("%s: ends at %.60q", row.name, where(w))
		}
	}
	// the guarded page itself, if its address is too long for a redirect
	w := answerTo(byPOST.sp.Handler(&countingSessions{}).Require(http.NotFoundHandler()),
		byHand(httptest.NewRequest("GET", "https://console.example.com"+long, nil)))
	if body := w.Body.String(); !strings.Contains(body, `<form id="fragment"`) {
		t.Errorf("a guarded page: got %.2000s", body)
	}
}

// TestFragmentThatIsTooLong goes, and the page stays.
func TestFragmentThatIsTooLong(t *testing.T) {
	t.Parallel()
	h := newHouse(t, restart)
	login := h.sp.Handler(&countingSessions{})
	end := "#" + strings.Repeat("x", 8192)
	for name, begin := range map[string]*http.Request{
		"a link": httptest.NewRequest("GET", redirectURL+"?return_to=%2Fjobs%3Fa=b"+url.QueryEscape(end), nil),
		"a form": postOf(url.Values{"return_to": {"/jobs?a=b" + end}}),
		"a longer RelayState": postOf(url.Values{"saml_leg": {"2"}, "SAMLResponse": {h.respond(samltest.Answer{})},
			"RelayState": {"/jobs?a=b" + end + end}}),
		"a RelayState": postOf(url.Values{"saml_leg": {"2"}, "SAMLResponse": {h.respond(samltest.Answer{})},
			"RelayState": {"https://console.example.com/jobs?a=b" + end}}),
	} {
		b := newTabbed(t, login)
		tab := b.tab()
		tab.leaves(b.send(begin))
		if w := tab.finish(h.respond(samltest.Answer{RequestID: requestID(t, tab.at)})); where(w) != "/jobs?a=b" {
			t.Errorf("%s: ends at %.60q, %s", name, where(w), w.Body)
		}
	}
}

// TestTwoSlashes: a page whose path begins with two is found again, and no host is meant.
func TestTwoSlashes(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	login := h.sp.Handler(&countingSessions{})
	r := httptest.NewRequest("GET", "https://console.example.com/", nil)
	r.RequestURI = "//evil.example/jobs?a=b"
	w := answerTo(login.Require(http.NotFoundHandler()), byHand(r))
	tab := newTabbed(t, login).tab()
	tab.leaves(tab.send(httptest.NewRequest("GET", w.Header().Get("Location"), nil)))
	w = tab.finish(h.respond(samltest.Answer{RequestID: requestID(t, tab.at)}))
	base, err := url.Parse(redirectURL)
	if err != nil {
		t.Fatal(err)
	}
	to, err := base.Parse(where(w))
	if err != nil || to.Host != "console.example.com" || to.RequestURI() != "//evil.example/jobs?a=b" {
		t.Errorf("ends at %q, that is %v, %v", where(w), to, err)
	}
}

// TestReturnToOfTheService: a script writes location.href. What counts is its path, and no other origin
// does.
func TestReturnToOfTheService(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	login := h.sp.Handler(&countingSessions{signedIn: true})
	for address, want := range map[string]string{
		"https://console.example.com/jobs?a=b#top":  "/jobs?a=b#top",
		"https://console.example.com":               "/",
		"https://console.example.com//evil.example": "/",
		"https://console.example.com.evil.example/": "/",
		"https://console.example.com:8443/jobs":     "/",
		"https://console.example.com@evil.example/": "/",
		"http://console.example.com/jobs":           "/",
	} {
		w := answerTo(login, httptest.NewRequest("GET", redirectURL+"?return_to="+url.QueryEscape(address), nil))
		if w.Code != http.StatusSeeOther || w.Header().Get("Location") != want {
			t.Errorf("%s: got %d to %q, want %q", address, w.Code, w.Header().Get("Location"), want)
		}
	}
}

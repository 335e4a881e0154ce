package saml_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/iomete/saml"
	"github.com/iomete/saml/session"
)

// TestWhoBeginsALogin: a person who opens a page. In a frame there is a link, and everything else
// gets an answer that begins nothing, at the page as at the Redirect URL. No answer but that of a
// begun login sets a cookie.
func TestWhoBeginsALogin(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	sessions := &countingSessions{}
	login := h.sp.Handler(sessions)
	html := "text/html,application/xhtml+xml"
	const page, frame, none = "page", "frame", "none"
	for _, row := range []struct {
		name, method string
		header       map[string]string
		atPage       string
		atURL        string // the Redirect URL, "" for the same
	}{
		{"a page", "GET", map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Accept": html}, page, ""},
		{"a page that a service worker passes on", "GET", map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "empty", "Accept": html}, page, ""},
		{"an old browser's page", "GET", map[string]string{"Accept": html}, page, ""},
		{"a WebView of Android, which names its app", "GET",
			map[string]string{"Accept": html, "X-Requested-With": "com.example.mail"}, page, ""},
		{"a program", "GET", nil, none, page},
		{"prefetch", "GET", map[string]string{"Sec-Purpose": "prefetch", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Accept": html}, none, ""},
		{"prefetch through a proxy", "GET", map[string]string{"Sec-Purpose": "prefetch;anonymous-client-ip", "Accept": html}, none, ""},
		{"prerender by speculation rules", "GET", map[string]string{"Sec-Purpose": "prefetch;prerender", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Accept": html}, none, ""},
		{"prefetch of an old Chromium", "GET", map[string]string{"Purpose": "prefetch", "Accept": html}, none, ""},
		{"prefetch of an old Firefox", "GET", map[string]string{"X-Moz": "prefetch", "Accept": html}, none, ""},
		{"preview of Safari", "GET", map[string]string{"X-Purpose": "preview", "Accept": html}, none, ""},
		{"fetch", "GET", map[string]string{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Accept": "*/*"}, none, ""},
		{"fetch that asks for HTML", "GET", map[string]string{"Sec-Fetch-Mode": "same-origin", "Sec-Fetch-Dest": "empty", "Accept": html}, none, ""},
		{"XMLHttpRequest of an old browser", "GET", map[string]string{"X-Requested-With": "XMLHttpRequest", "Accept": html}, none, ""},
		{"XMLHttpRequest in other case", "GET", map[string]string{"X-Requested-With": "xmlhttprequest", "Accept": html}, none, ""},
		{"an image", "GET", map[string]string{"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image", "Accept": "image/*"}, none, ""},
		{"a worker", "GET", map[string]string{"Sec-Fetch-Mode": "same-origin", "Sec-Fetch-Dest": "serviceworker"}, none, ""},
		{"a script's destination alone", "GET", map[string]string{"Sec-Fetch-Dest": "script"}, none, ""},
		{"an event stream", "GET", map[string]string{"Accept": "text/event-stream"}, none, page},
		{"a web socket", "GET", map[string]string{"Sec-Fetch-Mode": "websocket", "Sec-Fetch-Dest": "websocket"}, none, ""},
		{"an iframe", "GET", map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe", "Accept": html}, frame, ""},
		{"a frame", "GET", map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "frame", "Accept": html}, frame, ""},
		{"an embedded object", "GET", map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "object", "Accept": html}, frame, ""},
		{"an iframe that is loaded early", "GET", map[string]string{"Sec-Purpose": "prefetch", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, none, ""},
		{"a form that is posted by a person", "POST", map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, page, none},
		{"a form that a script posts", "POST", map[string]string{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}, none, ""},
		{"a form that an old browser posts", "POST", map[string]string{"Accept": html}, none, ""},
		{"HEAD", "HEAD", map[string]string{"Accept": html}, none, ""},
	} {
		for where, answers := range map[string]http.Handler{
			"https://console.example.com/reports/1?a=b": login.Require(http.NotFoundHandler()),
			redirectURL + "?return_to=/reports/1%3Fa=b": login,
		} {
			want := row.atPage
			if strings.HasPrefix(where, redirectURL) && row.atURL != "" {
				want = row.atURL
			}
			r, w := httptest.NewRequest(row.method, where, nil), httptest.NewRecorder()
			for name, value := range row.header {
				r.Header.Set(name, value)
			}
			answers.ServeHTTP(w, r)
			got := none
			switch body := w.Body.String(); {
			case w.Code == http.StatusUnauthorized && strings.Contains(body, `target="_blank"`) && strings.Contains(body, `href="`+redirectURL):
				got = frame
			case w.Code == http.StatusSeeOther, strings.Contains(body, "location.replace"):
				got = page
			case w.Code < 400:
				t.Errorf("%s at %s: status %d", row.name, where, w.Code)
			}
			begun := strings.HasPrefix(where, redirectURL) && got == page
			if cookies := len(w.Result().Cookies()); got != want || cookies > 0 != begun ||
				w.Code != http.StatusMethodNotAllowed && w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%s at %s: got %s, want %s; status %d, %d cookies", row.name, where, got, want, w.Code, cookies)
			}
			framed := !strings.Contains(w.Header().Get("Content-Security-Policy"), "frame-ancestors 'none'")
			if got == frame && !framed {
				t.Errorf("%s at %s: the page for a frame forbids to be framed", row.name, where)
			}
		}
	}
}

// TestLinkOfAFrame: the window that it opens signs in and ends on the page of the frame.
func TestLinkOfAFrame(t *testing.T) {
	t.Parallel()
	s := newRound(t)
	r, w := httptest.NewRequest("GET", "https://console.example.com/reports/1?a=b&c=d", nil), httptest.NewRecorder()
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "iframe")
	s.ServeHTTP(w, r)
	_, link, _ := strings.Cut(w.Body.String(), `href="`)
	link, _, _ = strings.Cut(link, `"`)
	b := &walker{tabbed: newTabbed(t, s), s: s, scripts: true}
	if w, ended := b.walk(strings.ReplaceAll(link, "&amp;", "&")); !ended || w.Body.String() != "the page /reports/1?a=b&c=d" {
		t.Errorf("the link %s ends at status %d, %s", link, w.Code, w.Body)
	}
}

// TestBackslashInAQuery: browsers send it as it is there, and the page that was asked for is kept.
func TestBackslashInAQuery(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	manager, err := session.New(session.Config{Keys: [][]byte{saml.NewStateKey()}})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "https://console.example.com/find", nil)
	r.RequestURI = `/find?file=C:\x`
	r.Header.Set("Accept", "text/html")
	w := httptest.NewRecorder()
	h.sp.Handler(manager).Require(http.NotFoundHandler()).ServeHTTP(w, r)
	if want := redirectURL + "?return_to=%2Ffind%3Ffile%3DC%3A%255Cx"; w.Header().Get("Location") != want {
		t.Errorf("got %d to %s, want %s", w.Code, w.Header().Get("Location"), want)
	}
}

// TestPostsFromOtherSitesSetNoCookie: they come without our SameSite=Lax cookies, and one more cookie
// for each would fill the browser. They go on with a GET or a post of our own, which have the cookies.
func TestPostsFromOtherSitesSetNoCookie(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	login := h.sp.Handler(&countingSessions{})
	for _, row := range []struct {
		site, address, location string
		cookies                 bool
	}{
		{"cross-site", "/reports/1", redirectURL + "?return_to=%2Freports%2F1", false},
		{"cross-site", "//evil.example", redirectURL, false},
		{"cross-site", "/" + strings.Repeat("a", 3000), "", false},
		{"same-origin", "/reports/1", "", true},
	} {
		r := httptest.NewRequest("POST", redirectURL, strings.NewReader(url.Values{"return_to": {row.address}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", row.site)
		r.Header.Set("Sec-Fetch-Mode", "navigate")
		r.Header.Set("Sec-Fetch-Dest", "document")
		w := httptest.NewRecorder()
		login.ServeHTTP(w, r)
		got := w.Header().Get("Location")
		if strings.HasPrefix(got, h.idp.LoginURL()) {
			got = ""
		}
		if w.Code >= 400 || got != row.location || (len(w.Result().Cookies()) > 0) != row.cookies {
			t.Errorf("%s, %.20s: status %d to %q, cookies %v", row.site, row.address, w.Code, got, w.Result().Cookies())
		}
	}
}

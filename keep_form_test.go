package saml_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
	"github.com/iomete/saml/session"
)

// formAccount is that of ownSessions: the header User names who is signed in, and Ended who was.
func formAccount(r *http.Request) (*saml.FormAccount, error) {
	user, ended := r.Header.Get("User"), r.Header.Get("Ended")
	switch {
	case ended == "unknown":
		return nil, errors.New("the row of ann@example.com")
	case ended == "nameless":
		return &saml.FormAccount{Ended: true}, nil
	case ended == "meanwhile":
		return &saml.FormAccount{Key: user, Ended: true}, nil
	case user != "":
		return &saml.FormAccount{Key: user}, nil
	case ended != "":
		return &saml.FormAccount{Key: ended, Ended: true}, nil
	}
	return nil, nil
}

// keeping is a page behind Require that answers with what it got.
func keeping(t *testing.T, c saml.HandlerConfig) http.Handler {
	t.Helper()
	c.Sessions, c.FormAccount = ownSessions{}, formAccount
	login, err := saml.NewHandler(c)
	if err != nil {
		t.Fatal(err)
	}
	return login.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseMultipartForm(1 << 20); err != nil && !errors.Is(err, http.ErrNotMultipart) {
			t.Error(err)
		}
		fmt.Fprintf(w, "%v sends %s", r.Context().Value(userKey{}), r.PostForm.Encode())
	}))
}

// postForm posts a form from a page of the service; header has pairs of names and values.
func postForm(h http.Handler, body io.Reader, header ...string) *httptest.ResponseRecorder {
	return postFormTo(h, ownPage, body, header...)
}

func postFormTo(h http.Handler, target string, body io.Reader, header ...string) *httptest.ResponseRecorder {
	r, w := httptest.NewRequest("POST", target, body), httptest.NewRecorder()
	all := append([]string{"Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin",
		"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, header...)
	for i := 0; i < len(all); i += 2 {
		r.Header.Set(all[i], all[i+1])
	}
	h.ServeHTTP(w, r)
	return w
}

var keptField = regexp.MustCompile(`<form id="form" method="post" autocomplete="off">` +
	`<input type="hidden" name="saml_form" value="([A-Za-z0-9_-]+)">`)

// keptForm returns the body that the button of a page posts, "" if the page keeps no form.
func keptForm(w *httptest.ResponseRecorder) string {
	if m := keptField.FindStringSubmatch(w.Body.String()); m != nil {
		return "saml_form=" + m[1]
	}
	return ""
}

const ownForm = "comment=Gr%C3%BC%C3%9Fe"

// TestPageOfAFormThatWaits: the page has a link to the sign-in in a window of its own and a button,
// is in no frame and no cache, shows nothing of the form, and posts nothing by itself.
func TestPageOfAFormThatWaits(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	page := keeping(t, saml.HandlerConfig{Provider: h.sp})
	longest := strings.Repeat("x", 64<<10)
	for _, body := range []string{ownForm, longest} {
		w := postForm(page, strings.NewReader(body), "Ended", "ann")
		text := w.Body.String()
		if w.Code != http.StatusUnauthorized || keptForm(w) == "" {
			t.Fatalf("got status %d: %.400s", w.Code, text)
		}
		policy := w.Header().Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'; script-src 'nonce-") ||
			!strings.HasSuffix(policy, "; frame-ancestors 'none'") || w.Header().Get("Cache-Control") != "no-store" ||
			w.Header().Get("Referrer-Policy") != "same-origin" {
			t.Errorf("got %v", w.Header())
		}
		end := url.QueryEscape(saml.DefaultRedirectPath + "?saml_form=1")
		for _, want := range []string{`<html lang="en">`, "<main><h1>Your form has not been sent</h1>",
			`<a href="` + redirectURL + `?return_to=` + end + `" target="_blank" rel="noopener">`,
			`<button type="submit">Send again</button>`} {
			if !strings.Contains(text, want) {
				t.Errorf("want %s, got %.1500s", want, text)
			}
		}
		for _, not := range []string{".submit()", ".click()", "http-equiv", "comment", "xxxxxxxx"} {
			if strings.Contains(text, not) {
				t.Errorf("the page posts by itself, or shows the form: %s in %.1500s", not, text)
			}
		}
		if len(w.Result().Cookies()) > 0 || len(text) > 92<<10 {
			t.Errorf("the page has %d bytes, and sets the cookies %v", len(text), w.Result().Cookies())
		}
	}
	w := postForm(page, strings.NewReader(longest+"x"), "Ended", "ann")
	if keptForm(w) != "" || w.Code != http.StatusSeeOther {
		t.Errorf("a form of more than 64 KiB: got status %d", w.Code)
	}
}

// TestFormsOfOnesOwnSessions: what is kept of a form with sessions of an application's own, and
// when the application gets it.
func TestFormsOfOnesOwnSessions(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	page := keeping(t, saml.HandlerConfig{Provider: h.sp})
	fields := func(file, content string) (body, kind string) {
		var b bytes.Buffer
		m := multipart.NewWriter(&b)
		m.WriteField("comment", "Grüße")
		part, err := m.CreateFormFile("file", file)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(part, content)
		m.Close()
		return b.String(), m.FormDataContentType()
	}
	empty, emptyKind := fields("", "")
	file, fileKind := fields("a.txt", "")
	unnamed, unnamedKind := fields("", "content")
	longForm := "comment=" + strings.Repeat("x", 64<<10-8)
	longKind := "application/x-www-form-urlencoded; x=" + strings.Repeat("x", 256)
	for name, row := range map[string]struct {
		body, kind string
		header     []string
		kept       string // the fields that arrive, "" if the form is not kept
	}{
		"a form":                    {ownForm, "", nil, ownForm},
		"fields and no file":        {empty, emptyKind, nil, ownForm + "&file="},
		"an empty file":             {file, fileKind, nil, ""},
		"a file without a name":     {unnamed, unnamedKind, nil, ""},
		"fields that end too early": {empty[:len(empty)-8], emptyKind, nil, ""},
		"fields without a boundary": {empty, "multipart/form-data", nil, ""},
		"plain text":                {ownForm, "text/plain", nil, ""},
		"JSON":                      {"{}", "application/json", nil, ""},
		"no type":                   {ownForm, " ", nil, ""},
		"a very long type":          {ownForm, longKind, nil, ""},
		"a compressed form":         {ownForm, "", []string{"Content-Encoding", "gzip"}, ""},
		"a form by fetch":           {ownForm, "", []string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"}, ""},
		"a form in a frame":         {ownForm, "", []string{"Sec-Fetch-Dest", "iframe"}, ""},
		"a form of another site":    {ownForm, "", []string{"Sec-Fetch-Site", "cross-site"}, ""},
		"a form of a sibling host":  {ownForm, "", []string{"Sec-Fetch-Site", "same-site"}, ""},
		"a form that nobody sent":   {ownForm, "", []string{"Sec-Fetch-Site", "none"}, ""},
		"another origin":            {ownForm, "", []string{"Origin", "https://console.example.net"}, ""},
		"with Authorization":        {ownForm, "", []string{"Authorization", "Basic eDp5"}, ""},
		"with no account":           {ownForm, "", []string{"Ended", ""}, ""},
		"an account without a key":  {ownForm, "", []string{"Ended", "nameless"}, ""},
		"a very long key":           {longForm, "", []string{"Ended", strings.Repeat("k", 4<<10)}, ""},
	} {
		header := []string{"Ended", "ann"}
		if row.kind != "" {
			header = append(header, "Content-Type", row.kind)
		}
		again := keptForm(postForm(page, strings.NewReader(row.body), append(header, row.header...)...))
		if (again != "") != (row.kept != "") {
			t.Errorf("%s: kept is %t", name, again != "")
		}
		if row.kept == "" {
			continue
		}
		w := postForm(page, strings.NewReader(again), "User", "ann")
		if w.Code != 200 || w.Body.String() != "ann sends "+row.kept {
			t.Errorf("%s: got status %d, %.200q", name, w.Code, w.Body)
		}
	}
	// nobody knows whether it would be kept: the browser still has the form
	if w := postForm(page, strings.NewReader(ownForm), "Ended", "unknown"); w.Code != http.StatusServiceUnavailable ||
		w.Header().Get("Retry-After") != "10" || strings.Contains(w.Body.String(), "ann@") {
		t.Errorf("FormAccount fails: got status %d, %s", w.Code, w.Body)
	}
	again := keptForm(postForm(page, strings.NewReader(ownForm), "Ended", "ann"))
	if w := postForm(page, strings.NewReader(again), "User", "ann", "Ended", "meanwhile"); keptForm(w) != again ||
		w.Code != http.StatusUnauthorized {
		t.Errorf("the session ends meanwhile: got status %d, %s", w.Code, w.Body)
	}
	// somebody signed in whose account has no key
	login, err := saml.NewHandler(saml.HandlerConfig{Provider: h.sp, Sessions: ownSessions{},
		FormAccount: func(*http.Request) (*saml.FormAccount, error) { return nil, nil }})
	if err != nil {
		t.Fatal(err)
	}
	w := postForm(login.Require(hello), strings.NewReader(again), "User", "bob")
	if w.Code != http.StatusForbidden || keptForm(w) != again || !strings.Contains(w.Body.String(), "fresh=1") {
		t.Errorf("an account without a key: got status %d, %s", w.Code, w.Body)
	}
}

// TestOtherFormsPassUnchanged: Require takes nothing away from what the application gets, also if
// the body comes slowly, or a middleware has parsed it.
func TestOtherFormsPassUnchanged(t *testing.T) {
	t.Parallel()
	page := keeping(t, saml.HandlerConfig{Provider: newHouse(t, nil).sp})
	parsed := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		page.ServeHTTP(w, r)
	})
	for _, body := range []string{"", "a=1", "saml_forms=1", ownForm} {
		for name, h := range map[string]http.Handler{"as it is": page, "parsed": parsed} {
			half := len(body) / 2
			slow := io.MultiReader(strings.NewReader(body[:half]), strings.NewReader(body[half:]))
			w := postForm(h, slow, "User", "ann")
			if w.Code != 200 || w.Body.String() != "ann sends "+body {
				t.Errorf("%q, %s: got status %d, %q", body, name, w.Code, w.Body)
			}
		}
	}
	for name, h := range map[string]http.Handler{"parsed": parsed, "as it is": page} {
		again := keptForm(postForm(parsed, strings.NewReader("b=2&a=1&b=1"), "Ended", "ann"))
		if w := postForm(h, strings.NewReader(again), "User", "ann"); w.Body.String() != "ann sends a=1&b=2&b=1" {
			t.Errorf("kept parsed, sent again %s: got status %d, %q", name, w.Code, w.Body)
		}
	}
	long := strings.NewReader("a=" + strings.Repeat("x", 64<<10))
	if w := postForm(parsed, long, "Ended", "ann"); keptForm(w) != "" {
		t.Error("a form of more than 64 KiB is kept if it was parsed")
	}
	broken := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ParseForm() == nil {
			t.Error("the form is not broken")
		}
		page.ServeHTTP(w, r)
	})
	if w := postForm(broken, strings.NewReader("%zz"), "Ended", "ann"); keptForm(w) != "" {
		t.Error("nothing is kept as if it were the form")
	}
	bare := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = nil // as in a test of an application
		page.ServeHTTP(w, r)
	})
	if w := postForm(bare, nil, "Ended", "ann"); w.Code != http.StatusSeeOther {
		t.Errorf("without a body: got status %d", w.Code)
	}
	gone := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Error(err)
		}
		page.ServeHTTP(w, r)
	})
	if w := postForm(gone, strings.NewReader(ownForm), "Ended", "ann"); keptForm(w) != "" {
		t.Error("half a form is kept: something read the body and did not put it back")
	}
}

// TestGuardOnTheRedirectURLKeepsNoForm: a mistake in the routes is still called by its name.
func TestGuardOnTheRedirectURLKeepsNoForm(t *testing.T) {
	t.Parallel()
	page := keeping(t, saml.HandlerConfig{Provider: newHouse(t, nil).sp})
	w := postFormTo(page, redirectURL, strings.NewReader("SAMLResponse=QQ&saml_leg=2"), "Ended", "ann")
	if keptForm(w) != "" || !strings.Contains(w.Body.String(), "<code>"+string(saml.CodeConfig)+"</code>") {
		t.Errorf("got status %d, %s", w.Code, w.Body)
	}
}

// TestFormIsNotSentAgainAfterARestart: a Store that forgets does not know whether it was sent
// before.
func TestFormIsNotSentAgainAfterARestart(t *testing.T) {
	t.Parallel()
	clock := newClock()
	key := saml.NewStateKey()
	process := func() http.Handler {
		return keeping(t, saml.HandlerConfig{Provider: newHouse(t, func(c *saml.Config) {
			c.Now, c.Store, c.StateKeys = clock.Now, saml.NewMemoryStoreWithClock(clock.Now), [][]byte{key}
		}).sp})
	}
	page := process()
	again := keptForm(postForm(page, strings.NewReader(ownForm), "Ended", "ann"))
	if w := postForm(page, strings.NewReader(again), "User", "ann"); w.Code != 200 {
		t.Fatalf("got status %d, %s", w.Code, w.Body)
	}
	clock.Advance(time.Second)
	if w := postForm(process(), strings.NewReader(again), "User", "ann"); w.Code != http.StatusConflict {
		t.Errorf("after a restart: got status %d, %s", w.Code, w.Body)
	}
}

// TestFormRefusedIsObserved: an operator learns that forms wait because the Store fails.
func TestFormRefusedIsObserved(t *testing.T) {
	t.Parallel()
	var events []saml.Event
	h := newHouse(t, func(c *saml.Config) {
		c.Store = &brokenClaims{}
		c.Observe = func(_ context.Context, e saml.Event) { events = append(events, e) }
	})
	page := keeping(t, saml.HandlerConfig{Provider: h.sp})
	again := keptForm(postForm(page, strings.NewReader(ownForm), "Ended", "ann"))
	w := postForm(page, strings.NewReader(again), "User", "ann")
	if w.Code != http.StatusServiceUnavailable || keptForm(w) != again {
		t.Errorf("got status %d, %s", w.Code, w.Body)
	}
	if len(events) != 1 || events[0].Kind != saml.FormRefused || !errors.Is(events[0].Err, saml.CodeStore) ||
		!errors.Is(events[0].Err, errBrokenClaims) {
		t.Errorf("got the events %+v", events)
	}
}

var errBrokenClaims = errors.New("the database is down")

type brokenClaims struct{ saml.MemoryStore }

func (*brokenClaims) Claim(context.Context, string, time.Duration) (bool, error) {
	return false, errBrokenClaims
}

// TestFormPagesInAnotherLanguage: all of their words are translated, and PageTexts lists them.
func TestFormPagesInAnotherLanguage(t *testing.T) {
	t.Parallel()
	asked := map[string]bool{}
	german := func(*http.Request) (string, func(string) string) {
		return "de", func(english string) string { asked[english] = true; return "ü " + english }
	}
	page := keeping(t, saml.HandlerConfig{Provider: newHouse(t, nil).sp, Language: german})
	waits := postForm(page, strings.NewReader(ownForm), "Ended", "ann")
	again := strings.NewReader(keptForm(waits))
	for name, w := range map[string]*httptest.ResponseRecorder{"waits": waits,
		"other":      postForm(page, again, "User", "bob"),
		"elsewhere":  postForm(page, strings.NewReader(keptForm(waits)), "User", "ann", "Sec-Fetch-Site", "cross-site"),
		"unreadable": postForm(page, strings.NewReader("saml_form=A"), "User", "ann")} {
		text := w.Body.String()
		isPage := name != "elsewhere"
		if w.Code < 400 || !strings.Contains(text, "ü ") || strings.Contains(text, `<html lang="de">`) != isPage {
			t.Errorf("%s: got status %d, %s", name, w.Code, text)
		}
	}
	for text := range asked {
		if !slices.Contains(saml.PageTexts(), text) {
			t.Errorf("PageTexts does not list %q", text)
		}
	}
	if len(asked) < 8 {
		t.Errorf("only %d texts were asked for: %v", len(asked), asked)
	}
}

// TestSignInOfAFormInASecondWindow: over HTTP, with one cookie jar for both windows: the session
// ends, the form waits, the other window signs in and says where to go on, and the form arrives.
func TestSignInOfAFormInASecondWindow(t *testing.T) {
	t.Parallel()
	clock := newClock()
	mux := http.NewServeMux()
	service := httptest.NewTLSServer(mux)
	t.Cleanup(service.Close)
	idp := samltest.MustNew(t, samltest.Options{Now: clock.Now})
	provider := httptest.NewTLSServer(idp)
	t.Cleanup(provider.Close)
	idp.SetBaseURL(provider.URL)
	idp.SignInAs(samltest.DefaultUsers()[0])
	sp := newProvider(t, idp, func(c *saml.Config) {
		c.BaseURL, c.Now, c.Store = service.URL, clock.Now, saml.NewMemoryStoreWithClock(clock.Now)
	})
	idp.Register(samltest.Application{Identifier: sp.EntityID(), ReplyURLs: []string{sp.RedirectURL()}})
	sessions, err := session.New(session.Config{Keys: [][]byte{saml.NewStateKey()}, KeepForms: true, Now: clock.Now,
		Store: saml.NewMemoryStoreWithClock(clock.Now)})
	if err != nil {
		t.Fatal(err)
	}
	login, err := saml.NewHandler(saml.HandlerConfig{Provider: sp, Sessions: sessions,
		FormAccount: sessions.FormAccount})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	mux.Handle(sp.RedirectPath(), login)
	mux.Handle("/", login.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "POST" {
			got = append(got, r.PostFormValue("comment"))
		}
		fmt.Fprintf(w, "%s at %s", session.FromContext(r.Context()).Identity.Email, r.URL)
	})))
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Transport: service.Client().Transport, Jar: jar}
	signIn := func(address string) string {
		page, err := samltest.SignIn(browser, address)
		return bodyOf(t, page, err)
	}
	if page := signIn(service.URL + "/jobs"); !strings.HasSuffix(page, " at /jobs") {
		t.Fatalf("the first sign-in ends at %s", page)
	}
	clock.Advance(3*time.Hour - time.Second)
	post := func(body string) *httptest.ResponseRecorder {
		r, err := http.NewRequest("POST", service.URL+"/jobs?id=7", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{"Content-Type": "application/x-www-form-urlencoded",
			"Accept": "text/html", "Origin": service.URL} {
			r.Header.Set(name, value)
		}
		return recorded(t, browser, r)
	}
	waits := post(ownForm)
	again := keptForm(waits)
	link := regexp.MustCompile(`<a href="([^"]+)"`).FindStringSubmatch(waits.Body.String())
	if again == "" || link == nil {
		t.Fatalf("got status %d, %s", waits.Code, waits.Body)
	}
	if early := post(again); keptForm(early) != again {
		t.Errorf("before the sign-in: got status %d, %s", early.Code, early.Body)
	}
	end := signIn(html.UnescapeString(link[1]))
	if !strings.Contains(end, "<h1>You are signed in</h1>") || !strings.Contains(end, "press Send again") ||
		len(got) > 0 {
		t.Errorf("the sign-in ends at %s, the application got %q", end, got)
	}
	if w := post(again); w.Code != 200 || !slices.Equal(got, []string{"Grüße"}) {
		t.Errorf("got status %d, %s; the application got %q", w.Code, w.Body, got)
	}
	if w := post(again); w.Code != http.StatusConflict || len(got) != 1 {
		t.Errorf("twice: got status %d, the application got %q", w.Code, got)
	}
}

// recorded returns the last answer to a request.
func recorded(t *testing.T, browser *http.Client, r *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	answer, err := browser.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	w := httptest.NewRecorder()
	w.Code = answer.StatusCode
	for name, values := range answer.Header {
		w.Header()[name] = values
	}
	if _, err := io.Copy(w.Body, answer.Body); err != nil {
		t.Fatal(err)
	}
	return w
}

package saml_test

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
	"github.com/iomete/saml/session"
)

// TestDenied: the application turns a user away with a sentence of its own, which only the user
// reads.
func TestDenied(t *testing.T) {
	const sentence = `No seat is left for ann@example.com. <script>alert("1")</script>`
	denied := saml.Denied(sentence)
	for name, err := range map[string]error{"as it is": denied, "wrapped": fmt.Errorf("seats: %w", denied)} {
		w := newWatched(t, nil)
		w.sessions.err = err
		state, id := w.begin()
		a := w.post(w.respond(samltest.Answer{RequestID: id}), state)
		body := a.Body.String()
		if a.Code != http.StatusForbidden || !strings.Contains(body, "<code>denied</code>") ||
			!strings.Contains(body, `No seat is left for ann@example.com. &lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt;</p>`) ||
			strings.Contains(body, "<script>alert") || strings.Contains(body, "administrator can look up") {
			t.Errorf("%s: got %d %s", name, a.Code, body)
		}
		if log := w.log.String(); strings.Contains(log, "ann@") || !strings.Contains(log, "code=denied") {
			t.Errorf("%s: the log says %s", name, log)
		}
		if last := w.events[len(w.events)-1]; last.Kind != saml.LoginRefused || !errors.Is(last.Err, saml.CodeDenied) ||
			last.RequestID != id || strings.Contains(last.Err.Error(), "ann@") {
			t.Errorf("%s: got %+v", name, last)
		}
	}
	if strings.Contains(denied.Error()+fmt.Sprintf("%v %+v", denied, denied), "ann@") {
		t.Errorf("the text of the error is %v", denied)
	}
	page := func(err error) saml.Page { return err.(*saml.Error).Page() }
	if got := page(saml.Denied("")); got.Sentence == "" || got.Status != http.StatusForbidden || !got.AskAdministrator {
		t.Errorf("without a sentence: %+v", got)
	}
	if got := page(saml.Denied("a\xff" + strings.Repeat("ü", 1000))).Sentence; len(got) > 500 || !strings.HasPrefix(got, "a\uFFFDü") ||
		!strings.HasSuffix(got, "ü…") {
		t.Errorf("a long sentence: %d bytes, %q", len(got), got)
	}
}

// TestFailTakesAllOurErrors: the page is that of the error's code, wherever it comes from.
func TestFailTakesAllOurErrors(t *testing.T) {
	t.Parallel()
	login := newHouse(t, nil).sp.Handler(ownSessions{})
	_, faults := saml.New(saml.Config{BaseURL: "https://c.example.com/x", StateKeys: [][]byte{{1}}})
	_, sessionFaults := session.New(session.Config{})
	for name, row := range map[string]struct {
		err  error
		code saml.Code
	}{
		"of New, several":         {faults, saml.CodeConfig},
		"of session.New":          {sessionFaults, saml.CodeConfig},
		"wrapped":                 {fmt.Errorf("x: %w", errors.Join(faults)), saml.CodeConfig},
		"session.ErrEnded":        {session.ErrEnded, saml.CodeAccountEnded},
		"session.ErrEnded, below": {fmt.Errorf("x: %w", session.ErrEnded), saml.CodeAccountEnded},
		"ErrNotEnabled":           {saml.ErrNotEnabled, saml.CodeNotConfigured},
		"Denied":                  {saml.Denied("No seat."), saml.CodeDenied},
		"a code":                  {saml.CodeTenant, saml.CodeTenant},
		"of somebody else":        {io.ErrUnexpectedEOF, saml.CodeInternal},
		"none":                    {nil, saml.CodeInternal},
	} {
		w := httptest.NewRecorder()
		login.Fail(w, httptest.NewRequest("GET", "/", nil), row.err)
		want := (&saml.Error{Code: row.code}).Page()
		if w.Code != want.Status || !strings.Contains(w.Body.String(), "<code>"+string(row.code)+"</code>") {
			t.Errorf("%s: got %d %s, want %s", name, w.Code, w.Body, string(row.code))
		}
	}
}

// TestFormThatWasParsedBefore: middleware that protects forms or logs them has read the body when
// the Handler gets the request. The same limits hold for what it left.
func TestFormThatWasParsedBefore(t *testing.T) {
	w := newWatched(t, nil)
	post := func(body, query string, before func(*http.Request), cookies ...*http.Cookie) *httptest.ResponseRecorder {
		r, a := httptest.NewRequest("POST", redirectURL+query, strings.NewReader(body)), httptest.NewRecorder()
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for _, c := range cookies {
			r.AddCookie(c)
		}
		before(r)
		w.login.ServeHTTP(a, r)
		return a
	}
	parse := func(r *http.Request) { r.ParseForm() }
	drain := func(r *http.Request) { io.Copy(io.Discard, r.Body) }
	for name, before := range map[string]func(*http.Request){
		"not parsed": func(*http.Request) {}, "ParseForm": parse,
		"FormValue":          func(r *http.Request) { r.FormValue("csrf") },
		"ParseMultipartForm": func(r *http.Request) { r.ParseMultipartForm(1 << 20) },
	} {
		state, id := w.begin()
		form := url.Values{"SAMLResponse": {w.respond(samltest.Answer{RequestID: id})}}
		first := post(form.Encode(), "", before)
		if first.Code != http.StatusOK || !strings.Contains(first.Body.String(), `name="saml_leg" value="2"`) {
			t.Fatalf("%s: the first leg is %d %s", name, first.Code, first.Body)
		}
		form.Set("saml_leg", "2")
		if a := post(form.Encode(), "", before, state); a.Code != http.StatusSeeOther || a.Header().Get("Location") != "/" {
			t.Errorf("%s: got %d %s", name, a.Code, a.Body)
		}
	}
	// what begins a login, and what the tab kept, arrive all the same
	b := newTabbed(t, http.HandlerFunc(func(a http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		w.login.ServeHTTP(a, r)
	}))
	tab := b.tab()
	r := httptest.NewRequest("POST", redirectURL, strings.NewReader("return_to=%2Fjobs%23top"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	tab.leaves(b.send(r))
	delete(b.cookies, "__Host-saml-pages")
	if got := where(tab.finish(w.respond(samltest.Answer{RequestID: requestID(t, tab.at)}))); got != "/jobs#top" {
		t.Errorf("a login that a form begins ends at %q", got)
	}
	many := url.Values{"SAMLResponse": {"PHg+"}}
	for i := range 8 {
		many.Add("x", fmt.Sprint(i))
	}
	for name, row := range map[string]struct {
		body, query string
		before      func(*http.Request)
		code        saml.Code
		hint        string
	}{
		"two responses":           {"SAMLResponse=PHg%2B&SAMLResponse=PHg%2B", "", parse, saml.CodeForm, ""},
		"in the address too":      {"SAMLResponse=PHg%2B", "?SAMLResponse=PHg%2B", parse, saml.CodeForm, ""},
		"in the address only":     {"x=1", "?SAMLResponse=PHg%2B", parse, saml.CodeForm, ""},
		"two relay states":        {"SAMLResponse=PHg%2B&RelayState=1&RelayState=2", "", parse, saml.CodeForm, ""},
		"of another binding":      {"SAMLResponse=PHg%2B&SigAlg=x", "", parse, saml.CodeForm, ""},
		"nine fields":             {many.Encode(), "", parse, saml.CodeForm, ""},
		"too large":               {"SAMLResponse=" + strings.Repeat("A", 2<<20), "", parse, saml.CodeTooLarge, ""},
		"too large together":      {"SAMLResponse=PHg%2B&" + strings.Repeat("n", 2<<20) + "=", "", parse, saml.CodeTooLarge, ""},
		"no base64":               {"SAMLResponse=%3Cx%3E", "", parse, saml.CodeBase64, ""},
		"cut by the middleware":   {"SAMLResponse=" + strings.Repeat("A", 11<<20), "", parse, saml.CodeForm, "middleware"},
		"read and not put back":   {"SAMLResponse=PHg%2B", "", drain, saml.CodeForm, "middleware"},
		"a query parsed as a GET": {"SAMLResponse=PHg%2B", "", func(r *http.Request) { r.PostForm = url.Values{} }, saml.CodeForm, "middleware"},
	} {
		w.events = nil
		if a := post(row.body, row.query, row.before); len(w.events) != 1 || w.events[0].Err.Code != row.code ||
			!strings.Contains(w.events[0].Err.Hint, row.hint) {
			t.Errorf("%s: got %d %s", name, a.Code, a.Body)
		}
	}
	r = httptest.NewRequest("POST", redirectURL, nil)
	r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
	r.PostForm = url.Values{"SAMLResponse": {"PHg+"}}
	a := httptest.NewRecorder()
	if w.login.ServeHTTP(a, r); !strings.Contains(a.Body.String(), "<code>form</code>") {
		t.Errorf("another content type: got %d %s", a.Code, a.Body)
	}
}

// TestParsedFormCountsAgainstTheBudget: the copies of large forms are bounded as bodies are, and
// given back.
func TestParsedFormCountsAgainstTheBudget(t *testing.T) {
	h := newHouse(t, nil)
	login, err := saml.NewHandler(saml.HandlerConfig{Provider: h.sp, Sessions: ownSessions{}, BodyMemory: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	value := strings.Repeat("A", 1900<<10)
	post := func(w http.ResponseWriter) {
		r := httptest.NewRequest("POST", redirectURL, nil)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.PostForm = url.Values{"SAMLResponse": {value}}
		login.ServeHTTP(w, r)
	}
	// three fit beside the quarter that is kept for smaller ones; the writer holds them open
	var nested func(left int) int
	nested = func(left int) (status int) {
		w := &callingWriter{ResponseRecorder: httptest.NewRecorder()}
		if left > 0 {
			w.call = func() { status = nested(left - 1) }
		}
		post(w)
		if left > 0 {
			return status
		}
		return w.Code
	}
	for range 3 {
		if got := nested(2); got != http.StatusOK {
			t.Errorf("three at once: got %d", got)
		}
		if got := nested(3); got != http.StatusServiceUnavailable {
			t.Errorf("four at once: got %d", got)
		}
	}
}

// callingWriter calls a function at the first write.
type callingWriter struct {
	*httptest.ResponseRecorder
	call func()
}

func (w *callingWriter) Write(p []byte) (int, error) {
	if call := w.call; call != nil {
		w.call = nil
		call()
	}
	return w.ResponseRecorder.Write(p)
}

// TestParseStateKeys: keys are kept as text in the environment or in files, and one that is not a
// key is found before it seals anything.
func TestParseStateKeys(t *testing.T) {
	t.Parallel()
	a, b := saml.NewStateKey(), saml.NewStateKey()
	for _, text := range []string{
		base64.StdEncoding.EncodeToString(a) + "," + base64.StdEncoding.EncodeToString(b),
		base64.RawURLEncoding.EncodeToString(a) + " \n" + base64.URLEncoding.EncodeToString(b) + "\r\n",
		" " + base64.RawStdEncoding.EncodeToString(a) + ", " + base64.StdEncoding.EncodeToString(b) + ",",
	} {
		if keys, err := saml.ParseStateKeys(text); err != nil || len(keys) != 2 || string(keys[0]) != string(a) || string(keys[1]) != string(b) {
			t.Errorf("%q: got %v", text, err)
		}
	}
	good := base64.StdEncoding.EncodeToString(a)
	for text, want := range map[string]string{
		"":                         "no state keys",
		" , ":                      "no state keys",
		good + ",secret!":          "key 2 of the state keys is not base64",
		hex.EncodeToString(a):      "key 1 of the state keys is hexadecimal",
		good[:40]:                  "key 1 of the state keys has 30 bytes",
		good + "AAAA":              "key 1 of the state keys is not base64", // padding in the middle
		strings.Repeat("A", 43):    "key 1 of the state keys has only zero bytes",
		strings.Repeat("AQEB", 11): "key 1 of the state keys has 33 bytes",
		base64.StdEncoding.EncodeToString([]byte("correct horse battery staple 123")): "key 1 of the state keys is text",
	} {
		keys, err := saml.ParseStateKeys(text)
		var refusal *saml.Error
		if !errors.As(err, &refusal) || refusal.Code != saml.CodeConfig || refusal.Hint == "" || keys != nil ||
			!strings.Contains(refusal.Message, want) || len(text) > 4 && strings.Contains(err.Error()+refusal.Hint, text[:4]) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

// TestMemoryStoreTakesAClock: a test that moves the clock needs no store of its own.
func TestMemoryStoreTakesAClock(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	store := saml.NewMemoryStoreWithClock(func() time.Time { return now })
	if !store.RemembersSince().Equal(now) {
		t.Errorf("it remembers since %v", store.RemembersSince())
	}
	claim := func() bool {
		first, err := store.Claim(t.Context(), "v1/x", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return first
	}
	if !claim() || claim() {
		t.Error("the first claim, and a second one")
	}
	if now = now.Add(time.Hour); !claim() {
		t.Error("an hour later the key is still taken")
	}
	if first, err := saml.NewMemoryStoreWithClock(nil).Claim(t.Context(), "v1/x", time.Hour); !first || err != nil {
		t.Errorf("with a nil clock: %v", err)
	}
}

// TestLanguage: every text of the pages can be in another language, and what an application returns
// is escaped like everything else.
func TestLanguage(t *testing.T) {
	asked := map[string]bool{}
	w := newWatched(t, nil)
	language := func(*http.Request) (string, func(string) string) {
		return "de", func(english string) string {
			asked[english] = true
			if english == "Sign in again" {
				return "" // not translated yet
			}
			return "<ü> " + english
		}
	}
	login, err := saml.NewHandler(saml.HandlerConfig{Provider: w.sp, Sessions: w.sessions, Language: language})
	if err != nil {
		t.Fatal(err)
	}
	w.login = login
	state, id := w.begin()
	form := url.Values{"SAMLResponse": {w.respond(samltest.Answer{RequestID: id})}}
	r, first := httptest.NewRequest("POST", redirectURL, strings.NewReader(form.Encode())), httptest.NewRecorder()
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	login.ServeHTTP(first, r)
	refused := w.post(w.respond(samltest.Answer{RequestID: id, Audience: "https://other.example.com"}), state)
	missing := w.post(w.respond(samltest.Answer{RequestID: id}))
	login.Fail(httptest.NewRecorder(), r, saml.ErrNotEnabled)
	for _, code := range []saml.Code{saml.CodeInternal, saml.CodeSession, saml.CodeBusy} {
		login.Fail(httptest.NewRecorder(), r, code)
	}
	ask(login.Require(hello), "GET", ownPage)

	toSignIn := redirectURL + "?return_to=/jobs"
	framed := ask(login.Require(hello), "GET", ownPage, "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe")
	leaving := ask(login, "GET", toSignIn, "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document")
	long := ask(login.Require(hello), "GET", ownPage+strings.Repeat("x", 3<<10), "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document")
	b := newTabbed(t, login)
	var looping *httptest.ResponseRecorder
	for range 11 {
		r := httptest.NewRequest("GET", redirectURL, nil)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		looping = b.send(r)
	}
	w.sessions.signedIn = true
	lost := ask(login, "GET", redirectURL+"?return_to=/"+strings.Repeat("x", 9<<10))
	w.sessions.signedIn = false
	for want, page := range map[string]*httptest.ResponseRecorder{
		"&lt;ü&gt; You are not signed in here.": framed, ">&lt;ü&gt; Continue</a>": leaving,
		"<title>&lt;ü&gt; Signing in</title>": long, "<h1>&lt;ü&gt; You could not be signed in</h1>": looping,
		"<h1>&lt;ü&gt; You are signed in</h1>": lost,
	} {
		if body := page.Body.String(); !strings.Contains(body, want) || !strings.Contains(body, `<html lang="de">`) {
			t.Errorf("got %s, want %s", body, want)
		}
	}
	if !strings.Contains(looping.Body.String(), "<code>login_loop</code>") {
		t.Errorf("the eleventh visit is no loop: %s", looping.Body)
	}
	for want, answer := range map[string]*httptest.ResponseRecorder{
		"<ü> Sign-in needs a page of its own.": ask(login, "GET", toSignIn, "Sec-Fetch-Mode", "cors"),
		"<ü> A sign-in is a GET or a POST.":    ask(login, "PUT", toSignIn),
		"<ü> You are not signed in.":           ask(login.Require(hello), "GET", ownPage, "Sec-Fetch-Mode", "cors"),
	} {
		if got := strings.TrimSpace(answer.Body.String()); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	for name, page := range map[string]*httptest.ResponseRecorder{"the second page": first, "a refusal": refused, "another": missing} {
		if body := page.Body.String(); !strings.Contains(body, `<html lang="de">`) || !strings.Contains(body, "&lt;ü&gt; ") ||
			strings.Contains(body, "<ü>") {
			t.Errorf("%s is %s", name, body)
		}
	}
	if body := missing.Body.String(); !strings.Contains(body, ">Sign in again</a>") {
		t.Errorf("a text without a translation: %s", body)
	}
	all := saml.PageTexts()
	for text := range asked {
		if !slices.Contains(all, text) {
			t.Errorf("PageTexts does not list %q", text)
		}
	}
	if len(asked) < 12 {
		t.Errorf("only %d texts were asked for: %v", len(asked), asked)
	}
	denied := httptest.NewRecorder()
	if login.Fail(denied, r, saml.Denied("Kein Platz.")); !strings.Contains(denied.Body.String(), "<p>Kein Platz.</p>") {
		t.Errorf("a sentence of the application is translated: %s", denied.Body)
	}
	for name, hook := range map[string]func(*http.Request) (string, func(string) string){
		"no tag":      func(*http.Request) (string, func(string) string) { return "", func(string) string { return "x" } },
		"no function": func(*http.Request) (string, func(string) string) { return "de", nil },
	} {
		login, err := saml.NewHandler(saml.HandlerConfig{Provider: w.sp, Sessions: w.sessions, Language: hook})
		if err != nil {
			t.Fatal(err)
		}
		page := httptest.NewRecorder()
		if login.Fail(page, r, saml.CodeBusy); !strings.Contains(page.Body.String(), `lang="en"`) ||
			!strings.Contains(page.Body.String(), "Please try again in a moment") {
			t.Errorf("%s: got %s", name, page.Body)
		}
	}
}

// TestFreshSignIn: a link of the service asks the identity provider to ask again, also where
// somebody is signed in. A link of another site does not.
func TestFreshSignIn(t *testing.T) {
	w := newWatched(t, nil)
	w.sessions.signedIn = true
	for name, row := range map[string]struct {
		query, site string
		asks        bool
	}{
		"a link of the service": {"?fresh=1", "same-origin", true},
		"typed":                 {"?fresh=1&return_to=/jobs", "none", true},
		"an old browser":        {"?fresh=1", "", true},
		"another site":          {"?fresh=1", "cross-site", false},
		"a sibling host":        {"?fresh=1", "same-site", false},
		"without it":            {"", "none", false},
		"another value":         {"?fresh=0", "none", false},
	} {
		a := ask(w.login, "GET", redirectURL+row.query, "Sec-Fetch-Site", row.site)
		to := a.Header().Get("Location")
		if asked := strings.Contains(to, "SAMLRequest="); asked != row.asks || asked && !strings.Contains(requestAt(t, to), `ForceAuthn="true"`) {
			t.Errorf("%s: got %d to %s", name, a.Code, to)
		}
	}

	// a frame and an address with a fragment take another step, and the wish is kept
	const fresh = redirectURL + "?fresh=1"
	frame := ask(w.login, "GET", fresh+"&return_to=/jobs", "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe")
	if !strings.Contains(frame.Body.String(), `href="`+fresh+`&amp;return_to=%2Fjobs"`) {
		t.Errorf("in a frame: %s", frame.Body)
	}
	page := ask(w.login, "GET", fresh+"&return_to=/jobs", "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document")
	if !strings.Contains(page.Body.String(), `action="`+fresh+`"`) {
		t.Errorf("the page that knows the fragment: %s", page.Body)
	}
	r, a := httptest.NewRequest("POST", fresh, strings.NewReader("return_to=%2Fjobs%23x")), httptest.NewRecorder()
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if w.login.ServeHTTP(a, r); !strings.Contains(requestAt(t, a.Header().Get("Location")), `ForceAuthn="true"`) {
		t.Errorf("the form of that page: got %d, %s", a.Code, a.Body)
	}
	// who is signed in and uses another account again and again is in no loop
	b := newTabbed(t, w.login)
	for range 30 {
		r := httptest.NewRequest("GET", fresh, nil)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		b.tab().leaves(b.send(r))
	}
}

// requestAt returns the request in an address that leads to the identity provider.
func requestAt(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return inflate(t, u.Query().Get("SAMLRequest"))
}

// TestWordsThatPeopleSearchFor: people look for the assertion consumer service, or ACS, where we say
// Redirect URL.
func TestWordsThatPeopleSearchFor(t *testing.T) {
	t.Parallel()
	for file, places := range map[string][]string{
		"sp.go":       {"func (sp *ServiceProvider) RedirectURL()", "func (sp *ServiceProvider) RedirectPath()"},
		"config.go":   {"const DefaultRedirectPath", "	RedirectPath string", "	FormerRedirectURLs []string"},
		"handler.go":  {"type Handler struct", "func (sp *ServiceProvider) Handler(", "func NewHandler(", "func (h *Handler) ServeHTTP("},
		"verifier.go": {"	RedirectURLs []string"},
		"doc.go":      {"package saml"},
	} {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, place := range places {
			before, _, found := strings.Cut(string(source), "\n"+place)
			comment := before[strings.LastIndex(before, "\n\n")+1:]
			if !found || !strings.Contains(comment, "ACS") {
				t.Errorf("%s: the comment of %q does not say ACS", file, strings.TrimSpace(place))
			}
		}
	}
}

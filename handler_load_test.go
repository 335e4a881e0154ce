package saml_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// loadSessions lets everybody in and remembers nobody.
type loadSessions struct{}

func (loadSessions) SignIn(w http.ResponseWriter, _ *http.Request, login *saml.Login) error {
	w.Header().Set("X-User", login.Identity.Email)
	return nil
}
func (loadSessions) SignedIn(*http.Request) bool { return false }
func (loadSessions) Authenticate(http.ResponseWriter, *http.Request) (*http.Request, error) {
	return nil, nil
}

// hostilePosts are form values that cost much to refuse: forms of nearly 2 MiB, messages of nearly
// 1 MiB.
func hostilePosts(id string) []string {
	const open, shut = `<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_r" Version="2.0" IssueInstant="2026-03-01T12:00:00Z" InResponseTo="`, `</samlp:Response>`
	message := func(content string) string {
		return base64.StdEncoding.EncodeToString([]byte(open + id + `">` + content + shut))
	}
	const mebibyte = 1<<20 - 1<<10
	repeat := func(s string) string { return strings.Repeat(s, mebibyte/len(s)) }
	var attributes strings.Builder
	for i := range 60 {
		fmt.Fprintf(&attributes, " a%d=''", i)
	}
	return []string{
		// deep, and never closed
		message(strings.Repeat("<a>", 200_000)),
		message("<x xmlns='urn:x'>" + strings.Repeat("<e>fifteen.......</e>", 45_000) + "</x>"), // wide
		message("<x xmlns='urn:x'>" + repeat("<e"+attributes.String()+"/>") + "</x>"),
		message("<x xmlns='urn:x'>" + repeat("<e xmlns:p='urn:p'/>") + "</x>"),
		message(repeat("&lt;")),
		message(repeat("&#x41;")),
		message("<Assertion xmlns='urn:oasis:names:tc:SAML:2.0:assertion'>" + repeat("<Assertion/>")),
		message("<Extensions>" + repeat(" ") + "</Extensions>"),
		strings.Repeat("A", 1<<21-1<<10),
		strings.Repeat(" \n", 1<<19) + "AAAA",
		strings.Repeat("A=", 1<<18),
	}
}

// TestHonestLoginsUnderHostileLoad: while 200 browsers post the worst that the limits let in, each
// for a login that it really began, honest users sign in.
func TestHonestLoginsUnderHostileLoad(t *testing.T) {
	t.Parallel()
	idp := samltest.MustNew(t, samltest.Options{})
	document, err := idp.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	provider, err := saml.ParseMetadata(document)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	sp, err := saml.New(saml.Config{BaseURL: server.URL, IdentityProvider: provider,
		StateKeys: [][]byte{saml.NewStateKey()}, Store: saml.NewMemoryStore(),
		Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	mux.Handle(sp.RedirectPath(), sp.Handler(loadSessions{}))

	// begin gives a browser with a pending login, and the ID of its request.
	begin := func() (*http.Client, string, error) {
		jar, err := cookiejar.New(nil)
		if err != nil {
			return nil, "", err
		}
		browser := &http.Client{Jar: jar,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		response, err := browser.Get(sp.RedirectURL())
		if err != nil {
			return nil, "", err
		}
		response.Body.Close()
		return browser, requestID(t, response.Header.Get("Location")), nil
	}
	post := func(browser *http.Client, value string) (*http.Response, error) {
		response, err := browser.PostForm(sp.RedirectURL(), url.Values{"SAMLResponse": {value}, "saml_leg": {"2"}})
		if err != nil {
			return nil, err
		}
		defer response.Body.Close()
		_, err = io.Copy(io.Discard, response.Body)
		return response, err
	}
	var all sync.WaitGroup
	hostile, honest := 200, 40
	if saml.RaceDetector {
		hostile, honest = 40, 10
	}
	for i := range hostile {
		all.Go(func() {
			browser, id, err := begin()
			if err != nil {
				t.Error(err)
				return
			}
			posts := hostilePosts(id)
			response, err := post(browser, posts[i%len(posts)])
			if err != nil {
				t.Errorf("hostile post %d: %v", i%len(posts), err)
			} else if status := response.StatusCode; status < 400 || status >= 500 &&
				status != http.StatusServiceUnavailable || response.Header.Get("X-User") != "" {
				t.Errorf("hostile post %d: status %d", i%len(posts), response.StatusCode)
			}
		})
	}
	for range honest {
		all.Go(func() {
			browser, id, err := begin()
			if err != nil {
				t.Error(err)
				return
			}
			value, err := idp.Respond(samltest.Answer{RequestID: id, Recipient: sp.RedirectURL()})
			if err != nil {
				t.Error(err)
				return
			}
			response, err := post(browser, value)
			if err != nil || response.StatusCode != http.StatusSeeOther ||
				response.Header.Get("X-User") != samltest.DefaultUsers()[0].Mail {
				t.Errorf("an honest login: %v, %v", response, err)
			}
		})
	}
	all.Wait()
}

// A slowApplication takes as long for a sign-in as the test lets it.
type slowApplication struct {
	loadSessions
	arrived chan string
	goOn    chan struct{}
}

func (s slowApplication) SignIn(_ http.ResponseWriter, _ *http.Request, login *saml.Login) error {
	s.arrived <- login.Assertion.ID
	<-s.goOn
	return nil
}

// TestSlowApplicationHoldsUpNobody: a few large messages are verified at once, and their forms share a
// budget of memory. Both are free again when the application begins its session, which may take long.
func TestSlowApplicationHoldsUpNobody(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	const logins = 20
	application := slowApplication{arrived: make(chan string, logins), goOn: make(chan struct{})}
	login, err := saml.NewHandler(saml.HandlerConfig{Provider: h.sp, Sessions: application, BodyMemory: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	groups := make([]string, 6000) // some 400 KiB in base64
	for i := range groups {
		groups[i] = fmt.Sprintf("00000000-0000-4000-8000-%012d", i)
	}
	var all sync.WaitGroup
	answers := make(chan *httptest.ResponseRecorder, logins)
	for range logins {
		tab := newTabbed(t, login).tab()
		tab.begin("/jobs")
		r := tab.secondLeg(h.respond(samltest.Answer{RequestID: requestID(t, tab.at),
			Attributes: []samltest.Attribute{{Name: "groups", Values: groups}}}))
		tab.attach(r)
		all.Go(func() {
			w := httptest.NewRecorder()
			login.ServeHTTP(w, r)
			answers <- w
		})
		select {
		case <-application.arrived:
		case w := <-answers:
			t.Fatalf("answered before the application: status %d, %s", w.Code, w.Body)
		}
	}
	close(application.goOn)
	all.Wait()
	for range logins {
		if w := <-answers; where(w) != "/jobs" {
			t.Errorf("status %d, %s", w.Code, w.Body)
		}
	}
}

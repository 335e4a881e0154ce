package saml_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/iomete/saml"
	"github.com/iomete/saml/session"
)

// ownSessions are the sessions of an application: a request with the header User has one.
type ownSessions struct {
	err error // of Authenticate
}

type userKey struct{}

func (ownSessions) SignIn(http.ResponseWriter, *http.Request, *saml.Login) error { return nil }
func (ownSessions) SignedIn(r *http.Request) bool                                { return r.Header.Get("User") != "" }
func (s ownSessions) Authenticate(w http.ResponseWriter, r *http.Request) (*http.Request, error) {
	if s.err != nil {
		return nil, s.err
	}
	user := r.Header.Get("User")
	if user == "" {
		var none *saml.Error
		return nil, none // as Go code does that has a variable of this type
	}
	w.Header().Set("Renewed", "yes")
	return r.WithContext(context.WithValue(r.Context(), userKey{}, user)), nil
}

var hello = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "user %v", r.Context().Value(userKey{}))
})

// ask sends a request with pairs of header names and values.
func ask(h http.Handler, method, target string, header ...string) *httptest.ResponseRecorder {
	r, w := httptest.NewRequest(method, target, nil), httptest.NewRecorder()
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	h.ServeHTTP(w, r)
	return w
}

const ownPage = "https://console.example.com/jobs?id=7"

// TestRequireWithSessionsOfOnesOwn: Require decides for any Sessions who gets the page, who is sent
// to sign in, and who gets a plain 401.
func TestRequireWithSessionsOfOnesOwn(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	login := h.sp.Handler(ownSessions{})
	page := login.Require(hello)
	if w := ask(page, "GET", ownPage, "User", "ann"); w.Code != 200 || w.Body.String() != "user ann" ||
		w.Header().Get("Cache-Control") != "private" || w.Header().Get("Renewed") != "yes" {
		t.Errorf("with a session: got %d %q, %v", w.Code, w.Body, w.Header())
	}
	back := redirectURL + "?return_to=" + url.QueryEscape("/jobs?id=7")
	for name, row := range map[string]struct {
		method string
		header []string
		want   string // Location, "" for a call in the background
	}{
		"a page":                      {"GET", []string{"Sec-Fetch-Mode", "navigate"}, back},
		"an old browser":              {"GET", []string{"Accept", "text/html"}, back},
		"a form":                      {"POST", []string{"Sec-Fetch-Mode", "navigate"}, redirectURL},
		"a fetch":                     {"GET", []string{"Sec-Fetch-Mode", "cors", "Accept", "text/html"}, ""},
		"a script's library":          {"GET", []string{"X-Requested-With", "XMLHttpRequest", "Accept", "text/html"}, ""},
		"an app with a browser in it": {"GET", []string{"X-Requested-With", "com.example.app", "Accept", "text/html"}, back},
		"a page for later":            {"GET", []string{"Sec-Fetch-Mode", "navigate", "Sec-Purpose", "prefetch;prerender"}, ""},
		"a program":                   {"GET", nil, ""},
		"a call that is a PUT":        {"PUT", []string{"Accept", "text/html"}, ""},
	} {
		w := ask(page, row.method, ownPage, row.header...)
		status := http.StatusSeeOther
		if row.want == "" {
			status = http.StatusUnauthorized
		}
		if got := w.Header().Get("Location"); w.Code != status || got != row.want || len(w.Result().Cookies()) != 0 ||
			w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: got %d to %q, want %d to %q", name, w.Code, got, status, row.want)
		}
	}

	asked := ""
	admins := login.RequireFunc(func(r *http.Request) bool {
		asked, _ = r.Context().Value(userKey{}).(string)
		return asked == "ann"
	})
	for user, want := range map[string]int{"ann": 200, "bob": 403, "": 303} {
		asked = ""
		w := ask(admins(hello), "GET", ownPage, "User", user, "Sec-Fetch-Mode", "navigate")
		if w.Code != want || asked != user || (want == 403) != (w.Header().Get("Cache-Control") == "no-store" && want != 303) {
			t.Errorf("RequireFunc for %q: got %d, asked about %q", user, w.Code, asked)
		}
	}
}

// TestLoad: a public page knows who is signed in, and begins no login for anyone.
func TestLoad(t *testing.T) {
	t.Parallel()
	page := newHouse(t, nil).sp.Handler(ownSessions{}).Load(hello)
	for user, want := range map[string]string{"ann": "user ann", "": "user <nil>"} {
		w := ask(page, "GET", ownPage, "User", user, "Sec-Fetch-Mode", "navigate")
		if w.Code != 200 || w.Body.String() != want || w.Header().Get("Vary") != "Cookie" ||
			(w.Header().Get("Cache-Control") == "private") != (user != "") {
			t.Errorf("%q: got %d %q, %v", user, w.Code, w.Body, w.Header())
		}
	}
}

// TestSessionsThatCannotTell: nobody is sent to sign in because a database is down.
func TestSessionsThatCannotTell(t *testing.T) {
	t.Parallel()
	var events []saml.Event
	var log bytes.Buffer
	h := newHouse(t, nil)
	login, err := saml.NewHandler(saml.HandlerConfig{Provider: h.sp,
		Sessions: ownSessions{err: errors.New("the row of ann@example.com")},
		Observe:  func(_ context.Context, e saml.Event) { events = append(events, e) },
		Logger:   slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	allowed := login.RequireFunc(func(*http.Request) bool { return true })
	for name, page := range map[string]http.Handler{"Require": login.Require(hello), "Load": login.Load(hello), "RequireFunc": allowed(hello)} {
		events = nil
		w := ask(page, "GET", ownPage, "Sec-Fetch-Mode", "navigate")
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "10" ||
			w.Header().Get("Location") != "" || len(w.Result().Cookies()) != 0 || strings.Contains(w.Body.String(), "ann@") {
			t.Errorf("%s: got %d %s, %v", name, w.Code, w.Body, w.Header())
		}
		if len(events) != 1 || events[0].Kind != saml.SessionUnknown || events[0].Err.Code != saml.CodeStore ||
			!strings.Contains(events[0].Err.Error(), "ann@example.com") {
			t.Errorf("%s: Observe got %+v", name, events)
		}
	}
	if !strings.Contains(log.String(), "session_unknown") || strings.Contains(log.String(), "ann@") {
		t.Errorf("the log says %s", log.String())
	}
}

// tenantSessions are sessions of an application with several tenants: the header Tenant names the
// one that the session began with.
type tenantSessions struct{ ownSessions }

func (s tenantSessions) Authenticate(w http.ResponseWriter, r *http.Request) (*http.Request, error) {
	sp, err := saml.SessionProvider(r, r.Header.Get("Tenant"))
	if err != nil || sp == nil {
		return nil, err
	}
	return r.WithContext(context.WithValue(r.Context(), userKey{}, "of "+sp.Tenant())), nil
}

// SignedIn decides as Authenticate does.
func (s tenantSessions) SignedIn(r *http.Request) bool {
	served, err := s.Authenticate(httptest.NewRecorder(), r)
	return served != nil || err != nil
}

// TestSessionProvider: a session counts for its own tenant only, whatever Sessions it is of.
func TestSessionProvider(t *testing.T) {
	t.Parallel()
	s := newTenants(t)
	login, err := saml.NewHandler(saml.HandlerConfig{Sessions: tenantSessions{}, Logger: slog.New(slog.DiscardHandler),
		Resolve: func(r *http.Request, tenant string) (*saml.ServiceProvider, error) {
			switch host, _, _ := strings.Cut(r.Host, "."); {
			case tenant == "mixed-up":
				return s.b.sp, nil
			case host == "broken":
				return nil, errors.New("down")
			case tenant == "a", tenant == "" && host == "a":
				return s.a.sp, nil
			case tenant == "b", tenant == "" && host == "b":
				return s.b.sp, nil
			case tenant == "" && host == "c":
				return nil, saml.ErrNotEnabled
			}
			return nil, saml.ErrNotConfigured
		}})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		host, tenant string
		status       int
	}{
		{"a.example.com", "a", 200}, {"shared.example.com", "a", 200}, {"shared.example.com", "b", 200},
		{"b.example.com", "a", 401}, {"c.example.com", "a", 401}, {"shared.example.com", "gone", 401},
		{"shared.example.com", "mixed-up", 401}, {"broken.example.com", "a", 503},
	} {
		w := ask(login.Require(hello), "GET", "https://"+row.host+"/", "Tenant", row.tenant)
		if w.Code != row.status || row.status == 200 && w.Body.String() != "user of "+row.tenant {
			t.Errorf("a session of %s at %s: got %d %s, want %d", row.tenant, row.host, w.Code, w.Body, row.status)
		}
	}
	for host, signedIn := range map[string]bool{"a.example.com": true, "b.example.com": false} {
		w := ask(login, "GET", "https://"+host+saml.DefaultRedirectPath, "Tenant", "a")
		if to := w.Header().Get("Location"); w.Code != http.StatusSeeOther || (to == "/") != signedIn {
			t.Errorf("the Redirect URL of %s with a session of a: got %d to %q, signed in %t", host, w.Code, to, signedIn)
		}
	}
	if sp, err := saml.SessionProvider(httptest.NewRequest("GET", "/", nil), "a"); sp != nil || !errors.Is(err, saml.CodeConfig) {
		t.Errorf("without a Handler: got %v, %v", sp, err)
	}

	// what Resolve did wrong is called by its name, and not taken for a wrong address
	_, err = login.Provider(httptest.NewRequest("GET", "https://shared.example.com/", nil), "mixed-up")
	var refusal *saml.Error
	if !errors.As(err, &refusal) || refusal.Code != saml.CodeTenant || !strings.Contains(refusal.Message, "Resolve returned") ||
		refusal.Got != `"b"` || refusal.Want != `"mixed-up"` || !strings.Contains(refusal.Hint, "second argument") {
		t.Errorf("a provider of another tenant: got %+v", refusal)
	}
	_, err = login.Provider(httptest.NewRequest("GET", "https://b.example.com/", nil), "a")
	if !errors.As(err, &refusal) || refusal.Code != saml.CodeTenant || strings.Contains(refusal.Message, "Resolve") {
		t.Errorf("an address of another tenant: got %+v", refusal)
	}
	// the only provider there is has no Resolve that could be wrong: its tenant was renamed
	_, err = s.a.sp.Handler(ownSessions{}).Provider(httptest.NewRequest("GET", "/", nil), "old-name")
	if !errors.As(err, &refusal) || refusal.Code != saml.CodeTenant || strings.Contains(refusal.Message, "Resolve") {
		t.Errorf("a session of before: got %+v", refusal)
	}
}

// TestNilArguments: what is missing is said when the service starts, and by whom.
func TestNilArguments(t *testing.T) {
	t.Parallel()
	login := newHouse(t, nil).sp.Handler(ownSessions{})
	always := func(*http.Request) bool { return true }
	sessions, err := session.New(session.Config{Keys: [][]byte{saml.NewStateKey()}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	var nobody *ownSessions
	for name, call := range map[string]func(){
		"Require":         func() { login.Require(nil) },
		"a nil function":  func() { login.Require(http.HandlerFunc(nil)) },
		"RequireFunc":     func() { login.RequireFunc(nil) },
		"its handler":     func() { login.RequireFunc(always)(nil) },
		"Load":            func() { login.Load(nil) },
		"Handler":         func() { newHouse(t, nil).sp.Handler(nobody) },
		"no provider":     func() { (*saml.ServiceProvider)(nil).Handler(ownSessions{}) },
		"SignOutHandler":  func() { sessions.SignOutHandler("") },
		"another host":    func() { sessions.SignOutHandler("https://evil.example/") },
		"two slashes":     func() { sessions.SignOutHandler("//evil.example/") },
		"SignOutHandler?": func() { sessions.SignOutHandler("goodbye") },
	} {
		func() {
			defer func() {
				if text, ok := recover().(string); !ok || !strings.HasPrefix(text, "saml: ") && !strings.HasPrefix(text, "session: ") {
					t.Errorf("%s: got %q, want a panic that says what is missing", name, text)
				}
			}()
			call()
		}()
	}
	for name, c := range map[string]saml.HandlerConfig{
		"nothing":    {},
		"neither":    {Sessions: ownSessions{}},
		"both":       {Sessions: ownSessions{}, Provider: newHouse(t, nil).sp, Resolve: func(*http.Request, string) (*saml.ServiceProvider, error) { return nil, nil }},
		"no session": {Provider: newHouse(t, nil).sp},
	} {
		if h, err := saml.NewHandler(c); h != nil || !errors.Is(err, saml.CodeConfig) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := saml.NewHandler(saml.HandlerConfig{}); len(saml.Errors(err)) != 2 {
		t.Errorf("not all faults at once: %v", err)
	}
	if err := saml.CheckTenants(nil, newHouse(t, nil).sp); !errors.Is(err, saml.CodeConfig) {
		t.Errorf("CheckTenants: got %v", err)
	}
	w := httptest.NewRecorder()
	login.StartLogin(w, httptest.NewRequest("GET", "/", nil), nil, saml.LoginOptions{})
	if w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), string(saml.CodeInternal)) {
		t.Errorf("StartLogin without a provider: got %d %s", w.Code, w.Body)
	}
}

// TestRequestsForAnotherHost: cookies belong to one host, so it is said once if people open another
// one. Anyone can send any Host, so not every one is written down.
func TestRequestsForAnotherHost(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		host, header string
		want         int
	}{
		"the right one":          {"console.example.com", "", 0},
		"with its usual port":    {"CONSOLE.example.com:443", "", 0},
		"a former one":           {"old.example.com", "", 0},
		"no host":                {"-", "", 0},
		"another one":            {"alias.example.com", "", 1},
		"another port":           {"console.example.com:8443", "", 1},
		"a proxy that says more": {"10.0.0.7:8080", "console.example.com", 0},
		"a proxy that says less": {"10.0.0.7:8080", "", 1},
	} {
		var log bytes.Buffer
		h := newHouse(t, func(c *saml.Config) {
			c.FormerRedirectURLs = []string{"https://old.example.com/acs"}
			c.Logger = slog.New(slog.NewTextHandler(&log, nil))
		})
		login := h.sp.Handler(ownSessions{})
		for _, page := range []http.Handler{login.Require(hello), login, login.Require(hello)} {
			r := httptest.NewRequest("GET", "/", nil)
			r.Host = strings.Trim(row.host, "-")
			r.Header.Set("X-Forwarded-Host", row.header)
			r.Header.Set("Sec-Fetch-Mode", "navigate")
			page.ServeHTTP(httptest.NewRecorder(), r)
		}
		if got := strings.Count(log.String(), "another host than that of Config.BaseURL"); got != row.want {
			t.Errorf("%s: got %d warnings, want %d: %s", name, got, row.want, log.String())
		}
		if row.want > 0 && (!strings.Contains(log.String(), row.host) || !strings.Contains(log.String(), "want=console.example.com")) {
			t.Errorf("%s: the log does not say what came: %s", name, log.String())
		}
	}
	var log bytes.Buffer
	login := newHouse(t, func(c *saml.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) }).sp.Handler(ownSessions{})
	for i := range 100 {
		ask(login, "GET", fmt.Sprintf("https://x%d.example.com/", i))
	}
	if got := strings.Count(log.String(), "another host"); got != 3 {
		t.Errorf("a stranger fills the log: %d lines", got)
	}
}

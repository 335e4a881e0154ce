package saml_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// A mistake is one thing that a developer or an administrator gets wrong, and what they are told. The
// cure is the word of the setting or of the place to change, in the error of set-up or in the log.
type mistake struct {
	name string
	make func(*shop)
	code saml.Code // "" for a warning
	page string    // what the user reads, "" if nobody signs in
	err  string    // the cure, in an error of set-up
	log  string    // the cure, in the log
}

// What the pages of several mistakes say.
const (
	pageRefused   = "The response of the identity provider was refused"
	pageBroken    = "This service cannot sign anyone in"
	pageNoAddress = "no usable e-mail address"
	pageStatus    = "The identity provider did not sign you in"
)

// mistakesOfDevelopers are about routes, middleware, processes and the code around the library.
var mistakesOfDevelopers = []mistake{
	{name: "the Handler is on another path than RedirectPath", make: func(s *shop) {
		s.mustOpen()
		s.pages = s.routes("/saml/acs")
		s.visit("/jobs")
	}, code: saml.CodeConfig, page: pageBroken, log: "set Config.RedirectPath to that path"},
	{name: "the Handler is registered for GET only", make: func(s *shop) {
		s.mustOpen()
		s.pages = s.routes("GET " + s.sp.RedirectPath())
		s.visit("/jobs")
	}, code: saml.CodeConfig, page: pageBroken, log: "Register the Handler for GET and POST"},
	{name: "Require guards everything, the Redirect URL too", make: func(s *shop) {
		s.mustOpen()
		s.before(s.login.Require)
		s.visit("/jobs")
	}, code: saml.CodeConfig, page: pageBroken, log: "outside of Require"},
	{name: "the Handler is below StripPrefix, and RedirectPath lacks the prefix", make: func(s *shop) {
		s.config.RedirectPath = "/acs"
		s.mustOpen()
		inner, mux := http.NewServeMux(), s.routes("")
		inner.Handle("/acs", s.login)
		mux.Handle("/sso/", http.StripPrefix("/sso", inner))
		s.pages = mux
		s.visit("/jobs")
	}, code: saml.CodeConfig, page: pageBroken, log: "set Config.RedirectPath to that path"},
	{name: "a middleware reads the body and does not put it back", make: func(s *shop) {
		s.mustOpen()
		s.before(func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				next.ServeHTTP(w, r)
			})
		})
		s.visit("/jobs")
	}, code: saml.CodeForm, page: "This is not a sign-in", log: "middleware in front of the Handler that reads the body"},
	{name: "a middleware limits the body to 4 KiB", make: func(s *shop) {
		s.mustOpen()
		s.before(func(next http.Handler) http.Handler { return http.MaxBytesHandler(next, 4<<10) })
		s.visit("/jobs")
	}, code: saml.CodeForm, page: "This is not a sign-in", log: "limits its size"},
	{name: "protection against CSRF has no exemption for the Redirect URL", make: func(s *shop) {
		s.mustOpen()
		s.before(http.NewCrossOriginProtection().Handler)
		for range 3 {
			s.visit("/jobs")
			s.ahead += time.Minute
		}
	}, page: "cross-origin request", log: "AddInsecureBypassPattern"},
	{name: "TLS ends at a proxy, and BaseURL is the address behind it", make: func(s *shop) {
		s.config.BaseURL = "http://console.example.com"
		s.open()
	}, code: saml.CodeConfig, err: "the address that people type: https"},
	{name: "BaseURL has the path of the service", make: func(s *shop) {
		s.config.BaseURL += "/console"
		s.open()
	}, code: saml.CodeConfig, err: "belongs into Config.RedirectPath"},
	{name: "BaseURL has another host than the one that people open", make: func(s *shop) {
		s.everywhere()
		s.config.BaseURL, s.config.InsecureAllowHTTP, s.settings.InsecureAllowHTTP = "http://console.example.com", true, true
		s.mustOpen()
		s.visit("/jobs")
	}, page: "the page of", log: "set Config.BaseURL to it"},
	{name: "http is allowed in saml.Config, and not for the session's cookie", make: func(s *shop) {
		s.everywhere()
		s.config.BaseURL, s.config.InsecureAllowHTTP = "http://console.example.com", true
		s.mustOpen()
		s.visit("/jobs")
	}, code: saml.CodeConfig, page: pageBroken, log: "session.Config.InsecureAllowHTTP"},
	{name: "the state keys are text", make: func(s *shop) {
		s.config.StateKeys = [][]byte{[]byte("correct horse battery staple 123")}
		s.open()
	}, code: saml.CodeConfig, err: "openssl rand -base64 32"},
	{name: "the state keys are still in base64", make: func(s *shop) {
		s.config.StateKeys = [][]byte{[]byte("3q2+7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")}
		s.open()
	}, code: saml.CodeConfig, err: "read it with ParseStateKeys"},
	{name: "the state keys differ between replicas", make: func(s *shop) {
		s.mustOpen()
		first, config := s.pages, s.config
		config.StateKeys = [][]byte{saml.NewStateKey()}
		second, err := saml.New(config)
		if err != nil {
			s.Fatal(err)
		}
		other := second.Handler(s.sessions)
		s.pages = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == "POST" {
				other.ServeHTTP(w, r)
				return
			}
			first.ServeHTTP(w, r)
		})
		s.visit("/jobs")
	}, code: saml.CodeStateInvalid, page: "did not keep the sign-in", log: "Give all replicas the same StateKeys"},
	{name: "the keys of the session differ between replicas", make: func(s *shop) {
		s.mustOpen()
		login := s.pages
		s.settings.Keys = [][]byte{saml.NewStateKey()}
		s.open()
		pages := s.pages
		s.pages = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == s.sp.RedirectPath() {
				login.ServeHTTP(w, r)
				return
			}
			pages.ServeHTTP(w, r)
		})
		s.visit("/jobs")
	}, code: saml.CodeLoginLoop, page: "one sign-in after another", log: "the same session.Config.Keys"},
	{name: "two replicas, and no Store", make: func(s *shop) {
		s.config.Store = nil
		s.mustOpen()
	}, log: "set Config.Store to one that all share"},
	{name: "a provider is made for each request, without a Store", make: func(s *shop) {
		s.config.Store = nil
		s.mustOpen()
		s.resolves(func(*http.Request, string) (*saml.ServiceProvider, error) { return saml.New(s.config) })
		s.visit("/jobs")
	}, code: saml.CodeStoreYoung, page: "restarted during the sign-in", log: "make it once, or give it a Store"},
	{name: "Resolve returns the provider of another tenant", make: func(s *shop) {
		s.config.Tenant = "a"
		s.mustOpen()
		s.resolves(func(_ *http.Request, tenant string) (*saml.ServiceProvider, error) {
			config := s.config
			if tenant == "a" {
				config.Tenant = "b"
			}
			if tenant == "" {
				return nil, saml.ErrNotConfigured
			}
			return saml.New(config)
		})
		_, err := s.login.Provider(httptest.NewRequest("GET", "/", nil), "a")
		s.hear(err)
	}, code: saml.CodeTenant, err: "Let HandlerConfig.Resolve return the provider whose Config.Tenant"},
	{name: "the session's cookie does not reach the browser", make: func(s *shop) {
		s.mustOpen()
		s.before(withoutCookies("session-"))
		s.visit("/jobs")
	}, code: saml.CodeLoginLoop, page: "one sign-in after another", log: "does it set the cookie, and does the browser keep it"},
	{name: "two services of one host call their cookies alike", make: func(s *shop) {
		s.settings.Cookie = "console"
		s.mustOpen()
		first := s.pages
		s.visit("/jobs")
		s.settings.Keys = [][]byte{saml.NewStateKey()}
		s.config.RedirectPath = "/other/acs"
		s.mustOpen()
		s.visit("/other/jobs")
		s.pages = first
	}, page: "the page of", log: "another session.Config.Cookie"},
	{name: "two services of one host share their keys", make: func(s *shop) {
		s.mustOpen()
		s.visit("/jobs")
		s.config.RedirectPath = "/other/acs"
		s.mustOpen()
		s.visit("/other/jobs")
	}, page: "the page of", log: "give each session.Config.Keys of its own"},
	{name: "a sign-out leads to a page that Require guards", make: func(s *shop) {
		s.mustOpen()
		guarded := s.pages
		mux := http.NewServeMux()
		mux.Handle("POST /sign-out", s.sessions.SignOutHandler("/"))
		mux.Handle("/", guarded)
		s.pages = mux
		s.visit("/jobs")
		answer, err := s.client.PostForm(s.server.URL+"/sign-out", nil)
		if err != nil {
			s.Fatal(err)
		}
		s.page = bodyOf(s.T, answer, nil)
	}, log: "Give SignOutHandler a public page"},
	{name: "a page asks for the session without Require or Load", make: func(s *shop) {
		s.mustOpen()
		mux := s.routes(s.sp.RedirectPath())
		mux.HandleFunc("/public", func(w http.ResponseWriter, r *http.Request) {
			_, err := s.sessions.Session(r)
			s.hear(err)
			s.login.Fail(w, r, err)
		})
		s.pages = mux
		s.visit("/jobs")
		s.visit("/public")
	}, code: saml.CodeConfig, page: pageBroken, err: "behind Handler.Load if it is public"},
	{name: "a lifetime is a number without a unit", make: func(s *shop) {
		s.settings.Lifetime = 12
		s.open()
	}, code: saml.CodeConfig, err: "as a time.Duration"},
	{name: "SameSite=None is asked for, and http is allowed", make: func(s *shop) {
		s.settings.AllowInForeignFrames, s.settings.InsecureAllowHTTP = true, true
		s.open()
	}, code: saml.CodeConfig, err: "browsers drop a cookie with SameSite=None that is not Secure"},
	{name: "a fresh sign-in is asked for, and the identity provider does not ask", make: func(s *shop) {
		s.mustOpen()
		s.posted(samltest.Answer{RequestID: s.begun(s.sp.RedirectURL() + "?fresh=true"), AuthnInstant: time.Now().Add(-time.Hour)})
	}, code: saml.CodeAuthnInstant, page: pageRefused, log: "let the identity provider honor ForceAuthn"},
}

// withoutCookies is a proxy that drops cookies whose names begin so.
func withoutCookies(prefix string) func(http.Handler) http.Handler {
	return changingCookies(func(line string) string {
		if strings.HasPrefix(line, prefix) {
			return ""
		}
		return line
	})
}

// changingCookies is a proxy that changes the cookies of answers.
func changingCookies(change func(line string) string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			seen := httptest.NewRecorder()
			next.ServeHTTP(seen, r)
			for name, values := range seen.Header() {
				for _, value := range values {
					if name == "Set-Cookie" {
						value = change(value)
					}
					if value != "" {
						w.Header().Add(name, value)
					}
				}
			}
			w.WriteHeader(seen.Code)
			w.Write(seen.Body.Bytes())
		})
	}
}

// TestMistakes: whatever is set up wrongly, somebody is told, and the words name the cure.
func TestMistakes(t *testing.T) {
	if n := len(mistakesOfDevelopers) + len(mistakesOfAdministrators); n < 25 {
		t.Errorf("only %d mistakes", n)
	}
	for _, list := range [][]mistake{mistakesOfDevelopers, mistakesOfAdministrators} {
		for _, m := range list {
			t.Run(m.name, func(t *testing.T) {
				s := newShop(t)
				m.make(s)
				log := s.log.String()
				if m.code != "" && !strings.Contains(s.page+s.errors, "<code>"+string(m.code)+"</code>") {
					t.Errorf("the code %s is nowhere", string(m.code))
				}
				for where, want := range map[string][2]string{"page": {s.page, m.page}, "errors": {s.errors, m.err}, "log": {log, m.log}} {
					if !strings.Contains(want[0], want[1]) {
						t.Errorf("%s: want %q in it", where, want[1])
					}
				}
				if m.err+m.log == "" {
					t.Error("no cure")
				}
				if t.Failed() {
					t.Logf("page: %s\nerrors: %s\nlog: %s", s.page, s.errors, log)
				}
			})
		}
	}
}

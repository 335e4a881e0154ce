package saml_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// countingSessions counts sign-ins, and holds each to a verified identity.
type countingSessions struct {
	signIns  int
	signedIn bool
}

func (s *countingSessions) SignIn(_ http.ResponseWriter, _ *http.Request, login *saml.Login) error {
	if login.Identity == nil || login.Assertion == nil || login.Identity.Email == "" {
		panic("a sign-in without an identity")
	}
	s.signIns++
	return nil
}

func (s *countingSessions) SignedIn(*http.Request) bool { return s.signedIn }
func (*countingSessions) Authenticate(http.ResponseWriter, *http.Request) (*http.Request, error) {
	return nil, nil
}

// FuzzHandler: whatever method, headers, cookies and body arrive, nothing panics, every answer has
// a status, and nobody is signed in but by the one response that the identity provider made for the
// one login that this browser began.
func FuzzHandler(f *testing.F) {
	idp, err := samltest.New(samltest.Options{})
	if err != nil {
		f.Fatal(err)
	}
	document, err := idp.Metadata()
	if err != nil {
		f.Fatal(err)
	}
	provider, err := saml.ParseMetadata(document)
	if err != nil {
		f.Fatal(err)
	}
	sp, err := saml.New(saml.Config{BaseURL: "https://console.example.com", IdentityProvider: provider,
		StateKeys: [][]byte{saml.NewStateKey()}, Store: permissiveStore{}})
	if err != nil {
		f.Fatal(err)
	}
	begin := httptest.NewRecorder()
	sp.Handler(&countingSessions{}).ServeHTTP(begin, httptest.NewRequest("GET", redirectURL, nil))
	cookie := begin.Result().Cookies()[0]
	id := requestID(f, begin.Result().Header.Get("Location"))
	response, err := idp.Respond(samltest.Answer{RequestID: id, Recipient: redirectURL})
	if err != nil {
		f.Fatal(err)
	}
	const form = "application/x-www-form-urlencoded"
	good := url.Values{"SAMLResponse": {response}, "saml_leg": {"2"}}.Encode()
	state := cookie.Name + "=" + cookie.Value
	f.Add("POST", "", form, state, good, false)
	f.Add("POST", "", form, "", good, true)
	f.Add("POST", "", form, state+"; "+state, good, false)
	f.Add("POST", "", form, state[:len(state)-4], good, false)
	f.Add("POST", "", form, "", "SAMLResponse="+url.QueryEscape(response)+"&RelayState=x", false)
	f.Add("POST", "SAMLResponse=x", "text/plain", state, "", false)
	f.Add("GET", "return_to=%2Fjobs", "", strings.Repeat("__Host-saml-000=x; ", 5), "", false)
	f.Add("GET", "SAMLRequest=x", "", "", "", true)
	f.Add("HEAD", "", "", "", "", false)
	f.Fuzz(func(t *testing.T, method, query, contentType, cookies, body string, signedIn bool) {
		r, err := http.NewRequest(method, redirectURL, strings.NewReader(body))
		if err != nil {
			t.Skip() // no HTTP server hands on such a method
		}
		r.URL.RawQuery = query
		r.Header = http.Header{"Content-Type": {contentType}, "Cookie": {cookies}}
		sessions := &countingSessions{signedIn: signedIn}
		w := httptest.NewRecorder()
		sp.Handler(sessions).ServeHTTP(w, r)
		genuine := strings.Contains(cookies, cookie.Value) &&
			strings.Contains(strings.NewReplacer("%2B", "+", "%2F", "/", "%3D", "=").Replace(body), response[:100])
		if sessions.signIns > 0 && !genuine {
			t.Fatalf("signed in by %s %q, cookies %q, body %q", method, query, cookies, body)
		}
		if w.Code < 200 || w.Code >= 600 {
			t.Fatalf("status %d", w.Code)
		}
		if location := w.Header().Get("Location"); location != "" &&
			!strings.HasPrefix(location, idp.LoginURL()+"?") &&
			(!strings.HasPrefix(location, "/") || strings.HasPrefix(location, "//")) {
			t.Fatalf("redirect to %q", location)
		}
	})
}

// permissiveStore lets everything be used again, so that the fuzzer can find more than the first
// sign-in.
type permissiveStore struct{}

func (permissiveStore) Claim(context.Context, string, time.Duration) (bool, error) { return true, nil }
func (permissiveStore) Claimed(context.Context, string) (bool, error)              { return false, nil }

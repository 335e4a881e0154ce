package session_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
	"github.com/iomete/saml/session"
)

// TestNobodyIsSentRound follows a real browser through the pages. An account that may not sign in,
// or whose state is unknown, must end on a page of the service after one visit to the identity
// provider. That provider signs in without a question each time, so a redirect loop would not stop.
func TestNobodyIsSentRound(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		verdict error
		refused bool
	}{
		"an account in order":         {nil, false},
		"an ended account":            {session.ErrEnded, true},
		"an account of unknown state": {errors.New("broken by the test"), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mux := http.NewServeMux()
			service := httptest.NewTLSServer(mux)
			t.Cleanup(service.Close)
			keys, store := [][]byte{saml.NewStateKey()}, saml.NewMemoryStore()
			sp, err := saml.New(saml.Config{
				BaseURL:          service.URL,
				IdentityProvider: identityProvider(service.URL + saml.DefaultRedirectPath),
				StateKeys:        keys,
				Store:            store,
			})
			if err != nil {
				t.Fatal(err)
			}
			sessions, err := session.New(session.Config{
				Keys:     keys,
				Store:    store,
				Validate: func(context.Context, *session.Session) error { return row.verdict },
			})
			if err != nil {
				t.Fatal(err)
			}
			login := sp.Handler(sessions)
			mux.Handle(sp.RedirectPath(), login)
			page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("the page")) })
			mux.Handle("/", login.Require(page))

			jar, err := cookiejar.New(nil)
			if err != nil {
				t.Fatal(err)
			}
			client := &http.Client{Transport: navigation{service.Client().Transport}, Jar: jar}
			answer, err := client.Get(service.URL + "/jobs")
			visits := 0
			for {
				if err != nil {
					t.Fatal(err)
				}
				if answer.Request.URL.Host != strings.TrimPrefix(service.URL, "https://") {
					if visits++; visits > 3 {
						t.Fatal("the browser is sent to the identity provider again and again")
					}
				} else if answer.Request.Method == "GET" || answer.StatusCode >= 400 {
					// any other answer is the page that posts the form again
					break
				}
				form, formErr := samltest.ReadForm(answer)
				if formErr != nil {
					t.Fatal(formErr)
				}
				answer, err = client.PostForm(form.Action, form.Values)
			}
			answer.Body.Close()
			if (answer.StatusCode >= 400) != row.refused || visits != 1 {
				t.Errorf("got status %d after %d visits to the identity provider, want one visit, refused %t",
					answer.StatusCode, visits, row.refused)
			}
		})
	}
}

// navigation asks for a page with each request, as a browser does whose user opens one.
type navigation struct{ http.RoundTripper }

func (n navigation) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Accept", "text/html")
	return n.RoundTripper.RoundTrip(r)
}

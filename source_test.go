package saml

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func containsMessage(err error, text string) bool {
	return err != nil && strings.Contains(err.Error(), text)
}

// TestSourceWithoutSettings: a service provider works as far as it can without an identity
// provider: while nothing is configured, and while nobody can tell.
func TestSourceWithoutSettings(t *testing.T) {
	t.Parallel()
	down := errors.New("dial tcp 10.0.0.7:5432: secret")
	for name, test := range map[string]struct {
		answer error
		code   Code
		logged string
		status int
	}{
		"nothing is configured": {ErrNotConfigured, CodeNotConfigured, "", http.StatusNotFound},
		"wrapped": {errors.Join(errors.New("tenant 7"), ErrNotConfigured), CodeNotConfigured, "",
			http.StatusNotFound},
		"the database is down": {down, CodeIdentityProvider, "no login can succeed", http.StatusServiceUnavailable},
		"it is too slow": {context.DeadlineExceeded, CodeIdentityProvider, "cause=timeout",
			http.StatusServiceUnavailable},
		"neither": {nil, CodeIdentityProvider, "no login can succeed", http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log strings.Builder
			var current *IdentityProvider
			sp, err := testProvider(t, func(c *Config) {
				current = c.IdentityProvider.(*IdentityProvider)
				c.IdentityProvider = IdentityProviderFunc(func(context.Context) (*IdentityProvider,
					error) {
					return nil, test.answer
				})
				c.Logger = slog.New(slog.NewTextHandler(&log, nil))
			})
			if err != nil {
				t.Fatalf("New: %v", err)
			}
			if (test.logged == "") != (log.Len() == 0) || !strings.Contains(log.String(), test.logged) ||
				strings.Contains(log.String(), "secret") {
				t.Errorf("the log has %q, want %q, and no text that is not ours", log.String(), test.logged)
			}
			if got := sp.RedirectURL(); got != "https://console.example.com"+DefaultRedirectPath {
				t.Errorf("got the Redirect URL %q", got)
			}
			metadata, err := sp.Metadata()
			if err != nil || !strings.Contains(string(metadata), sp.RedirectURL()) {
				t.Errorf("Metadata: %v", err)
			}
			want := func(what string, err error) {
				t.Helper()
				if !errors.Is(err, test.code) || test.answer != nil && !errors.Is(err, test.answer) {
					t.Errorf("%s: got %v, want %s", what, err, string(test.code))
				}
			}
			want("Health", sp.Health(t.Context()))
			_, err = sp.IdentityProvider(t.Context())
			want("IdentityProvider", err)
			_, err = sp.StartLogin(t.Context(), LoginOptions{})
			want("StartLogin", err)
			_, err = sp.FinishLogin(t.Context(), FormResponse{SAMLResponse: "PHg+PC94Pg==", RequestID: "_1"})
			if !errors.Is(err, CodeNotAResponse) {
				t.Errorf("FinishLogin of nonsense: got %v, want %s", err, string(CodeNotAResponse))
			}
			if _, err = sp.FinishLogin(t.Context(), FormResponse{SAMLResponse: vectorsByName(t)["entra"].Form,
				RequestID: "_1"}); !errors.Is(err, test.code) {
				t.Errorf("FinishLogin: got %v, want %s", err, string(test.code))
			}
			w := httptest.NewRecorder()
			sp.Handler(nobody{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, sp.RedirectURL(), nil))
			if w.Code != test.status || !strings.Contains(w.Body.String(), string(test.code)) {
				t.Errorf("the Redirect URL: got status %d, %s, want %d", w.Code, w.Body, test.status)
			}
			test.answer = nil
			sp.config.IdentityProvider = current
			if err := sp.Health(t.Context()); err != nil {
				t.Errorf("with settings: %v", err)
			}
		})
	}
}

// TestSourceWithoutUsableKey: settings that were read and that nobody can sign in with fail New,
// and refuse every message if they come later.
func TestSourceWithoutUsableKey(t *testing.T) {
	t.Parallel()
	v := vectorsByName(t)["entra"]
	sp, err := v.provider(t)
	if err != nil {
		t.Fatal(err)
	}
	useless := *sp.config.IdentityProvider.(*IdentityProvider)
	useless.usableKeys, useless.publicKeys = nil, nil
	c := sp.config
	c.IdentityProvider = IdentityProviderFunc(func(context.Context) (*IdentityProvider, error) { return &useless, nil })
	if _, err := New(c); !errors.Is(err, CodeMetadataKeys) {
		t.Errorf("New: got %v, want %s", err, string(CodeMetadataKeys))
	}
	sp.config.IdentityProvider = c.IdentityProvider
	if err := sp.Health(t.Context()); !errors.Is(err, CodeMetadataKeys) {
		t.Errorf("Health: got %v, want %s", err, string(CodeMetadataKeys))
	}
	for _, v := range readVectors(t) {
		if v.Header["idp_entity_id"] != useless.entityID {
			continue
		}
		if login, err := sp.finish(t.Context(), v.response(t, sp), allChecks); err == nil || login != nil {
			t.Errorf("%s is accepted without a key", v.Name)
		}
	}
}

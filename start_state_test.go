package saml

import (
	"bytes"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// countingStore stands for a wrapper that adds metrics: it passes on what the interfaces say.
type countingStore struct{ ForgetfulStore }

// testNow is the time of tests that fix the clock.
var testNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// testProvider is a service provider whose Config change may spoil.
func testProvider(t testing.TB, change func(*Config)) (*ServiceProvider, error) {
	t.Helper()
	idp, err := NewIdentityProvider(testIssuer, "https://login.microsoftonline.com/"+testTenantID+"/saml2", testKey(t))
	if err != nil {
		t.Fatal(err)
	}
	c := Config{BaseURL: "https://console.example.com", IdentityProvider: idp, StateKeys: [][]byte{fixedKey(0)},
		Store: NewMemoryStoreWithClock(func() time.Time { return testNow }), Now: func() time.Time { return testNow }}
	if change != nil {
		change(&c)
	}
	return New(c)
}

func mustProvider(t testing.TB, change func(*Config)) *ServiceProvider {
	t.Helper()
	sp, err := testProvider(t, change)
	if err != nil {
		t.Fatal(err)
	}
	return sp
}

// emptyResponse is a message without a status, which the first check behind the pending login
// refuses.
const emptyResponse = `<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_r" Version="2.0"><samlp:Status><samlp:StatusCode Value="x"/></samlp:Status></samlp:Response>`

// TestPendingLogin: a state opens only where and when it belongs. FinishLogin then goes on to the
// checks, of which the first refuses the message.
func TestPendingLogin(t *testing.T) {
	sp := mustProvider(t, nil)
	request, err := sp.StartLogin(t.Context(), LoginOptions{ReturnTo: "/jobs?id=1"})
	if err != nil {
		t.Fatal(err)
	}
	otherKey := fixedKey(100)
	at := func(d time.Duration) func(*Config) {
		return func(c *Config) { c.Now = func() time.Time { return testNow.Add(d) } }
	}
	for _, test := range []struct {
		name   string
		state  string
		change func(*Config)
		want   Code
	}{
		{"at once", request.State, nil, CodeIssueInstant},
		{"after 59 minutes", request.State, at(59 * time.Minute), CodeIssueInstant},
		{"after 60 minutes", request.State, at(60 * time.Minute), CodeStateExpired},
		{"3 minutes before it was made, on a replica whose clock lags", request.State, at(-3 * time.Minute),
			CodeIssueInstant},
		{"4 minutes before it was made", request.State, at(-4 * time.Minute), CodeStateInvalid},
		{"with a new key before the old one", request.State,
			func(c *Config) { c.StateKeys = [][]byte{otherKey, c.StateKeys[0]} }, CodeIssueInstant},
		{"with another key", request.State, func(c *Config) { c.StateKeys = [][]byte{otherKey} }, CodeStateInvalid},
		{"for another tenant", request.State, func(c *Config) { c.Tenant = "acme" }, CodeStateInvalid},
		{"for another service", request.State, func(c *Config) { c.EntityID = "https://other.example.com" },
			CodeStateInvalid},
		{"after the store was made anew", request.State, func(c *Config) {
			c.Store = NewMemoryStoreWithClock(func() time.Time { return testNow.Add(time.Second) })
		}, CodeStoreYoung},
		{"after the store inside a wrapper was made anew", request.State, func(c *Config) {
			c.Store = countingStore{NewMemoryStoreWithClock(func() time.Time { return testNow.Add(time.Second) })}
		}, CodeStoreYoung},
		{"one letter changed", swapFirst(request.State), nil, CodeStateInvalid},
		{"cut off", request.State[:len(request.State)-1], nil, CodeStateInvalid},
		{"with a line break", request.State + "\n", nil, CodeStateInvalid},
		{"garbage", "garbage", nil, CodeStateInvalid},
		{"none", "", nil, CodeUnsolicited},
	} {
		_, err := mustProvider(t, test.change).FinishLogin(t.Context(),
			FormResponse{SAMLResponse: base64.StdEncoding.EncodeToString([]byte(emptyResponse)), State: test.state})
		if !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %s", test.name, err, string(test.want))
		}
	}
}

func swapFirst(s string) string {
	if s[0] == 'A' {
		return "B" + s[1:]
	}
	return "A" + s[1:]
}

// TestStateOfAnotherIdentityProvider: who was asked must answer.
func TestStateOfAnotherIdentityProvider(t *testing.T) {
	request, err := mustProvider(t, nil).StartLogin(t.Context(), LoginOptions{})
	if err != nil {
		t.Fatal(err)
	}
	other, err := NewIdentityProvider("https://idp.example.org", "https://idp.example.org/sso", testKey(t))
	if err != nil {
		t.Fatal(err)
	}
	sp := mustProvider(t, func(c *Config) { c.IdentityProvider = other })
	if _, err := sp.FinishLogin(t.Context(),
		FormResponse{SAMLResponse: base64.StdEncoding.EncodeToString([]byte(emptyResponse)),
			State: request.State}); !errors.Is(err, CodeIdentityProvider) {
		t.Errorf("got %v, want %s", err, string(CodeIdentityProvider))
	}
}

func TestLocalPaths(t *testing.T) {
	for _, good := range []string{"/", "/jobs", "/jobs?id=1&x=/y", "/a//b", "/%2F%2Fevil.example", "/ü",
		"/a#b", "/?x=1#/sql/42", "/#//evil.example", "/app#q=50%", "/#/search/100%zz", "/" + strings.Repeat("a", 8191)} {
		if !localPath(good) {
			t.Errorf("%q is refused", good)
		}
	}
	for _, bad := range []string{
		"", "jobs", "//evil.example", `/\evil.example`, `\/evil.example`, "https://evil.example", "javascript:alert(1)", "/a\nb", "/a\x00", "/\t/evil.example",
		"/a\\b", "/a#\\b", "/a#\n", "/\x7f", "/%zz", "/\xff", "/" + strings.Repeat("a", 8192), " /a", "?x", "#x",
	} {
		if localPath(bad) {
			t.Errorf("%q is accepted", bad)
		}
	}
}

// nobody is signed in, nor will be.
type nobody struct{}

func (nobody) SignIn(http.ResponseWriter, *http.Request, *Login) error { return nil }
func (nobody) SignedIn(*http.Request) bool                             { return false }
func (nobody) Authenticate(http.ResponseWriter, *http.Request) (*http.Request, error) {
	return nil, nil
}

// lazyDecrypter stands for a key in another place.
type lazyDecrypter struct{ *rsa.PrivateKey }

// TestNilPointers: a nil pointer in an interface is a fault of the configuration, not a panic of
// the first login.
func TestNilPointers(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"Store":                 func(c *Config) { c.Store = (*MemoryStore)(nil) },
		"SigningKey":            func(c *Config) { c.SigningKey = (*rsa.PrivateKey)(nil) },
		"an entry without Key":  func(c *Config) { c.DecryptionKeys = []DecryptionKey{{Key: (*lazyDecrypter)(nil)}} },
		"a key that is not RSA": func(c *Config) { c.DecryptionKeys = []DecryptionKey{{Key: &rsa.PrivateKey{}}} },
	} {
		if _, err := testProvider(t, change); !errors.Is(err, CodeConfig) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v, want %s", name, err, string(CodeConfig))
		}
	}
	sp := mustProvider(t, nil)
	resolve := func(*http.Request, string) (*ServiceProvider, error) { return sp, (*Error)(nil) }
	if _, err := NewHandler(HandlerConfig{Resolve: resolve, Sessions: (*nobody)(nil)}); !errors.Is(err, CodeConfig) {
		t.Errorf("nil Sessions: got %v, want %s", err, string(CodeConfig))
	}
	h, err := NewHandler(HandlerConfig{Resolve: resolve, Sessions: nobody{}})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := h.Provider(httptest.NewRequest("GET", "/", nil), ""); got != sp || err != nil {
		t.Errorf("Resolve with a nil *Error: got %v, %v, want the provider", got, err)
	}
	defer func() {
		if recover() == nil {
			t.Error("Handler(nil) does not panic")
		}
	}()
	sp.Handler(nil)
}

// TestLoggerOfHandler: a refusal that belongs to no provider is logged where the handler was told
// to.
func TestLoggerOfHandler(t *testing.T) {
	var log bytes.Buffer
	h, err := NewHandler(HandlerConfig{Sessions: nobody{}, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		Resolve: func(*http.Request, string) (*ServiceProvider, error) { return nil, ErrNotConfigured }})
	if err != nil {
		t.Fatal(err)
	}
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	if !strings.Contains(log.String(), string(CodeNotConfigured)) {
		t.Errorf("got the log %q, want %s", log.String(), string(CodeNotConfigured))
	}
}

// TestHintOfPendingLogin: where a clock is wrong, nobody is sent to look for keys.
func TestHintOfPendingLogin(t *testing.T) {
	request, err := mustProvider(t, nil).StartLogin(t.Context(), LoginOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Config){
		"clocks":    func(c *Config) { c.Now = func() time.Time { return testNow.Add(-time.Hour) } },
		"StateKeys": func(c *Config) { c.StateKeys = [][]byte{fixedKey(9)} },
	} {
		_, err := mustProvider(t, change).FinishLogin(t.Context(),
			FormResponse{SAMLResponse: base64.StdEncoding.EncodeToString([]byte(emptyResponse)), State: request.State})
		var refusal *Error
		if !errors.As(err, &refusal) || !strings.Contains(refusal.Hint, want) {
			t.Errorf("got %v, want a hint about %s", err, want)
		}
	}
}

// fixedKey returns a state key that is the same in each process, for fuzzing: first, first + 1 and so
// on.
func fixedKey(first byte) []byte {
	key := make([]byte, stateKeySize)
	for i := range key {
		key[i] = first + byte(i)
	}
	return key
}

package saml_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// nilErrorStore answers as Go code does that returns a nil *saml.Error in an error.
type nilErrorStore struct{ saml.Store }

func (s nilErrorStore) Claim(ctx context.Context, key string, ttl time.Duration) (bool, error) {
	first, err := s.Store.Claim(ctx, key, ttl)
	if err != nil {
		return false, err
	}
	var none *saml.Error
	return first, none
}

type nilErrorSessions struct{ signedIn *bool }

func (s nilErrorSessions) SignIn(http.ResponseWriter, *http.Request, *saml.Login) error {
	*s.signedIn = true
	var none *saml.Error
	return none
}

func (nilErrorSessions) SignedIn(*http.Request) bool { return false }
func (nilErrorSessions) Authenticate(http.ResponseWriter, *http.Request) (*http.Request, error) {
	return nil, nil
}

// TestNilErrors: a nil pointer in an error is no error, wherever the application's code returns it.
func TestNilErrors(t *testing.T) {
	h := newHouse(t, func(c *saml.Config) { c.Store = nilErrorStore{saml.NewMemoryStore()} })
	if _, err := h.signIn(saml.LoginOptions{}, samltest.Answer{}); err != nil {
		t.Errorf("Claim: %v", err)
	}
	signedIn := false
	w := newWatched(t, nil)
	state, id := w.begin()
	w.login = w.sp.Handler(nilErrorSessions{&signedIn})
	if got := w.post(w.respond(samltest.Answer{RequestID: id}), state); got.Code != http.StatusSeeOther || !signedIn {
		t.Errorf("SignIn: got status %d, %s", got.Code, got.Body)
	}
	var none *saml.Error
	if none.Error() == "" || none.Unwrap() != nil || errors.Is(none, saml.CodeStore) {
		t.Error("a nil *Error is taken for one")
	}
	for name, test := range map[string]struct {
		err  error
		code saml.Code
	}{
		"a nil *Error":       {none, saml.CodeInternal},
		"another error":      {errors.New("x"), saml.CodeInternal},
		"a code":             {fmt.Errorf("x: %w", saml.CodeBusy), saml.CodeBusy},
		"not configured":     {saml.ErrNotConfigured, saml.CodeNotConfigured},
		"not enabled, below": {fmt.Errorf("x: %w", saml.ErrNotEnabled), saml.CodeNotConfigured},
	} {
		r := httptest.NewRecorder()
		w.login.Fail(r, httptest.NewRequest(http.MethodGet, "/", nil), test.err)
		if !strings.Contains(r.Body.String(), "<code>"+string(test.code)+"</code>") ||
			r.Code != (&saml.Error{Code: test.code}).Page().Status {
			t.Errorf("Fail with %s: got status %d, %s", name, r.Code, r.Body)
		}
	}
	for _, code := range []saml.Code{saml.CodeInternal, saml.CodeConfig, saml.CodeMetadataLoginURL} {
		if page := (&saml.Error{Code: code}).Page(); page.Status != http.StatusInternalServerError ||
			strings.Contains(page.Sentence, "identity provider") {
			t.Errorf("%s: got the page %+v, want one that blames this service", string(code), page)
		}
	}
	trial := newHouse(t, func(c *saml.Config) { c.Tenant, c.Trial = "trial", true }).sp
	login, err := saml.NewHandler(saml.HandlerConfig{Sessions: nilErrorSessions{&signedIn},
		Resolve: func(_ *http.Request, tenant string) (*saml.ServiceProvider, error) {
			if tenant == "" {
				return nil, saml.ErrNotConfigured
			}
			return trial, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := login.Provider(httptest.NewRequest(http.MethodGet, "/", nil), "trial"); !errors.Is(err,
		saml.CodeTenant) {
		t.Errorf("a session of settings on trial: got %v, want %s", err, string(saml.CodeTenant))
	}
	if _, err := new(saml.Verifier).Verify(t.Context(), "", saml.VerifyOptions{RequestID: "_1"}); !errors.Is(err,
		saml.CodeConfig) {
		t.Errorf("the zero Verifier: got %v", err)
	}
	for name, change := range map[string]func(*saml.Config){
		"a source that is a nil function": func(c *saml.Config) { c.IdentityProvider = saml.IdentityProviderFunc(nil) },
		"a signing key without numbers":   func(c *saml.Config) { c.SigningKey = &rsa.PrivateKey{} },
	} {
		c := saml.Config{BaseURL: "https://c.example.com", StateKeys: [][]byte{saml.NewStateKey()},
			IdentityProvider: saml.IdentityProviderFunc(func(context.Context) (*saml.IdentityProvider, error) {
				return nil, saml.ErrNotConfigured
			})}
		change(&c)
		if _, err := saml.New(c); !errors.Is(err, saml.CodeConfig) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestOuterSignatureByAnExpiredCertificate: RefuseExpiredCertificates is about every signature of a
// message, also about that of a response around a good one; and a decryption key is not used behind it.
func TestOuterSignatureByAnExpiredCertificate(t *testing.T) {
	current := samltest.MustNew(t, samltest.Options{})
	expired := samltest.MustNew(t, samltest.Options{TenantID: current.TenantID(),
		Now: func() time.Time { return time.Now().AddDate(-20, 0, 0) }})
	var keys []saml.TrustedKey
	for _, idp := range []*samltest.IdentityProvider{current, expired} {
		more, err := saml.ParseKeys(idp.CertificatePEM())
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, more...)
	}
	decryption, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	encrypting := samltest.MustNew(t, samltest.Options{Keys: []crypto.Signer{decryption}})
	for n := range 8 {
		encrypt, refuse, around := n&1 != 0, n&2 != 0, current
		if n&4 != 0 {
			around = expired
		}
		uses := 0
		verifier, err := saml.NewVerifier(saml.VerifierConfig{Issuer: current.EntityID(), Keys: keys,
			EntityID: "https://c.example.com", RedirectURLs: []string{"https://c.example.com/acs"},
			RefuseExpiredCertificates: refuse, RequireSignedResponse: true,
			DecryptionKeys: []saml.DecryptionKey{{Key: usedKey{decryption, &uses}}}})
		if err != nil {
			t.Fatal(err)
		}
		inner := samltest.Answer{RequestID: "_1", Recipient: "https://c.example.com/acs",
			Audience: "https://c.example.com", Sign: samltest.SignAssertion}
		if encrypt {
			inner.Encrypt = &samltest.Encryption{Certificates: encrypting.Certificates()[:1]}
		}
		x, err := current.RespondXML(inner)
		if err != nil {
			t.Fatal(err)
		}
		outer := inner
		outer.Sign, outer.Encrypt, outer.Edit = samltest.SignResponse, nil, func(string) string { return string(x) }
		y, err := around.RespondXML(outer)
		if err != nil {
			t.Fatal(err)
		}
		_, err = verifier.Verify(t.Context(), base64.StdEncoding.EncodeToString(y), saml.VerifyOptions{RequestID: "_1"})
		var refusal *saml.Error
		refused := errors.As(err, &refusal) && refusal.Code == saml.CodeCertificateExpired &&
			refusal.Check == "certificate dates" && refusal.Hint != "" && uses == 0
		if want := refuse && around == expired; refused != want || !want && err != nil {
			t.Errorf("encrypted %t, refused %t, around it an expired key %t: got %v after %d uses of the key",
				encrypt, refuse, around == expired, err, uses)
		}
	}
}

// usedKey counts how often it decrypts.
type usedKey struct {
	crypto.Decrypter
	uses *int
}

func (k usedKey) Decrypt(r io.Reader, ciphertext []byte, o crypto.DecrypterOpts) ([]byte, error) {
	*k.uses++
	return k.Decrypter.Decrypt(r, ciphertext, o)
}

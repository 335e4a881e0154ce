package saml_test

import (
	"context"
	"crypto"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// remoteKey is a key in another place. before is what happens there before it does its work, nil for
// nothing.
type remoteKey struct {
	key    crypto.Signer
	before func() error
}

func (k remoteKey) Public() crypto.PublicKey { return k.key.Public() }

func (k remoteKey) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if err := k.before(); err != nil {
		return nil, err
	}
	return k.key.Sign(rand.Reader, digest, opts)
}

func (k remoteKey) Decrypt(_ io.Reader, ciphertext []byte, opts crypto.DecrypterOpts) ([]byte, error) {
	if err := k.before(); err != nil {
		return nil, err
	}
	return k.key.(crypto.Decrypter).Decrypt(rand.Reader, ciphertext, opts)
}

// contextKey is one that takes a context.
type contextKey struct {
	remoteKey
	before func(context.Context) error
}

func (k contextKey) SignContext(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if err := k.before(ctx); err != nil {
		return nil, err
	}
	return k.key.Sign(rand.Reader, digest, opts)
}

func (k contextKey) DecryptContext(ctx context.Context, ciphertext []byte, opts crypto.DecrypterOpts) ([]byte, error) {
	if err := k.before(ctx); err != nil {
		return nil, err
	}
	return k.key.(crypto.Decrypter).Decrypt(rand.Reader, ciphertext, opts)
}

var _ saml.ContextSigner = contextKey{}
var _ saml.ContextDecrypter = contextKey{}

// outage is a way in which a key is out of service.
type outage struct {
	before      func() error                // of a key without a context
	withContext func(context.Context) error // of one with a context
	cancel      bool                        // the request ends after a second
	took        time.Duration
	message     string // in the refusal
	cause       string // in the text of the error
}

var errQuota = fmt.Errorf("kms: too many requests: %w", saml.ErrKeyUnavailable)

func hangs() error {
	time.Sleep(time.Hour)
	return nil
}

func hangsInContext(ctx context.Context) error {
	<-ctx.Done()
	return fmt.Errorf("kms: %w", ctx.Err())
}

// outages have every way that signing keys and decryption keys have in common.
var outages = map[string]outage{
	"out of service": {before: func() error { return errQuota }, message: "is out of service", cause: "too many requests"},
	"out of service, with a context": {withContext: func(context.Context) error { return errQuota },
		message: "is out of service", cause: "too many requests"},
	"hangs": {before: hangs, took: 2 * time.Second, message: "has not answered within 2s"},
	"hangs, with a context": {withContext: hangsInContext, took: 2 * time.Second,
		message: "has not answered within 2s"},
	"canceled": {before: hangs, cancel: true, took: time.Second, message: "had not answered when the request ended",
		cause: "context canceled"},
	"canceled, with a context": {withContext: hangsInContext, cancel: true, took: time.Second,
		message: "had not answered when the request ended", cause: "context canceled"},
}

// key returns key with the outage.
func (o outage) key(key crypto.Signer) crypto.Signer {
	if o.withContext != nil {
		return contextKey{remoteKey{key, func() error { return errors.New("the method without a context was called") }},
			o.withContext}
	}
	return remoteKey{key, o.before}
}

// meets checks what becomes of a call that meets the outage.
func (o outage) meets(t *testing.T, what string, call func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if o.cancel {
		time.AfterFunc(time.Second, cancel)
	}
	began := time.Now()
	err := call(ctx)
	var refusal *saml.Error
	if took := time.Since(began); !errors.As(err, &refusal) || refusal.Code != saml.CodeKeyUnavailable || took != o.took ||
		!strings.Contains(refusal.Message, o.message) || !strings.Contains(err.Error(), o.cause) ||
		!strings.Contains(refusal.Hint, "HSM or KMS") || !errors.Is(err, saml.ErrKeyUnavailable) ||
		refusal.Page().Status != http.StatusServiceUnavailable {
		t.Errorf("%s: got %v after %v, want that the key %s", what, err, took, o.message)
	}
}

// TestSigningKeyOutOfService: nothing is sent, and the error says what to look at.
func TestSigningKeyOutOfService(t *testing.T) {
	key, der := signingKey(t)
	all := map[string]outage{
		"fails":  {before: func() error { return io.ErrUnexpectedEOF }, message: "failed", cause: "EOF"},
		"panics": {before: func() error { panic("at the disco") }, message: "failed", cause: "at the disco"}}
	for name, o := range outages {
		all[name] = o
	}
	for name, o := range all {
		synctest.Test(t, func(t *testing.T) {
			h := newHouse(t, func(c *saml.Config) {
				c.SigningKey, c.SigningCertificate, c.KeyTimeout = o.key(key), der, 2*time.Second
			})
			for _, options := range []saml.LoginOptions{{}, {POST: true}} {
				o.meets(t, fmt.Sprintf("%s, by POST %t", name, options.POST), func(ctx context.Context) error {
					request, err := h.sp.StartLogin(ctx, options)
					if request != nil {
						t.Errorf("%s: there is a request", name)
					}
					return err
				})
			}
			if !o.cancel { // it takes no context
				o.meets(t, name+", metadata", func(context.Context) error {
					_, err := h.sp.Metadata(saml.MetadataOptions{Sign: true})
					return err
				})
			}
			time.Sleep(2 * time.Hour) // until the last call has come back
		})
	}
}

// TestDecryptionKeyOutOfService: for an encrypted assertion and for an encrypted NameID, of a
// ServiceProvider and of a Verifier.
func TestDecryptionKeyOutOfService(t *testing.T) {
	key, der := signingKey(t)
	for name, o := range outages {
		synctest.Test(t, func(t *testing.T) {
			keys := []saml.DecryptionKey{{Key: o.key(key).(crypto.Decrypter)}}
			h := newHouse(t, func(c *saml.Config) { c.DecryptionKeys, c.KeyTimeout = keys, 2*time.Second })
			trusted := h.provider(t)
			verifier, err := saml.NewVerifier(saml.VerifierConfig{Issuer: trusted.EntityID(), Keys: trusted.Keys(),
				EntityID: redirectURL, RedirectURLs: []string{redirectURL}, DecryptionKeys: keys, KeyTimeout: 2 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			for _, nameID := range []bool{false, true} {
				request, err := h.sp.StartLogin(t.Context(), saml.LoginOptions{})
				if err != nil {
					t.Fatal(err)
				}
				form := h.respond(samltest.Answer{RequestID: request.ID,
					Encrypt: &samltest.Encryption{Certificates: [][]byte{der}, NameIDOnly: nameID}})
				o.meets(t, fmt.Sprintf("%s, NameID %t", name, nameID), func(ctx context.Context) error {
					_, err := h.sp.FinishLogin(ctx, saml.FormResponse{SAMLResponse: form, State: request.State})
					return err
				})
				o.meets(t, fmt.Sprintf("%s, NameID %t, Verifier", name, nameID), func(ctx context.Context) error {
					_, err := verifier.Verify(ctx, form, saml.VerifyOptions{RequestID: request.ID})
					return err
				})
			}
			time.Sleep(2 * time.Hour)
		})
	}
}

// TestKeyBackInService: the response that was refused with 503 is accepted when the key is back, since
// nothing was used up; and a key with a context is never asked without one.
func TestKeyBackInService(t *testing.T) {
	key, der := signingKey(t)
	var down error
	h := newHouse(t, func(c *saml.Config) {
		remote := contextKey{remoteKey{key, nil}, func(context.Context) error { return down }}
		c.DecryptionKeys = []saml.DecryptionKey{{Key: remote}}
	})
	request, err := h.sp.StartLogin(t.Context(), saml.LoginOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r := saml.FormResponse{State: request.State, SAMLResponse: h.respond(samltest.Answer{RequestID: request.ID,
		Encrypt: &samltest.Encryption{Certificates: [][]byte{der}}})}
	down = errQuota
	if _, err := h.sp.FinishLogin(t.Context(), r); !errors.Is(err, saml.CodeKeyUnavailable) {
		t.Errorf("down: got %v", err)
	}
	down = errors.New("the padding is wrong")
	if _, err := h.sp.FinishLogin(t.Context(), r); !errors.Is(err, saml.CodeDecryption) {
		t.Errorf("another error: got %v", err)
	}
	down = nil
	if _, err := h.sp.FinishLogin(t.Context(), r); err != nil {
		t.Errorf("back: got %v", err)
	}
}

// TestOldKeyWhileTheNewOneIsDown: during a change of keys, what is encrypted for a key that works is
// accepted, whatever the other one does.
func TestOldKeyWhileTheNewOneIsDown(t *testing.T) {
	old, der := signingKey(t)
	next, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	down := saml.DecryptionKey{Key: remoteKey{next, func() error { return errQuota }}}
	for name, keys := range map[string][]saml.DecryptionKey{
		"the new one first": {down, {Key: old.(crypto.Decrypter)}},
		"the old one first": {{Key: old.(crypto.Decrypter)}, down},
	} {
		h := newHouse(t, func(c *saml.Config) { c.DecryptionKeys = keys })
		if _, err := h.signIn(saml.LoginOptions{}, samltest.Answer{Recipient: redirectURL,
			Encrypt: &samltest.Encryption{Certificates: [][]byte{der}}}); err != nil {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestHandlerWithoutItsKey: the browser gets status 503 with Retry-After at both ends of a login, and
// reads nothing of what the key said.
func TestHandlerWithoutItsKey(t *testing.T) {
	key, der := signingKey(t)
	var down error
	remote := remoteKey{key, func() error { return down }}
	w := newWatched(t, func(c *saml.Config) {
		c.SigningKey, c.SigningCertificate, c.DecryptionKeys = remote, der, []saml.DecryptionKey{{Key: remote}}
	})
	state, id := w.begin()
	response := w.respond(samltest.Answer{RequestID: id, Encrypt: &samltest.Encryption{Certificates: [][]byte{der}}})
	down = errQuota
	begin := httptest.NewRecorder()
	w.login.ServeHTTP(begin, httptest.NewRequest("GET", redirectURL, nil))
	for name, got := range map[string]*httptest.ResponseRecorder{"begin": begin, "finish": w.post(response, state)} {
		if got.Code != http.StatusServiceUnavailable || got.Header().Get("Retry-After") == "" ||
			!strings.Contains(got.Body.String(), string(saml.CodeKeyUnavailable)) || strings.Contains(got.Body.String(), "kms") {
			t.Errorf("%s: got status %d, Retry-After %q\n%s", name, got.Code, got.Header().Get("Retry-After"), got.Body)
		}
	}
	down = nil
	if got := w.post(response, state); got.Code != http.StatusSeeOther {
		t.Errorf("the key is back: got status %d\n%s", got.Code, got.Body)
	}
}

// TestKeyCalls: of a signing key and a decryption key that hang, KeyCalls calls are under way together,
// whatever the number of requests. One above is refused at once, and a key of this process is not
// bounded.
func TestKeyCalls(t *testing.T) {
	key, der := signingKey(t)
	p256 := ecdsaKey(t, elliptic.P256())
	const calls = 4
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var hanging atomic.Int32 // calls of a key that have not returned
		waits := func() error {
			hanging.Add(1)
			defer hanging.Add(-1)
			<-release
			return nil
		}
		h := newHouse(t, func(c *saml.Config) {
			c.SigningKey, c.SigningCertificate = remoteKey{p256, waits}, certificateFor(t, p256)
			c.DecryptionKeys, c.KeyCalls = []saml.DecryptionKey{{Key: remoteKey{key, waits}}}, calls
		})
		form := h.respond(samltest.Answer{RequestID: "_1", Encrypt: &samltest.Encryption{Certificates: [][]byte{der}}})
		var requests sync.WaitGroup
		for n := range 2 * calls {
			requests.Go(func() {
				var err error
				if n%2 == 0 {
					_, err = h.sp.StartLogin(t.Context(), saml.LoginOptions{})
				} else {
					_, err = h.sp.FinishLogin(t.Context(), saml.FormResponse{SAMLResponse: form, RequestID: "_1"})
				}
				if !errors.Is(err, saml.CodeKeyUnavailable) {
					t.Errorf("got %v", err)
				}
			})
		}
		requests.Wait()
		began := time.Now()
		for range 50 {
			_, err := h.sp.StartLogin(t.Context(), saml.LoginOptions{})
			if !errors.Is(err, saml.CodeKeyUnavailable) || !strings.Contains(err.Error(), "4 calls are under way") {
				t.Errorf("above the number: got %v", err)
			}
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("what is above the number waits: %v", took)
		}
		if n := hanging.Load(); n != calls {
			t.Errorf("%d calls hang, want %d", n, calls)
		}
		close(release)
		synctest.Wait()
		if n := hanging.Load(); n != 0 {
			t.Errorf("%d calls are left", n)
		}
		if _, err := h.sp.StartLogin(t.Context(), saml.LoginOptions{}); err != nil {
			t.Errorf("the key is back: got %v", err)
		}
	})
}

// TestKeyBoundsThatCannotBeUsed: each fault names its field, of both configurations.
func TestKeyBoundsThatCannotBeUsed(t *testing.T) {
	for _, row := range []struct {
		timeout time.Duration
		calls   int
		field   string
	}{{-1, 0, "KeyTimeout"}, {time.Minute + 1, 0, "KeyTimeout"}, {0, -1, "KeyCalls"}, {0, 10_001, "KeyCalls"},
		{time.Minute, 10_000, ""}, {1, 1, ""}, {0, 0, ""}} {
		c := saml.Config{BaseURL: "https://c.example.com", StateKeys: [][]byte{saml.NewStateKey()},
			IdentityProvider: newHouse(t, nil).provider(t), KeyTimeout: row.timeout, KeyCalls: row.calls}
		_, err := saml.New(c)
		list := saml.Errors(err)
		if row.field == "" && err != nil || row.field != "" && (len(list) != 1 || list[0].Field != row.field ||
			list[0].Hint == "" || list[0].Want == "") {
			t.Errorf("%+v: got %v", row, err)
		}
		_, err = saml.NewVerifier(saml.VerifierConfig{KeyTimeout: row.timeout, KeyCalls: row.calls})
		found := ""
		for _, e := range saml.Errors(err) {
			if strings.HasPrefix(e.Field, "KeyT") || strings.HasPrefix(e.Field, "KeyC") {
				found += e.Field
			}
		}
		if found != row.field {
			t.Errorf("Verifier, %+v: got %v", row, err)
		}
	}
}

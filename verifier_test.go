package saml

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"
)

// verifier makes the Verifier of a vector by its public way, from the configuration of its service
// provider.
func (v *testVector) verifier(t testing.TB) (*Verifier, *ServiceProvider, error) {
	t.Helper()
	sp, err := v.provider(t)
	if err != nil {
		return nil, nil, err
	}
	c := sp.config
	idp := c.IdentityProvider.(*IdentityProvider)
	verifier, err := NewVerifier(VerifierConfig{
		Issuer: idp.EntityID(), Keys: idp.Keys(), EntityID: sp.EntityID(), FormerEntityIDs: c.FormerEntityIDs,
		RedirectURLs: append([]string{sp.RedirectURL()}, c.FormerRedirectURLs...), Tenant: c.Tenant,
		NameID: c.NameID, AllowInternationalEmail: c.AllowInternationalEmail, RequireObjectID: c.RequireObjectID, RequestedAuthnContexts: c.RequestedAuthnContexts,
		DecryptionKeys: c.DecryptionKeys, RequireSignedResponse: c.RequireSignedResponse, RefuseCBC: c.RefuseCBC, ClockSkew: c.ClockSkew,
		RefuseExpiredCertificates: c.RefuseExpiredCertificates, InsecureAllowSHA1: c.InsecureAllowSHA1, OnlyAlgorithms: c.OnlyAlgorithms, Now: c.Now,
	})
	return verifier, sp, err
}

func (v *testVector) verifyOptions(t testing.TB, sp *ServiceProvider) VerifyOptions {
	t.Helper()
	if v.Header["unsolicited"] == "yes" {
		return VerifyOptions{AllowUnsolicited: sp.config.Unsolicited == AllowUnsolicited}
	}
	o := VerifyOptions{RequestID: v.Header["request_id"]}
	if v.Header["force_authn_at"] != "" {
		o.RequestedAt = v.time(t, "force_authn_at")
	}
	return o
}

// claimed reports whether the vector is refused for what was used before, or because the Store
// failed.
func (v *testVector) claimed() bool {
	return slices.ContainsFunc(allChecks.claims, func(c check) bool { return c.name == v.Header["check"] })
}

// recordingStore notes what is claimed.
type recordingStore struct {
	vectorStore
	claims []Claim
}

func (s *recordingStore) Claim(ctx context.Context, key string, ttl time.Duration) (bool, error) {
	s.claims = append(s.claims, Claim{key, ttl})
	return s.vectorStore.Claim(ctx, key, ttl)
}

// TestVerifierVectors: a Verifier says to each vector what FinishLogin says, and names what
// FinishLogin claims. What was used before alone it accepts.
func TestVerifierVectors(t *testing.T) {
	t.Parallel()
	accepted, refused := 0, 0
	for _, v := range readVectors(t) {
		verifier, sp, err := v.verifier(t)
		if err != nil {
			if _, finishErr := v.finish(t, allChecks); finishErr == nil || v.Accepted() {
				t.Errorf("%s: there is no verifier: %v", v.Name, err)
			}
			continue
		}
		store := &recordingStore{vectorStore: sp.store.(vectorStore)}
		sp.store = store
		login, finishErr := sp.finish(t.Context(), v.response(t, sp), allChecks)
		got, err := verifier.Verify(t.Context(), v.Form, v.verifyOptions(t, sp))
		if v.claimed() {
			if err != nil {
				t.Errorf("%s: got %v, want accepted: the caller claims", v.Name, err)
			}
			continue
		}
		if finishErr != nil {
			refused++
			var refusal *Error
			if !errors.As(err, &refusal) || refusal.Code != finishErr.Code || refusal.Check != finishErr.Check ||
				refusal.Hint != finishErr.Hint || got != nil {
				t.Errorf("%s: got %v, want %v", v.Name, err, finishErr)
			}
			continue
		}
		accepted++
		if err != nil {
			t.Errorf("%s: %v", v.Name, err)
			continue
		}
		if got.Identity.ObjectKey != login.Identity.ObjectKey || got.Identity.NameIDKey != login.Identity.NameIDKey ||
			got.RequestID != login.RequestID {
			t.Errorf("%s: got %+v, want the identity of the login", v.Name, got)
		}
		if !slices.EqualFunc(got.Claims, store.claims,
			func(a, b Claim) bool { return a.Key == b.Key && (a.TTL-b.TTL).Abs() <= time.Hour }) {
			t.Errorf("%s: got claims %v, want those of FinishLogin, %v", v.Name, got.Claims, store.claims)
		}
	}
	if accepted < 50 || refused < 100 {
		t.Errorf("%d vectors were accepted and %d refused", accepted, refused)
	}
}

// TestVerifierNeedsEachCheck leaves out one check after the other, as TestEachCheckIsNeeded does
// for FinishLogin.
func TestVerifierNeedsEachCheck(t *testing.T) {
	t.Parallel()
	vectors := readVectors(t)
	for name, without := range listsWithoutOne() {
		if slices.ContainsFunc(allChecks.claims, func(c check) bool { return c.name == name }) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			needed := 0
			for _, v := range vectors {
				if v.Header["check"] != name || refusedTwice[v.Name] != "" {
					continue
				}
				verifier, sp, err := v.verifier(t)
				if err != nil {
					t.Errorf("%s: %v", v.Name, err)
					continue
				}
				options := v.verifyOptions(t, sp)
				if _, err := verifier.verify(t.Context(), v.Form, options, allChecks); err == nil {
					t.Errorf("%s is accepted with all checks", v.Name)
				}
				if _, err := verifier.verify(t.Context(), v.Form, options, without); err != nil {
					t.Errorf("%s without %q: got %v by %q, want accepted", v.Name, name, err, err.Check)
				}
				needed++
			}
			if needed == 0 && name != checkWithFallback {
				t.Errorf("no vector is refused by %q alone", name)
			}
		})
	}
}

// TestVerifierExpectsOneThing: neither a request nor the word that none is needed is a refusal, and
// so are both.
func TestVerifierExpectsOneThing(t *testing.T) {
	t.Parallel()
	vectors := vectorsByName(t)
	verifier, sp, err := vectors["entra"].verifier(t)
	if err != nil {
		t.Fatal(err)
	}
	good := vectors["entra"].verifyOptions(t, sp)
	for name, test := range map[string]struct {
		form    string
		options VerifyOptions
		code    Code
	}{
		"the request":     {vectors["entra"].Form, good, ""},
		"another request": {vectors["entra"].Form, VerifyOptions{RequestID: "_other"}, CodeInResponseTo},
		"no request":      {vectors["entra"].Form, VerifyOptions{}, CodeUnsolicited},
		"an answer as unsolicited": {vectors["entra"].Form, VerifyOptions{AllowUnsolicited: true},
			CodeInResponseTo},
		"both": {vectors["entra"].Form,
			VerifyOptions{RequestID: good.RequestID, AllowUnsolicited: true}, CodeConfig},
		"signed in before the request": {vectors["entra"].Form,
			VerifyOptions{RequestID: good.RequestID,
				RequestedAt: vectors["entra"].time(t, "at").Add(time.Hour)}, CodeAuthnInstant},
		"no request, and no XML either":  {"AAAA", VerifyOptions{}, CodeEncoding},
		"no request, and nothing at all": {"", VerifyOptions{}, CodeResponseMissing},
	} {
		r, err := verifier.Verify(t.Context(), test.form, test.options)
		var refusal *Error
		if test.code == "" && (err != nil || len(r.Claims) != 2) || test.code != "" &&
			(!errors.As(err, &refusal) || refusal.Code != test.code || r != nil) {
			t.Errorf("%s: got %v, want %q", name, err, string(test.code))
		}
	}
}

func TestVerifierConfigFaults(t *testing.T) {
	_, err := NewVerifier(VerifierConfig{RedirectURLs: []string{"http://console.example.com/acs"},
		ClockSkew: time.Hour, DecryptionKeys: make([]DecryptionKey, 1)})
	for _, want := range []string{"entity ID", "signing key", "VerifierConfig.EntityID",
		"VerifierConfig.RedirectURLs", "VerifierConfig.ClockSkew", "VerifierConfig.DecryptionKeys"} {
		if !errors.Is(err, CodeConfig) || !containsMessage(err, want) {
			t.Errorf("%s is not in the error: %v", want, err)
		}
	}
	_, err = NewVerifier(VerifierConfig{Issuer: "https://console.example.com/acs",
		RedirectURLs: []string{"https://console.example.com/acs"}})
	if !containsMessage(err, "our own Redirect URL") {
		t.Errorf("our own URL as issuer: got %v", err)
	}
	if _, err := NewVerifier(VerifierConfig{EntityID: "urn:x"}); !containsMessage(err,
		"VerifierConfig.RedirectURLs is empty") {
		t.Errorf("no Redirect URL: got %v", err)
	}
}

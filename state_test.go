package saml

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// TestBoundRequest: a request ID stands for its login only with the keys, tenant, service, binding,
// settings and time that belong to it, and no changed byte of it does.
func TestBoundRequest(t *testing.T) {
	t.Parallel()
	sp := mustProvider(t, nil)
	b := newBinding("")
	request, err := sp.startLogin(t.Context(), LoginOptions{ForceAuthn: true},
		func(p pendingLogin) string { return sp.bindID(b, p, true) })
	if err != nil {
		t.Fatal(err)
	}
	id := request.ID
	if len(id) != 63 || !isNCName(id) || request.State != "" || !askedForPage(id) || bindingName(id) != b.name {
		t.Errorf("got the ID %q, state %q", id, request.State)
	}
	other := newBinding("")
	other.name = b.name
	at := func(d time.Duration) func(*Config) {
		return func(c *Config) { c.Now = func() time.Time { return testNow.Add(d) } }
	}
	for _, row := range []struct {
		name   string
		id     string
		b      binding
		change func(*Config)
		want   Code // "" for the login
	}{
		{"at once", id, b, nil, ""},
		{"after 59 minutes", id, b, at(59 * time.Minute), ""},
		{"after 60 minutes", id, b, at(60 * time.Minute), CodeStateExpired},
		{"4 minutes before it was made", id, b, at(-4 * time.Minute), CodeStateInvalid},
		{"with a new key before the old one", id, b,
			func(c *Config) { c.StateKeys = [][]byte{fixedKey(100), c.StateKeys[0]} }, ""},
		{"with another key", id, b, func(c *Config) { c.StateKeys = [][]byte{fixedKey(100)} }, CodeStateInvalid},
		{"for another tenant", id, b, func(c *Config) { c.Tenant = "acme" }, CodeStateInvalid},
		{"for another service", id, b, func(c *Config) { c.EntityID = "https://other.example.com" }, CodeStateInvalid},
		{"with other contexts", id, b, func(c *Config) { c.RequestedAuthnContexts = []string{"urn:x"} }, CodeIdentityProvider},
		{"after the store was made anew", id, b, func(c *Config) {
			c.Store = NewMemoryStoreWithClock(func() time.Time { return testNow.Add(time.Second) })
		}, CodeStoreYoung},
		{"another secret", id, other, nil, CodeStateInvalid},
		{"no secret", id, binding{name: b.name}, nil, CodeStateInvalid},
		{"cut off", id[:len(id)-1], b, nil, CodeStateInvalid},
		{"with a line break", id[:len(id)-1] + "\n", b, nil, CodeStateInvalid},
		{"none", "", b, nil, CodeStateInvalid},
	} {
		sp := mustProvider(t, row.change)
		a := &attempt{policy: &sp.policy, now: sp.now(), store: sp.store}
		refusal := sp.begin(t.Context(), a, answer{bound: &boundLogin{requestID: row.id, binding: row.b, returnTo: "/jobs"}})
		if row.want == "" {
			if refusal != nil || a.expect.requestID != id || !a.expect.forceAuthn || a.expect.returnTo != "/jobs" ||
				!a.expect.issuedAt.Equal(testNow) || a.expect.purpose != "" {
				t.Errorf("%s: got %v, %+v", row.name, refusal, a.expect)
			}
			continue
		}
		if refusal == nil || !errors.Is(refusal, row.want) {
			t.Errorf("%s: got %v, want %s", row.name, refusal, string(row.want))
		}
	}
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for i := 1; i < len(id); i++ {
		for _, c := range letters {
			changed := id[:i] + string(c) + id[i+1:]
			if changed == id {
				continue
			}
			with := b
			with.name = bindingName(changed)
			if p, _ := sp.openBound(nil, &boundLogin{requestID: changed, binding: with}, testNow); p.RequestID != "" {
				t.Fatalf("the changed ID %s is taken for one of ours", changed)
			}
		}
	}
}

// TestBindingsInCookies: what was written is read again, and nothing else is.
func TestBindingsInCookies(t *testing.T) {
	t.Parallel()
	for _, tenant := range []string{"", "acme", strings.Repeat("t", 100)} {
		b := newBinding(tenant)
		for _, b.purpose = range []string{"", "sealed"} {
			if got, ok := parseBinding(b.name, b.value()); !ok || got != b {
				t.Errorf("got %+v, %t, want %+v", got, ok, b)
			}
		}
	}
	for _, bad := range []string{"", "short", "AAAAAAAAAAAAA", "AAAAAAAAAAAA.", "AAAAAAAAAAAA.%", "AAAAAAAAAAAA.YR"} {
		if got, ok := parseBinding("abc", bad); ok {
			t.Errorf("%q is read as %+v", bad, got)
		}
	}
}

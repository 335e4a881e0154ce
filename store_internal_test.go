package saml

import (
	"fmt"
	"testing"
	"time"

	"github.com/iomete/saml/internal/storekey"
)

// TestMemoryStoreIsBounded: a full store refuses, and forgets nothing that is alive to make room.
func TestMemoryStoreIsBounded(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	m := NewMemoryStoreWithClock(func() time.Time { return now })
	m.most = 3
	for i, ttl := range []time.Duration{time.Hour, time.Minute, 2 * time.Hour} {
		if first, err := m.Claim(t.Context(), fmt.Sprint("v1/", i), ttl); !first || err != nil {
			t.Fatalf("claim %d: %t, %v", i, first, err)
		}
	}
	if first, err := m.Claim(t.Context(), "v1/new", time.Hour); first || err == nil {
		t.Errorf("claim in a full store: got %t, %v, want an error", first, err)
	}
	if first, err := m.Claim(t.Context(), "v1/0", time.Hour); first || err != nil {
		t.Errorf("claim of a live entry in a full store: got %t, %v, want false", first, err)
	}
	now = now.Add(time.Minute)
	if first, err := m.Claim(t.Context(), "v1/new", time.Hour); !first || err != nil {
		t.Errorf("claim after an entry ended: got %t, %v, want true", first, err)
	}
	if len(m.entries) != 3 || len(m.order) != 3 {
		t.Errorf("got %d entries and %d endings, want 3 of each", len(m.entries), len(m.order))
	}
}

// TestStoreKeysAreStable: replicas of different releases share a store. The digests were computed
// with another program.
func TestStoreKeysAreStable(t *testing.T) {
	for _, test := range []struct{ name, got, want string }{
		{"a request", storekey.Of(storekey.Request, "acme", "https://sts.windows.net/t/", "_1"),
			"v1/req/Vkgs8QBKgQdU4A1F-j459OZfgB8Xcq-tjPd42DOPyVs"},
		{"an assertion with the same ID", storekey.Of(storekey.Assertion, "acme", "https://sts.windows.net/t/", "_1"),
			"v1/ast/Vkgs8QBKgQdU4A1F-j459OZfgB8Xcq-tjPd42DOPyVs"},
		{"the parts divided in another way", storekey.Of(storekey.Assertion, "", "acmehttps://sts.windows.net/t/",
			"_1"), "v1/ast/xXEtQaHMe6uRMxDfobWUjypQNqzIJLgAwqaibqvxmU0"},
	} {
		if test.got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, test.got, test.want)
		}
	}
}

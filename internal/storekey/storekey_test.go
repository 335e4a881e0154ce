package storekey

import (
	"fmt"
	"strings"
	"testing"
)

// TestOfTenant: replicas of different releases share the keys, and a store tells by them whose they
// are. Another program computed the digests.
func TestOfTenant(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ got, want string }{
		{OfTenant(Request, "acme", "https://sts.windows.net/t/", "_1"),
			"v1/req/giszrYfBSKCi/Vkgs8QBKgQdU4A1F-j459OZfgB8Xcq-tjPd42DOPyVs"},
		{OfTenant(Assertion, "acme", "https://sts.windows.net/t/", "_1"),
			"v1/ast/giszrYfBSKCi/Vkgs8QBKgQdU4A1F-j459OZfgB8Xcq-tjPd42DOPyVs"},
		{OfTenant(Assertion, "", "acmehttps://sts.windows.net/t/", "_1"),
			"v1/ast/47DEQpj8HBSa/xXEtQaHMe6uRMxDfobWUjypQNqzIJLgAwqaibqvxmU0"},
	} {
		if row.got != row.want {
			t.Errorf("got %s, want %s", row.got, row.want)
		}
	}
	tenants := map[Tenant]bool{}
	for _, tenant := range []string{"", "a", "b", "a/b", strings.Repeat("long", 1000)} {
		for _, kind := range []string{Request, Assertion, Session, Form, Record, Logout, Key} {
			key := OfTenant(kind, tenant, "part")
			if rest, ok := strings.CutPrefix(key, kind); !ok || len(key) > 64 || strings.Count(rest, "/") != 1 {
				t.Errorf("tenant %.9q: got the key %q", tenant, key)
			}
			if TenantOf(key) != TenantOf(OfTenant(Request, tenant)) {
				t.Errorf("tenant %.9q: the key %q is another one's", tenant, key)
			}
		}
		tenants[TenantOf(OfTenant(Request, tenant))] = true
	}
	if len(tenants) != 5 || tenants[Tenant{}] {
		t.Errorf("five tenants have the parts %v", tenants)
	}
}

// TestOneAllocation: a key is made without garbage.
func TestOneAllocation(t *testing.T) {
	tenant := strings.Repeat("t", 60)
	if got := testing.AllocsPerRun(100, func() { OfTenant(Record, tenant, "service", "id", "record") }); got > 1 {
		t.Errorf("a key takes %v allocations, want one", got)
	}
}

// fill takes room for a tenant until there is none, and returns how much that was.
func fill(r *Room, tenant string) (n int) {
	for t := TenantOf(OfTenant(Logout, tenant)); r.Fits(t, 1); n++ {
		r.Add(t, 1)
	}
	return n
}

func TestRoom(t *testing.T) {
	t.Parallel()
	r := Room{Size: 1000, Each: 10}
	if got := fill(&r, "a"); got != 500 {
		t.Errorf("the first tenant gets %d, want half of the room", got)
	}
	if got := fill(&r, "b"); got != 250 {
		t.Errorf("the second tenant gets %d, want half of the rest", got)
	}
	for i := range 20 {
		fill(&r, fmt.Sprint(i))
	}
	if got := fill(&r, "last"); got != r.Each {
		t.Errorf("the last tenant gets %d, want %d", got, r.Each)
	}
	a := TenantOf(OfTenant(Record, "a"))
	if !r.Fits(a, 0) || !r.Fits(a, -1) {
		t.Error("a value cannot be replaced by one that is no larger")
	}
	r.Add(a, -500)
	if got := fill(&r, "a"); got < 150 {
		t.Errorf("a tenant that gave its room back gets %d", got)
	}
	for tenant, n := range r.tenants {
		r.Add(tenant, -n)
	}
	if r.Used() != 0 || len(r.tenants) != 0 {
		t.Errorf("all gave their room back, and %d is taken by %v", r.Used(), r.tenants)
	}
}

// TestRoomOfOtherKeys: a key that is not one of ours counts too.
func TestRoomOfOtherKeys(t *testing.T) {
	t.Parallel()
	r := Room{Size: 6}
	for i := range 3 {
		if tenant := TenantOf(strings.Repeat("k/", i)); !r.Fits(tenant, 1) {
			t.Fatalf("%d do not fit", i+1)
		} else {
			r.Add(tenant, 1)
		}
	}
	if r.Fits(TenantOf(""), 1) {
		t.Error("four fit, want three")
	}
}

// TestTenantOf: what stands between the second and the third slash is the tenant, in any key.
func TestTenantOf(t *testing.T) {
	t.Parallel()
	const ours = "v1/req/giszrYfBSKCi/hash"
	if got := TenantOf(ours); string(got[:]) != "giszrYfBSKCi" {
		t.Errorf("TenantOf(%q): got %q", ours, got)
	}
	for _, none := range []string{"", "v1", "v1/req", "v1/req/giszrYfBSKCi", "v1/req//hash"} {
		if got := TenantOf(none); got != (Tenant{}) {
			t.Errorf("TenantOf(%q): got %q, want the zero Tenant", none, got)
		}
	}
	seen := map[Tenant]string{}
	for _, key := range []string{ours, "v1/req/giszrYfBSKC/hash", "v1/req/giszrYfBSKCi2/hash", "v1/req/2/hash", "a/b/c/"} {
		if other, known := seen[TenantOf(key)]; known {
			t.Errorf("%q and %q have one tenant", key, other)
		}
		seen[TenantOf(key)] = key
	}
	if TenantOf("v1/req/2/hash") != TenantOf("v1/ast/2/another/with/slashes") {
		t.Error("two keys of a tenant have two")
	}
}

package storekey

import (
	"crypto/sha256"
	"strings"
)

// A Tenant stands for the tenant of a key. It has no pointer, so a store may keep millions of them
// without work for the garbage collector.
type Tenant [12]byte

// TenantOf returns the 12 characters that OfTenant wrote for the tenant. Another key that has text
// in their place, between its second and third slash, gets a hash of that text. All other keys belong
// to one tenant together, the zero Tenant.
func TenantOf(key string) (t Tenant) {
	_, rest, _ := strings.Cut(key, "/")
	_, rest, _ = strings.Cut(rest, "/")
	name, _, found := strings.Cut(rest, "/")
	switch {
	case !found || name == "":
	case len(name) == len(t):
		copy(t[:], name)
	default:
		sum := sha256.Sum256([]byte(name))
		copy(t[:], sum[:])
	}
	return t
}

// A Room is the space of a store in memory that all tenants of a service share. A tenant may take
// as much as is still free afterwards, so one alone gets half of the space, and however many take
// all they can, something is left. It may take Each in any case. The store must guard the Room with
// its mutex.
type Room struct {
	Size int // of all tenants together, beside Each
	Each int // what every tenant has for itself, whatever the others take

	used    int
	tenants map[Tenant]int // what each has taken
}

// Fits reports whether there is room for n more of a tenant. Less than before always fits.
func (r *Room) Fits(tenant Tenant, n int) bool {
	own := r.tenants[tenant] + n
	return n <= 0 || own <= r.Each || own <= r.Size-r.used-n
}

// Add takes the room of n for a tenant, and gives it back if n is less than zero.
func (r *Room) Add(tenant Tenant, n int) {
	if r.tenants == nil {
		r.tenants = map[Tenant]int{}
	}
	r.used += n
	if r.tenants[tenant] += n; r.tenants[tenant] == 0 {
		delete(r.tenants, tenant)
	}
}

// Used returns what all tenants have taken.
func (r *Room) Used() int { return r.used }

package storekey

import "strings"

// A Room is the space of a store in memory that all tenants of a service share. A tenant may take
// as much as is still free afterwards, so one alone gets half of the space, and however many take
// all they can, something is left. It may take Each in any case. The store must guard the Room with
// its mutex.
type Room struct {
	Size int // of all tenants together, beside Each
	Each int // what every tenant has for itself, whatever the others take

	used    int
	tenants map[string]int // what each has taken, by tenantOf
}

// Fits reports whether there is room for n more under a key. Less than before always fits.
func (r *Room) Fits(key string, n int) bool {
	own := r.tenants[tenantOf(key)] + n
	return n <= 0 || own <= r.Each || own <= r.Size-r.used-n
}

// Add takes the room of n under a key, and gives it back if n is less than zero.
func (r *Room) Add(key string, n int) {
	if r.tenants == nil {
		r.tenants = map[string]int{}
	}
	tenant := tenantOf(key)
	r.used += n
	if r.tenants[tenant] += n; r.tenants[tenant] == 0 {
		delete(r.tenants, tenant)
	}
}

// Used returns what all tenants have taken.
func (r *Room) Used() int { return r.used }

// tenantOf returns the part of a key that stands for its tenant. Keys that OfTenant did not make
// belong to one tenant together.
func tenantOf(key string) string {
	parts := strings.SplitN(key, "/", 4)
	if len(parts) < 4 {
		return ""
	}
	return parts[2]
}

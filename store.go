package saml

import (
	"context"
	"time"
)

// A Store remembers, for all replicas of a service together, which keys were used up: answered requests, consumed
// assertions, ended sessions. Keys are printable ASCII of at most 64 bytes beginning with "v1/".
//
// Implementations are tested with package storetest.
type Store interface {
	// Claim records key for ttl and reports whether it was free. It is atomic: of any number of concurrent calls with
	// one key, on any number of replicas, exactly one gets true until ttl has passed. A live entry is never dropped.
	// After an error it is unknown whether the key was recorded; callers refuse and do not try again.
	Claim(ctx context.Context, key string, ttl time.Duration) (first bool, err error)

	// Claimed reports whether key is recorded and its ttl has not passed, without recording anything.
	Claimed(ctx context.Context, key string) (bool, error)
}

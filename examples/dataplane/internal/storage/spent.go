package storage

import (
	"context"
	"time"

	"github.com/iomete/saml"
)

type spent struct{ m *saml.MemoryStore }

var memory = saml.NewMemoryStore()

func (s spent) Create(context.Context) error { return nil }
func (s spent) Prune(context.Context) error  { return nil }
func (s spent) Claim(ctx context.Context, k string, d time.Duration) (bool, error) {
	return s.m.Claim(ctx, k, d)
}
func (s spent) Claimed(ctx context.Context, k string) (bool, error) { return s.m.Claimed(ctx, k) }

func (db *DB) Spent() spent { return spent{memory} }

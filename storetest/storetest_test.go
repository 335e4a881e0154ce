package storetest_test

import (
	"testing"

	"github.com/iomete/saml"
	"github.com/iomete/saml/storetest"
)

// The real clock; with a clock of its own the store is tested in package saml.
func TestMemoryStore(t *testing.T) {
	t.Parallel()
	store := saml.NewMemoryStore()
	storetest.Run(t, storetest.Options{New: func(*testing.T) saml.Store { return store }})
}

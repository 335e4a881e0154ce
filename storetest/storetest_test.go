package storetest_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/iomete/saml"
	"github.com/iomete/saml/storetest"
)

// TestMemoryStore uses the real clock. Package saml tests the store with a clock of the test.
func TestMemoryStore(t *testing.T) {
	t.Parallel()
	store := saml.NewMemoryStore()
	storetest.Run(t, storetest.Options{New: func(*testing.T) saml.Store { return store }})
}

// TestForgottenClaims: stores that do not share data must say so. The tests of such stores run in
// another process, because they must fail.
func TestForgottenClaims(t *testing.T) {
	t.Parallel()
	const name = "STORETEST_STORE"
	const complaint = "does not say that it forgets"
	stores := map[string]func(*testing.T) saml.Store{
		"says so":  func(*testing.T) saml.Store { return saml.NewMemoryStore() },
		"hides it": func(*testing.T) saml.Store { return struct{ saml.Store }{saml.NewMemoryStore()} },
	}
	if store := os.Getenv(name); store != "" {
		storetest.Run(t, storetest.Options{New: stores[store]})
		return
	}
	for store, want := range map[string]bool{"says so": false, "hides it": true} {
		command := exec.Command(os.Args[0], "-test.run=^TestForgottenClaims$/a_second_store", "-test.v")
		command.Env = append(os.Environ(), name+"="+store)
		output, err := command.CombinedOutput()
		got := err != nil && strings.Contains(string(output), complaint)
		if got != want || !strings.Contains(string(output), "a_second_store") {
			t.Errorf("a store that %s: complained %t, want %t (%v)\n%s", store, got, want, err, output)
		}
	}
}

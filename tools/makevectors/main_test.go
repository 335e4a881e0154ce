package main

import (
	"maps"
	"testing"

	"github.com/iomete/saml/internal/testfiles"
	"github.com/iomete/saml/testdata/vectors"
)

// TestBothReadersAgree: the package that other modules import and the reader of our own tests see
// the same vectors.
func TestBothReadersAgree(t *testing.T) {
	t.Parallel()
	public, err := vectors.All()
	if err != nil {
		t.Fatal(err)
	}
	own := testfiles.Vectors(t)
	if len(public) == 0 || len(public) != len(own) {
		t.Fatalf("the package reads %d vectors, our tests %d", len(public), len(own))
	}
	for i, v := range own {
		p := public[i]
		if p.Name != v.Name || p.Form != v.Form || !maps.Equal(p.Header, v.Header) || p.Accepted() != v.Accepted() {
			t.Errorf("vector %d is %s in the package and %s in our tests, or they differ in content", i, p.Name, v.Name)
		}
	}
}

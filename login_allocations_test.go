//go:build !race

package saml_test

import "testing"

// TestLoginAllocations: what each step of a sign-in may allocate. The bounds leave a tenth for releases of Go; a
// template, a tree of XML or a second reading of the cookies takes more.
func TestLoginAllocations(t *testing.T) {
	s := newFastSignIn(t)
	for _, row := range []struct {
		name string
		do   func(testing.TB)
		most float64
	}{
		{"the start of a login", s.start, 21},
		{"the first leg of the post", s.legOne, 31},
		{"the second leg, to the session", s.legTwo, 190},
	} {
		if n := testing.AllocsPerRun(50, func() { row.do(t) }); n > row.most {
			t.Errorf("%s: got %v allocations, want at most %v", row.name, n, row.most)
		}
	}
}

//go:build unix

package main

import "testing"

// TestShapes measures nothing: every message gets its answer, and fills the limit that it is meant to fill.
func TestShapes(t *testing.T) {
	if testing.Short() {
		t.Skip("signs some thirty messages of 1 MiB")
	}
	verifiers, err := newVerifiers()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range shapes {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			v := verifiers[s.keys]
			response, err := v.prepare(s.fill(largest))
			if err != nil {
				t.Fatal(err)
			}
			if size := len(response.SAMLResponse) / 4 * 3; size < largest*8/10 {
				t.Errorf("the message has %d bytes, want nearly %d", size, largest)
			}
			if _, err := v.verify(response, s.code); err != nil {
				t.Error(err)
			}
		})
	}
}

//go:build unix

package main

import (
	"slices"
	"strings"
	"testing"
)

// smallBodied are shapes that reach what they are about before they are large.
var smallBodied = []string{"an EncryptedAssertion of unknown elements", "a mistake at the end",
	"transforms, unknown signer", "metadata with one certificate many times",
	"form value", "aggregate"}

// TestShapes measures nothing: every message gets its answer, and fills the limit that it is meant
// to fill. Documents are small here: what a large one costs where a bound is missing is for the
// program to find out.
func TestShapes(t *testing.T) {
	if testing.Short() {
		t.Skip("signs some ninety messages of 1 MiB")
	}
	families, err := allFamilies()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, f := range families {
		if names[f.name] {
			t.Errorf("there are two shapes %q", f.name)
		}
		names[f.name] = true
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			size := largest
			if f.bounds == ofDocuments {
				size = f.bounds.largest / 128
			}
			in, err := f.prepare(size)
			if err != nil {
				t.Fatal(err)
			}
			small := slices.ContainsFunc(smallBodied, func(s string) bool { return strings.Contains(f.name, s) })
			if in.size < size*8/10 && !small && f.bounds == ofMessages {
				t.Errorf("it has %d bytes, want nearly %d", in.size, size)
			}
			if code := codeOf(in.read()); f.bounds == ofMessages && !slices.Contains(f.answers, code) {
				t.Errorf("got the answer %q, want one of %q", string(code), f.answers)
			}
		})
	}
}

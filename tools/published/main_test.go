package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestRun: modules in folders are not part of what is published, and too much is an error.
func TestRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.org/m\n\ngo 1.25\n", "m.go": "package m\n", "docs/a.md": "A\n",
		"vectors/go.mod": "module example.org/m/vectors\n\ngo 1.25\n", "vectors/a.txt": strings.Repeat("A", 1000),
	} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	unpacked := filepath.Join(t.TempDir(), "unpacked")
	var printed bytes.Buffer
	if err := run(&printed, dir, unpacked, 100_000); err != nil || !strings.HasPrefix(printed.String(),
		"example.org/m: ") {
		t.Fatalf("got %v, printed %q", err, printed.String())
	}
	var got []string
	err := filepath.WalkDir(unpacked, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, err = filepath.Rel(unpacked, name)
			got = append(got, filepath.ToSlash(name))
		}
		return err
	})
	if want := []string{"docs/a.md", "go.mod", "m.go"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if err := run(&printed, dir, filepath.Join(t.TempDir(), "unpacked"), 100); err == nil ||
		!strings.Contains(err.Error(), "want at most 100") {
		t.Errorf("got %v, want an error about the size", err)
	}
}

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestRun counts in two small modules whose figures can be seen.
func TestRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.org/m\n\ngo 1.25\n",
		// a.go and b.go use each other, c.go is used by a.go alone; one function has 41 lines, one
		// 40.
		"a.go": "// Package m is measured.\npackage m\n\n// A is exported, as are its field and its method.\ntype A struct{ F, f int }\n\n// M uses b.go and c.go.\nfunc (A) M() { b(); c() }\n",
		"b.go": "package m\n\nfunc b() {\n" + strings.Repeat("\t_ = 0\n", 38) + "\t_ = A{}\n}\n" +
			"\nfunc short() {\n" + strings.Repeat("\n", 38) + "}\n",
		"c.go": "package m\n\nfunc c() { _ = `" + strings.Repeat("x", 120) + "`; }\n\n// " + strings.Repeat("x", 97) +
			"\n// " + strings.Repeat("x", 98) +
			"\n/*\nA comment of three lines.\n*/\n",
		"a_test.go":        "package m\n",
		"internal/i/i.go":  "package i\n\n// E is out of reach for others.\nfunc E() {}\n",
		"other/go.mod":     "module example.org/m/other\n\ngo 1.25\n",
		"other/main.go":    "package main\n\nfunc main() {}\n\n// E cannot be imported.\nfunc E() {}\n",
		"testdata/ignored": "func",
	} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var printed bytes.Buffer
	if err := run(&printed, dir, true); err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	var listed []string
	for line := range strings.Lines(printed.String()) {
		if strings.Contains(line, ": ") {
			listed = append(listed, strings.TrimSpace(line))
			continue
		}
		fields := strings.Fields(strings.Replace(line, " (module)", "", 1))
		rows[fields[0]] = fields[1:]
	}
	for name, want := range map[string]string{
		".":        "3 101 84 b.go 1 3 1 1 140 1 3.5 8 1 1",
		"internal": "1 4 4 internal/i/i.go 0 0 0 0 32 0 4.0 25 0 0",
		"other":    "1 6 6 other/main.go 0 0 0 0 24 0 4.7 17 0 0",
	} {
		if got := strings.Join(rows[name], " "); got != want {
			t.Errorf("%s: got %s\nwant %s", name, got, want)
		}
	}
	for _, want := range []string{".: pair: a.go and b.go of example.org/m", ".: function: b.go b, 41 lines",
		".: exported: example.org/m.A", ".: exported: example.org/m.A.F", ".: exported: example.org/m.A.M"} {
		if !slices.Contains(listed, want) {
			t.Errorf("%q is not in the list:\n%s", want, strings.Join(listed, "\n"))
		}
	}
	if err := run(&printed, filepath.Join(dir, "testdata"), false); err == nil {
		t.Error("got no error for a directory without a module")
	}
}

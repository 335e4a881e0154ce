package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// goTest runs go test -json in a module of these files and returns the file with its output.
func goTest(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	files["go.mod"] = "module example.org/m\n\ngo 1.25\n"
	for name, text := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "test", "-json", "./...")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	out, _ := cmd.Output() // its error is that tests failed, which the output says too
	output := filepath.Join(dir, "output.json")
	if err := os.WriteFile(output, out, 0o600); err != nil {
		t.Fatal(err)
	}
	return output
}

const head = "package p\n\nimport \"testing\"\n\n"

// TestRun: what go test itself takes as a success is a failure where something did not run.
func TestRun(t *testing.T) {
	t.Parallel()
	const passes = head + "func TestA(t *testing.T) { t.Run(\"part\", func(t *testing.T) {}) }\n"
	for _, tt := range []struct {
		name       string
		files      map[string]string
		packages   string
		allowSkips bool
		wantError  string // "" for a success
		wantOutput string
	}{
		{"all pass", map[string]string{"p_test.go": passes}, "example.org/m", false, "", "2 passed, 0 failed"},
		{"a test is skipped", map[string]string{"p_test.go": passes +
			"func TestB(t *testing.T) { t.Skip(\"no browser\") }\n"}, "example.org/m", false,
			"1 tests were skipped", "no browser"},
		{"a test is skipped, which is allowed",
			map[string]string{"p_test.go": passes +
				"func TestB(t *testing.T) { t.Skip(\"no browser\") }\n"}, "example.org/m", true,
			"", "2 passed, 0 failed, 1 skipped"},
		{"a package is left out", map[string]string{"p_test.go": passes}, "example.org/m\nexample.org/m/other", false,
			"1 packages were left out", "left out: example.org/m/other"},
		{"a package without tests", map[string]string{"p_test.go": passes, "q/q.go": "package q\n"},
			"example.org/m example.org/m/q", false, "", "2 passed, 0 failed"},
		{"no test at all", map[string]string{"p.go": "package p\n"}, "example.org/m", false, "no test passed",
			"0 passed"},
		{"a test fails", map[string]string{"p_test.go": passes + "func TestB(t *testing.T) { t.Fail() }\n"},
			"example.org/m", true, "failed", "failed: example.org/m TestB"},
		{"the process ends in a test",
			map[string]string{"p_test.go": strings.Replace(passes, "testing\"\n", "testing\"\nimport \"os\"\n", 1) +
				"func TestB(t *testing.T) { os.Exit(3) }\n"},
			"example.org/m", true, "failed", "failed: example.org/m"},
		{"a package does not compile",
			map[string]string{"p_test.go": passes,
				"q/q_test.go": "package q\n\nvar x int = \"\"\n"}, "example.org/m example.org/m/q", true,
			"failed", "failed: example.org/m/q"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			output := goTest(t, tt.files)
			packages, counts := filepath.Join(t.TempDir(), "packages.txt"), filepath.Join(t.TempDir(), "counts.txt")
			if err := os.WriteFile(packages, []byte(tt.packages), 0o600); err != nil {
				t.Fatal(err)
			}
			var printed bytes.Buffer
			err := run(&printed, []string{output}, packages, counts, tt.allowSkips)
			if (err == nil) != (tt.wantError == "") || err != nil && !strings.Contains(err.Error(), tt.wantError) {
				t.Errorf("got %v, want an error with %q", err, tt.wantError)
			}
			if !strings.Contains(printed.String(), tt.wantOutput) {
				t.Errorf("printed %q, want something with %q", printed.String(), tt.wantOutput)
			}
			if line, err := os.ReadFile(counts); err != nil || !strings.HasSuffix(printed.String(), string(line)) {
				t.Errorf("the file of counts has %q (%v), and printed was %q", line, err, printed.String())
			}
		})
	}
}

// TestRunWithoutOutput: an empty list, a missing file and a line that is no event are failures, not
// a run without tests.
func TestRunWithoutOutput(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("panic: no event\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, files := range map[string][]string{"no file": nil, "a missing file": {file + "x"},
		"a line that is no event": {file}} {
		if err := run(new(bytes.Buffer), files, "", "", false); err == nil ||
			strings.Contains(err.Error(), "no test passed") {
			t.Errorf("%s: got %v, want an error about the file", name, err)
		}
	}
}

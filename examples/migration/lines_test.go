package main

import (
	"bytes"
	"flag"
	"fmt"
	"go/scanner"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the counted lines into README.md")

const (
	linesBegin = "<!-- lines -->\n"
	linesEnd   = "<!-- /lines -->"
)

// TestReadmeCountsTheLines: the table in README.md is counted.
func TestReadmeCountsTheLines(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	start, rest, _ := bytes.Cut(readme, []byte(linesBegin))
	got, end, found := bytes.Cut(rest, []byte(linesEnd))
	if !found {
		t.Fatalf("README.md has no place for the table: want it between %q and %q", linesBegin, linesEnd)
	}
	want := "| | lines of code |\n| --- | --- |\n"
	for _, name := range []string{"before", "after"} {
		want += fmt.Sprintf("| [%s](%[1]s/service.go) | %d |\n", name, linesOfCode(t, filepath.Join(name, "service.go")))
	}
	if *update {
		text := string(start) + linesBegin + want + linesEnd + string(end)
		if err := os.WriteFile("README.md", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if string(got) != want {
		t.Errorf("got %s, want %s: run go test -run TestReadmeCountsTheLines -update .", got, want)
	}
}

// linesOfCode counts the lines of a file that have code, that is more than comments and space.
func linesOfCode(t *testing.T, name string) int {
	t.Helper()
	source, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	files := token.NewFileSet()
	file := files.AddFile(name, -1, len(source))
	var s scanner.Scanner
	s.Init(file, source, nil, 0)
	lines := map[int]bool{}
	for {
		at, kind, text := s.Scan()
		if kind == token.EOF {
			return len(lines)
		}
		if kind == token.SEMICOLON && text == "\n" {
			continue // the end of a line, which the scanner makes up
		}
		first := file.Line(at)
		for i := range 1 + strings.Count(text, "\n") {
			lines[first+i] = true
		}
	}
}

// TestLinesOfCode: comments and empty lines do not count; texts of several lines do.
func TestLinesOfCode(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.go")
	source := "// Package a\npackage a\n\n/* one\ntwo */\nvar a = `b\n\nc` // d\n"
	if err := os.WriteFile(name, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := linesOfCode(t, name); got != 4 {
		t.Errorf("got %d lines, want 4", got)
	}
}

package saml_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDocsNameWhatExists checks what a reader can follow in the documentation: links to files and
// headings, and the names of tests that keep a rule.
func TestDocsNameWhatExists(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("e2e/go.mod"); err != nil {
		t.Skip("this is not a checkout: the other modules that the documentation links to are not here")
	}
	pages, tests := documentation(t)
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	testName := regexp.MustCompile("`((?:Test|Fuzz|Example)[A-Z]\\w*)`")
	links, names := 0, 0
	for name, text := range pages {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			target, heading, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			links++
			file := name
			if target != "" {
				file = path.Join(path.Dir(name), target)
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s links to %s, which does not exist", name, m[1])
			} else if heading != "" && !hasHeading(pages[file], heading) {
				t.Errorf("%s links to %s, and there is no such heading", name, m[1])
			}
		}
		for _, m := range testName.FindAllStringSubmatch(text, -1) {
			names++
			if !tests[m[1]] {
				t.Errorf("%s names %s, and there is no such test", name, m[1])
			}
		}
	}
	if links < 50 || names < 20 {
		t.Errorf("got %d links and %d names of tests: this test no longer finds them", links, names)
	}
}

// documentation returns the text of all Markdown files of the checkout by name, and the names of
// its tests.
func documentation(t *testing.T) (pages map[string]string, tests map[string]bool) {
	t.Helper()
	pages, tests = map[string]string{}, map[string]bool{}
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git" || name == ".ci/out") {
			return fs.SkipDir
		}
		switch {
		case strings.HasSuffix(name, ".md"):
			text, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			pages[filepath.ToSlash(name)] = string(text)
		case strings.HasSuffix(name, "_test.go"):
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			for _, d := range file.Decls {
				if f, ok := d.(*ast.FuncDecl); ok {
					tests[f.Name.Name] = true
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return pages, tests
}

// hasHeading reports whether a page has the heading that an anchor names, in the form that GitHub
// gives it: lower case, hyphens for spaces, without punctuation.
func hasHeading(page, anchor string) bool {
	left := regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	for line := range strings.Lines(page) {
		title := strings.TrimLeft(line, "#")
		if title == line {
			continue
		}
		title = left.ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), "")
		if strings.ReplaceAll(title, " ", "-") == anchor {
			return true
		}
	}
	return false
}

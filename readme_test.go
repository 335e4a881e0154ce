package saml_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"

	"github.com/iomete/saml"
)

// TestReadmeListsTheChecks: the table in README.md is saml.Checks.
func TestReadmeListsTheChecks(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(readme), "<!-- checks -->\n")
	got, _, _ := strings.Cut(rest, "<!-- /checks -->")
	var want strings.Builder
	want.WriteString("| step | demands | source | codes |\n| --- | --- | --- | --- |\n")
	for _, c := range saml.Checks() {
		codes := make([]string, len(c.Codes))
		for i, code := range c.Codes {
			codes[i] = "`" + string(code) + "`"
		}
		fmt.Fprintf(&want, "| %s | %s | %s | %s |\n", c.Name, c.Rule, c.Spec, strings.Join(codes, " "))
	}
	if got != want.String() {
		t.Errorf("the table in README.md is not saml.Checks; put this between its markers:\n%s", want.String())
	}
}

// TestReadmeShowsTheExamples: the Go code in README.md is that of the examples, which are compiled
// and run.
func TestReadmeShowsTheExamples(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []struct {
		marker, file string
		functions    []string
	}{
		{"service", "example_service_test.go", []string{"signOn"}},
		{"verifier", "example_verifier_test.go", []string{"identify"}},
		{"account", "example_accounts_test.go", []string{"signIn", "waiting", "bind"}},
	} {
		text := documentedFunctions(t, part.file)
		var list []string
		for _, name := range part.functions {
			if text[name] == "" {
				t.Fatalf("%s has no function %s with a doc comment", part.file, name)
			}
			list = append(list, text[name])
		}
		want := strings.Join(list, "\n\n")
		_, rest, _ := strings.Cut(string(readme), "<!-- "+part.marker+" -->\n```go\n")
		got, _, _ := strings.Cut(rest, "\n```\n<!-- /"+part.marker+" -->")
		if got != want {
			t.Errorf("README.md does not show the code of %s; put this between its %s markers:\n%s",
				part.file, part.marker, want)
		}
	}
}

// documentedFunctions returns the source of the functions of a file that have a doc comment, by
// name.
func documentedFunctions(t *testing.T, name string) map[string]string {
	t.Helper()
	source, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, source, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	text := map[string]string{}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Doc != nil {
			start, end := files.Position(f.Doc.Pos()).Offset, files.Position(f.End()).Offset
			text[f.Name.Name] = string(source[start:end])
		}
	}
	return text
}

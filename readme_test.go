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

// TestReadmeShowsTheExamples: the Go code in README.md is that of example_test.go, which is compiled and run.
func TestReadmeShowsTheExamples(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	text := exampleFunctions(t)
	for marker, names := range map[string][]string{
		"service":  {"signOn"},
		"verifier": {"identify"},
		"account":  {"signIn", "waiting", "bind"},
	} {
		var want []string
		for _, name := range names {
			if text[name] == "" {
				t.Fatalf("example_test.go has no function %s with a doc comment", name)
			}
			want = append(want, text[name])
		}
		_, rest, _ := strings.Cut(string(readme), "<!-- "+marker+" -->\n```go\n")
		got, _, _ := strings.Cut(rest, "\n```\n<!-- /"+marker+" -->")
		if want := strings.Join(want, "\n\n"); got != want {
			t.Errorf("README.md does not show the code of example_test.go; put this between its %s markers:\n%s", marker, want)
		}
	}
}

// exampleFunctions returns the source of the functions of example_test.go that have a doc comment, by name.
func exampleFunctions(t *testing.T) map[string]string {
	t.Helper()
	source, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "example_test.go", source, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	text := map[string]string{}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Doc != nil {
			text[f.Name.Name] = string(source[files.Position(f.Doc.Pos()).Offset:files.Position(f.End()).Offset])
		}
	}
	return text
}

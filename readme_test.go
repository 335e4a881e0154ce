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

// TestReadmeShowsTheAccountRecipe: the code in README.md is that of the example, which is compiled and tested.
func TestReadmeShowsTheAccountRecipe(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
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
		if f, ok := d.(*ast.FuncDecl); ok && f.Recv != nil && f.Doc != nil {
			text[f.Name.Name] = string(source[files.Position(f.Doc.Pos()).Offset:files.Position(f.End()).Offset])
		}
	}
	_, rest, _ := strings.Cut(string(readme), "<!-- account -->\n```go\n")
	got, _, _ := strings.Cut(rest, "\n```\n<!-- /account -->")
	want := text["signIn"] + "\n\n" + text["waiting"] + "\n\n" + text["bind"]
	if text["signIn"] == "" || got != want {
		t.Errorf("README.md does not show the recipe of example_test.go; put this between its markers:\n%s", want)
	}
}

package saml_test

import (
	"fmt"
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

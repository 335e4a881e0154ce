package saml

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/iomete/saml/internal/testfiles"
)

// fixtureDir gives the directory of real metadata and responses, with the folders metadata and
// responses in it. The files belong to others and are no part of this repository: where they are
// absent the test is skipped, or fails if SAML_TEST_REQUIRE is "all".
func fixtureDir(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("SAML_FIXTURES")
	if dir == "" {
		dir = filepath.Join("..", "shared", "fixtures")
	}
	if _, err := os.Stat(filepath.Join(dir, "INDEX.md")); err == nil {
		return dir
	}
	testfiles.Missing(t, "no fixtures in %s: set SAML_FIXTURES to the directory that holds INDEX.md, metadata and responses", dir)
	return ""
}

// readFixture gives one file of fixtureDir, named by its path there ("metadata/entra-1.xml").
func readFixture(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(fixtureDir(t), filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// readFixtureJSON decodes the description of a fixture ("metadata/entra-1.json") into v.
func readFixtureJSON(t testing.TB, name string, v any) {
	t.Helper()
	if err := json.Unmarshal(readFixture(t, name), v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// listFixtures gives the paths below fixtureDir that match pattern ("metadata/*.json"), sorted.
// None is a failure.
func listFixtures(t testing.TB, pattern string) []string {
	t.Helper()
	dir := fixtureDir(t)
	found, err := filepath.Glob(filepath.Join(dir, filepath.FromSlash(pattern)))
	if err != nil || len(found) == 0 {
		t.Fatalf("no fixtures match %s in %s (%v)", pattern, dir, err)
	}
	names := make([]string, len(found))
	for i, f := range found {
		rel, err := filepath.Rel(dir, f)
		if err != nil {
			t.Fatal(err)
		}
		names[i] = filepath.ToSlash(rel)
	}
	return names
}

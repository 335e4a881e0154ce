package console_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fixtureDir is where the real files are. Without them the test is skipped, unless
// SAML_TEST_REQUIRE is "all".
func fixtureDir(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("SAML_FIXTURES")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "..", "shared", "fixtures")
	}
	if _, err := os.Stat(filepath.Join(dir, "INDEX.md")); err == nil {
		return dir
	}
	const missing = "no fixtures in %s: set SAML_FIXTURES to the directory that holds INDEX.md, metadata and responses"
	if os.Getenv("SAML_TEST_REQUIRE") == "all" {
		t.Fatalf(missing, dir)
	}
	t.Skipf(missing, dir)
	return ""
}

// A description is what the .json beside a metadata file says.
type description struct {
	EntityIDs []string `json:"entityIDs"`
	IDPs      []struct {
		Keys []struct {
			SHA256, SHA1, Subject string
			NotBefore, NotAfter   time.Time
		} `json:"keys"`
		SingleSignOn []struct{ Binding, Location string } `json:"singleSignOn"`
	} `json:"idps"`
	Signatures []struct{ Goxmldsig string }
}

// TestRealMetadata drops real metadata of Entra on the page: the preview has what the file has.
func TestRealMetadata(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob(filepath.Join(fixtureDir(t), "metadata", "entra-*.xml"))
	if err != nil || len(names) < 11 {
		t.Fatalf("got %d files, %v", len(names), err)
	}
	w := newWorld(t)
	b := w.admin()
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			b.t = t
			document, err := os.ReadFile(name)
			text, err2 := os.ReadFile(strings.TrimSuffix(name, ".xml") + ".json")
			var want description
			if err := errors.Join(err, err2, json.Unmarshal(text, &want)); err != nil {
				t.Fatal(err)
			}
			b.submit("read", settingsForm{file: document})
			if strings.Contains(want.EntityIDs[0], "{tenantid}") {
				b.want(http.StatusUnprocessableEntity)
				b.wantText("problem-source", "for every tenant")
				return
			}
			b.want(http.StatusOK)
			b.wantText("preview", want.EntityIDs[0], want.IDPs[0].SingleSignOn[0].Location)
			preview := strings.ReplaceAll(b.last.text("preview"), "\n", "")
			for _, k := range want.IDPs[0].Keys {
				for _, part := range []string{strings.ToUpper(k.SHA1), strings.ToUpper(k.SHA256), k.Subject,
					k.NotBefore.Format(time.DateOnly) + " to " + k.NotAfter.Format(time.DateOnly)} {
					if !strings.Contains(preview, part) {
						t.Errorf("the preview lacks %s", part)
					}
				}
			}
			if got, want := strings.Count(b.last.body, `class="certificate"`), len(want.IDPs[0].Keys); got != want {
				t.Errorf("certificates: got %d, want %d", got, want)
			}
			if tenantWide := strings.HasPrefix(want.IDPs[0].Keys[0].Subject,
				"CN=accounts.accesscontrol"); tenantWide != strings.Contains(preview, "whole Microsoft cloud") {
				t.Errorf("a warning of tenant-wide keys: got %t, want %t", !tenantWide, tenantWide)
			}
		})
	}
	if w.state().Version != 0 {
		t.Error("a preview changed the settings")
	}
}

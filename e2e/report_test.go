package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A report collects what one engine did: a table of every request that the service saw, and
// pictures of the pages.
type report struct {
	dir      string
	engine   string
	outcomes strings.Builder
	legs     strings.Builder
}

func newReport(t *testing.T, engine string) *report {
	t.Helper()
	root := os.Getenv("E2E_OUT")
	if root == "" {
		root = filepath.Join(os.TempDir(), "saml-e2e")
	}
	r := &report{dir: filepath.Join(root, engine), engine: engine}
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return r
}

// anyLogin hides what differs in each run.
var anyLogin = regexp.MustCompile(`saml-[0-9A-Za-z_-]{3}$`)

// add takes the requests of one scenario.
func (r *report) add(scenario, outcome string, legs []leg) {
	fmt.Fprintf(&r.outcomes, "| %s | %s |\n", scenario, outcome)
	for i, l := range legs {
		if i > 0 {
			scenario = ""
		}
		fmt.Fprintf(&r.legs, "| %s | %s %s | %s | %s | %s / %s | %d |\n", scenario, l.Method, l.Path, l.cookies(),
			orDash(l.Site), orDash(l.Mode), orDash(l.Dest), l.Status)
	}
}

func (l leg) cookies() string {
	counts, names := map[string]int{}, []string{}
	for _, name := range l.Cookies {
		name = anyLogin.ReplaceAllString(name, "saml-…")
		if counts[name] == 0 {
			names = append(names, name)
		}
		counts[name]++
	}
	for i, name := range names {
		if counts[name] > 1 {
			names[i] = fmt.Sprintf("%d × %s", counts[name], name)
		}
	}
	return orDash(strings.Join(names, ", "))
}

func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

// write logs the table and keeps it.
func (r *report) write(t *testing.T) {
	t.Helper()
	text := fmt.Sprintf("# %s\n\n| scenario | outcome |\n| --- | --- |\n%s\n| scenario | request | cookies that arrived | Sec-Fetch-Site | Mode / Dest | status |\n| --- | --- | --- | --- | --- | --- |\n%s",
		r.engine, &r.outcomes, &r.legs)
	file := filepath.Join(r.dir, "report.md")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("%s\n%s", file, text)
}

func (r *report) picture(t *testing.T, name string, png []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, name+".png"), png, 0o644); err != nil {
		t.Fatal(err)
	}
}

//go:build !race

// The suite's own programs take the time of these tests, and ask our service for one thing after the
// other: the race detector would only make them slow. The test in spid_test.go is for it.

package spid

import (
	"cmp"
	"os"
	"slices"
	"strings"
	"testing"
)

// profiles are the suite's rules: those of SAML alone, and those of Italy's public services.
var profiles = []string{"saml2-sp", "spid-sp-public"}

// TestChecks: of the suite's checks of our metadata and our request only those fail that checks.tsv
// gives a reason for.
func TestChecks(t *testing.T) {
	t.Parallel()
	s := newSuite(t)
	v := newService(t, s)
	var found []string
	for _, profile := range profiles {
		report := s.report(t, v, "--profile", profile)
		for category, part := range map[string]string{"metadata_strict": "metadata", "authnrequest_strict": "request"} {
			failed := 0
			for _, f := range report[category] {
				if f.failed() {
					failed++
					found = append(found, strings.Join([]string{profile, part, plain(f.Test, v)}, "\t"))
				}
			}
			t.Logf("%s, %s: %d of %d checks passed", profile, part, len(report[category])-failed, len(report[category]))
			if len(report[category]) == failed {
				t.Errorf("%s, %s: no check passed, so the suite did not see ours", profile, part)
			}
		}
	}
	slices.Sort(found)
	found = slices.Compact(found)
	var listed []string
	for _, row := range table(t, "checks.tsv", 4) {
		listed = append(listed, strings.Join(row[:3], "\t"))
	}
	hold(t, "checks.tsv", found, listed)
}

// plain leaves out of a check's title what differs in each run: addresses and the output of programs.
func plain(title string, v *service) string {
	title, _, _ = strings.Cut(title, "stderr:")
	return strings.Join(strings.Fields(strings.ReplaceAll(title, v.server.URL, "")), " ")
}

// TestResponses: each of the suite's responses ends as responses.tsv says, which gives a reason for
// each verdict that is not the suite's.
func TestResponses(t *testing.T) {
	t.Parallel()
	s := newSuite(t)
	v := newService(t, s)
	cases := s.report(t, v, "--profile", "saml2-sp", "--authn-plugin", "browser.Browser", "--template-path", s.templates(t),
		"--test-response")["response"]
	if len(cases) != len(v.outcomes) {
		t.Fatalf("the suite reports %d responses, and we verified %d", len(cases), len(v.outcomes))
	}
	var found, listed []string
	counts := map[string]int{}
	for i, c := range cases {
		verdict := cmp.Or(map[string]string{"success": "as wanted", "failure": "otherwise"}[c.Result], c.Result)
		counts[verdict]++
		id, _, _ := strings.Cut(strings.TrimPrefix(c.Test, "Test ["), "]")
		found = append(found, strings.Join([]string{id, v.outcomes[i], verdict}, "\t"))
	}
	t.Logf("%d responses: %v", len(cases), counts)
	for _, row := range table(t, "responses.tsv", 4) {
		if otherwise := row[2] == "otherwise"; otherwise != (row[3] != "") {
			t.Errorf("responses.tsv, %s: a reason belongs to each verdict that is not the suite's, and to no other", row[0])
		}
		listed = append(listed, strings.Join(row[:3], "\t"))
	}
	hold(t, "responses.tsv", found, listed)
}

// table reads a checked-in list: fields with tabs between, "#" begins a comment.
func table(t *testing.T, file string, fields int) [][]string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]string
	for n, line := range strings.Split(string(data), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		row := strings.Split(line, "\t")
		if len(row) != fields {
			t.Fatalf("%s:%d: got %d fields, want %d", file, n+1, len(row), fields)
		}
		rows = append(rows, row)
	}
	return rows
}

// hold compares what was found with what is listed, in any order.
func hold(t *testing.T, file string, found, listed []string) {
	t.Helper()
	for _, line := range found {
		if !slices.Contains(listed, line) {
			t.Errorf("new, give the reason in %s or fix it:\n%s", file, line)
		}
	}
	for _, line := range listed {
		if !slices.Contains(found, line) {
			t.Errorf("gone, take it out of %s:\n%s", file, line)
		}
	}
}

package vectors

import (
	"strings"
	"testing"
)

// TestAll: every file is read, names a verdict and a clock, and needs only keys that are here.
func TestAll(t *testing.T) {
	t.Parallel()
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	accepted := map[string]bool{}
	for _, v := range all {
		accepted[v.Name] = v.Accepted()
	}
	if len(all) < 500 || len(accepted) != len(all) {
		t.Errorf("got %d vectors with %d names, want at least 500, each with a name of its own", len(all),
			len(accepted))
	}
	for _, v := range all {
		if _, err := v.Time("at"); err != nil {
			t.Errorf("%s: at: %v", v.Name, err)
		}
		if v.Header["expect"] == "" || v.Comment() == "" {
			t.Errorf("%s: no verdict or no comment", v.Name)
		}
		if twin := v.Header["twin"]; !v.Accepted() && !accepted[twin] {
			t.Errorf("%s: its twin %q is no accepted vector", v.Name, twin)
		}
		for _, file := range append(v.List("keys"), v.List("decryption_keys")...) {
			if data, err := Key(file); err != nil || !strings.HasPrefix(string(data), "-----BEGIN ") {
				t.Errorf("%s: key file %s: %v", v.Name, file, err)
			}
		}
	}
}

// TestReadmeNamesEveryKey: README.md has a row for each key of a header.
func TestReadmeNamesEveryKey(t *testing.T) {
	t.Parallel()
	readme, err := Files.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range Keys {
		if !strings.Contains(string(readme), "\n| `"+key+"` | ") {
			t.Errorf("README.md has no row for %s", key)
		}
	}
}

// TestParse: a damaged file is an error, not a vector with other conditions.
func TestParse(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"expect: accepted\n", "expect accepted\n\nQUJD\n",
		"expect: accepted\nexpect: status\n\nQUJD\n", "unknown: x\n\nQUJD\n"} {
		if v, err := parse("x", text); err == nil {
			t.Errorf("%q: got %+v, want an error", text, v)
		}
	}
	if v, err := parse("x", "expect: accepted\nkeys: a b\n\nQUJD\n"); err != nil || !v.Accepted() ||
		len(v.List("keys")) != 2 || v.Form != "QUJD\n" {
		t.Errorf("got %+v, %v", v, err)
	}
}

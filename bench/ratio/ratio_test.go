//go:build unix

package main

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml/bench"
)

// TestLimitsFile: the file has a line for each row and is written as -update writes it, head
// included.
func TestLimitsFile(t *testing.T) {
	text, err := os.ReadFile("../limits.txt")
	if err != nil {
		t.Fatal(err)
	}
	limits, err := parseLimits(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if want := formatLimits(limits); string(text) != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	names := bench.Names()
	if err := checkNames(limits, names); err != nil {
		t.Error(err)
	}
	if err := checkNames(limits[1:], names); err == nil {
		t.Error("a row without a limit is accepted")
	}
	if err := checkNames(limits, names[1:]); err == nil {
		t.Error("a limit without a row is accepted")
	}
}

func TestParseLimitsRefuses(t *testing.T) {
	const good = "a row, with words | 10 | 100 | 1.5 | -"
	if list, err := parseLimits("# head\n\n" + good + "\n"); err != nil || len(list) != 1 ||
		list[0] != (limit{"a row, with words", 10, 100, 1.5, 0}) {
		t.Fatalf("got %+v, %v", list, err)
	}
	for name, text := range map[string]string{
		"a column too few":           "a | 10 | 100 | 1.5",
		"no number of allocations":   "a | x | 100 | 1.5 | -",
		"no target":                  "a | 10 | 100 | - | 2",
		"zero bytes":                 "a | 10 | 0 | 1.5 | -",
		"the same row a second time": good + "\n" + good,
	} {
		if list, err := parseLimits(text); err == nil {
			t.Errorf("%s: got %+v, want an error", name, list)
		}
	}
}

func TestFaults(t *testing.T) {
	atTarget := limit{"a", 100, 1000, 2, 0}
	behind := limit{"b", 100, 1000, 2, 4}
	for _, row := range []struct {
		name  string
		limit limit
		cost  cost
		want  int
	}{
		{"as measured", atTarget, cost{garbage{100, 1000}, 1.9}, 0},
		{"a tenth more", atTarget, cost{garbage{110, 1100}, 2.99}, 0},
		{"more allocations", atTarget, cost{garbage{110.5, 1000}, 1}, 1},
		{"more bytes", atTarget, cost{garbage{100, 1101}, 1}, 1},
		{"1.5 times the target", atTarget, cost{garbage{100, 1000}, 3}, 1},
		{"1.5 times the target, where it is not reached yet", behind, cost{garbage{100, 1000}, 3}, 0},
		{"1.5 times what was measured", behind, cost{garbage{100, 1000}, 6}, 1},
		{"all at once", behind, cost{garbage{200, 2000}, 9}, 3},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := row.cost.faults(row.limit); len(got) != row.want {
				t.Errorf("got %q, want %d faults", got, row.want)
			}
		})
	}
}

// TestUpdate: the file keeps the target, and has what was measured only while it is above it.
func TestUpdate(t *testing.T) {
	before := limit{"a", 1, 1, 2, 9}
	if got, want := (cost{garbage{10.02, 99.5}, 2.345}).asLimit(before), (limit{"a", 10, 100, 2, 2.35}); got != want {
		t.Errorf("above the target: got %+v, want %+v", got, want)
	}
	if got, want := (cost{garbage{10.4, 99}, 2}).asLimit(before), (limit{"a", 11, 99, 2, 0}); got != want {
		t.Errorf("at the target: got %+v, want %+v", got, want)
	}
}

// TestGuardSeesGarbage: a row that allocates twice as much as its limit fails, and the same row
// passes when its limit is what was measured.
func TestGuardSeesGarbage(t *testing.T) {
	var kept []byte
	burn := func(n int) func() error {
		return func() error {
			for range n {
				kept = make([]byte, 1024)
			}
			return nil
		}
	}
	row := func(n int) bench.Row {
		return bench.Row{Name: "a", Jobs: []bench.Job{
			{Name: bench.Floor, Do: burn(10), Check: burn(10)},
			{Name: bench.Ours, Do: burn(n), Check: burn(n)},
		}}
	}
	path := t.TempDir() + "/limits.txt"
	if err := os.WriteFile(path, []byte("a | 1 | 1 | 50 | -\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := options{rounds: 6, slice: time.Millisecond, guard: path, update: true, names: []string{"a"}}
	if err := guard(o, []bench.Row{row(10)}); err != nil {
		t.Fatal(err)
	}
	o.update = false
	if err := guard(o, []bench.Row{row(10)}); err != nil {
		t.Errorf("unchanged: got error %v", err)
	}
	if err := guard(o, []bench.Row{row(20)}); err == nil || !strings.Contains(err.Error(), "allocations are more than 10 and a tenth") {
		t.Errorf("twice the garbage: got error %v", err)
	}
	_ = kept
}

func TestBetween(t *testing.T) {
	const document = "a\n" + openMarker + "old\n" + closeMarker + "b\n"
	got, err := between(document, "new\n")
	if want := "a\n" + openMarker + "new\n" + closeMarker + "b\n"; err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	for _, bad := range []string{"", openMarker, closeMarker + openMarker, document + document} {
		if got, err := between(bad, "new\n"); err == nil {
			t.Errorf("%q: got %q, want an error", bad, got)
		}
	}
	for _, path := range []string{"../README.md", "../../README.md"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := between(string(text), ""); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestTables: a refusal is in the cell and, with its reason, below.
func TestTables(t *testing.T) {
	ms := func(list ...int) (all []time.Duration) {
		for _, n := range list {
			all = append(all, time.Duration(n)*time.Millisecond)
		}
		return all
	}
	m := &measurement{name: "a row", many: turns{bench.Floor: ms(10, 10, 10), bench.Ours: ms(20, 30, 40), bench.Crewjam: ms(400, 600, 800)},
		single: turns{bench.Floor: ms(10), bench.Ours: ms(15)}, refused: map[string]error{bench.GoSAML2: errors.New("too\n much")},
		garbage: map[string]garbage{bench.Ours: {60, 2048}, bench.Crewjam: {900, 1 << 20}}}
	var b strings.Builder
	writeTables(&b, "head.", []*measurement{m})
	for _, want := range []string{"head.\n", "check less than we do** in every row",
		"| a row ", "| 10000.0 ", "| 3.00 (2.00-3.00) ", "| 1.50 (1.50-1.50) ", "| 20 (20-20) ", "| refuses ", "| 2.0 ", "| 1024 ",
		"\n- a row, gosaml2: too much\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("got\n%s\nwant it to have %q", b.String(), want)
		}
	}
	if lines := strings.Split(strings.TrimSpace(b.String()), "\n"); len(lines[len(lines)-3]) != len(lines[len(lines)-4]) {
		t.Errorf("the lines of the table differ in length:\n%s", b.String())
	}
}

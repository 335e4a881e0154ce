package bench

import (
	"errors"
	"strings"
	"testing"

	"github.com/iomete/saml/samltest"
)

// refusals lists who cannot do a row, and the words for it. Everybody else must give the expected
// result.
var refusals = map[string]string{
	"1,000 groups/gosaml2":                      "traversal limit reached",
	"10,000 groups/gosaml2":                     "corrupt input",
	"4 keys, the last fits, no KeyInfo/gosaml2": "Missing x509 Element",
}

func mustRows(tb testing.TB) []Row {
	tb.Helper()
	rows, err := Rows()
	if err != nil {
		tb.Fatal(err)
	}
	return rows
}

// TestRows measures nothing: it holds the result of every job against the expected one.
func TestRows(t *testing.T) {
	for _, row := range mustRows(t) {
		for _, job := range row.Jobs {
			name := row.Name + "/" + job.Name
			t.Run(name, func(t *testing.T) {
				checkOutcome(t, job.Do(), refusals[name])
				checkOutcome(t, job.Check(), refusals[name])
			})
		}
	}
}

func checkOutcome(t *testing.T, err error, refusal string) {
	t.Helper()
	switch {
	case refusal == "" && err != nil:
		t.Errorf("got error %v, want none", err)
	case refusal != "" && (err == nil || !strings.Contains(err.Error(), refusal)):
		t.Errorf("got error %v, want one that says %q", err, refusal)
	}
}

// TestFloorIsWork: the floor compares what it computes, so that it cannot pass without the hash and
// the RSA operation.
func TestFloorIsWork(t *testing.T) {
	for _, row := range []struct {
		name  string
		spoil func(*floor)
	}{
		{"other bytes covered", func(f *floor) { f.signatures[0].covered[0] ^= 1 }},
		{"other SignedInfo", func(f *floor) { f.signatures[0].signedInfo[0] ^= 1 }},
		{"other signature value", func(f *floor) { f.signatures[0].value[0] ^= 1 }},
		{"no key", func(f *floor) { f.keys = nil }},
	} {
		t.Run(row.name, func(t *testing.T) {
			fixture, err := newFixture(1, samltest.Answer{})
			if err != nil {
				t.Fatal(err)
			}
			f, err := newFloor(fixture)
			if err != nil {
				t.Fatal(err)
			}
			row.spoil(f)
			if err := f.do(); !errors.Is(err, errWrong) {
				t.Errorf("got error %v, want %v", err, errWrong)
			}
		})
	}
}

func BenchmarkRows(b *testing.B) {
	for _, row := range mustRows(b) {
		for _, job := range row.Jobs {
			name := row.Name + "/" + job.Name
			b.Run(name, func(b *testing.B) {
				if err := job.Check(); err != nil {
					if refusals[name] == "" {
						b.Fatal(err)
					}
					b.Skip("refuses: ", err)
				}
				b.ReportAllocs()
				for b.Loop() {
					if err := job.Do(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

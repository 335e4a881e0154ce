// Package bench compares the library with its peers and with the floor: the work that nobody can
// avoid. README.md says what each row means and how to read the figures.
package bench

import (
	"errors"
	"fmt"
	"slices"

	"github.com/iomete/saml/samltest"
)

// The contestants, in the order of Row.Jobs.
const (
	Floor   = "floor"
	Ours    = "ours"
	Crewjam = "crewjam"
	GoSAML2 = "gosaml2"
)

// A Row is one piece of work and everybody who does it, on the same bytes.
type Row struct {
	Name string
	Jobs []Job // not every row has a floor
}

// A Job is the work of a row as one contestant does it.
type Job struct {
	Name string
	// Do does the work once and looks at the result as far as costs nothing: an error is a wrong
	// result or a refusal.
	Do func() error
	// Check is Do, and compares the whole result with what is expected.
	Check func() error
}

var errWrong = errors.New("the result is not the expected one")

// Rows makes all rows: keys and messages are new each time.
func Rows() ([]Row, error) {
	var rows []Row
	for _, r := range []struct {
		name   string
		keys   int
		answer samltest.Answer
	}{
		{"assertion signed", 1, samltest.Answer{}},
		{"response and assertion signed", 1, samltest.Answer{Sign: samltest.SignBoth}},
		{"150 groups", 1, samltest.Answer{Attributes: groups(150)}},
		{"1,000 groups", 1, samltest.Answer{Attributes: groups(1_000)}},
		{"10,000 groups", 1, samltest.Answer{Attributes: groups(10_000)}},
		{"4 keys, the last fits, no KeyInfo", 4, samltest.Answer{Key: 3, OmitKeyInfo: true}},
	} {
		row, err := responseRow(r.keys, r.answer)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.name, err)
		}
		rows = append(rows, Row{r.name, row})
	}
	for _, r := range []struct {
		name string
		row  func() ([]Job, error)
	}{
		{"login start", loginRow},
		{"whole sign-in, both legs", signInRow},
		{"Entra metadata", metadataRow},
	} {
		row, err := r.row()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.name, err)
		}
		rows = append(rows, Row{r.name, row})
	}
	return rows, nil
}

// responseRow is a message from the form value to the person.
func responseRow(keys int, a samltest.Answer) ([]Job, error) {
	f, err := newFixture(keys, a)
	if err != nil {
		return nil, err
	}
	floor, err := newFloor(f)
	if err != nil {
		return nil, err
	}
	jobs := []Job{{Floor, floor.do, floor.do}}
	for _, c := range []struct {
		name string
		new  func(*fixture) (func(form string) (person, error), error)
	}{
		{Ours, newOurs},
		{Crewjam, newCrewjam},
		{GoSAML2, newGoSAML2},
	} {
		verify, err := c.new(f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		jobs = append(jobs, verifyJob(c.name, f, verify))
	}
	return jobs, nil
}

func verifyJob(name string, f *fixture, verify func(form string) (person, error)) Job {
	return Job{
		Name: name,
		Do: func() error {
			got, err := verify(f.form)
			if err == nil && (got.email != f.want.email || len(got.groups) != len(f.want.groups)) {
				err = errWrong
			}
			return err
		},
		Check: func() error {
			got, err := verify(f.form)
			if err == nil && (got.email != f.want.email || !slices.Equal(got.groups, f.want.groups)) {
				err = errWrong
			}
			return err
		},
	}
}

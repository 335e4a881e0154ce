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
	Floor        = "floor"
	Ours         = "ours"
	Crewjam      = "crewjam"
	CrewjamRS256 = "crewjam RS256"
	CrewjamES256 = "crewjam ES256"
	GoSAML2      = "gosaml2"
	SecureCookie = "securecookie"
	SCS          = "scs"
)

// A Row is one piece of work and everybody who does it, on the same bytes.
type Row struct {
	Name string
	Page bool // a request to a protected page, which has other peers
	Jobs []Job
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

// A recipe makes the jobs of a row.
type recipe struct {
	name string
	page bool
	jobs func() ([]Job, error)
}

func recipes() []recipe {
	response := func(keys int, a samltest.Answer) func() ([]Job, error) {
		return func() ([]Job, error) { return responseRow(keys, a) }
	}
	encrypted := func(content samltest.ContentAlgorithm) func() ([]Job, error) {
		return response(1, samltest.Answer{Encrypt: &samltest.Encryption{Content: content}})
	}
	page := func(groups []string, records bool) func() ([]Job, error) {
		return func() ([]Job, error) { return pageRow(groups, records) }
	}
	return []recipe{
		{"assertion signed", false, response(1, samltest.Answer{})},
		{"response and assertion signed", false, response(1, samltest.Answer{Sign: samltest.SignBoth})},
		{"150 groups", false, response(1, samltest.Answer{Attributes: claimOf(guids(150))})},
		{"1,000 groups", false, response(1, samltest.Answer{Attributes: claimOf(guids(1_000))})},
		{"10,000 groups", false, response(1, samltest.Answer{Attributes: claimOf(guids(10_000))})},
		{"4 keys, the last fits, no KeyInfo", false, response(4, samltest.Answer{Key: 3, OmitKeyInfo: true})},
		{"encrypted, AES-256-GCM", false, encrypted(samltest.AES256GCM)},
		{"encrypted, AES-256-CBC", false, encrypted(samltest.AES256CBC)},
		{"login start", false, loginRow},
		{"whole sign-in, both legs", false, signInRow},
		{"Entra metadata", false, metadataRow},
		{"page, 3 groups", true, page(guids(3), false)},
		{"page, 50 groups in the cookie", true, page(names(50), false)},
		{"page, 150 groups in Records", true, page(guids(150), true)},
	}
}

// Names lists the names of all rows.
func Names() (list []string) {
	for _, r := range recipes() {
		list = append(list, r.name)
	}
	return list
}

// Rows makes the rows whose names are wanted. Keys and messages are new each time.
func Rows(wanted func(name string) bool) ([]Row, error) {
	var rows []Row
	for _, r := range recipes() {
		if !wanted(r.name) {
			continue
		}
		jobs, err := r.jobs()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.name, err)
		}
		rows = append(rows, Row{r.name, r.page, jobs})
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
	return personJob(name, f.want, func() (person, error) { return verify(f.form) })
}

// personJob is work that ends with a person.
func personJob(name string, want person, work func() (person, error)) Job {
	return Job{
		Name: name,
		Do: func() error {
			got, err := work()
			if err == nil && (got.email != want.email || len(got.groups) != len(want.groups)) {
				err = errWrong
			}
			return err
		},
		Check: func() error {
			got, err := work()
			if err == nil && (got.email != want.email || !slices.Equal(got.groups, want.groups)) {
				err = errWrong
			}
			return err
		},
	}
}

package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
)

// results are what came out of trying changes, by their keys.
type results struct {
	noticed, survived map[string]bool
	file              *os.File // nil if they are not kept
}

// openResults reads a file of lines "noticed KEY" and "survives KEY", if name is not empty, and opens
// it for more.
func openResults(name string) (*results, error) {
	r := &results{noticed: map[string]bool{}, survived: map[string]bool{}}
	if name == "" {
		return r, nil
	}
	var err error
	if r.file, err = os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644); err != nil {
		return nil, err
	}
	for lines := bufio.NewScanner(r.file); lines.Scan(); {
		switch outcome, key, _ := strings.Cut(lines.Text(), " "); outcome {
		case "noticed":
			r.noticed[key] = true
		case "survives":
			r.survived[key] = true
		}
	}
	return r, nil
}

func (r *results) add(key string, noticed bool) error {
	outcome := "survives"
	if noticed {
		outcome, r.noticed[key] = "noticed", true
	} else {
		r.survived[key] = true
	}
	if r.file == nil {
		return nil
	}
	_, err := fmt.Fprintf(r.file, "%s %s\n", outcome, key)
	return err
}

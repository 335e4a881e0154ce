// Command makevectors writes the test vectors in testdata/vectors: one file, one fault. Run it in
// the root of the checkout:
//
//	go run ./tools/makevectors
//
// A vector is described by a message that must be accepted, or by such a message and one change.
// Messages are signed by xmlsec1 (Debian package xmlsec1), so that our own code has no part in
// them, and what must carry a valid signature is verified by xmlsec1 once more before it is
// written. The same descriptions give the same bytes.
package main

import (
	"errors"
	"fmt"
	"log"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

func main() {
	log.SetFlags(0)
	if err := run(filepath.Join("testdata", "vectors")); err != nil {
		log.Fatal("makevectors: ", err)
	}
}

func run(dir string) error {
	keys, err := loadKeys(filepath.Join(dir, "keys"))
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "makevectors")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)

	b := builder{keys: keys, dir: filepath.Join(dir, "keys"), work: work, done: map[string]*built{}}
	shared = &b
	var faults []error
	for _, list := range [][]vector{acceptedVectors(), styleVectors(), parseVectors(), shapeVectors(),
		signatureVectors(), inclusiveVectors(), pssVectors(), encryptionVectors(), checkVectors()} {
		for _, r := range list {
			if err := b.build(r); err != nil {
				faults = append(faults, fmt.Errorf("%s: %w", r.name, err))
			}
		}
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	return b.write(dir)
}

// write replaces all vectors in dir: those that are described no longer disappear.
func (b *builder) write(dir string) error {
	old, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil {
		return err
	}
	for _, file := range old {
		if err := os.Remove(file); err != nil {
			return err
		}
	}
	size := 0
	for _, name := range slices.Sorted(maps.Keys(b.done)) {
		data := b.done[name].file()
		size += len(data)
		if err := os.WriteFile(filepath.Join(dir, name+".txt"), data, 0o644); err != nil {
			return err
		}
	}
	log.Printf("%d vectors, %d KiB", len(b.done), size>>10)
	return nil
}

// Command makevectors writes the test vectors in testdata/vectors: one file, one fault. Run it in the root of the module:
//
//	go run ./internal/makevectors
//
// Each vector is made by a recipe: an accepted message, or an accepted message with one change. Messages are signed by xmlsec1
// (Debian package xmlsec1), so that our own code has no part in them, and what must carry a valid signature is verified by
// xmlsec1 once more before it is written. The same recipes give the same bytes.
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

	k := kitchen{keys: keys, dir: filepath.Join(dir, "keys"), work: work, done: map[string]*vector{}}
	shared = &k
	var faults []error
	for _, list := range [][]recipe{acceptedRecipes(), styleRecipes(), parseRecipes(), shapeRecipes(), signatureRecipes(), encryptionRecipes(), checkRecipes()} {
		for _, r := range list {
			if err := k.cook(r); err != nil {
				faults = append(faults, fmt.Errorf("%s: %w", r.name, err))
			}
		}
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	return k.write(dir)
}

// write replaces all vectors in dir: those of recipes that are gone disappear.
func (k *kitchen) write(dir string) error {
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
	for _, name := range slices.Sorted(maps.Keys(k.done)) {
		data := k.done[name].file()
		size += len(data)
		if err := os.WriteFile(filepath.Join(dir, name+".txt"), data, 0o644); err != nil {
			return err
		}
	}
	log.Printf("%d vectors, %d KiB", len(k.done), size>>10)
	return nil
}

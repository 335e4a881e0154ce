// Command published makes the zip file that go get would download for the module in a directory,
// and unpacks it:
//
//	go run ./tools/published [-max BYTES] DIRECTORY NEW
//
// It prints the size of the zip file and fails if that is more than -max. DIRECTORY holds what is
// in the repository, and nothing else; modules in folders of it are left out, as they are by go
// get. NEW is a directory that does not exist yet.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

func main() {
	most := flag.Int64("max", 0, "largest size of the zip file in bytes, 0 for any")
	flag.Parse()
	if flag.NArg() != 2 {
		fmt.Fprintf(os.Stderr, "published: got %d arguments, want the directory of a module and one to unpack into\n",
			flag.NArg())
		os.Exit(2)
	}
	if err := run(os.Stdout, flag.Arg(0), flag.Arg(1), *most); err != nil {
		fmt.Fprintln(os.Stderr, "published:", err)
		os.Exit(1)
	}
}

func run(w io.Writer, dir, unpacked string, most int64) error {
	mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return err
	}
	m := module.Version{Path: modfile.ModulePath(mod), Version: "v0.0.0"}
	file, err := os.CreateTemp("", "published-*.zip")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	if err := zip.CreateFromDir(file, m, dir); err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s: %d bytes\n", m.Path, info.Size())
	if most > 0 && info.Size() > most {
		return fmt.Errorf("the zip file of %s has %d bytes, want at most %d: move what users of the library do not need into a module of its own", m.Path, info.Size(), most)
	}
	return zip.Unzip(unpacked, m, file.Name())
}

package saml_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// layers are the files that read what identifies an identity provider, from the lowest: a file uses
// those before it and none behind it. So a form of metadata or of a certificate can be understood
// without the forms that are built on it.
var layers = []string{"addresses.go", "sniff.go", "keys.go", "metadata_keys.go", "metadata_find.go",
	"metadata_signature.go", "metadata.go", "keytext.go",
	"fetch.go", "sp_metadata.go"}

// TestFilesInLayers: no file of layers uses a name of one behind it, a method or field neither.
func TestFilesInLayers(t *testing.T) {
	t.Parallel()
	uses := usesByFile(t)
	for i, file := range layers {
		if !exists(file) {
			t.Errorf("layers names %s, which is not there", file)
		}
		for _, above := range layers[i+1:] {
			if names := uses[file][above]; len(names) > 0 {
				t.Errorf("%s uses %s of %s, which stands behind it in layers", file, strings.Join(names, ", "), above)
			}
		}
	}
	var pairs []string
	for _, file := range slices.Sorted(maps.Keys(uses)) {
		for _, other := range slices.Sorted(maps.Keys(uses[file])) {
			if file < other && len(uses[other][file]) > 0 {
				pairs = append(pairs, file+" and "+other)
			}
		}
	}
	t.Logf("%d pairs of files use each other: %s", len(pairs), strings.Join(pairs, "; "))
}

// usesByFile returns for each file of the root package the names that it uses of each other one,
// sorted.
func usesByFile(t *testing.T) map[string]map[string][]string {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(set, name, source, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	info := types.Info{Uses: map[*ast.Ident]types.Object{}}
	check := types.Config{Importer: compiled(t, []string{module})}
	p, err := check.Check(module, set, files, &info)
	if err != nil {
		t.Fatal(err)
	}
	uses := map[string]map[string][]string{}
	for identifier, object := range info.Uses {
		from, to := set.Position(identifier.Pos()).Filename, set.Position(object.Pos()).Filename
		if object.Pkg() != p || from == to {
			continue
		}
		if uses[from] == nil {
			uses[from] = map[string][]string{}
		}
		if !slices.Contains(uses[from][to], object.Name()) {
			uses[from][to] = append(uses[from][to], object.Name())
		}
	}
	for _, of := range uses {
		for _, list := range of {
			slices.Sort(list)
		}
	}
	return uses
}

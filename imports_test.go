package saml_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/iomete/saml"

// sources parses the Go files of this module, without nested modules, by directory ("." for the root).
func sources(t *testing.T, tests bool) map[string][]*ast.File {
	t.Helper()
	packages := map[string][]*ast.File{}
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil && name != "." || strings.HasPrefix(d.Name(), ".") && name != "." || d.Name() == "testdata" {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") != tests {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		dir := filepath.ToSlash(filepath.Dir(name))
		packages[dir] = append(packages[dir], file)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(packages["internal/xmltree"]) == 0 || len(packages["."]) == 0 {
		t.Fatal("the sources were not found")
	}
	return packages
}

func importsOf(files []*ast.File) (list []string) {
	for _, f := range files {
		for _, i := range f.Imports {
			p, err := strconv.Unquote(i.Path.Value)
			if err == nil && !slices.Contains(list, p) {
				list = append(list, p)
			}
		}
	}
	return list
}

// TestImports keeps the directions of the house: what reads hostile input imports as little as possible, and each third-party module has
// one door.
func TestImports(t *testing.T) {
	internal := func(names ...string) (list []string) {
		for _, n := range names {
			list = append(list, module+"/internal/"+n)
		}
		return list
	}
	outside := []string{"github.com/crewjam/saml", "github.com/beevik/etree", "github.com/russellhaering/goxmldsig"}
	// What each package may import beside the standard library. A package that is not listed here fails, so that nobody forgets it.
	allowed := map[string][]string{
		".":                    append(internal("b64", "bridge", "dsig", "fault", "message", "seal", "storekey", "xmltree"), "golang.org/x/crypto/cryptobyte", "golang.org/x/crypto/cryptobyte/asn1"),
		"internal/b64":         nil,
		"internal/bridge":      nil,
		"internal/fault":       nil,
		"internal/seal":        nil,
		"internal/storekey":    nil,
		"internal/xmltree":     internal("fault"),
		"internal/dsig":        internal("b64", "fault", "xmltree"),
		"internal/message":     outside,
		"internal/makevectors": internal("xmltree"),
		"session":              append(internal("bridge", "seal", "storekey"), module),
		"samltest":             outside, // a second opinion: it must not know how we do it
		"storetest":            {module},
		"cmd/samlsp":           {module, module + "/samltest"},
		"examples/minimal":     {module, module + "/samltest", module + "/session"},
	}
	for dir, files := range sources(t, false) {
		list, known := allowed[dir]
		if !known {
			t.Errorf("package %s is not in the list of this test: say what it may import", dir)
			continue
		}
		for _, p := range importsOf(files) {
			if first, _, _ := strings.Cut(p, "/"); strings.Contains(first, ".") && !slices.Contains(list, p) {
				t.Errorf("%s imports %s, which it may not", dir, p)
			}
		}
	}
}

// TestSamltestTestsAreIndependent: nor do its tests look at our own reader.
func TestSamltestTestsAreIndependent(t *testing.T) {
	for _, p := range importsOf(sources(t, true)["samltest"]) {
		if p == module || strings.HasPrefix(p, module+"/internal") {
			t.Errorf("the tests of samltest import %s", p)
		}
	}
}

// TestPublicNamesAreOurs: no exported declaration mentions a type of another module.
func TestPublicNamesAreOurs(t *testing.T) {
	for dir, files := range sources(t, false) {
		if strings.HasPrefix(dir, "internal") {
			continue
		}
		for _, f := range files {
			foreign := map[string]string{}
			for _, i := range f.Imports {
				p, _ := strconv.Unquote(i.Path.Value)
				if first, _, _ := strings.Cut(p, "/"); strings.Contains(first, ".") && p != module && !strings.HasPrefix(p, module+"/") {
					name := path.Base(p)
					if i.Name != nil {
						name = i.Name.Name
					}
					foreign[name] = p
				}
			}
			for _, d := range f.Decls {
				ast.Inspect(surface(d), func(n ast.Node) bool {
					if s, ok := n.(*ast.SelectorExpr); ok {
						if x, ok := s.X.(*ast.Ident); ok && foreign[x.Name] != "" {
							t.Errorf("%s: an exported declaration mentions %s.%s of %s", dir, x.Name, s.Sel.Name, foreign[x.Name])
						}
					}
					return true
				})
			}
		}
	}
}

// surface is the part of a declaration that users see: types of exported functions, fields and variables, not bodies and values.
func surface(d ast.Decl) ast.Node {
	seen := &ast.FieldList{}
	add := func(e ast.Expr) { seen.List = append(seen.List, &ast.Field{Type: e}) }
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() {
			add(d.Type)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if !s.Name.IsExported() {
					continue
				}
				structure, ok := s.Type.(*ast.StructType)
				if !ok {
					add(s.Type)
					continue
				}
				for _, field := range structure.Fields.List {
					if len(field.Names) == 0 || slices.ContainsFunc(field.Names, func(n *ast.Ident) bool { return n.IsExported() }) {
						add(field.Type)
					}
				}
			case *ast.ValueSpec:
				if s.Type != nil && slices.ContainsFunc(s.Names, func(n *ast.Ident) bool { return n.IsExported() }) {
					add(s.Type)
				}
			}
		}
	}
	return seen
}

// TestRequirements: whoever imports the library gets these modules and no others.
func TestRequirements(t *testing.T) {
	gomod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	allowed := []string{"github.com/crewjam/saml", "github.com/beevik/etree", "github.com/russellhaering/goxmldsig", "golang.org/x/crypto"}
	found := 0
	for line := range strings.Lines(string(gomod)) {
		fields := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(fields) < 2 || !strings.Contains(fields[0], ".") || strings.Contains(line, "// indirect") {
			continue
		}
		found++
		if !slices.Contains(allowed, fields[0]) {
			t.Errorf("go.mod requires %s directly", fields[0])
		}
	}
	if found != len(allowed) {
		t.Errorf("found %d direct requirements, want %d", found, len(allowed))
	}
}

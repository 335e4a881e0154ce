package saml_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/iomete/saml"

// thirdParty is what the library may require at all. x/crypto is there for cryptobyte, which reads
// what crypto/x509 refuses.
var thirdParty = []string{"github.com/crewjam/saml", "github.com/beevik/etree", "github.com/russellhaering/goxmldsig",
	"golang.org/x/crypto"}

// A room is a package of the house.
type room struct {
	may []string // all it may import beside the standard library
	why string   // the reason why it may import nothing else
}

// rooms has every package of this module by its directory.
var rooms = func() map[string]room {
	internal := func(names ...string) (paths []string) {
		for _, n := range names {
			paths = append(paths, module+"/internal/"+n)
		}
		return paths
	}
	xml := thirdParty[:3]
	const leaf = "it is a leaf that everybody builds on"
	return map[string]room{
		".": {internal("address", "b64", "certs", "dsig", "expiry", "fault", "fetch", "guarded", "keycall", "logoutmark", "outgoing", "page", "posted", "redirect",
			"refresh", "seal", "storekey", "wire", "xmlenc", "xmltree"),
			"hostile XML is read by xmltree alone, certificates by certs, other modules have their one door in internal/certs and internal/outgoing, and session, samltest and the commands build on the library, not it on them"},
		"internal/address":     {nil, leaf},
		"internal/allocations": {nil, leaf},
		"internal/b64":         {nil, leaf},
		"internal/expiry": {internal("storekey"),
			"it keeps keys of stores, and knows nothing of what they stand for"},
		"internal/fault":    {nil, leaf},
		"internal/seal":     {nil, leaf},
		"internal/storekey": {nil, leaf},
		"internal/xmltree": {internal("fault"),
			"it reads hostile bytes before anything is trusted: what it runs has to be readable in one place"},
		"internal/dsig": {internal("b64", "fault", "xmltree"),
			"what decides whom we trust must not share code with the judges that the tests ask about it"},
		"internal/logoutmark": {internal("storekey"),
			"it says which sessions a LogoutRequest names, for those who write marks and those who look them up alike"},
		"internal/redirect": {internal("b64", "fault"),
			"it reads what anybody can put into an address, and neither reads the message nor verifies it"},
		"internal/wire": {internal("b64", "dsig", "fault", "redirect", "xmlenc", "xmltree"),
			"it knows what a message looks like, and nothing of whom to trust"},
		"internal/xmlenc": {internal("b64", "fault", "xmltree"),
			"it handles what anybody can send and what our private keys make of it"},
		"internal/certs": {append(internal("b64"), "golang.org/x/crypto/cryptobyte",
			"golang.org/x/crypto/cryptobyte/asn1"), "it reads what anybody pastes, and says what is there without knowing what it is for"},
		"internal/fetch": {internal("address"),
			"it goes where strangers lead it, and must not know what is done with what it brings"},
		"internal/page": {nil, "it writes what it is given, and decides nothing"},
		"internal/posted": {internal("fault", "wire"),
			"it reads what anybody posts, for the library and for cmd/samlsp, before anything is known"},
		"internal/refresh": {nil, "it decides when, and keeps files, without knowing what is in a document"},
		"internal/outgoing": {append(internal("xmltree"), xml[:2]...),
			"it only writes: of the verifier it may have the tree alone, to canonicalize what it wrote, and the verifier must not come near these modules"},
		"internal/testfiles": {nil, leaf},
		"internal/proxytest": {nil, "it is a proxy for tests of all modules, and knows nothing of what goes through it"},
		"internal/rsaoaep":   {nil, leaf},
		"internal/guarded":   {nil, leaf},
		"internal/keycall":   {nil, "it calls keys, and knows nothing of what they sign or open"},
		"session": {append(internal("address", "expiry", "guarded", "logoutmark", "seal", "storekey"), module),
			"it gets a verified login and has no business with messages"},
		"samltest": {append(internal("rsaoaep"), xml...),
			"it is a second opinion about our verifier, and one that shares our code would share our mistakes: internal/rsaoaep only encrypts, and the verifier cannot"},
		"storetest": {[]string{module, module + "/session"},
			"it tests a Store and Records through their public interfaces, as those do who write one"},
		"sqlstore": {nil,
			"it takes whatever database the application has: a driver is the application's choice"},
		"cmd/samlsp": {append(internal("fault", "posted"), module, module+"/samltest"),
			"it shows what the public interface can do, and reads a form as the Handler does"},
		"examples/minimal": {[]string{module, module + "/samltest", module + "/session"},
			"people copy it, and cannot import what is internal"},
	}
}()

// TestImports keeps the directions of the house: each package imports what its room allows and no
// more.
func TestImports(t *testing.T) {
	t.Parallel()
	imports := importsByDirectory(t, "")
	for dir, list := range imports {
		r, known := rooms[dir]
		if !known {
			t.Errorf("package %s has no row in rooms: say what it may import, and why nothing else", dir)
			continue
		}
		for _, p := range list {
			if !isStandard(p) && !slices.Contains(r.may, p) {
				t.Errorf("%s imports %s, but %s", path.Join(module, dir), p, r.why)
			}
		}
	}
	for dir := range rooms {
		if _, there := imports[dir]; !there {
			t.Errorf("rooms has a row for %s, where no package is: remove it, or it will allow what nobody thought about", dir)
		}
	}
}

// TestTestsOfSamltestAreIndependent has their imports, which TestImports does not look at: other
// tests may ask whom they like.
func TestTestsOfSamltestAreIndependent(t *testing.T) {
	t.Parallel()
	list := importsByDirectory(t, "_test")["samltest"]
	if len(list) == 0 {
		t.Fatal("samltest has no tests")
	}
	for _, p := range list {
		if isOurs(p) && p != module+"/samltest" {
			t.Errorf("the tests of samltest import %s, but %s", p, rooms["samltest"].why)
		}
	}
}

// importsByDirectory gives what the packages of this module import, without nested modules. Suffix
// "_test" asks for their test files, "" for the others. Files of all operating systems count.
func importsByDirectory(t *testing.T, suffix string) map[string][]string {
	t.Helper()
	imports := map[string][]string{}
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != "." && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") ||
				exists(filepath.Join(name, "go.mod"))) {
				return fs.SkipDir
			}
			return nil
		}
		base, isGo := strings.CutSuffix(name, ".go")
		if !isGo || strings.HasSuffix(base, "_test") != (suffix == "_test") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		dir := filepath.ToSlash(filepath.Dir(name))
		imports[dir] = append(imports[dir], importsOf(file)...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return imports
}

func importsOf(file *ast.File) (paths []string) {
	for _, i := range file.Imports {
		p, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			panic(err) // the parser has read it
		}
		paths = append(paths, p)
	}
	return paths
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

func isOurs(p string) bool { return p == module || strings.HasPrefix(p, module+"/") }

// isStandard holds for packages of Go itself: their first name has no dot.
func isStandard(p string) bool {
	first, _, _ := strings.Cut(p, "/")
	return !strings.Contains(first, ".")
}

// TestPublicNamesAreOurs: what users can reach from an exported name, by fields, methods,
// parameters and results, are types of this module and of the standard library.
func TestPublicNamesAreOurs(t *testing.T) {
	t.Parallel()
	public := publicPackages()
	load := compiled(t, public)
	for _, name := range public {
		p, err := load.Import(name)
		if err != nil {
			t.Fatal(err)
		}
		s := surface{seen: map[types.Type]bool{}, found: func(where string, foreign *types.TypeName) {
			t.Errorf("%s mentions %s.%s: users would depend on that module with us, and could not follow us away from it", where, foreign.Pkg().Path(), foreign.Name())
		}}
		names := p.Scope().Names()
		if !slices.ContainsFunc(names, token.IsExported) {
			t.Errorf("%s has no exported name", p.Path())
		}
		for _, name := range names {
			if token.IsExported(name) {
				s.walk(p.Path()+"."+name, p.Scope().Lookup(name).Type())
			}
		}
	}
}

// publicPackages are those that others can import.
func publicPackages() (paths []string) {
	for dir := range rooms {
		if first, _, _ := strings.Cut(dir, "/"); !slices.Contains([]string{"internal", "cmd", "examples"}, first) {
			paths = append(paths, path.Join(module, dir))
		}
	}
	slices.Sort(paths)
	return paths
}

// compiled gives an importer of packages and all that they import, from what the compiler says
// about them.
func compiled(t *testing.T, paths []string) types.Importer {
	t.Helper()
	list := exec.Command("go", append([]string{"list", "-export", "-deps", "-f", "{{.ImportPath}}\t{{.Export}}"},
		paths...)...)
	output, err := list.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", list, err, errorOutput(err))
	}
	files := map[string]string{}
	for line := range strings.Lines(string(output)) {
		name, file, _ := strings.Cut(strings.TrimSpace(line), "\t")
		files[name] = file
	}
	return importer.ForCompiler(token.NewFileSet(), "gc",
		func(name string) (io.ReadCloser, error) { return os.Open(files[name]) })
}

// errorOutput is what a program wrote to its standard error.
func errorOutput(err error) []byte {
	if exit, ok := err.(*exec.ExitError); ok {
		return exit.Stderr
	}
	return nil
}

// A surface walks over the types that can be reached from exported names.
type surface struct {
	seen  map[types.Type]bool
	found func(where string, foreign *types.TypeName)
}

// walk looks at t, which stands at where, a readable path from an exported name.
func (s *surface) walk(where string, t types.Type) {
	if s.seen[t] {
		return
	}
	s.seen[t] = true
	switch t := t.(type) {
	case *types.Alias:
		s.name(where, t.Obj())
		s.list(where, t.TypeArgs())
		s.walk(where, t.Rhs())
	case *types.Named:
		s.list(where, t.TypeArgs())
		if s.name(where, t.Obj()) {
			s.declaration(where, t)
		}
	case *types.Struct:
		for f := range t.Fields() {
			if f.Exported() || f.Embedded() {
				s.walk(where+"."+f.Name(), f.Type())
			}
		}
	case *types.Interface:
		for m := range t.Methods() {
			if m.Exported() {
				s.walk(where+"."+m.Name(), m.Type())
			}
		}
		for e := range t.EmbeddedTypes() {
			s.walk(where, e)
		}
	case *types.Signature:
		s.parameters(where, t.TypeParams())
		for v := range t.Params().Variables() {
			s.walk(where, v.Type())
		}
		for v := range t.Results().Variables() {
			s.walk(where, v.Type())
		}
	case *types.Map:
		s.walk(where, t.Key())
		s.walk(where, t.Elem())
	case *types.Union:
		for term := range t.Terms() {
			s.walk(where, term.Type())
		}
	case interface{ Elem() types.Type }: // pointer, slice, array, channel
		s.walk(where, t.Elem())
	}
}

// name reports whether a type is of this module, and tells if it is neither that nor of the
// standard library.
func (s *surface) name(where string, n *types.TypeName) bool {
	if n.Pkg() == nil || isStandard(n.Pkg().Path()) {
		return false
	}
	if !isOurs(n.Pkg().Path()) {
		s.found(where, n)
		return false
	}
	return true
}

// declaration looks at a type of ours.
func (s *surface) declaration(where string, t *types.Named) {
	s.parameters(where, t.TypeParams())
	s.walk(where, t.Underlying())
	for m := range t.Methods() {
		if m.Exported() {
			s.walk(where+"."+m.Name(), m.Type())
		}
	}
}

func (s *surface) parameters(where string, list *types.TypeParamList) {
	for p := range list.TypeParams() {
		s.walk(where, p.Constraint())
	}
}

func (s *surface) list(where string, list *types.TypeList) {
	for t := range list.Types() {
		s.walk(where, t)
	}
}

// TestSurface: each way by which a type of another module can be reached is found, and what nobody
// can reach is not.
func TestSurface(t *testing.T) {
	t.Parallel()
	const foreign = "example.org/foreign"
	other := types.NewPackage(foreign, "foreign")
	thing := types.NewTypeName(token.NoPos, other, "Thing", nil)
	types.NewNamed(thing, types.NewStruct(nil, nil), nil)
	other.Scope().Insert(thing)
	other.MarkComplete()
	for _, tt := range []struct {
		name, source string
		found        bool
	}{
		{"a parameter", "func F(*foreign.Thing) {}", true},
		{"a result", "func F() []foreign.Thing { return nil }", true},
		{"a variable without a written type", "var V = foreign.Thing{}", true},
		{"an exported field", "type T struct{ F map[string]foreign.Thing }", true},
		{"a field of an embedded type that is not exported", "type T struct{ t }; type t struct{ F foreign.Thing }",
			true},
		{"an embedded type", "type T struct{ foreign.Thing }", true},
		{"an exported method", "type T int; func (T) M() chan foreign.Thing { return nil }", true},
		{"a method of a type that a function gives away",
			"func F() t { return 0 }; type t int; func (t) M(foreign.Thing) {}", true},
		{"a method of an interface", "type T interface{ M(func(foreign.Thing)) }", true},
		{"an alias", "type T = foreign.Thing", true},
		{"a type argument", "type T[A any] struct{}; var V T[foreign.Thing]", true},
		{"a constraint of a function", "func F[A interface{ foreign.Thing | int }](A) {}", true},
		{"a constraint of a type", "type T[A interface{ M(foreign.Thing) }] struct{}", true},
		{"a field that is not exported", "type T struct{ f foreign.Thing }", false},
		{"a method that is not exported", "type T int; func (T) m(foreign.Thing) {}", false},
		{"a function that is not exported", "func f(foreign.Thing) {}; func F() {}", false},
		{"inside a function", "func F() { _ = foreign.Thing{} }", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, "p.go", fmt.Sprintf("package p; import %q; var _ foreign.Thing; %s",
				foreign, tt.source), 0)
			if err != nil {
				t.Fatal(err)
			}
			check := types.Config{Importer: importerOf{other}}
			p, err := check.Check(module+"/p", set, []*ast.File{file}, nil)
			if err != nil {
				t.Fatal(err)
			}
			found := false
			s := surface{seen: map[types.Type]bool{}, found: func(string, *types.TypeName) { found = true }}
			for _, name := range p.Scope().Names() {
				if token.IsExported(name) {
					s.walk(name, p.Scope().Lookup(name).Type())
				}
			}
			if found != tt.found {
				t.Errorf("found is %v, want %v: %s", found, tt.found, tt.source)
			}
		})
	}
}

// importerOf has one package.
type importerOf struct{ p *types.Package }

func (i importerOf) Import(string) (*types.Package, error) { return i.p, nil }

// TestRequirements: who imports the library gets these modules and what they need, and builds what
// we test.
func TestRequirements(t *testing.T) {
	t.Parallel()
	edit := exec.Command("go", "mod", "edit", "-json", "go.mod")
	output, err := edit.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", edit, err, errorOutput(err))
	}
	type named struct{ Path string }
	var file struct {
		Require []struct {
			Path     string
			Indirect bool
		}
		Tool    []named
		Replace []struct{ Old named }
		Exclude []named
	}
	if err := json.Unmarshal(output, &file); err != nil {
		t.Fatal(err)
	}
	var direct []string
	for _, r := range file.Require {
		if r.Indirect {
			continue
		}
		direct = append(direct, r.Path)
		if !slices.Contains(thirdParty, r.Path) {
			t.Errorf("go.mod requires %s: everybody who imports the library would get it too; what needs it belongs into a nested module", r.Path)
		}
	}
	for _, p := range thirdParty {
		if !slices.Contains(direct, p) {
			t.Errorf("go.mod does not require %s: remove it from thirdParty, so that it stays out", p)
		}
	}
	for _, r := range file.Replace {
		t.Errorf("go.mod replaces %s: that holds for us alone, and our users would build something else than we test",
			r.Old.Path)
	}
	for _, e := range file.Exclude {
		t.Errorf("go.mod excludes %s: that holds for us alone, and our users would build something else than we test",
			e.Path)
	}
	for _, tool := range file.Tool {
		t.Errorf("go.mod has the tool %s: everybody who imports the library would get what it requires; tools live in the module tools", tool.Path)
	}
}

// Command measure prints the size and shape of the code, without tests, as one table of the modules
// that a directory holds:
//
//	go run ./tools/measure [-list] [DIRECTORY]
//
// DIRECTORY is the root of a checkout, by default the current one. -list names each function, line
// and pair of files that is counted, too.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"go/ast"
	"go/scanner"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/tools/go/packages"
)

// What counts as long. A comment is a line that holds nothing else.
const (
	longFunction = 40  // lines, from func to the closing brace
	longCode     = 120 // columns, a tab as one
	longComment  = 100 // columns, a tab as one
)

func main() {
	list := flag.Bool("list", false, "name what is counted")
	flag.Parse()
	dir := "."
	if flag.NArg() > 0 {
		dir = flag.Arg(0)
	}
	if err := run(os.Stdout, dir, *list); err != nil {
		fmt.Fprintln(os.Stderr, "measure:", err)
		os.Exit(1)
	}
}

// figures are those of one package, or of several together.
type figures struct {
	files, lines int
	largest      int
	largestFile  string
	// lines that are comments alone; lines with code; tokens without comments and automatic semicolons
	comments, code, tokens        int
	functions                     []string // longer than longFunction
	exported                      []string // package-level names, methods and fields that others can use
	codeLines, commentLines       []string // longer than longCode and longComment
	pairs                         []string // of files that use each other
	testFiles, testLines, longest int      // longest is the number of columns of the longest line
}

func run(w io.Writer, dir string, list bool) error {
	modules, err := modulesIn(dir)
	if err != nil {
		return err
	}
	groups := map[string]*figures{}
	var order []string
	for _, m := range modules {
		found, err := load(m)
		if err != nil {
			return err
		}
		for _, p := range found {
			name := group(dir, m, p)
			if groups[name] == nil {
				groups[name] = &figures{}
				order = append(order, name)
			}
			if err := groups[name].add(dir, p); err != nil {
				return err
			}
		}
	}
	if len(order) == 0 {
		return fmt.Errorf("%s holds no Go package, want the root of a checkout", dir)
	}
	slices.Sort(order)
	print(w, order, groups)
	if list {
		for _, name := range order {
			groups[name].list(w, name)
		}
	}
	return nil
}

// modulesIn returns the directories with a go.mod, below dir and dir itself.
func modulesIn(dir string) (list []string, err error) {
	err = filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err == nil && d.Name() == "go.mod" && !d.IsDir() {
			list = append(list, filepath.Dir(name))
		}
		return err
	})
	return list, err
}

func load(module string) ([]*packages.Package, error) {
	config := &packages.Config{Dir: module,
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedSyntax | packages.NeedTypes | packages.NeedTypesInfo | packages.NeedImports |
			packages.NeedDeps, Env: append(os.Environ(), "GOWORK=off")}
	found, err := packages.Load(config, "./...")
	if err != nil {
		return nil, err
	}
	for _, p := range found {
		for _, e := range p.Errors {
			return nil, fmt.Errorf("%s does not compile: %w", p.PkgPath, e)
		}
	}
	return found, nil
}

// group is the row of a package: the packages of a module of its own together, those of the first
// module each, but internal, cmd and examples together.
func group(root, module string, p *packages.Package) string {
	if rel, err := filepath.Rel(root, module); err == nil && rel != "." {
		return filepath.ToSlash(rel) + " (module)"
	}
	if len(p.GoFiles) == 0 {
		return "."
	}
	rel, err := filepath.Rel(absolute(root), filepath.Dir(p.GoFiles[0]))
	if err != nil {
		return p.PkgPath
	}
	first, _, _ := strings.Cut(filepath.ToSlash(rel), "/")
	return first
}

func absolute(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		return abs
	}
	return dir
}

func (f *figures) add(root string, p *packages.Package) error {
	for _, file := range p.Syntax {
		if err := f.file(root, p, file); err != nil {
			return err
		}
	}
	f.names(p)
	f.uses(p)
	if len(p.GoFiles) == 0 {
		return nil
	}
	tests, err := filepath.Glob(filepath.Join(filepath.Dir(p.GoFiles[0]), "*_test.go"))
	if err != nil {
		return err
	}
	for _, name := range tests {
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		f.testFiles++
		f.testLines += strings.Count(string(data), "\n")
	}
	return nil
}

// file counts lines, tokens and long functions.
func (f *figures) file(root string, p *packages.Package, file *ast.File) error {
	name := p.Fset.Position(file.FileStart).Filename
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	where := name
	if rel, err := filepath.Rel(absolute(root), name); err == nil {
		where = filepath.ToSlash(rel)
	}
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	f.files++
	f.lines += len(lines)
	if len(lines) > f.largest {
		f.largest, f.largestFile = len(lines), where
	}
	hasCode := f.scan(data)
	for i, line := range lines {
		columns := utf8.RuneCountInString(line)
		f.longest = max(f.longest, columns)
		place := fmt.Sprintf("%s:%d, %d columns", where, i+1, columns)
		switch {
		case hasCode[i+1]:
			f.code++
			if columns > longCode {
				f.codeLines = append(f.codeLines, place)
			}
		case strings.TrimSpace(line) != "":
			f.comments++
			if columns > longComment {
				f.commentLines = append(f.commentLines, place)
			}
		}
	}
	for _, d := range file.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok {
			if n := p.Fset.Position(fn.End()).Line - p.Fset.Position(fn.Pos()).Line + 1; n > longFunction {
				f.functions = append(f.functions, fmt.Sprintf("%s %s, %d lines", where, fn.Name.Name, n))
			}
		}
	}
	return nil
}

// scan counts tokens, and returns the lines on which code stands, by number.
func (f *figures) scan(data []byte) map[int]bool {
	set := token.NewFileSet()
	source := set.AddFile("", -1, len(data))
	var s scanner.Scanner
	s.Init(source, data, nil, 0) // comments are skipped
	hasCode := map[int]bool{}
	for {
		pos, t, text := s.Scan()
		if t == token.EOF {
			return hasCode
		}
		if t == token.SEMICOLON && text == "\n" {
			continue
		}
		f.tokens++
		first := source.Line(pos)
		for line := first; line <= first+strings.Count(text, "\n"); line++ { // a raw string has several
			hasCode[line] = true
		}
	}
}

// names collects what other packages can use: names of the package, fields and methods.
func (f *figures) names(p *packages.Package) {
	if p.Name == "main" || strings.Contains("/"+p.PkgPath+"/", "/internal/") {
		return
	}
	for _, name := range p.Types.Scope().Names() {
		o := p.Types.Scope().Lookup(name)
		if !o.Exported() {
			continue
		}
		add := func(member string) { f.exported = append(f.exported, p.PkgPath+"."+name+member) }
		add("")
		t, isType := o.(*types.TypeName)
		if !isType {
			continue
		}
		named, ok := t.Type().(*types.Named)
		if !ok {
			continue
		}
		for m := range named.Methods() {
			if m.Exported() {
				add("." + m.Name())
			}
		}
		switch u := named.Underlying().(type) {
		case *types.Struct:
			for field := range u.Fields() {
				if field.Exported() {
					add("." + field.Name())
				}
			}
		case *types.Interface:
			for m := range u.ExplicitMethods() {
				if m.Exported() {
					add("." + m.Name())
				}
			}
		}
	}
}

// uses collects the pairs of files of a package each of which uses a package-level name, a method
// or a field that the other declares.
func (f *figures) uses(p *packages.Package) {
	uses := map[[2]string]bool{}
	for id, o := range p.TypesInfo.Uses {
		if o.Pkg() != p.Types || !o.Pos().IsValid() || isLocal(p, o) {
			continue
		}
		from, to := p.Fset.Position(id.Pos()).Filename, p.Fset.Position(o.Pos()).Filename
		if from != to {
			uses[[2]string{from, to}] = true
		}
	}
	for pair := range maps.Keys(uses) {
		if pair[0] < pair[1] && uses[[2]string{pair[1], pair[0]}] {
			f.pairs = append(f.pairs, filepath.Base(pair[0])+" and "+filepath.Base(pair[1])+" of "+p.PkgPath)
		}
	}
	slices.Sort(f.pairs)
}

// isLocal holds for what a function declares inside, which no other file can use anyway.
func isLocal(p *packages.Package, o types.Object) bool {
	return o.Parent() != nil && o.Parent() != p.Types.Scope()
}

func print(w io.Writer, order []string, groups map[string]*figures) {
	const row = "%-28s %5s %6s %5s %-34s %5s %5s %5s %5s %5s %5s %7s %8s %6s %6s\n"
	fmt.Fprintf(w, row, "package or module", "files", "lines", "large", "largest file", "funcs", "exp.", "code",
		"comm.", "max", "pairs", "tok/ln", "comm%", "tests", "lines")
	fmt.Fprintf(w, row, "", "", "", "", "", ">40", "", ">120", ">100", "cols", "", "", "of lines", "files", "")
	number := func(n int) string { return fmt.Sprint(n) }
	var all figures
	line := func(name string, f *figures) {
		fmt.Fprintf(w, row, name, number(f.files), number(f.lines), number(f.largest), f.largestFile,
			number(len(f.functions)), number(len(f.exported)), number(len(f.codeLines)),
			number(len(f.commentLines)), number(f.longest), number(len(f.pairs)), fmt.Sprintf("%.1f",
				ratio(f.tokens, f.code)), fmt.Sprintf("%.0f", 100*ratio(f.comments, f.lines)),
			number(f.testFiles), number(f.testLines))
	}
	for _, name := range order {
		f := groups[name]
		line(name, f)
		all.join(f)
	}
	line("all", &all)
}

func ratio(a, b int) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

func (f *figures) join(o *figures) {
	f.files += o.files
	f.lines += o.lines
	f.comments += o.comments
	f.code += o.code
	f.tokens += o.tokens
	f.testFiles += o.testFiles
	f.testLines += o.testLines
	f.longest = max(f.longest, o.longest)
	if o.largest > f.largest {
		f.largest, f.largestFile = o.largest, o.largestFile
	}
	f.functions = append(f.functions, o.functions...)
	f.exported = append(f.exported, o.exported...)
	f.codeLines = append(f.codeLines, o.codeLines...)
	f.commentLines = append(f.commentLines, o.commentLines...)
	f.pairs = append(f.pairs, o.pairs...)
}

// list names what the row of a package counts.
func (f *figures) list(w io.Writer, name string) {
	for _, part := range []struct {
		what  string
		names []string
	}{{"function", f.functions}, {"exported", f.exported}, {"long code", f.codeLines}, {"long comment",
		f.commentLines}, {"pair", f.pairs}} {
		for _, n := range slices.SortedFunc(slices.Values(part.names), cmp.Compare[string]) {
			fmt.Fprintf(w, "%s: %s: %s\n", name, part.what, n)
		}
	}
}

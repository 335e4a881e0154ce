package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
)

// helpers stand beside the changed files of each package. What they return for number 0 is what
// they were given.
const helpers = `package %s

import (
	"os"
	"strconv"
)

var mutantNumber, _ = strconv.Atoi(os.Getenv("` + variable + `"))

// mutantBool is !b, true or false under the numbers n, n+1 and n+2.
func mutantBool(n int, b bool) bool {
	switch mutantNumber {
	case n:
		return !b
	case n + 1:
		return true
	case n + 2:
		return false
	}
	return b
}

// mutantOff is x+1 under the number n, x-1 under n+1.
func mutantOff[T ~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~uint](n int, x T) T {
	switch mutantNumber {
	case n:
		return x + 1
	case n + 1:
		return x - 1
	}
	return x
}
`

// makeMutants writes the changed files into dir and gives what there is to choose, and which file
// replaces which.
func makeMutants(dir string) (mutants []mutant, overlay map[string]string, err error) {
	root, err := os.Getwd()
	if err != nil {
		return nil, nil, err
	}
	var paths []string
	for path := range targets {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	loaded, err := packages.Load(&packages.Config{Mode: packages.NeedName | packages.NeedFiles | packages.NeedSyntax | packages.NeedTypes | packages.NeedTypesInfo | packages.NeedImports | packages.NeedDeps}, paths...)
	if err != nil {
		return nil, nil, err
	}
	overlay = map[string]string{}
	next := 1
	for _, p := range loaded {
		if len(p.Errors) > 0 {
			return nil, nil, p.Errors[0]
		}
		for _, syntax := range p.Syntax {
			name := p.Fset.Position(syntax.Pos()).Filename
			if !slices.Contains(targets[p.PkgPath], filepath.Base(name)) {
				continue
			}
			source, err := os.ReadFile(name)
			if err != nil {
				return nil, nil, err
			}
			relative, err := filepath.Rel(root, name)
			if err != nil {
				return nil, nil, err
			}
			c := changer{fset: p.Fset, info: p.TypesInfo, source: source, next: next, done: map[ast.Expr]bool{},
				add: mutant{pkg: p.PkgPath, file: filepath.ToSlash(relative)}}
			c.file(syntax)
			for i := range c.mutants {
				c.mutants[i].key = fmt.Sprintf("%s %x %d", c.add.file, sha256.Sum256(source), i)
			}
			mutants, next = append(mutants, c.mutants...), c.next
			overlay[name] = filepath.Join(dir, fmt.Sprintf("%d.go", next))
			if err := os.WriteFile(overlay[name], c.changed(), 0o600); err != nil {
				return nil, nil, err
			}
		}
		added := filepath.Join(filepath.Dir(p.GoFiles[0]), "mutants_helpers.go")
		overlay[added] = filepath.Join(dir, fmt.Sprintf("helpers%d.go", next))
		if err := os.WriteFile(overlay[added], fmt.Appendf(nil, helpers, p.Name), 0o600); err != nil {
			return nil, nil, err
		}
	}
	return mutants, overlay, nil
}

// A changer puts all changes into one file, by inserting text around what is changed.
type changer struct {
	fset    *token.FileSet
	info    *types.Info
	source  []byte
	next    int    // number
	add     mutant // what the mutants of this file have in common
	mutants []mutant
	inserts []insert
	done    map[ast.Expr]bool // what is changed already
}

// An insert is text at an offset. Of those at one offset what closes comes first, inner before
// outer, then what opens, outer before inner.
type insert struct {
	at    int
	close bool
	order int
	text  string
}

func (c *changer) offset(p token.Pos) int { return c.fset.Position(p).Offset }

func (c *changer) text(n ast.Node) string {
	return strings.Join(strings.Fields(string(c.source[c.offset(n.Pos()):c.offset(n.End())])), " ")
}

// around puts text before and behind a node.
func (c *changer) around(n ast.Node, before, behind string) {
	order := len(c.inserts)
	c.inserts = append(c.inserts, insert{c.offset(n.Pos()), false, order, before},
		insert{c.offset(n.End()), true, -order, behind})
}

func (c *changer) mutant(n ast.Node, change string) int {
	m := c.add
	m.number, m.line, m.change = c.next, c.fset.Position(n.Pos()).Line, change
	c.mutants = append(c.mutants, m)
	c.next++
	return m.number
}

func (c *changer) changed() []byte {
	slices.SortStableFunc(c.inserts, func(a, b insert) int {
		switch {
		case a.at != b.at:
			return a.at - b.at
		case a.close != b.close:
			if a.close {
				return -1
			}
			return 1
		}
		return a.order - b.order
	})
	var b bytes.Buffer
	from := 0
	for _, i := range c.inserts {
		b.Write(c.source[from:i.at])
		b.WriteString(i.text)
		from = i.at
	}
	b.Write(c.source[from:])
	return b.Bytes()
}

func (c *changer) file(f *ast.File) {
	for _, d := range f.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Body == nil {
			continue
		}
		c.add.function = f.Name.Name
		ast.Inspect(f.Body, c.node)
	}
}

// node changes what can be changed in a node; what is below it comes after it. How much is reserved
// is no behavior, and constants and types are none either.
func (c *changer) node(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.GenDecl:
		return n.Tok == token.VAR
	case *ast.ArrayType:
		return false
	case *ast.CallExpr:
		if reserves(n) {
			return false
		}
		c.values(n.Args...)
	case *ast.BlockStmt:
		c.statements(n.List)
	case *ast.CaseClause:
		c.conditions(n.List...)
		c.statements(n.Body)
	case *ast.IfStmt:
		c.conditions(n.Cond)
	case *ast.ForStmt:
		c.conditions(n.Cond)
	case *ast.ReturnStmt:
		c.values(n.Results...)
	case *ast.AssignStmt:
		c.values(n.Rhs...)
	case *ast.KeyValueExpr:
		c.values(n.Value)
	case *ast.IndexExpr:
		c.values(n.Index)
	case *ast.SliceExpr:
		c.values(n.Low, n.High)
	case *ast.BinaryExpr:
		c.binary(n)
	}
	return true
}

func reserves(call *ast.CallExpr) bool {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name == "make"
	case *ast.SelectorExpr:
		return f.Sel.Name == "Grow"
	}
	return false
}

// statements leaves out each that can be left out.
func (c *changer) statements(list []ast.Stmt) {
	for _, s := range list {
		switch s := s.(type) {
		case *ast.ExprStmt, *ast.IncDecStmt:
		case *ast.AssignStmt:
			if s.Tok == token.DEFINE {
				continue
			}
		case *ast.BranchStmt:
			if s.Tok != token.CONTINUE && s.Tok != token.BREAK {
				continue
			}
		default:
			continue
		}
		c.around(s, fmt.Sprintf("if mutantNumber != %d { ", c.mutant(s, "without "+c.text(s))), " }")
	}
}

// conditions turns each that is a bool at run time into its opposite, true and false.
func (c *changer) conditions(list ...ast.Expr) {
	for _, e := range list {
		if e == nil {
			continue
		}
		tv := c.info.Types[e]
		basic, ok := tv.Type.(*types.Basic)
		if tv.Value != nil || !ok || basic.Info()&types.IsBoolean == 0 || c.done[e] {
			continue
		}
		c.done[e] = true
		text := c.text(e)
		n := c.mutant(e, text+" -> opposite")
		c.mutant(e, text+" -> true")
		c.mutant(e, text+" -> false")
		c.around(e, fmt.Sprintf("mutantBool(%d, ", n), ")")
	}
}

// values changes what is handed on: a bool like a condition, an integer that is written or computed
// here by one.
func (c *changer) values(list ...ast.Expr) {
	c.conditions(list...)
	for _, e := range list {
		if _, ok := e.(*ast.BasicLit); ok {
			c.byOne(e, c.text(e))
		}
	}
}

// binary changes the operands of && and ||, moves the bound of a comparison, and a sum or
// difference, by one.
func (c *changer) binary(n *ast.BinaryExpr) {
	switch n.Op {
	case token.LAND, token.LOR:
		c.conditions(n.X, n.Y)
	case token.LSS, token.LEQ, token.GTR, token.GEQ:
		c.byOne(n.Y, "the right side of "+c.text(n))
	case token.ADD, token.SUB:
		c.byOne(n, c.text(n))
	}
}

func (c *changer) byOne(e ast.Expr, text string) {
	basic, ok := c.info.Types[e].Type.(*types.Basic)
	if !ok || basic.Info()&types.IsInteger == 0 || basic.Info()&types.IsUntyped != 0 || c.done[e] {
		return
	}
	c.done[e] = true
	n := c.mutant(e, text+" -> + 1")
	c.mutant(e, text+" -> - 1")
	c.around(e, fmt.Sprintf("mutantOff[%s](%d, ", basic.Name(), n), ")")
}

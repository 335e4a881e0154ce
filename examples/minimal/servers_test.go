package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestServersHaveLimits reads the source of each server that a program of this repository makes.
// net/http has no time limits by default, so slow clients could hold connections forever.
func TestServersHaveLimits(t *testing.T) {
	t.Parallel()
	found := 0
	err := filepath.WalkDir(filepath.Join("..", ".."), func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, name, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CompositeLit:
				if isHTTP(n.Type, "Server") {
					found++
					for _, field := range []string{
						"ReadHeaderTimeout",
						"ReadTimeout",
						"WriteTimeout",
						"IdleTimeout",
						"MaxHeaderBytes",
					} {
						if !has(n, field) {
							t.Errorf("%s: the server has no %s", files.Position(n.Pos()), field)
						}
					}
				}
			case *ast.CallExpr:
				for _, function := range []string{"Serve", "ServeTLS", "ListenAndServe", "ListenAndServeTLS"} {
					if isHTTP(n.Fun, function) {
						t.Errorf("%s: http.%s serves without any limit", files.Position(n.Pos()), function)
					}
				}
			}
			return true
		})
		return nil
	})
	want := 6 // minimal, samlsp, chi, dataplane, migration and tenants
	if _, err := os.Stat(filepath.Join("..", "dataplane")); err != nil {
		want = 2 // the others are modules of their own, which the published module does not hold
	}
	if err != nil || found < want {
		t.Errorf("got %d servers and %v, want at least %d", found, err, want)
	}
}

func isHTTP(n ast.Expr, name string) bool {
	s, ok := n.(*ast.SelectorExpr)
	if !ok || s.Sel.Name != name {
		return false
	}
	x, ok := s.X.(*ast.Ident)
	return ok && x.Name == "http"
}

func has(c *ast.CompositeLit, field string) bool {
	return slices.ContainsFunc(c.Elts, func(e ast.Expr) bool {
		pair, ok := e.(*ast.KeyValueExpr)
		if !ok {
			return false
		}
		key, ok := pair.Key.(*ast.Ident)
		return ok && key.Name == field
	})
}

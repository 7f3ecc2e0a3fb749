package contract_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Nothing that is declared has the name of something that Go declares itself, such as new or max:
// whoever reads on takes it for that. Fields and methods may, since they are never named alone.
func TestNoBuiltinIsShadowed(t *testing.T) {
	files := token.NewFileSet()
	sources(t, func(path string, text []byte) {
		file, err := parser.ParseFile(files, path, text, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if ast.IsGenerated(file) {
			return
		}
		ast.Inspect(file, func(n ast.Node) bool {
			for _, id := range declared(n) {
				if types.Universe.Lookup(id.Name) != nil {
					t.Errorf("%s: %s is a name of Go's own; take another", files.Position(id.Pos()), id.Name)
				}
			}
			return true
		})
	})
}

// sources reads every Go file of the project.
func sources(t *testing.T, visit func(path string, text []byte)) {
	t.Helper()
	root, seen := filepath.Join("..", ".."), 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := entry.Name(); entry.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "testdata") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		seen++
		visit(path, text)
		return nil
	})
	if err != nil || seen < 100 {
		t.Fatalf("%d files were read: %v", seen, err)
	}
}

// declared returns the names that a node declares.
func declared(n ast.Node) (out []*ast.Ident) {
	names := func(expressions ...ast.Expr) {
		for _, e := range expressions {
			if id, ok := e.(*ast.Ident); ok {
				out = append(out, id)
			}
		}
	}
	fields := func(lists ...*ast.FieldList) {
		for _, list := range lists {
			if list == nil {
				continue
			}
			for _, f := range list.List {
				out = append(out, f.Names...)
			}
		}
	}
	switch n := n.(type) {
	case *ast.FuncDecl:
		if n.Recv == nil {
			names(n.Name)
		}
		fields(n.Recv)
	case *ast.FuncType:
		fields(n.TypeParams, n.Params, n.Results)
	case *ast.AssignStmt:
		if n.Tok == token.DEFINE {
			names(n.Lhs...)
		}
	case *ast.RangeStmt:
		if n.Tok == token.DEFINE {
			names(n.Key, n.Value)
		}
	case *ast.ValueSpec:
		out = n.Names
	case *ast.TypeSpec:
		names(n.Name)
	}
	return out
}

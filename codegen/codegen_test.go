package codegen

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path"
	"strings"
	"sync"
	"testing"

	"github.com/mcpc-dev/mcpc/compiler"
	"github.com/mcpc-dev/mcpc/runtime/plan"
	"github.com/mcpc-dev/mcpc/specs"
)

// compile compiles a document that must have no mistakes.
func compile(t testing.TB, text string) (*plan.Server, *plan.Model) {
	t.Helper()
	p, m := tryCompile(t, text)
	if p == nil {
		t.Fatalf("no plan of\n%s", text)
	}
	return p, m
}

func tryCompile(t testing.TB, text string) (*plan.Server, *plan.Model) {
	t.Helper()
	r, err := compiler.Compile(t.Context(), compiler.Options{Target: "-", Model: true,
		Reader: &specs.Reader{Stdin: strings.NewReader(text), Getenv: func(string) string { return "" }}})
	if err != nil {
		t.Fatal(err)
	}
	return r.Plan, r.Model
}

func generate(t testing.TB, p *plan.Server, m *plan.Model) []File {
	t.Helper()
	files, err := Generate(p, m, Options{Package: "api"})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// exported finds the compiled packages that generated code imports.
var exported = sync.OnceValues(func() (map[string]string, error) {
	out, err := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Export", runtimePath, planPath, typedPath, commandPath, storePath, "encoding/json", "net/http", "reflect").Output()
	if err != nil {
		return nil, err
	}
	files := map[string]string{}
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var p struct{ ImportPath, Export string }
		if err := d.Decode(&p); err != nil {
			return nil, err
		}
		files[p.ImportPath] = p.Export
	}
	return files, nil
})

// checker compiles packages up to their types.
type checker struct {
	fset  *token.FileSet
	gc    types.Importer
	known map[string]*types.Package // checked before
}

// newChecker makes one; checkers are not for several goroutines.
func newChecker(t testing.TB) *checker {
	t.Helper()
	files, err := exported()
	if err != nil {
		t.Fatal(err)
	}
	c := &checker{fset: token.NewFileSet(), known: map[string]*types.Package{}}
	c.gc = importer.ForCompiler(c.fset, "gc", func(path string) (io.ReadCloser, error) {
		if files[path] == "" {
			return nil, errors.New("generated code does not import " + path)
		}
		return os.Open(files[path])
	})
	return c
}

// Import is of [types.Importer].
func (c *checker) Import(path string) (*types.Package, error) {
	if p := c.known[path]; p != nil {
		return p, nil
	}
	return c.gc.Import(path)
}

// check returns what is wrong with a package.
func (c *checker) check(importPath string, files []File) (*types.Package, error) {
	var parsed []*ast.File
	for _, f := range files {
		if path.Ext(f.Name) != ".go" {
			continue
		}
		p, err := parser.ParseFile(c.fset, f.Name, f.Content, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		parsed = append(parsed, p)
	}
	conf := types.Config{Importer: c}
	p, err := conf.Check(importPath, c.fset, parsed, nil)
	if err == nil {
		c.known[importPath] = p
	}
	return p, err
}

// file is the content of a generated file.
func file(t testing.TB, files []File, name string) string {
	t.Helper()
	for _, f := range files {
		if f.Name == name {
			return string(f.Content)
		}
	}
	t.Fatalf("no file %s", name)
	return ""
}

// A client of Redis is linked by servers that share limits, and by no others.
func TestStoreIsImported(t *testing.T) {
	p, m := compile(t, `{"openapi":"3.1.0","info":{"title":"x","version":"1"},"servers":[{"url":"https://x.example"}],"paths":{"/a":{"get":{"operationId":"a","responses":{"200":{"description":"ok"}}}}}}`)
	imports := func() bool {
		for _, f := range generate(t, p, m) {
			if bytes.Contains(f.Content, []byte(`_ "`+storePath+`"`)) {
				return true
			}
		}
		return false
	}
	if imports() {
		t.Error("imported without a store")
	}
	p.Stores = []plan.Store{{Name: "shared", URL: plan.Expr{Op: plan.OpConst, Const: `"redis://x.example"`}}}
	if !imports() {
		t.Error("not imported for a store")
	}
}

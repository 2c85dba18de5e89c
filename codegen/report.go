package codegen

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// Report says how far a migration is: which tools Go code answers, and which the
// services behind the bridge still do.
type Report struct {
	Native  int          `json:"native"`
	Bridged int          `json:"bridged"`
	Tools   []ToolReport `json:"tools"` // in the order of the plan
}

// ToolReport is one tool of a [Report].
type ToolReport struct {
	Method
	Upstream string   `json:"upstream"`
	Route    string   `json:"route"`            // e.g. "GET /orders/{id}"
	Native   []string `json:"native,omitempty"` // file:line of the methods that took its place
}

// Module is where the code is that uses a generated package.
type Module struct {
	Dir        string // everything below it is read
	ImportPath string // of the generated package
	Package    string // its name
}

// Migration reads the Go code of a module and finds the methods of types that
// embed the Bridge of the generated package. Tests do not count, and neither do
// folders that Go does not look into.
func Migration(p *plan.Server, m Module) (*Report, error) {
	found := map[string][]string{}
	packages := map[string]*source{}
	err := filepath.WalkDir(m.Dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := d.Name()
		if d.IsDir() {
			if name != m.Dir && (strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata" || base == "vendor" || base == "node_modules") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(base, ".go") || strings.HasSuffix(base, "_test.go") {
			return nil
		}
		dir := filepath.Dir(name)
		if packages[dir] == nil {
			packages[dir] = &source{fset: token.NewFileSet(), types: map[string]*embedder{}}
		}
		return packages[dir].read(name, m)
	})
	if err != nil {
		return nil, err
	}
	for _, src := range packages {
		for method, places := range src.overrides() {
			for _, at := range places {
				file, err := filepath.Rel(m.Dir, at.Filename)
				if err != nil {
					file = at.Filename
				}
				found[method] = append(found[method], filepath.ToSlash(file)+":"+strconv.Itoa(at.Line))
			}
		}
	}
	r := &Report{Tools: []ToolReport{}}
	for i, method := range Methods(p) {
		t := ToolReport{Method: method, Upstream: p.Tools[i].Request.Upstream, Route: strings.Trim(route(p.Tools[i].Request), "()"), Native: found[method.Name]}
		slices.Sort(t.Native)
		if t.Native == nil {
			r.Bridged++
		} else {
			r.Native++
		}
		r.Tools = append(r.Tools, t)
	}
	return r, nil
}

// source is the code of one package.
type source struct {
	fset    *token.FileSet
	types   map[string]*embedder
	methods []*ast.FuncDecl
}

// embedder is a struct type and what it embeds: the Bridge, or types of the same
// package.
type embedder struct {
	bridge bool
	embeds []string
}

func (s *source) read(name string, m Module) error {
	f, err := parser.ParseFile(s.fset, name, nil, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	alias := ""
	for _, i := range f.Imports {
		if p, err := strconv.Unquote(i.Path.Value); err == nil && p == m.ImportPath {
			if alias = m.Package; i.Name != nil {
				alias = i.Name.Name
			}
		}
	}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv != nil {
				s.methods = append(s.methods, d)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				t, ok := spec.(*ast.TypeSpec)
				if !ok {
					continue
				}
				st, ok := t.Type.(*ast.StructType)
				if !ok {
					continue
				}
				e := &embedder{}
				s.types[t.Name.Name] = e
				for _, field := range st.Fields.List {
					if len(field.Names) > 0 {
						continue
					}
					switch x := generic(unstar(field.Type)).(type) {
					case *ast.Ident:
						e.embeds = append(e.embeds, x.Name)
					case *ast.SelectorExpr:
						if pkg, ok := x.X.(*ast.Ident); ok && x.Sel.Name == "Bridge" && alias != "" && pkg.Name == alias {
							e.bridge = true
						}
					}
				}
			}
		}
	}
	return nil
}

func unstar(x ast.Expr) ast.Expr {
	if s, ok := x.(*ast.StarExpr); ok {
		return s.X
	}
	return x
}

// generic is a type without its arguments.
func generic(x ast.Expr) ast.Expr {
	switch t := x.(type) {
	case *ast.IndexExpr:
		return t.X
	case *ast.IndexListExpr:
		return t.X
	}
	return x
}

// overrides are the methods of types that embed the Bridge, by name.
func (s *source) overrides() map[string][]token.Position {
	for changed := true; changed; {
		changed = false
		for _, e := range s.types {
			if e.bridge {
				continue
			}
			e.bridge = slices.ContainsFunc(e.embeds, func(n string) bool { return s.types[n] != nil && s.types[n].bridge })
			changed = changed || e.bridge
		}
	}
	out := map[string][]token.Position{}
	for _, m := range s.methods {
		name, ok := generic(unstar(m.Recv.List[0].Type)).(*ast.Ident)
		if ok && s.types[name.Name] != nil && s.types[name.Name].bridge {
			out[m.Name.Name] = append(out[m.Name.Name], s.fset.Position(m.Pos()))
		}
	}
	return out
}

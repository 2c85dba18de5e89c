package codegen

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
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
	// Unread are files that are no Go code, with the reason: file:line: message.
	Unread []string `json:"unread,omitempty"`
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
// embed the Bridge of the generated package, by themselves or through others of
// the module. Tests do not count, and neither do folders that Go does not look
// into. What is no Go code yet is left out and named.
func Migration(p *plan.Server, m Module) (*Report, error) {
	src := &source{fset: token.NewFileSet(), module: m, types: map[goType]*embedder{}, packages: map[string]string{}}
	r := &Report{Tools: []ToolReport{}}
	err := filepath.WalkDir(m.Dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := d.Name()
		if d.IsDir() {
			if name != m.Dir && (strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata" || base == "vendor" || base == "node_modules" || isFile(filepath.Join(name, "go.mod"))) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(base, ".go") || strings.HasSuffix(base, "_test.go") || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
			return nil
		}
		f, err := parser.ParseFile(src.fset, name, nil, parser.SkipObjectResolution)
		if list, ok := errors.AsType[scanner.ErrorList](err); ok {
			r.Unread = append(r.Unread, fmt.Sprintf("%s:%d: %s", src.relative(name), list[0].Pos.Line, list[0].Msg))
			return nil
		}
		if err != nil {
			return err
		}
		src.add(src.relative(filepath.Dir(name)), f)
		return nil
	})
	if err != nil {
		return nil, err
	}
	found := src.overrides()
	for i, method := range Methods(p) {
		t := ToolReport{Method: method, Upstream: p.Tools[i].Request.Upstream, Route: strings.Trim(route(&p.Tools[i]), "()"), Native: found[method.Name]}
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

func isFile(name string) bool {
	s, err := os.Stat(name)
	return err == nil && s.Mode().IsRegular()
}

// source is the code of a module.
type source struct {
	fset     *token.FileSet
	module   Module
	root     string            // import path of the module's folder; "" while it is not known
	packages map[string]string // names by folder
	types    map[goType]*embedder
	methods  []method
}

type sourceFile struct {
	folder string // relative to the module's, with slashes
	*ast.File
}

// goType is a type of the package in a folder.
type goType struct{ folder, name string }

// embedder is a struct type and what it embeds, or an alias and what it means.
type embedder struct {
	file   sourceFile
	embeds []ast.Expr
	bridge bool // it has the methods of the Bridge
}

type method struct {
	of goType
	*ast.FuncDecl
}

// relative is a path below the folder of the module, with slashes.
func (s *source) relative(name string) string {
	if rel, err := filepath.Rel(s.module.Dir, name); err == nil {
		name = rel
	}
	return filepath.ToSlash(name)
}

// add collects the types and methods of a file.
func (s *source) add(folder string, file *ast.File) {
	f := sourceFile{folder, file}
	s.packages[folder] = f.Name.Name
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				continue
			}
			s.methods = append(s.methods, method{goType{folder, receiver(d.Recv.List[0].Type)}, d})
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				t, ok := spec.(*ast.TypeSpec)
				if !ok {
					continue
				}
				e := &embedder{file: f}
				if st, ok := t.Type.(*ast.StructType); ok {
					for _, field := range st.Fields.List {
						if len(field.Names) == 0 {
							e.embeds = append(e.embeds, field.Type)
						}
					}
				} else if t.Assign.IsValid() {
					e.embeds = []ast.Expr{t.Type}
				}
				s.types[goType{folder, t.Name.Name}] = e
			}
		}
	}
}

// receiver is the name of a method's type.
func receiver(x ast.Expr) string {
	switch x := x.(type) {
	case *ast.StarExpr:
		return receiver(x.X)
	case *ast.ParenExpr:
		return receiver(x.X)
	case *ast.IndexExpr:
		return receiver(x.X)
	case *ast.IndexListExpr:
		return receiver(x.X)
	case *ast.Ident:
		return x.Name
	}
	return ""
}

// embedsBridge reports whether the type that x names in a file has the Bridge's
// methods.
func (s *source) embedsBridge(x ast.Expr, in sourceFile) bool {
	switch x := x.(type) {
	case *ast.StarExpr:
		return s.embedsBridge(x.X, in)
	case *ast.IndexExpr:
		return s.embedsBridge(x.X, in)
	case *ast.IndexListExpr:
		return s.embedsBridge(x.X, in)
	case *ast.Ident:
		if t := s.types[goType{in.folder, x.Name}]; t != nil {
			return t.bridge
		}
		return s.imported(".", x.Name, in)
	case *ast.SelectorExpr:
		pkg, ok := x.X.(*ast.Ident)
		return ok && s.imported(pkg.Name, x.Sel.Name, in)
	}
	return false
}

// imported reports whether a type of a package, which a file knows by a name,
// has the Bridge's methods.
func (s *source) imported(pkg, name string, in sourceFile) bool {
	for _, i := range in.Imports {
		p, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			continue
		}
		folder, local := s.folderOf(p)
		known := s.packages[folder]
		if p == s.module.ImportPath {
			known = s.module.Package
		}
		if i.Name != nil {
			known = i.Name.Name
		}
		if known != pkg {
			continue
		}
		if p == s.module.ImportPath && (name == "Bridge" || name == "Tools") {
			return true
		}
		if t := s.types[goType{folder, name}]; local && t != nil && t.bridge {
			return true
		}
	}
	return false
}

// folderOf is the folder of the module's package with an import path.
func (s *source) folderOf(importPath string) (folder string, ok bool) {
	if s.root != "" {
		folder, ok = strings.CutPrefix(importPath, s.root+"/")
		return folder, ok && s.packages[folder] != ""
	}
	for f := range s.packages { // the longest that the path ends in
		if strings.HasSuffix(importPath, "/"+f) && len(f) > len(folder) {
			folder, ok = f, true
		}
	}
	return folder, ok
}

// overrides are the places of methods of types that embed the Bridge, by the
// methods' names.
func (s *source) overrides() map[string][]string {
	generated, ok := s.folderOf(s.module.ImportPath)
	switch {
	case ok:
		s.root = strings.TrimSuffix(s.module.ImportPath, "/"+generated)
	case s.packages["."] == s.module.Package:
		s.root, generated, ok = s.module.ImportPath, ".", true
	}
	if ok { // code beside it needs no import
		s.types[goType{generated, "Bridge"}] = &embedder{bridge: true}
		s.types[goType{generated, "Tools"}] = &embedder{bridge: true}
	}
	for changed := true; changed; {
		changed = false
		for _, e := range s.types {
			if !e.bridge && slices.ContainsFunc(e.embeds, func(x ast.Expr) bool { return s.embedsBridge(x, e.file) }) {
				e.bridge, changed = true, true
			}
		}
	}
	out := map[string][]string{}
	for _, m := range s.methods {
		if e := s.types[m.of]; e != nil && e.bridge && len(e.embeds) > 0 {
			at := s.fset.Position(m.Pos())
			out[m.Name.Name] = append(out[m.Name.Name], s.relative(at.Filename)+":"+strconv.Itoa(at.Line))
		}
	}
	return out
}

// Package codegen prints a plan as a Go package: the same plan, and typed doors
// to it. The package has no behaviour of its own; what executes it is the
// runtime, so a generated server does what an interpreted one does.
//
// Types are made of schemas (types.go), then everything gets its name
// (naming.go), then it is printed: types (declare.go), the plan (literal.go),
// one file for each tool and one for the server (files.go). print.go is the only
// door from outside text into source. Nothing is written to disk here but in
// folder.go, which compares a folder with what it should hold.
package codegen

import (
	"errors"
	"fmt"
	"go/token"
	"slices"
	"strings"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// Options say how a package is generated. Package is required.
type Options struct {
	// Package is the name of the Go package.
	Package string
}

// File is one file of the generated package.
type File struct {
	Name    string // relative to the folder of the package, with slashes
	Content []byte
}

// Generate returns the files of a package for a plan and its model, sorted by
// name. The same plan gives the same bytes. An error is a mistake in the options
// or in the plan.
func Generate(p *plan.Server, m *plan.Model, o Options) ([]File, error) {
	if !token.IsIdentifier(o.Package) || o.Package == "main" || o.Package == "_" {
		return nil, fmt.Errorf("%q cannot be the name of the package", o.Package)
	}
	if m == nil {
		return nil, errors.New("the plan has no model")
	}
	s, err := newServer(Portable(p), m, o.Package)
	if err != nil {
		return nil, err
	}
	var files []File
	add := func(name string, content []byte, err error) error {
		files = append(files, File{name, content})
		return err
	}
	if err := add(s.serverFile()); err != nil {
		return nil, err
	}
	if err := add(s.toolsFile()); err != nil {
		return nil, err
	}
	for name, defs := range s.typeFiles() {
		if err := add(s.typesFile(name, defs)); err != nil {
			return nil, err
		}
	}
	for _, t := range s.tools {
		if err := add(s.toolFile(t)); err != nil {
			return nil, fmt.Errorf("tool %s: %w", t.Name, err)
		}
		files = append(files, File{t.schemaFile("input"), []byte(t.Input)})
		if t.Output != "" {
			files = append(files, File{t.schemaFile("output"), []byte(t.Output)})
		}
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return files, nil
}

// Portable is a plan without the places it was compiled from: paths and lines
// differ between machines and change with every edit, and a server does not need
// them. A generated package holds exactly this.
func Portable(p *plan.Server) *plan.Server {
	c := *p
	c.Tools = slices.Clone(p.Tools)
	for i := range c.Tools {
		c.Tools[i].Origin.Source, c.Tools[i].Origin.Settings = "", nil
	}
	c.Resources = slices.Clone(p.Resources)
	for i := range c.Resources {
		c.Resources[i].Call.Origin.Source = ""
	}
	c.Prompts = slices.Clone(p.Prompts)
	for i := range c.Prompts {
		if call := c.Prompts[i].Call; call != nil {
			plain := *call
			plain.Origin.Source = ""
			c.Prompts[i].Call = &plain
		}
	}
	c.Coverage = slices.Clone(p.Coverage)
	for i := range c.Coverage {
		c.Coverage[i].Source = ""
	}
	return &c
}

// Method is how a tool appears in generated code.
type Method struct {
	Tool string `json:"tool"`
	Name string `json:"method"` // of the interface Tools
}

// Methods returns the methods of the tools of a plan, in its order.
func Methods(p *plan.Server) []Method {
	names, _ := toolNames(p)
	list := make([]Method, len(p.Tools))
	for i := range p.Tools {
		list[i] = Method{p.Tools[i].Name, names[p.Tools[i].Name]}
	}
	return list
}

// PackageName makes the name of a package from the name of its folder.
func PackageName(folder string) string { return packageName(folder) }

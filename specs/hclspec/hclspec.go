// Package hclspec reads specs written in HCL.
//
// A spec is a file, or all .hcl and .hcl.json files of a directory in any
// order. Reading goes: text → syntax trees (syntax.go, json.go) → blocks,
// decoded by the tables of block_*.go with the decoder of schema.go →
// [specs.Document]. Expressions are lowered on the way (expr.go): what is known
// at load becomes a constant, what a call must know stays a tree of
// [specs.Expr].
//
// HCL's own evaluation, cty, is not used. It sorts the keys of objects, rewrites
// text to Unicode's composed form and counts in binary fractions, and it could
// evaluate only what is known at load; with one evaluator of our own the same
// functions mean the same at load and in a call, and what the author wrote is
// what is sent.
//
// The tables also make the reference, specs/LANGUAGE.md; see [Reference].
package hclspec

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// Options are what is given from outside of a spec.
type Options struct {
	Vars     map[string]string // values of variables, by name; win over VarFiles
	VarFiles []string          // files of name = value, .hcl or .json; later ones win
	// Secrets receives the values given for sensitive variables, by the
	// variable's name, which is the secret's name in the plan. They are nowhere
	// else. Nil: such values are dropped.
	Secrets map[string]string
	Env     string // the env block that applies; "": what the environment variable MCPC_ENV says, or none
	// Spec receives what editors ask about. Nil: it is dropped.
	Spec *Spec
	// Tests has test blocks read, and the files they name. Without it they are
	// passed over.
	Tests bool
}

// Source is the OpenAPI document that an api block names. Locations are URLs or
// paths that are ready to be opened.
type Source struct {
	Location        string
	Overlays        []string
	ServerVariables map[string]string
}

// Load reads an OpenAPI document.
type Load func(s Source) (*specs.API, diag.List)

// Parse reads the spec at path: a .hcl or .hcl.json file, a directory of them,
// a URL, or "-". The document is never nil. What has mistakes is missing from
// it, so that the rest can be checked further without saying things twice.
func Parse(ctx context.Context, r *specs.Reader, path string, o Options, load Load) (*specs.Document, diag.List) {
	p := newParser(ctx, r, o, load)
	if o.Spec != nil {
		o.Spec.parser = p
	}
	p.givenVars = p.given()
	p.read(path)
	if s := &p.doc.Server; s.Name == "" {
		s.Name = nameOf(path)
	}
	p.diags.Sort()
	return p.doc, p.diags
}

func newParser(ctx context.Context, r *specs.Reader, o Options, load Load) *parser {
	p := &parser{ctx: ctx, reader: r, options: o, load: load, doc: &specs.Document{},
		language: language(), functions: map[string]*signature{},
		variables: map[string]*variable{}, locals: map[string]*local{}, lost: map[string]bool{},
		weights: map[*specs.Node]int{}, broken: map[any]bool{}, byHand: map[string]bool{}, unloaded: map[string]bool{},
		toolNames: map[string]diag.Range{}, resources: map[string]diag.Range{}, promptNames: map[string]diag.Range{}, faulty: map[*specs.Tool]bool{}}
	for _, f := range functionTable() {
		p.functions[f.name] = f
	}
	return p
}

// read reads the spec at path.
func (p *parser) read(path string) {
	p.dir = path
	p.remote = specs.IsURL(path)
	names := p.sources(path)
	var files []*file
	for _, name := range names {
		s, err := p.reader.Read(p.ctx, name)
		if err != nil {
			p.add(diag.Diagnostic{Code: "unreadable-file", Message: err.Error()})
			continue
		}
		var f *file
		if strings.HasSuffix(name, ".json") {
			f = p.parseJSONForm(s)
		} else {
			f = p.parseNative(s)
		}
		if f != nil {
			files = append(files, f)
		}
		if p.options.Spec != nil && !strings.HasSuffix(name, ".json") {
			p.options.Spec.files = append(p.options.Spec.files, s)
		}
	}
	p.environment(files)
	p.document(files)
}

// nameOf is the name of a server whose spec does not say one.
func nameOf(path string) string {
	if abs, err := filepath.Abs(path); err == nil && !specs.IsURL(path) && path != "-" {
		path = abs
	}
	name, _, _ := strings.Cut(filepath.Base(path), ".")
	if name == "" || name == "-" || name == string(filepath.Separator) {
		return "mcpc"
	}
	return name
}

// sources lists the files of a spec and sets the directory its paths start at.
func (p *parser) sources(path string) []string {
	switch {
	case p.remote:
		return []string{path}
	case path == "-":
		p.dir = ""
		return []string{path}
	case strings.HasSuffix(path, ".hcl") || strings.HasSuffix(path, ".json"):
		p.dir = filepath.Dir(path)
		return []string{path}
	}
	entries, err := p.reader.Dir(path)
	if err != nil {
		// A file of another name: reading it decides.
		p.dir = filepath.Dir(path)
		return []string{path}
	}
	var names []string
	for _, e := range entries {
		if (strings.HasSuffix(e, ".hcl") || strings.HasSuffix(e, ".hcl.json")) && !strings.HasPrefix(e, ".") {
			names = append(names, filepath.Join(path, e))
		}
	}
	if len(names) == 0 {
		p.add(diag.Diagnostic{Code: "empty-spec", Message: fmt.Sprintf("the directory %s holds no .hcl files", path), Hint: "name a file, or put the spec there"})
	}
	return names
}

// parser is the state of one Parse.
type parser struct {
	ctx     context.Context
	reader  *specs.Reader
	options Options
	load    Load

	language  *block
	functions map[string]*signature

	dir    string // where relative paths start
	remote bool   // the spec comes from a URL

	units   []unit
	lost    map[string]bool // blocks that syntax errors took away, "tool search"
	depth   int             // of the expression being lowered
	spent   int             // work done so far
	weights map[*specs.Node]int

	modules   map[string]diag.Range
	module    *moduleUse // the module being read; nil: the spec itself
	envVars   map[string]given
	givenVars map[string]given
	variables map[string]*variable
	locals    map[string]*local
	names     []string        // of locals, in source order
	broken    map[any]bool    // targets of blocks with mistakes: what seems to be missing may be there
	byHand    map[string]bool // APIs without an OpenAPI document
	unloaded  map[string]bool // APIs whose document could not be read

	auths    []*specs.Credential // of auth blocks
	authRefs []*specs.Credential // auth = auth.NAME; become copies of those

	toolNames   map[string]diag.Range
	resources   map[string]diag.Range // by uriKey
	promptNames map[string]diag.Range
	toolStart   int                  // diagnostics before the tool being decoded
	faulty      map[*specs.Tool]bool // tools with mistakes

	doc   *specs.Document
	diags diag.List
}

func (p *parser) add(d diag.Diagnostic) { p.diags.Add(d) }

// document decodes all files as one.
func (p *parser) document(files []*file) {
	for _, pass := range []string{"variable", "locals", ""} {
		for _, f := range files {
			for _, b := range f.body.Blocks {
				if pass != b.Type && (pass != "" || b.Type == "variable" || b.Type == "locals") {
					continue
				}
				if b.OpenBraceRange == b.TypeRange {
					continue // it has no braces, which has been reported
				}
				rng := p.rng(b.TypeRange)
				broken := slices.ContainsFunc(f.broken, func(r diag.Range) bool { return r.Source == rng.Source && r.Start <= rng.Start && rng.Start < r.End })
				if broken && b.Type == "locals" {
					p.lost["locals"] = true
				}
				if b.Type == "test" && !p.options.Tests {
					continue
				}
				if c := p.language.child(b.Type); c != nil {
					p.decodeBlock(c, b, p.doc, broken)
				} else {
					p.unknownBlock(p.language, "a spec", b, rng)
				}
			}
		}
		if pass == "locals" {
			for _, name := range p.names {
				p.local(name, p.locals[name].rng, &scope{phase: staticPhase, what: "locals"})
			}
			p.validateVariables()
		}
	}
	p.linkAuth()
	p.linkStores()
	for _, f := range files {
		for _, a := range attributesOf(f.body) {
			hint := didYouMean(a.Name, blockNames(p.language), "blocks are ")
			if c := p.language.child(a.Name); c != nil {
				hint = fmt.Sprintf("%s is a block: write %s { … }", a.Name, a.Name)
			}
			p.add(diag.Diagnostic{Code: "unknown-attribute", Message: fmt.Sprintf("a spec has no attribute %q", a.Name), Hint: hint, Range: p.rng(a.NameRange)})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.givenVars)) {
		if p.lost["variable "+name] {
			continue
		}
		g := p.givenVars[name]
		severity := diag.Error
		if p.module != nil {
			p.add(diag.Diagnostic{Code: "unknown-variable", Message: fmt.Sprintf("module %q has no variable %q", p.module.name, name),
				Hint: didYouMean(name, slices.Sorted(maps.Keys(p.variables)), "its variables are "), Range: g.rng})
			continue
		}
		if g.from != "--var" { // one variable file may serve several specs
			severity = diag.Warning
		}
		p.add(diag.Diagnostic{Severity: severity, Code: "unknown-variable", Message: fmt.Sprintf("%s gives a value for %q, which is no variable of the spec", g.from, name),
			Hint: didYouMean(name, slices.Sorted(maps.Keys(p.variables)), "variables are "), Range: g.rng})
	}
	for _, name := range slices.Sorted(maps.Keys(p.envVars)) {
		if p.variables[name] == nil && !p.lost["variable "+name] {
			p.add(diag.Diagnostic{Code: "unknown-variable", Message: fmt.Sprintf("%s gives a value for %q, which is no variable of the spec", p.envVars[name].from, name),
				Hint: didYouMean(name, slices.Sorted(maps.Keys(p.variables)), "variables are "), Range: p.envVars[name].rng})
		}
	}
	p.checkDocument()
}

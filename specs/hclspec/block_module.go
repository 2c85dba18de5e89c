package hclspec

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// Limits of modules in modules and of instances of all modules of a spec.
const (
	maxModules   = 8
	maxInstances = 500
)

func moduleBlock() *block {
	return &block{
		name: "module", label: "name", labelDoc: "the beginning of the names of its tools and prompts",
		doc: "Another spec, used as a part of this one: its APIs, tools, resources and prompts, with its own variables and locals. Its variables are given in `inputs`; it sees nothing else of this spec. With `for_each` it is used several times. A module has no `server` block.",
		example: `module "shop" {
  source   = "./shop"
  for_each = { eu = "https://eu.example", us = "https://us.example" }
  inputs   = { base_url = each.value }
}`,
		attrs: []attr{
			{name: "source", kind: textKind, required: true, doc: "a directory of this machine, or a file in one, its path relative to the spec", example: `source = "./shop"`,
				set: into(func(m *moduleTarget, s *setting) { m.source = s.text })},
			{name: "inputs", kind: laterKind, doc: "values of its variables; may be sensitive; `each.key` and `each.value` are known", example: `inputs = { region = "eu" }`,
				set: into(func(m *moduleTarget, s *setting) { m.inputs = s })},
			{name: "for_each", kind: valueKind, doc: "one use for every member of an object, or element of a list of text", example: `for_each = ["eu", "us"]`,
				set: into(func(m *moduleTarget, s *setting) { m.forEach = s })},
			{name: "prefix", kind: laterKind, standard: "`NAME_` or, with `for_each`, `NAME_KEY_`", doc: "what the names of its tools and prompts begin with, and the URIs of its resources: there in small letters, `_` as `-`; may use `each.key`", example: `prefix = "shop_"`,
				set: into(func(m *moduleTarget, s *setting) { m.prefix = s })},
		},
		open: func(_ *parser, h *head, _ any) any { return &moduleTarget{} },
		close: func(p *parser, h *head, _, target any) {
			if m := target.(*moduleTarget); m.source != nil && !h.failed {
				p.useModule(h, m)
			}
		},
	}
}

// moduleTarget is a module block while it is decoded.
type moduleTarget struct {
	source                  *specs.Text
	inputs, forEach, prefix *setting
}

// moduleUse is one use of a module, while it is read. A nil *moduleUse is the
// spec itself.
type moduleUse struct {
	name   string // of the block
	prefix string
	rng    diag.Range
	around *moduleUse
	dir    string // absolute, to find cycles
	count  *int   // of all instances
}

// instance begins the names of secrets.
func (m *moduleUse) instance() string {
	if m == nil {
		return ""
	}
	return m.around.instance() + m.prefix
}

// at is where a mistake of the use is to be mended.
func (m *moduleUse) at(r diag.Range) diag.Range {
	if m == nil {
		return r
	}
	return m.rng
}

func (m *moduleUse) variableHint(name, env string) string {
	if m == nil {
		return fmt.Sprintf("give it with --var %s=…, in the environment as %s, or write a default", name, env)
	}
	return fmt.Sprintf("give it in the inputs of module %q: inputs = { %s = … }", m.name, name)
}

var moduleKey = regexp.MustCompile(`^[A-Za-z0-9_-]{1,40}$`)

func (p *parser) useModule(h *head, t *moduleTarget) {
	name := h.label()
	if !moduleKey.MatchString(name.Value) {
		p.add(diag.Diagnostic{Code: "invalid-name", Message: fmt.Sprintf("%q is no name for a module", name.Value), Hint: "use up to 40 letters, digits, _ and -", Range: name.Range})
		return
	}
	if at, ok := p.modules[name.Value]; ok {
		p.duplicate("module", name.Value, h.rng, at)
		return
	}
	if p.modules == nil {
		p.modules = map[string]diag.Range{}
	}
	p.modules[name.Value] = h.rng
	switch {
	case p.remote:
		p.refuseRemote(t.source.Range)
		return
	case specs.IsURL(t.source.Value) || strings.Contains(t.source.Value, "::"):
		p.add(diag.Diagnostic{Code: "invalid-value", Message: "source names a directory of this machine", Hint: "download the module and name its directory", Range: t.source.Range})
		return
	}
	path := p.resolve(t.source.Value)
	if _, err := os.Stat(path); err != nil {
		p.add(diag.Diagnostic{Code: "unreadable-file", Message: fmt.Sprintf("module %q: %v", name.Value, err), Hint: "source is relative to the spec", Range: t.source.Range})
		return
	}
	use := moduleUse{name: name.Value, rng: h.rng, around: p.module, count: new(int)}
	if p.module != nil {
		use.count = p.module.count
	}
	use.dir, _ = filepath.Abs(path) // it exists
	root, _ := filepath.Abs(p.dir)
	depth := 0
	for m := p.module; m != nil; m = m.around {
		depth++
		if m.dir == use.dir {
			root = use.dir
		}
	}
	if root == use.dir {
		p.add(diag.Diagnostic{Code: "cycle", Message: fmt.Sprintf("module %q uses itself", name.Value), Hint: "name another directory", Range: t.source.Range})
		return
	}
	if depth >= maxModules {
		p.add(diag.Diagnostic{Code: "too-deep", Message: fmt.Sprintf("modules are nested more than %d deep", maxModules), Range: t.source.Range})
		return
	}
	if t.forEach == nil {
		p.instance(t, use, path, name.Value+"_", &scope{phase: staticPhase})
		return
	}
	each := t.forEach.node
	if each.Kind < specs.Array {
		p.add(diag.Diagnostic{Code: "wrong-type", Message: "for_each takes an object or a list of text, not " + valueText(each), Hint: `for example for_each = ["eu", "us"]`, Range: t.forEach.rng})
		return
	}
	seen := map[string]bool{}
	for _, f := range each.Fields {
		key := f.Key
		if each.Kind == specs.Array {
			key = f.Value.Str()
		}
		if !moduleKey.MatchString(key) || seen[key] {
			p.add(diag.Diagnostic{Code: "invalid-name", Message: fmt.Sprintf("%s of for_each cannot name a use of the module", strconv.Quote(key)), Hint: "keys are different texts of letters, digits, _ and -; of a list its elements are the keys", Range: cmpRange(f.Value.Range(), t.forEach.rng)})
			return
		}
		seen[key] = true
		value := specs.NewObject(specs.F("key", specs.NewString(key)), specs.F("value", f.Value))
		p.instance(t, use, path, name.Value+"_"+key+"_", &scope{phase: staticPhase, names: map[string]*specs.Expr{"each": constant(value, t.forEach.rng)}})
	}
}

// instance reads a module for one use and adds what it has.
func (p *parser) instance(t *moduleTarget, use moduleUse, path, prefix string, sc *scope) {
	if *use.count++; *use.count > maxInstances {
		if *use.count == maxInstances+1 {
			p.add(diag.Diagnostic{Code: "too-large", Message: fmt.Sprintf("modules are used more than %d times", maxInstances), Range: use.rng})
		}
		return
	}
	use.prefix = prefix
	if t.prefix != nil {
		sc.what = "prefix"
		v := p.known(p.lower(t.prefix.raw, sc), "prefix")
		if v == nil {
			return
		}
		if v.Kind != specs.String || v.Text != "" && !toolName.MatchString(v.Text) {
			p.add(diag.Diagnostic{Code: "invalid-value", Message: "prefix is text of letters, digits, _ and -", Hint: `for example prefix = "shop_"`, Range: t.prefix.rng})
			return
		}
		use.prefix = v.Text
	}
	sub := newParser(p.ctx, p.reader, Options{Env: p.options.Env, Secrets: p.options.Secrets}, p.load)
	sub.module, sub.spent, sub.givenVars = &use, p.spent, map[string]given{}
	if t.inputs != nil {
		sc.what = "inputs"
		x := p.lower(t.inputs.raw, sc)
		if x == nil {
			return
		}
		entries, ok := p.entries(x, "inputs")
		if !ok {
			return
		}
		for _, e := range entries {
			g := given{from: fmt.Sprintf("inputs of module %q", use.name), rng: cmpRange(e.Value.Range, e.Range), expr: e.Value}
			if e.Value.Op == specs.ExprConst {
				g.value, g.expr = e.Value.Value, nil
			}
			sub.givenVars[e.Name] = g
		}
	}
	sub.read(path)
	p.spent = sub.spent
	for _, d := range sub.diags {
		if !slices.ContainsFunc(p.diags, func(o diag.Diagnostic) bool { return o.Code == d.Code && o.Range == d.Range && o.Message == d.Message }) {
			p.add(d)
		}
	}
	if s := sub.doc.Server; !s.Range.IsZero() {
		p.add(diag.Diagnostic{Code: "does-not-apply", Message: "a module has no server block", Hint: "write it into the spec that uses the module", Range: s.Range})
	}
	for _, id := range sub.doc.Identities {
		p.add(diag.Diagnostic{Code: "does-not-apply", Message: "a module has no identity block", Hint: "who may call is said by the spec that uses the module", Range: id.Range})
	}
	if o := sub.doc.Observe; o != nil {
		p.add(diag.Diagnostic{Code: "does-not-apply", Message: "a module has no observe block", Hint: "what is recorded is said by the spec that uses the module", Range: o.Range})
	}
	if sub.doc.Policy != nil {
		p.add(diag.Diagnostic{Code: "does-not-apply", Message: "a module has no policy block", Hint: "who may do what is said by the spec that uses the module", Range: sub.doc.Policy.Range})
	}
	for _, l := range sub.doc.Limits {
		p.add(diag.Diagnostic{Code: "does-not-apply", Message: "a module has no rate_limit block", Hint: "how often clients may call is said by the spec that uses the module", Range: l.Range})
	}
	for _, s := range sub.doc.Stores {
		p.add(diag.Diagnostic{Code: "does-not-apply", Message: "a module has no store block", Hint: "what servers share is said by the spec that uses the module", Range: s.Range})
	}
	p.adopt(sub, use.prefix)
}

// adopt adds what a module has under names that begin with a prefix.
func (p *parser) adopt(sub *parser, prefix string) {
	for _, a := range sub.doc.APIs {
		a.Name = prefix + a.Name
		if i := slices.IndexFunc(p.doc.APIs, func(b *specs.API) bool { return b.Name == a.Name }); i >= 0 {
			p.duplicate("api", a.Name, a.Range, p.doc.APIs[i].Range)
			continue
		}
		p.doc.APIs = append(p.doc.APIs, a)
	}
	p.doc.Incomplete = p.doc.Incomplete || sub.doc.Incomplete
	for name := range sub.byHand {
		p.byHand[prefix+name] = true
	}
	for name := range sub.unloaded {
		p.unloaded[prefix+name] = true
	}
	for name := range sub.lost {
		p.lost[name] = true
	}
	var schemes []string // of the module's own resources
	for _, t := range sub.doc.Tools {
		if t.Resource != nil {
			scheme, _, _ := strings.Cut(t.Resource.URI.Value, ":")
			schemes = append(schemes, scheme+":")
		}
	}
	for _, t := range sub.doc.Tools {
		t.Name = prefix + t.Name
		switch {
		case len(t.Steps) > 0:
			for _, s := range t.Steps {
				if s.Call != nil {
					s.Call = &specs.ToolRef{Name: prefix + s.Call.Name, Range: s.Call.Range}
				}
			}
		case t.Operation != nil:
			r := *t.Operation
			r.API = prefix + r.API
			t.Operation = &r
		case t.API != nil:
			t.API = &specs.Text{Value: prefix + t.API.Value, Range: t.API.Range}
		case len(sub.doc.APIs) == 1 && t.Request != nil:
			t.API = &specs.Text{Value: sub.doc.APIs[0].Name, Range: t.Range}
		}
		kind, name, names, key := "tool", t.Name, p.toolNames, t.Name
		switch {
		case t.Prompt != nil:
			kind, names = "prompt", p.promptNames
			for _, m := range t.Prompt.Messages {
				m.Resource = ownURI(m.Resource, schemes, prefix)
			}
		case t.Resource != nil:
			uri := &t.Resource.URI
			uri.Value = uriPrefix(prefix) + uri.Value
			parts, err := specs.ParseURITemplate(uri.Value)
			if err != nil {
				p.add(diag.Diagnostic{Code: "invalid-uri", Message: fmt.Sprintf("%q is no URI of a resource: %v", uri.Value, err), Hint: "give the module a prefix that begins with a letter", Range: uri.Range})
				continue
			}
			kind, name, names, key = "resource", uri.Value, p.resources, uriKey(parts)
		}
		if first, ok := names[key]; ok {
			p.duplicate(kind, name, t.Range, first)
			continue
		}
		names[key] = t.Range
		p.doc.Tools = append(p.doc.Tools, t)
		p.broken[t] = sub.broken[t]
		p.faulty[t] = sub.faulty[t]
	}
	for _, t := range sub.doc.Tests {
		t.Name = prefix + t.Name
		if t.Call != nil {
			t.Call = &specs.ToolRef{Name: prefix + t.Call.Name, Range: t.Call.Range}
		}
		p.doc.Tests = append(p.doc.Tests, t)
	}
	for _, m := range sub.doc.Moved {
		m.From.Value, m.To.Value = prefix+m.From.Value, prefix+m.To.Value
		p.doc.Moved = append(p.doc.Moved, m)
	}
}

// uriPrefix is a prefix as the beginning of a URI's scheme, which has neither
// capitals nor underscores (RFC 3986, section 3.1).
func uriPrefix(prefix string) string {
	return strings.ReplaceAll(strings.ToLower(prefix), "_", "-")
}

// ownURI is the URI in a prompt's message with the prefix of a module, where it
// is that of a resource of the module: where its text begins with the scheme.
func ownURI(x *specs.Expr, schemes []string, prefix string) *specs.Expr {
	switch {
	case x == nil:
	case x.Op == specs.ExprTemplate && len(x.Args) > 0:
		out := *x
		out.Args = slices.Clone(x.Args)
		out.Args[0] = ownURI(x.Args[0], schemes, prefix)
		return &out
	case x.Op == specs.ExprCond:
		out := *x
		out.Args = []*specs.Expr{x.Args[0], ownURI(x.Args[1], schemes, prefix), ownURI(x.Args[2], schemes, prefix)}
		return &out
	case x.Op == specs.ExprConst && x.Value.Kind == specs.String && slices.ContainsFunc(schemes, func(s string) bool { return strings.HasPrefix(x.Value.Text, s) }):
		v := *x.Value
		v.Text = uriPrefix(prefix) + v.Text
		return constant(&v, x.Range)
	}
	return x
}

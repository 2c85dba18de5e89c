package hclspec

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// variable is a variable block and what became of it.
type variable struct {
	name        string
	rng         diag.Range
	typ         *inputType
	standard    *setting // default
	sensitive   bool
	env         *specs.Text
	file        *specs.Text
	from        *setting // a function that gives a secret
	description *specs.Text
	rules       []variableRule
	value       *specs.Expr // nil: none, which has been reported
	valueAt     diag.Range  // where it was written
	operators   bool        // it was given by whoever runs the spec, not by the spec
}

// variableRule is a validation block of a variable.
type variableRule struct{ condition, message *setting }

// local is one name of a locals block; it is evaluated when it is first used.
type local struct {
	rng   diag.Range
	expr  hclsyntax.Expression
	state uint8 // 0 not evaluated, 1 being evaluated, 2 done
	value *specs.Expr
}

// given is a value for a variable from outside of the spec.
type given struct {
	text  string      // of --var
	value *specs.Node // of a variable file
	expr  *specs.Expr // of a module's inputs, when it is a secret
	from  string      // for messages
	rng   diag.Range
}

func (p *parser) given() map[string]given {
	out := map[string]given{}
	for _, path := range p.options.VarFiles {
		s, err := p.reader.Read(p.ctx, path)
		if err != nil {
			p.add(diag.Diagnostic{Code: "unreadable-file", Message: "the variable file cannot be read: " + err.Error()})
			continue
		}
		var f *file
		if strings.HasSuffix(path, ".json") {
			if root, bad := specs.ParseJSON(s); bad != nil {
				p.add(*bad)
			} else {
				name := p.addUnit(unit{source: s, text: s.Text})
				f = &file{body: (&jsonForm{p, name}).body(root, &block{})}
			}
		} else {
			f = p.parseNative(s)
		}
		if f == nil {
			continue
		}
		for _, b := range f.body.Blocks {
			p.add(diag.Diagnostic{Code: "unknown-block", Message: "a variable file holds no blocks", Hint: "write name = value, one per line", Range: p.rng(b.TypeRange)})
		}
		for _, a := range attributesOf(f.body) {
			x := p.lower(a.Expr, &scope{phase: firstPhase, what: "a variable file"})
			if v := p.known(x, "a variable file"); v != nil {
				out[a.Name] = given{value: v, from: path, rng: p.rng(a.NameRange)}
			}
		}
	}
	for name, value := range p.options.Vars {
		out[name] = given{text: value, from: "--var"}
	}
	return out
}

// attributesOf lists the attributes of a body in source order.
func attributesOf(b *hclsyntax.Body) []*hclsyntax.Attribute {
	return slices.SortedFunc(maps.Values(b.Attributes), func(a, b *hclsyntax.Attribute) int { return a.NameRange.Start.Byte - b.NameRange.Start.Byte })
}

// closeVariable finds the value of a variable.
func (p *parser) closeVariable(h *head, v *variable) {
	v.name, v.rng = h.label().Value, h.rng
	if !hclsyntax.ValidIdentifier(v.name) {
		p.add(diag.Diagnostic{Code: "invalid-name", Message: fmt.Sprintf("%q is no name for a variable", v.name), Hint: "use letters, digits, _ and -, beginning with a letter", Range: h.label().Range})
		return
	}
	if first := p.variables[v.name]; first != nil {
		p.duplicate("variable", v.name, h.rng, first.rng)
		return
	}
	p.variables[v.name] = v
	g, isGiven := p.givenVars[v.name]
	delete(p.givenVars, v.name)
	variableEnv := "MCPC_VAR_" + p.module.instance() + v.name
	if g.expr != nil {
		v.value, v.sensitive = g.expr, true
		return
	}
	if p.remote {
		for _, t := range []*specs.Text{v.env, v.file} {
			if t != nil {
				p.refuseRemote(t.Range)
				return
			}
		}
	}
	if v.from != nil && !v.sensitive {
		p.add(diag.Diagnostic{Code: "does-not-apply", Message: fmt.Sprintf("from is for sensitive variables, and %q is none", v.name), Hint: "add sensitive = true", Range: v.from.name})
		return
	}
	if v.sensitive {
		p.sensitiveVariable(v, g, isGiven, variableEnv)
		return
	}

	var value *specs.Node
	at := h.rng
	from := ""
	switch {
	case isGiven && g.value != nil:
		value, at, from, v.operators = g.value, g.rng, g.from, true
	case isGiven:
		v.operators = true
		value, from = p.textValue(g.text, v, g.from, at), g.from
		if value == nil {
			return
		}
	default:
		names := []string{variableEnv}
		if v.env != nil {
			names = []string{v.env.Value, variableEnv}
		}
		for _, name := range names {
			if s := p.reader.Env(name); s != "" {
				if value, from = p.textValue(s, v, name, at), name; value == nil {
					return
				}
				v.operators = true
				break
			}
		}
		if value == nil && v.file != nil {
			s, ok := p.readText(v.file.Value, v.file.Range)
			if !ok {
				return
			}
			if value, from = p.textValue(strings.TrimRight(s, "\r\n"), v, v.file.Value, at), v.file.Value; value == nil {
				return
			}
		}
		if e, ok := p.envVars[v.name]; ok && value == nil {
			value, at, from = e.value, e.rng, e.from
		}
		if value == nil && v.standard != nil {
			value, at = v.standard.node, v.standard.rng
		}
	}
	if value == nil && h.failed {
		return
	}
	if value == nil {
		p.add(diag.Diagnostic{Code: "missing-variable", Message: fmt.Sprintf("variable %q has no value", v.name),
			Hint: p.module.variableHint(v.name, variableEnv), Range: p.module.at(h.rng)})
		return
	}
	if v.typ != nil && value.Kind != specs.Null {
		if problem, hint := mismatch(v.typ.schema, value); problem != "" {
			of := fmt.Sprintf("variable %q", v.name)
			if from != "" {
				of += " from " + from
			}
			p.add(diag.Diagnostic{Code: "wrong-type", Message: of + ": " + problem, Hint: hint, Range: at})
			return
		}
	}
	v.value, v.valueAt = constant(value, h.rng), at
}

// validateVariables checks the rules of all variables, when all are known.
func (p *parser) validateVariables() {
	for _, name := range slices.Sorted(maps.Keys(p.variables)) {
		v := p.variables[name]
		for _, r := range v.rules {
			if r.condition == nil || r.message == nil || v.value == nil {
				continue // reported
			}
			if v.sensitive {
				p.add(diag.Diagnostic{Code: "does-not-apply", Message: fmt.Sprintf("the value of the sensitive variable %q is not known at load and cannot be checked", name), Hint: "remove the validation", Range: r.condition.name})
				continue
			}
			ok := p.known(p.lower(r.condition.raw, &scope{phase: staticPhase, what: "condition"}), "condition")
			message := p.known(p.lower(r.message.raw, &scope{phase: staticPhase, what: "error_message"}), "error_message")
			if ok == nil || message == nil {
				continue
			}
			holds, err := truth(ok)
			if err != nil {
				p.add(diag.Diagnostic{Code: "wrong-type", Message: "a condition is true or false, not " + valueText(ok), Range: r.condition.rng})
				continue
			}
			if message.Kind != specs.String {
				p.add(diag.Diagnostic{Code: "wrong-type", Message: "error_message takes text", Hint: "for example error_message = \"The region is eu or us.\"", Range: r.message.rng})
				continue
			}
			if !holds {
				p.add(diag.Diagnostic{Code: "invalid-variable", Message: fmt.Sprintf("variable %q: %s", name, strings.TrimRight(message.Text, ".")), Range: v.valueAt, Notes: []diag.Note{{Message: "the rule", Range: r.condition.rng}}})
				v.value = nil
			}
		}
	}
}

func (p *parser) sensitiveVariable(v *variable, g given, isGiven bool, variableEnv string) {
	v.value = &specs.Expr{Op: specs.ExprSecret, Range: v.rng, Secret: &specs.Secret{Name: p.module.instance() + v.name}}
	if e, ok := p.envVars[v.name]; ok {
		p.add(diag.Diagnostic{Code: "sensitive-default", Message: fmt.Sprintf("%s has a value for the sensitive variable %q", e.from, v.name), Hint: "name where the value comes from in the variable block: env or file", Range: e.rng})
	}
	if v.standard != nil {
		p.add(diag.Diagnostic{Code: "sensitive-default", Message: fmt.Sprintf("the sensitive variable %q has a default in the spec", v.name),
			Hint: fmt.Sprintf(`name where the value comes from: env = "%s", or file = "…"`, strings.ToUpper(v.name)), Range: v.standard.name})
	}
	if v.typ != nil && v.typ.schema.Get("type").Str() != "string" {
		p.add(diag.Diagnostic{Code: "wrong-type", Message: fmt.Sprintf("the sensitive variable %q is not of type string", v.name), Hint: "a secret is a text: type = string", Range: v.typ.rng})
	}
	if v.env != nil {
		v.value.Secret.Env = append(v.value.Secret.Env, v.env.Value)
	}
	v.value.Secret.Env = append(v.value.Secret.Env, variableEnv)
	if v.file != nil {
		v.value.Secret.File = p.resolve(v.file.Value)
	}
	if v.from != nil {
		if s := v.from.expr.Secret; v.from.expr.Op == specs.ExprSecret && (s.Exec != nil || s.Vault != "") {
			to := v.value.Secret
			to.Exec, to.Timeout, to.Vault, to.VaultField, to.TTL = s.Exec, s.Timeout, s.Vault, s.VaultField, s.TTL
		} else {
			p.add(diag.Diagnostic{Code: "wrong-type", Message: fmt.Sprintf("the variable %q is from exec(…) or vault(…)", v.name), Hint: "name an environment variable with env, a file with file", Range: v.from.rng})
		}
	}
	if isGiven && p.options.Secrets != nil {
		s := g.text
		if g.value != nil {
			if g.value.Kind != specs.String {
				p.add(diag.Diagnostic{Code: "wrong-type", Message: fmt.Sprintf("the sensitive variable %q is a text", v.name), Range: g.rng})
				return
			}
			s = g.value.Text
		}
		p.options.Secrets[v.name] = s
	}
}

// textValue makes a value of a text from the command line or the environment,
// as the variable's type wants it. Text is taken as it is.
func (p *parser) textValue(s string, v *variable, from string, at diag.Range) *specs.Node {
	wrong := func(want string) *specs.Node {
		p.add(diag.Diagnostic{Code: "wrong-type", Message: fmt.Sprintf("variable %q from %s is not %s", v.name, from, want), Range: at})
		return nil
	}
	if !utf8.ValidString(s) {
		return wrong("UTF-8 text")
	}
	if v.typ == nil {
		return specs.NewString(s)
	}
	switch t := v.typ.schema.Get("type").Str(); t {
	case "string":
		return specs.NewString(s)
	case "number", "integer":
		if !isNumber(s) {
			return wrong("a number")
		}
		return specs.NewNumber(s)
	case "boolean":
		if s != "true" && s != "false" {
			return wrong("true or false")
		}
		return specs.NewBool(s == "true")
	}
	src := &diag.Source{Name: from, Text: []byte(s)}
	name := p.addUnit(unit{source: src, text: src.Text})
	if !p.checkText(src, name) {
		return nil
	}
	e, problems := hclsyntax.ParseExpression(src.Text, name, hcl.Pos{Line: 1, Column: 1})
	if problems.HasErrors() {
		return wrong("a value of its type, written as in HCL or JSON")
	}
	return p.known(p.lower(e, &scope{phase: firstPhase, what: "variable " + v.name}), "variable "+v.name)
}

// variable is var.name.
func (p *parser) variable(name string, r diag.Range, sc *scope) *specs.Expr {
	v := p.variables[name]
	if v == nil {
		if p.lost["variable "+name] {
			return nil
		}
		hint := didYouMean(name, slices.Sorted(maps.Keys(p.variables)), "there are ")
		if hint == "" {
			hint = fmt.Sprintf("declare it: variable %q { type = string }", name)
		}
		return p.fail(sc, "unknown-variable", r, fmt.Sprintf("there is no variable %q", name), hint)
	}
	if v.value == nil {
		return nil
	}
	c := *v.value
	c.Range = r
	return &c
}

// local is local.name.
func (p *parser) local(name string, r diag.Range, sc *scope) *specs.Expr {
	l := p.locals[name]
	if l == nil {
		if len(p.lost) > 0 && p.lost["locals"] {
			return nil
		}
		hint := didYouMean(name, slices.Sorted(maps.Keys(p.locals)), "there are ")
		if hint == "" {
			hint = "declare it in a locals block"
		}
		return p.fail(sc, "unknown-local", r, fmt.Sprintf("there is no local %q", name), hint)
	}
	switch l.state {
	case 1:
		l.state = 2
		return p.fail(sc, "cycle", r, fmt.Sprintf("local.%s depends on itself", name), "break the circle")
	case 0:
		l.state = 1
		l.value = p.lower(l.expr, &scope{phase: staticPhase, what: "locals"})
		l.state = 2
	}
	if l.value == nil {
		return nil
	}
	c := *l.value
	c.Range = r
	return &c
}

func (p *parser) duplicate(kind, name string, at, first diag.Range) {
	p.add(diag.Diagnostic{Code: "duplicate-" + strings.ReplaceAll(kind, "_", "-"), Message: fmt.Sprintf("%s %q is declared twice", kind, name), Hint: "rename one of the two", Range: at,
		Notes: []diag.Note{{Message: "the first one", Range: first}}})
}

// resolve is a path of the spec: relative paths start at its directory.
func (p *parser) resolve(path string) string {
	if filepath.IsAbs(path) || specs.IsURL(path) {
		return path
	}
	return filepath.Join(p.dir, path)
}

// refuseRemote says that a spec from a URL cannot look at this machine.
func (p *parser) refuseRemote(r diag.Range) *specs.Expr {
	p.add(diag.Diagnostic{Code: "remote-spec", Message: "a spec read from a URL cannot name environment variables, files, programs or networks of this machine", Hint: "download the spec, read it, and name the file; or give values with --var", Range: r})
	return nil
}

// operators tells whether an expression is a variable, and its value comes from
// whoever runs the spec.
func (p *parser) operators(e hclsyntax.Expression) bool {
	for {
		inner, ok := e.(*hclsyntax.ParenthesesExpr)
		if !ok {
			break
		}
		e = inner.Expression
	}
	t, ok := e.(*hclsyntax.ScopeTraversalExpr)
	if !ok || len(t.Traversal) != 2 || t.Traversal.RootName() != "var" {
		return false
	}
	name, ok := t.Traversal[1].(hcl.TraverseAttr)
	if !ok {
		return false
	}
	v := p.variables[name.Name]
	return v != nil && v.operators
}

// readText reads a text file of the spec.
func (p *parser) readText(path string, at diag.Range) (string, bool) {
	s, err := p.reader.Read(p.ctx, p.resolve(path))
	if err != nil {
		p.add(diag.Diagnostic{Code: "unreadable-file", Message: err.Error(), Hint: "paths are relative to the spec", Range: at})
		return "", false
	}
	if !utf8.Valid(s.Text) {
		p.add(diag.Diagnostic{Code: "not-utf8", Message: fmt.Sprintf("the file %s is not UTF-8 text", path), Range: at})
		return "", false
	}
	return string(s.Text), true
}

// envFunction is env("NAME").
func (p *parser) envFunction(args []*specs.Expr, sc *scope, r diag.Range) *specs.Expr {
	name, ok := p.nameArgument("env", args, sc)
	if !ok {
		return nil
	}
	if p.remote {
		return p.refuseRemote(r)
	}
	if sc.secret {
		return &specs.Expr{Op: specs.ExprSecret, Range: r, Secret: &specs.Secret{Name: fmt.Sprintf("env(%q)", name), Env: []string{name}}}
	}
	v := p.reader.Env(name)
	if v == "" {
		return constant(p.place(&specs.Node{}, r), r)
	}
	if !utf8.ValidString(v) {
		return p.fail(sc, "not-utf8", r, fmt.Sprintf("the environment variable %s is not UTF-8 text", name), "")
	}
	return constant(p.place(specs.NewString(v), r), r)
}

// fileFunction is file("path").
func (p *parser) fileFunction(args []*specs.Expr, sc *scope, r diag.Range) *specs.Expr {
	path, known := p.nameArgument("file", args, sc)
	if !known {
		return nil
	}
	if p.remote {
		return p.refuseRemote(r)
	}
	if specs.IsURL(path) {
		return p.fail(sc, "invalid-value", r, "file reads files, not URLs", "")
	}
	if sc.secret {
		return &specs.Expr{Op: specs.ExprSecret, Range: r, Secret: &specs.Secret{Name: fmt.Sprintf("file(%q)", path), File: p.resolve(path)}}
	}
	s, ok := p.readText(path, r)
	if !ok {
		return nil
	}
	return constant(p.place(specs.NewString(s), r), r)
}

// loadFunction evaluates a function of the static phase.
func (p *parser) loadFunction(f *signature, args []*specs.Expr, r diag.Range, sc *scope) *specs.Expr {
	for i, x := range args {
		if s := findSecret(x); s != nil {
			return p.fail(sc, "sensitive-value", s.Range, fmt.Sprintf("%s cannot take the sensitive value %s", f.name, s.Secret.Name), "")
		}
		if x.Op != specs.ExprConst {
			return p.fail(sc, "wrong-phase", x.Range, fmt.Sprintf("%s is evaluated when the spec is loaded and cannot take arguments of a call", f.name), "")
		}
		if want := f.param(i).want; want != wantText && !fits(want, x.Value) {
			return p.fail(sc, "wrong-arguments", x.Range, fmt.Sprintf("%s of %s is %s, not %s", f.param(i).name, f.name, want, valueText(x.Value)), f.form())
		}
	}
	return f.load(p, args, sc, r)
}

// nameArgument is the first argument of a function that looks something up.
func (p *parser) nameArgument(function string, args []*specs.Expr, sc *scope) (string, bool) {
	x := args[0]
	if x.Value.Kind != specs.String || x.Value.Text == "" || strings.Contains(x.Value.Text, "\x00") {
		p.fail(sc, "wrong-arguments", x.Range, fmt.Sprintf("%s takes a name, not %s", function, valueText(x.Value)), p.functions[function].form())
		return "", false
	}
	return x.Value.Text, true
}

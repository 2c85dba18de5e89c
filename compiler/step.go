package compiler

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/plan"
	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// Bounds of a step that says none.
const (
	stepParallel = 1
	stepMax      = 100
)

// composer lowers the composite tools of a document. They come last, those that
// are called before those that call them: hints and schemas follow from the
// tools called.
type composer struct {
	*compilation
	server   *plan.Server
	whole    map[string]roots
	written  map[string]*specs.Tool // all tools with a block
	state    map[*specs.Tool]int    // 1 entered, 2 done
	path     []*specs.Tool
	patterns *patterns
	called   map[string]bool
}

// composites fills in the tools of steps, whose names stand in the plan already.
func (c *compilation) composites(server *plan.Server, whole map[string]roots) {
	o := &composer{compilation: c, server: server, whole: whole, written: map[string]*specs.Tool{}, state: map[*specs.Tool]int{}, patterns: &patterns{}, called: map[string]bool{}}
	for _, t := range c.doc.Tools {
		o.written[t.Name] = t
	}
	for _, t := range c.doc.Tools {
		if len(t.Steps) > 0 {
			o.visit(t)
		}
	}
	c.brokenPatterns(o.patterns)
	for _, t := range c.doc.Tools {
		if t.Internal == nil || !t.Internal.Value {
			continue
		}
		if p := o.find(t.Name); p != nil {
			p.Internal = true
		}
		if !o.called[t.Name] {
			c.diags.Add(diag.Diagnostic{Severity: diag.Warning, Code: "unused-tool", Message: fmt.Sprintf("tool %q is internal, and no step calls it", t.Name), Hint: "call it in a step, or remove internal", Range: t.Internal.Range})
		}
	}
}

// find returns a tool of the plan; nil when there is none.
func (o *composer) find(name string) *plan.Tool {
	if i := slices.IndexFunc(o.server.Tools, func(p plan.Tool) bool { return p.Name == name }); i >= 0 {
		return &o.server.Tools[i]
	}
	return nil
}

// visit lowers a composite tool after those it calls.
func (o *composer) visit(t *specs.Tool) {
	if o.state[t] != 0 {
		return
	}
	o.state[t] = 1
	o.path = append(o.path, t)
	sound := true
	for _, s := range t.Steps {
		if s.Call == nil {
			sound = false
			continue
		}
		o.called[s.Call.Name] = true
		if of := o.written[s.Call.Name]; of != nil && len(of.Steps) > 0 {
			if o.state[of] == 1 {
				o.cycle(of, s)
				sound = false
				continue
			}
			o.visit(of)
		}
		if o.find(s.Call.Name) == nil {
			o.diags.Add(o.unknownTool(s.Call, o.server))
			sound = false
			continue
		}
		o.checkStep(s)
	}
	o.path = o.path[:len(o.path)-1]
	if p := o.find(t.Name); p != nil && sound {
		o.lower(t, p)
	}
	o.state[t] = 2
}

// cycle reports a tool that calls itself, by way of the tools on the path.
func (o *composer) cycle(of *specs.Tool, s *specs.Step) {
	from := slices.Index(o.path, of)
	var words []string
	for _, t := range o.path[from:] {
		words = append(words, t.Name)
	}
	d := diag.Diagnostic{Code: "tool-cycle", Message: fmt.Sprintf("tool %q calls itself: %s → %s", of.Name, strings.Join(words, " → "), of.Name), Hint: "call something else here: it would never end", Range: s.Call.Range}
	for _, t := range o.path[from+1:] {
		d.Notes = append(d.Notes, diag.Note{Message: fmt.Sprintf("by way of tool %q", t.Name), Range: t.Range})
	}
	o.diags.Add(d)
}

// unknownTool says that a reference leads to no tool.
func (c *compilation) unknownTool(ref *specs.ToolRef, server *plan.Server) diag.Diagnostic {
	d := diag.Diagnostic{Code: "unknown-tool", Message: fmt.Sprintf("there is no tool %q", ref.Name), Range: ref.Range}
	if i := slices.IndexFunc(c.doc.Tools, func(t *specs.Tool) bool { return t.Name == ref.Name }); i >= 0 {
		d.Message = fmt.Sprintf("tool %q cannot be called: it is not served", ref.Name)
		d.Notes = []diag.Note{{Message: "it is declared here", Range: c.doc.Tools[i].Range}}
		return d
	}
	var names []string
	for i := range server.Tools {
		names = append(names, server.Tools[i].Name)
	}
	d.Hint = didYouMean(ref.Name, names, "there is ")
	return d
}

// lower makes the plan of a composite tool whose calls are known.
func (o *composer) lower(t *specs.Tool, out *plan.Tool) {
	before := len(o.diags)
	*out = plan.Tool{Name: t.Name, Title: humanized(t.Name), Origin: plan.Origin{Kind: "hcl", Source: t.Range.String()}}
	if t.Title != nil {
		out.Title = cleanText(t.Title.Value)
	}
	out.Hints = plan.Hints{ReadOnly: true, Idempotent: true}
	var called []string
	out.Scopes = scopesOf(t)
	for _, s := range t.Steps {
		of := o.find(s.Call.Name)
		for _, scope := range of.Scopes { // what a step needs, its caller needs
			if !slices.Contains(out.Scopes, scope) {
				out.Scopes = append(out.Scopes, scope)
			}
		}
		h := of.Hints
		out.Hints.ReadOnly = out.Hints.ReadOnly && h.ReadOnly
		out.Hints.Destructive = out.Hints.Destructive || h.Destructive
		out.Hints.Idempotent = out.Hints.Idempotent && (h.ReadOnly || h.Idempotent)
		out.Hints.OpenWorld = out.Hints.OpenWorld || h.OpenWorld
		called = append(called, s.Call.Name)
	}
	setHints(&out.Hints, t.Hints)
	out.Description = "Calls " + strings.Join(called, ", then ") + "."
	if t.Description != nil {
		out.Description = cleanText(t.Description.Value)
	}
	if t.Timeout != nil {
		out.Timeout, _ = time.ParseDuration(t.Timeout.Value) // checked where it was read
	}
	in, root := o.inputs(t, newLowerer(input, false, nil, o.patterns), out)
	arg := in.arg
	if t.Confirm != nil {
		x := lowerExpr(t.Confirm, arg)
		out.Confirm = &x
	}
	for _, s := range t.Steps {
		out.Steps = append(out.Steps, o.step(s, arg))
		if o.find(s.Call.Name).Confirm != nil && t.Confirm == nil {
			o.diags.Add(diag.Diagnostic{Code: "unconfirmed-step", Message: fmt.Sprintf("tool %q asks a person before it is called, and a step cannot: others have been run by then", s.Call.Name),
				Hint: fmt.Sprintf("add confirm = \"…\" to tool %q: it is asked once, before the first step", t.Name), Range: s.Call.Range})
		}
	}
	if t.Output != nil {
		x := lowerExpr(t.Output, arg)
		out.Result = &x
	}
	if o.diags[before:].HasErrors() {
		return
	}
	var cut bool
	if out.Input, cut = emit(root, inputBudget, 1); cut {
		o.diags.Add(diag.Diagnostic{Severity: diag.Warning, Code: "large-schema", Message: fmt.Sprintf("the inputs of tool %q are larger than %d bytes; deep parts are left open", t.Name, inputBudget), Range: t.Range})
	}
	if err := gate(out, o.patterns); err != nil {
		o.diags.Add(diag.Diagnostic{Code: "invalid-tool", Message: fmt.Sprintf("tool %q cannot be served: %v", t.Name, err), Range: t.Range})
		return
	}
	o.whole[t.Name] = roots{in: root, out: o.output(t, out, root)}
}

// step lowers one step.
func (o *composer) step(s *specs.Step, arg func(string, diag.Range) plan.Expr) plan.Step {
	out := plan.Step{Name: s.Name, Tool: s.Call.Name, Parallel: max(s.Parallel, stepParallel), Max: s.Max, OnError: plan.OnErrorFail}
	if out.Max == 0 {
		out.Max = stepMax
	}
	if s.OnError != nil {
		out.OnError = plan.OnError(s.OnError.Value)
	}
	if s.JQ != nil {
		out.JQ = s.JQ.Value
	}
	if s.ForEach != nil {
		x := lowerExpr(s.ForEach, arg)
		out.ForEach = &x
	}
	if s.When != nil {
		x := lowerExpr(s.When, arg)
		out.When = &x
	}
	for _, a := range s.Args {
		out.Args = append(out.Args, plan.StepArg{Name: a.Name, Value: lowerExpr(a.Value, arg)})
	}
	return out
}

// checkStep compares the arguments of a step with the inputs of the tool.
func (o *composer) checkStep(s *specs.Step) {
	given := map[string]*specs.Node{}
	places := map[string]diag.Range{}
	for _, a := range s.Args {
		given[a.Name], places[a.Name] = nil, a.Range
		if a.Value.Op == specs.ExprConst {
			given[a.Name] = a.Value.Value
		}
	}
	o.checkArguments(s.Call, o.whole[s.Call.Name].in, given, func(name string) diag.Range { return places[name] })
}

// checkArguments compares the arguments of a written call with the inputs of the
// tool. given holds the values that are known, nil for those that are not.
func (c *compilation) checkArguments(call *specs.ToolRef, root *schema, given map[string]*specs.Node, at func(name string) diag.Range) {
	if root == nil {
		return // the tool has a mistake, which has been reported
	}
	var names []string
	for _, p := range root.props {
		if !p.hidden {
			names = append(names, p.key)
		}
	}
	var written []string
	for name := range given {
		written = append(written, name)
	}
	slices.Sort(written)
	misspelt := map[string]bool{}
	for _, name := range written {
		p := root.prop(name)
		if p == nil || p.hidden || p.key != name {
			d := diag.Diagnostic{Code: "unknown-input", Message: fmt.Sprintf("tool %q has no input %q", call.Name, name), Hint: didYouMean(name, names, "it has "), Range: at(name)}
			if len(names) == 0 {
				d.Hint = "it takes no arguments"
			}
			misspelt[diag.Nearest(name, names)] = true // one mistake, not two
			c.diags.Add(d)
			continue
		}
		if v := given[name]; v != nil && v.Kind != specs.Null && !takes(p.schema, v) {
			c.diags.Add(diag.Diagnostic{Code: "wrong-type", Message: fmt.Sprintf("input %q of tool %q is %s, not %s", name, call.Name, strings.Join(expand(p.schema).types, " or "), clip(v.JSON(), 60)), Range: at(name)})
		}
	}
	for _, name := range root.required {
		v, ok := given[name]
		if (!ok || v != nil && v.Kind == specs.Null) && !misspelt[name] {
			c.diags.Add(diag.Diagnostic{Code: "missing-input", Message: fmt.Sprintf("tool %q needs the input %q", call.Name, name), Hint: fmt.Sprintf("add %s to args", name), Range: call.Range})
		}
	}
}

// takes tells whether a value is of the type that a schema names, if it does.
func takes(s *schema, v *specs.Node) bool {
	types := expand(s).types
	if len(types) == 0 {
		return true
	}
	switch v.Kind {
	case specs.String:
		return slices.Contains(types, "string")
	case specs.Bool:
		return slices.Contains(types, "boolean")
	case specs.Number:
		whole := !strings.ContainsAny(v.Text, ".eE")
		return slices.Contains(types, "number") || slices.Contains(types, "integer") && (whole || strings.ContainsAny(v.Text, "eE"))
	case specs.Array:
		return slices.Contains(types, "array")
	case specs.Object:
		return slices.Contains(types, "object")
	}
	return true
}

// output derives the output schema of a composite tool from its output
// expression and what the called tools declare. What cannot be known is left
// open; it returns nil when nothing is promised.
func (o *composer) output(t *specs.Tool, out *plan.Tool, in *schema) *schema {
	d := &deriver{o: o, tool: t, in: in}
	last := t.Steps[len(t.Steps)-1]
	if t.Output == nil && last.ForEach == nil && last.JQ == nil {
		called := o.find(last.Call.Name)
		if last.When != nil || last.OnError != nil && last.OnError.Value != "fail" {
			return nil
		}
		out.Output, out.Response.Wrap = called.Output, called.Response.Wrap
		return o.whole[last.Call.Name].out
	}
	var s *schema
	if t.Output == nil {
		s, _ = d.step(last)
	} else {
		s, _ = d.of(t.Output, 0)
	}
	root, wrap, ok := resultSchema([]*schema{s}, false)
	if !ok {
		return nil
	}
	must := 0
	if wrap {
		must = 1
	}
	text, _ := emit(root, outputBudget, must)
	if checkSchema(string(text), o.patterns) != nil {
		return nil
	}
	out.Output, out.Response.Wrap = text, wrap
	return root
}

// deriver finds the schemas of expressions between steps.
type deriver struct {
	o    *composer
	tool *specs.Tool
	in   *schema
	l    *lowerer // whose named schemas may be referred to: names of two would collide
}

// of is the schema of an expression's value, and whether it can be null beside
// that. An open schema says nothing.
func (d *deriver) of(x *specs.Expr, depth int) (s *schema, null bool) {
	typed := func(t string) (*schema, bool) { return &schema{types: []string{t}}, false }
	open := &schema{}
	if depth > 64 {
		return open, false
	}
	switch x.Op {
	case specs.ExprConst:
		if t := map[specs.Kind]string{specs.String: "string", specs.Bool: "boolean", specs.Number: "number", specs.Array: "array", specs.Object: "object"}[x.Value.Kind]; t != "" {
			return typed(t)
		}
		return open, true
	case specs.ExprTemplate:
		return typed("string")
	case specs.ExprArg:
		p := d.in.prop(x.Name)
		if p == nil || len(expand(p.schema).types) == 0 {
			return open, false
		}
		return &schema{types: expand(p.schema).types}, !slices.Contains(d.in.required, x.Name) && p.schema.word("default") == ""
	case specs.ExprGet:
		if v := x.Args[0]; v.Op == specs.ExprVar {
			if v.Name == "step" {
				if i := slices.IndexFunc(d.tool.Steps, func(s *specs.Step) bool { return s.Name == x.Name }); i >= 0 {
					return d.step(d.tool.Steps[i])
				}
			}
			return open, false
		}
		base, null := d.of(x.Args[0], depth+1)
		return d.member(base, x.Name, null)
	case specs.ExprIndex:
		base, _ := d.of(x.Args[0], depth+1)
		if items := expand(base).sub("items"); items != nil && len(items.list) == 1 {
			return items.list[0], true
		}
		return open, false
	case specs.ExprCond:
		yes, n1 := d.of(x.Args[1], depth+1)
		no, n2 := d.of(x.Args[2], depth+1)
		switch {
		case x.Args[1].Op == specs.ExprConst && x.Args[1].Value.Kind == specs.Null:
			return no, true
		case x.Args[2].Op == specs.ExprConst && x.Args[2].Value.Kind == specs.Null:
			return yes, true
		case yes == no, onlyTypes(yes) && onlyTypes(no) && slices.Equal(yes.types, no.types):
			return yes, n1 || n2
		}
		return open, false
	case specs.ExprObject:
		out := &schema{types: []string{"object"}}
		for i := 0; i+1 < len(x.Args); i += 2 {
			k := x.Args[i]
			if k.Op != specs.ExprConst || !isPortable(k.Value.Text) {
				return typed("object")
			}
			m, null := d.of(x.Args[i+1], depth+1)
			if null {
				m = nullable(m)
			}
			out.props = append(out.props, prop{key: k.Value.Text, wire: k.Value.Text, schema: m})
			out.required = append(out.required, k.Value.Text)
		}
		return out, false
	case specs.ExprList:
		return typed("array")
	case specs.ExprCall:
		return &schema{types: resultTypes(x.Name)}, false
	}
	return open, false
}

func onlyTypes(s *schema) bool {
	return s.ref == nil && len(s.types) > 0 && len(s.words) == 0 && len(s.props) == 0 && len(s.subs) == 0
}

// member is the schema of a member of what base describes.
func (d *deriver) member(base *schema, name string, null bool) (*schema, bool) {
	t := expand(base)
	for i := range t.props {
		if t.props[i].key == name && !t.props[i].hidden {
			return t.props[i].schema, null || !slices.Contains(t.required, name)
		}
	}
	return &schema{}, false
}

// step is the schema of what a step puts out.
func (d *deriver) step(s *specs.Step) (*schema, bool) {
	one := &schema{}
	if s.JQ == nil {
		one = d.called(s)
	}
	passed := s.OnError != nil && s.OnError.Value != "fail"
	if s.ForEach == nil {
		return one, passed || s.When != nil
	}
	if passed && s.OnError.Value == "null" {
		one = nullable(one)
	}
	list := &schema{types: []string{"array"}}
	if one.types != nil || one.ref != nil || one.hasKids() {
		list.subs = []sub{{key: "items", form: oneSchema, list: []*schema{one}}}
	}
	return list, false
}

// called is what a tool declares to answer, without the wrapping of what is no
// object.
func (d *deriver) called(s *specs.Step) *schema {
	p := d.o.find(s.Call.Name)
	out := d.o.whole[s.Call.Name].out
	if p == nil || p.Output == "" || out == nil {
		return &schema{}
	}
	if p.Response.Wrap {
		t := out.prop("result")
		if t == nil {
			return &schema{}
		}
		out = t.schema
	}
	if l := owner(out); l != nil {
		if d.l != nil && d.l != l {
			return &schema{}
		}
		d.l = l
	}
	return out
}

// owner is whose named schemas a schema refers to; nil when it refers to none.
func owner(s *schema) *lowerer {
	if s.ref != nil {
		return s.ref.l
	}
	for i := range s.props {
		if l := owner(s.props[i].schema); l != nil {
			return l
		}
	}
	for i := range s.subs {
		for _, c := range s.subs[i].list {
			if l := owner(c); l != nil {
				return l
			}
		}
	}
	return nil
}

// nullable is a schema that takes null too.
func nullable(s *schema) *schema {
	switch {
	case s.ref == nil && s.types == nil && !s.hasKids():
		return s // it takes anything
	case onlyTypes(s):
		if slices.Contains(s.types, "null") {
			return s
		}
		return &schema{types: append(slices.Clone(s.types), "null")}
	}
	return &schema{subs: []sub{{key: "anyOf", form: schemaList, list: []*schema{s, {types: []string{"null"}}}}}}
}

// resultTypes are the types of what a function or operator yields; nil when that
// depends on what it is given.
func resultTypes(name string) []string {
	switch name {
	case "==", "!=", "<", "<=", ">", ">=", "&&", "||", "!", "contains", "startswith", "endswith":
		return []string{"boolean"}
	case "length":
		return []string{"integer"}
	case "+", "-", "*", "/", "%", "neg", "min", "max", "abs", "ceil", "floor":
		return []string{"number"}
	case "upper", "lower", "trim", "replace", "join", "format", "substr", "snakecase", "kebabcase", "camelcase", "base64encode", "base64decode", "jsonencode", "urlencode":
		return []string{"string"}
	case "split", "keys", "values", "concat":
		return []string{"array"}
	case "merge":
		return []string{"object"}
	}
	return nil
}

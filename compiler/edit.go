package compiler

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mcpc-dev/mcpc/runtime/plan"
	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// editor applies the author's inputs to the arguments of a derived tool.
type editor struct {
	args  []*toolArg
	in    *lowerer
	diags *diag.List
	tool  *derived
}

// apply returns the rules over the arguments, which speak of them as they are
// after all edits.
func (e *editor) apply() []plan.Rule {
	var ruled []*specs.Input
	for _, l := range e.tool.layers {
		for i, in := range l.inputs {
			found := e.input(in)
			if found {
				ruled = append(ruled, in)
			}
			switch {
			case found && l.used != nil:
				l.used[i].Store(true)
			case !found && l.used == nil:
				e.diags.Add(diag.Diagnostic{Code: "unknown-input", Message: fmt.Sprintf("operation %q has no input %q", e.tool.op.ID, in.Path),
					Hint: didYouMean(in.Path, e.names(in.Path), "it has "), Range: in.Range})
			}
		}
	}
	var rules []plan.Rule
	add := func(r *specs.Rule, of *specs.Input) {
		out := plan.Rule{Condition: e.expr(r.Condition, nil, plan.Expr{}), Message: e.expr(r.Message, nil, plan.Expr{})}
		if of != nil {
			if a := e.find(of.Path); a != nil && !a.hidden {
				out.Condition = ifGiven(argument(a.key), out.Condition)
			}
		}
		rules = append(rules, out)
	}
	for _, in := range ruled {
		for _, r := range in.Rules {
			add(r, in)
		}
	}
	if e.tool.tool != nil {
		for _, r := range e.tool.tool.Rules {
			add(r, nil)
		}
	}
	return rules
}

// ifGiven is the condition of a rule of one input: without the input it says
// nothing.
func ifGiven(x, condition plan.Expr) plan.Expr {
	return whenGiven(x, condition, constant(specs.NewBool(true)))
}

// names lists what an input block can name; the fields of the body when path
// leads there.
func (e *editor) names(path string) []string {
	var out []string
	for _, a := range e.args {
		out = append(out, a.key)
		if a.isBody && strings.HasPrefix(path, "body.") {
			for _, s := range flatten([]*schema{a.schema}) {
				for _, p := range s.props {
					if !slices.Contains(out, "body."+p.key) {
						out = append(out, "body."+p.key)
					}
				}
			}
		}
	}
	return out
}

// find returns the argument that a name means: its own, or that on the wire.
func (e *editor) find(name string) *toolArg {
	for _, a := range e.args {
		if a.key == name {
			return a
		}
	}
	for _, a := range e.args {
		if a.param != nil && a.param.Name == name {
			return a
		}
	}
	return nil
}

// input applies one block. False: the tool has no such input.
func (e *editor) input(in *specs.Input) bool {
	a := e.find(in.Path)
	if a == nil {
		head, rest, ok := strings.Cut(in.Path, ".")
		if !ok {
			return false
		}
		if a = e.find(head); a == nil || !a.isBody {
			return false
		}
		return e.field(a, strings.Split(rest, "."), in)
	}
	a.schema = e.changed(a.schema, in)
	checkFixed(e.diags, in, a.schema, a.param != nil)
	if in.Optional != nil {
		if a.param != nil && a.param.In == specs.InPath && in.Optional.Value && in.Default == nil {
			e.diags.Add(diag.Diagnostic{Code: "required-input", Message: fmt.Sprintf("input %q is part of the path and cannot be optional", in.Path), Hint: "give it a default, or a value", Range: in.Optional.Range})
		}
		a.required = !in.Optional.Value
	}
	given := argument(a.key)
	if in.Default != nil {
		c := *a.schema
		c.words = slices.Clone(c.words)
		c.setWord("default", jsonOf(in.Default))
		a.schema = &c
		a.given = true
		v := whenGiven(given, given, constant(in.Default))
		a.value = &v
	}
	if in.Wire != nil {
		v := e.expr(in.Wire, a, given)
		if !a.required && !a.given {
			v = whenGiven(given, v, constant(nil))
		}
		a.value = &v
	}
	if in.Value != nil {
		v := e.expr(in.Value, nil, plan.Expr{})
		a.value, a.hidden = &v, true
	}
	if in.Hide != nil && in.Hide.Value {
		if in.Value == nil && !a.given && a.required {
			e.diags.Add(diag.Diagnostic{Code: "required-input", Message: fmt.Sprintf("input %q is required and cannot be hidden without a value", in.Path), Hint: "add value = …", Range: in.Hide.Range})
			return true
		}
		if a.given && in.Value == nil {
			v := constant(in.Default)
			if in.Default == nil {
				v = *a.value
			}
			a.value = &v
		} else if in.Value == nil {
			a.value = nil
		}
		a.hidden = true
	}
	return true
}

// expr lowers an expression over the tool's arguments.
func (e *editor) expr(x *specs.Expr, self *toolArg, given plan.Expr) plan.Expr {
	return lowerExpr(x, func(name string, at diag.Range) plan.Expr {
		a := e.find(name)
		if a == nil {
			e.diags.Add(diag.Diagnostic{Code: "unknown-argument", Message: fmt.Sprintf("operation %q has no input %q", e.tool.op.ID, name), Hint: didYouMean(name, e.names(name), "it has "), Range: at})
			return constant(nil)
		}
		switch {
		case a == self && a.value != nil && a.given:
			return *a.value
		case a == self:
			return given
		case a.hidden && a.value == nil:
			return constant(nil)
		case a.value != nil && (a.hidden || a.given):
			return *a.value
		}
		return argument(a.key)
	})
}

// changed is a schema with the rules of an input block in place of its own.
func (e *editor) changed(s *schema, in *specs.Input) *schema {
	if in.Schema != nil {
		over := e.in.lower(in.Schema, place{})
		base := *expand(s)
		base.words = slices.Clone(base.words)
		base.subs = slices.Clone(base.subs)
		if over.types != nil {
			base.types = over.types
		}
		if over.title != "" {
			base.title = over.title
		}
		if over.desc != "" {
			base.desc = over.desc
		}
		for _, w := range over.words {
			base.setWord(w.key, w.json)
		}
		if over.props != nil {
			base.props, base.required = over.props, over.required
		}
		for _, sb := range over.subs {
			if i := slices.IndexFunc(base.subs, func(b sub) bool { return b.key == sb.key }); i >= 0 {
				base.subs[i] = sb
			} else {
				base.subs = append(base.subs, sb)
			}
		}
		dedupeWords(&base)
		s = &base
	}
	if in.Description != nil {
		s = s.describe(cleanText(in.Description.Value))
	}
	return s
}

// field applies a block to a field of the body.
func (e *editor) field(a *toolArg, path []string, in *specs.Input) bool {
	var way []prop
	given := argument(a.key)
	var required bool
	changed, found := e.editField(a.schema, path, func(parent *schema, i int) {
		p := &parent.props[i]
		p.schema = e.changed(p.schema, in)
		checkFixed(e.diags, in, p.schema, false)
		required = slices.Contains(parent.required, p.key)
		drop := func() {
			parent.required = slices.DeleteFunc(slices.Clone(parent.required), func(k string) bool { return k == p.key })
		}
		if in.Optional != nil {
			drop()
			if required = !in.Optional.Value; required {
				parent.required = append(parent.required, p.key)
			}
		}
		if in.Default != nil {
			c := *p.schema
			c.words = slices.Clone(c.words)
			c.setWord("default", jsonOf(in.Default))
			p.schema = &c
			drop()
		}
		if in.Value != nil || in.Hide != nil && in.Hide.Value {
			if in.Value == nil && in.Default == nil && required {
				e.diags.Add(diag.Diagnostic{Code: "required-input", Message: fmt.Sprintf("input %q is required and cannot be hidden without a value", in.Path), Hint: "add value = …", Range: in.Hide.Range})
			}
			drop()
			parent.props = slices.Delete(parent.props, i, i+1)
		}
	}, &way)
	if !found {
		return false
	}
	a.schema = changed
	keys := make([]string, 0, len(way))
	for _, p := range way {
		keys = append(keys, p.key)
		given = plan.Expr{Op: plan.OpGet, Name: p.key, Args: []plan.Expr{given}}
	}
	hide := in.Hide != nil && in.Hide.Value
	if hide || in.Value != nil {
		a.refused = append(a.refused, ways(a.key, way)...)
	}
	edit := fieldEdit{path: keys, had: given}
	switch {
	case in.Value != nil:
		edit.value = e.expr(in.Value, a, argument(a.key))
	case in.Wire != nil:
		edit.value = e.expr(in.Wire, a, argument(a.key))
		edit.maybe = !required && in.Default == nil
	case in.Default != nil && hide:
		edit.value = constant(in.Default)
	case in.Default != nil:
		edit.value = whenGiven(given, given, constant(in.Default))
	default:
		return true
	}
	a.fields = slices.DeleteFunc(a.fields, func(f fieldEdit) bool { return slices.Equal(f.path, keys) })
	a.fields = append(a.fields, edit)
	if in.Value != nil || in.Default != nil {
		a.given = a.given || onlyOptional(a.schema)
	}
	return true
}

// onlyOptional reports whether {} is a value of an object schema, so that a
// body whose required fields are all fixed need not be given.
func onlyOptional(s *schema) bool {
	for _, c := range flatten([]*schema{s}) {
		if len(c.required) > 0 {
			return false
		}
	}
	return true
}

// ways lists how a caller could write the path of a field: by its keys, or by
// the names on the wire, which a schema that takes any member lets through.
func ways(arg string, way []prop) [][]string {
	out := [][]string{{arg}}
	for _, p := range way {
		var next [][]string
		for _, head := range out {
			next = append(next, append(slices.Clip(head), p.key))
			if p.wire != p.key {
				next = append(next, append(slices.Clip(head), p.wire))
			}
		}
		out = next
	}
	return out
}

// editField copies a schema with the field at path changed, wherever the
// alternatives of the schema describe it. It appends the properties on the way.
func (e *editor) editField(s *schema, path []string, f func(parent *schema, i int), way *[]prop) (*schema, bool) {
	c := *expand(s)
	c.props = slices.Clone(c.props)
	c.subs = slices.Clone(c.subs)
	found := false
	if p := c.prop(path[0]); p != nil {
		i := slices.IndexFunc(c.props, func(q prop) bool { return q.key == p.key })
		at := len(*way)
		*way = append(*way, prop{key: p.key, wire: p.wire})
		if len(path) == 1 {
			f(&c, i)
			found = true
		} else if c.props[i].schema, found = e.editField(p.schema, path[1:], f, way); !found {
			*way = (*way)[:at]
		}
	}
	for i := range c.subs {
		switch c.subs[i].key {
		case "allOf", "anyOf", "oneOf":
			c.subs[i].list = slices.Clone(c.subs[i].list)
			for j, k := range c.subs[i].list {
				var own []prop
				n, ok := e.editField(k, path, f, &own)
				if !ok {
					continue
				}
				c.subs[i].list[j] = n
				if !found {
					*way = append(*way, own...)
				}
				found = true
			}
		}
	}
	if !found {
		return s, false
	}
	return &c, true
}

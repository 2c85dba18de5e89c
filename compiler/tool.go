package compiler

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mcpc-dev/mcpc/runtime/plan"
	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// handWritten compiles a tool that has a request of its own.
func (c *compilation) handWritten(t *specs.Tool, apis map[string]*apiContext) (plan.Tool, roots, bool) {
	a := c.apiOf(t, apis)
	if a == nil {
		return plan.Tool{}, roots{}, false
	}
	before := len(c.diags)
	requests := append(slices.Clone(t.Choices), t.Request)
	out := plan.Tool{Name: t.Name, Title: humanized(t.Name), Description: requests[0].Method + " " + requests[0].Path,
		Origin: plan.Origin{Kind: "hcl", API: a.name, Source: t.Range.String()}}
	if t.Title != nil {
		out.Title = cleanText(t.Title.Value)
	}
	if t.Description != nil {
		out.Description = cleanText(t.Description.Value)
	}

	in, root := c.inputs(t, a.in, &out)
	ok := true
	for i, q := range requests {
		r := plan.Request{}
		ok = c.handRequest(q, a, &r, in) && ok
		r.Repeat = repeatable(t.Hints)
		h := methodHints(r.Method)
		if i == 0 {
			out.Hints = h
		}
		out.Hints = plan.Hints{ReadOnly: out.Hints.ReadOnly && h.ReadOnly, Destructive: out.Hints.Destructive || h.Destructive, Idempotent: out.Hints.Idempotent && h.Idempotent, OpenWorld: out.Hints.OpenWorld}
		switch {
		case q.When != nil:
			out.Choices = append(out.Choices, plan.Choice{When: lowerExpr(q.When, in.arg), Request: r})
		default:
			out.Request = r
		}
	}
	if out.Request.Method == "" {
		out.Request.Upstream = a.name
	}
	if t.Pagination != nil && t.Pagination.Style.Value != "none" {
		var names []string
		for _, i := range t.Inputs {
			names = append(names, i.Path)
		}
		out.Pagination = pagination(t.Pagination, names)
	}
	if slices.ContainsFunc(requests, func(q *specs.Request) bool { return q.SOAP != nil }) {
		out.Response.XML = &plan.XMLReading{SOAP: true}
	}
	said := inherit(a.api.Response, t.Response)
	shapeAnswer(&out.Response, said, func(x *specs.Expr) plan.Expr { return lowerExpr(x, in.arg) })
	results := a.handOutput(said, &out, &c.diags)
	if media := mediaOfKind(out.Response.Kind); media != "" {
		for _, r := range out.Requests() {
			if r.Accept == acceptOf("") { // the author names no other
				r.Accept = media + ", */*;q=0.5"
			}
		}
	}
	out.Scopes = scopesOf(t)
	if t.Confirm != nil {
		x := lowerExpr(t.Confirm, in.arg)
		out.Confirm = &x
	}
	setHints(&out.Hints, t.Hints)
	if t.Deprecated != nil {
		out.Deprecated = oneLine(t.Deprecated.Value)
		sayDeprecated(&out)
	}
	if !ok || c.diags[before:].HasErrors() {
		return out, roots{}, false
	}
	if out.Pagination != nil {
		if !c.paginateByHand(t, &out) {
			return out, roots{}, false
		}
		c.fieldsOfPages(said, &out)
		addCursor(root, out.Pagination)
	}
	var cut bool
	if out.Input, cut = emit(root, inputBudget, 1); cut {
		c.diags.Add(diag.Diagnostic{Severity: diag.Warning, Code: "large-schema", Message: fmt.Sprintf("the inputs of %s are larger than %d bytes; deep parts are left open", t, inputBudget), Range: t.Range})
	}
	if err := gate(&out, a.patterns); err != nil {
		c.diags.Add(diag.Diagnostic{Code: "invalid-tool", Message: fmt.Sprintf("%s cannot be served: %v", t, err), Range: t.Range})
		return out, roots{}, false
	}
	return out, roots{root, results}, true
}

// handInputs are the inputs of a tool described by hand, and what stands for
// them in its expressions.
type handInputs struct {
	c       *compilation
	tool    *specs.Tool
	values  map[string]plan.Expr    // by name
	fixed   map[string]*specs.Input // inputs whose value is not lowered yet
	open    []string                // of those, the ones being lowered
	files   []string                // inputs that are files
	lists   []string                // inputs that are lists of files
	formats bool                    // a format is to be checked
}

// inputs lowers the inputs of a tool described by hand, and its rules. root is
// the schema of its arguments.
func (c *compilation) inputs(t *specs.Tool, l *lowerer, out *plan.Tool) (in *handInputs, root *schema) {
	in = &handInputs{c: c, tool: t, values: map[string]plan.Expr{}, fixed: map[string]*specs.Input{}}
	root = in.declare(l)
	out.Formats = in.formats
	in.fix()
	for _, i := range t.Inputs {
		for _, r := range i.Rules {
			rule := in.rule(r)
			rule.Condition = ifGiven(in.arg(i.Path, i.Range), rule.Condition)
			out.Rules = append(out.Rules, rule)
		}
	}
	for _, r := range t.Rules {
		out.Rules = append(out.Rules, in.rule(r))
	}
	in.wire()
	return in, root
}

// declare makes the input schema.
func (h *handInputs) declare(l *lowerer) *schema {
	c, t := h.c, h.tool
	root := &schema{types: []string{"object"}, words: []word{{"additionalProperties", "false"}}}
	for _, in := range t.Inputs {
		if !isPortable(in.Path) {
			c.diags.Add(diag.Diagnostic{Code: "invalid-name", Message: fmt.Sprintf("%q is no name of an input", in.Path), Hint: "use up to 64 letters, digits, _ , - and .", Range: in.Range})
			continue
		}
		s := l.lower(in.Schema, place{})
		if in.Description != nil {
			s = s.describe(cleanText(in.Description.Value))
		}
		s = deprecatedInput(s, in)
		checkFixed(&c.diags, in, s, false)
		s = h.file(in.Path, s)
		h.formats = h.formats || hasFormat(s, 0)
		required := in.Default == nil
		if in.Optional != nil {
			required = required && !in.Optional.Value
		}
		hidden := in.Value != nil || in.Hide != nil && in.Hide.Value
		if in.Hide != nil && in.Hide.Value && in.Value == nil && in.Default == nil && required {
			c.diags.Add(diag.Diagnostic{Code: "required-input", Message: fmt.Sprintf("input %q is required and cannot be hidden without a value", in.Path), Hint: "add value = …", Range: in.Hide.Range})
		}
		given := argument(in.Path)
		if in.Default != nil {
			copied := *s
			copied.words = slices.Clone(s.words)
			copied.setWord("default", jsonOf(in.Default))
			s = &copied
			given = whenGiven(given, given, constant(in.Default))
			if hidden {
				given = constant(in.Default)
			}
		} else if hidden {
			given = constant(nil)
		}
		h.values[in.Path] = given
		if in.Value != nil {
			h.fixed[in.Path] = in
		}
		if hidden {
			continue
		}
		root.props = append(root.props, prop{key: in.Path, wire: in.Path, schema: s})
		if required {
			root.required = append(root.required, in.Path)
		}
	}
	return root
}

// file notes an input that is a file or a list of files, and returns its schema
// as a model reads it.
func (h *handInputs) file(name string, s *schema) *schema {
	if isBinary(s) {
		h.files = append(h.files, name)
		return fileSchema(s.desc)
	}
	items := s.sub("items")
	if items == nil || len(items.list) != 1 || !isBinary(items.list[0]) {
		return s
	}
	h.lists = append(h.lists, name)
	out := *s
	out.subs = slices.Clone(s.subs)
	out.sub("items").list = []*schema{fileSchema(items.list[0].desc)}
	return &out
}

// fileSchema is the schema of a file: bytes, or the name of one.
func fileSchema(desc string) *schema {
	s := bytesSchema(desc, "")
	s.desc = join(strings.TrimSuffix(s.desc, "Base64, or a data: URI."), `A file: base64, a data: URI, or "file:NAME" where this server may read files.`)
	s.words = nil // it is not only base64
	return s
}

// hasFormat reports whether a schema says a format that can be checked.
func hasFormat(s *schema, depth int) bool {
	if depth > 16 {
		return true
	}
	if s.word("format") != "" {
		return true
	}
	for _, p := range s.props {
		if hasFormat(p.schema, depth+1) {
			return true
		}
	}
	for _, sb := range s.subs {
		if slices.ContainsFunc(sb.list, func(s *schema) bool { return hasFormat(s, depth+1) }) {
			return true
		}
	}
	return false
}

// fix lowers the values of fixed inputs. They may speak of each other.
func (h *handInputs) fix() {
	for _, in := range h.tool.Inputs {
		if h.fixed[in.Path] == in {
			h.fixOne(in)
		}
	}
}

func (h *handInputs) fixOne(in *specs.Input) {
	h.open = append(h.open, in.Path)
	h.values[in.Path] = lowerExpr(in.Value, h.arg)
	h.open = h.open[:len(h.open)-1]
	delete(h.fixed, in.Path)
}

// wire puts what is sent in the place of arguments. It speaks of arguments as
// they were given.
func (h *handInputs) wire() {
	sent := map[string]plan.Expr{}
	for _, in := range h.tool.Inputs {
		if in.Wire == nil || in.Value != nil {
			continue
		}
		v := lowerExpr(in.Wire, h.arg)
		if in.Optional != nil && in.Optional.Value && in.Default == nil {
			v = whenGiven(h.values[in.Path], v, constant(nil))
		}
		sent[in.Path] = v
	}
	maps.Copy(h.values, sent)
}

func (h *handInputs) rule(r *specs.Rule) plan.Rule {
	return plan.Rule{Condition: lowerExpr(r.Condition, h.arg), Message: lowerExpr(r.Message, h.arg)}
}

// arg is what stands for an argument.
func (h *handInputs) arg(name string, at diag.Range) plan.Expr {
	if in := h.fixed[name]; in != nil {
		if slices.Contains(h.open, name) {
			h.c.diags.Add(diag.Diagnostic{Code: "cycle", Message: fmt.Sprintf("the value of input %q depends on itself", name), Hint: "write one of the values out", Range: at})
			return constant(nil)
		}
		h.fixOne(in)
	}
	v, ok := h.values[name]
	if !ok {
		var names []string
		for _, in := range h.tool.Inputs {
			names = append(names, in.Path)
		}
		d := diag.Diagnostic{Code: "unknown-argument", Message: fmt.Sprintf("%s has no input %q", h.tool, name), Hint: didYouMean(name, names, "it has "), Range: at}
		if d.Hint == "" {
			d.Hint = fmt.Sprintf("declare it with input %q { … }", name)
		}
		h.c.diags.Add(d)
		return constant(nil)
	}
	return v
}

// apiOf is the API a hand-written tool calls.
func (c *compilation) apiOf(t *specs.Tool, apis map[string]*apiContext) *apiContext {
	var names []string
	for _, api := range c.doc.APIs {
		names = append(names, api.Name)
	}
	if t.API != nil {
		if a := apis[t.API.Value]; a != nil {
			return a
		}
		c.diags.Add(diag.Diagnostic{Code: "unknown-api", Message: fmt.Sprintf("there is no api %q", t.API.Value), Hint: didYouMean(t.API.Value, names, "there is "), Range: t.API.Range})
		return nil
	}
	switch len(names) {
	case 1:
		return apis[names[0]]
	case 0:
		c.diags.Add(diag.Diagnostic{Code: "no-api", Message: fmt.Sprintf("%s has no api to call", t), Hint: `add api "name" { base_url = "https://…" }`, Range: t.Range})
	default:
		c.diags.Add(diag.Diagnostic{Code: "missing-attribute", Message: fmt.Sprintf("%s does not say which api it calls", t), Hint: "add api = api." + strings.Join(names, " or api."), Range: t.Range})
	}
	return nil
}

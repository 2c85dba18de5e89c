package compiler

import (
	"fmt"
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
	out := plan.Tool{Name: t.Name, Title: humanized(t.Name), Description: t.Request.Method + " " + t.Request.Path, Hints: methodHints(t.Request.Method),
		Origin: plan.Origin{Kind: "hcl", API: a.name, Source: t.Range.String()}}
	if t.Title != nil {
		out.Title = cleanText(t.Title.Value)
	}
	if t.Description != nil {
		out.Description = cleanText(t.Description.Value)
	}
	setHints(&out.Hints, t.Hints)

	in := c.inputs(t, a.in)
	root, values, arg := in.root, in.values, in.arg

	if t.Pagination != nil && t.Pagination.Style.Value != "none" {
		out.Pagination = pagination(t.Pagination, in.names)
	}
	said := inherit(a.api.Response, t.Response)
	shapeAnswer(&out.Response, said, func(x *specs.Expr) plan.Expr { return lowerExpr(x, arg) })
	out.Scopes = scopesOf(t)
	results := a.handOutput(said, &out, &c.diags)
	if t.Confirm != nil {
		x := lowerExpr(t.Confirm, arg)
		out.Confirm = &x
	}
	if !c.handRequest(t, a, &out.Request, values, arg) || c.diags[before:].HasErrors() {
		return out, roots{}, false
	}
	if media := mediaOfKind(out.Response.Kind); media != "" && out.Request.Accept == acceptOf("") { // the author names no other
		out.Request.Accept = media + ", */*;q=0.5"
	}
	out.Request.Repeat = repeatable(t.Hints)
	if out.Pagination != nil {
		if !c.paginateByHand(t, &out) {
			return out, roots{}, false
		}
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

// handInputs are the inputs that an author declared.
type handInputs struct {
	root   *schema
	values map[string]plan.Expr // what an argument stands for
	names  []string
	arg    func(name string, at diag.Range) plan.Expr // of values; reports those that do not exist
}

// inputs lowers the inputs of what is described by hand.
func (c *compilation) inputs(t *specs.Tool, l *lowerer) *handInputs {
	out := &handInputs{root: &schema{types: []string{"object"}, words: []word{{"additionalProperties", "false"}}}, values: map[string]plan.Expr{}}
	root, values := out.root, out.values
	for _, in := range t.Inputs {
		out.names = append(out.names, in.Path)
		values[in.Path] = argument(in.Path)
	}
	out.arg = func(name string, at diag.Range) plan.Expr {
		v, ok := values[name]
		if !ok {
			d := diag.Diagnostic{Code: "unknown-argument", Message: fmt.Sprintf("%s has no input %q", t, name), Hint: didYouMean(name, out.names, "it has "), Range: at}
			if d.Hint == "" {
				d.Hint = fmt.Sprintf("declare it with input %q { … }", name)
			}
			c.diags.Add(d)
			return constant(nil)
		}
		return v
	}
	optional := map[string]bool{}
	for _, in := range t.Inputs {
		if !isPortable(in.Path) {
			c.diags.Add(diag.Diagnostic{Code: "invalid-name", Message: fmt.Sprintf("%q is no name of an input", in.Path), Hint: "use up to 64 letters, digits, _ , - and .", Range: in.Range})
			continue
		}
		s := l.lower(in.Schema, place{})
		if in.Description != nil {
			s = s.describe(cleanText(in.Description.Value))
		}
		checkFixed(&c.diags, in, s, false)
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
		values[in.Path] = given
		optional[in.Path] = !required && in.Default == nil && in.Value == nil
		if hidden {
			continue
		}
		root.props = append(root.props, prop{key: in.Path, wire: in.Path, schema: s})
		if required {
			root.required = append(root.required, in.Path)
		}
	}
	// Fixed values may speak of other inputs, so they come after all of those.
	for _, in := range t.Inputs {
		switch {
		case in.Value != nil:
			values[in.Path] = lowerExpr(in.Value, out.arg)
		case in.Wire != nil:
			v := lowerExpr(in.Wire, out.arg)
			if optional[in.Path] {
				v = whenGiven(argument(in.Path), v, constant(nil))
			}
			values[in.Path] = v
		}
	}
	return out
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

// handRequest lowers a request that the author wrote.
func (c *compilation) handRequest(t *specs.Tool, a *apiContext, r *plan.Request, values map[string]plan.Expr, arg func(string, diag.Range) plan.Expr) bool {
	q := t.Request
	*r = plan.Request{Upstream: a.name, Method: strings.ToUpper(q.Method), Accept: "application/json, */*;q=0.5", Security: a.auth.security(nil)}
	path, err := parsePath(q.Path)
	if err != nil {
		c.diags.Add(diag.Diagnostic{Code: "invalid-path", Message: err.Error(), Range: q.PathAt})
		return false
	}
	for _, p := range path.pieces {
		if p.param == "" {
			r.Path = append(r.Path, plan.Segment{Literal: encodeLiteral(p.literal)})
			continue
		}
		out := plan.Param{Name: p.param, Style: plan.Simple, Required: true, AllowReserved: p.reserved}
		setSource(&out, arg(p.param, q.PathAt))
		r.Path = append(r.Path, plan.Segment{Param: &out})
	}
	for _, p := range path.query {
		out := plan.Param{Name: p.name, Style: plan.Form, Explode: true}
		if p.param != "" {
			setSource(&out, arg(p.param, q.PathAt))
		} else {
			setSource(&out, constant(specs.NewString(p.value)))
		}
		r.Query = append(r.Query, out)
	}
	for _, e := range q.Query {
		out := plan.Param{Name: e.Name, Style: plan.Form, Explode: true}
		setSource(&out, lowerExpr(e.Value, arg))
		r.Query = append(r.Query, out)
	}
	for _, e := range q.Headers {
		if !isToken(e.Name) {
			c.diags.Add(diag.Diagnostic{Code: "invalid-name", Message: fmt.Sprintf("%q is no name of a header", e.Name), Hint: "names of headers are letters, digits and -", Range: e.Range})
			continue
		}
		x := lowerExpr(e.Value, arg)
		switch {
		case strings.EqualFold(e.Name, "accept") && x.Op == plan.OpConst && e.Value.Value.Str() != "":
			r.Accept = e.Value.Value.Str()
			continue
		}
		out := plan.Param{Name: e.Name, Style: plan.Simple}
		setSource(&out, x)
		r.Header = append(r.Header, out)
	}
	switch {
	case q.JSON != nil:
		x := lowerExpr(q.JSON, arg)
		r.Body = &plan.Body{Media: "application/json", Codec: plan.JSON, Required: true}
		if x.Op == plan.OpArg {
			r.Body.Arg, r.Body.Required = x.Name, false
		} else {
			r.Body.Value = &x
		}
	case len(q.Form) > 0:
		x := plan.Expr{Op: plan.OpObject}
		for _, e := range q.Form {
			x.Args = append(x.Args, constant(specs.NewString(e.Name)), lowerExpr(e.Value, arg))
		}
		r.Body = &plan.Body{Media: "application/x-www-form-urlencoded", Codec: plan.FormCodec, Value: &x, Required: true}
	}
	if r.Body != nil {
		for i := range r.Header {
			// The author's word on the type of the body.
			if h := &r.Header[i]; strings.EqualFold(h.Name, "content-type") && h.Value != nil && h.Value.Op == plan.OpConst {
				r.Body.Media = strings.Trim(h.Value.Const, `"`)
				r.Header = slices.Delete(r.Header, i, i+1)
				break
			}
		}
	}
	if len(r.Header) == 0 {
		r.Header = nil
	}
	return true
}

// setSource says where a parameter's value comes from: an argument as the
// client wrote it, or an expression.
func setSource(p *plan.Param, x plan.Expr) {
	if x.Op == plan.OpArg {
		p.Arg = x.Name
		return
	}
	p.Value = &x
}

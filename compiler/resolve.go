package compiler

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/mcpc-dev/mcpc/runtime/plan"
	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
	"github.com/mcpc-dev/mcpc/specs/hclspec"
)

// derived is a tool that comes from an operation, before it is lowered.
type derived struct {
	op     *specs.Operation
	name   string
	source string  // where the operation is, file:line:col
	layers []layer // what the author changes, in order; later ones win
	tool   *specs.Tool
	result *plan.Tool
	// overlays of its document.
	overlays []*diag.Source
}

// layer is one set of changes: an override, or the tool block.
type layer struct {
	by                             string // see [plan.Setting]
	title, description, deprecated *specs.Text
	hints                          specs.Hints
	inputs                         []*specs.Input
	response                       *specs.Shaping
	confirm                        *specs.Expr
	scopes                         []specs.Text
	used                           []atomic.Bool // per input: some tool has it; nil for a tool block
}

// selection is what an API contributes.
type selection struct {
	api     *specs.API
	derived []*derived // in document order
	count   int        // of operations selected, those of tool blocks included
}

// resolve decides which operations become tools, and their names.
func (c *compilation) resolve() []*selection {
	byAPI := map[string]*selection{}
	var all []*selection
	for _, api := range c.doc.APIs {
		s := &selection{api: api}
		all = append(all, s)
		byAPI[api.Name] = s
	}
	// Names that the author wrote come first: nothing takes them away.
	for _, t := range c.doc.Tools {
		if !t.IsTool() {
			continue // the model does not see its name
		}
		if !isToolName(t.Name) || len(t.Name) > c.names.limit {
			c.diags.Add(diag.Diagnostic{Code: "invalid-name", Message: fmt.Sprintf("%q is no name of a tool", t.Name), Hint: fmt.Sprintf("use up to %d letters, digits, - and _", c.names.limit), Range: t.Range})
			continue
		}
		if c.names.taken[t.Name] {
			c.diags.Add(diag.Diagnostic{Code: "duplicate-tool", Message: fmt.Sprintf("a second tool is called %q", t.Name), Hint: "give it another name", Range: t.Range})
			continue
		}
		c.names.taken[t.Name] = true
	}
	owned := map[*specs.Operation]bool{}
	for _, t := range c.doc.Tools {
		if t.Operation == nil {
			continue
		}
		s, op := c.operationOf(t.Operation, byAPI)
		if op == nil {
			continue
		}
		if !owned[op] {
			s.count++
		}
		owned[op] = true
		s.derived = append(s.derived, &derived{op: op, name: t.Name, tool: t})
	}
	for _, s := range all {
		c.expose(s, owned)
		for _, d := range s.derived {
			d.overlays = s.api.Overlays
		}
	}
	c.nameDerived(all)
	for _, s := range all {
		c.override(s)
	}
	return all
}

// operationOf finds the operation of a reference.
func (c *compilation) operationOf(r *specs.OperationRef, byAPI map[string]*selection) (*selection, *specs.Operation) {
	s := byAPI[r.API]
	if s == nil {
		var names []string
		for _, a := range c.doc.APIs {
			names = append(names, a.Name)
		}
		c.diags.Add(diag.Diagnostic{Code: "unknown-api", Message: fmt.Sprintf("there is no api %q", r.API), Hint: didYouMean(r.API, names, "there is "), Range: r.Range})
		return nil, nil
	}
	for _, op := range s.api.Operations {
		if op.ID == r.ID {
			return s, op
		}
	}
	for _, k := range s.api.Skipped {
		if k.Operation == r.ID {
			c.diags.Add(diag.Diagnostic{Code: "unusable-operation", Message: fmt.Sprintf("operation %q of api %q cannot be used: %s", r.ID, r.API, k.Reason), Range: r.Range,
				Notes: []diag.Note{{Message: "it is declared here", Range: k.Range}}})
			return nil, nil
		}
	}
	d := diag.Diagnostic{Code: "unknown-operation", Message: fmt.Sprintf("unknown operation %q in api %q", r.ID, r.API), Range: r.Range}
	if near := nearestOperation(s.api, r.ID); near != nil {
		d.Hint = fmt.Sprintf("did you mean %q (%s %s", near.ID, near.Method, near.Path)
		if at := near.Range.String(); at != "" {
			d.Hint += ", " + at
		}
		d.Hint += ")?"
	} else if len(s.api.Operations) == 0 {
		d.Hint = fmt.Sprintf("api %q has no OpenAPI document; describe the tool with request", r.API)
	}
	c.diags.Add(d)
	return nil, nil
}

// nearestOperation is the operation an author may have meant, by id or by
// "METHOD /path".
func nearestOperation(api *specs.API, word string) *specs.Operation {
	var ids []string
	for _, op := range api.Operations {
		if op.Method+" "+op.Path == word {
			return op
		}
		ids = append(ids, op.ID)
	}
	near := diag.Nearest(word, ids)
	if near == "" {
		return nil
	}
	return api.Operations[slices.Index(ids, near)]
}

// expose adds the operations that expose blocks select; all of them for a
// document given directly. An operation that a tool block names is the block's.
func (c *compilation) expose(s *selection, owned map[*specs.Operation]bool) {
	chosen := map[*specs.Operation]*specs.Expose{}
	for _, e := range s.api.Expose {
		c.checkPatterns(s.api, e)
		any := false
		for _, op := range s.api.Operations {
			if !selects(e, op) {
				continue
			}
			any = true
			if chosen[op] == nil {
				chosen[op] = e
			}
		}
		if !any {
			c.diags.Add(diag.Diagnostic{Severity: diag.Warning, Code: "no-operation-selected", Message: fmt.Sprintf("expose selects no operation of api %q", s.api.Name), Hint: selectHint(e), Range: e.Range})
		}
	}
	for _, op := range s.api.Operations {
		e := chosen[op]
		if owned[op] || e == nil && !s.api.ExposeAll || isKept(op, e) {
			continue
		}
		s.count++
		d := &derived{op: op}
		if e != nil && e.Name != nil {
			d.name = c.nameBy(e, op)
		} else if op.MCP != nil && op.MCP.Name != nil {
			d.name = op.MCP.Name.Value
		}
		s.derived = append(s.derived, d)
	}
	order := map[*specs.Operation]int{}
	for i, op := range s.api.Operations {
		order[op] = i
	}
	slices.SortStableFunc(s.derived, func(x, y *derived) int { return order[x.op] - order[y.op] })
}

// isKept reports whether the document keeps an operation from being exposed. Named
// in full it is exposed all the same.
func isKept(op *specs.Operation, e *specs.Expose) bool {
	if op.MCP == nil || op.MCP.Expose == nil || op.MCP.Expose.Value {
		return false
	}
	return e == nil || !slices.ContainsFunc(e.Operations, func(t specs.Text) bool { return t.Value == op.ID })
}

func selectHint(e *specs.Expose) string {
	if !e.Deprecated {
		return "the conditions of a block all hold at once; deprecated operations need deprecated = true"
	}
	return "the conditions of a block all hold at once"
}

func selects(e *specs.Expose, op *specs.Operation) bool {
	matches := func(list []specs.Text, s string) bool {
		return slices.ContainsFunc(list, func(t specs.Text) bool { return glob(t.Value, s) })
	}
	if len(e.Operations) > 0 && !matches(e.Operations, op.ID) || matches(e.Exclude, op.ID) {
		return false
	}
	if len(e.Paths) > 0 && !matches(e.Paths, op.Path) {
		return false
	}
	if len(e.Methods) > 0 && !slices.ContainsFunc(e.Methods, func(t specs.Text) bool { return strings.EqualFold(t.Value, op.Method) }) {
		return false
	}
	if len(e.Tags) > 0 && !slices.ContainsFunc(op.Tags, func(tag string) bool { return matches(e.Tags, tag) }) {
		return false
	}
	if op.Deprecated && !e.Deprecated {
		// Named in full is meant in full.
		return slices.ContainsFunc(e.Operations, func(t specs.Text) bool { return t.Value == op.ID })
	}
	return true
}

// checkPatterns warns of every pattern of a block that matches nothing.
func (c *compilation) checkPatterns(api *specs.API, e *specs.Expose) {
	var ids, paths, tags, methods []string
	for _, op := range api.Operations {
		ids = append(ids, op.ID)
		paths = append(paths, op.Path)
		methods = append(methods, op.Method)
		tags = append(tags, op.Tags...)
	}
	check := func(list []specs.Text, what string, candidates []string, match func(pattern, s string) bool) {
		for _, t := range list {
			if !slices.ContainsFunc(candidates, func(s string) bool { return match(t.Value, s) }) {
				c.diags.Add(diag.Diagnostic{Severity: diag.Warning, Code: "pattern-matches-nothing", Message: fmt.Sprintf("%q matches no %s of api %q", t.Value, what, api.Name), Hint: nearestTo(t.Value, candidates), Range: t.Range})
			}
		}
	}
	check(e.Operations, "operation", ids, glob)
	check(e.Exclude, "operation", ids, glob)
	check(e.Paths, "path", paths, glob)
	check(e.Tags, "tag", tags, glob)
	check(e.Methods, "method", methods, strings.EqualFold)
}

// nearestTo suggests what a pattern may have meant.
func nearestTo(pattern string, candidates []string) string {
	candidates = slices.Compact(slices.Sorted(slices.Values(candidates)))
	if n := diag.Nearest(pattern, candidates); n != "" {
		return fmt.Sprintf("did you mean %q?", n)
	}
	part := strings.ToLower(strings.Trim(literalPart(pattern), "/"))
	if part != "" {
		var heads []string
		for _, s := range candidates {
			if strings.Contains(strings.ToLower(s), part) {
				return fmt.Sprintf("did you mean %q?", s)
			}
			head, _, _ := strings.Cut(s, "/")
			heads = append(heads, head)
		}
		heads = slices.Compact(heads)
		if n := diag.Nearest(part, heads); n != "" {
			for _, s := range candidates {
				if strings.HasPrefix(s, n) {
					return fmt.Sprintf("did you mean %q?", s)
				}
			}
		}
	}
	if len(candidates) > 0 && len(candidates) <= 12 {
		return "there is " + strings.Join(candidates, ", ")
	}
	return ""
}

// nameBy evaluates the name of an expose block for one operation.
func (c *compilation) nameBy(e *specs.Expose, op *specs.Operation) string {
	tag := &specs.Node{}
	if len(op.Tags) > 0 {
		tag = specs.NewString(op.Tags[0])
	}
	id := op.ID
	if id == op.Method+" "+op.Path {
		id = toolName(op)
	}
	v, err := hclspec.Evaluate(e.Name, map[string]*specs.Node{"operation": specs.NewObject(
		specs.F("id", specs.NewString(id)), specs.F("method", specs.NewString(op.Method)),
		specs.F("path", specs.NewString(op.Path)), specs.F("tag", tag))})
	switch {
	case err != nil:
		c.diags.Add(diag.Diagnostic{Code: "invalid-name", Message: fmt.Sprintf("the name of operation %q: %v", op.ID, err), Range: e.Name.Range})
	case v.Kind != specs.String || v.Text == "":
		c.diags.Add(diag.Diagnostic{Code: "invalid-name", Message: fmt.Sprintf("the name of operation %q is no text", op.ID), Range: e.Name.Range})
	default:
		return v.Text
	}
	return id
}

// nameDerived names the tools without a block.
func (c *compilation) nameDerived(all []*selection) {
	var wishes []*wish
	var tools []*derived
	for _, s := range all {
		for _, d := range s.derived {
			if d.tool != nil {
				continue
			}
			w := &wish{base: toolName(d.op), operation: d.op.Method + " " + d.op.Path}
			w.owner = s.api.Name + " " + w.operation
			if d.name != "" {
				w.base = legalName(d.name)
			}
			switch {
			case len(w.base) > c.names.limit:
				w.claim = noClaim
			case looksHashed(w.base):
				w.claim = byHash
			case w.base == d.name:
				w.claim = byAuthor
			case w.base == d.op.ID && d.name == "":
				w.claim = byID
			default:
				w.claim = byLetters
			}
			wishes, tools = append(wishes, w), append(tools, d)
		}
	}
	c.names.grant(wishes)
	for i, d := range tools {
		d.name = wishes[i].name
	}
}

// override attaches what the author changes to the tools it concerns.
func (c *compilation) override(s *selection) {
	for _, d := range s.derived {
		if x := d.op.MCP; x != nil {
			d.layers = append(d.layers, layer{by: "x-mcp", title: x.Title, description: x.Description, deprecated: x.Deprecated, hints: x.Hints, inputs: x.Inputs, used: make([]atomic.Bool, len(x.Inputs))})
		}
	}
	for _, o := range s.api.Overrides {
		l := layer{by: fmt.Sprintf("override %q", o.Pattern.Value), title: o.Title, description: o.Description, deprecated: o.Deprecated, hints: o.Hints, inputs: o.Inputs, response: o.Response, used: make([]atomic.Bool, len(o.Inputs))}
		any := false
		for _, d := range s.derived {
			if glob(o.Pattern.Value, d.op.ID) {
				any = true
				d.layers = append(d.layers, l)
			}
		}
		if !any {
			var ids []string
			for _, op := range s.api.Operations {
				ids = append(ids, op.ID)
			}
			message := fmt.Sprintf("%q matches no operation of api %q", o.Pattern.Value, s.api.Name)
			hint := nearestTo(o.Pattern.Value, ids)
			if slices.ContainsFunc(ids, func(id string) bool { return glob(o.Pattern.Value, id) }) {
				message = fmt.Sprintf("%q matches no exposed operation of api %q", o.Pattern.Value, s.api.Name)
				hint = "expose the operations it means"
			}
			c.diags.Add(diag.Diagnostic{Severity: diag.Warning, Code: "pattern-matches-nothing", Message: message, Hint: hint, Range: o.Pattern.Range})
			continue
		}
		c.overrides = append(c.overrides, overrideUse{o, l})
	}
	for _, d := range s.derived {
		if t := d.tool; t != nil {
			d.layers = append(d.layers, layer{by: "tool", title: t.Title, description: t.Description, deprecated: t.Deprecated, hints: t.Hints, inputs: t.Inputs, response: t.Response, confirm: t.Confirm, scopes: t.Scopes})
		}
	}
}

// overrideUse remembers an override until it is known which inputs exist.
type overrideUse struct {
	override *specs.Override
	layer    layer
}

// unusedInputs warns of inputs of overrides that no tool has.
func (c *compilation) unusedInputs() {
	for _, u := range c.overrides {
		for i, in := range u.override.Inputs {
			if !u.layer.used[i].Load() {
				c.diags.Add(diag.Diagnostic{Severity: diag.Warning, Code: "unknown-input", Message: fmt.Sprintf("no operation that %q matches has an input %q", u.override.Pattern.Value, in.Path), Range: in.Range})
			}
		}
	}
}

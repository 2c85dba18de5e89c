package hclspec

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/mcpc-dev/mcpc/runtime/function"
	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// call lowers a function call; with constant arguments it is evaluated.
func (p *parser) call(e *hclsyntax.FunctionCallExpr, r diag.Range, sc *scope) *specs.Expr {
	nameRange := p.rng(e.NameRange)
	switch e.Name {
	case partName:
		return p.part(e, r, sc)
	case rawName:
		return p.fail(sc, "misplaced-function", nameRange, "raw(…) stands for a whole ${…} in xml, and nowhere else", "elsewhere nothing is escaped that it could keep from it")
	}
	f := p.functions[e.Name]
	if f == nil {
		var names []string
		for _, f := range functionTable() {
			names = append(names, f.name)
		}
		hint := elsewhere[e.Name]
		if hint == "" {
			hint = didYouMean(e.Name, names, "")
		}
		if hint == "" {
			hint = "LANGUAGE.md lists the functions"
		}
		if slices.Contains(credentialNames, e.Name) {
			hint = e.Name + " makes a credential and belongs to auth = …"
		}
		for _, a := range e.Args {
			p.lower(a, sc)
		}
		return p.fail(sc, "unknown-function", nameRange, fmt.Sprintf("there is no function %q", e.Name), hint)
	}
	var args []*specs.Expr
	ok := true
	for i, a := range e.Args {
		x := p.lower(a, sc)
		if x == nil {
			ok = false
			continue
		}
		if e.ExpandFinal && i == len(e.Args)-1 {
			items, known := elements(x)
			if !known {
				return p.fail(sc, "unsupported-expression", x.Range, "... needs a list that is known when the spec is loaded", "")
			}
			args = append(args, items...)
			continue
		}
		args = append(args, x)
	}
	if !ok {
		return nil
	}
	if least, most := f.arity(); len(args) < least || most >= 0 && len(args) > most {
		return p.fail(sc, "wrong-arguments", r, fmt.Sprintf("%s takes %s, not %d", f.name, f.argumentsText(), len(args)), f.form())
	}
	if f.load != nil {
		return p.loadFunction(f, args, r, sc)
	}
	if f.name == "merge" {
		if x := p.mergeKnown(args, r, sc); x != nil {
			return x
		}
	}
	values := make([]*specs.Node, len(args))
	known := true
	for i, x := range args {
		if x.Op != specs.ExprConst {
			known = false
			continue
		}
		values[i] = x.Value
		if want := f.param(i).want; !fits(want, x.Value) {
			return p.fail(sc, "wrong-arguments", x.Range, fmt.Sprintf("%s of %s is %s, not %s", f.param(i).name, f.name, want, valueText(x.Value)), f.form())
		}
	}
	if function.Late(f.name) {
		if sc.phase == staticPhase || sc.phase == firstPhase || sc.phase == namePhase {
			return p.fail(sc, "wrong-phase", r, fmt.Sprintf("%s gives another value for every call; %s is evaluated once, at load", f.name, sc.what), "use it in the tool's request")
		}
		known = false
	}
	if !known {
		return &specs.Expr{Op: specs.ExprCall, Name: f.name, Args: args, Range: r}
	}
	v, err := p.compute(f.name, values, sc, r)
	if errors.Is(err, errSpent) {
		return nil
	}
	if err != nil {
		return p.fail(sc, "invalid-operation", r, f.name+": "+err.Error(), "")
	}
	if !p.spend(p.weight(v), sc, r) {
		return nil
	}
	c := *v
	return constant(p.place(&c, r), r)
}

// mergeKnown merges objects whose keys are known even when their values are
// not, so that the result can be headers or a query.
func (p *parser) mergeKnown(args []*specs.Expr, r diag.Range, sc *scope) *specs.Expr {
	var out []*specs.Expr
	at := map[string]int{}
	for _, x := range args {
		pairs, ok := members(x)
		if !ok {
			return nil
		}
		for i := 0; i < len(pairs); i += 2 {
			k := pairs[i].Value.Text
			if n, dup := at[k]; dup {
				out[n], out[n+1] = pairs[i], pairs[i+1]
				continue
			}
			at[k] = len(out)
			out = append(out, pairs[i], pairs[i+1])
		}
	}
	return p.objectOf(out, r, sc)
}

// spend counts the work of evaluation, so that a few lines cannot grow into
// gigabytes.
func (p *parser) spend(n int, sc *scope, r diag.Range) bool {
	const budget = 2 << 20
	if p.spent > budget {
		return false
	}
	if p.spent&0xfff+n > 0xfff && p.ctx.Err() != nil { // nobody waits for it
		p.spent = budget + 1
		p.add(diag.Diagnostic{Code: "cancelled", Message: "reading the spec was given up", Range: r})
		return false
	}
	if p.spent += n; p.spent > budget {
		p.add(diag.Diagnostic{Code: "too-large", Message: "evaluating the spec takes too much work here", Hint: "loops and locals multiply each other", Range: r})
		return false
	}
	return true
}

// errSpent says that there is no work left, which has been reported.
var errSpent = errors.New("the budget is spent")

// compute is [apply], and counts what it reads: a function over a large value in
// a loop is as much work as many values.
func (p *parser) compute(name string, args []*specs.Node, sc *scope, r diag.Range) (*specs.Node, error) {
	work := 0
	for _, a := range args {
		work = min(work+p.weight(a), 1<<30)
	}
	if strings.HasPrefix(name, "regex") && len(args) > 1 {
		// A pattern is compiled, and its size multiplies the time of a match.
		for i, size := range []int{function.PatternSize(args[0].Text), function.PatternSize(args[1].Text)} {
			if i == 0 || name == "regexreplace" {
				work = min(work+size/2+len(args[1-i].Text)/64*size/2, 1<<30)
			}
		}
	}
	if !p.spend(work, sc, r) {
		return nil, errSpent
	}
	return apply(name, args)
}

// weight is the size of a value with everything in it. Values are shared, so
// weights are remembered.
func (p *parser) weight(v *specs.Node) int {
	if v.Kind < specs.Array {
		return 1 + len(v.Text)/64
	}
	if w, ok := p.weights[v]; ok {
		return w
	}
	w := 1
	for _, f := range v.Fields {
		w = min(w+p.weight(f.Value), 1<<30)
	}
	p.weights[v] = w
	return w
}

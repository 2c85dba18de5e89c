package hclspec

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// reference resolves var.x, local.x, what the phase knows, and the names of for
// expressions.
func (p *parser) reference(e *hclsyntax.ScopeTraversalExpr, r diag.Range, sc *scope) *specs.Expr {
	root := e.Traversal.RootName()
	rootRange := p.rng(e.Traversal[0].SourceRange())
	if x, ok := sc.names[root]; ok {
		if x == nil {
			return nil
		}
		c := *x
		c.Range = rootRange
		return p.steps(&c, e.Traversal[1:], sc)
	}
	switch root {
	case "var", "local":
		if sc.phase == firstPhase {
			return p.fail(sc, "wrong-phase", r, fmt.Sprintf("%s is read before variables and locals are known", sc.what), "use constants and functions here")
		}
		name, nameRange, ok := p.member(e.Traversal)
		if !ok {
			return p.fail(sc, "incomplete-reference", r, root+" alone is no value", "write "+root+".NAME")
		}
		at := diag.Range{Source: r.Source, Start: rootRange.Start, End: nameRange.End}
		resolve := p.variable
		if root == "local" {
			resolve = p.local
		}
		return p.steps(resolve(name, at, sc), e.Traversal[2:], sc)
	case "tool":
		if sc.phase.guards() {
			break
		}
		return p.fail(sc, "wrong-phase", r, "tool is no value", "refer to a tool with call = tool.NAME, and to what it answered with step.NAME")
	case "auth":
		return p.fail(sc, "wrong-phase", r, "auth is no value", "refer to an auth block with auth = auth.NAME, in an api")
	case "store":
		return p.fail(sc, "wrong-phase", r, "store is no value", "refer to a store with store = store.NAME, in a rate_limit")
	case "api":
		return p.fail(sc, "wrong-phase", r, "api is no value", `refer to an operation with operation = api.NAME["id"], to an API with api = api.NAME`)
	}
	if i := slices.IndexFunc(phaseNames[:], func(known phaseName) bool { return known.name == root }); i >= 0 {
		return p.phaseValue(phaseNames[i], e, r, sc)
	}
	names := sc.phase.rootNames()
	known := len(names)
	for k := range sc.names {
		names = append(names, k)
	}
	slices.Sort(names[known:])
	hint := ""
	if n := diag.Nearest(root, names); n != "" {
		hint = fmt.Sprintf("did you mean %q?", n)
	} else if len(e.Traversal) == 1 {
		hint = fmt.Sprintf("text is written in quotes: %q", root)
	} else if len(names) > 0 {
		hint = "references begin with " + strings.Join(names, ", ")
	}
	return p.fail(sc, "unknown-name", rootRange, fmt.Sprintf("there is no %q here", root), hint)
}

// phaseValue resolves a reference to what only some phases know.
func (p *parser) phaseValue(n phaseName, e *hclsyntax.ScopeTraversalExpr, r diag.Range, sc *scope) *specs.Expr {
	rootRange := p.rng(e.Traversal[0].SourceRange())
	if !slices.Contains(n.phases, sc.phase) {
		p.wrongPhase(n, r, sc)
		return nil
	}
	whole := &specs.Expr{Op: specs.ExprVar, Name: n.name, Range: rootRange}
	if n.value {
		return p.steps(whole, e.Traversal[1:], sc)
	}
	name, nameRange, ok := p.member(e.Traversal)
	if !ok {
		return p.fail(sc, "incomplete-reference", r, n.name+" alone is no value", n.advice)
	}
	at := diag.Range{Source: r.Source, Start: rootRange.Start, End: nameRange.End}
	if n.members != nil && !slices.Contains(n.members, name) {
		return p.fail(sc, "unknown-name", at, fmt.Sprintf("%s has no %q", n.name, name), didYouMean(name, n.members, "it has "))
	}
	if n.name == "args" {
		return p.steps(&specs.Expr{Op: specs.ExprArg, Name: name, Range: at}, e.Traversal[2:], sc)
	}
	return p.steps(&specs.Expr{Op: specs.ExprGet, Name: name, Args: []*specs.Expr{whole}, Range: at}, e.Traversal[2:], sc)
}

// member is the second step of a reference: .name or ["name"].
func (p *parser) member(t hcl.Traversal) (string, diag.Range, bool) {
	if len(t) < 2 {
		return "", diag.Range{}, false
	}
	r := p.rng(t[1].SourceRange())
	switch s := t[1].(type) {
	case hcl.TraverseAttr:
		return strings.TrimPrefix(string(p.sourceText(s.SrcRange)), "."), r, true
	case hcl.TraverseIndex:
		if k := p.traverseKey(s); k != nil && k.Kind == specs.String {
			return k.Text, r, true
		}
	}
	return "", r, false
}

// traverseKey is the constant in ["key"] or [1].
func (p *parser) traverseKey(s hcl.TraverseIndex) *specs.Node {
	if !s.Key.IsKnown() || s.Key.IsNull() {
		return nil
	}
	r := p.rng(s.SrcRange)
	src := string(p.sourceText(s.SrcRange))
	inner := strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(src, "."), "["), "]"))
	switch s.Key.Type() {
	case cty.String:
		if len(inner) >= 2 && inner[0] == '"' {
			inner = inner[1 : len(inner)-1]
		}
		return p.place(specs.NewString(literalText(s.Key.AsString(), []byte(inner))), r)
	case cty.Number:
		if n, err := canonicalNumber(inner); err == nil {
			return p.place(specs.NewNumber(n), r)
		}
	case cty.Bool:
		return p.place(specs.NewBool(s.Key.True()), r)
	}
	return nil
}

func (p *parser) steps(x *specs.Expr, t hcl.Traversal, sc *scope) *specs.Expr {
	for _, step := range t {
		if x == nil {
			return nil
		}
		sr := p.rng(step.SourceRange())
		r := diag.Range{Source: sr.Source, Start: min(x.Range.Start, sr.Start), End: sr.End}
		switch s := step.(type) {
		case hcl.TraverseAttr:
			name := strings.TrimSpace(strings.TrimPrefix(string(p.sourceText(s.SrcRange)), "."))
			x = p.index(x, constant(p.place(specs.NewString(name), sr), sr), r, sc)
		case hcl.TraverseIndex:
			k := p.traverseKey(s)
			if k == nil {
				return p.fail(sc, "unsupported-expression", sr, "this index is not part of the language", "write [0] or [\"name\"]")
			}
			x = p.index(x, constant(k, sr), r, sc)
		default:
			return p.fail(sc, "unsupported-expression", sr, "this reference is not part of the language", "")
		}
	}
	return x
}

// index is c[k]. Where the shape of c is known the member is picked at load.
func (p *parser) index(c, k *specs.Expr, r diag.Range, sc *scope) *specs.Expr {
	if k.Op == specs.ExprConst {
		switch {
		case c.Op == specs.ExprConst:
			if c.Value.Kind == specs.Object && !p.spend(len(c.Value.Fields)/32, sc, r) { // it is searched
				return nil
			}
			v, err := member(c.Value, k.Value)
			if err != nil {
				hint := ""
				if c.Value.Kind == specs.Object && k.Value.Kind == specs.String {
					hint = didYouMean(k.Value.Text, keysOf(c.Value), "there are ")
				}
				return p.fail(sc, "unknown-member", k.Range, err.Error(), hint)
			}
			return constant(v, r)
		case c.Op == specs.ExprList && k.Value.Kind == specs.Number:
			if i, err := strconv.Atoi(k.Value.Text); err == nil && i >= 0 && i < len(c.Args) {
				return c.Args[i]
			}
			return p.fail(sc, "unknown-member", k.Range, fmt.Sprintf("the list has no element %s", k.Value.Text), fmt.Sprintf("it has %d, counted from 0", len(c.Args)))
		case c.Op == specs.ExprObject && k.Value.Kind == specs.String:
			fixed := true
			for i := 0; i < len(c.Args); i += 2 {
				if c.Args[i].Op != specs.ExprConst {
					fixed = false
				} else if c.Args[i].Value.Text == k.Value.Text {
					return c.Args[i+1]
				}
			}
			if fixed {
				var keys []string
				for i := 0; i < len(c.Args); i += 2 {
					keys = append(keys, c.Args[i].Value.Text)
				}
				return p.fail(sc, "unknown-member", k.Range, fmt.Sprintf("the object has no member %q", k.Value.Text), didYouMean(k.Value.Text, keys, "there are "))
			}
		}
		if k.Value.Kind == specs.String {
			return &specs.Expr{Op: specs.ExprGet, Name: k.Value.Text, Args: []*specs.Expr{c}, Range: r}
		}
	}
	return &specs.Expr{Op: specs.ExprIndex, Args: []*specs.Expr{c, k}, Range: r}
}

package hclspec

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// scope is what names mean at one place.
type scope struct {
	phase phase
	what  string // the attribute, for messages
	// secret is set inside bearer(…) and its like: env() and file() are
	// references there, read when a request is sent.
	secret bool
	names  map[string]*specs.Expr // of the for expressions around
	item   *specs.Expr            // of the splat around
	loops  []string               // what the for expressions of the call that are around call their elements
	quiet  bool                   // in a branch that is not taken: mistakes in values do not count
	// markup is set where text is XML: what a template holds between its literals
	// is a value there, not a piece of text. See markup.go.
	markup bool
	parts  bool // part(…) is known
}

// plain is the scope of what is no markup, nor part of a multipart body.
func (sc *scope) plain() *scope {
	if !sc.markup && !sc.parts {
		return sc
	}
	c := *sc
	c.markup, c.parts = false, false
	return &c
}

func (sc *scope) with(names map[string]*specs.Expr) *scope {
	c := *sc
	c.names = make(map[string]*specs.Expr, len(sc.names)+len(names))
	for k, v := range sc.names {
		c.names[k] = v
	}
	for k, v := range names {
		c.names[k] = v
	}
	return &c
}

// loop is the scope inside of a for expression of the call. The name of a loop
// variable is changed where it could be taken for another one: an unrolled loop
// may have carried that in.
func (sc *scope) loop(name string) (*scope, *specs.Expr) {
	taken := func(phaseName phaseName) bool { return phaseName.name == name }
	for slices.Contains(sc.loops, name) || slices.ContainsFunc(phaseNames[:], taken) {
		name += "'"
	}
	c := *sc
	c.loops = append(slices.Clone(sc.loops), name)
	return &c, &specs.Expr{Op: specs.ExprVar, Name: name}
}

// known returns the value of an expression that must be known at load. Nil
// means that it is not, which has been reported.
func (p *parser) known(x *specs.Expr, what string) *specs.Node {
	if x == nil {
		return nil
	}
	if x.Op == specs.ExprConst {
		return x.Value
	}
	if s := findSecret(x); s != nil {
		p.add(diag.Diagnostic{Code: "sensitive-value", Message: fmt.Sprintf("%s cannot hold the sensitive value %s", what, s.Secret.Name),
			Hint: "sensitive values are known only when a request is sent: use them in auth and in requests", Range: s.Range})
		return nil
	}
	p.add(diag.Diagnostic{Code: "wrong-phase", Message: what + " must be known when the spec is loaded", Hint: "use var, local and constants", Range: x.Range})
	return nil
}

// findSecret returns the first secret in x, or nil.
func findSecret(x *specs.Expr) *specs.Expr {
	if x.Op == specs.ExprSecret {
		return x
	}
	for _, a := range x.Args {
		if s := findSecret(a); s != nil {
			return s
		}
	}
	return nil
}

func constant(v *specs.Node, r diag.Range) *specs.Expr {
	return &specs.Expr{Op: specs.ExprConst, Value: v, Range: r}
}

// place gives a new node its source.
func (p *parser) place(v *specs.Node, r diag.Range) *specs.Node {
	v.Source, v.Start, v.End = r.Source, int32(r.Start), int32(r.End)
	return v
}

// fail reports a mistake in an expression. It returns nil, the value of what
// could not be evaluated.
func (p *parser) fail(sc *scope, code string, r diag.Range, message, hint string) *specs.Expr {
	if !sc.quiet || code != "unknown-member" && code != "invalid-operation" && code != "wrong-type" {
		p.add(diag.Diagnostic{Code: code, Message: message, Hint: hint, Range: r})
	}
	return nil
}

// lower turns an expression of HCL into ours. Everything that can be evaluated
// at load is a constant afterwards; what a call must know stays a tree. Nil
// means that the expression is wrong, which has been reported.
func (p *parser) lower(e hclsyntax.Expression, sc *scope) *specs.Expr {
	p.depth++
	defer func() { p.depth-- }()
	r := p.rng(e.Range())
	if p.depth > maxDepth {
		return p.fail(sc, "too-deep", r, "the expression is nested too deeply", "move parts of it to locals")
	}
	if !p.spend(1, sc, r) {
		return nil
	}
	if sc.markup {
		if x, done := p.markup(e, r, sc); done {
			return x
		}
	} else if sc.parts && !mayHoldParts(e) {
		sc = sc.plain()
	}
	switch e := e.(type) {
	case *hclsyntax.ParenthesesExpr:
		return p.lower(e.Expression, sc)
	case *hclsyntax.LiteralValueExpr:
		return p.literal(e, r, sc)
	case *hclsyntax.TemplateExpr:
		return p.template(e.Parts, r, sc)
	case *hclsyntax.TemplateWrapExpr:
		return p.lower(e.Wrapped, sc)
	case *hclsyntax.TemplateJoinExpr:
		list := p.lower(e.Tuple, sc)
		if list == nil {
			return nil
		}
		if parts, ok := elements(list); ok {
			return p.join(parts, r, sc)
		}
		return p.joined(list, r)
	case *hclsyntax.ScopeTraversalExpr:
		return p.reference(e, r, sc)
	case *hclsyntax.RelativeTraversalExpr:
		return p.steps(p.lower(e.Source, sc), e.Traversal, sc)
	case *hclsyntax.IndexExpr:
		c := p.lower(e.Collection, sc)
		k := p.lower(e.Key, sc)
		if c == nil || k == nil {
			return nil
		}
		return p.index(c, k, r, sc)
	case *hclsyntax.AnonSymbolExpr:
		return sc.item
	case *hclsyntax.SplatExpr:
		return p.splat(e, r, sc)
	case *hclsyntax.ForExpr:
		return p.forExpr(e, r, sc)
	case *hclsyntax.FunctionCallExpr:
		return p.call(e, r, sc)
	case *hclsyntax.ConditionalExpr:
		return p.conditional(e, r, sc)
	case *hclsyntax.UnaryOpExpr:
		name := "neg"
		if e.Op == hclsyntax.OpLogicalNot {
			name = "!"
		}
		v := p.lower(e.Val, sc)
		if v == nil {
			return nil
		}
		return p.operate(name, r, sc, v)
	case *hclsyntax.BinaryOpExpr:
		a := p.lower(e.LHS, sc)
		if a != nil && decides(operators[e.Op], a) {
			off := *sc // x != null && x.y == 1: the right side does not count
			off.quiet = true
			p.lower(e.RHS, &off)
			return p.operate(operators[e.Op], r, sc, a, a)
		}
		b := p.lower(e.RHS, sc)
		if a == nil || b == nil {
			return nil
		}
		return p.operate(operators[e.Op], r, sc, a, b)
	case *hclsyntax.TupleConsExpr:
		items := make([]*specs.Expr, 0, len(e.Exprs))
		ok := true
		for _, x := range e.Exprs {
			v := p.lower(x, sc)
			ok = ok && v != nil
			items = append(items, v)
		}
		if !ok {
			return nil
		}
		return p.list(items, r, sc)
	case *hclsyntax.ObjectConsExpr:
		return p.object(e, r, sc)
	case *hclsyntax.ObjectConsKeyExpr:
		return p.objectKey(e, sc)
	case *hclsyntax.ExprSyntaxError:
		return nil // the parser has reported it
	}
	return p.fail(sc, "unsupported-expression", r, "this kind of expression is not part of the language", "")
}

var operators = map[*hclsyntax.Operation]string{
	hclsyntax.OpLogicalOr: "||", hclsyntax.OpLogicalAnd: "&&", hclsyntax.OpEqual: "==", hclsyntax.OpNotEqual: "!=",
	hclsyntax.OpGreaterThan: ">", hclsyntax.OpGreaterThanOrEqual: ">=", hclsyntax.OpLessThan: "<", hclsyntax.OpLessThanOrEqual: "<=",
	hclsyntax.OpAdd: "+", hclsyntax.OpSubtract: "-", hclsyntax.OpMultiply: "*", hclsyntax.OpDivide: "/", hclsyntax.OpModulo: "%",
}

// literal takes numbers digit for digit and text byte for byte from the source.
func (p *parser) literal(e *hclsyntax.LiteralValueExpr, r diag.Range, sc *scope) *specs.Expr {
	text := p.sourceText(e.SrcRange)
	switch v := e.Val; {
	case !v.IsKnown():
		return nil // a syntax error, reported
	case v.IsNull():
		return constant(p.place(&specs.Node{Kind: specs.Null}, r), r)
	case v.Type() == cty.Bool:
		return constant(p.place(specs.NewBool(v.True()), r), r)
	case v.Type() == cty.Number:
		digits, err := canonicalNumber(string(text))
		if err != nil {
			return p.fail(sc, "invalid-value", r, err.Error(), "")
		}
		return constant(p.place(specs.NewNumber(digits), r), r)
	case v.Type() == cty.String:
		return constant(p.place(specs.NewString(literalText(v.AsString(), text)), r), r)
	}
	return p.fail(sc, "unsupported-expression", r, "this literal is not part of the language", "")
}

func (p *parser) template(parts []hclsyntax.Expression, r diag.Range, sc *scope) *specs.Expr {
	if len(parts) == 0 {
		return constant(p.place(specs.NewString(""), r), r)
	}
	list := make([]*specs.Expr, 0, len(parts))
	ok := true
	for _, part := range parts {
		x := p.lower(part, sc)
		ok = ok && x != nil
		list = append(list, x)
	}
	if !ok {
		return nil
	}
	return p.join(list, r, sc)
}

// join makes a template of parts. Neighbouring constants become one.
func (p *parser) join(parts []*specs.Expr, r diag.Range, sc *scope) *specs.Expr {
	var out []*specs.Expr
	var run strings.Builder // neighbouring constants; copied once, however many they are
	flush := func() {
		if n := len(out); run.Len() > 0 {
			out[n-1] = constant(p.place(specs.NewString(out[n-1].Value.Text+run.String()), out[n-1].Range), out[n-1].Range)
			run.Reset()
		}
	}
	for _, x := range parts {
		if x.Op != specs.ExprConst {
			flush()
			if x.Op == specs.ExprTemplate {
				out = append(out, x.Args...)
			} else {
				out = append(out, x)
			}
			continue
		}
		s, err := text(x.Value)
		if err != nil {
			hint := "use jsonencode() or join()"
			if x.Value.Kind == specs.Null {
				hint = `use coalesce(…, "")`
			}
			return p.fail(sc, "wrong-type", x.Range, err.Error(), hint)
		}
		if !p.spend(len(s)/64, sc, r) {
			return nil
		}
		if s == "" && len(parts) > 1 {
			continue
		}
		if n := len(out); n > 0 && out[n-1].Op == specs.ExprConst {
			run.WriteString(s)
			continue
		}
		out = append(out, constant(p.place(specs.NewString(s), x.Range), x.Range))
	}
	flush()
	switch {
	case len(out) == 0:
		return constant(p.place(specs.NewString(""), r), r)
	case len(out) == 1 && out[0].Op == specs.ExprConst:
		return constant(p.place(specs.NewString(out[0].Value.Text), r), r)
	}
	return &specs.Expr{Op: specs.ExprTemplate, Args: out, Range: r}
}

// joined is what a %{ for } that runs in the call makes: the texts of its turns.
func (p *parser) joined(turns *specs.Expr, r diag.Range) *specs.Expr {
	return &specs.Expr{Op: specs.ExprCall, Name: "join", Args: []*specs.Expr{constant(specs.NewString(""), r), turns}, Range: r}
}

func (p *parser) conditional(e *hclsyntax.ConditionalExpr, r diag.Range, sc *scope) *specs.Expr {
	cond := p.lower(e.Condition, sc.plain())
	yes, no := sc, sc
	if cond != nil && cond.Op == specs.ExprConst {
		b, err := truth(cond.Value)
		if err != nil {
			return p.fail(sc, "wrong-type", cond.Range, "a condition is true or false, not "+valueText(cond.Value), "")
		}
		off := *sc
		off.quiet = true
		if b {
			no = &off
		} else {
			yes = &off
		}
		a, z := p.lower(e.TrueResult, yes), p.lower(e.FalseResult, no)
		if !b {
			a = z
		}
		if a == nil {
			return nil
		}
		c := *a
		c.Range = r
		return &c
	}
	a, z := p.lower(e.TrueResult, yes), p.lower(e.FalseResult, no)
	if cond == nil || a == nil || z == nil {
		return nil
	}
	return &specs.Expr{Op: specs.ExprCond, Args: []*specs.Expr{cond, a, z}, Range: r}
}

// decides reports whether the left side of && or || is known to decide.
func decides(name string, left *specs.Expr) bool {
	if name != "&&" && name != "||" || left.Op != specs.ExprConst {
		return false
	}
	b, err := truth(left.Value)
	return err == nil && b == (name == "||")
}

// operate applies an operator, now if it can.
func (p *parser) operate(name string, r diag.Range, sc *scope, args ...*specs.Expr) *specs.Expr {
	if decides(name, args[0]) {
		return constant(p.place(specs.NewBool(name == "||"), r), r)
	}
	values := make([]*specs.Node, len(args))
	for i, x := range args {
		if x.Op != specs.ExprConst {
			return &specs.Expr{Op: specs.ExprCall, Name: name, Args: args, Range: r}
		}
		values[i] = x.Value
	}
	v, err := p.compute(name, values, sc, r)
	if errors.Is(err, errSpent) {
		return nil
	}
	if err != nil {
		return p.fail(sc, "invalid-operation", r, err.Error(), "")
	}
	return constant(p.place(v, r), r)
}

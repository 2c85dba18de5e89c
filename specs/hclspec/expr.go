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

// phase is when an expression is evaluated, and so what it can know.
type phase uint8

const (
	staticPhase phase = iota // at load: var, local, env(), file()
	callPhase                // for every call: args too
	namePhase                // at load, for every selected operation: operation too
	firstPhase               // at load, before variables and locals: functions only
)

func (f phase) String() string {
	return [...]string{"static", "call", "static, per operation", "static, before variables"}[f]
}

// scope is what names mean at one place.
type scope struct {
	phase phase
	what  string // the attribute, for messages
	// secret is set inside bearer(…) and its like: env() and file() are
	// references there, read when a request is sent.
	secret bool
	names  map[string]*specs.Expr // of the for expressions around
	item   *specs.Expr            // of the splat around
	quiet  bool                   // in a branch that is not taken: mistakes in values do not count
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
			Hint: "sensitive values are known only when a request is sent: use them in auth, headers, query, form and json", Range: s.Range})
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
		parts, _ := elements(list)
		return p.join(parts, r, sc)
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
	for _, x := range parts {
		if x.Op != specs.ExprConst {
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
		if n := len(out); n > 0 && out[n-1].Op == specs.ExprConst {
			last := out[n-1]
			out[n-1] = constant(p.place(specs.NewString(last.Value.Text+s), last.Range), last.Range)
			continue
		}
		out = append(out, constant(p.place(specs.NewString(s), x.Range), x.Range))
	}
	switch {
	case len(out) == 0:
		return constant(p.place(specs.NewString(""), r), r)
	case len(out) == 1 && out[0].Op == specs.ExprConst:
		return constant(p.place(specs.NewString(out[0].Value.Text), r), r)
	}
	return &specs.Expr{Op: specs.ExprTemplate, Args: out, Range: r}
}

// reference resolves var.x, local.x, args.x, operation.x and the names of for
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
	case "args":
		switch sc.phase {
		case callPhase:
		case namePhase:
			return p.fail(sc, "wrong-phase", r, fmt.Sprintf("args is known only when the tool is called; %s is evaluated once for each operation, at load", sc.what), "use operation.id, operation.method, operation.path or operation.tag")
		default:
			return p.fail(sc, "wrong-phase", r, fmt.Sprintf("args is known only when the tool is called; %s is evaluated once, at load (static phase)", sc.what), "use var or local here, and args in the tool's request")
		}
	case "operation":
		if sc.phase != namePhase {
			return p.fail(sc, "wrong-phase", r, "operation is known only in the name of an expose block", "")
		}
	case "api":
		return p.fail(sc, "wrong-phase", r, "api is no value", `refer to an operation with operation = api.NAME["id"], to an API with api = api.NAME`)
	default:
		roots := []string{"var", "local"}
		switch sc.phase {
		case callPhase:
			roots = append(roots, "args")
		case namePhase:
			roots = append(roots, "operation")
		case firstPhase:
			roots = nil
		}
		for k := range sc.names {
			roots = append(roots, k)
		}
		slices.Sort(roots[min(len(roots), 3):])
		hint := ""
		if n := diag.Nearest(root, roots); n != "" {
			hint = fmt.Sprintf("did you mean %q?", n)
		} else if len(e.Traversal) == 1 {
			hint = fmt.Sprintf("text is written in quotes: %q", root)
		} else if len(roots) > 0 {
			hint = "references begin with " + strings.Join(roots, ", ")
		}
		return p.fail(sc, "unknown-name", rootRange, fmt.Sprintf("there is no %q here", root), hint)
	}

	name, nameRange, ok := p.member(e.Traversal)
	if !ok {
		hint := map[string]string{"args": "name the arguments you mean: { x = args.x }", "operation": "write operation.id, .method, .path or .tag"}[root]
		if hint == "" {
			hint = "write " + root + ".NAME"
		}
		return p.fail(sc, "incomplete-reference", r, root+" alone is no value", hint)
	}
	rest := e.Traversal[2:]
	at := diag.Range{Source: r.Source, Start: rootRange.Start, End: nameRange.End}
	switch root {
	case "var":
		return p.steps(p.variable(name, at, sc), rest, sc)
	case "local":
		return p.steps(p.local(name, at, sc), rest, sc)
	case "operation":
		words := []string{"id", "method", "path", "tag"}
		if !slices.Contains(words, name) {
			return p.fail(sc, "unknown-name", at, fmt.Sprintf("operation has no %q", name), didYouMean(name, words, "it has "))
		}
		return p.steps(&specs.Expr{Op: specs.ExprGet, Name: name, Args: []*specs.Expr{{Op: specs.ExprArg, Name: "operation", Range: rootRange}}, Range: at}, rest, sc)
	}
	return p.steps(&specs.Expr{Op: specs.ExprArg, Name: name, Range: at}, rest, sc)
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

// elements are the elements of a list whose length is known.
func elements(x *specs.Expr) ([]*specs.Expr, bool) {
	switch {
	case x.Op == specs.ExprList:
		return x.Args, true
	case x.Op == specs.ExprConst && x.Value.Kind == specs.Array:
		out := make([]*specs.Expr, len(x.Value.Fields))
		for i, f := range x.Value.Fields {
			out[i] = constant(f.Value, cmpRange(f.Value.Range(), x.Range))
		}
		return out, true
	}
	return nil, false
}

// members are key and value pairs of an object whose keys are known.
func members(x *specs.Expr) ([]*specs.Expr, bool) {
	switch {
	case x.Op == specs.ExprObject:
		for i := 0; i < len(x.Args); i += 2 {
			if x.Args[i].Op != specs.ExprConst {
				return nil, false
			}
		}
		return x.Args, true
	case x.Op == specs.ExprConst && x.Value.Kind == specs.Object:
		var out []*specs.Expr
		for _, f := range x.Value.Fields {
			out = append(out, constant(specs.NewString(f.Key), f.KeyRange()), constant(f.Value, cmpRange(f.Value.Range(), x.Range)))
		}
		return out, true
	}
	return nil, false
}

// list makes a list, a constant one when it can.
func (p *parser) list(items []*specs.Expr, r diag.Range, sc *scope) *specs.Expr {
	v := &specs.Node{Kind: specs.Array}
	for _, x := range items {
		if x.Op != specs.ExprConst {
			return &specs.Expr{Op: specs.ExprList, Args: items, Range: r}
		}
		if !p.spend(p.weight(x.Value), sc, r) {
			return nil
		}
		v.Fields = append(v.Fields, specs.Field{Value: x.Value, KeyStart: -1})
	}
	return constant(p.place(v, r), r)
}

// objectOf makes an object of key and value pairs, a constant one when it can.
func (p *parser) objectOf(pairs []*specs.Expr, r diag.Range, sc *scope) *specs.Expr {
	v := &specs.Node{Kind: specs.Object}
	for i := 0; i < len(pairs); i += 2 {
		k, x := pairs[i], pairs[i+1]
		if k.Op != specs.ExprConst || x.Op != specs.ExprConst {
			return &specs.Expr{Op: specs.ExprObject, Args: pairs, Range: r}
		}
		if !p.spend(p.weight(x.Value), sc, r) {
			return nil
		}
		start := int32(-1)
		if k.Range.Source != nil && k.Range.Source == x.Value.Source {
			start = int32(k.Range.Start)
		}
		v.Fields = append(v.Fields, specs.Field{Key: k.Value.Text, Value: x.Value, KeyStart: start})
	}
	return constant(p.place(v, r), r)
}

func (p *parser) object(e *hclsyntax.ObjectConsExpr, r diag.Range, sc *scope) *specs.Expr {
	var pairs []*specs.Expr
	seen := map[string]diag.Range{}
	ok := true
	for _, item := range e.Items {
		k := p.lower(item.KeyExpr, sc)
		v := p.lower(item.ValueExpr, sc)
		if k == nil || v == nil {
			ok = false
			continue
		}
		if k.Op == specs.ExprConst {
			if k.Value.Kind == specs.Null || k.Value.Kind >= specs.Array {
				p.fail(sc, "wrong-type", k.Range, "the key of an object is text", "")
				ok = false
				continue
			}
			if first, dup := seen[k.Value.Text]; dup {
				p.duplicateKey(k.Value.Text, k.Range, first)
				ok = false
				continue
			}
			seen[k.Value.Text] = k.Range
			k = constant(p.place(specs.NewString(k.Value.Text), k.Range), k.Range)
		} else if s := findSecret(k); s != nil {
			p.fail(sc, "sensitive-value", s.Range, fmt.Sprintf("the key of an object cannot hold the sensitive value %s", s.Secret.Name), "")
			ok = false
			continue
		}
		pairs = append(pairs, k, v)
	}
	if !ok {
		return nil
	}
	return p.objectOf(pairs, r, sc)
}

func (p *parser) duplicateKey(key string, at, first diag.Range) {
	p.add(diag.Diagnostic{Code: "duplicate-key", Message: fmt.Sprintf("the object has the key %q twice", key), Hint: "keep one of the two", Range: at,
		Notes: []diag.Note{{Message: "the first one", Range: first}}})
}

func (p *parser) objectKey(e *hclsyntax.ObjectConsKeyExpr, sc *scope) *specs.Expr {
	if !e.ForceNonLiteral {
		if hcl.ExprAsKeyword(e.Wrapped) != "" {
			r := p.rng(e.Wrapped.Range())
			return constant(p.place(specs.NewString(string(p.sourceText(e.Wrapped.Range()))), r), r)
		}
		if t, ok := e.Wrapped.(*hclsyntax.ScopeTraversalExpr); ok && len(t.Traversal) > 1 {
			w := syntaxWords["Ambiguous attribute key"]
			return p.fail(sc, "syntax", p.rng(e.Wrapped.Range()), w.message, w.hint)
		}
	}
	return p.lower(e.Wrapped, sc)
}

func (p *parser) conditional(e *hclsyntax.ConditionalExpr, r diag.Range, sc *scope) *specs.Expr {
	cond := p.lower(e.Condition, sc)
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
	v, err := apply(name, values)
	if err != nil {
		return p.fail(sc, "invalid-operation", r, err.Error(), "")
	}
	return constant(p.place(v, r), r)
}

func (p *parser) splat(e *hclsyntax.SplatExpr, r diag.Range, sc *scope) *specs.Expr {
	src := p.lower(e.Source, sc)
	if src == nil {
		return nil
	}
	items, ok := elements(src)
	if !ok {
		switch {
		case src.Op == specs.ExprConst && src.Value.Kind == specs.Null:
		case src.Op == specs.ExprConst || src.Op == specs.ExprObject:
			items = []*specs.Expr{src}
		default:
			return p.fail(sc, "unsupported-expression", r, "[*] needs a list that is known when the spec is loaded", "name the elements you need: args.x[0].name")
		}
	}
	var out []*specs.Expr
	for _, x := range items {
		c := *sc
		c.item = x
		v := p.lower(e.Each, &c)
		if v == nil {
			return nil
		}
		out = append(out, v)
	}
	return p.list(out, r, sc)
}

// forExpr unrolls a for expression: its collection must be known at load.
func (p *parser) forExpr(e *hclsyntax.ForExpr, r diag.Range, sc *scope) *specs.Expr {
	coll := p.lower(e.CollExpr, sc)
	if coll == nil {
		return nil
	}
	var keys, values []*specs.Expr
	if items, ok := elements(coll); ok {
		for i, x := range items {
			keys = append(keys, constant(specs.NewNumber(strconv.Itoa(i)), x.Range))
			values = append(values, x)
		}
	} else if pairs, ok := members(coll); ok {
		for i := 0; i < len(pairs); i += 2 {
			keys = append(keys, pairs[i])
			values = append(values, pairs[i+1])
		}
	} else if coll.Op == specs.ExprConst {
		return p.fail(sc, "wrong-type", coll.Range, "for needs a list or an object, not "+valueText(coll.Value), "")
	} else {
		return p.fail(sc, "unsupported-expression", coll.Range, "for needs a collection that is known when the spec is loaded", "loop over a local or a variable")
	}
	var out []*specs.Expr
	seen := map[string]int{}
	for i := range values {
		names := map[string]*specs.Expr{e.ValVar: values[i]}
		if e.KeyVar != "" {
			names[e.KeyVar] = keys[i]
		}
		in := sc.with(names)
		if e.CondExpr != nil {
			c := p.lower(e.CondExpr, in)
			if c == nil {
				return nil
			}
			if c.Op != specs.ExprConst {
				return p.fail(sc, "unsupported-expression", c.Range, "the condition of a for expression must be known when the spec is loaded", "")
			}
			b, err := truth(c.Value)
			if err != nil {
				return p.fail(sc, "wrong-type", c.Range, "a condition is true or false, not "+valueText(c.Value), "")
			}
			if !b {
				continue
			}
		}
		v := p.lower(e.ValExpr, in)
		if e.KeyExpr == nil {
			if v == nil {
				return nil
			}
			out = append(out, v)
			continue
		}
		k := p.lower(e.KeyExpr, in)
		if k == nil || v == nil {
			return nil
		}
		if k.Op != specs.ExprConst || k.Value.Kind == specs.Null || k.Value.Kind >= specs.Array {
			return p.fail(sc, "wrong-type", k.Range, "the key of an object is text that is known when the spec is loaded", "")
		}
		at, dup := seen[k.Value.Text]
		switch {
		case dup && e.Group:
			if out[at+1] = p.list(append(slices.Clone(mustElements(out[at+1])), v), r, sc); out[at+1] == nil {
				return nil
			}
			continue
		case dup:
			return p.fail(sc, "duplicate-key", k.Range, fmt.Sprintf("the for expression makes the key %q twice", k.Value.Text), "write value... to collect the values of a key in a list")
		case e.Group:
			if v = p.list([]*specs.Expr{v}, r, sc); v == nil {
				return nil
			}
		}
		seen[k.Value.Text] = len(out)
		out = append(out, constant(p.place(specs.NewString(k.Value.Text), k.Range), k.Range), v)
	}
	if e.KeyExpr != nil {
		return p.objectOf(out, r, sc)
	}
	return p.list(out, r, sc)
}

func mustElements(x *specs.Expr) []*specs.Expr {
	items, _ := elements(x)
	return items
}

// call lowers a function call; with constant arguments it is evaluated.
func (p *parser) call(e *hclsyntax.FunctionCallExpr, r diag.Range, sc *scope) *specs.Expr {
	nameRange := p.rng(e.NameRange)
	f := p.functions[e.Name]
	if f == nil {
		var names []string
		for _, f := range functionTable() {
			names = append(names, f.name)
		}
		hint := didYouMean(e.Name, names, "")
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
		return p.fail(sc, "wrong-arguments", r, fmt.Sprintf("%s takes %s, not %d", f.name, f.argumentsText(), len(args)), f.signature())
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
			return p.fail(sc, "wrong-arguments", x.Range, fmt.Sprintf("%s of %s is %s, not %s", f.param(i).name, f.name, want, valueText(x.Value)), f.signature())
		}
	}
	if !known {
		return &specs.Expr{Op: specs.ExprCall, Name: f.name, Args: args, Range: r}
	}
	v, err := f.eval(values)
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

// entries turns an object into named expressions.
func (p *parser) entries(x *specs.Expr, what string) ([]specs.NamedExpr, bool) {
	pairs, ok := members(x)
	if !ok {
		p.add(diag.Diagnostic{Code: "wrong-type", Message: what + " takes an object whose keys are known when the spec is loaded", Hint: "write " + what + " = { name = value }", Range: x.Range})
		return nil, false
	}
	var out []specs.NamedExpr
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, specs.NamedExpr{Name: pairs[i].Value.Text, Value: pairs[i+1], Range: cmpRange(pairs[i].Range, x.Range)})
	}
	return out, true
}

// spend counts the work of evaluation, so that a few lines cannot grow into
// gigabytes.
func (p *parser) spend(n int, sc *scope, r diag.Range) bool {
	const budget = 4 << 20
	if p.spent > budget {
		return false
	}
	if p.spent += n; p.spent > budget {
		p.add(diag.Diagnostic{Code: "too-large", Message: "evaluating the spec takes too much memory here", Hint: "loops and locals multiply each other", Range: r})
		return false
	}
	return true
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

package hclspec

import (
	"bytes"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// In a text that is XML, literals are markup and ${…} are values. Values are
// escaped, also those that are known at load, so the two must stay apart until
// the markup has said what stands around each value. Lowering therefore keeps
// templates as they were written: constants are markup, calls of escapeText are
// values, calls of rawName are what the author wants taken as it is, conditionals
// and nested templates are %{ if } and %{ for } over what is known, and a call of
// join is a %{ for } that runs in the call. What checkXML makes of that is an
// ordinary template.

// rawName is the function that keeps a value of a markup text from being
// escaped. It exists nowhere else.
const rawName = "raw"

// markup lowers an expression where text is markup. False: the expression is no
// text, and lowered as everywhere.
func (p *parser) markup(e hclsyntax.Expression, r diag.Range, sc *scope) (*specs.Expr, bool) {
	switch e := e.(type) {
	case *hclsyntax.TemplateExpr:
		out := &specs.Expr{Op: specs.ExprTemplate, Range: r}
		ok := true
		for _, part := range e.Parts {
			x := p.piece(part, sc)
			ok = ok && x != nil
			out.Args = append(out.Args, x)
		}
		if !ok {
			return nil, true
		}
		return out, true
	case *hclsyntax.TemplateWrapExpr:
		return p.hole(e.Wrapped, sc), true
	case *hclsyntax.TemplateJoinExpr:
		list := p.lower(e.Tuple, sc)
		if list == nil {
			return nil, true
		}
		if parts, ok := elements(list); ok {
			return &specs.Expr{Op: specs.ExprTemplate, Args: parts, Range: r}, true
		}
		return p.joined(list, r), true
	case *hclsyntax.ParenthesesExpr, *hclsyntax.LiteralValueExpr, *hclsyntax.ConditionalExpr, *hclsyntax.ForExpr, *hclsyntax.ExprSyntaxError:
		return nil, false
	case *hclsyntax.FunctionCallExpr:
		if e.Name == rawName {
			return p.hole(e, sc), true
		}
	}
	x := p.lower(e, sc.plain())
	switch {
	case x == nil:
	case x.Op != specs.ExprConst:
		p.fail(sc, "wrong-type", r, sc.what+" is written as a text with ${…} for values", "raw(…) takes a whole document as it is")
		x = nil
	}
	return x, true
}

// piece lowers a part of a markup text: a literal, a directive or a value.
func (p *parser) piece(e hclsyntax.Expression, sc *scope) *specs.Expr {
	switch e := e.(type) {
	case *hclsyntax.LiteralValueExpr:
		if e.Val.Type() == cty.String { // ${5} is a literal too
			return p.lower(e, sc)
		}
	case *hclsyntax.TemplateJoinExpr:
		return p.lower(e, sc)
	case *hclsyntax.ConditionalExpr:
		// %{ if } and ${… ? … : …} are the same expression; only the first one's
		// results are markup.
		if bytes.HasPrefix(p.sourceText(e.Range()), []byte("%{")) {
			return p.lower(e, sc)
		}
	}
	return p.hole(e, sc)
}

// hole lowers a value between markup. Which escaping it needs is not known yet.
func (p *parser) hole(e hclsyntax.Expression, sc *scope) *specs.Expr {
	r := p.rng(e.Range())
	name := escapeText
	if call, ok := unwrap(e).(*hclsyntax.FunctionCallExpr); ok && call.Name == rawName {
		if len(call.Args) != 1 || call.ExpandFinal {
			return p.fail(sc, "wrong-arguments", r, "raw takes 1 argument", "raw(text)")
		}
		name, e = rawName, call.Args[0]
	}
	x := p.lower(e, sc.plain())
	if x == nil {
		return nil
	}
	return &specs.Expr{Op: specs.ExprCall, Name: name, Args: []*specs.Expr{x}, Range: r}
}

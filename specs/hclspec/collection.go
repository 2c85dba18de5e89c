package hclspec

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

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
		k := p.lower(item.KeyExpr, sc.plain())
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
			if findSecret(src) != nil {
				return p.fail(sc, "sensitive-value", src.Range, "[*] cannot take apart a sensitive value", "")
			}
			in, item := sc.loop("*")
			item.Range = src.Range
			in.item = item
			each := p.lower(e.Each, in)
			if each == nil {
				return nil
			}
			list := &specs.Expr{Op: specs.ExprCall, Name: "[*]", Args: []*specs.Expr{src}, Range: src.Range}
			return &specs.Expr{Op: specs.ExprFor, Name: item.Name, Args: []*specs.Expr{list, constant(specs.NewBool(true), r), each}, Range: r}
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

// forExpr lowers a for expression. One over a collection whose elements or
// keys are known at load is unrolled, if its condition and its keys are, too;
// any other runs in the call.
func (p *parser) forExpr(e *hclsyntax.ForExpr, r diag.Range, sc *scope) *specs.Expr {
	coll := p.lower(e.CollExpr, sc.plain())
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
		order := make([]int, 0, len(pairs)/2)
		for i := 0; i < len(pairs); i += 2 {
			order = append(order, i)
		}
		slices.SortStableFunc(order, func(a, b int) int { return strings.Compare(pairs[a].Value.Text, pairs[b].Value.Text) })
		for _, i := range order {
			keys = append(keys, pairs[i])
			values = append(values, pairs[i+1])
		}
	} else if coll.Op == specs.ExprConst {
		return p.fail(sc, "wrong-type", coll.Range, "for needs a list or an object, not "+valueText(coll.Value), "")
	} else {
		return p.callFor(e, coll, r, sc)
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
			c := p.lower(e.CondExpr, in.plain())
			if c == nil {
				return nil
			}
			if c.Op != specs.ExprConst {
				return p.callFor(e, coll, r, sc)
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
		if k.Op != specs.ExprConst {
			return p.callFor(e, coll, r, sc)
		}
		if k.Value.Kind == specs.Null || k.Value.Kind >= specs.Array {
			return p.fail(sc, "wrong-type", k.Range, "the key of an object is text, not "+valueText(k.Value), "")
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

// callFor lowers a for expression that runs in the call.
func (p *parser) callFor(e *hclsyntax.ForExpr, coll *specs.Expr, r diag.Range, sc *scope) *specs.Expr {
	if s := findSecret(coll); s != nil {
		return p.fail(sc, "sensitive-value", s.Range, fmt.Sprintf("for cannot take apart the sensitive value %s", s.Secret.Name), "")
	}
	in, value := sc.loop(e.ValVar)
	out := &specs.Expr{Op: specs.ExprFor, Name: value.Name, Range: r}
	names := map[string]*specs.Expr{e.ValVar: value}
	if e.KeyVar != "" {
		in, names[e.KeyVar] = in.loop(e.KeyVar)
		out.Name = names[e.KeyVar].Name + "," + value.Name
	}
	in = in.with(names)
	test := constant(specs.NewBool(true), r)
	if e.CondExpr != nil {
		test = p.lower(e.CondExpr, in.plain())
	}
	out.Args = []*specs.Expr{coll, test, p.lower(e.ValExpr, in)}
	if e.KeyExpr != nil {
		out.Op = specs.ExprForObject
		if e.Group {
			out.Op = specs.ExprForGroups
		}
		key := p.lower(e.KeyExpr, in.plain())
		if key != nil {
			if s := findSecret(key); s != nil {
				return p.fail(sc, "sensitive-value", s.Range, fmt.Sprintf("the key of an object cannot hold the sensitive value %s", s.Secret.Name), "")
			}
		}
		out.Args = append(out.Args, key)
	}
	if slices.Contains(out.Args, nil) {
		return nil
	}
	return out
}

func mustElements(x *specs.Expr) []*specs.Expr {
	items, _ := elements(x)
	return items
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

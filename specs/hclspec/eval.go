package hclspec

import (
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/mcpc-dev/mcpc/runtime/function"
	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// JSON reads a JSON text into a value that expressions can be evaluated over.
func JSON(text []byte) (*specs.Node, error) {
	v, bad := specs.ParseJSON(&diag.Source{Text: text})
	if bad != nil {
		return nil, errors.New("the text is not JSON")
	}
	return sourceless(v), nil
}

// Evaluate computes an expression whose arguments are known at load, such as
// the name of an expose block: args is {"operation": {id, method, path, tag}}.
// An argument that is not given is null. Secrets cannot be evaluated.
func Evaluate(x *specs.Expr, args map[string]*specs.Node) (*specs.Node, error) {
	switch x.Op {
	case specs.ExprConst:
		return x.Value, nil
	case specs.ExprArg, specs.ExprVar:
		if v := args[x.Name]; v != nil {
			return v, nil
		}
		return &specs.Node{}, nil
	case specs.ExprSecret:
		return nil, errors.New("a secret is known only when a request is sent")
	case specs.ExprCond:
		c, err := Evaluate(x.Args[0], args)
		if err != nil {
			return nil, err
		}
		b, err := truth(c)
		if err != nil {
			return nil, err
		}
		if b {
			return Evaluate(x.Args[1], args)
		}
		return Evaluate(x.Args[2], args)
	}
	if x.Op.Loops() {
		return evaluateFor(x, args)
	}
	values := make([]*specs.Node, 0, len(x.Args))
	for i, a := range x.Args {
		v, err := Evaluate(a, args)
		if err != nil {
			return nil, err
		}
		if i == 0 && x.Op == specs.ExprCall && (x.Name == "&&" || x.Name == "||") {
			if b, err := truth(v); err == nil && b == (x.Name == "||") {
				return specs.NewBool(b), nil
			}
		}
		values = append(values, v)
	}
	switch x.Op {
	case specs.ExprGet:
		if v := values[0].Get(x.Name); v != nil {
			return v, nil
		}
		if k := values[0].Kind; k != specs.Object && k != specs.Null {
			return nil, fmt.Errorf("%s has no member %q", valueText(values[0]), x.Name)
		}
		return &specs.Node{}, nil
	case specs.ExprIndex:
		return at(values[0], values[1])
	case specs.ExprTemplate:
		var b strings.Builder
		for _, v := range values {
			s, err := text(v)
			if err != nil {
				return nil, err
			}
			b.WriteString(s)
		}
		return specs.NewString(b.String()), nil
	case specs.ExprList:
		return specs.NewArray(values...), nil
	case specs.ExprObject:
		o := &specs.Node{Kind: specs.Object}
		for i := 0; i+1 < len(values); i += 2 {
			k, err := text(values[i])
			if err != nil {
				return nil, err
			}
			o.Set(k, values[i+1])
		}
		return o, nil
	case specs.ExprCall:
		return apply(x.Name, values)
	}
	return nil, fmt.Errorf("unknown expression %d", x.Op)
}

func evaluateFor(x *specs.Expr, args map[string]*specs.Node) (*specs.Node, error) {
	of, err := Evaluate(x.Args[0], args)
	if err != nil {
		return nil, err
	}
	if of.Kind != specs.Null && of.Kind < specs.Array {
		return nil, fmt.Errorf("for needs a list or an object, not %s", valueText(of))
	}
	key, value := loopNames(x)
	out := specs.NewArray()
	if x.Op != specs.ExprFor {
		out.Kind = specs.Object
	}
	fields := of.Fields
	if of.Kind == specs.Object {
		fields = sorted(of)
	}
	for i, f := range fields {
		inner := maps.Clone(args)
		if key != "" {
			inner[key] = specs.NewString(f.Key)
			if of.Kind == specs.Array {
				inner[key] = specs.NewNumber(strconv.Itoa(i))
			}
		}
		inner[value] = f.Value
		results := make([]*specs.Node, 4)
		for j, a := range x.Args[1:] {
			if results[j+1], err = Evaluate(a, inner); err != nil {
				return nil, err
			}
			if j > 0 {
				continue
			}
			if b, err := truth(results[1]); err != nil {
				return nil, err
			} else if !b {
				break
			}
		}
		if results[2] == nil {
			continue
		}
		if x.Op == specs.ExprFor {
			out.Fields = append(out.Fields, specs.Field{Value: results[2], KeyStart: -1})
			continue
		}
		k, err := text(results[3])
		if err != nil {
			return nil, err
		}
		before := out.Get(k)
		switch {
		case x.Op == specs.ExprForGroups && before != nil:
			before.Fields = append(before.Fields, specs.Field{Value: results[2], KeyStart: -1})
		case x.Op == specs.ExprForGroups:
			out.Set(k, specs.NewArray(results[2]))
		case before != nil:
			return nil, fmt.Errorf("the for expression makes the key %q twice", k)
		default:
			out.Set(k, results[2])
		}
	}
	return out, nil
}

// at is c[k] as in a call: what does not exist is null.
func at(c, k *specs.Node) (*specs.Node, error) {
	missing := &specs.Node{}
	switch {
	case c.Kind == specs.Null || k.Kind == specs.Null && c.Kind >= specs.Array:
		return missing, nil
	case c.Kind == specs.Object:
		key, err := text(k)
		if err != nil {
			return nil, err
		}
		if v := c.Get(key); v != nil {
			return v, nil
		}
		return missing, nil
	case c.Kind == specs.Array:
		if n, err := number(k); err != nil || !isInteger(k) {
			return nil, fmt.Errorf("a list cannot be indexed by %s", valueText(k))
		} else if i, ok := function.Whole(n); ok && i >= 0 && i < len(c.Fields) {
			return c.Fields[i].Value, nil
		}
		return missing, nil
	}
	return nil, fmt.Errorf("%s cannot be indexed", valueText(c))
}

// loopNames are what a for expression calls its keys, or "", and its elements.
func loopNames(x *specs.Expr) (key, value string) {
	key, value, both := strings.Cut(x.Name, ",")
	if !both {
		return "", key
	}
	return key, value
}

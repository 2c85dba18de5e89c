package hclspec

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// Evaluate computes an expression whose arguments are known at load, such as
// the name of an expose block: args is {"operation": {id, method, path, tag}}.
// An argument that is not given is null. Secrets cannot be evaluated.
func Evaluate(x *specs.Expr, args map[string]*specs.Node) (*specs.Node, error) {
	table := map[string]*function{}
	for _, f := range functionTable() {
		table[f.name] = f
	}
	return evaluate(x, args, table)
}

// JSON reads a JSON text into a value that expressions can be evaluated over.
func JSON(text []byte) (*specs.Node, error) {
	v, bad := specs.ParseJSON(&diag.Source{Text: text})
	if bad != nil {
		return nil, errors.New("the text is not JSON")
	}
	return sourceless(v), nil
}

func evaluate(x *specs.Expr, args map[string]*specs.Node, table map[string]*function) (*specs.Node, error) {
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
		c, err := evaluate(x.Args[0], args, table)
		if err != nil {
			return nil, err
		}
		b, err := truth(c)
		if err != nil {
			return nil, err
		}
		if b {
			return evaluate(x.Args[1], args, table)
		}
		return evaluate(x.Args[2], args, table)
	}
	values := make([]*specs.Node, 0, len(x.Args))
	for i, a := range x.Args {
		v, err := evaluate(a, args, table)
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
		if v, err := member(values[0], values[1]); err == nil {
			return v, nil
		}
		return &specs.Node{}, nil
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
		if f := table[x.Name]; f != nil && f.eval != nil {
			return f.eval(values)
		}
		return apply(x.Name, values)
	}
	return nil, fmt.Errorf("unknown expression %d", x.Op)
}

// text is a value as text: numbers and booleans have one, null, lists and
// objects have none.
func text(v *specs.Node) (string, error) {
	switch v.Kind {
	case specs.String, specs.Number, specs.Bool:
		return v.Text, nil
	}
	return "", fmt.Errorf("%s cannot be part of a text", valueText(v))
}

// truth is a value as a condition. The texts "true" and "false" count.
func truth(v *specs.Node) (bool, error) {
	if v.Kind == specs.Bool || v.Kind == specs.String && (v.Text == "true" || v.Text == "false") {
		return v.Text == "true", nil
	}
	return false, fmt.Errorf("%s is not true or false", valueText(v))
}

// number is a value as a number. Text that is a number counts as one.
func number(v *specs.Node) (decimal, error) {
	if v.Kind == specs.Number || v.Kind == specs.String && isNumber(v.Text) {
		return parseDecimal(v.Text)
	}
	return decimal{}, fmt.Errorf("%s is no number", valueText(v))
}

func numberNode(d decimal) (*specs.Node, error) {
	s, err := d.text()
	if err != nil {
		return nil, err
	}
	return specs.NewNumber(s), nil
}

// member is c[k].
func member(c, k *specs.Node) (*specs.Node, error) {
	switch {
	case c.Kind == specs.Array && k.Kind == specs.Number:
		i, err := strconv.Atoi(k.Text)
		if err != nil || i < 0 || i >= len(c.Fields) {
			return nil, fmt.Errorf("the list has no element %s: it has %d, counted from 0", k.Text, len(c.Fields))
		}
		return c.Fields[i].Value, nil
	case c.Kind == specs.Object && k.Kind != specs.Null && k.Kind < specs.Array:
		if v := c.Get(k.Text); v != nil {
			return v, nil
		}
		return nil, fmt.Errorf("the object has no member %q", k.Text)
	case c.Kind == specs.Array:
		return nil, fmt.Errorf("the elements of a list are counted, not named %s", valueText(k))
	}
	return nil, fmt.Errorf("%s has no members", valueText(c))
}

func keysOf(v *specs.Node) []string {
	var keys []string
	for _, f := range v.Fields {
		keys = append(keys, f.Key)
	}
	return keys
}

// equal compares values: numbers by value, objects without regard to order.
func equal(a, b *specs.Node) bool {
	if a.Kind != b.Kind {
		return false
	}
	switch a.Kind {
	case specs.Number:
		if a.Text == b.Text {
			return true
		}
		x, err1 := parseDecimal(a.Text)
		y, err2 := parseDecimal(b.Text)
		return err1 == nil && err2 == nil && x.cmp(y) == 0
	case specs.Array:
		if len(a.Fields) != len(b.Fields) {
			return false
		}
		for i := range a.Fields {
			if !equal(a.Fields[i].Value, b.Fields[i].Value) {
				return false
			}
		}
		return true
	case specs.Object:
		if len(a.Fields) != len(b.Fields) {
			return false
		}
		for _, f := range a.Fields {
			if o := b.Get(f.Key); o == nil || !equal(f.Value, o) {
				return false
			}
		}
		return true
	}
	return a.Text == b.Text
}

// apply computes an operator.
func apply(name string, args []*specs.Node) (*specs.Node, error) {
	switch name {
	case "==", "!=":
		return specs.NewBool(equal(args[0], args[1]) == (name == "==")), nil
	case "&&", "||", "!":
		a, err := truth(args[0])
		if err != nil {
			return nil, err
		}
		if name == "!" {
			return specs.NewBool(!a), nil
		}
		b, err := truth(args[1])
		if err != nil {
			return nil, err
		}
		return specs.NewBool(name == "&&" && a && b || name == "||" && (a || b)), nil
	}
	a, err := number(args[0])
	if err != nil {
		return nil, err
	}
	if name == "neg" {
		// The literal keeps its digits.
		t, negative := strings.CutPrefix(args[0].Text, "-")
		if !negative && a.coef.Sign() != 0 {
			t = "-" + t
		}
		return specs.NewNumber(t), nil
	}
	if len(args) != 2 {
		return nil, fmt.Errorf("unknown operator %q", name)
	}
	b, err := number(args[1])
	if err != nil {
		return nil, err
	}
	switch name {
	case "<":
		return specs.NewBool(a.cmp(b) < 0), nil
	case "<=":
		return specs.NewBool(a.cmp(b) <= 0), nil
	case ">":
		return specs.NewBool(a.cmp(b) > 0), nil
	case ">=":
		return specs.NewBool(a.cmp(b) >= 0), nil
	case "+":
		return numberNode(a.add(b))
	case "-":
		return numberNode(a.add(b.neg()))
	case "*":
		return numberNode(a.mul(b))
	case "/":
		q, err := a.div(b)
		if err != nil {
			return nil, err
		}
		return numberNode(q)
	case "%":
		m, err := a.mod(b)
		if err != nil {
			return nil, err
		}
		return numberNode(m)
	}
	return nil, fmt.Errorf("unknown operator %q", name)
}
